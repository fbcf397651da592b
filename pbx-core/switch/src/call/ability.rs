//! What we can do, and what a phone says it can: Allow, Supported and Require (RFC 3261 8.2.2.3, 20.5, 20.32, 20.37).

use pbx_sip::message::{HeaderName, Message, Method};
use serde::{Deserialize, Serialize};

/// Methods that we answer.
pub(crate) const METHODS: [Method; 13] = [
    Method::Invite,
    Method::Ack,
    Method::Cancel,
    Method::Bye,
    Method::Options,
    Method::Info,
    Method::Prack,
    Method::Update,
    Method::Refer,
    Method::Message,
    Method::Register,
    Method::Subscribe,
    Method::Publish,
];

/// The same, as Allow says it.
pub(crate) const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, REFER, MESSAGE, REGISTER, SUBSCRIBE, PUBLISH";

/// Extensions that a request may require of us.
pub(crate) const OPTION_TAGS: [&str; 7] = ["100rel", "timer", "replaces", "norefersub", "path", "outbound", "gruu"];

/// How many of them are of calls; the others are a registrar's.
#[cfg(test)]
const OF_CALLS: usize = 4;

/// Those of calls, as Supported says it.
pub(crate) const SUPPORTED: &str = "100rel, timer, replaces, norefersub";

/// What a phone can do beyond RFC 3261, as far as we make use of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ability {
    /// It acknowledges provisional responses (RFC 3262).
    pub reliable: bool,
    /// It knows session timers (RFC 4028).
    pub timer: bool,
    /// It takes UPDATE (RFC 3311).
    pub update: bool,
}

impl Ability {
    /// Takes note of what a message says; what it says nothing of stays as it was.
    pub fn learn(&mut self, message: &Message) {
        let supported = message.option_tags(HeaderName::Supported);
        let required = message.option_tags(HeaderName::Require);
        if message.header(HeaderName::Supported).is_some() || !required.is_empty() {
            let knows = |tag: &str| supported.iter().chain(&required).any(|known| known.eq_ignore_ascii_case(tag));
            (self.reliable, self.timer) = (knows("100rel"), knows("timer"));
        }
        if message.header(HeaderName::Allow).is_some() {
            self.update = message.option_tags(HeaderName::Allow).contains(&"UPDATE");
        }
    }
}

/// Does a request insist on an extension?
pub(crate) fn requires(request: &Message, tag: &str) -> bool {
    request.option_tags(HeaderName::Require).iter().any(|known| known.eq_ignore_ascii_case(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_say_is_what_we_do() {
        assert_eq!(ALLOW, METHODS.each_ref().map(Method::as_str).join(", "));
        assert_eq!(SUPPORTED, OPTION_TAGS[..OF_CALLS].join(", "));
    }

    #[test]
    fn a_phone_is_believed_and_remembered() {
        let message =
            |headers: &str| Message::parse(format!("INVITE sip:x SIP/2.0\r\n{headers}\r\n\r\n").into_bytes().into()).unwrap();
        let mut ability = Ability::default();
        ability.learn(&message("k: Timer, x\r\nRequire: 100REL\r\nAllow: INVITE, UPDATE"));
        assert_eq!(ability, Ability { reliable: true, timer: true, update: true });
        ability.learn(&message("X: y"));
        assert_eq!(ability, Ability { reliable: true, timer: true, update: true });
        ability.learn(&message("Supported:\r\nAllow: INVITE"));
        assert_eq!(ability, Ability::default());
    }
}
