//! Orders: everything a key is asked to sign is written down here first, and ends as sealed or as lost.
//!
//! ISSUE, steps 5 and 9. A crash between the two leaves a row in state `written`; resume makes its [`Order`] anew
//! over the same bytes, so a second signature can only repeat the first.

use std::ops::Range;

use sqlx::any::AnyRow;

use time::OffsetDateTime;

use super::audit::{audit, post};
use super::copies::check_may_be_copied;
use super::forms::{DocumentForm, add_form};
use super::licences::{LicencePending, MediaType, add_decision, add_document, add_file, check_version_free};
use super::life::check_not_revoked;
use super::row::{Reading, to_json};
use super::seals::{already, seal_in};
use super::usage::{self, Stopped};
use super::writing::Writing;
use super::{SealCertificate, Stage, Store, StoreError, Unfinished, exactly_one, fresh_id, micros};
use crate::ceiling::Ceilings;
use crate::decision::{Allowed, Purpose};
use crate::licence::LicenceIdentifier;
use crate::licence::annotation::Annotation;
use crate::seal::{Level, SealNumber};
use crate::tlog::leaf::Matter;

/// A one-use leave for one key to sign one message, already written down in the store.
///
/// Not `Clone`, and its constructor is visible to the store alone: a key takes an `Order` by value and nothing
/// else, so nothing is sealed without leave (design: ISSUE, step 5 to 6).
#[derive(Debug)]
pub struct Order {
    id: String,
    key: String,
    to_be_signed: Vec<u8>,
}

impl Order {
    /// Called after the commit that made the row durable.
    pub(in crate::store) fn written(id: String, key: String, to_be_signed: Vec<u8>) -> Self {
        Self { id, key, to_be_signed }
    }

    /// For the unit tests of the keys' room, which has no store.
    #[cfg(test)]
    pub(crate) fn for_test(key: &str, to_be_signed: &[u8]) -> Self {
        Self::written("test".into(), key.into(), to_be_signed.to_vec())
    }

    /// The row's identifier.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Label of the key that may sign; a signer refuses an order for another key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The message (not a digest): signed attributes (RFC 5652 §5.4), a certificate's, request's or CRL's TBS part.
    pub fn to_be_signed(&self) -> &[u8] {
        &self.to_be_signed
    }
}

/// What a key was asked to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderKind {
    /// A licence or approval document rendered here.
    Licence,
    /// A document drafted elsewhere.
    Upload,
    /// A notice under an order of government.
    Notice,
    /// A report of what our own verification found.
    Report,
    /// An annotated copy of a licence (加注件).
    Copy,
    /// What a seal's maker says of it (GB/T 38540).
    Seal,
    Certificate,
    Crl,
    /// A certificate request (PKCS#10).
    Request,
    /// A key's end: nothing is signed, but no key goes without a record either.
    Destruction,
    /// An answer about certificates of ours (OCSP).
    Ocsp,
    /// The transcript of a key ceremony.
    Transcript,
    /// A time-stamp token of our own authority.
    Stamp,
}

impl OrderKind {
    /// As stored and as written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            OrderKind::Licence => "licence",
            OrderKind::Upload => "upload",
            OrderKind::Notice => "notice",
            OrderKind::Report => "report",
            OrderKind::Copy => "copy",
            OrderKind::Seal => "seal",
            OrderKind::Certificate => "certificate",
            OrderKind::Crl => "crl",
            OrderKind::Request => "request",
            OrderKind::Destruction => "destruction",
            OrderKind::Ocsp => "ocsp",
            OrderKind::Transcript => "transcript",
            OrderKind::Stamp => "stamp",
        }
    }
}

/// How an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderState {
    Written,
    Sealed,
    Lost,
}

impl OrderState {
    /// As stored and as written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            OrderState::Written => "written",
            OrderState::Sealed => "sealed",
            OrderState::Lost => "lost",
        }
    }
}

/// A use of a seal, ready to be written down.
#[derive(Debug)]
pub struct SealUse<'a> {
    pub kind: OrderKind,
    /// What may happen only once, unless it was lost: a second order with the same key is a conflict.
    pub once_key: &'a str,
    /// SHA-256 of the whole request, hexadecimal: what tells a repeated request from another one under the same key.
    pub request: &'a str,
    /// The seal's revision at which the rules gave leave.
    pub revision: i64,
    pub certificate: &'a SealCertificate,
    /// What the ledger calls it.
    pub title: &'a str,
    pub licence: Option<&'a LicencePending>,
    pub media_type: MediaType,
    /// What the document is promised; it stands, whatever the seal's level becomes.
    pub level: Level,
    /// The document with its hole; an OFD lacks a file and has no hole.
    pub prepared: &'a [u8],
    pub hole: Range<usize>,
    /// SHA-256 of the document's signed bytes, by which the document is found.
    pub digest: [u8; 32],
    /// The same bytes' digest that is signed, by the signer's algorithm: what the log's entry says.
    pub content: &'a [u8],
    /// How often the seal may be used, where nothing was laid down for it.
    pub ceilings: Ceilings,
}

/// Something of the certificate authorities to be signed.
#[derive(Debug)]
pub struct Act<'a> {
    pub kind: OrderKind,
    pub key_label: &'a str,
    pub title: &'a str,
    pub to_be_signed: Vec<u8>,
    pub who: &'a str,
    pub now: OffsetDateTime,
}

/// An order as filed.
#[derive(Debug, Clone, serde::Serialize)]
pub struct OrderRecord {
    pub id: String,
    pub kind: OrderKind,
    pub state: OrderState,
    /// SHA-256 of the request behind it, hexadecimal.
    pub request: Option<String>,
    pub seal: Option<SealNumber>,
    /// SHA-256 of the seal certificate, hexadecimal.
    pub certificate: Option<String>,
    pub officer: String,
    /// Identifier of the grant it was written under.
    pub grant: Option<String>,
    pub decision: Option<String>,
    pub abolition: Option<String>,
    pub licence: Option<LicencePending>,
    /// What the document is a copy for, where it is an annotated copy.
    pub annotation: Option<Annotation>,
    pub media_type: MediaType,
    pub level: Level,
    pub title: String,
    /// SHA-256 of the document's signed bytes, hexadecimal.
    pub digest: String,
    #[serde(with = "time::serde::rfc3339")]
    pub written_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    pub lost_because: Option<String>,
    /// SHA-256 of the sealed document, hexadecimal.
    pub document: Option<String>,
}

impl OrderRecord {
    /// Of the licence that the document is, or is a copy of.
    pub fn identifier(&self) -> Option<&LicenceIdentifier> {
        let version = self.licence.as_ref().map(|licence| &licence.version.identifier);
        version.or(self.annotation.as_ref().map(|copy| &copy.identifier))
    }
}

macro_rules! records {
    ($where:literal) => {
        concat!(
            "SELECT id, kind, state, request, seal, certificate, officer, grant_id, decision, abolition, licence_version, annotation, media_type, level, title, digest, written_at, ended_at, lost_because, document FROM seal_order ",
            $where
        )
    };
}

impl Store {
    /// Writes uses of a seal down under one leave (ISSUE, step 5), all or none: decision, orders and audit events in one
    /// transaction. There is one use, or two of one document in both formats. Refuses when the seal's facts changed since leave
    /// was given, when the seal has been used as often as it may be, or when the same thing is already written.
    pub async fn write_down(&self, allowed: Allowed, uses: Vec<SealUse<'_>>) -> Result<Vec<Unfinished>, StoreError> {
        let now = allowed.at();
        let mut tx = self.begin().await?;
        // Equal revision: neither the seal's life nor a grant moved. The write also locks the row until commit.
        for sealing in &uses {
            let done = sqlx::query("UPDATE seal SET revision = revision WHERE number = $1 AND revision = $2")
                .bind(allowed.seal().as_str())
                .bind(sealing.revision)
                .execute(&mut *tx)
                .await?;
            exactly_one(done, || {
                StoreError::conflict(
                    "store.stale",
                    "印章或授权刚刚发生变化，请重新提交",
                    "the seal or a grant changed just now; submit again",
                )
            })?;
        }
        let basis = match allowed.purpose() {
            Purpose::Decision(decision) => {
                add_decision(&mut tx, decision, now).await?;
                (Some(decision.get().number.clone()), None)
            }
            Purpose::Notice { order } => (None, Some(order.clone())),
            Purpose::Report { .. } => (None, None),
            Purpose::Copy { annotation, decision } => {
                check_may_be_copied(&mut tx, annotation).await?;
                (Some(decision.clone()), None)
            }
        };
        let mut unfinished = Vec::with_capacity(uses.len());
        for sealing in uses {
            let (seal, officer) = (allowed.seal(), allowed.officer());
            let counted = match usage::take(&mut tx, seal, officer, allowed.grant(), sealing.ceilings, now).await {
                Ok(counted) => counted,
                Err(Stopped::Store(error)) => return Err(error),
                Err(Stopped::Over(refusal, alarm)) => {
                    drop(tx);
                    self.alarm(seal, &alarm, now).await?;
                    return Err(refusal.into());
                }
            };
            unfinished.push(add_use(&mut tx, &allowed, sealing, &basis, counted).await?);
        }
        tx.commit().await?;
        Ok(unfinished)
    }

    /// Writes an act of the certificate authorities down: a certificate, a list or a request to be signed.
    pub async fn write_down_act(&self, act: Act<'_>) -> Result<Order, StoreError> {
        let id = fresh_id()?;
        let mut tx = self.begin().await?;
        let digest = add_act(&mut tx, &id, &act).await?;
        audit(
            &mut tx,
            act.now,
            act.who,
            "order.written",
            &id,
            &serde_json::json!({ "kind": act.kind, "title": act.title, "digest": digest }),
        )
        .await?;
        tx.commit().await?;
        Ok(Order::written(id, act.key_label.to_owned(), act.to_be_signed))
    }

    /// Ends an order with its sealed document (ISSUE, step 9): document, licence version, outbox and audit in one
    /// transaction. `lapses_at` is until when the document's archive time stamp holds, where it has one. `false` when somebody else ended it meanwhile; then nothing is written.
    pub async fn finish(
        &self,
        record: &OrderRecord,
        sealed: &[u8],
        media_type: MediaType,
        lapses_at: Option<OffsetDateTime>,
        now: OffsetDateTime,
    ) -> Result<bool, StoreError> {
        let sha256 = hex::encode(crate::crypto::sha256(sealed));
        let mut tx = self.begin().await?;
        // The seal first, as in `write_down`: two transactions that lock in one order never wait for each other in a ring.
        // The record will prove that the seal was used by now, so it must still be in force now: an abolition that
        // came in between has locked this row, or waits for it.
        if let Some(number) = &record.seal {
            sqlx::query("UPDATE seal SET revision = revision WHERE number = $1")
                .bind(number.as_str())
                .execute(&mut *tx)
                .await?;
            seal_in(&mut tx, number).await?.check_in_force(now)?;
        }
        if let Some(digest) = &record.certificate {
            check_not_revoked(&mut tx, digest, now).await?;
        }
        let done = sqlx::query("UPDATE seal_order SET state = 'sealed', ended_at = $1, document = $2, prepared = $3 WHERE id = $4 AND state = 'written'")
            .bind(micros(now))
            .bind(&sha256)
            .bind([0u8; 0].as_slice())
            .bind(&record.id)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            tx.commit().await?;
            return Ok(false);
        }
        add_document(&mut tx, &sha256, media_type, sealed, now).await?;
        if let Some(lapses_at) = lapses_at {
            let form = DocumentForm { original: sha256.clone(), position: 0, document: sha256.clone(), lapses_at };
            add_form(&mut tx, &form, now).await?;
        }
        if let Some(pending) = &record.licence {
            add_file(&mut tx, pending, (media_type, &sha256), now).await?;
        }
        let payload = serde_json::json!({
            "order": record.id, "media_type": media_type, "kind": record.kind, "decision": record.decision, "document": sha256,
            "licence": record.licence.as_ref().map(|l| l.version.identifier.to_string()),
            "copy": record.annotation.as_ref().map(|copy| &copy.number),
        });
        post(&mut tx, now, "document.sealed", &record.id, &payload).await?;
        audit(&mut tx, now, &record.officer, "order.sealed", &record.id, &payload).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Ends an order that will not be sealed, and says why. `false` when it had ended already.
    pub async fn lose(&self, id: &str, because: &str, now: OffsetDateTime) -> Result<bool, StoreError> {
        self.end(id, OrderState::Lost, Some(because), now).await
    }

    /// Ends an act whose signature is in place.
    pub async fn finish_act(&self, id: &str, now: OffsetDateTime) -> Result<bool, StoreError> {
        self.end(id, OrderState::Sealed, None, now).await
    }

    async fn end(
        &self,
        id: &str,
        state: OrderState,
        because: Option<&str>,
        now: OffsetDateTime,
    ) -> Result<bool, StoreError> {
        let word = state.as_str();
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE seal_order SET state = $1, ended_at = $2, lost_because = $3 WHERE id = $4 AND state = 'written'",
        )
        .bind(word)
        .bind(micros(now))
        .bind(because.map(str::to_owned))
        .bind(id)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            tx.commit().await?;
            return Ok(false);
        }
        audit(&mut tx, now, "service", &format!("order.{word}"), id, &serde_json::json!({ "because": because }))
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// An order by its identifier.
    pub async fn order(&self, id: &str) -> Result<Option<OrderRecord>, StoreError> {
        sqlx::query(records!("WHERE id = $1"))
            .bind(id)
            .fetch_optional(&self.write)
            .await?
            .as_ref()
            .map(read_record)
            .transpose()
    }

    /// The order that did, or is doing, what may happen only once.
    pub async fn order_once(&self, once_key: &str) -> Result<Option<OrderRecord>, StoreError> {
        sqlx::query(records!("WHERE once_key = $1 AND state <> 'lost'"))
            .bind(once_key)
            .fetch_optional(&self.write)
            .await?
            .as_ref()
            .map(read_record)
            .transpose()
    }

    /// Orders for a document with this digest of its signed bytes (hexadecimal), oldest first: our own proof of when
    /// it was sealed.
    pub async fn orders_of_digest(&self, digest: &str) -> Result<Vec<OrderRecord>, StoreError> {
        sqlx::query(records!("WHERE digest = $1 ORDER BY written_at, id"))
            .bind(digest)
            .fetch_all(&self.read)
            .await?
            .iter()
            .map(read_record)
            .collect()
    }
}

/// The row of a use, its audit event and its entry in the log.
async fn add_use(
    tx: &mut Writing,
    allowed: &Allowed,
    sealing: SealUse<'_>,
    (decision, abolition): &(Option<String>, Option<String>),
    counted: usage::Counted,
) -> Result<Unfinished, StoreError> {
    let (id, now, seal) = (fresh_id()?, allowed.at(), allowed.seal());
    let (decision, abolition) = (decision.clone(), abolition.clone());
    let version = sealing.licence.map(|l| &l.version.identifier);
    let annotation = match allowed.purpose() {
        Purpose::Copy { annotation, .. } => Some(annotation.as_ref()),
        _ => None,
    };
    let noted = annotation.map(to_json).transpose()?;
    if let Some(identifier) = version {
        check_version_free(tx, identifier).await?;
    }
    sqlx::query(
        "INSERT INTO seal_order (id, kind, state, once_key, key_label, to_be_signed, seal, certificate, officer, grant_id, decision, abolition, \
         licence_version, licence, version, title, prepared, hole_start, hole_end, digest, written_at, request, of_seal, of_officer, level, media_type, annotation) \
         VALUES ($1, $2, 'written', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26)",
    )
    .bind(&id)
    .bind(sealing.kind.as_str())
    .bind(sealing.once_key)
    .bind(&sealing.certificate.key_label)
    // What is signed holds the receipt, which there is once this is durable.
    .bind([0u8; 0].as_slice())
    .bind(allowed.seal().as_str())
    .bind(&sealing.certificate.digest)
    .bind(allowed.officer().as_str())
    .bind(allowed.grant())
    .bind(decision.clone())
    .bind(abolition.clone())
    .bind(sealing.licence.map(to_json).transpose()?)
    .bind(version.or(annotation.map(|annotation| &annotation.identifier)).map(|v| v.licence()))
    .bind(version.map(|v| i64::from(v.version())))
    .bind(sealing.title)
    .bind(sealing.prepared)
    .bind(i64::try_from(sealing.hole.start).unwrap_or(i64::MAX))
    .bind(i64::try_from(sealing.hole.end).unwrap_or(i64::MAX))
    .bind(hex::encode(sealing.digest))
    .bind(micros(now))
    .bind(sealing.request)
    .bind(counted.of_seal)
    .bind(counted.of_officer)
    .bind(sealing.level.as_str())
    .bind(sealing.media_type.as_str())
    .bind(noted.clone())
    .execute(&mut **tx)
    .await
    .map_err(|e| already(e, "store.order", "该决定的这份文书正在制作或已经制成，请查询后再试", "this document of this decision is being made or is already made; look it up"))?;
    audit(
        tx,
        now,
        allowed.officer().as_str(),
        "order.written",
        &id,
        &serde_json::json!({ "seal": allowed.seal(), "media_type": sealing.media_type, "digest": hex::encode(sealing.digest) }),
    )
    .await?;
    let identifier = version.or(annotation.map(|annotation| &annotation.identifier)).map(ToString::to_string);
    // What a copy is for is private; the log binds it all the same.
    let noted = noted.map(|noted| hex::encode(crate::crypto::sha256(noted.as_bytes())));
    let content = hex::encode(sealing.content);
    let facts = [
        ("order", Some(id.as_str())),
        ("document", Some(&content)),
        ("licence", identifier.as_deref()),
        ("annotation", noted.as_deref()),
        ("decision", decision.as_deref()),
        ("abolition", abolition.as_deref()),
        ("officer", Some(allowed.officer().as_str())),
        ("grant", Some(allowed.grant())),
    ];
    let facts: Vec<_> = facts.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    let entered = tx.enter((Matter::Order, sealing.kind.as_str()), now, Some(seal), Some(&id), &facts).await?;
    Ok(Unfinished {
        stage: Stage::Entered(Box::new(entered)),
        record: OrderRecord {
            id,
            kind: sealing.kind,
            state: OrderState::Written,
            request: Some(sealing.request.to_owned()),
            seal: Some(allowed.seal().clone()),
            certificate: Some(sealing.certificate.digest.clone()),
            officer: allowed.officer().to_string(),
            grant: Some(allowed.grant().to_owned()),
            decision,
            abolition,
            licence: sealing.licence.cloned(),
            annotation: annotation.cloned(),
            media_type: sealing.media_type,
            level: sealing.level,
            title: sealing.title.to_owned(),
            digest: hex::encode(sealing.digest),
            written_at: now,
            ended_at: None,
            lost_because: None,
            document: None,
        },
        prepared: sealing.prepared.to_vec(),
        hole: sealing.hole,
    })
}

/// The row of an act; gives the digest of what is to be signed, hexadecimal.
pub(super) async fn add_act(tx: &mut Writing, id: &str, act: &Act<'_>) -> Result<String, StoreError> {
    let digest = hex::encode(crate::crypto::sha256(&act.to_be_signed));
    sqlx::query(
        "INSERT INTO seal_order (id, kind, state, key_label, to_be_signed, officer, title, prepared, hole_start, hole_end, digest, written_at) \
         VALUES ($1, $2, 'written', $3, $4, $5, $6, $7, 0, 0, $8, $9)",
    )
    .bind(id)
    .bind(act.kind.as_str())
    .bind(act.key_label)
    .bind(act.to_be_signed.as_slice())
    .bind(act.who)
    .bind(act.title)
    .bind([0u8; 0].as_slice())
    .bind(&digest)
    .bind(micros(act.now))
    .execute(&mut **tx)
    .await?;
    // Answers about certificates and time stamps are made for whoever asks, by keys that seal nothing.
    if !matches!(act.kind, OrderKind::Ocsp | OrderKind::Stamp) {
        let facts = [("order", id), ("digest", digest.as_str()), ("key", act.key_label), ("by", act.who)];
        tx.enter((Matter::Authority, act.kind.as_str()), act.now, None, Some(id), &facts).await?;
    }
    Ok(digest)
}

fn read_record(row: &AnyRow) -> Result<OrderRecord, StoreError> {
    let row = Reading("seal_order", row);
    let seal: Option<String> = row.get("seal")?;
    let licence: Option<String> = row.get("licence_version")?;
    let annotation: Option<String> = row.get("annotation")?;
    Ok(OrderRecord {
        id: row.get("id")?,
        kind: row.word("kind")?,
        state: row.word("state")?,
        request: row.get("request")?,
        seal: seal.map(|s| SealNumber::parse(&s)).transpose().map_err(|e| row.bad("seal", e.to_string()))?,
        certificate: row.get("certificate")?,
        officer: row.get("officer")?,
        grant: row.get("grant_id")?,
        decision: row.get("decision")?,
        abolition: row.get("abolition")?,
        licence: licence
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|e| row.bad("licence_version", e.to_string()))?,
        annotation: annotation
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|e| row.bad("annotation", e.to_string()))?,
        media_type: row.word("media_type")?,
        level: row.parse("level", Level::parse)?,
        title: row.get("title")?,
        digest: row.get("digest")?,
        written_at: row.time("written_at")?,
        ended_at: row.time_or_none("ended_at")?,
        lost_because: row.get("lost_because")?,
        document: row.get("document")?,
    })
}
