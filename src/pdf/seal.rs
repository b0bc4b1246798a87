//! Sealing a PDF: prepare an update with a hole, have the digest of the whole signed elsewhere, fill the hole.
//! PAdES baseline B (EN 319 142-1 §6): an incremental update with one signature field, its widget and its picture.
//! Only the update is made and held: the sealed file is the draft, and then the closed tail.

use super::PdfError;
use super::appearance::Appearance;
use super::file::File;
use super::form::{self, Field};
use super::object::Object;
use super::page::{self, Sheet};
use super::reach::reachable;
use super::source::Source;
use super::update::{Update, number, text_string};
use crate::limits;
use std::collections::HashSet;
use time::OffsetDateTime;

pub(super) mod field;
mod prepared;

pub(super) use prepared::Blank;
pub use prepared::Prepared;

/// Where the seal goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// From 0.
    pub page: u32,
    /// The seal's centre, millimetres right and down from the top left of the page as displayed.
    pub centre_mm: (f64, f64),
}

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
    pub place: Place,
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
    let page = page::page(&file, plan.place.page)?;
    let sheet = page.sheet(&file)?;
    let fields = form::fields(&file)?;
    let signed = may_be_signed(&file, &fields, plan.certify.is_some())?;
    let rect = rectangle(plan, &sheet)?;

    // Only a file that is already signed is read through, and only for the numbers its references name.
    let taken = if signed { reachable(&file, None)? } else { HashSet::new() };
    let room = plan.appearance.weight() + plan.reserve.min(limits::PDF_CMS_BYTES) * 2 + 16 * 1024;
    let mut update = Update::begin(&file, room, taken)?;
    let picture = plan.appearance.write(&mut update, sheet.turns)?;
    let signature = update.new_object()?;
    let blank = Blank::write(
        &mut update,
        signature,
        "/Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached",
        plan.reserve,
        &claims(plan),
    )?;
    let looks = format!("/Rect[{rect}]/AP<</N {} 0 R>>", picture.number);
    let name = field::free_name(&fields, "Seal");
    field::add(&mut update, &page, &name, signature, &looks, plan.certify.is_some())?;
    Prepared::close_update(update, &blank)
}

/// Where the seal stands in the page's own space, as /Rect has it.
fn rectangle(plan: &SealPlan<'_>, sheet: &Sheet) -> Result<String, PdfError> {
    let (x, y) = plan.place.centre_mm;
    let (half_width, half_height) = (plan.appearance.width_mm / 2.0, plan.appearance.height_mm / 2.0);
    // A hundredth of a millimetre is nobody's fault.
    let inside = |centre: f64, half: f64, side: f64| centre - half >= -0.01 && centre + half <= side + 0.01;
    if !(inside(x, half_width, sheet.width_mm) && inside(y, half_height, sheet.height_mm)) {
        let (width_mm, height_mm) = (sheet.width_mm.round() as u32, sheet.height_mm.round() as u32);
        return Err(PdfError::OutsidePage { width_mm, height_mm });
    }
    let (ax, ay) = sheet.to_page(x - half_width, y - half_height);
    let (bx, by) = sheet.to_page(x + half_width, y + half_height);
    Ok([ax.min(bx), ay.min(by), ax.max(bx), ay.max(by)].map(number).join(" "))
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
