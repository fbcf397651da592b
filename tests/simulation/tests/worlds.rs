//! A hundred thousand calls, each time the same ones; any number of others by `make simulate`.

use pbx_simulation::simulate;

#[test]
fn a_hundred_thousand_calls() {
    match simulate(1, 100_000, false) {
        Ok(tally) => {
            assert!(tally.begun > 80_000 && tally.answered > 30_000, "worlds in which too little happens: {tally:?}");
            assert!(tally.restarts > 1_000, "worlds in which too little ends: {tally:?}");
        }
        Err(failure) => panic!("{failure}"),
    }
}

#[test]
fn the_same_seed_is_the_same_world() {
    let digest = |seed| simulate(seed, 200, false).map(|tally| tally.digest).map_err(|failure| failure.to_string());
    assert_eq!(digest(77_000), digest(77_000));
    assert_ne!(digest(77_000), digest(78_000));
}
