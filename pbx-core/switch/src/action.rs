//! What the switch wants done.

use bytes::Bytes;
use pbx_sip::flow::Flow;
use serde::{Deserialize, Serialize};

use crate::call::CallRecord;
use crate::door::BanChange;
use crate::registrar::BindingChange;
use crate::status::Published;
use crate::subscription::SubscriptionChange;

/// A batch of changes on its way to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SaveKey(pub u64);

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
        changes: Vec<BindingChange>,
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
    /// Keep a subscription, or forget it.
    Remember(SubscriptionChange),
    /// Turn a source away, or let it in again, and keep that.
    Ban(BanChange),
    /// The last call has ended after [`Drain`](crate::event::Event::Drain).
    Drained,
}
