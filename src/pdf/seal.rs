//! Sealing a PDF: prepare an update with a hole, have the digest of the whole signed elsewhere, fill the hole.
//! PAdES baseline B (EN 319 142-1 §6): an incremental update with one signature field, its widget and its picture.
//! Only the update is made and held: the sealed file is the draft, and then the closed tail.

use super::PdfError;
use super::appearance::Appearance;
use super::file::File;
use super::form::{self, Field};
use super::object::Object;
use super::page::{self, Sheet};
use super::piece::Keys;
use super::reach::reachable;
use super::source::Source;
use super::update::{Update, number, text_string};
use crate::impression::Place;
use crate::limits;
use std::collections::HashSet;
use time::OffsetDateTime;

mod drawn;
pub(super) mod field;
mod prepared;

pub(super) use prepared::Blank;
pub use prepared::Prepared;

/// What a certification signature lets others do later (ISO 32000-1 table 254).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certification {
    /// P=1: nothing at all.
    NoChanges,
    /// P=2: fill in forms and sign.
    FormsAndSignatures,
    /// P=3: that, and comment.
    Annotations,
}

/// One seal to be set.
#[derive(Debug, Clone, Copy)]
pub struct SealPlan<'a> {
    pub appearance: &'a Appearance,
    /// The first one on a page is the signature's widget; the others are drawn into the pages, which an earlier signature
    /// does not let. None for a signature that is not seen.
    pub places: &'a [Place],
    pub signer_name: &'a str,
    pub reason: &'a str,
    pub location: &'a str,
    /// Claimed time, /M. EN 319 142-1 §6.3 has it here and not in the CMS.
    pub at: OffsetDateTime,
    /// `Some` for the author's certification, which must be the first signature.
    pub certify: Option<Certification>,
    /// Bytes kept free for the CMS, at most `limits::PDF_CMS_BYTES`.
    pub reserve: usize,
}

/// Adds the seal to `draft` as an update over its tail. The draft is read through once, for its digest; parsed is only
/// what leads to the page and the form.
///
/// Errors: the draft cannot be read, has no such page, the seal would leave the page, or an earlier signature forbids
/// it. Earlier bytes are never touched, so earlier signatures keep their digests.
pub fn prepare<'a>(draft: impl Into<Source<'a>>, plan: &SealPlan<'_>) -> Result<Prepared, PdfError> {
    let file = File::open(draft)?;
    let mut others = plan.places.to_vec();
    let first = others.iter().position(|place| matches!(place, Place::On { .. })).map(|first| others.remove(first));
    let (on, centre_mm) = match first {
        Some(Place::On { page, centre_mm }) => (page, Some(centre_mm)),
        _ => (0, None),
    };
    let page = page::page(&file, on)?;
    let sheet = page.sheet(&file)?;
    let fields = form::fields(&file)?;
    let signed = may_be_signed(&file, &fields, plan.certify.is_some())?;
    if signed && !others.is_empty() {
        return Err(PdfError::PagesSigned);
    }
    let rect = centre_mm.map(|centre| rectangle(plan, on, &sheet, centre)).transpose()?;
    let drawn = drawn::drawn(&file, plan, &others)?;

    // Only a file that is already signed is read through, and only for the numbers its references name.
    let taken = if signed { reachable(&file, None)? } else { HashSet::new() };
    let room = plan.appearance.weight() + plan.reserve.min(limits::PDF_CMS_BYTES) * 2 + 16 * 1024;
    let mut update = Update::begin(&file, room, taken)?;
    let mut looks = "/Rect[0 0 0 0]".to_owned();
    let mut keys = Keys::new();
    if !plan.places.is_empty() {
        let drawing = plan.appearance.write(&mut update)?;
        if let Some(rect) = rect {
            let picture = plan.appearance.picture(&mut update, drawing, sheet.turns)?;
            looks = format!("/Rect[{rect}]/AP<</N {} 0 R>>", picture.number);
        }
        keys = drawn::write(&mut update, plan, drawing, &drawn, page.reference)?;
    }
    let signature = update.new_object()?;
    let blank = Blank::write(
        &mut update,
        signature,
        "/Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached",
        plan.reserve,
        &claims(plan),
    )?;
    let name = field::free_name(&fields, "Seal");
    field::add(&mut update, &page, &name, signature, &looks, plan.certify.is_some(), keys)?;
    Prepared::close_update(update, &blank)
}

/// Where the seal stands in the page's own space, as /Rect has it.
fn rectangle(plan: &SealPlan<'_>, page: u32, sheet: &Sheet, (x, y): (f64, f64)) -> Result<String, PdfError> {
    let (width, height) = (plan.appearance.width_mm, plan.appearance.height_mm);
    let (left, top) = (x - width / 2.0, y - height / 2.0);
    inside(page, sheet, [left, top, width, height])?;
    let ((ax, ay), (bx, by)) = (sheet.to_page(left, top), sheet.to_page(left + width, top + height));
    Ok([ax.min(bx), ay.min(by), ax.max(bx), ay.max(by)].map(number).join(" "))
}

/// Errors: this part of a page (left, top, width, height, millimetres as displayed) is not wholly on it.
fn inside(page: u32, sheet: &Sheet, [left, top, width, height]: [f64; 4]) -> Result<(), PdfError> {
    // A hundredth of a millimetre is nobody's fault.
    let within = |from: f64, size: f64, side: f64| from >= -0.01 && from + size <= side + 0.01;
    if within(left, width, sheet.width_mm) && within(top, height, sheet.height_mm) {
        return Ok(());
    }
    let (width_mm, height_mm) = (sheet.width_mm.round() as u32, sheet.height_mm.round() as u32);
    Err(PdfError::OutsidePage { page, width_mm, height_mm })
}

/// What the signature dictionary says beside its value.
fn claims(plan: &SealPlan<'_>) -> String {
    let at = plan.at.to_offset(time::UtcOffset::UTC);
    let mut claims = format!(
        "/M(D:{:04}{:02}{:02}{:02}{:02}{:02}+00'00')",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    );
    for (key, value) in [("Name", plan.signer_name), ("Reason", plan.reason), ("Location", plan.location)] {
        if !value.is_empty() {
            claims.push_str(&format!("/{key}{}", text_string(value)));
        }
    }
    if let Some(certify) = plan.certify {
        let level = match certify {
            Certification::NoChanges => 1,
            Certification::FormsAndSignatures => 2,
            Certification::Annotations => 3,
        };
        // ISO 19005-3 §6.1.12: no digest keys in the reference dictionary.
        claims.push_str(&format!(
            "/Reference[<</Type/SigRef/TransformMethod/DocMDP/TransformParams<</Type/TransformParams/P {level}/V/1.2>>>>]"
        ));
    }
    claims
}

/// Refuses where an earlier signature leaves no room for another (ISO 32000-1 §12.8.2, EN 319 142-1 §5.3); otherwise
/// says whether there is an earlier one.
fn may_be_signed(file: &File<'_>, fields: &[Field], certify: bool) -> Result<bool, PdfError> {
    let catalog = file.catalog()?;
    let permissions = catalog.object.dict().map(|c| file.get_dict(c, b"Perms")).transpose()?.flatten();
    let mut signed = permissions.is_some_and(|p| p.get(b"DocMDP").is_some());
    for field in fields.iter().filter(|f| f.is_signature()) {
        let Object::Dict(signature) = file.resolve(&field.value)? else { continue };
        signed = true;
        if let Some(lock) = file.get_dict(&field.dict, b"Lock")? {
            // ISO 32000-2 table 236: /P of a lock counts as that of a certification.
            if file.get(&lock, b"P")?.int() == Some(1) {
                return Err(PdfError::ClosedByLock);
            }
        }
        let Object::Array(references) = file.get(&signature, b"Reference")? else { continue };
        for reference in references.iter() {
            let Object::Dict(reference) = file.resolve(reference)? else { continue };
            let parameters = file.get_dict(&reference, b"TransformParams")?;
            let parameter = |key: &[u8]| parameters.as_ref().map_or(Ok(Object::Null), |p| file.get(p, key));
            match file.get(&reference, b"TransformMethod")?.name() {
                // Table 254: only level 3 speaks of new annotations, and a new field is one; 2 is the default.
                Some(b"DocMDP") => {
                    let level = parameter(b"P")?.int().unwrap_or(2);
                    return Err(if certify {
                        PdfError::AlreadySigned
                    } else {
                        PdfError::ClosedByCertification { level }
                    });
                }
                // A new field is none of those that /Include names; /All and /Exclude reach it.
                Some(b"FieldMDP") if parameter(b"Action")?.name() != Some(b"Include") => {
                    return Err(PdfError::ClosedByLock);
                }
                _ => {}
            }
        }
    }
    if certify && signed { Err(PdfError::AlreadySigned) } else { Ok(signed) }
}
