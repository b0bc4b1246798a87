//! The Merkle tree: hashes (RFC 6962 §2.1), what a proof is made of, and whether it holds (RFC 9162 §2.1.3 and §2.1.4).

use std::fmt;
use std::ops::Range;

use ring::digest::{Context, SHA256};

use super::LogFault;

/// A node of the tree: SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// From exactly 32 bytes.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// From a line of base64.
    pub(super) fn read_line(line: &str, part: &'static str) -> Result<Self, LogFault> {
        Self::read(&super::unbase64(line, part)?).ok_or(LogFault::Malformed(part))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::base64(&self.0))
    }
}

fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    Hash(hash)
}

/// Root of the tree without leaves (RFC 6962 §2.1).
pub fn empty_root() -> Hash {
    sha256(&[])
}

/// Hash of a leaf's bytes. Leaves and nodes begin differently, so that none is taken for the other.
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    sha256(&[&[0], leaf])
}

/// Hash of two nodes.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], &left.0, &right.0])
}

/// The growing edge of a tree: the roots of its complete subtrees from left to right, one for each 1-bit of the size.
/// It is all that appending needs, however large the tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    subtrees: Vec<Hash>,
}

impl Edge {
    /// Takes up an edge that was stored. Whether it belongs to the tree shows [`Edge::root`].
    pub fn of(size: u64, subtrees: Vec<Hash>) -> Option<Self> {
        (subtrees.len() == size.count_ones() as usize).then_some(Self { size, subtrees })
    }

    /// Leaves in all.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the complete subtrees, the largest first.
    pub fn subtrees(&self) -> &[Hash] {
        &self.subtrees
    }

    /// Adds a leaf and tells every node that became complete with it: level (0 is the leaf's own), index in that level, hash.
    pub fn append(&mut self, leaf: Hash, mut complete: impl FnMut(u8, u64, Hash)) {
        let (mut node, mut index, mut level) = (leaf, self.size, 0);
        complete(level, index, node);
        while index & 1 == 1
            && let Some(left) = self.subtrees.pop()
        {
            node = node_hash(&left, &node);
            (index, level) = (index >> 1, level + 1);
            complete(level, index, node);
        }
        self.subtrees.push(node);
        self.size += 1;
    }

    /// The tree's root (RFC 6962 §2.1).
    pub fn root(&self) -> Hash {
        self.subtrees.iter().rev().copied().reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(empty_root)
    }
}

/// The largest power of two below `n`, where the tree of `n` leaves parts (RFC 6962 §2.1); `n` is at least 2.
fn split(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros())
}

/// Which parts of the tree's leaves the inclusion proof of a leaf is made of, from the leaf's side upwards
/// (RFC 6962 §2.1.1, PATH). Empty where the leaf is not in the tree.
pub fn inclusion(index: u64, size: u64) -> Vec<Range<u64>> {
    let (mut parts, mut tree) = (Vec::new(), 0..size);
    if index >= size {
        return parts;
    }
    while tree.end - tree.start > 1 {
        let middle = tree.start + split(tree.end - tree.start);
        if index < middle {
            parts.push(middle..tree.end);
            tree.end = middle;
        } else {
            parts.push(tree.start..middle);
            tree.start = middle;
        }
    }
    parts.reverse();
    parts
}

/// Which parts the proof is made of that the tree of `new` leaves continues the one of `old` (RFC 6962 §2.1.2, PROOF).
pub fn consistency(old: u64, new: u64) -> Vec<Range<u64>> {
    let (mut parts, mut tree) = (Vec::new(), 0..new);
    if old == 0 || old >= new {
        return parts;
    }
    while tree.end != old {
        let middle = tree.start + split(tree.end - tree.start);
        if old <= middle {
            parts.push(middle..tree.end);
            tree.end = middle;
        } else {
            parts.push(tree.start..middle);
            tree.start = middle;
        }
    }
    // The old tree itself is known to whoever asks.
    if tree.start != 0 {
        parts.push(tree);
    }
    parts.reverse();
    parts
}

/// Whether `leaf` is at `index` in the tree of `size` leaves with this root (RFC 9162 §2.1.3.2).
///
/// # Errors
/// [`LogFault::Unproven`].
pub fn check_inclusion(leaf: &Hash, index: u64, size: u64, root: &Hash, proof: &[Hash]) -> Result<(), LogFault> {
    if index >= size {
        return Err(LogFault::Unproven);
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return Err(LogFault::Unproven);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last == 0 && hash == *root { Ok(()) } else { Err(LogFault::Unproven) }
}

/// Whether the tree of `new` leaves begins with the one of `old` (RFC 9162 §2.1.4.2).
///
/// # Errors
/// [`LogFault::Unproven`].
pub fn check_consistency(old: u64, old_root: &Hash, new: u64, new_root: &Hash, proof: &[Hash]) -> Result<(), LogFault> {
    check_subtree(0..old, old_root, new, new_root, proof)
}

/// Whether a leaf is in a part of the tree that is a subtree; otherwise as [`check_inclusion`].
///
/// # Errors
/// [`LogFault::Unproven`].
pub fn check_subtree_inclusion(
    leaf: &Hash,
    index: u64,
    part: Range<u64>,
    root: &Hash,
    proof: &[Hash],
) -> Result<(), LogFault> {
    if !is_subtree(&part) || index < part.start {
        return Err(LogFault::Unproven);
    }
    check_inclusion(leaf, index - part.start, part.end - part.start, root, proof)
}

/// Whether a subtree with this root is part of the tree of `size` leaves (draft-ietf-plants-merkle-tree-certs §4.4.3). With a
/// part that begins at 0 it is the consistency of two trees.
///
/// # Errors
/// [`LogFault::Unproven`].
pub fn check_subtree(
    part: Range<u64>,
    part_root: &Hash,
    size: u64,
    root: &Hash,
    proof: &[Hash],
) -> Result<(), LogFault> {
    let holds = |yes: bool| if yes { Ok(()) } else { Err(LogFault::Unproven) };
    if part.end > size {
        return holds(false);
    }
    // Nothing is part of everything.
    if part.start == part.end {
        return holds(proof.is_empty() && *part_root == empty_root());
    }
    if !is_subtree(&part) {
        return holds(false);
    }
    let (mut first, mut last, mut end) = (part.start, part.end - 1, size - 1);
    // Up to the largest node that is wholly inside the part: its hash is where the two ways to the roots begin.
    while first != last && (last == end || last & 1 == 1) {
        (first, last, end) = (first >> 1, last >> 1, end >> 1);
    }
    let mut proof = proof.iter();
    let start = if first == last { Some(part_root) } else { proof.next() };
    let Some(start) = start else { return holds(false) };
    let (mut of_part, mut of_tree) = (*start, *start);
    for hash in proof {
        if end == 0 {
            return holds(false);
        }
        if last & 1 == 1 || last == end {
            if first < last {
                of_part = node_hash(hash, &of_part);
            }
            of_tree = node_hash(hash, &of_tree);
            while last & 1 == 0 && last != 0 {
                (first, last, end) = (first >> 1, last >> 1, end >> 1);
            }
        } else {
            of_tree = node_hash(&of_tree, hash);
        }
        (first, last, end) = (first >> 1, last >> 1, end >> 1);
    }
    holds(end == 0 && of_part == *part_root && of_tree == *root)
}

/// Whether these leaves stand under one node, or would if the tree had grown so far.
fn is_subtree(part: &Range<u64>) -> bool {
    if part.start >= part.end {
        return false;
    }
    (part.end - part.start).checked_next_power_of_two().is_some_and(|room| part.start.is_multiple_of(room))
}
