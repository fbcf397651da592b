//! What the switch wants done.

use bytes::Bytes;
use pbx_sip::flow::Flow;
use serde::{Deserialize, Serialize};

use crate::call::CallRecord;
use crate::directory::ExtensionNumber;
use crate::door::BanChange;
use crate::registrar::BindingChange;
use crate::status::Published;
use crate::subscription::{PublicationChange, SubscriptionChange};
use crate::toll::{Ceiling, Payer, TollChange};

/// A batch of changes on its way to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SaveKey(pub u64);

/// What the store is to do with what outlives the process; all of it goes the same way, in groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// A phone of an extension.
    Binding(BindingChange),
    /// Who is told of whom.
    Subscription(SubscriptionChange),
    /// What a phone says of its owner.
    Publication(PublicationChange),
    /// What calls to the outside have cost.
    Toll(TollChange),
}

impl From<BindingChange> for Kept {
    fn from(change: BindingChange) -> Kept {
        Kept::Binding(change)
    }
}

/// One action; carried out in order.
#[derive(Clone, Debug)]
pub enum Action {
    /// Send octets; a flow without a connection over a stream means: open one.
    Send {
        /// The way.
        flow: Flow,
        /// What.
        octets: Bytes,
    },
    /// Tell media.
    Media(pbx_media_words::Command),
    /// Put these on disk.
    Save {
        /// Which batch.
        batch: SaveKey,
        /// In order.
        changes: Vec<Kept>,
        /// Soon, and say [`Saved`](crate::event::Event::Saved): a phone waits for its answer.
        awaited: bool,
    },
    /// Look names up, and say [`Resolved`](crate::event::Event::Resolved).
    Resolve {
        /// For the answer.
        ticket: u64,
        /// In the order in which they are to be tried.
        targets: Vec<pbx_sip::target::Target>,
    },
    /// Something that pages show has changed.
    Publish(Published),
    /// Keep this.
    Record(Box<CallRecord>),
    /// Turn a source away, or let it in again, and keep that.
    Ban(BanChange),
    /// Somebody has spent as much as may be spent: people are to be told.
    CeilingReached {
        /// Who.
        payer: Payer,
        /// Which bound.
        ceiling: Ceiling,
        /// Who is told.
        alerted: Vec<ExtensionNumber>,
    },
    /// The last call has ended after [`Drain`](crate::event::Event::Drain).
    Drained,
}
