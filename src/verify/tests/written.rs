//! Updates that change nothing by their own index and something by that which a viewer makes who repairs the file. Each is
//! the honest filling in of a field, written in another way than it should be.

use super::attacks::{FILL, NOTHING, attacked, signed};
use super::update::{Later, draft};
use super::{House, SEALED, seal};
use crate::pdf::changes::LaterChanges;
use crate::pdf::signatures::read;
use std::fmt::Write as _;

/// What it is, the finding that must name it, what is put into the update, and what is rewritten in its index (the last
/// place where it stands).
type Row = (&'static str, &'static str, fn(&mut Later), &'static str, &'static str);

const IRREGULAR: &str = "pdf.index-irregular";
const STRAY: &str = "pdf.object-outside-index";
const EVIL: &str = "<</Type/XObject/Subtype/Form/BBox[0 0 200 20]/Length 3>>\nstream\nQ Q\nendstream";

/// An object that nothing leads to, with this in a stream.
fn holding(later: &mut Later, data: &str) {
    later.add(format!("<</Length {}>>\nstream\n{data}\nendstream", data.len()));
}

const ROWS: &[Row] = &[
    ("a comment behind the word", IRREGULAR, |_| {}, "\nxref\n", "\nxref%\n"),
    ("a comment behind a head", IRREGULAR, |_| {}, "\n0 1\n", "\n0 1%\n"),
    ("entries of nineteen bytes", IRREGULAR, |_| {}, " 65535 f \n", " 65535 f\n"),
    ("entries of twenty-two bytes", IRREGULAR, |_| {}, " 65535 f \n", " 65535 f   \n"),
    ("an entry that does not end its line", IRREGULAR, |_| {}, " 65535 f \n", " 65535 f %\n"),
    ("no size", IRREGULAR, |_| {}, "/Size ", "/Less "),
    ("a negative size", IRREGULAR, |_| {}, "/Size ", "/Size -"),
    ("a size below what is listed", IRREGULAR, |_| {}, "/Size ", "/Size 1/Less "),
    ("a size beyond all reason", IRREGULAR, |_| {}, "/Size ", "/Size 19999"),
    ("a hidden half that is nowhere", IRREGULAR, |_| {}, "/Size ", "/XRefStm(9)/Size "),
    ("a long white end", "pdf.bytes-after-end", |_| {}, "%%EOF\n", LONG),
    ("another end", STRAY, |l| l.stray = "startxref\n9\n".into(), "", ""),
    ("another end behind a letter", STRAY, |l| holding(l, "xstartxref\n9\n"), "", ""),
    ("another trailer", STRAY, |l| holding(l, "trailer\n<</Root 9 0 R>>"), "", ""),
    ("a head in a stream", STRAY, |l| holding(l, "12 0 obj\n(a)"), "", ""),
    ("a head in a string", STRAY, |l| _ = l.add("(\n12 0 obj\n()\nendobj\n)"), "", ""),
    ("a head with zeros between", STRAY, |l| holding(l, "12\u{0}0\u{0}obj(a)"), "", ""),
    ("a head with a comment before `obj`", STRAY, |l| holding(l, "12 0%\nobj(a)"), "", ""),
    ("a head with a comment before the generation", STRAY, |l| holding(l, "12 %\n0 obj(a)"), "", ""),
    ("a head with signs", STRAY, |l| holding(l, "+12 +0 obj(a)"), "", ""),
    ("a head with much between", STRAY, |l| holding(l, &format!("12{:90}0 obj(a)", "")), "", ""),
    ("a head under another number", STRAY, |l| l.stray = format!("12 0 obj\n{EVIL}\nendobj\n"), "\n7 1\n", ALIAS),
    (
        "a pack that holds what its index does not say",
        "pdf.object-twice",
        |l| {
            l.add("<</Type/ObjStm/N 1/First 5/Length 8>>\nstream\n12 0 (a)\nendstream");
        },
        "",
        "",
    ),
    (
        "a pack that holds an object twice",
        STRAY,
        |l| {
            l.add("<</Type/ObjStm/N 2/First 10/Length 14>>\nstream\n12 0 12 2 1 2 \nendstream");
        },
        "",
        "",
    ),
];

/// Stands for two thousand line feeds.
const LONG: &str = "{long}";
/// Stands for an entry under an unused number that leads to what stands first in the update.
const ALIAS: &str = "{alias}";

fn replaced_last(mut bytes: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    let at = bytes.windows(from.len()).rposition(|w| w == from.as_bytes()).unwrap();
    bytes.splice(at..at + from.len(), to.bytes());
    bytes
}

fn is_named(house: &House, bytes: &[u8], finding: &str) -> Result<(), String> {
    let signature = attacked(house, bytes)?;
    let ids: Vec<_> = signature.changes.iter().map(|m| format!("{}: {}", m.id, m.en)).collect();
    let named = signature.changes.iter().any(|m| m.id == finding);
    let told = signature.later_changes > LaterChanges::Allowed && named;
    if told { Ok(()) } else { Err(format!("{:?}, wanted {finding}, found {ids:#?}", signature.later_changes)) }
}

#[test]
fn whatever_a_viewer_who_repairs_files_would_take_for_an_object_is_told() {
    let house = House::new();
    let base = signed(&house, FILL);
    let mut faults = Vec::new();
    for (name, finding, change, from, to) in ROWS {
        let mut later = Later::on(base.clone());
        later.change(7, "/V()", "/V(one)");
        change(&mut later);
        let to = match *to {
            LONG => format!("%%EOF{}", "\n".repeat(2000)),
            ALIAS => {
                let unused = later.add("null");
                format!("\n{unused} 1\n{:010} 00000 n \n7 1\n", base.len())
            }
            to => to.to_owned(),
        };
        let mut bytes = later.finish();
        if !from.is_empty() {
            // The number that an alias stands under has no object of its own.
            if to.contains("00000 n") {
                later.objects.pop();
                bytes = later.finish();
            }
            bytes = replaced_last(bytes, from, &to);
        }
        if let Err(error) = is_named(&house, &bytes, finding) {
            faults.push(format!("{name}: {error}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn an_object_that_is_changed_and_led_back_is_told() {
    let house = House::new();
    let base = signed(&house, FILL);
    let text = String::from_utf8_lossy(&base).into_owned();
    // Lossy: the one line with other bytes is a comment before all objects.
    let grown = text.len() - base.len();
    let old = text.rfind("\n12 0 obj\n").unwrap() + 1 - grown;
    let mut first = Later::on(base);
    first.set(12, EVIL);
    let first = first.finish();
    let mut second = Later::on(first);
    second.change(7, "/V()", "/V(one)");
    let to = format!("\n7 1\n{old:010} 00000 n \n");
    let bytes = replaced_last(second.finish(), "\n7 1\n", &format!("\n12 1{}7 1\n", &to[4..]));
    is_named(&house, &bytes, "pdf.object-twice").unwrap();
}

/// An update whose index is a stream: widths, entries of numbers behind all others, how many more it says it has, and
/// the stream's own number.
fn by_stream(base: &[u8], widths: [usize; 3], rows: &[[usize; 3]], more: usize, number: Option<u32>) -> Vec<u8> {
    let mut later = Later::on(base.to_vec());
    later.change(7, "/V()", "/V(one)");
    let free = later.add("null");
    let number = number.unwrap_or(free);
    let mut out = base.to_vec();
    let at = out.len();
    out.extend(format!("7 0 obj\n{}\nendobj\n", later.get(7)).into_bytes());
    let index = out.len();
    let mut listed = vec![(7, [1, at, 0]), (number, [1, index, 0])];
    listed.extend((free + 1..).zip(rows.iter().copied()));
    listed.sort_unstable();
    let mut entries: Vec<u8> = Vec::new();
    let mut pairs = String::new();
    for (n, (number, row)) in listed.iter().enumerate() {
        for (value, width) in row.iter().zip(widths) {
            entries.extend(&(*value as u64).to_be_bytes()[8 - width..]);
        }
        let last = n + 1 == listed.len();
        write!(pairs, "{number} {} ", if last { 1 + more } else { 1 }).unwrap();
    }
    let text = String::from_utf8_lossy(base).into_owned();
    let previous = text.rsplit_once("startxref").unwrap().1.split_whitespace().next().unwrap().to_owned();
    let size = free as usize + 1 + rows.len() + more;
    let [kind, place, third] = widths;
    let mut head = format!("{number} 0 obj\n<</Type/XRef/Root 1 0 R/Prev {previous}/Size {size}");
    write!(head, "/W[{kind} {place} {third}]/Index[{pairs}]/Length {}>>\nstream\n", entries.len()).unwrap();
    out.extend(head.into_bytes());
    out.extend(entries);
    out.extend(format!("\nendstream\nendobj\nstartxref\n{index}\n%%EOF\n").into_bytes());
    out
}

#[test]
fn an_index_in_a_stream_is_held_to_the_same() {
    let house = House::new();
    let base = signed(&house, FILL);
    let update = |widths, rows: &[[usize; 3]], more, number| by_stream(&base, widths, rows, more, number);
    let honest = attacked(&house, &update([1, 4, 1], &[[0, 0, 0]], 0, None)).unwrap();
    assert_eq!(honest.later_changes, LaterChanges::Allowed, "{:?}", honest.changes);
    let irregular = [
        ("broad", update([8, 8, 8], &[], 0, None)),
        ("more than there are", update([1, 4, 1], &[], 1, None)),
        ("of a fourth kind", update([1, 4, 1], &[[3, 0, 0]], 0, None)),
        ("in a pack that is not there", update([1, 4, 1], &[[2, 999, 0]], 0, None)),
        ("without an end", replaced_last(update([1, 4, 1], &[], 0, None), "\nendstream\nendobj\n", "\n")),
        ("whose object has no end", replaced_last(update([1, 4, 1], &[], 0, None), "\nendobj\n", "\n")),
    ];
    for (name, bytes) in irregular {
        is_named(&house, &bytes, IRREGULAR).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    // In the place of what a page draws.
    is_named(&house, &update([1, 4, 1], &[], 0, Some(12)), "pdf.page-content-changed").unwrap();
}

/// Readers that find the length there follow the index at the beginning.
#[test]
fn a_file_that_comes_to_be_linearised_is_told() {
    let house = House::new();
    let update = |length: usize| {
        let plain = draft();
        let at = plain.windows(13).position(|w| w == b"/Private 12 0").unwrap();
        let mut text = plain;
        // As long as what it takes the place of.
        text.splice(at..at + 15, format!("/Linearized 1/L {length:05}").into_bytes());
        let moved = text.len() - draft().len();
        // All but the first object stand so much further behind.
        let table = text.windows(5).rposition(|w| w == b"xref\n").unwrap();
        let table = text[..table].windows(5).rposition(|w| w == b"xref\n").unwrap();
        let mut out = String::from_utf8_lossy(&text[table..]).into_owned();
        for line in out.clone().lines().filter(|line| line.ends_with("00000 n ")).skip(1) {
            let offset: usize = line[..10].parse().unwrap();
            out = out.replace(line, &format!("{:010}{}", offset + moved, &line[10..]));
        }
        let old = out.rsplit_once("startxref\n").unwrap().1.lines().next().unwrap().to_owned();
        out = out.replace(&format!("startxref\n{old}"), &format!("startxref\n{table}"));
        text.truncate(table);
        text.extend(out.into_bytes());
        let mut later = Later::on(seal(&text, &house, SEALED, FILL));
        later.change(7, "/V()", "/V(one)");
        later.finish()
    };
    let length = update(10_000).len();
    let honest = attacked(&house, &update(length + 1)).unwrap();
    assert_eq!(honest.later_changes, LaterChanges::Allowed, "{:?}", honest.changes);
    is_named(&house, &update(length), "pdf.index-disagrees").unwrap();
}

#[test]
fn a_number_that_one_half_of_an_index_frees_is_told() {
    let house = House::new();
    let base = signed(&house, FILL);
    let mut later = Later::on(base.clone());
    later.change(7, "/V()", "/V(one)");
    let half = later.add("null");
    later.objects.pop();
    let index = "/W[1 4 1]/Filter/ASCIIHexDecode/Length 12";
    let size = half + 1;
    for (number, told) in [(12, true), (half, false)] {
        let head = format!("{half} 0 obj\n<</Type/XRef/Size {size}/Index[{number} 1]{index}>>");
        // It leads to itself, where it may.
        later.stray = format!("{head}\nstream\n01{:08x}00\nendstream\nendobj\n", base.len());
        later.trailer = format!("/XRefStm {}", base.len());
        later.free = vec![number];
        let bytes = later.finish();
        if told {
            is_named(&house, &bytes, "pdf.index-disagrees").unwrap();
        } else {
            let honest = attacked(&house, &bytes).unwrap();
            assert_eq!(honest.later_changes, LaterChanges::Allowed, "{:?}", honest.changes);
        }
    }
}

/// What no table of the standard knows is the strictest (ISO 32000-1 table 254).
#[test]
fn a_certification_of_an_unknown_level_allows_nothing() {
    let house = House::new();
    let base = signed(&house, NOTHING);
    for (level, wanted) in [("0", LaterChanges::Forbidden), ("3", LaterChanges::Allowed)] {
        let base = replaced_last(base.clone(), "/P 1", &format!("/P {level}"));
        let mut later = Later::on(base);
        later.change(7, "/V()", "/V(one)");
        let reading = read(&later.finish()).unwrap();
        let worst = reading.signatures.first().unwrap().later_changes;
        assert_eq!(worst, wanted, "{level}");
    }
}

/// As some writers count, who then leave it to what else the file holds.
#[test]
fn a_size_that_counts_the_update_alone_is_a_matter_of_what_a_repair_would_find() {
    let house = House::new();
    let plain = draft();
    let mut trapped = plain.clone();
    let at = trapped.windows(11).position(|w| w == b"<x:xmpmeta>").unwrap();
    trapped[at..at + 11].copy_from_slice(b"12 0 obj(a)");
    for (draft, told) in [(plain, false), (trapped, true)] {
        let mut later = Later::on(seal(&draft, &house, SEALED, FILL));
        later.change(7, "/V()", "/V(one)");
        let bytes = replaced_last(later.finish(), "/Size ", "/Size 8/Less ");
        if told {
            is_named(&house, &bytes, IRREGULAR).unwrap();
        } else {
            let honest = attacked(&house, &bytes).unwrap();
            assert_eq!(honest.later_changes, LaterChanges::Allowed, "{:?}", honest.changes);
        }
    }
}

/// Readers differ in whether they find the index at all: nothing that was signed is called unchanged.
#[test]
fn a_comment_before_the_index_is_no_place_for_it() {
    let house = House::new();
    let mut later = Later::on(signed(&house, FILL));
    later.change(7, "/V()", "/V(one)");
    let bytes = replaced_last(later.finish(), "\nxref\n", "\n%\nxref\n");
    let allowed = attacked(&house, &bytes).is_ok_and(|s| s.later_changes <= LaterChanges::Allowed);
    assert!(!allowed);
}

/// A form without a default appearance, and fields that have none either.
#[test]
fn a_default_appearance_that_old_fields_lacked_fills_them_in() {
    let house = House::new();
    let text = draft();
    let at = text.windows(4).position(|w| w == b"/DA(").unwrap();
    let mut text = text;
    text[at + 1..at + 3].copy_from_slice(b"Ha");
    let base = seal(&text, &house, SEALED, NOTHING);
    let mut later = Later::on(base);
    later.change(6, "/Ha(", "/DA(/F 1 Tf)/Ha(");
    is_named(&house, &later.finish(), "pdf.docmdp-violated").unwrap();
}
