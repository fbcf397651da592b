//! What calls to the outside may cost, and what they have cost.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use pbx_core::api::Desk;
use pbx_core::api::toll::{self, Countries, Spendings, Toll};

use crate::login::{Administrator, Reader};
use crate::problem::Outcome;

/// The rules of the house.
#[utoipa::path(get, path = "/api/v1/toll", responses((status = 200, body = Toll)))]
pub async fn get(_: Reader, State(desk): State<Desk>) -> Outcome<Json<Toll>> {
    Ok(Json(toll::get(&desk).await?))
}

/// Puts rules in the place of those there are; running calls obey them too.
#[utoipa::path(put, path = "/api/v1/toll", request_body = Toll, responses((status = 200, body = Toll)))]
pub async fn put(_: Administrator, State(desk): State<Desk>, Json(rules): Json<Toll>) -> Outcome<Json<Toll>> {
    Ok(Json(toll::set(&desk, rules).await?))
}

/// How everybody stands who has called outside within the last day.
#[utoipa::path(get, path = "/api/v1/spendings", responses((status = 200, body = Spendings)))]
pub async fn spendings(_: Reader, State(desk): State<Desk>) -> Json<Spendings> {
    Json(toll::spendings(&desk))
}

/// Lets an extension, or the `house`, go on for an hour in spite of a ceiling.
#[utoipa::path(post, path = "/api/v1/spendings/{id}/allowance", params(("id" = String, Path)), responses((status = 204)))]
pub async fn allow(_: Administrator, State(desk): State<Desk>, Path(id): Path<String>) -> Outcome<StatusCode> {
    toll::allow(&desk, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Countries that can be opened.
#[utoipa::path(get, path = "/api/v1/countries", responses((status = 200, body = Countries)))]
pub async fn countries(_: Reader) -> Json<Countries> {
    Json(toll::countries())
}
