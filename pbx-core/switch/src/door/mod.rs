//! Who is turned away: what strangers get wrong is counted by source, and whoever gets too much wrong is banned, each time for longer.
//! Beside that a source that guesses at one account is slowed down there, without a word and without holding up that account's phones.
//!
//! Knows sources and names, neither messages nor sockets; who carries a ban out is told by [`BanChange`]. Every table is bounded.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use pbx_sip::clock::{Tick, Wall};
use serde::{Deserialize, Serialize};

use crate::directory::Network;

/// What a stranger did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offence {
    /// Asked for something without a secret, as every phone does once; or asked what we can do.
    Unproven,
    /// A wrong secret, or a name that nobody has.
    WrongSecret,
    /// Octets that are no message.
    Malformed,
}

impl Offence {
    /// `unproven`, `wrong_secret`, `malformed`
    pub fn as_str(self) -> &'static str {
        match self {
            Offence::Unproven => "unproven",
            Offence::WrongSecret => "wrong_secret",
            Offence::Malformed => "malformed",
        }
    }

    /// How much of [`MOST`] it takes.
    fn points(self) -> f64 {
        match self {
            Offence::Unproven => 1.0,
            Offence::Malformed => 4.0,
            Offence::WrongSecret => 10.0,
        }
    }
}

/// A source that is not listened to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// An IPv4 address, or the /64 of an IPv6 one.
    pub source: IpAddr,
    /// What it did last.
    pub why: Offence,
    /// How often it has been banned.
    pub times: u32,
    /// From when.
    pub since: Wall,
    /// Until when.
    pub until: Wall,
}

/// What has become of a ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BanChange {
    /// Not listened to from now on.
    Begun(Ban),
    /// Listened to again; remembered, so that the next one is longer.
    Ended(IpAddr),
    /// Not remembered any more.
    Forgotten(IpAddr),
}

/// More than this within a short time, and a source is banned: ten wrong secrets, or a hundred numbers tried.
const MOST: f64 = 100.0;

/// So much is forgiven in a second: a phone with a wrong secret that asks once a minute stays below.
const FORGIVEN: f64 = 0.2;

/// How long the first ban is, the second, and so on; the last for all that follow.
const LENGTHS: [Duration; 4] =
    [Duration::from_secs(600), Duration::from_secs(3_600), Duration::from_secs(6 * 3_600), Duration::from_secs(24 * 3_600)];

/// How long after its end a ban is remembered.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Sources that are counted at once, and bans that are remembered; whoever was seen first, or whose ban ends first, makes room.
pub const MOST_SOURCES: usize = 10_000;

/// Wrong secrets for one account from one source before that source waits.
const FREE_TRIES: u32 = 5;

/// It waits a second, then twice as long each time, up to this.
const LONGEST_WAIT: Duration = Duration::from_secs(900);

/// The door of a house.
#[derive(Debug, Default)]
pub struct Door {
    own: Vec<Network>,
    counted: BTreeMap<IpAddr, Counted>,
    /// In the order in which they were seen first; some may be forgotten already.
    seen: VecDeque<IpAddr>,
    tries: BTreeMap<(String, IpAddr), Tries>,
    tried: VecDeque<(String, IpAddr)>,
    bans: BTreeMap<IpAddr, Ban>,
    /// When a ban ends, or is forgotten.
    due: BTreeMap<(Wall, IpAddr), ()>,
}

#[derive(Debug)]
struct Counted {
    points: f64,
    at: Tick,
}

#[derive(Debug)]
struct Tries {
    wrong: u32,
    /// Not looked at before this.
    until: Tick,
}

impl Door {
    /// Networks that are never banned, beside this machine, and what the store remembers.
    pub fn open(&mut self, own: Vec<Network>, bans: Vec<Ban>, now: Wall) -> Vec<BanChange> {
        self.own = own;
        let mut changes = Vec::new();
        for ban in bans {
            if self.is_own(ban.source) || now >= ban.until + REMEMBERED {
                changes.push(BanChange::Forgotten(ban.source));
            } else {
                if ban.until > now {
                    changes.push(BanChange::Begun(ban.clone()));
                }
                self.note(ban, now);
            }
        }
        changes
    }

    /// Counts what a source did; `is_known` tells whether a phone of ours is registered from there or a carrier of
    /// ours is there, which is asked before a ban alone.
    pub fn offended(
        &mut self,
        source: IpAddr,
        offence: Offence,
        is_known: impl FnOnce() -> bool,
        tick: Tick,
        now: Wall,
    ) -> Vec<BanChange> {
        if self.is_own(source) {
            return Vec::new();
        }
        if !self.counted.contains_key(&source) {
            while self.counted.len() >= MOST_SOURCES {
                let Some(oldest) = self.seen.pop_front() else { break };
                self.counted.remove(&oldest);
            }
            self.seen.push_back(source);
        }
        let counted = self.counted.entry(source).or_insert(Counted { points: 0.0, at: tick });
        counted.points = (counted.points - tick.since(counted.at).as_secs_f64() * FORGIVEN).max(0.0) + offence.points();
        counted.at = tick;
        if counted.points < MOST {
            return Vec::new();
        }
        self.acquit(source);
        // Behind one address there may be a house of ours with one phone that is set up wrongly, and anybody can write a sender's address
        // onto a datagram.
        if is_known() {
            return Vec::new();
        }
        self.ban(source, offence, now)
    }

    /// A source has proved to know a secret.
    pub fn proved(&mut self, source: IpAddr, account: &str) {
        self.acquit(source);
        if !self.tries.is_empty() {
            let key = (account.to_owned(), source);
            if self.tries.remove(&key).is_some() {
                self.tried.retain(|tried| *tried != key);
            }
        }
    }

    /// A wrong secret for an account, whether there is one of that name or not.
    pub fn guessed(&mut self, source: IpAddr, account: &str, tick: Tick) {
        if self.is_own(source) {
            return;
        }
        let key = (account.chars().take(64).collect::<String>(), source);
        if !self.tries.contains_key(&key) {
            if self.tries.len() >= MOST_SOURCES
                && let Some(oldest) = self.tried.pop_front()
            {
                self.tries.remove(&oldest);
            }
            self.tried.push_back(key.clone());
        }
        let tries = self.tries.entry(key).or_insert(Tries { wrong: 0, until: tick });
        tries.wrong = tries.wrong.saturating_add(1);
        if let Some(beyond) = tries.wrong.checked_sub(FREE_TRIES) {
            tries.until = tick + Duration::from_secs(1 << beyond.min(10)).min(LONGEST_WAIT);
        }
    }

    /// Must this source wait before its next secret for an account is looked at? A right one is answered as a wrong one meanwhile.
    pub fn must_wait(&self, source: IpAddr, account: &str, tick: Tick) -> bool {
        !self.tries.is_empty() && self.tries.get(&(account.to_owned(), source)).is_some_and(|tries| tick < tries.until)
    }

    /// An administrator lets a source in again; what it did is forgotten.
    pub fn lift(&mut self, source: IpAddr, now: Wall) -> Vec<BanChange> {
        let Some(ban) = self.bans.remove(&source) else { return Vec::new() };
        self.due.remove(&(due(&ban, now), source));
        self.due.remove(&(ban.until, source));
        let ended = (ban.until > now).then_some(BanChange::Ended(source));
        ended.into_iter().chain([BanChange::Forgotten(source)]).collect()
    }

    /// What has ended by now, or need not be remembered any more.
    pub fn lapse(&mut self, now: Wall) -> Vec<BanChange> {
        let mut changes = Vec::new();
        while let Some((&(when, source), ())) = self.due.first_key_value() {
            if when > now {
                break;
            }
            self.due.pop_first();
            let Some(until) = self.bans.get(&source).map(|ban| ban.until) else { continue };
            if when == until {
                self.due.insert((until + REMEMBERED, source), ());
                changes.push(BanChange::Ended(source));
            } else {
                self.bans.remove(&source);
                changes.push(BanChange::Forgotten(source));
            }
        }
        changes
    }

    /// When to ask again.
    pub fn next_lapse(&self) -> Option<Wall> {
        self.due.first_key_value().map(|((when, _), ())| *when)
    }

    /// What a source did is forgiven.
    fn acquit(&mut self, source: IpAddr) {
        if self.counted.remove(&source).is_some() {
            self.seen.retain(|seen| *seen != source);
        }
    }

    /// Is it this machine, or in one of the house's own networks?
    pub fn is_own(&self, source: IpAddr) -> bool {
        source.is_loopback() || self.own.iter().any(|network| network.contains(source))
    }

    fn ban(&mut self, source: IpAddr, why: Offence, now: Wall) -> Vec<BanChange> {
        let before = self.bans.get(&source);
        // Octets that were on their way when the ban began.
        if before.is_some_and(|ban| ban.until > now) {
            return Vec::new();
        }
        let times = before.map_or(0, |ban| ban.times).saturating_add(1);
        let length = LENGTHS[usize::try_from(times - 1).unwrap_or(usize::MAX).min(LENGTHS.len() - 1)];
        let mut changes = Vec::new();
        if before.is_none() && self.bans.len() >= MOST_SOURCES {
            let first = self.due.first_key_value().map(|((_, source), ())| *source);
            changes.extend(first.into_iter().flat_map(|first| self.lift(first, now)));
        }
        if let Some(before) = self.bans.remove(&source) {
            self.due.remove(&(before.until + REMEMBERED, source));
            self.due.remove(&(before.until, source));
        }
        let ban = Ban { source, why, times, since: now, until: now + length };
        self.note(ban.clone(), now);
        changes.push(BanChange::Begun(ban));
        changes
    }

    fn note(&mut self, ban: Ban, now: Wall) {
        self.due.insert((due(&ban, now), ban.source), ());
        self.bans.insert(ban.source, ban);
    }
}

/// When something becomes of a ban.
fn due(ban: &Ban, now: Wall) -> Wall {
    if ban.until > now { ban.until } else { ban.until + REMEMBERED }
}

#[cfg(test)]
mod tests;
