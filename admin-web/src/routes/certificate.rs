//! The certificate that is shown to those that come by TLS.

use axum::Json;
use axum::extract::State;
use pbx_core::api::Desk;
use pbx_core::api::certificate::{self, Certificate};

use crate::login::Reader;
use crate::problem::Outcome;

/// The certificate that is shown to those that come by TLS.
#[utoipa::path(get, path = "/api/v1/certificate", responses((status = 200, body = Certificate)))]
pub async fn get(_: Reader, State(desk): State<Desk>) -> Outcome<Json<Certificate>> {
    Ok(Json(certificate::get(&desk)?))
}
