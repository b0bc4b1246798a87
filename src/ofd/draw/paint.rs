//! Colours and lines (GB/T 33190 §8.2 and §8.3): an object's own, or those of the drawing parameters that it names.

use super::resources::Resources;
use crate::ofd::text::number;
use crate::ofd::xml::Node;

/// How an object is painted, as SVG attributes.
pub(super) struct Paint<'n> {
    /// The object, then the parameters that it names, then those that these rest on.
    sources: Vec<&'n Node>,
}

impl<'n> Paint<'n> {
    pub(super) fn of(object: &'n Node, resources: &'n Resources, layer: Option<&str>) -> Self {
        let mut sources = vec![object];
        let mut next = object.attribute("DrawParam").or(layer);
        while let Some(parameters) = next.and_then(|id| resources.parameters(id)) {
            if sources.len() > super::DEPTH {
                break;
            }
            sources.push(parameters);
            next = parameters.attribute("Relative");
        }
        Self { sources }
    }

    fn attribute(&self, name: &str) -> Option<&'n str> {
        self.sources.iter().find_map(|source| source.attribute(name))
    }

    /// `fill` and its opacity; black where nothing is said. The second says whether it is more than one colour.
    pub(super) fn fill(&self) -> (String, bool) {
        let (colour, alpha, simple) = self.colour("FillColor");
        (format!(" fill=\"{colour}\"{}", opacity("fill-opacity", alpha)), simple)
    }

    /// `stroke` with everything about the line.
    pub(super) fn stroke(&self) -> (String, bool) {
        let (colour, alpha, simple) = self.colour("StrokeColor");
        let positive = |name: &str| self.attribute(name).and_then(number).filter(|value| *value >= 0.0);
        let mut said = format!(" stroke=\"{colour}\"{}", opacity("stroke-opacity", alpha));
        said += &format!(" stroke-width=\"{}\"", positive("LineWidth").unwrap_or(0.353));
        said += match self.attribute("Cap") {
            Some("Round") => " stroke-linecap=\"round\"",
            Some("Square") => " stroke-linecap=\"square\"",
            _ => "",
        };
        said += match self.attribute("Join") {
            Some("Round") => " stroke-linejoin=\"round\"",
            Some("Bevel") => " stroke-linejoin=\"bevel\"",
            _ => "",
        };
        if let Some(limit) = positive("MiterLimit").filter(|limit| *limit >= 1.0) {
            said += &format!(" stroke-miterlimit=\"{limit}\"");
        }
        let dashes: Option<Vec<String>> = self.attribute("DashPattern").and_then(|pattern| {
            pattern
                .split_whitespace()
                .map(|one| number(one).filter(|one| *one >= 0.0).map(|one| one.to_string()))
                .collect()
        });
        if let Some(dashes) = dashes.filter(|dashes| !dashes.is_empty()) {
            said += &format!(" stroke-dasharray=\"{}\"", dashes.join(" "));
            said += &format!(" stroke-dashoffset=\"{}\"", positive("DashOffset").unwrap_or_default());
        }
        (said, simple)
    }

    /// A colour, how opaque it is, and whether it is one colour.
    fn colour(&self, name: &str) -> (String, f64, bool) {
        let Some(node) = self.sources.iter().find_map(|source| source.child(name)) else {
            return ("#000".to_owned(), 1.0, true);
        };
        let alpha = node.attribute("Alpha").and_then(number).map_or(1.0, |alpha| (alpha / 255.0).clamp(0.0, 1.0));
        if let Some(colour) = node.attribute("Value").and_then(rgb) {
            return (colour, alpha, true);
        }
        // The first colour of a shade stands for it.
        let shade = node.children.iter().flat_map(|shade| shade.all("Segment")).find_map(|one| one.child("Color"));
        let first = shade.and_then(|colour| colour.attribute("Value")).and_then(rgb);
        let simple = node.children.is_empty();
        (first.unwrap_or_else(|| "#000".to_owned()), alpha, simple)
    }
}

/// Grey, red-green-blue or four-colour, by how many numbers there are; `#` before one in hexadecimal (§8.3.1).
fn rgb(value: &str) -> Option<String> {
    let part = |one: &str| match one.strip_prefix('#') {
        Some(hexadecimal) => u8::from_str_radix(hexadecimal, 16).ok().map(f64::from),
        None => number(one).map(|value| value.clamp(0.0, 255.0)),
    };
    let parts: Option<Vec<f64>> = value.split_whitespace().map(part).collect();
    let [red, green, blue] = match *parts?.as_slice() {
        [grey] => [grey; 3],
        [red, green, blue] => [red, green, blue],
        [cyan, magenta, yellow, black] => [cyan, magenta, yellow].map(|ink| (255.0 - ink) * (255.0 - black) / 255.0),
        _ => return None,
    };
    let [red, green, blue] = [red, green, blue].map(|part| part.round() as u8);
    Some(format!("#{red:02x}{green:02x}{blue:02x}"))
}

fn opacity(name: &str, alpha: f64) -> String {
    if alpha < 1.0 { format!(" {name}=\"{alpha:.3}\"") } else { String::new() }
}
