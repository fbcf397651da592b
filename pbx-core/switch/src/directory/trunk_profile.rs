//! What is known of carriers: the files of `trunk_profiles/`, each with how a line of that carrier is set up, which of it the carrier
//! itself says and where, and which of it is only our beginning.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::civil::Date;
use serde::Deserialize;

use crate::directory::Trunk;

/// A carrier, or any.
#[derive(Clone, Debug, PartialEq)]
pub struct TrunkProfile {
    /// The name of its file. The catalogue says what its customers have to know: `trunk.profile.<key>`.
    pub key: &'static str,
    /// The carrier's own name of it.
    pub name: String,
    /// When it was last compared with its sources.
    pub verified_on: Date,
    /// Whether somebody has called by a line of that carrier with it, instead of only reading.
    pub tried_on_a_line: bool,
    /// The fields of a line that a customer has to fill in.
    pub asks: Vec<String>,
    /// What may stand in them.
    pub example: BTreeMap<String, String>,
    /// A line before the customer has filled in anything.
    pub line: Trunk,
    /// Where the carrier says so.
    pub sources: Vec<ProfileSource>,
    set: Vec<String>,
}

/// A page of a carrier.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileSource {
    /// Its address.
    pub page: String,
    /// Of which day it says it is; some do not.
    pub dated: Option<Date>,
    /// Which fields of the line are so because of it.
    pub settles: Vec<String>,
}

impl TrunkProfile {
    /// Every one that comes with the switchboard, the one for any carrier last.
    pub fn shipped() -> &'static [TrunkProfile] {
        &SHIPPED
    }

    /// The fields that are set without a source: to be asked of the carrier, or tried.
    pub fn unverified(&self) -> Vec<&str> {
        let settled = |field: &&str| self.sources.iter().any(|source| source.settles.iter().any(|settled| settled == field));
        self.set.iter().map(String::as_str).filter(|field| !settled(field)).collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    verified_on: Date,
    tried_on_a_line: bool,
    asks: Vec<String>,
    #[serde(default)]
    example: BTreeMap<String, String>,
    line: toml::Table,
    #[serde(default)]
    source: Vec<ProfileSource>,
}

const FILES: [(&str, &str); 3] = [
    ("axialys", include_str!("../../../../trunk_profiles/axialys.toml")),
    ("ovhcloud", include_str!("../../../../trunk_profiles/ovhcloud.toml")),
    ("generic", include_str!("../../../../trunk_profiles/generic.toml")),
];

/// A file that could not be read would be left out; the tests see that none is.
static SHIPPED: LazyLock<Vec<TrunkProfile>> =
    LazyLock::new(|| FILES.into_iter().filter_map(|(key, text)| read(key, text).ok()).collect());

fn read(key: &'static str, text: &str) -> Result<TrunkProfile, toml::de::Error> {
    let written: Written = toml::from_str(text)?;
    let set: Vec<String> = written.line.keys().cloned().collect();
    let usual = Trunk::usual();
    // The fields that are not for a file to set.
    let line = Trunk {
        name: written.name.clone(),
        profile: key.to_owned(),
        enabled: usual.enabled,
        channels: usual.channels,
        priority: usual.priority,
        ..written.line.try_into()?
    };
    Ok(TrunkProfile {
        key,
        name: written.name,
        verified_on: written.verified_on,
        tried_on_a_line: written.tried_on_a_line,
        asks: written.asks,
        example: written.example,
        line,
        sources: written.source,
        set,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::TrunkKey;

    fn profile(key: &str) -> &'static TrunkProfile {
        TrunkProfile::shipped().iter().find(|profile| profile.key == key).unwrap()
    }

    #[test]
    fn the_shipped_files_are_right() {
        for (key, text) in FILES {
            assert_eq!(read(key, text).map(|profile| profile.key), Ok(key));
        }
        let fields = serde_json::to_value(Trunk::usual()).unwrap();
        for profile in TrunkProfile::shipped() {
            let settled = profile.sources.iter().flat_map(|source| &source.settles);
            assert!(settled.clone().all(|field| profile.set.contains(field)), "{}: settles what it does not set", profile.key);
            for field in profile.set.iter().chain(&profile.asks).chain(profile.example.keys()) {
                assert!(fields.get(field).is_some(), "{}: a line has no {field}", profile.key);
            }
            assert!(
                profile.example.keys().all(|field| profile.asks.contains(field)),
                "{}: an example nobody asks for",
                profile.key
            );
            assert!(profile.asks.iter().all(|field| !profile.set.contains(field)), "{}: asks for what it sets", profile.key);
            let older = |source: &ProfileSource| source.dated.is_none_or(|dated| dated <= profile.verified_on);
            assert!(profile.sources.iter().all(|source| source.page.starts_with("https://") && older(source)));
        }
    }

    #[test]
    fn with_what_it_asks_for_a_line_is_whole() {
        for profile in TrunkProfile::shipped() {
            let example = |field: &str| profile.example.get(field).cloned().unwrap_or_default();
            let line = Trunk {
                key: TrunkKey(profile.key.to_owned()),
                server: example("server"),
                user: example("user"),
                number: "+33199001234".to_owned(),
                ..profile.line.clone()
            };
            assert_eq!(line.check(), Ok(()), "{}", profile.key);
        }
    }

    #[test]
    fn what_no_source_says_is_called_unverified() {
        assert_eq!(profile("ovhcloud").unverified(), ["believes", "calls_per_second", "probe_s"]);
        assert!(!profile("axialys").unverified().contains(&"registers"));
        assert!(profile("axialys").unverified().contains(&"called"), "their guide says nothing of it");
        assert_eq!(profile("generic").unverified().len(), profile("generic").set.len());
        assert!(
            TrunkProfile::shipped().iter().all(|profile| !profile.tried_on_a_line),
            "whoever has, says so in the file and here"
        );
    }

    #[test]
    fn ovhcloud_is_called_and_shown_as_its_guides_write_it() {
        let line = &profile("ovhcloud").line;
        assert!(line.registers);
        assert_eq!(line.called.write("+33199001234"), "0199001234");
        assert_eq!(line.caller.write("+33199001234"), "0033199001234");
        assert_eq!(line.arriving.read("0199001234").as_deref(), Some("+33199001234"));
    }
}
