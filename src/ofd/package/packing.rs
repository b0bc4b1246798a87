//! A package, written: in one way only, so that the same files give the same bytes.

use flate2::{Compress, Compression, FlushCompress, Status};

use super::{CENTRAL, END, Entry, LOCAL, NAMES_IN_UTF8, Package};

/// A package that grows file by file. Names in UTF-8, no times; what does not shrink is stored as it is.
#[derive(Debug)]
pub struct Packing {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    count: u16,
    /// One for all files: its tables cost more than a small file.
    shrinker: Compress,
}

impl Default for Packing {
    fn default() -> Self {
        let shrinker = Compress::new(Compression::default(), false);
        Self { bytes: Vec::new(), directory: Vec::new(), count: 0, shrinker }
    }
}

impl Packing {
    /// Adds a file.
    pub fn add(&mut self, name: &str, content: &[u8]) {
        let mut crc = flate2::Crc::new();
        crc.update(content);
        // There is no room for one that does not shrink.
        let mut shrunk = Vec::with_capacity(content.len());
        self.shrinker.reset();
        let ended = self.shrinker.compress_vec(content, &mut shrunk, FlushCompress::Finish);
        let deflated = matches!(ended, Ok(Status::StreamEnd)) && shrunk.len() < content.len();
        let packed = if deflated { &shrunk } else { content };
        self.put(name, packed, (deflated, crc.sum(), content.len()));
    }

    /// Adds a file as it is, for one that is mostly a picture: to shrink it by a tenth takes longer than to sign it.
    pub fn store(&mut self, name: &str, content: &[u8]) {
        let mut crc = flate2::Crc::new();
        crc.update(content);
        self.put(name, content, (false, crc.sum(), content.len()));
    }

    /// Takes over a file of another package as it is packed there.
    pub fn copy(&mut self, package: &Package<'_>, entry: &Entry) {
        let packed = package.bytes.get(entry.packed.clone()).unwrap_or_default();
        self.put(&entry.name, packed, (entry.deflated, entry.crc, entry.size));
    }

    fn put(&mut self, name: &str, packed: &[u8], (deflated, crc, size): (bool, u32, usize)) {
        let start = (self.bytes.len() as u32).to_le_bytes();
        // Version 2.0, UTF-8 names; 1 January 1980, the first day there is (APPNOTE §4.3.7).
        let header: [&[u8]; 9] = [
            &[20, 0],
            &NAMES_IN_UTF8.to_le_bytes(),
            &[u8::from(deflated) * 8, 0],
            &[0, 0, 33, 0],
            &crc.to_le_bytes(),
            &(packed.len() as u32).to_le_bytes(),
            &(size as u32).to_le_bytes(),
            &(name.len() as u16).to_le_bytes(),
            &[0, 0],
        ];
        let header = header.concat();
        for part in [&LOCAL.to_le_bytes()[..], &header, name.as_bytes(), packed] {
            self.bytes.extend_from_slice(part);
        }
        for part in [&CENTRAL.to_le_bytes()[..], &[20, 0], &header, &[0; 10], &start, name.as_bytes()] {
            self.directory.extend_from_slice(part);
        }
        self.count += 1;
    }

    /// The package's bytes.
    pub fn finish(mut self) -> Vec<u8> {
        let (start, size) = ((self.bytes.len() as u32).to_le_bytes(), (self.directory.len() as u32).to_le_bytes());
        let count = self.count.to_le_bytes();
        for part in [&self.directory[..], &END.to_le_bytes(), &[0; 4], &count, &count, &size, &start, &[0, 0]] {
            self.bytes.extend_from_slice(part);
        }
        self.bytes
    }
}

/// A package of these files.
pub fn write<'f>(files: impl IntoIterator<Item = (&'f str, &'f [u8])>) -> Vec<u8> {
    let mut packing = Packing::default();
    files.into_iter().for_each(|(name, content)| packing.add(name, content));
    packing.finish()
}
