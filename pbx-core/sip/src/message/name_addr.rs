//! From, To, Contact, Route and their kin: a display name, a URI, parameters; RFC 3261 20.10 and 25.1.

use std::borrow::Cow;

use crate::message::params::{Params, entries, quoted_end, trim, trim_end, trim_start};
use crate::message::{Flaw, Uri};

/// `"Display name" <uri>;params`, or a bare URI whose semicolons begin header parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// Any octets, without the quotes around them, escapes as they came; [`display_text`](NameAddr::display_text) reads them.
    pub display_name: Option<&'a [u8]>,
    /// The URI alone, as it came; [`uri_view`](NameAddr::uri_view) splits it.
    pub uri: &'a str,
    /// After the URI.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one entry.
    pub fn parse(text: &'a [u8]) -> Result<NameAddr<'a>, Flaw> {
        let text = trim(text);
        let (display_name, rest) = match text.first() {
            None => return Err(Flaw::Empty),
            Some(b'"') => {
                let end = quoted_end(text).ok_or(Flaw::Quote)?;
                let rest = trim_start(&text[end..]);
                if rest.first() != Some(&b'<') {
                    return Err(Flaw::Bracket);
                }
                (Some(&text[1..end - 1]), rest)
            }
            Some(_) => match text.iter().position(|byte| matches!(byte, b'<' | b';' | b'"' | b',')) {
                Some(at) if text[at] == b'<' => {
                    let name = trim_end(&text[..at]);
                    (if name.is_empty() { None } else { Some(name) }, &text[at..])
                }
                Some(at) if text[at] == b';' => return bare(&text[..at], &text[at..]),
                Some(_) => return Err(Flaw::DisplayName),
                None => return bare(text, b""),
            },
        };
        let end = memchr::memchr(b'>', rest).ok_or(Flaw::Bracket)?;
        let uri = uri_text(&rest[1..end])?;
        Ok(NameAddr { display_name, uri, params: Params::parse(&rest[end + 1..])? })
    }

    /// Reads a comma-separated list.
    pub fn parse_list(text: &'a [u8]) -> impl Iterator<Item = Result<NameAddr<'a>, Flaw>> {
        entries(text).map(|entry| NameAddr::parse(entry?))
    }

    /// The display name as text: escapes undone, and what is not UTF-8 read as Latin-1, which is what such phones mean.
    pub fn display_text(&self) -> Option<Cow<'a, str>> {
        let name = self.display_name?;
        let name: Cow<'a, [u8]> = if name.contains(&b'\\') || name.contains(&b'\r') || name.contains(&b'\n') {
            let (mut plain, mut escaped) = (Vec::with_capacity(name.len()), false);
            for &byte in name {
                match byte {
                    b'\\' if !escaped => escaped = true,
                    b'\r' | b'\n' => escaped = false,
                    byte => {
                        escaped = false;
                        plain.push(byte);
                    }
                }
            }
            Cow::Owned(plain)
        } else {
            Cow::Borrowed(name)
        };
        let latin = |octets: &[u8]| octets.iter().map(|&byte| char::from(byte)).collect::<String>();
        Some(match name {
            Cow::Borrowed(octets) => std::str::from_utf8(octets).map_or_else(|_| Cow::Owned(latin(octets)), Cow::Borrowed),
            Cow::Owned(octets) => Cow::Owned(String::from_utf8(octets).unwrap_or_else(|error| latin(error.as_bytes()))),
        })
    }

    /// Its tag, RFC 3261 19.3.
    pub fn tag(&self) -> Option<&'a str> {
        self.params.value("tag").filter(|tag| !tag.is_empty())
    }

    /// `None` if absent, `Some(None)` for a flag.
    pub fn param(&self, name: &str) -> Option<Option<&'a str>> {
        self.params.get(name)
    }

    /// `q` in thousandths from 0 to 1000, RFC 3261 20.10; `None` if absent or not a number of that range.
    pub fn q(&self) -> Option<u16> {
        let text = self.params.value("q")?;
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let thousandths = format!("{fraction:0<3}").parse::<u16>().ok()?;
        match whole {
            "0" | "" if !text.is_empty() && text != "." => Some(thousandths),
            "1" if thousandths == 0 => Some(1000),
            _ => None,
        }
    }

    /// `expires` in seconds, capped at `u32::MAX`; a malformed one means 3600 (RFC 3261 10.2.1.1).
    pub fn expires(&self) -> Option<u32> {
        let value = self.params.get("expires")?.unwrap_or("");
        Some(crate::message::number::seconds(value.as_bytes()).unwrap_or(3600))
    }

    /// The URI, split.
    pub fn uri_view(&self) -> Result<Uri<'a>, Flaw> {
        Uri::parse(self.uri)
    }
}

/// A URI without angle brackets: all that follows the semicolon belongs to the header, and `?` or `,` must not occur.
fn bare<'a>(uri: &'a [u8], params: &'a [u8]) -> Result<NameAddr<'a>, Flaw> {
    let uri = uri_text(trim_end(uri))?;
    if uri.contains('?') && !uri.contains('@') || uri.rsplit('@').next().is_some_and(|host| host.contains('?')) {
        return Err(Flaw::NeedsBrackets);
    }
    Ok(NameAddr { display_name: None, uri, params: Params::parse(params)? })
}

/// A URI's characters: no blanks, no controls, no brackets, and a scheme before the first colon.
fn uri_text(octets: &[u8]) -> Result<&str, Flaw> {
    if octets.is_empty() {
        return Err(Flaw::Empty);
    }
    if octets.iter().any(|&byte| byte <= b' ' || matches!(byte, b'<' | b'>' | 0x7f)) || !octets.contains(&b':') {
        return Err(Flaw::Uri);
    }
    std::str::from_utf8(octets).map_err(|_| Flaw::NotUtf8)
}
