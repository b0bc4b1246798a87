//! A PDF from a stranger: read for its signatures, searched for a word. Nothing may panic, hang or fill the memory.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(reading) = yinxin::pdf::signatures::read(bytes) {
        for signature in &reading.signatures {
            let signed: usize = signature.byte_range.iter().map(|(_, length)| length).sum();
            assert!(signed <= bytes.len(), "more is signed than there is");
        }
    }
    yinxin::pdf::text::occurrences(bytes, "日期").ok();
});
