//! The house's numbers as the world dials them.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use pbx_core::api::Desk;
use pbx_core::api::number::{self, NewNumber, Number, NumberChange, NumberShapes, Numbers};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::login::{Administrator, Reader};
use crate::problem::Outcome;

/// Every number.
#[utoipa::path(get, path = "/api/v1/numbers", responses((status = 200, body = Numbers)))]
pub async fn list(_: Reader, State(desk): State<Desk>) -> Outcome<Json<Numbers>> {
    Ok(Json(number::list(&desk).await?))
}

/// Adds one.
#[utoipa::path(post, path = "/api/v1/numbers", request_body = NewNumber, responses((status = 201, body = Number)))]
pub async fn create(_: Administrator, State(desk): State<Desk>, Json(new): Json<NewNumber>) -> Outcome<(StatusCode, Json<Number>)> {
    Ok((StatusCode::CREATED, Json(number::create(&desk, new).await?)))
}

/// Changes one; what is absent stays.
#[utoipa::path(patch, path = "/api/v1/numbers/{number}", params(("number" = String, Path)), request_body = NumberChange, responses((status = 200, body = Number)))]
pub async fn update(
    _: Administrator,
    State(desk): State<Desk>,
    Path(number): Path<String>,
    Json(change): Json<NumberChange>,
) -> Outcome<Json<Number>> {
    Ok(Json(number::update(&desk, &number, change).await?))
}

/// Removes one.
#[utoipa::path(delete, path = "/api/v1/numbers/{number}", params(("number" = String, Path)), responses((status = 204)))]
pub async fn delete(_: Administrator, State(desk): State<Desk>, Path(number): Path<String>) -> Outcome<StatusCode> {
    number::delete(&desk, &number).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which number.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Shaped {
    /// As people write it.
    number: String,
}

/// A number as each kind of line would be given it.
#[utoipa::path(get, path = "/api/v1/number_shapes", params(Shaped), responses((status = 200, body = NumberShapes)))]
pub async fn shapes(_: Reader, Query(Shaped { number }): Query<Shaped>) -> Outcome<Json<NumberShapes>> {
    Ok(Json(number::shapes(&number)?))
}
