//! Worlds in which one switch, the real one, meets phones that behave and misbehave over a network that loses, delays and repeats, with
//! disks that fail and processes that end. A world is a seed; what goes wrong in it goes wrong again.
#![forbid(unsafe_code)]

mod draw;
mod lamps;
mod phone;
#[path = "../../../pbx-core/switch/tests/ladder/plane.rs"]
#[allow(dead_code, reason = "the ladders look at more of it")]
mod plane;
#[path = "../../../pbx-core/switch/tests/ladder/wire.rs"]
#[allow(dead_code, reason = "the ladders write more with it")]
mod wire;
pub mod world;

use world::{Plans, Tally, run};

/// A world in which something was wrong.
#[derive(Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// Calls dialled in the worlds before it.
    pub after: u64,
    /// What was wrong.
    pub faults: Vec<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Failure { seed, after, faults } = self;
        writeln!(f, "world {seed}, after {after} calls in other worlds:")?;
        faults.iter().try_for_each(|fault| writeln!(f, "  {fault}"))?;
        write!(f, "again, with every message: make simulate SEED={seed} CALLS=1 TRACE=1")
    }
}

/// World after world, from a seed on, until so many calls have been dialled.
pub fn simulate(first: u64, calls: u64, trace: bool) -> Result<Tally, Failure> {
    let plans = Plans::new();
    let mut sum = Tally::default();
    let mut seed = first;
    while sum.dialled < calls {
        let tally = run(seed, &plans, trace).map_err(|faults| Failure { seed, after: sum.dialled, faults })?;
        sum.dialled += tally.dialled;
        sum.begun += tally.begun;
        sum.answered += tally.answered;
        sum.messages += tally.messages;
        sum.restarts += tally.restarts;
        sum.digest ^= tally.digest.rotate_left(u32::try_from(seed % 64).unwrap_or(0));
        seed = seed.wrapping_add(1);
    }
    Ok(sum)
}
