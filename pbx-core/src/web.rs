//! What is spoken over HTTP and HTTPS: the administration, and SIP over WebSockets (RFC 7118) at `/sip`.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::extract::ws::{Message, WebSocket as Frames, WebSocketUpgrade};
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::map_request;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::{IncomingStream, Listener};
use bytes::Bytes;
use pbx_core::transport::challenges::Challenges;
use pbx_core::transport::https::{Https, Stream};
use pbx_core::transport::visitors::{Visit, Visitors};
use pbx_core::transport::websocket::{MAX_MESSAGE, SUBPROTOCOL, WebSocket, WebSockets};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep_until};

/// How often a browser is asked whether it is still there.
const PING: Duration = Duration::from_secs(30);

/// Serves both doors until it is dropped.
pub async fn serve(http: TcpListener, https: Option<Https>, admin: Router, websockets: WebSockets, challenges: Challenges) {
    let router = |admin: Router| {
        // Whoever only asks for the administration wants to know where a request comes from, and no more.
        Router::new()
            .route("/sip", get(upgrade))
            .with_state(websockets.clone())
            .merge(Router::new().route("/.well-known/acme-challenge/{token}", get(proof)).with_state(challenges.clone()))
            .merge(admin)
            .layer(map_request(|ConnectInfo(peer): ConnectInfo<Peer>, mut request: Request| async move {
                request.extensions_mut().insert(ConnectInfo(peer.remote));
                request
            }))
            .into_make_service_with_connect_info::<Peer>()
    };
    let visitors = Visitors::default();
    let plain = async { axum::serve(Bounded { door: http, visitors: visitors.clone() }, router(admin.clone())).await };
    let secured = async {
        match https {
            Some(https) => {
                axum::serve(Bounded { door: Secured(https), visitors: visitors.clone() }, router(admin_web::secured(admin.clone())))
                    .await
            }
            None => std::future::pending().await,
        }
    };
    let (plain, secured) = tokio::join!(plain, secured);
    for error in [plain, secured].into_iter().filter_map(Result::err) {
        tracing::error!(%error, "the administration is not served any more");
    }
}

/// Both ends of a connection.
#[derive(Clone, Copy)]
struct Peer {
    local: SocketAddr,
    remote: SocketAddr,
    secured: bool,
}

impl Connected<IncomingStream<'_, Bounded<TcpListener>>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Bounded<TcpListener>>) -> Peer {
        let remote = *stream.remote_addr();
        Peer { local: stream.io().stream().local_addr().unwrap_or(remote), remote, secured: false }
    }
}

impl Connected<IncomingStream<'_, Bounded<Secured>>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Bounded<Secured>>) -> Peer {
        let remote = *stream.remote_addr();
        Peer { local: stream.io().stream().get_ref().0.local_addr().unwrap_or(remote), remote, secured: true }
    }
}

/// A door with room for so many.
struct Bounded<D> {
    door: D,
    visitors: Visitors,
}

impl<D: Listener<Addr = SocketAddr>> Listener for Bounded<D> {
    type Io = Visit<D::Io>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visit<D::Io>, SocketAddr) {
        loop {
            let (stream, remote) = self.door.accept().await;
            if let Some(visit) = self.visitors.admit(stream, remote.ip()) {
                return (visit, remote);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.door.local_addr()
    }
}

struct Secured(Https);

impl Listener for Secured {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        self.0.accept().await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.0.local())
    }
}

/// An authority of certificates looks whether we are who asked it (RFC 8555 8.3).
async fn proof(State(challenges): State<Challenges>, Path(token): Path<String>) -> Response {
    match challenges.text(&token) {
        Some(text) => ([(CONTENT_TYPE, "application/octet-stream")], text).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A browser's phone comes.
async fn upgrade(
    State(websockets): State<WebSockets>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let upgrade = upgrade.protocols([SUBPROTOCOL]).max_message_size(MAX_MESSAGE).max_frame_size(MAX_MESSAGE);
    if upgrade.selected_protocol().is_none() {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let canonical = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
    let Some(connection) = websockets.welcome(canonical(peer.local), canonical(peer.remote), peer.secured) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let limits = websockets.limits();
    upgrade.on_upgrade(move |frames| move_frames(frames, connection, limits.first, limits.idle))
}

/// Until one of both ends it, or nothing comes for too long.
async fn move_frames(mut frames: Frames, mut connection: WebSocket, first: Duration, idle: Duration) {
    let mut silent_until = Instant::now() + first;
    let mut ping = tokio::time::interval_at(Instant::now() + PING, PING);
    ping.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            frame = frames.recv() => match frame {
                Some(Ok(Message::Text(text))) => {
                    silent_until = Instant::now() + idle;
                    connection.heard(Bytes::from(text)).await;
                }
                Some(Ok(Message::Binary(octets))) => {
                    silent_until = Instant::now() + idle;
                    connection.heard(octets).await;
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
            message = connection.next() => {
                let Some(octets) = message else { return };
                // A browser's script reads text; what is not is left to it as it is (RFC 7118 4.2).
                let frame = match std::str::from_utf8(&octets) {
                    Ok(text) => Message::Text(text.into()),
                    Err(_) => Message::Binary(octets),
                };
                if send(&mut frames, frame).await.is_err() {
                    return;
                }
            }
            _ = ping.tick() => {
                if send(&mut frames, Message::Ping(Bytes::new())).await.is_err() {
                    return;
                }
            }
            () = sleep_until(silent_until) => return,
        }
    }
}

/// A browser that takes nothing for so long is gone.
async fn send(frames: &mut Frames, frame: Message) -> Result<(), ()> {
    match tokio::time::timeout(PING, frames.send(frame)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(()),
    }
}
