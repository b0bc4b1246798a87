//! A seal or a seal signature from a stranger, and the SM2 value in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use yinxin::ses::{Value, read_seal, read_signature};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(seal) = read_seal(bytes) {
        assert_eq!(seal.whole, bytes);
        seal.is_held_by(&seal.maker);
        Value::read(&seal.value).map(Value::to_der);
    }
    if let Ok(signature) = read_signature(bytes) {
        assert!(bytes.windows(signature.to_be_signed.len()).any(|part| part == signature.to_be_signed));
        Value::read(&signature.value).map(Value::to_der);
    }
    if let Some(value) = Value::read(bytes) {
        assert_eq!(Value::read(&value.to_der()).map(|again| (again.r, again.s)), Some((value.r, value.s)));
    }
});
