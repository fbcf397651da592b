//! Patterns in the field's notation: `X` any digit, `Z` 1 to 9, `N` 2 to 9, `[13-5]` one of these, `.` one or more of anything, `!` any
//! number of anything; digits, `+`, `*` and `#` stand for themselves.

use std::sync::Arc;

use thiserror::Error;

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: Arc<str>,
    places: Vec<u16>,
    tail: Tail,
}

/// What may follow the places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    Nothing,
    OneOrMore,
    Any,
}

/// Why a pattern cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PatternError {
    /// Nothing in it.
    #[error("an empty pattern")]
    Empty,
    /// A character without meaning here.
    #[error("`{0}` has no meaning in a pattern")]
    Character(char),
    /// `[` without `]`, or nothing between them.
    #[error("an unfinished set")]
    Set,
    /// Something after `.` or `!`.
    #[error("`.` and `!` stand at the end")]
    Tail,
    /// More than [`MAX_PLACES`] places.
    #[error("too long a pattern")]
    TooLong,
}

/// Places of one pattern.
pub const MAX_PLACES: usize = 40;

const ALPHABET: &[u8] = b"0123456789+*#";

impl Pattern {
    /// Compiles a pattern.
    pub fn new(text: &str) -> Result<Pattern, PatternError> {
        let (mut places, mut tail) = (Vec::new(), Tail::Nothing);
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            if tail != Tail::Nothing {
                return Err(PatternError::Tail);
            }
            match character {
                'X' | 'x' => places.push(digits(0, 9)),
                'Z' | 'z' => places.push(digits(1, 9)),
                'N' | 'n' => places.push(digits(2, 9)),
                '.' => tail = Tail::OneOrMore,
                '!' => tail = Tail::Any,
                '[' => places.push(set(&mut rest)?),
                other => places.push(bit(other).ok_or(PatternError::Character(other))?),
            }
            if places.len() > MAX_PLACES {
                return Err(PatternError::TooLong);
            }
        }
        if places.is_empty() && tail == Tail::Nothing {
            return Err(PatternError::Empty);
        }
        Ok(Pattern { text: text.into(), places, tail })
    }

    /// As it was written.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Does it fit the whole of what was dialled?
    pub fn matches(&self, dialled: &str) -> bool {
        let dialled = dialled.as_bytes();
        let long_enough = match self.tail {
            Tail::Nothing => dialled.len() == self.places.len(),
            Tail::OneOrMore => dialled.len() > self.places.len(),
            Tail::Any => dialled.len() >= self.places.len(),
        };
        long_enough
            && self.places.iter().zip(dialled).all(|(place, byte)| bit(char::from(*byte)).is_some_and(|bit| place & bit != 0))
    }
}

fn bit(character: char) -> Option<u16> {
    ALPHABET.iter().position(|known| char::from(*known) == character).map(|place| 1 << place)
}

fn digits(first: usize, last: usize) -> u16 {
    (first..=last).fold(0, |set, digit| set | 1 << digit)
}

fn set(rest: &mut std::str::Chars<'_>) -> Result<u16, PatternError> {
    let (mut found, mut before) = (0, None);
    while let Some(character) = rest.next() {
        match character {
            ']' if found != 0 => return Ok(found),
            ']' => return Err(PatternError::Set),
            '-' => {
                let first: char = before.take().ok_or(PatternError::Set)?;
                let last = rest.next().ok_or(PatternError::Set)?;
                let (Some(from), Some(to)) = (first.to_digit(10), last.to_digit(10)) else { return Err(PatternError::Set) };
                if from > to {
                    return Err(PatternError::Set);
                }
                found |= digits(from as usize, to as usize);
            }
            other => {
                found |= bit(other).ok_or(PatternError::Character(other))?;
                before = Some(other);
            }
        }
    }
    Err(PatternError::Set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notation_of_the_field() {
        for (pattern, yes, no) in [
            ("2XX", &["200", "299"][..], &["2", "20", "2000", "30", "2a0"][..]),
            ("0[1-79]XXXXXXXX", &["0555123456", "0955123456"], &["0855123456", "055512345"]),
            ("00.", &["0044"], &["00", "01"]),
            ("9!", &["9", "912"], &["8"]),
            ("*21*Z.#", &[], &[]),
            ("NXX", &["200"], &["100"]),
            ("Z", &["1"], &["0"]),
            ("+33.", &["+335"], &["335"]),
            ("*[13]#", &["*1#", "*3#"], &["*2#"]),
        ] {
            let Ok(compiled) = Pattern::new(pattern) else {
                assert!(yes.is_empty(), "{pattern}");
                continue;
            };
            yes.iter().for_each(|dialled| assert!(compiled.matches(dialled), "{pattern} {dialled}"));
            no.iter().for_each(|dialled| assert!(!compiled.matches(dialled), "{pattern} {dialled}"));
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (pattern, why) in [
            ("", PatternError::Empty),
            ("0Q", PatternError::Character('Q')),
            ("[", PatternError::Set),
            ("[]", PatternError::Set),
            ("[5-1]", PatternError::Set),
            ("[-1]", PatternError::Set),
            ("0.1", PatternError::Tail),
        ] {
            assert_eq!(Pattern::new(pattern), Err(why), "{pattern}");
        }
        assert_eq!(Pattern::new(&"X".repeat(41)), Err(PatternError::TooLong));
    }
}
