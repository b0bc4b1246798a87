//! Objects of a layer (GB/T 33190 §8): paths, pictures, compound objects; text is told in its own file.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::paint::Paint;
use super::{DEPTH, Pen, outline};
use crate::ofd::signatures::numbers;
use crate::ofd::text::number;
use crate::ofd::xml::Node;

/// How many clips one object is cut by.
const CLIPS: usize = 4;

/// Left, top, width, height; nothing where it is not told.
pub(super) fn boundary(object: &Node) -> [f64; 4] {
    object.attribute("Boundary").and_then(numbers).unwrap_or_default()
}

/// `matrix(…)` of an attribute, where it is one.
fn matrix(object: &Node) -> Option<String> {
    let values: Option<Vec<String>> =
        object.attribute("CTM")?.split_whitespace().map(|one| number(one).map(|one| one.to_string())).collect();
    let values = values.filter(|values| values.len() == 6)?;
    Some(format!("matrix({})", values.join(" ")))
}

impl Pen<'_, '_> {
    pub(super) fn objects(&mut self, parent: &Node, layer: Option<&str>, depth: usize) {
        for object in &parent.children {
            if !self.has_room() {
                return;
            }
            if object.attribute("Visible") == Some("false") {
                continue;
            }
            match object.name.as_str() {
                "PathObject" => self.framed(object, |pen| pen.path(object, layer)),
                "TextObject" => self.framed(object, |pen| pen.text(object, layer)),
                "ImageObject" => self.image(object),
                "CompositeObject" if depth < DEPTH => self.compound(object, layer, depth),
                "PageBlock" if depth < DEPTH => self.objects(object, layer, depth + 1),
                "CompositeObject" | "PageBlock" => {
                    self.omit("ofd.deep", "图元嵌套过深，未画出", "objects lie too deep in each other to be drawn");
                }
                "Actions" => {}
                other => self.omit(
                    "ofd.object",
                    &format!("不认识的图元“{other}”，未画出"),
                    &format!("an object of an unknown kind ({other}) is not drawn"),
                ),
            }
        }
    }

    /// Moved to its boundary, turned by its matrix, as transparent as it is, and cut by its clips.
    fn framed(&mut self, object: &Node, draw: impl FnOnce(&mut Self)) {
        let [x, y, ..] = boundary(object);
        let turn = matrix(object).map(|matrix| format!(" {matrix}")).unwrap_or_default();
        let alpha = object.attribute("Alpha").and_then(number).filter(|alpha| *alpha < 255.0);
        let alpha = alpha.map(|alpha| format!(" opacity=\"{:.3}\"", (alpha / 255.0).max(0.0))).unwrap_or_default();
        _ = write!(self.svg, "<g transform=\"translate({x} {y}){turn}\"{alpha}>");
        let clips = self.clips(object);
        draw(self);
        for _ in 0..clips {
            self.svg.push_str("</g>");
        }
        self.svg.push_str("</g>");
    }

    /// Groups that show only what lies in the clips (§8.4); how many were opened.
    fn clips(&mut self, object: &Node) -> usize {
        let mut opened = 0;
        for clip in object.all("Clips").flat_map(|clips| clips.all("Clip")) {
            // Groups within groups: a reader of the picture follows them as deep as they go.
            if opened == CLIPS {
                self.omit("ofd.clip", "有的裁剪区域未生效", "some clips are not applied");
                return opened;
            }
            let mut areas = String::new();
            for area in clip.all("Area") {
                let Some(path) = area.child("Path") else {
                    self.omit("ofd.clip", "有的裁剪区域未生效", "some clips are not applied");
                    return opened;
                };
                let data = path.child("AbbreviatedData").and_then(|data| outline::path(&data.text)).unwrap_or_default();
                let [x, y, ..] = boundary(path);
                let turn = [matrix(area), Some(format!("translate({x} {y})")), matrix(path)];
                let turn: Vec<String> = turn.into_iter().flatten().collect();
                areas += &format!("<path transform=\"{}\" d=\"{data}\"/>", turn.join(" "));
            }
            let (inside, number) = (self.inside, self.clips);
            self.clips += 1;
            _ = write!(
                self.svg,
                "<clipPath id=\"d{inside}c{number}\">{areas}</clipPath><g clip-path=\"url(#d{inside}c{number})\">"
            );
            opened += 1;
        }
        opened
    }

    fn path(&mut self, object: &Node, layer: Option<&str>) {
        let data = object.child("AbbreviatedData").map(|data| data.text.as_str()).unwrap_or_default();
        let Some(data) = outline::path(data) else {
            if !data.is_empty() {
                self.omit("ofd.path", "有的路径无法读取，未画出", "some paths cannot be read and are not drawn");
            }
            return;
        };
        if self.svg.len() + data.len() > self.room {
            self.too_much();
            return;
        }
        let paint = Paint::of(object, &self.resources, layer);
        let rule = if object.attribute("Rule") == Some("Even-Odd") { " fill-rule=\"evenodd\"" } else { "" };
        let fill =
            if object.attribute("Fill") == Some("true") { paint.fill() } else { (" fill=\"none\"".into(), true) };
        let stroke = if object.attribute("Stroke") == Some("false") { (String::new(), true) } else { paint.stroke() };
        _ = write!(self.svg, "<path d=\"{data}\"{}{rule}{}/>", fill.0, stroke.0);
        if !(fill.1 && stroke.1) {
            self.shaded();
        }
    }

    pub(super) fn shaded(&mut self) {
        self.omit("ofd.shade", "渐变和底纹以单色显示", "shades and patterns are shown in one colour");
    }

    /// A picture is the unit square (§10.1); without a matrix it fills its boundary.
    fn image(&mut self, object: &Node) {
        let id = object.attribute("ResourceID").unwrap_or_default();
        let path = self.resources.picture(id).and_then(|path| self.package.entry_in_any_case(path));
        let bytes = path.and_then(|entry| self.package.unpack(entry).ok());
        let Some(href) = bytes.as_deref().and_then(data_url) else {
            self.omit(
                "ofd.picture",
                "有的图片缺失或格式不支持，未画出",
                "some pictures are missing or of another format, and not drawn",
            );
            return;
        };
        if object.attribute("ImageMask").is_some() {
            self.omit("ofd.mask", "图片遮罩未生效", "masks of pictures are not applied");
        }
        let [_, _, width, height] = boundary(object);
        let size = if object.attribute("CTM").is_some() { (1.0, 1.0) } else { (width, height) };
        if self.svg.len() + href.len() > self.room {
            self.too_much();
            return;
        }
        self.framed(object, |pen| {
            _ = write!(
                pen.svg,
                "<image width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" href=\"{href}\"/>",
                size.0, size.1
            );
        });
    }

    fn compound(&mut self, object: &Node, layer: Option<&str>, depth: usize) {
        let id = object.attribute("ResourceID").unwrap_or_default();
        let unit = self.resources.compound(id);
        let Some(content) = unit.as_ref().and_then(|unit| unit.child("Content")) else {
            self.omit("ofd.compound", "有的复合图元缺失，未画出", "some compound objects are missing and not drawn");
            return;
        };
        self.framed(object, |pen| pen.objects(content, layer, depth + 1));
    }
}

/// A picture that browsers draw, by its first bytes, within the file that shows it.
pub(super) fn data_url(bytes: &[u8]) -> Option<String> {
    let kind = match bytes {
        [0x89, b'P', b'N', b'G', ..] => "png",
        [0xFF, 0xD8, 0xFF, ..] => "jpeg",
        [b'G', b'I', b'F', b'8', ..] => "gif",
        [b'B', b'M', ..] => "bmp",
        _ => return None,
    };
    Some(format!("data:image/{kind};base64,{}", STANDARD.encode(bytes)))
}
