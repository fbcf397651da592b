//! SIP over UDP, IPv4 and IPv6. A socket that is bound to every address still knows, of each datagram, to which of them it came, and
//! answers from that one: a phone behind a firewall takes no answer from another.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;

use bytes::Bytes;
use nix::cmsg_space;
use nix::libc;
use nix::sys::socket::sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt};
use pbx_sip::flow::{ConnectionId, Flow, Transport};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// Octets that wait in the system: a burst of registrations after a power cut.
const BURST: usize = 4 << 20;

/// One socket.
pub struct Udp {
    socket: UdpSocket,
    local: SocketAddr,
    buffer: Box<[u8]>,
    /// What the system tells beside a datagram; empty if the socket has one address only.
    beside: Vec<u8>,
    /// Datagrams that the system did not take.
    unsent: u64,
}

impl Udp {
    /// Binds; needs a runtime of tokio around it.
    pub fn bind(address: SocketAddr) -> io::Result<Udp> {
        let domain = if address.is_ipv6() { socket2::Domain::IPV6 } else { socket2::Domain::IPV4 };
        let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
        let _ = socket.set_recv_buffer_size(BURST);
        let _ = socket.set_send_buffer_size(BURST);
        socket.set_nonblocking(true)?;
        let mut beside = Vec::new();
        if address.ip().is_unspecified() {
            if address.is_ipv6() {
                setsockopt(&socket, Ipv6RecvPacketInfo, &true)?;
            } else {
                setsockopt(&socket, Ipv4PacketInfo, &true)?;
            }
            beside = cmsg_space!(libc::in6_pktinfo);
        }
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let local = socket.local_addr()?;
        Ok(Udp { socket, local, buffer: vec![0; 65_536].into(), beside, unsent: 0 })
    }

    /// Where it listens.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Datagrams that the system did not take.
    pub fn unsent(&self) -> u64 {
        self.unsent
    }

    /// Until there is something to read.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// The next datagram, if there is one.
    pub fn try_receive(&mut self) -> Option<(Flow, Bytes)> {
        // An error here is a peer's (a port that nobody listens on), and says nothing of the next datagram.
        for _ in 0..16 {
            let received = if self.beside.is_empty() {
                self.socket.try_recv_from(&mut self.buffer).map(|(length, remote)| (length, remote, None))
            } else {
                let (buffer, beside, descriptor) = (&mut self.buffer, &mut self.beside, self.socket.as_raw_fd());
                self.socket.try_io(Interest::READABLE, || receive(descriptor, buffer, beside))
            };
            match received {
                Ok((length, remote, to)) => {
                    let ip = to.unwrap_or(self.local.ip()).to_canonical();
                    let flow = Flow {
                        transport: Transport::Udp,
                        local: SocketAddr::new(ip, self.local.port()),
                        remote: canonical(remote),
                        connection: ConnectionId::default(),
                    };
                    return Some((flow, Bytes::copy_from_slice(&self.buffer[..length])));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(_) => {}
            }
        }
        None
    }

    /// Sends from the address that the flow names, or drops what the system does not take: SIP sends again.
    pub fn send(&mut self, flow: &Flow, octets: &[u8]) {
        let remote = SockaddrStorage::from(if self.local.is_ipv6() { mapped(flow.remote) } else { flow.remote });
        let parts = [IoSlice::new(octets)];
        let send =
            |beside: &[ControlMessage<'_>]| sendmsg(self.socket.as_raw_fd(), &parts, beside, MsgFlags::MSG_DONTWAIT, Some(&remote));
        let sent = match flow.local.ip() {
            ip if self.beside.is_empty() || ip.is_unspecified() => send(&[]),
            IpAddr::V4(ip) if !self.local.is_ipv6() => {
                let source = libc::in_addr { s_addr: u32::from_ne_bytes(ip.octets()) };
                let from = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: source, ipi_addr: libc::in_addr { s_addr: 0 } };
                send(&[ControlMessage::Ipv4PacketInfo(&from)])
            }
            ip => {
                let source = match ip {
                    IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                    IpAddr::V6(ip) => ip,
                };
                let source = libc::in6_addr { s6_addr: source.octets() };
                let from = libc::in6_pktinfo { ipi6_addr: source, ipi6_ifindex: 0 };
                send(&[ControlMessage::Ipv6PacketInfo(&from)])
            }
        };
        if let Err(error) = sent {
            self.unsent += 1;
            tracing::debug!(%error, unsent = self.unsent, "a datagram was not sent");
        }
    }
}

/// One datagram, its source, and to which of our addresses it came.
fn receive(descriptor: i32, buffer: &mut [u8], beside: &mut [u8]) -> io::Result<(usize, SocketAddr, Option<IpAddr>)> {
    let mut parts = [IoSliceMut::new(buffer)];
    let received = recvmsg::<SockaddrStorage>(descriptor, &mut parts, Some(beside), MsgFlags::MSG_DONTWAIT)?;
    let mut to = None;
    for word in received.cmsgs()? {
        match word {
            ControlMessageOwned::Ipv4PacketInfo(told) => to = Some(IpAddr::from(told.ipi_spec_dst.s_addr.to_ne_bytes())),
            ControlMessageOwned::Ipv6PacketInfo(told) => to = Some(IpAddr::from(told.ipi6_addr.s6_addr)),
            _ => {}
        }
    }
    let remote = received.address.and_then(|address| {
        let v4 = address.as_sockaddr_in().map(|address| SocketAddr::V4((*address).into()));
        v4.or_else(|| address.as_sockaddr_in6().map(|address| SocketAddr::V6((*address).into())))
    });
    Ok((received.bytes, remote.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?, to))
}

/// An IPv4 address that a socket for both families shows as an IPv6 one.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some() => SocketAddr::new(ip.to_canonical(), address.port()),
        _ => address,
    }
}

/// The other way round.
fn mapped(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_datagram_tells_to_which_address_it_came_and_is_answered_from_there() {
        for (bound, called, phone) in [
            ("0.0.0.0:0", "127.0.0.7", "127.0.0.1:0"),
            ("127.0.0.9:0", "127.0.0.9", "127.0.0.1:0"),
            ("[::]:0", "::1", "[::1]:0"),
            ("[::]:0", "127.0.0.8", "127.0.0.1:0"),
        ] {
            let mut udp = Udp::bind(bound.parse().unwrap()).unwrap();
            let called = SocketAddr::new(called.parse().unwrap(), udp.local().port());
            let phone = std::net::UdpSocket::bind(phone).unwrap();
            phone.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            phone.send_to(b"OPTIONS", called).unwrap();
            udp.readable().await.unwrap();
            let (flow, octets) = udp.try_receive().unwrap();
            assert_eq!((flow.local, flow.remote), (called, phone.local_addr().unwrap()), "{bound}");
            assert_eq!(&octets[..], b"OPTIONS");
            assert!(udp.try_receive().is_none());
            udp.send(&flow, b"SIP/2.0");
            let mut buffer = [0; 64];
            let (length, from) = phone.recv_from(&mut buffer).unwrap();
            assert_eq!((&buffer[..length], from), (&b"SIP/2.0"[..], called), "{bound}");
            assert_eq!(udp.unsent(), 0);
        }
    }

    #[tokio::test]
    async fn a_port_that_nobody_listens_on_stops_nothing() {
        let mut udp = Udp::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let gone = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let flow = Flow { transport: Transport::Udp, local: udp.local(), remote: gone, connection: ConnectionId::default() };
        udp.send(&flow, b"nobody");
        udp.send(&flow, b"nobody");
        let phone = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        phone.send_to(b"OPTIONS", udp.local()).unwrap();
        udp.readable().await.unwrap();
        assert!(udp.try_receive().is_some());
    }

    #[tokio::test]
    async fn a_datagram_of_the_largest_size_comes_and_goes_whole() {
        let mut udp = Udp::bind("0.0.0.0:0".parse().unwrap()).unwrap();
        let phone = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        phone.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let large = vec![b'x'; 65_507];
        phone.send_to(&large, ("127.0.0.1", udp.local().port())).unwrap();
        udp.readable().await.unwrap();
        let (flow, octets) = udp.try_receive().unwrap();
        assert_eq!(octets.len(), large.len());
        udp.send(&flow, &octets);
        assert_eq!(phone.recv(&mut vec![0; 65_536]).unwrap(), large.len());
    }
}
