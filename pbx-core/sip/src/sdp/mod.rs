//! Session descriptions, RFC 8866, and what two sides make of them, RFC 3264. Audio over RTP, plain or protected by keys that the
//! descriptions name (RFC 4568); everything else is refused stream by stream. Plain data; knows neither dialogs nor sockets.

mod crypto;
mod description;
mod offer_answer;

pub use crypto::Crypto;
pub use description::{Description, Direction, Format, Profile, SdpError, Stream};
pub use offer_answer::{Local, agreed};
