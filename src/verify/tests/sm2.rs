//! A PDF sealed on an SM2 key, under an SM2 authority: the same report as for any other.

use super::*;

#[test]
fn a_document_sealed_with_sm2_is_genuine_and_every_change_is_named() {
    let house = House::on(Key::sm2);
    let bytes = notice(&house, SEALED);
    let report = house.judge(&bytes, sealed());
    assert!(report.verdict.is_genuine(), "{report:#?}");
    let signature = only(&report);
    assert!(signature.intact && signature.trusted);
    assert_eq!(signature.proven_time, Some(SEALED + Duration::SECOND));

    let mut changed = bytes.clone();
    let at = bytes.windows(6).position(|window| window == b"Permit").unwrap();
    changed[at] = b'p';
    let report = house.judge(&changed, None);
    assert_eq!((report.verdict, outcome(&report, "digest")), (Verdict::Failed(Sub::HashFailure), Outcome::Failed));

    // By another key under the same name.
    let thief = House { life: house.life.clone(), ..House::on(Key::sm2) };
    let stolen = notice(&thief, SEALED);
    assert!(!house.judge(&stolen, sealed()).verdict.is_genuine());
}
