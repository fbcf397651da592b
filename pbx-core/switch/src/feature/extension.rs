//! An extension is rung: every phone it has, until one answers, all refuse, or nobody comes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::Refusal;
use crate::directory::ExtensionNumber;
use crate::feature::{Told, Word};

/// The state of the ringing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    number: ExtensionNumber,
    ring_for: Duration,
}

impl Extension {
    /// Rings `number` for so long.
    pub fn new(number: ExtensionNumber, ring_for: Duration) -> Extension {
        Extension { number, ring_for }
    }

    /// One thing happened.
    pub fn handle(&mut self, told: Told) -> Vec<Word> {
        match told {
            Told::Begun => vec![Word::Wake(self.ring_for), Word::Ring(self.number.clone())],
            Told::Unregistered => vec![Word::Refuse(Refusal::Unregistered)],
            Told::Refused(refusal) => vec![Word::Refuse(refusal)],
            Told::Woke => vec![Word::StopRinging, Word::Refuse(Refusal::NoAnswer)],
        }
    }
}
