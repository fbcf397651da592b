//! SIP over TCP: connections accepted and opened, messages cut out, keep-alives answered (RFC 5626 4.4.1). Each connection is bounded
//! in what it may hold, and in how long it may take: a peer that is slow, silent or greedy costs the others nothing.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf, Bytes};
use pbx_sip::flow::{ConnectionId, Flow, Transport};
use pbx_sip::message::framing::{Framed, Framer};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

/// How much, and how long.
#[derive(Clone, Copy, Debug)]
pub struct TcpLimits {
    /// Connections at once.
    pub connections: usize,
    /// Of these, from one address; this machine itself may have all.
    pub from_one_address: usize,
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

impl TcpLimits {
    /// So many connections, a quarter of them from one address. A phone that registered and keeps still is heard of again before its
    /// longest registration ends, `idle` later.
    pub fn new(connections: usize, idle: Duration) -> TcpLimits {
        TcpLimits {
            connections,
            from_one_address: connections.div_ceil(4),
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
    /// It is gone, or could not be opened.
    Closed(Flow),
}

/// Every connection.
#[derive(Clone)]
pub struct Tcp {
    shared: Arc<Shared>,
}

struct Shared {
    local: SocketAddr,
    limits: TcpLimits,
    told: mpsc::Sender<Told>,
    open: Mutex<Open>,
    /// What one read brings; connections hold nothing of their own while they are silent.
    scratch: Mutex<Box<[u8]>>,
}

#[derive(Default)]
struct Open {
    next: u64,
    connections: BTreeMap<ConnectionId, Arc<Connection>>,
    by_remote: BTreeMap<SocketAddr, ConnectionId>,
    by_address: BTreeMap<IpAddr, usize>,
    opening: BTreeMap<SocketAddr, Vec<(Flow, Bytes)>>,
    full: bool,
}

struct Connection {
    flow: Flow,
    stream: TcpStream,
    outbox: Mutex<Outbox>,
    changed: Notify,
}

#[derive(Default)]
struct Outbox {
    parts: VecDeque<Bytes>,
    octets: usize,
    overflowed: bool,
}

impl Tcp {
    /// Listens, and tells through `told`; needs a runtime of tokio around it.
    pub fn listen(address: SocketAddr, limits: TcpLimits, told: mpsc::Sender<Told>) -> io::Result<Tcp> {
        let domain = if address.is_ipv6() { socket2::Domain::IPV6 } else { socket2::Domain::IPV4 };
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(1024)?;
        let listener = TcpListener::from_std(socket.into())?;
        let local = listener.local_addr()?;
        let scratch = Mutex::new(vec![0; 16 << 10].into());
        let tcp = Tcp { shared: Arc::new(Shared { local, limits, told, open: Mutex::default(), scratch }) };
        tokio::spawn(tcp.clone().accept(listener));
        Ok(tcp)
    }

    /// Where it listens.
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

    async fn accept(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, remote)) => {
                    let local = stream.local_addr().map_or(self.shared.local.ip(), |address| address.ip());
                    let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
                    if let Some(connection) = self.begin(stream, local.to_canonical(), remote) {
                        tokio::spawn(self.clone().serve(connection));
                    }
                }
                Err(error) => {
                    // Out of descriptors: those that are open go on; a moment later there may be one again.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn connect(self, flow: Flow) {
        let limits = self.shared.limits;
        let connected = tokio::time::timeout(limits.connect, connect(flow)).await;
        let stream = connected.map_err(|_| io::Error::from(io::ErrorKind::TimedOut)).flatten();
        let begun = match stream {
            Ok(stream) => self.begin(stream, flow.local.ip(), flow.remote),
            Err(error) => {
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

    /// Notes a connection, if there is room for it.
    fn begin(&self, stream: TcpStream, local: IpAddr, remote: SocketAddr) -> Option<Arc<Connection>> {
        let limits = &self.shared.limits;
        let mut open = self.open();
        let same = open.by_address.get(&remote.ip()).copied().unwrap_or(0);
        let from_one_address = if remote.ip().is_loopback() { limits.connections } else { limits.from_one_address };
        if open.connections.len() >= limits.connections || same >= from_one_address {
            if !open.full {
                tracing::warn!(
                    connections = open.connections.len(),
                    same,
                    "as many connections as are allowed; more are turned away"
                );
            }
            open.full = true;
            return None;
        }
        open.full = false;
        open.next += 1;
        let connection = ConnectionId(open.next);
        let _ = stream.set_nodelay(true);
        let local = SocketAddr::new(local, self.shared.local.port());
        let flow = Flow { transport: Transport::Tcp, local, remote, connection };
        let begun = Arc::new(Connection { flow, stream, outbox: Mutex::default(), changed: Notify::new() });
        open.connections.insert(connection, Arc::clone(&begun));
        open.by_remote.insert(remote, connection);
        open.by_address.insert(remote.ip(), same + 1);
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
            if let Some(same) = open.by_address.get_mut(&flow.remote.ip()) {
                *same -= 1;
                if *same == 0 {
                    open.by_address.remove(&flow.remote.ip());
                }
            }
        }
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
            let writing = !connection.outbox().parts.is_empty();
            let stuck = writing.then(|| *stuck_until.get_or_insert_with(|| Instant::now() + limits.stuck));
            let until = stuck.map_or(silent_until, |stuck| stuck.min(silent_until));
            let interest = match (lost, writing) {
                (false, false) => Interest::READABLE,
                (false, true) => Interest::READABLE | Interest::WRITABLE,
                (true, _) => Interest::WRITABLE,
            };
            let ready = tokio::select! {
                ready = connection.stream.ready(interest), if writing || !lost => ready,
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
                Ok(length) if length == octets.len() => return,
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
        let mut moved = false;
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const OPTIONS: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n";

    #[tokio::test]
    async fn messages_come_in_parts_and_answers_go_back() {
        let (tcp, mut told) = listen(generous());
        let mut phone = TcpStream::connect(tcp.local()).await.unwrap();
        phone.write_all(b"\r\n\r\n").await.unwrap();
        assert_eq!(read(&mut phone, 2).await, b"\r\n", "a keep-alive is answered");
        phone.write_all(&OPTIONS[..10]).await.unwrap();
        phone.write_all(&[&OPTIONS[10..], OPTIONS].concat()).await.unwrap();
        let flow = message(&mut told).await;
        assert_eq!(message(&mut told).await, flow);
        assert_eq!((flow.local, flow.remote), (tcp.local(), phone.local_addr().unwrap()));
        tcp.send(&flow, Bytes::from_static(b"SIP/2.0 200 OK"));
        assert_eq!(read(&mut phone, 14).await, b"SIP/2.0 200 OK");
        tcp.send(&Flow { connection: ConnectionId::default(), ..flow }, Bytes::from_static(b"INVITE"));
        assert_eq!(read(&mut phone, 6).await, b"INVITE", "the open connection to the same peer is used");
        drop(phone);
        assert_eq!(closed(&mut told).await, flow);
        assert_eq!(tcp.connections(), 0);
    }

    #[tokio::test]
    async fn a_connection_is_opened_once_for_all_that_waits_for_it() {
        let (tcp, mut told) = listen(generous());
        let phone = TcpListener::bind("127.0.0.3:0").await.unwrap();
        let local = SocketAddr::new([127, 0, 0, 2].into(), 5060);
        let remote = phone.local_addr().unwrap();
        let flow = Flow { transport: Transport::Tcp, local, remote, connection: ConnectionId::default() };
        tcp.send(&flow, Bytes::from_static(b"one"));
        tcp.send(&flow, Bytes::from_static(b"two"));
        let (mut stream, from) = phone.accept().await.unwrap();
        assert_eq!(from.ip(), local.ip(), "from the address that is in our Via");
        assert_eq!(read(&mut stream, 6).await, b"onetwo");
        stream.write_all(OPTIONS).await.unwrap();
        assert_eq!(message(&mut told).await.remote, remote);
    }

    #[tokio::test]
    async fn a_peer_that_cannot_be_reached_is_told_of() {
        let (tcp, mut told) = listen(generous());
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let flow = Flow { transport: Transport::Tcp, local: tcp.local(), remote: gone, connection: ConnectionId::default() };
        tcp.send(&flow, Bytes::from_static(b"nobody"));
        assert_eq!(closed(&mut told).await, flow);
    }

    #[tokio::test]
    async fn one_octet_now_and_then_keeps_no_connection_open() {
        let limits = TcpLimits { message: Duration::from_millis(150), ..generous() };
        let (tcp, mut told) = listen(limits);
        let mut phone = TcpStream::connect(tcp.local()).await.unwrap();
        phone.write_all(OPTIONS).await.unwrap();
        message(&mut told).await;
        let mut octets = OPTIONS.iter().cycle();
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        let begun = Instant::now();
        let mut buffer = [0; 1];
        loop {
            tokio::select! {
                ended = phone.read(&mut buffer) => { assert!(matches!(ended, Ok(0) | Err(_))); break }
                _ = pace.tick() => { let _ = phone.write_all(&[*octets.next().unwrap()]).await; }
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(5));
        closed(&mut told).await;
    }

    #[tokio::test]
    async fn who_says_nothing_is_closed() {
        let limits = TcpLimits { first: Duration::from_millis(50), ..generous() };
        let (tcp, mut told) = listen(limits);
        let mut phone = TcpStream::connect(tcp.local()).await.unwrap();
        phone.write_all(b"\r\n\r\n").await.unwrap();
        assert_eq!(read(&mut phone, 3).await, b"\r\n", "and keep-alives alone are nothing");
        closed(&mut told).await;
    }

    #[tokio::test]
    async fn who_takes_nothing_of_what_it_is_sent_is_closed() {
        let limits = TcpLimits { outbox: 100_000, ..generous() };
        let (tcp, mut told) = listen(limits);
        let mut phone = TcpStream::connect(tcp.local()).await.unwrap();
        phone.write_all(OPTIONS).await.unwrap();
        let flow = message(&mut told).await;
        let large = Bytes::from(vec![b'x'; 50_000]);
        for _ in 0..2_000 {
            tcp.send(&flow, large.clone());
            tokio::task::yield_now().await;
        }
        assert_eq!(closed(&mut told).await, flow);

        let limits = TcpLimits { stuck: Duration::from_millis(100), outbox: 1 << 30, ..generous() };
        let (tcp, mut told) = listen(limits);
        let mut phone = TcpStream::connect(tcp.local()).await.unwrap();
        phone.write_all(OPTIONS).await.unwrap();
        let flow = message(&mut told).await;
        (0..1_000).for_each(|_| tcp.send(&flow, large.clone()));
        assert_eq!(closed(&mut told).await, flow);
    }

    #[tokio::test]
    async fn what_waits_for_a_slow_peer_comes_in_order() {
        let limits = TcpLimits { outbox: 64 << 20, ..generous() };
        let (tcp, mut told) = listen(limits);
        let mut phone = TcpStream::connect(tcp.local()).await.unwrap();
        phone.write_all(OPTIONS).await.unwrap();
        let flow = message(&mut told).await;
        let parts: Vec<Bytes> = (0..200u8).map(|number| Bytes::from(vec![number; 50_000])).collect();
        parts.iter().for_each(|part| tcp.send(&flow, part.clone()));
        let whole = read(&mut phone, 200 * 50_000).await;
        assert!(whole == parts.concat());
    }

    #[tokio::test]
    async fn connections_are_counted() {
        let limits = TcpLimits { connections: 2, ..generous() };
        let (tcp, mut told) = listen(limits);
        let mut phones = Vec::new();
        for _ in 0..2 {
            let mut phone = TcpStream::connect(tcp.local()).await.unwrap();
            phone.write_all(OPTIONS).await.unwrap();
            message(&mut told).await;
            phones.push(phone);
        }
        let mut third = TcpStream::connect(tcp.local()).await.unwrap();
        assert_eq!(read(&mut third, 1).await, b"", "turned away");
        phones.pop();
        closed(&mut told).await;
        let mut fourth = TcpStream::connect(tcp.local()).await.unwrap();
        fourth.write_all(OPTIONS).await.unwrap();
        message(&mut told).await;
    }

    #[tokio::test]
    async fn a_stream_that_has_lost_its_framing_is_closed() {
        let (tcp, mut told) = listen(generous());
        let mut phone = TcpStream::connect(tcp.local()).await.unwrap();
        phone.write_all(b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 1\r\nl: 2\r\n\r\n").await.unwrap();
        assert_eq!(read(&mut phone, 1).await, b"");
        closed(&mut told).await;
    }

    #[tokio::test]
    async fn what_came_before_the_framing_was_lost_is_answered() {
        let (tcp, mut told) = listen(TcpLimits { farewell: Duration::from_millis(200), ..generous() });
        let mut phone = TcpStream::connect(tcp.local()).await.unwrap();
        phone.write_all(&[OPTIONS, b"rubbish sip:a SIP/2.0\r\nContent-Length: 1\r\nl: 2\r\n\r\n", OPTIONS].concat()).await.unwrap();
        let flow = message(&mut told).await;
        tcp.send(&flow, Bytes::from_static(b"SIP/2.0 200 OK"));
        assert_eq!(read(&mut phone, 15).await, b"SIP/2.0 200 OK", "and then the end");
        assert_eq!(closed(&mut told).await, flow, "what comes after it is no message");
    }

    fn generous() -> TcpLimits {
        TcpLimits::new(100, Duration::from_secs(60))
    }

    fn listen(limits: TcpLimits) -> (Tcp, mpsc::Receiver<Told>) {
        let (tell, told) = mpsc::channel(16);
        (Tcp::listen("127.0.0.1:0".parse().unwrap(), limits, tell).unwrap(), told)
    }

    /// So many octets, or what came before the end.
    async fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
        let mut octets = Vec::new();
        let mut limited = stream.take(length as u64);
        let _ = in_time(limited.read_to_end(&mut octets)).await;
        octets
    }

    async fn message(told: &mut mpsc::Receiver<Told>) -> Flow {
        match in_time(told.recv()).await {
            Some(Told::Message(flow, octets)) => {
                assert_eq!(octets, OPTIONS);
                flow
            }
            other => panic!("{other:?}"),
        }
    }

    async fn closed(told: &mut mpsc::Receiver<Told>) -> Flow {
        match in_time(told.recv()).await {
            Some(Told::Closed(flow)) => flow,
            other => panic!("{other:?}"),
        }
    }

    async fn in_time<T>(future: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(10), future).await.unwrap()
    }
}
