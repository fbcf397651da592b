//! The first administrator.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{AppendHeaders, IntoResponse};
use pbx_core::api::Desk;
use pbx_core::api::administrator::{self, NewAdministrator, Session, Setup};

use crate::login;
use crate::problem::Outcome;

/// Does the house wait for its first administrator?
#[utoipa::path(get, path = "/api/v1/setup", responses((status = 200, body = Setup)))]
pub async fn get(State(desk): State<Desk>) -> Outcome<Json<Setup>> {
    Ok(Json(administrator::setup(&desk).await?))
}

/// Uses a one-time link up: chooses name and password, and signs in.
#[utoipa::path(post, path = "/api/v1/setup", request_body = NewAdministrator, responses((status = 200, body = Session)))]
pub async fn post(State(desk): State<Desk>, Json(new): Json<NewAdministrator>) -> Outcome<impl IntoResponse> {
    let signed_in = administrator::use_link(&desk, new).await?;
    Ok((AppendHeaders(login::begun(&signed_in).map(|cookie| (header::SET_COOKIE, cookie))), Json(signed_in.session)))
}
