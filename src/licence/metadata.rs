//! 电子证照元数据 (GB/T 36903): the elements under their short names, what platforms call them, and what is wrong with a set.

use time::macros::{format_description, offset};
use time::{Date, OffsetDateTime, PrimitiveDateTime};

use super::annotation::Claimed;
use super::{IdentifierError, LicenceIdentifier};
use crate::authority::Uscc;
use crate::message::Message;

/// One element.
#[derive(Debug)]
pub struct Element {
    /// Its name in files.
    pub key: &'static str,
    pub zh: &'static str,
    /// What sharing platforms call it.
    pub platform: &'static str,
    /// A licence without it is not fully described.
    core: bool,
}

const fn element(key: &'static str, zh: &'static str, platform: &'static str, core: bool) -> Element {
    Element { key, zh, platform, core }
}

/// The set, as platforms and files have it. Times of validity are asked for together: one of three is enough.
pub const ELEMENTS: &[Element] = &[
    element("ZZMC", "证照名称", "certificate_name", true),
    element("ZZLXMC", "证照类型名称", "certificate_type_name", true),
    element("ZZLXDM", "证照类型代码", "certificate_type_code", true),
    element("ZZBH", "证照编号", "certificate_number", true),
    element("ZZBS", "证照标识", "certificate_identifier", true),
    element("ZZBFJG", "证照颁发机构", "certificate_issuing_authority_name", true),
    element("ZZBFJGDM", "证照颁发机构代码", "certificate_issuing_authority_code", true),
    element("ZZBFJGJB", "证照颁发机构级别", "certificate_issuing_authority_level", false),
    element("ZZBFRQ", "证照颁发日期", "certificate_issuing_authority_date", true),
    element("ZZYXQQSRQ", "证照有效期起始日期", "certificate_validate_start", false),
    element("ZZYXQJZRQ", "证照有效期截止日期", "certificate_validate_end", false),
    element("ZZYXQFW", "证照有效期限范围", "certificate_validity_range", false),
    element("CZZT", "持证主体", "certificate_holder_name", true),
    element("CZZTDM", "持证主体代码", "certificate_holder_code", true),
    element("CZZTDMLX", "持证主体代码类型", "certificate_holder_type_name", true),
    element("CZZTDMLXDM", "持证主体代码类型代码", "certificate_holder_type", false),
    element("JZJZZSJ", "加注件制作时间", "certificate_copy_creation_time", false),
    element("JZJZZZ", "加注件制作者", "certificate_copy_creator", false),
    element("JZJZZSY", "加注件制作事由", "certificate_copy_cause", false),
    element("JZJYXQJZSJ", "加注件有效期截止时间", "certificate_copy_expiring_time", false),
    element("KZ_JZJBH", "加注件编号", "certificate_copy_number", false),
    element("KZ_JZJSYZ", "加注件使用者", "certificate_copy_user", false),
];

/// What holders are known by (GB/T 36903 annex A).
const HOLDER_CODES: &[(&str, &str)] = &[
    ("001", "统一社会信用代码"),
    ("099", "其他法人或其他组织有效证件代码"),
    ("111", "公民身份号码"),
    ("114", "中国人民解放军军官证号码"),
    ("115", "中国人民武装警察部队警官证号码"),
    ("118", "中国人民解放军士兵证号码"),
    ("119", "中国人民武装警察部队士兵证号码"),
    ("120", "中国人民解放军文职人员证号码"),
    ("122", "中国人民武装警察部队文职人员证号码"),
    ("411", "外交护照号码"),
    ("412", "公务护照号码"),
    ("413", "公务普通护照号码"),
    ("414", "普通护照号码"),
    ("511", "台湾居民来往大陆通行证号码"),
    ("516", "港澳居民来往内地通行证号码"),
    ("999", "其他自然人有效证件代码"),
];

/// What a holder's code is called, where the annex has it.
pub fn holder_code(kind: &str) -> Option<&'static str> {
    HOLDER_CODES.iter().find(|(code, _)| *code == kind).map(|(_, name)| *name)
}

/// The elements of one file, by their short names, in the order of these.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata(Vec<(String, String)>);

impl Metadata {
    /// From what a file says of itself: names as they are met, short ones in any case, or Chinese. What is no element is left
    /// out, but for extensions; of one that is said twice the first counts.
    pub fn read<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut all: Vec<(String, String)> = vec![];
        for (name, value) in pairs {
            let known = ELEMENTS.iter().find(|element| element.key.eq_ignore_ascii_case(name) || element.zh == name);
            let extension = || name.starts_with("KZ_").then(|| name.to_owned());
            let Some(key) = known.map(|element| element.key.to_owned()).or_else(extension) else { continue };
            if !value.trim().is_empty() && !all.iter().any(|(there, _)| *there == key) {
                all.push((key, value.trim().to_owned()));
            }
        }
        all.sort();
        Self(all)
    }

    /// Ours: what a template marks, and what follows from it. Without an identifier it is no licence, and nothing is said.
    pub fn written(marked: Vec<(String, String)>, title: &str) -> Self {
        let Some(identifier) = marked.iter().find(|(key, _)| key == "ZZBS").map(|(_, value)| value.clone()) else {
            return Self::default();
        };
        let mut all: Vec<(String, String)> =
            marked.into_iter().map(|(key, value)| (key.clone(), plain(&key, value))).collect();
        let mut add = |key: &str, value: &str| {
            if !all.iter().any(|(there, _)| there == key) {
                all.push((key.to_owned(), value.to_owned()));
            }
        };
        add("ZZMC", title);
        add("ZZLXMC", title);
        if let Ok(identifier) = LicenceIdentifier::parse(&identifier) {
            add("ZZLXDM", identifier.type_code());
            add("ZZBFJGDM", identifier.issuer());
        }
        let of = |all: &[(String, String)], key: &str| {
            all.iter().find(|(there, _)| there == key).map(|(_, value)| value.clone())
        };
        // A template that does not ask the service for the kind of code shows it by its form.
        if of(&all, "CZZTDMLXDM").is_none() && of(&all, "CZZTDM").is_some_and(|code| Uscc::parse(&code).is_ok()) {
            all.push(("CZZTDMLXDM".to_owned(), "001".to_owned()));
        }
        if let Some(name) = of(&all, "CZZTDMLXDM").as_deref().and_then(holder_code) {
            all.push(("CZZTDMLX".to_owned(), name.to_owned()));
        }
        if of(&all, "ZZYXQJZRQ").is_none() {
            all.push(("ZZYXQFW".to_owned(), "长期".to_owned()));
        }
        all.sort();
        Self(all)
    }

    /// With further elements.
    pub fn with<'a>(mut self, more: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        self.0.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
        self.0.sort();
        self
    }

    /// An element by its short name.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(there, _)| there == key).map(|(_, value)| value.as_str())
    }

    /// Names and values.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// What it says of itself as a copy.
    pub fn copy(&self) -> Option<Claimed> {
        Claimed::read(|key| self.get(key))
    }

    /// What is wrong with it, for a reader: none of it decides whether a seal is good. Nothing for what is no licence.
    pub fn faults(&self) -> Vec<Message> {
        let Some(text) = self.get("ZZBS") else { return vec![] };
        let mut faults = vec![];
        match LicenceIdentifier::parse(text) {
            Err(IdentifierError::Shape) => faults.push(Message::new(
                "verify.metadata-identifier-shape",
                format!("文件元数据中的证照标识“{text}”不是GB/T 36904的格式，请向颁发机构核对"),
                format!("the licence identifier in the file's metadata, {text}, is not as GB/T 36904 has it; ask its issuer"),
            )),
            Err(IdentifierError::Check { expected, found }) => faults.push(Message::new(
                "verify.metadata-identifier-check",
                format!("文件元数据中证照标识的校验位为“{found}”，按GB/T 36904应为“{expected}”，请向颁发机构核对"),
                format!("the licence identifier in the file's metadata ends in '{found}', by GB/T 36904 it should be '{expected}'; ask its issuer"),
            )),
            Ok(identifier) => faults.extend(
                [
                    ("ZZLXDM", "证照类型代码", identifier.type_code(), "verify.metadata-type"),
                    ("ZZBFJGDM", "颁发机构代码", identifier.issuer(), "verify.metadata-issuer"),
                ]
                .into_iter()
                .filter_map(|(key, zh, expected, id)| {
                    let said = self.get(key).filter(|said| *said != expected)?;
                    Some(Message::new(
                        id,
                        format!("文件元数据中的{zh}“{said}”与证照标识中的“{expected}”不一致"),
                        format!("{key} in the file's metadata is {said}, and {expected} in its identifier"),
                    ))
                }),
            ),
        }
        faults.extend(self.holder_fault());
        let dates = ["ZZBFRQ", "ZZYXQQSRQ", "ZZYXQJZRQ", "JZJZZSJ", "JZJYXQJZSJ"];
        faults.extend(dates.into_iter().filter_map(|key| {
            // A licence without an end may say so in words.
            let said = self.get(key).filter(|said| of_digits(said).is_none() && !said.contains("长期"))?;
            Some(Message::new(
                "verify.metadata-date",
                format!("文件元数据中{key}的日期“{said}”无法识别"),
                format!("the date {key} in the file's metadata cannot be read: {said}"),
            ))
        }));
        let mut missing: Vec<&str> =
            ELEMENTS.iter().filter(|element| element.core && self.get(element.key).is_none()).map(|e| e.zh).collect();
        if ["ZZYXQQSRQ", "ZZYXQJZRQ", "ZZYXQFW"].iter().all(|key| self.get(key).is_none()) {
            missing.push("证照有效期");
        }
        if !missing.is_empty() {
            let missing = missing.join("、");
            faults.push(Message::new(
                "verify.metadata-missing",
                format!("文件元数据缺少GB/T 36903要求的：{missing}"),
                format!("the file's metadata lack elements of GB/T 36903: {missing}"),
            ));
        }
        faults
    }

    fn holder_fault(&self) -> Option<Message> {
        let kind = self.get("CZZTDMLXDM")?;
        if holder_code(kind).is_none() {
            return Some(Message::new(
                "verify.metadata-holder-type",
                format!("文件元数据中的持证主体代码类型“{kind}”不在GB/T 36903附录A中"),
                format!("the kind of the holder's code, {kind}, is not in annex A of GB/T 36903"),
            ));
        }
        let code = self.get("CZZTDM").filter(|code| kind == "001" && Uscc::parse(code).is_err())?;
        Some(Message::new(
            "verify.metadata-holder-code",
            format!("文件元数据中的持证主体代码“{code}”不是有效的统一社会信用代码"),
            format!("the holder's code in the file's metadata, {code}, is no valid unified social credit code"),
        ))
    }
}

/// Dates are written as platforms have them, eight digits.
fn plain(key: &str, value: String) -> String {
    let date = Date::parse(&value, format_description!("[year]-[month]-[day]")).ok().filter(|_| key.ends_with("RQ"));
    date.and_then(|date| date.format(format_description!("[year][month][day]")).ok()).unwrap_or(value)
}

/// An instant as elements have it: fourteen digits, China time.
pub fn instant_digits(at: OffsetDateTime) -> String {
    let digits = format_description!("[year][month][day][hour][minute][second]");
    at.checked_to_offset(offset!(+8)).and_then(|at| at.format(digits).ok()).unwrap_or_default()
}

/// A date or an instant of an element in the forms that are met, China time: its digits are the same in all of them.
pub fn of_digits(text: &str) -> Option<OffsetDateTime> {
    let plain = |c: char| c.is_ascii_digit() || "-/.: T年月日时分秒".contains(c);
    let mut pieces = text.split(|c: char| !c.is_ascii_digit()).filter(|piece| !piece.is_empty());
    let first = pieces.next().filter(|_| text.chars().all(plain))?;
    let mut digits = first.to_owned();
    pieces.for_each(|piece| digits.push_str(&format!("{piece:0>2}")));
    let digits = match digits.len() {
        8 => digits + "000000",
        12 => digits + "00",
        _ => digits,
    };
    let read = PrimitiveDateTime::parse(&digits, format_description!("[year][month][day][hour][minute][second]"));
    Some(read.ok()?.assume_offset(offset!(+8)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;

    const IDENTIFIER: &str = "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U";

    fn written() -> Metadata {
        let marked = [
            ("ZZBS", IDENTIFIER),
            ("ZZBH", "1"),
            ("ZZBFJG", "某局"),
            ("ZZBFRQ", "2023-01-02"),
            ("CZZT", "某店"),
            ("CZZTDM", "92513221MA60000084"),
            ("ZZYXQJZRQ", "2028-01-01"),
        ];
        Metadata::written(marked.map(|(key, value)| (key.to_owned(), value.to_owned())).into(), "某证")
    }

    fn read(change: &[(&'static str, &'static str)]) -> Metadata {
        let written = written();
        let kept = written.pairs().iter().filter(|(key, _)| !change.iter().any(|(changed, _)| changed == key));
        let kept: Vec<(&str, &str)> = kept.map(|(key, value)| (key.as_str(), value.as_str())).collect();
        Metadata::read(kept.into_iter().chain(change.iter().copied()))
    }

    fn says(change: &[(&'static str, &'static str)]) -> Vec<&'static str> {
        read(change).faults().into_iter().map(|fault| fault.id).collect()
    }

    #[test]
    fn what_we_write_is_complete() {
        let ours = written();
        assert_eq!(ours.faults(), []);
        assert_eq!(read(&[]), ours);
        for (key, value) in [
            ("ZZMC", "某证"),
            ("ZZLXDM", "11100000000013338W011"),
            ("ZZBFJGDM", "11430000006122244L"),
            ("ZZBFRQ", "20230102"),
            ("CZZTDMLXDM", "001"),
            ("CZZTDMLX", "统一社会信用代码"),
        ] {
            assert_eq!(ours.get(key), Some(value), "{key}");
        }
        assert_eq!(Metadata::written(vec![("ZZBH".into(), "1".into())], "批文"), Metadata::default());
        assert_eq!(Metadata::default().faults(), []);
    }

    #[test]
    fn what_is_wrong_with_anothers_is_named() {
        const OTHER_CHECK: &str = "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.M";
        for (change, id) in [
            (("ZZBS", OTHER_CHECK), "verify.metadata-identifier-check"),
            (("ZZBS", "51322100000002"), "verify.metadata-identifier-shape"),
            (("ZZLXDM", "11100000000013338W012"), "verify.metadata-type"),
            (("ZZBFJGDM", "11330105002500287C"), "verify.metadata-issuer"),
            (("CZZTDM", "92513221MA60000085"), "verify.metadata-holder-code"),
            (("CZZTDMLXDM", "002"), "verify.metadata-holder-type"),
            (("ZZBFRQ", "last year"), "verify.metadata-date"),
            (("CZZT", ""), "verify.metadata-missing"),
        ] {
            assert_eq!(says(&[change]), [id], "{change:?}");
        }
        let fault = read(&[("ZZBS", OTHER_CHECK)]).faults().remove(0);
        assert!(fault.zh.contains("“M”") && fault.zh.contains("“U”"), "{}", fault.zh);
        assert_eq!(says(&[("ZZYXQJZRQ", "长期")]), [] as [&str; 0]);
        // Names in Chinese and in small letters, and what is no element.
        let theirs = Metadata::read([("证照标识", IDENTIFIER), ("zzbh", "7"), ("发票号码", "1"), ("ZZBH", "8")]);
        assert_eq!((theirs.get("ZZBS"), theirs.get("ZZBH"), theirs.pairs().len()), (Some(IDENTIFIER), Some("7"), 2));
    }

    #[test]
    fn dates_are_read_in_the_forms_that_are_met() {
        let day = datetime!(2030-01-02 00:00 +8);
        for text in ["20300102", "2030-01-02", "2030/1/2", "2030年1月2日", "20300102000000", "2030-01-02 00:00:00"] {
            assert_eq!(of_digits(text), Some(day), "{text}");
        }
        for text in ["", "tomorrow", "2030", "20300230", "2030-01-02x", "203001020000001"] {
            assert_eq!(of_digits(text), None, "{text}");
        }
        assert_eq!(of_digits(&instant_digits(day)), Some(day));
    }

    proptest! {
        /// Whatever a file says, it is told about and never a panic.
        #[test]
        fn anything_is_read(pairs in proptest::collection::vec((prop::sample::select(vec!["ZZBS", "ZZBFRQ", "CZZTDM", "CZZTDMLXDM", "JZJYXQJZSJ", "x"]), ".{0,40}"), 0..8)) {
            let read = Metadata::read(pairs.iter().map(|(key, value)| (*key, value.as_str())));
            let _ = (read.faults(), read.copy());
        }
    }
}
