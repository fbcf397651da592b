//! The house's numbers as the world dials them.

use pbx_switch::directory::DidNumber;

use crate::store::{Db, Row, StoreError, query};

/// Every number, in order.
pub async fn all(db: &Db) -> Result<Vec<DidNumber>, StoreError> {
    db.all(query("SELECT number, label, leads_to FROM number ORDER BY number")).await?.iter().map(read).collect()
}

/// Adds one.
pub async fn insert(db: &Db, number: &DidNumber) -> Result<(), StoreError> {
    let insert = "INSERT INTO number (number, label, leads_to) VALUES ($1, $2, $3)";
    db.write(query(insert).bind(&number.number).bind(&number.label).bind(&number.to)).await.map(|_| ())
}

/// Changes one; false if there is none.
pub async fn update(db: &Db, number: &DidNumber) -> Result<bool, StoreError> {
    let update = "UPDATE number SET label = $2, leads_to = $3 WHERE number = $1";
    Ok(db.write(query(update).bind(&number.number).bind(&number.label).bind(&number.to)).await? > 0)
}

/// Removes one; false if there is none.
pub async fn delete(db: &Db, number: &str) -> Result<bool, StoreError> {
    Ok(db.write(query("DELETE FROM number WHERE number = $1").bind(number)).await? > 0)
}

fn read(row: &Row) -> Result<DidNumber, StoreError> {
    Ok(DidNumber { number: row.get(0)?, label: row.get(1)?, to: row.get(2)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::Place;

    #[tokio::test]
    async fn numbers_come_back_as_they_went() {
        for place in Place::both() {
            let db = place.open().await;
            let number = |to: &str| DidNumber { number: "+33199001234".into(), label: "Accueil".into(), to: to.into() };
            insert(&db, &number("201")).await.unwrap();
            assert!(matches!(insert(&db, &number("201")).await, Err(StoreError::Taken)));
            assert!(update(&db, &number("202")).await.unwrap());
            assert_eq!(all(&db).await.unwrap(), [number("202")]);
            assert!(delete(&db, "+33199001234").await.unwrap() && !delete(&db, "+33199001234").await.unwrap());
        }
    }
}
