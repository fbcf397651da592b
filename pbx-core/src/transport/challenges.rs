//! What an authority of certificates is to find here while it looks whether a name is ours: a text over HTTP (RFC 8555 8.3), or a
//! certificate that nobody else is shown (RFC 8737).

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::ClientHello;
use rustls::sign::CertifiedKey;

use crate::transport::certificate::provider;

/// What is spoken by an authority that looks (RFC 8737 4).
pub const ACME_TLS: &[u8] = b"acme-tls/1";

/// The table. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub struct Challenges {
    shared: Arc<RwLock<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    /// By token.
    texts: BTreeMap<String, String>,
    /// By name.
    certificates: BTreeMap<String, Arc<CertifiedKey>>,
}

impl Challenges {
    /// The text of a token.
    pub fn text(&self, token: &str) -> Option<String> {
        self.shared.read().unwrap_or_else(PoisonError::into_inner).texts.get(token).cloned()
    }

    /// The certificate for whoever greets as an authority that looks; none for anybody else.
    pub fn certificate(&self, hello: &ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if !hello.alpn()?.any(|protocol| protocol == ACME_TLS) {
            return None;
        }
        let open = self.shared.read().unwrap_or_else(PoisonError::into_inner);
        open.certificates.get(&hello.server_name()?.to_ascii_lowercase()).cloned()
    }

    pub(super) fn show_text(&self, token: &str, text: &str) {
        self.shared.write().unwrap_or_else(PoisonError::into_inner).texts.insert(token.to_owned(), text.to_owned());
    }

    /// Of a name, with the digest of what proves that we asked.
    pub(super) fn show_certificate(&self, name: &str, digest: &[u8]) -> Result<(), rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new([name.to_owned()])?;
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let certificate = params.self_signed(&key)?;
        let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
        let private = provider().key_provider.load_private_key(private).map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
        let shown = Arc::new(CertifiedKey::new(vec![certificate.der().clone()], private));
        self.shared.write().unwrap_or_else(PoisonError::into_inner).certificates.insert(name.to_ascii_lowercase(), shown);
        Ok(())
    }

    pub(super) fn close(&self) {
        *self.shared.write().unwrap_or_else(PoisonError::into_inner) = Open::default();
    }
}
