//! The dial plan, and what it would do.

use std::sync::Arc;

use pbx_sip::clock::Wall;
use pbx_switch::dialplan::{CallFacts, Caller, Destination, Dialplan, PlanWarning, Step as TraceStep, decide, normalise};
use pbx_switch::directory::{Directory, ExtensionNumber};
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
    let caller = caller_of(question.from.trim(), &directory).ok_or(Error::Invalid { field: "from", code: "caller" })?;
    let at = match question.at.as_deref().map(str::trim).filter(|at| !at.is_empty()) {
        None => runtime::now().wall,
        Some(at) => Wall(instant_of(at, &directory).ok_or(Error::Invalid { field: "at", code: "instant" })?),
    };
    let decision = decide(&plan, &directory, &CallFacts { caller, dialled: question.to.chars().take(64).collect(), at });
    let refused = refused_at_once(&decision.destination, &directory);
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

/// Who is meant; nobody, if there is no such extension and it is no number either.
fn caller_of(from: &str, directory: &Directory) -> Option<Caller> {
    if from.eq_ignore_ascii_case("anonymous") {
        return Some(Caller::Anonymous);
    }
    match ExtensionNumber::new(from) {
        Ok(number) => directory.extension(number.as_str()).map(|_| Caller::Extension(number)),
        Err(_) => normalise(from).map(Caller::Outside),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::extension::{NewExtension, create};
    use crate::config::Config;

    async fn desk(folder: &tempfile::TempDir) -> Desk {
        let desk = Desk::open(Config { data_dir: folder.path().to_owned(), ..Config::default() }).await.unwrap();
        for number in ["201", "202"] {
            create(&desk, NewExtension { number: number.into(), name: "Ana".into(), ..NewExtension::default() }).await.unwrap();
        }
        desk
    }

    #[tokio::test]
    async fn a_new_house_has_the_shipped_plan_and_a_wrong_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let desk = desk(&folder).await;
        let first = current(&desk).await.unwrap();
        assert_eq!((first.revision, first.plan.as_str()), (1, SHIPPED));
        let wrong = NewPlan { plan: "[[rule]]\nname = \"x\"\nmatch = \"0Q\"\nto = \"nowhere\"\n".into(), reason: String::new() };
        let Err(Error::Plan(errors)) = replace(&desk, wrong, "camille").await else { panic!("the plan has mistakes") };
        assert_eq!(errors.iter().map(|error| error.line).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(current(&desk).await.unwrap().revision, 1);
        let good = NewPlan { plan: "# nothing\n".into(), reason: "for the summer".into() };
        assert_eq!(replace(&desk, good, "camille").await.unwrap(), 2);
        let live = current(&desk).await.unwrap();
        assert_eq!((live.plan.as_str(), live.author.as_str(), live.reason.as_str()), ("# nothing\n", "camille", "for the summer"));
    }

    #[tokio::test]
    async fn what_would_come_of_a_call_is_told_with_its_reasons() {
        let folder = tempfile::tempdir().unwrap();
        let desk = desk(&folder).await;
        let ask = async |from: &str, to: &str| {
            explain(&desk, &Question { from: from.into(), to: to.into(), at: Some("2026-12-24T19:45".into()) }).await.unwrap()
        };
        let inside = ask("201", "202").await;
        assert_eq!((inside.destination.as_deref(), inside.refused.as_deref()), (Some("202"), None));
        let outside = ask("201", "0555123456").await;
        assert_eq!((outside.destination.as_deref(), outside.refused.as_deref()), (None, Some("no_outside_line")));
        assert!(outside.trace.iter().any(|step| step.code == "rule_matched"), "{:?}", outside.trace);
        assert_eq!(outside.trace.last().map(|step| step.code.as_str()), Some("turned"));
        assert_eq!(ask("anonymous", "112").await.refused.as_deref(), Some("no_outside_line"));
        assert_eq!(ask("0199001234", "0899123456").await.refused.as_deref(), Some("premium"));
        let at = |at: &str| Question { from: "201".into(), to: "202".into(), at: Some(at.into()) };
        assert!(explain(&desk, &at("2026-12-24T19:45:00Z")).await.is_ok());
        for wrong in ["299", "nobody", ""] {
            let question = Question { from: wrong.into(), to: "202".into(), at: None };
            assert!(matches!(explain(&desk, &question).await, Err(Error::Invalid { field: "from", .. })), "{wrong}");
        }
        for wrong in ["tomorrow", "19:45", "2026-13-24T19:45"] {
            assert!(matches!(explain(&desk, &at(wrong)).await, Err(Error::Invalid { field: "at", .. })), "{wrong}");
        }
    }

    #[tokio::test]
    async fn an_extension_that_hides_a_number_is_warned_of() {
        let folder = tempfile::tempdir().unwrap();
        let desk = desk(&folder).await;
        create(&desk, NewExtension { number: "3615".into(), name: "Minitel".into(), ..NewExtension::default() }).await.unwrap();
        let (rules, warnings) = check(&desk, SHIPPED).await.unwrap();
        assert!(rules > 5);
        assert!(matches!(&warnings[..], [PlanWarning::Shadowed { number, .. }] if number == "3615"), "{warnings:?}");
        assert_eq!(check_alone(SHIPPED).unwrap(), (rules, Vec::new()));
    }
}
