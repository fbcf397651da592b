//! What a destination does with a call. A feature is told what happened and says what to do, in words that the call model carries out;
//! features never name one another.

mod extension;
mod refusing;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::Refusal;
use crate::dialplan::Destination;
use crate::directory::ExtensionNumber;

/// What a feature wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// Ring every phone of an extension.
    Ring(ExtensionNumber),
    /// Stop those that ring.
    StopRinging,
    /// Turn the call away.
    Refuse(Refusal),
    /// Come back after this time.
    Wake(Duration),
}

/// What a feature is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The call is yours.
    Begun,
    /// Every phone rung has refused; the best reason.
    Refused(Refusal),
    /// Nothing could be rung.
    Unregistered,
    /// The time asked for has come.
    Woke,
}

/// The feature that runs a call; plain data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Feature {
    /// Rings an extension.
    Extension(extension::Extension),
    /// Turns away.
    Refusing(refusing::Refusing),
}

impl Feature {
    /// The feature of a destination.
    pub fn of(destination: &Destination, ring_for: Duration) -> Feature {
        match destination {
            Destination::Extension(number) => Feature::Extension(extension::Extension::new(number.clone(), ring_for)),
            Destination::Refuse(reason) => Feature::Refusing(refusing::Refusing::new((*reason).into())),
            // No line exists in this house yet.
            Destination::Outside { .. } | Destination::Emergency { .. } => {
                Feature::Refusing(refusing::Refusing::new(Refusal::NoOutsideLine))
            }
        }
    }

    /// One thing happened; what is to be done.
    pub fn handle(&mut self, told: Told) -> Vec<Word> {
        match self {
            Feature::Extension(feature) => feature.handle(told),
            Feature::Refusing(feature) => feature.handle(told),
        }
    }
}

/// What a destination comes to when nothing happens in between: what `explain` says of it. `None` if somebody is rung.
pub fn refused_at_once(destination: &Destination) -> Option<Refusal> {
    match Feature::of(destination, Duration::ZERO).handle(Told::Begun).first() {
        Some(Word::Refuse(refusal)) => Some(*refusal),
        _ => None,
    }
}
