//! A request, carried out at a desk.

use std::fmt::Write;

use pbx_switch::dialplan::PlanWarning;

use crate::api::{self, Desk, Error};
use crate::catalogue::{Lang, text};
use crate::command::{Reply, Request};

/// Does what is asked, and says what came of it.
pub async fn carry_out(desk: &Desk, request: Request, lang: Lang) -> Reply {
    let done = match request {
        Request::Explain(question) => explain(desk, &question, lang).await,
        Request::ImportExtensions(csv) => import(desk, &csv, lang).await,
        Request::ListExtensions => list(desk).await,
        Request::ImportPlan { file, plan } => {
            let new = api::dialplan::NewPlan { plan, reason: file };
            let revision = api::dialplan::replace(desk, new, "pbx dialplan import").await;
            revision.map(|revision| Reply::good(text(lang, "cli.plan.imported", &[("revision", revision.to_string())]) + "\n"))
        }
        Request::ExportPlan => api::dialplan::current(desk).await.map(|plan| Reply::good(plan.plan)),
        Request::CheckPlan { file, plan } => check(desk, file, plan, lang).await,
        Request::CreateAdministrator(name) => {
            let link = api::administrator::create(desk, &name).await;
            link.map(|link| Reply::good(text(lang, "cli.admin_link", &[("name", name), ("link", link)]) + "\n"))
        }
        Request::CreateToken(role) => api::administrator::create_token(desk, &role).await.map(|token| Reply::good(token + "\n")),
    };
    done.unwrap_or_else(|error| Reply::bad(sentences(&error, lang)))
}

/// What is wrong, with each row or line of a list or plan.
pub fn sentences(error: &Error, lang: Lang) -> String {
    let mut said = error.sentence(lang) + "\n";
    for (line, message) in error.details(lang) {
        let _ = writeln!(said, "  {}", text(lang, "cli.error.row", &[("line", line.to_string()), ("message", message)]));
    }
    said
}

async fn explain(desk: &Desk, question: &api::dialplan::Question, lang: Lang) -> Result<Reply, Error> {
    let answer = api::dialplan::explain(desk, question).await?;
    let mut said = String::new();
    for step in &answer.trace {
        let params: Vec<(&str, String)> = step.params.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        let _ = writeln!(said, "- {}", text(lang, &format!("trace.{}", step.code), &params));
    }
    let result = match (answer.destination, answer.refused) {
        (Some(destination), _) => text(lang, "cli.explain.result", &[("destination", destination)]),
        (None, refused) => text(lang, "cli.explain.refused", &[("why", refused.unwrap_or_default())]),
    };
    let _ = writeln!(said, "{result}");
    Ok(Reply::good(said))
}

async fn import(desk: &Desk, csv: &str, lang: Lang) -> Result<Reply, Error> {
    let imported = api::extension::import(desk, csv).await?;
    let mut said = text(lang, "cli.imported", &[("count", imported.count.to_string())]) + "\n";
    if !imported.generated.is_empty() {
        said.push_str(&(text(lang, "cli.secrets", &[]) + "\n"));
        for (number, secret) in imported.generated {
            said.push_str(&(text(lang, "cli.secret", &[("number", number), ("secret", secret)]) + "\n"));
        }
    }
    Ok(Reply::good(said))
}

async fn list(desk: &Desk) -> Result<Reply, Error> {
    let mut said = String::new();
    for extension in api::extension::list(desk).await?.items {
        let state = if extension.enabled { "" } else { "-" };
        let _ = writeln!(
            said,
            "{}{state}\t{}\t{}\t{}",
            extension.number,
            extension.name,
            extension.email.unwrap_or_default(),
            extension.devices.len()
        );
    }
    Ok(Reply::good(said))
}

async fn check(desk: &Desk, file: Option<String>, plan: Option<String>, lang: Lang) -> Result<Reply, Error> {
    let (what, plan) = match (file, plan) {
        (Some(file), Some(plan)) => (file, plan),
        _ => {
            let current = api::dialplan::current(desk).await?;
            (format!("dialplan {}", current.revision), current.plan)
        }
    };
    checked(&what, api::dialplan::check(desk, &plan).await, lang)
}

/// Is this plan, or the shipped one, right in itself? Nobody is asked who exists.
pub fn check_alone(file: Option<&str>, plan: Option<&str>, lang: Lang) -> Reply {
    let found = api::dialplan::check_alone(plan.unwrap_or(api::dialplan::SHIPPED));
    checked(file.unwrap_or("dialplans/default.toml"), found, lang).unwrap_or_else(|error| Reply::bad(sentences(&error, lang)))
}

fn checked(what: &str, found: Result<(usize, Vec<PlanWarning>), Error>, lang: Lang) -> Result<Reply, Error> {
    let (rules, warnings) = match found {
        Ok(good) => good,
        Err(error) => {
            let details: Vec<String> =
                error.details(lang).into_iter().map(|(line, message)| format!("{what}:{line}: {message}")).collect();
            if details.is_empty() {
                return Err(error);
            }
            return Ok(Reply::bad(details.join("\n") + "\n"));
        }
    };
    let mut said = text(lang, "cli.check.good", &[("what", what.to_owned()), ("count", rules.to_string())]) + "\n";
    for warning in warnings {
        let (key, number, rule, line) = match warning {
            PlanWarning::Shadowed { number, rule, line } => ("plan.warning.shadowed", number, rule, line),
            PlanWarning::Missing { number, rule, line } => ("plan.warning.missing", number, rule, line),
        };
        said.push_str(&(text(lang, key, &[("line", line.to_string()), ("rule", rule), ("number", number)]) + "\n"));
    }
    Ok(Reply::good(said))
}
