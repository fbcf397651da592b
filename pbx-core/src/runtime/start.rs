//! Opens everything in order, and closes it again.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pbx_media::{Plane, PlaneConfig};
use pbx_sip::entropy::Entropy;
use pbx_sip::transaction::Timers;
use pbx_switch::dialplan::Dialplan;
use pbx_switch::directory::Directory;
use pbx_switch::event::Event;
use pbx_switch::registrar::Expiry;
use pbx_switch::switch::{Switch, SwitchConfig};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::config::Config;
use crate::runtime::event_loop::{Closing, EventLoop};
use crate::runtime::keeper::Keeper;
use crate::runtime::{StatusBoard, StoreHealth, SwitchHandle, now};
use crate::store::{self, Db, StoreError};
use crate::transport::admission::Admission;
use crate::transport::tcp::{Tcp, TcpLimits};
use crate::transport::udp::Udp;

/// Where everything listens; `listening.json` in the data directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Listening {
    /// SIP over UDP.
    pub sip_udp: SocketAddr,
    /// SIP over TCP.
    pub sip_tcp: SocketAddr,
    /// The administration.
    pub http: SocketAddr,
}

/// Why the house does not open.
#[derive(Debug, Error)]
pub enum StartError {
    /// A port is taken or an address is not ours.
    #[error("{address} cannot be used for {what}: {error}")]
    Port {
        /// Which.
        address: SocketAddr,
        /// `SIP/UDP`, `SIP/TCP`, `HTTP`, `RTP`.
        what: &'static str,
        /// The variable that changes it.
        variable: &'static str,
        /// What the system says.
        error: std::io::Error,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Media.
    #[error(transparent)]
    Media(#[from] pbx_media::PlaneError),
    /// The thread of the event loop.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

/// What a house is opened with.
pub struct Opening {
    /// Its configuration.
    pub config: Config,
    /// Its database.
    pub db: Db,
    /// Who and what exists.
    pub directory: Arc<Directory>,
    /// The live plan and its revision.
    pub plan: (Arc<Dialplan>, i64),
    /// Digest realm.
    pub realm: String,
    /// Signs nonces.
    pub nonce_key: [u8; 32],
    /// From the system's randomness.
    pub seed: [u8; 32],
    /// Where the administration listens already.
    pub http: SocketAddr,
}

/// A house that is open.
pub struct Running {
    /// A way to tell the switch something.
    pub switch: SwitchHandle,
    /// What pages may know.
    pub board: StatusBoard,
    /// How the store does.
    pub health: StoreHealth,
    /// Where everything listens.
    pub listening: Listening,
    listening_file: PathBuf,
    db: Db,
    drained: oneshot::Receiver<()>,
    kept: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Events that wait for the switch.
const QUEUE: usize = 16_384;

/// Messages of connections that wait for the switch; beyond that connections wait, each for its turn.
const TOLD: usize = 256;

/// Opens the house.
pub async fn open(opening: Opening) -> Result<Running, StartError> {
    let Opening { config, db, directory, plan, realm, nonce_key, seed, http } = opening;
    raise_descriptors();
    let bindings = store::binding::all(&db).await?;
    let (events, event_queue) = mpsc::channel(QUEUE);
    let (told, told_queue) = mpsc::channel(TOLD);
    let (drained_tell, drained) = oneshot::channel();
    let board = StatusBoard::default();
    let health = StoreHealth::default();
    let (keeper, kept) = Keeper::start(db.clone(), events.clone(), health.clone());
    let plane_config = PlaneConfig { address: config.rtp.address, ports: config.rtp.ports.clone(), ..PlaneConfig::default() };
    let media_events = events.clone();
    // A full queue means that the switch is far behind; figures are told again, and so the plane never waits.
    let plane = Plane::start(plane_config, Box::new(move |event| tell_of_media(&media_events, event)))?;
    let domain_given = config.sip.domain.clone();
    let expiry = Expiry {
        least_s: config.sip.expires_least_s,
        most_s: config.sip.expires_most_s,
        usual_s: config.sip.expires_most_s.min(3_600),
    };
    let (ready_tell, ready) = oneshot::channel();
    let board_of_loop = board.clone();
    std::thread::Builder::new().name("switch".to_owned()).spawn(move || {
        let _ends = EndsWithTheSwitch;
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = ready_tell.send(Err(StartError::System(error)));
                return;
            }
        };
        runtime.block_on(async move {
            let port = |address, what, variable| move |error| StartError::Port { address, what, variable, error };
            let idle = Duration::from_secs(u64::from(config.sip.expires_most_s) + 200);
            let limits = TcpLimits::new(config.sip.connections, idle);
            let bound = Udp::bind(config.sip.udp).map_err(port(config.sip.udp, "SIP/UDP", "PBX_SIP_UDP")).and_then(|udp| {
                let tcp = Tcp::listen(config.sip.tcp, limits, told);
                Ok((udp, tcp.map_err(port(config.sip.tcp, "SIP/TCP", "PBX_SIP_TCP"))?))
            });
            let (udp, tcp) = match bound {
                Ok(bound) => bound,
                Err(error) => {
                    let _ = ready_tell.send(Err(error));
                    return;
                }
            };
            let domain = if domain_given.is_empty() { own_address(udp.local()).to_string() } else { domain_given };
            let switch_config = SwitchConfig {
                domain,
                realm,
                nonce_key,
                algorithms: config.sip.algorithms.clone(),
                md5_only: config.sip.md5_only.clone(),
                nonce_life: Duration::from_secs(300),
                expiry,
                ring_for: Duration::from_secs(config.sip.ring_s),
                dead_after: Duration::from_secs(config.sip.dead_s),
                most_calls: config.sip.calls,
                user_agent: concat!("pbx/", env!("CARGO_PKG_VERSION")).to_owned(),
                timers: Timers::default(),
            };
            let switch = Switch::new(switch_config, directory, plan, bindings, Entropy::from_seed(seed).bytes(), now());
            let _ = ready_tell.send(Ok((udp.local(), tcp.local())));
            let event_loop = EventLoop {
                switch,
                udp,
                tcp,
                told: told_queue,
                events: event_queue,
                admission: Admission::new(config.sip.messages_per_second),
                plane,
                keeper,
                board: board_of_loop,
                drain: Duration::from_secs(config.stop.drain_s),
                drained: drained_tell,
                closing: Closing::default(),
            };
            event_loop.run().await;
        });
    })?;
    let (sip_udp, sip_tcp) = ready.await.map_err(|_| StartError::System(std::io::Error::other("the switch did not start")))??;
    let listening = Listening { sip_udp, sip_tcp, http };
    let listening_file = config.data_dir.join("listening.json");
    Ok(Running { switch: SwitchHandle { events }, board, health, listening, listening_file, db, drained, kept: Box::pin(kept) })
}

impl Running {
    /// Writes `listening.json`: everything is ready.
    pub fn announce(&self) -> std::io::Result<()> {
        let part = self.listening_file.with_extension("json.part");
        std::fs::write(&part, serde_json::to_string_pretty(&self.listening).unwrap_or_default())?;
        std::fs::rename(&part, &self.listening_file)
    }

    /// No new calls; running ones end or time out; then everything is written and closed.
    pub async fn stop(self) {
        let _ = std::fs::remove_file(&self.listening_file);
        self.switch.tell(Event::Drain).await;
        let _ = self.drained.await;
        self.kept.await;
        self.db.close().await;
    }
}

/// A house whose switch is gone is silent and looks open. The switch catches its own faults; if one gets past it, the process ends, so
/// that whoever watches over it starts it anew: bindings and records are on disk.
struct EndsWithTheSwitch;

impl Drop for EndsWithTheSwitch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the switch has stopped by a fault; the process ends");
            std::process::exit(70);
        }
    }
}

/// Two descriptors for each leg and one for each connection are more than a shell allows at first; as many as the system allows.
fn raise_descriptors() {
    let limits = getrlimit(Resource::Nofile);
    if limits.current < limits.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limits.maximum, maximum: limits.maximum })
    {
        tracing::warn!(%error, "the limit of open descriptors could not be raised");
    }
}

fn tell_of_media(events: &mpsc::Sender<Event>, event: pbx_media_words::Event) {
    use pbx_media_words::Event as Media;
    let essential = matches!(event, Media::Closed { .. } | Media::PortsFree(_));
    if let Err(mpsc::error::TrySendError::Full(event)) = events.try_send(Event::Media(event))
        && essential
    {
        let _ = events.blocking_send(event);
    }
}

/// The address by which others reach this machine; the loopback if there is no other.
fn own_address(bound: SocketAddr) -> std::net::IpAddr {
    if !bound.ip().is_unspecified() {
        return bound.ip();
    }
    // Nothing is sent: the system only says which address it would use.
    let asked = std::net::UdpSocket::bind("0.0.0.0:0")
        .and_then(|socket| socket.connect(("192.0.2.1", 9)).and_then(|()| socket.local_addr()));
    asked.map_or(std::net::IpAddr::from([127, 0, 0, 1]), |address| address.ip())
}
