//! SUBSCRIBE, NOTIFY and PUBLISH (RFC 6665, RFC 3903): who is told of what, one NOTIFY at a time for each; what changes meanwhile is in
//! the next one. Subscriptions are on disk before they are answered, and outlive the process and the connections of their phones.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pbx_media_words::LegKey;
use pbx_sip::clock::Now;
use pbx_sip::dialog::{Dialog, DialogId};
use pbx_sip::flow::{ConnectionId, Flow};
use pbx_sip::message::{Builder, HeaderName, Message, Method, Uri};
use pbx_sip::stack::{ClientKey, ServerKey};

use crate::action::{Kept, SaveKey};
use crate::call::{Call, CallKey, LegState, is_sips};
use crate::directory::ExtensionNumber;
use crate::subscription::dialog_info::{self, DialogLine};
use crate::subscription::presence::Presence;
use crate::subscription::{
    ALLOW_EVENTS, EventName, LEAST_S, MAX_OF_HOUSE, MAX_OF_WATCHER, MOST_S, Package, PublicationChange, Subscription,
    SubscriptionChange, SubscriptionKey, Told, USUAL_S, is_acceptable, reg_info,
};
use crate::switch::Switch;

/// Within this time after a start all phones are told how things are, not all at once.
const AFTER_START: Duration = Duration::from_secs(3);

/// Octets of what is kept of a SUBSCRIBE's dialog: a phone needs a few hundred.
const MAX_DIALOG: usize = 4_096;

/// Calls of one extension that a watcher is told of: more do not fit into a datagram, nor behind a lamp.
const MAX_LINES: usize = 16;

/// What watchers see of a call: the caller was told that it rings; how far each leg is, and whether it holds.
type Shape = (bool, Vec<(LegKey, LegState, bool)>);

/// What waits for the disk.
pub(super) enum Saving {
    /// A SUBSCRIBE, which is answered then.
    Begun(SubscriptionKey, ServerKey, Box<Message>),
    /// Subscriptions of before the start: numbers that nobody has used are on disk then.
    Resumed(Vec<SubscriptionKey>),
}

impl Switch {
    /// Goes on with the subscriptions that the store kept; each is told how things are.
    pub fn resume_subscriptions(&mut self, kept: Vec<Subscription>, now: Now) {
        let (mut changes, mut keys) = (Vec::new(), Vec::new());
        for mut subscription in kept.into_iter().take(MAX_OF_HOUSE) {
            if subscription.expires <= now.wall {
                changes.push(Kept::Subscription(SubscriptionChange::Remove(subscription.key)));
                continue;
            }
            // Connections end with the process that had them.
            if subscription.flow.transport.is_reliable() {
                subscription.flow.connection = ConnectionId::default();
                let way = self.way_back(&subscription);
                subscription.told.unreached = way.is_none();
                subscription.flow = way.unwrap_or(subscription.flow);
            }
            let key = subscription.key;
            self.subscriptions.next_key = self.subscriptions.next_key.max(key.0);
            changes.push(Kept::Subscription(subscription.kept()));
            self.subscriptions.insert(subscription);
            keys.push(key);
        }
        if !changes.is_empty() {
            let batch = self.save(changes, true);
            self.subscriptions_saving.insert(batch, Saving::Resumed(keys));
        }
    }

    /// The disk has said something of subscriptions.
    pub(super) fn subscriptions_saved(&mut self, batch: SaveKey, stored: bool, now: Now) {
        match self.subscriptions_saving.remove(&batch) {
            None => {}
            Some(Saving::Begun(of, key, message)) => {
                let subscription = self.subscriptions.by_key.get(&of).cloned();
                let Some(subscription) = subscription.filter(|known| stored && known.told.over.is_none()) else {
                    self.forget_subscription(of);
                    let response = self.reply(&message, 503).header(HeaderName::RetryAfter, "30").build();
                    return self.stack.respond(key, response, now);
                };
                self.accept_first(key, &message, &subscription, now);
                if let Some(subscription) = self.subscriptions.by_key.get_mut(&of) {
                    subscription.told.asked = false;
                }
                self.notify(of, now);
            }
            // Also if the disk does not take it: lamps are worth more than numbers that may come twice after the next kill.
            Some(Saving::Resumed(keys)) => {
                let spread = u64::try_from(AFTER_START.as_micros()).unwrap_or(1).max(1);
                for key in keys.into_iter().filter(|key| self.subscriptions.by_key.contains_key(key)) {
                    let later = Duration::from_micros(self.entropy.u64() % spread);
                    self.subscriptions.due.insert((now.tick + later, key));
                }
            }
        }
    }

    /// 200 to a SUBSCRIBE that begins a dialog.
    fn accept_first(&mut self, key: ServerKey, message: &Message, subscription: &Subscription, now: Now) {
        let left = (subscription.expires - now.wall).as_micros().div_ceil(1_000_000);
        let accepted = Builder::response_to(message, 200, Some(&subscription.dialog.id.local_tag));
        let accepted = accepted.header(HeaderName::Server, &self.config.user_agent);
        self.accept_subscription(key, accepted, subscription, u32::try_from(left).unwrap_or(MOST_S), now);
    }

    /// SUBSCRIBE outside a dialog.
    pub(super) fn subscribe(&mut self, key: ServerKey, flow: Flow, message: &Message, now: Now) {
        let Some(watcher) = self.authenticated(key, flow, message, now) else { return };
        let Some(event) = EventName::of(message) else { return self.refuse_event(key, message, now) };
        let package = event.package;
        if !is_acceptable(message, package) {
            let (kind, subtype) = package.content_type();
            let response = self.reply(message, 406).header(HeaderName::Accept, format!("{kind}/{subtype}")).build();
            return self.stack.respond(key, response, now);
        }
        if is_sips(message.request_uri()) && !flow.transport.is_secured() {
            return self.refuse(key, message, 416, now);
        }
        let user = Uri::parse(message.request_uri()).ok().and_then(|uri| uri.user_decoded().map(|user| user.into_owned()));
        // Phones leave themselves out where they ask for their own box; the SPA of Linksys and Cisco do.
        let user = user.or_else(|| package.is_private().then(|| watcher.to_string()));
        let watched =
            user.and_then(|user| self.directory.extension(&user).filter(|known| known.enabled).map(|known| known.number.clone()));
        let Some(watched) = watched else { return self.refuse(key, message, 404, now) };
        if package.is_private() && watched != watcher {
            return self.refuse(key, message, 403, now);
        }
        let Some(expires_s) = self.asked_for(key, message, now) else { return };
        let tag = self.entropy.token();
        let Ok(mut dialog) = Dialog::uas(message, &tag) else { return self.refuse(key, message, 400, now) };
        dialog.early = false;
        if !is_kept(&dialog) {
            return self.refuse(key, message, 400, now);
        }
        // A phone that begins anew has forgotten what it had.
        let of_phone = |other: &&Subscription| {
            (&other.watched, other.package, &other.id, &other.dialog.remote_target)
                == (&watched, package, &event.id, &dialog.remote_target)
        };
        let before: Vec<SubscriptionKey> =
            self.subscriptions.of_watcher(&watcher).filter(of_phone).map(|other| other.key).collect();
        before.into_iter().for_each(|before| _ = self.forget_subscription(before));
        if self.subscriptions.by_key.len() >= MAX_OF_HOUSE {
            let response = self.reply(message, 503).header(HeaderName::RetryAfter, "60").build();
            return self.stack.respond(key, response, now);
        }
        if self.subscriptions.of_watcher(&watcher).count() >= MAX_OF_WATCHER {
            return self.refuse(key, message, 403, now);
        }
        self.subscriptions.next_key = self.subscriptions.next_key.max(u64::try_from(now.wall.0).unwrap_or(0)) + 1;
        let subscription = Subscription {
            key: SubscriptionKey(self.subscriptions.next_key),
            package,
            id: event.id,
            watcher,
            watched,
            dialog,
            flow,
            expires: now.wall + Duration::from_secs(u64::from(expires_s)),
            // Nothing is told before the answer.
            told: Told { asked: true, ..Told::default() },
        };
        if expires_s == 0 {
            // Only a question (RFC 6665 4.4.3): the answer is the one NOTIFY.
            self.accept_first(key, message, &subscription, now);
            self.say_last(subscription, "timeout", now);
            return;
        }
        let (of, mut subscription) = (subscription.key, subscription);
        let kept = subscription.kept();
        self.subscriptions.insert(subscription);
        let batch = self.save(vec![Kept::Subscription(kept)], true);
        self.subscriptions_saving.insert(batch, Saving::Begun(of, key, Box::new(message.clone())));
    }

    /// SUBSCRIBE in the dialog of a subscription: it goes on, or ends. False if there is none of that dialog.
    pub(super) fn resubscribe(&mut self, key: ServerKey, flow: Flow, dialog: &DialogId, message: &Message, now: Now) -> bool {
        let Some(subscription_key) = self.subscriptions.by_dialog.get(dialog).copied() else { return false };
        let Some(by) = self.authenticated(key, flow, message, now) else { return true };
        let Some(expires_s) = self.asked_for(key, message, now) else { return true };
        let Some(subscription) = self.subscriptions.by_key.get_mut(&subscription_key) else { return false };
        let status = match EventName::of(message) {
            _ if subscription.watcher != by => Some(403),
            _ if subscription.told.over.is_some() => Some(481),
            Some(event) if (event.package, &event.id) == (subscription.package, &subscription.id) => None,
            _ => Some(489),
        };
        let status = status.or_else(|| subscription.dialog.accept(message).is_err().then_some(500));
        match status {
            Some(489) => self.refuse_event(key, message, now),
            Some(status) => self.refuse(key, message, status, now),
            None => {
                let before = subscription.dialog.clone();
                subscription.dialog.refresh_target(message);
                if !is_kept(&subscription.dialog) {
                    subscription.dialog = before;
                    self.refuse(key, message, 400, now);
                    return true;
                }
                (subscription.flow, subscription.told.unreached, subscription.told.whole) = (flow, false, false);
                let subscription = subscription.clone();
                let accepted = self.reply(message, 200);
                self.accept_subscription(key, accepted, &subscription, expires_s, now);
                if expires_s == 0 {
                    self.end_subscription(subscription_key, "timeout", now);
                } else {
                    self.subscriptions.lasts_until(subscription_key, now.wall + Duration::from_secs(u64::from(expires_s)));
                    self.remember(subscription_key);
                    self.notify(subscription_key, now);
                }
            }
        }
        true
    }

    fn accept_subscription(&mut self, key: ServerKey, accepted: Builder, subscription: &Subscription, expires_s: u32, now: Now) {
        let contact = subscription.flow.contact("");
        let accepted = accepted.header(HeaderName::Expires, expires_s.to_string()).header(HeaderName::Contact, contact);
        self.stack.respond(key, accepted.build(), now);
    }

    /// For how long is asked; none if that was too brief, and has been answered.
    pub(super) fn asked_for(&mut self, key: ServerKey, message: &Message, now: Now) -> Option<u32> {
        let expires_s = message.expires().ok().flatten().unwrap_or(USUAL_S).min(MOST_S);
        if (1..LEAST_S).contains(&expires_s) {
            let response = self.reply(message, 423).header(HeaderName::MinExpires, LEAST_S.to_string()).build();
            self.stack.respond(key, response, now);
            return None;
        }
        Some(expires_s)
    }

    pub(super) fn refuse_event(&mut self, key: ServerKey, message: &Message, now: Now) {
        let response = self.reply(message, 489).header(HeaderName::AllowEvents, ALLOW_EVENTS).build();
        self.stack.respond(key, response, now);
    }

    /// Those that were told by a connection that is gone are told by the one that their phone has now.
    fn tell_those_who_are_back(&mut self, watcher: &ExtensionNumber, now: Now) {
        let unreached = |subscription: &&Subscription| subscription.told.unreached;
        let waiting: Vec<SubscriptionKey> =
            self.subscriptions.of_watcher(watcher).filter(unreached).map(|known| known.key).collect();
        for key in waiting {
            let Some(flow) = self.subscriptions.by_key.get(&key).and_then(|subscription| self.way_back(subscription)) else {
                continue;
            };
            if let Some(subscription) = self.subscriptions.by_key.get_mut(&key) {
                (subscription.flow, subscription.told.unreached, subscription.told.whole) = (flow, false, false);
            }
            self.remember(key);
            self.notify(key, now);
        }
    }

    /// Where a phone is registered now that has subscribed: it may be behind another port or another connection than when it did.
    fn way_to(&self, subscription: &Subscription) -> Option<Flow> {
        let target = Uri::parse(&subscription.dialog.remote_target).ok()?;
        let bindings = self.registrar.bindings(subscription.watcher.as_str());
        let same = bindings.iter().find(|binding| Uri::parse(&binding.contact).is_ok_and(|contact| contact.same_as(&target)));
        same.map(|binding| binding.flow)
    }

    /// By which of its bindings a phone is reached whose connection is gone: that of its Contact, or the only one of its kind.
    fn way_back(&self, subscription: &Subscription) -> Option<Flow> {
        if let Some(way) = self.way_to(subscription) {
            return Some(way);
        }
        let transport = subscription.flow.transport;
        let alike: Vec<_> = self
            .registrar
            .bindings(subscription.watcher.as_str())
            .iter()
            .filter(|binding| binding.flow.transport == transport)
            .collect();
        if let [only] = alike[..] { Some(only.flow) } else { None }
    }

    /// Something about an extension has changed: whoever watches it is told when this event has been dealt with, if it is anything to
    /// them.
    pub(super) fn touched(&mut self, extension: &ExtensionNumber) {
        if self.subscriptions.watched.contains_key(extension) || self.subscriptions.watching.contains_key(extension) {
            self.subscriptions.touched.insert(extension.clone());
        }
    }

    /// What watchers see of a call; if none of it differs, nobody need be told. Nothing is looked at while nobody watches.
    pub(super) fn shape_of(&self, call: &Call) -> Option<Shape> {
        let legs = || call.legs().map(|leg| (leg.key, leg.state, leg.holds())).collect();
        (!self.subscriptions.watched.is_empty()).then(|| (call.rang, legs()))
    }

    /// A call has begun, changed or ended.
    pub(super) fn call_touched(&mut self, call: CallKey) {
        if self.subscriptions.watched.is_empty() {
            return;
        }
        let Some(ongoing) = self.calls.get(&call) else { return };
        let parties = ongoing.call.legs().filter(|leg| leg.of_house).filter_map(|leg| ExtensionNumber::new(&leg.party).ok());
        parties.collect::<BTreeSet<ExtensionNumber>>().iter().for_each(|party| self.touched(party));
    }

    /// Tells watchers what has changed.
    pub(super) fn tell_watchers(&mut self, now: Now) {
        while let Some(extension) = self.subscriptions.touched.pop_first() {
            let watchers = self.subscriptions.watched.get(&extension).cloned().unwrap_or_default();
            watchers.into_iter().for_each(|key| self.notify(key, now));
            self.tell_those_who_are_back(&extension, now);
        }
    }

    /// The calls of an extension as its watcher may see them.
    fn lines_of(&self, of: &ExtensionNumber, discreet: bool) -> BTreeMap<LegKey, DialogLine> {
        let calls = self.calls.values().map(|ongoing| &ongoing.call);
        calls
            .flat_map(|call| call.legs().map(move |leg| (call, leg)))
            .filter(|(_, leg)| leg.of_house && leg.party == of.as_str())
            .filter_map(|(call, leg)| Some((leg.key, DialogLine::of(call, leg, discreet)?)))
            .take(MAX_LINES)
            .collect()
    }

    /// The next document for a phone, or none if it knows all; and what it will know then.
    fn document(&self, subscription: &Subscription, now: Now) -> Option<(String, Told)> {
        let Subscription { package, watched, told, .. } = subscription;
        let (domain, version) = (&self.config.domain, subscription.version());
        let known = |body: &str| told.whole && told.body == body;
        let unlike = |compared: String, document: String| {
            (!known(&compared)).then(|| (document, Told { body: compared, whole: true, ..told.clone() }))
        };
        match package {
            Package::Dialog => {
                let lines = self.lines_of(watched, subscription.watcher != *watched);
                let before = told.whole.then_some(&told.calls);
                let document = dialog_info::document(watched.as_str(), domain, version, before, &lines)?;
                Some((document, Told { calls: lines, whole: true, ..told.clone() }))
            }
            Package::Presence => {
                let registered = !self.registrar.bindings(watched.as_str()).is_empty();
                // Who is only rung is not on the phone yet.
                let talks = self.lines_of(watched, true).values().any(DialogLine::occupies);
                let presence = Presence::of(registered, talks, self.subscriptions.said(watched));
                let document = presence.document(watched.as_str(), domain);
                unlike(document.clone(), document)
            }
            Package::MessageSummary => {
                let waiting = self.subscriptions.boxes.get(watched).copied().unwrap_or_default();
                let document = waiting.document(&format!("sip:{watched}@{domain}"));
                unlike(document.clone(), document)
            }
            Package::Reg => {
                let bindings = self.registrar.bindings(watched.as_str());
                let before = if told.whole { told.body.as_str() } else { "" };
                let document = reg_info::document(watched.as_str(), domain, version, before, bindings, now.wall);
                unlike(reg_info::compared(bindings), document)
            }
        }
    }

    /// Tells a phone what it does not know yet, unless it is being told: then afterwards.
    fn notify(&mut self, key: SubscriptionKey, now: Now) {
        let Some(subscription) = self.subscriptions.by_key.get_mut(&key) else { return };
        if subscription.told.unreached {
            return;
        }
        if subscription.told.asked {
            subscription.told.late = true;
            return;
        }
        let subscription = subscription.clone();
        let Some((document, told)) = self.document(&subscription, now) else { return };
        let left = (subscription.expires - now.wall).as_secs();
        let client = self.send_notify(subscription, &format!("active;expires={left}"), Some(document), now);
        let Some(subscription) = self.subscriptions.by_key.get_mut(&key) else { return };
        subscription.dialog.local_cseq += 1;
        subscription.told = Told { asked: true, late: false, ceiling: subscription.told.ceiling, ..told };
        let spent = subscription.is_spent();
        self.subscriptions.notifies.insert(client, Some(key));
        if spent {
            self.remember(key);
        }
    }

    fn send_notify(&mut self, mut subscription: Subscription, state: &str, document: Option<String>, now: Now) -> ClientKey {
        subscription.flow = self.way_to(&subscription).unwrap_or(subscription.flow);
        let notify = subscription
            .dialog
            .request(&Method::Notify)
            .header(HeaderName::Contact, subscription.flow.contact(""))
            .header(HeaderName::Event, subscription.event())
            .header(HeaderName::SubscriptionState, state)
            .header(HeaderName::UserAgent, &self.config.user_agent);
        let (kind, subtype) = subscription.package.content_type();
        let notify = match document {
            Some(document) => notify.body(&format!("{kind}/{subtype}"), document),
            None => notify,
        };
        self.stack.request(notify, subscription.flow, now)
    }

    /// A subscription is over; its phone is told how things are, and that this was the last word.
    fn say_last(&mut self, subscription: Subscription, why: &str, now: Now) -> ClientKey {
        let whole = Subscription { told: Told::default(), ..subscription };
        let document = self.document(&whole, now).map(|(document, _)| document);
        let client = self.send_notify(whole, &format!("terminated;reason={why}"), document, now);
        self.subscriptions.notifies.insert(client, None);
        client
    }

    /// It is over; its phone is told so, once what it was told before is answered. Until that is answered too it stays on disk, so that
    /// another process says it if this one ends.
    pub(super) fn end_subscription(&mut self, key: SubscriptionKey, why: &'static str, now: Now) {
        let Some(subscription) = self.subscriptions.by_key.get_mut(&key) else { return };
        if subscription.told.unreached {
            self.forget_subscription(key);
            return;
        }
        let expires = subscription.expires;
        subscription.told.over = Some(why);
        if !subscription.told.asked {
            (subscription.told.asked, subscription.told.last) = (true, true);
            let subscription = subscription.clone();
            let client = self.say_last(subscription, why, now);
            self.subscriptions.notifies.insert(client, Some(key));
            if let Some(subscription) = self.subscriptions.by_key.get_mut(&key) {
                subscription.dialog.local_cseq += 1;
            }
        }
        self.subscriptions.lapses.remove(&(expires, key));
    }

    fn forget_subscription(&mut self, key: SubscriptionKey) -> Option<Subscription> {
        let gone = self.subscriptions.remove(key)?;
        self.save(vec![Kept::Subscription(SubscriptionChange::Remove(key))], false);
        Some(gone)
    }

    fn remember(&mut self, key: SubscriptionKey) {
        if let Some(subscription) = self.subscriptions.by_key.get_mut(&key) {
            let kept = subscription.kept();
            self.save(vec![Kept::Subscription(kept)], false);
        }
    }

    /// A NOTIFY was answered, or never will be (`None`). False if it was none of these.
    pub(super) fn notify_answered(&mut self, client: ClientKey, status: Option<u16>, now: Now) -> bool {
        let Some(key) = self.subscriptions.notifies.get(&client).copied() else { return false };
        if status.is_some_and(|status| status < 200) {
            return true;
        }
        self.subscriptions.notifies.remove(&client);
        let Some(key) = key else { return true };
        let Some(subscription) = self.subscriptions.by_key.get_mut(&key) else { return true };
        subscription.told.asked = false;
        if subscription.told.last {
            self.forget_subscription(key);
            return true;
        }
        match status {
            // It did not take this one, and may take the next.
            Some(200..=299 | 500..=599) => {
                if let Some(why) = subscription.told.over {
                    self.end_subscription(key, why, now);
                } else if std::mem::take(&mut subscription.told.late) {
                    self.notify(key, now);
                }
            }
            // Its connection is gone, and it may come back.
            None if subscription.flow.transport.is_reliable() && subscription.told.over.is_none() => {
                subscription.told.unreached = true;
            }
            // RFC 6665 4.2.2.
            Some(_) | None => _ = self.forget_subscription(key),
        }
        true
    }

    /// What has lapsed is over, what is due is told.
    pub(super) fn subscriptions_due(&mut self, now: Now) {
        while let Some((_, key)) = self.subscriptions.lapses.first().copied().filter(|(when, _)| *when <= now.wall) {
            self.end_subscription(key, "timeout", now);
        }
        while let Some((when, key)) = self.subscriptions.due.first().copied().filter(|(when, _)| *when <= now.tick) {
            self.subscriptions.due.remove(&(when, key));
            match self.subscriptions.by_key.get(&key) {
                // Somebody was switched off, and the process ended before the phone had heard of it.
                Some(subscription) if self.is_of_nobody(subscription) => self.end_subscription(key, "noresource", now),
                _ => self.notify(key, now),
            }
        }
    }

    /// Is who watches, or who is watched, gone or switched off?
    fn is_of_nobody(&self, subscription: &Subscription) -> bool {
        let known = |number: &ExtensionNumber| self.directory.extension(number.as_str()).is_some_and(|known| known.enabled);
        !known(&subscription.watcher) || !known(&subscription.watched)
    }

    /// Extensions that are gone or switched off watch nobody and are watched by nobody.
    pub(super) fn subscriptions_of_directory(&mut self, now: Now) {
        let gone = |subscription: &&Subscription| self.is_of_nobody(subscription);
        let keys: Vec<SubscriptionKey> =
            self.subscriptions.by_key.values().filter(gone).map(|subscription| subscription.key).collect();
        let directory = std::sync::Arc::clone(&self.directory);
        let known = |number: &ExtensionNumber| directory.extension(number.as_str()).is_some_and(|known| known.enabled);
        keys.into_iter().for_each(|key| self.end_subscription(key, "noresource", now));
        let lost: Vec<ExtensionNumber> = self
            .subscriptions
            .publications
            .keys()
            .chain(self.subscriptions.boxes.keys())
            .filter(|of| !known(of))
            .cloned()
            .collect();
        for of in lost {
            let said = self.subscriptions.publications.remove(&of).unwrap_or_default();
            self.save_publications(said.into_iter().map(|said| PublicationChange::Remove(said.tag)).collect());
            self.subscriptions.boxes.remove(&of);
        }
        self.subscriptions.publications_changed();
    }
}

/// A dialog that can be kept on disk: with an address of SIP, and no longer than any phone makes it.
fn is_kept(dialog: &Dialog) -> bool {
    let Dialog { id, local, remote, remote_target, route_set, .. } = dialog;
    let parts = [&id.call_id, &id.remote_tag, local, remote, remote_target];
    let length: usize = parts.into_iter().chain(route_set).map(String::len).sum();
    length <= MAX_DIALOG && Uri::parse(remote_target).is_ok_and(|uri| uri.is_sip())
}
