//! Bodies over the message layer.

use bytes::Bytes;
use pbx_sip::message::framing::{Framed, Framer};
use pbx_sip::message::limits::{MAX_ENTRIES, MAX_HEADERS, MAX_MESSAGE, MAX_VIAS};
use pbx_sip::message::{Builder, Contacts, HeaderName, MediaType, Message, NameAddr, Replaces, Uri, Via};
use pbx_sip::target::Target;
use pbx_switch::call::Identity;
use pbx_switch::call::identity::IdentitySource;

/// One datagram: read within its bounds, and what is written back reads the same.
pub fn message(octets: &[u8]) {
    let Ok(message) = Message::parse(Bytes::copy_from_slice(octets)) else { return };
    assert!(octets.ends_with(message.bytes()), "nothing but line ends before the start line is left out");
    assert!(message.all_headers().count() <= MAX_HEADERS);
    assert!(message.vias().is_ok_and(|vias| vias.len() <= MAX_VIAS) || message.vias().is_err());
    for list in [message.routes(), message.record_routes()] {
        assert!(list.is_err() || list.is_ok_and(|list| list.len() <= MAX_ENTRIES));
    }
    if let Ok(Contacts::List(list)) = message.contacts() {
        for contact in list {
            let _ = (contact.q(), contact.expires(), contact.tag(), contact.display_text(), contact.param("+sip.instance"));
            assert!(contact.q().is_none_or(|q| q <= 1000));
        }
    }
    let _ = (message.max_forwards(), message.expires(), message.content_type(), message.option_tags(HeaderName::Require));
    let _ = (message.session_expires(), message.min_se(), message.rseq(), message.rack(), message.replaces());
    if let Ok(target) = message.refer_to() {
        let _ = target.uri_view().map(|uri| uri.header_decoded("Replaces").as_deref().and_then(Replaces::parse).is_some());
    }
    identity(&message);
    assert_eq!(message.is_request(), message.status().is_none());
    let fine = if message.is_request() { message.check_request().is_ok() } else { message.check_response().is_ok() };
    if message.is_request() {
        let refusal = Builder::response_to(&message, 400, Some("t")).build();
        assert!(refusal.body().is_empty() && !refusal.bytes().starts_with(b"INVITE"));
    }
    if !fine {
        return;
    }
    let again = rebuilt(&message);
    if again.bytes().len() > MAX_MESSAGE || again.all_headers().count() != message.all_headers().count() {
        // Compact names grow when they are written out, and Content-Length is ours to write.
        return;
    }
    assert_eq!(again.fault(), None);
    assert_eq!((again.method(), again.status(), again.request_uri()), (message.method(), message.status(), message.request_uri()));
    assert_eq!(again.body(), message.body());
    assert_eq!(again.call_id(), message.call_id());
    assert_eq!(again.cseq(), message.cseq());
    assert_eq!(again.from().map(|from| (from.uri, from.tag())), message.from().map(|from| (from.uri, from.tag())));
    assert_eq!(again.to().map(|to| (to.uri, to.tag())), message.to().map(|to| (to.uri, to.tag())));
    assert_eq!(again.vias().map(|vias| vias.len()), message.vias().map(|vias| vias.len()));
    assert_eq!(rebuilt(&again).bytes(), again.bytes(), "written twice is written alike");
}

/// Who calls, by what a stranger writes: bounded, and nothing of it can end a header of ours.
fn identity(message: &Message) {
    let believed = [IdentitySource::PAssertedIdentity, IdentitySource::RemotePartyId, IdentitySource::From];
    let identity = Identity::asserted(message, &believed);
    assert!(identity.number.len() <= 64 && identity.name.chars().count() <= 80 && identity.diverted.len() <= 10);
    let written = [vec![identity.address("h")], identity.diversions("h"), identity.history("h", "1")].concat();
    assert!(written.iter().all(|value| NameAddr::parse(value.as_bytes()).is_ok()), "{written:?}");
    assert!(!identity.hidden || !identity.shown("h").contains("@h"));
}

fn rebuilt(message: &Message) -> Message {
    let mut copy = match message.status() {
        Some(status) => Builder::response(status, &String::from_utf8_lossy(message.reason_phrase())),
        None => Builder::request(message.method(), message.request_uri()),
    };
    for (header, name, value) in message.all_headers() {
        copy = match header {
            HeaderName::ContentLength | HeaderName::ContentType => copy,
            HeaderName::Other => copy.header_named(&String::from_utf8_lossy(name), value),
            known => copy.header(known, value),
        };
    }
    let kind = message.header(HeaderName::ContentType).map(String::from_utf8_lossy);
    copy.body(kind.as_deref().unwrap_or("application/octet-stream"), message.body()).build()
}

/// One header value, read as each kind of value: what is written back reads the same.
pub fn headers(octets: &[u8]) {
    for via in Via::parse_list(octets).take(MAX_VIAS).flatten() {
        let _ = (via.branch(), via.unique_branch(), via.received(), via.rport(), via.maddr());
        let port = via.port.map(|port| format!(":{port}")).unwrap_or_default();
        let mut written = format!("{}/{}/{} {}{port}", via.protocol, via.version, via.transport, via.host).into_bytes();
        written.extend(via.params.raw());
        let again = Via::parse(&written).expect("what we write can be read");
        assert_eq!((again.transport, again.host, again.port), (via.transport, via.host, via.port));
        assert!(again.params.iter().eq(via.params.iter()));
    }
    for address in NameAddr::parse_list(octets).take(MAX_ENTRIES).flatten() {
        let _ = (address.display_text(), address.tag(), address.q(), address.expires());
        let mut written = format!("<{}>", address.uri).into_bytes();
        written.extend(address.params.raw());
        let again = NameAddr::parse(&written).expect("what we write can be read");
        assert_eq!(again.uri, address.uri);
        assert!(again.params.iter().eq(address.params.iter()));
        uri(address.uri);
    }
    let _ = MediaType::parse(octets).map(|kind| kind.is("application", "sdp"));
    if let Ok(text) = std::str::from_utf8(octets) {
        uri(text);
    }
}

fn uri(text: &str) {
    let Ok(uri) = Uri::parse(text) else { return };
    let written = uri.to_string();
    let again = Uri::parse(&written).expect("what we write can be read");
    assert_eq!(again.to_string(), written);
    assert!(uri.same_as(&again) && again.same_as(&uri) && uri.same_as(&uri), "{text:?}");
    assert_eq!(again.each_param().count(), uri.each_param().count());
    let _ = (uri.user_decoded(), uri.host_bare(), uri.param("transport"), uri.has_headers(), Target::of(&uri));
    assert!(written.bytes().all(|byte| byte > b' ' && byte != 0x7f));
}

/// A stream: cut alike wherever its segments end, and what is cut is one whole message to the reader of messages too.
pub fn framing(octets: &[u8]) {
    let whole = cut(octets, octets.len().max(1));
    let step = octets.first().map_or(1, |first| usize::from(*first) % 31 + 1);
    assert_eq!(cut(octets, step), whole, "segments of {step}");
    for framed in whole.0 {
        let Framed::Message(framed) = framed else { continue };
        assert!(framed.len() <= MAX_MESSAGE);
        let Ok(message) = Message::parse(framed.clone()) else { continue };
        if message.fault().is_none() {
            assert!(framed.ends_with(&message.body()), "both see the same end");
            let head = framed.len() - message.body().len();
            assert!(framed[..head].ends_with(b"\n"), "and the same end of the headers");
            let length = message.header(HeaderName::ContentLength).expect("a stream is framed by it");
            let length = std::str::from_utf8(length).ok().and_then(|text| text.parse::<usize>().ok());
            assert_eq!(length, Some(message.body().len()));
        }
    }
}

fn cut(octets: &[u8], step: usize) -> (Vec<Framed>, bool) {
    let (mut framer, mut found) = (Framer::default(), Vec::new());
    for part in octets.chunks(step) {
        framer.push(part);
        loop {
            match framer.poll() {
                Ok(Some(framed)) => found.push(framed),
                Ok(None) => break,
                Err(_) => return (found, false),
            }
        }
    }
    (found, true)
}
