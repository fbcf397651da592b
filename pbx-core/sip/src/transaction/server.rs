//! A request other than INVITE that was sent to us, RFC 3261 17.2.2.

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
    /// Send the last response (again).
    Send,
    /// Forget the transaction.
    Over,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Server {
    state: State,
    end: Option<Tick>,
}

impl Server {
    /// The request has just come.
    pub fn new() -> Server {
        Server { state: State::Trying, end: None }
    }

    /// We answer; timer J begins with the final response.
    pub fn respond(&mut self, status: u16, timers: &Timers, reliable: bool, now: Tick) -> Step {
        if self.state == State::Completed {
            return Step::Nothing;
        }
        if status < 200 {
            self.state = State::Proceeding;
        } else {
            let rest = if reliable { Duration::ZERO } else { timers.whole() };
            (self.state, self.end) = (State::Completed, Some(now + rest));
        }
        Step::Send
    }

    /// The request came again.
    pub fn again(&self) -> Step {
        if self.state == State::Trying { Step::Nothing } else { Step::Send }
    }

    /// A deadline has come.
    pub fn deadline(&self, now: Tick) -> Step {
        if self.end.is_some_and(|end| end <= now) { Step::Over } else { Step::Nothing }
    }

    /// When to come back.
    pub fn poll_deadline(&self) -> Option<Tick> {
        self.end
    }
}

impl Default for Server {
    fn default() -> Server {
        Server::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_answered_is_answered_again_until_timer_j() {
        let (timers, mut request) = (Timers::default(), Server::new());
        assert_eq!(request.again(), Step::Nothing);
        assert_eq!(request.respond(200, &timers, false, Tick(0)), Step::Send);
        assert_eq!(request.again(), Step::Send);
        assert_eq!(request.respond(500, &timers, false, Tick(1)), Step::Nothing);
        assert_eq!(request.poll_deadline(), Some(Tick(32_000_000)));
        assert_eq!(request.deadline(Tick(32_000_000)), Step::Over);
    }
}
