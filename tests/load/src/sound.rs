//! RTP both ways of many calls: 50 packets a second from each leg, each with the time it left in its payload; the kernel says when it
//! came. All callers' legs share one socket and all callees' another, but each leg has an address of its own in 127/8, so that the
//! server sees as many peers as there are.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::cmsg_space;
use nix::libc;
use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmsg, setsockopt};
use nix::sys::time::TimeSpec;
use rustix::time::{ClockId, clock_gettime};

use crate::figures::Times;
use crate::wire::{roomy, wait};

/// A packet: header, and 20 ms of G.711.
const LENGTH: usize = 12 + 160;

/// Between two packets of a leg.
const EVERY_NS: u64 = 20_000_000;

/// What is due is sent, and what came is read, so often: fine enough for 20 ms, and many packets share one waking.
const TICK: Duration = Duration::from_micros(500);

/// Packets read at once.
const BATCH: usize = 64;

/// Which leg of a call; also the socket's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who called.
    Caller = 0,
    /// Who was called.
    Callee = 1,
}

/// Counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Sent.
    pub sent: u64,
    /// Come to the other leg of the same call.
    pub received: u64,
    /// Come to the wrong side: nobody should hear a stranger.
    pub astray: u64,
    /// Not sent, since this generator itself was late by more than a packet.
    pub skipped: u64,
}

/// The generator and the sink.
pub struct Sound {
    sockets: [UdpSocket; 2],
    legs: Vec<Option<Leg>>,
    due: BinaryHeap<Reverse<(u64, usize)>>,
    headers: MultiHeaders<SockaddrIn>,
    buffers: Vec<[u8; 256]>,
    /// Packets sent from now on count, and their times are kept.
    measuring: bool,
    /// Only what was sent while measuring.
    pub measured: Counted,
    /// Everything.
    pub all: Counted,
    /// How long packets were under way.
    pub times: Times,
}

struct Leg {
    side: Side,
    from: Ipv4Addr,
    to: SocketAddrV4,
    sequence: u16,
    timestamp: u32,
}

impl Sound {
    /// Two sockets, no leg.
    pub fn new() -> io::Result<Sound> {
        let open = || -> io::Result<UdpSocket> {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            socket.set_nonblocking(true)?;
            roomy(&socket);
            setsockopt(&socket, ReceiveTimestampns, &true)?;
            Ok(socket)
        };
        Ok(Sound {
            sockets: [open()?, open()?],
            legs: Vec::new(),
            due: BinaryHeap::new(),
            headers: MultiHeaders::preallocate(BATCH, Some(cmsg_space!(TimeSpec))),
            buffers: vec![[0; 256]; BATCH],
            measuring: false,
            measured: Counted::default(),
            all: Counted::default(),
            times: Times::default(),
        })
    }

    /// Where a leg of a call takes its packets.
    pub fn address(&self, call: usize, side: Side) -> io::Result<SocketAddrV4> {
        let [high, low] = u16::try_from(call % 60_000).unwrap_or(0).to_be_bytes();
        let ip = Ipv4Addr::new(127, 10 + side as u8, high, low.max(1));
        Ok(SocketAddrV4::new(ip, self.sockets[side as usize].local_addr()?.port()))
    }

    /// A leg begins to send from its address; its place, by which it is stopped.
    pub fn start(&mut self, side: Side, from: Ipv4Addr, to: SocketAddrV4) -> usize {
        let place = self.legs.iter().position(Option::is_none).unwrap_or(self.legs.len());
        if place == self.legs.len() {
            self.legs.push(None);
        }
        self.legs[place] = Some(Leg { side, from, to, sequence: 0, timestamp: 0 });
        // Legs are spread over the 20 ms by their place.
        let offset = (place as u64).wrapping_mul(7_919_017) % EVERY_NS;
        self.due.push(Reverse((monotonic_ns() + offset, place)));
        place
    }

    /// A leg sends nothing any more.
    pub fn stop(&mut self, place: usize) {
        self.legs[place] = None;
        self.due.retain(|Reverse((_, other))| *other != place);
    }

    /// From now on what is sent counts, or does not.
    pub fn measure(&mut self, measuring: bool) {
        self.measuring = measuring;
    }

    /// Sends and receives until then.
    pub fn run_until(&mut self, until: Instant) -> io::Result<()> {
        while Instant::now() < until {
            self.turn()?;
            wait(&[], Instant::now() + TICK);
        }
        Ok(())
    }

    /// Sends what is due and reads what has come.
    pub fn turn(&mut self) -> io::Result<()> {
        let now = monotonic_ns();
        while let Some(Reverse((when, place))) = self.due.peek().copied().filter(|Reverse((when, _))| *when <= now) {
            self.due.pop();
            let late = (now - when) / EVERY_NS;
            self.due.push(Reverse((when + (late + 1) * EVERY_NS, place)));
            self.all.skipped += late;
            self.measured.skipped += if self.measuring { late } else { 0 };
            self.send(place);
        }
        self.receive(Side::Caller)?;
        self.receive(Side::Callee)
    }

    fn send(&mut self, place: usize) {
        let Some(Some(leg)) = self.legs.get_mut(place) else { return };
        leg.sequence = leg.sequence.wrapping_add(1);
        leg.timestamp = leg.timestamp.wrapping_add(160);
        let mut packet = [0x55u8; LENGTH];
        packet[..2].copy_from_slice(&[0x80, 0]);
        packet[2..4].copy_from_slice(&leg.sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&leg.timestamp.to_be_bytes());
        packet[8..12].copy_from_slice(&u32::try_from(place).unwrap_or(0).to_be_bytes());
        packet[12] = leg.side as u8;
        packet[13] = u8::from(self.measuring);
        packet[14..22].copy_from_slice(&wall_ns().to_be_bytes());
        let source = libc::in_addr { s_addr: u32::from_ne_bytes(leg.from.octets()) };
        let from = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: source, ipi_addr: libc::in_addr { s_addr: 0 } };
        let socket = self.sockets[leg.side as usize].as_raw_fd();
        let (parts, beside) = ([IoSlice::new(&packet)], [ControlMessage::Ipv4PacketInfo(&from)]);
        if sendmsg(socket, &parts, &beside, MsgFlags::MSG_DONTWAIT, Some(&SockaddrIn::from(leg.to))).is_ok() {
            self.all.sent += 1;
            self.measured.sent += u64::from(self.measuring);
        }
    }

    fn receive(&mut self, side: Side) -> io::Result<()> {
        loop {
            let came = read(&self.sockets[side as usize], &mut self.headers, &mut self.buffers)?;
            for (at, (length, stamp)) in came.iter().enumerate() {
                self.count(side, at, *length, *stamp);
            }
            if came.len() < BATCH {
                return Ok(());
            }
        }
    }

    fn count(&mut self, side: Side, at: usize, length: usize, stamp: u64) {
        let packet = &self.buffers[at];
        if length != LENGTH || packet[0] != 0x80 {
            return;
        }
        let measured = packet[13] == 1;
        if packet[12] == side as u8 {
            self.all.astray += 1;
            self.measured.astray += u64::from(measured);
            return;
        }
        self.all.received += 1;
        if measured {
            self.measured.received += 1;
            let left = packet[14..22].try_into().map_or(0, u64::from_be_bytes);
            self.times.add(stamp.saturating_sub(left) / 1_000);
        }
    }
}

/// Packets that have come, one in each buffer: length, and when the kernel took it in.
fn read(socket: &UdpSocket, headers: &mut MultiHeaders<SockaddrIn>, buffers: &mut [[u8; 256]]) -> io::Result<Vec<(usize, u64)>> {
    let mut parts: Vec<[IoSliceMut<'_>; 1]> = buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
    let messages = match recvmmsg(socket.as_raw_fd(), headers, parts.iter_mut(), MsgFlags::MSG_DONTWAIT, None) {
        Ok(messages) => messages,
        Err(nix::errno::Errno::EAGAIN) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let stamp = |word| match word {
        ControlMessageOwned::ScmTimestampns(stamp) => Some(nanoseconds(stamp.tv_sec(), stamp.tv_nsec())),
        _ => None,
    };
    let came =
        messages.map(|message| (message.bytes, message.cmsgs().ok().and_then(|mut words| words.find_map(stamp)).unwrap_or(0)));
    Ok(came.collect())
}

fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    nanoseconds(now.tv_sec, now.tv_nsec)
}

/// The clock of the kernel's stamps.
fn wall_ns() -> u64 {
    let now = clock_gettime(ClockId::Realtime);
    nanoseconds(now.tv_sec, now.tv_nsec)
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or(0) * 1_000_000_000 + u64::try_from(nanoseconds).unwrap_or(0)
}
