//! Who and what exists in a house, as one immutable snapshot: sites and extensions. Knows no call and no phone.

mod emergency;
mod extension;
mod site;

use std::collections::BTreeMap;

pub use emergency::{EMERGENCY_NUMBERS, EmergencyKind, emergency};
pub use extension::{Extension, ExtensionNumber, ExtensionNumberError};
pub use site::{Site, SiteError, SiteKey};

/// A snapshot; a change makes a new one.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// By key.
    pub sites: BTreeMap<SiteKey, Site>,
    /// By number.
    pub extensions: BTreeMap<ExtensionNumber, Extension>,
}

impl Directory {
    /// The extension of that number, whether enabled or not.
    pub fn extension(&self, number: &str) -> Option<&Extension> {
        self.extensions.get(number)
    }

    /// The site of an extension, else any: every house has one.
    pub fn site_of(&self, extension: Option<&Extension>) -> Option<&Site> {
        extension.and_then(|extension| self.sites.get(&extension.site)).or_else(|| self.sites.values().next())
    }
}
