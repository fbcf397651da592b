//! Who asks: a session's cookie with its CSRF word, or a program's token.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use pbx_core::api::administrator::{self, Role, Session, SignedIn};
use pbx_core::api::{Desk, Error};

use crate::problem::{Failure, Outcome};

const COOKIE: &str = "pbx_session";

/// Somebody who may look.
pub struct Reader(pub Session);

/// Somebody who may change things.
pub struct Administrator(pub Session);

impl FromRequestParts<Desk> for Reader {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, desk: &Desk) -> Outcome<Reader> {
        Ok(Reader(who(&parts.method, &parts.headers, desk).await?))
    }
}

impl FromRequestParts<Desk> for Administrator {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, desk: &Desk) -> Outcome<Administrator> {
        let session = who(&parts.method, &parts.headers, desk).await?;
        match session.role {
            Role::Admin => Ok(Administrator(session)),
            Role::Read => Err(Error::Forbidden.into()),
        }
    }
}

/// Whether whoever sent these headers with a question may still look.
pub async fn may_still_look(headers: &HeaderMap, desk: &Desk) -> bool {
    who(&Method::GET, headers, desk).await.is_ok()
}

async fn who(method: &Method, headers: &HeaderMap, desk: &Desk) -> Result<Session, Error> {
    let bearer =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("Bearer "));
    if let Some(token) = bearer {
        return administrator::token(desk, token.trim()).await;
    }
    let session = administrator::session(desk, &cookie(headers).ok_or(Error::Unauthenticated)?).await?;
    // Another site's page can send the cookie, but cannot read the word.
    let safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let word = headers.get("x-csrf-token").and_then(|value| value.to_str().ok());
    if !safe && word != Some(session.csrf.as_str()) {
        return Err(Error::Csrf);
    }
    Ok(session)
}

/// The session cookie of a request.
pub fn cookie(headers: &HeaderMap) -> Option<String> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(name, _)| *name == COOKIE).map(|(_, value)| value.to_owned())
}

/// The cookie of a session that begins; out of scripts' and other sites' reach.
pub fn begun(signed_in: &SignedIn) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200", signed_in.cookie)).ok()
}

/// The cookie of a session that is over.
pub fn ended() -> HeaderValue {
    HeaderValue::from_static("pbx_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
}
