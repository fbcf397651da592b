//! `pbx-simulation SEED CALLS [trace]`: world after world from a seed on.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let mut number = |usual: u64| words.next().and_then(|word| word.parse().ok()).unwrap_or(usual);
    let (seed, calls) = (number(1), number(100_000));
    let trace = words.next().is_some_and(|word| !word.is_empty());
    match pbx_simulation::simulate(seed, calls, trace) {
        Ok(tally) => {
            println!("{tally:?}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
