//! Phones that call and phones that answer, in one thread: callers share one socket, callees another.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

use crate::figures::Times;
use crate::sip::{Message, audio_of, description, ended, tag_of, uri_of, user_of};
use crate::wire::{CONTACT_PORT, REPETITIONS, T1, receive, socket, wait};

/// How a call is to go.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plan {
    /// How long the callee rings.
    pub ring: Duration,
    /// How long after the answer the caller hangs up; never by itself if `None`.
    pub talk: Option<Duration>,
    /// The caller gives up after this, if nobody has answered.
    pub give_up: Option<Duration>,
    /// The caller holds so long after the answer, and takes back after as long again.
    pub hold: Option<Duration>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Answered, and hung up by us.
    Well,
    /// Cancelled by us, and answered 487.
    Cancelled,
    /// Refused with a status, or 0 for no answer.
    Badly(u16),
}

/// What a call tells whoever drives the phones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// The caller has the answer: where the server takes the sound of the caller and of the callee.
    Answered { call: usize, caller_to: SocketAddrV4, callee_to: SocketAddrV4 },
    /// It is over.
    Over { call: usize, ended: Ended },
}

/// Counted.
#[derive(Default)]
pub struct Counts {
    /// Requests and answers sent again.
    pub repeated: usize,
    /// From the INVITE to the 200, in the caller's eyes.
    pub times: Times,
}

/// Both sides of every call.
pub struct Phones {
    server: SocketAddr,
    callers: UdpSocket,
    callees: UdpSocket,
    run: u32,
    calls: HashMap<usize, Call>,
    by_pair: HashMap<(u32, u32), usize>,
    answering: HashMap<String, Answering>,
    due: BinaryHeap<Reverse<(Instant, u64, Due)>>,
    next_due: u64,
    happened: Vec<Happened>,
    /// So far.
    pub counts: Counts,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// The caller's request of this CSeq, if it is not answered.
    Repeat(usize, u32),
    Answer(String),
    /// The callee's answer, if it is not acknowledged.
    RepeatAnswer(String),
    HangUp(usize),
    GiveUp(usize),
    Hold(usize, bool),
}

/// The caller's side.
struct Call {
    caller: u32,
    callee: u32,
    plan: Plan,
    sound: (SocketAddrV4, SocketAddrV4),
    begun: Instant,
    cseq: u32,
    request: String,
    /// The request is not answered yet.
    open: bool,
    repetitions: u32,
    state: State,
    to: String,
    target: String,
    routes: String,
    callee_to: Option<SocketAddrV4>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Calling,
    Cancelling,
    Talking,
    Ending,
}

/// The callee's side.
struct Answering {
    call: Option<usize>,
    invite: String,
    from: SocketAddr,
    last: String,
    acknowledged: bool,
    repetitions: u32,
}

impl Phones {
    /// Phones of a server.
    pub fn new(server: SocketAddr) -> io::Result<Phones> {
        Ok(Phones {
            server,
            callers: socket(0)?,
            callees: socket(CONTACT_PORT)?,
            run: std::process::id(),
            calls: HashMap::new(),
            by_pair: HashMap::new(),
            answering: HashMap::new(),
            due: BinaryHeap::new(),
            next_due: 0,
            happened: Vec::new(),
            counts: Counts::default(),
        })
    }

    /// Where callees listen; they register from here.
    pub fn callees(&self) -> &UdpSocket {
        &self.callees
    }

    /// Calls that are not over.
    pub fn open(&self) -> usize {
        self.calls.len()
    }

    /// What has happened since.
    pub fn happened(&mut self) -> Vec<Happened> {
        std::mem::take(&mut self.happened)
    }

    /// A caller dials a callee; `sound` is where the two want theirs.
    pub fn dial(&mut self, call: usize, caller: u32, callee: u32, plan: Plan, sound: (SocketAddrV4, SocketAddrV4)) {
        let now = Instant::now();
        self.by_pair.insert((caller, callee), call);
        let target = format!("sip:{callee}@{}", self.server.ip());
        let to = format!("<{target}>");
        self.calls.insert(
            call,
            Call {
                caller,
                callee,
                plan,
                sound,
                begun: now,
                cseq: 0,
                request: String::new(),
                open: false,
                repetitions: 0,
                state: State::Calling,
                to,
                target,
                routes: String::new(),
                callee_to: None,
            },
        );
        self.request(call, "INVITE", "", &description(sound.0, 1, "sendrecv"));
        if let Some(after) = plan.give_up {
            self.later(now + after, Due::GiveUp(call));
        }
    }

    /// The caller hangs up.
    pub fn hang_up(&mut self, call: usize) {
        let Some(known) = self.calls.get_mut(&call).filter(|known| known.state == State::Talking) else { return };
        known.state = State::Ending;
        self.request(call, "BYE", "", "");
    }

    /// Receives and sends what there is to, until the time has come or something has happened.
    pub fn run_until(&mut self, until: Instant) {
        loop {
            self.turn();
            let now = Instant::now();
            if now >= until || !self.happened.is_empty() {
                return;
            }
            let next = self.due.peek().map_or(until, |Reverse((when, _, _))| until.min(*when));
            wait(&[&self.callers, &self.callees], next);
        }
    }

    /// Receives and sends what there is to at this moment.
    pub fn turn(&mut self) {
        let mut buffer = [0; 8192];
        while let Some((octets, _)) = receive(&self.callers, &mut buffer) {
            let Some(message) = Message::read(octets) else { continue };
            match message.status() {
                Some(status) => self.caller_hears(&message, status),
                None => self.caller_is_asked(&message),
            }
        }
        while let Some((octets, from)) = receive(&self.callees, &mut buffer) {
            if let Some(message) = Message::read(octets).filter(|message| message.status().is_none()) {
                self.callee_is_asked(&message, from);
            }
        }
        let now = Instant::now();
        while let Some(Reverse((when, _, _))) = self.due.peek() {
            if *when > now {
                break;
            }
            let Some(Reverse((_, _, due))) = self.due.pop() else { break };
            self.come_due(due, now);
        }
    }

    fn come_due(&mut self, due: Due, now: Instant) {
        match due {
            Due::Repeat(call, cseq) => {
                let Some(known) = self.calls.get_mut(&call).filter(|known| known.open && known.cseq == cseq) else { return };
                known.repetitions += 1;
                if known.repetitions > REPETITIONS {
                    return self.over(call, Ended::Badly(0));
                }
                let wait = T1 * 2u32.pow(known.repetitions.min(3));
                let _ = self.callers.send_to(known.request.as_bytes(), self.server);
                self.counts.repeated += 1;
                self.later(now + wait, Due::Repeat(call, cseq));
            }
            Due::Answer(call_id) => self.answer(&call_id),
            Due::RepeatAnswer(call_id) => {
                let Some(known) = self.answering.get_mut(&call_id).filter(|known| !known.acknowledged) else { return };
                known.repetitions += 1;
                if known.repetitions > REPETITIONS {
                    self.answering.remove(&call_id);
                    return;
                }
                let _ = self.callees.send_to(known.last.as_bytes(), known.from);
                self.counts.repeated += 1;
                self.later(now + T1, Due::RepeatAnswer(call_id));
            }
            Due::HangUp(call) => self.hang_up(call),
            Due::GiveUp(call) => self.give_up(call),
            Due::Hold(call, hold) => {
                let Some(known) = self.calls.get(&call).filter(|known| known.state == State::Talking && !known.open) else {
                    return;
                };
                let direction = if hold { "sendonly" } else { "sendrecv" };
                let offer = description(known.sound.0, known.cseq + 1, direction);
                let again = known.plan.hold.filter(|_| hold);
                self.request(call, "INVITE", "", &offer);
                if let Some(after) = again {
                    self.later(now + after, Due::Hold(call, false));
                }
            }
        }
    }

    fn caller_hears(&mut self, message: &Message<'_>, status: u16) {
        let Some(call) = self.call_of(message) else { return };
        let Some(known) = self.calls.get_mut(&call) else { return };
        let (cseq, method) = message.cseq();
        if method == "CANCEL" {
            return;
        }
        if cseq != known.cseq || (!known.open && method != "INVITE") {
            return;
        }
        let first = known.open;
        if method == "INVITE" && status < 200 {
            // A provisional response ends the repetitions, not the wait.
            (known.open, known.request) = (false, String::new());
            return;
        }
        known.open = false;
        match (method, status) {
            ("INVITE", 200..300) => {
                known.to = message.header("To").to_owned();
                known.target = uri_of(message.header("Contact")).to_owned();
                known.routes = message.all("Record-Route").rev().map(|route| format!("Route: {route}\r\n")).collect();
                let (state, caller_to, callee_to) = (known.state, audio_of(message.body), known.callee_to);
                self.acknowledge(call, message, true);
                match state {
                    State::Calling | State::Cancelling => self.answered(call, caller_to.zip(callee_to)),
                    State::Talking | State::Ending => {}
                }
            }
            ("INVITE", _) => {
                self.acknowledge(call, message, false);
                let Some(known) = self.calls.get(&call) else { return };
                let (user, target, state, first) = (known.caller, known.target.clone(), known.state, known.cseq == 1);
                let credentials = message.credentials(&user.to_string(), &format!("pw{user}"), "INVITE", &target);
                match credentials {
                    Some((name, value)) if first && state == State::Calling => {
                        let Some(known) = self.calls.get(&call) else { return };
                        let offer = description(known.sound.0, 1, "sendrecv");
                        self.request(call, "INVITE", &format!("{name}: {value}\r\n"), &offer);
                    }
                    _ if state == State::Talking => {}
                    _ if state == State::Cancelling && status == 487 => self.over(call, Ended::Cancelled),
                    _ => self.over(call, Ended::Badly(status)),
                }
            }
            ("BYE", 200..300) if first => self.over(call, Ended::Well),
            ("BYE", _) => self.over(call, Ended::Badly(status)),
            _ => {}
        }
    }

    fn answered(&mut self, call: usize, sound: Option<(SocketAddrV4, SocketAddrV4)>) {
        let Some(known) = self.calls.get_mut(&call) else { return };
        let (now, cancelled) = (Instant::now(), known.state == State::Cancelling);
        known.state = State::Talking;
        let plan = known.plan;
        self.counts.times.add(u64::try_from(known.begun.elapsed().as_micros()).unwrap_or(u64::MAX));
        if let Some((caller_to, callee_to)) = sound {
            self.happened.push(Happened::Answered { call, caller_to, callee_to });
        }
        match plan.talk {
            // The answer has crossed our CANCEL.
            _ if cancelled => self.hang_up(call),
            Some(Duration::ZERO) => self.hang_up(call),
            Some(talk) => self.later(now + talk, Due::HangUp(call)),
            None => {}
        }
        if let Some(after) = plan.hold {
            self.later(now + after, Due::Hold(call, true));
        }
    }

    fn give_up(&mut self, call: usize) {
        let Some(known) = self.calls.get_mut(&call).filter(|known| known.state == State::Calling) else { return };
        if known.open || known.cseq < 2 {
            // CANCEL waits for the first answer (RFC 3261 9.1).
            self.later(Instant::now() + T1 / 10, Due::GiveUp(call));
            return;
        }
        known.state = State::Cancelling;
        let (callee, cseq) = (known.callee, known.cseq);
        let cancel = self.text(call, "CANCEL", &format!("sip:{callee}@{}", self.server.ip()), cseq, cseq, "", "");
        let _ = self.callers.send_to(cancel.as_bytes(), self.server);
    }

    fn acknowledge(&mut self, call: usize, message: &Message<'_>, answered: bool) {
        let Some(known) = self.calls.get_mut(&call) else { return };
        let original = std::mem::replace(&mut known.to, message.header("To").to_owned());
        let (target, cseq) = (known.target.clone(), known.cseq);
        // That of a failure belongs to the INVITE's transaction and has its branch; that of a 2xx is one by itself.
        let branch = if answered { cseq + 500_000 } else { cseq };
        let ack = self.text(call, "ACK", &target, cseq, branch, "", "");
        let _ = self.callers.send_to(ack.as_bytes(), self.server);
        if let Some(known) = self.calls.get_mut(&call).filter(|_| !answered) {
            known.to = original;
        }
    }

    /// In a dialog, whatever the server asks of a caller is granted; a BYE ends the call.
    fn caller_is_asked(&mut self, message: &Message<'_>) {
        if message.method() == "ACK" {
            return;
        }
        let call = self.call_of(message);
        let here = self.callers.local_addr().map_or_else(|_| String::new(), |here| format!("Contact: <sip:{here}>\r\n"));
        let sound = call.and_then(|call| self.calls.get(&call)).map(|known| known.sound.0);
        let body = match (message.method(), sound) {
            ("INVITE", Some(sound)) => description(sound, 9, "sendrecv"),
            _ => String::new(),
        };
        let _ = self.callers.send_to(message.answer("200 OK", "", &here, &body).as_bytes(), self.server);
        if let ("BYE", Some(call)) = (message.method(), call) {
            self.over(call, Ended::Badly(1));
        }
    }

    fn callee_is_asked(&mut self, message: &Message<'_>, from: SocketAddr) {
        let call_id = message.header("Call-ID").to_owned();
        match message.method() {
            "INVITE" if tag_of(message.header("To")).is_empty() => {
                if let Some(known) = self.answering.get(&call_id) {
                    let _ = self.callees.send_to(known.last.as_bytes(), from);
                    return;
                }
                let pair = user_of(uri_of(message.header("From"))).zip(user_of(message.request_uri()));
                let call = pair.and_then(|pair| self.by_pair.get(&pair).copied());
                let ring = call.and_then(|call| self.calls.get(&call)).map_or(Duration::ZERO, |known| known.plan.ring);
                if let Some(known) = call.and_then(|call| self.calls.get_mut(&call)) {
                    known.callee_to = audio_of(message.body);
                }
                let last = message.answer("180 Ringing", "c", &self.contact(message), "");
                let _ = self.callees.send_to(last.as_bytes(), from);
                let invite = kept(message);
                self.answering.insert(call_id.clone(), Answering { call, invite, from, last, acknowledged: false, repetitions: 0 });
                if ring.is_zero() {
                    self.answer(&call_id);
                } else {
                    self.later(Instant::now() + ring, Due::Answer(call_id));
                }
            }
            "ACK" => {
                if let Some(known) = self.answering.get_mut(&call_id) {
                    known.acknowledged = true;
                    if known.last.starts_with("SIP/2.0 487") {
                        self.answering.remove(&call_id);
                    }
                }
            }
            "CANCEL" => {
                let _ = self.callees.send_to(message.answer("200 OK", "c", "", "").as_bytes(), from);
                let Some(known) = self.answering.get_mut(&call_id).filter(|known| known.last.starts_with("SIP/2.0 180")) else {
                    return;
                };
                let Some(invite) = Message::read(known.invite.as_bytes()) else { return };
                known.last = invite.answer("487 Request Terminated", "c", "", "");
                let _ = self.callees.send_to(known.last.as_bytes(), from);
                self.later(Instant::now() + T1, Due::RepeatAnswer(call_id));
            }
            method => {
                let sound = self.answering.get(&call_id).and_then(|known| self.calls.get(&known.call?)).map(|known| known.sound.1);
                let body = match (method, sound) {
                    ("INVITE", Some(sound)) => description(sound, 9, "sendrecv"),
                    _ => String::new(),
                };
                let answer = message.answer("200 OK", "c", &self.contact(message), &body);
                let _ = self.callees.send_to(answer.as_bytes(), from);
                if method == "BYE" {
                    self.answering.remove(&call_id);
                }
            }
        }
    }

    fn answer(&mut self, call_id: &str) {
        let Some(known) = self.answering.get(call_id).filter(|known| known.last.starts_with("SIP/2.0 180")) else { return };
        let sound = known.call.and_then(|call| self.calls.get(&call)).map(|call| call.sound.1);
        let sound = sound.unwrap_or(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9));
        let Some(invite) = Message::read(known.invite.as_bytes()) else { return };
        let last = invite.answer("200 OK", "c", &self.contact(&invite), &description(sound, 1, "sendrecv"));
        let _ = self.callees.send_to(last.as_bytes(), known.from);
        if let Some(known) = self.answering.get_mut(call_id) {
            known.last = last;
        }
        self.later(Instant::now() + T1, Due::RepeatAnswer(call_id.to_owned()));
    }

    fn contact(&self, asked: &Message<'_>) -> String {
        let user = user_of(asked.request_uri()).map_or_else(String::new, |user| format!("{user}@"));
        self.callees.local_addr().map_or_else(|_| String::new(), |here| format!("Contact: <sip:{user}{here}>\r\n"))
    }

    /// The caller's next request.
    fn request(&mut self, call: usize, method: &str, more: &str, body: &str) {
        let Some(known) = self.calls.get_mut(&call) else { return };
        known.cseq += 1;
        let (cseq, target) = (known.cseq, known.target.clone());
        let request = self.text(call, method, &target, cseq, cseq, more, body);
        let _ = self.callers.send_to(request.as_bytes(), self.server);
        if let Some(known) = self.calls.get_mut(&call) {
            (known.request, known.open, known.repetitions) = (request, true, 0);
        }
        self.later(Instant::now() + T1, Due::Repeat(call, cseq));
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a request, each used once")]
    fn text(&self, call: usize, method: &str, target: &str, cseq: u32, branch: u32, more: &str, body: &str) -> String {
        let Some(known) = self.calls.get(&call) else { return String::new() };
        let Ok(here) = self.callers.local_addr() else { return String::new() };
        let (run, caller, domain) = (self.run, known.caller, self.server.ip());
        let head = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKc{run}-{call}-{branch};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:{caller}@{domain}>;tag=c{call}\r\nTo: {}\r\nCall-ID: c-{run}-{call}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:{caller}@{here}>\r\n{}{more}",
            known.to, known.routes
        );
        ended(head, body)
    }

    fn call_of(&self, message: &Message<'_>) -> Option<usize> {
        message.header("Call-ID").strip_prefix(&format!("c-{}-", self.run))?.parse().ok()
    }

    fn over(&mut self, call: usize, ended: Ended) {
        if let Some(known) = self.calls.remove(&call) {
            if self.by_pair.get(&(known.caller, known.callee)) == Some(&call) {
                self.by_pair.remove(&(known.caller, known.callee));
            }
            self.happened.push(Happened::Over { call, ended });
        }
    }

    fn later(&mut self, when: Instant, due: Due) {
        self.next_due += 1;
        self.due.push(Reverse((when, self.next_due, due)));
    }
}

/// What of a request is needed to answer it later.
fn kept(message: &Message<'_>) -> String {
    let mut text = format!("INVITE {} SIP/2.0\r\n", message.request_uri());
    for name in ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"] {
        message.all(name).for_each(|value| text.push_str(&format!("{name}: {value}\r\n")));
    }
    text.push_str("\r\n");
    text
}
