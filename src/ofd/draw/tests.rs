use super::draw;
use crate::ofd::package;
use crate::ofd::xml::Node;
use crate::pki::trial::{self, Hierarchy, Key};
use crate::ses::trial::Made;

/// Every element and attribute of an SVG that was drawn: nothing that runs, nothing that is fetched.
fn harmless(svg: &str) -> Node {
    fn walk(node: &Node) {
        const DRAWN: [&str; 11] =
            ["svg", "defs", "rect", "g", "path", "use", "image", "text", "clipPath", "title", "desc"];
        assert!(DRAWN.contains(&node.name.as_str()), "{}", node.name);
        if let Some(href) = node.attribute("href") {
            assert!(href.starts_with('#') || href.starts_with("data:image/"), "{href:.80}");
        }
        for handler in ["onload", "onclick", "onerror"] {
            assert_eq!(node.attribute(handler), None);
        }
        node.children.iter().for_each(walk);
    }
    let root = Node::read(svg.as_bytes()).unwrap();
    walk(&root);
    root
}

fn count(node: &Node, name: &str) -> usize {
    usize::from(node.name == name) + node.children.iter().map(|child| count(child, name)).sum::<usize>()
}

/// A package of one page with these objects, and one font that is not embedded.
fn page(objects: &str) -> Vec<u8> {
    let content = format!("<Page><Content><Layer Type=\"Body\">{objects}</Layer></Content></Page>");
    package::write([
        ("OFD.xml", &b"<OFD><DocBody><DocRoot>D/Document.xml</DocRoot></DocBody></OFD>"[..]),
        (
            "D/Document.xml",
            b"<Document><CommonData><PageArea><PhysicalBox>0 0 100 50</PhysicalBox></PageArea><PublicRes>Res.xml</PublicRes>\
              </CommonData><Pages><Page ID=\"1\" BaseLoc=\"P.xml\"/></Pages></Document>",
        ),
        (
            "D/Res.xml",
            "<Res><Fonts><Font ID=\"5\" FontName=\"宋体&quot;;x:url(a)\"/></Fonts><DrawParams><DrawParam ID=\"6\" LineWidth=\"2\" \
             Relative=\"7\"/><DrawParam ID=\"7\" Relative=\"6\"><FillColor Value=\"0 0 255\"/></DrawParam></DrawParams>\
             <CompositeGraphicUnits><CompositeGraphicUnit ID=\"8\"><Content><CompositeObject ResourceID=\"8\"/></Content>\
             </CompositeGraphicUnit></CompositeGraphicUnits></Res>"
                .as_bytes(),
        ),
        ("D/P.xml", content.as_bytes()),
    ])
}

fn only(objects: &str) -> (Node, String, Vec<&'static str>) {
    let drawing = draw(&page(objects), 6).unwrap();
    let svg = drawing.pages[0].svg.clone();
    assert_eq!((drawing.of, drawing.pages[0].width_mm), (1, 100.0));
    (harmless(&svg), svg, drawing.left_out.iter().map(|one| one.id).collect())
}

#[test]
fn paths_are_drawn_with_their_lines_and_colours() {
    let (root, svg, left_out) = only(
        "<PathObject Boundary=\"1 2 10 10\" CTM=\"2 0 0 2 0 0\" Fill=\"true\" Stroke=\"false\" Rule=\"Even-Odd\" DrawParam=\"6\">\
         <AbbreviatedData>S 0 0 L 1 1 Q 1 2 3 4 B 1 2 3 4 5 6 A 2 2 0 0 1 5 5 C</AbbreviatedData></PathObject>\
         <PathObject Boundary=\"0 0 0 0\" LineWidth=\"0.5\" DashPattern=\"1 2\" Alpha=\"51\"><StrokeColor Value=\"#FF 0 0 0\"/>\
         <Clips><Clip><Area CTM=\"1 0 0 1 3 3\"><Path Boundary=\"0 0 1 1\"><AbbreviatedData>M 0 0 L 1 1</AbbreviatedData></Path>\
         </Area></Clip></Clips><AbbreviatedData>M 0 0 L 9 9</AbbreviatedData></PathObject>",
    );
    for wanted in [
        "<g transform=\"translate(1 2) matrix(2 0 0 2 0 0)\">",
        "d=\"M 0 0L 1 1Q 1 2 3 4C 1 2 3 4 5 6A 2 2 0 0 1 5 5Z\" fill=\"#0000ff\" fill-rule=\"evenodd\"",
        "stroke=\"#00ffff\" stroke-width=\"0.5\" stroke-dasharray=\"1 2\"",
        "opacity=\"0.200\"",
        "transform=\"matrix(1 0 0 1 3 3) translate(0 0)\"",
    ] {
        assert!(svg.contains(wanted), "{wanted} in {svg}");
    }
    assert_eq!((count(&root, "clipPath"), left_out), (1, vec![]));
}

#[test]
fn letters_without_an_embedded_face_keep_their_places() {
    let (root, svg, left_out) = only(
        "<TextObject Boundary=\"10 10 50 5\" Font=\"5\" Size=\"4\"><TextCode X=\"0\" Y=\"4\" DeltaX=\"g 2 4.5 3\"> 汶&lt;川</TextCode>\
         <TextCode Y=\"9\">下</TextCode></TextObject>",
    );
    for wanted in [
        "translate(4.5000 4.0000)",
        "translate(9.0000 4.0000)",
        "translate(12.0000 4.0000)",
        "translate(0.0000 9.0000)",
    ] {
        assert!(svg.contains(wanted), "{wanted} in {svg}");
    }
    assert!(!svg.contains("url(a)"), "{svg}");
    assert_eq!((count(&root, "text"), left_out), (4, vec!["ofd.face"]));
}

#[test]
fn what_is_not_drawn_is_said() {
    let objects = "<ImageObject Boundary=\"0 0 1 1\" ResourceID=\"9\"/><CompositeObject ResourceID=\"8\"/><VideoObject/>\
                   <PathObject><AbbreviatedData>M 0 NaN</AbbreviatedData></PathObject><CompositeObject ResourceID=\"4\"/>\
                   <PathObject Fill=\"true\"><FillColor><AxialShd><Segment><Color Value=\"1 2 3\"/></Segment></AxialShd></FillColor>\
                   <AbbreviatedData>M 0 0 L 1 1</AbbreviatedData></PathObject>";
    let (_, svg, left_out) = only(objects);
    for wanted in ["ofd.picture", "ofd.deep", "ofd.object", "ofd.path", "ofd.compound", "ofd.shade"] {
        assert!(left_out.contains(&wanted), "{wanted} in {left_out:?}");
    }
    assert!(svg.contains("#010203"));
}

/// Three pages, a stamp on the third, and another document whose signature names a page of the same identifier.
#[test]
fn pages_with_seals_come_first_and_only_with_their_own() {
    let seal = Made::of(&Hierarchy::of(Key::sm2)).seal;
    let signature = |page: &str| {
        format!(
            "<Signature><SignedInfo><References/><Seal><BaseLoc>/Seal.esl</BaseLoc></Seal>\
             <StampAnnot PageRef=\"{page}\" Boundary=\"10 10 40 40\"/></SignedInfo><SignedValue>/none</SignedValue></Signature>"
        )
    };
    let (ours, theirs) = (signature("12"), signature("11"));
    let page = b"<Page/>";
    let bytes = package::write([
        (
            "OFD.xml",
            "<OFD><DocBody><DocRoot>D/Document.xml</DocRoot><Signatures>D/Signs.xml</Signatures></DocBody>\
             <DocBody><DocRoot>E/Document.xml</DocRoot><Signatures>E/Signs.xml</Signatures></DocBody></OFD>"
                .as_bytes(),
        ),
        (
            "D/Document.xml",
            b"<Document><CommonData/><Pages><Page ID=\"10\" BaseLoc=\"P.xml\"/><Page ID=\"11\" BaseLoc=\"P.xml\"/>\
              <Page ID=\"12\" BaseLoc=\"P.xml\"/></Pages></Document>",
        ),
        ("D/P.xml", page),
        ("D/Signs.xml", b"<Signatures><Signature ID=\"1\" BaseLoc=\"S.xml\"/></Signatures>"),
        ("D/S.xml", ours.as_bytes()),
        ("E/Signs.xml", b"<Signatures><Signature ID=\"1\" BaseLoc=\"S.xml\"/></Signatures>"),
        ("E/S.xml", theirs.as_bytes()),
        ("Seal.esl", &seal),
        ("none", b""),
    ]);
    let drawing = draw(&bytes, 2).unwrap();
    let drawn: Vec<_> = drawing.pages.iter().map(|sheet| (sheet.number, sheet.seals.as_slice())).collect();
    assert_eq!((drawn, drawing.of), (vec![(3, &[1][..]), (1, &[][..])], 3));
    // The paper, the seal, and the page that is its picture.
    assert_eq!(count(&harmless(&drawing.pages[0].svg), "svg"), 3);
    assert_eq!(drawing.left_out.iter().map(|one| one.id).collect::<Vec<_>>(), ["ofd.documents"]);
    let all = draw(&bytes, 6).unwrap();
    assert!(all.pages.iter().all(|sheet| sheet.seals.is_empty() == (sheet.number != 3)), "{all:?}");
}

#[test]
fn what_is_said_of_a_strangers_file_is_short_and_stays_in_line() {
    let name = format!("宋\u{202E}体&#10;{}", "长".repeat(1000));
    let objects = format!("<{0}/>", "x".repeat(5000));
    let said = draw(&page(&objects), 1).unwrap().left_out.remove(0);
    assert_eq!((said.id, said.en.chars().count()), ("ofd.object", crate::limits::PREVIEW_OMISSION_LETTERS));
    assert!(super::plain(&name).starts_with("宋体&#10;长"));
    assert_eq!(super::plain("a\nb\u{2066}c"), "abc");
}

/// Foreign packages, whole and with bytes changed at random: each gives pages or a fault.
#[test]
fn foreign_packages_are_drawn() {
    let kinds = ["ofd-signed", "ofd-signed-mismatch", "ofd-unsigned", "ofd-malformed"];
    let (mut drawn, mut letters) = (0, 0);
    for (file, bytes) in trial::corpus_files(&kinds) {
        let drawing = match draw(&bytes, 3) {
            Ok(drawing) => drawing,
            Err(fault) => {
                eprintln!("{file}: {fault}");
                continue;
            }
        };
        for sheet in &drawing.pages {
            let root = harmless(&sheet.svg);
            letters += count(&root, "use") + count(&root, "text");
            drawn += 1;
        }
        let said: Vec<&str> = drawing.left_out.iter().map(|one| one.zh.as_str()).collect();
        let size: usize = drawing.pages.iter().map(|sheet| sheet.svg.len()).sum();
        eprintln!("{file}: {} of {} pages, {size} bytes; {said:?}", drawing.pages.len(), drawing.of);

        let package = package::Package::open(&bytes).unwrap();
        let files: Vec<(String, Vec<u8>)> =
            package.entries().iter().map(|e| (e.name.clone(), package.unpack(e).unwrap())).collect();
        if bytes.len() > 60_000 {
            continue;
        }
        for turn in 0_usize..20 {
            let mut files = files.clone();
            for (place, (_, content)) in files.iter_mut().enumerate() {
                let at = (turn * 7919 + place * 104_729) % content.len().max(1);
                if let Some(byte) = content.get_mut(at) {
                    *byte = byte.wrapping_add(1);
                }
            }
            let changed = package::write(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
            drop(draw(&changed, 2));
        }
    }
    if trial::corpus("INDEX.tsv").is_some() {
        assert!(drawn > 20 && letters > 2000, "{drawn} pages, {letters} letters");
    }
}
