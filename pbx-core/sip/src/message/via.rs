//! Via: the path a response travels back, RFC 3261 20.42 and RFC 3581.

use crate::message::params::{Params, entries, trim, trim_start};
use crate::message::{Flaw, method};

/// One Via entry, `SIP/2.0/UDP host:port;params`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// `SIP`, or whatever else an element below spoke: it is the topmost alone that we read.
    pub protocol: &'a str,
    /// `2.0`; a request of another version is refused as a whole, and its refusal has to find the way back (RFC 4475 3.1.2.16).
    pub version: &'a str,
    /// `UDP`, `TCP`, `TLS`, `WS`, or what came.
    pub transport: &'a str,
    /// The sent-by host: a name, an IPv4 address, or an IPv6 address in brackets.
    pub host: &'a str,
    /// The sent-by port, if it was said.
    pub port: Option<u16>,
    /// `branch`, `received`, `rport` and the rest.
    pub params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Reads one entry; blanks may stand around slashes, colon and semicolons (RFC 4475 3.1.1.1).
    pub fn parse(text: &'a [u8]) -> Result<Via<'a>, Flaw> {
        let (protocol, rest) = word(trim(text))?;
        let (version, rest) = word(slash(rest)?)?;
        let (transport, rest) = word(slash(rest)?)?;
        if !rest.first().is_some_and(|&byte| crate::message::params::is_blank(byte)) {
            return Err(Flaw::Token);
        }
        let rest = trim_start(rest);
        let params_at = memchr::memchr(b';', rest).unwrap_or(rest.len());
        let (sent_by, params) = rest.split_at(params_at);
        let sent_by = std::str::from_utf8(trim(sent_by)).map_err(|_| Flaw::NotUtf8)?;
        let host_end = match sent_by.find(']') {
            Some(end) if sent_by.starts_with('[') => end + 1,
            _ => sent_by.find(|c: char| c == ':' || c.is_ascii_whitespace()).unwrap_or(sent_by.len()),
        };
        let (host, port) = sent_by.split_at(host_end);
        crate::message::uri::host_and_port(host)?;
        let port = port.trim();
        let port = match port.strip_prefix(':') {
            Some(digits) => Some(crate::message::uri::port_number(digits.trim_start())?),
            None if port.is_empty() => None,
            None => return Err(Flaw::Host),
        };
        Ok(Via { protocol, version, transport, host, port, params: Params::parse(params)? })
    }

    /// Reads a comma-separated list.
    pub fn parse_list(text: &'a [u8]) -> impl Iterator<Item = Result<Via<'a>, Flaw>> {
        entries(text).map(|entry| Via::parse(entry?))
    }

    /// As it came, cookie or not.
    pub fn branch(&self) -> Option<&'a str> {
        self.params.value("branch")
    }

    /// The branch if it identifies a transaction by itself: the cookie `z9hG4bK` and something behind it (RFC 3261 8.1.1.7).
    /// Otherwise the rules of RFC 2543 apply (RFC 3261 17.2.3).
    pub fn unique_branch(&self) -> Option<&'a str> {
        self.branch().filter(|branch| branch.len() > 7 && branch.as_bytes()[..7].eq_ignore_ascii_case(b"z9hG4bK"))
    }

    /// Where it came from, as the next element noted it.
    pub fn received(&self) -> Option<&'a str> {
        self.params.value("received")
    }

    /// `None` if not asked for, `Some(None)` if asked for and not filled in, RFC 3581; one that is no port counts as not filled in.
    pub fn rport(&self) -> Option<Option<u16>> {
        self.params.get("rport").map(|value| value.and_then(|text| crate::message::uri::port_number(text).ok()))
    }

    /// Where the response is to go instead, for multicast.
    pub fn maddr(&self) -> Option<&'a str> {
        self.params.value("maddr")
    }
}

fn word(text: &[u8]) -> Result<(&str, &[u8]), Flaw> {
    let end = text.iter().position(|&byte| !method::is_token(byte)).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    match std::str::from_utf8(word) {
        Ok(word) if !word.is_empty() => Ok((word, rest)),
        _ => Err(Flaw::Token),
    }
}

fn slash(text: &[u8]) -> Result<&[u8], Flaw> {
    trim_start(text).strip_prefix(b"/").map(trim_start).ok_or(Flaw::Token)
}
