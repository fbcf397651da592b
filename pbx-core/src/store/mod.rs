//! What a house remembers, in SQLite beside it or in PostgreSQL. The only door to sqlx; plain functions over [`Db`], a file per table,
//! with one text of SQL for both engines. One writer; a transaction that writes says so when it begins.

pub mod administrator;
pub mod aside;
pub mod ban;
pub mod binding;
pub mod call_record;
pub mod dialplan;
mod engine;
pub mod extension;
pub mod house;
pub mod kept;
mod lane;
pub mod number;
pub mod publication;
pub mod subscription;
pub mod toll;
pub mod trunk;

use std::fmt::Display;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgDatabaseError;
use thiserror::Error;

use crate::config::DatabaseUrl;
use crate::store::engine::{Engine, Query, Role, Row, query};
use crate::store::lane::{Lane, Turn};

/// The database. Cloning is cheap.
#[derive(Clone)]
pub struct Db {
    writer: Arc<Lane>,
    readers: Arc<Lane>,
    folder: Arc<Path>,
}

/// Why the store did not do it.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Something of that key exists.
    #[error("taken")]
    Taken,
    /// Nothing was changed; unless the answer was lost on its way, and with it whether it was.
    #[error("{message}")]
    Unavailable {
        /// The catalogue has a sentence for each: `store.<code>`.
        code: &'static str,
        /// What the database said, in its own words; empty if it said nothing.
        message: String,
    },
}

impl StoreError {
    /// For the catalogue: `store.<code>`.
    pub fn code(&self) -> &'static str {
        match self {
            StoreError::Taken => "taken",
            StoreError::Unavailable { code, .. } => code,
        }
    }

    /// Something of ours is not as it should be. The words are for the log: a person is told by the code, in their language.
    fn broken(why: impl Display) -> StoreError {
        tracing::warn!(%why, "the store is not as it should be");
        StoreError::Unavailable { code: "broken", message: String::new() }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        let code = match &error {
            sqlx::Error::Database(database) if database.is_unique_violation() => return StoreError::Taken,
            sqlx::Error::Database(database) => match database.try_downcast_ref::<PgDatabaseError>() {
                Some(postgres) => code_of_state(postgres.code()),
                None => code_of(database.code().as_deref().unwrap_or_default()),
            },
            sqlx::Error::Io(_) => "unreachable",
            _ => "broken",
        };
        StoreError::Unavailable { code, message: error.to_string() }
    }
}

impl From<sqlx::migrate::MigrateError> for StoreError {
    fn from(error: sqlx::migrate::MigrateError) -> StoreError {
        use sqlx::migrate::MigrateError;
        match error {
            MigrateError::Execute(error) => error.into(),
            MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_) | MigrateError::VersionTooNew(..) => {
                StoreError::Unavailable { code: "newer", message: error.to_string() }
            }
            _ => StoreError::Unavailable { code: "broken", message: error.to_string() },
        }
    }
}

/// From SQLite's extended result code; its last octet is the primary one.
fn code_of(extended: &str) -> &'static str {
    match extended.parse::<u32>().map(|code| code & 0xff) {
        Ok(5 | 6) => "locked",
        Ok(8 | 14) => "read_only",
        Ok(13) => "full",
        Ok(11 | 26) => "damaged",
        _ => "broken",
    }
}

/// From PostgreSQL's SQLSTATE, whose first two characters are the class (appendix A of its manual).
fn code_of_state(state: &str) -> &'static str {
    match state {
        "53100" => "full",
        "55P03" | "57014" | "40001" | "40P01" => "locked",
        "25006" => "read_only",
        "3D000" => "refused",
        _ => match state.get(..2).unwrap_or_default() {
            "28" => "refused",
            "08" | "57" | "53" => "unreachable",
            "XX" => "damaged",
            _ => "broken",
        },
    }
}

/// How long a statement waits for another program's lock.
const PATIENCE: Duration = Duration::from_secs(2);

/// The file in the data directory.
const FILE: &str = "pbx.db";

/// How many read at once.
const READERS: u32 = 4;

impl Db {
    /// Is there one? Who names a server has one.
    pub fn exists(url: &DatabaseUrl, data_dir: &Path) -> bool {
        match url {
            DatabaseUrl::Sqlite => data_dir.join(FILE).exists(),
            DatabaseUrl::Postgres(_) => true,
        }
    }

    /// Opens the database of a data directory, and brings it up to date.
    pub async fn open(url: &DatabaseUrl, data_dir: &Path) -> Result<Db, StoreError> {
        Db::open_patiently(url, data_dir, PATIENCE).await
    }

    /// The same, where a statement waits for so long.
    async fn open_patiently(url: &DatabaseUrl, data_dir: &Path, patience: Duration) -> Result<Db, StoreError> {
        let file = data_dir.join(FILE);
        if *url == DatabaseUrl::Sqlite {
            // It holds what registers a phone, so it is its owner's alone; SQLite's files beside it take after it.
            let mine = OpenOptions::new().create(true).append(true).mode(0o600).open(&file);
            mine.map_err(|error| StoreError::Unavailable { code: "read_only", message: error.to_string() })?;
        }
        let engine = Engine::new(url, &file, patience)?;
        let writer = Lane::new(engine.clone(), Role::Writer, 1, patience * 2);
        writer.take().await?.migrate().await?;
        let readers = Lane::new(engine, Role::Reader, READERS, patience * 2);
        let db = Db { writer, readers, folder: data_dir.into() };
        call_record::make_findable(&db).await?;
        aside::bring_back(&db).await?;
        Ok(db)
    }

    /// Waits until everything is on disk.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// What is found.
    async fn all(&self, query: Query) -> Result<Vec<Row>, StoreError> {
        Ok(self.readers.run(query).await?.rows)
    }

    /// The first that is found.
    async fn one(&self, query: Query) -> Result<Option<Row>, StoreError> {
        Ok(self.all(query).await?.into_iter().next())
    }

    /// Writes with one statement; how many rows it changed.
    async fn write(&self, query: Query) -> Result<u64, StoreError> {
        Ok(self.writer.run(query).await?.changed)
    }

    /// A transaction that writes: nothing of it is kept before its `commit`.
    async fn begin(&self) -> Result<Turn, StoreError> {
        self.writer.begin().await
    }
}

#[cfg(test)]
pub(crate) mod tests;
