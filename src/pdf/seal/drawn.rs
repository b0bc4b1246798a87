//! The seal drawn into pages: what one signature shows beside its widget, at further places and over the edges of all
//! pages (骑缝章).
//!
//! A signature field has one widget (ISO 32000-1 §12.7.4.5: with more of them its meaning would be open), and any other
//! annotation may be taken off or moved where nobody certified the document. So these belong to the pages that are signed,
//! and whoever touches one breaks the signature in every reader. A file that is signed already takes none of them.

use super::{SealPlan, inside};
use crate::impression::{Place, Strip, strips};
use crate::limits;
use crate::pdf::PdfError;
use crate::pdf::file::File;
use crate::pdf::object::{Dict, Object, Ref};
use crate::pdf::operators::Operators;
use crate::pdf::page::{self, POINTS_PER_MM, Page, Sheet};
use crate::pdf::piece::{Keys, Piece, copy_below, enclose};
use crate::pdf::update::{Update, number};

/// What one page gets.
pub(super) struct Drawn {
    page: Page,
    /// Name of the picture among the page's resources.
    name: String,
    content: String,
}

/// Where on a page, and how much of the seal.
#[derive(Clone, Copy)]
enum Part {
    /// From the left edge of the page.
    Whole {
        left_mm: f64,
    },
    Strip(Strip),
}

/// What is drawn at these places, page by page.
///
/// Errors: a page is not there, or the seal would leave it; there is nothing to cut a straddle seal with; a page's own
/// drawing cannot be read.
pub(super) fn drawn(file: &File<'_>, plan: &SealPlan<'_>, places: &[Place]) -> Result<Vec<Drawn>, PdfError> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let (width, height) = (plan.appearance.width_mm, plan.appearance.height_mm);
    let pages = page::all(file)?;
    let count = u32::try_from(pages.len()).unwrap_or(u32::MAX);
    let mut parts: Vec<(u32, f64, Part)> = Vec::new();
    for place in places {
        match *place {
            Place::On { page, centre_mm: (x, y) } => {
                parts.push((page, y - height / 2.0, Part::Whole { left_mm: x - width / 2.0 }));
            }
            Place::Straddle { .. } if count < 2 => return Err(PdfError::NoStraddle),
            Place::Straddle { .. } if pages.len() > limits::PDF_STRADDLED => {
                let limit = limits::PDF_STRADDLED as u64;
                return Err(PdfError::OverLimit { what: "pages under a straddle seal", limit });
            }
            Place::Straddle { centre_mm } => {
                let top = centre_mm - height / 2.0;
                parts.extend(strips(width, count).map(|strip| (strip.page, top, Part::Strip(strip))));
            }
        }
    }
    parts.sort_by_key(|(page, ..)| *page);
    let mut drawn = Vec::new();
    for of_page in parts.chunk_by(|(a, ..), (b, ..)| a == b) {
        let asked = of_page.first().map_or(0, |(page, ..)| *page);
        let page = usize::try_from(asked).ok().and_then(|n| pages.get(n));
        let page = page.ok_or(PdfError::NoSuchPage { asked: asked.saturating_add(1), pages: count })?;
        let (sheet, name) = (page.sheet(file)?, free_name(file, page)?);
        // §8.4.2 asks for balance, and not every writer keeps to it.
        let mut content = closing(&page.content(file)?)?;
        for (_, top, part) in of_page {
            content.push_str(&drawing(asked, &sheet, [width, height], *top, *part, &name)?);
        }
        drawn.push(Drawn { page: page.clone(), name, content });
    }
    Ok(drawn)
}

/// Writes what is drawn, and the pages with it; of the page that gets the widget too it gives the keys to be set.
pub(super) fn write(
    update: &mut Update<'_, '_>,
    plan: &SealPlan<'_>,
    drawing: Ref,
    drawn: &[Drawn],
    widgets: Ref,
) -> Result<Keys<'static>, PdfError> {
    let mut kept = Keys::new();
    if drawn.is_empty() {
        return Ok(kept);
    }
    let file = update.file();
    let (picture, begin) = (plan.appearance.picture(update, drawing, 0)?, update.new_object()?);
    update.write_stream(begin, "", b"q");
    for one in drawn {
        let loaded = file.load(one.page.reference)?.ok_or(PdfError::NoPages)?;
        let page = Piece::of(file, &loaded)?;
        let keys = one.write(update, &page, picture, begin)?;
        if one.page.reference == widgets {
            kept = keys;
        } else {
            update.write(loaded.reference, &page.with(&keys)?);
        }
        // Pages may share resources that are large, and each gets its own.
        update.check_size()?;
    }
    Ok(kept)
}

impl Drawn {
    /// Writes what is drawn, behind all that the page drew before; gives the page's keys.
    fn write(
        &self,
        update: &mut Update<'_, '_>,
        page: &Piece<'_>,
        picture: Ref,
        begin: Ref,
    ) -> Result<Keys<'static>, PdfError> {
        let file = update.file();
        let stream = update.new_object()?;
        update.write_stream(stream, "", self.content.as_bytes());
        let (before, behind) = (format!("{} 0 R", begin.number), format!("{} 0 R", stream.number));
        let contents = enclose(file, page, "Contents", (&before, &behind))?;
        let owner = file.load(self.page.resources_of)?.ok_or(PdfError::NoPages)?;
        let resources = copy_below(file, &Piece::of(file, &owner)?, "Resources", |resources| {
            let named = format!("{} 0 R", picture.number).into_bytes();
            let pictures = copy_below(file, resources, "XObject", |_| Ok(vec![(self.name.as_str(), named)]))?;
            Ok(vec![("XObject", pictures)])
        })?;
        Ok(vec![("Contents", contents), ("Resources", resources)])
    }
}

/// One seal, or a strip of it: in its own space, points from its lower left corner, upright as the page is displayed.
fn drawing(
    page: u32,
    sheet: &Sheet,
    [width, height]: [f64; 2],
    top: f64,
    part: Part,
    name: &str,
) -> Result<String, PdfError> {
    let (left, hidden, shown) = match part {
        Part::Whole { left_mm } => (left_mm, 0.0, width),
        Part::Strip(strip) => (strip.left(sheet.width_mm), strip.hidden, strip.width),
    };
    inside(page, sheet, [left + hidden, top, shown, height])?;
    let (point, bottom) = (1.0 / POINTS_PER_MM, top + height);
    let (e, f) = sheet.to_page(left, bottom);
    let (right, up) = (sheet.to_page(left + point, bottom), sheet.to_page(left, bottom - point));
    let matrix = [right.0 - e, right.1 - f, up.0 - e, up.1 - f, e, f].map(number).join(" ");
    let clip = [hidden, 0.0, shown, height].map(|mm| number(mm * POINTS_PER_MM)).join(" ");
    // §14.8.2.2.2: the text of the page is read aloud without it; the signature's own widget speaks for the seal.
    Ok(format!("/Artifact BMC q {matrix} cm {clip} re W n /{name} Do Q EMC\n"))
}

/// A name that no picture of the page has.
fn free_name(file: &File<'_>, page: &Page) -> Result<String, PdfError> {
    let resources = page.resources.as_ref().and_then(Object::dict).cloned().unwrap_or_else(Dict::empty);
    let pictures = file.get_dict(&resources, b"XObject")?.unwrap_or_else(Dict::empty);
    let free = |name: &String| pictures.get(name.as_bytes()).is_none();
    Ok((1..).map(|n| format!("Seal{n}")).find(free).unwrap_or_default())
}

/// Operators that end what a page's own leave open, and the state that was kept before them.
///
/// Errors: the page takes back more states than it kept, so that keeping one more would change what it shows; or it is
/// written so that a reader may never come to what is drawn behind it.
fn closing(content: &[u8]) -> Result<String, PdfError> {
    let (mut states, mut marks, mut text) = (0usize, 0usize, false);
    let mut operators = Operators::of(content);
    for _ in 0..limits::PDF_OPERATORS {
        let Some((_, word)) = operators.next()? else {
            if operators.stumbled {
                return Err(PdfError::Broken { at: 0, what: "a page's drawing is not well formed" });
            }
            let text = if text { "ET " } else { "" };
            return Ok(format!("{text}{}{}Q\n", "EMC ".repeat(marks), "Q ".repeat(states)));
        };
        match word {
            b"q" => states += 1,
            b"Q" => {
                let what = "a page takes back more graphics states than it kept";
                states = states.checked_sub(1).ok_or(PdfError::Broken { at: 0, what })?;
            }
            b"BMC" | b"BDC" => marks += 1,
            b"EMC" => marks = marks.saturating_sub(1),
            b"BT" => text = true,
            b"ET" => text = false,
            _ => {}
        }
    }
    Err(PdfError::OverLimit { what: "drawing operators", limit: limits::PDF_OPERATORS as u64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_leaves_open_is_closed() {
        for (content, closed) in [
            ("", "Q\n"),
            ("q 1 0 0 1 0 0 cm Q BT (Q Q) Tj ET", "Q\n"),
            ("q q Q BT /F 9 Tf", "ET Q Q\n"),
            ("/OC /Hidden BDC q /P BMC", "EMC EMC Q Q\n"),
            ("EMC EMC", "Q\n"),
        ] {
            assert_eq!(closing(content.as_bytes()).unwrap(), closed, "{content}");
        }
        for astray in ["q Q Q q", "BT (open Tj ET", "q 0 0 9 <4 re", "0 0 m ] S"] {
            assert!(matches!(closing(astray.as_bytes()), Err(PdfError::Broken { .. })), "{astray}");
        }
    }
}
