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
