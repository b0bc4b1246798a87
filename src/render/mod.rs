//! Renders an official document: template + data → pages → PDF/A-3b (ISO 19005-3) or OFD (GB/T 33190), its data attached.
//!
//! The story of one document: the data is checked against the template's JSON Schema and the fonts' coverage, laid out
//! by Typst, and exported with every font embedded. One template feeds both formats. The same input gives the same bytes. The template marks, with a
//! label, where the seal is to stand; this room draws no seal: the impression is the signature's own appearance.
//!
//! Not checked here: whether the data is true. That was the rules' work.

mod face;
mod form;
mod ofd;
mod paper;
mod picture;
mod template;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use time::{OffsetDateTime, UtcOffset};
use typst::foundations::{Datetime, Label, Smart};
use typst::layout::Abs;
use typst::text::{FontInstance, FontVariations};
use typst::utils::PicoStr;
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards, Timestamp};

use crate::impression::Place;
use crate::licence::annotation::Annotation;
use crate::licence::metadata::Metadata;
use crate::limits::{RENDER_DATA_BYTES, RENDER_PAGES};
use crate::message::{Message, china_time};

pub use form::Fault;
pub use picture::{PictureError, read_png, read_svg};
pub use template::{Template, TemplateVersion};

/// Where the faces lie on a Debian with the package `fonts-noto-cjk`.
pub const DEBIAN_FONTS: &str = "/usr/share/fonts/opentype/noto";

/// The face seals are cut in: simplified Song, bold (国发〔1999〕25号).
const SEAL_FAMILY: &str = "Noto Serif CJK SC";

/// What the render room reads once, at start.
#[derive(Debug, Clone)]
pub struct RenderSettings {
    /// Folder with one folder a template, and `shared/`.
    pub templates: PathBuf,
    /// Font files, or folders of them; [`DEBIAN_FONTS`] usually.
    pub fonts: Vec<PathBuf>,
}

/// Templates, schemas and fonts, read once; may be used from many threads at a time.
pub struct Renderer {
    paper: paper::Shelf,
    templates: Vec<Template>,
    seal_face: FontInstance,
    standards: PdfStandards,
    running: AtomicUsize,
}

/// A document laid out and exported, not yet sealed.
#[derive(Debug, Clone)]
pub struct Draft {
    /// PDF/A-3b, ending in a line end, so an incremental update may follow at once.
    pub pdf: Vec<u8>,
    pub pages: u32,
    pub seal_place: SealPlace,
    pub template: TemplateVersion,
}

/// A document laid out and written as OFD, not yet sealed.
#[derive(Debug, Clone)]
pub struct OfdDraft {
    /// A package without signatures.
    pub ofd: Vec<u8>,
    pub pages: u32,
    pub seal_place: SealPlace,
    pub template: TemplateVersion,
}

/// Where the middle of the seal goes, over the date it is to cover (骑年盖月).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SealPlace {
    /// From 1.
    pub page: u32,
    /// From the page's top left corner, y down, mm.
    pub centre_mm: (f64, f64),
}

impl SealPlace {
    /// The same as formats take it.
    pub fn on(&self) -> Place {
        Place::On { page: self.page.saturating_sub(1), centre_mm: self.centre_mm }
    }
}

impl Renderer {
    /// Reads fonts, templates and schemas.
    ///
    /// # Errors
    /// [`RenderError`] names the file, or the font family that is wanted and not there.
    pub fn load(settings: &RenderSettings) -> Result<Self, RenderError> {
        let (templates, files) = template::read_all(&settings.templates)?;
        let wanted = templates.iter().flat_map(|t| t.fonts()).chain([SEAL_FAMILY]);
        let fonts = paper::read_fonts(&settings.fonts, wanted.collect())?;
        let bold = fonts.iter().filter(|f| f.info().family == SEAL_FAMILY).max_by_key(|f| f.info().variant.weight);
        let bold = bold.cloned().ok_or_else(|| paper::missing(SEAL_FAMILY, &settings.fonts))?;
        let weight = bold.info().variant;
        let seal_face = bold.instantiate(weight, Abs::pt(12.0), &FontVariations::default());
        let standards = PdfStandards::new(&[PdfStandard::A_3b])
            .map_err(|e| RenderError::Export { detail: e.message().to_string() })?;
        Ok(Self { paper: paper::Shelf::new(fonts, files), templates, seal_face, standards, running: 0.into() })
    }

    /// The template with this name.
    pub fn template(&self, name: &str) -> Option<&Template> {
        self.templates.iter().find(|t| t.name() == name)
    }

    /// All templates, by name.
    pub fn templates(&self) -> &[Template] {
        &self.templates
    }

    /// What a document of this template and data says of itself (GB/T 36903); nothing for a template that is not there.
    pub fn metadata(&self, template: &str, data: &serde_json::Value) -> Metadata {
        self.template(template).map(|template| metadata(template, data, None)).unwrap_or_default()
    }

    /// The face for [`crate::impression::Impression::draw`].
    pub fn serif_face(&self) -> &ttf_parser::Face<'_> {
        self.seal_face.ttf()
    }

    /// Renders one document. Blocks for some milliseconds of one core.
    ///
    /// `ident` names the document (its PDF file identifier is derived from it); `at` is the instant written into its
    /// metadata. Both fixed, the bytes are fixed.
    ///
    /// # Errors
    /// [`RenderError`]: the data breaks the schema, a character has no glyph, or the template itself is at fault.
    pub fn render(
        &self,
        template: &str,
        data: &serde_json::Value,
        ident: &str,
        at: OffsetDateTime,
    ) -> Result<Draft, RenderError> {
        self.pdf((template, data, None), ident, at)
    }

    /// The same as an annotated copy (加注件): the annotation stands over every page, and in the file's metadata.
    ///
    /// # Errors
    /// As [`Renderer::render`].
    pub fn render_copy(
        &self,
        (template, data): (&str, &serde_json::Value),
        annotation: &Annotation,
        ident: &str,
        at: OffsetDateTime,
    ) -> Result<Draft, RenderError> {
        self.pdf((template, data, Some(annotation)), ident, at)
    }

    fn pdf(&self, sheet: Sheet<'_>, ident: &str, at: OffsetDateTime) -> Result<Draft, RenderError> {
        self.laid_out(sheet, |desk, document, (pages, seal_place, template), _| {
            let options = PdfOptions {
                ident: Smart::Custom(ident.to_owned()),
                creator: Smart::Custom(Some("yinxin".into())),
                timestamp: timestamp(at),
                standards: self.standards.clone(),
                tagged: false,
                ..PdfOptions::default()
            };
            let mut pdf = typst_pdf::pdf(document, &options).map_err(|faults| desk.explain(&faults))?;
            // ISO 19005-3 §6.1.3 allows one end of line after the last %%EOF; an update appended without it would break it.
            pdf.push(b'\n');
            Ok(Draft { pdf, pages, seal_place, template: template.version().clone() })
        })
    }

    /// Renders the same document as OFD: the same pages, data and identifier. Arguments as for [`Renderer::render`];
    /// the date is written as China's.
    ///
    /// # Errors
    /// [`RenderError`], also where a template draws what OFD objects are not written for here.
    pub fn render_ofd(
        &self,
        template: &str,
        data: &serde_json::Value,
        ident: &str,
        at: OffsetDateTime,
    ) -> Result<OfdDraft, RenderError> {
        self.ofd((template, data, None), ident, at)
    }

    /// The same as an annotated copy.
    ///
    /// # Errors
    /// As [`Renderer::render_ofd`].
    pub fn render_ofd_copy(
        &self,
        (template, data): (&str, &serde_json::Value),
        annotation: &Annotation,
        ident: &str,
        at: OffsetDateTime,
    ) -> Result<OfdDraft, RenderError> {
        self.ofd((template, data, Some(annotation)), ident, at)
    }

    fn ofd(&self, sheet: Sheet<'_>, ident: &str, at: OffsetDateTime) -> Result<OfdDraft, RenderError> {
        let mut id = [0; 16];
        id.iter_mut().zip(crate::crypto::sha256(ident.as_bytes())).for_each(|(id, octet)| *id = octet);
        let made_on = at.to_offset(UtcOffset::from_hms(8, 0, 0).unwrap_or(UtcOffset::UTC)).date();
        self.laid_out(sheet, |_, document, (pages, seal_place, template), metadata| {
            let ofd = ofd::package(document, metadata, sheet.1.to_string(), (id, made_on))?;
            Ok(OfdDraft { ofd, pages, seal_place, template: template.version().clone() })
        })
    }

    /// Checks the data, lays it out, and has the pages written.
    fn laid_out<D>(
        &self,
        (template, data, annotation): Sheet<'_>,
        write: impl FnOnce(
            &paper::Desk<'_>,
            &PagedDocument,
            (u32, SealPlace, &Template),
            &Metadata,
        ) -> Result<D, RenderError>,
    ) -> Result<D, RenderError> {
        let template = self.template(template).ok_or_else(|| RenderError::Unknown { name: template.into() })?;
        let json = data.to_string();
        if json.len() > RENDER_DATA_BYTES {
            return Err(RenderError::TooLarge { what: "数据/data", has: json.len(), most: RENDER_DATA_BYTES });
        }
        template.form().check(data)?;
        self.paper.check_characters(template, data)?;
        let noted = annotation.map(printed);
        if let Some(noted) = &noted {
            self.paper.check_characters(template, noted)?;
        }
        let metadata = metadata(template, data, annotation);

        let running = self.running.fetch_add(1, Ordering::Relaxed) + 1;
        let drawn = self.paper.desk(template, data, json, (noted.as_ref(), &metadata)).and_then(|desk| {
            let (document, pages, seal_place) = compose(&desk, template)?;
            write(&desk, &document, (pages, seal_place, template), &metadata)
        });
        // Typst remembers what it laid out. Forgetting what the last document did not use keeps memory flat (0.45 MB
        // a document otherwise); each thread at work forgets once a document, so an entry may live that much longer.
        comemo::evict(running);
        self.running.fetch_sub(1, Ordering::Relaxed);
        drawn
    }
}

/// Template, data, and what is noted on a copy.
type Sheet<'a> = (&'a str, &'a serde_json::Value, Option<&'a Annotation>);

/// What the file says of itself (GB/T 36903): what the schema marks with `x-element`, what follows from it, and the annotation.
fn metadata(template: &Template, data: &serde_json::Value, annotation: Option<&Annotation>) -> Metadata {
    let properties = template.schema().get("properties").and_then(serde_json::Value::as_object);
    let marked = properties.into_iter().flatten().filter_map(|(name, field)| {
        let element = field.get("x-element")?.as_str()?;
        Some((element.to_owned(), data.get(name)?.as_str()?.to_owned()))
    });
    let metadata = Metadata::written(marked.collect(), template.title_zh());
    match annotation {
        Some(annotation) => metadata.with(annotation.elements()),
        None => metadata,
    }
}

/// An annotation as the pages show it.
fn printed(annotation: &Annotation) -> serde_json::Value {
    let Annotation { number, purpose, requester, maker, made_at, expires_at, .. } = annotation;
    serde_json::json!({
        "number": number, "purpose": purpose, "requester": requester, "maker": maker,
        "made_at": china_time(*made_at), "expires_at": china_time(*expires_at),
    })
}

/// The pages, how many they are, and where the seal goes.
fn compose(desk: &paper::Desk<'_>, template: &Template) -> Result<(PagedDocument, u32, SealPlace), RenderError> {
    let document = typst::compile::<PagedDocument>(desk).output.map_err(|faults| desk.explain(&faults))?;
    let pages = document.pages().len();
    if pages > RENDER_PAGES {
        return Err(RenderError::TooLarge { what: "页数/pages", has: pages, most: RENDER_PAGES });
    }
    let seal_place = seal_place(&document)
        .ok_or_else(|| RenderError::Template { name: template.name().into(), detail: "no <seal> mark".into() })?;
    Ok((document, pages as u32, seal_place))
}

/// Finds the label `<seal>`, which every template sets at the middle of the seal's place.
fn seal_place(document: &PagedDocument) -> Option<SealPlace> {
    let label = Label::new(PicoStr::intern("seal"))?;
    let introspector = document.introspector();
    let mark = introspector.elements().query_label(label).ok()?;
    let position = introspector.position(mark.location()?)?;
    let page = u32::try_from(position.page.get()).ok()?;
    Some(SealPlace { page, centre_mm: (position.point.x.to_mm(), position.point.y.to_mm()) })
}

fn timestamp(at: OffsetDateTime) -> Option<Timestamp> {
    let at = at.to_offset(time::UtcOffset::UTC);
    let (date, clock) = (at.date(), at.time());
    let written = Datetime::from_ymd_hms(
        date.year(),
        date.month().into(),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second(),
    )?;
    Some(Timestamp::new_utc(written))
}

/// Why a document was not rendered.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", self.message())]
pub enum RenderError {
    /// No template has this name.
    Unknown { name: String },
    /// The data breaks the template's schema; at least one fault.
    Data { faults: Vec<Fault> },
    /// No face of the template has this character (or it is a control or direction character, which none may draw).
    Character { character: char, field: Option<String> },
    /// More than the limit allows.
    TooLarge { what: &'static str, has: usize, most: usize },
    /// The template itself is at fault: what Typst says, with file and line.
    Template { name: String, detail: String },
    /// The pages could not be written as PDF/A-3b.
    Export { detail: String },
    /// A font family that a template or the seals need is in none of the places looked at.
    Font { family: String, looked_in: String },
    /// A file or folder could not be read, or does not say what it should.
    File { path: PathBuf, detail: String },
}

impl RenderError {
    /// What was wrong and what to do next.
    pub fn message(&self) -> Message {
        match self {
            Self::Unknown { name } => Message::new(
                "render.unknown-template",
                format!("没有名为“{name}”的模板；请核对模板目录"),
                format!("there is no template \"{name}\"; look into the templates folder"),
            ),
            Self::Data { faults } => {
                let list = |say: fn(&Fault) -> &str| faults.iter().take(5).map(say).collect::<Vec<_>>();
                let (zh, en) = (list(|f| &f.zh).join("；"), list(|f| &f.en).join("; "));
                Message::new(
                    "render.data",
                    format!("证照数据不合模板要求：{zh}"),
                    format!("the data breaks the template's schema: {en}"),
                )
            }
            Self::Character { character, field } => {
                let code = u32::from(*character);
                let shown = if character.is_control() { '\u{FFFD}' } else { *character };
                let (zh, en) = match field {
                    Some(field) => (format!("字段“{field}”中的"), format!(" in field \"{field}\"")),
                    None => Default::default(),
                };
                Message::new(
                    "render.missing-glyph",
                    format!(
                        "{zh}字符“{shown}”（U+{code:04X}）无法印出：模板字体中没有该字；请改用规范汉字，或为模板换用收录该字的字体"
                    ),
                    format!(
                        "character '{shown}' (U+{code:04X}){en} cannot be printed: no font of the template has it; correct the text or give the template a font that has it"
                    ),
                )
            }
            Self::TooLarge { what, has, most } => Message::new(
                "render.too-large",
                format!("{what}为{has}，超过上限{most}；请精简内容"),
                format!("{what}: {has} is over the limit of {most}; shorten the content"),
            ),
            Self::Template { name, detail } => Message::new(
                "render.template",
                format!("模板“{name}”有误：{detail}；请修正模板"),
                format!("template \"{name}\" is at fault: {detail}; correct the template"),
            ),
            Self::Export { detail } => Message::new(
                "render.export",
                format!("无法输出：{detail}；请修正模板或数据"),
                format!("cannot write the document: {detail}; correct the template or the data"),
            ),
            Self::Font { family, looked_in } => Message::new(
                "render.font",
                format!(
                    "在{looked_in}中没有找到字体“{family}”；Debian请安装软件包fonts-noto-cjk，或在设置中写明字体位置"
                ),
                format!(
                    "font \"{family}\" was not found in {looked_in}; on Debian install the package fonts-noto-cjk, or name the fonts' place in the settings"
                ),
            ),
            Self::File { path, detail } => Message::new(
                "render.file",
                format!("无法读取{}：{detail}；请核对文件", path.display()),
                format!("cannot read {}: {detail}; check the file", path.display()),
            ),
        }
    }
}

#[cfg(test)]
mod tests;
