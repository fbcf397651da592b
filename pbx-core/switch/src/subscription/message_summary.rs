//! Whether messages wait, RFC 3842.

use serde::{Deserialize, Serialize};

/// Messages of a box.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessagesWaiting {
    /// Not heard yet.
    pub new: u32,
    /// Heard, and kept.
    pub old: u32,
    /// Of the new ones those that are urgent.
    pub new_urgent: u32,
    /// Of the old ones.
    pub old_urgent: u32,
}

impl MessagesWaiting {
    /// The document. `account`: whom a phone calls to hear them.
    pub fn document(&self, account: &str) -> String {
        let MessagesWaiting { new, old, new_urgent, old_urgent } = self;
        let waiting = if *new > 0 { "yes" } else { "no" };
        format!(
            "Messages-Waiting: {waiting}\r\nMessage-Account: {account}\r\nVoice-Message: {new}/{old} ({new_urgent}/{old_urgent})\r\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lamp_is_lit_by_new_messages_alone() {
        let none = MessagesWaiting { old: 3, ..MessagesWaiting::default() };
        assert_eq!(
            none.document("sip:201@pbx.test"),
            "Messages-Waiting: no\r\nMessage-Account: sip:201@pbx.test\r\nVoice-Message: 0/3 (0/0)\r\n"
        );
        let some = MessagesWaiting { new: 2, new_urgent: 1, ..none };
        assert!(some.document("x").starts_with("Messages-Waiting: yes\r\n") && some.document("x").contains("2/3 (1/0)"));
    }
}
