//! Connections and whose turn it is: one lane to write, one to read. A turn lasts a statement or a transaction. A connection that did
//! not answer, or was left in the middle of something, is not used again: the engine forgets what was not committed, and whoever comes
//! next opens another.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::store::StoreError;
use crate::store::engine::{Connection, Done, Engine, Query, Role, query};

/// How long one statement may take before the database is taken for dead; far longer than the slowest disk that works.
const ANSWER: Duration = Duration::from_secs(10);

/// How long the end waits for turns that have begun.
const LAST_TURNS: Duration = Duration::from_secs(5);

/// A lane.
pub(in crate::store) struct Lane {
    engine: Engine,
    role: Role,
    patience: Duration,
    most: u32,
    turns: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

/// A turn of somebody.
pub(in crate::store) struct Turn {
    lane: Arc<Lane>,
    connection: Option<Connection>,
    in_transaction: bool,
    _permit: OwnedSemaphorePermit,
}

impl Lane {
    /// A lane for so many at once, each of whom waits for a turn no longer than `patience`.
    pub fn new(engine: Engine, role: Role, most: u32, patience: Duration) -> Arc<Lane> {
        let turns = Arc::new(Semaphore::new(most as usize));
        Arc::new(Lane { engine, role, patience, most, turns, idle: Mutex::default() })
    }

    /// Waits for a turn, and opens a connection if none is idle.
    pub async fn take(self: &Arc<Lane>) -> Result<Turn, StoreError> {
        let permit = match timeout(self.patience, Arc::clone(&self.turns).acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(StoreError::broken("the database is closed")),
            Err(_) => return Err(self.silent("others wait before us", self.patience)),
        };
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let kept = match idle {
            // After a server's restart all that are idle are dead.
            Some(mut connection) => timeout(self.patience, connection.answers()).await.unwrap_or(false).then_some(connection),
            None => None,
        };
        let connection = match kept {
            Some(connection) => connection,
            None => timeout(self.patience * 2, self.engine.connect(self.role))
                .await
                .unwrap_or_else(|_| Err(self.silent("no connection", self.patience * 2)))?,
        };
        Ok(Turn { lane: Arc::clone(self), connection: Some(connection), in_transaction: false, _permit: permit })
    }

    /// A turn of one statement.
    pub async fn run(self: &Arc<Lane>, query: Query) -> Result<Done, StoreError> {
        self.take().await?.run(query).await
    }

    /// A transaction that writes.
    pub async fn begin(self: &Arc<Lane>) -> Result<Turn, StoreError> {
        let mut turn = self.take().await?;
        turn.in_transaction = true;
        turn.run(self.engine.begin()).await?;
        Ok(turn)
    }

    /// Closes it; turns that have begun end first.
    pub async fn close(&self) {
        let ended = timeout(LAST_TURNS, self.turns.acquire_many(self.most)).await;
        self.turns.close();
        drop(ended);
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for connection in idle {
            let _ = timeout(LAST_TURNS, connection.close()).await;
        }
    }

    /// Nothing was heard of the database for so long.
    fn silent(&self, what: &'static str, waited: Duration) -> StoreError {
        tracing::debug!(what, ?waited, "the database does not answer");
        let code = match self.engine {
            Engine::Sqlite(_) => "locked",
            Engine::Postgres(_) => "unreachable",
        };
        StoreError::Unavailable { code, message: String::new() }
    }
}

impl Turn {
    /// Carries a statement out.
    pub async fn run(&mut self, query: Query) -> Result<Done, StoreError> {
        let Some(mut connection) = self.connection.take() else {
            return Err(StoreError::broken("the connection broke off"));
        };
        match timeout(ANSWER, connection.run(query)).await {
            Ok(Ok(done)) => {
                self.connection = Some(connection);
                Ok(done)
            }
            Ok(Err(error)) => {
                // The database said no, and stands where it stood. Any other error is of the way to it.
                if matches!(error, sqlx::Error::Database(_)) {
                    self.connection = Some(connection);
                }
                Err(error.into())
            }
            Err(_) => Err(self.lane.silent("no answer", ANSWER)),
        }
    }

    /// Brings the tables up to date.
    pub async fn migrate(&mut self) -> Result<(), StoreError> {
        match &mut self.connection {
            Some(connection) => connection.migrate().await,
            None => Err(StoreError::broken("the connection broke off")),
        }
    }

    /// All of it is kept from now on; without this, none.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        self.run(query("COMMIT")).await?;
        self.in_transaction = false;
        Ok(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !self.in_transaction
            && !self.lane.turns.is_closed()
        {
            self.lane.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}
