//! One page's Content.xml (GB/T 33190 §7.7): a layer of objects, each with its identifier and its boundary. What is in an object
//! is measured from its boundary's top left corner, and clipped to it.

use super::{Cap, Colour, DECLARATION, Ids, Image, Join, Matrix, NAMESPACE, Object, Page, Path, Stroke, Text};
use crate::impression::Segment;
use crate::ofd::xml::escaped;

pub(super) fn content(page: &Page, faces: &[u32], pictures: &[u32], ids: &mut Ids) -> String {
    let layer = ids.next();
    let mut objects = String::new();
    for object in &page.objects {
        let id = ids.next();
        match object {
            Object::Text(run) => objects += &text(run, id, faces.get(run.face).copied().unwrap_or_default()),
            Object::Path(shape) => objects += &path(shape, id),
            Object::Image(drawn) => {
                objects += &image(drawn, id, pictures.get(drawn.picture).copied().unwrap_or_default())
            }
        }
    }
    format!(
        "{DECLARATION}<ofd:Page {NAMESPACE}><ofd:Area><ofd:PhysicalBox>0 0 {} {}</ofd:PhysicalBox></ofd:Area><ofd:Content>\
         <ofd:Layer ID=\"{layer}\" Type=\"Body\">{objects}</ofd:Layer></ofd:Content></ofd:Page>",
        mm(page.width_mm),
        mm(page.height_mm)
    )
}

/// A length to the micrometre.
pub(super) fn mm(length: f64) -> String {
    number(length, 3)
}

fn number(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".into() } else { text.into() }
}

/// Left, top, right, bottom.
struct Bounds([f64; 4]);

impl Bounds {
    fn of(points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let around = points.into_iter().fold(None, |around: Option<[f64; 4]>, (x, y)| {
            let [left, top, right, bottom] = around.unwrap_or([x, y, x, y]);
            Some([left.min(x), top.min(y), right.max(x), bottom.max(y)])
        });
        // To whole micrometres, so that what is measured from the corner fits what is written of it.
        let [left, top, right, bottom] = around.unwrap_or_default();
        let (down, up) = (|v: f64| (v * 1000.0).floor() / 1000.0, |v: f64| (v * 1000.0).ceil() / 1000.0);
        Self([down(left), down(top), up(right), up(bottom)])
    }

    fn wider(self, by: f64) -> Self {
        let [left, top, right, bottom] = self.0;
        Self::of([(left - by, top - by), (right + by, bottom + by)])
    }

    fn written(&self) -> String {
        let [left, top, right, bottom] = self.0;
        format!("{} {} {} {}", mm(left), mm(top), mm(right - left), mm(bottom - top))
    }
}

fn apply(matrix: &Matrix, (x, y): (f64, f64)) -> (f64, f64) {
    let [a, b, c, d, e, f] = matrix;
    (a * x + c * y + e, b * x + d * y + f)
}

/// CTM, measured from the boundary's corner (§8.5).
fn ctm(matrix: &Matrix, bounds: &Bounds) -> String {
    let [a, b, c, d, e, f] = matrix;
    let [left, top, ..] = bounds.0;
    let linear = [a, b, c, d].map(|value| number(*value, 6)).join(" ");
    format!(" CTM=\"{linear} {} {}\"", mm(e - left), mm(f - top))
}

fn colour(element: &str, [r, g, b, alpha]: Colour) -> String {
    let alpha = if alpha == 255 { String::new() } else { format!(" Alpha=\"{alpha}\"") };
    format!("<ofd:{element} Value=\"{r} {g} {b}\"{alpha}/>")
}

/// TextObject (§11.2). The characters stay Unicode; glyphs are named only where the face's own map gives others.
fn text(run: &Text, id: u32, font: u32) -> String {
    // Room for the tallest and widest glyphs of Han and Latin faces.
    let size = run.size_mm;
    let lowest = run.places.iter().map(|(_, y)| *y).fold(0.0, f64::max);
    let highest = run.places.iter().map(|(_, y)| *y).fold(0.0, f64::min);
    let first = run.places.iter().map(|(x, _)| *x).fold(0.0, f64::min);
    let (left, right) = (first - 0.25 * size, run.width_mm + 0.25 * size);
    let (top, bottom) = (highest - 1.05 * size, lowest + 0.4 * size);
    let corners = [(left, top), (right, top), (left, bottom), (right, bottom)];
    let bounds = Bounds::of(corners.map(|corner| apply(&run.matrix, corner)));

    let upright = matches!(run.matrix, [1.0, 0.0, 0.0, 1.0, _, _]);
    let origin = if upright { (run.matrix[4] - bounds.0[0], run.matrix[5] - bounds.0[1]) } else { (0.0, 0.0) };
    let transform = if upright { String::new() } else { ctm(&run.matrix, &bounds) };
    let places: Vec<(i64, i64)> =
        run.places.iter().map(|(x, y)| (micrometres(origin.0 + x), micrometres(origin.1 + y))).collect();
    let (x, y) = places.first().copied().unwrap_or_default();
    // Steps between places as written, so that nothing adds up over a long line.
    let steps = |of: fn(&(i64, i64)) -> i64| -> Vec<i64> {
        places.windows(2).filter_map(|pair| Some(of(pair.last()?) - of(pair.first()?))).collect()
    };
    let deltas = |name: &str, steps: &[i64]| {
        let written: Vec<String> = steps.iter().map(|step| mm(*step as f64 / 1000.0)).collect();
        if written.is_empty() { String::new() } else { format!(" {name}=\"{}\"", written.join(" ")) }
    };
    let (across, down) = (steps(|place| place.0), steps(|place| place.1));
    let mut at = deltas("DeltaX", &across);
    if down.iter().any(|step| *step != 0) {
        at += &deltas("DeltaY", &down);
    }
    let shaped: String = run.shaped.iter().map(|shaped| {
        let glyphs: Vec<String> = shaped.glyphs.iter().map(u16::to_string).collect();
        format!(
            "<ofd:CGTransform CodePosition=\"{}\" CodeCount=\"{}\" GlyphCount=\"{}\"><ofd:Glyphs>{}</ofd:Glyphs></ofd:CGTransform>",
            shaped.at,
            shaped.characters,
            glyphs.len(),
            glyphs.join(" ")
        )
    }).collect();
    format!(
        "<ofd:TextObject ID=\"{id}\" Boundary=\"{}\"{transform} Font=\"{font}\" Size=\"{}\">{}{shaped}\
         <ofd:TextCode X=\"{}\" Y=\"{}\"{at}>{}</ofd:TextCode></ofd:TextObject>",
        bounds.written(),
        mm(size),
        colour("FillColor", run.colour),
        mm(x as f64 / 1000.0),
        mm(y as f64 / 1000.0),
        escaped(&run.characters)
    )
}

fn micrometres(length: f64) -> i64 {
    (length * 1000.0).round() as i64
}

/// PathObject (§9.1).
fn path(path: &Path, id: u32) -> String {
    let points = path.segments.iter().flat_map(|segment| match *segment {
        Segment::Move(x, y) | Segment::Line(x, y) => vec![(x, y)],
        Segment::Cubic { c1, c2, to } => vec![c1, c2, to],
        Segment::Close => Vec::new(),
    });
    // A mitred corner reaches further than half a line.
    let reach = |stroke: &Stroke| match stroke.join {
        Join::Miter => stroke.width_mm / 2.0 * stroke.miter_limit,
        Join::Round | Join::Bevel => stroke.width_mm,
    };
    let bounds = Bounds::of(points).wider(path.stroke.as_ref().map_or(0.0, reach).max(0.01));
    let [left, top, ..] = bounds.0;
    let point = |(x, y): (f64, f64)| format!("{} {}", mm(x - left), mm(y - top));
    let steps: Vec<String> = path
        .segments
        .iter()
        .map(|segment| match *segment {
            Segment::Move(x, y) => format!("M {}", point((x, y))),
            Segment::Line(x, y) => format!("L {}", point((x, y))),
            Segment::Cubic { c1, c2, to } => format!("B {} {} {}", point(c1), point(c2), point(to)),
            Segment::Close => "C".to_owned(),
        })
        .collect();
    let mut looks = String::new();
    // A path is stroked and not filled unless it says otherwise.
    if path.stroke.is_none() {
        looks += " Stroke=\"false\"";
    }
    if path.fill.is_some() {
        looks += " Fill=\"true\"";
    }
    if path.even_odd {
        looks += " Rule=\"Even-Odd\"";
    }
    if let Some(stroke) = &path.stroke {
        looks += &line(stroke);
    }
    let stroke = path.stroke.as_ref().map_or(String::new(), |stroke| colour("StrokeColor", stroke.colour));
    let fill = path.fill.map_or(String::new(), |fill| colour("FillColor", fill));
    format!(
        "<ofd:PathObject ID=\"{id}\" Boundary=\"{}\"{looks}>{stroke}{fill}<ofd:AbbreviatedData>{}</ofd:AbbreviatedData>\
         </ofd:PathObject>",
        bounds.written(),
        steps.join(" ")
    )
}

fn line(stroke: &Stroke) -> String {
    let cap = match stroke.cap {
        Cap::Butt => "Butt",
        Cap::Round => "Round",
        Cap::Square => "Square",
    };
    let join = match stroke.join {
        Join::Miter => "Miter",
        Join::Round => "Round",
        Join::Bevel => "Bevel",
    };
    let mut line = format!(
        " LineWidth=\"{}\" Cap=\"{cap}\" Join=\"{join}\" MiterLimit=\"{}\"",
        mm(stroke.width_mm),
        mm(stroke.miter_limit)
    );
    if let Some((lengths, offset)) = &stroke.dashes {
        let lengths: Vec<String> = lengths.iter().map(|length| mm(*length)).collect();
        line += &format!(" DashOffset=\"{}\" DashPattern=\"{}\"", mm(*offset), lengths.join(" "));
    }
    line
}

/// ImageObject (§10): the picture is the unit square.
fn image(image: &Image, id: u32, resource: u32) -> String {
    let corners = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)];
    let bounds = Bounds::of(corners.map(|corner| apply(&image.matrix, corner)));
    format!(
        "<ofd:ImageObject ID=\"{id}\" Boundary=\"{}\"{} ResourceID=\"{resource}\"/>",
        bounds.written(),
        ctm(&image.matrix, &bounds)
    )
}
