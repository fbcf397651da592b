//! What changes while one watches: the picture, then every change.

use std::collections::VecDeque;

use pbx_switch::status::Change;
use serde::Serialize;
use tokio::sync::broadcast;
use utoipa::ToSchema;

use crate::api::call::{Call, shown};
use crate::api::extension::{Device, device};
use crate::api::{Desk, Error};
use crate::runtime::{Status, Update};

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
}

/// A watcher.
pub struct Watch {
    ready: VecDeque<(u64, LiveEvent)>,
    updates: broadcast::Receiver<Update>,
    desk: Desk,
}

/// Begins to watch.
pub fn watch(desk: &Desk) -> Result<Watch, Error> {
    let live = desk.live().ok_or(Error::NotFound)?;
    let (status, updates) = live.board.subscribe();
    let ready = VecDeque::from([(status.sequence, snapshot(&status))]);
    Ok(Watch { ready, updates, desk: desk.clone() })
}

impl Watch {
    /// The next message with its number; `None` when the house closes.
    pub async fn next(&mut self) -> Option<(u64, LiveEvent)> {
        if let Some(ready) = self.ready.pop_front() {
            return Some(ready);
        }
        match self.updates.recv().await {
            Ok(update) => Some((update.sequence, told(&update.change))),
            Err(broadcast::error::RecvError::Closed) => None,
            // Too far behind: the picture anew.
            Err(broadcast::error::RecvError::Lagged(_)) => {
                let (status, updates) = self.desk.live()?.board.subscribe();
                self.updates = updates;
                Some((status.sequence, snapshot(&status)))
            }
        }
    }
}

fn snapshot(status: &Status) -> LiveEvent {
    LiveEvent::Snapshot {
        registrations: status.registrations.values().map(registration).collect(),
        calls: status.calls.values().map(shown).collect(),
    }
}

fn told(change: &Change) -> LiveEvent {
    match change {
        Change::Registration(changed) => LiveEvent::Registration(registration(changed)),
        Change::Call(call) => LiveEvent::Call(shown(call)),
        Change::CallEnded(key) => LiveEvent::CallEnded { id: key.0.to_string() },
    }
}

fn registration(registration: &pbx_switch::status::Registration) -> Registration {
    Registration {
        extension: registration.extension.to_string(),
        registered: !registration.devices.is_empty(),
        devices: registration.devices.iter().map(device).collect(),
    }
}
