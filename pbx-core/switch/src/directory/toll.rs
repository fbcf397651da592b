//! What calls to the outside may cost: countries that may be called, what a minute costs by an estimate, and how much may be spent before
//! somebody is asked. Who breaks into a telephone system spends tens of thousands of euros in a weekend.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::directory::{Country, ExtensionNumber};

/// Rates of a house, and extensions that are told of a ceiling.
const MAX_RATES: usize = 2_000;
const MAX_ALERTED: usize = 5;

/// Above this nothing is a price of a minute or a ceiling: a typing mistake.
const MOST: Money = Money(1_000_000 * MICRO);

const MICRO: u64 = 1_000_000;

/// An amount in millionths of a euro.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Money(pub u64);

impl Money {
    /// Of euros as a person writes them; `None` if negative, not a number, or absurdly large.
    pub fn of_euros(euros: f64) -> Option<Money> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 and MOST")]
        let money = (euros.is_finite() && euros >= 0.0 && euros <= MOST.euros()).then(|| Money((euros * 1e6).round() as u64));
        money
    }

    /// In euros, for people.
    pub fn euros(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "exact up to nine thousand million euros")]
        let micro = self.0 as f64;
        micro / 1e6
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / MICRO, self.0 % MICRO / 10_000)
    }
}

/// What a minute costs to numbers that begin alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Of the number in E.164, or of a short number as dialled; `+` is any number of the world.
    pub prefix: String,
    /// Of a minute.
    pub per_minute: Money,
}

/// How much may be spent within the last hour and the last day; nothing where there is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ceilings {
    /// Minutes within the last hour.
    pub minutes_of_hour: Option<u32>,
    /// Minutes within the last day.
    pub minutes_of_day: Option<u32>,
    /// Cost within the last hour.
    pub cost_of_hour: Option<Money>,
    /// Cost within the last day.
    pub cost_of_day: Option<Money>,
}

/// The rules of a house.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TollRules {
    /// Countries that may be called beside France, by code; none at first.
    pub countries: BTreeSet<String>,
    /// What a minute costs, by an estimate; the longest prefix holds.
    pub rates: Vec<Rate>,
    /// Of all calls together.
    pub house: Ceilings,
    /// Of each extension.
    pub extension: Ceilings,
    /// Who is sent a text when a ceiling is reached.
    pub alerted: Vec<ExtensionNumber>,
}

/// What is wrong with rules: `problem.invalid.<code>` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TollError {
    /// Of which part.
    pub field: &'static str,
    /// What.
    pub code: &'static str,
}

/// An estimate to begin with, in thousandths of a euro a minute: public prices of French carriers for small firms, rounded up.
const USUAL_RATES: &[(&str, u64)] = &[
    ("+", 500),
    ("+33", 20),
    ("+336", 100),
    ("+337", 100),
    ("+33800", 0),
    ("+33801", 0),
    ("+33802", 0),
    ("+33803", 0),
    ("+33804", 0),
    ("+33805", 0),
    ("+3381", 150),
    ("+3382", 250),
    ("+3389", 1_000),
    ("+33118", 3_000),
    ("+262", 200),
    ("+508", 200),
    ("+590", 200),
    ("+594", 200),
    ("+596", 200),
    ("+870", 6_000),
    ("+878", 6_000),
    ("+881", 6_000),
    ("+882", 6_000),
    ("+883", 6_000),
    ("+888", 6_000),
    ("+979", 6_000),
    ("10", 100),
    ("116", 0),
    ("118", 3_000),
    ("3", 1_000),
    ("30", 0),
    ("31", 0),
    ("3008", 1_000),
];

impl Default for TollRules {
    fn default() -> TollRules {
        let euros = |euros: u64| Some(Money(euros * MICRO));
        TollRules {
            countries: BTreeSet::new(),
            rates: USUAL_RATES
                .iter()
                .map(|(prefix, milli)| Rate { prefix: (*prefix).to_owned(), per_minute: Money(milli * 1_000) })
                .collect(),
            house: Ceilings {
                minutes_of_hour: Some(600),
                minutes_of_day: Some(2_400),
                cost_of_hour: euros(30),
                cost_of_day: euros(80),
            },
            extension: Ceilings {
                minutes_of_hour: Some(180),
                minutes_of_day: Some(600),
                cost_of_hour: euros(10),
                cost_of_day: euros(30),
            },
            alerted: Vec::new(),
        }
    }
}

impl TollRules {
    /// What a minute to a number costs: as the rate with the longest prefix says, and as much as the dearest one where none fits. None if
    /// there are no rates at all.
    pub fn per_minute(&self, number: &str) -> Option<Money> {
        let fitting = self.rates.iter().filter(|rate| number.starts_with(&rate.prefix));
        let rate = fitting.max_by_key(|rate| rate.prefix.len()).or(self.rates.iter().max_by_key(|rate| rate.per_minute));
        rate.map(|rate| rate.per_minute)
    }

    /// May it be called as far as its country goes? Short numbers, France and its overseas departments always.
    pub fn opens(&self, number: &str) -> bool {
        if !number.starts_with('+') {
            return true;
        }
        Country::of(number).is_some_and(|country| country.is_home() || self.countries.contains(country.code()))
    }

    /// What is wrong, if anything.
    pub fn check(&self) -> Result<(), TollError> {
        let fail = |field, code| Err(TollError { field, code });
        if self.countries.iter().any(|code| Country::named(code).is_none_or(Country::is_home)) {
            return fail("countries", "country");
        }
        if self.rates.len() > MAX_RATES {
            return fail("rates", "too_many_entries");
        }
        let mut prefixes = BTreeSet::new();
        for rate in &self.rates {
            let digits = rate.prefix.strip_prefix('+').unwrap_or(&rate.prefix);
            let is_prefix = !rate.prefix.is_empty() && digits.len() <= 15 && digits.bytes().all(|byte| byte.is_ascii_digit());
            if !is_prefix || !prefixes.insert(&rate.prefix) {
                return fail("rates", "prefix");
            }
            if rate.per_minute > MOST {
                return fail("rates", "price");
            }
        }
        for (field, ceilings) in [("house", &self.house), ("extension", &self.extension)] {
            let minutes = [ceilings.minutes_of_hour, ceilings.minutes_of_day];
            let costs = [ceilings.cost_of_hour, ceilings.cost_of_day];
            // Who is to call nobody outside is told so by the plan.
            if minutes.contains(&Some(0)) || costs.iter().flatten().any(|cost| *cost == Money(0) || *cost > MOST) {
                return fail(field, "ceiling");
            }
        }
        if self.alerted.len() > MAX_ALERTED {
            return fail("alerted", "too_many_entries");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_rate_names_costs_as_much_as_the_dearest() {
        let rate = |prefix: &str, milli: u64| Rate { prefix: prefix.to_owned(), per_minute: Money(milli * 1_000) };
        let rules = TollRules { rates: vec![rate("+33", 20), rate("+32", 90), rate("+41", 50)], ..TollRules::default() };
        assert_eq!(rules.per_minute("+212600000000"), Some(Money(90_000)));
        assert_eq!(TollRules { rates: Vec::new(), ..rules }.per_minute("+212600000000"), None);
    }

    #[test]
    fn a_minute_costs_what_the_longest_prefix_says() {
        let rules = TollRules::default();
        for (number, milli) in [
            ("+33536490001", 20),
            ("+33639980001", 100),
            ("+33800123456", 0),
            ("+33892123456", 1_000),
            ("+41223456789", 500),
            ("+882161234567", 6_000),
            ("3117", 0),
            ("3615", 1_000),
            ("3008", 1_000),
            ("1013", 100),
        ] {
            assert_eq!(rules.per_minute(number), Some(Money(milli * 1_000)), "{number}");
        }
    }

    #[test]
    fn nothing_abroad_is_open_but_what_is_named() {
        let mut rules = TollRules::default();
        for (number, open) in
            [("+33536490001", true), ("+596596123456", true), ("3117", true), ("+41223456789", false), ("+8821612345", false)]
        {
            assert_eq!(rules.opens(number), open, "{number}");
        }
        rules.countries.insert("CH".to_owned());
        assert!(rules.opens("+41223456789") && !rules.opens("+3221234567"));
        assert_eq!(rules.check(), Ok(()));
    }

    #[test]
    fn nonsense_is_named() {
        let rate = |prefix: &str, per_minute| Rate { prefix: prefix.to_owned(), per_minute };
        let with = |change: &dyn Fn(&mut TollRules)| {
            let mut rules = TollRules::default();
            change(&mut rules);
            rules.check().map_err(|error| (error.field, error.code))
        };
        for code in ["ZZ", "FR", "ch"] {
            assert_eq!(with(&|rules| rules.countries = [code.to_owned()].into()), Err(("countries", "country")));
        }
        for prefix in ["", "33a", "+33", "+1234567890123456"] {
            assert_eq!(with(&|rules| rules.rates.push(rate(prefix, Money(1)))), Err(("rates", "prefix")), "{prefix}");
        }
        assert_eq!(with(&|rules| rules.rates.push(rate("+41", Money(u64::MAX)))), Err(("rates", "price")));
        let six = || (201..207).map(|number: u16| ExtensionNumber::new(&number.to_string()).unwrap()).collect();
        assert_eq!(with(&|rules| rules.alerted = six()), Err(("alerted", "too_many_entries")));
        assert_eq!(Money::of_euros(1.25), Some(Money(1_250_000)));
        for euros in [-0.1, f64::NAN, f64::INFINITY, 1e9] {
            assert_eq!(Money::of_euros(euros), None, "{euros}");
        }
        assert_eq!(Money(12_345_678).to_string(), "12.34");
    }
}
