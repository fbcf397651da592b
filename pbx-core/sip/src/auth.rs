//! Digest authentication, RFC 3261 22, RFC 7616 and RFC 8760: nonces, challenges, verdicts.
//!
//! A nonce is the time it was made and an HMAC of that under a stored key, so nothing is kept until somebody proves to know a secret.
//! Secrets are never held: an extension has its HA1 for either algorithm.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::clock::{Now, Wall};
use crate::message::{HeaderName, Message};

/// H(user:realm:secret) for each algorithm; all that is kept of a secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ha1 {
    /// 16 octets.
    pub md5: [u8; 16],
    /// 32 octets.
    pub sha256: [u8; 32],
}

impl Ha1 {
    /// Of a user of a realm with a secret.
    pub fn of(user: &str, realm: &str, secret: &str) -> Ha1 {
        let parts = [user.as_bytes(), b":", realm.as_bytes(), b":", secret.as_bytes()];
        Ha1 { md5: md5(&parts), sha256: sha256(&parts) }
    }
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ha1(..)")
    }
}

/// A digest algorithm we offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// What every phone knows.
    #[serde(rename = "MD5")]
    Md5,
    /// RFC 8760
    #[serde(rename = "SHA-256")]
    Sha256,
}

impl Algorithm {
    /// As it stands in `algorithm=`.
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
        }
    }

    fn named(name: &[u8]) -> Option<Algorithm> {
        [Algorithm::Md5, Algorithm::Sha256].into_iter().find(|algorithm| algorithm.as_str().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// What came of looking at a request's credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It knows this user's secret.
    Agreed {
        /// The user name of the credentials.
        user: String,
    },
    /// No credentials for us, or their nonce is used up: challenge it.
    Challenge {
        /// The secret was right and only the nonce too old, so nobody needs to be asked for it again.
        stale: bool,
    },
    /// The secret is not that of the user, or nobody has that name; answered as [`Challenge`](Verdict::Challenge) is.
    Wrong {
        /// The user name of the credentials.
        user: String,
    },
}

/// One realm's door.
pub struct Authenticator {
    realm: String,
    key: Hmac<Sha256>,
    order: Vec<Algorithm>,
    life: Duration,
    /// Nonces made before this are stale: a restart forgets which counts were used, and so does a full table.
    floor: Wall,
    /// Numbers nonces made in the same microsecond.
    made: u32,
    used: BTreeMap<NonceId, Counts>,
}

/// When a nonce was made, and which of that instant's.
type NonceId = (Wall, u32);

/// Nonce counts seen: the highest, and which of the 64 below it.
#[derive(Clone, Copy, Default)]
struct Counts {
    highest: u32,
    seen: u64,
}

/// Nonces whose counts are remembered; beyond that the oldest goes stale.
pub const MAX_NONCES: usize = 65_536;

/// Octets of a nonce before base64: time, number, HMAC.
const NONCE: usize = 24;

impl Authenticator {
    /// A door for `realm`, its nonces signed with `key` and good for `life`, the algorithms offered in this order.
    pub fn new(realm: &str, key: [u8; 32], order: Vec<Algorithm>, life: Duration, now: Now) -> Authenticator {
        // An HMAC key of one block, filled up with zeros as RFC 2104 does with a shorter one.
        let mut block = [0; 64];
        block[..32].copy_from_slice(&key);
        let key = <Hmac<Sha256> as KeyInit>::new(&block.into());
        Authenticator { realm: realm.to_owned(), key, order, life, floor: now.wall, made: 0, used: BTreeMap::new() }
    }

    /// The protection realm.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// Looks at the credentials of a request. `ha1_of` is asked once, for the user named; a user that does not exist costs the same
    /// time as a wrong secret.
    pub fn check(&mut self, request: &Message, ha1_of: impl FnOnce(&str) -> Option<Ha1>, now: Now) -> Verdict {
        let header = if request.header(HeaderName::Authorization).is_some() {
            HeaderName::Authorization
        } else {
            HeaderName::ProxyAuthorization
        };
        let Some(credentials) =
            request.headers(header).filter_map(Credentials::parse).find(|found| found.realm == self.realm.as_bytes())
        else {
            return Verdict::Challenge { stale: false };
        };
        let Some(nonce) = self.opened(credentials.nonce) else { return Verdict::Challenge { stale: false } };
        let Ok(user) = std::str::from_utf8(credentials.username) else { return Verdict::Challenge { stale: false } };
        let known = ha1_of(user);
        let exists = known.is_some();
        let ha1 = known.unwrap_or(Ha1 { md5: [0; 16], sha256: [0; 32] });
        let right = credentials.answers(request.method().as_str(), &ha1);
        if !(exists & right) {
            return Verdict::Wrong { user: user.to_owned() };
        }
        if nonce.0 < self.floor || now.wall - nonce.0 > self.life || nonce.0 > now.wall + Duration::from_secs(5) {
            return Verdict::Challenge { stale: true };
        }
        if !self.count(nonce, credentials.count, now) {
            return Verdict::Challenge { stale: true };
        }
        Verdict::Agreed { user: user.to_owned() }
    }

    /// A challenge for each algorithm, as the value of a header of its own; all carry one nonce, which answers by either.
    pub fn challenges(&mut self, stale: bool, now: Now) -> Vec<(Algorithm, String)> {
        let nonce = self.nonce(now);
        let stale = if stale { ", stale=true" } else { "" };
        let challenge = |algorithm: &Algorithm| {
            let name = algorithm.as_str();
            (*algorithm, format!("Digest realm=\"{}\", nonce=\"{nonce}\", algorithm={name}, qop=\"auth\"{stale}", self.realm))
        };
        self.order.iter().map(challenge).collect()
    }

    fn nonce(&mut self, now: Now) -> String {
        self.made = self.made.wrapping_add(1);
        let mut octets = [0; NONCE];
        octets[..8].copy_from_slice(&now.wall.0.to_be_bytes());
        octets[8..12].copy_from_slice(&self.made.to_be_bytes());
        let signature = self.sign(&octets[..12]);
        octets[12..].copy_from_slice(&signature[..NONCE - 12]);
        hex(&octets)
    }

    fn sign(&self, octets: &[u8]) -> [u8; 32] {
        let mut mac = self.key.clone();
        mac.update(octets);
        mac.finalize().into_bytes().into()
    }

    /// The time in a nonce, if we made it.
    fn opened(&self, nonce: &[u8]) -> Option<NonceId> {
        let octets: [u8; NONCE] = unhex(nonce)?;
        let signature = self.sign(&octets[..12]);
        if !bool::from(octets[12..].ct_eq(&signature[..NONCE - 12])) {
            return None;
        }
        let time = i64::from_be_bytes(octets[..8].try_into().ok()?);
        Some((Wall(time), u32::from_be_bytes(octets[8..12].try_into().ok()?)))
    }

    /// Uses up one count of a nonce; false if it was used before, or lies 64 or more below the highest.
    fn count(&mut self, nonce: NonceId, count: u32, now: Now) -> bool {
        while let Some(oldest) = self.used.first_entry()
            && (now.wall - oldest.key().0 > self.life)
        {
            oldest.remove();
        }
        let counts = self.used.entry(nonce).or_default();
        if !counts.take(count) {
            return false;
        }
        if self.used.len() > MAX_NONCES
            && let Some(((made, _), _)) = self.used.pop_first()
        {
            self.floor = self.floor.max(made + Duration::from_micros(1));
        }
        true
    }
}

impl Counts {
    fn take(&mut self, count: u32) -> bool {
        if count > self.highest {
            let ahead = count - self.highest;
            self.seen = if ahead >= 64 { 0 } else { self.seen << ahead };
            self.seen |= 1;
            self.highest = count;
            return true;
        }
        let behind = self.highest - count;
        if count == 0 || behind >= 64 || self.seen >> behind & 1 == 1 {
            return false;
        }
        self.seen |= 1 << behind;
        true
    }
}

/// `Digest name=value, name="value" ...` of an Authorization header.
struct Credentials<'a> {
    username: &'a [u8],
    realm: &'a [u8],
    nonce: &'a [u8],
    uri: &'a [u8],
    response: &'a [u8],
    algorithm: Algorithm,
    /// `cnonce` and `nc` as they came, if `qop=auth` was chosen; without it (RFC 2069) the nonce is good for one use.
    protected: Option<(&'a [u8], &'a [u8])>,
    /// `nc`, eight hexadecimal digits.
    count: u32,
}

impl<'a> Credentials<'a> {
    fn parse(value: &'a [u8]) -> Option<Credentials<'a>> {
        let (scheme, rest) = value.split_at_checked(7)?;
        if !scheme[..6].eq_ignore_ascii_case(b"Digest") || !crate::message::is_blank(scheme[6]) {
            return None;
        }
        let (mut username, mut realm, mut nonce, mut uri, mut response) = (None, None, None, None, None);
        let (mut algorithm, mut qop, mut cnonce, mut nc) = (Some(Algorithm::Md5), None, None, None);
        for entry in crate::message::list_entries(rest).take(32) {
            let entry = entry.ok()?;
            let equals = memchr::memchr(b'=', entry)?;
            let (name, value) = (crate::message::trimmed(&entry[..equals]), crate::message::trimmed(&entry[equals + 1..]));
            let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
            match name.to_ascii_lowercase().as_slice() {
                b"username" => username = Some(value),
                b"realm" => realm = Some(value),
                b"nonce" => nonce = Some(value),
                b"uri" => uri = Some(value),
                b"response" => response = Some(value),
                b"algorithm" => algorithm = Algorithm::named(value),
                b"qop" => qop = Some(value),
                b"cnonce" => cnonce = Some(value),
                b"nc" => nc = Some(value),
                _ => {}
            }
        }
        let (protected, count) = match qop {
            Some(qop) if qop.eq_ignore_ascii_case(b"auth") => {
                let nc = nc?;
                let digits = std::str::from_utf8(nc).ok().filter(|digits| digits.len() <= 8 && !digits.starts_with('+'))?;
                (Some((cnonce?, nc)), u32::from_str_radix(digits, 16).ok()?)
            }
            Some(_) => return None,
            None => (None, 1),
        };
        Some(Credentials {
            username: username?,
            realm: realm?,
            nonce: nonce?,
            uri: uri?,
            response: response?,
            algorithm: algorithm?,
            protected,
            count,
        })
    }

    /// Is the response that of somebody who knows the secret behind this HA1? Compared in constant time.
    fn answers(&self, method: &str, ha1: &Ha1) -> bool {
        match self.algorithm {
            Algorithm::Md5 => self.agrees(method, &ha1.md5, md5),
            Algorithm::Sha256 => self.agrees(method, &ha1.sha256, sha256),
        }
    }

    fn agrees<const N: usize>(&self, method: &str, ha1: &[u8; N], hash: impl Fn(&[&[u8]]) -> [u8; N]) -> bool {
        let (mut ha1_room, mut ha2_room, mut room) = ([0; 64], [0; 64], [0; 64]);
        let ha1 = hex_into(&mut ha1_room, ha1);
        let ha2 = hash(&[method.as_bytes(), b":", self.uri]);
        let ha2 = hex_into(&mut ha2_room, &ha2);
        let wanted = match self.protected {
            Some((cnonce, nc)) => hash(&[ha1, b":", self.nonce, b":", nc, b":", cnonce, b":auth:", ha2]),
            None => hash(&[ha1, b":", self.nonce, b":", ha2]),
        };
        let wanted = hex_into(&mut room, &wanted);
        self.response.len() == wanted.len() && bool::from(self.response.to_ascii_lowercase().ct_eq(wanted))
    }
}

fn md5(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Md5::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn hex_into<'a>(room: &'a mut [u8; 64], octets: &[u8]) -> &'a [u8] {
    for (pair, octet) in room.chunks_exact_mut(2).zip(octets) {
        pair[0] = DIGITS[usize::from(octet >> 4)];
        pair[1] = DIGITS[usize::from(octet & 15)];
    }
    &room[..octets.len() * 2]
}

fn hex(octets: &[u8]) -> String {
    octets.iter().flat_map(|octet| [octet >> 4, octet & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

fn unhex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != N * 2 {
        return None;
    }
    let mut octets = [0; N];
    for (octet, pair) in octets.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        *octet = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()?;
    }
    Some(octets)
}
