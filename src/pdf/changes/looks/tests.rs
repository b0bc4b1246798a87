//! Pictures made for the purpose: what they draw, and what they would hide.

use super::*;
use crate::pdf::object::Ref;

/// A file of these objects from number 1 on; the first is the catalog.
fn file(objects: &[String]) -> Vec<u8> {
    let (mut file, mut table) = (b"%PDF-1.7\n".to_vec(), format!("xref\n0 {}\n", objects.len() + 1));
    table.push_str("0000000000 65535 f \n");
    for (number, object) in (1..).zip(objects) {
        table.push_str(&format!("{:010} 00000 n \n", file.len()));
        file.extend(format!("{number} 0 obj\n{object}\nendobj\n").bytes());
    }
    let at = file.len();
    file.extend(format!("{table}trailer<</Size 99/Root 1 0 R>>\nstartxref\n{at}\n%%EOF\n").bytes());
    file
}

/// One with this appearance, on a line of text.
fn annotation(number: u32) -> Dict {
    let entry = |key: &[u8], value| crate::pdf::object::DictEntry { key: key.into(), value, span: 0..0 };
    let normal = entry(b"N", Object::Ref(Ref { number, generation: 0 }));
    let rect = [50, 700, 250, 720].map(Object::Int).to_vec();
    Dict::new(vec![entry(b"AP", Object::Dict(Dict::new(vec![normal]))), entry(b"Rect", Object::Array(rect.into()))])
}

fn form(resources: &str, content: &str) -> String {
    let head = format!("<</Subtype/Form/BBox[0 0 200 20]/Resources<<{resources}>>/Length {}>>", content.len());
    format!("{head}stream\n{content}\nendstream")
}

#[test]
fn a_picture_that_was_met_before_shows_what_it_would_anew() {
    let (line, draws) = ("2 w 0 0 m 9 9 l S", |number| format!("/XObject<</S {number} 0 R>>"));
    let bytes = file(&[
        "<</Type/Catalog/Pages 2 0 R>>".into(),
        "<</Type/Pages/Kids[]/Count 0>>".into(),
        form("", line),
        form("", line),
        form(&draws(3), "/S Do"),
        form(&draws(4), "/S Do"),
        // The same picture, drawn so that the line is broad; in a state where text is not seen; and another one.
        form(&draws(4), "3 0 0 3 0 0 cm /S Do"),
        form("", "0 0 9 9 re f"),
        form(&draws(8), "/S Do"),
        // What a form leads to may be something else the next time.
        form(&draws(3), "/S Do /S Do"),
        form(&draws(10), "/S Do"),
    ]);
    let file = File::open(&bytes[..]).unwrap();
    let drawn = Drawn::default();
    for (number, line, broad, panel) in
        [(5, true, false, false), (6, true, false, false), (7, true, true, false), (9, true, false, true)]
    {
        let looks = of(&file, &annotation(number), None, &drawn).unwrap().looks;
        assert_eq!((looks.drawn, looks.broad, looks.panel), (line, broad, panel), "{number}");
        assert_eq!(looks, of(&file, &annotation(number), None, &Drawn::default()).unwrap().looks, "{number}");
    }
    // 3 and 4 are one picture, 3 drawn broadly is another, 8 is a third; what leads on to others is read each time.
    assert_eq!(drawn.forms.borrow().len(), 3);
    of(&file, &annotation(11), None, &drawn).unwrap();
    assert_eq!(drawn.forms.borrow().len(), 3);
    // It counts against what may be read, whether read or remembered.
    let operators: usize = drawn.forms.borrow().values().map(|form| form.operators).sum();
    assert_eq!(operators, 4 + 4 + 2);
}

#[test]
fn what_says_that_it_is_no_picture_is_never_taken_for_an_empty_one() {
    let said =
        ["", "/Type/XObject", "/Type/XRef", "/Type/ObjStm", "/Type/Metadata", "/Filter/Crypt", "/Filter[/Crypt]"];
    let head = ["<</Type/Catalog/Pages 2 0 R>>".to_owned(), "<</Type/Pages/Kids[]/Count 0>>".to_owned()];
    let picture = |said| format!("<<{said}/Subtype/Form/BBox[0 0 9 9]/Length 9>>stream\n% nothing\nendstream");
    let bytes = file(&head.into_iter().chain(said.map(picture)).collect::<Vec<_>>());
    let file = File::open(&bytes[..]).unwrap();
    for (number, said) in (3..).zip(said) {
        let looks = of(&file, &annotation(number), None, &Drawn::default()).unwrap().looks;
        assert_eq!(looks.is_blank(), ["", "/Type/XObject"].contains(&said), "{said}");
    }
}

/// What stands over 200 by 20 points, and whether words under it could be read.
#[test]
fn what_paint_adds_up_to_is_seen_whatever_draws_it() {
    let image = |dict: &str, data: &str| {
        format!("<</Subtype/Image/Width 2/Height 2{dict}/Length {}>>stream\n{data}\nendstream", data.len())
    };
    let grey = "/ColorSpace/DeviceGray/BitsPerComponent 8";
    let states = "/ExtGState<</H<</ca .5/CA .5>>/W<</ca 1/CA 1>>/F<</ca .5>>/M<</BM/Multiply>>/L<</LW 20>>\
                  /N<</BM[99 0 R]>>>>";
    let letters = "/Font<</T<</Subtype/Type3>>/N<</Subtype/Type1/BaseFont/Helvetica>>/Z<</Subtype/Type1/BaseFont/ZapfDingbats>>\
                   /B<</Subtype/Type1/BaseFont/Arial/Encoding<</Differences[65/block]>>>>\
                   /W<</Subtype/Type1/BaseFont/Helvetica/FirstChar 73/Widths[0]>>/X<</Subtype/Type1/BaseFont/D050000L>>>>";
    let pictures = "/XObject<</S 3 0 R/E 4 0 R/C 5 0 R/B 6 0 R/O 7 0 R/K 8 0 R/D 16 0 R/F 14 0 R/I 15 0 R/T 17 0 R>>";
    let mut objects = vec![
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Kids[]/Count 0>>".into(),
        // 3 a picture, 4 and 5 pictures under a mask that covers (9) and one that does not (10), 6 a stencil that paints all
        // of it, 7 one that paints nothing; 8 half of a panel's paint as a form of its own.
        image(grey, "aaaa"),
        image(&format!("{grey}/SMask 9 0 R"), "aaaa"),
        image(&format!("{grey}/SMask 10 0 R"), "aaaa"),
        image("/ImageMask true", "  "),
        image("/ImageMask true/Decode[1 0]", "\0\0"),
        form(states, "/H gs 0 0 200 20 re f"),
        image(&format!("{grey}/Decode[1 0]"), "\0\0\0\0"),
        image(grey, "\0\0\0\0"),
        // 11 and 12 say that 0 covers, 13 does so; 14 draws in a group of no kind, 15 in one that knows nothing of the page.
        "1".into(),
        "0".into(),
        image(&format!("{grey}/Decode[11 0 R 12 0 R]"), "\0\0\0\0"),
        form("", "0 0 200 20 re f").replacen("/Subtype", "/Group<</S/Foo/I true>>/Subtype", 1),
        form(states, "/M gs 0 0 m 200 0 l 200 20 l 0 20 l f").replacen(
            "/Subtype",
            "/Group<</S/Transparency/I true>>/Subtype",
            1,
        ),
        image(&format!("{grey}/SMask 13 0 R"), "aaaa"),
        // 17 is a line of text, which stands as close as whoever draws it says.
        form(letters, &format!("BT /N 12 Tf 0 6 Td ({}) Tj ET", "m".repeat(60))),
    ];
    let first = objects.len() as u32 + 1;
    let over = |picture: &str| format!("200 0 0 20 0 0 cm /{picture} Do");
    let cases = [
        ("0 0 200 20 re f".to_owned(), true),
        // A polygon is a rectangle, and so is a broad line, however its breadth is said.
        ("0 0 m 200 0 l 200 20 l 0 20 l f".into(), true),
        ("20 w 0 10 m 200 10 l S".into(), true),
        ("/L gs 0 10 m 200 10 l S".into(), true),
        ("q 1 0 0 20 0 0 cm 0 .5 m 200 .5 l S Q".into(), true),
        // Many thin ones beside each other.
        ((0..10).map(|y| format!("2.5 w 0 {y}.5 m 200 {y}.5 l S ", y = y * 2)).collect(), true),
        // Half of it is left to be seen, or a quarter; an eighth is not, nor is any where the state says so.
        ("/H gs 0 0 200 20 re f".into(), false),
        ("/H gs 0 0 200 20 re f 0 0 200 20 re f 0 0 200 20 re f".into(), true),
        ("/H gs /W gs 0 0 m 200 0 l 200 20 l 0 20 l f".into(), true),
        ("/K Do".into(), false),
        ("/K Do /K Do /K Do".into(), true),
        // What fills is not what strokes.
        ("/F gs 0 10 m 20 w 200 10 l S".into(), true),
        // A marker's yellow, and black.
        ("/M gs 1 1 0 rg 0 0 200 20 re f".into(), false),
        ("/M gs 0 0 200 20 re f".into(), true),
        ("/M gs 1 1 0 rg 0 g 0 0 200 20 re f".into(), true),
        // Pictures by what their masks leave.
        (over("S"), true),
        (over("E"), true),
        (over("C"), false),
        (over("B"), true),
        (over("O"), false),
        (over("D"), true),
        ("/M gs 1 g /F Do".into(), true),
        ("1 1 0 rg /I Do".into(), true),
        ("/M gs /N gs 1 g 0 0 m 200 0 l 200 20 l 0 20 l f".into(), true),
        // Lines as thin as can be are a dot wide.
        ((0..50).map(|y| format!("0 w 0 {0} m 200 {0} l S ", f64::from(y) * 0.4)).collect(), true),
        // Letters that are drawings could be anything.
        ("BT /N 9 Tf (x) Tj ET".into(), false),
        ("BT /T 9 Tf (x) Tj ET".into(), true),
        // Nor can ordinary ones be read through, where they are large, broad, thick on each other, or shapes.
        ("BT /N 90 Tf (I) Tj ET".into(), true),
        ("1 Tr 9 w BT /N 12 Tf 0 6 Td (xxxxxxxxxxxxxxxxxxxx) Tj ET".into(), true),
        (format!("BT /N 12 Tf -3 Tc 0 4 Td ({}) Tj ET", "I".repeat(120)), true),
        ("BT /N 20 Tf 0 4 Td (nnnnnnnnnn) Tj ET".into(), false),
        ("BT /Z 20 Tf 0 4 Td (nnnnnnnnnn) Tj ET".into(), true),
        ("BT /B 20 Tf 0 4 Td (AAAAAAAAAA) Tj ET".into(), true),
        (format!("BT /N 30 Tf -4.6 Tc 0 8 Td ({}) Tj ET", "I".repeat(60)), true),
        (format!("BT /W 12 Tf 1 Tc 0 6 Td ({}) Tj ET", "I".repeat(150)), true),
        ("BT /X 20 Tf 0 4 Td (nnnnnnnnnn) Tj ET".into(), true),
        ("BT /N 12 Tf 11 TL 0 9 Td (Illicit and still a line) Tj T* (of two, as it is written) Tj ET".into(), false),
        ("/T Do".into(), false),
        ("/T Do -4.5 Tc /T Do".into(), true),
        // A low line of small type; stones with joints; the ends of lines.
        ("0 5 m 200 5 l 200 12 l 0 12 l f".into(), true),
        ((0..7).map(|x| format!("{0} 0 m {1} 0 l {1} 20 l {0} 20 l f ", x * 28, x * 28 + 27)).collect(), true),
        ("2 J 40 w 100 10 m 100.01 10 l S".into(), true),
        ("40 w 100 10 m 100.01 10 l S".into(), false),
        // What is left out of a path, by either rule, and what is not.
        ("0 0 m 200 0 l 200 20 l 0 20 l 3 3 m 3 17 l 197 17 l 197 3 l f".into(), false),
        ("0 0 m 200 0 l 200 20 l 0 20 l 3 3 m 197 3 l 197 17 l 3 17 l f*".into(), false),
        ("0 0 m 200 0 l 200 20 l 0 20 l 3 3 m 197 3 l 197 17 l 3 17 l f".into(), true),
        // Colours that are not what they seem, for what lets dark through.
        (format!("/M gs 1 g {}", over("S")), true),
        ("/M gs 1 g /Sh sh".into(), true),
        ("/M gs /DeviceRGB cs 1 1 0 sc 0 0 m 200 0 l 200 20 l 0 20 l f".into(), false),
        ("/M gs /Lab cs 100 0 0 sc 0 0 m 200 0 l 200 20 l 0 20 l f".into(), true),
        ("/M gs 1 1 1 /P scn 0 0 9 9 re f".into(), true),
        ("/H gs /Sh sh /Sh sh /Sh sh".into(), true),
        // What each reader takes in its own way.
        ("9 9 l 20 20 l 9 20 l f".into(), true),
        ("ID 0 0 200 20 re f EI".into(), true),
        ("0 0 --40 20 re f".into(), true),
        ("0 0 40.0.0 20 re f".into(), true),
        ("9 0 0 m 9 9 l S".into(), true),
        ("1 0 0 1 0 0 9 cm".into(), true),
        ("/O /S Do".into(), true),
        ("/Missing Do".into(), true),
        ("/Missing gs".into(), true),
        ("BT /Missing 9 Tf ET".into(), true),
        ("3 0 Tr".into(), true),
        ("-9 w".into(), true),
        ("0 0 m 200000 0 l 200000 9 l f".into(), true),
        ("BT /N 9 Tf [(x) x] TJ ET".into(), true),
        ("<</A 1>> BMC".into(), true),
        ("(".into(), true),
        ("/T BMC 0 i /RelativeColorimetric ri [3 1] 0 d EMC /T<</MCID 1>>BDC EMC BX EX".into(), false),
        // More states kept than are kept here, and a mask bent so that each cell of the page sees all of it.
        ("q ".repeat(513), true),
        ("200 20 200.001 20 0 0 cm /C Do".into(), false),
        // A seal's star, and its ring.
        ("1 0 0 rg 100 0 m 106 13 l 92 5 l 108 5 l 94 13 l f".into(), false),
        ("1.5 w 3 3 14 14 re S".into(), false),
    ];
    objects.extend(cases.iter().map(|(content, _)| form(&format!("{states}{letters}{pictures}"), content)));
    let bytes = file(&objects);
    let file = File::open(&bytes[..]).unwrap();
    let mut faults = Vec::new();
    for (number, (content, hides)) in (first..).zip(&cases) {
        let looks = of(&file, &annotation(number), None, &Drawn::default()).unwrap().looks;
        if looks.hides() != *hides {
            faults.push(format!("{content}: {looks:?}"));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn paper_is_white_and_what_is_laid_on_it_is_not() {
    let bytes = file(&[
        "<</Type/Catalog/Pages 2 0 R>>".into(),
        "<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 300 800]/Resources<</XObject<</P 5 0 R>>>>>>".into(),
        "<</Type/Page/Parent 2 0 R/Contents 4 0 R>>".into(),
        "<</Length 60>>stream\n1 0 0 1 50 700 cm /P Do 0 g 0 -20 m 200 -20 l 200 -40 l f   \nendstream".into(),
        form("", "1 g 0 0 200 20 re f"),
        form("/XObject<</P 5 0 R>>", "/P Do"),
    ]);
    let file = File::open(&bytes[..]).unwrap();
    let (page, drawn) = (page::page(&file, 0).unwrap(), Drawn::default());
    assert!(!is_inked(&file, &page, [50.0, 700.0, 250.0, 720.0], &drawn).unwrap());
    assert!(is_inked(&file, &page, [50.0, 660.0, 250.0, 680.0], &drawn).unwrap());
    // The same white, drawn over what lies under it.
    assert!(of(&file, &annotation(6), Some(&page), &drawn).unwrap().looks.hides());
}
