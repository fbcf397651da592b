//! A test call: whether a line lets a number pass that is not ours is known only when somebody has seen it on their telephone.

use std::collections::BTreeMap;
use std::time::Duration;

use pbx_sip::clock::Now;

use crate::call::CallKey;
use crate::directory::{ExtensionNumber, TrunkKey};
use crate::switch::Switch;
use crate::trunking::{LineTest, LineTestState};

/// So long a prepared test waits for its call.
const WAITS: Duration = Duration::from_secs(300);

/// The tests, the last one of each line.
#[derive(Default)]
pub(super) struct Tests {
    by_line: BTreeMap<TrunkKey, (LineTest, Option<CallKey>)>,
}

impl Tests {
    /// Of a line, for its page.
    pub(super) fn of(&self, line: &TrunkKey) -> Option<LineTest> {
        self.by_line.get(line).map(|(test, _)| test.clone())
    }

    /// Lines that are gone have none.
    pub(super) fn keep(&mut self, is_there: impl Fn(&TrunkKey) -> bool) {
        self.by_line.retain(|line, _| is_there(line));
    }
}

impl Switch {
    /// A test is prepared.
    pub(super) fn test_line(&mut self, line: TrunkKey, extension: ExtensionNumber, number: String, shown: String, now: Now) {
        let test = LineTest { extension, number, shown, until: now.wall + WAITS, state: LineTestState::Waiting };
        self.line_tests.by_line.insert(line.clone(), (test, None));
        self.publish_line(&line);
    }

    /// The test that this call is, if it is one: its line, and what it shows. From here on it is that test's call.
    pub(super) fn begins_test(&mut self, key: CallKey, by: &str, number: &str, now: Now) -> Option<(TrunkKey, String)> {
        let (line, (test, call)) = self.line_tests.by_line.iter_mut().find(|(_, (test, _))| {
            test.state == LineTestState::Waiting && test.until > now.wall && test.extension.as_str() == by && test.number == number
        })?;
        (test.state, *call) = (LineTestState::Calling, Some(key));
        Some((line.clone(), test.shown.clone()))
    }

    /// What came of a call that may have been a test.
    pub(super) fn test_went(&mut self, key: CallKey, answered: bool) {
        let of_call = |(_, (test, call)): &(&TrunkKey, &mut (LineTest, Option<CallKey>))| {
            *call == Some(key) && test.state == LineTestState::Calling
        };
        let Some((line, (test, _))) = self.line_tests.by_line.iter_mut().find(of_call) else { return };
        test.state = if answered { LineTestState::Answered } else { LineTestState::Failed };
        let line = line.clone();
        self.publish_line(&line);
    }
}
