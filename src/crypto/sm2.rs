//! SM2 signatures with SM3 (GM/T 0003.2, GM/T 0009): verification. The signer's identity is the default one, as in every
//! certificate and seal met; with another, or none, no value holds.

use const_oid::ObjectIdentifier;
use sm2::dsa::signature::Verifier;
use sm2::dsa::{Signature, VerifyingKey};

use super::SignatureFault;

/// The curve sm2p256v1 (GM/T 0006).
pub(super) const CURVE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.301");
/// The signature by itself; CMS writers put it where the other one is meant.
pub(super) const SM2_SIGNATURE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.301.1");
/// The signature with SM3.
pub(super) const SM2_WITH_SM3: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.501");

/// The identity that goes into Z where nothing else was agreed (GM/T 0009 §10).
const IDENTITY: &str = "1234567812345678";

/// Checks a value in DER over the message with the key at this point (SEC 1 §2.3.3).
pub(super) fn verify(point: &[u8], message: &[u8], value: &[u8]) -> Result<(), SignatureFault> {
    let key = VerifyingKey::from_sec1_bytes(IDENTITY, point)
        .map_err(|_| SignatureFault::Malformed("elliptic curve point"))?;
    // GM/T 0009 §7.3: SEQUENCE { r INTEGER, s INTEGER }.
    let value = Signature::from_der(value).map_err(|_| SignatureFault::Wrong)?;
    key.verify(message, &value).map_err(|_| SignatureFault::Wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::tlv;

    /// GM/T 0003.5-2012, annex A: the example on the recommended curve.
    const POINT: &str = "04\
        09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020\
        ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13";
    const R: &str = "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3";
    const S: &str = "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa";
    const N: &str = "fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123";
    const MESSAGE: &[u8] = b"message digest";

    fn number(hexadecimal: &str) -> Vec<u8> {
        hex::decode(hexadecimal).unwrap()
    }

    fn value(r: &[u8], s: &[u8]) -> Vec<u8> {
        tlv::wrap(tlv::SEQUENCE, &[&tlv::unsigned_integer(r), &tlv::unsigned_integer(s)])
    }

    fn check(value: &[u8]) -> Result<(), SignatureFault> {
        verify(&number(POINT), MESSAGE, value)
    }

    /// a - b and a + b of 256-bit numbers, with the carry in front.
    fn minus(a: &[u8], b: &[u8]) -> Vec<u8> {
        let mut borrow = 0_i16;
        let mut out: Vec<u8> = a
            .iter()
            .zip(b)
            .rev()
            .map(|(a, b)| {
                let digit = i16::from(*a) - i16::from(*b) - borrow;
                borrow = i16::from(digit < 0);
                digit.rem_euclid(256) as u8
            })
            .collect();
        out.reverse();
        out
    }

    fn plus(a: &[u8], b: &[u8]) -> Vec<u8> {
        let mut carry = 0_u16;
        let mut out: Vec<u8> = a
            .iter()
            .zip(b)
            .rev()
            .map(|(a, b)| {
                let digit = u16::from(*a) + u16::from(*b) + carry;
                carry = digit >> 8;
                (digit & 0xFF) as u8
            })
            .collect();
        out.push(carry as u8);
        out.reverse();
        out
    }

    #[test]
    fn the_standards_example_holds() {
        check(&value(&number(R), &number(S))).unwrap();
        assert_eq!(
            verify(&number(POINT), b"message digesu", &value(&number(R), &number(S))),
            Err(SignatureFault::Wrong)
        );
    }

    #[test]
    fn values_that_are_none_do_not_hold() {
        let (r, s, n) = (number(R), number(S), number(N));
        for (what, wrong) in [
            ("r = 0", value(&[0], &s)),
            ("s = 0", value(&r, &[0])),
            ("r = n", value(&n, &s)),
            ("s = n", value(&r, &n)),
            ("r + n", value(&plus(&r, &n), &s)),
            ("s + n", value(&r, &plus(&s, &n))),
            ("t = r + s = 0", value(&r, &minus(&n, &r))),
            ("n - s", value(&r, &minus(&n, &s))),
            ("r and s exchanged", value(&s, &r)),
            ("r ‖ s", [&r[..], &s].concat()),
            ("a zero in front", [&[0x30, 0x47, 2, 0x22, 0, 0][..], &r, &[2, 0x21, 0], &s].concat()),
            ("a negative r", [&[0x30, 0x45, 2, 0x20][..], &r, &[2, 0x21, 0], &s].concat()),
            ("bytes behind", [value(&r, &s), vec![0]].concat()),
            ("a long length", [&[0x30, 0x81, 0x46][..], &value(&r, &s)[2..]].concat()),
            ("nothing", vec![]),
        ] {
            assert_eq!(check(&wrong), Err(SignatureFault::Wrong), "{what}");
        }
    }

    #[test]
    fn points_that_are_none_are_no_keys() {
        let (point, right) = (number(POINT), value(&number(R), &number(S)));
        let mut off = point.clone();
        off[64] ^= 1;
        for wrong in [off, vec![0], vec![4; 65], point[..64].to_vec(), vec![]] {
            assert_eq!(verify(&wrong, MESSAGE, &right), Err(SignatureFault::Malformed("elliptic curve point")));
        }
    }
}
