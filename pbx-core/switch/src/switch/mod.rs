//! The house as one machine: SIP stack, registrar, calls and their features, told one event at a time.

mod asked_who;
mod calling;
mod charging;
mod guarding;
mod hearing;
mod keeping_alive;
mod lines;
mod messaging;
mod moving;
mod publishing;
mod registering;
mod subscribing;
mod testing_lines;
mod transferring;
mod written;

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use pbx_media_words::{Command, LegKey, PortPair};
use pbx_sip::auth::{Algorithm, Authenticator};
use pbx_sip::clock::{Now, Tick};
use pbx_sip::entropy::Entropy;
use pbx_sip::flow::Flow;
use pbx_sip::message::{Builder, HeaderName, Message};
use pbx_sip::stack::{Heard, ServerKey, Stack};
use pbx_sip::transaction::Timers;

use crate::action::{Action, SaveKey};
use crate::call::session_timer::LEAST_S;
use crate::call::{Call, CallKey, Index, Outcome, Outside};
use crate::dialplan::Dialplan;
use crate::directory::{Barred, Directory, ExtensionNumber};
use crate::door::Door;
use crate::event::Event;
use crate::feature::Feature;
use crate::registrar::{Binding, BindingChange, Expiry, Registrar};
use crate::status::{Change, Published};
use crate::subscription::table::Subscriptions;

pub use written::Written;

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
    /// part of their User-Agent. baresip 1.0 is one, JsSIP 3.13 another; `two_phones` and `websocket` show it.
    pub md5_only: Vec<String>,
    /// A nonce is good for so long.
    pub nonce_life: Duration,
    /// Bounds of registrations.
    pub expiry: Expiry,
    /// How long a phone rings before nobody came.
    pub ring_for: Duration,
    /// A call in which neither side sends anything for so long is over.
    pub dead_after: Duration,
    /// The most calls at once; one that seeks help is taken all the same.
    pub most_calls: usize,
    /// Of these, the most that one extension has begun.
    pub calls_per_extension: usize,
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
    door: Door,
    calls: BTreeMap<CallKey, Ongoing>,
    /// When which call is to be woken.
    wakes: BTreeMap<(Tick, CallKey), ()>,
    /// When a leg of which call wants something by itself.
    dues: BTreeMap<(Tick, CallKey), ()>,
    index: Index,
    goodbyes: BTreeMap<ServerKey, (Builder, Flow)>,
    messages: messaging::UnderWay,
    lines: lines::Lines,
    subscriptions: Subscriptions,
    subscriptions_saving: BTreeMap<SaveKey, subscribing::Saving>,
    kept_alive: keeping_alive::KeptAlive,
    charging: charging::Charging,
    line_tests: testing_lines::Tests,
    /// Of each extension the phone that was turned away last in spite of the right secret.
    turned_away: BTreeMap<ExtensionNumber, (Flow, Barred)>,
    ports: VecDeque<PortPair>,
    /// Ports of calls that were read back; media says that they are free, and they are not.
    held: BTreeMap<LegKey, PortPair>,
    media: VecDeque<Command>,
    waiting_for_disk: BTreeMap<SaveKey, Registering>,
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

/// A REGISTER whose bindings are on their way to the disk.
struct Registering {
    key: ServerKey,
    message: Message,
    extension: ExtensionNumber,
    changes: Vec<BindingChange>,
}

/// A call with the feature that runs it.
struct Ongoing {
    call: Call,
    feature: Feature,
    wake: Option<Tick>,
    due: Option<Tick>,
    /// Media that has not yet said its last figures, once the call is over.
    closing: Vec<LegKey>,
}

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
            door: Door::default(),
            calls: BTreeMap::new(),
            wakes: BTreeMap::new(),
            dues: BTreeMap::new(),
            index: Index::default(),
            goodbyes: BTreeMap::new(),
            messages: messaging::UnderWay::default(),
            lines: lines::Lines::default(),
            subscriptions: Subscriptions::default(),
            subscriptions_saving: BTreeMap::new(),
            kept_alive: keeping_alive::KeptAlive::default(),
            charging: charging::Charging::default(),
            line_tests: testing_lines::Tests::default(),
            turned_away: BTreeMap::new(),
            ports: VecDeque::new(),
            held: BTreeMap::new(),
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
        known.iter().for_each(|aor| switch.may_need_keeping(aor.as_str(), now));
        switch.lines_changed(now);
        switch.settle(now);
        switch
    }

    /// One event.
    pub fn handle(&mut self, event: Event, now: Now) {
        match event {
            Event::Received { flow, octets } => self.received(flow, octets, now),
            Event::OuterMoved { address } => self.guarded(now, |switch| switch.outer_moved(address, now)),
            Event::LiftBan { source } => self.lift_ban(source, now),
            Event::FlowClosed { flow } => {
                self.stack.flow_closed(flow);
                let changes = self.registrar.flow_closed(&flow);
                self.bindings_gone(changes);
                self.line_flow_closed(&flow, now);
            }
            Event::Distrusted { flow } => self.line_distrusted(&flow, now),
            Event::Resolved { ticket, ways } => self.resolved(ticket, ways, now),
            Event::Media(event) => self.guarded(now, |switch| switch.media_event(event, now)),
            Event::DirectoryChanged(directory) => {
                self.directory_changed(directory, now);
                self.lines_changed(now);
                self.subscriptions_of_directory(now);
                self.guarded(now, |switch| switch.judge_spending(now));
            }
            Event::DialplanChanged { plan, revision } => (self.dialplan, self.plan_revision) = (plan, revision),
            Event::Saved { batch, stored } => self.saved(batch, stored, now),
            Event::TestLine { trunk, extension, number, shown } => {
                self.guarded(now, |switch| switch.test_line(trunk, extension, number, shown, now))
            }
            Event::MessagesWaiting { of, waiting } => self.messages_waiting(of, waiting, now),
            Event::Allow { payer } => self.guarded(now, |switch| switch.allow(payer, now)),
            Event::Text { to, text } => self.guarded(now, |switch| switch.announce(&to, &text, now)),
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
        self.guarded(now, |switch| switch.stack.handle_deadline(now));
        let lapsed = self.registrar.lapse(now.wall);
        self.bindings_gone(lapsed);
        self.bans_lapse(now);
        self.lines_due(now);
        self.subscriptions_due(now);
        self.publications_due(now);
        self.keep_alive(now);
        self.guarded(now, |switch| switch.charges_due(now));
        while let Some((&(when, key), ())) = self.wakes.first_key_value() {
            if when > now.tick {
                break;
            }
            self.wakes.pop_first();
            self.guarded(now, |switch| switch.woke(key, now));
        }
        while let Some((&(when, key), ())) = self.dues.first_key_value() {
            if when > now.tick {
                break;
            }
            self.dues.pop_first();
            if let Some(ongoing) = self.calls.get_mut(&key) {
                ongoing.due = None;
            }
            self.guarded(now, |switch| switch.with_call(key, now, Call::on_time));
        }
        self.settle(now);
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to come back.
    pub fn poll_deadline(&self, now: Now) -> Option<Tick> {
        let bans = self.door.next_lapse().map(|when| now.tick + (when - now.wall));
        let lapse = self.registrar.next_lapse().map(|when| now.tick + (when - now.wall));
        let wake = self.wakes.first_key_value().map(|((when, _), ())| *when);
        let due = self.dues.first_key_value().map(|((when, _), ())| *when);
        [
            self.stack.poll_deadline(),
            lapse,
            bans,
            wake,
            due,
            self.lines.next(),
            self.subscriptions.next(now),
            self.kept_alive.next(),
            self.charging.next,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Calls that are not over.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Transactions alive, for figures and tests.
    pub fn transactions(&self) -> usize {
        self.stack.len()
    }

    /// Requests of ours without a final answer, and those that are still to be sent, for whoever wants to end in peace.
    pub fn unanswered(&self) -> usize {
        self.stack.unanswered() + self.goodbyes.len()
    }

    /// What there is of each thing that ends with the calls and requests it belongs to, for tests and figures: in a house at rest,
    /// nothing of any.
    pub fn left_over(&self) -> Vec<(&'static str, usize)> {
        vec![
            ("calls", self.calls.len()),
            ("transactions", self.stack.len()),
            ("wakes of calls", self.wakes.len()),
            ("timers of legs", self.dues.len()),
            ("requests of ours in the index", self.index.clients.len()),
            ("INVITEs to us in the index", self.index.servers.len()),
            ("dialogs in the index", self.index.dialogs.len()),
            ("legs in the index", self.index.legs.len()),
            ("ports of calls that were read back", self.held.len()),
            ("BYEs that wait for an ACK", self.goodbyes.len()),
            ("texts on their way", self.messages.len()),
            ("notifications on their way", self.subscriptions.under_way()),
            ("subscriptions that wait for the disk", self.subscriptions_saving.len()),
            ("registrations that wait for the disk", self.waiting_for_disk.len()),
        ]
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
            self.faulted(None, now);
        }
        while let Some(heard) = self.stack.poll_heard() {
            let concerned = self.concerned(&heard);
            let asked = match &heard {
                Heard::Request { key, message, .. } => Some((*key, message.clone())),
                _ => None,
            };
            if catch_unwind(AssertUnwindSafe(|| self.heard(heard, now))).is_err() {
                self.faulted(concerned, now);
                // Whoever asked is not left waiting; a request that was answered before is not answered again.
                if let Some((key, message)) = asked {
                    self.refuse(key, &message, 500, now);
                }
            }
        }
    }

    /// Drains what the step left: heard messages, media commands, octets.
    fn settle(&mut self, now: Now) {
        self.guarded(now, |switch| switch.tell_watchers(now));
        // What the stack heard meanwhile may have touched others.
        self.guarded(now, |switch| switch.tell_watchers(now));
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

    fn reply(&mut self, message: &Message, status: u16) -> Builder {
        let tag = self.entropy.token();
        Builder::response_to(message, status, Some(&tag)).header(HeaderName::Server, &self.config.user_agent)
    }

    fn refuse(&mut self, key: ServerKey, message: &Message, status: u16, now: Now) {
        let mut response = self.reply(message, status);
        if status == 422 {
            response = response.header(HeaderName::MinSe, LEAST_S.to_string());
        }
        self.stack.respond(key, response.build(), now);
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
            goodbyes: &mut self.goodbyes,
            domain: &self.config.domain,
            user_agent: &self.config.user_agent,
            credentials: &self.lines.credentials,
            next_leg: &mut self.next_leg,
            now,
        }
    }
}

#[cfg(test)]
mod tests;
