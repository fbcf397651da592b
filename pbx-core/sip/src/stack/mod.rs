//! The layers as one machine: octets in, octets out, and in between what was heard.
//!
//! Knows messages and transactions; knows neither users nor calls. What cannot be answered is dropped, what can be answered without
//! asking anybody is answered here (400, 416, 481 to a CANCEL, 482, 503, 505), everything else is [`Heard`].
//! RFC 3261 8.1.3, 8.2, 17, 18; RFC 3581; RFC 6026.

mod table;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::clock::{Now, Tick};
use crate::entropy::Entropy;
use crate::flow::{ConnectionId, Flow};
use crate::message::limits::MAX_MESSAGE;
use crate::message::{Builder, HeaderName, Message, Method, Via};
use crate::stack::table::{Deadlines, Wake};
use crate::transaction::client::Client;
use crate::transaction::invite_client::InviteClient;
use crate::transaction::invite_server::InviteServer;
use crate::transaction::server::Server;
use crate::transaction::{Timers, client, invite_client, invite_server, server};

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

/// ACKs remembered for one INVITE, one for each phone that answered it.
const MAX_ACKS: usize = 8;

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

struct ServerSide {
    machine: ServerMachine,
    reply: Flow,
    /// The last response.
    response: Bytes,
    /// What CANCEL and 100 are built from; a finished request needs it no more.
    request: Option<Message>,
    branch: Box<str>,
    origin: Option<Box<str>>,
    dialog: Option<Box<str>>,
}

enum ServerMachine {
    Invite(InviteServer),
    Other(Server),
}

struct ClientSide {
    machine: ClientMachine,
    request: Message,
    branch: String,
    flow: Flow,
    /// It is to be given up, with this Reason.
    cancel: Option<Option<String>>,
    /// By whose tag each 2xx is known, with its ACK and the way that went.
    acks: Vec<(String, Flow, Bytes)>,
}

enum ClientMachine {
    Invite(InviteClient),
    Other(Client),
}

impl ServerMachine {
    fn poll_deadline(&self) -> Option<Tick> {
        match self {
            ServerMachine::Invite(machine) => machine.poll_deadline(),
            ServerMachine::Other(machine) => machine.poll_deadline(),
        }
    }
}

impl ClientMachine {
    fn poll_deadline(&self) -> Option<Tick> {
        match self {
            ClientMachine::Invite(machine) => machine.poll_deadline(),
            ClientMachine::Other(machine) => machine.poll_deadline(),
        }
    }
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

    /// Takes over an INVITE that was received by another stack and is not done with, to be answered here. One that is sent again is
    /// known, and so is the ACK of what is answered.
    pub fn take_over_server(&mut self, key: ServerKey, invite: &Message, flow: Flow, now: Now) {
        let Ok(top) = invite.top_via() else { return };
        let Some(branch) = branch_of(invite, invite.method()) else { return };
        self.next_key = self.next_key.max(key.0);
        self.begin_server(key, reply_flow(&flow, &top), invite, branch, now);
    }

    /// Takes over an INVITE that another stack sent and that has no final response. `heard`: a provisional one has come.
    pub fn take_over_client(&mut self, key: ClientKey, invite: &Message, flow: Flow, heard: bool, now: Now) {
        let Some(branch) = invite.top_via().ok().and_then(|via| via.branch().map(str::to_owned)) else { return };
        self.next_key = self.next_key.max(key.0);
        let mut machine = InviteClient::new(self.timers, flow.transport.is_reliable(), now.tick);
        if heard {
            machine.response(180, now.tick);
        }
        let machine = ClientMachine::Invite(machine);
        self.deadlines.set(Wake::Client(key), machine.poll_deadline());
        let request = invite.clone();
        self.clients.insert(key, ClientSide { machine, request, branch, flow, cancel: None, acks: Vec::new() });
    }

    /// The same with room for fewer transactions than [`MAX_TRANSACTIONS`].
    #[must_use]
    pub fn holding(self, most: usize) -> Stack {
        Stack { most: most.min(MAX_TRANSACTIONS), ..self }
    }

    /// Octets have come: one datagram, or one message cut from a stream.
    pub fn receive(&mut self, flow: Flow, octets: Bytes, now: Now) {
        let Ok(message) = Message::parse(octets) else { return };
        if message.is_request() {
            self.receive_request(flow, message, now);
        } else {
            self.receive_response(flow, message, now);
        }
    }

    /// A connection is gone. What waits for an answer on it has failed; what is to be answered goes over a new one.
    pub fn flow_closed(&mut self, flow: Flow) {
        let failed: Vec<ClientKey> = self
            .clients
            .iter()
            .filter(|(_, client)| client.flow.same_connection(&flow))
            .filter(|(_, client)| match &client.machine {
                ClientMachine::Invite(machine) => machine.is_open(),
                ClientMachine::Other(machine) => machine.is_open(),
            })
            .map(|(key, _)| *key)
            .collect();
        for key in failed {
            if self.forget_client(key) {
                self.heard.push_back(Heard::FlowFailed { key });
            }
        }
        for server in self.servers.values_mut().filter(|server| server.reply.same_connection(&flow)) {
            server.reply.connection = ConnectionId::default();
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
        let open = |client: &&ClientSide| match &client.machine {
            ClientMachine::Invite(machine) => machine.is_open(),
            ClientMachine::Other(machine) => machine.is_open(),
        };
        self.clients.values().filter(open).count()
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

    /// Sends a request; its Via is put on here.
    pub fn request(&mut self, request: Builder, flow: Flow, now: Now) -> ClientKey {
        let key = ClientKey(self.draw_key());
        if self.clients.len() >= self.most {
            self.heard.push_back(Heard::FlowFailed { key });
            return key;
        }
        // The key in the branch finds the transaction; the random part makes sure that nobody else can name it.
        let branch = format!("z9hG4bK{}.{:x}", self.entropy.token(), key.0);
        let request = request.header_first(HeaderName::Via, via(&flow, &branch)).build();
        let reliable = flow.transport.is_reliable();
        let machine = if *request.method() == Method::Invite {
            ClientMachine::Invite(InviteClient::new(self.timers, reliable, now.tick))
        } else {
            ClientMachine::Other(Client::new(self.timers, reliable, now.tick))
        };
        self.transmit.push_back((flow, request.bytes().clone()));
        self.deadlines.set(Wake::Client(key), machine.poll_deadline());
        self.clients.insert(key, ClientSide { machine, request, branch, flow, cancel: None, acks: Vec::new() });
        key
    }

    /// Answers a request. After a final response nothing else is sent; an INVITE's 2xx goes out again until its ACK.
    pub fn respond(&mut self, key: ServerKey, response: Message, now: Now) {
        let Some(server) = self.servers.get_mut(&key) else { return };
        let Some(status) = response.status() else { return };
        let send = match &mut server.machine {
            ServerMachine::Invite(machine) => machine.respond(status, now.tick) == invite_server::Step::Send,
            ServerMachine::Other(machine) => {
                let reliable = server.reply.transport.is_reliable();
                machine.respond(status, &self.timers, reliable, now.tick) == server::Step::Send
            }
        };
        if !send {
            return;
        }
        server.response = response.bytes().clone();
        self.transmit.push_back((server.reply, server.response.clone()));
        if status >= 200 {
            server.request = None;
            if let (ServerMachine::Invite(_), 200..300) = (&server.machine, status)
                && let Some(dialog) = dialog_of(&response)
            {
                self.by_dialog.insert(dialog.clone(), key);
                server.dialog = Some(dialog);
            }
        }
        // A challenge may be made anew each time (RFC 3261 8.2.7), so nothing is kept for the 32 s of timer J.
        if matches!((&server.machine, status), (ServerMachine::Other(_), 401 | 407)) {
            self.forget_server(key);
            return;
        }
        let deadline = server.machine.poll_deadline();
        self.deadlines.set(Wake::Server(key), deadline);
    }

    /// Gives up an INVITE. The CANCEL goes out when a provisional response has come (RFC 3261 9.1); `reason` is its Reason header
    /// (RFC 3326).
    pub fn cancel(&mut self, key: ClientKey, reason: Option<&str>, now: Now) {
        let Some(client) = self.clients.get_mut(&key) else { return };
        let ClientMachine::Invite(machine) = &mut client.machine else { return };
        if !machine.is_open() || client.cancel.is_some() {
            return;
        }
        client.cancel = Some(reason.map(str::to_owned));
        if !machine.is_calling() {
            self.send_cancel(key, now);
        }
    }

    /// A request of ours, as long as its transaction lives.
    pub fn sent(&self, key: ClientKey) -> Option<&Message> {
        self.clients.get(&key).map(|client| &client.request)
    }

    /// Sends the ACK of a 2xx to our INVITE `key`, and again each time that 2xx comes again.
    pub fn acknowledge(&mut self, key: ClientKey, ack: Builder, flow: Flow) {
        let branch = format!("z9hG4bK{}", self.entropy.token());
        let ack = ack.header_first(HeaderName::Via, via(&flow, &branch)).build();
        self.transmit.push_back((flow, ack.bytes().clone()));
        if let Some(client) = self.clients.get_mut(&key)
            && client.acks.len() < MAX_ACKS
            && let Some(tag) = ack.to().ok().and_then(|to| to.tag().map(str::to_owned))
        {
            client.acks.push((tag, flow, ack.bytes().clone()));
        }
    }

    fn receive_request(&mut self, flow: Flow, message: Message, now: Now) {
        let Ok(top) = message.top_via() else { return };
        let reply = reply_flow(&flow, &top);
        let message = noted(message, &flow);
        if let Err(rejection) = message.check_request() {
            if *message.method() != Method::Ack {
                self.answer(&message, reply, rejection.status);
            }
            return;
        }
        let method = message.method().clone();
        let Some(branch) = branch_of(&message, &method) else { return };
        match method {
            Method::Ack => self.receive_ack(message, &branch, now),
            Method::Cancel => self.receive_cancel(message, &branch, reply),
            _ => match self.by_branch.get(branch.as_str()).copied() {
                Some(key) => self.again(key),
                None => self.receive_new(flow, reply, message, branch, now),
            },
        }
    }

    fn receive_new(&mut self, flow: Flow, reply: Flow, message: Message, branch: String, now: Now) {
        let origin = origin_of(&message);
        if let Some(origin) = &origin
            && self.by_origin.contains_key(origin.as_str())
        {
            // The same request by another way (RFC 3261 8.2.2.2).
            return self.answer(&message, reply, 482);
        }
        if self.servers.len() >= self.most {
            return self.answer(&message, reply, 503);
        }
        let key = ServerKey(self.draw_key());
        self.begin_server(key, reply, &message, branch, now);
        self.heard.push_back(Heard::Request { key, flow, message });
    }

    fn begin_server(&mut self, key: ServerKey, reply: Flow, message: &Message, branch: String, now: Now) {
        let invite = *message.method() == Method::Invite;
        let machine = if invite {
            ServerMachine::Invite(InviteServer::new(self.timers, reply.transport.is_reliable()))
        } else {
            ServerMachine::Other(Server::new())
        };
        let branch: Box<str> = branch.into();
        let origin: Option<Box<str>> = origin_of(message).map(Into::into);
        self.by_branch.insert(branch.clone(), key);
        if let Some(origin) = &origin {
            self.by_origin.insert(origin.clone(), key);
        }
        let request = invite.then(|| message.clone());
        self.servers.insert(key, ServerSide { machine, reply, response: Bytes::new(), request, branch, origin, dialog: None });
        if invite {
            // At once, so that the caller stops sending while the call is thought about (RFC 3261 17.2.1).
            self.respond(key, Builder::response_to(message, 100, None).build(), now);
        }
    }

    fn receive_ack(&mut self, message: Message, branch: &str, now: Now) {
        // The ACK of a failure has the INVITE's branch; that of a 2xx is known by its dialog.
        let found = self.by_branch.get(branch).copied();
        let found = found.or_else(|| dialog_of(&message).and_then(|dialog| self.by_dialog.get(&dialog).copied()));
        let Some(key) = found else { return };
        let Some(server) = self.servers.get_mut(&key) else { return };
        let ServerMachine::Invite(machine) = &mut server.machine else { return };
        if machine.acknowledge(now.tick) == invite_server::Step::Acknowledged {
            self.heard.push_back(Heard::Acknowledged { key, message });
        }
        let deadline = machine.poll_deadline();
        self.deadlines.set(Wake::Server(key), deadline);
    }

    fn receive_cancel(&mut self, message: Message, branch: &str, reply: Flow) {
        let found = self.by_branch.get(branch).copied().and_then(|key| self.servers.get(&key).map(|server| (key, server)));
        let Some((key, server)) = found else { return self.answer(&message, reply, 481) };
        let open = matches!(&server.machine, ServerMachine::Invite(machine) if machine.is_open());
        self.answer(&message, reply, 200);
        if open {
            self.heard.push_back(Heard::Cancelled { key, message });
        }
    }

    fn receive_response(&mut self, flow: Flow, message: Message, now: Now) {
        if message.check_response().is_err() {
            return;
        }
        let (Ok(via), Some(status)) = (message.top_via(), message.status()) else { return };
        let Some(branch) = via.branch() else { return };
        let Some(key) = named_by(branch) else { return };
        let key = match message.method() {
            Method::Cancel => self.cancels.get(&key).copied().unwrap_or(key),
            _ => key,
        };
        let Some(client) = self.clients.get_mut(&key) else { return };
        if client.branch != branch || client.request.method() != message.method() {
            return;
        }
        match &mut client.machine {
            ClientMachine::Other(machine) => {
                let told = *message.method() != Method::Cancel;
                if machine.response(status, now.tick) == client::Step::Tell && told {
                    self.heard.push_back(Heard::Response { key, flow, message });
                }
            }
            ClientMachine::Invite(machine) => {
                let waiting_cancel = machine.is_calling() && client.cancel.is_some();
                match machine.response(status, now.tick) {
                    invite_client::Step::Tell => {
                        let tag = message.to().ok().and_then(|to| to.tag()).unwrap_or_default();
                        let known = (status >= 200).then(|| client.acks.iter().find(|(known, ..)| known == tag)).flatten();
                        match known {
                            Some((_, way, ack)) => self.transmit.push_back((*way, ack.clone())),
                            None => self.heard.push_back(Heard::Response { key, flow, message }),
                        }
                        if waiting_cancel && status < 200 {
                            self.send_cancel(key, now);
                        }
                    }
                    invite_client::Step::Acknowledge { tell } => {
                        let ack = ack_of_failure(client, &message);
                        self.transmit.push_back((client.flow, ack));
                        if tell {
                            self.heard.push_back(Heard::Response { key, flow, message });
                        }
                    }
                    invite_client::Step::Nothing
                    | invite_client::Step::Send
                    | invite_client::Step::TimedOut
                    | invite_client::Step::Over => {}
                }
            }
        }
        if let Some(client) = self.clients.get(&key) {
            self.deadlines.set(Wake::Client(key), client.machine.poll_deadline());
        }
    }

    /// A request came again.
    fn again(&mut self, key: ServerKey) {
        let Some(server) = self.servers.get(&key) else { return };
        let send = match &server.machine {
            ServerMachine::Invite(machine) => machine.again() == invite_server::Step::Send,
            ServerMachine::Other(machine) => machine.again() == server::Step::Send,
        };
        if send && !server.response.is_empty() {
            self.transmit.push_back((server.reply, server.response.clone()));
        }
    }

    fn server_deadline(&mut self, key: ServerKey, now: Now) {
        let Some(server) = self.servers.get_mut(&key) else { return };
        let step = match &mut server.machine {
            ServerMachine::Invite(machine) => machine.deadline(now.tick),
            ServerMachine::Other(machine) => match machine.deadline(now.tick) {
                server::Step::Over => invite_server::Step::Over,
                server::Step::Nothing | server::Step::Send => invite_server::Step::Nothing,
            },
        };
        match step {
            invite_server::Step::Send => self.transmit.push_back((server.reply, server.response.clone())),
            invite_server::Step::NotAcknowledged => {
                self.forget_server(key);
                self.heard.push_back(Heard::NotAcknowledged { key });
                return;
            }
            invite_server::Step::Over => return self.forget_server(key),
            invite_server::Step::Nothing | invite_server::Step::Acknowledged => {}
        }
        let deadline = server.machine.poll_deadline();
        self.deadlines.set(Wake::Server(key), deadline);
    }

    fn client_deadline(&mut self, key: ClientKey, now: Now) {
        let Some(client) = self.clients.get_mut(&key) else { return };
        let step = match &mut client.machine {
            ClientMachine::Invite(machine) => machine.deadline(now.tick),
            ClientMachine::Other(machine) => match machine.deadline(now.tick) {
                client::Step::Send => invite_client::Step::Send,
                client::Step::TimedOut => invite_client::Step::TimedOut,
                client::Step::Over => invite_client::Step::Over,
                client::Step::Nothing | client::Step::Tell => invite_client::Step::Nothing,
            },
        };
        match step {
            invite_client::Step::Send => self.transmit.push_back((client.flow, client.request.bytes().clone())),
            invite_client::Step::TimedOut => {
                if self.forget_client(key) {
                    self.heard.push_back(Heard::TimedOut { key });
                }
                return;
            }
            invite_client::Step::Over => {
                self.forget_client(key);
                return;
            }
            invite_client::Step::Nothing | invite_client::Step::Tell | invite_client::Step::Acknowledge { .. } => {}
        }
        let deadline = client.machine.poll_deadline();
        self.deadlines.set(Wake::Client(key), deadline);
    }

    /// CANCEL has the INVITE's Request-URI, branch, From, To, Call-ID, CSeq number and Route (RFC 3261 9.1), and a transaction of its
    /// own whose outcome nobody needs to know.
    fn send_cancel(&mut self, key: ClientKey, now: Now) {
        let Some(client) = self.clients.get_mut(&key) else { return };
        let ClientMachine::Invite(machine) = &mut client.machine else { return };
        machine.cancelled(now.tick);
        let Ok(cseq) = client.request.cseq() else { return };
        let mut cancel = Builder::request(&Method::Cancel, client.request.request_uri())
            .header(HeaderName::Via, via(&client.flow, &client.branch))
            .copy(&client.request, HeaderName::Route)
            .header(HeaderName::MaxForwards, "70")
            .copy(&client.request, HeaderName::From)
            .copy(&client.request, HeaderName::To)
            .copy(&client.request, HeaderName::CallId)
            .header(HeaderName::CSeq, format!("{} CANCEL", cseq.number));
        if let Some(Some(reason)) = &client.cancel {
            cancel = cancel.header(HeaderName::Reason, reason);
        }
        let (flow, request, branch) = (client.flow, cancel.build(), client.branch.clone());
        let deadline = machine.poll_deadline();
        self.deadlines.set(Wake::Client(key), deadline);
        self.transmit.push_back((flow, request.bytes().clone()));
        let own = ClientKey(self.draw_key());
        self.cancels.insert(key, own);
        let machine = ClientMachine::Other(Client::new(self.timers, flow.transport.is_reliable(), now.tick));
        self.deadlines.set(Wake::Client(own), machine.poll_deadline());
        self.clients.insert(own, ClientSide { machine, request, branch, flow, cancel: None, acks: Vec::new() });
    }

    /// A response that no transaction keeps.
    fn answer(&mut self, request: &Message, reply: Flow, status: u16) {
        let tag = self.entropy.token();
        let mut response = Builder::response_to(request, status, Some(&tag));
        if status == 503 {
            response = response.header(HeaderName::RetryAfter, "10");
        }
        let response = response.build();
        // A CSeq that we cannot read goes back as it came: it is the caller who has to recognise it (RFC 4475 3.1.2.4).
        if request.header(HeaderName::CSeq).is_some() && response.bytes().len() <= MAX_MESSAGE {
            self.transmit.push_back((reply, response.bytes().clone()));
        }
    }

    fn forget_server(&mut self, key: ServerKey) {
        let Some(server) = self.servers.remove(&key) else { return };
        self.deadlines.set(Wake::Server(key), None);
        self.by_branch.remove(&server.branch);
        if let Some(origin) = server.origin {
            self.by_origin.remove(&origin);
        }
        if let Some(dialog) = server.dialog {
            self.by_dialog.remove(&dialog);
        }
    }

    /// True if somebody above knows it: a CANCEL is our own affair.
    fn forget_client(&mut self, key: ClientKey) -> bool {
        self.deadlines.set(Wake::Client(key), None);
        let Some(client) = self.clients.remove(&key) else { return false };
        if *client.request.method() != Method::Cancel {
            return true;
        }
        if let Some(invite) = named_by(&client.branch) {
            self.cancels.remove(&invite);
        }
        false
    }

    fn draw_key(&mut self) -> u64 {
        self.next_key += 1;
        self.next_key
    }
}

/// The transaction that a branch of ours names: of a CANCEL, its INVITE.
fn named_by(branch: &str) -> Option<ClientKey> {
    let (_, key) = branch.rsplit_once('.')?;
    u64::from_str_radix(key, 16).ok().map(ClientKey)
}

/// Our Via entry on a flow; `rport` asks for the way back (RFC 3581).
fn via(flow: &Flow, branch: &str) -> String {
    format!("SIP/2.0/{} {};rport;branch={branch}", flow.transport.as_str(), flow.local)
}

/// The same request with its source noted in the topmost Via, where that says something else (RFC 3261 18.2.1, RFC 3581 4).
fn noted(message: Message, flow: &Flow) -> Message {
    let Ok(top) = message.top_via() else { return message };
    let source = flow.remote.ip();
    let same = top.host.trim_matches(['[', ']']).parse() == Ok(source);
    if same && top.rport().is_none() && top.received().is_none() {
        return message;
    }
    let mut entry = format!("{}/{}/{} {}", top.protocol, top.version, top.transport, top.host);
    if let Some(port) = top.port {
        entry.push_str(&format!(":{port}"));
    }
    for (name, value) in top.params.iter() {
        let name = String::from_utf8_lossy(name);
        if name.eq_ignore_ascii_case("received") || name.eq_ignore_ascii_case("rport") {
            continue;
        }
        entry.push(';');
        entry.push_str(&name);
        if let Some(value) = value {
            entry.push('=');
            entry.push_str(&String::from_utf8_lossy(value));
        }
    }
    entry.push_str(&format!(";received={source}"));
    if top.rport().is_some() {
        entry.push_str(&format!(";rport={}", flow.remote.port()));
    }
    message.with_top_via(&entry)
}

/// Where a response goes (RFC 3261 18.2.2, RFC 3581 4): back over the stream; over UDP to the source port if `rport` asks for it, else
/// to the port of sent-by.
fn reply_flow(flow: &Flow, top: &Via<'_>) -> Flow {
    if flow.transport.is_reliable() || top.rport().is_some() {
        return *flow;
    }
    let mut reply = *flow;
    reply.remote.set_port(top.port.unwrap_or(5060));
    reply
}

/// What makes a request the same as one before it (RFC 3261 17.2.3): branch, sent-by and method, where ACK and CANCEL are looked up as
/// the INVITE they belong to; for a peer of RFC 2543, whose branch says nothing, what that document compares.
fn branch_of(message: &Message, method: &Method) -> Option<String> {
    let top = message.top_via().ok()?;
    let port = top.port.unwrap_or(5060);
    let method = match method {
        Method::Ack | Method::Cancel => "INVITE",
        other => other.as_str(),
    };
    if let Some(branch) = top.unique_branch() {
        return Some(format!("{branch} {}:{port} {method}", top.host));
    }
    let tag = message.from().ok()?.tag().unwrap_or_default().to_owned();
    let (call_id, cseq) = (message.call_id().ok()?, message.cseq().ok()?.number);
    Some(format!(
        "{} {call_id} {tag} {cseq} {}:{port} {} {method}",
        message.request_uri(),
        top.host,
        top.branch().unwrap_or_default()
    ))
}

/// Call-ID, From tag and CSeq of a request outside a dialog.
fn origin_of(message: &Message) -> Option<String> {
    if message.to().ok()?.tag().is_some() {
        return None;
    }
    let cseq = message.cseq().ok()?;
    Some(format!("{} {} {} {}", message.call_id().ok()?, message.from().ok()?.tag().unwrap_or_default(), cseq.number, cseq.method))
}

/// Call-ID, To tag and CSeq number: what an ACK has in common with the 2xx it acknowledges.
fn dialog_of(message: &Message) -> Option<Box<str>> {
    let to = message.to().ok()?;
    Some(format!("{} {} {}", message.call_id().ok()?, to.tag()?, message.cseq().ok()?.number).into())
}

/// The ACK of a failure, within the INVITE's transaction (RFC 3261 17.1.1.3).
fn ack_of_failure(client: &ClientSide, response: &Message) -> Bytes {
    let number = client.request.cseq().map_or(1, |cseq| cseq.number);
    Builder::request(&Method::Ack, client.request.request_uri())
        .header(HeaderName::Via, via(&client.flow, &client.branch))
        .copy(&client.request, HeaderName::Route)
        .header(HeaderName::MaxForwards, "70")
        .copy(&client.request, HeaderName::From)
        .header(HeaderName::To, response.header(HeaderName::To).unwrap_or_default())
        .copy(&client.request, HeaderName::CallId)
        .header(HeaderName::CSeq, format!("{number} ACK"))
        .build()
        .bytes()
        .clone()
}
