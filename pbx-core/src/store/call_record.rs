//! Call records.

use pbx_sip::clock::Wall;
use pbx_switch::call::CallRecord;

use crate::store::{Db, Query, Row, StoreError, query};

/// Keeps records; one that is there already stays as it is, so that a batch can be tried again.
pub async fn insert(db: &Db, records: &[CallRecord]) -> Result<(), StoreError> {
    let mut transaction = db.begin().await?;
    for record in records {
        let insert = query(
            "INSERT INTO call_record \
             (call_key, started_at, caller, dialled, outcome, record, answered_at, caller_name, callee) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (call_key) DO NOTHING",
        )
        .bind(i64::try_from(record.key.0).unwrap_or(i64::MAX))
        .bind(record.started.0)
        .bind(sought_by(&record.caller))
        .bind(sought_by(&record.dialled))
        .bind(record.outcome.code())
        .bind(serde_json::to_string(record).unwrap_or_default())
        .bind(record.answered.map(|at| at.0))
        .bind(sought_by(&record.caller_name))
        .bind(sought_by(record.callee().map_or("", |leg| leg.party.as_str())));
        transaction.run(insert).await?;
    }
    transaction.commit().await
}

/// What a search looks at: without capitals, letter by letter, because SQLite knows those of ASCII alone and PostgreSQL those of the
/// server's locale; by way of the capitals, which both small sigmas share. And the beginning of it: PostgreSQL's index takes no more
/// than 2,700 octets for all of it, and anybody may dial a long name. The record itself is as it was, and whole.
fn sought_by(text: &str) -> String {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).take(120).collect()
}

/// Where, among the values of the house, it stands how far [`make_findable`] came: a key, or that it is done.
const FINDABLE: &str = "call_records_findable_to";

/// As the value of that.
const ALL: &str = "all";

/// Rows looked at in one transaction.
const BATCH: i64 = 1_000;

/// Once: what was written when a search looked at names and numbers as they were spelt is written as it looks at them now.
pub(in crate::store) async fn make_findable(db: &Db) -> Result<(), StoreError> {
    loop {
        let known = db.one(query("SELECT value FROM house WHERE name = $1").bind(FINDABLE)).await?;
        let known: String = known.map_or(Ok(String::new()), |row| row.get(0))?;
        if known == ALL {
            return Ok(());
        }
        let select = "SELECT call_key, caller, dialled, caller_name, callee FROM call_record WHERE call_key > $1 \
                      ORDER BY call_key LIMIT $2";
        let rows = db.all(query(select).bind(known.parse().unwrap_or(i64::MIN)).bind(BATCH)).await?;
        let mut transaction = db.begin().await?;
        let mut reached = ALL.to_owned();
        for row in &rows {
            let key: i64 = row.get(0)?;
            let was: [String; 4] = [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
            let is = was.each_ref().map(|text| sought_by(text));
            if is != was {
                let update = "UPDATE call_record SET caller = $2, dialled = $3, caller_name = $4, callee = $5 WHERE call_key = $1";
                transaction.run(is.into_iter().fold(query(update).bind(key), Query::bind)).await?;
            }
            reached = key.to_string();
        }
        let note = "INSERT INTO house (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        transaction.run(query(note).bind(FINDABLE).bind(reached)).await?;
        transaction.commit().await?;
    }
}

/// Which records; every part narrows it, the default is all.
#[derive(Clone, Debug, Default)]
pub struct Sought {
    /// Begun then or later.
    pub from: Option<Wall>,
    /// Begun before.
    pub until: Option<Wall>,
    /// The code of how they came out; empty for any.
    pub outcome: String,
    /// An extension or number that called, was dialled or was rung; empty for any.
    pub party: String,
    /// Somebody answered, or nobody did.
    pub answered: Option<bool>,
    /// Part of a number or of the caller's name; empty for any.
    pub part: String,
}

/// Where a page ends: the last record of it, the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// When it began.
    pub started: Wall,
    /// Which.
    pub key: i64,
}

impl Place {
    /// Of a record.
    pub fn of(record: &CallRecord) -> Place {
        Place { started: record.started, key: i64::try_from(record.key.0).unwrap_or(i64::MAX) }
    }
}

/// The newest before a place, at most so many.
pub async fn page(db: &Db, sought: &Sought, before: Option<Place>, limit: i64) -> Result<Vec<CallRecord>, StoreError> {
    // The search reads its index alone; records are read for those that are found.
    let select = "SELECT record FROM call_record WHERE call_key IN ( \
                   SELECT call_key FROM call_record \
                   WHERE (started_at, call_key) < ($1, $2) AND started_at >= $3 \
                     AND ($4 = '' OR outcome = $4) \
                     AND ($5 = '' OR caller = $5 OR dialled = $5 OR callee = $5) \
                     AND ($6 = '' OR ($6 = 'yes') = (answered_at IS NOT NULL)) \
                     AND ($7 = '%%' OR caller LIKE $7 OR dialled LIKE $7 OR callee LIKE $7 OR caller_name LIKE $7) \
                   ORDER BY started_at DESC, call_key DESC LIMIT $8) \
                 ORDER BY started_at DESC, call_key DESC";
    let end = Place { started: sought.until.unwrap_or(Wall(i64::MAX)), key: i64::MIN };
    let before = before.filter(|place| place.started < end.started).unwrap_or(end);
    let answered = sought.answered.map_or("", |answered| if answered { "yes" } else { "no" });
    let select = query(select)
        .bind(before.started.0)
        .bind(before.key)
        .bind(sought.from.map_or(i64::MIN, |from| from.0))
        .bind(&sought.outcome)
        .bind(sought_by(&sought.party))
        .bind(answered)
        .bind(format!("%{}%", sought_by(&sought.part.replace(['%', '_', '\\'], ""))))
        .bind(limit);
    Ok(db.all(select).await?.iter().filter_map(read).collect())
}

/// One.
pub async fn get(db: &Db, key: i64) -> Result<Option<CallRecord>, StoreError> {
    let row = db.one(query("SELECT record FROM call_record WHERE call_key = $1").bind(key)).await?;
    Ok(row.as_ref().and_then(read))
}

fn read(row: &Row) -> Option<CallRecord> {
    serde_json::from_str(&row.get::<String>(0).ok()?).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use pbx_switch::call::{CallKey, Figures, LegRecord, Outcome, Refusal};
    use pbx_switch::dialplan::{Step, Trace};

    use super::*;
    use crate::store::tests::Place as HousePlace;

    #[tokio::test]
    async fn records_are_kept_once_and_found_again() {
        for house in HousePlace::both() {
            let db = house.open().await;
            let records: Vec<CallRecord> =
                (1..=5).map(|key| record(key, "201", if key % 2 == 0 { "202" } else { "0199001234" })).collect();
            insert(&db, &records[..3]).await.unwrap();
            // As after a batch that failed half way.
            insert(&db, &records).await.unwrap();
            assert_eq!(keys(&db, &Sought::default(), None).await, [5, 4, 3, 2, 1]);
            assert_eq!(page(&db, &Sought::default(), None, 2).await.unwrap().len(), 2);
            assert_eq!(keys(&db, &Sought::default(), Some(Place::of(&records[3]))).await, [3, 2, 1]);
            assert_eq!(get(&db, 3).await.unwrap().as_ref(), Some(&records[2]));
            assert_eq!(get(&db, 6).await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn every_way_to_look_for_records_finds_those_and_no_others() {
        for house in HousePlace::both() {
            let db = house.open().await;
            let mut records: Vec<CallRecord> = (1..=6).map(|key| record(key, "201", "0199001234")).collect();
            for (at, record) in records.iter_mut().enumerate() {
                record.started = Wall(at as i64 * 1_000);
            }
            records[1].answered = Some(Wall(1_500));
            records[1].outcome = Outcome::Answered;
            records[1].legs = vec![leg("201", true), leg("203", false), leg("204", true)];
            records[2].caller = "+33639981234".to_owned();
            records[2].caller_name = "Zo\u{eb} D'Arc".to_owned();
            records[3].outcome = Outcome::Abandoned;
            records[3].legs = vec![leg("201", false), leg("205", false)];
            // Two that began at the same instant are one after the other all the same.
            records[5].started = records[4].started;
            insert(&db, &records).await.unwrap();
            let all = Sought::default();
            assert_eq!(keys(&db, &Sought { from: Some(Wall(1_000)), until: Some(Wall(3_000)), ..all.clone() }, None).await, [3, 2]);
            assert_eq!(keys(&db, &Sought { outcome: "abandoned".to_owned(), ..all.clone() }, None).await, [4]);
            assert_eq!(keys(&db, &Sought { answered: Some(true), ..all.clone() }, None).await, [2]);
            assert_eq!(keys(&db, &Sought { answered: Some(false), ..all.clone() }, None).await, [6, 5, 4, 3, 1]);
            for (party, found) in [("204", vec![2]), ("205", vec![4]), ("203", vec![]), ("20", vec![]), ("+33639981234", vec![3])] {
                assert_eq!(keys(&db, &Sought { party: party.to_owned(), ..all.clone() }, None).await, found, "{party}");
            }
            for (part, found) in [("998", vec![3]), ("d'ARC", vec![3]), ("20", vec![6, 5, 4, 2, 1]), ("%' OR 1=1 --", vec![])] {
                assert_eq!(keys(&db, &Sought { part: part.to_owned(), ..all.clone() }, None).await, found, "{part}");
            }
            assert_eq!(keys(&db, &all, Some(Place::of(&records[5]))).await, [5, 4, 3, 2, 1]);
            let both = Sought { until: Some(Wall(2_000)), ..all };
            assert_eq!(
                keys(&db, &both, Some(Place::of(&records[5]))).await,
                [2, 1],
                "a page before does not lift the period's end"
            );
            assert_eq!(keys(&db, &both, Some(Place::of(&records[1]))).await, [1]);
        }
    }

    #[tokio::test]
    async fn records_of_before_the_search_are_found_by_it() {
        // The other engine came after the search, and has none.
        let [sqlite, _] = HousePlace::both();
        let db = sqlite.open().await;
        let mut old = record(1, "201", "204");
        old.answered = Some(Wall(1_500));
        old.legs = vec![leg("201", true), leg("203", false), leg("204", true)];
        insert(&db, &[old, record(2, "201", "205")]).await.unwrap();
        // As a record stands there that was written before those columns were.
        let forgotten = "UPDATE call_record SET answered_at = NULL, caller_name = '', callee = ''";
        db.write(query(forgotten)).await.unwrap();
        const MIGRATION: &str = include_str!("../../../migrations/sqlite/0004_call_record_search.sql");
        let fill = &MIGRATION[MIGRATION.find("UPDATE").unwrap()..MIGRATION.find("DROP").unwrap()];
        db.write(query(fill)).await.unwrap();
        let sought = Sought { answered: Some(true), party: "204".to_owned(), part: "accueil".to_owned(), ..Sought::default() };
        assert_eq!(keys(&db, &sought, None).await, [1]);
        assert_eq!(keys(&db, &Sought { party: "203".to_owned(), ..Sought::default() }, None).await, [] as [u64; 0]);
    }

    #[tokio::test]
    async fn a_name_is_found_whatever_its_capitals_and_whenever_it_was_written() {
        const AS_SPELT: &str =
            "UPDATE call_record SET caller = 'R\u{c9}GIE', caller_name = '\u{c9}lodie \u{39f}\u{394}\u{39f}\u{3a3}'";
        for house in HousePlace::both() {
            let db = house.open().await;
            let many = u64::try_from(BATCH).unwrap() + 1;
            let mut records: Vec<CallRecord> = (1..=many).map(|key| record(key, "R\u{c9}GIE", "202")).collect();
            for record in &mut records {
                record.caller_name = "\u{c9}lodie \u{39f}\u{394}\u{39f}\u{3a3}".to_owned();
            }
            insert(&db, &records).await.unwrap();
            let found = async |db: &Db| {
                for part in ["\u{c9}lodie", "\u{e9}LO", "ODIE", "\u{3bf}\u{3b4}\u{3bf}\u{3c2}", "\u{3b4}\u{3bf}\u{3c3}", "r\u{e9}g"]
                {
                    let sought = Sought { part: part.to_owned(), ..Sought::default() };
                    assert_eq!(
                        page(db, &sought, None, 10_000).await.unwrap(),
                        records.iter().rev().cloned().collect::<Vec<_>>(),
                        "{part}"
                    );
                }
                assert_eq!(keys(db, &Sought { party: "R\u{e9}gie".to_owned(), ..Sought::default() }, None).await.len(), 10);
                assert_eq!(keys(db, &Sought { part: "elodie".to_owned(), ..Sought::default() }, None).await, [] as [u64; 0]);
            };
            found(&db).await;
            // As they stand there that were written before.
            db.write(query(AS_SPELT)).await.unwrap();
            db.write(query("DELETE FROM house WHERE name = $1").bind(FINDABLE)).await.unwrap();
            db.close().await;
            let db = house.open().await;
            found(&db).await;
            db.write(query(AS_SPELT)).await.unwrap();
            db.close().await;
            let db = house.open().await;
            let sought = Sought { party: "r\u{e9}gie".to_owned(), ..Sought::default() };
            assert_eq!(keys(&db, &sought, None).await, [] as [u64; 0], "once is enough");
        }
    }

    async fn keys(db: &Db, sought: &Sought, before: Option<Place>) -> Vec<u64> {
        page(db, sought, before, 10).await.unwrap().iter().map(|record| record.key.0).collect()
    }

    fn leg(party: &str, answered: bool) -> LegRecord {
        LegRecord {
            party: party.to_owned(),
            user_agent: None,
            invited: Wall(1),
            answered: answered.then_some(Wall(2)),
            ended: Wall(3),
            end: "answered".to_owned(),
            codec: None,
            protected: false,
            figures: Figures::default(),
        }
    }

    #[tokio::test]
    async fn what_a_phone_writes_is_kept_whatever_it_is() {
        for house in HousePlace::both() {
            let db = house.open().await;
            let odd = "Zo\u{eb}\0\u{1f4de} \\ ' \" %_";
            // No two alike, so that no index can make it short.
            let long: String = (0..30_000).filter_map(|number| char::from_u32(0x4e00 + number * 7919 % 20_000)).collect();
            insert(&db, &[record(1, odd, odd), record(2, &long, &long)]).await.unwrap();
            assert_eq!(get(&db, 1).await.unwrap(), Some(record(1, odd, odd)));
            assert_eq!(get(&db, 2).await.unwrap(), Some(record(2, &long, &long)));
            for part in ["zo", "ZO", "'", "\""] {
                assert_eq!(keys(&db, &Sought { part: part.to_owned(), ..Sought::default() }, None).await, [1], "{part}");
            }
            assert_eq!(keys(&db, &Sought { party: long.clone(), ..Sought::default() }, None).await, [2]);
        }
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
