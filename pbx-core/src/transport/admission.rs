//! Who is listened to: a bucket of messages for each address, so that one that floods does not take the others' turn. This machine
//! itself is excepted.

use std::collections::BTreeMap;
use std::net::IpAddr;

use pbx_sip::clock::Tick;

/// Addresses remembered at once; when full, those that have been quiet longest in the order of their number are forgotten first.
const MOST_ADDRESSES: usize = 10_000;

/// The buckets.
#[derive(Debug)]
pub struct Admission {
    per_second: f64,
    buckets: BTreeMap<IpAddr, (f64, Tick)>,
    /// Messages turned away so far.
    pub refused: u64,
}

impl Admission {
    /// So many messages a second from one address, twice that at once.
    pub fn new(per_second: u32) -> Admission {
        Admission { per_second: f64::from(per_second.max(1)), buckets: BTreeMap::new(), refused: 0 }
    }

    /// Is a message from this address listened to now?
    pub fn admits(&mut self, address: IpAddr, now: Tick) -> bool {
        if address.is_loopback() {
            return true;
        }
        if self.buckets.len() >= MOST_ADDRESSES && !self.buckets.contains_key(&address) {
            self.forget_full(now);
        }
        let most = self.per_second * 2.0;
        let (tokens, last) = self.buckets.entry(address).or_insert((most, now));
        *tokens = (*tokens + now.since(*last).as_secs_f64() * self.per_second).min(most);
        *last = now;
        if *tokens < 1.0 {
            self.refused += 1;
            return false;
        }
        *tokens -= 1.0;
        true
    }

    /// A bucket that is full again tells nothing that a new one would not.
    fn forget_full(&mut self, now: Tick) {
        let (per_second, most) = (self.per_second, self.per_second * 2.0);
        self.buckets.retain(|_, (tokens, last)| *tokens + now.since(*last).as_secs_f64() * per_second < most);
        while self.buckets.len() >= MOST_ADDRESSES {
            self.buckets.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_others_are_not() {
        let mut admission = Admission::new(10);
        let (loud, quiet): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let admitted = (0..100).filter(|_| admission.admits(loud, Tick(0))).count();
        assert_eq!(admitted, 20);
        assert!(admission.admits(quiet, Tick(0)));
        assert!(admission.admits(loud, Tick(200_000)), "two tokens have come back");
        assert!((0..1000).all(|_| admission.admits("127.0.0.1".parse().unwrap(), Tick(0))));
    }

    #[test]
    fn the_table_is_bounded() {
        let mut admission = Admission::new(10);
        for number in 0..20_000u32 {
            admission.admits(IpAddr::from((0x0a00_0000 + number).to_be_bytes()), Tick(0));
        }
        assert!(admission.buckets.len() <= MOST_ADDRESSES);
    }
}
