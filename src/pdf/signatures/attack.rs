//! Known ways to make a signature seem to speak for what it does not (Mladenov, Mainka, zu Selhausen, Grothe, Schwenk:
//! "1 Trillion Dollar Refund", CCS 2019), named by what is seen in the file.

use crate::message::Message;
use std::ops::Range;

/// Why a range is not "the whole file less the signature's value". `numbers`: the four offsets of /ByteRange, or none
/// where it is anything else; `hole`: where /Contents stands; `contents`: what it holds; `length`: of the file.
pub(super) fn of_range(numbers: &[usize], hole: Option<&Range<usize>>, contents: &[u8], length: usize) -> Message {
    // Nothing to verify, or nothing that it is made over: viewers have taken that for "no problem found". A file that was
    // prepared and never signed looks the same.
    if contents.iter().all(|&b| b == 0) {
        let (zh, en) = ("签名值（Contents）缺失或为空", "The signature value (/Contents) is missing or empty");
        return forged(zh, en, hole);
    }
    let [from, first, second, rest] = numbers else {
        let (zh, en) =
            ("签名范围（ByteRange）缺失或不是四个偏移量", "The /ByteRange is missing or is not four offsets");
        return forged(zh, en, hole);
    };
    let (gap_from, gap_to) = (from.saturating_add(*first), *second);
    let end = second.saturating_add(*rest);
    if end > length {
        return Message::new(
            "pdf.byte-range",
            format!("签名范围到字节{end}，超出文件（{length}字节）：文件被截断或签名范围是伪造的"),
            format!(
                "The signed range reaches to byte {end} of {length}: the file was cut off, or the range is made up"
            ),
        );
    }
    match hole {
        Some(hole) if *from == 0 && gap_from <= hole.start && hole.end <= gap_to => {
            let outside = (hole.start - gap_from) + (gap_to - hole.end);
            if outside == 0 {
                return Message::new(
                    "pdf.byte-range",
                    format!("字节{}处的签名值不是十六进制串", hole.start),
                    format!("The signature value at byte {} is not a hexadecimal string", hole.start),
                );
            }
            Message::new(
                "pdf.attack.swa",
                format!(
                    "签名范围空出字节{gap_from}至{gap_to}，其中除签名值外还有{outside}字节未被签名（签名包裹攻击SWA的手法）"
                ),
                format!(
                    "The signed range leaves out bytes {gap_from} to {gap_to}: besides the signature's value, {outside} bytes that nobody signed (signature wrapping, SWA)"
                ),
            )
        }
        Some(hole) => Message::new(
            "pdf.byte-range",
            format!(
                "签名范围空出的是字节{gap_from}至{gap_to}，而签名值在字节{}至{}：签名不属于这个位置",
                hole.start, hole.end
            ),
            format!(
                "The signed range leaves out bytes {gap_from} to {gap_to}, but the value stands at {} to {}: the signature does not belong here",
                hole.start, hole.end
            ),
        ),
        None => Message::new(
            "pdf.byte-range",
            "签名字典不在文件的明文中，签名范围无从核对",
            "The signature dictionary is not plain in the file, so its range cannot be told",
        ),
    }
}

fn forged(zh: &str, en: &str, hole: Option<&Range<usize>>) -> Message {
    let (at_zh, at_en) = match hole {
        Some(hole) => (format!("字节{}处", hole.start), format!(" at byte {}", hole.start)),
        None => Default::default(),
    };
    Message::new(
        "pdf.attack.usf",
        format!("{at_zh}{zh}：没有签名可验（通用伪造USF的手法；未完成签署的文件也如此）"),
        format!(
            "{en}{at_en}: there is nothing to verify (universal signature forgery, USF; an unfinished signing looks the same)"
        ),
    )
}

/// What follows a signed state and is no proper revision. `objects`: it holds objects or an index, which some viewers show.
pub(super) fn behind(from: usize, to: usize, objects: bool) -> Message {
    if objects {
        return Message::new(
            "pdf.attack.isa",
            format!(
                "字节{from}至{to}接在签名之后，含有对象却不是合规的增量更新，部分软件会显示其中内容（增量保存攻击ISA的手法）"
            ),
            format!(
                "Bytes {from} to {to} stand behind what was signed and hold objects without being a proper update; some viewers show them (incremental saving attack, ISA)"
            ),
        );
    }
    Message::new(
        "pdf.bytes-after-end",
        format!("字节{from}至{to}接在文件结尾之后，不属于任何修订"),
        format!("Bytes {from} to {to} stand behind the end of the file and belong to no revision"),
    )
}

/// A proper update, but one that puts other content in place of what was signed.
pub(super) fn replaced(from: usize, to: usize) -> Message {
    Message::new(
        "pdf.attack.isa",
        format!("字节{from}至{to}的后续更新改变了已签名的内容（增量保存攻击ISA的手法）"),
        format!("The update at bytes {from} to {to} changes what was signed (incremental saving attack, ISA)"),
    )
}

/// The dictionary that viewers read the signer's words from is not the one that was signed.
pub(super) fn spoofed(keys: &[String]) -> Message {
    let list = keys.join(" ");
    Message::new(
        "pdf.attack.spoofing",
        format!("签名字典在签名后被替换，{list} 与签名时不同（签名字典欺骗）"),
        format!("The signature dictionary was replaced after the signing; {list} differ (dictionary spoofing)"),
    )
}
