//! Whom we believe when it is us who open a connection of TLS. Only carriers' servers are met that way: each must show a certificate of
//! the name that its line says (RFC 5922 4), by an authority that this machine knows or that the administrator named. The door of
//! `rustls_native_certs`.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, version};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::transport::certificate::{CertificateError, certificates, provider};
use crate::transport::tls::Session;

/// Servers whose names are remembered.
const MOST: usize = 1_024;

/// Who is expected where, and whom to believe. Cloning is cheap.
#[derive(Clone)]
pub struct Trust {
    authorities: Arc<[CertificateDer<'static>]>,
    expected: Arc<Mutex<BTreeMap<SocketAddr, ServerName<'static>>>>,
    /// Made when the first connection is opened: most houses open none, and the machine's authorities take their room.
    config: Arc<OnceLock<Arc<ClientConfig>>>,
}

impl Trust {
    /// In whom the machine trusts, and in those of this file, if one is named.
    pub fn new(authorities: &Path) -> Result<Trust, CertificateError> {
        let authorities = if authorities.as_os_str().is_empty() { Vec::new() } else { certificates(authorities)? };
        Ok(Trust { authorities: authorities.into(), expected: Arc::default(), config: Arc::default() })
    }

    /// A line's server of this name was found there.
    pub fn expect(&self, remote: SocketAddr, host: &str) {
        let Ok(name) = ServerName::try_from(host.to_owned()) else { return };
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        if expected.len() >= MOST && !expected.contains_key(&remote) {
            expected.pop_first();
        }
        expected.insert(remote, name);
    }

    /// Is somebody expected there? Nobody else is spoken to.
    pub(super) fn expects(&self, remote: SocketAddr) -> bool {
        self.expected(remote).is_some()
    }

    /// The handshake, at the end of which it is whom we expected.
    pub(super) async fn meet(&self, remote: SocketAddr, socket: TcpStream) -> io::Result<Session> {
        let name = self.expected(remote).ok_or(io::ErrorKind::NotFound)?;
        let config = Arc::clone(self.config.get_or_init(|| self.believing()));
        let (socket, tls) = TlsConnector::from(config).connect(name, socket).await?.into_inner();
        Ok(Session::new(socket, tls.into()))
    }

    fn expected(&self, remote: SocketAddr) -> Option<ServerName<'static>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner).get(&remote).cloned()
    }

    fn believing(&self) -> Arc<ClientConfig> {
        let known = rustls_native_certs::load_native_certs();
        for error in known.errors {
            tracing::debug!(%error, "a certificate of this machine's authorities cannot be read");
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(known.certs);
        roots.add_parsable_certificates(self.authorities.iter().cloned());
        if roots.is_empty() {
            tracing::warn!("this machine knows no authority: no carrier is believed by TLS (Debian package ca-certificates)");
        }
        let builder = ClientConfig::builder_with_provider(provider());
        let builder = match builder.with_protocol_versions(&[&version::TLS13, &version::TLS12]) {
            Ok(builder) => builder,
            Err(error) => unreachable!("the provider has suites for both versions: {error}"),
        };
        Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

/// Did a handshake fail because the other side is not whom we expected?
pub(super) fn is_distrust(error: &io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(cause, Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::path::PathBuf;
    use std::time::Duration;

    use bytes::Bytes;
    use pbx_sip::flow::{ConnectionId, Flow, Transport};
    use tokio::sync::mpsc;

    use super::*;
    use crate::transport::certificate::Identity;
    use crate::transport::connections::{Connections, Limits, Told};
    use crate::transport::tls;

    const OPTIONS: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n";

    #[tokio::test]
    async fn who_proves_its_name_is_spoken_to_and_heard() {
        let mut carrier = Carrier::open("sip.carrier.test");
        let mut house = House::open(&carrier.certificate(), &carrier, Some("sip.carrier.test"));
        house.say(&carrier);
        let Some(Told::Message(flow, octets)) = in_time(carrier.told.recv()).await else { panic!("nothing came") };
        assert_eq!(octets, OPTIONS);
        carrier.tls.send(&flow, Bytes::from_static(OPTIONS));
        assert!(matches!(in_time(house.told.recv()).await, Some(Told::Message(_, answer)) if answer == OPTIONS));
    }

    #[tokio::test]
    async fn who_has_another_name_hears_nothing() {
        let mut carrier = Carrier::open("sip.elsewhere.test");
        House::open(&carrier.certificate(), &carrier, Some("sip.carrier.test")).meets_nobody(&mut carrier).await;
    }

    #[tokio::test]
    async fn who_vouches_for_itself_hears_nothing() {
        let mut carrier = Carrier::open("sip.carrier.test");
        House::open(Path::new(""), &carrier, Some("sip.carrier.test")).meets_nobody(&mut carrier).await;
    }

    #[tokio::test]
    async fn who_is_not_expected_is_not_met() {
        let carrier = Carrier::open("sip.carrier.test");
        let mut house = House::open(&carrier.certificate(), &carrier, None);
        house.say(&carrier);
        assert!(matches!(in_time(house.told.recv()).await, Some(Told::Closed(_))));
        assert_eq!(carrier.tls.connections(), 0);
    }

    #[test]
    fn a_file_without_authorities_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("authorities.pem");
        assert!(matches!(Trust::new(&file), Err(CertificateError::File(..))));
        std::fs::write(&file, "nothing").unwrap();
        assert!(matches!(Trust::new(&file), Err(CertificateError::NoCertificate(_))));
    }

    #[test]
    fn names_are_bounded() {
        let trust = Trust::new(Path::new("")).unwrap();
        for port in 0..=u16::try_from(MOST).unwrap() {
            trust.expect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), "sip.carrier.test");
        }
        assert_eq!(trust.expected.lock().unwrap().len(), MOST);
        trust.expect(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)), "no name");
    }

    struct Carrier {
        tls: Connections,
        told: mpsc::Receiver<Told>,
        folder: tempfile::TempDir,
    }

    impl Carrier {
        fn open(name: &str) -> Carrier {
            let folder = tempfile::tempdir().unwrap();
            let identity = Identity::own(folder.path(), &[name.to_owned()]).unwrap();
            let (tell, told) = mpsc::channel(16);
            let nobody = Trust::new(Path::new("")).unwrap();
            let tls = tls::listen("127.0.0.1:0".parse().unwrap(), identity, limits(), nobody, tell).unwrap();
            Carrier { tls, told, folder }
        }

        fn certificate(&self) -> PathBuf {
            self.folder.path().join("tls/certificate.pem")
        }
    }

    struct House {
        tls: Connections,
        told: mpsc::Receiver<Told>,
    }

    impl House {
        fn open(authorities: &Path, carrier: &Carrier, expected: Option<&str>) -> House {
            let trust = Trust::new(authorities).unwrap();
            if let Some(name) = expected {
                trust.expect(carrier.tls.local(), name);
            }
            let (tell, told) = mpsc::channel(16);
            House { tls: tls::unheard(IpAddr::from(Ipv4Addr::LOCALHOST), limits(), trust, tell), told }
        }

        fn say(&self, carrier: &Carrier) {
            let (local, remote) = (self.tls.local(), carrier.tls.local());
            let flow = Flow { transport: Transport::Tls, local, remote, connection: ConnectionId::default() };
            self.tls.send(&flow, Bytes::from_static(OPTIONS));
        }

        async fn meets_nobody(mut self, carrier: &mut Carrier) {
            self.say(carrier);
            assert!(matches!(in_time(self.told.recv()).await, Some(Told::Distrusted(_))));
            assert!(matches!(in_time(self.told.recv()).await, Some(Told::Closed(_))));
            assert!(carrier.told.try_recv().is_err());
        }
    }

    fn limits() -> Limits {
        Limits::new(16, Duration::from_secs(60))
    }

    async fn in_time<T>(future: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(20), future).await.unwrap()
    }
}
