//! The signatures of a package (GB/T 33190 §18): which there are, what each lists, and what the list leaves open.
//!
//! A signature of OFD is a list of files with digests; the value is made over the list. So two things are asked of it: does
//! every file listed have its digest, and is every file listed that a reader would show or follow?

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::oddity::{Oddity, shown};
use super::package::{Entry, Package, PackageFault};
use super::xml::{Node, NotXml};
use crate::limits;

/// The entrance of every package.
pub const ENTRANCE: &str = "OFD.xml";

/// GB/T 33190 §5.
const NAMESPACE: &str = "http://www.ofdspec.org/2016";

/// All signatures of a package, in the order of the list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Signatures {
    /// The lists that the documents name, by their paths.
    pub lists: Vec<String>,
    pub signatures: Vec<Signature>,
    /// The documents' CustomDatas (§7.4), names and values.
    pub data: Vec<(String, String)>,
    /// About the entrance and the lists.
    pub odd: Vec<Oddity>,
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
    /// What software made it, by its own account.
    pub provider: Option<String>,
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
    /// Otherwise than the standard has it.
    pub odd: Vec<Oddity>,
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
    /// The named part of that file is not there, not readable, or there twice.
    #[error("{file}: {part} is not as GB/T 33190 has it")]
    Malformed { file: String, part: &'static str },
    /// More than is read here.
    #[error("too many {0}")]
    TooMany(&'static str),
}

impl SignaturesFault {
    /// The same in Chinese.
    pub fn zh(&self) -> String {
        match self {
            Self::Package(fault) => fault.zh(),
            Self::Xml { file, .. } => format!("“{}”不是可读的XML", shown(file)),
            Self::Missing(file) => format!("包内没有“{}”", shown(file)),
            Self::Malformed { file, part } => format!("“{}”中的{part}缺失、重复或不合GB/T 33190", shown(file)),
            Self::TooMany(_) => "数量超出允许的范围".into(),
        }
    }
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
        all.odd.extend(odd_namespace(ENTRANCE, &entrance));
        for body in entrance.all("DocBody") {
            // What a forger adds is told from what was there by nobody's rule of first or last.
            let list = only(ENTRANCE, body, "Signatures")?.filter(|list| !list.text.is_empty());
            only(ENTRANCE, body, "DocRoot")?;
            let Some(list) = list else { continue };
            let path = located(ENTRANCE, &list.text).ok_or_else(|| malformed(ENTRANCE, "Signatures"))?;
            let path = found(package, &list.text, &path, &mut all.odd)?;
            let list = small_node(package, &path)?;
            // What is named as a list and is none, or named twice, would be a file that no signature asks about.
            if list.name != "Signatures" || path == ENTRANCE || all.lists.contains(&path) {
                return Err(malformed(ENTRANCE, "Signatures"));
            }
            all.odd.extend(odd_namespace(&path, &list));
            for signature in list.all("Signature") {
                if all.signatures.len() == limits::OFD_SIGNATURES {
                    return Err(SignaturesFault::TooMany("signatures"));
                }
                let mut signature = read_one(package, &path, signature)?;
                if all.signatures.iter().any(|other| other.path == signature.path) {
                    return Err(malformed(&path, "BaseLoc"));
                }
                if signature.id.is_empty() || all.signatures.iter().any(|other| other.id == signature.id) {
                    signature.odd.push(Oddity::Number(signature.id.clone()));
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
    let mut odd = Vec::new();
    let path = found(package, place, &path, &mut odd)?;
    let root = small_node(package, &path)?;
    let wrong = |part| malformed(&path, part);
    let one = |node, part| only(&path, node, part)?.ok_or_else(|| wrong(part));
    if root.name != "Signature" || path == ENTRANCE {
        return Err(wrong("Signature"));
    }
    let info = one(&root, "SignedInfo")?;
    let references = one(info, "References")?;
    let value_place = &one(&root, "SignedValue")?.text;
    let value = located(&path, value_place).ok_or_else(|| wrong("SignedValue"))?;
    let text = |name: &'static str| -> Result<Option<String>, SignaturesFault> {
        Ok(only(&path, info, name)?.map(|node| node.text.clone()).filter(|text| !text.is_empty()))
    };
    let seal_place = match only(&path, info, "Seal")? {
        Some(seal) => only(&path, seal, "BaseLoc")?.map(|at| &at.text),
        None => None,
    };
    let seal = seal_place.map(|at| located(&path, at).ok_or_else(|| wrong("Seal"))).transpose()?;
    let provider = only(&path, info, "Provider")?.and_then(|provider| provider.attribute("ProviderName"));
    let mut signature = Signature {
        id: listed.attribute("ID").unwrap_or_default().to_owned(),
        kind: match listed.attribute("Type") {
            None | Some("Seal") => Kind::Seal,
            Some("Sign") => Kind::Sign,
            Some(_) => return Err(malformed(list, "Type")),
        },
        claimed_at: text("SignatureDateTime")?,
        provider: provider.filter(|name| !name.is_empty()).map(str::to_owned),
        method: text("SignatureMethod")?,
        check_method: references.attribute("CheckMethod").map(str::to_owned),
        references: references.all("Reference").map(|one| reference(&path, one)).collect::<Result<_, _>>()?,
        stamps: info
            .all("StampAnnot")
            .map(|one| stamp(one).ok_or_else(|| wrong("StampAnnot")))
            .collect::<Result<_, _>>()?,
        seal,
        value,
        path: path.clone(),
        odd,
    };
    signature.odd.extend(odd_namespace(&path, &root));
    signature.odd.extend(odd_order(&path, &root, info));
    let files = || references.all("Reference").filter_map(|one| one.attribute("FileRef"));
    let others = [Some(value_place), seal_place].into_iter().flatten().map(String::as_str);
    signature.odd.extend(odd_place(files().chain(others)));
    let from_root = |place: &&str| place.starts_with(['/', '\\']);
    signature.odd.extend(files().find(|place| !from_root(place)).map(|place| Oddity::NotFromRoot(place.into())));
    for file in [Some(&mut signature.value), signature.seal.as_mut()].into_iter().flatten() {
        // Whether it is there is asked by who reads it.
        if let Some(entry) = package.entry_in_any_case(file).filter(|entry| entry.name != *file) {
            signature.odd.push(Oddity::Case { written: file.clone(), found: entry.name.clone() });
            file.clone_from(&entry.name);
        }
    }
    let mut listed = HashSet::new();
    let twice = signature.references.iter().find(|one| !listed.insert(one.file.as_str()));
    signature.odd.extend(twice.map(|one| Oddity::Twice(one.file.clone())));
    let by_name = signature.check_method.as_ref().filter(|name| !name.starts_with(|c: char| c.is_ascii_digit()));
    signature.odd.extend(by_name.map(|name| Oddity::DigestByName(name.clone())));
    signature.odd.extend(signature.provider.is_none().then_some(Oddity::NoProvider));
    signature.odd.extend(signature.method.is_none().then_some(Oddity::NoMethod));
    Ok(signature)
}

/// The one child of this name, if there is any: of two, one reader would take the first and another the last.
pub(super) fn only<'n>(file: &str, node: &'n Node, name: &'static str) -> Result<Option<&'n Node>, SignaturesFault> {
    let mut all = node.children.iter().filter(|child| child.name == name);
    match (all.next(), all.next()) {
        (one, None) => Ok(one),
        (_, Some(_)) => Err(malformed(file, name)),
    }
}

pub(super) fn odd_namespace(file: &str, root: &Node) -> Option<Oddity> {
    let found = root.namespace.as_deref().unwrap_or_default();
    (found != NAMESPACE).then(|| Oddity::Namespace { file: file.to_owned(), found: found.to_owned() })
}

fn odd_place<'p>(places: impl IntoIterator<Item = &'p str>) -> Option<Oddity> {
    let odd = |place: &&str| place.contains('\\') || place.contains("//");
    places.into_iter().find(odd).map(|place| Oddity::Place(place.to_owned()))
}

/// The order of the schema (GB/T 33190 §18.2.1).
fn odd_order(file: &str, root: &Node, info: &Node) -> Option<Oddity> {
    const WHOLE: [&str; 2] = ["SignedInfo", "SignedValue"];
    const INFO: [&str; 6] = ["Provider", "SignatureMethod", "SignatureDateTime", "References", "StampAnnot", "Seal"];
    let in_order = |node: &Node, names: &[&str]| {
        let places = node.children.iter().filter_map(|child| names.iter().position(|name| *name == child.name));
        places.is_sorted()
    };
    (!in_order(root, &WHOLE) || !in_order(info, &INFO)).then(|| Oddity::Order(file.to_owned()))
}

/// The file at this path, by the name that it has in the package.
fn found(package: &Package<'_>, place: &str, path: &str, odd: &mut Vec<Oddity>) -> Result<String, SignaturesFault> {
    let name = find(package, path)?.name.clone();
    odd.extend(odd_place([place]));
    if name != path {
        odd.push(Oddity::Case { written: path.to_owned(), found: name.clone() });
    }
    Ok(name)
}

fn reference(file: &str, node: &Node) -> Result<Reference, SignaturesFault> {
    let wrong = || malformed(file, "Reference");
    let at = node.attribute("FileRef").and_then(|at| located("/", at)).ok_or_else(wrong)?;
    let digest = only(file, node, "CheckValue")?.and_then(|value| STANDARD.decode(&value.text).ok());
    let digest = digest.ok_or_else(wrong)?;
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
