//! What is drawn once: realm and keys (bans, which are not, have names and a file of their own). And sites, which every directory needs.

use pbx_switch::directory::{Site, SiteKey};

use crate::store::{Db, StoreError, query};

/// A value of the house; drawn now if it is not there.
pub async fn drawn(db: &Db, name: &str, draw: impl FnOnce() -> String) -> Result<String, StoreError> {
    let insert = query("INSERT INTO house (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING");
    db.write(insert.bind(name).bind(draw())).await?;
    let row = db.one(query("SELECT value FROM house WHERE name = $1").bind(name)).await?;
    row.ok_or_else(|| StoreError::broken("a value that was drawn is not there"))?.get(0)
}

/// Every site.
pub async fn sites(db: &Db) -> Result<Vec<Site>, StoreError> {
    let rows = db.all(query("SELECT site_key, name, time_zone FROM site ORDER BY site_key")).await?;
    rows.into_iter()
        .map(|row| {
            let (key, name, zone): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Site::new(SiteKey(key), &name, &zone).map_err(StoreError::broken)
        })
        .collect()
}
