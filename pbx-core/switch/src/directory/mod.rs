//! Who and what exists in a house, as one immutable snapshot: sites, extensions, lines and
//! numbers, and what calls may cost. Knows no call and no phone.

mod access;
mod country;
mod emergency;
mod extension;
mod network;
mod number;
mod number_shape;
mod premium;
mod site;
mod toll;
mod trunk;
mod trunk_profile;

use std::collections::BTreeMap;

pub use access::{Access, Barred, Encryption};
pub use country::Country;
pub use emergency::{EMERGENCY_NUMBERS, EmergencyKind, emergency};
pub use extension::{Extension, ExtensionNumber, ExtensionNumberError};
pub use network::{Network, NoNetwork};
pub use number::{digits, normalise};
pub use number_shape::NumberShape;
pub use premium::is_premium;
pub use site::{Site, SiteError, SiteKey};
pub use toll::{Ceilings, Money, Rate, TollError, TollRules};
pub use trunk::{DidNumber, IdentitySource, MAX_TRUNKS, Secret, Trunk, TrunkError, TrunkKey};
pub use trunk_profile::{ProfileSource, TrunkProfile};

/// A snapshot; a change makes a new one.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// By key.
    pub sites: BTreeMap<SiteKey, Site>,
    /// By number.
    pub extensions: BTreeMap<ExtensionNumber, Extension>,
    /// By key.
    pub trunks: BTreeMap<TrunkKey, Trunk>,
    /// By number, E.164.
    pub numbers: BTreeMap<String, DidNumber>,
    /// What calls to the outside may cost.
    pub toll: TollRules,
}

impl Directory {
    /// The extension of that number, whether enabled or not.
    pub fn extension(&self, number: &str) -> Option<&Extension> {
        self.extensions.get(number)
    }

    /// The lines of a site that may carry a call, in the order in which they are tried, and then those of the others.
    pub fn lines_of(&self, site: &SiteKey) -> Vec<&Trunk> {
        let mut lines: Vec<&Trunk> = self.trunks.values().filter(|trunk| trunk.enabled).collect();
        lines.sort_by_key(|trunk| (trunk.site != *site, trunk.priority));
        lines
    }

    /// The number by which the world reaches an extension straight; none if it has none of its own.
    pub fn number_of(&self, extension: &str) -> Option<&DidNumber> {
        self.numbers.values().find(|number| number.to == extension)
    }

    /// The site of an extension, else any: every house has one.
    pub fn site_of(&self, extension: Option<&Extension>) -> Option<&Site> {
        extension.and_then(|extension| self.sites.get(&extension.site)).or_else(|| self.sites.values().next())
    }
}
