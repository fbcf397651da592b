//! What phones say of their owners, so that whoever does not want to be disturbed is not after a power cut.

use pbx_switch::subscription::{Publication, PublicationChange};

use crate::store::{Db, Query, StoreError, query};

/// Every publication; what cannot be read any more is left out, for its phone will say it again.
pub async fn all(db: &Db) -> Result<Vec<Publication>, StoreError> {
    let rows = db.all(query("SELECT publication FROM publication ORDER BY entity_tag")).await?;
    Ok(rows.into_iter().filter_map(|row| serde_json::from_str(&row.get::<String>(0).ok()?).ok()).collect())
}

/// What carries out a change.
pub(super) fn statement(change: &PublicationChange) -> Query {
    match change {
        PublicationChange::Put(publication) => query(
            "INSERT INTO publication (entity_tag, publication) VALUES ($1, $2) \
             ON CONFLICT (entity_tag) DO UPDATE SET publication = excluded.publication",
        )
        .bind(&publication.tag)
        .bind(serde_json::to_string(publication).unwrap_or_default()),
        PublicationChange::Remove(tag) => query("DELETE FROM publication WHERE entity_tag = $1").bind(tag),
    }
}

#[cfg(test)]
mod tests {
    use pbx_sip::clock::Wall;
    use pbx_switch::action::Kept;
    use pbx_switch::directory::ExtensionNumber;
    use pbx_switch::subscription::presence::Said;

    use super::*;
    use crate::store::kept::commit;
    use crate::store::tests::Place;

    #[tokio::test]
    async fn publications_come_and_go() {
        for place in Place::both() {
            let db = place.open().await;
            let said = |tag: &str, said| {
                let owner = ExtensionNumber::new("201").unwrap();
                Publication { tag: tag.to_owned(), owner, said, expires: Wall(9) }
            };
            let (first, second) = (said("a", Said::Away), said("b", Said::DoNotDisturb));
            let put = |publication: &Publication| Kept::Publication(PublicationChange::Put(publication.clone()));
            commit(&db, &[put(&first), put(&second)]).await.unwrap();
            assert_eq!(all(&db).await.unwrap(), [first, second.clone()]);
            commit(&db, &[Kept::Publication(PublicationChange::Remove("a".to_owned()))]).await.unwrap();
            assert_eq!(all(&db).await.unwrap(), [second]);
        }
    }
}
