//! A time stamp from a stranger, by itself or in an authority's answer: read, and checked over some content.
#![no_main]

use libfuzzer_sys::fuzz_target;
use yinxin::stamp::Token;

fuzz_target!(|bytes: &[u8]| {
    for token in [Token::read(bytes), Token::read_answer(bytes)].into_iter().flatten() {
        let checks = token.check();
        token.breaches(&checks);
        token.covers_bytes(b"content").ok();
    }
});
