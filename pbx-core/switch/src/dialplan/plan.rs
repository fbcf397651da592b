//! The format of `dialplans/`: rules in TOML, read once, with line and column of each mistake.
//!
//! ```toml
//! [[rule]]
//! name = "reception by day"        # shown in every explanation
//! match = "9"                      # what was dialled, in the field's notation
//! from = ["2XX"]                   # who calls; everybody if absent
//! days = "mon-fri"                 # at the caller's site; any combination such as "mon,wed-fri"
//! hours = "09:00-18:00"            # may pass midnight: "22:00-06:00"
//! dates = "2026-12-24/2027-01-03"  # first and last day
//! to = "extension 201"             # or "outside", "outside premium" (also numbers that cost more than a call), "refuse closed"
//! ```

use std::sync::Arc;

use jiff::civil::{Date, Time, Weekday};
use serde::Deserialize;
use thiserror::Error;
use toml::Spanned;

use crate::dialplan::{Pattern, PatternError, RefusalReason};
use crate::directory::{Directory, ExtensionNumber};

/// Octets of one plan, and rules in it.
const MAX_OCTETS: usize = 1_000_000;
const MAX_RULES: usize = 5_000;

/// A plan, ready to decide with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialplan {
    text: Arc<str>,
    rules: Vec<Rule>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    name: Arc<str>,
    /// The line its name stands in, from 1.
    pub line: usize,
    pub(crate) pattern: Pattern,
    pub(crate) from: Option<From>,
    pub(crate) days: Option<Days>,
    pub(crate) hours: Option<Hours>,
    pub(crate) dates: Option<Dates>,
    pub(crate) to: Target,
}

impl Rule {
    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct From {
    pub text: Arc<str>,
    pub patterns: Vec<Pattern>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Days {
    pub text: Arc<str>,
    set: [bool; 7],
}

impl Days {
    pub fn contains(&self, day: Weekday) -> bool {
        self.set[usize::from(day.to_monday_zero_offset().unsigned_abs())]
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hours {
    pub text: Arc<str>,
    from: Time,
    to: Time,
}

impl Hours {
    /// From the first minute up to, not including, the last; past midnight where the first is the later one.
    pub fn contains(&self, time: Time) -> bool {
        if self.from <= self.to { self.from <= time && time < self.to } else { self.from <= time || time < self.to }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dates {
    pub text: Arc<str>,
    pub first: Date,
    pub last: Date,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Extension(ExtensionNumber),
    Outside {
        /// Numbers too that cost more than a call.
        premium: bool,
    },
    Refuse(RefusalReason),
}

/// A mistake in a plan, where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {fault}")]
pub struct PlanError {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// What.
    pub fault: PlanFault,
}

/// What is wrong. The catalogue has a sentence for each: `plan.<code>`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlanFault {
    /// Not the TOML we read: a syntax error, an unknown or missing key.
    #[error("{0}")]
    Toml(String),
    /// Too much of it.
    #[error("too large")]
    TooLarge,
    /// A pattern of `match` or `from`.
    #[error("{0}")]
    Pattern(String, PatternError),
    /// `days`.
    #[error("days: {0}")]
    Days(String),
    /// `hours`.
    #[error("hours: {0}")]
    Hours(String),
    /// `dates`.
    #[error("dates: {0}")]
    Dates(String),
    /// `to`.
    #[error("to: {0}")]
    To(String),
    /// Two rules of one name could not be told apart in an explanation.
    #[error("the name stands twice: {0}")]
    NameTwice(String),
}

impl PlanFault {
    /// For the catalogue.
    pub fn code(&self) -> &'static str {
        match self {
            PlanFault::Toml(_) => "toml",
            PlanFault::TooLarge => "too_large",
            PlanFault::Pattern(..) => "pattern",
            PlanFault::Days(_) => "days",
            PlanFault::Hours(_) => "hours",
            PlanFault::Dates(_) => "dates",
            PlanFault::To(_) => "to",
            PlanFault::NameTwice(_) => "name_twice",
        }
    }

    /// What the sentence speaks of.
    pub fn params(&self) -> Vec<(&'static str, String)> {
        match self {
            PlanFault::Toml(found)
            | PlanFault::Pattern(found, _)
            | PlanFault::Days(found)
            | PlanFault::Hours(found)
            | PlanFault::Dates(found)
            | PlanFault::To(found)
            | PlanFault::NameTwice(found) => vec![("found", found.clone())],
            PlanFault::TooLarge => Vec::new(),
        }
    }
}

/// Something that is allowed and may surprise. The catalogue has a sentence for each: `plan.warning.<code>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanWarning {
    /// An extension has digits that a rule is for; the extension wins.
    Shadowed {
        /// The extension.
        number: String,
        /// The rule that is never asked for these digits.
        rule: String,
        /// Where it stands.
        line: usize,
    },
    /// A rule sends calls to an extension that does not exist.
    Missing {
        /// The extension.
        number: String,
        /// The rule.
        rule: String,
        /// Where it stands.
        line: usize,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    rule: Vec<WrittenRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    name: Spanned<String>,
    r#match: Spanned<String>,
    #[serde(default)]
    from: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    days: Option<Spanned<String>>,
    #[serde(default)]
    hours: Option<Spanned<String>>,
    #[serde(default)]
    dates: Option<Spanned<String>>,
    to: Spanned<String>,
}

impl Dialplan {
    /// Reads a plan; every mistake in it is named, not only the first.
    pub fn parse(text: &str) -> Result<Dialplan, Vec<PlanError>> {
        if text.len() > MAX_OCTETS {
            return Err(vec![PlanError { line: 1, column: 1, fault: PlanFault::TooLarge }]);
        }
        let at = |offset: usize, fault: PlanFault| {
            let (line, column) = place(text, offset);
            PlanError { line, column, fault }
        };
        let written: Written = toml::from_str(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            vec![at(offset, PlanFault::Toml(error.message().to_owned()))]
        })?;
        if written.rule.len() > MAX_RULES {
            return Err(vec![at(0, PlanFault::TooLarge)]);
        }
        let mut errors = Vec::new();
        let mut names = std::collections::BTreeSet::new();
        let mut rules = Vec::with_capacity(written.rule.len());
        for rule in &written.rule {
            if !names.insert(rule.name.get_ref().as_str()) {
                errors.push(at(rule.name.span().start, PlanFault::NameTwice(rule.name.get_ref().clone())));
            }
            match read(rule) {
                Ok(read) => rules.push(Rule { line: place(text, rule.name.span().start).0, ..read }),
                Err(found) => errors.extend(found.into_iter().map(|(offset, fault)| at(offset, fault))),
            }
        }
        if errors.is_empty() { Ok(Dialplan { text: text.into(), rules }) } else { Err(errors) }
    }

    /// The text it was read from: what export gives back.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// From first to last.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What may surprise, given who exists.
    pub fn warnings(&self, directory: &Directory) -> Vec<PlanWarning> {
        let mut found = Vec::new();
        for rule in &self.rules {
            let (name, line) = (rule.name.to_string(), rule.line);
            if let Target::Extension(number) = &rule.to
                && directory.extension(number.as_str()).is_none()
            {
                found.push(PlanWarning::Missing { number: number.to_string(), rule: name.clone(), line });
            }
            for extension in directory.extensions.keys().filter(|number| rule.pattern.matches(number.as_str())) {
                found.push(PlanWarning::Shadowed { number: extension.to_string(), rule: name.clone(), line });
            }
        }
        found
    }
}

/// Line and column of an offset, both from 1.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    (line, column)
}

fn read(rule: &WrittenRule) -> Result<Rule, Vec<(usize, PlanFault)>> {
    let mut errors = Vec::new();
    let pattern_of = |text: &Spanned<String>, errors: &mut Vec<(usize, PlanFault)>| match Pattern::new(text.get_ref()) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            errors.push((text.span().start, PlanFault::Pattern(text.get_ref().clone(), error)));
            None
        }
    };
    let pattern = pattern_of(&rule.r#match, &mut errors);
    let from = rule.from.as_ref().map(|from| From {
        text: from.iter().map(|text| text.get_ref().as_str()).collect::<Vec<_>>().join(", ").into(),
        patterns: from.iter().filter_map(|text| pattern_of(text, &mut errors)).collect(),
    });
    let mut part = |text: &Option<Spanned<String>>, fault: fn(String) -> PlanFault, good: bool| {
        if let Some(text) = text
            && !good
        {
            errors.push((text.span().start, fault(text.get_ref().clone())));
        }
    };
    let days_read = rule.days.as_ref().and_then(|text| days(text.get_ref()));
    let hours_read = rule.hours.as_ref().and_then(|text| hours(text.get_ref()));
    let dates_read = rule.dates.as_ref().and_then(|text| dates(text.get_ref()));
    part(&rule.days, PlanFault::Days, days_read.is_some());
    part(&rule.hours, PlanFault::Hours, hours_read.is_some());
    part(&rule.dates, PlanFault::Dates, dates_read.is_some());
    let to = target(rule.to.get_ref());
    if to.is_none() {
        errors.push((rule.to.span().start, PlanFault::To(rule.to.get_ref().clone())));
    }
    match (pattern, to) {
        (Some(pattern), Some(to)) if errors.is_empty() => {
            let name = rule.name.get_ref().as_str().into();
            Ok(Rule { name, line: 0, pattern, from, days: days_read, hours: hours_read, dates: dates_read, to })
        }
        _ => Err(errors),
    }
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// `mon` to `sun`.
pub(crate) fn day_name(day: Weekday) -> &'static str {
    DAYS[usize::from(day.to_monday_zero_offset().unsigned_abs())]
}

/// `mon-fri`, `sat,sun`, `fri-mon`
fn days(text: &str) -> Option<Days> {
    let of = |name: &str| DAYS.iter().position(|day| *day == name.trim());
    let mut set = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut day, last) = (of(first)?, of(last)?);
        set[day] = true;
        while day != last {
            day = (day + 1) % 7;
            set[day] = true;
        }
    }
    Some(Days { text: text.into(), set })
}

/// `09:00-18:00`; `24:00` is the end of the day.
fn hours(text: &str) -> Option<Hours> {
    let of = |text: &str| -> Option<Time> {
        let (hour, minute) = text.trim().split_once(':')?;
        if hour.len() != 2 || minute.len() != 2 {
            return None;
        }
        match (hour.parse::<i8>().ok()?, minute.parse::<i8>().ok()?) {
            (24, 0) => Some(Time::MAX),
            (hour, minute) => Time::new(hour, minute, 0, 0).ok(),
        }
    };
    let (from, to) = text.split_once('-')?;
    Some(Hours { text: text.into(), from: of(from)?, to: of(to)? }).filter(|hours| hours.from != hours.to)
}

/// `2026-12-24` or `2026-12-24/2027-01-03`
fn dates(text: &str) -> Option<Dates> {
    let (first, last) = text.split_once('/').unwrap_or((text, text));
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some(Dates { text: text.into(), first, last })
}

/// `outside`, `outside premium`, `extension 201`, `refuse closed`
fn target(text: &str) -> Option<Target> {
    match text.split_once(' ').map_or((text, ""), |(verb, object)| (verb, object.trim())) {
        ("outside", "") => Some(Target::Outside { premium: false }),
        ("outside", "premium") => Some(Target::Outside { premium: true }),
        ("extension", number) => ExtensionNumber::new(number).ok().map(Target::Extension),
        ("refuse", reason) => RefusalReason::named(reason).map(Target::Refuse),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn faults(text: &str) -> Vec<(usize, &'static str)> {
        Dialplan::parse(text).unwrap_err().iter().map(|error| (error.line, error.fault.code())).collect()
    }

    #[test]
    fn every_mistake_is_named_with_its_line() {
        let plan = "[[rule]]\nname = \"a\"\nmatch = \"0Q\"\nto = \"nowhere\"\n\n[[rule]]\nname = \"a\"\nmatch = \"9\"\ndays = \"lundi\"\nhours = \"9-18\"\ndates = \"2026-02-30\"\nto = \"extension 15\"\n";
        assert_eq!(
            faults(plan),
            [(3, "pattern"), (4, "to"), (7, "name_twice"), (9, "days"), (10, "hours"), (11, "dates"), (12, "to")]
        );
        assert_eq!(faults("[[rule]]\nname = \"a\"\nmatsch = \"9\"\n"), [(3, "toml")]);
        assert_eq!(faults("[[rule]\n")[0].1, "toml");
    }

    #[test]
    fn days_and_hours_may_pass_their_end() {
        let weekend = days("fri-mon").unwrap();
        assert!(weekend.contains(Weekday::Sunday) && !weekend.contains(Weekday::Tuesday));
        let night = hours("22:00-06:00").unwrap();
        assert!(
            night.contains(Time::constant(23, 0, 0, 0))
                && night.contains(Time::constant(5, 59, 0, 0))
                && !night.contains(Time::constant(6, 0, 0, 0))
        );
        assert!(hours("18:00-24:00").unwrap().contains(Time::constant(23, 59, 0, 0)));
    }

    #[test]
    fn the_shipped_plans_are_right() {
        for text in [include_str!("../../../../dialplans/default.toml"), include_str!("../../../../dialplans/box_office.toml")] {
            let plan = Dialplan::parse(text).unwrap();
            assert!(!plan.rules().is_empty());
            assert_eq!(plan.text(), text);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,200}") {
            let _ = Dialplan::parse(&text);
            let _ = Dialplan::parse(&format!("[[rule]]\nname='x'\nmatch='{text}'\nto='outside'\n"));
        }
    }
}
