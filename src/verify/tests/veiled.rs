//! Encrypted files that ask for no password (`tests/vectors/veiled`): what others do to them shows as it does in plain ones. None
//! passes, as viewers decrypt in ways of their own.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::corpus::believing;
use super::update::Later;
use super::{Sub, Verdict};
use crate::pdf::signatures::{Coverage, read};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/veiled")
}

fn vector(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

/// Everything that is said of the file and its signatures.
fn said(bytes: &[u8]) -> Vec<&'static str> {
    let reading = match read(bytes) {
        Ok(reading) => reading,
        Err(error) => return vec![error.message().id],
    };
    let of_signatures = reading.signatures.iter().flat_map(|s| s.findings.iter().chain(&s.changes));
    reading.findings.iter().chain(of_signatures).map(|message| message.id).collect()
}

/// What is told of a file with one signature: whether it passes, and what was done since.
fn told(name: &str, bytes: &[u8]) -> (&'static str, String) {
    let report = believing(name, bytes.to_vec());
    let verdict = if report.verdict.is_genuine() { "genuine" } else { "open" };
    let changes = match report.signatures.as_slice() {
        [] => "-".into(),
        [signature] if signature.intact => format!("{:?}", signature.later_changes).to_lowercase(),
        other => format!("{other:#?}"),
    };
    (verdict, changes)
}

#[test]
fn each_vector_is_what_its_row_says() {
    let rows = std::fs::read_to_string(folder().join("verdicts.tsv")).unwrap();
    let mut unread: BTreeSet<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".pdf") || name.ends_with(".update"))
        .collect();
    let mut faults = Vec::new();
    for row in rows.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let [file, update, verdict, changes, finding] = columns[..] else { panic!("{row}") };
        let mut bytes = vector(&format!("{file}.pdf"));
        unread.remove(&format!("{file}.pdf"));
        if update != "-" {
            let name = format!("{file}.{update}.update");
            bytes.extend(vector(&name));
            unread.remove(&name);
        }
        let (told, said) = (told(file, &bytes), said(&bytes));
        if told != (verdict, changes.to_owned()) || (finding != "-" && !said.contains(&finding)) {
            faults.push(format!("{row}: {told:?}, {said:?}"));
        }
    }
    assert!(faults.is_empty() && unread.is_empty(), "no row for {unread:?}\n{}", faults.join("\n"));
}

/// What is written in it is read in the clear: the words of the signature, and what the file says of itself.
#[test]
fn its_words_are_read() {
    for name in
        ["rc4-40", "rc4-128", "rc4-v4", "aes-128", "aes-128-metadata", "aes-256", "aes-256-packed", "aes-256-linear"]
    {
        let reading = read(&vector(&format!("{name}.pdf"))).unwrap();
        let [signature] = reading.signatures.as_slice() else { panic!("{name}: {reading:#?}") };
        assert_eq!((signature.field.as_str(), signature.coverage), ("Seal1", Coverage::Whole), "{name}");
        assert_eq!(
            (signature.name.as_deref(), signature.reason.as_deref()),
            (Some("yinxin"), Some("approved")),
            "{name}"
        );
        assert_eq!(signature.certification, Some(2), "{name}");
        let found: Vec<&str> = signature.findings.iter().map(|finding| finding.id).collect();
        assert!(signature.claimed_time.is_some(), "{name}: {signature:#?}");
        assert_eq!(found, ["pdf.encrypted-readers-differ"], "{name}");
        assert!(reading.info.contains(&("Title".into(), "Permit".into())), "{name}: {:?}", reading.info);
    }
    // Revision 5, which carries no signature: the key alone.
    let reading = read(&vector("aes-256-r5.pdf")).unwrap();
    assert!(reading.pages == 1 && reading.info.contains(&("Title".into(), "Permit".into())), "{reading:#?}");
}

/// The value of a key of the newest trailer, as written.
fn trailer(bytes: &[u8], key: &str) -> String {
    let text: String = bytes.iter().map(|&b| char::from(b)).collect();
    let (_, rest) = text.rsplit_once(&format!("\n{key} ")).unwrap();
    rest.split('\n').next().unwrap().to_owned()
}

/// The encryption dictionary as written.
fn dictionary(bytes: &[u8]) -> String {
    let text: String = bytes.iter().map(|&b| char::from(b)).collect();
    let (_, rest) = text.split_once("\n11 0 obj\n").unwrap();
    rest.split_once("\nendobj").unwrap().0.to_owned()
}

/// What is told and said of a file with an update.
fn updated(base: &[u8], write: impl FnOnce(&mut Later)) -> (&'static str, String, Vec<&'static str>) {
    let mut later = Later::on(base.to_vec());
    write(&mut later);
    let bytes = later.finish();
    let (verdict, changes) = told("updated.pdf", &bytes);
    (verdict, changes, said(&bytes))
}

#[test]
fn the_terms_of_the_encryption_stay_as_they_were() {
    let mut faults = Vec::new();
    for name in ["rc4-128", "aes-128", "aes-256"] {
        let base = vector(&format!("{name}.pdf"));
        let (encrypt, id) = (trailer(&base, "/Encrypt"), trailer(&base, "/ID"));
        assert_eq!(encrypt, "11 0 R");
        let own = dictionary(&base);
        let other = dictionary(&vector(if name == "aes-256" { "aes-128.pdf" } else { "aes-256.pdf" }));
        let kept = format!("/Encrypt {encrypt}/ID {id}");
        let (verdict, changes, said) = updated(&base, |later| later.trailer.push_str(&kept));
        assert_eq!((verdict, changes.as_str()), ("open", "allowed"), "{name}: {said:?}");
        type Change<'c> = &'c dyn Fn(&mut Later);
        let changes: [(&str, Change<'_>); 10] = [
            ("taken away", &|l| l.trailer.push_str(&format!("/ID {id}"))),
            ("made null", &|l| l.trailer.push_str(&format!("/Encrypt null/ID {id}"))),
            ("written again", &|l| {
                l.set(11, own.as_str());
                l.trailer.push_str(&kept);
            }),
            ("written elsewhere", &|l| {
                let number = l.add(own.as_str());
                l.trailer.push_str(&format!("/Encrypt {number} 0 R/ID {id}"));
            }),
            ("written into the trailer", &|l| l.trailer.push_str(&format!("/Encrypt {own}/ID {id}"))),
            ("another file's", &|l| {
                l.set(11, other.as_str());
                l.trailer.push_str(&kept);
            }),
            ("another file's, elsewhere", &|l| {
                let number = l.add(other.as_str());
                l.trailer.push_str(&format!("/Encrypt {number} 0 R/ID {id}"));
            }),
            ("said twice", &|l| l.trailer.push_str(&format!("/Encrypt 99 0 R{kept}"))),
            ("another name", &|l| l.trailer.push_str(&format!("/Encrypt {encrypt}/ID[<00><00>]"))),
            ("no name", &|l| l.trailer.push_str(&format!("/Encrypt {encrypt}"))),
        ];
        for (what, change) in changes {
            let (verdict, changes, said) = updated(&base, change);
            // With another key the newest state may not open at all.
            let named = said.contains(&"pdf.encryption-changed") || what.starts_with("another file's");
            // The same dictionary again changes nothing that is shown.
            let shown = changes == if what == "written again" { "allowed" } else { "suspicious" };
            if verdict != "open" || !named || !(shown || changes == "forbidden") {
                faults.push(format!("{name}, {what}: {verdict}, {changes}, {said:?}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// One that was plain when it was signed, and whose strings would now be read as something else.
#[test]
fn nothing_is_encrypted_afterwards() {
    let base = vector("plain.pdf");
    let (verdict, changes, said) = updated(&base, |_| {});
    assert_eq!((verdict, changes.as_str()), ("genuine", "allowed"), "{said:?}");
    for name in ["aes-256", "aes-128"] {
        let (verdict, changes, said) = updated(&base, |later| {
            let number = later.add(dictionary(&vector(&format!("{name}.pdf"))));
            later.trailer.push_str(&format!("/Encrypt {number} 0 R/ID[<00><00>]"));
        });
        assert_eq!(verdict, "open", "{name}: {said:?}");
        assert!(changes == "suspicious" || changes == "forbidden", "{name}: {changes}, {said:?}");
    }
}

/// Old ciphers make a key for each object: what a page draws is copied to another number, byte for byte, and is no longer what
/// was signed. Where one key does for all it is.
#[test]
fn the_same_bytes_under_another_number_are_something_else() {
    for (name, shown) in [("rc4-128", true), ("aes-128", true), ("aes-256", false)] {
        let base = vector(&format!("{name}.pdf"));
        let find = |word: &str, from: usize| {
            from + base[from..].windows(word.len()).position(|w| w == word.as_bytes()).unwrap() + word.len()
        };
        let start = find("stream\n", find("\n9 0 obj\n", 0));
        let end = find("endstream", start) - "endstream".len();
        let content = &base[start..end];
        let mut later = Later::on(base.to_vec());
        let page = later.get(7);
        assert!(page.contains("/Contents 9 0 R"), "{page}");
        let length = content.len() - usize::from(content.ends_with(b"\n"));
        let place = "A".repeat(length);
        let number = later.add(format!("<</Length {length}/Filter/FlateDecode>>\nstream\n{place}\nendstream"));
        later.set(7, page.replace("/Contents 9 0 R", &format!("/Contents {number} 0 R")));
        later.trailer.push_str(&format!("/Encrypt 11 0 R/ID {}", trailer(&base, "/ID")));
        let mut bytes = later.finish();
        let at = bytes.windows(length).rposition(|w| w == place.as_bytes()).unwrap();
        bytes[at..at + length].copy_from_slice(&content[..length]);
        let (told, said) = (told(name, &bytes), said(&bytes));
        assert_eq!(told, ("open", "forbidden".into()), "{name}: {said:?}");
        assert_eq!(said.contains(&"pdf.page-content-changed"), shown, "{name}: {said:?}");
    }
}

#[test]
fn damaged_or_locked_it_is_never_passed_and_the_two_are_told_apart() {
    let base = vector("aes-256.pdf");
    for (key, finding) in [
        ("/U", "pdf.needs-password"),
        ("/Perms", "pdf.unknown-protection"),
        ("/UE", "pdf.unknown-protection"),
        ("/V", "pdf.unknown-protection"),
        ("/CFM", "pdf.unknown-protection"),
    ] {
        let find = |word: &str, from: usize| {
            from + base[from..].windows(word.len()).position(|w| w == word.as_bytes()).unwrap()
        };
        let at = find(&format!("{key} "), find("<< /CF <<", 0)) + key.len() + 2;
        let mut bytes = base.clone();
        bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
        // `/V 5 ` has one digit.
        if key == "/V" {
            (bytes[at - 1], bytes[at]) = (b'6', b' ');
        }
        let (report, said) = (believing("damaged.pdf", bytes.clone()), said(&bytes));
        assert!(!report.verdict.is_genuine() && said.contains(&finding), "{key}: {said:?}");
    }
    // Where nothing at all can be read the whole answer is that.
    let base = vector("aes-256-packed.pdf");
    let at = base.windows(4).position(|w| w == b"/U <").unwrap() + 4;
    let mut bytes = base;
    bytes[at] ^= 1;
    let report = believing("damaged.pdf", bytes);
    assert_eq!(report.verdict, Verdict::Indeterminate(Sub::SignedDataNotFound), "{report:#?}");
    assert_eq!(report.summary.id, "verify.needs-password");
}
