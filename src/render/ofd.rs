//! The pages that Typst laid out, as objects of an OFD document: the same places, glyphs and colours as in the PDF.
//!
//! What OFD objects cannot say here (gradients, clips, stroked letters) is an error and never left out: both files of one
//! licence look the same, or there is none.

use time::Date;
use typst::layout::{Abs, Frame, FrameItem, Point, Transform};
use typst::model::Document as _;
use typst::text::{Glyph, TextItem};
use typst::visualize::{
    self, Curve, CurveItem, FillRule, FixedStroke, Geometry, ImageKind, LineCap, LineJoin, Paint, RasterFormat,
};
use typst_layout::PagedDocument;
use usvg::tiny_skia_path::{PathSegment, Point as SvgPoint, Transform as SvgTransform};

use super::RenderError;
use super::face::Used;
use crate::impression::Segment;
use crate::licence::metadata::Metadata;
use crate::ofd::write::{
    Attachment, Cap, Colour, Document, Image, Join, Matrix, Object, Page, Path, Picture, PictureFormat, Shaped, Stroke,
    Text,
};

/// The document as a package.
pub(super) fn package(
    laid_out: &PagedDocument,
    metadata: &Metadata,
    json: String,
    (id, made_on): ([u8; 16], Date),
) -> Result<Vec<u8>, RenderError> {
    let mut walk = Walk::default();
    let mut pages = Vec::new();
    for page in laid_out.pages() {
        let size = page.frame.size();
        walk.objects = Vec::new();
        if let Some(paint) = page.fill_or_transparent() {
            walk.shape(&Geometry::Rect(size).filled(paint), Transform::identity())?;
        }
        walk.frame(&page.frame, Transform::identity())?;
        let objects = std::mem::take(&mut walk.objects);
        pages.push(Page { width_mm: size.x.to_mm(), height_mm: size.y.to_mm(), objects });
    }
    let faces = walk.faces.iter().map(Used::embedded).collect::<Result<_, _>>();
    let info = laid_out.info();
    Ok(crate::ofd::write::write(&Document {
        id,
        title: info.title.as_ref().map(ToString::to_string).unwrap_or_default(),
        author: info.author.join("、"),
        made_on,
        data: metadata.pairs().to_vec(),
        faces: faces.map_err(|detail| RenderError::Export { detail })?,
        pictures: walk.pictures,
        pages,
        attachments: vec![Attachment {
            name: "data.json".into(),
            usage: "本文件的结构化数据 / the data of this document".into(),
            file: json.into_bytes(),
        }],
    }))
}

/// What was met on the pages so far.
#[derive(Default)]
struct Walk {
    faces: Vec<Used>,
    pictures: Vec<Picture>,
    objects: Vec<Object>,
}

impl Walk {
    fn frame(&mut self, frame: &Frame, at: Transform) -> Result<(), RenderError> {
        for (point, item) in frame.items() {
            let here = at.pre_concat(Transform::translate(point.x, point.y));
            match item {
                FrameItem::Group(group) if group.clip.is_some() => return Err(cannot("a clipped part")),
                FrameItem::Group(group) => self.frame(&group.frame, here.pre_concat(group.transform))?,
                FrameItem::Text(text) => self.text(text, here)?,
                FrameItem::Shape(shape, _) => self.shape(shape, here)?,
                FrameItem::Image(image, size, _) => {
                    let scale = Transform::scale(
                        typst::layout::Ratio::new(size.x.to_mm()),
                        typst::layout::Ratio::new(size.y.to_mm()),
                    );
                    self.image(image.kind(), matrix(here.pre_concat(scale)))?;
                }
                // Nothing to be seen; a page of paper leads nowhere.
                FrameItem::Link(..) | FrameItem::Tag(_) => {}
            }
        }
        Ok(())
    }

    fn text(&mut self, item: &TextItem, here: Transform) -> Result<(), RenderError> {
        if item.stroke.is_some() {
            return Err(cannot("stroked letters"));
        }
        if !item.font.variations().0.is_empty() {
            return Err(cannot("a variable font"));
        }
        let font = item.font.font();
        let known = self.faces.iter().position(|used| used.is(font));
        let face = known.unwrap_or(self.faces.len());
        if known.is_none() {
            self.faces.push(Used::new(font.clone()));
        }
        let Some(used) = self.faces.get_mut(face) else { return Ok(()) };

        // A scale belongs into the letters' size; only what turns or leans needs a matrix.
        let mut matrix = matrix(here);
        let [a, b, c, d, ..] = matrix;
        let scale = if b == 0.0 && c == 0.0 && a == d && a > 0.0 { a } else { 1.0 };
        if scale == a {
            (matrix[0], matrix[3]) = (1.0, 1.0);
        }
        let run = || Text {
            face,
            size_mm: item.size.to_mm() * scale,
            colour: [0; 4],
            matrix,
            characters: String::new(),
            places: Vec::new(),
            width_mm: 0.0,
            shaped: Vec::new(),
        };
        let mm = |em: typst::layout::Em| em.at(item.size).to_mm() * scale;
        let colour = colour(&item.fill)?;
        let (mut runs, mut open, mut x) = (Vec::new(), run(), 0.0);
        for cluster in item.glyphs.chunk_by(|one, next| one.range == next.range) {
            let characters = cluster.first().and_then(|glyph| item.text.get(glyph.range())).unwrap_or_default();
            let mut places = Vec::new();
            for glyph in cluster {
                places.push((x + mm(glyph.x_offset), -mm(glyph.y_offset)));
                x += mm(glyph.x_advance);
            }
            let mut single = characters.chars();
            match (single.next(), single.next(), cluster) {
                (Some(character), None, [glyph]) => {
                    let at = open.places.len();
                    if let Some(glyph) = used.unless_mapped(character, glyph.id) {
                        open.shaped.push(Shaped { at, characters: 1, glyphs: vec![glyph] });
                    }
                    open.characters.push(character);
                    open.places.append(&mut places);
                    open.width_mm = x;
                }
                // A ligature or a composed letter is a run by itself: no reader has to guess which step is whose.
                _ => {
                    runs.push(std::mem::replace(&mut open, run()));
                    let glyphs: Vec<u16> = cluster.iter().map(|glyph: &Glyph| used.glyph(glyph.id)).collect();
                    let shaped = vec![Shaped { at: 0, characters: characters.chars().count(), glyphs }];
                    runs.push(Text { characters: characters.into(), places, width_mm: x, shaped, ..run() });
                }
            }
        }
        runs.push(open);
        let drawn = runs.into_iter().filter(|run| !run.places.is_empty());
        self.objects.extend(drawn.map(|run| Object::Text(Text { colour, ..run })));
        Ok(())
    }

    fn shape(&mut self, shape: &visualize::Shape, here: Transform) -> Result<(), RenderError> {
        let matrix = matrix(here);
        let segments = match &shape.geometry {
            Geometry::Line(to) => vec![CurveItem::Move(Point::zero()), CurveItem::Line(*to)],
            Geometry::Rect(size) => Curve::rect(*size).0,
            Geometry::Curve(curve) => curve.0.clone(),
        };
        let mm = |point: &Point| place(&matrix, point.x.to_mm(), point.y.to_mm());
        let segments = segments.iter().map(|item| match item {
            CurveItem::Move(to) => Segment::Move(mm(to).0, mm(to).1),
            CurveItem::Line(to) => Segment::Line(mm(to).0, mm(to).1),
            CurveItem::Cubic(c1, c2, to) => Segment::Cubic { c1: mm(c1), c2: mm(c2), to: mm(to) },
            CurveItem::Close => Segment::Close,
        });
        let path = Path {
            segments: segments.collect(),
            fill: shape.fill.as_ref().map(colour).transpose()?,
            even_odd: shape.fill_rule == FillRule::EvenOdd,
            stroke: shape.stroke.as_ref().map(|line| stroke(line, scale(&matrix)?)).transpose()?,
        };
        self.objects.push(Object::Path(path));
        Ok(())
    }

    /// `matrix` leads from the unit square to the page.
    fn image(&mut self, kind: &ImageKind, matrix: Matrix) -> Result<(), RenderError> {
        match kind {
            ImageKind::Raster(raster) => {
                let format = match raster.format() {
                    RasterFormat::Exchange(visualize::ExchangeFormat::Png) => PictureFormat::Png,
                    RasterFormat::Exchange(visualize::ExchangeFormat::Jpg) => PictureFormat::Jpeg,
                    _ => return Err(cannot("a picture that is neither PNG nor JPEG")),
                };
                let known = self.pictures.iter().position(|picture| picture.file == raster.data().as_slice());
                let picture = known.unwrap_or(self.pictures.len());
                if known.is_none() {
                    self.pictures.push(Picture { format, file: raster.data().to_vec() });
                }
                self.objects.push(Object::Image(Image { picture, matrix }));
                Ok(())
            }
            ImageKind::Svg(svg) => {
                let size = svg.tree().size();
                let [a, b, c, d, e, f] = matrix;
                let (width, height) = (f64::from(size.width()), f64::from(size.height()));
                self.drawing(svg.tree().root(), &[a / width, b / width, c / height, d / height, e, f])
            }
            ImageKind::Pdf(_) => Err(cannot("a PDF as a picture")),
        }
    }

    /// A drawing's filled and stroked paths.
    fn drawing(&mut self, group: &usvg::Group, onto: &Matrix) -> Result<(), RenderError> {
        let plain = group.opacity().get() == 1.0
            && group.clip_path().is_none()
            && group.mask().is_none()
            && group.filters().is_empty();
        if !plain {
            return Err(cannot("opacity, clip, mask or filter in a drawing"));
        }
        for node in group.children() {
            match node {
                usvg::Node::Group(group) => self.drawing(group, onto)?,
                usvg::Node::Path(path) if path.is_visible() => self.drawn_path(path, onto)?,
                usvg::Node::Path(_) => {}
                usvg::Node::Image(_) | usvg::Node::Text(_) => return Err(cannot("a picture or text in a drawing")),
            }
        }
        Ok(())
    }

    fn drawn_path(&mut self, path: &usvg::Path, onto: &Matrix) -> Result<(), RenderError> {
        let own = path.abs_transform();
        let mm = |point: SvgPoint| {
            let mut point = point;
            own.map_point(&mut point);
            place(onto, f64::from(point.x), f64::from(point.y))
        };
        let (mut at, mut segments) = ((0.0, 0.0), Vec::new());
        for segment in path.data().segments() {
            let (next, to) = match segment {
                PathSegment::MoveTo(p) => (Segment::Move(mm(p).0, mm(p).1), mm(p)),
                PathSegment::LineTo(p) => (Segment::Line(mm(p).0, mm(p).1), mm(p)),
                PathSegment::QuadTo(c, p) => {
                    let (c, to) = (mm(c), mm(p));
                    let third = |e: (f64, f64)| (e.0 + 2.0 / 3.0 * (c.0 - e.0), e.1 + 2.0 / 3.0 * (c.1 - e.1));
                    (Segment::Cubic { c1: third(at), c2: third(to), to }, to)
                }
                PathSegment::CubicTo(c1, c2, p) => (Segment::Cubic { c1: mm(c1), c2: mm(c2), to: mm(p) }, mm(p)),
                PathSegment::Close => (Segment::Close, at),
            };
            segments.push(next);
            at = to;
        }
        let fill = path.fill().map(|fill| svg_colour(fill.paint(), fill.opacity())).transpose()?;
        let even_odd = path.fill().is_some_and(|fill| fill.rule() == usvg::FillRule::EvenOdd);
        let stroke = path.stroke().map(|line| svg_stroke(line, own, onto)).transpose()?;
        self.objects.push(Object::Path(Path { segments, fill, even_odd, stroke }));
        Ok(())
    }
}

fn matrix(from: Transform) -> Matrix {
    [from.sx.get(), from.ky.get(), from.kx.get(), from.sy.get(), from.tx.to_mm(), from.ty.to_mm()]
}

fn place([a, b, c, d, e, f]: &Matrix, x: f64, y: f64) -> (f64, f64) {
    (a * x + c * y + e, b * x + d * y + f)
}

/// How much longer a length becomes; a matrix that stretches in one direction alone would need strokes of two widths.
fn scale([a, b, c, d, ..]: &Matrix) -> Result<f64, RenderError> {
    let (across, down) = (a.hypot(*b), c.hypot(*d));
    let even = (across - down).abs() <= 0.01 * across.max(down) && (a * c + b * d).abs() <= 0.01 * across * down;
    if even { Ok((across * down).sqrt()) } else { Err(cannot("a line drawn under a distortion")) }
}

fn colour(paint: &Paint) -> Result<Colour, RenderError> {
    let Paint::Solid(colour) = paint else { return Err(cannot("a gradient or a tiling")) };
    let rgb = colour.to_rgb();
    Ok([rgb.red, rgb.green, rgb.blue, rgb.alpha].map(|part| (part.clamp(0.0, 1.0) * 255.0).round() as u8))
}

fn stroke(line: &FixedStroke, scale: f64) -> Result<Stroke, RenderError> {
    let mm = |length: Abs| length.to_mm() * scale;
    Ok(Stroke {
        colour: colour(&line.paint)?,
        width_mm: mm(line.thickness),
        cap: match line.cap {
            LineCap::Butt => Cap::Butt,
            LineCap::Round => Cap::Round,
            LineCap::Square => Cap::Square,
        },
        join: match line.join {
            LineJoin::Miter => Join::Miter,
            LineJoin::Round => Join::Round,
            LineJoin::Bevel => Join::Bevel,
        },
        miter_limit: line.miter_limit.get(),
        dashes: line.dash.as_ref().map(|dash| (dash.array.iter().map(|length| mm(*length)).collect(), mm(dash.phase))),
    })
}

fn svg_colour(paint: &usvg::Paint, opacity: usvg::Opacity) -> Result<Colour, RenderError> {
    let usvg::Paint::Color(colour) = paint else { return Err(cannot("a gradient or a pattern in a drawing")) };
    Ok([colour.red, colour.green, colour.blue, opacity.to_u8()])
}

fn svg_stroke(line: &usvg::Stroke, own: SvgTransform, onto: &Matrix) -> Result<Stroke, RenderError> {
    let own = [own.sx, own.ky, own.kx, own.sy, 0.0, 0.0].map(f64::from);
    let scale = scale(&own)? * scale(onto)?;
    let mm = |length: f32| f64::from(length) * scale;
    Ok(Stroke {
        colour: svg_colour(line.paint(), line.opacity())?,
        width_mm: mm(line.width().get()),
        cap: match line.linecap() {
            usvg::LineCap::Butt => Cap::Butt,
            usvg::LineCap::Round => Cap::Round,
            usvg::LineCap::Square => Cap::Square,
        },
        join: match line.linejoin() {
            usvg::LineJoin::Miter | usvg::LineJoin::MiterClip => Join::Miter,
            usvg::LineJoin::Round => Join::Round,
            usvg::LineJoin::Bevel => Join::Bevel,
        },
        miter_limit: f64::from(line.miterlimit().get()),
        dashes: line
            .dasharray()
            .map(|dashes| (dashes.iter().map(|length| mm(*length)).collect(), mm(line.dashoffset()))),
    })
}

fn cannot(what: &str) -> RenderError {
    RenderError::Export { detail: format!("OFD: {what}") }
}

#[cfg(test)]
mod tests;
