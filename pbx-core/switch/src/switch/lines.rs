//! Lines to the outside: kept, registered and asked after; calls that go out by them and come in by them.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use pbx_sip::clock::{Now, Tick, Wall};
use pbx_sip::credentials::Credentials;
use pbx_sip::entropy::Entropy;
use pbx_sip::flow::{Flow, source_of};
use pbx_sip::message::{HeaderName, Message, Uri};
use pbx_sip::stack::{ClientKey, ServerKey};
use pbx_sip::target::ResolveError;

use crate::action::Action;
use crate::call::line::{ByLine, Presented, arrived, called};
use crate::call::{CallKey, Identity, Outcome, Phone, Refusal, Signal, Sound, Way};
use crate::dialplan::{Caller, Destination, RefusalReason, Step};
use crate::directory::{ExtensionNumber, SiteKey, Trunk, TrunkKey};
use crate::feature::Told;
use crate::status::Change;
use crate::switch::Switch;
use crate::switch::calling::Begun;
use crate::trunking::{Line, LineStatus, TrunkFailure, Wish};

/// For so long whoever calls a number that somebody has called for help by reaches them, and not whom it leads to usually.
const CALL_BACK: Duration = Duration::from_secs(30 * 60);

/// Calls for help that are remembered.
const MAX_CALL_BACKS: usize = 100;

/// The lines of a house.
#[derive(Default)]
pub(super) struct Lines {
    by_key: BTreeMap<TrunkKey, Line>,
    /// Who we are to each, for calls.
    pub(super) credentials: BTreeMap<TrunkKey, Credentials>,
    requests: BTreeMap<ClientKey, TrunkKey>,
    /// Names that are being looked up.
    tickets: BTreeMap<u64, TrunkKey>,
    next_ticket: u64,
    /// When calls were begun lately, for the bound of each second.
    begun: BTreeMap<TrunkKey, VecDeque<Tick>>,
    /// Who has called for help, by the number that was shown.
    call_backs: BTreeMap<String, (ExtensionNumber, Wall)>,
}

impl Lines {
    /// Is it the address of a carrier's server, which must be heard whatever seems to come from there?
    pub(super) fn is_at(&self, source: IpAddr) -> bool {
        self.by_key.values().flat_map(Line::ways).any(|way| source_of(way.remote.ip()) == source)
    }

    /// Our address as carriers see it may be another; the lines for which it is.
    pub(super) fn moved(&mut self, seen: impl Fn(Flow) -> Flow) -> Vec<TrunkKey> {
        self.by_key.iter_mut().filter_map(|(key, line)| line.moved(&seen).then(|| key.clone())).collect()
    }

    /// When a line is to be woken.
    pub(super) fn next(&self) -> Option<Tick> {
        self.by_key.values().filter_map(Line::poll_deadline).min()
    }
}

impl Switch {
    /// The lines are as the directory says: those that are new begin, those that changed begin anew, those that are gone say goodbye.
    pub(super) fn lines_changed(&mut self, now: Now) {
        let wanted: BTreeMap<TrunkKey, Trunk> =
            self.directory.trunks.values().filter(|trunk| trunk.enabled).map(|trunk| (trunk.key.clone(), trunk.clone())).collect();
        let stale: Vec<TrunkKey> = self
            .lines
            .by_key
            .iter()
            .filter(|(key, line)| wanted.get(*key) != Some(line.trunk()))
            .map(|(key, _)| key.clone())
            .collect();
        for key in stale {
            self.lines.requests.retain(|_, of| *of != key);
            self.lines.tickets.retain(|_, of| *of != key);
            self.lines.credentials.remove(&key);
            let mut line = self.lines.by_key.remove(&key);
            if let Some((flow, goodbye)) = line.as_mut().and_then(|line| line.leave(&self.config.user_agent, &mut self.entropy)) {
                self.stack.request(goodbye, flow, now);
            }
            if !wanted.contains_key(&key) {
                self.publish(Change::LineGone(key));
            }
        }
        self.line_tests.keep(|line| wanted.contains_key(line));
        for (key, trunk) in wanted {
            if self.lines.by_key.contains_key(&key) {
                continue;
            }
            let line = Line::new(trunk, &self.config.domain, &mut self.entropy, now);
            self.lines.credentials.insert(key.clone(), line.credentials());
            self.lines.by_key.insert(key.clone(), line);
            self.grant(&key, now);
        }
    }

    /// Names were looked up.
    pub(super) fn resolved(&mut self, ticket: u64, ways: Result<Vec<Flow>, ResolveError>, now: Now) {
        let Some(key) = self.lines.tickets.remove(&ticket) else { return };
        // Who was a stranger before the line was set up may be heard now.
        for way in ways.iter().flatten() {
            self.lift_ban(source_of(way.remote.ip()), now);
        }
        if let Some(line) = self.lines.by_key.get_mut(&key) {
            line.resolved(ways, &mut self.entropy, now);
        }
        self.grant(&key, now);
    }

    /// The answer to a request of a line, or that there is none. False if the request was none of a line's.
    pub(super) fn line_answered(&mut self, client: ClientKey, answer: Result<&Message, TrunkFailure>, now: Now) -> bool {
        let Some(key) = self.lines.requests.get(&client).cloned() else { return false };
        let is_final = match answer {
            Ok(message) => message.status().is_some_and(|status| status >= 200),
            Err(_) => true,
        };
        if !is_final {
            return true;
        }
        self.lines.requests.remove(&client);
        if let Some(line) = self.lines.by_key.get_mut(&key) {
            match answer {
                Ok(message) => line.response(message, &mut self.entropy, now),
                Err(failure) => line.unanswered(failure, &mut self.entropy, now),
            }
        }
        self.grant(&key, now);
        true
    }

    pub(super) fn line_flow_closed(&mut self, flow: &Flow, now: Now) {
        for key in self.lines.by_key.keys().cloned().collect::<Vec<_>>() {
            if let Some(line) = self.lines.by_key.get_mut(&key) {
                line.flow_closed(flow, &mut self.entropy, now);
            }
            self.grant(&key, now);
        }
    }

    /// A server does not prove that it is the one a line names: what that line asked will not be answered.
    pub(super) fn line_distrusted(&mut self, flow: &Flow, now: Now) {
        for key in self.lines.by_key.keys().cloned().collect::<Vec<_>>() {
            if self.lines.by_key.get(&key).is_none_or(|line| !line.uses(flow)) {
                continue;
            }
            self.lines.requests.retain(|_, of| *of != key);
            if let Some(line) = self.lines.by_key.get_mut(&key) {
                line.unanswered(TrunkFailure::Distrusted, &mut self.entropy, now);
            }
            self.grant(&key, now);
        }
    }

    /// A line is told something, and then granted what it wishes.
    pub(super) fn with_line(&mut self, key: &TrunkKey, now: Now, step: impl FnOnce(&mut Line, &mut Entropy)) {
        if let Some(line) = self.lines.by_key.get_mut(key) {
            step(line, &mut self.entropy);
        }
        self.grant(key, now);
    }

    /// Lines whose time has come.
    pub(super) fn lines_due(&mut self, now: Now) {
        let due = |line: &Line| line.poll_deadline().is_some_and(|when| when <= now.tick);
        let keys: Vec<TrunkKey> = self.lines.by_key.iter().filter(|(_, line)| due(line)).map(|(key, _)| key.clone()).collect();
        for key in keys {
            if let Some(line) = self.lines.by_key.get_mut(&key) {
                line.handle_deadline(&mut self.entropy, now);
            }
            self.grant(&key, now);
        }
    }

    /// Does what a line wishes.
    fn grant(&mut self, key: &TrunkKey, now: Now) {
        while let Some(wish) = self.lines.by_key.get_mut(key).and_then(Line::poll_wish) {
            match wish {
                Wish::Resolve(targets) => {
                    self.lines.next_ticket += 1;
                    self.lines.tickets.insert(self.lines.next_ticket, key.clone());
                    self.actions.push_back(Action::Resolve { ticket: self.lines.next_ticket, targets });
                }
                Wish::Send(flow, request) => {
                    let request = request.header(HeaderName::UserAgent, &self.config.user_agent);
                    let client = self.stack.request(request, flow, now);
                    self.lines.requests.insert(client, key.clone());
                }
                Wish::Changed => self.publish_line(key),
            }
        }
    }

    /// A page sees how a line is, and how many calls are on it.
    pub(super) fn publish_line(&mut self, key: &TrunkKey) {
        let calls = self.calls_on(key);
        if let Some(line) = self.lines.by_key.get(key) {
            let status = LineStatus { test: self.line_tests.of(key), ..line.status(calls) };
            self.publish(Change::Line(status));
        }
    }

    fn calls_on(&self, key: &TrunkKey) -> usize {
        self.calls.values().map(|ongoing| ongoing.call.legs_on(key)).sum()
    }

    /// Calls a number by the best line that was not tried yet, and tells the feature if there is none.
    pub(super) fn dial(&mut self, key: CallKey, number: &str, site: &SiteKey, emergency: bool, now: Now) {
        let Some(ongoing) = self.calls.get(&key) else { return };
        let tried: Vec<(TrunkKey, std::net::SocketAddr)> =
            ongoing.call.legs().filter_map(|leg| leg.line.as_ref().map(|line| (line.trunk.clone(), leg.flow.remote))).collect();
        let (caller, visitor) = (ongoing.call.caller.clone(), !ongoing.call.a.of_house);
        let charge = if emergency { None } else { self.charge_for(ongoing.call.payer.as_ref(), number) };
        if self.stopped_by(charge.as_ref()).is_some() {
            return self.tell(key, Told::Refused(Refusal::CeilingReached), now);
        }
        let directory = std::sync::Arc::clone(&self.directory);
        let mut full = false;
        // What is not known to be down first; and a call for help is tried by every way there is.
        let mut lines = directory.lines_of(site);
        let test = if emergency { None } else { self.begins_test(key, &caller.number, number, now) };
        if let Some((line, _)) = &test {
            lines.retain(|trunk| trunk.key == *line);
        }
        let usable = |trunk: &&&Trunk| self.lines.by_key.get(&trunk.key).is_some_and(Line::is_usable);
        let mut order: Vec<&Trunk> = lines.iter().filter(usable).copied().collect();
        if emergency {
            order.extend(lines.iter().filter(|trunk| !usable(trunk)));
        }
        for trunk in order {
            let Some(line) = self.lines.by_key.get(&trunk.key) else { continue };
            let way = line.ways().find(|way| !tried.contains(&(trunk.key.clone(), way.remote)));
            let Some(flow) = way else { continue };
            if !self.has_room(trunk, emergency, key, now) {
                full = true;
                continue;
            }
            // Help calls back the main number of its site; anybody else the extension's own, if it has one.
            let own = match directory.number_of(&caller.number) {
                Some(own) if !emergency => own.number.clone(),
                _ => trunk.number.clone(),
            };
            if emergency && let Ok(extension) = ExtensionNumber::new(&caller.number) {
                self.remember_to_call_back(&own, extension, now.wall);
            }
            let user = if trunk.user.is_empty() { own.trim_start_matches('+') } else { &trunk.user };
            let mut presented = match &test {
                Some((_, shown)) => {
                    let (open, visitor) = (Trunk { shows_caller: true, ..trunk.clone() }, Identity::new(shown, ""));
                    Presented::new(&open, user, &visitor, &own, true, number)
                }
                None => Presented::new(trunk, user, &caller, &own, visitor, number),
            };
            if charge.is_some() {
                self.keep_counting(now);
            }
            presented.line.charge = charge;
            let phone = Phone {
                party: number.to_owned(),
                way: Way { contact: presented.uri.clone(), flow, path: Vec::new() },
                either_way: trunk.transport.is_none(),
                other_ways: Vec::new(),
                user_agent: None,
                name: String::new(),
                of_house: false,
                sound: sound_of(trunk),
                by_line: Some(presented),
            };
            let mut rung = false;
            self.with_call(key, now, |call, outside| {
                rung = call.ring(&phone, outside);
                call.trace.steps.push(Step::ByLine { at: now.wall, line: trunk.key.to_string() });
                Signal::Changed
            });
            self.lines.begun.entry(trunk.key.clone()).or_default().push_back(now.tick);
            self.publish_line(&trunk.key);
            if !rung {
                self.tell(key, Told::Refused(Refusal::TooManyCalls), now);
            }
            return;
        }
        self.tell(key, if full { Told::Refused(Refusal::LinesBusy) } else { Told::Unregistered }, now);
    }

    /// How we speak of the sound of a call that came by a line.
    pub(super) fn sound_on(&self, key: &TrunkKey) -> Sound {
        self.directory.trunks.get(key).map(sound_of).unwrap_or_default()
    }

    /// Is there a channel? For a call for help one is made.
    fn has_room(&mut self, trunk: &Trunk, emergency: bool, key: CallKey, now: Now) -> bool {
        let begun = self.lines.begun.entry(trunk.key.clone()).or_default();
        while begun.front().is_some_and(|when| now.tick.since(*when) >= Duration::from_secs(1)) {
            begun.pop_front();
        }
        let slow_enough = begun.len() < usize::from(trunk.calls_per_second);
        if self.calls_on(&trunk.key) < usize::from(trunk.channels) {
            return slow_enough || emergency;
        }
        if !emergency {
            return false;
        }
        let makes_way = |(other, ongoing): &(&CallKey, &crate::switch::Ongoing)| {
            **other != key && !ongoing.feature.is_emergency() && ongoing.call.legs_on(&trunk.key) > 0
        };
        // The newest: it has said least so far.
        let Some(other) = self.calls.iter().filter(makes_way).map(|(other, _)| *other).next_back() else { return false };
        self.with_call(other, now, |call, outside| {
            call.trace.steps.push(Step::MadeWay { at: now.wall });
            call.hang_up(Outcome::HungUp, outside)
        });
        true
    }

    /// A call by a line has met silence: the line is asked whether it is there.
    pub(super) fn doubt_lines_of(&mut self, key: CallKey, now: Now) {
        let Some(ongoing) = self.calls.get(&key) else { return };
        let lines: Vec<TrunkKey> = ongoing.call.legs().filter_map(|leg| leg.line.as_ref().map(|line| line.trunk.clone())).collect();
        for trunk in lines {
            if let Some(line) = self.lines.by_key.get_mut(&trunk) {
                line.doubted(&mut self.entropy, now);
            }
            self.grant(&trunk, now);
        }
    }

    /// What a line answers to a call may be what is wrong with the line: its page says so.
    pub(super) fn line_spoke(&mut self, key: CallKey, client: ClientKey, answer: &Message) {
        let Some((trunk, failure, status)) = self.calls.get(&key).and_then(|ongoing| ongoing.call.failure_of_line(client, answer))
        else {
            return;
        };
        if let Some(line) = self.lines.by_key.get_mut(&trunk) {
            line.refused_a_call(failure, status);
            self.publish_line(&trunk);
        }
    }

    fn remember_to_call_back(&mut self, number: &str, extension: ExtensionNumber, at: Wall) {
        self.lines.call_backs.retain(|_, (_, since)| at - *since < CALL_BACK);
        if self.lines.call_backs.len() < MAX_CALL_BACKS {
            self.lines.call_backs.insert(number.to_owned(), (extension, at));
        }
    }

    /// A line that a message comes from.
    pub(super) fn line_of(&self, flow: &Flow) -> Option<&Trunk> {
        self.lines.by_key.values().find(|line| line.is_from(flow)).map(Line::trunk)
    }

    /// The line that a request comes from: of several at one carrier the one that it names, else the first. What comes by the way of a
    /// registered phone is the phone's, also where a carrier is on the same machine.
    pub(super) fn line_meant(&self, flow: &Flow, request: &Message) -> Option<&Trunk> {
        let first = self.line_of(flow)?;
        let is_way = |known: &Flow| known.remote == flow.remote && known.transport == flow.transport;
        let is_phone = self.registrar.each().any(|(_, bindings)| bindings.iter().any(|binding| is_way(&binding.flow)));
        if is_phone && !self.lines.by_key.values().any(|line| line.uses(flow)) {
            return None;
        }
        let uri = Uri::parse(request.request_uri()).ok();
        let user = uri.and_then(|uri| uri.user_decoded().map(|user| user.into_owned())).unwrap_or_default();
        let named = self.lines.by_key.values().find(|line| line.is_from(flow) && line.is_named(&user));
        Some(named.map_or(first, Line::trunk))
    }

    /// A call from outside, for a number of the house. Nobody outside has rights in the house: where the plan would send them outside
    /// again, or to help, they are turned away.
    pub(super) fn invite_by_line(&mut self, key: ServerKey, flow: Flow, trunk: &Trunk, message: &Message, now: Now) {
        let identity = arrived(trunk, message);
        let candidates = called(trunk, message);
        let known = candidates.iter().find(|number| self.directory.numbers.contains_key(*number)).cloned();
        // Carriers that name the account alone mean its main number.
        let number = known.or_else(|| candidates.is_empty().then(|| trunk.number.clone())).unwrap_or_else(|| candidates[0].clone());
        let mut steps = vec![Step::Arrived { number: number.clone(), line: trunk.key.to_string() }];
        self.lines.call_backs.retain(|_, (_, since)| now.wall - *since < CALL_BACK);
        let dialled = match (self.lines.call_backs.get(&number), self.directory.numbers.get(&number)) {
            (Some((extension, _)), _) => {
                steps.push(Step::CalledBack { extension: extension.to_string() });
                Some(extension.to_string())
            }
            (None, Some(did)) => Some(did.to.clone()),
            (None, None) => None,
        };
        let caller = if identity.is_anonymous() { Caller::Anonymous } else { Caller::Outside(identity.number.clone()) };
        let by_line = ByLine { trunk: trunk.key.clone(), user: trunk.user.clone(), challenged: false, charge: None };
        let identity = Identity { name: String::new(), ..identity };
        let begun = Begun {
            caller,
            identity,
            dialled: dialled.unwrap_or_default(),
            called: number,
            only_for: None,
            line: Some(by_line),
            steps,
        };
        if self.calls_on(&trunk.key) >= usize::from(trunk.channels) {
            return self.refuse(key, message, 486, now);
        }
        self.begin(key, flow, message, begun, now);
        self.publish_line(&trunk.key);
    }
}

/// What nobody outside may: be sent outside again, or to help.
pub(super) fn as_a_visitor(destination: Destination, steps: &mut Vec<Step>) -> Destination {
    match destination {
        Destination::Outside { .. } | Destination::Emergency { .. } => {
            steps.push(Step::ToRefusal { reason: RefusalReason::NotAllowed.code().to_owned() });
            Destination::Refuse(RefusalReason::NotAllowed)
        }
        Destination::Extension(_) | Destination::Refuse(_) => destination,
    }
}

/// How we speak of the sound of a line: as its carrier wants it.
fn sound_of(trunk: &Trunk) -> Sound {
    if trunk.protects_sound { Sound::MustBeProtected } else { Sound::Plain }
}
