//! The public log as stored: entries are added in the transaction of what they speak of, and what the database says of the
//! tree is verified before it is trusted.

use sqlx::AnyConnection;
use time::OffsetDateTime;

use super::row::Reading;
use super::writing::{Known, Node, Writing};
use super::{Kind, Order, Store, StoreError, micros, random};
use crate::seal::SealNumber;
use crate::tlog::LogFault;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::leaf::{Entry, Leaf, Matter, Opening};
use crate::tlog::note::{Note, VerifierKey};
use crate::tlog::tile::{self, Kind as Of, Tile, Tiles};
use crate::tlog::trail::Trail;
use crate::tlog::tree::{self, Edge, Hash};

/// Hashes in a full tile (C2SP tlog-tiles), and by how many levels of the tree one level of tiles goes up.
const WIDTH: u64 = 256;
const HEIGHT: u8 = 8;

/// Where the log and the chain of audit events stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub edge: Edge,
    pub trail: Trail,
}

/// The log's name and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogIdentity {
    pub vkey: VerifierKey,
    /// The store's own word: with another label a head's order would go to another key.
    key_label: String,
    pub made_at: OffsetDateTime,
}

impl LogIdentity {
    /// Label of the log's key.
    pub fn key(&self) -> &str {
        &self.key_label
    }
}

/// A head of the log that is durable; the store alone makes it, so that none else is ever signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogHead {
    size: u64,
    root: Hash,
}

impl LogHead {
    /// Entries under it.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The tree's root.
    pub fn root(&self) -> Hash {
        self.root
    }

    /// The text that the log's key signs, and the leave to do so. It needs no row of its own: it says what is durable.
    pub fn order(&self, identity: &LogIdentity) -> (String, Order) {
        let text = Checkpoint::new(identity.vkey.name(), self.size, self.root).to_string();
        (text.clone(), Order::written(format!("log/{}", self.size), identity.key_label.clone(), text.into_bytes()))
    }
}

/// An entry with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entered {
    pub index: u64,
    pub entry: Entry,
}

impl Head {
    /// Writes it over the one that was taken.
    pub async fn put(&self, taken: &Self, tx: &mut AnyConnection) -> Result<(), StoreError> {
        let done = sqlx::query(
            "UPDATE log_head SET size = $1, edge = $2, trail_length = $3, trail = $4 WHERE id = 1 AND size = $5 AND trail_length = $6",
        )
        .bind(signed(self.edge.size()))
        .bind(self.edge.subtrees().iter().map(|hash| hex::encode(hash.0)).collect::<String>())
        .bind(signed(self.trail.length))
        .bind(hex::encode(self.trail.hash.0))
        .bind(signed(taken.edge.size()))
        .bind(signed(taken.trail.length))
        .execute(tx)
        .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Log(LogFault::Unproven)) }
    }

    pub(super) fn read(row: &Reading<'_>) -> Result<Self, StoreError> {
        let hashes = |column: &'static str| {
            row.parse(column, |text| {
                let bytes = hex::decode(text).map_err(|e| e.to_string())?;
                let hashes: Vec<Hash> = bytes.chunks(32).map_while(Hash::read).collect();
                if hashes.len() * 32 == bytes.len() { Ok(hashes) } else { Err("not whole hashes".to_owned()) }
            })
        };
        let size = unsigned(row, "size")?;
        let edge = Edge::of(size, hashes("edge")?).ok_or_else(|| row.bad("edge", "not of this size".into()))?;
        let hash = hashes("trail")?.pop().ok_or_else(|| row.bad("trail", "no hash".into()))?;
        Ok(Self { edge, trail: Trail { length: unsigned(row, "trail_length")?, hash } })
    }
}

impl Known {
    /// What was committed just now.
    pub fn extend(&mut self, head: Head, nodes: &[Node]) {
        for &(level, index, hash) in nodes {
            let at = (index % WIDTH) as usize;
            let tile = (level, index / WIDTH);
            if at == 0 {
                self.tiles.insert(tile, Vec::with_capacity(WIDTH as usize));
                // Two tiles of each level suffice for whoever has just entered something.
                self.tiles.retain(|&(l, t), _| l != level || t + 2 > tile.1);
            }
            if let Some(hashes) = self.tiles.get_mut(&tile).filter(|hashes| hashes.len() == at) {
                hashes.push(hash);
            }
        }
        self.head = head;
    }
}

impl Writing {
    /// Enters something in the log; what is not public is in `facts`. Gives its place.
    pub(super) async fn enter(
        &mut self,
        (matter, act): (Matter, &str),
        at: OffsetDateTime,
        seal: Option<&SealNumber>,
        order: Option<&str>,
        facts: &[(&str, &str)],
    ) -> Result<Entered, StoreError> {
        let opening = Opening::new(random()?, facts.iter().copied()).map_err(StoreError::Log)?;
        let entry = Entry::new(matter, act, at, seal.map(ToString::to_string), opening);
        let index = self.head.edge.size();
        let mut complete = vec![];
        self.head.edge.append(entry.leaf.hash(), |level, place, hash| {
            if level % HEIGHT == 0 {
                complete.push((level / HEIGHT, place, hash));
            }
        });
        self.added.nodes.extend(complete);
        let entered = Entered { index, entry };
        self.added.entries.push((entered.clone(), order.map(str::to_owned)));
        Ok(entered)
    }
}

impl Store {
    /// Takes the head's row for a writing transaction, and verifies it against what this process knows.
    pub(super) async fn take_head(&self, tx: &mut AnyConnection) -> Result<Head, StoreError> {
        let query = match self.kind {
            Kind::Sqlite => {
                "SELECT size, edge, trail_length, trail, checkpoint_size, checkpoint FROM log_head WHERE id = 1"
            }
            Kind::Postgres => {
                "SELECT size, edge, trail_length, trail, checkpoint_size, checkpoint FROM log_head WHERE id = 1 FOR UPDATE"
            }
        };
        let row = sqlx::query(query).fetch_one(&mut *tx).await?;
        let row = Reading("log_head", &row);
        let head = Head::read(&row)?;
        let known = self.writers.known().clone();
        let known = match known {
            Some(known) if known.head == head => return Ok(head),
            Some(known) => known,
            None => recall(tx, &row).await?,
        };
        let known = catch_up(tx, known, &head).await?;
        *self.writers.known() = Some(known);
        Ok(head)
    }

    /// The log's name and key, once it has been used.
    pub async fn log_identity(&self) -> Result<Option<LogIdentity>, StoreError> {
        identity_in(&mut *self.read.acquire().await?).await
    }

    /// Gives the log its name and key, for good; from now on every seal's documents must be in it.
    pub async fn found_log(&self, vkey: &VerifierKey, key_label: &str, now: OffsetDateTime) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("INSERT INTO log_identity (id, vkey, key_label, made_at) VALUES (1, $1, $2, $3) ON CONFLICT (id) DO NOTHING")
            .bind(vkey.to_string())
            .bind(key_label)
            .bind(micros(now))
            .execute(&mut *tx)
            .await?;
        // Another process was first; its key counts.
        if done.rows_affected() == 0 {
            tx.commit().await?;
            return Ok(());
        }
        sqlx::query("UPDATE seal SET logged_since = $1, revision = revision + 1 WHERE logged_since IS NULL")
            .bind(micros(now))
            .execute(&mut *tx)
            .await?;
        super::audit::audit(
            &mut tx,
            now,
            "service",
            "log.founded",
            vkey.name(),
            &serde_json::json!({ "key": key_label }),
        )
        .await?;
        tx.commit().await
    }

    /// The newest durable head that this process knows to be true.
    pub async fn log_head(&self) -> Result<LogHead, StoreError> {
        let known = self.writers.known().as_ref().map(|known| LogHead::of(&known.head.edge));
        match known {
            Some(head) => Ok(head),
            None => self.newest_log_head().await,
        }
    }

    /// The newest durable head, whoever wrote it.
    pub async fn newest_log_head(&self) -> Result<LogHead, StoreError> {
        let writing = self.begin().await?;
        // Taking it verified it, unless others wrote in the same transaction: theirs is not durable yet.
        drop(writing);
        let known = self.writers.known();
        known.as_ref().map(|known| LogHead::of(&known.head.edge)).ok_or(StoreError::Log(LogFault::Missing))
    }

    /// The newest head that was signed and seen, as a note.
    pub async fn checkpoint(&self) -> Result<Option<(u64, String)>, StoreError> {
        let row =
            sqlx::query("SELECT checkpoint_size, checkpoint FROM log_head WHERE id = 1").fetch_one(&self.read).await?;
        let row = Reading("log_head", &row);
        let note: String = row.get("checkpoint")?;
        Ok(if note.is_empty() { None } else { Some((unsigned(&row, "checkpoint_size")?, note)) })
    }

    /// Publishes a head with its signatures, where it is newer than the one that is.
    pub async fn publish_checkpoint(&self, size: u64, note: &Note) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        publish(&mut tx, size, note).await?;
        tx.commit().await
    }

    /// The hashes of these parts of the tree's leaves: an inclusion or a consistency proof. `size` is of a tree at least so
    /// large that is durable.
    pub async fn log_proof(&self, parts: &[std::ops::Range<u64>], size: u64) -> Result<Vec<Hash>, StoreError> {
        let mut tiles = Tiles::default();
        for tile in tile::needed(parts, size) {
            let Of::Hashes(level) = tile.kind else { continue };
            let at_hand = self.writers.known().as_ref().and_then(|known| {
                let hashes = known.tiles.get(&(level, tile.index))?;
                hashes.get(..usize::from(tile.width)).map(<[Hash]>::to_vec)
            });
            let hashes = match at_hand {
                Some(hashes) => hashes,
                None => {
                    hashes_of(&mut *self.read.acquire().await?, level, tile.index * WIDTH, tile.width.into()).await?
                }
            };
            tiles.add_hashes(level, tile.index, hashes);
        }
        tiles.proof(parts).map_err(StoreError::Log)
    }

    /// A file of the log (C2SP tlog-tiles): hashes or entries; none where the published head does not promise it.
    pub async fn log_tile(&self, tile: &Tile) -> Result<Option<Vec<u8>>, StoreError> {
        let size = self.checkpoint().await?.map_or(0, |(size, _)| size);
        if !tile.is_of(size) {
            return Ok(None);
        }
        let (first, width) = (tile.index * WIDTH, u64::from(tile.width));
        let mut connection = self.read.acquire().await?;
        match tile.kind {
            Of::Hashes(level) => {
                let hashes = hashes_of(&mut connection, level, first, width).await?;
                Ok(Some(hashes.iter().flat_map(|hash| hash.0).collect()))
            }
            Of::Entries => {
                let leaves = leaves_of(&mut connection, first, width).await?;
                tile::bundle(leaves.iter().map(String::as_bytes)).map(Some).map_err(StoreError::Log)
            }
        }
    }

    /// The entry that an order made, with its place.
    pub async fn entry_of(&self, order: &str) -> Result<Option<Entered>, StoreError> {
        let row =
            sqlx::query("SELECT position, leaf, opening FROM log_leaf WHERE seal_order = $1 ORDER BY position LIMIT 1")
                .bind(order)
                .fetch_optional(&self.write)
                .await?;
        row.as_ref().map(read_entry).transpose()
    }

    /// Entries from this place on, at most so many.
    pub async fn entries(&self, from: u64, most: u16) -> Result<Vec<Entered>, StoreError> {
        let rows =
            sqlx::query("SELECT position, leaf, opening FROM log_leaf WHERE position >= $1 ORDER BY position LIMIT $2")
                .bind(signed(from))
                .bind(i64::from(most))
                .fetch_all(&self.read)
                .await?;
        rows.iter().map(read_entry).collect()
    }
}

impl LogHead {
    fn of(edge: &Edge) -> Self {
        Self { size: edge.size(), root: edge.root() }
    }
}

pub(super) async fn identity_in(connection: &mut AnyConnection) -> Result<Option<LogIdentity>, StoreError> {
    let row = sqlx::query("SELECT vkey, key_label, made_at FROM log_identity WHERE id = 1")
        .fetch_optional(connection)
        .await?;
    let read = |row| {
        let row = Reading("log_identity", row);
        Ok(LogIdentity {
            vkey: row.parse("vkey", VerifierKey::read)?,
            key_label: row.get("key_label")?,
            made_at: row.time("made_at")?,
        })
    };
    row.as_ref().map(read).transpose()
}

/// Publishes a head where it is newer than the one that is.
pub(super) async fn publish(tx: &mut Writing, size: u64, note: &Note) -> Result<(), StoreError> {
    sqlx::query("UPDATE log_head SET checkpoint_size = $1, checkpoint = $2 WHERE id = 1 AND checkpoint_size < $3")
        .bind(signed(size))
        .bind(note.to_string())
        .bind(signed(size))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// What is known at the start: the tree under the head that was published last, whose root its tiles must give.
async fn recall(tx: &mut AnyConnection, row: &Reading<'_>) -> Result<Known, StoreError> {
    let note: String = row.get("checkpoint")?;
    let trail = Trail::default();
    if note.is_empty() {
        return Ok(Known { head: Head { edge: Edge::default(), trail }, ..Known::default() });
    }
    let note = Note::read(note.as_bytes()).map_err(StoreError::Log)?;
    let checkpoint = Checkpoint::read(note.text()).map_err(StoreError::Log)?;
    let size = checkpoint.size;
    let mut parts = vec![];
    let mut start = 0;
    for bit in (0..64).rev().filter(|bit| size >> bit & 1 == 1) {
        parts.push(start..start + (1 << bit));
        start += 1 << bit;
    }
    let mut known = Known::default();
    let mut tiles = Tiles::default();
    for tile in tile::needed(&parts, size) {
        let Of::Hashes(level) = tile.kind else { continue };
        let hashes = hashes_of(&mut *tx, level, tile.index * WIDTH, tile.width.into()).await?;
        tiles.add_hashes(level, tile.index, hashes.clone());
        known.tiles.insert((level, tile.index), hashes);
    }
    let subtrees = tiles.proof(&parts).map_err(StoreError::Log)?;
    let edge = Edge::of(size, subtrees).ok_or(StoreError::Log(LogFault::Unproven))?;
    if edge.root() != checkpoint.root {
        return Err(StoreError::Log(LogFault::Unproven));
    }
    known.head = Head { edge, trail };
    Ok(known)
}

/// Follows the leaves from what is known to the head that was read; they must lead to it.
async fn catch_up(tx: &mut AnyConnection, mut known: Known, head: &Head) -> Result<Known, StoreError> {
    let mut edge = known.head.edge.clone();
    let mut nodes = vec![];
    while edge.size() < head.edge.size() {
        let leaves = leaves_of(&mut *tx, edge.size(), (head.edge.size() - edge.size()).min(1024)).await?;
        if leaves.is_empty() {
            return Err(StoreError::Log(LogFault::Missing));
        }
        for leaf in leaves {
            edge.append(tree::leaf_hash(leaf.as_bytes()), |level, place, hash| {
                if level % HEIGHT == 0 {
                    nodes.push((level / HEIGHT, place, hash));
                }
            });
        }
    }
    if edge != head.edge {
        return Err(StoreError::Log(LogFault::Unproven));
    }
    known.extend(head.clone(), &nodes);
    Ok(known)
}

/// Nodes of one level of tiles, of which there must be so many.
async fn hashes_of(connection: &mut AnyConnection, level: u8, first: u64, count: u64) -> Result<Vec<Hash>, StoreError> {
    if level == 0 {
        let leaves = leaves_of(connection, first, count).await?;
        return Ok(leaves.iter().map(|leaf| tree::leaf_hash(leaf.as_bytes())).collect());
    }
    let rows = sqlx::query(
        "SELECT hash FROM log_node WHERE level = $1 AND position >= $2 AND position < $3 ORDER BY position",
    )
    .bind(i64::from(level))
    .bind(signed(first))
    .bind(signed(first + count))
    .fetch_all(connection)
    .await?;
    let hashes = rows.iter().map(|row| {
        let row = Reading("log_node", row);
        let bytes: Vec<u8> = row.get("hash")?;
        Hash::read(&bytes).ok_or_else(|| row.bad("hash", "not 32 bytes".into()))
    });
    whole(hashes.collect::<Result<_, _>>()?, count)
}

async fn leaves_of(connection: &mut AnyConnection, first: u64, count: u64) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query("SELECT leaf FROM log_leaf WHERE position >= $1 AND position < $2 ORDER BY position")
        .bind(signed(first))
        .bind(signed(first + count))
        .fetch_all(connection)
        .await?;
    let leaves = rows.iter().map(|row| Reading("log_leaf", row).get("leaf"));
    whole(leaves.collect::<Result<_, _>>()?, count)
}

fn whole<T>(found: Vec<T>, count: u64) -> Result<Vec<T>, StoreError> {
    if found.len() as u64 == count { Ok(found) } else { Err(StoreError::Log(LogFault::Missing)) }
}

pub(super) fn read_entry(row: &sqlx::any::AnyRow) -> Result<Entered, StoreError> {
    let row = Reading("log_leaf", row);
    let leaf = row.parse("leaf", |text| Leaf::read(text.as_bytes()))?;
    let opening = row.parse("opening", |text| Opening::read(text.as_bytes()))?;
    Ok(Entered { index: unsigned(&row, "position")?, entry: Entry { leaf, opening } })
}

pub(super) fn signed(number: u64) -> i64 {
    // A log of 2^63 entries fits no disk.
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(row: &Reading<'_>, column: &'static str) -> Result<u64, StoreError> {
    row.get::<i64>(column).and_then(|n| u64::try_from(n).map_err(|e| row.bad(column, e.to_string())))
}
