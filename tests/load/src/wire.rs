//! Sockets and waiting: one thread, nothing that blocks longer than it is told.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{RcvBuf, RcvBufForce};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// RFC 3261's T1: the first repetition of what is not answered.
pub const T1: Duration = Duration::from_millis(500);

/// How often something is repeated before it has failed.
pub const REPETITIONS: u32 = 6;

/// Where phones that register say they are: always here, so that the next run finds one contact for each user and not another one.
pub const CONTACT_PORT: u16 = 6181;

/// Octets that wait for us, so that a pause of ours is not the server's loss.
const BUFFER: usize = 16 << 20;

/// A socket on loopback that never blocks.
pub fn socket(port: u16) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port))?;
    roomy(&socket);
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// As much room for what arrives as the system gives.
pub fn roomy(socket: &UdpSocket) {
    if setsockopt(socket, RcvBufForce, &BUFFER).is_err() {
        let _ = setsockopt(socket, RcvBuf, &BUFFER);
    }
}

/// Until one of the sockets has something, or the time has come.
pub fn wait(sockets: &[&UdpSocket], until: Instant) {
    let left = until.saturating_duration_since(Instant::now());
    let left = Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() };
    let mut watched: Vec<PollFd<'_>> = sockets.iter().map(|socket| PollFd::new(*socket, PollFlags::IN)).collect();
    let _ = poll(&mut watched, Some(&left));
}

/// The next datagram, if there is one.
pub fn receive<'a>(socket: &UdpSocket, buffer: &'a mut [u8]) -> Option<(&'a [u8], SocketAddr)> {
    let (length, from) = socket.recv_from(buffer).ok()?;
    Some((&buffer[..length], from))
}
