//! How much of a message is read before it is refused. All bounds of the message layer stand here.

/// Octets of one message, headers and body: what the largest datagram could carry, and the same on streams.
pub const MAX_MESSAGE: usize = 65_535;

/// Octets of start line and headers on a stream before the empty line must have come.
pub const MAX_HEAD: usize = 32_768;

/// Header lines; the 129th makes the message a 400.
pub const MAX_HEADERS: usize = 128;

/// Via entries over all lines: more than Max-Forwards' recommended 70 (RFC 3261 8.1.1.6) cannot be honest.
pub const MAX_VIAS: usize = 70;

/// Entries of any other comma-separated list read as a whole (Contact, Route, Record-Route).
pub const MAX_ENTRIES: usize = 64;
