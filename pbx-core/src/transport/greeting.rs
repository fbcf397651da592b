//! The handshakes of those who come by TLS, on a thread of its own for each door: they cost many times what a message costs, and that
//! thread gives way to calls and sound. Bounded in how many are greeted at once, and in how long one may take.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pbx_sip::flow::source_of;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::transport::certificate::Identity;
use crate::transport::tcp::next;

/// Handshakes under way at once.
pub(super) const GREETINGS: usize = 1_024;

/// Of these, from one source: an address, or a household's network of IPv6.
pub(super) const GREETINGS_FROM_ONE: usize = 256;

/// Connections that were greeted and wait to be taken in.
const GREETED: usize = 64;

/// How often the files of the certificate are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// How far the thread that greets stands behind the others, as in nice(1).
const NICE: i32 = 5;

/// A connection whose handshake is done.
pub struct Greeted {
    /// Its octets, opened.
    pub stream: TlsStream<TcpStream>,
    /// Our address as it was reached.
    pub local: IpAddr,
    /// Who it is.
    pub remote: SocketAddr,
}

/// How a door greets.
pub(super) struct Manner {
    /// The name of its thread.
    pub name: &'static str,
    /// What is spoken after the handshake (RFC 7301); nothing where it goes without saying.
    pub speaks: &'static [&'static [u8]],
    /// How long a handshake may take.
    pub within: Duration,
    /// Would somebody from there be let in?
    pub has_room: Box<dyn Fn(SocketAddr) -> bool + Send>,
}

/// Greets whoever knocks at `listener`; those who were greeted come out.
pub(super) fn greet_at(listener: std::net::TcpListener, identity: Identity, manner: Manner) -> io::Result<mpsc::Receiver<Greeted>> {
    let (pass, passed) = mpsc::channel(GREETED);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name(manner.name.to_owned()).spawn(move || {
        let _ = rustix::process::nice(NICE);
        runtime.block_on(async {
            match TcpListener::from_std(listener) {
                Ok(listener) => Host { manner, pass, knocking: Arc::default() }.receive(listener, identity).await,
                Err(error) => tracing::error!(%error, "nobody is let in by TLS"),
            }
        });
    })?;
    Ok(passed)
}

struct Host {
    manner: Manner,
    pass: mpsc::Sender<Greeted>,
    knocking: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
}

impl Host {
    /// Until nobody takes connections in any more.
    async fn receive(self, listener: TcpListener, mut identity: Identity) {
        let mut config = identity.config();
        config.alpn_protocols = self.manner.speaks.iter().map(|protocol| protocol.to_vec()).collect();
        let config = Arc::new(config);
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                (socket, local, remote) = next(&listener) => {
                    if let Some(place) = self.place_for(remote) {
                        let pass = self.pass.clone();
                        tokio::spawn(greet(place, socket, local, remote, Arc::clone(&config), self.manner.within, pass));
                    }
                }
                _ = look.tick() => identity.look(),
                () = self.pass.closed() => return,
            }
        }
    }

    /// A place among those that are greeted, if there is one; who finds none is turned away.
    fn place_for(&self, remote: SocketAddr) -> Option<Place> {
        if !(self.manner.has_room)(remote) {
            return None;
        }
        let source = source_of(remote.ip());
        let mut knocking = self.knocking.lock().unwrap_or_else(PoisonError::into_inner);
        let from_one = knocking.get(&source).copied().unwrap_or(0);
        if from_one >= GREETINGS_FROM_ONE || knocking.values().sum::<usize>() >= GREETINGS {
            tracing::debug!(from_one, "too many handshakes at once; one was turned away");
            return None;
        }
        knocking.insert(source, from_one + 1);
        Some(Place { source, knocking: Arc::clone(&self.knocking) })
    }
}

/// One of those that are greeted; given back when dropped.
struct Place {
    source: IpAddr,
    knocking: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut knocking = self.knocking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(from_one) = knocking.get_mut(&self.source) {
            *from_one -= 1;
            if *from_one == 0 {
                knocking.remove(&self.source);
            }
        }
    }
}

async fn greet(
    place: Place,
    socket: TcpStream,
    local: IpAddr,
    remote: SocketAddr,
    config: Arc<ServerConfig>,
    within: Duration,
    pass: mpsc::Sender<Greeted>,
) {
    let greeted = tokio::time::timeout(within, TlsAcceptor::from(config).accept(socket)).await;
    drop(place);
    match greeted.map_err(|_| io::Error::from(io::ErrorKind::TimedOut)).flatten() {
        Ok(stream) => {
            let _ = pass.send(Greeted { stream, local, remote }).await;
        }
        Err(error) => tracing::debug!(%error, "a handshake of TLS came to nothing"),
    }
}
