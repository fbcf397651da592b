//! What pages may know: changes folded into a picture, and handed on one by one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use pbx_switch::call::CallKey;
use pbx_switch::directory::ExtensionNumber;
use pbx_switch::status::{Change, LiveCall, Published, Registration};
use tokio::sync::broadcast;

/// Changes that a slow page may be behind; more, and it is given the whole picture anew.
const BEHIND: usize = 1024;

/// The picture.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Number of the last change in it.
    pub sequence: u64,
    /// Extensions with phones.
    pub registrations: BTreeMap<ExtensionNumber, Registration>,
    /// Calls in progress.
    pub calls: BTreeMap<CallKey, LiveCall>,
}

/// A change on its way to pages.
pub type Update = Arc<Published>;

/// Where the picture hangs.
#[derive(Clone)]
pub struct StatusBoard {
    status: Arc<Mutex<Status>>,
    updates: broadcast::Sender<Update>,
}

impl Default for StatusBoard {
    fn default() -> StatusBoard {
        StatusBoard { status: Arc::default(), updates: broadcast::Sender::new(BEHIND) }
    }
}

impl StatusBoard {
    /// Puts a change into the picture, and hands it on.
    pub fn publish(&self, published: Published) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.sequence = published.sequence;
        match &published.change {
            Change::Registration(registration) if registration.devices.is_empty() => {
                status.registrations.remove(&registration.extension);
            }
            Change::Registration(registration) => {
                status.registrations.insert(registration.extension.clone(), registration.clone());
            }
            Change::Call(call) => {
                status.calls.insert(call.key, (**call).clone());
            }
            Change::CallEnded(key) => {
                status.calls.remove(key);
            }
        }
        let _ = self.updates.send(Arc::new(published));
    }

    /// Reads the picture.
    pub fn read<T>(&self, look: impl FnOnce(&Status) -> T) -> T {
        look(&self.status.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The picture as it is, and every change after it.
    pub fn subscribe(&self) -> (Status, broadcast::Receiver<Update>) {
        let status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        (status.clone(), self.updates.subscribe())
    }
}
