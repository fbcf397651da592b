//! A ladder is a list of lines, each with a time in milliseconds: what is done to the stack (`<- METHOD`, `<- STATUS`, `respond`,
//! `request`, `cancel`, `acknowledge`, `close`), and between them all that comes of it (`->`, `heard`, and `over` when no transaction
//! is left). `check` does what is to be done at its time, wakes the stack when it asks for it, and compares the whole. Behind `#`
//! stands why.

use bytes::Bytes;
use pbx_sip::clock::{Now, Tick};
use pbx_sip::entropy::Entropy;
use pbx_sip::flow::{ConnectionId, Flow, Transport};
use pbx_sip::message::{Builder, HeaderName, Message, Method};
use pbx_sip::stack::{ClientKey, Heard, ServerKey, Stack};
use pbx_sip::transaction::Timers;

/// Runs a ladder over one transport.
#[track_caller]
pub fn check(transport: Transport, ladder: &str) {
    let lines: Vec<String> = ladder
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .collect();
    let mut ran = Ladder::new(transport);
    for line in &lines {
        let (time, step) = line.split_once(' ').expect("a time and a step");
        let words: Vec<&str> = step.split(' ').collect();
        if matches!(words[0], "<-" | "respond" | "request" | "cancel" | "acknowledge" | "close") {
            ran.advance(Tick(time.parse::<u64>().expect("milliseconds") * 1000));
            ran.log(step);
            ran.step(words[0], &words[1..]);
        }
    }
    ran.advance(Tick(u64::MAX));
    assert!(ran.stack.is_empty(), "{} transactions are left over", ran.stack.len());
    let (got, wanted) = (ran.trace.join("\n"), lines.join("\n"));
    assert!(got == wanted, "\n--- wanted\n{wanted}\n--- got\n{got}");
}

/// A stack with a peer at the other end of one flow.
pub struct Ladder {
    /// What is tried.
    pub stack: Stack,
    /// The time.
    pub now: Now,
    flow: Flow,
    trace: Vec<String>,
    alive: bool,
    /// Requests heard.
    heard: Vec<(ServerKey, Message)>,
    /// Requests we sent, newest last.
    pub sent: Vec<Message>,
    asked: Option<ClientKey>,
}

impl Ladder {
    /// An empty stack.
    pub fn new(transport: Transport) -> Ladder {
        let connection = if transport.is_reliable() { ConnectionId(7) } else { ConnectionId::default() };
        let (local, remote) = (address("192.0.2.1:5060"), address("192.0.2.9:5062"));
        let stack = Stack::new(Timers::default(), Entropy::from_seed([3; 32]));
        let flow = Flow { transport, local, remote, connection };
        Ladder { stack, now: Now::default(), flow, trace: vec![], alive: false, heard: vec![], sent: vec![], asked: None }
    }

    /// Everything that is due until then, each at its own time.
    fn advance(&mut self, until: Tick) {
        while let Some(due) = self.stack.poll_deadline().filter(|due| *due <= until) {
            assert!(due >= self.now.tick, "time goes backwards");
            self.now = self.now + due.since(self.now.tick);
            self.stack.handle_deadline(self.now);
            assert!(self.stack.poll_deadline().is_none_or(|next| next > due), "a deadline that stays is a loop");
            self.drain();
        }
        if until != Tick(u64::MAX) {
            self.now = self.now + until.since(self.now.tick);
        }
    }

    /// One thing done; `words` are what stands behind the verb.
    pub fn step(&mut self, verb: &str, words: &[&str]) {
        let option = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        match verb {
            "<-" => {
                let mut flow = self.flow;
                flow.remote = option("source").map_or(flow.remote, address);
                let octets = match words[0].parse::<u16>() {
                    Ok(status) => self.response(status, words),
                    Err(_) => request(self.flow.transport, words),
                };
                self.stack.receive(flow, octets, self.now);
            }
            "respond" => {
                let wanted = |(_, request): &&(ServerKey, Message)| {
                    let branch = request.top_via().ok().and_then(|via| via.branch());
                    option("call").is_none_or(|call| request.call_id() == Ok(call))
                        && option("branch").is_none_or(|wanted| branch == Some(wanted))
                };
                let (key, request) = self.heard.iter().rev().find(wanted).expect("a request was heard");
                let response = Builder::response_to(request, words[0].parse().expect("a status"), Some("ours")).build();
                self.stack.respond(*key, response, self.now);
            }
            "request" => {
                let method = Method::parse(words[0].as_bytes()).expect("a method");
                let request = Builder::request(&method, "sip:202@192.0.2.9:5062")
                    .header(HeaderName::Route, "<sip:edge.example;lr>")
                    .header(HeaderName::MaxForwards, "70")
                    .header(HeaderName::From, "<sip:201@pbx.example>;tag=ours")
                    .header(HeaderName::To, "<sip:202@pbx.example>")
                    .header(HeaderName::CallId, "asked")
                    .header(HeaderName::CSeq, format!("1 {method}"));
                self.asked = Some(self.stack.request(request, self.flow, self.now));
            }
            "cancel" => {
                let key = self.asked.expect("something was asked");
                self.stack.cancel(key, Some("SIP;cause=200;text=\"Call completed elsewhere\""), self.now);
            }
            "acknowledge" => {
                let mut flow = self.flow;
                flow.remote = option("at").map_or(flow.remote, address);
                let tag = option("tag").unwrap_or("theirs");
                let ack = Builder::request(&Method::Ack, "sip:202@192.0.2.9")
                    .header(HeaderName::From, "<sip:201@pbx.example>;tag=ours")
                    .header(HeaderName::To, format!("<sip:202@pbx.example>;tag={tag}"))
                    .header(HeaderName::CallId, "asked")
                    .header(HeaderName::CSeq, "1 ACK");
                self.stack.acknowledge(self.asked.expect("something was asked"), ack, flow);
            }
            "close" => self.stack.flow_closed(self.flow),
            other => panic!("{other}"),
        }
        self.drain();
        self.advance(self.now.tick);
    }

    /// The peer's response to the last request of ours of the method named behind the status, else to the last but an ACK or CANCEL.
    fn response(&self, status: u16, words: &[&str]) -> Bytes {
        let named = words.get(1).filter(|word| !word.contains('='));
        let wanted = |request: &&Message| match named {
            Some(name) => request.method().as_str() == *name,
            None => !matches!(request.method(), Method::Ack | Method::Cancel),
        };
        let request = self.sent.iter().rev().find(wanted).expect("a request was sent");
        let option = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        let response = Builder::response_to(request, status, Some(option("tag").unwrap_or("theirs"))).build();
        match option("branch") {
            Some(branch) => {
                let ours = request.top_via().expect("our Via").branch().expect("our branch").to_owned();
                String::from_utf8(response.bytes().to_vec()).expect("text").replace(&ours, branch).into()
            }
            None => response.bytes().clone(),
        }
    }

    fn drain(&mut self) {
        self.alive |= !self.stack.is_empty();
        while let Some((flow, octets)) = self.stack.poll_transmit() {
            let message = Message::parse(octets).expect("what we send can be read");
            assert_eq!(message.fault(), None);
            let mut line = match message.status() {
                Some(status) => format!("-> {status} {}", message.method()),
                None => format!("-> {}", message.method()),
            };
            if flow.remote != self.flow.remote {
                line.push_str(&format!(" to {}", flow.remote));
            }
            if flow.connection != self.flow.connection {
                line.push_str(" over a new connection");
            }
            self.log(&line);
            if message.is_request() {
                assert_eq!(message.check_request(), Ok(()), "{message:?}");
                self.sent.push(message);
            }
        }
        while let Some(heard) = self.stack.poll_heard() {
            let line = match heard {
                Heard::Request { key, message, .. } => {
                    self.heard.push((key, message));
                    self.heard.last().map(|(_, message)| message.method().to_string()).unwrap_or_default()
                }
                Heard::Acknowledged { message, .. } | Heard::Cancelled { message, .. } => message.method().to_string(),
                Heard::ProvisionalNotAcknowledged { .. } => "that a provisional response has no PRACK".to_owned(),
                Heard::NotAcknowledged { .. } => "that nobody acknowledged".to_owned(),
                Heard::Response { key, message, .. } => {
                    assert_eq!(Some(key), self.asked);
                    message.status().map(|status| status.to_string()).unwrap_or_default()
                }
                Heard::TimedOut { key } => {
                    assert_eq!(Some(key), self.asked);
                    "nothing in time".to_owned()
                }
                Heard::FlowFailed { key } => {
                    assert_eq!(Some(key), self.asked);
                    "that the flow failed".to_owned()
                }
            };
            self.log(&format!("heard {line}"));
        }
        if self.alive && self.stack.is_empty() {
            self.alive = false;
            self.log("over");
        }
    }

    fn log(&mut self, line: &str) {
        let time = self.now.tick.since(Tick(0));
        assert_eq!(time.subsec_micros() % 1000, 0);
        self.trace.push(format!("{} {line}", time.as_millis()));
    }
}

/// A request of the peer, and what its options change.
pub fn request(transport: Transport, words: &[&str]) -> Bytes {
    let option = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let method = words[0];
    let default = if method == "ACK" && words.contains(&"ok") { "z9hG4bKack" } else { "z9hG4bKa" };
    let branch = match option("branch").unwrap_or(default) {
        "none" => String::new(),
        branch => format!(";branch={branch}"),
    };
    let rport = if words.contains(&"rport") { ";rport" } else { "" };
    let via = option("via").unwrap_or("192.0.2.9:5062");
    let from =
        option("from").map_or(";tag=theirs".to_owned(), |tag| if tag == "none" { String::new() } else { format!(";tag={tag}") });
    // A request in a dialog names our tag, as does the ACK of whatever we answered.
    let to = option("tag").or((method == "ACK").then_some("ours")).map(|tag| format!(";tag={tag}")).unwrap_or_default();
    let (call, number, transport) = (option("call").unwrap_or("c1"), option("cseq").unwrap_or("1"), transport.as_str());
    format!(
        "{method} sip:202@pbx.example SIP/2.0\r\nVia: SIP/2.0/{transport} {via}{rport}{branch}\r\nFrom: <sip:201@pbx.example>{from}\r\n\
         To: <sip:202@pbx.example>{to}\r\nCall-ID: {call}\r\nCSeq: {number} {method}\r\nContact: <sip:201@192.0.2.9:5062>\r\n\
         Content-Length: 0\r\n\r\n"
    )
    .into()
}

fn address(text: &str) -> std::net::SocketAddr {
    text.parse().expect("an address")
}
