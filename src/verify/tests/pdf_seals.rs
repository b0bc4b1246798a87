//! Seals of GB/T 38540 inside PDF, as Chinese makers put them there: judged as far as the facts go, and never passed.

use super::*;
use crate::crypto::Digest;
use crate::impression::Place;
use crate::ses::trial::Made;
use crate::ses::{self, write::Use};
use crate::verify::report::Format;

/// The kind that is met; then spaces, so that offsets stay.
const KIND: &str = "GM.sm2seal          ";

/// A document under a seal, its digest over the range as `digest` makes it of the real one.
fn under(seal: &[u8], signer: &[u8], key: &Key, kind: &str, digest: fn([u8; 32]) -> [u8; 32]) -> Vec<u8> {
    let draft = draft("Permit No. 7");
    let square = vec![Segment::Move(0.0, 0.0), Segment::Line(40.0, 0.0), Segment::Line(40.0, 40.0), Segment::Close];
    let picture = Picture::Vector(vec![Shape { rgb: [255, 0, 0], segments: square }]);
    let appearance = Appearance::of(&Impression { width_mm: 40.0, height_mm: 40.0, picture });
    let plan = SealPlan {
        appearance: &appearance,
        places: &[Place::On { page: 0, centre_mm: (100.0, 200.0) }],
        signer_name: "汶川县教育局",
        reason: "",
        location: "",
        at: SEALED,
        certify: None,
        reserve: 16_000,
    };
    let prepared = prepare(&draft, &plan).unwrap();
    let mut tail = prepared.tail().to_vec();
    let pades = b"ETSI.CAdES.detached";
    let name = tail.windows(pades.len()).position(|window| window == pades).unwrap();
    tail[name..name + pades.len()].copy_from_slice(&kind.as_bytes()[..pades.len()]);
    let hole = prepared.hole();
    let blank = hole.start - draft.len()..hole.end - draft.len();
    let over = Digest::Sm3.over(&[&draft, &tail[..blank.start], &tail[blank.end..]]).try_into().unwrap();
    let used = Use { seal, at: SEALED, digest: &digest(over), property: "/1/Sig", extensions: &[] };
    let to_be_signed = ses::write::to_be_signed(&used).unwrap();
    let value = ses::write::assemble(&to_be_signed, signer, &key.sign(&to_be_signed), None).unwrap();
    let hexadecimal = hex::encode_upper(value);
    // Between the angle brackets, which belong to the hole.
    tail[blank.start + 1..][..hexadecimal.len()].copy_from_slice(hexadecimal.as_bytes());
    [&draft[..], &tail].concat()
}

fn judged(house: &House, bytes: &[u8]) -> Report {
    let trust = Trust { intermediates: vec![house.pki.issuing.clone()], ..house.trust() };
    let mut evidence = Evidence::open("文书.pdf", bytes, Arc::new(trust), NOW);
    let record = sealed().map(Box::new);
    evidence.facts.fill(Facts::Filed { seal: house.seal(), chain: Vec::new(), record, logged_since: None });
    judge(&evidence)
}

fn against(report: &Report) -> Vec<&'static str> {
    let against = |check: &&report::Check| matches!(check.outcome, Outcome::Failed | Outcome::Indeterminate);
    only(report).checks.iter().filter(against).map(|check| check.id).collect()
}

#[test]
fn a_seal_in_a_pdf_is_told_and_never_passes() {
    let house = House::on(Key::sm2);
    let made = Made::of(&house.pki);
    let (key, same) = (&house.pki.seal_key, |digest| digest);
    // Whatever kind it calls itself: some makers write the name of a CMS.
    for kind in [KIND, "adbe.pkcs7.detached"] {
        let bytes = under(&made.seal, &made.signer, key, kind, same);
        let report = judged(&house, &bytes);
        assert_eq!((report.format, report.verdict), (Format::Pdf, Verdict::Indeterminate(Sub::Generic)), "{report:#?}");
        assert_eq!(against(&report), ["format"], "{report:#?}");
        assert_eq!(report.summary.id, "verify.indeterminate");
        assert!(
            report.summary.zh.contains("GB/T 38540") && report.signatures[0].intact && report.signatures[0].trusted
        );
        for id in ["coverage", "digest", "signature", "seal-holder", "seal", "seal-maker", "seal-life", "later-changes"]
        {
            assert_eq!(outcome(&report, id), Outcome::Passed, "{id}");
        }
    }
}

#[test]
fn a_seal_in_a_pdf_is_failed_where_facts_speak_against_it() {
    let house = House::on(Key::sm2);
    let made = Made::of(&house.pki);
    let key = &house.pki.seal_key;
    let good = under(&made.seal, &made.signer, key, KIND, |digest| digest);
    // A byte of the page.
    let mut changed = good.clone();
    let place = changed.windows(6).position(|window| window == b"Permit").unwrap();
    changed[place] = b'p';
    assert_eq!(judged(&house, &changed).verdict, Verdict::Failed(Sub::HashFailure));
    // A signature of something else, moved here.
    let moved = under(&made.seal, &made.signer, key, KIND, |_| [7; 32]);
    assert_eq!(judged(&house, &moved).verdict, Verdict::Failed(Sub::HashFailure));
    // By another key than the certificate's.
    let stolen = under(&made.seal, &made.signer, &Key::sm2(), KIND, |digest| digest);
    assert_eq!(judged(&house, &stolen).verdict, Verdict::Failed(Sub::SigCryptoFailure));
    // A seal that its maker did not sign.
    let information = ses::read_seal(&made.seal).unwrap().to_be_signed;
    let forged = ses::write::assemble_seal(&information, &made.maker, &Key::sm2().sign(&information)).unwrap();
    let report = judged(&house, &under(&forged, &made.signer, key, KIND, |digest| digest));
    assert_eq!((report.verdict, outcome(&report, "seal")), (Verdict::Failed(Sub::SigCryptoFailure), Outcome::Failed));
    // What was added afterwards is found as for any other signature.
    let mut later = good.clone();
    later.extend_from_slice(b"1 0 obj <</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(x)>>>> endobj");
    assert!(!against(&judged(&house, &later)).is_empty());
    // Each bit of the value counts.
    let start = good.windows(4).rposition(|window| window == b"<308").unwrap_or_else(|| panic!("no value"));
    for step in (start + 9..start + 9 + 4000).step_by(397) {
        let mut changed = good.clone();
        changed[step] = if changed[step] == b'0' { b'1' } else { b'0' };
        let report = judged(&house, &changed);
        let told = !only(&report).intact || against(&report) != ["format"];
        assert!(!report.verdict.is_genuine() && told, "{step}: {report:#?}");
    }
}
