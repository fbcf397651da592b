//! Ten minutes of what phones do, at random: calls with sound, some held, some given up, some phones registering anew. At the end the
//! server holds what it held: memory, descriptors and ports are flat, and every call has ended as it was meant to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::CALLERS;
use crate::Failure;
use crate::STRAGGLERS;
use crate::pair;
use crate::phones::{Ended, Happened, Phones, Plan};
use crate::register_callees;
use crate::registrations::{self, Registrations};
use crate::server::Server;
use crate::sound::{Side, Sound};
use crate::wire;

/// What begins in a second, calls and registrations together.
const BEGIN_PER_SECOND: f64 = 8.0;

/// What is looked at, and how often.
const LOOK: Duration = Duration::from_secs(2);

/// By how much a flat line may rise: allocators keep what they once had.
const MEMORY_PERCENT: u64 = 5;
const MEMORY_KIB: u64 = 2048;

struct Look {
    memory_kib: u64,
    others: usize,
}

/// True if all is flat and every call ended well.
pub fn run(address: SocketAddr, server: &Server, lasting: Duration) -> Result<bool, Failure> {
    let (mut phones, mut sound) = (Phones::new(address)?, Sound::new()?);
    register_callees(&phones, address)?;
    let anew = wire::socket(0)?;
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let (start, ports_before) = (Instant::now(), server.ports());
    let mut next = start;
    let mut next_look = start;
    let (mut looks, mut failures) = (Vec::new(), Vec::new());
    let mut legs: HashMap<usize, [usize; 2]> = HashMap::new();
    let (mut begun, mut cancelled, mut registering, mut registered) = (0, 0, 0, 0);
    while start.elapsed() < lasting || (phones.open() > 0 && start.elapsed() < lasting + STRAGGLERS * 4) {
        let now = Instant::now();
        if now >= next && start.elapsed() < lasting {
            next = now + Duration::from_secs_f64(chance.below(2000) as f64 / 1000.0 / BEGIN_PER_SECOND);
            if chance.below(4) == 0 {
                let first = CALLERS.start + chance.below(500);
                registering += 1;
                let asked = Registrations { server: address, series: registering, first, users: 1, total: 1, rate: 0.0 };
                let result = registrations::run(&asked, &anew)?;
                registered += result.done;
                failures.extend((0..result.failed).map(|_| "a registration".to_owned()));
            } else {
                let (caller, callee) = pair(begun);
                let addresses = (sound.address(begun, Side::Caller)?, sound.address(begun, Side::Callee)?);
                phones.dial(begun, caller, callee, chance.plan(), addresses);
                begun += 1;
            }
        }
        if now >= next_look {
            next_look = now + LOOK;
            let look = Look { memory_kib: server.memory_kib(), others: server.descriptors().saturating_sub(server.ports()) };
            eprintln!(
                "{:4} s: {} calls, {} KiB, {} ports, {} other descriptors",
                start.elapsed().as_secs(),
                phones.open(),
                look.memory_kib,
                server.ports(),
                look.others
            );
            if !server.lives() {
                return Err("the server is gone".into());
            }
            looks.push(look);
        }
        phones.turn();
        for happened in phones.happened() {
            match happened {
                Happened::Answered { call, caller_to, callee_to } => {
                    let mut start = |side, to| -> std::io::Result<usize> {
                        let from = *sound.address(call, side)?.ip();
                        Ok(sound.start(side, from, to))
                    };
                    legs.insert(call, [start(Side::Caller, caller_to)?, start(Side::Callee, callee_to)?]);
                }
                Happened::Over { call, ended } => {
                    legs.remove(&call).into_iter().flatten().for_each(|leg| sound.stop(leg));
                    match ended {
                        Ended::Well => {}
                        Ended::Cancelled => cancelled += 1,
                        Ended::Badly(status) => failures.push(format!("call {call}: {status}")),
                    }
                }
            }
        }
        sound.turn()?;
        wire::wait(&[], Instant::now() + Duration::from_micros(500));
    }
    failures.extend((0..phones.open()).map(|_| "a call that does not end".to_owned()));
    // Figures are told, ports are closed, records written.
    wire::wait(&[], Instant::now() + Duration::from_secs(3));
    let (ports_after, others_after) = (server.ports(), server.descriptors().saturating_sub(server.ports()));
    let middle = median(&looks, 2, 3);
    let end = median(&looks, 4, 5);
    let others_allowed = looks.iter().take(looks.len() / 2 + 1).map(|look| look.others).max().unwrap_or(0);
    if end > middle + middle * MEMORY_PERCENT / 100 + MEMORY_KIB {
        failures.push(format!("memory rose from {middle} to {end} KiB"));
    }
    if ports_after > ports_before {
        failures.push(format!("{ports_after} ports are held, {ports_before} before"));
    }
    if others_after > others_allowed {
        failures.push(format!("{others_after} other descriptors are held, {others_allowed} before"));
    }
    if sound.all.astray > 0 {
        failures.push(format!("{} packets came to a stranger", sound.all.astray));
    }
    let well = failures.is_empty();
    println!(
        "{}",
        json!({
            "seconds": lasting.as_secs(), "calls": begun, "cancelled": cancelled, "registered": registered,
            "packets_sent": sound.all.sent, "packets_received": sound.all.received, "repeated": phones.counts.repeated,
            "memory_middle_kib": middle, "memory_end_kib": end, "ports_before": ports_before, "ports_after": ports_after,
            "other_descriptors_after": others_after, "failures": failures,
        })
    );
    Ok(well)
}

/// The median memory of a fifth of the time.
fn median(looks: &[Look], from: usize, to: usize) -> u64 {
    let mut part: Vec<u64> = looks[looks.len() * from / 5..looks.len() * to / 5].iter().map(|look| look.memory_kib).collect();
    part.sort_unstable();
    part.get(part.len() / 2).copied().unwrap_or(0)
}

/// A random row that is the same in every run (xorshift64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 >> 33).unwrap_or(0) % bound
    }

    fn milliseconds(&mut self, from: u32, to: u32) -> Duration {
        Duration::from_millis(u64::from(from + self.below(to - from)))
    }

    fn plan(&mut self) -> Plan {
        let mut plan = Plan { ring: self.milliseconds(0, 1500), talk: Some(self.milliseconds(0, 12_000)), ..Plan::default() };
        match self.below(10) {
            0 | 1 => (plan.ring, plan.give_up) = (Duration::from_secs(20), Some(self.milliseconds(100, 3000))),
            2 | 3 => plan.hold = Some(self.milliseconds(200, 3000)),
            _ => {}
        }
        plan
    }
}
