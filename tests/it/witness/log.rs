//! A tiny log: leaves "0", "1", … of one face or another, its key, and roots computed by the book (RFC 6962 §2.1).

use std::ops::Range;

use ring::signature::{Ed25519KeyPair, KeyPair};
use yinxin::tlog::checkpoint::Checkpoint;
use yinxin::tlog::note::{Kind, Line, Note, VerifierKey};
use yinxin::tlog::tree::{self, Hash};
use yinxin::tlog::witness::AddCheckpoint;

pub struct Log {
    pair: Ed25519KeyPair,
    pub key: VerifierKey,
    face: &'static str,
}

impl Log {
    pub fn new(name: &str, seed: u8) -> Self {
        let (pair, key) = pair(name, Kind::Ed25519, seed);
        Self { pair, key, face: "" }
    }

    /// The same log as it looks from `from` leaves on to whoever shall see something else.
    pub fn other_face(&self, name: &str, seed: u8) -> Self {
        Self { face: "other ", ..Self::new(name, seed) }
    }

    fn root(&self, leaves: Range<u64>) -> Hash {
        match leaves.end - leaves.start {
            0 => tree::empty_root(),
            1 => tree::leaf_hash(format!("{}{}", self.face, leaves.start).as_bytes()),
            n => {
                let left = 1 << (63 - (n - 1).leading_zeros());
                let middle = leaves.start + left;
                tree::node_hash(&self.root(leaves.start..middle), &self.root(middle..leaves.end))
            }
        }
    }

    pub fn head(&self, size: u64) -> Note {
        self.say(Checkpoint::new(self.key.name(), size, self.root(0..size)))
    }

    /// Signs whatever it is told to.
    pub fn say(&self, head: Checkpoint) -> Note {
        let mut note = Note::new(head.to_string()).unwrap();
        let value = self.pair.sign(note.text().as_bytes()).as_ref().to_vec();
        note.sign(Line::of(&self.key, value));
        note
    }

    pub fn proof(&self, old: u64, new: u64) -> Vec<Hash> {
        tree::consistency(old, new).into_iter().map(|part| self.root(part)).collect()
    }

    /// What a witness is asked.
    pub fn request(&self, old: u64, new: u64) -> String {
        AddCheckpoint { old, proof: self.proof(old, new), head: self.head(new) }.to_string()
    }
}

/// A key from a seed.
pub fn pair(name: &str, kind: Kind, seed: u8) -> (Ed25519KeyPair, VerifierKey) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let public = pair.public_key().as_ref().try_into().unwrap();
    (pair, VerifierKey::new(name, kind, public).unwrap())
}
