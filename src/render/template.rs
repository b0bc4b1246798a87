//! A template: a folder with `template.toml`, `schema.json`, `main.typ` and `example.json`, and its recorded version.

use std::collections::BTreeMap;
use std::path::Path;

use figment::Figment;
use figment::providers::{Format, Toml};

use super::RenderError;
use super::form::Form;

/// Files used by several templates; part of the version of each.
const SHARED: &str = "shared";

/// One kind of document.
#[derive(Debug)]
pub struct Template {
    manifest: Manifest,
    version: TemplateVersion,
    form: Form,
}

/// Which text of the template a document was rendered with; recorded in the licence.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TemplateVersion {
    /// Folder name, `food-operation-licence`.
    pub name: String,
    /// As its author numbers it.
    pub version: String,
    /// SHA-256 (hex) over the template's and the shared files, names and lengths included.
    pub sha256: String,
}

/// `template.toml`.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    version: String,
    title_zh: String,
    title_en: String,
    /// Families the template sets; a start without one of them fails.
    fonts: Vec<String>,
    /// The field whose text becomes `/qr.svg`.
    qr: Option<String>,
}

impl Template {
    pub fn name(&self) -> &str {
        &self.version.name
    }

    pub fn version(&self) -> &TemplateVersion {
        &self.version
    }

    pub fn title_zh(&self) -> &str {
        &self.manifest.title_zh
    }

    pub fn title_en(&self) -> &str {
        &self.manifest.title_en
    }

    /// The JSON Schema (2020-12) of its data, as published to integrators.
    pub fn schema(&self) -> &serde_json::Value {
        self.form.schema()
    }

    pub(super) fn form(&self) -> &Form {
        &self.form
    }

    pub(super) fn fonts(&self) -> impl Iterator<Item = &str> {
        self.manifest.fonts.iter().map(String::as_str)
    }

    pub(super) fn qr(&self) -> Option<&str> {
        self.manifest.qr.as_deref()
    }
}

/// Path from the templates folder (with `/`) → bytes.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// Reads every folder that has a `template.toml`, and the shared files; templates in the order of their names.
pub(super) fn read_all(root: &Path) -> Result<(Vec<Template>, Files), RenderError> {
    let mut files = Files::new();
    read_folder(root, "", &mut files)?;
    let names: Vec<_> = files.keys().filter_map(|path| path.strip_suffix("/template.toml")).map(String::from).collect();
    if names.is_empty() {
        return Err(RenderError::File { path: root.into(), detail: "no template.toml in any folder".into() });
    }
    let templates = names.iter().map(|name| read(root, name, &files)).collect::<Result<_, _>>()?;
    Ok((templates, files))
}

fn read(root: &Path, name: &str, files: &Files) -> Result<Template, RenderError> {
    let fault = |file: &str, detail: String| RenderError::File { path: root.join(name).join(file), detail };
    let text = |file: &str| {
        let bytes = files.get(&format!("{name}/{file}")).ok_or_else(|| fault(file, "not there".into()))?;
        std::str::from_utf8(bytes).map_err(|e| fault(file, e.to_string()))
    };
    let manifest = Figment::from(Toml::string(text("template.toml")?)).extract::<Manifest>();
    let manifest = manifest.map_err(|e| fault("template.toml", e.to_string()))?;
    let form = Form::read(text("schema.json")?).map_err(|detail| fault("schema.json", detail))?;
    text("main.typ")?;
    let version = TemplateVersion { name: name.into(), version: manifest.version.clone(), sha256: digest(name, files) };
    Ok(Template { manifest, version, form })
}

fn read_folder(folder: &Path, prefix: &str, files: &mut Files) -> Result<(), RenderError> {
    let fault = |e: std::io::Error| RenderError::File { path: folder.into(), detail: e.to_string() };
    for entry in std::fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        // Hidden files and editors' backups are no part of a template.
        let Some(name) = path.file_name().and_then(|n| n.to_str()).filter(|n| !n.starts_with('.') && !n.ends_with('~'))
        else {
            continue;
        };
        if path.is_dir() {
            read_folder(&path, &format!("{prefix}{name}/"), files)?;
        } else {
            files.insert(format!("{prefix}{name}"), std::fs::read(&path).map_err(fault)?);
        }
    }
    Ok(())
}

/// Each file as name, length and bytes, so that no two sets of files read alike.
fn digest(name: &str, files: &Files) -> String {
    let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
    for (path, bytes) in files {
        if path.split('/').next().is_some_and(|folder| folder == name || folder == SHARED) {
            hash.update(path.as_bytes());
            hash.update(&[0]);
            hash.update(&(bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        }
    }
    hex::encode(hash.finish())
}
