//! A document, written as a package (GB/T 33190 §7): entrance, root, resources, pages, attachments.
//!
//! Who lays a document out (the render room, or a seal's drawing) says what stands where, in millimetres from the page's top
//! left corner; here it becomes OFD objects. The same document gives the same bytes: identifier and date are arguments.

mod page;

use time::Date;

use super::package::Packing;
use super::xml::escaped;
use crate::impression::{Impression, Picture as Look, Segment};

/// A document of pages.
#[derive(Debug, Clone)]
pub struct Document {
    /// DocID: 32 hexadecimal digits from 16 octets.
    pub id: [u8; 16],
    pub title: String,
    pub author: String,
    pub made_on: Date,
    /// CustomDatas: the elements of GB/T 36903 and whatever else readers of the file shall find by name.
    pub data: Vec<(String, String)>,
    pub faces: Vec<Face>,
    pub pictures: Vec<Picture>,
    pub pages: Vec<Page>,
    pub attachments: Vec<Attachment>,
}

/// A face with the glyphs that the document uses.
#[derive(Debug, Clone)]
pub struct Face {
    /// `NotoSerifCJKsc-Bold`
    pub name: String,
    /// `Noto Serif CJK SC`
    pub family: String,
    /// OpenType, with a character map.
    pub file: Vec<u8>,
}

/// A picture as a file.
#[derive(Debug, Clone)]
pub struct Picture {
    pub format: PictureFormat,
    pub file: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureFormat {
    Png,
    Jpeg,
}

/// A file that travels in the package.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// `data.json`: plain, as it becomes a name in the package.
    pub name: String,
    /// What it is for; shown by readers.
    pub usage: String,
    pub file: Vec<u8>,
}

/// A page and what is drawn on it, in this order.
#[derive(Debug, Clone)]
pub struct Page {
    pub width_mm: f64,
    pub height_mm: f64,
    pub objects: Vec<Object>,
}

/// What can be drawn.
#[derive(Debug, Clone)]
pub enum Object {
    Text(Text),
    Path(Path),
    Image(Image),
}

/// From an object's own millimetres to the page's: `x' = a·x + c·y + e`, `y' = b·x + d·y + f`.
pub type Matrix = [f64; 6];

/// Red, green, blue, and how opaque.
pub type Colour = [u8; 4];

/// A run of text in one face, size and colour; the origin is on the baseline.
#[derive(Debug, Clone)]
pub struct Text {
    /// Place in [`Document::faces`].
    pub face: usize,
    pub size_mm: f64,
    pub colour: Colour,
    pub matrix: Matrix,
    /// What is read, searched and copied.
    pub characters: String,
    /// Where each glyph stands, millimetres from the origin, y down.
    pub places: Vec<(f64, f64)>,
    /// How far the run reaches.
    pub width_mm: f64,
    /// Glyphs that the face's character map would not give.
    pub shaped: Vec<Shaped>,
}

/// CGTransform: from the `at`-th character on, so many are drawn by these glyphs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shaped {
    pub at: usize,
    pub characters: usize,
    pub glyphs: Vec<u16>,
}

/// Lines and areas, in the page's millimetres.
#[derive(Debug, Clone)]
pub struct Path {
    pub segments: Vec<Segment>,
    pub fill: Option<Colour>,
    pub even_odd: bool,
    pub stroke: Option<Stroke>,
}

#[derive(Debug, Clone)]
pub struct Stroke {
    pub colour: Colour,
    pub width_mm: f64,
    pub cap: Cap,
    pub join: Join,
    pub miter_limit: f64,
    /// Lengths of lines and gaps, and where in them it begins.
    pub dashes: Option<(Vec<f64>, f64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cap {
    Butt,
    Round,
    Square,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    Miter,
    Round,
    Bevel,
}

/// A picture, drawn from the unit square.
#[derive(Debug, Clone)]
pub struct Image {
    /// Place in [`Document::pictures`].
    pub picture: usize,
    pub matrix: Matrix,
}

/// Every file written here begins so.
const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const NAMESPACE: &str = "xmlns:ofd=\"http://www.ofdspec.org/2016\"";

/// Identifiers of the document's parts (ST_ID, §7.3): each given out once.
#[derive(Debug, Default)]
struct Ids(u32);

impl Ids {
    fn next(&mut self) -> u32 {
        self.0 += 1;
        self.0
    }

    fn many(&mut self, count: usize) -> Vec<u32> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// The document's package, not signed.
pub fn write(document: &Document) -> Vec<u8> {
    let mut ids = Ids::default();
    let faces = ids.many(document.faces.len());
    let pictures = ids.many(document.pictures.len());
    let pages = ids.many(document.pages.len());
    let contents: Vec<String> =
        document.pages.iter().map(|page| page::content(page, &faces, &pictures, &mut ids)).collect();

    let mut packing = Packing::default();
    packing.add("OFD.xml", entrance(document).as_bytes());
    packing.add("Doc_0/Document.xml", root(document, &pages, ids.0).as_bytes());
    if !faces.is_empty() {
        packing.add("Doc_0/PublicRes.xml", fonts(&document.faces, &faces).as_bytes());
    }
    if !pictures.is_empty() {
        packing.add("Doc_0/DocumentRes.xml", media(&document.pictures, &pictures).as_bytes());
    }
    for (i, face) in document.faces.iter().enumerate() {
        packing.add(&format!("Doc_0/Res/font_{i}.otf"), &face.file);
    }
    for (i, picture) in document.pictures.iter().enumerate() {
        packing.add(&format!("Doc_0/Res/{}", picture.name(i)), &picture.file);
    }
    for (i, content) in contents.iter().enumerate() {
        packing.add(&format!("Doc_0/Pages/Page_{i}/Content.xml"), content.as_bytes());
    }
    if !document.attachments.is_empty() {
        packing.add("Doc_0/Attachs/Attachments.xml", attachments(document).as_bytes());
    }
    for attachment in &document.attachments {
        packing.add(&format!("Doc_0/Attachs/{}", attachment.name), &attachment.file);
    }
    packing.finish()
}

/// A seal's picture of the form `ofd` (GB/T 38540 §6): one page, as large as the seal.
pub fn impression(impression: &Impression, id: [u8; 16], made_on: Date) -> Vec<u8> {
    let (objects, pictures) = match &impression.picture {
        Look::Vector(shapes) => {
            let path = |shape: &crate::impression::Shape| {
                let [r, g, b] = shape.rgb;
                Object::Path(Path {
                    segments: shape.segments.clone(),
                    fill: Some([r, g, b, 255]),
                    even_odd: false,
                    stroke: None,
                })
            };
            (shapes.iter().map(path).collect(), Vec::new())
        }
        Look::Raster(raster) => {
            let matrix = [impression.width_mm, 0.0, 0.0, impression.height_mm, 0.0, 0.0];
            let picture = Picture { format: PictureFormat::Png, file: raster.png() };
            (vec![Object::Image(Image { picture: 0, matrix })], vec![picture])
        }
    };
    let page = Page { width_mm: impression.width_mm, height_mm: impression.height_mm, objects };
    write(&Document {
        id,
        title: String::new(),
        author: String::new(),
        made_on,
        data: Vec::new(),
        faces: Vec::new(),
        pictures,
        pages: vec![page],
        attachments: Vec::new(),
    })
}

impl Picture {
    fn name(&self, place: usize) -> String {
        match self.format {
            PictureFormat::Png => format!("image_{place}.png"),
            PictureFormat::Jpeg => format!("image_{place}.jpg"),
        }
    }
}

/// OFD.xml (§7.4). What the file of record says of itself stands here, so every signature of ours covers it.
fn entrance(document: &Document) -> String {
    let mut info = format!("<ofd:DocID>{}</ofd:DocID>", hex::encode(document.id));
    for (name, text) in [("Title", &document.title), ("Author", &document.author)] {
        if !text.is_empty() {
            info += &format!("<ofd:{name}>{}</ofd:{name}>", escaped(text));
        }
    }
    info += &format!("<ofd:CreationDate>{}</ofd:CreationDate><ofd:Creator>yinxin</ofd:Creator>", document.made_on);
    if !document.data.is_empty() {
        let datum = |(name, text): &(String, String)| {
            format!("<ofd:CustomData Name=\"{}\">{}</ofd:CustomData>", escaped(name), escaped(text))
        };
        info += &format!("<ofd:CustomDatas>{}</ofd:CustomDatas>", document.data.iter().map(datum).collect::<String>());
    }
    format!(
        "{DECLARATION}<ofd:OFD {NAMESPACE} Version=\"1.0\" DocType=\"OFD\"><ofd:DocBody><ofd:DocInfo>{info}</ofd:DocInfo>\
         <ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot></ofd:DocBody></ofd:OFD>"
    )
}

/// Document.xml (§7.5).
fn root(document: &Document, pages: &[u32], last: u32) -> String {
    let size = document.pages.first().map_or((210.0, 297.0), |page| (page.width_mm, page.height_mm));
    let mut common = format!(
        "<ofd:MaxUnitID>{last}</ofd:MaxUnitID><ofd:PageArea><ofd:PhysicalBox>0 0 {} {}</ofd:PhysicalBox></ofd:PageArea>",
        page::mm(size.0),
        page::mm(size.1)
    );
    if !document.faces.is_empty() {
        common += "<ofd:PublicRes>PublicRes.xml</ofd:PublicRes>";
    }
    if !document.pictures.is_empty() {
        common += "<ofd:DocumentRes>DocumentRes.xml</ofd:DocumentRes>";
    }
    let page = |(i, id): (usize, &u32)| format!("<ofd:Page ID=\"{id}\" BaseLoc=\"Pages/Page_{i}/Content.xml\"/>");
    let pages: String = pages.iter().enumerate().map(page).collect();
    let attachments =
        if document.attachments.is_empty() { "" } else { "<ofd:Attachments>Attachs/Attachments.xml</ofd:Attachments>" };
    format!(
        "{DECLARATION}<ofd:Document {NAMESPACE}><ofd:CommonData>{common}</ofd:CommonData><ofd:Pages>{pages}</ofd:Pages>\
         {attachments}</ofd:Document>"
    )
}

/// Fonts (§11.1), each embedded.
fn fonts(faces: &[Face], ids: &[u32]) -> String {
    let font = |(i, (face, id)): (usize, (&Face, &u32))| {
        format!(
            "<ofd:Font ID=\"{id}\" FontName=\"{}\" FamilyName=\"{}\"><ofd:FontFile>font_{i}.otf</ofd:FontFile></ofd:Font>",
            escaped(&face.name),
            escaped(&face.family)
        )
    };
    let fonts: String = faces.iter().zip(ids).enumerate().map(font).collect();
    format!("{DECLARATION}<ofd:Res {NAMESPACE} BaseLoc=\"Res\"><ofd:Fonts>{fonts}</ofd:Fonts></ofd:Res>")
}

/// Pictures (§10).
fn media(pictures: &[Picture], ids: &[u32]) -> String {
    let one = |(i, (picture, id)): (usize, (&Picture, &u32))| {
        let format = match picture.format {
            PictureFormat::Png => "PNG",
            PictureFormat::Jpeg => "JPEG",
        };
        format!(
            "<ofd:MultiMedia ID=\"{id}\" Type=\"Image\" Format=\"{format}\"><ofd:MediaFile>{}</ofd:MediaFile></ofd:MultiMedia>",
            picture.name(i)
        )
    };
    let all: String = pictures.iter().zip(ids).enumerate().map(one).collect();
    format!("{DECLARATION}<ofd:Res {NAMESPACE} BaseLoc=\"Res\"><ofd:MultiMedias>{all}</ofd:MultiMedias></ofd:Res>")
}

/// Attachments.xml (§20): the size in kilobytes.
fn attachments(document: &Document) -> String {
    let one = |(i, attachment): (usize, &Attachment)| {
        format!(
            "<ofd:Attachment ID=\"a{i}\" Name=\"{name}\" Format=\"{format}\" CreationDate=\"{date}T00:00:00\" Size=\"{size:.3}\" \
             Visible=\"true\" Usage=\"{usage}\"><ofd:FileLoc>{name}</ofd:FileLoc></ofd:Attachment>",
            name = escaped(&attachment.name),
            format = attachment.name.rsplit_once('.').map_or("", |(_, format)| format),
            date = document.made_on,
            size = attachment.file.len() as f64 / 1024.0,
            usage = escaped(&attachment.usage),
        )
    };
    let all: String = document.attachments.iter().enumerate().map(one).collect();
    format!("{DECLARATION}<ofd:Attachments {NAMESPACE}>{all}</ofd:Attachments>")
}
