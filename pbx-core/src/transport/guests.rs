//! Who has connections open at a door, counted by source: the hosts of one household of IPv6 count as one. And who is turned away there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use pbx_sip::flow::source_of;

use crate::transport::connections::Limits;

/// Those of one door.
#[derive(Default)]
pub(super) struct Guests {
    by_source: BTreeMap<IpAddr, usize>,
    all: usize,
    banned: BTreeSet<IpAddr>,
}

impl Guests {
    /// Would one more from there be let in? This machine itself may have every place.
    pub fn has_room_for(&self, ip: IpAddr, limits: &Limits) -> bool {
        let from_one = if ip.is_loopback() { limits.connections } else { limits.from_one_address };
        !self.is_banned(ip) && self.all < limits.connections && self.count_from(ip) < from_one
    }

    /// One has come.
    pub fn enter(&mut self, ip: IpAddr) {
        self.all += 1;
        *self.by_source.entry(source_of(ip)).or_default() += 1;
    }

    /// One that came has gone.
    pub fn leave(&mut self, ip: IpAddr) {
        self.all = self.all.saturating_sub(1);
        if let Some(same) = self.by_source.get_mut(&source_of(ip)) {
            *same -= 1;
            if *same == 0 {
                self.by_source.remove(&source_of(ip));
            }
        }
    }

    /// How many are there from one source.
    pub fn count_from(&self, ip: IpAddr) -> usize {
        self.by_source.get(&source_of(ip)).copied().unwrap_or(0)
    }

    /// Is whoever is there turned away?
    pub fn is_banned(&self, ip: IpAddr) -> bool {
        self.banned.contains(&source_of(ip))
    }

    /// From now on it is.
    pub fn ban(&mut self, source: IpAddr) {
        self.banned.insert(source);
    }

    /// And not any more.
    pub fn lift(&mut self, source: IpAddr) {
        self.banned.remove(&source);
    }
}
