//! Ceilings for everything that comes from outside, each with where its number comes from.

/// A PDF taken for sealing or verification, bytes. A scanned 200-page approval at 300 dpi is about 100 MB; twice
/// that is refused at the door.
pub const PDF_BYTES: usize = 200 * 1024 * 1024;

// — pdf
/// Indirect objects of one PDF. ISO 32000-1 Annex C gives 8 388 607 as the most a reader need take; the largest
/// scanned file of `PDF_BYTES` has well under a million.
pub const PDF_OBJECTS: usize = 2_000_000;
/// Parts (names, numbers, entries) of one object: the largest honest ones are /Kids and /Index arrays, some 10^5.
pub const PDF_OBJECT_PARTS: usize = 1_000_000;
/// Arrays and dictionaries inside each other. Acrobat's own limit on such nesting is 28 for q/Q (Annex C); files seen
/// stay under 10.
pub const PDF_NESTING: usize = 64;
/// Cross-reference sections in a /Prev chain: one seal and one time stamp a month for forty years.
pub const PDF_SECTIONS: usize = 1024;
/// One unpacked structural stream (cross-reference or object stream), bytes: `PDF_OBJECTS` entries of 30 bytes.
pub const PDF_STREAM_BYTES: usize = 64 * 1024 * 1024;
/// Filters in a row on one stream; writers use one or two.
pub const PDF_FILTERS: usize = 8;
/// References leading to references; the standard forbids even one (ISO 32000-1 §7.3.10), some writers do it.
pub const PDF_REFERENCE_HOPS: usize = 8;
/// Bytes that may be parsed or unpacked from one opened file in all, so that objects read again and again, or packed
/// into each other, cannot cost more than a multiple of the file: a base, and so many for each byte of the file.
pub const PDF_WORK_BASE: u64 = 128 * 1024 * 1024;
pub const PDF_WORK_PER_BYTE: u64 = 4;
/// How far from the end `startxref` is looked for, bytes (ISO 32000-1 Annex H.3 note 18 gives 1024 for `%%EOF`).
pub const PDF_TAIL: usize = 2048;
/// Pages of one PDF.
pub const PDF_PAGES: usize = 50_000;
/// Form fields of one PDF.
pub const PDF_FIELDS: usize = 20_000;
/// A form field's full name, bytes; the names of a deep form stay under a few hundred.
pub const PDF_FIELD_NAME: usize = 16 * 1024;
/// Bytes that may be reserved for a CMS with certificates, revocation data and a time stamp, and the largest /Contents
/// that is read.
pub const PDF_CMS_BYTES: usize = 1024 * 1024;
/// Signatures of one PDF: every hand of a joint approval, and a time stamp a year for a century.
pub const PDF_SIGNATURES: usize = 128;
/// Objects compared between a signed state and the newest one; a 2000-page scanned file has some 10^4.
pub const PDF_COMPARED: usize = 500_000;
/// Reasons kept for one signature; the first ones name the trouble.
pub const PDF_FINDINGS: usize = 20;
/// Operators run while looking for a word: a dense A4 page has some 10^4.
pub const PDF_OPERATORS: usize = 5_000_000;
/// Forms drawn inside forms while looking for a word; a reader's own limit is 28 (ISO 32000-1 Annex C, q/Q nesting).
pub const PDF_FORM_NESTING: usize = 12;
/// Occurrences of a word that are reported, and letters of the word.
pub const PDF_FOUND: usize = 1000;
pub const PDF_KEYWORD: usize = 64;
/// Letters of one page; a broadsheet newspaper page has some 10^5.
pub const PDF_LETTERS: usize = 1_000_000;
