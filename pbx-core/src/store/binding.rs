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

#[cfg(test)]
pub(crate) mod tests {
    use std::net::SocketAddr;

    use pbx_sip::clock::Wall;
    use pbx_sip::flow::{ConnectionId, Flow, Transport};
    use pbx_switch::directory::ExtensionNumber;

    use super::*;

    #[tokio::test]
    async fn bindings_come_change_and_go() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path()).await.unwrap();
        let (first, mut second) = (binding("201", "sip:201@192.0.2.1"), binding("201", "sip:201@192.0.2.2;transport=tcp"));
        let put = |binding: &Binding| BindingChange::Put(binding.clone());
        commit(&db, &[put(&first), put(&second)]).await.unwrap();
        second.expires = Wall(9);
        let remove = BindingChange::Remove { aor: first.aor.clone(), contact: first.contact.clone() };
        commit(&db, &[put(&second), remove]).await.unwrap();
        assert_eq!(all(&db).await.unwrap(), [second]);
    }

    #[tokio::test]
    async fn a_batch_is_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path()).await.unwrap();
        let one = binding("201", "sip:201@192.0.2.1");
        let remove = BindingChange::Remove { aor: one.aor.clone(), contact: one.contact.clone() };
        commit(&db, &[BindingChange::Put(one.clone()), remove.clone(), BindingChange::Put(one.clone())]).await.unwrap();
        assert_eq!(all(&db).await.unwrap(), [one]);
        commit(&db, &[remove]).await.unwrap();
        assert_eq!(all(&db).await.unwrap(), []);
    }

    /// A phone of an extension.
    pub fn binding(aor: &str, contact: &str) -> Binding {
        let here = SocketAddr::from(([192, 0, 2, 9], 5060));
        Binding {
            aor: ExtensionNumber::new(aor).unwrap(),
            contact: contact.to_owned(),
            instance: Some("\"<urn:uuid:1>\"".to_owned()),
            q_thousandths: 1000,
            flow: Flow { transport: Transport::Udp, local: here, remote: here, connection: ConnectionId::default() },
            call_id: "a".to_owned(),
            cseq: 1,
            expires: Wall(5),
            user_agent: Some("Téléphone \u{1f4de}".to_owned()),
        }
    }
}
