//! Extensions.

use pbx_sip::auth::Ha1;
use pbx_switch::directory::{Extension, ExtensionNumber, SiteKey};

use crate::store::{Db, Query, Row, StoreError, query};

/// An extension as it is kept.
#[derive(Clone, Debug)]
pub struct StoredExtension {
    /// What the directory holds.
    pub extension: Extension,
    /// Microseconds since 1970 UTC.
    pub created_at: i64,
}

/// Every extension, by number.
pub async fn all(db: &Db) -> Result<Vec<StoredExtension>, StoreError> {
    let select =
        "SELECT number, name, site_key, email, enabled, ha1_md5, ha1_sha256, access, created_at FROM extension ORDER BY number";
    db.all(query(select)).await?.iter().map(read).collect()
}

/// The one of a number.
pub async fn get(db: &Db, number: &str) -> Result<Option<StoredExtension>, StoreError> {
    let select = "SELECT number, name, site_key, email, enabled, ha1_md5, ha1_sha256, access, created_at \
                  FROM extension WHERE number = $1";
    db.one(query(select).bind(number)).await?.as_ref().map(read).transpose()
}

/// Adds extensions: all or none.
pub async fn insert(db: &Db, extensions: &[StoredExtension]) -> Result<(), StoreError> {
    let mut transaction = db.begin().await?;
    for StoredExtension { extension, created_at } in extensions {
        let insert = "INSERT INTO extension (number, name, email, enabled, ha1_md5, ha1_sha256, access, site_key, created_at) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        transaction.run(changeable(insert, extension).bind(&extension.site.0).bind(*created_at)).await?;
    }
    transaction.commit().await
}

/// Changes one; false if there is none of that number.
pub async fn update(db: &Db, extension: &Extension) -> Result<bool, StoreError> {
    let update =
        "UPDATE extension SET name = $2, email = $3, enabled = $4, ha1_md5 = $5, ha1_sha256 = $6, access = $7 WHERE number = $1";
    Ok(db.write(changeable(update, extension)).await? > 0)
}

/// Removes one; false if there is none of that number.
pub async fn delete(db: &Db, number: &str) -> Result<bool, StoreError> {
    Ok(db.write(query("DELETE FROM extension WHERE number = $1").bind(number)).await? > 0)
}

/// A statement with the number and what may be changed in its first seven places.
fn changeable(text: &'static str, extension: &Extension) -> Query {
    query(text)
        .bind(extension.number.as_str())
        .bind(&extension.name)
        .bind(extension.email.as_deref())
        .bind(extension.enabled)
        .bind(hex(&extension.ha1.md5))
        .bind(hex(&extension.ha1.sha256))
        .bind(serde_json::to_string(&extension.access).unwrap_or_default())
}

fn read(row: &Row) -> Result<StoredExtension, StoreError> {
    let broken = || StoreError::broken("an extension that cannot be read");
    let (number, md5, sha256): (String, String, String) = (row.get(0)?, row.get(5)?, row.get(6)?);
    let extension = Extension {
        number: ExtensionNumber::new(&number).map_err(|_| broken())?,
        name: row.get(1)?,
        site: SiteKey(row.get(2)?),
        email: row.get(3)?,
        enabled: row.get(4)?,
        ha1: Ha1 { md5: unhex(&md5).ok_or_else(broken)?, sha256: unhex(&sha256).ok_or_else(broken)? },
        // One that cannot be read lets nobody in, rather than everybody.
        access: serde_json::from_str(&row.get::<String>(7)?).map_err(|_| broken())?,
    };
    Ok(StoredExtension { extension, created_at: row.get(8)? })
}

/// Lower-case digits.
pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Back again.
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut octets = [0; N];
    if text.len() != N * 2 || !text.is_ascii() {
        return None;
    }
    for (place, octet) in octets.iter_mut().enumerate() {
        *octet = u8::from_str_radix(&text[place * 2..place * 2 + 2], 16).ok()?;
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use pbx_switch::directory::{Access, Encryption};

    use super::*;
    use crate::store::tests::Place;

    #[tokio::test]
    async fn all_or_none_are_added() {
        for place in Place::both() {
            let db = place.open().await;
            insert(&db, &[stored("201"), stored("007")]).await.unwrap();
            assert!(matches!(insert(&db, &[stored("202"), stored("201")]).await, Err(StoreError::Taken)));
            let all = all(&db).await.unwrap();
            assert_eq!(all.iter().map(|each| each.extension.number.as_str()).collect::<Vec<_>>(), ["007", "201"]);
            assert_eq!(all[0].extension, stored("007").extension);
            assert_eq!(get(&db, "201").await.unwrap().unwrap().extension, stored("201").extension);
            assert!(get(&db, "7").await.unwrap().is_none(), "007 is not 7");
        }
    }

    #[tokio::test]
    async fn one_is_changed_and_removed() {
        for place in Place::both() {
            let db = place.open().await;
            insert(&db, &[stored("201")]).await.unwrap();
            let mut changed = stored("201").extension;
            (changed.name, changed.email, changed.enabled) = ("Régie".to_owned(), None, false);
            changed.ha1 = Ha1::of("201", "realm", "another");
            changed.access =
                Access { networks: vec!["192.0.2.0/24".parse().unwrap()], encryption: Encryption::Always, sound: true };
            assert!(update(&db, &changed).await.unwrap());
            assert_eq!(all(&db).await.unwrap()[0].extension, changed);
            assert!(!update(&db, &stored("202").extension).await.unwrap());
            assert!(delete(&db, "201").await.unwrap());
            assert!(!delete(&db, "201").await.unwrap());
        }
    }

    #[test]
    fn octets_are_written_and_read() {
        assert_eq!(hex(&[0, 0xab, 0xff]), "00abff");
        assert_eq!(unhex::<3>("00abff"), Some([0, 0xab, 0xff]));
        assert_eq!(unhex::<3>("00abf"), None);
        assert_eq!(unhex::<3>("00abfé"), None);
    }

    fn stored(number: &str) -> StoredExtension {
        let extension = Extension {
            number: ExtensionNumber::new(number).unwrap(),
            name: "Billetterie".to_owned(),
            site: SiteKey("main".to_owned()),
            email: Some("billetterie@example.org".to_owned()),
            enabled: true,
            ha1: Ha1::of(number, "realm", "secret"),
            access: Access::default(),
        };
        StoredExtension { extension, created_at: 7 }
    }
}
