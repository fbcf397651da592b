//! A call from its first ring to its end.

use bytes::Bytes;
use pbx_media_words::{Command, Figures, LegKey};
use pbx_sip::clock::Wall;
use pbx_sip::dialog::Dialog;
use pbx_sip::flow::Flow;
use pbx_sip::message::{Builder, HeaderName, Message, Method};
use pbx_sip::sdp::{Description, Direction, Format, agreed};
use pbx_sip::stack::{ClientKey, ServerKey};
use serde::{Deserialize, Serialize};

use crate::call::ability::{ALLOW, SUPPORTED, requires};
use crate::call::identity::{Identity, Side, wishes_privacy};
use crate::call::reason::{self, ELSEWHERE};
use crate::call::reliable::Progress;
use crate::call::{CallKey, CallRecord, Leg, LegState, Outcome, Outside, Phone, Refusal, brand, is_sips};
use crate::dialplan::{Step, Trace};

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
    /// What is left of the hops it may take.
    pub(crate) max_forwards: u32,
    /// Who calls.
    pub(crate) a: Leg,
    /// Who is rung; at most one of them answers.
    pub(crate) b: Vec<Leg>,
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
    /// Rings a phone: leg B, with an offer of ours. False if there are no ports left for it and the caller.
    pub fn ring(&mut self, phone: &Phone, outside: &mut Outside<'_>) -> bool {
        let mut leg = Leg::new(&phone.party, phone.flow, outside);
        leg.user_agent.clone_from(&phone.user_agent);
        leg.sips = is_sips(&phone.contact);
        // The caller's ports first: nobody is rung whose answer could not be taken.
        if !self.a.open(outside) || !leg.open(outside) {
            return false;
        }
        let formats = self.offered();
        let ptime_ms = self.a.remote.as_ref().and_then(|offer| offer.ptime_ms);
        let body = leg.local.as_mut().map(|local| local.offer(&formats, Direction::SendRecv, ptime_ms)).unwrap_or_default();
        leg.formats = formats;
        leg.name.clone_from(&phone.name);
        leg.peer = Some(self.caller.clone());
        let from = format!("{};tag={}", self.caller.shown(outside.domain), outside.entropy.token());
        let mut invite = Builder::request(&Method::Invite, &phone.contact)
            .header(HeaderName::MaxForwards, self.max_forwards.saturating_sub(1).to_string())
            .header(HeaderName::From, from)
            .header(HeaderName::To, format!("<sip:{}@{}>", phone.party, outside.domain))
            .header(HeaderName::CallId, format!("{}@{}", outside.entropy.token(), outside.domain))
            .header(HeaderName::CSeq, "1 INVITE")
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::Supported, SUPPORTED);
        invite = leg.timed_request(invite);
        invite = leg.introduced(invite, Side::Calling, outside);
        for by in self.caller.diversions(outside.domain) {
            invite = invite.header(HeaderName::Diversion, by);
        }
        if self.answer_at_once {
            invite = brand::answering_by_itself(invite, leg.user_agent.as_deref(), outside.domain);
        }
        let invite = leg.signed(invite, outside).body("application/sdp", body);
        let client = outside.stack.request(invite, leg.flow, outside.now);
        leg.invite = outside.stack.sent(client).map(|invite| invite.bytes().clone()).unwrap_or_default();
        leg.client = Some(client);
        outside.index.clients.insert(client, (self.key, leg.key));
        outside.index.legs.insert(leg.key, self.key);
        self.b.push(leg);
        true
    }

    /// Asks a phone again that finds the interval of its session timer too short (RFC 4028 7.3): the same INVITE under the next number.
    fn ring_again(&mut self, place: usize, outside: &mut Outside<'_>) -> Signal {
        let key = self.key;
        let leg = &mut self.b[place];
        let Some(before) = leg.client.take() else { return Signal::Nothing };
        outside.index.clients.remove(&before);
        if leg.state == LegState::Over {
            return Signal::Nothing;
        }
        let Some((invite, number)) = outside.stack.sent(before).and_then(|sent| Some((sent.clone(), sent.cseq().ok()?.number)))
        else {
            return self.leg_refused(place, Refusal::Unreachable, outside);
        };
        let anew = [HeaderName::Via, HeaderName::CSeq, HeaderName::SessionExpires, HeaderName::MinSe];
        let again = leg.timed_request(Builder::again(&invite, &anew).header(HeaderName::CSeq, format!("{} INVITE", number + 1)));
        let client = outside.stack.request(again, leg.flow, outside.now);
        leg.invite = outside.stack.sent(client).map(|invite| invite.bytes().clone()).unwrap_or_default();
        leg.client = Some(client);
        outside.index.clients.insert(client, (key, leg.key));
        Signal::Nothing
    }

    /// Nobody came: every phone that still rings is told to stop.
    pub fn stop_ringing(&mut self, outside: &mut Outside<'_>) {
        self.cancel_all(None, "no_answer", outside);
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
            422 if self.b[place].takes_longer_interval(message) => self.ring_again(place, outside),
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
            Some(place) if self.b[place].state != LegState::Answered => self.leg_refused(place, Refusal::Unreachable, outside),
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

    /// Every leg, the caller's first.
    pub fn legs(&self) -> impl Iterator<Item = &Leg> {
        std::iter::once(&self.a).chain(&self.b)
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
            legs: self.legs().map(|leg| leg.record(now)).collect(),
            codec: self.answered.and(self.a.codec()),
            trace: self.trace.clone(),
            plan_revision: self.plan_revision,
        }
    }

    /// The phone that answered.
    pub fn winner(&self) -> Option<&Leg> {
        self.b.iter().find(|leg| leg.answered.is_some())
    }

    pub(crate) fn leg(&mut self, key: LegKey) -> Option<&mut Leg> {
        std::iter::once(&mut self.a).chain(&mut self.b).find(|leg| leg.key == key)
    }

    /// Leg A's INVITE.
    pub(crate) fn invite(&self) -> Option<Message> {
        Message::parse(self.a.invite.clone()).ok()
    }

    /// Turns leg A's INVITE away.
    fn respond(&mut self, status: u16, outside: &mut Outside<'_>) {
        let (Some(server), Some(invite)) = (self.a.server, self.invite()) else { return };
        let tag = self.a.dialog.as_ref().map(|dialog| dialog.id.local_tag.clone());
        let mut response = Builder::response_to(&invite, status, tag.as_deref());
        if status == 503 {
            response = response.header(HeaderName::RetryAfter, "60");
        }
        outside.stack.respond(server, response.build(), outside.now);
    }

    fn provisional(&mut self, place: usize, message: &Message, outside: &mut Outside<'_>) -> Signal {
        if self.is_over() || self.answered.is_some() {
            return Signal::Nothing;
        }
        self.b[place].ability.learn(message);
        let mut described = (!message.body().is_empty()).then(|| Description::parse(&message.body()).ok()).flatten();
        if message.rseq().is_some() && requires(message, "100rel") {
            let Some(invite) = self.b[place].client.and_then(|client| outside.stack.sent(client)).cloned() else {
                return Signal::Nothing;
            };
            if !self.prack(place, &invite, message, outside) {
                return Signal::Nothing;
            }
        }
        // What was answered reliably is the answer.
        let early =
            self.b[place].early.iter().find(|early| message.to().is_ok_and(|to| to.tag() == Some(&early.dialog.id.remote_tag)));
        if let Some(answer) = early.and_then(|early| early.answer.clone())
            && (described.is_some() || self.b[place].remote.is_none())
        {
            described = Some(answer);
        }
        let alone = self.b.iter().filter(|leg| leg.state != LegState::Over).count() == 1;
        let before = self.b[place].state;
        self.b[place].state = LegState::Ringing;
        self.reached(place, message);
        if let (true, Some(answer), Some(_)) = (alone, described, &self.a.remote)
            && self.connect(place, answer, outside)
        {
            // Early media: the caller hears what the one phone sends, a tone or an announcement.
            (self.rang, self.early) = (true, true);
            self.progress(Progress { status: 183, described: true }, outside);
            return Signal::Changed;
        }
        if !self.rang {
            self.rang = true;
            self.progress(Progress { status: 180, described: false }, outside);
        }
        if before == LegState::Ringing { Signal::Nothing } else { Signal::Changed }
    }

    fn accepted(&mut self, place: usize, client: ClientKey, message: &Message, outside: &mut Outside<'_>) -> Signal {
        let Some(Ok(mut dialog)) = outside.stack.sent(client).map(|invite| Dialog::uac(invite, message)) else {
            return Signal::Nothing;
        };
        dialog.early = false;
        let flow = self.b[place].flow;
        let number = dialog.local_cseq;
        let early = self.b[place].early.iter().find(|early| early.dialog.id == dialog.id);
        // It goes on from where its early dialog was.
        let settled = early.and_then(|early| {
            (dialog.local_cseq, dialog.remote_cseq) = (early.dialog.local_cseq, early.dialog.remote_cseq);
            early.answer.clone()
        });
        outside.stack.acknowledge(client, dialog.ack(number), flow);
        let too_late = self.is_over() || self.answered.is_some() || self.b[place].state == LegState::Over;
        let connected = !too_late
            && match settled.map_or_else(|| Description::parse(&message.body()), Ok) {
                Ok(answer) => self.connect(place, answer, outside),
                // The answer may have come in a provisional response already (RFC 3261 13.2.1).
                Err(_) => self.b[place].remote.is_some(),
            };
        if !connected {
            let bye = self.b[place].signed(dialog.request(&Method::Bye), outside);
            outside.stack.request(bye, flow, outside.now);
            return if too_late { Signal::Nothing } else { self.leg_refused(place, Refusal::NoCommonCodec, outside) };
        }
        let key = self.b[place].key;
        self.b[place].forget_early(outside);
        self.b[place].ability.learn(message);
        self.b[place].timer_agreed(message, outside.now);
        outside.index.dialogs.insert(dialog.id.clone(), (self.key, key));
        self.b[place].dialog = Some(dialog);
        self.b[place].invite = Bytes::new();
        self.b[place].state = LegState::Answered;
        self.b[place].answered = Some(outside.now.wall);
        self.b[place].heard = outside.now.tick;
        self.answered = Some(outside.now.wall);
        self.a.answered = self.answered;
        self.a.state = LegState::Answered;
        self.a.heard = outside.now.tick;
        self.cancel_all(Some(ELSEWHERE), "elsewhere", outside);
        if let Some(dialog) = &mut self.a.dialog {
            dialog.early = false;
        }
        self.reached(place, message);
        self.a.offer_open = self.a.remote.is_none();
        self.a.accept(outside);
        Signal::Changed
    }

    /// What a phone that is rung is offered.
    fn offered(&self) -> Vec<Format> {
        self.a.remote.as_ref().map_or_else(usual_formats, |offer| offer.formats.clone())
    }

    /// The caller may know whom the call has reached, unless they do not wish it (RFC 3325 5).
    fn reached(&mut self, place: usize, message: &Message) {
        let b = &self.b[place];
        let mut callee = Identity::new(&b.party, &b.name);
        callee.hidden = wishes_privacy(message);
        self.a.peer = Some(callee);
    }

    /// Takes a phone's answer: what both sides can speak, and who hears whom. False if they have nothing in common.
    fn connect(&mut self, place: usize, answer: Description, outside: &mut Outside<'_>) -> bool {
        let taken = agreed(&self.offered(), &answer.formats);
        // Where they number a format otherwise than our offer did, they are sent their own number.
        let theirs = agreed(&answer.formats, &taken);
        if theirs.is_empty() {
            return false;
        }
        // What leg A was answered early is the answer to its offer, and stays so; another codec is asked of it later.
        if self.early && agreed(&self.a.formats, &taken).is_empty() {
            let others = self.a.remote.as_ref().map(|offer| agreed(&offer.formats, &taken)).unwrap_or_default();
            if others.is_empty() {
                return false;
            }
            self.a.wish_formats(others);
        }
        if !self.early {
            self.a.formats = match &self.a.remote {
                Some(offer) => agreed(&offer.formats, &taken),
                None => taken,
            };
        }
        let b = &mut self.b[place];
        b.formats = theirs;
        b.remote = Some(answer);
        b.expect(outside);
        if self.a.remote.is_some() {
            self.a.expect(outside);
        }
        outside.media.push_back(Command::Join { leg: self.a.key, with: self.b[place].key });
        true
    }

    /// Our answer to leg A's offer; the same each time it is sent.
    pub(crate) fn answer_to_a(&mut self) -> Option<Bytes> {
        let offer = self.a.remote.clone()?;
        let formats = self.a.formats.clone();
        self.a.local.as_mut().map(|local| local.answer(&offer, &formats, offer.direction.mirrored()))
    }

    fn leg_refused(&mut self, place: usize, refusal: Refusal, outside: &mut Outside<'_>) -> Signal {
        let before = self.b[place].state;
        self.b[place].invite = Bytes::new();
        if let Some(client) = self.b[place].client.take() {
            outside.index.clients.remove(&client);
        }
        if before == LegState::Over {
            return Signal::Nothing;
        }
        self.b[place].forget_early(outside);
        self.b[place].end(refusal.code(), outside);
        if self.is_over() || self.answered.is_some() {
            return Signal::Nothing;
        }
        let best = self.refused.map_or(refusal, |before| before.or_better(refusal));
        self.refused = Some(best);
        if self.b.iter().all(|leg| leg.state == LegState::Over) { Signal::Refused(best) } else { Signal::Nothing }
    }

    fn cancel_all(&mut self, reason: Option<&str>, how: &str, outside: &mut Outside<'_>) {
        for leg in self.b.iter_mut().filter(|leg| matches!(leg.state, LegState::Offered | LegState::Ringing)) {
            if let Some(client) = leg.client {
                outside.stack.cancel(client, reason, outside.now);
            }
            leg.end(how, outside);
        }
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
        // What still comes for a call that is over is answered without it.
        let a = self.a.key;
        for leg in std::iter::once(&mut self.a).chain(&mut self.b) {
            leg.forget_early(outside);
            if let Some(mut dialog) = leg.dialog.take() {
                outside.index.dialogs.remove(&dialog.id);
                if leg.answered.is_some() && gone != Some(leg.key) && !(unanswered && leg.key == a) {
                    let mut bye = leg.signed(dialog.request(&Method::Bye), outside);
                    if let Some(goodbye) = &goodbye {
                        bye = bye.header(HeaderName::Reason, goodbye);
                    }
                    match leg.server {
                        // Whoever answered says no goodbye before its answer is acknowledged (RFC 3261 15).
                        Some(server) if !leg.acknowledged => _ = outside.goodbyes.insert(server, (bye, leg.flow)),
                        Some(_) | None => _ = outside.stack.request(bye, leg.flow, outside.now),
                    }
                }
            }
            let asked = leg.asking.asked.take().map(|asked| asked.client);
            for client in [leg.client.take(), leg.probe.take(), asked].into_iter().flatten() {
                outside.index.clients.remove(&client);
            }
            if let Some(server) = leg.server.take() {
                outside.index.servers.remove(&server);
            }
            leg.invite = Bytes::new();
            leg.end(how, outside);
        }
        Signal::Over
    }
}

/// The offer to a phone whose caller made none: what every phone of this decade speaks, the French order first.
pub(crate) fn usual_formats() -> Vec<Format> {
    let format = |number, encoding: &str, clock_hz, channels, parameters: Option<&str>| Format {
        number,
        encoding: encoding.to_owned(),
        clock_hz,
        channels,
        parameters: parameters.map(str::to_owned),
    };
    vec![
        format(8, "PCMA", 8000, None, None),
        format(0, "PCMU", 8000, None, None),
        format(9, "G722", 8000, None, None),
        format(101, "TELEPHONE-EVENT", 8000, None, Some("0-15")),
    ]
}
