//! Every sentence a person reads, in French and English. The pages import the same two files.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// A language of the catalogue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// French, the first.
    #[default]
    Fr,
    /// English.
    En,
}

impl Lang {
    /// From `LC_ALL=en_GB.UTF-8` or `Accept-Language: en-GB, fr;q=0.8`; French for every other language.
    pub fn of(text: &str) -> Lang {
        if text.trim_start().get(..2).is_some_and(|code| code.eq_ignore_ascii_case("en")) { Lang::En } else { Lang::Fr }
    }

    /// The language of the process's environment.
    pub fn of_environment() -> Lang {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(|name| std::env::var(name).ok());
        set.into_iter().find(|value| !value.is_empty()).map_or(Lang::Fr, |value| Lang::of(&value))
    }
}

type Texts = BTreeMap<String, String>;

static TEXTS: LazyLock<(Texts, Texts)> =
    LazyLock::new(|| (read(include_str!("../catalogue/fr.json")), read(include_str!("../catalogue/en.json"))));

fn read(json: &str) -> Texts {
    serde_json::from_str(json).unwrap_or_default()
}

/// The sentence of a key with its `{{params}}` filled in; the key itself where the catalogue has none. Params that are codes
/// (`why`, `reason`, `day`) are put into words first.
pub fn text(lang: Lang, key: &str, params: &[(&str, String)]) -> String {
    let texts = match lang {
        Lang::Fr => &TEXTS.0,
        Lang::En => &TEXTS.1,
    };
    let Some(found) = texts.get(key) else { return key.to_owned() };
    let mut sentence = found.clone();
    for (name, value) in params {
        let coded = match *name {
            "why" | "reason" => texts.get(&format!("outcome.{value}")),
            "day" => texts.get(&format!("day.{value}")),
            _ => None,
        };
        sentence = sentence.replace(&format!("{{{{{name}}}}}"), coded.unwrap_or(value));
    }
    sentence
}

#[cfg(test)]
mod tests {
    use pbx_switch::call::{Outcome, Refusal};
    use pbx_switch::directory::Barred;
    use pbx_switch::toll::Ceiling;
    use pbx_switch::trunking::TrunkFailure;

    use super::*;

    fn params(text: &str) -> Vec<&str> {
        let mut found: Vec<&str> = text.split("{{").skip(1).filter_map(|rest| rest.split("}}").next()).collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn both_languages_say_the_same_things() {
        let (fr, en) = &*TEXTS;
        assert!(fr.len() > 50, "the catalogue is read");
        let keys = |texts: &Texts| texts.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(fr), keys(en));
        for (key, text) in fr {
            assert_eq!(params(text), params(&en[key]), "{key}");
        }
    }

    #[test]
    fn the_pages_say_the_same_things_too() {
        let (fr, en) = (read(include_str!("../catalogue/ui.fr.json")), read(include_str!("../catalogue/ui.en.json")));
        assert!(fr.len() > 50, "the catalogue is read");
        assert_eq!(fr.keys().collect::<Vec<_>>(), en.keys().collect::<Vec<_>>());
        for (key, text) in &fr {
            assert_eq!(params(text), params(&en[key]), "{key}");
            assert!(!TEXTS.0.contains_key(key), "{key} stands twice");
        }
    }

    #[test]
    fn every_sentence_that_is_asked_for_is_there() {
        let rooms = ["cli", "config", "store", "problem", "plan", "trace", "outcome"];
        let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
        let mut asked = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                    continue;
                }
                let source = std::fs::read_to_string(entry.path()).unwrap();
                for quoted in source.lines().flat_map(|line| line.split('"').skip(1).step_by(2)) {
                    let key = quoted.split_once('.').is_some_and(|(room, rest)| {
                        let word =
                            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
                        rooms.contains(&room) && rest.split('.').all(word)
                    });
                    if key {
                        asked += 1;
                        assert!(TEXTS.0.contains_key(quoted), "{quoted}, asked for in {:?}", entry.path());
                    }
                }
            }
        }
        assert!(asked > 20, "the sources are read");
    }

    #[test]
    fn every_outcome_has_its_words() {
        let outcomes = [Outcome::Answered, Outcome::Abandoned, Outcome::Lost, Outcome::HungUp];
        let codes = outcomes
            .into_iter()
            .map(Outcome::code)
            .chain(Refusal::ALL.into_iter().map(Refusal::code))
            .chain(["elsewhere", "transferred"]);
        for code in codes {
            assert!(TEXTS.0.contains_key(&format!("outcome.{code}")), "{code}");
        }
    }

    #[test]
    fn every_ceiling_has_its_words() {
        for ceiling in Ceiling::ALL {
            assert!(TEXTS.0.contains_key(&format!("ceiling.{}", ceiling.code())), "{}", ceiling.code());
        }
    }

    #[test]
    fn every_reason_to_turn_a_phone_away_has_its_words() {
        for barred in Barred::ALL {
            assert!(TEXTS.0.contains_key(&format!("barred.{}", barred.code())), "{}", barred.code());
        }
    }

    #[test]
    fn every_failure_of_a_line_has_its_words_and_a_remedy() {
        let status = [("status", "500".to_owned())];
        for code in TrunkFailure::ALL.map(TrunkFailure::code) {
            for key in [format!("trunk.trouble.{code}"), format!("trunk.remedy.{code}")] {
                for lang in [Lang::Fr, Lang::En] {
                    let said = text(lang, &key, &status);
                    assert!(said != key && !said.contains("{{"), "{key}: {said}");
                }
            }
        }
        let told = TEXTS.0.keys().filter(|key| key.starts_with("trunk.trouble.") || key.starts_with("trunk.remedy.")).count();
        assert_eq!(told, 2 * TrunkFailure::ALL.len(), "and nothing else has");
    }

    #[test]
    fn every_profile_says_what_its_customers_have_to_know() {
        for profile in pbx_switch::directory::TrunkProfile::shipped() {
            assert!(TEXTS.0.contains_key(&format!("trunk.profile.{}", profile.key)), "{}", profile.key);
        }
    }

    #[test]
    fn params_are_filled_in_and_codes_put_into_words() {
        let said = text(Lang::En, "trace.turned", &[("why", "busy".to_owned())]);
        assert!(!said.contains("{{") && !said.contains("busy}"), "{said}");
        assert_eq!(text(Lang::En, "no.such.key", &[]), "no.such.key");
    }
}
