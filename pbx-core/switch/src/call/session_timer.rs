//! Session timers, RFC 4028: a session that nobody refreshes in time has lapsed, and its call ends. Agreed with each leg by itself,
//! in either role.

use pbx_sip::clock::{Now, Tick};
use pbx_sip::message::{Builder, HeaderName, Message, Refresher};
use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::call::ability::Ability;
use crate::call::{Call, Leg, LegState, Outcome, Outside, Signal};

/// The shortest interval that is taken, in seconds (RFC 4028 4 has no shorter one).
pub(crate) const LEAST_S: u32 = 90;

/// The interval that we ask for, in seconds (RFC 4028 4 recommends it).
const USUAL_S: u32 = 1_800;

/// A session that lapsed (RFC 4028 10).
const LAPSED: &str = "SIP;cause=408;text=\"Session timer expired\"";

/// What was agreed with one leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionTimer {
    interval_s: u32,
    /// It is for us to refresh.
    ours: bool,
    /// Agreed or refreshed at.
    since: Tick,
    /// We have begun to refresh it.
    begun: bool,
}

impl SessionTimer {
    /// When it is to be refreshed, or has lapsed (RFC 4028 10: at half of it; a third or 32 s before its end).
    fn due(&self) -> Tick {
        let whole = Duration::from_secs(self.interval_s.into());
        if self.ours && !self.begun {
            return self.since + whole / 2;
        }
        self.since + (whole - Duration::from_secs(32).min(whole / 3))
    }
}

/// Is the interval that a request asks for too short? Only a peer that knows the timer can be told so (RFC 4028 9).
pub(crate) fn is_too_brief(request: &Message) -> bool {
    let mut ability = Ability::default();
    ability.learn(request);
    ability.timer && request.session_expires().is_some_and(|asked| asked.interval_s < LEAST_S)
}

impl Leg {
    /// Agrees on a timer in our 2xx to a request of theirs (RFC 4028 9).
    pub(crate) fn timed_answer(&mut self, request: &Message, response: Builder, now: Now) -> Builder {
        let (asked, knows) = (request.session_expires(), self.ability.timer);
        let (interval_s, refresher) = match asked {
            // Whoever put it there, for a phone that knows no timer, asks for more than anybody should have to do.
            Some(asked) if asked.interval_s < LEAST_S => {
                self.timer = None;
                return response;
            }
            // We may ask for less, but not for less than they bear.
            Some(asked) => {
                let usual_s = USUAL_S.max(request.min_se().unwrap_or(0));
                let refresher = if knows { asked.refresher.unwrap_or(Refresher::Uac) } else { Refresher::Uas };
                (asked.interval_s.min(usual_s), refresher)
            }
            None if knows => (USUAL_S.max(request.min_se().unwrap_or(0)), Refresher::Uas),
            None => {
                self.timer = None;
                return response;
            }
        };
        let ours = refresher == Refresher::Uas;
        self.timer = Some(SessionTimer { interval_s, ours, since: now.tick, begun: false });
        let response = response.header(HeaderName::SessionExpires, format!("{interval_s};refresher={}", refresher.as_str()));
        if ours { response } else { response.header(HeaderName::Require, "timer") }
    }

    /// Asks for a timer, or for the one there is once more (RFC 4028 7.1, 7.4).
    pub(crate) fn timed_request(&self, request: Builder) -> Builder {
        let begun = self.state == LegState::Answered;
        let (interval_s, refresher) = match (self.timer, begun) {
            (Some(timer), _) => (timer.interval_s, if timer.ours { ";refresher=uac" } else { ";refresher=uas" }),
            (None, false) => (USUAL_S, ""),
            (None, true) => return request,
        };
        let request = request.header(HeaderName::SessionExpires, format!("{}{refresher}", interval_s.max(self.min_se_s)));
        if self.min_se_s > LEAST_S { request.header(HeaderName::MinSe, self.min_se_s.to_string()) } else { request }
    }

    /// What their 2xx to a request of ours says of it (RFC 4028 7.2).
    pub(crate) fn timer_agreed(&mut self, response: &Message, now: Now) {
        self.timer = response.session_expires().map(|agreed| SessionTimer {
            interval_s: agreed.interval_s.max(LEAST_S),
            ours: agreed.refresher != Some(Refresher::Uas),
            since: now.tick,
            begun: false,
        });
    }

    /// They find the interval too short, and say what they bear (RFC 4028 7.3). False if that is no reason to ask again: they have been
    /// asked as they said before.
    pub(crate) fn takes_longer_interval(&mut self, response: &Message) -> bool {
        let least_s = response.min_se().filter(|least_s| *least_s > LEAST_S && self.min_se_s == 0);
        self.min_se_s = self.min_se_s.max(least_s.unwrap_or(0));
        least_s.is_some()
    }

    /// When its timer wants something.
    pub(crate) fn timer_due(&self) -> Option<Tick> {
        self.timer.filter(|_| self.state == LegState::Answered).map(|timer| timer.due())
    }
}

impl Call {
    /// When a leg wants something by itself: a session to be refreshed or to have lapsed, a request that was put off.
    pub fn due(&self) -> Option<Tick> {
        if self.is_over() {
            return None;
        }
        self.legs().flat_map(|leg| [leg.timer_due(), leg.put_off_until()]).flatten().min()
    }

    /// That time has come.
    pub fn on_time(&mut self, outside: &mut Outside<'_>) -> Signal {
        let now = outside.now.tick;
        for leg in std::iter::once(&mut self.a).chain(&mut self.b) {
            if leg.timer_due().is_none_or(|due| due > now) {
                continue;
            }
            match &mut leg.timer {
                Some(timer) if timer.ours && !timer.begun => {
                    timer.begun = true;
                    leg.wish_refresh();
                }
                _ => {
                    self.goodbye = Some(LAPSED.to_owned());
                    return self.hang_up(Outcome::Lost, outside);
                }
            }
        }
        self.ask_what_is_wished(outside);
        Signal::Nothing
    }
}
