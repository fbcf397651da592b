//! How the house does, in a few figures.

use serde::Serialize;
use utoipa::ToSchema;

use crate::api::Desk;

/// How the house does.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Status {
    /// Of the program.
    pub version: String,
    /// Where phones register: address and port.
    pub sip_udp: String,
    /// Where phones register over TCP.
    pub sip_tcp: String,
    /// Where phones register over TLS; empty if that is off.
    pub sip_tls: String,
    /// Extensions with at least one phone.
    pub registered: usize,
    /// Calls in progress.
    pub calls: usize,
    /// The database.
    pub store: StoreStatus,
}

/// How the database does.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StoreStatus {
    /// It takes what is written.
    pub good: bool,
    /// Call records that wait to be written.
    pub waiting: usize,
    /// Call records that found no place to wait.
    pub lost: usize,
    /// The kind of what it said last, the catalogue's `store.<code>`; empty if all is well.
    pub code: String,
    /// What it said last, in its own words; empty if it said nothing.
    pub error: String,
}

/// How the house does.
pub fn get(desk: &Desk) -> Status {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    match desk.live() {
        None => {
            let store = StoreStatus { good: true, waiting: 0, lost: 0, code: String::new(), error: String::new() };
            Status {
                version,
                sip_udp: String::new(),
                sip_tcp: String::new(),
                sip_tls: String::new(),
                registered: 0,
                calls: 0,
                store,
            }
        }
        Some(live) => {
            let (registered, calls) = live.board.read(|status| (status.registrations.len(), status.calls.len()));
            let health = &live.health;
            let store = StoreStatus {
                good: !health.is_failing(),
                waiting: health.waiting(),
                lost: health.lost(),
                code: health.code().to_owned(),
                error: health.last_error(),
            };
            Status {
                version,
                sip_udp: live.listening.sip_udp.to_string(),
                sip_tcp: live.listening.sip_tcp.to_string(),
                sip_tls: live.listening.sip_tls.map_or_else(String::new, |address| address.to_string()),
                registered,
                calls,
                store,
            }
        }
    }
}
