//! Why a call went where it went: typed steps, put into words by the catalogue (`trace.<code>`).

use std::sync::Arc;

use pbx_sip::clock::Wall;
use serde::{Deserialize, Serialize};

/// All steps of one decision, and the turns the call took afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// In order.
    pub steps: Vec<Step>,
}

/// One thing that was looked at or happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Step {
    /// The digits are a number that is never blocked.
    Emergency {
        /// It.
        number: String,
        /// Whose centre it goes to.
        site: String,
    },
    /// An extension has exactly these digits.
    Extension {
        /// It.
        number: String,
        /// Its name.
        name: String,
    },
    /// An extension has these digits, and is switched off.
    ExtensionDisabled {
        /// It.
        number: String,
    },
    /// No extension has these digits.
    NoExtension {
        /// What was dialled.
        number: String,
    },
    /// It came from outside, for a number of the house.
    Arrived {
        /// The number called, E.164; empty if it is none of ours.
        number: String,
        /// By which line.
        line: String,
    },
    /// Somebody of the house has just called for help by this number: whoever calls it reaches them.
    CalledBack {
        /// Who.
        extension: String,
    },
    /// The call goes out by a line.
    ByLine {
        /// When.
        at: Wall,
        /// Which.
        line: String,
    },
    /// Every line was taken, and it had to make way for a call for help.
    MadeWay {
        /// When.
        at: Wall,
    },
    /// It was cut off: as much is spent as may be spent.
    CeilingReached {
        /// When.
        at: Wall,
    },
    /// The rule's pattern does not fit.
    RuleNumber {
        /// Its name.
        rule: Arc<str>,
        /// Its pattern.
        pattern: Arc<str>,
    },
    /// The rule is not for this caller.
    RuleCaller {
        /// Its name.
        rule: Arc<str>,
        /// Who calls.
        caller: Arc<str>,
        /// For whom it is.
        pattern: Arc<str>,
    },
    /// Not on this day of the week.
    RuleDay {
        /// Its name.
        rule: Arc<str>,
        /// `mon` to `sun`, at the site.
        day: Arc<str>,
        /// The days of the rule.
        days: Arc<str>,
    },
    /// Not at this hour.
    RuleHours {
        /// Its name.
        rule: Arc<str>,
        /// `19:45`, at the site.
        time: Arc<str>,
        /// The hours of the rule.
        hours: Arc<str>,
    },
    /// Not on this date.
    RuleDates {
        /// Its name.
        rule: Arc<str>,
        /// `2026-12-24`, at the site.
        date: Arc<str>,
        /// The dates of the rule.
        dates: Arc<str>,
    },
    /// The rule applies.
    RuleMatched {
        /// Its name.
        rule: Arc<str>,
    },
    /// It sends the call to an extension.
    ToExtension {
        /// It.
        number: String,
    },
    /// It sends the call outside.
    ToOutside {
        /// The number as the line will be given it.
        number: String,
        /// Whose line.
        site: String,
    },
    /// It refuses the call.
    ToRefusal {
        /// A reason's code.
        reason: String,
    },
    /// It sends the call to an extension that does not exist.
    NoSuchExtension {
        /// The missing one.
        number: String,
    },
    /// No rule applies.
    NoRule,
    /// Somebody of the house sent the call on.
    Transferred {
        /// When.
        at: Wall,
        /// Who.
        by: String,
        /// To which number.
        to: String,
    },
    /// The call was taken over on another phone, or picked up.
    TakenOver {
        /// When.
        at: Wall,
        /// By whom.
        by: String,
    },
    /// The call changed its course later.
    Turned {
        /// When.
        at: Wall,
        /// What happened: an outcome's code.
        why: String,
    },
}

impl Step {
    /// For the catalogue.
    pub fn code(&self) -> &'static str {
        match self {
            Step::Emergency { .. } => "emergency",
            Step::Extension { .. } => "extension",
            Step::ExtensionDisabled { .. } => "extension_disabled",
            Step::NoExtension { .. } => "no_extension",
            Step::Arrived { .. } => "arrived",
            Step::CalledBack { .. } => "called_back",
            Step::ByLine { .. } => "by_line",
            Step::MadeWay { .. } => "made_way",
            Step::CeilingReached { .. } => "ceiling_reached",
            Step::RuleNumber { .. } => "rule_number",
            Step::RuleCaller { .. } => "rule_caller",
            Step::RuleDay { .. } => "rule_day",
            Step::RuleHours { .. } => "rule_hours",
            Step::RuleDates { .. } => "rule_dates",
            Step::RuleMatched { .. } => "rule_matched",
            Step::ToExtension { .. } => "to_extension",
            Step::ToOutside { .. } => "to_outside",
            Step::ToRefusal { .. } => "to_refusal",
            Step::NoSuchExtension { .. } => "no_such_extension",
            Step::NoRule => "no_rule",
            Step::Transferred { .. } => "transferred",
            Step::TakenOver { .. } => "taken_over",
            Step::Turned { .. } => "turned",
        }
    }

    /// What the catalogue's sentence speaks of. `reason` and `why` are codes themselves: `refusal.<reason>`, `outcome.<why>`.
    pub fn params(&self) -> Vec<(&'static str, String)> {
        let text = |text: &Arc<str>| text.to_string();
        match self {
            Step::Emergency { number, site } | Step::ToOutside { number, site } => {
                vec![("number", number.clone()), ("site", site.clone())]
            }
            Step::Extension { number, name } => vec![("number", number.clone()), ("name", name.clone())],
            Step::ExtensionDisabled { number }
            | Step::NoExtension { number }
            | Step::ToExtension { number }
            | Step::NoSuchExtension { number } => {
                vec![("number", number.clone())]
            }
            Step::Arrived { number, line } => vec![("number", number.clone()), ("line", line.clone())],
            Step::CalledBack { extension } => vec![("number", extension.clone())],
            Step::ByLine { line, .. } => vec![("line", line.clone())],
            Step::MadeWay { .. } | Step::CeilingReached { .. } => Vec::new(),
            Step::RuleNumber { rule, pattern } => vec![("rule", text(rule)), ("pattern", text(pattern))],
            Step::RuleCaller { rule, caller, pattern } => {
                vec![("rule", text(rule)), ("caller", text(caller)), ("pattern", text(pattern))]
            }
            Step::RuleDay { rule, day, days } => vec![("rule", text(rule)), ("day", text(day)), ("days", text(days))],
            Step::RuleHours { rule, time, hours } => vec![("rule", text(rule)), ("time", text(time)), ("hours", text(hours))],
            Step::RuleDates { rule, date, dates } => vec![("rule", text(rule)), ("date", text(date)), ("dates", text(dates))],
            Step::RuleMatched { rule } => vec![("rule", text(rule))],
            Step::ToRefusal { reason } => vec![("reason", reason.clone())],
            Step::NoRule => Vec::new(),
            Step::Transferred { by, to, .. } => vec![("caller", by.clone()), ("number", to.clone())],
            Step::TakenOver { by, .. } => vec![("caller", by.clone())],
            Step::Turned { why, .. } => vec![("why", why.clone())],
        }
    }
}
