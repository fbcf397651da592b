//! Port pairs, bound ahead of need and rested after use.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr, UdpSocket};

use pbx_media_words::PortPair;

/// Pairs that are bound and free, pairs that rest, and where to go on in the range.
#[derive(Debug)]
pub struct Ports {
    address: IpAddr,
    first: u16,
    last: u16,
    next: u32,
    rest_us: u64,
    bound: BTreeMap<u16, (UdpSocket, UdpSocket)>,
    used: BTreeMap<u16, ()>,
    resting: VecDeque<(u64, u16)>,
}

/// Pairs kept bound and free.
const AHEAD: usize = 64;

/// Ports tried in one round; the rest of a range that others hold is tried later.
const TRIES: usize = 256;

impl Ports {
    /// Pairs of a range; the first port is rounded up to an even one.
    pub fn new(address: IpAddr, first: u16, last: u16, rest_us: u64) -> Ports {
        let first = first.saturating_add(first % 2);
        Ports {
            address,
            first,
            last,
            next: u32::from(first),
            rest_us,
            bound: BTreeMap::new(),
            used: BTreeMap::new(),
            resting: VecDeque::new(),
        }
    }

    /// Binds pairs until enough are free; the new ones.
    pub fn refill(&mut self, now_us: u64) -> Vec<PortPair> {
        let mut fresh = Vec::new();
        if self.bound.len() >= AHEAD / 2 {
            return fresh;
        }
        while self.resting.front().is_some_and(|(until, _)| *until <= now_us) {
            if let Some((_, port)) = self.resting.pop_front() {
                self.used.remove(&port);
            }
        }
        for _ in 0..TRIES {
            if self.bound.len() >= AHEAD {
                break;
            }
            if self.next + 1 > u32::from(self.last) {
                self.next = u32::from(self.first);
            }
            let Ok(port) = u16::try_from(self.next) else { break };
            self.next += 2;
            if self.last <= self.first || self.used.contains_key(&port) || self.bound.contains_key(&port) {
                continue;
            }
            if let Some(pair) = self.bind(port) {
                self.bound.insert(port, pair);
                fresh.push(PortPair { address: self.address, rtp: port });
            }
        }
        fresh
    }

    /// Hands out a pair that was told to be free, or that a call of the process before this one had: any of the range that is neither
    /// used nor resting.
    pub fn take(&mut self, pair: PortPair) -> Option<(UdpSocket, UdpSocket)> {
        let in_range = pair.rtp >= self.first && pair.rtp < self.last && pair.rtp.is_multiple_of(2);
        if pair.address != self.address || !in_range || self.used.contains_key(&pair.rtp) {
            return None;
        }
        let sockets = self.bound.remove(&pair.rtp).or_else(|| self.bind(pair.rtp))?;
        self.used.insert(pair.rtp, ());
        Some(sockets)
    }

    /// A pair is given back; late packets of its last call are to find nobody.
    pub fn release(&mut self, pair: PortPair, now_us: u64) {
        self.resting.push_back((now_us + self.rest_us, pair.rtp));
    }

    fn bind(&self, port: u16) -> Option<(UdpSocket, UdpSocket)> {
        let even = UdpSocket::bind(SocketAddr::new(self.address, port)).ok()?;
        let odd = UdpSocket::bind(SocketAddr::new(self.address, port.checked_add(1)?)).ok()?;
        even.set_nonblocking(true).ok()?;
        odd.set_nonblocking(true).ok()?;
        Some((even, odd))
    }
}
