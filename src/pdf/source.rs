//! Where a file's bytes lie: in memory, or behind a reader that the caller brings, so that a large file is read piece
//! by piece. This room opens nothing itself.

use super::PdfError;
use super::lex::{Lexer, is_space};
use crate::limits;
use std::borrow::Cow;
use std::cell::RefCell;
use std::io;
use std::ops::Range;

/// A file that is read at offsets, such as one on disk. Its length must not change while it is read.
pub trait ReadAt {
    /// Bytes in all.
    fn length(&self) -> usize;

    /// Fills `into` from `offset` on; what is asked for lies inside the file.
    ///
    /// # Errors
    /// Trouble of the medium, also where fewer bytes are there than `length` said.
    fn read_at(&self, offset: usize, into: &mut [u8]) -> io::Result<()>;
}

/// A reader with the first trouble that it met: a verdict made from a file that could not be read is none, whoever
/// passed over the error on the way.
pub struct Elsewhere<'a> {
    reader: &'a dyn ReadAt,
    trouble: RefCell<Option<io::Error>>,
}

impl<'a> Elsewhere<'a> {
    pub fn new(reader: &'a dyn ReadAt) -> Self {
        Self { reader, trouble: RefCell::new(None) }
    }

    /// To be asked when all is read.
    ///
    /// # Errors
    /// The first trouble of the medium.
    pub fn trouble(self) -> io::Result<()> {
        self.trouble.into_inner().map_or(Ok(()), Err)
    }

    fn read(&self, range: Range<usize>) -> Result<Vec<u8>, PdfError> {
        let mut bytes = vec![0; range.len()];
        self.fill(range.start, &mut bytes)?;
        Ok(bytes)
    }

    fn fill(&self, offset: usize, into: &mut [u8]) -> Result<(), PdfError> {
        self.reader.read_at(offset, into).map_err(|error| {
            let kind = error.kind();
            self.trouble.borrow_mut().get_or_insert(error);
            PdfError::Unread(kind)
        })
    }
}

/// A file's bytes from its first one on, wherever they lie. Copied freely.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    place: Place<'a>,
    length: usize,
}

#[derive(Clone, Copy)]
enum Place<'a> {
    Memory(&'a [u8]),
    Elsewhere(&'a Elsewhere<'a>),
}

impl<'a> From<&'a [u8]> for Source<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { place: Place::Memory(bytes), length: bytes.len() }
    }
}

impl<'a> From<&'a Vec<u8>> for Source<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        bytes.as_slice().into()
    }
}

impl<'a> From<&'a Elsewhere<'a>> for Source<'a> {
    fn from(file: &'a Elsewhere<'a>) -> Self {
        Self { place: Place::Elsewhere(file), length: file.reader.length() }
    }
}

/// Bytes of the first window of a file that is not in memory: nearly every object fits.
const WINDOW: usize = 4 * 1024;

/// Bytes read at a time where all are read: they stay in the processor's own memory between one use and the next.
const STEP: usize = 256 * 1024;

impl<'a> Source<'a> {
    /// Bytes in all.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The file as it was when it ended at `end`.
    pub fn until(&self, end: usize) -> Self {
        Self { length: self.length.min(end), ..*self }
    }

    /// The bytes of a range, cut at the end of the file.
    pub fn window(&self, range: Range<usize>) -> Result<Cow<'a, [u8]>, PdfError> {
        let range = range.start.min(self.length)..range.end.min(self.length);
        match self.place {
            Place::Memory(bytes) => Ok(Cow::Borrowed(bytes.get(range).unwrap_or_default())),
            Place::Elsewhere(_) if range.is_empty() => Ok(Cow::Borrowed(&[])),
            Place::Elsewhere(file) => file.read(range).map(Cow::Owned),
        }
    }

    /// Parses what begins at `at`: over a small window, and over a larger one for as long as that was too small to tell.
    ///
    /// Errors: what is parsed is longer than `limits::PDF_OBJECT_BYTES`.
    pub(super) fn parse<T>(&self, at: usize, mut parse: impl FnMut(&mut Lexer<'_>) -> T) -> Result<T, PdfError> {
        const MOST: usize = limits::PDF_OBJECT_BYTES;
        let mut size = match self.place {
            Place::Memory(_) => MOST,
            Place::Elsewhere(_) => WINDOW,
        };
        loop {
            let window = self.window(at..at.saturating_add(size))?;
            let mut lexer = Lexer::within(&window, at);
            let found = parse(&mut lexer);
            if !lexer.met_end() || at.saturating_add(size) >= self.length {
                return Ok(found);
            }
            if size >= MOST {
                return Err(PdfError::OverLimit { what: "bytes of one object", limit: MOST as u64 });
            }
            size = (size * 4).min(MOST);
        }
    }

    /// Goes through a range in steps of some hundred kilobytes. Each step is seen with up to `around` bytes before and
    /// behind it, so that a word that crosses from one into the next is whole in one of them: `visit` gets the offset
    /// of the first byte seen, the bytes, and which offsets are the step's own.
    pub(super) fn steps(
        &self,
        range: Range<usize>,
        around: usize,
        mut visit: impl FnMut(usize, &[u8], Range<usize>),
    ) -> Result<(), PdfError> {
        let (mut from, end) = (range.start, range.end.min(self.length));
        let mut buffer = Vec::new();
        while from < end {
            let own = from..end.min(from + STEP);
            let seen = from.saturating_sub(around)..self.length.min(own.end + around);
            match self.place {
                Place::Memory(bytes) => visit(seen.start, bytes.get(seen).unwrap_or_default(), own.clone()),
                Place::Elsewhere(file) => {
                    buffer.resize(seen.len(), 0);
                    file.fill(seen.start, &mut buffer)?;
                    visit(seen.start, &buffer, own.clone());
                }
            }
            from = own.end;
        }
        Ok(())
    }

    /// Whether nothing but white space stands from here to the end.
    pub(super) fn is_blank_from(&self, at: usize) -> Result<bool, PdfError> {
        let (mut at, mut size) = (at, WINDOW);
        while at < self.length {
            let window = self.window(at..at.saturating_add(size))?;
            if !window.iter().all(|&b| is_space(b)) {
                return Ok(false);
            }
            (at, size) = (at + window.len(), STEP);
        }
        Ok(true)
    }

    /// Where the white space at the very end begins.
    pub(super) fn filled(&self) -> Result<usize, PdfError> {
        let (mut end, mut size) = (self.length, WINDOW);
        while end > 0 {
            let window = self.window(end.saturating_sub(size)..end)?;
            if let Some(last) = window.iter().rposition(|&b| !is_space(b)) {
                return Ok(end - window.len() + last + 1);
            }
            (end, size) = (end - window.len(), STEP);
        }
        Ok(0)
    }

    /// Whether two ranges, perhaps of two files, hold the same bytes.
    pub(super) fn same(&self, range: Range<usize>, other: &Source<'_>, at: usize) -> Result<bool, PdfError> {
        let mut from = range.start;
        while from < range.end {
            let size = (range.end - from).min(STEP);
            let behind = at + (from - range.start);
            if self.window(from..from + size)? != other.window(behind..behind + size)? {
                return Ok(false);
            }
            from += size;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken;

    impl ReadAt for Broken {
        fn length(&self) -> usize {
            10
        }

        fn read_at(&self, _: usize, _: &mut [u8]) -> io::Result<()> {
            Err(io::Error::other("the disk is gone"))
        }
    }

    #[test]
    fn trouble_of_the_medium_is_kept_although_nobody_minds_it() {
        let file = Elsewhere::new(&Broken);
        assert!(Source::from(&file).window(0..4).is_err());
        assert_eq!(file.trouble().unwrap_err().to_string(), "the disk is gone");
    }

    #[test]
    fn steps_see_what_crosses_from_one_to_the_next() {
        let mut bytes = vec![b' '; 3 * STEP];
        for at in [0, STEP - 3, 2 * STEP - 1, 3 * STEP - 6] {
            bytes[at..at + 6].copy_from_slice(b"needle");
        }
        let mut found = Vec::new();
        let visit = |start: usize, seen: &[u8], own: Range<usize>| {
            found.extend(memchr::memmem::find_iter(seen, b"needle").map(|i| start + i).filter(|i| own.contains(i)));
        };
        Source::from(&bytes).steps(0..bytes.len(), 8, visit).unwrap();
        assert_eq!(found, [0, STEP - 3, 2 * STEP - 1, 3 * STEP - 6]);
    }
}
