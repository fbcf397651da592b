//! The administration: a JSON API under `/api/v1`, live events, and the browser front end. Opens no socket; each handler reads its
//! request, calls one function of the front desk, and renders.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

mod assets;
mod live;
mod login;
mod problem;
mod routes;

use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue};
use axum::routing::get;
use axum::{Json, Router, middleware};
use pbx_core::api::Desk;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Octets of a request's body; a list of extensions is the largest.
const MAX_BODY: usize = 4_500_000;

/// Nothing from another host; scripts and styles are files of ours, never written into the page.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'self'; img-src 'self' data:; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

#[derive(OpenApi)]
#[openapi(
    info(title = "pbx", description = "The digital switchboard of a small cultural venue", license(name = "MIT OR Apache-2.0")),
    components(schemas(problem::Problem))
)]
struct Description;

fn described() -> (Router<Desk>, utoipa::openapi::OpenApi) {
    let (router, mut description) = OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(routes::setup::get, routes::setup::post))
        .routes(routes!(routes::session::get, routes::session::post, routes::session::delete))
        .routes(routes!(routes::extension::list, routes::extension::create))
        .routes(routes!(routes::extension::import))
        .routes(routes!(routes::extension::get, routes::extension::update, routes::extension::delete))
        .routes(routes!(routes::extension::new_secret))
        .routes(routes!(routes::ban::list))
        .routes(routes!(routes::ban::lift))
        .routes(routes!(routes::trunk::list, routes::trunk::create))
        .routes(routes!(routes::trunk::get, routes::trunk::update, routes::trunk::delete))
        .routes(routes!(routes::trunk::test))
        .routes(routes!(routes::trunk::profiles))
        .routes(routes!(routes::number::list, routes::number::create))
        .routes(routes!(routes::number::update, routes::number::delete))
        .routes(routes!(routes::number::shapes))
        .routes(routes!(routes::toll::get, routes::toll::put))
        .routes(routes!(routes::toll::spendings))
        .routes(routes!(routes::toll::allow))
        .routes(routes!(routes::toll::countries))
        .routes(routes!(routes::certificate::get))
        .routes(routes!(routes::call::list))
        .routes(routes!(routes::call::hang_up))
        .routes(routes!(routes::call_record::list))
        .routes(routes!(routes::call_record::table))
        .routes(routes!(routes::call_record::get))
        .routes(routes!(routes::status::get))
        .routes(routes!(routes::dialplan::get, routes::dialplan::put))
        .routes(routes!(routes::dialplan::explain))
        .routes(routes!(live::events))
        .split_for_parts();
    for (path, item) in &mut description.paths.paths {
        let operations = [
            ("get", &mut item.get),
            ("post", &mut item.post),
            ("put", &mut item.put),
            ("patch", &mut item.patch),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in operations {
            let Some(operation) = operation else { continue };
            // Unique, as OpenAPI asks: `get_extensions_number` for GET /api/v1/extensions/{number}.
            let words = path.trim_start_matches("/api/v1/").replace('/', "_").replace(['{', '}'], "");
            operation.operation_id = Some(format!("{method}_{words}"));
            operation.responses.responses.insert("default".to_owned(), problem::described());
        }
    }
    (router, description)
}

/// The OpenAPI 3.1 description of the API.
pub fn openapi() -> utoipa::openapi::OpenApi {
    described().1
}

/// Everything, for a desk.
pub fn router(desk: Desk) -> Router {
    let (api, description) = described();
    let header = |name: &'static str, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    api.route("/api/openapi.json", get(move || async move { Json(description) }))
        .route("/api/{*rest}", axum::routing::any(problem::not_found))
        .fallback(assets::serve)
        .layer(middleware::from_fn(problem::speak))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(header("content-security-policy", CONTENT_SECURITY_POLICY))
        .layer(header("x-content-type-options", "nosniff"))
        .layer(header("referrer-policy", "no-referrer"))
        .layer(header("cache-control", "no-store"))
        .with_state(desk)
}

/// The same over HTTPS: what a browser is to keep to itself it keeps for encrypted connections.
pub fn secured(router: Router) -> Router {
    router.layer(middleware::map_response(|mut response: axum::response::Response| async move {
        let cookies: Vec<HeaderValue> = response.headers().get_all(axum::http::header::SET_COOKIE).iter().cloned().collect();
        response.headers_mut().remove(axum::http::header::SET_COOKIE);
        for cookie in cookies {
            let secured = [cookie.as_bytes(), b"; Secure"].concat();
            if let Ok(secured) = HeaderValue::from_bytes(&secured) {
                response.headers_mut().append(axum::http::header::SET_COOKIE, secured);
            }
        }
        response
    }))
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::{Request, StatusCode};
    use pbx_core::config::Config;
    use tower::ServiceExt;

    use super::*;

    async fn desk(folder: &tempfile::TempDir) -> Desk {
        Desk::open(Config { data_dir: folder.path().to_owned(), ..Config::default() }).await.unwrap()
    }

    async fn ask(router: &Router, request: Request<Body>) -> (StatusCode, axum::http::HeaderMap, serde_json::Value) {
        let response = router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body(), MAX_BODY).await.unwrap();
        (status, headers, serde_json::from_slice(&body).unwrap_or_default())
    }

    fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::from(body.to_owned())).unwrap()
    }

    #[test]
    fn the_committed_description_is_the_one_that_is_served() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        let served = openapi().to_pretty_json().unwrap() + "\n";
        if std::env::var_os("WRITE_OPENAPI").is_some() {
            std::fs::write(file, &served).unwrap();
        }
        let committed = std::fs::read_to_string(file).unwrap_or_default();
        assert!(committed == served, "admin-web/openapi.json is not up to date: WRITE_OPENAPI=1 cargo test -p admin-web");
    }

    #[tokio::test]
    async fn every_path_but_the_doors_wants_somebody_signed_in() {
        let folder = tempfile::tempdir().unwrap();
        let router = router(desk(&folder).await);
        let open = ["/api/v1/setup", "/api/v1/session"];
        for (path, item) in openapi().paths.paths {
            if open.contains(&path.as_str()) {
                continue;
            }
            let path = path.replace("{number}", "201").replace("{id}", "1");
            for (method, there) in [
                ("GET", item.get.is_some()),
                ("POST", item.post.is_some()),
                ("PATCH", item.patch.is_some()),
                ("PUT", item.put.is_some()),
                ("DELETE", item.delete.is_some()),
            ] {
                if there {
                    let (status, _, body) = ask(&router, request(method, &path, &[], "{}")).await;
                    assert_eq!((status, &body["code"]), (StatusCode::UNAUTHORIZED, &"unauthenticated".into()), "{method} {path}");
                }
            }
        }
    }

    #[tokio::test]
    async fn sessions_need_their_csrf_word_and_readers_change_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let desk = desk(&folder).await;
        let router = router(desk.clone());
        let link = pbx_core::api::administrator::first_link(&desk).await.unwrap().unwrap();
        let token = link.split_once("#token=").unwrap().1;
        let body = format!("{{\"token\":\"{token}\",\"name\":\"camille\",\"password\":\"a long enough phrase\"}}");
        let (status, headers, session) = ask(&router, request("POST", "/api/v1/setup", &[], &body)).await;
        assert_eq!(status, StatusCode::OK);
        let cookie = headers["set-cookie"].to_str().unwrap().to_owned();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap();
        let new = "{\"number\":\"201\",\"name\":\"Ana\"}";
        let (status, _, body) = ask(&router, request("POST", "/api/v1/extensions", &[("cookie", cookie)], new)).await;
        assert_eq!((status, &body["code"]), (StatusCode::FORBIDDEN, &"csrf".into()));
        let csrf = session["csrf"].as_str().unwrap();
        let signed = [("cookie", cookie), ("x-csrf-token", csrf)];
        let (status, _, body) = ask(&router, request("POST", "/api/v1/extensions", &signed, new)).await;
        assert_eq!((status, &body["number"]), (StatusCode::CREATED, &"201".into()), "{body}");
        let (status, headers, body) = ask(&router, request("POST", "/api/v1/extensions", &signed, new)).await;
        assert_eq!((status, &body["code"]), (StatusCode::CONFLICT, &"extension_taken".into()));
        assert_eq!(headers["content-type"], "application/problem+json");
        let reader = pbx_core::api::administrator::create_token(&desk, "read").await.unwrap();
        let bearer = format!("Bearer {reader}");
        let (status, _, _) = ask(&router, request("GET", "/api/v1/extensions", &[("authorization", &bearer)], "")).await;
        assert_eq!(status, StatusCode::OK);
        let (status, _, _) = ask(&router, request("DELETE", "/api/v1/extensions/201", &[("authorization", &bearer)], "")).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
    }

    #[tokio::test]
    async fn mistakes_are_problem_details_in_the_callers_language() {
        let folder = tempfile::tempdir().unwrap();
        let router = router(desk(&folder).await);
        let (status, headers, body) =
            ask(&router, request("POST", "/api/v1/session", &[("accept-language", "en")], "{nonsense")).await;
        assert_eq!((status.as_u16(), &headers["content-type"]), (400, &"application/problem+json".parse().unwrap()));
        assert_eq!(body["title"], "The request cannot be understood.");
        let (status, _, body) = ask(&router, request("GET", "/api/v1/nothing", &[], "")).await;
        assert_eq!((status, &body["title"]), (StatusCode::NOT_FOUND, &"Cela n’existe pas ici.".into()));
    }
}
