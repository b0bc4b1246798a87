//! The second reading: what another reader of the same bytes could take for the document. The first one follows the
//! index; others take the first of two equal keys, or go through the file and keep the last object of each number.

use super::PdfError;
use super::file::File;
use super::object::Object;
use super::xref::Entry;
use crate::message::Message;

impl File<'_> {
    /// Where objects stand by any section of the chain, and the sections themselves, ascending.
    pub(super) fn offsets(&self) -> Result<Vec<usize>, PdfError> {
        let mut offsets: Vec<usize> = self.sections().map(|s| s.offset).collect();
        offsets.extend(self.sections().filter_map(|s| Some(s.hidden.as_ref()?.offset)));
        for section in self.sections() {
            section.each(self.source(), &mut |_, entry| {
                if let Entry::At { offset, .. } = entry {
                    offsets.push(offset);
                }
            })?;
        }
        offsets.sort_unstable();
        offsets.dedup();
        Ok(offsets)
    }

    /// Whether the file says that it is linearised, as it now is, and begins with another index than the one its end leads
    /// to (ISO 32000-1 Annex F.3.3: readers compare /L with the length, and then begin in front).
    pub(super) fn begins_otherwise(&self) -> Result<bool, PdfError> {
        let source = self.source();
        if memchr::memmem::find(&source.window(0..1024)?, b"Linearized").is_none() {
            return Ok(false);
        }
        let first = source.parse(0, |lexer| {
            lexer.skip_space();
            lexer.object_head()?;
            lexer.skip_space();
            let object = lexer.object().ok()?;
            let Some(dict) = object.dict().filter(|dict| dict.get(b"Linearized").is_some()) else {
                return Some(None);
            };
            match dict.get(b"L") {
                Some(Object::Int(length)) if usize::try_from(*length) != Ok(source.length()) => return Some(None),
                Some(Object::Int(_)) => {}
                // Some readers take it for the length all the same.
                _ => return None,
            }
            lexer.skip_space();
            lexer.keyword(b"endobj");
            lexer.skip_space();
            Some(Some(lexer.pos))
        })?;
        // What cannot be read here may be read by others.
        let Some(index) = first else { return Ok(true) };
        let newest = source.parse(self.newest().offset, |lexer| {
            lexer.skip_space();
            lexer.pos
        })?;
        Ok(index.is_some_and(|index| index != newest))
    }

    /// The first dictionary met so far that says two things, and where it stands.
    pub(super) fn doubled_keys(&self) -> Option<(usize, Message)> {
        let (reference, at) = self.first_doubled()?;
        let number = reference.number;
        let said = Message::new(
            "pdf.key-twice",
            format!("对象{number}（字节{at}）中同一个键有两个不同的值，不同软件会有不同理解"),
            format!("In object {number} (byte {at}) a key has two values, which readers take differently"),
        );
        Some((at, said))
    }

    /// Of the heads of objects that no index leads to, the first that a reader who goes through the file would take in
    /// place of the object that the index leads to.
    pub(super) fn defined_again(&self, strays: &[usize]) -> Result<Option<(usize, Message)>, PdfError> {
        if strays.is_empty() {
            return Ok(None);
        }
        let known = self.offsets()?;
        // The end of what was looked at last: whatever stands before it is a part of that, such as an attached file.
        let mut inside = 0;
        for &stray in strays {
            if let Some(&before) = known.get(known.partition_point(|&o| o < stray).wrapping_sub(1)) {
                inside = inside.max(self.end_of_object(before)?);
            }
            if stray < inside {
                continue;
            }
            inside = self.end_of_object(stray)?;
            let Some(reference) = self.head_at(stray)? else { continue };
            let indexed = match self.entry(reference.number)? {
                Some(Entry::At { offset, .. }) => offset,
                Some(Entry::Packed { stream, .. }) => match self.entry(stream)? {
                    Some(Entry::At { offset, .. }) => offset,
                    _ => continue,
                },
                _ => continue,
            };
            if indexed < stray {
                let number = reference.number;
                let said = Message::new(
                    "pdf.object-twice",
                    format!(
                        "对象{number}在字节{stray}处又有一份，文件索引指向的是字节{indexed}，不同软件会显示不同内容"
                    ),
                    format!(
                        "The object {number} stands once more at byte {stray}, while the index leads to byte {indexed}: readers may show one or the other"
                    ),
                );
                return Ok(Some((stray, said)));
            }
        }
        Ok(None)
    }
}
