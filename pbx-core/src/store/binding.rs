//! Bindings of phones, so that they are there after a power cut.

use pbx_switch::registrar::{Binding, BindingChange};
use sha2::{Digest, Sha256};

use crate::store::extension::hex;
use crate::store::{Db, Query, StoreError, query};

/// Every binding; what cannot be read any more is left out, for its phone will come back.
pub async fn all(db: &Db) -> Result<Vec<Binding>, StoreError> {
    let rows = db.all(query("SELECT binding FROM binding")).await?;
    Ok(rows.into_iter().filter_map(|row| serde_json::from_str(&row.get::<String>(0).ok()?).ok()).collect())
}

/// What carries out a change.
pub(super) fn statement(change: &BindingChange) -> Query {
    match change {
        BindingChange::Put(binding) => query(
            "INSERT INTO binding (aor, contact, binding, expires_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (aor, contact) DO UPDATE SET binding = excluded.binding, expires_at = excluded.expires_at",
        )
        .bind(binding.aor.as_str())
        .bind(key_of(&binding.key()))
        .bind(serde_json::to_string(binding).unwrap_or_default())
        .bind(binding.expires.0),
        BindingChange::Remove { aor, key } => {
            query("DELETE FROM binding WHERE aor = $1 AND contact = $2").bind(aor.as_str()).bind(key_of(key))
        }
    }
}

/// What tells a binding from others, as part of the key: PostgreSQL's index takes no more than 2,700 octets, and a phone may write thirty thousand.
fn key_of(key: &str) -> String {
    if key.chars().count() <= LONGEST_KEY {
        return key.to_owned();
    }
    let begins: String = key.chars().take(LONGEST_KEY).collect();
    format!("{begins} {}", hex(&Sha256::digest(key)))
}

/// Characters, of up to four octets each.
const LONGEST_KEY: usize = 600;

#[cfg(test)]
pub(crate) mod tests {
    use std::net::SocketAddr;

    use pbx_sip::clock::Wall;
    use pbx_sip::flow::{ConnectionId, Flow, Transport};
    use pbx_switch::action::Kept;
    use pbx_switch::directory::ExtensionNumber;

    use super::*;
    use crate::store::kept::commit;
    use crate::store::tests::Place;

    #[tokio::test]
    async fn bindings_come_change_and_go() {
        for place in Place::both() {
            let db = place.open().await;
            let (first, mut second) = (binding("201", "sip:201@192.0.2.1"), binding("201", "sip:201@192.0.2.2;transport=tcp"));
            let put = |binding: &Binding| Kept::from(BindingChange::Put(binding.clone()));
            commit(&db, &[put(&first), put(&second)]).await.unwrap();
            second.expires = Wall(9);
            let remove = Kept::from(BindingChange::Remove { aor: first.aor.clone(), key: first.key() });
            commit(&db, &[put(&second), remove]).await.unwrap();
            assert_eq!(all(&db).await.unwrap(), [second]);
        }
    }

    #[tokio::test]
    async fn contacts_of_any_length_are_told_apart() {
        for place in Place::both() {
            let db = place.open().await;
            // No two alike, so that no index can make it short.
            let long: String = (0..9_000).filter_map(|number| char::from_u32(0x4e00 + number * 7919 % 20_000)).collect();
            let both = [binding("201", &(long.clone() + "1")), binding("201", &(long + "2"))];
            commit(&db, &both.clone().map(|binding| BindingChange::Put(binding).into())).await.unwrap();
            let remove = BindingChange::Remove { aor: both[0].aor.clone(), key: both[0].key() };
            commit(&db, &[remove.into()]).await.unwrap();
            assert_eq!(all(&db).await.unwrap(), both[1..]);
        }
    }

    #[tokio::test]
    async fn a_batch_is_in_order() {
        for place in Place::both() {
            let db = place.open().await;
            let one = binding("201", "sip:201@192.0.2.1");
            let remove = Kept::from(BindingChange::Remove { aor: one.aor.clone(), key: one.key() });
            let put = || Kept::from(BindingChange::Put(one.clone()));
            commit(&db, &[put(), remove.clone(), put()]).await.unwrap();
            assert_eq!(all(&db).await.unwrap(), [one]);
            commit(&db, &[remove]).await.unwrap();
            assert_eq!(all(&db).await.unwrap(), []);
        }
    }

    /// A phone of an extension.
    pub fn binding(aor: &str, contact: &str) -> Binding {
        let here = SocketAddr::from(([192, 0, 2, 9], 5060));
        Binding {
            aor: ExtensionNumber::new(aor).unwrap(),
            contact: contact.to_owned(),
            instance: Some("\"<urn:uuid:1>\"".to_owned()),
            reg_id: None,
            path: Vec::new(),
            q_thousandths: 1000,
            flow: Flow { transport: Transport::Udp, local: here, remote: here, connection: ConnectionId::default() },
            call_id: "a".to_owned(),
            cseq: 1,
            expires: Wall(5),
            user_agent: Some("Téléphone \u{1f4de}".to_owned()),
        }
    }
}
