//! The sample bureau's facts are such as the rules take: every code is right, every name that is used exists, the
//! three cases may be decided, and the two others are refused by rule 1.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use yinxin::abolition::{AbolitionOrder, AbolitionRequest, CustodyEntry};
use yinxin::authority::{Authority, AuthorityKind, Uscc};
use yinxin::decision::{Allowed, Decision, DecisionRequest};
use yinxin::item::{Item, Transfer};
use yinxin::licence::LicenceIdentifier;
use yinxin::officer::{Grant, Officer};
use yinxin::refusal::Refusal;
use yinxin::seal::{Life, Seal, SealEvent, SealEventKind, SealKind, SealNumber};

/// The sample, read with the rules' own types.
struct Sample {
    raw: Value,
    authorities: Vec<Authority>,
    seals: Vec<Seal>,
    items: Vec<Item>,
    officers: Vec<Officer>,
    grants: Vec<Grant>,
    order: AbolitionOrder,
}

fn instant(value: &Value) -> OffsetDateTime {
    OffsetDateTime::parse(value.as_str().unwrap(), &Rfc3339).unwrap()
}

fn read<T: DeserializeOwned>(value: &Value) -> T {
    T::deserialize(value).unwrap_or_else(|e| panic!("{e} in {value}"))
}

fn rows(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("not a list: {value}"))
}

impl Sample {
    fn load() -> Self {
        let raw: Value = serde_json::from_str(include_str!("../../src/cli/demo/wenchuan.json")).unwrap();
        let transfer = |batch: &Value| {
            let batch = rows(&raw["batches"]).iter().find(|row| row["number"] == *batch).unwrap();
            let (to, at) = (read(&batch["to"]), instant(&batch["at"]));
            Transfer { to, batch: read(&batch["name"]), document: read(&batch["document"]), at }
        };
        let item = |row: &Value| Item { transfers: vec![transfer(&row["batch"])], ..read(row) };
        let items = rows(&raw["items"]).iter().map(item).collect();
        let order = AbolitionOrder::read(read::<AbolitionRequest>(&raw["abolition"])).unwrap();
        Self {
            authorities: read(&raw["authorities"]),
            seals: rows(&raw["authorities"]).iter().map(seal).collect(),
            officers: read(&raw["officers"]),
            grants: read(&raw["grants"]),
            items,
            order,
            raw,
        }
    }

    fn seal(&self, number: &SealNumber) -> &Seal {
        self.seals.iter().find(|seal| seal.number == *number).unwrap_or_else(|| panic!("no seal {number}"))
    }

    /// What the rules say to a case at `at`, under this grant.
    fn ask(&self, request: &Value, grant: &str, at: OffsetDateTime) -> Result<Allowed, Refusal> {
        let grant = self.grants.iter().find(|row| row.id == grant).unwrap();
        let officer = |id: &_| self.officers.iter().find(|officer| officer.id == *id);
        let decision = Decision::read(read::<DecisionRequest>(request), officer)?;
        let item = self.items.iter().find(|item| item.code == decision.get().item).unwrap();
        let sealer = officer(&grant.officer).unwrap();
        Allowed::on_decision(decision, item, self.seal(&grant.seal), sealer, grant, at)
    }
}

fn seal(row: &Value) -> Seal {
    let activated = &row["seal"]["activated"];
    let first = SealEvent {
        kind: SealEventKind::Activated,
        at: instant(&activated["at"]),
        document: read(&activated["document"]),
        reason: String::new(),
        successor: None,
        items: Vec::new(),
    };
    Seal {
        number: read(&row["seal"]["number"]),
        owner: read(&row["uscc"]),
        owner_name: read(&row["name"]),
        legend: read(&row["seal"]["legend"]),
        kind: read::<SealKind>(&row["seal"]["kind"]),
        life: Life::replay([first]).unwrap(),
    }
}

#[test]
fn codes_and_numbers_are_right_and_used_once() {
    let sample = Sample::load();
    let once = |all: Vec<String>| assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{all:?}");
    once(sample.authorities.iter().map(|authority| authority.uscc.to_string()).collect());
    once(sample.seals.iter().map(|seal| seal.number.to_string()).collect());
    once(sample.items.iter().map(|item| item.code.to_string()).collect());
    once(sample.officers.iter().map(|officer| officer.id.to_string()).collect());
    let region: &str = sample.raw["region"].as_str().unwrap();
    for authority in &sample.authorities {
        assert!(authority.uscc.as_str().starts_with(&format!("11{region}")), "{authority:?}");
    }
    for item in &sample.items {
        assert!(sample.authorities.iter().any(|authority| authority.uscc == item.department), "{item:?}");
    }
    let one = |kind| sample.authorities.iter().filter(|authority| authority.kind == kind).count();
    assert_eq!(
        (one(AuthorityKind::Government), one(AuthorityKind::Bureau), one(AuthorityKind::Department)),
        (1, 1, 18)
    );
}

#[test]
fn fifteen_seals_are_abolished_and_each_lies_in_a_container() {
    let sample = Sample::load();
    let order = sample.order.get();
    assert_eq!(order.at, time::macros::datetime!(2021-01-01 00:00 +8));
    assert_eq!(order.seals.len(), 15);
    let custody = rows(&sample.raw["custody"]);
    assert_eq!(custody.len(), 15);
    for (abolished, kept) in order.seals.iter().zip(custody) {
        let mut seal = sample.seal(&abolished.number).clone();
        let theirs = sample.items.iter().filter(|item| item.department == seal.owner).map(|item| &item.code);
        assert!(theirs.eq(&abolished.items), "{abolished:?}");
        seal.life.add(sample.order.event(abolished), order.at).unwrap();
        assert_eq!(read::<SealNumber>(&kept["seal"]), abolished.number);
        read::<CustodyEntry>(&kept["entry"]).check(&seal, &[]).unwrap();
    }
}

#[test]
fn the_cases_may_be_decided_and_carry_the_data_of_their_templates() {
    let sample = Sample::load();
    let bureau = sample.authorities.iter().find(|authority| authority.kind == AuthorityKind::Bureau).unwrap();
    assert_eq!(rows(&sample.raw["cases"]).len(), 3);
    for case in rows(&sample.raw["cases"]) {
        let request = &case["request"];
        sample.ask(request, "g-spj-1", instant(&request["decided_at"])).unwrap();
        Uscc::parse(request["holder"]["code"].as_str().unwrap()).unwrap();
        let (kind, serial) = (case["licence_type"].as_str().unwrap(), case["serial"].as_str().unwrap());
        LicenceIdentifier::first(kind, &bureau.uscc, serial).unwrap();
        Uscc::parse(&kind[..18]).unwrap();
        let face = ["operator_name", "applicant"].into_iter().find_map(|key| case["face"].get(key));
        assert!(face.is_none_or(|name| *name == request["holder"]["name"]), "{case}");
    }
}

#[test]
fn the_other_two_are_refused_by_rule_1_alone() {
    let sample = Sample::load();
    assert_eq!(rows(&sample.raw["refused"]).len(), 2);
    for case in rows(&sample.raw["refused"]) {
        let (grant, at) = (case["grant"].as_str().unwrap(), instant(&case["at"]));
        let refusal = sample.ask(&case["request"], grant, at).unwrap_err();
        assert_eq!(u64::from(refusal.rule.number()), case["rule"].as_u64().unwrap(), "{refusal}");
        // Nothing but the dates stands in the way: accepted by the right authority, the same case is allowed.
        let mut mended = case["request"].clone();
        let right = if grant == "g-swj-1" { "2020-07-31T15:59:59Z" } else { "2020-11-30T16:00:00Z" };
        mended["accepted_at"] = right.into();
        sample.ask(&mended, grant, at).unwrap();
    }
}

#[test]
fn the_foreign_draft_is_small_and_not_ours() {
    let draft = include_bytes!("../../src/cli/demo/draft.pdf");
    assert!(draft.starts_with(b"%PDF-1.7") && draft.len() < 100_000, "{} bytes", draft.len());
    assert!(!String::from_utf8_lossy(draft).contains("Typst"));
}
