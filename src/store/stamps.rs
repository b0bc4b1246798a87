//! Our own time-stamping unit: its certificates, its tokens, and what the database knows of the time.

use sqlx::any::AnyRow;
use time::OffsetDateTime;

use super::audit::audit;
use super::order::{Act, Order, add_act};
use super::row::Reading;
use super::seals::{already, split_der};
use super::{Kind, Store, StoreError, fresh_id, micros};

/// A certificate of the time-stamping unit; its label is also its key's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StampingCertificate {
    pub label: String,
    /// Serial number, hexadecimal.
    pub serial: String,
    /// DER.
    pub certificate: Vec<u8>,
    /// The issuers, DER, nearest first.
    pub chain: Vec<Vec<u8>>,
    pub made_at: OffsetDateTime,
    /// The last moment at which its key stamps.
    pub key_until: OffsetDateTime,
}

/// What the next token is made with.
#[derive(Debug, Clone)]
pub struct StampingUnit {
    pub certificate: StampingCertificate,
    pub revoked: bool,
    /// genTime of the newest token under this certificate, whichever process made it.
    pub last: Option<OffsetDateTime>,
}

/// A token about to be signed.
#[derive(Debug)]
pub struct Stamp<'a> {
    /// Hexadecimal.
    pub serial: &'a str,
    /// Label of the certificate, and of the key that signs.
    pub label: &'a str,
    /// genTime.
    pub at: OffsetDateTime,
    /// TSTInfo, DER.
    pub info: &'a [u8],
    /// The signed attributes.
    pub to_be_signed: &'a [u8],
}

macro_rules! certificates {
    ($more:literal) => {
        concat!("SELECT label, serial, certificate, chain, made_at, key_until", $more)
    };
}

impl Store {
    /// Files a certificate of the time-stamping unit; there is one per label.
    pub async fn add_stamping_certificate(&self, filed: &StampingCertificate, who: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO stamping_certificate (label, serial, certificate, chain, made_at, key_until) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(&filed.label)
            .bind(&filed.serial)
            .bind(filed.certificate.as_slice())
            .bind(filed.chain.concat())
            .bind(micros(filed.made_at))
            .bind(micros(filed.key_until))
            .execute(&mut *tx)
            .await
            .map_err(|e| already(e, "store.stamping", "该时间戳证书已登记", "this time-stamping certificate is already filed"))?;
        audit(
            &mut tx,
            filed.made_at,
            who,
            "stamping.made",
            &filed.label,
            &serde_json::json!({ "serial": filed.serial }),
        )
        .await?;
        tx.commit().await
    }

    /// Every certificate that the unit has had, oldest first.
    pub async fn stamping_certificates(&self) -> Result<Vec<StampingCertificate>, StoreError> {
        sqlx::query(certificates!(" FROM stamping_certificate ORDER BY made_at, label"))
            .fetch_all(&self.read)
            .await?
            .iter()
            .map(read_certificate)
            .collect()
    }

    /// Every certificate with what came of it, newest first: of each line of authorities one a year.
    pub async fn stamping_units(&self) -> Result<Vec<StampingUnit>, StoreError> {
        sqlx::query(certificates!(
            ", (SELECT MAX(s.at) FROM stamp s WHERE s.certificate = c.label) AS last_at, \
             (SELECT COUNT(*) FROM revocation r WHERE r.serial = c.serial) AS revoked \
             FROM stamping_certificate c ORDER BY made_at DESC, label DESC"
        ))
        .fetch_all(&self.read)
        .await?
        .iter()
        .map(|row| {
            let certificate = read_certificate(row)?;
            let row = Reading("stamp", row);
            let revoked: i64 = row.get("revoked")?;
            Ok(StampingUnit { certificate, revoked: revoked > 0, last: row.time_or_none("last_at")? })
        })
        .collect()
    }

    /// Writes a token down before its key signs: the order, and what the token will say, in one transaction. The row is
    /// the record (EN 319 421 §7.12); there is no audit event beside it, since anyone may ask for tokens.
    pub async fn write_down_stamp(&self, stamp: Stamp<'_>, who: &str) -> Result<Order, StoreError> {
        let id = fresh_id()?;
        let mut tx = self.begin().await?;
        let act = Act {
            kind: super::OrderKind::Stamp,
            key_label: stamp.label,
            title: "time stamp",
            to_be_signed: stamp.to_be_signed.to_vec(),
            who,
            now: stamp.at,
        };
        add_act(&mut tx, &id, &act).await?;
        sqlx::query("INSERT INTO stamp (serial, seal_order, certificate, at, info) VALUES ($1, $2, $3, $4, $5)")
            .bind(stamp.serial)
            .bind(&id)
            .bind(stamp.label)
            .bind(micros(stamp.at))
            .bind(stamp.info)
            .execute(&mut *tx)
            .await
            .map_err(|e| {
                already(
                    e,
                    "store.stamp",
                    "该时间戳序列号已用过，请重试",
                    "a token with this serial number was made before; try again",
                )
            })?;
        tx.commit().await?;
        Ok(Order::written(id, act.key_label.to_owned(), act.to_be_signed))
    }

    /// Ends the order of a token whose signature is in place. `false` when somebody else ended it meanwhile.
    pub async fn finish_stamp(&self, order: &str, now: OffsetDateTime) -> Result<bool, StoreError> {
        let done =
            sqlx::query("UPDATE seal_order SET state = 'sealed', ended_at = $1 WHERE id = $2 AND state = 'written'")
                .bind(micros(now))
                .bind(order)
                .execute(&self.write)
                .await?;
        Ok(done.rows_affected() == 1)
    }

    /// The clock of the database's own machine; None where the database is a file of ours and has none.
    pub async fn server_clock(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        match self.kind {
            Kind::Sqlite => Ok(None),
            Kind::Postgres => {
                let row = sqlx::query("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) AS at")
                    .fetch_one(&self.read)
                    .await?;
                Reading("clock", &row).time("at").map(Some)
            }
        }
    }
}

fn read_certificate(row: &AnyRow) -> Result<StampingCertificate, StoreError> {
    let row = Reading("stamping_certificate", row);
    let chain: Vec<u8> = row.get("chain")?;
    Ok(StampingCertificate {
        label: row.get("label")?,
        serial: row.get("serial")?,
        certificate: row.get("certificate")?,
        chain: split_der(&chain).ok_or_else(|| row.bad("chain", "not DER values one after another".into()))?,
        made_at: row.time("made_at")?,
        key_until: row.time("key_until")?,
    })
}
