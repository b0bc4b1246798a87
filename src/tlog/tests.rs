//! The log's format against its published vectors, a foreign log, and itself.

use super::checkpoint::{Checkpoint, cosignature, cosigned, cosigned_message};
use super::leaf::{Entry, Leaf, Matter, Opening};
use super::note::{Kind, Line, Note, VerifierKey};
use super::receipt::Receipt;
use super::tile::{Tile, Tiles, bundle, needed, unbundle};
use super::tree::{self, Edge, Hash};
use super::witness::{AddCheckpoint, Refused, Seen, may_cosign};
use super::{LogFault, tile};
use ring::signature::{Ed25519KeyPair, KeyPair};
use time::macros::datetime;

mod vectors;

/// A key for tests and its public half.
fn key(name: &str, kind: Kind, seed: u8) -> (Ed25519KeyPair, VerifierKey) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let public = pair.public_key().as_ref().try_into().unwrap();
    (pair, VerifierKey::new(name, kind, public).unwrap())
}

fn signature(pair: &Ed25519KeyPair, message: &str) -> Vec<u8> {
    pair.sign(message.as_bytes()).as_ref().to_vec()
}

/// A log of leaves "0", "1", …, with all its tiles.
fn grown(size: u64) -> (Edge, Tiles, Vec<Hash>) {
    let (mut edge, mut tiles, mut roots) = (Edge::default(), Tiles::default(), vec![tree::empty_root()]);
    let mut levels: Vec<Vec<Hash>> = vec![Vec::new(); 9];
    for n in 0..size {
        edge.append(tree::leaf_hash(n.to_string().as_bytes()), |level, index, hash| {
            if level % tile::HEIGHT == 0 {
                let level = &mut levels[usize::from(level / tile::HEIGHT)];
                assert_eq!(level.len() as u64, index);
                level.push(hash);
            }
        });
        roots.push(edge.root());
    }
    for (level, hashes) in levels.iter().enumerate() {
        for (index, part) in hashes.chunks(tile::WIDTH as usize).enumerate() {
            tiles.add_hashes(level as u8, index as u64, part.to_vec());
        }
    }
    (edge, tiles, roots)
}

#[test]
fn every_proof_of_a_small_tree_holds_and_no_other() {
    let (_, tiles, roots) = grown(70);
    for size in 1..=70_u64 {
        let root = roots[size as usize];
        assert_eq!(tiles.root(0..size).unwrap(), root);
        for index in 0..size {
            let leaf = tree::leaf_hash(index.to_string().as_bytes());
            let proof = tiles.proof(&tree::inclusion(index, size)).unwrap();
            tree::check_inclusion(&leaf, index, size, &root, &proof).unwrap();
            assert!(tree::check_inclusion(&leaf, index + 1, size, &root, &proof).is_err());
            assert!(tree::check_inclusion(&tree::leaf_hash(b"x"), index, size, &root, &proof).is_err());
            if let Some((_, shorter)) = proof.split_last() {
                assert!(tree::check_inclusion(&leaf, index, size, &root, shorter).is_err());
            }
        }
        for old in 0..=size {
            let proof = tiles.proof(&tree::consistency(old, size)).unwrap();
            tree::check_consistency(old, &roots[old as usize], size, &root, &proof).unwrap();
            assert!(tree::check_consistency(old, &tree::leaf_hash(b"x"), size, &root, &proof).is_err());
            if old > 0 {
                assert!(
                    tree::check_consistency(old, &roots[old as usize], size, &tree::leaf_hash(b"x"), &proof).is_err()
                );
            }
        }
    }
}

#[test]
fn proofs_come_from_the_tiles_that_were_named() {
    let (edge, all, roots) = grown(66_000);
    assert_eq!(all.root(0..66_000).unwrap(), edge.root());
    for (old, index) in [(1, 0), (255, 256), (256, 65_535), (65_536, 65_999), (65_999, 31_337)] {
        let parts = [tree::inclusion(index, 66_000), tree::consistency(old, 66_000)].concat();
        let mut tiles = Tiles::default();
        let named = needed(&parts, 66_000);
        assert!(named.len() < 12, "{named:?}");
        for tile in &named {
            assert!(tile.is_of(66_000));
            let tile::Kind::Hashes(level) = tile.kind else { panic!() };
            tiles.add_hashes(level, tile.index, all.0[&(level, tile.index)].clone());
        }
        let leaf = tree::leaf_hash(index.to_string().as_bytes());
        let proof = tiles.proof(&tree::inclusion(index, 66_000)).unwrap();
        tree::check_inclusion(&leaf, index, 66_000, &edge.root(), &proof).unwrap();
        let proof = tiles.proof(&tree::consistency(old, 66_000)).unwrap();
        tree::check_consistency(old, &roots[old as usize], 66_000, &edge.root(), &proof).unwrap();
    }
    assert_eq!(Tiles::default().root(0..3), Err(LogFault::Missing));
}

#[test]
fn an_edge_is_taken_up_again() {
    let (edge, _, roots) = grown(11);
    let again = Edge::of(11, edge.subtrees().to_vec()).unwrap();
    assert_eq!((again.root(), again), (roots[11], edge.clone()));
    assert_eq!(Edge::of(12, edge.subtrees().to_vec()), None);
}

#[test]
fn a_tile_has_one_path() {
    // The example of C2SP tlog-tiles.
    let tile = Tile { kind: tile::Kind::Hashes(0), index: 1_234_067, width: 256 };
    assert_eq!(tile.path(), "tile/0/x001/x234/067");
    for tile in [
        tile,
        Tile { kind: tile::Kind::Entries, index: 0, width: 1 },
        Tile { kind: tile::Kind::Hashes(7), index: 999, width: 255 },
        Tile { kind: tile::Kind::Hashes(63), index: u64::MAX, width: 256 },
    ] {
        assert_eq!(Tile::of_path(tile.path().strip_prefix("tile/").unwrap()), Some(tile));
    }
    for wrong in [
        "0/x000/001",
        "0/1",
        "0/001.p/0",
        "0/001.p/256",
        "0/001.p/01",
        "00/001",
        "64/001",
        "0/x001/x234",
        "0/001/002",
        "data/001",
        "0/",
        "0/+01",
        "0/x999/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert_eq!(Tile::of_path(wrong), None, "{wrong}");
    }
}

#[test]
fn a_growing_tree_has_the_files_that_the_specification_counts() {
    // C2SP tlog-tiles: "a tree of size 70,000 will be represented by 273 full level 0 tiles, one partial level 0 tile of
    // width 112, one full level 1 tile, one partial level 1 tile of width 17, and one partial level 2 tile of width 1".
    let tiles = Tile::added(0, 70_000);
    let of = |level, full: bool| {
        let hashes = tiles.iter().filter(|t| t.kind == tile::Kind::Hashes(level) && (t.width == 256) == full);
        hashes.map(|t| t.width).collect::<Vec<_>>()
    };
    assert_eq!((of(0, true).len(), of(0, false)), (273, vec![112]));
    assert_eq!((of(1, true).len(), of(1, false)), (1, vec![17]));
    assert_eq!((of(2, true).len(), of(2, false)), (0, vec![1]));
    assert!(tiles.iter().all(|t| t.is_of(70_000)));
    assert!(!tiles.iter().all(|t| t.is_of(69_999)));
    let later = Tile::added(70_000, 70_001);
    assert_eq!(later.iter().map(Tile::path).collect::<Vec<_>>(), ["tile/entries/273.p/113", "tile/0/273.p/113"]);
}

#[test]
fn bundles_are_read_as_they_are_written() {
    let leaves: [&[u8]; 3] = [b"one", b"", "三".as_bytes()];
    let bytes = bundle(leaves).unwrap();
    assert_eq!(unbundle(&bytes, 3).unwrap(), leaves);
    assert!(unbundle(&bytes, 2).is_err());
    assert!(unbundle(&bytes[..bytes.len() - 1], 3).is_err());
    assert!(bundle([vec![0; 65_536].as_slice()]).is_err());
}

#[test]
fn a_head_is_believed_with_its_logs_signature_alone() {
    let (pair, log) = key("bureau.example/log", Kind::Ed25519, 1);
    let head = Checkpoint::new("bureau.example/log", 7, tree::leaf_hash(b"root"));
    let mut note = Note::new(head.to_string()).unwrap();
    assert_eq!(Checkpoint::open(&note, &log), Err(LogFault::Unsigned));
    note.sign(Line::of(&log, signature(&pair, note.text())));
    let read = Note::read(note.to_string().as_bytes()).unwrap();
    assert_eq!((&read, Checkpoint::open(&read, &log)), (&note, Ok(head)));
    let forged = note.to_string().replacen("\n7\n", "\n8\n", 1);
    assert_eq!(Checkpoint::open(&Note::read(forged.as_bytes()).unwrap(), &log), Err(LogFault::Unsigned));
    // The same key under another name is another key.
    let (_, other) = key("elsewhere.example/log", Kind::Ed25519, 1);
    assert_eq!(Checkpoint::open(&read, &other), Err(LogFault::Unsigned));
    assert_eq!(VerifierKey::read(&log.to_string()), Ok(log));
}

#[test]
fn notes_that_are_not_written_so_are_not_read() {
    for wrong in [
        "",
        "text\n",
        "text\n\n",
        "text\n\n\u{2014} a AAAAAAE=",
        "te\rxt\n\n\u{2014} a AAAAAAE=\n",
        "t\n\n\u{2014} a b AAAAAAE=\n",
        "t\n\n- a AAAAAAE=\n",
        "t\n\n\u{2014} a AAAA\n",
        "t\n\n\u{2014} a+b AAAAAAE=\n",
        "t\n\n\u{2014} a AAAAAAE=\n\n",
    ] {
        assert!(Note::read(wrong.as_bytes()).is_err(), "{wrong:?}");
    }
    assert!(Note::read("t\n\n\u{2014} a AAAAAAE=\n".as_bytes()).is_ok());
    assert!(Note::read(format!("t\n\n{}", "\u{2014} a AAAAAAE=\n".repeat(33)).as_bytes()).is_err());
    for wrong in ["log\n1\n", "log\n01\nAAAA\n", "log\n-1\nAAAA\n", "\n1\nAAAA\n", "log\n1\nAAAA\n"] {
        assert!(Checkpoint::read(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn witnesses_are_counted_by_their_keys() {
    let (log_pair, log) = key("bureau.example/log", Kind::Ed25519, 1);
    let (pair, witness) = key("office.example/w", Kind::Cosignature, 2);
    let (_, twin) = key("twin.example/w", Kind::Cosignature, 2);
    let mut note = Note::new(Checkpoint::new(log.name(), 1, tree::empty_root()).to_string()).unwrap();
    note.sign(Line::of(&log, signature(&log_pair, note.text())));
    let value: [u8; 64] = signature(&pair, &cosigned_message(17, note.text())).try_into().unwrap();
    let mut signed = note.clone();
    signed.sign(cosignature(&witness, 17, &value));
    signed.sign(cosignature(&twin, 17, &value));
    let held = cosigned(&signed, &[witness.clone(), twin]).unwrap();
    assert_eq!(held.iter().map(|c| (c.name.as_str(), c.seconds)).collect::<Vec<_>>(), [("office.example/w", 17)]);
    assert_eq!(cosigned(&signed, &[]).unwrap(), []);
    // Another time than the one that was signed.
    note.sign(cosignature(&witness, 18, &value));
    assert_eq!(cosigned(&note, &[witness]), Err(LogFault::Unsigned));
}

#[test]
fn a_receipt_proves_its_leaf_and_no_other() {
    let (pair, log) = key("bureau.example/log", Kind::Ed25519, 1);
    let (_, tiles, roots) = grown(40);
    let mut head = Note::new(Checkpoint::new(log.name(), 40, roots[40]).to_string()).unwrap();
    head.sign(Line::of(&log, signature(&pair, head.text())));
    let proof = tiles.proof(&tree::inclusion(23, 40)).unwrap();
    let receipt = Receipt { extra: b"salt".to_vec(), index: 23, proof, head };
    let read = Receipt::read(receipt.to_string().as_bytes()).unwrap();
    assert_eq!(read, receipt);
    let leaf = tree::leaf_hash(b"23");
    let logged = read.check(&leaf, &log, &[]).unwrap();
    assert_eq!((logged.index, logged.size, logged.witnesses.len()), (23, 40, 0));
    assert_eq!(read.check(&tree::leaf_hash(b"24"), &log, &[]), Err(LogFault::Unproven));
    assert_eq!(Receipt { index: 22, ..read.clone() }.check(&leaf, &log, &[]), Err(LogFault::Unproven));
    for (from, to) in [("index 23", "index 023"), ("@v1", "@v2"), ("index 23\n", "index 23\n\n"), ("extra ", "extra  ")]
    {
        let changed = Receipt::read(receipt.to_string().replacen(from, to, 1).as_bytes());
        assert!(changed.and_then(|receipt| receipt.check(&leaf, &log, &[])).is_err(), "{to}");
    }
}

#[test]
fn a_witness_says_yes_to_one_history_alone() {
    let (pair, log) = key("bureau.example/log", Kind::Ed25519, 1);
    let (_, tiles, roots) = grown(40);
    let ask = |old, new: u64, root| {
        let mut head = Note::new(Checkpoint::new(log.name(), new, root).to_string()).unwrap();
        head.sign(Line::of(&log, signature(&pair, head.text())));
        AddCheckpoint { old, proof: tiles.proof(&tree::consistency(old, new)).unwrap(), head }
    };
    let seen = |size: u64| Some(Seen { size, root: roots[size as usize] });
    let first = ask(0, 12, roots[12]);
    assert_eq!(AddCheckpoint::read(first.to_string().as_bytes()), Ok(first.clone()));
    assert_eq!(may_cosign(&first, &log, None), Ok(seen(12).unwrap()));
    assert_eq!(may_cosign(&ask(12, 40, roots[40]), &log, seen(12)), Ok(seen(40).unwrap()));
    assert_eq!(may_cosign(&ask(12, 12, roots[12]), &log, seen(12)), Ok(seen(12).unwrap()));
    assert_eq!(may_cosign(&ask(12, 12, roots[11]), &log, seen(12)), Err(Refused::Conflict(12)));
    assert_eq!(may_cosign(&ask(11, 40, roots[40]), &log, seen(12)), Err(Refused::Conflict(12)));
    assert_eq!(may_cosign(&ask(12, 40, roots[39]), &log, seen(12)), Err(Refused::Inconsistent));
    assert_eq!(
        may_cosign(&AddCheckpoint { old: 41, ..ask(12, 40, roots[40]) }, &log, seen(12)),
        Err(Refused::Backwards)
    );
    let (_, stranger) = key("bureau.example/log", Kind::Ed25519, 3);
    assert_eq!(may_cosign(&first, &stranger, None), Err(Refused::Unsigned));
}

#[test]
fn a_leaf_says_nothing_that_its_opening_keeps() {
    let opening =
        Opening::new([7; 32], [("document", "ab12"), ("decision", "汶审批〔2026〕1号"), ("officers", "a b c")])
            .unwrap();
    let leaf = Leaf {
        matter: Matter::Order,
        act: "licence".into(),
        at: datetime!(2026-11-22 05:00:00.000123 UTC),
        seal: Some("51322100000001".into()),
        commitment: opening.commitment(),
    };
    let text = leaf.to_string();
    assert!(!text.contains("2026〕1号"));
    // These bytes stand in documents for decades: a change of the format is another version, with vectors of its own.
    assert_eq!(text, include_str!("../../tests/vectors/log/leaf-v1.txt"));
    assert_eq!(opening.to_string(), include_str!("../../tests/vectors/log/opening-v1.txt"));
    assert_eq!(hex::encode(leaf.hash().0), "2b64edbad0238d8d55b88a58e7be8331f50de8df99ef2850cf6508d5e0584a76");
    assert_eq!(Leaf::read(text.as_bytes()), Ok(leaf));
    assert_eq!(Opening::read(opening.to_string().as_bytes()).unwrap().fact("decision"), Some("汶审批〔2026〕1号"));
    // The same facts under another salt are another commitment.
    let other = Opening::new([8; 32], [("document", "ab12"), ("decision", "汶审批〔2026〕1号"), ("officers", "a b c")])
        .unwrap();
    assert_ne!(other.commitment(), opening.commitment());
    for (from, to) in [
        (".000123Z", ".000123+00:00"),
        (".000123Z", ".123Z"),
        ("/v1", "/v2"),
        ("matter order", "matter thing"),
        ("seal ", "seal  "),
    ] {
        assert!(Leaf::read(text.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
    }
    assert!(Leaf::read(format!("{text}\n").as_bytes()).is_err());
    for wrong in [
        [("a b", "c"), ("d", "e")],
        [("a", "b"), ("a", "c")],
        [("a", "b\nc"), ("d", "e")],
        [("salt", "b"), ("d", "e")],
        [("a", ""), ("d", "e")],
    ] {
        assert!(Opening::new([0; 32], wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn an_entry_is_a_leaf_with_its_own_opening() {
    let opening = |salt| Opening::new([salt; 32], [("order", "1"), ("officer", "zhang")]).unwrap();
    let at = datetime!(2026-11-22 08:00 UTC);
    let entry = Entry::new(Matter::Order, "licence", at, Some("33010000012345".into()), opening(7));
    assert_eq!(Entry::read(entry.to_string().as_bytes()).unwrap(), entry);
    let exchanged = format!("{}{}", entry.leaf, opening(8));
    assert_eq!(Entry::read(exchanged.as_bytes()), Err(LogFault::Unproven));
    for cut in ["", "yinxin-leaf/v1\n", &entry.leaf.to_string(), &entry.opening.to_string()] {
        assert!(Entry::read(cut.as_bytes()).is_err(), "{cut}");
    }
}
