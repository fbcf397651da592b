//! The front desk: all that an administrator may ask, one file per noun, with plain types of its own: the only ones that are JSON on
//! the wire. Pages and the command line call the same functions.

pub mod administrator;
pub mod ban;
pub mod call;
pub mod call_record;
pub mod call_record_export;
pub mod certificate;
pub mod dialplan;
pub mod extension;
mod known;
pub mod live;
pub mod number;
pub mod quality;
pub mod status;
pub mod toll;
pub mod trunk;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pbx_sip::clock::Wall;
use pbx_switch::dialplan::{Dialplan, PlanError};
use pbx_switch::directory::Directory;
use pbx_switch::event::Event;
use rand::TryRng;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

use crate::api::administrator::{Attempts, Hashing};
use crate::api::known::Known;
use crate::config::Config;
use crate::runtime::certificate::CertificateInUse;
use crate::runtime::{self, Listening, StatusBoard, StoreHealth, SwitchHandle};
use crate::store::{self, Db, StoreError};

pub use crate::catalogue::{Lang, text};

/// Why the desk says no. Each has a code, and the catalogue a sentence for it: `problem.<code>`.
#[derive(Debug, Error)]
pub enum Error {
    /// There is no such thing.
    #[error("not found")]
    NotFound,
    /// The number is somebody else's.
    #[error("taken")]
    Taken,
    /// A field has a value that is none.
    #[error("{field}: {code}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// Why.
        code: &'static str,
    },
    /// A list with mistakes, row by row.
    #[error("a list with {} mistakes", .0.len())]
    Rows(Vec<RowError>),
    /// A plan with mistakes.
    #[error("a plan with {} mistakes", .0.len())]
    Plan(Vec<PlanError>),
    /// Nobody is signed in.
    #[error("unauthenticated")]
    Unauthenticated,
    /// Name or password are wrong.
    #[error("wrong password")]
    WrongPassword,
    /// Signed in, and not allowed.
    #[error("forbidden")]
    Forbidden,
    /// The page's word does not fit its session.
    #[error("csrf")]
    Csrf,
    /// Too many attempts.
    #[error("too many")]
    TooMany {
        /// When to come back.
        seconds: u64,
    },
    /// The link was used, or is too old.
    #[error("link used")]
    LinkUsed,
    /// Locked, full or broken; nothing was changed.
    #[error("store: {message}")]
    Store {
        /// The catalogue has a sentence for each: `store.<code>`.
        code: &'static str,
        /// What the database said, in its own words; empty if it said nothing.
        message: String,
    },
}

/// A mistake in a row of a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RowError {
    /// From 1, the header's.
    pub line: usize,
    /// Why.
    pub code: String,
}

impl Error {
    /// Something does not work that always should. The words are for the log.
    fn broken(why: impl std::fmt::Display) -> Error {
        tracing::warn!(%why, "something does not work that always should");
        Error::Store { code: "broken", message: String::new() }
    }

    /// For the catalogue.
    pub fn code(&self) -> &'static str {
        match self {
            Error::NotFound => "not_found",
            Error::Taken => "extension_taken",
            Error::Invalid { code, .. } => code,
            Error::Rows(_) => "csv",
            Error::Plan(_) => "plan",
            Error::Unauthenticated => "unauthenticated",
            Error::WrongPassword => "wrong_password",
            Error::Forbidden => "forbidden",
            Error::Csrf => "csrf",
            Error::TooMany { .. } => "too_many",
            Error::LinkUsed => "link_used",
            Error::Store { .. } => "store",
        }
    }

    /// The sentence.
    pub fn sentence(&self, lang: Lang) -> String {
        let params = match self {
            Error::TooMany { seconds } => vec![("seconds", seconds.to_string())],
            _ => Vec::new(),
        };
        text(lang, &format!("problem.{}", self.code()), &params)
    }

    /// Each mistake in a sentence, for those that have several.
    pub fn details(&self, lang: Lang) -> Vec<(usize, String)> {
        match self {
            Error::Rows(rows) => rows.iter().map(|row| (row.line, text(lang, &format!("problem.{}", row.code), &[]))).collect(),
            Error::Plan(errors) => errors
                .iter()
                .map(|error| (error.line, text(lang, &format!("plan.{}", error.fault.code()), &error.fault.params())))
                .collect(),
            _ => Vec::new(),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Error {
        match error {
            StoreError::Taken => Error::Taken,
            StoreError::Unavailable { code, message } => {
                tracing::warn!(code, message, "the store did not do what an administrator asked");
                Error::Store { code, message }
            }
        }
    }
}

/// What the running switchboard adds to the desk.
#[derive(Clone)]
pub struct Live {
    /// To tell it of changes.
    pub switch: SwitchHandle,
    /// What it shows.
    pub board: StatusBoard,
    /// How its store does.
    pub health: StoreHealth,
    /// Where it listens.
    pub listening: Listening,
    /// Who it is to those that come by TLS.
    pub certificate: CertificateInUse,
}

/// The desk. Cloning is cheap.
#[derive(Clone)]
pub struct Desk {
    inner: Arc<Inner>,
    live: Option<Live>,
}

struct Inner {
    db: Db,
    config: Config,
    realm: String,
    nonce_key: [u8; 32],
    attempts: Mutex<Attempts>,
    hashing: Hashing,
    known: Known,
    changing: tokio::sync::Mutex<()>,
}

impl Desk {
    /// Has the data directory a store?
    pub fn exists(config: &Config) -> bool {
        Db::exists(&config.database.url, &config.data_dir)
    }

    /// Opens the store of a data directory; a new one is furnished with realm, keys and the shipped plan.
    pub async fn open(config: Config) -> Result<Desk, Error> {
        let db = Db::open(&config.database.url, &config.data_dir).await?;
        let realm = store::house::drawn(&db, "realm", || format!("pbx-{}", store::extension::hex(&random::<8>()))).await?;
        let key = store::house::drawn(&db, "nonce_key", || store::extension::hex(&random::<32>())).await?;
        let nonce_key = store::extension::unhex(&key).ok_or_else(|| Error::broken("the nonce key cannot be read"))?;
        if store::dialplan::newest(&db).await?.is_none() {
            store::dialplan::insert(&db, dialplan::SHIPPED, "pbx", "first start", runtime::now().wall.0).await?;
        }
        let inner = Inner {
            db,
            config,
            realm,
            nonce_key,
            attempts: Mutex::default(),
            hashing: Hashing::default(),
            known: Known::default(),
            changing: tokio::sync::Mutex::default(),
        };
        Ok(Desk { inner: Arc::new(inner), live: None })
    }

    /// The same desk, in a running house.
    pub fn with_live(&self, live: Live) -> Desk {
        Desk { inner: Arc::clone(&self.inner), live: Some(live) }
    }

    /// What a house is opened with.
    pub async fn opening(&self, http: std::net::SocketAddr) -> Result<runtime::start::Opening, Error> {
        Ok(runtime::start::Opening {
            config: self.inner.config.clone(),
            db: self.inner.db.clone(),
            directory: Arc::new(self.directory().await?),
            plan: self.plan().await?,
            realm: self.inner.realm.clone(),
            nonce_key: self.inner.nonce_key,
            seed: random(),
            start: u64::from_ne_bytes(random()),
            http,
        })
    }

    /// Closes the store.
    pub async fn close(&self) {
        self.inner.db.close().await;
    }

    /// Where everything stands.
    pub fn data_dir(&self) -> PathBuf {
        self.inner.config.data_dir.clone()
    }

    pub(crate) fn db(&self) -> &Db {
        &self.inner.db
    }

    pub(crate) fn live(&self) -> Option<&Live> {
        self.live.as_ref()
    }

    pub(crate) fn realm(&self) -> &str {
        &self.inner.realm
    }

    /// Who and what exists, read anew.
    pub(crate) async fn directory(&self) -> Result<Directory, Error> {
        let sites = store::house::sites(self.db()).await?;
        let extensions = store::extension::all(self.db()).await?;
        let trunks = store::trunk::all(self.db()).await?;
        let numbers = store::number::all(self.db()).await?;
        let toll = store::toll::rules(self.db()).await?;
        Ok(Directory {
            sites: sites.into_iter().map(|site| (site.key.clone(), site)).collect(),
            extensions: extensions.into_iter().map(|stored| (stored.extension.number.clone(), stored.extension)).collect(),
            trunks: trunks.into_iter().map(|trunk| (trunk.key.clone(), trunk)).collect(),
            numbers: numbers.into_iter().map(|number| (number.number.clone(), number)).collect(),
            toll,
        })
    }

    /// The live plan and its revision.
    pub(crate) async fn plan(&self) -> Result<(Arc<Dialplan>, i64), Error> {
        let stored = store::dialplan::newest(self.db()).await?.ok_or(Error::NotFound)?;
        Ok((Arc::new(Dialplan::parse(&stored.plan).map_err(Error::Plan)?), stored.revision))
    }

    /// Held while something is read, changed and told to the switch: one change after the other, so that none is lost and the switch
    /// hears of the last one last.
    pub(crate) async fn changing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.inner.changing.lock().await
    }

    /// The running switch is told who exists now.
    pub(crate) async fn directory_changed(&self) -> Result<(), Error> {
        if let Some(live) = &self.live {
            let directory = Arc::new(self.directory().await?);
            live.switch.tell(Event::DirectoryChanged(directory)).await;
        }
        Ok(())
    }
}

/// Octets from the system's randomness.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut octets = [0; N];
    // The system that has no randomness cannot keep a secret either; better no house than an open one.
    #[expect(clippy::expect_used, reason = "nothing that follows could be safe")]
    rand::rngs::SysRng.try_fill_bytes(&mut octets).expect("the system's randomness");
    octets
}

/// A word nobody can guess, for links, sessions and tokens.
pub(crate) fn secret_word() -> String {
    URL_SAFE_NO_PAD.encode(random::<24>())
}

/// RFC 3339 UTC.
pub(crate) fn instant(at: Wall) -> String {
    jiff::Timestamp::from_microsecond(at.0).unwrap_or_default().to_string()
}
