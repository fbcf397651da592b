//! How the house does.

use axum::Json;
use axum::extract::State;
use pbx_core::api::Desk;
use pbx_core::api::status::{self, Status};

use crate::login::Reader;

/// How the house does.
#[utoipa::path(get, path = "/api/v1/status", responses((status = 200, body = Status)))]
pub async fn get(_: Reader, State(desk): State<Desk>) -> Json<Status> {
    Json(status::get(&desk))
}
