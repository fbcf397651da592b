//! Chance that is the same each time.

use std::time::Duration;

/// A generator: SplitMix64, which is enough to shuffle phones and far from enough for keys.
#[derive(Clone, Debug)]
pub struct Draw(u64);

impl Draw {
    /// Always the same from the same seed.
    pub fn new(seed: u64) -> Draw {
        Draw(seed)
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Below `most`.
    pub fn below(&mut self, most: u64) -> u64 {
        self.bits() % most.max(1)
    }

    /// True in so many of a hundred.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A place in a list of that length.
    pub fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// Between two times.
    pub fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most - least + 1))
    }
}
