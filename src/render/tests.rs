use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Value, json};
use time::macros::datetime;
use typst::layout::{Frame, FrameItem, Transform};

use super::*;

pub(super) const NAMES: [&str; 4] =
    ["approval-decision", "food-operation-licence", "seal-abolition-notice", "verification-report"];
pub(super) const AT: OffsetDateTime = datetime!(2021-01-08 02:00 UTC);

pub(super) fn settings() -> RenderSettings {
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    RenderSettings { templates, fonts: vec![DEBIAN_FONTS.into()] }
}

pub(super) fn renderer() -> &'static Renderer {
    static ONE: OnceLock<Renderer> = OnceLock::new();
    ONE.get_or_init(|| Renderer::load(&settings()).unwrap())
}

pub(super) fn example(name: &str) -> Value {
    let file = settings().templates.join(name).join("example.json");
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

/// One run of text as laid out: page from 1, mm from the top left to its start on the baseline.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) page: u32,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) points: f64,
    pub(super) text: String,
}

/// What a reader of the document would see, run by run.
pub(super) fn read_back(name: &str, data: &Value) -> Result<Vec<Run>, RenderError> {
    fn walk(frame: &Frame, at: Transform, page: u32, runs: &mut Vec<Run>) {
        for (point, item) in frame.items() {
            let here = at.pre_concat(Transform::translate(point.x, point.y));
            match item {
                FrameItem::Group(group) => walk(&group.frame, here.pre_concat(group.transform), page, runs),
                FrameItem::Text(text) => {
                    assert!(text.glyphs.iter().all(|g| g.id != 0), "no glyph in {:?}", text.text);
                    let (x, y, points) = (here.tx.to_mm(), here.ty.to_mm(), text.size.to_pt());
                    runs.push(Run { page, x, y, points, text: text.text.to_string() });
                }
                _ => {}
            }
        }
    }
    let renderer = renderer();
    let template = renderer.template(name).unwrap();
    template.form().check(data)?;
    renderer.paper.check_characters(template, data)?;
    let desk = renderer.paper.desk(template, data, data.to_string(), (None, &metadata(template, data, None)))?;
    let document = typst::compile::<PagedDocument>(&desk).output.map_err(|e| desk.explain(&e))?;
    let mut runs = Vec::new();
    for (i, page) in document.pages().iter().enumerate() {
        walk(&page.frame, Transform::identity(), i as u32 + 1, &mut runs);
    }
    Ok(runs)
}

pub(super) fn whole_text(runs: &[Run]) -> String {
    runs.iter().map(|r| r.text.as_str()).collect()
}

#[test]
fn every_template_renders_its_example_with_the_seal_over_issuer_and_date() {
    for (name, pages) in NAMES.into_iter().zip([2, 1, 2]) {
        let data = example(name);
        let draft = renderer().render(name, &data, "test", AT).unwrap();
        assert!(draft.pdf.starts_with(b"%PDF-1.7") && draft.pdf.ends_with(b"%%EOF\n"), "{name}");
        assert_eq!((draft.pages, draft.seal_place.page), (pages, pages), "{name}");

        let runs = read_back(name, &data).unwrap();
        let (x, y) = draft.seal_place.centre_mm;
        let under_seal = |words: &str| {
            let run = runs.iter().rfind(|r| r.page == pages && r.text.contains(words) && r.points > 12.0).unwrap();
            let reach = run.x..run.x + run.text.chars().count() as f64 * run.points * 0.3528;
            assert!(reach.contains(&x), "{name}: {words} at {} is not under the seal at {x}", run.x);
            run.y - y
        };
        let day = data["issued_on"].as_str().unwrap();
        let (date, issuer) = (under_seal(&format!("{}年", &day[..4])), under_seal(data["issuer"].as_str().unwrap()));
        // Both lines within the 40 mm seal, the date below its middle, the issuer about it (GB/T 9704 §7.3.5.1).
        assert!((2.0..15.0).contains(&date) && (-8.0..4.0).contains(&issuer), "{name}: {date} {issuer}");
    }
}

#[test]
fn the_same_input_gives_the_same_bytes_also_from_many_threads() {
    let alone: Vec<_> = NAMES.iter().map(|n| renderer().render(n, &example(n), "same", AT).unwrap().pdf).collect();
    std::thread::scope(|scope| {
        for turn in 0..4 {
            let alone = &alone;
            scope.spawn(move || {
                for i in 0..6 {
                    let k = (i + turn) % 3;
                    assert_eq!(renderer().render(NAMES[k], &example(NAMES[k]), "same", AT).unwrap().pdf, alone[k]);
                }
            });
        }
    });
    let other = renderer().render(NAMES[1], &example(NAMES[1]), "other", AT).unwrap().pdf;
    assert_ne!(other, alone[1], "the file identifier comes from ident");
}

/// Over every page, in both formats, and in what the files say of themselves; a document that is no copy says nothing of it.
#[test]
fn a_copy_says_so_on_every_page_and_in_both_files() {
    use crate::licence::annotation::Claimed;
    use crate::licence::metadata::Metadata;
    let annotation = Annotation {
        number: "0123456789012345".into(),
        identifier: crate::licence::LicenceIdentifier::parse(
            "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U",
        )
        .unwrap(),
        purpose: "办理银行开户, 一次=有效 #panic()".into(),
        requester: "某银行汶川支行".into(),
        maker: "汶川县行政审批局".into(),
        made_at: AT,
        expires_at: AT + time::Duration::days(30),
    };
    let read = |said: &[(String, String)]| Metadata::read(said.iter().map(|(k, v)| (k.as_str(), v.as_str())));
    for name in &NAMES[..2] {
        let data = example(name);
        let pdf = renderer().render_copy((name, &data), &annotation, "t", AT).unwrap();
        let ofd = renderer().render_ofd_copy((name, &data), &annotation, "t", AT).unwrap();
        let plain = renderer().render(name, &data, "t", AT).unwrap();
        assert_eq!((pdf.pages, pdf.seal_place), (plain.pages, plain.seal_place), "{name}: nothing moves");
        for words in ["加注件　仅供某银行汶川支行用于：办理银行开户", "有效期至2021-02-07"] {
            let pages = |found: Vec<u32>| found.into_iter().collect::<BTreeSet<_>>().len() as u32;
            let in_pdf = crate::pdf::text::occurrences(&pdf.pdf, words).unwrap();
            let in_ofd = crate::ofd::text::occurrences(&ofd.ofd, words).unwrap();
            assert_eq!(pages(in_pdf.iter().map(|f| f.page).collect()), pdf.pages, "{name}: {words}");
            assert_eq!(pages(in_ofd.iter().map(|f| f.page).collect()), ofd.pages, "{name}: {words}");
            assert!(crate::pdf::text::occurrences(&plain.pdf, words).unwrap().is_empty());
        }
        let said = read(&crate::pdf::signatures::read(pdf.pdf.as_slice()).unwrap().info);
        assert_eq!(said, read(&crate::ofd::reading::Reading::of(&ofd.ofd).unwrap().data), "{name}");
        assert_eq!(said.copy(), Some(Claimed::from(&annotation)), "{name}");
        let said = read(&crate::pdf::signatures::read(plain.pdf.as_slice()).unwrap().info);
        assert_eq!(said.copy(), None);
        assert_eq!(said.get("ZZBS").is_some(), *name == "food-operation-licence");
    }
    for (bad, id) in [("某\u{323AF}", "render.missing-glyph"), ("某\u{202e}行", "render.missing-glyph")] {
        let annotation = Annotation { requester: bad.into(), ..annotation.clone() };
        let refused = renderer().render_copy((NAMES[1], &example(NAMES[1])), &annotation, "t", AT).unwrap_err();
        assert_eq!(refused.message().id, id);
    }
}

#[test]
fn data_is_text_and_never_markup() {
    let tricks = r##"#panic() *a* _b_ $x^2$ #"c" <seal> @d [e] // f \u{41} https://g"##;
    let mut data = example("food-operation-licence");
    data["operator_name"] = json!(&tricks[..58]);
    data["business_items"] = json!(["#read(\"/etc/pa\")", "= 标题", "- 项"]);
    let text = whole_text(&read_back("food-operation-licence", &data).unwrap()).replace(' ', "");
    assert!(text.contains(&tricks[..58].replace(' ', "")), "{text}");
    assert!(text.contains("#read(\"/etc/pa\")；=标题；-项"), "{text}");
}

#[test]
fn hidden_characters_are_refused() {
    for hidden in ['\u{0}', '\n', '\t', '\u{7f}', '\u{ad}', '\u{200b}', '\u{202e}', '\u{2066}', '\u{feff}', '\u{e0041}']
    {
        let mut data = example("food-operation-licence");
        data["operator_name"] = json!(format!("示例{hidden}店"));
        let refused = renderer().render("food-operation-licence", &data, "t", AT).unwrap_err();
        assert!(refused.message().zh.contains("经营者名称"), "{}", refused.message());
        // A template whose schema forgets the pattern is covered by the second check.
        let template = renderer().template("food-operation-licence").unwrap();
        assert!(renderer().paper.check_characters(template, &data).is_err(), "{hidden:?}");
    }
}

#[test]
fn a_missing_glyph_names_character_and_field() {
    let mut data = example("approval-decision");
    data["conditions"] = json!(["好", "某\u{323AF}某"]);
    let refused = renderer().render("approval-decision", &data, "t", AT).unwrap_err();
    assert!(matches!(&refused, RenderError::Character { character: '\u{323AF}', field: Some(_) }), "{refused:?}");
    let said = refused.message();
    assert!(said.zh.contains("许可条件 第2项") && said.en.contains("U+323AF"), "{said}");
}

#[test]
fn a_missing_glyph_in_the_template_itself_is_an_error_too() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "t/template.toml", "version='1'\ntitle_zh='t'\ntitle_en='t'\nfonts=['Noto Serif CJK SC']");
    write(folder.path(), "t/schema.json", "{}");
    let main = "#set text(font: \"Noto Serif CJK SC\", fallback: false)\n某\u{323AF}某 #metadata(1) <seal>";
    write(folder.path(), "t/main.typ", main);
    let renderer = Renderer::load(&RenderSettings { templates: folder.path().into(), ..settings() }).unwrap();
    let refused = renderer.render("t", &json!({}), "t", AT).unwrap_err().message();
    assert!(refused.zh.contains('\u{323AF}') && refused.zh.contains("t/main.typ:2"), "{refused}");
}

#[test]
fn broken_data_is_refused_by_field_in_both_languages() {
    let mut data = example("seal-abolition-notice");
    data["seals"][1]["number"] = json!("12");
    data["surprise"] = json!(1);
    data.as_object_mut().unwrap().remove("reason");
    data["issued_on"] = json!("2021-02-30");
    let RenderError::Data { faults } = renderer().render("seal-abolition-notice", &data, "t", AT).unwrap_err() else {
        panic!("not refused by the schema")
    };
    let pointers: BTreeSet<_> = faults.iter().map(|f| f.pointer.as_str()).collect();
    assert_eq!(pointers, BTreeSet::from(["", "/issued_on", "/reason", "/seals/1/number"]));
    let said = RenderError::Data { faults }.message();
    assert!(said.zh.contains("“废止印章目录 第2项 印章编号”格式不对"), "{said}");
    assert!(said.en.contains("\"Reason\" is missing"), "{said}");
}

#[test]
fn the_seal_never_stands_on_a_page_without_text() {
    for count in 0..30 {
        let mut data = example("approval-decision");
        data["conditions"] = json!(vec!["设施应当保持整洁、完好。"; count]);
        if count % 2 == 0 {
            data["attachments"] = json!([]);
        }
        let runs = read_back("approval-decision", &data).unwrap();
        let issuer = runs.iter().rfind(|r| r.text == "汶川县行政审批局").unwrap();
        let lines: BTreeSet<i64> = runs
            .iter()
            .filter(|r| r.page == issuer.page && r.points > 15.0 && r.y < issuer.y - 1.0)
            .map(|r| r.y.round() as i64)
            .collect();
        assert!(lines.len() >= 2, "{count} conditions: only {} lines with the seal", lines.len());
    }
}

#[test]
fn a_long_table_repeats_its_header_on_every_page() {
    let mut data = example("seal-abolition-notice");
    let seal = data["seals"][0].clone();
    data["seals"] = json!(vec![seal; 120]);
    let runs = read_back("seal-abolition-notice", &data).unwrap();
    let pages = |words: &str| runs.iter().filter(|r| r.text == words).map(|r| r.page).collect::<BTreeSet<_>>();
    assert!(pages("51322100000100").len() > 5);
    assert_eq!(pages("51322100000100"), pages("印章编号"));
}

#[test]
fn the_longest_licence_still_fits_above_its_foot() {
    let mut data = example("food-operation-licence");
    for (field, length) in [("operator_name", 60), ("domicile", 80), ("premises", 80), ("business_type", 40)] {
        data[field] = json!("汶".repeat(length));
    }
    data["business_items"] = json!(vec!["热".repeat(30); 12]);
    let runs = read_back("food-operation-licence", &data).unwrap();
    let lowest = runs.iter().filter(|r| r.text.contains('热')).map(|r| r.y).fold(0.0, f64::max);
    assert!(lowest > 100.0 && lowest < 155.0, "{lowest}");
}

#[test]
fn a_missing_font_names_the_package() {
    let Err(refused) = Renderer::load(&RenderSettings { fonts: vec!["/nowhere".into()], ..settings() }) else {
        panic!("loaded without fonts")
    };
    let said = refused.message();
    assert!(said.id == "render.font" && said.zh.contains("fonts-noto-cjk") && said.en.contains("/nowhere"), "{said}");
}

#[test]
fn the_version_covers_the_template_and_what_it_shares() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["template.toml", "schema.json", "main.typ"] {
        let text = std::fs::read_to_string(settings().templates.join("approval-decision").join(file)).unwrap();
        write(folder.path(), &format!("a/{file}"), &text);
        write(folder.path(), &format!("b/{file}"), &text);
    }
    write(folder.path(), "shared/x.typ", "one");
    let digests = || -> Vec<_> {
        let (templates, _) = template::read_all(folder.path()).unwrap();
        templates.iter().map(|t| t.version().sha256.clone()).collect()
    };
    let first = digests();
    assert_eq!(digests(), first);
    write(folder.path(), "a/main.typ", "two");
    let second = digests();
    assert!(second[0] != first[0] && second[1] == first[1]);
    write(folder.path(), "shared/x.typ", "two");
    assert!(digests().iter().zip(&second).all(|(now, before)| now != before));
}

pub(super) fn write(folder: &Path, path: &str, text: &str) {
    let file = folder.join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
}
