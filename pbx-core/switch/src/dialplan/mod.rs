//! Where a number leads. A plan is read from its TOML once; a decision is a pure function of the call's facts, the instant, the
//! directory and the plan, and says of every rule why it did or did not apply.
//!
//! The order: a number that must always be reached; an extension of exactly these digits; the rules from first to last.

mod decide;
mod pattern;
mod plan;
mod trace;

pub use crate::directory::{digits, normalise};
pub use decide::{CallFacts, Caller, Decision, Destination, RefusalReason, decide};
pub use pattern::{Pattern, PatternError};
pub use plan::{Dialplan, PlanError, PlanFault, PlanWarning, Rule};
pub use trace::{Step, Trace};
