//! What a peer is sent is one stream, whoever speaks. When its partner changes (a call is sent on) or begins to speak under another SSRC,
//! the numbers go on where they were: there are phones that take the packets of a second source for late ones of the first, and are
//! silent (baresip 1.0; `tests/blackbox/transfer.rs`). RFC 3550 7.1 lets a translator do so.

use crate::rtp::Header;

/// The stream to one peer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Continuity {
    last: Option<Last>,
    /// What is added to the source's numbers.
    sequence: u16,
    timestamp: u32,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    /// Who spoke.
    source: u32,
    /// As whom the peer knows it: the first that spoke.
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    at_us: u64,
}

impl Continuity {
    /// Writes into a packet under which numbers the peer is sent it; its header as it then is. Until another source speaks, nothing of
    /// it is changed.
    pub fn pass(&mut self, header: Header, packet: &mut [u8], clock_hz: u32, now_us: u64) -> Header {
        let mut passed = header;
        let ssrc = match &self.last {
            None => header.ssrc,
            Some(last) => {
                if last.source != header.ssrc {
                    let ticks = u128::from(now_us.saturating_sub(last.at_us)) * u128::from(clock_hz) / 1_000_000;
                    self.sequence = last.sequence.wrapping_add(1).wrapping_sub(header.sequence);
                    // Only the low 32 bits of a timestamp are there.
                    self.timestamp = last.timestamp.wrapping_add(ticks as u32).wrapping_sub(header.timestamp);
                    passed.marker = true;
                }
                last.ssrc
            }
        };
        passed.ssrc = ssrc;
        passed.sequence = header.sequence.wrapping_add(self.sequence);
        passed.timestamp = header.timestamp.wrapping_add(self.timestamp);
        if passed != header
            && let Some(fixed) = packet.first_chunk_mut::<12>()
        {
            fixed[1] |= u8::from(passed.marker) << 7;
            fixed[2..4].copy_from_slice(&passed.sequence.to_be_bytes());
            fixed[4..8].copy_from_slice(&passed.timestamp.to_be_bytes());
            fixed[8..12].copy_from_slice(&passed.ssrc.to_be_bytes());
        }
        // One that was overtaken does not take the numbers back.
        let overtaken =
            self.last.filter(|last| last.source == header.ssrc && passed.sequence.wrapping_sub(last.sequence) > u16::MAX / 2);
        if overtaken.is_none() {
            let (sequence, timestamp) = (passed.sequence, passed.timestamp);
            self.last = Some(Last { source: header.ssrc, ssrc, sequence, timestamp, at_us: now_us });
        }
        passed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(ssrc: u32, sequence: u16, timestamp: u32) -> Vec<u8> {
        let mut packet = vec![0x80, 8];
        packet.extend(sequence.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend(ssrc.to_be_bytes());
        packet.extend([1, 2, 3]);
        packet
    }

    fn passed(continuity: &mut Continuity, mut octets: Vec<u8>, now_us: u64) -> (Header, Vec<u8>) {
        let header = Header::read(&octets).unwrap();
        let passed = continuity.pass(header, &mut octets, 8000, now_us);
        assert_eq!(Header::read(&octets), Some(passed), "what is said of it is what it says");
        (passed, octets)
    }

    #[test]
    fn the_first_source_is_not_touched() {
        let mut continuity = Continuity::default();
        for number in [7, 8, 10, 9, 65_535, 0] {
            let octets = packet(5, number, u32::from(number) * 160);
            assert_eq!(passed(&mut continuity, octets.clone(), 0).1, octets);
        }
    }

    #[test]
    fn another_source_goes_on_where_the_first_was() {
        let mut continuity = Continuity::default();
        passed(&mut continuity, packet(5, 60_000, 16_000), 1_000_000);
        passed(&mut continuity, packet(5, 59_999, 15_840), 1_001_000);
        let (first, octets) = passed(&mut continuity, packet(6, 12, 500), 1_500_000);
        assert_eq!((first.ssrc, first.sequence, first.timestamp, first.marker), (5, 60_001, 20_000, true));
        assert_eq!(octets[12..], [1, 2, 3]);
        let (second, _) = passed(&mut continuity, packet(6, 13, 660), 1_520_000);
        assert_eq!((second.ssrc, second.sequence, second.timestamp, second.marker), (5, 60_002, 20_160, false));
        let (third, _) = passed(&mut continuity, packet(7, 65_535, u32::MAX), 1_520_000);
        assert_eq!((third.ssrc, third.sequence, third.timestamp), (5, 60_003, 20_160));
    }

    proptest! {
        #[test]
        fn to_its_peer_it_is_one_stream(sources in prop::collection::vec((any::<u16>(), any::<u32>(), 1..20u16), 1..8)) {
            let mut continuity = Continuity::default();
            let (mut now, mut before): (u64, Option<Header>) = (0, None);
            for (ssrc, (sequence, timestamp, count)) in (1u32..).zip(sources) {
                for at in 0..count {
                    now += 20_000;
                    let octets = packet(ssrc, sequence.wrapping_add(at), timestamp.wrapping_add(u32::from(at) * 160));
                    let (header, _) = passed(&mut continuity, octets, now);
                    if let Some(before) = before.replace(header) {
                        prop_assert_eq!(header.ssrc, before.ssrc);
                        prop_assert_eq!(header.sequence, before.sequence.wrapping_add(1));
                        prop_assert_eq!(header.timestamp, before.timestamp.wrapping_add(160));
                    }
                }
            }
        }
    }
}
