//! The index of a message: where its start line, headers and body stand in its octets.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::message::limits::{MAX_HEADERS, MAX_MESSAGE};
use crate::message::params::trim;
use crate::message::{Fault, HeaderName, Method, ParseError, number};

/// One message, received or built. Cloning is cheap: the octets are shared.
#[derive(Clone)]
pub struct Message {
    bytes: Bytes,
    start: Start,
    fields: SmallVec<[Field; 20]>,
    body: Range<u32>,
    fault: Option<Fault>,
}

#[derive(Clone)]
enum Start {
    Request { method: Method, uri: Range<u32> },
    Response { status: u16, reason: Range<u32>, method: Method },
}

#[derive(Clone, Copy)]
struct Field {
    name: HeaderName,
    name_at: u32,
    name_end: u32,
    value_at: u32,
    value_end: u32,
}

impl Message {
    /// Reads one datagram, or one message that [`framing`](crate::message::framing) cut from a stream. Octets behind Content-Length
    /// are dropped (RFC 3261 18.3). What can still be answered is kept with its [`fault`](Message::fault).
    pub fn parse(bytes: Bytes) -> Result<Message, ParseError> {
        if bytes.len() > MAX_MESSAGE {
            return Err(ParseError::TooLarge);
        }
        let from = bytes.iter().position(|&byte| byte != b'\r' && byte != b'\n').ok_or(ParseError::Empty)?;
        let bytes = if from == 0 { bytes } else { bytes.slice(from..) };
        let text = &bytes[..];
        let line_end = memchr::memchr(b'\n', text).ok_or(ParseError::StartLine)?;
        let line = text[..line_end].strip_suffix(b"\r").unwrap_or(&text[..line_end]);
        let (mut start, mut fault) = start_line(line)?;
        let mut fields = SmallVec::new();
        let mut at = line_end + 1;
        let mut complete = false;
        while at < text.len() {
            let mut end = at + memchr::memchr(b'\n', &text[at..]).unwrap_or(text.len() - at);
            let first = at;
            // A line of blanks is no empty line: what cuts streams does not see one in it either.
            if matches!(&text[at..end], b"" | b"\r") {
                at = (end + 1).min(text.len());
                complete = true;
                break;
            }
            // A line that begins with a blank goes on the one before, RFC 3261 7.3.1.
            while matches!(text.get(end + 1), Some(b' ' | b'\t')) {
                let next = end + 1;
                end = next + memchr::memchr(b'\n', &text[next..]).unwrap_or(text.len() - next);
            }
            at = (end + 1).min(text.len());
            if fields.len() == MAX_HEADERS {
                fault.get_or_insert(Fault::TooManyHeaders);
                continue;
            }
            match field(text, first, end.min(text.len())) {
                Ok(found) => fields.push(found),
                Err(found) => {
                    fault.get_or_insert(found);
                }
            }
        }
        if !complete {
            fault.get_or_insert(Fault::NoEmptyLine);
        }
        let mut message = Message {
            body: whole(at..text.len()),
            start: Start::Request { method: Method::Ack, uri: 0..0 },
            fields,
            fault: None,
            bytes,
        };
        if let Start::Response { method, .. } = &mut start {
            match message.cseq() {
                Ok(cseq) => *method = cseq.method,
                Err(_) => return Err(ParseError::StatusLine),
            }
        }
        message.start = start;
        match message.content_length() {
            Ok(Some(length)) if length as usize <= message.bytes.len() - at => message.body = whole(at..at + length as usize),
            Ok(Some(_)) => {
                fault.get_or_insert(Fault::BodyShort);
            }
            Ok(None) => {}
            Err(found) => {
                fault.get_or_insert(found);
            }
        }
        message.fault = fault;
        Ok(message)
    }

    /// What a builder made that cannot be read again (too large, or a response without CSeq): sent to nobody.
    pub(crate) fn unusable(bytes: Bytes) -> Message {
        let start = Start::Request { method: Method::Ack, uri: 0..0 };
        Message { bytes, start, fields: SmallVec::new(), body: 0..0, fault: Some(Fault::HeaderLine) }
    }

    /// The same message with its topmost Via entry replaced: where the next element notes what it saw (RFC 3261 18.2.1, RFC 3581 4).
    pub(crate) fn with_top_via(&self, entry: &str) -> Message {
        let Some(field) = self.fields.iter().find(|field| field.name == HeaderName::Via) else { return self.clone() };
        let value = self.value(field);
        let old = crate::message::list_entries(value).next().and_then(Result::ok).map_or(0, <[u8]>::len);
        let at = field.value_at as usize;
        let mut octets = bytes::BytesMut::with_capacity(self.bytes.len() + entry.len());
        octets.extend_from_slice(&self.bytes[..at]);
        octets.extend_from_slice(entry.as_bytes());
        octets.extend_from_slice(&self.bytes[at + old..self.body.end as usize]);
        Message::parse(octets.freeze()).unwrap_or_else(|_| self.clone())
    }

    /// The octets, from the start line to the last that came.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What is wrong with its shape, if it can still be answered.
    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// A request, not a response.
    pub fn is_request(&self) -> bool {
        matches!(self.start, Start::Request { .. })
    }

    /// What is asked for; of a response, the method of its CSeq.
    pub fn method(&self) -> &Method {
        match &self.start {
            Start::Request { method, .. } | Start::Response { method, .. } => method,
        }
    }

    /// 100 to 699; `None` for a request.
    pub fn status(&self) -> Option<u16> {
        match self.start {
            Start::Request { .. } => None,
            Start::Response { status, .. } => Some(status),
        }
    }

    /// Any octets; empty for a request.
    pub fn reason_phrase(&self) -> &[u8] {
        match &self.start {
            Start::Request { .. } => b"",
            Start::Response { reason, .. } => self.at(reason),
        }
    }

    /// As it came; empty for a response, and for one that is not UTF-8.
    pub fn request_uri(&self) -> &str {
        match &self.start {
            Start::Request { uri, .. } => std::str::from_utf8(self.at(uri)).unwrap_or(""),
            Start::Response { .. } => "",
        }
    }

    /// As long as Content-Length says; all that followed the empty line where it says nothing.
    pub fn body(&self) -> Bytes {
        self.bytes.slice(self.body.start as usize..self.body.end as usize)
    }

    /// The first field of that name, blanks around it removed, folds as they came.
    pub fn header(&self, name: HeaderName) -> Option<&[u8]> {
        self.headers(name).next()
    }

    /// Each field of that name, in order.
    pub fn headers(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> {
        self.fields.iter().filter(move |field| field.name == name).map(|field| self.value(field))
    }

    /// Each field: its meaning, its name as it came, its value.
    pub fn all_headers(&self) -> impl Iterator<Item = (HeaderName, &[u8], &[u8])> {
        self.fields
            .iter()
            .map(|field| (field.name, &self.bytes[field.name_at as usize..field.name_end as usize], self.value(field)))
    }

    /// How many fields have that name.
    pub(crate) fn count(&self, name: HeaderName) -> usize {
        self.fields.iter().filter(|field| field.name == name).count()
    }

    fn value(&self, field: &Field) -> &[u8] {
        &self.bytes[field.value_at as usize..field.value_end as usize]
    }

    fn at(&self, range: &Range<u32>) -> &[u8] {
        &self.bytes[range.start as usize..range.end as usize]
    }

    /// Content-Length over all its fields, which must agree: two elements that believe different ones see different messages.
    fn content_length(&self) -> Result<Option<u32>, Fault> {
        let mut known = None;
        for value in self.headers(HeaderName::ContentLength) {
            let length = number::up_to(value, u32::MAX).ok_or(Fault::ContentLength)?;
            if known.is_some_and(|known| known != length) {
                return Err(Fault::ContentLengthsDiffer);
            }
            known = Some(length);
        }
        Ok(known)
    }
}

impl fmt::Debug for Message {
    /// The start line alone: bodies and headers do not belong in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.start {
            Start::Request { method, .. } => write!(f, "Message({method})"),
            Start::Response { status, method, .. } => write!(f, "Message({status} to {method})"),
        }
    }
}

/// Request line or status line, RFC 3261 7.1 and 7.2.
fn start_line(line: &[u8]) -> Result<(Start, Option<Fault>), ParseError> {
    if let Some(rest) = line.strip_prefix(b"SIP/").or_else(|| line.strip_prefix(b"sip/")) {
        let rest = rest.strip_prefix(b"2.0 ").ok_or(ParseError::StatusLine)?;
        let (code, reason) = match memchr::memchr(b' ', rest) {
            Some(end) => (&rest[..end], end + 1),
            None => (rest, rest.len()),
        };
        if code.len() != 3 {
            return Err(ParseError::StatusLine);
        }
        let status = number::up_to(code, 699).filter(|&code| code >= 100).ok_or(ParseError::StatusLine)?;
        let before = line.len() - rest.len();
        let status = u16::try_from(status).unwrap_or(0);
        return Ok((Start::Response { status, reason: whole(before + reason..line.len()), method: Method::Ack }, None));
    }
    let method_end = memchr::memchr(b' ', line).ok_or(ParseError::StartLine)?;
    let method = Method::parse(&line[..method_end]).ok_or(ParseError::StartLine)?;
    let version_at = memchr::memrchr(b' ', trim_line(line)).ok_or(ParseError::StartLine)?;
    let mut fault = None;
    let mut uri = method_end + 1..version_at;
    let version = trim(&line[version_at..]);
    if !version.get(..4).is_some_and(|name| name.eq_ignore_ascii_case(b"SIP/")) {
        return Err(ParseError::StartLine);
    }
    if !version.eq_ignore_ascii_case(b"SIP/2.0") {
        fault = Some(Fault::Version);
    }
    if uri.start >= uri.end {
        (uri, fault) = (0..0, Some(Fault::RequestLine));
    } else if line.len() != trim_line(line).len() || line[uri.clone()].iter().any(|&byte| byte <= b' ' || byte == 0x7f) {
        fault = Some(Fault::RequestLine);
    }
    Ok((Start::Request { method, uri: whole(uri) }, fault))
}

/// One header field from `first` to `end`, folds included.
fn field(text: &[u8], first: usize, end: usize) -> Result<Field, Fault> {
    let line = &text[first..end];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let colon = memchr::memchr(b':', line).ok_or(Fault::HeaderLine)?;
    let name = trim_line(&line[..colon]);
    if name.is_empty() || !name.iter().all(|&byte| crate::message::method::is_token(byte)) {
        return Err(Fault::HeaderLine);
    }
    let raw = &line[colon + 1..];
    let value = trim(raw);
    if bare_carriage_return(value) {
        return Err(Fault::BareCarriageReturn);
    }
    let value_at = first + colon + 1 + (raw.len() - crate::message::params::trim_start(raw).len());
    let name_at = first;
    Ok(Field {
        name: HeaderName::of(name),
        name_at: small(name_at),
        name_end: small(name_at + name.len()),
        value_at: small(value_at),
        value_end: small(value_at + value.len()),
    })
}

fn bare_carriage_return(value: &[u8]) -> bool {
    memchr::memchr_iter(b'\r', value).any(|at| value.get(at + 1) != Some(&b'\n'))
}

/// Without blanks and the CR at the end of a line.
fn trim_line(mut line: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t' | b'\r'] = line {
        line = rest;
    }
    line
}

fn whole(range: Range<usize>) -> Range<u32> {
    small(range.start)..small(range.end)
}

/// A place in a message, which is never longer than [`MAX_MESSAGE`].
fn small(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
