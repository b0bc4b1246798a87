//! Published vectors: proofs good and bad (transparency-dev/merkle), a foreign log's tiles (Tessera), a foreign head with a
//! witness's line (sunlight).

use std::path::PathBuf;

use serde::Deserialize;

use super::super::checkpoint::Checkpoint;
use super::super::note::{Kind, Note, VerifierKey};
use super::super::tile::{self, Tile, Tiles, unbundle};
use super::super::tree::{self, Edge, Hash};
use super::super::{LogFault, unbase64};

fn corpus() -> Option<PathBuf> {
    let corpus = PathBuf::from(std::env::var("YINXIN_CORPUS").unwrap_or_else(|_| "../shared/corpus".into()));
    if corpus.join("INDEX.tsv").is_file() {
        return Some(corpus);
    }
    eprintln!("skipped: no corpus at {}", corpus.display());
    None
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    #[serde(default)]
    leaf_idx: u64,
    #[serde(default)]
    tree_size: Option<u64>,
    #[serde(default)]
    start: u64,
    #[serde(default)]
    end: Option<u64>,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    size1: u64,
    #[serde(default)]
    size2: u64,
    root: Option<String>,
    root1: Option<String>,
    root2: Option<String>,
    leaf_hash: Option<String>,
    proof: Option<Vec<String>>,
    want_err: bool,
}

fn holds(kind: &str, vector: &Vector) -> Option<bool> {
    // Some vectors write "don't care" where a root stands that need only be equal; a hash of it is as equal.
    let hash = |text: &Option<String>| {
        let bytes = unbase64(text.as_deref()?, "vector").ok()?;
        Some(Hash::read(&bytes).unwrap_or_else(|| tree::leaf_hash(&bytes)))
    };
    let hashes: Option<Vec<Hash>> = vector.proof.iter().flatten().map(|line| hash(&Some(line.clone()))).collect();
    let Some(proof) = hashes else { return Some(false) };
    Some(match kind {
        "inclusion" | "subtreeinclusion" => {
            let (Some(leaf), Some(root)) = (hash(&vector.leaf_hash), hash(&vector.root)) else { return Some(false) };
            match (vector.tree_size, vector.end) {
                (Some(size), None) => tree::check_inclusion(&leaf, vector.leaf_idx, size, &root, &proof),
                (None, Some(end)) => {
                    tree::check_subtree_inclusion(&leaf, vector.leaf_idx, vector.start..end, &root, &proof)
                }
                _ => return None,
            }
            .is_ok()
        }
        _ => {
            let (Some(old), Some(new)) = (hash(&vector.root1), hash(&vector.root2)) else { return Some(false) };
            match vector.end {
                None => tree::check_consistency(vector.size1, &old, vector.size2, &new, &proof),
                Some(end) => tree::check_subtree(vector.start..end, &old, vector.size, &new, &proof),
            }
            .is_ok()
        }
    })
}

#[test]
fn published_proofs_are_judged_as_expected() {
    let Some(corpus) = corpus() else { return };
    let index = std::fs::read_to_string(corpus.join("INDEX.tsv")).unwrap();
    let (mut good, mut bad) = (0, 0);
    for line in index.lines() {
        let mut columns = line.split('\t');
        let (Some(file), Some(kind)) = (columns.next(), columns.next()) else { continue };
        if !kind.starts_with("vector:merkle-") {
            continue;
        }
        let folder = file.rsplit('/').nth(2).unwrap();
        let vector: Vector = serde_json::from_slice(&std::fs::read(corpus.join(file)).unwrap()).unwrap();
        assert_eq!(holds(folder, &vector), Some(!vector.want_err), "{file}");
        if vector.want_err { bad += 1 } else { good += 1 }
    }
    eprintln!("proofs: {good} good hold, {bad} bad do not");
    assert!(good >= 20 && bad >= 250);
}

#[test]
fn a_foreign_logs_tiles_are_read() {
    let Some(corpus) = corpus() else { return };
    let log = corpus.join("files/transparency-dev+tessera/testdata/log");
    let mut edge = Edge::default();
    let mut before = None;
    for size in 1..=15_u16 {
        let read = |kind| {
            let tile = Tile { kind, index: 0, width: size };
            (tile, std::fs::read(log.join(tile.path())).unwrap())
        };
        let (tile, bytes) = read(tile::Kind::Hashes(0));
        let (_, entries) = read(tile::Kind::Entries);
        let leaves = unbundle(&entries, size).unwrap();
        edge.append(tree::leaf_hash(leaves.last().unwrap()), |_, _, _| {});
        let mut tiles = Tiles::default();
        tiles.add(&tile, &bytes).unwrap();
        let size = u64::from(size);
        assert_eq!(tiles.root(0..size).unwrap(), edge.root(), "{size}");
        if let Some(old) = before.replace(edge.root()) {
            let proof = tiles.proof(&tree::consistency(size - 1, size)).unwrap();
            tree::check_consistency(size - 1, &old, size, &edge.root(), &proof).unwrap();
        }
        assert_eq!(tiles.add(&tile, &bytes[1..]), Err(LogFault::Malformed("tile")));
    }
    // Full tiles of 768 leaves and ten more, without the leaves.
    let log = corpus.join("files/FiloSottile+sunlight/testdata/navigli2025h2");
    let mut tiles = Tiles::default();
    for (index, width) in [(0, 256), (1, 256), (2, 256), (3, 10)] {
        let tile = Tile { kind: tile::Kind::Hashes(0), index, width };
        tiles.add(&tile, &std::fs::read(log.join(tile.path())).unwrap()).unwrap();
    }
    tiles.root(768..778).unwrap();
}

#[test]
fn a_foreign_head_is_read_with_its_witnesses_line() {
    let Some(corpus) = corpus() else { return };
    let tests = corpus.join("files/FiloSottile+sunlight/cmd/skylight/testdata");
    let head = tests.join("witness/000de184301123b9278c086a7d9f68c9577e83872224c197058fd90784ea9706/checkpoint");
    let text = std::fs::read(head).unwrap();
    let note = Note::read(&text).unwrap();
    assert_eq!(note.to_string().as_bytes(), text);
    let head = Checkpoint::read(note.text()).unwrap();
    assert_eq!((head.origin.as_str(), head.size), ("rome2026h1.example.org", 300));
    assert_eq!(head.to_string(), note.text());
    let names: Vec<&str> = note.lines().iter().map(|line| line.name.as_str()).collect();
    assert_eq!(names, ["rome2026h1.example.org", "witness.example.org"]);
    // Eight bytes of time and an Ed25519 value (C2SP tlog-cosignature).
    assert_eq!(note.lines()[1].value.len(), 72);
    let about: serde_json::Value =
        serde_json::from_slice(&std::fs::read(tests.join("witness2/witness.v0.json")).unwrap()).unwrap();
    let written = about["verifier_keys"][0].as_str().unwrap();
    let key = VerifierKey::read(written).unwrap();
    assert_eq!(
        (key.kind(), key.name(), key.to_string().as_str()),
        (Kind::Cosignature, "witness2.example.org", written)
    );
    let other_id = written.replacen("+2e55b896+", "+2e55b897+", 1);
    assert!(VerifierKey::read(&other_id).is_err());
}

#[test]
fn the_notes_of_the_specification_hold() {
    // The example of C2SP tlog-cosignature, without its keys: what can be said is that it is read and written the same.
    let example = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
    let note = Note::read(example.as_bytes()).unwrap();
    assert_eq!(note.to_string(), example);
    let (time, _) = note.lines()[1].value.split_first_chunk::<8>().unwrap();
    assert_eq!(u64::from_be_bytes(*time), 1_679_315_147);
}
