//! A PDF opened for reading: nothing is parsed until it is asked for, and everything read is paid for out of one
//! purse, so that no file costs more than a multiple of its size.

use super::PdfError;
use super::lex::{Lexer, is_space};
use super::object::{Dict, Object, Ref, Stream};
use super::reach::deep;
use super::xref::{self, Entry, Filters, Section};
use crate::limits;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

/// One state of a file: the bytes from its start to the end of one revision.
pub struct File<'a> {
    bytes: &'a [u8],
    newest: Rc<Section>,
    /// Newest first.
    older: Vec<Rc<Section>>,
    loaded: RefCell<HashMap<u32, Option<Rc<Loaded>>>>,
    shared: Rc<Shared>,
}

/// What the states of one file have in common: what stands at an offset is the same in each of them.
struct Shared {
    objects: RefCell<HashMap<usize, Rc<Loaded>>>,
    packs: RefCell<HashMap<(usize, usize), Rc<Pack>>>,
    purse: Cell<u64>,
}

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
    pub fn open(bytes: &'a [u8]) -> Result<Self, PdfError> {
        if bytes.len() > limits::PDF_BYTES {
            return Err(PdfError::OverLimit { what: "file bytes", limit: limits::PDF_BYTES as u64 });
        }
        if !bytes.starts_with(b"%PDF-") {
            // ISO 32000-1 Annex H.3 note 13 lets viewers look for the head in the first 1024 bytes; then they
            // disagree on where offsets count from.
            let near = bytes.get(..bytes.len().min(1024)).unwrap_or_default();
            return Err(match near.windows(5).position(|w| w == b"%PDF-") {
                Some(at) => PdfError::Broken { at, what: "something stands before the head of the file" },
                None => PdfError::NotPdf,
            });
        }
        let (_, start) =
            startxref(bytes).ok_or(PdfError::Broken { at: bytes.len(), what: "the end has no startxref" })?;
        let (newest, older) = xref::chain(bytes, start)?;
        let purse = Cell::new(limits::PDF_WORK_BASE + limits::PDF_WORK_PER_BYTE * bytes.len() as u64);
        let shared = Rc::new(Shared { objects: RefCell::default(), packs: RefCell::default(), purse });
        let (newest, older) = (Rc::new(newest), older.into_iter().map(Rc::new).collect());
        Self { bytes, newest, older, loaded: RefCell::default(), shared }.unencrypted()
    }

    /// The state in which the file ended at `end`, paid for out of the same purse. `None` where that state's own
    /// index is not a part of this one's, so that it can only be opened as a file by itself.
    ///
    /// Errors: as [`Self::open`].
    pub fn earlier(&self, end: usize) -> Result<Option<Self>, PdfError> {
        let bytes = self.bytes.get(..end).unwrap_or_default();
        let (_, start) = startxref(bytes).ok_or(PdfError::Broken { at: end, what: "the end has no startxref" })?;
        let chain = || std::iter::once(&self.newest).chain(&self.older);
        let mut from = chain().skip_while(|s| s.offset != start).cloned();
        let Some(newest) = from.next() else { return Ok(None) };
        let older: Vec<_> = from.collect();
        // An index that reaches behind its own state was not readable then.
        if std::iter::once(&newest).chain(&older).any(|s| s.reach() > end) {
            return Err(PdfError::Broken { at: end, what: "an index reaches behind the end of its state" });
        }
        Self { bytes, newest, older, loaded: RefCell::default(), shared: self.shared.clone() }.unencrypted().map(Some)
    }

    fn unencrypted(self) -> Result<Self, PdfError> {
        match self.trailer().get(b"Encrypt") {
            Some(encrypt) if !encrypt.is_null() => Err(PdfError::Encrypted),
            _ => Ok(self),
        }
    }

    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// All sections, newest first.
    pub fn sections(&self) -> impl Iterator<Item = &Section> {
        std::iter::once(&*self.newest).chain(self.older.iter().map(|s| &**s))
    }

    /// The section that `startxref` leads to.
    pub fn newest(&self) -> &Section {
        &self.newest
    }

    /// The newest trailer.
    pub fn trailer(&self) -> &Dict {
        &self.newest.trailer
    }

    /// What the newest section that knows the object says of it, and that section's place in the chain.
    pub fn entry(&self, number: u32) -> Result<Option<(usize, Entry)>, PdfError> {
        for (i, section) in self.sections().enumerate() {
            if let Some(entry) = section.entry(self.bytes, number)? {
                return Ok(Some((i, entry)));
            }
        }
        Ok(None)
    }

    /// The object, or `None` where the file has none (§7.3.10: that is the null object).
    pub fn load(&self, r: Ref) -> Result<Option<Rc<Loaded>>, PdfError> {
        Ok(self.load_number(r.number)?.filter(|l| l.reference.generation == r.generation))
    }

    /// The object of this number, of whatever generation.
    pub fn load_number(&self, number: u32) -> Result<Option<Rc<Loaded>>, PdfError> {
        if let Some(found) = self.loaded.borrow().get(&number) {
            return Ok(found.clone());
        }
        let found = match self.entry(number)? {
            None | Some((_, Entry::Free)) => None,
            Some((_, Entry::At { offset, generation })) => Some(self.load_at(offset, Ref { number, generation })?),
            Some((_, Entry::Packed { stream, index })) => Some(Rc::new(self.load_packed(number, stream, index)?)),
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
            .ok_or(PdfError::Broken { at: self.bytes.len(), what: "the trailer leads to no catalog" })
    }

    /// The object's own bytes.
    pub fn raw<'s>(&'s self, loaded: &'s Loaded) -> &'s [u8] {
        let buffer = loaded.pack.as_ref().map_or(self.bytes, |p| &p.data);
        buffer.get(loaded.span.clone()).unwrap_or_default()
    }

    /// A stream's bytes as stored.
    pub fn stored(&self, stream: &Stream) -> Result<&'a [u8], PdfError> {
        let bad = |what| PdfError::Broken { at: stream.start, what };
        let length = self.get(&stream.dict, b"Length")?.count().ok_or_else(|| bad("a stream has no length"))?;
        let end = stream.start.checked_add(length).filter(|&e| e <= self.bytes.len());
        let end = end.ok_or_else(|| bad("a stream is longer than the file"))?;
        // §7.3.8.1: an end of line should stand before `endstream` and is not part of the data.
        let mut tail = Lexer::at(self.bytes, end);
        tail.skip_space();
        if !tail.keyword(b"endstream") {
            return Err(bad("a stream's length does not lead to its end"));
        }
        Ok(self.bytes.get(stream.start..end).unwrap_or_default())
    }

    /// A stream's data, unpacked within the limits.
    pub fn unpacked(&self, stream: &Stream) -> Result<Vec<u8>, PdfError> {
        let stored = self.stored(stream)?;
        let filters = Filters::of(&stream.dict, |o| self.resolve(o))?;
        let data = filters.undo(stored, limits::PDF_STREAM_BYTES)?;
        self.pay(data.len())?;
        Ok(data)
    }

    fn load_at(&self, offset: usize, reference: Ref) -> Result<Rc<Loaded>, PdfError> {
        if let Some(known) = self.shared.objects.borrow().get(&offset)
            && known.reference == reference
            && known.span.end <= self.bytes.len()
        {
            return Ok(known.clone());
        }
        let loaded = Rc::new(self.parse_at(offset, reference)?);
        self.shared.objects.borrow_mut().insert(offset, loaded.clone());
        Ok(loaded)
    }

    fn parse_at(&self, offset: usize, reference: Ref) -> Result<Loaded, PdfError> {
        let mut lexer = Lexer::at(self.bytes, offset);
        lexer.skip_space();
        if lexer.object_head() != Some(reference) {
            return Err(PdfError::Broken { at: offset, what: "the cross-reference leads to another object" });
        }
        lexer.skip_space();
        let start = lexer.pos;
        let object = lexer.object();
        self.pay(lexer.pos - offset.min(lexer.pos))?;
        let object = object?;
        let span = start..lexer.pos;
        let object = match object {
            Object::Dict(dict) => match xref::stream_start(self.bytes, &mut lexer) {
                Some(start) => Object::Stream(Stream { dict, start }),
                None => Object::Dict(dict),
            },
            other => other,
        };
        Ok(Loaded { reference, object, span, pack: None })
    }

    fn load_packed(&self, number: u32, stream: u32, index: u32) -> Result<Loaded, PdfError> {
        let bad = |what| PdfError::Broken { at: 0, what };
        let pack = self.pack(stream)?;
        let listed = pack.index.get(index as usize).filter(|(n, _)| *n == number);
        let &(_, offset) = listed.ok_or_else(|| bad("an object stream does not hold the object it should"))?;
        let mut lexer = Lexer::at(&pack.data, offset);
        lexer.skip_space();
        let start = lexer.pos;
        let object = lexer.object();
        let span = start..lexer.pos;
        self.pay(lexer.pos - offset.min(lexer.pos))?;
        Ok(Loaded { reference: Ref { number, generation: 0 }, object: object?, span, pack: Some(pack) })
    }

    fn pack(&self, number: u32) -> Result<Rc<Pack>, PdfError> {
        let bad = |what| PdfError::Broken { at: 0, what };
        // §7.5.7: an object stream is never inside another one, so this ends after one step.
        let loaded = match self.entry(number)? {
            Some((_, Entry::At { offset, generation })) => self.load_at(offset, Ref { number, generation })?,
            _ => return Err(bad("an object stream is missing")),
        };
        let stream = match &loaded.object {
            Object::Stream(s) if s.dict.is(b"Type", b"ObjStm") => s,
            _ => return Err(bad("an object stream is something else")),
        };
        // Where a parameter is an object of its own, another state may read the same bytes differently.
        let plain = !stream.dict.entries().iter().any(|e| deep(&e.value));
        let key = (stream.start, if plain { 0 } else { self.bytes.len() });
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
        let pack = Rc::new(Pack { data, index });
        self.shared.packs.borrow_mut().insert(key, pack.clone());
        Ok(pack)
    }

    fn is_packed(&self, object: Option<&Object>) -> bool {
        let entry = object.and_then(Object::reference).map(|r| self.entry(r.number));
        matches!(entry, Some(Ok(Some((_, Entry::Packed { .. })))))
    }

    fn pay(&self, bytes: usize) -> Result<(), PdfError> {
        let left = self.shared.purse.get().checked_sub(bytes as u64 + 1);
        let total = limits::PDF_WORK_BASE + limits::PDF_WORK_PER_BYTE * self.bytes.len() as u64;
        self.shared.purse.set(left.ok_or(PdfError::OverLimit { what: "bytes read", limit: total })?);
        Ok(())
    }
}

/// The last `startxref` near the end: its own offset and the one it gives (§7.5.5).
pub(super) fn startxref(bytes: &[u8]) -> Option<(usize, usize)> {
    const WORD: &[u8] = b"startxref";
    let from = bytes.len().saturating_sub(limits::PDF_TAIL);
    let tail = bytes.get(from..)?;
    let at = from + tail.windows(WORD.len()).rposition(|w| w == WORD)?;
    let mut lexer = Lexer::at(bytes, at + WORD.len());
    while lexer.peek().is_some_and(is_space) {
        lexer.pos += 1;
    }
    let offset = lexer.unsigned()?;
    Some((at, usize::try_from(offset).ok()?))
}
