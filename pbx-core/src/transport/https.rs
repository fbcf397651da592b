//! The one HTTPS listener: pages, the API, and SIP's WebSockets. What is spoken over its connections is for others to say.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::server::TlsStream;

use crate::transport::certificate::Identity;
use crate::transport::challenges::ACME_TLS;
use crate::transport::greeting::{Greeted, Manner, greet_at};
use crate::transport::tcp::bind;

/// How long a handshake may take.
const GREETING: Duration = Duration::from_secs(10);

/// One connection's octets, opened.
pub type Stream = TlsStream<TcpStream>;

/// The listener.
pub struct Https {
    local: SocketAddr,
    passed: mpsc::Receiver<Greeted>,
}

impl Https {
    /// Listens with that identity.
    pub fn listen(address: SocketAddr, identity: Identity) -> io::Result<Https> {
        let listener = bind(address)?;
        let local = listener.local_addr()?;
        let has_room = Box::new(|_| true);
        let manner = Manner { name: "https", speaks: &[b"http/1.1", ACME_TLS], within: GREETING, has_room };
        Ok(Https { local, passed: greet_at(listener, identity, manner)? })
    }

    /// Where.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// The next connection, its handshake done.
    pub async fn accept(&mut self) -> (Stream, SocketAddr) {
        loop {
            match self.passed.recv().await {
                // It has seen what it looked for in the handshake.
                Some(greeted) if greeted.stream.get_ref().1.alpn_protocol() == Some(ACME_TLS) => {}
                Some(greeted) => return (greeted.stream, greeted.remote),
                // The thread that greets ends with the process alone.
                None => std::future::pending().await,
            }
        }
    }
}
