//! What can be wrong with a message, from "this is no SIP" down to one bad parameter.

use thiserror::Error;

use crate::message::HeaderName;

/// Octets that are no SIP message at all, or one that nobody could answer: dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ParseError {
    /// Nothing but line ends: a keep-alive (RFC 5626 3.5.1).
    #[error("nothing but line ends")]
    Empty,
    /// More than [`MAX_MESSAGE`](crate::message::limits::MAX_MESSAGE) octets.
    #[error("larger than any datagram")]
    TooLarge,
    /// The first line is neither a request line nor a status line.
    #[error("neither a request line nor a status line")]
    StartLine,
    /// A response of another SIP version, or a status code that is not three digits from 100 to 699 (RFC 4475 3.1.2.19).
    #[error("a status line that cannot be used")]
    StatusLine,
}

/// What is wrong with the shape of a message that can still be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// Blanks where none belong, or none where one belongs, in the request line.
    #[error("malformed request line")]
    RequestLine,
    /// Not SIP/2.0.
    #[error("unknown SIP version")]
    Version,
    /// A line without a colon, or whose name is not a token.
    #[error("malformed header line")]
    HeaderLine,
    /// CR without LF among the headers, which other elements may take for a line end.
    #[error("a carriage return within a header")]
    BareCarriageReturn,
    /// More than [`MAX_HEADERS`](crate::message::limits::MAX_HEADERS) lines.
    #[error("too many headers")]
    TooManyHeaders,
    /// The headers end without an empty line.
    #[error("no empty line after the headers")]
    NoEmptyLine,
    /// Not a number of octets we could hold.
    #[error("malformed Content-Length")]
    ContentLength,
    /// Several, and not the same.
    #[error("differing Content-Lengths")]
    ContentLengthsDiffer,
    /// Fewer octets came than Content-Length says.
    #[error("body shorter than its Content-Length")]
    BodyShort,
}

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Flaw {
    /// Nothing stands where something must.
    #[error("empty")]
    Empty,
    /// A quoted string without its end.
    #[error("unterminated quoted string")]
    Quote,
    /// `<` without `>`, or the reverse.
    #[error("unbalanced angle brackets")]
    Bracket,
    /// A display name with characters that need quotes.
    #[error("display name needs quotes")]
    DisplayName,
    /// An empty or malformed parameter.
    #[error("malformed parameter")]
    Parameter,
    /// Characters that cannot stand in a URI, or a URI of the wrong form.
    #[error("malformed URI")]
    Uri,
    /// A URI with `?` or `,` outside angle brackets (RFC 3261 20.10).
    #[error("URI needs angle brackets")]
    NeedsBrackets,
    /// A host that is neither a name nor an address.
    #[error("malformed host")]
    Host,
    /// A port that is no number up to 65535.
    #[error("malformed port")]
    Port,
    /// Not digits, or out of range.
    #[error("malformed number")]
    Number,
    /// A word that is no token.
    #[error("malformed token")]
    Token,
    /// Something after the end.
    #[error("trailing characters")]
    Trailing,
    /// Octets that are not UTF-8 where text must stand.
    #[error("not UTF-8")]
    NotUtf8,
    /// More entries than [`limits`](crate::message::limits) allows.
    #[error("too many entries")]
    TooMany,
}

/// A header field that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// It must be there and is not.
    #[error("{0} is missing")]
    Missing(HeaderName),
    /// It may stand once and stands several times with different values.
    #[error("{0} stands more than once")]
    Repeated(HeaderName),
    /// Its value is not what the header allows.
    #[error("{0}: {1}")]
    Malformed(HeaderName, Flaw),
    /// The message itself is broken.
    #[error(transparent)]
    Fault(#[from] Fault),
}
