//! The structure tree (ISO 32000-1 §14.7): writers of accessible files tag the fields and notes that they add. What was
//! tagged stays as it was; new tags may speak of annotations alone, never of the page's text.

use super::{Judge, Step};
use crate::limits;
use crate::pdf::PdfError;
use crate::pdf::object::{Dict, Object};
use std::collections::HashMap;

/// Read aloud in place of what is tagged, or as its name.
const WORDS: [&[u8]; 3] = [b"T", b"Alt", b"Contents"];

/// What a new element leads to.
struct Tag {
    /// How many annotations.
    notes: usize,
    /// It, or one below it, says something itself.
    has_words: bool,
}

/// Ways that may lead to an element or to a part of the tree's indexes.
const TAG_WAYS: [&[u8]; 12] =
    [b"StructTreeRoot", b"K", b"P", b"ParentTree", b"Nums", b"Kids", b"Names", b"IDTree", b"D", b"SD", b"Ref", b"SE"];

impl Judge<'_, '_, '_> {
    pub(super) fn judge_tags(&mut self) -> Result<(), PdfError> {
        let (before, now) = (self.signed.catalog()?, self.newest.catalog()?);
        let (Some(old), Some(new)) = (before.object.dict(), now.object.dict()) else { return Ok(()) };
        let old_root = self.signed.get_dict(old, b"StructTreeRoot")?.unwrap_or_else(Dict::empty);
        let new_root = self.newest.get_dict(new, b"StructTreeRoot")?.unwrap_or_else(Dict::empty);
        let root = new.get(b"StructTreeRoot");
        let mut grown = false;
        if root != old.get(b"StructTreeRoot")
            || root.and_then(Object::reference).is_some_and(|r| self.changed.contains(r.number))
        {
            if !old_root.entries().is_empty() && new_root.entries().is_empty() {
                let (zh, en) = ("文件的结构标签被删除", "The tags of the document were removed");
                self.doubt("pdf.tags-changed", zh, en);
                return Ok(());
            }
            self.explain(root, old.get(b"StructTreeRoot"), &TAG_WAYS);
            for key in self.differing(&old_root, &new_root)? {
                match &*key {
                    b"K" => grown |= self.judge_kids(&old_root, &new_root)?,
                    b"ParentTree" | b"ParentTreeNextKey" => {}
                    b"Type" | b"RoleMap" if old_root.get(&key).is_none() => {}
                    _ => self.doubt_tags(),
                }
            }
        }
        grown |= self.judge_index(&old_root, &new_root)?;
        let elements: Vec<u32> = self.rewritten.iter().copied().filter(|n| !self.explained.contains(*n)).collect();
        for number in elements {
            let (old, new) = (self.signed.load_number(number), self.newest.load_number(number));
            let (Ok(Some(old)), Ok(Some(new))) = (old, new) else { continue };
            let (Object::Dict(old), Object::Dict(new)) = (&old.object, &new.object) else { continue };
            let element = old.is(b"Type", b"StructElem") || old.get(b"S").is_some() && old.get(b"P").is_some();
            if element && self.at.ways(number).any(|way| &*way.keys[1] == b"K" || way.keys[1].is_empty()) {
                grown |= self.judge_element(number, old, new)?;
            }
        }
        if grown {
            self.allow(Step::Validation, "为新增的域或注释添加了结构标签", "Tags were added for new fields or notes");
        }
        Ok(())
    }

    fn doubt_tags(&mut self) {
        let (zh, en) = ("文件的结构标签被修改", "The tags of the document were changed");
        self.doubt("pdf.tags-changed", zh, en);
    }

    fn judge_element(&mut self, number: u32, old: &Dict, new: &Dict) -> Result<bool, PdfError> {
        self.explain_known(number, |way| {
            let [_, key] = &way.keys;
            key.is_empty() || TAG_WAYS.contains(&&**key)
        });
        let mut grown = false;
        for key in self.differing(old, new)? {
            match &*key {
                b"K" => grown |= self.judge_kids(old, new)?,
                _ => self.doubt_tags(),
            }
        }
        Ok(grown)
    }

    /// Every kid that was there is there, in its order, and those between are new tags for annotations.
    fn judge_kids(&mut self, old: &Dict, new: &Dict) -> Result<bool, PdfError> {
        let list = |object: Object| match object {
            Object::Array(items) => items.to_vec(),
            Object::Null => Vec::new(),
            one => vec![one],
        };
        let as_written = |dict: &Dict| dict.get(b"K").cloned().unwrap_or(Object::Null);
        let resolved = (self.signed.get(old, b"K")?, self.newest.get(new, b"K")?);
        // A reference to an array is the array; a reference to an element is the element.
        let old_kids = if matches!(resolved.0, Object::Array(_)) { list(resolved.0) } else { list(as_written(old)) };
        let new_kids = if matches!(resolved.1, Object::Array(_)) { list(resolved.1) } else { list(as_written(new)) };
        self.explain(new.get(b"K"), old.get(b"K"), &TAG_WAYS);
        self.at.history.pay(old_kids.len() + new_kids.len())?;
        let mut left = old_kids.iter().peekable();
        let mut grown = false;
        for kid in &new_kids {
            let next = left.peek().copied();
            if next.map(|next| self.is_same_kid(next, kid)).transpose()? == Some(true) {
                left.next();
            } else if let Some(tag) = self.notes_below(kid, 0)? {
                grown = true;
                // What is read aloud in the midst of the text, or before it, is taken for a part of it.
                if next.is_some() && tag.has_words {
                    self.doubt_tags();
                }
                self.explain_new(kid)?;
            } else {
                self.doubt_tags();
            }
        }
        // Tags of notes that were taken away, if that was allowed, go with them.
        for gone in left {
            if !self.is_tag_of_removed(gone)? {
                self.doubt_tags();
            }
        }
        Ok(grown)
    }

    /// The same element, or a pointer to the same annotation, whatever a writer's own keys say beside it.
    fn is_same_kid(&self, old: &Object, new: &Object) -> Result<bool, PdfError> {
        if let (Object::Dict(a), Object::Dict(b)) = (old, new)
            && a.is(b"Type", b"OBJR")
        {
            return Ok([b"Type".as_slice(), b"Obj", b"Pg"].iter().all(|k| a.get(k) == b.get(k)));
        }
        self.alike(old, new, 4)
    }

    /// A new element that holds nothing but pointers to annotations (§14.7.4.3), or such a pointer; none where it is something
    /// else. What it says itself, it says of annotations.
    fn notes_below(&self, kid: &Object, depth: usize) -> Result<Option<Tag>, PdfError> {
        if kid.reference().is_some_and(|r| !self.at.is_new(r.number)) || depth > limits::PDF_NESTING {
            return Ok(None);
        }
        self.at.history.pay(1)?;
        let Object::Dict(dict) = self.newest.resolve(kid)? else { return Ok(None) };
        if dict.is(b"Type", b"OBJR") {
            let Object::Dict(note) = self.newest.get(&dict, b"Obj")? else { return Ok(None) };
            return Ok((note.get(b"Subtype").is_some() && note.get(b"Rect").is_some())
                .then_some(Tag { notes: 1, has_words: false }));
        }
        const KEYS: [&[u8]; 11] = [b"Type", b"S", b"P", b"K", b"Pg", b"NS", b"Lang", b"ID", b"A", b"C", b"R"];
        let keys = |known: &[&[u8]]| dict.entries().iter().filter(|e| known.contains(&&*e.key)).count();
        if dict.get(b"S").is_none() || keys(&KEYS) + keys(&WORDS) < dict.entries().len() {
            return Ok(None);
        }
        let has_words = keys(&WORDS) > 0;
        let mut tag = Tag { notes: 0, has_words };
        let kids = match self.newest.get(&dict, b"K")? {
            Object::Null => Vec::new(),
            Object::Array(kids) => kids.to_vec(),
            one @ Object::Dict(_) => vec![dict.get(b"K").cloned().unwrap_or(one)],
            _ => return Ok(None),
        };
        self.at.history.pay(kids.len())?;
        for kid in &kids {
            let Some(below) = self.notes_below(kid, depth + 1)? else { return Ok(None) };
            tag.notes += below.notes;
            tag.has_words |= below.has_words;
        }
        Ok((tag.notes > 0 || !has_words).then_some(tag))
    }

    /// An old tag whose annotation no page shows any more.
    fn is_tag_of_removed(&self, kid: &Object) -> Result<bool, PdfError> {
        let Object::Dict(dict) = self.signed.resolve(kid)? else { return Ok(false) };
        let pointer = match dict.is(b"Type", b"OBJR") {
            true => dict,
            false => match self.signed.get(&dict, b"K")? {
                Object::Dict(only) if only.is(b"Type", b"OBJR") => only,
                Object::Array(kids) if kids.len() == 1 => match self.signed.resolve(&kids[0])? {
                    Object::Dict(only) if only.is(b"Type", b"OBJR") => only,
                    _ => return Ok(false),
                },
                _ => return Ok(false),
            },
        };
        let Some(note) = pointer.get(b"Obj").and_then(Object::reference) else { return Ok(false) };
        Ok(!self.at.history.is_note(note.number)?)
    }

    /// The index from pages' and annotations' numbers to their tags (§14.7.4.4): what stood in it stands in it.
    fn judge_index(&mut self, old: &Dict, new: &Dict) -> Result<bool, PdfError> {
        let (was, is) = (old.get(b"ParentTree"), new.get(b"ParentTree"));
        let touched = was != is || is.is_some_and(|is| self.is_touched(is).unwrap_or(true));
        if !touched {
            return Ok(false);
        }
        let (mut before, mut after) = (HashMap::new(), HashMap::new());
        self.entries(false, was, &mut before)?;
        self.entries(true, is, &mut after)?;
        for (number, value) in &before {
            let same = after.get(number).map(|now| self.alike(value, now, 2)).transpose()?;
            if same != Some(true) {
                self.doubt_tags();
            }
        }
        // What was written anew with the same meaning, and what is new.
        if let Some(is) = is {
            self.explain(Some(is), was, &TAG_WAYS);
            self.explain_new(is)?;
        }
        for value in after.values() {
            if let Some(r) = value.reference().filter(|r| self.changed.contains(r.number))
                && matches!(self.newest.resolve(value)?, Object::Array(_))
            {
                self.explain_known(r.number, |way| TAG_WAYS.contains(&&*way.keys[1]) || way.keys[1].is_empty());
            }
        }
        Ok(after.len() > before.len())
    }

    /// Whether the root or an inner node of a number tree changed.
    fn is_touched(&self, tree: &Object) -> Result<bool, PdfError> {
        let mut waiting = vec![(tree.clone(), 0)];
        while let Some((node, depth)) = waiting.pop() {
            if node.reference().is_some_and(|r| self.changed.contains(r.number)) {
                return Ok(true);
            }
            self.at.history.pay(1)?;
            let Object::Dict(dict) = self.newest.resolve(&node)? else { continue };
            for key in [b"Nums".as_slice(), b"Kids"] {
                if dict.get(key).and_then(Object::reference).is_some_and(|r| self.changed.contains(r.number)) {
                    return Ok(true);
                }
            }
            let kids = self.newest.get(&dict, b"Kids")?;
            if depth < limits::PDF_NESTING {
                waiting.extend(kids.array().unwrap_or_default().iter().map(|k| (k.clone(), depth + 1)));
            }
            let nums = self.newest.get(&dict, b"Nums")?;
            let changed = |o: &Object| o.reference().is_some_and(|r| self.changed.contains(r.number));
            if nums.array().unwrap_or_default().iter().any(changed) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The entries of a number tree (§7.9.7), marking its changed nodes as explained in the newest state.
    fn entries(
        &mut self,
        newest: bool,
        tree: Option<&Object>,
        found: &mut HashMap<i64, Object>,
    ) -> Result<(), PdfError> {
        let file = if newest { self.newest } else { self.signed };
        let mut waiting: Vec<(Object, usize)> = tree.cloned().into_iter().map(|t| (t, 0)).collect();
        while let Some((node, depth)) = waiting.pop() {
            let Object::Dict(dict) = file.resolve(&node)? else { continue };
            for part in [Some(&node), dict.get(b"Nums"), dict.get(b"Kids")].into_iter().flatten() {
                if newest && let Some(r) = part.reference().filter(|r| self.changed.contains(r.number)) {
                    self.explain_known(r.number, |way| TAG_WAYS.contains(&&*way.keys[1]) || way.keys[1].is_empty());
                }
            }
            let nums = file.get(&dict, b"Nums")?;
            let nums = nums.array().unwrap_or_default();
            self.at.history.pay(nums.len() / 2 + 1)?;
            for pair in nums.chunks(2) {
                if let [Object::Int(number), value] = pair {
                    found.insert(*number, value.clone());
                }
            }
            if depth < limits::PDF_NESTING {
                let kids = file.get(&dict, b"Kids")?;
                waiting.extend(kids.array().unwrap_or_default().iter().map(|k| (k.clone(), depth + 1)));
            }
        }
        Ok(())
    }
}
