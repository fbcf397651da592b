//! Bindings of phones, so that they are there after a power cut.

use pbx_switch::registrar::{Binding, BindingChange};
use sqlx::{Connection, Row};

use crate::store::{Db, StoreError};

/// Every binding; what cannot be read any more is left out, for its phone will come back.
pub async fn all(db: &Db) -> Result<Vec<Binding>, StoreError> {
    let rows = sqlx::query("SELECT binding FROM binding").fetch_all(&db.readers).await?;
    Ok(rows.into_iter().filter_map(|row| serde_json::from_str(row.get::<&str, _>(0)).ok()).collect())
}

/// Carries out changes in one transaction: the group commit.
pub async fn commit(db: &Db, changes: &[BindingChange]) -> Result<(), StoreError> {
    let mut connection = db.writer.acquire().await?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for change in changes {
        match change {
            BindingChange::Put(binding) => {
                let json = serde_json::to_string(binding).unwrap_or_default();
                sqlx::query(
                    "INSERT INTO binding (aor, contact, binding, expires_at) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (aor, contact) DO UPDATE SET binding = excluded.binding, expires_at = excluded.expires_at",
                )
                .bind(binding.aor.as_str())
                .bind(&binding.contact)
                .bind(json)
                .bind(binding.expires.0)
                .execute(&mut *transaction)
                .await?;
            }
            BindingChange::Remove { aor, contact } => {
                let delete = sqlx::query("DELETE FROM binding WHERE aor = $1 AND contact = $2");
                delete.bind(aor.as_str()).bind(contact).execute(&mut *transaction).await?;
            }
        }
    }
    transaction.commit().await?;
    Ok(())
}
