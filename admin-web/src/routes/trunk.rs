//! Lines to the outside.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use pbx_core::api::Desk;
use pbx_core::api::trunk::{self, NewLineTest, Trunk, TrunkProfiles, TrunkSettings, Trunks};

use crate::login::{Administrator, Reader};
use crate::problem::Outcome;

/// Every line, and how it is.
#[utoipa::path(get, path = "/api/v1/trunks", responses((status = 200, body = Trunks)))]
pub async fn list(_: Reader, State(desk): State<Desk>) -> Outcome<Json<Trunks>> {
    Ok(Json(trunk::list(&desk).await?))
}

/// Creates one.
#[utoipa::path(post, path = "/api/v1/trunks", request_body = TrunkSettings, responses((status = 201, body = Trunk)))]
pub async fn create(
    _: Administrator,
    State(desk): State<Desk>,
    Json(settings): Json<TrunkSettings>,
) -> Outcome<(StatusCode, Json<Trunk>)> {
    Ok((StatusCode::CREATED, Json(trunk::create(&desk, settings).await?)))
}

/// What is known of carriers, to begin a line with.
#[utoipa::path(get, path = "/api/v1/trunk_profiles", responses((status = 200, body = TrunkProfiles)))]
pub async fn profiles(_: Reader) -> Json<TrunkProfiles> {
    Json(trunk::profiles())
}

/// One.
#[utoipa::path(get, path = "/api/v1/trunks/{id}", params(("id" = String, Path)), responses((status = 200, body = Trunk)))]
pub async fn get(_: Reader, State(desk): State<Desk>, Path(id): Path<String>) -> Outcome<Json<Trunk>> {
    Ok(Json(trunk::get(&desk, &id).await?))
}

/// Sets one anew; a secret that is absent stays.
#[utoipa::path(put, path = "/api/v1/trunks/{id}", params(("id" = String, Path)), request_body = TrunkSettings, responses((status = 200, body = Trunk)))]
pub async fn update(
    _: Administrator,
    State(desk): State<Desk>,
    Path(id): Path<String>,
    Json(settings): Json<TrunkSettings>,
) -> Outcome<Json<Trunk>> {
    Ok(Json(trunk::update(&desk, &id, settings).await?))
}

/// Prepares a test call: the next call of that extension to that number goes by this line and shows that number.
#[utoipa::path(post, path = "/api/v1/trunks/{id}/test", params(("id" = String, Path)), request_body = NewLineTest, responses((status = 204)))]
pub async fn test(
    _: Administrator,
    State(desk): State<Desk>,
    Path(id): Path<String>,
    Json(new): Json<NewLineTest>,
) -> Outcome<StatusCode> {
    trunk::test(&desk, &id, new).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes one.
#[utoipa::path(delete, path = "/api/v1/trunks/{id}", params(("id" = String, Path)), responses((status = 204)))]
pub async fn delete(_: Administrator, State(desk): State<Desk>, Path(id): Path<String>) -> Outcome<StatusCode> {
    trunk::delete(&desk, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
