//! Extensions.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use pbx_core::api::Desk;
use pbx_core::api::extension::{self, Extension, ExtensionChange, ExtensionWithSecret, Extensions, Imported, NewExtension};

use crate::login::{Administrator, Reader};
use crate::problem::Outcome;

/// Every extension with its phones.
#[utoipa::path(get, path = "/api/v1/extensions", responses((status = 200, body = Extensions)))]
pub async fn list(_: Reader, State(desk): State<Desk>) -> Outcome<Json<Extensions>> {
    Ok(Json(extension::list(&desk).await?))
}

/// Creates one; its secret is told this once.
#[utoipa::path(post, path = "/api/v1/extensions", request_body = NewExtension, responses((status = 201, body = ExtensionWithSecret)))]
pub async fn create(
    _: Administrator,
    State(desk): State<Desk>,
    Json(new): Json<NewExtension>,
) -> Outcome<(StatusCode, Json<ExtensionWithSecret>)> {
    Ok((StatusCode::CREATED, Json(extension::create(&desk, new).await?)))
}

/// Creates extensions from a list, all or none.
#[utoipa::path(post, path = "/api/v1/extensions/import", request_body(content = String, content_type = "text/csv"), responses((status = 200, body = Imported)))]
pub async fn import(_: Administrator, State(desk): State<Desk>, csv: String) -> Outcome<Json<Imported>> {
    Ok(Json(extension::import(&desk, &csv).await?))
}

/// One.
#[utoipa::path(get, path = "/api/v1/extensions/{number}", params(("number" = String, Path)), responses((status = 200, body = Extension)))]
pub async fn get(_: Reader, State(desk): State<Desk>, Path(number): Path<String>) -> Outcome<Json<Extension>> {
    Ok(Json(extension::get(&desk, &number).await?))
}

/// Changes one; what is absent stays.
#[utoipa::path(patch, path = "/api/v1/extensions/{number}", params(("number" = String, Path)), request_body = ExtensionChange, responses((status = 200, body = Extension)))]
pub async fn update(
    _: Administrator,
    State(desk): State<Desk>,
    Path(number): Path<String>,
    Json(change): Json<ExtensionChange>,
) -> Outcome<Json<Extension>> {
    Ok(Json(extension::update(&desk, &number, change).await?))
}

/// Removes one.
#[utoipa::path(delete, path = "/api/v1/extensions/{number}", params(("number" = String, Path)), responses((status = 204)))]
pub async fn delete(_: Administrator, State(desk): State<Desk>, Path(number): Path<String>) -> Outcome<StatusCode> {
    extension::delete(&desk, &number).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives one a new secret, told this once.
#[utoipa::path(post, path = "/api/v1/extensions/{number}/secret", params(("number" = String, Path)), responses((status = 200, body = ExtensionWithSecret)))]
pub async fn new_secret(
    _: Administrator,
    State(desk): State<Desk>,
    Path(number): Path<String>,
) -> Outcome<Json<ExtensionWithSecret>> {
    Ok(Json(extension::new_secret(&desk, &number).await?))
}
