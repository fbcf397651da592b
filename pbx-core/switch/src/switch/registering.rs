//! Phones come and go: REGISTER, its credentials, and what is written to disk.

use std::sync::Arc;

use pbx_sip::auth::{Algorithm, Ha1, Verdict};
use pbx_sip::clock::Now;
use pbx_sip::flow::Flow;
use pbx_sip::message::{HeaderName, Message, Uri};
use pbx_sip::stack::ServerKey;

use crate::action::{Action, Kept, SaveKey};
use crate::call::{Call, CallKey, Outcome};
use crate::directory::{Directory, Extension, ExtensionNumber};
use crate::door::Offence;
use crate::registrar::{BindingChange, RegisterRefusal, gruu};
use crate::status::{Change, Device, Registration};
use crate::subscription::SubscriptionKey;
use crate::switch::{Registering, Switch};

/// How often a phone that keeps several ways open shows that one is, in seconds (RFC 5626 5.4); routers forget sooner over UDP, which
/// such phones know.
const FLOW_TIMER_S: u32 = 120;

impl Switch {
    pub(super) fn register(&mut self, key: ServerKey, flow: Flow, message: &Message, now: Now) {
        let Some(extension) = self.authenticated(key, flow, message, now) else { return };
        let aor = message.to().ok().and_then(|to| to.uri_view().ok()).filter(Uri::is_sip).and_then(|uri| uri.user_decoded());
        match aor {
            Some(user) if user == extension.as_str() => {}
            Some(_) => return self.refuse(key, message, 403, now),
            None => return self.refuse(key, message, 400, now),
        }
        match self.registrar.register(&extension, message, flow, now.wall) {
            Err(refusal) => {
                let mut response = match refusal {
                    RegisterRefusal::Malformed => self.reply(message, 400),
                    RegisterRefusal::TooMany => self.reply(message, 403),
                    RegisterRefusal::OutOfOrder => self.reply(message, 500),
                    RegisterRefusal::TooBrief => self.reply(message, 423),
                    RegisterRefusal::FirstHopLacksOutbound => self.reply(message, 439),
                    RegisterRefusal::PathUnknown => self.reply(message, 420).header(HeaderName::Unsupported, "path"),
                };
                if refusal == RegisterRefusal::TooBrief {
                    response = response.header(HeaderName::MinExpires, self.registrar.least_s().to_string());
                }
                self.stack.respond(key, response.build(), now);
            }
            Ok(done) => {
                if !done.changes.is_empty() {
                    let essential = done.essential.then(|| done.changes.clone());
                    let batch = self.save(done.changes.into_iter().map(Kept::Binding).collect(), done.essential);
                    self.publish_registration(&extension);
                    self.may_need_keeping(extension.as_str(), now);
                    if let Some(changes) = essential {
                        let waiting = Registering { key, message: message.clone(), extension, changes };
                        self.waiting_for_disk.insert(batch, waiting);
                        return;
                    }
                }
                self.registered(key, message, &extension, now);
            }
        }
    }

    /// 200, with every contact and its remaining time (RFC 3261 10.3 step 8).
    pub(super) fn registered(&mut self, key: ServerKey, message: &Message, extension: &ExtensionNumber, now: Now) {
        let asks = |tag: &str| message.option_tags(HeaderName::Supported).into_iter().any(|known| known.eq_ignore_ascii_case(tag));
        let (names, mut several_ways) = (asks("gruu"), false);
        let mut response = self.reply(message, 200).copy(message, HeaderName::Path);
        response = response.header(HeaderName::Supported, "path, outbound, gruu");
        for binding in self.registrar.bindings(extension.as_str()) {
            let left = (binding.expires - now.wall).as_micros().div_ceil(1_000_000);
            let mut contact = format!("<{}>;expires={left}", binding.contact);
            if let Some(instance) = &binding.instance {
                contact.push_str(&format!(";+sip.instance=\"{instance}\""));
            }
            if let Some(reg_id) = binding.reg_id {
                contact.push_str(&format!(";reg-id={reg_id}"));
                several_ways |= message.call_id() == Ok(&binding.call_id);
            }
            let domain = &self.config.domain;
            if names
                && let (Some(public), Some(temporary)) =
                    (gruu::public(binding, domain), gruu::temporary(binding, domain, &self.auth))
            {
                contact.push_str(&format!(";pub-gruu=\"{public}\";temp-gruu=\"{temporary}\""));
            }
            response = response.header(HeaderName::Contact, contact);
        }
        if several_ways {
            response = response.header(HeaderName::Require, "outbound").header_named("Flow-Timer", FLOW_TIMER_S.to_string());
        }
        self.stack.respond(key, response.build(), now);
    }

    pub(super) fn saved(&mut self, batch: SaveKey, stored: bool, now: Now) {
        let Some(waiting) = self.waiting_for_disk.remove(&batch) else { return self.subscriptions_saved(batch, stored, now) };
        let Registering { key, message, extension, changes } = waiting;
        if stored {
            self.registered(key, &message, &extension, now);
            for change in &changes {
                if let BindingChange::Put(binding) = change {
                    self.tell_new_phone(&extension, &binding.contact, now);
                }
            }
        } else {
            self.registrar.not_stored(&extension, changes);
            let response = self.reply(&message, 503).header(HeaderName::RetryAfter, "30").build();
            self.stack.respond(key, response, now);
        }
    }

    /// Whoever is gone, switched off or has another secret than before is there no more: a phone that knows the new one comes back by it.
    /// Calls to the outside that they have begun end where they may not call any more.
    pub(super) fn directory_changed(&mut self, directory: Arc<Directory>, now: Now) {
        let before = std::mem::replace(&mut self.directory, directory);
        let same = |aor: &ExtensionNumber| {
            let (known, now) = (before.extension(aor.as_str()), self.directory.extension(aor.as_str()));
            now.is_some_and(|now| now.enabled && known.is_none_or(|known| known.ha1 == now.ha1))
        };
        let gone: Vec<ExtensionNumber> = self.registrar.known().into_iter().filter(|aor| !same(aor)).cloned().collect();
        let enabled = |number: &ExtensionNumber| self.directory.extension(number.as_str()).is_some_and(|known| known.enabled);
        let strangers: Vec<SubscriptionKey> = self
            .subscriptions
            .by_key
            .values()
            .filter(|subscription| enabled(&subscription.watcher) && !same(&subscription.watcher))
            .map(|subscription| subscription.key)
            .collect();
        let is_outside = |call: &Call| call.legs().any(|leg| leg.line.is_some());
        let calls: Vec<CallKey> = self
            .calls
            .iter()
            .filter(|(_, ongoing)| ongoing.call.payer.as_ref().is_some_and(|payer| !enabled(payer)) && is_outside(&ongoing.call))
            .map(|(key, _)| *key)
            .collect();
        strangers.into_iter().for_each(|key| self.end_subscription(key, "deactivated", now));
        for key in calls {
            self.with_call(key, now, |call, outside| call.hang_up(Outcome::HungUp, outside));
        }
        for aor in gone {
            let changes = self.registrar.forget(&aor);
            self.bindings_gone(changes);
        }
        self.access_changed();
    }

    pub(super) fn bindings_gone(&mut self, changes: Vec<BindingChange>) {
        if changes.is_empty() {
            return;
        }
        let whose: std::collections::BTreeSet<ExtensionNumber> = changes.iter().map(|change| change.aor().clone()).collect();
        self.save(changes.into_iter().map(Kept::Binding).collect(), false);
        whose.iter().for_each(|aor| self.publish_registration(aor));
    }

    pub(super) fn save(&mut self, changes: Vec<Kept>, awaited: bool) -> SaveKey {
        self.next_save += 1;
        let batch = SaveKey(self.next_save);
        self.actions.push_back(Action::Save { batch, changes, awaited });
        batch
    }

    /// The extension that sent a request, if it knows its secret; otherwise a challenge has been sent. Wrong secrets, unknown and
    /// switched-off extensions are answered alike.
    pub(super) fn authenticated(&mut self, key: ServerKey, flow: Flow, message: &Message, now: Now) -> Option<ExtensionNumber> {
        let directory = Arc::clone(&self.directory);
        let ha1_of = |user: &str| -> Option<Ha1> {
            directory.extension(user).filter(|extension: &&Extension| extension.enabled).map(|extension| extension.ha1.clone())
        };
        let stale = match self.auth.check(message, ha1_of, now) {
            Verdict::Agreed { user } if self.may_come(&flow, &user, now) && self.let_in(&flow, &user, now) => {
                return ExtensionNumber::new(&user).ok();
            }
            Verdict::Challenge { stale: true } => true,
            Verdict::Challenge { stale: false } => {
                self.offended(&flow, Offence::Unproven, now);
                false
            }
            // A right secret that came too soon after too many wrong ones, or from where its phones may not be, is answered as they
            // were.
            Verdict::Agreed { user } | Verdict::Wrong { user } => {
                self.guessed(&flow, &user, now);
                false
            }
        };
        let mut response = self.reply(message, 401);
        let user_agent = message.header(HeaderName::UserAgent).map(String::from_utf8_lossy).unwrap_or_default();
        let md5_only = self.config.md5_only.iter().any(|part| user_agent.contains(part.as_str()));
        let challenges = self.auth.challenges(stale, now);
        let fits = |(algorithm, _): &(Algorithm, String)| !md5_only || *algorithm == Algorithm::Md5;
        for (_, value) in challenges.into_iter().filter(fits) {
            response = response.header(HeaderName::WwwAuthenticate, value);
        }
        self.stack.respond(key, response.build(), now);
        None
    }

    pub(super) fn publish_registration(&mut self, extension: &ExtensionNumber) {
        self.touched(extension);
        let devices = self.registrar.bindings(extension.as_str()).iter().map(|binding| Device {
            contact: binding.contact.clone(),
            user_agent: binding.user_agent.clone(),
            address: binding.flow.remote,
            transport: binding.flow.transport.as_str().to_owned(),
            expires: binding.expires,
        });
        let registration = Registration { extension: extension.clone(), devices: devices.collect() };
        self.publish(Change::Registration(registration));
    }
}
