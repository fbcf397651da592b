//! Times gathered and told as percentiles.

use serde_json::{Value, json};

/// Microseconds, each kept.
#[derive(Default)]
pub struct Times {
    microseconds: Vec<u32>,
}

impl Times {
    /// One more.
    pub fn add(&mut self, microseconds: u64) {
        self.microseconds.push(u32::try_from(microseconds).unwrap_or(u32::MAX));
    }

    /// p50, p99, p99.9 and the longest, in microseconds.
    pub fn told(mut self) -> Value {
        self.microseconds.sort_unstable();
        let at = |thousandths: usize| {
            let place = (self.microseconds.len() * thousandths).div_ceil(1000).saturating_sub(1);
            self.microseconds.get(place).copied()
        };
        json!({ "p50_us": at(500), "p99_us": at(990), "p999_us": at(999), "max_us": self.microseconds.last() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_nearest_rank() {
        let mut times = Times::default();
        (1..=1000).rev().for_each(|time| times.add(time));
        assert_eq!(times.told(), json!({ "p50_us": 500, "p99_us": 990, "p999_us": 999, "max_us": 1000 }));
        assert_eq!(Times::default().told()["p50_us"], Value::Null);
    }
}
