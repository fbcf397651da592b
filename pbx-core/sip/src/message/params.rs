//! Parameters after a header value, `;name=value;flag;text="quoted; text"`, RFC 3261 7.3.1 and 25.1.

use crate::message::Flaw;
use crate::message::method::is_token;

/// Checked parameters of a header value, in their order, as they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a> {
    raw: &'a [u8],
}

impl<'a> Params<'a> {
    /// Reads what follows a value: nothing, or `;` and a parameter, as often as you like.
    pub fn parse(raw: &'a [u8]) -> Result<Params<'a>, Flaw> {
        let raw = trim(raw);
        let mut rest = raw;
        while !rest.is_empty() {
            (_, rest) = next(rest)?;
        }
        Ok(Params { raw })
    }

    /// From the first semicolon to the end, as it came; empty if there are none.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Each name with its value, quotes included.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let mut rest = self.raw;
        std::iter::from_fn(move || {
            let (param, behind) = next(rest).ok()?;
            rest = behind;
            Some(param)
        })
    }

    /// `None` if absent, `Some(None)` for a flag, else the value without the quotes around it (what is escaped within stays so).
    /// Names are compared without regard to case. A value that is not UTF-8 counts as absent; [`iter`](Params::iter) has it.
    pub fn get(&self, name: &str) -> Option<Option<&'a str>> {
        let (_, value) = self.iter().find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))?;
        match value {
            None => Some(None),
            Some(value) => std::str::from_utf8(unquoted(value)).ok().map(Some),
        }
    }

    /// The value of `name`, if it has one.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.get(name).flatten()
    }
}

type Param<'a> = (&'a [u8], Option<&'a [u8]>);

/// One parameter with its semicolon, and what stands behind it.
fn next(text: &[u8]) -> Result<(Param<'_>, &[u8]), Flaw> {
    let text = trim_start(text);
    let Some(text) = text.strip_prefix(b";") else {
        return Err(if text.is_empty() { Flaw::Empty } else { Flaw::Trailing });
    };
    let text = trim_start(text);
    let name_end = text.iter().position(|&byte| !is_name(byte)).unwrap_or(text.len());
    if name_end == 0 {
        return Err(Flaw::Parameter);
    }
    let (name, rest) = text.split_at(name_end);
    let rest = trim_start(rest);
    let Some(rest) = rest.strip_prefix(b"=") else {
        return Ok(((name, None), rest));
    };
    let rest = trim_start(rest);
    let end = match rest.first() {
        Some(b'"') => quoted_end(rest).ok_or(Flaw::Quote)?,
        _ => rest.iter().position(|&byte| !is_value(byte)).unwrap_or(rest.len()),
    };
    if end == 0 {
        return Err(Flaw::Parameter);
    }
    let (value, rest) = rest.split_at(end);
    Ok(((name, Some(value)), trim_start(rest)))
}

fn is_name(byte: u8) -> bool {
    is_token(byte) || byte >= 0x80
}

/// Token, host (with brackets and colons), and what else phones put there unquoted; not what separates.
fn is_value(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f && !matches!(byte, b';' | b',' | b'"' | b'<' | b'>')
}

/// Where the quoted string that begins `text` ends, behind its closing quote.
pub(crate) fn quoted_end(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', text.get(at..)?) {
        at += found + 1;
        if text[at - 1] == b'"' {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// Without the quotes around it, if there are any.
pub(crate) fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}

/// Linear white space, RFC 3261 25.1; CR and LF stand in a value only where a line is folded.
pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

pub(crate) fn trim_start(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_blank(*first)
    {
        text = rest;
    }
    text
}

pub(crate) fn trim_end(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., last] = text
        && is_blank(*last)
    {
        text = rest;
    }
    text
}

pub(crate) fn trim(text: &[u8]) -> &[u8] {
    trim_end(trim_start(text))
}

/// Splits a list at its commas, but not at those in quoted strings or angle brackets.
pub fn entries(mut list: &[u8]) -> impl Iterator<Item = Result<&[u8], Flaw>> {
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let (mut at, mut bracketed) = (0, false);
        while at < list.len() {
            match list[at] {
                b'"' if !bracketed => match quoted_end(&list[at..]) {
                    Some(end) => at += end - 1,
                    None => {
                        done = true;
                        return Some(Err(Flaw::Quote));
                    }
                },
                b'<' => bracketed = true,
                b'>' => bracketed = false,
                b',' if !bracketed => {
                    let entry = trim(&list[..at]);
                    list = &list[at + 1..];
                    return Some(if entry.is_empty() { Err(Flaw::Empty) } else { Ok(entry) });
                }
                _ => {}
            }
            at += 1;
        }
        done = true;
        let entry = trim(list);
        Some(if entry.is_empty() { Err(Flaw::Empty) } else { Ok(entry) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_flags_values_and_quoted_values() {
        let params = Params::parse(b" ; tag = a1 ;lr; +sip.instance=\"<urn:uuid:1>\";x=\"a;b\\\"c\"").unwrap();
        assert_eq!(params.get("TAG"), Some(Some("a1")));
        assert_eq!(params.get("lr"), Some(None));
        assert_eq!(params.value("+sip.instance"), Some("<urn:uuid:1>"));
        assert_eq!(params.value("x"), Some("a;b\\\"c"));
        assert_eq!(params.get("none"), None);
        assert_eq!(params.iter().count(), 4);
    }

    #[test]
    fn an_address_is_a_value() {
        let params = Params::parse(b";received=[2001:db8::9:1];maddr=192.0.2.1").unwrap();
        assert_eq!(params.value("received"), Some("[2001:db8::9:1]"));
    }

    #[test]
    fn empty_parameters_are_refused() {
        for bad in [&b";"[..], b";;", b";a;;b", b";a=", b";=x", b"x", b";a x", b";a=\"x", b";a=b c", b";a=\"b\"c"] {
            assert!(Params::parse(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn a_value_that_is_not_utf8_is_kept_but_not_text() {
        let params = Params::parse(b";a=\"\xe9\";b=1").unwrap();
        assert_eq!(params.get("a"), None);
        assert_eq!(params.iter().next(), Some((&b"a"[..], Some(&b"\"\xe9\""[..]))));
        assert_eq!(params.value("b"), Some("1"));
    }

    #[test]
    fn lists_split_at_commas_that_separate() {
        let list = b"\"a, b\" <sip:x,y@z> ;q=1 , <sip:c> ,\r\n d";
        let split: Vec<_> = entries(list).map(|entry| entry.map(String::from_utf8_lossy)).collect();
        assert_eq!(split, [Ok("\"a, b\" <sip:x,y@z> ;q=1".into()), Ok("<sip:c>".into()), Ok("d".into())]);
        assert!(entries(b"a,,b").any(|entry| entry.is_err()));
        assert!(entries(b"a,").any(|entry| entry.is_err()));
        assert!(entries(b"\"a").any(|entry| entry.is_err()));
    }
}
