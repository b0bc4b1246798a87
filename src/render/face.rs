//! The faces of a document as it carries them: only the glyphs that it uses, and a character map, so that a reader finds them
//! by Unicode.
//!
//! `subsetter` makes subsets for PDF, which names glyphs by number and wants no map; OFD readers look into the font. So the
//! map and the metrics of the whole face (OpenType `cmap` and `OS/2`) are put back.

use std::collections::BTreeMap;

use subsetter::GlyphRemapper;
use ttf_parser::{RawFace, Tag};
use typst::text::Font;

use crate::ofd::write::Face;

/// A face in use, while the pages are walked.
pub(super) struct Used {
    font: Font,
    glyphs: GlyphRemapper,
    /// The glyph of the subset that the map gives for a character: the one first used for it.
    map: BTreeMap<char, u16>,
}

impl Used {
    pub(super) fn new(font: Font) -> Self {
        Self { font, glyphs: GlyphRemapper::new(), map: BTreeMap::new() }
    }

    pub(super) fn is(&self, font: &Font) -> bool {
        self.font == *font
    }

    /// The glyph's number in the subset.
    pub(super) fn glyph(&mut self, glyph: u16) -> u16 {
        self.glyphs.remap(glyph)
    }

    /// The glyph's number in the subset, where the map does not give just this one for the character.
    pub(super) fn unless_mapped(&mut self, character: char, glyph: u16) -> Option<u16> {
        let new = self.glyphs.remap(glyph);
        let mapped = *self.map.entry(character).or_insert(new);
        (mapped != new).then_some(new)
    }

    /// The face as a file of the document.
    pub(super) fn embedded(&self) -> Result<Face, String> {
        let subset = subsetter::subset(self.font.data(), self.font.index(), &self.glyphs).map_err(|e| e.to_string())?;
        let parsed = RawFace::parse(&subset, 0).map_err(|e| e.to_string())?;
        let whole = RawFace::parse(self.font.data(), self.font.index()).map_err(|e| e.to_string())?;
        let mut tables: BTreeMap<[u8; 4], Vec<u8>> = BTreeMap::new();
        for record in parsed.table_records {
            let table = parsed.table(record.tag).ok_or("a table of the subset is cut off")?;
            tables.insert(record.tag.to_bytes(), table.to_vec());
        }
        if let Some(metrics) = whole.table(Tag::from_bytes(b"OS/2")) {
            tables.insert(*b"OS/2", metrics.to_vec());
        }
        tables.insert(*b"cmap", character_map(&self.map));
        let name = self.font.post_script_name().unwrap_or_else(|| self.font.info().family.clone());
        let file = font_file(subset.get(..4).unwrap_or_default(), tables);
        Ok(Face { name, family: self.font.info().family.clone(), file })
    }
}

/// OpenType `cmap`: Unicode, the basic plane in format 4 for old readers, and all of it in format 12.
fn character_map(map: &BTreeMap<char, u16>) -> Vec<u8> {
    let basic: Vec<(u16, u16)> =
        map.iter().filter_map(|(c, glyph)| Some((u16::try_from(u32::from(*c)).ok()?, *glyph))).collect();
    let basic = segments(&basic);
    let mut whole = Vec::new();
    for part in [12_u32 << 16, 16 + 12 * map.len() as u32, 0, map.len() as u32] {
        whole.extend_from_slice(&part.to_be_bytes());
    }
    for (character, glyph) in map {
        for part in [u32::from(*character), u32::from(*character), u32::from(*glyph)] {
            whole.extend_from_slice(&part.to_be_bytes());
        }
    }
    // Windows, Unicode of the basic plane and whole (platform 3, encodings 1 and 10).
    let mut table = [0_u16, 2, 3, 1].map(u16::to_be_bytes).concat();
    table.extend_from_slice(&20_u32.to_be_bytes());
    table.extend_from_slice(&[3_u16, 10].map(u16::to_be_bytes).concat());
    table.extend_from_slice(&(20 + basic.len() as u32).to_be_bytes());
    [table, basic, whole].concat()
}

/// Format 4: a segment for each character, and the last one that must be there. Its length has two octets: of more than
/// 8,000 characters the first are in it, and all in format 12.
fn segments(map: &[(u16, u16)]) -> Vec<u8> {
    let map = map.get(..8000).unwrap_or(map);
    let codes = || map.iter().map(|(code, _)| *code).chain([0xFFFF]);
    let count = map.len() as u16 + 1;
    let power = 1_u16 << count.ilog2();
    let head = [4, 16 + 8 * count, 0, 2 * count, 2 * power, count.ilog2() as u16, 2 * (count - power)];
    let deltas = map.iter().map(|(code, glyph)| glyph.wrapping_sub(*code)).chain([1]);
    let parts = head.into_iter().chain(codes()).chain([0]).chain(codes()).chain(deltas);
    parts.chain(std::iter::repeat_n(0, usize::from(count))).flat_map(u16::to_be_bytes).collect()
}

/// OpenType's table directory and its checksums.
fn font_file(flavour: &[u8], mut tables: BTreeMap<[u8; 4], Vec<u8>>) -> Vec<u8> {
    let count = tables.len() as u16;
    let power = 1_u16 << count.max(1).ilog2();
    let search = [count, 16 * power, power.ilog2() as u16, 16 * (count - power)];
    let mut file = [flavour, &search.map(u16::to_be_bytes).concat()].concat();
    let mut at = file.len() + 16 * tables.len();
    // The whole file's checksum is made with zeros in its own place.
    if let Some(own) = tables.get_mut(b"head").and_then(|head| head.get_mut(8..12)) {
        own.fill(0);
    }
    let (mut whole, mut place) = (Vec::new(), None);
    for (tag, table) in &tables {
        if tag == b"head" {
            place = Some(at + 8);
        }
        file.extend_from_slice(tag);
        for part in [checksum(table), at as u32, table.len() as u32] {
            file.extend_from_slice(&part.to_be_bytes());
        }
        whole.extend_from_slice(table);
        whole.resize(whole.len().next_multiple_of(4), 0);
        at += table.len().next_multiple_of(4);
    }
    file.append(&mut whole);
    let rest = 0xB1B0_AFBA_u32.wrapping_sub(checksum(&file));
    if let Some(own) = place.and_then(|at| file.get_mut(at..at + 4)) {
        own.copy_from_slice(&rest.to_be_bytes());
    }
    file
}

fn checksum(bytes: &[u8]) -> u32 {
    let word = |chunk: &[u8]| chunk.iter().enumerate().fold(0, |sum, (i, byte)| sum | u32::from(*byte) << (24 - 8 * i));
    bytes.chunks(4).fold(0, |sum, chunk| sum.wrapping_add(word(chunk)))
}
