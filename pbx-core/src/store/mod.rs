//! What a house remembers, in SQLite beside it. The only door to sqlx; plain functions over [`Db`], a file per table, in SQL that
//! PostgreSQL understands too. One writer; a transaction that writes says so when it begins.

pub mod administrator;
pub mod binding;
pub mod call_record;
pub mod dialplan;
pub mod extension;
pub mod house;

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use thiserror::Error;

/// The database.
#[derive(Clone)]
pub struct Db {
    writer: SqlitePool,
    readers: SqlitePool,
}

/// Why the store did not do it.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Something of that key exists.
    #[error("taken")]
    Taken,
    /// Locked, full or broken: nothing was changed.
    #[error("{0}")]
    Unavailable(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        match &error {
            sqlx::Error::Database(database) if database.is_unique_violation() => StoreError::Taken,
            _ => StoreError::Unavailable(error.to_string()),
        }
    }
}

impl From<sqlx::migrate::MigrateError> for StoreError {
    fn from(error: sqlx::migrate::MigrateError) -> StoreError {
        StoreError::Unavailable(error.to_string())
    }
}

/// How long a statement waits for another program's lock.
const PATIENCE: Duration = Duration::from_secs(5);

impl Db {
    /// Opens the database of a data directory, and brings it up to date.
    pub async fn open(data_dir: &Path) -> Result<Db, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(data_dir.join("pbx.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(PATIENCE);
        let pool = |most: u32| SqlitePoolOptions::new().max_connections(most).acquire_timeout(PATIENCE * 2);
        let writer = pool(1).connect_with(options.clone()).await?;
        sqlx::migrate!("../migrations/sqlite").run(&writer).await?;
        let readers = pool(4).connect_with(options.read_only(true)).await?;
        Ok(Db { writer, readers })
    }

    /// Waits until everything is on disk.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
