//! Digest authentication, RFC 3261 22, RFC 7616 and RFC 8760: nonces, challenges, verdicts.
//!
//! A nonce is the time it was made and an HMAC of that under a stored key, so nothing is kept until somebody proves to know a secret.
//! Secrets are never held: an extension has its HA1 for either algorithm.

use std::borrow::Cow;
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

    pub(crate) fn named(name: &[u8]) -> Option<Algorithm> {
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
            request.headers(header).filter_map(Credentials::parse).find(|found| *found.realm == *self.realm.as_bytes())
        else {
            return Verdict::Challenge { stale: false };
        };
        let Some(nonce) = self.opened(credentials.nonce) else { return Verdict::Challenge { stale: false } };
        let Ok(user) = std::str::from_utf8(&credentials.username) else { return Verdict::Challenge { stale: false } };
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
        let realm = self.realm.replace('\\', "\\\\").replace('"', "\\\"");
        let challenge = |algorithm: &Algorithm| {
            let name = algorithm.as_str();
            (*algorithm, format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={name}, qop=\"auth\"{stale}"))
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

    /// What only we can say of these words: sixteen octets of an HMAC, as digits. Never a nonce, which is signed for twelve octets alone.
    pub fn proof(&self, words: &[&[u8]]) -> String {
        let mut octets = Vec::from(*b"words of ours");
        for word in words {
            octets.extend((word.len() as u64).to_be_bytes());
            octets.extend(*word);
        }
        hex(&self.sign(&octets)[..16])
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
        let taken = self.used.entry(nonce).or_default().take(count);
        // Whether it was good or not: it stands in the table.
        while self.used.len() > MAX_NONCES
            && let Some(((made, _), _)) = self.used.pop_first()
        {
            self.floor = self.floor.max(made + Duration::from_micros(1));
        }
        taken
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
    /// Without the escapes of a quoted string: what was hashed is what was meant.
    username: Cow<'a, [u8]>,
    realm: Cow<'a, [u8]>,
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
                b"username" => username = Some(unescaped(value)),
                b"realm" => realm = Some(unescaped(value)),
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

/// A quoted string's content with its `\"` and `\\` undone.
fn unescaped(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&b'\\') {
        return Cow::Borrowed(value);
    }
    let (mut plain, mut escaped) = (Vec::with_capacity(value.len()), false);
    for &byte in value {
        escaped = byte == b'\\' && !escaped;
        if !escaped {
            plain.push(byte);
        }
    }
    Cow::Owned(plain)
}

pub(crate) fn md5(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Md5::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
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

pub(crate) fn hex(octets: &[u8]) -> String {
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Source, algorithm, user, realm, secret, method, URI, nonce, `nc`, `cnonce`, qop, response; RFC 2617 3.5, RFC 7616 3.9.1, and
    /// three computed with another implementation.
    const VECTORS: &str = "\
RFC 2617|MD5|Mufasa|testrealm@host.com|Circle Of Life|GET|/dir/index.html|dcd98b7102dd2f0e8b11d0f600bfb0c093|00000001|0a4f113b|auth|6629fae49393a05397450978507c4ef1
RFC 7616|MD5|Mufasa|http-auth@example.org|Circle of Life|GET|/dir/index.html|7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v|00000001|f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ|auth|8ca523f5e9506fed4657c9700eebdbec
RFC 7616|SHA-256|Mufasa|http-auth@example.org|Circle of Life|GET|/dir/index.html|7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v|00000001|f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ|auth|753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1
own|MD5|J\u{e4}s\u{f8}n Doe|api@example.org|Secret, or not?|REGISTER|sip:example.org|dcd98b7102dd2f0e8b11d0f600bfb0c093|0000000a|0a4f113b|auth|dce6bfca7fec00569ee0d0f0359de916
own|MD5|bob|pbx \"lab\"|zan:zibar|INVITE|sip:bob@biloxi.com;transport=tcp|dcd98b7102dd2f0e8b11d0f600bfb0c093|00000001|0a4f113b|auth|505dadc8b9541ae216484aaafd64849a
own|MD5|bob|biloxi.com|zanzibar|INVITE|sip:bob@biloxi.com|dcd98b7102dd2f0e8b11d0f600bfb0c093||||bf57e4e0d0bffc0fbaedce64d59add5e";

    #[test]
    fn published_responses_are_those_we_want() {
        let seen = VECTORS.lines().filter(|line| vector(&line.split('|').collect::<Vec<_>>())).count();
        assert_eq!(seen, 6);
    }

    #[test]
    fn the_vectors_beside_the_repository_are_those_we_want() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora/digest/vectors.tsv");
        let Ok(vectors) = std::fs::read_to_string(&file) else { return println!("no digest vectors beside the repository") };
        let (mut agreed, mut refused) = (0, 0);
        for line in vectors.lines().skip(1) {
            let mut columns: Vec<&str> = line.split('\t').collect();
            columns.remove(11);
            if vector(&columns) { agreed += 1 } else { refused += 1 }
        }
        assert_eq!((agreed, refused), (8, 4), "MD5-sess, auth-int, SHA-512-256 and SHA-256-sess are not offered");
    }

    /// Does the vector's response agree? False if its algorithm or qop is none of ours; it must then not be read at all.
    fn vector(columns: &[&str]) -> bool {
        let &[_, algorithm, user, realm, secret, method, uri, nonce, nc, cnonce, qop, response, ..] = columns else {
            panic!("{columns:?}")
        };
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let mut value = format!(
            "Digest username=\"{}\", realm=\"{}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", algorithm={algorithm}",
            quoted(user),
            quoted(realm)
        );
        if !qop.is_empty() {
            value.push_str(&format!(", qop={qop}, nc={nc}, cnonce=\"{cnonce}\""));
        }
        let known = matches!(algorithm, "MD5" | "SHA-256") && matches!(qop, "" | "auth");
        let Some(credentials) = Credentials::parse(value.as_bytes()) else {
            assert!(!known, "{value}");
            return false;
        };
        assert!(known, "{value}");
        assert_eq!(credentials.count, if nc.is_empty() { 1 } else { u32::from_str_radix(nc, 16).unwrap() });
        assert!(credentials.answers(method, &Ha1::of(user, realm, secret)), "{value}");
        assert!(!credentials.answers("BYE", &Ha1::of(user, realm, secret)), "another method");
        assert!(!credentials.answers(method, &Ha1::of(user, realm, "wrong")), "another secret");
        true
    }

    #[test]
    fn counts_within_the_window_are_taken_once_and_in_any_order() {
        let mut counts = Counts::default();
        assert!(!counts.take(0), "counts begin with one");
        for (count, fresh) in [(1, true), (1, false), (10, true), (3, true), (3, false), (10, false), (74, true), (10, false)] {
            assert_eq!(counts.take(count), fresh, "{count}");
        }
        assert!(counts.take(11), "63 below the highest");
        assert!(counts.take(u32::MAX) && !counts.take(u32::MAX) && !counts.take(74));
    }

    #[test]
    fn the_table_of_nonces_is_bounded_whatever_their_counts() {
        let now = Now { wall: Wall(1_000_000_000), ..Now::default() };
        let mut door = Authenticator::new("pbx", [1; 32], vec![Algorithm::Md5], Duration::from_secs(3600), now);
        for number in 0..MAX_NONCES as u32 + 50 {
            // A count of zero is never good, and must not cost memory all the same.
            assert!(!door.count((now.wall + Duration::from_micros(u64::from(number)), 1), 0, now));
        }
        assert_eq!(door.used.len(), MAX_NONCES);
        assert_eq!(door.floor, now.wall + Duration::from_micros(50), "what was pushed out is stale");
    }
}
