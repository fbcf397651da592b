//! The house as one machine: SIP stack, registrar, calls and their features, told one event at a time.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use pbx_media_words::{Command, LegKey, PortPair};
use pbx_sip::auth::{Algorithm, Authenticator, Ha1, Verdict};
use pbx_sip::clock::{Now, Tick};
use pbx_sip::dialog::{Dialog, DialogId};
use pbx_sip::entropy::Entropy;
use pbx_sip::flow::Flow;
use pbx_sip::message::{Builder, HeaderName, Message, Method, Supported, Uri};
use pbx_sip::stack::{ClientKey, Heard, ServerKey, Stack};
use pbx_sip::transaction::Timers;

use crate::action::{Action, SaveKey};
use crate::call::{Beginning, Call, CallKey, Index, Outcome, Outside, Phone, Refusal, Signal};
use crate::dialplan::{CallFacts, Caller, Dialplan, decide};
use crate::directory::{Directory, Extension, ExtensionNumber};
use crate::event::Event;
use crate::feature::{Feature, Told, Word};
use crate::registrar::{Binding, BindingChange, Expiry, RegisterRefusal, Registrar};
use crate::status::{Change, Device, LiveCall, Published, Registration};

/// How a house behaves.
#[derive(Clone, Debug)]
pub struct SwitchConfig {
    /// SIP domain: the host of From and To in what we send.
    pub domain: String,
    /// Digest realm, drawn at the first start.
    pub realm: String,
    /// Signs nonces; drawn at the first start.
    pub nonce_key: [u8; 32],
    /// Offered in this order.
    pub algorithms: Vec<Algorithm>,
    /// Phones that give up at an algorithm they do not know, instead of passing it over (RFC 7616 3.7), and so are offered MD5 alone:
    /// part of their User-Agent. baresip 1.0 is one; `two_phones` shows it.
    pub md5_only: Vec<String>,
    /// A nonce is good for so long.
    pub nonce_life: Duration,
    /// Bounds of registrations.
    pub expiry: Expiry,
    /// How long a phone rings before nobody came.
    pub ring_for: Duration,
    /// A call in which neither side sends anything for so long is over.
    pub dead_after: Duration,
    /// The most calls at once.
    pub most_calls: usize,
    /// What we call ourselves.
    pub user_agent: String,
    /// RFC 3261's times.
    pub timers: Timers,
}

/// The machine.
pub struct Switch {
    config: SwitchConfig,
    stack: Stack,
    entropy: Entropy,
    auth: Authenticator,
    directory: Arc<Directory>,
    dialplan: Arc<Dialplan>,
    plan_revision: i64,
    registrar: Registrar,
    calls: BTreeMap<CallKey, Ongoing>,
    /// When which call is to be woken.
    wakes: BTreeMap<(Tick, CallKey), ()>,
    index: Index,
    ports: VecDeque<PortPair>,
    media: VecDeque<Command>,
    waiting_for_disk: BTreeMap<SaveKey, (ServerKey, Message, ExtensionNumber)>,
    next_save: u64,
    next_leg: u64,
    next_call: u64,
    sequence: u64,
    draining: bool,
    drained: bool,
    actions: VecDeque<Action>,
    /// Bugs caught at a call's edge, for the figures.
    faults: u64,
}

/// A call with the feature that runs it.
struct Ongoing {
    call: Call,
    feature: Feature,
    wake: Option<Tick>,
    /// Media that has not yet said its last figures, once the call is over.
    closing: Vec<LegKey>,
}

/// Options, bodies and methods we know.
const METHODS: [Method; 7] =
    [Method::Invite, Method::Ack, Method::Cancel, Method::Bye, Method::Options, Method::Info, Method::Register];
const SUPPORTED: Supported<'static> = Supported { methods: &METHODS, option_tags: &[], bodies: &[("application", "sdp")] };
const ALLOW: &str = crate::call::ALLOW;

/// How long a call that is over waits for media's last figures.
const CLOSING: Duration = Duration::from_secs(2);

/// How often calls are asked whether anybody is still there.
const PULSE: Duration = Duration::from_secs(10);

impl Switch {
    /// A switch that begins now, with what the store kept.
    pub fn new(
        config: SwitchConfig,
        directory: Arc<Directory>,
        (dialplan, plan_revision): (Arc<Dialplan>, i64),
        bindings: Vec<Binding>,
        seed: [u8; 32],
        now: Now,
    ) -> Switch {
        let mut entropy = Entropy::from_seed(seed);
        let stack = Stack::new(config.timers, Entropy::from_seed(entropy.bytes()));
        let auth = Authenticator::new(&config.realm, config.nonce_key, config.algorithms.clone(), config.nonce_life, now);
        let bindings =
            bindings.into_iter().filter(|binding| directory.extension(binding.aor.as_str()).is_some_and(|known| known.enabled));
        let registrar = Registrar::new(config.expiry, bindings.collect(), now.wall);
        // Keys rise from the time of birth, so that they are never used twice.
        let first = u64::try_from(now.wall.0).unwrap_or(0);
        let mut switch = Switch {
            config,
            stack,
            entropy,
            auth,
            directory,
            dialplan,
            plan_revision,
            registrar,
            calls: BTreeMap::new(),
            wakes: BTreeMap::new(),
            index: Index::default(),
            ports: VecDeque::new(),
            media: VecDeque::new(),
            waiting_for_disk: BTreeMap::new(),
            next_save: 0,
            next_leg: first,
            next_call: first,
            sequence: 0,
            draining: false,
            drained: false,
            actions: VecDeque::new(),
            faults: 0,
        };
        let known: Vec<ExtensionNumber> = switch.registrar.each().map(|(aor, _)| aor.clone()).collect();
        known.iter().for_each(|aor| switch.publish_registration(aor));
        switch
    }

    /// One event.
    pub fn handle(&mut self, event: Event, now: Now) {
        match event {
            Event::Received { flow, octets } => self.guarded(now, |switch| switch.stack.receive(flow, octets, now)),
            Event::FlowClosed { flow } => {
                self.stack.flow_closed(flow);
                let changes = self.registrar.flow_closed(&flow);
                self.bindings_gone(changes);
            }
            Event::Media(event) => self.guarded(now, |switch| switch.media_event(event, now)),
            Event::DirectoryChanged(directory) => self.directory_changed(directory),
            Event::DialplanChanged { plan, revision } => (self.dialplan, self.plan_revision) = (plan, revision),
            Event::Saved { batch, stored } => self.saved(batch, stored, now),
            Event::HangUp { call } => self.with_call(call, now, |call, outside| call.hang_up(Outcome::HungUp, outside)),
            Event::Drain => self.draining = true,
            Event::EndCalls => {
                for key in self.calls.keys().copied().collect::<Vec<_>>() {
                    self.with_call(key, now, |call, outside| call.hang_up(Outcome::HungUp, outside));
                }
            }
        }
        self.settle(now);
    }

    /// Everything whose time has come.
    pub fn handle_deadline(&mut self, now: Now) {
        self.stack.handle_deadline(now);
        let lapsed = self.registrar.lapse(now.wall);
        self.bindings_gone(lapsed);
        while let Some((&(when, key), ())) = self.wakes.first_key_value() {
            if when > now.tick {
                break;
            }
            self.wakes.pop_first();
            self.guarded(now, |switch| switch.woke(key, now));
        }
        self.settle(now);
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to come back.
    pub fn poll_deadline(&self, now: Now) -> Option<Tick> {
        let lapse = self.registrar.next_lapse().map(|when| now.tick + (when - now.wall));
        let wake = self.wakes.first_key_value().map(|((when, _), ())| *when);
        [self.stack.poll_deadline(), lapse, wake].into_iter().flatten().min()
    }

    /// Calls that are not over.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Transactions alive, for figures and tests.
    pub fn transactions(&self) -> usize {
        self.stack.len()
    }

    /// Requests of ours without a final answer, for whoever wants to end in peace.
    pub fn unanswered(&self) -> usize {
        self.stack.unanswered()
    }

    /// Bugs that ended a call each.
    pub fn faults(&self) -> u64 {
        self.faults
    }

    /// The phones of an extension.
    pub fn bindings(&self, aor: &str) -> &[Binding] {
        self.registrar.bindings(aor)
    }

    /// Runs one step with a net below: a bug ends what it happened to, not the house.
    fn guarded(&mut self, now: Now, step: impl FnOnce(&mut Switch)) {
        if catch_unwind(AssertUnwindSafe(|| step(self))).is_err() {
            self.faults += 1;
            tracing::error!(faults = self.faults, "a fault of ours was caught; what it happened to is discarded");
        }
        while let Some(heard) = self.stack.poll_heard() {
            let concerned = self.concerned(&heard);
            if catch_unwind(AssertUnwindSafe(|| self.heard(heard, now))).is_err() {
                self.faults += 1;
                tracing::error!(faults = self.faults, "a fault of ours was caught; its call is discarded");
                if let Some(key) = concerned {
                    self.discard(key, now);
                }
            }
        }
    }

    /// Drains what the step left: heard messages, media commands, octets.
    fn settle(&mut self, now: Now) {
        self.guarded(now, |_| {});
        while let Some(command) = self.media.pop_front() {
            self.actions.push_back(Action::Media(command));
        }
        while let Some((flow, octets)) = self.stack.poll_transmit() {
            self.actions.push_back(Action::Send { flow, octets });
        }
        if self.draining && !self.drained && self.calls.is_empty() {
            self.drained = true;
            self.actions.push_back(Action::Drained);
        }
    }

    fn heard(&mut self, heard: Heard, now: Now) {
        match heard {
            Heard::Request { key, flow, message } => self.request(key, flow, &message, now),
            Heard::Acknowledged { key, message } => {
                if let Some((call, leg)) = self.index.servers.remove(&key) {
                    self.with_call(call, now, |call, outside| call.acknowledged(leg, &message, outside));
                }
            }
            Heard::NotAcknowledged { key } => {
                if let Some((call, _)) = self.index.servers.remove(&key) {
                    self.with_call(call, now, |call, outside| call.not_acknowledged(outside));
                }
            }
            Heard::Cancelled { key, .. } => {
                if let Some((call, _)) = self.index.servers.get(&key).copied() {
                    self.with_call(call, now, |call, outside| call.cancelled(outside));
                }
            }
            Heard::Response { key, flow, message } => self.response(key, flow, &message, now),
            Heard::TimedOut { key } | Heard::FlowFailed { key } => {
                if let Some((call, leg)) = self.index.clients.remove(&key) {
                    self.with_call(call, now, |call, outside| call.failed(leg, key, outside));
                }
            }
        }
    }

    fn request(&mut self, key: ServerKey, flow: Flow, message: &Message, now: Now) {
        if let Err(rejection) = message.check_supported(&SUPPORTED) {
            let mut response = self.reply(message, rejection.status);
            response = match rejection.status {
                405 | 501 => response.header(HeaderName::Allow, ALLOW),
                415 | 406 => response.header(HeaderName::Accept, "application/sdp"),
                420 => response.header(HeaderName::Unsupported, rejection.unsupported.join(", ")),
                _ => response,
            };
            return self.stack.respond(key, response.build(), now);
        }
        if let Some(dialog) = DialogId::of_request(message) {
            return self.request_in_dialog(key, &dialog, message, now);
        }
        match message.method() {
            Method::Register => self.register(key, flow, message, now),
            Method::Options => {
                let response = self
                    .reply(message, 200)
                    .header(HeaderName::Allow, ALLOW)
                    .header(HeaderName::Accept, "application/sdp")
                    .header(HeaderName::Supported, "");
                self.stack.respond(key, response.build(), now);
            }
            Method::Invite if message.max_forwards() == Ok(Some(0)) => self.refuse(key, message, 483, now),
            Method::Invite => self.invite(key, flow, message, now),
            // BYE, INFO: of a dialog that we do not know.
            _ => self.refuse(key, message, 481, now),
        }
    }

    fn request_in_dialog(&mut self, key: ServerKey, dialog: &DialogId, message: &Message, now: Now) {
        let Some((call, leg)) = self.index.dialogs.get(dialog).copied() else { return self.refuse(key, message, 481, now) };
        let Some(ongoing) = self.calls.get_mut(&call) else { return self.refuse(key, message, 481, now) };
        let in_order = ongoing.call.in_order(leg, message);
        if !in_order {
            return self.refuse(key, message, 500, now);
        }
        match message.method() {
            Method::Bye => {
                self.refuse(key, message, 200, now);
                self.with_call(call, now, |call, outside| call.bye(leg, outside));
            }
            Method::Invite => self.with_call(call, now, |call, outside| call.reinvited(leg, key, message, outside)),
            Method::Info => self.with_call(call, now, |call, outside| call.info(leg, key, message, outside)),
            Method::Options => self.refuse(key, message, 200, now),
            _ => self.refuse(key, message, 405, now),
        }
    }

    fn response(&mut self, key: ClientKey, flow: Flow, message: &Message, now: Now) {
        let known = self.index.clients.get(&key).copied().filter(|(call, _)| self.calls.contains_key(call));
        if let Some((call, leg)) = known {
            return self.with_call(call, now, |call, outside| call.response(leg, key, message, outside));
        }
        // A phone that answered a call which is over, or which it has lost: acknowledged and sent home (RFC 3261 13.2.2.4).
        let stray = *message.method() == Method::Invite && message.status().is_some_and(|status| (200..300).contains(&status));
        if let (true, Ok(mut dialog)) = (stray, Dialog::uac(message, message)) {
            self.stack.acknowledge(key, dialog.ack(dialog.local_cseq), flow);
            self.stack.request(dialog.request(&Method::Bye), flow, now);
        }
    }

    fn register(&mut self, key: ServerKey, flow: Flow, message: &Message, now: Now) {
        let Some(extension) = self.authenticated(key, message, now) else { return };
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
                };
                if refusal == RegisterRefusal::TooBrief {
                    response = response.header(HeaderName::MinExpires, self.registrar.least_s().to_string());
                }
                self.stack.respond(key, response.build(), now);
            }
            Ok(done) => {
                if !done.changes.is_empty() {
                    let batch = self.save(done.changes, done.essential);
                    self.publish_registration(&extension);
                    if done.essential {
                        self.waiting_for_disk.insert(batch, (key, message.clone(), extension));
                        return;
                    }
                }
                self.registered(key, message, &extension, now);
            }
        }
    }

    /// 200, with every contact and its remaining time (RFC 3261 10.3 step 8).
    fn registered(&mut self, key: ServerKey, message: &Message, extension: &ExtensionNumber, now: Now) {
        let mut response = self.reply(message, 200);
        for binding in self.registrar.bindings(extension.as_str()) {
            let left = (binding.expires - now.wall).as_micros().div_ceil(1_000_000);
            let mut contact = format!("<{}>;expires={left}", binding.contact);
            if let Some(instance) = &binding.instance {
                contact.push_str(&format!(";+sip.instance=\"{instance}\""));
            }
            response = response.header(HeaderName::Contact, contact);
        }
        self.stack.respond(key, response.build(), now);
    }

    fn saved(&mut self, batch: SaveKey, stored: bool, now: Now) {
        let Some((key, message, extension)) = self.waiting_for_disk.remove(&batch) else { return };
        if stored {
            self.registered(key, &message, &extension, now);
        } else {
            let response = self.reply(&message, 503).header(HeaderName::RetryAfter, "30").build();
            self.stack.respond(key, response, now);
        }
    }

    fn invite(&mut self, key: ServerKey, flow: Flow, message: &Message, now: Now) {
        let Some(extension) = self.authenticated(key, message, now) else { return };
        let name = self.directory.extension(extension.as_str()).map(|extension| extension.name.clone()).unwrap_or_default();
        let dialled = match Uri::parse(message.request_uri()) {
            Ok(uri) => uri.user_decoded().map(|user| user.into_owned()).unwrap_or_default(),
            Err(_) => return self.refuse(key, message, 400, now),
        };
        let dialled: String = dialled.split(';').next().unwrap_or_default().chars().take(64).collect();
        let full = if self.draining {
            Some(Refusal::Stopping)
        } else if self.calls.len() >= self.config.most_calls {
            Some(Refusal::TooManyCalls)
        } else {
            None
        };
        if let Some(refusal) = full {
            let response = self.reply(message, refusal.status()).header(HeaderName::RetryAfter, "10").build();
            return self.stack.respond(key, response, now);
        }
        let caller = Caller::Extension(extension);
        let facts = CallFacts { caller: caller.clone(), dialled: dialled.clone(), at: now.wall };
        let decision = decide(&self.dialplan, &self.directory, &facts);
        self.next_call += 1;
        let call_key = CallKey(self.next_call);
        let plan_revision = self.plan_revision;
        let begun = {
            let mut outside = self.outside(now);
            let beginning = Beginning {
                key: call_key,
                caller,
                caller_name: name,
                dialled,
                trace: decision.trace,
                plan_revision,
                invite: message,
                server: key,
                flow,
            };
            Call::begin(beginning, &mut outside)
        };
        let call = match begun {
            Ok(call) => call,
            Err(status) => return self.refuse(key, message, status, now),
        };
        let mut feature = Feature::of(&decision.destination, self.config.ring_for);
        let words = feature.handle(Told::Begun);
        self.calls.insert(call_key, Ongoing { call, feature, wake: None, closing: Vec::new() });
        self.publish_call(call_key);
        self.carry_out(call_key, words, now);
    }

    /// Carries out a feature's words; what they lead to at once is told back to it.
    fn carry_out(&mut self, key: CallKey, words: Vec<Word>, now: Now) {
        for word in words {
            match word {
                Word::Wake(after) => self.wake(key, Some(now.tick + after)),
                Word::StopRinging => self.with_call(key, now, |call, outside| {
                    call.stop_ringing(outside);
                    Signal::Nothing
                }),
                Word::Refuse(refusal) => self.with_call(key, now, |call, outside| call.refuse(refusal, outside)),
                Word::Ring(number) => {
                    let phones: Vec<Phone> = self.registrar.bindings(number.as_str()).iter().map(phone_of).collect();
                    let mut rung = 0;
                    for phone in &phones {
                        self.with_call(key, now, |call, outside| {
                            rung += usize::from(call.ring(phone, outside));
                            Signal::Nothing
                        });
                    }
                    if rung == 0 {
                        let told = if phones.is_empty() { Told::Unregistered } else { Told::Refused(Refusal::TooManyCalls) };
                        self.tell(key, told, now);
                    } else {
                        self.publish_call(key);
                    }
                }
            }
        }
    }

    fn tell(&mut self, key: CallKey, told: Told, now: Now) {
        let Some(ongoing) = self.calls.get_mut(&key) else { return };
        let words = ongoing.feature.handle(told);
        self.carry_out(key, words, now);
    }

    /// Lets a call handle something, and sees to what that leads to.
    fn with_call(&mut self, key: CallKey, now: Now, step: impl FnOnce(&mut Call, &mut Outside<'_>) -> Signal) {
        let Some(mut ongoing) = self.calls.remove(&key) else { return };
        let was_answered = ongoing.call.answered.is_some();
        let signal = step(&mut ongoing.call, &mut self.outside(now));
        let answered = !was_answered && ongoing.call.answered.is_some();
        self.calls.insert(key, ongoing);
        if answered {
            // From here on nobody waits for an answer; the pulse asks whether anybody is still there.
            self.wake(key, Some(now.tick + PULSE));
        }
        match signal {
            Signal::Nothing => {}
            Signal::Changed => self.publish_call(key),
            Signal::Refused(refusal) => self.tell(key, Told::Refused(refusal), now),
            Signal::Over => self.over(key, now),
        }
    }

    fn over(&mut self, key: CallKey, now: Now) {
        let Some(ongoing) = self.calls.get_mut(&key) else { return };
        ongoing.closing = ongoing.call.open_media().collect();
        if ongoing.closing.is_empty() {
            self.finish(key, now);
        } else {
            self.wake(key, Some(now.tick + CLOSING));
        }
    }

    fn finish(&mut self, key: CallKey, now: Now) {
        self.wake(key, None);
        let Some(ongoing) = self.calls.remove(&key) else { return };
        for leg in ongoing.call.legs() {
            self.index.legs.remove(&leg.key);
        }
        self.actions.push_back(Action::Record(Box::new(ongoing.call.record(now.wall))));
        self.publish(Change::CallEnded(key));
    }

    fn woke(&mut self, key: CallKey, now: Now) {
        let Some(ongoing) = self.calls.get_mut(&key) else { return };
        ongoing.wake = None;
        if ongoing.call.is_over() {
            return self.finish(key, now);
        }
        if ongoing.call.answered.is_none() {
            return self.tell(key, Told::Woke, now);
        }
        let dead_after = self.config.dead_after;
        self.wake(key, Some(now.tick + PULSE));
        self.with_call(key, now, |call, outside| {
            if call.is_dead(dead_after, outside) { call.hang_up(Outcome::Lost, outside) } else { Signal::Nothing }
        });
    }

    fn media_event(&mut self, event: pbx_media_words::Event, now: Now) {
        use pbx_media_words::Event as Media;
        match event {
            Media::PortsFree(pairs) => self.ports.extend(pairs),
            Media::Figures { leg, figures } => self.counted(leg, figures, now),
            Media::Closed { leg, figures } => {
                self.counted(leg, figures, now);
                let Some(key) = self.index.legs.remove(&leg) else { return };
                let Some(ongoing) = self.calls.get_mut(&key) else { return };
                ongoing.closing.retain(|open| *open != leg);
                if ongoing.call.is_over() && ongoing.closing.is_empty() {
                    self.finish(key, now);
                }
            }
            Media::Latched { .. } | Media::Silent { .. } | Media::Digit { .. } => {}
        }
    }

    fn counted(&mut self, leg: LegKey, figures: pbx_media_words::Figures, now: Now) {
        let Some(key) = self.index.legs.get(&leg).copied() else { return };
        self.with_call(key, now, |call, outside| {
            call.counted(leg, figures, outside);
            Signal::Nothing
        });
    }

    fn directory_changed(&mut self, directory: Arc<Directory>) {
        self.directory = directory;
        let gone: Vec<ExtensionNumber> = self
            .registrar
            .each()
            .map(|(aor, _)| aor.clone())
            .filter(|aor| !self.directory.extension(aor.as_str()).is_some_and(|extension| extension.enabled))
            .collect();
        for aor in gone {
            let changes = self.registrar.forget(&aor);
            self.bindings_gone(changes);
        }
    }

    fn bindings_gone(&mut self, changes: Vec<BindingChange>) {
        if changes.is_empty() {
            return;
        }
        let whose: std::collections::BTreeSet<ExtensionNumber> = changes
            .iter()
            .map(|change| match change {
                BindingChange::Put(binding) => binding.aor.clone(),
                BindingChange::Remove { aor, .. } => aor.clone(),
            })
            .collect();
        self.save(changes, false);
        whose.iter().for_each(|aor| self.publish_registration(aor));
    }

    fn save(&mut self, changes: Vec<BindingChange>, awaited: bool) -> SaveKey {
        self.next_save += 1;
        let batch = SaveKey(self.next_save);
        self.actions.push_back(Action::Save { batch, changes, awaited });
        batch
    }

    /// The extension that sent a request, if it knows its secret; otherwise a challenge has been sent. Wrong secrets, unknown and
    /// switched-off extensions are answered alike.
    fn authenticated(&mut self, key: ServerKey, message: &Message, now: Now) -> Option<ExtensionNumber> {
        let directory = Arc::clone(&self.directory);
        let ha1_of = |user: &str| -> Option<Ha1> {
            directory.extension(user).filter(|extension: &&Extension| extension.enabled).map(|extension| extension.ha1.clone())
        };
        let stale = match self.auth.check(message, ha1_of, now) {
            Verdict::Agreed { user } => return ExtensionNumber::new(&user).ok(),
            Verdict::Challenge { stale } => stale,
            Verdict::Wrong { .. } => false,
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

    fn reply(&mut self, message: &Message, status: u16) -> Builder {
        let tag = self.entropy.token();
        Builder::response_to(message, status, Some(&tag)).header(HeaderName::Server, &self.config.user_agent)
    }

    fn refuse(&mut self, key: ServerKey, message: &Message, status: u16, now: Now) {
        let response = self.reply(message, status).build();
        self.stack.respond(key, response, now);
    }

    fn wake(&mut self, key: CallKey, when: Option<Tick>) {
        let Some(ongoing) = self.calls.get_mut(&key) else { return };
        if let Some(before) = std::mem::replace(&mut ongoing.wake, when) {
            self.wakes.remove(&(before, key));
        }
        if let Some(when) = when {
            self.wakes.insert((when, key), ());
        }
    }

    /// Which call a heard message concerns, for the net below.
    fn concerned(&self, heard: &Heard) -> Option<CallKey> {
        match heard {
            Heard::Request { message, .. } => {
                DialogId::of_request(message).and_then(|dialog| self.index.dialogs.get(&dialog)).map(|(call, _)| *call)
            }
            Heard::Acknowledged { key, .. } | Heard::NotAcknowledged { key } | Heard::Cancelled { key, .. } => {
                self.index.servers.get(key).map(|(call, _)| *call)
            }
            Heard::Response { key, .. } | Heard::TimedOut { key } | Heard::FlowFailed { key } => {
                self.index.clients.get(key).map(|(call, _)| *call)
            }
        }
    }

    /// A call whose state cannot be trusted any more.
    fn discard(&mut self, key: CallKey, now: Now) {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            self.with_call(key, now, |call, outside| call.hang_up(Outcome::Refused(Refusal::Fault), outside))
        }));
        if ended.is_err() {
            self.calls.remove(&key);
            self.publish(Change::CallEnded(key));
        }
    }

    fn publish_registration(&mut self, extension: &ExtensionNumber) {
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

    fn publish_call(&mut self, key: CallKey) {
        let Some(live) = self.calls.get(&key).filter(|ongoing| !ongoing.call.is_over()).map(|ongoing| LiveCall::of(&ongoing.call))
        else {
            return;
        };
        self.publish(Change::Call(Box::new(live)));
    }

    fn publish(&mut self, change: Change) {
        self.sequence += 1;
        self.actions.push_back(Action::Publish(Published { sequence: self.sequence, change }));
    }

    fn outside(&mut self, now: Now) -> Outside<'_> {
        Outside {
            stack: &mut self.stack,
            entropy: &mut self.entropy,
            ports: &mut self.ports,
            media: &mut self.media,
            index: &mut self.index,
            domain: &self.config.domain,
            user_agent: &self.config.user_agent,
            next_leg: &mut self.next_leg,
            now,
        }
    }
}

fn phone_of(binding: &Binding) -> Phone {
    Phone {
        party: binding.aor.to_string(),
        contact: binding.contact.clone(),
        flow: binding.flow,
        user_agent: binding.user_agent.clone(),
    }
}
