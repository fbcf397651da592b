//! Calls that are over.

use std::collections::BTreeMap;

use pbx_sip::clock::Wall;
use pbx_switch::call::CallRecord as Record;
use pbx_switch::dialplan::{Step as TraceStep, Trace};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::quality::{Grade, Quality, quality};
use crate::api::{Desk, Error, instant};
use crate::store;
use crate::store::call_record::{Place, Sought};

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
    /// Its sound was protected (SRTP).
    pub protected: bool,
    /// From it.
    pub packets_received: u64,
    /// To it.
    pub packets_sent: u64,
    /// On the way from it.
    pub packets_lost: u64,
    /// How it heard and was heard; null if there was no sound.
    pub quality: Option<Quality>,
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
    /// Who answered, else who was rung first; empty if nobody was.
    pub callee: String,
    /// The catalogue's `outcome.<outcome>`.
    pub outcome: String,
    /// What the two spoke.
    pub codec: Option<String>,
    /// How it sounded: of the worse side; null if there was no sound.
    pub grade: Option<Grade>,
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
#[serde(deny_unknown_fields, default)]
pub struct Page {
    /// `next` of the page before.
    pub before: Option<String>,
    /// Of a page: 1 to 200, 50 if absent. An export has no end.
    pub limit: Option<u32>,
    /// RFC 3339: begun then or later.
    pub from: Option<String>,
    /// RFC 3339: begun before.
    pub until: Option<String>,
    /// How they came out.
    pub outcome: Option<String>,
    /// An extension or number, whole, that called, was dialled or was rung.
    pub party: Option<String>,
    /// Somebody answered, or nobody did.
    pub answered: Option<bool>,
    /// Part of a number or of the caller's name.
    pub q: Option<String>,
    /// Of an export: the language of its headings, `fr` or `en`; the browser's if absent.
    pub lang: Option<String>,
}

/// Characters of a text that is looked for.
const LONGEST: usize = 64;

impl Page {
    pub(crate) fn sought(&self) -> Result<(Sought, Option<Place>), Error> {
        let instant = |field, text: &Option<String>| match text {
            Some(text) => text
                .parse::<jiff::Timestamp>()
                .map(|at| Some(Wall(at.as_microsecond())))
                .map_err(|_| Error::Invalid { field, code: "malformed" }),
            None => Ok(None),
        };
        let text = |text: &Option<String>| text.as_deref().unwrap_or_default().trim().chars().take(LONGEST).collect();
        let before = match &self.before {
            Some(before) => Some(place(before).ok_or(Error::Invalid { field: "before", code: "malformed" })?),
            None => None,
        };
        let sought = Sought {
            from: instant("from", &self.from)?,
            until: instant("until", &self.until)?,
            outcome: text(&self.outcome),
            party: text(&self.party),
            answered: self.answered,
            part: text(&self.q),
        };
        Ok((sought, before))
    }
}

/// `1764021600000000-41`
fn place(text: &str) -> Option<Place> {
    let (started, key) = text.split_once('-')?;
    Some(Place { started: Wall(started.parse().ok()?), key: key.parse().ok()? })
}

/// A page of records.
pub async fn list(desk: &Desk, page: Page) -> Result<CallRecords, Error> {
    let (sought, before) = page.sought()?;
    let limit = page.limit.unwrap_or(50).clamp(1, 200);
    let records = store::call_record::page(desk.db(), &sought, before, i64::from(limit)).await?;
    let last = records.last().filter(|_| records.len() == limit as usize).map(Place::of);
    let next = last.map(|place| format!("{}-{}", place.started.0, place.key));
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
        protected: leg.protected,
        packets_received: leg.figures.packets_received,
        packets_sent: leg.figures.packets_sent,
        packets_lost: leg.figures.packets_lost,
        quality: quality(&leg.figures),
    };
    CallRecord {
        id: record.key.0.to_string(),
        started_at: instant(record.started),
        answered_at: record.answered.map(instant),
        ended_at: instant(record.ended),
        caller: record.caller.clone(),
        caller_name: record.caller_name.clone(),
        dialled: record.dialled.clone(),
        callee: record.callee().map_or_else(String::new, |leg| leg.party.clone()),
        outcome: record.outcome.code().to_owned(),
        codec: record.codec.clone(),
        grade: record.legs.iter().filter_map(|leg| quality(&leg.figures)).map(|quality| quality.grade).max(),
        legs: record.legs.iter().map(leg).collect(),
        trace: steps(&record.trace),
        plan_revision: record.plan_revision,
    }
}
