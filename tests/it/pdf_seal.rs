//! Sealing: drafts of every shape a writer may leave behind, what is refused, and what other verifiers say of the
//! result. The drafts are written here, so that each says what it is about.

use std::fmt::Write as _;
use std::process::Command;
use time::macros::datetime;
use yinxin::crypto::Digest;
use yinxin::impression::{Impression, Picture, Place, Raster, Segment, Shape};
use yinxin::pdf::PdfError;
use yinxin::pdf::appearance::Appearance;
use yinxin::pdf::changes::LaterChanges;
use yinxin::pdf::seal::{Certification, Prepared, SealPlan, prepare};
use yinxin::pdf::signatures::{Coverage, read};
use yinxin::pdf::text::occurrences;

use crate::pdf_places::five;

/// How a draft's cross-reference is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Written {
    Table,
    /// A cross-reference stream, with these objects inside an object stream.
    Stream(&'static [u32]),
    /// A table with a hidden stream half, with these objects inside an object stream.
    Hybrid(&'static [u32]),
}

pub const CATALOG: &str = "<</Type/Catalog/Pages 2 0 R>>";
pub const PAGES: &str = "<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 595 842]>>";
pub const PAGE: &str = "<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>";
const TEXT: &str = "<</Length 61>>\nstream\nBT /F 20 Tf 100 700 Td (Decision of) Tj 0 -30 Td (2026) Tj ET\nendstream";
const FONT: &str = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>";

/// A one-page draft: catalog 1, pages 2, page 3, contents 4, font 5, and whatever else is given.
pub fn draft(shape: Written, catalog: &str, pages: &str, page: &str, more: &[(u32, &str)]) -> Vec<u8> {
    let mut objects = vec![(1, catalog), (2, pages), (3, page), (4, TEXT), (5, FONT)];
    objects.extend_from_slice(more);
    let packed: &[u32] = match shape {
        Written::Table => &[],
        Written::Stream(packed) | Written::Hybrid(packed) => packed,
    };
    let size = objects.iter().map(|(n, _)| n + 1).max().unwrap() + 2;
    let (pack, own) = (size - 2, size - 1);
    let mut out = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut entries: Vec<[u64; 3]> = vec![[0, 0, 65535]; size as usize];
    for (number, body) in objects.iter().filter(|(n, _)| !packed.contains(n)) {
        entries[*number as usize] = [1, out.len() as u64, 0];
        out.extend(format!("{number} 0 obj\n{body}\nendobj\n").into_bytes());
    }
    if !packed.is_empty() {
        let (mut index, mut body) = (String::new(), String::new());
        for (i, number) in packed.iter().enumerate() {
            let text = objects.iter().find(|(n, _)| n == number).unwrap().1;
            write!(index, "{number} {} ", body.len()).unwrap();
            body.push_str(text);
            body.push(' ');
            entries[*number as usize] = [2, u64::from(pack), i as u64];
        }
        entries[pack as usize] = [1, out.len() as u64, 0];
        let data = format!("{index}{body}");
        let head =
            format!("{pack} 0 obj\n<</Type/ObjStm/N {}/First {}/Length {}>>\n", packed.len(), index.len(), data.len());
        out.extend(format!("{head}stream\n{data}\nendstream\nendobj\n").into_bytes());
    }
    let id = "/ID[<00112233445566778899aabbccddeeff><00112233445566778899aabbccddeeff>]";
    let at = out.len();
    let stream = |entries: &[[u64; 3]]| {
        let data: Vec<u8> = entries
            .iter()
            .flat_map(|e| {
                let [kind, b, c] = *e;
                [vec![kind as u8], (b as u32).to_be_bytes().to_vec(), (c as u16).to_be_bytes().to_vec()].concat()
            })
            .collect();
        let head =
            format!("{own} 0 obj\n<</Type/XRef/W[1 4 2]/Size {size}/Root 1 0 R{id}/Length {}>>\nstream\n", data.len());
        [head.as_bytes(), &data, b"\nendstream\nendobj\n"].concat()
    };
    let start = match shape {
        Written::Stream(_) => {
            entries[own as usize] = [1, at as u64, 0];
            out.extend(stream(&entries));
            at
        }
        _ => {
            let mut hidden = String::new();
            if matches!(shape, Written::Hybrid(_)) {
                out.extend(stream(&entries));
                hidden = format!("/XRefStm {at}");
            }
            let table = out.len();
            out.extend(format!("xref\n0 {size}\n").into_bytes());
            for [kind, offset, generation] in &entries {
                // What the stream half holds is free to a reader of tables (ISO 32000-1 §7.5.8.4).
                let line = match kind {
                    1 => format!("{offset:010} {generation:05} n \n"),
                    _ => "0000000000 65535 f \n".to_owned(),
                };
                out.extend(line.into_bytes());
            }
            out.extend(format!("trailer\n<</Size {size}/Root 1 0 R{id}{hidden}>>\n").into_bytes());
            table
        }
    };
    // As Typst writes it: no end of line after %%EOF.
    out.extend(format!("startxref\n{start}\n%%EOF").into_bytes());
    out
}

pub fn plain() -> Vec<u8> {
    draft(Written::Table, CATALOG, PAGES, PAGE, &[])
}

/// A ring of 40 mm.
pub fn impression() -> Impression {
    let circle = |radius: f64, turn: f64| {
        let mut segments: Vec<Segment> = (0..90)
            .map(|i| (turn * f64::from(i) * std::f64::consts::TAU / 90.0).sin_cos())
            .map(|(s, c)| Segment::Line(20.0 + radius * c, 20.0 + radius * s))
            .collect();
        if let Some(Segment::Line(x, y)) = segments.first().copied() {
            segments[0] = Segment::Move(x, y);
        }
        segments.push(Segment::Close);
        segments
    };
    let ring = [circle(20.0, 1.0), circle(18.8, -1.0)].concat();
    Impression {
        width_mm: 40.0,
        height_mm: 40.0,
        picture: Picture::Vector(vec![Shape { rgb: [214, 0, 0], segments: ring }]),
    }
}

pub fn plan(appearance: &Appearance) -> SealPlan<'_> {
    SealPlan {
        appearance,
        places: &[Place::On { page: 0, centre_mm: (60.0, 50.0) }],
        signer_name: "汶川县行政审批局",
        reason: "准予行政许可",
        location: "",
        at: datetime!(2026-11-22 08:00 +08:00),
        certify: None,
        reserve: 4096,
    }
}

/// Sealed with something that is DER but no signature: enough for everything but the signature itself.
pub fn sealed(draft: &[u8], plan: &SealPlan<'_>) -> Vec<u8> {
    [draft, &prepare(draft, plan).unwrap().close(&[0x30, 3, 2, 1, 1]).unwrap()].concat()
}

pub fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn every_shape_of_draft_is_sealed_by_an_update_over_its_tail() {
    let appearance = Appearance::of(&impression());
    let form = "<</Type/Catalog/Pages 2 0 R/AcroForm 6 0 R>>";
    let direct_form = "<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[]/DA(x)>>/Lang(zh)>>";
    let annots = "<</Type/Page/Parent 2 0 R/Annots[7 0 R]>>";
    let annots_apart = "<</Type/Page/Parent 2 0 R/Annots 8 0 R/Contents 4 0 R>>";
    let more: &[(u32, &str)] = &[
        (6, "<</Fields 9 0 R/SigFlags 1>>"),
        (7, "<</Type/Annot/Subtype/Text/Rect[0 0 9 9]/Contents(hello)/F 4>>"),
        (8, "[ 7 0 R ]"),
        (9, "[10 0 R]"),
        (10, "<</FT/Tx/T(Seal1)>>"),
    ];
    let shapes = [
        Written::Table,
        Written::Stream(&[]),
        Written::Stream(&[1, 2, 3, 5]),
        Written::Stream(&[1, 3, 6, 8, 9, 10]),
        Written::Hybrid(&[5, 6, 8, 9]),
    ];
    for shape in shapes {
        for catalog in [CATALOG, form, direct_form] {
            for page in [PAGE, annots, annots_apart] {
                let draft = draft(shape, catalog, PAGES, page, more);
                let what = format!("{shape:?} {catalog} {page}");
                let bytes = sealed(&draft, &plan(&appearance));
                assert!(bytes.starts_with(&draft), "{what}");
                let update = text_of(&bytes[draft.len()..]);
                assert!(update.starts_with('\n'), "an end of line belongs after %%EOF: {what}");
                assert_eq!(update.contains("\nxref\n"), !matches!(shape, Written::Stream(_)), "{what}");
                assert!(update.contains("<00112233445566778899AABBCCDDEEFF>"), "the first half of /ID is kept: {what}");
                let reading = read(&bytes).unwrap_or_else(|e| panic!("{what}: {e}"));
                let [signature] = reading.signatures.as_slice() else { panic!("{what}: {reading:?}") };
                // Seal1 is taken by the text field where the form is the one that has it.
                assert_eq!(signature.field, if catalog == form { "Seal2" } else { "Seal1" }, "{what}");
                assert_eq!(signature.coverage, Coverage::Whole, "{what}");
                assert_eq!(signature.later_changes, LaterChanges::None, "{what}");
                assert_eq!(signature.claimed_time, Some(datetime!(2026-11-22 00:00 UTC)), "{what}");
                assert_eq!(signature.name.as_deref(), Some("汶川县行政审批局"), "{what}");
                assert_eq!(signature.cms, [0x30, 3, 2, 1, 1], "{what}");
                assert_eq!(reading.revisions.len(), 2, "{what}");
                assert!(reading.findings.is_empty() && signature.findings.is_empty(), "{what}: {reading:?}");
                qpdf_agrees(&bytes, &what);
            }
        }
    }
}

/// qpdf reads the file without a complaint; left out, aloud, where it is not installed.
pub fn qpdf_agrees(bytes: &[u8], what: &str) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sealed.pdf");
    std::fs::write(&path, bytes).unwrap();
    match Command::new("qpdf").arg("--check").arg(&path).output() {
        Ok(out) => assert!(out.status.success(), "{what}: {}{}", text_of(&out.stdout), text_of(&out.stderr)),
        Err(_) => eprintln!("SKIPPED: qpdf is not installed"),
    }
}

#[test]
fn the_seal_stands_where_people_see_it_whatever_the_page_says_of_itself() {
    let appearance = Appearance::of(&impression());
    // Centre 60, 50 mm, 40 mm across: 40..80 mm from the left, 30..70 from the top of the page as displayed.
    let mm = |x: f64| x * 72.0 / 25.4;
    let cases = [
        ("", [mm(40.0), 842.0 - mm(70.0), mm(80.0), 842.0 - mm(30.0)], ""),
        ("/CropBox[100 100 500 700]", [100.0 + mm(40.0), 700.0 - mm(70.0), 100.0 + mm(80.0), 700.0 - mm(30.0)], ""),
        ("/Rotate 90", [mm(30.0), mm(40.0), mm(70.0), mm(80.0)], "/Matrix[0 1 -1 0 0 0]"),
        ("/Rotate 180", [595.0 - mm(80.0), mm(30.0), 595.0 - mm(40.0), mm(70.0)], "/Matrix[-1 0 0 -1 0 0]"),
        (
            "/Rotate -90",
            [595.0 - mm(70.0), 842.0 - mm(80.0), 595.0 - mm(30.0), 842.0 - mm(40.0)],
            "/Matrix[0 -1 1 0 0 0]",
        ),
        ("/UserUnit 2", [mm(20.0), 842.0 - mm(35.0), mm(40.0), 842.0 - mm(15.0)], ""),
    ];
    for (says, rect, matrix) in cases {
        // /Rotate and /CropBox are inherited, /UserUnit is not.
        let inherited = !says.contains("UserUnit");
        let pages = PAGES.replace("/Count", &format!("{}/Count", if inherited { says } else { "" }));
        let page = PAGE.replace("/Parent", &format!("{}/Parent", if inherited { "" } else { says }));
        let bytes = sealed(&draft(Written::Table, CATALOG, &pages, &page, &[]), &plan(&appearance));
        let update = text_of(&bytes);
        let written = update.split("/Rect[").nth(1).and_then(|s| s.split(']').next()).unwrap();
        let written: Vec<f64> = written.split(' ').map(|n| n.parse().unwrap()).collect();
        assert!(written.iter().zip(rect).all(|(a, b)| (a - b).abs() < 0.001), "{says}: {written:?} {rect:?}");
        assert!(update.contains(&format!("/BBox[0 0 113.3858 113.3858]{matrix}/Resources<</ExtGState")), "{says}");
    }
}

#[test]
fn a_seal_that_would_leave_the_page_and_a_page_that_is_not_there_are_refused() {
    let appearance = Appearance::of(&impression());
    let at = |page, centre_mm| {
        prepare(&plain(), &SealPlan { places: &[Place::On { page, centre_mm }], ..plan(&appearance) })
    };
    assert!(at(0, (20.0, 20.0)).is_ok());
    for centre in [(19.9, 50.0), (50.0, 19.9), (190.0, 50.0), (50.0, 277.1), (f64::NAN, 50.0), (-1e300, 1e300)] {
        let error = at(0, centre).unwrap_err();
        assert_eq!(error, PdfError::OutsidePage { page: 0, width_mm: 210, height_mm: 297 }, "{centre:?}");
    }
    assert_eq!(at(7, (50.0, 50.0)).unwrap_err(), PdfError::NoSuchPage { asked: 8, pages: 1 });
}

#[test]
fn what_cannot_be_sealed_is_refused_with_its_reason() {
    let appearance = Appearance::of(&impression());
    let refused = |bytes: &[u8]| prepare(bytes, &plan(&appearance)).unwrap_err();
    assert_eq!(refused(b""), PdfError::NotPdf);
    assert_eq!(refused(b"PK\x03\x04"), PdfError::NotPdf);
    let with = |from: &str, to: &str| text_of(&plain()).replace(from, to).into_bytes();
    assert_eq!(
        refused(&draft(Written::Table, CATALOG, "<</Type/Pages/Kids[]/Count 0>>", PAGE, &[])),
        PdfError::NoPages
    );
    // Lossy text keeps offsets only where the head holds no bytes beyond ASCII; the draft's marker line is replaced.
    let ascii = |bytes: Vec<u8>| bytes.iter().map(|&b| if b < 128 { b } else { b'x' }).collect::<Vec<u8>>();
    let encrypted = text_of(&ascii(plain())).replace("/Root 1 0 R", "/Root 1 0 R/Encrypt 5 0 R").into_bytes();
    assert_eq!(refused(&encrypted), PdfError::Encrypted);
    assert!(matches!(refused(&with("startxref", "startyref")), PdfError::Broken { .. }));
    assert!(matches!(refused(&plain()[..200]), PdfError::Broken { .. }));
    assert!(matches!(refused(&[b"\n".to_vec(), plain()].concat()), PdfError::Broken { at: 1, .. }));
    let circle = draft(Written::Table, CATALOG, "<</Type/Pages/Kids[2 0 R]/Count 1>>", PAGE, &[]);
    assert!(matches!(refused(&circle), PdfError::Broken { what: "a page stands twice in the page tree", .. }));
    let huge = SealPlan { reserve: yinxin::limits::PDF_CMS_BYTES + 1, ..plan(&appearance) };
    assert!(matches!(prepare(&plain(), &huge), Err(PdfError::OverLimit { .. })));
    for error in [PdfError::NotPdf, PdfError::Encrypted, PdfError::AlreadySigned, PdfError::NoPages] {
        let message = error.message();
        assert!(message.id.starts_with("pdf.") && !message.zh.is_ascii() && message.en.is_ascii(), "{message}");
    }
}

#[test]
fn earlier_signatures_decide_whether_another_may_come() {
    let appearance = Appearance::of(&impression());
    let approval = plan(&appearance);
    let certify = |level| SealPlan { certify: Some(level), ..approval };
    let approved = sealed(&plain(), &approval);
    assert!(prepare(&approved, &approval).is_ok());
    assert_eq!(prepare(&approved, &certify(Certification::NoChanges)).unwrap_err(), PdfError::AlreadySigned);
    for (level, number) in
        [(Certification::NoChanges, 1), (Certification::FormsAndSignatures, 2), (Certification::Annotations, 3)]
    {
        let certified = sealed(&plain(), &certify(level));
        assert_eq!(read(&certified).unwrap().signatures[0].certification, Some(number));
        assert!(text_of(&certified).contains("/Perms <</DocMDP "));
        assert_eq!(prepare(&certified, &approval).unwrap_err(), PdfError::ClosedByCertification { level: number });
        assert_eq!(prepare(&certified, &certify(level)).unwrap_err(), PdfError::AlreadySigned);
    }
    let lock = |action: &str| {
        let signature = format!(
            "<</Type/Sig/Contents<00>/Reference[<</TransformMethod/FieldMDP/TransformParams<</Action/{action}/Fields[(a)]>>>>]>>"
        );
        let field = "<</FT/Sig/T(a)/V 7 0 R>>";
        let catalog = "<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[6 0 R]>>>>";
        prepare(&draft(Written::Table, catalog, PAGES, PAGE, &[(6, field), (7, &signature)]), &approval)
    };
    assert_eq!(lock("All").unwrap_err(), PdfError::ClosedByLock);
    assert_eq!(lock("Exclude").unwrap_err(), PdfError::ClosedByLock);
    assert!(lock("Include").is_ok());
}

#[test]
fn prepared_bytes_are_taken_up_again_only_as_they_were() {
    let appearance = Appearance::of(&impression());
    let prepared = prepare(&plain(), &plan(&appearance)).unwrap();
    let (draft, tail, hole) = (plain(), prepared.tail().to_vec(), prepared.hole());
    assert_eq!(Prepared::from_parts(&draft, tail.clone(), hole.clone()).unwrap(), prepared);
    // One file without a seam is the same to whoever signs it.
    let whole = Prepared::from_parts(&[][..], [&draft[..], &tail].concat(), hole.clone()).unwrap();
    assert_eq!((whole.digest(), whole.hole()), (prepared.digest(), hole.clone()));
    assert_eq!(prepare(&plain(), &plan(&appearance)).unwrap(), prepared, "the same order gives the same bytes");

    for other in [
        hole.start + 1..hole.end,
        hole.start..hole.end + 1,
        0..10,
        std::ops::Range { start: 5, end: 4 },
        0..usize::MAX,
        hole.end..hole.end,
    ] {
        assert!(Prepared::from_parts(&draft, tail.clone(), other).is_err());
    }
    let longer = [&tail[..], b"\n"].concat();
    assert!(Prepared::from_parts(&draft, longer, hole.clone()).is_err(), "a longer file");
    let shorter = &draft[..draft.len() - 1];
    assert!(Prepared::from_parts(shorter, tail.clone(), hole.clone()).is_err(), "another draft");
    let mut filled = tail.clone();
    filled[hole.start - draft.len() + 9] = b'1';
    assert!(Prepared::from_parts(&draft, filled, hole.clone()).is_err(), "a hole with something in it");
    // A hole that is blank and framed but not the newest signature's own.
    let first = sealed(&draft, &plan(&appearance));
    let second = prepare(&first, &plan(&appearance)).unwrap();
    let (behind, tail) = first.split_at(draft.len());
    assert!(Prepared::from_parts(behind, [tail, second.tail()].concat(), hole).is_err());

    assert_eq!(prepared.close(b"").unwrap_err(), PdfError::NotCms);
    assert_eq!(prepared.close(&[0x30, 5, 0]).unwrap_err(), PdfError::NotCms);
    let large = [&[0x30, 0x82, 0x10, 0x00][..], &[0; 4096]].concat();
    assert_eq!(prepared.close(&large).unwrap_err(), PdfError::HoleTooSmall { need: 4100, have: 4096 });
}

#[test]
fn the_digest_is_of_everything_but_the_hole_and_changes_are_seen() {
    let appearance = Appearance::of(&impression());
    let prepared = prepare(&plain(), &plan(&appearance)).unwrap();
    let bytes = [plain(), prepared.close(&[0x30, 0]).unwrap()].concat();
    let signature = &read(&bytes).unwrap().signatures[0];
    assert_eq!(signature.digest(Digest::Sha256).unwrap(), prepared.digest());
    let mut changed = bytes.clone();
    let at = changed.windows(8).position(|w| w == b"Decision").unwrap();
    changed[at] = b'd';
    assert_ne!(read(&changed).unwrap().signatures[0].digest(Digest::Sha256).unwrap(), prepared.digest());

    // A second seal by our own hand is an allowed change of the first.
    let beside = [Place::On { page: 0, centre_mm: (150.0, 50.0) }];
    let twice = sealed(&bytes, &SealPlan { places: &beside, ..plan(&appearance) });
    let reading = read(&twice).unwrap();
    let verdicts: Vec<_> = reading.signatures.iter().map(|s| (s.field.as_str(), s.coverage, s.later_changes)).collect();
    assert_eq!(
        verdicts,
        [("Seal1", Coverage::Partial, LaterChanges::Allowed), ("Seal2", Coverage::Whole, LaterChanges::None),]
    );

    // Somebody else's update: other page content, another page, one more note, one more byte.
    let updated = |bytes: &[u8], number: u32, body: &str| {
        let previous = text_of(bytes);
        let previous = previous.rsplit("startxref\n").next().and_then(|s| s.lines().next()).unwrap().to_owned();
        let at = bytes.len() + 1;
        let object = format!("\n{number} 0 obj\n{body}\nendobj\n");
        let table = bytes.len() + object.len();
        let tail = format!(
            "xref\n{number} 1\n{at:010} 00000 n \ntrailer\n<</Size 99/Root 1 0 R/Prev {previous}>>\nstartxref\n{table}\n%%EOF\n"
        );
        [bytes, object.as_bytes(), tail.as_bytes()].concat()
    };
    let update = |number: u32, body: &str| updated(&bytes, number, body);
    let after = |bytes: &[u8]| {
        let signature = read(bytes).unwrap().signatures.remove(0);
        assert_eq!(signature.coverage, Coverage::Partial);
        signature.later_changes
    };
    assert_eq!(after(&update(4, &TEXT.replace("Decision", "Revision"))), LaterChanges::Forbidden);
    assert_eq!(after(&update(4, TEXT)), LaterChanges::Allowed, "the same object written again is no change");
    assert_eq!(after(&update(5, FONT.replace("Helvetica", "Symbol").as_str())), LaterChanges::Forbidden);
    let no_tree = after(&update(2, &PAGES.replace("3 0 R", "3 0 R 3 0 R")));
    assert_eq!(no_tree, LaterChanges::Forbidden, "a page tree that cannot be walked");
    assert_eq!(after(&update(2, &PAGES.replace("595", "295"))), LaterChanges::Forbidden);
    // An object that the signed page refers to but does not have is not anybody's to define.
    let promising = draft(Written::Table, CATALOG, PAGES, &PAGE.replace("4 0 R", "[4 0 R 20 0 R]"), &[]);
    let first = sealed(&promising, &plan(&appearance));
    let second = sealed(&first, &plan(&appearance));
    assert!(!text_of(&second).contains("\n20 0 obj"), "a second seal leaves the number alone");
    assert_eq!(after(&second), LaterChanges::Allowed);
    assert_eq!(after(&updated(&first, 20, TEXT)), LaterChanges::Forbidden);

    let stripped = read(&update(1, CATALOG)).unwrap();
    assert!(stripped.signatures.is_empty() && stripped.findings.iter().any(|f| f.id == "pdf.signature-outside-form"));
    assert_eq!(after(&[&bytes[..], b"%\n"].concat()), LaterChanges::Suspicious);
    assert_eq!(after(&[&bytes[..], b"\n"].concat()), LaterChanges::None);
}

#[test]
fn a_word_is_found_where_it_stands() {
    let found = occurrences(&plain(), "20 26").unwrap();
    let [found] = found.as_slice() else { panic!("{found:?}") };
    // Baseline at 100, 670 points; Helvetica without widths is taken as half a square a letter.
    let (x, y) = found.centre_mm();
    assert!((x - 120.0 * 25.4 / 72.0).abs() < 0.01 && (y - (842.0 - 676.0) * 25.4 / 72.0).abs() < 0.01, "{found:?}");
    let turned = draft(Written::Table, CATALOG, &PAGES.replace("/Count", "/Rotate 90/Count"), PAGE, &[]);
    let (x, y) = occurrences(&turned, "2026").unwrap()[0].centre_mm();
    assert!((x - 676.0 * 25.4 / 72.0).abs() < 0.01 && (y - 120.0 * 25.4 / 72.0).abs() < 0.01);
    assert_eq!(occurrences(&plain(), "2027").unwrap(), []);
    assert_eq!(occurrences(&plain(), " ").unwrap(), []);
    // A form that draws itself ends.
    let resources = "<</Font<</F 5 0 R>>/XObject<</X 6 0 R>>>>";
    let page =
        PAGE.replace("/Resources<</Font<</F 5 0 R>>>>", &format!("/Resources{resources}")).replace("4 0 R", "6 0 R");
    let form = format!(
        "<</Subtype/Form/BBox[0 0 9 9]/Resources{resources}/Length 32>>\nstream\nBT /F 9 Tf (x) Tj ET /X Do /X Do\nendstream"
    );
    let spinning = draft(Written::Table, CATALOG, PAGES, &page, &[(6, &form)]);
    assert_eq!(occurrences(&spinning, "x").unwrap().len(), yinxin::limits::PDF_FOUND);
    let deep = format!("<</Length 200000>>\nstream\n{}\nendstream", "[".repeat(200_000));
    let deep = draft(Written::Table, CATALOG, PAGES, &PAGE.replace("4 0 R", "6 0 R"), &[(6, &deep)]);
    assert!(matches!(occurrences(&deep, "x"), Err(PdfError::OverLimit { what: "nesting", .. })));
}

#[test]
fn other_verifiers_agree() {
    let dir = tempfile::tempdir().unwrap();
    let run = |program: &str, args: &[&str]| Command::new(program).args(args).current_dir(dir.path()).output();
    if run("pdfsig", &["-v"]).is_err() || run("openssl", &["version"]).is_err() {
        eprintln!("SKIPPED: pdfsig or openssl is not installed");
        return;
    }
    let key = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
        "-days",
        "30",
        "-subj",
        "/C=CN/O=Test/CN=51322110000001",
    ];
    assert!(run("openssl", &key).unwrap().status.success());
    let mut raster = Raster { width: 64, height: 64, rgb: Vec::new(), alpha: Vec::new() };
    for i in 0..64 * 64 {
        raster.rgb.extend([214, 0, 0]);
        raster.alpha.push(if i % 7 == 0 { 255 } else { 0 });
    }
    let raster = Impression { width_mm: 40.0, height_mm: 40.0, picture: Picture::Raster(raster) };
    let at = |page| Place::On { page, centre_mm: (60.0, 50.0) };
    let everywhere = [at(4), at(0), at(2), Place::Straddle { centre_mm: 60.0 }];
    for (draft, impression, certify, places) in [
        (plain(), impression(), Some(Certification::FormsAndSignatures), &everywhere[1..2]),
        (plain(), raster.clone(), None, &everywhere[1..2]),
        (five(Written::Table), impression(), None, &everywhere),
        (five(Written::Hybrid(&[11, 18, 19])), raster, Some(Certification::NoChanges), &everywhere),
    ] {
        let appearance = Appearance::of(&impression);
        let prepared = prepare(&draft, &SealPlan { certify, places, ..plan(&appearance) }).unwrap();
        let hole = prepared.hole();
        let whole = [&draft[..], prepared.tail()].concat();
        let signed = [&whole[..hole.start], &whole[hole.end..]].concat();
        std::fs::write(dir.path().join("signed"), signed).unwrap();
        let cms = run(
            "openssl",
            &[
                "cms", "-sign", "-binary", "-cades", "-md", "sha256", "-signer", "cert.pem", "-inkey", "key.pem",
                "-outform", "DER", "-in", "signed",
            ],
        )
        .unwrap();
        assert!(cms.status.success(), "{}", text_of(&cms.stderr));
        let bytes = [draft, prepared.close(&cms.stdout).unwrap()].concat();
        std::fs::write(dir.path().join("sealed.pdf"), &bytes).unwrap();
        let said = text_of(&run("pdfsig", &["-nocert", "sealed.pdf"]).unwrap().stdout);
        assert!(said.contains("Signature is Valid") && said.contains("Total document signed"), "{said}");
        qpdf_agrees(&bytes, "signed");
    }
}
