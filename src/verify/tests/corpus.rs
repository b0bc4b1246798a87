//! Every PDF of the foreign corpus, against what two other verifiers say of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::pdf::changes::LaterChanges;
use crate::pdf::signatures::Coverage;
use crate::pki::trial;
use crate::verify::judge::evidence::Opened;
use crate::verify::report::SignatureReport;
use crate::verify::{Evidence, Report, Trust, judge};

/// One file may take this long on a busy machine; the slowest take some tens of milliseconds.
const SLOW: Duration = Duration::from_secs(2);

/// Kinds of file that must not pass.
const HOSTILE: &[&str] = &["tampered", "suspicious-update", "mdp-forbidden", "mdp-indeterminate"];

/// Files of these kinds that pass all the same, by the end of their names, with the reason.
const PASSES: &[(&str, &[&str])] = &[
    (
        "new fields and notes were tagged, as writers of accessible files do; notes are allowed where there are any",
        &["cmp_secondSignOfTagged.pdf", "complicatedTaggedDoc.pdf"],
    ),
    (
        "the number that was used for validation data is named by the trailer's private /AdditionalStreams, which leads to no stream",
        &["john-doe-lta.pdf", "pades-lt-extended-abde.pdf", "pades-lt-extended-dss.pdf", "pades-ltv-from-epes.pdf"],
    ),
    (
        "pdfsig cannot do RSASSA-PSS and calls it invalid; pyHanko finds it right, and so do we",
        &[
            "cmp_twoStepSigningBaselineLTATest2.pdf",
            "cmp_twoStepSigningBaselineLTATest2_FIPS.pdf",
            "cmp_twoStepSigningBaselineLTTest2_FIPS.pdf",
        ],
    ),
    ("RSA with SHA-3, which pdfsig and pyHanko cannot do; it is right", &["cmp_twoStepSigningBaselineTTest4.pdf"]),
    (
        "the complaint is about a time stamp or about validation data, which prove nothing where they do not hold and spoil nothing",
        &[
            "DSS-2821.pdf",
            "Signature-P-FR_CS-5.pdf",
            "pades-revoc-removed-from-dss-dict.pdf",
            "cmp_prolongDocumentSignaturesTest1.pdf",
            "cmp_prolongDocumentSignaturesTest1_FIPS.pdf",
            "cmp_prolongDocumentSignaturesTest3_FIPS.pdf",
        ],
    ),
    (
        "an update freed numbers that were free or that nothing leads to any more, or left such objects",
        &[
            "freeReferencesDocument.pdf",
            "cmp_defaultSignerPropertiesTest.pdf",
            "shortValidityCertsWithOcsp.pdf",
            "B-LTA.pdf",
            "B-LTA_with_multiple_prolongations.pdf",
            "B-LTA_with_multiple_timestamps.pdf",
            "B-LT_covered_with_LTA.pdf",
        ],
    ),
];

/// Where `intact` differs from the peers' word, by the end of the file's name, with the reason.
const DIFFERS: &[(&str, &[&str])] = &[
    (
        "attributes not in DER: openssl and pdfsig hash them as they stand, pyHanko sorts them; we take both and never pass it",
        &["Signature-P-DE_CRY-2 (HASH_FAILURE).pdf"],
    ),
    ("the range reaches beyond the file, so there is nothing that was signed", &["pdf-eof.pdf"]),
    ("a field whose signature dictionary is broken counts as no signature", &["brokenSignatureFieldDictionary.pdf"]),
    (
        "RSA with SHA-3: pdfsig cannot compute it and pyHanko asks for another digest; iText, who made them, finds them right",
        &["sample-rsa-sha3_256.pdf", "cmp_twoStepSigningBaselineTTest4.pdf"],
    ),
];

/// Hostile kinds whose signatures are all right and whose later changes are allowed, trust aside.
const UNSHOWN: &[(&str, &[&str])] = &[
    (
        "RSASSA-PSS and RSA with SHA-3, which a peer cannot do and calls tampered; they are right",
        &[
            "cmp_twoStepSigningBaselineLTATest2.pdf",
            "cmp_twoStepSigningBaselineLTATest2_FIPS.pdf",
            "cmp_twoStepSigningBaselineLTTest2_FIPS.pdf",
            "cmp_twoStepSigningBaselineTTest4.pdf",
        ],
    ),
    (
        "attributes not in DER: right as they stand, said so, and never passed",
        &["Signature-P-DE_CRY-2 (HASH_FAILURE).pdf"],
    ),
];

/// Good kinds that are not.
const SPOILT: &[(&str, &[&str])] = &[
    (
        "no signature: the value is missing, or the range names no bytes",
        &["docmdp.pdf", "byteRangeAndContentsEntries.pdf"],
    ),
    ("written to by hand after signing: the digest differs, for the peers too", &["catalogReferenceInRandomPlace.pdf"]),
    ("a later signature's picture hides text that was signed", &["sample06.notSupported.pdf"]),
];

/// A row of the corpus' index.
struct Row {
    file: String,
    kind: String,
    pdfsig: String,
    pyhanko: String,
}

fn rows() -> Vec<Row> {
    let Some(index) = trial::corpus("INDEX.tsv") else { return Vec::new() };
    let text = std::fs::read_to_string(index).unwrap();
    let row = |line: &str| {
        let mut columns = line.split('\t').map(str::to_owned);
        let (file, kind, pdfsig) = (columns.next()?, columns.next()?, columns.nth(4)?);
        file.ends_with(".pdf").then_some(Row { file, kind, pdfsig, pyhanko: columns.next()? })
    };
    text.lines().skip(1).filter_map(row).collect()
}

fn judged(row: &Row) -> (Report, Duration) {
    let bytes = std::fs::read(trial::corpus(&row.file).unwrap()).unwrap();
    let before = Instant::now();
    (believing(&row.file, bytes), before.elapsed())
}

/// As a caller would see it who trusts every signer in the file by name, at a moment at which all their certificates are in
/// force, and claimed as the time of signing: what keeps a forgery from passing is then the document itself.
pub(super) fn believing(name: &str, bytes: Vec<u8>) -> Report {
    let mut evidence = Evidence::open(name, bytes, Arc::new(Trust::default()), super::NOW);
    if let Opened::Pdf { reading, envelopes } = &mut evidence.opened {
        let anchors: Vec<_> = envelopes.iter().filter_map(|envelope| envelope.certificate.clone()).collect();
        evidence.at = anchors.iter().map(|anchor| anchor.not_before).max().unwrap_or(super::NOW);
        evidence.now = Some(evidence.at);
        // Many claim a later time or one at which the certificate had ended, which alone would keep them from passing.
        reading.signatures.iter_mut().for_each(|signature| signature.claimed_time = Some(evidence.at));
        evidence.trust = Arc::new(Trust { anchors, ..Trust::default() });
    }
    judge(&evidence)
}

/// The peers' word on each signature, `#1 … | #2 …`: pyHanko's where it has one, else pdfsig's; None where neither can tell.
fn peers_say(row: &Row) -> Vec<Option<bool>> {
    let (column, good, bad) = match row.pyhanko.starts_with('#') {
        true => (&row.pyhanko, "integrity=OK crypto=OK", &["integrity=BAD", "crypto=BAD"][..]),
        false => (&row.pdfsig, "Signature is Valid", &["Digest Mismatch"][..]),
    };
    let word = |part: &str| match (part.contains(good), bad.iter().any(|bad| part.contains(bad))) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        _ => None,
    };
    if column.starts_with('#') { column.split(" | ").map(word).collect() } else { Vec::new() }
}

/// Peers list signatures in another order than we do, so they are counted.
fn agrees(report: &Report, peers: &[Option<bool>]) -> bool {
    let count = |wanted| peers.iter().filter(|&&word| word == wanted).count();
    let (good, unsaid) = (count(Some(true)), count(None));
    if unsaid == peers.len() {
        return true;
    }
    let ours = report.signatures.iter().filter(|signature| signature.intact).count();
    report.signatures.len() == peers.len() && (good..=good + unsaid).contains(&ours)
}

/// The reason why a file is in the list, noting that the entry was needed.
fn excused<'l>(list: &'l [(&str, &[&'static str])], file: &str, used: &mut Vec<&'static str>) -> Option<&'l str> {
    let (reason, names) = list.iter().find(|(_, names)| names.iter().any(|name| file.ends_with(name)))?;
    used.extend(names.iter().filter(|name| file.ends_with(**name)));
    Some(reason)
}

fn stale(list: &[(&str, &[&'static str])], used: &[&'static str]) -> Vec<String> {
    let names = list.iter().flat_map(|(_, names)| names.iter());
    names.filter(|name| !used.contains(name)).map(|name| format!("{name}: no longer needs its exception")).collect()
}

#[test]
fn no_attack_passes_and_intact_is_what_the_peers_say() {
    let rows = rows();
    if rows.is_empty() {
        return;
    }
    let (mut faults, mut passes, mut differs) = (Vec::new(), Vec::new(), Vec::new());
    let (mut genuine, mut agreed) = (0, 0);
    for row in &rows {
        let (report, took) = judged(row);
        let hostile = row.kind.starts_with("attack:") || HOSTILE.contains(&row.kind.as_str());
        if took > SLOW {
            faults.push(format!("{}: {took:?}", row.file));
        }
        match (report.verdict.is_genuine(), hostile) {
            (true, true) if excused(PASSES, &row.file, &mut passes).is_none() => {
                faults.push(format!("{} ({}) passed: {}", row.file, row.kind, report.summary.en));
            }
            (true, false) => genuine += 1,
            _ => {}
        }
        let peers = peers_say(row);
        if agrees(&report, &peers) {
            agreed += usize::from(peers.iter().any(Option::is_some));
        } else if let Some(reason) = excused(DIFFERS, &row.file, &mut differs) {
            println!("{}: {reason}\n  {}", row.file, report.summary.en);
        } else {
            let ours: Vec<bool> = report.signatures.iter().map(|signature| signature.intact).collect();
            faults.push(format!("{} ({}): intact {ours:?}, peers {peers:?}", row.file, row.kind));
        }
        // What an encrypted file shows cannot be told without its password or its certificates.
        let said: Vec<&str> = report.findings.iter().map(|finding| finding.id).collect();
        let locked = said.contains(&"pdf.needs-password") || said.contains(&"pdf.unknown-protection");
        assert!(!(locked && report.verdict.is_genuine()), "{}", row.file);
        // No foreign file is encrypted in two ways, and none that is encrypted passes.
        assert!(!said.contains(&"pdf.encryption-changed"), "{}: {said:?}", row.file);
        assert!(!(said.contains(&"pdf.encrypted-readers-differ") && report.verdict.is_genuine()), "{}", row.file);
        assert!(row.kind != "encrypted" || said.contains(&"pdf.unknown-protection"), "{}: {said:?}", row.file);
        // A file that cannot be judged is never silently good, and every verdict has its words.
        assert!(!report.summary.zh.is_empty() && !report.summary.en.is_empty(), "{}", row.file);
        assert!(report.verdict.is_genuine() == report.verdict.sub_indication().is_none(), "{}", row.file);
    }
    faults.extend(stale(PASSES, &passes));
    faults.extend(stale(DIFFERS, &differs));
    assert!(faults.is_empty(), "{} files\n{}", rows.len(), faults.join("\n"));
    // The judge is not simply saying no to all.
    assert!(genuine > 100 && agreed > 200, "{genuine} genuine, {agreed} compared of {}", rows.len());
    println!("{} files, {genuine} genuine under their own certificates, {agreed} agree with the peers", rows.len());
}

/// Kind by kind, without any trust: what a signature says of its own document must not depend on whom one believes.
#[test]
fn each_kind_is_what_it_is_called() {
    let rows = rows();
    if rows.is_empty() {
        return;
    }
    let mut kinds: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
    let (mut faults, mut unshown, mut spoilt) = (Vec::new(), Vec::new(), Vec::new());
    for row in &rows {
        let bytes = std::fs::read(trial::corpus(&row.file).unwrap()).unwrap();
        let report = judge(&Evidence::open(&row.file, &bytes, Arc::new(Trust::default()), super::NOW));
        let sound =
            |s: &SignatureReport| s.intact && s.coverage != Coverage::None && s.later_changes <= LaterChanges::Allowed;
        let all = !report.signatures.is_empty() && report.signatures.iter().all(sound);
        let column = match &report.signatures {
            none if none.is_empty() => 3,
            _ if all => 0,
            some if some.iter().any(|s| !s.intact || s.later_changes == LaterChanges::Forbidden) => 1,
            _ => 2,
        };
        kinds.entry(&row.kind).or_default()[column] += 1;
        let hostile = row.kind.starts_with("attack:") || ["tampered", "mdp-forbidden"].contains(&row.kind.as_str());
        let good = ["valid", "mdp-allowed"].contains(&row.kind.as_str());
        if hostile && all && excused(UNSHOWN, &row.file, &mut unshown).is_none() {
            faults.push(format!("{} ({}): nothing shows the attack", row.file, row.kind));
        }
        // Many files hold a field that is to be signed yet, and no signature; the peers say the same.
        let signed = column != 3 || peers_say(row).iter().any(Option::is_some);
        if good && signed && !all && excused(SPOILT, &row.file, &mut spoilt).is_none() {
            faults.push(format!("{} ({}): {}", row.file, row.kind, report.summary.en));
        }
    }
    faults.extend(stale(UNSHOWN, &unshown));
    faults.extend(stale(SPOILT, &spoilt));
    println!("{:36} sound  broken  open  unsigned", "kind");
    for (kind, [sound, broken, open, unsigned]) in &kinds {
        println!("{kind:36} {sound:5}  {broken:6}  {open:4}  {unsigned:8}");
    }
    assert!(faults.is_empty(), "{} files\n{}", rows.len(), faults.join("\n"));
}
