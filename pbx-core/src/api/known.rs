//! Who was let in lately. While the database does not answer they are let in all the same: the page that says so would else be the
//! first thing to be missing.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pbx_sip::clock::Tick;

use crate::api::administrator::Session;

/// Sessions and tokens by the digest of their word, with the instant at which the database last knew them.
#[derive(Default)]
pub(crate) struct Known {
    sessions: Mutex<BTreeMap<String, (Tick, Session)>>,
}

/// How many are remembered; more, and the one that was seen longest ago is not.
const MOST: usize = 256;

/// How long.
const LATELY: Duration = Duration::from_secs(3_600);

impl Known {
    /// The database knows it.
    pub fn remember(&self, digest: &str, session: &Session, now: Tick) {
        let mut sessions = self.lock();
        if sessions.len() >= MOST && !sessions.contains_key(digest) {
            let oldest = sessions.iter().min_by_key(|(_, (seen, _))| *seen).map(|(digest, _)| digest.clone());
            oldest.map(|digest| sessions.remove(&digest));
        }
        sessions.insert(digest.to_owned(), (now, session.clone()));
    }

    /// It is over, or never was.
    pub fn forget(&self, digest: &str) {
        self.lock().remove(digest);
    }

    /// Every session of an administrator is over.
    pub fn forget_all_of(&self, name: &str) {
        self.lock().retain(|_, (_, session)| session.name != name);
    }

    /// The database cannot be asked: was it there lately?
    pub fn recall(&self, digest: &str, now: Tick) -> Option<Session> {
        let sessions = self.lock();
        let (seen, session) = sessions.get(digest)?;
        (now <= *seen + LATELY).then(|| session.clone())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, (Tick, Session)>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::administrator::Role;

    #[test]
    fn who_was_seen_lately_is_known_and_no_more_than_that() {
        let known = Known::default();
        let session = |name: &str| Session { name: name.to_owned(), role: Role::Admin, csrf: String::new() };
        for (at, name) in [(0, "camille"), (1, "dominique"), (2, "camille")] {
            known.remember(&format!("{name}{at}"), &session(name), Tick(at));
        }
        assert_eq!(known.recall("camille0", Tick(5)).unwrap().name, "camille");
        assert!(known.recall("camille0", Tick(0) + LATELY + Duration::from_secs(1)).is_none());
        known.forget("camille0");
        assert!(known.recall("camille0", Tick(5)).is_none());
        known.forget_all_of("camille");
        assert!(known.recall("camille2", Tick(5)).is_none() && known.recall("dominique1", Tick(5)).is_some());
        (0..MOST as u64).for_each(|at| known.remember(&format!("{at}"), &session("x"), Tick(10 + at)));
        assert!(known.recall("dominique1", Tick(300)).is_none(), "the oldest makes room");
        assert!(known.recall("0", Tick(300)).is_some());
    }
}
