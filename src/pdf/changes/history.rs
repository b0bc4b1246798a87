//! The states of one file that signatures speak for, and what led to what in each of them: read once, oldest first,
//! each state costing only what changed since the one before.

use super::pages::Places;
use super::signing::Shown;
use crate::limits;
use crate::pdf::PdfError;
use crate::pdf::file::File;
use crate::pdf::form::{self, Field};
use crate::pdf::object::{Object, Stream};
use crate::pdf::page::{self, Page};
use crate::pdf::reach::{deep, reachable};
use crate::pdf::xref::Entry;
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
    pages: OnceCell<Vec<Page>>,
    places: OnceCell<Places>,
    fields: OnceCell<Vec<Field>>,
    used: OnceCell<HashSet<u32>>,
    shown: OnceCell<HashSet<u32>>,
    strays: OnceCell<Vec<(usize, u32)>>,
    /// By the field's object number.
    pub(super) pictures: RefCell<HashMap<u32, Rc<[Shown]>>>,
    left: Cell<usize>,
}

struct State<'a> {
    end: usize,
    file: Result<Option<File<'a>>, PdfError>,
    form: OnceCell<Vec<Kept>>,
}

/// A field of a signed state, with the numbers of what it is made of: where none of them changed, neither did the field.
pub(super) struct Kept {
    pub field: Field,
    pub parts: Vec<u32>,
    /// Its appearance dictionaries and what they lead to, where they are objects of their own.
    looks: Vec<u32>,
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
        let states: Vec<_> = ends.into_iter().map(|end| State { end, file: newest.earlier(end), form: OnceCell::new() }).collect();
        let ways = Ways::over(newest, &states)?;
        let left = Cell::new(limits::PDF_JUDGED);
        Ok(Self {
            newest,
            states,
            ways,
            pages: OnceCell::new(),
            places: OnceCell::new(),
            fields: OnceCell::new(),
            used: OnceCell::new(),
            shown: OnceCell::new(),
            strays: OnceCell::new(),
            pictures: RefCell::default(),
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

    /// Objects written behind the oldest signed state that no index leads to, with their offsets: a viewer that
    /// repairs files finds them all the same.
    pub(super) fn strays(&self) -> Result<&[(usize, u32)], PdfError> {
        let from = self.states.first().map_or(usize::MAX, |s| s.end);
        once(&self.strays, || strays(self.newest, from)).map(Vec::as_slice)
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
        matches!(self.file.load_number(number), Ok(None)) && !self.is_promised(number)
    }

    /// The state refers to a number that it does not have: whoever defines it later changes what was signed.
    pub fn is_promised(&self, number: u32) -> bool {
        let led = self.history.ways.led.get(&number).is_some_and(|&since| since <= self.index);
        led && matches!(self.file.load_number(number), Ok(None))
    }

    /// This state's form fields.
    pub fn form(self) -> Result<&'h [Kept], PdfError> {
        match self.history.states.get(self.index) {
            Some(state) => state.form(self.file),
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
    fn over(newest: &File<'_>, states: &[State<'_>]) -> Result<Self, PdfError> {
        let mut ways = Self::default();
        let files = || {
            let state = |(i, state): (usize, _)| {
                let state: &State<'_> = state;
                Some((i, state, state.file.as_ref().ok()?.as_ref()?))
            };
            states.iter().enumerate().filter_map(state)
        };
        let Some((_, _, oldest)) = files().next() else { return Ok(ways) };
        ways.touched = numbers_since(newest, oldest)?;
        // A field may get another picture without its old one being touched, or a picture may be touched while what
        // holds it is not: who else shows them matters.
        for (_, state, file) in files() {
            let form = state.form(file).unwrap_or_default();
            ways.touched.extend(form.iter().flat_map(|kept| &kept.looks));
        }
        let mut before: Option<&File<'_>> = None;
        for (index, _, file) in files() {
            let mut waiting = vec![(0, Object::Dict(file.trailer().clone()))];
            if let Some(before) = before {
                for number in numbers_since(file, before)? {
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
            before = Some(file);
        }
        Ok(ways)
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
    fn form(&self, file: &File<'_>) -> Result<&[Kept], PdfError> {
        once(&self.form, || form::fields(file)?.into_iter().map(|field| Kept::of(file, field)).collect()).map(Vec::as_slice)
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
        Ok(Self { field, parts, looks })
    }
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

/// Heads of objects from `from` on that stand where no index leads.
fn strays(file: &File<'_>, from: usize) -> Result<Vec<(usize, u32)>, PdfError> {
    let source = file.source();
    let mut starts = Vec::new();
    source.steps(from..source.length(), AROUND, |start, seen, own| {
        let here = memchr::memmem::find_iter(seen, b"obj").filter(|at| own.contains(&(start + at)));
        starts.extend(here.filter_map(|at| head_start(seen, at)).map(|at| start + at).filter(|at| *at >= from));
    })?;
    let (mut listed, mut sections) = (HashSet::new(), HashSet::new());
    for section in file.sections() {
        sections.insert(section.offset);
        sections.extend(section.hidden.as_ref().map(|h| h.offset));
        // What stands before `from` was listed by older sections.
        if section.reach() > from {
            for number in section.numbers()? {
                if let Some(Entry::At { offset, .. }) = section.entry(source, number)? {
                    listed.insert(source.parse(offset, |lexer| {
                        lexer.skip_space();
                        lexer.pos
                    })?);
                }
            }
        }
    }
    let mut heads = Vec::new();
    for start in starts.into_iter().filter(|start| !listed.contains(start) && !sections.contains(start)) {
        heads.extend(file.head_at(start)?.map(|reference| (start, reference)));
    }
    if heads.is_empty() {
        return Ok(Vec::new());
    }
    // Data that only looks like an object lies inside a stream.
    let mut data: Vec<(usize, usize)> = Vec::new();
    for &start in &listed {
        data.push((start, file.end_of_object(start)?));
    }
    data.sort_unstable();
    let inside = |at: usize| {
        let before = data.partition_point(|(start, _)| *start <= at);
        before.checked_sub(1).and_then(|i| data.get(i)).is_some_and(|(_, end)| at < *end)
    };
    Ok(heads.into_iter().filter(|(start, _)| !inside(*start)).map(|(start, r)| (start, r.number)).collect())
}

/// Bytes seen before a step: two numbers of ten digits, and white space.
const AROUND: usize = 64;

/// Where `12 0 obj` begins, given where its `obj` stands.
fn head_start(bytes: &[u8], obj: usize) -> Option<usize> {
    let mut at = obj;
    // `0obj` is read by many.
    for least in [0, 1] {
        let spaces = bytes.get(..at)?.iter().rev().take_while(|b| b.is_ascii_whitespace()).count();
        at -= spaces;
        let digits = bytes.get(..at)?.iter().rev().take_while(|b| b.is_ascii_digit()).count();
        if spaces < least || digits == 0 || digits > 10 {
            return None;
        }
        at -= digits;
    }
    Some(at)
}
