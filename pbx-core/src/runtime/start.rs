//! Opens everything in order, and closes it again.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pbx_media::{Plane, PlaneConfig};
use pbx_sip::entropy::Entropy;
use pbx_sip::target::Target;
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
use crate::runtime::certificate::CertificateInUse;
use crate::runtime::event_loop::{Closing, EventLoop, Lookup};
use crate::runtime::keeper::Keeper;
use crate::runtime::{StatusBoard, StoreHealth, SwitchHandle, now};
use crate::store::{self, Db, StoreError};
use crate::transport::acme;
use crate::transport::admission::Admission;
use crate::transport::certificate::{CertificateError, Identity, own_names};
use crate::transport::challenges::Challenges;
use crate::transport::connections::{Connections, Limits, Told};
use crate::transport::finding_outer;
use crate::transport::https::Https;
use crate::transport::outer::Outer;
use crate::transport::resolver::{Doors, Resolver};
use crate::transport::trust::Trust;
use crate::transport::udp::Udp;
use crate::transport::websocket::WebSockets;
use crate::transport::{tcp, tls};

/// Where everything listens; `listening.json` in the data directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Listening {
    /// SIP over UDP.
    pub sip_udp: SocketAddr,
    /// SIP over TCP.
    pub sip_tcp: SocketAddr,
    /// SIP over TLS, unless it is off.
    pub sip_tls: Option<SocketAddr>,
    /// The administration.
    pub http: SocketAddr,
    /// The same, encrypted, unless it is off.
    pub https: Option<SocketAddr>,
}

/// Why the house does not open.
#[derive(Debug, Error)]
pub enum StartError {
    /// A port is taken or an address is not ours.
    #[error("{address} cannot be used for {what}: {error}")]
    Port {
        /// Which.
        address: SocketAddr,
        /// `SIP/UDP`, `SIP/TCP`, `SIP/TLS`, `HTTP`, `HTTPS`, `RTP`.
        what: &'static str,
        /// The variable that changes it.
        variable: &'static str,
        /// What the system says.
        error: std::io::Error,
    },
    /// The certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
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
    /// From the system's randomness too: tells this start from every other one.
    pub start: u64,
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
    /// The encrypted administration's door, for whoever serves it; given once.
    pub https: Option<Https>,
    /// SIP over WebSockets, for whoever moves their frames.
    pub websockets: WebSockets,
    /// What authorities of certificates look for, over HTTP.
    pub challenges: Challenges,
    /// Who we are to those that come by TLS.
    pub certificate: CertificateInUse,
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
    let Opening { config, db, directory, plan, realm, nonce_key, seed, start, http } = opening;
    raise_descriptors();
    let bindings = store::binding::all(&db).await?;
    let bans = store::ban::all(&db).await?;
    let subscriptions = store::subscription::all(&db).await?;
    let publications = store::publication::all(&db).await?;
    let spent = store::toll::spent(&db).await?;
    let (events, event_queue) = mpsc::channel(QUEUE);
    let (told, told_queue) = mpsc::channel(TOLD);
    let (drained_tell, drained) = oneshot::channel();
    let board = StatusBoard::new(start);
    let health = StoreHealth::default();
    let (keeper, kept) = Keeper::start(db.clone(), events.clone(), health.clone());
    let plane_config = PlaneConfig { address: media_address(&config), ports: config.rtp.ports.clone(), ..PlaneConfig::default() };
    let media_events = events.clone();
    // A full queue means that the switch is far behind; figures are told again, and so the plane never waits.
    let plane = Plane::start(plane_config, Box::new(move |event| tell_of_media(&media_events, event)))?;
    let domain_given = config.sip.domain.clone();
    let challenges = Challenges::default();
    let certificate = CertificateInUse::of(&config);
    let identity = config.sip.tls.map(|address| identity_at(&config, address)).transpose()?;
    let trust = Trust::new(&config.tls.authorities)?;
    let secured = config.http.secure.map(|address| -> Result<Https, StartError> {
        let port = |error| StartError::Port { address, what: "HTTPS", variable: "PBX_HTTPS", error };
        Https::listen(address, identity_at(&config, address)?.answering(challenges.clone())).map_err(port)
    });
    let https = secured.transpose()?;
    if !config.acme.names.is_empty() {
        let (wanted, files) = (config.acme.clone(), acme::Files::within(&config.data_dir));
        let (challenges, health) = (challenges.clone(), certificate.acme.clone());
        tokio::spawn(async move { acme::keep(&wanted, &files, &challenges, &health).await });
    }
    let websockets = WebSockets::new(limits(&config), told.clone());
    let websockets_of_loop = websockets.clone();
    let expiry = Expiry {
        least_s: config.sip.expires_least_s,
        most_s: config.sip.expires_most_s,
        usual_s: config.sip.expires_most_s.min(3_600),
    };
    let resolver = Resolver::new(&config.sip.name_servers, config.sip.udp.is_ipv6())?;
    let (waits, resolved) = (tokio::runtime::Handle::current(), events.clone());
    let listening_file = config.data_dir.join("listening.json");
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
            let heard_by_tls = identity.is_some();
            let (udp, tcp, tls) = match listen(&config, identity, trust.clone(), told) {
                Ok(doors) => doors,
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
                calls_per_extension: config.sip.calls_per_extension,
                user_agent: concat!("pbx/", env!("CARGO_PKG_VERSION")).to_owned(),
                timers: Timers::default(),
            };
            let mut switch = Switch::new(switch_config, directory, plan, bindings, Entropy::from_seed(seed).bytes(), now());
            switch.open_door(config.door.own_networks.clone(), bans, now());
            switch.resume_toll(spent, now());
            switch.resume_publications(publications, now());
            switch.resume_subscriptions(subscriptions, now());
            let own_networks = config.door.own_networks.clone();
            let within = move |ip| own_networks.iter().any(|network| network.contains(ip));
            let outer = Outer::new(config.sip.outer_address, within);
            let server = config.sip.stun_server.clone().filter(|_| config.sip.outer_address.is_none());
            let every = Duration::from_secs(config.sip.stun_every_s);
            let follows = follow_router(server, every, resolver.clone(), outer.clone(), resolved.clone());
            let doors = Doors { udp: udp.local(), tcp: tcp.local(), tls: tls.local(), outer: outer.clone() };
            let _ = ready_tell.send(Ok((doors.udp, doors.tcp, heard_by_tls.then_some(doors.tls))));
            let event_loop = EventLoop {
                lookup: Lookup { resolver, doors, trust, events: resolved, runtime: waits },
                switch,
                udp,
                tcp,
                tls,
                websockets: websockets_of_loop,
                told: told_queue,
                events: event_queue,
                outer,
                admission: Admission::new(config.sip.messages_per_second),
                plane,
                keeper,
                board: board_of_loop,
                drain: Duration::from_secs(config.stop.drain_s),
                drained: drained_tell,
                closing: Closing::default(),
            };
            tokio::select! {
                () = event_loop.run() => {}
                () = follows => {}
            }
        });
    })?;
    let (sip_udp, sip_tcp, sip_tls) =
        ready.await.map_err(|_| StartError::System(std::io::Error::other("the switch did not start")))??;
    let listening = Listening { sip_udp, sip_tcp, sip_tls, http, https: https.as_ref().map(Https::local) };
    Ok(Running {
        switch: SwitchHandle { events },
        board,
        health,
        listening,
        https,
        websockets,
        challenges,
        certificate,
        listening_file,
        db,
        drained,
        kept: Box::pin(kept),
    })
}

/// Asks where the world sees us, for as long as it is polled, and tells when that is elsewhere.
async fn follow_router(server: Option<Target>, every: Duration, resolver: Resolver, outer: Outer, events: mpsc::Sender<Event>) {
    let Some(server) = server else { return std::future::pending().await };
    let told = async |address| {
        if outer.address() != Some(address) {
            tracing::info!("the router has another address");
            outer.moved(address);
            let _ = events.send(Event::OuterMoved { address }).await;
        }
    };
    finding_outer::find(&server, every, &resolver, told).await;
}

/// Where sound is received: by both families where signalling is.
fn media_address(config: &Config) -> IpAddr {
    let six = [Some(config.sip.udp), Some(config.sip.tcp), config.sip.tls].into_iter().flatten().any(|door| door.is_ipv6());
    let everywhere = config.rtp.address == IpAddr::from(Ipv4Addr::UNSPECIFIED);
    if six && everywhere { Ipv6Addr::UNSPECIFIED.into() } else { config.rtp.address }
}

/// Opens the doors of SIP, on the thread that serves them.
fn listen(
    config: &Config,
    identity: Option<Identity>,
    trust: Trust,
    told: mpsc::Sender<Told>,
) -> Result<(Udp, Connections, Connections), StartError> {
    let port = |address, what, variable| move |error| StartError::Port { address, what, variable, error };
    let limits = limits(config);
    let udp = Udp::bind(config.sip.udp).map_err(port(config.sip.udp, "SIP/UDP", "PBX_SIP_UDP"))?;
    let tcp = tcp::listen(config.sip.tcp, limits, told.clone()).map_err(port(config.sip.tcp, "SIP/TCP", "PBX_SIP_TCP"))?;
    let tls = match config.sip.tls.zip(identity) {
        Some((address, identity)) => {
            tls::listen(address, identity, limits, trust, told).map_err(port(address, "SIP/TLS", "PBX_SIP_TLS"))?
        }
        None => tls::unheard(tcp.local().ip(), limits, trust, told),
    };
    Ok((udp, tcp, tls))
}

/// Of connections, each transport for itself.
fn limits(config: &Config) -> Limits {
    Limits::new(config.sip.connections, Duration::from_secs(u64::from(config.sip.expires_most_s) + 200))
}

/// Who we are to those that come by TLS to this address.
fn identity_at(config: &Config, address: SocketAddr) -> Result<Identity, CertificateError> {
    if !config.acme.names.is_empty() {
        // Until an authority has given us one, one of our own making.
        let folder = config.data_dir.join("tls").join("acme");
        return Identity::made_in(&folder, &config.acme.names);
    }
    if config.tls.certificate.as_os_str().is_empty() {
        return Identity::own(&config.data_dir, &own_names(&config.sip.domain, own_address(address)));
    }
    Identity::open(&config.tls.certificate, &config.tls.key)
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpStream, UdpSocket};
    use std::time::Instant;

    use pbx_sip::auth::Ha1;
    use pbx_switch::directory::{Access, Extension, ExtensionNumber, SiteKey};

    use super::*;
    use crate::config::DatabaseUrl;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_house_opens_answers_by_each_door_and_closes() {
        let folder = tempfile::tempdir().unwrap();
        let running = open(opening(folder.path(), local()).await).await.unwrap();
        running.announce().unwrap();
        let told: Listening = serde_json::from_slice(&std::fs::read(folder.path().join("listening.json")).unwrap()).unwrap();
        assert_eq!((told.sip_udp, told.sip_tcp), (running.listening.sip_udp, running.listening.sip_tcp));

        let phone = phone(told.sip_udp);
        assert!(ask(&phone, &request("OPTIONS", &phone, 1)).starts_with("SIP/2.0 200"));
        assert!(ask(&phone, &request("REGISTER", &phone, 2)).starts_with("SIP/2.0 401"));

        let mut stream = TcpStream::connect(told.sip_tcp).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let whole = request("OPTIONS", &phone, 3).replace("UDP", "TCP");
        stream
            .write_all((whole.clone() + &whole.replace("z9hG4bK3", "z9hG4bK4").replace("CSeq: 3", "CSeq: 4")).as_bytes())
            .unwrap();
        let mut answers = String::new();
        wait_until(|| {
            let mut buffer = [0; 4096];
            let length = stream.read(&mut buffer).unwrap();
            answers.push_str(&String::from_utf8_lossy(&buffer[..length]));
            answers.matches("SIP/2.0 200").count() == 2
        });

        running.stop().await;
        assert!(!folder.path().join("listening.json").exists());
        assert!(UdpSocket::bind(told.sip_udp).is_ok(), "the port is free again");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_new_binding_is_on_disk_when_its_phone_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let opening = opening(folder.path(), local()).await;
        let db = opening.db.clone();
        let running = open(opening).await.unwrap();
        let phone = phone(running.listening.sip_udp);
        let challenge = ask(&phone, &request("REGISTER", &phone, 1));
        let whole = request("REGISTER", &phone, 2).replace("\r\n\r\n", &format!("\r\n{}\r\n\r\n", credentials(&challenge)));
        let mut changes = running.board.watch(Some(0));
        assert!(ask(&phone, &whole).starts_with("SIP/2.0 200"));
        let stored = store::binding::all(&db).await.unwrap();
        assert_eq!(stored.iter().map(|binding| binding.aor.as_str()).collect::<Vec<_>>(), ["201"]);
        assert!(matches!(changes.next().await, Some(crate::runtime::News::Changes(told)) if told[0].sequence == 1));
        assert_eq!(running.board.read(|status| status.registrations.len()), 1);
        running.stop().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_database_that_takes_nothing_is_told_and_stops_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let opening = opening(folder.path(), local()).await;
        let db = opening.db.clone();
        let running = open(opening).await.unwrap();
        db.close().await;
        let phone = phone(running.listening.sip_udp);
        let challenge = ask(&phone, &request("REGISTER", &phone, 1));
        let whole = request("REGISTER", &phone, 2).replace("\r\n\r\n", &format!("\r\n{}\r\n\r\n", credentials(&challenge)));
        assert!(ask(&phone, &whole).starts_with("SIP/2.0 503"));
        assert!(running.health.is_failing() && running.health.code() == "broken");
        assert!(ask(&phone, &request("OPTIONS", &phone, 3)).starts_with("SIP/2.0 200"));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_port_that_is_taken_is_named_with_the_key_that_changes_it() {
        let folder = tempfile::tempdir().unwrap();
        let taken = UdpSocket::bind(local()).unwrap();
        let refused = open(opening(folder.path(), taken.local_addr().unwrap()).await).await;
        match refused.err() {
            Some(StartError::Port { address, what: "SIP/UDP", variable: "PBX_SIP_UDP", .. }) => {
                assert_eq!(address, taken.local_addr().unwrap());
            }
            other => panic!("{other:?}"),
        }
    }

    fn local() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    async fn opening(folder: &std::path::Path, udp: SocketAddr) -> Opening {
        let mut config = Config { data_dir: folder.to_owned(), ..Config::default() };
        (config.sip.udp, config.sip.tcp, config.sip.tls) = (udp, local(), Some(local()));
        config.http.secure = Some(local());
        config.rtp.address = local().ip();
        let number = ExtensionNumber::new("201").unwrap();
        let extension = Extension {
            number: number.clone(),
            name: "Accueil".to_owned(),
            site: SiteKey("main".to_owned()),
            email: None,
            enabled: true,
            ha1: Ha1::of("201", "realm", "secret"),
            access: Access::default(),
        };
        let directory = Directory { extensions: [(number, extension)].into(), ..Directory::default() };
        let plan = Dialplan::parse(include_str!("../../../dialplans/default.toml")).unwrap();
        Opening {
            db: Db::open(&DatabaseUrl::Sqlite, folder).await.unwrap(),
            config,
            directory: Arc::new(directory),
            plan: (Arc::new(plan), 1),
            realm: "realm".to_owned(),
            nonce_key: [1; 32],
            seed: [2; 32],
            start: 3,
            http: local(),
        }
    }

    fn phone(server: SocketAddr) -> UdpSocket {
        let phone = UdpSocket::bind(local()).unwrap();
        phone.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        phone.connect(server).unwrap();
        phone
    }

    fn request(method: &str, phone: &UdpSocket, cseq: u32) -> String {
        let here = phone.local_addr().unwrap();
        format!(
            "{method} sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{cseq};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:201@127.0.0.1>;tag=a\r\nTo: <sip:201@127.0.0.1>\r\nCall-ID: {here}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:201@{here}>\r\nContent-Length: 0\r\n\r\n"
        )
    }

    fn ask(phone: &UdpSocket, request: &str) -> String {
        phone.send(request.as_bytes()).unwrap();
        let mut buffer = [0; 4096];
        let length = phone.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    /// The answer to a SHA-256 challenge.
    fn credentials(challenge: &str) -> String {
        use sha2::{Digest, Sha256};
        let hash = |text: String| Sha256::digest(text).iter().map(|octet| format!("{octet:02x}")).collect::<String>();
        let nonce = challenge.split("nonce=\"").nth(1).unwrap().split('"').next().unwrap();
        let (ha1, ha2) = (hash("201:realm:secret".to_owned()), hash("REGISTER:sip:127.0.0.1".to_owned()));
        let response = hash(format!("{ha1}:{nonce}:00000001:c:auth:{ha2}"));
        format!(
            "Authorization: Digest username=\"201\", realm=\"realm\", nonce=\"{nonce}\", uri=\"sip:127.0.0.1\", \
             algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"c\", response=\"{response}\""
        )
    }

    /// Asks again until it is so; fails after 10 s.
    fn wait_until(mut so: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !so() {
            assert!(begun.elapsed() < Duration::from_secs(10), "it never came");
        }
    }
}
