//! Requests within a dialog: a re-INVITE that holds, resumes or moves, answered by us; INFO, passed on.

use bytes::Bytes;
use pbx_media_words::LegKey;
use pbx_sip::message::{Builder, HeaderName, Message};
use pbx_sip::sdp::{Description, agreed};
use pbx_sip::stack::ServerKey;

use crate::call::begin::refused;
use crate::call::session_timer::is_too_brief;
use crate::call::update::explained;
use crate::call::{Call, LegState, Outside, Signal};

impl Call {
    /// Does a request on this leg come after those before it (RFC 3261 12.2.2)?
    pub fn in_order(&mut self, key: LegKey, request: &Message) -> bool {
        self.leg(key).and_then(|leg| leg.dialog_of(request)).is_some_and(|dialog| dialog.accept(request).is_ok())
    }

    /// A re-INVITE. Hold is answered by us: the other side hears nothing from here on, and is not asked.
    pub fn reinvited(&mut self, key: LegKey, server: ServerKey, request: &Message, outside: &mut Outside<'_>) -> Signal {
        let call = self.key;
        let seconds = outside.entropy.u64() % 11;
        let Some(leg) = self.leg(key) else { return Signal::Nothing };
        // One offer at a time (RFC 3261 14.2): theirs has no final response yet, or ours is still open.
        let refuse = if leg.state != LegState::Answered {
            Some(500)
        } else if leg.has_offered() || leg.server.is_some() {
            Some(491)
        } else {
            is_too_brief(request).then_some(422)
        };
        if let Some(status) = refuse {
            let response = explained(Builder::response_to(request, status, None), status, seconds).build();
            outside.stack.respond(server, response, outside.now);
            return Signal::Nothing;
        }
        leg.ability.learn(request);
        let offer = request.body();
        if offer.is_empty() {
            // A wish to hear what we can do: an offer of ours, with what was agreed.
            leg.offer_open = true;
        } else {
            let read = Description::parse(&offer).map_err(refused).and_then(|offer| {
                let formats = agreed(&offer.formats, &leg.formats);
                let taken = !formats.is_empty() && leg.described(offer, outside.entropy);
                if taken { Ok(formats) } else { Err(488) }
            });
            match read {
                Ok(formats) => leg.formats = formats,
                Err(status) => {
                    outside.stack.respond(server, Builder::response_to(request, status, None).build(), outside.now);
                    return Signal::Nothing;
                }
            }
        }
        if let Some(dialog) = &mut leg.dialog {
            dialog.refresh_target(request);
        }
        (leg.server, leg.invite) = (Some(server), request.bytes().clone());
        outside.index.servers.insert(server, (call, key));
        if !leg.offer_open {
            leg.expect(outside);
        }
        leg.accept(outside);
        Signal::Changed
    }

    /// INFO, and MESSAGE in a dialog, go to the other side as they are, and its answer comes back.
    pub fn info(&mut self, key: LegKey, server: ServerKey, request: &Message, outside: &mut Outside<'_>) -> Signal {
        let call = self.key;
        let content_type =
            request.header(HeaderName::ContentType).map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default();
        let other = if self.a.key == key { self.b.iter_mut().find(|leg| leg.answered.is_some()) } else { Some(&mut self.a) };
        let full = self.infos.len() >= MAX_INFOS;
        let passed = other.filter(|_| !full).and_then(|other| {
            let message = other.dialog.as_mut()?.request(request.method());
            let message = other.signed(message, outside).copy(request, HeaderName::InfoPackage).body(&content_type, request.body());
            Some((other.key, outside.stack.request(message, other.flow, outside.now)))
        });
        match passed {
            Some((other, client)) => {
                outside.index.clients.insert(client, (call, other));
                self.infos.push((client, server, request.bytes().clone()));
            }
            None => self.answer_info(server, request.bytes().clone(), 480, outside),
        }
        Signal::Nothing
    }

    pub(crate) fn answer_info(&mut self, server: ServerKey, request: Bytes, status: u16, outside: &mut Outside<'_>) {
        let Ok(request) = Message::parse(request) else { return };
        outside.stack.respond(server, Builder::response_to(&request, status, None).build(), outside.now);
    }
}

/// INFO of one call under way at once.
const MAX_INFOS: usize = 16;
