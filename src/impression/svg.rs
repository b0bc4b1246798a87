//! The impression for a page of the web: one self-contained SVG.

use std::fmt::Write;
use std::io::Write as _;

use base64::Engine;
use flate2::{Compression, Crc, write::ZlibEncoder};

use super::{Impression, Picture, Raster, Segment};

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
                let data = base64::engine::general_purpose::STANDARD.encode(png(raster));
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

/// PNG (ISO/IEC 15948) of 8-bit RGBA, every row unfiltered: this room has no picture library.
fn png(raster: &Raster) -> Vec<u8> {
    let mut rows = ZlibEncoder::new(Vec::new(), Compression::default());
    let width = raster.width.max(1) as usize;
    for (rgb, alpha) in raster.rgb.chunks(width * 3).zip(raster.alpha.chunks(width)) {
        let pixels = rgb.chunks_exact(3).zip(alpha);
        let row: Vec<u8> = std::iter::once(0).chain(pixels.flat_map(|(c, a)| c.iter().chain([a])).copied()).collect();
        // Writing to a Vec cannot fail.
        let _ = rows.write_all(&row);
    }
    let mut header = [raster.width.to_be_bytes(), raster.height.to_be_bytes()].concat();
    header.extend([8, 6, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", header), (b"IDAT", rows.finish().unwrap_or_default()), (b"IEND", Vec::new())] {
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
