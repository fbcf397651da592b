//! Calls in progress.

use pbx_switch::call::CallKey;
use pbx_switch::event::Event;
use pbx_switch::status::{CallState, LiveCall};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::quality::{Quality, quality};
use crate::api::{Desk, Error, instant};

/// A call in progress.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Call {
    /// Which.
    pub id: String,
    /// Number of who calls; empty if hidden.
    pub caller: String,
    /// Name of who calls.
    pub caller_name: String,
    /// As dialled.
    pub dialled: String,
    /// Who answered, or is rung.
    pub callee: String,
    /// `ringing`, `talking`, `held`
    pub state: String,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339.
    pub answered_at: Option<String>,
    /// Those who talk, the caller first; none before somebody has answered.
    pub legs: Vec<CallLeg>,
}

/// One party of a call in progress.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CallLeg {
    /// Extension or number.
    pub party: String,
    /// What it speaks.
    pub codec: Option<String>,
    /// Its sound is protected (SRTP).
    pub protected: bool,
    /// How it hears and is heard, so far; null before any sound.
    pub quality: Option<Quality>,
}

/// Every call in progress.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Calls {
    /// The oldest first.
    pub items: Vec<Call>,
    /// Always null: the list is whole.
    pub next: Option<String>,
}

/// Every call in progress.
pub fn list(desk: &Desk) -> Calls {
    let items =
        desk.live().map_or_else(Vec::new, |live| live.board.read(|status| status.calls.values().map(|call| shown(call)).collect()));
    Calls { items, next: None }
}

/// Ends a call.
pub async fn hang_up(desk: &Desk, id: &str) -> Result<(), Error> {
    let live = desk.live().ok_or(Error::NotFound)?;
    let call = CallKey(id.parse().map_err(|_| Error::NotFound)?);
    if !live.board.read(|status| status.calls.contains_key(&call)) {
        return Err(Error::NotFound);
    }
    live.switch.tell(Event::HangUp { call }).await;
    Ok(())
}

pub(crate) fn shown(call: &LiveCall) -> Call {
    let state = match call.state {
        CallState::Ringing => "ringing",
        CallState::Talking => "talking",
        CallState::Held => "held",
    };
    Call {
        id: call.key.0.to_string(),
        caller: call.caller.clone(),
        caller_name: call.caller_name.clone(),
        dialled: call.dialled.clone(),
        callee: call.callee.clone(),
        state: state.to_owned(),
        started_at: instant(call.started),
        answered_at: call.answered.map(instant),
        legs: call
            .legs
            .iter()
            .map(|leg| CallLeg {
                party: leg.party.clone(),
                codec: leg.codec.clone(),
                protected: leg.protected,
                quality: quality(&leg.figures),
            })
            .collect(),
    }
}
