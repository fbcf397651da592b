//! A phone of a ladder: does what the ladder says and nothing by itself, but knows what a message of its dialog looks like.

use std::collections::{BTreeMap, VecDeque};

use pbx_sip::flow::{Flow, Transport};
use pbx_sip::sdp::Crypto;

use crate::wire::{Text, Writing, credentials, sdp, uri_of};
use crate::words::Words;

/// One phone.
pub struct Phone {
    pub name: String,
    pub extension: String,
    pub flow: Flow,
    pub secret: String,
    /// Keep-alives that came.
    pub kept: usize,
    /// It takes no connection.
    pub gone: bool,
    /// What came and was not looked at yet.
    pub inbox: VecDeque<Text>,
    /// What it sent, oldest first.
    pub sent: Vec<String>,
    /// Challenge it was given, and how often it was used.
    pub challenge: Option<(String, u32)>,
    sessions: Vec<Session>,
    /// Its subscriptions, by what they are of.
    subscriptions: BTreeMap<String, Session>,
    /// The entity tag of what it last published.
    published: Option<String>,
    /// The last request of each method, to be answered.
    asked: BTreeMap<String, Text>,
    /// The key of what it sends, if it protects that.
    pub key: Option<Crypto>,
    /// The keys that it was told last.
    pub told: Vec<Crypto>,
    drawn: u32,
    version: u32,
    register_cseq: u32,
}

/// One dialog, or what may become one.
#[derive(Clone, Debug)]
struct Session {
    call_id: String,
    local: String,
    remote: String,
    target: String,
    routes: Vec<String>,
    cseq: u32,
    invite: String,
    invite_cseq: u32,
    refused: bool,
    tag: String,
    /// What a PRACK would say of the last response that was sent reliably.
    rack: String,
    /// Which of the phone's, from 1 on.
    number: usize,
}

const HOUSE: &str = "sip:pbx.test";

impl Phone {
    pub fn new(name: &str, extension: &str, flow: Flow) -> Phone {
        Phone {
            name: name.to_owned(),
            extension: extension.to_owned(),
            flow,
            kept: 0,
            gone: false,
            secret: format!("secret {extension}"),
            inbox: VecDeque::new(),
            sent: Vec::new(),
            challenge: None,
            sessions: Vec::new(),
            subscriptions: BTreeMap::new(),
            published: None,
            asked: BTreeMap::new(),
            key: None,
            told: Vec::new(),
            drawn: 0,
            version: 1,
            register_cseq: 0,
        }
    }

    /// Its media port, the same for all its calls.
    pub fn media(&self) -> String {
        format!("{}:4000", self.flow.remote.ip())
    }

    pub fn contact(&self) -> String {
        let transport = match self.flow.transport {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
            Transport::Tls => ";transport=tls",
            // A browser has no address that it knows (RFC 7118 5.2).
            Transport::Ws | Transport::Wss => return format!("<sip:{}@{}.invalid;transport=ws>", self.extension, self.name),
        };
        format!("<sip:{}@{}{transport}>", self.extension, self.flow.remote)
    }

    /// Something has come.
    pub fn hear(&mut self, text: Text) {
        if !text.body().is_empty() {
            self.told = text.body().lines().filter_map(|line| Crypto::parse(line.strip_prefix("a=crypto:")?)).collect();
        }
        let call_id = text.call_id().to_owned();
        if text.status().is_some() {
            if text.method() == "INVITE"
                && let Some(session) = self.sessions.iter_mut().find(|session| session.call_id == call_id)
            {
                session.heard(&text);
            }
            if let Some(session) = self.subscriptions.values_mut().find(|session| session.call_id == call_id) {
                session.heard(&text);
            }
            if let Some(tag) = text.header("SIP-ETag") {
                self.published = Some(tag.to_owned());
            }
            if matches!(text.method(), "INVITE" | "REGISTER" | "MESSAGE" | "REFER" | "SUBSCRIBE" | "PUBLISH") {
                let challenge = text.headers("WWW-Authenticate").find(|value| value.contains("algorithm=MD5"));
                self.challenge = challenge.map(|value| (value.to_owned(), 0)).or(self.challenge.take());
            }
        } else {
            match self.sessions.iter_mut().find(|session| session.call_id == call_id) {
                Some(session) if text.method() == "INVITE" => session.target = text.contact().unwrap_or_default().to_owned(),
                None if text.method() == "INVITE" => {
                    let session = Session::asked(&text, &format!("u{}", self.name));
                    self.sessions.push(Session { number: self.sessions.len() + 1, ..session });
                }
                Some(_) | None => {}
            }
            self.asked.insert(text.method().to_owned(), text.clone());
        }
        self.inbox.push_back(text);
    }

    /// What the ladder's words come to.
    pub fn speak(&mut self, verb: &str, words: &Words) -> String {
        if let Some(number) = words.value("call") {
            self.turn_to(number.parse().unwrap());
        }
        let text = match verb {
            "again" => return self.again(words.argument.as_deref()),
            "raw" => words.argument.clone().unwrap_or_default().replace("\\n", "\r\n"),
            "REGISTER" => self.register(words),
            "INVITE" if words.argument.is_some() => self.invite(words),
            "SUBSCRIBE" if words.argument.is_some() => self.subscribe(words),
            "PUBLISH" => self.publish(words),
            "ACK" => self.acknowledge(words),
            "CANCEL" => self.cancel(),
            status if status.parse::<u16>().is_ok() => self.answer(status, words),
            method => self.request(method, words),
        };
        let text = words.with_headers(text);
        self.sent.push(text.clone());
        text
    }

    /// The last thing it sent, with credentials for the challenge it was given.
    pub fn speak_with_credentials(&mut self) -> Option<String> {
        let last = Text(self.sent.iter().rev().find(|text| !text.starts_with("ACK"))?.clone());
        let cseq = last.cseq();
        let method = last.method().to_owned();
        let (branch, fresh) = (last.branch().to_owned(), self.draw("b"));
        let authorization = self.authorization(&method, last.request_uri(), false)?;
        let text = last.0.replacen(&branch, &fresh, 1);
        let text = text.replacen(&format!("CSeq: {cseq} "), &format!("CSeq: {} ", cseq + 1), 1);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let kept: Vec<&str> = head.split("\r\n").filter(|line| !line.starts_with("Authorization")).collect();
        let text = format!("{}\r\nAuthorization: {authorization}\r\n\r\n{body}", kept.join("\r\n"));
        match method.as_str() {
            "REGISTER" => self.register_cseq = cseq + 1,
            "MESSAGE" | "PUBLISH" => {}
            "SUBSCRIBE" => {
                let call_id = last.call_id().to_owned();
                if let Some(session) = self.subscriptions.values_mut().find(|session| session.call_id == call_id) {
                    (session.cseq, session.invite_cseq) = (cseq + 1, cseq + 1);
                }
            }
            "REFER" => {
                if let Some(session) = self.sessions.last_mut() {
                    session.cseq = cseq + 1;
                }
            }
            _ => {
                if let Some(session) = self.sessions.last_mut() {
                    (session.cseq, session.invite_cseq, session.invite) = (cseq + 1, cseq + 1, text.clone());
                }
            }
        }
        self.sent.push(text.clone());
        Some(text)
    }

    /// The ACK of a failure that has just come.
    pub fn acknowledge_failure(&mut self) -> String {
        self.speak("ACK", &Words::default())
    }

    fn register(&mut self, words: &Words) -> String {
        self.register_cseq += 1;
        let contact = words.value("contact").map_or(self.contact(), |contact| contact.replace("own", &self.contact()));
        let user = words.value("user").unwrap_or(&self.extension).to_owned();
        let address = format!("<sip:{}@pbx.test>", words.value("aor").unwrap_or(&user));
        let cseq = words.value("cseq").map_or(self.register_cseq, |cseq| cseq.parse().unwrap());
        let call_id = words.value("call_id").map_or(format!("register-{}", self.name), str::to_owned);
        let mut writing = self
            .started("REGISTER", HOUSE)
            .header("From", &format!("{address};tag=r"))
            .header("To", &address)
            .header("Call-ID", &call_id)
            .header("CSeq", &format!("{cseq} REGISTER"));
        if contact != "none" {
            writing = writing.header("Contact", &contact);
        }
        if let Some(expires) = words.value("expires") {
            writing = writing.header("Expires", expires);
        }
        if !words.has("bare")
            && let Some(authorization) = self.authorization_of(&user, "REGISTER", HOUSE, words.has("wrong"))
        {
            writing = writing.header("Authorization", &authorization);
        }
        writing.body("")
    }

    fn invite(&mut self, words: &Words) -> String {
        let number = words.argument.clone().unwrap_or_default();
        let uri = if number.contains(':') { number.clone() } else { format!("sip:{number}@pbx.test") };
        let (call_id, tag) = (self.draw("call"), self.draw("t"));
        let local = format!("<sip:{}@pbx.test>;tag={tag}", self.extension);
        let remote = format!("<{uri}>");
        let mut writing = self
            .started("INVITE", &uri)
            .header("From", &local)
            .header("To", &remote)
            .header("Call-ID", &call_id)
            .header("CSeq", "1 INVITE")
            .header("Contact", &self.contact());
        if !words.has("bare")
            && let Some(authorization) = self.authorization("INVITE", &uri, words.has("wrong"))
        {
            writing = writing.header("Authorization", &authorization);
        }
        let text = words.with_headers(writing.body(&self.description(words, true)));
        self.sessions.push(Session {
            call_id,
            local,
            remote,
            target: uri,
            routes: Vec::new(),
            cseq: 1,
            invite: text.clone(),
            invite_cseq: 1,
            refused: false,
            tag,
            rack: String::new(),
            number: self.sessions.len() + 1,
        });
        text
    }

    /// `SUBSCRIBE dialog of=202 expires=600`: the first time outside a dialog, after that in it, unless `anew`.
    fn subscribe(&mut self, words: &Words) -> String {
        let package = words.argument.clone().unwrap_or_default();
        let of = words.value("of").unwrap_or(&self.extension).to_owned();
        let name = format!("{package} {of}");
        if words.has("anew") || !self.subscriptions.contains_key(&name) {
            let (call_id, tag) = (self.draw("watch"), self.draw("t"));
            // `of=pbx.test` names nobody.
            let uri = if of.contains('.') { format!("sip:{of}") } else { format!("sip:{of}@pbx.test") };
            let local = format!("<sip:{}@pbx.test>;tag={tag}", self.extension);
            let session = Session {
                call_id,
                local,
                remote: format!("<{uri}>"),
                target: uri,
                routes: Vec::new(),
                cseq: 0,
                invite: String::new(),
                invite_cseq: 0,
                refused: false,
                tag,
                rack: String::new(),
                number: 0,
            };
            self.subscriptions.insert(name.clone(), session);
        }
        let session = self.subscriptions.get_mut(&name).unwrap();
        session.cseq += 1;
        session.invite_cseq = session.cseq;
        let session = session.clone();
        let event = words.value("event").unwrap_or(&package).to_owned();
        let mut writing = self
            .started("SUBSCRIBE", &session.target)
            .header("From", &session.local)
            .header("To", &session.remote)
            .header("Call-ID", &session.call_id)
            .header("CSeq", &format!("{} SUBSCRIBE", session.cseq))
            .header("Contact", &self.contact())
            .header("Event", &event);
        if let Some(expires) = words.value("expires") {
            writing = writing.header("Expires", expires);
        }
        writing.body("")
    }

    /// `PUBLISH busy`, `PUBLISH again` (the time alone), `PUBLISH gone`.
    fn publish(&mut self, words: &Words) -> String {
        let said = words.argument.as_deref().unwrap_or("open");
        let uri = format!("sip:{}@pbx.test", words.value("of").unwrap_or(&self.extension));
        let call_id = self.draw("publish");
        let mut writing = self
            .started("PUBLISH", &uri)
            .header("From", &format!("<sip:{}@pbx.test>;tag=p", self.extension))
            .header("To", &format!("<{uri}>"))
            .header("Call-ID", &call_id)
            .header("CSeq", "1 PUBLISH")
            .header("Event", "presence")
            .header("Expires", if said == "gone" { "0" } else { words.value("expires").unwrap_or("600") });
        if let Some(tag) = self.published.clone().filter(|_| matches!(said, "again" | "gone" | "instead")) {
            writing = writing.header("SIP-If-Match", &tag);
        }
        if matches!(said, "again" | "gone") {
            return writing.body("");
        }
        let activity = if said == "open" { String::new() } else { format!("<activities><{said}/></activities>") };
        let document = format!(
            "<presence entity=\"{uri}\"><tuple id=\"t\"><status><basic>open</basic></status></tuple><person>{activity}</person></presence>"
        );
        writing.header("Content-Type", words.value("type").unwrap_or("application/pidf+xml")).raw_body(&document)
    }

    /// A request in the dialog; `OPTIONS pbx` and its like stand outside one.
    fn request(&mut self, method: &str, words: &Words) -> String {
        let outside = words.argument.is_some() || self.sessions.is_empty();
        if outside {
            let uri = words.argument.as_deref().filter(|uri| uri.contains(':')).unwrap_or(HOUSE).to_owned();
            let call_id = self.draw("outside");
            return self
                .started(method, &uri)
                .header("From", &format!("<sip:{}@pbx.test>;tag=o", self.extension))
                .header("To", &format!("<{uri}>"))
                .header("Call-ID", &call_id)
                .header("CSeq", &format!("1 {method}"))
                .text(words.value("says"));
        }
        let asks = ["sdp", "badsdp", "zero", "shut"].iter().any(|flag| words.has(flag))
            || words.value("dir").is_some()
            || words.value("codecs").is_some();
        let described = method == "INVITE" || asks && matches!(method, "UPDATE" | "PRACK");
        let body = self.description(words, described);
        let mut session = self.sessions.pop().unwrap();
        session.cseq += 1;
        let cseq = words.value("cseq").map_or(session.cseq, |cseq| cseq.parse().unwrap());
        let mut writing = self.started(method, &session.target);
        for route in &session.routes {
            writing = writing.header("Route", route);
        }
        let remote = words.value("to_tag").map_or(session.remote.clone(), |tag| {
            format!("{};tag={tag}", session.remote.split(";tag=").next().unwrap_or_default())
        });
        let writing = writing
            .header("From", &session.local)
            .header("To", &remote)
            .header("Call-ID", &session.call_id)
            .header("CSeq", &format!("{cseq} {method}"))
            .header("Contact", &self.contact());
        let writing = match words.value("to").map(str::to_owned).or_else(|| self.replacing(words.value("replaces"))) {
            Some(target) if method == "REFER" => writing.header("Refer-To", &format!("<sip:{target}>")),
            _ => writing,
        };
        let writing = if method == "PRACK" { writing.header("RAck", &session.rack) } else { writing };
        let text = if method == "INFO" {
            writing.header("Content-Type", "application/dtmf-relay").raw_body("Signal=5\r\nDuration=160\r\n")
        } else if method == "MESSAGE" {
            writing.text(words.value("says"))
        } else {
            writing.body(&body)
        };
        if method == "INVITE" {
            (session.invite, session.invite_cseq, session.refused) = (text.clone(), cseq, false);
        }
        self.sessions.push(session);
        text
    }

    /// What is said next is said in that call of its.
    fn turn_to(&mut self, number: usize) {
        let place = self.sessions.iter().position(|session| session.number == number).expect("a call of that number");
        let session = self.sessions.remove(place);
        self.sessions.push(session);
    }

    /// Its call of that number as others name it (RFC 3891): the tag of the switch first.
    pub fn dialog(&self, number: usize) -> String {
        let session = self.sessions.iter().find(|session| session.number == number).expect("a call of that number");
        let tag = |of: &str| of.split(";tag=").nth(1).unwrap_or_default().to_owned();
        format!("{};to-tag={};from-tag={}", session.call_id, tag(&session.remote), tag(&session.local))
    }

    fn replacing(&self, number: Option<&str>) -> Option<String> {
        let dialog = self.dialog(number?.parse().unwrap());
        Some(format!("pbx.test?Replaces={}", dialog.replace('@', "%40").replace(';', "%3B").replace('=', "%3D")))
    }

    fn acknowledge(&mut self, words: &Words) -> String {
        let body = if words.has("sdp") || words.value("codecs").is_some() { self.description(words, true) } else { String::new() };
        let session = self.sessions.last().expect("an INVITE before its ACK").clone();
        let invite = Text(session.invite.clone());
        // `ACK cseq=2` is that of an earlier INVITE, which was accepted.
        let refused = session.refused && words.value("cseq").is_none();
        let mut writing = if refused {
            Writing::new(&format!("ACK {} SIP/2.0", invite.request_uri())).header("Via", invite.header("Via").unwrap_or_default())
        } else {
            self.started("ACK", &session.target)
        };
        if !refused {
            for route in &session.routes {
                writing = writing.header("Route", route);
            }
        }
        writing
            .header("From", &session.local)
            .header("To", &session.remote)
            .header("Call-ID", &session.call_id)
            .header("CSeq", &format!("{} ACK", words.value("cseq").map_or(session.invite_cseq, |cseq| cseq.parse().unwrap())))
            .body(&body)
    }

    fn cancel(&mut self) -> String {
        let invite = Text(self.sessions.last().expect("an INVITE before its CANCEL").invite.clone());
        let mut writing = Writing::new(&format!("CANCEL {} SIP/2.0", invite.request_uri()));
        for name in ["Via", "From", "To", "Call-ID"] {
            writing = writing.header(name, invite.header(name).unwrap_or_default());
        }
        writing.header("CSeq", &format!("{} CANCEL", invite.cseq())).body("")
    }

    fn answer(&mut self, status: &str, words: &Words) -> String {
        let method = words.argument.as_deref().unwrap_or("INVITE");
        let request = self.asked.get(method).unwrap_or_else(|| panic!("{} was never asked {method}", self.name)).clone();
        let code: u16 = status.parse().unwrap();
        let tag = words.value("tag").map_or(format!("u{}", self.name), str::to_owned);
        let mut reply = Writing::reply(&request, code, &tag);
        if method == "INVITE" && code < 300 && !words.has("nocontact") {
            reply = reply.header("Contact", &self.contact());
        }
        let described = method == "INVITE" && (200..300).contains(&code) || words.has("sdp");
        reply.body(&if described { self.description(words, true) } else { String::new() })
    }

    fn again(&mut self, method: Option<&str>) -> String {
        let found = |text: &&String| {
            method.is_none_or(|method| {
                text.starts_with(method)
                    || text.starts_with(&format!("SIP/2.0 {method}"))
                    || text.contains(&format!(" {method}\r\n"))
            })
        };
        self.sent.iter().rev().find(found).expect("something sent before").clone()
    }

    fn description(&mut self, words: &Words, wanted: bool) -> String {
        if !wanted || words.has("nosdp") {
            return String::new();
        }
        if words.has("badsdp") {
            return "this is no description\r\n".to_owned();
        }
        self.version += 1;
        let address = if words.has("zero") { "0.0.0.0".to_owned() } else { self.flow.remote.ip().to_string() };
        let codecs = words.value("codecs").unwrap_or("8,0,101");
        let port = if words.has("shut") { 0 } else { 4000 };
        let text = sdp(&address, port, self.version, codecs, words.value("dir").unwrap_or("sendrecv"));
        self.key = words.value("keys").map(|how| {
            let (_, suite) = how.split_once(':').unwrap_or(("", "AES_CM_128_HMAC_SHA1_80"));
            let octets = if suite.ends_with("GCM") { 28 } else { 30 };
            Crypto { tag: 7, suite: suite.to_owned(), octets: vec![self.version as u8; octets], mki_octets: 0 }
        });
        match (&self.key, words.value("keys")) {
            (Some(key), Some(how)) if how.starts_with("savp") => {
                format!("{}a=crypto:{key}\r\n", text.replace("RTP/AVP", "RTP/SAVP"))
            }
            (Some(key), _) => format!("{text}a=crypto:{key}\r\n"),
            (None, _) => text,
        }
    }

    fn authorization(&mut self, method: &str, uri: &str, wrong: bool) -> Option<String> {
        let user = self.extension.clone();
        self.authorization_of(&user, method, uri, wrong)
    }

    fn authorization_of(&mut self, user: &str, method: &str, uri: &str, wrong: bool) -> Option<String> {
        let (challenge, count) = self.challenge.as_mut()?;
        *count += 1;
        let secret = if wrong { "not this one" } else { &self.secret };
        Some(credentials(challenge, user, secret, method, uri, *count))
    }

    fn started(&mut self, method: &str, uri: &str) -> Writing {
        let branch = self.draw("b");
        let via = format!("SIP/2.0/{} {};rport;branch={branch}", self.flow.transport.as_str(), self.flow.remote);
        Writing::new(&format!("{method} {uri} SIP/2.0")).header("Via", &via).header("Max-Forwards", "70")
    }

    fn draw(&mut self, what: &str) -> String {
        self.drawn += 1;
        let cookie = if what == "b" { "z9hG4bK-" } else { "" };
        format!("{cookie}{what}{}-{}", self.drawn, self.name)
    }
}

impl Session {
    /// An INVITE has come.
    fn asked(invite: &Text, tag: &str) -> Session {
        Session {
            call_id: invite.call_id().to_owned(),
            local: format!("{};tag={tag}", invite.header("To").unwrap_or_default()),
            remote: invite.header("From").unwrap_or_default().to_owned(),
            target: invite.contact().unwrap_or_default().to_owned(),
            routes: invite
                .headers("Record-Route")
                .flat_map(|value| value.split(','))
                .map(|route| route.trim().to_owned())
                .collect(),
            cseq: 100,
            invite: String::new(),
            invite_cseq: 0,
            refused: false,
            tag: tag.to_owned(),
            rack: String::new(),
            number: 0,
        }
    }

    /// A response to its INVITE has come.
    fn heard(&mut self, response: &Text) {
        if response.cseq() != self.invite_cseq || response.tag("From") != Some(&self.tag) && !self.local.contains(&self.tag) {
            return;
        }
        let Some(status) = response.status() else { return };
        self.refused = status >= 300;
        if let Some(rseq) = response.header("RSeq") {
            self.rack = format!("{rseq} {} INVITE", response.cseq());
        }
        if response.tag("To").is_some() && (status < 300 || !self.remote.contains(";tag=")) {
            self.remote = response.header("To").unwrap_or_default().to_owned();
        }
        if status < 300
            && let Some(contact) = response.header("Contact")
        {
            self.target = uri_of(contact).to_owned();
            let routes = response.headers("Record-Route").flat_map(|value| value.split(','));
            self.routes = routes.map(|route| route.trim().to_owned()).collect();
            self.routes.reverse();
        }
    }
}
