//! The thread that owns the sockets: waits, reads, relays, counts.
//!
//! One wait tells which sockets have something; each is read once, and what remains in it makes the next wait return at once. Between
//! read and send: no lock, no allocation, no log. Reports are written from the round, beside the packets' way.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use pbx_media_words::{Command, Event, Figures, LegKey, PortPair};
use rand::rngs::{StdRng, SysRng};
use rand::{Rng, RngExt, SeedableRng};
use rustix::event::epoll;
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::leg::{Channel, Line, Received, is_binding_request};
use crate::pace::Pace;
use crate::plane::{PlaneConfig, PlaneError, Sink};
use crate::ports::Ports;
use crate::protection::Protection;
use crate::relay::Path;
use crate::reports::Reports;
use crate::rtcp::{LONGEST, is_rtcp};
use crate::rtp::Header;
use crate::srtp::ADDED;

/// The bell's place among what is waited for.
const BELL: u64 = u64::MAX;

/// The longest packet that is taken, and room for what sealing adds.
const LONGEST_PACKET: usize = 2048;
const BUFFER: usize = LONGEST_PACKET + ADDED;

/// Ready sockets taken from one wait.
const BATCH: usize = 256;

/// A round in which every leg has its turn lasts a second and has so many parts: a full house does not speak all at once.
const PARTS: usize = 4;

/// How long a part lasts.
const PART_US: u64 = 1_000_000 / PARTS as u64;

/// The plane's thread.
pub struct Worker {
    config: PlaneConfig,
    commands: Receiver<Command>,
    bell: Arc<OwnedFd>,
    sink: Sink,
    epoll: OwnedFd,
    ports: Ports,
    legs: Vec<Option<Leg>>,
    vacant: Vec<usize>,
    by_key: BTreeMap<LegKey, usize>,
    parts: Pace,
    part: usize,
    random: StdRng,
    /// The wall clock when the other one was 0: what our reports call the time, and never jumps.
    wall_at_zero_us: u64,
    stopped: bool,
}

struct Leg {
    key: LegKey,
    pair: PortPair,
    rtp: Line,
    rtcp: Line,
    protection: Protection,
    path: Path,
    reports: Reports,
    partner: Option<usize>,
    /// When its figures are told.
    figures_due: Pace,
    last_packet_us: u64,
    told_silent: bool,
}

impl Leg {
    fn figures(&self) -> Figures {
        Figures { reported: self.reports.reported(), ..self.path.figures() }
    }

    /// It is time for a report, and there is something to report.
    fn is_to_report(&self, now_us: u64) -> bool {
        self.reports.is_due(now_us) && self.path.received + self.path.sent > 0
    }

    /// Reports to the peer.
    fn report(&mut self, now_us: u64, wall_us: u64, next_us: u64) {
        let mut octets = [0; LONGEST + ADDED];
        let (sending, reception) = (&self.path.sending, &mut self.path.reception);
        let length = self.reports.report(&mut octets, sending, reception, (now_us, wall_us, next_us));
        if let Some(sealed) = self.protection.seal(&mut octets, length, Channel::Rtcp) {
            self.rtcp.send(&octets[..sealed]);
        }
    }
}

impl Worker {
    /// Everything but the thread.
    pub fn new(config: PlaneConfig, commands: Receiver<Command>, bell: Arc<OwnedFd>, sink: Sink) -> Result<Worker, PlaneError> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(io::Error::from)?;
        epoll::add(&epoll, &*bell, epoll::EventData::new_u64(BELL), epoll::EventFlags::IN).map_err(io::Error::from)?;
        let rest_us = u64::try_from(config.rest.as_micros()).unwrap_or(u64::MAX);
        let ports = Ports::new(config.address, *config.ports.start(), *config.ports.end(), rest_us);
        Ok(Worker {
            config,
            commands,
            bell,
            sink,
            epoll,
            ports,
            legs: Vec::new(),
            vacant: Vec::new(),
            by_key: BTreeMap::new(),
            parts: Pace::new(now_us(), PART_US),
            part: 0,
            random: StdRng::try_from_rng(&mut SysRng).map_err(io::Error::other)?,
            wall_at_zero_us: clock_us(ClockId::Realtime).saturating_sub(now_us()),
            stopped: false,
        })
    }

    /// Until the plane is dropped.
    pub fn run(mut self) {
        let mut ready = Vec::with_capacity(BATCH);
        let mut buffer = [0u8; BUFFER];
        let mut now = now_us();
        self.refill(now);
        while !self.stopped {
            let wait_us = self.parts.wait_us(now).min(PART_US) as i64;
            let wait = Timespec { tv_sec: 0, tv_nsec: wait_us * 1_000 };
            if epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut ready), Some(&wait)).is_err() {
                ready.clear();
            }
            now = now_us();
            for event in ready.drain(..) {
                let place = event.data.u64();
                if place == BELL {
                    let _ = rustix::io::read(&*self.bell, &mut [0u8; 8]);
                    self.obey(now);
                } else if place & 1 == 0 {
                    self.relay_rtp(place as usize >> 1, &mut buffer, now);
                } else {
                    self.hear_rtcp(place as usize >> 1, &mut buffer, now);
                }
            }
            if self.parts.is_due(now) {
                self.part = (self.part + 1) % PARTS;
                self.round(now);
            }
        }
    }

    fn relay_rtp(&mut self, place: usize, buffer: &mut [u8; BUFFER], now: u64) {
        let Some(Some(leg)) = self.legs.get_mut(place) else { return };
        let sane = |packet: &[u8]| Header::read(packet).is_some() && leg.protection.is_genuine(packet, Channel::Rtp);
        let (length, latched) = match leg.rtp.receive(&mut buffer[..LONGEST_PACKET], now, sane) {
            Received::Nothing => return,
            Received::Refused => {
                leg.path.refused += 1;
                return;
            }
            Received::Packet { length, latched } => (length, latched),
        };
        if let Some(remote) = latched {
            (self.sink)(Event::Latched { leg: leg.key, remote });
        }
        if is_binding_request(&buffer[..length]) {
            return;
        }
        let Some(length) = leg.protection.open(&mut buffer[..length], Channel::Rtp) else {
            leg.path.refused += 1;
            return;
        };
        let packet = &mut buffer[..length];
        let Some(fate) = leg.path.packet(packet, now) else { return };
        leg.last_packet_us = now;
        if let Some(digit) = fate.digit {
            (self.sink)(Event::Digit { leg: leg.key, digit });
        }
        let (Some(number), Some(partner)) = (fate.forward, leg.partner) else { return };
        let Some(Some(partner)) = self.legs.get_mut(partner) else { return };
        if partner.path.direction.sends() {
            packet[1] = packet[1] & 128 | number;
            let header = partner.path.continuity.pass(fate.header, packet, fate.clock_hz, now);
            let Some(sealed) = partner.protection.seal(buffer, length, Channel::Rtp) else { return };
            if partner.rtp.send(&buffer[..sealed]) {
                partner.path.sent += 1;
                if partner.path.sending.count(&header, fate.clock_hz, length - header.payload_at, now) {
                    partner.reports.begin_stream();
                }
            }
        }
    }

    fn hear_rtcp(&mut self, place: usize, buffer: &mut [u8; BUFFER], now: u64) {
        let Some(Some(leg)) = self.legs.get_mut(place) else { return };
        let sane = |packet: &[u8]| is_rtcp(packet) && leg.protection.is_genuine(packet, Channel::Rtcp);
        match leg.rtcp.receive(&mut buffer[..LONGEST_PACKET], now, sane) {
            Received::Nothing => {}
            Received::Refused => leg.path.refused += 1,
            Received::Packet { length, .. } if is_binding_request(&buffer[..length]) => {}
            Received::Packet { length, .. } => {
                let opened = leg.protection.open(&mut buffer[..length], Channel::Rtcp);
                let understood =
                    opened.is_some_and(|length| leg.reports.hear(&buffer[..length], &leg.path.sending, leg.path.sent, now));
                leg.path.refused += u64::from(!understood);
            }
        }
    }

    fn obey(&mut self, now: u64) {
        loop {
            match self.commands.try_recv() {
                Ok(command) => self.carry_out(command, now),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.stopped = true;
                    break;
                }
            }
        }
        self.refill(now);
    }

    fn carry_out(&mut self, command: Command, now: u64) {
        match command {
            Command::Open { leg, ports } => self.open(leg, ports, now),
            Command::Expect { leg, remote, direction, payloads, keys } => {
                let Some(place) = self.by_key.get(&leg).copied() else { return };
                if let Some(Some(leg)) = self.legs.get_mut(place) {
                    leg.rtp.announce(remote.rtp, now);
                    leg.rtcp.announce(remote.rtcp, now);
                    leg.path.expect(direction, payloads);
                    leg.protection.expect(keys.as_ref());
                    (leg.last_packet_us, leg.told_silent) = (now, false);
                }
                self.translate(place);
            }
            Command::Join { leg, with } => {
                let (Some(a), Some(b)) = (self.by_key.get(&leg).copied(), self.by_key.get(&with).copied()) else { return };
                self.split(a);
                self.split(b);
                for (one, other) in [(a, b), (b, a)] {
                    if let Some(Some(leg)) = self.legs.get_mut(one) {
                        leg.partner = Some(other);
                    }
                }
                self.translate(a);
            }
            Command::Split { leg } => {
                if let Some(place) = self.by_key.get(&leg).copied() {
                    self.split(place);
                }
            }
            Command::Close { leg } => self.close(leg, now),
        }
    }

    fn open(&mut self, key: LegKey, pair: PortPair, now: u64) {
        let Some((rtp, rtcp)) = self.ports.take(pair) else {
            tracing::error!(port = pair.rtp, "a leg gets no sound: its ports cannot be had");
            return self.never_opened(key);
        };
        let (rtp, rtcp) = (Line::new(rtp), Line::new(rtcp));
        let place = self.vacant.pop().unwrap_or_else(|| {
            self.legs.push(None);
            self.legs.len() - 1
        });
        let watch = |socket: &std::net::UdpSocket, channel: Channel| {
            let data = epoll::EventData::new_u64((place as u64) << 1 | u64::from(channel == Channel::Rtcp));
            epoll::add(&self.epoll, socket, data, epoll::EventFlags::IN)
        };
        let watched = watch(rtp.socket(), Channel::Rtp).and_then(|()| watch(rtcp.socket(), Channel::Rtcp));
        if let Err(error) = watched {
            tracing::error!(%error, "a leg gets no sound: its sockets cannot be watched");
            self.vacant.push(place);
            self.ports.release(pair, now);
            return self.never_opened(key);
        }
        self.by_key.insert(key, place);
        // The first report comes after half the time (RFC 3550 6.2).
        let first = now + until_report_us(&mut self.random, self.config.report_every) / 2;
        let reports = Reports::new(self.random.next_u32(), self.random.random(), first);
        // Spread, also where all legs of a house are opened at once.
        let every_us = u64::try_from(self.config.figures_every.as_micros()).unwrap_or(u64::MAX / 2);
        let figures_due = Pace::new(now.saturating_add(self.random.random_range(0..=every_us)), every_us);
        self.legs[place] = Some(Leg {
            key,
            pair,
            rtp,
            rtcp,
            protection: Protection::default(),
            path: Path::default(),
            reports,
            partner: None,
            figures_due,
            last_packet_us: now,
            told_silent: false,
        });
    }

    /// Nobody is to wait for what does not come.
    fn never_opened(&mut self, key: LegKey) {
        (self.sink)(Event::Closed { leg: key, figures: Figures::default() });
    }

    fn close(&mut self, key: LegKey, now: u64) {
        let Some(place) = self.by_key.remove(&key) else { return };
        self.split(place);
        let Some(leg) = self.legs[place].take() else { return };
        self.vacant.push(place);
        // A closed socket leaves the set by itself; it is dropped here, before its port rests.
        let (pair, figures) = (leg.pair, leg.figures());
        drop(leg);
        self.ports.release(pair, now);
        (self.sink)(Event::Closed { leg: key, figures });
    }

    fn split(&mut self, place: usize) {
        let partner = self.legs.get_mut(place).and_then(Option::as_mut).and_then(|leg| leg.partner.take());
        for each in [Some(place), partner].into_iter().flatten() {
            if let Some(Some(leg)) = self.legs.get_mut(each) {
                leg.partner = None;
                leg.path.translate(None);
            }
        }
    }

    /// Makes the numbers of two joined legs fit each other.
    fn translate(&mut self, place: usize) {
        let Some(partner) = self.legs.get(place).and_then(Option::as_ref).and_then(|leg| leg.partner) else { return };
        let Ok([Some(one), Some(other)]) = self.legs.get_disjoint_mut([place, partner]) else { return };
        one.path.translate(Some(&other.path));
        other.path.translate(Some(&one.path));
    }

    fn refill(&mut self, now: u64) {
        let fresh = self.ports.refill(now);
        if !fresh.is_empty() {
            (self.sink)(Event::PortsFree(fresh));
        }
    }

    /// Once a second for each leg, a part of them at a time: figures, silences, reports; and rested ports.
    fn round(&mut self, now: u64) {
        self.refill(now);
        let wall_us = now + self.wall_at_zero_us;
        let silent_us = u64::try_from(self.config.silent_after.as_micros()).unwrap_or(u64::MAX);
        for leg in self.legs.iter_mut().skip(self.part).step_by(PARTS).flatten() {
            if leg.is_to_report(now) {
                leg.report(now, wall_us, now + until_report_us(&mut self.random, self.config.report_every));
            }
            if leg.figures_due.is_due(now) {
                (self.sink)(Event::Figures { leg: leg.key, figures: leg.figures() });
            }
            let silence = now.saturating_sub(leg.last_packet_us);
            if silence < silent_us {
                leg.told_silent = false;
            } else if !leg.told_silent && leg.path.direction.receives() {
                leg.told_silent = true;
                (self.sink)(Event::Silent { leg: leg.key, lasting: Duration::from_micros(silence) });
            }
        }
    }
}

/// Half as long more or less than usual, so that reports do not fall into step (RFC 3550 6.3.1).
fn until_report_us(random: &mut StdRng, usual: Duration) -> u64 {
    let usual = u64::try_from(usual.as_micros()).unwrap_or(u64::MAX).clamp(2, u64::MAX / 4);
    random.random_range(usual / 2..usual + usual / 2)
}

/// Microseconds on a clock that only goes forward.
fn now_us() -> u64 {
    clock_us(ClockId::Monotonic)
}

fn clock_us(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000
}
