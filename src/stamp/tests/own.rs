//! What our own authority is asked and answers, byte by byte.

use proptest::prelude::*;
use time::macros::datetime;

use super::super::answer::{Info, Rejection, granted};
use super::super::request::Request;
use super::super::{StampError, Token, dotted, encoded, general_time};
use crate::crypto::Digest;
use crate::pki::issue::Serial;
use crate::pki::tlv::{self, Element};
use time::Duration;

fn request() -> Request {
    Request::of_ours(Digest::Sha384, &[7; 48], [0; 16], Some("2.25.340282366920938463463374607431768211455"))
}

#[test]
fn what_we_ask_we_can_read() {
    let asked = request();
    let der = asked.to_der().unwrap();
    assert_eq!(Request::read(&der), Ok(asked));
    let mut plain = Request::of_ours(Digest::Sha256, &[1; 32], [0xFF; 16], None);
    assert_eq!(plain.nonce.as_ref().unwrap().len(), 17, "positive");
    plain.nonce = None;
    plain.certificates = false;
    assert_eq!(Request::read(&plain.to_der().unwrap()), Ok(plain.clone()));
    plain.policy = Some("1.2.x".into());
    assert_eq!(plain.to_der(), Err(Rejection::UnacceptedPolicy));
}

#[test]
fn requests_that_are_not_answered() {
    let read = |change: fn(&mut Vec<Vec<u8>>)| {
        let der = Request::of_ours(Digest::Sha256, &[1; 32], [9; 16], Some("1.2.3")).to_der().unwrap();
        let mut parts: Vec<Vec<u8>> =
            Element::read_all(&der).unwrap().children().unwrap().iter().map(|part| part.whole.to_vec()).collect();
        change(&mut parts);
        Request::read(&tlv::wrap(tlv::SEQUENCE, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>()))
    };
    let imprint = |digest: Digest, length: usize, beside: &[u8]| {
        let algorithm = tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier(digest.oid()), beside]);
        tlv::wrap(tlv::SEQUENCE, &[&algorithm, &tlv::wrap(tlv::OCTET_STRING, &[&vec![1; length]])])
    };
    assert!(read(|_| {}).is_ok());
    assert_eq!(read(|parts| parts[0] = tlv::unsigned_integer(&[2])), Err(Rejection::BadRequest));
    assert_eq!(read(|parts| parts.swap(2, 3)), Err(Rejection::BadDataFormat));
    assert_eq!(read(|parts| parts.truncate(1)), Err(Rejection::BadDataFormat));
    assert_eq!(read(|parts| parts.push(tlv::wrap(tlv::context(0), &[]))), Err(Rejection::UnacceptedExtension));
    assert_eq!(read(|parts| parts.push(tlv::wrap(tlv::context(1), &[]))), Err(Rejection::BadDataFormat));
    assert_eq!(read(|parts| parts[3] = tlv::wrap(tlv::INTEGER, &[])), Err(Rejection::BadDataFormat));
    assert_eq!(read(|parts| parts[3] = tlv::wrap(tlv::INTEGER, &[&[1; 65]])), Err(Rejection::BadDataFormat));
    let with = |imprint: Vec<u8>| Request::read(&tlv::wrap(tlv::SEQUENCE, &[&tlv::unsigned_integer(&[1]), &imprint]));
    assert_eq!(with(imprint(Digest::Sha1, 20, &[])), Err(Rejection::BadAlg));
    assert_eq!(with(imprint(Digest::Sha256, 31, &[])), Err(Rejection::BadDataFormat));
    assert_eq!(with(imprint(Digest::Sha256, 32, &[2, 1, 0])), Err(Rejection::BadAlg));
    // NULL beside the algorithm is repeated, as the field must come back as it was sent.
    let with_null = with(imprint(Digest::Sha256, 32, &[5, 0])).unwrap();
    assert!(!with_null.certificates && with_null.nonce.is_none() && with_null.policy.is_none());
    assert_eq!(with_null.imprint(), imprint(Digest::Sha256, 32, &[5, 0]));
}

#[test]
fn what_a_token_says_is_what_we_meant() {
    let serial = Serial::from_random([0xAB; 16]);
    let at = datetime!(2026-11-22 15:04:05.120 +8);
    let accuracy = Duration::microseconds(1_500_100);
    let info = Info { policy: "1.2.3", serial, time: at, accuracy }.to_der(&request()).unwrap();
    let parts = Element::read_all(&info).unwrap().children().unwrap();
    assert_eq!(parts.len(), 7);
    assert_eq!(parts[4].content, b"20261122070405.12Z");
    assert_eq!(general_time(parts[4].content), Some(at));
    assert_eq!(super::super::accuracy(&parts[5]), Ok(accuracy));
    let whole = Info { policy: "1.2.3", serial, time: datetime!(2026-01-02 03:04:05 UTC), accuracy: Duration::SECOND };
    let info = whole.to_der(&request()).unwrap();
    let parts = Element::read_all(&info).unwrap().children().unwrap();
    assert_eq!((parts[4].content, parts[5].whole), (&b"20260102030405Z"[..], &[0x30, 3, 2, 1, 1][..]));
    assert!(Info { policy: "x", ..whole }.to_der(&request()).is_none());
    assert!(Info { accuracy: Duration::seconds(-1), ..whole }.to_der(&request()).is_none());
}

#[test]
fn answers_say_why_by_one_bit() {
    for (rejection, bits) in [
        (Rejection::BadAlg, "03020780"),
        (Rejection::BadRequest, "03020520"),
        (Rejection::BadDataFormat, "03020204"),
        (Rejection::TimeNotAvailable, "0303010002"),
        (Rejection::UnacceptedPolicy, "0303000001"),
        (Rejection::UnacceptedExtension, "030407000080"),
        (Rejection::SystemFailure, "03050600000040"),
    ] {
        let answer = rejection.answer();
        assert!(hex::encode(&answer).ends_with(bits), "{rejection:?} {}", hex::encode(&answer));
        assert_eq!(Token::read_answer(&answer), Err(StampError::Refused(2)));
    }
    assert_eq!(Token::in_answer(&granted(&[0x30, 0])), Ok(&[0x30, 0][..]));
}

#[test]
fn identifiers_of_any_length() {
    for text in ["0.0", "1.2.840.113549", "2.999.3", "2.25.183066901063764545149473811553130303626", "2.5"] {
        let der = encoded(text).unwrap();
        assert_eq!(dotted(Element::read_all(&der).unwrap().content).as_deref(), Some(text));
    }
    assert_eq!(encoded("1.2.840.113549"), Some(vec![6, 6, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D]));
    let too_much = format!("2.{}", u128::MAX);
    for bad in ["", "1", "3.1", "1.40", "1.2.", "1..2", "1.02", "1.+2", "a.b", "1.2.３", too_much.as_str()] {
        assert_eq!(encoded(bad), None, "{bad}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), place in 0usize..100, bit in 0u8..8) {
        let _ = Request::read(&bytes);
        let mut near = request().to_der().unwrap();
        if let Some(octet) = near.get_mut(place) {
            *octet ^= 1 << bit;
        }
        if let Ok(read) = Request::read(&near) {
            prop_assert!(read.value.len() == read.digest.length());
        }
        let _ = Token::in_answer(&near);
    }
}
