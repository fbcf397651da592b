//! Connections of one stream transport: messages cut out, keep-alives answered (RFC 5626 4.4.1). Each connection is bounded in what it
//! may hold, and in how long it may take: a peer that is slow, silent or greedy costs the others nothing.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf, Bytes};
use pbx_sip::flow::{ConnectionId, Flow, Transport, source_of};
use pbx_sip::message::framing::{Framed, Framer};
use tokio::io::{Interest, Ready};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::transport::guests::Guests;
use crate::transport::stream::Stream;
use crate::transport::trust::{Trust, is_distrust};

/// How much, and how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// Of these, from one address; this machine itself may have all.
    pub from_one_address: usize,
    /// How long a handshake of TLS may take.
    pub greeting: Duration,
    /// How long a peer may take to say its first whole message.
    pub first: Duration,
    /// How long a message may take from its first octet to its last.
    pub message: Duration,
    /// How long a connection may be silent.
    pub idle: Duration,
    /// How long a peer may take nothing of what it is sent.
    pub stuck: Duration,
    /// Octets that wait for a slow peer; with more its connection is closed.
    pub outbox: usize,
    /// How long a peer may take to accept a connection of ours.
    pub connect: Duration,
    /// How long a connection that cannot be read any more stays open for the answers to what was read.
    pub farewell: Duration,
}

impl Limits {
    /// So many connections, a quarter of them from one address. A phone that registered and keeps still is heard of again before its
    /// longest registration ends, `idle` later.
    pub fn new(connections: usize, idle: Duration) -> Limits {
        Limits {
            connections,
            from_one_address: connections.div_ceil(4),
            greeting: Duration::from_secs(10),
            first: Duration::from_secs(20),
            message: Duration::from_secs(20),
            idle,
            stuck: Duration::from_secs(20),
            outbox: 512 << 10,
            connect: Duration::from_secs(5),
            farewell: Duration::from_secs(1),
        }
    }
}

/// Connections of ours that are being opened at once; messages that wait for one of them.
const OPENING: usize = 256;

/// What connections tell.
#[derive(Debug)]
pub enum Told {
    /// One whole message.
    Message(Flow, Bytes),
    /// Whoever is at the other end is not whom we expected there; nothing was said, and that it is closed is told next.
    Distrusted(Flow),
    /// It is gone, or could not be opened.
    Closed(Flow),
}

/// Every connection of one transport.
#[derive(Clone)]
pub struct Connections {
    shared: Arc<Shared>,
}

struct Shared {
    transport: Transport,
    local: SocketAddr,
    limits: Limits,
    told: mpsc::Sender<Told>,
    /// Whom we may meet at the other end of a connection of TLS that we open.
    trust: Option<Trust>,
    open: Mutex<Open>,
    /// What one read brings; connections hold nothing of their own while they are silent.
    scratch: Mutex<Box<[u8]>>,
}

#[derive(Default)]
struct Open {
    next: u64,
    connections: BTreeMap<ConnectionId, Arc<Connection>>,
    by_remote: BTreeMap<SocketAddr, ConnectionId>,
    guests: Guests,
    opening: BTreeMap<SocketAddr, Vec<(Flow, Bytes)>>,
    full: bool,
}

struct Connection {
    flow: Flow,
    stream: Stream,
    outbox: Mutex<Outbox>,
    changed: Notify,
}

#[derive(Default)]
struct Outbox {
    parts: VecDeque<Bytes>,
    octets: usize,
    overflowed: bool,
    /// Whoever is at the other end is banned.
    unwelcome: bool,
}

impl Connections {
    /// None yet; they will be accepted at `local`, and tell through `told`. Those of TLS are opened to whom we trust, and to nobody
    /// without it.
    pub(super) fn new(
        transport: Transport,
        local: SocketAddr,
        limits: Limits,
        trust: Option<Trust>,
        told: mpsc::Sender<Told>,
    ) -> Connections {
        let scratch = Mutex::new(vec![0; 16 << 10].into());
        Connections { shared: Arc::new(Shared { transport, local, limits, told, trust, open: Mutex::default(), scratch }) }
    }

    /// Where they are accepted.
    pub fn local(&self) -> SocketAddr {
        self.shared.local
    }

    /// Connections that are open.
    pub fn connections(&self) -> usize {
        self.open().connections.len()
    }

    /// Sends on a flow's connection, on another one that is open to the same peer, or on a new one.
    pub fn send(&self, flow: &Flow, octets: Bytes) {
        let mut open = self.open();
        let known = open.connections.get(&flow.connection).cloned();
        let known = known.or_else(|| {
            let same_peer = open.by_remote.get(&flow.remote)?;
            open.connections.get(same_peer).cloned()
        });
        if let Some(connection) = known {
            drop(open);
            return connection.send(octets, self.shared.limits.outbox);
        }
        // Whom we would meet at the other end of a TLS connection to a phone nobody could tell: it has no certificate. It comes back.
        let is_expected = || self.shared.trust.as_ref().is_some_and(|trust| trust.expects(flow.remote));
        if flow.transport != Transport::Tcp && !is_expected() {
            let _ = self.shared.told.try_send(Told::Closed(*flow));
            return;
        }
        let opening = open.opening.len();
        match open.opening.get_mut(&flow.remote) {
            Some(waiting) if waiting.len() < OPENING => waiting.push((*flow, octets)),
            None if opening < OPENING => {
                open.opening.insert(flow.remote, vec![(*flow, octets)]);
                tokio::spawn(self.clone().connect(*flow));
            }
            Some(_) | None => {
                tracing::debug!("too many connections are being opened; a message was not sent");
                let _ = self.shared.told.try_send(Told::Closed(*flow));
            }
        }
    }

    /// Turns a source away, and closes what it has open.
    pub fn ban(&self, source: IpAddr) {
        let mut open = self.open();
        open.guests.ban(source);
        for connection in open.connections.values().filter(|connection| source_of(connection.flow.remote.ip()) == source) {
            connection.outbox().unwelcome = true;
            connection.changed.notify_one();
        }
    }

    /// And takes it in again.
    pub fn lift(&self, source: IpAddr) {
        self.open().guests.lift(source);
    }

    /// Takes in a connection that was accepted, if there is room for it, and serves it.
    pub(super) fn welcome(&self, stream: Stream, local: IpAddr, remote: SocketAddr) {
        if let Some(connection) = self.begin(stream, local, remote) {
            tokio::spawn(self.clone().serve(connection));
        }
    }

    /// Would one more from there be taken in?
    pub(super) fn has_room_for(&self, remote: SocketAddr) -> bool {
        self.open().guests.has_room_for(remote.ip(), &self.shared.limits)
    }

    async fn connect(self, flow: Flow) {
        let limits = self.shared.limits;
        let begun = match self.stream_to(flow).await {
            Ok(stream) => self.begin(stream, flow.local.ip(), flow.remote),
            Err(error) => {
                if is_distrust(&error) {
                    let remote = flow.remote;
                    tracing::warn!(%remote, %error, "a server does not prove that it is whom a line names; nothing is said to it");
                    let _ = self.shared.told.send(Told::Distrusted(flow)).await;
                }
                tracing::debug!(%error, "a connection could not be opened");
                None
            }
        };
        let waiting = self.open().opening.remove(&flow.remote).unwrap_or_default();
        match begun {
            Some(connection) => {
                waiting.into_iter().for_each(|(_, octets)| connection.send(octets, limits.outbox));
                self.serve(connection).await;
            }
            None => {
                for (flow, _) in waiting {
                    let _ = self.shared.told.send(Told::Closed(flow)).await;
                }
            }
        }
    }

    async fn stream_to(&self, flow: Flow) -> io::Result<Stream> {
        let limits = self.shared.limits;
        let too_late = |_| io::Error::from(io::ErrorKind::TimedOut);
        let socket = tokio::time::timeout(limits.connect, connect(flow)).await.map_err(too_late)??;
        match &self.shared.trust {
            Some(trust) => {
                let session = tokio::time::timeout(limits.greeting, trust.meet(flow.remote, socket)).await.map_err(too_late)??;
                Ok(Stream::Secured(Box::new(session)))
            }
            None => Ok(Stream::Plain(socket)),
        }
    }

    /// Notes a connection, if there is room for it.
    fn begin(&self, stream: Stream, local: IpAddr, remote: SocketAddr) -> Option<Arc<Connection>> {
        let mut open = self.open();
        if !open.guests.has_room_for(remote.ip(), &self.shared.limits) {
            let is_banned = open.guests.is_banned(remote.ip());
            if !open.full && !is_banned {
                tracing::warn!(
                    transport = self.shared.transport.as_str(),
                    connections = open.connections.len(),
                    same = open.guests.count_from(remote.ip()),
                    "as many connections as are allowed; more are turned away"
                );
            }
            open.full |= !is_banned;
            return None;
        }
        open.full = false;
        open.next += 1;
        let connection = ConnectionId(open.next);
        stream.speak_at_once();
        let local = SocketAddr::new(local, self.shared.local.port());
        let flow = Flow { transport: self.shared.transport, local, remote, connection };
        let begun = Arc::new(Connection { flow, stream, outbox: Mutex::default(), changed: Notify::new() });
        open.connections.insert(connection, Arc::clone(&begun));
        open.by_remote.insert(remote, connection);
        open.guests.enter(remote.ip());
        Some(begun)
    }

    async fn serve(self, connection: Arc<Connection>) {
        let why = self.read_and_write(&connection).await;
        let flow = connection.flow;
        tracing::debug!(connection = flow.connection.0, why, "a connection is closed");
        {
            let mut open = self.open();
            open.connections.remove(&flow.connection);
            if open.by_remote.get(&flow.remote) == Some(&flow.connection) {
                open.by_remote.remove(&flow.remote);
            }
            open.guests.leave(flow.remote.ip());
        }
        connection.stream.end();
        drop(connection);
        let _ = self.shared.told.send(Told::Closed(flow)).await;
    }

    /// Until it ends; says why it did.
    async fn read_and_write(&self, connection: &Connection) -> &'static str {
        let limits = &self.shared.limits;
        let mut framer = Framer::default();
        let (mut silent_until, mut greeted) = (Instant::now() + limits.first, false);
        let (mut stuck_until, mut lost) = (None, false);
        loop {
            if connection.outbox().overflowed {
                return "the peer is too slow";
            }
            if connection.outbox().unwelcome {
                return "the peer is banned";
            }
            let writing = connection.writes();
            let stuck = writing.then(|| *stuck_until.get_or_insert_with(|| Instant::now() + limits.stuck));
            let until = stuck.map_or(silent_until, |stuck| stuck.min(silent_until));
            let interest = match (lost, writing) {
                (false, false) => Interest::READABLE,
                (false, true) => Interest::READABLE | Interest::WRITABLE,
                (true, _) => Interest::WRITABLE,
            };
            let ready = tokio::select! {
                ready = connection.stream.ready(interest), if writing || !lost => ready,
                () = std::future::ready(()), if !lost && connection.stream.holds_more() => Ok(Ready::READABLE),
                () = connection.changed.notified() => continue,
                () = tokio::time::sleep_until(until) => return if lost { "the framing is lost" } else { "nothing came or went for too long" },
            };
            let Ok(ready) = ready else { return "broken" };
            if ready.is_writable() {
                match connection.write() {
                    Ok(moved) if moved => stuck_until = None,
                    Ok(_) => {}
                    Err(_) => return "broken",
                }
            }
            if lost || !ready.is_readable() {
                continue;
            }
            let was_idle = framer.is_idle();
            {
                let mut scratch = self.shared.scratch.lock().unwrap_or_else(PoisonError::into_inner);
                match connection.stream.try_read(&mut scratch) {
                    Ok(0) => return "the peer has closed it",
                    Ok(length) => framer.push(&scratch[..length]),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                    Err(_) => return "broken",
                }
            }
            let mut whole = false;
            loop {
                match framer.poll() {
                    Ok(None) => break,
                    Ok(Some(Framed::Ping)) => connection.send(Bytes::from_static(b"\r\n"), limits.outbox),
                    // Waits while the switch is busy, and with it the peer.
                    Ok(Some(Framed::Message(octets))) => {
                        if self.shared.told.send(Told::Message(connection.flow, octets)).await.is_err() {
                            return "the house is closed";
                        }
                        whole = true;
                    }
                    // Where the next message begins is not known any more; those before it are still answered.
                    Err(_) if greeted || whole => {
                        lost = true;
                        break;
                    }
                    Err(_) => return "the framing is lost",
                }
            }
            greeted |= whole;
            if lost {
                silent_until = Instant::now() + limits.farewell;
            } else if framer.is_idle() {
                // Keep-alives alone are no greeting.
                if greeted {
                    silent_until = Instant::now() + limits.idle;
                }
            } else if was_idle || whole {
                // From a message's first octet on: it does not help to send one now and then.
                silent_until = Instant::now() + limits.message;
            }
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.shared.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// At once as far as the system takes it, the rest when it takes more.
    fn send(&self, octets: Bytes, most: usize) {
        let mut outbox = self.outbox();
        let mut octets = octets;
        if outbox.parts.is_empty() {
            match self.stream.try_write(&octets) {
                Ok(length) if length == octets.len() => {
                    if self.stream.holds_back() {
                        self.changed.notify_one();
                    }
                    return;
                }
                Ok(length) => octets.advance(length),
                // Broken or busy: its task sees to either.
                Err(_) => {}
            }
        }
        if outbox.octets + octets.len() > most {
            outbox.overflowed = true;
        } else {
            outbox.octets += octets.len();
            outbox.parts.push_back(octets);
        }
        drop(outbox);
        self.changed.notify_one();
    }

    /// Writes what waits; true if the peer took some of it.
    fn write(&self) -> io::Result<bool> {
        let mut outbox = self.outbox();
        let mut moved = self.stream.holds_back() && self.stream.push()?;
        while let Some(part) = outbox.parts.front_mut() {
            match self.stream.try_write(part) {
                Ok(length) => {
                    part.advance(length);
                    let done = part.is_empty();
                    outbox.octets -= length;
                    moved |= length > 0;
                    if done {
                        outbox.parts.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(moved)
    }

    /// Does something wait for the system to take it?
    fn writes(&self) -> bool {
        !self.outbox().parts.is_empty() || self.stream.holds_back()
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a connection from the address that the flow names, which is the one in our Via.
async fn connect(flow: Flow) -> io::Result<TcpStream> {
    let socket = if flow.remote.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    if !flow.local.ip().is_unspecified() && flow.local.is_ipv6() == flow.remote.is_ipv6() {
        socket.bind(SocketAddr::new(flow.local.ip(), 0))?;
    }
    socket.connect(flow.remote).await
}
