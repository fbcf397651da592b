//! Session descriptions, RFC 8866, and what two sides make of them, RFC 3264. Plain RTP audio; everything else is refused stream by
//! stream. Plain data; knows neither dialogs nor sockets.

mod description;
mod offer_answer;

pub use description::{Description, Direction, Format, SdpError, Stream};
pub use offer_answer::{Local, agreed};
