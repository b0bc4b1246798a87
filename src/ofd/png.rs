//! A filed picture of a seal as PNG (ISO/IEC 15948): what every reader of seals shows.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use crate::impression::Raster;

/// 8 bits, colour with alpha, no filter.
pub fn write(raster: &Raster) -> Vec<u8> {
    let pixels = raster.rgb.chunks_exact(3).zip(&raster.alpha);
    let mut rows = Vec::new();
    for (i, (rgb, alpha)) in pixels.enumerate() {
        if i % (raster.width as usize).max(1) == 0 {
            rows.push(0);
        }
        rows.extend_from_slice(rgb);
        rows.push(*alpha);
    }
    let mut shrinker = ZlibEncoder::new(Vec::new(), Compression::default());
    // Into memory: nothing can fail.
    let shrunk = shrinker.write_all(&rows).and_then(|()| shrinker.finish()).unwrap_or_default();
    let size = [raster.width.to_be_bytes(), raster.height.to_be_bytes()].concat();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut png, b"IHDR", &[&size[..], &[8, 6, 0, 0, 0]].concat());
    chunk(&mut png, b"IDAT", &shrunk);
    chunk(&mut png, b"IEND", &[]);
    png
}

fn chunk(png: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    let mut crc = flate2::Crc::new();
    crc.update(kind);
    crc.update(data);
    for part in [&(data.len() as u32).to_be_bytes()[..], kind, data, &crc.sum().to_be_bytes()] {
        png.extend_from_slice(part);
    }
}
