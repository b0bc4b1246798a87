//! What a package shows (GB/T 33190 §7.5 to §7.7): the first document's pages, its page templates, and where its resources are
//! told.

use super::package::Package;
use super::signatures::{ENTRANCE, SignaturesFault, find, located, malformed, node, numbers};
use super::xml::Node;
use crate::limits;

/// The first document of a package, as its root has it.
#[derive(Debug, Clone)]
pub struct Document {
    /// Path of the root, `Doc_0/Document.xml`.
    pub path: String,
    pub pages: Vec<Page>,
    /// Identifiers and paths of page templates.
    pub templates: Vec<(String, String)>,
    /// Paths of the files that tell of fonts, pictures and other resources.
    pub resources: Vec<String>,
    /// Path of the list of annotations, where there is one.
    pub annotations: Option<String>,
    /// Path of the list of its signatures, where there is one.
    pub signatures: Option<String>,
    /// How many more documents are in the package.
    pub others: usize,
    /// Left, top, width, height of a page that does not say its own, millimetres.
    usual: [f64; 4],
}

/// A page, by its place in the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub id: String,
    pub path: String,
}

impl Document {
    /// Reads the root.
    ///
    /// # Errors
    /// [`SignaturesFault`]: no root, or not as it must be.
    pub fn read(package: &Package<'_>) -> Result<Self, SignaturesFault> {
        let entrance = node(package, ENTRANCE)?;
        let body = entrance.child("DocBody").ok_or_else(|| malformed(ENTRANCE, "DocBody"))?;
        let place = body.child("DocRoot").ok_or_else(|| malformed(ENTRANCE, "DocRoot"))?;
        let path = located(ENTRANCE, &place.text).ok_or_else(|| malformed(ENTRANCE, "DocRoot"))?;
        let root = node(package, &path)?;
        let common = root.child("CommonData").ok_or_else(|| malformed(&path, "CommonData"))?;
        let place = |part: &'static str, place: Option<&str>| {
            place.and_then(|place| located(&path, place)).ok_or_else(|| malformed(&path, part))
        };
        let listed = root.child("Pages").ok_or_else(|| malformed(&path, "Pages"))?;
        let mut pages = Vec::new();
        for page in listed.all("Page") {
            if pages.len() == limits::OFD_PAGES {
                return Err(SignaturesFault::TooMany("pages"));
            }
            let id = page.attribute("ID").ok_or_else(|| malformed(&path, "Page"))?.to_owned();
            pages.push(Page { id, path: place("Page", page.attribute("BaseLoc"))? });
        }
        let template = |one: &Node| {
            let id = one.attribute("ID").ok_or_else(|| malformed(&path, "TemplatePage"))?.to_owned();
            Ok((id, place("TemplatePage", one.attribute("BaseLoc"))?))
        };
        let resources = common.all("PublicRes").chain(common.all("DocumentRes"));
        // A4 where nothing is said.
        let usual = common.child("PageArea").and_then(physical_box).unwrap_or([0.0, 0.0, 210.0, 297.0]);
        Ok(Self {
            pages,
            templates: common.all("TemplatePage").map(template).collect::<Result<_, SignaturesFault>>()?,
            resources: resources.map(|one| place("PublicRes", Some(&one.text))).collect::<Result<_, _>>()?,
            annotations: root.child("Annotations").and_then(|list| located(&path, &list.text)),
            signatures: body.child("Signatures").and_then(|list| located(ENTRANCE, &list.text)),
            others: entrance.all("DocBody").skip(1).count(),
            usual,
            path,
        })
    }

    /// A page's own file.
    ///
    /// # Errors
    /// [`SignaturesFault`].
    pub fn content(&self, package: &Package<'_>, page: &Page) -> Result<Node, SignaturesFault> {
        node(package, &page.path)
    }

    /// The paper of a page by the head of its file alone: the schema has what a page says of itself before what stands on it (§7.7).
    ///
    /// # Errors
    /// [`SignaturesFault`].
    pub fn paper_of(&self, package: &Package<'_>, page: &Page) -> Result<[f64; 4], SignaturesFault> {
        let bytes = package.unpack(find(package, &page.path)?)?;
        let head = Node::read_before(&bytes, Some("Content"));
        let head = head.map_err(|fault| SignaturesFault::Xml { file: page.path.clone(), fault })?;
        Ok(self.paper(&head))
    }

    /// Left, top, width and height of the paper, millimetres: what a page says of itself, or the document of all.
    pub fn paper(&self, content: &Node) -> [f64; 4] {
        content.child("Area").and_then(physical_box).unwrap_or(self.usual)
    }
}

fn physical_box(area: &Node) -> Option<[f64; 4]> {
    numbers(&area.child("PhysicalBox")?.text).filter(|[_, _, width, height]| *width > 0.0 && *height > 0.0)
}
