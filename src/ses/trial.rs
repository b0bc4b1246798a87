//! SM2 keys, certificates and a seal for tests.

use sm2::dsa::signature::Signer;
use sm2::dsa::{Signature, SigningKey};
use sm2::elliptic_curve::sec1::ToSec1Point;
use time::OffsetDateTime;
use time::macros::datetime;

use super::write::{self, Making};
use super::{Holders, Picture, SM2_WITH_SM3};
use crate::pki::tlv;

pub(crate) const MADE: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);
pub(crate) const LAST: OffsetDateTime = datetime!(2030-12-31 00:00 UTC);

pub(crate) struct Sm2 {
    key: SigningKey,
    /// SubjectPublicKeyInfo, DER.
    pub(crate) public_key: Vec<u8>,
}

impl Sm2 {
    /// Not random: the same number gives the same key.
    pub(crate) fn number(number: u8) -> Self {
        let secret = sm2::SecretKey::from_slice(&[number; 32]).unwrap();
        let point = secret.public_key().to_sec1_point(false);
        let algorithm = [
            tlv::object_identifier("1.2.840.10045.2.1".parse().unwrap()),
            tlv::object_identifier("1.2.156.10197.1.301".parse().unwrap()),
        ];
        let algorithm = tlv::wrap(tlv::SEQUENCE, &[&algorithm[0], &algorithm[1]]);
        let public_key = tlv::wrap(tlv::SEQUENCE, &[&algorithm, &tlv::bit_string(point.as_bytes())]);
        Self { key: SigningKey::new("1234567812345678", &secret).unwrap(), public_key }
    }

    /// r ‖ s, as tokens give it.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let value: Signature = self.key.sign(message);
        value.to_bytes().to_vec()
    }

    pub(crate) fn value(&self, message: &[u8]) -> Vec<u8> {
        write::written(&self.sign(message)).unwrap()
    }

    /// A certificate (RFC 5280) for `subject`, signed by this key as `issuer`.
    pub(crate) fn certify(&self, issuer: &str, subject: &str, public_key: &[u8], authority: bool) -> Vec<u8> {
        let name = |text: &str| {
            let text = tlv::wrap(0x0C, &[text.as_bytes()]);
            let part = tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier("2.5.4.3".parse().unwrap()), &text]);
            tlv::wrap(tlv::SEQUENCE, &[&tlv::wrap(tlv::SET, &[&part])])
        };
        let at = |at: OffsetDateTime| {
            let text = format!("{:02}{:02}{:02}000000Z", at.year() - 2000, u8::from(at.month()), at.day());
            tlv::wrap(tlv::UTC_TIME, &[text.as_bytes()])
        };
        let extension = |oid: &str, value: &[u8]| {
            let oid = tlv::object_identifier(oid.parse().unwrap());
            let value = tlv::wrap(tlv::OCTET_STRING, &[value]);
            tlv::wrap(tlv::SEQUENCE, &[&oid, &tlv::wrap(tlv::BOOLEAN, &[&[0xFF]]), &value])
        };
        // digitalSignature and nonRepudiation, or keyCertSign and cRLSign.
        let usage =
            extension("2.5.29.15", &tlv::wrap(tlv::BIT_STRING, &[if authority { &[1, 0x06] } else { &[6, 0xC0] }]));
        let is_authority = if authority { vec![tlv::BOOLEAN, 1, 0xFF] } else { Vec::new() };
        let constraints = extension("2.5.29.19", &tlv::wrap(tlv::SEQUENCE, &[&is_authority]));
        let algorithm = tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier(SM2_WITH_SM3)]);
        let serial = crate::crypto::sha256(subject.as_bytes());
        let to_be_signed = tlv::wrap(
            tlv::SEQUENCE,
            &[
                &tlv::wrap(tlv::context(0), &[&tlv::unsigned_integer(&[2])]),
                &tlv::unsigned_integer(&serial[..8]),
                &algorithm,
                &name(issuer),
                &tlv::wrap(tlv::SEQUENCE, &[&at(MADE), &at(LAST)]),
                &name(subject),
                public_key,
                &tlv::wrap(tlv::context(3), &[&tlv::wrap(tlv::SEQUENCE, &[&constraints, &usage])]),
            ],
        );
        let value = tlv::bit_string(&self.value(&to_be_signed));
        tlv::wrap(tlv::SEQUENCE, &[&to_be_signed, &algorithm, &value])
    }
}

/// A root, a seal's maker and its user, and the seal.
pub(crate) struct House {
    pub(crate) root: Vec<u8>,
    pub(crate) maker_key: Sm2,
    pub(crate) maker: Vec<u8>,
    pub(crate) signer_key: Sm2,
    pub(crate) signer: Vec<u8>,
    pub(crate) seal: Vec<u8>,
}

impl House {
    pub(crate) fn new() -> Self {
        let (root_key, maker_key, signer_key) = (Sm2::number(1), Sm2::number(2), Sm2::number(3));
        let root = root_key.certify("试验根", "试验根", &root_key.public_key, true);
        let maker = root_key.certify("试验根", "制章机构", &maker_key.public_key, false);
        let signer = root_key.certify("试验根", "51322100000001", &signer_key.public_key, false);
        let information = write::seal_information(&making(&Holders::Certificates(vec![signer.clone()]), &picture()));
        let information = information.unwrap();
        let seal = write::assemble_seal(&information, &maker, &maker_key.sign(&information)).unwrap();
        Self { root, maker_key, maker, signer_key, signer, seal }
    }
}

pub(crate) fn making<'a>(holders: &'a Holders, picture: &'a Picture) -> Making<'a> {
    Making {
        vendor: "yinxin",
        id: "51322100000001",
        kind: 6,
        name: "汶川县行政审批专用章",
        holders,
        made_at: MADE,
        valid_from: MADE,
        valid_until: LAST,
        picture,
    }
}

/// A red square.
pub(crate) fn picture() -> Picture {
    use crate::impression::{Impression, Picture as Look, Segment, Shape};

    let corners = [(2.0, 2.0), (38.0, 2.0), (38.0, 38.0), (2.0, 38.0)];
    let mut segments: Vec<Segment> = corners.iter().map(|(x, y)| Segment::Line(*x, *y)).collect();
    segments[0] = Segment::Move(2.0, 2.0);
    segments.push(Segment::Close);
    let shapes = vec![Shape { rgb: [200, 20, 20], segments }];
    let impression = Impression { width_mm: 40.0, height_mm: 40.0, picture: Look::Vector(shapes) };
    let data = crate::ofd::write::impression(&impression, [1; 16], MADE.date());
    Picture { label: "ofd".into(), data, width_mm: 40, height_mm: 40 }
}
