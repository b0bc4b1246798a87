//! Sealing a PDF: prepare bytes with a hole, have their digest signed elsewhere, fill the hole.
//! PAdES baseline B (EN 319 142-1 §6): an incremental update with one signature field, its widget and its picture.

use super::PdfError;
use super::appearance::Appearance;
use super::file::File;
use super::form::{self, Field};
use super::object::{Object, Ref};
use super::page;
use super::reach::reachable;
use super::signatures::der_length;
use super::update::{Piece, Update, number, text_string, with_item};
use crate::limits;
use ring::digest::{Context, SHA256};
use std::collections::HashSet;
use std::ops::Range;
use time::OffsetDateTime;

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

/// A sealed file but for the signature: everything is fixed, the hole is zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    bytes: Vec<u8>,
    hole: Range<usize>,
    digest: [u8; 32],
}

/// Adds the seal to `draft` as an update over its tail.
///
/// Errors: the draft cannot be read, has no such page, the seal would leave the page, or an earlier signature forbids
/// it. Earlier bytes are never touched, so earlier signatures keep their digests.
pub fn prepare(draft: &[u8], plan: &SealPlan<'_>) -> Result<Prepared, PdfError> {
    if plan.reserve > limits::PDF_CMS_BYTES {
        return Err(PdfError::OverLimit { what: "bytes for the signature", limit: limits::PDF_CMS_BYTES as u64 });
    }
    let file = File::open(draft)?;
    let page = page::page(&file, plan.place.page)?;
    let sheet = page.sheet(&file)?;
    let fields = form::fields(&file)?;
    let signed = may_be_signed(&file, &fields, plan.certify.is_some())?;

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
    let rect = [ax.min(bx), ay.min(by), ax.max(bx), ay.max(by)].map(number).join(" ");

    // Only a file that is already signed is read through, and only for the numbers its references name.
    let taken = if signed { reachable(&file, None)? } else { HashSet::new() };
    let room = plan.appearance.weight() + plan.reserve * 2 + 16 * 1024;
    let mut update = Update::begin(&file, room, taken)?;
    let picture = plan.appearance.write(&mut update, sheet.turns)?;
    let (signature, widget) = (update.new_object()?, update.new_object()?);
    let (start, hole) = signature_dictionary(plan);
    let at = update.write(signature, &start);
    let hole = at + hole.start..at + hole.end;

    // §12.7.3.3: a full name is the name of one field.
    let name = (1..).map(|n| format!("Seal{n}")).find(|name| {
        let below = format!("{name}.");
        fields.iter().all(|f| f.name != *name && !f.name.starts_with(&below))
    });
    let widget_dict = format!(
        // F 132: Print (ISO 19005-3 §6.3.2) and Locked.
        "<</Type/Annot/Subtype/Widget/FT/Sig/T({})/V {} 0 R/F 132/Rect[{rect}]/P {} {} R/AP<</N {} 0 R>>>>",
        name.unwrap_or_default(),
        signature.number,
        page.reference.number,
        page.reference.generation,
        picture.number,
    );
    update.write(widget, widget_dict.as_bytes());
    let reference = format!("{} 0 R", widget.number);

    let loaded = file.load(page.reference)?.ok_or(PdfError::NoPages)?;
    let piece = Piece::of(&file, &loaded)?;
    if let Some(annots) = one_more(&file, &mut update, &piece, b"Annots", &reference)? {
        update.write(loaded.reference, &piece.with(&[("Annots", annots)])?);
    }
    change_catalog(&file, &mut update, &reference, plan.certify.map(|_| signature))?;

    let mut bytes = update.close()?;
    if bytes.len() > limits::PDF_BYTES {
        return Err(PdfError::OverLimit { what: "file bytes", limit: limits::PDF_BYTES as u64 });
    }
    let range = byte_range(&hole, bytes.len());
    let at = at + BEFORE_BYTE_RANGE.len();
    if let Some(blank) = bytes.get_mut(at..at + range.len()) {
        blank.copy_from_slice(range.as_bytes());
    }
    Ok(Prepared::new(bytes, hole))
}

impl Prepared {
    fn new(bytes: Vec<u8>, hole: Range<usize>) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(bytes.get(..hole.start).unwrap_or_default());
        context.update(bytes.get(hole.end..).unwrap_or_default());
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        Self { bytes, hole, digest }
    }

    /// Takes up again what was written down before a crash. Everything is checked anew: the hole is a string of
    /// zeros, it is the /Contents of a signature field of the newest revision, and that signature's /ByteRange covers
    /// all the rest.
    pub fn from_parts(bytes: Vec<u8>, hole: Range<usize>) -> Result<Self, PdfError> {
        let wrong = |what| PdfError::NotPrepared { what };
        let inside = hole.start.checked_add(1).zip(hole.end.checked_sub(1)).and_then(|(a, b)| bytes.get(a..b));
        let blank = inside.is_some_and(|zeros| zeros.iter().all(|&b| b == b'0'));
        let framed =
            bytes.get(hole.start) == Some(&b'<') && hole.end.checked_sub(1).and_then(|e| bytes.get(e)) == Some(&b'>');
        if !(blank && framed) {
            return Err(wrong("the hole is not blank"));
        }
        let file = File::open(&bytes)?;
        let mut belongs = false;
        for field in form::fields(&file)? {
            let Object::Dict(signature) = file.resolve(&field.value)? else { continue };
            if field.is_signature() && signature.entry(b"Contents").is_some_and(|e| e.span == hole) {
                let range: Option<Vec<usize>> = signature
                    .get(b"ByteRange")
                    .and_then(Object::array)
                    .map(|a| a.iter().filter_map(Object::count).collect());
                belongs = range == Some(vec![0, hole.start, hole.end, bytes.len() - hole.end]);
            }
        }
        drop(file);
        if belongs { Ok(Self::new(bytes, hole)) } else { Err(wrong("the hole is not the newest signature's")) }
    }

    /// The file with its hole.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// From `<` to behind `>` of /Contents.
    pub fn hole(&self) -> Range<usize> {
        self.hole.clone()
    }

    /// SHA-256 of everything but the hole: the CMS's messageDigest.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The sealed file. `cms` is one DER value; the rest of the hole stays zeros (ISO 32000-1 §12.8.1).
    pub fn close(&self, cms: &[u8]) -> Result<Vec<u8>, PdfError> {
        let have = (self.hole.len() - 2) / 2;
        if cms.first() != Some(&0x30) || der_length(cms) != Some(cms.len()) {
            return Err(PdfError::NotCms);
        }
        if cms.len() > have {
            return Err(PdfError::HoleTooSmall { need: cms.len(), have });
        }
        let (mut sealed, written) = (self.bytes.clone(), hex::encode(cms));
        let at = self.hole.start + 1;
        if let Some(blank) = sealed.get_mut(at..at + written.len()) {
            blank.copy_from_slice(written.as_bytes());
        }
        Ok(sealed)
    }
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

const BEFORE_BYTE_RANGE: &str = "<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/ByteRange[";
/// Room for `0` and three numbers of ten digits.
const BYTE_RANGE_WIDTH: usize = 34;

/// The signature dictionary with a blank /ByteRange, and where in it the hole is.
fn signature_dictionary(plan: &SealPlan<'_>) -> (Vec<u8>, Range<usize>) {
    let mut dict = format!("{BEFORE_BYTE_RANGE}{}]/Contents", " ".repeat(BYTE_RANGE_WIDTH)).into_bytes();
    let start = dict.len();
    dict.push(b'<');
    dict.resize(dict.len() + plan.reserve * 2, b'0');
    dict.push(b'>');
    let hole = start..dict.len();
    let at = plan.at.to_offset(time::UtcOffset::UTC);
    let mut rest = format!(
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
            rest.push_str(&format!("/{key}{}", text_string(value)));
        }
    }
    if let Some(certify) = plan.certify {
        let level = match certify {
            Certification::NoChanges => 1,
            Certification::FormsAndSignatures => 2,
            Certification::Annotations => 3,
        };
        // ISO 19005-3 §6.1.12: no digest keys in the reference dictionary.
        rest.push_str(&format!(
            "/Reference[<</Type/SigRef/TransformMethod/DocMDP/TransformParams<</Type/TransformParams/P {level}/V/1.2>>>>]"
        ));
    }
    rest.push_str(">>");
    dict.extend_from_slice(rest.as_bytes());
    (dict, hole)
}

/// `0 a b c`, filled up with blanks.
fn byte_range(hole: &Range<usize>, length: usize) -> String {
    let range = format!("0 {} {} {}", hole.start, hole.end, length - hole.end);
    format!("{range:<BYTE_RANGE_WIDTH$}")
}

/// Puts a reference at the end of an array under `key`. An array that is an object of its own is written anew and the
/// dictionary stays; otherwise the key's new value is given back.
fn one_more(
    file: &File<'_>,
    update: &mut Update<'_, '_>,
    piece: &Piece<'_>,
    key: &[u8],
    reference: &str,
) -> Result<Option<Vec<u8>>, PdfError> {
    let alone = || Ok(Some(format!("[{reference}]").into_bytes()));
    let broken = PdfError::Broken { at: 0, what: "a list that must grow is not an array" };
    match piece.dict.get(key) {
        None | Some(Object::Null) => alone(),
        Some(Object::Array(_)) => Ok(piece.value(key).map(|raw| with_item(raw, reference))),
        Some(Object::Ref(r)) => match file.load(*r)? {
            None => alone(),
            Some(list) => match list.object {
                Object::Array(_) => {
                    update.write(list.reference, &with_item(&file.raw(&list)?, reference));
                    Ok(None)
                }
                Object::Null => alone(),
                _ => Err(broken),
            },
        },
        Some(_) => Err(broken),
    }
}

/// The form gets the field, the catalog the form where it had none, and /Perms on certification.
fn change_catalog(
    file: &File<'_>,
    update: &mut Update<'_, '_>,
    reference: &str,
    certification: Option<Ref>,
) -> Result<(), PdfError> {
    let loaded = file.catalog()?;
    let catalog = Piece::of(file, &loaded)?;
    let mut keys = Vec::new();
    let new_form = || format!("<</Fields[{reference}]/SigFlags 3>>").into_bytes();
    match catalog.dict.get(b"AcroForm") {
        Some(Object::Ref(r)) => match file.load(*r)? {
            Some(form) => {
                let piece = Piece::of(file, &form)?;
                if let Some(changed) = change_form(file, update, &piece, reference)? {
                    update.write(form.reference, &changed);
                }
            }
            None => keys.push(("AcroForm", new_form())),
        },
        Some(Object::Dict(_)) => {
            if let Some(form) = catalog.inner(b"AcroForm")
                && let Some(changed) = change_form(file, update, &form, reference)?
            {
                keys.push(("AcroForm", changed));
            }
        }
        _ => keys.push(("AcroForm", new_form())),
    }
    if let Some(signature) = certification {
        let entry = ("DocMDP", format!("{} 0 R", signature.number).into_bytes());
        match catalog.dict.get(b"Perms") {
            Some(Object::Ref(r)) => match file.load(*r)? {
                Some(permissions) => {
                    let changed = Piece::of(file, &permissions)?.with(&[entry])?;
                    update.write(permissions.reference, &changed);
                }
                None => keys.push(("Perms", [b"<</DocMDP ", &entry.1[..], b">>"].concat())),
            },
            _ => match catalog.inner(b"Perms") {
                Some(permissions) => keys.push(("Perms", permissions.with(&[entry])?)),
                None => keys.push(("Perms", [b"<</DocMDP ", &entry.1[..], b">>"].concat())),
            },
        }
    }
    if !keys.is_empty() {
        update.write(loaded.reference, &catalog.with(&keys)?);
    }
    Ok(())
}

/// The form dictionary with the field and with SigFlags 3 (§12.7.2: signatures exist, append only).
fn change_form(
    file: &File<'_>,
    update: &mut Update<'_, '_>,
    form: &Piece<'_>,
    reference: &str,
) -> Result<Option<Vec<u8>>, PdfError> {
    let mut keys = Vec::new();
    if let Some(fields) = one_more(file, update, form, b"Fields", reference)? {
        keys.push(("Fields", fields));
    }
    let flags = file.get(form.dict, b"SigFlags")?.int().unwrap_or(0);
    if flags & 3 != 3 {
        keys.push(("SigFlags", (flags | 3).to_string().into_bytes()));
    }
    if keys.is_empty() { Ok(None) } else { form.with(&keys).map(Some) }
}
