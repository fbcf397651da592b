//! The certificate that is shown to those that come by TLS, and what is wrong with it.

use std::time::SystemTime;

use pbx_sip::clock::Wall;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::{Desk, Error, instant};
use crate::config::{Config, Tls};
use crate::runtime;
use crate::runtime::certificate::CertificateOrigin;

/// The certificate that is shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Certificate {
    /// `own`, `files`, `acme`: we made it, the administrator put it there, an authority gives it to us.
    pub origin: String,
    /// Whose it is: names and addresses.
    pub names: Vec<String>,
    /// Who says so; empty if nobody has a name there.
    pub issuer: String,
    /// It is of the house's own making: whoever comes has to be told to believe it.
    pub is_own_making: bool,
    /// RFC 3339.
    pub valid_from: String,
    /// RFC 3339.
    pub valid_until: String,
    /// SHA-256, as telephones show it.
    pub fingerprint: String,
    /// What is wrong, if anything: the catalogue's `certificate.trouble.<code>` and `certificate.remedy.<code>`.
    pub trouble: Option<String>,
}

/// The one that is shown now.
pub fn get(desk: &Desk) -> Result<Certificate, Error> {
    let live = desk.live().ok_or(Error::NotFound)?;
    let about = live.certificate.about().ok_or(Error::NotFound)?;
    let origin = match live.certificate.origin {
        CertificateOrigin::Own => "own",
        CertificateOrigin::Files => "files",
        CertificateOrigin::Acme => "acme",
    };
    let at = |time: SystemTime| {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        instant(Wall(i64::try_from(since.as_micros()).unwrap_or(i64::MAX)))
    };
    let domain = &desk.inner.config.sip.domain;
    Ok(Certificate {
        origin: origin.to_owned(),
        trouble: live.certificate.trouble(domain).map(str::to_owned),
        valid_from: at(about.from),
        valid_until: at(about.until),
        names: about.names,
        issuer: about.issuer,
        is_own_making: about.is_own_making,
        fingerprint: about.fingerprint,
    })
}

/// What is wrong with the files that a configuration names, for `pbx check`: the catalogue's `certificate.trouble.<code>`. None if nothing
/// is, or none are named.
pub fn check(config: &Config) -> Option<&'static str> {
    let Tls { certificate, key, .. } = &config.tls;
    if certificate.as_os_str().is_empty() { None } else { runtime::certificate::check(certificate, key, &config.sip.domain) }
}

#[cfg(test)]
mod tests {
    use crate::catalogue::{Lang, text};
    use crate::runtime::certificate::CODES;

    #[test]
    fn everything_wrong_with_a_certificate_has_its_words_and_a_remedy() {
        for code in CODES {
            for key in [format!("certificate.trouble.{code}"), format!("certificate.remedy.{code}")] {
                assert_ne!(text(Lang::Fr, &key, &[]), key);
            }
        }
    }
}
