//! The cross-reference (ISO 32000-1 §7.5.4, §7.5.8): where each object stands, section by section, newest first.
//! A section is indexed, not copied: a table's entries are read where they lie when one is asked for.

use super::PdfError;
use super::file::Purse;
use super::filter::Filters;
use super::lex::{Lexer, is_space};
use super::object::{Dict, Object};
use super::source::Source;
use crate::limits;
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

/// What one section says of one object number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    Free,
    At { offset: usize, generation: u16 },
    Packed { stream: u32, index: u32 },
}

/// How a section is written; an update keeps the form (§7.5.8.1: readers of 1.4 know tables alone).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Table,
    Stream,
}

/// One cross-reference section with its trailer.
#[derive(Debug)]
pub struct Section {
    /// Offset of `xref`, or of the stream's object head.
    pub offset: usize,
    pub form: Form,
    pub trailer: Dict,
    /// The trailer dictionary's bytes in the file.
    pub trailer_span: Range<usize>,
    /// A hybrid file's hidden half, the trailer's /XRefStm (§7.5.8.4).
    pub hidden: Option<Box<Section>>,
    runs: BTreeMap<u32, Run>,
    furthest: OnceCell<usize>,
}

#[derive(Debug)]
struct Run {
    count: u32,
    entries: Entries,
}

#[derive(Debug)]
enum Entries {
    /// Twenty bytes each, in the file, from this offset.
    Regular(usize),
    /// Of another width, read at once.
    Listed(Vec<Entry>),
    /// Unpacked from a stream; widths of the three fields.
    Fields { data: std::rc::Rc<[u8]>, from: usize, widths: [usize; 3] },
}

/// Reads the chain from `start` through every /Prev: the newest section, and the older ones, newest first.
pub(super) fn chain(source: Source<'_>, start: usize, purse: &Purse) -> Result<(Section, Vec<Section>), PdfError> {
    let newest = Section::read(source, start, purse)?;
    let (mut older, mut seen, mut next) = (Vec::new(), HashSet::from([start]), newest.previous()?);
    while let Some(offset) = next {
        if !seen.insert(offset) {
            return Err(PdfError::Broken { at: offset, what: "the cross-reference chain runs in a circle" });
        }
        if seen.len() > limits::PDF_SECTIONS {
            return Err(PdfError::OverLimit { what: "cross-reference sections", limit: limits::PDF_SECTIONS as u64 });
        }
        let section = Section::read(source, offset, purse)?;
        next = section.previous()?;
        older.push(section);
    }
    Ok((newest, older))
}

impl Section {
    /// Of a file that has none.
    pub fn empty() -> Self {
        let trailer = Dict::empty();
        Self {
            offset: 0,
            form: Form::Table,
            trailer,
            trailer_span: 0..0,
            hidden: None,
            runs: BTreeMap::new(),
            furthest: OnceCell::new(),
        }
    }

    /// The entry of an object number, if this section has one. In a hybrid section what the table hides as free is
    /// looked up in the stream (§7.5.8.4).
    pub fn entry(&self, source: Source<'_>, number: u32) -> Result<Option<Entry>, PdfError> {
        let own = self.own_entry(source, number)?;
        match (&self.hidden, own) {
            (Some(hidden), None | Some(Entry::Free)) => Ok(hidden.own_entry(source, number)?.or(own)),
            _ => Ok(own),
        }
    }

    fn own_entry(&self, source: Source<'_>, number: u32) -> Result<Option<Entry>, PdfError> {
        let Some((first, run)) = self.runs.range(..=number).next_back() else { return Ok(None) };
        let index = number - first;
        if index >= run.count {
            return Ok(None);
        }
        let bad = |at| PdfError::Broken { at, what: "a cross-reference entry is malformed" };
        match &run.entries {
            Entries::Regular(at) => {
                let at = at + index as usize * 20;
                regular_entry(source, at)?.map(Some).ok_or_else(|| bad(at))
            }
            Entries::Listed(entries) => Ok(entries.get(index as usize).copied()),
            Entries::Fields { data, from, widths } => {
                let [a, b, c] = widths;
                let at = from + index as usize * (a + b + c);
                let field = |skip: usize, width: usize| {
                    let field = data.get(at + skip..at + skip + width)?;
                    field.iter().try_fold(0u64, |n, &x| n.checked_mul(256)?.checked_add(u64::from(x)))
                };
                // §7.5.8.2: a missing first field means type 1.
                let kind = if *a == 0 { Some(1) } else { field(0, *a) };
                let (second, third) = (field(*a, *b), field(a + b, *c));
                let entry = (|| match kind? {
                    0 => Some(Entry::Free),
                    1 => Some(Entry::At {
                        offset: usize::try_from(second?).ok()?,
                        generation: u16::try_from(third?).ok()?,
                    }),
                    2 => {
                        Some(Entry::Packed { stream: u32::try_from(second?).ok()?, index: u32::try_from(third?).ok()? })
                    }
                    // §7.5.8.3: any other type is a reference to the null object.
                    _ => Some(Entry::Free),
                })();
                entry.map(Some).ok_or_else(|| bad(self.offset))
            }
        }
    }

    /// Every entry of this section and its hidden half.
    pub fn each(&self, source: Source<'_>, visit: &mut dyn FnMut(u32, Entry)) -> Result<(), PdfError> {
        /// Entries read at a time.
        const MANY: usize = 1024;
        for (&first, run) in &self.runs {
            match run.entries {
                Entries::Regular(at) => {
                    for skip in (0..run.count as usize).step_by(MANY) {
                        let from = at + skip * 20;
                        let window = source.window(from..from + MANY.min(run.count as usize - skip) * 20)?;
                        for (entry, number) in window.chunks(20).zip(first + skip as u32..) {
                            if let Some(entry) = regular(entry) {
                                visit(number, entry);
                            }
                        }
                    }
                }
                _ => {
                    for number in first..first.saturating_add(run.count) {
                        if let Ok(Some(entry)) = self.own_entry(source, number) {
                            visit(number, entry);
                        }
                    }
                }
            }
        }
        self.hidden.as_ref().map_or(Ok(()), |hidden| hidden.each(source, visit))
    }

    /// The furthest offset at which an object stands by this section.
    pub fn furthest(&self, source: Source<'_>) -> Result<usize, PdfError> {
        if let Some(&known) = self.furthest.get() {
            return Ok(known);
        }
        let mut furthest = 0;
        self.each(source, &mut |_, entry| {
            if let Entry::At { offset, .. } = entry {
                furthest = furthest.max(offset);
            }
        })?;
        Ok(*self.furthest.get_or_init(|| furthest))
    }

    /// Every object number this section (and its hidden half) has an entry for, ascending, without repeats.
    pub fn numbers(&self) -> Result<Vec<u32>, PdfError> {
        let mut numbers = Vec::new();
        for section in std::iter::once(self).chain(self.hidden.as_deref()) {
            for (&first, run) in &section.runs {
                if numbers.len() + run.count as usize > limits::PDF_OBJECTS {
                    return Err(PdfError::OverLimit { what: "objects", limit: limits::PDF_OBJECTS as u64 });
                }
                numbers.extend(first..first.saturating_add(run.count));
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }

    /// One more than the highest number listed.
    pub fn end(&self) -> u32 {
        let own = self.runs.iter().next_back().map_or(0, |(first, run)| first.saturating_add(run.count));
        own.max(self.hidden.as_ref().map_or(0, |h| h.end()))
    }

    /// Where what belongs to this section ends at the earliest.
    pub fn reach(&self) -> usize {
        let data = match self.form {
            Form::Stream => self.trailer.get(b"Length").and_then(Object::count).unwrap_or(0),
            Form::Table => 0,
        };
        let own = self.trailer_span.end.saturating_add(data);
        own.max(self.hidden.as_ref().map_or(0, |h| h.reach()))
    }

    /// Numbers of which a hybrid section's table says one thing and its stream another: viewers differ in which they
    /// ask first.
    pub fn contradictions(&self, source: Source<'_>) -> Result<Vec<u32>, PdfError> {
        let Some(hidden) = &self.hidden else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for number in hidden.numbers()? {
            let (own, other) = (self.own_entry(source, number)?, hidden.own_entry(source, number)?);
            if own.is_some_and(|own| own != Entry::Free && Some(own) != other) {
                found.push(number);
            }
        }
        Ok(found)
    }

    /// Numbers that a hybrid section's table frees and its stream has, as is the way of such files for what they hide.
    pub fn hidden(&self, source: Source<'_>) -> Result<Vec<u32>, PdfError> {
        let Some(hidden) = &self.hidden else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for number in hidden.numbers()? {
            if self.own_entry(source, number)? == Some(Entry::Free) {
                found.push(number);
            }
        }
        Ok(found)
    }

    /// Whether it is written as all readers expect (§7.5.4, §7.5.8): others than this one find a slip and repair the file.
    pub fn is_strict(&self, source: Source<'_>) -> Result<bool, PdfError> {
        let size = self.trailer.get(b"Size").and_then(Object::count);
        // Numbers that no file of this length has use for are another sign of damage.
        if size.is_none_or(|size| size < self.end() as usize || size > source.length()) {
            return Ok(false);
        }
        Ok(match self.form {
            Form::Table => {
                let half = match &self.hidden {
                    Some(hidden) => hidden.is_strict(source)?,
                    None => self.trailer.get(b"XRefStm").is_none(),
                };
                half && is_strict_table(&source.window(self.offset..self.trailer_span.start)?)
            }
            Form::Stream => self.is_strict_stream(size) && self.ends(source)?,
        })
    }

    fn is_strict_stream(&self, size: Option<usize>) -> bool {
        let numbers = |key: &[u8]| {
            let items = self.trailer.get(key).and_then(Object::array).unwrap_or_default();
            items.iter().map(Object::count).collect::<Option<Vec<usize>>>()
        };
        let said = match numbers(b"Index") {
            Some(index) if !index.is_empty() => Some(index.iter().skip(1).step_by(2).sum()),
            Some(_) => size,
            None => None,
        };
        let there = self.runs.values().map(|run| run.count as usize).sum();
        let narrow =
            matches!(numbers(b"W").as_deref(), Some([kind, at, index]) if *kind <= 4 && *at <= 8 && *index <= 4);
        // §7.5.8.3 table 18 knows three types.
        let is_known = |run: &Run| match &run.entries {
            Entries::Fields { data, from, widths: widths @ [kind, ..] } if *kind > 0 => {
                let rows = data.get(*from..).unwrap_or_default().chunks(widths.iter().sum());
                let mut kinds = rows.take(run.count as usize).filter_map(|row| row.get(..*kind)?.split_last());
                kinds.all(|(last, high)| *last <= 2 && high.iter().all(|byte| *byte == 0))
            }
            _ => true,
        };
        narrow && said == Some(there) && self.runs.values().all(is_known)
    }

    /// Whether a section's stream and its object end where the length says.
    fn ends(&self, source: Source<'_>) -> Result<bool, PdfError> {
        let data = source.parse(self.trailer_span.end, |lexer| lexer.stream_start())??;
        let length = self.trailer.get(b"Length").and_then(Object::count);
        let Some(end) = data.zip(length).and_then(|(data, length)| data.checked_add(length)) else { return Ok(false) };
        source.parse(end, |lexer| {
            lexer.skip_blanks();
            let stream = lexer.keyword(b"endstream");
            lexer.skip_blanks();
            stream && lexer.keyword(b"endobj")
        })
    }

    /// Whether the trailer says that the file is encrypted (§7.6.1).
    pub fn is_encrypted(&self) -> bool {
        self.trailer.get(b"Encrypt").is_some_and(|encrypt| !encrypt.is_null())
    }

    fn previous(&self) -> Result<Option<usize>, PdfError> {
        match self.trailer.get(b"Prev") {
            None | Some(Object::Null) => Ok(None),
            Some(prev) => {
                let offset = prev.count().ok_or(PdfError::Broken { at: self.offset, what: "/Prev is not an offset" });
                offset.map(Some)
            }
        }
    }

    fn read(source: Source<'_>, offset: usize, purse: &Purse) -> Result<Self, PdfError> {
        let entries = source.parse(offset, |lexer| {
            // A comment before it makes other readers look for an index of their own.
            while lexer.peek().is_some_and(is_space) {
                lexer.pos += 1;
            }
            lexer.keyword(b"xref").then_some(lexer.pos)
        })?;
        match entries {
            Some(entries) => Self::table(source, offset, entries, purse),
            None => Self::stream(source, offset, purse),
        }
    }

    /// `at`: just behind `xref`.
    fn table(source: Source<'_>, offset: usize, mut at: usize, purse: &Purse) -> Result<Self, PdfError> {
        /// What stands at the head of a subsection, and where it ends.
        enum Head {
            Trailer(usize),
            Run(u32, u32, usize),
        }
        let mut runs = BTreeMap::new();
        let start = loop {
            let head = source.parse(at, |lexer| {
                lexer.skip_space();
                if lexer.keyword(b"trailer") {
                    lexer.skip_space();
                    return Some(Head::Trailer(lexer.pos));
                }
                let first = lexer.unsigned().and_then(|n| u32::try_from(n).ok())?;
                lexer.skip_space();
                let count = lexer.unsigned().and_then(|n| u32::try_from(n).ok())?;
                lexer.skip_space();
                Some(Head::Run(first, count, lexer.pos))
            })?;
            match head.ok_or(PdfError::Broken { at, what: "a cross-reference subsection has no head" })? {
                Head::Trailer(start) => break start,
                Head::Run(_, 0, end) => at = end,
                Head::Run(first, count, start) => {
                    let (entries, end) = table_entries(source, start, count)?;
                    insert(&mut runs, first, Run { count, entries }, offset)?;
                    at = end;
                }
            }
        };
        let (trailer, end) = source.parse(start, |lexer| match lexer.object()? {
            Object::Dict(dict) => Ok((dict, lexer.pos)),
            _ => Err(lexer.broken("the trailer is not a dictionary")),
        })??;
        purse.pay(end.saturating_sub(offset))?;
        let hidden = match trailer.get(b"XRefStm").map(Object::count) {
            Some(Some(at)) => Some(Box::new(Self::stream(source, at, purse)?)),
            _ => None,
        };
        Ok(Self {
            offset,
            form: Form::Table,
            trailer,
            trailer_span: start..end,
            hidden,
            runs,
            furthest: OnceCell::new(),
        })
    }

    fn stream(source: Source<'_>, offset: usize, purse: &Purse) -> Result<Self, PdfError> {
        let bad = |what| PdfError::Broken { at: offset, what };
        let head = source.parse(offset, |lexer| {
            lexer.skip_space();
            lexer.object_head()?;
            lexer.skip_space();
            let start = lexer.pos;
            let object = match lexer.object() {
                Ok(object) => object,
                Err(error) => return Some(Err(error)),
            };
            let span = start..lexer.pos;
            Some(lexer.stream_start().map(|data| (object, span, data)))
        })?;
        const ASTRAY: &str = "startxref or /Prev does not lead to a cross-reference";
        let (object, trailer_span, data) = head.ok_or_else(|| bad(ASTRAY))??;
        let trailer = match object {
            Object::Dict(dict) if dict.is(b"Type", b"XRef") => dict,
            _ => return Err(bad(ASTRAY)),
        };
        let data = data.ok_or_else(|| bad("a cross-reference stream has no data"))?;
        // §7.5.8.2: the length of this stream must be direct, since nothing can be looked up yet.
        let length = trailer.get(b"Length").and_then(Object::count);
        let end = length.and_then(|n| data.checked_add(n)).filter(|&end| end <= source.length());
        let end = end.ok_or_else(|| bad("a cross-reference stream's length leads outside the file"))?;
        let raw = source.window(data..end)?;
        let filters = Filters::of(&trailer, |o| Ok(o.clone()))?;
        let data: std::rc::Rc<[u8]> = filters.undo(&raw, limits::PDF_STREAM_BYTES)?.into();
        purse.pay(raw.len() + data.len())?;

        let widths = trailer.get(b"W").and_then(Object::array).and_then(|w| match w {
            [a, b, c, ..] => Some([a.count()?, b.count()?, c.count()?]),
            _ => None,
        });
        let widths = widths.filter(|w| w.iter().all(|&n| n <= 8) && w.iter().sum::<usize>() > 0);
        let widths = widths.ok_or_else(|| bad("a cross-reference stream's /W is malformed"))?;
        let size = trailer.get(b"Size").cloned().ok_or_else(|| bad("a cross-reference stream has no /Size"))?;
        let whole = [Object::Int(0), size];
        let index = trailer.get(b"Index").and_then(Object::array).unwrap_or(&whole);
        let (mut runs, mut from) = (BTreeMap::new(), 0usize);
        for pair in index.chunks(2) {
            let pair = match pair {
                [first, count] => first.count().zip(count.count()),
                _ => None,
            };
            let pair = pair.and_then(|(f, c)| Some((u32::try_from(f).ok()?, u32::try_from(c).ok()?)));
            let (first, count) = pair.ok_or_else(|| bad("a cross-reference stream's /Index is malformed"))?;
            let room = (data.len() - from.min(data.len())) / widths.iter().sum::<usize>();
            // A run longer than its data is cut: the missing entries are absent, never invented.
            let count = count.min(u32::try_from(room).unwrap_or(u32::MAX));
            if count > 0 {
                let entries = Entries::Fields { data: data.clone(), from, widths };
                insert(&mut runs, first, Run { count, entries }, offset)?;
                from += count as usize * widths.iter().sum::<usize>();
            }
        }
        Ok(Self { offset, form: Form::Stream, trailer, trailer_span, hidden: None, runs, furthest: OnceCell::new() })
    }
}

/// Two runs that speak of the same object would let readers choose differently, so they are refused.
fn insert(runs: &mut BTreeMap<u32, Run>, first: u32, run: Run, at: usize) -> Result<(), PdfError> {
    let end = first.saturating_add(run.count);
    let before = runs.range(..end).next_back().is_some_and(|(f, r)| f.saturating_add(r.count) > first);
    if end as usize > limits::PDF_OBJECTS {
        return Err(PdfError::OverLimit { what: "objects", limit: limits::PDF_OBJECTS as u64 });
    }
    if before {
        return Err(PdfError::Broken { at, what: "a cross-reference lists an object twice" });
    }
    runs.insert(first, run);
    Ok(())
}

/// A table to the letter, up to the trailer's dictionary: no comments, and entries of twenty bytes (§7.5.4).
fn is_strict_table(table: &[u8]) -> bool {
    let mut lexer = Lexer::at(table, 0);
    lexer.skip_blanks();
    if !lexer.keyword(b"xref") {
        return false;
    }
    loop {
        lexer.skip_blanks();
        if lexer.keyword(b"trailer") {
            lexer.skip_blanks();
            return lexer.pos == table.len();
        }
        let first = lexer.unsigned();
        lexer.skip_blanks();
        let Some(count) = lexer.unsigned().filter(|_| first.is_some()) else { return false };
        lexer.skip_blanks();
        for nth in 0..count {
            let Some(entry) = table.get(lexer.pos..lexer.pos + 20) else { return false };
            if !matches!(entry.get(18..), Some(b" \n" | b" \r" | b"\r\n")) {
                return false;
            }
            match regular(entry) {
                // Some readers take it for the entry of number 0, and all numbers for one less.
                Some(Entry::Free) if (first, nth) == (Some(1), 0) => return false,
                Some(_) => {}
                None => return false,
            }
            lexer.pos += 20;
        }
    }
}

fn regular_entry(source: Source<'_>, at: usize) -> Result<Option<Entry>, PdfError> {
    Ok(regular(&source.window(at..at.saturating_add(18))?))
}

/// `nnnnnnnnnn ggggg n` (§7.5.4).
fn regular(entry: &[u8]) -> Option<Entry> {
    let number = |range: Range<usize>| {
        let digits = entry.get(range)?;
        digits.iter().try_fold(0u64, |n, b| b.is_ascii_digit().then(|| n * 10 + u64::from(b - b'0')))
    };
    let spaced = entry.get(10) == Some(&b' ') && entry.get(16) == Some(&b' ');
    let (offset, generation) = (number(0..10)?, number(11..16)?);
    match entry.get(17) {
        Some(b'n') if spaced => Some(Entry::At {
            offset: usize::try_from(offset).ok()?,
            // 65535 and above belong to free entries; a larger one here is nobody's.
            generation: u16::try_from(generation).ok()?,
        }),
        Some(b'f') if spaced => Some(Entry::Free),
        _ => None,
    }
}

/// The entries of a subsection, and where the next one begins.
fn table_entries(source: Source<'_>, start: usize, count: u32) -> Result<(Entries, usize), PdfError> {
    let end = start.saturating_add(count as usize * 20);
    let second = if count < 2 { start } else { start + 20 };
    let mut regular = true;
    for at in [start, second, end - 20] {
        regular = regular && regular_entry(source, at)?.is_some();
    }
    if regular {
        let (next, byte) = source.parse(end - 2, |lexer| {
            lexer.skip_space();
            (lexer.pos, lexer.peek())
        })?;
        if byte.is_some_and(|b| b == b't' || b.is_ascii_digit()) {
            return Ok((Entries::Regular(start), next));
        }
    }
    source.parse(start, |lexer| {
        let mut entries = Vec::new();
        for _ in 0..count {
            lexer.skip_space();
            let fields = (|| {
                let offset = lexer.unsigned()?;
                lexer.skip_space();
                let generation = lexer.unsigned()?;
                lexer.skip_space();
                Some((offset, generation))
            })();
            let entry = fields.and_then(|(offset, generation)| {
                if lexer.keyword(b"f") {
                    return Some(Entry::Free);
                }
                let used = lexer.keyword(b"n");
                used.then_some(Entry::At {
                    offset: usize::try_from(offset).ok()?,
                    generation: u16::try_from(generation).ok()?,
                })
            });
            entries.push(entry.ok_or_else(|| lexer.broken("a cross-reference entry is malformed"))?);
        }
        Ok((Entries::Listed(entries), lexer.pos))
    })?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_strict_to_the_letter() {
        let table = |head: &str, entries: &str| is_strict_table(format!("xref\n{head}\n{entries}trailer\n").as_bytes());
        let (free, used) = ("0000000000 65535 f \n", "0000000009 00000 n\r\n");
        assert!(table("0 2", &format!("{free}{used}")) && table("1 1", used) && table("0 0", ""));
        // Other readers count from 0 here.
        assert!(!table("1 2", &format!("{free}{used}")));
        for entry in
            ["0000000009 00000 n\n\n", "0000000009 00000 n%\n", "000000009 00000 n \n", "0000000009 00000 x \n"]
        {
            assert!(!table("3 1", entry), "{entry}");
        }
        assert!(!table("3 2", used) && !table("3", used));
    }
}
