//! The subscriptions of a house, found by what they are asked for.

use std::collections::{BTreeMap, BTreeSet};

use pbx_sip::clock::{Now, Tick, Wall};
use pbx_sip::dialog::DialogId;
use pbx_sip::stack::ClientKey;

use crate::directory::ExtensionNumber;
use crate::subscription::message_summary::MessagesWaiting;
use crate::subscription::presence::Said;
use crate::subscription::{Publication, Subscription, SubscriptionKey};

/// The subscriptions of a house.
#[derive(Default)]
pub struct Subscriptions {
    pub(crate) by_key: BTreeMap<SubscriptionKey, Subscription>,
    pub(crate) by_dialog: BTreeMap<DialogId, SubscriptionKey>,
    /// Who is watched, by whom.
    pub(crate) watched: BTreeMap<ExtensionNumber, BTreeSet<SubscriptionKey>>,
    /// Who watches.
    pub(crate) watching: BTreeMap<ExtensionNumber, BTreeSet<SubscriptionKey>>,
    /// Of whom something has changed since watchers were told last.
    pub(crate) touched: BTreeSet<ExtensionNumber>,
    pub(crate) lapses: BTreeSet<(Wall, SubscriptionKey)>,
    /// Those that are told at a time of their own.
    pub(crate) due: BTreeSet<(Tick, SubscriptionKey)>,
    /// NOTIFYs that wait for an answer. One whose subscription is over belongs to nobody.
    pub(crate) notifies: BTreeMap<ClientKey, Option<SubscriptionKey>>,
    /// What phones say of their owners, by its entity tag.
    pub(crate) publications: BTreeMap<ExtensionNumber, Vec<Publication>>,
    /// When the first of them lapses.
    pub(crate) next_publication: Option<Wall>,
    pub(crate) boxes: BTreeMap<ExtensionNumber, MessagesWaiting>,
    pub(crate) next_key: u64,
}

impl Subscriptions {
    /// When to come back.
    pub fn next(&self, now: Now) -> Option<Tick> {
        let on_tick = |when: Wall| now.tick + (when - now.wall);
        let lapse = self.lapses.first().map(|(when, _)| on_tick(*when));
        [lapse, self.next_publication.map(on_tick), self.due.first().map(|(when, _)| *when)].into_iter().flatten().min()
    }

    /// What phones say has changed: notes when the first of it lapses, which is asked at each event.
    pub fn publications_changed(&mut self) {
        self.publications.retain(|_, publications| !publications.is_empty());
        self.next_publication = self.publications.values().flatten().map(|publication| publication.expires).min();
    }

    /// NOTIFYs on their way.
    pub fn under_way(&self) -> usize {
        self.notifies.len()
    }

    /// One more.
    pub fn insert(&mut self, subscription: Subscription) {
        let key = subscription.key;
        self.by_dialog.insert(subscription.dialog.id.clone(), key);
        self.watched.entry(subscription.watched.clone()).or_default().insert(key);
        self.watching.entry(subscription.watcher.clone()).or_default().insert(key);
        self.lapses.insert((subscription.expires, key));
        self.by_key.insert(key, subscription);
    }

    /// It is over.
    pub fn remove(&mut self, key: SubscriptionKey) -> Option<Subscription> {
        let gone = self.by_key.remove(&key)?;
        self.by_dialog.remove(&gone.dialog.id);
        self.lapses.remove(&(gone.expires, key));
        self.due.retain(|(_, due)| *due != key);
        take_out(&mut self.watched, &gone.watched, key);
        take_out(&mut self.watching, &gone.watcher, key);
        for of in self.notifies.values_mut().filter(|of| **of == Some(key)) {
            *of = None;
        }
        Some(gone)
    }

    /// It goes on until then.
    pub fn lasts_until(&mut self, key: SubscriptionKey, expires: Wall) {
        if let Some(subscription) = self.by_key.get_mut(&key) {
            self.lapses.remove(&(subscription.expires, key));
            subscription.expires = expires;
            self.lapses.insert((expires, key));
        }
    }

    /// Subscriptions of an extension's phones.
    pub fn of_watcher(&self, watcher: &ExtensionNumber) -> impl Iterator<Item = &Subscription> {
        self.watching.get(watcher).into_iter().flatten().filter_map(|key| self.by_key.get(key))
    }

    /// What somebody says of themselves.
    pub fn said(&self, of: &ExtensionNumber) -> Option<Said> {
        // Of several phones the one that asks for most quiet is believed; that one of them is gone says nothing of the others.
        let publications = self.publications.get(of)?;
        let there = publications.iter().map(|publication| publication.said).filter(|said| *said != Said::Offline).max();
        there.or_else(|| publications.first().map(|publication| publication.said))
    }
}

fn take_out(table: &mut BTreeMap<ExtensionNumber, BTreeSet<SubscriptionKey>>, of: &ExtensionNumber, key: SubscriptionKey) {
    if let Some(keys) = table.get_mut(of) {
        keys.remove(&key);
        if keys.is_empty() {
            table.remove(of);
        }
    }
}
