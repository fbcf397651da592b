//! The layers as one machine: octets in, octets out, and in between what was heard.
//!
//! Knows messages and transactions; knows neither users nor calls. What cannot be answered is dropped, what can be answered without
//! asking anybody is answered here (400, 416, 481 to a CANCEL, 482, 503, 505), everything else is [`Heard`].
//! RFC 3261 8.1.3, 8.2, 17, 18; RFC 3581; RFC 6026.

mod client_side;
mod server_side;
mod table;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::clock::{Now, Tick};
use crate::entropy::Entropy;
use crate::flow::Flow;
use crate::message::Message;
use crate::stack::client_side::ClientSide;
use crate::stack::server_side::ServerSide;
use crate::stack::table::{Deadlines, Wake};
use crate::transaction::Timers;

/// A request that was sent to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServerKey(pub u64);

/// A request that we sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientKey(pub u64);

/// What the layer above is told.
#[derive(Clone, Debug)]
pub enum Heard {
    /// A new request, well-formed; neither ACK nor CANCEL. To be answered with [`Stack::respond`].
    Request {
        /// For the answer.
        key: ServerKey,
        /// The way it came.
        flow: Flow,
        /// With `received` and `rport` noted in its Via.
        message: Message,
    },
    /// The ACK of our 2xx to an INVITE; it may carry the answer to our offer.
    Acknowledged {
        /// The INVITE.
        key: ServerKey,
        /// The ACK.
        message: Message,
    },
    /// 64*T1 went by after our 2xx without an ACK: end the call (RFC 3261 13.3.1.4).
    NotAcknowledged {
        /// The INVITE.
        key: ServerKey,
    },
    /// 64*T1 went by after a provisional response that was sent reliably, without a PRACK: turn the INVITE away (RFC 3262 3).
    ProvisionalNotAcknowledged {
        /// The INVITE.
        key: ServerKey,
    },
    /// The caller gives up an INVITE that has no final response. The CANCEL is answered; the INVITE wants its 487.
    Cancelled {
        /// The INVITE.
        key: ServerKey,
        /// The CANCEL.
        message: Message,
    },
    /// A response: each provisional one, the final one, and every further 2xx of an INVITE.
    Response {
        /// The request.
        key: ClientKey,
        /// The way it came.
        flow: Flow,
        /// The response.
        message: Message,
    },
    /// No final response in time: as if 408 had come (RFC 3261 8.1.3.1).
    TimedOut {
        /// The request.
        key: ClientKey,
    },
    /// The connection is gone: as if 503 had come.
    FlowFailed {
        /// The request.
        key: ClientKey,
    },
}

/// The most transactions of either kind at once; beyond that a request is answered 503 and ours are told [`Heard::FlowFailed`].
pub const MAX_TRANSACTIONS: usize = 200_000;

/// The machine.
pub struct Stack {
    timers: Timers,
    /// Transactions of either kind at once.
    most: usize,
    entropy: Entropy,
    next_key: u64,
    servers: BTreeMap<ServerKey, ServerSide>,
    clients: BTreeMap<ClientKey, ClientSide>,
    /// From an INVITE to the CANCEL of it, which has its branch and may outlive it.
    cancels: BTreeMap<ClientKey, ClientKey>,
    /// Branch, sent-by and method of a request in progress.
    by_branch: BTreeMap<Box<str>, ServerKey>,
    /// Call-ID, From tag and CSeq of a request outside a dialog, to recognise it when it comes by a second way (482).
    by_origin: BTreeMap<Box<str>, ServerKey>,
    /// Call-ID, our tag and CSeq number of an INVITE we accepted, to find it by its ACK.
    by_dialog: BTreeMap<Box<str>, ServerKey>,
    deadlines: Deadlines,
    transmit: VecDeque<(Flow, Bytes)>,
    heard: VecDeque<Heard>,
}

impl Stack {
    /// An empty machine.
    pub fn new(timers: Timers, entropy: Entropy) -> Stack {
        Stack {
            timers,
            most: MAX_TRANSACTIONS,
            entropy,
            next_key: 1,
            servers: BTreeMap::new(),
            clients: BTreeMap::new(),
            cancels: BTreeMap::new(),
            by_branch: BTreeMap::new(),
            by_origin: BTreeMap::new(),
            by_dialog: BTreeMap::new(),
            deadlines: Deadlines::default(),
            transmit: VecDeque::new(),
            heard: VecDeque::new(),
        }
    }

    /// This machine with room for fewer transactions than [`MAX_TRANSACTIONS`], so that a test can fill it.
    #[must_use]
    pub fn holding(self, most: usize) -> Stack {
        Stack { most: most.min(MAX_TRANSACTIONS), ..self }
    }

    /// Octets have come: one datagram, or one message cut from a stream. False if they are no message.
    pub fn receive(&mut self, flow: Flow, octets: Bytes, now: Now) -> bool {
        let Ok(message) = Message::parse(octets) else { return false };
        if message.is_request() {
            self.receive_request(flow, message, now);
        } else {
            self.receive_response(flow, message, now);
        }
        true
    }

    /// A connection is gone. What waits for an answer on it has failed; what is to be answered goes over a new one.
    pub fn flow_closed(&mut self, flow: Flow) {
        let failed: Vec<ClientKey> =
            self.clients.iter().filter(|(_, client)| client.waits_on(&flow)).map(|(key, _)| *key).collect();
        for key in failed {
            if let Some(datagram) = self.clients.get_mut(&key).and_then(ClientSide::falls_back) {
                self.transmit.push_back(datagram);
            } else if self.forget_client(key) {
                self.heard.push_back(Heard::FlowFailed { key });
            }
        }
        for server in self.servers.values_mut() {
            server.flow_closed(&flow);
        }
    }

    /// The next octets to send.
    pub fn poll_transmit(&mut self) -> Option<(Flow, Bytes)> {
        self.transmit.pop_front()
    }

    /// The next thing heard.
    pub fn poll_heard(&mut self) -> Option<Heard> {
        self.heard.pop_front()
    }

    /// When to come back.
    pub fn poll_deadline(&self) -> Option<Tick> {
        self.deadlines.first()
    }

    /// How many transactions are alive, for tests and figures.
    pub fn len(&self) -> usize {
        self.servers.len() + self.clients.len()
    }

    /// No transaction is alive.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of our requests have no final response yet.
    pub fn unanswered(&self) -> usize {
        self.clients.values().filter(|client| client.is_open()).count()
    }

    /// Everything whose time has come.
    pub fn handle_deadline(&mut self, now: Now) {
        while let Some(wake) = self.deadlines.due(now.tick) {
            match wake {
                Wake::Server(key) => self.server_deadline(key, now),
                Wake::Client(key) => self.client_deadline(key, now),
            }
        }
    }

    fn draw_key(&mut self) -> u64 {
        self.next_key += 1;
        self.next_key
    }
}
