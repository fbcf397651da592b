//! `key=value` words of the command line; what nobody asked for is an error.

use std::collections::BTreeMap;
use std::str::FromStr;

/// What was given and not yet taken.
pub struct Options {
    given: BTreeMap<String, String>,
}

impl Options {
    /// From words.
    pub fn read(words: impl Iterator<Item = String>) -> Result<Options, String> {
        let pair = |word: String| match word.split_once('=') {
            Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
            None => Err(format!("`{word}` is not key=value")),
        };
        Ok(Options { given: words.map(pair).collect::<Result<_, _>>()? })
    }

    /// A value, or what stands for it.
    pub fn take<T: FromStr>(&mut self, key: &str, otherwise: T) -> Result<T, String> {
        match self.given.remove(key) {
            Some(text) => text.parse().map_err(|_| format!("{key}={text}: not understood")),
            None => Ok(otherwise),
        }
    }

    /// A value without which nothing can be done.
    pub fn need<T: FromStr>(&mut self, key: &str) -> Result<T, String> {
        let text = self.given.remove(key).ok_or_else(|| format!("{key}=... is missing"))?;
        text.parse().map_err(|_| format!("{key}={text}: not understood"))
    }

    /// Numbers with commas between.
    pub fn list(&mut self, key: &str) -> Result<Vec<u32>, String> {
        let text = self.given.remove(key).unwrap_or_default();
        let numbers = text.split(',').filter(|one| !one.is_empty()).map(str::parse);
        numbers.collect::<Result<_, _>>().map_err(|_| format!("{key}={text}: numbers with commas between"))
    }

    /// Nothing is left over.
    pub fn finish(self) -> Result<(), String> {
        match self.given.keys().next() {
            Some(key) => Err(format!("{key}=... is not known here")),
            None => Ok(()),
        }
    }
}
