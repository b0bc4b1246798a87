//! A time stamp from a stranger, by itself or in an authority's answer: read, and checked over some content. And a
//! stranger's request for one of ours.
#![no_main]

use libfuzzer_sys::fuzz_target;
use yinxin::stamp::Token;
use yinxin::stamp::request::Request;

fuzz_target!(|bytes: &[u8]| {
    for token in [Token::read(bytes), Token::read_answer(bytes)].into_iter().flatten() {
        let checks = token.check();
        token.breaches(&checks);
        token.covers_bytes(b"content").ok();
    }
    if let Ok(request) = Request::read(bytes) {
        assert_eq!(Request::read(&request.to_der().unwrap()), Ok(request));
    }
});
