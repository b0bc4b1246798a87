//! The house keeps its floors: every path in `src/` is held against the table in `src/lib.rs`.
//!
//! The table is the only list of rooms; this file knows what a floor may do. Test modules are left out: they may
//! read files and look anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::house::source::{Place, paths, test_modules, without_tests, without_text};

mod source;

/// From the bottom up. A room may use every room on a floor below; what it may use on its own floor differs.
const FLOORS: &[&str] = &["ground", "rules", "formats", "tools", "flows", "doors"];

/// Tools never import each other; these are the things that one of them takes from another (`src/lib.rs`).
const TOOL_DOORS: &[(&str, &[&str])] =
    &[("keys", &["store", "Order"]), ("keys", &["store", "order", "Order"]), ("keys", &["store", "Destruction"])];

/// Beyond the floors of rules and formats: parts of a flow that are pure all the same (`design: VERIFY`, steps 4-8).
const PURE_PARTS: &[(&str, &str)] =
    &[("monitor", "expected"), ("monitor", "replay"), ("monitor", "report"), ("verify", "judge"), ("verify", "report")];

/// What a pure room may not name: clock, files, sockets, threads, randomness, and every crate that brings them.
const OUTSIDE: &[&[&str]] = &[
    &["std", "fs"],
    &["std", "net"],
    &["std", "env"],
    &["std", "process"],
    &["std", "thread"],
    &["std", "time", "SystemTime"],
    &["std", "time", "Instant"],
    &["time", "OffsetDateTime", "now_utc"],
    &["time", "OffsetDateTime", "now_local"],
    &["tokio"],
    &["sqlx"],
    &["axum"],
    &["tower"],
    &["tower_http"],
    &["cryptoki"],
    &["typst"],
    &["getrandom"],
    &["tracing"],
    &["ring", "rand"],
];

#[test]
fn imports_only_go_down() {
    let rooms = Rooms::from_map(&std::fs::read_to_string(root().join("src/lib.rs")).unwrap());
    let mut complaints = rooms.unlisted(&std::fs::read_to_string(root().join("src/lib.rs")).unwrap());
    let sources = sources("src");
    let tests = test_files(&sources);
    for (file, text) in sources.iter().filter(|(file, _)| !tests.contains(file)) {
        complaints.extend(rooms.complaints(file, text));
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn every_file_is_tidy() {
    let mut complaints = Vec::new();
    let ours = sources("src");
    let tests = test_files(&ours);
    for (file, text) in ours.into_iter().chain(sources("tests")).chain(sources("benches")) {
        complaints.extend(untidy(&file, &text, LONG_FILES, &tests));
    }
    complaints.extend(stale(LONG_FILES, |file| std::fs::read_to_string(root().join(file)).ok()));
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// What SECURITY.md says is shown by a test is: `path::name`, where the name may end in a star.
#[test]
fn attacks_are_shown_by_tests_that_exist() {
    let security = std::fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let named: Vec<(&str, &str)> = security
        .split('`')
        .filter(|text| text.starts_with("src/") || text.starts_with("tests/"))
        .filter_map(|text| text.split_once(".rs::"))
        .collect();
    let missing = |(file, name): &(&str, &str)| {
        let text = std::fs::read_to_string(root().join(format!("{file}.rs"))).unwrap_or_default();
        let wanted = name.rsplit("::").next().unwrap_or(name);
        match wanted.strip_suffix('*') {
            Some(start) => !text.contains(&format!("fn {start}")),
            None => !text.contains(&format!("fn {wanted}(")),
        }
    };
    let missing: Vec<_> = named.iter().filter(|name| missing(name)).collect();
    assert!(named.len() > 40 && missing.is_empty(), "{} named, missing {missing:?}", named.len());
}

// — floors

struct Rooms {
    floor_of: BTreeMap<String, usize>,
}

impl Rooms {
    /// Reads the rows ``| floor | [`room`], [`room`] | … |`` of the map.
    fn from_map(lib: &str) -> Self {
        let mut floor_of = BTreeMap::new();
        for line in lib.lines().filter_map(|line| line.strip_prefix("//! |")) {
            let mut cells = line.split('|').map(str::trim);
            let name = cells.next().unwrap_or_default();
            let Some(floor) = FLOORS.iter().position(|floor| *floor == name) else { continue };
            for room in cells.next().unwrap_or_default().split("[`").skip(1) {
                floor_of.insert(room.split('`').next().unwrap().to_owned(), floor);
            }
        }
        Self { floor_of }
    }

    /// Rooms that `lib.rs` opens but does not put on a floor, and floors without a room.
    fn unlisted(&self, lib: &str) -> Vec<String> {
        let opened = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
        let homeless = opened.filter(|room| !self.floor_of.contains_key(*room));
        let empty = (0..FLOORS.len()).filter(|floor| !self.floor_of.values().any(|on| on == floor));
        homeless
            .map(|room| format!("src/lib.rs: room `{room}` stands on no floor of the map"))
            .chain(empty.map(|floor| format!("src/lib.rs: the map has no room on floor `{}`", FLOORS[floor])))
            .collect()
    }

    fn complaints(&self, file: &str, text: &str) -> Vec<String> {
        let place = Place::of(file);
        // `lib.rs` is the map and `main.rs` sees all.
        let Some(room) = place.room() else { return Vec::new() };
        let Some(&floor) = self.floor_of.get(room) else {
            return vec![format!("{file}: room `{room}` stands on no floor of the map in src/lib.rs")];
        };
        let pure = FLOORS[floor] == "rules" || FLOORS[floor] == "formats" || FLOORS[floor] == "ground";
        let pure = pure || PURE_PARTS.iter().any(|(flow, part)| place.is_part(flow, part));
        let mut complaints = Vec::new();
        for (line, path) in paths(&without_tests(&without_text(text)), &place) {
            let shown = path.join("::");
            if path[0] == "crate" {
                let Some(other) = path.get(1).filter(|other| *other != room) else { continue };
                if let Some(why) = self.forbidden(room, floor, other, &path[1..], pure) {
                    complaints.push(format!("{file}:{line}: `{shown}`: {why}"));
                }
            } else if pure && OUTSIDE.iter().any(|outside| path.iter().take(outside.len()).eq(outside.iter())) {
                complaints.push(format!("{file}:{line}: `{shown}`: a pure room does not touch the outside world"));
            }
        }
        complaints
    }

    fn forbidden(&self, room: &str, floor: usize, other: &str, path: &[String], pure: bool) -> Option<String> {
        let Some(&theirs) = self.floor_of.get(other) else {
            return Some(format!("there is no room `{other}` in the map of src/lib.rs"));
        };
        let (mine_named, theirs_named) = (FLOORS[floor], FLOORS[theirs]);
        let tool_door =
            TOOL_DOORS.iter().any(|(who, what)| *who == room && path.iter().take(what.len()).eq(what.iter()));
        if theirs > floor {
            Some(format!("`{other}` ({theirs_named}) stands above `{room}` ({mine_named}); imports only go down"))
        } else if theirs == floor && mine_named == "tools" && !tool_door {
            Some("tools never import each other".into())
        } else if pure && theirs_named == "tools" {
            Some("a pure room does not use tools".into())
        } else {
            None
        }
    }
}

// — tidiness

/// Longest a source file may be without a reason (`design: The house` asks for 100 to 400).
const LINES: usize = 600;

/// Longer files, each with its reason. An entry that is no longer needed is an error.
const LONG_FILES: &[(&str, &str)] = &[(
    "src/verify/tests.rs",
    "one house of really sealed documents, and the verdict on each thing that can be done to them",
)];

fn untidy(file: &str, text: &str, long_files: &[(&str, &str)], tests: &BTreeSet<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    let lines = text.lines().count();
    if lines > LINES && !long_files.iter().any(|(listed, _)| *listed == file) {
        complaints.push(format!("{file}: {lines} lines; over {LINES} is two stories, or needs a reason in LONG_FILES"));
    }
    let code = without_text(text);
    let shipped = without_tests(&code);
    let at_the_door = ["src/main.rs", "src/cli.rs"].contains(&file) || file.starts_with("src/cli/");
    let prints = file.starts_with("src/") && !at_the_door && !tests.contains(file);
    for (number, ((code, shipped), written)) in (1..).zip(code.lines().zip(shipped.lines()).zip(text.lines())) {
        let [code, shipped] = [code, shipped].map(|line| line.split_whitespace().collect::<String>());
        if code.contains("#[allow(") || code.contains("#![allow(") {
            complaints.push(format!("{file}:{number}: `allow` hides; use #[expect(…, reason = …)]"));
        }
        if prints && (shipped.contains("println!(") || shipped.contains("dbg!(")) {
            complaints.push(format!("{file}:{number}: only the command line prints; elsewhere use tracing"));
        }
        let word = concat!("TO", "DO");
        let known =
            |rest: &str| rest.strip_prefix("(#").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        if written.match_indices(word).any(|(at, _)| !known(&written[at + word.len()..])) {
            complaints.push(format!("{file}:{number}: a {word} names its issue: {word}(#12)"));
        }
    }
    complaints
}

fn stale(long_files: &[(&str, &str)], read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let needed = |file: &str| read(file).is_some_and(|text| text.lines().count() > LINES);
    let stale = long_files.iter().filter(|(file, why)| !needed(file) || why.is_empty());
    stale.map(|(file, _)| format!("LONG_FILES: {file} needs no entry, or has one without a reason")).collect()
}

// — reading

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file under `folder`, as its path from the root with `/`, and its text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
                found.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(folder == "benches" || !found.is_empty(), "no Rust file under {folder}");
    found
}

/// The files among `sources` that are test modules, or lie inside one.
fn test_files(sources: &[(String, String)]) -> BTreeSet<String> {
    let roots: Vec<String> = sources.iter().flat_map(|(file, text)| test_modules(file, &without_text(text))).collect();
    let within = |file: &str| {
        let file = file.trim_end_matches(".rs");
        roots
            .iter()
            .any(|root| file.strip_prefix(root.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    };
    sources.iter().map(|(file, _)| file).filter(|file| within(file)).cloned().collect()
}

// — the checks can fail

#[cfg(test)]
mod can_fail {
    use super::*;

    const MAP: &str = "\
//! | floor | rooms | may touch |
//! |---|---|---|
//! | doors | [`cli`], [`config`] | arguments |
//! | flows | [`issue`], [`verify`] | the tools |
//! | tools | [`keys`], [`render`], [`store`] | the outside world |
//! | formats | [`pdf`], [`cms`] | nothing |
//! | rules | [`item`], [`seal`] | nothing |
//! | ground | [`message`] | nothing |
pub mod item;
";

    fn complaints(file: &str, text: &str) -> Vec<String> {
        Rooms::from_map(MAP).complaints(file, text)
    }

    #[test]
    fn what_is_allowed_passes() {
        for (file, text) in [
            ("src/seal.rs", "use crate::item::Item; use crate::message::Message; use time::OffsetDateTime;"),
            ("src/pdf/seal.rs", "use crate::{cms, seal::Seal}; use super::read; use crate::pdf::read::Reader;"),
            ("src/keys/mod.rs", "use crate::store::Order; use crate::cms; use std::fs;"),
            ("src/keys/soft.rs", "use crate::store::order::Order;"),
            ("src/issue.rs", "use crate::{keys, store::Store, render};"),
            ("src/verify/gather.rs", "use crate::store::Store; use std::fs;"),
            ("src/verify/judge.rs", "use crate::cms; use super::report::Report;"),
            ("src/main.rs", "use yinxin::cli; use tokio::runtime;"),
            ("src/lib.rs", "pub mod keys;"),
            ("src/item.rs", "// use crate::store;\nconst A: &str = \"crate::store::X tokio::x\"; /* std::fs */"),
            ("src/item.rs", "#[cfg(test)]\nmod tests { use crate::store; fn f() { let c = '}'; } use std::fs; }"),
            ("src/item.rs", "#[cfg(test)]\nuse crate::store::Order;"),
        ] {
            assert_eq!(complaints(file, text), Vec::<String>::new(), "{file}: {text}");
        }
    }

    #[test]
    fn what_is_forbidden_is_named() {
        for (file, text, named) in [
            ("src/seal.rs", "use crate::cms::Signed;", "stands above"),
            ("src/seal.rs", "fn f() { crate::pdf::read(&[]) }", "stands above"),
            ("src/seal.rs", "pub(in crate::seal) use crate::{item, store::{Order, Row}};", "`crate::store::Order`"),
            ("src/cms.rs", "use crate::keys;", "stands above"),
            ("src/pdf/seal.rs", "use super::super::store::Order;", "stands above"),
            ("src/pdf/mod.rs", "use super::store::Order;", "stands above"),
            ("src/pdf/mod.rs", "mod inner { use super::super::store::Order; }", "stands above"),
            ("src/keys/mod.rs", "use crate::store::Store;", "tools never"),
            ("src/keys/mod.rs", "use crate::store;", "tools never"),
            ("src/keys/mod.rs", "use crate::store::*;", "tools never"),
            ("src/render/mod.rs", "use crate::store::Order;", "tools never"),
            ("src/store/mod.rs", "use crate::config;", "stands above"),
            ("src/issue.rs", "use crate::config::Settings;", "stands above"),
            ("src/item.rs", "use std::{io, fs};", "outside world"),
            ("src/item.rs", "fn f() { ::std::fs::read(p) }", "outside world"),
            ("src/item.rs", "async fn f() { tokio::spawn(g()).await }", "outside world"),
            ("src/cms.rs", "let now = time::OffsetDateTime::now_utc();", "outside world"),
            ("src/cms.rs", "use std::time::{Duration, SystemTime};", "outside world"),
            ("src/message.rs", "use crate::item;", "stands above"),
            ("src/verify/judge.rs", "use crate::store::Store;", "does not use tools"),
            ("src/verify/report/html.rs", "use std::fs;", "outside world"),
            ("src/attic.rs", "", "stands on no floor"),
            ("src/item.rs", "use crate::attic;", "no room `attic`"),
        ] {
            let said = complaints(file, text).join("\n");
            assert!(said.contains(named), "{file}: {text}: {said:?}");
        }
        assert_eq!(complaints("src/seal.rs", "\n\nuse crate::cms;")[0].split(": ").next().unwrap(), "src/seal.rs:3");
    }

    #[test]
    fn a_room_without_a_floor_is_named() {
        let rooms = Rooms::from_map(MAP);
        assert_eq!(rooms.unlisted(MAP), Vec::<String>::new());
        assert!(rooms.unlisted("pub mod attic;")[0].contains("attic"));
        assert!(Rooms::from_map("//! | rules | none |").unlisted("")[0].contains("no room on floor"));
    }

    #[test]
    fn a_test_module_in_a_file_of_its_own_is_known_by_its_declaration() {
        let source = |file: &str, text: &str| (file.to_owned(), text.to_owned());
        let found = test_files(&[
            source("src/pki/mod.rs", "mod path;\n#[cfg(test)]\npub(crate) mod trial;\nmod tests;"),
            source("src/item.rs", "#[cfg(test)] mod tests;\n#[cfg(test)]\nuse crate::seal;"),
            source("src/pki/trial.rs", ""),
            source("src/pki/trial/data.rs", ""),
            source("src/pki/trials.rs", ""),
            source("src/pki/path.rs", ""),
            source("src/pki/tests.rs", ""),
            source("src/item/tests.rs", ""),
        ]);
        assert_eq!(Vec::from_iter(found), ["src/item/tests.rs", "src/pki/trial.rs", "src/pki/trial/data.rs"]);
        let file = BTreeSet::from(["src/item/tests.rs".to_owned()]);
        assert!(untidy("src/item/tests.rs", "fn f() { eprintln!(\"x\"); }", &[], &file).is_empty());
    }

    #[test]
    fn untidiness_is_named() {
        let untidy = |file: &str, text: &str, long_files| super::untidy(file, text, long_files, &BTreeSet::new());
        let long = "\n".repeat(LINES + 1);
        let listed: &[(&str, &str)] = &[("src/item.rs", "a table")];
        assert!(untidy("src/item.rs", &long, &[])[0].contains("601 lines"));
        assert!(untidy("src/item.rs", &long, listed).is_empty());
        assert!(stale(listed, |_| Some(long.clone())).is_empty());
        assert_eq!(stale(listed, |_| Some("short".into())).len(), 1);
        assert_eq!(stale(&[("src/item.rs", "")], |_| Some(long.clone())).len(), 1);

        assert!(untidy("src/item.rs", "#[allow (dead_code)]", &[])[0].contains("`allow` hides"));
        assert!(untidy("src/item.rs", "// #[allow(dead_code)] is what we do not do", &[]).is_empty());
        assert!(untidy("src/item.rs", "fn f() { println!(\"x\"); }", &[])[0].contains("only the command line"));
        assert!(untidy("src/item.rs", "fn f() { eprintln!(\"x\"); }", &[])[0].contains("only the command line"));
        assert!(untidy("src/item.rs", "#[cfg(test)]\nmod tests {\n fn f() { println!(\"x\"); }\n}", &[]).is_empty());
        assert!(
            untidy("src/item.rs", "#[cfg(test)]\nmod tests {\n}\nfn f() { dbg!(1); }", &[])[0].contains("rs:4: only")
        );
        assert!(untidy("src/cli/show.rs", "fn f() { println!(\"x\"); }", &[]).is_empty());
        let word = concat!("TO", "DO");
        assert!(untidy("src/item.rs", &format!("// {word}: later"), &[])[0].contains("names its issue"));
        assert!(untidy("src/item.rs", &format!("// {word}(#12): later"), &[]).is_empty());
    }
}
