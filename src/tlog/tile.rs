//! The tree cut into files that never change (C2SP tlog-tiles): hashes of every eighth level, 256 in a file, and the leaves
//! in bundles of 256.

use std::collections::HashMap;
use std::ops::Range;

use super::tree::{self, Hash, node_hash};
use super::{LogFault, decimal};

/// Hashes in a full tile, and the levels of the tree that one spans.
pub const WIDTH: u64 = 256;
/// See [`WIDTH`].
pub const HEIGHT: u8 = 8;

/// Which file: hashes of a level, or the leaves themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Hashes of the nodes over 256^level leaves each; 0 are the leaves' own.
    Hashes(u8),
    /// The leaves' bytes.
    Entries,
}

/// One file of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    pub kind: Kind,
    /// From 0, from left to right.
    pub index: u64,
    /// 1 to 256; less than 256 at the growing edge alone.
    pub width: u16,
}

impl Tile {
    /// The file's path below the log's prefix, `tile/0/x001/067.p/17`.
    pub fn path(&self) -> String {
        let kind = match self.kind {
            Kind::Hashes(level) => level.to_string(),
            Kind::Entries => "entries".into(),
        };
        let mut parts = vec![format!("{:03}", self.index % 1000)];
        let mut rest = self.index / 1000;
        while rest > 0 {
            parts.push(format!("x{:03}", rest % 1000));
            rest /= 1000;
        }
        parts.reverse();
        let partial = if u64::from(self.width) < WIDTH { format!(".p/{}", self.width) } else { String::new() };
        format!("tile/{kind}/{}{partial}", parts.join("/"))
    }

    /// Reads what stands behind `tile/`. A file has one path: any other way to write it names none.
    pub fn of_path(path: &str) -> Option<Self> {
        let (kind, rest) = path.split_once('/')?;
        let kind = match kind {
            "entries" => Kind::Entries,
            level => Kind::Hashes(decimal(level, "level").ok().and_then(|l| u8::try_from(l).ok()).filter(|l| *l < 64)?),
        };
        let (places, width) = match rest.split_once(".p/") {
            Some((places, width)) => (places, u16::try_from(decimal(width, "width").ok()?).ok()?),
            None => (rest, WIDTH as u16),
        };
        let mut index: u64 = 0;
        for place in places.split('/') {
            let digits = place.strip_prefix('x').unwrap_or(place);
            if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
        }
        let tile = Self { kind, index, width };
        (width > 0 && tile.path() == format!("tile/{path}")).then_some(tile)
    }

    /// The files that the tree of `size` leaves has and the one of `before` had not: what is new to be fetched or stored.
    pub fn added(before: u64, size: u64) -> Vec<Self> {
        let mut tiles = Vec::new();
        for (kind, step) in [(Kind::Entries, 0)].into_iter().chain((0..8).map(|level| (Kind::Hashes(level), level))) {
            let shift = u32::from(step) * u32::from(HEIGHT);
            let (old, new) = (before >> shift, size >> shift);
            if old == new {
                continue;
            }
            for index in old / WIDTH..new.div_ceil(WIDTH) {
                let width = (new - index * WIDTH).min(WIDTH);
                tiles.push(Self { kind, index, width: width as u16 });
            }
        }
        tiles
    }

    /// Whether the tree of `size` leaves has this file; a checkpoint of that size promises it.
    pub fn is_of(&self, size: u64) -> bool {
        let level = if let Kind::Hashes(level) = self.kind { level } else { 0 };
        let nodes = size.checked_shr(u32::from(level) * u32::from(HEIGHT)).unwrap_or(0);
        self.index
            .checked_mul(WIDTH)
            .and_then(|start| start.checked_add(u64::from(self.width)))
            .is_some_and(|end| end <= nodes)
    }
}

/// Tiles at hand, from which roots and proofs are computed.
#[derive(Debug, Default)]
pub struct Tiles(pub(super) HashMap<(u8, u64), Vec<Hash>>);

impl Tiles {
    /// Adds a tile of hashes; the widest stays.
    ///
    /// # Errors
    /// [`LogFault::Malformed`] where the bytes are not so many hashes.
    pub fn add(&mut self, tile: &Tile, bytes: &[u8]) -> Result<(), LogFault> {
        let Kind::Hashes(level) = tile.kind else { return Err(LogFault::Malformed("tile")) };
        let hashes: Vec<Hash> = bytes.chunks(32).map_while(Hash::read).collect();
        if hashes.len() != usize::from(tile.width) || bytes.len() != hashes.len() * 32 {
            return Err(LogFault::Malformed("tile"));
        }
        self.add_hashes(level, tile.index, hashes);
        Ok(())
    }

    /// As [`Tiles::add`], of hashes read already.
    pub fn add_hashes(&mut self, level: u8, index: u64, hashes: Vec<Hash>) {
        let kept = self.0.entry((level, index)).or_default();
        if hashes.len() > kept.len() {
            *kept = hashes;
        }
    }

    /// Root of the subtree over these leaves (RFC 6962 §2.1, MTH).
    ///
    /// # Errors
    /// [`LogFault::Missing`] where a tile that it needs is not here.
    pub fn root(&self, part: Range<u64>) -> Result<Hash, LogFault> {
        let count = part.end.saturating_sub(part.start);
        match count {
            0 => Ok(tree::empty_root()),
            _ if count.is_power_of_two() && part.start.is_multiple_of(count) => self.complete(part.start, count),
            _ => {
                let middle = part.start + (count.next_power_of_two() >> 1);
                Ok(node_hash(&self.root(part.start..middle)?, &self.root(middle..part.end)?))
            }
        }
    }

    /// The hashes of all these parts: a proof.
    ///
    /// # Errors
    /// As [`Tiles::root`].
    pub fn proof(&self, parts: &[Range<u64>]) -> Result<Vec<Hash>, LogFault> {
        parts.iter().map(|part| self.root(part.clone())).collect()
    }

    /// A complete subtree: hashes of one tile, put together.
    fn complete(&self, start: u64, count: u64) -> Result<Hash, LogFault> {
        let height = count.trailing_zeros();
        let level = height / u32::from(HEIGHT);
        let (first, nodes) = (start >> (level * u32::from(HEIGHT)), 1_usize << (height % u32::from(HEIGHT)));
        let key = (u8::try_from(level).unwrap_or(u8::MAX), first / WIDTH);
        let at = (first % WIDTH) as usize;
        let found = self.0.get(&key).and_then(|hashes| hashes.get(at..at + nodes)).ok_or(LogFault::Missing)?;
        let mut hashes = found.to_vec();
        while hashes.len() > 1 {
            hashes = hashes.chunks(2).filter_map(|two| Some(node_hash(two.first()?, two.get(1)?))).collect();
        }
        hashes.pop().ok_or(LogFault::Missing)
    }
}

/// The tiles of hashes, as wide as the tree of `size` leaves has them, that the roots of these parts are computed from.
pub fn needed(parts: &[Range<u64>], size: u64) -> Vec<Tile> {
    let mut tiles = Vec::new();
    let mut parts: Vec<Range<u64>> = parts.to_vec();
    while let Some(part) = parts.pop() {
        let count = part.end.saturating_sub(part.start);
        if count == 0 {
            continue;
        }
        if !(count.is_power_of_two() && part.start.is_multiple_of(count)) {
            let middle = part.start + (count.next_power_of_two() >> 1);
            parts.extend([part.start..middle, middle..part.end]);
            continue;
        }
        let level = count.trailing_zeros() / u32::from(HEIGHT);
        let index = (part.start >> (level * u32::from(HEIGHT))) / WIDTH;
        let nodes = size >> (level * u32::from(HEIGHT));
        let width = nodes.saturating_sub(index * WIDTH).min(WIDTH) as u16;
        tiles.push(Tile { kind: Kind::Hashes(u8::try_from(level).unwrap_or(u8::MAX)), index, width });
    }
    tiles.sort_unstable();
    tiles.dedup();
    tiles
}

/// Leaves as they stand in a bundle: each behind its length, two bytes, big-endian.
///
/// # Errors
/// [`LogFault::TooLong`] where a leaf has more bytes than two can say.
pub fn bundle<'l>(leaves: impl IntoIterator<Item = &'l [u8]>) -> Result<Vec<u8>, LogFault> {
    let mut bytes = Vec::new();
    for leaf in leaves {
        let length = u16::try_from(leaf.len()).map_err(|_| LogFault::TooLong("leaf"))?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(leaf);
    }
    Ok(bytes)
}

/// The leaves of a bundle of this width.
///
/// # Errors
/// [`LogFault::Malformed`] where it holds more, fewer or broken ones.
pub fn unbundle(mut bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, LogFault> {
    let mut leaves = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let (leaf, rest) =
            rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(LogFault::Malformed("bundle"))?;
        leaves.push(leaf);
        bytes = rest;
    }
    if bytes.is_empty() && leaves.len() == usize::from(width) { Ok(leaves) } else { Err(LogFault::Malformed("bundle")) }
}
