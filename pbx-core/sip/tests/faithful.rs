//! What comes is kept: real phones' messages, and our own fixtures, read and written back octet by octet.

use std::fs;
use std::path::{Path, PathBuf};

use pbx_sip::message::framing::{Framed, Framer};
use pbx_sip::message::{Builder, Contacts, HeaderName, Message, NameAddr};
use pbx_sip::sdp::Description;

#[test]
fn messages_of_ours_are_read_and_written_back() {
    let seen = all(&repository().join("tests/fixtures/sip"));
    assert!(seen >= 9, "only {seen}");
}

#[test]
fn messages_of_real_phones_are_read_and_written_back() {
    let folder = repository().join("../shared/corpora");
    if !folder.is_dir() {
        return println!("no messages of real phones beside the repository: only our own were tried");
    }
    assert!(all(&folder.join("phones")) >= 9);
    assert!(all(&folder.join("captures/softphone-nero-sipps")) >= 80);
}

#[test]
fn descriptions_of_real_phones_are_understood() {
    let folder = repository().join("../shared/corpora/phones");
    if !folder.is_dir() {
        return println!("no messages of real phones beside the repository");
    }
    let mut seen = 0;
    for path in files(&folder) {
        let message = Message::parse(fs::read(&path).expect("a file").into()).expect("a message");
        if message.body().is_empty() {
            continue;
        }
        let description = Description::parse(&message.body()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(!description.formats.is_empty());
        seen += 1;
    }
    assert!(seen >= 4, "only {seen} carry a description");
}

fn all(folder: &Path) -> usize {
    let found = files(folder);
    for path in &found {
        kept(&path.display().to_string(), &fs::read(path).expect("a file"));
    }
    found.len()
}

fn kept(name: &str, octets: &[u8]) {
    let message = Message::parse(octets.to_vec().into()).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(message.fault(), None, "{name}");
    assert_eq!(&message.bytes()[..], octets, "{name}: the octets are those that came");
    let checked = if message.is_request() { message.check_request().is_ok() } else { message.check_response().is_ok() };
    assert!(checked, "{name}: an ordinary message is refused");
    every_header_stands_where_it_came(name, &message, octets);
    every_address_prints_as_it_came(name, &message);
    a_copy_says_the_same(name, &message);
    a_stream_cuts_it_whole(name, &message);
}

/// Names and values are slices of what came, in order, with nothing but colons, blanks and line ends between them.
fn every_header_stands_where_it_came(name: &str, message: &Message, octets: &[u8]) {
    let (mut at, end) = (octets.iter().position(|byte| *byte == b'\n').expect("a start line") + 1, octets.len());
    for (_, field, value) in message.all_headers() {
        for part in [field, value] {
            let found = octets[at..end].windows(part.len().max(1)).position(|window| window.starts_with(part)).expect(name);
            let between = &octets[at..at + found];
            assert!(between.iter().all(|byte| b" \t\r\n:".contains(byte)), "{name}: {:?}", String::from_utf8_lossy(between));
            at += found + part.len();
        }
    }
}

fn every_address_prints_as_it_came(name: &str, message: &Message) {
    let contacts = match message.contacts() {
        Ok(Contacts::List(list)) => list,
        Ok(Contacts::Star) => Vec::new(),
        Err(error) => panic!("{name}: {error}"),
    };
    let parties = [message.from().expect(name), message.to().expect(name)];
    let routes: Vec<NameAddr<'_>> = message.routes().expect(name).into_iter().chain(message.record_routes().expect(name)).collect();
    for address in parties.into_iter().chain(contacts).chain(routes) {
        assert_eq!(address.uri_view().expect(name).to_string(), address.uri, "{name}");
    }
}

/// The message with its folded lines made straight, built from its parts.
fn a_copy_says_the_same(name: &str, message: &Message) {
    let mut copy = match message.status() {
        Some(status) => Builder::response(status, &String::from_utf8_lossy(message.reason_phrase())),
        None => Builder::request(message.method(), message.request_uri()),
    };
    let carried = |header: &HeaderName| !matches!(header, HeaderName::ContentLength | HeaderName::ContentType);
    for (header, field, value) in message.all_headers().filter(|(header, ..)| carried(header)) {
        copy = match header {
            HeaderName::Other => copy.header_named(&String::from_utf8_lossy(field), value),
            known => copy.header(known, value),
        };
    }
    let kind = message.header(HeaderName::ContentType).map(String::from_utf8_lossy);
    let copy = copy.body(kind.as_deref().unwrap_or("application/octet-stream"), message.body().to_vec()).build();
    assert_eq!(copy.fault(), None, "{name}");
    assert_eq!((copy.method(), copy.status(), copy.request_uri()), (message.method(), message.status(), message.request_uri()));
    assert_eq!(copy.body(), message.body(), "{name}");
    let values = |of: &Message| -> Vec<(HeaderName, Vec<u8>)> {
        let fields = of.all_headers().filter(|(header, ..)| carried(header));
        fields.map(|(header, _, value)| (header, value.iter().map(|byte| straight(*byte)).collect())).collect()
    };
    assert_eq!(values(&copy), values(message), "{name}");
    assert_eq!(copy.vias().expect(name).len(), message.vias().expect(name).len());
    let again = Message::parse(copy.bytes().clone()).expect(name);
    assert_eq!(again.bytes(), copy.bytes(), "{name}");
}

fn straight(byte: u8) -> u8 {
    if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }
}

/// On a stream, where a Content-Length says how long it is.
fn a_stream_cuts_it_whole(name: &str, message: &Message) {
    if message.header(HeaderName::ContentLength).is_none() {
        return;
    }
    // Octets behind the body belong to nobody on a datagram, and to the next message on a stream.
    let length = std::str::from_utf8(message.header(HeaderName::ContentLength).expect(name)).expect(name);
    assert_eq!(length.parse::<usize>().expect(name), message.body().len(), "{name}");
    let head = message.bytes().windows(4).position(|window| window == b"\r\n\r\n").expect(name) + 4;
    let whole = head + message.body().len();
    let mut framer = Framer::default();
    for part in message.bytes()[..whole].chunks(7) {
        framer.push(part);
    }
    assert_eq!(framer.poll(), Ok(Some(Framed::Message(message.bytes().slice(..whole)))), "{name}");
    assert!(framer.is_idle(), "{name}");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sip"))
        .collect();
    found.sort();
    found
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
