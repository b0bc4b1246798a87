//! An impression in dots, for readers that draw no paths in seals.

use std::collections::HashMap;
use std::io::Write;

use flate2::{Compression, Crc, write::ZlibEncoder};

use super::{Impression, Picture, Raster, Segment, Shape};

/// Rows that a row of dots is cut into; across, the share that is covered is exact.
const CUTS: usize = 4;
/// Pieces of a curve: of a seal's longest, a quarter of its rim, each is 2 mm and leaves the curve by 0.02 mm.
const PIECES: u32 = 16;
/// Of an edge: more are not seen, and each makes the picture larger.
const SHADES: f64 = 16.0;

impl Impression {
    /// The picture in so many dots an inch (at most 1200), on a transparent ground; a filed raster stays as it is.
    pub fn raster(&self, dpi: f64) -> Raster {
        let shapes = match &self.picture {
            Picture::Raster(raster) => return raster.clone(),
            Picture::Vector(shapes) => shapes,
        };
        let dots = dpi.clamp(1.0, 1200.0) / 25.4;
        let side = |mm: f64| (mm * dots).round().clamp(1.0, 4096.0) as usize;
        let (width, height) = (side(self.width_mm), side(self.height_mm));
        let mut raster = Raster {
            width: width as u32,
            height: height as u32,
            rgb: vec![255; width * height * 3],
            alpha: vec![0; width * height],
        };
        for shape in shapes {
            let covered = coverage(shape, dots, width, height);
            let dots = raster.rgb.chunks_exact_mut(3).zip(&mut raster.alpha).zip(covered);
            for ((rgb, alpha), covered) in dots.filter(|(_, covered)| *covered > 0.0) {
                // Over what is there (ISO/IEC 15948 §13.16, colours not multiplied by alpha).
                let below = f64::from(*alpha) / 255.0 * (1.0 - covered);
                let whole = covered + below;
                for (part, ink) in rgb.iter_mut().zip(shape.rgb) {
                    *part = ((f64::from(ink) * covered + f64::from(*part) * below) / whole).round() as u8;
                }
                *alpha = (whole * (SHADES - 1.0)).round() as u8 * (255.0 / (SHADES - 1.0)) as u8;
            }
        }
        raster
    }
}

impl Raster {
    /// PNG (ISO/IEC 15948), every row unfiltered: this room has no picture library. A drawn seal has one ink in few shades, so
    /// it is written with a palette, which is a fraction of RGBA: the picture lies in every document twice, and is hashed with it.
    pub fn png(&self) -> Vec<u8> {
        let dots = self.rgb.chunks_exact(3).zip(&self.alpha).filter_map(|(rgb, alpha)| match *rgb {
            [red, green, blue] => Some([red, green, blue, *alpha]),
            _ => None,
        });
        let mut places = HashMap::new();
        let mut palette = Vec::new();
        for dot in dots.clone() {
            // One more than fits tells that there are too many.
            if palette.len() <= 256 && !places.contains_key(&dot) {
                places.insert(dot, palette.len() as u8);
                palette.push(dot);
            }
        }
        let width = self.width.max(1) as usize;
        let row = |dots: &[[u8; 4]]| match palette.len() {
            ..=256 => dots.iter().filter_map(|dot| places.get(dot)).copied().collect(),
            _ => dots.concat(),
        };
        let mut rows = ZlibEncoder::new(Vec::new(), Compression::default());
        for dots in dots.collect::<Vec<_>>().chunks(width) {
            // Writing to a Vec cannot fail.
            let _ = rows.write_all(&[0]).and_then(|()| rows.write_all(&row(dots)));
        }
        let mut header = [self.width.to_be_bytes(), self.height.to_be_bytes()].concat();
        header.extend([8, if palette.len() <= 256 { 3 } else { 6 }, 0, 0, 0]);
        let mut parts = vec![(b"IHDR", header)];
        if palette.len() <= 256 {
            parts.push((b"PLTE", palette.iter().flat_map(|[red, green, blue, _]| [*red, *green, *blue]).collect()));
            parts.push((b"tRNS", palette.iter().map(|[.., alpha]| *alpha).collect()));
        }
        parts.extend([(b"IDAT", rows.finish().unwrap_or_default()), (b"IEND", Vec::new())]);
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        for (kind, data) in parts {
            let mut crc = Crc::new();
            crc.update(kind);
            crc.update(&data);
            file.extend((data.len() as u32).to_be_bytes());
            file.extend(kind);
            file.extend(data);
            file.extend(crc.sum().to_be_bytes());
        }
        file
    }
}

/// How much of each dot lies inside, by the non-zero rule.
fn coverage(shape: &Shape, dots: f64, width: usize, height: usize) -> Vec<f64> {
    let mut crossings: Vec<Vec<(f64, i32)>> = vec![Vec::new(); height * CUTS];
    let scale = |(x, y): (f64, f64)| (x * dots, y * dots * CUTS as f64);
    for (from, to) in lines(&shape.segments).map(|(from, to)| (scale(from), scale(to))) {
        let (top, bottom, turn) = if from.1 < to.1 { (from, to, 1) } else { (to, from, -1) };
        let slope = (bottom.0 - top.0) / (bottom.1 - top.1);
        // Rows are met at their middles.
        let first = (top.1 - 0.5).ceil().max(0.0) as usize;
        for row in first..height * CUTS {
            let middle = row as f64 + 0.5;
            if middle >= bottom.1 {
                break;
            }
            if let Some(row) = crossings.get_mut(row) {
                row.push((top.0 + (middle - top.1) * slope, turn));
            }
        }
    }
    let mut covered = vec![0.0; width * height];
    for (row, met) in crossings.iter_mut().enumerate() {
        met.sort_by(|one, other| one.0.total_cmp(&other.0));
        let Some(line) = covered.get_mut(row / CUTS * width..(row / CUTS + 1) * width) else { continue };
        let mut winding = 0;
        for pair in met.windows(2) {
            let [(from, turn), (to, _)] = pair else { continue };
            winding += turn;
            if winding != 0 {
                fill(line, from.max(0.0), to.min(width as f64));
            }
        }
    }
    covered
}

/// Adds one cut's share from `from` to `to`.
fn fill(line: &mut [f64], from: f64, to: f64) {
    for (x, dot) in line.iter_mut().enumerate().skip(from as usize) {
        let left = x as f64;
        if left >= to {
            break;
        }
        *dot += ((left + 1.0).min(to) - left.max(from)).max(0.0) / CUTS as f64;
    }
}

/// The outline's straight pieces, each contour closed.
fn lines(segments: &[Segment]) -> impl Iterator<Item = ((f64, f64), (f64, f64))> {
    let (mut all, mut start, mut at) = (Vec::new(), (0.0, 0.0), (0.0, 0.0));
    for segment in segments {
        match *segment {
            Segment::Move(x, y) => {
                all.push((at, start));
                (start, at) = ((x, y), (x, y));
            }
            Segment::Line(x, y) => {
                all.push((at, (x, y)));
                at = (x, y);
            }
            Segment::Cubic { c1, c2, to } => {
                let from = at;
                for piece in 1..=PIECES {
                    let t = f64::from(piece) / f64::from(PIECES);
                    let weights = [(1.0 - t).powi(3), 3.0 * t * (1.0 - t).powi(2), 3.0 * t * t * (1.0 - t), t.powi(3)];
                    let sum = |of: fn((f64, f64)) -> f64| {
                        weights.iter().zip([from, c1, c2, to]).map(|(weight, point)| weight * of(point)).sum()
                    };
                    let next = (sum(|point| point.0), sum(|point| point.1));
                    all.push((at, next));
                    at = next;
                }
            }
            Segment::Close => {
                all.push((at, start));
                at = start;
            }
        }
    }
    all.push((at, start));
    // What lies level crosses no row.
    all.into_iter().filter(|(from, to)| from.1 != to.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(from: f64, to: f64, other_way: bool) -> Vec<Segment> {
        let mut corners = [(from, from), (to, from), (to, to), (from, to)];
        if other_way {
            corners.reverse();
        }
        let [first, rest @ ..] = corners;
        let lines = rest.into_iter().map(|(x, y)| Segment::Line(x, y));
        std::iter::once(Segment::Move(first.0, first.1)).chain(lines).chain([Segment::Close]).collect()
    }

    fn drawn(shapes: Vec<Shape>) -> Raster {
        Impression { width_mm: 10.0, height_mm: 10.0, picture: Picture::Vector(shapes) }.raster(25.4)
    }

    #[test]
    fn dots_are_covered_by_their_share_and_holes_stay_open() {
        let ring = [square(1.0, 9.0, false), square(3.5, 6.5, true)].concat();
        let raster = drawn(vec![Shape { rgb: [200, 0, 0], segments: ring.clone() }]);
        let alpha = |x: usize, y: usize| raster.alpha[y * 10 + x];
        assert_eq!((raster.width, alpha(0, 5), alpha(1, 1), alpha(5, 5)), (10, 0, 255, 0));
        assert_eq!((alpha(3, 5), alpha(6, 5)), (136, 136), "half a dot, in sixteen shades");
        assert_eq!(raster.rgb[(5 * 10 + 1) * 3..][..3], [200, 0, 0]);
        // The same way round, the inner square is inside too.
        let full = [square(1.0, 9.0, false), square(3.5, 6.5, false)].concat();
        assert_eq!(drawn(vec![Shape { rgb: [0; 3], segments: full }]).alpha[55], 255);
        // Blue over red.
        let over = vec![
            Shape { rgb: [200, 0, 0], segments: ring },
            Shape { rgb: [0, 0, 200], segments: square(0.0, 5.0, false) },
        ];
        assert_eq!(drawn(over).rgb[(2 * 10 + 2) * 3..][..3], [0, 0, 200]);
    }

    #[test]
    fn a_png_has_every_dot_in_few_colours_and_in_many() {
        let ring = [square(1.0, 9.0, false), square(3.5, 6.5, true)].concat();
        let few = drawn(vec![Shape { rgb: [200, 0, 0], segments: ring }]);
        let rgb = (0..300_u32 * 3).map(|part| (part % 251) as u8).collect();
        let many = Raster { width: 20, height: 15, rgb, alpha: (0..300_u32).map(|dot| (dot % 256) as u8).collect() };
        // One colour too many for a palette.
        let mut more =
            Raster { width: 257, height: 1, rgb: vec![7; 257 * 3], alpha: (0..257_u32).map(|dot| dot as u8).collect() };
        more.rgb[256 * 3] = 8;
        for (raster, colour) in [(few, 3), (many, 6), (more, 6)] {
            let file = raster.png();
            assert_eq!(file[25], colour);
            let read = image::load_from_memory(&file).unwrap().into_rgba8();
            assert_eq!(read.dimensions(), (raster.width, raster.height));
            let dots = raster.rgb.chunks(3).zip(&raster.alpha).flat_map(|(rgb, alpha)| [rgb, &[*alpha]].concat());
            assert!(read.into_raw().into_iter().eq(dots));
        }
    }

    #[test]
    fn a_disc_has_its_area() {
        // Four curves for a circle: 0.5523 of the radius.
        let (r, k) = (4.0, 4.0 * 0.552_284_75);
        let at = |x: f64, y: f64| (5.0 + x, 5.0 + y);
        let curve = |c1, c2, to| Segment::Cubic { c1, c2, to };
        let segments = vec![
            Segment::Move(9.0, 5.0),
            curve(at(r, k), at(k, r), at(0.0, r)),
            curve(at(-k, r), at(-r, k), at(-r, 0.0)),
            curve(at(-r, -k), at(-k, -r), at(0.0, -r)),
            curve(at(k, -r), at(r, -k), at(r, 0.0)),
        ];
        let disc = Impression {
            width_mm: 10.0,
            height_mm: 10.0,
            picture: Picture::Vector(vec![Shape { rgb: [0; 3], segments }]),
        };
        let raster = disc.raster(254.0);
        let area = raster.alpha.iter().map(|alpha| f64::from(*alpha) / 255.0).sum::<f64>() / 100.0;
        assert!((area / (std::f64::consts::PI * r * r) - 1.0).abs() < 0.005, "{area}");
        // Whatever is asked for, it stays within bounds.
        assert_eq!(disc.raster(f64::INFINITY).width, 472);
    }
}
