//! A phone: a user agent of its own, which shares no code with ours. It keeps the rules of RFC 3261 where its manner does not say
//! otherwise, and notes where the switch breaks them.

use std::collections::VecDeque;
use std::time::Duration;

use pbx_sip::clock::Tick;
use pbx_sip::flow::Flow;

use crate::draw::Draw;
use crate::wire::{Described, Text, Writing, credentials, sdp, uri_of};

/// What a phone is to be woken for.
#[derive(Clone, Copy, Debug)]
pub enum Wake {
    /// A request without an answer.
    Resend(u32),
    /// A final answer to an INVITE, until its ACK.
    Repeat(u32),
    /// Answer, or refuse, the call.
    Answer(u32),
    /// Say that it rings.
    Ring(u32),
    /// Give up.
    Cancel(u32),
    /// Hold, resume, or ask what the other side can do.
    Reinvite(u32),
    /// INFO or OPTIONS.
    Ask(u32),
    /// Send the other side on.
    Refer(u32),
    /// The talk is over.
    HangUp(u32),
    /// Make a call.
    Dial(u16),
    /// Register, again or for the first time; with 0, go.
    Register(u32),
}

/// How a phone takes part in a call.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    pub status: u16,
    pub rings: bool,
    pub early: bool,
    pub after: Duration,
    pub twice: bool,
    pub silent: bool,
    pub cancel: Option<Duration>,
    pub bye_early: bool,
    pub never_acknowledges: bool,
    pub late_offer: bool,
    pub wrong_secret: bool,
    pub talk: Duration,
    pub reinvites: u8,
    pub asks: bool,
    pub refers: bool,
    pub reliable: bool,
}

/// How far a call is, as its phone sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Asked,
    Up,
    Over,
}

/// One call of a phone.
#[derive(Debug)]
pub struct Call {
    pub handle: u32,
    /// Which call of the world it is; `None` where nothing in the INVITE says so.
    pub mark: Option<u32>,
    pub media: u16,
    pub outgoing: bool,
    pub state: State,
    pub manner: Manner,
    call_id: String,
    local: String,
    remote: String,
    target: String,
    cseq: u32,
    codecs: String,
    version: u32,
    invite: Text,
    cancelled: bool,
    heard: bool,
    attempts: u8,
    /// The last ACK of ours for a 2xx, by CSeq.
    ack: Option<(u32, String)>,
    /// Our final answer that waits for its ACK, and since when.
    answer: Option<String>,
    answered: Tick,
    pause: Duration,
    answered_status: u16,
    /// A second phone behind its contact has answered too, and waits to be acknowledged.
    second: Option<String>,
    /// Its BYE was answered 481.
    unknown: bool,
    /// It was sent a BYE.
    told: bool,
    excused: bool,
    /// Of what it was told reliably, the last.
    rseq: Option<u32>,
}

/// A request of the phone.
#[derive(Debug)]
pub struct Request {
    pub handle: u32,
    pub call: u32,
    pub method: &'static str,
    pub text: String,
    pub branch: String,
    pub begun: Tick,
    pub pause: Duration,
    pub heard: bool,
    pub last: Option<(u16, String)>,
    /// Something outside of SIP may have swallowed the answer.
    pub excused: bool,
}

/// The phone.
#[derive(Debug)]
pub struct Phone {
    pub place: usize,
    pub extension: u16,
    pub flow: Flow,
    pub alive: bool,
    pub calls: Vec<Call>,
    pub requests: Vec<Request>,
    pub faults: Vec<String>,
    replies: VecDeque<(String, String)>,
    challenge: Option<(String, u32)>,
    register: (u32, u32),
    challenged: u32,
    drawn: u32,
    /// Whom it has sent on: the call, and the one they are to be connected with, by their marks.
    pub referred: Vec<(u32, Option<u32>)>,
    /// To be sent.
    pub out: Vec<String>,
    /// To be woken.
    pub wakes: Vec<(Duration, Wake)>,
}

const T1: Duration = Duration::from_millis(500);
const WHOLE: Duration = Duration::from_secs(32);

impl Phone {
    pub fn new(place: usize, extension: u16, flow: Flow) -> Phone {
        Phone {
            place,
            extension,
            flow,
            alive: true,
            calls: Vec::new(),
            requests: Vec::new(),
            faults: Vec::new(),
            replies: VecDeque::new(),
            challenge: None,
            register: (1, 0),
            challenged: 0,
            drawn: 0,
            referred: Vec::new(),
            out: Vec::new(),
            wakes: Vec::new(),
        }
    }

    /// It starts again: what it knew is forgotten, and nobody can blame it or us for what was under way.
    pub fn reboot(&mut self) {
        self.calls.clear();
        self.requests.clear();
        self.replies.clear();
        self.challenge = None;
        (self.register, self.challenged) = ((self.register.0 + 1, 0), 0);
    }

    /// What was under way may have lost its answer with something that is no fault of SIP's.
    pub fn excuse(&mut self) {
        self.requests.iter_mut().for_each(|request| request.excused = true);
        self.calls.iter_mut().for_each(|call| call.excused = true);
    }

    /// The switch's process has ended and another has begun. `carried`: an INVITE of this branch goes on there. Everything else that
    /// was under way may have lost its answer, but for requests that are sent again.
    pub fn restarted(&mut self, carried: impl Fn(&str) -> bool) {
        let tcp = self.flow.transport.is_reliable();
        for request in &mut self.requests {
            request.excused |= tcp || request.method == "INVITE" && !carried(&request.branch);
        }
        for call in &mut self.calls {
            call.excused |= tcp || !carried(call.invite.branch());
        }
    }

    /// The call an address of sound belongs to.
    pub fn call_at(&self, media: u16) -> Option<&Call> {
        self.calls.iter().find(|call| call.media == media)
    }

    fn draw(&mut self) -> u32 {
        self.drawn += 1;
        self.drawn
    }

    fn contact(&self) -> String {
        let tcp = if self.flow.transport.is_reliable() { ";transport=tcp" } else { "" };
        format!("<sip:{}@{}{tcp}>", self.extension, self.flow.remote)
    }

    fn start(&mut self, method: &str, uri: &str) -> (Writing, String) {
        let branch = format!("z9hG4bK{}p{}r{}", self.draw(), self.place, self.register.0);
        let via = format!("SIP/2.0/{} {};rport;branch={branch}", self.flow.transport.as_str(), self.flow.remote);
        let writing = Writing::new(&format!("{method} {uri} SIP/2.0")).header("Via", &via).header("Max-Forwards", "70");
        (writing, branch)
    }

    fn request(&mut self, call: u32, method: &'static str, branch: String, text: String, now: Tick) {
        let handle = self.draw();
        self.out.push(text.clone());
        self.wakes.push((T1, Wake::Resend(handle)));
        let (pause, heard, last, excused) = (T1, false, None, false);
        self.requests.push(Request { handle, call, method, text, branch, begun: now, pause, heard, last, excused });
    }

    pub fn register(&mut self, expires: u32, now: Tick) {
        self.register.1 += 1;
        let (generation, cseq) = self.register;
        let (writing, branch) = self.start("REGISTER", "sip:pbx.test");
        let address = format!("<sip:{}@pbx.test>", self.extension);
        let contact = format!("{};expires={expires};+sip.instance=\"<urn:uuid:{}>\"", self.contact(), self.place);
        let mut writing = writing
            .header("From", &format!("{address};tag=r"))
            .header("To", &address)
            .header("Call-ID", &format!("register-{}-{generation}", self.place))
            .header("CSeq", &format!("{cseq} REGISTER"))
            .header("Contact", &contact);
        if let Some(authorization) = self.authorization("REGISTER", "sip:pbx.test", false) {
            writing = writing.header("Authorization", &authorization);
        }
        self.request(expires, "REGISTER", branch, writing.body(""), now);
    }

    fn authorization(&mut self, method: &str, uri: &str, wrong: bool) -> Option<String> {
        let (challenge, count) = self.challenge.as_mut()?;
        *count += 1;
        let secret = if wrong { "wrong".to_owned() } else { format!("secret {}", self.extension) };
        Some(credentials(challenge, &self.extension.to_string(), &secret, method, uri, *count))
    }

    /// A call to a number. The mark is a codec that only this call has, so that it is known again wherever it goes.
    pub fn dial(&mut self, number: u16, mark: u32, media: u16, manner: Manner, now: Tick) {
        let handle = self.draw();
        let target = format!("sip:{number}@pbx.test");
        let codecs = format!("8,0,101,97:M{mark}/8000");
        let call = Call {
            handle,
            mark: Some(mark),
            media,
            outgoing: true,
            state: State::Asked,
            call_id: format!("call-{mark}-{}", self.place),
            local: format!("<sip:{}@pbx.test>;tag=a{mark}", self.extension),
            remote: format!("<{target}>"),
            target,
            cseq: 0,
            codecs,
            version: 1,
            invite: Text(String::new()),
            cancelled: false,
            heard: false,
            attempts: 0,
            ack: None,
            answer: None,
            answered: Tick(0),
            pause: T1,
            answered_status: 0,
            second: None,
            unknown: false,
            told: false,
            excused: false,
            rseq: None,
            manner,
        };
        if let Some(after) = call.manner.cancel {
            self.wakes.push((after, Wake::Cancel(handle)));
        }
        self.wakes.push((Duration::from_secs(100), Wake::Cancel(handle)));
        self.calls.push(call);
        self.invite(handle, "sendrecv", now);
    }

    /// INVITE, the first or a later one.
    fn invite(&mut self, handle: u32, direction: &str, now: Tick) {
        let Some(place) = self.calls.iter().position(|call| call.handle == handle) else { return };
        let (contact, address) = (self.contact(), self.flow.remote.ip().to_string());
        let call = &mut self.calls[place];
        call.cseq += 1;
        call.attempts += 1;
        call.version += 1;
        let first = call.state == State::Asked;
        let body = if call.manner.late_offer && first || direction == "none" {
            String::new()
        } else {
            sdp(&address, call.media, call.version, &call.codecs, direction)
        };
        let (target, wrong, cseq) = (call.target.clone(), call.manner.wrong_secret, call.cseq);
        let (local, remote, call_id) = (call.local.clone(), call.remote.clone(), call.call_id.clone());
        let (writing, branch) = self.start("INVITE", &target);
        let mut writing = writing
            .header("From", &local)
            .header("To", &remote)
            .header("Call-ID", &call_id)
            .header("CSeq", &format!("{cseq} INVITE"))
            .header("Contact", &contact);
        if first && self.calls[place].manner.reliable {
            writing = writing.header("Supported", "100rel");
        }
        if first && let Some(authorization) = self.authorization("INVITE", &target, wrong) {
            writing = writing.header("Authorization", &authorization);
        }
        let text = writing.body(&body);
        // What a callee answers and is acknowledged stays the INVITE it was asked with.
        if first {
            self.calls[place].invite = Text(text.clone());
        }
        self.calls[place].heard = false;
        self.request(handle, "INVITE", branch, text, now);
    }

    /// A request within the call.
    fn within(&mut self, handle: u32, method: &'static str, now: Tick) {
        self.ask(handle, method, None, now);
    }

    fn ask(&mut self, handle: u32, method: &'static str, header: Option<(&str, String)>, now: Tick) {
        let Some(call) = self.calls.iter_mut().find(|call| call.handle == handle) else { return };
        call.cseq += 1;
        let (target, local, remote, call_id, cseq) =
            (call.target.clone(), call.local.clone(), call.remote.clone(), call.call_id.clone(), call.cseq);
        let (writing, branch) = self.start(method, &target);
        let writing = writing
            .header("From", &local)
            .header("To", &remote)
            .header("Call-ID", &call_id)
            .header("CSeq", &format!("{cseq} {method}"));
        let authorization = if method == "REFER" { self.authorization(method, &target, false) } else { None };
        let writing = authorization.iter().fold(writing, |writing, value| writing.header("Authorization", value));
        let writing = header.iter().fold(writing, |writing, (name, value)| writing.header(name, value));
        let text = writing.body("");
        self.request(handle, method, branch, text, now);
    }

    fn cancel(&mut self, handle: u32, now: Tick) {
        let Some(call) = self.calls.iter_mut().find(|call| call.handle == handle) else { return };
        call.cancelled = true;
        let invite = &call.invite;
        let mut writing = Writing::new(&format!("CANCEL {} SIP/2.0", invite.request_uri()));
        for name in ["Via", "From", "To", "Call-ID"] {
            writing = writing.header(name, invite.header(name).unwrap_or_default());
        }
        let (branch, text) = (invite.branch().to_owned(), writing.header("CSeq", &format!("{} CANCEL", invite.cseq())).body(""));
        self.request(handle, "CANCEL", branch, text, now);
    }

    /// Something it wanted to be woken for.
    pub fn woke(&mut self, wake: Wake, now: Tick, draw: &mut Draw) {
        match wake {
            Wake::Resend(handle) => self.resend(handle, now),
            Wake::Repeat(handle) => self.repeat(handle, now),
            Wake::Ring(handle) => self.ring(handle),
            Wake::Answer(handle) => self.answer(handle, now),
            Wake::Cancel(handle) => {
                let Some(call) = self.calls.iter().find(|call| call.handle == handle) else { return };
                if call.state != State::Asked || call.cancelled {
                    return;
                }
                let (heard, bye) = (call.heard, call.manner.bye_early && call.remote.contains(";tag="));
                match (heard, bye) {
                    (true, true) => self.within(handle, "BYE", now),
                    (true, false) => self.cancel(handle, now),
                    // No CANCEL before something has been heard (RFC 3261 9.1).
                    (false, _) => self.wakes.push((T1, Wake::Cancel(handle))),
                }
            }
            Wake::Reinvite(handle) => {
                let Some(call) = self.calls.iter_mut().find(|call| call.handle == handle) else { return };
                if call.state == State::Up && call.manner.reinvites > 0 {
                    call.manner.reinvites -= 1;
                    let again = draw.millis(50, 4_000);
                    self.wakes.push((again, Wake::Reinvite(handle)));
                    let direction = ["sendonly", "sendrecv", "inactive", "none"][draw.place(4)];
                    self.invite(handle, direction, now);
                }
            }
            Wake::Ask(handle) => {
                if self.calls.iter().any(|call| call.handle == handle && call.state == State::Up) {
                    self.within(handle, if draw.percent(70) { "INFO" } else { "OPTIONS" }, now);
                }
            }
            Wake::HangUp(handle) => self.hang_up(handle, now),
            Wake::Refer(handle) => self.refer(handle, now, draw),
            Wake::Register(expires) => self.register(expires, now),
            Wake::Dial(_) => {}
        }
    }

    /// Sends the other side of a call on: to another extension, or to whom it talks to in another call.
    fn refer(&mut self, handle: u32, now: Tick, draw: &mut Draw) {
        // Who bears no mark could not be told from a stranger afterwards.
        let free = |call: &&Call| call.state == State::Up && !call.manner.late_offer && call.answer.is_none();
        let Some(mark) = self.calls.iter().filter(free).find(|call| call.handle == handle).and_then(|call| call.mark) else {
            return;
        };
        let other = self.calls.iter().filter(free).find(|call| call.handle != handle && call.mark.is_some());
        let (target, with) = match other {
            Some(other) => {
                let tag = |of: &str| of.split(";tag=").nth(1).unwrap_or_default().to_owned();
                let (to, from) = (tag(&other.remote), tag(&other.local));
                let call_id = other.call_id.replace('@', "%40");
                (format!("<sip:pbx.test?Replaces={call_id}%3Bto-tag%3D{to}%3Bfrom-tag%3D{from}>"), other.mark)
            }
            None => (format!("<sip:{}@pbx.test>", 201 + draw.below(5)), None),
        };
        self.referred.push((mark, with));
        self.ask(handle, "REFER", Some(("Refer-To", target)), now);
    }

    fn hang_up(&mut self, handle: u32, now: Tick) {
        let Some(call) = self.calls.iter_mut().find(|call| call.handle == handle && call.state == State::Up) else { return };
        // Whoever answered waits for the ACK (RFC 3261 15).
        if !call.outgoing && call.answer.is_some() {
            self.wakes.push((T1, Wake::HangUp(handle)));
            return;
        }
        call.state = State::Over;
        self.within(handle, "BYE", now);
    }

    fn resend(&mut self, handle: u32, now: Tick) {
        let Some(place) = self.requests.iter().position(|request| request.handle == handle) else { return };
        let request = &mut self.requests[place];
        let age = now.since(request.begun);
        let invite = request.method == "INVITE";
        // What is passed on is answered by another phone; that this one is gone is known as late as here, and must still get back.
        let whole = if request.method == "INFO" { WHOLE + Duration::from_secs(2) } else { WHOLE };
        if request.last.is_some() || age >= whole && !(invite && request.heard) {
            let gone = request.last.is_none();
            let (call, excused, method) = (request.call, request.excused, request.method);
            if gone {
                if !excused {
                    self.faults.push(format!("{method} of phone {} was never answered", self.place));
                }
                self.requests.remove(place);
                if method != "REGISTER"
                    && let Some(call) = self.calls.iter_mut().find(|known| known.handle == call)
                {
                    call.state = State::Over;
                }
            }
            return;
        }
        if invite && request.heard {
            // It rings, and may ring; its end is seen to by the limit of the call.
            if age > Duration::from_secs(170) {
                if !request.excused {
                    self.faults.push(format!("an INVITE of phone {} has no final answer after {age:?}", self.place));
                }
                let call = request.call;
                self.requests.remove(place);
                self.calls.iter_mut().filter(|known| known.handle == call).for_each(|call| call.state = State::Over);
                return;
            }
            self.wakes.push((Duration::from_secs(20), Wake::Resend(handle)));
            return;
        }
        if !self.flow.transport.is_reliable() {
            self.out.push(request.text.clone());
        }
        request.pause = if invite { request.pause * 2 } else { (request.pause * 2).min(Duration::from_secs(4)) };
        let pause = request.pause.min(whole.saturating_sub(age)).max(Duration::from_millis(1));
        self.wakes.push((pause, Wake::Resend(handle)));
    }

    fn repeat(&mut self, handle: u32, now: Tick) {
        let Some(call) = self.calls.iter_mut().find(|call| call.handle == handle) else { return };
        if call.answer.is_none() && call.second.is_none() {
            return;
        }
        if now.since(call.answered) >= WHOLE {
            if !call.excused {
                let status = call.answered_status;
                self.faults.push(format!("a {status} of phone {} to an INVITE was never acknowledged", self.place));
            }
            (call.answer, call.second, call.state) = (None, None, State::Over);
            return;
        }
        if !self.flow.transport.is_reliable() || call.answered_status < 300 {
            self.out.extend(call.answer.iter().chain(&call.second).cloned());
        }
        call.pause = (call.pause * 2).min(Duration::from_secs(4));
        let pause = call.pause;
        self.wakes.push((pause, Wake::Repeat(handle)));
    }

    fn ring(&mut self, handle: u32) {
        let Some(place) = self.calls.iter().position(|call| call.handle == handle && call.state == State::Asked) else { return };
        let (contact, address) = (self.contact(), self.flow.remote.ip().to_string());
        let call = &mut self.calls[place];
        if call.answer.is_some() || call.cancelled {
            return;
        }
        let early = call.manner.early;
        let body = if early { sdp(&address, call.media, call.version, &call.codecs, "sendrecv") } else { String::new() };
        let status = if early { 183 } else { 180 };
        let mut writing = Writing::reply(&call.invite, status, &format!("u{handle}")).header("Contact", &contact);
        if call.manner.reliable {
            // Sent again only when the INVITE is: what is never acknowledged is answered all the same.
            writing = writing.header("Require", "100rel").header("RSeq", &(handle + 1).to_string());
        }
        let (key, text) = (reply_key(&call.invite), writing.body(&body));
        self.say(key, text);
    }

    /// The final answer its manner holds ready.
    fn answer(&mut self, handle: u32, now: Tick) {
        let Some(call) = self.calls.iter().find(|call| call.handle == handle && call.state == State::Asked) else { return };
        if call.answer.is_some() || call.cancelled || call.answered_status > 0 {
            return;
        }
        let (status, twice) = (call.manner.status, call.manner.twice);
        self.finally(handle, status, now);
        if twice && status < 300 {
            // Another phone behind the same contact, answered at the same moment.
            let (contact, address) = (self.contact(), self.flow.remote.ip().to_string());
            let Some(call) = self.calls.iter_mut().find(|call| call.handle == handle) else { return };
            let body = sdp(&address, call.media, 1, &call.codecs, "sendrecv");
            let text = Writing::reply(&call.invite, status, &format!("v{handle}")).header("Contact", &contact).body(&body);
            call.second = Some(text.clone());
            self.out.push(text);
        }
    }

    fn finally(&mut self, handle: u32, status: u16, now: Tick) {
        let Some(place) = self.calls.iter().position(|call| call.handle == handle) else { return };
        let (contact, address) = (self.contact(), self.flow.remote.ip().to_string());
        let call = &mut self.calls[place];
        let mut writing = Writing::reply(&call.invite, status, &format!("u{handle}"));
        let mut body = String::new();
        if status < 300 {
            writing = writing.header("Contact", &contact);
            body = sdp(&address, call.media, call.version, &call.codecs, "sendrecv");
            call.state = State::Up;
            let talk = call.manner.talk;
            self.wakes.push((talk, Wake::HangUp(handle)));
            self.wakes.push((talk / 3, Wake::Reinvite(handle)));
            if call.manner.asks {
                self.wakes.push((talk / 4, Wake::Ask(handle)));
            }
            if call.manner.refers {
                self.wakes.push((talk / 2, Wake::Refer(handle)));
            }
        }
        let text = writing.body(&body);
        (call.answer, call.answered, call.pause) = (Some(text.clone()), now, T1);
        call.answered_status = status;
        self.wakes.push((T1, Wake::Repeat(handle)));
        let key = reply_key(&call.invite);
        self.say(key, text);
    }

    /// Sends a response, and keeps it for when the request comes again.
    fn say(&mut self, key: String, text: String) {
        self.out.push(text.clone());
        match self.replies.iter_mut().find(|(known, _)| *known == key) {
            Some((_, last)) => *last = text,
            None => {
                self.replies.push_back((key, text));
                if self.replies.len() > 64 {
                    self.replies.pop_front();
                }
            }
        }
    }

    /// Something has come. `meet` says how a new call is met.
    pub fn hear(&mut self, text: Text, now: Tick, draw: &mut Draw, meet: &mut dyn FnMut(&mut Draw) -> (Manner, u16)) {
        match text.status() {
            Some(status) => self.hear_response(&text, status, now),
            None => self.hear_request(text, now, draw, meet),
        }
    }

    fn hear_request(&mut self, text: Text, now: Tick, draw: &mut Draw, meet: &mut dyn FnMut(&mut Draw) -> (Manner, u16)) {
        let method = text.method().to_owned();
        if method == "ACK" {
            let (call_id, branch) = (text.call_id(), text.branch());
            let ours = |call: &&mut Call| call.call_id == call_id && !call.outgoing && text.cseq() == call.invite.cseq();
            if let Some(call) = self.calls.iter_mut().find(ours) {
                let own = call.answered_status < 300 || call.invite.branch() == branch;
                let second = text.tag("To").is_some_and(|tag| tag.starts_with('v'));
                if second {
                    call.second = None;
                } else if own {
                    call.answer = None;
                    if call.answered_status >= 300 {
                        call.state = State::Over;
                    }
                }
            }
            return;
        }
        let key = reply_key(&text);
        if let Some((_, reply)) = self.replies.iter().find(|(known, _)| *known == key) {
            self.out.push(reply.clone());
            return;
        }
        if method != "INVITE" && method != "CANCEL" && method != "OPTIONS" && text.tag("To").is_none() {
            self.faults.push(format!("{method} outside a dialog"));
        }
        let found = self.calls.iter().position(|call| call.call_id == text.call_id());
        match (method.as_str(), found) {
            ("INVITE", None) => self.ring_up(text, draw, meet),
            ("CANCEL", Some(place)) => {
                let call = &self.calls[place];
                let (handle, open) = (call.handle, call.state == State::Asked && call.answered_status == 0);
                let deaf = call.manner.silent;
                let reply = Writing::reply(&text, 200, "c").body("");
                self.say(key, reply);
                if open && !deaf {
                    self.calls[place].cancelled = true;
                    self.finally(handle, 487, now);
                }
            }
            ("BYE", Some(place)) => {
                let second = text.tag("To").is_some_and(|tag| tag.starts_with('v'));
                if !second {
                    let call = &mut self.calls[place];
                    (call.state, call.answer, call.told) = (State::Over, None, true);
                }
                self.say(key, Writing::reply(&text, 200, "b").body(""));
            }
            ("INFO" | "OPTIONS", Some(place)) if self.calls[place].state == State::Up => {
                self.say(key, Writing::reply(&text, 200, "i").body(""))
            }
            ("PRACK", Some(place)) => {
                let call = &self.calls[place];
                let rack = format!("{} {} INVITE", call.handle + 1, call.invite.cseq());
                if text.header("RAck") != Some(&rack) {
                    self.faults.push(format!("a PRACK of {:?} instead of `{rack}`", text.header("RAck")));
                }
                self.say(key, Writing::reply(&text, 200, "p").body(""));
            }
            // How a transfer goes, also to who has hung up since.
            ("NOTIFY", Some(_)) => self.say(key, Writing::reply(&text, 200, "i").body("")),
            // The same once more, while it is thought about.
            ("INVITE", Some(place)) if self.calls[place].invite.branch() == text.branch() => {}
            ("INVITE", Some(_)) => self.say(key, Writing::reply(&text, 488, "i").body("")),
            _ => self.say(key, Writing::reply(&text, 481, "n").body("")),
        }
    }

    fn ring_up(&mut self, text: Text, draw: &mut Draw, meet: &mut dyn FnMut(&mut Draw) -> (Manner, u16)) {
        let (manner, media) = meet(draw);
        let handle = self.draw();
        let mark = text.body().lines().find_map(|line| line.strip_prefix("a=rtpmap:97 M")?.split('/').next()?.parse().ok());
        let codecs = mark.map_or("8,0,101".to_owned(), |mark: u32| format!("8,101,97:M{mark}/8000"));
        if Described::read(text.body()).is_none() {
            self.faults.push("an INVITE of the switch has no offer".to_owned());
        }
        let after = manner.after;
        let call = Call {
            handle,
            mark,
            media,
            outgoing: false,
            state: State::Asked,
            call_id: text.call_id().to_owned(),
            local: format!("{};tag=u{handle}", text.header("To").unwrap_or_default()),
            remote: text.header("From").unwrap_or_default().to_owned(),
            target: text.contact().unwrap_or_default().to_owned(),
            cseq: 100,
            codecs,
            version: 1,
            invite: text,
            cancelled: false,
            heard: true,
            attempts: 0,
            ack: None,
            answer: None,
            answered: Tick(0),
            pause: T1,
            answered_status: 0,
            second: None,
            unknown: false,
            told: false,
            excused: false,
            rseq: None,
            manner,
        };
        if !call.manner.silent {
            if call.manner.rings {
                // Soon, so that an INVITE that comes again finds it even if it was lost.
                self.wakes.push(((after / 3).min(Duration::from_millis(900)), Wake::Ring(handle)));
            }
            self.wakes.push((after, Wake::Answer(handle)));
        }
        self.calls.push(call);
    }

    fn hear_response(&mut self, text: &Text, status: u16, now: Tick) {
        let (branch, method) = (text.branch(), text.method());
        let found = self.requests.iter_mut().find(|request| request.branch == branch && request.method == method);
        let Some(request) = found else { return };
        request.heard = true;
        let (handle, call) = (request.handle, request.call);
        if status >= 200 {
            let said = (status, text.tag("To").unwrap_or_default().to_owned());
            match &request.last {
                None => request.last = Some(said),
                Some(before) if *before != said && method == "INVITE" && !request.excused => {
                    let fault = format!("two final answers to one INVITE of phone {}: {before:?}, {said:?}", self.place);
                    self.faults.push(fault);
                    return;
                }
                Some(_) => {
                    // The same once more: its ACK was lost.
                    if method == "INVITE" {
                        self.acknowledge(call, text, status);
                    }
                    return;
                }
            }
        }
        match method {
            "INVITE" => self.hear_invite_response(call, text, status, now),
            "REGISTER" if status == 401 => {
                self.take_challenge(text);
                self.requests.retain(|request| request.handle != handle);
                // Once for the challenge and once for a stale one; more often means that it may not.
                self.challenged += 1;
                if self.challenged < 4 {
                    self.register(call, now);
                }
            }
            "REFER" if status == 401 => {
                let target = request.text.lines().find_map(|line| line.strip_prefix("Refer-To: ")).unwrap_or_default().to_owned();
                let stale = text.headers("WWW-Authenticate").any(|value| value.contains("stale=true"));
                let again = stale || !request.text.contains("Authorization");
                self.take_challenge(text);
                if again && self.calls.iter().any(|known| known.handle == call && known.state == State::Up) {
                    self.ask(call, "REFER", Some(("Refer-To", target)), now);
                }
            }
            "REGISTER" if status < 300 => self.challenged = 0,
            "REGISTER" if status == 503 => self.wakes.push((Duration::from_secs(3), Wake::Register(call))),
            "BYE" => {
                for known in self.calls.iter_mut().filter(|known| known.handle == call) {
                    known.state = State::Over;
                    let talked = known.ack.is_some() || (200..300).contains(&known.answered_status);
                    known.unknown |= status == 481 && talked;
                }
            }
            _ => {}
        }
    }

    fn hear_invite_response(&mut self, handle: u32, text: &Text, status: u16, now: Tick) {
        let Some(call) = self.calls.iter_mut().find(|call| call.handle == handle) else { return };
        let first = call.state == State::Asked;
        call.heard = true;
        if first && status != 401 && text.tag("To").is_some() {
            call.remote = text.header("To").unwrap_or_default().to_owned();
        }
        if status < 200 {
            // Acknowledged once; what comes again was on its way.
            let rseq = text.header("RSeq").and_then(|rseq| rseq.parse().ok());
            let (fresh, mute, cseq) = (rseq.is_some() && rseq != call.rseq, call.manner.never_acknowledges, text.cseq());
            if let (true, true, false, Some(rseq)) = (first, fresh, mute, rseq) {
                call.rseq = Some(rseq);
                self.ask(handle, "PRACK", Some(("RAck", format!("{rseq} {cseq} INVITE"))), now);
            }
            return;
        }
        if first
            && status < 300
            && let Some(contact) = text.header("Contact")
        {
            call.target = uri_of(contact).to_owned();
        }
        if status == 401 && first {
            let again = call.attempts < 2;
            self.acknowledge(handle, text, status);
            self.take_challenge(text);
            if again && !self.calls.iter().any(|call| call.handle == handle && call.cancelled) {
                self.invite(handle, "sendrecv", now);
            } else {
                self.over(handle);
            }
            return;
        }
        if status >= 300 {
            self.acknowledge(handle, text, status);
            if first || status == 481 || status == 408 {
                self.over(handle);
            }
            return;
        }
        let (cancelled, mute) = (call.cancelled, call.manner.never_acknowledges);
        if first {
            call.state = State::Up;
            let (talk, asks, refers) = (call.manner.talk, call.manner.asks, call.manner.refers);
            self.wakes.push((talk, Wake::HangUp(handle)));
            self.wakes.push((talk / 3, Wake::Reinvite(handle)));
            if asks {
                self.wakes.push((talk / 4, Wake::Ask(handle)));
            }
            if refers {
                self.wakes.push((talk / 2, Wake::Refer(handle)));
            }
        }
        if mute && !cancelled {
            return;
        }
        self.acknowledge(handle, text, status);
        if cancelled && first {
            self.hang_up(handle, now);
        }
    }

    fn over(&mut self, handle: u32) {
        self.calls.iter_mut().filter(|call| call.handle == handle).for_each(|call| call.state = State::Over);
    }

    /// The ACK of a final answer to an INVITE of ours.
    fn acknowledge(&mut self, handle: u32, text: &Text, status: u16) {
        let Some(place) = self.calls.iter().position(|call| call.handle == handle) else { return };
        if status >= 300 {
            let Some(request) = self.requests.iter().find(|request| request.branch == text.branch() && request.method == "INVITE")
            else {
                return;
            };
            let invite = Text(request.text.clone());
            let mut writing = Writing::new(&format!("ACK {} SIP/2.0", invite.request_uri()));
            for name in ["Via", "From"] {
                writing = writing.header(name, invite.header(name).unwrap_or_default());
            }
            let writing = writing.header("To", text.header("To").unwrap_or_default()).header("Call-ID", invite.call_id());
            self.out.push(writing.header("CSeq", &format!("{} ACK", invite.cseq())).body(""));
            return;
        }
        let call = &self.calls[place];
        if call.manner.never_acknowledges && !call.cancelled {
            return;
        }
        if let Some((cseq, ack)) = &call.ack
            && *cseq == text.cseq()
        {
            let ack = ack.clone();
            self.out.push(ack);
            return;
        }
        let request = self.requests.iter().find(|request| request.branch == text.branch() && request.method == "INVITE");
        let offered = request.is_some_and(|request| Described::read(Text(request.text.clone()).body()).is_some());
        let address = self.flow.remote.ip().to_string();
        // Our INVITE had no offer, so the 2xx has one, and this its answer.
        let body = if offered { String::new() } else { sdp(&address, call.media, call.version + 1, &call.codecs, "sendrecv") };
        let (target, local, remote, call_id) = (call.target.clone(), call.local.clone(), call.remote.clone(), call.call_id.clone());
        let (writing, _) = self.start("ACK", &target);
        let writing = writing.header("From", &local).header("To", &remote).header("Call-ID", &call_id);
        let ack = writing.header("CSeq", &format!("{} ACK", text.cseq())).body(&body);
        self.calls[place].ack = Some((text.cseq(), ack.clone()));
        self.out.push(ack);
    }

    fn take_challenge(&mut self, text: &Text) {
        let challenge = text.headers("WWW-Authenticate").find(|value| value.contains("algorithm=MD5"));
        self.challenge = challenge.map(|challenge| (challenge.to_owned(), 0));
    }

    /// What of it should be over and is not, once everybody has hung up.
    pub fn at_rest(&mut self) {
        let place = self.place;
        for call in self.calls.iter().filter(|call| !call.excused) {
            if call.second.is_some() {
                self.faults.push(format!("a second answer of phone {place} was never acknowledged"));
            }
            // A BYE may cross one of the switch's; but who was never told is one whom the switch has forgotten.
            if call.unknown && !call.told {
                self.faults.push(format!("a call of phone {place} was forgotten without a word to it"));
            }
            if call.answer.is_some() {
                self.faults.push(format!("an answer of phone {place} waits for its ACK"));
            }
        }
        for request in self.requests.iter().filter(|request| request.last.is_none() && !request.excused) {
            self.faults.push(format!("{} of phone {place} waits for its answer", request.method));
        }
    }
}

/// A request and those that repeat it.
fn reply_key(request: &Text) -> String {
    format!("{} {}", request.method(), request.branch())
}
