//! The two engines behind one set of words: a statement with its values, rows, a connection. `sqlx::Any` would do the same, but it
//! reads no BOOLEAN of SQLite and gives up the engines' own options.

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow, PgSslMode};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{Arguments, Connection as _, Database, Decode, Either, Encode, Executor, Postgres, Row as _, Sqlite, Type};

use crate::config::DatabaseUrl;
use crate::store::StoreError;

/// A statement and its values: the same text for both engines, places as `$1`.
pub(in crate::store) struct Query {
    text: &'static str,
    values: Vec<Value>,
}

/// What stands in a place. PostgreSQL asks for the type of nothing, too.
pub(in crate::store) enum Value {
    /// TEXT
    Text(Option<String>),
    /// BIGINT
    Integer(Option<i64>),
    /// BOOLEAN
    Boolean(bool),
}

/// A statement without values yet.
pub(in crate::store) fn query(text: &'static str) -> Query {
    Query { text, values: Vec::new() }
}

impl Query {
    /// The next place.
    pub fn bind(mut self, value: impl Into<Value>) -> Query {
        self.values.push(value.into());
        self
    }
}

impl From<&str> for Value {
    /// PostgreSQL keeps no NUL in a text, and a phone may write one: it is shown as what cannot be shown.
    fn from(text: &str) -> Value {
        Value::Text(Some(text.replace('\0', "\u{fffd}")))
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Value {
        text.as_str().into()
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        text.as_str().into()
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Value {
        text.map_or(Value::Text(None), Value::from)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Integer(Some(number))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Value {
        Value::Integer(number)
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Value {
        Value::Boolean(yes)
    }
}

/// A row of either engine.
pub(in crate::store) enum Row {
    /// SQLite's.
    Sqlite(SqliteRow),
    /// PostgreSQL's.
    Postgres(PgRow),
}

/// What can be read from a row of either engine.
pub(in crate::store) trait Column:
    for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>
{
}

impl<T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>> Column for T {}

impl Row {
    /// The value of a column, counted from 0.
    pub fn get<T: Column>(&self, place: usize) -> Result<T, StoreError> {
        let read = match self {
            Row::Sqlite(row) => row.try_get(place),
            Row::Postgres(row) => row.try_get(place),
        };
        Ok(read?)
    }
}

/// What a statement did.
#[derive(Default)]
pub(in crate::store) struct Done {
    /// What it found or returned.
    pub rows: Vec<Row>,
    /// Rows that it wrote or removed.
    pub changed: u64,
}

/// Which engine, and the way to it.
#[derive(Clone)]
pub(in crate::store) enum Engine {
    /// The file.
    Sqlite(SqliteConnectOptions),
    /// The server.
    Postgres(PgConnectOptions),
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Role {
    /// The one that writes.
    Writer,
    /// One of those that only read.
    Reader,
}

/// A connection of either engine.
pub(in crate::store) enum Connection {
    /// Its own thread.
    Sqlite(SqliteConnection),
    /// Its own process at the server.
    Postgres(PgConnection),
}

/// Whoever writes holds this advisory lock of the database, "pbx" in ASCII. It belongs to the connection, so what the connection
/// writes is written by the one who holds it, and it ends with the connection.
const HOLD: &str = "SELECT pg_advisory_lock(7365240)";

impl Engine {
    /// The way to a database; `patience` is how long a statement waits for another program's lock.
    pub fn new(url: &DatabaseUrl, file: &Path, patience: Duration) -> Result<Engine, StoreError> {
        match url {
            DatabaseUrl::Sqlite => Ok(Engine::Sqlite(
                SqliteConnectOptions::new()
                    .filename(file)
                    .journal_mode(SqliteJournalMode::Wal)
                    // A commit is on the disk and not merely on its way there: what was acknowledged outlives a power cut.
                    .synchronous(SqliteSynchronous::Full)
                    .foreign_keys(true)
                    .busy_timeout(patience),
            )),
            DatabaseUrl::Postgres(url) => {
                // What the reader of addresses says may quote the password.
                let options: PgConnectOptions =
                    url.parse().map_err(|_| StoreError::Unavailable { code: "url", message: "database.url".to_owned() })?;
                let encrypted = matches!(options.get_ssl_mode(), PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull);
                if encrypted {
                    return Err(StoreError::Unavailable { code: "url", message: "sslmode".to_owned() });
                }
                let patience = format!("{}ms", patience.as_millis());
                let options = options.ssl_mode(PgSslMode::Disable).application_name("pbx").options([
                    ("lock_timeout", patience.as_str()),
                    // A server that does not notice that we are gone would keep our lock.
                    ("tcp_keepalives_idle", "10"),
                    ("tcp_keepalives_interval", "5"),
                    ("tcp_keepalives_count", "3"),
                    ("tcp_user_timeout", "25000"),
                ]);
                Ok(Engine::Postgres(options))
            }
        }
    }

    /// A transaction that writes says so when it begins: SQLite refuses an upgrade to a lock in mid-transaction.
    pub fn begin(&self) -> Query {
        match self {
            Engine::Sqlite(_) => query("BEGIN IMMEDIATE"),
            Engine::Postgres(_) => query("BEGIN"),
        }
    }

    /// Opens a connection.
    pub async fn connect(&self, role: Role) -> Result<Connection, StoreError> {
        match (self, role) {
            (Engine::Sqlite(options), Role::Writer) => Ok(Connection::Sqlite(SqliteConnection::connect_with(options).await?)),
            (Engine::Sqlite(options), Role::Reader) => {
                Ok(Connection::Sqlite(SqliteConnection::connect_with(&options.clone().read_only(true)).await?))
            }
            (Engine::Postgres(options), Role::Writer) => {
                let mut connection = PgConnection::connect_with(options).await?;
                let held = connection.execute(HOLD).await;
                held.map_err(|error| match StoreError::from(error) {
                    StoreError::Unavailable { code: "locked", message } => StoreError::Unavailable { code: "held", message },
                    other => other,
                })?;
                Ok(Connection::Postgres(connection))
            }
            (Engine::Postgres(options), Role::Reader) => {
                let options = options.clone().options([("default_transaction_read_only", "on")]);
                Ok(Connection::Postgres(PgConnection::connect_with(&options).await?))
            }
        }
    }
}

impl Connection {
    /// Brings the tables up to date.
    pub async fn migrate(&mut self) -> Result<(), StoreError> {
        match self {
            Connection::Sqlite(connection) => sqlx::migrate!("../migrations/sqlite").run(connection).await?,
            Connection::Postgres(connection) => sqlx::migrate!("../migrations/postgres").run(connection).await?,
        }
        Ok(())
    }

    /// Carries a statement out.
    pub async fn run(&mut self, query: Query) -> Result<Done, sqlx::Error> {
        let Query { text, values } = query;
        match self {
            Connection::Sqlite(connection) => {
                let query = sqlx::query_with::<Sqlite, _>(text, arguments::<Sqlite>(values)?);
                done::<Sqlite>(connection.fetch_many(query), Row::Sqlite, |result| result.rows_affected()).await
            }
            Connection::Postgres(connection) => {
                let query = sqlx::query_with::<Postgres, _>(text, arguments::<Postgres>(values)?);
                done::<Postgres>(connection.fetch_many(query), Row::Postgres, |result| result.rows_affected()).await
            }
        }
    }

    /// Is somebody at the other end? A file always is.
    pub async fn answers(&mut self) -> bool {
        match self {
            Connection::Sqlite(_) => true,
            Connection::Postgres(connection) => connection.ping().await.is_ok(),
        }
    }

    /// Closes it in order.
    pub async fn close(self) -> Result<(), StoreError> {
        match self {
            Connection::Sqlite(connection) => connection.close().await?,
            Connection::Postgres(connection) => connection.close().await?,
        }
        Ok(())
    }
}

fn arguments<D: Database>(values: Vec<Value>) -> Result<D::Arguments, sqlx::Error>
where
    Option<String>: for<'q> Encode<'q, D> + Type<D>,
    Option<i64>: for<'q> Encode<'q, D> + Type<D>,
    bool: for<'q> Encode<'q, D> + Type<D>,
{
    let mut arguments = D::Arguments::default();
    for value in values {
        let added: Result<(), BoxDynError> = match value {
            Value::Text(text) => arguments.add(text),
            Value::Integer(number) => arguments.add(number),
            Value::Boolean(yes) => arguments.add(yes),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// What an engine answers, piece by piece.
type Answer<'a, D> = BoxStream<'a, Result<Either<<D as Database>::QueryResult, <D as Database>::Row>, sqlx::Error>>;

async fn done<D: Database>(
    mut stream: Answer<'_, D>,
    row: fn(D::Row) -> Row,
    changed: fn(&D::QueryResult) -> u64,
) -> Result<Done, sqlx::Error> {
    let mut done = Done::default();
    while let Some(next) = stream.next().await {
        match next? {
            Either::Left(result) => done.changed += changed(&result),
            Either::Right(found) => done.rows.push(row(found)),
        }
    }
    Ok(done)
}
