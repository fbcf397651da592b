//! A call from its first ring to its end.

use bytes::Bytes;
use pbx_media_words::{Figures, LegKey};
use pbx_sip::clock::Wall;
use pbx_sip::flow::Flow;
use pbx_sip::message::{Builder, HeaderName, Message, Method};
use pbx_sip::stack::{ClientKey, ServerKey};
use serde::{Deserialize, Serialize};

use crate::call::transfer::{Handed, Transfer};
use crate::call::{CallKey, CallRecord, Identity, Leg, LegState, Outcome, Outside, Refusal, reason};
use crate::dialplan::{Step, Trace};
use crate::directory::ExtensionNumber;

/// What the feature that runs the call has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Nothing.
    Nothing,
    /// Something that pages show has changed.
    Changed,
    /// Every phone that was rung has refused.
    Refused(Refusal),
    /// The call is over; its record can be written when media has closed.
    Over,
}

/// One call; plain data.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// Which.
    pub key: CallKey,
    /// Who calls.
    pub caller: Identity,
    /// As dialled.
    pub dialled: String,
    /// Why it goes where it goes.
    pub trace: Trace,
    /// The plan that decided.
    pub plan_revision: i64,
    /// When it began.
    pub started: Wall,
    /// When it was answered.
    pub answered: Option<Wall>,
    /// The extension that has it begun, and answers for what it costs; none where somebody outside calls.
    #[serde(default)]
    pub payer: Option<ExtensionNumber>,
    /// It was for one phone of the extension dialled (RFC 5627), by the public name of that.
    #[serde(default)]
    pub(crate) only_for: Option<String>,
    /// What is left of the hops it may take.
    pub(crate) max_forwards: u32,
    /// Who calls.
    pub(crate) a: Leg,
    /// Who is rung; at most one of them answers.
    pub(crate) b: Vec<Leg>,
    /// Those whose place another has taken.
    pub(crate) gone: Vec<Leg>,
    /// The leg it began with.
    pub(crate) begun_by: LegKey,
    /// One side sends the other elsewhere.
    pub(crate) transfer: Option<Transfer>,
    /// It was handed over by another call, which is to be told what becomes of it.
    pub(crate) handed: Option<Handed>,
    /// The best refusal so far.
    pub(crate) refused: Option<Refusal>,
    /// Leg A was told that it rings.
    pub(crate) rang: bool,
    /// Leg A's offer was answered in a provisional response.
    pub(crate) early: bool,
    /// Once it is over.
    pub(crate) outcome: Option<Outcome>,
    /// The caller asked that the phones answer by themselves, and may.
    pub(crate) answer_at_once: bool,
    /// Why it ends, in the words of the side that ends it (RFC 3326).
    pub(crate) goodbye: Option<String>,
    /// INFO passed from one leg to the other: our request, and theirs that waits for its answer.
    pub(crate) infos: Vec<(ClientKey, ServerKey, Bytes)>,
}

impl Call {
    /// A call that has one leg yet, and knows nothing of where it goes.
    pub(crate) fn new(key: CallKey, a: Leg, caller: Identity, started: Wall) -> Call {
        Call {
            key,
            caller,
            dialled: String::new(),
            trace: Trace::default(),
            plan_revision: 0,
            started,
            answered: None,
            payer: None,
            only_for: None,
            max_forwards: 70,
            begun_by: a.key,
            a,
            b: Vec::new(),
            gone: Vec::new(),
            transfer: None,
            handed: None,
            refused: None,
            rang: false,
            early: false,
            outcome: None,
            answer_at_once: false,
            goodbye: None,
            infos: Vec::new(),
        }
    }

    /// Turns the call away.
    pub fn refuse(&mut self, refusal: Refusal, outside: &mut Outside<'_>) -> Signal {
        self.over(Outcome::Refused(refusal), None, outside)
    }

    /// An administrator, or the end of the house, ends it.
    pub fn hang_up(&mut self, outcome: Outcome, outside: &mut Outside<'_>) -> Signal {
        self.over(outcome, None, outside)
    }

    /// After a fault of ours, when its state cannot be trusted any more: whoever was not told yet is told, whatever was thought before.
    pub fn discard(&mut self, outside: &mut Outside<'_>) {
        self.outcome = None;
        self.over(Outcome::Refused(Refusal::Fault), None, outside);
    }

    /// And if even that fails: its ports go back, and it is over.
    pub fn discard_at_least(&mut self, outside: &mut Outside<'_>) {
        let outcome = Outcome::Refused(Refusal::Fault);
        self.outcome = Some(outcome);
        for leg in std::iter::once(&mut self.a).chain(&mut self.b) {
            leg.end(outcome.code(), outside);
        }
    }

    /// A request within its dialog came by this way: answers and requests of ours go back along it, also when the phone has another
    /// connection or another address than before.
    pub fn reached_by(&mut self, leg: LegKey, flow: Flow) {
        if let Some(leg) = self.leg(leg) {
            leg.flow = flow;
        }
    }

    /// Adds what happened to the trace.
    pub fn turned(&mut self, why: &str, at: Wall) {
        self.trace.steps.push(Step::Turned { at, why: why.to_owned() });
    }

    /// A response to a request of ours on one of its legs.
    pub fn response(&mut self, leg: LegKey, client: ClientKey, message: &Message, outside: &mut Outside<'_>) -> Signal {
        let Some(status) = message.status() else { return Signal::Nothing };
        if let Some(at) = self.infos.iter().position(|(ours, _, _)| *ours == client) {
            if status >= 200 {
                outside.index.clients.remove(&client);
                let (_, server, request) = self.infos.swap_remove(at);
                self.answer_info(server, request, status, outside);
            }
            return Signal::Nothing;
        }
        if self.leg(leg).is_some_and(|leg| leg.asking.asked.as_ref().is_some_and(|asked| asked.client == client)) {
            return self.answered_our_offer(leg, message, outside);
        }
        if self.leg(leg).is_some_and(|leg| leg.probe == Some(client)) {
            return if status < 200 { Signal::Nothing } else { self.probed(leg, client, !matches!(status, 408 | 481), outside) };
        }
        let Some(place) = self.b.iter().position(|each| each.key == leg && each.client == Some(client)) else {
            return Signal::Nothing;
        };
        match status {
            ..=100 => Signal::Nothing,
            101..=199 => self.provisional(place, message, outside),
            200..=299 => self.accepted(place, client, message, outside),
            401 | 407 if self.b[place].line.is_some() => self.ring_with_secret(place, message, outside),
            430 if let Some(signal) = self.ring_by_other_way(place, outside) => signal,
            415 | 488 | 606 if let Some(signal) = self.ring_protected(place, outside) => signal,
            422 if self.b[place].takes_longer_interval(message) => self.ring_again(place, outside),
            _ if self.b[place].line.is_some() => self.leg_refused(place, Refusal::of_line_status(status), outside),
            _ => self.leg_refused(place, Refusal::of_status(status), outside),
        }
    }

    /// No answer to a request of ours, or its connection is gone.
    pub fn failed(&mut self, leg: LegKey, client: ClientKey, outside: &mut Outside<'_>) -> Signal {
        if let Some(at) = self.infos.iter().position(|(ours, _, _)| *ours == client) {
            let (_, server, request) = self.infos.swap_remove(at);
            self.answer_info(server, request, 408, outside);
            return Signal::Nothing;
        }
        if self.leg(leg).is_some_and(|leg| leg.asking.asked.as_ref().is_some_and(|asked| asked.client == client)) {
            return self.hang_up(Outcome::Lost, outside);
        }
        if self.leg(leg).is_some_and(|leg| leg.probe == Some(client)) {
            return self.probed(leg, client, false, outside);
        }
        match self.b.iter().position(|each| each.key == leg && each.client == Some(client)) {
            Some(place) if self.b[place].state != LegState::Answered => match self.ring_by_other_way(place, outside) {
                Some(signal) => signal,
                None => self.leg_refused(place, Refusal::Unreachable, outside),
            },
            _ => Signal::Nothing,
        }
    }

    /// The ACK of our 2xx.
    pub fn acknowledged(&mut self, leg: LegKey, message: &Message, outside: &mut Outside<'_>) -> Signal {
        let Some(leg) = self.leg(leg) else { return Signal::Nothing };
        (leg.server, leg.invite) = (None, Bytes::new());
        leg.acknowledged = true;
        let asked = std::mem::take(&mut leg.offer_open);
        if asked && !leg.take_answer(&message.body(), outside) {
            // An offer that is never answered is a call nobody hears (RFC 3261 13.2.1).
            return self.over(Outcome::Lost, None, outside);
        }
        self.ask_what_is_wished(outside);
        if asked { Signal::Changed } else { Signal::Nothing }
    }

    /// Our 2xx was never acknowledged.
    pub fn not_acknowledged(&mut self, leg: LegKey, outside: &mut Outside<'_>) -> Signal {
        if let Some(leg) = self.leg(leg) {
            leg.server = None;
        }
        self.over(Outcome::Lost, None, outside)
    }

    /// The caller gives up.
    pub fn cancelled(&mut self, cancel: &Message, outside: &mut Outside<'_>) -> Signal {
        self.goodbye = reason::given(cancel);
        self.over(Outcome::Abandoned, None, outside)
    }

    /// May this side say BYE? A phone that rings may only refuse.
    pub fn may_end(&self, leg: LegKey) -> bool {
        self.a.key == leg || self.legs().any(|each| each.key == leg && each.state == LegState::Answered)
    }

    /// BYE on one of its legs.
    pub fn bye(&mut self, leg: LegKey, bye: &Message, outside: &mut Outside<'_>) -> Signal {
        self.goodbye = reason::given(bye);
        let outcome = if self.answered.is_some() { Outcome::Answered } else { Outcome::Abandoned };
        self.over(outcome, Some(leg), outside)
    }

    /// What media has counted.
    pub fn counted(&mut self, leg: LegKey, figures: Figures, outside: &Outside<'_>) -> Signal {
        let Some(leg) = self.leg(leg) else { return Signal::Nothing };
        if figures.packets_received > leg.figures.packets_received {
            leg.heard = outside.now.tick;
        }
        let before = std::mem::replace(&mut leg.figures, figures);
        if leg.answered.is_some() && before.coarse() != figures.coarse() { Signal::Changed } else { Signal::Nothing }
    }

    /// Media has closed this leg.
    pub fn closed(&mut self, leg: LegKey) {
        if let Some(leg) = self.leg(leg) {
            leg.ports = None;
        }
    }

    /// Two people who are connected and have both been silent for so long have gone without a word.
    pub fn is_dead(&self, after: std::time::Duration, outside: &Outside<'_>) -> bool {
        let silent = |leg: &Leg| {
            outside.now.tick.since(leg.heard) > after && leg.remote.as_ref().is_some_and(|remote| remote.direction.sends())
        };
        self.answered.is_some_and(|at| outside.now.wall - at > after) && self.winner().is_some_and(|b| silent(b) && silent(&self.a))
    }

    /// A leg that promised no sound (somebody holds) and has said nothing for so long is asked whether anybody is still there.
    pub fn probe(&mut self, after: std::time::Duration, outside: &mut Outside<'_>) {
        let call = self.key;
        for leg in std::iter::once(&mut self.a).chain(&mut self.b).filter(|leg| leg.state == LegState::Answered) {
            let promised = leg.remote.as_ref().is_some_and(|remote| remote.direction.sends());
            if promised || leg.probe.is_some() || outside.now.tick.since(leg.heard) <= after {
                continue;
            }
            let Some(options) = leg.dialog.as_mut().map(|dialog| dialog.request(&Method::Options)) else { continue };
            let client = outside.stack.request(leg.signed(options, outside), leg.flow, outside.now);
            outside.index.clients.insert(client, (call, leg.key));
            leg.probe = Some(client);
        }
    }

    /// What came of asking; 481 and no answer at all mean that nobody is there.
    fn probed(&mut self, leg: LegKey, client: ClientKey, there: bool, outside: &mut Outside<'_>) -> Signal {
        outside.index.clients.remove(&client);
        if let Some(leg) = self.leg(leg) {
            (leg.probe, leg.heard) = (None, outside.now.tick);
        }
        if there { Signal::Nothing } else { self.over(Outcome::Lost, None, outside) }
    }

    /// Media that must close before the record is written.
    pub fn open_media(&self) -> impl Iterator<Item = LegKey> + '_ {
        self.legs().filter(|leg| leg.ports.is_some()).map(|leg| leg.key)
    }

    /// It is over.
    pub fn is_over(&self) -> bool {
        self.outcome.is_some()
    }

    /// Every leg: who calls, who is rung, and whose place was taken.
    pub fn legs(&self) -> impl Iterator<Item = &Leg> {
        std::iter::once(&self.a).chain(&self.b).chain(&self.gone)
    }

    /// Has that extension begun it, and is it still going on?
    pub fn is_begun_by(&self, number: &str) -> bool {
        self.outcome.is_none() && self.a.of_house && self.a.party == number
    }

    /// Who calls.
    pub fn caller_leg(&self) -> &Leg {
        &self.a
    }

    /// Who answered, else who is rung first.
    pub fn callee_leg(&self) -> Option<&Leg> {
        self.winner().or(self.b.first())
    }

    /// For the store, once it is over.
    pub fn record(&self, now: Wall) -> CallRecord {
        CallRecord {
            key: self.key,
            started: self.started,
            answered: self.answered,
            ended: now,
            caller: self.caller.number.clone(),
            caller_name: self.caller.name.clone(),
            dialled: self.dialled.clone(),
            outcome: self.outcome.unwrap_or(Outcome::Lost),
            legs: self.legs_in_order().map(|leg| leg.record(now)).collect(),
            codec: self.answered.and(self.a.codec()),
            trace: self.trace.clone(),
            plan_revision: self.plan_revision,
        }
    }

    /// Every leg: the one the call began with, then those whose place was taken, then the others.
    fn legs_in_order(&self) -> impl Iterator<Item = &Leg> {
        let first = |leg: &&Leg| leg.key == self.begun_by;
        let others = self.gone.iter().chain(&self.b).chain(std::iter::once(&self.a));
        self.legs().filter(first).chain(others.filter(move |leg| !first(leg)))
    }

    /// The phone that answered.
    pub fn winner(&self) -> Option<&Leg> {
        self.b.iter().find(|leg| leg.answered.is_some())
    }

    pub(crate) fn leg(&mut self, key: LegKey) -> Option<&mut Leg> {
        std::iter::once(&mut self.a).chain(&mut self.b).chain(&mut self.gone).find(|leg| leg.key == key)
    }

    /// Leg A's INVITE.
    pub(crate) fn invite(&self) -> Option<Message> {
        Message::parse(self.a.invite.clone()).ok()
    }

    /// Turns leg A's INVITE away.
    pub(crate) fn respond(&mut self, status: u16, outside: &mut Outside<'_>) {
        let (Some(server), Some(invite)) = (self.a.server, self.invite()) else { return };
        let tag = self.a.dialog.as_ref().map(|dialog| dialog.id.local_tag.clone());
        let mut response = Builder::response_to(&invite, status, tag.as_deref());
        if status == 503 {
            response = response.header(HeaderName::RetryAfter, "60");
        }
        outside.stack.respond(server, response.build(), outside.now);
    }

    /// Our answer to leg A's offer; the same each time it is sent.
    pub(crate) fn answer_to_a(&mut self) -> Option<Bytes> {
        let offer = self.a.remote.clone()?;
        let formats = self.a.formats.clone();
        self.a.local.as_mut().map(|local| local.answer(&offer, &formats, offer.direction.mirrored()))
    }

    /// The end, whoever wished it: each side is told in the way its state asks for, but for the one that said goodbye itself; once.
    fn over(&mut self, outcome: Outcome, gone: Option<LegKey>, outside: &mut Outside<'_>) -> Signal {
        if self.is_over() {
            return Signal::Nothing;
        }
        self.outcome = Some(outcome);
        if let Outcome::Refused(refusal) = outcome {
            self.turned(refusal.code(), outside.now.wall);
        }
        let unanswered = self.is_unanswered();
        if unanswered {
            let status = match outcome {
                Outcome::Refused(refusal) => refusal.status(),
                Outcome::Abandoned => 487,
                // It acknowledged nothing (RFC 3262 3).
                Outcome::Lost if self.a.unacknowledged() => 504,
                Outcome::Answered | Outcome::Lost | Outcome::HungUp => 480,
            };
            self.respond(status, outside);
        }
        for (client, server, request) in std::mem::take(&mut self.infos) {
            outside.index.clients.remove(&client);
            self.answer_info(server, request, 481, outside);
        }
        let how = outcome.code();
        let goodbye = self.goodbye.take();
        self.cancel_all(goodbye.as_deref(), how, outside);
        self.forget_transferor(outside);
        // What still comes for a call that is over is answered without it.
        let a = self.a.key;
        for leg in std::iter::once(&mut self.a).chain(&mut self.b) {
            let told = gone == Some(leg.key) || unanswered && leg.key == a;
            leg.part(!told && leg.answered.is_some(), goodbye.as_deref(), outside);
            leg.end(how, outside);
        }
        Signal::Over
    }
}
