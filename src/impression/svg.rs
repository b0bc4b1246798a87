//! The impression for a page of the web: one self-contained SVG.

use std::fmt::Write;

use base64::Engine;

use super::{Impression, Picture, Segment};

impl Impression {
    /// The impression as SVG at its true size in millimetres, with a transparent ground.
    pub fn to_svg(&self) -> String {
        let (w, h) = (self.width_mm, self.height_mm);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}mm\" height=\"{h}mm\" viewBox=\"0 0 {w} {h}\">"
        );
        match &self.picture {
            Picture::Vector(shapes) => {
                for shape in shapes {
                    let [r, g, b] = shape.rgb;
                    svg += &format!("<path fill=\"#{r:02x}{g:02x}{b:02x}\" d=\"{}\"/>", path(&shape.segments));
                }
            }
            Picture::Raster(raster) => {
                let data = base64::engine::general_purpose::STANDARD.encode(raster.png());
                svg += &format!("<image width=\"{w}\" height=\"{h}\" href=\"data:image/png;base64,{data}\"/>");
            }
        }
        svg + "</svg>"
    }
}

/// SVG path data; a thousandth of a millimetre is a hundredth of a dot at 300 dpi.
fn path(segments: &[Segment]) -> String {
    let mut d = String::new();
    for segment in segments {
        // Writing to a String cannot fail.
        let _ = match segment {
            Segment::Move(x, y) => write!(d, "M{x:.3} {y:.3}"),
            Segment::Line(x, y) => write!(d, "L{x:.3} {y:.3}"),
            Segment::Cubic { c1, c2, to } => {
                write!(d, "C{:.3} {:.3} {:.3} {:.3} {:.3} {:.3}", c1.0, c1.1, c2.0, c2.1, to.0, to.1)
            }
            Segment::Close => write!(d, "Z"),
        };
    }
    d
}
