//! What puts the house to work: the loop that feeds the switch, the queues to the store, and what pages may know.

pub mod certificate;
mod event_loop;
mod keeper;
pub mod start;
mod status;

use pbx_sip::clock::{Now, Tick, Wall};
use pbx_switch::event::Event;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::mpsc;

pub use keeper::StoreHealth;
pub use start::{Listening, Running, StartError};
pub use status::{News, Status, StatusBoard, Watcher};

/// A way to tell the switch something; nobody asks it and waits.
#[derive(Clone)]
pub struct SwitchHandle {
    events: mpsc::Sender<Event>,
}

impl SwitchHandle {
    /// Tells it; waits while it is busy.
    pub async fn tell(&self, event: Event) {
        let _ = self.events.send(event).await;
    }
}

/// The instant, from the machine's clocks.
pub fn now() -> Now {
    let boot = clock_gettime(ClockId::Boottime);
    let wall = clock_gettime(ClockId::Realtime);
    Now {
        tick: Tick(u64::try_from(boot.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(boot.tv_nsec).unwrap_or(0) / 1_000),
        wall: Wall(wall.tv_sec * 1_000_000 + wall.tv_nsec / 1_000),
    }
}
