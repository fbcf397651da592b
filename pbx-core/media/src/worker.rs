//! The thread that owns the sockets: waits, reads, relays, counts.
//!
//! One wait tells which sockets have something; each is read once, and what remains in it makes the next wait return at once. Between
//! read and send: no lock, no allocation, no log.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};

use pbx_media_words::{Command, Event, LegKey, PortPair};
use rustix::event::epoll;
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::leg::{Channel, Line, Received};
use crate::plane::{PlaneConfig, PlaneError, Sink};
use crate::ports::Ports;
use crate::relay::Path;
use crate::rtp::{Header, is_rtcp};

/// The bell's place among what is waited for.
const BELL: u64 = u64::MAX;

/// Ready sockets taken from one wait.
const BATCH: usize = 256;

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
    next_round_us: u64,
    stopped: bool,
}

struct Leg {
    key: LegKey,
    pair: PortPair,
    rtp: Line,
    rtcp: Line,
    path: Path,
    partner: Option<usize>,
    last_packet_us: u64,
    told_silent: bool,
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
            next_round_us: 0,
            stopped: false,
        })
    }

    /// Until the plane is dropped.
    pub fn run(mut self) {
        let mut ready = Vec::with_capacity(BATCH);
        let mut buffer = [0u8; 2048];
        self.refill(now_us());
        while !self.stopped {
            let wait = Timespec { tv_sec: 0, tv_nsec: 250_000_000 };
            if epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut ready), Some(&wait)).is_err() {
                ready.clear();
            }
            let now = now_us();
            for event in ready.drain(..) {
                let place = event.data.u64();
                if place == BELL {
                    let _ = rustix::io::read(&*self.bell, &mut [0u8; 8]);
                    self.obey(now);
                } else if place & 1 == 0 {
                    self.relay_rtp(place as usize >> 1, &mut buffer, now);
                } else {
                    self.relay_rtcp(place as usize >> 1, &mut buffer, now);
                }
            }
            if now >= self.next_round_us {
                self.next_round_us = now + 1_000_000;
                self.round(now);
            }
        }
    }

    fn relay_rtp(&mut self, place: usize, buffer: &mut [u8], now: u64) {
        let Some(Some(leg)) = self.legs.get_mut(place) else { return };
        let (length, latched) = match leg.rtp.receive(buffer, now, |packet| Header::read(packet).is_some()) {
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
            partner.path.sent += u64::from(partner.rtp.send(packet));
        }
    }

    fn relay_rtcp(&mut self, place: usize, buffer: &mut [u8], now: u64) {
        let Some(Some(leg)) = self.legs.get_mut(place) else { return };
        let Received::Packet { length, .. } = leg.rtcp.receive(buffer, now, is_rtcp) else { return };
        let packet = &buffer[..length];
        let Some(partner) = leg.partner.filter(|_| is_rtcp(packet)) else { return };
        if let Some(Some(partner)) = self.legs.get(partner) {
            partner.rtcp.send(packet);
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
            Command::Expect { leg, remote, direction, payloads } => {
                let Some(place) = self.by_key.get(&leg).copied() else { return };
                if let Some(Some(leg)) = self.legs.get_mut(place) {
                    leg.rtp.announce(remote.rtp, now);
                    leg.rtcp.announce(remote.rtcp, now);
                    leg.path.expect(direction, payloads);
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
        let Some((rtp, rtcp)) = self.ports.take(pair) else { return };
        let place = self.vacant.pop().unwrap_or_else(|| {
            self.legs.push(None);
            self.legs.len() - 1
        });
        let watch = |socket: &std::net::UdpSocket, channel: Channel| {
            let data = epoll::EventData::new_u64((place as u64) << 1 | u64::from(channel == Channel::Rtcp));
            epoll::add(&self.epoll, socket, data, epoll::EventFlags::IN)
        };
        let (rtp, rtcp) = (Line::new(rtp), Line::new(rtcp));
        let watched = watch(rtp.socket(), Channel::Rtp).and_then(|()| watch(rtcp.socket(), Channel::Rtcp));
        if let Err(error) = watched {
            tracing::error!(%error, "a media socket cannot be watched");
        }
        self.by_key.insert(key, place);
        self.legs[place] =
            Some(Leg { key, pair, rtp, rtcp, path: Path::default(), partner: None, last_packet_us: now, told_silent: false });
    }

    fn close(&mut self, key: LegKey, now: u64) {
        let Some(place) = self.by_key.remove(&key) else { return };
        self.split(place);
        let Some(leg) = self.legs[place].take() else { return };
        self.vacant.push(place);
        // A closed socket leaves the set by itself; it is dropped here, before its port rests.
        let (pair, figures) = (leg.pair, leg.path.figures());
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

    /// Once a second: figures, silences, rested ports.
    fn round(&mut self, now: u64) {
        self.refill(now);
        let every = self.config.figures_every.as_secs().max(1);
        let second = now / 1_000_000;
        let silent_us = u64::try_from(self.config.silent_after.as_micros()).unwrap_or(u64::MAX);
        for leg in self.legs.iter_mut().flatten() {
            // Spread over the seconds, so that a full house does not speak all at once.
            if (second + leg.key.0).is_multiple_of(every) {
                (self.sink)(Event::Figures { leg: leg.key, figures: leg.path.figures() });
            }
            let silence = now.saturating_sub(leg.last_packet_us);
            if silence < silent_us {
                leg.told_silent = false;
            } else if !leg.told_silent && leg.path.direction.receives() {
                leg.told_silent = true;
                (self.sink)(Event::Silent { leg: leg.key, lasting: std::time::Duration::from_micros(silence) });
            }
        }
    }
}

/// Microseconds on a clock that only goes forward.
fn now_us() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000
}
