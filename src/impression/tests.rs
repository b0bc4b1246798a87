use proptest::prelude::*;
use ttf_parser::Face;

use super::*;

const FONT: &str = "/usr/share/fonts/opentype/noto/NotoSerifCJK-Bold.ttc";
/// Common characters of legends, dense (疆, 藏) and sparse (一, 卜) ones among them.
const HAN: &str = "汶川县新乡经济技术开发区管理委员会行政审批服务局人民府自治州阿坝藏族羌一二三卜口国家市场监督疆壹";

/// Runs `test` with the face seals are cut in, or says that it is not there.
fn with_face(test: impl FnOnce(&Face<'_>)) {
    match std::fs::read(FONT) {
        Ok(bytes) => test(&Face::parse(&bytes, 2).unwrap()),
        Err(e) => eprintln!("skipped: {FONT}: {e}; install fonts-noto-cjk"),
    }
}

fn name_of(length: usize) -> String {
    HAN.chars().cycle().take(length).collect()
}

/// The ink as closed contours of points, curves by eight chords.
fn contours(impression: &Impression) -> Vec<Vec<(f64, f64)>> {
    let Picture::Vector(shapes) = &impression.picture else { panic!("not a vector") };
    let mut all: Vec<Vec<(f64, f64)>> = Vec::new();
    for segment in shapes.iter().flat_map(|s| &s.segments) {
        match *segment {
            Segment::Move(x, y) => all.push(vec![(x, y)]),
            Segment::Line(x, y) => all.last_mut().unwrap().push((x, y)),
            Segment::Cubic { c1, c2, to } => {
                let contour = all.last_mut().unwrap();
                let from = *contour.last().unwrap();
                for t in (1..=8).map(|i| f64::from(i) / 8.0) {
                    let u = 1.0 - t;
                    let at = |a: f64, b: f64, c: f64, d: f64| {
                        u * u * u * a + 3.0 * u * u * t * b + 3.0 * u * t * t * c + t * t * t * d
                    };
                    contour.push((at(from.0, c1.0, c2.0, to.0), at(from.1, c1.1, c2.1, to.1)));
                }
            }
            Segment::Close => {}
        }
    }
    all
}

fn area(contour: &[(f64, f64)]) -> f64 {
    let next = contour.iter().cycle().skip(1);
    contour.iter().zip(next).map(|(a, b)| a.0 * b.1 - b.0 * a.1).sum::<f64>() / 2.0
}

#[test]
fn rim_is_a_ring_of_the_stated_size() {
    with_face(|face| {
        let drawn = Impression::draw(&Legend::star("汶川县行政审批局"), face).unwrap();
        assert_eq!((drawn.width_mm, drawn.height_mm), (42.0, 42.0));
        let contours = contours(&drawn);
        for (contour, radius) in contours.iter().zip([21.0, 19.8]) {
            for (x, y) in contour {
                assert!(((x - 21.0).hypot(y - 21.0) - radius).abs() < 0.01, "{x} {y} off the circle of {radius}");
            }
        }
        // Opposite directions: the non-zero rule leaves a ring of 2πrw.
        assert!(area(&contours[0]) * area(&contours[1]) < 0.0);
    });
}

#[test]
fn star_is_regular_upright_and_fourteen_across() {
    with_face(|face| {
        let drawn = Impression::draw(&Legend::star("汶川县行政审批局"), face).unwrap();
        let star = &contours(&drawn)[2];
        assert_eq!(star.len(), 10);
        let (top, left, right) = (star[0], star[8], star[2]);
        assert!((top.0 - 21.0).abs() < 1e-9 && star.iter().all(|p| p.1 >= top.1));
        assert!((right.0 - left.0 - 14.0).abs() < 1e-9);
        // The sides lie on straight lines from tip to tip: each line runs through two notches.
        let (a, b) = (star[0], star[4]);
        for notch in [star[1], star[3]] {
            let off = (b.0 - a.0) * (notch.1 - a.1) - (b.1 - a.1) * (notch.0 - a.0);
            assert!(off.abs() < 1e-9, "{off}");
        }
    });
}

#[test]
fn legend_rules_are_refused_by_name() {
    with_face(|face| {
        let refuse = |legend: Legend| Impression::draw(&legend, face).unwrap_err().message().id;
        assert_eq!(refuse(Legend::star("三个字")), "impression.length");
        assert_eq!(refuse(Legend::star(name_of(41))), "impression.length");
        assert_eq!(refuse(Legend::special("汶川县行政审批局", "章")), "impression.length");
        assert_eq!(refuse(Legend::star("汶川县行政审批局").numbered("12345")), "impression.number");
        assert_eq!(refuse(Legend { diameter_mm: 80.0, ..Legend::star("汶川县行政审批局") }), "impression.size");
        assert_eq!(refuse(Legend { rim_mm: f64::NAN, ..Legend::star("汶川县行政审批局") }), "impression.size");
        let missing = Impression::draw(&Legend::star("汶川县行\u{323AF}局"), face).unwrap_err();
        assert_eq!(missing, ImpressionError::MissingGlyph('\u{323AF}'));
        assert!(missing.message().zh.contains("U+323AF"));
        assert_eq!(refuse(Legend::star("汶川县 行政审批局")), "impression.missing-glyph");
        assert_eq!(refuse(Legend::star("汶川县\u{202E}行政审批局")), "impression.missing-glyph");
    });
}

#[test]
fn svg_has_the_true_size_and_a_raster_survives_in_it() {
    let rgb = vec![200, 0, 0, 0, 0, 0];
    let raster = Raster { width: 2, height: 1, rgb, alpha: vec![255, 0] };
    let svg = Impression { width_mm: 30.0, height_mm: 20.0, picture: Picture::Raster(raster) }.to_svg();
    assert!(svg.contains("width=\"30mm\" height=\"20mm\"") && svg.contains("data:image/png;base64,iVBORw0KGgo"));
    with_face(|face| {
        let svg = Impression::draw(&Legend::star("汶川县行政审批局"), face).unwrap().to_svg();
        assert!(
            svg.contains("width=\"42mm\"") && svg.contains("<path fill=\"#da121a\" d=\"M42.000 21.000C"),
            "{svg:.200}"
        );
    });
}

#[test]
fn an_emblem_stands_in_the_middle_inside_its_circle() {
    with_face(|face| {
        let square = [(0.0, 0.0), (30.0, 0.0), (30.0, 30.0), (0.0, 30.0)];
        let segments = square.iter().map(|p| Segment::Line(p.0, p.1)).collect::<Vec<_>>();
        let shape = Shape { rgb: [1, 2, 3], segments: [vec![Segment::Move(0.0, 0.0)], segments].concat() };
        let emblem = Impression { width_mm: 30.0, height_mm: 30.0, picture: Picture::Vector(vec![shape]) };
        let legend = Legend { centre: Centre::picture(&emblem).unwrap(), ..Legend::star("汶川县人民政府") };
        let drawn = Impression::draw(&legend, face).unwrap();
        let last = contours(&drawn).pop().unwrap();
        assert!(last.iter().all(|p| (p.0 - 21.0).hypot(p.1 - 21.0) < 7.4));
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// 4 to 40 characters, any purpose and number: everything within the rim and no two characters touch.
    #[test]
    fn nothing_touches(length in 4usize..=40, purpose in 0usize..=8, numbered: bool, star: bool) {
        let legend = Legend {
            purpose: (purpose >= 2).then(|| name_of(purpose)),
            number: numbered.then(|| "51322100000001".to_owned()),
            ..if star { Legend::star(name_of(length)) } else { Legend::special(name_of(length), "审批") }
        };
        with_face(|face| {
            let whole = match Impression::draw(&legend, face) {
                // Up to 30 characters always fit; beyond, a seal maker too may ask for a larger seal.
                Err(ImpressionError::TooTight { .. }) if length > 30 => return,
                drawn => drawn.unwrap(),
            };
            let middle = legend.diameter_mm / 2.0;
            let inside = middle - legend.rim_mm;
            let contours = contours(&whole);
            for (x, y) in contours.iter().skip(2).flatten() {
                assert!((x - middle).hypot(y - middle) < inside - 0.2, "ink on the rim");
            }
            let pieces = super::draw::pieces(&legend, face).unwrap();
            for (i, a) in pieces.iter().enumerate() {
                for b in &pieces[i + 1..] {
                    prop_assert_gap(a, b);
                }
            }
        });
    }
}

/// At least a fourteenth of a millimetre (a dot at 360 dpi) between two pieces of ink, each given by its convex hull.
fn prop_assert_gap(a: &[(f64, f64)], b: &[(f64, f64)]) {
    // Separating axis: two convex sets are apart when some edge normal of one of them separates them.
    let (a, b) = (hull(a), hull(b));
    let apart = [&a, &b].into_iter().flat_map(|h| h.iter().zip(h.iter().cycle().skip(1))).map(|(p, q)| {
        let length = (q.0 - p.0).hypot(q.1 - p.1).max(1e-12);
        let normal = ((q.1 - p.1) / length, (p.0 - q.0) / length);
        let along = |h: &[(f64, f64)]| {
            let on = h.iter().map(|v| v.0 * normal.0 + v.1 * normal.1);
            (on.clone().fold(f64::MAX, f64::min), on.fold(f64::MIN, f64::max))
        };
        let ((a0, a1), (b0, b1)) = (along(&a), along(&b));
        (b0 - a1).max(a0 - b1)
    });
    let gap = apart.fold(f64::MIN, f64::max);
    assert!(gap > 0.07, "characters {gap:.3} mm apart");
}

/// Convex hull, monotone chain.
fn hull(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap());
    let half = |points: &mut dyn Iterator<Item = (f64, f64)>| {
        let mut chain: Vec<(f64, f64)> = Vec::new();
        for p in points {
            while let [.., a, b] = chain[..] {
                if (b.0 - a.0) * (p.1 - a.1) - (b.1 - a.1) * (p.0 - a.0) > 0.0 {
                    break;
                }
                chain.pop();
            }
            chain.push(p);
        }
        chain.pop();
        chain
    };
    let mut lower = half(&mut sorted.iter().copied());
    lower.extend(half(&mut sorted.iter().rev().copied()));
    lower
}
