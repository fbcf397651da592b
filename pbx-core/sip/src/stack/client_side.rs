//! Requests that we send: sent again until something comes, given up by CANCEL, acknowledged. RFC 3261 8.1.3, 9.1, 13.2.2.4, 17.1;
//! RFC 6026.

use bytes::Bytes;

use crate::clock::{Now, Tick};
use crate::flow::{Flow, Transport};
use crate::message::{Builder, HeaderName, Message, Method};
use crate::stack::table::Wake;
use crate::stack::{ClientKey, Heard, Stack};
use crate::transaction::client::{self, Client};
use crate::transaction::invite_client::{self, InviteClient};

/// ACKs remembered for one INVITE, one for each phone that answered it.
const MAX_ACKS: usize = 8;

/// What is larger goes over a connection where the path's MTU is not known (RFC 3261 18.1.1); and what the Via and the length of a request
/// take of it.
const LARGEST_DATAGRAM: usize = 1_300;
const VIA: usize = 110;

/// A request of ours, and what gives it up or acknowledges it.
pub(super) struct ClientSide {
    machine: ClientMachine,
    request: Message,
    branch: String,
    flow: Flow,
    /// The same as a datagram, for the case that the connection leads nowhere.
    as_datagram: Option<(Flow, Message)>,
    /// It is to be given up, with this Reason.
    cancel: Option<Option<String>>,
    /// By whose tag each 2xx is known, with its ACK and the way that went.
    acks: Vec<(String, Flow, Bytes)>,
}

enum ClientMachine {
    Invite(InviteClient),
    Other(Client),
}

impl ClientSide {
    /// It waits for an answer that would come this way.
    pub(super) fn waits_on(&self, flow: &Flow) -> bool {
        self.is_open() && self.flow.same_connection(flow)
    }

    /// Its connection leads nowhere: the datagram that goes instead, if it may be one.
    pub(super) fn falls_back(&mut self) -> Option<(Flow, Bytes)> {
        let (flow, request) = self.as_datagram.take()?;
        let octets = request.bytes().clone();
        (self.flow, self.request) = (flow, request);
        Some((flow, octets))
    }

    /// It has no final response yet.
    pub(super) fn is_open(&self) -> bool {
        match &self.machine {
            ClientMachine::Invite(machine) => machine.is_open(),
            ClientMachine::Other(machine) => machine.is_open(),
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
        self.clients.insert(key, ClientSide { machine, request, branch, flow, as_datagram: None, cancel: None, acks: Vec::new() });
    }

    /// BYEs of ours that have no final response.
    pub fn open_byes(&self) -> impl Iterator<Item = (&Message, Flow)> {
        let open = self.clients.values().filter(|client| client.is_open() && *client.request.method() == Method::Bye);
        open.map(|client| (&client.request, client.flow))
    }

    /// Sends a BYE again that another stack sent, to which nothing was said.
    pub fn take_over_bye(&mut self, bye: Message, flow: Flow, now: Now) {
        let Some(branch) = bye.top_via().ok().and_then(|via| via.branch().map(str::to_owned)) else { return };
        let Some(key) = named_by(&branch) else { return };
        self.next_key = self.next_key.max(key.0);
        let machine = ClientMachine::Other(Client::new(self.timers, flow.transport.is_reliable(), now.tick));
        self.transmit.push_back((flow, bye.bytes().clone()));
        self.deadlines.set(Wake::Client(key), machine.poll_deadline());
        self.clients
            .insert(key, ClientSide { machine, request: bye, branch, flow, as_datagram: None, cancel: None, acks: Vec::new() });
    }

    /// Sends a request; its Via is put on here.
    pub fn request(&mut self, request: Builder, flow: Flow, now: Now) -> ClientKey {
        self.send_request(request, flow, None, now)
    }

    /// The same where the peer may take either a datagram or a connection: what is too large for one datagram goes over a connection, and
    /// as a datagram after all if that leads nowhere (RFC 3261 18.1.1).
    pub fn request_either_way(&mut self, request: Builder, flow: Flow, now: Now) -> ClientKey {
        let large = flow.transport == Transport::Udp && request.octets() + VIA > LARGEST_DATAGRAM;
        let stream = Flow { transport: Transport::Tcp, ..flow };
        if large { self.send_request(request, stream, Some(flow), now) } else { self.request(request, flow, now) }
    }

    fn send_request(&mut self, request: Builder, flow: Flow, datagram: Option<Flow>, now: Now) -> ClientKey {
        let key = ClientKey(self.draw_key());
        if self.clients.len() >= self.most {
            self.heard.push_back(Heard::FlowFailed { key });
            return key;
        }
        // The key in the branch finds the transaction; the random part makes sure that nobody else can name it.
        let branch = format!("z9hG4bK{}.{:x}", self.entropy.token(), key.0);
        // Under the same branch: whoever is reached by both ways takes the second for the first once more.
        let as_datagram = datagram.map(|flow| (flow, request.clone().header_first(HeaderName::Via, via(&flow, &branch)).build()));
        let request = request.header_first(HeaderName::Via, via(&flow, &branch)).build();
        let reliable = flow.transport.is_reliable() && as_datagram.is_none();
        let machine = if *request.method() == Method::Invite {
            ClientMachine::Invite(InviteClient::new(self.timers, reliable, now.tick))
        } else {
            ClientMachine::Other(Client::new(self.timers, reliable, now.tick))
        };
        self.transmit.push_back((flow, request.bytes().clone()));
        self.deadlines.set(Wake::Client(key), machine.poll_deadline());
        self.clients.insert(key, ClientSide { machine, request, branch, flow, as_datagram, cancel: None, acks: Vec::new() });
        key
    }

    /// Sends a request again that had its final response, changed by who asked for it, under the same key: whoever waits for its answer
    /// waits for that of this one. No INVITE, whose failure is still to be acknowledged each time that it comes again.
    pub fn ask_again(&mut self, key: ClientKey, request: Builder, now: Now) {
        let Some(before) = self.clients.remove(&key) else { return };
        let branch = format!("z9hG4bK{}.{:x}", self.entropy.token(), key.0);
        let request = request.header_first(HeaderName::Via, via(&before.flow, &branch)).build();
        let machine = ClientMachine::Other(Client::new(self.timers, before.flow.transport.is_reliable(), now.tick));
        self.transmit.push_back((before.flow, request.bytes().clone()));
        self.deadlines.set(Wake::Client(key), machine.poll_deadline());
        self.clients.insert(key, ClientSide { machine, request, branch, ..before });
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

    /// Is it an INVITE to which nothing was said yet, not even 100?
    pub fn is_unheard(&self, key: ClientKey) -> bool {
        self.clients
            .get(&key)
            .is_some_and(|client| matches!(&client.machine, ClientMachine::Invite(machine) if machine.is_calling()))
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

    pub(super) fn receive_response(&mut self, flow: Flow, message: Message, now: Now) {
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

    pub(super) fn client_deadline(&mut self, key: ClientKey, now: Now) {
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
            invite_client::Step::Send => {
                // Nothing was heard over a connection by the time at which a datagram is sent again.
                let again = client.falls_back().unwrap_or_else(|| (client.flow, client.request.bytes().clone()));
                self.transmit.push_back(again);
            }
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
        self.clients.insert(own, ClientSide { machine, request, branch, flow, as_datagram: None, cancel: None, acks: Vec::new() });
    }

    /// True if somebody above knows it: a CANCEL is our own affair.
    pub(super) fn forget_client(&mut self, key: ClientKey) -> bool {
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
