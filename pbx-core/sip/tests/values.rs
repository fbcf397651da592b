//! Values of headers: URIs, addresses, Vias. What RFC 3261's own examples say, what phones write, and what is refused.

use pbx_sip::message::{Builder, CSeq, Contacts, HeaderName, Message, Method, NameAddr, Scheme, Uri, Via};
use proptest::prelude::*;

#[test]
fn a_uri_is_split_before_it_is_decoded() {
    let uri =
        Uri::parse("sips:j%40d;x=1:se%3Acret@Example.org:5071;transport=tcp;lr?Subject=a%20b&Priority=urgent").expect("a URI");
    assert_eq!((uri.scheme, uri.user, uri.password), (Scheme::Sips, Some("j%40d;x=1"), Some("se%3Acret")));
    assert_eq!((uri.host, uri.port), ("Example.org", Some(5071)));
    assert_eq!((uri.param("TRANSPORT"), uri.param("lr"), uri.param("none")), (Some(Some("tcp")), Some(None), None));
    assert_eq!(uri.headers, Some("Subject=a%20b&Priority=urgent"));
    assert_eq!(uri.user_decoded().as_deref(), Some("j@d;x=1"));
    let six = Uri::parse("sip:[2001:db8::10]:5070").expect("a URI");
    assert_eq!((six.user, six.host, six.host_bare(), six.port), (None, "[2001:db8::10]", "2001:db8::10", Some(5070)));
    let tel = Uri::parse("tel:+33-1-99-00-12-34;phone-context=pbx.example").expect("a URI");
    assert_eq!((tel.scheme, tel.user, tel.host), (Scheme::Tel, Some("+33-1-99-00-12-34"), ""));
    assert_eq!(tel.param("phone-context"), Some(Some("pbx.example")));
    assert_eq!(Uri::parse("urn:service:sos").map(|urn| (urn.scheme, urn.host)), Ok((Scheme::Other("urn"), "service:sos")));
}

#[test]
fn what_is_no_uri_is_refused() {
    for bad in [
        "",
        "sip",
        "sip:",
        ":a",
        "1sip:a",
        "sip:@a",
        "sip:a@",
        "sip:a@b@c",
        "sip:a b@c",
        "sip:<a@b>",
        "sip:a@b:",
        "sip:a@b:99999",
        "sip:a@b:x",
        "sip:a@[::1",
        "sip:a@[::g]",
        "sip:a@[::1]x",
        "sip:a@b;",
        "sip:a@b;;c",
        "sip:a@b;=c",
        "sip:a@b;c=%4",
        "sip:%zz@b",
        "sip:\"a\"@b",
        "sip:a@b?",
        "sip:a@b?x=%",
        "tel:",
        "tel:abc?",
        "tel:12x34",
        "sip:a@b\u{7f}",
        "sip:a@b\r\nX:",
        "sip:a@b;c=\"d",
    ] {
        assert!(Uri::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn uris_are_compared_as_rfc_3261_19_1_4_does_in_its_examples() {
    let same = |a: &str, b: &str| {
        let (a, b) = (Uri::parse(a).expect("a URI"), Uri::parse(b).expect("a URI"));
        assert_eq!(a.same_as(&b), b.same_as(&a), "{a} and {b} either way");
        a.same_as(&b)
    };
    for (a, b) in [
        ("sip:%61lice@atlanta.example;transport=TCP", "sip:alice@AtLanTa.example;Transport=tcp"),
        ("sip:carol@chicago.example", "sip:carol@chicago.example;newparam=5"),
        ("sip:carol@chicago.example", "sip:carol@chicago.example;security=on"),
        (
            "sip:biloxi.example;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.example",
            "sip:biloxi.example;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.example",
        ),
        (
            "sip:alice@atlanta.example?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.example?priority=urgent&subject=project%20x",
        ),
        ("tel:+33-1-99-00-12-34", "TEL:+33199001234"),
        ("urn:service:sos", "URN:service:sos"),
    ] {
        assert!(same(a, b), "{a} and {b}");
    }
    for (a, b) in [
        ("SIP:ALICE@AtLanTa.example;Transport=udp", "sip:alice@AtLanTa.example;Transport=UDP"),
        ("sip:bob@biloxi.example", "sip:bob@biloxi.example:5060"),
        ("sip:bob@biloxi.example", "sip:bob@biloxi.example;transport=udp"),
        ("sip:bob@biloxi.example:6000", "sip:bob@biloxi.example:6000;transport=tcp"),
        ("sip:carol@chicago.example", "sip:carol@chicago.example?Subject=next%20meeting"),
        ("sip:carol@chicago.example;security=on", "sip:carol@chicago.example;security=off"),
        ("sip:bob@phone21.example", "sip:bob@192.0.2.4"),
        ("sip:%00@a.example", "sip:%00%00@a.example"),
        ("sip:a@a.example", "sips:a@a.example"),
        ("sip:a@a.example", "sip:a:b@a.example"),
        ("tel:1234;phone-context=a", "tel:1234;phone-context=b"),
        ("tel:1234;phone-context=a", "tel:1234"),
    ] {
        assert!(!same(a, b), "{a} and {b}");
    }
}

#[test]
fn display_names_are_read_in_every_alphabet() {
    for (text, name) in [
        (&b"\"A \\\"quoted\\\" \\\\ name\" <sip:a@b>"[..], Some("A \"quoted\" \\ name")),
        (b"Plain words <sip:a@b>", Some("Plain words")),
        (b"nothing-between<sip:a@b>", Some("nothing-between")),
        (b"\"\" <sip:a@b>", Some("")),
        (b"<sip:a@b>", None),
        (b"sip:a@b", None),
        (b"\"Ren\xe9e <a@b>, x\" <sip:a@b>", Some("Ren\u{e9}e <a@b>, x")),
        ("\"\u{0420}\u{0435}\u{0436}\u{0438}\" <sip:a@b>".as_bytes(), Some("\u{0420}\u{0435}\u{0436}\u{0438}")),
    ] {
        let address = NameAddr::parse(text).expect("an address");
        assert_eq!(address.display_text().as_deref(), name, "{}", text.escape_ascii());
        assert_eq!(address.uri, "sip:a@b");
    }
}

#[test]
fn behind_brackets_or_without_them_parameters_belong_to_the_header() {
    let bare = NameAddr::parse(b"sip:a@b;tag=t;expires=9").expect("an address");
    assert_eq!((bare.uri, bare.tag(), bare.expires()), ("sip:a@b", Some("t"), Some(9)));
    let bracketed = NameAddr::parse(b"<sip:a@b;x=1>;q=0.25;expires=soon").expect("an address");
    assert_eq!((bracketed.uri, bracketed.tag(), bracketed.q()), ("sip:a@b;x=1", None, Some(250)));
    assert_eq!(bracketed.expires(), Some(3600), "a malformed one, RFC 3261 10.2.1.1");
    for (q, thousandths) in [
        ("0", Some(0)),
        ("0.", Some(0)),
        ("1", Some(1000)),
        ("1.000", Some(1000)),
        ("0.7", Some(700)),
        ("1.1", None),
        ("2", None),
        ("0.1234", None),
        ("x", None),
    ] {
        assert_eq!(NameAddr::parse(format!("<sip:a@b>;q={q}").as_bytes()).map(|address| address.q()), Ok(thousandths), "{q}");
    }
    for bad in
        ["", "<>", "<sip:a@b", "\"a <sip:a@b>", "a, b <sip:a@b>", "< sip:a@b>", "sip:a@b?x=y", "<sip:a@b> trailing", "a <b> <c>"]
    {
        assert!(NameAddr::parse(bad.as_bytes()).is_err(), "{bad:?}");
    }
}

#[test]
fn a_via_is_read_with_blanks_wherever_they_may_stand() {
    let via = Via::parse(b" SIP / 2.0 / UDP  192.0.2.1 : 5071 ; branch = z9hG4bKx ; rport ;received=2001:db8::1").expect("a Via");
    assert_eq!((via.transport, via.host, via.port), ("UDP", "192.0.2.1", Some(5071)));
    assert_eq!((via.branch(), via.unique_branch()), (Some("z9hG4bKx"), Some("z9hG4bKx")));
    assert_eq!((via.rport(), via.received()), (Some(None), Some("2001:db8::1")));
    let filled = Via::parse(b"SIP/2.0/TCP [2001:db8::9]:5060;rport=40001;maddr=224.2.0.1;branch=old").expect("a Via");
    assert_eq!((filled.rport(), filled.maddr(), filled.unique_branch()), (Some(Some(40001)), Some("224.2.0.1"), None));
    assert_eq!(Via::parse(b"SIP/2.0/UDP a;rport=x").map(|via| via.rport()), Ok(Some(None)));
    for bad in [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0 UDP a",
        "SIP/2.0/UDP;branch=x",
        "SIP/2.0/UDP a:b",
        "SIP/2.0/UDP a b",
        "SIP/2.0/UDP [::1",
        "/2.0/UDP a",
    ] {
        assert!(Via::parse(bad.as_bytes()).is_err(), "{bad:?}");
    }
    assert_eq!(Via::parse_list(b"SIP/2.0/UDP a, SIP/2.0/TCP b ;x=\",\"").filter(Result::is_ok).count(), 2);
}

proptest! {
    #[test]
    fn what_is_built_reads_back(
        user in "[a-z0-9._+*#-]{1,20}", host in "[a-z]{1,10}\\.example", name in "[^\\p{C}\"\\\\]{0,20}", tag in "[a-z0-9]{1,16}",
        call_id in "[a-zA-Z0-9@.-]{1,40}", number in 0u32..0x8000_0000, unknown in "[^\\p{C}]{0,60}", body in proptest::collection::vec(any::<u8>(), 0..200),
        contacts in 0usize..5, status in 100u16..700,
    ) {
        let uri = format!("sip:{}@{host}", user.replace('#', "%23"));
        let from = format!("\"{name}\" <{uri}>;tag={tag}");
        let fill = |mut builder: Builder| {
            builder = builder
                .header(HeaderName::Via, "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx")
                .header(HeaderName::From, &from)
                .header(HeaderName::To, format!("<{uri}>"))
                .header(HeaderName::CallId, &call_id)
                .header(HeaderName::CSeq, format!("{number} INVITE"))
                .header_named("X-Unknown", &unknown);
            for at in 0..contacts {
                builder = builder.header(HeaderName::Contact, format!("<{uri};at={at}>"));
            }
            builder.body("application/sdp", body.clone()).build()
        };
        for message in [fill(Builder::request(&Method::Invite, &uri)), fill(Builder::response(status, "Quelque chose"))] {
            let read = Message::parse(message.bytes().clone()).expect("a message");
            prop_assert_eq!(read.fault(), None);
            if read.is_request() {
                prop_assert_eq!(read.check_request(), Ok(()));
                prop_assert_eq!(read.request_uri(), &uri);
            } else {
                prop_assert!(read.check_response().is_ok());
                prop_assert_eq!(read.status(), Some(status));
            }
            let party = read.from().expect("From");
            let shown = party.display_text();
            prop_assert_eq!(shown.as_deref(), Some(name.as_str()));
            prop_assert_eq!((party.uri, party.tag()), (uri.as_str(), Some(tag.as_str())));
            prop_assert_eq!(read.call_id(), Ok(call_id.as_str()));
            prop_assert_eq!(read.cseq(), Ok(CSeq { number, method: Method::Invite }));
            prop_assert_eq!(&read.body()[..], &body[..]);
            let kept = read.all_headers().find(|(_, name, _)| *name == b"X-Unknown").map(|(_, _, value)| value.to_vec());
            prop_assert_eq!(kept, Some(unknown.trim_matches([' ', '\t']).as_bytes().to_vec()));
            match read.contacts().expect("Contact") {
                Contacts::List(list) => prop_assert_eq!(list.len(), contacts),
                Contacts::Star => prop_assert!(false, "no star was written"),
            }
        }
    }

    #[test]
    fn no_value_begins_a_header_of_its_own(value in "[a-z\r\n:, ]{0,60}") {
        let message = Builder::request(&Method::Options, "sip:a").header(HeaderName::Subject, &value).header_named("X", &value).build();
        prop_assert_eq!(message.all_headers().count(), 3);
    }
}
