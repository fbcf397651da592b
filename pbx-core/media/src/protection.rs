//! What guards the packets of one leg: nothing, or keys of its own for each way.

use pbx_media_words::Keys;

use crate::leg::Channel;
use crate::srtp::{Opening, Sealing};

/// What guards the packets of one leg.
#[derive(Default)]
pub enum Protection {
    /// They are plain.
    #[default]
    Plain,
    /// Ours are sealed, the peer's are opened.
    Keyed(Box<Pair>),
    /// They should be guarded, by keys that cannot be: nothing passes.
    Impossible,
}

/// Both ways.
pub struct Pair {
    sealing: Sealing,
    opening: Opening,
    /// The peer's key before this one: what was on its way when it changed.
    before: Option<Opening>,
}

impl Protection {
    /// These keys from now on. What is the same as before goes on as it is.
    pub fn expect(&mut self, keys: Option<&Keys>) {
        let Some(keys) = keys else { return *self = Protection::Plain };
        let (sealing, opening) = match std::mem::take(self) {
            Protection::Keyed(pair) => (Some(pair.sealing), Some(pair.opening)),
            Protection::Plain | Protection::Impossible => (None, None),
        };
        let sealing = match sealing.filter(|sealing| sealing.is_by(&keys.ours)) {
            Some(same) => Ok(same),
            None => Sealing::new(&keys.ours),
        };
        let (opening, before) = match opening {
            Some(same) if same.is_by(&keys.theirs) => (Ok(same), None),
            before => (Opening::new(&keys.theirs), before),
        };
        *self = match (sealing, opening) {
            (Ok(sealing), Ok(opening)) => Protection::Keyed(Box::new(Pair { sealing, opening, before })),
            (Err(error), _) | (_, Err(error)) => {
                tracing::error!(%error, "a leg gets no sound: it cannot be protected");
                Protection::Impossible
            }
        };
    }

    /// Is it the peer's, as far as keys can tell? Nothing is remembered of it.
    pub fn is_genuine(&self, packet: &[u8], channel: Channel) -> bool {
        match self {
            Protection::Plain => true,
            Protection::Keyed(pair) => pair.opening.is_genuine(packet, channel == Channel::Rtcp),
            Protection::Impossible => false,
        }
    }

    /// Opens a packet of the peer where it lies; its length then.
    pub fn open(&mut self, packet: &mut [u8], channel: Channel) -> Option<usize> {
        let pair = match self {
            Protection::Plain => return Some(packet.len()),
            Protection::Keyed(pair) => pair,
            Protection::Impossible => return None,
        };
        let is_rtcp = channel == Channel::Rtcp;
        if pair.before.is_some() {
            if pair.opening.is_genuine(packet, is_rtcp) {
                pair.before = None;
            } else if let Some(before) = &mut pair.before {
                return if is_rtcp { before.rtcp(packet) } else { before.rtp(packet) };
            }
        }
        if is_rtcp { pair.opening.rtcp(packet) } else { pair.opening.rtp(packet) }
    }

    /// Seals what lies in the first `length` octets; its length then.
    pub fn seal(&mut self, buffer: &mut [u8], length: usize, channel: Channel) -> Option<usize> {
        match (self, channel) {
            (Protection::Plain, _) => Some(length),
            (Protection::Keyed(pair), Channel::Rtp) => pair.sealing.rtp(buffer, length),
            (Protection::Keyed(pair), Channel::Rtcp) => pair.sealing.rtcp(buffer, length),
            (Protection::Impossible, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use pbx_media_words::{MasterKey, Suite};

    use super::*;

    fn keys(ours: u8, theirs: u8) -> Keys {
        let key = |octet: u8| MasterKey { suite: Suite::AeadAes128Gcm, octets: vec![octet; 28], mki_octets: 0 };
        Keys { ours: key(ours), theirs: key(theirs) }
    }

    fn between(ours: u8, theirs: u8) -> (Protection, Protection) {
        let (mut one, mut other) = (Protection::default(), Protection::default());
        one.expect(Some(&keys(ours, theirs)));
        other.expect(Some(&keys(theirs, ours)));
        (one, other)
    }

    fn passes(from: &mut Protection, to: &mut Protection, sequence: u8) -> bool {
        let packet = [0x80, 8, 0, sequence, 0, 0, 0, 0, 0, 0, 0, 9, 1, 2, 3];
        let mut buffer = [0; 64];
        buffer[..packet.len()].copy_from_slice(&packet);
        let sealed = from.seal(&mut buffer, packet.len(), Channel::Rtp).unwrap();
        to.open(&mut buffer[..sealed], Channel::Rtp).is_some_and(|length| buffer[..length] == packet)
    }

    #[test]
    fn the_same_keys_go_on_and_others_begin() {
        let (mut one, mut other) = between(1, 2);
        assert!(passes(&mut one, &mut other, 1));
        one.expect(Some(&keys(1, 2)));
        let mut again = Protection::default();
        again.expect(Some(&keys(2, 1)));
        assert!(passes(&mut one, &mut other, 2), "on both sides as before");
        // The peer changes its key: what it sent before is still understood until the first packet under the new one.
        again.expect(Some(&keys(3, 1)));
        one.expect(Some(&keys(1, 3)));
        assert!(passes(&mut other, &mut one, 3) && passes(&mut again, &mut one, 4) && !passes(&mut other, &mut one, 5));
        one.expect(None);
        assert!(passes(&mut one, &mut Protection::Plain, 6));
    }

    #[test]
    fn impossible_keys_let_nothing_pass() {
        let mut short = keys(1, 2);
        short.theirs.octets.pop();
        let mut protection = Protection::default();
        protection.expect(Some(&short));
        assert_eq!(protection.open(&mut [0x80; 40], Channel::Rtp), None);
        assert_eq!(protection.seal(&mut [0x80; 40], 12, Channel::Rtp), None);
        assert!(!protection.is_genuine(&[0x80; 40], Channel::Rtp));
    }
}
