//! The sample bureau's facts hold together: codes compute, dates stand in order, every name that is used exists.

use serde_json::Value;
use std::collections::BTreeSet;

const DATA: &str = include_str!("../../src/cli/demo/wenchuan.json");

fn data() -> Value {
    serde_json::from_str(DATA).unwrap()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} is missing in {value}"))
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).unwrap_or_else(|| panic!("{pointer} is missing in {value}"))
}

/// GB 32100-2015: the 18th character from the first 17 (computed here apart from the rules' own code).
fn uscc_holds(code: &str) -> bool {
    const ALPHABET: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    let values: Option<Vec<usize>> = code.chars().map(|c| ALPHABET.find(c)).collect();
    let Some(values) = values.filter(|values| values.len() == 18) else { return false };
    let (sum, _) = values[..17].iter().fold((0, 1), |(sum, weight), value| (sum + value * weight, weight * 3 % 31));
    values[17] == (31 - sum % 31) % 31
}

#[test]
fn the_check_knows_right_from_wrong() {
    for right in ["11100000000013338W", "11430000006122244L", "91350100M000100Y43"] {
        assert!(uscc_holds(right), "{right}");
    }
    assert!(!uscc_holds("91350100M000100Y4Z") && !uscc_holds("11100000000013339W") && !uscc_holds("1110"));
}

#[test]
fn codes_and_numbers_are_right_and_used_once() {
    let data = data();
    let departments = list(&data, "/departments");
    let authorities = departments.iter().chain([&data["government"], &data["bureau"]]);
    let (mut codes, mut seals) = (BTreeSet::new(), BTreeSet::new());
    for authority in authorities {
        let (code, seal) = (text(authority, "/uscc"), text(authority, "/seal/number"));
        assert!(uscc_holds(code) && code.starts_with("11513221"), "{authority}");
        assert!(seal.len() == 14 && seal.starts_with("513221") && seal.bytes().all(|b| b.is_ascii_digit()), "{seal}");
        assert!(codes.insert(code) && seals.insert(seal), "{code} or {seal} is used twice");
    }
    for case in list(&data, "/cases") {
        assert!(uscc_holds(text(case, "/holder/uscc")), "{case}");
        // A licence type's code begins with its defining body's USCC (GB/T 36904).
        let kind = text(case, "/licence_type");
        assert!(kind.len() == 21 && uscc_holds(&kind[..18]), "{case}");
    }
    let items: BTreeSet<_> = list(&data, "/items").iter().map(|item| text(item, "/code")).collect();
    assert_eq!(items.len(), list(&data, "/items").len(), "an item code is used twice");
}

#[test]
fn fifteen_seals_are_abolished_and_each_lies_in_a_container() {
    let data = data();
    let abolished: Vec<_> = list(&data, "/abolition/seals").iter().map(|seal| seal.as_str().unwrap()).collect();
    let first: BTreeSet<_> =
        list(&data, "/items").iter().filter(|item| item["batch"] == 1).map(|item| text(item, "/department")).collect();
    let theirs = list(&data, "/departments").iter().filter(|department| first.contains(text(department, "/short")));
    assert_eq!(theirs.map(|department| text(department, "/seal/number")).collect::<Vec<_>>(), abolished);
    assert_eq!(abolished.len(), 15);
    assert_eq!(text(&data, "/abolition/instant"), "2020-12-31T16:00:00Z", "2021-01-01 00:00 in China");
    assert_eq!(text(&data, "/abolition/successor"), text(&data, "/bureau/seal/number"));
    let kept: Vec<_> = list(&data, "/custody/entries").iter().map(|entry| text(entry, "/seal")).collect();
    assert_eq!(kept, abolished);
    assert_eq!(list(&data, "/custody/received_by").len(), 2);
}

#[test]
fn every_case_is_by_three_regular_hands_on_a_listed_item() {
    let data = data();
    let transferred = |batch: &Value| {
        let batch = list(&data, "/batches").iter().find(|row| row["batch"] == *batch).unwrap();
        text(batch, "/transferred")
    };
    for case in list(&data, "/cases") {
        let item = list(&data, "/items").iter().find(|item| item["code"] == case["item"]).unwrap();
        // RFC 3339 in UTC sorts as text.
        assert!(text(case, "/accepted") > transferred(&item["batch"]), "{case}");
        assert!(text(case, "/decided") > text(case, "/accepted"), "{case}");
        let hands: BTreeSet<_> =
            ["/hands/intake", "/hands/review", "/hands/production"].map(|hand| text(case, hand)).into();
        assert_eq!(hands.len(), 3, "{case}");
        for hand in hands.iter().chain([&text(case, "/hands/decision")]) {
            let officer = list(&data, "/officers").iter().find(|officer| officer["id"] == **hand).unwrap();
            assert_eq!(officer["kind"], "regular", "{officer}");
        }
    }
    let [late_department, early_bureau] = list(&data, "/refused") else { panic!("two refusals") };
    assert!(text(late_department, "/accepted") > transferred(&1.into()));
    assert!(
        text(late_department, "/decided") < text(&data, "/abolition/instant"),
        "refused while its seal is in force"
    );
    assert!(text(early_bureau, "/accepted") < transferred(&2.into()));
}

#[test]
fn the_foreign_draft_is_small_and_not_ours() {
    let draft = include_bytes!("../../src/cli/demo/draft.pdf");
    assert!(draft.starts_with(b"%PDF-1.7") && draft.len() < 100_000, "{} bytes", draft.len());
    assert!(!String::from_utf8_lossy(draft).contains("Typst"));
}
