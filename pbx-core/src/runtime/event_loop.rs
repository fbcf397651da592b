//! Feeds the switch, and carries out what it says. One thread: it owns the sockets, so that a message goes from the wire through the
//! switch to the wire without changing hands.

use std::time::Duration;

use bytes::Bytes;
use pbx_media::Plane;
use pbx_sip::flow::{Flow, Transport};
use pbx_switch::action::Action;
use pbx_switch::event::Event;
use pbx_switch::switch::Switch;
use tokio::sync::{mpsc, oneshot};

use crate::runtime::keeper::Keeper;
use crate::runtime::{StatusBoard, now};
use crate::transport::admission::Admission;
use crate::transport::tcp::{Tcp, Told};
use crate::transport::udp::Udp;

/// Datagrams read in one turn, before others have theirs.
const TURN: usize = 128;

/// Everything the loop holds.
pub struct EventLoop {
    /// Decides.
    pub switch: Switch,
    /// Datagrams.
    pub udp: Udp,
    /// Connections.
    pub tcp: Tcp,
    /// What connections tell.
    pub told: mpsc::Receiver<Told>,
    /// What everybody else tells.
    pub events: mpsc::Receiver<Event>,
    /// Who is listened to.
    pub admission: Admission,
    /// Sound.
    pub plane: Plane,
    /// The store's queues.
    pub keeper: Keeper,
    /// What pages may know.
    pub board: StatusBoard,
    /// How long running calls may go on once the end has begun.
    pub drain: Duration,
    /// Told when the last call has ended.
    pub drained: Option<oneshot::Sender<()>>,
}

impl EventLoop {
    /// Until the last call has ended after [`Event::Drain`].
    pub async fn run(mut self) {
        let mut end_calls = None;
        let mut events = Vec::with_capacity(TURN);
        loop {
            let wait = self.switch.poll_deadline(now()).map(|deadline| deadline.since(now().tick));
            let wait = wait.unwrap_or(Duration::from_secs(60)).min(Duration::from_secs(60));
            tokio::select! {
                biased;
                count = self.events.recv_many(&mut events, TURN) => {
                    if count == 0 {
                        return;
                    }
                    for event in events.drain(..) {
                        if matches!(event, Event::Drain) {
                            end_calls = Some(now().tick + self.drain);
                        }
                        self.switch.handle(event, now());
                    }
                }
                Some(told) = self.told.recv() => self.hear(told),
                _ = self.udp.readable() => {
                    for _ in 0..TURN {
                        let Some((flow, octets)) = self.udp.try_receive() else { break };
                        self.receive(flow, octets);
                    }
                }
                () = tokio::time::sleep(wait) => {}
            }
            let instant = now();
            if self.switch.poll_deadline(instant).is_some_and(|deadline| deadline <= instant.tick) {
                self.switch.handle_deadline(instant);
            }
            if end_calls.is_some_and(|end| end <= instant.tick) {
                end_calls = None;
                self.switch.handle(Event::EndCalls, instant);
            }
            if self.carry_out() {
                return;
            }
        }
    }

    fn hear(&mut self, told: Told) {
        match told {
            Told::Message(flow, octets) => self.receive(flow, octets),
            Told::Closed(flow) => self.switch.handle(Event::FlowClosed { flow }, now()),
        }
    }

    fn receive(&mut self, flow: Flow, octets: Bytes) {
        let instant = now();
        if self.admission.admits(flow.remote.ip(), instant.tick) {
            self.switch.handle(Event::Received { flow, octets }, instant);
        }
    }

    /// Does what the switch says; true if the house is empty and may end.
    fn carry_out(&mut self) -> bool {
        let (mut told_media, mut ended) = (false, false);
        while let Some(action) = self.switch.poll_action() {
            match action {
                Action::Send { flow, octets } => match flow.transport {
                    Transport::Udp => self.udp.send(&flow, &octets),
                    Transport::Tcp => self.tcp.send(&flow, octets),
                },
                Action::Media(command) => {
                    self.plane.command(command);
                    told_media = true;
                }
                Action::Save { batch, changes } => {
                    if let Some(batch) = self.keeper.save(batch, changes) {
                        self.switch.handle(Event::Saved { batch, stored: false }, now());
                    }
                }
                Action::Publish(published) => self.board.publish(published),
                Action::Record(record) => self.keeper.record(*record),
                Action::Drained => ended = true,
            }
        }
        if told_media {
            self.plane.ring();
        }
        if ended && let Some(drained) = self.drained.take() {
            let _ = drained.send(());
        }
        ended
    }
}
