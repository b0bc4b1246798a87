//! Where an appearance paints, on a coarse grid: whether what lies under it can still be read does not follow from its
//! operators one by one (paint over paint, a polygon for a rectangle, a mask without holes), but from what they add up to.

use tiny_skia::{FillRule, Paint, Path, Pixmap, PixmapPaint, Stroke, Transform};

/// Side of a cell where the picture is not too large for that, points of the page.
const CELL: f64 = 2.0;

/// Cells on a side at most; of what is larger they are larger.
const CELLS: f64 = 200.0;

/// What lies under a cell painted so much is not read any more.
const OPAQUE: u8 = 178;

/// Points along and across a line of small type that hide some letters of it. The star of a seal, whose custom it is to
/// stand over text, has no such place.
const WINDOW: [f64; 2] = [30.0, 10.0];

/// A matrix of §8.3.3.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Matrix(pub [f64; 6]);

impl Matrix {
    pub const IDENTITY: Self = Self([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);

    /// From six numbers.
    pub fn read(numbers: &[f64]) -> Option<Self> {
        Some(Self(numbers.try_into().ok()?))
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
        a.hypot(b).max(c.hypot(d))
    }

    fn inverse(self) -> Option<Self> {
        let Self([a, b, c, d, e, f]) = self;
        let area = a * d - b * c;
        let of = [d / area, -b / area, -c / area, a / area, (c * f - d * e) / area, (b * e - a * f) / area];
        of.iter().all(|n| n.is_finite()).then_some(Self(of))
    }

    /// The smallest upright rectangle around a rectangle that went through it: left, bottom, right, top.
    pub fn around(self, [left, bottom, right, top]: [f64; 4]) -> [f64; 4] {
        let corners = [(left, bottom), (right, bottom), (left, top), (right, top)].map(|(x, y)| self.apply(x, y));
        corners.iter().fold([f64::MAX, f64::MAX, f64::MIN, f64::MIN], |[l, b, r, t], &(x, y)| {
            [l.min(x), b.min(y), r.max(x), t.max(y)]
        })
    }
}

/// A picture that covers by so much at each of its points.
pub(super) struct Cover {
    width: usize,
    height: usize,
    /// Of all points above and left of each corner: a part of any size costs the same, however a matrix bends cells.
    sums: Vec<u32>,
}

/// What was painted of a picture so far. Colours are not kept, but how much of what lay there they leave to be seen.
#[derive(Clone)]
pub(super) struct Canvas {
    cells: Pixmap,
    /// Cells to a point.
    fineness: f64,
}

impl Canvas {
    /// For a picture so wide and high, points.
    pub fn new(width: f64, height: f64) -> Option<Self> {
        let fineness = (CELLS / width.max(height)).min(1.0 / CELL);
        let cells = |side: f64| (side * fineness).ceil().max(1.0) as u32;
        Some(Self { cells: Pixmap::new(cells(width), cells(height))?, fineness })
    }

    /// The same with nothing on it.
    pub fn blank(&self) -> Option<Self> {
        Some(Self { cells: Pixmap::new(self.cells.width(), self.cells.height())?, ..*self })
    }

    /// From points of the picture to cells.
    pub fn fineness(&self) -> Matrix {
        Matrix([self.fineness, 0.0, 0.0, self.fineness, 0.0, 0.0])
    }

    /// Its size, as bytes.
    pub fn key(&self) -> Vec<u8> {
        [self.cells.width(), self.cells.height()].iter().flat_map(|side| side.to_be_bytes()).collect()
    }

    /// What it costs to paint all of it once, in operators.
    pub fn cost(&self) -> usize {
        self.cells.pixels().len() / 256
    }

    /// Paints what a path encloses, in cells.
    pub fn fill(&mut self, path: &Path, rule: FillRule, opacity: f64) {
        self.cells.fill_path(path, &paint(opacity), rule, Transform::identity(), None);
    }

    /// Paints along a path, in cells.
    pub fn stroke(&mut self, path: &Path, width: f64, opacity: f64) {
        let stroke = Stroke { width: width.clamp(0.01, 1e4) as f32, ..Stroke::default() };
        self.cells.stroke_path(path, &paint(opacity), &stroke, Transform::identity(), None);
    }

    /// Paints a picture on the unit square that `place` brings to cells; cells get the mean of what falls on them.
    pub fn picture(&mut self, place: Matrix, cover: &Cover, opacity: f64) {
        let Some(back) = place.inverse() else { return };
        let [left, bottom, right, top] = place.around([0.0, 0.0, 1.0, 1.0]);
        let (wide, high) = (self.cells.width(), self.cells.height());
        let within = |from: f64, to: f64, most: u32| {
            (from.floor().clamp(0.0, most.into()) as u32)..(to.ceil().clamp(0.0, most.into()) as u32)
        };
        let Some(mut painted) = Pixmap::new(wide, high) else { return };
        for row in within(bottom, top, high) {
            for column in within(left, right, wide) {
                let (x, y) = (f64::from(column), f64::from(row));
                let [l, b, r, t] = back.around([x, y, x + 1.0, y + 1.0]);
                let value = cover.mean(l, 1.0 - t, r, 1.0 - b) * opacity;
                let at = (row * wide + column) as usize;
                if let (Some(cell), Some(value)) = (painted.pixels_mut().get_mut(at), black(value)) {
                    *cell = value;
                }
            }
        }
        self.lay(&Self { cells: painted, ..*self });
    }

    /// Lays another's paint over this.
    pub fn lay(&mut self, over: &Self) {
        self.cells.draw_pixmap(0, 0, over.cells.as_ref(), &PixmapPaint::default(), Transform::identity(), None);
    }

    /// Whether some letters in a line, upright or not, could not be read under it.
    pub fn hides_words(&self) -> bool {
        let (wide, high) = (self.cells.width() as usize, self.cells.height() as usize);
        // Painted cells above and left of each corner.
        let mut sums = vec![0u32; (wide + 1) * (high + 1)];
        let at = |column: usize, row: usize| row * (wide + 1) + column;
        for (n, cell) in self.cells.pixels().iter().enumerate() {
            let (column, row) = (n % wide, n / wide);
            let sum = |column, row| sums.get(at(column, row)).copied().unwrap_or_default();
            let own = u32::from(cell.alpha() >= OPAQUE);
            let whole = own + sum(column, row + 1) + sum(column + 1, row) - sum(column, row);
            if let Some(place) = sums.get_mut(at(column + 1, row + 1)) {
                *place = whole;
            }
        }
        let side = |points: f64| (points * self.fineness).round().max(1.0) as usize;
        let full = |across: usize, down: usize| {
            let sum = |column, row| sums.get(at(column, row)).copied().unwrap_or_default();
            let painted =
                |x: usize, y: usize| sum(x + across, y + down) + sum(x, y) - sum(x + across, y) - sum(x, y + down);
            let most = (across * down) as u32;
            across <= wide
                && down <= high
                && (0..=high - down).any(|y| (0..=wide - across).any(|x| painted(x, y) == most))
        };
        let [long, short] = WINDOW.map(side);
        full(long, short) || full(short, long)
    }
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
    fn mean(&self, left: f64, top: f64, right: f64, bottom: f64) -> f64 {
        let span = |from: f64, to: f64, cells: usize| {
            let most = cells as f64;
            let (from, to) = ((from * most).floor().clamp(0.0, most), (to * most).ceil().clamp(0.0, most));
            (from as usize)..(to as usize)
        };
        let (columns, rows) = (span(left, right, self.width), span(top, bottom, self.height));
        let count = columns.len() * rows.len();
        let sum = |column, row| f64::from(self.sums.get(row * (self.width + 1) + column).copied().unwrap_or_default());
        let sum = sum(columns.end, rows.end) + sum(columns.start, rows.start)
            - sum(columns.end, rows.start)
            - sum(columns.start, rows.end);
        if count == 0 { 0.0 } else { sum / count as f64 / 255.0 }
    }
}

fn paint(opacity: f64) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(0, 0, 0, (opacity.clamp(0.0, 1.0) * 255.0).round() as u8);
    paint
}

fn black(opacity: f64) -> Option<tiny_skia::PremultipliedColorU8> {
    tiny_skia::PremultipliedColorU8::from_rgba(0, 0, 0, (opacity.clamp(0.0, 1.0) * 255.0).round() as u8)
}
