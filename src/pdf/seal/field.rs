//! A signature field of its own: its widget on a page, its place in the form, and what the catalog says of it.

use crate::pdf::PdfError;
use crate::pdf::form::Field;
use crate::pdf::object::Ref;
use crate::pdf::page::Page;
use crate::pdf::piece::{Keys, Piece, change_below, grow};
use crate::pdf::update::Update;

/// A name that no field has, nor the parent of one (ISO 32000-1 §12.7.3.3: a full name is the name of one field).
pub(in crate::pdf) fn free_name(fields: &[Field], stem: &str) -> String {
    let free = |name: &String| {
        let below = format!("{name}.");
        fields.iter().all(|f| f.name != *name && !f.name.starts_with(&below))
    };
    (1..).map(|n| format!("{stem}{n}")).find(free).unwrap_or_default()
}

/// Adds a field with this signature as its value. `looks`: the widget's /Rect, and its /AP where it shows anything.
/// `certifies`: it is the author's certification, which the catalog's /Perms names (ISO 32000-1 §12.8.4). `keys`: what else
/// changes in the page.
pub(in crate::pdf) fn add(
    update: &mut Update<'_, '_>,
    page: &Page,
    name: &str,
    signature: Ref,
    looks: &str,
    certifies: bool,
    mut keys: Keys<'_>,
) -> Result<(), PdfError> {
    let file = update.file();
    let widget = update.new_object()?;
    let Ref { number, generation } = page.reference;
    let body = format!(
        // F 132: Print (ISO 19005-3 §6.3.2) and Locked.
        "<</Type/Annot/Subtype/Widget/FT/Sig/T({name})/V {} 0 R/F 132{looks}/P {number} {generation} R>>",
        signature.number,
    );
    update.write(widget, body.as_bytes());
    let reference = format!("{} 0 R", widget.number);

    let loaded = file.load(page.reference)?.ok_or(PdfError::NoPages)?;
    let piece = Piece::of(file, &loaded)?;
    keys.extend(grow(update, &piece, "Annots", &reference)?.map(|annots| ("Annots", annots)));
    if !keys.is_empty() {
        update.write(loaded.reference, &piece.with(&keys)?);
    }

    let loaded = file.catalog()?;
    let catalog = Piece::of(file, &loaded)?;
    let form = change_below(update, &catalog, "AcroForm", |update, form| {
        let mut keys = Vec::new();
        keys.extend(grow(update, form, "Fields", &reference)?.map(|fields| ("Fields", fields)));
        // §12.7.2: signatures exist, and what is there is only appended to.
        let flags = file.get(form.dict, b"SigFlags")?.int().unwrap_or(0);
        if flags & 3 != 3 {
            keys.push(("SigFlags", (flags | 3).to_string().into_bytes()));
        }
        Ok(keys)
    })?;
    let mut keys: Vec<_> = form.map(|form| ("AcroForm", form)).into_iter().collect();
    if certifies {
        let named = format!("{} 0 R", signature.number).into_bytes();
        let permissions = change_below(update, &catalog, "Perms", |_, _| Ok(vec![("DocMDP", named)]))?;
        keys.extend(permissions.map(|permissions| ("Perms", permissions)));
    }
    if !keys.is_empty() {
        update.write(loaded.reference, &catalog.with(&keys)?);
    }
    Ok(())
}
