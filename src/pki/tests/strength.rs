//! Until when a chain is good by what it rests on.

use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::super::path::PathVerdict;
use super::super::trial::{Hierarchy, Key};
use super::judge_path;

#[test]
fn a_weak_link_is_weak_from_its_date() {
    // RSA with PKCS#1 padding ends with 2028 (TS 119 312).
    let made = Hierarchy::of(Key::rsa3072);
    let end = datetime!(2029-01-01 00:00 UTC);
    let before = end - Duration::DAY;
    let judge = |list: OffsetDateTime, at| {
        judge_path(&made.issuing, &[], std::slice::from_ref(&made.root), &[made.root_list(list)], at)
    };
    match judge(before, before) {
        PathVerdict::Trusted { ends, evidence, .. } => {
            let all = ends.iter().chain(evidence.iter().map(|statement| &statement.ends));
            assert!(all.flatten().all(|ending| ending.until == end) && ends.len() == 1, "{ends:?} {evidence:?}");
        }
        other => panic!("{other:?}"),
    }
    // The chain was good then, but the list is from when such signatures proved nothing any more.
    for (list, at) in [(end, before), (end, end)] {
        let verdict = judge(list, at);
        assert!(matches!(&verdict, PathVerdict::Weak { ending, .. } if ending.algorithm == "RSA-3072"), "{verdict:?}");
    }
    let curves = Hierarchy::of(Key::p256);
    let verdict = judge_path(&curves.issuing, &[], std::slice::from_ref(&curves.root), &[curves.root_list(end)], end);
    assert!(matches!(verdict, PathVerdict::Trusted { .. }), "{verdict:?}");
}
