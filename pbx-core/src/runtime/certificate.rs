//! The certificate that is shown to those that come by TLS: where it comes from, and what is wrong with it.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::config::Config;
use crate::transport::acme::{AcmeHealth, Files};
use crate::transport::certificate::{About, Identity};

/// So long before its end somebody has to look after it.
const SOON: Duration = Duration::from_secs(14 * 86_400);

/// The certificate that is shown to those that come by TLS.
#[derive(Clone, Debug)]
pub struct CertificateInUse {
    /// Its file.
    file: PathBuf,
    /// Whose it is.
    pub origin: CertificateOrigin,
    /// How the asking for it goes, where we ask.
    pub(super) acme: AcmeHealth,
}

/// Where a certificate comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateOrigin {
    /// We made it.
    Own,
    /// The administrator put it there.
    Files,
    /// An authority gave it to us.
    Acme,
}

impl CertificateInUse {
    /// As a house is configured.
    pub fn of(config: &Config) -> CertificateInUse {
        let (file, origin) = if !config.tls.certificate.as_os_str().is_empty() {
            (config.tls.certificate.clone(), CertificateOrigin::Files)
        } else if config.acme.names.is_empty() {
            (config.data_dir.join("tls").join("certificate.pem"), CertificateOrigin::Own)
        } else {
            (Files::within(&config.data_dir).certificate, CertificateOrigin::Acme)
        };
        CertificateInUse { file, origin, acme: AcmeHealth::default() }
    }

    /// What it says of itself.
    pub fn about(&self) -> Option<About> {
        About::of_file(&self.file)
    }

    /// What is wrong, one of [`CODES`]; none if nothing is.
    pub fn trouble(&self, domain: &str) -> Option<&'static str> {
        let asked = self.acme.failure().map(|failure| failure.code());
        asked.or_else(|| trouble(&self.about()?, domain, SystemTime::now()))
    }
}

/// What is wrong with a pair of files, for `pbx check`: one of [`CODES`]. None if nothing is.
pub fn check(certificate: &Path, key: &Path, domain: &str) -> Option<&'static str> {
    match Identity::open(certificate, key) {
        Err(error) => Some(error.code()),
        Ok(_) => trouble(&About::of_file(certificate)?, domain, SystemTime::now()),
    }
}

fn trouble(about: &About, domain: &str, now: SystemTime) -> Option<&'static str> {
    if about.until <= now {
        return Some("expired");
    }
    if about.from > now {
        return Some("not_yet");
    }
    if about.until <= now + SOON {
        return Some("expires_soon");
    }
    (!domain.is_empty() && !about.covers(domain)).then_some("not_the_domain")
}

/// Everything that can be wrong. The catalogue has a sentence and a remedy for each: `certificate.trouble.<code>`,
/// `certificate.remedy.<code>`.
pub const CODES: [&str; 16] = [
    "file",
    "no_certificate",
    "no_key",
    "not_its_key",
    "expired",
    "not_yet",
    "expires_soon",
    "not_the_domain",
    "unreachable",
    "connection",
    "dns",
    "unauthorized",
    "rate_limited",
    "caa",
    "refused",
    "disk",
];

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn what_is_wrong_is_named() {
        let now = SystemTime::UNIX_EPOCH + 20_000 * DAY;
        let about = |from, until| About {
            names: vec!["pbx.example.org".to_owned()],
            issuer: String::new(),
            is_own_making: false,
            from,
            until,
            fingerprint: String::new(),
        };
        let good = about(now - DAY, now + 60 * DAY);
        for (about, domain, wanted) in [
            (&good, "pbx.example.org", None),
            (&good, "", None),
            (&good, "other.example.org", Some("not_the_domain")),
            (&about(now - 2 * DAY, now - DAY), "", Some("expired")),
            (&about(now + DAY, now + 90 * DAY), "", Some("not_yet")),
            (&about(now - DAY, now + 10 * DAY), "", Some("expires_soon")),
        ] {
            assert_eq!(trouble(about, domain, now), wanted, "{about:?}");
        }
    }

    #[test]
    fn what_authorities_say_is_among_the_codes() {
        use crate::transport::acme::AcmeFailure;
        assert!(AcmeFailure::ALL.map(AcmeFailure::code).iter().all(|code| CODES.contains(code)));
    }

    #[test]
    fn files_that_cannot_be_used_are_named() {
        let folder = tempfile::tempdir().unwrap();
        Identity::made_in(folder.path(), &["pbx.example.org".to_owned()]).unwrap();
        let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
        assert_eq!(check(&certificate, &key, "pbx.example.org"), None);
        assert_eq!(check(&certificate, &key, "other.example.org"), Some("not_the_domain"));
        assert_eq!(check(&key, &key, ""), Some("no_certificate"));
        assert_eq!(check(&certificate, &certificate, ""), Some("no_key"));
        assert_eq!(check(&folder.path().join("nowhere"), &key, ""), Some("file"));
    }
}
