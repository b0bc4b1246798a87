//! Signing in: passwords' hashes, the turns to guess one, browsers that are known, sessions.
//!
//! Wrong passwords are counted for each officer and source apart. A source is a browser in which that officer has signed
//! in before, or, all together, every other place in the world. So a stranger who guesses makes strangers wait, from
//! however many machines and at whichever replica, and never the officer at the usual desk; and no wait is for ever.

use time::{Duration, OffsetDateTime};

use super::audit::audit;
use super::people::read_officer;
use super::row::Reading;
use super::writing::Writing;
use super::{Store, StoreError, exactly_one, micros};
use crate::limits;
use crate::officer::{Officer, OfficerId};

/// What signing in needs to know.
#[derive(Debug, Clone)]
pub struct SignIn {
    pub officer: Officer,
    /// argon2id in PHC form; empty where the officer cannot sign in.
    pub password: String,
}

/// The source that every browser shares in which the officer has never signed in.
const ELSEWHERE: &str = "";

impl Store {
    /// What signing in needs to know of an officer.
    pub async fn sign_in(&self, id: &OfficerId) -> Result<Option<SignIn>, StoreError> {
        let row =
            sqlx::query("SELECT id, name, authority, employment, duties, left_at, password FROM officer WHERE id = $1")
                .bind(id.as_str())
                .fetch_optional(&self.read)
                .await?;
        row.as_ref()
            .map(|row| {
                let row = Reading("officer", row);
                Ok(SignIn { officer: read_officer(&row)?, password: row.get("password")? })
            })
            .transpose()
    }

    /// Takes a turn to try an officer's password from a browser (SHA-256 of its cookie's value, hexadecimal; empty for
    /// one without). The turn counts as a wrong password before it is tried, so that many at once, at any number of
    /// replicas, are counted one by one. `false` while that source must wait.
    pub async fn sign_in_turn(&self, id: &OfficerId, browser: &str, now: OffsetDateTime) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let source = source(&mut tx, id, browser, now).await?;
        sqlx::query("INSERT INTO sign_in_turn (officer, source, failures, wait_until) VALUES ($1, $2, 0, 0) ON CONFLICT (officer, source) DO NOTHING")
            .bind(id.as_str())
            .bind(source)
            .execute(&mut *tx)
            .await?;
        // This write locks the row, so the next turn sees this one.
        let taken = sqlx::query(
            "UPDATE sign_in_turn SET failures = failures + 1 WHERE officer = $1 AND source = $2 AND wait_until <= $3",
        )
        .bind(id.as_str())
        .bind(source)
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        if taken.rows_affected() == 0 {
            return Ok(false);
        }
        let row = sqlx::query("SELECT failures FROM sign_in_turn WHERE officer = $1 AND source = $2")
            .bind(id.as_str())
            .bind(source)
            .fetch_one(&mut *tx)
            .await?;
        let failures: i64 = Reading("sign_in_turn", &row).get("failures")?;
        sqlx::query("UPDATE sign_in_turn SET wait_until = $1 WHERE officer = $2 AND source = $3")
            .bind(micros(now + wait(failures)))
            .bind(id.as_str())
            .bind(source)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The password was right: the count of that source begins anew, and the browser is known from now on.
    pub async fn sign_in_right(&self, id: &OfficerId, browser: &str, now: OffsetDateTime) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let source = source(&mut tx, id, browser, now).await?;
        sqlx::query("DELETE FROM sign_in_turn WHERE officer = $1 AND source = $2")
            .bind(id.as_str())
            .bind(source)
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM known_browser WHERE known_until <= $1").bind(micros(now)).execute(&mut *tx).await?;
        if !browser.is_empty() {
            let until = micros(now + Duration::days(limits::KNOWN_BROWSER_DAYS));
            sqlx::query("INSERT INTO known_browser (id, officer, known_until) VALUES ($1, $2, $3) ON CONFLICT (id, officer) DO UPDATE SET known_until = $3")
                .bind(browser)
                .bind(id.as_str())
                .bind(until)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await
    }

    /// Sets a new password hash (PHC form). Nobody waits any more, and whoever knew the old one is signed out.
    pub async fn set_password(&self, id: &OfficerId, password: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("UPDATE officer SET password = $1 WHERE id = $2")
            .bind(password)
            .bind(id.as_str())
            .execute(&mut *tx)
            .await?;
        exactly_one(done, || StoreError::conflict("store.no-officer", "没有此人员", "there is no such officer"))?;
        for forget in [
            "DELETE FROM sign_in_turn WHERE officer = $1",
            "DELETE FROM known_browser WHERE officer = $1",
            "DELETE FROM session WHERE officer = $1",
        ] {
            sqlx::query(forget).bind(id.as_str()).execute(&mut *tx).await?;
        }
        tx.commit().await
    }

    /// Opens a session. `id` is the SHA-256 of the cookie's value.
    pub async fn open_session(
        &self,
        id: &str,
        officer: &OfficerId,
        now: OffsetDateTime,
        expires_at: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM session WHERE expires_at < $1").bind(micros(now)).execute(&mut *tx).await?;
        sqlx::query("INSERT INTO session (id, officer, created_at, expires_at) VALUES ($1, $2, $3, $4)")
            .bind(id)
            .bind(officer.as_str())
            .bind(micros(now))
            .bind(micros(expires_at))
            .execute(&mut *tx)
            .await?;
        audit(&mut tx, now, officer.as_str(), "session.opened", officer.as_str(), &serde_json::json!({})).await?;
        tx.commit().await
    }

    /// The officer behind a session that is still good, and still in post.
    pub async fn session(&self, id: &str, now: OffsetDateTime) -> Result<Option<Officer>, StoreError> {
        let row = sqlx::query(
            "SELECT o.id AS id, o.name AS name, o.authority AS authority, o.employment AS employment, o.duties AS duties, o.left_at AS left_at \
             FROM session s JOIN officer o ON o.id = s.officer WHERE s.id = $1 AND s.expires_at > $2 AND (o.left_at IS NULL OR o.left_at > $2)",
        )
        .bind(id)
        .bind(micros(now))
        .fetch_optional(&self.read)
        .await?;
        row.as_ref().map(|row| read_officer(&Reading("session", row))).transpose()
    }

    /// Ends a session.
    pub async fn close_session(&self, id: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM session WHERE id = $1").bind(id).execute(&self.write).await?;
        Ok(())
    }
}

/// The browser itself where the officer has signed in before, else everywhere else.
async fn source<'b>(
    tx: &mut Writing,
    id: &OfficerId,
    browser: &'b str,
    now: OffsetDateTime,
) -> Result<&'b str, StoreError> {
    let known = sqlx::query("SELECT id FROM known_browser WHERE id = $1 AND officer = $2 AND known_until > $3")
        .bind(browser)
        .bind(id.as_str())
        .bind(micros(now))
        .fetch_optional(&mut **tx)
        .await?;
    Ok(if known.is_some() { browser } else { ELSEWHERE })
}

/// How long a source waits after so many turns without the right password.
fn wait(failures: i64) -> Duration {
    let beyond = failures - limits::SIGN_IN_FAILURES;
    if beyond < 0 {
        return Duration::ZERO;
    }
    let doubled = limits::SIGN_IN_WAIT_MINUTES << beyond.min(16);
    Duration::minutes(doubled.min(limits::SIGN_IN_LONGEST_WAIT_MINUTES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_waits_longer_each_time_and_never_for_ever() {
        let minutes: Vec<i64> = [1, 4, 5, 6, 7, 10, 11, 12, 1000].map(|n| wait(n).whole_minutes()).into();
        assert_eq!(minutes, [0, 0, 1, 2, 4, 32, 60, 60, 60]);
    }
}
