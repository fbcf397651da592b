//! Identifiers, tags, branches and keys, all from one generator handed in at birth.

use std::fmt;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A cryptographically strong generator: seeded by a test for replay, by the operating system in production at every start.
/// Its state is never written down.
pub struct Entropy(StdRng);

impl Entropy {
    /// A generator that always draws the same from the same seed.
    pub fn from_seed(seed: [u8; 32]) -> Entropy {
        Entropy(StdRng::from_seed(seed))
    }

    /// Sixteen characters of `a-z2-7`, 80 bits: a tag (RFC 3261 19.3 asks for 32), the random part of a branch or Call-ID.
    pub fn token(&mut self) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let bits = u128::from(self.u64()) << 64 | u128::from(self.u64());
        (0..16).map(|place| char::from(ALPHABET[(bits >> (place * 5) & 31) as usize])).collect()
    }

    /// 64 bits.
    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// `N` octets: keys, seeds of other generators.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut octets = [0; N];
        self.0.fill_bytes(&mut octets);
        octets
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same() {
        let (mut a, mut b) = (Entropy::from_seed([7; 32]), Entropy::from_seed([7; 32]));
        assert_eq!(a.token(), b.token());
        assert_eq!(a.u64(), b.u64());
        assert_eq!(a.bytes::<32>(), b.bytes::<32>());
    }

    #[test]
    fn a_token_is_sixteen_characters_and_never_the_same() {
        let mut entropy = Entropy::from_seed([1; 32]);
        let (first, second) = (entropy.token(), entropy.token());
        assert_eq!(first.len(), 16);
        assert!(first.bytes().all(|byte| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte)), "{first}");
        assert_ne!(first, second);
    }
}
