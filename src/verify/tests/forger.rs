//! What a forger tries with the verification itself: each of these once came out better than it deserved, or is the nearest
//! thing to one that did.

use std::fmt::Write as _;

use super::*;
use crate::pdf::changes::LaterChanges;
use crate::pdf::signatures::{Coverage, read};
use crate::pki::tlv;

/// A file as it is written object by object, with cross-reference streams that are not packed.
struct Writer {
    bytes: Vec<u8>,
    table: Vec<(u32, [u32; 3])>,
}

impl Writer {
    fn on(bytes: Vec<u8>) -> Self {
        Self { bytes, table: Vec::new() }
    }

    fn put(&mut self, number: u32, object: &str) -> &mut Self {
        self.table.push((number, [1, self.bytes.len() as u32, 0]));
        self.bytes.extend(format!("{number} 0 obj\n{object}\nendobj\n").into_bytes());
        self
    }

    /// An object stream (ISO 32000-1 §7.5.7) with these; `first` is what it says of /First.
    fn pack(&mut self, number: u32, objects: &[(u32, &str)], first: Option<&str>) -> &mut Self {
        let (mut index, mut data) = (String::new(), String::new());
        for (inside, object) in objects {
            write!(index, "{inside} {} ", data.len()).unwrap();
            data.push_str(object);
            data.push('\n');
        }
        let own = index.len().to_string();
        let head = format!(
            "<</Type/ObjStm/N {}/First {}/Length {}>>",
            objects.len(),
            first.unwrap_or(&own),
            index.len() + data.len()
        );
        self.put(number, &format!("{head}\nstream\n{index}{data}\nendstream"))
    }

    fn packed(&mut self, number: u32, stream: u32, place: u32) -> &mut Self {
        self.table.push((number, [2, stream, place]));
        self
    }

    /// Closes the revision with its index, which is the object of this number.
    fn close(&mut self, number: u32, previous: Option<usize>) -> Vec<u8> {
        let at = self.bytes.len();
        self.table.push((number, [1, at as u32, 0]));
        self.table.sort_unstable();
        let index: String = self.table.iter().map(|(number, _)| format!("{number} 1 ")).collect();
        let previous = previous.map(|at| format!("/Prev {at}")).unwrap_or_default();
        let head = format!(
            "<</Type/XRef/Size 100/Root 1 0 R/W[1 4 2]/Index[{index}]{previous}/Length {}>>",
            self.table.len() * 7
        );
        self.bytes.extend(format!("{number} 0 obj\n{head}\nstream\n").into_bytes());
        for (_, [kind, a, b]) in &self.table {
            self.bytes.push(*kind as u8);
            self.bytes.extend(a.to_be_bytes());
            self.bytes.extend((*b as u16).to_be_bytes());
        }
        self.bytes.extend(format!("\nendstream\nendobj\nstartxref\n{at}\n%%EOF\n").into_bytes());
        self.table.clear();
        self.bytes.clone()
    }
}

fn content(text: &str) -> String {
    let content = format!("BT /F1 24 Tf 72 700 Td ({text}) Tj ET");
    format!("<</Length {}>>\nstream\n{content}\nendstream", content.len())
}

/// One page whose /Contents is a list that is packed in the object 6; `pack` writes that.
fn packed_draft(pack: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut file = Writer::on(b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n".to_vec());
    file.put(1, "<</Type/Catalog/Pages 2 0 R>>").put(2, "<</Type/Pages/Kids[3 0 R]/Count 1>>");
    file.put(3, "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>");
    file.put(5, "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>")
        .put(7, &content("one hundred"))
        .put(8, &content("one million"));
    pack(&mut file);
    file.packed(4, 6, 0).close(10, None)
}

fn startxref(bytes: &[u8]) -> usize {
    let text = String::from_utf8_lossy(bytes);
    text.rsplit_once("startxref").unwrap().1.split_whitespace().next().unwrap().parse().unwrap()
}

/// Sealed, then updated; the first signature as it is judged.
fn updated(draft: &[u8], update: impl FnOnce(&mut Writer)) -> (Report, crate::pdf::signatures::Signature) {
    let house = House::new();
    let bytes = seal(draft, &house, SEALED, Some(Certification::FormsAndSignatures));
    let good = house.judge(&bytes, sealed());
    assert!(good.verdict.is_genuine(), "{good:#?}");
    let previous = startxref(&bytes);
    let mut file = Writer::on(bytes);
    update(&mut file);
    let bytes = file.close(90, Some(previous));
    let report = house.judge(&bytes, sealed());
    let signature = read(&bytes[..]).unwrap().signatures.remove(0);
    assert!(report.signatures[0].intact && signature.coverage == Coverage::Partial, "{report:#?}");
    (report, signature)
}

#[test]
fn a_pack_of_objects_is_exchanged() {
    let draft = packed_draft(|file| {
        file.pack(6, &[(4, "[7 0 R]")], None);
    });
    let (report, signature) = updated(&draft, |file| {
        file.pack(6, &[(4, "[8 0 R]")], None);
    });
    assert_eq!(signature.later_changes, LaterChanges::Forbidden, "{:#?}", signature.changes);
    assert!(matches!(report.verdict, Verdict::Failed(_)), "{report:#?}");
}

#[test]
fn a_pack_of_objects_comes_later() {
    // The index of what was sealed leads into a pack that was not there.
    let draft = packed_draft(|_| ());
    let (report, signature) = updated(&draft, |file| {
        file.pack(6, &[(4, "[8 0 R]")], None);
    });
    assert!(signature.later_changes >= LaterChanges::Suspicious, "{:#?}", signature.changes);
    assert!(!report.verdict.is_genuine(), "{report:#?}");
}

#[test]
fn a_pack_of_objects_is_read_from_another_place() {
    // 4 is "[7 0 R]" as long as /First is 4, and "[8 0 R]" once it is 12.
    let draft = packed_draft(|file| {
        file.pack(6, &[(4, "[7 0 R] [8 0 R]")], Some("9 0 R")).put(9, "4");
    });
    let (report, signature) = updated(&draft, |file| {
        file.put(9, "12");
    });
    assert!(signature.later_changes >= LaterChanges::Suspicious, "{:#?}", signature.changes);
    assert!(!report.verdict.is_genuine(), "{report:#?}");
}

/// Certificates for a store (DSS): a stream whose content is this, from offset `at` on.
fn store_with(file: &mut Writer, at: usize, inside: &str) {
    let head = file.bytes.len() + "80 0 obj\n<</Length 000000>>\nstream\n".len();
    let data = " ".repeat(at - head) + inside;
    file.put(80, &format!("<</Length {:06}>>\nstream\n{data}\nendstream", data.len()));
    file.put(81, "<</Type/DSS/Certs[80 0 R]>>");
    let catalog = String::from_utf8_lossy(&file.bytes).into_owned();
    let (_, catalog) = catalog.rsplit_once("\n1 0 obj\n").unwrap();
    let catalog = catalog.split_once("\nendobj").unwrap().0.replacen("<<", "<</DSS 81 0 R", 1);
    file.put(1, &catalog);
}

const BEHIND: usize = 60_000;

#[test]
fn an_object_waits_behind_the_end() {
    // By the signed index the page's text stands where there is nothing yet; later it lies inside validation data.
    let mut file = Writer::on(b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n".to_vec());
    file.put(1, "<</Type/Catalog/Pages 2 0 R>>").put(2, "<</Type/Pages/Kids[3 0 R]/Count 1>>");
    file.put(3, "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>");
    file.put(5, "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>");
    file.table.push((4, [1, BEHIND as u32, 0]));
    let (report, signature) = updated(&file.close(10, None), |file| {
        store_with(file, BEHIND, &format!("4 0 obj\n{}\nendobj", content("one million")));
    });
    assert!(signature.later_changes >= LaterChanges::Suspicious, "{:#?}", signature.changes);
    assert!(!report.verdict.is_genuine(), "{report:#?}");
}

#[test]
fn a_stream_goes_on_behind_the_end() {
    let mut file = Writer::on(b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n".to_vec());
    file.put(1, "<</Type/Catalog/Pages 2 0 R>>").put(2, "<</Type/Pages/Kids[3 0 R]/Count 1>>");
    file.put(3, "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>");
    file.put(5, "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>");
    let start = file.bytes.len() + "4 0 obj\n<</Length 000000>>\nstream\n".len();
    file.put(4, &format!("<</Length {:06}>>\nstream\nBT ET", BEHIND - start));
    let (report, signature) = updated(&file.close(10, None), |file| {
        store_with(file, BEHIND - 40, &format!("{:<40}\nendstream", "BT /F1 24 Tf (one million) Tj ET"));
    });
    assert!(signature.later_changes >= LaterChanges::Suspicious, "{:#?}", signature.changes);
    assert!(!report.verdict.is_genuine(), "{report:#?}");
}

#[test]
fn an_abolished_seal_signs_without_a_document() {
    // Its certificate is on no list: only the register knows. A signature by itself must be asked about, too.
    let mut house = House::new();
    house.life.push(event(SealEventKind::Abolished, ABOLISHED));
    let pki = &house.pki;
    let content = b"Permit No. 9";
    let attributes =
        cms::signed_attributes(crate::crypto::Digest::Sha256, &crate::crypto::sha256(content), pki.seal.der(), None);
    let certificates = [pki.seal.der().to_vec(), pki.issuing.der().to_vec()];
    let value = pki.seal_key.sign(&attributes);
    let bare = cms::assemble(&attributes, &value, pki.seal_key.algorithm, &certificates, None).unwrap();
    let judged = |register: Register| {
        let mut evidence = Evidence::open("it.p7s", &bare, Arc::new(house.trust()), NOW);
        evidence.content = Some(content.to_vec());
        evidence.ask_export(&register);
        judge(&evidence)
    };
    assert!(judged(Register::default()).verdict.is_genuine());
    let report = judged(house.register());
    assert_eq!(report.verdict, Verdict::Indeterminate(Sub::RevokedNoPoe), "{report:#?}");
    names_the_order(&report);
}

#[test]
fn nobody_lines_up_a_thousand_signers() {
    // Each is judged by himself, with all the certificates inside: a small file could cost minutes.
    let house = House::new();
    let pki = &house.pki;
    let attributes =
        cms::signed_attributes(crate::crypto::Digest::Sha256, &crate::crypto::sha256(b""), pki.seal.der(), None);
    let value = pki.seal_key.sign(&attributes);
    let one = cms::assemble(&attributes, &value, pki.seal_key.algorithm, &[pki.seal.der().to_vec()], None).unwrap();
    let lined_up = |count: usize| {
        let children = |element: &[u8]| -> Vec<Vec<u8>> {
            let children = tlv::Element::read_all(element).unwrap().children().unwrap();
            children.iter().map(|child| child.whole.to_vec()).collect()
        };
        let joined = |tag: u8, parts: &[Vec<u8>]| tlv::wrap(tag, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let outer = children(&one);
        let mut inner = children(&children(&outer[1])[0]);
        let signer = children(inner.last().unwrap()).remove(0);
        *inner.last_mut().unwrap() = joined(tlv::SET, &vec![signer; count]);
        tlv::wrap(tlv::SEQUENCE, &[&outer[0], &tlv::wrap(tlv::context(0), &[&joined(tlv::SEQUENCE, &inner)])])
    };
    assert_eq!(cms::read(&lined_up(crate::limits::CMS_SIGNERS)).unwrap().signers.len(), crate::limits::CMS_SIGNERS);
    assert!(cms::read(&lined_up(crate::limits::CMS_SIGNERS + 1)).is_err());
}

#[test]
fn an_encrypted_file_is_said_to_be_so_and_never_passes() {
    let house = House::new();
    let sealed = seal(&draft("Permit No. 5"), &house, SEALED, None);
    let mut later = super::update::Later::on(sealed);
    later.trailer.push_str("/Encrypt<</Filter/Standard/V 1/R 2/O()/U()/P -4>>");
    let report = house.judge(&later.finish(), super::sealed());
    assert!(matches!(report.verdict, Verdict::Indeterminate(_)), "{report:#?}");
    assert!(report.findings.iter().any(|finding| finding.id == "pdf.unknown-protection"), "{report:#?}");
    assert!(only(&report).intact);

    // Its form is packed into a stream that cannot be read.
    let mut file = Writer::on(b"%PDF-1.7\n".to_vec());
    file.put(1, "<</Type/Catalog/Pages 2 0 R/AcroForm 4 0 R>>").put(2, "<</Type/Pages/Kids[3 0 R]/Count 1>>");
    file.put(3, "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>").pack(6, &[(4, "<</Fields[]>>")], None);
    let packed = file.packed(4, 6, 0).close(10, None);
    let end = startxref(&packed);
    let at = packed[end..].windows(6).position(|window| window == b"/Root ").unwrap() + end;
    let encrypt = b"/Encrypt<</Filter/Standard>>".as_slice();
    let report = house.judge(&[&packed[..at], encrypt, &packed[at..]].concat(), None);
    assert_eq!(report.verdict, Verdict::Indeterminate(Sub::SignedDataNotFound), "{report:#?}");
    assert_eq!(report.findings.iter().map(|finding| finding.id).collect::<Vec<_>>(), ["pdf.unknown-protection"]);
    assert_eq!(report.summary.id, "verify.unknown-protection");
}

/// The purse is one for all readings of a file: cheap to write and dear to read, an index of 60 MB may be read twice.
#[test]
fn a_file_is_not_read_again_for_nothing() {
    use crate::pdf::file::{File, Purse};
    use crate::pdf::source::Source;
    use std::io::Write as _;

    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&vec![0; 60_000_000]).unwrap();
    let packed = packed.finish().unwrap();
    let mut bytes = b"%PDF-1.7\n".to_vec();
    let index = format!(
        "1 0 obj\n<</Type/XRef/Size 1/W[1 4 2]/Root 1 0 R/Filter/FlateDecode/Length {}>>\nstream\n",
        packed.len()
    );
    bytes.extend_from_slice(index.as_bytes());
    bytes.extend_from_slice(&packed);
    bytes.extend_from_slice(b"\nendstream\nendobj\nstartxref\n9\n%%EOF\n");
    let source = Source::from(&bytes);
    let purse = Purse::of(bytes.len());
    let read = || File::open_even_encrypted(source, purse.clone()).map(|_| ());
    assert_eq!((read(), read()), (Ok(()), Ok(())));
    assert!(matches!(read(), Err(crate::pdf::PdfError::OverLimit { what: "bytes read", .. })));
}
