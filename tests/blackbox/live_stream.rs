//! The live stream as a page reads it: the picture, then what changes; a page that comes back goes on where it was, unless the switchboard
//! has started anew meanwhile; and one that reads nothing keeps nobody waiting.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use postgres_of_tests::Server;
use serde_json::Value;

use crate::house::{House, PATIENCE, wait_until};
use crate::phone::Sipp;

#[test]
fn a_page_that_comes_back_is_told_what_it_missed_and_nothing_twice() {
    let house = House::start();
    house.extensions(&["201", "202"]);
    let token = house.token("read");
    let mut page = Stream::open(&house, &token, None);
    let first = page.next();
    assert_eq!((first.event.as_str(), first.sequence), ("snapshot", 0));
    Sipp::new(&house, "201").register(60);
    let change = page.next();
    assert_eq!((change.event.as_str(), change.sequence, &change.data["extension"]), ("registration", 1, &"201".into()));
    assert_eq!(change.start, first.start);
    drop(page);
    Sipp::new(&house, "202").register(60);
    Sipp::new(&house, "201").register(60);
    let mut back = Stream::open(&house, &token, Some(&change.id));
    let missed = [back.next(), back.next()];
    assert_eq!(missed.each_ref().map(|event| event.sequence), [2, 3]);
    assert_eq!(missed.each_ref().map(|event| event.data["extension"].as_str().unwrap_or_default()), ["202", "201"]);
    for lost in ["", "nonsense", "ffffffffffffffff-1", &format!("{}-999", first.start)] {
        let whole = Stream::open(&house, &token, Some(lost)).next();
        assert_eq!((whole.event.as_str(), whole.sequence), ("snapshot", 3), "after {lost:?}");
        assert_eq!(whole.data["registrations"].as_array().map(Vec::len), Some(2));
    }
}

#[test]
fn numbers_of_before_a_restart_are_not_taken_for_those_after() {
    let mut house = House::start();
    house.extensions(&["201"]);
    let token = house.token("read");
    let mut page = Stream::open(&house, &token, None);
    page.next();
    Sipp::new(&house, "201").register(600);
    let known = page.next();
    house.kill();
    house.open();
    let anew = Stream::open(&house, &token, Some(&known.id)).next();
    assert_eq!(anew.event, "snapshot");
    assert_ne!(anew.start, known.start);
    assert_eq!(anew.data["registrations"][0]["extension"], "201");
}

#[test]
fn a_page_whose_session_has_ended_is_told_no_more() {
    let house = House::start();
    house.extensions(&["201"]);
    let log = house.log();
    let link = log.split_once("#token=").and_then(|(_, rest)| rest.split_whitespace().next()).expect("a set-up link");
    let body = serde_json::json!({ "token": link, "name": "camille", "password": "a long enough phrase" });
    let mut signed_in = ureq::post(format!("http://{}/api/v1/setup", house.http)).send_json(&body).expect("a session");
    let cookie = signed_in.headers()["set-cookie"].to_str().expect("a cookie").split(';').next().unwrap_or_default().to_owned();
    let session: Value = signed_in.body_mut().read_json().expect("JSON");
    let mut page = Stream::open_as(&house, &format!("Cookie: {cookie}"), None);
    assert_eq!(page.next().event, "snapshot");
    let csrf = session["csrf"].as_str().expect("a word");
    let signed_out =
        ureq::delete(format!("http://{}/api/v1/session", house.http)).header("cookie", &cookie).header("x-csrf-token", csrf);
    assert_eq!(signed_out.call().expect("an answer").status().as_u16(), 204);
    assert!(page.next_or_end().is_none(), "a stream ends although nothing happens in the house");
}

#[test]
fn a_database_that_stands_still_delays_no_message() {
    let server = Server::own();
    let house = House::start_with(&[("PBX_DATABASE_URL", &server.database())]);
    house.extensions(&["201", "202"]);
    let token = house.token("read");
    let callee = Sipp::new(&house, "202");
    callee.register(600);
    let opened = Instant::now();
    let mut page = Stream::open(&house, &token, None);
    assert_eq!(page.next().event, "snapshot");
    server.freeze();
    // By now it is asked whether the page may still look, and nobody answers.
    wait_until("the page is ten seconds old", || (opened.elapsed() > Duration::from_secs(11)).then_some(()));
    let answering = callee.start("answer", "", &[]);
    let calling = Instant::now();
    Sipp::new(&house, "201").start("call", "202", &[]).succeeds();
    answering.succeeds();
    while page.next().event != "call_ended" {}
    let took = calling.elapsed();
    server.thaw();
    assert!(took < Duration::from_secs(6), "{took:?}");
}

/// Real registrations, thousands of them, while one page follows, one has gone to sleep and one comes back too late.
#[test]
fn thousands_of_changes_are_followed_and_a_page_asleep_keeps_nobody_waiting() {
    let house = House::start();
    let numbers: Vec<String> = (201..=210).map(|number| number.to_string()).collect();
    house.extensions(&numbers.iter().map(String::as_str).collect::<Vec<_>>());
    let token = house.token("read");
    let asleep = Stream::open(&house, &token, None);
    let mut page = Stream::open(&house, &token, None);
    let first = page.next();
    let mut picture = BTreeMap::new();
    fold(&mut picture, &first);
    let rounds = 600;
    let phones: Vec<_> = numbers.iter().map(|number| Sipp::new(&house, number)).collect();
    let running: Vec<_> = phones
        .iter()
        .map(|phone| {
            let rounds = rounds.to_string();
            phone.start("register", "", &["-key", "expires", "600", "-m", &rounds, "-r", "200", "-l", "50", "-timeout", "120s"])
        })
        .collect();
    let many = rounds * numbers.len() as u64;
    let mut last = first.clone();
    while last.sequence < many {
        let next = page.next();
        assert_eq!((next.sequence, &next.start), (last.sequence + 1, &first.start), "one after the other, without a gap");
        fold(&mut picture, &next);
        last = next;
    }
    running.into_iter().for_each(crate::phone::Running::succeeds);
    let same = |picture: &BTreeMap<String, Value>| {
        numbers.iter().all(|number| {
            let extension = house.get(&token, &format!("/api/v1/extensions/{number}"));
            picture.get(number) == Some(&extension["devices"])
        })
    };
    assert!(same(&picture), "what was told change by change is what the switchboard knows");
    let late = Stream::open(&house, &token, Some(&first.id)).next();
    assert_eq!((late.event.as_str(), late.sequence), ("snapshot", many), "more was missed than is remembered");
    // What the line held when it fell asleep, and then not each of thousands, but the picture; in the end it is true.
    let mut awake = asleep;
    let (mut told, mut seen, mut sequence) = (BTreeMap::new(), 0u64, 0);
    while sequence < many {
        let next = awake.next();
        assert!(next.event == "snapshot" || next.sequence == sequence + 1, "a gap without a picture");
        fold(&mut told, &next);
        (sequence, seen) = (next.sequence, seen + 1);
    }
    assert!(same(&told));
    println!("the page asleep was told {seen} messages for {many} changes");
}

#[derive(Clone, Debug)]
struct Told {
    id: String,
    start: String,
    sequence: u64,
    event: String,
    data: Value,
}

fn fold(picture: &mut BTreeMap<String, Value>, told: &Told) {
    let mut put = |registration: &Value| {
        picture.insert(registration["extension"].as_str().unwrap_or_default().to_owned(), registration["devices"].clone());
    };
    match told.event.as_str() {
        "snapshot" => told.data["registrations"].as_array().into_iter().flatten().for_each(put),
        "registration" => put(&told.data),
        other => panic!("no {other} was caused"),
    }
}

/// A page's reading of the stream: HTTP/1.1 in chunks, server-sent events in them.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn open(house: &House, token: &str, last: Option<&str>) -> Stream {
        Stream::open_as(house, &format!("Authorization: Bearer {token}"), last)
    }

    fn open_as(house: &House, who: &str, last: Option<&str>) -> Stream {
        let mut stream = TcpStream::connect(house.http).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        write!(stream, "GET /api/v1/events HTTP/1.1\r\nHost: {}\r\n{who}\r\n{last}\r\n", house.http).expect("a request");
        let mut stream = Stream(BufReader::new(stream));
        assert!(stream.line().starts_with("HTTP/1.1 200"), "the stream opens");
        while !stream.line().is_empty() {}
        stream
    }

    fn next(&mut self) -> Told {
        self.next_or_end().expect("the stream goes on")
    }

    /// The next event; `None` if the switchboard has ended the stream, with a chunk of no octets.
    fn next_or_end(&mut self) -> Option<Told> {
        let mut fields = BTreeMap::new();
        loop {
            let line = self.line();
            // Chunk sizes and heartbeats have no name before their colon.
            let field = line.split_once(": ").filter(|(name, _)| !name.is_empty());
            if let Some((name, value)) = field {
                fields.insert(name.to_owned(), value.to_owned());
            } else if line == "0" {
                return None;
            } else if line.is_empty() && fields.contains_key("data") {
                break;
            }
        }
        let id = fields["id"].clone();
        let (start, sequence) = id.rsplit_once('-').expect("an id of two parts");
        Some(Told {
            start: start.to_owned(),
            sequence: sequence.parse().expect("a number"),
            event: fields["event"].clone(),
            data: serde_json::from_str(&fields["data"]).expect("JSON"),
            id: id.clone(),
        })
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let octets = wait_until("the stream says something", || self.0.read_line(&mut line).ok());
        assert!(octets > 0, "the stream has ended");
        line.trim_end_matches(['\r', '\n']).to_owned()
    }
}
