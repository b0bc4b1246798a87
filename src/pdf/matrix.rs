//! Coordinate systems and the ways between them (ISO 32000-1 §8.3).

use super::PdfError;
use super::file::File;
use super::object::Object;
use super::page;

/// A matrix of §8.3.3.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Matrix(pub [f64; 6]);

impl Matrix {
    pub const IDENTITY: Self = Self([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);

    pub fn moved(x: f64, y: f64) -> Self {
        Self([1.0, 0.0, 0.0, 1.0, x, y])
    }

    /// From an array of six numbers; none where it is anything else, and the identity where nothing is said.
    pub fn read(file: &File<'_>, written: &Object) -> Result<Option<Self>, PdfError> {
        Ok(match file.resolve(written)? {
            Object::Null => Some(Self::IDENTITY),
            written => {
                page::numbers(file, &written, 6)?.and_then(|numbers| <[f64; 6]>::try_from(numbers).ok()).map(Self)
            }
        })
    }

    /// First this, then `after`.
    pub fn then(self, after: Self) -> Self {
        let (Self([a, b, c, d, e, f]), Self([g, h, i, j, k, l])) = (self, after);
        Self([a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + l])
    }

    pub fn apply(self, x: f64, y: f64) -> (f64, f64) {
        let Self([a, b, c, d, e, f]) = self;
        (a * x + c * y + e, b * x + d * y + f)
    }

    /// How much longer a line gets, at most.
    pub fn growth(self) -> f64 {
        let Self([a, b, c, d, ..]) = self;
        let (sum, area) = (a * a + b * b + c * c + d * d, a * d - b * c);
        // The larger singular value: across, a sheared line is longer than either side.
        ((sum + (sum * sum - 4.0 * area * area).max(0.0).sqrt()) / 2.0).sqrt()
    }

    pub fn inverse(self) -> Option<Self> {
        let Self([a, b, c, d, e, f]) = self;
        let area = a * d - b * c;
        let of = [d / area, -b / area, -c / area, a / area, (c * f - d * e) / area, (b * e - a * f) / area];
        of.iter().all(|n| n.is_finite()).then_some(Self(of))
    }

    /// The smallest upright rectangle around a rectangle that went through it: left, bottom, right, top.
    pub fn around(self, [left, bottom, right, top]: [f64; 4]) -> [f64; 4] {
        self.around_all(&[(left, bottom), (right, bottom), (left, top), (right, top)])
    }

    /// As [`Self::around`], of points.
    pub fn around_all(self, points: &[(f64, f64)]) -> [f64; 4] {
        let points = points.iter().map(|&(x, y)| self.apply(x, y));
        points.fold([f64::MAX, f64::MAX, f64::MIN, f64::MIN], |[l, b, r, t], (x, y)| {
            [l.min(x), b.min(y), r.max(x), t.max(y)]
        })
    }
}
