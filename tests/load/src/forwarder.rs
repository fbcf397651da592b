//! The least that a relay on this machine can cost: two connected sockets for each call and nothing between read and send. It runs
//! beside the others, so that their figures have a floor from the same minute.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};

/// Forwards `calls` calls on ports `first`, `first + 1`, ... until nothing has come for 10 s, at most 300 s.
pub fn run(first: u16, calls: u16) -> io::Result<()> {
    let mut sockets = Vec::new();
    let ready = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for place in 0..calls * 2 {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, first + place))?;
        socket.set_nonblocking(true)?;
        epoll::add(&ready, &socket, epoll::EventData::new_u64(place.into()), epoll::EventFlags::IN)?;
        sockets.push((socket, false));
    }
    println!("ready");
    let end = Instant::now() + Duration::from_secs(300);
    let mut events = Vec::with_capacity(256);
    let mut buffer = [0; 2048];
    while Instant::now() < end {
        let patience = Timespec { tv_sec: 10, tv_nsec: 0 };
        if epoll::wait(&ready, rustix::buffer::spare_capacity(&mut events), Some(&patience))? == 0 {
            break;
        }
        for event in events.drain(..) {
            let place = event.data.u64() as usize;
            let (socket, known) = &mut sockets[place];
            let length = if *known {
                socket.recv(&mut buffer)
            } else {
                socket.recv_from(&mut buffer).and_then(|(length, from)| {
                    socket.connect(from)?;
                    *known = true;
                    Ok(length)
                })
            };
            // Ports of a call stand beside each other.
            if let (Ok(length), (partner, true)) = (length, &sockets[place ^ 1]) {
                let _ = partner.send(&buffer[..length]);
            }
        }
    }
    Ok(())
}
