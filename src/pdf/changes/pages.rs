//! Pages and what lies on them: the page itself may not change, and of its notes only those that are allowed.

use super::history::{self, History, once};
use super::{Judge, Step, coincide, shown};
use crate::pdf::PdfError;
use crate::pdf::object::{Dict, Object};
use crate::pdf::page::Page;
use std::cell::OnceCell;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

impl History<'_, '_> {
    /// Whether a number is a page of the newest state.
    pub(super) fn is_page(&self, number: u32) -> bool {
        self.places().is_ok_and(|places| places.pages.contains_key(&number))
    }

    /// Whether a page of the newest state shows this note.
    pub(super) fn is_note(&self, number: u32) -> Result<bool, PdfError> {
        Ok(self.places()?.notes.contains_key(&number))
    }

    /// The page, from 0, that shows a note: by its /Annots, or else by what the note says itself (/P).
    pub(super) fn page_of(&self, number: Option<u32>, note: &Dict) -> Result<Option<usize>, PdfError> {
        let places = self.places()?;
        let listed = number.and_then(|n| places.notes.get(&n));
        let own = note.get(b"P").and_then(Object::reference).and_then(|r| places.pages.get(&r.number));
        Ok(listed.or(own).copied())
    }

    pub(super) fn find_places(&self) -> Result<Places, PdfError> {
        let mut places = Places::default();
        for (page, found) in self.pages()?.iter().enumerate() {
            places.pages.insert(found.reference.number, page);
            let annots = found.dict.get(b"Annots");
            if let Some(r) = annots.and_then(Object::reference) {
                places.lists.entry(r.number).or_default().push(page);
            }
            let notes = self.newest.get(&found.dict, b"Annots")?;
            for r in notes.array().unwrap_or_default().iter().filter_map(Object::reference) {
                match places.notes.entry(r.number) {
                    Entry::Vacant(place) => drop(place.insert(page)),
                    Entry::Occupied(_) => drop(places.twice.insert(r.number)),
                }
            }
        }
        Ok(places)
    }
}

/// Where the newest state shows what, pages from 0.
#[derive(Debug, Default)]
pub(super) struct Places {
    pages: HashMap<u32, usize>,
    /// Notes that are objects of their own.
    notes: HashMap<u32, usize>,
    /// Those that are shown at more than one place.
    twice: HashSet<u32>,
    /// Lists of notes that are objects of their own.
    lists: HashMap<u32, Vec<usize>>,
}

impl Judge<'_, '_, '_> {
    pub(super) fn judge_pages(&mut self) -> Result<(), PdfError> {
        let places = self.at.history.places()?;
        let tree = self.rewritten.iter().any(|n| {
            let loaded = self.signed.load_number(*n).ok().flatten();
            loaded.is_some_and(|l| l.object.dict().is_some_and(|d| d.is(b"Type", b"Pages") || d.get(b"Kids").is_some()))
        });
        if tree {
            let (before, now) = (history::pages(self.signed)?, self.at.history.pages()?);
            self.at.history.pay(before.len())?;
            if before.len() != now.len() || before.iter().zip(now).any(|(a, b)| a.reference != b.reference) {
                let (zh, en) = ("页面被增加、删除或换序", "Pages were added, removed or put in another order");
                self.forbid("pdf.page-tree-changed", zh, en);
                return Ok(());
            }
        }
        let mut touched: Vec<usize> = Vec::new();
        touched.extend(self.rewritten.iter().filter_map(|number| places.pages.get(number)));
        // A list may be new where its page is not.
        let lists = places.lists.iter().filter(|(number, _)| self.changed.contains(**number));
        touched.extend(lists.flat_map(|(_, pages)| pages));
        touched.sort_unstable();
        touched.dedup();
        let before = OnceCell::new();
        for page in touched {
            self.judge_page(page, &before)?;
        }
        let notes: Vec<(u32, usize)> =
            self.rewritten.iter().filter_map(|n| Some((*n, *places.notes.get(n)?))).collect();
        for (number, page) in notes {
            if !self.explained.contains(number) && !self.at.is_new(number) {
                self.judge_changed_note(number, page)?;
            }
        }
        Ok(())
    }

    /// `before`: the pages as they were signed, once asked for.
    fn judge_page(&mut self, page: usize, before: &OnceCell<Vec<Page>>) -> Result<(), PdfError> {
        let Some(new) = self.at.history.pages()?.get(page) else { return Ok(()) };
        let Some(old) = self.signed.load(new.reference)? else { return Ok(()) };
        let Some(old) = old.object.dict() else { return Ok(()) };
        let number = page + 1;
        if new.dict.doubled().is_some() {
            let zh = format!("第{number}页中有重复的键");
            self.doubt("pdf.key-twice", &zh, format!("A key is written twice in page {number}"));
        }
        for key in self.differing(old, &new.dict)? {
            let absent = old.get(&key).is_none();
            let value = self.newest.get(&new.dict, &key)?;
            let name = shown(&key);
            let (zh, en) = (format!("第{number}页的/{name}被修改"), format!("/{name} of page {number} was changed"));
            match &*key {
                b"Annots" => {}
                // §14.8.4: the order in which the tags stand, which viewers follow where nothing is said.
                b"Tabs" if absent && value.name() == Some(b"S") => {}
                // An entry of the tags' index; what stands there is judged with the tags.
                b"StructParents" if absent && value.int().is_some() => {}
                b"LastModified" if value.string().is_some() => {}
                // What was inherited or taken for granted may come to be said, and the other way round.
                _ if self.is_meant(&key, page, before)? => {
                    self.explain_new(new.dict.get(&key).unwrap_or(&Object::Null))?
                }
                b"Rotate" | b"MediaBox" | b"CropBox" | b"UserUnit" | b"Parent" | b"BleedBox" | b"TrimBox"
                | b"ArtBox" => {
                    self.forbid("pdf.page-geometry-changed", &zh, &en);
                }
                b"AA" => self.forbid("pdf.action-changed", &zh, &en),
                b"Tabs" | b"StructParents" | b"LastModified" => self.doubt("pdf.page-changed", &zh, &en),
                _ => self.forbid("pdf.page-content-changed", &zh, &en),
            }
        }
        self.explained.insert(new.reference.number);
        self.judge_notes(page, old, &new.dict)
    }

    /// Whether a page's key, or its absence, means what it meant (ISO 32000-1 §7.7.3.4).
    fn is_meant(&self, key: &[u8], page: usize, before: &OnceCell<Vec<Page>>) -> Result<bool, PdfError> {
        if !matches!(key, b"Resources" | b"Rotate" | b"UserUnit") && !key.ends_with(b"Box") {
            return Ok(false);
        }
        let was = once(before, || {
            let pages = history::pages(self.signed)?;
            self.at.history.pay(pages.len()).map(|()| pages)
        })?;
        let (Some(was), Some(is)) = (was.get(page), self.at.history.pages()?.get(page)) else { return Ok(false) };
        if was.reference != is.reference {
            return Ok(false);
        }
        if key == b"Resources" {
            return match (&was.resources, &is.resources) {
                (Some(was), Some(is)) => self.alike(was, is, 8),
                _ => Ok(false),
            };
        }
        let (was, is) = (was.geometry(self.signed, key)?, is.geometry(self.newest, key)?);
        Ok(was.zip(is).is_some_and(|(was, is)| coincide(&was, &is)))
    }

    /// The list of notes before and now.
    fn judge_notes(&mut self, page: usize, old: &Dict, new: &Dict) -> Result<(), PdfError> {
        let (was, is) = (self.signed.get(old, b"Annots")?, self.newest.get(new, b"Annots")?);
        let (was, is) = (was.array().unwrap_or_default(), is.array().unwrap_or_default());
        let places = self.at.history.places()?;
        self.at.history.pay(was.len() + is.len())?;
        self.explain(new.get(b"Annots"), old.get(b"Annots"), &[b"Annots"]);
        if new.get(b"Annots") != old.get(b"Annots")
            && let Some(r) = old.get(b"Annots").and_then(Object::reference)
        {
            self.explain_known(r.number, |way| &*way.keys[1] == b"Annots");
        }
        if was == is {
            return Ok(());
        }
        let refs =
            |notes: &[Object]| -> Vec<u32> { notes.iter().filter_map(Object::reference).map(|r| r.number).collect() };
        let (before, after) = (refs(was), refs(is));
        let (then, now): (HashSet<u32>, HashSet<u32>) =
            (before.iter().copied().collect(), after.iter().copied().collect());
        let number = page + 1;
        // What stood in the list itself may have become an object of its own, at its place in the list.
        let mut lifted = HashSet::new();
        for (was, is) in was.iter().zip(is) {
            if let (Object::Dict(_), Some(r)) = (was, is.reference())
                && self.at.is_new(r.number)
                && self.alike(was, is, 8)?
            {
                self.explain_new(is)?;
                lifted.insert(r.number);
            }
        }
        // What is drawn later lies above.
        let direct = was.iter().chain(is).filter(|note| note.reference().is_none()).count();
        self.at.history.pay(direct * (was.len() + is.len()) / 64)?;
        let stayed = was.iter().enumerate().filter_map(|(at, note)| match note.reference() {
            Some(r) => now.contains(&r.number).then_some(note),
            None => {
                let here = is.get(at).filter(|here| here.reference().is_some_and(|r| lifted.contains(&r.number)));
                here.or_else(|| is.contains(note).then_some(note))
            }
        });
        let stays = is.iter().filter(|note| match note.reference() {
            Some(r) => then.contains(&r.number) || lifted.contains(&r.number),
            None => was.contains(note),
        });
        if !stayed.eq(stays) {
            let (zh, en) =
                (format!("第{number}页的注释被换序"), format!("Annotations of page {number} were reordered"));
            self.doubt("pdf.annotations-reordered", &zh, &en);
        }
        for (at, gone) in was.iter().enumerate() {
            let stays = match gone.reference() {
                Some(r) => now.contains(&r.number),
                None => {
                    is.contains(gone)
                        || is.get(at).and_then(Object::reference).is_some_and(|r| lifted.contains(&r.number))
                }
            };
            if !stays {
                self.judge_removed_note(gone, page)?;
            }
        }
        // A listed one is asked for, so that another generation is told.
        for note in is.iter().filter_map(Object::reference) {
            self.newest.load(note)?;
        }
        let twice = |list: &[u32], once: &HashSet<u32>| list.len() - once.len();
        let come = now.iter().filter(|n| !then.contains(n));
        if twice(&after, &now) > twice(&before, &then) || come.clone().any(|n| places.twice.contains(n)) {
            let zh = format!("第{number}页的注释被重复列出，或同时列在别处");
            let en = format!("An annotation of page {number} is listed twice, or elsewhere too");
            self.doubt("pdf.annotation-twice", &zh, &en);
        }
        for come in is.iter().filter(|o| o.reference().is_none_or(|r| !then.contains(&r.number))) {
            match come.reference() {
                None if was.contains(come) => {}
                Some(r) if lifted.contains(&r.number) => {}
                Some(r) if self.placed.contains(&r.number) && self.at.is_new(r.number) => {}
                Some(r) if !self.at.is_new(r.number) => self.judge_activated_note(r.number, page)?,
                _ => self.judge_new_note(come, page)?,
            }
        }
        Ok(())
    }

    /// An object that was in the file before comes to be shown on a page.
    fn judge_activated_note(&mut self, number: u32, page: usize) -> Result<(), PdfError> {
        let loaded = self.newest.load_number(number)?;
        let dict = loaded.as_ref().and_then(|l| l.object.dict()).cloned().unwrap_or_else(Dict::empty);
        if super::looks::rectangle(self.newest, &dict)?.is_none() && dict.is(b"Subtype", b"Widget") {
            self.allow(Step::Validation, "不可见的签名域登记到页面", "A field that shows nothing was put on its page");
            return Ok(());
        }
        // A field of the form that was signed since: as if it were new.
        let field = self.at.history.fields()?.iter().find(|f| f.reference.is_some_and(|r| r.number == number));
        if let Some(field) = field.filter(|f| f.is_signature() && self.explained.contains(number))
            && !self.newest.resolve(&field.value)?.is_null()
        {
            let name = field.name.clone();
            let zh = format!("签名域“{name}”签名后显示在页面上");
            self.allow(
                Step::NewField,
                &zh,
                format!("The signature field “{name}” came to be shown when it was signed"),
            );
            for picture in self.at.history.pictures(field)?.iter() {
                self.judge_picture(&name, picture)?;
            }
            return Ok(());
        }
        let number = page + 1;
        let zh = format!("文件中原有而未显示的内容出现在第{number}页");
        let en = format!("Something that was in the file unseen came to be shown on page {number}");
        self.doubt("pdf.hidden-content-shown", &zh, &en);
        Ok(())
    }
}
