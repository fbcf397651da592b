//! The plane's door: started once, told by commands, heard through a sink.

use std::io;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use pbx_media_words::{Command, Event};
use rustix::event::{EventfdFlags, eventfd};
use thiserror::Error;

use crate::worker::Worker;

/// How the plane is set up.
#[derive(Clone, Debug)]
pub struct PlaneConfig {
    /// Where sockets are bound; unspecified for every address.
    pub address: IpAddr,
    /// Ports to use.
    pub ports: RangeInclusive<u16>,
    /// How long a pair rests after use.
    pub rest: Duration,
    /// How often figures are told.
    pub figures_every: Duration,
    /// How often each peer is sent an RTCP report, half as long more or less.
    pub report_every: Duration,
    /// A peer that may send and does not for so long is told of.
    pub silent_after: Duration,
}

impl Default for PlaneConfig {
    fn default() -> PlaneConfig {
        PlaneConfig {
            address: IpAddr::from([0, 0, 0, 0]),
            ports: 10_000..=39_999,
            rest: Duration::from_secs(60),
            figures_every: Duration::from_secs(5),
            // RFC 3550 6.2, the least interval.
            report_every: Duration::from_secs(5),
            silent_after: Duration::from_secs(10),
        }
    }
}

/// The plane cannot work.
#[derive(Debug, Error)]
pub enum PlaneError {
    /// The system refuses what the plane needs.
    #[error("the media thread cannot be started: {0}")]
    System(#[from] io::Error),
}

/// Takes events, on the plane's thread; must not wait.
pub type Sink = Box<dyn FnMut(Event) + Send>;

/// Commands that wait at most; a plane that is so far behind is dead, and its caller waits.
const QUEUE: usize = 65_536;

/// A running plane; stops when dropped.
pub struct Plane {
    commands: Option<SyncSender<Command>>,
    bell: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Plane {
    /// Starts the thread.
    pub fn start(config: PlaneConfig, sink: Sink) -> Result<Plane, PlaneError> {
        let (commands, queue) = sync_channel(QUEUE);
        let bell = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).map_err(io::Error::from)?);
        let worker = Worker::new(config, queue, Arc::clone(&bell), sink)?;
        let thread = std::thread::Builder::new().name("media".to_owned()).spawn(move || worker.run())?;
        Ok(Plane { commands: Some(commands), bell, thread: Some(thread) })
    }

    /// Hands over a command; [`ring`](Plane::ring) makes the plane look.
    pub fn command(&self, command: Command) {
        if let Some(commands) = &self.commands {
            let _ = commands.send(command);
        }
    }

    /// Commands are waiting.
    pub fn ring(&self) {
        let _ = rustix::io::write(&*self.bell, &1u64.to_ne_bytes());
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        self.commands = None;
        self.ring();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, UdpSocket};
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Instant;

    use pbx_media_words::{Direction, Figures, LegKey, Payload, PortPair, Remote};

    use super::*;
    use crate::rtcp::{Block, CNAME, Compound, LONGEST, Packet, Sent, write};

    #[test]
    fn each_peer_is_reported_to_and_what_it_reports_is_its_legs_own() {
        let (tell, events) = channel();
        let config = PlaneConfig {
            address: IpAddr::from([127, 0, 0, 1]),
            ports: free_ports(),
            figures_every: Duration::from_secs(1),
            report_every: Duration::from_millis(200),
            ..PlaneConfig::default()
        };
        let plane = Plane::start(config, Box::new(move |event| drop(tell.send(event)))).unwrap();
        let mut pairs = wait_for(&events, |event| if let Event::PortsFree(pairs) = event { Some(pairs) } else { None }).into_iter();
        let (a, b) = (Phone::new(LegKey(1), 0xa, pairs.next().unwrap()), Phone::new(LegKey(2), 0xb, pairs.next().unwrap()));
        for phone in [&a, &b] {
            phone.open(&plane);
        }
        plane.command(Command::Join { leg: a.leg, with: b.leg });
        plane.ring();
        let mut figures = [Figures::default(); 2];
        let start = Instant::now();
        let mut octets = [0; 256];
        for number in 0u16.. {
            assert!(start.elapsed() < Duration::from_secs(30), "no round trip became known: {figures:?}");
            a.send(number);
            b.send(number);
            for (phone, other, lost) in [(&a, &b, 1), (&b, &a, 0)] {
                // A tenth of a second at most: the pace of this conversation.
                let Ok(length) = phone.rtcp.recv(&mut octets) else { continue };
                let Some(Packet::Report { ssrc, sent, mut blocks }) = Compound::read(&octets[..length]).unwrap().next() else {
                    panic!("a compound begins with a report")
                };
                assert_eq!(ssrc, other.ssrc, "our report is of the stream that we send");
                let sent = sent.unwrap();
                assert!(sent.packets > 0 && sent.octets == sent.packets * 160, "{sent:?}");
                assert!(blocks.next().is_none_or(|block| block.ssrc == phone.ssrc && block.lost == 0));
                phone.report(&sent, other.ssrc, lost);
            }
            while let Ok(event) = events.try_recv() {
                if let Event::Figures { leg, figures: counted } = event {
                    figures[usize::from(leg == b.leg)] = counted;
                }
            }
            if let [Some(of_a), Some(of_b)] = figures.map(|counted| counted.reported) {
                assert_eq!((of_a.packets_lost, of_b.packets_lost), (1, 0));
                assert_eq!((of_a.jitter_us, of_b.jitter_us), (10_000, 10_000));
                assert!(of_a.round_trip_us.is_some() && of_b.round_trip_us.is_some(), "{of_a:?} {of_b:?}");
                assert!(of_a.round_trip_us < Some(1_000_000));
                return;
            }
        }
    }

    struct Phone {
        leg: LegKey,
        ssrc: u32,
        pair: PortPair,
        rtp: UdpSocket,
        rtcp: UdpSocket,
    }

    impl Phone {
        fn new(leg: LegKey, ssrc: u32, pair: PortPair) -> Phone {
            let socket = || UdpSocket::bind("127.0.0.1:0").unwrap();
            let phone = Phone { leg, ssrc, pair, rtp: socket(), rtcp: socket() };
            phone.rtcp.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            phone
        }

        fn open(&self, plane: &Plane) {
            let remote = Remote { rtp: self.rtp.local_addr().unwrap(), rtcp: self.rtcp.local_addr().unwrap() };
            let payloads = vec![Payload { number: 8, encoding: "PCMA".to_owned(), clock_hz: 8000 }];
            plane.command(Command::Open { leg: self.leg, ports: self.pair });
            plane.command(Command::Expect { leg: self.leg, remote, direction: Direction::SendRecv, payloads });
        }

        fn send(&self, number: u16) {
            let mut packet = vec![0x80, 8];
            packet.extend(number.to_be_bytes());
            packet.extend((u32::from(number) * 160).to_be_bytes());
            packet.extend(self.ssrc.to_be_bytes());
            packet.extend([0xd5; 160]);
            self.rtp.send_to(&packet, SocketAddr::new(self.pair.address, self.pair.rtp)).unwrap();
        }

        /// Answers a report at once: of the stream that it hears, one packet or none lost.
        fn report(&self, of: &Sent, heard: u32, lost: i32) {
            let block = Block { ssrc: heard, lost, jitter: 80, last_sr: (of.ntp >> 16) as u32, ..Block::default() };
            let mut octets = [0; LONGEST];
            let length = write(&mut octets, self.ssrc, None, Some(&block), &[b'p'; CNAME]);
            self.rtcp.send_to(&octets[..length], SocketAddr::new(self.pair.address, self.pair.rtp + 1)).unwrap();
        }
    }

    fn wait_for<T>(events: &Receiver<Event>, mut look: impl FnMut(Event) -> Option<T>) -> T {
        loop {
            if let Some(found) = look(events.recv_timeout(Duration::from_secs(30)).unwrap()) {
                return found;
            }
        }
    }

    /// A few ports that nobody holds at this moment, one may hope: the plane passes over those that somebody does.
    fn free_ports() -> RangeInclusive<u16> {
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().min(65_000);
        port..=port + 200
    }
}
