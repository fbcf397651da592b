//! The four transaction machines as the wire sees them, RFC 3261 17 and RFC 6026: what is sent when, what is heard, and that nothing is
//! left behind. Each test is a ladder; `ladder.rs` says how to read one.

mod invite_client;
mod invite_server;
mod ladder;
mod large_requests;
mod routing;
mod short_requests;
