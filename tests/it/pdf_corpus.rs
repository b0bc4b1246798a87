//! Foreign and hostile PDFs: nothing panics, nothing hangs, and where pyHanko gave a verdict ours is no milder unless
//! the list below says why.

use std::path::PathBuf;
use std::time::{Duration, Instant};
use time::macros::datetime;
use yinxin::impression::{Impression, Picture, Place, Segment, Shape};
use yinxin::pdf::appearance::Appearance;
use yinxin::pdf::changes::LaterChanges;
use yinxin::pdf::seal::{Prepared, SealPlan, prepare};
use yinxin::pdf::signatures::{Coverage, read};
use yinxin::pdf::text::occurrences;

/// Where pyHanko sees a change it does not understand (mod=OTHER) and we see only allowed ones.
const MILDER: &[(&str, &[&str])] = &[
    (
        "an update lists as freed what was never in use: nothing changed",
        &[
            "AD-RB.pdf",
            "B-LTA.pdf",
            "B-LTA_with_multiple_prolongations.pdf",
            "B-LTA_with_multiple_timestamps.pdf",
            "B-LT_covered_with_LTA.pdf",
            "cmp_defaultSignerPropertiesTest.pdf",
            "freeReferencesDocument.pdf",
            "multipleRevisionsDocumentWithoutPermissions.pdf",
            "shortValidityCertsWithOcsp.pdf",
        ],
    ),
    (
        "an update left objects that nothing leads to, or names one that does not exist: no viewer shows them",
        &["timestamped-fields.pdf"],
    ),
    (
        "validation data of a VRI entry were replaced by others: they are judged by themselves, not by their place",
        &[
            "PAdES-LT.pdf",
            "cmp_prolongDocumentSignaturesTest1.pdf",
            "cmp_prolongDocumentSignaturesTest1_FIPS.pdf",
            "cmp_prolongDocumentSignaturesTest3_FIPS.pdf",
            "pades-revoc-removed-from-dss-dict.pdf",
        ],
    ),
    (
        "new fields and notes were tagged, and tags, pages and the tags' index say otherwise what they said",
        &[
            "DSS-2821.pdf",
            "cmp_secondSignOfTagged.pdf",
            "gotoReferencesModifiedStructTreeElem.pdf",
            "pdf-structtreeroot-changes.pdf",
        ],
    ),
    (
        "the certification allows notes (level 3), and those that came, changed or went neither hide nor say anything on the page",
        &[
            "complicatedTaggedDoc.pdf",
            "removeAllAnnots.pdf",
            "taggedDocModifyAnnotation.pdf",
            "taggedDocModifyAnnotationAndStructContent.pdf",
        ],
    ),
    (
        "a page says by /Tabs S what viewers do where nothing is said",
        &["annotationModificationNotAllowedTabsSetToDefaultTest.pdf"],
    ),
    (
        "the number that was used for validation data is named by the trailer's private /AdditionalStreams, which leads to no stream",
        &["john-doe-lta.pdf", "pades-lt-extended-abde.pdf", "pades-lta-copied-doctst.pdf"],
    ),
    ("what was removed had come after this signature; the later ones complain", &["removeDSS.pdf"]),
];

/// Where pyHanko is content and we are not.
const STRICTER: &[(&str, &[&str])] = &[
    (
        "what follows the signed state is no update, as it leads to no catalog: an incremental saving attack",
        &["isa_B.pdf"],
    ),
    ("a form was filled in after an approval signature, and no certification had allowed that", &["replace.pdf"]),
];

pub fn corpus() -> Option<(PathBuf, String)> {
    let home = std::env::var_os("YINXIN_CORPUS").map(PathBuf::from);
    let home = home.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"));
    match std::fs::read_to_string(home.join("INDEX.tsv")) {
        Ok(index) => Some((home, index)),
        Err(_) => {
            eprintln!("SKIPPED: no corpus at {}", home.display());
            None
        }
    }
}

/// (name, kind, pyHanko's column, bytes) of every PDF.
pub fn pdfs(home: &std::path::Path, index: &str) -> Vec<(String, String, String, Vec<u8>)> {
    let rows = index.lines().skip(1).map(|l| l.split('\t').collect::<Vec<_>>());
    let pdfs = rows.filter(|c| c.first().is_some_and(|f| f.ends_with(".pdf")));
    pdfs.map(|c| {
        let name = c[0].rsplit('/').next().unwrap_or(c[0]);
        (name.to_owned(), c[1].to_owned(), c[7].to_owned(), std::fs::read(home.join(c[0])).unwrap())
    })
    .collect()
}

fn listed(list: &[(&str, &[&str])], name: &str) -> bool {
    list.iter().any(|(_, names)| names.contains(&name))
}

#[test]
fn verdicts_are_no_milder_than_a_peers_and_the_exceptions_are_all_needed() {
    let Some((home, index)) = corpus() else { return };
    let (mut faults, mut used, mut compared) = (Vec::new(), Vec::new(), 0);
    for (name, kind, peer, bytes) in pdfs(&home, &index) {
        let start = Instant::now();
        let reading = read(&bytes);
        let took = start.elapsed();
        if took > Duration::from_secs(5) {
            faults.push(format!("{name}: {took:?}"));
        }
        let Ok(reading) = reading else { continue };
        let verdicts: Vec<&str> = peer.split(" | ").filter(|v| v.contains("cov=")).collect();
        if verdicts.len() != reading.signatures.len() {
            continue;
        }
        let mut ours = reading.signatures.clone();
        // The peer lists unreadable ranges where they stand in the form; ours come last.
        if ours.iter().any(|s| s.coverage == Coverage::None) {
            let broken = verdicts.iter().filter(|v| !v.contains("cov=ENTIRE")).count();
            let mine = ours.iter().filter(|s| s.coverage == Coverage::None).count();
            if mine > broken {
                faults.push(format!("{name}: {mine} signatures without coverage, the peer has {broken}"));
            }
            if mine != broken {
                continue;
            }
            ours.retain(|s| s.coverage != Coverage::None);
        }
        let sound = verdicts.iter().filter(|v| v.contains("cov=ENTIRE") || ours.len() == verdicts.len());
        for (signature, verdict) in ours.iter().zip(sound) {
            compared += 1;
            let what = format!(
                "{name} ({kind}) {}: {:?}/{:?}, peer {verdict}",
                signature.field, signature.coverage, signature.later_changes
            );
            let expected = if verdict.contains("cov=ENTIRE_FILE") { Coverage::Whole } else { Coverage::Partial };
            if signature.coverage != expected {
                faults.push(what.clone());
            }
            let other = verdict.contains("mod=OTHER");
            let passed = signature.later_changes <= LaterChanges::Allowed;
            // An untidy end of line behind the signed bytes is neither.
            let untidy = signature.changes.iter().any(|m| m.id == "pdf.bytes-after-end");
            if other && passed {
                used.push(("milder", name.clone()));
                if !listed(MILDER, &name) {
                    faults.push(what);
                }
            } else if !other && !passed && !untidy {
                used.push(("stricter", name.clone()));
                if !listed(STRICTER, &name) {
                    faults.push(what);
                }
            }
        }
    }
    for (list, kind) in [(MILDER, "milder"), (STRICTER, "stricter")] {
        for name in list.iter().flat_map(|(_, names)| *names) {
            if !used.iter().any(|(k, n)| *k == kind && n == name) {
                faults.push(format!("{name} is listed as {kind} but is not"));
            }
        }
    }
    assert!(compared > 300, "only {compared} verdicts compared");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_attack_on_coverage_or_history_passes() {
    let Some((home, index)) = corpus() else { return };
    let attacks = ["attack:USF", "attack:ISA", "attack:SWA", "attack:shadow", "attack:byterange", "attack:signature"];
    let mut seen = 0;
    for (name, kind, _, bytes) in pdfs(&home, &index) {
        if !attacks.iter().any(|a| kind.starts_with(a)) {
            continue;
        }
        seen += 1;
        let passes = read(&bytes).is_ok_and(|r| {
            !r.signatures.is_empty()
                && r.signatures.iter().all(|s| s.coverage != Coverage::None && s.later_changes <= LaterChanges::Allowed)
        });
        assert!(!passes, "{name} ({kind})");
    }
    assert!(seen >= 15, "only {seen} attacks seen");
}

#[test]
fn everything_is_sealed_or_refused_with_a_reason() {
    let Some((home, index)) = corpus() else { return };
    let corner = vec![Segment::Move(0.0, 0.0), Segment::Line(9.0, 0.0), Segment::Line(0.0, 9.0), Segment::Close];
    let picture = Picture::Vector(vec![Shape { rgb: [214, 0, 0], segments: corner }]);
    let appearance = Appearance::of(&Impression { width_mm: 9.0, height_mm: 9.0, picture });
    let plan = SealPlan {
        appearance: &appearance,
        places: &[Place::On { page: 0, centre_mm: (5.0, 5.0) }],
        signer_name: "",
        reason: "",
        location: "",
        at: datetime!(2026-11-22 00:00 UTC),
        certify: None,
        reserve: 64,
    };
    let (mut sealed, mut refused) = (0, 0);
    for (name, _, _, bytes) in pdfs(&home, &index) {
        let start = Instant::now();
        match prepare(&bytes, &plan) {
            Ok(prepared) => {
                sealed += 1;
                let again = Prepared::from_parts(&bytes, prepared.tail().to_vec(), prepared.hole());
                assert_eq!(again.as_ref(), Ok(&prepared), "{name}");
                let before = read(&bytes);
                if let (Ok(before), Ok(after)) =
                    (before, read(&[&bytes[..], &prepared.close(&[0x30, 0]).unwrap()].concat()))
                {
                    // Every earlier signature is still there with the digest it had, and ours covers the whole.
                    let whole = after.signatures.iter().filter(|s| s.coverage == Coverage::Whole).count();
                    assert_eq!(whole, 1, "{name}");
                    for old in &before.signatures {
                        let new = after.signatures.iter().find(|s| s.field == old.field && s.cms == old.cms);
                        let new = new.unwrap_or_else(|| panic!("{name}: {} is gone", old.field));
                        if old.coverage != Coverage::None {
                            assert_eq!(new.byte_range, old.byte_range, "{name}");
                            let worse = new.later_changes > old.later_changes.max(LaterChanges::Allowed);
                            assert!(!worse, "{name}: {} {:?}", old.field, new.changes);
                        }
                    }
                }
            }
            Err(error) => {
                refused += 1;
                assert!(!error.message().zh.is_empty(), "{name}");
            }
        }
        occurrences(&bytes, "日期").ok();
        assert!(start.elapsed() < Duration::from_secs(5), "{name} took {:?}", start.elapsed());
    }
    assert!(sealed > 440 && refused > 80, "{sealed} sealed, {refused} refused");
}

#[test]
fn broken_bytes_never_panic() {
    let Some((home, index)) = corpus() else { return };
    let corner = vec![Segment::Move(0.0, 0.0), Segment::Line(9.0, 0.0), Segment::Close];
    let picture = Picture::Vector(vec![Shape { rgb: [0, 0, 0], segments: corner }]);
    let appearance = Appearance::of(&Impression { width_mm: 9.0, height_mm: 9.0, picture });
    // A fixed sequence (Knuth's MMIX constants), so that a failure can be had again.
    let mut state = 1u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % below.max(1)
    };
    let tokens: [&[u8]; 12] =
        [b"<<", b">>", b"[", b"]", b"(", b"/Kids", b" 0 R", b"99999999999", b"-1", b"obj", b"stream\n", b"xref"];
    for (_, _, _, bytes) in pdfs(&home, &index).into_iter().filter(|p| p.3.len() < 40_000) {
        for _ in 0..4 {
            let mut bytes = bytes.clone();
            for _ in 0..1 + next(6) {
                let at = next(bytes.len());
                match next(3) {
                    0 => bytes[at] = bytes[at].wrapping_add(1 + next(255) as u8),
                    1 => bytes.truncate(at.max(1)),
                    _ => {
                        let token = tokens[next(tokens.len())];
                        let end = (at + token.len()).min(bytes.len());
                        bytes[at..end].copy_from_slice(&token[..end - at]);
                    }
                }
            }
            read(&bytes).ok();
            occurrences(&bytes, "a").ok();
            let places =
                [Place::On { page: next(2) as u32, centre_mm: (5.0, 5.0) }, Place::Straddle { centre_mm: 50.0 }];
            let plan = SealPlan {
                appearance: &appearance,
                places: &places[..1 + next(2)],
                signer_name: "x",
                reason: "",
                location: "",
                at: datetime!(2026-11-22 00:00 UTC),
                certify: None,
                reserve: 64,
            };
            if let Ok(prepared) = prepare(&bytes, &plan) {
                assert!(prepared.close(&[0x30, 0]).is_ok());
            }
        }
    }
}
