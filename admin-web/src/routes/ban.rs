//! Who is turned away at the door.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use pbx_core::api::Desk;
use pbx_core::api::ban::{self, Bans};

use crate::login::{Administrator, Reader};
use crate::problem::Outcome;

/// Every source that is not listened to.
#[utoipa::path(get, path = "/api/v1/bans", responses((status = 200, body = Bans)))]
pub async fn list(_: Reader, State(desk): State<Desk>) -> Json<Bans> {
    Json(ban::list(&desk))
}

/// Lets a source in again.
#[utoipa::path(delete, path = "/api/v1/bans/{id}", params(("id" = String, Path)), responses((status = 204)))]
pub async fn lift(_: Administrator, State(desk): State<Desk>, Path(id): Path<String>) -> Outcome<StatusCode> {
    ban::lift(&desk, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
