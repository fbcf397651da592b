//! Time as an argument: what decides is told the time and never asks for it.

use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Microseconds on the boot clock: keeps counting while the machine sleeps, and means the same after a restart of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tick(pub u64);

/// Microseconds since 1970-01-01T00:00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Wall(pub i64);

/// The instant at which an event is handled: `tick` for timers, `wall` for hours, nonces and records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// For everything that counts time.
    pub tick: Tick,
    /// For everything that names a time.
    pub wall: Wall,
}

impl Tick {
    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Tick) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Tick {
    type Output = Tick;
    fn add(self, later: Duration) -> Tick {
        Tick(self.0.saturating_add(micros(later)))
    }
}

impl Add<Duration> for Wall {
    type Output = Wall;
    fn add(self, later: Duration) -> Wall {
        Wall(self.0.saturating_add_unsigned(micros(later)))
    }
}

impl Sub for Wall {
    type Output = Duration;
    /// How long after `earlier` this is; zero if it is not after it.
    fn sub(self, earlier: Wall) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Now {
    type Output = Now;
    fn add(self, later: Duration) -> Now {
        Now { tick: self.tick + later, wall: self.wall + later }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
