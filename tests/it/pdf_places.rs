//! One signature, and its seal at several places: over the edges of all pages (骑缝章), and at further places. What readers
//! show is looked at in pixels; what attackers do to a strip breaks the signature.

use std::process::Command;

use yinxin::impression::{Impression, Picture, Place, Segment, Shape};
use yinxin::pdf::PdfError;
use yinxin::pdf::appearance::Appearance;
use yinxin::pdf::changes::LaterChanges;
use yinxin::pdf::file::File;
use yinxin::pdf::object::Object;
use yinxin::pdf::page;
use yinxin::pdf::seal::{Certification, SealPlan, prepare};
use yinxin::pdf::signatures::{Coverage, read};

use crate::pdf_seal::{CATALOG, PAGE, Written, draft, plain, plan, qpdf_agrees, sealed, text_of};
use crate::pdf_second::update;

const FIRST: Place = Place::On { page: 0, centre_mm: (60.0, 50.0) };
const STRADDLE: Place = Place::Straddle { centre_mm: 60.0 };

/// Pages 3, 10, 11, 12 and 13, no two of a kind: turned, cut, large, in other units, with resources and contents written in
/// every way, and one that leaves open what it began.
pub fn five(shape: Written) -> Vec<u8> {
    let pages = "<</Type/Pages/Kids[3 0 R 20 0 R]/Count 5/MediaBox[0 0 595 842]/Resources 17 0 R>>";
    let more: &[(u32, &str)] = &[
        (10, "<</Type/Page/Parent 20 0 R/Rotate 90/Contents[4 0 R]>>"),
        (
            11,
            "<</Type/Page/Parent 20 0 R/CropBox[50 70 500 700]/Contents 18 0 R/Resources<</XObject 19 0 R/Font<</F 5 0 R>>>>>>",
        ),
        (12, "<</Type/Page/Parent 20 0 R/MediaBox[-100 -200 2284 3170]/Rotate 180/Contents 16 0 R>>"),
        (13, "<</Type/Page/Parent 20 0 R/UserUnit 2/Rotate -90/MediaBox[0 0 421 298]>>"),
        (
            16,
            "<</Length 83>>\nstream\nq 1 0 0 1 500 500 cm q 3 0 0 3 0 0 cm /Hidden BMC BT 1 0 0 1 9 9 Tm 0 0 5 5 re W n\nendstream",
        ),
        (17, "<</Font<</F 5 0 R>>>>"),
        (18, "[4 0 R 4 0 R]"),
        (19, "<</Seal1 21 0 R>>"),
        (20, "<</Type/Pages/Parent 2 0 R/Kids[10 0 R 11 0 R 12 0 R 13 0 R]/Count 4>>"),
        (21, "<</Type/XObject/Subtype/Form/BBox[0 0 1 1]/Length 0>>\nstream\n\nendstream"),
    ];
    draft(shape, CATALOG, pages, PAGE, more)
}

/// 40 mm, a bar in each fifth of its width, each lower than the one before: a strip in the wrong place is seen.
fn stairs() -> Appearance {
    let step = |i: f64| {
        let corners =
            [(8.0 * i, 8.0 * i), (8.0 * i + 8.0, 8.0 * i), (8.0 * i + 8.0, 8.0 * i + 8.0), (8.0 * i, 8.0 * i + 8.0)];
        let [(x, y), rest @ ..] = corners;
        let mut segments = vec![Segment::Move(x, y)];
        segments.extend(rest.map(|(x, y)| Segment::Line(x, y)));
        segments.push(Segment::Close);
        Shape { rgb: [214, 0, 0], segments }
    };
    let picture = Picture::Vector((0..5).map(|i| step(f64::from(i))).collect());
    Appearance::of(&Impression { width_mm: 40.0, height_mm: 40.0, picture })
}

#[test]
fn every_page_shows_its_strip_at_the_right_edge() {
    let appearance = stairs();
    let places = [FIRST, STRADDLE];
    let plan = SealPlan { places: &places, ..plan(&appearance) };
    for shape in
        [Written::Table, Written::Stream(&[2, 3, 10, 11, 12, 13, 17, 18, 19, 20]), Written::Hybrid(&[11, 18, 19])]
    {
        let draft = five(shape);
        let bytes = sealed(&draft, &plan);
        assert!(bytes.starts_with(&draft));
        qpdf_agrees(&bytes, &format!("{shape:?}"));
        let reading = read(&bytes).unwrap();
        let [signature] = reading.signatures.as_slice() else { panic!("{reading:?}") };
        assert_eq!((signature.coverage, signature.later_changes), (Coverage::Whole, LaterChanges::None));
        assert!(reading.findings.is_empty() && signature.findings.is_empty(), "{reading:?}");
        let Some(pages) = rendered(&bytes) else { return };
        for (number, picture) in pages.iter().enumerate() {
            let sheet = page::page(&File::open(&bytes[..]).unwrap(), number as u32).unwrap();
            let sheet = sheet.sheet(&File::open(&bytes[..]).unwrap()).unwrap();
            let pixel = picture.width as f64 / sheet.width_mm;
            let is_red = |x: f64, y: f64| picture.is_red((x * pixel) as usize, (y * pixel) as usize);
            for step in 0..5 {
                // Strip `number` is the seal's fifth of that number, and nothing of it stands left of that.
                let y = 40.0 + 8.0 * f64::from(step) + 4.0;
                let here = step as usize == number;
                assert_eq!(is_red(sheet.width_mm - 4.0, y), here, "{shape:?} page {number}, step {step}");
                assert!(!is_red(sheet.width_mm - 9.0, y), "{shape:?} page {number} left of the strip");
            }
        }
    }
}

#[test]
fn one_signature_shows_its_seal_at_several_places() {
    let appearance = stairs();
    // Two on the first page, one on a turned one.
    let places = [
        FIRST,
        Place::On { page: 0, centre_mm: (150.0, 200.0) },
        Place::On { page: 1, centre_mm: (60.0, 50.0) },
        Place::On { page: 1, centre_mm: (200.0, 50.0) },
    ];
    let bytes = sealed(&five(Written::Table), &SealPlan { places: &places, ..plan(&appearance) });
    qpdf_agrees(&bytes, "several places");
    let reading = read(&bytes).unwrap();
    assert_eq!(reading.signatures.len(), 1);
    assert!(reading.findings.is_empty(), "{reading:?}");
    // The drawing is stored once.
    assert_eq!(text_of(&bytes).matches("/Group<</S/Transparency").count(), 1);
    let Some(pages) = rendered(&bytes) else { return };
    for (page, width_mm, x, y) in
        [(0, 210.0, 60.0, 50.0), (0, 210.0, 150.0, 200.0), (1, 297.0, 60.0, 50.0), (1, 297.0, 200.0, 50.0)]
    {
        let pixel = pages[page].width as f64 / width_mm;
        let is_red = |x: f64, y: f64| pages[page].is_red((x * pixel) as usize, (y * pixel) as usize);
        assert!(is_red(x - 16.0, y - 16.0) && is_red(x + 16.0, y + 16.0), "page {page} at {x}, {y}");
        assert!(!is_red(x + 16.0, y - 16.0), "page {page} at {x}, {y}");
    }
    // A signature that shows itself nowhere but at the edges.
    let reading = read(&sealed(&five(Written::Table), &SealPlan { places: &[STRADDLE], ..plan(&appearance) })).unwrap();
    assert_eq!((reading.signatures.len(), reading.signatures[0].coverage), (1, Coverage::Whole));
}

#[test]
fn what_no_strip_can_be_set_on_is_refused() {
    let appearance = stairs();
    let on = |file: &[u8], places: &[Place]| prepare(file, &SealPlan { places, ..plan(&appearance) }).map(drop);
    assert_eq!(on(&plain(), &[FIRST, STRADDLE]), Err(PdfError::NoStraddle));
    let file = five(Written::Table);
    assert_eq!(
        on(&file, &[FIRST, Place::On { page: 5, centre_mm: (60.0, 50.0) }]),
        Err(PdfError::NoSuchPage { asked: 6, pages: 5 })
    );
    // Of the five the turned ones are lowest, 210 mm, and the cut one is 222 mm high.
    for (centre_mm, page, width_mm, height_mm) in [(19.0, 0, 210, 297), (191.0, 1, 297, 210), (f64::NAN, 0, 210, 297)] {
        let refused = on(&file, &[FIRST, Place::Straddle { centre_mm }]);
        assert_eq!(refused, Err(PdfError::OutsidePage { page, width_mm, height_mm }));
    }
    // A signed page is closed, even to the same hand; one more seal at one place is not a change of any.
    let once = sealed(&file, &SealPlan { places: &[FIRST, STRADDLE], ..plan(&appearance) });
    assert_eq!(on(&once, &[FIRST, STRADDLE]), Err(PdfError::PagesSigned));
    assert_eq!(on(&once, &[FIRST, FIRST]), Err(PdfError::PagesSigned));
    let twice = sealed(&once, &SealPlan { places: &[FIRST], ..plan(&appearance) });
    let reading = read(&twice).unwrap();
    assert_eq!(
        reading.signatures.iter().map(|s| s.later_changes).collect::<Vec<_>>(),
        [LaterChanges::Allowed, LaterChanges::None]
    );
    // What takes back more states than it kept would look different within one more.
    let loose = text_of(&file.iter().map(|&b| if b < 128 { b } else { b'x' }).collect::<Vec<u8>>());
    let loose = loose.replace("q 1 0 0 1 500 500 cm q", "q 1 0 0 1 500 500 Q  Q");
    assert!(matches!(on(loose.as_bytes(), &[FIRST, STRADDLE]), Err(PdfError::Broken { .. })));
}

#[test]
fn whoever_touches_a_strip_breaks_the_signature() {
    let appearance = stairs();
    for certify in [None, Some(Certification::NoChanges), Some(Certification::Annotations)] {
        let bytes =
            sealed(&five(Written::Table), &SealPlan { places: &[FIRST, STRADDLE], certify, ..plan(&appearance) });
        let file = File::open(&bytes[..]).unwrap();
        let object = |number: u32| text_of(&file.raw(&file.load_number(number).unwrap().unwrap()).unwrap());
        // The second page and the third, their strips, and what both draw.
        let strip_of = |page: u32| {
            let loaded = file.load_number(page).unwrap().unwrap();
            let contents = file.get(loaded.object.dict().unwrap(), b"Contents").unwrap();
            contents.array().unwrap().last().unwrap().reference().unwrap().number
        };
        let begin = |page: u32| {
            object(page)
                .split("/Contents")
                .nth(1)
                .unwrap()
                .trim_start_matches([' ', '['])
                .split(' ')
                .next()
                .unwrap()
                .parse::<u32>()
                .unwrap()
        };
        let (second, third) = (strip_of(10), strip_of(11));
        let stream = |number: u32| match &file.load_number(number).unwrap().unwrap().object {
            Object::Stream(stream) => text_of(&file.unpacked(stream).unwrap()),
            other => panic!("{other:?}"),
        };
        let rewritten = |text: &str| format!("<</Length {}>>\nstream\n{text}\nendstream", text.len());
        let picture: u32 = object(10).split("/Seal1 ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        let form = "<</Type/XObject/Subtype/Form/BBox[0 0 113.3858 113.3858]/Length 0>>\nstream\n\nendstream";
        let without = object(10).replace(&format!(" {second} 0 R]"), "]");
        assert_ne!(without, object(10));
        let swapped = object(10).replace(&format!(" {second} 0 R]"), &format!(" {third} 0 R]"));
        let attacks: Vec<(&str, u32, String)> = vec![
            ("moved", second, rewritten(&stream(second).replace(" cm ", " cm 1 0 0 1 0 -90 cm "))),
            ("hidden by its page", 10, without),
            ("hidden by what stands before it", begin(10), rewritten("q 0 0 0 0 re W n")),
            ("replaced", picture, form.into()),
            ("another page's", 10, swapped),
            (
                "another picture under its name",
                10,
                object(10).replace(&format!("/Seal1 {picture} 0 R"), "/Seal1 21 0 R"),
            ),
            ("cut off with the edge", 10, object(10).replace("/Rotate 90", "/Rotate 90/CropBox[0 0 595 800]")),
            ("its page turned", 10, object(10).replace("/Rotate 90", "/Rotate 270")),
            ("its page removed", 20, object(20).replace("10 0 R ", "").replace("/Count 4", "/Count 3")),
            ("its page put elsewhere", 20, object(20).replace("10 0 R 11 0 R", "11 0 R 10 0 R")),
            ("the original page brought back", 10, "<</Type/Page/Parent 20 0 R/Rotate 90/Contents[4 0 R]>>".into()),
        ];
        for (what, number, body) in attacks {
            assert_ne!(body, object(number), "{what}");
            let reading = read(&update(&bytes, &[(number, body)])).unwrap();
            let [signature] = reading.signatures.as_slice() else { panic!("{what}: {reading:?}") };
            assert_eq!(signature.later_changes, LaterChanges::Forbidden, "{what} {certify:?}: {:?}", signature.changes);
        }
        // Covered by something that lies over the page.
        let stamp = "<</Type/Annot/Subtype/Stamp/F 4/Rect[480 0 595 842]/AP<</N 21 0 R>>>>";
        let listed = object(10).replace("/Rotate 90", "/Rotate 90/Annots[90 0 R]");
        let covered = read(&update(&bytes, &[(10, listed), (90, stamp.into())])).unwrap();
        assert!(covered.signatures[0].later_changes >= LaterChanges::Suspicious, "{covered:?}");
    }
}

/// A page as poppler shows it.
struct Pixels {
    width: usize,
    rgb: Vec<u8>,
}

impl Pixels {
    fn is_red(&self, x: usize, y: usize) -> bool {
        match self.rgb.get((y * self.width + x) * 3..).unwrap_or_default() {
            [r, g, b, ..] => *r > 150 && *g < 90 && *b < 90,
            _ => panic!("no pixel at {x}, {y}"),
        }
    }
}

/// All pages, 72 dots an inch; nothing, aloud, where poppler is not installed.
fn rendered(pdf: &[u8]) -> Option<Vec<Pixels>> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("sealed.pdf"), pdf).unwrap();
    let run =
        Command::new("pdftoppm").args(["-r", "72", "-cropbox", "sealed.pdf", "page"]).current_dir(dir.path()).output();
    let Ok(run) = run else {
        eprintln!("SKIPPED: pdftoppm is not installed");
        return None;
    };
    assert!(run.status.success(), "{}", text_of(&run.stderr));
    let mut names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|ending| ending == "ppm"));
    names.sort();
    Some(names.iter().map(|path| pixels(&std::fs::read(path).unwrap())).collect())
}

/// Binary PPM: `P6`, width, height, 255, each behind one white space, and the pixels.
fn pixels(ppm: &[u8]) -> Pixels {
    let mut fields = ppm.splitn(4, |b| b.is_ascii_whitespace());
    let mut next = || fields.next().unwrap();
    assert_eq!(next(), b"P6");
    let width = text_of(next()).parse().unwrap();
    let (_, rest) = (next(), next());
    let rgb = rest.splitn(2, |b| b.is_ascii_whitespace()).nth(1).unwrap().to_vec();
    Pixels { width, rgb }
}
