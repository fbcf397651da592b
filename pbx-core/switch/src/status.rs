//! What the world may know of a running house.

use std::net::{IpAddr, SocketAddr};

use pbx_media_words::Figures;
use pbx_sip::clock::Wall;
use serde::{Deserialize, Serialize};

use crate::call::{Call, CallKey, LegState};
use crate::dialplan::Trace;
use crate::directory::{Barred, ExtensionNumber, TrunkKey};
use crate::door::Ban;
use crate::toll::TollState;
use crate::trunking::LineStatus;

/// A change with its number; numbers rise by one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// From 1 at each start.
    pub sequence: u64,
    /// What changed.
    pub change: Change,
}

/// One noun each; what is told replaces what was told before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// The phones of an extension.
    Registration(Registration),
    /// A call, new or changed.
    Call(Box<LiveCall>),
    /// A call is over.
    CallEnded(CallKey),
    /// A line, new or changed.
    Line(LineStatus),
    /// A line is gone.
    LineGone(TrunkKey),
    /// A source is banned.
    Ban(Ban),
    /// And is not any more.
    BanEnded(IpAddr),
    /// How somebody stands with what calls may cost.
    Toll(TollState),
    /// Whether phones of an extension are turned away in spite of the right secret.
    TurnedAway(TurnedAway),
}

/// The phones of an extension.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    /// Whose.
    pub extension: ExtensionNumber,
    /// None if it is not registered.
    pub devices: Vec<Device>,
}

/// A phone that knows the secret of its extension, and comes from where or as it may not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TurnedAway {
    /// Whose.
    pub extension: ExtensionNumber,
    /// When last, from where, and why; none if that is over.
    pub last: Option<(Wall, SocketAddr, Barred)>,
}

/// One phone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// Its Contact.
    pub contact: String,
    /// What it calls itself.
    pub user_agent: Option<String>,
    /// Where it is.
    pub address: SocketAddr,
    /// `UDP` or `TCP`.
    pub transport: String,
    /// Until when, if it says nothing more.
    pub expires: Wall,
}

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// Nobody has answered.
    Ringing,
    /// Two people talk.
    Talking,
    /// One of them has put the other on hold.
    Held,
}

/// A call in progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveCall {
    /// Which.
    pub key: CallKey,
    /// Number of who calls; empty if hidden.
    pub caller: String,
    /// Name of who calls.
    pub caller_name: String,
    /// As dialled.
    pub dialled: String,
    /// Who answered, or is rung.
    pub callee: String,
    /// How far.
    pub state: CallState,
    /// When it began.
    pub started: Wall,
    /// When it was answered.
    pub answered: Option<Wall>,
    /// Why it goes where it goes.
    pub trace: Trace,
    /// Those who talk, the caller first; none before somebody has answered.
    pub legs: Vec<LiveLeg>,
}

/// One party of a call in progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveLeg {
    /// Extension or number.
    pub party: String,
    /// What it speaks: `PCMA`.
    pub codec: Option<String>,
    /// Its sound is protected (SRTP).
    pub protected: bool,
    /// What was counted so far.
    pub figures: Figures,
}

impl LiveCall {
    /// What pages show of a call.
    pub fn of(call: &Call) -> LiveCall {
        let state = match call.winner() {
            None => CallState::Ringing,
            Some(b) if b.holds() || call.caller_leg().holds() => CallState::Held,
            Some(_) => CallState::Talking,
        };
        LiveCall {
            key: call.key,
            caller: call.caller.number.clone(),
            caller_name: call.caller.name.clone(),
            dialled: call.dialled.clone(),
            callee: call.callee_leg().map(|leg| leg.party.clone()).unwrap_or_default(),
            state,
            started: call.started,
            answered: call.answered,
            trace: call.trace.clone(),
            legs: call
                .legs()
                .filter(|leg| leg.state == LegState::Answered)
                .map(|leg| LiveLeg {
                    party: leg.party.clone(),
                    codec: leg.codec(),
                    protected: leg.is_protected(),
                    figures: leg.figures,
                })
                .collect(),
        }
    }
}
