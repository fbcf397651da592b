//! What must outlive the process and is written in groups, whatever it is: the group commit.

use pbx_switch::action::Kept;

use crate::store::{Db, StoreError, binding, publication, subscription, toll};

/// Carries out changes in one transaction, in order.
pub async fn commit(db: &Db, changes: &[Kept]) -> Result<(), StoreError> {
    let mut transaction = db.begin().await?;
    for change in changes {
        let statement = match change {
            Kept::Binding(change) => binding::statement(change),
            Kept::Subscription(change) => subscription::statement(change),
            Kept::Publication(change) => publication::statement(change),
            Kept::Toll(change) => toll::statement(change),
        };
        transaction.run(statement).await?;
    }
    transaction.commit().await
}
