//! Which numbers the updates behind a signed state speak of.

use crate::limits;
use crate::pdf::PdfError;
use crate::pdf::file::File;
use crate::pdf::xref::Entry;
use std::collections::{BTreeMap, HashSet};

/// A number that updates speak of.
pub(super) struct Update {
    pub number: u32,
    /// The newest state has such an object, or one that cannot be read.
    pub is_there: bool,
    /// Place in the file's chain of the oldest section that lists it.
    first: Option<usize>,
    /// The last state behind which an update speaks of it.
    pub until: usize,
}

impl Update {
    /// Nothing in this state's own index speaks of it: only what came later does.
    pub fn is_after(&self, state: &File<'_>) -> bool {
        self.first.is_none_or(|place| place < state.later())
    }
}

/// All numbers that updates speak of, ascending. `steps`: each state by its place, and what is spoken of behind it, up to the next.
pub(super) fn updates<'s>(
    newest: &File<'_>,
    steps: impl Iterator<Item = (usize, &'s HashSet<u32>)>,
) -> Result<Vec<Update>, PdfError> {
    let mut until = BTreeMap::new();
    for (index, step) in steps {
        for &number in step {
            until.insert(number, index);
            // As the newest state reads it, which may know its length where the next one did not.
            for inside in newest.packed_in(number)? {
                until.insert(inside, index);
            }
        }
        if until.len() > limits::PDF_COMPARED {
            return Err(PdfError::OverLimit { what: "changed objects", limit: limits::PDF_COMPARED as u64 });
        }
    }
    let update = |(number, until)| {
        let is_there = match newest.load_number(number) {
            Err(limit @ PdfError::OverLimit { .. }) => return Err(limit),
            found => !matches!(found, Ok(None)),
        };
        Ok(Update { number, is_there, first: newest.first_listed(number), until })
    };
    until.into_iter().map(update).collect()
}

/// Every number that the sections of `newer` speak of which `older` has not, and those in the object streams among them:
/// another stream under the same number changes what older sections say is in it (ISO 32000-1 §7.5.7).
pub(super) fn numbers_since(newer: &File<'_>, older: &File<'_>) -> Result<HashSet<u32>, PdfError> {
    let new = newer.sections().count().saturating_sub(older.sections().count());
    let mut numbers = HashSet::new();
    for section in newer.sections().take(new) {
        numbers.extend(section.numbers()?);
        if numbers.len() > limits::PDF_COMPARED {
            return Err(PdfError::OverLimit { what: "changed objects", limit: limits::PDF_COMPARED as u64 });
        }
    }
    let mut packed = Vec::new();
    for &number in &numbers {
        packed.extend(older.packed_in(number)?);
        packed.extend(newer.packed_in(number)?);
    }
    numbers.extend(packed);
    // An index may lead behind the end of its own state, and what is appended there be an object that no later index names.
    let (source, end) = (older.source(), older.source().length());
    for section in older.sections() {
        if section.furthest(source)? >= end {
            section.each(source, &mut |number, entry| {
                if matches!(entry, Entry::At { offset, .. } if offset >= end) {
                    numbers.insert(number);
                }
            })?;
        }
    }
    Ok(numbers)
}
