//! Seals with their lives, certificates and custody, and orders of abolition.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::any::AnyRow;
use time::OffsetDateTime;

use super::audit::{audit, changed};
use super::row::{Reading, as_stored, to_json};
use super::writing::Writing;
use super::{Store, StoreError, exactly_one, micros};
use crate::abolition::{AbolitionOrder, AbolitionRequest, CustodyEntry};
use crate::authority::Uscc;
use crate::officer::OfficerId;
use crate::seal::{Level, Life, Seal, SealEvent, SealEventKind, SealNumber, check_acknowledged, unknown};
use crate::tlog::leaf::Matter;

/// A seal as filed, with what the rules do not need to know.
#[derive(Debug, Clone)]
pub struct FiledSeal {
    pub seal: Seal,
    /// The picture's description (JSON of the room that draws it).
    pub impression: serde_json::Value,
    /// What its documents are promised from now on.
    pub level: Level,
    /// From when on its documents must be in the log.
    pub logged_since: Option<OffsetDateTime>,
    /// Changes with every event and grant; an order made on older facts is refused.
    pub revision: i64,
}

/// A certificate that binds a seal to a key.
#[derive(Debug, Clone)]
pub struct SealCertificate {
    /// SHA-256 of the certificate, hexadecimal.
    pub digest: String,
    pub seal: SealNumber,
    /// Serial number, hexadecimal.
    pub serial: String,
    /// DER.
    pub certificate: Vec<u8>,
    /// DER of the issuers, nearest first, root last or absent.
    pub chain: Vec<Vec<u8>>,
    pub key_label: String,
    pub installed_at: OffsetDateTime,
    /// From when on it is used for sealing.
    pub used_from: OffsetDateTime,
}

/// Which seals to list.
#[derive(Debug, Clone, Default)]
pub struct SealFilter {
    /// Part of a number, legend or owner's name.
    pub text: String,
    pub owner: Option<Uscc>,
    pub limit: u16,
    pub offset: u32,
}

const SEAL: &str = "SELECT number, owner, owner_name, legend, kind, impression, level, revision, logged_since FROM seal WHERE number = $1";
const EVENTS: &str =
    "SELECT seal, kind, at, document, reason, successor, items FROM seal_event WHERE seal = $1 ORDER BY position";

macro_rules! filtered {
    () => {
        "(s.number LIKE $1 OR s.legend LIKE $1 OR s.owner_name LIKE $1) AND ($2 = '' OR s.owner = $2)"
    };
}

impl Store {
    /// Files a seal with the events it already has.
    pub async fn add_seal(
        &self,
        seal: &Seal,
        impression: &serde_json::Value,
        level: Level,
        (by, confirmed_by): (&OfficerId, &OfficerId),
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO seal (number, owner, owner_name, legend, kind, impression, level, revision, logged_since) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8)")
            .bind(seal.number.as_str())
            .bind(seal.owner.as_str())
            .bind(&seal.owner_name)
            .bind(&seal.legend)
            .bind(seal.kind.as_str())
            .bind(impression.to_string())
            .bind(level.as_str())
            .bind(micros(now))
            .execute(&mut *tx)
            .await
            .map_err(|e| already(e, "store.seal", "该印章编号已登记", "this seal number is already filed"))?;
        audit(
            &mut tx,
            now,
            by.as_str(),
            "seal.filed",
            seal.number.as_str(),
            &serde_json::json!({ "legend": seal.legend, "level": level, "confirmed_by": confirmed_by }),
        )
        .await?;
        enter(&mut tx, "filed", &seal.number, &to_json(seal)?, (by, confirmed_by), now).await?;
        // Filing writes down a life that has been led; only what is added later asks what may be.
        for (position, event) in seal.life.events().iter().enumerate() {
            insert_event(&mut tx, &seal.number, position, event, (by, confirmed_by), now).await?;
        }
        tx.commit().await
    }

    /// One seal with its life.
    pub async fn seal(&self, number: &SealNumber) -> Result<Option<FiledSeal>, StoreError> {
        let Some(row) = sqlx::query(SEAL).bind(number.as_str()).fetch_optional(&self.read).await? else {
            return Ok(None);
        };
        let events = sqlx::query(EVENTS).bind(number.as_str()).fetch_all(&self.read).await?;
        read_seal(&row, events.iter()).map(Some)
    }

    /// Seals by number, filtered.
    pub async fn seals(&self, filter: &SealFilter) -> Result<Vec<FiledSeal>, StoreError> {
        let like = format!("%{}%", filter.text.replace(['%', '_'], ""));
        let owner = filter.owner.as_ref().map_or("", Uscc::as_str);
        let rows = sqlx::query(concat!(
            "SELECT number, owner, owner_name, legend, kind, impression, level, revision, logged_since FROM seal s WHERE ",
            filtered!(),
            " ORDER BY number LIMIT $3 OFFSET $4"
        ))
        .bind(&like)
        .bind(owner)
        .bind(i64::from(filter.limit))
        .bind(i64::from(filter.offset))
        .fetch_all(&self.read)
        .await?;
        let number = |row| Reading("seal", row).get::<String>("number");
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(vec![]) };
        // The events of all of them at once: the same filter, between the first and the last number.
        let events = sqlx::query(concat!(
            "SELECT e.seal AS seal, e.kind AS kind, e.at AS at, e.document AS document, e.reason AS reason, e.successor AS successor, e.items AS items \
             FROM seal_event e JOIN seal s ON s.number = e.seal WHERE ",
            filtered!(),
            " AND s.number >= $3 AND s.number <= $4 ORDER BY e.seal, e.position"
        ))
        .bind(&like)
        .bind(owner)
        .bind(number(first)?)
        .bind(number(last)?)
        .fetch_all(&self.read)
        .await?;
        let mut of_seal: BTreeMap<String, Vec<&AnyRow>> = BTreeMap::new();
        for event in &events {
            of_seal.entry(Reading("seal_event", event).get("seal")?).or_default().push(event);
        }
        rows.iter().map(|row| read_seal(row, of_seal.remove(&number(row)?).unwrap_or_default())).collect()
    }

    /// How many seals are on the register.
    pub async fn seal_count(&self) -> Result<u64, StoreError> {
        self.count("SELECT COUNT(*) AS rows_found FROM seal").await
    }

    /// Adds a step to a seal's life, if it is possible from where the seal stands then. `acknowledged` is the number of
    /// documents that a step which counts from before now ends.
    pub async fn add_seal_event(
        &self,
        number: &SealNumber,
        event: &SealEvent,
        by: &OfficerId,
        confirmed_by: &OfficerId,
        acknowledged: u64,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let ended = append_event(&mut tx, number, event, by, confirmed_by, now).await?;
        check_acknowledged(event.at, ended, acknowledged, now)?;
        tx.commit().await
    }

    /// What the seal's documents are promised from now on. Orders that are written down keep what they were promised.
    pub async fn set_level(
        &self,
        number: &SealNumber,
        level: Level,
        by: &OfficerId,
        confirmed_by: &OfficerId,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        touch(&mut tx, number).await?;
        let row = sqlx::query(SEAL).bind(number.as_str()).fetch_one(&mut *tx).await?;
        let before: Level = Reading("seal", &row).parse("level", Level::parse)?;
        sqlx::query("UPDATE seal SET level = $1 WHERE number = $2")
            .bind(level.as_str())
            .bind(number.as_str())
            .execute(&mut *tx)
            .await?;
        let record = |level: Level| serde_json::json!({ "seal": number, "level": level });
        let detail = serde_json::json!({ "from": before, "to": level, "confirmed_by": confirmed_by });
        let detail = changed(detail, Some(&record(before)), Some(&record(level)))?;
        audit(&mut tx, now, by.as_str(), "seal.level", number.as_str(), &detail).await?;
        tx.commit().await
    }

    /// Binds a certificate to a seal; the newest one counts for sealing, all stay for verification.
    pub async fn install_certificate(
        &self,
        certificate: &SealCertificate,
        (by, confirmed_by): (&OfficerId, &OfficerId),
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        insert_certificate(&mut tx, certificate, by, confirmed_by, now).await?;
        tx.commit().await
    }

    /// A seal's certificates, oldest first.
    pub async fn certificates(&self, seal: &SealNumber) -> Result<Vec<SealCertificate>, StoreError> {
        sqlx::query("SELECT digest, seal, serial, certificate, chain, key_label, installed_at, used_from FROM seal_certificate WHERE seal = $1 ORDER BY installed_at, digest")
            .bind(seal.as_str())
            .fetch_all(&self.read)
            .await?
            .iter()
            .map(read_certificate)
            .collect()
    }

    /// The certificate with this SHA-256 (hexadecimal), whichever seal it belongs to.
    pub async fn certificate(&self, digest: &str) -> Result<Option<SealCertificate>, StoreError> {
        sqlx::query("SELECT digest, seal, serial, certificate, chain, key_label, installed_at, used_from FROM seal_certificate WHERE digest = $1")
            .bind(digest)
            .fetch_optional(&self.read)
            .await?
            .as_ref()
            .map(read_certificate)
            .transpose()
    }

    /// Closes (or reopens) every seal of an order and takes them into custody in one transaction: all or none.
    /// `acknowledged` is the number of documents that the order ends where it counts from before now.
    pub async fn record_abolition(
        &self,
        order: &AbolitionOrder,
        custody: &[(SealNumber, CustodyEntry)],
        by: &OfficerId,
        confirmed_by: &OfficerId,
        acknowledged: u64,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let written = order.get();
        let mut tx = self.begin().await?;
        // All in one order of numbers: two orders over the same seals never wait for each other in a ring.
        let named = written.seals.iter().map(|seal| &seal.number).chain(custody.iter().map(|(number, _)| number));
        for number in named.collect::<BTreeSet<_>>() {
            touch(&mut tx, number).await?;
        }
        sqlx::query("INSERT INTO abolition (number, abolition, at, recorded_at, recorded_by, confirmed_by) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(&written.number)
            .bind(to_json(order)?)
            .bind(micros(written.at))
            .bind(micros(now))
            .bind(by.as_str())
            .bind(confirmed_by.as_str())
            .execute(&mut *tx)
            .await
            .map_err(|e| already(e, "store.abolition", "该文号的决定已登记；如需更正，请以新的决定办理", "an order with this number is already recorded; a correction is a new order"))?;
        let mut ended = 0;
        for seal in &written.seals {
            ended += append_event(&mut tx, &seal.number, &order.event(seal), by, confirmed_by, now).await?;
        }
        check_acknowledged(written.at, ended, acknowledged, now)?;
        for (number, entry) in custody {
            append_custody(&mut tx, number, entry, by, confirmed_by, now).await?;
        }
        tx.commit().await
    }

    /// An order of abolition by its number.
    pub async fn abolition(&self, number: &str) -> Result<Option<AbolitionOrder>, StoreError> {
        let row = sqlx::query("SELECT abolition FROM abolition WHERE number = $1")
            .bind(number)
            .fetch_optional(&self.read)
            .await?;
        row.as_ref().map(read_abolition).transpose()
    }

    /// All orders of abolition, newest first.
    pub async fn abolitions(&self) -> Result<Vec<AbolitionOrder>, StoreError> {
        sqlx::query("SELECT abolition FROM abolition ORDER BY at DESC, number")
            .fetch_all(&self.read)
            .await?
            .iter()
            .map(read_abolition)
            .collect()
    }

    /// Some orders of abolition, newest first.
    pub async fn some_abolitions(&self, limit: u16, offset: u32) -> Result<Vec<AbolitionOrder>, StoreError> {
        sqlx::query("SELECT abolition FROM abolition ORDER BY at DESC, number LIMIT $1 OFFSET $2")
            .bind(i64::from(limit))
            .bind(i64::from(offset))
            .fetch_all(&self.read)
            .await?
            .iter()
            .map(read_abolition)
            .collect()
    }

    /// How many orders of abolition are recorded.
    pub async fn abolition_count(&self) -> Result<u64, StoreError> {
        self.count("SELECT COUNT(*) AS rows_found FROM abolition").await
    }

    pub(super) async fn count(&self, query: &'static str) -> Result<u64, StoreError> {
        let row = sqlx::query(query).fetch_one(&self.read).await?;
        Ok(u64::try_from(Reading("count", &row).get::<i64>("rows_found")?).unwrap_or(0))
    }

    /// Adds a custody entry after asking rule 4 inside the transaction.
    pub async fn add_custody(
        &self,
        number: &SealNumber,
        entry: &CustodyEntry,
        by: &OfficerId,
        confirmed_by: &OfficerId,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        append_custody(&mut tx, number, entry, by, confirmed_by, now).await?;
        tx.commit().await
    }

    /// A seal's custody, oldest first.
    pub async fn custody(&self, number: &SealNumber) -> Result<Vec<CustodyEntry>, StoreError> {
        sqlx::query(CUSTODY)
            .bind(number.as_str())
            .fetch_all(&self.read)
            .await?
            .iter()
            .map(|row| Reading("custody_entry", row).json("entry"))
            .collect()
    }
}

pub(super) async fn insert_certificate(
    tx: &mut Writing,
    certificate: &SealCertificate,
    by: &OfficerId,
    confirmed_by: &OfficerId,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO seal_certificate (digest, seal, serial, certificate, chain, key_label, installed_at, used_from) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(&certificate.digest)
        .bind(certificate.seal.as_str())
        .bind(&certificate.serial)
        .bind(certificate.certificate.as_slice())
        .bind(certificate.chain.concat())
        .bind(&certificate.key_label)
        .bind(micros(certificate.installed_at))
        .bind(micros(certificate.used_from))
        .execute(&mut **tx)
        .await
        .map_err(|e| already(e, "store.certificate", "该证书已安装", "this certificate is already installed"))?;
    let detail = serde_json::json!({
        "serial": certificate.serial, "sha256": certificate.digest, "used_from": micros(certificate.used_from),
        "confirmed_by": confirmed_by,
    });
    audit(tx, now, by.as_str(), "seal.certificate-installed", certificate.seal.as_str(), &detail).await?;
    enter(tx, "certificate", &certificate.seal, &certificate.digest, (by, confirmed_by), now).await
}

const CUSTODY: &str = "SELECT entry FROM custody_entry WHERE seal = $1 ORDER BY position";

async fn append_custody(
    tx: &mut Writing,
    number: &SealNumber,
    entry: &CustodyEntry,
    by: &OfficerId,
    confirmed_by: &OfficerId,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    touch(tx, number).await?;
    let seal = seal_in(tx, number).await?;
    let rows = sqlx::query(CUSTODY).bind(number.as_str()).fetch_all(&mut **tx).await?;
    let earlier: Vec<CustodyEntry> =
        rows.iter().map(|row| Reading("custody_entry", row).json("entry")).collect::<Result<_, _>>()?;
    entry.check(&seal, &earlier)?;
    sqlx::query(
        "INSERT INTO custody_entry (seal, position, at, entry, recorded_at, recorded_by) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(number.as_str())
    .bind(i64::try_from(earlier.len()).unwrap_or(i64::MAX))
    .bind(micros(entry.at))
    .bind(to_json(entry)?)
    .bind(micros(now))
    .bind(by.as_str())
    .execute(&mut **tx)
    .await?;
    let detail = serde_json::json!({ "kind": entry.kind, "container": entry.container, "confirmed_by": confirmed_by });
    audit(tx, now, by.as_str(), "seal.custody", number.as_str(), &detail).await?;
    enter(tx, "custody", number, &to_json(entry)?, (by, confirmed_by), now).await
}

/// Locks the seal's row against orders in flight and makes their facts stale.
pub(super) async fn touch(tx: &mut Writing, number: &SealNumber) -> Result<(), StoreError> {
    let done = sqlx::query("UPDATE seal SET revision = revision + 1 WHERE number = $1")
        .bind(number.as_str())
        .execute(&mut **tx)
        .await?;
    exactly_one(done, || StoreError::Refused(unknown(number)))
}

pub(super) async fn seal_in(tx: &mut Writing, number: &SealNumber) -> Result<Seal, StoreError> {
    let row =
        sqlx::query(SEAL).bind(number.as_str()).fetch_optional(&mut **tx).await?.ok_or_else(|| unknown(number))?;
    let events = sqlx::query(EVENTS).bind(number.as_str()).fetch_all(&mut **tx).await?;
    Ok(read_seal(&row, events.iter())?.seal)
}

/// Adds a step where it is possible; gives the number of sealed documents that it ends.
async fn append_event(
    tx: &mut Writing,
    number: &SealNumber,
    event: &SealEvent,
    by: &OfficerId,
    confirmed_by: &OfficerId,
    now: OffsetDateTime,
) -> Result<u64, StoreError> {
    touch(tx, number).await?;
    let mut life = seal_in(tx, number).await?.life;
    let position = life.events().len();
    life.add(event.clone(), now)?;
    insert_event(tx, number, position, event, (by, confirmed_by), now).await?;
    if !matches!(event.kind, SealEventKind::Suspended | SealEventKind::Abolished) {
        return Ok(0);
    }
    // A document is proven to exist from the moment at which its order ended; that is what the step would undo.
    let row = sqlx::query(
        "SELECT COUNT(*) AS rows_found FROM seal_order WHERE seal = $1 AND state = 'sealed' AND ended_at >= $2",
    )
    .bind(number.as_str())
    .bind(micros(event.at))
    .fetch_one(&mut **tx)
    .await?;
    Ok(u64::try_from(Reading("seal_order", &row).get::<i64>("rows_found")?).unwrap_or(0))
}

async fn insert_event(
    tx: &mut Writing,
    number: &SealNumber,
    position: usize,
    event: &SealEvent,
    (by, confirmed_by): (&OfficerId, &OfficerId),
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO seal_event (seal, position, kind, at, document, reason, successor, items, recorded_at, recorded_by, confirmed_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(number.as_str())
    .bind(i64::try_from(position).unwrap_or(i64::MAX))
    .bind(event.kind.as_str())
    .bind(micros(event.at))
    .bind(&event.document)
    .bind(&event.reason)
    .bind(event.successor.as_ref().map(|s| s.as_str().to_owned()))
    .bind(to_json(&event.items)?)
    .bind(micros(now))
    .bind(by.as_str())
    .bind(confirmed_by.as_str())
    .execute(&mut **tx)
    .await?;
    let what = format!("seal.{}", event.kind.as_str());
    audit(
        tx,
        now,
        by.as_str(),
        &what,
        number.as_str(),
        &serde_json::json!({ "at": micros(event.at), "document": event.document, "confirmed_by": confirmed_by }),
    )
    .await?;
    let event = SealEvent { at: as_stored(event.at), ..event.clone() };
    enter(tx, event.kind.as_str(), number, &to_json(&event)?, (by, confirmed_by), now).await
}

/// Enters a step of a seal's life in the log: what it was in full is behind its digest.
async fn enter(
    tx: &mut Writing,
    act: &str,
    number: &SealNumber,
    record: &str,
    (by, confirmed_by): (&OfficerId, &OfficerId),
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let record = hex::encode(crate::crypto::sha256(record.as_bytes()));
    let facts = [("record", record.as_str()), ("by", by.as_str()), ("confirmed-by", confirmed_by.as_str())];
    tx.enter((Matter::Seal, act), now, Some(number), None, &facts).await?;
    Ok(())
}

pub(super) fn read_event(row: &Reading<'_>) -> Result<SealEvent, StoreError> {
    let successor: Option<String> = row.get("successor")?;
    Ok(SealEvent {
        kind: row.word("kind")?,
        at: row.time("at")?,
        document: row.get("document")?,
        reason: row.get("reason")?,
        successor: successor
            .map(|s| SealNumber::parse(&s))
            .transpose()
            .map_err(|e| row.bad("successor", e.to_string()))?,
        items: row.json("items")?,
    })
}

fn read_seal<'r>(row: &AnyRow, events: impl IntoIterator<Item = &'r AnyRow>) -> Result<FiledSeal, StoreError> {
    let row = Reading("seal", row);
    let events = events.into_iter().map(|row| read_event(&Reading("seal_event", row)));
    let events = events.collect::<Result<Vec<_>, StoreError>>()?;
    Ok(FiledSeal {
        seal: Seal {
            number: row.parse("number", SealNumber::parse)?,
            owner: row.parse("owner", Uscc::parse)?,
            owner_name: row.get("owner_name")?,
            legend: row.get("legend")?,
            kind: row.word("kind")?,
            life: Life::replay(events).map_err(|e| StoreError::Row {
                table: "seal_event",
                column: "kind",
                why: e.to_string(),
            })?,
        },
        impression: row.json("impression")?,
        level: row.parse("level", Level::parse)?,
        revision: row.get("revision")?,
        logged_since: row.time_or_none("logged_since")?,
    })
}

pub(super) fn read_certificate(row: &AnyRow) -> Result<SealCertificate, StoreError> {
    let row = Reading("seal_certificate", row);
    let chain: Vec<u8> = row.get("chain")?;
    Ok(SealCertificate {
        digest: row.get("digest")?,
        seal: row.parse("seal", SealNumber::parse)?,
        serial: row.get("serial")?,
        certificate: row.get("certificate")?,
        chain: split_der(&chain).ok_or_else(|| row.bad("chain", "not DER values one after another".into()))?,
        key_label: row.get("key_label")?,
        installed_at: row.time("installed_at")?,
        used_from: match row.time_or_none("used_from")? {
            Some(from) => from,
            None => row.time("installed_at")?,
        },
    })
}

/// DER values one after another, each with its own length.
pub(super) fn split_der(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    use der::{Encode, Header, Reader, SliceReader};
    let mut values = vec![];
    while !bytes.is_empty() {
        let mut reader = SliceReader::new(bytes).ok()?;
        let header: Header = reader.decode().ok()?;
        let length = usize::try_from((header.encoded_len().ok()? + header.length()).ok()?).ok()?;
        values.push(bytes.get(..length)?.to_vec());
        bytes = bytes.get(length..)?;
    }
    Some(values)
}

fn read_abolition(row: &AnyRow) -> Result<AbolitionOrder, StoreError> {
    let row = Reading("abolition", row);
    let request: AbolitionRequest = row.json("abolition")?;
    AbolitionOrder::read(request).map_err(|e| row.bad("abolition", e.to_string()))
}

/// A unique violation in words; everything else as it is.
pub(super) fn already(error: sqlx::Error, id: &'static str, zh: &str, en: &str) -> StoreError {
    if already_there(&error) { StoreError::conflict(id, zh, en) } else { StoreError::Database(error) }
}

pub(super) fn already_there(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(e) if e.is_unique_violation())
}
