//! Messages that were made to be hard: those of RFC 4475, which are looked for beside the repository, and our own in
//! `tests/fixtures/sip/treatment`, each named after what must become of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use pbx_sip::auth::{Algorithm, Authenticator, Verdict};
use pbx_sip::clock::Now;
use pbx_sip::entropy::Entropy;
use pbx_sip::flow::{ConnectionId, Flow, Transport};
use pbx_sip::message::{HeaderName, Message, Method, Supported};
use pbx_sip::stack::{Heard, Stack};
use pbx_sip::transaction::Timers;

#[test]
fn each_message_of_ours_is_treated_as_its_name_says() {
    let mut wrong = Vec::new();
    let messages = messages(&repository().join("tests/fixtures/sip/treatment"));
    assert!(messages.len() > 60, "only {} messages", messages.len());
    for (name, octets) in messages {
        let got = treatment(&octets);
        if Some(got.as_str()) != name.split('_').next() {
            wrong.push(format!("{name} is {got}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn rfc_4475_is_treated_as_it_asks() {
    let folder = corpora().join("rfc4475");
    let Ok(index) = fs::read_to_string(folder.join("index.tsv")) else {
        return println!("no RFC 4475 messages beside the repository: only our own were tried");
    };
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for line in index.lines().skip(1) {
        let mut columns = line.split('\t');
        let (Some(file), Some(expect)) = (columns.next(), columns.nth(2)) else { panic!("{line}") };
        // The archive's own copy of this one lacks its empty line.
        let path = folder.join(if file == "baddn.dat" { "baddn-fixed.dat" } else { file });
        let got = treatment(&fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
        let (_, ours) = RFC_4475.iter().find(|(known, _)| *known == file).unwrap_or_else(|| panic!("{file} is new"));
        if got != *ours || !satisfies(expect, &got) {
            wrong.push(format!("{file}: {got}; {expect} is asked for, {ours} was expected"));
        }
        seen += 1;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(seen, RFC_4475.len());
}

/// What we do with each; where the RFC leaves a choice, this is ours.
const RFC_4475: &[(&str, &str)] = &[
    ("wsinv.dat", "accepted"),
    ("intmeth.dat", "501"),
    ("esc01.dat", "accepted"),
    ("escnull.dat", "accepted"),
    ("esc02.dat", "501"),
    ("lwsdisp.dat", "accepted"),
    ("longreq.dat", "accepted"),
    ("dblreq.dat", "accepted"),
    ("semiuri.dat", "accepted"),
    ("transports.dat", "accepted"),
    ("mpart01.dat", "405"),
    ("unreason.dat", "dropped"),
    ("noreason.dat", "dropped"),
    // Its Via is what is wrong with it, so there is nobody to answer.
    ("badinv01.dat", "dropped"),
    ("clerr.dat", "400"),
    ("ncl.dat", "400"),
    ("scalar02.dat", "400"),
    ("scalarlg.dat", "dropped"),
    ("quotbal.dat", "400"),
    ("ltgtruri.dat", "400"),
    ("lwsruri.dat", "400"),
    ("lwsstart.dat", "400"),
    ("trws.dat", "400"),
    ("escruri.dat", "400"),
    // Nobody here has a use for Date.
    ("baddate.dat", "accepted"),
    ("regbadct.dat", "400"),
    ("badaspec.dat", "400"),
    ("baddn.dat", "400"),
    ("badvers.dat", "505"),
    ("mismatch01.dat", "400"),
    ("mismatch02.dat", "400"),
    ("bigcode.dat", "dropped"),
    // Matched by the rules of RFC 2543, so that two of them are never taken for one.
    ("badbranch.dat", "accepted"),
    ("insuf.dat", "400"),
    ("unkscm.dat", "416"),
    ("novelsc.dat", "416"),
    ("unksm2.dat", "accepted"),
    ("bext01.dat", "420"),
    ("invut.dat", "415"),
    ("regaut01.dat", "401"),
    ("multi01.dat", "400"),
    ("mcl01.dat", "400"),
    ("bcast.dat", "dropped"),
    // We are where it ends.
    ("zeromf.dat", "accepted"),
    ("cparam01.dat", "accepted"),
    ("cparam02.dat", "accepted"),
    ("regescrt.dat", "accepted"),
    ("sdp01.dat", "406"),
    ("inv2543.dat", "accepted"),
];

/// May a message of which the index asks `expect` (`valid`, `ignore`, `reject:CODE`, alternatives between `-or-`) be treated so?
fn satisfies(expect: &str, treatment: &str) -> bool {
    expect.trim_start_matches("reject:").split("-or-").any(|wanted| match wanted {
        // A method or a body that we do not have is no fault of the message's shape, and a response without its request is
        // understood and goes nowhere.
        "valid" => matches!(treatment, "accepted" | "405" | "501" | "415" | "dropped"),
        "ignore" => treatment == "dropped",
        "accept" | "200" => treatment == "accepted",
        // What cannot be answered may be dropped (RFC 4475 3.1.2.1).
        "400" => matches!(treatment, "400" | "dropped"),
        code => treatment == code,
    })
}

/// What becomes of one datagram on its way through the layers: `dropped`, the status it is answered with, or `accepted` by all that
/// stands before the switch.
fn treatment(octets: &[u8]) -> String {
    let (flow, now) = (flow(), Now::default());
    let mut stack = Stack::new(Timers::default(), Entropy::from_seed([4; 32]));
    stack.receive(flow, Bytes::copy_from_slice(octets), now);
    let heard = stack.poll_heard();
    assert!(stack.poll_heard().is_none(), "one message is heard once");
    let mut answered = Vec::new();
    while let Some((_, response)) = stack.poll_transmit() {
        let status = response.strip_prefix(b"SIP/2.0 ").and_then(|rest| std::str::from_utf8(&rest[..3]).ok()?.parse::<u16>().ok());
        answered.extend(status.filter(|status| *status != 100));
    }
    match (heard, answered.as_slice()) {
        (None, []) => "dropped".to_owned(),
        (None, [status]) => status.to_string(),
        (Some(Heard::Request { message, .. }), []) => treatment_above(&message, now),
        other => panic!("both answered and heard: {other:?}"),
    }
}

fn treatment_above(message: &Message, now: Now) -> String {
    assert_eq!(message.check_request(), Ok(()), "what is heard was checked");
    let methods = [Method::Invite, Method::Ack, Method::Cancel, Method::Bye, Method::Options, Method::Info, Method::Register];
    let supported = Supported { methods: &methods, option_tags: &[], bodies: &[("application", "sdp")] };
    if let Err(rejection) = message.check_supported(&supported) {
        assert_eq!(rejection.unsupported.is_empty(), rejection.status != 420);
        return rejection.status.to_string();
    }
    if message.header(HeaderName::Authorization).is_some() {
        let mut door = Authenticator::new("pbx.example", [1; 32], vec![Algorithm::Md5], Duration::from_secs(60), now);
        let verdict = door.check(message, |_| panic!("nobody is named"), now);
        assert_eq!(verdict, Verdict::Challenge { stale: false });
        return "401".to_owned();
    }
    "accepted".to_owned()
}

fn flow() -> Flow {
    Flow {
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().expect("an address"),
        remote: "192.0.2.31:5062".parse().expect("an address"),
        connection: ConnectionId::default(),
    }
}

fn messages(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sip"))
        .map(|path| (path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), fs::read(&path).expect("a file")))
        .collect();
    found.sort();
    found
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn corpora() -> PathBuf {
    repository().join("../shared/corpora")
}
