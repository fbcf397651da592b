//! SIGKILL after every acknowledgement, in the middle of whatever else is under way: what was acknowledged is there afterwards, and of
//! what was not, either the whole or nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use postgres_of_tests::Server;
use sha2::{Digest, Sha256};

use crate::house::{House, PATIENCE, secret};
use crate::phone::Wire;

/// Acknowledgements after which a kill comes.
const ROUNDS: usize = 12;

/// What may be found of each thing, by its name: more than one state while an answer is owed.
#[derive(Default)]
struct Ledger(BTreeMap<String, BTreeSet<Option<String>>>);

impl Ledger {
    /// It is asked for, and not answered yet.
    fn asked(&mut self, what: &str, state: Option<String>) {
        self.0.entry(what.to_owned()).or_insert_with(|| BTreeSet::from([None])).insert(state);
    }

    /// It is acknowledged.
    fn acknowledged(&mut self, what: &str, state: Option<String>) {
        self.0.insert(what.to_owned(), BTreeSet::from([state]));
    }
}

#[test]
fn what_was_acknowledged_outlives_a_kill_with_sqlite() {
    killed_again_and_again(House::empty(&[]));
}

#[test]
fn what_was_acknowledged_outlives_a_kill_with_postgresql() {
    let server = Server::shared();
    killed_again_and_again(House::empty(&[("PBX_DATABASE_URL", &server.database())]));
}

/// After the first acknowledgement, then after the second, and so on.
fn killed_again_and_again(house: House) {
    let mut trial = Trial::begin(house);
    for round in 1..=ROUNDS {
        trial.house.open();
        trial.work_until(|house, told| {
            let acknowledged = (0..round).filter(|_| told.recv_timeout(PATIENCE).is_ok()).count();
            house.kill();
            acknowledged == round
        });
        trial.house.open();
        trial.check(round);
        trial.house.kill();
    }
    trial.stood_not_still();
}

#[test]
fn what_was_acknowledged_outlives_a_kill_between_any_two_writes() {
    let mut trial = Trial::begin(House::empty(&[]));
    for round in 0..WRITES {
        // SQLite's log of what is to be written grows by a frame of 24 + 4,096 octets at a time, its head and its page apart. The
        // system kills who writes beyond the limit: within one round in the middle of a frame, within the next between two.
        trial.house.open_until_written(FIRST_LIMIT + round as u64 * 4_120 / 2);
        trial.work_until(|house, _| house.ends().signal() == Some(SIGXFSZ));
        trial.house.open();
        trial.check(round);
        // A clean stop: the log begins anew.
        assert_eq!(trial.house.stop(), Some(0));
    }
    trial.stood_not_still();
}

/// What the system kills with.
const SIGXFSZ: i32 = 25;

/// Limits that are tried: each of so many writes is the one that does not come to its end.
const WRITES: usize = 16;

/// Beyond the file that SQLite's connections share, whose size is fixed, and far enough for a dozen changes before the end.
const FIRST_LIMIT: u64 = 100_000;

/// A house, and what may be found in it.
struct Trial {
    house: House,
    token: String,
    bindings: Ledger,
    extensions: Ledger,
    next_phone: u32,
    next_extension: u32,
}

impl Trial {
    fn begin(house: House) -> Trial {
        let phones: Vec<String> = (500_000..500_900).map(|number| number.to_string()).collect();
        house.extensions(&phones.iter().map(String::as_str).collect::<Vec<_>>());
        let token = house.token("admin");
        let (bindings, extensions) = (Ledger::default(), Ledger::default());
        Trial { house, token, bindings, extensions, next_phone: 500_000, next_extension: 600_000 }
    }

    /// Phones register and an administrator changes extensions, both at once, until `end` has killed the switchboard.
    fn work_until(&mut self, end: impl FnOnce(&mut House, &mpsc::Receiver<()>) -> bool) {
        let dead = &AtomicBool::new(false);
        let (tell, told) = mpsc::channel();
        let (wire, http, tell_too) = (Wire::udp(&self.house), self.house.http, tell.clone());
        let Trial { house, token, bindings, extensions, next_phone, next_extension } = self;
        std::thread::scope(|scope| {
            scope.spawn(move || change(http, token, extensions, next_extension, &tell));
            scope.spawn(move || register(wire, bindings, next_phone, dead, &tell_too));
            let killed = end(house, &told);
            dead.store(true, Ordering::Relaxed);
            assert!(killed, "it was not killed, or acknowledged too little before");
        });
    }

    fn check(&self, round: usize) {
        let found = self.house.get(&self.token, "/api/v1/extensions");
        let found = found["items"].as_array().expect("extensions");
        let by_number = |number: &str| found.iter().find(|each| each["number"] == number);
        for (number, possible) in &self.bindings.0 {
            let device = by_number(number).and_then(|each| each["devices"][0]["contact"].as_str().map(str::to_owned));
            assert!(possible.contains(&device), "round {round}: {number} has {device:?}, not one of {possible:?}");
        }
        for (number, possible) in &self.extensions.0 {
            let name = by_number(number).and_then(|each| each["name"].as_str().map(str::to_owned));
            assert!(possible.contains(&name), "round {round}: {number} is {name:?}, not one of {possible:?}");
        }
    }

    fn stood_not_still(&self) {
        let acknowledged = |ledger: &Ledger| ledger.0.values().filter(|possible| possible.len() == 1).count();
        let counts = (acknowledged(&self.bindings), acknowledged(&self.extensions));
        assert!(counts.0 > 0 && counts.1 > 0, "{counts:?}");
    }
}

/// Phone after phone registers, and every third one leaves again, until nobody answers.
fn register(mut wire: Wire, ledger: &mut Ledger, next: &mut u32, dead: &AtomicBool, tell: &mpsc::Sender<()>) {
    loop {
        let number = next.to_string();
        *next += 1;
        let contact = format!("sip:{number}@{}", wire.local());
        for expires in if number.ends_with(['3', '6', '9']) { vec![600, 0] } else { vec![600] } {
            let state = (expires > 0).then(|| contact.clone());
            let Some(challenge) = ask(&mut wire, &number, expires, "", dead) else { return };
            assert!(challenge.starts_with("SIP/2.0 401"), "{challenge}");
            ledger.asked(&number, state.clone());
            let Some(answer) = ask(&mut wire, &number, expires, &credentials(&challenge, &number), dead) else { return };
            assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
            ledger.acknowledged(&number, state);
            let _ = tell.send(());
        }
    }
}

/// Sends a REGISTER until it is answered, as phones do; nothing once the switchboard is dead.
fn ask(wire: &mut Wire, number: &str, expires: u32, credentials: &str, dead: &AtomicBool) -> Option<String> {
    let (local, cseq) = (wire.local(), if credentials.is_empty() { 1 } else { 2 } + if expires == 0 { 2 } else { 0 });
    let request = format!(
        "REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{number}{cseq};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:{number}@127.0.0.1>;tag=a\r\nTo: <sip:{number}@127.0.0.1>\r\nCall-ID: kill-{number}\r\nCSeq: {cseq} REGISTER\r\n\
         Contact: <sip:{number}@{local}>\r\nExpires: {expires}\r\n{credentials}Content-Length: 0\r\n\r\n"
    );
    while !dead.load(Ordering::Relaxed) {
        wire.send(request.as_bytes());
        let answer = wire.next();
        if answer.contains(&format!("CSeq: {cseq} REGISTER")) && answer.contains(&format!("kill-{number}\r\n")) {
            return Some(answer);
        }
    }
    None
}

/// The answer to a SHA-256 challenge (RFC 7616).
fn credentials(challenge: &str, number: &str) -> String {
    let hash = |text: String| Sha256::digest(text).iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    let offered = challenge.lines().find(|line| line.contains("SHA-256")).unwrap_or_else(|| panic!("no SHA-256: {challenge}"));
    let value = |name: &str| {
        let after = offered.split(&format!("{name}=\"")).nth(1).unwrap_or_else(|| panic!("no {name}: {offered}"));
        after.split('"').next().unwrap_or_default().to_owned()
    };
    let (realm, nonce) = (value("realm"), value("nonce"));
    let (ha1, ha2) = (hash(format!("{number}:{realm}:{}", secret(number))), hash("REGISTER:sip:127.0.0.1".to_owned()));
    let response = hash(format!("{ha1}:{nonce}:00000001:c:auth:{ha2}"));
    format!(
        "Authorization: Digest username=\"{number}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"sip:127.0.0.1\", \
         algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"c\", response=\"{response}\"\r\n"
    )
}

/// Extension after extension is created and renamed, and every third one removed, until nobody answers.
fn change(http: SocketAddr, token: &str, ledger: &mut Ledger, next: &mut u32, tell: &mpsc::Sender<()>) {
    let (url, bearer) = (format!("http://{http}/api/v1/extensions"), format!("Bearer {token}"));
    loop {
        let number = next.to_string();
        *next += 1;
        let one = format!("{url}/{number}");
        let name = |name: &str| serde_json::json!({ "name": name });
        let mut step = |state: Option<&str>, send: &dyn Fn() -> bool| {
            ledger.asked(&number, state.map(str::to_owned));
            let done = send();
            if done {
                ledger.acknowledged(&number, state.map(str::to_owned));
                let _ = tell.send(());
            }
            done
        };
        let new = serde_json::json!({ "number": number, "name": "New" });
        let good = step(Some("New"), &|| ureq::post(&url).header("authorization", &bearer).send_json(&new).is_ok())
            && step(Some("Renamed"), &|| ureq::patch(&one).header("authorization", &bearer).send_json(name("Renamed")).is_ok())
            && (!number.ends_with(['3', '6', '9'])
                || step(None, &|| ureq::delete(&one).header("authorization", &bearer).call().is_ok()));
        if !good {
            return;
        }
    }
}
