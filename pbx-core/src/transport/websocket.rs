//! SIP over WebSockets (RFC 7118): connections that browsers open, and nobody else. Somebody else shakes hands and cuts frames; here each
//! is a flow, bounded in what it may hold and in how long it may be silent.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use pbx_sip::flow::{ConnectionId, Flow, Transport, source_of};
use tokio::sync::{Notify, mpsc};

use crate::transport::connections::{Limits, Told};
use crate::transport::guests::Guests;

/// The subprotocol that a browser asks for.
pub const SUBPROTOCOL: &str = "sip";

/// Octets of one message.
pub const MAX_MESSAGE: usize = 65_536;

/// Messages that wait for a slow browser; with more its connection is closed.
const OUTBOX: usize = 256;

/// Every WebSocket. Cloning is cheap.
#[derive(Clone)]
pub struct WebSockets {
    shared: Arc<Shared>,
}

struct Shared {
    limits: Limits,
    told: mpsc::Sender<Told>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    connections: BTreeMap<ConnectionId, Outlet>,
    guests: Guests,
}

struct Outlet {
    remote: IpAddr,
    messages: mpsc::Sender<Bytes>,
    ends: Arc<Notify>,
}

/// One connection, for whoever moves its frames; it ends when this is dropped.
pub struct WebSocket {
    shared: Arc<Shared>,
    flow: Flow,
    messages: mpsc::Receiver<Bytes>,
    ends: Arc<Notify>,
}

impl WebSockets {
    /// None yet; they tell through `told`.
    pub fn new(limits: Limits, told: mpsc::Sender<Told>) -> WebSockets {
        WebSockets { shared: Arc::new(Shared { limits, told, open: Mutex::default() }) }
    }

    /// How long one may be silent at first, and later.
    pub fn limits(&self) -> Limits {
        self.shared.limits
    }

    /// Takes one in that came from `remote` to `local`, if there is room for it.
    pub fn welcome(&self, local: SocketAddr, remote: SocketAddr, secured: bool) -> Option<WebSocket> {
        let mut open = self.shared.open();
        if !open.guests.has_room_for(remote.ip(), &self.shared.limits) {
            return None;
        }
        open.next += 1;
        let connection = ConnectionId(open.next);
        let (outlet, messages) = mpsc::channel(OUTBOX);
        let ends = Arc::new(Notify::new());
        open.guests.enter(remote.ip());
        open.connections.insert(connection, Outlet { remote: remote.ip(), messages: outlet, ends: Arc::clone(&ends) });
        let transport = if secured { Transport::Wss } else { Transport::Ws };
        let flow = Flow { transport, local, remote, connection };
        Some(WebSocket { shared: Arc::clone(&self.shared), flow, messages, ends })
    }

    /// Sends on a flow's connection. A browser cannot be called back: where there is none any more, that is told.
    pub fn send(&self, flow: &Flow, octets: Bytes) {
        let open = self.shared.open();
        let Some(outlet) = open.connections.get(&flow.connection) else {
            let _ = self.shared.told.try_send(Told::Closed(*flow));
            return;
        };
        if outlet.messages.try_send(octets).is_err() {
            tracing::debug!(connection = flow.connection.0, "a browser is too slow");
            outlet.ends.notify_one();
        }
    }

    /// Turns a source away, and closes what it has open.
    pub fn ban(&self, source: IpAddr) {
        let mut open = self.shared.open();
        open.guests.ban(source);
        open.connections.values().filter(|outlet| source_of(outlet.remote) == source).for_each(|outlet| outlet.ends.notify_one());
    }

    /// And takes it in again.
    pub fn lift(&self, source: IpAddr) {
        self.shared.open().guests.lift(source);
    }
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WebSocket {
    /// One frame has come: a message, as RFC 7118 5 has it. Waits while the switch is busy, and with it the browser.
    pub async fn heard(&self, octets: Bytes) {
        // A keep-alive of RFC 5626, which some send although WebSockets have their own.
        if octets.iter().all(|octet| matches!(octet, b'\r' | b'\n' | 0)) {
            return;
        }
        let _ = self.shared.told.send(Told::Message(self.flow, octets)).await;
    }

    /// The next message for the browser; none when the connection is to end.
    pub async fn next(&mut self) -> Option<Bytes> {
        tokio::select! {
            biased;
            () = self.ends.notified() => None,
            message = self.messages.recv() => message,
        }
    }
}

impl Drop for WebSocket {
    fn drop(&mut self) {
        let mut open = self.shared.open();
        open.connections.remove(&self.flow.connection);
        open.guests.leave(self.flow.remote.ip());
        drop(open);
        let (told, closed) = (self.shared.told.clone(), Told::Closed(self.flow));
        if let Err(mpsc::error::TrySendError::Full(closed)) = told.try_send(closed)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move { told.send(closed).await });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const OPTIONS: Bytes = Bytes::from_static(b"OPTIONS sip:a SIP/2.0\r\n\r\n");

    fn house(connections: usize) -> (WebSockets, mpsc::Receiver<Told>) {
        let (tell, told) = mpsc::channel(16);
        (WebSockets::new(Limits::new(connections, Duration::from_secs(60)), tell), told)
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn messages_come_and_go_and_the_end_is_told() {
        let (house, mut told) = house(4);
        let mut browser = house.welcome(at("192.0.2.9:8443"), at("192.0.2.1:40000"), true).unwrap();
        browser.heard(Bytes::from_static(b"\r\n\r\n")).await;
        browser.heard(OPTIONS).await;
        let Some(Told::Message(flow, octets)) = told.recv().await else { panic!("nothing came") };
        assert_eq!((octets, flow.transport, flow.remote), (OPTIONS, Transport::Wss, at("192.0.2.1:40000")));
        house.send(&flow, OPTIONS);
        assert_eq!(browser.next().await, Some(OPTIONS));
        drop(browser);
        assert!(matches!(told.recv().await, Some(Told::Closed(closed)) if closed == flow));
        house.send(&flow, OPTIONS);
        assert!(matches!(told.recv().await, Some(Told::Closed(closed)) if closed == flow), "nobody can be called back");
    }

    #[tokio::test]
    async fn connections_are_bounded_and_slow_ones_end() {
        let (house, _told) = house(8);
        let far = || house.welcome(at("192.0.2.9:8443"), at("192.0.2.1:40000"), false);
        let kept: Vec<_> = (0..2).map(|_| far().unwrap()).collect();
        assert!(far().is_none(), "a quarter of them from one address");
        drop(kept);
        let mut slow = far().unwrap();
        let flow = slow.flow;
        (0..=OUTBOX).for_each(|_| house.send(&flow, OPTIONS));
        assert_eq!(slow.next().await, None);
    }

    #[tokio::test]
    async fn who_is_banned_is_shown_out_and_stays_out() {
        let (house, _told) = house(8);
        let mut browser = house.welcome(at("192.0.2.9:8443"), at("192.0.2.1:40000"), false).unwrap();
        house.ban("192.0.2.1".parse().unwrap());
        assert_eq!(browser.next().await, None);
        assert!(house.welcome(at("192.0.2.9:8443"), at("192.0.2.1:40001"), false).is_none());
        house.lift("192.0.2.1".parse().unwrap());
        assert!(house.welcome(at("192.0.2.9:8443"), at("192.0.2.1:40001"), false).is_some());
    }
}
