//! Finds out at which address the world sees us, and goes on asking: a router is given another one when its line drops, and nobody tells.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use pbx_sip::stun;
use pbx_sip::target::Target;
use rand::RngExt;
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep, timeout_at};

use crate::transport::resolver::Resolver;

/// Waits for an answer, each for a request: the beginning of RFC 8489 6.2.1.
const WAITS: [Duration; 5] =
    [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];

/// Asks for as long as it is polled. Each answer is told; what is heard twice is nothing new to whoever listens.
pub async fn find(server: &Target, every: Duration, resolver: &Resolver, found: impl AsyncFn(IpAddr)) {
    let mut silent = false;
    loop {
        match ask(server, resolver).await {
            Some(address) => {
                silent = false;
                found(address.ip()).await;
            }
            None if !silent => {
                silent = true;
                tracing::warn!("the STUN server says nothing; the outer address stays as it was");
            }
            None => {}
        }
        // Not all houses at once.
        sleep(every.mul_f64(rand::rng().random_range(0.9..1.1))).await;
    }
}

/// Our address as one of its servers sees it.
async fn ask(server: &Target, resolver: &Resolver) -> Option<SocketAddr> {
    let hops = resolver.resolve(server).await.ok()?;
    let remote = hops.into_iter().map(|hop| hop.remote).find(SocketAddr::is_ipv4)?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await.ok()?;
    socket.connect(remote).await.ok()?;
    let id: stun::TransactionId = rand::rng().random();
    let mut buffer = [0; 1_500];
    for wait in WAITS {
        let until = Instant::now() + wait;
        let _ = socket.send(&stun::request(id)).await;
        // Whatever else comes is not waited for any longer.
        while let Ok(Ok(length)) = timeout_at(until, socket.recv(&mut buffer)).await {
            if let Some(address) = stun::answered(&buffer[..length], id) {
                return Some(address);
            }
        }
    }
    None
}
