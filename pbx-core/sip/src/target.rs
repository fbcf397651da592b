//! Where a URI leads, RFC 3263 as data: an address at once, or a name for somebody else to look up.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::flow::Transport;
use crate::message::Uri;

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

impl Target {
    /// Where a request to this URI goes; `None` for what no SIP element can be sent to: `tel:`, `sips:` while there is no TLS, a
    /// transport we do not have.
    pub fn of(uri: &Uri<'_>) -> Option<Target> {
        if uri.scheme != crate::message::Scheme::Sip {
            return None;
        }
        let transport = match uri.param("transport").flatten() {
            None => None,
            Some(name) if name.eq_ignore_ascii_case("udp") => Some(Transport::Udp),
            Some(name) if name.eq_ignore_ascii_case("tcp") => Some(Transport::Tcp),
            Some(_) => return None,
        };
        let host = uri.param("maddr").flatten().unwrap_or(uri.host_bare());
        match host.parse::<IpAddr>() {
            Ok(address) => Some(Target::Address {
                address: SocketAddr::new(address, uri.port.unwrap_or(5060)),
                transport: transport.unwrap_or(Transport::Udp),
            }),
            Err(_) if host.is_empty() => None,
            Err(_) => Some(Target::Name { host: host.to_ascii_lowercase(), port: uri.port, transport }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(of("tel:+33199001234"), None);
        assert_eq!(of("sip:1@192.0.2.1;transport=sctp"), None);
    }
}
