//! The signatures of a package (GB/T 33190 §18): which there are, what each lists, and what the list leaves open.
//!
//! A signature of OFD is a list of files with digests; the value is made over the list. So two things are asked of it: does
//! every file listed have its digest, and is every file listed that a reader would show or follow?

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::package::{Entry, Package, PackageFault};
use super::xml::{Node, NotXml};
use crate::limits;

/// The entrance of every package.
pub const ENTRANCE: &str = "OFD.xml";

/// All signatures of a package, in the order of the list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Signatures {
    /// The lists that the documents name, by their paths.
    pub lists: Vec<String>,
    pub signatures: Vec<Signature>,
    /// The documents' CustomDatas (§7.4), names and values.
    pub data: Vec<(String, String)>,
}

/// One signature as written, nothing checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Signature {
    pub id: String,
    /// With a seal (the default), or by a key alone.
    pub kind: Kind,
    /// Path of the file that says all this; its bytes are what the value is made over.
    pub path: String,
    /// As written; nobody vouches for it.
    pub claimed_at: Option<String>,
    pub provider: String,
    /// As written: an object identifier or a name.
    pub method: Option<String>,
    /// The digest of the references, as written.
    pub check_method: Option<String>,
    pub references: Vec<Reference>,
    pub stamps: Vec<Stamp>,
    /// Path of the seal, where it lies beside.
    pub seal: Option<String>,
    /// Path of the value.
    pub value: String,
}

/// What a signature is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Seal,
    Sign,
}

/// A file that is signed, and its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Path from the package's root.
    pub file: String,
    pub digest: Vec<u8>,
}

/// Where a seal's picture stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Stamp {
    /// Identifier of the page.
    pub page: String,
    /// Left, top, width, height, millimetres.
    pub boundary: [f64; 4],
    /// The part of it that is shown, from its own corner, millimetres.
    pub clip: Option<[f64; 4]>,
}

/// Why the signatures of a package cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignaturesFault {
    #[error(transparent)]
    Package(#[from] PackageFault),
    #[error("{file}: {fault}")]
    Xml { file: String, fault: NotXml },
    /// The named file is not in the package.
    #[error("{0} is not in the package")]
    Missing(String),
    /// The named part of that file is not there or not readable.
    #[error("{file}: {part} is not as GB/T 33190 has it")]
    Malformed { file: String, part: &'static str },
    /// More than is read here.
    #[error("too many {0}")]
    TooMany(&'static str),
}

impl Signatures {
    /// Reads all of them. A package without signatures has none.
    ///
    /// # Errors
    /// [`SignaturesFault`].
    pub fn read(package: &Package<'_>) -> Result<Self, SignaturesFault> {
        // Under exactly this name: another spelling would be another file to who asks what a list may leave open.
        if package.entry(ENTRANCE).is_none() {
            return Err(SignaturesFault::Missing(ENTRANCE.to_owned()));
        }
        let entrance = node(package, ENTRANCE)?;
        if entrance.name != "OFD" {
            return Err(malformed(ENTRANCE, "OFD"));
        }
        let mut all = Self::default();
        if entrance.all("DocBody").count() > limits::OFD_BODIES {
            return Err(SignaturesFault::TooMany("documents"));
        }
        let data = entrance.all("DocBody").filter_map(|body| body.child("DocInfo")?.child("CustomDatas"));
        let data = data.flat_map(|data| data.all("CustomData")).take(limits::METADATA_ELEMENTS);
        all.data = data.filter_map(|one| Some((bounded(one.attribute("Name")?), bounded(&one.text)))).collect();
        for body in entrance.all("DocBody") {
            let Some(list) = body.child("Signatures").filter(|list| !list.text.is_empty()) else { continue };
            let path = located(ENTRANCE, &list.text).ok_or_else(|| malformed(ENTRANCE, "Signatures"))?;
            let path = find(package, &path)?.name.clone();
            let list = small_node(package, &path)?;
            // What is named as a list and is none, or named twice, would be a file that no signature asks about.
            if list.name != "Signatures" || path == ENTRANCE || all.lists.contains(&path) {
                return Err(malformed(ENTRANCE, "Signatures"));
            }
            for signature in list.all("Signature") {
                if all.signatures.len() == limits::OFD_SIGNATURES {
                    return Err(SignaturesFault::TooMany("signatures"));
                }
                let signature = read_one(package, &path, signature)?;
                if all.signatures.iter().any(|other| other.path == signature.path) {
                    return Err(malformed(&path, "BaseLoc"));
                }
                all.signatures.push(signature);
            }
            all.lists.push(path);
        }
        Ok(all)
    }
}

fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(limits::METADATA_VALUE).collect()
}

fn read_one(package: &Package<'_>, list: &str, listed: &Node) -> Result<Signature, SignaturesFault> {
    let place = listed.attribute("BaseLoc").ok_or_else(|| malformed(list, "BaseLoc"))?;
    let path = located(list, place).ok_or_else(|| malformed(list, "BaseLoc"))?;
    let entry = find(package, &path)?;
    let path = entry.name.clone();
    let root = small_node(package, &path)?;
    let wrong = |part| malformed(&path, part);
    if root.name != "Signature" || path == ENTRANCE {
        return Err(wrong("Signature"));
    }
    let info = root.child("SignedInfo").ok_or_else(|| wrong("SignedInfo"))?;
    let references = info.child("References").ok_or_else(|| wrong("References"))?;
    let value =
        root.child("SignedValue").and_then(|value| located(&path, &value.text)).ok_or_else(|| wrong("SignedValue"))?;
    let text = |name: &str| info.child(name).map(|node| node.text.clone()).filter(|text| !text.is_empty());
    let seal = info
        .child("Seal")
        .and_then(|seal| seal.child("BaseLoc"))
        .map(|at| located(&path, &at.text).ok_or_else(|| wrong("Seal")));
    Ok(Signature {
        id: listed.attribute("ID").unwrap_or_default().to_owned(),
        kind: match listed.attribute("Type") {
            None | Some("Seal") => Kind::Seal,
            Some("Sign") => Kind::Sign,
            Some(_) => return Err(malformed(list, "Type")),
        },
        claimed_at: text("SignatureDateTime"),
        provider: info.child("Provider").and_then(|p| p.attribute("ProviderName")).unwrap_or_default().to_owned(),
        method: text("SignatureMethod"),
        check_method: references.attribute("CheckMethod").map(str::to_owned),
        references: references.all("Reference").map(|one| reference(&path, one)).collect::<Result<_, _>>()?,
        stamps: info
            .all("StampAnnot")
            .map(|one| stamp(one).ok_or_else(|| wrong("StampAnnot")))
            .collect::<Result<_, _>>()?,
        seal: seal.transpose()?,
        value,
        path: path.clone(),
    })
}

fn reference(file: &str, node: &Node) -> Result<Reference, SignaturesFault> {
    let wrong = || malformed(file, "Reference");
    let at = node.attribute("FileRef").and_then(|at| located("/", at)).ok_or_else(wrong)?;
    let digest = node.child("CheckValue").and_then(|value| STANDARD.decode(&value.text).ok()).ok_or_else(wrong)?;
    Ok(Reference { file: at, digest })
}

fn stamp(node: &Node) -> Option<Stamp> {
    let clip = match node.attribute("Clip") {
        Some(clip) => Some(numbers(clip)?),
        None => None,
    };
    Some(Stamp { page: node.attribute("PageRef")?.to_owned(), boundary: numbers(node.attribute("Boundary")?)?, clip })
}

pub(super) fn numbers(text: &str) -> Option<[f64; 4]> {
    let numbers: Option<Vec<f64>> =
        text.split_whitespace().map(|one| one.parse().ok().filter(|n: &f64| n.is_finite())).collect();
    numbers?.try_into().ok()
}

/// A path from the package's root for what `file` writes as a place (ST_Loc, GB/T 33190 §7.3): from the root with a slash in
/// front, otherwise from the file's own folder. `None` where it leads out of the package.
pub fn located(file: &str, place: &str) -> Option<String> {
    let place = place.replace('\\', "/");
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut steps: Vec<&str> =
        if place.starts_with('/') { Vec::new() } else { folder.split('/').filter(|s| !s.is_empty()).collect() };
    for step in place.split('/') {
        match step {
            "" | "." => {}
            ".." => {
                steps.pop()?;
            }
            step => steps.push(step),
        }
    }
    (!steps.is_empty()).then(|| steps.join("/"))
}

/// The file of this name; if there is none, the one whose name differs in case alone.
pub(super) fn find<'p>(package: &'p Package<'_>, path: &str) -> Result<&'p Entry, SignaturesFault> {
    package.entry_in_any_case(path).ok_or_else(|| SignaturesFault::Missing(path.to_owned()))
}

/// A list or a signature, which is short whatever it signs.
pub(super) fn small_node(package: &Package<'_>, path: &str) -> Result<Node, SignaturesFault> {
    if find(package, path)?.size > limits::OFD_SIGNATURE_BYTES {
        return Err(SignaturesFault::TooMany("bytes of a signature"));
    }
    node(package, path)
}

pub(super) fn node(package: &Package<'_>, path: &str) -> Result<Node, SignaturesFault> {
    let bytes = package.unpack(find(package, path)?)?;
    Node::read(&bytes).map_err(|fault| SignaturesFault::Xml { file: path.to_owned(), fault })
}

pub(super) fn malformed(file: &str, part: &'static str) -> SignaturesFault {
    SignaturesFault::Malformed { file: file.to_owned(), part }
}
