//! A seal on SM2 keys for tests: its maker and its user are two.

use time::OffsetDateTime;

use super::write::{self, Making};
use super::{Holders, Picture, Version};
use crate::impression::{Impression, Picture as Look, Segment, Shape};
use crate::pki::issue;
use crate::pki::trial::{self, Hierarchy, Key, MADE};

pub(crate) struct Made {
    pub(crate) maker_key: Key,
    /// DER.
    pub(crate) maker: Vec<u8>,
    /// The hierarchy's seal certificate, DER: who may use it.
    pub(crate) signer: Vec<u8>,
    /// `.esl`
    pub(crate) seal: Vec<u8>,
}

impl Made {
    /// For the seal certificate of this hierarchy.
    pub(crate) fn of(pki: &Hierarchy) -> Self {
        let maker_key = Key::sm2();
        let addresses = trial::listed_at(trial::CRL_URL);
        let unsigned = issue::seal(
            &pki.issuing,
            &trial::name("制章机构"),
            &maker_key.public_key,
            trial::serial(9),
            trial::years(3),
            &addresses,
        );
        let maker = pki.issuing_key.finish(unsigned.unwrap());
        let signer = pki.seal.der().to_vec();
        let information =
            write::seal_information(&making(&Holders::Certificates(vec![signer.clone()]), &picture())).unwrap();
        let seal = write::assemble_seal(&information, &maker, &maker_key.sign(&information)).unwrap();
        Self { maker_key, maker, signer, seal }
    }
}

pub(crate) fn making<'a>(holders: &'a Holders, picture: &'a Picture) -> Making<'a> {
    Making {
        version: Version::V4,
        vendor: "yinxin",
        id: "51322100000001",
        kind: 6,
        name: "汶川县行政审批专用章",
        holders,
        made_at: MADE,
        valid_from: MADE,
        valid_until: last(),
        picture,
    }
}

fn last() -> OffsetDateTime {
    trial::years(2).not_after
}

/// A red square.
pub(crate) fn picture() -> Picture {
    let corners = [(2.0, 2.0), (38.0, 2.0), (38.0, 38.0), (2.0, 38.0)];
    let mut segments: Vec<Segment> = corners.iter().map(|(x, y)| Segment::Line(*x, *y)).collect();
    segments[0] = Segment::Move(2.0, 2.0);
    segments.push(Segment::Close);
    let shapes = vec![Shape { rgb: [200, 20, 20], segments }];
    let impression = Impression { width_mm: 40.0, height_mm: 40.0, picture: Look::Vector(shapes) };
    let data = crate::ofd::write::impression(&impression, [1; 16], MADE.date());
    Picture { label: "ofd".into(), data, width_mm: 40, height_mm: 40 }
}
