//! Where a name leads (RFC 3263): NAPTR, SRV, A and AAAA become a list of hops in the order in which they are to be tried. Nothing waits
//! for it but whoever asked: it runs beside the thread that serves messages. The door of `hickory_resolver`.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::rdata::{NAPTR, SRV};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use pbx_sip::flow::{ConnectionId, Flow, Transport};
use pbx_sip::target::{ResolveError, Target};
use rand::RngExt;

use crate::transport::outer::Outer;
use crate::transport::trust::Trust;

/// Where to, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hop {
    /// How.
    pub transport: Transport,
    /// Where.
    pub remote: SocketAddr,
}

/// Where we listen, for our address on a way out.
#[derive(Clone)]
pub struct Doors {
    /// Datagrams.
    pub udp: SocketAddr,
    /// Connections.
    pub tcp: SocketAddr,
    /// Encrypted ones.
    pub tls: SocketAddr,
    /// Our address for those who are beyond the router.
    pub outer: Outer,
}

impl Doors {
    /// A way to a hop; none where we have no door of its kind, or no address of its family.
    fn way(&self, hop: Hop) -> Option<Flow> {
        let door = match hop.transport {
            Transport::Udp => self.udp,
            Transport::Tcp => self.tcp,
            Transport::Tls => self.tls,
            Transport::Ws | Transport::Wss => return None,
        };
        let ip = if door.ip().is_unspecified() { source_towards(hop.remote)? } else { door.ip() };
        let local = SocketAddr::new(self.outer.seen_from(hop.remote.ip(), ip), door.port());
        (ip.is_ipv4() == hop.remote.is_ipv4()).then_some(Flow {
            transport: hop.transport,
            local,
            remote: hop.remote,
            connection: ConnectionId::default(),
        })
    }
}

/// The address that the system would send from; nothing is sent.
fn source_towards(remote: SocketAddr) -> Option<IpAddr> {
    let any: SocketAddr =
        if remote.is_ipv4() { (std::net::Ipv4Addr::UNSPECIFIED, 0).into() } else { (std::net::Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = std::net::UdpSocket::bind(any).ok()?;
    socket.connect(remote).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Hops of one name; servers and addresses beyond are left out.
const MOST: usize = 16;

/// How long one question may take to one server, and how often it is asked.
const PATIENCE: Duration = Duration::from_millis(1_500);
const ATTEMPTS: usize = 2;

/// How long all questions of one name may take.
const WITHIN: Duration = Duration::from_secs(9);

/// Answers that are remembered.
const CACHED: u64 = 1_024;

/// An answer is remembered for as long as it says, within these; that there is none, shorter: somebody may be about to mend it.
const LEAST_TTL: Duration = Duration::from_secs(10);
const MOST_TTL: Duration = Duration::from_secs(3_600);
const MOST_TTL_OF_NONE: Duration = Duration::from_secs(30);

/// Names whose last hops are kept for the time when no name server answers.
const KEPT: usize = 256;

/// Asks name servers. Cloning is cheap.
#[derive(Clone)]
pub struct Resolver {
    names: TokioResolver,
    /// Can we reach addresses of IPv6?
    six: bool,
    kept: Arc<Mutex<BTreeMap<String, Vec<Hop>>>>,
}

impl Resolver {
    /// Asks these servers; those of the system if there are none. `six`: addresses of IPv6 are of use.
    pub fn new(servers: &[SocketAddr], six: bool) -> Result<Resolver, std::io::Error> {
        let broken = |error: NetError| std::io::Error::other(error.to_string());
        let mut builder = if servers.is_empty() {
            TokioResolver::builder_tokio().map_err(broken)?
        } else {
            let servers = servers.iter().map(server).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        let options = builder.options_mut();
        (options.timeout, options.attempts, options.cache_size) = (PATIENCE, ATTEMPTS, CACHED);
        (options.positive_min_ttl, options.positive_max_ttl) = (Some(LEAST_TTL), Some(MOST_TTL));
        options.negative_max_ttl = Some(MOST_TTL_OF_NONE);
        Ok(Resolver { names: builder.build().map_err(broken)?, six, kept: Arc::default() })
    }

    /// The hops of a target, the first to be tried first; at least one. Where no name server answers, those that it had last.
    pub async fn resolve(&self, target: &Target) -> Result<Vec<Hop>, ResolveError> {
        let (host, port, transport) = match target {
            Target::Address { address, transport } => return Ok(vec![Hop { transport: *transport, remote: *address }]),
            Target::Name { host, port, transport } => (host, *port, *transport),
        };
        let asked = tokio::time::timeout(WITHIN, self.ask(host, port, transport)).await;
        let known_as = format!("{host} {port:?} {transport:?}");
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match asked.unwrap_or(Err(ResolveError::NoAnswer)) {
            Ok(hops) => {
                if kept.len() < KEPT || kept.contains_key(&known_as) {
                    kept.insert(known_as, hops.clone());
                }
                Ok(hops)
            }
            Err(ResolveError::NoAnswer) if kept.contains_key(&known_as) => {
                tracing::warn!(host, "no name server answers; the addresses known last are used");
                Ok(kept[&known_as].clone())
            }
            Err(error) => Err(error),
        }
    }

    /// The ways to these, one after the other, our address on each filled in; who is met at the end of those by TLS, `trust` is told.
    /// What leads nowhere is left out, unless nothing is left.
    pub async fn ways(&self, targets: &[Target], doors: &Doors, trust: &Trust) -> Result<Vec<Flow>, ResolveError> {
        let found = join_all(targets.iter().map(|target| self.resolve(target))).await;
        for (target, hops) in targets.iter().zip(&found) {
            for hop in hops.iter().flatten().filter(|hop| hop.transport == Transport::Tls) {
                trust.expect(hop.remote, &target.host());
            }
        }
        let hops = gathered(found)?;
        let ways: Vec<Flow> = hops.into_iter().filter_map(|hop| doors.way(hop)).collect();
        if ways.is_empty() { Err(ResolveError::NoSuchName) } else { Ok(ways) }
    }

    async fn ask(&self, host: &str, port: Option<u16>, transport: Option<Transport>) -> Result<Vec<Hop>, ResolveError> {
        let name = name_of(host).ok_or(ResolveError::NoSuchName)?;
        match (port, transport) {
            (Some(port), transport) => self.addresses(&name, transport.unwrap_or(Transport::Udp), port).await,
            (None, Some(transport)) => {
                let service = service(host, transport);
                let (served, plain) =
                    tokio::join!(self.servers(&service, transport), self.addresses(&name, transport, transport.usual_port()));
                first_that_leads([served, plain])
            }
            // Asked at once and not one after the other: some routers answer only what they know, and are silent to the rest.
            (None, None) => {
                let [by_udp, by_tcp] = [Transport::Udp, Transport::Tcp].map(|transport| service(host, transport));
                let (pointed, udp, tcp, plain) = tokio::join!(
                    self.pointed(&name),
                    self.servers(&by_udp, Transport::Udp),
                    self.servers(&by_tcp, Transport::Tcp),
                    self.addresses(&name, Transport::Udp, Transport::Udp.usual_port())
                );
                let both = match (udp, tcp) {
                    (Ok(udp), tcp) => Ok(udp.into_iter().chain(tcp.unwrap_or_default()).take(MOST).collect()),
                    (Err(_), tcp) => tcp,
                };
                first_that_leads([pointed, both, plain])
            }
        }
    }

    /// By way of NAPTR (RFC 3263 4.1): the services that we speak, of the lowest order in which there is one.
    async fn pointed(&self, name: &Name) -> Result<Vec<Hop>, ResolveError> {
        let mut services: Vec<(u16, u16, Transport, Name)> = self
            .records(name, RecordType::NAPTR)
            .await?
            .iter()
            .filter_map(|data| if let RData::NAPTR(naptr) = data { Some(naptr) } else { None })
            .filter_map(|naptr| Some((naptr.order, naptr.preference, transport_of(naptr)?, naptr.replacement.clone())))
            .collect();
        services.sort_by_key(|(order, preference, ..)| (*order, *preference));
        let lowest = services.first().ok_or(ResolveError::NoSuchName)?.0;
        let asked = services.iter().take_while(|(order, ..)| *order == lowest).take(MOST);
        let found = join_all(asked.map(|(_, _, transport, service)| self.servers(service, *transport))).await;
        gathered(found)
    }

    /// By way of SRV (RFC 2782): lower priorities first, and of one priority by lot after their weights.
    async fn servers(&self, service: &Name, transport: Transport) -> Result<Vec<Hop>, ResolveError> {
        let found = self.records(service, RecordType::SRV).await?;
        let found: Vec<SRV> =
            found.into_iter().filter_map(|data| if let RData::SRV(srv) = data { Some(srv) } else { None }).collect();
        // A lone "." says that there is decidedly no such service.
        let drawn = drawn(found.into_iter().filter(|srv| !srv.target.is_root()).collect());
        let asked = drawn.iter().take(MOST).map(|srv| self.addresses(&srv.target, transport, srv.port));
        gathered(join_all(asked).await)
    }

    async fn addresses(&self, name: &Name, transport: Transport, port: u16) -> Result<Vec<Hop>, ResolveError> {
        let six = async { if self.six { self.records(name, RecordType::AAAA).await } else { Err(ResolveError::NoSuchName) } };
        let (four, six) = tokio::join!(self.records(name, RecordType::A), six);
        let hops = |records: Vec<RData>| -> Vec<Hop> {
            let addresses = records.iter().filter_map(RData::ip_addr);
            addresses.map(|ip| Hop { transport, remote: SocketAddr::new(ip, port) }).collect()
        };
        gathered([six.map(hops), four.map(hops)])
    }

    async fn records(&self, name: &Name, kind: RecordType) -> Result<Vec<RData>, ResolveError> {
        match self.names.lookup(name.clone(), kind).await {
            // An alias stands beside what it leads to.
            Ok(found) => Ok(found.answers().iter().map(|record| record.data.clone()).collect()),
            Err(error) if error.is_no_records_found() => Err(ResolveError::NoSuchName),
            Err(error) => {
                tracing::debug!(%error, %kind, "a name server did not say what it was asked");
                Err(ResolveError::NoAnswer)
            }
        }
    }
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let mut ways = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    ways.iter_mut().for_each(|way| way.port = address.port());
    NameServerConfig::new(address.ip(), true, ways.into())
}

/// With a dot in it a name is whole, and the system's search list is not for it.
fn name_of(host: &str) -> Option<Name> {
    let mut name = Name::from_ascii(host).ok()?;
    name.set_fqdn(host.contains('.'));
    Some(name)
}

/// What SRV is asked for (RFC 3263 4.1, RFC 5630): `_sip._udp.example.org`.
fn service(host: &str, transport: Transport) -> Name {
    let service = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
        // RFC 7118 names none for those that we would open, and we open none.
        Transport::Ws => "_sip._ws",
        Transport::Wss => "_sips._ws",
    };
    // A host that is no name was refused before; the root has no services.
    name_of(&format!("{service}.{host}")).unwrap_or_else(Name::root)
}

/// The transport of a service field, if it is one of ours and the record leads to SRV.
fn transport_of(naptr: &NAPTR) -> Option<Transport> {
    if !naptr.flags.eq_ignore_ascii_case(b"s") {
        return None;
    }
    let is = |service: &[u8]| naptr.services.eq_ignore_ascii_case(service);
    match () {
        () if is(b"SIP+D2U") => Some(Transport::Udp),
        () if is(b"SIP+D2T") => Some(Transport::Tcp),
        () if is(b"SIPS+D2T") => Some(Transport::Tls),
        () => None,
    }
}

/// In the order in which they are to be tried (RFC 2782).
fn drawn(mut servers: Vec<SRV>) -> Vec<SRV> {
    servers.truncate(4 * MOST);
    servers.sort_by_key(|srv| (srv.priority, srv.weight));
    let mut drawn = Vec::with_capacity(servers.len());
    while let Some(priority) = servers.first().map(|srv| srv.priority) {
        let same = servers.iter().take_while(|srv| srv.priority == priority).count();
        let total: u32 = servers[..same].iter().map(|srv| u32::from(srv.weight)).sum();
        let lot = rand::rng().random_range(0..=total);
        let mut sum = 0;
        let reached = servers[..same].iter().position(|srv| {
            sum += u32::from(srv.weight);
            sum >= lot
        });
        drawn.push(servers.remove(reached.unwrap_or(0)));
    }
    drawn
}

/// All hops one after the other, each once.
fn gathered(found: impl IntoIterator<Item = Result<Vec<Hop>, ResolveError>>) -> Result<Vec<Hop>, ResolveError> {
    let (mut hops, mut error) = (Vec::new(), ResolveError::NoSuchName);
    for each in found {
        match each {
            Ok(more) => {
                for hop in more {
                    if hops.len() < MOST && !hops.contains(&hop) && usable(hop.remote.ip()) {
                        hops.push(hop);
                    }
                }
            }
            Err(ResolveError::NoAnswer) => error = ResolveError::NoAnswer,
            Err(ResolveError::NoSuchName) => {}
        }
    }
    if hops.is_empty() { Err(error) } else { Ok(hops) }
}

/// Nobody is reached at an address that means everybody or nobody.
fn usable(ip: IpAddr) -> bool {
    !ip.is_unspecified() && !ip.is_multicast()
}

fn first_that_leads<const N: usize>(found: [Result<Vec<Hop>, ResolveError>; N]) -> Result<Vec<Hop>, ResolveError> {
    let silent = found.contains(&Err(ResolveError::NoAnswer));
    let none = if silent { ResolveError::NoAnswer } else { ResolveError::NoSuchName };
    found.into_iter().find_map(Result::ok).ok_or(none)
}

#[cfg(test)]
mod tests;
