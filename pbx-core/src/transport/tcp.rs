//! SIP over TCP: connections accepted and opened, messages cut out, keep-alives answered.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use pbx_sip::flow::{ConnectionId, Flow, Transport};
use pbx_sip::message::framing::{Framed, Framer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Messages that wait for a slow peer; one more and the connection is closed.
const QUEUE: usize = 256;

/// A message that is not whole after so long is not waited for.
const PART_PATIENCE: Duration = Duration::from_secs(20);

/// A connection on which nothing has come for so long is closed.
const IDLE: Duration = Duration::from_secs(7_400);

/// How long a peer may take to accept a connection of ours.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

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
    most: usize,
    told: mpsc::Sender<Told>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    writers: BTreeMap<ConnectionId, (SocketAddr, mpsc::Sender<Bytes>)>,
}

impl Tcp {
    /// Listens, and tells through `told`.
    pub fn listen(address: SocketAddr, most: usize, told: mpsc::Sender<Told>) -> io::Result<Tcp> {
        let domain = if address.is_ipv6() { socket2::Domain::IPV6 } else { socket2::Domain::IPV4 };
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(1024)?;
        let listener = TcpListener::from_std(socket.into())?;
        let local = listener.local_addr()?;
        let tcp = Tcp { shared: Arc::new(Shared { local, most, told, open: Mutex::default() }) };
        tokio::spawn(tcp.clone().accept(listener));
        Ok(tcp)
    }

    /// Where it listens.
    pub fn local(&self) -> SocketAddr {
        self.shared.local
    }

    /// Sends on a flow's connection, on another one that is open to the same peer, or on a new one.
    pub fn send(&self, flow: &Flow, octets: Bytes) {
        let writer = {
            let open = self.shared.open.lock().unwrap_or_else(PoisonError::into_inner);
            let known = open.writers.get(&flow.connection).map(|(_, writer)| writer.clone());
            known.or_else(|| open.writers.values().find(|(remote, _)| *remote == flow.remote).map(|(_, writer)| writer.clone()))
        };
        match writer {
            Some(writer) => {
                if writer.try_send(octets).is_err() {
                    tracing::debug!("a connection does not take what it is sent, and is closed");
                    self.forget(flow.connection);
                }
            }
            None => {
                tokio::spawn(self.clone().connect(*flow, octets));
            }
        }
    }

    async fn accept(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, remote)) => {
                    let local = stream.local_addr().map_or(self.shared.local.ip(), |address| address.ip());
                    self.begin(stream, local, remote);
                }
                Err(error) => {
                    // Out of descriptors: those that are open go on; a moment later there may be one again.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn connect(self, flow: Flow, octets: Bytes) {
        let connected = tokio::time::timeout(CONNECT_PATIENCE, TcpStream::connect(flow.remote)).await;
        let begun = match connected {
            Ok(Ok(stream)) => self.begin(stream, flow.local.ip(), flow.remote),
            _ => None,
        };
        match begun {
            Some(writer) if writer.send(octets).await.is_ok() => {}
            _ => {
                let _ = self.shared.told.send(Told::Closed(flow)).await;
            }
        }
    }

    fn begin(&self, stream: TcpStream, local: std::net::IpAddr, remote: SocketAddr) -> Option<mpsc::Sender<Bytes>> {
        let (writer, queue) = mpsc::channel(QUEUE);
        let connection = {
            let mut open = self.shared.open.lock().unwrap_or_else(PoisonError::into_inner);
            if open.writers.len() >= self.shared.most {
                tracing::warn!("as many connections as are allowed; one more was turned away");
                return None;
            }
            open.next += 1;
            let connection = ConnectionId(open.next);
            open.writers.insert(connection, (remote, writer.clone()));
            connection
        };
        let _ = stream.set_nodelay(true);
        let flow = Flow { transport: Transport::Tcp, local: SocketAddr::new(local, self.shared.local.port()), remote, connection };
        let (reader, writer_half) = stream.into_split();
        tokio::spawn(write(writer_half, queue));
        tokio::spawn(self.clone().read(reader, flow, writer.clone()));
        Some(writer)
    }

    async fn read(self, mut reader: OwnedReadHalf, flow: Flow, writer: mpsc::Sender<Bytes>) {
        let mut framer = Framer::default();
        let mut buffer = vec![0; 8192];
        'connection: loop {
            let patience = if framer.is_empty() { IDLE } else { PART_PATIENCE };
            let Ok(Ok(length @ 1..)) = tokio::time::timeout(patience, reader.read(&mut buffer)).await else { break };
            framer.push(&buffer[..length]);
            loop {
                match framer.poll() {
                    Ok(None) => break,
                    Ok(Some(Framed::Ping)) => {
                        let _ = writer.try_send(Bytes::from_static(b"\r\n"));
                    }
                    Ok(Some(Framed::Message(octets))) => {
                        // Waits while the switch is busy, and with it the peer.
                        if self.shared.told.send(Told::Message(flow, octets)).await.is_err() {
                            break 'connection;
                        }
                    }
                    Err(error) => {
                        tracing::debug!(%error, "a connection has lost its framing, and is closed");
                        break 'connection;
                    }
                }
            }
        }
        self.forget(flow.connection);
        let _ = self.shared.told.send(Told::Closed(flow)).await;
    }

    fn forget(&self, connection: ConnectionId) {
        self.shared.open.lock().unwrap_or_else(PoisonError::into_inner).writers.remove(&connection);
    }
}

async fn write(mut half: OwnedWriteHalf, mut queue: mpsc::Receiver<Bytes>) {
    while let Some(octets) = queue.recv().await {
        let written = tokio::time::timeout(PART_PATIENCE, half.write_all(&octets)).await;
        if !matches!(written, Ok(Ok(()))) {
            break;
        }
    }
    let _ = half.shutdown().await;
}
