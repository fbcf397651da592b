//! Offers within a dialog, both ways: their UPDATE (RFC 3311), our re-INVITE and UPDATE. One offer is outstanding at a time, and one
//! wish of ours waits for its turn (RFC 3261 14, RFC 3264 4).

use std::time::Duration;

use bytes::Bytes;
use pbx_media_words::LegKey;
use pbx_sip::clock::Tick;
use pbx_sip::flow::Flow;
use pbx_sip::message::{Builder, HeaderName, Message, Method};
use pbx_sip::sdp::{Description, Format, agreed};
use pbx_sip::stack::{ClientKey, ServerKey};
use serde::{Deserialize, Serialize};

use crate::call::ability::{ALLOW, SUPPORTED};
use crate::call::begin::refused;
use crate::call::identity::Side;
use crate::call::session_timer::{LEAST_S, is_too_brief};
use crate::call::{Call, CallKey, Leg, LegState, Outcome, Outside, Signal};

/// What we wish to ask of a phone as soon as that may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Wish {
    /// That the session goes on, and whom it is with now.
    Refresh,
    /// That it takes the same session from another address of ours, or under another key.
    Anew,
    /// That it speaks these formats, under its own numbers.
    Offer(Vec<Format>),
}

/// What we have asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub client: ClientKey,
    update: bool,
    cseq: u32,
    wish: Wish,
}

/// What waits for its turn.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asking {
    pub asked: Option<Asked>,
    wish: Option<Wish>,
    not_before: Option<Tick>,
    /// How often in a row both sides have asked at once.
    crossed: u8,
}

/// Both ask at once so often in a row only if one of them never stops: what was wished is not to be had.
const MAX_CROSSED: u8 = 10;

impl Leg {
    /// Wishes that the session is refreshed.
    pub(crate) fn wish_refresh(&mut self) {
        self.asking.wish.get_or_insert(Wish::Refresh);
    }

    /// Wishes that it is told whom it is with now, if that needs no offer.
    pub(crate) fn wish_introduction(&mut self) {
        if self.ability.update {
            self.wish_refresh();
        }
    }

    /// Our address as it sees us is another: it is offered the same session there.
    pub(crate) fn moved(&mut self, flow: Flow) {
        let before = std::mem::replace(&mut self.flow, flow).local.ip();
        let Some(local) = self.local.as_mut().filter(|local| local.address == before && before != flow.local.ip()) else { return };
        if local.moved(flow.local.ip()) {
            self.wish_anew();
        }
    }

    /// Wishes that it takes the same session as we describe it now.
    pub(crate) fn wish_anew(&mut self) {
        if matches!(self.asking.wish, None | Some(Wish::Refresh)) {
            self.asking.wish = Some(Wish::Anew);
        }
    }

    /// Wishes other formats.
    pub(crate) fn wish_formats(&mut self, formats: Vec<Format>) {
        self.asking.wish = Some(Wish::Offer(formats));
    }

    /// Until when a wish was put off.
    pub(crate) fn put_off_until(&self) -> Option<Tick> {
        self.asking.not_before.filter(|_| self.asking.wish.is_some() && self.state == LegState::Answered)
    }

    /// A request of ours within its dialog went again under that number, and perhaps another key.
    pub(crate) fn asked_again(&mut self, before: ClientKey, client: ClientKey, number: u32) {
        let dialogs = self.dialog.iter_mut().chain(self.early.iter_mut().map(|early| &mut early.dialog));
        dialogs.for_each(|dialog| dialog.local_cseq = dialog.local_cseq.max(number));
        if let Some(asked) = self.asking.asked.as_mut().filter(|asked| asked.client == before) {
            (asked.client, asked.cseq) = (client, number);
        }
    }

    /// An offer of ours waits for its answer.
    pub(crate) fn has_offered(&self) -> bool {
        // An UPDATE that describes nothing offers nothing, and is in nobody's way.
        self.offer_open || self.asking.asked.as_ref().is_some_and(|asked| !asked.update)
    }

    /// Takes an offer of theirs; our answer, or the status to refuse with.
    pub(crate) fn take_offer(&mut self, body: &Bytes, outside: &mut Outside<'_>) -> Result<Bytes, u16> {
        let offer = Description::parse(body).map_err(refused)?;
        let formats = agreed(&offer.formats, &self.formats);
        if formats.is_empty() {
            return Err(488);
        }
        if !self.described(offer.clone(), outside.entropy) {
            return Err(488);
        }
        let local = self.local.as_mut().ok_or(488u16)?;
        let answer = local.answer(&offer, &formats, offer.direction.mirrored());
        self.formats = formats;
        if let Some(early) = self.early.first_mut() {
            early.answer = Some(offer);
        }
        self.expect(outside);
        Ok(answer)
    }

    /// Takes the answer to an offer of ours of `self.formats`. False if no call can be built on it.
    pub(crate) fn take_answer(&mut self, body: &Bytes, outside: &mut Outside<'_>) -> bool {
        let Ok(answer) = Description::parse(body) else { return false };
        // Where they number a format otherwise than our offer did, they are sent their own number.
        let formats = agreed(&answer.formats, &agreed(&self.formats, &answer.formats));
        if formats.is_empty() || !self.described(answer, outside.entropy) {
            return false;
        }
        self.formats = formats;
        self.expect(outside);
        true
    }

    /// Asks what is wished, if nothing stands in the way.
    pub(crate) fn ask(&mut self, call: CallKey, side: Side, outside: &mut Outside<'_>) {
        // What stands in the way from here on is no matter of time, and ends with an event of its own.
        self.asking.not_before = self.asking.not_before.filter(|when| *when > outside.now.tick);
        let busy = self.state != LegState::Answered || self.asking.asked.is_some() || self.offer_open || self.server.is_some();
        if busy || self.asking.not_before.is_some() {
            return;
        }
        let Some(wish) = self.asking.wish.take() else { return };
        let update = self.ability.update && wish == Wish::Refresh;
        let (Some(dialog), Some(local), Some(remote)) = (&mut self.dialog, &mut self.local, &self.remote) else { return };
        let method = if update { Method::Update } else { Method::Invite };
        let request = dialog.request(&method);
        let cseq = dialog.local_cseq;
        let body = match &wish {
            Wish::Refresh if update => Bytes::new(),
            // As many streams as before, in the same places (RFC 3264 8).
            Wish::Refresh | Wish::Anew => local.answer(remote, &self.formats, remote.direction.mirrored()),
            Wish::Offer(formats) => local.answer(remote, formats, remote.direction.mirrored()),
        };
        let request = self.introduced(self.signed(request, outside), side, outside);
        let request = request.header(HeaderName::Allow, ALLOW).header(HeaderName::Supported, SUPPORTED);
        let request = self.timed_request(request).body("application/sdp", body);
        let client = outside.stack.request(request, self.flow, outside.now);
        outside.index.clients.insert(client, (call, self.key));
        self.asking.asked = Some(Asked { client, update, cseq, wish });
    }
}

impl Call {
    /// Asks each phone what is wished of it, as far as that may be.
    pub(crate) fn ask_what_is_wished(&mut self, outside: &mut Outside<'_>) {
        if self.is_over() {
            return;
        }
        let call = self.key;
        self.a.ask(call, Side::Called, outside);
        for leg in &mut self.b {
            leg.ask(call, Side::Calling, outside);
        }
    }

    /// UPDATE: a target, a session timer, an offer; answered at once (RFC 3311 5.2).
    pub fn updated(&mut self, key: LegKey, server: ServerKey, request: &Message, outside: &mut Outside<'_>) -> Signal {
        let seconds = outside.entropy.u64() % 11;
        let Some(leg) = self.leg(key) else { return Signal::Nothing };
        let body = request.body();
        // Theirs waits for an answer of ours: one in their first INVITE, or the PRACK of what answered it.
        let theirs_open = leg.state != LegState::Answered && leg.server.is_some() && leg.reliable.is_none() || leg.unacknowledged();
        let ours_open = leg.has_offered() || leg.remote.is_none();
        let refuse = if is_too_brief(request) {
            Some(422)
        } else if body.is_empty() {
            None
        } else if theirs_open {
            Some(500)
        } else if ours_open {
            Some(491)
        } else {
            None
        };
        let answer = match refuse {
            Some(status) => Err(status),
            None if body.is_empty() => Ok(Bytes::new()),
            None => leg.take_offer(&body, outside),
        };
        let status = answer.as_ref().err().copied().unwrap_or(200);
        let mut response = leg.signed(Builder::response_to(request, status, None), outside);
        if status == 200 {
            leg.ability.learn(request);
            if let Some(dialog) = leg.dialog_of(request) {
                dialog.refresh_target(request);
            }
            response = response.header(HeaderName::Allow, ALLOW).header(HeaderName::Supported, SUPPORTED);
            response = leg.timed_answer(request, response, outside.now);
        } else {
            response = explained(response, status, seconds);
        }
        outside.stack.respond(server, response.body("application/sdp", answer.unwrap_or_default()).build(), outside.now);
        if status == 200 && !body.is_empty() { Signal::Changed } else { Signal::Nothing }
    }

    /// The answer to a re-INVITE or UPDATE of ours.
    pub(crate) fn answered_our_offer(&mut self, key: LegKey, message: &Message, outside: &mut Outside<'_>) -> Signal {
        let Some(status) = message.status().filter(|status| *status >= 200) else { return Signal::Nothing };
        let own_call_id = self.a.key != key;
        let Some(leg) = self.leg(key) else { return Signal::Nothing };
        let Some(asked) = leg.asking.asked.take() else { return Signal::Nothing };
        outside.index.clients.remove(&asked.client);
        let mut there = true;
        match status {
            200..300 => {
                leg.ability.learn(message);
                leg.timer_agreed(message, outside.now);
                leg.asking.crossed = 0;
                if let Some(dialog) = &mut leg.dialog {
                    dialog.refresh_target(message);
                    if !asked.update {
                        outside.stack.acknowledge(asked.client, dialog.ack(asked.cseq), leg.flow);
                    }
                }
                if !asked.update {
                    if let Wish::Offer(formats) = asked.wish {
                        leg.formats = formats;
                    }
                    there = leg.take_answer(&message.body(), outside);
                }
            }
            // Both asked at once: whoever made the Call-ID waits the longer (RFC 3261 14.1).
            491 if leg.asking.crossed < MAX_CROSSED => {
                leg.asking.crossed += 1;
                let (from_ms, span_ms) = if own_call_id { (2_100, 190) } else { (0, 200) };
                let pause = Duration::from_millis(from_ms + 10 * (outside.entropy.u64() % (span_ms + 1)));
                leg.asking.not_before = Some(outside.now.tick + pause);
                leg.asking.wish.get_or_insert(asked.wish);
            }
            422 if leg.takes_longer_interval(message) => _ = leg.asking.wish.get_or_insert(asked.wish),
            405 | 501 if asked.update => {
                leg.ability.update = false;
                leg.asking.wish.get_or_insert(asked.wish);
            }
            408 | 481 => there = false,
            // The session stays as it was (RFC 3261 14.1).
            _ => {}
        }
        if !there {
            return self.hang_up(Outcome::Lost, outside);
        }
        self.ask_what_is_wished(outside);
        Signal::Changed
    }
}

/// What goes with a refusal of an offer: a time to come back, or the shortest interval that is taken.
pub(crate) fn explained(response: Builder, status: u16, seconds: u64) -> Builder {
    match status {
        // RFC 3261 14.2, RFC 3311 5.2: a random time of 0 to 10 s.
        500 => response.header(HeaderName::RetryAfter, seconds.to_string()),
        422 => response.header(HeaderName::MinSe, LEAST_S.to_string()),
        _ => response,
    }
}
