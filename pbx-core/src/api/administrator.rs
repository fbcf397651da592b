//! Administrators: the one-time link that makes the first, signing in and out, tokens for programs.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use pbx_sip::clock::Tick;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::api::{Desk, Error, secret_word};
use crate::{runtime, store};

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

/// Sign-in attempts that went wrong, by name and by address.
#[derive(Default)]
pub(crate) struct Attempts {
    wrong: BTreeMap<String, (u32, Tick)>,
}

/// Wrong attempts before waiting begins, and how long it is at most.
const FREE_ATTEMPTS: u32 = 5;
const LONGEST_WAIT: Duration = Duration::from_secs(300);
const MOST_REMEMBERED: usize = 10_000;

/// How long a session and a link live.
const SESSION: Duration = Duration::from_secs(12 * 3600);
const LINK: Duration = Duration::from_secs(24 * 3600);

impl Attempts {
    /// Seconds to wait before the next attempt; 0 for none.
    fn wait(&self, key: &str, now: Tick) -> u64 {
        let Some((wrong, last)) = self.wrong.get(key) else { return 0 };
        let Some(over) = wrong.checked_sub(FREE_ATTEMPTS) else { return 0 };
        let wait = Duration::from_secs(1u64 << over.min(20)).min(LONGEST_WAIT);
        wait.saturating_sub(now.since(*last)).as_secs_f64().ceil() as u64
    }

    fn failed(&mut self, key: &str, now: Tick) {
        if self.wrong.len() >= MOST_REMEMBERED {
            self.wrong.retain(|_, (_, last)| now.since(*last) < LONGEST_WAIT);
            if self.wrong.len() >= MOST_REMEMBERED {
                self.wrong.pop_first();
            }
        }
        let (wrong, last) = self.wrong.entry(key.to_owned()).or_insert((0, now));
        (*wrong, *last) = (wrong.saturating_add(1), now);
    }
}

/// Does the house wait for its first administrator?
pub async fn setup(desk: &Desk) -> Result<Setup, Error> {
    Ok(Setup { needed: store::administrator::count(desk.db()).await? == 0 })
}

/// A link for the first administrator, if there is none; those made before lose their use.
pub async fn first_link(desk: &Desk) -> Result<Option<String>, Error> {
    if !setup(desk).await?.needed {
        return Ok(None);
    }
    store::administrator::forget_open_links(desk.db()).await?;
    link(desk, "").await.map(Some)
}

/// A link by which an administrator of that name chooses a password.
pub async fn create(desk: &Desk, name: &str) -> Result<String, Error> {
    link(desk, &checked_name(name)?).await
}

/// Uses a link up, and signs in.
pub async fn use_link(desk: &Desk, new: NewAdministrator) -> Result<SignedIn, Error> {
    if new.password.chars().count() < 12 || new.password.len() > 1024 {
        return Err(Error::Invalid { field: "password", code: "password_length" });
    }
    let chosen = if new.name.trim().is_empty() { None } else { Some(checked_name(&new.name)?) };
    let now = runtime::now().wall.0;
    let password_hash = hashed(new.password).await?;
    let named = store::administrator::take_link(desk.db(), &digest(&new.token), now).await?.ok_or(Error::LinkUsed)?;
    let name = match (named.is_empty(), chosen) {
        (false, _) => named,
        (true, Some(chosen)) => chosen,
        (true, None) => return Err(Error::Invalid { field: "name", code: "name_length" }),
    };
    store::administrator::put(desk.db(), &name, &password_hash, now).await?;
    begin(desk, name).await
}

/// Signs in. A name that nobody has costs the same time as a wrong password.
pub async fn sign_in(desk: &Desk, credentials: Credentials, address: &str) -> Result<SignedIn, Error> {
    let name = credentials.name.trim().to_lowercase();
    let keys = [format!("name {name}"), format!("address {address}")];
    let now = runtime::now().tick;
    {
        let attempts = desk.inner.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = keys.iter().map(|key| attempts.wait(key, now)).max().unwrap_or(0);
        if seconds > 0 {
            return Err(Error::TooMany { seconds });
        }
    }
    let known = store::administrator::password_hash(desk.db(), &name).await?;
    let right = verified(credentials.password, known).await?;
    {
        let mut attempts = desk.inner.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        if !right {
            keys.iter().for_each(|key| attempts.failed(key, now));
            return Err(Error::WrongPassword);
        }
        keys.iter().for_each(|key| {
            attempts.wrong.remove(key);
        });
    }
    begin(desk, name).await
}

/// Who a cookie belongs to.
pub async fn session(desk: &Desk, cookie: &str) -> Result<Session, Error> {
    let now = runtime::now().wall.0;
    let found = store::administrator::session(desk.db(), &digest(cookie), now).await?;
    let (name, csrf) = found.ok_or(Error::Unauthenticated)?;
    Ok(Session { name, role: Role::Admin, csrf })
}

/// Ends a session.
pub async fn sign_out(desk: &Desk, cookie: &str) -> Result<(), Error> {
    Ok(store::administrator::end_session(desk.db(), &digest(cookie), runtime::now().wall.0).await?)
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
    let role = store::administrator::token_role(desk.db(), &digest(token)).await?;
    let role = role.as_deref().and_then(Role::named).ok_or(Error::Unauthenticated)?;
    Ok(Session { name: "token".to_owned(), role, csrf: String::new() })
}

async fn link(desk: &Desk, name: &str) -> Result<String, Error> {
    let token = secret_word();
    let expires = (runtime::now().wall + LINK).0;
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

/// Slow on purpose, and so not on the threads that serve.
async fn hashed(password: String) -> Result<String, Error> {
    let work = move || Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string());
    let done = tokio::task::spawn_blocking(work).await;
    done.ok().and_then(Result::ok).ok_or_else(|| Error::Store("a password could not be hashed".to_owned()))
}

async fn verified(password: String, known: Option<String>) -> Result<bool, Error> {
    let work = move || {
        let exists = known.is_some();
        // The hash of a password that nobody has.
        let dummy = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$0wPsNCCFKMkCxBsPjFJ3mA5Kz4Ri8XNkN2gIGZcqkKY";
        let right = PasswordHash::new(known.as_deref().unwrap_or(dummy))
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
        exists & right
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Store("a password could not be verified".to_owned()))
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

        let credentials = |password: &str| Credentials { name: "camille".into(), password: password.into() };
        sign_in(&desk, credentials("a long enough phrase"), "192.0.2.1").await.unwrap();
        for _ in 0..FREE_ATTEMPTS {
            assert!(matches!(sign_in(&desk, credentials("wrong"), "192.0.2.1").await, Err(Error::WrongPassword)));
        }
        let _ = sign_in(&desk, credentials("wrong"), "192.0.2.1").await;
        assert!(matches!(sign_in(&desk, credentials("a long enough phrase"), "192.0.2.1").await, Err(Error::TooMany { .. })));
    }

    #[tokio::test]
    async fn tokens_have_their_role() {
        let folder = tempfile::tempdir().unwrap();
        let desk = Desk::open(Config { data_dir: folder.path().to_owned(), ..Config::default() }).await.unwrap();
        let read = create_token(&desk, "read").await.unwrap();
        assert_eq!(token(&desk, &read).await.unwrap().role, Role::Read);
        assert!(matches!(create_token(&desk, "root").await, Err(Error::Invalid { .. })));
        assert!(matches!(token(&desk, "pbx_x").await, Err(Error::Unauthenticated)));
    }
}
