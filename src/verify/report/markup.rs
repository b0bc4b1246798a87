//! XML, written so that it cannot be malformed: elements close themselves, and text is only ever text.

/// A document being written.
pub(super) struct Xml {
    text: String,
}

impl Xml {
    /// Begins a document.
    pub(super) fn new() -> Self {
        Self { text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".into() }
    }

    /// An element, with whatever `inside` writes into it.
    pub(super) fn element(&mut self, name: &str, attributes: &[(&str, &str)], inside: impl FnOnce(&mut Self)) {
        self.text.push('<');
        self.text.push_str(name);
        for (attribute, value) in attributes {
            self.text.push(' ');
            self.text.push_str(attribute);
            self.text.push_str("=\"");
            self.escape(value);
            self.text.push('"');
        }
        self.text.push('>');
        inside(self);
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    /// An element that holds other elements and no attributes.
    pub(super) fn parent(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.element(name, &[], inside);
    }

    /// An element with text.
    pub(super) fn leaf(&mut self, name: &str, text: &str) {
        self.element(name, &[], |xml| xml.escape(text));
    }

    /// The whole.
    pub(super) fn finish(mut self) -> String {
        self.text.push('\n');
        self.text
    }

    /// XML 1.0 §2.2: most control characters may not stand in a document at all, not even escaped.
    fn escape(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                '\t' | '\n' | '\r' => self.text.push(' '),
                '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => self.text.push('\u{fffd}'),
                other => self.text.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_only_ever_text() {
        let mut xml = Xml::new();
        xml.element("a", &[("b", "\"><c")], |xml| xml.leaf("d", "</d>&\u{0}\u{ffff}\r\n]]>"));
        let text = xml.finish();
        assert!(
            text.ends_with("<a b=\"&quot;&gt;&lt;c\"><d>&lt;/d&gt;&amp;\u{fffd}\u{fffd}  ]]&gt;</d></a>\n"),
            "{text}"
        );
    }
}
