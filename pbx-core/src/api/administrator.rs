//! Administrators: the one-time link that makes the first, signing in and out, tokens for programs.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::PoisonError;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use pbx_sip::clock::Tick;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use crate::api::{Desk, Error, secret_word};
use crate::runtime;
use crate::store::{self, StoreError};

/// Does a house wait for its first administrator?
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Setup {
    /// Nobody can sign in yet.
    pub needed: bool,
}

/// The use of a one-time link.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAdministrator {
    /// What stands behind `#token=` in the link.
    pub token: String,
    /// The name to sign in with; the link's own name comes before it.
    #[serde(default)]
    pub name: String,
    /// At least 12 characters.
    pub password: String,
}

/// Name and password.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// Of an administrator.
    pub name: String,
    /// Of that administrator.
    pub password: String,
}

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Session {
    /// Who.
    pub name: String,
    /// What they may.
    pub role: Role,
    /// For the `x-csrf-token` header of requests that change something; empty for a token.
    pub csrf: String,
}

/// What somebody may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    Admin,
    /// Look.
    Read,
}

impl Role {
    /// `admin` or `read`.
    pub fn named(name: &str) -> Option<Role> {
        match name {
            "admin" => Some(Role::Admin),
            "read" => Some(Role::Read),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Read => "read",
        }
    }
}

/// A session that has begun, and the cookie that opens it.
pub struct SignedIn {
    /// For the cookie; kept nowhere.
    pub cookie: String,
    /// Who.
    pub session: Session,
}

/// Sign-in attempts by name and by address; one that succeeds is given back.
#[derive(Default)]
pub(crate) struct Attempts {
    tried: BTreeMap<Key, (u32, Tick)>,
}

/// Whose attempts are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// Guesses from everywhere at one name.
    Name(String),
    /// Guesses at every name from one place: an address, for IPv6 the network of a household.
    Place(String),
}

impl Key {
    fn place(address: &str) -> Key {
        Key::Place(match address.parse() {
            Ok(IpAddr::V6(six)) if six.to_ipv4_mapped().is_none() => {
                six.segments()[..4].iter().map(|part| format!("{part:x}:")).collect()
            }
            _ => address.to_owned(),
        })
    }

    /// Attempts before waiting begins. More for a name than for a place, so that nobody is locked out from one place by another.
    fn free(&self) -> u32 {
        match self {
            Key::Name(_) => 20,
            Key::Place(_) => 5,
        }
    }
}

/// Octets of a name or a password that are looked at.
const MAX_PASSWORD: usize = 1024;

/// How long one waits at most; attempts older than this are forgotten.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
const MOST_REMEMBERED: usize = 10_000;

/// Passwords hashed at once; each takes 19 MiB and a core.
const HASHED_AT_ONCE: usize = 2;

/// Those that may wait for their turn; further ones are told to come back.
const HASHED_LATER: usize = 32;

/// How long a session and an administrator's link live.
const SESSION: Duration = Duration::from_secs(12 * 3600);
const LINK: Duration = Duration::from_secs(24 * 3600);

impl Attempts {
    /// Counts an attempt before its outcome is known, so that many at once are many; seconds to wait where there have been too many.
    fn begin(&mut self, keys: &[Key], now: Tick) -> Result<(), u64> {
        let wait = keys.iter().map(|key| self.wait(key, now)).max().unwrap_or(0);
        if wait > 0 {
            return Err(wait);
        }
        for key in keys {
            if self.tried.len() >= MOST_REMEMBERED && !self.tried.contains_key(key) {
                self.forget_some(now);
            }
            let (tried, last) = self.tried.entry(key.clone()).or_insert((0, now));
            (*tried, *last) = (tried.saturating_add(1), now);
        }
        Ok(())
    }

    /// It was right.
    fn succeeded(&mut self, keys: &[Key]) {
        keys.iter().for_each(|key| {
            self.tried.remove(key);
        });
    }

    fn wait(&self, key: &Key, now: Tick) -> u64 {
        let Some((tried, last)) = self.tried.get(key) else { return 0 };
        let Some(over) = tried.checked_sub(key.free()) else { return 0 };
        let wait = Duration::from_secs(1u64 << over.min(20)).min(LONGEST_WAIT);
        wait.saturating_sub(now.since(*last)).as_secs_f64().ceil() as u64
    }

    /// What is old, else those that were tried least: a flood of new names never frees one that is being guessed.
    fn forget_some(&mut self, now: Tick) {
        self.tried.retain(|_, (_, last)| now.since(*last) < LONGEST_WAIT);
        if self.tried.len() >= MOST_REMEMBERED {
            let least = self.tried.iter().min_by_key(|(_, (tried, last))| (*tried, *last)).map(|(key, _)| key.clone());
            least.map(|key| self.tried.remove(&key));
        }
    }
}

/// Does the house wait for its first administrator?
pub async fn setup(desk: &Desk) -> Result<Setup, Error> {
    Ok(Setup { needed: store::administrator::count(desk.db()).await? == 0 })
}

/// A link for the first administrator, if there is none, good until it is used; those made before lose their use.
pub async fn first_link(desk: &Desk) -> Result<Option<String>, Error> {
    if !setup(desk).await?.needed {
        return Ok(None);
    }
    store::administrator::forget_open_links(desk.db()).await?;
    link(desk, "", i64::MAX).await.map(Some)
}

/// A link by which an administrator of that name chooses a password, the first or a new one.
pub async fn create(desk: &Desk, name: &str) -> Result<String, Error> {
    let name = checked_name(name)?;
    link(desk, &name, (runtime::now().wall + LINK).0).await
}

/// Uses a link up, and signs in. A mistake in what was typed leaves the link good.
pub async fn use_link(desk: &Desk, new: NewAdministrator) -> Result<SignedIn, Error> {
    if new.password.chars().count() < 12 || new.password.len() > MAX_PASSWORD {
        return Err(Error::Invalid { field: "password", code: "password_length" });
    }
    let (token, now) = (digest(&new.token), runtime::now().wall.0);
    // Asked before the slow work, which nobody without a link may cause.
    let named = store::administrator::link(desk.db(), &token, now).await?.ok_or(Error::LinkUsed)?;
    let name = if named.is_empty() { checked_name(&new.name)? } else { named };
    let password_hash = hashed(desk, new.password).await?;
    if !store::administrator::use_link(desk.db(), &token, &name, &password_hash, now).await? {
        return Err(Error::LinkUsed);
    }
    desk.inner.known.forget_all_of(&name);
    begin(desk, name).await
}

/// Signs in. A name that nobody has costs the same time as a wrong password.
pub async fn sign_in(desk: &Desk, credentials: Credentials, address: &str) -> Result<SignedIn, Error> {
    let name = credentials.name.trim().to_lowercase();
    if name.len() > MAX_PASSWORD || credentials.password.len() > MAX_PASSWORD {
        return Err(Error::WrongPassword);
    }
    let keys = [Key::Name(name.clone()), Key::place(address)];
    let attempts = || desk.inner.attempts.lock().unwrap_or_else(PoisonError::into_inner);
    attempts().begin(&keys, runtime::now().tick).map_err(|seconds| Error::TooMany { seconds })?;
    let known = store::administrator::password_hash(desk.db(), &name).await?;
    if !verified(desk, credentials.password, known).await? {
        return Err(Error::WrongPassword);
    }
    attempts().succeeded(&keys);
    begin(desk, name).await
}

/// Who a cookie belongs to.
pub async fn session(desk: &Desk, cookie: &str) -> Result<Session, Error> {
    let (key, now) = (digest(cookie), runtime::now());
    let found = store::administrator::session(desk.db(), &key, now.wall.0).await;
    let found = found.map(|found| found.map(|(name, csrf)| Session { name, role: Role::Admin, csrf }));
    let_in(desk, &key, now.tick, found)
}

/// Who is known is let in; and while the database cannot be asked, who was known lately.
fn let_in(desk: &Desk, key: &str, now: Tick, found: Result<Option<Session>, StoreError>) -> Result<Session, Error> {
    let known = &desk.inner.known;
    match found {
        Ok(Some(session)) => {
            known.remember(key, &session, now);
            Ok(session)
        }
        Ok(None) => {
            known.forget(key);
            Err(Error::Unauthenticated)
        }
        Err(error) => known.recall(key, now).ok_or_else(|| error.into()),
    }
}

/// Ends a session.
pub async fn sign_out(desk: &Desk, cookie: &str) -> Result<(), Error> {
    let key = digest(cookie);
    desk.inner.known.forget(&key);
    Ok(store::administrator::end_session(desk.db(), &key, runtime::now().wall.0).await?)
}

/// A token for a program; told this once.
pub async fn create_token(desk: &Desk, role: &str) -> Result<String, Error> {
    let role = Role::named(role).ok_or(Error::Invalid { field: "role", code: "role" })?;
    let token = format!("pbx_{}", secret_word());
    store::administrator::put_token(desk.db(), &digest(&token), role.as_str(), runtime::now().wall.0).await?;
    Ok(token)
}

/// What a token may.
pub async fn token(desk: &Desk, token: &str) -> Result<Session, Error> {
    let key = digest(token);
    let found = store::administrator::token_role(desk.db(), &key).await;
    let session = |role| Session { name: "token".to_owned(), role, csrf: String::new() };
    let found = found.map(|role| role.as_deref().and_then(Role::named).map(session));
    let_in(desk, &key, runtime::now().tick, found)
}

async fn link(desk: &Desk, name: &str, expires: i64) -> Result<String, Error> {
    let token = secret_word();
    store::administrator::put_link(desk.db(), &digest(&token), name, expires).await?;
    // Behind the `#`, so that it never reaches a log or another host.
    let host = desk.live().map_or_else(|| desk.inner.config.http.listen, |live| live.listening.http);
    let host = if host.ip().is_unspecified() { format!("localhost:{}", host.port()) } else { host.to_string() };
    Ok(format!("http://{host}/setup#token={token}"))
}

async fn begin(desk: &Desk, name: String) -> Result<SignedIn, Error> {
    let (cookie, csrf) = (secret_word(), secret_word());
    let expires = (runtime::now().wall + SESSION).0;
    store::administrator::put_session(desk.db(), &digest(&cookie), &name, &csrf, expires).await?;
    Ok(SignedIn { cookie, session: Session { name, role: Role::Admin, csrf } })
}

fn checked_name(name: &str) -> Result<String, Error> {
    let name = name.trim().to_lowercase();
    let good = (1..=80).contains(&name.chars().count()) && !name.chars().any(|character| character.is_control());
    good.then_some(name).ok_or(Error::Invalid { field: "name", code: "name_length" })
}

/// What is kept of a word that opens a door: it is long and random, so a plain hash does.
fn digest(word: &str) -> String {
    store::extension::hex(&Sha256::digest(word.as_bytes()))
}

/// The hash of a password that nobody has, for names that nobody has.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

async fn hashed(desk: &Desk, password: String) -> Result<String, Error> {
    let work = move || Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string());
    slowly(desk, work).await?.map_err(Error::broken)
}

async fn verified(desk: &Desk, password: String, known: Option<String>) -> Result<bool, Error> {
    let work = move || {
        let exists = known.is_some();
        let right = PasswordHash::new(known.as_deref().unwrap_or(NOBODY))
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
        exists & right
    };
    slowly(desk, work).await
}

/// Hashing is slow on purpose: not on the threads that serve, few at once, and not many in the queue.
async fn slowly<T: Send + 'static>(desk: &Desk, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let hashing = &desk.inner.hashing;
    let _waiting = hashing.waiting.try_acquire().map_err(|_| Error::TooMany { seconds: 5 })?;
    let turn = std::sync::Arc::clone(&hashing.turns).acquire_owned().await;
    let turn = turn.map_err(Error::broken)?;
    let work = move || {
        // Held by the work itself: one who hangs up does not make room for another.
        let _turn = turn;
        work()
    };
    tokio::task::spawn_blocking(work).await.map_err(Error::broken)
}

/// Whose turn it is to have a password hashed.
pub(crate) struct Hashing {
    turns: std::sync::Arc<Semaphore>,
    waiting: Semaphore,
}

impl Default for Hashing {
    fn default() -> Hashing {
        let turns = std::sync::Arc::new(Semaphore::new(HASHED_AT_ONCE));
        Hashing { turns, waiting: Semaphore::new(HASHED_AT_ONCE + HASHED_LATER) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[tokio::test]
    async fn a_link_makes_one_administrator_who_signs_in() {
        let folder = tempfile::tempdir().unwrap();
        let desk = Desk::open(Config { data_dir: folder.path().to_owned(), ..Config::default() }).await.unwrap();
        let link = first_link(&desk).await.unwrap().unwrap();
        let token = link.split_once("#token=").unwrap().1.to_owned();
        let new = |password: &str| NewAdministrator { token: token.clone(), name: "Camille".into(), password: password.into() };
        assert!(matches!(use_link(&desk, new("short")).await, Err(Error::Invalid { .. })));
        let signed_in = use_link(&desk, new("a long enough phrase")).await.unwrap();
        assert_eq!(session(&desk, &signed_in.cookie).await.unwrap().name, "camille");
        assert!(matches!(use_link(&desk, new("a long enough phrase")).await, Err(Error::LinkUsed)));
        assert!(first_link(&desk).await.unwrap().is_none());
        sign_out(&desk, &signed_in.cookie).await.unwrap();
        assert!(matches!(session(&desk, &signed_in.cookie).await, Err(Error::Unauthenticated)));

        sign_in(&desk, credentials("camille", "a long enough phrase"), "192.0.2.1").await.unwrap();
        let wrong = sign_in(&desk, credentials("camille", "wrong"), "192.0.2.1").await;
        assert!(matches!(wrong, Err(Error::WrongPassword)));
        let nobody = sign_in(&desk, credentials("dominique", "a long enough phrase"), "192.0.2.1").await;
        assert!(matches!(nobody, Err(Error::WrongPassword)));
    }

    #[tokio::test]
    async fn a_mistake_leaves_the_link_good_and_a_new_password_ends_old_sessions() {
        let folder = tempfile::tempdir().unwrap();
        let desk = Desk::open(Config { data_dir: folder.path().to_owned(), ..Config::default() }).await.unwrap();
        let token = |link: String| link.split_once("#token=").unwrap().1.to_owned();
        let first = token(first_link(&desk).await.unwrap().unwrap());
        let new = |token: &str, name: &str| NewAdministrator {
            token: token.into(),
            name: name.into(),
            password: "a long enough phrase".into(),
        };
        assert!(matches!(use_link(&desk, new(&first, " ")).await, Err(Error::Invalid { field: "name", .. })));
        assert!(matches!(use_link(&desk, new("guessed", "eve")).await, Err(Error::LinkUsed)));
        let old = use_link(&desk, new(&first, "camille")).await.unwrap();
        let again = token(create(&desk, "Camille").await.unwrap());
        let signed_in = use_link(&desk, new(&again, "somebody else")).await.unwrap();
        assert_eq!(signed_in.session.name, "camille", "the link's own name");
        assert!(matches!(session(&desk, &old.cookie).await, Err(Error::Unauthenticated)));
        assert!(session(&desk, &signed_in.cookie).await.is_ok());
    }

    #[test]
    fn a_name_that_nobody_has_costs_the_same_work() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let real = Argon2::default().hash_password(b"a long enough phrase").unwrap();
        assert_eq!(nobody.params.to_string(), real.params.to_string());
        assert_eq!(nobody.hash.map(|hash| hash.len()), real.hash.map(|hash| hash.len()));
        assert_eq!(nobody.algorithm, real.algorithm);
    }

    #[test]
    fn guessing_is_slowed_down_by_place_and_by_name() {
        let (mut attempts, now) = (Attempts::default(), Tick(0));
        let keys = |name: &str, address: &str| [Key::Name(name.to_owned()), Key::place(address)];
        for _ in 0..5 {
            assert_eq!(attempts.begin(&keys("camille", "192.0.2.1"), now), Ok(()));
        }
        assert_eq!(attempts.begin(&keys("dominique", "192.0.2.1"), now), Err(1), "one place, whatever the name");
        assert_eq!(attempts.begin(&keys("camille", "192.0.2.2"), now), Ok(()), "another place is not locked out");
        assert_eq!(attempts.begin(&keys("camille", "192.0.2.1"), now + Duration::from_secs(1)), Ok(()));
        assert_eq!(attempts.begin(&keys("camille", "192.0.2.1"), now + Duration::from_secs(1)), Err(2), "twice as long each time");
        for place in 0..13 {
            assert_eq!(attempts.begin(&keys("camille", &format!("198.51.100.{place}")), now), Ok(()));
        }
        assert!(attempts.begin(&keys("camille", "203.0.113.1"), now).is_err(), "one name, wherever it is guessed at");
        attempts.succeeded(&keys("camille", "192.0.2.1"));
        assert_eq!(attempts.begin(&keys("camille", "192.0.2.1"), now), Ok(()));
        assert_eq!(Key::place("2001:db8:1:2::1"), Key::place("2001:db8:1:2:3:4:5:6"));
        assert_ne!(Key::place("2001:db8:1:2::1"), Key::place("2001:db8:1:3::1"));
        assert_ne!(Key::place("::ffff:192.0.2.1"), Key::place("::ffff:192.0.2.2"));
    }

    #[test]
    fn a_flood_of_names_frees_nobody() {
        let mut attempts = Attempts::default();
        let guesser = [Key::place("192.0.2.1")];
        (0..5).for_each(|_| attempts.begin(&guesser, Tick(0)).unwrap());
        for number in 0..MOST_REMEMBERED + 50 {
            let _ = attempts.begin(&[Key::Name(format!("{number}"))], Tick(1));
        }
        assert!(attempts.tried.len() <= MOST_REMEMBERED);
        assert!(attempts.begin(&guesser, Tick(2)).is_err());
    }

    #[tokio::test]
    async fn many_at_once_are_counted_each() {
        let folder = tempfile::tempdir().unwrap();
        let desk = Desk::open(Config { data_dir: folder.path().to_owned(), ..Config::default() }).await.unwrap();
        let tries = (0..40).map(|_| sign_in(&desk, credentials("camille", "wrong"), "192.0.2.1"));
        let outcomes = futures_util::future::join_all(tries).await;
        let judged = outcomes.iter().filter(|outcome| matches!(outcome, Err(Error::WrongPassword))).count();
        assert_eq!(judged, 5, "no more passwords were tried than one after the other");
    }

    fn credentials(name: &str, password: &str) -> Credentials {
        Credentials { name: name.into(), password: password.into() }
    }

    #[tokio::test]
    async fn tokens_have_their_role() {
        let folder = tempfile::tempdir().unwrap();
        let desk = Desk::open(Config { data_dir: folder.path().to_owned(), ..Config::default() }).await.unwrap();
        let read = create_token(&desk, "read").await.unwrap();
        assert_eq!(token(&desk, &read).await.unwrap().role, Role::Read);
        assert!(matches!(create_token(&desk, "root").await, Err(Error::Invalid { .. })));
        assert!(matches!(token(&desk, "pbx_x").await, Err(Error::Unauthenticated)));
        let unseen = create_token(&desk, "read").await.unwrap();
        desk.db().close().await;
        assert_eq!(token(&desk, &read).await.unwrap().role, Role::Read, "seen before the database went");
        assert!(matches!(token(&desk, &unseen).await, Err(Error::Store { .. })));
    }
}
