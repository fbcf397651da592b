//! What a destination does with a call. A feature is told what happened and says what to do, in words that the call model carries out;
//! features never name one another.

mod extension;
mod outside;
mod refusing;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::Refusal;
use crate::dialplan::Destination;
use crate::directory::{Directory, ExtensionNumber, SiteKey};

/// What a feature wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// Ring every phone of an extension.
    Ring(ExtensionNumber),
    /// Call a number of the world by the best line that was not tried yet.
    Dial {
        /// E.164, or a short number.
        number: String,
        /// Whose lines come first.
        site: SiteKey,
        /// Before all other calls.
        emergency: bool,
    },
    /// Stop those that have said nothing at all yet.
    StopSilent,
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
    /// Nothing could be rung: no phone, or no line that was not tried yet.
    Unregistered,
    /// The time asked for has come.
    Woke,
}

/// The feature that runs a call; plain data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Feature {
    /// Rings an extension.
    Extension(extension::Extension),
    /// Calls a number of the world.
    Outside(outside::Outside),
    /// Turns away.
    Refusing(refusing::Refusing),
}

impl Feature {
    /// The feature of a destination.
    pub fn of(destination: &Destination, ring_for: Duration) -> Feature {
        match destination {
            Destination::Extension(number) => Feature::Extension(extension::Extension::new(number.clone(), ring_for)),
            Destination::Refuse(reason) => Feature::Refusing(refusing::Refusing::new((*reason).into())),
            Destination::Outside { number, site } => Feature::Outside(outside::Outside::new(number, site, false, ring_for)),
            Destination::Emergency { number, site } => Feature::Outside(outside::Outside::new(number, site, true, ring_for)),
        }
    }

    /// Does it call for help?
    pub(crate) fn is_emergency(&self) -> bool {
        matches!(self, Feature::Outside(outside) if outside.emergency)
    }

    /// One thing happened; what is to be done.
    pub fn handle(&mut self, told: Told) -> Vec<Word> {
        match self {
            Feature::Extension(feature) => feature.handle(told),
            Feature::Outside(feature) => feature.handle(told),
            Feature::Refusing(feature) => feature.handle(told),
        }
    }
}

/// What a destination comes to when nothing happens in between: what `explain` says of it. `None` if somebody is rung.
pub fn refused_at_once(destination: &Destination, directory: &Directory) -> Option<Refusal> {
    let outside = matches!(destination, Destination::Outside { .. } | Destination::Emergency { .. });
    if outside && !directory.trunks.values().any(|trunk| trunk.enabled) {
        return Some(Refusal::NoOutsideLine);
    }
    match Feature::of(destination, Duration::ZERO).handle(Told::Begun).first() {
        Some(Word::Refuse(refusal)) => Some(*refusal),
        _ => None,
    }
}
