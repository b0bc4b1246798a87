//! How often seals are used: the ceilings that were laid down, whether one more use is within them, and the alarms.
//!
//! Asked inside the transaction that writes the order, which holds the seal's row: of two writers at once the second
//! counts the first. The unique running numbers would stop it even if that lock were lost.

use std::collections::HashMap;

use time::OffsetDateTime;

use super::audit::{audit, changed, post};
use super::row::Reading;
use super::seals::touch;
use super::writing::Writing;
use super::{Store, StoreError, micros};
use crate::ceiling::{Asked, Ceiling, Ceilings, Level, Span, Whose};
use crate::officer::{Grant, OfficerId};
use crate::refusal::Refusal;
use crate::seal::SealNumber;

/// The running numbers of one use of a seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    pub of_seal: i64,
    pub of_officer: i64,
}

/// An alarm as the office sees it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct UseAlarm {
    pub seal: SealNumber,
    /// Whose ceiling; none where it is the seal's own.
    pub officer: Option<String>,
    pub span: Span,
    pub level: Level,
    pub most: u32,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// A ceiling that holds, where it comes from, and what is used of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Usage {
    /// The grant whose officer is counted; none for the seal itself.
    pub grant: Option<Grant>,
    pub ceiling: Ceiling,
    /// The document that laid it down; none where the settings do.
    pub document: Option<String>,
    /// Uses within the last hour and the last day.
    pub in_hour: u32,
    pub in_day: u32,
}

/// Who wants more than there is, for the alarm that outlives the transaction.
#[derive(Debug)]
pub(super) struct Alarm {
    officer: Option<String>,
    span: Span,
    level: Level,
    most: u32,
}

/// What stands in the way of a use: the refusal, and the alarm to be written although nothing else is.
#[derive(Debug)]
pub(super) enum Stopped {
    Over(Refusal, Alarm),
    Store(StoreError),
}

impl<E: Into<StoreError>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

/// Takes one use of the seal in this transaction, which holds the seal's row.
pub(super) async fn take(
    tx: &mut Writing,
    seal: &SealNumber,
    officer: &OfficerId,
    grant: &str,
    defaults: Ceilings,
    now: OffsetDateTime,
) -> Result<Counted, Stopped> {
    let row = sqlx::query(
        "SELECT (SELECT MAX(of_seal) FROM seal_order WHERE seal = $1) AS of_seal, \
         (SELECT MAX(of_officer) FROM seal_order WHERE seal = $1 AND officer = $2) AS of_officer, \
         (SELECT an_hour FROM ceiling WHERE seal = $1 AND grant_id IS NULL ORDER BY position DESC LIMIT 1) AS seal_hour, \
         (SELECT a_day FROM ceiling WHERE seal = $1 AND grant_id IS NULL ORDER BY position DESC LIMIT 1) AS seal_day, \
         (SELECT an_hour FROM ceiling WHERE seal = $1 AND grant_id = $3 ORDER BY position DESC LIMIT 1) AS officer_hour, \
         (SELECT a_day FROM ceiling WHERE seal = $1 AND grant_id = $3 ORDER BY position DESC LIMIT 1) AS officer_day",
    )
    .bind(seal.as_str())
    .bind(officer.as_str())
    .bind(grant)
    .fetch_one(&mut **tx)
    .await?;
    let row = Reading("ceiling", &row);
    let next = |column| Ok::<_, StoreError>(row.get::<Option<i64>>(column)?.unwrap_or(0) + 1);
    let counted = Counted { of_seal: next("of_seal")?, of_officer: next("of_officer")? };
    let of_seal = laid_down(&row, "seal_hour", "seal_day")?.unwrap_or(defaults.seal);
    let of_officer = laid_down(&row, "officer_hour", "officer_day")?.unwrap_or(defaults.officer);
    let asked = |whose, span| {
        let (next, ceiling) = match whose {
            Whose::Seal => (counted.of_seal, of_seal),
            Whose::Officer => (counted.of_officer, of_officer),
        };
        Asked { seal, whose, span, most: ceiling.within(span), next }
    };
    let all = [
        asked(Whose::Seal, Span::Hour),
        asked(Whose::Seal, Span::Day),
        asked(Whose::Officer, Span::Hour),
        asked(Whose::Officer, Span::Day),
    ];
    let dates = dates(tx, seal, officer, &all).await?;
    let mut alarms = vec![];
    for asked in all {
        let whose = (asked.whose == Whose::Officer).then(|| officer.to_string());
        let alarm = |level| Alarm { officer: whose, span: asked.span, level, most: asked.most };
        match asked.judge(|number| dates.get(&(asked.whose == Whose::Officer, number)).copied(), now) {
            Ok(level) => alarms.extend(level.map(alarm)),
            Err(refusal) => return Err(Stopped::Over(refusal, alarm(Level::Refused))),
        }
    }
    for alarm in alarms {
        sound(tx, seal, &alarm, now).await?;
    }
    Ok(counted)
}

/// When the uses with the numbers asked for were written down.
async fn dates(
    tx: &mut Writing,
    seal: &SealNumber,
    officer: &OfficerId,
    all: &[Asked<'_>; 4],
) -> Result<HashMap<(bool, i64), OffsetDateTime>, StoreError> {
    let [hour, day, officer_hour, officer_day] = all.map(|asked| asked.needs());
    let mut query = sqlx::query(
        "SELECT 'seal' AS whose, of_seal AS number, written_at FROM seal_order WHERE seal = $1 AND of_seal IN ($3, $4, $5, $6, $7, $8) \
         UNION ALL SELECT 'officer' AS whose, of_officer AS number, written_at FROM seal_order WHERE seal = $1 AND officer = $2 AND of_officer IN ($9, $10, $11, $12, $13, $14)",
    )
    .bind(seal.as_str())
    .bind(officer.as_str());
    for number in [hour, day, officer_hour, officer_day].into_iter().flatten() {
        query = query.bind(number);
    }
    let mut dates = HashMap::new();
    for row in &query.fetch_all(&mut **tx).await? {
        let row = Reading("seal_order", row);
        dates.insert((row.get::<String>("whose")? == "officer", row.get("number")?), row.time("written_at")?);
    }
    Ok(dates)
}

fn laid_down(row: &Reading<'_>, hour: &'static str, day: &'static str) -> Result<Option<Ceiling>, StoreError> {
    let number = |column| -> Result<Option<u32>, StoreError> {
        row.get::<Option<i64>>(column)?
            .map(|n| u32::try_from(n).map_err(|e| row.bad(column, e.to_string())))
            .transpose()
    };
    Ok(number(hour)?.zip(number(day)?).map(|(an_hour, a_day)| Ceiling { an_hour, a_day }))
}

/// Writes an alarm into the trail and the outbox, once for each window.
async fn sound(tx: &mut Writing, seal: &SealNumber, alarm: &Alarm, now: OffsetDateTime) -> Result<(), StoreError> {
    let whose = alarm.officer.as_deref().unwrap_or_default();
    let row = sqlx::query(
        "SELECT COUNT(*) AS rows_found, (SELECT COUNT(*) FROM use_alarm WHERE seal = $1 AND officer = $2 AND span = $3 AND level = $4 AND at > $5) AS given \
         FROM use_alarm WHERE seal = $1",
    )
    .bind(seal.as_str())
    .bind(whose)
    .bind(alarm.span.as_str())
    .bind(alarm.level.as_str())
    .bind(micros(now - alarm.span.length()))
    .fetch_one(&mut **tx)
    .await?;
    let row = Reading("use_alarm", &row);
    if row.get::<i64>("given")? > 0 {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO use_alarm (seal, position, officer, span, level, most, at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(seal.as_str())
    .bind(row.get::<i64>("rows_found")?)
    .bind(whose)
    .bind(alarm.span.as_str())
    .bind(alarm.level.as_str())
    .bind(i64::from(alarm.most))
    .bind(micros(now))
    .execute(&mut **tx)
    .await?;
    let said = serde_json::json!({ "seal": seal, "officer": alarm.officer, "span": alarm.span, "level": alarm.level, "most": alarm.most });
    post(tx, now, "seal.use-alarm", seal.as_str(), &said).await?;
    audit(tx, now, "service", &format!("use.{}", alarm.level.as_str()), seal.as_str(), &said).await
}

impl Store {
    /// What was refused leaves its alarm, in a transaction of its own.
    pub(super) async fn alarm(&self, seal: &SealNumber, alarm: &Alarm, now: OffsetDateTime) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        lock(&mut tx, seal).await?;
        sound(&mut tx, seal, alarm, now).await?;
        tx.commit().await
    }

    /// Lays down the ceiling of a seal, or of a grant of it; none gives it back to the settings.
    pub async fn set_ceiling(
        &self,
        seal: &SealNumber,
        grant: Option<&str>,
        ceiling: Option<Ceiling>,
        document: &str,
        (by, confirmed_by): (&OfficerId, &OfficerId),
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        touch(&mut tx, seal).await?;
        if let Some(grant) = grant {
            let found = sqlx::query("SELECT id FROM seal_grant WHERE id = $1 AND seal = $2")
                .bind(grant)
                .bind(seal.as_str())
                .fetch_optional(&mut *tx)
                .await?;
            found.ok_or_else(|| {
                StoreError::conflict("store.no-grant", "该印章没有此授权", "there is no such grant of this seal")
            })?;
        }
        let before = sqlx::query(
            "SELECT an_hour, a_day FROM ceiling WHERE seal = $1 AND COALESCE(grant_id, '') = $2 ORDER BY position DESC LIMIT 1",
        )
        .bind(seal.as_str())
        .bind(grant.unwrap_or_default())
        .fetch_optional(&mut *tx)
        .await?;
        let before = before.map(|row| laid_down(&Reading("ceiling", &row), "an_hour", "a_day")).transpose()?.flatten();
        let row = sqlx::query("SELECT COUNT(*) AS rows_found FROM ceiling WHERE seal = $1")
            .bind(seal.as_str())
            .fetch_one(&mut *tx)
            .await?;
        let position: i64 = Reading("ceiling", &row).get("rows_found")?;
        sqlx::query(
            "INSERT INTO ceiling (seal, position, grant_id, an_hour, a_day, document, recorded_at, recorded_by, confirmed_by) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(seal.as_str())
        .bind(position)
        .bind(grant.map(str::to_owned))
        .bind(ceiling.map(|ceiling| i64::from(ceiling.an_hour)))
        .bind(ceiling.map(|ceiling| i64::from(ceiling.a_day)))
        .bind(document)
        .bind(micros(now))
        .bind(by.as_str())
        .bind(confirmed_by.as_str())
        .execute(&mut *tx)
        .await?;
        let record = |ceiling: &Ceiling| serde_json::json!({ "seal": seal, "grant": grant, "ceiling": ceiling });
        let detail = serde_json::json!({ "grant": grant, "ceiling": ceiling, "document": document, "confirmed_by": confirmed_by });
        let detail = changed(detail, before.as_ref().map(record).as_ref(), ceiling.as_ref().map(record).as_ref())?;
        audit(&mut tx, now, by.as_str(), "seal.ceiling-set", seal.as_str(), &detail).await?;
        tx.commit().await
    }

    /// The ceilings of a seal and of its grants that are in force, with what is used of each.
    pub async fn usage(
        &self,
        seal: &SealNumber,
        defaults: Ceilings,
        now: OffsetDateTime,
    ) -> Result<Vec<Usage>, StoreError> {
        let mut usage = vec![self.used(seal, None, defaults.seal, now).await?];
        let grants = self.grants(seal).await?;
        for grant in grants.into_iter().filter(|grant| grant.revoked_at.is_none() && grant.until > now) {
            usage.push(self.used(seal, Some(grant), defaults.officer, now).await?);
        }
        Ok(usage)
    }

    async fn used(
        &self,
        seal: &SealNumber,
        grant: Option<Grant>,
        default: Ceiling,
        now: OffsetDateTime,
    ) -> Result<Usage, StoreError> {
        let row = sqlx::query(
            "SELECT an_hour, a_day, document FROM ceiling WHERE seal = $1 AND COALESCE(grant_id, '') = $2 ORDER BY position DESC LIMIT 1",
        )
        .bind(seal.as_str())
        .bind(grant.as_ref().map_or("", |grant| grant.id.as_str()))
        .fetch_optional(&self.read)
        .await?;
        let mut laid = None;
        if let Some(row) = &row {
            let row = Reading("ceiling", row);
            if let Some(ceiling) = laid_down(&row, "an_hour", "a_day")? {
                laid = Some((ceiling, row.get::<String>("document")?));
            }
        }
        let officer = grant.as_ref().map_or("", |grant| grant.officer.as_str());
        let since = async |span: Span| {
            let row = sqlx::query(
                "SELECT COUNT(*) AS rows_found FROM seal_order WHERE seal = $1 AND ($2 = '' OR officer = $2) AND written_at > $3",
            )
            .bind(seal.as_str())
            .bind(officer)
            .bind(micros(now - span.length()))
            .fetch_one(&self.read)
            .await?;
            Ok::<_, StoreError>(
                u32::try_from(Reading("seal_order", &row).get::<i64>("rows_found")?).unwrap_or(u32::MAX),
            )
        };
        let (in_hour, in_day) = (since(Span::Hour).await?, since(Span::Day).await?);
        let (ceiling, document) = laid.map_or((default, None), |(ceiling, document)| (ceiling, Some(document)));
        Ok(Usage { grant, ceiling, document, in_hour, in_day })
    }

    /// Alarms from `since` on, newest first, at most `limit`.
    pub async fn use_alarms(&self, since: OffsetDateTime, limit: u16) -> Result<Vec<UseAlarm>, StoreError> {
        sqlx::query("SELECT seal, officer, span, level, most, at FROM use_alarm WHERE at >= $1 ORDER BY at DESC, seal, position DESC LIMIT $2")
            .bind(micros(since))
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await?
            .iter()
            .map(|row| {
                let row = Reading("use_alarm", row);
                let officer: String = row.get("officer")?;
                Ok(UseAlarm {
                    seal: row.parse("seal", SealNumber::parse)?,
                    officer: Some(officer).filter(|officer| !officer.is_empty()),
                    span: row.word("span")?,
                    level: row.word("level")?,
                    most: u32::try_from(row.get::<i64>("most")?).map_err(|e| row.bad("most", e.to_string()))?,
                    at: row.time("at")?,
                })
            })
            .collect()
    }
}

/// Holds the seal's row until the transaction ends, and changes nothing.
async fn lock(tx: &mut Writing, seal: &SealNumber) -> Result<(), StoreError> {
    sqlx::query("UPDATE seal SET revision = revision WHERE number = $1").bind(seal.as_str()).execute(&mut **tx).await?;
    Ok(())
}
