//! How a request is addressed along its route set, RFC 3261 12.2.1.1.

use crate::message::{NameAddr, Uri};

/// Request-URI and Route entries. A first router without `lr` is a strict one: it wants to find itself in the Request-URI, and the
/// target at the end of the route.
pub fn addressed(target: &str, route_set: &[String]) -> (String, Vec<String>) {
    let first = route_set.first().and_then(|route| NameAddr::parse(route.as_bytes()).ok());
    match first.map(|first| first.uri) {
        Some(uri) if Uri::parse(uri).is_ok_and(|uri| uri.param("lr").is_none()) => {
            let rest = route_set[1..].iter().cloned().chain([format!("<{target}>")]).collect();
            (uri.to_owned(), rest)
        }
        _ => (target.to_owned(), route_set.to_vec()),
    }
}
