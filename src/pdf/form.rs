//! The interactive form's fields (ISO 32000-1 §12.7.3), flattened, with what each inherits.

use super::PdfError;
use super::file::File;
use super::object::{Dict, Object, Ref, text};
use crate::limits;
use std::collections::HashSet;

/// A field that has no fields below it.
#[derive(Debug, Clone)]
pub struct Field {
    /// Full name, parts joined by a full stop (§12.7.3.2).
    pub name: String,
    /// The field's own object; a field written directly into /Fields has none.
    pub reference: Option<Ref>,
    pub dict: Dict,
    /// Field type, `Sig` and the like, possibly inherited.
    pub kind: Vec<u8>,
    /// /V as written (a reference stays one), possibly inherited.
    pub value: Object,
}

impl Field {
    pub fn is_signature(&self) -> bool {
        self.kind == b"Sig"
    }
}

/// The form's dictionary, if the catalog has one.
pub fn form(file: &File<'_>) -> Result<Option<Dict>, PdfError> {
    match file.catalog()?.object.dict() {
        Some(catalog) => file.get_dict(catalog, b"AcroForm"),
        None => Ok(None),
    }
}

/// All fields, in the order of the form.
pub fn fields(file: &File<'_>) -> Result<Vec<Field>, PdfError> {
    let mut fields = Vec::new();
    walk(file, &|_| false, &mut |found| {
        if let Found::Read(field) = found {
            fields.push(field);
        }
        Ok(())
    })?;
    Ok(fields)
}

/// What a walk over the form comes by.
pub(super) enum Found {
    /// Of the form's own list, and known to whoever walks: it was not read.
    Known(Ref),
    Read(Field),
}

/// Visits all fields, in the order of the form.
pub(super) fn walk(
    file: &File<'_>,
    is_known: &dyn Fn(Ref) -> bool,
    visit: &mut dyn FnMut(Found) -> Result<(), PdfError>,
) -> Result<(), PdfError> {
    let Some(form) = form(file)? else { return Ok(()) };
    let Object::Array(top) = file.get(&form, b"Fields")? else { return Ok(()) };
    let node = |object: &Object, above: Option<&Field>| -> (Object, Option<Field>) { (object.clone(), above.cloned()) };
    let mut waiting: Vec<_> = top.iter().rev().map(|o| node(o, None)).collect();
    let (mut found, mut seen) = (0, HashSet::new());
    while let Some((object, above)) = waiting.pop() {
        if found + waiting.len() > limits::PDF_FIELDS {
            return Err(PdfError::OverLimit { what: "form fields", limit: limits::PDF_FIELDS as u64 });
        }
        let reference = object.reference();
        if reference.is_some_and(|r| !seen.insert(r)) {
            // Twice in the form is once; a circle ends here.
            continue;
        }
        if let Some(known) = reference.filter(|r| above.is_none() && is_known(*r)) {
            found += 1;
            visit(Found::Known(known))?;
            continue;
        }
        let Object::Dict(dict) = file.resolve(&object)? else { continue };
        let part = file.get(&dict, b"T")?.string().map(text);
        let name = match (above.as_ref().map(|f| f.name.as_str()), part) {
            (Some(above), Some(part)) if !above.is_empty() => format!("{above}.{part}"),
            (Some(above), None) => above.to_owned(),
            (_, part) => part.unwrap_or_default(),
        };
        if name.len() > limits::PDF_FIELD_NAME {
            return Err(PdfError::OverLimit { what: "a field's name", limit: limits::PDF_FIELD_NAME as u64 });
        }
        let inherited = above.map(|f| (f.kind, f.value));
        let kind = match file.get(&dict, b"FT")? {
            Object::Name(kind) => kind.to_vec(),
            _ => inherited.as_ref().map(|(kind, _)| kind.clone()).unwrap_or_default(),
        };
        let value = dict.get(b"V").cloned().or(inherited.map(|(_, v)| v)).unwrap_or(Object::Null);
        let field = Field { name, reference, dict, kind, value };

        // §12.7.3.1: kids with a name of their own are fields, others are this field's widgets.
        let mut below = Vec::new();
        if let Object::Array(kids) = file.get(&field.dict, b"Kids")? {
            for kid in kids.iter().rev() {
                let named = file.resolve(kid)?.dict().is_some_and(|d| d.get(b"T").is_some());
                if named {
                    below.push(node(kid, Some(&field)));
                }
            }
        }
        if below.is_empty() {
            found += 1;
            visit(Found::Read(field))?;
        } else {
            waiting.extend(below);
        }
    }
    Ok(())
}
