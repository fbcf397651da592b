//! A place where the house has telephones: its calendar, its emergency centre, its time.

use std::fmt;

use jiff::tz::TimeZone;
use pbx_sip::clock::Wall;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A short name of a site: lower-case letters, digits, `_`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SiteKey(pub String);

impl fmt::Display for SiteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A site.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its key.
    pub key: SiteKey,
    /// Shown.
    pub name: String,
    zone: TimeZone,
}

/// Why a site cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SiteError {
    /// No such time zone.
    #[error("{0} is no time zone")]
    TimeZone(String),
}

impl Site {
    /// A site whose clock follows an IANA time zone such as `Europe/Paris`.
    pub fn new(key: SiteKey, name: &str, time_zone: &str) -> Result<Site, SiteError> {
        let zone = TimeZone::get(time_zone).map_err(|_| SiteError::TimeZone(time_zone.to_owned()))?;
        Ok(Site { key, name: name.to_owned(), zone })
    }

    /// What its clocks on the wall say at an instant.
    pub fn local(&self, at: Wall) -> jiff::civil::DateTime {
        let instant = jiff::Timestamp::from_microsecond(at.0).unwrap_or_default();
        self.zone.to_datetime(instant)
    }

    /// The instant at which its clocks say this; the first of two in autumn, the one after the gap in spring.
    pub fn instant(&self, local: jiff::civil::DateTime) -> Option<Wall> {
        self.zone.to_timestamp(local).ok().map(|instant| Wall(instant.as_microsecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_follow_daylight_saving() {
        let site = Site::new(SiteKey("main".into()), "Salle", "Europe/Paris").unwrap();
        let at = |text: &str| site.local(Wall(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())).to_string();
        assert_eq!(at("2026-03-29T00:59:59Z"), "2026-03-29T01:59:59");
        assert_eq!(at("2026-03-29T01:00:00Z"), "2026-03-29T03:00:00");
        assert_eq!(at("2026-10-25T01:00:00Z"), "2026-10-25T02:00:00");
        assert!(Site::new(SiteKey("x".into()), "x", "Europe/Nowhere").is_err());
    }
}
