//! One line: looked up, registered or asked whether it is there, again and again. It never gives up; after each failure it waits
//! longer, up to a few minutes, and never as long as its neighbours, so that a carrier that comes back is not met by all at once.

use std::time::Duration;

use pbx_sip::clock::{Now, Tick, Wall};
use pbx_sip::credentials::{Challenge, Credentials};
use pbx_sip::entropy::Entropy;
use pbx_sip::flow::Flow;
use pbx_sip::message::{Builder, Contacts, HeaderName, Message, Method};
use pbx_sip::target::{ResolveError, Target};
use serde::{Deserialize, Serialize};

use crate::directory::{ExtensionNumber, Trunk, TrunkKey};
use crate::trunking::TrunkFailure;

/// Can calls go by it?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineState {
    /// Not known yet.
    Trying,
    /// Yes.
    Up,
    /// No; the failure says why.
    Down,
}

/// What pages show of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineStatus {
    /// Which.
    pub trunk: TrunkKey,
    /// How it is.
    pub state: LineState,
    /// Since when.
    pub since: Wall,
    /// What was wrong last; kept when it is up again.
    pub failure: Option<TrunkFailure>,
    /// The status that said so, if it was one.
    pub status: Option<u16>,
    /// Which server carries it.
    pub server: Option<std::net::SocketAddr>,
    /// Until when we are registered there.
    pub registered_until: Option<Wall>,
    /// Calls on it.
    pub calls: usize,
    /// A test call that was prepared, and what came of it.
    pub test: Option<LineTest>,
}

/// A call that is to show whether a line lets another number than ours pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineTest {
    /// Whose call.
    pub extension: ExtensionNumber,
    /// To whom, E.164.
    pub number: String,
    /// What it shows, E.164.
    pub shown: String,
    /// Until when it may begin.
    pub until: Wall,
    /// How far it is.
    pub state: LineTestState,
}

/// How far a test call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineTestState {
    /// Nobody has dialled yet.
    Waiting,
    /// It rings.
    Calling,
    /// It was answered: the line carries such a call.
    Answered,
    /// It came to nothing.
    Failed,
}

/// What a line wants done.
#[derive(Clone, Debug)]
pub enum Wish {
    /// Look these up, in this order.
    Resolve(Vec<Target>),
    /// Send this by that way, and tell what comes of it.
    Send(Flow, Builder),
    /// Its status has changed.
    Changed,
}

/// After a failure.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(180);

/// Where the carrier does not take what we are: asking more often would have us banned there.
const PAUSE_WHEN_REFUSED: Duration = Duration::from_secs(300);

/// How long names are believed before they are looked up again.
const LOOKED_UP_FOR: Duration = Duration::from_secs(300);

/// What we wish for where nobody says otherwise, and the least a registrar may give.
const EXPIRES_S: u32 = 600;
const LEAST_S: u32 = 1;
const MOST_S: u32 = 86_400;

/// Between two registrations, whatever the registrar gives.
const LEAST_PAUSE_S: u64 = 5;

/// What a line is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    /// Nothing: it was never begun, or is switched off.
    Nothing,
    /// Its names.
    Names,
    /// The answer to a REGISTER.
    Registration,
    /// The answer to an OPTIONS.
    Probe,
    /// Until it is time again.
    Time,
}

/// The machine.
pub struct Line {
    trunk: Trunk,
    waits: Waits,
    flows: Vec<Flow>,
    looked_up: Option<Tick>,
    /// Which of the flows is used.
    place: usize,
    /// Servers that failed one after the other.
    failed: usize,
    state: LineState,
    since: Wall,
    failure: Option<(TrunkFailure, Option<u16>)>,
    registered_until: Option<Wall>,
    refresh_at: Option<Tick>,
    expires_s: u32,
    /// By which calls to us are known: the user of our Contact.
    token: String,
    call_id: String,
    tag: String,
    cseq: u32,
    challenge: Option<Challenge>,
    /// The challenge of this request was answered already.
    answered: bool,
    /// When it asked last.
    asked: Option<Tick>,
    pause: Duration,
    wake: Option<Tick>,
    wishes: Vec<Wish>,
}

impl Line {
    /// A line that begins now.
    pub fn new(trunk: Trunk, domain: &str, entropy: &mut Entropy, now: Now) -> Line {
        let expires_s = if trunk.register_s == 0 { EXPIRES_S } else { trunk.register_s };
        let mut line = Line {
            token: entropy.token(),
            call_id: format!("{}@{domain}", entropy.token()),
            tag: entropy.token(),
            trunk,
            waits: Waits::Nothing,
            flows: Vec::new(),
            looked_up: None,
            place: 0,
            failed: 0,
            state: LineState::Trying,
            since: now.wall,
            failure: None,
            registered_until: None,
            refresh_at: None,
            expires_s,
            cseq: 0,
            challenge: None,
            answered: false,
            asked: None,
            pause: FIRST_PAUSE,
            wake: None,
            wishes: vec![Wish::Changed],
        };
        line.look_up();
        line
    }

    /// What it is.
    pub fn trunk(&self) -> &Trunk {
        &self.trunk
    }

    /// The next thing that it wants done.
    pub fn poll_wish(&mut self) -> Option<Wish> {
        if self.wishes.is_empty() { None } else { Some(self.wishes.remove(0)) }
    }

    /// When to come back.
    pub fn poll_deadline(&self) -> Option<Tick> {
        self.wake
    }

    /// Where calls go now: the way that answered last, then the others.
    pub fn ways(&self) -> impl Iterator<Item = Flow> + '_ {
        let (before, after) = self.flows.split_at(self.place.min(self.flows.len()));
        after.iter().chain(before).copied()
    }

    /// Is a call worth trying?
    pub fn is_usable(&self) -> bool {
        self.state != LineState::Down && !self.flows.is_empty()
    }

    /// Does a message that came this way come from this line?
    pub fn is_from(&self, flow: &Flow) -> bool {
        // Who speaks TLS there does not come without it.
        let secured = self.trunk.transport.is_none_or(|transport| !transport.is_secured() || flow.transport.is_secured());
        secured
            && self.flows.iter().any(|known| {
                // On one machine there is more than one: there the port belongs to the address.
                known.remote.ip() == flow.remote.ip()
                    && (known.remote.port() == flow.remote.port()
                        || !flow.remote.ip().is_loopback()
                        || flow.transport.is_reliable())
            })
    }

    /// Is it meant by the user of a Request-URI: our Contact there, known to nobody else, or its account?
    pub fn is_named(&self, user: &str) -> bool {
        !user.is_empty() && (user == self.token || user == self.trunk.user)
    }

    /// For pages, with the calls on it.
    pub fn status(&self, calls: usize) -> LineStatus {
        LineStatus {
            trunk: self.trunk.key.clone(),
            state: self.state,
            since: self.since,
            failure: self.failure.map(|(failure, _)| failure),
            status: self.failure.and_then(|(_, status)| status),
            server: self.flows.get(self.place).map(|flow| flow.remote),
            registered_until: self.registered_until,
            calls,
            test: None,
        }
    }

    /// Its names were looked up.
    pub fn resolved(&mut self, found: Result<Vec<Flow>, ResolveError>, entropy: &mut Entropy, now: Now) {
        if self.waits != Waits::Names {
            return;
        }
        match found {
            Ok(flows) if !flows.is_empty() => {
                // Stays with the server that it has, if that is still one.
                let current = self.flows.get(self.place).copied();
                self.place = current.and_then(|current| flows.iter().position(|flow| *flow == current)).unwrap_or(0);
                self.flows = flows;
                self.looked_up = Some(now.tick);
                self.ask(entropy, now);
            }
            Ok(_) => self.down(TrunkFailure::NoSuchName, None, entropy, now),
            // What was known before serves until somebody answers.
            Err(ResolveError::NoAnswer) if !self.flows.is_empty() => self.ask(entropy, now),
            Err(error) => self.down(error.into(), None, entropy, now),
        }
    }

    /// The answer to what it asked.
    pub fn response(&mut self, message: &Message, entropy: &mut Entropy, now: Now) {
        let Some(status) = message.status().filter(|status| *status >= 200) else { return };
        match self.waits {
            Waits::Registration => self.registration_answered(status, message, entropy, now),
            // Whatever it says, it is there, unless it says that it is not.
            Waits::Probe if matches!(status, 408 | 500..=599) => {
                self.failed(TrunkFailure::of_registration(status), Some(status), entropy, now)
            }
            Waits::Probe => self.up(now, entropy),
            Waits::Nothing | Waits::Names | Waits::Time => {}
        }
    }

    /// Nothing came of what it asked: no answer, or no connection.
    pub fn unanswered(&mut self, failure: TrunkFailure, entropy: &mut Entropy, now: Now) {
        if matches!(self.waits, Waits::Registration | Waits::Probe) {
            self.failed(failure, None, entropy, now);
        }
    }

    /// A call found that the server it uses does not answer: it is asked at once.
    pub fn doubted(&mut self, entropy: &mut Entropy, now: Now) {
        if self.waits == Waits::Time && self.state == LineState::Up {
            self.refresh_at = None;
            self.ask(entropy, now);
        }
    }

    /// Our address as its servers see it may be another; true if it is.
    pub fn moved(&mut self, seen: impl Fn(Flow) -> Flow) -> bool {
        let before = std::mem::take(&mut self.flows);
        self.flows = before.iter().copied().map(seen).collect();
        self.flows != before
    }

    /// A call was refused by it, which says nothing of whether it is there.
    pub fn refused_a_call(&mut self, failure: TrunkFailure, status: u16) {
        self.failure = Some((failure, Some(status)));
    }

    /// Is that the way it uses now?
    pub fn uses(&self, flow: &Flow) -> bool {
        self.flows.get(self.place).is_some_and(|own| own.transport == flow.transport && own.remote == flow.remote)
    }

    /// A connection is gone: if it was its own, it registers anew.
    pub fn flow_closed(&mut self, flow: &Flow, entropy: &mut Entropy, now: Now) {
        if !self.uses(flow) || !flow.transport.is_reliable() {
            return;
        }
        // A server that closes what it has just answered is not asked as fast as it closes.
        if self.waits == Waits::Time && self.asked.is_some_and(|asked| now.tick.since(asked) < FIRST_PAUSE) {
            self.refresh_at = None;
            self.wake = Some(now.tick + jittered(FIRST_PAUSE, entropy));
        } else {
            self.doubted(entropy, now);
        }
    }

    /// Its time has come.
    pub fn handle_deadline(&mut self, entropy: &mut Entropy, now: Now) {
        if self.wake.is_none_or(|wake| wake > now.tick) {
            return;
        }
        self.wake = None;
        let fresh = self.looked_up.is_some_and(|when| now.tick.since(when) < LOOKED_UP_FOR);
        if fresh && !self.flows.is_empty() && self.state == LineState::Up { self.ask(entropy, now) } else { self.look_up() }
    }

    /// It is taken away: who registered says goodbye.
    pub fn leave(&mut self, user_agent: &str, entropy: &mut Entropy) -> Option<(Flow, Builder)> {
        self.registered_until?;
        let flow = self.flows.get(self.place).copied()?;
        self.cseq += 1;
        let goodbye = self.registration(flow, 0).header(HeaderName::UserAgent, user_agent);
        Some((flow, self.signed(goodbye, entropy)))
    }

    fn look_up(&mut self) {
        self.waits = Waits::Names;
        self.wishes.push(Wish::Resolve(self.trunk.targets()));
    }

    /// Registers if that is due, else asks whether the server is there.
    fn ask(&mut self, entropy: &mut Entropy, now: Now) {
        let Some(flow) = self.flows.get(self.place).copied() else { return self.look_up() };
        self.answered = false;
        self.asked = Some(now.tick);
        self.wake = None;
        if self.trunk.registers && self.refresh_at.is_none_or(|at| at <= now.tick) {
            return self.register(flow, entropy);
        }
        if self.trunk.probe_s == 0 {
            return self.up(now, entropy);
        }
        self.waits = Waits::Probe;
        let domain = self.trunk.domain();
        let us = if self.trunk.user.is_empty() { self.token.clone() } else { self.trunk.user.clone() };
        let options = Builder::request(&Method::Options, &format!("sip:{domain}"))
            .header(HeaderName::MaxForwards, "70")
            .header(HeaderName::From, format!("<sip:{us}@{domain}>;tag={}", entropy.token()))
            .header(HeaderName::To, format!("<sip:{domain}>"))
            .header(HeaderName::CallId, entropy.token())
            .header(HeaderName::CSeq, "1 OPTIONS")
            .header(HeaderName::Contact, self.contact(flow))
            .header(HeaderName::Accept, "application/sdp");
        self.wishes.push(Wish::Send(flow, options));
    }

    fn register(&mut self, flow: Flow, entropy: &mut Entropy) {
        self.waits = Waits::Registration;
        self.cseq += 1;
        let register = self.registration(flow, self.expires_s);
        let register = self.signed(register, entropy);
        self.wishes.push(Wish::Send(flow, register));
    }

    /// A nonce that is known is used again, so that a refresh is one question and not two.
    fn signed(&mut self, register: Builder, entropy: &mut Entropy) -> Builder {
        let (uri, credentials) = (self.registrar(), self.credentials());
        let Some(challenge) = &mut self.challenge else { return register };
        let (header, value) = challenge.answer(&credentials, "REGISTER", &uri, &entropy.token());
        register.header(header, value)
    }

    fn registration(&self, flow: Flow, expires_s: u32) -> Builder {
        let us = format!("<sip:{}@{}>", self.trunk.user, self.trunk.domain());
        Builder::request(&Method::Register, &self.registrar())
            .header(HeaderName::MaxForwards, "70")
            .header(HeaderName::From, format!("{us};tag={}", self.tag))
            .header(HeaderName::To, us)
            .header(HeaderName::CallId, &self.call_id)
            .header(HeaderName::CSeq, format!("{} REGISTER", self.cseq))
            .header(HeaderName::Contact, self.contact(flow))
            .header(HeaderName::Expires, expires_s.to_string())
    }

    fn registrar(&self) -> String {
        format!("sip:{}", self.trunk.domain())
    }

    fn contact(&self, flow: Flow) -> String {
        flow.contact(&self.token)
    }

    /// Who we are there.
    pub fn credentials(&self) -> Credentials {
        Credentials { user: self.trunk.auth_user().to_owned(), secret: self.trunk.secret.0.clone() }
    }

    fn registration_answered(&mut self, status: u16, message: &Message, entropy: &mut Entropy, now: Now) {
        match status {
            200..=299 => {
                let given = self.given(message).clamp(LEAST_S, MOST_S);
                self.registered_until = Some(now.wall + Duration::from_secs(u64::from(given)));
                // Well before the end, and not at the same moment as everybody else.
                let early = (u64::from(given) * (70 + entropy.u64() % 15) / 100).max(LEAST_PAUSE_S);
                self.refresh_at = Some(now.tick + Duration::from_secs(early));
                self.up(now, entropy);
            }
            401 | 407 => {
                let new = Challenge::of(message);
                let hopeless = match (&new, &self.challenge) {
                    (None, _) => true,
                    // The same secret again would be the same answer again.
                    (Some(new), Some(_)) => self.answered && !new.stale,
                    (Some(_), None) => false,
                };
                let unarmed = self.trunk.secret.0.is_empty();
                if hopeless || unarmed {
                    self.challenge = None;
                    let failure = if unarmed { TrunkFailure::SecretMissing } else { TrunkFailure::Credentials };
                    return self.failed(failure, Some(status), entropy, now);
                }
                self.challenge = new;
                self.answered = true;
                match self.flows.get(self.place).copied() {
                    Some(flow) => self.register(flow, entropy),
                    None => self.look_up(),
                }
            }
            423 => {
                let least =
                    message.header(HeaderName::MinExpires).and_then(|value| std::str::from_utf8(value).ok()?.trim().parse().ok());
                match (least.filter(|least| (self.expires_s + 1..=MOST_S).contains(least)), self.flows.get(self.place).copied()) {
                    (Some(least), Some(flow)) => {
                        self.expires_s = least;
                        self.register(flow, entropy);
                    }
                    _ => self.failed(TrunkFailure::IntervalRefused, Some(status), entropy, now),
                }
            }
            _ => self.failed(TrunkFailure::of_registration(status), Some(status), entropy, now),
        }
    }

    /// For how long the registrar has us: what it says of our Contact, else of all (RFC 3261 10.2.4).
    fn given(&self, message: &Message) -> u32 {
        let all = message.expires().ok().flatten().unwrap_or(self.expires_s);
        let Ok(Contacts::List(contacts)) = message.contacts() else { return all };
        let ours = |uri: &str| uri.contains(&format!(":{}@", self.token));
        contacts.iter().find(|contact| ours(contact.uri)).and_then(|contact| contact.expires()).unwrap_or(all)
    }

    fn up(&mut self, now: Now, entropy: &mut Entropy) {
        self.failed = 0;
        self.pause = FIRST_PAUSE;
        self.waits = Waits::Time;
        let probe = (self.trunk.probe_s > 0).then(|| now.tick + jittered(Duration::from_secs(self.trunk.probe_s.into()), entropy));
        let look_up = now.tick + jittered(LOOKED_UP_FOR, entropy);
        let refresh = self.refresh_at.filter(|_| self.trunk.registers);
        self.wake = [probe, refresh].into_iter().flatten().min().or(Some(look_up));
        self.become_state(LineState::Up, now);
    }

    /// One server does not do what it should: the next, and when all have failed, a pause.
    fn failed(&mut self, failure: TrunkFailure, status: Option<u16>, entropy: &mut Entropy, now: Now) {
        self.failed += 1;
        if failure.is_worth_another_way() && self.failed < self.flows.len() {
            self.place = (self.place + 1) % self.flows.len();
            self.refresh_at = None;
            self.failure = Some((failure, status));
            return self.ask(entropy, now);
        }
        self.down(failure, status, entropy, now);
    }

    fn down(&mut self, failure: TrunkFailure, status: Option<u16>, entropy: &mut Entropy, now: Now) {
        self.failed = 0;
        self.refresh_at = None;
        self.registered_until = None;
        self.failure = Some((failure, status));
        self.waits = Waits::Time;
        let answered = !failure.is_worth_another_way();
        let pause = if answered && status.is_some() { PAUSE_WHEN_REFUSED } else { self.pause };
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.wake = Some(now.tick + jittered(pause, entropy));
        self.become_state(LineState::Down, now);
    }

    fn become_state(&mut self, state: LineState, now: Now) {
        if self.state != state {
            (self.state, self.since) = (state, now.wall);
        }
        self.wishes.push(Wish::Changed);
    }
}

/// Three quarters of it to the whole.
fn jittered(whole: Duration, entropy: &mut Entropy) -> Duration {
    let micros = u64::try_from(whole.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(micros - entropy.u64() % (micros / 4 + 1))
}
