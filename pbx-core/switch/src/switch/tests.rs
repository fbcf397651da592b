//! A fault of ours ends one call, and ends it properly. Everything else a switch does is drawn in `tests/ladder`.

#[path = "../../tests/ladder/wire.rs"]
#[allow(dead_code, reason = "the ladders use more of it")]
mod wire;

use std::time::Duration;

use bytes::Bytes;
use pbx_media_words::Event as Media;
use pbx_sip::auth::Ha1;
use pbx_sip::clock::Wall;
use pbx_sip::flow::{ConnectionId, Transport};

use super::*;
use crate::call::CallRecord;
use crate::directory::{Access, Extension, Site, SiteKey};
use wire::{Text, Writing, credentials, sdp};

#[test]
fn a_fault_while_it_rings() {
    let mut house = House::new();
    let call = house.ring();
    house.plant(call);
    assert_eq!(house.said_to(201), ["SIP/2.0 500 Server Internal Error"]);
    assert!(house.said_to(202)[0].starts_with("CANCEL"));
    house.is_given_back();
}

#[test]
fn a_fault_while_they_talk() {
    let mut house = House::new();
    let call = house.ring();
    house.answer();
    house.plant(call);
    assert!(house.said_to(201)[0].starts_with("BYE"));
    assert!(house.said_to(202)[0].starts_with("BYE"));
    house.is_given_back();
}

#[test]
fn a_fault_while_everybody_is_told_goodbye() {
    let mut house = House::new();
    let call = house.ring();
    house.answer();
    house.said.clear();
    let now = house.now;
    house.switch.guarded(now, |switch| {
        switch.with_call(call, now, |call, outside| {
            call.hang_up(Outcome::HungUp, outside);
            panic!("planted, after the call was said to be over");
        });
    });
    house.drain();
    assert_eq!((house.said_to(201).len(), house.said_to(202).len()), (1, 1), "told once");
    house.is_given_back();
}

#[test]
fn ports_of_a_call_that_was_read_back_are_held_no_longer_than_the_call() {
    let mut house = House::new();
    let call = house.ring();
    house.answer();
    let (written, mut now) = (house.switch.write(), house.now);
    let mut reader = House::new().switch;
    reader.read(written, now);
    assert_eq!(reader.held.len(), 2);
    // Media never says that they are closed.
    reader.handle(Event::HangUp { call }, now);
    now.tick = now.tick + Duration::from_secs(3);
    reader.handle_deadline(now);
    assert_eq!((reader.calls(), reader.held.len()), (0, 0));
}

struct House {
    switch: Switch,
    now: Now,
    said: Vec<(u16, Text)>,
    records: Vec<CallRecord>,
    challenges: BTreeMap<u16, (String, u32)>,
}

fn flow(phone: u16) -> Flow {
    Flow {
        transport: Transport::Udp,
        local: "192.0.2.254:5060".parse().unwrap(),
        remote: std::net::SocketAddr::from(([192, 0, 2, 1], 5000 + phone)),
        connection: ConnectionId::default(),
    }
}

impl House {
    fn new() -> House {
        let site = Site::new(SiteKey("main".into()), "Salle", "Europe/Paris").unwrap();
        let mut directory = Directory::default();
        for number in ["201", "202"] {
            let (number, ha1) = (ExtensionNumber::new(number).unwrap(), Ha1::of(number, "pbx", "secret"));
            let extension = Extension {
                number,
                name: "Phone".into(),
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
            domain: "pbx.test".into(),
            realm: "pbx".into(),
            nonce_key: [1; 32],
            algorithms: vec![Algorithm::Md5],
            md5_only: Vec::new(),
            nonce_life: Duration::from_secs(300),
            expiry: Expiry::default(),
            ring_for: Duration::from_secs(60),
            dead_after: Duration::from_secs(3600),
            most_calls: 10,
            calls_per_extension: 10,
            user_agent: "pbx".into(),
            timers: Timers::default(),
        };
        let now = Now { tick: Tick(1_000_000), wall: Wall(1_800_000_000_000_000) };
        let plan = Arc::new(Dialplan::parse("").unwrap());
        let switch = Switch::new(config, Arc::new(directory), (plan, 1), Vec::new(), [5; 32], now);
        let mut house = House { switch, now, said: Vec::new(), records: Vec::new(), challenges: BTreeMap::new() };
        let pair = |rtp| PortPair { address: "192.0.2.254".parse().unwrap(), rtp };
        house.tell(Event::Media(Media::PortsFree(vec![pair(10_000), pair(10_002)])));
        for phone in [201, 202] {
            for cseq in 1..=2 {
                let text = house.request(phone, "REGISTER", "sip:pbx.test", phone, cseq).body("");
                house.hear(phone, text);
            }
            assert_eq!(house.said.pop().unwrap().1.status(), Some(200));
        }
        house.said.clear();
        house
    }

    fn request(&mut self, phone: u16, method: &str, uri: &str, to: u16, cseq: u32) -> Writing {
        let mut writing = Writing::new(&format!("{method} {uri} SIP/2.0"))
            .header("Via", &format!("SIP/2.0/UDP {};rport;branch=z9hG4bK{method}{phone}{cseq}", flow(phone).remote))
            .header("From", &format!("<sip:{phone}@pbx.test>;tag=f"))
            .header("To", &format!("<sip:{to}@pbx.test>"))
            .header("Call-ID", &format!("{method}{phone}"))
            .header("CSeq", &format!("{cseq} {method}"))
            .header("Contact", &format!("<sip:{phone}@{}>", flow(phone).remote));
        if let Some((challenge, count)) = self.challenges.get_mut(&phone) {
            *count += 1;
            writing = writing.header("Authorization", &credentials(challenge, &phone.to_string(), "secret", method, uri, *count));
        }
        writing
    }

    fn invite(&mut self, phone: u16, to: u16) -> String {
        self.request(phone, "INVITE", &format!("sip:{to}@pbx.test"), to, 1).body(&sdp("192.0.2.1", 4000, 1, "8", "sendrecv"))
    }

    fn ring(&mut self) -> CallKey {
        let invite = self.invite(201, 202);
        self.hear(201, invite);
        let asked = self.said.iter().find(|(phone, _)| *phone == 202).unwrap().1.clone();
        self.hear(202, Writing::reply(&asked, 180, "t").body(""));
        *self.switch.calls.keys().next().unwrap()
    }

    fn answer(&mut self) {
        let asked = self.said.iter().find(|(phone, text)| *phone == 202 && text.method() == "INVITE").unwrap().1.clone();
        let contact = format!("<sip:202@{}>", flow(202).remote);
        let answer = Writing::reply(&asked, 200, "t").header("Contact", &contact).body(&sdp("192.0.2.1", 4002, 1, "8", "sendrecv"));
        self.hear(202, answer);
        let told = self.said.iter().rfind(|(phone, text)| *phone == 201 && text.status() == Some(200)).unwrap().1.clone();
        let ack = Writing::new("ACK sip:pbx.test SIP/2.0")
            .header("Via", "SIP/2.0/UDP 192.0.2.1:5201;branch=z9hG4bKack")
            .header("From", told.header("From").unwrap())
            .header("To", told.header("To").unwrap())
            .header("Call-ID", told.call_id())
            .header("CSeq", "1 ACK");
        self.hear(201, ack.body(""));
    }

    /// Something goes wrong in the middle of a step.
    fn plant(&mut self, call: CallKey) {
        self.said.clear();
        let now = self.now;
        self.switch.guarded(now, |switch| switch.with_call(call, now, |_, _| panic!("planted")));
        self.drain();
    }

    fn hear(&mut self, phone: u16, text: String) {
        self.tell(Event::Received { flow: flow(phone), octets: Bytes::from(text) });
    }

    fn tell(&mut self, event: Event) {
        self.switch.handle(event, self.now);
        self.drain();
    }

    fn drain(&mut self) {
        let now = self.now;
        self.switch.settle(now);
        while let Some(action) = self.switch.poll_action() {
            match action {
                Action::Send { flow, octets } => {
                    let (phone, text) = (flow.remote.port() - 5000, Text::read(&octets));
                    if let Some(challenge) = text.header("WWW-Authenticate") {
                        self.challenges.insert(phone, (challenge.to_owned(), 0));
                    }
                    self.said.push((phone, text));
                }
                Action::Media(Command::Close { leg }) => {
                    let figures = pbx_media_words::Figures::default();
                    self.switch.handle(Event::Media(Media::Closed { leg, figures }), now);
                }
                Action::Save { batch, .. } => self.switch.handle(Event::Saved { batch, stored: true }, now),
                Action::Record(record) => self.records.push(*record),
                Action::Resolve { .. } => {}
                Action::Media(_) | Action::Publish(_) | Action::Ban(_) | Action::CeilingReached { .. } | Action::Drained => {}
            }
        }
    }

    fn said_to(&self, phone: u16) -> Vec<String> {
        let lines = self.said.iter().filter(|(to, _)| *to == phone);
        lines.map(|(_, text)| text.0.lines().next().unwrap_or_default().to_owned()).collect()
    }

    /// One record, and nothing but transactions that wait for their end.
    fn is_given_back(&mut self) {
        assert_eq!(self.switch.faults(), 1);
        let outcomes: Vec<&str> = self.records.iter().map(|record| record.outcome.code()).collect();
        assert_eq!(outcomes, ["fault"]);
        let left = self.switch.left_over().into_iter().filter(|(what, count)| *count > 0 && *what != "transactions");
        assert_eq!(left.collect::<Vec<_>>(), []);
    }
}
