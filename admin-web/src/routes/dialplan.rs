//! The dial plan, and what it would do.

use axum::Json;
use axum::extract::State;
use pbx_core::api::Desk;
use pbx_core::api::dialplan::{self, Answer, NewPlan, Plan, Question};

use crate::login::{Administrator, Reader};
use crate::problem::Outcome;

/// The live plan.
#[utoipa::path(get, path = "/api/v1/dialplan", responses((status = 200, body = Plan)))]
pub async fn get(_: Reader, State(desk): State<Desk>) -> Outcome<Json<Plan>> {
    Ok(Json(dialplan::current(&desk).await?))
}

/// Makes a plan live, for calls from now on.
#[utoipa::path(put, path = "/api/v1/dialplan", request_body = NewPlan, responses((status = 200, body = Plan)))]
pub async fn put(Administrator(session): Administrator, State(desk): State<Desk>, Json(new): Json<NewPlan>) -> Outcome<Json<Plan>> {
    dialplan::replace(&desk, new, &session.name).await?;
    Ok(Json(dialplan::current(&desk).await?))
}

/// What would come of a call: the engine that decides live calls.
#[utoipa::path(post, path = "/api/v1/explain", request_body = Question, responses((status = 200, body = Answer)))]
pub async fn explain(_: Reader, State(desk): State<Desk>, Json(question): Json<Question>) -> Outcome<Json<Answer>> {
    Ok(Json(dialplan::explain(&desk, &question).await?))
}
