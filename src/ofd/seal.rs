//! Sealing a package: everything is fixed but the value, its digest is signed elsewhere, the value is put in.
//!
//! A signature of OFD is a file that lists all others with their digests (GB/T 33190 §18); what a key signs holds the digest of that
//! file. So [`prepare`] gives a package that lacks only the value, [`Prepared::digest`] goes into
//! [`crate::ses::write::to_be_signed`], and [`Prepared::close`] adds the seal signature. Every file is listed but the three that
//! cannot be: the list of signatures, which the next one changes, the signature's own file, and the value.

mod edit;
mod place;
mod prepared;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use time::OffsetDateTime;

use super::document::Document;
use super::package::{Package, PackageFault, Packing};
use super::signatures::{ENTRANCE, Signatures, SignaturesFault};
use super::xml::escaped;
use crate::crypto::Digest;
use crate::impression::Place;
use crate::message::Message;
use crate::ses::{SM2_WITH_SM3, Seal};

pub use place::Stamped;
pub use prepared::Prepared;

/// One use of a seal.
#[derive(Debug, Clone, Copy)]
pub struct SealPlan<'a> {
    pub seal: &'a Seal,
    /// Where its picture stands: none for a signature that is not seen.
    pub places: &'a [Place],
    /// Claimed time.
    pub at: OffsetDateTime,
    /// Nobody may sign after: the list of signatures is listed too.
    pub lock: bool,
}

/// Why a package cannot be sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub enum SealFault {
    /// The package cannot be read, or not in one way only.
    Unreadable(SignaturesFault),
    /// An earlier signature closed it.
    Locked,
    /// There is no such page.
    NoPage { page: u32, pages: usize },
    /// The seal would leave the paper, millimetres.
    OutsidePage { page: u32, width_mm: u32, height_mm: u32 },
    /// A straddle seal needs two pages.
    NoStraddle,
    /// What was given as prepared, or as its value, does not belong to it.
    NotPrepared(&'static str),
}

impl From<SignaturesFault> for SealFault {
    fn from(fault: SignaturesFault) -> Self {
        Self::Unreadable(fault)
    }
}

impl From<PackageFault> for SealFault {
    fn from(fault: PackageFault) -> Self {
        Self::Unreadable(fault.into())
    }
}

impl SealFault {
    /// What was wrong and what to do next.
    pub fn message(&self) -> Message {
        match self {
            Self::Unreadable(fault) => Message::new(
                "ofd.unreadable",
                format!("无法为此OFD文件签章：{fault}。请从原系统重新导出"),
                format!("this OFD file cannot be sealed: {fault}; export it again from where it was made"),
            ),
            Self::Locked => Message::new(
                "ofd.locked",
                "此前的签章已锁定全文，不得再加盖印章；请由先签章的单位另行出具未锁定的文件",
                "an earlier seal closed the document to further ones; ask who sealed it for a copy that is not closed",
            ),
            Self::NoPage { page, pages } => Message::new(
                "ofd.no-page",
                format!("文件共{pages}页，没有第{}页；请核对盖章位置", page + 1),
                format!("the document has {pages} pages and no page {}; check where the seal goes", page + 1),
            ),
            Self::OutsidePage { page, width_mm, height_mm } => Message::new(
                "ofd.outside-page",
                format!("印章超出第{}页版面（{width_mm}×{height_mm}毫米）；请调整盖章位置", page + 1),
                format!("the seal would leave page {} ({width_mm} x {height_mm} mm); move it", page + 1),
            ),
            Self::NoStraddle => Message::new(
                "ofd.no-straddle",
                "只有一页的文件不能加盖骑缝章；请改用普通盖章",
                "a document of one page has no straddle seal; set an ordinary one",
            ),
            Self::NotPrepared(what) => Message::new(
                "ofd.not-prepared",
                format!("待签章数据前后不一致（{what}）；请重新发起签章"),
                format!("what was prepared for sealing does not fit together ({what}); begin again"),
            ),
        }
    }
}

/// Adds a signature to `draft`, all but its value. Earlier signatures keep their files, byte for byte.
///
/// # Errors
/// [`SealFault`].
pub fn prepare(draft: &[u8], plan: &SealPlan<'_>) -> Result<Prepared, SealFault> {
    let package = Package::open(draft)?;
    let earlier = Signatures::read(&package)?;
    let document = Document::read(&package)?;
    if earlier.signatures.iter().any(|one| one.references.iter().any(|file| earlier.lists.contains(&file.file))) {
        return Err(SealFault::Locked);
    }
    let stamps = place::stamps(&package, &document, plan)?;

    let list = match earlier.lists.first() {
        Some(list) => list.clone(),
        None => {
            format!("{}/Signs/Signatures.xml", document.path.rsplit_once('/').map_or("Doc_0", |(folder, _)| folder))
        }
    };
    let folder = edit::free_folder(&package, list.rsplit_once('/').map_or("", |(folder, _)| folder));
    let paths = Paths { signature: format!("{folder}/Signature.xml"), seal: format!("{folder}/Seal.esl"), list };
    let first = edit::next_id(&package, &earlier)?;

    // All files as they will be, but for the signature's own.
    let entrance = if earlier.lists.is_empty() { Some(edit::name_list(&package, &paths.list)?) } else { None };
    let listed = edit::listed(&package, &earlier, &paths, first, first + stamps.len() as u32)?;
    let mut fresh = vec![(paths.list.as_str(), listed.as_bytes()), (paths.seal.as_str(), plan.seal.whole.as_slice())];
    fresh.extend(entrance.as_ref().map(|entrance| (ENTRANCE, entrance.as_slice())));
    let mut digests = Vec::new();
    for entry in package.entries().iter().filter(|entry| fresh.iter().all(|(name, _)| *name != entry.name)) {
        digests.push((entry.name.clone(), Digest::Sm3.over(&[&package.unpack(entry)?])));
    }
    let covered = fresh.iter().filter(|(name, _)| plan.lock || *name != paths.list);
    digests.extend(covered.map(|(name, bytes)| ((*name).to_owned(), Digest::Sm3.over(&[bytes]))));
    digests.sort();

    let signature = signature(plan, &paths, &digests, &stamps, first);
    let mut packing = Packing::default();
    for entry in package.entries() {
        match fresh.iter().position(|(name, _)| *name == entry.name) {
            Some(at) => {
                let (name, bytes) = fresh.swap_remove(at);
                packing.add(name, bytes);
            }
            None => packing.copy(&package, entry),
        }
    }
    fresh.sort_unstable();
    for (name, bytes) in fresh {
        if name == paths.seal { packing.store(name, bytes) } else { packing.add(name, bytes) }
    }
    packing.add(&paths.signature, signature.as_bytes());
    Prepared::new(packing.finish(), &signature, &plan.seal.whole, paths)
}

/// Where the signature's files lie.
struct Paths {
    list: String,
    signature: String,
    seal: String,
}

impl Paths {
    fn value(&self) -> String {
        let folder = self.signature.rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{folder}/SignedValue.dat")
    }
}

/// Signature.xml (§18.2.2), in the schema's order. Identifiers of stamps follow the signature's.
fn signature(
    plan: &SealPlan<'_>,
    paths: &Paths,
    digests: &[(String, Vec<u8>)],
    stamps: &[Stamped],
    first: u32,
) -> String {
    let at = plan.at.to_offset(time::UtcOffset::UTC);
    let at = format!(
        "{:04}{:02}{:02}{:02}{:02}{:02}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    );
    let reference = |(name, digest): &(String, Vec<u8>)| {
        format!(
            "<ofd:Reference FileRef=\"/{}\"><ofd:CheckValue>{}</ofd:CheckValue></ofd:Reference>",
            escaped(name),
            STANDARD.encode(digest)
        )
    };
    let references: String = digests.iter().map(reference).collect();
    let stamps: String = stamps.iter().zip(first + 1..).map(|(stamp, id)| stamp.written(&edit::id(id))).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ofd:Signature xmlns:ofd=\"http://www.ofdspec.org/2016\"><ofd:SignedInfo>\
         <ofd:Provider ProviderName=\"yinxin\" Version=\"{version}\"/><ofd:SignatureMethod>{SM2_WITH_SM3}</ofd:SignatureMethod>\
         <ofd:SignatureDateTime>{at}</ofd:SignatureDateTime><ofd:References CheckMethod=\"{sm3}\">{references}</ofd:References>\
         {stamps}<ofd:Seal><ofd:BaseLoc>/{seal}</ofd:BaseLoc></ofd:Seal></ofd:SignedInfo>\
         <ofd:SignedValue>/{value}</ofd:SignedValue></ofd:Signature>",
        version = env!("CARGO_PKG_VERSION"),
        sm3 = Digest::Sm3.oid(),
        seal = escaped(&paths.seal),
        value = escaped(&paths.value()),
    )
}

#[cfg(test)]
mod tests;
