//! URIs, RFC 3261 19.1 and RFC 3966: a view that splits first and decodes last, so that `%40` in a user never becomes the `@`.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;

use crate::message::Flaw;

/// How a URI begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme<'a> {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`, RFC 3966
    Tel,
    /// Any other; what follows is not looked into.
    Other(&'a str),
}

impl Scheme<'_> {
    /// In lower case for those we know, else as it came.
    pub fn as_str(&self) -> &str {
        match self {
            Scheme::Sip => "sip",
            Scheme::Sips => "sips",
            Scheme::Tel => "tel",
            Scheme::Other(name) => name,
        }
    }
}

/// `scheme:user:password@host:port;params?headers`, each part as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uri<'a> {
    /// Its first word.
    pub scheme: Scheme<'a>,
    /// Before the `@`, neither decoded nor cut at semicolons; the number of a `tel:`.
    pub user: Option<&'a str>,
    /// Between the user's `:` and the `@`; nobody should send it.
    pub password: Option<&'a str>,
    /// A name, an IPv4 address, or an IPv6 address in its brackets; all that follows the colon in a scheme we do not know;
    /// empty for `tel:`.
    pub host: &'a str,
    /// After the host's colon.
    pub port: Option<u16>,
    /// From the first semicolon after the host, with it; empty if there are none.
    pub params: &'a str,
    /// After the `?`.
    pub headers: Option<&'a str>,
}

impl<'a> Uri<'a> {
    /// Splits a URI; nothing is decoded. Of schemes other than sip, sips and tel only the scheme is read.
    pub fn parse(text: &'a str) -> Result<Uri<'a>, Flaw> {
        let (name, rest) = text.split_once(':').ok_or(Flaw::Uri)?;
        let mut letters = name.bytes();
        if !letters.next().is_some_and(|byte| byte.is_ascii_alphabetic())
            || !letters.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
            || rest.bytes().any(|byte| byte <= b' ' || matches!(byte, b'<' | b'>' | 0x7f))
        {
            return Err(Flaw::Uri);
        }
        if name.eq_ignore_ascii_case("sip") {
            sip(Scheme::Sip, rest)
        } else if name.eq_ignore_ascii_case("sips") {
            sip(Scheme::Sips, rest)
        } else if name.eq_ignore_ascii_case("tel") {
            tel(rest)
        } else {
            Ok(Uri { host: rest, ..Uri::bare(Scheme::Other(name)) })
        }
    }

    fn bare(scheme: Scheme<'a>) -> Uri<'a> {
        Uri { scheme, user: None, password: None, host: "", port: None, params: "", headers: None }
    }

    /// `sip:` or `sips:`.
    pub fn is_sip(&self) -> bool {
        matches!(self.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// The user with its `%`-escapes decoded; what is then not UTF-8 is replaced by U+FFFD.
    pub fn user_decoded(&self) -> Option<Cow<'a, str>> {
        self.user.map(|user| match decoded(user) {
            Cow::Borrowed(_) => Cow::Borrowed(user),
            Cow::Owned(octets) => Cow::Owned(String::from_utf8_lossy(&octets).into_owned()),
        })
    }

    /// The host without the brackets of an IPv6 address.
    pub fn host_bare(&self) -> &'a str {
        self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(self.host)
    }

    /// `None` if absent, `Some(None)` for a flag, else the value without quotes around it, not decoded.
    pub fn param(&self, name: &str) -> Option<Option<&'a str>> {
        self.each_param().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Each parameter in order, not decoded.
    pub fn each_param(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        split_params(self.params).map(|param| match param.split_once('=') {
            Some((name, value)) => (name, Some(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))),
            None => (param, None),
        })
    }

    /// A header it carries after `?`, with its `%`-escapes decoded: what a Refer-To asks to be put into the request it leads to
    /// (RFC 3515 2.1). What is then not UTF-8 counts as absent.
    pub fn header_decoded(&self, name: &str) -> Option<String> {
        let mut each = self.headers?.split('&').filter_map(|header| header.split_once('='));
        let (_, value) = each.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        String::from_utf8(decoded(value).into_owned()).ok()
    }

    /// True if it carries headers after `?`, which a Request-URI must not (RFC 3261 19.1.1) and which are never acted on unchecked.
    pub fn has_headers(&self) -> bool {
        self.headers.is_some()
    }

    /// Equality of RFC 3261 19.1.4: host and parameters without regard to case, the user with it, escapes decoded, no default
    /// port or parameter assumed.
    pub fn same_as(&self, other: &Uri<'_>) -> bool {
        if let (Scheme::Other(a), Scheme::Other(b)) = (self.scheme, other.scheme) {
            return a.eq_ignore_ascii_case(b) && self.host == other.host;
        }
        if self.scheme == Scheme::Tel && other.scheme == Scheme::Tel {
            return same_number(self.user, other.user) && self.params_agree(other, true) && other.params_agree(self, true);
        }
        std::mem::discriminant(&self.scheme) == std::mem::discriminant(&other.scheme)
            && self.user.map(decoded) == other.user.map(decoded)
            && self.password.map(decoded) == other.password.map(decoded)
            && self.host.eq_ignore_ascii_case(other.host)
            && self.port == other.port
            && self.params_agree(other, false)
            && other.params_agree(self, false)
            && self.headers_agree(other)
    }

    fn params_agree(&self, other: &Uri<'_>, all: bool) -> bool {
        self.each_param().all(|(name, value)| match other.param(name) {
            Some(there) => match (value, there) {
                (Some(a), Some(b)) => decoded(a).eq_ignore_ascii_case(&decoded(b)),
                (a, b) => a == b,
            },
            None => !all && !["user", "ttl", "method", "maddr", "transport"].iter().any(|kept| kept.eq_ignore_ascii_case(name)),
        })
    }

    fn headers_agree(&self, other: &Uri<'_>) -> bool {
        let sorted = |headers: Option<&str>| {
            let mut fields: Vec<(String, Vec<u8>)> = headers
                .unwrap_or("")
                .split('&')
                .filter(|field| !field.is_empty())
                .map(|field| field.split_once('=').unwrap_or((field, "")))
                .map(|(name, value)| (name.to_ascii_lowercase(), decoded(value).into_owned()))
                .collect();
            fields.sort();
            fields
        };
        sorted(self.headers) == sorted(other.headers)
    }
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.scheme.as_str())?;
        if let Some(user) = self.user {
            f.write_str(user)?;
            if let Some(password) = self.password {
                write!(f, ":{password}")?;
            }
            if self.scheme != Scheme::Tel {
                f.write_str("@")?;
            }
        }
        f.write_str(self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(self.params)?;
        if let Some(headers) = self.headers {
            write!(f, "?{headers}")?;
        }
        Ok(())
    }
}

fn sip<'a>(scheme: Scheme<'a>, text: &'a str) -> Result<Uri<'a>, Flaw> {
    // `@` may stand unescaped nowhere but behind the user, so one is the separator and two are ambiguous.
    let (userinfo, rest) = match text.split_once('@') {
        Some((_, rest)) if rest.contains('@') => return Err(Flaw::Uri),
        Some((userinfo, rest)) => (Some(userinfo), rest),
        None => (None, text),
    };
    let (user, password) = match userinfo {
        Some(userinfo) => match userinfo.split_once(':') {
            Some((user, password)) => (Some(user), Some(password)),
            None => (Some(userinfo), None),
        },
        None => (None, None),
    };
    if user.is_some_and(str::is_empty)
        || [user, password].into_iter().flatten().any(|part| part.contains('"') || !escapes_whole(part))
    {
        return Err(Flaw::Uri);
    }
    let (rest, headers) = match rest.split_once('?') {
        Some((rest, headers)) => (rest, Some(headers)),
        None => (rest, None),
    };
    let params_at = rest.find(';').unwrap_or(rest.len());
    let (host_port, params) = rest.split_at(params_at);
    let (host, port) = host_and_port(host_port)?;
    check_params(params)?;
    if headers.is_some_and(|headers| headers.is_empty() || !escapes_whole(headers)) {
        return Err(Flaw::Uri);
    }
    Ok(Uri { scheme, user, password, host, port, params, headers })
}

fn tel(text: &str) -> Result<Uri<'_>, Flaw> {
    let params_at = text.find(';').unwrap_or(text.len());
    let (number, params) = text.split_at(params_at);
    let dialled = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b'+' | b'-' | b'.' | b'(' | b')' | b'*' | b'#');
    if number.is_empty() || !number.bytes().all(dialled) {
        return Err(Flaw::Uri);
    }
    check_params(params)?;
    Ok(Uri { user: Some(number), params, ..Uri::bare(Scheme::Tel) })
}

/// `host[:port]`, the host checked: an IPv6 address in brackets, or letters, digits, `-`, `.` and `_`.
pub(crate) fn host_and_port(text: &str) -> Result<(&str, Option<u16>), Flaw> {
    let (host, port) = if text.starts_with('[') {
        let end = text.find(']').ok_or(Flaw::Host)? + 1;
        text[1..end - 1].parse::<Ipv6Addr>().map_err(|_| Flaw::Host)?;
        let (host, port) = text.split_at(end);
        (host, if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or(Flaw::Host)?) })
    } else {
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        };
        if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')) {
            return Err(Flaw::Host);
        }
        (host, port)
    };
    Ok((host, port.map(port_number).transpose()?))
}

pub(crate) fn port_number(text: &str) -> Result<u16, Flaw> {
    if text.is_empty() || text.len() > 5 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Flaw::Port);
    }
    text.parse().map_err(|_| Flaw::Port)
}

/// Between the semicolons, but not those in quotes, which some put into URIs although the grammar has none.
fn split_params(params: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    params
        .split(move |character| {
            quoted ^= character == '"';
            character == ';' && !quoted
        })
        .skip(1)
}

fn check_params(params: &str) -> Result<(), Flaw> {
    for param in split_params(params) {
        let name = param.split('=').next().unwrap_or("");
        if name.is_empty()
            || name.contains('"')
            || param.bytes().filter(|&byte| byte == b'"').count() % 2 == 1
            || !escapes_whole(param)
        {
            return Err(Flaw::Parameter);
        }
    }
    Ok(())
}

/// Every `%` is followed by two hexadecimal digits.
fn escapes_whole(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        let mut digits = rest.bytes();
        digits.next().is_some_and(|byte| byte.is_ascii_hexdigit()) && digits.next().is_some_and(|byte| byte.is_ascii_hexdigit())
    })
}

/// `%`-escapes decoded to octets; a `%` without two digits stays.
pub(crate) fn decoded(text: &str) -> Cow<'_, [u8]> {
    if !text.contains('%') {
        return Cow::Borrowed(text.as_bytes());
    }
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let digit = |offset: usize| bytes.get(at + offset).and_then(|&byte| char::from(byte).to_digit(16));
        match (bytes[at], digit(1), digit(2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, _, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    Cow::Owned(out)
}

/// RFC 3966 5: visual separators do not count.
fn same_number(a: Option<&str>, b: Option<&str>) -> bool {
    let digits = |number: &str| -> String {
        number.chars().filter(|character| !matches!(character, '-' | '.' | '(' | ')')).map(|c| c.to_ascii_lowercase()).collect()
    };
    a.map(digits) == b.map(digits)
}
