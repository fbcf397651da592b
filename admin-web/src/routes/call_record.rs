//! Calls that are over.

use axum::Json;
use axum::extract::{Path, Query, State};
use pbx_core::api::Desk;
use pbx_core::api::call_record::{self, CallRecord, CallRecords, Page};

use crate::login::Reader;
use crate::problem::Outcome;

/// A page of records, the newest first.
#[utoipa::path(get, path = "/api/v1/call_records", params(Page), responses((status = 200, body = CallRecords)))]
pub async fn list(_: Reader, State(desk): State<Desk>, Query(page): Query<Page>) -> Outcome<Json<CallRecords>> {
    Ok(Json(call_record::list(&desk, page).await?))
}

/// One.
#[utoipa::path(get, path = "/api/v1/call_records/{id}", params(("id" = String, Path)), responses((status = 200, body = CallRecord)))]
pub async fn get(_: Reader, State(desk): State<Desk>, Path(id): Path<String>) -> Outcome<Json<CallRecord>> {
    Ok(Json(call_record::get(&desk, &id).await?))
}
