//! The running plane, told by commands and tried with real sockets: who is relayed, who is refused, and what is given back.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use pbx_media::{Plane, PlaneConfig};
use pbx_media_words::{Command, Direction, Event, Figures, LegKey, Payload, PortPair, Remote};

const A: LegKey = LegKey(1);
const B: LegKey = LegKey(2);
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn two_joined_legs_hear_each_other_on_both_ports() {
    let mut plane = Running::start();
    let (a, b) = (plane.call(), Peer::bind("127.0.0.2"));
    let (a_ports, b_ports) = (plane.open(A), plane.open(B));
    plane.expect(A, a.remote(), Direction::SendRecv);
    plane.expect(B, b.remote(), Direction::SendRecv);
    plane.tell(Command::Join { leg: A, with: B });
    a.sends(&rtp(1), a_ports.rtp);
    assert_eq!(b.hears(), (rtp(1), at(b_ports.rtp)), "from the port that its own description names");
    b.sends(&rtp(2), b_ports.rtp);
    assert_eq!(a.hears(), (rtp(2), at(a_ports.rtp)));
    let figures = plane.close(A);
    assert_eq!((figures.packets_received, figures.packets_sent, figures.packets_lost), (1, 1, 0));
    a.sends(&rtp(3), a_ports.rtp);
    b.hears_nothing();
}

#[test]
fn a_stranger_is_not_heard_once_the_peer_is_known() {
    let mut plane = Running::start();
    let (a, b, stranger) = (plane.call(), Peer::bind("127.0.0.2"), Peer::bind("127.0.0.66"));
    let (a_ports, b_ports) = (plane.open(A), plane.open(B));
    plane.expect(A, a.remote(), Direction::SendRecv);
    plane.expect(B, b.remote(), Direction::SendRecv);
    plane.tell(Command::Join { leg: A, with: B });
    // Before the peer has spoken: the announced address is believed at once, another one is not.
    stranger.sends(&rtp(90), a_ports.rtp);
    a.sends(&rtp(1), a_ports.rtp);
    assert_eq!(b.hears().0, rtp(1));
    b.sends(&rtp(2), b_ports.rtp);
    assert_eq!(a.hears().0, rtp(2));
    for number in 91..140 {
        stranger.sends(&rtp(number), a_ports.rtp);
    }
    a.sends(&rtp(3), a_ports.rtp);
    assert_eq!(b.hears().0, rtp(3), "only the peer is passed on");
    b.sends(&rtp(4), b_ports.rtp);
    assert_eq!(a.hears().0, rtp(4), "and what is said to the peer stays with it");
    stranger.hears_nothing();
    assert_eq!(plane.close(A).packets_received, 2);
}

#[test]
fn a_peer_behind_a_router_is_found_where_it_really_is() {
    let mut plane = Running::start();
    let (a, b) = (plane.call(), Peer::bind("127.0.0.2"));
    let (a_ports, b_ports) = (plane.open(A), plane.open(B));
    // The address in the description is the one inside, where nobody of ours gets to.
    let inside =
        Remote { rtp: "192.0.2.50:4000".parse().expect("an address"), rtcp: "192.0.2.50:4001".parse().expect("an address") };
    plane.expect(A, inside, Direction::SendRecv);
    plane.expect(B, b.remote(), Direction::SendRecv);
    plane.tell(Command::Join { leg: A, with: B });
    // It keeps sending until it is believed.
    let start = Instant::now();
    let (packet, _) = loop {
        a.sends(&rtp(1), a_ports.rtp);
        if let Some(heard) = b.next() {
            break heard;
        }
        assert!(start.elapsed() < PATIENCE, "the peer was never believed");
    };
    assert_eq!(packet, rtp(1));
    assert_eq!(plane.latched(A), a.address());
    b.sends(&rtp(2), b_ports.rtp);
    assert_eq!(a.hears().0, rtp(2));
}

#[test]
fn hold_keeps_one_side_from_being_heard() {
    let mut plane = Running::start();
    let (a, b) = (plane.call(), Peer::bind("127.0.0.2"));
    let (a_ports, b_ports) = (plane.open(A), plane.open(B));
    plane.expect(A, a.remote(), Direction::SendRecv);
    plane.expect(B, b.remote(), Direction::SendRecv);
    plane.tell(Command::Join { leg: A, with: B });
    a.sends(&rtp(1), a_ports.rtp);
    assert_eq!(b.hears().0, rtp(1));
    // A has put us on hold: it sends, and does not wish to hear.
    plane.expect(A, a.remote(), Direction::RecvOnly);
    b.sends(&rtp(2), b_ports.rtp);
    a.hears_nothing();
    plane.expect(A, a.remote(), Direction::SendRecv);
    b.sends(&rtp(3), b_ports.rtp);
    assert_eq!(a.hears().0, rtp(3));
}

#[test]
fn a_pair_that_was_given_back_is_taken_again_after_its_rest() {
    let mut plane = Running::start();
    let first = plane.open(A);
    plane.close(A);
    let all = usize::from(LAST - FIRST + 1) / 2;
    let seen = plane.pairs_until(|free| free.iter().filter(|pair| **pair == first).count() > 0);
    assert!(seen.len() <= all, "a pair is told once: {seen:?}");
    let again = plane.open_pair(B, first);
    let probe = UdpSocket::bind(at(again.rtp));
    assert!(probe.is_err(), "the socket is held");
}

/// The ports of these tests; nextest runs each of them as a process of its own.
const FIRST: u16 = 2;
const LAST: u16 = 9;

struct Running {
    plane: Plane,
    events: Receiver<Event>,
    free: Vec<PortPair>,
}

impl Running {
    fn start() -> Running {
        let base = 20_000 + u16::try_from(std::process::id() % 2_000).unwrap_or(0) * 10;
        let (tell, events) = channel();
        let config = PlaneConfig {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            ports: base + FIRST..=base + LAST,
            rest: Duration::from_millis(50),
            ..PlaneConfig::default()
        };
        let sink = Box::new(move |event| {
            let _ = tell.send(event);
        });
        let plane = Plane::start(config, sink).expect("a plane");
        let mut running = Running { plane, events, free: Vec::new() };
        running.free = running.pairs_until(|free| free.len() >= 2);
        running
    }

    fn call(&self) -> Peer {
        Peer::bind("127.0.0.1")
    }

    fn tell(&self, command: Command) {
        self.plane.command(command);
        self.plane.ring();
    }

    fn open(&mut self, leg: LegKey) -> PortPair {
        let pair = self.free.pop().expect("a free pair");
        self.open_pair(leg, pair)
    }

    fn open_pair(&mut self, leg: LegKey, pair: PortPair) -> PortPair {
        self.tell(Command::Open { leg, ports: pair });
        pair
    }

    fn expect(&self, leg: LegKey, remote: Remote, direction: Direction) {
        let payloads = vec![Payload { number: 8, encoding: "PCMA".to_owned(), clock_hz: 8000 }];
        self.tell(Command::Expect { leg, remote, direction, payloads });
    }

    fn close(&self, leg: LegKey) -> Figures {
        self.tell(Command::Close { leg });
        self.event(|event| match event {
            Event::Closed { leg: closed, figures } if closed == leg => Some(figures),
            _ => None,
        })
    }

    fn latched(&self, leg: LegKey) -> SocketAddr {
        self.event(|event| match event {
            Event::Latched { leg: latched, remote } if latched == leg => Some(remote),
            _ => None,
        })
    }

    fn pairs_until(&self, enough: impl Fn(&[PortPair]) -> bool) -> Vec<PortPair> {
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
        loop {
            let event = self.events.recv_timeout(PATIENCE).expect("the plane tells in time");
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    }
}

/// A phone's RTP socket.
struct Peer(UdpSocket);

impl Peer {
    fn bind(address: &str) -> Peer {
        let socket = UdpSocket::bind((address, 0)).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
        Peer(socket)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("an address")
    }

    fn remote(&self) -> Remote {
        let rtp = self.address();
        Remote { rtp, rtcp: SocketAddr::new(rtp.ip(), rtp.port().wrapping_add(1)) }
    }

    fn sends(&self, packet: &[u8], to: u16) {
        // A port that is closed answers with an error at the next call, which is no matter here.
        let _ = self.0.send_to(packet, at(to));
    }

    fn next(&self) -> Option<(Vec<u8>, SocketAddr)> {
        let mut buffer = [0; 2048];
        let (length, from) = self.0.recv_from(&mut buffer).ok()?;
        Some((buffer[..length].to_vec(), from))
    }

    fn hears(&self) -> (Vec<u8>, SocketAddr) {
        let start = Instant::now();
        loop {
            if let Some(heard) = self.next() {
                return heard;
            }
            assert!(start.elapsed() < PATIENCE, "nothing was heard");
        }
    }

    fn hears_nothing(&self) {
        assert_eq!(self.next(), None);
    }
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A packet of A-law with this number.
fn rtp(number: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 8];
    packet.extend(number.to_be_bytes());
    packet.extend((u32::from(number) * 160).to_be_bytes());
    packet.extend([0, 0, 0, 7]);
    packet.extend([0x55; 160]);
    packet
}
