//! What is kept of a call.

use pbx_media_words::Figures;
use pbx_sip::clock::Wall;
use serde::{Deserialize, Serialize};

use crate::call::{CallKey, Refusal};
use crate::dialplan::Trace;

/// How a call came out. The catalogue has a sentence for each: `outcome.<code>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Two people talked.
    Answered,
    /// The caller gave up before.
    Abandoned,
    /// Nothing was heard from either side for a long time, or the connection was never completed.
    Lost,
    /// An administrator ended it.
    HungUp,
    /// It was not connected.
    Refused(Refusal),
}

impl Outcome {
    /// For the catalogue.
    pub fn code(self) -> &'static str {
        match self {
            Outcome::Answered => "answered",
            Outcome::Abandoned => "abandoned",
            Outcome::Lost => "lost",
            Outcome::HungUp => "hung_up",
            Outcome::Refused(refusal) => refusal.code(),
        }
    }
}

/// One party of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LegRecord {
    /// Extension or number.
    pub party: String,
    /// What the phone calls itself.
    pub user_agent: Option<String>,
    /// When it was invited, or invited us.
    pub invited: Wall,
    /// When it answered.
    pub answered: Option<Wall>,
    /// When it was over.
    pub ended: Wall,
    /// How: an outcome's code, or `elsewhere` if another phone took the call.
    pub end: String,
    /// What it spoke: `PCMA`.
    pub codec: Option<String>,
    /// Its sound was protected (SRTP).
    #[serde(default)]
    pub protected: bool,
    /// What was counted.
    pub figures: Figures,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// Which.
    pub key: CallKey,
    /// When it began.
    pub started: Wall,
    /// When it was answered.
    pub answered: Option<Wall>,
    /// When it was over.
    pub ended: Wall,
    /// Number of who called; empty if hidden.
    pub caller: String,
    /// Name of who called.
    pub caller_name: String,
    /// As dialled.
    pub dialled: String,
    /// How it came out.
    pub outcome: Outcome,
    /// The caller's first.
    pub legs: Vec<LegRecord>,
    /// What the two spoke.
    pub codec: Option<String>,
    /// Why it went where it went.
    pub trace: Trace,
    /// The plan that decided.
    pub plan_revision: i64,
}

impl CallRecord {
    /// Who answered, else who was rung first.
    pub fn callee(&self) -> Option<&LegRecord> {
        let rung = self.legs.get(1..)?;
        rung.iter().find(|leg| leg.answered.is_some()).or(rung.first())
    }
}
