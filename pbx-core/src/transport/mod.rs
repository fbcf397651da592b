//! SIP on the wire: datagrams and connections in, octets out. Knows flows; knows no message beyond where it ends.

pub mod acme;
pub mod admission;
pub mod certificate;
pub mod challenges;
pub mod connections;
pub mod finding_outer;
pub mod greeting;
mod guests;
pub mod https;
pub mod outer;
pub mod resolver;
mod stream;
pub mod tcp;
pub mod tls;
pub mod trust;
pub mod udp;
pub mod visitors;
pub mod websocket;
