//! Where the seal's picture stands: on a page at its true size, or cut over the edges of all pages (骑缝章).

use super::{SealFault, SealPlan};
use crate::impression::{Place, strips};
use crate::ofd::document::Document;
use crate::ofd::package::Package;
use crate::ofd::xml::escaped;

/// StampAnnot: what one page shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Stamped {
    /// The page's identifier.
    pub page: String,
    /// Left, top, width, height of the whole picture.
    pub boundary: [f64; 4],
    /// The part of it that is shown, from its own corner.
    pub clip: Option<[f64; 4]>,
}

pub(super) fn stamps(
    package: &Package<'_>,
    document: &Document,
    plan: &SealPlan<'_>,
) -> Result<Vec<Stamped>, SealFault> {
    let picture = &plan.seal.picture;
    let (width, height) = (picture.width_mm as f64, picture.height_mm as f64);
    let mut stamps = Vec::new();
    for place in plan.places {
        match *place {
            Place::On { page, centre_mm: (x, y) } => {
                let (id, paper) = sheet(package, document, page)?;
                let boundary = [x - width / 2.0, y - height / 2.0, width, height];
                inside(page, boundary, paper)?;
                stamps.push(Stamped { page: id, boundary, clip: None });
            }
            Place::Straddle { centre_mm } => {
                let count = u32::try_from(document.pages.len()).unwrap_or(u32::MAX);
                if count < 2 {
                    return Err(SealFault::NoStraddle);
                }
                for strip in strips(width, count) {
                    let (id, paper) = sheet(package, document, strip.page)?;
                    let boundary = [strip.left(paper[2]), centre_mm - height / 2.0, width, height];
                    inside(strip.page, [boundary[0] + strip.hidden, boundary[1], strip.width, height], paper)?;
                    stamps.push(Stamped { page: id, boundary, clip: Some([strip.hidden, 0.0, strip.width, height]) });
                }
            }
        }
    }
    Ok(stamps)
}

/// A page's identifier and its paper.
fn sheet(package: &Package<'_>, document: &Document, page: u32) -> Result<(String, [f64; 4]), SealFault> {
    let found = document.pages.get(page as usize);
    let found = found.ok_or(SealFault::NoPage { page, pages: document.pages.len() })?;
    Ok((found.id.clone(), document.paper_of(package, found)?))
}

fn inside(page: u32, [left, top, width, height]: [f64; 4], paper: [f64; 4]) -> Result<(), SealFault> {
    // A hundredth of a millimetre is nobody's fault.
    let fits = left >= -0.01 && top >= -0.01 && left + width <= paper[2] + 0.01 && top + height <= paper[3] + 0.01;
    let size = || (paper[2].round() as u32, paper[3].round() as u32);
    if fits { Ok(()) } else { Err(SealFault::OutsidePage { page, width_mm: size().0, height_mm: size().1 }) }
}

impl Stamped {
    pub(super) fn written(&self, id: &str) -> String {
        let numbers =
            |values: &[f64; 4]| values.map(|value| format!("{}", (value * 1000.0).round() / 1000.0)).join(" ");
        let clip = self.clip.as_ref().map(|clip| format!(" Clip=\"{}\"", numbers(clip))).unwrap_or_default();
        format!(
            "<ofd:StampAnnot ID=\"{id}\" PageRef=\"{}\" Boundary=\"{}\"{clip}/>",
            escaped(&self.page),
            numbers(&self.boundary)
        )
    }
}
