//! The impression (印模): what a seal looks like, in millimetres, before any file format.

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
