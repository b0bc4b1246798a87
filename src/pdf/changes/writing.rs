//! How updates are written. A viewer that finds a slip in a file makes an index of its own from what looks like objects,
//! so an update may neither give cause for that nor hold anything that such an index would have and its own has not.

use super::Judge;
use crate::limits;
use crate::pdf::PdfError;
use crate::pdf::file::{File, STARTXREF, startxref};
use crate::pdf::lex::{Lexer, is_space};
use crate::pdf::object::Object;
use crate::pdf::xref::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};

/// What the bytes behind a signed state hold beside what the index leads to.
#[derive(Default)]
pub(super) struct Written {
    /// Sections that are not written as all readers expect.
    irregular: HashSet<usize>,
    /// Where something looks like an object, a pack, a trailer or the end of a revision, and is none; ascending.
    strays: Vec<usize>,
    /// Objects that stand once more behind the one that the index leads to: where, and which.
    overtaken: Vec<(usize, u32)>,
    /// Objects in a pack of which the index does not say that they are there: where the pack stands, and which.
    unlisted: Vec<(usize, u32)>,
}

impl Judge<'_, '_, '_> {
    pub(super) fn judge_writing(&mut self) -> Result<(), PdfError> {
        let source = self.newest.source();
        let new = self.newest.sections().count().saturating_sub(self.signed.sections().count());
        for section in self.newest.sections().take(new) {
            if let Some(number) = section.contradictions(source)?.first() {
                let zh = format!("后续更新的两份索引对对象{number}说法不一");
                let en = format!("The two halves of a later update's index disagree about the object {number}");
                self.doubt("pdf.index-disagrees", &zh, &en);
            }
            let hidden = section.hidden(source)?;
            if let Some(number) = hidden.into_iter().find(|number| !self.at.is_new(*number)) {
                let zh = format!("后续更新的一份索引删除了对象{number}，另一份仍指向它");
                let en = format!("One half of a later update's index frees the object {number}, the other leads to it");
                self.doubt("pdf.index-disagrees", &zh, &en);
            }
            if self.at.history.written()?.irregular.contains(&section.offset) {
                self.doubt_index(section.offset);
            }
        }
        // What is not below /Size is not there (§7.5.5 table 15). Some writers count their own objects alone, which does no
        // harm where a viewer that repairs the file finds what the index leads to.
        let listed = self.newest.sections().map(|section| section.end()).max().unwrap_or_default();
        let size = self.newest.trailer().get(b"Size").and_then(Object::count);
        if size.is_none_or(|size| size < listed as usize) && !self.at.history.is_plain()? {
            self.doubt_index(self.newest.newest().offset);
        }
        if !is_found_at_once(self.newest)? {
            let (zh, en) = (
                "文件末尾的空白过长，有的阅读器找不到索引，会自行重建",
                "The file ends with so much white space that some viewers do not find its index and make their own",
            );
            self.doubt("pdf.bytes-after-end", zh, en);
        }
        if self.newest.begins_otherwise()? {
            let (zh, en) = (
                "文件以后续更新后的长度自称已线性化，有的阅读器会改用文件开头的索引",
                "By its length the file says that it is linearised, so that some viewers follow the index at its beginning",
            );
            self.doubt("pdf.index-disagrees", zh, en);
        }
        let written = self.at.history.written()?;
        let from = written.strays.partition_point(|at| *at < self.at.end);
        if let Some(at) = written.strays.get(from) {
            let zh = format!("后续更新的字节{at}处有不在索引里的对象或索引，修复文件的阅读器会显示它");
            let en = format!(
                "At byte {at} a later update holds an object or an index that its own index does not lead to; a viewer that repairs files may show it"
            );
            self.doubt("pdf.object-outside-index", &zh, &en);
        }
        let overtaken = written.overtaken.iter().map(|found| (found, "另有一份", "stands once more"));
        let unlisted = written.unlisted.iter().map(|found| (found, "另有打包的一份", "is also packed"));
        let end = self.at.end;
        for ((at, number), zh, en) in overtaken.chain(unlisted).filter(|((at, _), ..)| *at >= end) {
            let zh = format!("对象{number}在后续更新的字节{at}处{zh}，索引指向的却是别处，不同软件会显示不同内容");
            let en = format!(
                "The object {number} {en} at byte {at} of a later update, while the index leads elsewhere: readers may show one or the other"
            );
            self.doubt("pdf.object-twice", &zh, &en);
        }
        Ok(())
    }

    fn doubt_index(&mut self, at: usize) {
        let zh = format!("后续更新的索引（字节{at}）书写不合规，有的阅读器会自行重建索引，显示别的内容");
        let en = format!(
            "A later update's index at byte {at} is not written by the rules; some viewers then make their own and may show something else"
        );
        self.doubt("pdf.index-irregular", &zh, &en);
    }
}

/// Whether readers that look at the last 1024 bytes alone find the index (ISO 32000-1 Annex H.3 note 18).
pub(in crate::pdf) fn is_found_at_once(file: &File<'_>) -> Result<bool, PdfError> {
    let source = file.source();
    Ok(startxref(source)?.is_some_and(|(at, _)| source.length() - at <= limits::PDF_SHORT_TAIL))
}

impl Written {
    /// `sections`: how many came later; `numbers`: of which they speak.
    pub fn behind(
        file: &File<'_>,
        from: usize,
        sections: usize,
        numbers: impl Iterator<Item = u32>,
    ) -> Result<Self, PdfError> {
        let mut written = Self { strays: strays(file, from)?, ..Self::default() };
        for section in file.sections().take(sections) {
            let mut lost = false;
            section.each(file.source(), &mut |_, entry| {
                let pack = |stream| matches!(file.entry(stream), Ok(Some(Entry::At { .. })));
                lost |= matches!(entry, Entry::Packed { stream, .. } if !pack(stream));
            })?;
            if lost || !section.is_strict(file.source())? {
                written.irregular.insert(section.offset);
            }
        }
        for number in numbers {
            written.look_at(file, number)?;
        }
        written.strays.retain(|at| *at >= from);
        written.strays.sort_unstable();
        Ok(written)
    }

    /// All of a file.
    pub fn whole(file: &File<'_>) -> Result<Self, PdfError> {
        let mut numbers = BTreeSet::new();
        for section in file.sections() {
            numbers.extend(section.numbers()?);
        }
        Self::behind(file, 0, 0, numbers.into_iter())
    }

    pub fn is_empty(&self) -> bool {
        self.strays.is_empty() && self.overtaken.is_empty() && self.unlisted.is_empty()
    }

    fn look_at(&mut self, file: &File<'_>, number: u32) -> Result<(), PdfError> {
        // A pack stands where its stream does.
        let place = |entry: &Entry| match *entry {
            Entry::Free => None,
            Entry::At { offset, .. } => Some(offset),
            Entry::Packed { stream, .. } => match file.entry(stream) {
                Ok(Some(Entry::At { offset, .. })) => Some(offset),
                _ => None,
            },
        };
        let mentions = file.mentions(number);
        let mut places = mentions.iter().filter_map(|(_, entry)| place(entry.as_ref().ok()?));
        let is_there = !matches!(mentions.first(), None | Some((_, Ok(Entry::Free))));
        if let Some(newest) = places.next().filter(|_| is_there)
            && let Some(behind) = places.filter(|place| *place > newest).max()
        {
            self.overtaken.push((behind, number));
        }
        let Some(Entry::At { offset, .. }) = file.entry(number)? else { return Ok(()) };
        if file.is_unread_pack(number).unwrap_or(true) {
            self.strays.push(offset);
        }
        for inside in file.packed_in(number)? {
            let is_here = |entry: &Entry| matches!(*entry, Entry::Packed { stream, .. } if stream == number);
            if !file.mentions(inside).iter().any(|(_, entry)| entry.as_ref().is_ok_and(is_here)) {
                self.unlisted.push((offset, inside));
            }
        }
        Ok(())
    }
}

/// What looks like an object, a trailer or an end from `from` on, where no index leads: the first and the last of them.
fn strays(file: &File<'_>, from: usize) -> Result<Vec<usize>, PdfError> {
    const TRAILER: &[u8] = b"trailer";
    let source = file.source();
    let index = Places::of(file, from)?;
    let mut strays = Vec::new();
    let mut found = |at: usize| {
        if strays.len() < limits::PDF_STRAYS {
            strays.push(at);
        } else if let Some(last) = strays.last_mut() {
            *last = at.max(*last);
        }
    };
    source.steps(from..source.length(), AROUND, |start, seen, own| {
        let find = |word: &'static [u8]| memchr::memmem::find_iter(seen, word).filter(|at| own.contains(&(start + at)));
        let behind = |at: usize| {
            let near = at..seen.len().min(at + limits::PDF_SHORT_TAIL);
            let mut lexer = Lexer::within(seen.get(near).unwrap_or_default(), start + at);
            lexer.skip_space();
            lexer
        };
        let heads = find(b"obj").filter_map(|at| head_start(seen, at)).map(|at| start + at);
        heads.filter(|head| !index.objects.contains_key(head)).for_each(&mut found);
        for at in find(TRAILER) {
            let lexer = behind(at + TRAILER.len());
            if lexer.peek().is_none_or(|b| b == b'<') && !index.trailers.contains(&lexer.pos) {
                found(start + at);
            }
        }
        for at in find(STARTXREF) {
            let leads = behind(at + STARTXREF.len()).unsigned().and_then(|offset| usize::try_from(offset).ok());
            let joined = at.checked_sub(1).and_then(|at| seen.get(at)).is_some_and(|b| !is_space(*b));
            if joined || leads.is_none_or(|offset| !index.sections.contains(&offset)) {
                found(start + at);
            }
        }
    })?;
    // An entry may also lead to the head of another object.
    for (&at, &number) in &index.objects {
        if at >= from && file.head_at(at)?.is_none_or(|head| head.number != number) {
            strays.push(at);
        }
    }
    Ok(strays)
}

/// Where the index leads, and where it stands itself.
#[derive(Default)]
struct Places {
    /// Numbers by where the object's head is to be.
    objects: HashMap<usize, u32>,
    /// Dictionaries of trailers.
    trailers: HashSet<usize>,
    sections: HashSet<usize>,
}

impl Places {
    /// What stands before `from` may be missing.
    fn of(file: &File<'_>, from: usize) -> Result<Self, PdfError> {
        let source = file.source();
        let beginning = |at: usize| {
            let found = source.parse(at, |lexer| {
                lexer.skip_space();
                lexer.pos
            })?;
            // Many entries may lead to one long comment.
            file.pay(found - at.min(found))?;
            Ok::<_, PdfError>(found)
        };
        let mut places = Self::default();
        for section in file.sections() {
            for half in std::iter::once(section).chain(section.hidden.as_deref()) {
                places.sections.insert(half.offset);
                places.trailers.insert(half.trailer_span.start);
                let Some(index) = file.head_at(half.offset)?.filter(|_| half.offset >= from) else { continue };
                // In place of an object that is something else it would be taken for that.
                let stays = match file.entry(index.number)? {
                    None | Some(Entry::Free) => true,
                    _ => file.load_number(index.number).is_ok_and(|found| found.is_some_and(|o| is_index(&o.object))),
                };
                if stays {
                    places.objects.insert(beginning(half.offset)?, index.number);
                }
            }
            if section.reach() > from {
                for number in section.numbers()? {
                    if let Some(Entry::At { offset, .. }) = section.entry(source, number)? {
                        places.objects.insert(beginning(offset)?, number);
                    }
                }
            }
        }
        Ok(places)
    }
}

fn is_index(object: &Object) -> bool {
    matches!(object, Object::Stream(stream) if stream.dict.is(b"Type", b"XRef"))
}

/// Bytes seen before a step: two numbers of ten digits, and white space.
const AROUND: usize = 64;

/// More white space than this between the parts of a head is not followed to its end.
const GAP: usize = 16;

/// Where `12 0 obj` begins, given where its `obj` stands, as the most lenient reader sees it: with comments between, signs,
/// leading zeros, or nothing before `obj`. Where the beginning cannot be told, somewhere behind it.
fn head_start(bytes: &[u8], obj: usize) -> Option<usize> {
    let mut at = obj;
    for least in [0, 1] {
        let before = bytes.get(..at)?;
        let spaces = before.iter().rev().take_while(|b| is_space(**b)).count();
        let line_ended = before.iter().rev().take(spaces).any(|b| matches!(b, b'\n' | b'\r'));
        let before = before.get(..at - spaces)?;
        let digits = before.iter().rev().take_while(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.')).count();
        if digits == 0 {
            // No line is gone through more than once.
            let commented = || before.iter().rev().take_while(|b| !matches!(b, b'\n' | b'\r')).any(|b| *b == b'%');
            return (spaces > GAP || line_ended && commented()).then_some(at);
        }
        if spaces < least {
            return None;
        }
        at = before.len() - digits;
    }
    Some(at)
}
