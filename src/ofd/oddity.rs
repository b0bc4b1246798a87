//! What a package does otherwise than the standards have it and is read all the same, as real ones do it: each is said, and
//! decides nothing. What two readers could take for two documents is no oddity but a fault.

use crate::message::Message;

/// One such thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Oddity {
    /// A file's names stand in another namespace than that of GB/T 33190 §5.
    Namespace { file: String, found: String },
    /// A place (ST_Loc, GB/T 33190 §7.3) with `\` or with `/` doubled, as written.
    Place(String),
    /// A listed file's place that does not begin at the package's root, where it is taken to begin.
    NotFromRoot(String),
    /// A file is there in other small and capital letters than its place has.
    Case { written: String, found: String },
    /// A file's name in the archive itself with `\`.
    Backslash(String),
    /// A digest by its name in place of its object identifier (GM/T 0006).
    DigestByName(String),
    /// Elements of this file in another order than the schema has them.
    Order(String),
    /// A file is listed more than once.
    Twice(String),
    /// A signature without a number, or with that of another.
    Number(String),
    /// Nobody says what software signed (ProviderName).
    NoProvider,
    /// Nobody says how it was signed (SignatureMethod).
    NoMethod,
    /// The time in the list is not the signed one, neither in UTC nor in China time; both as written.
    OtherTime { listed: String, signed: String },
    /// A value that is not DER of two shortest integers (GB/T 35276 §7.3): r ‖ s, or with zeros in front.
    Value { of_seal: bool, raw: bool },
}

impl Oddity {
    /// What to say about it.
    pub fn message(&self) -> Message {
        match self {
            Self::Namespace { file, found } => said(
                "ofd.odd.namespace",
                format!("{}的命名空间是“{}”，不是GB/T 33190所定。", shown(file), shown(found)),
                format!("{} has the namespace '{}', not that of GB/T 33190.", shown(file), shown(found)),
            ),
            Self::Place(written) => said(
                "ofd.odd.place",
                format!("路径“{}”写法不规范（反斜杠或重复的斜杠）。", shown(written)),
                format!(
                    "The place '{}' is not written as it should be (backslashes or doubled slashes).",
                    shown(written)
                ),
            ),
            Self::NotFromRoot(written) => said(
                "ofd.odd.relative",
                format!("清单中的路径“{}”不是从包的根目录写起，按根目录理解。", shown(written)),
                format!(
                    "The listed place '{}' does not begin at the package's root, where it is taken to begin.",
                    shown(written)
                ),
            ),
            Self::Case { written, found } => said(
                "ofd.odd.case",
                format!("所指的文件“{}”在包内名为“{}”，仅大小写不同。", shown(written), shown(found)),
                format!(
                    "The file '{}' is called '{}' in the package, in other small and capital letters.",
                    shown(written),
                    shown(found)
                ),
            ),
            Self::Backslash(name) => said(
                "ofd.odd.backslash",
                format!("包内文件名“{}”用了反斜杠，按斜杠理解。", shown(name)),
                format!("The name '{}' in the archive has backslashes, taken for slashes.", shown(name)),
            ),
            Self::DigestByName(name) => said(
                "ofd.odd.digest-name",
                format!("清单的摘要算法写作“{}”，应写对象标识符。", shown(name)),
                format!("The list names its digest '{}' and not by its object identifier.", shown(name)),
            ),
            Self::Order(file) => said(
                "ofd.odd.order",
                format!("{}中元素的次序与GB/T 33190不同。", shown(file)),
                format!("The elements of {} are in another order than GB/T 33190 has them.", shown(file)),
            ),
            Self::Twice(file) => said(
                "ofd.odd.twice",
                format!("清单不止一次列出“{}”，每次都须相符。", shown(file)),
                format!("The list has {} more than once; each digest must be right.", shown(file)),
            ),
            Self::Number(id) => said(
                "ofd.odd.number",
                format!("签名的标识“{}”缺失或与另一签名相同。", shown(id)),
                format!("The signature's identifier '{}' is missing or that of another.", shown(id)),
            ),
            Self::NoProvider => said(
                "ofd.odd.provider",
                "签名没有写明所用的签名软件。".into(),
                "The signature does not say what software made it.".into(),
            ),
            Self::NoMethod => said(
                "ofd.odd.method",
                "签名没有写明签名算法，以签名值所载为准。".into(),
                "The list does not say how it was signed; what the value itself says counts.".into(),
            ),
            Self::OtherTime { listed, signed } => said(
                "ofd.odd.time",
                format!("清单所写的签名时间“{}”与签名数据中的时间{}不一致，以后者为准。", shown(listed), signed),
                format!("The list gives the time '{}', the signed data {} (UTC), which counts.", shown(listed), signed),
            ),
            Self::Value { of_seal, raw } => {
                let (whose, of) = if *of_seal { ("印章", "seal") } else { ("签章", "signature") };
                let (form, form_en) = match raw {
                    true => ("r‖s连写", "r and s side by side"),
                    false => ("整数编码不是最短", "integers that are not the shortest"),
                };
                said(
                    "ofd.odd.value",
                    format!("{whose}的SM2签名值编码不规范（{form}），按GB/T 35276应为DER。"),
                    format!("The {of}'s SM2 value is not in DER as GB/T 35276 has it ({form_en})."),
                )
            }
        }
    }
}

fn said(id: &'static str, zh: String, en: String) -> Message {
    Message::new(id, zh, en)
}

/// Words of the file, as far as a page has room and without what turns or hides letters (UAX #9 §2).
pub fn shown(text: &str) -> String {
    const LETTERS: usize = 80;
    let hidden = |c: char| {
        c.is_control() || matches!(u32::from(c), 0x61C | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0xFEFF)
    };
    let mut shown: String = text.chars().take(LETTERS).map(|c| if hidden(c) { '□' } else { c }).collect();
    if text.chars().nth(LETTERS).is_some() {
        shown.push('…');
    }
    shown
}
