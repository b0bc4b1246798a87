//! The page tree (ISO 32000-1 §7.7.3) and where millimetres on the page as people see it lie in its own space.

use super::PdfError;
use super::file::File;
use super::object::{Dict, Object, Ref};
use crate::limits;
use std::collections::HashSet;
use std::ops::ControlFlow;

/// Points of 1/72 inch in a millimetre.
pub(super) const POINTS_PER_MM: f64 = 72.0 / 25.4;

/// A page with what it inherits.
#[derive(Debug, Clone)]
pub struct Page {
    pub reference: Ref,
    pub dict: Dict,
    /// /Resources, possibly inherited.
    pub(super) resources: Option<Object>,
    /// The page or branch that has them.
    pub(super) resources_of: Ref,
    media_box: Option<Object>,
    crop_box: Option<Object>,
    rotate: Option<Object>,
}

/// A page as displayed: after /Rotate, cut to its crop box, in true size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sheet {
    pub width_mm: f64,
    pub height_mm: f64,
    /// Clockwise quarter turns of display, 0 to 3.
    pub turns: u8,
    /// Visible box in the page's own space: left, bottom, right, top.
    visible: [f64; 4],
    /// Units of that space in a millimetre.
    scale: f64,
}

/// The page of this number, from 0.
pub fn page(file: &File<'_>, number: u32) -> Result<Page, PdfError> {
    let mut found = None;
    let seen = walk(file, |n, page| {
        if n < number {
            return ControlFlow::Continue(());
        }
        found = Some(page.clone());
        ControlFlow::Break(())
    })?;
    match found {
        Some(page) => Ok(page),
        None if seen == 0 => Err(PdfError::NoPages),
        None => Err(PdfError::NoSuchPage { asked: number.saturating_add(1), pages: seen }),
    }
}

/// All pages in order.
pub(super) fn all(file: &File<'_>) -> Result<Vec<Page>, PdfError> {
    let mut pages = Vec::new();
    walk(file, |_, page| {
        pages.push(page.clone());
        ControlFlow::Continue(())
    })?;
    Ok(pages)
}

/// How many pages the tree really has; /Count is not believed.
pub fn count(file: &File<'_>) -> Result<u32, PdfError> {
    walk(file, |_, _| ControlFlow::Continue(()))
}

/// Visits pages in order until told to stop; gives how many were visited.
pub fn walk(file: &File<'_>, mut visit: impl FnMut(u32, &Page) -> ControlFlow<()>) -> Result<u32, PdfError> {
    let catalog = file.catalog()?;
    let root = catalog.object.dict().and_then(|c| c.get(b"Pages")).and_then(Object::reference);
    let Some(root) = root else { return Err(PdfError::NoPages) };
    let top = Page {
        reference: root,
        dict: Dict::empty(),
        resources: None,
        resources_of: root,
        media_box: None,
        crop_box: None,
        rotate: None,
    };
    let (mut waiting, mut seen, mut visited) = (vec![top], HashSet::new(), 0u32);
    while let Some(mut node) = waiting.pop() {
        let broken = |what| PdfError::Broken { at: 0, what };
        if !seen.insert(node.reference) {
            return Err(broken("a page stands twice in the page tree"));
        }
        if seen.len() > limits::PDF_PAGES {
            return Err(PdfError::OverLimit { what: "pages", limit: limits::PDF_PAGES as u64 });
        }
        let loaded = file.load(node.reference)?;
        // §7.7.3.2 allows pages and branches alone; a null kid is a page that was deleted.
        let Some(loaded) = loaded else { continue };
        let Object::Dict(dict) = &loaded.object else {
            return Err(broken("the page tree holds something that is not a page"));
        };
        node.dict = dict.clone();
        let inherit = |key: &[u8], from: Option<Object>| -> Result<Option<Object>, PdfError> {
            let own = file.get(dict, key)?;
            Ok(if own.is_null() { from } else { Some(own) })
        };
        if !file.get(dict, b"Resources")?.is_null() {
            node.resources_of = node.reference;
        }
        node.resources = inherit(b"Resources", node.resources)?;
        node.media_box = inherit(b"MediaBox", node.media_box)?;
        node.crop_box = inherit(b"CropBox", node.crop_box)?;
        node.rotate = inherit(b"Rotate", node.rotate)?;
        match file.get(dict, b"Kids")? {
            Object::Array(kids) if !dict.is(b"Type", b"Page") => {
                for kid in kids.iter().rev() {
                    let reference = kid.reference().ok_or(broken("a page is not an object of its own"))?;
                    waiting.push(Page { reference, ..node.clone() });
                }
                if waiting.len() > limits::PDF_PAGES {
                    return Err(PdfError::OverLimit { what: "pages", limit: limits::PDF_PAGES as u64 });
                }
            }
            _ if dict.is(b"Type", b"Pages") => {}
            _ => {
                visited += 1;
                if visit(visited - 1, &node).is_break() {
                    break;
                }
            }
        }
    }
    Ok(visited)
}

impl Page {
    /// What the page draws. Its parts are joined, and a token never runs over the seam (§7.8.2).
    pub(super) fn content(&self, file: &File<'_>) -> Result<Vec<u8>, PdfError> {
        let parts = match file.get(&self.dict, b"Contents")? {
            Object::Array(parts) => parts.to_vec(),
            one => vec![one],
        };
        let mut content = Vec::new();
        for part in parts {
            if let Object::Stream(stream) = file.resolve(&part)? {
                content.extend(file.unpacked(&stream)?);
                content.push(b'\n');
            }
        }
        Ok(content)
    }

    /// One of the keys that say what part of the page is shown, and how, as viewers take it: a box as left, bottom, right,
    /// top, others as one number. The page's own, else inherited, else by default (ISO 32000-1 §7.7.3.3 table 30).
    /// None where it is written as no reader could take it.
    pub(super) fn geometry(&self, file: &File<'_>, key: &[u8]) -> Result<Option<Vec<f64>>, PdfError> {
        let own = file.get(&self.dict, key)?;
        let own = (!own.is_null()).then_some(own);
        let found = match key {
            b"Rotate" => return Ok(self.rotate.as_ref().map_or(Some(0), Object::int).map(|turn| vec![turn as f64])),
            b"UserUnit" => return Ok(own.as_ref().map_or(Some(1.0), Object::number).map(|unit| vec![unit])),
            b"MediaBox" => None,
            b"CropBox" => self.crop_box.clone(),
            _ => own.or_else(|| self.crop_box.clone()),
        };
        Ok(match found.or_else(|| self.media_box.clone()) {
            Some(corners) => rectangle(file, &corners)?.map(Vec::from),
            None => None,
        })
    }

    /// Points to a unit of the page's space (§8.3.2.3); not less than one, as many viewers do not ask.
    pub(super) fn unit(&self, file: &File<'_>) -> Result<f64, PdfError> {
        Ok(file.get(&self.dict, b"UserUnit")?.number().unwrap_or(1.0).max(1.0))
    }

    /// The page as displayed. Errors: no usable box.
    pub fn sheet(&self, file: &File<'_>) -> Result<Sheet, PdfError> {
        let broken = |what| PdfError::Broken { at: 0, what };
        let sides = |object: &Option<Object>| match object {
            Some(corners @ Object::Array(_)) => {
                rectangle(file, corners)?.ok_or(broken("a page's box is not four numbers")).map(Some)
            }
            _ => Ok(None),
        };
        let media = sides(&self.media_box)?.ok_or(broken("a page has no MediaBox"))?;
        let crop = sides(&self.crop_box)?.unwrap_or(media);
        // §14.11.2.1: what lies outside the media box is not there.
        let both = |f: fn(f64, f64) -> f64, i: usize| match (media.get(i), crop.get(i)) {
            (Some(m), Some(c)) => f(*m, *c),
            _ => 0.0,
        };
        let visible = [both(f64::max, 0), both(f64::max, 1), both(f64::min, 2), both(f64::min, 3)];
        let unit = file.get(&self.dict, b"UserUnit")?.number().unwrap_or(1.0);
        let [left, bottom, right, top] = visible;
        let (width, height) = (right - left, top - bottom);
        // 14 400 units is Acrobat's largest page (Annex C); a larger one would put the seal out of sight.
        let usable = |x: f64| x > 0.0 && x <= 1e6;
        if !(usable(width) && usable(height) && usable(unit)) {
            return Err(broken("a page's size is not usable"));
        }
        let degrees = self.rotate.as_ref().and_then(Object::int).unwrap_or(0).rem_euclid(360);
        let turns = u8::try_from(degrees / 90).unwrap_or_default();
        let scale = POINTS_PER_MM / unit;
        let (width, height) = if turns % 2 == 0 { (width, height) } else { (height, width) };
        Ok(Sheet { width_mm: width / scale, height_mm: height / scale, turns, visible, scale })
    }
}

/// The numbers of an array, wherever each stands. None where it is something else, or holds anything else.
pub(super) fn numbers(file: &File<'_>, array: &Object, most: usize) -> Result<Option<Vec<f64>>, PdfError> {
    let Object::Array(array) = file.resolve(array)? else { return Ok(None) };
    let mut numbers = Vec::new();
    for number in array.iter().take(most + 1) {
        numbers.extend(file.resolve(number)?.number());
    }
    Ok((array.len() <= most && numbers.len() == array.len()).then_some(numbers))
}

/// The sides of a rectangle (§7.9.5): left, bottom, right, top. None where it is not four numbers.
pub(super) fn rectangle(file: &File<'_>, corners: &Object) -> Result<Option<[f64; 4]>, PdfError> {
    Ok(match numbers(file, corners, 4)?.as_deref() {
        Some(&[a, b, c, d]) => Some([a.min(c), b.min(d), a.max(c), b.max(d)]),
        _ => None,
    })
}

impl Sheet {
    /// A point given in millimetres from the top left of the page as displayed, in the page's own space.
    pub fn to_page(&self, x_mm: f64, y_mm: f64) -> (f64, f64) {
        let (x, y) = (x_mm * self.scale, y_mm * self.scale);
        let [left, bottom, right, top] = self.visible;
        match self.turns {
            0 => (left + x, top - y),
            // A quarter turn clockwise: up in the page's space runs to the right on the display, right runs down.
            1 => (left + y, bottom + x),
            2 => (right - x, bottom + y),
            _ => (right - y, top - x),
        }
    }

    /// The way back: a point of the page's own space in millimetres from the top left of the display.
    pub fn to_display(&self, x: f64, y: f64) -> (f64, f64) {
        let [left, bottom, right, top] = self.visible;
        let (x, y) = match self.turns {
            0 => (x - left, top - y),
            1 => (y - bottom, x - left),
            2 => (right - x, y - bottom),
            _ => (top - y, right - x),
        };
        (x / self.scale, y / self.scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn millimetres_follow_the_turned_page() {
        let sheet =
            |turns| Sheet { width_mm: 0.0, height_mm: 0.0, turns, visible: [10.0, 20.0, 110.0, 220.0], scale: 1.0 };
        assert_eq!(sheet(0).to_page(1.0, 2.0), (11.0, 218.0));
        assert_eq!(sheet(1).to_page(1.0, 2.0), (12.0, 21.0));
        assert_eq!(sheet(2).to_page(1.0, 2.0), (109.0, 22.0));
        assert_eq!(sheet(3).to_page(1.0, 2.0), (108.0, 219.0));
        for turns in 0..4 {
            let (x, y) = sheet(turns).to_page(3.0, 4.0);
            assert_eq!(sheet(turns).to_display(x, y), (3.0, 4.0));
        }
    }
}
