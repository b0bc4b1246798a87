//! Anything at all written behind a sealed document: whatever it is, the seal's verdict must notice it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use yinxin::pdf::changes::LaterChanges;
use yinxin::pdf::signatures::{Coverage, read};

const SEALED: &[u8] = include_bytes!("../../tests/vectors/sealed/certified.pdf");

fuzz_target!(|update: &[u8]| {
    let Ok(reading) = read(&[SEALED, update].concat()) else { return };
    let Some(seal) = reading.signatures.iter().find(|s| s.signed_length == Some(SEALED.len())) else { return };
    let blank = update.iter().all(|b| b.is_ascii_whitespace() || *b == 0);
    if !blank {
        assert_eq!(seal.coverage, Coverage::Partial);
        assert!(seal.later_changes > LaterChanges::None, "an update went unnoticed");
    }
});
