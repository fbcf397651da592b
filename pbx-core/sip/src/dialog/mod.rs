//! Dialogs, RFC 3261 12: two tags and a Call-ID, the order of requests, and the way to the other side. Plain data: a dialog can be
//! written down and read back. It sends nothing; it says what the next request looks like.

mod route_set;
mod uac;
mod uas;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::message::{Builder, Contacts, HeaderName, Message, Method};

/// What both sides agree to call it, from our point of view.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DialogId {
    /// The SIP header.
    pub call_id: String,
    /// Ours.
    pub local_tag: String,
    /// Theirs; empty for a peer of RFC 2543.
    pub remote_tag: String,
}

impl DialogId {
    /// The dialog that a request to us belongs to; `None` outside a dialog.
    pub fn of_request(request: &Message) -> Option<DialogId> {
        Some(DialogId {
            call_id: request.call_id().ok()?.to_owned(),
            local_tag: request.to().ok()?.tag()?.to_owned(),
            remote_tag: request.from().ok()?.tag().unwrap_or_default().to_owned(),
        })
    }
}

/// One dialog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialog {
    /// Call-ID and tags.
    pub id: DialogId,
    /// Our From (or To) without its tag: `"Name" <sip:...>`.
    pub local: String,
    /// Theirs.
    pub remote: String,
    /// Of our last request.
    pub local_cseq: u32,
    /// Of their last request.
    pub remote_cseq: Option<u32>,
    /// Where requests are addressed: the URI of their Contact.
    pub remote_target: String,
    /// Route entries, topmost first.
    pub route_set: Vec<String>,
    /// No final response yet.
    pub early: bool,
}

/// Why a request in a dialog is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DialogRefusal {
    /// Its CSeq is not above the last: 500 (RFC 3261 12.2.2).
    #[error("a request out of order")]
    OutOfOrder,
}

impl Dialog {
    /// The next request of ours; Via, Contact and body are still to be put on.
    pub fn request(&mut self, method: &Method) -> Builder {
        self.local_cseq += 1;
        self.with_cseq(method, self.local_cseq)
    }

    /// The ACK of a 2xx to our INVITE of that number (RFC 3261 13.2.2.4).
    pub fn ack(&self, cseq: u32) -> Builder {
        self.with_cseq(&Method::Ack, cseq)
    }

    /// Checks the order of a request of theirs, and remembers it. An ACK has the number of its INVITE.
    pub fn accept(&mut self, request: &Message) -> Result<(), DialogRefusal> {
        let number = request.cseq().map_err(|_| DialogRefusal::OutOfOrder)?.number;
        if *request.method() != Method::Ack && self.remote_cseq.is_some_and(|last| number <= last) {
            return Err(DialogRefusal::OutOfOrder);
        }
        self.remote_cseq = Some(number);
        Ok(())
    }

    /// A re-INVITE or its answer may say that they have moved (RFC 3261 12.2.1.2).
    pub fn refresh_target(&mut self, message: &Message) {
        if let Some(target) = contact_of(message) {
            self.remote_target = target;
        }
    }

    fn with_cseq(&self, method: &Method, cseq: u32) -> Builder {
        let (uri, routes) = route_set::addressed(&self.remote_target, &self.route_set);
        let mut request = Builder::request(method, &uri);
        for route in routes {
            request = request.header(HeaderName::Route, route);
        }
        let remote =
            if self.id.remote_tag.is_empty() { self.remote.clone() } else { format!("{};tag={}", self.remote, self.id.remote_tag) };
        request
            .header(HeaderName::MaxForwards, "70")
            .header(HeaderName::From, format!("{};tag={}", self.local, self.id.local_tag))
            .header(HeaderName::To, remote)
            .header(HeaderName::CallId, &self.id.call_id)
            .header(HeaderName::CSeq, format!("{cseq} {method}"))
    }
}

/// The URI of a message's first Contact.
fn contact_of(message: &Message) -> Option<String> {
    match message.contacts() {
        Ok(Contacts::List(list)) => list.first().map(|contact| contact.uri.to_owned()),
        _ => None,
    }
}

/// From or To as it came, without its tag and what else hangs behind: `"Name" <uri>`.
fn party(message: &Message, name: HeaderName) -> String {
    let address = match name {
        HeaderName::From => message.from(),
        _ => message.to(),
    };
    match address {
        Ok(address) => match address.display_text() {
            Some(display) => format!("\"{}\" <{}>", display.replace(['"', '\\'], ""), address.uri),
            None => format!("<{}>", address.uri),
        },
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Message {
        Message::parse(text.replace('\n', "\r\n").into_bytes().into()).unwrap()
    }

    fn invite() -> Message {
        message(
            "INVITE sip:202@house SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\nRecord-Route: <sip:p1;lr>, <sip:p2;lr>\nFrom: \"A, B\" <sip:201@house>;tag=a\nTo: <sip:202@house>\nCall-ID: c1\nCSeq: 7 INVITE\nContact: <sip:201@192.0.2.1:5062>\nContent-Length: 0\n\n",
        )
    }

    #[test]
    fn the_answering_side_sends_along_the_recorded_route() {
        let mut dialog = Dialog::uas(&invite(), "b").unwrap();
        assert_eq!(dialog.route_set, ["<sip:p1;lr>", "<sip:p2;lr>"]);
        let bye = dialog.request(&Method::Bye).build();
        assert_eq!(bye.request_uri(), "sip:201@192.0.2.1:5062");
        assert_eq!(bye.headers(HeaderName::Route).count(), 2);
        assert_eq!(bye.header(HeaderName::To), Some(&b"\"A, B\" <sip:201@house>;tag=a"[..]));
        assert_eq!(bye.header(HeaderName::From), Some(&b"<sip:202@house>;tag=b"[..]));
        assert_eq!(bye.header(HeaderName::CSeq), Some(&b"1 BYE"[..]));
    }

    #[test]
    fn the_asking_side_reverses_the_route_and_acknowledges_with_the_number_of_its_invite() {
        let answer = message(
            "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\nRecord-Route: <sip:p1;lr>\nRecord-Route: <sip:p2;lr>\nFrom: \"A, B\" <sip:201@house>;tag=a\nTo: <sip:202@house>;tag=b\nCall-ID: c1\nCSeq: 7 INVITE\nContact: <sip:202@192.0.2.2>\nContent-Length: 0\n\n",
        );
        let mut dialog = Dialog::uac(&invite(), &answer).unwrap();
        assert_eq!(dialog.route_set, ["<sip:p2;lr>", "<sip:p1;lr>"]);
        assert!(!dialog.early);
        assert_eq!(dialog.ack(7).build().header(HeaderName::CSeq), Some(&b"7 ACK"[..]));
        assert_eq!(dialog.request(&Method::Info).build().header(HeaderName::CSeq), Some(&b"8 INFO"[..]));
    }

    #[test]
    fn a_strict_router_is_addressed_itself() {
        let mut dialog = Dialog::uas(&invite(), "b").unwrap();
        dialog.route_set = vec!["<sip:strict>".into(), "<sip:p2;lr>".into()];
        let bye = dialog.request(&Method::Bye).build();
        assert_eq!(bye.request_uri(), "sip:strict");
        let routes: Vec<_> = bye.headers(HeaderName::Route).collect();
        assert_eq!(routes, [&b"<sip:p2;lr>"[..], &b"<sip:201@192.0.2.1:5062>"[..]]);
    }

    #[test]
    fn requests_come_in_order_and_a_dialog_reads_back() {
        let mut dialog = Dialog::uas(&invite(), "b").unwrap();
        let bye = |number: u32| message(&format!("BYE sip:x SIP/2.0\nCSeq: {number} BYE\n\n"));
        assert_eq!(dialog.accept(&bye(7)), Err(DialogRefusal::OutOfOrder));
        assert_eq!(dialog.accept(&bye(9)), Ok(()));
        assert_eq!(dialog.accept(&bye(8)), Err(DialogRefusal::OutOfOrder));
        let written = serde_json::to_string(&dialog).unwrap();
        assert_eq!(serde_json::from_str::<Dialog>(&written).unwrap(), dialog);
    }
}
