//! SIP and SDP as a phone writes and reads them: plain text, line by line. Shares no code with ours, so that it can tell when ours is
//! wrong.

use std::fmt::Write;

use md5::{Digest, Md5};

/// One message as it came.
#[derive(Clone, Debug)]
pub struct Text(pub String);

impl Text {
    pub fn read(octets: &[u8]) -> Text {
        Text(String::from_utf8_lossy(octets).into_owned())
    }

    fn first_line(&self) -> &str {
        self.0.split("\r\n").next().unwrap_or_default()
    }

    /// Of a response.
    pub fn status(&self) -> Option<u16> {
        self.0.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// Of a response, the method it answers.
    pub fn method(&self) -> &str {
        match self.status() {
            Some(_) => self.header("CSeq").and_then(|cseq| cseq.split(' ').nth(1)).unwrap_or_default(),
            None => self.0.split(' ').next().unwrap_or_default(),
        }
    }

    pub fn request_uri(&self) -> &str {
        self.first_line().split(' ').nth(1).unwrap_or_default()
    }

    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let head = self.0.split("\r\n\r\n").next().unwrap_or_default();
        head.split("\r\n").skip(1).filter_map(move |line| {
            let (found, value) = line.split_once(':')?;
            found.trim().eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        // Names are written in full by whoever we test, so a short search is enough.
        let head = &self.0[..self.0.find("\r\n\r\n").unwrap_or(self.0.len())];
        let mut rest = head;
        while let Some(at) = rest.find("\r\n") {
            rest = &rest[at + 2..];
            if rest.len() > name.len() && rest.as_bytes()[name.len()] == b':' && rest[..name.len()].eq_ignore_ascii_case(name) {
                return Some(rest[name.len() + 1..].split("\r\n").next().unwrap_or_default().trim());
            }
        }
        None
    }

    pub fn cseq(&self) -> u32 {
        self.header("CSeq").and_then(|cseq| cseq.split(' ').next()?.parse().ok()).unwrap_or(0)
    }

    pub fn call_id(&self) -> &str {
        self.header("Call-ID").unwrap_or_default()
    }

    pub fn branch(&self) -> &str {
        parameter(self.header("Via").unwrap_or_default(), "branch").unwrap_or_default()
    }

    /// Of To or From.
    pub fn tag(&self, name: &str) -> Option<&str> {
        parameter(self.header(name)?, "tag")
    }

    /// The URI of its Contact.
    pub fn contact(&self) -> Option<&str> {
        self.header("Contact").map(uri_of)
    }

    pub fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }
}

/// `name=` behind the URI of a header's value.
pub fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let behind = value.rfind('>').map_or(value, |end| &value[end + 1..]);
    behind.split(';').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
}

/// What stands between angle brackets.
pub fn uri_of(value: &str) -> &str {
    match (value.find('<'), value.find('>')) {
        (Some(start), Some(end)) => &value[start + 1..end],
        _ => value.split(';').next().unwrap_or_default(),
    }
}

/// Headers of a message, its body, its octets.
pub struct Writing(String);

impl Writing {
    pub fn new(first_line: &str) -> Writing {
        Writing(format!("{first_line}\r\n"))
    }

    pub fn header(mut self, name: &str, value: &str) -> Writing {
        let _ = write!(self.0, "{name}: {value}\r\n");
        self
    }

    /// A response to a request: what RFC 3261 8.2.6 has it copy.
    pub fn reply(request: &Text, status: u16, tag: &str) -> Writing {
        let mut reply = Writing::new(&format!("SIP/2.0 {status} Said"));
        for name in ["Via", "Record-Route"] {
            for value in request.headers(name) {
                reply = reply.header(name, value);
            }
        }
        let to = request.header("To").unwrap_or_default();
        let to = if status == 100 || request.tag("To").is_some() { to.to_owned() } else { format!("{to};tag={tag}") };
        reply = reply.header("From", request.header("From").unwrap_or_default()).header("To", &to);
        reply.header("Call-ID", request.call_id()).header("CSeq", request.header("CSeq").unwrap_or_default())
    }

    pub fn body(self, body: &str) -> String {
        let with_type = if body.is_empty() { self } else { self.header("Content-Type", "application/sdp") };
        with_type.raw_body(body)
    }

    /// What somebody says in a MESSAGE; `8200 letters` are so many.
    pub fn text(self, says: Option<&str>) -> String {
        let Some(says) = says else { return self.raw_body("") };
        let letters = says.strip_suffix(" letters").and_then(|count| count.parse().ok());
        let says = letters.map_or(says.to_owned(), |count| "x".repeat(count));
        self.header("Content-Type", "text/plain").raw_body(&says)
    }

    pub fn raw_body(self, body: &str) -> String {
        let length = body.len().to_string();
        format!("{}\r\n{body}", self.header("Content-Length", &length).0)
    }
}

/// Authorization for a challenge of algorithm MD5.
pub fn credentials(challenge: &str, user: &str, secret: &str, method: &str, uri: &str, count: u32) -> String {
    let quoted = |name: &str| {
        let at = challenge.find(&format!("{name}=\"")).map_or(0, |at| at + name.len() + 2);
        challenge[at..].split('"').next().unwrap_or_default()
    };
    let (realm, nonce) = (quoted("realm"), quoted("nonce"));
    let ha1 = md5(&format!("{user}:{realm}:{secret}"));
    let ha2 = md5(&format!("{method}:{uri}"));
    let response = md5(&format!("{ha1}:{nonce}:{count:08x}:c:auth:{ha2}"));
    format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", algorithm=MD5, qop=auth, nc={count:08x}, cnonce=\"c\""
    )
}

fn md5(text: &str) -> String {
    let mut hex = String::with_capacity(32);
    for octet in Md5::digest(text.as_bytes()) {
        let _ = write!(hex, "{octet:02x}");
    }
    hex
}

/// One audio stream. `codecs` as in `8,0,101` or, with a number of one's own, `96:opus/48000/2`.
pub fn sdp(address: &str, port: u16, version: u32, codecs: &str, direction: &str) -> String {
    let number = |codec: &str| codec.split(':').next().unwrap_or_default().to_owned();
    let numbers: Vec<String> = codecs.split(',').map(number).collect();
    let mut text = format!(
        "v=0\r\no=- 1 {version} IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\nm=audio {port} RTP/AVP {}\r\n",
        numbers.join(" ")
    );
    for codec in codecs.split(',') {
        let name = match codec.split_once(':') {
            Some((_, name)) => name,
            None if codec == "101" => "telephone-event/8000",
            None => continue,
        };
        let _ = write!(text, "a=rtpmap:{} {name}\r\n", number(codec));
    }
    let _ = write!(text, "a={direction}\r\n");
    text
}

/// What a description says, as far as phones of tests look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    pub port: u16,
    pub numbers: Vec<String>,
    pub direction: String,
    /// `savp`, `avp` with a key, `none`
    pub keys: String,
}

impl Described {
    pub fn read(body: &str) -> Option<Described> {
        let line = body.lines().find_map(|line| line.strip_prefix("m=audio "))?;
        let mut words = line.split(' ');
        let port = words.next()?.parse().ok()?;
        let keys = match (words.next()?, body.contains("a=crypto:")) {
            ("RTP/AVP", false) => "none",
            ("RTP/AVP", true) => "avp",
            ("RTP/SAVP", true) => "savp",
            other => panic!("{other:?}"),
        };
        let numbers = words.map(str::to_owned).collect();
        let directions = ["sendrecv", "sendonly", "recvonly", "inactive"];
        let said = body.lines().filter_map(|line| line.strip_prefix("a=")).find(|line| directions.contains(line));
        Some(Described { port, numbers, direction: said.unwrap_or("sendrecv").to_owned(), keys: keys.to_owned() })
    }
}
