//! Errors as problem details (RFC 9457), in the caller's language.

use std::any::Any;

use axum::Json;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use pbx_core::api::{Error, Lang, text};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};

/// Why a request was not carried out.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`; `code` says which.
    pub r#type: String,
    /// The sentence.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The catalogue's `problem.<code>`.
    pub code: String,
    /// Which field, if it is one's fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Seconds to wait, if there were too many attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// Each mistake of a list or plan.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Detail>,
}

/// One mistake.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Detail {
    /// From 1.
    pub line: usize,
    /// The sentence.
    pub message: String,
}

/// For the description: what every path may answer instead.
pub fn described() -> RefOr<utoipa::openapi::Response> {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description("Why it was not carried out").content("application/problem+json", content).build().into()
}

/// An error on its way out; [`speak`] gives it the caller's language.
pub struct Failure(Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure(error)
    }
}

/// The result of a handler.
pub type Outcome<T> = Result<T, Failure>;

fn status_of(error: &Error) -> StatusCode {
    match error {
        Error::NotFound => StatusCode::NOT_FOUND,
        Error::Taken => StatusCode::CONFLICT,
        Error::Invalid { .. } | Error::Rows(_) | Error::Plan(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Unauthenticated | Error::WrongPassword => StatusCode::UNAUTHORIZED,
        Error::Forbidden | Error::Csrf => StatusCode::FORBIDDEN,
        Error::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::LinkUsed => StatusCode::GONE,
        Error::Store { .. } => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// What [`speak`] finds in a response and puts into words.
#[derive(Clone)]
struct Unspoken(std::sync::Arc<Error>);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = status_of(&self.0).into_response();
        if let Error::TooMany { seconds } = &self.0 {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
        }
        response.extensions_mut().insert(Unspoken(std::sync::Arc::new(self.0)));
        response
    }
}

/// Puts errors into the caller's words: those of the desk, and those of the layers (a body that is no JSON, too large, a wrong method).
pub async fn speak(request: Request, next: Next) -> Response {
    let lang = language(request.headers());
    let is_api = request.uri().path().starts_with("/api/");
    let response = next.run(request).await;
    if let Some(Unspoken(error)) = response.extensions().get::<Unspoken>().cloned() {
        let problem = Problem {
            r#type: "about:blank".to_owned(),
            title: error.sentence(lang),
            status: response.status().as_u16(),
            code: error.code().to_owned(),
            field: if let Error::Invalid { field, .. } = &*error { Some((*field).to_owned()) } else { None },
            seconds: if let Error::TooMany { seconds } = &*error { Some(*seconds) } else { None },
            errors: error.details(lang).into_iter().map(|(line, message)| Detail { line, message }).collect(),
        };
        return rendered(response, &problem);
    }
    let spoken = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/"));
    if !is_api || !(response.status().is_client_error() || response.status().is_server_error()) || spoken {
        return response;
    }
    let code = match response.status() {
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::PAYLOAD_TOO_LARGE => "too_large",
        status if status.is_server_error() => "fault",
        _ => "malformed",
    };
    let problem = Problem {
        r#type: "about:blank".to_owned(),
        title: text(lang, &format!("problem.{code}"), &[]),
        status: response.status().as_u16(),
        code: code.to_owned(),
        field: None,
        seconds: None,
        errors: Vec::new(),
    };
    rendered(response, &problem)
}

/// A path of the API that does not exist.
pub async fn not_found() -> Failure {
    Failure(Error::NotFound)
}

/// A fault of ours.
pub fn panicked(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("a page request met a fault of ours");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// The caller's language.
pub fn language(headers: &HeaderMap) -> Lang {
    headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).map_or(Lang::Fr, Lang::of)
}

fn rendered(response: Response, problem: &Problem) -> Response {
    let (parts, _) = response.into_parts();
    let mut rendered = (parts.status, Json(problem)).into_response();
    if let Some(wait) = parts.headers.get(header::RETRY_AFTER) {
        rendered.headers_mut().insert(header::RETRY_AFTER, wait.clone());
    }
    rendered.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    rendered.map(Body::new)
}
