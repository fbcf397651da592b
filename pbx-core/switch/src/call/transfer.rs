//! Transfer and taking over, carried out here and never passed on (RFC 3515, RFC 3891, RFC 5589). A leg moves from one call to another,
//! under the rights of who asked for it; features never see that. Which legs and calls are meant is the switch's affair.

use pbx_media_words::{Command, LegKey};
use pbx_sip::clock::Wall;
use pbx_sip::message::{Builder, HeaderName, Message, Method, Replaces, Scheme, Uri};
use pbx_sip::sdp::{Format, agreed};
use pbx_sip::stack::ServerKey;
use serde::{Deserialize, Serialize};

use crate::call::ability::requires;
use crate::call::{Call, CallKey, Identity, Leg, LegState, Outside, Refusal, Signal};
use crate::dialplan::Step;

/// A REFER that was accepted in this call: who asked, and the call in which the other side is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    by: LegKey,
    /// Where the other side went.
    pub(crate) to: Option<CallKey>,
    /// Tells the subscriptions of several REFERs apart (RFC 3515 2.4.6); none for the first.
    id: Option<u32>,
    /// Nobody wishes to be told (RFC 4488).
    silent: bool,
    /// The status that was told last.
    told: u16,
}

/// Where the caller of this call comes from: it was handed over, and may be handed back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handed {
    /// The call.
    pub(crate) from: CallKey,
}

/// What a REFER asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Referral {
    /// Whom to call instead; empty if somebody who is called already is meant.
    pub number: String,
    /// The same as it stands in the URI.
    pub uri: String,
    /// Whose place to take.
    pub replaces: Option<Replaced>,
}

/// A dialog whose place is to be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Replaced {
    pub call_id: String,
    pub to_tag: String,
    pub from_tag: String,
    pub early_only: bool,
}

impl From<Replaces<'_>> for Replaced {
    fn from(replaces: Replaces<'_>) -> Replaced {
        let Replaces { call_id, to_tag, from_tag, early_only } = replaces;
        Replaced { call_id: call_id.to_owned(), to_tag: to_tag.to_owned(), from_tag: from_tag.to_owned(), early_only }
    }
}

impl Referral {
    /// Reads a REFER; the status to refuse with, if it asks for what is no call.
    pub fn read(refer: &Message) -> Result<Referral, u16> {
        let target = refer.refer_to().map_err(|_| 400u16)?;
        let uri = Uri::parse(target.uri).map_err(|_| 400u16)?;
        if let Scheme::Other(_) = uri.scheme {
            return Err(416);
        }
        if uri.param("method").flatten().is_some_and(|method| method != "INVITE") {
            return Err(501);
        }
        let replaces = match uri.header_decoded("Replaces") {
            Some(text) => Some(Replaces::parse(&text).ok_or(400u16)?.into()),
            None => None,
        };
        let number = uri.user_decoded().map(|user| user.split(';').next().unwrap_or_default().chars().take(64).collect());
        let number: String = number.unwrap_or_default();
        if number.is_empty() && replaces.is_none() {
            return Err(400);
        }
        Ok(Referral { number, uri: target.uri.to_owned(), replaces })
    }
}

/// How long a subscription to a transfer may last at most: longer than anything rings.
const SUBSCRIBED_S: u32 = 600;

/// How a leg ends that went to another call, or whose place was taken. The catalogue has a sentence: `outcome.transferred`.
pub(crate) const TRANSFERRED: &str = "transferred";

impl Call {
    /// The other side of a leg, if the two are connected and neither is on its way elsewhere; else the status to refuse a REFER with.
    pub(crate) fn may_refer(&self, by: LegKey) -> Result<LegKey, u16> {
        if self.transfer.is_some() || self.handed.is_some() {
            return Err(491);
        }
        let connected = |leg: &&Leg| leg.state == LegState::Answered && leg.dialog.is_some();
        let here = self.legs().filter(connected).any(|leg| leg.key == by);
        let other = self.legs().filter(connected).find(|leg| leg.key != by);
        match other {
            Some(other) if here && self.answered.is_some() && !self.a.accepts_later() => Ok(other.key),
            _ => Err(603),
        }
    }

    /// A REFER is taken on: 202, and word at once (RFC 3515 2.4.4).
    pub(crate) fn refer_accepted(&mut self, by: LegKey, server: ServerKey, refer: &Message, outside: &mut Outside<'_>) {
        let silent = requires(refer, "norefersub")
            || refer.header(HeaderName::ReferSub).is_some_and(|wish| wish.trim_ascii().to_ascii_lowercase().starts_with(b"false"));
        let cseq = refer.cseq().map_or(0, |cseq| cseq.number);
        let Some(leg) = self.leg(by) else { return };
        let mut response = leg.signed(Builder::response_to(refer, 202, None), outside);
        if silent {
            response = response.header(HeaderName::ReferSub, "false");
        }
        outside.stack.respond(server, response.build(), outside.now);
        let id = leg.referred.then_some(cseq);
        leg.referred = true;
        self.transfer = Some(Transfer { by, to: None, id, silent, told: 0 });
        self.tell_transferor(100, outside);
    }

    /// Tells who asked how far the transfer is (RFC 3515 2.4.5); each status once, and a final one ends the subscription.
    pub(crate) fn tell_transferor(&mut self, status: u16, outside: &mut Outside<'_>) {
        let Some(transfer) = self.transfer.as_mut().filter(|transfer| transfer.told < status) else { return };
        transfer.told = status;
        let transfer = transfer.clone();
        if status >= 200 {
            self.transfer = None;
        }
        self.notify(&transfer, status >= 200, outside);
    }

    /// Who asked says goodbye before the end of it: its subscription ends with what is known (RFC 5057 4.1).
    pub(crate) fn forget_transferor(&mut self, outside: &mut Outside<'_>) {
        if let Some(transfer) = self.transfer.take() {
            self.notify(&transfer, true, outside);
        }
    }

    fn notify(&mut self, transfer: &Transfer, last: bool, outside: &mut Outside<'_>) {
        let Some(leg) = self.leg(transfer.by).filter(|_| !transfer.silent) else { return };
        let Some(notify) = leg.dialog.as_mut().map(|dialog| dialog.request(&Method::Notify)) else { return };
        let event = transfer.id.map_or_else(|| "refer".to_owned(), |id| format!("refer;id={id}"));
        let state = if last { "terminated;reason=noresource".to_owned() } else { format!("active;expires={SUBSCRIBED_S}") };
        let status = transfer.told;
        let phrase = pbx_sip::message::reason_phrase(status);
        let notify = leg.signed(notify, outside).header(HeaderName::Event, event).header(HeaderName::SubscriptionState, state);
        let notify = notify.body("message/sipfrag;version=2.0", format!("SIP/2.0 {status} {phrase}\r\n"));
        outside.stack.request(notify, leg.flow, outside.now);
    }

    /// A leg goes to another call; what stays is what its record needs.
    pub(crate) fn leave(&mut self, key: LegKey, outside: &mut Outside<'_>) -> Option<Leg> {
        for (client, server, request) in std::mem::take(&mut self.infos) {
            outside.index.clients.remove(&client);
            self.answer_info(server, request, 480, outside);
        }
        let leg = self.leg(key)?;
        let mut stays = leg.clone();
        stays.state = LegState::Over;
        stays.ended = Some((outside.now.wall, TRANSFERRED.to_owned()));
        (stays.dialog, stays.ports, stays.server, stays.client) = (None, None, None, None);
        (stays.probe, stays.timer, stays.reliable, stays.local) = (None, None, None, None);
        stays.early.clear();
        stays.asking = Default::default();
        stays.invite = bytes::Bytes::new();
        outside.media.push_back(Command::Split { leg: key });
        Some(std::mem::replace(leg, stays))
    }

    /// It comes back, and hears again whom it heard before.
    pub(crate) fn come_back(&mut self, leg: Leg, outside: &mut Outside<'_>) {
        let key = leg.key;
        if let Some(place) = self.leg(key) {
            *place = leg;
        }
        let Some(other) = self.legs().find(|leg| leg.key != key && leg.state == LegState::Answered).map(|leg| leg.key) else {
            return;
        };
        let peer = self.identity_of(other);
        if let Some(leg) = self.leg(key) {
            leg.peer = Some(peer);
        }
        self.align(key, other, outside);
    }

    /// Who a leg of the house or a caller is, as the other side may know it.
    pub(crate) fn identity_of(&self, key: LegKey) -> Identity {
        if self.a.key == key && self.begun_by == key {
            return self.caller.clone();
        }
        let shown = self.legs().find(|leg| leg.key != key && leg.state != LegState::Over).and_then(|leg| leg.peer.clone());
        shown.unwrap_or_else(|| {
            self.legs().find(|leg| leg.key == key).map(|leg| Identity::new(&leg.party, &leg.name)).unwrap_or_default()
        })
    }

    /// A call of a leg that another call has handed over: it is connected, and whoever it is for is rung.
    pub(crate) fn of_leg(key: CallKey, mut leg: Leg, caller: Identity, started: Wall) -> Call {
        leg.peer = None;
        Call { rang: true, early: true, ..Call::new(key, leg, caller, started) }
    }

    /// A leg of another call takes the place of one of this call, which is told goodbye. True if it is connected to somebody now.
    pub(crate) fn take_place(&mut self, of: LegKey, mut leg: Leg, identity: Identity, outside: &mut Outside<'_>) -> Signal {
        let (key, number) = (leg.key, identity.number.clone());
        let unanswered = self.answered.is_none();
        if unanswered {
            // Whoever called will not be answered any more: another has its place.
            self.respond(487, outside);
            (self.early, self.rang) = (true, true);
        }
        let Some(place) = self.leg(of) else { return Signal::Nothing };
        leg.peer.clone_from(&place.peer);
        let mut before = std::mem::replace(place, leg);
        if unanswered {
            before.part(false, None, outside);
        } else {
            before.part(true, None, outside);
        }
        before.end(TRANSFERRED, outside);
        let by = before.party.clone();
        self.gone.push(before);
        self.trace.steps.push(Step::Transferred { at: outside.now.wall, by, to: number });
        for other in
            std::iter::once(&mut self.a).chain(&mut self.b).filter(|other| other.key != key && other.state != LegState::Over)
        {
            other.peer = Some(identity.clone());
        }
        let other = self.legs().find(|other| {
            other.key != key
                && (other.state == LegState::Answered || unanswered && other.state == LegState::Ringing && other.remote.is_some())
        });
        if let Some(other) = other.map(|other| other.key) {
            self.align(key, other, outside);
        }
        Signal::Changed
    }

    /// Two legs that were connected to others hear each other; what only one of them speaks is spoken no more.
    fn align(&mut self, one: LegKey, other: LegKey, outside: &mut Outside<'_>) {
        outside.media.push_back(Command::Join { leg: one.min(other), with: one.max(other) });
        let formats = |key: LegKey| self.legs().find(|leg| leg.key == key).map(|leg| leg.formats.clone()).unwrap_or_default();
        let common = self.common(one, other);
        for (key, formats) in [(one, formats(one)), (other, formats(other))] {
            let Some(leg) = self.leg(key) else { continue };
            leg.wish_introduction();
            let said = leg.remote.as_ref().map(|remote| remote.formats.clone()).unwrap_or_default();
            let mut wanted = agreed(&formats, &common);
            if wanted.is_empty() {
                wanted = agreed(&said, &common);
            }
            if codecs(&wanted) != codecs(&formats) && !wanted.is_empty() {
                leg.wish_formats(wanted);
            }
        }
        self.ask_what_is_wished(outside);
    }

    /// What two legs both speak now; else what both said that they could.
    fn common(&self, one: LegKey, other: LegKey) -> Vec<Format> {
        let leg = |key: LegKey| self.legs().find(|leg| leg.key == key);
        let (Some(one), Some(other)) = (leg(one), leg(other)) else { return Vec::new() };
        common(one, other)
    }

    /// A new leg, whose INVITE names the dialog of another, takes its place (RFC 3891): that of a connected one, or that of one that
    /// rings. The status to refuse with, if it cannot.
    pub(crate) fn take_over(&mut self, of: LegKey, mut leg: Leg, name: &str, outside: &mut Outside<'_>) -> Result<Signal, u16> {
        let ringing = self.answered.is_none();
        let (key, now) = (leg.key, outside.now);
        name.clone_into(&mut leg.name);
        let identity = Identity::new(&leg.party, name);
        let by = leg.party.clone();
        let other = self.legs().find(|other| other.key != of && other.state == LegState::Answered).map(|other| other.key);
        if !ringing && other.is_none() || !self.legs().any(|leg| leg.key == of) {
            return Err(481);
        }
        if !leg.open(outside) {
            return Err(503);
        }
        if ringing {
            let Some(offer) = leg.remote.clone().filter(|_| self.a.remote.is_some()) else { return Err(refused(leg, outside)) };
            leg.peer = Some(self.caller.clone());
            self.b.push(leg);
            let place = self.b.len() - 1;
            if !self.connect(place, offer, outside) {
                return Err(self.b.pop().map_or(488, |leg| refused(leg, outside)));
            }
            self.a.peer = Some(identity);
            self.trace.steps.push(Step::TakenOver { at: now.wall, by });
            self.talk(place, outside);
            self.b[place].accept(outside);
            return Ok(Signal::Changed);
        }
        let Some(other) = self.legs().find(|leg| Some(leg.key) == other) else { return Err(refused(leg, outside)) };
        leg.offer_open = leg.remote.is_none();
        leg.formats = match &leg.remote {
            Some(offer) => agreed(&offer.formats, &common(&leg, other)),
            None => other.formats.clone(),
        };
        if leg.formats.is_empty() {
            return Err(refused(leg, outside));
        }
        let other = other.key;
        (leg.state, leg.answered, leg.heard) = (LegState::Answered, Some(now.wall), now.tick);
        leg.dialog.iter_mut().for_each(|dialog| dialog.early = false);
        let Some(place) = self.leg(of) else { return Err(refused(leg, outside)) };
        leg.peer.clone_from(&place.peer);
        let mut before = std::mem::replace(place, leg);
        before.part(true, None, outside);
        before.end(TRANSFERRED, outside);
        self.gone.push(before);
        self.trace.steps.push(Step::TakenOver { at: now.wall, by });
        if let Some(other) = self.leg(other) {
            other.peer = Some(identity);
        }
        if let Some(leg) = self.leg(key) {
            if !leg.offer_open {
                leg.expect(outside);
            }
            leg.accept(outside);
        }
        self.align(key, other, outside);
        Ok(Signal::Changed)
    }

    /// What whoever handed this call over is to be told of it.
    pub(crate) fn handed_status(&self) -> u16 {
        if self.answered.is_some() {
            200
        } else if let Some(outcome) = self.outcome {
            match outcome {
                crate::call::Outcome::Refused(refusal) => refusal.status(),
                _ => 487,
            }
        } else if self.b.iter().any(|leg| leg.state == LegState::Ringing) {
            180
        } else {
            100
        }
    }

    /// The call that it was handed over to came to nothing, and its caller goes back.
    pub(crate) fn hand_back(&mut self, outside: &mut Outside<'_>) -> Option<Leg> {
        let leg = self.leave(self.a.key, outside)?;
        self.a.answered = None;
        Some(leg)
    }
}

/// A leg that came for nothing gives its ports back.
fn refused(mut leg: Leg, outside: &mut Outside<'_>) -> u16 {
    leg.end(Refusal::NoCommonCodec.code(), outside);
    488
}

/// What two legs both speak now, under the numbers of the first; else what the first offers and the other said that it could.
pub(crate) fn common(one: &Leg, other: &Leg) -> Vec<Format> {
    let said = |leg: &Leg| leg.remote.as_ref().map(|remote| remote.formats.clone()).unwrap_or_default();
    let mine = if one.formats.is_empty() { said(one) } else { one.formats.clone() };
    let now = agreed(&mine, &other.formats);
    if now.is_empty() { agreed(&said(one), &said(other)) } else { now }
}

/// What of formats is sound, for comparison.
pub(crate) fn codecs(formats: &[Format]) -> Vec<(&str, u32)> {
    let mut codecs: Vec<(&str, u32)> =
        formats.iter().filter(|format| format.is_codec()).map(|format| (format.encoding.as_str(), format.clock_hz)).collect();
    codecs.sort_unstable();
    codecs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_refer_asks_for() {
        let read = |target: &str| {
            let text = format!("REFER sip:x SIP/2.0\r\nRefer-To: {target}\r\n\r\n");
            Referral::read(&Message::parse(text.into_bytes().into()).unwrap())
        };
        let plain = |target: &str| read(target).map(|referral| (referral.number, referral.replaces));
        let number = |number: &str| Ok((number.to_owned(), None));
        assert_eq!(plain("<sip:203@pbx.test>"), number("203"));
        assert_eq!(plain("sip:203@pbx.test;x=y"), number("203"));
        assert_eq!(plain("\"Bar\" <tel:+33-199001234;phone-context=x>"), number("+33-199001234"));
        let replaces = read("<sip:192.0.2.1:5060?Replaces=a%40h%3Bfrom-tag%3D2%3Bto-tag%3D1>").unwrap().replaces.unwrap();
        assert_eq!((replaces.call_id.as_str(), replaces.to_tag.as_str(), replaces.from_tag.as_str()), ("a@h", "1", "2"));
        for (bad, status) in [
            ("", 400),
            ("<sip:pbx.test>", 400),
            ("<sip:203@h?Replaces=a>", 400),
            ("<http://x>", 416),
            ("<sip:203@h;method=BYE>", 501),
            ("<sip:203@h>, <sip:204@h>", 400),
        ] {
            assert_eq!(read(bad), Err(status), "{bad}");
        }
    }
}
