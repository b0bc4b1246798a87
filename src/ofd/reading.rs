//! A package read for judging: every digest is made and every value taken apart, so that the verdict needs no bytes any more.

use std::collections::{HashMap, HashSet};

use time::macros::{format_description, offset};
use time::{Duration, OffsetDateTime, PrimitiveDateTime};

use super::document::Document;
use super::oddity::Oddity;
use super::package::Package;
use super::signatures::{ENTRANCE, Kind, Signature, Signatures, SignaturesFault};
use crate::cms::{self, SignedData};
use crate::crypto::Digest;
use crate::pki::certificate::Certificate;
use crate::ses::{self, SealSignature};

/// A package's signatures, and what they are about.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    pub signatures: Vec<Read>,
    /// CustomDatas: what the file says of itself, by name.
    pub data: Vec<(String, String)>,
    /// The document that readers show; none where it cannot be read, or the package has several.
    pub shown: Option<Shown>,
    /// About the package as a whole.
    pub odd: Vec<Oddity>,
}

/// What a reader draws.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// Identifiers of the pages.
    pub pages: HashSet<String>,
    /// Its root, pages, page templates, lists of annotations and of resources, by the paths that they have in the package.
    pub files: HashSet<String>,
}

/// One signature with what was found about it.
#[derive(Debug, Clone)]
pub struct Read {
    pub signature: Signature,
    /// The bytes of its file, which its value is made over.
    pub said: Vec<u8>,
    /// The digest algorithm of its list, where it is one that we know.
    pub listed_by: Option<Digest>,
    /// Listed files that are not in the package.
    pub missing: Vec<String>,
    /// Listed files with another digest than the list has.
    pub changed: Vec<String>,
    /// Files of the package that the list leaves open, but those that no list can hold.
    pub uncovered: Vec<String>,
    pub value: Inside,
    /// The signer's, by the value's own account.
    pub certificate: Option<Certificate>,
    /// The seal that lies beside is not, byte for byte, the one inside the value.
    pub other_seal: bool,
    /// What lies beside as a seal is one.
    has_seal: bool,
}

/// What a value is.
#[derive(Debug, Clone)]
pub enum Inside {
    /// GB/T 38540 or GM/T 0031.
    Seal(Box<SealSignature>),
    /// GB/T 35275 or RFC 5652.
    Cms(Box<SignedData>),
    /// An SM2 value alone: nobody says whose.
    Bare,
    /// None of these.
    Unreadable,
}

impl Reading {
    /// Reads a package.
    ///
    /// # Errors
    /// [`SignaturesFault`], also where the archive itself is refused.
    pub fn of(bytes: &[u8]) -> Result<Self, SignaturesFault> {
        let package = Package::open(bytes)?;
        let signatures = Signatures::read(&package)?;
        let mut digests = Digests { package: &package, made: HashMap::new() };
        let mut reading = Self { data: signatures.data, odd: signatures.odd, ..Self::default() };
        reading.odd.extend(package.backslashes().first().map(|name| Oddity::Backslash(name.clone())));
        reading.shown = shown(&package, &mut reading.odd);
        for signature in &signatures.signatures {
            reading.signatures.push(read(&package, signature, &mut digests)?);
        }
        let mut seen = HashSet::new();
        reading.odd.retain(|odd| seen.insert(std::mem::discriminant(odd)));
        let own = reading.signatures.iter().flat_map(Read::own_files);
        let own: HashSet<String> = own.chain(signatures.lists.iter().map(String::as_str)).map(str::to_owned).collect();
        for read in &mut reading.signatures {
            let listed: HashSet<&str> = read.signature.references.iter().map(|one| one.file.as_str()).collect();
            let names = package.entries().iter().map(|entry| entry.name.as_str());
            let open = names.filter(|name| !listed.contains(name) && (*name == ENTRANCE || !own.contains(*name)));
            read.uncovered = open.map(str::to_owned).collect();
        }
        Ok(reading)
    }
}

impl Read {
    /// The files that are this signature and nothing else: no list can hold its own value, and those of signatures beside it
    /// are held by their own. What only claims to be such a file is not among them.
    fn own_files(&self) -> impl Iterator<Item = &str> {
        let value = (!matches!(self.value, Inside::Unreadable)).then_some(self.signature.value.as_str());
        let seal = self.signature.seal.as_deref().filter(|_| self.has_seal && self.signature.kind == Kind::Seal);
        [Some(self.signature.path.as_str()), value, seal].into_iter().flatten()
    }
}

impl Inside {
    fn certificate(&self) -> Option<Certificate> {
        match self {
            Self::Seal(sealed) => Certificate::read(&sealed.signer).ok(),
            Self::Cms(signed) => signed.certificate_of(signed.signers.first()?),
            Self::Bare | Self::Unreadable => None,
        }
    }
}

/// Digests of files, each made once however many signatures list the file.
struct Digests<'p, 'a> {
    package: &'p Package<'a>,
    made: HashMap<(String, Digest), Option<Vec<u8>>>,
}

impl Digests<'_, '_> {
    /// None where there is no such file.
    fn of(&mut self, file: &str, by: Digest) -> Result<Option<Vec<u8>>, SignaturesFault> {
        let key = (file.to_owned(), by);
        if let Some(made) = self.made.get(&key) {
            return Ok(made.clone());
        }
        let made = match self.package.entry(file) {
            Some(entry) => Some(by.over(&[&self.package.unpack(entry)?])),
            None => None,
        };
        self.made.insert(key, made.clone());
        Ok(made)
    }
}

fn read(package: &Package<'_>, signature: &Signature, digests: &mut Digests<'_, '_>) -> Result<Read, SignaturesFault> {
    let listed_by = signature.check_method.as_deref().map_or(Some(Digest::Md5), digest_named);
    let (mut missing, mut changed) = (Vec::new(), Vec::new());
    for reference in &signature.references {
        match listed_by.map(|by| digests.of(&reference.file, by)).transpose()?.flatten() {
            None if package.entry(&reference.file).is_none() => missing.push(reference.file.clone()),
            Some(digest) if digest == reference.digest => {}
            _ => changed.push(reference.file.clone()),
        }
    }
    let file = |path: &str| match package.entry_in_any_case(path) {
        Some(entry) => package.unpack(entry).map_err(SignaturesFault::from),
        None => Err(SignaturesFault::Missing(path.to_owned())),
    };
    let value = inside(signature.kind, &file(&signature.value)?);
    let beside = signature.seal.as_deref().map(file).transpose()?;
    let other_seal = match (&value, &beside) {
        (Inside::Seal(inside), Some(beside)) => inside.seal.whole != *beside,
        _ => false,
    };
    let is_a_seal = |bytes: Vec<u8>| match &value {
        // Most often it is the one that was read already.
        Inside::Seal(_) if !other_seal => true,
        _ => ses::read_seal(&bytes).is_ok(),
    };
    let has_seal = beside.is_some_and(is_a_seal);
    let uncovered = Vec::new();
    let said = file(&signature.path)?;
    let mut signature = signature.clone();
    signature.odd.extend(odd_values(&value));
    signature.odd.extend(odd_time(&signature, &value));
    let certificate = value.certificate();
    Ok(Read { signature, said, listed_by, missing, changed, uncovered, value, certificate, other_seal, has_seal })
}

/// The pages that are shown and what is drawn on them. A package of several documents says elsewhere which is meant.
fn shown(package: &Package<'_>, odd: &mut Vec<Oddity>) -> Option<Shown> {
    let document = Document::read(package).ok()?;
    if document.others > 0 {
        return None;
    }
    let pages = document.pages.iter().map(|page| page.id.clone()).collect();
    let paths = std::iter::once(&document.path)
        .chain(document.pages.iter().map(|page| &page.path))
        .chain(document.templates.iter().map(|(_, path)| path))
        .chain(&document.resources)
        .chain(&document.annotations);
    let mut files = HashSet::new();
    for path in paths {
        let Some(entry) = package.entry_in_any_case(path) else { continue };
        if entry.name != *path {
            odd.push(Oddity::Case { written: path.clone(), found: entry.name.clone() });
        }
        files.insert(entry.name.clone());
    }
    Some(Shown { pages, files })
}

/// SM2 values that are not written as GB/T 35276 has them.
fn odd_values(inside: &Inside) -> Vec<Oddity> {
    let values = match inside {
        Inside::Seal(sealed) => vec![(true, &sealed.seal.value), (false, &sealed.value)],
        Inside::Cms(signed) => signed.signers.iter().map(|signer| (false, &signer.signature)).collect(),
        Inside::Bare | Inside::Unreadable => Vec::new(),
    };
    let odd = |(of_seal, value): (bool, &Vec<u8>)| {
        let form = ses::Value::read(value)?.form;
        (form != ses::Form::Standard).then_some(Oddity::Value { of_seal, raw: form == ses::Form::Raw })
    };
    values.into_iter().filter_map(odd).collect()
}

/// The time in the list, which is free text, against the signed one. Many write China time, some with a `Z` all the same.
fn odd_time(signature: &Signature, inside: &Inside) -> Option<Oddity> {
    const APART: Duration = Duration::minutes(10);
    let signed = match inside {
        Inside::Seal(sealed) => sealed.claimed_at?,
        Inside::Cms(signed) => signed.signers.first()?.claimed_time()?,
        Inside::Bare | Inside::Unreadable => return None,
    };
    let listed = signature.claimed_at.as_ref()?;
    let digits: String = listed.chars().filter(char::is_ascii_digit).take(14).collect();
    let read = PrimitiveDateTime::parse(&digits, format_description!("[year][month][day][hour][minute][second]"));
    let near = |at: OffsetDateTime| (at - signed).abs() <= APART;
    if read.is_ok_and(|at| near(at.assume_utc()) || near(at.assume_offset(offset!(+8)))) {
        return None;
    }
    let written = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    Some(Oddity::OtherTime { listed: listed.clone(), signed: signed.format(written).unwrap_or_default() })
}

/// The digest that a list names; where it names none the schema means MD5 (GB/T 33190 §18.2.3).
fn digest_named(name: &str) -> Option<Digest> {
    match name {
        "SM3" => Some(Digest::Sm3),
        "MD5" => Some(Digest::Md5),
        "SHA1" | "SHA-1" => Some(Digest::Sha1),
        "SHA256" | "SHA-256" => Some(Digest::Sha256),
        oid => Digest::of_oid(const_oid::ObjectIdentifier::new(oid).ok()?),
    }
}

fn inside(kind: Kind, bytes: &[u8]) -> Inside {
    if let Ok(seal) = ses::read_signature(bytes) {
        return Inside::Seal(Box::new(seal));
    }
    match (kind, cms::read(bytes)) {
        (Kind::Sign, Ok(signed)) => Inside::Cms(Box::new(signed)),
        (Kind::Sign, Err(_)) if ses::Value::read(bytes).is_some() => Inside::Bare,
        _ => Inside::Unreadable,
    }
}
