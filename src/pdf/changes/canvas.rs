//! Where an appearance paints, on a coarse grid: whether what lies under it can still be read does not follow from its
//! operators one by one (paint over paint, a polygon for a rectangle, a mask without holes), but from what they add up to.

use super::mask::Cover;
use crate::limits;
use crate::pdf::PdfError;
use crate::pdf::matrix::Matrix;
use std::cell::Cell;

/// Side of a cell, points.
pub(super) const CELL: f64 = 2.0;

/// Cells of one canvas: a poster of two metres.
const CELLS: f64 = 4e6;

/// The width of the thinnest line, points.
const HAIR: f64 = 0.75;

/// Points of one path; a traced national emblem has about 10^5.
const POINTS: usize = 400_000;

/// What lies under a place painted so much, on the whole, is not read any more.
const OPAQUE: f64 = 0.85;

/// Points along and across a line of small type that hide some letters of it. The star of a seal, whose custom it is to
/// stand over text, has no such place.
const WINDOWS: [[f64; 2]; 2] = [[36.0, 10.0], [60.0, 6.0]];

/// What all painting for one file may still cost, in cells.
#[derive(Debug)]
pub(super) struct Purse(Cell<usize>);

impl Default for Purse {
    fn default() -> Self {
        Self(Cell::new(limits::PDF_PAINTED))
    }
}

impl Purse {
    pub fn pay(&self, cells: usize) -> Result<(), PdfError> {
        let left = self.0.get().checked_sub(cells);
        let limit = limits::PDF_PAINTED as u64;
        self.0.set(left.ok_or(PdfError::OverLimit { what: "painted cells", limit })?);
        Ok(())
    }
}

/// What was painted of a part of a page so far. Colours are not kept, but how much of what lay there is taken from sight.
#[derive(Clone)]
pub(super) struct Canvas {
    /// Side of a cell, units of the page.
    side: f64,
    /// Its first cell, counted from the page's origin, so that canvases of one page fit onto each other.
    left: i64,
    bottom: i64,
    width: usize,
    height: usize,
    /// Row by row from below.
    cells: Vec<Spot>,
}

/// One cell, both from 0 to 1: how much of what lies under it is not seen, and over how much of it there is paint.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Spot {
    hidden: f32,
    covered: f32,
}

impl Spot {
    /// Less and less of what lies there is seen. What covers a part of a cell may do so beside what is there already.
    fn lay(&mut self, covered: f32, opacity: f32) {
        let (covered, opacity) = (covered.clamp(0.0, 1.0), opacity.clamp(0.0, 1.0));
        let over = 1.0 - (1.0 - self.hidden) * (1.0 - opacity);
        self.hidden = (self.hidden + covered * opacity).min(over);
        self.covered = (self.covered + covered).min(1.0);
    }

    /// How much the paint hides where it is.
    fn opacity(&self) -> f32 {
        if self.covered > 0.0 { (self.hidden / self.covered).min(1.0) } else { 0.0 }
    }
}

/// §8.5.3.3.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    Winding,
    EvenOdd,
}

/// How a line is drawn (§8.4.3), its width in units of the page.
#[derive(Clone, Copy)]
pub(super) struct Stroke {
    pub width: f64,
    /// Lines go on beyond their ends by half their width.
    pub capped: bool,
    /// How far corners may stick out, widths; 0 where they do not.
    pub miter: f64,
}

impl Canvas {
    /// For what lies in a rectangle of the page's space, a unit of which is so many points. None where that is too large.
    pub fn new([left, bottom, right, top]: [f64; 4], unit: f64) -> Option<Self> {
        let side = CELL / unit;
        let (from_x, from_y) = ((left / side).floor(), (bottom / side).floor());
        let (wide, high) = ((right / side).ceil() - from_x, (top / side).ceil() - from_y);
        // Nothing of a page lies so far outside.
        let near = [from_x, from_y].iter().all(|n| n.abs() < 1e6);
        let fits = near && wide >= 1.0 && high >= 1.0 && wide * high <= CELLS;
        let (width, height) = (wide as usize, high as usize);
        let empty = || vec![Spot::default(); width * height];
        fits.then(|| Self { side, left: from_x as i64, bottom: from_y as i64, width, height, cells: empty() })
    }

    /// The same with nothing on it.
    pub fn blank(&self) -> Self {
        Self { cells: vec![Spot::default(); self.cells.len()], ..*self }
    }

    /// What was painted elsewhere on such a canvas, brought here.
    pub fn here(&self, other: &Self) -> Self {
        Self { left: self.left, bottom: self.bottom, ..other.clone() }
    }

    /// From the page's space to cells from its corner.
    pub fn grid(&self) -> Matrix {
        Matrix([1.0 / self.side, 0.0, 0.0, 1.0 / self.side, -self.left as f64, -self.bottom as f64])
    }

    /// Its size, as bytes.
    pub fn key(&self) -> Vec<u8> {
        let sides = [self.width as u64, self.height as u64, self.side.to_bits()];
        sides.iter().flat_map(|side| side.to_be_bytes()).collect()
    }

    pub fn size(&self) -> usize {
        self.cells.len()
    }

    /// Paints what a path encloses.
    pub fn fill(&mut self, outline: &Outline, rule: Rule, opacity: f64, purse: &Purse) -> Result<(), PdfError> {
        let shade = Shade::outline(self, outline, purse)?;
        shade.onto(self, rule, |cell, covered| cell.lay(covered, opacity as f32));
        Ok(())
    }

    /// Adds so much of what a path encloses, where the same is never laid twice on one place.
    pub fn add(&mut self, outline: &Outline, part: f64, purse: &Purse) -> Result<(), PdfError> {
        let shade = Shade::outline(self, outline, purse)?;
        shade.onto(self, Rule::Winding, |cell, covered| {
            cell.hidden = (cell.hidden + covered * part as f32).min(1.0);
            cell.covered = (cell.covered + covered).min(1.0);
        });
        Ok(())
    }

    /// Paints along a path.
    pub fn stroke(&mut self, outline: &Outline, stroke: Stroke, opacity: f64, purse: &Purse) -> Result<(), PdfError> {
        // The thinnest line is a dot of the display wide.
        let half = (stroke.width / self.side).max(HAIR / CELL) / 2.0;
        let mut shade = Shade::over(self, outline.bounds(half * stroke.miter.max(1.5)), purse)?;
        for part in &outline.parts {
            part.stroke(half, stroke, &mut |corners| shade.polygon(corners, purse))?;
        }
        shade.onto(self, Rule::Winding, |cell, covered| cell.lay(covered, opacity as f32));
        Ok(())
    }

    /// Paints all of it.
    pub fn flood(&mut self, opacity: f64, purse: &Purse) -> Result<(), PdfError> {
        purse.pay(self.size())?;
        self.cells.iter_mut().for_each(|cell| cell.lay(1.0, opacity as f32));
        Ok(())
    }

    /// Paints a picture on the unit square that `place` brings to cells; cells get the mean of what falls on them.
    pub fn picture(&mut self, place: Matrix, cover: &Cover, opacity: f64, purse: &Purse) -> Result<(), PdfError> {
        let Some(back) = place.inverse() else { return Ok(()) };
        let [left, bottom, right, top] = place.around([0.0, 0.0, 1.0, 1.0]);
        let (rows, columns) = (within(bottom, top, self.height), within(left, right, self.width));
        purse.pay(1 + rows.len() * columns.len())?;
        for row in rows {
            for column in columns.clone() {
                let (x, y) = (column as f64, row as f64);
                let [l, b, r, t] = back.around([x, y, x + 1.0, y + 1.0]);
                let covered = cover.mean(l, 1.0 - t, r, 1.0 - b);
                if let Some(cell) = self.cells.get_mut(row * self.width + column) {
                    cell.lay(covered as f32, opacity as f32);
                }
            }
        }
        Ok(())
    }

    /// Lays another's paint over this, where both are.
    pub fn lay(&mut self, over: &Self, purse: &Purse) -> Result<(), PdfError> {
        self.lay_often(over, 1, purse)
    }

    /// The same so often, each time at the same place: it hides more and more, but nowhere else.
    pub fn lay_often(&mut self, over: &Self, times: usize, purse: &Purse) -> Result<(), PdfError> {
        let often = |opacity: f32| 1.0 - (1.0 - opacity).powf(times as f32);
        self.join(over, purse, |cell, spot| cell.lay(spot.covered, often(spot.opacity())))
    }

    /// Takes the deeper paint of both.
    pub fn merge(&mut self, other: &Self, purse: &Purse) -> Result<(), PdfError> {
        self.join(other, purse, |cell, spot| {
            cell.hidden = cell.hidden.max(spot.hidden);
            cell.covered = cell.covered.max(spot.covered);
        })
    }

    fn join(&mut self, other: &Self, purse: &Purse, put: impl Fn(&mut Spot, &Spot)) -> Result<(), PdfError> {
        purse.pay(other.size())?;
        for (row, values) in (other.bottom - self.bottom..).zip(other.cells.chunks_exact(other.width)) {
            let Some(row) = usize::try_from(row).ok().filter(|row| *row < self.height) else { continue };
            for (column, value) in (other.left - self.left..).zip(values) {
                let column = usize::try_from(column).ok().filter(|column| *column < self.width);
                if let Some(cell) = column.and_then(|column| self.cells.get_mut(row * self.width + column)) {
                    put(cell, value);
                }
            }
        }
        Ok(())
    }

    /// Whether another's paint is the same at the same place.
    pub fn is_again(&self, other: &Self) -> bool {
        let place = |canvas: &Self| (canvas.left, canvas.bottom, canvas.width);
        place(self) == place(other) && self.cells == other.cells
    }

    /// How many cells are painted, parts of them counted as such.
    pub fn ink(&self) -> f64 {
        self.cells.iter().map(|cell| f64::from(cell.hidden)).sum()
    }

    /// Whether there is any paint that an eye would see.
    pub fn is_painted(&self) -> bool {
        self.cells.iter().any(|cell| cell.hidden > 0.02)
    }

    /// Whether some letters in a line, upright or not, could not be read under it.
    pub fn hides_words(&self, purse: &Purse) -> Result<bool, PdfError> {
        let points = |[long, short]: [f64; 2]| [[long, short], [short, long]];
        for window in WINDOWS.into_iter().flat_map(points) {
            if self.is_full(window.map(|points| points / CELL), purse)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a place so wide and high, cells, is painted over.
    pub fn is_full(&self, [across, down]: [f64; 2], purse: &Purse) -> Result<bool, PdfError> {
        let (across, down) = ((across.round() as usize).max(1), (down.round() as usize).max(1));
        if across > self.width || down > self.height {
            return Ok(false);
        }
        purse.pay(self.size())?;
        let wide = self.width + 1;
        // Paint below and left of each corner.
        let mut sums = vec![0.0f64; wide * (self.height + 1)];
        for (row, cells) in self.cells.chunks_exact(self.width).enumerate() {
            let mut sum = 0.0;
            for (column, cell) in cells.iter().enumerate() {
                sum += f64::from(cell.hidden);
                let below = sums.get(row * wide + column + 1).copied().unwrap_or_default();
                if let Some(place) = sums.get_mut((row + 1) * wide + column + 1) {
                    *place = below + sum;
                }
            }
        }
        let sum = |column: usize, row: usize| sums.get(row * wide + column).copied().unwrap_or_default();
        let most = OPAQUE * (across * down) as f64;
        let painted = |x, y| sum(x + across, y + down) + sum(x, y) - sum(x + across, y) - sum(x, y + down);
        Ok((0..=self.height - down).any(|y| (0..=self.width - across).any(|x| painted(x, y) >= most)))
    }
}

/// The cells that a stretch touches.
pub(super) fn within(from: f64, to: f64, cells: usize) -> std::ops::Range<usize> {
    let most = cells as f64;
    (from.floor().clamp(0.0, most) as usize)..(to.ceil().clamp(0.0, most) as usize)
}

type Point = (f64, f64);

/// Takes convex pieces.
type Paint<'p> = dyn FnMut(&[Point]) -> Result<(), PdfError> + 'p;

/// A path of straight pieces, in cells.
#[derive(Default)]
pub(super) struct Outline {
    parts: Vec<Part>,
    points: usize,
}

#[derive(Default)]
struct Part {
    points: Vec<Point>,
    closed: bool,
}

impl Outline {
    pub fn begin(&mut self, at: Point) {
        self.parts.push(Part { points: vec![at], closed: false });
    }

    /// False where no part was begun, or the path is too long.
    pub fn line(&mut self, to: Point) -> bool {
        self.points += 1;
        let Some(part) = self.parts.last_mut().filter(|_| self.points <= POINTS) else { return false };
        match part.points.first().copied().filter(|_| part.closed) {
            // §8.5.2.1: what follows a closed part begins where it began.
            Some(start) => self.parts.push(Part { points: vec![start, to], closed: false }),
            None => part.points.push(to),
        }
        true
    }

    /// A Bézier curve by its other three points.
    pub fn curve(&mut self, b: Point, c: Point, d: Point) -> bool {
        let Some(a) = self.end() else { return false };
        let reach = [(a, b), (b, c), (c, d)].iter().map(|(p, q)| (p.0 - q.0).hypot(p.1 - q.1)).sum::<f64>();
        // Within a tenth of a cell, where the curve is not larger than a page.
        let pieces = reach.sqrt().ceil().clamp(1.0, 24.0);
        for piece in 1..=pieces as u32 {
            let t = f64::from(piece) / pieces;
            let u = 1.0 - t;
            let weights = [u * u * u, 3.0 * u * u * t, 3.0 * u * t * t, t * t * t];
            let point = [a, b, c, d].iter().zip(weights).fold((0.0, 0.0), |(x, y), (p, w)| (x + p.0 * w, y + p.1 * w));
            if !self.line(point) {
                return false;
            }
        }
        true
    }

    pub fn close(&mut self) {
        if let Some(part) = self.parts.last_mut() {
            part.closed = true;
        }
    }

    /// Where it ended.
    fn end(&self) -> Option<Point> {
        let part = self.parts.last()?;
        if part.closed { part.points.first().copied() } else { part.points.last().copied() }
    }

    /// Left, bottom, right, top with so much more around.
    pub fn bounds(&self, more: f64) -> [f64; 4] {
        let points = self.parts.iter().flat_map(|part| part.points.iter());
        points.fold([f64::MAX, f64::MAX, f64::MIN, f64::MIN], |[l, b, r, t], &(x, y)| {
            [l.min(x - more), b.min(y - more), r.max(x + more), t.max(y + more)]
        })
    }
}

impl Part {
    /// What a pen half so broad covers, in convex pieces: each stretch with some more at both ends where it is joined,
    /// and the tips of corners (§8.4.3.5).
    fn stroke(&self, half: f64, stroke: Stroke, paint: &mut Paint<'_>) -> Result<(), PdfError> {
        let mut points = self.points.clone();
        if let Some(first) = points.first().copied().filter(|_| self.closed) {
            points.push(first);
        }
        points.dedup();
        let last = points.len().saturating_sub(2);
        if let ([(x, y)], true) = (points.as_slice(), stroke.capped && (self.closed || self.points.len() > 1)) {
            let corners = [(-half, -half), (half, -half), (half, half), (-half, half)];
            return paint(&corners.map(|(a, b)| (x + a, y + b)));
        }
        let (mut before, mut begun): (Option<Point>, Option<Point>) = (None, None);
        for (n, stretch) in points.windows(2).enumerate() {
            let &[(ax, ay), (bx, by)] = stretch else { continue };
            let length = (bx - ax).hypot(by - ay);
            let (ux, uy) = ((bx - ax) / length, (by - ay) / length);
            if !(ux.is_finite() && uy.is_finite()) {
                continue;
            }
            let ends = |open: bool| if open && !stroke.capped { 0.0 } else { half };
            let (start, end) = (ends(n == 0 && !self.closed), ends(n == last && !self.closed));
            let (ax, ay, bx, by) = (ax - ux * start, ay - uy * start, bx + ux * end, by + uy * end);
            let (nx, ny) = (-uy * half, ux * half);
            paint(&[(ax - nx, ay - ny), (bx - nx, by - ny), (bx + nx, by + ny), (ax + nx, ay + ny)])?;
            if let Some((px, py)) = before {
                let at = (ax + ux * start, ay + uy * start);
                tip(at, (px, py), (ux, uy), half, stroke.miter, paint)?;
            }
            before = Some((ux, uy));
            begun = begun.or(before);
        }
        match (points.first(), before.zip(begun)) {
            (Some(corner), Some((last, first))) if self.closed => tip(*corner, last, first, half, stroke.miter, paint),
            _ => Ok(()),
        }
    }
}

/// The tip of a corner, from the directions before and behind it.
fn tip(
    (x, y): Point,
    (px, py): Point,
    (ux, uy): Point,
    half: f64,
    miter: f64,
    paint: &mut Paint<'_>,
) -> Result<(), PdfError> {
    let side = if px * uy - py * ux > 0.0 { -half } else { half };
    let (a, b) = ((-py * side, px * side), (-uy * side, ux * side));
    let (mx, my) = ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0);
    // The middle of both sides is as far from the corner as half the angle between them lets it.
    let (middle, far) = (mx.hypot(my), half * half);
    if middle <= 0.0 || half / middle > miter || half / middle < 1.1 {
        return Ok(());
    }
    let reach = far / (middle * middle);
    paint(&[(x, y), (x + a.0, y + a.1), (x + mx * reach, y + my * reach), (x + b.0, y + b.1)])
}

/// A path being filled: what each piece of its edge turns around, by the area that lies right of it.
struct Shade {
    left: usize,
    bottom: usize,
    width: usize,
    height: usize,
    turns: Vec<f32>,
}

impl Shade {
    fn over(canvas: &Canvas, [left, bottom, right, top]: [f64; 4], purse: &Purse) -> Result<Self, PdfError> {
        let (columns, rows) = (within(left, right, canvas.width), within(bottom, top, canvas.height));
        let (width, height) = (columns.len(), rows.len());
        purse.pay(1 + width * height)?;
        Ok(Self { left: columns.start, bottom: rows.start, width, height, turns: vec![0.0; (width + 1) * height] })
    }

    fn outline(canvas: &Canvas, outline: &Outline, purse: &Purse) -> Result<Self, PdfError> {
        let mut shade = Self::over(canvas, outline.bounds(0.0), purse)?;
        for part in &outline.parts {
            let next = part.points.iter().skip(1).chain(part.points.first());
            for (from, to) in part.points.iter().zip(next) {
                shade.line(*from, *to, purse)?;
            }
        }
        Ok(shade)
    }

    /// A convex piece, turned one way as all the others.
    fn polygon(&mut self, corners: &[Point], purse: &Purse) -> Result<(), PdfError> {
        let next = || corners.iter().skip(1).chain(corners.first());
        let area: f64 = corners.iter().zip(next()).map(|((ax, ay), (bx, by))| ax * by - bx * ay).sum();
        for (a, b) in corners.iter().zip(next()) {
            if area >= 0.0 { self.line(*a, *b, purse)? } else { self.line(*b, *a, purse)? }
        }
        Ok(())
    }

    fn line(&mut self, from: Point, to: Point, purse: &Purse) -> Result<(), PdfError> {
        let (x, y) = (self.left as f64, self.bottom as f64);
        let (from, to) = ((from.0 - x, from.1 - y), (to.0 - x, to.1 - y));
        let (low, high, turn) = if from.1 < to.1 { (from, to, 1.0) } else { (to, from, -1.0) };
        let (start, end) = (low.1.max(0.0), high.1.min(self.height as f64));
        if start >= end {
            return Ok(());
        }
        let slope = (high.0 - low.0) / (high.1 - low.1);
        let at = |y: f64| low.0 + (y - low.1) * slope;
        let rows = within(start, end, self.height);
        let columns = (at(end) - at(start)).abs().min(self.width as f64);
        purse.pay(1 + rows.len() + columns as usize)?;
        for row in rows {
            let (down, up) = ((row as f64).max(start), (row as f64 + 1.0).min(end));
            self.step(row, at(down), at(up), turn * (up - down));
        }
        Ok(())
    }

    /// A piece of edge inside of one row, so high.
    fn step(&mut self, row: usize, a: f64, b: f64, height: f64) {
        let (left, right, most) = (a.min(b), a.max(b), self.width as f64);
        let share = |from: f64, to: f64| if right > left { (to - from) / (right - left) * height } else { height };
        let mut add = |column: usize, value: f64| {
            if let Some(place) = self.turns.get_mut(row * (self.width + 1) + column) {
                *place += value as f32;
            }
        };
        if left < 0.0 {
            add(0, share(left, right.min(0.0)));
        }
        if right < 0.0 || left >= most {
            return;
        }
        let (left, last) = (left.max(0.0), right.min(most));
        let mut from = left;
        for column in (left as usize)..self.width {
            let to = last.min(column as f64 + 1.0);
            // How far into the cell its middle lies: so much of the cell is left of it.
            let (value, middle) = (share(from, to), (from + to) / 2.0 - column as f64);
            add(column, value * (1.0 - middle));
            add(column + 1, value * middle);
            if to >= last {
                return;
            }
            from = to;
        }
    }

    fn onto(self, canvas: &mut Canvas, rule: Rule, put: impl Fn(&mut Spot, f32)) {
        for (row, turns) in self.turns.chunks_exact(self.width + 1).enumerate() {
            let start = (self.bottom + row) * canvas.width + self.left;
            let cells = canvas.cells.get_mut(start..start + self.width).unwrap_or_default();
            let mut sum = 0.0f32;
            for (cell, turn) in cells.iter_mut().zip(turns) {
                sum += turn;
                let covered = match rule {
                    Rule::Winding => sum.abs().min(1.0),
                    Rule::EvenOdd => 1.0 - (sum.rem_euclid(2.0) - 1.0).abs(),
                };
                put(cell, covered);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a sharp corner at (40, 10), in cells, paints of the cell at (55, 10); it could stick out by ten widths' halves.
    fn beyond(stroke: Stroke) -> bool {
        let (purse, mut canvas) = (Purse::default(), Canvas::new([0.0, 0.0, 200.0, 40.0], 1.0).unwrap());
        let mut corner = Outline::default();
        corner.begin((0.0, 6.0));
        assert!(corner.line((40.0, 10.0)) && corner.line((0.0, 14.0)));
        canvas.stroke(&corner, stroke, 1.0, &purse).unwrap();
        assert!(canvas.cells[10 * canvas.width + 39].hidden > 0.9);
        canvas.cells[10 * canvas.width + 55].hidden > 0.1
    }

    #[test]
    fn corners_stick_out_as_far_as_they_may() {
        let stroke = |miter| Stroke { width: 8.0, capped: false, miter };
        assert!(beyond(stroke(20.0)));
        assert!(!beyond(stroke(5.0)));
        assert!(!beyond(stroke(0.0)));
    }

    #[test]
    fn what_is_cut_off_left_and_right_is_as_if_it_were_not() {
        let (purse, empty) = (Purse::default(), Canvas::new([0.0, 0.0, 40.0, 40.0], 1.0).unwrap());
        // A slope from far left to far right, over all of the lower half of a middle row.
        let mut slope = Outline::default();
        slope.begin((-980.0, 0.0));
        assert!([(1020.0, 20.0), (1020.0, -5.0), (-980.0, -5.0)].into_iter().all(|point| slope.line(point)));
        let mut canvas = empty.blank();
        canvas.fill(&slope, Rule::Winding, 1.0, &purse).unwrap();
        let row = |row: usize| canvas.cells[row * 20..][..20].iter().map(|c| f64::from(c.hidden)).sum::<f64>() / 20.0;
        assert!((row(8) - 1.0).abs() < 1e-3, "{}", row(8));
        // From 9.8 to 10 of the height where it is seen.
        assert!((row(9) - 0.9).abs() < 1e-3, "{}", row(9));
        assert!(row(10).abs() < 1e-3, "{}", row(10));
    }
}
