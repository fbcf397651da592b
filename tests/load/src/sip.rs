//! As much of SIP as a phone under load needs, written for this tool alone: it is to be another voice than the product's.

use std::net::SocketAddrV4;

use md5::{Digest, Md5};

/// A message, read where it stands.
pub struct Message<'a> {
    first: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    /// What follows the empty line.
    pub body: &'a str,
}

impl<'a> Message<'a> {
    /// `None` for what is no text or has no first line.
    pub fn read(octets: &'a [u8]) -> Option<Message<'a>> {
        let text = std::str::from_utf8(octets).ok()?;
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let mut lines = head.split("\r\n");
        let first = lines.next().filter(|first| !first.is_empty())?;
        let headers = lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (long_name(name.trim()), value.trim()));
        Some(Message { first, headers: headers.collect(), body })
    }

    /// Of a response.
    pub fn status(&self) -> Option<u16> {
        self.first.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// Of a request.
    pub fn method(&self) -> &'a str {
        self.first.split(' ').next().unwrap_or_default()
    }

    /// Of a request.
    pub fn request_uri(&self) -> &'a str {
        self.first.split(' ').nth(1).unwrap_or_default()
    }

    /// The first header of a name, or nothing.
    pub fn header(&self, name: &str) -> &'a str {
        self.all(name).next().unwrap_or_default()
    }

    /// Every header of a name, in order.
    pub fn all(&self, name: &str) -> impl DoubleEndedIterator<Item = &'a str> {
        self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// Number and method.
    pub fn cseq(&self) -> (u32, &'a str) {
        let (number, method) = self.header("CSeq").split_once(' ').unwrap_or_default();
        (number.parse().unwrap_or(0), method.trim())
    }

    /// A response to this request with what every response copies; `more` are whole lines.
    pub fn answer(&self, status: &str, tag: &str, more: &str, body: &str) -> String {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for name in ["Via", "Record-Route"] {
            self.all(name).for_each(|value| text.push_str(&format!("{name}: {value}\r\n")));
        }
        let to = self.header("To");
        let tag = if to.contains(";tag=") { String::new() } else { format!(";tag={tag}") };
        text.push_str(&format!("From: {}\r\nTo: {to}{tag}\r\n", self.header("From")));
        text.push_str(&format!("Call-ID: {}\r\nCSeq: {}\r\n{more}", self.header("Call-ID"), self.header("CSeq")));
        ended(text, body)
    }

    /// An answer to this challenge: the header's name and value. Digest by MD5, the one algorithm that every server offers.
    pub fn credentials(&self, user: &str, secret: &str, method: &str, uri: &str) -> Option<(&'static str, String)> {
        let (asks, answers) = match self.status()? {
            401 => ("WWW-Authenticate", "Authorization"),
            407 => ("Proxy-Authenticate", "Proxy-Authorization"),
            _ => return None,
        };
        let challenge =
            self.all(asks).find(|one| parameter(one, "algorithm").is_none_or(|named| named.eq_ignore_ascii_case("MD5")))?;
        let (realm, nonce) = (parameter(challenge, "realm")?, parameter(challenge, "nonce")?);
        let secret = hash(&format!("{user}:{realm}:{secret}"));
        let asked = hash(&format!("{method}:{uri}"));
        let mut value = format!("Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", algorithm=MD5");
        let response = if parameter(challenge, "qop").is_some_and(|offered| offered.split(',').any(|one| one.trim() == "auth")) {
            value.push_str(", qop=auth, nc=00000001, cnonce=\"6c6f6164\"");
            hash(&format!("{secret}:{nonce}:00000001:6c6f6164:auth:{asked}"))
        } else {
            hash(&format!("{secret}:{nonce}:{asked}"))
        };
        value.push_str(&format!(", response=\"{response}\""));
        if let Some(opaque) = parameter(challenge, "opaque") {
            value.push_str(&format!(", opaque=\"{opaque}\""));
        }
        Some((answers, value))
    }
}

/// A message whose head is written, with its body.
pub fn ended(mut head: String, body: &str) -> String {
    if !body.is_empty() {
        head.push_str("Content-Type: application/sdp\r\n");
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    head
}

/// The URI of a `From`, `To` or `Contact`.
pub fn uri_of(value: &str) -> &str {
    match (value.find('<'), value.find('>')) {
        (Some(open), Some(close)) if open < close => &value[open + 1..close],
        _ => value.split(';').next().unwrap_or_default().trim(),
    }
}

/// The user of a `sip:` URI as a number; our phones have no other names.
pub fn user_of(uri: &str) -> Option<u32> {
    uri.strip_prefix("sip:")?.split(['@', ';']).next()?.parse().ok()
}

/// The `tag` of a `From` or `To`.
pub fn tag_of(value: &str) -> &str {
    value.split(";tag=").nth(1).unwrap_or_default().split(';').next().unwrap_or_default()
}

/// One audio stream in G.711.
pub fn description(at: SocketAddrV4, version: u32, direction: &str) -> String {
    let (ip, port) = (at.ip(), at.port());
    format!(
        "v=0\r\no=- 1 {version} IN IP4 {ip}\r\ns=load\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n\
         a=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na={direction}\r\n"
    )
}

/// Where a description says that its audio goes.
pub fn audio_of(description: &str) -> Option<SocketAddrV4> {
    let line = |prefix: &str| description.lines().filter_map(|line| line.strip_prefix(prefix)).next_back();
    let ip = line("c=IN IP4 ")?.trim().parse().ok()?;
    let port = line("m=audio ")?.split(' ').next()?.parse().ok()?;
    Some(SocketAddrV4::new(ip, port))
}

/// `name=value` or `name="value"` of a challenge.
fn parameter<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    let (_, list) = challenge.split_once(' ')?;
    let mut rest = list;
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_at(after.find(',').unwrap_or(after.len())),
        };
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(value.trim());
        }
        rest = next.trim_start_matches([',', ' ']);
    }
    None
}

fn hash(text: &str) -> String {
    Md5::digest(text).iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The names that may be written as one letter.
fn long_name(name: &str) -> &str {
    match name {
        "v" => "Via",
        "f" => "From",
        "t" => "To",
        "i" => "Call-ID",
        "m" => "Contact",
        "l" => "Content-Length",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_answered_as_the_rfc_does() {
        // RFC 2617 3.5, without qop: MD5(MD5(A1):nonce:MD5(A2)).
        let text = b"SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256\r\n\
                     WWW-Authenticate: Digest realm=\"r, s\",nonce=\"n=\",qop=\"auth\"\r\n\r\n";
        let message = Message::read(text).unwrap();
        let (name, value) = message.credentials("201", "secret", "REGISTER", "sip:h").unwrap();
        let wanted = hash(&format!("{}:n=:00000001:6c6f6164:auth:{}", hash("201:r, s:secret"), hash("REGISTER:sip:h")));
        assert_eq!(name, "Authorization");
        assert!(value.contains(&format!("response=\"{wanted}\"")) && value.contains("realm=\"r, s\""), "{value}");
    }

    #[test]
    fn compact_names_and_addresses_are_read() {
        let text = b"INVITE sip:202@192.0.2.1 SIP/2.0\r\nf: \"A\" <sip:201@h>;tag=x\r\nt: <sip:202@h>\r\nCSeq: 7 INVITE\r\n\r\n\
                     v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 4000 RTP/AVP 0\r\n";
        let message = Message::read(text).unwrap();
        assert_eq!((message.cseq(), user_of(uri_of(message.header("From")))), ((7, "INVITE"), Some(201)));
        assert_eq!((tag_of(message.header("From")), tag_of(message.header("To"))), ("x", ""));
        assert_eq!(audio_of(message.body), Some("192.0.2.9:4000".parse().unwrap()));
    }
}
