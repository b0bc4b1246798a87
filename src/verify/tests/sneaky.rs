//! What is laid over a page after it was signed: evil annotations (EAA) and sneaky signatures (SSA), as published and as
//! they were found since, with their relatives that are hidden from whoever does not look at everything.

use super::attacks::{Attack, FILL, NOTES, NOTHING, countersign, field, note};
use super::update::Later;

/// Two later signatures, the second in a field of another name.
fn two(later: &mut Later, first: &str, second: &str) {
    countersign(later, first);
    let value = later.signature("Sig");
    let last = "<</Type/Annot/Subtype/Widget/FT/Sig/T(last)/F 132/P 3 0 R";
    let field = later.add(format!("{last}/V {value} 0 R{second}>>"));
    later.change(6, "39 0 R", &format!("39 0 R {field} 0 R"));
    later.change(32, "39 0 R", &format!("39 0 R {field} 0 R"));
}

/// A free text that some other new object leads to, so that it is not new to whoever follows that.
fn smuggled(later: &mut Later) -> u32 {
    let ap = later.draw("1 g 0 0 600 850 re f BT /F 24 Tf (Pay one million) Tj ET");
    note(later, &format!("<</Type/Annot/Subtype/FreeText/Rect[60 690 400 730]/AP<</N {ap} 0 R>>>>"))
}

pub(super) const SNEAKY: &[Attack] = &[
    ("EAA: free text over the amount", NOTES, "pdf.evil-annotation", |l| {
        let ap = l.draw("1 g 0 0 600 850 re f BT /F 24 Tf (Pay one million) Tj ET");
        note(l, &format!("<</Type/Annot/Subtype/FreeText/Rect[60 690 400 730]/AP<</N {ap} 0 R>>>>"));
    }),
    ("EAA: free text drawn by the viewer", NOTES, "pdf.evil-annotation", |l| {
        note(l, "<</Type/Annot/Subtype/FreeText/Rect[60 690 400 730]/DA(/F 24 Tf)/Contents(Pay one million)>>");
    }),
    ("EAA: a note that validation data lead to", NOTHING, "pdf.docmdp-violated", |l| {
        let note = smuggled(l);
        let der = l.add(format!("<</Length 2/X {note} 0 R>>\nstream\n0\u{0}\nendstream"));
        l.change(1, "/Type/Catalog", &format!("/Type/Catalog/DSS<</Type/DSS/Certs[{der} 0 R]>>"));
    }),
    ("EAA: a note that a time stamp's data lead to", NOTHING, "pdf.docmdp-violated", |l| {
        let note = smuggled(l);
        let value = l.signature("DocTimeStamp");
        l.change(value, "/Filter", &format!("/Prop_Build {note} 0 R/Filter"));
        field(l, &format!("/V {value} 0 R/Rect[0 0 0 0]"));
    }),
    ("EAA: a note that a new field leads to", None, "pdf.annotated-later", |l| {
        let note = smuggled(l);
        countersign(l, &format!("/Rect[0 0 0 0]/MK<</X {note} 0 R>>"));
    }),
    ("EAA: a note that a filled-in field leads to", FILL, "pdf.docmdp-violated", |l| {
        let note = smuggled(l);
        let ap = l.draw_with(&format!("/XObject<</N {note} 0 R>>"), "q Q");
        l.change(7, "/V()", "/V(one)").change(7, "/N 11 0 R", &format!("/N {ap} 0 R"));
    }),
    ("EAA: a note that a harmless note leads to", NOTES, "pdf.evil-annotation", |l| {
        let popup = smuggled(l);
        note(l, &format!("<</Type/Annot/Subtype/Square/Rect[400 600 420 620]/C[1 0 0]/Popup {popup} 0 R>>"));
    }),
    ("EAA: icons side by side", NOTES, "pdf.evil-annotation", |l| {
        let ap = l.draw("1 g 0 0 600 850 re f");
        for x in 0..5 {
            let (left, right) = (72 + 20 * x, 92 + 20 * x);
            note(l, &format!("<</Type/Annot/Subtype/Text/Rect[{left} 698 {right} 718]/AP<</N {ap} 0 R>>>>"));
        }
    }),
    ("EAA: borders in each other", NOTES, "pdf.evil-annotation", |l| {
        for n in 0..9 {
            let rect = format!("{} {} {} {}", 60 + 2 * n, 692 + 2 * n, 400 - 2 * n, 728 - 2 * n);
            note(l, &format!("<</Type/Annot/Subtype/Link/Rect[{rect}]/C[1 1 1]/Border[0 0 3]>>"));
        }
    }),
    ("EAA: lines beside each other", NOTES, "pdf.evil-annotation", |l| {
        for y in 0..12 {
            let y = 695 + 3 * y;
            let ink = format!("/Subtype/Ink/InkList[[60 {y} 400 {y}]]/Rect[50 {} 410 {}]", y - 5, y + 5);
            note(l, &format!("<</Type/Annot{ink}/C[1 1 1]/BS<</W 3>>>>"));
        }
    }),
    ("EAA: a border as broad as the text, said in two places", NOTES, "pdf.evil-annotation", |l| {
        let width = l.add("30");
        note(l, &format!("<</Type/Annot/Subtype/Square/Rect[60 690 400 730]/BS<<>>/Border[0 0 {width} 0 R]>>"));
    }),
    ("EAA: squares filled by half, one over the other", NOTES, "pdf.evil-annotation", |l| {
        for _ in 0..6 {
            note(l, "<</Type/Annot/Subtype/Square/Rect[60 690 400 730]/IC[1 1 1]/CA .6>>");
        }
    }),
    ("EAA: frames that stand away from their places", NOTES, "pdf.evil-annotation", |l| {
        note(l, "<</Type/Annot/Subtype/Square/Rect[60 690 400 730]/C[1 1 1]/BS<</W 3>>/RD[9 9 9 9]>>");
    }),
    ("EAA: struck out seventy times", NOTES, "pdf.evil-annotation", |l| {
        let quads: String =
            (0..70).map(|n| format!("60 {0} 400 {0} 60 {1} 400 {1} ", 720 + n / 4, 690 + n / 4)).collect();
        note(l, &format!("<</Type/Annot/Subtype/StrikeOut/Rect[60 690 400 740]/C[1 1 1]/QuadPoints[{quads}]>>"));
    }),
    ("EAA: a line that leads out of its place", NOTES, "pdf.evil-annotation", |l| {
        note(l, "<</Type/Annot/Subtype/Ink/Rect[400 600 420 620]/C[1 1 1]/BS<</W 3>>/InkList[[60 700 400 700]]>>");
    }),
    ("EAA: icons a little apart", NOTES, "pdf.evil-annotation", |l| {
        let ap = l.draw("1 g 0 0 600 850 re f");
        for x in 0..5 {
            let (left, right) = (72 + 28 * x, 96 + 28 * x);
            note(l, &format!("<</Type/Annot/Subtype/Text/Rect[{left} 698 {right} 722]/AP<</N {ap} 0 R>>>>"));
        }
    }),
    ("EAA: a black marker", NOTES, "pdf.evil-annotation", |l| {
        note(l, "<</Type/Annot/Subtype/Highlight/Rect[60 690 400 730]/C[0 0 0]>>");
    }),
    ("EAA: a line that is written along", NOTES, "pdf.evil-annotation", |l| {
        let line = "/L[72 710 400 710]/Rect[60 690 400 730]/Cap true/Contents(one million)";
        note(l, &format!("<</Type/Annot/Subtype/Line{line}>>"));
    }),
    ("EAA: one note put down twice", NOTES, "pdf.annotation-twice", |l| {
        let note = note(l, "<</Type/Annot/Subtype/Text/Rect[400 600 420 620]/Contents(a)>>");
        l.change(32, "39 0 R", &format!("39 0 R {note} 0 R"));
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
    ("SSA: a visible signature under level 2", FILL, "pdf.sneaky-signature", |l| {
        let ap = l.draw("BT /F 24 Tf (Pay one million) Tj ET");
        countersign(l, &format!("/Rect[60 690 400 730]/AP<</N {ap} 0 R>>"));
    }),
    ("SSA: a field that is shown on two pages", None, "pdf.annotation-twice", |l| {
        let ap = l.draw("BT /F 24 Tf (Pay one million) Tj ET");
        let field = countersign(l, &format!("/Rect[60 300 400 340]/AP<</N {ap} 0 R>>"));
        l.change(31, "/Type/Page", &format!("/Type/Page/Annots[{field} 0 R]"));
    }),
    ("SSA: hidden from those who count far enough", FILL, "pdf.sneaky-signature", |l| {
        let ap = l.draw("1 g 0 0 600 850 re f");
        countersign(l, &format!("/F 4294967298/Rect[60 690 400 730]/AP<</N {ap} 0 R>>"));
    }),
    ("SSA: the last of many states", None, "pdf.sneaky-signature", |l| {
        let (blank, panel) = (l.draw("q Q"), l.draw("1 g 0 0 600 850 re f"));
        let states: String = (0..64).map(|n| format!("/S{n} {blank} 0 R")).collect();
        countersign(l, &format!("/Rect[60 690 400 730]/AS/Z/AP<</N<<{states}/Z {panel} 0 R>>>>"));
    }),
    ("SSA: a ground without a picture", None, "pdf.sneaky-signature", |l| {
        countersign(l, "/Rect[60 690 400 730]/MK<</BG[1 1 1]>>");
    }),
    ("SSA: a small field whose picture has no edges", FILL, "pdf.sneaky-signature", |l| {
        let ap = l.add("<</Subtype/Form/Length 19>>\nstream\n1 g 0 0 600 850 re f\nendstream");
        countersign(l, &format!("/Rect[60 690 61 691]/AP<</N {ap} 0 R>>"));
    }),
    ("SSA: what fills a field in has no edges", FILL, "pdf.appearance-unbounded", |l| {
        let ap = l.add("<</Subtype/Form/Length 19>>\nstream\n1 g 0 0 600 850 re f\nendstream");
        l.change(7, "/V()", "/V(one)").change(7, "/N 11 0 R", &format!("/N {ap} 0 R"));
    }),
    ("SSA: a picture that each reader finds elsewhere", FILL, "pdf.sneaky-signature", |l| {
        let ap = l.draw("1 g 0 0 600 850 re f");
        countersign(l, &format!("/Rect[60 690 400 730]/AP<</N<</Type[{ap} 0 R]>>>>"));
    }),
    ("SSA: a widget below a widget", FILL, "pdf.field-added", |l| {
        let ap = l.draw("1 g 0 0 600 850 re f");
        let below = l.add(format!("<</Type/Annot/Subtype/Widget/Rect[60 690 400 730]/P 3 0 R/AP<</N {ap} 0 R>>>>"));
        let kid = l.add(format!("<</Type/Annot/Subtype/Widget/Rect[0 0 0 0]/P 3 0 R/Kids[{below} 0 R]>>"));
        countersign(l, &format!("/Rect[0 0 0 0]/Kids[{kid} 0 R]"));
        l.change(32, "39 0 R", &format!("39 0 R {below} 0 R"));
    }),
    ("SSA: two that are half transparent", None, "pdf.sneaky-signature", |l| {
        let ap = l.draw_with("/ExtGState<</H<</ca .6>>>>", "/H gs 1 g 0 0 600 850 re f 0 0 600 850 re f");
        let more = format!("/Rect[60 690 400 730]/AP<</N {ap} 0 R>>");
        two(l, &more, &more);
    }),
    ("SSA: two that are half transparent, and others far away", None, "pdf.sneaky-signature", |l| {
        let ap = l.draw_with("/ExtGState<</H<</ca .6>>>>", "/H gs 1 g 0 0 600 850 re f 0 0 600 850 re f");
        let more = format!("/Rect[60 690 400 730]/AP<</N {ap} 0 R>>");
        two(l, &more, &more);
        let far = l.draw("0 0 m 9 9 l S");
        for n in 0..2 {
            let value = l.signature("Sig");
            let field = format!("<</Subtype/Widget/FT/Sig/T(far{n})/F 132/P 3 0 R/V {value} 0 R");
            let field = l.add(format!("{field}/Rect[90000 90000 90100 90100]/AP<</N {far} 0 R>>>>"));
            l.change(6, "39 0 R", &format!("39 0 R {field} 0 R"));
            l.change(32, "39 0 R", &format!("39 0 R {field} 0 R"));
        }
    }),
    ("SSA: several over a field that was filled in", None, "pdf.sneaky-signature", |l| {
        let ap = l.draw_with("/ExtGState<</H<</ca .6>>>>", "/H gs 1 g 0 0 600 850 re f 0 0 600 850 re f");
        let more = format!("/Rect[310 105 370 130]/AP<</N {ap} 0 R>>");
        two(l, &more, &more);
    }),
    ("SSA: a picture under another generation", FILL, "pdf.generation-differs", |l| {
        let ap = l.draw("1 g 0 0 600 850 re f");
        countersign(l, &format!("/Rect[60 690 400 730]/AP<</N {ap} 1 R>>"));
    }),
    ("SSA: the page's fields under another generation", NOTHING, "pdf.generation-differs", |l| {
        l.change(32, "8 0 R", "8 5 R");
    }),
    ("SSA: a picture whose data begin where each reader pleases", FILL, "pdf.changes-unreadable", |l| {
        let ap = l.add("<</Subtype/Form/BBox[0 0 600 850]/Length 19>>\nstream \n1 g 0 0 600 850 re f\nendstream");
        countersign(l, &format!("/Rect[60 690 400 730]/AP<</N {ap} 0 R>>"));
    }),
    ("SSA: a widget that is a field of text", FILL, "pdf.field-added", |l| {
        let kid = "<</Type/Annot/Subtype/Widget/Rect[60 690 400 730]/P 3 0 R/FT/Tx/V(one million)/DA(/F 24 Tf)>>";
        let kid = l.add(kid);
        countersign(l, &format!("/Rect[0 0 0 0]/Kids[{kid} 0 R]"));
        l.change(32, "39 0 R", &format!("39 0 R {kid} 0 R"));
    }),
    ("SSA: a field that is a square", FILL, "pdf.field-added", |l| {
        let value = l.signature("Sig");
        let square = "/Subtype/Square/Rect[60 690 400 730]/C[1 1 1]/BS<</W 45>>";
        let field = l.add(format!("<</Type/Annot{square}/FT/Sig/T(later)/F 132/P 3 0 R/V {value} 0 R>>"));
        l.change(6, "39 0 R", &format!("39 0 R {field} 0 R"));
        l.change(32, "39 0 R", &format!("39 0 R {field} 0 R"));
    }),
    ("SSA: a field that is filled in turns out of its place", FILL, "pdf.field-moved", |l| {
        l.change(7, "/V()", "/V(one)").change(7, "/F 4", "/F 20");
    }),
    ("SSA: two that each hide the half of a line", None, "pdf.sneaky-signature", |l| {
        let ap = l.draw("1 g 0 0 m 600 0 l 600 850 l 0 850 l f");
        let more = |low: u32| format!("/Rect[60 {low} 400 {}]/AP<</N {ap} 0 R>>", low + 5);
        two(l, &more(700), &more(705));
    }),
    ("SSA: over a picture of the page", None, "pdf.sneaky-signature", |l| {
        let ap = l.draw("1 g 0 0 600 850 re f");
        countersign(l, &format!("/Rect[100 100 200 140]/AP<</N {ap} 0 R>>"));
    }),
    ("SSA: over a field that was filled in", None, "pdf.sneaky-signature", |l| {
        let ap = l.draw("1 g 0 0 600 850 re f");
        countersign(l, &format!("/Rect[310 110 330 130]/AP<</N {ap} 0 R>>"));
    }),
    ("SSA: a place that each reader takes in its own way", FILL, "pdf.sneaky-signature", |l| {
        let ap = l.draw("1 g 0 0 600 850 re f");
        countersign(l, &format!("/Rect[60 690 400 730 9]/AP<</N {ap} 0 R>>"));
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
    ("SSA: a hidden field comes to be seen when it is signed", FILL, "pdf.sneaky-signature", |l| {
        let (value, ap) = (l.signature("Sig"), l.draw("1 g 0 0 600 850 re f"));
        l.change(52, "/F 2", &format!("/F 132/AP<</N {ap} 0 R>>/V {value} 0 R"));
    }),
    ("SSA: filters whose parameters readers take differently", FILL, "pdf.sneaky-signature", |l| {
        let parms = l.add("12");
        let head = "<</Type/XObject/Subtype/Form/BBox[0 0 600 850]/Resources<<>>/Filter/ASCIIHexDecode";
        let ap = l.add(format!("{head}/DecodeParms<</Predictor {parms} 0 R>>/Length 3>>\nstream\n20>\nendstream"));
        countersign(l, &format!("/Rect[60 690 400 730]/AP<</N {ap} 0 R>>"));
    }),
    ("SSA: a group whose strokes begin opaque", None, "pdf.sneaky-signature", |l| {
        let group = "<</Type/XObject/Subtype/Form/BBox[0 0 600 850]/Resources<<>>/Group<</S/Transparency>>";
        let group = l.add(format!("{group}/Length 27>>\nstream\n800 w 0 400 m 600 400 l S  \nendstream"));
        let resources = format!("/ExtGState<</G<</CA 0>>>>/XObject<</I {group} 0 R>>");
        let ap = l.draw_with(&resources, "/G gs 1 G /I Do");
        countersign(l, &format!("/Rect[60 690 400 730]/AP<</N {ap} 0 R>>"));
    }),
    ("SSA: two light colours that leave none", None, "pdf.sneaky-signature", |l| {
        let fills = "/G gs 0 1 0 rg 0 0 600 850 re f 1 0 1 rg 0 0 600 850 re f";
        let ap = l.draw_with("/ExtGState<</G<</BM/Multiply>>>>", fills);
        countersign(l, &format!("/Rect[60 690 400 730]/AP<</N {ap} 0 R>>"));
    }),
    ("SSA: light colours out of their bounds", None, "pdf.sneaky-signature", |l| {
        let fills = "/G gs -100 200 -100 rg 0 0 600 850 re f 200 -100 200 rg 0 0 600 850 re f";
        let ap = l.draw_with("/ExtGState<</G<</BM/Multiply>>>>", fills);
        countersign(l, &format!("/Rect[60 690 400 730]/AP<</N {ap} 0 R>>"));
    }),
    ("SSA: multiplied in a group in a form", None, "pdf.sneaky-signature", |l| {
        let group = "<</Type/XObject/Subtype/Form/BBox[0 0 600 850]/Group<</S/Transparency>>";
        let group = format!("{group}/Resources<</ExtGState<</G<</BM/Multiply>>>>>>/Length 24>>");
        let group =
            l.add(format!("{group}\nstream\n/G gs 1 g 0 0 600 850 re f\nendstream").replace("Length 24", "Length 26"));
        let ap = l.draw_with(&format!("/XObject<</I {group} 0 R>>"), "/I Do");
        countersign(l, &format!("/Rect[60 690 400 730]/AP<</N {ap} 0 R>>"));
    }),
    ("SSA: multiplied, and drawn apart", None, "pdf.sneaky-signature", |l| {
        let ap = l.draw_with("/ExtGState<</G<</BM/Multiply>>>>", "/G gs 1 g 0 0 600 850 re f");
        let field = countersign(l, &format!("/Rect[60 690 400 730]/AP<</N {ap} 0 R>>"));
        l.change(field, "/F 132", "/F 148");
    }),
    ("SSA: letters with strokes as broad as they are", None, "pdf.sneaky-signature", |l| {
        let line = format!("({}) Tj T*", "M".repeat(200));
        let ap = l.draw(&format!("BT /F 4 Tf 2 Tr 1.5 w 1 g 1 G 3 TL 0 850 Td {} ET", [line.as_str(); 300].join(" ")));
        countersign(l, &format!("/Rect[60 690 400 730]/AP<</N {ap} 0 R>>"));
    }),
    ("SSA: a letter that reaches from far away", None, "pdf.sneaky-signature", |l| {
        let ap = l.draw("BT /F 200000 Tf -9000 -9000 Td (I) Tj ET");
        countersign(l, &format!("/Rect[60 690 400 730]/AP<</N {ap} 0 R>>"));
    }),
    ("SSA: shapes by other names", None, "pdf.sneaky-signature", |l| {
        let encoding = "/Encoding<</Differences[65/blackrectangle]>>";
        let font = format!("/Font<</S<</Type/Font/Subtype/TrueType/BaseFont/DejaVuSans{encoding}>>>>");
        let ap = l.draw_with(&font, "1 g BT /S 900 Tf -50 50 Td (A) Tj ET");
        countersign(l, &format!("/Rect[60 690 400 730]/AP<</N {ap} 0 R>>"));
    }),
    ("SSA: a mask that does not say how fine it is", None, "pdf.sneaky-signature", |l| {
        let mask =
            l.add("<</Subtype/Image/Width 1/Height 1/ColorSpace/DeviceGray/Length 1>>\nstream\n\u{0}\nendstream");
        let image = "<</Subtype/Image/Width 1/Height 1/ColorSpace/DeviceGray/BitsPerComponent 8";
        let image = l.add(format!("{image}/SMask {mask} 0 R/Length 1>>\nstream\na\nendstream"));
        let ap = l.draw_with(&format!("/XObject<</I {image} 0 R>>"), "600 0 0 850 0 0 cm /I Do");
        countersign(l, &format!("/Rect[60 690 400 730]/AP<</N {ap} 0 R>>"));
    }),
    ("SSA: a plate over the text that asks to be signed", None, "pdf.sneaky-signature", |l| {
        field(l, "/Rect[60 690 400 730]");
    }),
    ("SSA: words of a time stamp that nobody sees", NOTHING, "pdf.docmdp-violated", |l| {
        let ap = l.draw("BT 3 Tr /F 24 Tf (Pay one million) Tj ET");
        let value = l.signature("DocTimeStamp");
        field(l, &format!("/V {value} 0 R/Rect[60 690 61 691]/AP<</N {ap} 0 R>>"));
    }),
    ("SSA: a picture under a name that ends early", NOTHING, "pdf.attack.isa", |l| {
        let (blank, panel) = (l.draw("q Q"), l.draw("1 g 0 0 600 850 re f"));
        let value = l.signature("DocTimeStamp");
        field(l, &format!("/V {value} 0 R/Rect[60 690 400 730]/AP<</N {blank} 0 R/N#00 {panel} 0 R>>"));
    }),
    ("EAA: a caret", NOTES, "pdf.evil-annotation", |l| {
        note(l, "<</Type/Annot/Subtype/Caret/Rect[60 690 400 730]>>");
    }),
    ("EAA: a line with ends as large as readers please", NOTES, "pdf.evil-annotation", |l| {
        note(
            l,
            "<</Type/Annot/Subtype/Line/L[72 710 400 710]/Rect[60 690 400 730]/LE[/Square/Square]/IC[1 1 1]/CA .6/BS<</W 9>>>>",
        );
    }),
    ("EAA: two markers that leave no light", NOTES, "pdf.evil-annotation", |l| {
        note(l, "<</Type/Annot/Subtype/Highlight/Rect[60 690 400 730]/C[0 1 0]>>");
        note(l, "<</Type/Annot/Subtype/Highlight/Rect[60 690 400 730]/C[1 .5 1]>>");
    }),
    ("SSA: strips that are laid side by side", None, "pdf.sneaky-signature", |l| {
        let strips: String = (0..850).map(|y| format!("0 {y} m 600 {y} l S ")).collect();
        let ap = l.draw(&format!("1 G 1 w {strips}"));
        countersign(l, &format!("/Rect[60 690 400 1540]/AP<</N {ap} 0 R>>"));
    }),
    ("SSA: a hidden field gets a time stamp and a picture", NOTHING, "pdf.docmdp-violated", |l| {
        let (value, ap) = (l.signature("DocTimeStamp"), l.draw("1 g 0 0 600 850 re f"));
        l.change(52, "/F 2", &format!("/F 132/AP<</N {ap} 0 R>>/V {value} 0 R"));
    }),
    ("SSA: a place of no size and a picture without edges", None, "pdf.sneaky-signature", |l| {
        let ap = l.add("<</Subtype/Form/Length 19>>\nstream\n1 g 0 0 600 850 re f\nendstream");
        countersign(l, &format!("/Rect[0 0 0 0]/AP<</N {ap} 0 R>>"));
    }),
    ("SSA: stripes between stripes", None, "pdf.sneaky-signature", |l| {
        let stripes =
            |from: usize| -> String { (0..50).map(|y| format!("0 {0} m 600 {0} l S ", 2 * y + from)).collect() };
        let head = "<</Subtype/Form/BBox[0 0 600 100]/Resources<<>>";
        for (name, from) in [("odd", 0), ("even", 1)] {
            let content = format!("1 G 1 w {}", stripes(from));
            let ap = l.add(format!("{head}/Length {}>>\nstream\n{content}\nendstream", content.len()));
            let value = l.signature("Sig");
            let field = format!("<</Subtype/Widget/FT/Sig/T({name})/F 132/P 3 0 R/V {value} 0 R");
            let field = l.add(format!("{field}/Rect[0 650 600 750]/AP<</N {ap} 0 R>>>>"));
            l.change(6, "39 0 R", &format!("39 0 R {field} 0 R"));
            l.change(32, "39 0 R", &format!("39 0 R {field} 0 R"));
        }
    }),
    ("SSA: white that is turned into black", None, "pdf.sneaky-signature", |l| {
        let state = "/ExtGState<</G<</BM/Multiply/TR<</FunctionType 2/N 1/Domain[0 1]/C0[1]/C1[0]>>>>>>";
        let ap = l.draw_with(state, "/G gs 1 g 0 0 600 850 re f");
        countersign(l, &format!("/Rect[60 690 400 730]/AP<</N {ap} 0 R>>"));
    }),
    ("EAA: ink as broad as the text that says its width nowhere", NOTES, "pdf.evil-annotation", |l| {
        for y in 690..730 {
            let ink = format!("/Subtype/Ink/InkList[[60 {y} 400 {y}]]/Rect[50 {} 410 {}]", y - 5, y + 5);
            note(l, &format!("<</Type/Annot{ink}/C[1 1 1]/BS<</S/S>>/Border[0 0 0]>>"));
        }
    }),
    ("EAA: a line with leaders", NOTES, "pdf.evil-annotation", |l| {
        note(l, "<</Type/Annot/Subtype/Line/L[72 710 400 710]/Rect[60 690 400 730]/LL 30/BS<</W 1>>>>");
    }),
];
