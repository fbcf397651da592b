//! What must not stop the service: torture messages, oversized, truncated and binary input, floods of half-open streams, and a
//! database that is locked.

use std::fs;

use crate::house::{House, repository, secret};
use crate::phone::{Sipp, Wire};

#[test]
fn torture_messages_over_udp_are_treated_as_the_rfc_says() {
    // Answers without `rport` go to the port of the topmost Via, so each message has an address of its own to come from.
    torture(|house, number, message| Wire::udp_at(house, &format!("127.0.7.{}", number + 1), sent_by_port(message)), &[]);
}

#[test]
fn torture_messages_over_tcp_are_treated_as_the_rfc_says() {
    // A stream that holds fewer octets than are announced goes on, and one without a length cannot be cut into messages.
    torture(|house, _, _| Wire::tcp(house), &["clerr.dat", "ncl.dat", "mcl01.dat", "inv2543.dat"]);
}

#[test]
fn torture_messages_over_tls_are_treated_as_the_rfc_says() {
    torture(|house, _, _| Wire::tls(house), &["clerr.dat", "ncl.dat", "mcl01.dat", "inv2543.dat"]);
}

/// Sends each of the messages to one house, and judges what comes back; of `unanswered` nothing needs to.
fn torture(wire: impl Fn(&House, usize, &[u8]) -> Wire, unanswered: &[&str]) {
    let folder = repository().join("../shared/corpora/rfc4475");
    let Ok(index) = fs::read_to_string(folder.join("index.tsv")) else {
        println!("the RFC 4475 messages are not on this machine: this test went on without them");
        return;
    };
    let house = House::start();
    for (number, line) in index.lines().skip(1).enumerate() {
        let columns: Vec<&str> = line.split('\t').collect();
        let [file, _, kind, expected, _] = columns[..] else { panic!("index.tsv: {line}") };
        // The archive's own copy lacks the line that ends the headers.
        let file = if file == "baddn.dat" { "baddn-fixed.dat" } else { file };
        let message = fs::read(folder.join(file)).expect("a torture message");
        let mut wire = wire(&house, number, &message);
        wire.send(&message);
        match wire.final_status() {
            Some(status) => assert!(fits(expected, status), "{file}: expected {expected}, answered {status}"),
            // The Via of this one is what is broken.
            None => assert!(kind.contains("response") || file == "badinv01.dat" || unanswered.contains(&file), "{file}: no answer"),
        }
        house.lives();
    }
}

/// Where the answer to a datagram without `rport` goes: the port of its topmost Via (RFC 3261 18.2.2).
fn sent_by_port(message: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(message).replace("\r\n ", " ");
    let via = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        ["via", "v"].contains(&name.trim().to_ascii_lowercase().as_str()).then(|| value.trim().to_owned())
    });
    let host =
        via.as_deref().and_then(|via| via.split(';').next()?.split_whitespace().last().map(str::to_owned)).unwrap_or_default();
    host.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(5060)
}

/// Is this status the treatment? What is refused only once it is known who asks may be answered by a challenge.
fn fits(expected: &str, status: u16) -> bool {
    let challenged = matches!(status, 401 | 407);
    match expected.strip_prefix("reject:") {
        None if expected == "valid" => status != 400,
        None => expected == "valid-or-400",
        Some(codes) => {
            let mut codes = codes.split("-or-");
            codes.clone().any(|code| code.parse() == Ok(status))
                || codes.clone().any(|code| code == "accept") && (200..300).contains(&status)
                || challenged && codes.any(|code| ["406", "415", "accept"].contains(&code))
        }
    }
}

#[test]
fn broken_datagrams_never_stop_the_service() {
    let house = House::start();
    let mut wire = Wire::udp(&house);
    let endless = format!("INVITE sip:{} SIP/2.0\r\n", "a".repeat(60_000));
    let headers = format!("OPTIONS sip:x SIP/2.0\r\n{}\r\n", "X: y\r\n".repeat(9_000));
    let binary: Vec<u8> = (0..=255).cycle().take(20_000).collect();
    let loops = "OPTIONS sip:201@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKloop\r\nMax-Forwards: 0\r\nTo: <sip:201@x>\r\nFrom: <sip:201@x>;tag=1\r\nCall-ID: loop\r\nCSeq: 1 OPTIONS\r\n\r\n";
    for bytes in [
        b"".as_slice(),
        b"\r\n\r\n",
        b"\0",
        endless.as_bytes(),
        headers.as_bytes(),
        &binary,
        loops.as_bytes(),
        b"SIP/2.0 200 OK\r\n\r\n",
    ] {
        wire.send(bytes);
    }
    let valid = fs::read(repository().join("tests/fixtures/sip/register.sip")).expect("a fixture");
    for length in (0..valid.len()).step_by(7) {
        wire.send(&valid[..length]);
    }
    house.lives();
}

#[test]
fn a_stream_cannot_smuggle_a_second_request() {
    let house = House::start();
    house.extensions(&["201"]);
    let token = house.token("read");
    for length in [
        "Content-Length : 150",
        "Content-Length: 0\r\nContent-Length: 150",
        "Content-Length: -1",
        "Content-Length: 99999999999999999999",
    ] {
        let mut wire = Wire::tcp(&house);
        let inner = "OPTIONS sip:smuggled@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKinner\r\nTo: <sip:x@x>\r\nFrom: <sip:y@x>;tag=2\r\nCall-ID: inner\r\nCSeq: 7 OPTIONS\r\n\r\n";
        let outer = format!(
            "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKouter;rport\r\nTo: <sip:x@x>\r\nFrom: <sip:y@x>;tag=1\r\nCall-ID: outer\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n{length}\r\n\r\n{inner}"
        );
        wire.send(outer.as_bytes());
        let answer = wire.next() + &wire.next();
        assert!(!answer.contains("CSeq: 7"), "{length}: the inner message was taken for a request:\n{answer}");
        house.lives();
    }
    // Half a message, then silence, on many connections: the others are served.
    let mut idle: Vec<Wire> = (0..50).map(|_| Wire::tcp(&house)).collect();
    for wire in &mut idle {
        wire.send(b"REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1");
    }
    Sipp::new(&house, "201").register(60);
    assert_eq!(house.registered(&token, "201"), 1);
}

#[test]
fn two_messages_and_keep_alives_in_one_segment_are_two_messages() {
    let house = House::start();
    let mut wire = Wire::tcp(&house);
    let local = wire.local();
    let options = |number: u32| {
        format!(
            "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP {local};branch=z9hG4bKseg{number}\r\nTo: <sip:x@x>\r\nFrom: <sip:y@x>;tag=1\r\nCall-ID: segment\r\nCSeq: {number} OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
    };
    wire.send(format!("\r\n\r\n{}{}", options(1), options(2)).as_bytes());
    let mut seen = String::new();
    wire.until("both answers", |next| seen_push(next, "CSeq: 2 OPTIONS"));
    // A message in two halves.
    let third = options(3);
    let (head, tail) = third.split_at(40);
    wire.send(head.as_bytes());
    seen.push_str(&wire.next());
    wire.send(tail.as_bytes());
    wire.until("the answer to the message in two halves", |next| seen_push(next, "CSeq: 3 OPTIONS"));
}

fn seen_push(next: &str, wanted: &str) -> bool {
    next.contains(wanted)
}

#[test]
fn calls_go_on_while_the_database_is_locked() {
    let house = House::start();
    house.extensions(&["201", "202"]);
    let token = house.token("read");
    let callee = Sipp::new(&house, "202");
    callee.register(600);
    let database = fs::read_dir(house.path("."))
        .expect("the data directory")
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "db" || extension == "sqlite"))
        .expect("an SQLite file");
    // Another program holds the database: python3's sqlite3, as a person's backup script might.
    let mut holder = std::process::Command::new("python3")
        .args(["-c", "import sqlite3,sys; c=sqlite3.connect(sys.argv[1],isolation_level=None); c.execute('BEGIN EXCLUSIVE'); print('held',flush=True); sys.stdin.read()"])
        .arg(&database)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("python3 starts");
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(holder.stdout.take().expect("its output")), &mut line)
        .expect("it says held");
    assert_eq!(line.trim(), "held");
    let answering = callee.start("answer", "", &[]);
    Sipp::new(&house, "201").start("call", "202", &[]).succeeds();
    answering.succeeds();
    drop(holder.stdin.take());
    let _ = holder.wait();
    house.record(&token, |record| record["dialled"] == "202");
    assert_eq!(secret("201"), "pw201");
}
