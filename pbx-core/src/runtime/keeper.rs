//! The queues to the store: phones, subscriptions, what phones say and what calls cost in groups, records behind the calls. A database that is locked
//! holds no call; what waits is bounded, tried again, and told on the page.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pbx_switch::action::{Kept, SaveKey};
use pbx_switch::call::CallRecord;
use pbx_switch::directory::ExtensionNumber;
use pbx_switch::door::BanChange;
use pbx_switch::event::Event;
use pbx_switch::subscription::SubscriptionKey;
use pbx_switch::toll::TollChange;
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};

use crate::store::{self, Db, StoreError};

/// What can wait for the store at most, batches and records each.
pub const WAITING: usize = 20_000;

/// Records written in one transaction at most.
const GROUP: usize = 512;

/// Bindings that are written without waiting for more.
const BINDINGS: usize = 2_048;

/// How long a binding that a phone waits for waits for others: the group commit.
const GATHER: Duration = Duration::from_millis(4);

/// The same for a binding whose time only moved: nobody waits, and its phone may have moved it again by then.
const GATHER_REFRESHED: Duration = Duration::from_millis(400);

/// How long a write may take before the page says that the database is slow.
const SLOW: Duration = Duration::from_secs(2);

/// The same for a call record: nobody waits for it, and a transaction costs more than a row.
const GATHER_RECORDS: Duration = Duration::from_millis(250);

/// How long after a failure the store is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// How often the store is tried at the end of the house, before what could not be written is lost. What failed before the end does not
/// count: then all could wait.
const LAST_TRIES: usize = 5;

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
    code: Mutex<&'static str>,
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

    /// The kind of what it said, the catalogue's `store.<code>`; empty if all is well.
    pub fn code(&self) -> &'static str {
        *self.shared.code.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that found no place to wait, or could not be written before the end.
    pub fn lost(&self) -> usize {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// What the database said last; empty if all is well, or if it said nothing.
    pub fn last_error(&self) -> String {
        self.shared.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for a write, and tells how it went; of one that takes long already that it does.
    async fn watch(&self, write: impl Future<Output = Result<(), StoreError>>) -> Result<(), StoreError> {
        let mut write = std::pin::pin!(write);
        let done = match timeout(SLOW, &mut write).await {
            Ok(done) => done,
            Err(_) => {
                self.bad("slow", "");
                write.await
            }
        };
        match &done {
            Ok(()) => self.good(),
            Err(error) => self.bad(error.code(), &error.to_string()),
        }
        done
    }

    fn good(&self) {
        if self.shared.failing.swap(false, Ordering::Relaxed) {
            tracing::info!("the database takes what is written again");
            *self.shared.code.lock().unwrap_or_else(PoisonError::into_inner) = "";
            self.shared.last_error.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    fn bad(&self, code: &'static str, message: &str) {
        self.shared.failing.store(true, Ordering::Relaxed);
        let before = std::mem::replace(&mut *self.shared.code.lock().unwrap_or_else(PoisonError::into_inner), code);
        if before != code {
            tracing::error!(code, message, "the database does not take what is written; calls go on");
        }
        message.clone_into(&mut *self.shared.last_error.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The ends that the event loop holds.
pub struct Keeper {
    basket: Arc<Basket>,
    records: mpsc::Sender<CallRecord>,
    bans: mpsc::Sender<BanChange>,
    health: StoreHealth,
}

/// Where the switch puts what is to be kept and the writer takes it, all that are there at once. A queue would wake the writer for each.
#[derive(Default)]
struct Basket {
    gathered: Mutex<Gathered>,
    /// It is not empty any more.
    first: Notify,
    /// Somebody waits for what is in it, or it is full, or nothing more will come.
    urgent: Notify,
}

/// What has changed and is not on disk: of each thing the last state.
#[derive(Default)]
struct Gathered {
    changes: BTreeMap<Place, Kept>,
    /// Whom to tell.
    awaited: Vec<SaveKey>,
    /// Batches that nobody waited for and that found no place, since something was written last.
    unplaced: usize,
    closed: bool,
}

impl Keeper {
    /// Starts the queues; `events` hears when a batch that is waited for is on disk. The second part ends when all queues are closed
    /// and empty.
    pub fn start(db: Db, events: mpsc::Sender<Event>, health: StoreHealth) -> (Keeper, impl Future<Output = ()>) {
        let basket = Arc::new(Basket::default());
        let (records, record_queue) = mpsc::channel(WAITING);
        let commits = tokio::spawn(keep_changes(db.clone(), Arc::clone(&basket), events, health.clone()));
        let (bans, ban_queue) = mpsc::channel(WAITING);
        let bans_kept = tokio::spawn(keep_bans(db.clone(), ban_queue, health.clone()));
        let writes = tokio::spawn(keep_records(db, record_queue, health.clone()));
        let ended = async move {
            let _ = commits.await;
            let _ = writes.await;
            let _ = bans_kept.await;
        };
        (Keeper { basket, records, bans, health }, ended)
    }

    /// Hands a batch over; false if there is no place.
    pub fn save(&self, key: SaveKey, changes: Vec<Kept>, awaited: bool) -> bool {
        self.basket.put(changes, awaited.then_some(key))
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

impl Keeper {
    /// Hands a ban over. One that finds no place holds all the same, until the next start.
    pub fn ban(&self, change: BanChange) {
        if self.bans.try_send(change).is_err() {
            tracing::warn!("a ban found no place to wait; it will not outlive a restart");
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.basket.lock().closed = true;
        self.basket.first.notify_one();
        self.basket.urgent.notify_one();
    }
}

impl Basket {
    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False if there is no place.
    fn put(&self, changes: Vec<Kept>, awaited: Option<SaveKey>) -> bool {
        let mut gathered = self.lock();
        if gathered.changes.len() >= WAITING || gathered.awaited.len() >= WAITING {
            // Whoever waits is told; of the others this is the only word.
            if awaited.is_none() {
                if gathered.unplaced == 0 {
                    tracing::error!(
                        waiting = gathered.changes.len(),
                        "bindings find no place to wait; the disk will not know of them"
                    );
                }
                gathered.unplaced += 1;
            }
            return false;
        }
        let was_empty = gathered.changes.is_empty();
        for change in changes {
            gathered.changes.insert(place_of(&change), change);
        }
        gathered.awaited.extend(awaited);
        if was_empty {
            self.first.notify_one();
        }
        if awaited.is_some() || gathered.changes.len() >= BINDINGS {
            self.urgent.notify_one();
        }
        true
    }

    /// What could not be written, unless it has changed again.
    fn put_back(&self, changes: Vec<Kept>) {
        let mut gathered = self.lock();
        for change in changes {
            gathered.changes.entry(place_of(&change)).or_insert(change);
        }
    }

    /// Something was written: there is place again.
    fn written(&self) {
        let lost = std::mem::take(&mut self.lock().unplaced);
        if lost > 0 {
            tracing::warn!(lost, "changes of bindings found no place to wait and were not written");
        }
    }

    /// Waits for something, and then for what comes soon after it; `again` if something is left from before.
    async fn gather(&self, again: bool) -> Gathered {
        if !again {
            self.first.notified().await;
        }
        let patience = if again { AGAIN } else { GATHER_REFRESHED };
        let _ = timeout(patience, self.urgent.notified()).await;
        if !self.lock().closed {
            sleep(GATHER).await;
        } else if again {
            sleep(AGAIN).await;
        }
        let mut gathered = self.lock();
        Gathered {
            changes: std::mem::take(&mut gathered.changes),
            awaited: std::mem::take(&mut gathered.awaited),
            unplaced: gathered.unplaced,
            closed: gathered.closed,
        }
    }
}

/// What a change is of.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Binding(ExtensionNumber, String),
    Subscription(SubscriptionKey),
    Publication(String),
    Toll(ExtensionNumber, i64),
    TollForgotten,
}

fn place_of(change: &Kept) -> Place {
    match change {
        Kept::Binding(change) => Place::Binding(change.aor().clone(), change.key()),
        Kept::Subscription(change) => Place::Subscription(change.key()),
        Kept::Publication(change) => Place::Publication(change.tag().to_owned()),
        Kept::Toll(TollChange::Put(spent)) => Place::Toll(spent.extension.clone(), spent.minute),
        Kept::Toll(TollChange::ForgetBefore(_)) => Place::TollForgotten,
    }
}

async fn keep_changes(db: Db, basket: Arc<Basket>, events: mpsc::Sender<Event>, health: StoreHealth) {
    let mut failed = false;
    let mut last_tries = 0;
    loop {
        let Gathered { changes, awaited, closed, .. } = basket.gather(failed).await;
        let changes: Vec<Kept> = changes.into_values().collect();
        let written = if changes.is_empty() { Ok(()) } else { health.watch(store::kept::commit(&db, &changes)).await };
        let stored = written.is_ok();
        match written {
            Ok(()) if changes.is_empty() => {}
            Ok(()) => {
                failed = false;
                basket.written();
            }
            // What was not written stays, for the next time; whoever waits is told that it is not on disk.
            Err(_) => {
                failed = true;
                last_tries += usize::from(closed);
                if last_tries >= LAST_TRIES {
                    tracing::error!(lost = changes.len(), "bindings could not be written before the end");
                } else {
                    basket.put_back(changes);
                }
            }
        }
        for batch in awaited {
            let _ = events.send(Event::Saved { batch, stored }).await;
        }
        if closed && basket.lock().changes.is_empty() {
            return;
        }
    }
}

async fn keep_bans(db: Db, mut queue: mpsc::Receiver<BanChange>, health: StoreHealth) {
    let mut group = Vec::new();
    while queue.recv_many(&mut group, GROUP).await > 0 {
        let mut tries = 0;
        while health.watch(store::ban::commit(&db, &group)).await.is_err() {
            tries += usize::from(queue.is_closed());
            if tries >= LAST_TRIES {
                return tracing::error!(lost = group.len(), "bans could not be written before the end");
            }
            sleep(AGAIN).await;
        }
        group.clear();
    }
}

async fn keep_records(db: Db, mut queue: mpsc::Receiver<CallRecord>, health: StoreHealth) {
    let mut group = Vec::with_capacity(GROUP);
    let mut last_tries = LAST_TRIES;
    while queue.recv_many(&mut group, GROUP).await > 0 {
        if group.len() < GROUP && !queue.is_closed() {
            sleep(GATHER_RECORDS).await;
            group.extend(std::iter::from_fn(|| queue.try_recv().ok()).take(GROUP - group.len()));
        }
        let mut tries = 0;
        // Until it is written: a lock passes. At the end of the house a few tries more, and then it is put aside for the next start.
        let written = loop {
            if health.watch(store::call_record::insert(&db, &group)).await.is_ok() {
                break true;
            }
            tries += usize::from(queue.is_closed());
            if tries >= last_tries && queue.is_closed() {
                break false;
            }
            sleep(AGAIN).await;
        };
        if !written {
            // The next group need not wait as long in vain.
            last_tries = 0;
            match store::aside::set_aside(&db, &group).await {
                Ok(()) => tracing::warn!(records = group.len(), "call records wait on disk for the next start"),
                Err(error) => {
                    health.shared.lost.fetch_add(group.len(), Ordering::Relaxed);
                    tracing::error!(%error, lost = group.len(), "call records could not be written before the end");
                }
            }
        }
        health.shared.waiting.fetch_sub(group.len(), Ordering::Relaxed);
        group.clear();
    }
}

#[cfg(test)]
mod tests {
    use pbx_switch::registrar::BindingChange;

    use super::*;
    use crate::config::DatabaseUrl;
    use crate::store::binding::tests::binding;
    use crate::store::call_record::tests::record;

    #[tokio::test]
    async fn what_is_waited_for_is_on_disk_when_it_is_told_and_of_the_rest_the_last_state() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&DatabaseUrl::Sqlite, folder.path()).await.unwrap();
        let (tell, mut events) = mpsc::channel(16);
        let (keeper, ended) = Keeper::start(db.clone(), tell, StoreHealth::default());
        let mut known = binding("201", "sip:201@192.0.2.1");
        assert!(keeper.save(SaveKey(1), vec![BindingChange::Put(known.clone()).into()], true));
        assert_eq!(saved(&mut events).await, (SaveKey(1), true));
        assert_eq!(store::binding::all(&db).await.unwrap(), [known.clone()]);
        for cseq in 2..500 {
            known.cseq = cseq;
            assert!(keeper.save(SaveKey(u64::from(cseq)), vec![BindingChange::Put(known.clone()).into()], false));
        }
        drop(keeper);
        ended.await;
        assert_eq!(store::binding::all(&db).await.unwrap(), [known], "a clean stop loses nothing");
        assert!(events.recv().await.is_none(), "nobody waited for the others");
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_told_and_lost_only_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&DatabaseUrl::Sqlite, folder.path()).await.unwrap();
        db.close().await;
        let (tell, mut events) = mpsc::channel(16);
        let health = StoreHealth::default();
        let (keeper, ended) = Keeper::start(db, tell, health.clone());
        let lost = BindingChange::Put(binding("201", "sip:201@192.0.2.1")).into();
        assert!(keeper.save(SaveKey(1), vec![lost], true));
        assert_eq!(saved(&mut events).await, (SaveKey(1), false));
        assert!(health.is_failing());
        // The words of a lane that is closed are ours, and for the log.
        assert_eq!((health.code(), health.last_error().as_str()), ("broken", ""));
        drop(keeper);
        ended.await;
    }

    #[tokio::test]
    async fn an_outage_before_the_end_takes_nothing_from_the_last_tries() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&DatabaseUrl::Sqlite, folder.path()).await.unwrap();
        db.close().await;
        let (tell, mut events) = mpsc::channel(16);
        let health = StoreHealth::default();
        let (keeper, ended) = Keeper::start(db, tell, health.clone());
        for key in 1..=LAST_TRIES as u64 + 2 {
            assert!(keeper.save(SaveKey(key), vec![BindingChange::Put(binding("201", "sip:201@192.0.2.1")).into()], true));
            assert_eq!(saved(&mut events).await, (SaveKey(key), false));
        }
        drop(keeper);
        let closed = std::time::Instant::now();
        ended.await;
        let tried_for = closed.elapsed();
        assert!(tried_for >= AGAIN * (LAST_TRIES as u32 - 1), "given up after {tried_for:?}");
    }

    #[test]
    fn what_finds_no_place_is_counted_until_something_is_written() {
        let basket = Basket::default();
        let change = |place: usize| vec![Kept::from(BindingChange::Put(binding("201", &format!("sip:{place}@192.0.2.1"))))];
        assert!((0..WAITING).all(|place| basket.put(change(place), None)));
        assert!(!basket.put(change(WAITING), Some(SaveKey(1))), "who waits is told");
        assert_eq!(basket.lock().unplaced, 0);
        assert!((0..3).all(|place| !basket.put(change(WAITING + place), None)));
        assert_eq!(basket.lock().unplaced, 3);
        basket.written();
        assert_eq!(basket.lock().unplaced, 0);
    }

    #[tokio::test]
    async fn records_that_cannot_be_written_are_there_after_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&DatabaseUrl::Sqlite, folder.path()).await.unwrap();
        db.close().await;
        let (tell, _events) = mpsc::channel(16);
        let health = StoreHealth::default();
        let (keeper, ended) = Keeper::start(db, tell, health.clone());
        let records = GROUP as u64 + 5;
        (1..=records).for_each(|key| keeper.record(record(key, "201", "202")));
        assert_eq!(health.waiting() as u64, records);
        drop(keeper);
        ended.await;
        assert_eq!((health.waiting(), health.lost()), (0, 0));
        let db = Db::open(&DatabaseUrl::Sqlite, folder.path()).await.unwrap();
        assert_eq!(
            store::call_record::page(&db, &store::call_record::Sought::default(), None, 10_000).await.unwrap().len() as u64,
            records
        );
    }

    async fn saved(events: &mut mpsc::Receiver<Event>) -> (SaveKey, bool) {
        match events.recv().await {
            Some(Event::Saved { batch, stored }) => (batch, stored),
            other => panic!("{other:?}"),
        }
    }
}
