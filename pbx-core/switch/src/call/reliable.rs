//! Provisional responses that must arrive, RFC 3262. Each leg has its own: what one phone sends us reliably is acknowledged by us, and
//! what the caller is told reliably waits for the caller's PRACK.

use pbx_media_words::LegKey;
use pbx_sip::dialog::Dialog;
use pbx_sip::message::{Builder, HeaderName, Message, Method};
use pbx_sip::sdp::{Description, Direction};
use pbx_sip::stack::ServerKey;
use serde::{Deserialize, Serialize};

use crate::call::ability::{ALLOW, SUPPORTED, requires};
use crate::call::identity::Side;
use crate::call::ringing::usual_formats;
use crate::call::{Call, Leg, LegState, Outcome, Outside, Refusal, Signal};

/// What the caller was told reliably.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reliable {
    rseq: u32,
    /// Its PRACK has not come.
    waits: bool,
    pub(crate) said: Progress,
    /// What is to be said when it has: one thing at a time (RFC 3262 3).
    then: Option<Then>,
    /// It was an offer of ours, and the PRACK has answered it.
    pub(crate) settled: bool,
}

/// How far a call is: the status, and whether our side of the session goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub status: u16,
    pub described: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Then {
    Progress(Progress),
    Accept,
}

/// A dialog that a reliable provisional response to our INVITE began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Early {
    pub(crate) dialog: Dialog,
    rseq: u32,
    /// What answers our offer: what is described later in responses to the same INVITE says nothing (RFC 3261 13.2.1).
    pub(crate) answer: Option<Description>,
}

/// Early dialogs of one INVITE: phones behind one contact.
const MAX_EARLY: usize = 4;

impl Call {
    /// Tells the caller how far the call is.
    pub(crate) fn progress(&mut self, progress: Progress, outside: &mut Outside<'_>) {
        // Who was connected before the call came here hears for itself.
        if self.a.state == LegState::Answered {
            return;
        }
        if let Some(reliable) = self.a.reliable.as_mut().filter(|reliable| reliable.waits) {
            // Our side of the session is not lost when something else is to be said after it.
            let described = progress.described || matches!(reliable.then, Some(Then::Progress(before)) if before.described);
            reliable.then = Some(Then::Progress(Progress { described, ..progress }));
            return;
        }
        self.say(progress, None, outside);
    }

    /// Says it, under a number that was drawn before or under the next one.
    pub(crate) fn say(&mut self, progress: Progress, again: Option<Reliable>, outside: &mut Outside<'_>) {
        let (Some(server), Some(invite)) = (self.a.server, self.invite()) else { return };
        let must = requires(&invite, "100rel");
        let body = if progress.described { self.answer_to_a() } else { None };
        let body = body.or_else(|| {
            // An INVITE without an offer has ours in the first response that arrives for sure (RFC 3262 5).
            let first = must && self.a.remote.is_none() && !self.a.offer_open;
            let again = again.is_some() && self.a.remote.is_none() && self.a.offer_open;
            let local = self.a.local.as_mut().filter(|_| first || again)?;
            self.a.formats = usual_formats();
            self.a.offer_open = true;
            Some(local.offer(&self.a.formats, Direction::SendRecv, None))
        });
        let tag = self.a.dialog.as_ref().map(|dialog| dialog.id.local_tag.clone());
        let response = Builder::response_to(&invite, progress.status, tag.as_deref());
        let mut response = self.a.introduced(self.a.signed(response, outside), Side::Called, outside);
        let reliably = must || self.a.ability.reliable && body.is_some();
        if reliably {
            // At first anything below 2^31, then one more each time (RFC 3262 3).
            let first = || 1 + u32::try_from(outside.entropy.u64() >> 34).unwrap_or(0);
            let reliable = again.unwrap_or_else(|| Reliable {
                rseq: self.a.reliable.as_ref().map_or_else(first, |before| before.rseq + 1),
                waits: true,
                said: progress,
                then: None,
                settled: false,
            });
            let rseq = reliable.rseq;
            self.a.reliable = Some(reliable);
            response = response.header(HeaderName::Require, "100rel").header(HeaderName::RSeq, rseq.to_string());
            response = response.header(HeaderName::Allow, ALLOW).header(HeaderName::Supported, SUPPORTED);
        }
        let response = response.body("application/sdp", body.unwrap_or_default()).build();
        if reliably {
            outside.stack.respond_reliably(server, response, outside.now);
        } else {
            outside.stack.respond(server, response, outside.now);
        }
    }

    /// A PRACK.
    pub fn pracked(&mut self, key: LegKey, server: ServerKey, request: &Message, outside: &mut Outside<'_>) -> Signal {
        let rack = request.rack();
        let cseq = self.leg(key).and_then(|leg| Message::parse(leg.invite.clone()).ok()).and_then(|invite| invite.cseq().ok());
        let invite = self.leg(key).and_then(|leg| leg.server);
        let reliable = self.leg(key).and_then(|leg| leg.reliable.as_mut()).filter(|reliable| {
            reliable.waits
                && rack.is_some_and(|rack| {
                    rack.rseq == reliable.rseq && rack.method == Method::Invite && cseq.is_some_and(|cseq| cseq.number == rack.cseq)
                })
        });
        let (Some(reliable), Some(invite)) = (reliable, invite) else {
            outside.stack.respond(server, Builder::response_to(request, 481, None).build(), outside.now);
            return Signal::Nothing;
        };
        reliable.waits = false;
        let then = reliable.then.take();
        outside.stack.provisional_acknowledged(invite);
        let body = request.body();
        let mut answer = Ok(bytes::Bytes::new());
        if let Some(leg) = self.leg(key) {
            if leg.offer_open {
                leg.offer_open = false;
                answer = if leg.take_answer(&body, outside) { Ok(bytes::Bytes::new()) } else { Err(488) };
                leg.reliable.iter_mut().for_each(|reliable| reliable.settled = true);
            } else if !body.is_empty() {
                answer = leg.take_offer(&body, outside);
            }
        }
        let status = answer.as_ref().err().copied().unwrap_or(200);
        let settled = self.a.reliable.as_ref().is_some_and(|reliable| reliable.settled);
        let response = Builder::response_to(request, status, None).body("application/sdp", answer.unwrap_or_default());
        outside.stack.respond(server, response.build(), outside.now);
        if status != 200 && settled {
            // An offer of ours that is never answered is a call nobody hears.
            return self.refuse(Refusal::NoCommonCodec, outside);
        }
        self.early |= settled;
        match then {
            Some(Then::Progress(progress)) => self.progress(progress, outside),
            Some(Then::Accept) => self.a.accept(outside),
            None => {}
        }
        Signal::Nothing
    }

    /// The caller acknowledges nothing: as good as gone (RFC 3262 3).
    pub fn not_pracked(&mut self, outside: &mut Outside<'_>) -> Signal {
        self.hang_up(Outcome::Lost, outside)
    }

    /// The caller's INVITE has no final response yet: neither the call's, nor one that waits for a PRACK.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.a.state != LegState::Answered || self.a.accepts_later()
    }

    /// Acknowledges a provisional response that was sent reliably. False if there is nothing new in it: it came before, or out of order.
    pub(crate) fn prack(&mut self, place: usize, invite: &Message, response: &Message, outside: &mut Outside<'_>) -> bool {
        let call = self.key;
        let leg = &mut self.b[place];
        let (Some(rseq), Ok(dialog), Ok(cseq)) = (response.rseq(), Dialog::uac(invite, response), invite.cseq()) else {
            return true;
        };
        let number = cseq.number;
        let place = match leg.early.iter().position(|early| early.dialog.id == dialog.id) {
            Some(place) if leg.early[place].rseq.checked_add(1) != Some(rseq) => return false,
            Some(place) => place,
            None if leg.early.len() >= MAX_EARLY || dialog.id.remote_tag.is_empty() => return false,
            None => {
                outside.index.dialogs.insert(dialog.id.clone(), (call, leg.key));
                leg.early.push(Early { dialog, rseq, answer: None });
                leg.early.len() - 1
            }
        };
        let early = &mut leg.early[place];
        early.rseq = rseq;
        if early.answer.is_none() {
            early.answer = Description::parse(&response.body()).ok();
        }
        let prack = early.dialog.request(&Method::Prack).header(HeaderName::RAck, format!("{rseq} {number} INVITE"));
        let prack = leg.signed(prack, outside);
        outside.stack.request(prack, leg.flow, outside.now);
        true
    }
}

impl Leg {
    /// Its 2xx waits for a PRACK.
    pub(crate) fn accepts_later(&self) -> bool {
        self.reliable.as_ref().is_some_and(|reliable| reliable.waits && reliable.then == Some(Then::Accept))
    }

    /// A 2xx is not sent before what was said reliably was acknowledged (RFC 3262 3). True if it waits.
    pub(crate) fn accept_later(&mut self) -> bool {
        let Some(reliable) = self.reliable.as_mut().filter(|reliable| reliable.waits) else { return false };
        reliable.then = Some(Then::Accept);
        true
    }

    /// What it was told reliably, and has not acknowledged.
    pub(crate) fn unacknowledged(&self) -> bool {
        self.reliable.as_ref().is_some_and(|reliable| reliable.waits)
    }

    /// Another process says it again, under the same number: the PRACK may be on its way.
    pub(crate) fn said_reliably(&self) -> Option<Reliable> {
        self.reliable.clone().filter(|reliable| reliable.waits)
    }

    /// Its early dialogs are over.
    pub(crate) fn forget_early(&mut self, outside: &mut Outside<'_>) {
        for early in self.early.drain(..) {
            outside.index.dialogs.remove(&early.dialog.id);
        }
    }
}
