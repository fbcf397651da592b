//! Who is turned away at the door, and letting them in again.

use std::net::IpAddr;

use pbx_switch::event::Event;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::{Desk, Error, instant};

/// A source that is not listened to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Ban {
    /// An IPv4 address, or the first one of a /64 of IPv6.
    pub id: String,
    /// `unproven`, `wrong_secret`, `malformed`
    pub why: String,
    /// How often it has been banned.
    pub times: u32,
    /// RFC 3339.
    pub since: String,
    /// RFC 3339.
    pub until: String,
}

/// Every source that is not listened to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Bans {
    /// By address.
    pub items: Vec<Ban>,
    /// Always null: the list is whole.
    pub next: Option<String>,
}

/// Every source that is not listened to.
pub fn list(desk: &Desk) -> Bans {
    let items = desk.live().map_or_else(Vec::new, |live| live.board.read(|status| status.bans.values().map(shown).collect()));
    Bans { items, next: None }
}

/// Lets a source in again; what it did is forgotten.
pub async fn lift(desk: &Desk, id: &str) -> Result<(), Error> {
    let live = desk.live().ok_or(Error::NotFound)?;
    let source: IpAddr = id.parse().map_err(|_| Error::NotFound)?;
    if !live.board.read(|status| status.bans.contains_key(&source)) {
        return Err(Error::NotFound);
    }
    live.switch.tell(Event::LiftBan { source }).await;
    Ok(())
}

pub(crate) fn shown(ban: &pbx_switch::door::Ban) -> Ban {
    Ban {
        id: ban.source.to_string(),
        why: ban.why.as_str().to_owned(),
        times: ban.times,
        since: instant(ban.since),
        until: instant(ban.until),
    }
}
