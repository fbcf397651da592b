//! What phones say of their owners (PUBLISH, RFC 3903), which is answered before it is on disk: a phone whose word is lost with the power
//! is told so by the next answer (412), and says it again. And messages that wait for those who did not ask (RFC 3842).

use std::time::Duration;

use pbx_sip::clock::Now;
use pbx_sip::flow::Flow;
use pbx_sip::message::{Builder, HeaderName, Message, Method, Uri};
use pbx_sip::stack::ServerKey;

use crate::action::Kept;
use crate::directory::ExtensionNumber;
use crate::subscription::message_summary::MessagesWaiting;
use crate::subscription::presence::{self, Said};
use crate::subscription::{EventName, Package, Publication, PublicationChange};
use crate::switch::Switch;

/// Phones of one extension that say how their owner is.
const MAX_PUBLICATIONS: usize = 10;

impl Switch {
    /// Goes on with what phones have said of their owners, as the store kept it.
    pub fn resume_publications(&mut self, kept: Vec<Publication>, now: Now) {
        for publication in kept {
            let owner = publication.owner.clone();
            if publication.expires > now.wall && self.directory.extension(owner.as_str()).is_some_and(|known| known.enabled) {
                self.subscriptions.publications.entry(owner.clone()).or_default().push(publication);
                self.touched(&owner);
            } else {
                self.save_publications(vec![PublicationChange::Remove(publication.tag)]);
            }
        }
        self.subscriptions.publications_changed();
    }

    pub(super) fn save_publications(&mut self, changes: Vec<PublicationChange>) {
        if !changes.is_empty() {
            self.save(changes.into_iter().map(Kept::Publication).collect(), false);
        }
    }

    /// PUBLISH: how the owner of a phone is.
    pub(super) fn publish_presence(&mut self, key: ServerKey, flow: Flow, message: &Message, now: Now) {
        let Some(owner) = self.authenticated(key, flow, message, now) else { return };
        if EventName::of(message).is_none_or(|event| event.package != Package::Presence) {
            let response = self.reply(message, 489).header(HeaderName::AllowEvents, "presence").build();
            return self.stack.respond(key, response, now);
        }
        let user = Uri::parse(message.request_uri()).ok().and_then(|uri| uri.user_decoded().map(|user| user.into_owned()));
        if user.as_deref() != Some(owner.as_str()) {
            return self.refuse(key, message, 403, now);
        }
        let Some(expires_s) = self.asked_for(key, message, now) else { return };
        let said = if message.body().is_empty() {
            None
        } else if message.content_type().is_some_and(|kind| kind.is("application", "pidf+xml")) {
            match presence::read(&message.body()) {
                Ok(said) => Some(said),
                Err(_) => return self.refuse(key, message, 400, now),
            }
        } else {
            let response = self.reply(message, 415).header(HeaderName::Accept, "application/pidf+xml").build();
            return self.stack.respond(key, response, now);
        };
        let publications = self.subscriptions.publications.entry(owner.clone()).or_default();
        let before = match message.header(HeaderName::SipIfMatch) {
            // Only a first word of its own needs a body (RFC 3903 4.1).
            None if said.is_none() => return self.refuse(key, message, 400, now),
            None => None,
            Some(tag) => match publications.iter().position(|publication| publication.tag.as_bytes() == tag) {
                Some(place) => Some(publications.remove(place)),
                None => return self.refuse(key, message, 412, now),
            },
        };
        if before.is_none() && publications.len() >= MAX_PUBLICATIONS {
            return self.refuse(key, message, 503, now);
        }
        let tag = self.entropy.token();
        let said = said.or(before.as_ref().map(|before| before.said)).unwrap_or(Said::Available);
        let mut changes: Vec<PublicationChange> = before.into_iter().map(|before| PublicationChange::Remove(before.tag)).collect();
        if expires_s > 0 {
            let expires = now.wall + Duration::from_secs(u64::from(expires_s));
            let publication = Publication { tag: tag.clone(), owner: owner.clone(), said, expires };
            publications.push(publication.clone());
            changes.push(PublicationChange::Put(publication));
        }
        self.subscriptions.publications_changed();
        let response = self.reply(message, 200).header(HeaderName::Expires, expires_s.to_string()).header(HeaderName::SipEtag, tag);
        self.stack.respond(key, response.build(), now);
        self.save_publications(changes);
        self.touched(&owner);
    }

    /// Messages wait for an extension, or do not any more. Its phones are told, those too that did not ask.
    pub(super) fn messages_waiting(&mut self, of: ExtensionNumber, waiting: MessagesWaiting, now: Now) {
        let before = self.subscriptions.boxes.insert(of.clone(), waiting).unwrap_or_default();
        if before == waiting {
            return;
        }
        self.touched(&of);
        for (contact, flow) in self.phones_that_did_not_ask(&of) {
            self.tell_of_messages(&of, &contact, flow, now);
        }
    }

    /// A phone has come that does not ask: if messages wait, it is told (RFC 3842 without a subscription).
    pub(super) fn tell_new_phone(&mut self, of: &ExtensionNumber, contact: &str, now: Now) {
        let waits = self.subscriptions.boxes.get(of).is_some_and(|waiting| waiting.new > 0);
        let phone = self.phones_that_did_not_ask(of).into_iter().find(|(known, _)| known == contact);
        if let (true, Some((contact, flow))) = (waits, phone) {
            self.tell_of_messages(of, &contact, flow, now);
        }
    }

    fn phones_that_did_not_ask(&self, of: &ExtensionNumber) -> Vec<(String, Flow)> {
        let asks = |contact: &str| {
            self.subscriptions
                .of_watcher(of)
                .any(|subscription| subscription.package == Package::MessageSummary && subscription.dialog.remote_target == contact)
        };
        let bindings = self.registrar.bindings(of.as_str()).iter();
        bindings.filter(|binding| !asks(&binding.contact)).map(|binding| (binding.contact.clone(), binding.flow)).collect()
    }

    fn tell_of_messages(&mut self, of: &ExtensionNumber, phone: &str, flow: Flow, now: Now) {
        let waiting = self.subscriptions.boxes.get(of).copied().unwrap_or_default();
        let domain = &self.config.domain;
        let notify = Builder::request(&Method::Notify, phone)
            .header(HeaderName::MaxForwards, "70")
            .header(HeaderName::From, format!("<sip:{of}@{domain}>;tag={}", self.entropy.token()))
            .header(HeaderName::To, format!("<sip:{of}@{domain}>"))
            .header(HeaderName::CallId, format!("{}@{domain}", self.entropy.token()))
            .header(HeaderName::CSeq, "1 NOTIFY")
            .header(HeaderName::Contact, flow.contact(""))
            .header(HeaderName::Event, Package::MessageSummary.as_str())
            .header(HeaderName::SubscriptionState, "active")
            .header(HeaderName::UserAgent, &self.config.user_agent);
        let (kind, subtype) = Package::MessageSummary.content_type();
        let notify = notify.body(&format!("{kind}/{subtype}"), waiting.document(&format!("sip:{of}@{domain}")));
        let client = self.stack.request(notify, flow, now);
        self.subscriptions.notifies.insert(client, None);
    }

    /// What phones have said is over when its time is.
    pub(super) fn publications_due(&mut self, now: Now) {
        if self.subscriptions.next_publication.is_none_or(|next| next > now.wall) {
            return;
        }
        let lapsed = |publication: &Publication| publication.expires <= now.wall;
        let owners: Vec<ExtensionNumber> = self
            .subscriptions
            .publications
            .iter()
            .filter(|(_, publications)| publications.iter().any(lapsed))
            .map(|(owner, _)| owner.clone())
            .collect();
        for owner in owners {
            let (over, rest): (Vec<_>, Vec<_>) =
                self.subscriptions.publications.remove(&owner).unwrap_or_default().into_iter().partition(lapsed);
            self.subscriptions.publications.insert(owner.clone(), rest);
            self.save_publications(over.into_iter().map(|publication| PublicationChange::Remove(publication.tag)).collect());
            self.touched(&owner);
        }
        self.subscriptions.publications_changed();
    }
}
