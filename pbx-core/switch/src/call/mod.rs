//! The call model: two legs, each with a dialog and a negotiation of its own, and who hears whom. Decides nothing about who is rung;
//! that is a feature's business.

pub(crate) mod ability;
mod begin;
mod brand;
mod hold;
pub mod identity;
mod keying;
mod leg;
pub mod line;
mod model;
mod reason;
mod record;
mod refusal;
mod reliable;
mod resume;
mod ringing;
pub(crate) mod session_timer;
pub(crate) mod transfer;
mod update;

use pbx_media_words::LegKey;
use pbx_sip::dialog::DialogId;
use pbx_sip::entropy::Entropy;
use pbx_sip::flow::Flow;
use pbx_sip::message::{Builder, HeaderName, Scheme, Uri};
use pbx_sip::stack::{ClientKey, ServerKey, Stack};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

pub use begin::Beginning;
pub use identity::Identity;
pub use keying::Sound;
pub use leg::{Leg, LegState};
pub use model::{Call, Signal};
pub use pbx_media_words::{Figures, Reported};
pub use record::{CallRecord, LegRecord, Outcome};
pub use refusal::Refusal;

/// A call: the time it began and a number, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CallKey(pub u64);

/// Does a URI promise that nobody listens in on any hop?
pub(crate) fn is_sips(uri: &str) -> bool {
    Uri::parse(uri).is_ok_and(|uri| uri.scheme == Scheme::Sips)
}

/// A way to a phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// The URI to address.
    pub contact: String,
    /// The way to it.
    pub flow: Flow,
    /// Proxies on it, the nearest first (RFC 3327).
    pub path: Vec<String>,
}

impl Way {
    /// A request that takes it.
    pub fn taken_by(&self, request: Builder) -> Builder {
        self.path.iter().fold(request, |request, proxy| request.header(HeaderName::Route, proxy))
    }
}

/// A phone to ring.
#[derive(Clone, Debug)]
pub struct Phone {
    /// Whose: an extension.
    pub party: String,
    /// The way to it.
    pub way: Way,
    /// It takes connections as well as datagrams, as far as we know: no router stands before it.
    pub either_way: bool,
    /// Others to the very same phone, the one to be tried next last (RFC 5626).
    pub other_ways: Vec<Way>,
    /// What it calls itself.
    pub user_agent: Option<String>,
    /// Whose name is on it.
    pub name: String,
    /// It is of the house, and has its rights.
    pub of_house: bool,
    /// Whether its sound is protected.
    pub sound: Sound,
    /// It is reached by a line to the outside, and this is how.
    pub by_line: Option<line::Presented>,
}

/// Which call and leg a SIP identifier belongs to.
#[derive(Debug, Default)]
pub struct Index {
    /// Requests of ours.
    pub clients: BTreeMap<ClientKey, (CallKey, LegKey)>,
    /// INVITEs sent to us.
    pub servers: BTreeMap<ServerKey, (CallKey, LegKey)>,
    /// Dialogs.
    pub dialogs: BTreeMap<DialogId, (CallKey, LegKey)>,
    /// Media.
    pub legs: BTreeMap<LegKey, CallKey>,
}

impl Index {
    /// A leg has gone to another call.
    pub(crate) fn move_leg(&mut self, leg: LegKey, to: CallKey) {
        let entries = self.clients.values_mut().chain(self.servers.values_mut()).chain(self.dialogs.values_mut());
        entries.filter(|(_, of)| *of == leg).for_each(|(call, _)| *call = to);
        self.legs.insert(leg, to);
    }

    /// Forgets what belongs to no call of these.
    pub fn retain(&mut self, is_call: impl Fn(CallKey) -> bool) {
        self.clients.retain(|_, (call, _)| is_call(*call));
        self.servers.retain(|_, (call, _)| is_call(*call));
        self.dialogs.retain(|_, (call, _)| is_call(*call));
        self.legs.retain(|_, call| is_call(*call));
    }
}

/// What a call may reach while it handles something.
pub struct Outside<'a> {
    /// To send by.
    pub stack: &'a mut Stack,
    /// For tags and identifiers.
    pub entropy: &'a mut Entropy,
    /// Free port pairs.
    pub ports: &'a mut VecDeque<pbx_media_words::PortPair>,
    /// Commands for media, in order.
    pub media: &'a mut VecDeque<pbx_media_words::Command>,
    /// Who is who.
    pub index: &'a mut Index,
    /// Each BYE that waits for the ACK of our 2xx.
    pub goodbyes: &'a mut BTreeMap<ServerKey, (pbx_sip::message::Builder, pbx_sip::flow::Flow)>,
    /// Host of our From and To.
    pub domain: &'a str,
    /// What we call ourselves.
    pub user_agent: &'a str,
    /// Who we are to each line.
    pub credentials: &'a BTreeMap<crate::directory::TrunkKey, pbx_sip::credentials::Credentials>,
    /// Draws leg keys.
    pub next_leg: &'a mut u64,
    /// The instant.
    pub now: pbx_sip::clock::Now,
}
