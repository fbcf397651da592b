//! Typed views of a message's headers, read when asked for.

use crate::message::limits::{MAX_ENTRIES, MAX_VIAS};
use crate::message::params::{Params, entries, is_blank, trim};
use crate::message::{Flaw, HeaderError, HeaderName, Message, Method, NameAddr, Via, number};

/// Sequence number and method, RFC 3261 20.16.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    /// Below 2^31.
    pub number: u32,
    /// Of the request it counts.
    pub method: Method,
}

/// What Contact holds, RFC 3261 20.10.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts<'a> {
    /// `*`: all of them, in a REGISTER that removes.
    Star,
    /// Each entry, in order; none if the header is absent.
    List(Vec<NameAddr<'a>>),
}

/// `type/subtype;params` of Content-Type and Accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaType<'a> {
    /// `application`
    pub kind: &'a str,
    /// `sdp`
    pub subtype: &'a str,
    /// `boundary`, `charset`
    pub params: Params<'a>,
}

impl<'a> MediaType<'a> {
    /// Reads one entry.
    pub fn parse(text: &'a [u8]) -> Result<MediaType<'a>, Flaw> {
        let end = memchr::memchr(b';', text).unwrap_or(text.len());
        let name = std::str::from_utf8(&text[..end]).map_err(|_| Flaw::NotUtf8)?;
        let (kind, subtype) = name.split_once('/').ok_or(Flaw::Token)?;
        let (kind, subtype) = (kind.trim(), subtype.trim());
        let token = |word: &str| !word.is_empty() && word.bytes().all(crate::message::method::is_token);
        if !token(kind) || !token(subtype) {
            return Err(Flaw::Token);
        }
        Ok(MediaType { kind, subtype, params: Params::parse(&text[end..])? })
    }

    /// Compared without regard to case.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }

    /// Is this, as an entry of Accept, satisfied by the type?
    pub fn takes(&self, kind: &str, subtype: &str) -> bool {
        (self.kind == "*" || self.kind.eq_ignore_ascii_case(kind))
            && (self.subtype == "*" || self.subtype.eq_ignore_ascii_case(subtype))
    }
}

impl Message {
    /// Every Via entry, topmost first.
    pub fn vias(&self) -> Result<Vec<Via<'_>>, HeaderError> {
        self.list(HeaderName::Via, MAX_VIAS, Via::parse)
    }

    /// The topmost Via.
    pub fn top_via(&self) -> Result<Via<'_>, HeaderError> {
        let name = HeaderName::Via;
        let value = self.header(name).ok_or(HeaderError::Missing(name))?;
        entries(value).next().unwrap_or(Err(Flaw::Empty)).and_then(Via::parse).map_err(|flaw| HeaderError::Malformed(name, flaw))
    }

    /// Who asks.
    pub fn from(&self) -> Result<NameAddr<'_>, HeaderError> {
        self.one(HeaderName::From, NameAddr::parse)
    }

    /// Who was asked for.
    pub fn to(&self) -> Result<NameAddr<'_>, HeaderError> {
        self.one(HeaderName::To, NameAddr::parse)
    }

    /// Call-ID: one word, compared octet by octet.
    pub fn call_id(&self) -> Result<&str, HeaderError> {
        self.one(HeaderName::CallId, |value| {
            if value.is_empty() || value.iter().any(|&byte| is_blank(byte) || byte < b' ' || byte == 0x7f) {
                return Err(Flaw::Token);
            }
            std::str::from_utf8(value).map_err(|_| Flaw::NotUtf8)
        })
    }

    /// CSeq.
    pub fn cseq(&self) -> Result<CSeq, HeaderError> {
        self.one(HeaderName::CSeq, |value| {
            let end = value.iter().position(|&byte| is_blank(byte)).ok_or(Flaw::Token)?;
            let number = number::up_to(&value[..end], 0x7fff_ffff).ok_or(Flaw::Number)?;
            let method = Method::parse(trim(&value[end..])).ok_or(Flaw::Token)?;
            Ok(CSeq { number, method })
        })
    }

    /// Contact over all its lines.
    pub fn contacts(&self) -> Result<Contacts<'_>, HeaderError> {
        if self.headers(HeaderName::Contact).any(|value| value == b"*") {
            return match self.count(HeaderName::Contact) {
                1 => Ok(Contacts::Star),
                _ => Err(HeaderError::Repeated(HeaderName::Contact)),
            };
        }
        self.list(HeaderName::Contact, MAX_ENTRIES, NameAddr::parse).map(Contacts::List)
    }

    /// Route entries, topmost first.
    pub fn routes(&self) -> Result<Vec<NameAddr<'_>>, HeaderError> {
        self.list(HeaderName::Route, MAX_ENTRIES, NameAddr::parse)
    }

    /// Record-Route entries, topmost first.
    pub fn record_routes(&self) -> Result<Vec<NameAddr<'_>>, HeaderError> {
        self.list(HeaderName::RecordRoute, MAX_ENTRIES, NameAddr::parse)
    }

    /// 0 to 255.
    pub fn max_forwards(&self) -> Result<Option<u32>, HeaderError> {
        self.optional(HeaderName::MaxForwards, |value| number::up_to(value, 255).ok_or(Flaw::Number))
    }

    /// Seconds, capped at `u32::MAX`; a malformed value counts as absent (RFC 3261 20.19 leaves the default to the reader).
    pub fn expires(&self) -> Result<Option<u32>, HeaderError> {
        Ok(self.header(HeaderName::Expires).and_then(number::seconds))
    }

    /// What the body is.
    pub fn content_type(&self) -> Option<MediaType<'_>> {
        self.header(HeaderName::ContentType).and_then(|value| MediaType::parse(value).ok())
    }

    /// The words of Supported, Require and their like, over all lines.
    pub fn option_tags(&self, name: HeaderName) -> Vec<&str> {
        self.headers(name)
            .flat_map(|value| value.split(|&byte| byte == b','))
            .filter_map(|tag| std::str::from_utf8(trim(tag)).ok())
            .filter(|tag| !tag.is_empty())
            .take(MAX_ENTRIES)
            .collect()
    }

    fn one<'a, T>(&'a self, name: HeaderName, read: impl FnOnce(&'a [u8]) -> Result<T, Flaw>) -> Result<T, HeaderError> {
        let value = self.header(name).ok_or(HeaderError::Missing(name))?;
        read(value).map_err(|flaw| HeaderError::Malformed(name, flaw))
    }

    fn optional<'a, T>(
        &'a self,
        name: HeaderName,
        read: impl FnOnce(&'a [u8]) -> Result<T, Flaw>,
    ) -> Result<Option<T>, HeaderError> {
        self.header(name).map(read).transpose().map_err(|flaw| HeaderError::Malformed(name, flaw))
    }

    fn list<'a, T>(
        &'a self,
        name: HeaderName,
        most: usize,
        read: impl Fn(&'a [u8]) -> Result<T, Flaw>,
    ) -> Result<Vec<T>, HeaderError> {
        let mut found = Vec::new();
        for value in self.headers(name) {
            for entry in entries(value) {
                if found.len() == most {
                    return Err(HeaderError::Malformed(name, Flaw::TooMany));
                }
                found.push(entry.and_then(&read).map_err(|flaw| HeaderError::Malformed(name, flaw))?);
            }
        }
        Ok(found)
    }
}
