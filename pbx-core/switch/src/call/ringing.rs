//! Phones are rung: what they are offered, what they say until one of them has answered, and how the others are stopped.

use bytes::Bytes;
use pbx_media_words::Command;
use pbx_sip::dialog::Dialog;
use pbx_sip::message::{Builder, HeaderName, Message, Method};
use pbx_sip::sdp::{Description, Direction, Format, agreed};
use pbx_sip::stack::ClientKey;

use crate::call::ability::{ALLOW, SUPPORTED, requires};
use crate::call::identity::{Identity, Side, wishes_privacy};
use crate::call::keying::is_answerable;
use crate::call::reason::ELSEWHERE;
use crate::call::reliable::Progress;
use crate::call::transfer::codecs;
use crate::call::{Call, Leg, LegState, Outside, Phone, Refusal, Signal, brand, is_sips};

impl Call {
    /// Rings a phone: leg B, with an offer of ours. False if there are no ports left for it and the caller.
    pub fn ring(&mut self, phone: &Phone, outside: &mut Outside<'_>) -> bool {
        let contact = &phone.way.contact;
        let mut leg = Leg::new(&phone.party, phone.way.flow, outside);
        leg.other_ways.clone_from(&phone.other_ways);
        leg.user_agent.clone_from(&phone.user_agent);
        leg.sips = is_sips(contact);
        leg.sound = phone.sound;
        // The caller's ports first: nobody is rung whose answer could not be taken.
        if !self.a.open(outside) || !leg.open(outside) {
            return false;
        }
        let mut formats = self.offered();
        if phone.by_line.is_some() {
            // The order of the French network, whatever the phone prefers.
            formats.sort_by_key(|format| format.encoding != "PCMA");
        }
        let ptime_ms = self.a.remote.as_ref().and_then(|offer| offer.ptime_ms);
        let body = leg.local.as_mut().map(|local| local.offer(&formats, Direction::SendRecv, ptime_ms)).unwrap_or_default();
        leg.formats = formats;
        leg.name.clone_from(&phone.name);
        leg.of_house = phone.of_house;
        leg.peer = Some(self.caller.clone());
        let (from, to) = match &phone.by_line {
            Some(line) => (line.from.clone(), line.to.clone()),
            None => (self.caller.shown(outside.domain), format!("<sip:{}@{}>", phone.party, outside.domain)),
        };
        let from = format!("{from};tag={}", outside.entropy.token());
        let mut invite = Builder::request(&Method::Invite, contact)
            .header(HeaderName::MaxForwards, self.max_forwards.saturating_sub(1).to_string())
            .header(HeaderName::From, from)
            .header(HeaderName::To, to)
            .header(HeaderName::CallId, format!("{}@{}", outside.entropy.token(), outside.domain))
            .header(HeaderName::CSeq, "1 INVITE")
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::Supported, SUPPORTED);
        invite = leg.timed_request(phone.way.taken_by(invite));
        invite = leg.introduced(invite, Side::Calling, outside);
        if let Some(line) = &phone.by_line {
            leg.line = Some(line.line.clone());
            invite = line.headers.iter().fold(invite, |invite, (name, value)| invite.header(*name, value));
        }
        if leg.of_house {
            for by in self.caller.diversions(outside.domain) {
                invite = invite.header(HeaderName::Diversion, by);
            }
            for entry in self.caller.history(outside.domain, &phone.party) {
                invite = invite.header(HeaderName::HistoryInfo, entry);
            }
        }
        if self.answer_at_once && leg.of_house {
            invite = brand::answering_by_itself(invite, leg.user_agent.as_deref(), outside.domain);
        }
        let invite = leg.signed(invite, outside).body("application/sdp", body);
        let client = match phone.either_way {
            true => outside.stack.request_either_way(invite, leg.flow, outside.now),
            false => outside.stack.request(invite, leg.flow, outside.now),
        };
        leg.invite = outside.stack.sent(client).map(|invite| invite.bytes().clone()).unwrap_or_default();
        leg.client = Some(client);
        outside.index.clients.insert(client, (self.key, leg.key));
        outside.index.legs.insert(leg.key, self.key);
        self.b.push(leg);
        true
    }

    /// Asks a phone again that finds the interval of its session timer too short (RFC 4028 7.3): the same INVITE under the next number.
    pub(crate) fn ring_again(&mut self, place: usize, outside: &mut Outside<'_>) -> Signal {
        if self.b[place].state == LegState::Over || self.ask_to_ring(place, None, outside) {
            return Signal::Nothing;
        }
        self.leg_refused(place, Refusal::Unreachable, outside)
    }

    /// The INVITE of a phone once more, under the next number, with another offer if there is one. False if it cannot be.
    pub(crate) fn ask_to_ring(&mut self, place: usize, offer: Option<Bytes>, outside: &mut Outside<'_>) -> bool {
        let key = self.key;
        let leg = &mut self.b[place];
        let Some(before) = leg.client.take() else { return false };
        outside.index.clients.remove(&before);
        let Some((invite, number)) = outside.stack.sent(before).and_then(|sent| Some((sent.clone(), sent.cseq().ok()?.number)))
        else {
            return false;
        };
        let anew = [HeaderName::Via, HeaderName::CSeq, HeaderName::SessionExpires, HeaderName::MinSe];
        let mut again = Builder::again(&invite, &anew).header(HeaderName::CSeq, format!("{} INVITE", number + 1));
        if let Some(offer) = offer {
            again = again.body("application/sdp", offer);
        }
        let client = outside.stack.request(leg.timed_request(again), leg.flow, outside.now);
        leg.invite = outside.stack.sent(client).map(|invite| invite.bytes().clone()).unwrap_or_default();
        leg.client = Some(client);
        outside.index.clients.insert(client, (key, leg.key));
        true
    }

    /// A phone cannot be reached by the way it was rung: by the next one, if it has another (RFC 5626 5.3). None if it has not.
    pub(crate) fn ring_by_other_way(&mut self, place: usize, outside: &mut Outside<'_>) -> Option<Signal> {
        let key = self.key;
        let leg = self.b.get_mut(place).filter(|leg| leg.state == LegState::Offered)?;
        let way = leg.other_ways.pop()?;
        let invite = Message::parse(leg.invite.clone()).ok()?;
        let number = invite.cseq().ok()?.number;
        if let Some(before) = leg.client.take() {
            outside.index.clients.remove(&before);
        }
        let anew = [HeaderName::Via, HeaderName::CSeq, HeaderName::Route, HeaderName::Contact];
        let again = Builder::again_to(&invite, &way.contact, &anew).header(HeaderName::CSeq, format!("{} INVITE", number + 1));
        leg.flow = way.flow;
        let again = way.taken_by(again).header(HeaderName::Contact, leg.contact());
        let client = outside.stack.request(again, way.flow, outside.now);
        leg.invite = outside.stack.sent(client).map(|invite| invite.bytes().clone()).unwrap_or_default();
        leg.client = Some(client);
        outside.index.clients.insert(client, (key, leg.key));
        Some(Signal::Nothing)
    }

    /// Nobody came: every phone that still rings is told to stop.
    pub fn stop_ringing(&mut self, outside: &mut Outside<'_>) {
        self.cancel_all(None, "no_answer", outside);
    }

    /// What a phone that is rung is offered.
    pub(crate) fn offered(&self) -> Vec<Format> {
        let Some(said) = self.a.remote.as_ref().map(|remote| &remote.formats) else { return usual_formats() };
        if self.a.state != LegState::Answered {
            return said.clone();
        }
        // What a caller who is connected speaks now, then what it can speak too.
        let others = said.iter().filter(|format| !self.a.formats.iter().any(|now| now.number == format.number));
        self.a.formats.iter().chain(others).cloned().collect()
    }

    pub(crate) fn provisional(&mut self, place: usize, message: &Message, outside: &mut Outside<'_>) -> Signal {
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
        if let Some(tag) = message.to().ok().and_then(|to| to.tag()).filter(|_| self.b[place].rings_with.is_none()) {
            self.b[place].rings_with = Some(tag.to_owned());
        }
        self.reached(place, message);
        if let (true, Some(answer), Some(_)) = (alone, described, &self.a.remote)
            && self.connect(place, answer, outside)
        {
            // Early media: the caller hears what the one phone sends, a tone or an announcement.
            (self.rang, self.early) = (true, true);
            self.progress(Progress { status: 183, described: true }, outside);
            self.ask_what_is_wished(outside);
            return Signal::Changed;
        }
        if !self.rang {
            self.rang = true;
            self.progress(Progress { status: 180, described: false }, outside);
        }
        if before == LegState::Ringing { Signal::Nothing } else { Signal::Changed }
    }

    pub(crate) fn accepted(&mut self, place: usize, client: ClientKey, message: &Message, outside: &mut Outside<'_>) -> Signal {
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
        self.reached(place, message);
        self.talk(place, outside);
        Signal::Changed
    }

    /// A phone has answered, and is connected with the caller.
    pub(crate) fn talk(&mut self, place: usize, outside: &mut Outside<'_>) {
        let (wall, tick) = (outside.now.wall, outside.now.tick);
        let b = &mut self.b[place];
        (b.state, b.answered, b.heard) = (LegState::Answered, Some(wall), tick);
        b.dialog.iter_mut().for_each(|dialog| dialog.early = false);
        self.answered = Some(wall);
        self.cancel_all(Some(ELSEWHERE), "elsewhere", outside);
        if self.a.state == LegState::Answered {
            // It was connected before the call came here.
            self.a.wish_introduction();
            if !self.gone.is_empty() {
                self.b[place].wish_introduction();
            }
            return self.ask_what_is_wished(outside);
        }
        (self.a.state, self.a.answered, self.a.heard) = (LegState::Answered, Some(wall), tick);
        self.a.dialog.iter_mut().for_each(|dialog| dialog.early = false);
        self.a.offer_open = self.a.remote.is_none();
        self.a.accept(outside);
    }

    /// The caller may know whom the call has reached, unless they do not wish it (RFC 3325 5).
    fn reached(&mut self, place: usize, message: &Message) {
        let b = &self.b[place];
        let mut callee = Identity::new(&b.party, &b.name);
        callee.hidden = wishes_privacy(message);
        self.a.peer = Some(callee);
    }

    /// Takes a phone's answer: what both sides can speak, and who hears whom. False if they have nothing in common.
    pub(crate) fn connect(&mut self, place: usize, answer: Description, outside: &mut Outside<'_>) -> bool {
        let taken = agreed(&self.offered(), &answer.formats);
        // Where they number a format otherwise than our offer did, they are sent their own number.
        let theirs = agreed(&answer.formats, &taken);
        if theirs.is_empty() || !is_answerable(&answer, self.b[place].sound) {
            return false;
        }
        if self.a.state == LegState::Answered {
            if codecs(&taken) != codecs(&self.a.formats) {
                self.a.wish_formats(taken.clone());
            }
        // What leg A was answered early is the answer to its offer, and stays so; another codec is asked of it later.
        } else if self.early && agreed(&self.a.formats, &taken).is_empty() {
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
        if !b.described(answer, outside.entropy) {
            return false;
        }
        b.expect(outside);
        if self.a.remote.is_some() {
            self.a.expect(outside);
        }
        outside.media.push_back(Command::Join { leg: self.a.key, with: self.b[place].key });
        true
    }

    pub(crate) fn leg_refused(&mut self, place: usize, refusal: Refusal, outside: &mut Outside<'_>) -> Signal {
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

    pub(crate) fn cancel_all(&mut self, reason: Option<&str>, how: &str, outside: &mut Outside<'_>) {
        for leg in self.b.iter_mut().filter(|leg| matches!(leg.state, LegState::Offered | LegState::Ringing)) {
            if let Some(client) = leg.client {
                outside.stack.cancel(client, reason, outside.now);
            }
            leg.end(how, outside);
        }
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
