//! What pages may know: changes folded into a picture, and the last of them remembered one by one, so that a page that was away goes on
//! where it was.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use pbx_switch::call::CallKey;
use pbx_switch::directory::{ExtensionNumber, TrunkKey};
use pbx_switch::door::Ban;
use pbx_switch::status::{Change, LiveCall, Published, Registration, TurnedAway};
use pbx_switch::toll::{Payer, TollState};
use pbx_switch::trunking::LineStatus;
use tokio::sync::watch;

/// Changes that are remembered; a page that is further behind is given the whole picture anew.
const REMEMBERED: usize = 4096;

/// Changes handed out at once: what a watcher holds for itself.
const HANDFUL: usize = 64;

/// The picture. What stands in it is shared and never changed, so that a copy of it is cheap.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Number of the last change in it.
    pub sequence: u64,
    /// Extensions with phones.
    pub registrations: BTreeMap<ExtensionNumber, Arc<Registration>>,
    /// Calls in progress.
    pub calls: BTreeMap<CallKey, Arc<LiveCall>>,
    /// Lines to the outside.
    pub lines: BTreeMap<TrunkKey, LineStatus>,
    /// Sources that are not listened to.
    pub bans: BTreeMap<IpAddr, Ban>,
    /// Who has called outside within the last day.
    pub tolls: BTreeMap<Payer, TollState>,
    /// Extensions of which a phone is turned away in spite of the right secret.
    pub turned_away: BTreeMap<ExtensionNumber, TurnedAway>,
}

/// A change on its way to pages.
pub type Update = Arc<Published>;

/// Where the picture hangs.
#[derive(Clone)]
pub struct StatusBoard {
    start: u64,
    board: Arc<Mutex<Board>>,
    newest: watch::Sender<u64>,
}

#[derive(Default)]
struct Board {
    status: Status,
    /// The last ones, without a gap, up to the picture's own.
    remembered: VecDeque<Update>,
}

/// What a watcher is to be told.
#[derive(Debug)]
pub enum News {
    /// The whole picture: it is new here, or too far behind.
    Picture(Status),
    /// What followed, in order, without a gap.
    Changes(Vec<Update>),
}

/// Somebody who watches. It holds a number and no queue: who is slow costs nobody anything.
pub struct Watcher {
    board: Arc<Mutex<Board>>,
    newest: watch::Receiver<u64>,
    /// The last change it knows of; none before its first picture.
    known: Option<u64>,
}

impl StatusBoard {
    /// An empty picture. `start` tells this start of the house from every other one.
    pub fn new(start: u64) -> StatusBoard {
        StatusBoard { start, board: Arc::default(), newest: watch::Sender::new(0) }
    }

    /// Which start of the house this is: numbers begin anew with each.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Puts a change into the picture, and remembers it.
    pub fn publish(&self, published: Published) {
        let sequence = published.sequence;
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        let Board { status, remembered } = &mut *board;
        status.sequence = sequence;
        match &published.change {
            Change::Registration(registration) if registration.devices.is_empty() => {
                status.registrations.remove(&registration.extension);
            }
            Change::Registration(registration) => {
                status.registrations.insert(registration.extension.clone(), Arc::new(registration.clone()));
            }
            Change::Call(call) => {
                status.calls.insert(call.key, Arc::new((**call).clone()));
            }
            Change::CallEnded(key) => {
                status.calls.remove(key);
            }
            Change::Line(line) => {
                status.lines.insert(line.trunk.clone(), line.clone());
            }
            Change::LineGone(trunk) => {
                status.lines.remove(trunk);
            }
            Change::Ban(ban) => {
                status.bans.insert(ban.source, ban.clone());
            }
            Change::BanEnded(source) => {
                status.bans.remove(source);
            }
            Change::TurnedAway(turned) if turned.last.is_none() => {
                status.turned_away.remove(&turned.extension);
            }
            Change::TurnedAway(turned) => {
                status.turned_away.insert(turned.extension.clone(), turned.clone());
            }
            Change::Toll(state) if state.is_nothing() => {
                status.tolls.remove(&state.payer);
            }
            Change::Toll(state) => {
                status.tolls.insert(state.payer.clone(), state.clone());
            }
        }
        if remembered.len() == REMEMBERED {
            remembered.pop_front();
        }
        remembered.push_back(Arc::new(published));
        drop(board);
        self.newest.send_replace(sequence);
    }

    /// Reads the picture.
    pub fn read<T>(&self, look: impl FnOnce(&Status) -> T) -> T {
        look(&self.board.lock().unwrap_or_else(PoisonError::into_inner).status)
    }

    /// Watches from the change after `known` on, if what followed it is remembered; else from the picture as it is.
    pub fn watch(&self, known: Option<u64>) -> Watcher {
        Watcher { board: Arc::clone(&self.board), newest: self.newest.subscribe(), known }
    }
}

impl Watcher {
    /// What this watcher does not know yet; waits until there is something. `None` when the board is gone.
    pub async fn next(&mut self) -> Option<News> {
        loop {
            self.newest.mark_unchanged();
            if let Some(news) = self.look() {
                return Some(news);
            }
            self.newest.changed().await.ok()?;
        }
    }

    fn look(&mut self) -> Option<News> {
        let board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = board.status.sequence;
        // From the end: how many it lacks. More than are remembered, or a number that never was: the picture.
        let lacking = self.known.and_then(|known| newest.checked_sub(known)).and_then(|lacking| usize::try_from(lacking).ok());
        match lacking.filter(|lacking| *lacking <= board.remembered.len()) {
            Some(0) => None,
            Some(lacking) => {
                let first = board.remembered.len() - lacking;
                let changes: Vec<Update> = board.remembered.iter().skip(first).take(HANDFUL).cloned().collect();
                self.known = changes.last().map(|update| update.sequence);
                Some(News::Changes(changes))
            }
            None => {
                self.known = Some(newest);
                Some(News::Picture(board.status.clone()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn changes_are_folded_into_the_picture_and_handed_on() {
        let board = StatusBoard::new(1);
        let mut watcher = board.watch(None);
        assert!(matches!(watcher.next().await, Some(News::Picture(Status { sequence: 0, .. }))));
        board.publish(phones(1, 1));
        board.publish(phones(2, 0));
        board.publish(phones(3, 2));
        assert_eq!(board.read(|status| status.registrations.values().map(|known| known.devices.len()).sum::<usize>()), 2);
        assert_eq!(told(&mut watcher, 3).await, [1, 2, 3]);
    }

    #[tokio::test]
    async fn who_comes_back_is_told_what_followed_and_who_was_away_too_long_the_picture() {
        let board = StatusBoard::new(1);
        let many = REMEMBERED as u64 + 500;
        (1..=many).for_each(|sequence| board.publish(phones(sequence, 1)));
        let mut back = board.watch(Some(many - 3));
        assert_eq!(told(&mut back, 3).await, [many - 2, many - 1, many]);
        let mut oldest = board.watch(Some(500));
        assert_eq!(told(&mut oldest, REMEMBERED).await, (501..=many).collect::<Vec<_>>());
        for gone in [Some(499), Some(0), Some(many + 1), None] {
            assert!(matches!(board.watch(gone).next().await, Some(News::Picture(picture)) if picture.sequence == many), "{gone:?}");
        }
    }

    #[tokio::test]
    async fn a_slow_watcher_is_given_the_picture_and_keeps_nobody_waiting() {
        let board = StatusBoard::new(1);
        let mut slow = board.watch(Some(0));
        board.publish(phones(1, 1));
        assert_eq!(told(&mut slow, 1).await, [1]);
        (2..=100_000).for_each(|sequence| board.publish(phones(sequence, 1)));
        assert!(matches!(slow.next().await, Some(News::Picture(Status { sequence: 100_000, .. }))));
        assert!(board.board.lock().unwrap().remembered.len() <= REMEMBERED);
        let waits = tokio::spawn(async move { told(&mut slow, 1).await });
        board.publish(phones(100_001, 0));
        assert_eq!(waits.await.unwrap(), [100_001]);
    }

    async fn told(watcher: &mut Watcher, count: usize) -> Vec<u64> {
        let mut numbers = Vec::new();
        while numbers.len() < count {
            match watcher.next().await {
                Some(News::Changes(changes)) => numbers.extend(changes.iter().map(|update| update.sequence)),
                other => panic!("{other:?} after {numbers:?}"),
            }
        }
        numbers
    }

    fn phones(sequence: u64, count: usize) -> Published {
        let device = pbx_switch::status::Device {
            contact: "sip:201@192.0.2.1".to_owned(),
            user_agent: None,
            address: ([192, 0, 2, 1], 5060).into(),
            transport: "UDP".to_owned(),
            expires: pbx_sip::clock::Wall(1),
        };
        let extension = ExtensionNumber::new("201").unwrap();
        Published { sequence, change: Change::Registration(Registration { extension, devices: vec![device; count] }) }
    }
}
