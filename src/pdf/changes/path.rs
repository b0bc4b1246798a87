//! A path as content streams write it (ISO 32000-1 §8.5.2).

use super::canvas::Outline;
use crate::pdf::matrix::Matrix;

/// Cells from a picture's corner, beyond which readers bring points nearer, each in its own way.
pub(super) const FAR: f64 = 16_000.0;

/// A path under way, in cells.
#[derive(Default)]
pub(super) struct Path {
    pub outline: Outline,
    /// Where the pen is, as it was written.
    pen: (f64, f64),
}

impl Path {
    /// §8.5.2. False where readers would differ: without a point to start from, or out of all bounds.
    pub fn add(&mut self, word: &[u8], points: &[f64], matrix: Matrix) -> bool {
        let at = |x: f64, y: f64| matrix.apply(x, y);
        let corners = match points {
            &[a, b, w, h] if word == b"re" => vec![a, b, a + w, b + h],
            points => points.to_vec(),
        };
        let near = corners
            .chunks_exact(2)
            .map(|pair| at(pair.first().copied().unwrap_or(0.0), pair.last().copied().unwrap_or(0.0)));
        if !near.into_iter().all(|(x, y)| x.abs() < FAR && y.abs() < FAR) {
            return false;
        }
        let (x, y) = self.pen;
        let ok = match (word, points) {
            (b"m", &[a, b]) => {
                self.outline.begin(at(a, b));
                true
            }
            (b"l", &[a, b]) => self.outline.line(at(a, b)),
            (b"c", &[a, b, c, d, e, f]) => self.outline.curve(at(a, b), at(c, d), at(e, f)),
            (b"v", &[c, d, e, f]) => self.outline.curve(at(x, y), at(c, d), at(e, f)),
            (b"y", &[a, b, e, f]) => self.outline.curve(at(a, b), at(e, f), at(e, f)),
            (b"re", &[a, b, w, h]) => {
                self.outline.begin(at(a, b));
                for (x, y) in [(a + w, b), (a + w, b + h), (a, b + h)] {
                    self.outline.line(at(x, y));
                }
                self.outline.close();
                true
            }
            (b"h", _) => {
                self.outline.close();
                true
            }
            _ => false,
        };
        match (word, points) {
            (b"re", &[a, b, ..]) => self.pen = (a, b),
            (_, [.., a, b]) => self.pen = (*a, *b),
            _ => {}
        }
        ok
    }
}
