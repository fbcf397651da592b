//! What calls to the outside may cost, and what they have cost within the last day: a ceiling is not forgotten with the process.

use pbx_switch::directory::{ExtensionNumber, Money, TollRules};
use pbx_switch::toll::{Amount, Spent, TollChange};

use crate::store::{Db, Query, StoreError, query};

/// The rules of the house; those of a new one if none were ever saved.
pub async fn rules(db: &Db) -> Result<TollRules, StoreError> {
    match db.one(query("SELECT rules FROM toll_rules WHERE id = 1")).await? {
        None => Ok(TollRules::default()),
        Some(row) => serde_json::from_str(&row.get::<String>(0)?).map_err(StoreError::broken),
    }
}

/// Puts rules in the place of those there are.
pub async fn set_rules(db: &Db, rules: &TollRules) -> Result<(), StoreError> {
    let text = serde_json::to_string(rules).map_err(StoreError::broken)?;
    let insert = "INSERT INTO toll_rules (id, rules) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET rules = excluded.rules";
    db.write(query(insert).bind(text)).await.map(|_| ())
}

/// What was spent, minute by minute; what cannot be read is left out.
pub async fn spent(db: &Db) -> Result<Vec<Spent>, StoreError> {
    let rows = db.all(query("SELECT extension, minute, talked_us, cost FROM toll_spent ORDER BY minute, extension")).await?;
    let read = |row: &crate::store::Row| -> Option<Spent> {
        let amount = |place| row.get::<i64>(place).ok().and_then(|value| u64::try_from(value).ok());
        Some(Spent {
            extension: ExtensionNumber::new(&row.get::<String>(0).ok()?).ok()?,
            minute: row.get(1).ok()?,
            amount: Amount { talked_us: amount(2)?, cost: Money(amount(3)?) },
        })
    };
    Ok(rows.iter().filter_map(read).collect())
}

/// What carries out a change.
pub(super) fn statement(change: &TollChange) -> Query {
    let column = |amount: u64| i64::try_from(amount).unwrap_or(i64::MAX);
    match change {
        TollChange::Put(Spent { extension, minute, amount }) => query(
            "INSERT INTO toll_spent (extension, minute, talked_us, cost) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (extension, minute) DO UPDATE SET talked_us = excluded.talked_us, cost = excluded.cost",
        )
        .bind(extension.as_str())
        .bind(*minute)
        .bind(column(amount.talked_us))
        .bind(column(amount.cost.0)),
        TollChange::ForgetBefore(minute) => query("DELETE FROM toll_spent WHERE minute < $1").bind(*minute),
    }
}

#[cfg(test)]
mod tests {
    use pbx_switch::action::Kept;

    use super::*;
    use crate::store::kept::commit;
    use crate::store::tests::Place;

    #[tokio::test]
    async fn rules_come_back_as_they_went() {
        for place in Place::both() {
            let db = place.open().await;
            assert_eq!(rules(&db).await.unwrap(), TollRules::default());
            let mut changed = TollRules { countries: ["CH".to_owned()].into(), ..TollRules::default() };
            set_rules(&db, &changed).await.unwrap();
            changed.extension.cost_of_day = None;
            set_rules(&db, &changed).await.unwrap();
            assert_eq!(rules(&db).await.unwrap(), changed);
        }
    }

    #[tokio::test]
    async fn a_minute_is_kept_as_it_was_last_until_a_day_has_passed() {
        for place in Place::both() {
            let db = place.open().await;
            let spent_in = |minute, talked_us| Spent {
                extension: ExtensionNumber::new("201").unwrap(),
                minute,
                amount: Amount { talked_us, cost: Money(3) },
            };
            let put = |minute, talked_us| Kept::Toll(TollChange::Put(spent_in(minute, talked_us)));
            commit(&db, &[put(1, 5), put(2, 5), put(2, 9), put(3, u64::MAX)]).await.unwrap();
            commit(&db, &[Kept::Toll(TollChange::ForgetBefore(2))]).await.unwrap();
            let bounded = i64::MAX as u64;
            assert_eq!(spent(&db).await.unwrap(), [spent_in(2, 9), spent_in(3, bounded)]);
        }
    }
}
