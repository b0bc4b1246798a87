//! The second reading: files that readers take in two ways, files that do not open as they should, and signatures that
//! seem to speak for what they do not. Each is made here from a sealed page, by the published description.

use yinxin::crypto::Digest;
use yinxin::pdf::appearance::Appearance;
use yinxin::pdf::changes::LaterChanges;
use yinxin::pdf::seal::{Prepared, prepare};
use yinxin::pdf::signatures::{Coverage, Reading, Signature, read};

use crate::pdf_seal::{CATALOG, PAGE, PAGES, Written, draft, impression, plain, plan, sealed};

/// A sealed page, its parts before and behind the hole, and its digest.
fn page() -> (Vec<u8>, Prepared) {
    let appearance = Appearance::of(&impression());
    let prepared = prepare(&plain(), &plan(&appearance)).unwrap();
    ([plain(), prepared.close(&[0x30, 0]).unwrap()].concat(), prepared)
}

pub fn find(bytes: &[u8], word: &str) -> usize {
    bytes.windows(word.len()).rposition(|w| w == word.as_bytes()).unwrap()
}

/// The last occurrence of one text exchanged for another of the same length.
fn with(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let (at, mut bytes) = (find(bytes, from), bytes.to_vec());
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    bytes
}

fn only(reading: &Reading) -> &Signature {
    assert_eq!(reading.signatures.len(), 1, "{reading:#?}");
    &reading.signatures[0]
}

/// Named of the signature and of the file; nothing else of either is looked at.
fn named(reading: &Reading, id: &str) -> bool {
    let signature = only(reading);
    let of_signature = signature.findings.iter().chain(&signature.changes).any(|m| m.id == id);
    of_signature && (!id.starts_with("pdf.attack.") || reading.findings.iter().any(|m| m.id == id))
}

/// An update by hand: objects, a table, and a trailer that keeps the chain.
pub fn update(bytes: &[u8], objects: &[(u32, String)]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let mut table = String::new();
    for (number, body) in objects {
        table.push_str(&format!("{number} 1\n{:010} 00000 n \n", out.len()));
        out.extend(format!("{number} 0 obj\n{body}\nendobj\n").into_bytes());
    }
    let previous = find(bytes, "xref\n") - if bytes[find(bytes, "xref\n") - 1] == b't' { 5 } else { 0 };
    let text = String::from_utf8_lossy(&bytes[previous..]).into_owned();
    let previous: usize = text.lines().nth(1).unwrap().parse().unwrap();
    let at = out.len();
    out.extend(
        format!("xref\n{table}trailer\n<</Size 99/Root 1 0 R/Prev {previous}>>\nstartxref\n{at}\n%%EOF\n").bytes(),
    );
    out
}

#[test]
fn an_update_without_an_index_that_works_is_named() {
    let (bytes, prepared) = page();
    let catalog = "\n1 0 obj\n<</Type/Catalog/Pages 77 0 R>>\nendobj\n";
    let far = format!("{catalog}{}%%EOF\n", "% \n".repeat(1000));
    let astray = format!("{catalog}trailer\n<</Root 1 0 R>>\nstartxref\n7\n%%EOF\n");
    for (what, tail) in [("short", catalog.to_owned()), ("far", far), ("astray", astray)] {
        let reading = read(&[&bytes[..], tail.as_bytes()].concat()).unwrap();
        let signature = only(&reading);
        assert_eq!(
            (signature.coverage, signature.later_changes),
            (Coverage::Partial, LaterChanges::Forbidden),
            "{what}"
        );
        assert!(named(&reading, "pdf.attack.isa"), "{what} {reading:#?}");
        assert_eq!(signature.digest(Digest::Sha256).unwrap(), prepared.digest(), "{what}");
    }
    // What holds no objects is shown by nobody: odd, and no attack.
    let junk = [&bytes[..], "sent by mail ".repeat(400).as_bytes()].concat();
    let reading = read(&junk).unwrap();
    assert_eq!(only(&reading).later_changes, LaterChanges::Suspicious);
    assert!(named(&reading, "pdf.bytes-after-end") && !named(&reading, "pdf.attack.isa"));
    // And a proper update that exchanges the page is named as well.
    let reading = read(&update(&bytes, &[(4, "<</Length 2>>\nstream\nBT\nendstream".into())])).unwrap();
    assert_eq!(only(&reading).later_changes, LaterChanges::Forbidden);
    assert!(named(&reading, "pdf.attack.isa"), "{reading:#?}");
}

#[test]
fn a_gap_wider_than_the_value_is_named() {
    let (bytes, prepared) = page();
    let end = prepared.hole().end;
    let (from, rest) = (format!(" {end} "), bytes.len() - end);
    let moved = with(&bytes, &from, &format!(" {} ", end + 40));
    let moved = with(&moved, &format!(" {rest}"), &format!(" {}", rest - 40));
    let reading = read(&moved).unwrap();
    assert_eq!(only(&reading).coverage, Coverage::None);
    assert!(named(&reading, "pdf.attack.swa"), "{reading:#?}");
}

#[test]
fn a_signature_without_value_or_range_is_named() {
    let (bytes, prepared) = page();
    let unfinished = [&plain()[..], prepared.tail()].concat();
    let without_range = with(&bytes, "/ByteRange", "/ByteRinge");
    let start = prepared.hole().start;
    let mut without_value = bytes.clone();
    without_value[start - 9..start].copy_from_slice(b"/Cantents");
    let unreadable = with(&bytes, &String::from_utf8_lossy(&bytes[start - 9..start + 3]), "/Contents  >");
    for (what, bytes) in [unfinished, without_range, without_value, unreadable].into_iter().enumerate() {
        let reading = read(&bytes).unwrap();
        // The first has a range that fits, and nothing in the hole.
        assert_eq!(only(&reading).coverage == Coverage::None, what > 0, "{what}");
        assert!(named(&reading, "pdf.attack.usf"), "{what} {reading:#?}");
    }
}

#[test]
fn a_file_that_viewers_would_repair_is_judged_as_far_as_is_safe() {
    let (bytes, prepared) = page();
    let start = find(&bytes, "startxref\n") + 10;
    let mut astray = bytes.clone();
    astray[start] = if astray[start] == b'9' { b'8' } else { astray[start] + 1 };
    let mut headless = bytes.clone();
    headless[..5].copy_from_slice(b"#PDF-");
    for (what, bytes, intact) in [("startxref", astray, false), ("head", headless, false)] {
        let reading = read(&bytes).unwrap();
        let signature = only(&reading);
        assert!(reading.findings.iter().any(|m| m.id == "pdf.broken-structure"), "{what}");
        assert!(named(&reading, "pdf.signature-unindexed"), "{what}");
        assert_eq!(
            (signature.coverage, signature.later_changes),
            (Coverage::Whole, LaterChanges::Suspicious),
            "{what}"
        );
        assert_eq!(signature.digest(Digest::Sha256).unwrap() == prepared.digest(), intact, "{what}");
    }
}

#[test]
fn a_dictionary_exchanged_after_signing_is_named() {
    let (bytes, _) = page();
    let at = find(&bytes, "/ByteRange");
    let head = bytes[..at].windows(3).rposition(|w| w == b"obj").unwrap();
    let line = bytes[..head].iter().rposition(|&b| b == b'\n').unwrap() + 1;
    let number: u32 = String::from_utf8_lossy(&bytes[line..head]).split(' ').next().unwrap().parse().unwrap();
    let end = at + bytes[at..].windows(6).position(|w| w == b"endobj").unwrap();
    let dictionary = String::from_utf8_lossy(&bytes[head + 4..end]).into_owned();
    assert!(dictionary.contains("/Reason"));
    let forged = dictionary.replacen("/Reason", "/Reason(paid in full)/Old", 1);
    let reading = read(&update(&bytes, &[(number, forged)])).unwrap();
    assert_eq!((only(&reading).coverage, only(&reading).later_changes), (Coverage::None, LaterChanges::Forbidden));
    assert!(named(&reading, "pdf.attack.spoofing"), "{reading:#?}");
}

#[test]
fn what_two_readers_take_differently_is_found() {
    let appearance = Appearance::of(&impression());
    let sealed_over = |draft: &[u8]| read(&sealed(draft, &plan(&appearance))).unwrap();
    // A key twice, with two values; with one value it is only untidy.
    let double = |other: &str| {
        let pages = PAGES.replace("/Count 1", &format!("/Rotate 0/Count 1/Rotate {other}"));
        let reading = sealed_over(&draft(Written::Stream(&[2]), CATALOG, &pages, PAGE, &[]));
        only(&reading).findings.iter().any(|m| m.id == "pdf.key-twice")
    };
    assert!(double("90") && !double("0"));
    // An object once more behind the one that the index leads to; inside an attached file it is nobody's.
    let twice = |stream: &str| {
        let more = format!("<<>>\nendobj\n{stream}4 0 obj\n<<>>\nendobj\n7 0 obj\n<<>>");
        let reading = sealed_over(&draft(Written::Table, CATALOG, PAGES, PAGE, &[(6, &more)]));
        only(&reading).findings.iter().any(|m| m.id == "pdf.object-twice")
    };
    assert!(twice(""));
    let attached = "<</Length 22>>\nstream\n4 0 obj\n<<>>\nendobj\n12\nendstream";
    let reading = sealed_over(&draft(Written::Table, CATALOG, PAGES, PAGE, &[(6, attached)]));
    assert!(only(&reading).findings.is_empty(), "{reading:#?}");
    // Two fields of one signature.
    let (bytes, _) = page();
    let widget = find(&bytes, "/Subtype/Widget");
    let value: String = {
        let at = widget + bytes[widget..].windows(3).position(|w| w == b"/V ").unwrap();
        String::from_utf8_lossy(&bytes[at + 3..at + 12]).split(" R").next().unwrap().to_owned() + " R"
    };
    let field = format!("<</FT/Sig/T(Other)/V {value}/Type/Annot/Subtype/Widget/Rect[0 0 0 0]>>");
    let number: u32 = {
        let head = bytes[..widget].windows(3).rposition(|w| w == b"obj").unwrap();
        let line = bytes[..head].iter().rposition(|&b| b == b'\n').unwrap() + 1;
        String::from_utf8_lossy(&bytes[line..head]).split(' ').next().unwrap().parse().unwrap()
    };
    let catalog = format!("<</Type/Catalog/Pages 2 0 R/AcroForm<</SigFlags 3/Fields[{number} 0 R 90 0 R]>>>>");
    let reading = read(&update(&bytes, &[(1, catalog), (90, field)])).unwrap();
    assert_eq!(reading.signatures.len(), 2);
    assert!(reading.signatures.iter().all(|s| s.findings.iter().any(|m| m.id == "pdf.value-shared")), "{reading:#?}");
}
