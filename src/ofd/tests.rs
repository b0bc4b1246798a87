//! Packages of others, and packages made to be read in two ways.

use std::path::PathBuf;

use super::package::{Package, PackageFault};
use super::reading::Reading;
use super::signatures::{Reference, Signatures, SignaturesFault, located};
use super::xml::Node;
use crate::crypto::Digest;
use crate::limits;

fn corpus() -> Option<PathBuf> {
    let corpus = PathBuf::from(std::env::var("YINXIN_CORPUS").unwrap_or_else(|_| "../shared/corpus".into()));
    corpus.join("INDEX.tsv").is_file().then_some(corpus)
}

/// Of every foreign package: its file, and what the upstream says of it.
fn packages(corpus: &std::path::Path) -> Vec<(String, Vec<u8>, String)> {
    let index = std::fs::read_to_string(corpus.join("INDEX.tsv")).unwrap();
    let lines = index.lines().map(|line| line.split('\t').collect::<Vec<_>>()).filter(|c| c[1].starts_with("ofd"));
    lines.map(|c| (c[0].to_owned(), std::fs::read(corpus.join(c[0])).unwrap(), c[7].to_owned())).collect()
}

#[test]
fn foreign_packages_are_opened_and_unpacked_whole() {
    let Some(corpus) = corpus() else { return };
    for (file, bytes, _) in packages(&corpus) {
        let package = Package::open(&bytes).unwrap_or_else(|fault| panic!("{file}: {fault}"));
        for entry in package.entries() {
            package.unpack(entry).unwrap_or_else(|fault| panic!("{file} {}: {fault}", entry.name));
        }
    }
}

#[test]
fn foreign_references_have_the_digests_that_another_reader_found() {
    let Some(corpus) = corpus() else { return };
    let (mut seen, mut open) = (0, Vec::new());
    for (file, bytes, found) in packages(&corpus) {
        let package = Package::open(&bytes).unwrap();
        let signatures = match Signatures::read(&package) {
            Ok(signatures) => signatures,
            Err(fault) => {
                // Its list of signatures is named and not there.
                assert_eq!(
                    (file.ends_with("/fptpl.ofd"), &fault),
                    (true, &SignaturesFault::Missing("Doc_0/Signs/Signatures.xml".into()))
                );
                continue;
            }
        };
        let mut said = found.split(" | ");
        for signature in &signatures.signatures {
            let fits = |reference: &&Reference| {
                let bytes = package.entry(&reference.file).map(|entry| package.unpack(entry).unwrap());
                bytes.is_some_and(|bytes| Digest::Sm3.over(&[&bytes]) == reference.digest)
            };
            let good = signature.references.iter().filter(fits).count();
            let said = said.next().unwrap();
            let expected = format!("refs ok={good} mismatch={} ", signature.references.len() - good);
            assert!(said.contains(&expected), "{file}: {expected}, not {said}");
            seen += 1;
        }
        for read in Reading::of(&bytes).unwrap().signatures {
            open.extend(read.uncovered.iter().map(|name| format!("{} {name}", file.rsplit('/').next().unwrap())));
        }
    }
    assert!(seen >= 10, "{seen}");
    // What the lists of these leave open; of the first, the invoice's own data (standards: 3.2).
    open.sort();
    assert_eq!(
        open,
        [
            "999.ofd OFD.xml",
            "test.ofd OFD.xml",
            "testImageNotFound.ofd Doc_0/Annots/Annotations.xml",
            "testImageNotFound.ofd OFD.xml",
            "testImageOverridePage.ofd Doc_0/Annots/Annotations.xml",
            "testImageOverridePage.ofd OFD.xml",
        ]
    );
}

#[test]
fn what_is_no_archive_is_said_to_be_none() {
    for bytes in [&b""[..], b"PK", &[0; 100]] {
        assert_eq!(Package::open(bytes).unwrap_err(), PackageFault::NotZip);
    }
}

#[test]
fn places_lead_nowhere_outside() {
    for (file, place, path) in [
        ("OFD.xml", "Doc_0/Document.xml", Some("Doc_0/Document.xml")),
        ("Doc_0/Signs/Signatures.xml", "Sign_0/Signature.xml", Some("Doc_0/Signs/Sign_0/Signature.xml")),
        ("Doc_0/Signs/Signatures.xml", "//Doc_0/a.xml", Some("Doc_0/a.xml")),
        ("Doc_0/Signs/Signatures.xml", "../b.xml", Some("Doc_0/b.xml")),
        ("Doc_0/Signs/Signatures.xml", "../../../b.xml", None),
        ("OFD.xml", "/..", None),
        ("OFD.xml", "", None),
    ] {
        assert_eq!(located(file, place).as_deref(), path, "{place}");
    }
}

/// A ZIP archive with stored files, each with what its local header and its directory entry say.
struct Archive {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    /// Extra fields of the local headers to come.
    extra: Vec<u8>,
    count: u16,
}

impl Archive {
    fn new() -> Self {
        Self { bytes: Vec::new(), directory: Vec::new(), extra: Vec::new(), count: 0 }
    }

    fn header(name: &str, data: &[u8]) -> Vec<u8> {
        let mut crc = flate2::Crc::new();
        crc.update(data);
        let size = (data.len() as u32).to_le_bytes();
        let fixed = [&[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &crc.sum().to_le_bytes(), &size, &size];
        [&fixed.concat()[..], &(name.len() as u16).to_le_bytes(), &[0, 0]].concat()
    }

    fn local(mut self, name: &str, data: &[u8]) -> Self {
        let start = self.bytes.len() as u32;
        let mut header = Self::header(name, data);
        header.truncate(header.len() - 2);
        let length = (self.extra.len() as u16).to_le_bytes();
        for part in [&b"PK\x03\x04"[..], &header, &length, name.as_bytes(), &self.extra, data] {
            self.bytes.extend_from_slice(part);
        }
        self.listed(name, data, start)
    }

    fn listed(mut self, name: &str, data: &[u8], start: u32) -> Self {
        let parts =
            [&b"PK\x01\x02\x14\x00"[..], &Self::header(name, data), &[0; 10], &start.to_le_bytes(), name.as_bytes()];
        for part in parts {
            self.directory.extend_from_slice(part);
        }
        self.count += 1;
        self
    }

    fn finished(mut self) -> Vec<u8> {
        let start = (self.bytes.len() as u32).to_le_bytes();
        let (size, count) = ((self.directory.len() as u32).to_le_bytes(), self.count.to_le_bytes());
        self.bytes.append(&mut self.directory);
        for part in [&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &size, &start, &[0, 0]] {
            self.bytes.extend_from_slice(part);
        }
        self.bytes
    }
}

#[test]
fn an_archive_that_two_readers_would_see_differently_is_refused() {
    let honest = Archive::new().local("OFD.xml", b"<OFD/>").local("Doc_0/a.xml", b"<a/>").finished();
    let package = Package::open(&honest).unwrap();
    assert_eq!(package.unpack(package.entry("Doc_0/a.xml").unwrap()).unwrap(), b"<a/>");
    assert!(package.entry("doc_0/A.xml").is_none() && package.entry_in_any_case("doc_0/A.xml").is_some());

    let ambiguous = |bytes: &[u8]| matches!(Package::open(bytes), Err(PackageFault::Ambiguous(_)));
    // One file listed, another of the same name before it: readers of streams see the first.
    let mut hidden = Archive::new().local("OFD.xml", b"<OFD>other</OFD>");
    (hidden.directory, hidden.count) = (Vec::new(), 0);
    assert!(ambiguous(&hidden.local("OFD.xml", b"<OFD/>").finished()));
    // Bytes in front, behind the last file, and between the directory and its end.
    assert!(ambiguous(&{
        let mut gap = Archive::new().local("OFD.xml", b"<OFD/>");
        gap.bytes.extend_from_slice(b"PK");
        gap.finished()
    }));
    assert!(ambiguous(&[b"MZ", &honest[..]].concat()));
    // Two entries over one file.
    assert!(ambiguous(&Archive::new().local("OFD.xml", b"<OFD/>").listed("OFD2.xml", b"<OFD/>", 0).finished()));
    assert!(ambiguous(&Archive::new().local("OFD.xml", b"<OFD/>").listed("OFD.xml", b"<OFD/>", 0).finished()));
    // Every byte of a local header counts: name, method, sizes, checksum.
    for at in (4..30 + 7).filter(|at| !(10..14).contains(at) && *at != 4 && *at != 5) {
        let mut changed = honest.clone();
        changed[at] ^= 1;
        let opened = Package::open(&changed);
        assert!(opened.is_err(), "{at}");
    }
    // The data itself: seen when it is unpacked.
    let mut changed = honest.clone();
    changed[30 + 7] ^= 1;
    let package = Package::open(&changed).unwrap();
    assert!(package.unpack(package.entry("OFD.xml").unwrap()).is_err());
    // A second end, in the comment of the first.
    let mut twice = honest.clone();
    let end = twice.split_off(twice.len() - 22);
    let length = twice.len();
    twice.extend_from_slice(&end);
    twice.extend_from_slice(&end);
    twice[length + 20] = 22;
    assert!(ambiguous(&twice));
    // Info-ZIP's second name (APPNOTE §4.6.9), which `unzip` believes.
    let mut renamed = Archive::new();
    renamed.extra = [&[0x75, 0x70, 12, 0, 1, 0, 0, 0, 0][..], b"OFD.xml"].concat();
    assert!(ambiguous(&renamed.local("other.xml", b"<OFD/>").finished()));
    for name in ["../OFD.xml", "/OFD.xml", "a//b", "a/./b", "C:/a", "a\u{7}"] {
        let refused = Package::open(&Archive::new().local(name, b"x").finished()).unwrap_err();
        assert!(matches!(refused, PackageFault::Name(_)), "{name}");
    }
    for twin in ["OFD.xml", "ofd.XML"] {
        let twins = Archive::new().local("OFD.xml", b"<OFD/>").local(twin, b"<OFD/>").finished();
        assert!(matches!(Package::open(&twins), Err(PackageFault::Twins(_))), "{twin}");
    }
}

/// Sizes behind the data (APPNOTE §4.3.9), with or without their mark; what they say must be what the directory says.
#[test]
fn data_descriptors_agree_or_the_archive_is_refused() {
    let data = b"<OFD/>";
    let archive = |marked: bool, change: fn(&mut [u8])| {
        let mut archive = Archive::new();
        let mut header = Archive::header("OFD.xml", data);
        header[2] = 8;
        let mut said = header[10..22].to_vec();
        change(&mut said);
        let listed = [&b"PK\x01\x02\x14\x00"[..], &header, &[0; 14], b"OFD.xml"].concat();
        header[10..22].fill(0);
        let mark: &[u8] = if marked { b"PK\x07\x08" } else { b"" };
        archive.bytes = [&b"PK\x03\x04"[..], &header, b"OFD.xml", data, mark, &said].concat();
        (archive.directory, archive.count) = (listed, 1);
        archive.finished()
    };
    for marked in [true, false] {
        let bytes = archive(marked, |_| {});
        let package = Package::open(&bytes).unwrap();
        assert_eq!(package.unpack(package.entry("OFD.xml").unwrap()).unwrap(), data);
        for change in [|said: &mut [u8]| said[0] ^= 1, |said: &mut [u8]| said[4] ^= 1, |said: &mut [u8]| said[8] ^= 1] {
            assert!(matches!(Package::open(&archive(marked, change)), Err(PackageFault::Ambiguous(_))));
        }
    }
}

#[test]
fn bombs_ciphers_and_links_are_not_unpacked() {
    // Zeros that shrink a thousandfold, declared as they are and as less.
    let zeros = vec![0; 1 << 20];
    let honest = super::package::write([("OFD.xml", zeros.as_slice())]);
    assert!(honest.len() < 4096);
    let opened = Package::open(&honest).unwrap();
    assert_eq!(opened.unpack(opened.entry("OFD.xml").unwrap()).unwrap().len(), zeros.len());
    let central = honest.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    // Everywhere the file's size is said: in the local header and in the directory.
    let with_size = |size: u32| {
        let mut bytes = honest.clone();
        for at in [22, central + 24] {
            bytes[at..at + 4].copy_from_slice(&size.to_le_bytes());
        }
        bytes
    };
    let less = with_size(1000);
    let opened = Package::open(&less).unwrap();
    assert!(opened.unpack(opened.entry("OFD.xml").unwrap()).is_err());
    let refused = |bytes: &[u8]| Package::open(bytes).unwrap_err();
    assert_eq!(refused(&with_size(limits::OFD_FILE_BYTES as u32 + 1)), PackageFault::TooLarge("size of a file"));
    // More in all than is unpacked, each file within its own limit.
    let files = limits::OFD_UNPACKED_BYTES / limits::OFD_FILE_BYTES + 1;
    let names: Vec<String> = (0..files).map(|nth| format!("{nth}.xml")).collect();
    let mut many = super::package::write(names.iter().map(|name| (name.as_str(), &b"aaaaaaaaaaaaaaaaaaaa"[..])));
    let heads: Vec<usize> =
        (0..many.len() - 4).filter(|&at| matches!(&many[at..at + 4], b"PK\x01\x02" | b"PK\x03\x04")).collect();
    for at in heads {
        let size = if many[at + 2] == 1 { at + 24 } else { at + 22 };
        many[size..size + 4].copy_from_slice(&(limits::OFD_FILE_BYTES as u32).to_le_bytes());
    }
    assert_eq!(refused(&many), PackageFault::TooLarge("unpacked size"));
    let crowd: Vec<String> = (0..=limits::OFD_ENTRIES).map(|nth| format!("{nth}")).collect();
    let crowd = super::package::write(crowd.iter().map(|name| (name.as_str(), &b""[..])));
    assert_eq!(refused(&crowd), PackageFault::TooLarge("number of files"));

    let plain = Archive::new().local("OFD.xml", b"<OFD/>").finished();
    let central = plain.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    for flags in [1_u16, 1 << 6, 1 << 13] {
        let mut bytes = plain.clone();
        for at in [6, central + 8] {
            bytes[at..at + 2].copy_from_slice(&flags.to_le_bytes());
        }
        assert_eq!(refused(&bytes), PackageFault::Unreadable("OFD.xml".into()));
    }
    // A link, as Unix packs it.
    let mut link = plain;
    (link[central + 5], link[central + 41]) = (3, 0xA0);
    assert_eq!(refused(&link), PackageFault::Name("OFD.xml".into()));
}

#[test]
fn the_head_of_a_file_is_read_alone() {
    let page =
        b"<p:Page><p:Area><p:PhysicalBox>0 0 5 7</p:PhysicalBox></p:Area><p:Content><p:Content/></p:Content></p:Page>";
    let head = Node::read_before(page, Some("Content")).unwrap();
    assert_eq!(head.children.iter().map(|child| child.name.as_str()).collect::<Vec<_>>(), ["Area"]);
    assert_eq!(Node::read(page).unwrap().children.len(), 2);
    // Only a child of the root ends it, and a file without one is read whole.
    assert_eq!(Node::read_before(page, Some("PhysicalBox")).unwrap(), Node::read(page).unwrap());
    assert_eq!(Node::read_before(b"<Page><Area/></Page>", Some("Content")).unwrap().children.len(), 1);
    assert!(Node::read_before(b"<Page><Area></Page>", Some("Content")).is_err());
}

#[test]
fn xml_says_one_thing() {
    let node = Node::read(
        "\u{FEFF}<?xml version=\"1.0\"?><o:A xmlns:o='x' o:ID='1&lt;'>a&amp;<![CDATA[<]]>&#x4E00;<o:B/> </o:A>"
            .as_bytes(),
    )
    .unwrap();
    assert_eq!((node.name.as_str(), node.text.as_str(), node.attribute("ID")), ("A", "a&<一", Some("1<")));
    assert!(node.child("B").is_some());
    assert_eq!(node.namespace.as_deref(), Some("x"));
    // A declaration is no attribute.
    assert_eq!(Node::read(b"<a xmlns:ID='1'/>").unwrap().attribute("ID"), None);
    for wrong in [
        "",
        "<a>",
        "<a/><b/>",
        "<a></b>",
        "x<a/>",
        "<a x='1' x='2'/>",
        "<a xmlns:o='u' x='1' o:x='2'/>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        "<a>&b;</a>",
        "<a>&#xD800;</a>",
        &"<a>".repeat(1000),
    ] {
        assert!(Node::read(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

/// What a forger adds to a signed package whose list leaves the entrance open: a document of his own, each of whose files is
/// named as a list of signatures or as another signature's seal, so that nobody would ask about it.
#[test]
fn what_only_claims_to_be_a_signature_is_asked_about() {
    let value = [0x30, 6, 2, 1, 1, 2, 1, 1];
    let digest = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, Digest::Sm3.over(&[b"<a/>"]));
    let signature = |seal: &str| {
        format!(
            "<Signature><SignedInfo><References CheckMethod='SM3'><Reference FileRef='/a.xml'><CheckValue>{digest}</CheckValue>\
             </Reference></References>{seal}</SignedInfo><SignedValue>value</SignedValue></Signature>"
        )
    };
    let package = |entrance: &str, seal: &str, kind: &str| {
        let list = format!("<Signatures><Signature ID='1' Type='{kind}' BaseLoc='s.xml'/></Signatures>");
        let files = [
            ("OFD.xml", entrance.to_owned()),
            ("list.xml", list),
            ("s.xml", signature(seal)),
            ("a.xml", "<a/>".into()),
            ("b.xml", "<b/>".into()),
        ];
        let files: Vec<(&str, Vec<u8>)> = files.map(|(name, text)| (name, text.into_bytes())).into();
        let files = files.iter().map(|(name, bytes)| (*name, bytes.as_slice()));
        super::package::write(files.chain([("value", &value[..])]))
    };
    let body = |list: &str| format!("<DocBody><Signatures>{list}</Signatures></DocBody>");
    let honest = format!("<OFD>{}</OFD>", body("list.xml"));
    let read = Reading::of(&package(&honest, "", "Sign")).unwrap();
    assert_eq!(
        (read.signatures[0].uncovered.join(" ").as_str(), read.signatures[0].changed.len()),
        ("OFD.xml b.xml", 0)
    );
    for list in ["b.xml", "OFD.xml", "list.xml", "s.xml"] {
        let entrance = format!("<OFD>{}{}</OFD>", body("list.xml"), body(list));
        let refused = Reading::of(&package(&entrance, "", "Sign")).unwrap_err();
        assert!(matches!(refused, SignaturesFault::Malformed { .. }), "{list}: {refused}");
    }
    // An entrance that is its own list of signatures, or is called in another way.
    let own = format!("<Signatures>{}</Signatures>", body("list.xml"));
    assert!(matches!(Reading::of(&package(&own, "", "Sign")), Err(SignaturesFault::Malformed { .. })));
    let renamed = super::package::write([("ofd.xml", honest.as_bytes())]);
    assert_eq!(Reading::of(&renamed).unwrap_err(), SignaturesFault::Missing("OFD.xml".into()));
    let many = format!("<OFD>{}</OFD>", "<DocBody/>".repeat(17));
    assert_eq!(Reading::of(&package(&many, "", "Sign")).unwrap_err(), SignaturesFault::TooMany("documents"));
    for kind in ["Sign", "Seal"] {
        let read = Reading::of(&package(&honest, "<Seal><BaseLoc>b.xml</BaseLoc></Seal>", kind)).unwrap();
        assert!(read.signatures[0].uncovered.iter().any(|file| file == "b.xml"), "{kind}");
    }
}
