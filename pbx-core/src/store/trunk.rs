//! Lines to the outside.

use pbx_switch::directory::{Secret, SiteKey, Trunk, TrunkKey};

use crate::store::{Db, Row, StoreError, query};

/// Every line, by key.
pub async fn all(db: &Db) -> Result<Vec<Trunk>, StoreError> {
    db.all(query("SELECT trunk_key, site_key, settings, secret FROM trunk ORDER BY trunk_key")).await?.iter().map(read).collect()
}

/// The one of a key.
pub async fn get(db: &Db, key: &str) -> Result<Option<Trunk>, StoreError> {
    let select = "SELECT trunk_key, site_key, settings, secret FROM trunk WHERE trunk_key = $1";
    db.one(query(select).bind(key)).await?.as_ref().map(read).transpose()
}

/// Adds one.
pub async fn insert(db: &Db, trunk: &Trunk) -> Result<(), StoreError> {
    let insert = "INSERT INTO trunk (trunk_key, site_key, settings, secret) VALUES ($1, $2, $3, $4)";
    let row = query(insert).bind(&trunk.key.0).bind(&trunk.site.0).bind(settings(trunk)).bind(&trunk.secret.0);
    db.write(row).await.map(|_| ())
}

/// Changes one; false if there is none of that key.
pub async fn update(db: &Db, trunk: &Trunk) -> Result<bool, StoreError> {
    let update = "UPDATE trunk SET site_key = $2, settings = $3, secret = $4 WHERE trunk_key = $1";
    let row = query(update).bind(&trunk.key.0).bind(&trunk.site.0).bind(settings(trunk)).bind(&trunk.secret.0);
    Ok(db.write(row).await? > 0)
}

/// Removes one; false if there is none of that key.
pub async fn delete(db: &Db, key: &str) -> Result<bool, StoreError> {
    Ok(db.write(query("DELETE FROM trunk WHERE trunk_key = $1").bind(key)).await? > 0)
}

/// Everything but the secret, which has a place of its own.
fn settings(trunk: &Trunk) -> String {
    let public = Trunk { secret: Secret::default(), ..trunk.clone() };
    serde_json::to_string(&public).unwrap_or_default()
}

fn read(row: &Row) -> Result<Trunk, StoreError> {
    let settings: String = row.get(2)?;
    let trunk: Trunk = serde_json::from_str(&settings).map_err(|_| StoreError::broken("a line that cannot be read"))?;
    Ok(Trunk { key: TrunkKey(row.get(0)?), site: SiteKey(row.get(1)?), secret: Secret(row.get(3)?), ..trunk })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::Place;

    fn line(key: &str) -> Trunk {
        Trunk {
            key: TrunkKey(key.into()),
            name: "Opérateur".into(),
            site: SiteKey("main".into()),
            server: "sip.carrier.test".into(),
            user: "0033199001234".into(),
            secret: Secret("of the line".into()),
            number: "+33199001234".into(),
            ..Trunk::usual()
        }
    }

    #[tokio::test]
    async fn lines_come_back_as_they_went() {
        for place in Place::both() {
            let db = place.open().await;
            insert(&db, &line("b")).await.unwrap();
            insert(&db, &line("a")).await.unwrap();
            assert!(matches!(insert(&db, &line("a")).await, Err(StoreError::Taken)));
            assert_eq!(all(&db).await.unwrap(), [line("a"), line("b")]);
            let changed = Trunk { enabled: false, secret: Secret("another".into()), channels: 8, ..line("a") };
            assert!(update(&db, &changed).await.unwrap());
            assert_eq!(get(&db, "a").await.unwrap(), Some(changed));
            assert!(!update(&db, &line("c")).await.unwrap());
            assert!(delete(&db, "a").await.unwrap() && !delete(&db, "a").await.unwrap());
            assert_eq!(get(&db, "a").await.unwrap(), None);
        }
    }
}
