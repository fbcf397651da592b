//! The queues to the store: bindings in groups, records behind the calls. A database that is locked holds no call; what waits is
//! bounded, tried again, and told on the page.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pbx_switch::action::SaveKey;
use pbx_switch::call::CallRecord;
use pbx_switch::event::Event;
use pbx_switch::registrar::BindingChange;
use tokio::sync::mpsc;

use crate::store::{self, Db};

/// What can wait for the store at most, batches and records each.
pub const WAITING: usize = 20_000;

/// Written in one transaction at most.
const GROUP: usize = 512;

/// How the store does.
#[derive(Clone, Default)]
pub struct StoreHealth {
    shared: Arc<Health>,
}

#[derive(Default)]
struct Health {
    failing: AtomicBool,
    waiting: AtomicUsize,
    lost: AtomicUsize,
    last_error: Mutex<String>,
}

impl StoreHealth {
    /// The last write did not succeed.
    pub fn is_failing(&self) -> bool {
        self.shared.failing.load(Ordering::Relaxed)
    }

    /// Records that wait to be written.
    pub fn waiting(&self) -> usize {
        self.shared.waiting.load(Ordering::Relaxed)
    }

    /// Records that found no place to wait.
    pub fn lost(&self) -> usize {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// What the database said last; empty if all is well.
    pub fn last_error(&self) -> String {
        self.shared.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn good(&self) {
        if self.shared.failing.swap(false, Ordering::Relaxed) {
            tracing::info!("the database takes what is written again");
            self.shared.last_error.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    fn bad(&self, error: &store::StoreError) {
        if !self.shared.failing.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, "the database does not take what is written; calls go on");
        }
        *self.shared.last_error.lock().unwrap_or_else(PoisonError::into_inner) = error.to_string();
    }
}

/// A batch of bindings on its way.
pub struct Batch {
    /// Whom to tell.
    pub key: SaveKey,
    /// What.
    pub changes: Vec<BindingChange>,
}

/// The ends that the event loop holds.
pub struct Keeper {
    batches: mpsc::Sender<Batch>,
    records: mpsc::Sender<CallRecord>,
    health: StoreHealth,
}

impl Keeper {
    /// Starts both queues; `events` hears when a batch is on disk. The second part ends when both queues are closed and empty.
    pub fn start(db: Db, events: mpsc::Sender<Event>, health: StoreHealth) -> (Keeper, impl Future<Output = ()>) {
        let (batches, batch_queue) = mpsc::channel(WAITING);
        let (records, record_queue) = mpsc::channel(WAITING);
        let commits = tokio::spawn(keep_bindings(db.clone(), batch_queue, events, health.clone()));
        let writes = tokio::spawn(keep_records(db, record_queue, health.clone()));
        let ended = async move {
            let _ = commits.await;
            let _ = writes.await;
        };
        (Keeper { batches, records, health }, ended)
    }

    /// Hands a batch over; gives its key back if there is no place.
    pub fn save(&self, key: SaveKey, changes: Vec<BindingChange>) -> Option<SaveKey> {
        self.batches.try_send(Batch { key, changes }).err().map(|_| key)
    }

    /// Hands a record over.
    pub fn record(&self, record: CallRecord) {
        self.health.shared.waiting.fetch_add(1, Ordering::Relaxed);
        if self.records.try_send(record).is_err() {
            self.health.shared.waiting.fetch_sub(1, Ordering::Relaxed);
            self.health.shared.lost.fetch_add(1, Ordering::Relaxed);
            tracing::error!("a call record found no place to wait, and is lost");
        }
    }
}

async fn keep_bindings(db: Db, mut queue: mpsc::Receiver<Batch>, events: mpsc::Sender<Event>, health: StoreHealth) {
    let mut group = Vec::with_capacity(GROUP);
    while queue.recv_many(&mut group, GROUP).await > 0 {
        let changes: Vec<BindingChange> = group.iter_mut().flat_map(|batch| std::mem::take(&mut batch.changes)).collect();
        let stored = match store::binding::commit(&db, &changes).await {
            Ok(()) => {
                health.good();
                true
            }
            Err(error) => {
                health.bad(&error);
                false
            }
        };
        for batch in group.drain(..) {
            let _ = events.send(Event::Saved { batch: batch.key, stored }).await;
        }
    }
}

async fn keep_records(db: Db, mut queue: mpsc::Receiver<CallRecord>, health: StoreHealth) {
    let mut group = Vec::with_capacity(GROUP);
    while queue.recv_many(&mut group, GROUP).await > 0 {
        let mut tries = 0;
        // Until it is written: a lock passes. At the end of the house a few tries more, and then it is said what was lost.
        while let Err(error) = store::call_record::insert(&db, &group).await {
            health.bad(&error);
            tries += 1;
            if queue.is_closed() && tries > 5 {
                tracing::error!(lost = group.len(), "call records could not be written before the end");
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        if tries == 0 || !queue.is_closed() {
            health.good();
        }
        health.shared.waiting.fetch_sub(group.len(), Ordering::Relaxed);
        group.clear();
    }
}
