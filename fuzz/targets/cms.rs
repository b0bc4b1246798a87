//! A CMS from a stranger, each signer checked over some content.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(signed) = yinxin::cms::read(bytes) {
        let content = signed.content.clone().unwrap_or_default();
        for signer in &signed.signers {
            signed.check(signer, &[&content]);
            signer.claimed_time();
        }
    }
});
