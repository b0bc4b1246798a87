//! The impression (印模): what a seal looks like, in millimetres, before any file format.
//!
//! An impression is either drawn here from its legend ([`Legend`], [`Impression::draw`]) or was supplied as a filed
//! picture (read by the render room). Formats place it ([`Place`]): the PDF as the appearance of the signature, the OFD as its
//! stamp, the pages as SVG.

mod draw;
mod legend;
mod place;
mod raster;
mod svg;

pub use legend::{Centre, Legend};
pub use place::{Place, Strip, strips};

use crate::message::Message;

/// A seal's picture at its true size. Origin top left, y down, millimetres.
#[derive(Debug, Clone, PartialEq)]
pub struct Impression {
    pub width_mm: f64,
    pub height_mm: f64,
    pub picture: Picture,
}

/// Vector where the service drew it, raster where a filed picture was supplied.
#[derive(Debug, Clone, PartialEq)]
pub enum Picture {
    Vector(Vec<Shape>),
    Raster(Raster),
}

/// A filled area (non-zero rule), one colour; rings and strokes are outlines too.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    pub rgb: [u8; 3],
    pub segments: Vec<Segment>,
}

/// A path step in millimetres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Segment {
    Move(f64, f64),
    Line(f64, f64),
    Cubic { c1: (f64, f64), c2: (f64, f64), to: (f64, f64) },
    Close,
}

/// 8-bit picture, row by row from the top; `alpha` 0 is transparent ground.
#[derive(Debug, Clone, PartialEq)]
pub struct Raster {
    pub width: u32,
    pub height: u32,
    pub rgb: Vec<u8>,
    pub alpha: Vec<u8>,
}

impl Segment {
    /// The same step with every point moved by `place`.
    pub fn map(self, place: impl Fn(f64, f64) -> (f64, f64)) -> Self {
        match self {
            Self::Move(x, y) => {
                let (x, y) = place(x, y);
                Self::Move(x, y)
            }
            Self::Line(x, y) => {
                let (x, y) = place(x, y);
                Self::Line(x, y)
            }
            Self::Cubic { c1, c2, to } => {
                Self::Cubic { c1: place(c1.0, c1.1), c2: place(c2.0, c2.1), to: place(to.0, to.1) }
            }
            Self::Close => Self::Close,
        }
    }
}

/// Why a seal cannot be drawn.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", self.message())]
pub enum ImpressionError {
    /// The part of the legend, how many characters it has, and how many it may have.
    Length { part: &'static str, has: usize, from: usize, to: usize },
    /// A seal number is 13 or 14 digits (standards 4.4).
    Number(String),
    /// Diameter or rim outside what a seal maker cuts, millimetres.
    Size { diameter_mm: f64, rim_mm: f64 },
    /// The font has no outline for this character of the legend.
    MissingGlyph(char),
    /// The legend does not fit this diameter without characters touching.
    TooTight { characters: usize, diameter_mm: f64 },
}

impl ImpressionError {
    /// What was wrong and what to do next.
    pub fn message(&self) -> Message {
        match self {
            Self::Length { part, has, from, to } => Message::new(
                "impression.length",
                format!("印文（{part}）有{has}个字，应为{from}至{to}个字；请改用规范全称或规范简称"),
                format!(
                    "the legend ({part}) has {has} characters, it must have {from} to {to}; use the unit's legal or approved short name"
                ),
            ),
            Self::Number(number) => Message::new(
                "impression.number",
                format!("印章编号“{number}”不是13或14位数字；请核对备案编号"),
                format!("seal number \"{number}\" is not 13 or 14 digits; check the filed number"),
            ),
            Self::Size { diameter_mm, rim_mm } => Message::new(
                "impression.size",
                format!("直径{diameter_mm}毫米、边宽{rim_mm}毫米不可制章；直径应为30至60毫米，边宽应为0.5至2毫米"),
                format!(
                    "a seal of {diameter_mm} mm with a rim of {rim_mm} mm cannot be made; use 30 to 60 mm and 0.5 to 2 mm"
                ),
            ),
            Self::MissingGlyph(character) => Message::new(
                "impression.missing-glyph",
                format!("字体中没有印文用字“{character}”（U+{:04X}）；请更换印文字体", u32::from(*character)),
                format!(
                    "the font has no glyph for '{character}' (U+{:04X}) of the legend; use another font",
                    u32::from(*character)
                ),
            ),
            Self::TooTight { characters, diameter_mm } => Message::new(
                "impression.too-tight",
                format!("{characters}个字的印文在直径{diameter_mm}毫米的印章上排不下；请加大直径或缩短印文"),
                format!(
                    "{characters} characters do not fit a seal of {diameter_mm} mm; take a larger seal or a shorter legend"
                ),
            ),
        }
    }
}

#[cfg(test)]
mod tests;
