//! An INVITE that was sent to us, RFC 3261 17.2.1 and RFC 6026 7.1. The 2xx that RFC 3261 13.3.1.4 lets the core send again and again
//! is sent again from here: one place knows when its ACK has come.

use std::time::Duration;

use crate::clock::Tick;
use crate::transaction::Timers;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Proceeding,
    /// A failure was sent; timer G sends it again, timer H gives up.
    Completed,
    /// The failure was acknowledged; timer I.
    Confirmed,
    /// A 2xx was sent, and is sent again until its ACK; timer L.
    Accepted {
        acknowledged: bool,
    },
}

/// What the stack is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Nothing,
    /// Send the last response (again).
    Send,
    /// Hand the ACK of our 2xx up.
    Acknowledged,
    /// A provisional response that was sent reliably has had no PRACK for 64*T1: turn the INVITE away (RFC 3262 3).
    ProvisionalNotAcknowledged,
    /// Our 2xx was never acknowledged: forget the transaction, and tell.
    NotAcknowledged,
    /// Forget the transaction.
    Over,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct InviteServer {
    state: State,
    timers: Timers,
    reliable: bool,
    pause: Duration,
    resend: Option<Tick>,
    end: Option<Tick>,
}

impl InviteServer {
    /// The INVITE has just come.
    pub fn new(timers: Timers, reliable: bool) -> InviteServer {
        InviteServer { state: State::Proceeding, timers, reliable, pause: timers.t1, resend: None, end: None }
    }

    /// We answer. After a final response nothing else is sent.
    pub fn respond(&mut self, status: u16, now: Tick) -> Step {
        if self.state != State::Proceeding {
            return Step::Nothing;
        }
        self.pause = self.timers.t1;
        (self.resend, self.end) = (None, None);
        if status >= 200 {
            let accepted = status < 300;
            self.state = if accepted { State::Accepted { acknowledged: false } } else { State::Completed };
            self.end = Some(now + self.timers.whole());
            // A 2xx crosses proxies that may lose it, so it is sent again over streams too (RFC 3261 13.3.1.4).
            self.resend = (accepted || !self.reliable).then(|| now + self.timers.t1);
        }
        Step::Send
    }

    /// We answer provisionally, and send it again until its PRACK has come (RFC 3262 3).
    pub fn respond_reliably(&mut self, now: Tick) -> Step {
        let step = self.respond(180, now);
        if step == Step::Send {
            (self.resend, self.end) = (Some(now + self.timers.t1), Some(now + self.timers.whole()));
        }
        step
    }

    /// The PRACK of what was sent reliably has come.
    pub fn provisional_acknowledged(&mut self) {
        if self.state == State::Proceeding {
            (self.resend, self.end) = (None, None);
        }
    }

    /// The INVITE came again.
    pub fn again(&self) -> Step {
        match self.state {
            State::Proceeding | State::Completed => Step::Send,
            State::Confirmed | State::Accepted { .. } => Step::Nothing,
        }
    }

    /// An ACK came.
    pub fn acknowledge(&mut self, now: Tick) -> Step {
        match self.state {
            State::Completed => {
                let rest = if self.reliable { Duration::ZERO } else { self.timers.t4 };
                (self.state, self.resend, self.end) = (State::Confirmed, None, Some(now + rest));
                Step::Nothing
            }
            State::Accepted { acknowledged: false } => {
                (self.state, self.resend) = (State::Accepted { acknowledged: true }, None);
                Step::Acknowledged
            }
            State::Accepted { acknowledged: true } | State::Confirmed | State::Proceeding => Step::Nothing,
        }
    }

    /// A deadline has come.
    pub fn deadline(&mut self, now: Tick) -> Step {
        if self.state == State::Proceeding && self.end.is_some_and(|end| end <= now) {
            (self.resend, self.end) = (None, None);
            return Step::ProvisionalNotAcknowledged;
        }
        if self.end.is_some_and(|end| end <= now) {
            return if self.state == (State::Accepted { acknowledged: false }) { Step::NotAcknowledged } else { Step::Over };
        }
        if self.resend.is_some_and(|resend| resend <= now) {
            // A provisional response knows no T2: each pause is twice the one before (RFC 3262 3).
            let provisional = self.state == State::Proceeding;
            self.pause = if provisional { self.pause * 2 } else { (self.pause * 2).min(self.timers.t2) };
            self.resend = Some(now + self.pause);
            return Step::Send;
        }
        Step::Nothing
    }

    /// No final response was sent yet.
    pub fn is_open(&self) -> bool {
        self.state == State::Proceeding
    }

    /// When to come back.
    pub fn poll_deadline(&self) -> Option<Tick> {
        [self.resend, self.end].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Tick {
        Tick(ms * 1000)
    }

    #[test]
    fn a_failure_is_sent_until_its_ack() {
        let mut invite = InviteServer::new(Timers::default(), false);
        assert_eq!(invite.respond(180, ms(0)), Step::Send);
        assert_eq!(invite.again(), Step::Send);
        assert_eq!(invite.respond(486, ms(100)), Step::Send);
        assert_eq!(invite.respond(200, ms(101)), Step::Nothing, "one final response");
        assert_eq!((invite.poll_deadline(), invite.deadline(ms(600))), (Some(ms(600)), Step::Send));
        assert_eq!((invite.poll_deadline(), invite.deadline(ms(1600))), (Some(ms(1600)), Step::Send));
        assert_eq!(invite.acknowledge(ms(1700)), Step::Nothing);
        assert_eq!(invite.again(), Step::Nothing);
        assert_eq!((invite.poll_deadline(), invite.deadline(ms(6700))), (Some(ms(6700)), Step::Over));
    }

    #[test]
    fn a_reliable_provisional_response_is_sent_until_its_prack_or_given_up() {
        let mut invite = InviteServer::new(Timers::default(), true);
        assert_eq!(invite.respond_reliably(ms(0)), Step::Send);
        let mut sent = Vec::new();
        let mut given_up = invite.clone();
        while let Some(next) = given_up.poll_deadline() {
            match given_up.deadline(next) {
                Step::Send => sent.push(next.0 / 1000),
                step => assert_eq!((step, next), (Step::ProvisionalNotAcknowledged, ms(32_000))),
            }
        }
        assert_eq!(sent, [500, 1500, 3500, 7500, 15_500, 31_500]);
        assert!(given_up.is_open(), "the INVITE still wants its final answer");
        invite.provisional_acknowledged();
        assert_eq!(invite.poll_deadline(), None);
        invite.respond(200, ms(900));
        assert_eq!(invite.poll_deadline(), Some(ms(1400)), "a 2xx begins with T1 again");
    }

    #[test]
    fn a_2xx_is_sent_until_its_ack_or_told_never_to_have_been_acknowledged() {
        let mut invite = InviteServer::new(Timers::default(), true);
        invite.respond(200, ms(0));
        assert_eq!(invite.deadline(ms(500)), Step::Send);
        let mut answered = invite.clone();
        assert_eq!(answered.acknowledge(ms(600)), Step::Acknowledged);
        assert_eq!(answered.acknowledge(ms(700)), Step::Nothing);
        assert_eq!(answered.poll_deadline(), Some(ms(32_000)));
        assert_eq!(answered.deadline(ms(32_000)), Step::Over);
        assert_eq!(invite.deadline(ms(32_000)), Step::NotAcknowledged);
    }
}
