//! A sealed document, changed in any way: if it still passes, what was sealed must be what it was and say what it said.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::{Corpus, fuzz_target};
use time::macros::datetime;
use yinxin::pdf::text::occurrences;
use yinxin::verify::{Evidence, Trust, judge};

const SEALED: &[&[u8]] = &[
    include_bytes!("../../tests/vectors/sealed/certified.pdf"),
    include_bytes!("../../tests/vectors/sealed/approved.pdf"),
];
const TRUST: &[u8] = include_bytes!("../../tests/vectors/sealed/trust.pem");

static TRUSTED: LazyLock<Arc<Trust>> = LazyLock::new(|| Arc::new(Trust::read([TRUST]).0));

/// What a person would read, as far as one word tells.
fn says(bytes: &[u8]) -> usize {
    occurrences(bytes, "Permit").map_or(0, |found| found.len())
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let evidence = Evidence::open("fuzz.pdf", bytes, TRUSTED.clone(), datetime!(2026-09-01 00:00 UTC));
    if !judge(&evidence).verdict.is_genuine() {
        return Corpus::Keep;
    }
    let front = |of: &[u8]| of.windows(10).position(|w| w == b"/Contents<").map(|at| at + 10);
    let same = |original: &&[u8]| {
        front(original).is_some_and(|to| bytes.get(..to) == original.get(..to)) && says(bytes) == says(original)
    };
    assert!(SEALED.iter().any(|original| same(&original)), "a forgery passes");
    Corpus::Keep
});
