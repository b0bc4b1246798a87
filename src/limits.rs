//! Ceilings for everything that comes from outside, each with where its number comes from.

/// A PDF taken for sealing or verification, bytes. A scanned 200-page approval at 300 dpi is about 100 MB; twice
/// that is refused at the door.
pub const PDF_BYTES: usize = 200 * 1024 * 1024;

/// A CMS signature, bytes. The largest in the foreign corpus is 400 kB; long-term forms carry whole CRLs, of which the
/// largest in public use are about 10 MB.
pub const CMS_BYTES: usize = 16 * 1024 * 1024;

/// Nesting of BER elements. Real certificates and CMS stay below 16; OpenSSL stops constructed strings at 30.
pub const BER_DEPTH: usize = 32;

/// Elements directly inside one BER element that we take apart ourselves: certificates, signers and attributes of a CMS.
/// The fullest CMS met is a list of 150 root certificates.
pub const BER_CHILDREN: usize = 1024;

/// A certificate, bytes. Real ones are 1-4 kB; the largest of public trust stores are below 16 kB, post-quantum ones
/// below 50 kB.
pub const CERTIFICATE_BYTES: usize = 128 * 1024;

/// A CRL, bytes; see `CMS_BYTES` for the 10 MB.
pub const CRL_BYTES: usize = 16 * 1024 * 1024;

/// Certificates in one path, from signer to anchor. Public hierarchies use 3 or 4; PKITS goes to 7, browsers stop at 8 to 10.
pub const PATH_CERTIFICATES: usize = 8;

/// Candidate paths judged for one signer before giving up. A cross-signed hierarchy gives a handful; webpki's budget of
/// 200,000 operations is against the same attack (CVE-2023 style path explosions), ours is smaller because each costs more.
pub const PATH_ATTEMPTS: usize = 32;

/// Steps of the path search, so that many look-alike issuers cannot hold it up: each attempt may look at each step once.
pub const PATH_STEPS: usize = 2048;
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
