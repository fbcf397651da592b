//! What a request asks for.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A request method, RFC 3261 7.1; case-sensitive, and without meaning for `%`-escapes (RFC 4475 3.1.1.5).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// RFC 3261 13
    Invite,
    /// RFC 3261 13.2.2.4
    Ack,
    /// RFC 3261 15
    Bye,
    /// RFC 3261 9
    Cancel,
    /// RFC 3261 10
    Register,
    /// RFC 3261 11
    Options,
    /// RFC 6086
    Info,
    /// RFC 3262
    Prack,
    /// RFC 3311
    Update,
    /// RFC 6665
    Subscribe,
    /// RFC 6665
    Notify,
    /// RFC 3903
    Publish,
    /// RFC 3515
    Refer,
    /// RFC 3428
    Message,
    /// Any other token, as it came.
    Other(Box<str>),
}

impl Method {
    /// Reads a method; `None` if it is not a token (RFC 3261 25.1).
    pub fn parse(text: &[u8]) -> Option<Method> {
        Some(match text {
            b"INVITE" => Method::Invite,
            b"ACK" => Method::Ack,
            b"BYE" => Method::Bye,
            b"CANCEL" => Method::Cancel,
            b"REGISTER" => Method::Register,
            b"OPTIONS" => Method::Options,
            b"INFO" => Method::Info,
            b"PRACK" => Method::Prack,
            b"UPDATE" => Method::Update,
            b"SUBSCRIBE" => Method::Subscribe,
            b"NOTIFY" => Method::Notify,
            b"PUBLISH" => Method::Publish,
            b"REFER" => Method::Refer,
            b"MESSAGE" => Method::Message,
            other => {
                if other.is_empty() || !other.iter().all(|&byte| is_token(byte)) {
                    return None;
                }
                Method::Other(std::str::from_utf8(other).ok()?.into())
            }
        })
    }

    /// As it stands on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Method::Invite => "INVITE",
            Method::Ack => "ACK",
            Method::Bye => "BYE",
            Method::Cancel => "CANCEL",
            Method::Register => "REGISTER",
            Method::Options => "OPTIONS",
            Method::Info => "INFO",
            Method::Prack => "PRACK",
            Method::Update => "UPDATE",
            Method::Subscribe => "SUBSCRIBE",
            Method::Notify => "NOTIFY",
            Method::Publish => "PUBLISH",
            Method::Refer => "REFER",
            Method::Message => "MESSAGE",
            Method::Other(name) => name,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Method {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Method {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Method, D::Error> {
        let name = String::deserialize(deserializer)?;
        Method::parse(name.as_bytes()).ok_or_else(|| serde::de::Error::custom("a SIP method is a token"))
    }
}

/// `token` of RFC 3261 25.1: alphanumeric or one of ``-.!%*_+`'~``.
pub(crate) fn is_token(byte: u8) -> bool {
    TOKEN[byte as usize]
}

const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric()
            || matches!(byte as u8, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_case_sensitive_tokens() {
        assert_eq!(Method::parse(b"INVITE"), Some(Method::Invite));
        assert_eq!(Method::parse(b"invite"), Some(Method::Other("invite".into())));
        assert_eq!(Method::parse(b"RE%47IST%45R"), Some(Method::Other("RE%47IST%45R".into())));
        assert_eq!(Method::parse(b""), None);
        assert_eq!(Method::parse(b"IN VITE"), None);
        assert_eq!(Method::parse(b"INV\xc3\x8fTE"), None);
    }

    #[test]
    fn each_method_reads_back_as_itself() {
        for name in ["INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "INFO", "PRACK", "UPDATE"].into_iter().chain([
            "SUBSCRIBE",
            "NOTIFY",
            "PUBLISH",
            "REFER",
            "MESSAGE",
            "NEWMETHOD",
        ]) {
            assert_eq!(Method::parse(name.as_bytes()).unwrap().as_str(), name);
        }
    }
}
