//! Call records that could not be written before the end of the house, beside the database until the next start.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use pbx_switch::call::CallRecord;

use crate::store::{Db, StoreError, call_record};

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
    call_record::insert(db, &records).await?;
    let gone =
        if whole { tokio::fs::remove_file(&path).await } else { tokio::fs::rename(&path, path.with_extension("part")).await };
    gone.map_err(|error| StoreError::Unavailable { code: "read_only", message: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::call_record::tests::record;
    use crate::store::tests::Place;

    #[tokio::test]
    async fn what_was_put_aside_is_there_after_the_next_start() {
        for house in Place::both() {
            let aside = house.folder().join(ASIDE);
            let records: Vec<CallRecord> = (1..=3).map(|key| record(key, "201", "202")).collect();
            let db = house.open().await;
            set_aside(&db, &records[..2]).await.unwrap();
            set_aside(&db, &records[2..]).await.unwrap();
            db.close().await;
            let db = house.open().await;
            assert_eq!(kept(&db).await, 3);
            assert!(!aside.exists());
            // A line that the power cut short costs none of the others.
            let lines = serde_json::to_string(&record(4, "201", "202")).unwrap() + "\n{\"key\":5,";
            std::fs::write(&aside, lines).unwrap();
            db.close().await;
            let db = house.open().await;
            assert_eq!(kept(&db).await, 4);
            assert!(!aside.exists());
        }
    }

    async fn kept(db: &Db) -> usize {
        call_record::page(db, &call_record::Sought::default(), None, 100).await.unwrap().len()
    }
}
