//! What calls to the outside have cost within the last day, minute by minute and by who had them begun; and whether a ceiling of the house's
//! [rules](TollRules) is reached. Knows no call and no phone: it is told of each stretch of talking, and asked who may go on.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use pbx_sip::clock::Wall;
use serde::{Deserialize, Serialize};

use crate::directory::{Ceilings, ExtensionNumber, Money, TollRules};

/// Minutes that are remembered: a day.
const REMEMBERED: i64 = 24 * 60;

const HOUR: i64 = 60;

/// How long an administrator's word lets somebody go on in spite of a ceiling.
pub const ALLOWANCE: Duration = Duration::from_secs(3_600);

/// Whose calls.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payer {
    /// Everybody's.
    House,
    /// Those that one extension has begun, or has sent somebody else on.
    Extension(ExtensionNumber),
}

impl fmt::Display for Payer {
    /// `house`, or the number: no number is a word.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Payer::House => f.write_str("house"),
            Payer::Extension(number) => number.fmt(f),
        }
    }
}

/// Which bound is reached. The catalogue has a sentence for each: `ceiling.<code>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ceiling {
    /// Minutes within an hour.
    MinutesOfHour,
    /// Minutes within a day.
    MinutesOfDay,
    /// Cost within an hour.
    CostOfHour,
    /// Cost within a day.
    CostOfDay,
}

impl Ceiling {
    /// Every one, for the catalogue's test.
    pub const ALL: [Ceiling; 4] = [Ceiling::MinutesOfHour, Ceiling::MinutesOfDay, Ceiling::CostOfHour, Ceiling::CostOfDay];

    /// For the catalogue.
    pub fn code(self) -> &'static str {
        match self {
            Ceiling::MinutesOfHour => "minutes_of_hour",
            Ceiling::MinutesOfDay => "minutes_of_day",
            Ceiling::CostOfHour => "cost_of_hour",
            Ceiling::CostOfDay => "cost_of_day",
        }
    }
}

/// Talking, and what it cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// How long, in microseconds.
    pub talked_us: u64,
    /// By the rates.
    pub cost: Money,
}

impl Amount {
    /// Whole minutes.
    pub fn minutes(&self) -> u64 {
        self.talked_us / 60_000_000
    }

    fn add(&mut self, other: Amount) {
        self.talked_us = self.talked_us.saturating_add(other.talked_us);
        self.cost = Money(self.cost.0.saturating_add(other.cost.0));
    }
}

/// What an extension has spent in one minute: a row of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    /// Who.
    pub extension: ExtensionNumber,
    /// Since 1970, in minutes.
    pub minute: i64,
    /// How much.
    pub amount: Amount,
}

/// What the store is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TollChange {
    /// In place of what was known of that minute.
    Put(Spent),
    /// Whatever is older than this minute has no bearing any more.
    ForgetBefore(i64),
}

/// How somebody stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TollState {
    /// Who.
    pub payer: Payer,
    /// Within the last hour.
    pub hour: Amount,
    /// Within the last day.
    pub day: Amount,
    /// The ceiling that keeps them from calling; none while an allowance lasts.
    pub reached: Option<Ceiling>,
    /// Until when an administrator lets them go on.
    pub allowed_until: Option<Wall>,
}

impl TollState {
    /// Nothing was spent and nothing is allowed: there is nothing to show.
    pub fn is_nothing(&self) -> bool {
        self.day == Amount::default() && self.allowed_until.is_none() && self.reached.is_none()
    }
}

/// The books.
#[derive(Default)]
pub struct Ledger {
    accounts: BTreeMap<Payer, Account>,
    forgotten_before: i64,
}

#[derive(Default)]
struct Account {
    by_minute: BTreeMap<i64, Amount>,
    allowed_until: Option<Wall>,
    reached: Option<Ceiling>,
    told: Option<TollState>,
}

impl Ledger {
    /// The books as the store kept them.
    pub fn read(kept: Vec<Spent>) -> Ledger {
        let mut ledger = Ledger::default();
        for Spent { extension, minute, amount } in kept {
            ledger.book(extension, minute, amount);
        }
        ledger
    }

    /// Somebody has talked; the minute as it is now.
    pub fn spend(&mut self, extension: &ExtensionNumber, talked: Duration, per_minute: Money, now: Wall) -> Spent {
        let talked_us = u64::try_from(talked.as_micros()).unwrap_or(u64::MAX);
        // In favour of the ceiling: what is counted in many small stretches costs no less.
        let cost = (u128::from(talked_us) * u128::from(per_minute.0)).div_ceil(60_000_000);
        let amount = Amount { talked_us, cost: Money(u64::try_from(cost).unwrap_or(u64::MAX)) };
        self.book(extension.clone(), minute_of(now), amount)
    }

    fn book(&mut self, extension: ExtensionNumber, minute: i64, amount: Amount) -> Spent {
        self.accounts.entry(Payer::House).or_default().by_minute.entry(minute).or_default().add(amount);
        let account = self.accounts.entry(Payer::Extension(extension.clone())).or_default();
        let of_minute = account.by_minute.entry(minute).or_default();
        of_minute.add(amount);
        Spent { extension, minute, amount: *of_minute }
    }

    /// Judges everybody anew. What changed since it was told last, and whom a ceiling stops now that was free before.
    pub fn judge(&mut self, rules: &TollRules, now: Wall) -> (Vec<TollState>, Vec<(Payer, Ceiling)>) {
        let (mut changed, mut stopped) = (Vec::new(), Vec::new());
        for (payer, account) in &mut self.accounts {
            account.allowed_until = account.allowed_until.filter(|until| *until > now);
            let (hour, day) = (account.since(minute_of(now) - HOUR + 1), account.since(minute_of(now) - REMEMBERED + 1));
            let ceilings = if *payer == Payer::House { &rules.house } else { &rules.extension };
            let reached = if account.allowed_until.is_some() { None } else { reached(ceilings, hour, day) };
            if let (None, Some(ceiling)) = (account.reached, reached) {
                stopped.push((payer.clone(), ceiling));
            }
            account.reached = reached;
            let state = TollState { payer: payer.clone(), hour, day, reached, allowed_until: account.allowed_until };
            if account.told.as_ref() != Some(&state) {
                account.told = Some(state.clone());
                changed.push(state);
            }
        }
        (changed, stopped)
    }

    /// What keeps an extension from calling outside: its own ceiling, or that of the house.
    pub fn stops(&self, extension: &ExtensionNumber) -> Option<Ceiling> {
        let reached = |payer: &Payer| self.accounts.get(payer).and_then(|account| account.reached);
        reached(&Payer::House).or_else(|| reached(&Payer::Extension(extension.clone())))
    }

    /// An administrator lets somebody go on for a while.
    pub fn allow(&mut self, payer: Payer, now: Wall) {
        self.accounts.entry(payer).or_default().allowed_until = Some(now + ALLOWANCE);
    }

    /// Drops what is older than a day; each hour the store is to do so too.
    pub fn forget(&mut self, now: Wall) -> Option<TollChange> {
        let oldest = minute_of(now) - REMEMBERED;
        for account in self.accounts.values_mut() {
            account.by_minute = account.by_minute.split_off(&oldest);
        }
        self.accounts.retain(|_, account| !account.is_idle());
        let due = oldest >= self.forgotten_before + HOUR;
        if due {
            self.forgotten_before = oldest;
        }
        due.then_some(TollChange::ForgetBefore(oldest))
    }

    /// Is there nothing to judge?
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }
}

impl Account {
    fn since(&self, minute: i64) -> Amount {
        let mut sum = Amount::default();
        self.by_minute.range(minute..).for_each(|(_, amount)| sum.add(*amount));
        sum
    }

    /// Nothing spent, nothing allowed, and that was told.
    fn is_idle(&self) -> bool {
        self.by_minute.is_empty() && self.allowed_until.is_none() && self.told.as_ref().is_some_and(TollState::is_nothing)
    }
}

fn minute_of(at: Wall) -> i64 {
    at.0.div_euclid(60_000_000)
}

fn reached(ceilings: &Ceilings, hour: Amount, day: Amount) -> Option<Ceiling> {
    let long = |bound: Option<u32>, amount: Amount| bound.is_some_and(|bound| amount.minutes() >= u64::from(bound));
    let dear = |bound: Option<Money>, amount: Amount| bound.is_some_and(|bound| amount.cost >= bound);
    [
        (Ceiling::CostOfHour, dear(ceilings.cost_of_hour, hour)),
        (Ceiling::CostOfDay, dear(ceilings.cost_of_day, day)),
        (Ceiling::MinutesOfHour, long(ceilings.minutes_of_hour, hour)),
        (Ceiling::MinutesOfDay, long(ceilings.minutes_of_day, day)),
    ]
    .into_iter()
    .find_map(|(ceiling, is_reached)| is_reached.then_some(ceiling))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EURO: Money = Money(1_000_000);

    fn extension(number: &str) -> ExtensionNumber {
        ExtensionNumber::new(number).unwrap()
    }

    fn at(minute: i64) -> Wall {
        Wall((10_000 + minute) * 60_000_000)
    }

    fn rules(extension: Ceilings, house: Ceilings) -> TollRules {
        TollRules { extension, house, ..TollRules::default() }
    }

    fn talk(ledger: &mut Ledger, number: &str, minutes: u64, minute: i64) {
        ledger.spend(&extension(number), Duration::from_secs(60 * minutes), EURO, at(minute));
    }

    #[test]
    fn each_ceiling_stops_whom_it_is_for_and_opens_when_time_has_passed() {
        let each = |ceilings| rules(ceilings, Ceilings::default());
        let minutes = |minutes_of_hour, minutes_of_day| each(Ceilings { minutes_of_hour, minutes_of_day, ..Ceilings::default() });
        let cost = |cost_of_hour, cost_of_day| each(Ceilings { cost_of_hour, cost_of_day, ..Ceilings::default() });
        for (rules, ceiling, lasts) in [
            (minutes(Some(10), None), Ceiling::MinutesOfHour, 60),
            (minutes(None, Some(10)), Ceiling::MinutesOfDay, 24 * 60),
            (cost(Some(Money(10_000_000)), None), Ceiling::CostOfHour, 60),
            (cost(None, Some(Money(10_000_000))), Ceiling::CostOfDay, 24 * 60),
        ] {
            let mut ledger = Ledger::default();
            talk(&mut ledger, "201", 9, 0);
            talk(&mut ledger, "202", 9, 0);
            assert!(ledger.judge(&rules, at(0)).1.is_empty());
            talk(&mut ledger, "201", 1, 0);
            assert_eq!(ledger.judge(&rules, at(0)).1, [(Payer::Extension(extension("201")), ceiling)]);
            assert_eq!(ledger.stops(&extension("201")), Some(ceiling));
            assert_eq!(ledger.stops(&extension("202")), None);
            assert!(ledger.judge(&rules, at(lasts - 1)).1.is_empty(), "said once");
            assert_eq!(ledger.stops(&extension("201")), Some(ceiling));
            ledger.judge(&rules, at(lasts));
            assert_eq!(ledger.stops(&extension("201")), None, "{ceiling:?}");
        }
    }

    #[test]
    fn the_house_has_a_ceiling_above_all_and_an_allowance_opens_what_it_is_for() {
        let of_house = Ceilings { cost_of_hour: Some(Money(10_000_000)), ..Ceilings::default() };
        let rules = rules(Ceilings { minutes_of_hour: Some(8), ..Ceilings::default() }, of_house);
        let mut ledger = Ledger::default();
        talk(&mut ledger, "201", 8, 0);
        talk(&mut ledger, "202", 2, 0);
        assert_eq!(ledger.judge(&rules, at(0)).1.len(), 2);
        assert_eq!(ledger.stops(&extension("203")), Some(Ceiling::CostOfHour), "who has spent nothing is stopped too");
        ledger.allow(Payer::House, at(0));
        assert!(ledger.judge(&rules, at(0)).1.is_empty());
        assert_eq!(ledger.stops(&extension("203")), None);
        assert_eq!(ledger.stops(&extension("201")), Some(Ceiling::MinutesOfHour), "its own ceiling is another");
        talk(&mut ledger, "203", 1, 59);
        assert!(ledger.judge(&rules, at(59)).1.is_empty());
        assert_eq!(ledger.judge(&rules, at(60)).1, [], "by then the first ten are an hour ago");
        talk(&mut ledger, "203", 9, 60);
        assert_eq!(ledger.judge(&rules, at(60)).1.len(), 2, "an allowance ends");
    }

    #[test]
    fn what_the_store_kept_counts_as_before_and_is_forgotten_after_a_day() {
        let rules = TollRules::default();
        let mut ledger = Ledger::default();
        let rows = [
            ledger.spend(&extension("201"), Duration::from_secs(30), EURO, at(0)),
            ledger.spend(&extension("201"), Duration::from_secs(30), EURO, at(0)),
        ];
        assert_eq!(rows[1].amount, Amount { talked_us: 60_000_000, cost: EURO }, "a row is the whole minute");
        let (before, _) = ledger.judge(&rules, at(1));
        let mut again = Ledger::read(vec![rows[1].clone()]);
        assert_eq!(again.judge(&rules, at(1)).0, before);
        assert!(again.judge(&rules, at(1)).0.is_empty(), "nothing new is told");
        assert!(matches!(again.forget(at(1)), Some(TollChange::ForgetBefore(_))));
        assert!(again.forget(at(2)).is_none(), "once an hour");
        assert!(matches!(again.forget(at(24 * 60 + 1)), Some(TollChange::ForgetBefore(_))));
        let (after, _) = again.judge(&rules, at(24 * 60 + 1));
        assert!(after.iter().all(|state| state.day == Amount::default()) && after.len() == 2);
        again.forget(at(24 * 60 + 2));
        assert!(again.is_empty());
    }

    #[test]
    fn absurd_amounts_stop_at_the_bound_of_their_type() {
        let mut ledger = Ledger::default();
        for _ in 0..3 {
            ledger.spend(&extension("201"), Duration::MAX, Money(u64::MAX), at(0));
        }
        let (states, _) = ledger.judge(&TollRules::default(), at(0));
        assert!(states.iter().all(|state| state.reached.is_some() && state.hour.cost == Money(u64::MAX)));
    }
}
