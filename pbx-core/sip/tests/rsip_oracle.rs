//! rsip 0.4 reads what we read: generated messages, plain or each with one peculiarity, and what either side makes of them. Where they
//! differ is known, with who is right; a new difference fails the test, and so does one that is gone.

use std::collections::{BTreeMap, BTreeSet};

use pbx_sip::message::{Contacts, HeaderName, Message, NameAddr, Scheme};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rsip::prelude::{HeadersExt, ToTypedHeader, UntypedHeader};

/// Whose reading is the RFC's.
#[derive(Debug)]
enum Right {
    Ours,
    Rsip,
}

/// Peculiarity, what is read differently because of it, who is right, and by which paragraph.
const DISAGREEMENTS: &[(&str, &[&str], Right, &str)] = &[
    ("a blank before the colon", &["refused by rsip"], Right::Ours, "RFC 3261 7.3.1: any blanks on either side of the colon"),
    (
        "a body cut short",
        &["refused by us"],
        Right::Ours,
        "RFC 3261 18.3: over datagrams a body shorter than its Content-Length is an error, answered with 400",
    ),
    ("a body of any octets", &["written"], Right::Ours, "RFC 3261 7.4: a body is octets, and need not be text"),
    (
        "a bracket in a display name",
        &["From", "From's name", "From's tag"],
        Right::Ours,
        "RFC 3261 25.1: within quotes `<` and `>` are text",
    ),
    (
        "a dot in the user",
        &["To", "target"],
        Right::Ours,
        "RFC 3261 25.1: `.` is one of the unreserved characters of a user; rsip takes all for the host",
    ),
    ("a folded line", &["refused by rsip"], Right::Ours, "RFC 3261 7.3.1: a line that begins with a blank goes on the one before"),
    (
        "a method in lower case",
        &["CSeq", "method", "written"],
        Right::Ours,
        "RFC 3261 7.1: methods are compared with regard to case",
    ),
    ("a nonce count of 256", &["nonce count"], Right::Ours, "RFC 7616 3.4: nc is eight hexadecimal digits"),
    ("a port too large", &["refused by us"], Right::Ours, "RFC 3261 25.1 and RFC 768: a port has 16 bits"),
    ("a quote without its end", &["refused by us"], Right::Ours, "RFC 3261 25.1 and RFC 4475 3.1.2.6"),
    (
        "a response",
        &["written"],
        Right::Ours,
        "RFC 3261 7.2: the phrase is text for people and passed on as it came; rsip writes its own",
    ),
    (
        "a response without a phrase",
        &["refused by rsip"],
        Right::Rsip,
        "RFC 3261 7.2: the blank behind the code stands even where the phrase is empty; we read it because such phones exist",
    ),
    ("a sequence number too large", &["refused by us"], Right::Ours, "RFC 3261 8.1.1.5: less than 2^31"),
    (
        "a star",
        &["Contact", "number of Contacts"],
        Right::Ours,
        "RFC 3261 10.2.2: `*` removes all bindings; rsip reads a host of that name",
    ),
    ("a telephone number", &["refused by rsip"], Right::Ours, "RFC 3261 19.1.6 and RFC 3966"),
    ("a tenth request of a nonce", &["nonce count"], Right::Ours, "RFC 7616 3.4: nc is eight hexadecimal digits"),
    ("an address of IPv6", &["refused by rsip"], Right::Ours, "RFC 3261 25.1: host may be an IPv6reference"),
    ("an address of IPv6 in Via", &["Via", "branch"], Right::Ours, "RFC 3261 25.1: so may sent-by"),
    ("an empty parameter", &["refused by us"], Right::Ours, "RFC 3261 7.3.1 and RFC 4475 3.1.2.1"),
    (
        "an instance",
        &["Contact", "Contact's expires"],
        Right::Ours,
        "RFC 5626 4.1: +sip.instance is a quoted string with brackets in it",
    ),
    (
        "an unknown method",
        &["refused by rsip"],
        Right::Ours,
        "RFC 3261 8.2.1: answered with 405, so it must be read; RFC 4475 3.1.1.2",
    ),
    ("an unknown transport in Contact", &["Contact", "Contact's expires"], Right::Ours, "RFC 3261 25.1: transport is any token"),
    ("an unknown transport in Via", &["Via", "branch"], Right::Ours, "RFC 3261 25.1: transport is any token; RFC 4475 3.1.1.10"),
    ("another method in CSeq", &["refused by us"], Right::Ours, "RFC 3261 8.1.1.5 and RFC 4475 3.1.2.17"),
    (
        "blanks around the parameters",
        &["From", "From's name", "From's tag"],
        Right::Ours,
        "RFC 3261 25.1: SEMI and EQUAL may have blanks around them",
    ),
    (
        "compact names",
        &[
            "Call-ID",
            "Contact",
            "Contact's expires",
            "From",
            "From's name",
            "From's tag",
            "To",
            "Via",
            "branch",
            "number of Contacts",
            "number of Vias",
        ],
        Right::Ours,
        "RFC 3261 7.3.3",
    ),
    (
        "headers in Contact",
        &["Contact", "Contact's expires"],
        Right::Ours,
        "RFC 3261 19.1.1: headers stand behind `?`; rsip takes them for the host",
    ),
    ("leading line ends", &["refused by rsip"], Right::Ours, "RFC 3261 7.5: line ends before the start line are ignored"),
    (
        "lines that end with LF",
        &["refused by rsip"],
        Right::Rsip,
        "RFC 3261 7: each line ends with CRLF; we read LF too, because a refusal would help nobody",
    ),
    (
        "names in upper case",
        &["written"],
        Right::Ours,
        "RFC 3261 7.3.1: names mean the same in any case, and are passed on as they came",
    ),
    ("no Call-ID", &["refused by us"], Right::Ours, "RFC 3261 8.1.1: mandatory; RFC 4475 3.3.1"),
    ("no Via", &["refused by us"], Right::Ours, "RFC 3261 8.1.1: mandatory"),
    (
        "no blank behind the colon",
        &["written"],
        Right::Ours,
        "RFC 3261 7.3.1: none is needed, and what is passed on stays as it came",
    ),
    ("no empty line", &["refused by us"], Right::Ours, "RFC 3261 7: the empty line must stand, even without a body"),
    ("octets behind the body", &["body"], Right::Ours, "RFC 3261 18.3: dropped from a datagram"),
    (
        "octets that are not UTF-8",
        &["refused by rsip"],
        Right::Ours,
        "RFC 3261 7.3.1: an unknown header is ignored, whatever is in it",
    ),
    (
        "several Contacts in a line",
        &["Contact", "number of Contacts"],
        Right::Ours,
        "RFC 3261 7.3.1: several values of a list may stand in one line",
    ),
    ("several Vias in a line", &["number of Vias"], Right::Ours, "RFC 3261 7.3.1: several values of a list may stand in one line"),
    ("two lengths that differ", &["refused by us"], Right::Ours, "RFC 4475 3.3.9"),
];

#[test]
fn where_rsip_is_right_we_are_lenient_on_purpose() {
    let rsip = DISAGREEMENTS.iter().filter(|(_, _, right, _)| matches!(right, Right::Rsip));
    for (name, differ, ..) in rsip {
        assert_eq!(*differ, ["refused by rsip"], "{name}: we may only read more, never something else");
    }
    for (name, _, _, paragraph) in DISAGREEMENTS {
        assert!(paragraph.starts_with("RFC "), "{name} needs its paragraph");
    }
}

#[test]
fn they_differ_where_it_is_known_and_nowhere_else() {
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut runner = TestRunner::deterministic();
    for _ in 0..40 {
        for (name, change) in PECULIARITIES {
            let plain = plain().new_tree(&mut runner).expect("a value").current();
            let octets = change(&plain, plain.written());
            let (ours, theirs) = (ours(&octets), theirs(&octets));
            let keys: BTreeSet<&str> = ours.keys().chain(theirs.keys()).copied().collect();
            let differ = keys.into_iter().filter(|key| ours.get(key) != theirs.get(key));
            let differ: BTreeSet<&str> = if theirs.is_empty() || ours.is_empty() {
                (ours.is_empty() != theirs.is_empty())
                    .then_some(if ours.is_empty() { "refused by us" } else { "refused by rsip" })
                    .into_iter()
                    .collect()
            } else {
                differ.collect()
            };
            found.entry(name).or_default().extend(differ);
        }
    }
    let found: BTreeMap<&str, BTreeSet<&str>> = found.into_iter().filter(|(_, differ)| !differ.is_empty()).collect();
    let known: BTreeMap<&str, BTreeSet<&str>> =
        DISAGREEMENTS.iter().map(|(name, keys, ..)| (*name, keys.iter().copied().collect())).collect();
    for name in found.keys().chain(known.keys()) {
        assert_eq!(found.get(name), known.get(name), "{name}: found, and known");
    }
}

/// A request that any reader of RFC 3261 must understand.
#[derive(Clone, Debug)]
struct Plain {
    method: &'static str,
    user: String,
    host: String,
    port: Option<u16>,
    name: Option<String>,
    tag: String,
    branch: String,
    call_id: String,
    number: u32,
    vias: usize,
    expires: u32,
    body: String,
}

fn plain() -> impl Strategy<Value = Plain> {
    const METHODS: [&str; 10] = ["INVITE", "BYE", "OPTIONS", "REGISTER", "INFO", "CANCEL", "ACK", "UPDATE", "MESSAGE", "SUBSCRIBE"];
    let who =
        ("[a-z][a-z0-9]{0,8}", "[a-z]{1,8}\\.example", proptest::option::of(1024u16..), proptest::option::of("[A-Z][a-z]{1,9}"));
    let what = ("[a-z0-9]{4,12}", "[a-zA-Z0-9]{1,20}", "[a-z0-9]{1,20}@[a-z]{1,8}\\.example", 1u32..0x7fff_ffff);
    (prop::sample::select(&METHODS[..]), who, what, 1usize..5, 0u32..100_000, "[a-z \n]{0,40}").prop_map(
        |(method, (user, host, port, name), (tag, branch, call_id, number), vias, expires, body)| Plain {
            method,
            user,
            host,
            port,
            name,
            tag,
            branch,
            call_id,
            number,
            vias,
            expires,
            body,
        },
    )
}

impl Plain {
    fn uri(&self) -> String {
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("sip:{}@{}{port}", self.user, self.host)
    }

    fn written(&self) -> String {
        let Plain { method, tag, branch, call_id, number, expires, body, .. } = self;
        let uri = self.uri();
        let name = self.name.as_ref().map(|name| format!("\"{name}\" ")).unwrap_or_default();
        let vias: String =
            (0..self.vias).map(|at| format!("Via: SIP/2.0/UDP 192.0.2.{at}:5062;branch=z9hG4bK{branch}{at}\r\n")).collect();
        format!(
            "{method} {uri} SIP/2.0\r\n{vias}From: {name}<sip:201@pbx.example>;tag={tag}\r\nTo: <{uri}>\r\nCall-ID: {call_id}\r\n\
             CSeq: {number} {method}\r\nMax-Forwards: 70\r\nContact: <sip:{}@192.0.2.31:5062>;expires={expires}\r\nX-Unknown: kept\r\n\
             Authorization: Digest username=\"201\", realm=\"pbx.example\", nonce=\"n\", uri=\"sip:pbx.example\", response=\"r\", algorithm=MD5, cnonce=\"c\", qop=auth, nc=00000001\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.user,
            body.len()
        )
    }
}

type Change = fn(&Plain, String) -> Vec<u8>;

fn swap(text: &str, from: &str, to: &str) -> Vec<u8> {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1).into_bytes()
}

const PECULIARITIES: &[(&str, Change)] = &[
    ("plain", |_, text| text.into_bytes()),
    ("a response", |_, text| {
        let (_, rest) = text.split_once("\r\n").unwrap_or_default();
        format!("SIP/2.0 183 Session Progress\r\n{rest}").into_bytes()
    }),
    ("a response without a phrase", |_, text| {
        let (_, rest) = text.split_once("\r\n").unwrap_or_default();
        format!("SIP/2.0 200\r\n{rest}").into_bytes()
    }),
    ("a dot in the user", |plain, text| text.replace(&plain.uri(), &format!("sip:j.{}", &plain.uri()[4..])).into_bytes()),
    ("an escape in the user", |plain, text| text.replace(&plain.uri(), &format!("sip:%40{}", &plain.uri()[4..])).into_bytes()),
    ("a semicolon in the user", |plain, text| text.replace(&plain.uri(), &format!("sip:a;b=c{}", &plain.uri()[4..])).into_bytes()),
    ("a password", |plain, text| text.replace(&plain.uri(), &plain.uri().replacen('@', ":secret@", 1)).into_bytes()),
    ("an address of IPv6", |plain, text| text.replace(&format!("@{}", plain.host), "@[2001:db8::1]").into_bytes()),
    ("an address of IPv6 in Via", |_, text| swap(&text, "192.0.2.0:5062", "[2001:db8::9]:5062")),
    ("a telephone number", |plain, text| text.replace(&plain.uri(), "tel:+33199001234").into_bytes()),
    ("an unknown transport in Via", |_, text| swap(&text, "SIP/2.0/UDP", "SIP/2.0/PIGEON")),
    ("an unknown transport in Contact", |_, text| swap(&text, "@192.0.2.31:5062>", "@192.0.2.31:5062;transport=quic>")),
    ("an unknown method", |plain, text| text.replace(plain.method, "NEWMETHOD").into_bytes()),
    ("a method in lower case", |plain, text| text.replace(plain.method, &plain.method.to_lowercase()).into_bytes()),
    ("compact names", |_, text| {
        text.replace("Via:", "v:")
            .replace("From:", "f:")
            .replace("To:", "t:")
            .replace("Call-ID:", "i:")
            .replace("Contact:", "m:")
            .into_bytes()
    }),
    ("names in upper case", |_, text| {
        text.replace("Via:", "VIA:")
            .replace("From:", "FROM:")
            .replace("Call-ID:", "CALL-ID:")
            .replace("CSeq:", "CSEQ:")
            .into_bytes()
    }),
    ("a blank before the colon", |_, text| swap(&text, "From:", "From :")),
    ("no blank behind the colon", |_, text| text.replace("From: ", "From:").replace("CSeq: ", "CSeq:").into_bytes()),
    ("a folded line", |_, text| swap(&text, ";tag=", "\r\n ;tag=")),
    ("blanks around the parameters", |_, text| swap(&text, ";tag=", " ; tag = ")),
    ("lines that end with LF", |_, text| text.replace("\r\n", "\n").into_bytes()),
    ("octets that are not UTF-8", |_, text| {
        let mut octets = swap(&text, "X-Unknown: kept", "X-Unknown: ~");
        octets.iter_mut().filter(|octet| **octet == b'~').for_each(|octet| *octet = 0xe9);
        octets
    }),
    ("a bracket in a display name", |plain, text| {
        let name = plain.name.as_ref().map(|name| format!("\"{name}\" ")).unwrap_or_default();
        swap(&text, &format!("From: {name}"), "From: \"A <b>\" ")
    }),
    ("a comma in a display name", |plain, text| {
        let name = plain.name.as_ref().map(|name| format!("\"{name}\" ")).unwrap_or_default();
        swap(&text, &format!("From: {name}"), "From: \"Doe, J\" ")
    }),
    ("an escaped quote in a display name", |plain, text| {
        let name = plain.name.as_ref().map(|name| format!("\"{name}\" ")).unwrap_or_default();
        swap(&text, &format!("From: {name}"), "From: \"A \\\" b\" ")
    }),
    ("no brackets", |_, text| swap(&text, "From: ", "From: sip:201@pbx.example;tag=x\r\nX-Old: ")),
    ("several Vias in a line", |_, text| swap(&text, "Via: ", "Via: SIP/2.0/UDP edge.example;branch=z9hG4bKe, ")),
    ("several Contacts in a line", |_, text| swap(&text, "Contact: ", "Contact: <sip:7@192.0.2.7>;q=0.5, ")),
    ("an instance", |_, text| swap(&text, ";expires=", ";+sip.instance=\"<urn:uuid:1>\";expires=")),
    ("a star", |plain, text| {
        let contact = format!("<sip:{}@192.0.2.31:5062>;expires={}", plain.user, plain.expires);
        swap(&text, &contact, "*")
    }),
    ("headers in Contact", |_, text| swap(&text, "@192.0.2.31:5062>", "@192.0.2.31:5062?Replaces=1>")),
    ("a tenth request of a nonce", |_, text| swap(&text, "nc=00000001", "nc=0000000a")),
    ("a nonce count of 256", |_, text| swap(&text, "nc=00000001", "nc=00000100")),
    ("octets behind the body", |_, text| format!("{text}INVITE sip:smuggled SIP/2.0\r\n\r\n").into_bytes()),
    ("a body of any octets", |plain, text| {
        let mut octets =
            swap(&text, &format!("Content-Length: {}", plain.body.len()), &format!("Content-Length: {}", plain.body.len() + 3));
        octets.extend([0, 0xff, 0xe9]);
        octets
    }),
    ("a body cut short", |plain, text| swap(&text, &format!("Content-Length: {}", plain.body.len()), "Content-Length: 999")),
    ("two lengths that differ", |_, text| swap(&text, "Content-Length:", "Content-Length: 0\r\nl: 1\r\nX:")),
    ("a sequence number too large", |plain, text| swap(&text, &format!("CSeq: {}", plain.number), "CSeq: 2147483648")),
    ("a sequence number with zeros", |plain, text| swap(&text, "CSeq: ", &format!("CSeq: {}", &"0000"[..plain.vias.min(4)]))),
    ("another method in CSeq", |plain, text| {
        swap(&text, &format!("{} {}\r\n", plain.number, plain.method), &format!("{} PUBLISH\r\n", plain.number))
    }),
    ("no Via", |_, text| text.replace("Via:", "X-Via:").into_bytes()),
    ("no Call-ID", |_, text| swap(&text, "Call-ID:", "X-Call-ID:")),
    ("another version", |_, text| swap(&text, " SIP/2.0\r\n", " SIP/7.0\r\n")),
    ("an empty parameter", |_, text| swap(&text, ";tag=", ";;tag=")),
    ("a quote without its end", |plain, text| {
        let name = plain.name.as_ref().map(|name| format!("\"{name}\" ")).unwrap_or_default();
        swap(&text, &format!("From: {name}"), "From: \"A ")
    }),
    ("a port too large", |_, text| swap(&text, "192.0.2.31:5062", "192.0.2.31:65536")),
    ("leading line ends", |_, text| format!("\r\n\r\n{text}").into_bytes()),
    ("no empty line", |plain, text| text.as_bytes()[..text.len() - plain.body.len() - 2].to_vec()),
];

type Facts = BTreeMap<&'static str, String>;

/// What we read; nothing if we refuse it.
fn ours(octets: &[u8]) -> Facts {
    let Ok(message) = Message::parse(octets.to_vec().into()) else { return Facts::new() };
    let fine = if message.is_request() { message.check_request().is_ok() } else { message.check_response().is_ok() };
    if !fine {
        return Facts::new();
    }
    let mut facts = Facts::new();
    let mut tell = |key, value: Option<String>| facts.insert(key, value.unwrap_or_default());
    if message.is_request() {
        tell("method", Some(message.method().to_string()));
        tell("target", Some(address(message.request_uri())));
    }
    tell("status", message.status().map(|status| status.to_string()));
    let vias = message.vias().unwrap_or_default();
    tell("number of Vias", Some(vias.len().to_string()));
    tell("Via", vias.first().map(|via| format!("{} {} {:?}", via.transport, via.host, via.port)));
    tell("branch", vias.first().and_then(|via| via.branch()).map(str::to_owned));
    for (key, address_key, tag_key, party) in
        [("From's name", "From", "From's tag", message.from()), ("To's name", "To", "To's tag", message.to())]
    {
        let party: Option<NameAddr<'_>> = party.ok();
        tell(key, party.and_then(|party| party.display_name.map(|name| String::from_utf8_lossy(name).into_owned())));
        tell(address_key, party.map(|party| address(party.uri)));
        tell(tag_key, party.and_then(|party| party.tag().map(str::to_owned)));
    }
    tell("Call-ID", message.call_id().ok().map(str::to_owned));
    tell("CSeq", message.cseq().ok().map(|cseq| format!("{} {}", cseq.number, cseq.method)));
    let contacts = message.contacts();
    tell(
        "number of Contacts",
        contacts.as_ref().ok().map(|contacts| match contacts {
            Contacts::Star => "star".to_owned(),
            Contacts::List(list) => list.len().to_string(),
        }),
    );
    let contact = contacts.as_ref().ok().and_then(|contacts| match contacts {
        Contacts::Star => None,
        Contacts::List(list) => list.first().copied(),
    });
    tell("Contact", contact.map(|contact| address(contact.uri)));
    tell("Contact's expires", contact.and_then(|contact| contact.expires()).map(|expires| expires.to_string()));
    let value = message.header(HeaderName::Authorization).map(String::from_utf8_lossy).unwrap_or_default();
    let count = value.rsplit_once("nc=").and_then(|(_, count)| u32::from_str_radix(count, 16).ok());
    tell("nonce count", count.map(|count| count.to_string()));
    tell("body", Some(hex(&message.body())));
    tell("written", Some(hex(message.bytes())));
    facts
}

/// What rsip reads.
fn theirs(octets: &[u8]) -> Facts {
    let Ok(message) = rsip::SipMessage::try_from(octets.to_vec()) else { return Facts::new() };
    let mut facts = Facts::new();
    let mut tell = |key, value: Option<String>| facts.insert(key, value.unwrap_or_default());
    if let rsip::SipMessage::Request(request) = &message {
        tell("method", Some(request.method.to_string()));
        tell("target", Some(rsip_address(&request.uri)));
    }
    let status = match &message {
        rsip::SipMessage::Response(response) => Some(response.status_code.code().to_string()),
        rsip::SipMessage::Request(_) => None,
    };
    tell("status", status);
    let headers = rsip::prelude::HasHeaders::headers(&message);
    let vias = headers.iter().filter(|header| matches!(header, rsip::Header::Via(_))).count();
    tell("number of Vias", Some(vias.to_string()));
    let via = message.via_header().ok().and_then(|via| via.typed().ok());
    tell(
        "Via",
        via.as_ref().map(|via| {
            let port = via.uri.port().and_then(|port| port.to_string().parse::<u16>().ok());
            format!("{} {} {port:?}", via.transport, via.uri.host())
        }),
    );
    tell("branch", via.as_ref().and_then(|via| via.branch().map(|branch| branch.to_string())));
    let from = message.from_header().ok().and_then(|from| from.typed().ok());
    tell("From's name", from.as_ref().and_then(|from| from.display_name.clone()).map(|name| name.trim_matches('"').to_owned()));
    tell("From", from.as_ref().map(|from| rsip_address(&from.uri)));
    tell("From's tag", from.as_ref().and_then(|from| from.tag().map(|tag| tag.to_string())));
    let to = message.to_header().ok().and_then(|to| to.typed().ok());
    tell("To's name", to.as_ref().and_then(|to| to.display_name.clone()).map(|name| name.trim_matches('"').to_owned()));
    tell("To", to.as_ref().map(|to| rsip_address(&to.uri)));
    tell("To's tag", to.as_ref().and_then(|to| to.tag().map(|tag| tag.to_string())));
    tell("Call-ID", message.call_id_header().ok().map(|call_id| call_id.value().to_owned()));
    let cseq = message.cseq_header().ok().and_then(|cseq| cseq.typed().ok());
    tell("CSeq", cseq.map(|cseq| format!("{} {}", cseq.seq, cseq.method)));
    let contacts = message.contact_headers();
    tell("number of Contacts", Some(contacts.len().to_string()));
    let contact = contacts.first().and_then(|contact| contact.typed().ok());
    tell("Contact", contact.as_ref().map(|contact| rsip_address(&contact.uri)));
    tell("Contact's expires", contact.as_ref().and_then(|contact| contact.expires().map(|expires| expires.to_string())));
    let credentials = message.authorization_header().and_then(|header| header.typed().ok());
    let count = credentials.and_then(|credentials| match credentials.qop {
        Some(rsip::headers::auth::AuthQop::Auth { nc, .. }) => Some(nc),
        _ => None,
    });
    tell("nonce count", count.map(|count| count.to_string()));
    let body = match &message {
        rsip::SipMessage::Request(request) => &request.body,
        rsip::SipMessage::Response(response) => &response.body,
    };
    tell("body", Some(hex(body)));
    let written: Vec<u8> = message.clone().into();
    tell("written", Some(hex(&written)));
    facts
}

fn address(uri: &str) -> String {
    let Ok(uri) = pbx_sip::message::Uri::parse(uri) else { return "unreadable".to_owned() };
    match uri.scheme {
        Scheme::Sip | Scheme::Sips => format!("{:?} {:?} {} {:?}", uri.user, uri.password, uri.host, uri.port),
        Scheme::Tel | Scheme::Other(_) => uri.to_string(),
    }
}

fn rsip_address(uri: &rsip::Uri) -> String {
    let password = uri.auth.as_ref().and_then(|auth| auth.password.as_deref());
    let port = uri.port().and_then(|port| port.to_string().parse::<u16>().ok());
    format!("{:?} {password:?} {} {port:?}", uri.user(), uri.host())
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
