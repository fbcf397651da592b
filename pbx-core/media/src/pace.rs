//! What comes again and again: when it is due, without drifting and without a burst after a stall. Pure; time is an argument.

/// Every so often.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    next_us: u64,
    every_us: u64,
}

impl Pace {
    /// First at `first_us`.
    pub fn new(first_us: u64, every_us: u64) -> Pace {
        Pace { next_us: first_us, every_us: every_us.max(1) }
    }

    /// Is it time? Then the next time is one interval after this one was due, however late somebody asks; of times that have been
    /// missed altogether none is made up for.
    pub fn is_due(&mut self, now_us: u64) -> bool {
        if now_us < self.next_us {
            return false;
        }
        self.next_us = self.next_us.saturating_add(self.every_us);
        if self.next_us <= now_us {
            self.next_us = now_us.saturating_add(self.every_us);
        }
        true
    }

    /// How long until it is time.
    pub fn wait_us(&self, now_us: u64) -> u64 {
        self.next_us.saturating_sub(now_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds of four parts that last a second, woken late by packets and timers: a leg that has its turn in one of the parts is to be
    /// told of every fifth second, each time.
    #[test]
    fn late_wakes_do_not_add_up() {
        let mut parts = Pace::new(0, 250_000);
        let mut figures = Pace::new(3_100_000, 5_000_000);
        let (mut turns, mut told, mut now) = (0u64, Vec::new(), 0);
        while now < 600_000_000 {
            if parts.is_due(now) {
                turns += 1;
                if turns.is_multiple_of(4) && figures.is_due(now) {
                    told.push(now);
                }
            }
            // A packet comes before the part is over, or the timer is a little late.
            now += parts.wait_us(now).min(19_000) + now % 977;
        }
        assert_eq!(turns, 600 * 4);
        assert_eq!(told.len(), 120);
        assert!(told.windows(2).all(|two| (4_900_000..=5_100_000).contains(&(two[1] - two[0]))), "{told:?}");
    }

    #[test]
    fn after_a_stall_it_goes_on_once_and_not_all_at_once() {
        let mut pace = Pace::new(1_000, 100);
        assert!(!pace.is_due(999));
        assert!(pace.is_due(1_000) && !pace.is_due(1_000));
        assert!(pace.is_due(1_199), "late by less than an interval");
        assert_eq!(pace.wait_us(1_199), 1, "and punctual again");
        assert!(pace.is_due(9_050) && !pace.is_due(9_149) && pace.is_due(9_150));
        assert_eq!(Pace::new(u64::MAX, 0).wait_us(0), u64::MAX);
    }
}
