//! The SDP of the webrtc family reads what we read: `rtc-sdp` is what its `webrtc` crate uses. As in `rsip_oracle`, generated
//! descriptions, plain or each with one peculiarity; each difference is known, a new one fails, and so does one that is gone.
//!
//! Plain descriptions are offers that our own side writes, so that its writing is tried too.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::net::IpAddr;

use pbx_sip::sdp::{Description, Direction, Format, Local, SdpError};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rtc_sdp::SessionDescription;

/// Whose reading is the RFC's.
#[derive(Debug)]
enum Right {
    Ours,
    Theirs,
}

/// Peculiarity, what is read differently because of it, who is right, and by which paragraph.
const DISAGREEMENTS: &[(&str, &[&str], Right, &str)] = &[
    (
        "a bandwidth behind an attribute",
        &["refused by them"],
        Right::Theirs,
        "RFC 8866 5: lines stand in their order; phones mix it up",
    ),
    (
        "a session name in Latin-1",
        &["refused by them"],
        Right::Theirs,
        "RFC 8866 4.5: UTF-8, unless a=charset says otherwise; phones do not say",
    ),
    ("a session number of 80 bits", &["refused by them"], Right::Ours, "RFC 8866 5.2: sess-id is a string of digits of any length"),
    (
        "no session name",
        &["refused by them"],
        Right::Theirs,
        "RFC 8866 5.3: s= must stand; without it a call can be set up all the same",
    ),
    ("no time", &["refused by them"], Right::Theirs, "RFC 8866 5.9: t= must stand; without it a call can be set up all the same"),
    (
        "the connection behind the time",
        &["refused by them"],
        Right::Theirs,
        "RFC 8866 5: lines stand in their order; Grandstream GXP2200 does not",
    ),
];

#[test]
fn they_differ_where_it_is_known_and_nowhere_else() {
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut runner = TestRunner::deterministic();
    for _ in 0..60 {
        for (name, change) in PECULIARITIES {
            let offer = offer().new_tree(&mut runner).expect("a value").current();
            let octets = change(&offer);
            let (ours, theirs) = (ours(&octets), theirs(&octets));
            let differ: BTreeSet<&str> = match (ours.is_empty(), theirs.is_empty()) {
                (false, false) => ours.keys().filter(|key| ours.get(*key) != theirs.get(*key)).copied().collect(),
                (true, true) => BTreeSet::new(),
                (true, false) => ["refused by us"].into(),
                (false, true) => ["refused by them"].into(),
            };
            found.entry(name).or_default().extend(differ);
        }
    }
    let found: BTreeMap<&str, BTreeSet<&str>> = found.into_iter().filter(|(_, differ)| !differ.is_empty()).collect();
    let known: BTreeMap<&str, BTreeSet<&str>> =
        DISAGREEMENTS.iter().map(|(name, keys, ..)| (*name, keys.iter().copied().collect())).collect();
    assert_eq!(found, known);
}

#[test]
fn where_they_are_right_we_are_lenient_on_purpose() {
    for (name, differ, right, paragraph) in DISAGREEMENTS {
        assert!(paragraph.starts_with("RFC "), "{name} needs its paragraph");
        if matches!(right, Right::Theirs) {
            assert_eq!(*differ, ["refused by them"], "{name}: we may only read more, never something else");
        }
    }
}

/// An offer as we write it.
fn offer() -> impl Strategy<Value = String> {
    let address = prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), any::<[u8; 16]>().prop_map(IpAddr::from)];
    let direction = prop::sample::select(&[Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive][..]);
    let usual = |number, encoding: &str, clock_hz, channels, parameters: Option<&str>| Format {
        number,
        encoding: encoding.to_owned(),
        clock_hz,
        channels,
        parameters: parameters.map(str::to_owned),
    };
    let formats = prop::sample::subsequence(
        vec![
            usual(8, "PCMA", 8000, None, None),
            usual(0, "PCMU", 8000, None, None),
            usual(9, "G722", 8000, None, None),
            usual(96, "OPUS", 48_000, Some(2), Some("useinbandfec=1;minptime=10")),
            usual(101, "TELEPHONE-EVENT", 8000, None, Some("0-15")),
        ],
        1..=5,
    );
    let formats = formats.prop_filter("a codec among them", |formats| formats.iter().any(Format::is_codec)).prop_shuffle();
    (address, 1u16..32_767, any::<u32>(), formats, direction, proptest::option::of(10u32..60)).prop_map(
        |(address, port, session, formats, direction, ptime)| {
            let written = Local::new(address, port * 2, session.into()).offer(&formats, direction, ptime);
            String::from_utf8(written.to_vec()).expect("text")
        },
    )
}

type Change = fn(&str) -> Vec<u8>;

fn swap(text: &str, from: &str, to: &str) -> Vec<u8> {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1).into_bytes()
}

/// With its connection line put elsewhere, or made another.
fn connection(text: &str, to: impl Fn(&str) -> (String, String)) -> Vec<u8> {
    let (_, rest) = text.split_once("c=").expect("a connection");
    let (line, _) = rest.split_once("\r\n").expect("its end");
    let (session, media) = to(line);
    let without = text.replacen(&format!("c={line}\r\n"), &session, 1);
    let at = without.find("a=rtpmap").expect("a format");
    format!("{}{media}{}", &without[..at], &without[at..]).into_bytes()
}

const PECULIARITIES: &[(&str, Change)] = &[
    ("plain", |text| text.as_bytes().to_vec()),
    ("lines that end with LF", |text| text.replace("\r\n", "\n").into_bytes()),
    ("a connection of the stream", |text| connection(text, |line| (String::new(), format!("c={line}\r\n")))),
    ("two connections", |text| connection(text, |line| ("c=IN IP4 192.0.2.99\r\n".into(), format!("c={line}\r\n")))),
    ("no connection", |text| connection(text, |_| (String::new(), String::new()))),
    ("a name as address", |text| connection(text, |_| ("c=IN IP4 phone.example\r\n".into(), String::new()))),
    ("the hold of RFC 2543", |text| connection(text, |_| ("c=IN IP4 0.0.0.0\r\n".into(), String::new()))),
    ("the connection behind the time", |text| {
        let without = String::from_utf8(connection(text, |_| (String::new(), String::new()))).expect("text");
        swap(&without, "t=0 0\r\nm=", "t=0 0\r\nc=IN IP4 192.0.2.9\r\nm=")
    }),
    ("no session name", |text| swap(text, "s=-\r\n", "")),
    ("an empty session name", |text| swap(text, "s=-\r\n", "s=\r\n")),
    ("a session name in Latin-1", |text| {
        let mut octets = swap(text, "s=-\r\n", "s=Caf~\r\n");
        octets.iter_mut().filter(|octet| **octet == b'~').for_each(|octet| *octet = 0xe9);
        octets
    }),
    ("a session name in UTF-8", |text| swap(text, "s=-\r\n", "s=Caf\u{e9}\r\n")),
    ("no time", |text| swap(text, "t=0 0\r\n", "")),
    ("a blank in the user name", |text| swap(text, "o=- ", "o=Desk Phone ")),
    ("a session number of 80 bits", |text| swap(text, "o=- ", "o=- 9999999999999999")),
    ("a direction of the session", |text| swap(text, "t=0 0\r\n", "t=0 0\r\na=recvonly\r\n")),
    ("a bandwidth behind an attribute", |text| swap(text, "t=0 0\r\n", "t=0 0\r\na=x-unknown:1\r\nb=AS:64\r\n")),
    ("an attribute nobody knows", |text| swap(text, "t=0 0\r\n", "t=0 0\r\na=x-unknown:1\r\n")),
    ("a bandwidth before the time", |text| swap(text, "t=0 0\r\n", "b=AS:64\r\nt=0 0\r\n")),
    ("a range of ports", |text| {
        let (head, media) = text.split_once(" RTP/AVP").expect("a stream");
        format!("{head}/2 RTP/AVP{media}").into_bytes()
    }),
    ("a picture before the sound", |text| swap(text, "m=audio", "m=video 5000 RTP/AVP 99\r\na=rtpmap:99 H264/90000\r\nm=audio")),
    ("a fax behind the sound", |text| format!("{text}m=image 5000 udptl t38\r\na=T38FaxVersion:0\r\n").into_bytes()),
    ("a refused stream before it", |text| swap(text, "m=audio", "m=audio 0 RTP/AVP 8\r\nm=audio")),
    ("encrypted sound alone", |text| swap(text, "RTP/AVP", "RTP/SAVP")),
    ("a format without its map", |text| swap(text, "RTP/AVP ", "RTP/AVP 97 ")),
    ("a format that is no number", |text| swap(text, "RTP/AVP ", "RTP/AVP pcma ")),
    ("a format above 127", |text| swap(text, "RTP/AVP ", "RTP/AVP 200 ")),
    ("the same format twice", |text| {
        let (head, media) = text.split_once("RTP/AVP ").expect("a stream");
        let first = media.split([' ', '\r']).next().expect("a format");
        format!("{head}RTP/AVP {first} {media}").into_bytes()
    }),
    ("a port too large", |text| {
        let (head, media) = text.split_once("m=audio ").expect("a stream");
        let (_, media) = media.split_once(' ').expect("a port");
        format!("{head}m=audio 70000 {media}").into_bytes()
    }),
    ("an empty line at the end", |text| format!("{text}\r\n").into_bytes()),
    ("no line end at the end", |text| text.trim_end().as_bytes().to_vec()),
    ("another version", |text| swap(text, "v=0", "v=1")),
    ("no version", |text| swap(text, "v=0\r\n", "")),
    ("not SDP", |_| b"hello".to_vec()),
];

type Facts = BTreeMap<&'static str, String>;

/// What we read; nothing if it is no SDP to us. What is SDP and of no use for a call has one fact.
fn ours(octets: &[u8]) -> Facts {
    let description = match Description::parse(octets) {
        Ok(description) => description,
        Err(SdpError::Malformed) => return Facts::new(),
        Err(_) => return Facts::from([("use", "none".to_owned())]),
    };
    let formats = description.formats.iter().map(|format| {
        format!("{} {}/{} {:?} {:?}", format.number, format.encoding, format.clock_hz, format.channels, format.parameters)
    });
    Facts::from([
        ("use", "a call".to_owned()),
        ("address", description.rtp.to_string()),
        ("direction", description.direction.as_str().to_owned()),
        ("formats", formats.collect::<Vec<_>>().join(", ")),
        ("ptime", format!("{:?}", description.ptime_ms)),
        ("streams", description.streams.len().to_string()),
        ("which stream", description.audio.to_string()),
    ])
}

/// The same rules over what they read.
fn theirs(octets: &[u8]) -> Facts {
    let Ok(session) = SessionDescription::unmarshal(&mut Cursor::new(octets)) else { return Facts::new() };
    let none = || Facts::from([("use", "none".to_owned())]);
    let is_audio = |media: &rtc_sdp::MediaDescription| {
        let name = &media.media_name;
        name.media == "audio" && name.protos == ["RTP", "AVP"] && name.port.value != 0
    };
    let Some(audio) = session.media_descriptions.iter().position(is_audio) else { return none() };
    let media = &session.media_descriptions[audio];
    let connection = media.connection_information.as_ref().or(session.connection_information.as_ref());
    let address = connection.and_then(|connection| connection.address.as_ref()?.address.parse::<IpAddr>().ok());
    let (Some(address), Ok(port)) = (address, u16::try_from(media.media_name.port.value)) else { return none() };
    let direction = ["sendonly", "recvonly", "inactive", "sendrecv"]
        .into_iter()
        .find(|name| media.has_attribute(name))
        .or_else(|| ["sendonly", "recvonly", "inactive"].into_iter().find(|name| session.has_attribute(name)))
        .unwrap_or("sendrecv");
    let direction = match direction {
        "sendrecv" | "sendonly" if address.is_unspecified() => "sendonly",
        "recvonly" | "inactive" if address.is_unspecified() => "inactive",
        other => other,
    };
    let of = |name: &str, number: &str| {
        let mine = media.attributes.iter().filter(|attribute| attribute.key == name);
        mine.filter_map(|attribute| attribute.value.as_deref()?.split_once(' '))
            .find(|(head, _)| *head == number)
            .map(|(_, rest)| rest.to_owned())
    };
    let mut formats = Vec::new();
    for number in &media.media_name.formats {
        let Some(map) = of("rtpmap", number) else { continue };
        let parts: Vec<&str> = map.split('/').collect();
        let channels = parts.get(2).and_then(|channels| channels.parse::<u8>().ok());
        let format = format!("{number} {}/{} {channels:?} {:?}", parts[0].to_ascii_uppercase(), parts[1], of("fmtp", number));
        if !formats.contains(&format) {
            formats.push(format);
        }
    }
    if formats.is_empty() {
        return none();
    }
    let ptime = media.attribute("ptime").flatten().and_then(|value| value.parse::<u32>().ok());
    Facts::from([
        ("use", "a call".to_owned()),
        ("address", std::net::SocketAddr::new(address, port).to_string()),
        ("direction", direction.to_owned()),
        ("formats", formats.join(", ")),
        ("ptime", format!("{ptime:?}")),
        ("streams", session.media_descriptions.len().to_string()),
        ("which stream", audio.to_string()),
    ])
}
