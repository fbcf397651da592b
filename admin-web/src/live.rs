//! Server-sent events: the picture, then every change.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use pbx_core::api::Desk;
use pbx_core::api::live::{LiveEvent, watch};

use crate::login::Reader;
use crate::problem::Outcome;

/// What changes: `snapshot`, then `registration`, `call` and `call_ended`, each with a number that rises.
#[utoipa::path(get, path = "/api/v1/events", responses((status = 200, body = LiveEvent, content_type = "text/event-stream")))]
pub async fn events(_: Reader, State(desk): State<Desk>) -> Outcome<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let watch = watch(&desk)?;
    let messages = stream::unfold(watch, |mut watch| async {
        let (sequence, event) = watch.next().await?;
        Some((Ok(message(sequence, &event)), watch))
    });
    Ok(Sse::new(messages).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

fn message(sequence: u64, event: &LiveEvent) -> Event {
    let tagged = serde_json::to_value(event).unwrap_or_default();
    let name = tagged["event"].as_str().unwrap_or_default().to_owned();
    Event::default().id(sequence.to_string()).event(name).data(tagged["data"].to_string())
}
