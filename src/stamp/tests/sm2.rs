//! A token by an SM2 key over an SM3 digest (GB/T 20520, RFC 3161).

use time::Duration;
use time::macros::datetime;

use super::super::Token;
use super::super::accept::{Terms, accept};
use super::super::answer::{Info, Unsigned};
use super::super::request::Request;
use crate::crypto::{Digest, KeyAlgorithm};
use crate::pki::issue::{self, Serial};
use crate::pki::trial::{Hierarchy, Key, MADE, NONE, name, openssl_takes_sm2, serial, years};

#[test]
fn token_by_an_sm2_key_over_sm3() {
    let made = Hierarchy::of(Key::sm2);
    let key = Key::sm2();
    let until = MADE + Duration::days(300);
    let unsigned = issue::stamping(&made.issuing, &name("时间戳"), &key.public_key, serial(50), years(3), until, NONE);
    let unit = made.issuing_key.certificate(unsigned.unwrap());
    let content = Digest::Sm3.over(&["准予行政许可决定书".as_bytes()]);
    let asked = Request::of_ours(Digest::Sm3, &content, [7; 16], None);
    let asked = Request::read(&asked.to_der().unwrap()).unwrap();
    let at = datetime!(2026-06-01 00:00 UTC);
    let info = Info { policy: "1.2.3", serial: Serial::from_random([9; 16]), time: at, accuracy: Duration::SECOND };
    let unsigned =
        Unsigned::of(info.to_der(&asked).unwrap(), &unit, &[unit.der().to_vec(), made.issuing.der().to_vec()]);
    let value = key.sign(unsigned.to_be_signed());
    assert!(openssl_takes_sm2(&key.public_key, unsigned.to_be_signed(), &value));
    let der = unsigned.signed(&value, KeyAlgorithm::Sm2).unwrap();
    // SM3 and SM2 alone.
    assert_eq!(hex::encode(&der).matches("608648016503040201").count(), 0, "SHA-256");

    let token = Token::read(&der).unwrap();
    assert_eq!(token.breaches(&token.check()), []);
    let terms = Terms { anchors: vec![made.root.clone()], ..Terms::default() };
    accept(&token, &asked, &terms, (at, at)).unwrap();
    let other = Request::of_ours(Digest::Sm3, &[1; 32], [7; 16], None);
    assert!(accept(&token, &other, &terms, (at, at)).is_err());
    let strangers = Terms { anchors: vec![Hierarchy::of(Key::sm2).root], ..Terms::default() };
    assert!(accept(&token, &asked, &strangers, (at, at)).is_err());
    let mut turned = der.clone();
    let place = der.windows(8).rposition(|window| window == &value[value.len() - 8..]).unwrap();
    turned[place] ^= 1;
    assert!(accept(&Token::read(&turned).unwrap(), &asked, &terms, (at, at)).is_err());
}
