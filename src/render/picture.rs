//! Filed pictures of seals (印模): PNG or SVG on a transparent ground, taken at a stated size in millimetres.

use std::io::Cursor;

use image::{ImageFormat, ImageReader, Limits};
use usvg::tiny_skia_path::{Path, PathSegment, Point, Transform};
use usvg::{FillRule, Group, Node, Options, Paint, Tree, roxmltree};

use crate::impression::{Impression, Picture, Raster, Segment, Shape};
use crate::limits::{PICTURE_BYTES, PICTURE_SEGMENTS, PICTURE_SIDE};
use crate::message::Message;

/// Seals run from small ovals (30 × 20 mm) to 60 mm (国发〔1999〕25号; standards 4.1, 4.2).
const SIZE_MM: std::ops::RangeInclusive<f64> = 10.0..=60.0;
/// Dots an inch under which a printed seal shows steps (standards 4.2).
const LEAST_DPI: f64 = 300.0;
/// How far the picture's proportions may differ from the stated ones.
const PROPORTION: f64 = 0.01;

/// Why a supplied picture was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", self.message())]
pub enum PictureError {
    /// Bytes, more than the limit.
    TooLarge(usize),
    /// Stated size in mm outside 10 to 60, or not the picture's proportions.
    Size { width_mm: f64, height_mm: f64 },
    /// Dots an inch that the stated size gives.
    Coarse { dpi: f64 },
    /// The ground is not transparent, or nothing is drawn on it.
    Ground,
    /// Not a PNG or SVG that can be read.
    Unreadable(String),
    /// The SVG uses something other than filled or stroked paths in plain colours.
    Unsupported(String),
}

/// Reads a PNG at its stated size.
///
/// # Errors
/// [`PictureError`]: larger than the limits, under 300 dpi, ground not transparent, or broken.
pub fn read_png(bytes: &[u8], width_mm: f64, height_mm: f64) -> Result<Impression, PictureError> {
    check_bytes(bytes)?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Png);
    let mut limits = Limits::default();
    limits.max_image_width = Some(PICTURE_SIDE);
    limits.max_image_height = Some(PICTURE_SIDE);
    limits.max_alloc = Some(u64::from(PICTURE_SIDE) * u64::from(PICTURE_SIDE) * 8);
    reader.limits(limits);
    let picture = reader.decode().map_err(|e| PictureError::Unreadable(e.to_string()))?;
    if !picture.color().has_alpha() {
        return Err(PictureError::Ground);
    }
    let picture = picture.into_rgba8();
    let (width, height) = picture.dimensions();
    check_size(width_mm, height_mm, f64::from(width), f64::from(height))?;
    let dpi = (f64::from(width) / width_mm).min(f64::from(height) / height_mm) * 25.4;
    if dpi < LEAST_DPI {
        return Err(PictureError::Coarse { dpi });
    }
    let rgb = picture.pixels().flat_map(|p| [p.0[0], p.0[1], p.0[2]]).collect();
    let alpha: Vec<u8> = picture.pixels().map(|p| p.0[3]).collect();
    // A seal is mostly ground; a scan with its paper is mostly opaque.
    let clear = alpha.iter().filter(|a| **a < 8).count() as f64 / alpha.len().max(1) as f64;
    if !(0.2..0.999).contains(&clear) {
        return Err(PictureError::Ground);
    }
    Ok(Impression { width_mm, height_mm, picture: Picture::Raster(Raster { width, height, rgb, alpha }) })
}

/// Reads an SVG at its stated size: filled and stroked paths in plain colours, and nothing that is looked up elsewhere.
///
/// # Errors
/// [`PictureError`]: text (convert it to paths), pictures, links, effects, a full ground, or broken.
pub fn read_svg(bytes: &[u8], width_mm: f64, height_mm: f64) -> Result<Impression, PictureError> {
    check_bytes(bytes)?;
    let unreadable = |e: &dyn std::fmt::Display| PictureError::Unreadable(e.to_string());
    let text = std::str::from_utf8(bytes).map_err(|e| unreadable(&e))?;
    // No DTD: entities are how an XML file grows without bound.
    let limits = roxmltree::ParsingOptions { allow_dtd: false, nodes_limit: 100_000, ..Default::default() };
    let xml = roxmltree::Document::parse_with_options(text, limits).map_err(|e| unreadable(&e))?;
    check_elements(&xml)?;
    let tree = Tree::from_xmltree(&xml, &Options::default()).map_err(|e| unreadable(&e))?;
    let (width, height) = (f64::from(tree.size().width()), f64::from(tree.size().height()));
    check_size(width_mm, height_mm, width, height)?;

    let (sx, sy) = (width_mm / width, height_mm / height);
    let mut drawing = Drawing { shapes: Vec::new(), segments: 0, sx, sy };
    drawing.group(tree.root())?;
    if drawing.shapes.is_empty() || drawing.shapes.iter().any(|s| is_ground(s, width_mm * height_mm)) {
        return Err(PictureError::Ground);
    }
    Ok(Impression { width_mm, height_mm, picture: Picture::Vector(drawing.shapes) })
}

fn check_bytes(bytes: &[u8]) -> Result<(), PictureError> {
    if bytes.len() > PICTURE_BYTES { Err(PictureError::TooLarge(bytes.len())) } else { Ok(()) }
}

fn check_size(width_mm: f64, height_mm: f64, width: f64, height: f64) -> Result<(), PictureError> {
    let in_range = SIZE_MM.contains(&width_mm) && SIZE_MM.contains(&height_mm);
    let same_shape = (width_mm / height_mm / (width / height) - 1.0).abs() <= PROPORTION;
    if in_range && same_shape { Ok(()) } else { Err(PictureError::Size { width_mm, height_mm }) }
}

/// A list of what may appear: what the reader would silently leave out must not be in a seal.
fn check_elements(xml: &roxmltree::Document<'_>) -> Result<(), PictureError> {
    const SVG: &str = "http://www.w3.org/2000/svg";
    const DRAWN: [&str; 12] =
        ["svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "defs", "title", "desc"];
    let drawn = xml.descendants().filter(|n| n.is_element() && n.tag_name().namespace().is_none_or(|ns| ns == SVG));
    for node in drawn {
        let name = node.tag_name().name();
        if !DRAWN.contains(&name) && name != "metadata" {
            return Err(PictureError::Unsupported(name.into()));
        }
        if let Some(link) = node.attributes().find(|a| a.name() == "href" || a.value().contains("url(")) {
            return Err(PictureError::Unsupported(format!("{} {}", name, link.name())));
        }
    }
    Ok(())
}

/// Collects the filled areas; `sx`, `sy` turn the SVG's units into mm.
struct Drawing {
    shapes: Vec<Shape>,
    segments: usize,
    sx: f64,
    sy: f64,
}

impl Drawing {
    fn group(&mut self, group: &Group) -> Result<(), PictureError> {
        let plain = group.opacity().get() == 1.0
            && group.clip_path().is_none()
            && group.mask().is_none()
            && group.filters().is_empty();
        if !plain {
            return Err(PictureError::Unsupported("opacity, clip, mask, filter".into()));
        }
        for node in group.children() {
            match node {
                Node::Group(group) => self.group(group)?,
                Node::Path(path) => self.path(path)?,
                Node::Image(_) => return Err(PictureError::Unsupported("image".into())),
                Node::Text(_) => return Err(PictureError::Unsupported("text".into())),
            }
        }
        Ok(())
    }

    fn path(&mut self, path: &usvg::Path) -> Result<(), PictureError> {
        if !path.is_visible() {
            return Ok(());
        }
        if let Some(fill) = path.fill() {
            // An Impression fills by the non-zero rule; for one contour without crossings the rules agree.
            let contours = path.data().segments().filter(|s| matches!(s, PathSegment::MoveTo(_))).count();
            if fill.rule() == FillRule::EvenOdd && contours > 1 {
                return Err(PictureError::Unsupported("fill-rule evenodd".into()));
            }
            self.area(path.data(), path.abs_transform(), fill.paint(), fill.opacity().get())?;
        }
        if let Some(stroke) = path.stroke() {
            if stroke.dasharray().is_some() {
                return Err(PictureError::Unsupported("stroke-dasharray".into()));
            }
            let scale = self.sx.max(self.sy) as f32 * 10.0;
            let outline = path.data().stroke(&stroke.to_tiny_skia(), scale.max(1.0));
            let outline = outline.ok_or_else(|| PictureError::Unreadable("stroke".into()))?;
            self.area(&outline, path.abs_transform(), stroke.paint(), stroke.opacity().get())?;
        }
        Ok(())
    }

    fn area(&mut self, path: &Path, transform: Transform, paint: &Paint, opacity: f32) -> Result<(), PictureError> {
        let Paint::Color(colour) = paint else { return Err(PictureError::Unsupported("gradient, pattern".into())) };
        if opacity != 1.0 {
            return Err(PictureError::Unsupported("opacity".into()));
        }
        let path = path.clone().transform(transform).ok_or_else(|| PictureError::Unreadable("transform".into()))?;
        let mm = |p: Point| (f64::from(p.x) * self.sx, f64::from(p.y) * self.sy);
        let mut at = Point::zero();
        let mut segments = Vec::new();
        for segment in path.segments() {
            segments.push(match segment {
                PathSegment::MoveTo(p) => {
                    at = p;
                    Segment::Move(mm(p).0, mm(p).1)
                }
                PathSegment::LineTo(p) => {
                    at = p;
                    Segment::Line(mm(p).0, mm(p).1)
                }
                PathSegment::QuadTo(c, p) => {
                    let (from, c, to) = (mm(at), mm(c), mm(p));
                    at = p;
                    let third = |e: (f64, f64)| (e.0 + 2.0 / 3.0 * (c.0 - e.0), e.1 + 2.0 / 3.0 * (c.1 - e.1));
                    Segment::Cubic { c1: third(from), c2: third(to), to }
                }
                PathSegment::CubicTo(c1, c2, p) => {
                    at = p;
                    Segment::Cubic { c1: mm(c1), c2: mm(c2), to: mm(p) }
                }
                PathSegment::Close => Segment::Close,
            });
        }
        self.segments += segments.len();
        if self.segments > PICTURE_SEGMENTS {
            return Err(PictureError::TooLarge(self.segments));
        }
        self.shapes.push(Shape { rgb: [colour.red, colour.green, colour.blue], segments });
        Ok(())
    }
}

/// A shape over nine tenths of the picture, or a near-white one over three tenths (a disc under a round seal), is paper.
fn is_ground(shape: &Shape, whole: f64) -> bool {
    let share = area(&shape.segments).abs() / whole;
    share > 0.9 || (share > 0.3 && shape.rgb.iter().all(|c| *c > 240))
}

/// Signed area by the corner points (curves by their control points): a ring's two circles subtract.
fn area(segments: &[Segment]) -> f64 {
    let (mut sum, mut start, mut at) = (0.0, (0.0, 0.0), (0.0, 0.0));
    let mut go = |at: &mut (f64, f64), to: (f64, f64)| {
        sum += at.0 * to.1 - to.0 * at.1;
        *at = to;
    };
    for segment in segments {
        match *segment {
            Segment::Move(x, y) => {
                go(&mut at, start);
                (start, at) = ((x, y), (x, y));
            }
            Segment::Line(x, y) => go(&mut at, (x, y)),
            Segment::Cubic { c1, c2, to } => [c1, c2, to].into_iter().for_each(|p| go(&mut at, p)),
            Segment::Close => go(&mut at, start),
        }
    }
    go(&mut at, start);
    sum / 2.0
}

impl PictureError {
    /// What was wrong and what to do next.
    pub fn message(&self) -> Message {
        match self {
            Self::TooLarge(has) => Message::new(
                "picture.too-large",
                format!("印模图片过大（{has}）；图片文件不得超过{PICTURE_BYTES}字节，路径不得超过{PICTURE_SEGMENTS}段"),
                format!(
                    "the picture is too large ({has}); at most {PICTURE_BYTES} bytes and {PICTURE_SEGMENTS} path steps"
                ),
            ),
            Self::Size { width_mm, height_mm } => Message::new(
                "picture.size",
                format!("印模尺寸{width_mm}×{height_mm}毫米有误；应为10至60毫米，且与图片长宽比一致"),
                format!(
                    "a size of {width_mm} x {height_mm} mm is wrong; 10 to 60 mm, in the picture's own proportions"
                ),
            ),
            Self::Coarse { dpi } => Message::new(
                "picture.coarse",
                format!("印模图片分辨率为{dpi:.0}dpi，低于300dpi；请提供更清晰的图片或SVG"),
                format!("the picture has {dpi:.0} dpi at this size, under 300; supply a finer one, or an SVG"),
            ),
            Self::Ground => Message::new(
                "picture.ground",
                "印模图片底色不透明，或没有图形；请提供透明底的PNG或SVG",
                "the picture's ground is not transparent, or nothing is drawn on it; supply a PNG or SVG with a transparent ground",
            ),
            Self::Unreadable(detail) => Message::new(
                "picture.unreadable",
                format!("无法读取印模图片：{detail}；请重新导出"),
                format!("the picture cannot be read: {detail}; export it again"),
            ),
            Self::Unsupported(what) => Message::new(
                "picture.unsupported",
                format!("印模SVG中有不支持的内容：{what}；请把文字和效果都转为单色路径，并去掉外部引用"),
                format!("the SVG uses {what}; turn text and effects into plain paths, and remove references"),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use image::{ExtendedColorType, ImageEncoder};

    use super::*;

    /// A PNG of a red square ring; `ground` is the alpha outside it.
    fn png(side: u32, ground: u8) -> Vec<u8> {
        let pixel =
            |x: u32, y: u32| if x < side / 8 || y < side / 8 { [220, 0, 0, 255] } else { [255, 255, 255, ground] };
        let pixels: Vec<u8> = (0..side * side).flat_map(|i| pixel(i % side, i / side)).collect();
        let mut file = Vec::new();
        let encoder = image::codecs::png::PngEncoder::new(&mut file);
        encoder.write_image(&pixels, side, side, ExtendedColorType::Rgba8).unwrap();
        file
    }

    fn svg(body: &str) -> Result<Impression, PictureError> {
        let svg = format!("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 100 100\">{body}</svg>");
        read_svg(svg.as_bytes(), 40.0, 40.0)
    }

    #[test]
    fn png_is_taken_at_its_size_and_refused_when_coarse_opaque_or_huge() {
        let taken = read_png(&png(600, 0), 42.0, 42.0).unwrap();
        let Picture::Raster(raster) = &taken.picture else { panic!("not a raster") };
        assert_eq!((raster.width, raster.rgb.len(), raster.alpha.len()), (600, 600 * 600 * 3, 600 * 600));
        assert_eq!((raster.alpha[0], raster.alpha[600 * 600 - 1], taken.width_mm), (255, 0, 42.0));

        assert!(matches!(read_png(&png(400, 0), 42.0, 42.0), Err(PictureError::Coarse { dpi }) if dpi < 242.0));
        assert_eq!(read_png(&png(600, 255), 42.0, 42.0), Err(PictureError::Ground));
        assert!(matches!(read_png(&png(600, 0), 42.0, 30.0), Err(PictureError::Size { .. })));
        assert!(matches!(read_png(&png(600, 0), f64::NAN, 42.0), Err(PictureError::Size { .. })));
        assert!(matches!(read_png(&png(3001, 0), 42.0, 42.0), Err(PictureError::Unreadable(_))));
        assert!(matches!(read_png(&png(600, 0)[..500], 42.0, 42.0), Err(PictureError::Unreadable(_))));
        assert!(matches!(read_png(&vec![0; PICTURE_BYTES + 1], 42.0, 42.0), Err(PictureError::TooLarge(_))));
    }

    #[test]
    fn svg_paths_and_strokes_become_areas_in_millimetres() {
        let drawn =
            svg(r##"<g transform="translate(50 50)"><circle r="45" fill="none" stroke="#da121a" stroke-width="10"/>
            <path fill="red" d="M-5 0L5 0L0 10Z"/></g>"##)
            .unwrap();
        let Picture::Vector(shapes) = &drawn.picture else { panic!("not a vector") };
        assert_eq!((shapes.len(), shapes[0].rgb, shapes[1].rgb), (2, [0xda, 0x12, 0x1a], [255, 0, 0]));
        assert_eq!(shapes[1].segments[0], Segment::Move(18.0, 20.0));
        // The ring: from radius 40 to 50 of 50 units, that is 16 to 20 mm.
        let ring = std::f64::consts::PI * (400.0 - 256.0);
        assert!((area(&shapes[0].segments).abs() / ring - 1.0).abs() < 0.15, "{}", area(&shapes[0].segments));
    }

    #[test]
    fn svg_with_anything_that_would_be_lost_or_fetched_is_refused() {
        let red = "<path fill='red' d='M10 10h9v9z'/>";
        let unsupported = [
            "<text x='1' y='9'>章</text>",
            "<image href='file:///etc/passwd' width='9' height='9'/>",
            "<use href='http://example/x.svg#a'/>",
            "<foreignObject/>",
            "<script>1</script>",
            "<style>@import url(http://example/a.css)</style>",
            "<path fill='url(#g)' d='M0 0h9v9z'/>",
            "<g opacity='.5'><path d='M0 0h9v9z'/></g>",
            "<path fill-opacity='.5' d='M0 0h9v9z'/>",
            "<path fill-rule='evenodd' d='M0 0h9v9zM1 1h3v3z'/>",
            "<path fill='none' stroke='red' stroke-dasharray='1' d='M0 0h9v9z'/>",
        ];
        for body in unsupported {
            let result = svg(&format!("{red}{body}"));
            assert!(matches!(result, Err(PictureError::Unsupported(_))), "{body}: {result:?}");
        }
        for ground in
            ["<rect width='100' height='100' fill='#fff'/>", "<circle cx='50' cy='50' r='49' fill='#fffffe'/>", ""]
        {
            let body = if ground.is_empty() { String::new() } else { format!("{ground}{red}") };
            assert_eq!(svg(&body), Err(PictureError::Ground), "{ground}");
        }
        let bomb =
            "<!DOCTYPE svg [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><svg xmlns='http://www.w3.org/2000/svg'>&b;</svg>";
        assert!(matches!(read_svg(bomb.as_bytes(), 40.0, 40.0), Err(PictureError::Unreadable(_))));
        assert!(matches!(read_svg(b"\x1f\x8b\x08", 40.0, 40.0), Err(PictureError::Unreadable(_))));
    }
}
