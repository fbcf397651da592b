//! One leg's two sockets, and from whom they take packets.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use rustix::net::{RecvFlags, SendFlags};

/// Which of a leg's sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The even port.
    Rtp,
    /// The odd port.
    Rtcp,
}

/// A socket with the peer it belongs to. Once the peer's real address is known the socket is connected to it, so that the kernel
/// itself drops what others send.
#[derive(Debug)]
pub struct Line {
    socket: UdpSocket,
    /// It is of both families: an IPv4 address is written as an IPv6 one there.
    both: bool,
    announced: Option<SocketAddr>,
    latched: Option<SocketAddr>,
    /// Until then only the announced address is believed.
    grace_us: u64,
}

/// How long after an announcement a packet from elsewhere is not believed: a peer behind a router keeps sending, a stranger's stray
/// packet does not win against the announced address.
const GRACE_US: u64 = 300_000;

impl Line {
    /// A bound socket that belongs to nobody yet.
    pub fn new(socket: UdpSocket) -> Line {
        let both = socket.local_addr().is_ok_and(|local| local.is_ipv6());
        Line { socket, both, announced: None, latched: None, grace_us: 0 }
    }

    /// The socket, to be watched.
    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Where the peer says that it is. The same as before keeps the latch; another opens it again.
    pub fn announce(&mut self, address: SocketAddr, now_us: u64) {
        let address = if self.both { mapped(address) } else { address };
        if self.announced == Some(address) {
            return;
        }
        self.announced = Some(address);
        if self.latched.take().is_some() {
            let _ = rustix::net::connect_unspec(&self.socket);
        }
        self.grace_us = now_us + GRACE_US;
    }

    /// Reads one packet, if it is the peer's. Afterwards the peer's address is told, if it has just become known.
    pub fn receive(&mut self, buffer: &mut [u8], now_us: u64, sane: impl Fn(&[u8]) -> bool) -> Received {
        if self.latched.is_some() {
            return match rustix::net::recv(&self.socket, &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((_, length)) if length <= buffer.len() => Received::Packet { length, latched: None },
                _ => Received::Nothing,
            };
        }
        let Ok((length, source)) = self.socket.recv_from(buffer) else { return Received::Nothing };
        let Some(announced) = self.announced else { return Received::Refused };
        let believed = source == announced || source.ip() == announced.ip() || now_us >= self.grace_us;
        if !believed || !sane(&buffer[..length]) && !is_binding_request(&buffer[..length]) {
            return Received::Refused;
        }
        self.latched = Some(source);
        // A connected socket takes packets from its peer alone, and sends without looking the way up.
        let _ = self.socket.connect(source);
        Received::Packet { length, latched: Some(SocketAddr::new(source.ip().to_canonical(), source.port())) }
    }

    /// Sends to the peer: to where it is known to be, else to where it says it is. False if it was not sent.
    pub fn send(&self, packet: &[u8]) -> bool {
        if self.latched.is_some() {
            return rustix::net::send(&self.socket, packet, SendFlags::DONTWAIT).is_ok();
        }
        match self.announced {
            Some(address) if address.port() != 0 && !address.ip().to_canonical().is_unspecified() => {
                self.socket.send_to(packet, address).is_ok()
            }
            _ => false,
        }
    }
}

/// An address as a socket of both families takes it.
fn mapped(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

/// A Binding request of STUN (RFC 5389 6): a peer behind a router opens the way by it before it has anything to say. Linphone 5.1 sends
/// nothing else until it hears us; tests/blackbox/nat.rs shows it.
pub fn is_binding_request(packet: &[u8]) -> bool {
    packet.len() >= 20 && packet.starts_with(&[0, 1]) && packet[4..8] == [0x21, 0x12, 0xa4, 0x42]
}

/// What a read has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Nothing, or an error of the other side.
    Nothing,
    /// A packet of a stranger.
    Refused,
    /// A packet of the peer.
    Packet {
        /// Octets in the buffer.
        length: usize,
        /// Its address, if this is the first.
        latched: Option<SocketAddr>,
    },
}
