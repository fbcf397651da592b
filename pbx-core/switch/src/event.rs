//! What the switch is told.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use pbx_sip::flow::Flow;

use crate::action::SaveKey;
use crate::call::CallKey;
use crate::dialplan::Dialplan;
use crate::directory::{Directory, ExtensionNumber, TrunkKey};
use crate::subscription::message_summary::MessagesWaiting;
use crate::toll::Payer;

/// One event; handled to its end before the next.
#[derive(Clone, Debug)]
pub enum Event {
    /// Octets have come: one datagram, or one message cut from a stream.
    Received {
        /// The way they came.
        flow: Flow,
        /// They.
        octets: Bytes,
    },
    /// A connection is gone, or could not be opened.
    FlowClosed {
        /// Which.
        flow: Flow,
    },
    /// Whoever is at the other end is not whom a line names; that it is closed is told next.
    Distrusted {
        /// Which.
        flow: Flow,
    },
    /// Those beyond the router reach us at this address from now on.
    OuterMoved {
        /// The router's.
        address: IpAddr,
    },
    /// Media tells.
    Media(pbx_media_words::Event),
    /// Who and what exists has changed.
    DirectoryChanged(Arc<Directory>),
    /// The plan has changed; running calls keep theirs.
    DialplanChanged {
        /// The new one.
        plan: Arc<Dialplan>,
        /// Its revision.
        revision: i64,
    },
    /// A batch is on disk, or could not be put there.
    Saved {
        /// Which.
        batch: SaveKey,
        /// On disk.
        stored: bool,
    },
    /// What names have led to: ways in the order in which they are to be tried, our address on each filled in.
    Resolved {
        /// Of the question.
        ticket: u64,
        /// The ways.
        ways: Result<Vec<Flow>, pbx_sip::target::ResolveError>,
    },
    /// An administrator wishes to know whether a line lets another number than ours pass: the next call of an extension to a number goes
    /// by it, showing that one.
    TestLine {
        /// Which.
        trunk: TrunkKey,
        /// Whose call.
        extension: ExtensionNumber,
        /// To whom, E.164.
        number: String,
        /// What is shown, E.164.
        shown: String,
    },
    /// Messages wait in the box of an extension, or do not any more.
    MessagesWaiting {
        /// Whose.
        of: ExtensionNumber,
        /// How many.
        waiting: MessagesWaiting,
    },
    /// An administrator ends a call.
    HangUp {
        /// Which.
        call: CallKey,
    },
    /// An administrator lets a banned source in again.
    LiftBan {
        /// Which.
        source: IpAddr,
    },
    /// An administrator lets somebody go on calling in spite of a ceiling, for [a while](crate::toll::ALLOWANCE).
    Allow {
        /// Whom.
        payer: Payer,
    },
    /// The house has something to say to an extension: a text on each of its phones.
    Text {
        /// Whom.
        to: ExtensionNumber,
        /// What.
        text: String,
    },
    /// No new calls; say [`Drained`](crate::action::Action::Drained) when the last one has ended.
    Drain,
    /// The time for running calls is over: end them.
    EndCalls,
}
