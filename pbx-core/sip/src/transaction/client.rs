//! A request other than INVITE that we sent, RFC 3261 17.1.2.

use std::time::Duration;

use crate::clock::Tick;
use crate::transaction::Timers;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Trying,
    Proceeding,
    Completed,
}

/// What the stack is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Nothing,
    /// Send the request again.
    Send,
    /// Hand the response up.
    Tell,
    /// No answer in time, timer F.
    TimedOut,
    /// Forget the transaction.
    Over,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Client {
    state: State,
    timers: Timers,
    reliable: bool,
    pause: Duration,
    resend: Option<Tick>,
    end: Tick,
}

impl Client {
    /// The request has just been sent.
    pub fn new(timers: Timers, reliable: bool, now: Tick) -> Client {
        let resend = (!reliable).then(|| now + timers.t1);
        Client { state: State::Trying, timers, reliable, pause: timers.t1, resend, end: now + timers.whole() }
    }

    /// A response came.
    pub fn response(&mut self, status: u16, now: Tick) -> Step {
        match self.state {
            State::Completed => Step::Nothing,
            State::Trying | State::Proceeding if status < 200 => {
                self.state = State::Proceeding;
                self.pause = self.timers.t2;
                Step::Tell
            }
            State::Trying | State::Proceeding => {
                let rest = if self.reliable { Duration::ZERO } else { self.timers.t4 };
                (self.state, self.resend, self.end) = (State::Completed, None, now + rest);
                Step::Tell
            }
        }
    }

    /// A deadline has come.
    pub fn deadline(&mut self, now: Tick) -> Step {
        if self.end <= now {
            return if self.state == State::Completed { Step::Over } else { Step::TimedOut };
        }
        if self.resend.is_some_and(|resend| resend <= now) {
            self.pause = (self.pause * 2).min(self.timers.t2);
            self.resend = Some(now + self.pause);
            return Step::Send;
        }
        Step::Nothing
    }

    /// No final response has come yet.
    pub fn is_open(&self) -> bool {
        self.state != State::Completed
    }

    /// When to come back.
    pub fn poll_deadline(&self) -> Option<Tick> {
        Some(self.resend.map_or(self.end, |resend| resend.min(self.end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Tick {
        Tick(ms * 1000)
    }

    #[test]
    fn timer_e_doubles_to_t2_and_timer_f_gives_up() {
        let mut request = Client::new(Timers::default(), false, ms(0));
        let mut sent = Vec::new();
        loop {
            let next = request.poll_deadline().unwrap();
            match request.deadline(next) {
                Step::Send => sent.push(next.0 / 1000),
                step => {
                    assert_eq!((step, next), (Step::TimedOut, ms(32_000)));
                    break;
                }
            }
        }
        assert_eq!(sent, [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    }

    #[test]
    fn a_final_response_goes_up_once_and_timer_k_ends_it() {
        let mut request = Client::new(Timers::default(), false, ms(0));
        assert_eq!(request.response(200, ms(7)), Step::Tell);
        assert_eq!(request.response(200, ms(9)), Step::Nothing);
        assert_eq!(request.poll_deadline(), Some(ms(5007)));
        assert_eq!(request.deadline(ms(5007)), Step::Over);
    }
}
