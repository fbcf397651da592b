//! The calls of a house as data: written down at any moment between two events, read back by another process.

use pbx_media_words::LegKey;
use pbx_sip::clock::{Now, Tick};
use pbx_sip::flow::{ConnectionId, Flow};
use pbx_sip::message::Message;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::feature::Feature;
use crate::switch::{Ongoing, Switch};

/// What of a house's calls outlives its process.
///
/// Carried: each call with its legs, dialogs, sessions and trace; the feature that runs it, and when it is to be woken; an INVITE that
/// rings or waits for its ACK; a BYE without an answer. Ticks are those of the boot clock, so that this means the same until the machine itself starts again.
///
/// Not carried, because its loss mends itself: every other transaction. A request that was answered and is sent again is new to the
/// reader, who refuses it as out of order or of no dialog (500, 481). An INFO on its way is not answered. A CANCEL that was not
/// answered is not sent again, so a phone that did not get it rings until it gives up by itself. Nor are bindings, which the store has, nonces, which the reader calls stale, and figures of media, which count anew.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Written {
    calls: Vec<WrittenCall>,
    #[serde(default)]
    byes: Vec<(String, Flow)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct WrittenCall {
    call: Call,
    feature: Feature,
    wake: Option<Tick>,
}

impl Switch {
    /// The calls as they are.
    pub fn write(&self) -> Written {
        let written =
            |ongoing: &Ongoing| WrittenCall { call: ongoing.call.written(), feature: ongoing.feature.clone(), wake: ongoing.wake };
        let said = |(bye, flow): (&Message, Flow)| (String::from_utf8_lossy(bye.bytes()).into_owned(), flow);
        Written { calls: self.calls.values().map(written).collect(), byes: self.stack.open_byes().map(said).collect() }
    }

    /// Goes on with calls that another process wrote. To be told before anything else, and before media tells of free ports: those of
    /// the calls are opened again.
    pub fn read(&mut self, written: Written, now: Now) {
        for WrittenCall { call, feature, wake } in written.calls {
            let key = call.key;
            let held = call.legs().filter(|leg| leg.ended.is_none()).filter_map(|leg| Some((leg.key, leg.ports?)));
            self.held.extend(held.collect::<Vec<(LegKey, _)>>());
            self.calls.insert(key, Ongoing { call, feature, wake: None, due: None, closing: Vec::new() });
            self.wake(key, wake);
            self.with_call(key, now, |call, outside| call.resume(outside));
        }
        for (bye, mut flow) in written.byes {
            // Connections end with the process that had them.
            flow.connection = ConnectionId::default();
            if let Ok(bye) = Message::parse(bye.into_bytes().into()) {
                self.stack.take_over_bye(bye, flow, now);
            }
        }
        self.settle(now);
    }
}
