//! The package: a ZIP archive (GB/T 33190 §6) that every reader must understand in the same way. Where two readers could see
//! two documents (twins, hidden entries, headers that disagree), it is refused as a whole: no signature could say which of
//! them was meant.

use std::collections::HashMap;
use std::ops::Range;

use flate2::{Decompress, FlushDecompress, Status};

use super::oddity::shown;
use crate::limits;

mod packing;

pub use packing::{Packing, write};

/// A package, opened: its directory is read and agrees with what lies in the file. Contents are unpacked on demand.
#[derive(Debug)]
pub struct Package<'a> {
    bytes: &'a [u8],
    entries: Vec<Entry>,
    /// Small letters → place in `entries`.
    by_name: HashMap<String, usize>,
    /// Names that have `\` in the archive.
    backslashes: Vec<String>,
}

/// A file of the package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// From the package's root, without a slash in front.
    pub name: String,
    /// When unpacked, bytes.
    pub size: usize,
    packed: Range<usize>,
    deflated: bool,
    crc: u32,
}

/// Why a file is no package that can be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackageFault {
    /// No ZIP directory at the end.
    #[error("not a ZIP archive")]
    NotZip,
    /// Parts that do not fit each other, or more than one reading; what it is about.
    #[error("the archive is ambiguous or broken: {0}")]
    Ambiguous(&'static str),
    /// Two entries of one name, or of names that differ in small and capital letters alone.
    #[error("two files are called {0}")]
    Twins(String),
    /// A name that leads out of the package, or is not text.
    #[error("a file's name is not allowed: {0}")]
    Name(String),
    /// Encrypted, or packed in a way that OFD does not know.
    #[error("{0} is encrypted or packed in an unknown way")]
    Unreadable(String),
    /// Over a limit; which.
    #[error("the archive is over the limit: {0}")]
    TooLarge(&'static str),
}

impl PackageFault {
    /// The same in Chinese.
    pub fn zh(&self) -> String {
        match self {
            Self::NotZip => "不是ZIP包".into(),
            Self::Ambiguous(_) => "ZIP包的各部分互相矛盾，或有不属于任何文件的字节".into(),
            Self::Twins(name) => format!("有两个文件都叫“{}”（或仅大小写不同）", shown(name)),
            Self::Name(name) => format!("文件名“{}”不允许", shown(name)),
            Self::Unreadable(name) => format!("“{}”已加密，或压缩方式不明", shown(name)),
            Self::TooLarge(_) => "超出允许的大小或数量".into(),
        }
    }
}

/// Octets of a directory entry before its name (APPNOTE §4.3.12).
const FIXED: usize = 46;

const LOCAL: u32 = 0x0403_4B50;
const CENTRAL: u32 = 0x0201_4B50;
const END: u32 = 0x0605_4B50;
const DESCRIPTOR: u32 = 0x0807_4B50;

/// General-purpose flags (APPNOTE §4.4.4): encrypted in either way, sizes behind the data, names in UTF-8.
const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
const SIZES_BEHIND: u16 = 1 << 3;
const NAMES_IN_UTF8: u16 = 1 << 11;

impl<'a> Package<'a> {
    /// Opens a package.
    ///
    /// # Errors
    /// [`PackageFault`].
    pub fn open(bytes: &'a [u8]) -> Result<Self, PackageFault> {
        if bytes.len() > limits::OFD_BYTES {
            return Err(PackageFault::TooLarge("file"));
        }
        let (directory, count) = directory(bytes)?;
        let mut rest = bytes.get(directory.clone()).ok_or(PackageFault::NotZip)?;
        let (mut entries, mut taken, mut backslashes) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..count {
            let (entry, whole, after) = read_entry(bytes, directory.start, rest)?;
            let written = entry.as_ref().and_then(|entry| rest.get(FIXED..FIXED + entry.name.len()));
            if let Some(written) = written.filter(|written| written.contains(&b'\\')) {
                backslashes.push(String::from_utf8_lossy(written).into_owned());
            }
            rest = after;
            taken.push(whole);
            // Folders say nothing.
            entries.extend(entry);
        }
        if !rest.is_empty() {
            return Err(PackageFault::Ambiguous("more entries than were counted"));
        }
        check_tiling(&mut taken, directory.start)?;
        let mut by_name = HashMap::new();
        let mut unpacked = 0_usize;
        for (place, entry) in entries.iter().enumerate() {
            if by_name.insert(entry.name.to_lowercase(), place).is_some() {
                return Err(PackageFault::Twins(entry.name.clone()));
            }
            unpacked = unpacked.saturating_add(entry.size);
            if entry.size > limits::OFD_FILE_BYTES {
                return Err(PackageFault::TooLarge("size of a file"));
            }
        }
        if unpacked > limits::OFD_UNPACKED_BYTES {
            return Err(PackageFault::TooLarge("unpacked size"));
        }
        Ok(Self { bytes, entries, by_name, backslashes })
    }

    /// All files, in the order of the directory.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Names that have `\` in the archive, and `/` here.
    pub fn backslashes(&self) -> &[String] {
        &self.backslashes
    }

    /// The file of exactly this name.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.get(*self.by_name.get(&name.to_lowercase())?).filter(|entry| entry.name == name)
    }

    /// The one file whose name differs in small and capital letters at most.
    pub fn entry_in_any_case(&self, name: &str) -> Option<&Entry> {
        self.entries.get(*self.by_name.get(&name.to_lowercase())?)
    }

    /// A file's bytes, unpacked.
    ///
    /// # Errors
    /// The data is not what the directory says of it.
    pub fn unpack(&self, entry: &Entry) -> Result<Vec<u8>, PackageFault> {
        let wrong = PackageFault::Ambiguous("data that does not fit its size or checksum");
        let packed = self.bytes.get(entry.packed.clone()).ok_or(PackageFault::NotZip)?;
        let bytes = if entry.deflated {
            // All at once into the room that the directory asks for, which was bounded.
            let mut bytes = Vec::with_capacity(entry.size + 1);
            let mut inflater = Decompress::new(false);
            let ended = inflater.decompress_vec(packed, &mut bytes, FlushDecompress::Finish);
            // Bytes behind the end of the stream would be hidden.
            if !matches!(ended, Ok(Status::StreamEnd)) || inflater.total_in() != packed.len() as u64 {
                return Err(wrong);
            }
            bytes
        } else {
            packed.to_vec()
        };
        let mut crc = flate2::Crc::new();
        crc.update(&bytes);
        if bytes.len() == entry.size && crc.sum() == entry.crc { Ok(bytes) } else { Err(wrong) }
    }
}

/// The central directory's bytes and the number of its entries (APPNOTE §4.3.16). The end record's comment must reach to the
/// end of the file, and only one such record may.
fn directory(bytes: &[u8]) -> Result<(Range<usize>, usize), PackageFault> {
    const RECORD: usize = 22;
    let first = bytes.len().saturating_sub(RECORD + usize::from(u16::MAX));
    let reaches_the_end =
        |at: &usize| u16_at(bytes, at + 20).map(|comment| at + RECORD + usize::from(comment)) == Some(bytes.len());
    let mark = END.to_le_bytes();
    let marks = memchr::memmem::find_iter(bytes.get(first..).unwrap_or_default(), &mark);
    let mut ends = marks.map(|at| first + at).filter(reaches_the_end);
    let at = ends.next().ok_or(PackageFault::NotZip)?;
    if ends.next().is_some() {
        return Err(PackageFault::Ambiguous("two ends"));
    }
    let field = |offset| u16_at(bytes, at + offset).ok_or(PackageFault::NotZip);
    let (disks, count_here, count) = ((field(4)?, field(6)?), field(8)?, field(10)?);
    let size = u32_at(bytes, at + 12).ok_or(PackageFault::NotZip)?;
    let start = u32_at(bytes, at + 16).ok_or(PackageFault::NotZip)?;
    if count == u16::MAX || size == u32::MAX || start == u32::MAX {
        return Err(PackageFault::TooLarge("ZIP64"));
    }
    if disks != (0, 0) || count_here != count || start as usize + size as usize != at {
        return Err(PackageFault::Ambiguous("the directory is not where its end says"));
    }
    if usize::from(count) > limits::OFD_ENTRIES {
        return Err(PackageFault::TooLarge("number of files"));
    }
    Ok((start as usize..at, usize::from(count)))
}

/// One entry of the directory (APPNOTE §4.3.12), held against its local header (§4.3.7): the entry, none for a folder; the
/// bytes that it takes in the file; the rest of the directory.
#[expect(clippy::type_complexity, reason = "three things that one look at the directory tells")]
fn read_entry<'d>(
    bytes: &[u8],
    directory: usize,
    record: &'d [u8],
) -> Result<(Option<Entry>, Range<usize>, &'d [u8]), PackageFault> {
    let broken = || PackageFault::Ambiguous("the directory is cut off");
    let short = |at| u16_at(record, at).ok_or_else(broken);
    let long = |at| u32_at(record, at).ok_or_else(broken);
    if long(0)? != CENTRAL {
        return Err(broken());
    }
    let (flags, method, crc) = (short(8)?, short(10)?, long(16)?);
    let (packed, size, start) = (long(20)? as usize, long(24)? as usize, long(42)? as usize);
    let (name_length, extra, comment) = (usize::from(short(28)?), usize::from(short(30)?), usize::from(short(32)?));
    let raw = record.get(FIXED..FIXED + name_length).ok_or_else(broken)?;
    let rest = record.get(FIXED + name_length + extra + comment..).ok_or_else(broken)?;
    let name = name(raw)?;
    if flags & ENCRYPTED != 0 || !matches!(method, 0 | 8) {
        return Err(PackageFault::Unreadable(name));
    }
    // Unix file type in the upper half (host 3): a link would point to something else.
    if short(4)? >> 8 == 3 && long(38)? >> 28 == 0xA {
        return Err(PackageFault::Name(name));
    }
    let at = |offset| u16_at(bytes, start + offset).ok_or_else(broken);
    let wide = |offset| u32_at(bytes, start + offset).ok_or_else(broken);
    let local_name = usize::from(at(26)?);
    let data = start + 30 + local_name + usize::from(at(28)?);
    let same_name = bytes.get(start + 30..start + 30 + local_name) == Some(raw);
    let behind = flags & SIZES_BEHIND != 0;
    // §4.5.3: some writers keep room for 64-bit sizes in the local header alone.
    let wide_sizes = (wide(18)?, wide(22)?) == (u32::MAX, u32::MAX);
    let of_local = if wide_sizes {
        let extra = bytes.get(start + 30 + local_name..data).unwrap_or_default();
        let (real, shrunk) = zip64_sizes(extra).unwrap_or_default();
        (wide(14)?, shrunk, real)
    } else {
        (wide(14)?, u64::from(wide(18)?), u64::from(wide(22)?))
    };
    let same_sizes = of_local == (crc, packed as u64, size as u64) || (behind && of_local == (0, 0, 0));
    // Whether a name is UTF-8 matters where it is more than ASCII.
    let apart = flags ^ at(6)?;
    let same_flags = apart == 0 || (apart == NAMES_IN_UTF8 && raw.is_ascii());
    if wide(0)? != LOCAL || !same_name || !same_flags || at(8)? != method || !same_sizes {
        return Err(PackageFault::Ambiguous("directory and local header disagree"));
    }
    let mut end = data.checked_add(packed).filter(|end| *end <= directory).ok_or_else(broken)?;
    if behind {
        // §4.3.9: with or without a mark of its own.
        let mark = usize::from(u32_at(bytes, end) == Some(DESCRIPTOR)) * 4;
        let said = (u32_at(bytes, end + mark), u32_at(bytes, end + mark + 4), u32_at(bytes, end + mark + 8));
        if said != (Some(crc), u32::try_from(packed).ok(), u32::try_from(size).ok()) {
            return Err(PackageFault::Ambiguous("directory and data descriptor disagree"));
        }
        end += mark + 12;
    }
    if method == 0 && packed != size {
        return Err(PackageFault::Ambiguous("a stored file of two sizes"));
    }
    // §4.6.9: a second name in an extra field, which some readers would take.
    let extras =
        [record.get(FIXED + name_length..FIXED + name_length + extra), bytes.get(start + 30 + local_name..data)];
    if extras.into_iter().any(|extra| extra.is_none_or(renames)) {
        return Err(PackageFault::Ambiguous("a file with a second name"));
    }
    let entry = Entry { name, size, packed: data..data + packed, deflated: method == 8, crc };
    let folder = entry.name.ends_with('/');
    if folder && size != 0 {
        return Err(PackageFault::Name(entry.name));
    }
    Ok(((!folder).then_some(entry), start..end, rest))
}

/// Whether extra fields give the file another name (0x7075, Info-ZIP Unicode Path), or cannot be told apart.
fn renames(mut extra: &[u8]) -> bool {
    while let (Some(id), Some(length)) = (u16_at(extra, 0), u16_at(extra, 2)) {
        let Some(rest) = extra.get(4 + usize::from(length)..) else { return true };
        if id == 0x7075 {
            return true;
        }
        extra = rest;
    }
    !extra.is_empty()
}

/// Unpacked and packed size in a local header's extra field 1 (APPNOTE §4.5.3).
fn zip64_sizes(mut extra: &[u8]) -> Option<(u64, u64)> {
    loop {
        let (id, length) = (u16_at(extra, 0)?, usize::from(u16_at(extra, 2)?));
        let field = extra.get(4..4 + length)?;
        if id == 1 {
            let (real, shrunk) = field.get(..16)?.split_at(8);
            return Some((u64::from_le_bytes(real.try_into().ok()?), u64::from_le_bytes(shrunk.try_into().ok()?)));
        }
        extra = extra.get(4 + length..)?;
    }
}

/// The entries' bytes lie side by side from the file's first byte to the directory: what no entry claims would be read by some.
fn check_tiling(taken: &mut [Range<usize>], directory: usize) -> Result<(), PackageFault> {
    taken.sort_unstable_by_key(|range| range.start);
    let mut at = 0;
    for range in taken {
        if range.start != at {
            return Err(PackageFault::Ambiguous("bytes that belong to no file, or to two"));
        }
        at = range.end;
    }
    if at == directory { Ok(()) } else { Err(PackageFault::Ambiguous("bytes that belong to no file")) }
}

/// A name that stays inside the package. Some writers use `\`; it is taken for `/`, as they mean it.
fn name(raw: &[u8]) -> Result<String, PackageFault> {
    let text = std::str::from_utf8(raw).map_err(|_| PackageFault::Name(String::from_utf8_lossy(raw).into_owned()))?;
    let name = text.replace('\\', "/");
    let mut steps = name.strip_suffix('/').unwrap_or(&name).split('/');
    let inside = steps
        .all(|step| !matches!(step, "" | "." | "..") && !step.contains(':') && !step.chars().any(char::is_control));
    if inside && name.len() <= limits::OFD_NAME_BYTES { Ok(name) } else { Err(PackageFault::Name(name)) }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}
