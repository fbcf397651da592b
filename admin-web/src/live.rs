//! Server-sent events: the picture, then every change.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use pbx_core::api::Desk;
use pbx_core::api::live::{EventId, LiveEvent, watch};

use crate::login::Reader;
use crate::problem::Outcome;

/// How often a stream on which nothing happens says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// What changes: `snapshot`, then `registration`, `call` and `call_ended`, one noun each. The id of each names the start of the
/// switchboard and a number that rises by one. Who gives the last one back in `Last-Event-ID` is told what followed, or the picture
/// anew where that is no longer remembered. A comment every 15 s is the heartbeat.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    params(("last-event-id" = Option<String>, Header, description = "The id of the last message that was heard")),
    responses((status = 200, body = LiveEvent, content_type = "text/event-stream"))
)]
pub async fn events(
    _: Reader,
    State(desk): State<Desk>,
    headers: HeaderMap,
) -> Outcome<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).and_then(EventId::parse);
    let watch = watch(&desk, last)?;
    let messages = stream::unfold(watch, |mut watch| async {
        let (id, event) = watch.next().await?;
        Some((Ok(message(id, &event)), watch))
    });
    Ok(Sse::new(messages).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

fn message(id: EventId, event: &LiveEvent) -> Event {
    let tagged = serde_json::to_value(event).unwrap_or_default();
    let name = tagged["event"].as_str().unwrap_or_default().to_owned();
    Event::default().id(id.to_string()).event(name).data(tagged["data"].to_string())
}
