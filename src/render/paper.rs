//! What a template finds on the desk while it is laid out: fonts, the template files, and this document's data.
//! Nothing else: no clock, no network, no file outside the templates folder.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use qrcode::{Color, EcLevel, QrCode};
use typst::diag::{FileError, FileResult, SourceDiagnostic};
use typst::foundations::{Bytes, Datetime, Duration};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World, WorldExt};

use super::{RenderError, Template, form};
use crate::licence::metadata::Metadata;

/// Everything that is the same for every document. A new `Library` a document would cost 4.5 ms, so there is one.
pub(super) struct Shelf {
    library: LazyHash<Library>,
    book: LazyHash<FontBook>,
    fonts: Vec<Font>,
    /// Family → by code point, whether a face of it has the character. Typst's own coverage is searched run by run.
    covered: HashMap<String, Vec<bool>>,
    sources: HashMap<FileId, Source>,
    files: HashMap<FileId, Bytes>,
}

impl Shelf {
    /// `files`: path from the templates folder → bytes.
    pub(super) fn new(fonts: Vec<Font>, files: BTreeMap<String, Vec<u8>>) -> Self {
        let (mut sources, mut others) = (HashMap::new(), HashMap::new());
        for (path, bytes) in files {
            let Some(id) = file_id(&path) else { continue };
            match String::from_utf8(bytes) {
                Ok(text) if path.ends_with(".typ") => drop(sources.insert(id, Source::new(id, text))),
                Ok(text) => drop(others.insert(id, Bytes::from_string(text))),
                Err(e) => drop(others.insert(id, Bytes::new(e.into_bytes()))),
            }
        }
        let mut covered: HashMap<String, Vec<bool>> = HashMap::new();
        for font in &fonts {
            let family = covered.entry(font.info().family.clone()).or_default();
            for point in font.info().coverage.iter().map(|c| c as usize) {
                family.resize(family.len().max(point + 1), false);
                family[point] = true;
            }
        }
        let book = LazyHash::new(FontBook::from_fonts(&fonts));
        Self { library: LazyHash::new(Library::default()), book, fonts, covered, sources, files: others }
    }

    /// Every character of every text must have a glyph in one of the template's fonts, and none may steer the
    /// direction or be invisible: what is printed must be what is read. Typst's own check at export stays behind this
    /// one, for characters of the template; only here is the field known.
    pub(super) fn check_characters(&self, template: &Template, data: &serde_json::Value) -> Result<(), RenderError> {
        let families: Vec<_> = template.fonts().filter_map(|family| self.covered.get(family)).collect();
        let has = |c: char| families.iter().any(|f| f.get(c as usize) == Some(&true));
        let printable = |c: char| !form::is_hidden(c) && has(c);
        for (field, text) in form::texts(data) {
            if let Some(character) = text.chars().find(|c| !printable(*c)) {
                return Err(RenderError::Character { character, field: Some(template.form().title(&field)) });
            }
        }
        Ok(())
    }

    /// The desk for one document.
    pub(super) fn desk(
        &self,
        template: &Template,
        data: &serde_json::Value,
        json: String,
        (noted, metadata): (Option<&serde_json::Value>, &Metadata),
    ) -> Result<Desk<'_>, RenderError> {
        let fault = |detail: &str| RenderError::Template { name: template.name().into(), detail: detail.into() };
        let main = file_id(&format!("{}/main.typ", template.name())).ok_or_else(|| fault("main.typ"))?;
        let mut own = HashMap::new();
        let noted = noted.map_or("null".to_owned(), ToString::to_string);
        let elements = serde_json::json!(metadata.pairs()).to_string();
        for (name, text) in [("data.json", json), ("annotation.json", noted), ("elements.json", elements)] {
            own.extend(file_id(name).map(|id| (id, Bytes::from_string(text))));
        }
        if let Some(text) = template.qr().and_then(|field| data.get(field)).and_then(|v| v.as_str()) {
            let code = QrCode::with_error_correction_level(text, EcLevel::M).map_err(|e| fault(&e.to_string()))?;
            own.extend(file_id("qr.svg").map(|id| (id, Bytes::from_string(qr_svg(&code)))));
        }
        Ok(Desk { shelf: self, template: template.name().into(), main, own })
    }
}

/// The shelf plus one document's data and QR code; what Typst calls a world.
pub(super) struct Desk<'a> {
    shelf: &'a Shelf,
    template: String,
    main: FileId,
    own: HashMap<FileId, Bytes>,
}

impl World for Desk<'_> {
    fn library(&self) -> &LazyHash<Library> {
        &self.shelf.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &self.shelf.book
    }

    fn main(&self) -> FileId {
        self.main
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        self.shelf.sources.get(&id).cloned().ok_or_else(|| not_there(id))
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        self.own.get(&id).or_else(|| self.shelf.files.get(&id)).cloned().ok_or_else(|| not_there(id))
    }

    fn font(&self, index: usize) -> Option<Font> {
        self.shelf.fonts.get(index).cloned()
    }

    /// A template has no clock: its dates are data.
    fn today(&self, _: Option<Duration>) -> Option<Datetime> {
        None
    }
}

impl Desk<'_> {
    /// Typst's complaint as ours, with file and line.
    pub(super) fn explain(&self, faults: &[SourceDiagnostic]) -> RenderError {
        let say = |fault: &SourceDiagnostic| {
            let place = fault.span.id().zip(self.range(fault.span)).and_then(|(id, range)| {
                let line = self.source(id).ok()?.lines().byte_to_line(range.start)? + 1;
                Some(format!("{}:{line}: ", id.vpath().get_without_slash()))
            });
            place.unwrap_or_default() + &fault.message
        };
        let detail = faults.iter().take(3).map(say).collect::<Vec<_>>().join("; ");
        RenderError::Template { name: self.template.clone(), detail }
    }
}

/// Reads the faces of the wanted families; other faces of the same collection (JP, KR, …) are left out.
pub(super) fn read_fonts(places: &[PathBuf], wanted: BTreeSet<&str>) -> Result<Vec<Font>, RenderError> {
    let mut fonts = Vec::new();
    for file in places.iter().flat_map(|place| font_files(place)) {
        let bytes = std::fs::read(&file)
            .map(Bytes::new)
            .map_err(|e| RenderError::File { path: file.clone(), detail: e.to_string() })?;
        let faces = ttf_parser::fonts_in_collection(&bytes).unwrap_or(1);
        let indices = (0..faces).filter(|i| {
            // The name alone first: reading a whole face costs milliseconds.
            let Ok(face) = ttf_parser::Face::parse(&bytes, *i) else { return false };
            face.names()
                .into_iter()
                .filter(|n| matches!(n.name_id, 1 | 16))
                .filter_map(|n| n.to_string())
                .any(|n| wanted.contains(n.as_str()))
        });
        fonts.extend(indices.filter_map(|i| Font::new(bytes.clone(), i)));
    }
    match wanted.iter().find(|family| !fonts.iter().any(|f| f.info().family == **family)) {
        Some(family) => Err(missing(family, places)),
        None => Ok(fonts),
    }
}

pub(super) fn missing(family: &str, places: &[PathBuf]) -> RenderError {
    let looked_in = places.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
    RenderError::Font {
        family: family.into(), looked_in: if looked_in.is_empty() { "(…)".into() } else { looked_in }
    }
}

/// A file itself, or the font files of a folder in the order of their names, so that the same machine always gives the
/// same faces.
fn font_files(place: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(place) else {
        return place.is_file().then(|| place.to_owned()).into_iter().collect();
    };
    let is_font = |p: &PathBuf| p.extension().is_some_and(|e| e == "ttc" || e == "otf" || e == "ttf");
    let mut files: Vec<_> = entries.flatten().map(|e| e.path()).filter(is_font).collect();
    files.sort();
    files
}

/// The file's identifier inside the templates folder.
fn file_id(path: &str) -> Option<FileId> {
    Some(FileId::new(RootedPath::new(VirtualRoot::Project, VirtualPath::new(path).ok()?)))
}

fn not_there(id: FileId) -> FileError {
    FileError::NotFound(PathBuf::from(id.vpath().get_without_slash()))
}

/// One path, a rectangle for each run of dark modules, with the quiet zone of four modules (ISO/IEC 18004 §5.3.8).
fn qr_svg(code: &QrCode) -> String {
    let n = code.width();
    let side = n + 8;
    let mut path = String::new();
    for (y, row) in code.to_colors().chunks(n).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|a, b| a == b) {
            if run.first() == Some(&Color::Dark) {
                path += &format!("M{} {}h{w}v1h-{w}z", x + 4, y + 4, w = run.len());
            }
            x += run.len();
        }
    }
    format!("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\"><path d=\"{path}\"/></svg>")
}
