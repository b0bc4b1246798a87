//! Pictures' masks (ISO 32000-1 §8.9.6, §11.6.5.3), as far as they say what is painted.

use super::canvas::within;
use crate::pdf::PdfError;
use crate::pdf::file::File;
use crate::pdf::object::{Object, Stream};
use crate::pdf::page;

/// Points of a mask that is read; seals and signatures have some hundred thousand.
const MASK_POINTS: usize = 4 << 20;

/// Keys of pictures inside of content (§8.9.7), which some readers take for the long ones everywhere.
pub(super) const SHORT: [&[u8]; 8] = [b"D", b"DP", b"F", b"IM", b"W", b"H", b"BPC", b"CS"];

/// A mask as it covers; none where it is too large, or coded in a way that is not read here. `stencil`: 0 paints.
pub(super) fn cover(file: &File<'_>, mask: &Stream, stencil: bool) -> Result<Option<Cover>, PdfError> {
    let number = |key: &[u8]| -> Result<Option<usize>, PdfError> { Ok(file.get(&mask.dict, key)?.count()) };
    let (width, height) = (number(b"Width")?.unwrap_or(0), number(b"Height")?.unwrap_or(0));
    let bits = if stencil { 1 } else { number(b"BitsPerComponent")?.unwrap_or_default() };
    // §11.6.5.3, §8.9.6.3: grey and nothing else; a stencil that says so.
    let space = file.get(&mask.dict, b"ColorSpace")?;
    let says = file.get(&mask.dict, b"ImageMask")? == Object::Bool(true);
    let short = SHORT.iter().any(|key| mask.dict.get(key).is_some());
    if short || says != stencil || !stencil && space.name() != Some(b"DeviceGray") {
        return Ok(None);
    }
    let count = width.checked_mul(height).filter(|count| (1..=MASK_POINTS).contains(count));
    let (Some(count), 1 | 8) = (count, bits) else { return Ok(None) };
    let data = match file.unpacked(mask) {
        Err(limit @ PdfError::OverLimit { what: "bytes read", .. }) => return Err(limit),
        Err(_) => return Ok(None),
        Ok(data) => data,
    };
    let decode = file.get(&mask.dict, b"Decode")?;
    let turned = match page::numbers(file, &decode, 2)?.as_deref() {
        None if decode.is_null() => stencil,
        Some([0.0, 1.0]) => stencil,
        Some([1.0, 0.0]) => !stencil,
        _ => return Ok(None),
    };
    file.pay(count)?;
    let row = (width * bits).div_ceil(8);
    let value = |n: usize| {
        let (x, y) = (n % width, n / width);
        let value = match bits {
            8 => data.get(y * row + x).copied()?,
            _ => 255 * (data.get(y * row + x / 8)? >> (7 - x % 8) & 1),
        };
        Some(if turned { 255 - value } else { value })
    };
    let values: Option<Vec<u8>> = (0..count).map(value).collect();
    Ok(values.map(|values| Cover::new(width, height, &values)))
}

/// A picture that covers by so much at each of its points.
pub(super) struct Cover {
    width: usize,
    height: usize,
    /// Of all points above and left of each corner: a part of any size costs the same, however a matrix bends cells.
    sums: Vec<u32>,
}

impl Cover {
    /// Row by row from the top, 0 to 255; fewer than 2^24 of them.
    pub fn new(width: usize, height: usize, values: &[u8]) -> Self {
        let mut sums = vec![0u32; (width + 1) * (height + 1)];
        for (n, value) in values.iter().enumerate().take(width * height) {
            let at = |column: usize, row: usize| row * (width + 1) + column;
            let (column, row) = (n % width, n / width);
            let sum = |at: usize| sums.get(at).copied().unwrap_or_default();
            let whole = u32::from(*value) + sum(at(column, row + 1)) + sum(at(column + 1, row)) - sum(at(column, row));
            if let Some(place) = sums.get_mut(at(column + 1, row + 1)) {
                *place = whole;
            }
        }
        Self { width, height, sums }
    }

    /// The mean over a part of the unit square, its top at 0.
    pub fn mean(&self, left: f64, top: f64, right: f64, bottom: f64) -> f64 {
        let span = |from: f64, to: f64, cells: usize| within(from * cells as f64, to * cells as f64, cells);
        let (columns, rows) = (span(left, right, self.width), span(top, bottom, self.height));
        let count = columns.len() * rows.len();
        let sum = |column, row| f64::from(self.sums.get(row * (self.width + 1) + column).copied().unwrap_or_default());
        let sum = sum(columns.end, rows.end) + sum(columns.start, rows.start)
            - sum(columns.end, rows.start)
            - sum(columns.start, rows.end);
        if count == 0 { 0.0 } else { sum / count as f64 / 255.0 }
    }
}
