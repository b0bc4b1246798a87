//! What strangers send to a log, a witness or a verifier: notes, receipts, requests, leaves, bundles. What is read is written
//! back as the same bytes, so that nothing has two forms.
#![no_main]

use libfuzzer_sys::fuzz_target;
use yinxin::tlog::checkpoint::Checkpoint;
use yinxin::tlog::leaf::{Leaf, Opening};
use yinxin::tlog::note::{Note, VerifierKey};
use yinxin::tlog::receipt::Receipt;
use yinxin::tlog::tile::{Tile, unbundle};
use yinxin::tlog::tree::leaf_hash;
use yinxin::tlog::witness::{AddCheckpoint, may_cosign};

fuzz_target!(|bytes: &[u8]| {
    let same = |text: String| assert_eq!(text.as_bytes(), bytes);
    let log = VerifierKey::read("witness2.example.org+2e55b896+BIZ7fpceQWd60IfqQeS9IAnmNOCZjMDne8lZuguz/bi9");
    if let Ok(note) = Note::read(bytes) {
        if let Ok(head) = Checkpoint::read(note.text()) {
            assert_eq!(head.to_string(), note.text());
        }
        same(note.to_string());
    }
    if let Ok(receipt) = Receipt::read(bytes) {
        if let Ok(log) = &log {
            assert!(receipt.check(&leaf_hash(b""), log, &[]).is_err());
        }
        same(receipt.to_string());
    }
    if let Ok(request) = AddCheckpoint::read(bytes) {
        if let Ok(log) = &log {
            assert!(may_cosign(&request, log, None).is_err());
        }
        same(request.to_string());
    }
    if let Ok(leaf) = Leaf::read(bytes) {
        same(leaf.to_string());
    }
    if let Ok(opening) = Opening::read(bytes) {
        same(opening.to_string());
    }
    if let Some(tile) = std::str::from_utf8(bytes).ok().and_then(Tile::of_path) {
        assert_eq!(tile.path().strip_prefix("tile/").map(str::as_bytes), Some(bytes));
    }
    unbundle(bytes, 2).ok();
});
