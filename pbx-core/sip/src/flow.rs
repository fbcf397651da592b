//! The path a message came by, and by which an answer goes back (RFC 5626's flow).

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// A SIP transport, RFC 3261 18 and RFC 7118.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Datagrams: requests are retransmitted.
    Udp,
    /// A stream, framed by Content-Length.
    Tcp,
    /// The same, encrypted.
    Tls,
    /// Messages over a WebSocket (RFC 7118): from browsers, and only ever opened by them.
    Ws,
    /// The same, encrypted.
    Wss,
}

impl Transport {
    /// True where the transport itself delivers (TCP and what runs on it), so that nothing is retransmitted.
    pub fn is_reliable(self) -> bool {
        match self {
            Transport::Udp => false,
            Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => true,
        }
    }

    /// Where it is spoken unless something else is said (RFC 3261 19.1.2).
    pub fn usual_port(self) -> u16 {
        match self {
            Transport::Udp | Transport::Tcp => 5060,
            Transport::Tls => 5061,
            Transport::Ws => 80,
            Transport::Wss => 443,
        }
    }

    /// Nobody on the way reads it: what `sips:` asks for.
    pub fn is_secured(self) -> bool {
        match self {
            Transport::Udp | Transport::Tcp | Transport::Ws => false,
            Transport::Tls | Transport::Wss => true,
        }
    }

    /// As it stands in a URI: `;transport=tcp`, nothing for UDP. RFC 7118 has one word for both of its own.
    pub fn param(self) -> &'static str {
        match self {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
            Transport::Tls => ";transport=tls",
            Transport::Ws | Transport::Wss => ";transport=ws",
        }
    }

    /// As it stands in Via: `UDP`, `TCP`, `TLS`, `WS`, `WSS`.
    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Ws => "WS",
            Transport::Wss => "WSS",
        }
    }
}

/// One connection of a stream transport, numbered by the transport room from 1; 0 stands for UDP, and for a stream that is
/// still to be opened (or found open) to `remote`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConnectionId(pub u64);

/// Transport, our address, their address, and the connection if there is one. Always resolved: no name, no wildcard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Flow {
    /// How it travels.
    pub transport: Transport,
    /// Our address as the peer sees it; its port is the one we listen on, also on a connection we opened.
    pub local: SocketAddr,
    /// Their address: the source of what came.
    pub remote: SocketAddr,
    /// Which connection.
    pub connection: ConnectionId,
}

impl Flow {
    /// Our Contact on it: `<sip:user@192.0.2.1:5060;transport=tcp>`; without `user` if that is empty.
    pub fn contact(&self, user: &str) -> String {
        let at = if user.is_empty() { "" } else { "@" };
        format!("<sip:{user}{at}{}{}>", self.local, self.transport.param())
    }

    /// Do both travel over one connection? Where none is open yet, to one peer.
    pub fn same_connection(&self, other: &Flow) -> bool {
        self.transport == other.transport
            && self.connection == other.connection
            && (self.connection != ConnectionId::default() || self.remote == other.remote)
    }
}

/// Who is behind an address, for whatever is counted: an IPv4 address, or the /64 that one household of IPv6 has.
pub fn source_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
        ip => ip,
    }
}
