//! Bans: what the door remembers of sources that it turned away, a value of the house each, named `ban:192.0.2.1`.

use pbx_switch::door::{Ban, BanChange};

use crate::store::{Db, StoreError, query};

/// Every ban, those too that have ended. A row that cannot be read is left out: whoever it was is counted anew.
pub async fn all(db: &Db) -> Result<Vec<Ban>, StoreError> {
    let rows = db.all(query("SELECT value FROM house WHERE name LIKE 'ban:%' ORDER BY name")).await?;
    Ok(rows.into_iter().filter_map(|row| serde_json::from_str(&row.get::<String>(0).ok()?).ok()).collect())
}

/// Carries out changes in one transaction.
pub async fn commit(db: &Db, changes: &[BanChange]) -> Result<(), StoreError> {
    let mut transaction = db.begin().await?;
    for change in changes {
        let statement = match change {
            BanChange::Begun(ban) => {
                query("INSERT INTO house (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
                    .bind(format!("ban:{}", ban.source))
                    .bind(serde_json::to_string(ban).unwrap_or_default())
            }
            // Its row says until when, and how often.
            BanChange::Ended(_) => continue,
            BanChange::Forgotten(source) => query("DELETE FROM house WHERE name = $1").bind(format!("ban:{source}")),
        };
        transaction.run(statement).await?;
    }
    transaction.commit().await
}

#[cfg(test)]
mod tests {
    use pbx_sip::clock::Wall;
    use pbx_switch::door::Offence;

    use super::*;
    use crate::store::tests::Place;

    #[tokio::test]
    async fn bans_begin_are_remembered_and_forgotten() {
        for place in Place::both() {
            let db = place.open().await;
            let ban = |source: &str, why, times, until| Ban {
                source: source.parse().unwrap(),
                why,
                times,
                since: Wall(1),
                until: Wall(until),
            };
            let first = ban("192.0.2.1", Offence::WrongSecret, 1, 5);
            let again = ban("192.0.2.1", Offence::Malformed, 2, 9);
            let other = ban("2001:db8::", Offence::Unproven, 1, 7);
            commit(&db, &[BanChange::Begun(first), BanChange::Begun(other.clone())]).await.unwrap();
            commit(&db, &[BanChange::Ended(again.source), BanChange::Begun(again.clone())]).await.unwrap();
            assert_eq!(all(&db).await.unwrap(), [again.clone(), other.clone()]);
            commit(&db, &[BanChange::Ended(other.source), BanChange::Forgotten(again.source)]).await.unwrap();
            assert_eq!(all(&db).await.unwrap(), [other]);
        }
    }
}
