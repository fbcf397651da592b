//! Calls that are over.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use futures_util::stream;
use pbx_core::api::Desk;
use pbx_core::api::call_record::{self, CallRecord, CallRecords, Page};
use pbx_core::api::call_record_export::export;

use crate::login::Reader;
use crate::problem::{Outcome, language};

/// A page of records, the newest first.
#[utoipa::path(get, path = "/api/v1/call_records", params(Page), responses((status = 200, body = CallRecords)))]
pub async fn list(_: Reader, State(desk): State<Desk>, Query(page): Query<Page>) -> Outcome<Json<CallRecords>> {
    Ok(Json(call_record::list(&desk, page).await?))
}

/// Records as a table for a spreadsheet, the newest first: UTF-8 with its mark, in the language of `lang`. It comes a piece at a time; one
/// that ends before its end has ended by a fault, and the connection says so.
#[utoipa::path(get, path = "/api/v1/call_records.csv", params(Page), responses((status = 200, body = String, content_type = "text/csv")))]
pub async fn table(
    _: Reader,
    State(desk): State<Desk>,
    headers: HeaderMap,
    Query(page): Query<Page>,
) -> Outcome<impl IntoResponse> {
    let export = export(&desk, &page, language(&headers)).await?;
    let kept_as = format!("attachment; filename=\"{}\"", export.file_name());
    let pieces = stream::try_unfold(export, |mut export| async {
        Ok::<_, pbx_core::api::Error>(export.next().await?.map(|piece| (piece, export)))
    });
    let headers = [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, kept_as)];
    Ok((headers, Body::from_stream(pieces)))
}

/// One.
#[utoipa::path(get, path = "/api/v1/call_records/{id}", params(("id" = String, Path)), responses((status = 200, body = CallRecord)))]
pub async fn get(_: Reader, State(desk): State<Desk>, Path(id): Path<String>) -> Outcome<Json<CallRecord>> {
    Ok(Json(call_record::get(&desk, &id).await?))
}
