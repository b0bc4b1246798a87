//! Draws a round seal from its legend, the way a seal maker lays one out: rim, centre, purpose line, number on the
//! lower arc, and the name spread over what is left of the upper arc.

use std::f64::consts::{PI, TAU};

use ttf_parser::{Face, OutlineBuilder};

use super::{Centre, Impression, ImpressionError, Legend, Picture, Segment, Shape};

/// Below this width a character of the name is no longer cut legibly, mm (at 300 dpi: 18 dots).
const NARROWEST_MM: f64 = 1.5;
/// The part of its room a character takes at its inner corners, where neighbours come closest.
const FILL: f64 = 0.94;

impl Impression {
    /// Draws the legend in `face` (a Song type) at its true size.
    ///
    /// # Errors
    /// [`ImpressionError`]: the legend breaks the rules of its kind, the face lacks a character, or it does not fit.
    pub fn draw(legend: &Legend, face: &Face<'_>) -> Result<Self, ImpressionError> {
        legend.check()?;
        let layout = Layout::of(legend)?;
        let radius = legend.diameter_mm / 2.0;
        let mut ink = Vec::new();
        circle(radius, false, &mut ink);
        circle(radius - legend.rim_mm, true, &mut ink);
        if matches!(legend.centre, Centre::Star) {
            star(layout.centre_radius, &mut ink);
        }
        for character in characters(legend, &layout, face)? {
            ink.extend(character);
        }

        let onto_page = |x: f64, y: f64| (x + radius, y + radius);
        let mut shapes = vec![Shape { rgb: legend.rgb, segments: ink.iter().map(|s| s.map(onto_page)).collect() }];
        if let Centre::Picture(emblem) = &legend.centre {
            let place = |x: f64, y: f64| (x * layout.centre_radius + radius, y * layout.centre_radius + radius);
            let shape = |s: &Shape| Shape { rgb: s.rgb, segments: s.segments.iter().map(|g| g.map(place)).collect() };
            shapes.extend(emblem.iter().map(shape));
        }
        Ok(Self { width_mm: legend.diameter_mm, height_mm: legend.diameter_mm, picture: Picture::Vector(shapes) })
    }
}

/// Every character of the legend in its place, from the seal's centre, y down.
fn characters(legend: &Legend, layout: &Layout, face: &Face<'_>) -> Result<Vec<Vec<Segment>>, ImpressionError> {
    let song = Type { face, em: f64::from(face.units_per_em()) };
    let mut all = Vec::new();
    for (angle, character) in layout.name_angles().zip(legend.name.chars()) {
        // Upright along the radius: the foot of the cell on the inner circle, its head towards the rim.
        let (sin, cos) = angle.sin_cos();
        all.push(song.set(character, layout.name, |x, y| {
            let r = layout.name_foot + y;
            (r * sin + x * cos, -r * cos + x * sin)
        })?);
    }
    if let (Some(line), Some(purpose)) = (&layout.purpose, &legend.purpose) {
        for (i, character) in purpose.chars().enumerate() {
            let middle = line.left + (i as f64 + 0.5) * line.pitch;
            all.push(song.set(character, line.cell, |x, y| (middle + x, line.foot - y))?);
        }
    }
    if let (Some(arc), Some(number)) = (&layout.number, &legend.number) {
        for (i, digit) in number.chars().enumerate() {
            // Left to right along the bottom: the angle runs from lower left to lower right, heads to the centre.
            let (sin, cos) = (PI + arc.half - (i as f64) * arc.step).sin_cos();
            all.push(song.set(digit, arc.cell, |x, y| {
                let r = arc.foot - y;
                (r * sin - x * cos, -r * cos - x * sin)
            })?);
        }
    }
    Ok(all)
}

/// The room for one character, mm.
#[derive(Debug, Clone, Copy)]
struct Cell {
    width: f64,
    height: f64,
}

/// The straight line under the centre; `foot` and `left` from the seal's centre, y down.
#[derive(Debug)]
struct Line {
    cell: Cell,
    pitch: f64,
    left: f64,
    foot: f64,
}

/// The number's arc: `foot` is the radius the digits stand on, `half` the angle from the bottom to the outermost digit.
#[derive(Debug)]
struct NumberArc {
    cell: Cell,
    foot: f64,
    half: f64,
    step: f64,
}

/// Where everything goes. Angles in radians from the top, clockwise; lengths in mm from the centre.
#[derive(Debug)]
struct Layout {
    centre_radius: f64,
    name: Cell,
    /// Radius on which the name's characters stand.
    name_foot: f64,
    half_span: f64,
    step: f64,
    purpose: Option<Line>,
    number: Option<NumberArc>,
}

impl Layout {
    fn of(legend: &Legend) -> Result<Self, ImpressionError> {
        let d = legend.diameter_mm;
        // Everything stands a little off the rim, a fortieth of the diameter (1 mm on the usual seals).
        let edge = d / 2.0 - legend.rim_mm - d / 40.0;
        let number = legend.number.as_ref().map(|number| {
            let cell = Cell { width: d * 0.026, height: d * 0.040 };
            let foot = edge + d / 90.0;
            let step = cell.width * 1.22 / (foot - cell.height);
            NumberArc { cell, foot, half: step * (number.len() - 1) as f64 / 2.0, step }
        });
        // 14 mm across the tips of the star on a seal of 42 mm (standards 4.2); an emblem is as large.
        let across_tips = d / 3.0;
        let centre_radius = across_tips / 2.0 / (TAU / 5.0).sin();
        let count = legend.name.chars().count();
        let purpose = legend.purpose.as_ref().map(|purpose| {
            let characters = purpose.chars().count() as f64;
            let blank = matches!(legend.centre, Centre::Blank);
            // Under the star where there is one; otherwise just below the middle, and larger.
            let (head, tallest, room) =
                if blank { (d * 0.050, d * 0.125, d * 0.56) } else { (d * 0.172, d * 0.098, d * 0.50) };
            let pitch = (room / characters).min(tallest * 0.84);
            let height = tallest.min(pitch * 1.75);
            let cell = Cell { width: pitch * 0.95, height };
            Line { cell, pitch, left: -pitch * characters / 2.0, foot: head + height }
        });

        // The name takes 20 degrees a character until the arc is full (the spread seen on real seals: 200 degrees for
        // 8 characters, 240 for 10), then less and narrower, down from the widest span that stays clear of the rest.
        let tight = ImpressionError::TooTight { characters: count, diameter_mm: d };
        let wanted = (40.0 + 20.0 * count as f64).min(if number.is_some() { 264.0 } else { 280.0 });
        let mut span = wanted.to_radians();
        loop {
            let step = span / (count - 1) as f64;
            let name = name_cell(edge, step, d);
            let layout_foot = edge - name.height;
            if name.width < NARROWEST_MM {
                return Err(tight);
            }
            let end = ArcEnd { angle: span / 2.0, foot: layout_foot, cell: name };
            let clear = purpose.as_ref().is_none_or(|line| end.clears_line(line, d / 25.0))
                && number.as_ref().is_none_or(|arc| end.clears_number(arc, d / 60.0));
            if clear {
                let half_span = span / 2.0;
                return Ok(Self { centre_radius, name, name_foot: layout_foot, half_span, step, purpose, number });
            }
            span -= 1f64.to_radians();
            if span < 60f64.to_radians() {
                return Err(tight);
            }
        }
    }

    fn name_angles(&self) -> impl Iterator<Item = f64> + use<> {
        let (first, step) = (-self.half_span, self.step);
        (0..).map(move |i| first + f64::from(i) * step)
    }
}

/// The largest cell for characters `step` apart whose heads reach `edge`: tall and narrow as the arc fills, the way long
/// names are cut; never wider than four fifths of its height.
fn name_cell(edge: f64, step: f64, d: f64) -> Cell {
    let spread = 2.0 * (step / 2.0).tan() * FILL;
    // Two upright cells side by side touch at their feet, at radius edge - height: width = spread * (edge - height).
    // A width of 0.6 of the height looks right on a full arc; that gives the height, within what is ever cut.
    let height = (edge * spread / (0.6 + spread)).clamp(d * 0.085, d * 0.148);
    Cell { width: (spread * (edge - height)).min(height * 0.8), height }
}

/// The last character of the name, which comes closest to the purpose and the number.
struct ArcEnd {
    angle: f64,
    foot: f64,
    cell: Cell,
}

impl ArcEnd {
    /// Points along the four sides of the cell, from the seal's centre, y down.
    fn outline(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let (sin, cos) = self.angle.sin_cos();
        let (w, h) = (self.cell.width / 2.0, self.cell.height);
        let side = (0..=8).map(|i| f64::from(i) / 8.0);
        side.flat_map(move |t| [(-w, t * h), (w, t * h), (t * 2.0 * w - w, 0.0), (t * 2.0 * w - w, h)]).map(
            move |(x, y)| {
                let r = self.foot + y;
                (r * sin + x * cos, -r * cos + x * sin)
            },
        )
    }

    fn clears_line(&self, line: &Line, gap: f64) -> bool {
        let (right, head) = (-line.left + gap, line.foot - line.cell.height - gap);
        self.outline().all(|(x, y)| x > right || y < head)
    }

    fn clears_number(&self, arc: &NumberArc, gap: f64) -> bool {
        let end = PI - arc.half - (arc.cell.width / 2.0 + 2.0 * gap) / arc.foot;
        self.outline().all(|(x, y)| x.atan2(-y) < end)
    }
}

/// One face and the size of its em.
struct Type<'a> {
    face: &'a Face<'a>,
    em: f64,
}

impl Type<'_> {
    /// Sets one character into a cell; `place` takes points of the cell (x from its middle, y up from its foot).
    fn set(
        &self,
        character: char,
        cell: Cell,
        place: impl Fn(f64, f64) -> (f64, f64),
    ) -> Result<Vec<Segment>, ImpressionError> {
        let missing = ImpressionError::MissingGlyph(character);
        let Some(glyph) = self.face.glyph_index(character).filter(|g| g.0 != 0) else { return Err(missing) };
        let mut pen = Pen { at: (0.0, 0.0), segments: Vec::new() };
        let Some(ink_box) = self.face.outline_glyph(glyph, &mut pen) else { return Err(missing) };
        let advance = f64::from(self.face.glyph_hor_advance(glyph).unwrap_or(self.face.units_per_em()));
        // Han characters keep their place in the em square (0.12 em below the baseline, as East Asian faces are drawn),
        // so a flat 一 is not blown up. Digits and Latin letters fill the cell by their advance and their own height.
        let (unit_w, below, unit_h) = if advance > self.em * 0.9 {
            (self.em, 0.12 * self.em, self.em)
        } else {
            (advance.max(1.0), -f64::from(ink_box.y_min), f64::from(ink_box.y_max - ink_box.y_min).max(self.em * 0.5))
        };
        let (sx, sy) = (cell.width / unit_w, cell.height / unit_h);
        Ok(pen.segments.iter().map(|s| s.map(|x, y| place((x - advance / 2.0) * sx, (y + below) * sy))).collect())
    }
}

/// Collects a glyph's outline in font units; quadratic curves are raised to cubic ones, exactly.
struct Pen {
    at: (f64, f64),
    segments: Vec<Segment>,
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.at = (x.into(), y.into());
        self.segments.push(Segment::Move(self.at.0, self.at.1));
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.at = (x.into(), y.into());
        self.segments.push(Segment::Line(self.at.0, self.at.1));
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let (from, c, to) = (self.at, (f64::from(x1), f64::from(y1)), (f64::from(x), f64::from(y)));
        let third = |p: (f64, f64)| (p.0 + 2.0 / 3.0 * (c.0 - p.0), p.1 + 2.0 / 3.0 * (c.1 - p.1));
        self.at = to;
        self.segments.push(Segment::Cubic { c1: third(from), c2: third(to), to });
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.at = (x.into(), y.into());
        let (c1, c2) = ((x1.into(), y1.into()), (x2.into(), y2.into()));
        self.segments.push(Segment::Cubic { c1, c2, to: self.at });
    }

    fn close(&mut self) {
        self.segments.push(Segment::Close);
    }
}

/// A circle round the centre; the inner edge of the rim runs the other way, so the non-zero rule leaves a ring.
fn circle(radius: f64, reversed: bool, ink: &mut Vec<Segment>) {
    // Four cubic arcs; the error of this constant is 0.03 % of the radius, 6 µm here.
    let k = radius * 0.552_284_749_8;
    let turn = if reversed { -1.0 } else { 1.0 };
    let r = radius;
    ink.push(Segment::Move(r, 0.0));
    let mut from = (r, 0.0);
    for _ in 0..4 {
        // Each quarter is the one before turned by a right angle.
        let to = (-from.1 * turn, from.0 * turn);
        let c1 = (from.0 + to.0 * k / r, from.1 + to.1 * k / r);
        let c2 = (to.0 + from.0 * k / r, to.1 + from.1 * k / r);
        ink.push(Segment::Cubic { c1, c2, to });
        from = to;
    }
    ink.push(Segment::Close);
}

/// A regular five-point star, one tip up: the notches lie where the lines between tips cross.
fn star(radius: f64, ink: &mut Vec<Segment>) {
    let notch = radius * (PI / 10.0).sin() / (3.0 * PI / 10.0).sin();
    for i in 0..10 {
        let r = if i % 2 == 0 { radius } else { notch };
        let (sin, cos) = (f64::from(i) * PI / 5.0).sin_cos();
        let (x, y) = (r * sin, -r * cos);
        ink.push(if i == 0 { Segment::Move(x, y) } else { Segment::Line(x, y) });
    }
    ink.push(Segment::Close);
}

/// Each character's points apart, for the tests: do any touch?
#[cfg(test)]
pub(super) fn pieces(legend: &Legend, face: &Face<'_>) -> Result<Vec<Vec<(f64, f64)>>, ImpressionError> {
    let points = |segments: Vec<Segment>| {
        let of = |s: Segment| match s {
            Segment::Move(x, y) | Segment::Line(x, y) => vec![(x, y)],
            // Control points bound the curve.
            Segment::Cubic { c1, c2, to } => vec![c1, c2, to],
            Segment::Close => Vec::new(),
        };
        segments.into_iter().flat_map(of).collect()
    };
    Ok(characters(legend, &Layout::of(legend)?, face)?.into_iter().map(points).collect())
}
