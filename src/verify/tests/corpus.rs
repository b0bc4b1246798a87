//! Every PDF of the foreign corpus, against what two other verifiers say of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::pki::trial;
use crate::verify::judge::evidence::Opened;
use crate::verify::report::SignatureKind;
use crate::verify::{Evidence, Report, Trust, judge};

/// One file may take this long on a busy machine; the slowest take some tens of milliseconds.
const SLOW: Duration = Duration::from_secs(2);

/// Where `intact` differs from both peers' word: the end of the file's name, and why. An entry that no longer differs fails.
const DIFFERS: &[(&str, &str)] = &[
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

/// As a caller would see it who trusts every signer in the file by name, at a moment at which all their certificates are in
/// force: what keeps a forgery from passing is then the document itself.
fn judged(row: &Row) -> (Report, Duration) {
    let bytes = std::fs::read(trial::corpus(&row.file).unwrap()).unwrap();
    let before = Instant::now();
    let mut evidence = Evidence::open(&row.file, bytes, Arc::new(Trust::default()), super::NOW);
    if let Opened::Pdf { envelopes, .. } = &evidence.opened {
        let anchors: Vec<_> = envelopes.iter().filter_map(|envelope| envelope.certificate.clone()).collect();
        evidence.at = anchors.iter().map(|anchor| anchor.not_before).max().unwrap_or(super::NOW);
        evidence.trust = Arc::new(Trust { anchors, ..Trust::default() });
    }
    (judge(&evidence), before.elapsed())
}

#[test]
fn probe() {
    let mut genuine = std::collections::BTreeMap::<String, (usize, usize)>::new();
    let mut slow = Duration::ZERO;
    for row in rows() {
        let (report, time) = judged(&row);
        slow = slow.max(time);
        let e = genuine.entry(row.kind.clone()).or_default();
        e.1 += 1;
        e.0 += usize::from(report.verdict.is_genuine());
        if report.verdict.is_genuine() != (row.kind == "valid") && !report.signatures.is_empty() {
            println!("{} {} {:?} {}\n  {}\n  {}", row.kind, row.file, report.verdict, report.summary.en, row.pdfsig, row.pyhanko);
        }
    }
    println!("{genuine:#?} {slow:?} {SLOW:?} {DIFFERS:?} {:?}", SignatureKind::Seal);
}
