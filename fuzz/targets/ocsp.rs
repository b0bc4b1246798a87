//! An OCSP response from a stranger: read, its signature tried with the key that it brought along. The same bytes as a request.
#![no_main]

use libfuzzer_sys::fuzz_target;
use yinxin::pki::ocsp::{OcspResponse, Request};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = Request::read(bytes) {
        request.to_der();
    }
    if let Ok(response) = OcspResponse::read(bytes) {
        for certificate in &response.certificates {
            response.is_signed_by(&certificate.public_key).ok();
        }
    }
});
