//! XML as OFD uses it (GB/T 33190 §5): elements, attributes, text. Names count without their namespace, as writers use several;
//! so two attributes of one element may not have the same name in two namespaces, of which each reader would take its own.
//! No document types: what they declare could make two readers see two texts.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::PrefixDeclaration;
use quick_xml::reader::Reader;

use crate::limits;

/// An element with all that is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    /// Without its prefix.
    pub name: String,
    /// That of its name, where this very element declares it; so at least for the root (Namespaces in XML §3).
    pub namespace: Option<String>,
    attributes: Vec<(String, String)>,
    /// What stands directly in it, without white space around.
    pub text: String,
    pub children: Vec<Node>,
}

/// The bytes are no XML that is read here; why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotXml(pub &'static str);

impl Node {
    /// Reads a file's one element.
    ///
    /// # Errors
    /// [`NotXml`].
    pub fn read(bytes: &[u8]) -> Result<Self, NotXml> {
        Self::read_before(bytes, None)
    }

    /// Reads a file's one element up to its first child of this name, where it has one: what stands before is all that some files are
    /// asked for, and what follows may be long. Nothing is said of that.
    ///
    /// # Errors
    /// [`NotXml`].
    pub(super) fn read_before(bytes: &[u8], end: Option<&str>) -> Result<Self, NotXml> {
        if bytes.len() > limits::OFD_XML_BYTES {
            return Err(NotXml("an XML file is over the limit"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| NotXml("an XML file is not UTF-8"))?;
        let mut reader = Reader::from_str(text.strip_prefix('\u{FEFF}').unwrap_or(text));
        let (mut open, mut root, mut count) = (Vec::<Node>::new(), None, 0_usize);
        loop {
            let event = reader.read_event().map_err(|_| NotXml("an XML file is not well formed"))?;
            match event {
                Event::Start(start) if open.len() == 1 && end == Some(start.local_name().as_ref()) => {
                    root = open.pop();
                    break;
                }
                Event::Start(start) => {
                    count += 1;
                    if open.len() == limits::OFD_XML_DEPTH || count > limits::OFD_XML_NODES {
                        return Err(NotXml("an XML file is over the limit"));
                    }
                    open.push(Self::begin(&start)?);
                }
                Event::Empty(start) => {
                    count += 1;
                    if count > limits::OFD_XML_NODES {
                        return Err(NotXml("an XML file is over the limit"));
                    }
                    close(Self::begin(&start)?, &mut open, &mut root)?;
                }
                Event::End(_) => {
                    let node = open.pop().ok_or(NotXml("an XML file is not well formed"))?;
                    close(node, &mut open, &mut root)?;
                }
                Event::Text(text) => add(&mut open, &text)?,
                Event::CData(data) => add(&mut open, &data)?,
                Event::GeneralRef(reference) => add(&mut open, &character(&reference)?)?,
                Event::DocType(_) => return Err(NotXml("an XML file declares a document type")),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Eof => break,
            }
        }
        let mut root: Node = root.filter(|_| open.is_empty()).ok_or(NotXml("an XML file is not well formed"))?;
        root.trim();
        Ok(root)
    }

    fn begin(start: &BytesStart<'_>) -> Result<Self, NotXml> {
        let broken = NotXml("an XML file is not well formed");
        let mut attributes: Vec<(String, String)> = Vec::new();
        let (own, mut namespace) = (start.name().prefix(), None);
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|_| broken)?;
            let value = attribute.normalized_value(XmlVersion::default()).map_err(|_| broken)?.into_owned();
            // A namespace's declaration is no attribute, whatever it calls itself.
            match attribute.key.as_namespace_binding() {
                Some(PrefixDeclaration::Default) if own.is_none() => namespace = Some(value),
                Some(PrefixDeclaration::Named(prefix)) if own.is_some_and(|own| own.as_ref() == prefix) => {
                    namespace = Some(value);
                }
                Some(_) => {}
                None => {
                    let key = attribute.key.local_name().as_ref().to_owned();
                    if attributes.iter().any(|(other, _)| *other == key) {
                        return Err(NotXml("an XML file has two attributes of one name"));
                    }
                    attributes.push((key, value));
                }
            }
        }
        Ok(Self { name: start.local_name().as_ref().to_owned(), namespace, attributes, ..Self::default() })
    }

    fn trim(&mut self) {
        // Of text on a page every character counts, since each has its place (GB/T 33190 §11.3).
        if self.name != "TextCode" {
            self.text = self.text.trim().to_owned();
        }
        self.children.iter_mut().for_each(Self::trim);
    }

    /// The first child of this name.
    pub fn child(&self, name: &str) -> Option<&Node> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The children of this name.
    pub fn all<'n>(&'n self, name: &'n str) -> impl Iterator<Item = &'n Node> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// An attribute's value.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

fn close(node: Node, open: &mut [Node], root: &mut Option<Node>) -> Result<(), NotXml> {
    match open.last_mut() {
        Some(parent) => parent.children.push(node),
        None if root.is_none() => *root = Some(node),
        None => return Err(NotXml("an XML file has two roots")),
    }
    Ok(())
}

fn add(open: &mut [Node], text: &str) -> Result<(), NotXml> {
    match open.last_mut() {
        Some(node) => node.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(NotXml("an XML file has text outside its root")),
    }
    Ok(())
}

/// The five named characters and numbered ones (XML 1.0 §4.1 and §4.6); there is no document type to name others.
fn character(reference: &str) -> Result<Cow<'static, str>, NotXml> {
    let number = reference.strip_prefix('#').map(|number| match number.strip_prefix('x') {
        Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
        None => number.parse(),
    });
    match (reference, number) {
        ("amp", _) => Ok("&".into()),
        ("lt", _) => Ok("<".into()),
        ("gt", _) => Ok(">".into()),
        ("quot", _) => Ok("\"".into()),
        ("apos", _) => Ok("'".into()),
        (_, Some(Ok(code))) => {
            char::from_u32(code).map(|c| c.to_string().into()).ok_or(NotXml("an XML file names no character"))
        }
        _ => Err(NotXml("an XML file names an unknown entity")),
    }
}

/// Text as it stands in an element or between `"` (XML 1.0 §2.4); characters that XML cannot hold are left out (§2.2).
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Readers turn these into spaces where they stand in an attribute.
            '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", u32::from(c))),
            '\0'..' ' | '\u{FFFE}' | '\u{FFFF}' => {}
            c => out.push(c),
        }
    }
    out
}
