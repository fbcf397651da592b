//! The packets of each stream by their full number: 16 bits on the wire, 48 in fact (RFC 3711 3.3.1), and which have been seen (3.3.2).

use smallvec::SmallVec;

/// Streams of one peer under one key. One is usual; another comes with each source that the peer begins.
const MOST: usize = 16;

/// Numbers behind the highest that are still taken, once each.
const WINDOW: u64 = 128;

/// The streams of one direction.
#[derive(Clone, Debug, Default)]
pub struct Streams(SmallVec<[Stream; 1]>);

#[derive(Clone, Copy, Debug, Default)]
struct Stream {
    ssrc: u32,
    highest: u64,
    /// Bit `n`: the number `highest - n` has been seen.
    seen: u128,
}

impl Streams {
    /// The full number of a packet: the one nearest to the highest so far. `None` for one before the stream's first round.
    pub fn index(&self, ssrc: u32, sequence: u16) -> Option<u64> {
        let Some(stream) = self.0.iter().find(|stream| stream.ssrc == ssrc) else { return Some(u64::from(sequence)) };
        let ahead = i64::from(sequence.wrapping_sub(stream.highest as u16).cast_signed());
        let index = stream.highest.checked_add_signed(ahead)?;
        (index < 1 << 48).then_some(index)
    }

    /// Has it been seen, or is it too old to tell?
    pub fn is_known(&self, ssrc: u32, index: u64) -> bool {
        let Some(stream) = self.0.iter().find(|stream| stream.ssrc == ssrc) else { return self.0.len() >= MOST };
        index <= stream.highest && (stream.highest - index >= WINDOW || stream.seen >> (stream.highest - index) & 1 == 1)
    }

    /// A genuine packet has this number. False if there are too many streams already.
    pub fn count(&mut self, ssrc: u32, index: u64) -> bool {
        let Some(stream) = self.0.iter_mut().find(|stream| stream.ssrc == ssrc) else {
            let room = self.0.len() < MOST;
            if room {
                self.0.push(Stream { ssrc, highest: index, seen: 1 });
            }
            return room;
        };
        if index > stream.highest {
            stream.seen = u32::try_from(index - stream.highest).ok().and_then(|by| stream.seen.checked_shl(by)).unwrap_or(0) | 1;
            stream.highest = index;
        } else if let Some(bit) = u32::try_from(stream.highest - index).ok().and_then(|back| 1u128.checked_shl(back)) {
            stream.seen |= bit;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_where_sixteen_bits_end() {
        let mut streams = Streams::default();
        let mut take = |sequence: u16| {
            let index = streams.index(7, sequence)?;
            let fresh = !streams.is_known(7, index);
            streams.count(7, index);
            fresh.then_some(index)
        };
        assert_eq!([65_534, 65_535, 0, 1].map(&mut take), [Some(65_534), Some(65_535), Some(65_536), Some(65_537)]);
        assert_eq!(take(65_533), Some(65_533), "overtaken, from the round before");
        assert_eq!([65_533, 0, 1].map(&mut take), [None; 3], "seen");
        assert_eq!(take(200), Some(65_736));
        assert_eq!(take(60), None, "too old to tell");
        assert_eq!(take(100), Some(65_636));
    }

    #[test]
    fn a_stream_has_no_round_before_its_first() {
        let mut streams = Streams::default();
        streams.count(7, 3);
        assert_eq!(streams.index(7, 65_000), None);
    }

    #[test]
    fn streams_are_bounded() {
        let mut streams = Streams::default();
        assert!((0..16).all(|ssrc| streams.count(ssrc, 1)));
        assert!(!streams.count(16, 1) && streams.is_known(16, 1) && streams.count(3, 2));
    }
}
