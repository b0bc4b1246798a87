//! Where a word stands on the pages, so that an uploaded OFD can be sealed over its date (GB/T 33190 §11).
//!
//! What is read are the characters as they are told (TextCode), not the glyphs that draw them.

use super::document::Document;
use super::package::Package;
use super::signatures::{SignaturesFault, node, numbers};
use super::xml::Node;
use crate::limits;

/// A word on a page, its middle in millimetres from the paper's top left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// From 0.
    pub page: u32,
    pub centre_mm: (f64, f64),
}

/// Every occurrence of `keyword`, in the order in which pages and their text are written. White space is ignored on both sides.
///
/// # Errors
/// [`SignaturesFault`]: the package cannot be read. A page that cannot be read has no occurrence.
pub fn occurrences(bytes: &[u8], keyword: &str) -> Result<Vec<Found>, SignaturesFault> {
    let keyword: Vec<char> = keyword.chars().filter(|c| !c.is_whitespace()).collect();
    if keyword.is_empty() || keyword.len() > limits::PDF_KEYWORD {
        return Ok(Vec::new());
    }
    let package = Package::open(bytes)?;
    let document = Document::read(&package)?;
    let mut found = Vec::new();
    for (number, page) in document.pages.iter().enumerate() {
        let Ok(content) = document.content(&package, page) else { continue };
        let mut letters = Vec::new();
        for used in content.all("Template") {
            let path = document.templates.iter().find(|(id, _)| Some(id.as_str()) == used.attribute("TemplateID"));
            if let Some(Ok(template)) = path.map(|(_, path)| node(&package, path)) {
                page_of(&template, &mut letters);
            }
        }
        page_of(&content, &mut letters);
        letters.retain(|letter: &Letter| !letter.letter.is_whitespace());
        let at = |start: usize| letters.get(start..start + keyword.len());
        for start in 0..letters.len() {
            let Some(word) = at(start).filter(|word| word.iter().map(|one| one.letter).eq(keyword.iter().copied()))
            else {
                continue;
            };
            let (x, y) = word.iter().fold((0.0, 0.0), |(x, y), one| (x + one.middle.0, y + one.middle.1));
            let count = word.len() as f64;
            found.push(Found { page: u32::try_from(number).unwrap_or(u32::MAX), centre_mm: (x / count, y / count) });
            if found.len() >= limits::PDF_FOUND {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

/// A character and the middle of its box on the page.
struct Letter {
    letter: char,
    middle: (f64, f64),
}

/// How deep blocks lie in each other.
const DEPTH: usize = 8;

fn page_of(page: &Node, letters: &mut Vec<Letter>) {
    let layers = page.child("Content").into_iter().flat_map(|content| content.all("Layer"));
    layers.for_each(|layer| objects(layer, letters, 0));
}

fn objects(parent: &Node, letters: &mut Vec<Letter>, depth: usize) {
    for object in &parent.children {
        match object.name.as_str() {
            "TextObject" if object.attribute("Visible") != Some("false") => text(object, letters),
            "PageBlock" if depth < DEPTH => objects(object, letters, depth + 1),
            _ => {}
        }
    }
}

fn text(object: &Node, letters: &mut Vec<Letter>) {
    let [left, top, ..] = object.attribute("Boundary").and_then(numbers).unwrap_or_default();
    let size = object.attribute("Size").and_then(number).filter(|size| *size > 0.0).unwrap_or(3.5);
    let matrix: Option<Vec<f64>> =
        object.attribute("CTM").and_then(|text| text.split_whitespace().map(number).collect());
    let onto_page = |x: f64, y: f64| match matrix.as_deref() {
        Some(&[a, b, c, d, e, f]) => (left + a * x + c * y + e, top + b * x + d * y + f),
        _ => (left + x, top + y),
    };
    let mut start = (0.0, 0.0);
    for code in object.all("TextCode") {
        let told = |name: &str, before: f64| code.attribute(name).and_then(number).unwrap_or(before);
        start = (told("X", start.0), told("Y", start.1));
        let characters: Vec<char> = code.text.chars().collect();
        let across = code.attribute("DeltaX").map(|steps| steps_of(steps, characters.len()));
        let down = code.attribute("DeltaY").map(|steps| steps_of(steps, characters.len()));
        let step = |steps: &Option<Vec<f64>>, at: usize| {
            steps.as_ref().and_then(|steps| steps.get(at).or(steps.last()).copied())
        };
        let (mut x, mut y) = start;
        for (at, letter) in characters.into_iter().enumerate() {
            if letters.len() >= limits::OFD_XML_NODES {
                return;
            }
            let wide = if letter.is_ascii() { 0.5 } else { 1.0 } * size;
            // A box of the letter's size stands on the baseline but for a little below.
            letters.push(Letter { letter, middle: onto_page(x + wide / 2.0, y - 0.38 * size) });
            x += step(&across, at).unwrap_or_else(|| if down.is_some() { 0.0 } else { wide });
            y += step(&down, at).unwrap_or_default();
        }
    }
}

/// A number as XML has it.
pub(super) fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|value: &f64| value.is_finite())
}

/// Steps between characters: numbers, or `g N v` for N times v (§11.3); no more than there are characters.
pub(super) fn steps_of(text: &str, characters: usize) -> Vec<f64> {
    let most = characters.min(limits::OFD_XML_NODES);
    let (mut steps, mut words) = (Vec::new(), text.split_whitespace());
    while let Some(word) = words.next().filter(|_| steps.len() < most) {
        if word == "g" {
            let count = words.next().and_then(|count| count.parse::<usize>().ok()).unwrap_or_default();
            let step = words.next().and_then(number).unwrap_or_default();
            steps.extend(std::iter::repeat_n(step, count.min(most - steps.len())));
        } else {
            steps.push(number(word).unwrap_or_default());
        }
    }
    steps
}
