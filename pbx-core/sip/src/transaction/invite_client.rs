//! An INVITE we sent, RFC 3261 17.1.1 and RFC 6026 7.2.

use std::time::Duration;

use crate::clock::Tick;
use crate::transaction::Timers;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Timer A sends again, timer B gives up.
    Calling,
    Proceeding,
    /// A failure is acknowledged as often as it comes, until timer D.
    Completed,
    /// Each 2xx goes up, until timer M.
    Accepted,
    Over,
}

/// What the stack is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Nothing,
    /// Send the INVITE again.
    Send,
    /// Hand the response up.
    Tell,
    /// Acknowledge the failure; `tell` it too, the first time.
    Acknowledge {
        /// Hand it up.
        tell: bool,
    },
    /// No answer in time, timer B.
    TimedOut,
    /// Forget the transaction.
    Over,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct InviteClient {
    state: State,
    timers: Timers,
    reliable: bool,
    pause: Duration,
    resend: Option<Tick>,
    end: Option<Tick>,
}

impl InviteClient {
    /// The INVITE has just been sent.
    pub fn new(timers: Timers, reliable: bool, now: Tick) -> InviteClient {
        let resend = (!reliable).then(|| now + timers.t1);
        InviteClient { state: State::Calling, timers, reliable, pause: timers.t1, resend, end: Some(now + timers.whole()) }
    }

    /// A response came.
    pub fn response(&mut self, status: u16, now: Tick) -> Step {
        match (self.state, status) {
            (State::Calling, 100..200) => {
                (self.state, self.resend, self.end) = (State::Proceeding, None, None);
                Step::Tell
            }
            // After a CANCEL there is an end again, and no further provisional response puts it off.
            (State::Proceeding, 100..200) => Step::Tell,
            (State::Calling | State::Proceeding, 200..300) => {
                (self.state, self.resend, self.end) = (State::Accepted, None, Some(now + self.timers.whole()));
                Step::Tell
            }
            (State::Calling | State::Proceeding, _) => {
                let rest = if self.reliable { Duration::ZERO } else { self.timers.d() };
                (self.state, self.resend, self.end) = (State::Completed, None, Some(now + rest));
                Step::Acknowledge { tell: true }
            }
            (State::Accepted, 200..300) => Step::Tell,
            (State::Completed, 300..700) => Step::Acknowledge { tell: false },
            (State::Accepted | State::Completed | State::Over, _) => Step::Nothing,
        }
    }

    /// A deadline has come.
    pub fn deadline(&mut self, now: Tick) -> Step {
        if self.end.is_some_and(|end| end <= now) {
            let before = std::mem::replace(&mut self.state, State::Over);
            (self.resend, self.end) = (None, None);
            return if matches!(before, State::Calling | State::Proceeding) { Step::TimedOut } else { Step::Over };
        }
        if self.resend.is_some_and(|resend| resend <= now) {
            self.pause *= 2;
            self.resend = Some(now + self.pause);
            return Step::Send;
        }
        Step::Nothing
    }

    /// A CANCEL was sent: the final response must come within 64*T1 (RFC 3261 9.1).
    pub fn cancelled(&mut self, now: Tick) {
        if matches!(self.state, State::Calling | State::Proceeding) {
            self.end = Some(now + self.timers.whole());
        }
    }

    /// No response has come yet, so no CANCEL may be sent (RFC 3261 9.1).
    pub fn is_calling(&self) -> bool {
        self.state == State::Calling
    }

    /// No final response has come yet.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Calling | State::Proceeding)
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
    fn timer_a_doubles_and_timer_b_gives_up() {
        let mut invite = InviteClient::new(Timers::default(), false, ms(0));
        let mut sent = Vec::new();
        loop {
            let next = invite.poll_deadline().unwrap();
            match invite.deadline(next) {
                Step::Send => sent.push(next.0 / 1000),
                step => {
                    assert_eq!((step, next), (Step::TimedOut, ms(32_000)));
                    break;
                }
            }
        }
        assert_eq!(sent, [500, 1500, 3500, 7500, 15_500, 31_500]);
    }

    #[test]
    fn a_failure_is_acknowledged_each_time_until_timer_d() {
        let mut invite = InviteClient::new(Timers::default(), false, ms(0));
        assert_eq!(invite.response(180, ms(10)), Step::Tell);
        assert_eq!(invite.poll_deadline(), None, "a ringing phone may ring");
        assert_eq!(invite.response(486, ms(20)), Step::Acknowledge { tell: true });
        assert_eq!(invite.response(486, ms(600)), Step::Acknowledge { tell: false });
        assert_eq!(invite.poll_deadline(), Some(ms(32_020)));
        assert_eq!(invite.deadline(ms(32_020)), Step::Over);
    }

    #[test]
    fn every_2xx_goes_up_until_timer_m() {
        let mut invite = InviteClient::new(Timers::default(), false, ms(0));
        assert_eq!(invite.response(200, ms(10)), Step::Tell);
        assert_eq!(invite.response(200, ms(20)), Step::Tell);
        assert_eq!(invite.response(180, ms(30)), Step::Nothing);
        assert_eq!(invite.deadline(ms(32_010)), Step::Over);
    }

    #[test]
    fn on_a_stream_nothing_is_sent_again() {
        let mut invite = InviteClient::new(Timers::default(), true, ms(0));
        assert_eq!(invite.poll_deadline(), Some(ms(32_000)));
        assert_eq!(invite.response(603, ms(5)), Step::Acknowledge { tell: true });
        assert_eq!(invite.poll_deadline(), Some(ms(5)), "timer D is zero");
    }
}
