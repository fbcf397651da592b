//! The sequence numbers of one stream: what is missing between the first and the highest, RFC 3550 A.1 and A.3.

/// Numbers less far ahead of the highest are believed at once: what lies between was lost.
const MAX_DROPOUT: u16 = 3_000;

/// Numbers less far behind the highest are believed at once: they were overtaken.
const MAX_MISORDER: u16 = 100;

/// Numbers since the stream began or began anew.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    base: u32,
    highest: u32,
    counted: u64,
    /// What would follow a number that fits nowhere: if it comes next, the sender counts anew.
    astray: Option<u16>,
}

impl Numbers {
    /// Begins with this one.
    pub fn new(first: u16) -> Numbers {
        Numbers { base: u32::from(first), highest: u32::from(first), counted: 1, astray: None }
    }

    /// Counts one more. A single number that is far from all before is not counted; two in a row begin anew, and what was before them
    /// is returned.
    pub fn count(&mut self, sequence: u16) -> Option<Numbers> {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if ahead < MAX_DROPOUT {
            self.highest = self.highest.wrapping_add(u32::from(ahead));
        } else if ahead <= MAX_MISORDER.wrapping_neg() {
            if self.astray != Some(sequence) {
                self.astray = Some(sequence.wrapping_add(1));
                return None;
            }
            let mut anew = Numbers::new(sequence.wrapping_sub(1));
            anew.count(sequence);
            return Some(std::mem::replace(self, anew));
        }
        self.astray = None;
        self.counted += 1;
        None
    }

    /// The highest, with how often it has gone round in the upper half.
    pub fn highest(&self) -> u32 {
        self.highest
    }

    /// How many came.
    pub fn counted(&self) -> u64 {
        self.counted
    }

    /// How many there should be.
    pub fn expected(&self) -> u64 {
        u64::from(self.highest.wrapping_sub(self.base)) + 1
    }

    /// How many there should be and are not.
    pub fn missing(&self) -> u64 {
        self.expected().saturating_sub(self.counted)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(numbers: impl IntoIterator<Item = u16>) -> (Numbers, Vec<u64>) {
        let mut numbers = numbers.into_iter();
        let mut counted = Numbers::new(numbers.next().unwrap());
        let before = numbers.filter_map(|sequence| counted.count(sequence)).map(|before| before.missing()).collect();
        (counted, before)
    }

    #[test]
    fn what_is_missing_goes_round_and_is_overtaken() {
        let (numbers, before) = told([65_533, 65_534, 1, 0, 3]);
        assert_eq!((numbers.missing(), numbers.highest(), before.len()), (2, 65_536 + 3, 0), "65535 and 2");
        assert_eq!(told([1, 3_000]).0.missing(), 2_998, "a long gap");
        assert_eq!(told([1_000, 901]).0.counted(), 2, "much overtaken");
    }

    #[test]
    fn two_in_a_row_after_a_jump_begin_anew() {
        for (last, first) in [(100u16, 30_000u16), (30_000, 100), (100, 65_535), (40_000, 39_899)] {
            let (numbers, before) = told([last - 2, last, first, first.wrapping_add(1), first.wrapping_add(3)]);
            assert_eq!((before.as_slice(), numbers.missing()), ([1].as_slice(), 1), "from {last} to {first}");
            assert_eq!((numbers.counted(), numbers.expected()), (3, 4));
        }
    }

    #[test]
    fn a_jump_to_the_edge_of_what_is_overtaken_loses_nothing() {
        let (numbers, before) = told((901..=1_000).chain(900..950));
        assert_eq!((numbers.missing(), before.len()), (0, 0));
    }

    #[test]
    fn one_that_fits_nowhere_changes_nothing() {
        let (numbers, before) = told([100, 101, 30_000, 102, 30_001, 104]);
        assert_eq!((numbers.counted(), numbers.missing(), before.len()), (4, 1, 0));
    }

    proptest! {
        // A jump back by MAX_MISORDER itself is astray with its first number alone: the next one is taken for overtaken.
        #[test]
        fn a_jump_never_counts_as_loss(first in any::<u16>(), by in MAX_DROPOUT..MAX_MISORDER.wrapping_neg()) {
            let second = first.wrapping_add(by);
            let (numbers, before) = told((0..50).map(|n| first.wrapping_sub(49 - n)).chain((0..50).map(|n| second.wrapping_add(n))));
            prop_assert_eq!((numbers.missing(), numbers.counted()), (0, 50));
            prop_assert_eq!(before, [0]);
        }
    }
}
