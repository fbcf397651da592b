//! What is done with a packet: pure, so that it can be tried with any octets.

use pbx_media_words::{Direction, Figures, Payload};

use crate::continuity::Continuity;
use crate::reports::Sending;
use crate::rtp::{Header, Reception, digit};

/// No translation: the partner has nothing for this payload type.
const NOTHING: u8 = 255;

/// One leg as the packet path sees it.
#[derive(Debug)]
pub struct Path {
    /// Who may send, seen from us.
    pub direction: Direction,
    payloads: Vec<Payload>,
    /// Clock of each payload type, 0 for those not agreed on.
    clocks: [u32; 128],
    /// The number under which the partner knows each of ours.
    translated: [u8; 128],
    events: [bool; 128],
    last_event: Option<u32>,
    /// What comes from the peer.
    pub reception: Reception,
    /// What goes to it.
    pub sending: Sending,
    /// Under which numbers.
    pub continuity: Continuity,
    clock_hz: u32,
    /// Counted.
    pub received: u64,
    /// Counted.
    pub sent: u64,
    /// Counted.
    pub refused: u64,
}

/// What to do with a packet from a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// Send it to the partner, under this payload type.
    pub forward: Option<u8>,
    /// A key was pressed.
    pub digit: Option<char>,
    /// Its header.
    pub header: Header,
    /// The clock of its stream.
    pub clock_hz: u32,
}

impl Default for Path {
    fn default() -> Path {
        Path {
            direction: Direction::Inactive,
            payloads: Vec::new(),
            clocks: [0; 128],
            translated: [NOTHING; 128],
            events: [false; 128],
            last_event: None,
            reception: Reception::default(),
            sending: Sending::default(),
            continuity: Continuity::default(),
            clock_hz: 8000,
            received: 0,
            sent: 0,
            refused: 0,
        }
    }
}

impl Path {
    /// What was agreed on with this leg.
    pub fn expect(&mut self, direction: Direction, payloads: Vec<Payload>) {
        (self.direction, self.clocks, self.events) = (direction, [0; 128], [false; 128]);
        for payload in payloads.iter().filter(|payload| payload.number < 128) {
            let place = usize::from(payload.number);
            self.clocks[place] = payload.clock_hz.max(1);
            self.events[place] = payload.encoding == "TELEPHONE-EVENT";
        }
        self.payloads = payloads;
    }

    /// Who it is joined with: the same encodings under the partner's numbers.
    pub fn translate(&mut self, partner: Option<&Path>) {
        self.translated = [NOTHING; 128];
        let Some(partner) = partner else { return };
        for ours in self.payloads.iter().filter(|payload| payload.number < 128) {
            let same =
                |theirs: &&Payload| theirs.encoding == ours.encoding && theirs.clock_hz == ours.clock_hz && theirs.number < 128;
            if let Some(theirs) = partner.payloads.iter().find(same) {
                self.translated[usize::from(ours.number)] = theirs.number;
            }
        }
    }

    /// A packet has come from this leg's peer at `now_us`. `None` if it is none that we want.
    pub fn packet(&mut self, packet: &[u8], now_us: u64) -> Option<Fate> {
        let Some(header) = Header::read(packet) else {
            self.refused += 1;
            return None;
        };
        let place = usize::from(header.payload_type);
        if self.clocks[place] == 0 {
            self.refused += 1;
            return None;
        }
        self.received += 1;
        let event = self.events[place];
        self.reception.count(&header);
        if !event {
            self.clock_hz = self.clocks[place];
            self.reception.time(&header, self.clock_hz, now_us);
        }
        let mut pressed = None;
        if event && self.last_event != Some(header.timestamp) {
            self.last_event = Some(header.timestamp);
            pressed = digit(&packet[header.payload_at..]);
        }
        let forward = Some(self.translated[place]).filter(|number| *number != NOTHING && self.direction.receives());
        Some(Fate { forward, digit: pressed, header, clock_hz: self.clock_hz })
    }

    /// Counted so far.
    pub fn figures(&self) -> Figures {
        Figures {
            packets_received: self.received,
            packets_sent: self.sent,
            packets_lost: self.reception.lost(),
            packets_refused: self.refused,
            jitter_us: self.reception.jitter_us(self.clock_hz),
            reported: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn payload(number: u8, encoding: &str) -> Payload {
        Payload { number, encoding: encoding.into(), clock_hz: 8000 }
    }

    fn rtp(payload_type: u8, timestamp: u32, body: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x80, payload_type, 0, 1];
        packet.extend(timestamp.to_be_bytes());
        packet.extend([0, 0, 0, 9]);
        packet.extend(body);
        packet
    }

    fn joined() -> (Path, Path) {
        let (mut a, mut b) = (Path::default(), Path::default());
        a.expect(Direction::SendRecv, vec![payload(8, "PCMA"), payload(101, "TELEPHONE-EVENT")]);
        b.expect(Direction::SendRecv, vec![payload(8, "PCMA"), payload(96, "TELEPHONE-EVENT")]);
        a.translate(Some(&b));
        b.translate(Some(&a));
        (a, b)
    }

    #[test]
    fn packets_are_forwarded_under_the_partners_number() {
        let (mut a, mut b) = joined();
        let told = |path: &mut Path, packet: &[u8]| path.packet(packet, 0).map(|fate| (fate.forward, fate.digit));
        assert_eq!(told(&mut a, &rtp(8, 0, &[0; 160])), Some((Some(8), None)));
        assert_eq!(told(&mut a, &rtp(101, 0, &[5, 0, 0, 160])), Some((Some(96), Some('5'))));
        assert_eq!(told(&mut b, &rtp(96, 0, &[11, 0, 0, 160])), Some((Some(101), Some('#'))));
        assert_eq!(b.packet(&rtp(101, 0, &[11, 0, 0, 160]), 0), None, "not agreed on with this leg");
    }

    #[test]
    fn a_key_is_told_once_however_many_packets_it_has() {
        let (mut a, _) = joined();
        let pressed = |a: &mut Path, timestamp: u32, end: u8| a.packet(&rtp(101, timestamp, &[1, end, 0, 160]), 0).unwrap().digit;
        assert_eq!(pressed(&mut a, 800, 0), Some('1'));
        assert_eq!(pressed(&mut a, 800, 0), None);
        assert_eq!(pressed(&mut a, 800, 0x80), None);
        assert_eq!(pressed(&mut a, 2400, 0), Some('1'));
    }

    #[test]
    fn keys_are_no_jitter() {
        let (mut a, _) = joined();
        let mut at = 0;
        for number in 0..100u32 {
            at += 20_000;
            let pressed = (40..60).contains(&number);
            let (payload_type, timestamp) = if pressed { (101, 40 * 160) } else { (8, number * 160) };
            assert!(a.packet(&rtp(payload_type, timestamp, &[1, 0, 0, 160]), at).is_some());
        }
        assert_eq!(a.figures().jitter_us, 0);
    }

    #[test]
    fn who_must_not_be_heard_is_counted_and_not_forwarded() {
        let (mut a, b) = joined();
        a.expect(Direction::SendOnly, vec![payload(8, "PCMA")]);
        a.translate(Some(&b));
        assert_eq!(a.packet(&rtp(8, 0, &[0; 160]), 0).unwrap().forward, None);
        assert_eq!(a.figures().packets_received, 1);
    }

    proptest! {
        #[test]
        fn no_octets_panic(octets in prop::collection::vec(any::<u8>(), 0..200), at in any::<u64>()) {
            let (mut a, _) = joined();
            a.packet(&octets, at);
        }
    }
}
