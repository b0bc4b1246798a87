//! Attacks on what was signed, each made here from its published description, and the honest updates that look like
//! them. What is signed is really signed, so that `intact` is true throughout and the changes alone decide.
//!
//! Mladenov, Mainka, Meyer zu Selhausen, Grothe, Schwenk: 1 Trillion Dollar Refund, 2019 (USF, ISA, SWA). Mainka,
//! Mladenov, Rohlmann: Shadow Attacks, 2021 (hide, replace, hide and replace). Rohlmann, Mladenov, Mainka, Schwenk:
//! Breaking the Specification, 2021 (EAA, SSA).

use super::sneaky::SNEAKY;
use super::update::{Later, draft};
use super::{Facts, House, SEALED, seal};
use crate::pdf::changes::LaterChanges;
use crate::pdf::seal::Certification;
use crate::pdf::signatures::{Coverage, Signature, read};

pub(super) fn signed(house: &House, level: Option<Certification>) -> Vec<u8> {
    seal(&draft(), house, SEALED, level)
}

/// The signature that is attacked, after checking that its value is right.
pub(super) fn attacked(house: &House, bytes: &[u8]) -> Result<Signature, String> {
    let report = house.judge_with(bytes, Facts::Unknown);
    let intact = report.signatures.iter().find(|s| s.name == "Seal1").map(|s| s.intact);
    let reading = read(bytes).map_err(|error| error.to_string())?;
    let signature = reading.signatures.into_iter().find(|s| s.field == "Seal1").ok_or("it is gone")?;
    match (intact, signature.coverage) {
        (Some(true), Coverage::Partial) => Ok(signature),
        other => Err(format!("{other:?} {:?}", signature.findings)),
    }
}

pub(super) const FILL: Option<Certification> = Some(Certification::FormsAndSignatures);
pub(super) const NOTES: Option<Certification> = Some(Certification::Annotations);
pub(super) const NOTHING: Option<Certification> = Some(Certification::NoChanges);

type Change = fn(&mut Later);

/// What is done, under what certification, and the finding that must name it.
pub(super) type Attack = (&'static str, Option<Certification>, &'static str, Change);

/// A later signature in a field of its own, with this in the field's dictionary.
pub(super) fn countersign(later: &mut Later, more: &str) -> u32 {
    let value = later.signature("Sig");
    field(later, &format!("/V {value} 0 R{more}"))
}

pub(super) fn field(later: &mut Later, more: &str) -> u32 {
    let field = later.add(format!("<</Type/Annot/Subtype/Widget/FT/Sig/T(later)/F 132/P 3 0 R{more}>>"));
    later.change(6, "39 0 R", &format!("39 0 R {field} 0 R"));
    later.change(32, "39 0 R", &format!("39 0 R {field} 0 R"));
    field
}

pub(super) fn note(later: &mut Later, object: &str) -> u32 {
    let note = later.add(object);
    later.change(32, "39 0 R", &format!("39 0 R {note} 0 R"));
    note
}

/// Whatever is not laid over a page, which stands in [`SNEAKY`].
const ATTACKS: &[Attack] = &[
    // Evil annotations are among them where they do something.
    ("a link that runs a program", NOTES, "pdf.action-changed", |l| {
        note(l, "<</Type/Annot/Subtype/Link/Rect[60 690 400 730]/A<</S/Launch/F(a.exe)>>>>");
    }),
    ("a link that first goes and then runs", NOTES, "pdf.action-changed", |l| {
        note(l, "<</Type/Annot/Subtype/Link/Rect[60 690 400 730]/A<</S/URI/URI(a)/Next<</S/JavaScript/JS(a)>>>>>>");
    }),
    ("a file comes as a note", NOTES, "pdf.evil-annotation", |l| {
        note(l, "<</Type/Annot/Subtype/FileAttachment/Rect[60 690 80 710]/FS<</F(a)>>>>");
    }),
    ("a certified link leads elsewhere", NOTES, "pdf.annotation-changed", |l| {
        l.change(50, "http://a", "http://b");
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
    ("a font comes that a signed field asked for in vain", NOTHING, "pdf.docmdp-violated", |l| {
        let font = l.add("<</Type/Font/Subtype/Type1/BaseFont/Symbol>>");
        l.change(16, "/H 17 0 R", &format!("/H 17 0 R/Z {font} 0 R"));
    }),
    ("a note in the list comes to lie above another", NOTHING, "pdf.annotations-reordered", |l| {
        let link = "<</Type/Annot/Subtype/Link/Rect[500 500 520 520]>>";
        l.change(32, link, "").change(32, "39 0 R", &format!("39 0 R {link}"));
    }),
    ("a note in the list is listed again", NOTHING, "pdf.annotations-reordered", |l| {
        let link = "<</Type/Annot/Subtype/Link/Rect[500 500 520 520]>>";
        l.change(32, "39 0 R", &format!("39 0 R {link}"));
    }),
    ("a widget is moved", FILL, "pdf.field-moved", |l| {
        l.change(7, "[72 600 272 620]", "[72 690 400 730]");
    }),
    ("a note in the list becomes an object that is another", FILL, "pdf.docmdp-violated", |l| {
        let link = "<</Type/Annot/Subtype/Link/Rect[500 500 520 520]>>";
        let note = l.add("<</Type/Annot/Subtype/Link/Rect[500 500 520 520]/Border[0 0 9]>>");
        l.change(32, link, &format!("{note} 0 R "));
    }),
    ("when layers show becomes an object that says otherwise", FILL, "pdf.layers-changed", |l| {
        let when = l.add("<</Event/Print/OCGs[33 0 R]>>");
        l.change(21, "<</Event/View/OCGs[33 0 R]>>", &format!("{when} 0 R"));
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
    ("a page inherits what it draws with from elsewhere", FILL, "pdf.page-content-changed", |l| {
        let page = l.get(3);
        let (before, _) = page.split_once("/Resources").unwrap();
        l.set(3, format!("{before}>>"));
    }),
    ("a page is given a box that is none", FILL, "pdf.page-geometry-changed", |l| {
        l.change(3, "/Type/Page", "/Type/Page/CropBox[0 0 595]");
    }),
    ("a page is turned", FILL, "pdf.page-geometry-changed", |l| {
        l.change(3, "/Type/Page", "/Type/Page/Rotate 180");
    }),
    ("a page becomes a little larger", FILL, "pdf.page-geometry-changed", |l| {
        l.change(3, "/Type/Page", "/Type/Page/MediaBox[0 0 595 842.02]");
    }),
    ("a new field names a field above that does not know it", FILL, "pdf.field-added", |l| {
        countersign(l, "/Rect[0 0 0 0]/Parent 48 0 R");
    }),
    ("the field below a field is another", FILL, "pdf.field-removed", |l| {
        let value = l.signature("Sig");
        let kid = format!("<</Subtype/Widget/FT/Sig/T(a)/Rect[0 0 0 0]/P 3 0 R/Parent 48 0 R/V {value} 0 R>>");
        let kid = l.add(kid);
        l.change(48, "49 0 R", &format!("{kid} 0 R"));
    }),
    ("a field comes below a field, which is renamed", FILL, "pdf.unexplained-change", |l| {
        let value = l.signature("Sig");
        let kid = format!("<</Subtype/Widget/FT/Sig/T(b)/Rect[0 0 0 0]/P 3 0 R/Parent 48 0 R/V {value} 0 R>>");
        let kid = l.add(kid);
        l.change(48, "49 0 R", &format!("49 0 R {kid} 0 R")).change(48, "/Kids", "/TU(other)/Kids");
    }),
    ("a field is moved by a little", FILL, "pdf.field-moved", |l| {
        l.change(7, "272 620", "272.02 620");
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
        l.change(1, "/Extensions<<", "/Extensions<</X<</BaseVersion/1.7/Page 3 0 R>>");
    }),
    ("an unheard-of version", FILL, "pdf.catalog-changed", |l| {
        l.change(1, "/Version/1.7", "/Version/9.9.9");
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
    ("a tag that is read aloud and tags nothing", FILL, "pdf.tags-changed", |l| {
        let empty = l.add("<</Type/StructElem/S/P/P 25 0 R>>");
        let tag = l.add(format!("<</Type/StructElem/S/P/Alt(one million)/P 25 0 R/Pg 3 0 R/K[{empty} 0 R]>>"));
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
    for (name, level, finding, change) in ATTACKS.iter().chain(SNEAKY) {
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
    ("a field is filled in by who notes the border and writes fewer digits", FILL, |l| {
        l.change(7, "/V()", "/V(one)").change(7, "/W 0", "/W 1").change(7, "272 620", "272.004 620");
    }),
    ("a signature in a new field below a new one", FILL, |l| {
        let value = l.signature("Sig");
        let kid = l.add("null");
        let above = l.add(format!("<</T(above)/Kids[{kid} 0 R]>>"));
        let field = format!("<</Subtype/Widget/FT/Sig/T(b)/Rect[0 0 0 0]/P 3 0 R/Parent {above} 0 R/V {value} 0 R>>");
        l.set(kid, field);
        l.change(6, "39 0 R", &format!("39 0 R {above} 0 R"));
    }),
    ("a signature in a new field below a field", FILL, |l| {
        let value = l.signature("Sig");
        let kid = format!("<</Subtype/Widget/FT/Sig/T(b)/Rect[0 0 0 0]/P 3 0 R/Parent 48 0 R/V {value} 0 R>>");
        let kid = l.add(kid);
        l.change(48, "49 0 R", &format!("49 0 R {kid} 0 R"));
    }),
    ("what a page inherits or is by default is said", NOTHING, |l| {
        let said = "/Type/Page/MediaBox[0 0 595.003 842]/CropBox[595 842 0 0]/TrimBox[0 0 595 842]/Rotate 0/UserUnit 1";
        l.change(3, "/Type/Page", said);
        l.change(31, "/Resources<<>>", "");
        l.change(6, "/DA(", "/NeedAppearances false/DA(");
    }),
    ("what the catalog and its parts hold becomes objects", NOTHING, |l| {
        let (level, when) = (l.add("<</BaseVersion/1.7>>"), l.add("<</Event/View/OCGs[33 0 R]>>"));
        l.change(1, "<</BaseVersion/1.7>>", &format!("{level} 0 R"));
        l.change(21, "<</Event/View/OCGs[33 0 R]>>", &format!("{when} 0 R"));
    }),
    ("a note in the list becomes an object", NOTHING, |l| {
        let link = "<</Type/Annot/Subtype/Link/Rect[500 500 520 520]>>";
        let note = l.add(link);
        l.change(32, link, &format!("{note} 0 R "));
    }),
    ("an older writer", NOTHING, |l| {
        l.change(1, "/Version/1.7/Extensions<</E[<</BaseVersion/1.7>>]>>", "/Version/1.3");
    }),
    ("a font comes that an empty field asked for in vain", NOTHING, |l| {
        let font = l.add("<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>");
        l.change(16, "/H 17 0 R", &format!("/H 17 0 R/Y {font} 0 R"));
    }),
    ("a signature in the field for it that shows nothing any more", FILL, |l| {
        let value = l.signature("Sig");
        let ap = l.add("<</N 15 0 R>>");
        l.change(9, "[72 500 172 540]", &format!("[0 0 0 0]/V {value} 0 R")).change(9, "/AP 38", &format!("/AP {ap}"));
    }),
    ("a box is ticked", FILL, |l| {
        l.change(10, "/AS/Off", "/AS/Yes/V/Yes/BS<</W 1>>");
    }),
    ("the form gets a font and asks to be drawn", FILL, |l| {
        let font = l.add("<</Type/Font/Subtype/Type1/BaseFont/Symbol>>");
        l.change(16, "/H 17 0 R", &format!("/H 17 0 R/Z {font} 0 R"));
        l.change(6, "/DA(", "/NeedAppearances true/DA(").change(7, "/V()", "/V(one)");
    }),
    ("notes are made", NOTES, |l| {
        note(l, "<</Type/Annot/Subtype/Text/Rect[400 600 420 620]/Contents(a)>>");
        note(l, "<</Type/Annot/Subtype/Text/Rect[440 600 490 640]/Contents(a)>>");
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
        l.change(1, "/Type/Catalog", &format!("/Type/Catalog/DSS {dss} 0 R"));
        l.change(1, "/Extensions<<", "/Extensions<</ESIC<</BaseVersion/1.7/ExtensionLevel 5>>");
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
    ("one seal in one place again and again", None, |l| {
        let strokes: String = (0..12).map(|n| format!("{} 0 m {} 850 l S ", n * 50, n * 50 + 20)).collect();
        let ap = l.draw_with("/ExtGState<</G<</BM/Multiply>>>>", &format!("/G gs .8 0 0 RG 4 w {strokes}"));
        for n in 0..30 {
            let value = l.signature("Sig");
            let field = format!("<</Subtype/Widget/FT/Sig/T(seal{n})/F 132/P 3 0 R/V {value} 0 R");
            let field = l.add(format!("{field}/Rect[60 650 460 750]/AP<</N {ap} 0 R>>>>"));
            l.change(6, "39 0 R", &format!("39 0 R {field} 0 R"));
            l.change(32, "39 0 R", &format!("39 0 R {field} 0 R"));
        }
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
