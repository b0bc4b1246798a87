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

/// A CMS signature, bytes. The largest in the foreign corpus is 400 kB; long-term forms carry whole CRLs, of which the
/// largest in public use are about 10 MB.
pub const CMS_BYTES: usize = 16 * 1024 * 1024;

/// Content that an Ed25519 or Ed448 value without signed attributes is made over, bytes: it must be put together in memory
/// to be checked. Only short texts are signed so; PAdES requires signed attributes.
pub const CMS_DIRECT_BYTES: usize = 16 * 1024 * 1024;

/// Time stamps inside one signature: writers put one; a renewal by another authority might add some.
pub const SIGNATURE_STAMPS: usize = 8;

/// Lists and responses, each, that are read from one CMS: one for every certificate of some chains.
pub const CMS_REVOCATION: usize = 64;

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

/// Steps of all searches for one file, about a second's public-key operations; whoever comes after gets [`PATH_LEAST_STEPS`].
pub const PATH_FILE_STEPS: usize = 4 * PATH_STEPS;

/// Steps that a search gets at the least: a chain of three with lists takes some ten.
pub const PATH_LEAST_STEPS: usize = 32;

/// Signers of one CMS, each of whom is judged by himself: contracts have a handful, a PDF signature one.
pub const CMS_SIGNERS: usize = 16;

/// Lists and responses left out one by one because they came too late: a file renewed every year brings one more each time.
pub const PATH_RETRIES: usize = 8;

/// Bytes that are hashed at the price of one step: it takes about as long as the public-key operation.
pub const PATH_STEP_BYTES: usize = 64 * 1024;

/// Bits of a foreign RSA modulus, so that one signature cannot cost seconds: ring's own ceiling, and the least that was ever
/// put into a certificate.
pub const RSA_BITS: usize = 8192;
/// See [`RSA_BITS`].
pub const RSA_BITS_LEAST: usize = 512;

/// Bits of a foreign RSA exponent: nearly all are 65537; ring takes 33 bits, SP 800-56B up to 256 (§6.2).
pub const RSA_EXPONENT_BITS: usize = 64;

/// Questions inside a question: who signed a list that its issuer's own key did not sign, and is that one revoked? PKITS
/// needs one step, a responder whose certificate is on such a list a second.
pub const PATH_NESTING: usize = 2;

/// Signatures, chains and heads of logs remembered with their outcome, each kind so many, some 100 bytes each. A
/// province's chains, lists and responses of a year are some thousands.
pub const KNOWN_ANSWERS: usize = 65_536;

/// An OCSP response, bytes. The largest in the corpus is 2.4 kB; a responder's chain of post-quantum certificates would be
/// some 100 kB.
pub const OCSP_BYTES: usize = 1024 * 1024;

/// Certificates inside an OCSP response: the responder's, and perhaps those above it.
pub const OCSP_CERTIFICATES: usize = 16;

// — time stamps

/// A request for a time stamp, bytes: with SHA-512, a policy and a nonce it is some 150.
pub const STAMP_REQUEST_BYTES: usize = 4 * 1024;
/// A nonce, bytes: programs send 8 to 20.
pub const STAMP_NONCE_BYTES: usize = 64;
/// An authority's answer, bytes: with a chain of four RSA-4096 certificates it is some 10 kB.
pub const STAMP_ANSWER_BYTES: usize = 64 * 1024;

/// Bytes left for a time stamp token while none was seen yet: a token with a chain of three certificates on RSA-4096 is
/// about 7 kB.
pub const STAMP_TOKEN_ROOM: usize = 12 * 1024;

/// Bytes left above the largest time stamp token seen: another authority's, or the same one's after it changed its chain.
pub const STAMP_TOKEN_MARGIN: usize = 2 * 1024;

// — status of certificates

/// An OCSP request, bytes, and the questions in it: a client asks about one chain. A question with SHA-256 takes 110 bytes.
pub const OCSP_REQUEST_BYTES: usize = 4 * 1024;
/// See [`OCSP_REQUEST_BYTES`].
pub const OCSP_QUESTIONS: usize = 16;
/// A nonce's octets (RFC 9654 §2.1).
pub const OCSP_NONCE_BYTES: usize = 128;
/// A serial number's octets: 20 by RFC 5280 §4.1.2.2, and some to spare for issuers that wrote more.
pub const OCSP_SERIAL_BYTES: usize = 32;

/// Answers signed within a minute for single askers (with a nonce, or about a certificate that never was); each is an order
/// of some 2 kB that stays. Beyond that askers get the answer kept for all, or are told to come again.
pub const OCSP_SIGNED_A_MINUTE: usize = 60;

/// Answers signed within a minute that are kept for all askers. There are as many as certificates, each in the few ways of
/// asking; so many at once only where a thousand certificates are asked about for the first time. What is kept is given as long
/// as it holds.
pub const OCSP_KEPT_A_MINUTE: usize = 600;

/// Seconds for which caches on the way keep an answer or a list: a revocation is known everywhere within the hour.
pub const OCSP_CACHE_SECONDS: i64 = 3600;

/// An address in a certificate, bytes: longer ones are cut off by proxies and browsers.
pub const ADDRESS_BYTES: usize = 1024;

/// Seconds for an outside authority to answer in: a list of some MB over a county's line.
pub const FETCH_SECONDS: u64 = 10;
/// Addresses of each kind tried for one certificate; certificates name one or two.
pub const EVIDENCE_ADDRESSES: usize = 3;
/// Minutes for which evidence about a chain is not asked for again; answers of responders run for hours.
pub const EVIDENCE_MINUTES: i64 = 5;
/// Chains whose evidence is remembered, of some 5 kB each: every seal's and time-stamp authority's.
pub const EVIDENCE_REMEMBERED: usize = 1024;
/// Lists of outside authorities remembered, of `CRL_BYTES` at most: a bureau has one or two such authorities.
pub const LISTS_REMEMBERED: usize = 8;

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

/// Jobs that wait for a session; who comes then is told that the token is busy. At 1,000 signatures a second it is a
/// quarter of a second's work.
pub const TOKEN_QUEUE: usize = 256;

/// Calls into a token that may hang at once, each with a thread of its own; then the process says that it is unhealthy.
pub const TOKEN_HANGING: usize = 8;

/// Seconds that a caller may be made to wait for a token; proxies give up after a minute.
pub const TOKEN_DEADLINE_SECONDS: std::ops::RangeInclusive<u64> = 1..=60;

/// Tokens that stand in for one another. Two is what is ever bought.
pub const TOKENS: usize = 8;

// — pdf
/// Indirect objects of one PDF. ISO 32000-1 Annex C gives 8 388 607 as the most a reader need take; the largest
/// scanned file of `PDF_BYTES` has well under a million.
pub const PDF_OBJECTS: usize = 2_000_000;
/// Parts (names, numbers, entries) of one object: the largest honest ones are /Kids and /Index arrays, some 10^5.
pub const PDF_OBJECT_PARTS: usize = 1_000_000;
/// One object as written, without its stream's data, bytes: a signature with `PDF_CMS_BYTES` in its hole is 2 MiB, an
/// array of `PDF_OBJECT_PARTS` references 10 MB.
pub const PDF_OBJECT_BYTES: usize = 16 * 1024 * 1024;
/// Arrays and dictionaries inside each other. Acrobat's own limit on such nesting is 28 for q/Q (Annex C); files seen
/// stay under 10.
pub const PDF_NESTING: usize = 64;
/// Cross-reference sections in a /Prev chain: one seal and one time stamp a month for forty years.
pub const PDF_SECTIONS: usize = 1024;
/// One unpacked structural stream (cross-reference or object stream), bytes: `PDF_OBJECTS` entries of 30 bytes.
pub const PDF_STREAM_BYTES: usize = 64 * 1024 * 1024;
/// Filters in a row on one stream; writers use one or two.
pub const PDF_FILTERS: usize = 8;
/// Crypt filters that an encryption dictionary defines: one for all, and at most another for attached files.
pub const PDF_CRYPT_FILTERS: usize = 8;
/// References leading to references; the standard forbids even one (ISO 32000-1 §7.3.10), some writers do it.
pub const PDF_REFERENCE_HOPS: usize = 8;
/// Bytes that may be parsed or unpacked from one opened file in all, so that objects read again and again, or packed
/// into each other, cannot cost more than a multiple of the file: a base, and so many for each byte of the file.
pub const PDF_WORK_BASE: u64 = 128 * 1024 * 1024;
pub const PDF_WORK_PER_BYTE: u64 = 4;
/// How far from the end `startxref` is looked for, bytes (ISO 32000-1 Annex H.3 note 18 gives 1024 for `%%EOF`).
pub const PDF_TAIL: usize = 2048;
/// How far from the end readers look that know no better, bytes.
pub const PDF_SHORT_TAIL: usize = 1024;
/// Ends of revisions (`startxref`) written in one file, with those of PDFs attached to it as they are.
pub const PDF_ENDS: usize = 16 * PDF_SECTIONS;
/// Heads of objects that no index leads to, looked at in one file; the worst honest ones have some tens.
pub const PDF_STRAYS: usize = 1000;
/// Earlier states tried, newest first, where a file does not open: a forged update seldom brings more than one end.
pub const PDF_SALVAGED: usize = 16;
/// Pages of one PDF.
pub const PDF_PAGES: usize = 50_000;
/// Pages of a PDF that a straddle seal goes over, each written anew: as many as an OFD may have.
pub const PDF_STRADDLED: usize = OFD_PAGES;
/// Form fields of one PDF.
pub const PDF_FIELDS: usize = 20_000;
/// A form field's full name, bytes; the names of a deep form stay under a few hundred.
pub const PDF_FIELD_NAME: usize = 16 * 1024;
/// Bytes that may be reserved for a CMS with certificates, revocation data and a time stamp, and the largest /Contents
/// that is read.
pub const PDF_CMS_BYTES: usize = 1024 * 1024;
/// Bytes hashed for the signatures of one file: each is some times the file where the seals were put on one after another,
/// as what they share is hashed once. A base, and so many for each byte of the file.
pub const PDF_HASH_BASE: u64 = 64 * 1024 * 1024;
pub const PDF_HASH_PER_BYTE: u64 = 4;
/// Signatures of one PDF: every hand of a joint approval, and a time stamp a year for a century.
pub const PDF_SIGNATURES: usize = 128;
/// Objects compared between a signed state and the newest one; a 2000-page scanned file has some 10^4.
pub const PDF_COMPARED: usize = 500_000;
/// Certificates, lists and responses of a file's validation data: a time stamp a year for a century, each with a chain of
/// five and a list or response for each.
pub const PDF_VALIDATION_ITEMS: usize = 2048;
/// Bytes of them when unpacked; see `CMS_BYTES` for the largest lists.
pub const PDF_VALIDATION_BYTES: usize = 64 * 1024 * 1024;
/// Entries about single signatures: `PDF_SIGNATURES`, and as many again of signatures that were time-stamped.
pub const PDF_VALIDATION_ENTRIES: usize = 256;
/// Objects, fields and entries looked at for all signatures of one file together, so that many signatures over many
/// changes end: `PDF_SIGNATURES` over a form of 10^4 fields is some 10^6.
pub const PDF_JUDGED: usize = 4_000_000;
/// Reasons kept for one signature; the first ones name the trouble.
pub const PDF_FINDINGS: usize = 20;
/// Operators run while looking for a word: a dense A4 page has some 10^4.
pub const PDF_OPERATORS: usize = 5_000_000;
/// Bytes of what one picture of a signature or note draws, unpacked; letters that it shows.
pub const PDF_APPEARANCE: usize = 16 << 20;
pub const PDF_APPEARANCE_LETTERS: usize = 100_000;
/// Cells of two points painted to tell what pictures made later hide, for all of one file: fifty seals take some 10^6.
pub const PDF_PAINTED: usize = 64_000_000;
/// Forms drawn inside forms while looking for a word; a reader's own limit is 28 (ISO 32000-1 Annex C, q/Q nesting).
pub const PDF_FORM_NESTING: usize = 12;
/// Occurrences of a word that are reported, and letters of the word.
pub const PDF_FOUND: usize = 1000;
pub const PDF_KEYWORD: usize = 64;
/// Letters of one page; a broadsheet newspaper page has some 10^5.
pub const PDF_LETTERS: usize = 1_000_000;

// — files for the command line
/// A request read from a file by the command line, bytes of JSON: a register of a thousand seals with drawn impressions
/// is about 1 MB, one filed picture 5 MB in base64.
pub const REQUEST_FILE_BYTES: usize = 16 * 1024 * 1024;

/// The script of a key ceremony, bytes: a hundred steps are some 20 kB. And its transcript, which holds the script and some
/// certificates' facts for each step.
pub const CEREMONY_SCRIPT_BYTES: usize = 256 * 1024;
pub const CEREMONY_TRANSCRIPT_BYTES: usize = 4 * 1024 * 1024;

// — http
/// A form or a JSON request, bytes: the fullest order names 1000 seals with 20 items each, 60 bytes an item in a form.
pub const HTTP_FORM_BYTES: usize = 2 * 1024 * 1024;
/// Seconds for a request that carries no document; argon2id and a rendered licence take well under one.
pub const HTTP_SECONDS: u64 = 30;
/// Seconds for a request with a document: `PDF_BYTES` over a line of 20 Mbit/s is 84 s.
pub const HTTP_UPLOAD_SECONDS: u64 = 120;
/// Requests with a document at once. Those to be verified are held as [`HTTP_HELD_BYTES`] says, those to be sealed in
/// memory, perhaps twice `PDF_BYTES`.
pub const HTTP_UPLOADS: usize = 8;
/// A document to be verified that is held in memory, bytes: a licence is under 1 MB. Larger ones go to a file.
pub const HTTP_HELD_BYTES: usize = 2 * 1024 * 1024;
/// Documents judged at once: each takes a core for up to a second.
pub const HTTP_JUDGEMENTS: usize = 4;
/// Seconds for which a document waits for its turn to be judged.
pub const HTTP_JUDGEMENT_WAIT_SECONDS: u64 = 5;
/// Requests at once on one listener; more wait at the door until their time is up.
pub const HTTP_REQUESTS: usize = 512;
/// Rows on one page of a list.
pub const HTTP_ROWS: u16 = 200;
/// Orders of abolition on one page: each shows all its seals, up to 1000.
pub const HTTP_ORDERS: u16 = 20;
/// Lines of the ledger in one CSV: a county's year of licences (domain: 110,000 cases).
pub const HTTP_LEDGER_LINES: u32 = 200_000;
/// Photographs with one custody entry: the seal's face, its side, the bag and its label, from both sides.
pub const HTTP_PHOTOGRAPHS: usize = 20;
/// A password, bytes; longer ones only feed argon2id for nothing.
pub const PASSWORD_BYTES: usize = 256;
/// Wrong passwords in a row from one source before it must wait, and for how many minutes; each further one doubles the
/// wait, up to an hour. NIST SP 800-63B §5.2.2 asks that guessing be throttled so, and that the owner be not shut out:
/// browsers in which an officer has signed in before are counted apart.
pub const SIGN_IN_FAILURES: i64 = 5;
pub const SIGN_IN_WAIT_MINUTES: i64 = 1;
pub const SIGN_IN_LONGEST_WAIT_MINUTES: i64 = 60;
/// Days for which a browser stays known after its last signing in: half a year, longer than any leave.
pub const KNOWN_BROWSER_DAYS: i64 = 183;
/// Hours that a session lasts: one working day.
pub const SESSION_HOURS: i64 = 8;

// — preview
/// A document that is drawn for a look, bytes: a licence is under 1, a scanned decision of 20 pages about 10 MB.
pub const PREVIEW_BYTES: usize = 32 * 1024 * 1024;
/// Pages drawn of one state: licences have one, decisions up to three, joint ones six.
pub const PREVIEW_PAGES: usize = 6;
/// Earlier states drawn beside the newest: as many as a joint approval has hands.
pub const PREVIEW_STATES: usize = 5;
/// Dots an inch: the smallest print of a licence (6.5 pt) is legible. And the longer side of a picture, for posters.
pub const PREVIEW_DPI: f32 = 110.0;
pub const PREVIEW_SIDE: f32 = 1600.0;
/// Pictures of one document in base64, bytes: a page of text has 150 kB, six of them beside five states 5 MB; scanned ones
/// fill it sooner, and the rest is left out.
pub const PREVIEW_OUTPUT_BYTES: usize = 12 * 1024 * 1024;
/// Address space of the process that draws: a scanned A3 page at 600 dpi unpacks to 280 MB, and is turned once.
pub const PREVIEW_MEMORY_BYTES: u64 = 1024 * 1024 * 1024;
/// Its processor time, and the time until it is stopped, seconds; a page takes about 30 ms.
pub const PREVIEW_CPU_SECONDS: u64 = 10;
pub const PREVIEW_SECONDS: u64 = 15;
/// Pages of an OFD as SVG, bytes, which base64 makes a third longer (RFC 4648 §4): a licence's page with its seal has 400 kB.
pub const PREVIEW_DRAWING_BYTES: usize = PREVIEW_OUTPUT_BYTES / 4 * 3 - 64 * 1024;
/// Objects on an OFD's pages: a dense plan has some ten thousand paths.
pub const PREVIEW_OBJECTS: usize = 50_000;
/// Things that are said to be left out of an OFD's pictures, and the length of each: of more nobody reads.
pub const PREVIEW_OMISSIONS: usize = 20;
pub const PREVIEW_OMISSION_LETTERS: usize = 160;
/// Such processes at once.
pub const PREVIEWS: usize = 2;

// — reports
/// Minutes for which a report may be fetched after its verification, in memory alone: long enough to read the page.
pub const REPORT_MINUTES: i64 = 15;
/// All reports waiting, bytes: one of a licence takes about 60 kB, one with a hundred signatures 3 MB.
pub const REPORT_SHELF_BYTES: usize = 64 * 1024 * 1024;
/// Reports sealed within an hour: each is written into the ledger and stays there, and anyone may ask for one.
pub const REPORTS_SEALED_AN_HOUR: usize = 60;

// — waiting and renewal

/// Seconds until an order that waits is tried again, doubled each time up to [`WAIT_MOST_SECONDS`]: an authority that was
/// restarted answers within some ten seconds.
pub const WAIT_FIRST_SECONDS: i64 = 10;

/// See [`WAIT_FIRST_SECONDS`]: whoever comes back at night finds everything finished within half an hour.
pub const WAIT_MOST_SECONDS: i64 = 1800;

/// Seconds between two looks for orders that are due: one indexed query.
pub const WAIT_LOOK_SECONDS: u64 = 5;

/// Days before its newest time stamp lapses that a document of ours is renewed: long enough to change an authority, or to
/// put a failing job right.
pub const RENEW_DAYS_BEFORE: i64 = 180;

/// Documents renewed in one go: at some 20 a second with a token, the hourly job takes less than a minute of every hour.
pub const RENEW_AT_ONCE: u16 = 1000;

// — log
/// A signed note, bytes: a head of some hundred bytes and up to `LOG_NOTE_SIGNATURES` lines, of which post-quantum ones take
/// 5 kB each.
pub const LOG_NOTE_BYTES: usize = 64 * 1024;
/// Signatures under one note; C2SP signed-note asks for 16 at least.
pub const LOG_NOTE_SIGNATURES: usize = 32;
/// A receipt or a request to a witness, bytes: a note, 64 hashes, and an opening in base64.
pub const LOG_RECEIPT_BYTES: usize = 96 * 1024;
/// A leaf, bytes; ours have about 200, and tlog-tiles gives each two bytes of length.
pub const LOG_LEAF_BYTES: usize = 4 * 1024;
/// What opens a leaf, bytes: identifiers, a decision's number and some officers; a title of 200 characters is 800.
pub const LOG_OPENING_BYTES: usize = 16 * 1024;
/// A copy of the register, bytes of JSON: a province's 10,000 seals with their lives are some 10 MB.
pub const REGISTER_BYTES: usize = 64 * 1024 * 1024;
/// Lines of one file of verifier keys: a log with ten of its keys, and a hundred witnesses.
pub const LOG_KEYS: usize = 1000;
/// An entry of ours about a document, bytes, at most: a leaf of 200, and an opening with a decision's number of 100 characters
/// and identifiers of fixed length.
pub const LOG_ENTRY_ROOM: usize = 1200;
/// What a receipt holds beside its entry, its proof and its signatures, bytes: the fixed words, three numbers, one hash.
pub const LOG_HEAD_ROOM: usize = 200;
/// A signature line without its name, bytes: a dash, spaces, and 4 + 8 + 64 bytes in base64.
pub const LOG_SIGNATURE_LINE: usize = 112;
/// How long anybody may keep a tile: it never changes, so a year, the most that caches heed (RFC 9111 §5.2.2.1 sets no end).
pub const LOG_TILE_CACHE_SECONDS: u64 = 31_536_000;
/// Entries on a page for people.
pub const LOG_PAGE: u16 = 50;
/// How often the log's head is published where no document did it first.
pub const LOG_PUBLISH_SECONDS: u64 = 5;
/// Findings that fsck lists; it counts the rest. Whoever has more has one thing wrong, many times.
pub const FSCK_FINDINGS: usize = 1000;
/// Entries of the log about the chain of audit events in one export: one a day for 27 years.
pub const AUDIT_ANCHORS: usize = 10_000;
/// Such entries read at a time.
pub const AUDIT_PAGE: u16 = 256;
/// A line of an export of the audit trail, bytes: the first has `AUDIT_ANCHORS` receipts of some 3 kB.
pub const AUDIT_LINE_BYTES: usize = 32 * 1024 * 1024;
/// How often the register is looked at for something new to be published, seconds: it is read as a whole.
pub const REGISTER_LOOK_SECONDS: u64 = 60;
/// Days for which what a copy of the register says is taken to be so still: as long as revocation lists of a quiet issuer
/// live. A house publishes one every day.
pub const REGISTER_DAYS: u16 = 30;
/// Answers of the newest snapshot that are kept: all of it, and what is new since each of the last week's.
pub const SNAPSHOT_COPIES: usize = 8;
/// Callers who wait for an answer of the newest snapshot that is being made.
pub const SNAPSHOT_CALLERS: usize = 32;
/// A bundle of a foreign log's entries, bytes: 256 of them, each behind two bytes of length (C2SP tlog-tiles).
pub const LOG_BUNDLE_BYTES: usize = 256 * (2 + 65_535);
/// Entries that a monitor takes up in one look: at 200 bytes each, some 20 GB.
pub const MONITOR_ENTRIES: u64 = 100_000_000;
/// Alarms of one look that are told one by one, and uses of seals that are shown: more is read by nobody.
pub const MONITOR_SHOWN: usize = 100;
/// Entries kept until somebody accounts for them: as many uses as a city has in a week; more are counted.
pub const MONITOR_OPEN: usize = 10_000;
/// Heads seen elsewhere, of one place, that are kept until the log comes up to them.
pub const MONITOR_CLAIMS: usize = 4;
/// How long a log may take to come up to a head that a witness saw: an order waits for its witnesses a minute at most, and a
/// restart takes no ten.
pub const MONITOR_GRACE_SECONDS: i64 = 600;
/// Heads kept as evidence beside a monitor's state: each has at most `LOG_NOTE_BYTES`.
pub const MONITOR_EVIDENCE: usize = 1000;
/// A monitor's state, bytes: `MONITOR_OPEN` entries and some heads, all as JSON.
pub const MONITOR_STATE_BYTES: usize = 64 * 1024 * 1024;
/// Files of expected uses, bytes in all: a million openings of 500.
pub const MONITOR_EXPECTED_BYTES: usize = 512 * 1024 * 1024;
/// Seconds from one look to the next.
pub const MONITOR_EVERY_SECONDS: std::ops::RangeInclusive<u64> = 1..=86_400;
/// Logs that one witness follows: each a line in its settings.
pub const WITNESS_LOGS: usize = 64;
/// A witness's state, bytes: a head of each log, twice as long where all of it must be escaped.
pub const WITNESS_STATE_BYTES: usize = 2 * WITNESS_LOGS * LOG_NOTE_BYTES;
/// Seconds that a clock may be behind a cosignature made before, or a witness's clock off ours: NTP steps less.
pub const WITNESS_CLOCK_SECONDS: u64 = 300;
/// Seconds for which one cosignature of a head does for all who ask: of those of `WITNESS_CLOCK_SECONDS` that whoever asked
/// allows, so that the line is always fresh enough.
pub const WITNESS_AGAIN_SECONDS: u64 = 60;
/// Witnesses asked for one head: each is a thread and a connection while it is asked, and a line in every receipt.
pub const WITNESSES: usize = 16;
/// Seconds for one head to be cosigned.
pub const WITNESS_DEADLINE_SECONDS: std::ops::RangeInclusive<u64> = 1..=60;
/// The last time that a cosignature may name (C2SP tlog-cosignature: it must not exceed 2^63 - 1).
pub const LOG_LAST_SECOND: u64 = i64::MAX as u64;

// — seals
/// A seal, bytes: the largest met has 17 kB; an `ofd` picture with a font can take some hundred.
pub const SEAL_BYTES: usize = 2 * 1024 * 1024;
/// Dots an inch of a seal's picture: 300 and more are asked of filed ones (standards: 4.2); printers of offices have 600, and
/// a seal of 42 mm then takes 90 kB.
pub const SEAL_DPI: f64 = 600.0;
/// Places of one seal on one document, beside its straddle seal: a contract in several copies has one a copy.
pub const SEAL_PLACES: usize = 20;
/// Pages that one straddle seal is cut over: of a seal of 40 mm each shows 2 mm; of more pages every such batch has one.
pub const STRADDLE_PAGES: u32 = 20;
/// A seal signature with its seal and a time stamp, bytes.
pub const SEAL_SIGNATURE_BYTES: usize = 4 * 1024 * 1024;

// — ofd
/// A package, bytes; as `PDF_BYTES`.
pub const OFD_BYTES: usize = PDF_BYTES;
/// All its files unpacked, bytes: page descriptions shrink to a tenth, pictures and fonts not at all.
pub const OFD_UNPACKED_BYTES: usize = 4 * OFD_BYTES;
/// One file of it unpacked, bytes: a scanned page at 600 dpi has some 20 MB, a whole Chinese font as much.
pub const OFD_FILE_BYTES: usize = 64 * 1024 * 1024;
/// Files of a package: three for each of a thousand pages.
pub const OFD_ENTRIES: usize = 10_000;
/// A file's name in it, bytes.
pub const OFD_NAME_BYTES: usize = 512;
/// One XML file of a package, bytes; a dense page of a drawing has some million. How deep its elements lie, and how many.
pub const OFD_XML_BYTES: usize = 64 * 1024 * 1024;
pub const OFD_XML_DEPTH: usize = 64;
pub const OFD_XML_NODES: usize = 1_000_000;
/// Documents of one package; all met have one.
pub const OFD_BODIES: usize = 16;
/// A list of signatures or one signature's list of files, bytes of XML: `OFD_ENTRIES` lines of some 200.
pub const OFD_SIGNATURE_BYTES: usize = 2 * 1024 * 1024;
/// Signatures of one package; as `PDF_SIGNATURES`.
pub const OFD_SIGNATURES: usize = PDF_SIGNATURES;
/// Pages of an OFD: three files for each of them, of `OFD_ENTRIES`.
pub const OFD_PAGES: usize = 3000;
/// Pages that one straddle seal is cut over: of a seal of 40 mm each shows 2 mm; of more pages every such batch has one.
pub const OFD_STRADDLE_PAGES: usize = 20;

// — licence services
/// Days that an annotated copy counts where the sharing operation names no end: about a matter's promised time.
pub const COPY_DAYS_USUAL: i64 = 30;
/// Seconds that a link to a copy opens: fetched by the program that asked for it.
pub const SHARE_LINK_SECONDS: i64 = 3600;
/// Licences of one holder and type that are told at once; holders have a handful of a kind.
pub const SHARE_LICENCES: u16 = 100;
/// A file sent to be verified, inside JSON as base64, bytes of the request: a licence has some 300 kB, with scans some MB.
pub const SHARE_FILE_BYTES: usize = 24 * 1024 * 1024;
/// Elements of metadata read from one file, and characters of each: the standard's set has some thirty, extensions as many.
pub const METADATA_ELEMENTS: usize = 256;
/// See [`METADATA_ELEMENTS`].
pub const METADATA_VALUE: usize = 2000;
/// Seals on one page of the revocation list.
pub const STATUS_PAGE: u32 = 200;
