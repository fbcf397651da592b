//! Feeds the switch, and carries out what it says. One thread: it owns the sockets, so that a message goes from the wire through the
//! switch to the wire without changing hands, and what wakes it is read until nothing is left, a turn for each door.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use pbx_media::Plane;
use pbx_sip::clock::{Now, Tick};
use pbx_sip::flow::{Flow, Transport};
use pbx_sip::target::Target;
use pbx_switch::action::Action;
use pbx_switch::directory::ExtensionNumber;
use pbx_switch::door::BanChange;
use pbx_switch::event::Event;
use pbx_switch::switch::Switch;
use pbx_switch::toll::{Ceiling, Payer};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Sleep};

use crate::catalogue::{Lang, text};
use crate::runtime::keeper::Keeper;
use crate::runtime::{StatusBoard, now};
use crate::transport::admission::Admission;
use crate::transport::connections::{Connections, Told};
use crate::transport::outer::Outer;
use crate::transport::resolver::{Doors, Resolver};
use crate::transport::trust::Trust;
use crate::transport::udp::Udp;
use crate::transport::websocket::WebSockets;

/// Messages and events handled in one turn, of each door.
const TURN: usize = 64;

/// Datagrams put in line in one turn: more than are handled, so that a flood fills its own line and not the system's buffer, where all
/// lines are one.
const READ: usize = 256;

/// Deadlines are met at multiples of this: one wake-up serves all that fall in between. SIP's shortest time is T1, 500 ms.
const GRAIN: Duration = Duration::from_millis(10);

/// The longest sleep: a machine that was suspended does not count the time, and finds out here.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// How long, after the last call has ended, the answers to our last requests are waited for.
const FAREWELL: Duration = Duration::from_secs(4);

/// Everything the loop holds.
pub struct EventLoop {
    /// Decides.
    pub switch: Switch,
    /// Datagrams.
    pub udp: Udp,
    /// Connections.
    pub tcp: Connections,
    /// Encrypted ones.
    pub tls: Connections,
    /// Those of browsers.
    pub websockets: WebSockets,
    /// What connections tell.
    pub told: mpsc::Receiver<Told>,
    /// What everybody else tells.
    pub events: mpsc::Receiver<Event>,
    /// Looks names up, beside this thread.
    pub lookup: Lookup,
    /// Our address for those who are beyond the router.
    pub outer: Outer,
    /// Whose turn it is.
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
    pub drained: oneshot::Sender<()>,
    /// How far the end has come.
    pub closing: Closing,
}

/// Looks names up, and tells the switch.
pub struct Lookup {
    /// Whom to ask.
    pub resolver: Resolver,
    /// Our side of each way.
    pub doors: Doors,
    /// Told who is to be met where.
    pub trust: Trust,
    /// Whom to tell.
    pub events: mpsc::Sender<Event>,
    /// Where it is waited for an answer.
    pub runtime: tokio::runtime::Handle,
}

impl Lookup {
    fn begin(&self, ticket: u64, targets: Vec<Target>) {
        let (resolver, doors, trust, events) = (self.resolver.clone(), self.doors.clone(), self.trust.clone(), self.events.clone());
        self.runtime.spawn(async move {
            let ways = resolver.ways(&targets, &doors, &trust).await;
            let _ = events.send(Event::Resolved { ticket, ways }).await;
        });
    }
}

/// How far the end has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Closing {
    /// The house is open.
    #[default]
    Open,
    /// No new calls; those that run are ended then.
    Draining(Tick),
    /// And they have been ended.
    Ending,
    /// No call is left; what was sent last is answered, or not waited for any more then.
    Farewell(Tick),
}

/// Sleeps until a deadline. Moved only when an earlier one comes: to wake once too often costs less than to move it each time.
struct Alarm {
    sleep: Pin<Box<Sleep>>,
    set_for: Option<Tick>,
}

impl EventLoop {
    /// Until the last call has ended after [`Event::Drain`].
    pub async fn run(mut self) {
        // Bans that the store remembers hold before anything is received.
        self.carry_out(now());
        let mut alarm = Alarm { sleep: Box::pin(tokio::time::sleep(LONGEST_SLEEP)), set_for: None };
        loop {
            let more = self.take_turns();
            let instant = now();
            let deadline = self.meet_deadlines(instant);
            if self.is_over(instant) {
                let _ = self.drained.send(());
                return;
            }
            if more {
                // Connections have tasks of their own on this thread, and their turn.
                tokio::task::yield_now().await;
                continue;
            }
            alarm.set(deadline, instant.tick);
            tokio::select! {
                biased;
                event = self.events.recv() => match event {
                    Some(event) => self.hear(event),
                    None => return,
                },
                Some(told) = self.told.recv() => self.hear_connection(told),
                _ = self.udp.readable() => {}
                () = &mut alarm.sleep => alarm.set_for = None,
            }
        }
    }

    /// Serves each door as often as it likes, but at most a turn; true if one of them may have more.
    fn take_turns(&mut self) -> bool {
        let mut more = false;
        for count in 1..=TURN {
            let Ok(event) = self.events.try_recv() else { break };
            self.hear(event);
            more |= count == TURN;
        }
        for count in 1..=TURN {
            let Ok(told) = self.told.try_recv() else { break };
            self.hear_connection(told);
            more |= count == TURN;
        }
        let instant = now();
        for count in 1..=READ {
            let Some((flow, octets)) = self.udp.try_receive() else { break };
            self.admission.offer(flow, octets, instant.tick);
            more |= count == READ;
        }
        for _ in 0..TURN {
            let Some((flow, octets)) = self.admission.take_next() else { break };
            self.receive(flow, octets);
        }
        more || !self.admission.is_empty()
    }

    fn hear(&mut self, event: Event) {
        let instant = now();
        if matches!(event, Event::Drain) && self.closing == Closing::Open {
            self.closing = Closing::Draining(instant.tick + self.drain);
        }
        self.handle(event, instant);
    }

    fn hear_connection(&mut self, told: Told) {
        match told {
            // Of a connection that is about to be closed.
            Told::Message(flow, _) if self.admission.is_banned(flow.remote.ip()) => {}
            Told::Message(flow, octets) => self.receive(flow, octets),
            Told::Distrusted(flow) => self.handle(Event::Distrusted { flow }, now()),
            Told::Closed(flow) => self.handle(Event::FlowClosed { flow: self.outer.seen(flow) }, now()),
        }
    }

    fn receive(&mut self, flow: Flow, octets: Bytes) {
        self.handle(Event::Received { flow: self.outer.seen(flow), octets }, now());
    }

    fn handle(&mut self, event: Event, instant: Now) {
        self.switch.handle(event, instant);
        self.carry_out(instant);
    }

    /// Does what is due; says when there is something again.
    fn meet_deadlines(&mut self, instant: Now) -> Option<Tick> {
        if self.switch.poll_deadline(instant).is_some_and(|deadline| deadline <= instant.tick) {
            self.switch.handle_deadline(instant);
            self.carry_out(instant);
        }
        if let Closing::Draining(end) = self.closing
            && end <= instant.tick
        {
            tracing::warn!(calls = self.switch.calls(), "the time for running calls is over; they are ended");
            self.closing = Closing::Ending;
            self.handle(Event::EndCalls, instant);
        }
        let of_closing = match self.closing {
            Closing::Open | Closing::Ending => None,
            Closing::Draining(end) | Closing::Farewell(end) => Some(end),
        };
        [self.switch.poll_deadline(instant), of_closing].into_iter().flatten().min()
    }

    fn is_over(&self, instant: Now) -> bool {
        match self.closing {
            Closing::Farewell(end) => end <= instant.tick || self.switch.unanswered() == 0,
            Closing::Open | Closing::Draining(_) | Closing::Ending => false,
        }
    }

    fn carry_out(&mut self, instant: Now) {
        let mut told_media = false;
        while let Some(action) = self.switch.poll_action() {
            match action {
                Action::Send { flow, octets } => self.send(&self.outer.sendable(flow), octets),
                Action::Media(command) => {
                    self.plane.command(command);
                    told_media = true;
                }
                Action::Save { batch, changes, awaited } => {
                    if !self.keeper.save(batch, changes, awaited) && awaited {
                        self.switch.handle(Event::Saved { batch, stored: false }, instant);
                    }
                }
                Action::Resolve { ticket, targets } => self.lookup.begin(ticket, targets),
                Action::Publish(published) => self.board.publish(published),
                Action::Record(record) => self.keeper.record(*record),
                Action::Ban(change) => self.turn_away(change),
                Action::CeilingReached { payer, ceiling, alerted } => self.alert(&payer, ceiling, alerted, instant),
                Action::Drained => self.closing = Closing::Farewell(instant.tick + FAREWELL),
            }
        }
        if told_media {
            self.plane.ring();
        }
    }
}

impl EventLoop {
    fn send(&mut self, flow: &Flow, octets: Bytes) {
        match flow.transport {
            Transport::Udp => self.udp.send(flow, &octets),
            Transport::Tcp => self.tcp.send(flow, octets),
            Transport::Tls => self.tls.send(flow, octets),
            Transport::Ws | Transport::Wss => self.websockets.send(flow, octets),
        }
    }

    /// Whoever looks after the house is told that a ceiling is reached: in the log, on the pages, and by a text on their phones.
    fn alert(&mut self, payer: &Payer, ceiling: Ceiling, alerted: Vec<ExtensionNumber>, instant: Now) {
        tracing::warn!(%payer, ceiling = ceiling.code(), alerted = alerted.len(), "a ceiling of calls to the outside is reached");
        let text = ceiling_reached(Lang::of_environment(), payer, ceiling);
        for to in alerted {
            self.switch.handle(Event::Text { to, text: text.clone() }, instant);
        }
    }

    /// Shuts every door to a source, or opens them again.
    fn turn_away(&mut self, change: BanChange) {
        let connections = || [&self.tcp, &self.tls].into_iter();
        match &change {
            BanChange::Begun(ban) => {
                tracing::info!(why = ban.why.as_str(), times = ban.times, "a source is not listened to any more");
                self.admission.ban(ban.source);
                connections().for_each(|door| door.ban(ban.source));
                self.websockets.ban(ban.source);
            }
            BanChange::Ended(source) => {
                self.admission.lift(*source);
                connections().for_each(|door| door.lift(*source));
                self.websockets.lift(*source);
            }
            BanChange::Forgotten(_) => {}
        }
        self.keeper.ban(change);
    }
}

/// What people are told of a ceiling.
fn ceiling_reached(lang: Lang, payer: &Payer, ceiling: Ceiling) -> String {
    let bound = text(lang, &format!("ceiling.{}", ceiling.code()), &[]);
    match payer {
        Payer::House => text(lang, "toll.alert_house", &[("bound", bound)]),
        Payer::Extension(number) => text(lang, "toll.alert_extension", &[("number", number.to_string()), ("bound", bound)]),
    }
}

impl Alarm {
    fn set(&mut self, deadline: Option<Tick>, now: Tick) {
        let grain = u64::try_from(GRAIN.as_micros()).unwrap_or(1);
        let latest = now + LONGEST_SLEEP;
        let wanted = deadline.map_or(latest, |deadline| Tick(deadline.0.div_ceil(grain) * grain).min(latest));
        if self.set_for.is_none_or(|set_for| wanted < set_for) {
            self.sleep.as_mut().reset(Instant::now() + wanted.since(now));
            self.set_for = Some(wanted);
        }
    }
}
