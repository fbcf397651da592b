//! 10,000 calls alive in one switch: `cargo run --release -p pbx-switch --example live_calls`. Prints what one keeps in memory, and what
//! it costs to set one up and to end it, phones of this file included. No socket, no disk, no clock but for the figure.

#[path = "../tests/ladder/wire.rs"]
#[allow(dead_code, reason = "the ladders use more of it")]
mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pbx_media_words::{Command, Event as Media, Figures, PortPair};
use pbx_sip::auth::{Algorithm, Ha1};
use pbx_sip::clock::{Now, Tick, Wall};
use pbx_sip::flow::{ConnectionId, Flow, Transport};
use pbx_sip::transaction::Timers;
use pbx_switch::action::Action;
use pbx_switch::dialplan::Dialplan;
use pbx_switch::directory::{Access, Directory, Extension, ExtensionNumber, Site, SiteKey};
use pbx_switch::event::Event;
use pbx_switch::registrar::Expiry;
use pbx_switch::switch::{Switch, SwitchConfig};
use wire::{Text, Writing, credentials, sdp};

const CALLS: usize = 10_000;

/// Callers are 1000 to 1499, callees 1500 to 1999; each has twenty calls at once.
const PAIRS: u16 = 500;

fn main() {
    let mut house = House::new();
    (1000..1000 + 2 * PAIRS).for_each(|phone| house.register(phone));
    let (before, begun) = (resident_kib(), Instant::now());
    (0..CALLS).for_each(|call| house.call(call));
    assert_eq!((house.switch.calls(), house.answered.len()), (CALLS, CALLS), "every call is alive");
    let kib = resident_kib().saturating_sub(before) as f64 / CALLS as f64;
    (0..CALLS).for_each(|call| house.hang_up(call));
    let us = begun.elapsed().as_micros() as f64 / CALLS as f64;
    assert_eq!((house.switch.calls(), house.records, house.switch.faults()), (0, CALLS, 0), "every call ends with a record");
    println!("{{\"calls\": {CALLS}, \"kib\": {kib:.2}, \"us\": {us:.1}}}");
}

struct House {
    switch: Switch,
    now: Now,
    /// By phone: its challenge, and how often it was answered.
    challenges: BTreeMap<u16, (String, u32)>,
    /// What the caller of a call was told.
    answered: BTreeMap<usize, Text>,
    to_hear: VecDeque<(Flow, Text)>,
    records: usize,
}

impl House {
    fn new() -> House {
        let site = Site::new(SiteKey("main".to_owned()), "Salle", "Europe/Paris").expect("a time zone");
        let mut directory = Directory::default();
        for number in 1000..1000 + 2 * PAIRS {
            let text = number.to_string();
            let (number, ha1) = (ExtensionNumber::new(&text).expect("a number"), Ha1::of(&text, "pbx", "secret"));
            let extension = Extension {
                number,
                name: text,
                site: site.key.clone(),
                email: None,
                enabled: true,
                ha1,
                access: Access::default(),
            };
            directory.extensions.insert(extension.number.clone(), extension);
        }
        directory.sites.insert(site.key.clone(), site);
        let config = SwitchConfig {
            domain: "pbx.test".to_owned(),
            realm: "pbx".to_owned(),
            nonce_key: [1; 32],
            algorithms: vec![Algorithm::Md5],
            md5_only: Vec::new(),
            nonce_life: Duration::from_secs(300),
            expiry: Expiry::default(),
            ring_for: Duration::from_secs(60),
            dead_after: Duration::from_secs(3600),
            most_calls: CALLS,
            calls_per_extension: CALLS,
            user_agent: "pbx".to_owned(),
            timers: Timers::default(),
        };
        let now = Now { tick: Tick(1_000_000), wall: Wall(1_800_000_000_000_000) };
        let plan = Arc::new(Dialplan::parse("").expect("an empty plan"));
        let switch = Switch::new(config, Arc::new(directory), (plan, 1), Vec::new(), [5; 32], now);
        let mut house =
            House { switch, now, challenges: BTreeMap::new(), answered: BTreeMap::new(), to_hear: VecDeque::new(), records: 0 };
        let pair = |leg: usize| PortPair {
            address: IpAddr::from(Ipv4Addr::new(192, 0, 2, if leg.is_multiple_of(2) { 253 } else { 254 })),
            rtp: u16::try_from(10_000 + leg / 2 * 2).expect("a port"),
        };
        house.tell(Event::Media(Media::PortsFree((0..2 * CALLS).map(pair).collect())));
        house
    }

    fn register(&mut self, phone: u16) {
        for cseq in 1..=2 {
            let text = self.request(phone, "REGISTER", "sip:pbx.test", phone, &format!("r{phone}"), cseq);
            self.hear(phone, text.body(""));
        }
    }

    fn call(&mut self, call: usize) {
        let caller = 1000 + u16::try_from(call).unwrap_or(0) % PAIRS;
        let callee = caller + PAIRS;
        let invite = self.request(caller, "INVITE", &format!("sip:{callee}@pbx.test"), callee, &format!("c{call}"), 1);
        self.hear(caller, invite.body(&sdp("192.0.2.1", 4000, 1, "8", "sendrecv")));
        let Some(told) = self.answered.get(&call) else { panic!("call {call} was not answered") };
        let ack = Writing::new(&format!("ACK {} SIP/2.0", told.contact().unwrap_or_default()))
            .header("Via", &format!("SIP/2.0/UDP {};branch=z9hG4bKa{call}", flow(caller).remote))
            .header("From", told.header("From").unwrap_or_default())
            .header("To", told.header("To").unwrap_or_default())
            .header("Call-ID", told.call_id())
            .header("CSeq", "1 ACK");
        self.hear(caller, ack.body(""));
        // Not all in one instant: fifty a second.
        self.pass(Duration::from_millis(20));
    }

    fn hang_up(&mut self, call: usize) {
        let caller = 1000 + u16::try_from(call).unwrap_or(0) % PAIRS;
        let Some(told) = self.answered.get(&call) else { return };
        let bye = Writing::new(&format!("BYE {} SIP/2.0", told.contact().unwrap_or_default()))
            .header("Via", &format!("SIP/2.0/UDP {};rport;branch=z9hG4bKb{call}", flow(caller).remote))
            .header("From", told.header("From").unwrap_or_default())
            .header("To", told.header("To").unwrap_or_default())
            .header("Call-ID", told.call_id())
            .header("CSeq", "2 BYE");
        self.hear(caller, bye.body(""));
    }

    fn request(&mut self, phone: u16, method: &str, uri: &str, to: u16, call_id: &str, cseq: u32) -> Writing {
        let mut writing = Writing::new(&format!("{method} {uri} SIP/2.0"))
            .header("Via", &format!("SIP/2.0/UDP {};rport;branch=z9hG4bK{call_id}{cseq}", flow(phone).remote))
            .header("Max-Forwards", "70")
            .header("From", &format!("<sip:{phone}@pbx.test>;tag=f{call_id}"))
            .header("To", &format!("<sip:{to}@pbx.test>"))
            .header("Call-ID", call_id)
            .header("CSeq", &format!("{cseq} {method}"))
            .header("Contact", &format!("<sip:{phone}@{}>", flow(phone).remote));
        if let Some((challenge, count)) = self.challenges.get_mut(&phone) {
            *count += 1;
            writing = writing.header("Authorization", &credentials(challenge, &phone.to_string(), "secret", method, uri, *count));
        }
        writing
    }

    fn pass(&mut self, time: Duration) {
        self.now = Now { tick: self.now.tick + time, wall: self.now.wall + time };
        while self.switch.poll_deadline(self.now).is_some_and(|deadline| deadline <= self.now.tick) {
            self.switch.handle_deadline(self.now);
            self.drain();
        }
    }

    fn hear(&mut self, phone: u16, text: String) {
        self.tell(Event::Received { flow: flow(phone), octets: Bytes::from(text) });
        while let Some((flow, text)) = self.to_hear.pop_front() {
            self.phone(flow, &text);
        }
    }

    fn tell(&mut self, event: Event) {
        self.switch.handle(event, self.now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(action) = self.switch.poll_action() {
            match action {
                Action::Send { flow, octets } => self.to_hear.push_back((flow, Text::read(&octets))),
                Action::Media(Command::Close { leg }) => {
                    self.switch.handle(Event::Media(Media::Closed { leg, figures: Figures::default() }), self.now);
                }
                Action::Save { batch, .. } => self.switch.handle(Event::Saved { batch, stored: true }, self.now),
                Action::Record(_) => self.records += 1,
                Action::Resolve { .. } => {}
                Action::Media(_) | Action::Publish(_) | Action::Ban(_) | Action::CeilingReached { .. } | Action::Drained => {}
            }
        }
    }

    /// What a phone does with what it hears.
    fn phone(&mut self, flow: Flow, text: &Text) {
        let phone = flow.remote.port() - 5000;
        match (text.status(), text.method()) {
            (Some(401), _) => {
                let challenge = text.header("WWW-Authenticate").unwrap_or_default().to_owned();
                self.challenges.insert(phone, (challenge, 0));
            }
            (Some(200), "INVITE") => {
                if let Some(call) = text.call_id().strip_prefix('c').and_then(|call| call.parse().ok()) {
                    self.answered.insert(call, text.clone());
                }
            }
            (None, "INVITE") => {
                let contact = format!("<sip:{phone}@{}>", flow.remote);
                let answer = Writing::reply(text, 200, "t").header("Contact", &contact);
                let answer = answer.body(&sdp("192.0.2.1", 4002, 1, "8", "sendrecv"));
                self.tell(Event::Received { flow, octets: Bytes::from(answer) });
            }
            (None, "BYE") => self.tell(Event::Received { flow, octets: Bytes::from(Writing::reply(text, 200, "t").body("")) }),
            _ => {}
        }
    }
}

fn flow(phone: u16) -> Flow {
    Flow {
        transport: Transport::Udp,
        local: SocketAddr::from(([192, 0, 2, 254], 5060)),
        remote: SocketAddr::from(([192, 0, 2, 1], 5000 + phone)),
        connection: ConnectionId::default(),
    }
}

/// Memory of this process that is in use.
fn resident_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
