//! One SIP message: a byte-faithful index over its octets, typed views on demand, a builder, and the framing of streams.
//!
//! What we do not know stays as it came, in its order. Nothing is decoded before it is split. RFC 3261 7, 18.3, 20, 25.

mod builder;
mod call_views;
mod check;
mod error;
pub mod framing;
mod header_name;
mod index;
pub mod limits;
mod method;
mod name_addr;
mod number;
mod params;
mod uri;
mod via;
mod views;

pub use builder::{Builder, reason_phrase};
pub use call_views::{RAck, Refresher, Replaces, SessionExpires};
pub use check::{Rejection, Supported};
pub use error::{Fault, Flaw, HeaderError, ParseError};
pub use header_name::HeaderName;
pub use index::Message;
pub use method::Method;
pub use name_addr::NameAddr;
pub use params::{Params, entries as list_entries};
pub(crate) use params::{is_blank, trim as trimmed};
pub use uri::{Scheme, Uri};
pub use via::Via;
pub use views::{CSeq, Contacts, MediaType};
