//! What is drawn once: realm and keys. And sites, which every directory needs.

use pbx_switch::directory::{Site, SiteKey};
use sqlx::Row;

use crate::store::{Db, StoreError};

/// A value of the house; drawn now if it is not there.
pub async fn drawn(db: &Db, name: &str, draw: impl FnOnce() -> String) -> Result<String, StoreError> {
    sqlx::query("INSERT INTO house (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
        .bind(name)
        .bind(draw())
        .execute(&db.writer)
        .await?;
    let row = sqlx::query("SELECT value FROM house WHERE name = $1").bind(name).fetch_one(&db.writer).await?;
    Ok(row.get(0))
}

/// Every site.
pub async fn sites(db: &Db) -> Result<Vec<Site>, StoreError> {
    let rows = sqlx::query("SELECT site_key, name, time_zone FROM site ORDER BY site_key").fetch_all(&db.readers).await?;
    rows.into_iter()
        .map(|row| {
            let (key, name, zone): (String, String, String) = (row.get(0), row.get(1), row.get(2));
            Site::new(SiteKey(key), &name, &zone).map_err(|error| StoreError::broken(error.to_string()))
        })
        .collect()
}
