//! What changes while one watches: the picture, then every change.

use std::collections::VecDeque;
use std::fmt;

use pbx_switch::status::Change;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::ban::{self, Ban};
use crate::api::call::{Call, shown};
use crate::api::extension::{Device, device};
use crate::api::toll::{self, Spending};
use crate::api::trunk::{self, LineStatus};
use crate::api::{Desk, Error, instant};
use crate::runtime::{News, Status, Watcher};

/// The phones of an extension.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Registration {
    /// Whose.
    pub extension: String,
    /// It has phones.
    pub registered: bool,
    /// They.
    pub devices: Vec<Device>,
}

/// A phone that knows the secret of its extension, and comes from where or as it may not.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TurnedAway {
    /// Whose.
    pub extension: String,
    /// Where it is; null if it is not turned away any more.
    pub address: Option<String>,
    /// `network`, `encryption`
    pub why: Option<String>,
    /// RFC 3339.
    pub at: Option<String>,
}

/// One message of the stream.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum LiveEvent {
    /// The whole picture: at the beginning, and after more was missed than is remembered.
    Snapshot {
        /// Extensions that have phones.
        registrations: Vec<Registration>,
        /// Calls in progress.
        calls: Vec<Call>,
        /// Lines to the outside that are switched on.
        lines: Vec<LineStatus>,
        /// Sources that are not listened to.
        bans: Vec<Ban>,
        /// Who has called outside within the last day.
        spendings: Vec<Spending>,
        /// Phones that are turned away in spite of the right secret.
        turned_away: Vec<TurnedAway>,
    },
    /// The phones of an extension.
    Registration(Registration),
    /// A call, new or changed.
    Call(Call),
    /// A call is over.
    CallEnded {
        /// Which.
        id: String,
    },
    /// A line, new or changed.
    Line(LineStatus),
    /// A line is gone.
    LineGone {
        /// Which.
        id: String,
    },
    /// A source is banned.
    Ban(Ban),
    /// And is not any more.
    BanEnded {
        /// Which.
        id: String,
    },
    /// How somebody stands with what calls may cost.
    Spending(Spending),
    /// A phone is turned away in spite of the right secret, or not any more.
    TurnedAway(TurnedAway),
}

/// Which message of the stream: which start of the house, and a number that rises by one with each change. `5f0c9a3be1d24768-1042`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventId {
    start: u64,
    sequence: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.start, self.sequence)
    }
}

impl EventId {
    /// As a page gives it back.
    pub fn parse(text: &str) -> Option<EventId> {
        let (start, sequence) = text.trim().split_once('-')?;
        Some(EventId { start: u64::from_str_radix(start, 16).ok()?, sequence: sequence.parse().ok()? })
    }
}

/// A watcher.
pub struct Watch {
    start: u64,
    ready: VecDeque<(u64, LiveEvent)>,
    watcher: Watcher,
}

/// Begins to watch: after the message that the page had last, if what followed it is still remembered; else with the whole picture.
pub fn watch(desk: &Desk, last: Option<EventId>) -> Result<Watch, Error> {
    let live = desk.live().ok_or(Error::NotFound)?;
    let start = live.board.start();
    // Numbers of another start mean other changes.
    let known = last.filter(|last| last.start == start).map(|last| last.sequence);
    Ok(Watch { start, ready: VecDeque::new(), watcher: live.board.watch(known) })
}

impl Watch {
    /// The next message with its id; `None` when nobody is left who could tell any. May be dropped while it waits: nothing is lost.
    pub async fn next(&mut self) -> Option<(EventId, LiveEvent)> {
        loop {
            if let Some((sequence, event)) = self.ready.pop_front() {
                return Some((EventId { start: self.start, sequence }, event));
            }
            match self.watcher.next().await? {
                News::Picture(status) => self.ready.push_back((status.sequence, snapshot(&status))),
                News::Changes(changes) => self.ready.extend(changes.iter().map(|update| (update.sequence, told(&update.change)))),
            }
        }
    }
}

fn snapshot(status: &Status) -> LiveEvent {
    LiveEvent::Snapshot {
        registrations: status.registrations.values().map(|known| registration(known)).collect(),
        calls: status.calls.values().map(|call| shown(call)).collect(),
        lines: status.lines.values().map(trunk::line_shown).collect(),
        bans: status.bans.values().map(ban::shown).collect(),
        spendings: status.tolls.values().map(toll::spending).collect(),
        turned_away: status.turned_away.values().map(turned_away).collect(),
    }
}

fn told(change: &Change) -> LiveEvent {
    match change {
        Change::Registration(changed) => LiveEvent::Registration(registration(changed)),
        Change::Call(call) => LiveEvent::Call(shown(call)),
        Change::CallEnded(key) => LiveEvent::CallEnded { id: key.0.to_string() },
        Change::Line(changed) => LiveEvent::Line(trunk::line_shown(changed)),
        Change::LineGone(key) => LiveEvent::LineGone { id: key.to_string() },
        Change::Ban(changed) => LiveEvent::Ban(ban::shown(changed)),
        Change::BanEnded(source) => LiveEvent::BanEnded { id: source.to_string() },
        Change::Toll(changed) => LiveEvent::Spending(toll::spending(changed)),
        Change::TurnedAway(changed) => LiveEvent::TurnedAway(turned_away(changed)),
    }
}

fn turned_away(turned: &pbx_switch::status::TurnedAway) -> TurnedAway {
    TurnedAway {
        extension: turned.extension.to_string(),
        address: turned.last.map(|(_, address, _)| address.to_string()),
        why: turned.last.map(|(_, _, why)| why.code().to_owned()),
        at: turned.last.map(|(at, _, _)| instant(at)),
    }
}

fn registration(registration: &pbx_switch::status::Registration) -> Registration {
    Registration {
        extension: registration.extension.to_string(),
        registered: !registration.devices.is_empty(),
        devices: registration.devices.iter().map(device).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_back_as_it_went_and_nonsense_is_none() {
        let id = EventId { start: 0x00ab_cdef, sequence: 1_042 };
        assert_eq!(id.to_string(), "0000000000abcdef-1042");
        assert_eq!(EventId::parse(&id.to_string()), Some(id));
        for nonsense in ["", "12", "-", "x-1", "1-x", "1--1", "1-99999999999999999999"] {
            assert_eq!(EventId::parse(nonsense), None, "{nonsense}");
        }
    }
}
