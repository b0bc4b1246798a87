//! A PDF opened for reading: nothing is parsed until it is asked for, and everything read is paid for out of one
//! purse, so that no file costs more than a multiple of its size.

use super::PdfError;
use super::encryption::{Key, Terms};
use super::filter::Filters;
use super::lex::Lexer;
use super::object::{Dict, Object, Ref, Stream};
use super::reach::deep;
use super::source::Source;
use super::xref::{self, Entry, Section};
use crate::limits;
use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;

/// One state of a file: the bytes from its start to the end of one revision.
pub struct File<'a> {
    source: Source<'a>,
    /// The newest state's.
    whole: Source<'a>,
    newest: Rc<Section>,
    /// How many sections of the whole file's chain came later.
    later: usize,
    loaded: RefCell<HashMap<u32, Option<Rc<Loaded>>>>,
    shared: Rc<Shared>,
}

/// What the states of one file have in common: what stands at an offset is the same in each of them.
#[derive(Default)]
struct Shared {
    /// The whole file's, newest first.
    chain: Vec<Rc<Section>>,
    entries: RefCell<HashMap<u32, Mentions>>,
    objects: RefCell<HashMap<usize, Rc<Loaded>>>,
    packs: RefCell<HashMap<(usize, usize), Rc<Pack>>>,
    /// Objects of their own that say how a pack is read. Nothing else need lead to them.
    read_by_packs: RefCell<HashSet<u32>>,
    purse: Rc<Purse>,
    /// Of an encrypted file; until it is found everything is read as it stands.
    key: OnceCell<Result<Key, PdfError>>,
    /// Objects that were asked for under another generation: some readers do not look at it.
    misnamed: RefCell<HashSet<u32>>,
    /// Objects with a dictionary that says two things, and where it begins.
    doubled: RefCell<Vec<(Ref, usize)>>,
}

/// What all readings of one file may cost together, in bytes parsed, unpacked or gone through: a forged file can make many
/// readings necessary.
#[derive(Debug, Default)]
pub(crate) struct Purse {
    whole: u64,
    left: Cell<u64>,
}

impl Purse {
    /// For a file of so many bytes.
    pub fn of(length: usize) -> Rc<Self> {
        let whole = limits::PDF_WORK_BASE + limits::PDF_WORK_PER_BYTE * length as u64;
        Rc::new(Self { whole, left: Cell::new(whole) })
    }

    pub fn pay(&self, bytes: usize) -> Result<(), PdfError> {
        let left = self.left.get().checked_sub(bytes as u64 + 1);
        self.left.set(left.ok_or(PdfError::OverLimit { what: "bytes read", limit: self.whole })?);
        Ok(())
    }
}

/// What each section that knows an object says of it, newest first, with the section's place in the chain. Asked once, as
/// each state of a file that was sealed fifty times would go through fifty sections for each object.
pub(super) type Mentions = Rc<[(usize, Result<Entry, PdfError>)]>;

/// An indirect object as it was found.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub reference: Ref,
    pub object: Object,
    /// Where the object's own bytes stand, in the file or in its pack.
    pub span: Range<usize>,
    pack: Option<Rc<Pack>>,
}

impl Loaded {
    /// Whether it was read out of an object stream, so that its span is not of the file.
    pub fn is_packed(&self) -> bool {
        self.pack.is_some()
    }
}

/// An unpacked object stream (§7.5.7).
#[derive(Debug)]
struct Pack {
    data: Vec<u8>,
    /// (object number, offset in `data`)
    index: Vec<(u32, usize)>,
}

impl<'a> File<'a> {
    /// Opens the newest state.
    ///
    /// Errors: not a PDF, encrypted, larger than the limits, or a cross-reference that readers could take in
    /// more than one way. Nothing is repaired: a repaired file is not the file that was signed.
    pub fn open(source: impl Into<Source<'a>>) -> Result<Self, PdfError> {
        let source = source.into();
        let file = Self::open_even_encrypted(source, Purse::of(source.length()))?;
        if file.newest.is_encrypted() { Err(PdfError::Encrypted) } else { Ok(file) }
    }

    /// As [`Self::open`], and an encrypted file as whoever opens it sees it. Where that takes a password ([`Self::locked`]),
    /// its strings and streams stay as they are, and what is packed into a stream cannot be had.
    pub(crate) fn open_even_encrypted(source: Source<'a>, purse: Rc<Purse>) -> Result<Self, PdfError> {
        if source.length() > limits::PDF_BYTES {
            return Err(PdfError::OverLimit { what: "file bytes", limit: limits::PDF_BYTES as u64 });
        }
        // ISO 32000-1 Annex H.3 note 13 lets viewers look for the head in the first 1024 bytes; then they disagree on
        // where offsets count from.
        let head = source.window(0..1024)?;
        match memchr::memmem::find(&head, b"%PDF-") {
            Some(0) => {}
            Some(at) => return Err(PdfError::Broken { at, what: "something stands before the head of the file" }),
            None => return Err(PdfError::NotPdf),
        }
        let (_, start) =
            startxref(source)?.ok_or(PdfError::Broken { at: source.length(), what: "the end has no startxref" })?;
        let (newest, older) = xref::chain(source, start, &purse)?;
        let file = Self::of(source, newest, older, purse);
        if file.newest.is_encrypted() {
            let key = match Key::of(&file) {
                Err(error @ (PdfError::OverLimit { .. } | PdfError::Unread(_))) => return Err(error),
                Err(PdfError::NeedsPassword) => Err(PdfError::NeedsPassword),
                key => key.map_err(|_| PdfError::UnknownProtection),
            };
            file.shared.key.get_or_init(|| key);
        }
        Ok(file)
    }

    /// The state in which the file ended at `end`, paid for out of the same purse. `None` where that state's own
    /// index is not a part of this one's, so that it can only be opened as a file by itself.
    ///
    /// Errors: as [`Self::open`].
    pub fn earlier(&self, end: usize) -> Result<Option<Self>, PdfError> {
        let source = self.source.until(end);
        let (_, start) = startxref(source)?.ok_or(PdfError::Broken { at: end, what: "the end has no startxref" })?;
        let chain = &self.shared.chain;
        let Some(later) = (self.later..chain.len()).find(|&i| chain.get(i).is_some_and(|s| s.offset == start)) else {
            return Ok(None);
        };
        let Some(newest) = chain.get(later).cloned() else { return Ok(None) };
        // An index that reaches behind its own state was not readable then.
        if chain.iter().skip(later).any(|s| s.reach() > end) {
            return Err(PdfError::Broken { at: end, what: "an index reaches behind the end of its state" });
        }
        // One key reads all of them.
        if Terms::of(&newest) != Terms::of(&self.newest) {
            return Err(PdfError::Broken { at: end, what: "a state is encrypted in another way than the newest one" });
        }
        let shared = self.shared.clone();
        Ok(Some(Self { source, whole: self.whole, newest, later, loaded: RefCell::default(), shared }))
    }

    /// A file without an index: it has bytes and no objects.
    pub(super) fn bare(source: Source<'a>, purse: Rc<Purse>) -> Self {
        Self::of(source, Section::empty(), Vec::new(), purse)
    }

    fn of(source: Source<'a>, newest: Section, older: Vec<Section>, purse: Rc<Purse>) -> Self {
        let newest = Rc::new(newest);
        let chain = std::iter::once(newest.clone()).chain(older.into_iter().map(Rc::new)).collect();
        let shared = Rc::new(Shared { purse, chain, ..Shared::default() });
        Self { source, whole: source, newest, later: 0, loaded: RefCell::default(), shared }
    }

    /// What keeps an encrypted file from being read.
    pub(super) fn locked(&self) -> Option<PdfError> {
        self.shared.key.get().and_then(|key| key.as_ref().err().cloned())
    }

    /// What an encrypted file is read with.
    pub(super) fn key(&self) -> Option<&Key> {
        self.shared.key.get().and_then(|key| key.as_ref().ok())
    }

    /// The bytes that it is read from.
    pub fn source(&self) -> Source<'a> {
        self.source
    }

    /// All sections, newest first.
    pub fn sections(&self) -> impl ExactSizeIterator<Item = &Section> {
        self.shared.chain.iter().skip(self.later).map(|s| &**s)
    }

    /// The section that `startxref` leads to.
    pub fn newest(&self) -> &Section {
        &self.newest
    }

    /// The newest trailer.
    pub fn trailer(&self) -> &Dict {
        &self.newest.trailer
    }

    /// How many sections of the whole file's chain came after this state.
    pub(super) fn later(&self) -> usize {
        self.later
    }

    /// Place in the whole file's chain, newest first, of the oldest section that lists a number.
    pub(super) fn first_listed(&self, number: u32) -> Option<usize> {
        self.mentions(number).last().map(|(place, _)| *place)
    }

    /// Whether sections of the whole file's chain lead to different objects of one number.
    pub(super) fn is_redefined(&self, number: u32) -> bool {
        let mentions = self.mentions(number);
        mentions.windows(2).any(|pair| matches!(pair, [(_, a), (_, b)] if a != b))
    }

    pub(super) fn mentions(&self, number: u32) -> Mentions {
        if let Some(known) = self.shared.entries.borrow().get(&number) {
            return known.clone();
        }
        let said =
            |(place, section): (usize, &Rc<Section>)| Some((place, section.entry(self.whole, number).transpose()?));
        let all: Mentions = self.shared.chain.iter().enumerate().filter_map(said).collect();
        self.shared.entries.borrow_mut().insert(number, all.clone());
        all
    }

    /// What the newest section that knows the object says of it.
    pub fn entry(&self, number: u32) -> Result<Option<Entry>, PdfError> {
        let mentions = self.mentions(number);
        mentions.iter().find(|(place, _)| *place >= self.later).map(|(_, entry)| entry.clone()).transpose()
    }

    /// The object, or `None` where the file has none (§7.3.10: that is the null object).
    pub fn load(&self, r: Ref) -> Result<Option<Rc<Loaded>>, PdfError> {
        let found = self.load_number(r.number)?;
        if found.as_ref().is_some_and(|found| found.reference.generation != r.generation) {
            self.shared.misnamed.borrow_mut().insert(r.number);
        }
        Ok(found.filter(|l| l.reference.generation == r.generation))
    }

    /// The object of this number, of whatever generation.
    pub fn load_number(&self, number: u32) -> Result<Option<Rc<Loaded>>, PdfError> {
        if let Some(found) = self.loaded.borrow().get(&number) {
            return Ok(found.clone());
        }
        let found = match self.entry(number)? {
            None | Some(Entry::Free) => None,
            Some(Entry::At { offset, generation }) => Some(self.load_at(offset, Ref { number, generation })?),
            Some(Entry::Packed { stream, index }) => Some(Rc::new(self.load_packed(number, stream, index)?)),
        };
        self.loaded.borrow_mut().insert(number, found.clone());
        Ok(found)
    }

    /// The object behind a reference (through a few), or the object itself.
    pub fn resolve(&self, object: &Object) -> Result<Object, PdfError> {
        let mut object = object.clone();
        for _ in 0..limits::PDF_REFERENCE_HOPS {
            match object {
                Object::Ref(r) => object = self.load(r)?.map_or(Object::Null, |l| l.object.clone()),
                other => return Ok(other),
            }
        }
        Err(PdfError::Broken { at: 0, what: "references lead to references" })
    }

    /// The resolved value of a key; null where it is missing.
    pub fn get(&self, dict: &Dict, key: &[u8]) -> Result<Object, PdfError> {
        dict.get(key).map_or(Ok(Object::Null), |o| self.resolve(o))
    }

    /// The resolved value of a key, if it is a dictionary (or a stream's).
    pub fn get_dict(&self, dict: &Dict, key: &[u8]) -> Result<Option<Dict>, PdfError> {
        Ok(self.get(dict, key)?.dict().cloned())
    }

    /// The catalog (§7.7.2).
    pub fn catalog(&self) -> Result<Rc<Loaded>, PdfError> {
        let root = self.trailer().get(b"Root").and_then(Object::reference);
        let loaded = root.map(|r| self.load(r)).transpose()?.flatten();
        loaded
            .filter(|l| matches!(l.object, Object::Dict(_)))
            .ok_or(PdfError::Broken { at: self.source.length(), what: "the trailer leads to no catalog" })
    }

    /// The object's own bytes.
    pub fn raw<'s>(&'s self, loaded: &'s Loaded) -> Result<Cow<'s, [u8]>, PdfError> {
        match &loaded.pack {
            Some(pack) => Ok(Cow::Borrowed(pack.data.get(loaded.span.clone()).unwrap_or_default())),
            None => self.source.window(loaded.span.clone()),
        }
    }

    /// A stream's bytes as stored, decrypted where the file is encrypted.
    pub fn stored(&self, stream: &Stream) -> Result<Cow<'a, [u8]>, PdfError> {
        let stored = self.source.window(self.stored_at(stream)?)?;
        let Some(key) = self.key() else { return Ok(stored) };
        self.pay(stored.len())?;
        key.stored(stream, &self.filters(stream)?, stored)
    }

    /// Whether two streams, perhaps of two files, are stored as the same bytes, less their encryption.
    pub fn same_stored(&self, stream: &Stream, other: &File<'_>, theirs: &Stream) -> Result<bool, PdfError> {
        if self.key().is_some() || other.key().is_some() {
            return Ok(self.stored(stream)? == other.stored(theirs)?);
        }
        let (ours, theirs) = (self.stored_at(stream)?, other.stored_at(theirs)?);
        Ok(ours.len() == theirs.len() && self.source.same(ours, &other.source, theirs.start)?)
    }

    /// Where a stream's bytes stand.
    pub fn stored_at(&self, stream: &Stream) -> Result<Range<usize>, PdfError> {
        let bad = |what| PdfError::Broken { at: stream.start, what };
        let length = self.get(&stream.dict, b"Length")?.count().ok_or_else(|| bad("a stream has no length"))?;
        let end = stream.start.checked_add(length).filter(|&e| e <= self.source.length());
        let end = end.ok_or_else(|| bad("a stream is longer than the file"))?;
        // §7.3.8.1: an end of line should stand before `endstream` and is not part of the data.
        let ends = self.source.parse(end, |lexer| {
            lexer.skip_space();
            lexer.keyword(b"endstream")
        })?;
        if !ends {
            return Err(bad("a stream's length does not lead to its end"));
        }
        Ok(stream.start..end)
    }

    /// A stream's data, unpacked within the limits.
    pub fn unpacked(&self, stream: &Stream) -> Result<Vec<u8>, PdfError> {
        let stored = self.stored(stream)?;
        let mut filters = self.filters(stream)?;
        if self.key().is_some() {
            filters = filters.behind_crypt()?;
        }
        let data = filters.undo(&stored, limits::PDF_STREAM_BYTES)?;
        self.pay(data.len())?;
        Ok(data)
    }

    pub(super) fn filters(&self, stream: &Stream) -> Result<Filters, PdfError> {
        Filters::of(&stream.dict, |o| self.resolve(o))
    }

    fn load_at(&self, offset: usize, reference: Ref) -> Result<Rc<Loaded>, PdfError> {
        if let Some(known) = self.shared.objects.borrow().get(&offset)
            && known.reference == reference
            && known.span.end <= self.source.length()
        {
            return Ok(known.clone());
        }
        let loaded = Rc::new(self.parse_at(offset, reference)?);
        self.shared.objects.borrow_mut().insert(offset, loaded.clone());
        Ok(loaded)
    }

    fn parse_at(&self, offset: usize, reference: Ref) -> Result<Loaded, PdfError> {
        let (mut loaded, doubled) = self.parse_plain(offset, reference)?;
        self.note_doubled(reference, doubled);
        // An index has its strings as they are (§7.5.8.2).
        let index = matches!(&loaded.object, Object::Stream(stream) if stream.dict.is(b"Type", b"XRef"));
        if let Some(key) = self.key().filter(|_| !index) {
            loaded.object = key.object(reference, loaded.object)?;
        }
        Ok(loaded)
    }

    /// An object as it is written, and where a dictionary in it begins that says two things.
    fn parse_plain(&self, offset: usize, reference: Ref) -> Result<(Loaded, Option<usize>), PdfError> {
        let (object, span, data, doubled) = self.source.parse(offset, |lexer| {
            lexer.skip_space();
            if lexer.object_head() != Some(reference) {
                // Comments may have been long, and any number of entries may lead here.
                self.pay(lexer.pos - offset.min(lexer.pos))?;
                return Err(PdfError::Broken { at: offset, what: "the cross-reference leads to another object" });
            }
            lexer.skip_space();
            let start = lexer.pos;
            let object = lexer.object();
            self.pay(lexer.pos - offset.min(lexer.pos))?;
            let doubled = lexer.doubled;
            let span = start..lexer.pos;
            Ok((object?, span, lexer.stream_start()?, doubled))
        })??;
        let object = match (object, data) {
            (Object::Dict(dict), Some(start)) => Object::Stream(Stream { dict, of: reference, start }),
            (object, _) => object,
        };
        Ok((Loaded { reference, object, span, pack: None }, doubled))
    }

    fn load_packed(&self, number: u32, stream: u32, index: u32) -> Result<Loaded, PdfError> {
        let bad = |what| PdfError::Broken { at: 0, what };
        if let Some(error) = self.locked() {
            return Err(error);
        }
        let pack = self.pack(stream)?;
        let listed = pack.index.get(index as usize).filter(|(n, _)| *n == number);
        let &(_, offset) = listed.ok_or_else(|| bad("an object stream does not hold the object it should"))?;
        let mut lexer = Lexer::at(&pack.data, offset);
        lexer.skip_space();
        let start = lexer.pos;
        let object = lexer.object();
        let span = start..lexer.pos;
        self.pay(lexer.pos - offset.min(lexer.pos))?;
        let next = (index as usize).checked_add(1).and_then(|next| pack.index.get(next));
        if next.is_some_and(|(_, next)| lexer.pos > *next) {
            return Err(bad("an object in an object stream reaches into the next one"));
        }
        self.note_doubled(Ref { number, generation: 0 }, lexer.doubled.map(|_| 0));
        Ok(Loaded { reference: Ref { number, generation: 0 }, object: object?, span, pack: Some(pack) })
    }

    fn pack(&self, number: u32) -> Result<Rc<Pack>, PdfError> {
        let bad = |what| PdfError::Broken { at: 0, what };
        // §7.5.7: an object stream is never inside another one, so this ends after one step.
        let loaded = match self.entry(number)? {
            Some(Entry::At { offset, generation }) => self.load_at(offset, Ref { number, generation })?,
            _ => return Err(bad("an object stream is missing")),
        };
        let stream = match &loaded.object {
            Object::Stream(s) if s.dict.is(b"Type", b"ObjStm") => s,
            _ => return Err(bad("an object stream is something else")),
        };
        // Where a parameter is an object of its own, another state may read the same bytes differently.
        let plain = !stream.dict.entries().iter().any(|e| deep(&e.value));
        if !plain {
            let mut open = vec![Object::Dict(stream.dict.clone())];
            while let Some(object) = open.pop() {
                match object {
                    Object::Ref(r) => {
                        self.shared.read_by_packs.borrow_mut().insert(r.number);
                    }
                    Object::Array(items) => open.extend(items.iter().cloned()),
                    Object::Dict(dict) => open.extend(dict.entries().iter().map(|e| e.value.clone())),
                    _ => {}
                }
            }
        }
        let key = (stream.start, if plain { 0 } else { self.source.length() });
        if let Some(pack) = self.shared.packs.borrow().get(&key) {
            return Ok(pack.clone());
        }
        let direct = [b"Length".as_slice(), b"Filter", b"DecodeParms", b"N", b"First"];
        if direct.iter().any(|k| self.is_packed(stream.dict.get(k))) {
            return Err(bad("an object stream depends on an object stream"));
        }
        let data = self.unpacked(stream)?;
        let count = self.get(&stream.dict, b"N")?.count().filter(|&n| n <= limits::PDF_OBJECTS);
        let first = self.get(&stream.dict, b"First")?.count();
        let (count, first) = count.zip(first).ok_or_else(|| bad("an object stream has no count"))?;
        let mut lexer = Lexer::at(data.get(..first).unwrap_or_default(), 0);
        let mut index = Vec::new();
        for _ in 0..count {
            let mut next = || {
                lexer.skip_space();
                lexer.unsigned()
            };
            let pair = next().zip(next());
            let pair =
                pair.and_then(|(n, o)| Some((u32::try_from(n).ok()?, usize::try_from(o).ok()?.checked_add(first)?)));
            index.push(pair.ok_or_else(|| bad("an object stream's index is malformed"))?);
        }
        // Where one ends is where the next begins to some readers.
        if !index.is_sorted_by(|(_, a), (_, b)| a < b) {
            return Err(bad("an object stream's objects do not follow each other"));
        }
        let numbers: HashSet<u32> = index.iter().map(|(number, _)| *number).collect();
        if numbers.len() < index.len() {
            return Err(bad("an object stream lists an object twice"));
        }
        let pack = Rc::new(Pack { data, index });
        self.shared.packs.borrow_mut().insert(key, pack.clone());
        Ok(pack)
    }

    /// The numbers of the objects in the object stream of this number; none where it is something else.
    ///
    /// Errors: only what all of the file together may cost.
    pub(super) fn packed_in(&self, number: u32) -> Result<Vec<u32>, PdfError> {
        let stream = |loaded: &Rc<Loaded>| loaded.object.dict().is_some_and(|d| d.is(b"Type", b"ObjStm"));
        match self.load_number(number) {
            Ok(Some(loaded)) if !loaded.is_packed() && stream(&loaded) => match self.pack(number) {
                Ok(pack) => Ok(pack.index.iter().map(|(inside, _)| *inside).collect()),
                Err(limit @ PdfError::OverLimit { .. }) => Err(limit),
                Err(_) => Ok(Vec::new()),
            },
            Err(limit @ PdfError::OverLimit { .. }) => Err(limit),
            _ => Ok(Vec::new()),
        }
    }

    /// Whether the object of this number is a pack that cannot be read here; others might.
    pub(super) fn is_unread_pack(&self, number: u32) -> Result<bool, PdfError> {
        let is_pack = self.load_number(number)?.is_some_and(
            |loaded| matches!(&loaded.object, Object::Stream(stream) if stream.dict.is(b"Type", b"ObjStm")),
        );
        Ok(is_pack && self.pack(number).is_err())
    }

    /// A number that was asked for so far under another generation than the object's.
    pub(super) fn misnamed(&self) -> Option<u32> {
        self.shared.misnamed.borrow().iter().min().copied()
    }

    /// Whether an object stream met so far is read by what this object says, such as its length.
    pub(super) fn is_read_by_packs(&self, number: u32) -> bool {
        self.shared.read_by_packs.borrow().contains(&number)
    }

    fn is_packed(&self, object: Option<&Object>) -> bool {
        let entry = object.and_then(Object::reference).map(|r| self.entry(r.number));
        matches!(entry, Some(Ok(Some(Entry::Packed { .. }))))
    }

    /// The reference at the head of an object that stands at an offset.
    pub(super) fn head_at(&self, offset: usize) -> Result<Option<Ref>, PdfError> {
        self.source.parse(offset, |lexer| {
            lexer.skip_space();
            lexer.object_head()
        })
    }

    /// Where the object ends that stands at an offset, with its stream; the offset itself where none can be read.
    pub(super) fn end_of_object(&self, offset: usize) -> Result<usize, PdfError> {
        let Some(reference) = self.head_at(offset)? else { return Ok(offset) };
        let end = self.load_at(offset, reference).and_then(|loaded| match &loaded.object {
            Object::Stream(stream) => Ok(self.stored_at(stream)?.end),
            _ => Ok(loaded.span.end),
        });
        match end {
            Ok(end) => Ok(end),
            Err(error @ (PdfError::OverLimit { .. } | PdfError::Unread(_))) => Err(error),
            Err(_) => Ok(offset),
        }
    }

    pub(super) fn first_doubled(&self) -> Option<(Ref, usize)> {
        self.shared.doubled.borrow().first().copied()
    }

    fn note_doubled(&self, reference: Ref, at: Option<usize>) {
        let mut list = self.shared.doubled.borrow_mut();
        if let Some(at) = at.filter(|_| list.len() < limits::PDF_FINDINGS) {
            list.push((reference, at));
        }
    }

    pub(super) fn pay(&self, bytes: usize) -> Result<(), PdfError> {
        self.shared.purse.pay(bytes)
    }

    /// For another reading of the same file.
    pub(super) fn purse(&self) -> Rc<Purse> {
        self.shared.purse.clone()
    }
}

/// The last `startxref` near the end: its own offset and the one it gives (§7.5.5).
pub(super) fn startxref(source: Source<'_>) -> Result<Option<(usize, usize)>, PdfError> {
    let from = source.length().saturating_sub(limits::PDF_TAIL);
    let tail = source.window(from..source.length())?;
    let Some(at) = memchr::memmem::rfind(&tail, STARTXREF) else { return Ok(None) };
    let mut lexer = Lexer::at(&tail, at + STARTXREF.len());
    lexer.skip_blanks();
    let offset = lexer.unsigned().and_then(|n| usize::try_from(n).ok());
    Ok(offset.map(|offset| (from + at, offset)))
}

/// The word that leads to the newest cross-reference.
pub(super) const STARTXREF: &[u8] = b"startxref";
