//! Ceilings for everything that comes from outside, each with where its number comes from.

/// A PDF taken for sealing or verification, bytes. A scanned 200-page approval at 300 dpi is about 100 MB; twice
/// that is refused at the door.
pub const PDF_BYTES: usize = 200 * 1024 * 1024;

// — keys

/// A key's label, bytes. It is a file name (255 in ext4) with room for prefix and suffix, and must fit a database
/// column and one line of a log.
pub const KEY_LABEL_BYTES: usize = 64;

/// A key file, bytes. PKCS#8 of an RSA-3072 key is 1.8 kB, in base64 with the header 2.9 kB.
pub const KEY_FILE_BYTES: u64 = 16 * 1024;

/// Keys in one home. A province has some hundred counties with one approval seal each; beyond that it is a mistake.
pub const KEYS: usize = 4096;

/// A file with a passphrase or PIN, or a private key to be imported, bytes.
pub const SECRET_FILE_BYTES: u64 = 4 * 1024;

/// argon2id settings believed when read from a key file: at least OWASP's least (19 MiB, 2 passes), at most four
/// times what we write (RFC 9106 §4, second recommendation), so that a hostile file cannot eat the machine.
pub const ARGON2_MEMORY_KIB: std::ops::RangeInclusive<u32> = 19 * 1024..=256 * 1024;
/// See [`ARGON2_MEMORY_KIB`].
pub const ARGON2_PASSES: std::ops::RangeInclusive<u32> = 2..=12;
/// See [`ARGON2_MEMORY_KIB`].
pub const ARGON2_LANES: std::ops::RangeInclusive<u32> = 1..=16;

/// Sessions that sign at once in a token. Network HSMs allow some hundred in all, for all clients together.
pub const TOKEN_SESSIONS: usize = 64;

/// Signatures that wait for a session; more callers wait at the door. At 1,000 signatures a second it is a quarter
/// of a second's work.
pub const TOKEN_QUEUE: usize = 256;
