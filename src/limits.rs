//! Ceilings for everything that comes from outside, each with where its number comes from.

/// A PDF taken for sealing or verification, bytes. A scanned 200-page approval at 300 dpi is about 100 MB; twice
/// that is refused at the door.
pub const PDF_BYTES: usize = 200 * 1024 * 1024;

/// Data of one document, bytes of JSON. The longest approval of the seeds' kind is under 20 kB; a table of a thousand
/// seals is about 300 kB.
pub const RENDER_DATA_BYTES: usize = 1024 * 1024;

/// Pages of one rendered document: a table of a thousand seals is about 60.
pub const RENDER_PAGES: usize = 200;

/// A filed picture of a seal, bytes of the file; 60 mm at 1200 dpi, badly compressed, is about 3 MB.
pub const PICTURE_BYTES: usize = 4 * 1024 * 1024;

/// The picture's longer side in dots: 60 mm at 1200 dpi is 2835.
pub const PICTURE_SIDE: u32 = 3000;

/// Path steps of a vector seal; a traced national emblem has about 20,000.
pub const PICTURE_SEGMENTS: usize = 100_000;
