//! From where the phones of an extension may come, and how.

use std::net::IpAddr;

use pbx_sip::flow::Flow;
use serde::{Deserialize, Serialize};

use crate::directory::Network;

/// Networks of one extension.
const MAX_NETWORKS: usize = 20;

/// From where the phones of an extension may come, and how. Whoever comes in another way is answered as if the secret were wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Access {
    /// Only from these; from everywhere if there are none.
    pub networks: Vec<Network>,
    /// When they must come encrypted.
    pub encryption: Encryption,
    /// Who must come encrypted speaks encrypted too (SRTP).
    pub sound: bool,
}

/// When a phone must come by TLS or a WebSocket over it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encryption {
    /// As the phone likes.
    #[default]
    Optional,
    /// From outside the house's own networks.
    BeyondOwnNetworks,
    /// Always.
    Always,
}

impl Encryption {
    /// Every one.
    pub const ALL: [Encryption; 3] = [Encryption::Optional, Encryption::BeyondOwnNetworks, Encryption::Always];

    /// `optional`, `beyond_own_networks`, `always`
    pub fn code(self) -> &'static str {
        match self {
            Encryption::Optional => "optional",
            Encryption::BeyondOwnNetworks => "beyond_own_networks",
            Encryption::Always => "always",
        }
    }
}

/// Why a phone with the right secret is turned away. The catalogue has a sentence for each: `barred.<code>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Barred {
    /// It is in none of the networks of its extension.
    Network,
    /// It must come encrypted.
    Encryption,
}

impl Barred {
    /// Every reason, for the catalogue's test.
    pub const ALL: [Barred; 2] = [Barred::Network, Barred::Encryption];

    /// For the catalogue.
    pub fn code(self) -> &'static str {
        match self {
            Barred::Network => "network",
            Barred::Encryption => "encryption",
        }
    }
}

impl Access {
    /// Why a phone that comes by this way is turned away, if it is. `is_own`: is an address in the house's own networks?
    pub fn bars(&self, flow: &Flow, is_own: impl Fn(IpAddr) -> bool) -> Option<Barred> {
        let ip = flow.remote.ip();
        if !self.networks.is_empty() && !self.networks.iter().any(|network| network.contains(ip)) {
            return Some(Barred::Network);
        }
        (self.must_encrypt(ip, is_own) && !flow.transport.is_secured()).then_some(Barred::Encryption)
    }

    /// Is nothing spoken in clear with a phone that comes by this way?
    pub fn protects_sound(&self, flow: &Flow, is_own: impl Fn(IpAddr) -> bool) -> bool {
        self.sound && self.must_encrypt(flow.remote.ip(), is_own)
    }

    fn must_encrypt(&self, ip: IpAddr, is_own: impl Fn(IpAddr) -> bool) -> bool {
        match self.encryption {
            Encryption::Optional => false,
            Encryption::BeyondOwnNetworks => !is_own(ip),
            Encryption::Always => true,
        }
    }

    /// Are there not too many networks?
    pub fn is_bounded(&self) -> bool {
        self.networks.len() <= MAX_NETWORKS
    }
}

#[cfg(test)]
mod tests {
    use pbx_sip::flow::{ConnectionId, Transport};

    use super::*;

    #[test]
    fn networks_and_encryption_bar_each_for_itself() {
        let own: Network = "192.168.0.0/16".parse().unwrap();
        let networks = |list: &[&str]| list.iter().map(|network| network.parse().unwrap()).collect::<Vec<Network>>();
        for (list, encryption, ip, transport, barred) in [
            (&[][..], Encryption::Optional, "203.0.113.1", Transport::Udp, None),
            (&["192.168.1.0/24"][..], Encryption::Optional, "192.168.1.7", Transport::Udp, None),
            (&["192.168.1.0/24"][..], Encryption::Optional, "192.168.2.7", Transport::Tls, Some(Barred::Network)),
            (&["192.168.1.0/24", "2001:db8::/32"][..], Encryption::Optional, "2001:db8::1", Transport::Udp, None),
            (&[][..], Encryption::BeyondOwnNetworks, "192.168.2.7", Transport::Udp, None),
            (&[][..], Encryption::BeyondOwnNetworks, "203.0.113.1", Transport::Tcp, Some(Barred::Encryption)),
            (&[][..], Encryption::BeyondOwnNetworks, "203.0.113.1", Transport::Wss, None),
            (&[][..], Encryption::Always, "192.168.2.7", Transport::Ws, Some(Barred::Encryption)),
            (&[][..], Encryption::Always, "192.168.2.7", Transport::Tls, None),
        ] {
            let access = Access { networks: networks(list), encryption, sound: true };
            let remote = (ip.parse::<IpAddr>().unwrap(), 5060).into();
            let flow = Flow { transport, local: "192.0.2.254:5060".parse().unwrap(), remote, connection: ConnectionId(0) };
            assert_eq!(access.bars(&flow, |ip| own.contains(ip)), barred, "{access:?} {ip} {transport:?}");
            let must = encryption == Encryption::Always || encryption == Encryption::BeyondOwnNetworks && ip.starts_with("203");
            assert_eq!(access.protects_sound(&flow, |ip| own.contains(ip)), must, "{access:?} {ip}");
        }
    }
}
