//! What is proven by a list of files with digests, as OFD signs (GB/T 33190 §18).

use super::{Covered, Found, Unchanged, WellFormed, failed, one_signer, open, passed};
use crate::cms::{SignedData, Signer};
use crate::message::Message;
use crate::ofd::oddity::shown;
use crate::ofd::reading::{Read, Shown};
use crate::ofd::signatures::ENTRANCE;
use crate::pdf::signatures::Coverage;
use crate::verify::report::{Check, SubIndication as Sub};

/// Form of an OFD signature (GB/T 33190 §18.2): a list with digests, and a value by one signer, made as the list says.
pub(in crate::verify::judge) fn format(read: &Read, signed: &SignedData, signer: &Signer) -> Found<WellFormed> {
    const ID: &str = "format";
    const CLAUSE: &str = "GB/T 33190 §18.2; GB/T 38540-2020 §7";
    if signed.signers.len() != 1 {
        return one_signer(signed);
    }
    if let Some(method) = other_method(read, signer) {
        return open(ID, CLAUSE, Sub::SigConstraintsFailure, method);
    }
    match read.listed_by {
        Some(digest) if digest.is_weak() => {
            let message = Message::new(
                "verify.ofd-weak-digest",
                format!("文件清单用{}作摘要，强度不足。", digest.name()),
                format!("The list of files has digests by {}, which is too weak.", digest.name()),
            );
            open(ID, CLAUSE, Sub::CryptoConstraintsFailureNoPoe, message)
        }
        None => {
            let message = Message::new(
                "verify.ofd-unknown-digest",
                "文件清单的摘要算法无法识别。",
                "The list of files has digests by an unknown algorithm.",
            );
            open(ID, CLAUSE, Sub::CryptoConstraintsFailureNoPoe, message)
        }
        Some(_) => passed(ID, CLAUSE, "签名格式可以识别", "the signature's form is known and sound", WellFormed(())),
    }
}

/// The list names another algorithm (SignatureMethod) than the value says of itself. SM2 has two identifiers (GM/T 0006).
fn other_method(read: &Read, signer: &Signer) -> Option<Message> {
    const SM2: [&str; 5] = ["1.2.156.10197.1.501", "1.2.156.10197.1.301.1", "1.2.156.10197.1.301", "SM2", "SM3withSM2"];
    let (listed, made) = (read.signature.method.as_deref()?, signer.signature_algorithm.oid.to_string());
    let sm2 = |name: &str| SM2.iter().any(|one| one.eq_ignore_ascii_case(name));
    if listed == made || (sm2(listed) && sm2(&made)) {
        return None;
    }
    let listed = shown(listed);
    Some(Message::new(
        "verify.ofd-method",
        format!("清单称签名算法为“{listed}”，签名值却是用{made}做的，不同软件可能有不同判断。"),
        format!(
            "The list says that it was signed by '{listed}', the value itself says {made}, so readers may judge it differently."
        ),
    ))
}

/// What an OFD signature speaks for: all files of the package but those that no list can hold.
pub(in crate::verify::judge) fn coverage(read: &Read, drawn: Option<&Shown>) -> (Coverage, Found<Covered>) {
    const ID: &str = "coverage";
    const CLAUSE: &str = "GB/T 33190 §18.2.3; GM/T 0099-2020";
    let open_files = &read.uncovered;
    if read.signature.references.is_empty() {
        let text = Message::new(
            "verify.ofd-nothing-signed",
            "签名没有列出任何文件，等于什么都没有签。",
            "The signature lists no file: nothing is signed.",
        );
        return (Coverage::None, failed(ID, CLAUSE, Sub::FormatFailure, text));
    }
    if open_files.is_empty() {
        let found =
            passed(ID, CLAUSE, "签名覆盖包内全部文件", "the signature covers every file of the package", Covered(()));
        return (Coverage::Whole, found);
    }
    let named: Vec<String> = open_files.iter().take(5).map(|name| shown(name)).collect();
    let count = open_files.len();
    // What matters to who looks at it: an open file that is drawn, or the entrance, which says what is drawn.
    let drawn = open_files.iter().filter(|name| drawn.is_some_and(|drawn| drawn.files.contains(*name))).count();
    let (mut zh, mut en) = (String::new(), String::new());
    if drawn > 0 {
        zh.push_str(&format!("，其中{drawn}个的内容会显示在页面上"));
        en.push_str(" Some of it is shown on the pages.");
    }
    if open_files.iter().any(|name| name == ENTRANCE) {
        zh.push_str("，OFD.xml还载有文档数据并决定显示哪个文档");
        en.push_str(" OFD.xml holds the document's data and says which document is shown.");
    }
    let text = Message::new(
        "verify.ofd-uncovered",
        format!(
            "文件包内有{count}个文件没有受签章保护，签章后可以任意更改：{}{zh}。请向发文机关索取原件。",
            named.join("、")
        ),
        format!(
            "Not protected by the signature, so that it could be anything: {}.{en} Ask the issuer for the original.",
            named.join(", ")
        ),
    );
    (Coverage::Partial, open(ID, CLAUSE, Sub::SignedDataNotFound, text))
}

/// Every file of the list has its digest.
pub(in crate::verify::judge) fn references(read: &Read) -> (Check, Option<Unchanged>) {
    const ID: &str = "references";
    const CLAUSE: &str = "GB/T 33190 §18.2.3";
    let wrong: Vec<String> = read.changed.iter().chain(&read.missing).take(5).map(|name| shown(name)).collect();
    if wrong.is_empty() {
        let text = format!("清单中的{}个文件均未改动", read.signature.references.len());
        let english = format!("all {} files of the list are unchanged", read.signature.references.len());
        return passed(ID, CLAUSE, &text, &english, Unchanged(()));
    }
    let text = Message::new(
        "verify.ofd-changed",
        format!("签名后有文件被改动或缺失：{}。请向发文机关索取原件。", wrong.join("、")),
        format!(
            "Files were changed or are missing since signing: {}. Ask the issuer for the original.",
            wrong.join(", ")
        ),
    );
    failed(ID, CLAUSE, Sub::HashFailure, text)
}
