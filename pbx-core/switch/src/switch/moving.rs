//! The router has another address: whoever is beyond it is told, lines by registering anew, phones in a call by an offer that names it.

use std::net::{IpAddr, SocketAddr};

use pbx_sip::clock::Now;
use pbx_sip::flow::Flow;

use crate::call::{CallKey, Signal};
use crate::directory::TrunkKey;
use crate::switch::Switch;

impl Switch {
    /// Those beyond the router reach us at this address from now on.
    pub(super) fn outer_moved(&mut self, outer: IpAddr, now: Now) {
        let door = &self.door;
        let seen = |flow: Flow| {
            let remote = flow.remote.ip();
            let beyond = remote.is_ipv4() == outer.is_ipv4() && !door.is_own(remote);
            let local = SocketAddr::new(if beyond { outer } else { flow.local.ip() }, flow.local.port());
            Flow { local, ..flow }
        };
        self.registrar.seen_anew(seen);
        self.subscriptions.by_key.values_mut().for_each(|subscription| subscription.flow = seen(subscription.flow));
        let moved: Vec<(CallKey, Vec<_>)> = self
            .calls
            .iter()
            .map(|(key, ongoing)| (*key, ongoing.call.legs().map(|leg| (leg.key, seen(leg.flow))).collect()))
            .collect();
        let lines = self.lines.moved(seen);
        for (key, flows) in moved {
            self.with_call(key, now, |call, outside| {
                for (leg, flow) in flows {
                    if let Some(leg) = call.leg(leg) {
                        leg.moved(flow);
                    }
                }
                call.ask_what_is_wished(outside);
                Signal::Nothing
            });
        }
        for line in lines {
            self.line_moved(&line, now);
        }
    }

    fn line_moved(&mut self, key: &TrunkKey, now: Now) {
        self.with_line(key, now, |line, entropy| line.doubted(entropy, now));
    }
}
