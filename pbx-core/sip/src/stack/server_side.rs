//! Requests that were sent to us: recognised when they come again, answered, and forgotten in time. RFC 3261 8.2, 17.2, 18.2;
//! RFC 3581; RFC 6026.

use bytes::Bytes;

use crate::clock::{Now, Tick};
use crate::flow::{ConnectionId, Flow};
use crate::message::limits::MAX_MESSAGE;
use crate::message::{Builder, HeaderName, Message, Method, Via};
use crate::stack::table::Wake;
use crate::stack::{Heard, ServerKey, Stack};
use crate::transaction::invite_server::{self, InviteServer};
use crate::transaction::server::{self, Server};

/// A request in progress, and what may still be said of it.
pub(super) struct ServerSide {
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

impl ServerSide {
    /// What is still to be said goes over a new connection, if it was to go over this one.
    pub(super) fn flow_closed(&mut self, flow: &Flow) {
        if self.reply.same_connection(flow) {
            self.reply.connection = ConnectionId::default();
        }
    }
}

impl ServerMachine {
    fn poll_deadline(&self) -> Option<Tick> {
        match self {
            ServerMachine::Invite(machine) => machine.poll_deadline(),
            ServerMachine::Other(machine) => machine.poll_deadline(),
        }
    }
}

impl Stack {
    /// Takes over an INVITE that was received by another stack and is not done with, to be answered here. One that is sent again is
    /// known, and so is the ACK of what is answered.
    pub fn take_over_server(&mut self, key: ServerKey, invite: &Message, flow: Flow, now: Now) {
        let Ok(top) = invite.top_via() else { return };
        let Some(branch) = branch_of(invite, invite.method()) else { return };
        self.next_key = self.next_key.max(key.0);
        self.begin_server(key, reply_flow(&flow, &top), invite, branch, now);
    }

    /// Answers a request. After a final response nothing else is sent; an INVITE's 2xx goes out again until its ACK.
    pub fn respond(&mut self, key: ServerKey, response: Message, now: Now) {
        self.respond_with(key, response, false, now);
    }

    /// Answers an INVITE provisionally, and again until [`provisional_acknowledged`](Stack::provisional_acknowledged); the response has
    /// its RSeq already (RFC 3262 3).
    pub fn respond_reliably(&mut self, key: ServerKey, response: Message, now: Now) {
        self.respond_with(key, response, true, now);
    }

    /// The PRACK of what was sent reliably has come.
    pub fn provisional_acknowledged(&mut self, key: ServerKey) {
        let Some(server) = self.servers.get_mut(&key) else { return };
        if let ServerMachine::Invite(machine) = &mut server.machine {
            machine.provisional_acknowledged();
        }
        let deadline = server.machine.poll_deadline();
        self.deadlines.set(Wake::Server(key), deadline);
    }

    fn respond_with(&mut self, key: ServerKey, response: Message, reliably: bool, now: Now) {
        let Some(server) = self.servers.get_mut(&key) else { return };
        let Some(status) = response.status() else { return };
        let send = match &mut server.machine {
            ServerMachine::Invite(machine) if reliably && (101..200).contains(&status) => {
                machine.respond_reliably(now.tick) == invite_server::Step::Send
            }
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

    pub(super) fn receive_request(&mut self, flow: Flow, message: Message, now: Now) {
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

    pub(super) fn begin_server(&mut self, key: ServerKey, reply: Flow, message: &Message, branch: String, now: Now) {
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
        // From the INVITE's own dialog, if one has begun (RFC 3261 9.2).
        let said = Message::parse(server.response.clone()).ok();
        let tag = said.and_then(|response| response.to().ok()?.tag().map(str::to_owned));
        self.answer_as(tag, &message, reply, 200);
        if open {
            self.heard.push_back(Heard::Cancelled { key, message });
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

    pub(super) fn server_deadline(&mut self, key: ServerKey, now: Now) {
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
            invite_server::Step::ProvisionalNotAcknowledged => self.heard.push_back(Heard::ProvisionalNotAcknowledged { key }),
            invite_server::Step::Over => return self.forget_server(key),
            invite_server::Step::Nothing | invite_server::Step::Acknowledged => {}
        }
        let deadline = server.machine.poll_deadline();
        self.deadlines.set(Wake::Server(key), deadline);
    }

    /// A response that no transaction keeps.
    pub(super) fn answer(&mut self, request: &Message, reply: Flow, status: u16) {
        self.answer_as(None, request, reply, status);
    }

    /// The same with a tag that is known already.
    fn answer_as(&mut self, tag: Option<String>, request: &Message, reply: Flow, status: u16) {
        let tag = tag.unwrap_or_else(|| self.entropy.token());
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
