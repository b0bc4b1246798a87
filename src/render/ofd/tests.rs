use std::collections::BTreeSet;

use serde_json::json;

use super::super::tests::{AT, NAMES, example, read_back, renderer, settings, write};
use super::super::{RenderSettings, Renderer};
use crate::ofd::package::Package;
use crate::ofd::xml::Node;

fn node(package: &Package<'_>, name: &str) -> Node {
    Node::read(&package.unpack(package.entry(name).unwrap()).unwrap()).unwrap()
}

fn numbers(text: &str) -> Vec<f64> {
    text.split(' ').map(|number| number.parse().unwrap()).collect()
}

/// What stands in the pages' text objects: page, left end on the baseline, characters.
fn runs(package: &Package<'_>) -> Vec<(u32, f64, f64, String)> {
    let mut runs = Vec::new();
    for page in 0.. {
        let name = format!("Doc_0/Pages/Page_{page}/Content.xml");
        if package.entry(&name).is_none() {
            break;
        }
        let content = node(package, &name);
        let layer = content.child("Content").unwrap().child("Layer").unwrap();
        for object in layer.all("TextObject") {
            let boundary = numbers(object.attribute("Boundary").unwrap());
            let code = object.child("TextCode").unwrap();
            let of = |name| code.attribute(name).unwrap().parse::<f64>().unwrap();
            let steps = code.attribute("DeltaX").map_or(0, |steps| numbers(steps).len());
            // Of a ligature only the glyphs are counted.
            let glyphs = if object.child("CGTransform").is_some_and(|one| one.attribute("CodeCount") != Some("1")) {
                1
            } else {
                code.text.chars().count()
            };
            assert_eq!(steps + 1, glyphs, "{}", code.text);
            runs.push((page + 1, boundary[0] + of("X"), boundary[1] + of("Y"), code.text.clone()));
        }
    }
    runs
}

#[test]
fn both_files_of_a_document_say_the_same_in_the_same_places() {
    for name in NAMES {
        let data = example(name);
        let draft = renderer().render_ofd(name, &data, "test", AT).unwrap();
        let pdf = renderer().render(name, &data, "test", AT).unwrap();
        assert_eq!((draft.pages, draft.seal_place, &draft.template), (pdf.pages, pdf.seal_place, &pdf.template));

        let package = Package::open(&draft.ofd).unwrap();
        let written = runs(&package);
        let laid_out = read_back(name, &data).unwrap();
        let text = |runs: Vec<&str>| runs.concat();
        assert_eq!(
            text(written.iter().map(|run| run.3.as_str()).collect()),
            text(laid_out.iter().map(|run| run.text.as_str()).collect()),
            "{name}"
        );
        for run in &laid_out {
            // Opening brackets are set back within their own width.
            let near = |one: &&(u32, f64, f64, String)| {
                one.0 == run.page && (one.2 - run.y).abs() < 0.002 && run.text.starts_with(&one.3)
            };
            let found = written.iter().find(|one| near(one) && (one.1 - run.x).abs() < run.points * 0.3528);
            assert!(found.is_some(), "{name}: {run:?}");
        }
        let attached = package.unpack(package.entry("Doc_0/Attachs/data.json").unwrap()).unwrap();
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&attached).unwrap(), data);
        assert_eq!(renderer().render_ofd(name, &data, "test", AT).unwrap().ofd, draft.ofd, "the same bytes");
        assert_ne!(renderer().render_ofd(name, &data, "other", AT).unwrap().ofd, draft.ofd);
    }
}

/// GB/T 33190 §7.5: every part has its own identifier, and MaxUnitID is none below them.
#[test]
fn every_identifier_is_given_once() {
    fn collect(node: &Node, into: &mut Vec<u32>) {
        into.extend(node.attribute("ID").and_then(|id| id.parse::<u32>().ok()));
        node.children.iter().for_each(|child| collect(child, into));
    }
    let draft = renderer().render_ofd(NAMES[0], &example(NAMES[0]), "test", AT).unwrap();
    let package = Package::open(&draft.ofd).unwrap();
    let mut ids = Vec::new();
    for entry in package.entries().iter().filter(|e| e.name.ends_with(".xml") && !e.name.contains("Attach")) {
        collect(&node(&package, &entry.name), &mut ids);
    }
    let highest =
        node(&package, "Doc_0/Document.xml").child("CommonData").unwrap().child("MaxUnitID").unwrap().text.clone();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    assert_eq!(*ids.iter().max().unwrap(), highest.parse::<u32>().unwrap());
}

/// A reader that looks up each character in the embedded face draws the letters that the template's face has.
#[test]
fn embedded_faces_draw_the_characters_they_are_asked_for() {
    #[derive(Default, PartialEq, Debug)]
    struct Steps(Vec<[i32; 6]>);
    impl ttf_parser::OutlineBuilder for Steps {
        fn move_to(&mut self, x: f32, y: f32) {
            self.0.push([x as i32, y as i32, 0, 0, 0, 0]);
        }
        fn line_to(&mut self, x: f32, y: f32) {
            self.0.push([x as i32, y as i32, 1, 0, 0, 0]);
        }
        fn quad_to(&mut self, a: f32, b: f32, x: f32, y: f32) {
            self.curve_to(a, b, a, b, x, y);
        }
        fn curve_to(&mut self, a: f32, b: f32, c: f32, d: f32, x: f32, y: f32) {
            self.0.push([a, b, c, d, x, y].map(|v| v as i32));
        }
        fn close(&mut self) {}
    }
    let draw = |face: &ttf_parser::Face<'_>, character| {
        let mut steps = Steps::default();
        face.outline_glyph(face.glyph_index(character)?, &mut steps)?;
        Some(steps)
    };
    let draft = renderer().render_ofd(NAMES[1], &example(NAMES[1]), "test", AT).unwrap();
    let package = Package::open(&draft.ofd).unwrap();
    let fonts = node(&package, "Doc_0/PublicRes.xml");
    let bold =
        fonts.child("Fonts").unwrap().all("Font").find(|f| f.attribute("FontName") == Some("NotoSerifCJKsc-Bold"));
    let file = format!("Doc_0/Res/{}", bold.unwrap().child("FontFile").unwrap().text);
    let file = package.unpack(package.entry(&file).unwrap()).unwrap();
    let face = ttf_parser::Face::parse(&file, 0).unwrap();
    // The seals' face is the same bold Song.
    for character in "食品经营许可证".chars() {
        let drawn = draw(&face, character);
        assert!(drawn.is_some() && drawn == draw(renderer().serif_face(), character), "{character}");
    }
    assert_eq!(draw(&face, '汶').is_some(), example(NAMES[1])["issuer"].as_str().unwrap().contains('汶'));
    assert_eq!(face.glyph_index('龘'), None);
    assert!(face.tables().os2.is_some() && file.len() < 100_000);
}

#[test]
fn a_licence_carries_its_metadata_and_other_documents_none() {
    let elements = |name: &str| {
        let draft = renderer().render_ofd(name, &example(name), "test", AT).unwrap();
        let package = Package::open(&draft.ofd).unwrap();
        let entrance = node(&package, "OFD.xml");
        let info = entrance.child("DocBody").unwrap().child("DocInfo").unwrap();
        let data = info.child("CustomDatas");
        let all = data.iter().flat_map(|data| data.all("CustomData"));
        all.map(|one| format!("{}={}", one.attribute("Name").unwrap(), one.text)).collect::<Vec<_>>()
    };
    let licence = elements(NAMES[1]);
    for wanted in [
        "ZZMC=食品经营许可证",
        "ZZBS=1.2.156.3005.2.11100000MB0143028R013.11513221MB10000020.JY25132210000017.001.L",
        "ZZLXDM=11100000MB0143028R013",
        "ZZBFJG=汶川县行政审批局",
        "ZZBFJGDM=11513221MB10000020",
        "CZZTDM=92513221MA60000084",
        "ZZYXQJZRQ=20260107",
        "CZZTDMLXDM=001",
    ] {
        assert!(licence.iter().any(|one| one == wanted), "{wanted} in {licence:#?}");
    }
    assert_eq!(elements(NAMES[0]), Vec::<String>::new());
}

/// What Typst can draw and OFD objects are not written for is refused, not left out; what can be written is.
#[test]
fn what_cannot_be_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "t/template.toml", "version='1'\ntitle_zh='t'\ntitle_en='t'\nfonts=['Noto Serif CJK SC']");
    write(folder.path(), "t/schema.json", "{}");
    let render = |what: &str| {
        let main = format!("#set text(font: \"Noto Serif CJK SC\", fallback: false)\n{what} #metadata(1) <seal>");
        write(folder.path(), "t/main.typ", &main);
        let renderer = Renderer::load(&RenderSettings { templates: folder.path().into(), ..settings() }).unwrap();
        renderer.render_ofd("t", &json!({}), "t", AT)
    };
    for refused in [
        "#rect(fill: gradient.linear(red, blue))",
        "#text(stroke: 1pt)[证]",
        "#box(clip: true, width: 2mm)[证证证]",
        "#scale(x: 200%, line(stroke: 2pt))",
    ] {
        let said = render(refused).unwrap_err().message();
        assert!(said.en.contains("OFD: "), "{refused}: {said}");
    }
    let drawn =
        render("#rotate(30deg)[证fi照] #scale(200%)[大] #line(stroke: (dash: \"dashed\")) #circle(fill: red)").unwrap();
    let package = Package::open(&drawn.ofd).unwrap();
    let content = node(&package, "Doc_0/Pages/Page_0/Content.xml");
    let layer = content.child("Content").unwrap().child("Layer").unwrap();
    let turned = layer.all("TextObject").find(|o| o.attribute("CTM").is_some()).unwrap();
    assert!(turned.attribute("CTM").unwrap().starts_with("0.866025 0.5 -0.5 0.866025 "), "{turned:?}");
    let large = layer.all("TextObject").find(|o| o.child("TextCode").unwrap().text == "大").unwrap();
    assert_eq!((large.attribute("Size"), large.attribute("CTM")), (Some("7.761"), None));
    assert!(layer.all("PathObject").any(|o| o.attribute("DashPattern").is_some()));
    assert!(layer.all("PathObject").any(|o| o.attribute("Fill") == Some("true")));
}
