//! Growing the tree again from the entries, from the head seen last to the new one, and what each tile of hashes must then
//! hold. Nothing of the log's own hashes is believed.

use super::report::Alarm;
use crate::tlog::tile::{HEIGHT, Kind, Tile, WIDTH};
use crate::tlog::tree::{Edge, Hash, leaf_hash};

/// The tree while it grows.
#[derive(Debug)]
pub(super) struct Replay {
    edge: Edge,
    /// The head seen last, which must come out again on the way.
    seen: (u64, Hash),
}

/// A tile of hashes, and the roots of the complete subtrees over what it holds: one for a full tile.
pub(super) type Promised = (Tile, Vec<Hash>);

impl Replay {
    /// Back from the head seen last to where its last bundle of entries begins.
    pub fn from(seen: &Edge) -> Self {
        let whole = seen.size() / WIDTH * WIDTH;
        let kept = seen.subtrees().iter().take(whole.count_ones() as usize).copied().collect();
        Self { edge: Edge::of(whole, kept).unwrap_or_default(), seen: (seen.size(), seen.root()) }
    }

    /// The bundle to be read next on the way to this size.
    pub fn next(&self, size: u64) -> Option<Tile> {
        let width = (size.checked_sub(self.edge.size())?).min(WIDTH) as u16;
        (width > 0).then_some(Tile { kind: Kind::Entries, index: self.edge.size() / WIDTH, width })
    }

    /// Adds a bundle's entries, and gives the tiles of hashes that became full.
    ///
    /// # Errors
    /// [`Alarm::Rewritten`] where they do not lead by the head seen last.
    pub fn add(&mut self, entries: &[&[u8]]) -> Result<Vec<Promised>, Alarm> {
        let mut full = Vec::new();
        for entry in entries {
            self.edge.append(leaf_hash(entry), |level, index, hash| {
                if level > 0 && level % HEIGHT == 0 {
                    let kind = Kind::Hashes(level / HEIGHT - 1);
                    full.push((Tile { kind, index, width: WIDTH as u16 }, vec![hash]));
                }
            });
            if self.edge.size() == self.seen.0 && self.edge.root() != self.seen.1 {
                return Err(Alarm::Rewritten { size: self.seen.0 });
            }
        }
        Ok(full)
    }

    /// The narrow tiles at the growing edge.
    pub fn narrow(&self) -> Vec<Promised> {
        let size = self.edge.size();
        let mut subtrees = self.edge.subtrees().iter().rev().copied();
        let mut tiles = Vec::new();
        for level in 0..8_u8 {
            let width = (size >> (u32::from(level) * u32::from(HEIGHT))) % WIDTH;
            // The smallest subtrees stand last.
            let mut promised: Vec<Hash> = subtrees.by_ref().take(width.count_ones() as usize).collect();
            promised.reverse();
            if width > 0 {
                let index = size.checked_shr((u32::from(level) + 1) * u32::from(HEIGHT)).unwrap_or(0);
                tiles.push((Tile { kind: Kind::Hashes(level), index, width: width as u16 }, promised));
            }
        }
        tiles
    }

    /// The tree as it now is.
    pub fn edge(&self) -> &Edge {
        &self.edge
    }
}

/// Whether a tile's bytes are the hashes that were promised.
pub(super) fn holds((tile, promised): &Promised, bytes: &[u8]) -> bool {
    let mut edge = Edge::default();
    for hash in bytes.chunks(32).map_while(Hash::read) {
        edge.append(hash, |_, _, _| {});
    }
    bytes.len() == usize::from(tile.width) * 32 && edge.subtrees() == promised
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::tile::Tiles;

    fn entries(range: std::ops::Range<u64>) -> Vec<Vec<u8>> {
        range.map(|n| n.to_string().into_bytes()).collect()
    }

    fn grow(edge: &mut Edge, to: u64) {
        for entry in entries(edge.size()..to) {
            edge.append(leaf_hash(&entry), |_, _, _| {});
        }
    }

    /// Every growth of a tree over the borders of tiles ends at the tree's own root, and promises the very tiles that
    /// tlog-tiles has for it.
    #[test]
    fn every_growth_ends_at_the_root_and_promises_the_tiles() {
        for (old, new) in
            [(0, 1), (0, 256), (1, 255), (200, 300), (256, 512), (255, 257), (300, 70_000), (65_536, 65_537)]
        {
            let mut edge = Edge::default();
            grow(&mut edge, old);
            let mut replay = Replay::from(&edge);
            let mut promised = Vec::new();
            while let Some(bundle) = replay.next(new) {
                let first = bundle.index * WIDTH;
                let leaves = entries(first..first + u64::from(bundle.width));
                promised.extend(replay.add(&leaves.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap());
            }
            promised.extend(replay.narrow());
            grow(&mut edge, new);
            assert_eq!(replay.edge(), &edge, "{old} {new}");
            let mut tiles: Vec<Tile> = promised.iter().map(|(tile, _)| *tile).collect();
            tiles.sort_unstable();
            for tile in Tile::added(old, new) {
                assert!(tile.kind == Kind::Entries || tiles.contains(&tile), "{old} {new} {tile:?}");
            }
            // What is promised of a tile of leaves' hashes is what that tile holds, and nothing else.
            for promise in promised.iter().filter(|(tile, _)| tile.kind == Kind::Hashes(0)) {
                let first = promise.0.index * WIDTH;
                let hashes =
                    entries(first..first + u64::from(promise.0.width)).iter().map(|e| leaf_hash(e)).collect::<Vec<_>>();
                let mut bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
                assert!(holds(promise, &bytes), "{old} {new} {promise:?}");
                assert!(!holds(promise, &bytes[1..]));
                bytes[7] ^= 1;
                assert!(!holds(promise, &bytes));
                Tiles::default().add(&promise.0, &bytes).unwrap();
            }
        }
    }

    #[test]
    fn entries_that_do_not_lead_by_the_head_seen_last_are_told() {
        let mut seen = Edge::default();
        grow(&mut seen, 10);
        let mut other = entries(0..20);
        other[9] = b"x".to_vec();
        let met = Replay::from(&seen).add(&other.iter().map(Vec::as_slice).collect::<Vec<_>>());
        assert_eq!(met, Err(Alarm::Rewritten { size: 10 }));
    }
}
