#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on fails"))]
//! Load for a SIP server on loopback, and what it costs the server. Shares no code with the product, so that it is another voice; every
//! run is bounded in time and count, and prints one line of JSON. `scripts/bench` and `scripts/soak` drive it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::options::Options;
use crate::phones::{Ended, Happened, Phones, Plan};
use crate::registrations::Registrations;
use crate::server::Server;
use crate::sound::{Side, Sound};

mod figures;
mod flood;
mod forwarder;
mod ng;
mod options;
mod phones;
mod registrations;
mod server;
mod sip;
mod soak;
mod sound;
mod wire;

const USAGE: &str = "load MODE key=value ...
  registrations server=IP:PORT processes=PID rate=300 total=1200 [first=1000 users=1000]
  calls         server=IP:PORT processes=PID rate=30 total=180 [hold_ms=0]
  memory        server=IP:PORT processes=PID calls=200
  relay         server=IP:PORT processes=PID calls=100 seconds=4 through=sip|ng|forwarder
  forwarder     first=40000 calls=600
  flood         server=IP:PORT rate=20000 seconds=10
  soak          server=IP:PORT processes=PID seconds=600
Users are numbers with the secret pwNUMBER; 1000-1499 call, 1500-1999 are called.";

/// What is written behind a call or a registration is charged to it.
const SETTLE: Duration = Duration::from_millis(700);

/// How long after the last one has begun stragglers are waited for.
const STRAGGLERS: Duration = Duration::from_secs(10);

/// Callers and callees; a call has a pair of them that no call beside it has.
pub const CALLERS: std::ops::Range<u32> = 1000..1500;
const CALLEES: u32 = 1500;

type Failure = Box<dyn std::error::Error>;

fn main() -> std::process::ExitCode {
    let mut words = std::env::args().skip(1);
    let Some(mode) = words.next() else {
        eprintln!("{USAGE}");
        return 2.into();
    };
    match Options::read(words).map_err(Failure::from).and_then(|options| run(&mode, options)) {
        Ok(true) => 0.into(),
        Ok(false) => 1.into(),
        Err(error) => {
            eprintln!("load {mode}: {error}");
            2.into()
        }
    }
}

/// False if what was measured is not as it should be.
fn run(mode: &str, mut options: Options) -> Result<bool, Failure> {
    if mode == "forwarder" {
        let (first, calls) = (options.need("first")?, options.need("calls")?);
        options.finish()?;
        forwarder::run(first, calls)?;
        return Ok(true);
    }
    let address: SocketAddr = options.need("server")?;
    if mode == "flood" {
        let (rate, seconds) = (options.take("rate", 20_000.0)?, options.take("seconds", 10)?);
        options.finish()?;
        println!("{}", json!({ "sent": flood::run(address, rate, Duration::from_secs(seconds))? }));
        return Ok(true);
    }
    let server = Server::of(&options.list("processes")?);
    let told = match mode {
        "registrations" => {
            let asked = Registrations {
                server: address,
                series: 0,
                first: options.take("first", 1000)?,
                users: options.take("users", 1000)?,
                total: options.take("total", 1200)?,
                rate: options.take("rate", 300.0)?,
            };
            options.finish()?;
            registrations(&asked, &server)?
        }
        "calls" => {
            let (rate, total) = (options.take("rate", 30.0)?, options.take("total", 180)?);
            let hold = Duration::from_millis(options.take("hold_ms", 0)?);
            options.finish()?;
            calls(address, &server, (rate, total), hold)?
        }
        "memory" => {
            let count = options.take("calls", 200)?;
            options.finish()?;
            memory(address, &server, count)?
        }
        "relay" => {
            let (count, seconds) = (options.take("calls", 100)?, options.take("seconds", 4)?);
            let through: String = options.take("through", "sip".to_owned())?;
            options.finish()?;
            relay(address, &server, (count, Duration::from_secs(seconds)), &through)?
        }
        "soak" => {
            let seconds = options.take("seconds", 600)?;
            options.finish()?;
            return soak::run(address, &server, Duration::from_secs(seconds));
        }
        other => return Err(format!("no such mode: {other}\n{USAGE}").into()),
    };
    println!("{told}");
    Ok(true)
}

fn registrations(asked: &Registrations, server: &Server) -> Result<Value, Failure> {
    let contact = wire::socket(wire::CONTACT_PORT)?;
    let (processor, memory) = (server.processor_s(), server.memory_kib());
    let result = registrations::run(asked, &contact)?;
    wire::wait(&[], Instant::now() + SETTLE);
    let used = server.processor_s() - processor;
    Ok(json!({
        "done": result.done, "failed": result.failed, "repeated": result.repeated, "rate": asked.rate,
        "cpu_s": used, "cpu_ms_each": used * 1000.0 / result.done.max(1) as f64,
        "memory_before_kib": memory, "memory_after_kib": server.memory_kib(), "times": result.times.told(),
    }))
}

/// The callees are registered, one after the other, before anything is measured.
pub fn register_callees(phones: &Phones, server: SocketAddr) -> Result<(), Failure> {
    let asked = Registrations { server, series: 0, first: CALLEES, users: 500, total: 500, rate: 0.0 };
    match registrations::run(&asked, phones.callees())? {
        registered if registered.failed == 0 => Ok(()),
        registered => Err(format!("{} callees could not register", registered.failed).into()),
    }
}

/// Who calls whom in a call.
pub fn pair(call: usize) -> (u32, u32) {
    let call = u32::try_from(call % 250_000).unwrap_or(0);
    (CALLERS.start + call % 500, CALLEES + (call + call / 500) % 500)
}

/// Calls go well, or not; how many of each.
#[derive(Default)]
struct Outcome {
    well: usize,
    badly: Vec<u16>,
}

impl Outcome {
    fn hear(&mut self, happened: Happened) {
        match happened {
            Happened::Over { ended: Ended::Well | Ended::Cancelled, .. } => self.well += 1,
            Happened::Over { ended: Ended::Badly(status), .. } => self.badly.push(status),
            Happened::Answered { .. } => {}
        }
    }
}

fn calls(address: SocketAddr, server: &Server, (rate, total): (f64, usize), hold: Duration) -> Result<Value, Failure> {
    let mut phones = Phones::new(address)?;
    register_callees(&phones, address)?;
    wire::wait(&[], Instant::now() + SETTLE);
    let nowhere = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9);
    let processor = server.processor_s();
    let start = Instant::now();
    let mut outcome = Outcome::default();
    let mut placed = 0;
    while placed < total || phones.open() > 0 {
        let begins = start + Duration::from_secs_f64(placed as f64 / rate);
        let last = start + Duration::from_secs_f64(total as f64 / rate) + hold + STRAGGLERS;
        if placed < total && begins <= Instant::now() {
            let (caller, callee) = pair(placed);
            let plan = Plan { talk: Some(hold), ..Plan::default() };
            phones.dial(placed, caller, callee, plan, (nowhere, nowhere));
            placed += 1;
            continue;
        }
        if Instant::now() > last {
            break;
        }
        phones.run_until(if placed < total { begins } else { last });
        phones.happened().into_iter().for_each(|happened| outcome.hear(happened));
    }
    phones.run_until(Instant::now() + SETTLE);
    let used = server.processor_s() - processor;
    outcome.badly.extend((0..phones.open()).map(|_| 0));
    Ok(json!({
        "done": outcome.well, "failed": outcome.badly.len(), "statuses": statuses(outcome.badly),
        "repeated": phones.counts.repeated, "rate": rate,
        "cpu_s": used, "cpu_s_per_1000": used * 1000.0 / outcome.well.max(1) as f64, "times": phones.counts.times.told(),
    }))
}

fn statuses(mut badly: Vec<u16>) -> Vec<u16> {
    badly.sort_unstable();
    badly.dedup();
    badly
}

/// Answered calls that stay; where the server takes the sound of each.
fn place(
    phones: &mut Phones,
    sound: &Sound,
    calls: std::ops::Range<usize>,
) -> Result<Vec<(usize, SocketAddrV4, SocketAddrV4)>, Failure> {
    const RATE: f64 = 100.0;
    let mut up = Vec::new();
    let start = Instant::now();
    let mut over = Vec::new();
    let mut placed = 0;
    let last = start + Duration::from_secs_f64(calls.len() as f64 / RATE) + STRAGGLERS;
    while up.len() + over.len() < calls.len() && Instant::now() < last {
        let begins = start + Duration::from_secs_f64(placed as f64 / RATE);
        if placed < calls.len() && begins <= Instant::now() {
            let call = calls.start + placed;
            let (caller, callee) = pair(call);
            let addresses = (sound.address(call, Side::Caller)?, sound.address(call, Side::Callee)?);
            phones.dial(call, caller, callee, Plan::default(), addresses);
            placed += 1;
            continue;
        }
        phones.run_until(if placed < calls.len() { begins } else { last });
        for happened in phones.happened() {
            match happened {
                Happened::Answered { call, caller_to, callee_to } => up.push((call, caller_to, callee_to)),
                Happened::Over { ended, .. } => over.push(ended),
            }
        }
    }
    match up.len() == calls.len() {
        true => Ok(up),
        false => Err(format!("only {} of {} calls came up: {over:?}", up.len(), calls.len()).into()),
    }
}

/// All calls end; how many of them not well.
fn hang_up(phones: &mut Phones, calls: impl Iterator<Item = usize>) -> usize {
    let mut outcome = Outcome::default();
    for call in calls {
        phones.hang_up(call);
        phones.run_until(Instant::now() + Duration::from_millis(3));
        phones.happened().into_iter().for_each(|happened| outcome.hear(happened));
    }
    let last = Instant::now() + STRAGGLERS;
    while phones.open() > 0 && Instant::now() < last {
        phones.run_until(last);
        phones.happened().into_iter().for_each(|happened| outcome.hear(happened));
    }
    outcome.badly.len() + phones.open()
}

fn memory(address: SocketAddr, server: &Server, count: usize) -> Result<Value, Failure> {
    let (mut phones, sound) = (Phones::new(address)?, Sound::new()?);
    register_callees(&phones, address)?;
    // The first calls bring what every later one finds there.
    place(&mut phones, &sound, 0..20)?;
    let mut failed = hang_up(&mut phones, 0..20);
    wire::wait(&[], Instant::now() + SETTLE);
    let (before, descriptors) = (server.memory_kib(), server.descriptors());
    place(&mut phones, &sound, 20..20 + count)?;
    let (during, descriptors_during) = (server.memory_kib(), server.descriptors());
    failed += hang_up(&mut phones, 20..20 + count);
    Ok(json!({
        "calls": count, "failed": failed, "memory_before_kib": before, "memory_during_kib": during,
        "kib_per_call": during.saturating_sub(before) as f64 / count.max(1) as f64,
        "descriptors_per_call": descriptors_during.saturating_sub(descriptors) as f64 / count.max(1) as f64,
    }))
}

fn relay(address: SocketAddr, server: &Server, (count, lasting): (usize, Duration), through: &str) -> Result<Value, Failure> {
    let (mut phones, mut sound) = (Phones::new(address)?, Sound::new()?);
    let mut engine = ng::Engine::new(address)?;
    let up = match through {
        "sip" => {
            register_callees(&phones, address)?;
            place(&mut phones, &sound, 0..count)?
        }
        "ng" => (0..count).map(|call| through_engine(&mut engine, &sound, call)).collect::<Result<_, _>>()?,
        "forwarder" => through_forwarder(address, count)?,
        other => return Err(format!("through={other}: sip, ng or forwarder").into()),
    };
    for (call, caller_to, callee_to) in &up {
        for (side, to) in [(Side::Caller, *caller_to), (Side::Callee, *callee_to)] {
            let from = *sound.address(*call, side)?.ip();
            sound.start(side, from, to);
        }
    }
    // Latches close, buffers grow, processors warm up.
    sound.run_until(Instant::now() + Duration::from_millis(1500))?;
    let processor = server.processor_s();
    sound.measure(true);
    sound.run_until(Instant::now() + lasting)?;
    sound.measure(false);
    let used = server.processor_s() - processor;
    sound.run_until(Instant::now() + Duration::from_millis(300))?;
    let failed = match through {
        "sip" => hang_up(&mut phones, 0..count),
        "ng" => (0..count).filter(|call| close_engine(&mut engine, *call).is_err()).count(),
        _ => 0,
    };
    let counted = sound.measured;
    let lost = counted.sent.saturating_sub(counted.received);
    Ok(json!({
        "calls": count, "failed": failed, "sent": counted.sent, "received": counted.received, "lost": lost,
        "loss_percent": lost as f64 * 100.0 / counted.sent.max(1) as f64, "astray": counted.astray, "skipped": counted.skipped,
        "cpu_s": used, "cpu_us_per_packet": used * 1e6 / counted.received.max(1) as f64, "times": sound.times.told(),
    }))
}

fn through_forwarder(first: SocketAddr, count: usize) -> Result<Vec<(usize, SocketAddrV4, SocketAddrV4)>, Failure> {
    let at = |place: usize| -> Result<SocketAddrV4, Failure> {
        Ok(SocketAddrV4::new(Ipv4Addr::LOCALHOST, u16::try_from(usize::from(first.port()) + place)?))
    };
    (0..count).map(|call| Ok((call, at(call * 2)?, at(call * 2 + 1)?))).collect()
}

fn through_engine(engine: &mut ng::Engine, sound: &Sound, call: usize) -> Result<(usize, SocketAddrV4, SocketAddrV4), Failure> {
    use ng::Value::{List, Text};
    let (call_id, from) = (format!("load-{}-{call}", std::process::id()), format!("a{call}"));
    let replace = || ("replace", List(&["origin", "session-connection"]));
    let mut ask = |command, tags: &[(&'static str, &str)], offer: &str| -> Result<SocketAddrV4, Failure> {
        let mut words =
            vec![("command", Text(command)), ("call-id", Text(&call_id)), ("sdp", Text(offer)), ("ICE", Text("remove")), replace()];
        words.extend(tags.iter().map(|(key, value)| (*key, Text(value))));
        let answer = engine.ask(&words)?.and_then(|answer| sip::audio_of(&answer));
        Ok(answer.ok_or_else(|| io::Error::other("rtpengine gave no address"))?)
    };
    let to = format!("b{call}");
    let caller = sip::description(sound.address(call, Side::Caller)?, 1, "sendrecv");
    let callee = sip::description(sound.address(call, Side::Callee)?, 1, "sendrecv");
    let callee_to = ask("offer", &[("from-tag", &from)], &caller)?;
    let caller_to = ask("answer", &[("from-tag", &from), ("to-tag", &to)], &callee)?;
    Ok((call, caller_to, callee_to))
}

fn close_engine(engine: &mut ng::Engine, call: usize) -> io::Result<()> {
    use ng::Value::Text;
    let (call_id, from) = (format!("load-{}-{call}", std::process::id()), format!("a{call}"));
    engine.ask(&[("command", Text("delete")), ("call-id", Text(&call_id)), ("from-tag", Text(&from))]).map(|_| ())
}
