//! A leg's reports: each leg is an RTP session of its own, so that we report to its peer what we hear and send ourselves, and what the
//! peer reports is of this leg alone (RFC 3550 6.4). Nothing of a peer's RTCP crosses to the other leg.

use pbx_media_words::Reported;

use crate::numbers::Numbers;
use crate::rtcp::{self, Block, CNAME, Compound, Packet, Sent};
use crate::rtp::{Header, Reception};

/// The stream that we send on a leg: the partner's packets, under the SSRC and numbers of the first partner (`continuity`).
#[derive(Clone, Copy, Debug, Default)]
pub struct Sending {
    /// Under which SSRC, and which numbers.
    stream: Option<(u32, Numbers)>,
    packets: u32,
    octets: u32,
    timestamp: u32,
    clock_hz: u32,
    at_us: u64,
}

impl Sending {
    /// Counts a packet that has been sent, of a payload with this clock. True if the peer counts anew from here on: it begins another
    /// stream, or the same one with other numbers.
    pub fn count(&mut self, header: &Header, clock_hz: u32, payload_octets: usize, now_us: u64) -> bool {
        let anew = match &mut self.stream {
            Some((ssrc, numbers)) if *ssrc == header.ssrc => numbers.count(header.sequence).is_some(),
            _ => {
                *self = Sending { stream: Some((header.ssrc, Numbers::new(header.sequence))), ..Sending::default() };
                true
            }
        };
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(u32::try_from(payload_octets).unwrap_or(0));
        (self.timestamp, self.clock_hz, self.at_us) = (header.timestamp, clock_hz, now_us);
        anew
    }

    fn ssrc(&self) -> Option<u32> {
        self.stream.map(|(ssrc, _)| ssrc)
    }
}

/// What a leg's reports need to know from one to the next.
#[derive(Debug)]
pub struct Reports {
    /// Ours for as long as we have sent nothing.
    own_ssrc: u32,
    cname: [u8; CNAME],
    next_us: u64,
    /// The last sender reports of ours: the middle of their instant, and when they left.
    ours: [(u32, u64); REMEMBERED],
    place: usize,
    /// The peer's last sender report: of which stream, the middle of its instant, and when it came.
    theirs: Option<(u32, u32, u64)>,
    reported: Option<Reported>,
    /// Of streams before this one.
    lost_before: u64,
}

/// Sender reports of ours that an answer may name: at 5 s each, one that names an older one says nothing about now.
const REMEMBERED: usize = 4;

/// A stream of which nothing was sent for so long is no longer reported as sent (RFC 3550 6.3.8: two intervals).
const SENDER_US: u64 = 15_000_000;

/// What clocks of two machines may differ by over one report's delay.
const CLOCK_GRAIN_US: u64 = 20_000;

impl Reports {
    /// A leg that was opened: an SSRC and a name that say nothing of anybody (RFC 7022 4.2), and when to report first.
    pub fn new(own_ssrc: u32, name: [u8; CNAME / 2], first_us: u64) -> Reports {
        let mut cname = [0; CNAME];
        for (two, octet) in cname.chunks_exact_mut(2).zip(name) {
            let digit = |four: u8| if four < 10 { b'0' + four } else { b'a' + four - 10 };
            two.copy_from_slice(&[digit(octet >> 4), digit(octet & 15)]);
        }
        Reports {
            own_ssrc,
            cname,
            next_us: first_us,
            ours: [(0, 0); REMEMBERED],
            place: 0,
            theirs: None,
            reported: None,
            lost_before: 0,
        }
    }

    /// What the peer has said of what we sent it.
    pub fn reported(&self) -> Option<Reported> {
        self.reported
    }

    /// Another stream is sent from now on, of which the peer counts anew.
    pub fn begin_stream(&mut self) {
        self.lost_before = self.reported.map_or(0, |reported| reported.packets_lost);
        self.ours = [(0, 0); REMEMBERED];
    }

    /// Reads a datagram of the peer; false if it is no RTCP.
    pub fn hear(&mut self, datagram: &[u8], sending: &Sending, sent_in_all: u64, now_us: u64) -> bool {
        let Some(compound) = Compound::read(datagram) else { return false };
        for packet in compound {
            let Packet::Report { ssrc, sent, blocks } = packet else { continue };
            if let Some(sent) = sent {
                self.theirs = Some((ssrc, middle(sent.ntp), now_us));
            }
            let Some((sent_as, numbers)) = &sending.stream else { continue };
            for block in blocks.filter(|block| block.ssrc == *sent_as) {
                self.judge(&block, numbers, sending.clock_hz, (sent_in_all, now_us));
            }
        }
        true
    }

    fn judge(&mut self, block: &Block, numbers: &Numbers, clock_hz: u32, (sent_in_all, now_us): (u64, u64)) {
        // Numbers that we never sent, because they were lost on their way to us or not to be heard: the peer misses them through no
        // fault of its leg.
        let left_out = numbers.missing();
        let lost = u64::try_from(block.lost).unwrap_or(0).saturating_sub(left_out).min(numbers.counted());
        let jitter_us = u64::from(block.jitter) * 1_000_000 / u64::from(clock_hz.max(1));
        let before = self.reported.and_then(|reported| reported.round_trip_us);
        self.reported = Some(Reported {
            packets_sent: sent_in_all,
            packets_lost: (self.lost_before + lost).min(sent_in_all),
            jitter_us: u32::try_from(jitter_us).unwrap_or(u32::MAX),
            round_trip_us: match (self.round_trip_us(block, now_us), before) {
                (Some(now), Some(before)) => Some(before - before / 8 + now / 8),
                (now, before) => now.or(before),
            },
        });
    }

    /// From a report of ours to the answer, without the time that the peer kept it (RFC 3550 6.4.1). Only of a report that we did send:
    /// neither a lie nor a stray answer becomes a figure.
    fn round_trip_us(&self, block: &Block, now_us: u64) -> Option<u32> {
        let (_, left_us) = self.ours.iter().find(|(middle, at)| *at != 0 && *middle == block.last_sr)?;
        let away_us = now_us.saturating_sub(*left_us);
        let kept_us = (u64::from(block.delay) * 1_000_000) >> 16;
        (kept_us <= away_us + CLOCK_GRAIN_US).then(|| u32::try_from(away_us.saturating_sub(kept_us)).unwrap_or(u32::MAX))
    }

    /// Is it time to report?
    pub fn is_due(&self, now_us: u64) -> bool {
        self.next_us <= now_us
    }

    /// Writes a report: of what we send if we do, of what we hear if we do. `wall_us` counts from 1970. How long it is.
    pub fn report(
        &mut self,
        into: &mut [u8],
        sending: &Sending,
        reception: &mut Reception,
        (now_us, wall_us, next_us): (u64, u64, u64),
    ) -> usize {
        self.next_us = next_us;
        let ntp = ntp(wall_us);
        let sent = sending.ssrc().filter(|_| now_us.saturating_sub(sending.at_us) < SENDER_US).map(|_| {
            let since = now_us.saturating_sub(sending.at_us) * u64::from(sending.clock_hz) / 1_000_000;
            Sent {
                ntp,
                rtp_timestamp: sending.timestamp.wrapping_add(since as u32),
                packets: sending.packets,
                octets: sending.octets,
            }
        });
        if sent.is_some() {
            self.ours[self.place % REMEMBERED] = (middle(ntp), now_us);
            self.place = (self.place + 1) % REMEMBERED;
        }
        let block = reception.block().map(|block| match self.theirs {
            Some((ssrc, last_sr, at_us)) if ssrc == block.ssrc => {
                let delay = (u128::from(now_us.saturating_sub(at_us)) << 16) / 1_000_000;
                Block { last_sr, delay: u32::try_from(delay).unwrap_or(u32::MAX), ..block }
            }
            _ => block,
        });
        rtcp::write(into, sending.ssrc().unwrap_or(self.own_ssrc), sent.as_ref(), block.as_ref(), &self.cname)
    }
}

/// The middle 32 bits of an instant, by which reports name one another.
fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// Seconds since 1900 in 32.32 bits.
fn ntp(wall_us: u64) -> u64 {
    ((wall_us / 1_000_000 + 2_208_988_800) << 32) | (((wall_us % 1_000_000) << 32) / 1_000_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rtcp::LONGEST;

    const WALL_US: u64 = 1_764_000_000_000_000;

    fn header(sequence: u16) -> Header {
        Header { payload_type: 8, marker: false, sequence, timestamp: u32::from(sequence) * 160, ssrc: 7, payload_at: 12 }
    }

    /// Both ends of a leg: ours, which sends `numbers`, and a peer made of the same parts.
    struct Ends {
        ours: Reports,
        sending: Sending,
        peer: Reports,
        heard: Reception,
        sent: u64,
    }

    impl Ends {
        fn new() -> Ends {
            let reports = |ssrc| Reports::new(ssrc, [0xab; CNAME / 2], 0);
            Ends { ours: reports(1), sending: Sending::default(), peer: reports(2), heard: Reception::default(), sent: 0 }
        }

        fn send(&mut self, sequence: u16, arrives: bool) {
            let at = u64::from(sequence) * 20_000;
            if self.sending.count(&header(sequence), 8000, 160, at) {
                self.ours.begin_stream();
            }
            self.sent += 1;
            if arrives {
                self.heard.count(&header(sequence));
            }
        }

        /// Our report goes out, is kept by the peer, and the peer's comes back; each way lasts as long.
        fn exchange(&mut self, at_us: u64, way_us: u64, kept_us: u64) -> Option<Reported> {
            let mut octets = [0; LONGEST];
            let length = self.ours.report(&mut octets, &self.sending, &mut Reception::default(), (at_us, WALL_US + at_us, at_us));
            assert!(self.peer.hear(&octets[..length], &Sending::default(), 0, at_us + way_us));
            let back = at_us + way_us + kept_us;
            let length = self.peer.report(&mut octets, &Sending::default(), &mut self.heard, (back, WALL_US, back));
            assert!(self.ours.hear(&octets[..length], &self.sending, self.sent, back + way_us));
            self.ours.reported()
        }
    }

    #[test]
    fn a_round_trip_is_the_way_there_and_back_without_the_stay() {
        let mut ends = Ends::new();
        (0..100).for_each(|sequence| ends.send(sequence, true));
        let reported = ends.exchange(2_000_000, 15_000, 2_500_000).unwrap();
        let round_trip_us = reported.round_trip_us.unwrap();
        assert!((29_900..=30_100).contains(&round_trip_us), "{round_trip_us}");
        assert_eq!((reported.packets_sent, reported.packets_lost), (100, 0));
    }

    #[test]
    fn loss_is_this_legs_own_and_not_what_never_reached_us() {
        let mut ends = Ends::new();
        // 10 to 19 never reached us; 30 and 31 are lost on this leg.
        (0..50)
            .filter(|sequence| !(10..20).contains(sequence))
            .for_each(|sequence| ends.send(sequence, !(30..32).contains(&sequence)));
        let reported = ends.exchange(2_000_000, 1_000, 1_000).unwrap();
        assert_eq!((reported.packets_sent, reported.packets_lost), (40, 2));
    }

    #[test]
    fn another_stream_adds_to_what_was_lost_before() {
        let mut ends = Ends::new();
        (0..50).for_each(|sequence| ends.send(sequence, sequence != 20));
        assert_eq!(ends.exchange(2_000_000, 1_000, 1_000).unwrap().packets_lost, 1);
        let other = |sequence| Header { ssrc: 8, ..header(sequence) };
        for sequence in 0..50u16 {
            if ends.sending.count(&other(sequence), 8000, 160, 2_000_000) {
                ends.ours.begin_stream();
            }
            ends.sent += 1;
            if sequence != 30 {
                ends.heard.count(&other(sequence));
            }
        }
        let reported = ends.exchange(4_000_000, 1_000, 1_000).unwrap();
        assert_eq!((reported.packets_sent, reported.packets_lost), (100, 2));
    }

    #[test]
    fn numbers_that_begin_anew_add_to_what_was_lost_before() {
        let mut ends = Ends::new();
        (0..50).for_each(|sequence| ends.send(sequence, sequence != 20));
        assert_eq!(ends.exchange(2_000_000, 1_000, 1_000).unwrap().packets_lost, 1);
        // Of these 20,010 never reached us, and two are lost on this leg.
        let again = (20_000..20_050).filter(|sequence| *sequence != 20_010);
        again.for_each(|sequence| ends.send(sequence, !(20_030..20_032).contains(&sequence)));
        let reported = ends.exchange(402_000_000, 1_000, 1_000).unwrap();
        assert_eq!((reported.packets_sent, reported.packets_lost), (99, 3));
        assert_eq!(ends.sending.packets, 99, "a sender report counts on, for it is the same stream (RFC 3550 6.4.1)");
    }

    #[test]
    fn a_report_that_answers_none_of_ours_gives_no_round_trip() {
        let mut ends = Ends::new();
        (0..50).for_each(|sequence| ends.send(sequence, true));
        let mut octets = [0; LONGEST];
        let mut tell = |ends: &mut Ends, block: Block| {
            let length = rtcp::write(&mut octets, 9, None, Some(&block), &[b'x'; CNAME]);
            assert!(ends.ours.hear(&octets[..length], &ends.sending, 50, 3_000_000));
            ends.ours.reported()
        };
        let stranger = Block { ssrc: 99, ..Block::default() };
        assert_eq!(tell(&mut ends, stranger), None, "of a stream that we do not send");
        let made_up = Block { ssrc: 7, last_sr: 0x1234_5678, ..Block::default() };
        assert_eq!(tell(&mut ends, made_up).unwrap().round_trip_us, None);
        let mut written = [0; LONGEST];
        ends.ours.report(&mut written, &ends.sending, &mut Reception::default(), (2_000_000, WALL_US, 0));
        let last_sr = middle(ntp(WALL_US));
        let too_long = Block { ssrc: 7, last_sr, delay: 2 << 16, ..Block::default() };
        assert_eq!(tell(&mut ends, too_long).unwrap().round_trip_us, None, "kept longer than it was away");
        let good = Block { ssrc: 7, last_sr, delay: 1 << 16, lost: 0x7f_ffff, jitter: u32::MAX, ..Block::default() };
        let reported = tell(&mut ends, good).unwrap();
        assert_eq!((reported.round_trip_us, reported.packets_lost), (Some(0), 50), "no more is lost than was sent");
    }

    #[test]
    fn who_only_listens_reports_as_a_receiver() {
        let mut reports = Reports::new(5, [1; CNAME / 2], 0);
        let mut reception = Reception::default();
        (0..10).for_each(|sequence| reception.count(&header(sequence * 2)));
        let mut octets = [0; LONGEST];
        let length = reports.report(&mut octets, &Sending::default(), &mut reception, (1, WALL_US, 2));
        let Some(Packet::Report { ssrc: 5, sent: None, mut blocks }) = Compound::read(&octets[..length]).unwrap().next() else {
            panic!()
        };
        let block = blocks.next().unwrap();
        assert_eq!((block.ssrc, block.lost, block.highest), (7, 9, 18));
        assert_eq!(block.fraction_lost, u8::try_from(9 * 256 / 19).unwrap());
        let length = reports.report(&mut octets, &Sending::default(), &mut reception, (1, WALL_US, 2));
        let Some(Packet::Report { mut blocks, .. }) = Compound::read(&octets[..length]).unwrap().next() else { panic!() };
        assert_eq!(blocks.next(), None, "nothing came since");
    }

    proptest! {
        #[test]
        fn no_reports_of_a_peer_panic(
            datagrams in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..120), any::<u64>()), 0..6), blocks in 0u8..4,
        ) {
            let mut ends = Ends::new();
            ends.send(65_535, true);
            ends.send(0, true);
            for (mut datagram, at) in datagrams {
                if let [flags, kind, high, low, ..] = datagram.as_mut_slice() {
                    (*flags, *kind, *high, *low) = (0x80 | blocks, 201, 0, 1 + 6 * blocks);
                }
                if let Some(ssrc) = datagram.get_mut(8..12) {
                    ssrc.copy_from_slice(&7u32.to_be_bytes());
                }
                ends.ours.hear(&datagram, &ends.sending, ends.sent, at);
                let reported = ends.ours.reported();
                prop_assert!(reported.is_none_or(|reported| reported.packets_lost <= ends.sent));
            }
        }
    }
}
