//! Messages of our own.

use bytes::{BufMut, Bytes, BytesMut};

use crate::message::{HeaderName, Message, Method};

/// A message under construction: start line, headers in order, a body. Content-Length is written by [`build`](Builder::build).
/// A value with a line end in it would begin a header of its own: line ends are written as blanks.
#[derive(Clone, Debug)]
pub struct Builder {
    head: BytesMut,
    /// Where the headers begin in `head`.
    headers_at: usize,
    content_type: Option<String>,
    body: Bytes,
}

impl Builder {
    /// `METHOD uri SIP/2.0`
    pub fn request(method: &Method, uri: &str) -> Builder {
        Builder::start(&[method.as_str(), " ", uri, " SIP/2.0"])
    }

    /// `SIP/2.0 status reason`
    pub fn response(status: u16, reason: &str) -> Builder {
        Builder::start(&["SIP/2.0 ", status_text(&mut [0; 3], status), " ", reason])
    }

    /// A response as RFC 3261 8.2.6.2 builds it: Via, From, To (with our tag, if it has none), Call-ID and CSeq of the request,
    /// and Record-Route where a dialog begins (12.1.1). A 100 has Timestamp too.
    pub fn response_to(request: &Message, status: u16, to_tag: Option<&str>) -> Builder {
        let mut builder = Builder::response(status, reason_phrase(status)).copy(request, HeaderName::Via);
        if (101..300).contains(&status) {
            builder = builder.copy(request, HeaderName::RecordRoute);
        }
        builder = builder.copy(request, HeaderName::From);
        let name = HeaderName::To;
        builder = match (request.header(name), to_tag) {
            (Some(to), Some(tag)) if request.to().is_ok_and(|to| to.tag().is_none()) => {
                builder.field(name.as_str().as_bytes(), &[to, b";tag=", tag.as_bytes()])
            }
            _ => builder.copy(request, name),
        };
        builder = builder.copy(request, HeaderName::CallId).copy(request, HeaderName::CSeq);
        if status == 100 {
            builder = builder.copy(request, HeaderName::Timestamp);
        }
        builder
    }

    /// The same request once more, without the headers that are to be written anew, and with its body.
    pub fn again(request: &Message, without: &[HeaderName]) -> Builder {
        Builder::again_to(request, request.request_uri(), without)
    }

    /// The same to another URI.
    pub fn again_to(request: &Message, uri: &str, without: &[HeaderName]) -> Builder {
        let body = request.body();
        let length = [HeaderName::ContentType, HeaderName::ContentLength];
        let mut builder = Builder::request(request.method(), uri);
        for (name, spelt, value) in request.all_headers().filter(|(name, ..)| !without.contains(name) && !length.contains(name)) {
            let spelt = if name == HeaderName::Other { spelt } else { name.as_str().as_bytes() };
            builder = builder.field(spelt, &[value]);
        }
        let content_type = request.header(HeaderName::ContentType).map(String::from_utf8_lossy).unwrap_or_default();
        builder.body(&content_type, body)
    }

    fn start(parts: &[&str]) -> Builder {
        let mut head = BytesMut::with_capacity(768);
        for part in parts {
            put(&mut head, part.as_bytes());
        }
        head.put_slice(b"\r\n");
        let headers_at = head.len();
        Builder { head, headers_at, content_type: None, body: Bytes::new() }
    }

    /// One more field at the end.
    #[must_use]
    pub fn header(self, name: HeaderName, value: impl AsRef<[u8]>) -> Builder {
        self.field(name.as_str().as_bytes(), &[value.as_ref()])
    }

    /// One more field of a name that is not in [`HeaderName`].
    #[must_use]
    pub fn header_named(self, name: &str, value: impl AsRef<[u8]>) -> Builder {
        self.field(name.as_bytes(), &[value.as_ref()])
    }

    /// One field before all others, as Via must stand.
    #[must_use]
    pub fn header_first(mut self, name: HeaderName, value: impl AsRef<[u8]>) -> Builder {
        let rest = self.head.split_off(self.headers_at);
        self = self.field(name.as_str().as_bytes(), &[value.as_ref()]);
        self.head.unsplit(rest);
        self
    }

    /// All fields of that name from another message, in their order.
    #[must_use]
    pub fn copy(mut self, from: &Message, name: HeaderName) -> Builder {
        for value in from.headers(name) {
            self = self.field(name.as_str().as_bytes(), &[value]);
        }
        self
    }

    /// The body and what it is; an empty one has no type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Builder {
        self.body = body.into();
        self.content_type = (!self.body.is_empty()).then(|| content_type.to_owned());
        self
    }

    /// How large it is so far.
    pub fn octets(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// The message, with its Content-Length.
    pub fn build(mut self) -> Message {
        if let Some(content_type) = self.content_type.take() {
            self = self.header(HeaderName::ContentType, content_type);
        }
        let length = self.body.len().to_string();
        self = self.header(HeaderName::ContentLength, length);
        self.head.put_slice(b"\r\n");
        self.head.put_slice(&self.body);
        let bytes = self.head.freeze();
        Message::parse(bytes.clone()).unwrap_or_else(|_| Message::unusable(bytes))
    }

    fn field(mut self, name: &[u8], value: &[&[u8]]) -> Builder {
        put(&mut self.head, name);
        self.head.put_slice(b": ");
        for part in value {
            put(&mut self.head, part);
        }
        self.head.put_slice(b"\r\n");
        self
    }
}

/// Writes octets of one line: what would end it becomes a blank.
fn put(head: &mut BytesMut, octets: &[u8]) {
    if memchr::memchr2(b'\r', b'\n', octets).is_none() {
        head.put_slice(octets);
        return;
    }
    head.extend(octets.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
}

fn status_text(room: &mut [u8; 3], status: u16) -> &str {
    for (place, divisor) in room.iter_mut().zip([100, 10, 1]) {
        *place = b'0' + u8::try_from(status / divisor % 10).unwrap_or(0);
    }
    std::str::from_utf8(room).unwrap_or("500")
}

/// The recommended phrase, RFC 3261 21 and the registrations since.
pub fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        200 => "OK",
        202 => "Accepted",
        302 => "Moved Temporarily",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        491 => "Request Pending",
        493 => "Undecipherable",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        other => match other / 100 {
            1 => "Progress",
            2 => "OK",
            3 => "Redirect",
            4 => "Request Failure",
            5 => "Server Failure",
            _ => "Failure",
        },
    }
}
