//! An XML file of an OFD package from a stranger: as a file, as the head of a page, as a path on it, and as a page that is drawn. Mutation
//! of a whole archive seldom reaches any of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use yinxin::ofd::draw::draw;
use yinxin::ofd::package::write;
use yinxin::ofd::xml::{Node, escaped};

const ENTRANCE: &[u8] = b"<OFD><DocBody><DocRoot>D/Document.xml</DocRoot></DocBody></OFD>";
const ROOT: &[u8] = b"<Document><CommonData><PublicRes>P.xml</PublicRes></CommonData><Pages><Page ID=\"1\" BaseLoc=\"P.xml\"/></Pages></Document>";

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        // What is written of a text is one text and nothing else, in an element and in an attribute.
        let file = format!("<a b=\"{0}\">{0}</a>", escaped(text));
        let read = Node::read(file.as_bytes()).expect("what is escaped is read");
        assert!(read.children.is_empty() && read.text.len() <= text.len());
    }
    if Node::read(bytes).is_err() {
        return;
    }
    // Resources and page at once.
    let package = write([("OFD.xml", ENTRANCE), ("D/Document.xml", ROOT), ("D/P.xml", bytes)]);
    let drawing = draw(&package, 1).expect("one page, readable or said to be left out");
    for sheet in drawing.pages {
        let svg = Node::read(sheet.svg.as_bytes()).expect("a drawing is XML");
        assert_eq!(svg.name, "svg");
    }
});
