//! One world: a house, its phones, the network between them, and what goes wrong. The same seed is the same world.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pbx_media_words::{Command, LegKey};
use pbx_sip::auth::{Algorithm, Ha1};
use pbx_sip::clock::{Now, Tick, Wall};
use pbx_sip::flow::{ConnectionId, Flow, Transport};
use pbx_sip::transaction::Timers;
use pbx_switch::action::{Action, Kept, SaveKey};
use pbx_switch::call::{CallKey, CallRecord};
use pbx_switch::dialplan::{Dialplan, Step};
use pbx_switch::directory::{Access, Directory, Extension, ExtensionNumber, Site, SiteKey};
use pbx_switch::event::Event;
use pbx_switch::registrar::{Binding, BindingChange, Expiry};
use pbx_switch::status::Change;
use pbx_switch::subscription::{Subscription, SubscriptionChange, SubscriptionKey};
use pbx_switch::switch::{Switch, SwitchConfig, Written};

use crate::draw::Draw;
use crate::lamps::{LampWake, Lamps};
use crate::phone::{Manner, Phone, Wake};
use crate::plane::Plane;
use crate::wire::Text;

/// What a house is built from; the same for every world.
#[derive(Clone)]
pub struct Plans {
    directory: Directory,
    plan: Arc<Dialplan>,
}

/// What was counted in a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// INVITEs of callers that were meant as calls.
    pub dialled: u64,
    /// Calls the switch began.
    pub begun: u64,
    /// Of those, answered.
    pub answered: u64,
    /// Octets and events in, in messages.
    pub messages: u64,
    /// Processes that ended and were followed by another.
    pub restarts: u64,
    /// Of everything the switch sent: the same for the same seed.
    pub digest: u64,
}

struct Weather {
    loss: u64,
    twice: u64,
    slowest_ms: u64,
    disk_ms: u64,
    disk_fails: u64,
}

enum Arrival {
    AtSwitch { flow: Flow, octets: Bytes },
    AtPhone { place: usize, life: u32, connection: ConnectionId, octets: Bytes },
    Saved { batch: SaveKey, changes: Vec<Kept>, awaited: bool },
    Closed(Flow),
    Wake { place: usize, life: u32, wake: Wake },
    AtLamps(Bytes),
    LampWake(LampWake),
    Trouble(Trouble),
}

enum Trouble {
    Restart { kept: bool },
    Vanish(usize),
    Reboot(usize),
    Disconnect(usize),
    Able(u16, bool),
    HangUp,
    Noise,
    Drain,
}

/// The world.
pub struct World {
    draw: Draw,
    weather: Weather,
    config: SwitchConfig,
    plans: Plans,
    switch: Switch,
    plane: Plane,
    now: Now,
    queue: BTreeMap<(Tick, u64), Arrival>,
    sequence: u64,
    phones: Vec<Phone>,
    lamps: Option<Lamps>,
    lives: Vec<u32>,
    connections: BTreeMap<ConnectionId, usize>,
    next_connection: u64,
    /// Gone, and the switch has not been told yet.
    closing: BTreeSet<ConnectionId>,
    /// When the last octets of a stream arrive, by phone and direction.
    in_order: BTreeMap<(usize, bool), Tick>,
    /// How often a message was lost: never more than twice, so that who repeats himself is heard.
    lost: BTreeMap<u64, u8>,
    disk: BTreeMap<(String, String), Binding>,
    watchers: BTreeMap<SubscriptionKey, Subscription>,
    next_media: u16,
    marks: Vec<u16>,
    /// Calls one of whose sides was sent on, each with the first of those it was connected with.
    kin: BTreeMap<u32, u32>,
    begun: BTreeSet<CallKey>,
    recorded: BTreeSet<CallKey>,
    gone: BTreeSet<CallKey>,
    live: BTreeSet<CallKey>,
    joined: BTreeSet<(LegKey, LegKey)>,
    draining: bool,
    drained: bool,
    faults: Vec<String>,
    tally: Tally,
    trace: bool,
}

impl Plans {
    /// Five extensions and the plan a new house begins with.
    pub fn new() -> Plans {
        let mut directory = Directory::default();
        if let Ok(site) = Site::new(SiteKey("main".into()), "Salle", "Europe/Paris") {
            directory.sites.insert(site.key.clone(), site);
        }
        for number in EXTENSIONS {
            let ha1 = Ha1::of(&number.to_string(), "pbx", &format!("secret {number}"));
            let Ok(number) = ExtensionNumber::new(&number.to_string()) else { continue };
            let (name, site) = (format!("Phone {number}"), SiteKey("main".into()));
            let extension =
                Extension { number: number.clone(), name, site, email: None, enabled: true, ha1, access: Access::default() };
            directory.extensions.insert(number, extension);
        }
        let plan = Dialplan::parse(include_str!("../../../dialplans/default.toml")).expect("the shipped plan");
        Plans { directory, plan: Arc::new(plan) }
    }
}

impl Default for Plans {
    fn default() -> Plans {
        Plans::new()
    }
}

const EXTENSIONS: std::ops::Range<u16> = 201..206;

/// Where the phone with the lamps is.
const LAMPS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 100)), 5060);

/// After everybody has hung up, so long until nothing moves any more: Timer H after the longest ringing and talk, and some.
const LONGEST: Duration = Duration::from_secs(900);

/// Runs the world of a seed to its end; what was wrong in it, if anything was.
pub fn run(seed: u64, plans: &Plans, trace: bool) -> Result<Tally, Vec<String>> {
    let mut world = World::new(seed, plans, trace);
    world.populate();
    world.live();
    world.judge();
    if world.faults.is_empty() { Ok(world.tally) } else { Err(world.faults) }
}

impl World {
    fn new(seed: u64, plans: &Plans, trace: bool) -> World {
        let mut draw = Draw::new(seed);
        let rough = draw.percent(60);
        let weather = Weather {
            loss: if rough { [2, 5, 10, 20][draw.place(4)] } else { 0 },
            twice: if rough { draw.below(6) } else { 0 },
            slowest_ms: [2, 20, 60, 400][draw.place(4)],
            disk_ms: [2, 8, 60, 3_000][draw.place(4)],
            disk_fails: [0, 0, 0, 20][draw.place(4)],
        };
        let config = SwitchConfig {
            domain: "pbx.test".into(),
            realm: "pbx".into(),
            nonce_key: [7; 32],
            algorithms: vec![Algorithm::Md5, Algorithm::Sha256],
            md5_only: Vec::new(),
            nonce_life: Duration::from_secs(60),
            expiry: Expiry::default(),
            ring_for: Duration::from_secs(30),
            dead_after: Duration::from_secs(100),
            most_calls: if draw.percent(10) { 3 } else { 100 },
            calls_per_extension: if draw.percent(10) { 2 } else { 100 },
            user_agent: "pbx".into(),
            timers: Timers::default(),
        };
        let now = Now { tick: Tick(1_000_000_000), wall: Wall(1_800_000_000_000_000) };
        let switch = begin(&config, plans, Vec::new(), draw.bits(), now);
        World {
            draw,
            weather,
            config,
            plans: plans.clone(),
            switch,
            plane: Plane::default(),
            now,
            queue: BTreeMap::new(),
            sequence: 0,
            phones: Vec::new(),
            // Chance of their own, so that those who call do not notice them.
            lamps: seed.is_multiple_of(8).then(|| Lamps::new(LAMPS, EXTENSIONS, Draw::new(!seed))),
            lives: Vec::new(),
            connections: BTreeMap::new(),
            next_connection: 0,
            closing: BTreeSet::new(),
            in_order: BTreeMap::new(),
            lost: BTreeMap::new(),
            disk: BTreeMap::new(),
            watchers: BTreeMap::new(),
            next_media: 20_000,
            marks: Vec::new(),
            kin: BTreeMap::new(),
            begun: BTreeSet::new(),
            recorded: BTreeSet::new(),
            gone: BTreeSet::new(),
            live: BTreeSet::new(),
            joined: BTreeSet::new(),
            draining: false,
            drained: false,
            faults: Vec::new(),
            tally: Tally::default(),
            trace,
        }
    }

    /// Phones, what they mean to do, and what is going to happen to them.
    fn populate(&mut self) {
        let pairs = [8, 32, 64][self.draw.place(3)];
        let free = self.plane.open(pairs);
        self.tell(Event::Media(free));
        let phones = 4 + self.draw.place(5);
        let tcp = self.draw.below(60);
        for place in 0..phones {
            let extension = 201 + u16::try_from(place % 5).unwrap_or(0);
            let transport = if self.draw.percent(tcp) { Transport::Tcp } else { Transport::Udp };
            let host = u8::try_from(place + 1).unwrap_or(1);
            let flow =
                Flow { transport, local: HOUSE, remote: SocketAddr::from(([192, 0, 2, host], 5060)), connection: ConnectionId(0) };
            self.phones.push(Phone::new(place, extension, flow));
            self.lives.push(0);
            let at = self.draw.millis(0, 2_000);
            self.wake(place, at, Wake::Register(3600));
        }
        let calls = 12 + self.draw.below(13);
        let window = calls * 2_500;
        for _ in 0..calls {
            let (at, place) = (self.draw.millis(4_000, 4_000 + window), self.draw.place(phones));
            let number = match self.draw.below(40) {
                0 => 299,
                1 => 112,
                _ => 201 + u16::try_from(self.draw.below(5)).unwrap_or(0),
            };
            self.wake(place, at, Wake::Dial(number));
        }
        for _ in 0..self.draw.below(4) {
            let (at, place) = (self.draw.millis(6_000, 4_000 + window), self.draw.place(phones));
            let trouble = match self.draw.below(10) {
                0 => Trouble::Vanish(place),
                1 | 2 => Trouble::Reboot(place),
                3 | 4 => Trouble::Disconnect(place),
                5 => Trouble::HangUp,
                6 | 7 => Trouble::Noise,
                8 => Trouble::Able(201 + u16::try_from(place % 5).unwrap_or(0), false),
                _ => {
                    self.wake(place, at, Wake::Register(if place % 2 == 0 { 0 } else { 60 }));
                    continue;
                }
            };
            self.after(at, Arrival::Trouble(trouble));
        }
        if self.draw.percent(45) {
            let (at, kept) = (self.draw.millis(6_000, 4_000 + window), self.draw.percent(60));
            self.after(at, Arrival::Trouble(Trouble::Restart { kept }));
        }
        if self.draw.percent(8) {
            self.after(Duration::from_millis(4_000 + window / 2), Arrival::Trouble(Trouble::Drain));
        }
        self.with_lamps(|_| {});
    }

    /// Until nothing moves any more.
    fn live(&mut self) {
        let end = self.now.tick + LONGEST;
        loop {
            let arrival = self.queue.first_key_value().map(|((when, _), _)| *when);
            let idle = self.switch.calls() == 0 && self.switch.transactions() == 0;
            if arrival.is_none() && idle {
                break;
            }
            let deadline = self.switch.poll_deadline(self.now);
            let Some(next) = [arrival, deadline, self.plane.next_rested()].into_iter().flatten().min() else { break };
            if next > end {
                break;
            }
            self.now = self.now + next.since(self.now.tick);
            if let Some(rested) = self.plane.rested(self.now.tick) {
                self.tell(Event::Media(rested));
            }
            if deadline.is_some_and(|deadline| deadline <= self.now.tick) {
                self.switch.handle_deadline(self.now);
                self.drain_switch();
            }
            while let Some(entry) = self.queue.first_entry()
                && entry.key().0 <= self.now.tick
            {
                let arrival = entry.remove();
                self.arrive(arrival);
            }
            if self.faults.len() > 8 {
                break;
            }
        }
    }

    /// Nothing may be left over, and everything that began has one record.
    fn judge(&mut self) {
        for phone in self.phones.iter_mut().filter(|phone| phone.alive) {
            phone.at_rest();
        }
        for phone in &mut self.phones {
            self.faults.append(&mut phone.faults);
        }
        let left: Vec<String> = self
            .switch
            .left_over()
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(what, count)| format!("left over: {count} {what}"))
            .collect();
        self.faults.extend(left);
        if !self.plane.legs.is_empty() {
            self.faults.push(format!("left over: {} open ports", self.plane.legs.len()));
        }
        self.faults.append(&mut self.plane.faults);
        if self.switch.faults() > 0 {
            self.faults.push(format!("{} faults were caught", self.switch.faults()));
        }
        if let Some(lamps) = &mut self.lamps {
            let kept: Vec<&str> = self.watchers.values().map(|kept| kept.dialog.id.call_id.as_str()).collect();
            lamps.at_rest(&kept);
            self.faults.append(&mut lamps.faults);
        }
        let unrecorded = self.begun.iter().filter(|key| !self.recorded.contains(key) && !self.gone.contains(key)).count();
        if unrecorded > 0 {
            self.faults.push(format!("{unrecorded} of {} calls have no record", self.begun.len()));
        }
        if self.tally.answered > self.joined.len() as u64 {
            self.faults.push(format!("{} calls were answered, and {} heard each other", self.tally.answered, self.joined.len()));
        }
        if self.draining && !self.drained {
            self.faults.push("the last call is over, and nobody was told".to_owned());
        }
        self.tally.begun = self.begun.len() as u64;
    }

    fn arrive(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::AtSwitch { flow, octets } => {
                let open = !flow.transport.is_reliable() || self.connections.contains_key(&flow.connection);
                if open {
                    self.note("->", flow.remote, &octets);
                    self.tell(Event::Received { flow, octets });
                }
            }
            Arrival::AtPhone { place, life, connection, octets } => {
                if self.lives[place] != life || connection.0 > 0 && !self.connections.contains_key(&connection) {
                    return;
                }
                let text = Text::read(&octets);
                self.note("<-", self.phones[place].flow.remote, &octets);
                self.with_phone(place, |phone, now, draw, media| {
                    phone.hear(text, now, draw, &mut |draw| (meet(draw), fresh(media)))
                });
            }
            Arrival::Saved { batch, changes, awaited } => {
                let of_lamps = changes.iter().all(|change| matches!(change, Kept::Subscription(_)));
                let draw = self.lamps.as_mut().filter(|_| of_lamps).map_or(&mut self.draw, |lamps| &mut lamps.draw);
                let stored = !draw.percent(self.weather.disk_fails);
                if stored {
                    self.commit(changes);
                }
                if awaited {
                    self.tell(Event::Saved { batch, stored });
                }
            }
            Arrival::Closed(flow) => {
                self.closing.remove(&flow.connection);
                self.tell(Event::FlowClosed { flow });
            }
            Arrival::Wake { place, life, wake } => {
                if self.lives[place] != life || !self.phones[place].alive {
                    return;
                }
                if let Wake::Dial(number) = wake {
                    return self.dial(place, number);
                }
                self.with_phone(place, |phone, now, draw, _| phone.woke(wake, now, draw));
            }
            Arrival::AtLamps(octets) => {
                self.note("<-", LAMPS, &octets);
                self.with_lamps(|lamps| lamps.hear(&Text::read(&octets)));
            }
            Arrival::LampWake(wake) => self.with_lamps(|lamps| lamps.woke(wake)),
            Arrival::Trouble(trouble) => self.trouble(trouble),
        }
    }

    fn dial(&mut self, place: usize, number: u16) {
        let manner = call_manner(&mut self.draw);
        let mark = u32::try_from(self.marks.len()).unwrap_or(0);
        self.marks.push(number);
        self.tally.dialled += 1;
        let media = fresh(&mut self.next_media);
        self.with_phone(place, |phone, now, _, _| phone.dial(number, mark, media, manner, now));
    }

    fn trouble(&mut self, trouble: Trouble) {
        if self.trace {
            let what = match trouble {
                Trouble::Restart { kept } => format!("restart, state kept: {kept}"),
                Trouble::Vanish(place) => format!("phone {place} vanishes"),
                Trouble::Reboot(place) => format!("phone {place} starts again"),
                Trouble::Disconnect(place) => format!("phone {place} loses its connection"),
                Trouble::Able(number, able) => format!("extension {number} enabled: {able}"),
                Trouble::HangUp => "an administrator hangs up".to_owned(),
                Trouble::Noise => "noise".to_owned(),
                Trouble::Drain => "the house closes".to_owned(),
            };
            println!("{:>9.3} === {what}", self.seconds());
        }
        match trouble {
            Trouble::Restart { kept } => self.restart(kept),
            Trouble::Vanish(place) => {
                self.phones[place].alive = false;
                self.phones[place].reboot();
                self.disconnect(place);
            }
            Trouble::Reboot(place) => {
                self.disconnect(place);
                self.lives[place] += 1;
                let phone = &mut self.phones[place];
                phone.reboot();
                let port = phone.flow.remote.port() + 2;
                phone.flow.remote.set_port(port);
                let at = self.draw.millis(100, 5_000);
                self.wake(place, at, Wake::Register(3600));
            }
            Trouble::Disconnect(place) => self.disconnect(place),
            Trouble::Able(number, able) => {
                let mut directory = self.plans.directory.clone();
                for extension in directory.extensions.values_mut().filter(|known| known.number.as_str() == number.to_string()) {
                    extension.enabled = able;
                }
                self.tell(Event::DirectoryChanged(Arc::new(directory)));
            }
            Trouble::HangUp => {
                if let Some(call) = self.live.first().copied() {
                    self.tell(Event::HangUp { call });
                }
            }
            Trouble::Noise => {
                let flow = Flow {
                    transport: Transport::Udp,
                    local: HOUSE,
                    remote: SocketAddr::from(([198, 51, 100, 7], 5060)),
                    connection: ConnectionId(0),
                };
                let octets: Vec<u8> = (0..self.draw.below(600)).map(|_| self.draw.bits().to_le_bytes()[0]).collect();
                let shaped = [&b"INVITE sip:201@pbx.test SIP/2.0\r\nVia: SIP/2.0/UDP x\r\n"[..], &octets].concat();
                self.tell(Event::Received { flow, octets: octets.into() });
                self.tell(Event::Received { flow, octets: shaped.into() });
            }
            Trouble::Drain => {
                self.draining = true;
                self.tell(Event::Drain);
            }
        }
    }

    /// The process is killed and another begins, with the bindings on disk, and the calls if they were written down.
    fn restart(&mut self, kept: bool) {
        self.tally.restarts += 1;
        let written = kept.then(|| serde_json::to_string(&self.switch.write()).unwrap_or_default());
        let carried = |branch: &str| written.as_ref().is_some_and(|written| written.contains(branch));
        // What was on its way to the disk may have got there; nobody was told.
        let (mut arrived, mut rest) = (Vec::new(), BTreeMap::new());
        for (when, arrival) in std::mem::take(&mut self.queue) {
            match arrival {
                Arrival::Saved { changes, .. } => arrived.push(changes),
                // A call that is not carried on does not begin at its phone either, so that nobody waits for what cannot come.
                Arrival::AtPhone { ref octets, .. } if octets.starts_with(b"INVITE") && !carried(Text::read(octets).branch()) => {}
                Arrival::Closed(_) => {}
                other => _ = rest.insert(when, other),
            }
        }
        self.queue = rest;
        let reached = self.draw.place(arrived.len() + 1);
        arrived.into_iter().take(reached).for_each(|changes| self.commit(changes));
        self.connections.clear();
        for phone in &mut self.phones {
            phone.flow.connection = ConnectionId(0);
            phone.restarted(carried);
        }
        if !kept {
            self.gone.extend(self.begun.difference(&self.recorded).copied().collect::<Vec<_>>());
            self.live.clear();
        }
        let bindings: Vec<Binding> = self.disk.values().cloned().collect();
        self.switch = begin(&self.config, &self.plans, bindings, self.draw.bits(), self.now);
        self.next_connection = 0;
        self.closing.clear();
        let free = self.plane.restart();
        if let Some(written) = written {
            match serde_json::from_str::<Written>(&written) {
                Ok(written) => self.switch.read(written, self.now),
                Err(error) => self.faults.push(format!("what was written cannot be read: {error}")),
            }
            self.drain_switch();
            let second = serde_json::to_string(&self.switch.write()).unwrap_or_default();
            let mut third = begin(&self.config, &self.plans, Vec::new(), 1, self.now);
            third.read(serde_json::from_str(&second).unwrap_or_default(), self.now);
            if serde_json::to_string(&third.write()).unwrap_or_default() != second {
                self.faults.push("what was written reads back as something else".to_owned());
            }
        }
        self.switch.resume_subscriptions(self.watchers.values().cloned().collect(), self.now);
        self.tell(Event::Media(free));
        if self.draining {
            self.drained = false;
            self.tell(Event::Drain);
        }
    }

    fn disconnect(&mut self, place: usize) {
        let flow = self.phones[place].flow;
        if self.connections.remove(&flow.connection).is_some() {
            self.phones[place].flow.connection = ConnectionId(0);
            self.phones[place].excuse();
            self.closing.insert(flow.connection);
            let later = self.latency();
            self.after(later, Arrival::Closed(flow));
        }
    }

    fn with_phone(&mut self, place: usize, step: impl FnOnce(&mut Phone, Tick, &mut Draw, &mut u16)) {
        if !self.phones[place].alive {
            return;
        }
        step(&mut self.phones[place], self.now.tick, &mut self.draw, &mut self.next_media);
        for (mark, with) in std::mem::take(&mut self.phones[place].referred) {
            let (one, other) = (self.kin_of(mark), self.kin_of(with.unwrap_or(mark)));
            self.kin.insert(mark, one);
            self.kin.values_mut().filter(|of| **of == other).for_each(|of| *of = one);
            self.kin.insert(with.unwrap_or(mark), one);
        }
        for text in std::mem::take(&mut self.phones[place].out) {
            self.send_in(place, text);
        }
        for (after, wake) in std::mem::take(&mut self.phones[place].wakes) {
            self.wake(place, after, wake);
        }
    }

    fn with_lamps(&mut self, step: impl FnOnce(&mut Lamps)) {
        let Some(mut lamps) = self.lamps.take() else { return };
        step(&mut lamps);
        let flow = Flow { transport: Transport::Udp, local: HOUSE, remote: LAMPS, connection: ConnectionId(0) };
        for text in std::mem::take(&mut lamps.out) {
            for later in lamps.copies(text.as_bytes(), self.weather.loss, self.weather.slowest_ms) {
                self.after(later, Arrival::AtSwitch { flow, octets: Bytes::from(text.clone()) });
            }
        }
        for (after, wake) in std::mem::take(&mut lamps.wakes) {
            self.after(after, Arrival::LampWake(wake));
        }
        self.lamps = Some(lamps);
    }

    fn send_in(&mut self, place: usize, text: String) {
        let octets = Bytes::from(text);
        if self.phones[place].flow.transport.is_reliable() {
            if !self.connections.contains_key(&self.phones[place].flow.connection) {
                self.connect(place);
            }
            let at = self.in_turn(place, true);
            let flow = self.phones[place].flow;
            return self.at(at, Arrival::AtSwitch { flow, octets });
        }
        let flow = self.phones[place].flow;
        for _ in 0..self.copies(&octets) {
            let later = self.latency();
            self.after(later, Arrival::AtSwitch { flow, octets: octets.clone() });
        }
    }

    fn connect(&mut self, place: usize) {
        self.next_connection += 1;
        self.connections.insert(ConnectionId(self.next_connection), place);
        self.phones[place].flow.connection = ConnectionId(self.next_connection);
    }

    fn send_out(&mut self, flow: Flow, octets: Bytes) {
        self.tally.digest =
            octets.iter().fold(self.tally.digest, |digest, octet| (digest ^ u64::from(*octet)).wrapping_mul(0x100_0000_01b3));
        if flow.remote == LAMPS
            && let Some(lamps) = &mut self.lamps
        {
            for later in lamps.copies(&octets, self.weather.loss, self.weather.slowest_ms) {
                self.after(later, Arrival::AtLamps(octets.clone()));
            }
            return;
        }
        let at_home = |phone: &Phone| phone.alive && phone.flow.transport == flow.transport && phone.flow.remote == flow.remote;
        if self.closing.contains(&flow.connection) {
            return;
        }
        if flow.transport.is_reliable() {
            let place = self.connections.get(&flow.connection).copied().or_else(|| self.phones.iter().position(at_home));
            let Some(place) = place else {
                let later = self.latency();
                return self.after(later, Arrival::Closed(flow));
            };
            if !self.connections.contains_key(&self.phones[place].flow.connection) {
                self.connect(place);
            }
            let at = self.in_turn(place, false);
            let (life, connection) = (self.lives[place], self.phones[place].flow.connection);
            return self.at(at, Arrival::AtPhone { place, life, connection, octets });
        }
        let Some(place) = self.phones.iter().position(at_home) else { return };
        for _ in 0..self.copies(&octets) {
            let (later, life) = (self.latency(), self.lives[place]);
            self.after(later, Arrival::AtPhone { place, life, connection: ConnectionId(0), octets: octets.clone() });
        }
    }

    /// How many of a datagram arrive.
    fn copies(&mut self, octets: &Bytes) -> usize {
        if self.weather.loss == 0 {
            return 1;
        }
        if self.draw.percent(self.weather.loss) {
            let hash = octets
                .iter()
                .fold(0xcbf2_9ce4_8422_2325, |hash: u64, octet| (hash ^ u64::from(*octet)).wrapping_mul(0x100_0000_01b3));
            let lost = self.lost.entry(hash).or_default();
            if *lost < 2 {
                *lost += 1;
                return 0;
            }
        }
        if self.draw.percent(self.weather.twice) { 2 } else { 1 }
    }

    fn latency(&mut self) -> Duration {
        Duration::from_micros(500 + self.draw.below(self.weather.slowest_ms * 1_000))
    }

    /// Streams keep their order.
    fn in_turn(&mut self, place: usize, inward: bool) -> Tick {
        let at = self.now.tick + self.latency();
        let last = self.in_order.entry((place, inward)).or_default();
        *last = at.max(*last + Duration::from_micros(1));
        *last
    }

    fn tell(&mut self, event: Event) {
        self.tally.messages += 1;
        self.switch.handle(event, self.now);
        self.drain_switch();
    }

    fn drain_switch(&mut self) {
        let mut told = Vec::new();
        while let Some(action) = self.switch.poll_action() {
            match action {
                Action::Send { flow, octets } => self.send_out(flow, octets),
                Action::Media(command) => {
                    told.extend(self.command(command));
                }
                Action::Save { batch, changes, awaited } => {
                    let of_lamps = changes.iter().all(|change| matches!(change, Kept::Subscription(_)));
                    let draw = self.lamps.as_mut().filter(|_| of_lamps).map_or(&mut self.draw, |lamps| &mut lamps.draw);
                    let later = draw.millis(1, self.weather.disk_ms);
                    self.after(later, Arrival::Saved { batch, changes, awaited });
                }
                Action::Publish(published) => match published.change {
                    Change::Call(call) => {
                        self.begun.insert(call.key);
                        self.live.insert(call.key);
                    }
                    Change::CallEnded(key) => _ = self.live.remove(&key),
                    Change::Registration(_)
                    | Change::Line(_)
                    | Change::LineGone(_)
                    | Change::Ban(_)
                    | Change::BanEnded(_)
                    | Change::Toll(_)
                    | Change::TurnedAway(_) => {}
                },
                // No line stands in this house.
                Action::Resolve { .. } => {}
                Action::Record(record) => self.record(&record),
                // What would be turned away goes on here: a worse world than a real one.
                Action::Ban(_) | Action::CeilingReached { .. } => {}
                Action::Drained => self.drained = true,
            }
        }
        for event in told {
            self.tell(Event::Media(event));
        }
    }

    fn command(&mut self, command: Command) -> Option<pbx_media_words::Event> {
        let concerns = match &command {
            Command::Join { leg, .. } | Command::Expect { leg, .. } => Some(*leg),
            Command::Open { .. } | Command::Split { .. } | Command::Close { .. } => None,
        };
        let told = self.plane.command(command, self.now.tick);
        if let Some(leg) = concerns {
            self.nobody_hears_a_stranger(leg);
        }
        told
    }

    fn nobody_hears_a_stranger(&mut self, leg: LegKey) {
        let Some(one) = self.plane.legs.get(&leg) else { return };
        let Some((other_key, other)) = one.partner.and_then(|key| Some((key, self.plane.legs.get(&key)?))) else { return };
        self.joined.insert((leg.min(other_key), leg.max(other_key)));
        let (Some(one), Some(other)) = (&one.promised, &other.promised) else { return };
        let owner = |at: SocketAddr| self.phones.iter().find(|phone| phone.flow.remote.ip() == at.ip());
        let (Some(first), Some(second)) = (owner(one.at), owner(other.at)) else { return };
        let (Some(a), Some(b)) = (first.call_at(one.at.port()), second.call_at(other.at.port())) else { return };
        let fits = match (a.mark, b.mark) {
            (Some(a), Some(b)) => self.kin_of(a) == self.kin_of(b),
            // An INVITE without an offer bears no mark; at least the number must be right.
            (Some(mark), None) => self.marks.get(mark as usize) == Some(&second.extension),
            (None, Some(mark)) => self.marks.get(mark as usize) == Some(&first.extension),
            (None, None) => false,
        };
        let sent_on = a.mark.is_some_and(|mark| self.kin.contains_key(&mark));
        if !fits || a.outgoing == b.outgoing && !sent_on {
            self.faults.push(format!("strangers hear each other: calls {:?} and {:?}", a.mark, b.mark));
        }
    }

    fn kin_of(&self, mark: u32) -> u32 {
        self.kin.get(&mark).copied().unwrap_or(mark)
    }

    fn record(&mut self, record: &CallRecord) {
        if !self.recorded.insert(record.key) {
            self.faults.push(format!("{:?} has two records", record.key));
        }
        let talked = record.legs.iter().filter(|leg| leg.answered.is_some()).count();
        let whole = record.started <= record.ended
            && !record.trace.steps.is_empty()
            && !record.legs.is_empty()
            && record.legs.iter().all(|leg| leg.invited <= leg.ended)
            && match (record.answered, record.trace.steps.iter().any(|step| matches!(step, Step::Transferred { .. }))) {
                (Some(_), false) => talked == 2,
                (Some(_), true) => talked >= 2,
                (None, false) => talked == 0,
                // Who was sent on was connected before.
                (None, true) => talked <= 1,
            };
        if !whole {
            self.faults.push(format!("a record that is not whole: {record:?}"));
        }
        self.tally.answered += u64::from(record.answered.is_some());
    }

    fn commit(&mut self, changes: Vec<Kept>) {
        for change in changes {
            match change {
                Kept::Binding(BindingChange::Put(binding)) => {
                    self.disk.insert((binding.aor.to_string(), binding.key()), binding);
                }
                Kept::Binding(BindingChange::Remove { aor, key }) => _ = self.disk.remove(&(aor.to_string(), key)),
                Kept::Subscription(SubscriptionChange::Put(kept)) => _ = self.watchers.insert(kept.key, *kept),
                Kept::Subscription(SubscriptionChange::Remove(key)) => _ = self.watchers.remove(&key),
                Kept::Toll(_) => {}
                Kept::Publication(_) => self.faults.push(format!("nobody here publishes: {change:?}")),
            }
        }
    }

    fn wake(&mut self, place: usize, after: Duration, wake: Wake) {
        let life = self.lives[place];
        self.after(after, Arrival::Wake { place, life, wake });
    }

    fn after(&mut self, after: Duration, arrival: Arrival) {
        self.at(self.now.tick + after, arrival);
    }

    fn at(&mut self, when: Tick, arrival: Arrival) {
        self.sequence += 1;
        self.queue.insert((when, self.sequence), arrival);
    }

    fn seconds(&self) -> f64 {
        self.now.tick.since(Tick(1_000_000_000)).as_secs_f64()
    }

    fn note(&self, arrow: &str, at: SocketAddr, octets: &[u8]) {
        if self.trace {
            let text = Text::read(octets);
            let (to, cseq) = (text.tag("To").unwrap_or("-"), text.header("CSeq").unwrap_or_default());
            let line = text.0.lines().next().unwrap_or_default();
            println!("{:>9.3} {at} {arrow} {line}  [{cseq}; {}; to {to}]", self.seconds(), text.call_id());
        }
    }
}

const HOUSE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 254)), 5060);

fn begin(config: &SwitchConfig, plans: &Plans, bindings: Vec<Binding>, seed: u64, now: Now) -> Switch {
    let mut octets = [0; 32];
    octets[..8].copy_from_slice(&seed.to_le_bytes());
    let directory = Arc::new(plans.directory.clone());
    Switch::new(config.clone(), directory, (Arc::clone(&plans.plan), 1), bindings, octets, now)
}

fn fresh(media: &mut u16) -> u16 {
    *media += 2;
    *media
}

/// How somebody calls.
fn call_manner(draw: &mut Draw) -> Manner {
    Manner {
        cancel: draw.percent(18).then(|| draw.millis(1, 15_000)),
        bye_early: draw.percent(20),
        never_acknowledges: draw.percent(3),
        late_offer: draw.percent(8),
        wrong_secret: draw.percent(4),
        talk: draw.millis(20, 30_000),
        reinvites: if draw.percent(20) { 3 } else { 0 },
        asks: draw.percent(15),
        refers: draw.percent(12),
        reliable: draw.percent(30),
        ..Manner::default()
    }
}

/// How somebody is met who calls.
fn meet(draw: &mut Draw) -> Manner {
    let status = match draw.below(100) {
        0..78 => 200,
        78..86 => 486,
        86..90 => 603,
        90..93 => 480,
        93 => 404,
        94 => 302,
        95 => 500,
        96 => 401,
        97 => 488,
        _ => 600,
    };
    // Whoever takes long says so before Timer B gives him up.
    let slow = draw.percent(5);
    Manner {
        status,
        rings: slow || draw.percent(85),
        early: draw.percent(12),
        after: if slow { draw.millis(30_000, 70_000) } else { draw.millis(1, 9_000) },
        twice: draw.percent(4),
        silent: draw.percent(4),
        talk: draw.millis(20, 30_000),
        reinvites: if draw.percent(20) { 3 } else { 0 },
        asks: draw.percent(15),
        refers: draw.percent(12),
        reliable: draw.percent(30),
        ..Manner::default()
    }
}
