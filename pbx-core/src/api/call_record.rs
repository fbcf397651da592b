//! Calls that are over.

use std::collections::BTreeMap;

use pbx_switch::call::CallRecord as Record;
use pbx_switch::dialplan::{Step as TraceStep, Trace};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::{Desk, Error, instant};
use crate::store;

/// One step of the way a call took: the catalogue's `trace.<code>` with its params.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// Which sentence.
    pub code: String,
    /// What it speaks of.
    pub params: BTreeMap<String, String>,
}

/// One party.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Leg {
    /// Extension or number.
    pub party: String,
    /// What the phone calls itself.
    pub user_agent: Option<String>,
    /// RFC 3339.
    pub invited_at: String,
    /// RFC 3339.
    pub answered_at: Option<String>,
    /// RFC 3339.
    pub ended_at: String,
    /// The catalogue's `outcome.<end>`.
    pub end: String,
    /// What it spoke.
    pub codec: Option<String>,
    /// From it.
    pub packets_received: u64,
    /// To it.
    pub packets_sent: u64,
    /// On the way from it.
    pub packets_lost: u64,
    /// Of what came from it, in milliseconds.
    pub jitter_ms: f64,
}

/// A call that is over.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CallRecord {
    /// Which.
    pub id: String,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339.
    pub answered_at: Option<String>,
    /// RFC 3339.
    pub ended_at: String,
    /// Number of who called; empty if hidden.
    pub caller: String,
    /// Name of who called.
    pub caller_name: String,
    /// As dialled.
    pub dialled: String,
    /// The catalogue's `outcome.<outcome>`.
    pub outcome: String,
    /// What the two spoke.
    pub codec: Option<String>,
    /// The caller's first.
    pub legs: Vec<Leg>,
    /// Why it went where it went.
    pub trace: Vec<Step>,
    /// The plan that decided.
    pub plan_revision: i64,
}

/// A page of records.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CallRecords {
    /// The newest first.
    pub items: Vec<CallRecord>,
    /// For `before` of the next page.
    pub next: Option<String>,
}

/// Which records.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// `next` of the page before.
    #[serde(default)]
    pub before: Option<String>,
    /// 1 to 200; 50 if absent.
    #[serde(default)]
    pub limit: Option<u32>,
    /// Part of the caller's or the dialled number.
    #[serde(default)]
    pub q: Option<String>,
}

/// A page of records.
pub async fn list(desk: &Desk, page: Page) -> Result<CallRecords, Error> {
    let before = match page.before {
        Some(before) => Some(before.parse().map_err(|_| Error::Invalid { field: "before", code: "malformed" })?),
        None => None,
    };
    let limit = page.limit.unwrap_or(50).clamp(1, 200);
    let part: String = page.q.unwrap_or_default().chars().take(64).collect();
    let records = store::call_record::page(desk.db(), before, &part, i64::from(limit)).await?;
    let next = (records.len() == limit as usize).then(|| records.last().map(|record| record.key.0.to_string())).flatten();
    Ok(CallRecords { items: records.iter().map(shown).collect(), next })
}

/// One.
pub async fn get(desk: &Desk, id: &str) -> Result<CallRecord, Error> {
    let key = id.parse().map_err(|_| Error::NotFound)?;
    store::call_record::get(desk.db(), key).await?.as_ref().map(shown).ok_or(Error::NotFound)
}

pub(crate) fn steps(trace: &Trace) -> Vec<Step> {
    let params = |step: &TraceStep| step.params().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    trace.steps.iter().map(|step| Step { code: step.code().to_owned(), params: params(step) }).collect()
}

fn shown(record: &Record) -> CallRecord {
    let leg = |leg: &pbx_switch::call::LegRecord| Leg {
        party: leg.party.clone(),
        user_agent: leg.user_agent.clone(),
        invited_at: instant(leg.invited),
        answered_at: leg.answered.map(instant),
        ended_at: instant(leg.ended),
        end: leg.end.clone(),
        codec: leg.codec.clone(),
        packets_received: leg.figures.packets_received,
        packets_sent: leg.figures.packets_sent,
        packets_lost: leg.figures.packets_lost,
        jitter_ms: f64::from(leg.figures.jitter_us) / 1000.0,
    };
    CallRecord {
        id: record.key.0.to_string(),
        started_at: instant(record.started),
        answered_at: record.answered.map(instant),
        ended_at: instant(record.ended),
        caller: record.caller.clone(),
        caller_name: record.caller_name.clone(),
        dialled: record.dialled.clone(),
        outcome: record.outcome.code().to_owned(),
        codec: record.codec.clone(),
        legs: record.legs.iter().map(leg).collect(),
        trace: steps(&record.trace),
        plan_revision: record.plan_revision,
    }
}
