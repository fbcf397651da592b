//! Subscriptions of phones, so that lamps go on after a power cut.

use pbx_switch::subscription::{Subscription, SubscriptionChange, SubscriptionKey};

use crate::store::{Db, Query, StoreError, query};

/// Every subscription; what cannot be read any more is left out, for its phone will ask again.
pub async fn all(db: &Db) -> Result<Vec<Subscription>, StoreError> {
    let rows = db.all(query("SELECT subscription FROM subscription ORDER BY subscription_key")).await?;
    Ok(rows.into_iter().filter_map(|row| serde_json::from_str(&row.get::<String>(0).ok()?).ok()).collect())
}

/// What carries out a change.
pub(super) fn statement(change: &SubscriptionChange) -> Query {
    match change {
        SubscriptionChange::Put(subscription) => query(
            "INSERT INTO subscription (subscription_key, subscription) VALUES ($1, $2) \
             ON CONFLICT (subscription_key) DO UPDATE SET subscription = excluded.subscription",
        )
        .bind(number(subscription.key))
        .bind(serde_json::to_string(subscription).unwrap_or_default()),
        SubscriptionChange::Remove(key) => query("DELETE FROM subscription WHERE subscription_key = $1").bind(number(*key)),
    }
}

fn number(key: SubscriptionKey) -> i64 {
    key.0.cast_signed()
}

#[cfg(test)]
mod tests {
    use pbx_sip::clock::Wall;
    use pbx_sip::dialog::{Dialog, DialogId};
    use pbx_switch::action::Kept;
    use pbx_switch::directory::ExtensionNumber;
    use pbx_switch::subscription::{Package, Told};

    use super::*;
    use crate::store::binding::tests::binding;
    use crate::store::kept::commit;
    use crate::store::tests::Place;

    #[tokio::test]
    async fn subscriptions_come_change_and_go() {
        for place in Place::both() {
            let db = place.open().await;
            let (first, mut second) = (subscription(1), subscription(u64::MAX));
            let put = |subscription: &Subscription| Kept::Subscription(SubscriptionChange::Put(Box::new(subscription.clone())));
            commit(&db, &[put(&first), put(&second)]).await.unwrap();
            second.dialog.local_cseq = 400;
            commit(&db, &[put(&second), Kept::Subscription(SubscriptionChange::Remove(first.key))]).await.unwrap();
            assert_eq!(all(&db).await.unwrap(), [second]);
        }
    }

    fn subscription(key: u64) -> Subscription {
        let id = DialogId { call_id: "c".into(), local_tag: "a".into(), remote_tag: "b".into() };
        Subscription {
            key: SubscriptionKey(key),
            package: Package::MessageSummary,
            id: Some("7".into()),
            watcher: ExtensionNumber::new("201").unwrap(),
            watched: ExtensionNumber::new("202").unwrap(),
            dialog: Dialog {
                id,
                local: "<sip:202@x>".into(),
                remote: "<sip:201@x>".into(),
                local_cseq: 200,
                remote_cseq: Some(1),
                remote_target: "sip:201@192.0.2.1".into(),
                route_set: Vec::new(),
                early: false,
            },
            flow: binding("201", "sip:201@192.0.2.1").flow,
            expires: Wall(9),
            told: Told::default(),
        }
    }
}
