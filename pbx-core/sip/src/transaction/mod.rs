//! The four transaction machines, RFC 3261 17 with the corrections of RFC 6026. Each is told what came and when, and says what to do;
//! none holds a message or a socket. The [`stack`](crate::stack) gives them both.

pub mod client;
pub mod invite_client;
pub mod invite_server;
pub mod server;
pub mod timers;

pub use timers::Timers;
