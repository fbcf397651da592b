//! The RTP header as far as a relay reads it, RFC 3550 5.1, and what is counted from it (A.1, A.3, A.8).

use crate::numbers::Numbers;
use crate::rtcp::Block;

/// The fixed header of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// 0 to 127.
    pub payload_type: u8,
    /// Begins a talk spurt, or an event.
    pub marker: bool,
    /// Counts packets.
    pub sequence: u16,
    /// In the payload's clock.
    pub timestamp: u32,
    /// Who speaks.
    pub ssrc: u32,
    /// Where the payload begins, behind CSRCs and extension.
    pub payload_at: usize,
}

impl Header {
    /// Reads a packet's header; `None` if the octets are no RTP of version 2.
    pub fn read(packet: &[u8]) -> Option<Header> {
        let fixed: &[u8; 12] = packet.first_chunk()?;
        if fixed[0] >> 6 != 2 {
            return None;
        }
        let mut payload_at = 12 + usize::from(fixed[0] & 15) * 4;
        if fixed[0] & 0x10 != 0 {
            let extension: &[u8; 4] = packet.get(payload_at..)?.first_chunk()?;
            payload_at += 4 + usize::from(u16::from_be_bytes([extension[2], extension[3]])) * 4;
        }
        let [_, second, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3] = *fixed;
        (payload_at <= packet.len()).then_some(Header {
            payload_type: second & 127,
            marker: second & 128 != 0,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([i0, i1, i2, i3]),
            payload_at,
        })
    }
}

/// What has come from one source.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reception {
    /// Who, and what came of it.
    source: Option<(u32, Numbers)>,
    /// Lost of sources before this one, and of this one before it counted anew.
    lost_before: u64,
    transit: Option<i64>,
    jitter: u64,
    /// As they were at the last report.
    expected_before: u64,
    received_before: u64,
}

impl Reception {
    /// Counts a packet by its number.
    pub fn count(&mut self, header: &Header) {
        match &mut self.source {
            Some((ssrc, numbers)) if *ssrc == header.ssrc => {
                if let Some(before) = numbers.count(header.sequence) {
                    self.lost_before += before.missing();
                    (self.expected_before, self.received_before) = (0, 0);
                }
            }
            _ => {
                let source = Some((header.ssrc, Numbers::new(header.sequence)));
                *self = Reception { source, lost_before: self.lost(), jitter: self.jitter, ..Reception::default() };
            }
        }
    }

    /// Measures the jitter of a packet that came at `now_us`, of a payload with this clock. Not for the packets of a key: they all bear
    /// the instant of its pressing (RFC 4733 2.2), which says nothing of when they were sent.
    pub fn time(&mut self, header: &Header, clock_hz: u32, now_us: u64) {
        let arrival = i64::try_from(now_us).unwrap_or(0).wrapping_mul(i64::from(clock_hz)) / 1_000_000;
        let transit = arrival.wrapping_sub(i64::from(header.timestamp));
        if let Some(before) = self.transit.replace(transit) {
            // Only the low 32 bits of a timestamp are there; the difference of two transits has them all.
            let difference = (transit.wrapping_sub(before) as i32).unsigned_abs();
            // In sixteenths, as RFC 3550 A.8 keeps it; a jump of a second is a new beginning and no jitter.
            if difference < clock_hz {
                self.jitter = self.jitter + u64::from(difference) - (self.jitter + 8) / 16;
            }
        }
    }

    /// Expected by number and not received.
    pub fn lost(&self) -> u64 {
        self.lost_before + self.source.map_or(0, |(_, numbers)| numbers.missing())
    }

    /// What a report says of the source now (RFC 3550 A.3), but for its sender reports; `None` if nothing came since the last one.
    pub fn block(&mut self) -> Option<Block> {
        let (ssrc, numbers) = self.source.filter(|(_, numbers)| numbers.counted() > self.received_before)?;
        let (expected, received) = (numbers.expected(), numbers.counted());
        let expected_since = expected.saturating_sub(self.expected_before);
        let lost_since = expected_since.saturating_sub(received - self.received_before);
        (self.expected_before, self.received_before) = (expected, received);
        let lost = i64::try_from(expected).unwrap_or(i64::MAX).saturating_sub_unsigned(received).clamp(-0x80_0000, 0x7f_ffff);
        Some(Block {
            ssrc,
            fraction_lost: (lost_since * 256)
                .checked_div(expected_since)
                .map_or(0, |fraction| u8::try_from(fraction).unwrap_or(255)),
            lost: i32::try_from(lost).unwrap_or(0),
            highest: numbers.highest(),
            jitter: u32::try_from(self.jitter / 16).unwrap_or(u32::MAX),
            ..Block::default()
        })
    }

    /// Microseconds.
    pub fn jitter_us(&self, clock_hz: u32) -> u32 {
        u32::try_from(self.jitter * 1_000_000 / 16 / u64::from(clock_hz.max(1))).unwrap_or(u32::MAX)
    }
}

/// The key of a telephone-event payload, RFC 4733 2.3 and 3.2.
pub fn digit(payload: &[u8]) -> Option<char> {
    const KEYS: &[u8; 16] = b"0123456789*#ABCD";
    payload.first().filter(|_| payload.len() >= 4).and_then(|event| KEYS.get(usize::from(*event))).map(|key| char::from(*key))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rtc_shared::marshal::Unmarshal;

    use super::*;

    fn packet(sequence: u16, timestamp: u32) -> Header {
        Header { payload_type: 8, marker: false, sequence, timestamp, ssrc: 7, payload_at: 12 }
    }

    #[test]
    fn loss_is_what_is_missing_between_the_first_and_the_highest_number() {
        let mut reception = Reception::default();
        for sequence in [65_533u16, 65_534, 1, 0, 3] {
            reception.count(&packet(sequence, 0));
        }
        assert_eq!(reception.lost(), 2, "65535 and 2");
        let mut again = packet(10, 0);
        again.ssrc = 8;
        reception.count(&again);
        assert_eq!(reception.lost(), 2, "another source begins anew");
    }

    #[test]
    fn a_source_that_counts_anew_has_lost_nothing_by_it_and_nothing_is_forgotten() {
        let mut reception = Reception::default();
        [100u16, 102, 103].iter().for_each(|sequence| reception.count(&packet(*sequence, 0)));
        assert_eq!(reception.block().unwrap().lost, 1);
        [20_000u16, 20_001, 20_004].iter().for_each(|sequence| reception.count(&packet(*sequence, 0)));
        assert_eq!(reception.lost(), 3);
        let block = reception.block().unwrap();
        assert_eq!((block.lost, block.highest, block.fraction_lost), (2, 20_004, u8::try_from(2 * 256 / 5).unwrap()));
        [19_000u16, 19_001, 19_003].iter().for_each(|sequence| reception.count(&packet(*sequence, 0)));
        assert_eq!(reception.lost(), 4, "a step back hides none of what is lost after it");
    }

    #[test]
    fn even_packets_have_no_jitter_and_uneven_ones_have() {
        let mut even = Reception::default();
        let mut uneven = Reception::default();
        for number in 0..500u16 {
            let (timestamp, at) = (u32::from(number) * 160, u64::from(number) * 20_000);
            even.time(&packet(number, timestamp), 8000, at);
            uneven.time(&packet(number, timestamp), 8000, at + u64::from(number % 2) * 8_000);
        }
        assert_eq!(even.jitter_us(8000), 0);
        let jitter = uneven.jitter_us(8000);
        assert!((7_000..=9_000).contains(&jitter), "{jitter}");
    }

    proptest! {
        #[test]
        fn headers_are_read_as_the_oracle_reads_them(octets in prop::collection::vec(any::<u8>(), 0..64)) {
            let ours = Header::read(&octets);
            let theirs = rtc_rtp::header::Header::unmarshal(&mut octets.as_slice());
            if let (Some(ours), Ok(theirs)) = (ours, theirs) {
                prop_assert_eq!(ours.payload_type, theirs.payload_type);
                prop_assert_eq!(ours.sequence, theirs.sequence_number);
                prop_assert_eq!(ours.timestamp, theirs.timestamp);
                prop_assert_eq!(ours.ssrc, theirs.ssrc);
                prop_assert_eq!(ours.marker, theirs.marker);
            }
        }
    }
}
