//! Calls: how they begin, what their features say, and how they end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use pbx_media_words::{LegKey, PortPair};
use pbx_sip::clock::{Now, Tick};
use pbx_sip::flow::Flow;
use pbx_sip::message::{HeaderName, Message, Uri};
use pbx_sip::stack::ServerKey;

use crate::action::Action;
use crate::call::identity::wishes_privacy;
use crate::call::line::ByLine;
use crate::call::{Beginning, Call, CallKey, Identity, Outcome, Outside, Phone, Refusal, Signal, Sound, Way, is_sips};
use crate::dialplan::{CallFacts, Caller, Destination, RefusalReason, Step, Trace, decide};
use crate::feature::{Feature, Told, Word};
use crate::registrar::{Binding, gruu};
use crate::status::{Change, LiveCall};
use crate::switch::keeping_alive::is_behind_a_router;
use crate::switch::lines::as_a_visitor;
use crate::switch::{Ongoing, Switch};

/// How long a call that is over waits for media's last figures.
const CLOSING: Duration = Duration::from_secs(2);

/// How often calls are asked whether anybody is still there.
const PULSE: Duration = Duration::from_secs(10);

/// An INVITE whose sender is known, before the plan was asked.
pub(super) struct Begun {
    /// Who it is.
    pub caller: Caller,
    /// As the other side may know them.
    pub identity: Identity,
    /// What is dialled within the house; empty if a line calls a number that is none of ours.
    pub dialled: String,
    /// One phone of it alone (RFC 5627): the public name of that.
    pub only_for: Option<String>,
    /// What was called, for records.
    pub called: String,
    /// The line by which it came.
    pub line: Option<ByLine>,
    /// What was found out on the way.
    pub steps: Vec<Step>,
}

impl Switch {
    pub(super) fn invite(&mut self, key: ServerKey, flow: Flow, message: &Message, now: Now) {
        if let Some(trunk) = self.line_meant(&flow, message).cloned() {
            return self.invite_by_line(key, flow, &trunk, message, now);
        }
        let Some(extension) = self.authenticated(key, flow, message, now) else { return };
        match message.replaces() {
            Ok(None) => {}
            Ok(Some(replaces)) => return self.invite_in_place(key, flow, message, extension, &replaces.into(), now),
            Err(_) => return self.refuse(key, message, 400, now),
        }
        let mut identity = Identity::new(extension.as_str(), self.name_of(extension.as_str()));
        identity.hidden = wishes_privacy(message);
        let Ok(uri) = Uri::parse(message.request_uri()) else { return self.refuse(key, message, 400, now) };
        let (dialled, only_for) = self.meant(&uri);
        // What `sips:` promises is broken already.
        if is_sips(message.request_uri()) && !flow.transport.is_secured() {
            return self.refuse(key, message, 416, now);
        }
        let dialled: String = dialled.split(';').next().unwrap_or_default().chars().take(64).collect();
        let (caller, called) = (Caller::Extension(extension), dialled.clone());
        self.begin(key, flow, message, Begun { caller, identity, dialled, only_for, called, line: None, steps: Vec::new() }, now);
    }

    /// An INVITE whose sender is known becomes a call, and the plan says where it goes.
    pub(super) fn begin(&mut self, key: ServerKey, flow: Flow, message: &Message, begun: Begun, now: Now) {
        let Begun { caller, identity, dialled, only_for, called, line, mut steps } = begun;
        let mut destination = Destination::Refuse(RefusalReason::UnknownNumber);
        if !dialled.is_empty() || line.is_none() {
            let decision = decide(&self.dialplan, &self.directory, &CallFacts { caller: caller.clone(), dialled, at: now.wall });
            steps.extend(decision.trace.steps);
            destination = decision.destination;
        }
        if line.is_some() {
            destination = as_a_visitor(destination, &mut steps);
        }
        if let Some(refusal) = self.no_room_for(&caller, &destination) {
            let response = self.reply(message, refusal.status()).header(HeaderName::RetryAfter, "10").build();
            return self.stack.respond(key, response, now);
        }
        let sound = match &line {
            Some(line) => self.sound_on(&line.trunk),
            None => self.sound_with(caller.as_str(), &flow),
        };
        self.next_call += 1;
        let call_key = CallKey(self.next_call);
        let plan_revision = self.plan_revision;
        let begun = {
            let mut outside = self.outside(now);
            let beginning = Beginning {
                key: call_key,
                caller,
                identity,
                dialled: called,
                trace: Trace { steps },
                plan_revision,
                invite: message,
                server: key,
                flow,
                sound,
                line,
            };
            Call::begin(beginning, &mut outside)
        };
        let call = match begun {
            Ok(call) => Call { only_for, ..call },
            Err(status) => return self.refuse(key, message, status, now),
        };
        let mut feature = Feature::of(&destination, self.config.ring_for);
        let words = feature.handle(Told::Begun);
        self.calls.insert(call_key, Ongoing { call, feature, wake: None, due: None, closing: Vec::new() });
        self.publish_call(call_key);
        self.carry_out(call_key, words, now);
    }

    /// Is there no room for one more call? For one that seeks help there always is.
    pub(super) fn no_room_for(&self, caller: &Caller, destination: &Destination) -> Option<Refusal> {
        if matches!(destination, Destination::Emergency { .. }) {
            return None;
        }
        if self.draining {
            return Some(Refusal::Stopping);
        }
        let begun_by = |number: &str| self.calls.values().filter(|ongoing| ongoing.call.is_begun_by(number)).count();
        let full = self.calls.len() >= self.config.most_calls
            || matches!(caller, Caller::Extension(number) if begun_by(number.as_str()) >= self.config.calls_per_extension);
        full.then_some(Refusal::TooManyCalls)
    }

    /// What a URI dials: the number, and the one phone of it that is meant, if one is (RFC 5627).
    pub(super) fn meant(&self, uri: &Uri<'_>) -> (String, Option<String>) {
        let user = uri.user_decoded().map(|user| user.into_owned()).unwrap_or_default();
        let bindings = || self.registrar.each().flat_map(|(_, bindings)| bindings);
        match gruu::found(&user, bindings(), &self.auth) {
            Some(binding) => (binding.aor.to_string(), gruu::name(binding)),
            None => (user, gruu::named(uri)),
        }
    }

    /// The name of an extension; empty if there is none.
    pub(super) fn name_of(&self, number: &str) -> &str {
        self.directory.extension(number).map_or("", |extension| &extension.name)
    }

    /// Carries out a feature's words; what they lead to at once is told back to it.
    pub(super) fn carry_out(&mut self, key: CallKey, words: Vec<Word>, now: Now) {
        for word in words {
            match word {
                Word::Wake(after) => self.wake(key, Some(now.tick + after)),
                Word::StopRinging => self.with_call(key, now, |call, outside| {
                    call.stop_ringing(outside);
                    Signal::Nothing
                }),
                Word::StopSilent => {
                    self.doubt_lines_of(key, now);
                    self.with_call(key, now, Call::stop_silent);
                }
                Word::Dial { number, site, emergency } => self.dial(key, &number, &site, emergency, now),
                Word::Refuse(refusal) if self.hand_back(key, refusal, now) => {}
                Word::Refuse(refusal) => self.with_call(key, now, |call, outside| call.refuse(refusal, outside)),
                Word::Ring(number) => {
                    let Some(call) = self.calls.get(&key).map(|ongoing| &ongoing.call) else { continue };
                    let (sips, only_for) = (call.a.sips, call.only_for.as_deref().filter(|_| call.dialled == number.as_str()));
                    let kept = |binding: &&Binding| {
                        (!sips || binding.flow.transport.is_secured()) && only_for.is_none_or(|gr| gruu::is_named(binding, gr))
                    };
                    let bindings = self.registrar.bindings(number.as_str()).iter().filter(kept);
                    let mut phones = phones_of(bindings, self.name_of(number.as_str()));
                    phones.iter_mut().for_each(|phone| phone.sound = self.sound_with(number.as_str(), &phone.way.flow));
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

    pub(super) fn tell(&mut self, key: CallKey, told: Told, now: Now) {
        let Some(ongoing) = self.calls.get_mut(&key) else { return };
        let words = ongoing.feature.handle(told);
        self.carry_out(key, words, now);
    }

    /// Lets a call handle something, and sees to what that leads to. This is the edge at which a fault of ours ends one call.
    pub(super) fn with_call(&mut self, key: CallKey, now: Now, step: impl FnOnce(&mut Call, &mut Outside<'_>) -> Signal) {
        let Some(mut ongoing) = self.calls.remove(&key) else { return };
        let was_answered = ongoing.call.answered.is_some();
        let shape = self.shape_of(&ongoing.call);
        let signal = catch_unwind(AssertUnwindSafe(|| step(&mut ongoing.call, &mut self.outside(now))));
        let answered = !was_answered && ongoing.call.answered.is_some();
        let due = ongoing.call.due();
        let (due_before, handed) = (std::mem::replace(&mut ongoing.due, due), ongoing.call.handed.is_some());
        // What media counts changes nothing for whoever watches.
        let differs = self.shape_of(&ongoing.call) != shape;
        self.calls.insert(key, ongoing);
        if differs {
            self.call_touched(key);
        }
        self.set_due(key, due_before, due);
        if handed {
            self.tell_of_transfer(key, now);
        }
        if answered {
            self.test_went(key, true);
            // From here on nobody waits for an answer; the pulse asks whether anybody is still there.
            self.wake(key, Some(now.tick + PULSE));
        }
        match signal {
            Ok(Signal::Nothing) => {}
            Ok(Signal::Changed) => self.publish_call(key),
            Ok(Signal::Refused(refusal)) => self.tell(key, Told::Refused(refusal), now),
            Ok(Signal::Over) => self.over(key, now),
            Err(_) => self.faulted(Some(key), now),
        }
    }

    /// A fault of ours was caught. Its call is over: everybody is told as far as can be, its ports go back, and it is recorded.
    pub(super) fn faulted(&mut self, call: Option<CallKey>, now: Now) {
        self.faults += 1;
        tracing::error!(faults = self.faults, "a fault of ours was caught; what it happened to is discarded");
        if let Some((key, mut ongoing)) = call.and_then(|key| self.calls.remove_entry(&key)) {
            let told = catch_unwind(AssertUnwindSafe(|| ongoing.call.discard(&mut self.outside(now))));
            if told.is_err() {
                ongoing.call.discard_at_least(&mut self.outside(now));
            }
            let legs: Vec<LegKey> = ongoing.call.open_media().collect();
            self.index.retain(|call| call != key);
            self.index.legs.extend(legs.into_iter().map(|leg| (leg, key)));
            self.calls.insert(key, ongoing);
            self.over(key, now);
        }
        // What had begun to become a call, and did not.
        self.index.retain(|call| self.calls.contains_key(&call));
    }

    pub(super) fn over(&mut self, key: CallKey, now: Now) {
        self.tell_of_transfer(key, now);
        self.call_touched(key);
        self.count(key, now);
        self.test_went(key, false);
        let Some(ongoing) = self.calls.get_mut(&key) else { return };
        ongoing.closing = ongoing.call.open_media().collect();
        let (closed, due) = (ongoing.closing.is_empty(), ongoing.due.take());
        self.set_due(key, due, None);
        if closed {
            self.finish(key, now);
        } else {
            self.wake(key, Some(now.tick + CLOSING));
        }
    }

    pub(super) fn finish(&mut self, key: CallKey, now: Now) {
        self.wake(key, None);
        let Some(ongoing) = self.calls.remove(&key) else { return };
        for leg in ongoing.call.legs() {
            // One that went to another call is still there.
            if self.index.legs.get(&leg.key) == Some(&key) {
                self.index.legs.remove(&leg.key);
                self.held.remove(&leg.key);
            }
        }
        self.actions.push_back(Action::Record(Box::new(ongoing.call.record(now.wall))));
        self.publish(Change::CallEnded(key));
        let lines: std::collections::BTreeSet<_> =
            ongoing.call.legs().filter_map(|leg| leg.line.clone()).map(|line| line.trunk).collect();
        lines.iter().for_each(|line| self.publish_line(line));
    }

    pub(super) fn woke(&mut self, key: CallKey, now: Now) {
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
            if call.is_dead(dead_after, outside) {
                return call.hang_up(Outcome::Lost, outside);
            }
            call.probe(dead_after, outside);
            Signal::Nothing
        });
    }

    /// Notes when the call's legs want something by themselves.
    fn set_due(&mut self, key: CallKey, before: Option<Tick>, due: Option<Tick>) {
        if before == due {
            return;
        }
        if let Some(before) = before {
            self.dues.remove(&(before, key));
        }
        if let Some(due) = due {
            self.dues.insert((due, key), ());
        }
    }

    pub(super) fn wake(&mut self, key: CallKey, when: Option<Tick>) {
        let Some(ongoing) = self.calls.get_mut(&key) else { return };
        if let Some(before) = std::mem::replace(&mut ongoing.wake, when) {
            self.wakes.remove(&(before, key));
        }
        if let Some(when) = when {
            self.wakes.insert((when, key), ());
        }
    }

    pub(super) fn media_event(&mut self, event: pbx_media_words::Event, now: Now) {
        use pbx_media_words::Event as Media;
        match event {
            Media::PortsFree(pairs) => {
                let held: Vec<PortPair> = self.held.values().copied().collect();
                self.ports.extend(pairs.into_iter().filter(|pair| !held.contains(pair)));
            }
            Media::Figures { leg, figures } => self.counted(leg, figures, now),
            Media::Closed { leg, figures } => {
                self.counted(leg, figures, now);
                self.held.remove(&leg);
                let Some(key) = self.index.legs.remove(&leg) else { return };
                self.with_call(key, now, |call, _| {
                    call.closed(leg);
                    Signal::Nothing
                });
                let Some(ongoing) = self.calls.get_mut(&key) else { return };
                ongoing.closing.retain(|open| *open != leg);
                if ongoing.call.is_over() && ongoing.closing.is_empty() {
                    self.finish(key, now);
                }
            }
            Media::Latched { .. } | Media::Silent { .. } | Media::Digit { .. } => {}
        }
    }

    pub(super) fn counted(&mut self, leg: LegKey, figures: pbx_media_words::Figures, now: Now) {
        let Some(key) = self.index.legs.get(&leg).copied() else { return };
        self.with_call(key, now, |call, outside| call.counted(leg, figures, outside));
    }

    pub(super) fn publish_call(&mut self, key: CallKey) {
        let Some(live) = self.calls.get(&key).filter(|ongoing| !ongoing.call.is_over()).map(|ongoing| LiveCall::of(&ongoing.call))
        else {
            return;
        };
        self.publish(Change::Call(Box::new(live)));
    }
}

/// The phones of an extension, each once, however many ways there are to it.
pub(super) fn phones_of<'a>(bindings: impl Iterator<Item = &'a Binding>, name: &str) -> Vec<Phone> {
    let mut phones: Vec<(&Binding, Phone)> = Vec::new();
    for binding in bindings {
        let way = Way { contact: binding.contact.clone(), flow: binding.flow, path: binding.path.clone() };
        match phones.iter_mut().find(|(known, _)| known.is_same_phone_as(binding)) {
            Some((_, phone)) => phone.other_ways.insert(0, way),
            None => {
                let phone = Phone {
                    party: binding.aor.to_string(),
                    way,
                    either_way: !is_behind_a_router(binding) && binding.path.is_empty(),
                    other_ways: Vec::new(),
                    user_agent: binding.user_agent.clone(),
                    name: name.to_owned(),
                    of_house: true,
                    sound: Sound::default(),
                    by_line: None,
                };
                phones.push((binding, phone));
            }
        }
    }
    phones.into_iter().map(|(_, phone)| phone).collect()
}
