//! A number of the world is called: by one line after the other, until one of them takes the call. That a line fails is not the
//! caller's business; that the number is busy, or does not exist, is the same by every line.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::Refusal;
use crate::directory::SiteKey;
use crate::feature::{Told, Word};

/// How long a line may say nothing at all before the next one is tried.
const SILENCE: Duration = Duration::from_secs(4);

/// Lines and servers tried for one call.
const MOST_TRIES: u8 = 8;

/// The state of the calling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outside {
    number: String,
    site: SiteKey,
    /// For help: before all other calls.
    pub(crate) emergency: bool,
    ring_for: Duration,
    tries: u8,
    /// The line has said something.
    heard: bool,
    refused: Option<Refusal>,
}

impl Outside {
    /// Calls `number` by the lines of a site.
    pub fn new(number: &str, site: &SiteKey, emergency: bool, ring_for: Duration) -> Outside {
        let (number, site) = (number.to_owned(), site.clone());
        Outside { number, site, emergency, ring_for, tries: 0, heard: false, refused: None }
    }

    /// One thing happened.
    pub fn handle(&mut self, told: Told) -> Vec<Word> {
        match told {
            Told::Begun => self.dial(),
            Told::Unregistered => vec![Word::Refuse(self.refused.unwrap_or(Refusal::NoOutsideLine))],
            // Help is sought by every way there is, whatever one of them says.
            Told::Refused(refusal) if (refusal.is_of_the_line() || self.emergency) && self.tries < MOST_TRIES => {
                self.refused = Some(refusal);
                self.dial()
            }
            Told::Refused(refusal) => vec![Word::Refuse(refusal)],
            Told::Woke if !self.heard => {
                self.heard = true;
                vec![Word::Wake(self.ring_for.saturating_sub(SILENCE)), Word::StopSilent]
            }
            Told::Woke => vec![Word::StopRinging, Word::Refuse(Refusal::NoAnswer)],
        }
    }

    fn dial(&mut self) -> Vec<Word> {
        self.tries += 1;
        self.heard = false;
        let (number, site) = (self.number.clone(), self.site.clone());
        vec![Word::Wake(SILENCE), Word::Dial { number, site, emergency: self.emergency }]
    }
}
