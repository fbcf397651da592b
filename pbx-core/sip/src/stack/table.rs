//! When which transaction is to be woken.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Tick;
use crate::stack::{ClientKey, ServerKey};

/// Who is to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wake {
    /// A request sent to us.
    Server(ServerKey),
    /// A request of ours.
    Client(ClientKey),
}

/// One deadline for each transaction that has one.
#[derive(Debug, Default)]
pub struct Deadlines {
    order: BTreeSet<(Tick, Wake)>,
    of: BTreeMap<Wake, Tick>,
}

impl Deadlines {
    /// Sets, moves or takes away somebody's deadline.
    pub fn set(&mut self, who: Wake, when: Option<Tick>) {
        let before = match when {
            Some(when) => self.of.insert(who, when),
            None => self.of.remove(&who),
        };
        if before == when {
            return;
        }
        if let Some(before) = before {
            self.order.remove(&(before, who));
        }
        if let Some(when) = when {
            self.order.insert((when, who));
        }
    }

    /// The earliest.
    pub fn first(&self) -> Option<Tick> {
        self.order.first().map(|(when, _)| *when)
    }

    /// Takes out the next one whose time has come.
    pub fn due(&mut self, now: Tick) -> Option<Wake> {
        let (when, who) = *self.order.first()?;
        if when > now {
            return None;
        }
        self.order.pop_first();
        self.of.remove(&who);
        Some(who)
    }
}
