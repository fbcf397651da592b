//! Who we are to those that come by TLS: a certificate and its key, from files of the house's own or of the administrator's. Changed files
//! are taken up while connections go on; a pair that cannot be used leaves the one before it in place.

use std::fmt;
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, SanType};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};
use sha2::{Digest, Sha256};
use thiserror::Error;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::transport::challenges::Challenges;

/// Where the house keeps its own, in the data directory.
const FOLDER: &str = "tls";

/// How long a certificate of ours is good: phones may have been told to trust it, and nobody walks from phone to phone each year.
const GOOD_FOR: Duration = Duration::from_secs(10 * 365 * 86_400);

/// The largest file that is read.
const MOST_OCTETS: u64 = 1 << 20;

/// A certificate and its key that cannot be used.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// A file cannot be read or written.
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    /// There is none in the file.
    #[error("{0} holds no certificate in PEM")]
    NoCertificate(PathBuf),
    /// There is none in the file.
    #[error("{0} holds no private key in PEM that can be used")]
    NoKey(PathBuf),
    /// The key is another one's.
    #[error("the key in {0} is not the certificate's")]
    NotItsKey(PathBuf),
    /// Our own could not be made.
    #[error("no certificate could be made: {0}")]
    Made(String),
}

impl CertificateError {
    /// For the catalogue: `certificate.trouble.<code>`.
    pub fn code(&self) -> &'static str {
        match self {
            CertificateError::File(..) | CertificateError::Made(_) => "file",
            CertificateError::NoCertificate(_) => "no_certificate",
            CertificateError::NoKey(_) => "no_key",
            CertificateError::NotItsKey(_) => "not_its_key",
        }
    }
}

/// A certificate and its key in two files, as they are shown to who comes now.
pub struct Identity {
    certificate: PathBuf,
    key: PathBuf,
    shown: Arc<Shown>,
    /// The files as they were read last, and as they were when they were looked at last.
    read: State,
    seen: State,
}

/// What tells a file from what it was.
type State = [Option<(u64, i64, i64, u64)>; 2];

/// What is shown, and to authorities that look what they look for.
struct Shown {
    pair: RwLock<Arc<CertifiedKey>>,
    challenges: Challenges,
}

impl Identity {
    /// From these files.
    pub fn open(certificate: &Path, key: &Path) -> Result<Identity, CertificateError> {
        let state = state_of(certificate, key);
        let pair = RwLock::new(Arc::new(pair(certificate, key)?));
        let shown = Arc::new(Shown { pair, challenges: Challenges::default() });
        Ok(Identity { certificate: certificate.to_owned(), key: key.to_owned(), shown, read: state, seen: state })
    }

    /// The house's own, in its data directory; made for these names the first time.
    pub fn own(data_dir: &Path, names: &[String]) -> Result<Identity, CertificateError> {
        Identity::made_in(&data_dir.join(FOLDER), names)
    }

    /// From a folder; made there for these names the first time.
    pub fn made_in(folder: &Path, names: &[String]) -> Result<Identity, CertificateError> {
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        if !certificate.exists() || !key.exists() {
            let failed = |error| CertificateError::File(folder.to_owned(), error);
            std::fs::create_dir_all(folder).map_err(failed)?;
            let (certificate_text, key_text) = made(names).map_err(|error| CertificateError::Made(error.to_string()))?;
            write(&key, &key_text, 0o600).map_err(failed)?;
            write(&certificate, &certificate_text, 0o644).map_err(failed)?;
            tracing::info!(certificate = %certificate.display(), "a certificate was made");
        }
        Identity::open(&certificate, &key)
    }

    /// Shows authorities that look what they look for.
    pub fn answering(self, challenges: Challenges) -> Identity {
        let pair = RwLock::new(self.shown.pair());
        Identity { shown: Arc::new(Shown { pair, challenges }), ..self }
    }

    /// Looks whether the files have changed, and takes up what they hold now. Who writes two files is not done with the second one when
    /// the first has changed: they must have kept still since the last look.
    pub fn look(&mut self) {
        let state = state_of(&self.certificate, &self.key);
        let still = std::mem::replace(&mut self.seen, state) == state;
        if state == self.read || !still {
            return;
        }
        self.read = state;
        match pair(&self.certificate, &self.key) {
            Ok(pair) => {
                *self.shown.pair.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
                tracing::info!(certificate = %self.certificate.display(), "a changed certificate is in use");
            }
            Err(error) => tracing::error!(%error, "the changed certificate cannot be used; the one before it stays in use"),
        }
    }

    /// For those who come; what is looked up later is shown to those who come after that.
    pub(super) fn config(&self) -> ServerConfig {
        let builder = ServerConfig::builder_with_provider(provider());
        let builder = match builder.with_protocol_versions(&[&version::TLS13, &version::TLS12]) {
            Ok(builder) => builder,
            Err(error) => unreachable!("the provider has suites for both versions: {error}"),
        };
        let shown: Arc<dyn ResolvesServerCert> = Arc::<Shown>::clone(&self.shown);
        builder.with_no_client_auth().with_cert_resolver(shown)
    }
}

impl Shown {
    fn pair(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.pair.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.challenges.certificate(&hello).unwrap_or_else(|| self.pair()))
    }
}

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Whose it is: names and addresses.
    pub names: Vec<String>,
    /// Who says so.
    pub issuer: String,
    /// It says so itself.
    pub is_own_making: bool,
    /// From when it is good.
    pub from: SystemTime,
    /// Until when.
    pub until: SystemTime,
    /// SHA-256 of it, as telephones show it: `AB:CD:...`
    pub fingerprint: String,
}

impl About {
    /// The first certificate of a file in PEM; none if it cannot be read.
    pub fn of_file(file: &Path) -> Option<About> {
        let chain = certificates(file).ok()?;
        About::of(chain.first()?)
    }

    fn of(certificate: &[u8]) -> Option<About> {
        let (_, read) = X509Certificate::from_der(certificate).ok()?;
        let instant = |seconds: i64| SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let alternative = read.subject_alternative_name().ok().flatten();
        let names = alternative.iter().flat_map(|names| &names.value.general_names).filter_map(name_of).take(100).collect();
        let organisation =
            read.issuer().iter_organization().chain(read.issuer().iter_common_name()).find_map(|part| part.as_str().ok());
        let digest = Sha256::digest(certificate);
        Some(About {
            names,
            issuer: organisation.unwrap_or_default().to_owned(),
            is_own_making: read.issuer() == read.subject(),
            from: instant(read.validity().not_before.timestamp()),
            until: instant(read.validity().not_after.timestamp()),
            fingerprint: digest.iter().map(|octet| format!("{octet:02X}")).collect::<Vec<_>>().join(":"),
        })
    }

    /// Has somebody else said that all these names are ours?
    pub fn is_for(&self, names: &[String]) -> bool {
        !self.is_own_making && names.iter().all(|name| self.covers(name))
    }

    /// Does it hold for a name? A star stands for one label (RFC 9525 6.3).
    pub fn covers(&self, name: &str) -> bool {
        let name = name.trim_matches(['[', ']']);
        self.names.iter().any(|known| match known.strip_prefix("*.") {
            Some(rest) => name.split_once('.').is_some_and(|(_, parent)| parent.eq_ignore_ascii_case(rest)),
            None => known.eq_ignore_ascii_case(name),
        })
    }
}

fn name_of(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(octets) => match octets.len() {
            4 => <[u8; 4]>::try_from(*octets).ok().map(|octets| IpAddr::from(octets).to_string()),
            16 => <[u8; 16]>::try_from(*octets).ok().map(|octets| IpAddr::from(octets).to_string()),
            _ => None,
        },
        _ => None,
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a certificate")
    }
}

/// The one that the whole product uses; never the process's default, which another crate could have set.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn pair(certificate: &Path, key: &Path) -> Result<CertifiedKey, CertificateError> {
    let chain = certificates(certificate)?;
    let no_key = || CertificateError::NoKey(key.to_owned());
    let private = PrivateKeyDer::from_pem_slice(&octets(key)?).map_err(|_| no_key())?;
    let private = provider().key_provider.load_private_key(private).map_err(|_| no_key())?;
    let pair = CertifiedKey::new(chain, private);
    match pair.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(pair),
        Err(rustls::Error::InconsistentKeys(_)) => Err(CertificateError::NotItsKey(key.to_owned())),
        Err(_) => Err(CertificateError::NoCertificate(certificate.to_owned())),
    }
}

/// Those of a file in PEM; at least one.
pub(super) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let found = CertificateDer::pem_slice_iter(&octets(file)?).collect::<Result<Vec<_>, _>>().unwrap_or_default();
    if found.is_empty() { Err(CertificateError::NoCertificate(file.to_owned())) } else { Ok(found) }
}

fn octets(file: &Path) -> Result<Vec<u8>, CertificateError> {
    let failed = |error| CertificateError::File(file.to_owned(), error);
    if std::fs::metadata(file).map_err(failed)?.len() > MOST_OCTETS {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    std::fs::read(file).map_err(failed)
}

fn state_of(certificate: &Path, key: &Path) -> State {
    [certificate, key].map(|file| {
        let about = std::fs::metadata(file).ok()?;
        Some((about.ino(), about.mtime(), about.mtime_nsec(), about.len()))
    })
}

/// A certificate for these names, signed by its own key: P-256, which every phone of the last ten years knows.
fn made(names: &[String]) -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names)?;
    // Linphone 5.1 (mbed TLS 2) finds an address only where names stand; tests/blackbox/tls.rs shows it.
    for address in names.iter().filter(|name| name.parse::<IpAddr>().is_ok()) {
        params.subject_alt_names.push(SanType::DnsName(address.as_str().try_into()?));
    }
    params.distinguished_name = DistinguishedName::new();
    if let Some(name) = names.first() {
        params.distinguished_name.push(DnType::CommonName, name.as_str());
    }
    // A phone's clock may be behind.
    params.not_before = (SystemTime::now() - Duration::from_secs(86_400)).into();
    params.not_after = (SystemTime::now() + GOOD_FOR).into();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

/// Written whole or not at all, and never readable for others than `mode` says.
pub(super) fn write(file: &Path, text: &str, mode: u32) -> io::Result<()> {
    let part = file.with_extension("part");
    let _ = std::fs::remove_file(&part);
    let mut open = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&part)?;
    open.write_all(text.as_bytes())?;
    open.sync_all()?;
    std::fs::rename(&part, file)
}

/// The names that a certificate of ours is made for: what phones may have been given as our address, the domain first.
pub fn own_names(domain: &str, address: IpAddr) -> Vec<String> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let mut names = Vec::new();
    for name in [domain.trim_matches(['[', ']']), &address.to_string(), &host, "localhost"] {
        if !name.is_empty() && name.is_ascii() && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn our_own_is_made_once_and_its_key_is_ours_alone() {
        let folder = tempfile::tempdir().unwrap();
        let first = Identity::own(folder.path(), &own_names("pbx.example.org", "192.0.2.5".parse().unwrap())).unwrap();
        let key = folder.path().join("tls/key.pem");
        assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        let again = Identity::own(folder.path(), &["other.example.org".to_owned()]).unwrap();
        assert_eq!(shown(&first), shown(&again));
        std::fs::remove_file(key).unwrap();
        assert_ne!(shown(&first), shown(&Identity::own(folder.path(), &["pbx.example.org".to_owned()]).unwrap()));
    }

    #[test]
    fn what_phones_may_call_us_is_in_it_once() {
        let names = own_names("[2001:db8::5]", "2001:db8::5".parse().unwrap());
        assert_eq!((names[0].as_str(), names.iter().filter(|name| *name == "2001:db8::5").count()), ("2001:db8::5", 1));
        assert!(names.iter().any(|name| name == "localhost"));
        made(&names).unwrap();
    }

    #[test]
    fn a_changed_pair_is_shown_and_a_bad_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
        let put = |(first, second): (String, String)| {
            write(&certificate, &first, 0o644).unwrap();
            write(&key, &second, 0o600).unwrap();
        };
        put(made(&["a.example.org".to_owned()]).unwrap());
        let mut identity = Identity::open(&certificate, &key).unwrap();
        let first = shown(&identity);
        let (other, its_key) = made(&["b.example.org".to_owned()]).unwrap();
        // One file is written, and a look falls between the two.
        write(&certificate, &other, 0o644).unwrap();
        identity.look();
        write(&key, &its_key, 0o600).unwrap();
        identity.look();
        assert_eq!(shown(&identity), first, "it may still be written to");
        identity.look();
        let second = shown(&identity);
        assert_ne!(second, first);
        let (_, foreign) = made(&["c.example.org".to_owned()]).unwrap();
        for bad in [foreign.as_str(), "no key at all", ""] {
            write(&key, bad, 0o600).unwrap();
            identity.look();
            identity.look();
            assert_eq!(shown(&identity), second);
        }
        std::fs::remove_file(&certificate).unwrap();
        identity.look();
        identity.look();
        assert_eq!(shown(&identity), second);
        put(made(&["d.example.org".to_owned()]).unwrap());
        identity.look();
        identity.look();
        assert_ne!(shown(&identity), second, "and it goes on looking");
    }

    #[test]
    fn a_certificate_says_whose_it_is_and_until_when() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["pbx.example.org".to_owned(), "*.venue.example".to_owned(), "192.0.2.5".to_owned()];
        let identity = Identity::made_in(folder.path(), &names).unwrap();
        let about = About::of_file(&folder.path().join("certificate.pem")).unwrap();
        for (name, covered) in [
            ("PBX.example.org", true),
            ("sip.venue.example", true),
            ("a.b.venue.example", false),
            ("venue.example", false),
            ("192.0.2.5", true),
            ("192.0.2.6", false),
            ("", false),
        ] {
            assert_eq!(about.covers(name), covered, "{name}");
        }
        assert!(about.is_own_making && !about.is_for(&names), "it is our word alone");
        assert!(about.from < SystemTime::now() && about.until > SystemTime::now() + GOOD_FOR / 2);
        assert_eq!((about.fingerprint.len(), about.names.len()), (95, 4));
        assert_eq!(About::of(&shown(&identity)), Some(about));
        assert_eq!(About::of_file(&folder.path().join("key.pem")), None);
    }

    #[test]
    fn each_mistake_has_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name)
        };
        let (text, key_text) = made(&["a.example.org".to_owned()]).unwrap();
        let (_, foreign) = made(&["a.example.org".to_owned()]).unwrap();
        let (certificate, key) = (path("c", &text), path("k", &key_text));
        let broken = text.replacen("MII", "AAA", 1);
        let is = |certificate: &Path, key: &Path| Identity::open(certificate, key).err();
        assert!(is(&certificate, &key).is_none());
        assert!(matches!(is(&certificate, &path("f", &foreign)), Some(CertificateError::NotItsKey(_))));
        assert!(matches!(is(&key, &key), Some(CertificateError::NoCertificate(_))));
        assert!(matches!(is(&path("b", &broken), &key), Some(CertificateError::NoCertificate(_))));
        assert!(matches!(is(&certificate, &certificate), Some(CertificateError::NoKey(_))));
        assert!(matches!(is(&folder.path().join("nowhere"), &key), Some(CertificateError::File(_, _))));
    }

    fn shown(identity: &Identity) -> Vec<u8> {
        identity.shown.pair().cert[0].to_vec()
    }
}
