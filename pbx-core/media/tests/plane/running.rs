//! The plane that these tests run, and the phones that speak to it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use pbx_media::{Plane, PlaneConfig};
use pbx_media_words::{Command, Direction, Event, Figures, LegKey, Payload, PortPair, Remote};

/// How long something may take that is to happen.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A plane with ports of its own.
pub struct Running {
    plane: Plane,
    pub events: Receiver<Event>,
    /// Told to be free and not yet opened.
    pub free: Vec<PortPair>,
    ports: Ports,
}

impl Running {
    /// With so many pairs.
    pub fn start(pairs: u16) -> Running {
        Running::resting(pairs, PlaneConfig::default().rest)
    }

    /// With so many pairs, which rest for so long.
    pub fn resting(pairs: u16, rest: Duration) -> Running {
        Running::at(IpAddr::V4(Ipv4Addr::LOCALHOST), pairs, rest)
    }

    /// At that address.
    pub fn at(address: IpAddr, pairs: u16, rest: Duration) -> Running {
        let ports = Ports::find(pairs);
        let (tell, events) = channel();
        let config = PlaneConfig {
            address,
            ports: ports.range.clone(),
            rest,
            figures_every: Duration::from_secs(1),
            report_every: Duration::from_millis(200),
            ..PlaneConfig::default()
        };
        let sink = Box::new(move |event| {
            let _ = tell.send(event);
        });
        let plane = Plane::start(config, sink).expect("a plane");
        let mut running = Running { plane, events, free: Vec::new(), ports };
        running.free = running.pairs_until(|free| free.len() >= 2);
        running
    }

    /// The pair at this place of the range.
    pub fn pair(&self, place: u16) -> PortPair {
        PortPair { address: IpAddr::V4(Ipv4Addr::LOCALHOST), rtp: self.ports.range.start() + 2 * place }
    }

    pub fn tell(&self, command: Command) {
        self.plane.command(command);
        self.plane.ring();
    }

    pub fn open(&mut self, leg: LegKey) -> PortPair {
        let pair = self.free.pop().expect("a free pair");
        self.open_pair(leg, pair)
    }

    pub fn open_pair(&mut self, leg: LegKey, pair: PortPair) -> PortPair {
        self.tell(Command::Open { leg, ports: pair });
        pair
    }

    pub fn expect(&self, leg: LegKey, remote: Remote, direction: Direction) {
        let payloads = vec![Payload { number: 8, encoding: "PCMA".to_owned(), clock_hz: 8000 }];
        self.tell(Command::Expect { leg, remote, direction, payloads, keys: None });
    }

    pub fn close(&self, leg: LegKey) -> Figures {
        self.tell(Command::Close { leg });
        self.closed(leg)
    }

    pub fn closed(&self, leg: LegKey) -> Figures {
        self.event(|event| match event {
            Event::Closed { leg: closed, figures } if closed == leg => Some(figures),
            _ => None,
        })
    }

    pub fn latched(&self, leg: LegKey) -> SocketAddr {
        self.event(|event| match event {
            Event::Latched { leg: latched, remote } if latched == leg => Some(remote),
            _ => None,
        })
    }

    pub fn pairs_until(&self, enough: impl Fn(&[PortPair]) -> bool) -> Vec<PortPair> {
        let mut free = Vec::new();
        while !enough(&free) {
            free.extend(self.event(|event| match event {
                Event::PortsFree(pairs) => Some(pairs),
                _ => None,
            }));
        }
        free
    }

    fn event<T>(&self, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < PATIENCE, "the plane tells of other things only");
            let event = self.events.recv_timeout(PATIENCE).expect("the plane tells in time");
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    }
}

/// Ports that are free, and that no other test takes while these are held.
struct Ports {
    range: RangeInclusive<u16>,
    /// The first port of a block stands for all of it.
    _claim: UdpSocket,
}

impl Ports {
    /// Below those that the system gives out by itself, where neither the other tests' phones nor its own sockets are.
    const FIRST: u16 = 12_000;
    const BLOCK: u16 = 256;
    const BLOCKS: u16 = 31;

    fn find(pairs: u16) -> Ports {
        assert!(2 * pairs + 2 <= Ports::BLOCK);
        let begin = u16::try_from(std::process::id() % u32::from(Ports::BLOCKS)).unwrap_or(0);
        let free = |block: u16| {
            let base = Ports::FIRST + (begin + block) % Ports::BLOCKS * Ports::BLOCK;
            let claim = UdpSocket::bind(at(base)).ok()?;
            let range = base + 2..=base + 1 + 2 * pairs;
            range.clone().all(|port| UdpSocket::bind(at(port)).is_ok()).then_some(Ports { range, _claim: claim })
        };
        (0..Ports::BLOCKS).find_map(free).expect("free ports")
    }
}

/// A phone's sockets.
pub struct Peer {
    pub rtp: UdpSocket,
    pub rtcp: UdpSocket,
}

impl Peer {
    pub fn bind(address: &str) -> Peer {
        let socket = || UdpSocket::bind((address, 0)).expect("a socket");
        let peer = Peer { rtp: socket(), rtcp: socket() };
        peer.rtp.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
        peer
    }

    pub fn address(&self) -> SocketAddr {
        self.rtp.local_addr().expect("an address")
    }

    pub fn remote(&self) -> Remote {
        Remote { rtp: self.address(), rtcp: self.rtcp.local_addr().expect("an address") }
    }

    pub fn sends(&self, packet: &[u8], to: u16) {
        // A port that is closed answers with an error at the next call, which is no matter here.
        let _ = self.rtp.send_to(packet, at(to));
    }

    /// Until the other one hears it.
    pub fn keeps_sending(&self, packet: &[u8], to: u16, other: &Peer) {
        let start = Instant::now();
        let (heard, _) = loop {
            self.sends(packet, to);
            if let Some(heard) = other.next() {
                break heard;
            }
            assert!(start.elapsed() < PATIENCE, "nothing of it was heard");
        };
        assert_eq!(heard, packet);
    }

    /// Knocks until it hears something of the other, who speaks meanwhile; what it hears.
    pub fn knocks_until_heard(&self, knock: &[u8], to: u16, other_speaks: impl Fn()) -> Vec<u8> {
        let start = Instant::now();
        loop {
            self.sends(knock, to);
            other_speaks();
            if let Some((heard, _)) = self.next() {
                return heard;
            }
            assert!(start.elapsed() < PATIENCE, "nothing was heard");
        }
    }

    pub fn next(&self) -> Option<(Vec<u8>, SocketAddr)> {
        let mut buffer = [0; 2048];
        let (length, from) = self.rtp.recv_from(&mut buffer).ok()?;
        Some((buffer[..length].to_vec(), from))
    }

    pub fn hears(&self) -> (Vec<u8>, SocketAddr) {
        let start = Instant::now();
        loop {
            if let Some(heard) = self.next() {
                return heard;
            }
            assert!(start.elapsed() < PATIENCE, "nothing was heard");
        }
    }

    pub fn hears_nothing(&self) {
        assert_eq!(self.next(), None);
    }
}

pub fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A packet of A-law with this number.
pub fn rtp(number: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 8];
    packet.extend(number.to_be_bytes());
    packet.extend((u32::from(number) * 160).to_be_bytes());
    packet.extend([0, 0, 0, 7]);
    packet.extend([0x55; 160]);
    packet
}
