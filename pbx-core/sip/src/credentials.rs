//! The other end of digest authentication: a challenge of somebody else's is answered, RFC 3261 22, RFC 7616 and RFC 8760.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::auth::{Algorithm, hex, md5, sha256};
use crate::message::{HeaderName, Message, list_entries, trimmed};

/// Who we are to somebody else's realm. Never shows its secret.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// The user name, which may differ from the one called.
    pub user: String,
    /// The secret.
    pub secret: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}, ..)", self.user)
    }
}

/// A challenge that we can answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// It came as 407, so the answer has another header.
    proxy: bool,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// `qop=auth` was offered.
    protected: bool,
    /// The secret was right, and only the nonce too old.
    pub stale: bool,
    /// How often this nonce was used.
    count: u32,
}

/// Octets of a realm, nonce or opaque that we give back.
const MOST: usize = 512;

impl Challenge {
    /// The strongest challenge of a 401 or 407 that we can answer; none if there is no such.
    pub fn of(response: &Message) -> Option<Challenge> {
        let proxy = response.status() == Some(407);
        let header = if proxy { HeaderName::ProxyAuthenticate } else { HeaderName::WwwAuthenticate };
        let challenges = response.headers(header).take(8).filter_map(|value| Challenge::parse(value, proxy));
        challenges.max_by_key(|challenge| challenge.algorithm == Algorithm::Sha256)
    }

    fn parse(value: &[u8], proxy: bool) -> Option<Challenge> {
        let (scheme, rest) = value.split_at_checked(7)?;
        if !scheme[..6].eq_ignore_ascii_case(b"Digest") {
            return None;
        }
        let (mut realm, mut nonce, mut opaque) = (None, None, None);
        let (mut algorithm, mut protected, mut stale) = (Some(Algorithm::Md5), None, false);
        for entry in list_entries(rest).take(32) {
            let entry = entry.ok()?;
            let equals = memchr::memchr(b'=', entry)?;
            let name = trimmed(&entry[..equals]).to_ascii_lowercase();
            let value = trimmed(&entry[equals + 1..]);
            let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
            // What is given back as it came must fit into a quoted string as it stands.
            let text = || std::str::from_utf8(value).ok().filter(|text| text.len() <= MOST).map(str::to_owned);
            match name.as_slice() {
                b"realm" => realm = text(),
                b"nonce" => nonce = text(),
                b"opaque" => opaque = text(),
                b"algorithm" => algorithm = Algorithm::named(value),
                b"qop" => {
                    let mut offered = value.split(|&byte| byte == b',');
                    protected = Some(offered.any(|qop| trimmed(qop).eq_ignore_ascii_case(b"auth")));
                }
                b"stale" => stale = value.eq_ignore_ascii_case(b"true"),
                _ => {}
            }
        }
        // Only a protection that we cannot give was offered (`auth-int`).
        if protected == Some(false) {
            return None;
        }
        let protected = protected == Some(true);
        Some(Challenge { proxy, realm: realm?, nonce: nonce?, opaque, algorithm: algorithm?, protected, stale, count: 0 })
    }

    /// Is it another nonce than that one's?
    pub fn is_new_to(&self, other: &Challenge) -> bool {
        self.nonce != other.nonce
    }

    /// The header that answers it for a request, under the next count of its nonce.
    pub fn answer(&mut self, credentials: &Credentials, method: &str, uri: &str, cnonce: &str) -> (HeaderName, String) {
        self.count += 1;
        let hash = |parts: &[&[u8]]| match self.algorithm {
            Algorithm::Md5 => hex(&md5(parts)),
            Algorithm::Sha256 => hex(&sha256(parts)),
        };
        let unescaped = |text: &str| text.replace("\\\"", "\"").replace("\\\\", "\\");
        let ha1 =
            hash(&[credentials.user.as_bytes(), b":", unescaped(&self.realm).as_bytes(), b":", credentials.secret.as_bytes()]);
        let ha2 = hash(&[method.as_bytes(), b":", uri.as_bytes()]);
        let count = format!("{:08x}", self.count);
        let (ha1, ha2, nonce) = (ha1.as_bytes(), ha2.as_bytes(), self.nonce.as_bytes());
        let response = if self.protected {
            hash(&[ha1, b":", nonce, b":", count.as_bytes(), b":", cnonce.as_bytes(), b":auth:", ha2])
        } else {
            hash(&[ha1, b":", nonce, b":", ha2])
        };
        let user = credentials.user.replace('\\', "\\\\").replace('"', "\\\"");
        let Challenge { realm, nonce, .. } = &self;
        let mut value = format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", algorithm={}",
            self.algorithm.as_str()
        );
        if self.protected {
            value.push_str(&format!(", qop=auth, nc={count}, cnonce=\"{cnonce}\""));
        }
        if let Some(opaque) = &self.opaque {
            value.push_str(&format!(", opaque=\"{opaque}\""));
        }
        (if self.proxy { HeaderName::ProxyAuthorization } else { HeaderName::Authorization }, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Builder;

    fn challenged(status: u16, values: &[&str]) -> Option<Challenge> {
        let header = if status == 407 { HeaderName::ProxyAuthenticate } else { HeaderName::WwwAuthenticate };
        let response = values.iter().fold(Builder::response(status, "x").header(HeaderName::CSeq, "1 GET"), |response, value| {
            response.header(header, value)
        });
        Challenge::of(&response.build())
    }

    fn mufasa() -> Credentials {
        Credentials { user: "Mufasa".to_owned(), secret: "Circle of Life".to_owned() }
    }

    #[test]
    fn the_examples_of_the_papers_come_out() {
        // RFC 7616 3.9.1: GET of the same resource by both algorithms.
        let realm = "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
        for (algorithm, wanted) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let mut challenge = challenged(401, &[&format!("{realm}, algorithm={algorithm}")]).unwrap();
            let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
            let (header, value) = challenge.answer(&mufasa(), "GET", "/dir/index.html", cnonce);
            assert!(value.contains(&format!("response=\"{wanted}\"")), "{value}");
            assert!(value.contains("nc=00000001") && value.contains("opaque=\"FQhe"), "{value}");
            assert_eq!(header, HeaderName::Authorization);
        }
    }

    #[test]
    fn a_challenge_without_qop_is_answered_as_of_old_and_by_a_proxy_in_its_own_header() {
        let mut challenge = challenged(407, &["Digest realm=\"a\", nonce=\"b\""]).unwrap();
        let (header, value) = challenge.answer(&mufasa(), "INVITE", "sip:15@a", "c");
        assert_eq!(header, HeaderName::ProxyAuthorization);
        assert!(!value.contains("qop") && !value.contains("cnonce"), "{value}");
    }

    #[test]
    fn the_strongest_that_we_can_answer_is_taken_and_nothing_else() {
        let both = ["Digest realm=\"a\", nonce=\"m\"", "Digest realm=\"a\", nonce=\"s\", algorithm=SHA-256"];
        assert_eq!(challenged(401, &both).map(|challenge| challenge.algorithm), Some(Algorithm::Sha256));
        for hopeless in [
            "Basic realm=\"a\"",
            "Digest realm=\"a\"",
            "Digest nonce=\"a\"",
            "Digest realm=\"a\", nonce=\"b\", algorithm=MD5-sess",
            "Digest realm=\"a\", nonce=\"b\", qop=\"auth-int\"",
            "Digest",
        ] {
            assert_eq!(challenged(401, &[hopeless]), None, "{hopeless}");
        }
        assert_eq!(challenged(401, &[&format!("Digest realm=\"a\", nonce=\"{}\"", "n".repeat(MOST + 1))]), None);
    }

    #[test]
    fn secrets_do_not_show() {
        assert_eq!(format!("{:?}", mufasa()), "Credentials(Mufasa, ..)");
    }
}
