//! Pages of a package as SVG, for a look beside the verdict: templates, the page's own layers, annotations, and the seals where
//! their signatures put them (GB/T 33190 §7.7, §8 to §11, §18).
//!
//! A picture of a document proves nothing about it. What is not drawn here is said, never passed over; objects are not clipped to
//! their boundaries, as many writers give none that fit.

mod object;
mod outline;
mod paint;
mod resources;
mod seals;
mod text;

use std::fmt::Write;

use self::resources::Resources;
use super::document::{Document, Page};
use super::package::Package;
use super::signatures::{Signatures, SignaturesFault, located, node};
use super::xml::Node;
use crate::limits;
use crate::message::Message;

/// What a package looks like.
#[derive(Debug, Clone, Default)]
pub struct Drawing {
    /// As many as were asked for and fit: those that carry seals first, then the others, each kind in the document's order.
    pub pages: Vec<Sheet>,
    /// How many pages there are.
    pub of: usize,
    /// What is not drawn, or not as it would look elsewhere; each thing once.
    pub left_out: Vec<Message>,
}

/// A page.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// Its place in the document, from 1.
    pub number: usize,
    /// Whose seals stand on it: places in the list of signatures, from 1.
    pub seals: Vec<usize>,
    /// A whole SVG document in millimetres, without scripts and without anything fetched.
    pub svg: String,
    pub width_mm: f64,
    pub height_mm: f64,
}

/// Draws up to `most` pages.
///
/// # Errors
/// [`SignaturesFault`]: no package, or one without pages that can be found.
pub fn draw(bytes: &[u8], most: usize) -> Result<Drawing, SignaturesFault> {
    let package = Package::open(bytes)?;
    let document = Document::read(&package)?;
    let seals = seals::of(&package, &document, &Signatures::read(&package).unwrap_or_default());
    let mut pen = Pen::new(&package, 0);
    if document.others > 0 {
        let (zh, en) =
            ("文件中另有其他文档，只画出第一个", "there are other documents in the file; only the first is drawn");
        pen.omit("ofd.documents", zh, en);
    }
    let mut drawing = Drawing { of: document.pages.len(), ..Drawing::default() };
    let on = |page: &Page| seals.iter().filter(|seal| seal.page == page.id).collect::<Vec<_>>();
    let mut pages: Vec<_> = (1..).zip(&document.pages).map(|(number, page)| (number, page, on(page))).collect();
    pages.sort_by_key(|(.., seals)| seals.is_empty());
    let mut room = limits::PREVIEW_DRAWING_BYTES;
    for (number, page, stamped) in pages.into_iter().take(most) {
        pen.begin(room);
        match pen.page(&document, page) {
            Ok(paper) => {
                stamped.iter().for_each(|seal| pen.seal(seal));
                let svg = pen.sheet(paper);
                room = room.saturating_sub(svg.len());
                let mut seals: Vec<usize> = stamped.iter().map(|seal| seal.signature).collect();
                seals.dedup();
                let [.., width_mm, height_mm] = paper;
                drawing.pages.push(Sheet { number, seals, svg, width_mm, height_mm });
            }
            Err(fault) => {
                let (zh, en) =
                    (format!("第{number}页无法读取：{fault}"), format!("page {number} cannot be read: {fault}"));
                pen.omit("ofd.page", &zh, &en);
            }
        }
    }
    drawing.left_out = pen.left_out;
    Ok(drawing)
}

/// How deep compound objects lie in each other.
const DEPTH: usize = 8;

/// One page in the making.
struct Pen<'p, 'a> {
    package: &'p Package<'a>,
    resources: Resources,
    /// Outlines that the page uses, by face and glyph.
    outlines: std::collections::BTreeMap<(usize, u16), String>,
    svg: String,
    /// Clips, of which each has its own name in the page.
    clips: usize,
    room: usize,
    /// Objects that may still be drawn: compound ones hold each other many times over, and say little each time.
    objects: usize,
    /// 0 for a page; for a seal's picture in it the number that its names begin with.
    inside: usize,
    left_out: Vec<Message>,
}

impl<'p, 'a> Pen<'p, 'a> {
    fn new(package: &'p Package<'a>, inside: usize) -> Self {
        Self {
            package,
            resources: Resources::default(),
            outlines: Default::default(),
            svg: String::new(),
            clips: 0,
            room: 0,
            objects: limits::PREVIEW_OBJECTS,
            inside,
            left_out: Vec::new(),
        }
    }

    fn begin(&mut self, room: usize) {
        self.svg.clear();
        self.outlines.clear();
        self.room = room;
    }

    /// Says once what is not drawn.
    fn omit(&mut self, id: &'static str, zh: &str, en: &str) {
        let message = Message::new(id, plain(zh), plain(en));
        if self.left_out.len() < limits::PREVIEW_OMISSIONS && !self.left_out.contains(&message) {
            self.left_out.push(message);
        }
    }

    /// False where the page has grown too large; said once.
    fn has_room(&mut self) -> bool {
        let enough = self.svg.len() < self.room && self.objects > 0;
        self.objects = self.objects.saturating_sub(1);
        if !enough {
            self.too_much();
        }
        enough
    }

    fn too_much(&mut self) {
        self.omit("ofd.large", "内容过多，有的未画出", "there is too much on the pages: some of it is not drawn");
    }

    /// Everything of a page but the seals; gives its paper.
    fn page(&mut self, document: &Document, page: &Page) -> Result<[f64; 4], SignaturesFault> {
        let content = document.content(self.package, page)?;
        let mut files = document.resources.clone();
        files.extend(content.all("PageRes").filter_map(|one| located(&page.path, &one.text)));
        let mut templates = Vec::new();
        for used in content.all("Template") {
            let named = document.templates.iter().find(|(id, _)| Some(id.as_str()) == used.attribute("TemplateID"));
            let Some((_, path)) = named else {
                self.omit("ofd.template", "缺少一个页面模板", "a page template is missing");
                continue;
            };
            let template = node(self.package, path)?;
            files.extend(template.all("PageRes").filter_map(|one| located(path, &one.text)));
            templates.push((used.attribute("ZOrder") == Some("Foreground"), template));
        }
        for file in files {
            if let Err(fault) = self.resources.read(self.package, &file) {
                let (zh, en) = (format!("资源无法读取：{fault}"), format!("resources cannot be read: {fault}"));
                self.omit("ofd.resources", &zh, &en);
            }
        }
        for (_, template) in templates.iter().filter(|(above, _)| !above) {
            self.layers(template);
        }
        self.layers(&content);
        for (_, template) in templates.iter().filter(|(above, _)| *above) {
            self.layers(template);
        }
        self.annotations(document, page)?;
        Ok(document.paper(&content))
    }

    /// Background, body, foreground (§7.8), each in the order of the file.
    fn layers(&mut self, page: &Node) {
        let Some(content) = page.child("Content") else { return };
        let order = |layer: &&Node| match layer.attribute("Type") {
            Some("Background") => 0,
            Some("Foreground") => 2,
            _ => 1,
        };
        let mut layers: Vec<&Node> = content.all("Layer").collect();
        layers.sort_by_key(order);
        for layer in layers {
            self.objects(layer, layer.attribute("DrawParam"), 0);
        }
    }

    /// What was put over the page later (§15).
    fn annotations(&mut self, document: &Document, page: &Page) -> Result<(), SignaturesFault> {
        let Some(list) = &document.annotations else { return Ok(()) };
        if self.package.entry_in_any_case(list).is_none() {
            self.omit("ofd.annotations", "缺少批注列表", "the list of annotations is missing");
            return Ok(());
        }
        let all = node(self.package, list)?;
        for one in all.all("Page").filter(|one| one.attribute("PageID") == Some(page.id.as_str())) {
            let Some(file) = one.child("FileLoc").and_then(|file| located(list, &file.text)) else { continue };
            for annotation in node(self.package, &file)?.all("Annot") {
                if annotation.attribute("Visible") == Some("false") {
                    continue;
                }
                let Some(looks) = annotation.child("Appearance") else { continue };
                let [x, y, ..] = object::boundary(looks);
                _ = write!(self.svg, "<g transform=\"translate({x} {y})\">");
                self.objects(looks, None, 0);
                self.svg.push_str("</g>");
            }
        }
        Ok(())
    }

    /// The page as a file.
    fn sheet(&mut self, [x, y, width, height]: [f64; 4]) -> String {
        let body = std::mem::take(&mut self.svg);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}mm\" height=\"{height}mm\" viewBox=\"{x} {y} {width} {height}\">\
             <defs>{}</defs><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>{body}</svg>",
            self.definitions()
        )
    }

    fn definitions(&mut self) -> String {
        let inside = self.inside;
        let one = |((face, glyph), path): ((usize, u16), String)| {
            format!("<path id=\"d{inside}f{face}g{glyph}\" d=\"{path}\"/>")
        };
        std::mem::take(&mut self.outlines).into_iter().map(one).collect()
    }
}

/// What is said, of which a stranger's file wrote a part: no longer than a line or two, and with nothing that turns the
/// direction of the words around it (Unicode, UAX #9 §2).
fn plain(said: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{061C}' | '\u{200E}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    said.chars().filter(|c| !c.is_control() && !turns(*c)).take(limits::PREVIEW_OMISSION_LETTERS).collect()
}

#[cfg(test)]
mod tests;
