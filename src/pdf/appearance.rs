//! A seal's picture as PDF draws it, at its true size, made once for each seal.

use super::PdfError;
use super::object::Ref;
use super::page::POINTS_PER_MM;
use super::update::{Update, number};
use crate::impression::{Impression, Picture, Raster, Segment, Shape};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use std::io::Write;

/// The impression's drawing, packed and ready to be written into any file. No fonts: outlines or a picture alone, so
/// nothing needs embedding (ISO 19005-3 §6.2.11.4).
#[derive(Debug, Clone)]
pub struct Appearance {
    pub(super) width_mm: f64,
    pub(super) height_mm: f64,
    drawing: Drawing,
}

#[derive(Debug, Clone)]
enum Drawing {
    Vector(Vec<u8>),
    Raster { width: u32, height: u32, rgb: Vec<u8>, alpha: Vec<u8> },
}

impl Appearance {
    pub fn of(impression: &Impression) -> Self {
        let drawing = match &impression.picture {
            Picture::Vector(shapes) => Drawing::Vector(packed(outlines(shapes, impression.height_mm).as_bytes())),
            Picture::Raster(Raster { width, height, rgb, alpha }) => {
                Drawing::Raster { width: *width, height: *height, rgb: packed(rgb), alpha: packed(alpha) }
            }
        };
        Self { width_mm: impression.width_mm, height_mm: impression.height_mm, drawing }
    }

    /// Bytes it will take in a file, about.
    pub(super) fn weight(&self) -> usize {
        match &self.drawing {
            Drawing::Vector(content) => content.len() + 1024,
            Drawing::Raster { rgb, alpha, .. } => rgb.len() + alpha.len() + 1536,
        }
    }

    /// Writes the drawing, which every picture of this seal in the file shares.
    ///
    /// It is an isolated group: parts of the seal do not darken each other.
    pub(super) fn write(&self, update: &mut Update<'_, '_>) -> Result<Ref, PdfError> {
        let (width, height) = (number(self.width_mm * POINTS_PER_MM), number(self.height_mm * POINTS_PER_MM));
        let frame = self.frame();
        let group = format!("{frame}/Group<</S/Transparency/I true/CS/DeviceRGB>>");
        let drawing = update.new_object()?;
        match &self.drawing {
            Drawing::Vector(content) => {
                update.write_stream(drawing, &format!("{group}/Resources<<>>/Filter/FlateDecode"), content);
            }
            Drawing::Raster { width: columns, height: rows, rgb, alpha } => {
                let size = format!("/Type/XObject/Subtype/Image/Width {columns}/Height {rows}/BitsPerComponent 8");
                let (image, mask) = (update.new_object()?, update.new_object()?);
                update.write_stream(mask, &format!("{size}/ColorSpace/DeviceGray/Filter/FlateDecode"), alpha);
                let colours = format!("{size}/ColorSpace/DeviceRGB/SMask {} 0 R/Filter/FlateDecode", mask.number);
                update.write_stream(image, &colours, rgb);
                let resources = format!("{group}/Resources<</XObject<</I {} 0 R>>>>", image.number);
                update.write_stream(drawing, &resources, format!("{width} 0 0 {height} 0 0 cm /I Do").as_bytes());
            }
        }
        Ok(drawing)
    }

    /// Writes the picture that shows the drawing: a signature's appearance stream (§12.5.5) for a page displayed after so
    /// many clockwise quarter turns, so that the seal stands upright, or without turns a form that pages draw.
    ///
    /// It is painted once with Multiply (§11.3.5.2): red over black stays black and the text under the seal stays
    /// readable.
    pub(super) fn picture(&self, update: &mut Update<'_, '_>, drawing: Ref, turns: u8) -> Result<Ref, PdfError> {
        // Against the turn of the page.
        let matrix = match turns {
            0 => "",
            1 => "/Matrix[0 1 -1 0 0 0]",
            2 => "/Matrix[-1 0 0 -1 0 0]",
            _ => "/Matrix[0 -1 1 0 0 0]",
        };
        let resources = format!("/ExtGState<</M<</Type/ExtGState/BM/Multiply>>>>/XObject<</S {} 0 R>>", drawing.number);
        let picture = update.new_object()?;
        let dict = format!("{}{matrix}/Resources<<{resources}>>", self.frame());
        update.write_stream(picture, &dict, b"/M gs /S Do");
        Ok(picture)
    }

    fn frame(&self) -> String {
        let (width, height) = (number(self.width_mm * POINTS_PER_MM), number(self.height_mm * POINTS_PER_MM));
        format!("/Type/XObject/Subtype/Form/BBox[0 0 {width} {height}]")
    }
}

/// Filled paths in millimetres, with the y axis turned once.
fn outlines(shapes: &[Shape], height_mm: f64) -> String {
    let scale = number(POINTS_PER_MM);
    let mut out = format!("{scale} 0 0 -{scale} 0 {} cm\n", number(height_mm * POINTS_PER_MM));
    let point = |(x, y): (f64, f64)| format!("{} {}", number(x), number(y));
    let mut colour = None;
    for shape in shapes {
        if colour != Some(shape.rgb) {
            let [r, g, b] = shape.rgb.map(|c| number(f64::from(c) / 255.0));
            out.push_str(&format!("{r} {g} {b} rg\n"));
            colour = Some(shape.rgb);
        }
        for segment in &shape.segments {
            match *segment {
                Segment::Move(x, y) => out.push_str(&format!("{} m\n", point((x, y)))),
                Segment::Line(x, y) => out.push_str(&format!("{} l\n", point((x, y)))),
                Segment::Cubic { c1, c2, to } => {
                    out.push_str(&format!("{} {} {} c\n", point(c1), point(c2), point(to)))
                }
                Segment::Close => out.push_str("h\n"),
            }
        }
        out.push_str("f\n");
    }
    out
}

fn packed(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    // Writing into memory cannot fail; an empty stream would show as a missing seal in every test.
    encoder.write_all(plain).and_then(|()| encoder.finish()).unwrap_or_default()
}
