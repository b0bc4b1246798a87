//! NIST PKITS: every end certificate of the test suite against what its documentation says of it, under our one setting (any
//! policy, no explicit policy asked for).

use std::collections::BTreeMap;

use time::macros::datetime;

use super::super::certificate::Certificate;
use super::super::path::{Ending, PathVerdict};
use super::super::revocation::RevocationList;
use super::super::trial;
use super::judge_path;

/// The names of the certificates say what a validator must find, except where it depends on settings.
#[derive(serde::Deserialize)]
struct Expected {
    valid: Vec<String>,
    invalid: Vec<String>,
    exceptions: BTreeMap<String, String>,
}

#[test]
fn pkits() {
    let text = include_str!("../../../tests/vectors/pkits.json");
    let mut expected: Expected = serde_json::from_str(text).unwrap();
    let files = trial::corpus_files(&["vector:pkits"]);
    let (mut leaves, mut issuers, mut lists) = (Vec::new(), Vec::new(), Vec::new());
    let mut anchor = None;
    for (file, bytes) in &files {
        let name = file.rsplit('/').next().unwrap();
        if let Some(name) = name.strip_suffix(".crt") {
            let Ok(certificate) = Certificate::read(bytes) else { panic!("{name} cannot be read") };
            let listed = |names: &[String]| names.iter().any(|other| other == name);
            let valid = name.starts_with("Valid") || listed(&expected.valid);
            match name {
                "TrustAnchorRootCertificate" => anchor = Some(certificate),
                _ if valid => leaves.push((name, certificate, true)),
                _ if name.starts_with("Invalid") || listed(&expected.invalid) => {
                    leaves.push((name, certificate, false))
                }
                _ if name.ends_with("EE") => panic!("nothing is said about {name}"),
                _ => issuers.push(certificate),
            }
        } else if let Ok(list) = RevocationList::read(bytes) {
            lists.push(list);
        }
    }
    let Some(anchor) = anchor else { return };
    let listed = expected.exceptions.len();
    let mut differ = Vec::new();
    for (name, leaf, valid) in &leaves {
        let at = datetime!(2010-01-01 00:00 UTC);
        let verdict = judge_path(leaf, &issuers, std::slice::from_ref(&anchor), &lists, at);
        // The keys are RSA-1024 with SHA-1, which was good then and ended in 2012.
        let sha1 = |ending: &Option<Ending>| ending.as_ref().is_some_and(|ending| ending.algorithm == "SHA-1");
        let good = match &verdict {
            PathVerdict::Trusted { ends, .. } => {
                assert!(ends.iter().all(sha1), "{name}: {ends:?}");
                true
            }
            _ => false,
        };
        assert!(*valid || !good, "{name} passes");
        if *valid != good && expected.exceptions.remove(*name).is_none() {
            differ.push(format!("{name}: {}", verdict.message().en));
        }
    }
    eprintln!(
        "PKITS: {} of {} end certificates as NIST says, {listed} exceptions with reasons; {} lists",
        leaves.len() - differ.len() - listed,
        leaves.len(),
        lists.len()
    );
    assert!(differ.is_empty(), "{differ:#?}");
    assert!(expected.exceptions.is_empty(), "stale: {:?}", expected.exceptions);
}
