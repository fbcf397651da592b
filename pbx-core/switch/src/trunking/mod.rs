//! Lines to the outside between their calls: where each is found, whether it is there, and, where the carrier wants it, our
//! registration, kept for ever. Plain machines; the switch sends what they ask for.

mod line;
mod trunk_failure;

pub use line::{Line, LineState, LineStatus, LineTest, LineTestState, Wish};
pub use trunk_failure::TrunkFailure;
