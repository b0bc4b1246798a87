//! The states of one file that signatures speak for, and what led to what in each of them: read once, oldest first,
//! each state costing only what changed since the one before.

use super::canvas::Canvas;
use super::looks::{Drawn, Seen};
use super::pages::Places;
use super::signing::Shown;
use super::updates::{Update, numbers_since, updates};
use super::writing::Written;
use crate::limits;
use crate::pdf::PdfError;
use crate::pdf::file::File;
use crate::pdf::form::{self, Field, Found};
use crate::pdf::object::{Object, Ref, Stream, text};
use crate::pdf::page::{self, Page};
use crate::pdf::reach::{deep, reachable};
use crate::pdf::text::Boxes;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;
use std::rc::Rc;

/// A file with the states in it that were signed.
pub(in crate::pdf) struct History<'f, 'a> {
    pub newest: &'f File<'a>,
    /// Ascending by where they end.
    states: Vec<State<'a>>,
    ways: Ways,
    /// Ascending by number.
    updates: Vec<Update>,
    pages: OnceCell<Vec<Page>>,
    places: OnceCell<Places>,
    fields: OnceCell<Vec<Field>>,
    used: OnceCell<HashSet<u32>>,
    shown: OnceCell<HashSet<u32>>,
    written: OnceCell<Written>,
    plain: OnceCell<bool>,
    /// By the field's object number.
    pub(super) pictures: RefCell<HashMap<u32, Rc<[Shown]>>>,
    /// Annotations of the newest state that were looked at, by their numbers.
    pub(super) seen: RefCell<HashMap<u32, Seen>>,
    pub(super) canvases: RefCell<HashMap<[u8; 32], Rc<Canvas>>>,
    /// Of one page, from 0.
    pub(super) text: RefCell<Option<(usize, Rc<Boxes>)>>,
    pub(super) drawn: Drawn,
    left: Cell<usize>,
}

struct State<'a> {
    end: usize,
    file: Result<Option<File<'a>>, PdfError>,
    form: OnceCell<Vec<Rc<Kept>>>,
}

/// A field of a signed state, with the numbers of what it is made of: where none of them changed, neither did the field.
pub(super) struct Kept {
    pub field: Field,
    pub parts: Vec<u32>,
    /// Its appearance dictionaries and what they lead to, where they are objects of their own.
    looks: Vec<u32>,
    /// Nothing else was read for it.
    whole: bool,
}

/// One of the signed states.
#[derive(Clone, Copy)]
pub(super) struct At<'h, 'f, 'a> {
    pub history: &'h History<'f, 'a>,
    pub file: &'h File<'a>,
    pub end: usize,
    index: usize,
}

/// A reference as it stands in an object (0 is the trailer): the last two keys on the way to it, the inner one second.
/// Both are empty for an element of an array that is an object of its own.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub from: u32,
    pub keys: [Rc<[u8]>; 2],
    since: usize,
}

#[derive(Default)]
struct Ways {
    /// Which state first led to a number, whether the file had it or not.
    led: HashMap<u32, usize>,
    /// To the numbers that any later update speaks of.
    to: HashMap<u32, Vec<Way>>,
    /// The states with another version of an object than the state before, ascending, and whether they have it.
    versions: HashMap<u32, Vec<(usize, bool)>>,
    touched: HashSet<u32>,
    /// Streams whose data did not end in the state that first led to them.
    unended: HashSet<u32>,
}

impl<'f, 'a> History<'f, 'a> {
    /// `ends` are the signed lengths of the states, bytes.
    ///
    /// Errors: what the states hold is beyond the limits.
    pub fn of(newest: &'f File<'a>, ends: impl IntoIterator<Item = usize>) -> Result<Self, PdfError> {
        let ends: BTreeSet<usize> = ends.into_iter().collect();
        let states: Vec<_> =
            ends.into_iter().map(|end| State { end, file: newest.earlier(end), form: OnceCell::new() }).collect();
        let (ways, updates) = Ways::over(newest, &states)?;
        let left = Cell::new(limits::PDF_JUDGED);
        Ok(Self {
            newest,
            states,
            ways,
            updates,
            pages: OnceCell::new(),
            places: OnceCell::new(),
            fields: OnceCell::new(),
            used: OnceCell::new(),
            shown: OnceCell::new(),
            written: OnceCell::new(),
            plain: OnceCell::new(),
            pictures: RefCell::default(),
            seen: RefCell::default(),
            canvases: RefCell::default(),
            text: RefCell::default(),
            drawn: Drawn::default(),
            left,
        })
    }

    /// The state that ended at `end`; `None` where the newest index does not contain that state's.
    pub(super) fn at(&self, end: usize) -> Result<Option<At<'_, 'f, 'a>>, PdfError> {
        let found = self.states.iter().enumerate().find(|(_, s)| s.end == end);
        match found.map(|(index, s)| (index, &s.file)) {
            Some((index, Ok(Some(file)))) => Ok(Some(At { history: self, file, end, index })),
            Some((_, Err(error))) => Err(error.clone()),
            _ => Ok(None),
        }
    }

    /// Streams whose data did not end in a signed state: what was appended may have become a part of them.
    pub(super) fn unended(&self) -> impl Iterator<Item = u32> {
        self.ways.unended.iter().copied()
    }

    /// All signatures of a file together may cost so much comparing.
    pub(super) fn pay(&self, objects: usize) -> Result<(), PdfError> {
        let left = self.left.get().checked_sub(objects);
        let limit = limits::PDF_JUDGED as u64;
        self.left.set(left.ok_or(PdfError::OverLimit { what: "changes judged", limit })?);
        Ok(())
    }

    /// The newest state's pages.
    pub(super) fn pages(&self) -> Result<&[Page], PdfError> {
        once(&self.pages, || pages(self.newest)).map(Vec::as_slice)
    }

    /// Where the newest state shows its notes.
    pub(super) fn places(&self) -> Result<&Places, PdfError> {
        once(&self.places, || self.find_places())
    }

    /// The newest state's form fields.
    pub(super) fn fields(&self) -> Result<&[Field], PdfError> {
        once(&self.fields, || form::fields(self.newest)).map(Vec::as_slice)
    }

    /// What the newest state leads to at all.
    pub(super) fn used(&self) -> Result<&HashSet<u32>, PdfError> {
        once(&self.used, || reachable(self.newest, None))
    }

    /// What the pages draw with. Asked of the oldest state that has a change to explain, once: it words a verdict and
    /// never softens one below suspicion.
    pub(super) fn shown(&self, signed: &File<'_>) -> Result<&HashSet<u32>, PdfError> {
        once(&self.shown, || reachable(signed, Some(b"Pages")))
    }

    /// What the bytes behind the oldest signed state hold beside what the index leads to.
    pub(super) fn written(&self) -> Result<&Written, PdfError> {
        let from = self.states.first().map_or(usize::MAX, |s| s.end);
        once(&self.written, || {
            let numbers = self.updates.iter().map(|update| update.number);
            let readable = self.states.iter().filter_map(|state| state.file.as_ref().ok()?.as_ref());
            let later = readable.map(File::later).max().unwrap_or_default();
            Written::behind(self.newest, from, later, numbers)
        })
    }

    /// Whether who goes through all of the file finds what its index leads to and nothing else.
    pub(super) fn is_plain(&self) -> Result<bool, PdfError> {
        once(&self.plain, || Ok(Written::whole(self.newest)?.is_empty())).copied()
    }
}

pub(super) fn once<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T, PdfError>) -> Result<&T, PdfError> {
    if let Some(made) = cell.get() {
        return Ok(made);
    }
    let made = make()?;
    Ok(cell.get_or_init(|| made))
}

/// All pages of a state.
pub(super) fn pages(file: &File<'_>) -> Result<Vec<Page>, PdfError> {
    let mut pages = Vec::new();
    page::walk(file, |_, page| {
        pages.push(page.clone());
        ControlFlow::Continue(())
    })?;
    Ok(pages)
}

impl<'h, 'f, 'a> At<'h, 'f, 'a> {
    /// Whether a number meant nothing in this state: the state has no such object and does not ask for one.
    pub fn is_new(&self, number: u32) -> bool {
        self.lacks(number) && !self.is_led_to(number)
    }

    fn lacks(&self, number: u32) -> bool {
        let updates = &self.history.updates;
        let update = updates.binary_search_by_key(&number, |update| update.number).ok().and_then(|at| updates.get(at));
        update.is_some_and(|update| update.is_after(self.file)) || matches!(self.file.load_number(number), Ok(None))
    }

    fn is_led_to(&self, number: u32) -> bool {
        self.history.ways.led.get(&number).is_some_and(|&since| since <= self.index)
    }

    /// Every number that an update behind this state speaks of, ascending, and perhaps others.
    pub fn updates(self) -> impl Iterator<Item = &'h Update> {
        self.history.updates.iter().filter(move |update| update.until >= self.index)
    }

    /// The state refers to a number that it does not have: whoever defines it later changes what was signed.
    pub fn is_promised(&self, number: u32) -> bool {
        self.is_led_to(number) && self.lacks(number)
    }

    /// This state's form fields.
    pub fn form(self) -> Result<&'h [Rc<Kept>], PdfError> {
        match self.history.states.get(self.index) {
            Some(state) => state.form(self.file, None),
            None => Ok(&[]),
        }
    }

    /// Every way in which this state leads to an object that some later update speaks of.
    pub fn ways(self, number: u32) -> impl Iterator<Item = &'h Way> + use<'h, 'f, 'a> {
        let ways = &self.history.ways;
        let all = ways.to.get(&number).into_iter().flatten();
        all.filter(move |way| way.since <= self.index && !ways.replaced(way.from, way.since, self.index))
    }
}

impl Ways {
    fn over<'s, 'a>(newest: &File<'a>, states: &'s [State<'a>]) -> Result<(Self, Vec<Update>), PdfError> {
        let mut ways = Self::default();
        let files: Vec<(usize, &State<'a>, &File<'a>)> = {
            let readable =
                |(index, state): (usize, &'s State<'a>)| Some((index, state, state.file.as_ref().ok()?.as_ref()?));
            states.iter().enumerate().filter_map(readable).collect()
        };
        // Behind each state, up to the next one: together what is new behind any of them, each number once.
        let mut steps = Vec::with_capacity(files.len());
        let next = files.iter().skip(1).map(|(_, _, file)| *file).chain([newest]);
        for ((_, _, file), next) in files.iter().zip(next) {
            steps.push(numbers_since(next, file)?);
        }
        let updates = updates(newest, files.iter().map(|(index, ..)| *index).zip(&steps))?;
        ways.touched.extend(updates.iter().map(|update| update.number));
        for &(index, _, file) in &files {
            for update in updates.iter().filter(|update| update.until >= index && !update.is_after(file)) {
                ways.touched.extend(file.packed_in(update.number)?);
            }
        }
        // A field may get another picture without its old one being touched, or a picture may be touched while what
        // holds it is not: who else shows them matters.
        let mut before = None;
        for ((_, state, file), step) in files.iter().zip(&steps) {
            let form = state.form(file, before).unwrap_or_default();
            ways.touched.extend(form.iter().flat_map(|kept| &kept.looks));
            before = Some((form, step));
        }
        let mut steps = std::iter::once(None).chain(steps.iter().map(Some));
        for &(index, _, file) in &files {
            let mut waiting = vec![(0, Object::Dict(file.trailer().clone()))];
            if let Some(step) = steps.next().flatten() {
                for &number in step {
                    if ways.led.contains_key(&number) {
                        let version = ways.version(file, number)?;
                        ways.versions.entry(number).or_default().push((index, version.is_some()));
                        waiting.extend(version.map(|object| (number, object)));
                    }
                }
                // The trailer's own version.
                ways.versions.entry(0).or_default().push((index, true));
            }
            ways.walk(file, index, waiting)?;
        }
        Ok((ways, updates))
    }

    fn walk(&mut self, file: &File<'_>, index: usize, mut waiting: Vec<(u32, Object)>) -> Result<(), PdfError> {
        let none: Rc<[u8]> = Rc::from(&b""[..]);
        while let Some((from, object)) = waiting.pop() {
            let mut inside = vec![(object, [none.clone(), none.clone()])];
            while let Some((object, keys)) = inside.pop() {
                match object {
                    Object::Ref(r) => {
                        if self.touched.contains(&r.number) {
                            self.to.entry(r.number).or_default().push(Way { from, keys, since: index });
                        }
                        if self.led.contains_key(&r.number) {
                            continue;
                        }
                        if self.led.len() >= limits::PDF_COMPARED {
                            let limit = limits::PDF_COMPARED as u64;
                            return Err(PdfError::OverLimit { what: "objects compared", limit });
                        }
                        self.led.insert(r.number, index);
                        waiting.extend(self.version(file, r.number)?.map(|object| (r.number, object)));
                    }
                    Object::Array(items) => {
                        inside.extend(items.iter().filter(|o| deep(o)).map(|o| (o.clone(), keys.clone())));
                    }
                    Object::Dict(dict) | Object::Stream(Stream { dict, .. }) => {
                        let [_, outer] = &keys;
                        for entry in dict.entries().iter().filter(|e| deep(&e.value)) {
                            // What a private key of the trailer names is read by no viewer (§7.5.5); a stream behind
                            // one is judged with the trailer.
                            let known = matches!(&*entry.key, b"Root" | b"Info" | b"ID");
                            if from != 0 || !outer.is_empty() || known {
                                inside.push((entry.value.clone(), [outer.clone(), entry.key.clone()]));
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn version(&mut self, file: &File<'_>, number: u32) -> Result<Option<Object>, PdfError> {
        let object = match file.load_number(number) {
            Ok(loaded) => loaded.map(|l| l.object.clone()),
            Err(limit @ PdfError::OverLimit { .. }) => return Err(limit),
            // Nothing can be reached through what cannot be read.
            Err(_) => None,
        };
        if let Some(Object::Stream(stream)) = &object
            && file.stored_at(stream).is_err()
        {
            self.unended.insert(number);
        }
        Ok(object)
    }

    /// Whether an object got another version after state `since`, up to state `until`.
    fn replaced(&self, number: u32, since: usize, until: usize) -> bool {
        self.versions.get(&number).is_some_and(|v| v.iter().any(|(at, _)| since < *at && *at <= until))
    }
}

impl State<'_> {
    /// `before`: an earlier state's form, and what was spoken of since. A form grows with each signature, so what stayed
    /// is not read again.
    fn form(&self, file: &File<'_>, before: Option<(&[Rc<Kept>], &HashSet<u32>)>) -> Result<&[Rc<Kept>], PdfError> {
        let read = || {
            let mut stayed: HashMap<Ref, &Rc<Kept>> = HashMap::new();
            if let Some((fields, spoken_of)) = before {
                let stay = fields.iter().filter(|kept| kept.stays(spoken_of));
                stayed.extend(stay.filter_map(|kept| Some((kept.field.reference?, kept))));
            }
            let mut form = Vec::new();
            form::walk(file, &|top| stayed.contains_key(&top), &mut |found| {
                form.extend(match found {
                    Found::Known(top) => stayed.get(&top).map(|kept| Rc::clone(kept)),
                    Found::Read(field) => Some(Rc::new(Kept::of(file, field)?)),
                });
                Ok(())
            })?;
            Ok(form)
        };
        once(&self.form, read).map(Vec::as_slice)
    }
}

impl Kept {
    fn of(file: &File<'_>, field: Field) -> Result<Self, PdfError> {
        let number = |object: Option<&Object>| object.and_then(Object::reference).map(|r| r.number);
        let (mut parts, mut looks) = (Vec::new(), Vec::new());
        parts.extend(field.reference.map(|r| r.number));
        parts.extend(number(Some(&field.value)));
        parts.extend(number(field.dict.get(b"Kids")));
        let mut widgets = vec![field.dict.clone()];
        for kid in file.get(&field.dict, b"Kids")?.array().unwrap_or_default() {
            parts.extend(number(Some(kid)));
            widgets.extend(file.resolve(kid)?.dict().cloned());
        }
        for widget in widgets {
            looks.extend(number(widget.get(b"AP")));
            for entry in file.get_dict(&widget, b"AP")?.as_ref().map(|looks| looks.entries()).unwrap_or_default() {
                looks.extend(number(Some(&entry.value)));
                // One picture for each state of a button.
                if let Object::Dict(states) = file.resolve(&entry.value)? {
                    looks.extend(states.entries().iter().filter_map(|e| number(Some(&e.value))));
                }
            }
        }
        parts.extend(&looks);
        // It inherits nothing, has nothing below it, and its name and type stand in its own object.
        let own = |key: &[u8]| field.dict.get(key).filter(|value| value.reference().is_none());
        let whole = own(b"T").and_then(Object::string).is_some_and(|name| text(name) == field.name)
            && own(b"FT").and_then(Object::name) == Some(field.kind.as_slice())
            && (field.dict.get(b"V").is_some() || field.value.is_null())
            && field.dict.get(b"Kids").is_none();
        Ok(Self { field, parts, looks, whole })
    }

    /// It would be read again as it was.
    fn stays(&self, spoken_of: &HashSet<u32>) -> bool {
        self.whole && !self.parts.iter().any(|part| spoken_of.contains(part))
    }
}
