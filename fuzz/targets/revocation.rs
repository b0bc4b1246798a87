//! A revocation list from a stranger: read, searched for a serial number, its signature tried.
#![no_main]

use libfuzzer_sys::fuzz_target;
use yinxin::pki::revocation::RevocationList;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(list) = RevocationList::read(bytes) {
        list.line(&[1]).ok();
        list.is_signed_by(bytes).ok();
    }
});
