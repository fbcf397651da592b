//! How long, RFC 3261 17.1.1.1 and table 4.

use std::time::Duration;

/// The three times from which all others follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// An estimate of the round trip: 500 ms.
    pub t1: Duration,
    /// The longest pause between retransmissions of a request other than INVITE, and of a response to INVITE: 4 s.
    pub t2: Duration,
    /// How long a message stays in the network: 5 s.
    pub t4: Duration,
}

impl Default for Timers {
    fn default() -> Timers {
        Timers { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

impl Timers {
    /// 64*T1: timers B, F, H, J, L and M.
    pub fn whole(&self) -> Duration {
        self.t1 * 64
    }

    /// Timer D: at least 32 s.
    pub fn d(&self) -> Duration {
        self.whole().max(Duration::from_secs(32))
    }
}
