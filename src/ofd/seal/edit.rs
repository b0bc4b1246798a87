//! What a new signature changes in the files that are there: the entrance names the list of signatures, and the list grows.

use quick_xml::events::Event;
use quick_xml::reader::Reader;

use super::{Paths, SealFault};
use crate::ofd::package::Package;
use crate::ofd::signatures::{ENTRANCE, Signatures, find, malformed, small_node};
use crate::ofd::xml::escaped;

/// Identifiers are written `s001` (§18.1): the schema wants none that begins with a digit.
pub(super) fn id(number: u32) -> String {
    format!("s{number:03}")
}

/// A number above all that earlier signatures, their stamps and the list itself have.
pub(super) fn next_id(package: &Package<'_>, earlier: &Signatures) -> Result<u32, SealFault> {
    let mut seen: Vec<String> = earlier.signatures.iter().map(|one| one.id.clone()).collect();
    for signature in &earlier.signatures {
        let info = small_node(package, &signature.path)?;
        let info = info.child("SignedInfo").into_iter();
        seen.extend(info.flat_map(|info| {
            info.all("StampAnnot").filter_map(|one| one.attribute("ID")).map(str::to_owned).collect::<Vec<_>>()
        }));
    }
    for list in &earlier.lists {
        seen.extend(small_node(package, list)?.all("MaxSignId").map(|most| most.text.clone()));
    }
    let number = |id: &String| id.trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<u32>().ok();
    let most = seen.iter().filter_map(number).filter(|number| *number < u32::MAX / 2).max();
    Ok(most.unwrap_or_default() + 1)
}

/// The first `Sign_N` in which there is nothing.
pub(super) fn free_folder(package: &Package<'_>, list_folder: &str) -> String {
    let parent = if list_folder.is_empty() { String::new() } else { format!("{list_folder}/") };
    let taken = |folder: &str| {
        let folder = format!("{}/", folder.to_lowercase());
        package.entries().iter().any(|entry| entry.name.to_lowercase().starts_with(&folder))
    };
    (0..).map(|number: u32| format!("{parent}Sign_{number}")).find(|folder| !taken(folder)).unwrap_or(parent)
}

/// Signatures.xml with the new signature (§18.1). No earlier signature covers it, so it is written anew; the entries stay as
/// they are.
pub(super) fn listed(
    package: &Package<'_>,
    earlier: &Signatures,
    paths: &Paths,
    first: u32,
    last: u32,
) -> Result<String, SealFault> {
    let mut entries = String::new();
    if earlier.lists.contains(&paths.list) {
        for signature in small_node(package, &paths.list)?.all("Signature") {
            let said = ["ID", "Type", "BaseLoc", "Relative"].map(|name| (name, signature.attribute(name)));
            let said = said.into_iter().filter_map(|(name, value)| Some(format!(" {name}=\"{}\"", escaped(value?))));
            entries += &format!("<ofd:Signature{}/>", said.collect::<String>());
        }
    }
    Ok(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ofd:Signatures xmlns:ofd=\"http://www.ofdspec.org/2016\">\
         <ofd:MaxSignId>{}</ofd:MaxSignId>{entries}<ofd:Signature ID=\"{}\" Type=\"Seal\" BaseLoc=\"/{}\"/></ofd:Signatures>",
        id(last),
        id(first),
        escaped(&paths.signature)
    ))
}

/// OFD.xml with the place of the list as the last thing of the first document (§7.4); nothing else of it is touched.
pub(super) fn name_list(package: &Package<'_>, list: &str) -> Result<Vec<u8>, SealFault> {
    let wrong = || malformed(ENTRANCE, "DocBody");
    let bytes = package.unpack(find(package, ENTRANCE)?)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong())?;
    let start = text.len() - text.strip_prefix('\u{FEFF}').unwrap_or(text).len();
    let mut reader = Reader::from_str(text.get(start..).unwrap_or_default());
    loop {
        match reader.read_event().map_err(|_| wrong())? {
            Event::End(end) if end.local_name().as_ref() == "DocBody" => {
                let name: &str = end.name().0;
                let prefix = name.strip_suffix("DocBody").unwrap_or_default().to_owned();
                let behind = start + usize::try_from(reader.buffer_position()).map_err(|_| wrong())?;
                let at = text.get(..behind).and_then(|head| head.rfind("</")).ok_or_else(wrong)?;
                let (head, rest) = text.split_at_checked(at).ok_or_else(wrong)?;
                let element = format!("<{prefix}Signatures>/{}</{prefix}Signatures>", escaped(list));
                return Ok([head, &element, rest].concat().into_bytes());
            }
            Event::Eof => return Err(wrong().into()),
            _ => {}
        }
    }
}
