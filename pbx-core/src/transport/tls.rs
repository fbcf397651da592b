//! SIP over TLS (RFC 3261 26.2, versions 1.2 and 1.3): who was greeted (`greeting.rs`) is taken in by the thread that serves connections,
//! which opens and closes each record itself. The door of `rustls` and `tokio-rustls`, together with `certificate.rs`, `greeting.rs` and
//! `trust.rs`.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pbx_sip::flow::Transport;
use rustls::Connection;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::transport::certificate::Identity;
use crate::transport::connections::{Connections, Limits, Told};
use crate::transport::greeting::{Greeted, Manner, greet_at};
use crate::transport::stream::Stream;
use crate::transport::tcp::bind;
use crate::transport::trust::Trust;

/// Most octets that one record of TLS carries (RFC 8446 5.1).
const RECORD: usize = 16 << 10;

/// Reads in a row after which others have their turn.
const ROUNDS: usize = 16;

/// Nobody is let in; connections are opened to whom we trust, from that address.
pub fn unheard(address: IpAddr, limits: Limits, trust: Trust, told: mpsc::Sender<Told>) -> Connections {
    Connections::new(Transport::Tls, SocketAddr::new(address, Transport::Tls.usual_port()), limits, Some(trust), told)
}

/// Listens with that identity, and tells through `told`; needs a runtime of tokio around it.
pub fn listen(
    address: SocketAddr,
    identity: Identity,
    limits: Limits,
    trust: Trust,
    told: mpsc::Sender<Told>,
) -> io::Result<Connections> {
    let listener = bind(address)?;
    let connections = Connections::new(Transport::Tls, listener.local_addr()?, limits, Some(trust), told);
    let room = connections.clone();
    let has_room = Box::new(move |remote| room.has_room_for(remote));
    let passed = greet_at(listener, identity, Manner { name: "tls", speaks: &[], within: limits.greeting, has_room })?;
    tokio::spawn(take_in(passed, connections.clone()));
    Ok(connections)
}

/// Takes in those that were greeted: from the thread that greeted them to this one.
async fn take_in(mut passed: mpsc::Receiver<Greeted>, connections: Connections) {
    while let Some(Greeted { stream, local, remote }) = passed.recv().await {
        let (socket, tls) = stream.into_inner();
        if let Ok(socket) = socket.into_std().and_then(TcpStream::from_std) {
            connections.welcome(Stream::Secured(Box::new(Session::new(socket, tls.into()))), local, remote);
        }
    }
}

/// One connection after its handshake: its octets are opened and closed here, on the thread that serves it.
pub(super) struct Session {
    socket: TcpStream,
    tls: Mutex<Connection>,
}

impl Session {
    pub fn new(socket: TcpStream, tls: Connection) -> Session {
        Session { socket, tls: Mutex::new(tls) }
    }

    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut tls = self.tls();
        for _ in 0..ROUNDS {
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
            if tls.read_tls(&mut Octets(&self.socket))? == 0 {
                return Ok(0);
            }
            if let Err(error) = tls.process_new_packets() {
                // The alert that says why.
                let _ = tls.write_tls(&mut Octets(&self.socket));
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    pub fn try_write(&self, octets: &[u8]) -> io::Result<usize> {
        let mut tls = self.tls();
        push(&mut tls, &self.socket)?;
        let taken = tls.writer().write(&octets[..octets.len().min(RECORD)])?;
        match push(&mut tls, &self.socket) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    pub fn holds_back(&self) -> bool {
        self.tls().wants_write()
    }

    pub fn push(&self) -> io::Result<bool> {
        match push(&mut self.tls(), &self.socket) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            pushed => pushed.map(|()| true),
        }
    }

    pub fn holds_more(&self) -> bool {
        self.tls().process_new_packets().is_ok_and(|state| state.plaintext_bytes_to_read() > 0)
    }

    pub fn end(&self) {
        let mut tls = self.tls();
        tls.send_close_notify();
        let _ = push(&mut tls, &self.socket);
    }

    fn tls(&self) -> MutexGuard<'_, Connection> {
        self.tls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes what TLS has closed, until there is nothing more or the system takes no more.
fn push(tls: &mut Connection, socket: &TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(&mut Octets(socket))?;
    }
    Ok(())
}

/// A socket as TLS reads and writes it.
struct Octets<'a>(&'a TcpStream);

impl Read for Octets<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Octets<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.try_write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use pbx_sip::flow::{ConnectionId, Flow};
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName};
    use rustls::{ClientConfig, RootCertStore};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpSocket;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::client::TlsStream;

    use super::*;
    use crate::transport::greeting::GREETINGS_FROM_ONE;

    const OPTIONS: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n";

    #[tokio::test]
    async fn messages_come_in_parts_and_answers_go_back() {
        let mut house = House::open(generous());
        let mut phone = house.phone("127.0.0.1").await;
        phone.write_all(b"\r\n\r\n").await.unwrap();
        assert_eq!(read(&mut phone, 2).await, b"\r\n", "a keep-alive is answered");
        phone.write_all(&OPTIONS[..10]).await.unwrap();
        phone.write_all(&[&OPTIONS[10..], OPTIONS].concat()).await.unwrap();
        let (flow, octets) = house.message().await;
        assert_eq!((octets.as_ref(), flow.transport, flow.local), (OPTIONS, Transport::Tls, house.tls.local()));
        assert_eq!(house.message().await.0, flow);
        house.tls.send(&flow, Bytes::from_static(b"SIP/2.0 200 OK"));
        assert_eq!(read(&mut phone, 14).await, b"SIP/2.0 200 OK");
        house.tls.send(&Flow { connection: ConnectionId::default(), ..flow }, Bytes::from_static(b"INVITE"));
        assert_eq!(read(&mut phone, 6).await, b"INVITE", "the open connection to the same peer is used");
        phone.shutdown().await.unwrap();
        assert_eq!(house.closed().await, flow);
    }

    #[tokio::test]
    async fn large_messages_come_and_go_in_order() {
        let mut house = House::open(Limits { outbox: 64 << 20, ..generous() });
        let mut phone = house.phone("127.0.0.1").await;
        let body = "x".repeat(60_000);
        let message = format!("MESSAGE sip:a SIP/2.0\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let many = message.repeat(20);
        let sending = async { phone.write_all(many.as_bytes()).await.unwrap() };
        let hearing = async {
            for _ in 0..20 {
                assert_eq!(house.message().await.1.len(), message.len());
            }
        };
        in_time(async { tokio::join!(sending, hearing) }).await;
        phone.write_all(OPTIONS).await.unwrap();
        let (flow, _) = house.message().await;
        let parts: Vec<Bytes> = (0..200u8).map(|number| Bytes::from(vec![number; 50_000])).collect();
        parts.iter().for_each(|part| house.tls.send(&flow, part.clone()));
        assert!(read(&mut phone, 200 * 50_000).await == parts.concat());
    }

    #[tokio::test]
    async fn who_takes_nothing_of_what_it_is_sent_is_closed() {
        let mut house = House::open(Limits { stuck: Duration::from_millis(100), outbox: 1 << 30, ..generous() });
        let mut phone = house.phone("127.0.0.1").await;
        phone.write_all(OPTIONS).await.unwrap();
        let (flow, _) = house.message().await;
        let large = Bytes::from(vec![b'x'; 50_000]);
        (0..1_000).for_each(|_| house.tls.send(&flow, large.clone()));
        assert_eq!(house.closed().await, flow);
    }

    #[tokio::test]
    async fn plain_text_is_shown_the_door() {
        let mut house = House::open(generous());
        let mut plain = TcpStream::connect(house.tls.local()).await.unwrap();
        plain.write_all(OPTIONS).await.unwrap();
        let mut answer = Vec::new();
        let _ = in_time(plain.read_to_end(&mut answer)).await;
        assert!(!answer.starts_with(b"SIP"), "an alert at most");
        house.serves("127.0.0.1").await;
    }

    #[tokio::test]
    async fn half_a_handshake_takes_nobodys_place() {
        let mut house = House::open(generous());
        let mut halves = Vec::new();
        for _ in 0..GREETINGS_FROM_ONE + 40 {
            let mut half = house.connect("127.0.0.1").await;
            // The beginning of a ClientHello.
            half.write_all(&[22, 3, 1, 2, 0, 1, 0]).await.unwrap();
            halves.push(half);
        }
        house.serves("127.0.0.2").await;
        let turned_away = in_time(halves.pop().unwrap().read(&mut [0; 1])).await;
        assert!(matches!(turned_away, Ok(0) | Err(_)), "one address has so many places and no more: {turned_away:?}");
        // Those that wait are let go, and their places are free again.
        for mut half in halves {
            let _ = in_time(half.read(&mut [0; 1])).await;
        }
        house.serves("127.0.0.1").await;
    }

    #[tokio::test]
    async fn no_connection_is_opened_to_a_phone() {
        let mut house = House::open(generous());
        let remote = "127.0.0.3:5061".parse().unwrap();
        let flow = Flow { transport: Transport::Tls, local: house.tls.local(), remote, connection: ConnectionId(7) };
        house.tls.send(&flow, Bytes::from_static(b"INVITE"));
        assert_eq!(house.closed().await, flow);
    }

    struct House {
        tls: Connections,
        told: mpsc::Receiver<Told>,
        connector: TlsConnector,
        _folder: tempfile::TempDir,
    }

    impl House {
        fn open(limits: Limits) -> House {
            let folder = tempfile::tempdir().unwrap();
            let identity = Identity::own(folder.path(), &["127.0.0.1".to_owned()]).unwrap();
            let mut trusted = RootCertStore::empty();
            trusted.add(CertificateDer::from_pem_file(folder.path().join("tls/certificate.pem")).unwrap()).unwrap();
            let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
            let config =
                builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(trusted).with_no_client_auth();
            let (tell, told) = mpsc::channel(16);
            let nobody = Trust::new(std::path::Path::new("")).unwrap();
            let tls = listen("127.0.0.1:0".parse().unwrap(), identity, limits, nobody, tell).unwrap();
            House { tls, told, connector: Arc::new(config).into(), _folder: folder }
        }

        async fn connect(&self, from: &str) -> TcpStream {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
            socket.connect(self.tls.local()).await.unwrap()
        }

        /// A phone that knows our certificate and asks for our address in it.
        async fn phone(&self, from: &str) -> TlsStream<TcpStream> {
            let name = ServerName::try_from("127.0.0.1").unwrap();
            in_time(self.connector.connect(name, self.connect(from).await)).await.unwrap()
        }

        async fn serves(&mut self, from: &str) {
            let mut phone = self.phone(from).await;
            phone.write_all(OPTIONS).await.unwrap();
            assert_eq!(self.message().await.1, OPTIONS);
            drop(phone);
            self.closed().await;
        }

        async fn message(&mut self) -> (Flow, Bytes) {
            match in_time(self.told.recv()).await {
                Some(Told::Message(flow, octets)) => (flow, octets),
                other => panic!("{other:?}"),
            }
        }

        async fn closed(&mut self) -> Flow {
            match in_time(self.told.recv()).await {
                Some(Told::Closed(flow)) => flow,
                other => panic!("{other:?}"),
            }
        }
    }

    fn generous() -> Limits {
        Limits { greeting: Duration::from_secs(2), ..Limits::new(1_000, Duration::from_secs(60)) }
    }

    /// So many octets, or what came before the end.
    async fn read(stream: &mut TlsStream<TcpStream>, length: usize) -> Vec<u8> {
        let mut octets = Vec::new();
        let mut limited = stream.take(length as u64);
        let _ = in_time(limited.read_to_end(&mut octets)).await;
        octets
    }

    async fn in_time<T>(future: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(10), future).await.unwrap()
    }
}
