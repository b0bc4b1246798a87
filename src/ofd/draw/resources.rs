//! What pages name by identifiers: faces, pictures, drawing parameters, compound objects (GB/T 33190 §7.9).

use std::collections::HashMap;
use std::rc::Rc;

use crate::ofd::package::Package;
use crate::ofd::signatures::{SignaturesFault, located, node};
use crate::ofd::xml::Node;

#[derive(Default)]
pub(super) struct Resources {
    read: Vec<String>,
    faces: Vec<Face>,
    /// Identifier → place in `faces`.
    by_id: HashMap<String, usize>,
    /// Identifier → path.
    pictures: HashMap<String, String>,
    parameters: HashMap<String, Node>,
    /// Shared, as one may stand on a page many times.
    compounds: HashMap<String, Rc<Node>>,
}

pub(super) struct Face {
    pub(super) name: String,
    /// The embedded file, where there is one that could be read.
    pub(super) file: Option<Vec<u8>>,
}

impl Resources {
    /// Adds what a file tells, once.
    pub(super) fn read(&mut self, package: &Package<'_>, path: &str) -> Result<(), SignaturesFault> {
        if self.read.iter().any(|known| known == path) {
            return Ok(());
        }
        self.read.push(path.to_owned());
        let root = node(package, path)?;
        // Files lie in a folder that is named beside.
        let base = match root.attribute("BaseLoc") {
            Some(base) => format!("{}/", located(path, base).unwrap_or_default()),
            None => path.to_owned(),
        };
        for font in root.all("Fonts").flat_map(|fonts| fonts.all("Font")) {
            let Some(id) = font.attribute("ID") else { continue };
            let file = font.child("FontFile").and_then(|file| located(&base, &file.text));
            let file = file.and_then(|file| package.unpack(package.entry_in_any_case(&file)?).ok());
            let name = font.attribute("FamilyName").or(font.attribute("FontName")).unwrap_or_default().to_owned();
            self.by_id.insert(id.to_owned(), self.faces.len());
            self.faces.push(Face { name, file });
        }
        for media in root.all("MultiMedias").flat_map(|all| all.all("MultiMedia")) {
            let path = media.child("MediaFile").and_then(|file| located(&base, &file.text));
            self.pictures.extend(media.attribute("ID").map(str::to_owned).zip(path));
        }
        let named = |node: &Node| Some((node.attribute("ID")?.to_owned(), node.clone()));
        let parameters = root.all("DrawParams").flat_map(|all| all.all("DrawParam"));
        self.parameters.extend(parameters.filter_map(named));
        let compounds = root.all("CompositeGraphicUnits").flat_map(|all| all.all("CompositeGraphicUnit"));
        self.compounds.extend(compounds.filter_map(named).map(|(id, unit)| (id, Rc::new(unit))));
        Ok(())
    }

    pub(super) fn face(&self, id: &str) -> Option<(usize, &Face)> {
        let place = *self.by_id.get(id)?;
        Some((place, self.faces.get(place)?))
    }

    pub(super) fn picture(&self, id: &str) -> Option<&str> {
        self.pictures.get(id).map(String::as_str)
    }

    pub(super) fn parameters(&self, id: &str) -> Option<&Node> {
        self.parameters.get(id)
    }

    pub(super) fn compound(&self, id: &str) -> Option<Rc<Node>> {
        self.compounds.get(id).cloned()
    }
}
