//! Calls in progress.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use pbx_core::api::Desk;
use pbx_core::api::call::{self, Calls};

use crate::login::{Administrator, Reader};
use crate::problem::Outcome;

/// Every call in progress.
#[utoipa::path(get, path = "/api/v1/calls", responses((status = 200, body = Calls)))]
pub async fn list(_: Reader, State(desk): State<Desk>) -> Json<Calls> {
    Json(call::list(&desk))
}

/// Ends a call.
#[utoipa::path(delete, path = "/api/v1/calls/{id}", params(("id" = String, Path)), responses((status = 204)))]
pub async fn hang_up(_: Administrator, State(desk): State<Desk>, Path(id): Path<String>) -> Outcome<StatusCode> {
    call::hang_up(&desk, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
