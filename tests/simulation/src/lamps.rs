//! A desk phone whose lamps show every extension of the house (RFC 4235). It believes what it is told as RFC 4235 3.7 says, answers late,
//! and notes where numbers come twice, where something is told before the last was answered, and where a lamp stays lit.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::draw::Draw;
use crate::wire::{Text, Writing, credentials};

/// Its own extension.
const EXTENSION: u16 = 205;

/// By so much at least the numbers of a process are above those of the one before it.
const JUMP: u32 = 100;

const T1: Duration = Duration::from_millis(500);

/// What it is to be woken for.
#[derive(Clone, Copy, Debug)]
pub enum LampWake {
    /// Press the key: subscribe.
    Subscribe(usize),
    /// A SUBSCRIBE without an answer.
    Resend(usize, u32),
    /// Answer a NOTIFY.
    Answer(usize),
}

/// One lamp.
#[derive(Debug)]
struct Lamp {
    of: u16,
    cseq: u32,
    /// The SUBSCRIBE that waits for its answer.
    asked: Option<(String, Duration)>,
    accepted: bool,
    over: bool,
    /// By which tags the house has called its dialogs: where a process ends before its 200 has come, another begins.
    dialogs: Vec<String>,
    /// Each document by its number, for none may come twice.
    told: BTreeMap<u32, String>,
    version: Option<u32>,
    /// Calls that it shows.
    lit: BTreeMap<String, String>,
    /// The number of the last NOTIFY, and its answer that is still to be given.
    unanswered: Option<(u32, String)>,
}

/// The phone.
#[derive(Debug)]
pub struct Lamps {
    pub address: SocketAddr,
    pub draw: Draw,
    pub faults: Vec<String>,
    /// To be sent.
    pub out: Vec<String>,
    /// To be woken.
    pub wakes: Vec<(Duration, LampWake)>,
    lamps: Vec<Lamp>,
    challenge: Option<(String, u32)>,
    drawn: u32,
    /// How often a datagram was lost: never more than twice, so that who repeats himself is heard.
    lost: BTreeMap<Vec<u8>, u8>,
}

impl Lamps {
    /// A phone with a lamp for each of these.
    pub fn new(address: SocketAddr, extensions: impl Iterator<Item = u16>, mut draw: Draw) -> Lamps {
        let lamp = |of| Lamp {
            of,
            cseq: 0,
            asked: None,
            accepted: false,
            over: false,
            dialogs: Vec::new(),
            told: BTreeMap::new(),
            version: None,
            lit: BTreeMap::new(),
            unanswered: None,
        };
        let lamps: Vec<Lamp> = extensions.map(lamp).collect();
        let wakes = (0..lamps.len()).map(|place| (draw.millis(1_000, 20_000), LampWake::Subscribe(place))).collect();
        Lamps { address, draw, faults: Vec::new(), out: Vec::new(), wakes, lamps, challenge: None, drawn: 0, lost: BTreeMap::new() }
    }

    /// When each copy of a datagram arrives, to it or from it, on a network that loses so many of a hundred and doubles half as many.
    pub fn copies(&mut self, octets: &[u8], loss: u64, slowest_ms: u64) -> Vec<Duration> {
        let mut copies = 1 + usize::from(self.draw.percent(loss / 2));
        if self.draw.percent(loss) {
            let lost = self.lost.entry(octets.to_vec()).or_default();
            if *lost < 2 {
                *lost += 1;
                copies = 0;
            }
        }
        (0..copies).map(|_| Duration::from_micros(500 + self.draw.below(slowest_ms * 1_000))).collect()
    }

    /// A time has come.
    pub fn woke(&mut self, wake: LampWake) {
        match wake {
            LampWake::Subscribe(place) => self.subscribe(place),
            LampWake::Resend(place, cseq) => {
                let lamp = &mut self.lamps[place];
                let Some((text, pause)) = lamp.asked.as_mut().filter(|_| lamp.cseq == cseq) else { return };
                *pause = (*pause * 2).min(T1 * 8);
                self.out.push(text.clone());
                self.wakes.push((*pause, wake));
            }
            LampWake::Answer(place) => {
                if let Some((_, reply)) = self.lamps[place].unanswered.take() {
                    self.out.push(reply);
                }
            }
        }
    }

    /// Octets have come.
    pub fn hear(&mut self, text: &Text) {
        let Some(place) = self.lamps.iter().position(|lamp| text.call_id() == call_id(lamp.of)) else {
            return self.faults.push("a lamp was told what it did not ask for".to_owned());
        };
        match text.status() {
            Some(status) => self.answered(place, status, text),
            None => self.notified(place, text),
        }
    }

    fn subscribe(&mut self, place: usize) {
        self.drawn += 1;
        let uri = format!("sip:{}@pbx.test", self.lamps[place].of);
        let authorization = self.challenge.as_mut().map(|(challenge, count)| {
            *count += 1;
            let (user, secret) = (EXTENSION.to_string(), format!("secret {EXTENSION}"));
            credentials(challenge, &user, &secret, "SUBSCRIBE", &uri, *count)
        });
        let lamp = &mut self.lamps[place];
        lamp.cseq += 1;
        let mut writing = Writing::new(&format!("SUBSCRIBE {uri} SIP/2.0"))
            .header("Via", &format!("SIP/2.0/UDP {};rport;branch=z9hG4bKlamp{}", self.address, self.drawn))
            .header("Max-Forwards", "70")
            .header("From", &format!("<sip:{EXTENSION}@pbx.test>;tag=lamp"))
            .header("To", &format!("<{uri}>"))
            .header("Call-ID", &call_id(lamp.of))
            .header("CSeq", &format!("{} SUBSCRIBE", lamp.cseq))
            .header("Contact", &format!("<sip:{EXTENSION}@{}>", self.address))
            .header("Event", "dialog")
            .header("Expires", "7200");
        if let Some(authorization) = authorization {
            writing = writing.header("Authorization", &authorization);
        }
        let text = writing.body("");
        self.out.push(text.clone());
        self.wakes.push((T1, LampWake::Resend(place, lamp.cseq)));
        lamp.asked = Some((text, T1));
    }

    fn answered(&mut self, place: usize, status: u16, text: &Text) {
        let lamp = &mut self.lamps[place];
        if text.cseq() != lamp.cseq || lamp.asked.take().is_none() {
            return;
        }
        match status {
            200 => lamp.accepted = true,
            401 if lamp.cseq < 6 => {
                let challenge = text.headers("WWW-Authenticate").find(|value| value.contains("algorithm=MD5"));
                self.challenge = challenge.map(|challenge| (challenge.to_owned(), 0));
                self.subscribe(place);
            }
            // The disk did not take it, the extension is switched off, or a process ended in between.
            _ => lamp.over = true,
        }
    }

    fn notified(&mut self, place: usize, text: &Text) {
        let lamp = &mut self.lamps[place];
        let (of, number, reply) = (lamp.of, text.cseq(), Writing::reply(text, 200, "lamp").body(""));
        let tag = text.tag("From").unwrap_or_default();
        if lamp.dialogs.last().is_none_or(|last| last != tag) {
            if lamp.dialogs.iter().any(|known| known == tag) {
                return self.out.push(reply);
            }
            lamp.dialogs.push(tag.to_owned());
            (lamp.version, lamp.unanswered) = (None, None);
            lamp.told.clear();
            lamp.lit.clear();
        }
        if let Some(before) = lamp.told.get(&number) {
            if before != text.body() {
                self.faults.push(format!("the lamp of {of} was told two things under number {number}"));
            }
            // Again, or late; what is to be answered later is answered then.
            if lamp.unanswered.as_ref().is_none_or(|(last, _)| *last != number) {
                self.out.push(reply);
            }
            return;
        }
        let last = lamp.told.keys().next_back().copied().unwrap_or(0);
        if number + JUMP < last {
            // Of the process before, and late.
            return self.out.push(reply);
        }
        let whole = text.body().contains("state=\"full\"");
        let version = attribute(text.body(), "version").and_then(|version| version.parse::<u32>().ok());
        if number < last || version <= lamp.version {
            self.faults.push(format!("numbers of the lamp of {of} go backwards: {number} after {last}"));
        }
        // Another process does not know what the one before it was waiting for.
        if lamp.unanswered.is_some() && number < last + JUMP {
            self.faults.push(format!("the lamp of {of} was told {number} before it answered {last}"));
        }
        if !whole && (lamp.version.is_none() || version != lamp.version.map(|version| version + 1)) {
            self.faults.push(format!("the lamp of {of} was told a part of what it does not know"));
        }
        lamp.told.insert(number, text.body().to_owned());
        lamp.version = version;
        lamp.over |= text.header("Subscription-State").is_some_and(|state| state.starts_with("terminated"));
        if whole {
            lamp.lit.clear();
        }
        for dialog in text.body().split("<dialog ").skip(1) {
            let (Some(id), Some(state)) = (attribute(dialog, "id"), dialog.split("<state>").nth(1)) else { continue };
            match state.split('<').next() {
                Some("terminated") | None => _ = lamp.lit.remove(id),
                Some(state) => _ = lamp.lit.insert(id.to_owned(), state.to_owned()),
            }
        }
        lamp.unanswered = Some((number, reply));
        let later = self.draw.millis(0, 2_000);
        self.wakes.push((later, LampWake::Answer(place)));
    }

    /// Once everybody has hung up no lamp is lit; `kept` are the Call-IDs of the subscriptions on disk.
    pub fn at_rest(&mut self, kept: &[&str]) {
        for lamp in self.lamps.iter().filter(|lamp| lamp.accepted && !lamp.over) {
            if !lamp.lit.is_empty() {
                self.faults.push(format!("the lamp of {} stays lit: {:?}", lamp.of, lamp.lit));
            }
            if lamp.told.is_empty() {
                self.faults.push(format!("the lamp of {} was never told anything", lamp.of));
            }
            if !kept.contains(&call_id(lamp.of).as_str()) {
                self.faults.push(format!("the subscription of the lamp of {} was acknowledged, and is not on disk", lamp.of));
            }
        }
    }
}

fn call_id(of: u16) -> String {
    format!("lamp-of-{of}")
}

fn attribute<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let named = if name == "version" { "<dialog-info " } else { "" };
    let text = &text[text.find(named)?..];
    text.split(&format!("{name}=\"")).nth(1)?.split('"').next()
}
