//! SIP over UDP.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use pbx_sip::flow::{ConnectionId, Flow, Transport};
use tokio::net::UdpSocket;

/// Peers whose way back is remembered.
const MOST_PEERS: usize = 10_000;

/// One socket.
pub struct Udp {
    socket: UdpSocket,
    local: SocketAddr,
    /// By which of our addresses a peer is reached, where we listen on all of them.
    ways: BTreeMap<IpAddr, IpAddr>,
    buffer: Box<[u8; 65_536]>,
}

impl Udp {
    /// Binds.
    pub fn bind(address: SocketAddr) -> io::Result<Udp> {
        let domain = if address.is_ipv6() { socket2::Domain::IPV6 } else { socket2::Domain::IPV4 };
        let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
        // A burst of registrations after a power cut waits here for its turn.
        let _ = socket.set_recv_buffer_size(4 << 20);
        let _ = socket.set_send_buffer_size(4 << 20);
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let local = socket.local_addr()?;
        Ok(Udp { socket, local, ways: BTreeMap::new(), buffer: Box::new([0; 65_536]) })
    }

    /// Where it listens.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Until there is something to read.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// The next datagram, if there is one.
    pub fn try_receive(&mut self) -> Option<(Flow, Bytes)> {
        // An error here is a peer's (a port that nobody listens on), and says nothing of the next datagram.
        for _ in 0..16 {
            match self.socket.try_recv_from(&mut self.buffer[..]) {
                Ok((length, remote)) => {
                    let octets = Bytes::copy_from_slice(&self.buffer[..length]);
                    return Some((self.flow(remote), octets));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(_) => {}
            }
        }
        None
    }

    /// Sends, or drops what the system does not take: SIP sends again.
    pub fn send(&self, flow: &Flow, octets: &[u8]) {
        if let Err(error) = self.socket.try_send_to(octets, flow.remote) {
            tracing::debug!(%error, "a datagram was not sent");
        }
    }

    fn flow(&mut self, remote: SocketAddr) -> Flow {
        let mut local = self.local;
        if local.ip().is_unspecified() {
            local.set_ip(self.way_to(remote.ip()));
        }
        Flow { transport: Transport::Udp, local, remote, connection: ConnectionId::default() }
    }

    fn way_to(&mut self, remote: IpAddr) -> IpAddr {
        if let Some(known) = self.ways.get(&remote) {
            return *known;
        }
        if self.ways.len() >= MOST_PEERS {
            self.ways.clear();
        }
        // The system's own choice, asked for by a socket that never sends.
        let asked = std::net::UdpSocket::bind(SocketAddr::new(self.local.ip(), 0))
            .and_then(|socket| socket.connect(SocketAddr::new(remote, 9)).and_then(|()| socket.local_addr()));
        let way = asked.map_or(self.local.ip(), |address| address.ip());
        self.ways.insert(remote, way);
        way
    }
}
