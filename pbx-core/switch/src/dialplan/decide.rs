//! The decision.

use std::sync::Arc;

use jiff::civil::DateTime;
use pbx_sip::clock::Wall;
use serde::{Deserialize, Serialize};

use crate::dialplan::plan::{Target, day_name};
use crate::dialplan::{Dialplan, Rule, Step, Trace, digits, normalise};
use crate::directory::{Directory, ExtensionNumber, SiteKey, emergency, is_premium};

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Caller {
    /// A phone of the house.
    Extension(ExtensionNumber),
    /// Somebody outside, in E.164.
    Outside(String),
    /// Somebody outside who hides the number, which is what ordinary people abroad do since 2026.
    Anonymous,
}

impl Caller {
    /// As rules and records name it; empty for nobody in particular.
    pub fn as_str(&self) -> &str {
        match self {
            Caller::Extension(number) => number.as_str(),
            Caller::Outside(number) => number,
            Caller::Anonymous => "",
        }
    }
}

/// What a decision is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFacts {
    /// Who calls.
    pub caller: Caller,
    /// What was dialled, as the phone sent it.
    pub dialled: String,
    /// When.
    pub at: Wall,
}

/// Why a plan refuses a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// Nobody has that number: 404.
    UnknownNumber,
    /// This caller may not call it: 403.
    NotAllowed,
    /// A number that costs too much: 403.
    Premium,
    /// A country that the house has not opened: 403.
    Abroad,
    /// Nobody is there at this hour: 480.
    Closed,
    /// The extension is switched off, said as 404.
    Disabled,
}

impl RefusalReason {
    const ALL: [RefusalReason; 6] = [
        RefusalReason::UnknownNumber,
        RefusalReason::NotAllowed,
        RefusalReason::Premium,
        RefusalReason::Abroad,
        RefusalReason::Closed,
        RefusalReason::Disabled,
    ];

    /// For plans and the catalogue (`refusal.<code>`).
    pub fn code(self) -> &'static str {
        match self {
            RefusalReason::UnknownNumber => "unknown_number",
            RefusalReason::NotAllowed => "not_allowed",
            RefusalReason::Premium => "premium",
            RefusalReason::Abroad => "abroad",
            RefusalReason::Closed => "closed",
            RefusalReason::Disabled => "disabled",
        }
    }

    pub(crate) fn named(code: &str) -> Option<RefusalReason> {
        RefusalReason::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

/// Where a call is to go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// A phone of the house.
    Extension(ExtensionNumber),
    /// Out, by a line of a site.
    Outside {
        /// E.164, or a short number as it was dialled.
        number: String,
        /// Whose line.
        site: SiteKey,
    },
    /// To the emergency centre competent for a site, before all else.
    Emergency {
        /// As dialled.
        number: String,
        /// Where the caller is.
        site: SiteKey,
    },
    /// Nowhere.
    Refuse(RefusalReason),
}

/// A destination and how it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Where to.
    pub destination: Destination,
    /// Why.
    pub trace: Trace,
}

/// Decides where a call goes. Pure: the same arguments give the same answer, live and explained.
pub fn decide(plan: &Dialplan, directory: &Directory, facts: &CallFacts) -> Decision {
    let mut steps = Vec::with_capacity(plan.rules().len() + 3);
    let destination = destination(plan, directory, facts, &mut steps);
    Decision { destination, trace: Trace { steps } }
}

fn destination(plan: &Dialplan, directory: &Directory, facts: &CallFacts, steps: &mut Vec<Step>) -> Destination {
    let dialled = digits(keyed(&facts.dialled)).unwrap_or_else(|| facts.dialled.trim().to_owned());
    let from = match &facts.caller {
        Caller::Extension(number) => directory.extension(number.as_str()),
        Caller::Outside(_) | Caller::Anonymous => None,
    };
    let site = directory.site_of(from);
    let site_key = site.map_or_else(|| SiteKey(String::new()), |site| site.key.clone());
    if emergency(&dialled).is_some() {
        steps.push(Step::Emergency { number: dialled.clone(), site: site_key.to_string() });
        return Destination::Emergency { number: dialled, site: site_key };
    }
    if let Some(extension) = directory.extension(&dialled) {
        if extension.enabled {
            steps.push(Step::Extension { number: dialled, name: extension.name.clone() });
            return Destination::Extension(extension.number.clone());
        }
        steps.push(Step::ExtensionDisabled { number: dialled });
        return Destination::Refuse(RefusalReason::Disabled);
    }
    steps.push(Step::NoExtension { number: dialled.clone() });
    let mut instant =
        Instant { local: site.map(|site| site.local(facts.at)).unwrap_or_default(), day: None, time: None, date: None };
    let caller: Arc<str> = facts.caller.as_str().into();
    for rule in plan.rules() {
        if let Some(step) = why_not(rule, &dialled, &caller, &mut instant) {
            steps.push(step);
            continue;
        }
        steps.push(Step::RuleMatched { rule: rule.name().clone() });
        return carried_out(rule, dialled, directory, &site_key, steps);
    }
    steps.push(Step::NoRule);
    Destination::Refuse(RefusalReason::UnknownNumber)
}

/// The local instant, its words made once however many rules ask.
struct Instant {
    local: DateTime,
    day: Option<Arc<str>>,
    time: Option<Arc<str>>,
    date: Option<Arc<str>>,
}

fn why_not(rule: &Rule, dialled: &str, caller: &Arc<str>, now: &mut Instant) -> Option<Step> {
    let name = rule.name();
    if !rule.pattern.matches(dialled) {
        return Some(Step::RuleNumber { rule: name.clone(), pattern: rule.pattern.text().clone() });
    }
    if let Some(from) = &rule.from
        && !from.patterns.iter().any(|pattern| pattern.matches(caller))
    {
        return Some(Step::RuleCaller { rule: name.clone(), caller: caller.clone(), pattern: from.text.clone() });
    }
    let local = now.local;
    if let Some(days) = &rule.days
        && !days.contains(local.weekday())
    {
        let day = now.day.get_or_insert_with(|| day_name(local.weekday()).into()).clone();
        return Some(Step::RuleDay { rule: name.clone(), day, days: days.text.clone() });
    }
    if let Some(hours) = &rule.hours
        && !hours.contains(local.time())
    {
        let time = now.time.get_or_insert_with(|| local.strftime("%H:%M").to_string().into()).clone();
        return Some(Step::RuleHours { rule: name.clone(), time, hours: hours.text.clone() });
    }
    if let Some(dates) = &rule.dates
        && !(dates.first..=dates.last).contains(&local.date())
    {
        let date = now.date.get_or_insert_with(|| local.date().to_string().into()).clone();
        return Some(Step::RuleDates { rule: name.clone(), date, dates: dates.text.clone() });
    }
    None
}

/// A number without the key that some press to end it. What begins with a star means something with it.
fn keyed(dialled: &str) -> &str {
    let trimmed = dialled.trim();
    trimmed.strip_suffix('#').filter(|number| digits(number).is_some()).unwrap_or(trimmed)
}

/// A number of up to six digits that has no other form: 1013, 3008, 118712.
fn is_short(number: &str) -> bool {
    number.len() <= 6 && !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit())
}

fn carried_out(rule: &Rule, dialled: String, directory: &Directory, site: &SiteKey, steps: &mut Vec<Step>) -> Destination {
    match &rule.to {
        Target::Extension(number) => match directory.extension(number.as_str()).filter(|extension| extension.enabled) {
            Some(extension) => {
                steps.push(Step::ToExtension { number: extension.number.to_string() });
                Destination::Extension(extension.number.clone())
            }
            None => {
                steps.push(Step::NoSuchExtension { number: number.to_string() });
                Destination::Refuse(RefusalReason::UnknownNumber)
            }
        },
        Target::Outside { premium } => {
            // What nobody can tell the country of, and so the price, goes nowhere.
            let Some(number) = normalise(&dialled).or_else(|| is_short(&dialled).then_some(dialled)) else {
                steps.push(Step::ToRefusal { reason: RefusalReason::UnknownNumber.code().to_owned() });
                return Destination::Refuse(RefusalReason::UnknownNumber);
            };
            let refused = match is_premium(&number) {
                true => (!premium).then_some(RefusalReason::Premium),
                false => (!directory.toll.opens(&number)).then_some(RefusalReason::Abroad),
            };
            if let Some(reason) = refused {
                steps.push(Step::ToRefusal { reason: reason.code().to_owned() });
                return Destination::Refuse(reason);
            }
            steps.push(Step::ToOutside { number: number.clone(), site: site.to_string() });
            Destination::Outside { number, site: site.clone() }
        }
        Target::Refuse(reason) => {
            steps.push(Step::ToRefusal { reason: reason.code().to_owned() });
            Destination::Refuse(*reason)
        }
    }
}

#[cfg(test)]
mod tests {
    use pbx_sip::auth::Ha1;
    use proptest::prelude::*;

    use super::*;
    use crate::directory::{Access, EMERGENCY_NUMBERS, Extension, Site};

    fn directory(numbers: &[&str]) -> Directory {
        let site = Site::new(SiteKey("main".into()), "Salle", "Europe/Paris").unwrap();
        let extensions = numbers.iter().map(|number| {
            let number = ExtensionNumber::new(number).unwrap();
            let ha1 = Ha1::of(number.as_str(), "r", "s");
            (
                number.clone(),
                Extension {
                    number,
                    name: "Poste".into(),
                    site: site.key.clone(),
                    email: None,
                    enabled: true,
                    ha1,
                    access: Access::default(),
                },
            )
        });
        Directory { extensions: extensions.collect(), sites: [(site.key.clone(), site)].into(), ..Directory::default() }
    }

    fn facts(from: &str, dialled: &str, at: &str) -> CallFacts {
        let at = Wall(at.parse::<jiff::Timestamp>().unwrap().as_microsecond());
        CallFacts { caller: Caller::Extension(ExtensionNumber::new(from).unwrap()), dialled: dialled.into(), at }
    }

    const PLAN: &str = r#"
        [[rule]]
        name = "premium"
        match = "089XXXXXXX"
        to = "refuse premium"

        [[rule]]
        name = "reception by day"
        match = "9"
        days = "mon-fri"
        hours = "09:00-18:00"
        to = "extension 201"

        [[rule]]
        name = "reception by night"
        match = "9"
        to = "refuse closed"

        [[rule]]
        name = "france"
        match = "0[1-79]XXXXXXXX"
        from = ["2XX"]
        to = "outside"
    "#;

    fn went(from: &str, dialled: &str, at: &str) -> Decision {
        decide(&Dialplan::parse(PLAN).unwrap(), &directory(&["201", "202", "404"]), &facts(from, dialled, at))
    }

    #[test]
    fn what_has_no_country_goes_nowhere_however_it_is_written() {
        let noon = "2026-11-24T11:00:00Z";
        let plan = |name: &str, pattern: &str| format!("[[rule]]\nname = \"{name}\"\nmatch = \"{pattern}\"\nto = \"outside\"\n");
        let plan = Dialplan::parse(&[plan("abroad", "00."), plan("short", "10XX")].concat()).unwrap();
        let to = |dialled: &str| decide(&plan, &directory(&["201"]), &facts("201", dialled, noon)).destination;
        assert_eq!(to("0041791234567"), Destination::Refuse(RefusalReason::Abroad));
        assert_eq!(to("0041791234567#"), Destination::Refuse(RefusalReason::Abroad), "ended by a key");
        assert_eq!(to("0033892123456#"), Destination::Refuse(RefusalReason::Premium));
        for raw in ["008821612345670000", "0041791234567##", "0041791234567*", "0041a", "00", "00412x1234567"] {
            assert_eq!(to(raw), Destination::Refuse(RefusalReason::UnknownNumber), "{raw}");
        }
        assert!(matches!(to("1013"), Destination::Outside { number, .. } if number == "1013"));
        assert!(matches!(to("112#"), Destination::Emergency { number, .. } if number == "112"));
    }

    #[test]
    fn extensions_rules_hours_and_refusals() {
        let noon = "2026-11-24T11:00:00Z";
        let extension = |number: &str| Destination::Extension(ExtensionNumber::new(number).unwrap());
        assert_eq!(went("201", "202", noon).destination, extension("202"));
        assert_eq!(went("201", "9", noon).destination, extension("201"));
        assert_eq!(went("201", "9", "2026-11-24T17:30:00Z").destination, Destination::Refuse(RefusalReason::Closed));
        assert_eq!(went("201", "9", "2026-11-28T11:00:00Z").destination, Destination::Refuse(RefusalReason::Closed), "a Saturday");
        assert_eq!(went("201", "0899123456", noon).destination, Destination::Refuse(RefusalReason::Premium));
        let outside = Destination::Outside { number: "+33536491234".into(), site: SiteKey("main".into()) };
        assert_eq!(went("201", "05 36 49 12 34", noon).destination, outside);
        assert_eq!(went("404", "0536491234", noon).destination, Destination::Refuse(RefusalReason::UnknownNumber));
    }

    #[test]
    fn premium_numbers_are_called_only_where_a_rule_says_so() {
        let open = |to: &str| Dialplan::parse(&format!("[[rule]]\nname = \"all\"\nmatch = \".\"\nto = \"{to}\"\n")).unwrap();
        let dialled = |plan: &Dialplan, number: &str| {
            decide(plan, &directory(&["201"]), &facts("201", number, "2026-11-24T11:00:00Z")).destination
        };
        let shipped = Dialplan::parse(include_str!("../../../../dialplans/default.toml")).unwrap();
        for number in ["0892123456", "+33892123456", "0033892123456", "+33(0)892123456", "118712", "3615", "3008", "+979123456789"]
        {
            assert_eq!(dialled(&open("outside"), number), Destination::Refuse(RefusalReason::Premium), "{number}");
            assert!(matches!(dialled(&open("outside premium"), number), Destination::Outside { .. }), "{number}");
            assert!(matches!(dialled(&shipped, number), Destination::Refuse(_)), "{number} by the plan that a house begins with");
        }
        assert!(matches!(dialled(&shipped, "+33639980001"), Destination::Outside { .. }));
    }

    #[test]
    fn the_trace_says_of_every_rule_why_not() {
        let night = went("404", "0536491234", "2026-11-24T20:00:00Z");
        let codes: Vec<_> = night.trace.steps.iter().map(Step::code).collect();
        assert_eq!(codes, ["no_extension", "rule_number", "rule_number", "rule_number", "rule_caller", "no_rule"]);
        let closed = went("201", "9", "2026-11-24T20:00:00Z");
        let wanted = Step::RuleHours { rule: "reception by day".into(), time: "21:00".into(), hours: "09:00-18:00".into() };
        assert_eq!(closed.trace.steps[2], wanted);
    }

    proptest! {
        #[test]
        fn emergency_is_reached_from_everyone_at_any_time(which in 0..EMERGENCY_NUMBERS.len(), at in any::<i64>(), from in 0..3) {
            let number = EMERGENCY_NUMBERS[which].0;
            let caller = match from {
                0 => Caller::Extension(ExtensionNumber::new("404").unwrap()),
                1 => Caller::Outside("+33536491234".into()),
                _ => Caller::Anonymous,
            };
            let plan = Dialplan::parse("[[rule]]\nname = \"all\"\nmatch = \"!\"\nto = \"refuse not_allowed\"\n").unwrap();
            let facts = CallFacts { caller, dialled: number.into(), at: Wall(at) };
            let reached = matches!(decide(&plan, &directory(&["201"]), &facts).destination, Destination::Emergency { .. });
            prop_assert!(reached);
        }

        #[test]
        fn no_facts_panic(dialled in "\\PC{0,60}", at in any::<i64>()) {
            let plan = Dialplan::parse(PLAN).unwrap();
            decide(&plan, &directory(&["201"]), &CallFacts { caller: Caller::Anonymous, dialled, at: Wall(at) });
        }
    }
}
