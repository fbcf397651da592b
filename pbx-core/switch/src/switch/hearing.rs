//! What the SIP stack has heard, and whom it concerns.

use pbx_sip::clock::Now;
use pbx_sip::dialog::{Dialog, DialogId};
use pbx_sip::flow::Flow;
use pbx_sip::message::{HeaderName, Message, Method, Supported};
use pbx_sip::stack::{ClientKey, Heard, ServerKey};

use crate::call::CallKey;
use crate::call::ability::{ALLOW, METHODS, OPTION_TAGS, SUPPORTED};
use crate::door::Offence;
use crate::subscription::ALLOW_EVENTS;
use crate::switch::Switch;
use crate::trunking::TrunkFailure;

/// Options, bodies and methods we know.
const KNOWN: Supported<'static> = Supported { methods: &METHODS, option_tags: &OPTION_TAGS, bodies: &[("application", "sdp")] };

impl Switch {
    pub(super) fn heard(&mut self, heard: Heard, now: Now) {
        match heard {
            Heard::Request { key, flow, message } => self.request(key, flow, &message, now),
            Heard::Acknowledged { key, message } => {
                if let Some((call, leg)) = self.index.servers.remove(&key) {
                    self.with_call(call, now, |call, outside| call.acknowledged(leg, &message, outside));
                }
                self.say_goodbye(key, now);
            }
            Heard::NotAcknowledged { key } => {
                if let Some((call, leg)) = self.index.servers.remove(&key) {
                    self.with_call(call, now, |call, outside| call.not_acknowledged(leg, outside));
                }
                self.say_goodbye(key, now);
            }
            Heard::ProvisionalNotAcknowledged { key } => {
                if let Some((call, _)) = self.index.servers.get(&key).copied() {
                    self.with_call(call, now, |call, outside| call.not_pracked(outside));
                }
            }
            Heard::Cancelled { key, message } => {
                if let Some((call, _)) = self.index.servers.get(&key).copied() {
                    self.with_call(call, now, |call, outside| call.cancelled(&message, outside));
                }
            }
            Heard::Response { key, flow, message } => self.response(key, flow, &message, now),
            Heard::TimedOut { key } => self.nothing_came(key, TrunkFailure::NoAnswer, now),
            Heard::FlowFailed { key } => self.nothing_came(key, TrunkFailure::NoConnection, now),
        }
    }

    /// Nothing came of a request of ours.
    fn nothing_came(&mut self, key: ClientKey, failure: TrunkFailure, now: Now) {
        if self.text_answered(key, None, now) || self.line_answered(key, Err(failure), now) || self.notify_answered(key, None, now)
        {
            return;
        }
        if let Some((call, leg)) = self.index.clients.remove(&key) {
            self.with_call(call, now, |call, outside| call.failed(leg, key, outside));
        }
    }

    pub(super) fn request(&mut self, key: ServerKey, flow: Flow, message: &Message, now: Now) {
        if let Err(rejection) = message.check_supported(&KNOWN) {
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
            return self.request_in_dialog(key, flow, &dialog, message, now);
        }
        match message.method() {
            Method::Register => self.register(key, flow, message, now),
            Method::Options => {
                if self.line_of(&flow).is_none() {
                    self.offended(&flow, Offence::Unproven, now);
                }
                self.describe_ourselves(key, message, now);
            }
            Method::Message => self.message(key, flow, message, now),
            Method::Subscribe => self.subscribe(key, flow, message, now),
            Method::Publish => self.publish_presence(key, flow, message, now),
            Method::Invite if message.max_forwards() == Ok(Some(0)) => self.refuse(key, message, 483, now),
            Method::Invite => self.invite(key, flow, message, now),
            // BYE, INFO: of a dialog that we do not know.
            _ => self.refuse(key, message, 481, now),
        }
    }

    pub(super) fn request_in_dialog(&mut self, key: ServerKey, flow: Flow, dialog: &DialogId, message: &Message, now: Now) {
        if *message.method() == Method::Subscribe && self.resubscribe(key, flow, dialog, message, now) {
            return;
        }
        let Some((call, leg)) = self.index.dialogs.get(dialog).copied() else { return self.refuse(key, message, 481, now) };
        let Some(ongoing) = self.calls.get_mut(&call) else { return self.refuse(key, message, 481, now) };
        let in_order = ongoing.call.in_order(leg, message);
        if !in_order {
            return self.refuse(key, message, 500, now);
        }
        ongoing.call.reached_by(leg, flow);
        match message.method() {
            // Only who calls may end a dialog that has not been answered (RFC 3261 15).
            Method::Bye if !ongoing.call.may_end(leg) => self.refuse(key, message, 481, now),
            Method::Bye => {
                self.refuse(key, message, 200, now);
                self.with_call(call, now, |call, outside| call.bye(leg, message, outside));
            }
            Method::Invite => self.with_call(call, now, |call, outside| call.reinvited(leg, key, message, outside)),
            Method::Info | Method::Message => self.with_call(call, now, |call, outside| call.info(leg, key, message, outside)),
            Method::Refer => self.refer(call, leg, (key, flow), message, now),
            Method::Prack => self.with_call(call, now, |call, outside| call.pracked(leg, key, message, outside)),
            Method::Update => self.with_call(call, now, |call, outside| call.updated(leg, key, message, outside)),
            Method::Options => self.describe_ourselves(key, message, now),
            Method::Subscribe => self.refuse_event(key, message, now),
            _ => self.refuse(key, message, 405, now),
        }
    }

    pub(super) fn response(&mut self, key: ClientKey, flow: Flow, message: &Message, now: Now) {
        if self.text_answered(key, message.status(), now)
            || self.line_answered(key, Ok(message), now)
            || self.notify_answered(key, message.status(), now)
        {
            return;
        }
        if self.answered_who_we_are(key, &flow, message, now) {
            return;
        }
        let known = self.index.clients.get(&key).copied().filter(|(call, _)| self.calls.contains_key(call));
        if let Some((call, leg)) = known {
            self.line_spoke(call, key, message);
            return self.with_call(call, now, |call, outside| call.response(leg, key, message, outside));
        }
        // A phone that answered a call which is over, or which it has lost: acknowledged and sent home (RFC 3261 13.2.2.4).
        let stray = *message.method() == Method::Invite && message.status().is_some_and(|status| (200..300).contains(&status));
        let dialog = self.stack.sent(key).map(|invite| Dialog::uac(invite, message));
        if let (true, Some(Ok(mut dialog))) = (stray, dialog) {
            self.stack.acknowledge(key, dialog.ack(dialog.local_cseq), flow);
            self.stack.request(dialog.request(&Method::Bye), flow, now);
        }
    }

    /// What we can do (RFC 3261 11.2).
    fn describe_ourselves(&mut self, key: ServerKey, message: &Message, now: Now) {
        let response = self.reply(message, 200).header(HeaderName::Allow, ALLOW).header(HeaderName::Accept, "application/sdp");
        let response = response.header(HeaderName::Supported, SUPPORTED).header(HeaderName::AllowEvents, ALLOW_EVENTS);
        self.stack.respond(key, response.build(), now);
    }

    /// Our 2xx was acknowledged, or never will be: what waited for that may be sent (RFC 3261 15).
    fn say_goodbye(&mut self, key: ServerKey, now: Now) {
        if let Some((bye, flow)) = self.goodbyes.remove(&key) {
            self.stack.request(bye, flow, now);
        }
    }

    /// Which call a heard message concerns, for the net below.
    pub(super) fn concerned(&self, heard: &Heard) -> Option<CallKey> {
        match heard {
            Heard::Request { message, .. } => {
                DialogId::of_request(message).and_then(|dialog| self.index.dialogs.get(&dialog)).map(|(call, _)| *call)
            }
            Heard::Acknowledged { key, .. }
            | Heard::NotAcknowledged { key }
            | Heard::ProvisionalNotAcknowledged { key }
            | Heard::Cancelled { key, .. } => self.index.servers.get(key).map(|(call, _)| *call),
            Heard::Response { key, .. } | Heard::TimedOut { key } | Heard::FlowFailed { key } => {
                self.index.clients.get(key).map(|(call, _)| *call)
            }
        }
    }
}
