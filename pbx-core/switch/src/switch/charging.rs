//! Calls to the outside are counted while they go on; who has reached a ceiling is cut off, calls nobody any more but for help, and those
//! who look after the house are told.

use std::sync::Arc;
use std::time::Duration;

use pbx_sip::clock::{Now, Tick};

use crate::action::{Action, Kept};
use crate::call::line::Charge;
use crate::call::{CallKey, Outcome, Refusal};
use crate::dialplan::Step;
use crate::directory::{ExtensionNumber, Money};
use crate::status::Change;
use crate::switch::{Ongoing, Switch};
use crate::toll::{Ceiling, Ledger, Payer, Spent, TollChange};

/// How often running calls are counted: so late a ceiling may be noticed.
const OFTEN: Duration = Duration::from_secs(5);

/// How often it is looked whether a ceiling is not reached any more.
const SELDOM: Duration = Duration::from_secs(60);

/// What calls to the outside cost.
#[derive(Default)]
pub(super) struct Charging {
    ledger: Ledger,
    /// When it is counted next.
    pub(super) next: Option<Tick>,
    /// Until when it was counted.
    counted: Option<Tick>,
}

impl Switch {
    /// The books as the store kept them, before anything is received.
    pub fn resume_toll(&mut self, kept: Vec<Spent>, now: Now) {
        self.charging.ledger = Ledger::read(kept);
        self.judge_spending(now);
    }

    /// What a call to a number costs and who answers for it; nothing if it is free.
    pub(super) fn charge_for(&self, payer: Option<&ExtensionNumber>, number: &str) -> Option<Charge> {
        // Free is what the rates say is free; minutes are counted also where they say nothing.
        let per_minute = self.directory.toll.per_minute(number);
        let payer = payer.filter(|_| per_minute != Some(Money(0)))?.clone();
        Some(Charge { payer, per_minute: per_minute.unwrap_or_default(), counted: None })
    }

    /// The ceiling that keeps a call from going out.
    pub(super) fn stopped_by(&self, charge: Option<&Charge>) -> Option<Ceiling> {
        self.charging.ledger.stops(&charge?.payer)
    }

    /// A call that is counted has begun.
    pub(super) fn keep_counting(&mut self, now: Now) {
        let soon = now.tick + OFTEN;
        self.charging.counted = self.charging.counted.filter(|_| self.charging.next.is_some());
        self.charging.next = Some(self.charging.next.map_or(soon, |next| next.min(soon)));
    }

    /// Counts what has been said since the last time, of every call.
    pub(super) fn charges_due(&mut self, now: Now) {
        if self.charging.next.is_none_or(|next| next > now.tick) {
            return;
        }
        for key in self.calls.keys().copied().collect::<Vec<_>>() {
            self.count(key, now);
        }
        self.charging.counted = Some(now.tick);
        self.judge_spending(now);
    }

    /// Counts what has been said since the last time, of one call.
    pub(super) fn count(&mut self, key: CallKey, now: Now) {
        let Some(ongoing) = self.calls.get_mut(&key) else { return };
        // A clock that is set right while somebody talks costs nobody a fortune.
        let most = self.charging.counted.map_or(Duration::MAX, |counted| now.tick.since(counted) + OFTEN);
        let talked = ongoing.call.talked(now.wall);
        if talked.is_empty() {
            return;
        }
        let rows = talked
            .into_iter()
            .map(|(payer, per_minute, talked)| self.charging.ledger.spend(&payer, talked.min(most), per_minute, now.wall));
        let changes = rows.map(|spent| Kept::Toll(TollChange::Put(spent))).collect();
        // Soon: who ends the process does not open a ceiling.
        self.save(changes, true);
    }

    /// An administrator lets somebody go on for a while.
    pub(super) fn allow(&mut self, payer: Payer, now: Now) {
        self.charging.ledger.allow(payer, now.wall);
        self.judge_spending(now);
    }

    /// Who is stopped now, and who may go on; the pages see it, and calls that may not go on end.
    pub(super) fn judge_spending(&mut self, now: Now) {
        let directory = Arc::clone(&self.directory);
        if let Some(forget) = self.charging.ledger.forget(now.wall) {
            self.save(vec![Kept::Toll(forget)], false);
        }
        let (changed, stopped) = self.charging.ledger.judge(&directory.toll, now.wall);
        changed.into_iter().for_each(|state| self.publish(Change::Toll(state)));
        for (payer, ceiling) in stopped {
            self.actions.push_back(Action::CeilingReached { payer, ceiling, alerted: directory.toll.alerted.clone() });
        }
        let stopped = |ongoing: &Ongoing| ongoing.call.charges().any(|charge| self.stopped_by(Some(charge)).is_some());
        let cut: Vec<CallKey> = self.calls.iter().filter(|(_, ongoing)| stopped(ongoing)).map(|(key, _)| *key).collect();
        for key in cut {
            self.with_call(key, now, |call, outside| {
                call.trace.steps.push(Step::CeilingReached { at: now.wall });
                call.hang_up(Outcome::Refused(Refusal::CeilingReached), outside)
            });
        }
        let talking = self.calls.values().any(|ongoing| ongoing.call.charges().next().is_some());
        let again = if talking { Some(OFTEN) } else { (!self.charging.ledger.is_empty()).then_some(SELDOM) };
        self.charging.next = again.map(|after| now.tick + after);
    }
}
