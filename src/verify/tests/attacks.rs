//! Attacks on what was signed, each made here from its published description, and the honest updates that look like
//! them. What is signed is really signed, so that `intact` is true throughout and the changes alone decide.
//!
//! Mladenov, Mainka, Meyer zu Selhausen, Grothe, Schwenk: 1 Trillion Dollar Refund, 2019 (USF, ISA, SWA). Mainka,
//! Mladenov, Rohlmann: Shadow Attacks, 2021 (hide, replace, hide and replace). Rohlmann, Mladenov, Mainka, Schwenk:
//! Breaking the Specification, 2021 (EAA, SSA).

use std::fmt::Write as _;

use super::{Facts, House, SEALED, seal};
use crate::pdf::changes::LaterChanges;
use crate::pdf::seal::Certification;
use crate::pdf::signatures::{Coverage, Signature, read};

/// Two pages, a form, layers, files, notes and tags: something for each attack to aim at. What an object is for stands
/// behind it.
const DRAFT: &[&str] = &[
    /* 1 */
    "<</Type/Catalog/Pages 2 0 R/AcroForm 6 0 R/OCProperties 21 0 R/Outlines 22 0 R/Names 23 0 R\
     /StructTreeRoot 24 0 R/MarkInfo<</Marked true>>/Metadata 30 0 R/OpenAction[3 0 R/Fit]/Private 12 0 R>>",
    "<</Type/Pages/Kids[3 0 R 31 0 R]/Count 2/MediaBox[0 0 595 842]>>",
    "<</Type/Page/Parent 2 0 R/Contents 4 0 R/StructParents 0/Annots 32 0 R/Resources<</Font<</F 5 0 R>>\
     /XObject<</X 12 0 R/W 47 0 R>>/Properties<</L 33 0 R>>/ColorSpace<</C 34 0 R>>/ExtGState<</G 35 0 R>>>>>>",
    "<</Length 20 0 R>>\nstream\nBT /F 24 Tf 72 700 Td (Pay one hundred yuan) Tj ET /X Do  \nendstream",
    "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding 36 0 R>>",
    /* 6: the form */
    "<</Fields[7 0 R 8 0 R 9 0 R 10 0 R 47 0 R 39 0 R]/DA(/F 12 Tf)/DR<</Font 16 0 R>>/Q 37 0 R>>",
    "<</Type/Annot/Subtype/Widget/FT/Tx/T(amount)/Rect[72 600 272 620]/F 4/P 3 0 R/V()/AP<</N 11 0 R>>>>",
    "<</Type/Annot/Subtype/Widget/FT/Tx/T(note)/Rect[72 560 272 580]/F 4/P 3 0 R/V(old)/AP<</N 12 0 R>>>>",
    "<</Type/Annot/Subtype/Widget/FT/Sig/T(counter)/Rect[72 500 172 540]/F 4/P 3 0 R/AP 38 0 R>>",
    "<</Type/Annot/Subtype/Widget/FT/Btn/T(agree)/Rect[300 600 312 612]/F 4/P 3 0 R/AS/Off\
     /AP<</N<</Yes 13 0 R/Off 14 0 R>>/D<</Yes 14 0 R/Off 14 0 R>>>>>>",
    /* 11: pictures of fields; 12 is drawn on the page too */
    "<</Type/XObject/Subtype/Form/BBox[0 0 200 20]/Length 3>>\nstream\nq Q\nendstream",
    "<</Type/XObject/Subtype/Form/BBox[0 0 200 20]/Length 3>>\nstream\nq Q\nendstream",
    "<</Type/XObject/Subtype/Form/BBox[0 0 12 12]/Length 17>>\nstream\n0 0 m 12 12 l S  \nendstream",
    "<</Type/XObject/Subtype/Form/BBox[0 0 12 12]/Length 3>>\nstream\nq Q\nendstream",
    "<</Type/XObject/Subtype/Form/BBox[0 0 100 40]/Length 3>>\nstream\nq Q\nendstream",
    /* 16: fonts of the form */
    "<</F 5 0 R/H 17 0 R>>",
    "<</Type/Font/Subtype/Type1/BaseFont/Courier>>",
    /* 18: notes */
    "<</Type/Annot/Subtype/Text/Rect[400 700 420 720]/Contents(see)/P 3 0 R>>",
    "<</Type/Annot/Subtype/FreeText/Rect[300 100 500 140]/Contents(void)/DA(/F 12 Tf)/P 3 0 R/AP<</N 40 0 R>>>>",
    "58",
    /* 21: layers, outlines, names */
    "<</OCGs[33 0 R]/D<</ON[33 0 R]>>>>",
    "<</Type/Outlines>>",
    "<</EmbeddedFiles<</Names[(data)41 0 R]>>>>",
    /* 24: tags */
    "<</Type/StructTreeRoot/K[25 0 R]/ParentTree 26 0 R/ParentTreeNextKey 1>>",
    "<</Type/StructElem/S/Document/P 24 0 R/K[27 0 R]>>",
    "<</Nums[0 28 0 R]>>",
    "<</Type/StructElem/S/P/P 25 0 R/Pg 3 0 R/K 0>>",
    "[27 0 R]",
    "<</CreationDate(D:20260101)>>",
    "<</Type/Metadata/Subtype/XML/Length 11>>\nstream\n<x:xmpmeta>\nendstream",
    "<</Type/Page/Parent 2 0 R/Contents 42 0 R/Resources<<>>>>",
    "[7 0 R 8 0 R 9 0 R 10 0 R 18 0 R 19 0 R 47 0 R 39 0 R]",
    "<</Type/OCG/Name(layer)>>",
    "[/Separation/Red/DeviceRGB 43 0 R]",
    "<</Type/ExtGState/ca 1>>",
    "<</Type/Encoding/Differences[65/B]>>",
    "0",
    /* 38: how the empty signature field looks */
    "<</N 15 0 R>>",
    "<</Type/Annot/Subtype/Widget/FT/Tx/T(locked)/Rect[72 450 272 470]/F 4/P 3 0 R/V(fixed)/AP<</N 44 0 R>>>>",
    "<</Type/XObject/Subtype/Form/BBox[0 0 200 40]/Resources<</Font<</F 5 0 R>>>>/Length 27>>\nstream\nBT /F 12 Tf (void) Tj ET   \nendstream",
    "<</Type/Filespec/F(data.xml)/EF<</F 45 0 R>>>>",
    "<</Length 3>>\nstream\nq Q\nendstream",
    "<</FunctionType 2/N 1/Domain[0 1]/C0[1 1 1]/C1[1 0 0]>>",
    "<</Type/XObject/Subtype/Form/BBox[0 0 200 20]/Length 3>>\nstream\nq Q\nendstream",
    "<</Type/EmbeddedFile/Length 4>>\nstream\n<a/>\nendstream",
    /* 46: drawn by nothing; 47: a field that the page takes for a list of pictures */
    "<</Type/XObject/Subtype/Form/BBox[0 0 200 20]/Length 3>>\nstream\nQ q\nendstream",
    "<</Type/Annot/Subtype/Widget/FT/Sig/T(trap)/Rect[0 0 0 0]/F 4/P 3 0 R>>",
];

fn draft() -> Vec<u8> {
    let mut file = b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n".to_vec();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", DRAFT.len() + 1);
    for (i, object) in DRAFT.iter().enumerate() {
        writeln!(table, "{:010} 00000 n ", file.len()).unwrap();
        file.extend(format!("{} 0 obj\n{object}\nendobj\n", i + 1).into_bytes());
    }
    let at = file.len();
    file.extend(table.into_bytes());
    let size = DRAFT.len() + 1;
    file.extend(format!("trailer\n<</Size {size}/Root 1 0 R/Info 29 0 R>>\nstartxref\n{at}\n%%EOF\n").into_bytes());
    file
}

/// An update that someone makes afterwards.
struct Later {
    base: Vec<u8>,
    objects: Vec<(u32, String)>,
    next: u32,
    free: Vec<u32>,
    trailer: String,
    root: u32,
    /// Bytes that stand in the update though no index leads to them.
    stray: String,
}

impl Later {
    fn on(base: Vec<u8>) -> Self {
        let text = String::from_utf8_lossy(&base).into_owned();
        let (_, size) = text.rsplit_once("/Size ").unwrap();
        let next = size.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
        Self { base, objects: Vec::new(), next, free: vec![], trailer: String::new(), root: 1, stray: String::new() }
    }

    /// The object as it stands now.
    fn get(&self, number: u32) -> String {
        if let Some((_, object)) = self.objects.iter().rev().find(|(n, _)| *n == number) {
            return object.clone();
        }
        let text = String::from_utf8_lossy(&self.base).into_owned();
        let (_, rest) = text.rsplit_once(&format!("\n{number} 0 obj\n")).unwrap();
        rest.split_once("\nendobj").unwrap().0.to_owned()
    }

    fn set(&mut self, number: u32, object: impl Into<String>) -> &mut Self {
        self.objects.retain(|(n, _)| *n != number);
        self.objects.push((number, object.into()));
        self
    }

    fn change(&mut self, number: u32, from: &str, to: &str) -> &mut Self {
        let object = self.get(number);
        assert!(object.contains(from), "{number} is {object}");
        self.set(number, object.replacen(from, to, 1))
    }

    fn add(&mut self, object: impl Into<String>) -> u32 {
        let number = self.next;
        self.next += 1;
        self.objects.push((number, object.into()));
        number
    }

    fn draw(&mut self, content: &str) -> u32 {
        self.draw_with("/Font<</F 5 0 R>>", content)
    }

    fn draw_with(&mut self, resources: &str, content: &str) -> u32 {
        let length = content.len();
        let head = format!("<</Type/XObject/Subtype/Form/BBox[0 0 600 850]/Resources<<{resources}>>/Length {length}>>");
        self.add(format!("{head}\nstream\n{content}\nendstream"))
    }

    /// A signature that says it covers the whole; nobody checks its value here.
    fn signature(&mut self, kind: &str) -> u32 {
        self.add(format!("<</Type/{kind}/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/ByteRange[0 AAAAAAAAAA BBBBBBBBBB CCCCCCCCCC]/Contents<3003020101>>>"))
    }

    fn finish(&self) -> Vec<u8> {
        let mut out = self.base.clone();
        out.extend(self.stray.bytes());
        let mut entries: Vec<(u32, usize)> = Vec::new();
        for (number, object) in &self.objects {
            entries.push((*number, out.len()));
            out.extend(format!("{number} 0 obj\n{object}\nendobj\n").into_bytes());
        }
        entries.sort_unstable();
        let at = out.len();
        let mut table = String::from("xref\n0 1\n0000000000 65535 f \n");
        for (number, offset) in entries {
            write!(table, "{number} 1\n{offset:010} 00000 n \n").unwrap();
        }
        for number in &self.free {
            write!(table, "{number} 1\n0000000000 00001 f \n").unwrap();
        }
        out.extend(table.into_bytes());
        let text = String::from_utf8_lossy(&self.base).into_owned();
        let previous: usize =
            text.rsplit_once("startxref").unwrap().1.split_whitespace().next().unwrap().parse().unwrap();
        out.extend(
            format!(
                "trailer\n<</Size {}/Root {} 0 R/Prev {previous}{}>>\nstartxref\n{at}\n%%EOF\n",
                self.next, self.root, self.trailer
            )
            .into_bytes(),
        );
        self.close(out)
    }

    /// Fills in the range of a new signature.
    fn close(&self, mut out: Vec<u8>) -> Vec<u8> {
        let find = |out: &[u8], word: &[u8]| out.windows(word.len()).position(|w| w == word);
        if let Some(at) = find(&out, b"AAAAAAAAAA BBBBBBBBBB CCCCCCCCCC") {
            let hole = at + find(&out[at..], b"<3003020101>").unwrap();
            let end = hole + b"<3003020101>".len();
            let range = format!("{hole:010} {end:010} {:010}", out.len() - end);
            out[at..at + range.len()].copy_from_slice(range.as_bytes());
        }
        out
    }
}

fn signed(house: &House, level: Option<Certification>) -> Vec<u8> {
    seal(&draft(), house, SEALED, level)
}

/// The signature that is attacked, after checking that its value is right.
fn attacked(house: &House, bytes: &[u8]) -> Result<Signature, String> {
    let report = house.judge_with(bytes, Facts::Unknown);
    let intact = report.signatures.iter().find(|s| s.name == "Seal1").map(|s| s.intact);
    let reading = read(bytes).map_err(|error| error.to_string())?;
    let signature = reading.signatures.into_iter().find(|s| s.field == "Seal1").ok_or("it is gone")?;
    match (intact, signature.coverage) {
        (Some(true), Coverage::Partial) => Ok(signature),
        other => Err(format!("{other:?} {:?}", signature.findings)),
    }
}

const FILL: Option<Certification> = Some(Certification::FormsAndSignatures);
const NOTES: Option<Certification> = Some(Certification::Annotations);
const NOTHING: Option<Certification> = Some(Certification::NoChanges);

type Change = fn(&mut Later);

/// A later signature in a field of its own, with this in the field's dictionary.
fn countersign(later: &mut Later, more: &str) -> u32 {
    let value = later.signature("Sig");
    field(later, &format!("/V {value} 0 R{more}"))
}

fn field(later: &mut Later, more: &str) -> u32 {
    let field = later.add(format!("<</Type/Annot/Subtype/Widget/FT/Sig/T(later)/F 132/P 3 0 R{more}>>"));
    later.change(6, "39 0 R", &format!("39 0 R {field} 0 R"));
    later.change(32, "39 0 R", &format!("39 0 R {field} 0 R"));
    field
}

fn note(later: &mut Later, object: &str) -> u32 {
    let note = later.add(object);
    later.change(32, "39 0 R", &format!("39 0 R {note} 0 R"));
    note
}

/// What is done, under what certification, and the finding that must name it.
const ATTACKS: &[(&str, Option<Certification>, &str, Change)] = &[
    // Evil annotations.
    ("EAA: free text over the amount", NOTES, "pdf.evil-annotation", |l| {
        let ap = l.draw("1 g 0 0 600 850 re f BT /F 24 Tf (Pay one million) Tj ET");
        note(l, &format!("<</Type/Annot/Subtype/FreeText/Rect[60 690 400 730]/AP<</N {ap} 0 R>>>>"));
    }),
    ("EAA: free text drawn by the viewer", NOTES, "pdf.evil-annotation", |l| {
        note(l, "<</Type/Annot/Subtype/FreeText/Rect[60 690 400 730]/DA(/F 24 Tf)/Contents(Pay one million)>>");
    }),
    ("EAA: stamp", NOTES, "pdf.evil-annotation", |l| {
        note(l, "<</Type/Annot/Subtype/Stamp/Rect[60 690 400 730]/Name/Approved>>");
    }),
    ("EAA: redaction", NOTES, "pdf.evil-annotation", |l| {
        note(l, "<</Type/Annot/Subtype/Redact/Rect[60 690 400 730]/IC[0 0 0]>>");
    }),
    ("EAA: watermark", NOTES, "pdf.evil-annotation", |l| {
        note(l, "<</Type/Annot/Subtype/Watermark/Rect[60 690 400 730]>>");
    }),
    ("EAA: a filled square hides", NOTES, "pdf.evil-annotation", |l| {
        note(l, "<</Type/Annot/Subtype/Square/Rect[60 690 400 730]/IC[1 1 1]/C[]>>");
    }),
    ("EAA: a square whose picture is text", NOTES, "pdf.evil-annotation", |l| {
        let ap = l.draw("BT /F 24 Tf (Pay one million) Tj ET");
        note(l, &format!("<</Type/Annot/Subtype/Square/Rect[60 690 400 730]/AP<</N {ap} 0 R>>>>"));
    }),
    ("EAA: a line as broad as the text", NOTES, "pdf.evil-annotation", |l| {
        note(l, "<</Type/Annot/Subtype/Line/L[72 710 400 710]/Rect[60 690 400 730]/C[1 1 1]/BS<</W 30>>>>");
    }),
    ("EAA: a highlight that is opaque", NOTES, "pdf.evil-annotation", |l| {
        let ap = l.draw("1 g 0 0 m 600 0 l 600 850 l f");
        note(l, &format!("<</Type/Annot/Subtype/Highlight/Rect[60 690 400 730]/AP<</N {ap} 0 R>>>>"));
    }),
    ("EAA: a note's icon as large as the page", NOTES, "pdf.evil-annotation", |l| {
        let ap = l.draw("0 0 m 600 850 l S");
        note(l, &format!("<</Type/Annot/Subtype/Text/Rect[0 0 595 842]/AP<</N {ap} 0 R>>>>"));
    }),
    ("a link that runs a program", NOTES, "pdf.action-changed", |l| {
        note(l, "<</Type/Annot/Subtype/Link/Rect[60 690 400 730]/A<</S/Launch/F(a.exe)>>>>");
    }),
    ("a link that first goes and then runs", NOTES, "pdf.action-changed", |l| {
        note(l, "<</Type/Annot/Subtype/Link/Rect[60 690 400 730]/A<</S/URI/URI(a)/Next<</S/JavaScript/JS(a)>>>>>>");
    }),
    ("a file comes as a note", NOTES, "pdf.evil-annotation", |l| {
        note(l, "<</Type/Annot/Subtype/FileAttachment/Rect[60 690 80 710]/FS<</F(a)>>>>");
    }),
    ("a certified remark is taken away", NOTES, "pdf.annotation-removed", |l| {
        l.change(32, " 19 0 R", "");
    }),
    ("a certified remark is reworded", NOTES, "pdf.annotation-changed", |l| {
        l.change(19, "(void)", "(valid)");
    }),
    ("a note under level 2", FILL, "pdf.docmdp-violated", |l| {
        note(l, "<</Type/Annot/Subtype/Text/Rect[400 600 420 620]/Contents(a)>>");
    }),
    ("a note where nothing was said of notes", None, "pdf.annotated-later", |l| {
        note(l, "<</Type/Annot/Subtype/Text/Rect[400 600 420 620]/Contents(a)>>");
    }),
    // Sneaky signatures.
    ("SSA: a visible signature under level 2", FILL, "pdf.sneaky-signature", |l| {
        let ap = l.draw("BT /F 24 Tf (Pay one million) Tj ET");
        countersign(l, &format!("/Rect[60 690 400 730]/AP<</N {ap} 0 R>>"));
    }),
    ("SSA: over the text under level 3", NOTES, "pdf.sneaky-signature", |l| {
        let ap = l.draw("BT /F 24 Tf (Pay one million) Tj ET");
        countersign(l, &format!("/Rect[60 690 400 730]/AP<</N {ap} 0 R>>"));
    }),
    ("SSA: a white box over the text, no certification", None, "pdf.sneaky-signature", |l| {
        let ap = l.draw("1 g 0 0 600 850 re f");
        countersign(l, &format!("/Rect[60 690 400 730]/AP<</N {ap} 0 R>>"));
    }),
    ("SSA: the box is in a form in a form", None, "pdf.sneaky-signature", |l| {
        let inner = l.draw("1 g 0 0 600 850 re f");
        let ap = l.draw_with(&format!("/XObject<</I {inner} 0 R>>"), "/I Do");
        countersign(l, &format!("/Rect[60 690 400 730]/AP<</N {ap} 0 R>>"));
    }),
    ("SSA: a field with a picture and no signature", None, "pdf.sneaky-signature", |l| {
        let ap = l.draw("BT /F 24 Tf (Pay one million) Tj ET");
        field(l, &format!("/Rect[60 690 400 730]/AP<</N {ap} 0 R>>"));
    }),
    ("SSA: a time stamp with a picture", FILL, "pdf.sneaky-signature", |l| {
        let ap = l.draw("BT /F 24 Tf (Pay one million) Tj ET");
        let value = l.signature("DocTimeStamp");
        field(l, &format!("/V {value} 0 R/Rect[60 690 400 730]/AP<</N {ap} 0 R>>"));
    }),
    ("a further signature under level 1", NOTHING, "pdf.docmdp-violated", |l| {
        countersign(l, "/Rect[0 0 0 0]");
    }),
    ("a new field of another kind", FILL, "pdf.field-added", |l| {
        let field = l.add("<</Type/Annot/Subtype/Widget/FT/Tx/T(new)/Rect[60 690 400 730]/V(Pay one million)>>");
        l.change(6, "39 0 R", &format!("39 0 R {field} 0 R")).change(32, "39 0 R", &format!("39 0 R {field} 0 R"));
    }),
    ("a signature field that runs a script", NOTES, "pdf.action-changed", |l| {
        countersign(l, "/Rect[0 0 0 0]/AA<</E<</S/JavaScript/JS(a)>>>>");
    }),
    ("a widget of no field", NOTES, "pdf.annotation-added", |l| {
        note(l, "<</Type/Annot/Subtype/Widget/Rect[60 690 400 730]/C[1 1 1]>>");
    }),
    // Sneaky appearances.
    ("a field's picture, drawn on the page too, is overwritten", FILL, "pdf.shared-appearance", |l| {
        l.change(8, "(old)", "(new)").change(12, "q Q", "Q q");
    }),
    ("the same without touching the field", FILL, "pdf.shared-appearance", |l| {
        l.change(12, "q Q", "Q q");
    }),
    ("a value that was never asked for", None, "pdf.filled-in-later", |l| {
        l.change(7, "/V()", "/V(one million)");
    }),
    ("only the picture differs", None, "pdf.filled-in-later", |l| {
        l.change(11, "q Q", "Q q");
    }),
    ("the picture under the pointer", None, "pdf.filled-in-later", |l| {
        let ap = l.draw("BT /F 24 Tf (Pay one million) Tj ET");
        l.change(7, "/AP<</N 11 0 R>>", &format!("/AP<</N 11 0 R/R {ap} 0 R>>"));
    }),
    ("the signed field's picture is overwritten", NOTES, "pdf.signed-field-changed", |l| {
        let text = String::from_utf8_lossy(&l.base).into_owned();
        let widget = text.rsplit_once("/AP<</N ").unwrap().1.split(' ').next().unwrap().parse().unwrap();
        let head = "<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Length 3>>\nstream\nq Q\nendstream";
        l.set(widget, head);
    }),
    ("the form's pictures are drawn anew from values", None, "pdf.filled-in-later", |l| {
        l.change(6, "/DA(", "/NeedAppearances true/DA(");
    }),
    ("a widget is moved", FILL, "pdf.field-moved", |l| {
        l.change(7, "[72 600 272 620]", "[72 690 400 730]");
    }),
    ("an empty signature field grows while it is signed", NOTES, "pdf.field-moved", |l| {
        let value = l.signature("Sig");
        l.change(9, "[72 500 172 540]", &format!("[0 0 595 842]/V {value} 0 R"));
    }),
    ("a widget is hidden", FILL, "pdf.field-moved", |l| {
        l.change(7, "/F 4", "/F 6");
    }),
    ("a field becomes another kind of field", FILL, "pdf.field-changed", |l| {
        l.change(7, "/FT/Tx", "/FT/Btn");
    }),
    ("a field is removed", FILL, "pdf.field-removed", |l| {
        l.change(6, "7 0 R 8 0 R", "7 0 R");
    }),
    ("a field gets a script", FILL, "pdf.action-changed", |l| {
        l.change(7, "/V()", "/AA<</F<</S/JavaScript/JS(a)>>>>/V()");
    }),
    ("a field draws the page: its dictionary is a list of pictures", NOTES, "pdf.shared-object-changed", |l| {
        let value = l.signature("Sig");
        l.change(47, "/F 4", &format!("/F 4/V {value} 0 R"));
    }),
    ("another signature's data are used again", NOTES, "pdf.signature-reused", |l| {
        l.change(9, "/F 4", "/F 4/V 43 0 R").change(43, "/N 1", "/N 1/Type/Sig");
    }),
    // Fonts, colours, patterns, other things that pages draw with.
    ("the page's font", FILL, "pdf.page-content-changed", |l| {
        l.change(5, "Helvetica", "Courier");
    }),
    ("the font's encoding", FILL, "pdf.page-content-changed", |l| {
        l.change(36, "65/B", "65/C");
    }),
    ("a colour's function", FILL, "pdf.page-content-changed", |l| {
        l.change(43, "/C1[1 0 0]", "/C1[1 1 1]");
    }),
    ("a graphics state", FILL, "pdf.page-content-changed", |l| {
        l.change(35, "/ca 1", "/ca 0");
    }),
    ("the page's content", FILL, "pdf.page-content-changed", |l| {
        l.change(4, "hundred", "million");
    }),
    ("the length of the page's content", FILL, "pdf.page-content-changed", |l| {
        l.set(20, "10");
    }),
    ("a number that is the form's alignment too", FILL, "pdf.unexplained-change", |l| {
        l.set(37, "2");
    }),
    ("the form's font", FILL, "pdf.form-resources-changed", |l| {
        let font = l.add("<</Type/Font/Subtype/Type1/BaseFont/Symbol>>");
        l.change(16, "/H 17 0 R", &format!("/H {font} 0 R"));
    }),
    ("a font of the form in place", FILL, "pdf.unexplained-change", |l| {
        l.change(17, "Courier", "Symbol");
    }),
    // The page itself.
    ("a page is turned", FILL, "pdf.page-geometry-changed", |l| {
        l.change(3, "/Type/Page", "/Type/Page/Rotate 90");
    }),
    ("a page is cropped", FILL, "pdf.page-geometry-changed", |l| {
        l.change(3, "/Type/Page", "/Type/Page/CropBox[0 0 10 10]");
    }),
    ("a page's unit", FILL, "pdf.page-geometry-changed", |l| {
        l.change(3, "/Type/Page", "/Type/Page/UserUnit 9");
    }),
    ("all pages are turned", FILL, "pdf.page-tree-changed", |l| {
        l.change(2, "/Count 2", "/Count 2/Rotate 180");
    }),
    ("other content", FILL, "pdf.page-content-changed", |l| {
        let content = l.add("<</Length 3>>\nstream\nq Q\nendstream");
        l.change(3, "/Contents 4 0 R", &format!("/Contents {content} 0 R"));
    }),
    ("other resources", FILL, "pdf.page-content-changed", |l| {
        l.change(3, "/F 5 0 R", "/F 17 0 R");
    }),
    ("a page's own data", FILL, "pdf.page-content-changed", |l| {
        l.change(3, "/Type/Page", "/Type/Page/PieceInfo<</A<</Private(a)>>>>");
    }),
    ("a page is added", FILL, "pdf.page-tree-changed", |l| {
        let page = l.add("<</Type/Page/Parent 2 0 R/Resources<<>>>>");
        l.change(2, "31 0 R", &format!("31 0 R {page} 0 R"));
    }),
    ("pages change places", FILL, "pdf.page-tree-changed", |l| {
        l.change(2, "3 0 R 31 0 R", "31 0 R 3 0 R");
    }),
    ("the page tree is another", FILL, "pdf.page-tree-changed", |l| {
        let pages = l.add("<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 595 842]>>");
        l.change(1, "/Pages 2 0 R", &format!("/Pages {pages} 0 R"));
    }),
    ("notes change their order", NOTES, "pdf.annotations-reordered", |l| {
        l.change(32, "18 0 R 19 0 R", "19 0 R 18 0 R");
    }),
    // Shadow attacks.
    ("shadow hide: what lay over the text is gone", FILL, "pdf.page-content-changed", |l| {
        l.free.push(12);
    }),
    ("shadow replace: the page draws another object", FILL, "pdf.page-content-changed", |l| {
        l.change(3, "/X 12 0 R", "/X 46 0 R");
    }),
    ("shadow hide and replace: the catalog is another", FILL, "pdf.catalog-exchanged", |l| {
        l.root = 46;
        l.set(46, l.get(1));
    }),
    ("hidden content comes onto the page", NOTES, "pdf.hidden-content-shown", |l| {
        l.change(46, "/Type", "/Rect[0 0 9 9]/Type").change(32, "39 0 R", "39 0 R 46 0 R");
    }),
    // Layers, actions, files, what the catalog says.
    ("a layer is turned off", FILL, "pdf.layers-changed", |l| {
        l.change(21, "/ON[33 0 R]", "/OFF[33 0 R]");
    }),
    ("layers are added", FILL, "pdf.layers-changed", |l| {
        l.change(1, "/OCProperties 21 0 R", "/OCProperties<</OCGs[33 0 R]/D<</OFF[33 0 R]>>>>");
    }),
    ("another first view", FILL, "pdf.action-changed", |l| {
        l.change(1, "/OpenAction[3 0 R/Fit]", "/OpenAction<</S/JavaScript/JS(a)>>");
    }),
    ("an action of the document", FILL, "pdf.action-changed", |l| {
        l.change(1, "/Type/Catalog", "/Type/Catalog/AA<</WC<</S/JavaScript/JS(a)>>>>");
    }),
    ("scripts by name", FILL, "pdf.unexplained-change", |l| {
        l.change(23, "<</Emb", "<</JavaScript<</Names[(a)<</S/JavaScript/JS(a)>>]>>/Emb");
    }),
    ("an embedded file is another", FILL, "pdf.embedded-file-changed", |l| {
        l.change(45, "<a/>", "<b/>");
    }),
    ("outlines", FILL, "pdf.unexplained-change", |l| {
        l.change(22, "/Outlines>", "/Outlines/Count 9>");
    }),
    ("how viewers show it", FILL, "pdf.catalog-changed", |l| {
        l.change(1, "/Type/Catalog", "/Type/Catalog/ViewerPreferences<</HideToolbar true>>");
    }),
    ("the language", FILL, "pdf.catalog-changed", |l| {
        l.change(1, "/Type/Catalog", "/Type/Catalog/Lang(xx)");
    }),
    ("private data", FILL, "pdf.catalog-changed", |l| {
        l.change(1, "/Type/Catalog", "/Type/Catalog/PieceInfo<</A 1>>");
    }),
    ("an extension that leads further", FILL, "pdf.catalog-changed", |l| {
        l.change(1, "/Type/Catalog", "/Type/Catalog/Extensions<</X<</BaseVersion/1.7/Page 3 0 R>>>>");
    }),
    ("an unheard-of version", FILL, "pdf.catalog-changed", |l| {
        l.change(1, "/Type/Catalog", "/Type/Catalog/Version/9.9.9");
    }),
    ("the certification is taken out of the catalog", FILL, "pdf.permissions-changed", |l| {
        let catalog = l.get(1);
        let (before, after) = catalog.split_once("/Perms").unwrap();
        let after = after.split_once(">>").unwrap().1;
        l.set(1, format!("{before}{after}"));
    }),
    ("tags of the text", FILL, "pdf.tags-changed", |l| {
        l.change(27, "/S/P", "/S/Artifact");
    }),
    ("a tag that speaks of the page's text", FILL, "pdf.tags-changed", |l| {
        let tag = l.add("<</Type/StructElem/S/Span/ActualText(one million)/P 25 0 R/Pg 3 0 R/K 1>>");
        l.change(25, "27 0 R", &format!("27 0 R {tag} 0 R"));
    }),
    ("the tags' index leads elsewhere", FILL, "pdf.tags-changed", |l| {
        l.change(26, "0 28 0 R", "0[25 0 R]");
    }),
    ("a certificate store with something else in it", FILL, "pdf.validation-data-unknown", |l| {
        l.change(1, "/Type/Catalog", "/Type/Catalog/DSS<</Certs[]/Page 3 0 R>>");
    }),
    ("a page's font passes for validation data", FILL, "pdf.page-content-changed", |l| {
        l.change(5, "Helvetica", "Courier").change(1, "/Type/Catalog", "/Type/Catalog/DSS<</Certs[5 0 R]>>");
    }),
    ("a document hides behind the trailer", FILL, "pdf.embedded-file-changed", |l| {
        let other = l.add("<</Length 1>>\nstream\nx\nendstream");
        l.trailer = format!("/AdditionalStreams[/application#2Fvnd.oasis.opendocument.text {other} 0 R]");
    }),
    // How it is written.
    ("an object twice in one update", FILL, "pdf.object-outside-index", |l| {
        l.stray = format!("4 0 obj\n{}\nendobj\n", l.get(4).replace("hundred", "million"));
        l.change(7, "/V()", "/V(a)");
    }),
    ("the page's content is freed", FILL, "pdf.page-content-changed", |l| {
        l.free.push(4);
    }),
];

#[test]
fn every_attack_is_named_and_none_passes() {
    let house = House::new();
    let bases: Vec<_> = [None, NOTHING, FILL, NOTES].into_iter().map(|level| (level, signed(&house, level))).collect();
    let mut faults = Vec::new();
    for (name, level, finding, change) in ATTACKS {
        let base = &bases.iter().find(|(l, _)| l == level).unwrap().1;
        let mut later = Later::on(base.clone());
        change(&mut later);
        let signature = match attacked(&house, &later.finish()) {
            Ok(signature) => signature,
            Err(error) => {
                faults.push(format!("{name}: {error}"));
                continue;
            }
        };
        let ids: Vec<_> = signature.changes.iter().map(|m| format!("{}: {}", m.id, m.en)).collect();
        let named = signature.changes.iter().any(|m| m.id == *finding && !m.zh.is_empty());
        if signature.later_changes <= LaterChanges::Allowed || !named {
            faults.push(format!("{name}: {:?}, wanted {finding}, found {ids:#?}", signature.later_changes));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

const HONEST: &[(&str, Option<Certification>, Change)] = &[
    ("a field is filled in", FILL, |l| {
        let ap = l.draw("BT /F 12 Tf (one) Tj ET");
        l.change(7, "/V()", "/V(one)").change(7, "/N 11 0 R", &format!("/N {ap} 0 R"));
    }),
    ("a field is filled in and its picture overwritten", FILL, |l| {
        l.change(7, "/V()", "/V(one)").change(11, "q Q", "Q q");
    }),
    ("a box is ticked", FILL, |l| {
        l.change(10, "/AS/Off", "/AS/Yes/V/Yes");
    }),
    ("the form gets a font and asks to be drawn", FILL, |l| {
        let font = l.add("<</Type/Font/Subtype/Type1/BaseFont/Symbol>>");
        l.change(16, "/H 17 0 R", &format!("/H 17 0 R/Z {font} 0 R"));
        l.change(6, "/DA(", "/NeedAppearances true/DA(").change(7, "/V()", "/V(one)");
    }),
    ("notes are made", NOTES, |l| {
        note(l, "<</Type/Annot/Subtype/Text/Rect[400 600 420 620]/Contents(a)>>");
        note(l, "<</Type/Annot/Subtype/Square/Rect[400 600 420 620]/C[1 0 0]/BS<</W 1>>>>");
        note(l, "<</Type/Annot/Subtype/Link/Rect[400 600 420 620]/A<</S/URI/URI(http://a)>>>>");
        let ap = l.draw("1 0 0 RG 1 w 0 0 m 9 9 l S");
        note(l, &format!("<</Type/Annot/Subtype/Ink/InkList[[1 1 2 2]]/Rect[400 600 420 620]/AP<</N {ap} 0 R>>>>"));
    }),
    ("a marker that multiplies", NOTES, |l| {
        let ap = l.draw_with("/ExtGState<</G<</BM/Multiply>>>>", "/G gs 1 1 0 rg 0 0 m 600 0 l 600 850 l f");
        note(l, &format!("<</Type/Annot/Subtype/Highlight/Rect[60 690 400 730]/AP<</N {ap} 0 R>>>>"));
    }),
    ("a note is reworded, another taken away", NOTES, |l| {
        l.change(18, "(see)", "(see this)");
        note(l, "<</Type/Annot/Subtype/Text/Rect[400 600 420 620]/Contents(a)>>");
    }),
    ("a note is taken away", NOTES, |l| {
        l.change(32, " 18 0 R", "").free.push(18);
    }),
    ("validation data", NOTHING, |l| {
        let der = l.add("<</Length 2>>\nstream\n0\u{0}\nendstream");
        let vri = format!("/VRI<</0CDDBD532FABBEEA487C1C872B9B629D12B658F1<</Cert[{der} 0 R]>>>>");
        let dss = l.add(format!("<</Type/DSS/Certs[{der} 0 R]{vri}>>"));
        let to = format!("/Type/Catalog/DSS {dss} 0 R/Extensions<</ESIC<</BaseVersion/1.7/ExtensionLevel 5>>>>");
        l.change(1, "/Type/Catalog", &to);
    }),
    ("a document time stamp", NOTHING, |l| {
        let value = l.signature("DocTimeStamp");
        field(l, &format!("/V {value} 0 R/Rect[0 0 0 0]"));
    }),
    ("a signature in the field for it", FILL, |l| {
        let value = l.signature("Sig");
        let ap = l.draw("BT /F 12 Tf (signed) Tj ET");
        l.change(9, "/AP 38 0 R", &format!("/AP<</N {ap} 0 R>>/V {value} 0 R"));
    }),
    ("a signature in the field for it, over its old picture", FILL, |l| {
        let value = l.signature("Sig");
        l.change(9, "/F 4", &format!("/F 132/V {value} 0 R")).change(15, "q Q", "Q q");
    }),
    ("an unseen signature in a new field", FILL, |l| {
        countersign(l, "/Rect[0 0 0 0]");
    }),
    ("a seal over the text in thin strokes", None, |l| {
        let ap = l.draw("1 0 0 RG 2 w 0 0 m 99 99 l S");
        countersign(l, &format!("/Rect[60 690 400 730]/AP<</N {ap} 0 R>>"));
    }),
    ("a visible signature beside the text under level 3", NOTES, |l| {
        let ap = l.draw("BT /F 12 Tf (signed) Tj ET");
        countersign(l, &format!("/Rect[60 300 200 340]/AP<</N {ap} 0 R>>"));
    }),
    ("the new field is tagged", FILL, |l| {
        let field = countersign(l, "/Rect[0 0 0 0]/StructParent 1");
        let tag = l.add(format!("<</Type/StructElem/S/Form/P 25 0 R/Pg 3 0 R/K<</Type/OBJR/Obj {field} 0 R>>>>"));
        let list = l.add("[27 0 R]");
        let index = l.add(format!("<</Nums[0 {list} 0 R 1 {tag} 0 R]>>"));
        l.change(25, "[27 0 R]", &format!("[27 0 R {tag} 0 R]"));
        l.change(24, "26 0 R/ParentTreeNextKey 1", &format!("{index} 0 R/ParentTreeNextKey 2"));
        l.change(3, "/Type/Page", "/Type/Page/Tabs/S");
    }),
    ("when and by whom it was updated", NOTHING, |l| {
        l.set(29, "<</CreationDate(D:20260101)/ModDate(D:20261122)>>").trailer = "/Info 29 0 R".into();
        l.change(30, "<x:xmpmeta>", "<y:xmpmeta>");
    }),
    ("written anew with the same meaning", NOTHING, |l| {
        for number in [3, 4, 5, 6, 7, 24] {
            l.set(number, l.get(number));
        }
        let marks = l.add("<</Marked true>>");
        l.change(1, "<</Marked true>>", &format!(" {marks} 0 R"));
    }),
    ("something that nothing leads to", NOTHING, |l| {
        l.add("(left over)");
        l.free.push(46);
    }),
];

#[test]
fn honest_updates_are_allowed() {
    let house = House::new();
    let bases: Vec<_> = [None, NOTHING, FILL, NOTES].into_iter().map(|level| (level, signed(&house, level))).collect();
    let mut faults = Vec::new();
    for (name, level, change) in HONEST {
        let base = &bases.iter().find(|(l, _)| l == level).unwrap().1;
        let mut later = Later::on(base.clone());
        change(&mut later);
        let signature = match attacked(&house, &later.finish()) {
            Ok(signature) => signature,
            Err(error) => {
                faults.push(format!("{name}: {error}"));
                continue;
            }
        };
        if signature.later_changes != LaterChanges::Allowed {
            let ids: Vec<_> = signature.changes.iter().map(|m| format!("{}: {}", m.id, m.en)).collect();
            faults.push(format!("{name}: {:?} {ids:#?}", signature.later_changes));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
