//! Typed views of the headers by which calls are extended: reliable provisional responses (RFC 3262), session timers (RFC 4028),
//! transfer (RFC 3515, RFC 3891).

use crate::message::{Flaw, HeaderError, HeaderName, Message, Method, NameAddr, Params, number};

/// Who refreshes a session, as the request that agrees on it sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// Who sent the request.
    Uac,
    /// Who answers it.
    Uas,
}

impl Refresher {
    /// As a parameter.
    pub fn as_str(self) -> &'static str {
        match self {
            Refresher::Uac => "uac",
            Refresher::Uas => "uas",
        }
    }
}

/// Session-Expires, RFC 4028 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// Seconds after which a session that nobody refreshed has lapsed.
    pub interval_s: u32,
    /// Who refreshes it.
    pub refresher: Option<Refresher>,
}

/// RAck, RFC 3262 7.2: which provisional response a PRACK acknowledges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RAck {
    /// Its RSeq.
    pub rseq: u32,
    /// The number of its CSeq.
    pub cseq: u32,
    /// The method of its CSeq.
    pub method: Method,
}

/// Replaces, RFC 3891 6.1: a dialog that a new one is to take the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaces<'a> {
    /// Its Call-ID.
    pub call_id: &'a str,
    /// The tag of whoever is asked.
    pub to_tag: &'a str,
    /// The tag of the side that is replaced.
    pub from_tag: &'a str,
    /// Only if it was not answered yet.
    pub early_only: bool,
}

impl<'a> Replaces<'a> {
    /// Reads one; none if a tag is missing.
    pub fn parse(text: &'a str) -> Option<Replaces<'a>> {
        let end = text.find(';').unwrap_or(text.len());
        let params = Params::parse(&text.as_bytes()[end..]).ok()?;
        let call_id = text[..end].trim();
        let (to_tag, from_tag) = (params.value("to-tag")?, params.value("from-tag")?);
        let early_only = params.get("early-only").is_some();
        (!call_id.is_empty()).then_some(Replaces { call_id, to_tag, from_tag, early_only })
    }
}

impl Message {
    /// Session-Expires; none if it is absent or no number.
    pub fn session_expires(&self) -> Option<SessionExpires> {
        let value = self.header(HeaderName::SessionExpires)?;
        let end = value.iter().position(|&byte| byte == b';').unwrap_or(value.len());
        let params = Params::parse(&value[end..]).ok()?;
        let refresher = match params.value("refresher") {
            Some(who) if who.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(who) if who.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(_) | None => None,
        };
        Some(SessionExpires { interval_s: number::seconds(value[..end].trim_ascii())?, refresher })
    }

    /// Min-SE in seconds, RFC 4028 5.
    pub fn min_se(&self) -> Option<u32> {
        let value = self.header(HeaderName::MinSe)?;
        number::seconds(value.split(|&byte| byte == b';').next()?.trim_ascii())
    }

    /// RSeq of a provisional response that is sent reliably, RFC 3262 7.1.
    pub fn rseq(&self) -> Option<u32> {
        number::up_to(self.header(HeaderName::RSeq)?, u32::MAX).filter(|rseq| *rseq > 0)
    }

    /// RAck of a PRACK.
    pub fn rack(&self) -> Option<RAck> {
        let mut words = self.header(HeaderName::RAck)?.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
        let (rseq, cseq) = (number::up_to(words.next()?, u32::MAX)?, number::up_to(words.next()?, 0x7fff_ffff)?);
        let method = Method::parse(words.next()?)?;
        words.next().is_none().then_some(RAck { rseq, cseq, method })
    }

    /// Where a REFER leads (RFC 3515 2.1): one address.
    pub fn refer_to(&self) -> Result<NameAddr<'_>, HeaderError> {
        let name = HeaderName::ReferTo;
        let mut values = self.headers(name);
        let value = values.next().ok_or(HeaderError::Missing(name))?;
        if values.next().is_some() {
            return Err(HeaderError::Repeated(name));
        }
        NameAddr::parse(value).map_err(|flaw| HeaderError::Malformed(name, flaw))
    }

    /// The dialog that an INVITE is to replace (RFC 3891); one that cannot be read is an error, not nothing.
    pub fn replaces(&self) -> Result<Option<Replaces<'_>>, HeaderError> {
        let name = HeaderName::Replaces;
        let mut values = self.headers(name);
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(HeaderError::Repeated(name));
        }
        let text = std::str::from_utf8(value).ok();
        text.and_then(Replaces::parse).map(Some).ok_or(HeaderError::Malformed(name, Flaw::Parameter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Uri;

    fn message(headers: &str) -> Message {
        Message::parse(format!("INVITE sip:x@h SIP/2.0\r\n{headers}\r\n\r\n").into_bytes().into()).unwrap()
    }

    #[test]
    fn session_timers() {
        let read = |value: &str| message(&format!("Session-Expires: {value}")).session_expires();
        let uac = Some(Refresher::Uac);
        assert_eq!(read("1800;refresher=uac"), Some(SessionExpires { interval_s: 1800, refresher: uac }));
        assert_eq!(message("x: 90 ; refresher=UAC").session_expires(), Some(SessionExpires { interval_s: 90, refresher: uac }));
        assert_eq!(read("4294967296"), Some(SessionExpires { interval_s: u32::MAX, refresher: None }));
        for bad in ["", "soon", "-1", "90;", "9 0"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!((message("Min-SE: 120;x=y").min_se(), message("Min-SE: x").min_se()), (Some(120), None));
    }

    #[test]
    fn reliable_responses() {
        assert_eq!((message("RSeq: 17").rseq(), message("RSeq: 0").rseq(), message("RSeq: x").rseq()), (Some(17), None, None));
        let rack = |value: &str| message(&format!("RAck: {value}")).rack();
        assert_eq!(rack("776656  1 INVITE"), Some(RAck { rseq: 776_656, cseq: 1, method: Method::Invite }));
        for bad in ["", "1", "1 2", "1 2 INVITE x", "x 2 INVITE", "1 2147483648 INVITE"] {
            assert_eq!(rack(bad), None, "{bad}");
        }
    }

    #[test]
    fn replaces_in_a_request_and_in_an_address() {
        let value = "a@h;to-tag=1;from-tag=2;early-only";
        let wanted = Replaces { call_id: "a@h", to_tag: "1", from_tag: "2", early_only: true };
        assert_eq!(message(&format!("Replaces: {value}")).replaces(), Ok(Some(wanted)));
        assert_eq!(message("X: y").replaces(), Ok(None));
        for bad in ["a@h;to-tag=1", "a@h", ";to-tag=1;from-tag=2", "a;to-tag=1;from-tag=2\r\nReplaces: b;to-tag=1;from-tag=2"] {
            assert!(message(&format!("Replaces: {bad}")).replaces().is_err(), "{bad}");
        }
        let refer = message("Refer-To: <sip:203@h?Replaces=a%40h%3Bto-tag%3D1%3Bfrom-tag%3D2%3Bearly-only&Require=replaces>");
        let uri = Uri::parse(refer.refer_to().unwrap().uri).unwrap();
        assert_eq!(uri.header_decoded("replaces").as_deref().and_then(Replaces::parse), Some(wanted));
        assert_eq!(uri.header_decoded("require").as_deref(), Some("replaces"));
        assert!(message("X: y").refer_to().is_err());
        assert!(message("Refer-To: <sip:1@h>\r\nRefer-To: <sip:2@h>").refer_to().is_err());
    }
}
