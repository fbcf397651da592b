//! Call records.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use pbx_switch::call::CallRecord;
use sqlx::{Connection, Row};

use crate::store::{Db, StoreError};

/// Keeps records; one that is there already stays as it is, so that a batch can be tried again.
pub async fn insert(db: &Db, records: &[CallRecord]) -> Result<(), StoreError> {
    let mut connection = db.writer.acquire().await?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for record in records {
        sqlx::query(
            "INSERT INTO call_record (call_key, started_at, caller, dialled, outcome, record) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (call_key) DO NOTHING",
        )
        .bind(i64::try_from(record.key.0).unwrap_or(i64::MAX))
        .bind(record.started.0)
        .bind(&record.caller)
        .bind(&record.dialled)
        .bind(record.outcome.code())
        .bind(serde_json::to_string(record).unwrap_or_default())
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Where records wait that could not be written before the end of the house; a line of JSON each.
const ASIDE: &str = "unwritten_records.jsonl";

/// Puts records aside, on disk, for the next start.
pub async fn set_aside(db: &Db, records: &[CallRecord]) -> Result<(), StoreError> {
    let path = db.folder.join(ASIDE);
    let lines: String = records.iter().filter_map(|record| serde_json::to_string(record).ok()).map(|line| line + "\n").collect();
    let write = move || {
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        file.write_all(lines.as_bytes())?;
        file.sync_all()
    };
    let written = tokio::task::spawn_blocking(write).await.map_err(io::Error::from).flatten();
    written.map_err(|error| StoreError::Unavailable { code: "broken", message: error.to_string() })
}

/// Brings back what was put aside. A line that cannot be read was being written when the power went; its file is kept beside.
pub(in crate::store) async fn bring_back(db: &Db) -> Result<(), StoreError> {
    let path = db.folder.join(ASIDE);
    let Ok(lines) = tokio::fs::read_to_string(&path).await else { return Ok(()) };
    let read: Vec<Option<CallRecord>> = lines.lines().map(|line| serde_json::from_str(line).ok()).collect();
    let whole = read.iter().all(Option::is_some);
    let records: Vec<CallRecord> = read.into_iter().flatten().collect();
    insert(db, &records).await?;
    let gone =
        if whole { tokio::fs::remove_file(&path).await } else { tokio::fs::rename(&path, path.with_extension("part")).await };
    gone.map_err(|error| StoreError::Unavailable { code: "read_only", message: error.to_string() })
}

/// The newest before a key, at most so many, whose caller or dialled number holds `part`.
pub async fn page(db: &Db, before: Option<i64>, part: &str, limit: i64) -> Result<Vec<CallRecord>, StoreError> {
    let query = "SELECT record FROM call_record WHERE call_key < $1 AND (caller LIKE $2 OR dialled LIKE $2) ORDER BY call_key DESC LIMIT $3";
    let like = format!("%{}%", part.replace(['%', '_'], ""));
    let rows = sqlx::query(query).bind(before.unwrap_or(i64::MAX)).bind(like).bind(limit).fetch_all(&db.readers).await?;
    Ok(rows.into_iter().filter_map(|row| serde_json::from_str(row.get::<&str, _>(0)).ok()).collect())
}

/// One.
pub async fn get(db: &Db, key: i64) -> Result<Option<CallRecord>, StoreError> {
    let row = sqlx::query("SELECT record FROM call_record WHERE call_key = $1").bind(key).fetch_optional(&db.readers).await?;
    Ok(row.and_then(|row| serde_json::from_str(row.get::<&str, _>(0)).ok()))
}

#[cfg(test)]
pub(crate) mod tests {
    use pbx_sip::clock::Wall;
    use pbx_switch::call::{CallKey, Outcome, Refusal};
    use pbx_switch::dialplan::{Step, Trace};

    use super::*;

    #[tokio::test]
    async fn records_are_kept_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path()).await.unwrap();
        let records: Vec<CallRecord> =
            (1..=5).map(|key| record(key, "201", if key % 2 == 0 { "202" } else { "0199001234" })).collect();
        insert(&db, &records[..3]).await.unwrap();
        // As after a batch that failed half way.
        insert(&db, &records).await.unwrap();
        let keys = |found: Vec<CallRecord>| found.iter().map(|record| record.key.0).collect::<Vec<_>>();
        assert_eq!(keys(page(&db, None, "", 2).await.unwrap()), [5, 4]);
        assert_eq!(keys(page(&db, Some(4), "", 10).await.unwrap()), [3, 2, 1]);
        assert_eq!(keys(page(&db, None, "0199", 10).await.unwrap()), [5, 3, 1]);
        assert_eq!(keys(page(&db, None, "%' OR 1=1 --", 10).await.unwrap()), [] as [u64; 0]);
        assert_eq!(get(&db, 3).await.unwrap().as_ref(), Some(&records[2]));
        assert_eq!(get(&db, 6).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_was_put_aside_is_there_after_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let records: Vec<CallRecord> = (1..=3).map(|key| record(key, "201", "202")).collect();
        let db = Db::open(folder.path()).await.unwrap();
        set_aside(&db, &records[..2]).await.unwrap();
        set_aside(&db, &records[2..]).await.unwrap();
        db.close().await;
        let db = Db::open(folder.path()).await.unwrap();
        assert_eq!(page(&db, None, "", 10).await.unwrap().len(), 3);
        assert!(!folder.path().join(ASIDE).exists());
        // A line that the power cut short costs none of the others.
        std::fs::write(folder.path().join(ASIDE), serde_json::to_string(&record(4, "201", "202")).unwrap() + "\n{\"key\":5,")
            .unwrap();
        db.close().await;
        let db = Db::open(folder.path()).await.unwrap();
        assert_eq!(page(&db, None, "", 10).await.unwrap().len(), 4);
        assert!(!folder.path().join(ASIDE).exists());
    }

    /// A call that was refused.
    pub fn record(key: u64, caller: &str, dialled: &str) -> CallRecord {
        CallRecord {
            key: CallKey(key),
            started: Wall(1),
            answered: None,
            ended: Wall(2),
            caller: caller.to_owned(),
            caller_name: "Accueil".to_owned(),
            dialled: dialled.to_owned(),
            outcome: Outcome::Refused(Refusal::NoOutsideLine),
            legs: Vec::new(),
            codec: None,
            trace: Trace { steps: vec![Step::NoRule, Step::Turned { at: Wall(1), why: "no_outside_line".to_owned() }] },
            plan_revision: 1,
        }
    }
}
