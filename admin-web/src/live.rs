//! Server-sent events: the picture, then every change.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, Stream};
use pbx_core::api::Desk;
use pbx_core::api::live::{EventId, LiveEvent, Watch, watch};

use crate::login::{Reader, may_still_look};
use crate::problem::Outcome;

/// How often a stream on which nothing happens says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a page is believed to be still allowed to look. A stream stays open for days, a session that has ended does not.
const ASK_AGAIN: Duration = Duration::from_secs(10);

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
    let page = Page { watch, asking: asked_again(desk, headers) };
    let messages = stream::unfold(page, |mut page| async { Some((Ok(page.next().await?), page)) });
    Ok(Sse::new(messages).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

/// A page that reads the stream.
struct Page {
    watch: Watch,
    /// Whether it may go on: asked beside the messages, so that a database that does not answer delays none.
    asking: BoxFuture<'static, Option<Caller>>,
}

/// Who reads, as their request said it.
type Caller = (Desk, HeaderMap);

impl Page {
    /// The next message; `None` when whoever reads has signed out, however quiet the house is.
    async fn next(&mut self) -> Option<Event> {
        loop {
            tokio::select! {
                told = self.watch.next() => return told.map(|(id, event)| message(id, &event)),
                still = &mut self.asking => {
                    let (desk, headers) = still?;
                    self.asking = asked_again(desk, headers);
                }
            }
        }
    }
}

/// Asks after a while; `None` if they may look no longer.
fn asked_again(desk: Desk, headers: HeaderMap) -> BoxFuture<'static, Option<Caller>> {
    Box::pin(async move {
        tokio::time::sleep(ASK_AGAIN).await;
        may_still_look(&headers, &desk).await.then_some((desk, headers))
    })
}

fn message(id: EventId, event: &LiveEvent) -> Event {
    let tagged = serde_json::to_value(event).unwrap_or_default();
    let name = tagged["event"].as_str().unwrap_or_default().to_owned();
    Event::default().id(id.to_string()).event(name).data(tagged["data"].to_string())
}
