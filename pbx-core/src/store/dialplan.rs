//! Revisions of the dial plan; none is ever changed, the newest is live.

use crate::store::{Db, StoreError, query};

/// One revision.
#[derive(Clone, Debug)]
pub struct StoredPlan {
    /// From 1.
    pub revision: i64,
    /// TOML.
    pub plan: String,
    /// Who.
    pub author: String,
    /// Why.
    pub reason: String,
    /// Microseconds since 1970 UTC.
    pub created_at: i64,
}

/// The live one.
pub async fn newest(db: &Db) -> Result<Option<StoredPlan>, StoreError> {
    let select = query("SELECT revision, plan, author, reason, created_at FROM dialplan ORDER BY revision DESC LIMIT 1");
    let Some(row) = db.one(select).await? else { return Ok(None) };
    Ok(Some(StoredPlan {
        revision: row.get(0)?,
        plan: row.get(1)?,
        author: row.get(2)?,
        reason: row.get(3)?,
        created_at: row.get(4)?,
    }))
}

/// Adds a revision, which is then live; its number.
pub async fn insert(db: &Db, plan: &str, author: &str, reason: &str, created_at: i64) -> Result<i64, StoreError> {
    let mut transaction = db.begin().await?;
    let newest = transaction.run(query("SELECT COALESCE(MAX(revision), 0) FROM dialplan")).await?;
    let revision = newest.rows.first().map_or(Ok(0), |row| row.get::<i64>(0))? + 1;
    let insert = query("INSERT INTO dialplan (revision, plan, author, reason, created_at) VALUES ($1, $2, $3, $4, $5)");
    transaction.run(insert.bind(revision).bind(plan).bind(author).bind(reason).bind(created_at)).await?;
    transaction.commit().await?;
    Ok(revision)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::Place;

    #[tokio::test]
    async fn the_newest_revision_is_live() {
        for place in Place::both() {
            let db = place.open().await;
            assert!(newest(&db).await.unwrap().is_none());
            assert_eq!(insert(&db, "# one", "camille", "first", 10).await.unwrap(), 1);
            assert_eq!(insert(&db, "# two", "camille", "second", 11).await.unwrap(), 2);
            let live = newest(&db).await.unwrap().unwrap();
            assert_eq!((live.revision, live.plan.as_str(), live.reason.as_str(), live.created_at), (2, "# two", "second", 11));
        }
    }
}
