//! The whole store at one moment, page by page, for whoever goes over all of it. Nothing is believed here: rows come as they
//! are written, and whoever asked says what is wrong with them.

mod records;

use sqlx::{Any, Transaction};

use super::audit::read_event;
use super::log::{Head, LogIdentity, identity_in};
use super::row::{Reading, to_json};
use super::{Kind, Store, StoreError};
use crate::tlog::trail::{Event, Trail};
use crate::tlog::tree::Edge;

pub use records::Spoken;

/// Rows of a page: of the longest, receipts of up to 96 KiB, some 10 MB.
const PAGE: i64 = 128;

/// A look at everything as it stood at one moment; nothing can be written through it.
#[derive(Debug)]
pub struct Inventory {
    tx: Transaction<'static, Any>,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sizes {
    pub leaves: u64,
    pub nodes: u64,
    pub orders: u64,
    pub versions: u64,
    /// Forms of documents that followed the first.
    pub renewed: u64,
    pub events: u64,
    /// Events from before there was a chain.
    pub unchained: u64,
}

/// Where log and chain say that they stand.
#[derive(Debug)]
pub struct Standing {
    pub edge: Edge,
    pub trail: Trail,
    /// The published head, and the size filed with it.
    pub checkpoint: Option<(u64, String)>,
}

/// An entry of the log, with the order that it speaks of.
#[derive(Debug)]
pub struct LeafRow {
    pub position: i64,
    pub leaf: String,
    pub opening: String,
    /// As filed beside it.
    pub order: Option<String>,
    pub of: Option<OrderRow>,
}

/// An order as it is written.
#[derive(Debug)]
pub struct OrderRow {
    pub id: String,
    pub kind: String,
    pub state: String,
    pub key_label: String,
    pub seal: Option<String>,
    pub certificate: Option<String>,
    pub officer: String,
    pub grant: Option<String>,
    pub decision: Option<String>,
    pub abolition: Option<String>,
    /// The licence's number without its version, and the version.
    pub licence: Option<(String, i64)>,
    /// The version as it stands, or will stand, JSON.
    pub licence_version: Option<String>,
    /// What is noted on an annotated copy, JSON.
    pub annotation: Option<String>,
    pub media_type: String,
    pub digest: String,
    /// Microseconds since 1970.
    pub written_at: i64,
    pub receipt: Option<String>,
    pub document: Option<String>,
}

/// An order with what must be there beside it.
#[derive(Debug)]
pub struct OrderAlone {
    pub order: OrderRow,
    /// Entries of the log that are filed with it.
    pub entries: i64,
    /// What opens the entry.
    pub opening: Option<String>,
    /// The file of this kind that the licence's version has.
    pub version: Option<String>,
    /// What an order that has not ended will have signed.
    pub unsigned: Option<Unsigned>,
}

/// What is kept of an order until it ends.
#[derive(Debug)]
pub struct Unsigned {
    pub to_be_signed: Vec<u8>,
    pub prepared: Vec<u8>,
    pub hole: std::ops::Range<usize>,
    /// The seal's certificate, DER.
    pub certificate: Option<Vec<u8>>,
}

/// A version of a licence with the order that made it.
#[derive(Debug)]
pub struct VersionRow {
    pub identifier: String,
    pub licence: String,
    pub version: i64,
    pub act: String,
    pub document: Option<String>,
    /// The sealed order of this version that made the document.
    pub made_by: Option<String>,
}

/// An audit event, with the state of the order that it speaks of.
#[derive(Debug)]
pub struct EventRow {
    pub event: Event,
    /// The line that was hashed.
    pub line: String,
    pub order: Option<String>,
}

/// A seal whose uses are not numbered one after the other.
#[derive(Debug)]
pub struct Numbering {
    pub seal: String,
    pub uses: i64,
    pub last: i64,
}

impl Store {
    /// Looks at everything as it stands now. What is written meanwhile is not in it, and waits for nobody.
    pub async fn inventory(&self) -> Result<Inventory, StoreError> {
        let tx = match self.kind {
            // A transaction that only reads sees the file as it was at its first read (SQLite, WAL).
            Kind::Sqlite => self.read.begin().await?,
            Kind::Postgres => self.read.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?,
        };
        Ok(Inventory { tx })
    }
}

impl Inventory {
    /// How much there is.
    pub async fn sizes(&mut self) -> Result<Sizes, StoreError> {
        let row = sqlx::query(
            "SELECT (SELECT COUNT(*) FROM log_leaf) AS leaves, (SELECT COUNT(*) FROM log_node) AS nodes, \
             (SELECT COUNT(*) FROM seal_order) AS orders, (SELECT COUNT(*) FROM licence_version) AS versions, \
             (SELECT COUNT(*) FROM document_form WHERE position > 0) AS renewed, \
             (SELECT COUNT(*) FROM audit_event WHERE position IS NOT NULL) AS events, \
             (SELECT COUNT(*) FROM audit_event WHERE position IS NULL) AS unchained",
        )
        .fetch_one(&mut *self.tx)
        .await?;
        let row = Reading("log_leaf", &row);
        let count = |column| Ok::<_, StoreError>(u64::try_from(row.get::<i64>(column)?).unwrap_or(0));
        Ok(Sizes {
            leaves: count("leaves")?,
            nodes: count("nodes")?,
            orders: count("orders")?,
            versions: count("versions")?,
            renewed: count("renewed")?,
            events: count("events")?,
            unchained: count("unchained")?,
        })
    }

    /// Where log and chain say that they stand.
    ///
    /// # Errors
    /// [`StoreError::Row`] where the head's row is unreadable.
    pub async fn standing(&mut self) -> Result<Standing, StoreError> {
        let row = sqlx::query(
            "SELECT size, edge, trail_length, trail, checkpoint_size, checkpoint FROM log_head WHERE id = 1",
        )
        .fetch_one(&mut *self.tx)
        .await?;
        let row = Reading("log_head", &row);
        let Head { edge, trail } = Head::read(&row)?;
        let (size, note): (i64, String) = (row.get("checkpoint_size")?, row.get("checkpoint")?);
        let checkpoint = (!note.is_empty()).then(|| (u64::try_from(size).unwrap_or(u64::MAX), note));
        Ok(Standing { edge, trail, checkpoint })
    }

    /// The log's name and key.
    pub async fn identity(&mut self) -> Result<Option<LogIdentity>, StoreError> {
        identity_in(&mut self.tx).await
    }

    /// Entries from behind this place on (-1: all).
    pub async fn leaves(&mut self, after: i64) -> Result<Vec<LeafRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT l.position AS position, l.leaf AS leaf, l.opening AS opening, l.seal_order AS seal_order, \
             o.id AS id, o.kind AS kind, o.state AS state, o.key_label AS key_label, o.seal AS seal, o.certificate AS certificate, \
             o.officer AS officer, o.grant_id AS grant_id, o.decision AS decision, o.abolition AS abolition, o.licence AS licence, \
             o.version AS version, o.licence_version AS licence_version, o.annotation AS annotation, o.digest AS digest, o.written_at AS written_at, \
             o.receipt AS receipt, o.document AS document, o.media_type AS media_type \
             FROM log_leaf l LEFT JOIN seal_order o ON o.id = l.seal_order WHERE l.position > $1 ORDER BY l.position LIMIT $2",
        )
        .bind(after)
        .bind(PAGE)
        .fetch_all(&mut *self.tx)
        .await?;
        let read = |row| {
            let row = Reading("log_leaf", row);
            let there: Option<String> = row.get("id")?;
            Ok(LeafRow {
                position: row.get("position")?,
                leaf: row.get("leaf")?,
                opening: row.get("opening")?,
                order: row.get("seal_order")?,
                of: there.map(|_| read_order(&row)).transpose()?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// A node of the tree as stored.
    pub async fn node(&mut self, level: u8, position: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let row = sqlx::query("SELECT hash FROM log_node WHERE level = $1 AND position = $2")
            .bind(i64::from(level))
            .bind(i64::try_from(position).unwrap_or(i64::MAX))
            .fetch_optional(&mut *self.tx)
            .await?;
        row.as_ref().map(|row| Reading("log_node", row).get("hash")).transpose()
    }

    /// Orders behind this identifier, by identifier.
    pub async fn orders(&mut self, after: &str) -> Result<Vec<OrderAlone>, StoreError> {
        let rows = sqlx::query(
            "SELECT o.id AS id, o.kind AS kind, o.state AS state, o.key_label AS key_label, o.seal AS seal, o.certificate AS certificate, \
             o.officer AS officer, o.grant_id AS grant_id, o.decision AS decision, o.abolition AS abolition, o.licence AS licence, \
             o.version AS version, o.licence_version AS licence_version, o.annotation AS annotation, o.digest AS digest, o.written_at AS written_at, \
             o.receipt AS receipt, o.document AS document, o.media_type AS media_type, f.document AS version_document, \
             (SELECT COUNT(*) FROM log_leaf l WHERE l.seal_order = o.id) AS entries, \
             (SELECT MAX(l.opening) FROM log_leaf l WHERE l.seal_order = o.id) AS opening \
             FROM seal_order o LEFT JOIN licence_version v ON v.licence = o.licence AND v.version = o.version \
             LEFT JOIN licence_file f ON f.identifier = v.identifier AND f.media_type = o.media_type \
             WHERE o.id > $1 ORDER BY o.id LIMIT $2",
        )
        .bind(after)
        .bind(PAGE)
        .fetch_all(&mut *self.tx)
        .await?;
        let mut orders = vec![];
        for row in &rows {
            let row = Reading("seal_order", row);
            let order = read_order(&row)?;
            let unsigned = match order.state.as_str() {
                "written" if order.seal.is_some() => self.unsigned(&order).await?,
                _ => None,
            };
            orders.push(OrderAlone {
                entries: row.get("entries")?,
                opening: row.get("opening")?,
                version: row.get("version_document")?,
                order,
                unsigned,
            });
        }
        Ok(orders)
    }

    async fn unsigned(&mut self, order: &OrderRow) -> Result<Option<Unsigned>, StoreError> {
        let row = sqlx::query(
            "SELECT o.to_be_signed AS to_be_signed, o.prepared AS prepared, o.hole_start AS hole_start, o.hole_end AS hole_end, \
             c.certificate AS certificate FROM seal_order o LEFT JOIN seal_certificate c ON c.digest = o.certificate WHERE o.id = $1",
        )
        .bind(&order.id)
        .fetch_optional(&mut *self.tx)
        .await?;
        let Some(row) = &row else { return Ok(None) };
        let row = Reading("seal_order", row);
        let place = |column| Ok::<_, StoreError>(usize::try_from(row.get::<i64>(column)?).unwrap_or(usize::MAX));
        Ok(Some(Unsigned {
            to_be_signed: row.get("to_be_signed")?,
            prepared: row.get("prepared")?,
            hole: place("hole_start")?..place("hole_end")?,
            certificate: row.get("certificate")?,
        }))
    }

    /// A document's bytes.
    pub async fn document(&mut self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let row = sqlx::query("SELECT bytes FROM document WHERE sha256 = $1")
            .bind(sha256)
            .fetch_optional(&mut *self.tx)
            .await?;
        row.as_ref().map(|row| Reading("document", row).get("bytes")).transpose()
    }

    /// The forms that followed a document's first, behind this name of a form.
    pub async fn renewed(&mut self, after: &str) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query(
            "SELECT document FROM document_form WHERE position > 0 AND document > $1 ORDER BY document LIMIT $2",
        )
        .bind(after)
        .bind(PAGE)
        .fetch_all(&mut *self.tx)
        .await?;
        rows.iter().map(|row| Reading("document_form", row).get("document")).collect()
    }

    /// Documents that no order made and that are no later form of one, at most a page.
    pub async fn strays(&mut self) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query(
            "SELECT d.sha256 AS sha256 FROM document d LEFT JOIN seal_order o ON o.document = d.sha256 \
             LEFT JOIN document_form f ON f.document = d.sha256 WHERE o.id IS NULL AND f.document IS NULL ORDER BY d.sha256 LIMIT $1",
        )
        .bind(PAGE)
        .fetch_all(&mut *self.tx)
        .await?;
        rows.iter().map(|row| Reading("document", row).get("sha256")).collect()
    }

    /// Versions of licences behind this one, by licence and version.
    pub async fn versions(&mut self, (licence, version): (&str, i64)) -> Result<Vec<VersionRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT v.identifier AS identifier, v.licence AS licence, v.version AS version, v.act AS act, v.document AS document, \
             o.id AS made_by FROM licence_version v \
             LEFT JOIN seal_order o ON o.licence = v.licence AND o.version = v.version AND o.state = 'sealed' AND o.state <> 'lost' AND o.document = v.document \
             WHERE v.licence > $1 OR (v.licence = $1 AND v.version > $2) ORDER BY v.licence, v.version LIMIT $3",
        )
        .bind(licence)
        .bind(version)
        .bind(PAGE)
        .fetch_all(&mut *self.tx)
        .await?;
        let read = |row| {
            let row = Reading("licence_version", row);
            Ok(VersionRow {
                identifier: row.get("identifier")?,
                licence: row.get("licence")?,
                version: row.get("version")?,
                act: row.get("act")?,
                document: row.get("document")?,
                made_by: row.get("made_by")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Files of licences' versions that no order made for them, each with the version's identifier; at most a page.
    pub async fn misfiled(&mut self) -> Result<Vec<(String, String)>, StoreError> {
        let rows = sqlx::query(
            "SELECT f.identifier AS identifier, f.document AS document FROM licence_file f \
             LEFT JOIN licence_version v ON v.identifier = f.identifier \
             LEFT JOIN seal_order o ON o.licence = v.licence AND o.version = v.version AND o.state = 'sealed' AND o.state <> 'lost' \
             AND o.media_type = f.media_type AND o.document = f.document WHERE o.id IS NULL ORDER BY f.identifier LIMIT $1",
        )
        .bind(PAGE)
        .fetch_all(&mut *self.tx)
        .await?;
        let read = |row| {
            let row = Reading("licence_file", row);
            Ok((row.get("identifier")?, row.get("document")?))
        };
        rows.iter().map(read).collect()
    }

    /// Seals whose uses are not numbered from 1 without a gap.
    pub async fn misnumbered(&mut self) -> Result<Vec<Numbering>, StoreError> {
        let rows = sqlx::query(
            "SELECT seal, COUNT(*) AS uses, MAX(of_seal) AS last_use FROM seal_order WHERE of_seal IS NOT NULL GROUP BY seal \
             HAVING COUNT(*) <> MAX(of_seal) OR COUNT(DISTINCT of_seal) <> COUNT(*) OR MIN(of_seal) <> 1 ORDER BY seal",
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let read = |row| {
            let row = Reading("seal_order", row);
            let seal: Option<String> = row.get("seal")?;
            Ok(Numbering { seal: seal.unwrap_or_default(), uses: row.get("uses")?, last: row.get("last_use")? })
        };
        rows.iter().map(read).collect()
    }

    /// Audit events behind this place in the chain.
    pub async fn events(&mut self, after: u64) -> Result<Vec<EventRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT a.at AS at, a.who AS who, a.what AS what, a.subject AS subject, a.detail AS detail, a.position AS position, \
             a.source AS source, o.state AS state FROM audit_event a LEFT JOIN seal_order o ON o.id = a.subject \
             WHERE a.position > $1 ORDER BY a.position LIMIT $2",
        )
        .bind(i64::try_from(after).unwrap_or(i64::MAX))
        .bind(PAGE)
        .fetch_all(&mut *self.tx)
        .await?;
        let read = |row| {
            let row = Reading("audit_event", row);
            let event = read_event(&row)?;
            Ok(EventRow { line: to_json(&event)?, event, order: row.get("state")? })
        };
        rows.iter().map(read).collect()
    }

    /// The first and the last place in the chain of what was done from this moment on, and before that one (microseconds
    /// since 1970).
    pub async fn span(&mut self, from: i64, until: i64) -> Result<Option<(u64, u64)>, StoreError> {
        let row = sqlx::query(
            "SELECT MIN(position) AS first_one, MAX(position) AS last_one FROM audit_event WHERE position IS NOT NULL AND at >= $1 AND at < $2",
        )
        .bind(from)
        .bind(until)
        .fetch_one(&mut *self.tx)
        .await?;
        let row = Reading("audit_event", &row);
        let place = |column| {
            let place: Option<i64> = row.get(column)?;
            Ok::<_, StoreError>(place.and_then(|place| u64::try_from(place).ok()))
        };
        Ok(place("first_one")?.zip(place("last_one")?))
    }
}

fn read_order(row: &Reading<'_>) -> Result<OrderRow, StoreError> {
    let (licence, version): (Option<String>, Option<i64>) = (row.get("licence")?, row.get("version")?);
    Ok(OrderRow {
        id: row.get("id")?,
        kind: row.get("kind")?,
        state: row.get("state")?,
        key_label: row.get("key_label")?,
        seal: row.get("seal")?,
        certificate: row.get("certificate")?,
        officer: row.get("officer")?,
        grant: row.get("grant_id")?,
        decision: row.get("decision")?,
        abolition: row.get("abolition")?,
        licence: licence.zip(version),
        licence_version: row.get("licence_version")?,
        annotation: row.get("annotation")?,
        media_type: row.get("media_type")?,
        digest: row.get("digest")?,
        written_at: row.get("written_at")?,
        receipt: row.get("receipt")?,
        document: row.get("document")?,
    })
}
