//! Where a URI leads, RFC 3263 as data: an address at once, or a name for somebody else to look up.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::flow::Transport;
use crate::message::{Scheme, Uri};

/// The next hop of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// Nothing to look up.
    Address {
        /// Where.
        address: SocketAddr,
        /// How.
        transport: Transport,
    },
    /// A name; NAPTR and SRV are asked where neither port nor transport is given (RFC 3263 4).
    Name {
        /// Lower case.
        host: String,
        /// If it was said.
        port: Option<u16>,
        /// If it was said.
        transport: Option<Transport>,
    },
}

/// Why a name leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum ResolveError {
    /// Whoever must know says that there is nothing of that name.
    #[error("nothing has that name")]
    NoSuchName,
    /// Nobody answered who would know.
    #[error("no name server answers")]
    NoAnswer,
}

impl Target {
    /// Of a server as people write it: `stun.example.org`, `stun.example.org:3479`, `192.0.2.1`. None if it is none.
    pub fn of_host(text: &str, usual_port: u16, transport: Transport) -> Option<Target> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (text, usual_port),
        };
        if let Ok(ip) = host.parse::<std::net::Ipv4Addr>() {
            return Some(Target::Address { address: (ip, port).into(), transport });
        }
        let named = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        let name = !host.is_empty() && host.len() <= 253 && host.bytes().all(named);
        name.then(|| Target::Name { host: host.to_owned(), port: Some(port), transport: Some(transport) })
    }

    /// The host that it names: a name, or an address as it is written.
    pub fn host(&self) -> String {
        match self {
            Target::Address { address, .. } => address.ip().to_string(),
            Target::Name { host, .. } => host.clone(),
        }
    }

    /// Where a request to this URI goes; `None` for what no SIP element can be sent to: `tel:`, a transport we do not have, `sips:` over
    /// one that hides nothing.
    pub fn of(uri: &Uri<'_>) -> Option<Target> {
        let said = match uri.param("transport").flatten() {
            None => None,
            Some(name) if name.eq_ignore_ascii_case("udp") => Some(Transport::Udp),
            Some(name) if name.eq_ignore_ascii_case("tcp") => Some(Transport::Tcp),
            // RFC 3261 26.2.2 wishes it gone; phones write it.
            Some(name) if name.eq_ignore_ascii_case("tls") => Some(Transport::Tls),
            Some(_) => return None,
        };
        let transport = match (uri.scheme, said) {
            (Scheme::Sip, said) => said,
            // `sips:` over TCP is TLS (RFC 3261 26.2.2).
            (Scheme::Sips, None | Some(Transport::Tcp | Transport::Tls)) => Some(Transport::Tls),
            (Scheme::Sips, Some(Transport::Udp | Transport::Ws | Transport::Wss)) | (Scheme::Tel | Scheme::Other(_), _) => {
                return None;
            }
        };
        let host = uri.param("maddr").flatten().unwrap_or(uri.host_bare());
        match host.parse::<IpAddr>() {
            Ok(address) => {
                let transport = transport.unwrap_or(Transport::Udp);
                let port = uri.port.unwrap_or(transport.usual_port());
                Some(Target::Address { address: SocketAddr::new(address, port), transport })
            }
            Err(_) if host.is_empty() => None,
            Err(_) => Some(Target::Name { host: host.to_ascii_lowercase(), port: uri.port, transport }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_as_people_write_them() {
        let of = |text: &str| Target::of_host(text, 3478, Transport::Udp);
        let name = |port| Some(Target::Name { host: "stun.example.org".into(), port: Some(port), transport: Some(Transport::Udp) });
        assert_eq!(of("stun.example.org"), name(3478));
        assert_eq!(of("stun.example.org:3479"), name(3479));
        let address = Target::Address { address: "192.0.2.1:3478".parse().unwrap(), transport: Transport::Udp };
        assert_eq!(of("192.0.2.1"), Some(address));
        for nonsense in ["", ":3478", "a b", "host:", "host:99999", "stun:host:1"] {
            assert_eq!(of(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn addresses_names_and_what_leads_nowhere() {
        let of = |text: &str| Target::of(&Uri::parse(text).unwrap());
        assert_eq!(
            of("sip:1@192.0.2.1"),
            Some(Target::Address { address: "192.0.2.1:5060".parse().unwrap(), transport: Transport::Udp })
        );
        assert_eq!(
            of("sip:1@[2001:db8::1]:5070;transport=TCP"),
            Some(Target::Address { address: "[2001:db8::1]:5070".parse().unwrap(), transport: Transport::Tcp })
        );
        assert_eq!(of("sip:1@Example.org"), Some(Target::Name { host: "example.org".into(), port: None, transport: None }));
        let tls = |address: &str| Some(Target::Address { address: address.parse().unwrap(), transport: Transport::Tls });
        assert_eq!(of("sips:1@192.0.2.1"), tls("192.0.2.1:5061"));
        assert_eq!(of("sips:1@192.0.2.1:5070;transport=tcp"), tls("192.0.2.1:5070"));
        assert_eq!(of("sip:1@192.0.2.1;transport=tls"), tls("192.0.2.1:5061"));
        assert_eq!(of("sips:1@192.0.2.1;transport=udp"), None);
        assert_eq!(of("tel:+33199001234"), None);
        assert_eq!(of("sip:1@192.0.2.1;transport=sctp"), None);
    }
}
