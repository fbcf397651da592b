//! The running plane, told by commands and tried with real sockets: who is relayed, who is refused, and what is given back.

mod running;

use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use pbx_media::rtcp::{Block, CNAME, Compound, LONGEST, Packet, Sent, write};
use pbx_media_words::{Command, Direction, Event, Figures, LegKey, PortPair, Remote};

use running::{PATIENCE, Peer, Running, at, rtp};

const A: LegKey = LegKey(1);
const B: LegKey = LegKey(2);

#[test]
fn two_joined_legs_hear_each_other_on_both_ports() {
    let mut plane = Running::start(4);
    let (a, b) = (Peer::bind("127.0.0.1"), Peer::bind("127.0.0.2"));
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
    let mut plane = Running::start(4);
    let (a, b, stranger) = (Peer::bind("127.0.0.1"), Peer::bind("127.0.0.2"), Peer::bind("127.0.0.66"));
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
    let (plane, a, b, a_port, b_port) = behind_a_router();
    a.keeps_sending(&rtp(1), a_port, &b);
    assert_eq!(plane.latched(A), a.address());
    b.sends(&rtp(2), b_port);
    assert_eq!(a.hears().0, rtp(2));
}

#[test]
fn a_peer_that_only_knocks_is_found_too() {
    let (plane, a, b, a_port, b_port) = behind_a_router();
    // A Binding request of STUN, as Linphone sends it through a router.
    let knock = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    assert_eq!(a.knocks_until_heard(&knock, a_port, || b.sends(&rtp(2), b_port)), rtp(2));
    assert_eq!(plane.latched(A), a.address());
    b.hears_nothing();
}

/// A and B joined. The address in A's description is the one inside, where nobody of ours gets to.
fn behind_a_router() -> (Running, Peer, Peer, u16, u16) {
    let mut plane = Running::start(4);
    let (a, b) = (Peer::bind("127.0.0.1"), Peer::bind("127.0.0.2"));
    let (a_ports, b_ports) = (plane.open(A), plane.open(B));
    let inside =
        Remote { rtp: "192.0.2.50:4000".parse().expect("an address"), rtcp: "192.0.2.50:4001".parse().expect("an address") };
    plane.expect(A, inside, Direction::SendRecv);
    plane.expect(B, b.remote(), Direction::SendRecv);
    plane.tell(Command::Join { leg: A, with: B });
    (plane, a, b, a_ports.rtp, b_ports.rtp)
}

#[test]
fn phones_of_both_families_hear_each_other() {
    let mut plane = Running::at(Ipv6Addr::UNSPECIFIED.into(), 4, Duration::from_secs(60));
    let (a, b) = (Peer::bind("127.0.0.1"), Peer::bind("::1"));
    let (a_ports, b_ports) = (plane.open(A), plane.open(B));
    plane.expect(A, a.remote(), Direction::SendRecv);
    plane.expect(B, b.remote(), Direction::SendRecv);
    plane.tell(Command::Join { leg: A, with: B });
    let us = SocketAddr::from((Ipv6Addr::LOCALHOST, b_ports.rtp));
    // Whoever is called hears the caller before having said anything.
    a.sends(&rtp(1), a_ports.rtp);
    assert_eq!(b.hears(), (rtp(1), us));
    assert_eq!(plane.latched(A), a.address(), "told as the address that it is");
    let _ = b.rtp.send_to(&rtp(2), us);
    assert_eq!(a.hears(), (rtp(2), at(a_ports.rtp)));
    assert_eq!(plane.latched(B), b.address());
}

#[test]
fn hold_keeps_one_side_from_being_heard() {
    let mut plane = Running::start(4);
    let (a, b) = (Peer::bind("127.0.0.1"), Peer::bind("127.0.0.2"));
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
    let mut plane = Running::resting(4, Duration::from_millis(50));
    let first = plane.open(A);
    plane.close(A);
    let seen = plane.pairs_until(|free| free.iter().filter(|pair| **pair == first).count() > 0);
    assert!(seen.len() <= 4, "a pair is told once: {seen:?}");
    let again = plane.open_pair(B, first);
    let probe = UdpSocket::bind(at(again.rtp));
    assert!(probe.is_err(), "the socket is held");
}

#[test]
fn a_call_of_the_process_before_has_its_ports_again() {
    let mut plane = Running::start(100);
    // A house with many calls had other ports than those that are told first.
    let had = plane.pair(90);
    assert!(!plane.free.contains(&had));
    let (a, b) = (Peer::bind("127.0.0.1"), Peer::bind("127.0.0.2"));
    let (a_ports, b_ports) = (plane.open_pair(A, had), plane.open(B));
    plane.expect(A, a.remote(), Direction::SendRecv);
    plane.expect(B, b.remote(), Direction::SendRecv);
    plane.tell(Command::Join { leg: A, with: B });
    a.keeps_sending(&rtp(1), a_ports.rtp, &b);
    b.sends(&rtp(2), b_ports.rtp);
    assert_eq!(a.hears(), (rtp(2), at(a_ports.rtp)));
    // More are bound when few are left, and what is used is not among them.
    for leg in 3..50 {
        plane.open(LegKey(leg));
    }
    let fresh = plane.pairs_until(|free| free.len() >= 33);
    assert!(!fresh.contains(&had), "{fresh:?}");
    assert!(plane.close(A).packets_received >= 1);
}

#[test]
fn ports_that_cannot_be_had_are_said_to_be_closed() {
    let mut plane = Running::start(4);
    let taken = plane.open(A);
    let (inside, last) = (plane.pair(2), plane.pair(3));
    let elsewhere = PortPair { address: "127.0.0.9".parse().expect("an address"), ..inside };
    let odd = PortPair { rtp: inside.rtp + 1, ..inside };
    let beyond = PortPair { rtp: last.rtp + 2, ..last };
    for (leg, pair) in (10..).map(LegKey).zip([taken, elsewhere, odd, beyond, PortPair { rtp: 0, ..last }]) {
        plane.open_pair(leg, pair);
        assert_eq!(plane.closed(leg), Figures::default(), "{pair:?}");
    }
    plane.close(A);
    plane.open_pair(B, taken);
    assert_eq!(plane.closed(B), Figures::default(), "it rests");
}

#[test]
fn each_peer_is_reported_to_and_what_it_reports_is_its_legs_own() {
    let mut plane = Running::start(4);
    let (a, b) = (Phone::open(&mut plane, A, 0xa), Phone::open(&mut plane, B, 0xb));
    plane.tell(Command::Join { leg: A, with: B });
    let mut figures = [Figures::default(); 2];
    let start = Instant::now();
    let mut octets = [0; 256];
    for number in 0u16.. {
        assert!(start.elapsed() < 3 * PATIENCE, "no round trip became known: {figures:?}");
        a.send(number);
        b.send(number);
        for (phone, other, lost) in [(&a, &b, 1), (&b, &a, 0)] {
            // A tenth of a second at most: the pace of this conversation.
            let Ok(length) = phone.peer.rtcp.recv(&mut octets) else { continue };
            let Some(Packet::Report { ssrc, sent, mut blocks }) = Compound::read(&octets[..length]).expect("RTCP").next() else {
                panic!("a compound begins with a report")
            };
            assert_eq!(ssrc, other.ssrc, "our report is of the stream that we send");
            let sent = sent.expect("we do send");
            assert!(sent.packets > 0 && sent.octets == sent.packets * 160, "{sent:?}");
            assert!(blocks.next().is_none_or(|block| block.ssrc == phone.ssrc && block.lost == 0));
            phone.report(&sent, other.ssrc, lost);
        }
        while let Ok(event) = plane.events.try_recv() {
            if let Event::Figures { leg, figures: counted } = event {
                figures[usize::from(leg == B)] = counted;
            }
        }
        if let [Some(of_a), Some(of_b)] = figures.map(|counted| counted.reported) {
            assert_eq!((of_a.packets_lost, of_b.packets_lost), (1, 0));
            assert_eq!((of_a.jitter_us, of_b.jitter_us), (10_000, 10_000));
            assert!(of_a.round_trip_us.is_some() && of_b.round_trip_us.is_some(), "{of_a:?} {of_b:?}");
            assert!(of_a.round_trip_us < Some(1_000_000));
            return;
        }
    }
}

/// A peer that speaks and reports.
struct Phone {
    ssrc: u32,
    ports: PortPair,
    peer: Peer,
}

impl Phone {
    fn open(plane: &mut Running, leg: LegKey, ssrc: u32) -> Phone {
        let phone = Phone { ssrc, ports: plane.open(leg), peer: Peer::bind("127.0.0.1") };
        phone.peer.rtcp.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
        plane.expect(leg, phone.peer.remote(), Direction::SendRecv);
        phone
    }

    fn send(&self, number: u16) {
        let mut packet = rtp(number);
        packet[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        self.peer.sends(&packet, self.ports.rtp);
    }

    /// Answers a report at once: of the stream that it hears, one packet or none lost.
    fn report(&self, of: &Sent, heard: u32, lost: i32) {
        let block = Block { ssrc: heard, lost, jitter: 80, last_sr: (of.ntp >> 16) as u32, ..Block::default() };
        let mut octets = [0; LONGEST];
        let length = write(&mut octets, self.ssrc, None, Some(&block), &[b'p'; CNAME]);
        let to = SocketAddr::new(self.ports.address, self.ports.rtp + 1);
        self.peer.rtcp.send_to(&octets[..length], to).expect("sent");
    }
}
