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
    let said = |code, error: io::Error| StoreError::Unavailable { code, message: format!("{}: {error}", path.display()) };
    let octets = match tokio::fs::read(&path).await {
        Ok(octets) => octets,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(said("broken", error)),
    };
    let lines = octets.split(|octet| *octet == b'\n').filter(|line| !line.is_empty());
    let read: Vec<Option<CallRecord>> = lines.map(|line| serde_json::from_slice(line).ok()).collect();
    let whole = read.iter().all(Option::is_some);
    let records: Vec<CallRecord> = read.into_iter().flatten().collect();
    call_record::insert(db, &records).await?;
    let gone = if whole {
        tokio::fs::remove_file(&path).await
    } else {
        let mut kept = (1u32..).map(|number| path.with_extension(format!("{number}.part")));
        let kept = kept.find(|kept| !kept.exists()).unwrap_or_else(|| path.with_extension("part"));
        tracing::warn!(kept = %kept.display(), "of the call records put aside, some could not be read");
        tokio::fs::rename(&path, kept).await
    };
    gone.map_err(|error| said("read_only", error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::PATIENCE;
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
        }
    }

    #[tokio::test]
    async fn a_line_that_the_power_cut_short_costs_none_of_the_others_and_no_other_file() {
        for house in Place::both() {
            let aside = house.folder().join(ASIDE);
            // In the middle of a value, and of a letter.
            for (key, torn) in [(1, &b"{\"key\":9,"[..]), (2, b"{\"caller_name\":\"Zo\xc3")] {
                let line = serde_json::to_string(&record(key, "201", "202")).unwrap() + "\n";
                let lines = [torn, b"\n", line.as_bytes(), torn].concat();
                std::fs::write(&aside, &lines).unwrap();
                let db = house.open().await;
                assert_eq!(kept(&db).await as u64, key);
                db.close().await;
                assert!(!aside.exists());
                assert_eq!(std::fs::read(aside.with_extension(format!("{key}.part"))).unwrap(), lines);
            }
        }
    }

    #[tokio::test]
    async fn records_that_cannot_be_read_are_not_taken_for_none() {
        for house in Place::both() {
            std::fs::create_dir(house.folder().join(ASIDE)).unwrap();
            assert!(house.try_open(PATIENCE).await.is_err());
        }
    }

    async fn kept(db: &Db) -> usize {
        call_record::page(db, &call_record::Sought::default(), None, 100).await.unwrap().len()
    }
}
