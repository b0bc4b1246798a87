//! A certificate from a stranger: read, and taken for its own issuer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use yinxin::pki::certificate::{Certificate, from_pem_or_der};

fuzz_target!(|bytes: &[u8]| {
    for der in from_pem_or_der("CERTIFICATE", bytes) {
        if let Ok(certificate) = Certificate::read(&der) {
            certificate.is_signed_by(&certificate.public_key).ok();
            certificate.may_sign_documents();
            certificate.subject.to_string();
        }
    }
});
