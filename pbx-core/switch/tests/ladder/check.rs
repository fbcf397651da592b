//! Runs a ladder: plain text, read step by step against a real switch with a virtual clock, virtual phones and a plane without sound.
//!
//! A line holds one step, or several with three blanks or more between them:
//!
//! | step | meaning |
//! |---|---|
//! | `house: ports=4 ring=20s most_calls=2 calls_each=2 last=260` | how the house is, and its last extension; first line |
//! | `phones: 201 202 202b 203t 204-` | registered before the ladder begins; `b`: a second phone; `t`: over TCP; `s`: over TLS; `w`: over a WebSocket; `-`: not registered |
//! | `201 -> INVITE 202 codecs=8 {Require: x}` | sends, answering a challenge by itself unless `bare`; in a dialog without a number |
//! | `202 -> 200`, `201 -> 200 BYE` | answers the last INVITE, or the last BYE |
//! | `201 -> REFER call=1 to=203@pbx.test`, `201 -> REFER call=1 replaces=2`, `203 -> INVITE 202 place=202/1` | speaks in its first call; names its second, or the first of another phone |
//! | `202 <- INVITE sdp dir=sendonly x2` | the next thing that came; 100 is passed over, and everything that comes must be expected |
//! | `line: a priority=2 channels=1`, `off a`, `number: +33199001234 201`, `state: a up` | a carrier and its account, which is given up; a number of the house; what the pages show |
//! | `toll: minutes_of_hour=2 house.cost_of_hour=1 countries=CH alerted=203`, `spent: 201 2 minutes_of_hour`, `allow 201` | what calls may cost; minutes within the hour, and the ceiling reached; an administrator lets go on |
//! | `access: 201 networks=10.0.0.0/8 encryption=always`, `own 192.0.2.0/24`, `turned away: 201 network` | from where phones may come, and how; the house's own networks; what the pages show of a phone that came in another way |
//! | `test a 201 +33639981234 +33199005678`, `tested: a answered` | 201's next call there goes by that line and shows that number; what came of it |
//! | `moved 198.51.100.7` | the router has another address |
//! | `messages 201 2/1`, `subscriptions: 1`, `publications: 1` | new and old messages wait for an extension; what is on disk |
//! | `wait 20s`, `until a` (something comes to it), `drain`, `end`, `hang up`, `disable 202`, `renew 202` (another secret), `closed 203t`, `gone 203t`, `connected 203t`, `rebound 203`, `restart`, `reborn` | what else happens; `reborn`: the process ends, and another goes on with what was written |
//! | `201 -> again BYE`, `201 -> other way`, `201 -> replay` | the same once more; the last INVITE through another proxy; the last REGISTER's credentials |
//! | `store fails`, `store waits`, `saved` | how the disk does |
//! | `media: 201 <-> 202`, `media: 201 -> 202`, `media: none` | who hears whom, each at the address it gave |
//! | `keys: 201 202s`, `keys: none` | whose sound is protected, by the keys that each side told the other; `keys=savp` (or `avp`, `none`) of a description, and of a phone's own, `keys=savp:SUITE` |
//! | `numbers: 202 97=OPUS` | which payload number a phone is sent |
//! | `ports: 2`, `calls: 1`, `record: busy 202=busy`, `trace: to_outside turned`, `caller: 201`, `bindings: 201 2`, `kept: 201 3` (keep-alives), `banned: 192.0.2.1`, `drained` | what must be so |
//!
//! At the end time passes, and nothing may be left over: no call, no transaction, no index entry, no open port.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pbx_sip::auth::{Algorithm, Ha1};
use pbx_sip::clock::{Now, Tick, Wall};
use pbx_sip::flow::{ConnectionId, Flow, Transport};
use pbx_sip::target::{ResolveError, Target};
use pbx_sip::transaction::Timers;
use pbx_switch::action::{Action, Kept, SaveKey};
use pbx_switch::call::{CallKey, CallRecord};
use pbx_switch::dialplan::{Dialplan, Step};
use pbx_switch::directory::{
    Access, DidNumber, Directory, Encryption, Extension, ExtensionNumber, Money, NumberShape, Secret, Site, SiteKey, TollRules,
    Trunk, TrunkKey,
};
use pbx_switch::door::BanChange;
use pbx_switch::event::Event;
use pbx_switch::registrar::{Binding, BindingChange, Expiry};
use pbx_switch::status::Change;
use pbx_switch::subscription::message_summary::MessagesWaiting;
use pbx_switch::subscription::{Publication, PublicationChange, Subscription, SubscriptionChange, SubscriptionKey};
use pbx_switch::switch::{Switch, SwitchConfig, Written};
use pbx_switch::toll::{Payer, Spent, TollChange, TollState};
use pbx_switch::trunking::LineStatus;

use crate::phone::Phone;
use crate::plane::Plane;
use crate::wire::{Described, Text};
use crate::words::Words;

/// Runs a ladder; panics at the first step that is not so, with everything said before it.
pub fn check(name: &str, ladder: &str) {
    let mut house = House::new(name, ladder);
    for line in ladder.lines() {
        for step in line.split("   ").map(str::trim).filter(|step| !step.is_empty() && !step.starts_with('#')) {
            house.said.push(format!("--- {step}"));
            house.step(step);
        }
    }
    house.end();
}

struct House {
    name: String,
    switch: Switch,
    config: SwitchConfig,
    directory: Directory,
    plan: Arc<Dialplan>,
    now: Now,
    plane: Plane,
    phones: Vec<Phone>,
    disk: BTreeMap<(String, String), Binding>,
    subscriptions: BTreeMap<SubscriptionKey, Subscription>,
    store: Store,
    publications: BTreeMap<String, Publication>,
    waiting: Vec<(SaveKey, Vec<Kept>)>,
    records: VecDeque<CallRecord>,
    last_trace: Vec<String>,
    last_caller: String,
    live: Vec<CallKey>,
    banned: BTreeSet<IpAddr>,
    spent: BTreeMap<(ExtensionNumber, i64), Spent>,
    tolls: BTreeMap<String, TollState>,
    turned_away: BTreeMap<String, &'static str>,
    lines: BTreeMap<String, LineStatus>,
    drained: bool,
    connections: u64,
    said: Vec<String>,
}

#[derive(PartialEq)]
enum Store {
    Works,
    Fails,
    Waits,
}

const PLAN: &str = include_str!("../../../../dialplans/default.toml");

impl House {
    fn new(name: &str, ladder: &str) -> House {
        let given = ladder.lines().find_map(|line| line.trim().strip_prefix("house:")).unwrap_or_default();
        let given = Words::read(given);
        let seconds = |name: &str, usual: u64| {
            Duration::from_secs(given.value(name).map_or(usual, |value| value.trim_end_matches('s').parse().unwrap()))
        };
        let count = |name: &str, usual: usize| given.value(name).map_or(usual, |value| value.parse().unwrap());
        let config = SwitchConfig {
            domain: "pbx.test".into(),
            realm: "pbx".into(),
            nonce_key: [7; 32],
            algorithms: vec![Algorithm::Md5, Algorithm::Sha256],
            md5_only: vec!["OldPhone".into()],
            nonce_life: Duration::from_secs(300),
            expiry: Expiry::default(),
            ring_for: seconds("ring", 60),
            dead_after: seconds("dead", 3_600),
            most_calls: count("most_calls", 100),
            calls_per_extension: count("calls_each", 100),
            user_agent: "pbx".into(),
            timers: Timers::default(),
        };
        let site = Site::new(SiteKey("main".into()), "Salle", "Europe/Paris").unwrap();
        let mut directory = Directory::default();
        directory.sites.insert(site.key.clone(), site);
        for number in 201..=count("last", 209) {
            let number = ExtensionNumber::new(&number.to_string()).unwrap();
            let ha1 = Ha1::of(number.as_str(), &config.realm, &format!("secret {number}"));
            let (name, enabled) = (format!("Phone {number}"), number.as_str() != "209");
            let site = SiteKey("main".into());
            let extension = Extension { number: number.clone(), name, site, email: None, enabled, ha1, access: Access::default() };
            directory.extensions.insert(number, extension);
        }
        let now = Now { tick: Tick(1_000_000_000), wall: Wall(1_800_000_000_000_000) };
        let plan = Arc::new(Dialplan::parse(PLAN).unwrap());
        let snapshot = Arc::new(directory.clone());
        let switch = Switch::new(config.clone(), snapshot, (Arc::clone(&plan), 1), Vec::new(), [3; 32], now);
        let mut house = House {
            name: name.to_owned(),
            switch,
            config,
            directory,
            plan,
            now,
            plane: Plane::default(),
            phones: Vec::new(),
            disk: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            publications: BTreeMap::new(),
            store: Store::Works,
            waiting: Vec::new(),
            records: VecDeque::new(),
            last_trace: Vec::new(),
            last_caller: String::new(),
            live: Vec::new(),
            banned: BTreeSet::new(),
            spent: BTreeMap::new(),
            tolls: BTreeMap::new(),
            turned_away: BTreeMap::new(),
            lines: BTreeMap::new(),
            drained: false,
            connections: 0,
            said: Vec::new(),
        };
        let pairs = house.plane.open(u16::try_from(count("ports", 20)).unwrap());
        house.tell(Event::Media(pairs));
        house
    }

    fn step(&mut self, step: &str) {
        if let Some((who, what)) = step.split_once(" -> ").filter(|(who, _)| !who.contains(':')) {
            return self.send(who.trim(), what.trim());
        }
        if let Some((who, what)) = step.split_once(" <- ") {
            return self.expect(who.trim(), what.trim());
        }
        let (verb, rest) = step.split_once([' ', ':']).map_or((step, ""), |(verb, rest)| (verb, rest.trim()));
        match verb {
            "house" => {}
            "phones" => rest.split(' ').filter(|name| !name.is_empty()).for_each(|name| self.connect(name)),
            "line" => self.line(rest),
            "off" => {
                self.directory.trunks.remove(&TrunkKey(rest.to_owned()));
                self.tell(Event::DirectoryChanged(Arc::new(self.directory.clone())));
            }
            "number" => {
                let (number, to) = rest.split_once(' ').unwrap();
                let did = DidNumber { number: number.to_owned(), label: String::new(), to: to.to_owned() };
                self.directory.numbers.insert(did.number.clone(), did);
                self.tell(Event::DirectoryChanged(Arc::new(self.directory.clone())));
            }
            "toll" => self.toll(rest),
            "access" => {
                let (number, rest) = rest.split_once(' ').unwrap();
                let mut access = Access::default();
                for (name, value) in rest.split(' ').filter_map(|word| word.split_once('=')) {
                    match name {
                        "networks" => access.networks = value.split(',').map(|network| network.parse().unwrap()).collect(),
                        "sound" => access.sound = value == "yes",
                        _ => access.encryption = Encryption::ALL.into_iter().find(|one| one.code() == value).unwrap(),
                    }
                }
                self.directory.extensions.get_mut(number).unwrap().access = access;
                self.tell(Event::DirectoryChanged(Arc::new(self.directory.clone())));
            }
            "own" => {
                self.switch.open_door(vec![rest.parse().unwrap()], Vec::new(), self.now);
                self.tell(Event::DirectoryChanged(Arc::new(self.directory.clone())));
            }
            "test" => {
                let words: Vec<&str> = rest.split(' ').collect();
                let [trunk, extension, number, shown] = words[..] else { panic!("test LINE EXTENSION NUMBER SHOWN") };
                let (trunk, extension) = (TrunkKey(trunk.to_owned()), ExtensionNumber::new(extension).unwrap());
                self.tell(Event::TestLine { trunk, extension, number: number.to_owned(), shown: shown.to_owned() });
            }
            "tested" => {
                let (line, wanted) = rest.split_once(' ').unwrap();
                let state = self.lines[line].test.as_ref().map(|test| serde_json::to_value(test.state).unwrap());
                self.equal(
                    state.and_then(|state| state.as_str().map(str::to_owned)).unwrap_or_default(),
                    wanted.to_owned(),
                    "the test",
                );
            }
            "moved" => self.tell(Event::OuterMoved { address: rest.parse().unwrap() }),
            "turned" => {
                let rest = rest.strip_prefix("away:").unwrap().trim();
                let (number, wanted) = rest.split_once(' ').unwrap_or((rest, ""));
                let found = self.turned_away.get(number).copied().unwrap_or_default();
                self.equal(found.to_owned(), wanted.to_owned(), "why it was turned away");
            }
            "spent" => {
                let (of, wanted) = rest.split_once(' ').unwrap();
                let found = self.tolls.get(of).map_or("0".to_owned(), |state| {
                    let reached = state.reached.map_or(String::new(), |ceiling| format!(" {}", ceiling.code()));
                    format!("{}{reached}", state.hour.minutes())
                });
                self.equal(found, wanted.to_owned(), "what was spent");
            }
            "allow" => {
                let payer = if rest == "house" { Payer::House } else { Payer::Extension(ExtensionNumber::new(rest).unwrap()) };
                self.tell(Event::Allow { payer });
            }
            "state" => self.state(rest),
            "until" => {
                let phone = self.phone(rest);
                let mut patience = 7_200;
                while self.phones[phone].inbox.is_empty() && patience > 0 {
                    self.wait(Duration::from_millis(100));
                    patience -= 1;
                }
            }
            "wait" => self.wait(duration(rest)),
            "drain" => self.tell(Event::Drain),
            "drained" => self.assert(self.drained, "the switch has not said that it is drained"),
            "messages" => {
                let (of, waiting) = rest.split_once(' ').unwrap();
                let (new, old) = waiting.split_once('/').unwrap();
                let waiting =
                    MessagesWaiting { new: new.parse().unwrap(), old: old.parse().unwrap(), ..MessagesWaiting::default() };
                self.tell(Event::MessagesWaiting { of: ExtensionNumber::new(of).unwrap(), waiting });
            }
            "subscriptions" => {
                self.equal(self.subscriptions.len().to_string(), rest.to_owned(), "subscriptions on disk");
            }
            "publications" => self.equal(self.publications.len().to_string(), rest.to_owned(), "publications on disk"),
            "hang" => {
                let call = *self.live.last().expect("a call to hang up");
                self.tell(Event::HangUp { call });
            }
            "end" => self.tell(Event::EndCalls),
            "disable" => {
                self.directory.extensions.get_mut(rest).unwrap().enabled = false;
                self.tell(Event::DirectoryChanged(Arc::new(self.directory.clone())));
            }
            "renew" => {
                let number = ExtensionNumber::new(rest).unwrap();
                let extension = self.directory.extensions.get_mut(&number).unwrap();
                extension.ha1 = Ha1::of(rest, "pbx.test", "another secret");
                self.tell(Event::DirectoryChanged(Arc::new(self.directory.clone())));
            }
            "closed" | "gone" => {
                let phone = self.phone(rest);
                let flow = self.phones[phone].flow;
                // A phone that is only disconnected comes back by a new connection; one that is gone does not.
                self.connections += 1;
                self.phones[phone].flow.connection = ConnectionId(self.connections);
                self.phones[phone].gone = verb == "gone";
                self.tell(Event::FlowClosed { flow });
            }
            // What stands between gives a phone another port than before.
            "rebound" => {
                let phone = self.phone(rest);
                let port = self.phones[phone].flow.remote.port();
                self.phones[phone].flow.remote.set_port(port + 1);
            }
            // A phone comes back by the first connection of a house that has started again.
            "connected" => {
                let phone = self.phone(rest);
                self.connections += 1;
                self.phones[phone].flow.connection = ConnectionId(self.connections);
            }
            "store" => {
                self.store = match rest {
                    "works" => Store::Works,
                    "fails" => Store::Fails,
                    _ => Store::Waits,
                }
            }
            "saved" => {
                for (batch, changes) in std::mem::take(&mut self.waiting) {
                    self.commit(changes);
                    self.tell(Event::Saved { batch, stored: true });
                }
            }
            "restart" => self.restart(Written::default()),
            "reborn" => {
                let written = serde_json::to_string(&self.switch.write()).unwrap();
                self.restart(serde_json::from_str(&written).unwrap());
                // A leg whose sound is protected is offered a new key by each process.
                if self.plane.legs.values().any(|leg| leg.promised.as_ref().is_some_and(|promised| promised.keys.is_some())) {
                    return;
                }
                // What the second process writes, a third one reads and writes just so.
                let second = serde_json::to_string(&self.switch.write()).unwrap();
                let mut third = self.begin();
                third.read(serde_json::from_str(&second).unwrap(), self.now);
                self.equal(serde_json::to_string(&third.write()).unwrap(), second, "what is written again");
            }
            "media" => self.media(rest),
            "numbers" => self.numbers(rest),
            "keys" => self.keys(rest),
            "ports" => self.equal(self.plane.legs.len().to_string(), rest.to_owned(), "open legs"),
            "banned" => {
                let banned: Vec<String> = self.banned.iter().map(ToString::to_string).collect();
                self.equal(if banned.is_empty() { "nobody".to_owned() } else { banned.join(" ") }, rest.to_owned(), "banned");
            }
            "kept" => {
                let (who, times) = rest.split_once(' ').unwrap();
                self.equal(self.phones[self.phone(who)].kept.to_string(), times.to_owned(), "keep-alives");
            }
            "calls" => self.equal(self.switch.calls().to_string(), rest.to_owned(), "calls"),
            "bindings" => {
                let (aor, count) = rest.split_once(' ').unwrap();
                self.equal(self.switch.bindings(aor).len().to_string(), count.to_owned(), "bindings");
                self.equal(self.disk.keys().filter(|(of, _)| of == aor).count().to_string(), count.to_owned(), "bindings on disk");
            }
            "record" => self.record(rest),
            "caller" => self.equal(self.last_caller.clone(), rest.to_owned(), "the caller"),
            "trace" => {
                let all = rest.split(' ').all(|code| self.last_trace.iter().any(|known| known == code));
                self.assert(all, &format!("the trace says {:?}", self.last_trace));
            }
            _ => self.fail(&format!("what is `{step}`?")),
        }
    }

    /// A carrier at an address of its own: `line: a priority=2 channels=1 secret=s shape=national static says=from`.
    fn line(&mut self, rest: &str) {
        let words = Words::read(rest);
        let name = words.argument.clone().unwrap();
        let place = u8::try_from(self.phones.len() + 1).unwrap();
        let remote = std::net::SocketAddr::from(([192, 0, 2, place], 5060));
        let local = "192.0.2.254:5060".parse().unwrap();
        let flow = Flow { transport: Transport::Udp, local, remote, connection: ConnectionId(0) };
        self.phones.push(Phone::new(&name, "account", flow));
        let shape = |name: &str| match words.value(name) {
            None | Some("plus") => NumberShape::Plus,
            Some("national") => NumberShape::National,
            Some("bare") => NumberShape::Bare,
            Some(_) => NumberShape::DoubleZero,
        };
        let count = |name: &str, usual: u16| words.value(name).map_or(usual, |value| value.parse().unwrap());
        let trunk = Trunk {
            key: TrunkKey(name.clone()),
            name: name.clone(),
            site: SiteKey(words.value("site").unwrap_or("main").to_owned()),
            registers: words.value("mode") != Some("static"),
            server: words.value("server").map_or(remote.to_string(), str::to_owned),
            user: "account".to_owned(),
            secret: Secret("line secret".to_owned()),
            number: words.value("own").unwrap_or("+33199001234").to_owned(),
            called: shape("shape"),
            caller: shape("shape"),
            protects_sound: words.value("keys") == Some("savp"),
            shows_caller: words.value("shows") == Some("caller"),
            channels: count("channels", 4),
            calls_per_second: count("rate", 100),
            priority: count("priority", 10),
            probe_s: u32::from(count("probe", 60)),
            ..Trunk::usual()
        };
        trunk.check().unwrap();
        self.directory.trunks.insert(trunk.key.clone(), trunk);
        self.tell(Event::DirectoryChanged(Arc::new(self.directory.clone())));
    }

    fn toll(&mut self, rest: &str) {
        let mut rules = TollRules::default();
        for (name, value) in rest.split(' ').filter_map(|word| word.split_once('=')) {
            let (ceilings, name) = match name.strip_prefix("house.") {
                Some(name) => (&mut rules.house, name),
                None => (&mut rules.extension, name),
            };
            let number = || value.parse::<u32>().unwrap();
            let money = || Money::of_euros(value.parse().unwrap());
            match name {
                "minutes_of_hour" => ceilings.minutes_of_hour = Some(number()),
                "minutes_of_day" => ceilings.minutes_of_day = Some(number()),
                "cost_of_hour" => ceilings.cost_of_hour = money(),
                "cost_of_day" => ceilings.cost_of_day = money(),
                "countries" => rules.countries = value.split(',').map(str::to_owned).collect(),
                "alerted" => rules.alerted = value.split(',').map(|number| ExtensionNumber::new(number).unwrap()).collect(),
                _ => panic!("what is {name}?"),
            }
        }
        rules.check().unwrap();
        self.directory.toll = rules;
        self.tell(Event::DirectoryChanged(Arc::new(self.directory.clone())));
    }

    /// `state: a up`, `state: a down credentials`, `state: a up calls=1`, `state: a gone`
    fn state(&self, rest: &str) {
        let words = rest.split(' ').collect::<Vec<_>>();
        let Some(status) = self.lines.get(words[0]) else {
            return self.equal("gone".to_owned(), words[1].to_owned(), "the line");
        };
        let code = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        self.equal(code(serde_json::to_value(status.state).unwrap()), words[1].to_owned(), "the line");
        match words.get(2).map(|word| (word.strip_prefix("calls="), word)) {
            Some((Some(calls), _)) => self.equal(status.calls.to_string(), calls.to_owned(), "calls on the line"),
            Some((None, failure)) => {
                self.equal(code(serde_json::to_value(status.failure).unwrap()), (*failure).to_string(), "the failure")
            }
            None => {}
        }
    }

    /// A phone comes to the house.
    fn connect(&mut self, name: &str) {
        let registered = !name.ends_with('-');
        let name = name.trim_end_matches('-');
        let extension: String = name.chars().take_while(char::is_ascii_digit).collect();
        let transport = match &name[extension.len()..] {
            suffix if suffix.contains('s') => Transport::Tls,
            suffix if suffix.contains('t') => Transport::Tcp,
            suffix if suffix.contains('w') => Transport::Wss,
            _ => Transport::Udp,
        };
        let place = u8::try_from(self.phones.len() + 1).unwrap();
        self.connections += u64::from(transport.is_reliable());
        let flow = Flow {
            transport,
            local: if transport == Transport::Tls { "192.0.2.254:5061" } else { "192.0.2.254:5060" }.parse().unwrap(),
            remote: std::net::SocketAddr::from(([192, 0, 2, place], 5060)),
            connection: ConnectionId(if transport.is_reliable() { self.connections } else { 0 }),
        };
        self.phones.push(Phone::new(name, &extension, flow));
        if registered {
            self.send(name, "REGISTER");
            let phone = self.phone(name);
            let answer = self.phones[phone].inbox.pop_front().and_then(|text| text.status());
            self.equal(format!("{answer:?}"), "Some(200)".to_owned(), "the answer to REGISTER");
        }
    }

    fn send(&mut self, who: &str, what: &str) {
        let phone = self.phone(who);
        let (verb, rest) = what.split_once(' ').unwrap_or((what, ""));
        let mut words = Words::read(rest);
        if let Some((whose, number)) = words.value("place").and_then(|place| place.split_once('/')) {
            let replaces = self.phones[self.phone(whose)].dialog(number.parse().unwrap());
            let early = if words.has("early") { ";early-only" } else { "" };
            words.headers.push(("Replaces".to_owned(), format!("{replaces}{early}")));
        }
        if let Some((whose, number)) = words.value("named").and_then(|named| named.split_once('/')) {
            let dialog = self.phones[self.phone(whose)].dialog(number.parse().unwrap());
            let dialog = dialog.replace(';', "%3B").replace('=', "%3D");
            words.headers.push(("Refer-To".to_owned(), format!("<sip:pbx.test?Replaces={dialog}>")));
        }
        if verb == "other" {
            // Through another proxy: the same request with another branch.
            let text = self.phones[phone].sent.iter().rev().find(|text| text.starts_with("INVITE")).unwrap();
            let text = text.replacen("branch=", "branch=z9hG4bK-by-another-way-", 1);
            return self.deliver(phone, text);
        }
        if verb == "replay" {
            let text = self.phones[phone].sent.iter().rev().find(|text| text.starts_with("REGISTER")).unwrap();
            let text = text.replacen("branch=", "branch=z9hG4bK-replayed-", 1).replacen("Call-ID: ", "Call-ID: replayed-", 1);
            return self.deliver(phone, text);
        }
        for _ in 0..words.times {
            let text = self.phones[phone].speak(verb, &words);
            self.deliver(phone, text);
        }
        // A challenge is answered without a word in the ladder, unless it wants to see it.
        let asks = verb == "REGISTER" && words.value("user").is_none()
            || matches!(verb, "INVITE" | "MESSAGE" | "SUBSCRIBE") && words.argument.is_some()
            || matches!(verb, "REFER" | "PUBLISH");
        if asks && !words.has("bare") && !words.has("wrong") {
            let challenged = |text: &Text| text.status() == Some(401);
            if self.phones[phone].inbox.back().is_some_and(challenged) {
                self.phones[phone].inbox.pop_back();
                if verb == "INVITE" {
                    let ack = self.phones[phone].acknowledge_failure();
                    self.deliver(phone, ack);
                }
                let text = self.phones[phone].speak_with_credentials().expect("a challenge");
                self.deliver(phone, text);
            }
        }
    }

    fn deliver(&mut self, phone: usize, text: String) {
        self.said.push(format!("    {} -> {}", self.phones[phone].name, text.lines().next().unwrap_or_default()));
        let flow = self.phones[phone].flow;
        self.tell(Event::Received { flow, octets: Bytes::from(text) });
    }

    fn expect(&mut self, who: &str, what: &str) {
        let phone = self.phone(who);
        let (verb, rest) = what.split_once(' ').unwrap_or((what, ""));
        let words = Words::read(rest);
        let passed_over = |text: &Text| verb != "100" && text.status() == Some(100);
        while self.phones[phone].inbox.front().is_some_and(passed_over) {
            self.phones[phone].inbox.pop_front();
        }
        if verb == "nothing" {
            let what = self.phones[phone].inbox.front().map(|text| text.0.clone());
            return self.assert(what.is_none(), &format!("{who} was sent {what:?}"));
        }
        for _ in 0..words.times {
            let Some(text) = self.phones[phone].inbox.pop_front() else { self.fail(&format!("nothing came to {who}")) };
            let found = text.status().map_or(text.method().to_owned(), |status| status.to_string());
            self.equal(found, verb.to_owned(), &format!("what came to {who}"));
            if let Some(method) = &words.argument {
                self.equal(text.method().to_owned(), method.clone(), "the method");
            }
            self.described(&text, &words);
            for (name, part) in &words.headers {
                let wanted = name.strip_prefix('!');
                let found: Vec<&str> = text.headers(wanted.unwrap_or(name)).collect();
                let fine = found.iter().any(|value| value.contains(part)) != wanted.is_some();
                self.assert(fine, &format!("{name} is {found:?}, not `{part}`, in\n{}", text.0));
            }
            for part in words.each("without") {
                self.assert(!text.body().contains(part), &format!("the body has `{part}`, in\n{}", text.0));
            }
            for body in words.each("body") {
                self.assert(text.body().contains(body), &format!("the body is not `{body}`, in\n{}", text.0));
            }
            if let Some(uri) = words.value("uri") {
                self.equal(text.request_uri().to_owned(), uri.to_owned(), "the Request-URI");
            }
        }
    }

    fn described(&self, text: &Text, words: &Words) {
        let described = Described::read(text.body());
        if words.has("nosdp") {
            self.assert(described.is_none(), "it has a description");
        }
        let asks = ["codecs", "dir", "keys"].iter().any(|name| words.value(name).is_some()) || words.has("sdp");
        let Some(described) = described.filter(|_| asks) else {
            return self.assert(!asks, &format!("it has no description:\n{}", text.0));
        };
        if let Some(codecs) = words.value("codecs") {
            self.equal(described.numbers.join(","), codecs.to_owned(), "the codecs");
        }
        if let Some(direction) = words.value("dir") {
            self.equal(described.direction, direction.to_owned(), "the direction");
        }
        if let Some(keys) = words.value("keys") {
            self.equal(described.keys, keys.to_owned(), "how it is protected");
        }
    }

    /// Tells the switch one thing, and carries out what it says.
    fn tell(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            self.switch.handle(event, self.now);
            while let Some(action) = self.switch.poll_action() {
                events.extend(self.carry_out(action));
            }
        }
        self.equal(self.switch.faults().to_string(), "0".to_owned(), "faults of ours");
        self.assert(self.plane.faults.is_empty(), &format!("{:?}", self.plane.faults));
    }

    fn carry_out(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Send { flow, octets } if octets == "\r\n\r\n" => {
                let place = self.reached(&flow).expect("somebody is kept alive");
                self.phones[place].kept += 1;
                None
            }
            Action::Send { flow, octets } => {
                let text = Text::read(&octets);
                let Some(place) = self.reached(&flow) else {
                    let line = text.0.lines().next().unwrap_or_default();
                    self.said.push(format!("    (nobody is at {}: {line})", flow.remote));
                    return flow.transport.is_reliable().then_some(Event::FlowClosed { flow });
                };
                let phone = &mut self.phones[place];
                self.said.push(format!("    {} <- {}", phone.name, text.0.lines().next().unwrap_or_default()));
                phone.hear(text);
                None
            }
            Action::Media(command) => self.plane.command(command, self.now.tick).map(Event::Media),
            Action::Save { batch, changes, awaited } => {
                match self.store {
                    Store::Works => self.commit(changes),
                    Store::Fails => return awaited.then_some(Event::Saved { batch, stored: false }),
                    Store::Waits => {
                        self.waiting.push((batch, changes));
                        return None;
                    }
                }
                awaited.then_some(Event::Saved { batch, stored: true })
            }
            Action::Publish(published) => {
                match published.change {
                    Change::Call(call) if !self.live.contains(&call.key) => self.live.push(call.key),
                    Change::Line(status) => _ = self.lines.insert(status.trunk.to_string(), status),
                    Change::LineGone(key) => _ = self.lines.remove(&key.0),
                    Change::TurnedAway(turned) => {
                        let why = turned.last.map_or("", |(_, _, why)| why.code());
                        self.turned_away.insert(turned.extension.to_string(), why);
                    }
                    Change::Toll(state) => _ = self.tolls.insert(state.payer.to_string(), state),
                    Change::CallEnded(key) => self.live.retain(|live| *live != key),
                    Change::Call(_) | Change::Registration(_) | Change::Ban(_) | Change::BanEnded(_) => {}
                }
                None
            }
            Action::Record(record) => {
                self.records.push_back(*record);
                None
            }
            Action::Resolve { ticket, targets } => {
                let ways: Vec<Flow> = targets.iter().filter_map(way_to).collect();
                Some(Event::Resolved { ticket, ways: if ways.is_empty() { Err(ResolveError::NoSuchName) } else { Ok(ways) } })
            }
            Action::Ban(change) => {
                match change {
                    BanChange::Begun(ban) => _ = self.banned.insert(ban.source),
                    BanChange::Ended(source) => _ = self.banned.remove(&source),
                    BanChange::Forgotten(_) => {}
                }
                None
            }
            Action::CeilingReached { payer, ceiling, alerted } => {
                for to in alerted {
                    self.tell(Event::Text { to, text: format!("{payer}: {}", ceiling.code()) });
                }
                None
            }
            Action::Drained => {
                self.drained = true;
                None
            }
        }
    }

    /// Whom octets reach: over a connection whoever has it, else whoever has or takes one at that address.
    fn reached(&mut self, flow: &Flow) -> Option<usize> {
        let tcp = flow.transport.is_reliable();
        let by_connection = |phone: &Phone| tcp && flow.connection.0 > 0 && phone.flow.connection == flow.connection;
        if let Some(place) = self.phones.iter().position(by_connection) {
            return Some(place);
        }
        let place = self
            .phones
            .iter()
            .position(|phone| phone.flow.transport == flow.transport && phone.flow.remote == flow.remote && !(tcp && phone.gone))?;
        if tcp && self.phones[place].flow.connection.0 == 0 {
            self.connections += 1;
            self.phones[place].flow.connection = ConnectionId(self.connections);
        }
        Some(place)
    }

    fn commit(&mut self, changes: Vec<Kept>) {
        for change in changes {
            match change {
                Kept::Binding(BindingChange::Put(binding)) => {
                    self.disk.insert((binding.aor.to_string(), binding.key()), binding);
                }
                Kept::Binding(BindingChange::Remove { aor, key }) => _ = self.disk.remove(&(aor.to_string(), key)),
                Kept::Subscription(SubscriptionChange::Put(kept)) => _ = self.subscriptions.insert(kept.key, *kept),
                Kept::Subscription(SubscriptionChange::Remove(key)) => _ = self.subscriptions.remove(&key),
                Kept::Publication(PublicationChange::Put(kept)) => _ = self.publications.insert(kept.tag.clone(), kept),
                Kept::Publication(PublicationChange::Remove(tag)) => _ = self.publications.remove(&tag),
                Kept::Toll(TollChange::Put(spent)) => _ = self.spent.insert((spent.extension.clone(), spent.minute), spent),
                Kept::Toll(TollChange::ForgetBefore(oldest)) => self.spent.retain(|(_, minute), _| *minute >= oldest),
            }
        }
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let next = [self.switch.poll_deadline(self.now), self.plane.next_rested()].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end.tick) else { break };
            self.now = self.now + next.since(self.now.tick);
            self.switch.handle_deadline(self.now);
            let mut events: Vec<Event> = self.plane.rested(self.now.tick).map(Event::Media).into_iter().collect();
            while let Some(action) = self.switch.poll_action() {
                events.extend(self.carry_out(action));
            }
            events.into_iter().for_each(|event| self.tell(event));
        }
        self.now = end;
    }

    fn begin(&self) -> Switch {
        let bindings = self.disk.values().cloned().collect();
        let (directory, plan) = (Arc::new(self.directory.clone()), Arc::clone(&self.plan));
        Switch::new(self.config.clone(), directory, (plan, 1), bindings, [4; 32], self.now)
    }

    /// The process is killed and starts again from what is on disk.
    fn restart(&mut self, written: Written) {
        self.now = self.now + Duration::from_secs(1);
        self.switch = self.begin();
        for phone in self.phones.iter_mut().filter(|phone| phone.flow.transport.is_reliable()) {
            phone.flow.connection = ConnectionId(0);
        }
        self.connections = 0;
        self.live.clear();
        let free = self.plane.restart();
        self.switch.read(written, self.now);
        self.switch.resume_toll(self.spent.values().cloned().collect(), self.now);
        self.switch.resume_publications(self.publications.values().cloned().collect(), self.now);
        self.switch.resume_subscriptions(self.subscriptions.values().cloned().collect(), self.now);
        let mut events = Vec::new();
        while let Some(action) = self.switch.poll_action() {
            events.extend(self.carry_out(action));
        }
        events.into_iter().for_each(|event| self.tell(event));
        self.tell(Event::Media(free));
    }

    /// `201 <-> 202`, `201 -> 202`, `none`
    fn media(&self, rest: &str) {
        let owner = |leg: &crate::plane::Open| {
            let at = leg.promised.as_ref().map(|promised| promised.at.to_string()).unwrap_or_default();
            self.phones.iter().find(|phone| phone.media() == at).map_or(format!("somebody at `{at}`"), |phone| phone.name.clone())
        };
        let mut heard = Vec::new();
        for leg in self.plane.legs.values() {
            let Some(partner) = leg.partner.and_then(|partner| self.plane.legs.get(&partner)) else { continue };
            let receives = leg.promised.as_ref().is_some_and(|promised| promised.direction.receives());
            let sends = partner.promised.as_ref().is_some_and(|promised| promised.direction.sends());
            if receives && sends {
                heard.push(format!("{} -> {}", owner(leg), owner(partner)));
            }
        }
        heard.sort();
        let mut wanted = Vec::new();
        for part in rest.split(',').map(str::trim).filter(|part| *part != "none") {
            match part.split_once(" <-> ") {
                Some((one, other)) => wanted.extend([format!("{one} -> {other}"), format!("{other} -> {one}")]),
                None => wanted.push(part.to_owned()),
            }
        }
        wanted.sort();
        self.equal(heard.join(", "), wanted.join(", "), "who hears whom");
    }

    /// `201 202s`
    fn keys(&self, rest: &str) {
        let mut found = Vec::new();
        for promised in self.plane.legs.values().filter_map(|leg| leg.promised.as_ref()) {
            let Some(keys) = &promised.keys else { continue };
            let at = promised.at.to_string();
            let phone = self.phones.iter().find(|phone| phone.media() == at).expect("a leg of a phone");
            let own =
                phone.key.as_ref().is_some_and(|key| key.octets == keys.theirs.octets && key.suite == keys.theirs.suite.name());
            let told = phone.told.iter().any(|key| key.octets == keys.ours.octets && key.suite == keys.ours.suite.name());
            self.assert(own && told, &format!("{} and we have other keys ({own}, {told})", phone.name));
            found.push(phone.name.clone());
        }
        found.sort();
        self.equal(found.join(" "), rest.replace("none", ""), "whose sound is protected");
    }

    /// `202 97=OPUS 8=PCMA`
    fn numbers(&self, rest: &str) {
        let (who, wanted) = rest.split_once(' ').unwrap();
        let media = self.phones[self.phone(who)].media();
        let promised = self.plane.legs.values().filter_map(|leg| leg.promised.as_ref());
        let found = promised
            .filter(|promised| promised.at.to_string() == media)
            .map(|promised| promised.numbers.iter().map(|(number, name)| format!("{number}={name}")).collect::<Vec<_>>().join(" "));
        self.equal(found.collect::<Vec<_>>().join(" | "), wanted.to_owned(), "payload numbers");
    }

    fn record(&mut self, rest: &str) {
        let Some(record) = self.records.pop_front() else { self.fail("no call was recorded") };
        let (outcome, legs) = rest.split_once(' ').unwrap_or((rest, ""));
        self.equal(record.outcome.code().to_owned(), outcome.to_owned(), "the outcome");
        let whole = record.started <= record.ended && !record.legs.is_empty() && !record.trace.steps.is_empty();
        self.assert(whole, &format!("a record that is not whole: {record:?}"));
        let answered = record.legs.iter().filter(|leg| leg.answered.is_some()).count();
        let moved = record.trace.steps.iter().any(|step| matches!(step, Step::Transferred { .. } | Step::TakenOver { .. }));
        let fine = if record.answered.is_some() {
            answered == 2 || moved && answered > 2
        } else {
            answered == 0 || moved && answered == 1
        };
        self.assert(fine, &format!("two legs talk, or none, not {answered}"));
        if !legs.is_empty() {
            let found: Vec<String> = record.legs[1..].iter().map(|leg| format!("{}={}", leg.party, leg.end)).collect();
            self.equal(found.join(" "), legs.to_owned(), "the legs");
        }
        self.last_caller.clone_from(&record.caller);
        self.last_trace = record
            .trace
            .steps
            .iter()
            .map(|step| serde_json::to_value(step).unwrap()["code"].as_str().unwrap_or_default().to_owned())
            .collect();
    }

    /// Nothing may be left over.
    fn end(&mut self) {
        self.said.push("--- (the end)".to_owned());
        for phone in 0..self.phones.len() {
            let name = self.phones[phone].name.clone();
            self.expect(&name, "nothing");
        }
        self.assert(self.records.is_empty(), &format!("the ladder says nothing of {} records", self.records.len()));
        self.wait(Duration::from_secs(140));
        self.records.clear();
        let left: Vec<String> = self
            .switch
            .left_over()
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(what, count)| format!("{count} {what}"))
            .collect();
        self.assert(left.is_empty(), &format!("left over: {left:?}"));
        self.equal(self.plane.legs.len().to_string(), "0".to_owned(), "open legs");
    }

    fn phone(&self, name: &str) -> usize {
        match self.phones.iter().position(|phone| phone.name == name) {
            Some(place) => place,
            None => self.fail(&format!("who is {name}?")),
        }
    }

    fn equal(&self, found: String, wanted: String, what: &str) {
        self.assert(found == wanted, &format!("{what}: `{found}` instead of `{wanted}`"));
    }

    fn assert(&self, fine: bool, why: &str) {
        if !fine {
            self.fail(why);
        }
    }

    fn fail(&self, why: &str) -> ! {
        panic!("{}:\n{}\n{why}\n", self.name, self.said.join("\n"))
    }
}

/// `500ms`, `20s`
fn duration(text: &str) -> Duration {
    match text.strip_suffix("ms") {
        Some(ms) => Duration::from_millis(ms.parse().unwrap()),
        None => Duration::from_secs(text.strip_suffix('s').unwrap().parse().unwrap()),
    }
}

/// What a network would say: addresses are themselves, and no name exists.
fn way_to(target: &Target) -> Option<Flow> {
    match target {
        Target::Address { address, transport } => {
            let local = "192.0.2.254:5060".parse().unwrap();
            Some(Flow { transport: *transport, local, remote: *address, connection: ConnectionId(0) })
        }
        Target::Name { .. } => None,
    }
}
