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
        Db::open_patiently(data_dir, PATIENCE).await
    }

    /// The same, where a statement waits for so long.
    async fn open_patiently(data_dir: &Path, patience: Duration) -> Result<Db, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(data_dir.join("pbx.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(patience);
        let pool = |most: u32| SqlitePoolOptions::new().max_connections(most).acquire_timeout(patience * 2);
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

#[cfg(test)]
mod tests {
    use pbx_switch::registrar::BindingChange;

    use super::*;

    #[tokio::test]
    async fn a_store_that_is_opened_twice_keeps_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path()).await.unwrap();
        let realm = house::drawn(&db, "realm", || "first".to_owned()).await.unwrap();
        assert_eq!(house::drawn(&db, "realm", || "second".to_owned()).await.unwrap(), realm);
        db.close().await;
        let db = Db::open(folder.path()).await.unwrap();
        assert_eq!(house::drawn(&db, "realm", || "third".to_owned()).await.unwrap(), "first");
        assert_eq!(house::sites(&db).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn what_was_committed_is_there_though_nothing_was_closed() {
        let folder = tempfile::tempdir().unwrap();
        let killed = Db::open(folder.path()).await.unwrap();
        let binding = binding::tests::binding("201", "sip:201@192.0.2.1");
        binding::commit(&killed, &[BindingChange::Put(binding.clone())]).await.unwrap();
        // The first is never closed: its write-ahead log is as a kill leaves it.
        let copy = tempfile::tempdir().unwrap();
        for name in ["pbx.db", "pbx.db-wal"] {
            std::fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
        }
        let db = Db::open(copy.path()).await.unwrap();
        assert_eq!(binding::all(&db).await.unwrap(), [binding]);
    }

    #[tokio::test]
    async fn a_locked_database_says_so_and_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open_patiently(folder.path(), Duration::from_millis(30)).await.unwrap();
        let other = Db::open(folder.path()).await.unwrap();
        let mut holder = other.writer.acquire().await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut *holder).await.unwrap();
        let binding = binding::tests::binding("201", "sip:201@192.0.2.1");
        assert!(matches!(binding::commit(&db, &[BindingChange::Put(binding.clone())]).await, Err(StoreError::Unavailable(_))));
        assert!(matches!(dialplan::insert(&db, "", "a", "b", 1).await, Err(StoreError::Unavailable(_))));
        assert_eq!(binding::all(&db).await.unwrap(), []);
        sqlx::query("ROLLBACK").execute(&mut *holder).await.unwrap();
        binding::commit(&db, &[BindingChange::Put(binding)]).await.unwrap();
        assert_eq!(binding::all(&db).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("pbx.db"),
            "a shopping list, and long enough to be read as a header of something else ".repeat(4),
        )
        .unwrap();
        assert!(matches!(Db::open(folder.path()).await, Err(StoreError::Unavailable(_))));
    }
}
