//! Administrators, their sessions and set-up links, and tokens for programs. What opens a door is kept as a digest alone.

use crate::store::{Db, StoreError, query};

/// How many administrators there are.
pub async fn count(db: &Db) -> Result<i64, StoreError> {
    db.one(query("SELECT COUNT(*) FROM administrator")).await?.map_or(Ok(0), |row| row.get(0))
}

/// The password hash of an administrator.
pub async fn password_hash(db: &Db, name: &str) -> Result<Option<String>, StoreError> {
    let row = db.one(query("SELECT password_hash FROM administrator WHERE name = $1").bind(name)).await?;
    row.map(|row| row.get(0)).transpose()
}

/// Keeps a one-time link; an empty name is chosen by whoever uses it.
pub async fn put_link(db: &Db, token_hash: &str, name: &str, expires_at: i64) -> Result<(), StoreError> {
    let insert = query("INSERT INTO setup_link (token_hash, name, expires_at) VALUES ($1, $2, $3)");
    db.write(insert.bind(token_hash).bind(name).bind(expires_at)).await?;
    Ok(())
}

/// The name of a link that has not expired.
pub async fn link(db: &Db, token_hash: &str, now: i64) -> Result<Option<String>, StoreError> {
    let select = query("SELECT name FROM setup_link WHERE token_hash = $1 AND expires_at > $2");
    db.one(select.bind(token_hash).bind(now)).await?.map(|row| row.get(0)).transpose()
}

/// Uses up a link: its administrator has this password now, and sessions begun with another one end. False if it was used already.
pub async fn use_link(db: &Db, token_hash: &str, name: &str, password_hash: &str, now: i64) -> Result<bool, StoreError> {
    let mut transaction = db.begin().await?;
    let delete = query("DELETE FROM setup_link WHERE token_hash = $1 AND expires_at > $2");
    if transaction.run(delete.bind(token_hash).bind(now)).await?.changed == 0 {
        return Ok(false);
    }
    let upsert = query(
        "INSERT INTO administrator (name, password_hash, created_at) VALUES ($1, $2, $3) \
         ON CONFLICT (name) DO UPDATE SET password_hash = excluded.password_hash",
    );
    transaction.run(upsert.bind(name).bind(password_hash).bind(now)).await?;
    transaction.run(query("DELETE FROM session WHERE administrator = $1").bind(name)).await?;
    transaction.run(query("DELETE FROM setup_link WHERE expires_at <= $1").bind(now)).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Forgets links that nobody may choose a name with any more.
pub async fn forget_open_links(db: &Db) -> Result<(), StoreError> {
    db.write(query("DELETE FROM setup_link WHERE name = ''")).await?;
    Ok(())
}

/// Keeps a session.
pub async fn put_session(db: &Db, token_hash: &str, administrator: &str, csrf: &str, expires_at: i64) -> Result<(), StoreError> {
    let insert = query("INSERT INTO session (token_hash, administrator, csrf, expires_at) VALUES ($1, $2, $3, $4)");
    db.write(insert.bind(token_hash).bind(administrator).bind(csrf).bind(expires_at)).await?;
    Ok(())
}

/// A session that has not expired: who, and the CSRF word.
pub async fn session(db: &Db, token_hash: &str, now: i64) -> Result<Option<(String, String)>, StoreError> {
    let select = query("SELECT administrator, csrf FROM session WHERE token_hash = $1 AND expires_at > $2");
    let row = db.one(select.bind(token_hash).bind(now)).await?;
    row.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
}

/// Ends a session, and those that have expired.
pub async fn end_session(db: &Db, token_hash: &str, now: i64) -> Result<(), StoreError> {
    let delete = query("DELETE FROM session WHERE token_hash = $1 OR expires_at <= $2");
    db.write(delete.bind(token_hash).bind(now)).await?;
    Ok(())
}

/// Keeps a token.
pub async fn put_token(db: &Db, token_hash: &str, role: &str, now: i64) -> Result<(), StoreError> {
    let insert = query("INSERT INTO token (token_hash, role, created_at) VALUES ($1, $2, $3)");
    db.write(insert.bind(token_hash).bind(role).bind(now)).await?;
    Ok(())
}

/// The role of a token.
pub async fn token_role(db: &Db, token_hash: &str) -> Result<Option<String>, StoreError> {
    let row = db.one(query("SELECT role FROM token WHERE token_hash = $1").bind(token_hash)).await?;
    row.map(|row| row.get(0)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::Place;

    #[tokio::test]
    async fn a_link_is_good_once_and_for_a_time() {
        for place in Place::both() {
            let db = place.open().await;
            put_link(&db, "a", "camille", 100).await.unwrap();
            assert!(!use_link(&db, "a", "camille", "hash", 100).await.unwrap(), "too late");
            assert_eq!((link(&db, "a", 100).await.unwrap(), link(&db, "a", 99).await.unwrap()), (None, Some("camille".to_owned())));
            assert!(use_link(&db, "a", "camille", "hash", 99).await.unwrap());
            assert!(!use_link(&db, "a", "camille", "hash", 99).await.unwrap(), "used");
            put_link(&db, "b", "", 100).await.unwrap();
            forget_open_links(&db).await.unwrap();
            assert_eq!(link(&db, "b", 1).await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn sessions_end_and_lapse() {
        for place in Place::both() {
            let db = place.open().await;
            assert!(put_session(&db, "s", "nobody", "csrf", 100).await.is_err(), "a session is somebody's");
            for hash in ["hash", "hash2"] {
                put_link(&db, hash, "camille", 100).await.unwrap();
                assert!(use_link(&db, hash, "camille", hash, 1).await.unwrap());
            }
            assert_eq!((count(&db).await.unwrap(), password_hash(&db, "camille").await.unwrap()), (1, Some("hash2".to_owned())));
            put_session(&db, "s", "camille", "csrf", 100).await.unwrap();
            put_session(&db, "old", "camille", "csrf", 10).await.unwrap();
            assert_eq!(session(&db, "s", 99).await.unwrap(), Some(("camille".to_owned(), "csrf".to_owned())));
            assert_eq!(session(&db, "s", 100).await.unwrap(), None);
            end_session(&db, "s", 50).await.unwrap();
            assert_eq!(session(&db, "s", 50).await.unwrap(), None);
            assert_eq!(session(&db, "old", 1).await.unwrap(), None, "what has lapsed is cleared away");
            put_session(&db, "s", "camille", "csrf", 100).await.unwrap();
            put_link(&db, "new", "camille", 100).await.unwrap();
            assert!(use_link(&db, "new", "camille", "hash3", 1).await.unwrap());
            assert_eq!(session(&db, "s", 1).await.unwrap(), None, "a new password ends it");
        }
    }

    #[tokio::test]
    async fn a_token_has_a_role() {
        for place in Place::both() {
            let db = place.open().await;
            put_token(&db, "t", "read", 1).await.unwrap();
            assert_eq!(token_role(&db, "t").await.unwrap().as_deref(), Some("read"));
            assert_eq!(token_role(&db, "u").await.unwrap(), None);
            assert_eq!(password_hash(&db, "nobody").await.unwrap(), None);
        }
    }
}
