//! A destination that turns every call away.

use serde::{Deserialize, Serialize};

use crate::call::Refusal;
use crate::feature::{Told, Word};

/// Why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusing {
    refusal: Refusal,
}

impl Refusing {
    /// Turns away with this reason.
    pub fn new(refusal: Refusal) -> Refusing {
        Refusing { refusal }
    }

    /// Whatever happened.
    pub fn handle(&mut self, _told: Told) -> Vec<Word> {
        vec![Word::Refuse(self.refusal)]
    }
}
