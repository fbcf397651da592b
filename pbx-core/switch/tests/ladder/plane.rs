//! A media plane that carries no sound: it keeps the words of pbx-media-words, and notes who breaks them.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use pbx_media_words::{Command, Direction, Event, Figures, Keys, LegKey, PortPair};
use pbx_sip::clock::Tick;

/// One open leg.
#[derive(Clone, Debug)]
pub struct Open {
    pub ports: PortPair,
    pub promised: Option<Promised>,
    pub partner: Option<LegKey>,
    pub figures: Figures,
}

/// What was said of its peer.
#[derive(Clone, Debug)]
pub struct Promised {
    /// Where it listens.
    pub at: SocketAddr,
    /// Who may send, seen from us.
    pub direction: Direction,
    /// Payload numbers and what they mean.
    pub numbers: Vec<(u8, String)>,
    /// What protects it.
    pub keys: Option<Keys>,
}

/// The plane.
#[derive(Debug, Default)]
pub struct Plane {
    pub legs: BTreeMap<LegKey, Open>,
    /// Told to be free and not taken.
    free: Vec<PortPair>,
    resting: VecDeque<(Tick, PortPair)>,
    /// What should never happen.
    pub faults: Vec<String>,
}

/// How long a pair that was given back rests.
pub const REST: Duration = Duration::from_secs(60);

impl Plane {
    /// So many pairs; the words that tell of them.
    pub fn open(&mut self, pairs: u16) -> Event {
        let pair = |place: u16| PortPair { address: std::net::IpAddr::from([192, 0, 2, 254]), rtp: 10_000 + 2 * place };
        self.free = (0..pairs).map(pair).collect();
        Event::PortsFree(self.free.clone())
    }

    /// After its process was started again: nothing is open, nothing rests, every pair is free.
    pub fn restart(&mut self) -> Event {
        let open = std::mem::take(&mut self.legs).into_values().map(|leg| leg.ports);
        let resting = std::mem::take(&mut self.resting).into_iter().map(|(_, pair)| pair);
        self.free.extend(open.chain(resting));
        Event::PortsFree(self.free.clone())
    }

    pub fn command(&mut self, command: Command, now: Tick) -> Option<Event> {
        match command {
            Command::Open { leg, ports } => {
                match self.free.iter().position(|free| *free == ports) {
                    Some(place) => _ = self.free.swap_remove(place),
                    None => self.faults.push(format!("{ports:?} is not free")),
                }
                let open = Open { ports, promised: None, partner: None, figures: Figures::default() };
                if self.legs.insert(leg, open).is_some() {
                    self.faults.push(format!("{leg:?} opened twice"));
                }
            }
            Command::Expect { leg, remote, direction, payloads, keys } => match self.legs.get_mut(&leg) {
                Some(open) => {
                    let numbers = payloads.into_iter().map(|payload| (payload.number, payload.encoding)).collect();
                    open.promised = Some(Promised { at: remote.rtp, direction, numbers, keys });
                }
                None => self.faults.push(format!("Expect for {leg:?}, which is not open")),
            },
            Command::Join { leg, with } => {
                self.split(leg);
                self.split(with);
                for (one, other) in [(leg, with), (with, leg)] {
                    match self.legs.get_mut(&one) {
                        Some(open) => open.partner = Some(other),
                        None => self.faults.push(format!("Join of {one:?}, which is not open")),
                    }
                }
            }
            Command::Split { leg } => self.split(leg),
            Command::Close { leg } => {
                self.split(leg);
                let Some(open) = self.legs.remove(&leg) else {
                    self.faults.push(format!("Close of {leg:?}, which is not open"));
                    return None;
                };
                self.resting.push_back((now + REST, open.ports));
                return Some(Event::Closed { leg, figures: open.figures });
            }
        }
        None
    }

    /// Pairs that have rested.
    pub fn rested(&mut self, now: Tick) -> Option<Event> {
        let due = self.resting.iter().take_while(|(until, _)| *until <= now).count();
        let rested: Vec<PortPair> = self.resting.drain(..due).map(|(_, pair)| pair).collect();
        self.free.extend(&rested);
        (!rested.is_empty()).then_some(Event::PortsFree(rested))
    }

    /// When the next pair has rested.
    pub fn next_rested(&self) -> Option<Tick> {
        self.resting.front().map(|(until, _)| *until)
    }

    fn split(&mut self, leg: LegKey) {
        let partner = self.legs.get_mut(&leg).and_then(|leg| leg.partner.take());
        if let Some(partner) = partner.and_then(|partner| self.legs.get_mut(&partner)) {
            partner.partner = None;
        }
    }
}
