//! Whose turn it is: datagrams wait in a line of their own for each source, and the lines are served in turn, so that one that floods
//! waits behind itself and takes nobody's turn. What finds its line full is dropped; SIP sends again.
//!
//! Beside that a bucket of messages cuts what one source may say in a second at all; this machine itself has no bucket. What a banned
//! source sends is dropped here, before anybody reads it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use bytes::Bytes;
use pbx_sip::clock::Tick;
use pbx_sip::flow::{Flow, source_of};

/// Sources remembered at once; when full, those whose bucket is full again are forgotten, then any that does not wait.
const MOST_SOURCES: usize = 10_000;

/// What may wait in all lines together, counted in [`weight`]s.
const ROOM: usize = 8_192;

/// The lines.
#[derive(Debug)]
pub struct Admission {
    per_second: f64,
    sources: BTreeMap<IpAddr, Source>,
    /// Those that wait, the next one first; each once.
    turns: VecDeque<IpAddr>,
    waiting: usize,
    refused: u64,
    banned: BTreeSet<IpAddr>,
}

#[derive(Debug)]
struct Source {
    tokens: f64,
    filled: Tick,
    line: VecDeque<(Flow, Bytes)>,
    weight: usize,
}

impl Admission {
    /// So many messages a second from one source, twice that at once.
    pub fn new(per_second: u32) -> Admission {
        let per_second = f64::from(per_second.max(1));
        Admission { per_second, sources: BTreeMap::new(), turns: VecDeque::new(), waiting: 0, refused: 0, banned: BTreeSet::new() }
    }

    /// Puts a datagram at the end of its source's line; false if it is dropped.
    pub fn offer(&mut self, flow: Flow, octets: Bytes, now: Tick) -> bool {
        let address = source_of(flow.remote.ip());
        if self.banned.contains(&address) {
            self.refused += 1;
            return false;
        }
        if self.sources.len() >= MOST_SOURCES && !self.sources.contains_key(&address) {
            self.forget(now);
        }
        let (most, weight, free) = (self.per_second * 2.0, weight(&octets), ROOM.saturating_sub(self.waiting));
        let source = self.sources.entry(address).or_insert(Source { tokens: most, filled: now, line: VecDeque::new(), weight: 0 });
        source.tokens = (source.tokens + now.since(source.filled).as_secs_f64() * self.per_second).min(most);
        source.filled = now;
        // A line may be as long as there is room left: one alone gets half of it, and there is always some for the next one.
        if (source.tokens < 1.0 && !address.is_loopback()) || source.weight + weight > free {
            self.refused += 1;
            return false;
        }
        source.tokens -= 1.0;
        source.weight += weight;
        self.waiting += weight;
        if source.line.is_empty() {
            self.turns.push_back(address);
        }
        source.line.push_back((flow, octets));
        true
    }

    /// The next datagram, from the source whose turn it is.
    pub fn take_next(&mut self) -> Option<(Flow, Bytes)> {
        let address = self.turns.pop_front()?;
        let source = self.sources.get_mut(&address)?;
        let (flow, octets) = source.line.pop_front()?;
        source.weight -= weight(&octets);
        self.waiting -= weight(&octets);
        if !source.line.is_empty() {
            self.turns.push_back(address);
        }
        Some((flow, octets))
    }

    /// A source is not listened to any more; what it has in line is dropped too.
    pub fn ban(&mut self, source: IpAddr) {
        self.banned.insert(source);
        if let Some(gone) = self.sources.remove(&source) {
            self.waiting -= gone.weight;
            self.turns.retain(|waiting| *waiting != source);
        }
    }

    /// And is again.
    pub fn lift(&mut self, source: IpAddr) {
        self.banned.remove(&source);
    }

    /// Whether a source is listened to.
    pub fn is_banned(&self, ip: IpAddr) -> bool {
        self.banned.contains(&source_of(ip))
    }

    /// Nobody waits.
    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Datagrams dropped so far.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    fn forget(&mut self, now: Tick) {
        let (per_second, most) = (self.per_second, self.per_second * 2.0);
        let full_again = |source: &Source| source.tokens + now.since(source.filled).as_secs_f64() * per_second >= most;
        self.sources.retain(|_, source| !source.line.is_empty() || !full_again(source));
        if self.sources.len() >= MOST_SOURCES {
            // Somebody invents addresses faster than buckets fill.
            self.sources.retain(|_, source| !source.line.is_empty());
        }
    }
}

/// A large message counts for several, so that lines are bounded in octets too.
fn weight(octets: &Bytes) -> usize {
    1 + octets.len() / 2_048
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use pbx_sip::flow::{ConnectionId, Transport};

    use super::*;

    #[test]
    fn a_flood_takes_nobodys_turn() {
        let mut admission = Admission::new(1_000_000);
        let flood = (0..50_000).filter(|_| offer(&mut admission, "192.0.2.1", 500, Tick(0))).count();
        assert!((4_000..4_100).contains(&flood), "half of the room: {flood}");
        for quiet in ["192.0.2.2", "192.0.2.3", "2001:db8::1"] {
            assert!(offer(&mut admission, quiet, 500, Tick(0)));
        }
        let first: Vec<IpAddr> = (0..4).filter_map(|_| admission.take_next()).map(|(flow, _)| flow.remote.ip()).collect();
        assert_eq!(first, ["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1"].map(|ip| ip.parse::<IpAddr>().unwrap()));
        let rest = std::iter::from_fn(|| admission.take_next()).count();
        assert_eq!(rest, flood - 1);
        assert!(admission.is_empty() && admission.waiting == 0);
    }

    #[test]
    fn one_household_has_one_line() {
        let mut admission = Admission::new(10);
        let admitted = (0..100).filter(|host| offer(&mut admission, &format!("2001:db8::{host:x}"), 500, Tick(0))).count();
        assert_eq!(admitted, 20);
        assert!(offer(&mut admission, "2001:db8:0:1::1", 500, Tick(0)));
    }

    #[test]
    fn a_bucket_fills_again_and_this_machine_has_none() {
        let mut admission = Admission::new(10);
        let admitted = (0..100).filter(|_| offer(&mut admission, "192.0.2.1", 500, Tick(0))).count();
        assert_eq!(admitted, 20);
        assert!(offer(&mut admission, "192.0.2.1", 500, Tick(200_000)), "two tokens have come back");
        assert_eq!(admission.refused(), 80);
        assert!((0..1000).all(|_| offer(&mut admission, "127.0.0.1", 500, Tick(0)) && admission.take_next().is_some()));
    }

    #[test]
    fn large_messages_count_for_several() {
        let mut admission = Admission::new(1_000_000);
        let admitted = (0..50_000).filter(|_| offer(&mut admission, "192.0.2.1", 65_000, Tick(0))).count();
        assert!(admitted * 65_000 < 9_000_000, "{admitted}");
    }

    #[test]
    fn who_is_banned_is_not_heard_until_that_is_lifted_and_leaves_nothing_in_line() {
        let mut admission = Admission::new(1_000);
        for from in ["192.0.2.1", "2001:db8::1", "192.0.2.2", "192.0.2.1"] {
            assert!(offer(&mut admission, from, 500, Tick(0)));
        }
        let sources = ["192.0.2.1", "2001:db8::"].map(|source| source.parse::<IpAddr>().unwrap());
        sources.iter().for_each(|source| admission.ban(*source));
        assert!(!offer(&mut admission, "192.0.2.1", 500, Tick(1)));
        assert!(!offer(&mut admission, "2001:db8::2", 500, Tick(1)), "the household, not the host");
        assert_eq!(admission.take_next().unwrap().0.remote.ip().to_string(), "192.0.2.2");
        assert!(admission.take_next().is_none() && admission.is_empty() && admission.waiting == 0);
        sources.iter().for_each(|source| admission.lift(*source));
        assert!(offer(&mut admission, "192.0.2.1", 500, Tick(2)) && offer(&mut admission, "2001:db8::2", 500, Tick(2)));
    }

    #[test]
    fn the_table_is_bounded() {
        let mut admission = Admission::new(10);
        for number in 0..20_000u32 {
            let address = IpAddr::from((0x0a00_0000 + number).to_be_bytes()).to_string();
            assert!(offer(&mut admission, &address, 500, Tick(0)) && admission.take_next().is_some());
            assert!(admission.sources.len() <= MOST_SOURCES);
        }
    }

    fn offer(admission: &mut Admission, from: &str, length: usize, now: Tick) -> bool {
        let remote = SocketAddr::new(from.parse().unwrap(), 5060);
        let flow = Flow { transport: Transport::Udp, local: remote, remote, connection: ConnectionId::default() };
        admission.offer(flow, Bytes::from(vec![b'x'; length]), now)
    }
}
