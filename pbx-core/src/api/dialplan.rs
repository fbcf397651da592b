//! The dial plan, and what it would do.

use std::sync::Arc;

use pbx_sip::clock::Wall;
use pbx_switch::dialplan::{CallFacts, Caller, Destination, Dialplan, PlanWarning, Step as TraceStep, decide, normalise};
use pbx_switch::directory::ExtensionNumber;
use pbx_switch::event::Event;
use pbx_switch::feature::refused_at_once;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::call_record::{Step, steps};
use crate::api::{Desk, Error, instant};
use crate::runtime;
use crate::store;

/// The live plan.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Plan {
    /// Which.
    pub revision: i64,
    /// TOML.
    pub plan: String,
    /// Who made it live.
    pub author: String,
    /// Why.
    pub reason: String,
    /// RFC 3339.
    pub created_at: String,
}

/// A plan to make live.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPlan {
    /// TOML.
    pub plan: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// A call that is only thought of.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// An extension, a number, or `anonymous`.
    pub from: String,
    /// What is dialled.
    pub to: String,
    /// `2026-12-24T19:45` at the site, or RFC 3339; now if absent.
    #[serde(default)]
    pub at: Option<String>,
}

/// What would come of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Answer {
    /// Who would be rung, or which number called; null if the call would be refused.
    pub destination: Option<String>,
    /// The catalogue's `outcome.<refused>`; null if it would be put through.
    pub refused: Option<String>,
    /// Why.
    pub trace: Vec<Step>,
}

/// The live plan.
pub async fn current(desk: &Desk) -> Result<Plan, Error> {
    let stored = store::dialplan::newest(desk.db()).await?.ok_or(Error::NotFound)?;
    Ok(Plan {
        revision: stored.revision,
        plan: stored.plan,
        author: stored.author,
        reason: stored.reason,
        created_at: instant(Wall(stored.created_at)),
    })
}

/// Makes a plan live, for calls from now on; its revision.
pub async fn replace(desk: &Desk, new: NewPlan, author: &str) -> Result<i64, Error> {
    let plan = Arc::new(Dialplan::parse(&new.plan).map_err(Error::Plan)?);
    let reason: String = new.reason.chars().take(200).collect();
    let _changing = desk.changing().await;
    let revision = store::dialplan::insert(desk.db(), &new.plan, author, &reason, runtime::now().wall.0).await?;
    if let Some(live) = desk.live() {
        live.switch.tell(Event::DialplanChanged { plan, revision }).await;
    }
    Ok(revision)
}

/// Reads a plan; how many rules, and what may surprise.
pub async fn check(desk: &Desk, text: &str) -> Result<(usize, Vec<PlanWarning>), Error> {
    let plan = Dialplan::parse(text).map_err(Error::Plan)?;
    let directory = desk.directory().await?;
    Ok((plan.rules().len(), plan.warnings(&directory)))
}

/// The plan a new house begins with.
pub const SHIPPED: &str = include_str!("../../../dialplans/default.toml");

/// Reads a plan where there is no house, and so no extension to be surprised by.
pub fn check_alone(text: &str) -> Result<(usize, Vec<PlanWarning>), Error> {
    Ok((Dialplan::parse(text).map_err(Error::Plan)?.rules().len(), Vec::new()))
}

/// What would come of a call: the engine that decides live calls.
pub async fn explain(desk: &Desk, question: &Question) -> Result<Answer, Error> {
    let directory = desk.directory().await?;
    let (plan, _) = desk.plan().await?;
    let caller = match ExtensionNumber::new(question.from.trim()) {
        Ok(number) => Caller::Extension(number),
        Err(_) => normalise(&question.from).map_or(Caller::Anonymous, Caller::Outside),
    };
    let at = match question.at.as_deref().map(str::trim).filter(|at| !at.is_empty()) {
        None => runtime::now().wall,
        Some(at) => Wall(instant_of(at, &directory).ok_or(Error::Invalid { field: "at", code: "instant" })?),
    };
    let decision = decide(&plan, &directory, &CallFacts { caller, dialled: question.to.chars().take(64).collect(), at });
    let refused = refused_at_once(&decision.destination);
    let destination = match &decision.destination {
        Destination::Extension(number) => Some(number.to_string()),
        Destination::Outside { number, .. } | Destination::Emergency { number, .. } => Some(number.clone()),
        Destination::Refuse(_) => None,
    };
    let mut trace = decision.trace;
    if let Some(refusal) = refused {
        trace.steps.push(TraceStep::Turned { at, why: refusal.code().to_owned() });
    }
    Ok(Answer {
        destination: destination.filter(|_| refused.is_none()),
        refused: refused.map(|refusal| refusal.code().to_owned()),
        trace: steps(&trace),
    })
}

fn instant_of(text: &str, directory: &pbx_switch::directory::Directory) -> Option<i64> {
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(instant.as_microsecond());
    }
    let local: jiff::civil::DateTime = text.parse().ok()?;
    directory.sites.values().next()?.instant(local).map(|wall| wall.0)
}
