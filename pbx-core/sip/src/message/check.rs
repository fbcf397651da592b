//! May this message be worked on? The treatments of RFC 3261 8.2 and RFC 4475, in the order in which they are asked for.

use crate::message::{Contacts, Fault, Flaw, HeaderError, HeaderName, MediaType, Message, Method, Scheme, Uri};

/// What an element can do; what a request needs beyond it is refused.
#[derive(Clone, Copy, Debug)]
pub struct Supported<'a> {
    /// Methods, for Allow.
    pub methods: &'a [Method],
    /// Option tags that Require may name.
    pub option_tags: &'a [&'a str],
    /// Body types as `(type, subtype)`.
    pub bodies: &'a [(&'a str, &'a str)],
}

/// Why a request is refused before it is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The status to answer with.
    pub status: u16,
    /// What stands in the header that explains it: Unsupported of a 420, nothing otherwise.
    pub unsupported: Vec<String>,
}

impl Rejection {
    fn with(status: u16) -> Rejection {
        Rejection { status, unsupported: Vec::new() }
    }
}

/// Headers that stand once, RFC 3261 20 table 2.
const SINGLE: [HeaderName; 6] =
    [HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq, HeaderName::MaxForwards, HeaderName::ContentType];

impl Message {
    /// What any element asks of a request: well-formed, whole, of this version. 400, 416, 505.
    pub fn check_request(&self) -> Result<(), Rejection> {
        match self.fault() {
            Some(Fault::Version) => return Err(Rejection::with(505)),
            Some(_) => return Err(Rejection::with(400)),
            None => {}
        }
        self.well_formed().map_err(|_| Rejection::with(400))?;
        let uri = match Uri::parse(self.request_uri()) {
            Ok(uri) => uri,
            Err(_) => return Err(Rejection::with(400)),
        };
        if let Scheme::Other(_) = uri.scheme {
            return Err(Rejection::with(416));
        }
        // Headers in a Request-URI are not allowed (RFC 3261 19.1.1) and would smuggle what we never checked.
        if uri.has_headers() {
            return Err(Rejection::with(400));
        }
        Ok(())
    }

    /// What this element asks beyond that: 405 or 501, 420, 415, 406. ACK and CANCEL are never refused for their options
    /// (RFC 3261 8.2.2.3).
    pub fn check_supported(&self, supported: &Supported<'_>) -> Result<(), Rejection> {
        if !supported.methods.contains(self.method()) {
            return Err(Rejection::with(if matches!(self.method(), Method::Other(_)) { 501 } else { 405 }));
        }
        if matches!(self.method(), Method::Ack | Method::Cancel) {
            return Ok(());
        }
        let missing: Vec<String> = [HeaderName::Require, HeaderName::ProxyRequire]
            .into_iter()
            .flat_map(|name| self.option_tags(name))
            .filter(|tag| !supported.option_tags.iter().any(|known| known.eq_ignore_ascii_case(tag)))
            .map(str::to_owned)
            .collect();
        if !missing.is_empty() {
            return Err(Rejection { status: 420, unsupported: missing });
        }
        // In-dialog INFO carries what phones like; it is passed on, not read.
        if !self.body().is_empty() && matches!(self.method(), Method::Invite | Method::Update | Method::Prack) {
            let known = |kind: MediaType<'_>| supported.bodies.iter().any(|(main, sub)| kind.is(main, sub));
            let encoded = self.header(HeaderName::ContentEncoding).is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity"));
            if encoded || !self.content_type().is_some_and(known) {
                return Err(Rejection::with(415));
            }
        }
        if *self.method() == Method::Invite && !self.accepts(supported) {
            return Err(Rejection::with(406));
        }
        Ok(())
    }

    /// Is a response usable by the transaction it names? What is not is dropped.
    pub fn check_response(&self) -> Result<(), HeaderError> {
        if let Some(fault) = self.fault() {
            return Err(fault.into());
        }
        self.well_formed()
    }

    /// Does Accept, if it is there, take a body that we could answer with?
    fn accepts(&self, supported: &Supported<'_>) -> bool {
        let mut asked = false;
        for entry in self.headers(HeaderName::Accept).flat_map(crate::message::params::entries).flatten() {
            asked = true;
            if MediaType::parse(entry).is_ok_and(|kind| supported.bodies.iter().any(|(main, sub)| kind.takes(main, sub))) {
                return true;
            }
        }
        !asked
    }

    fn well_formed(&self) -> Result<(), HeaderError> {
        for name in SINGLE {
            if self.count(name) > 1 && self.differs(name) {
                return Err(HeaderError::Repeated(name));
            }
        }
        self.vias().and_then(|vias| if vias.is_empty() { Err(HeaderError::Missing(HeaderName::Via)) } else { Ok(()) })?;
        self.from()?.uri_view().map_err(|flaw| HeaderError::Malformed(HeaderName::From, flaw))?;
        self.to()?.uri_view().map_err(|flaw| HeaderError::Malformed(HeaderName::To, flaw))?;
        self.call_id()?;
        self.max_forwards()?;
        if self.cseq()?.method != *self.method() {
            return Err(HeaderError::Malformed(HeaderName::CSeq, Flaw::Token));
        }
        self.routes()?;
        self.record_routes()?;
        if let Contacts::List(list) = self.contacts()? {
            for contact in list {
                contact.uri_view().map_err(|flaw| HeaderError::Malformed(HeaderName::Contact, flaw))?;
            }
        }
        Ok(())
    }

    fn differs(&self, name: HeaderName) -> bool {
        let mut values = self.headers(name);
        let first = values.next();
        values.any(|value| Some(value) != first)
    }
}
