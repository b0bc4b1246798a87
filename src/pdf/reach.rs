//! What leads where: walking a file's references, each object once.

use super::PdfError;
use super::file::File;
use super::object::{Dict, Object};
use crate::limits;
use std::collections::HashSet;

/// Object numbers that can be reached, whether the file has them or not: from the trailer by every way, or from a key
/// of the catalog without the ways that lead back up and to annotations, which is what that key shows.
pub(super) fn reachable(file: &File<'_>, key: Option<&[u8]>) -> Result<HashSet<u32>, PdfError> {
    let catalog = file.catalog()?;
    let mut waiting = match key {
        None => vec![Object::Dict(file.trailer().clone())],
        Some(key) => catalog.object.dict().and_then(|c| c.get(key)).cloned().into_iter().collect(),
    };
    let mut found = HashSet::new();
    while let Some(object) = waiting.pop() {
        let dict = match object {
            Object::Ref(r) => {
                if found.len() >= limits::PDF_COMPARED {
                    return Err(PdfError::OverLimit { what: "objects compared", limit: limits::PDF_COMPARED as u64 });
                }
                if found.insert(r.number) {
                    match file.load(r) {
                        Ok(loaded) => waiting.extend(loaded.map(|l| l.object.clone())),
                        Err(limit @ PdfError::OverLimit { .. }) => return Err(limit),
                        // Nothing can be reached through what cannot be read.
                        Err(_) => {}
                    }
                }
                continue;
            }
            Object::Array(items) => {
                waiting.extend(items.iter().filter(|o| deep(o)).cloned());
                continue;
            }
            Object::Dict(dict) => dict,
            Object::Stream(stream) => stream.dict,
            _ => continue,
        };
        if key.is_none() {
            waiting.extend(dict.entries().iter().filter(|e| deep(&e.value)).map(|e| e.value.clone()));
        } else {
            follow(&dict, &mut waiting);
        }
    }
    Ok(found)
}

/// The values of a dictionary that lead further down.
pub(super) fn follow(dict: &Dict, waiting: &mut Vec<Object>) {
    const ACROSS: [&[u8]; 7] = [b"Parent", b"P", b"Data", b"Dest", b"D", b"Annots", b"StructParent"];
    let down = dict.entries().iter().filter(|e| !ACROSS.contains(&&*e.key) && deep(&e.value));
    waiting.extend(down.map(|e| e.value.clone()));
}

/// Whether a value can hold references.
pub(super) fn deep(object: &Object) -> bool {
    matches!(object, Object::Ref(_) | Object::Array(_) | Object::Dict(_) | Object::Stream(_))
}
