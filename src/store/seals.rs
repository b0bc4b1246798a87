//! Authorities, items, seals with their lives, certificates and custody, and orders of abolition.

use std::collections::BTreeMap;

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};
use time::OffsetDateTime;

use super::audit::audit;
use super::row::{Reading, to_json};
use super::{Store, StoreError, exactly_one, micros};
use crate::abolition::{AbolitionOrder, AbolitionRequest, CustodyEntry};
use crate::authority::{Authority, Uscc};
use crate::item::{Item, ItemCode, Transfer};
use crate::officer::OfficerId;
use crate::refusal::{Refusal, Rule};
use crate::seal::{Life, Seal, SealEvent, SealNumber};

/// A seal as filed, with what the rules do not need to know.
#[derive(Debug, Clone)]
pub struct FiledSeal {
    pub seal: Seal,
    /// The picture's description (JSON of the room that draws it).
    pub impression: serde_json::Value,
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

const SEAL: &str = "SELECT number, owner, owner_name, legend, kind, impression, revision FROM seal WHERE number = $1";
const EVENTS: &str =
    "SELECT seal, kind, at, document, reason, successor, items FROM seal_event WHERE seal = $1 ORDER BY position";

impl Store {
    /// Files an authority; the same one again changes nothing, another under the same code is a conflict.
    pub async fn add_authority(&self, authority: &Authority) -> Result<(), StoreError> {
        if let Some(filed) = self.authority(&authority.uscc).await? {
            return if filed == *authority {
                Ok(())
            } else {
                Err(StoreError::conflict(
                    "store.authority",
                    "该统一社会信用代码已登记为另一单位",
                    "this code is already filed for another authority",
                ))
            };
        }
        sqlx::query("INSERT INTO authority (uscc, name, kind) VALUES ($1, $2, $3)")
            .bind(authority.uscc.as_str())
            .bind(&authority.name)
            .bind(authority.kind.as_str())
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// One authority.
    pub async fn authority(&self, uscc: &Uscc) -> Result<Option<Authority>, StoreError> {
        let row = sqlx::query("SELECT uscc, name, kind FROM authority WHERE uscc = $1")
            .bind(uscc.as_str())
            .fetch_optional(&self.read)
            .await?;
        row.as_ref().map(read_authority).transpose()
    }

    /// All authorities, by name.
    pub async fn authorities(&self) -> Result<Vec<Authority>, StoreError> {
        sqlx::query("SELECT uscc, name, kind FROM authority ORDER BY name")
            .fetch_all(&self.read)
            .await?
            .iter()
            .map(read_authority)
            .collect()
    }

    /// Puts an item on the list, with its transfers.
    pub async fn add_item(&self, item: &Item) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO item (code, name, department, example) VALUES ($1, $2, $3, $4)")
            .bind(item.code.as_str())
            .bind(&item.name)
            .bind(item.department.as_str())
            .bind(i64::from(item.example))
            .execute(&mut *tx)
            .await?;
        for transfer in &item.transfers {
            add_transfer(&mut tx, &item.code, transfer).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Moves an item to another authority.
    pub async fn add_transfer(&self, item: &ItemCode, transfer: &Transfer) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        add_transfer(&mut tx, item, transfer).await?;
        Ok(tx.commit().await?)
    }

    /// One item with its transfers.
    pub async fn item(&self, code: &ItemCode) -> Result<Option<Item>, StoreError> {
        Ok(self.items_named(code.as_str()).await?.pop())
    }

    /// The public list, by code.
    pub async fn items(&self) -> Result<Vec<Item>, StoreError> {
        self.items_named("").await
    }

    /// The item with this code, or all of them for an empty one: every use of a seal asks for just one.
    async fn items_named(&self, code: &str) -> Result<Vec<Item>, StoreError> {
        let mut transfers: BTreeMap<String, Vec<Transfer>> = BTreeMap::new();
        for row in &sqlx::query("SELECT item, to_authority, batch, document, at FROM item_transfer WHERE $1 = '' OR item = $1 ORDER BY item, at").bind(code)
            .fetch_all(&self.read)
            .await?
        {
            let row = Reading("item_transfer", row);
            transfers.entry(row.get("item")?).or_default().push(Transfer {
                to: row.parse("to_authority", Uscc::parse)?,
                batch: row.get("batch")?,
                document: row.get("document")?,
                at: row.time("at")?,
            });
        }
        sqlx::query("SELECT code, name, department, example FROM item WHERE $1 = '' OR code = $1 ORDER BY code")
            .bind(code)
            .fetch_all(&self.read)
            .await?
            .iter()
            .map(|row| {
                let row = Reading("item", row);
                let code = row.parse("code", ItemCode::parse)?;
                Ok(Item {
                    transfers: transfers.remove(code.as_str()).unwrap_or_default(),
                    code,
                    name: row.get("name")?,
                    department: row.parse("department", Uscc::parse)?,
                    example: row.get::<i64>("example")? != 0,
                })
            })
            .collect()
    }

    /// Files a seal with the events it already has.
    pub async fn add_seal(
        &self,
        seal: &Seal,
        impression: &serde_json::Value,
        by: &OfficerId,
        confirmed_by: &OfficerId,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO seal (number, owner, owner_name, legend, kind, impression, revision) VALUES ($1, $2, $3, $4, $5, $6, 0)")
            .bind(seal.number.as_str())
            .bind(seal.owner.as_str())
            .bind(&seal.owner_name)
            .bind(&seal.legend)
            .bind(seal.kind.as_str())
            .bind(impression.to_string())
            .execute(&mut *tx)
            .await
            .map_err(|e| already(e, "store.seal", "该印章编号已登记", "this seal number is already filed"))?;
        audit(
            &mut tx,
            now,
            by.as_str(),
            "seal.filed",
            seal.number.as_str(),
            &serde_json::json!({ "legend": seal.legend, "confirmed_by": confirmed_by }),
        )
        .await?;
        for event in seal.life.events() {
            append_event(&mut tx, &seal.number, event, by, confirmed_by, now).await?;
        }
        Ok(tx.commit().await?)
    }

    /// One seal with its life.
    pub async fn seal(&self, number: &SealNumber) -> Result<Option<FiledSeal>, StoreError> {
        let Some(row) = sqlx::query(SEAL).bind(number.as_str()).fetch_optional(&self.read).await? else {
            return Ok(None);
        };
        let events = sqlx::query(EVENTS).bind(number.as_str()).fetch_all(&self.read).await?;
        read_seal(&row, &events).map(Some)
    }

    /// Seals by number, filtered.
    pub async fn seals(&self, filter: &SealFilter) -> Result<Vec<FiledSeal>, StoreError> {
        let like = format!("%{}%", filter.text.replace(['%', '_'], ""));
        let rows = sqlx::query(
            "SELECT number, owner, owner_name, legend, kind, impression, revision FROM seal \
             WHERE (number LIKE $1 OR legend LIKE $1 OR owner_name LIKE $1) AND ($2 = '' OR owner = $2) ORDER BY number LIMIT $3 OFFSET $4",
        )
        .bind(like)
        .bind(filter.owner.as_ref().map_or("", Uscc::as_str))
        .bind(i64::from(filter.limit))
        .bind(i64::from(filter.offset))
        .fetch_all(&self.read)
        .await?;
        let mut seals = Vec::with_capacity(rows.len());
        for row in &rows {
            let number: String = Reading("seal", row).get("number")?;
            let events = sqlx::query(EVENTS).bind(&number).fetch_all(&self.read).await?;
            seals.push(read_seal(row, &events)?);
        }
        Ok(seals)
    }

    /// How many seals are on the register.
    pub async fn seal_count(&self) -> Result<u64, StoreError> {
        self.count("SELECT COUNT(*) AS rows_found FROM seal").await
    }

    /// Adds a step to a seal's life, if it is possible from where the seal stands now.
    pub async fn add_seal_event(
        &self,
        number: &SealNumber,
        event: &SealEvent,
        by: &OfficerId,
        confirmed_by: &OfficerId,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        append_event(&mut tx, number, event, by, confirmed_by, now).await?;
        Ok(tx.commit().await?)
    }

    /// Binds a certificate to a seal; the newest one counts for sealing, all stay for verification.
    pub async fn install_certificate(
        &self,
        certificate: &SealCertificate,
        by: &OfficerId,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO seal_certificate (digest, seal, serial, certificate, chain, key_label, installed_at) VALUES ($1, $2, $3, $4, $5, $6, $7)")
            .bind(&certificate.digest)
            .bind(certificate.seal.as_str())
            .bind(&certificate.serial)
            .bind(certificate.certificate.as_slice())
            .bind(certificate.chain.concat())
            .bind(&certificate.key_label)
            .bind(micros(certificate.installed_at))
            .execute(&mut *tx)
            .await
            .map_err(|e| already(e, "store.certificate", "该证书已安装", "this certificate is already installed"))?;
        audit(
            &mut tx,
            now,
            by.as_str(),
            "seal.certificate-installed",
            certificate.seal.as_str(),
            &serde_json::json!({ "serial": certificate.serial, "sha256": certificate.digest }),
        )
        .await?;
        Ok(tx.commit().await?)
    }

    /// A seal's certificates, oldest first.
    pub async fn certificates(&self, seal: &SealNumber) -> Result<Vec<SealCertificate>, StoreError> {
        sqlx::query("SELECT digest, seal, serial, certificate, chain, key_label, installed_at FROM seal_certificate WHERE seal = $1 ORDER BY installed_at, digest")
            .bind(seal.as_str())
            .fetch_all(&self.read)
            .await?
            .iter()
            .map(read_certificate)
            .collect()
    }

    /// The certificate with this SHA-256 (hexadecimal), whichever seal it belongs to.
    pub async fn certificate(&self, digest: &str) -> Result<Option<SealCertificate>, StoreError> {
        sqlx::query("SELECT digest, seal, serial, certificate, chain, key_label, installed_at FROM seal_certificate WHERE digest = $1")
            .bind(digest)
            .fetch_optional(&self.read)
            .await?
            .as_ref()
            .map(read_certificate)
            .transpose()
    }

    /// Closes (or reopens) every seal of an order and takes them into custody in one transaction: all or none.
    pub async fn record_abolition(
        &self,
        order: &AbolitionOrder,
        custody: &[(SealNumber, CustodyEntry)],
        by: &OfficerId,
        confirmed_by: &OfficerId,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let written = order.get();
        let mut tx = self.begin().await?;
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
        for seal in &written.seals {
            append_event(&mut tx, &seal.number, &order.event(seal), by, confirmed_by, now).await?;
        }
        for (number, entry) in custody {
            append_custody(&mut tx, number, entry, by, confirmed_by, now).await?;
        }
        Ok(tx.commit().await?)
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

    async fn count(&self, query: &'static str) -> Result<u64, StoreError> {
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
        Ok(tx.commit().await?)
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

const CUSTODY: &str = "SELECT entry FROM custody_entry WHERE seal = $1 ORDER BY position";

async fn add_transfer(
    tx: &mut Transaction<'static, Any>,
    item: &ItemCode,
    transfer: &Transfer,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO item_transfer (item, to_authority, batch, document, at) VALUES ($1, $2, $3, $4, $5)")
        .bind(item.as_str())
        .bind(transfer.to.as_str())
        .bind(&transfer.batch)
        .bind(&transfer.document)
        .bind(micros(transfer.at))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn append_custody(
    tx: &mut Transaction<'static, Any>,
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
    audit(tx, now, by.as_str(), "seal.custody", number.as_str(), &detail).await
}

/// Locks the seal's row against orders in flight and makes their facts stale.
pub(super) async fn touch(tx: &mut Transaction<'static, Any>, number: &SealNumber) -> Result<(), StoreError> {
    let done = sqlx::query("UPDATE seal SET revision = revision + 1 WHERE number = $1")
        .bind(number.as_str())
        .execute(&mut **tx)
        .await?;
    exactly_one(done, || StoreError::Refused(unknown_seal(number)))
}

/// There is no such seal in this register.
pub(super) fn unknown_seal(number: &SealNumber) -> Refusal {
    Refusal::new(
        Rule::SealLife,
        "seal.unknown",
        format!("登记册中没有编号为{number}的印章"),
        format!("there is no seal {number} in this register"),
    )
}

pub(super) async fn seal_in(tx: &mut Transaction<'static, Any>, number: &SealNumber) -> Result<Seal, StoreError> {
    let row =
        sqlx::query(SEAL).bind(number.as_str()).fetch_optional(&mut **tx).await?.ok_or_else(|| unknown_seal(number))?;
    let events = sqlx::query(EVENTS).bind(number.as_str()).fetch_all(&mut **tx).await?;
    Ok(read_seal(&row, &events)?.seal)
}

async fn append_event(
    tx: &mut Transaction<'static, Any>,
    number: &SealNumber,
    event: &SealEvent,
    by: &OfficerId,
    confirmed_by: &OfficerId,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    touch(tx, number).await?;
    let mut life = seal_in(tx, number).await?.life;
    let position = i64::try_from(life.events().len()).unwrap_or(i64::MAX);
    life.add(event.clone())?;
    sqlx::query(
        "INSERT INTO seal_event (seal, position, kind, at, document, reason, successor, items, recorded_at, recorded_by, confirmed_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(number.as_str())
    .bind(position)
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
    .await
}

fn read_authority(row: &AnyRow) -> Result<Authority, StoreError> {
    let row = Reading("authority", row);
    Ok(Authority { uscc: row.parse("uscc", Uscc::parse)?, name: row.get("name")?, kind: row.word("kind")? })
}

fn read_seal(row: &AnyRow, events: &[AnyRow]) -> Result<FiledSeal, StoreError> {
    let row = Reading("seal", row);
    let events = events.iter().map(|row| {
        let row = Reading("seal_event", row);
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
    });
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
        revision: row.get("revision")?,
    })
}

fn read_certificate(row: &AnyRow) -> Result<SealCertificate, StoreError> {
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
    })
}

/// DER values one after another, each with its own length.
fn split_der(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
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
    match &error {
        sqlx::Error::Database(e) if e.is_unique_violation() => StoreError::conflict(id, zh, en),
        _ => StoreError::Database(error),
    }
}
