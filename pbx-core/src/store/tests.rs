//! The store on both engines; and what other rooms' tests need of it.

use std::collections::BTreeSet;

use pbx_switch::action::Kept;
use pbx_switch::registrar::BindingChange;
use postgres_of_tests::Server;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;

use super::*;

/// Where a database can be: in a folder, or at a server.
pub struct Place {
    folder: TempDir,
    url: DatabaseUrl,
    _server: Option<Server>,
}

impl Place {
    /// A new one of each engine.
    pub fn both() -> [Place; 2] {
        let server = Server::shared();
        let url = DatabaseUrl::Postgres(server.database());
        [Place::sqlite(), Place { folder: tempfile::tempdir().unwrap(), url, _server: Some(server) }]
    }

    fn sqlite() -> Place {
        Place { folder: tempfile::tempdir().unwrap(), url: DatabaseUrl::Sqlite, _server: None }
    }

    /// Its data directory.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Opens it.
    pub async fn open(&self) -> Db {
        self.try_open(PATIENCE).await.unwrap()
    }

    /// The same, where a statement waits for so long, and it may not open.
    pub async fn try_open(&self, patience: Duration) -> Result<Db, StoreError> {
        Db::open_patiently(&self.url, self.folder(), patience).await
    }
}

#[tokio::test]
async fn a_store_that_is_opened_twice_keeps_what_it_has() {
    for place in Place::both() {
        let db = place.open().await;
        let realm = house::drawn(&db, "realm", || "first".to_owned()).await.unwrap();
        assert_eq!(house::drawn(&db, "realm", || "second".to_owned()).await.unwrap(), realm);
        db.close().await;
        let db = place.open().await;
        assert_eq!(house::drawn(&db, "realm", || "third".to_owned()).await.unwrap(), "first");
        assert_eq!(house::sites(&db).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn the_engines_describe_the_same_tables() {
    let files = |folder: &str| -> BTreeSet<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(folder);
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    assert_eq!(files("sqlite"), files("postgres"));
    let [sqlite, postgres] = Place::both();
    let (sqlite, postgres) = (sqlite.open().await, postgres.open().await);
    let described = async |db: &Db, statements: [&'static str; 4]| {
        let mut facts = BTreeSet::new();
        for statement in statements {
            facts.extend(db.all(query(statement)).await.unwrap().iter().map(|row| row.get::<String>(0).unwrap()));
        }
        facts
    };
    let (ours, theirs) = (described(&sqlite, SQLITE).await, described(&postgres, POSTGRES).await);
    assert_eq!(ours, theirs);
    for fact in [
        "extension.enabled BOOLEAN NOT NULL",
        "extension.email TEXT",
        "binding PRIMARY KEY (aor, contact)",
        "extension FOREIGN KEY (site_key) REFERENCES site(site_key)",
        "call_record INDEX call_record_search (started_at, call_key, outcome, answered_at, caller, dialled, callee, caller_name)",
    ] {
        assert!(ours.contains(fact), "{fact} is missing: {ours:#?}");
    }
    let sites = async |db: &Db| format!("{:?}", house::sites(db).await.unwrap());
    assert_eq!(sites(&sqlite).await, sites(&postgres).await);
}

/// Columns; primary keys and other unique ones; foreign keys; indexes, and how many CHECKs a table has.
const SQLITE: [&str; 4] = [
    "SELECT t.name || '.' || c.name || ' ' || c.type || CASE WHEN c.\"notnull\" = 1 OR c.pk > 0 THEN ' NOT NULL' ELSE '' END \
     || CASE WHEN c.dflt_value IS NULL THEN '' ELSE ' DEFAULT' END \
     FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name <> '_sqlx_migrations'",
    "SELECT t.name || CASE i.origin WHEN 'pk' THEN ' PRIMARY KEY (' ELSE ' UNIQUE (' END \
     || (SELECT group_concat(name, ', ') FROM pragma_index_info(i.name)) || ')' \
     FROM sqlite_master t JOIN pragma_index_list(t.name) i \
     WHERE t.type = 'table' AND t.name <> '_sqlx_migrations' AND i.origin IN ('pk', 'u')",
    "SELECT t.name || ' FOREIGN KEY (' || group_concat(f.\"from\", ', ') || ') REFERENCES ' || f.\"table\" || '(' \
     || group_concat(f.\"to\", ', ') || ')' || CASE f.on_delete WHEN 'NO ACTION' THEN '' ELSE ' ON DELETE ' || f.on_delete END \
     FROM sqlite_master t JOIN pragma_foreign_key_list(t.name) f WHERE t.type = 'table' GROUP BY t.name, f.id",
    "SELECT t.name || ' INDEX ' || i.name || ' (' || (SELECT group_concat(name, ', ') FROM pragma_index_info(i.name)) || ')' \
     FROM sqlite_master t JOIN pragma_index_list(t.name) i WHERE t.type = 'table' AND i.origin = 'c' \
     UNION ALL SELECT name || ' CHECKS ' || (length(sql) - length(replace(sql, 'CHECK (', ''))) / 7 \
     FROM sqlite_master WHERE type = 'table' AND sql LIKE '%CHECK (%'",
];

/// The same, as PostgreSQL tells it.
const POSTGRES: [&str; 4] = [
    "SELECT table_name || '.' || column_name || ' ' || upper(data_type) || CASE is_nullable WHEN 'NO' THEN ' NOT NULL' ELSE '' END \
     || CASE WHEN column_default IS NULL THEN '' ELSE ' DEFAULT' END \
     FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'",
    "SELECT conrelid::regclass::text || ' ' || pg_get_constraintdef(oid) FROM pg_constraint \
     WHERE contype IN ('p', 'u') AND connamespace = 'public'::regnamespace AND conrelid::regclass::text <> '_sqlx_migrations'",
    "SELECT conrelid::regclass::text || ' ' || pg_get_constraintdef(oid) FROM pg_constraint \
     WHERE contype = 'f' AND connamespace = 'public'::regnamespace",
    "SELECT tablename || ' INDEX ' || indexname || ' (' || substring(indexdef from '\\((.*)\\)') || ')' FROM pg_indexes \
     WHERE schemaname = 'public' AND indexname NOT IN (SELECT conname FROM pg_constraint) \
     UNION ALL SELECT conrelid::regclass::text || ' CHECKS ' || count(*) FROM pg_constraint \
     WHERE contype = 'c' AND connamespace = 'public'::regnamespace GROUP BY conrelid",
];

#[tokio::test]
async fn what_was_committed_is_there_though_nothing_was_closed() {
    let place = Place::sqlite();
    let killed = place.open().await;
    let binding = binding::tests::binding("201", "sip:201@192.0.2.1");
    kept::commit(&killed, &[BindingChange::Put(binding.clone()).into()]).await.unwrap();
    // The first is never closed: its write-ahead log is as a kill leaves it.
    let copy = Place::sqlite();
    for name in ["pbx.db", "pbx.db-wal"] {
        std::fs::copy(place.folder().join(name), copy.folder().join(name)).unwrap();
    }
    assert_eq!(binding::all(&copy.open().await).await.unwrap(), [binding]);
}

#[tokio::test]
async fn a_commit_of_sqlite_waits_for_the_disk() {
    let db = Place::sqlite().open().await;
    let set = db.writer.run(query("SELECT synchronous FROM pragma_synchronous")).await.unwrap();
    assert_eq!(set.rows[0].get::<i64>(0).unwrap(), 2, "FULL");
}

#[tokio::test]
async fn a_locked_database_says_so_and_can_be_read() {
    let place = Place::sqlite();
    let db = place.try_open(Duration::from_millis(30)).await.unwrap();
    let held = hold(place.folder()).await;
    let binding = binding::tests::binding("201", "sip:201@192.0.2.1");
    let refused = kept::commit(&db, &[BindingChange::Put(binding.clone()).into()]).await.unwrap_err();
    assert_eq!(refused.code(), "locked");
    assert_eq!(dialplan::insert(&db, "", "a", "b", 1).await.unwrap_err().code(), "locked");
    assert_eq!(binding::all(&db).await.unwrap(), []);
    held.let_go().await;
    kept::commit(&db, &[BindingChange::Put(binding).into()]).await.unwrap();
    assert_eq!(binding::all(&db).await.unwrap().len(), 1);
}

#[tokio::test]
async fn one_at_a_time_works_with_a_server() {
    let [_, place] = Place::both();
    let first = place.open().await;
    assert_eq!(place.try_open(Duration::from_millis(50)).await.err().map(|error| error.code()), Some("held"));
    house::drawn(&first, "realm", || "first".to_owned()).await.unwrap();
    first.close().await;
    let second = place.open().await;
    assert_eq!(house::drawn(&second, "realm", || "second".to_owned()).await.unwrap(), "first");
}

#[tokio::test]
async fn what_is_left_in_the_middle_is_forgotten_and_holds_up_nobody() {
    for place in Place::both() {
        let db = place.open().await;
        for _ in 0..20 {
            let mut left = db.begin().await.unwrap();
            left.run(query("INSERT INTO house (name, value) VALUES ('realm', 'left')")).await.unwrap();
            drop(left);
            // Taken: a statement that is refused in the middle leaves nothing either.
            let mut refused = db.begin().await.unwrap();
            let twice = "INSERT INTO house (name, value) VALUES ('realm', 'a'), ('realm', 'b')";
            assert!(matches!(refused.run(query(twice)).await, Err(StoreError::Taken)));
        }
        assert_eq!(house::drawn(&db, "realm", || "drawn".to_owned()).await.unwrap(), "drawn");
    }
}

#[tokio::test]
async fn a_server_that_stands_still_or_goes_away_is_told_and_taken_up_again() {
    let server = Server::own();
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Postgres(server.database());
    let db = Db::open_patiently(&url, folder.path(), Duration::from_millis(100)).await.unwrap();
    let put = |contact: &str| [Kept::from(BindingChange::Put(binding::tests::binding("201", contact)))];
    kept::commit(&db, &put("sip:201@192.0.2.1")).await.unwrap();
    server.freeze();
    let silent = kept::commit(&db, &put("sip:201@192.0.2.2")).await.unwrap_err();
    assert_eq!(silent.code(), "unreachable", "{silent}");
    assert_eq!(binding::all(&db).await.unwrap_err().code(), "unreachable");
    server.thaw();
    persist(async || kept::commit(&db, &put("sip:201@192.0.2.2")).await).await;
    server.halt();
    let gone = kept::commit(&db, &put("sip:201@192.0.2.3")).await.unwrap_err();
    assert_eq!(gone.code(), "unreachable", "{gone}");
    server.resume();
    persist(async || kept::commit(&db, &put("sip:201@192.0.2.3")).await).await;
    assert_eq!(binding::all(&db).await.unwrap().len(), 3);
}

/// Tries until it succeeds.
async fn persist(mut attempt: impl AsyncFnMut() -> Result<(), StoreError>) {
    for _ in 0..100 {
        if attempt().await.is_ok() {
            return;
        }
    }
    attempt().await.unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_let_us_in_is_told_without_the_password() {
    let [_, place] = Place::both();
    let DatabaseUrl::Postgres(good) = &place.url else { panic!("the second is a server") };
    for (url, code) in [
        (good.replace("/pbx_", "/nobody:_"), "refused"),
        (good.replace("postgres@", "nobody:a-password@"), "refused"),
        ("postgres://pbx:a-password@127.0.0.1:1/pbx".to_owned(), "unreachable"),
        ("postgres://pbx:a-password@[::1/pbx".to_owned(), "url"),
        ("postgres://pbx:a-password@127.0.0.1/pbx?sslmode=require".to_owned(), "url"),
    ] {
        let refused = Db::open(&DatabaseUrl::Postgres(url), place.folder()).await.err().unwrap();
        assert_eq!(refused.code(), code, "{refused}");
        assert!(!format!("{refused} {refused:?}").contains("a-password"), "{refused}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let place = Place::sqlite();
    let list = "a shopping list, and long enough to be read as a header of something else ".repeat(4);
    std::fs::write(place.folder().join("pbx.db"), list).unwrap();
    assert_eq!(place.try_open(PATIENCE).await.err().map(|error| error.code()), Some("damaged"));
}

#[tokio::test]
async fn a_store_of_a_newer_program_is_left_alone() {
    for place in Place::both() {
        let db = place.open().await;
        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     SELECT 9999, 'x', success, checksum, 1 FROM _sqlx_migrations WHERE version = 1";
        db.write(query(newer)).await.unwrap();
        db.close().await;
        assert_eq!(place.try_open(PATIENCE).await.err().map(|error| error.code()), Some("newer"));
    }
}

/// The database of a folder as another program holds it.
pub struct Holder(SqliteConnection);

impl Holder {
    /// It lets go.
    pub async fn let_go(self) {
        self.0.close().await.unwrap();
    }
}

/// Holds it.
pub async fn hold(folder: &Path) -> Holder {
    let options = SqliteConnectOptions::new().filename(folder.join(FILE));
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
    Holder(connection)
}

#[tokio::test]
async fn its_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::sqlite();
    let db = place.open().await;
    house::drawn(&db, "realm", || "x".to_owned()).await.unwrap();
    for entry in std::fs::read_dir(place.folder()).unwrap().flatten() {
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.file_name());
    }
}
