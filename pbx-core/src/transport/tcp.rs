//! SIP over TCP: connections are accepted by the thread that serves them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use pbx_sip::flow::Transport;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::transport::connections::{Connections, Limits, Told};
use crate::transport::stream::Stream;

/// Listens, and tells through `told`; needs a runtime of tokio around it.
pub fn listen(address: SocketAddr, limits: Limits, told: mpsc::Sender<Told>) -> io::Result<Connections> {
    let listener = TcpListener::from_std(bind(address)?)?;
    let connections = Connections::new(Transport::Tcp, listener.local_addr()?, limits, None, told);
    tokio::spawn(accept(listener, connections.clone()));
    Ok(connections)
}

/// A port at which connections wait to be accepted.
pub(super) fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let domain = if address.is_ipv6() { socket2::Domain::IPV6 } else { socket2::Domain::IPV4 };
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}

/// The next that is accepted, with our address as it reached it and its own.
pub(super) async fn next(listener: &TcpListener) -> (tokio::net::TcpStream, std::net::IpAddr, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                // A connection that is broken already has no address any more, and is found to be broken by whoever reads it.
                let local = stream.local_addr().map_or(remote.ip(), |address| address.ip()).to_canonical();
                return (stream, local, SocketAddr::new(remote.ip().to_canonical(), remote.port()));
            }
            Err(error) => {
                // Out of descriptors: those that are open go on; a moment later there may be one again.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn accept(listener: TcpListener, connections: Connections) {
    loop {
        let (stream, local, remote) = next(&listener).await;
        connections.welcome(Stream::Plain(stream), local, remote);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use pbx_sip::flow::{ConnectionId, Flow};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::time::Instant;

    use super::*;

    const OPTIONS: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n";

    #[tokio::test]
    async fn messages_come_in_parts_and_answers_go_back() {
        let (tcp, mut told) = open(generous());
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
        let (tcp, mut told) = open(generous());
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
        let (tcp, mut told) = open(generous());
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let flow = Flow { transport: Transport::Tcp, local: tcp.local(), remote: gone, connection: ConnectionId::default() };
        tcp.send(&flow, Bytes::from_static(b"nobody"));
        assert_eq!(closed(&mut told).await, flow);
    }

    #[tokio::test]
    async fn one_octet_now_and_then_keeps_no_connection_open() {
        let limits = Limits { message: Duration::from_millis(150), ..generous() };
        let (tcp, mut told) = open(limits);
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
        let limits = Limits { first: Duration::from_millis(50), ..generous() };
        let (tcp, mut told) = open(limits);
        let mut phone = TcpStream::connect(tcp.local()).await.unwrap();
        phone.write_all(b"\r\n\r\n").await.unwrap();
        assert_eq!(read(&mut phone, 3).await, b"\r\n", "and keep-alives alone are nothing");
        closed(&mut told).await;
    }

    #[tokio::test]
    async fn who_takes_nothing_of_what_it_is_sent_is_closed() {
        let limits = Limits { outbox: 100_000, ..generous() };
        let (tcp, mut told) = open(limits);
        let mut phone = TcpStream::connect(tcp.local()).await.unwrap();
        phone.write_all(OPTIONS).await.unwrap();
        let flow = message(&mut told).await;
        let large = Bytes::from(vec![b'x'; 50_000]);
        for _ in 0..2_000 {
            tcp.send(&flow, large.clone());
            tokio::task::yield_now().await;
        }
        assert_eq!(closed(&mut told).await, flow);

        let limits = Limits { stuck: Duration::from_millis(100), outbox: 1 << 30, ..generous() };
        let (tcp, mut told) = open(limits);
        let mut phone = TcpStream::connect(tcp.local()).await.unwrap();
        phone.write_all(OPTIONS).await.unwrap();
        let flow = message(&mut told).await;
        (0..1_000).for_each(|_| tcp.send(&flow, large.clone()));
        assert_eq!(closed(&mut told).await, flow);
    }

    #[tokio::test]
    async fn what_waits_for_a_slow_peer_comes_in_order() {
        let limits = Limits { outbox: 64 << 20, ..generous() };
        let (tcp, mut told) = open(limits);
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
        let limits = Limits { connections: 2, ..generous() };
        let (tcp, mut told) = open(limits);
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
        let (tcp, mut told) = open(generous());
        let mut phone = TcpStream::connect(tcp.local()).await.unwrap();
        phone.write_all(b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 1\r\nl: 2\r\n\r\n").await.unwrap();
        assert_eq!(read(&mut phone, 1).await, b"");
        closed(&mut told).await;
    }

    #[tokio::test]
    async fn what_came_before_the_framing_was_lost_is_answered() {
        let (tcp, mut told) = open(Limits { farewell: Duration::from_millis(200), ..generous() });
        let mut phone = TcpStream::connect(tcp.local()).await.unwrap();
        phone.write_all(&[OPTIONS, b"rubbish sip:a SIP/2.0\r\nContent-Length: 1\r\nl: 2\r\n\r\n", OPTIONS].concat()).await.unwrap();
        let flow = message(&mut told).await;
        tcp.send(&flow, Bytes::from_static(b"SIP/2.0 200 OK"));
        assert_eq!(read(&mut phone, 15).await, b"SIP/2.0 200 OK", "and then the end");
        assert_eq!(closed(&mut told).await, flow, "what comes after it is no message");
    }

    fn generous() -> Limits {
        Limits::new(100, Duration::from_secs(60))
    }

    fn open(limits: Limits) -> (Connections, mpsc::Receiver<Told>) {
        let (tell, told) = mpsc::channel(16);
        (listen("127.0.0.1:0".parse().unwrap(), limits, tell).unwrap(), told)
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
