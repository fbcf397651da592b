//! What a house remembers, in SQLite beside it. The only door to sqlx; plain functions over [`Db`], a file per table, in SQL that
//! PostgreSQL understands too. One writer; a transaction that writes says so when it begins.

pub mod administrator;
pub mod binding;
pub mod call_record;
pub mod dialplan;
pub mod extension;
pub mod house;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use thiserror::Error;

/// The database.
#[derive(Clone)]
pub struct Db {
    writer: SqlitePool,
    readers: SqlitePool,
    folder: Arc<Path>,
}

/// Why the store did not do it.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Something of that key exists.
    #[error("taken")]
    Taken,
    /// Nothing was changed.
    #[error("{message}")]
    Unavailable {
        /// The catalogue has a sentence for each: `store.<code>`.
        code: &'static str,
        /// What the database said.
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

    /// Something is kept that this program does not understand.
    fn broken(message: impl Into<String>) -> StoreError {
        StoreError::Unavailable { code: "broken", message: message.into() }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        let code = match &error {
            sqlx::Error::Database(database) if database.is_unique_violation() => return StoreError::Taken,
            sqlx::Error::Database(database) => code_of(database.code().as_deref().unwrap_or_default()),
            // Somebody before us waits for the lock.
            sqlx::Error::PoolTimedOut => "locked",
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
            _ => StoreError::broken(error.to_string()),
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

/// How long a statement waits for another program's lock.
const PATIENCE: Duration = Duration::from_secs(2);

/// The file in the data directory.
const FILE: &str = "pbx.db";

impl Db {
    /// Is there one in a data directory?
    pub fn exists(data_dir: &Path) -> bool {
        data_dir.join(FILE).exists()
    }

    /// Opens the database of a data directory, and brings it up to date.
    pub async fn open(data_dir: &Path) -> Result<Db, StoreError> {
        Db::open_patiently(data_dir, PATIENCE).await
    }

    /// The same, where a statement waits for so long.
    async fn open_patiently(data_dir: &Path, patience: Duration) -> Result<Db, StoreError> {
        let file = data_dir.join(FILE);
        // It holds what registers a phone, so it is its owner's alone; SQLite's files beside it take after it.
        let mine = OpenOptions::new().create(true).append(true).mode(0o600).open(&file);
        mine.map_err(|error| StoreError::Unavailable { code: "read_only", message: error.to_string() })?;
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(patience);
        let pool = |most: u32| SqlitePoolOptions::new().max_connections(most).acquire_timeout(patience * 2);
        let writer = pool(1).connect_with(options.clone()).await?;
        sqlx::migrate!("../migrations/sqlite").run(&writer).await?;
        let readers = pool(4).connect_with(options.read_only(true)).await?;
        let db = Db { writer, readers, folder: data_dir.into() };
        call_record::bring_back(&db).await?;
        Ok(db)
    }

    /// Waits until everything is on disk.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use pbx_switch::registrar::BindingChange;
    use sqlx::Connection;

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
        let held = hold(folder.path()).await;
        let binding = binding::tests::binding("201", "sip:201@192.0.2.1");
        let refused = binding::commit(&db, &[BindingChange::Put(binding.clone())]).await.unwrap_err();
        assert_eq!(refused.code(), "locked");
        assert_eq!(dialplan::insert(&db, "", "a", "b", 1).await.unwrap_err().code(), "locked");
        assert_eq!(binding::all(&db).await.unwrap(), []);
        held.let_go().await;
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
        assert_eq!(Db::open(folder.path()).await.err().map(|error| error.code()), Some("damaged"));
    }

    #[tokio::test]
    async fn a_store_of_a_newer_program_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path()).await.unwrap();
        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'x', TRUE, 'x', 1)";
        sqlx::query(newer).execute(&db.writer).await.unwrap();
        db.close().await;
        assert_eq!(Db::open(folder.path()).await.err().map(|error| error.code()), Some("newer"));
    }

    /// The database of a folder as another program holds it.
    pub struct Holder(sqlx::sqlite::SqliteConnection);

    impl Holder {
        /// It lets go.
        pub async fn let_go(self) {
            self.0.close().await.unwrap();
        }
    }

    /// Holds it.
    pub async fn hold(folder: &Path) -> Holder {
        let options = SqliteConnectOptions::new().filename(folder.join(FILE));
        let mut connection = sqlx::sqlite::SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
        Holder(connection)
    }

    #[tokio::test]
    async fn its_files_are_their_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path()).await.unwrap();
        house::drawn(&db, "realm", || "x".to_owned()).await.unwrap();
        for entry in std::fs::read_dir(folder.path()).unwrap().flatten() {
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.file_name());
        }
    }
}
