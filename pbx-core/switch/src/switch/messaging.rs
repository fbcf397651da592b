//! Short texts between extensions, RFC 3428: to every phone of whom they are for. The first that takes one has it taken; if none does,
//! the sender is told so, and nothing is kept.

use pbx_sip::clock::Now;
use pbx_sip::flow::Flow;
use pbx_sip::message::{Builder, HeaderName, Message, Method, Uri};
use pbx_sip::stack::{ClientKey, ServerKey};
use std::collections::{BTreeMap, BTreeSet};

use crate::call::identity::{Identity, Side, wishes_privacy};
use crate::call::{Phone, is_sips};
use crate::directory::ExtensionNumber;
use crate::registrar::{Binding, gruu};
use crate::switch::Switch;
use crate::switch::calling::phones_of;

/// Octets of one text with what goes with it; more than a datagram would carry whole, and no file.
const MAX_TEXT: usize = 8_192;

/// Texts on their way at once.
const MAX_UNDER_WAY: usize = 1_000;

/// Texts that phones have not answered yet.
#[derive(Default)]
pub(super) struct UnderWay {
    /// By what was sent to a phone.
    sent: BTreeMap<ClientKey, ServerKey>,
    /// By what its sender waits for.
    waiting: BTreeMap<ServerKey, Waiting>,
    /// What the house itself has said.
    own: BTreeSet<ClientKey>,
}

/// A sender who waits.
struct Waiting {
    message: Message,
    /// Phones that have said nothing yet.
    phones: usize,
    /// What the last of the others said.
    refused: u16,
}

impl UnderWay {
    /// How many.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.sent.len() + self.own.len()
    }
}

impl Switch {
    /// MESSAGE outside a dialog.
    pub(super) fn message(&mut self, key: ServerKey, flow: Flow, message: &Message, now: Now) {
        let Some(extension) = self.authenticated(key, flow, message, now) else { return };
        let sips = is_sips(message.request_uri());
        let Ok(uri) = Uri::parse(message.request_uri()) else { return self.refuse(key, message, 404, now) };
        let (number, only_for) = self.meant(&uri);
        let to = self.directory.extension(&number).filter(|to| to.enabled).map(|to| to.number.clone());
        let status = match &to {
            _ if sips && !flow.transport.is_secured() => Some(416),
            _ if message.max_forwards() == Ok(Some(0)) => Some(483),
            _ if message.body().len() > MAX_TEXT => Some(413),
            _ if !message.body().is_empty() && message.content_type().is_none() => Some(400),
            _ if self.draining || self.messages.waiting.len() >= MAX_UNDER_WAY => Some(503),
            None => Some(404),
            Some(_) => None,
        };
        let (None, Some(to)) = (status, to) else { return self.refuse(key, message, status.unwrap_or(404), now) };
        let mut sender = Identity::new(extension.as_str(), self.name_of(extension.as_str()));
        sender.hidden = wishes_privacy(message);
        let kept = |binding: &&Binding| {
            (!sips || binding.flow.transport.is_secured()) && only_for.as_deref().is_none_or(|gr| gruu::is_named(binding, gr))
        };
        let phones = phones_of(self.registrar.bindings(to.as_str()).iter().filter(kept), "");
        if phones.is_empty() {
            return self.refuse(key, message, 480, now);
        }
        self.messages.waiting.insert(key, Waiting { message: message.clone(), phones: phones.len(), refused: 480 });
        for Phone { way, either_way, .. } in phones {
            let request = way.taken_by(self.text(message, &sender, to.as_str(), &way.contact));
            let client = match either_way {
                true => self.stack.request_either_way(request, way.flow, now),
                false => self.stack.request(request, way.flow, now),
            };
            self.messages.sent.insert(client, key);
        }
    }

    /// What a phone is sent: the text as it came, from whom the house knows it to be.
    fn text(&mut self, message: &Message, sender: &Identity, to: &str, contact: &str) -> Builder {
        let domain = &self.config.domain;
        let hops = message.max_forwards().ok().flatten().unwrap_or(70).saturating_sub(1);
        let request = Builder::request(&Method::Message, contact)
            .header(HeaderName::MaxForwards, hops.to_string())
            .header(HeaderName::From, format!("{};tag={}", sender.shown(domain), self.entropy.token()))
            .header(HeaderName::To, format!("<sip:{to}@{domain}>"))
            .header(HeaderName::CallId, format!("{}@{domain}", self.entropy.token()))
            .header(HeaderName::CSeq, "1 MESSAGE")
            .header(HeaderName::UserAgent, &self.config.user_agent);
        let kind = message.header(HeaderName::ContentType).map(String::from_utf8_lossy).unwrap_or_default().into_owned();
        [HeaderName::Date, HeaderName::Subject, HeaderName::ContentLanguage, HeaderName::ContentDisposition]
            .into_iter()
            .fold(sender.introduced(request, domain, Side::Calling, false), |request, name| request.copy(message, name))
            .body(&kind, message.body())
    }

    /// The house itself says something to an extension: to each of its phones, once.
    pub(super) fn announce(&mut self, to: &ExtensionNumber, text: &str, now: Now) {
        let phones = phones_of(self.registrar.bindings(to.as_str()).iter(), "");
        for Phone { way, .. } in phones.into_iter().take(MAX_UNDER_WAY.saturating_sub(self.messages.own.len())) {
            let domain = &self.config.domain;
            let request = Builder::request(&Method::Message, &way.contact)
                .header(HeaderName::MaxForwards, "70")
                .header(HeaderName::From, format!("<sip:{domain}>;tag={}", self.entropy.token()))
                .header(HeaderName::To, format!("<sip:{to}@{domain}>"))
                .header(HeaderName::CallId, format!("{}@{domain}", self.entropy.token()))
                .header(HeaderName::CSeq, "1 MESSAGE")
                .header(HeaderName::UserAgent, &self.config.user_agent)
                .body("text/plain;charset=UTF-8", text.as_bytes().to_vec());
            let client = self.stack.request(way.taken_by(request), way.flow, now);
            self.messages.own.insert(client);
        }
    }

    /// A phone answers a text, or never will (`None`). False if it was none.
    pub(super) fn text_answered(&mut self, client: ClientKey, status: Option<u16>, now: Now) -> bool {
        if self.messages.own.contains(&client) {
            if status.is_none_or(|status| status >= 200) {
                self.messages.own.remove(&client);
            }
            return true;
        }
        let Some(key) = self.messages.sent.get(&client).copied() else { return false };
        let status = match status {
            Some(status) if status < 200 => return true,
            Some(status) => status,
            None => 480,
        };
        self.messages.sent.remove(&client);
        let Some(waiting) = self.messages.waiting.get_mut(&key) else { return true };
        waiting.phones -= 1;
        let taken = (200..300).contains(&status);
        if !taken {
            // What a sender can act on; everything else means that it was not delivered.
            waiting.refused = if matches!(status, 413 | 415 | 486 | 488 | 600 | 603) { status } else { waiting.refused };
            if waiting.phones > 0 {
                return true;
            }
        }
        // The others may answer what they like.
        let Some(waiting) = self.messages.waiting.remove(&key) else { return true };
        let status = if taken { status.min(202) } else { waiting.refused };
        self.refuse(key, &waiting.message, status, now);
        true
    }
}
