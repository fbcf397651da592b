//! The built front end, embedded. A path that is no file is a page of the application.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[cfg_attr(front_end, folder = "ui/dist")]
#[cfg_attr(not(front_end), folder = "src/without_front_end")]
struct FrontEnd;

/// Serves a file or the application's page.
pub async fn serve(uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let (name, file) = match FrontEnd::get(path) {
        Some(file) => (path, file),
        None => match FrontEnd::get("index.html") {
            Some(file) => ("index.html", file),
            None => return StatusCode::NOT_FOUND.into_response(),
        },
    };
    let tag =
        format!("\"{}\"", file.metadata.sha256_hash().iter().take(12).map(|octet| format!("{octet:02x}")).collect::<String>());
    // Names under assets/ carry a hash of their content, and so never change.
    let cache = if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == tag.as_bytes());
    let response = Response::builder().header(header::CACHE_CONTROL, cache).header(header::ETAG, &tag);
    let response = if known {
        response.status(StatusCode::NOT_MODIFIED).body(Body::empty())
    } else {
        response.header(header::CONTENT_TYPE, kind(name)).body(Body::from(file.data.into_owned()))
    };
    response.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}
