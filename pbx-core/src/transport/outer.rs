//! Our address as those beyond the router know it. Whoever is within (the house, its second site over a VPN) is told the address by which
//! they reach us; whoever is without is told the router's, in Via, Contact and sessions alike.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};

use pbx_sip::flow::Flow;

/// The router's address, and who is within. Cloning is cheap.
#[derive(Clone)]
pub struct Outer {
    address: Arc<RwLock<Option<IpAddr>>>,
    within: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
}

impl Outer {
    /// Known, or nothing to know: then everybody is told the address by which they reach us.
    pub fn new(address: Option<IpAddr>, within: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Outer {
        Outer { address: Arc::new(RwLock::new(address)), within: Arc::new(within) }
    }

    /// The router's address.
    pub fn address(&self) -> Option<IpAddr> {
        *self.address.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// It has another one.
    pub fn moved(&self, address: IpAddr) {
        *self.address.write().unwrap_or_else(PoisonError::into_inner) = Some(address);
    }

    /// Our address for whoever is at `remote`, to whom this machine speaks from `local`.
    pub fn seen_from(&self, remote: IpAddr, local: IpAddr) -> IpAddr {
        let fits = |outer: &IpAddr| outer.is_ipv4() == remote.is_ipv4() && !remote.is_loopback() && !(self.within)(remote);
        self.address().filter(fits).unwrap_or(local)
    }

    /// A flow as the other side sees it.
    pub fn seen(&self, flow: Flow) -> Flow {
        Flow { local: SocketAddr::new(self.seen_from(flow.remote.ip(), flow.local.ip()), flow.local.port()), ..flow }
    }

    /// And as this machine can send by it: the router's address is not ours, and the system chooses.
    pub fn sendable(&self, flow: Flow) -> Flow {
        if self.address() != Some(flow.local.ip()) {
            return flow;
        }
        let any = if flow.local.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { std::net::Ipv6Addr::UNSPECIFIED.into() };
        Flow { local: SocketAddr::new(any, flow.local.port()), ..flow }
    }
}

#[cfg(test)]
mod tests {
    use pbx_sip::flow::{ConnectionId, Transport};

    use super::*;

    fn flow(remote: &str) -> Flow {
        let (local, remote) = ("192.168.1.5:5060".parse().unwrap(), remote.parse().unwrap());
        Flow { transport: Transport::Udp, local, remote, connection: ConnectionId::default() }
    }

    fn house(address: Option<&str>) -> Outer {
        let within = |ip: IpAddr| matches!(ip, IpAddr::V4(ip) if ip.is_private());
        Outer::new(address.map(|address| address.parse().unwrap()), within)
    }

    #[test]
    fn who_is_without_is_told_the_routers_address() {
        let outer = house(Some("203.0.113.7"));
        assert_eq!(outer.seen(flow("198.51.100.1:5060")).local.to_string(), "203.0.113.7:5060");
        for within in ["192.168.1.20:5060", "10.8.0.2:5060", "127.0.0.1:5060", "[2001:db8::1]:5060"] {
            assert_eq!(outer.seen(flow(within)), flow(within), "{within}");
        }
        assert_eq!(house(None).seen(flow("198.51.100.1:5060")), flow("198.51.100.1:5060"));
    }

    #[test]
    fn nothing_is_sent_from_an_address_that_is_not_ours() {
        let outer = house(Some("203.0.113.7"));
        let seen = outer.seen(flow("198.51.100.1:5060"));
        assert_eq!(outer.sendable(seen).local.to_string(), "0.0.0.0:5060");
        assert_eq!(outer.sendable(flow("192.168.1.20:5060")), flow("192.168.1.20:5060"));
        outer.moved("203.0.113.8".parse().unwrap());
        assert_eq!(outer.seen(flow("198.51.100.1:5060")).local.to_string(), "203.0.113.8:5060");
    }
}
