//! Junk from one address at a steady rate: what a server does for others meanwhile is measured beside it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::wire;

/// What is junk: nothing, halves, noise, and requests of nobody that are whole.
const JUNK: [&[u8]; 5] = [
    b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6\xf5\xf4\xf3\xf2\xf1\xf0",
    b"REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9:9;bra",
    b"INVITE sip:1000@127.0.0.1 SIP/2.0\r\n\r\n",
    b"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9:9;branch=z9hG4bKjunk\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: junk\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKnobody\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>;tag=2\r\nCall-ID: junk\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
];

/// Sends `rate` datagrams a second for so long, from an address that nobody else here has; how many were sent.
pub fn run(server: SocketAddr, rate: f64, time: Duration) -> io::Result<u64> {
    let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 9), 0))?;
    socket.set_nonblocking(true)?;
    let start = Instant::now();
    let mut sent = 0u64;
    while start.elapsed() < time {
        let due = (start.elapsed().as_secs_f64() * rate) as u64;
        while sent < due {
            let junk = JUNK[usize::try_from(sent % JUNK.len() as u64).unwrap_or(0)];
            // What the system does not take is lost, as a flood's packets are.
            let _ = socket.send_to(junk, server);
            sent += 1;
        }
        wire::wait(&[], Instant::now() + Duration::from_micros(500));
    }
    Ok(sent)
}
