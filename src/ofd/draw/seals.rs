//! Seals on the pages: the picture inside the signature's value, where its list of stamps puts it, and only the part that a
//! straddle seal shows there (GB/T 33190 §18.2.4).

use std::fmt::Write;

use super::{Pen, object};
use crate::ofd::document::Document;
use crate::ofd::package::Package;
use crate::ofd::signatures::{Signatures, Stamp, find, located, node};
use crate::ses::{self, Seal};

pub(super) struct Stamped {
    pub(super) page: String,
    /// Place of the signature in the list, from 1.
    pub(super) signature: usize,
    stamp: Stamp,
    picture: Vec<u8>,
}

/// All stamps of this document's signatures, with their pictures; those of another document in the package name its pages.
pub(super) fn of(package: &Package<'_>, document: &Document, signatures: &Signatures) -> Vec<Stamped> {
    let bytes = |path: &str| package.unpack(package.entry_in_any_case(path)?).ok();
    let list = document.signatures.as_deref().and_then(|list| Some((list, node(package, list).ok()?)));
    let own = list.iter().flat_map(|(at, list)| list.all("Signature").map(|one| (*at, one)));
    let own = own.filter_map(|(at, one)| find(package, &located(at, one.attribute("BaseLoc")?)?).ok());
    let own: Vec<&str> = own.map(|entry| entry.name.as_str()).collect();
    let mut all = Vec::new();
    for (number, signature) in (1..).zip(&signatures.signatures) {
        if !own.contains(&signature.path.as_str()) {
            continue;
        }
        let inside = bytes(&signature.value).and_then(|value| ses::read_signature(&value).ok()).map(|used| used.seal);
        let beside = || signature.seal.as_deref().and_then(bytes).and_then(|seal| ses::read_seal(&seal).ok());
        let seal: Option<Seal> = inside.or_else(beside);
        let picture = seal.map(|seal| seal.picture.data).unwrap_or_default();
        all.extend(signature.stamps.iter().map(|stamp| Stamped {
            page: stamp.page.clone(),
            signature: number,
            stamp: stamp.clone(),
            picture: picture.clone(),
        }));
    }
    all
}

impl Pen<'_, '_> {
    pub(super) fn seal(&mut self, stamped: &Stamped) {
        let [x, y, width, height] = stamped.stamp.boundary;
        let [left, top, wide, high] = stamped.stamp.clip.unwrap_or([0.0, 0.0, width, height]);
        let shown = [width, height, wide, high].iter().all(|length| *length > 0.0);
        let drawn = match object::data_url(&stamped.picture) {
            Some(href) => Some(format!(
                "<image width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"none\" href=\"{href}\"/>"
            )),
            None => self.picture_page(&stamped.picture, width, height),
        };
        let Some(drawn) = drawn.filter(|drawn| shown && self.svg.len() + drawn.len() < self.room) else {
            self.omit("ofd.seal", "有的印章图片无法画出", "the pictures of some seals are not drawn");
            return;
        };
        // A seal lets the text under it be read.
        _ = write!(
            self.svg,
            "<svg x=\"{}\" y=\"{}\" width=\"{wide}\" height=\"{high}\" viewBox=\"{left} {top} {wide} {high}\" \
             style=\"mix-blend-mode:multiply\">{drawn}</svg>",
            x + left,
            y + top
        );
    }

    /// The picture's form `ofd`: a package of one page, which has no seals itself.
    fn picture_page(&mut self, bytes: &[u8], width: f64, height: f64) -> Option<String> {
        if self.inside > 0 {
            return None;
        }
        let package = Package::open(bytes).ok()?;
        let document = Document::read(&package).ok()?;
        // Names inside it begin with a number of its own.
        self.clips += 1;
        let mut pen = Pen::new(&package, self.clips);
        pen.begin(self.room);
        let [x, y, wide, high] = pen.page(&document, document.pages.first()?).ok()?;
        let (body, outlines) = (std::mem::take(&mut pen.svg), pen.definitions());
        let said = std::mem::take(&mut pen.left_out);
        said.iter().for_each(|one| self.omit(one.id, &one.zh, &one.en));
        Some(format!(
            "<svg width=\"{width}\" height=\"{height}\" viewBox=\"{x} {y} {wide} {high}\" preserveAspectRatio=\"none\">\
             <defs>{outlines}</defs>{body}</svg>"
        ))
    }
}
