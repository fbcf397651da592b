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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_folded_into_the_picture_and_handed_on() {
        let board = StatusBoard::default();
        let (before, mut updates) = board.subscribe();
        assert_eq!((before.sequence, before.registrations.len()), (0, 0));
        board.publish(phones(1, 1));
        board.publish(phones(2, 0));
        board.publish(phones(3, 2));
        let (after, _) = board.subscribe();
        assert_eq!((after.sequence, after.registrations.len()), (3, 1));
        assert_eq!(board.read(|status| status.registrations.values().map(|known| known.devices.len()).sum::<usize>()), 2);
        let heard: Vec<u64> = std::iter::from_fn(|| updates.try_recv().ok()).map(|update| update.sequence).collect();
        assert_eq!(heard, [1, 2, 3]);
    }

    #[test]
    fn who_is_too_far_behind_is_told_so_and_costs_no_more() {
        let board = StatusBoard::default();
        let (_, mut slow) = board.subscribe();
        (1..=3_000).for_each(|sequence| board.publish(phones(sequence, 1)));
        assert!(matches!(slow.try_recv(), Err(broadcast::error::TryRecvError::Lagged(_))));
        assert!(slow.len() <= BEHIND);
    }

    fn phones(sequence: u64, count: usize) -> Published {
        let device = pbx_switch::status::Device {
            contact: "sip:201@192.0.2.1".to_owned(),
            user_agent: None,
            address: ([192, 0, 2, 1], 5060).into(),
            transport: "UDP".to_owned(),
            expires: pbx_sip::clock::Wall(1),
        };
        let extension = ExtensionNumber::new("201").unwrap();
        Published { sequence, change: Change::Registration(Registration { extension, devices: vec![device; count] }) }
    }
}
