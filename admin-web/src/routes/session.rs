//! Signing in and out.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse};
use axum::{Extension, Json};
use pbx_core::api::administrator::{self, Credentials, Session};
use pbx_core::api::{Desk, Error};

use crate::login::{self, Administrator, Reader};
use crate::problem::Outcome;

/// Who is signed in.
#[utoipa::path(get, path = "/api/v1/session", responses((status = 200, body = Session)))]
pub async fn get(Reader(session): Reader) -> Json<Session> {
    Json(session)
}

/// Signs in.
#[utoipa::path(post, path = "/api/v1/session", request_body = Credentials, responses((status = 200, body = Session)))]
pub async fn post(
    State(desk): State<Desk>,
    from: Option<Extension<ConnectInfo<SocketAddr>>>,
    Json(credentials): Json<Credentials>,
) -> Outcome<impl IntoResponse> {
    let address = from.map_or_else(String::new, |Extension(ConnectInfo(address))| address.ip().to_string());
    let signed_in = administrator::sign_in(&desk, credentials, &address).await?;
    Ok((AppendHeaders(login::begun(&signed_in).map(|cookie| (header::SET_COOKIE, cookie))), Json(signed_in.session)))
}

/// Signs out.
#[utoipa::path(delete, path = "/api/v1/session", responses((status = 204)))]
pub async fn delete(_: Administrator, State(desk): State<Desk>, headers: HeaderMap) -> Outcome<impl IntoResponse> {
    let cookie = login::cookie(&headers).ok_or(Error::Unauthenticated)?;
    administrator::sign_out(&desk, &cookie).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, login::ended())]))
}
