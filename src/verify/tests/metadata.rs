//! What files say of themselves (GB/T 36903): warnings beside the verdict, and copies told for what they are.

use std::sync::Arc;

use time::Duration;

use super::ofd::{saying, under};
use super::{House, NOW, Record, SEALED, notice, sealed};
use crate::licence::LicenceIdentifier;
use crate::licence::annotation::Annotation;
use crate::pki::trial::Key;
use crate::ses::trial::Made;
use crate::verify::{Evidence, Report, Trust, judge};

const IDENTIFIER: &str = "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U";

/// A full set, with these changes.
fn set<'a>(change: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let all = [
        ("ZZMC", "某证"),
        ("ZZLXMC", "某证"),
        ("ZZLXDM", "11100000000013338W011"),
        ("ZZBH", "1"),
        ("ZZBS", IDENTIFIER),
        ("ZZBFJG", "某局"),
        ("ZZBFJGDM", "11430000006122244L"),
        ("ZZBFRQ", "20230102"),
        ("ZZYXQFW", "长期"),
        ("CZZT", "某店"),
        ("CZZTDM", "92513221MA60000084"),
        ("CZZTDMLX", "统一社会信用代码"),
        ("CZZTDMLXDM", "001"),
    ];
    let kept = all.into_iter().filter(|(name, _)| !change.iter().any(|(changed, _)| changed == name));
    kept.chain(change.iter().copied()).collect()
}

fn findings(report: &Report) -> Vec<&'static str> {
    report.findings.iter().map(|finding| finding.id).collect()
}

fn copy() -> Annotation {
    Annotation {
        number: "0123456789012345".into(),
        identifier: LicenceIdentifier::parse(IDENTIFIER).unwrap(),
        purpose: "开户".into(),
        requester: "某银行".into(),
        maker: "某局".into(),
        made_at: SEALED,
        expires_at: NOW + Duration::DAY,
    }
}

#[test]
fn what_a_file_says_is_held_against_the_ledger() {
    let house = House::on(Key::sm2);
    let made = Made::of(&house.pki);
    let judged = |change: &[(&str, &str)], record: Option<Record>| {
        under(&house, &saying(&house, &made, false, &set(change)), record)
    };
    assert_eq!(findings(&judged(&[], sealed())), [] as [&str; 0]);
    // A warning decides nothing.
    let report = judged(&[("ZZBFJGDM", "11330105002500287C"), ("CZZTDM", "1")], sealed());
    assert_eq!(findings(&report), ["verify.metadata-issuer", "verify.metadata-holder-code"]);
    assert!(report.verdict.is_genuine());

    let of_copy = |copy: Annotation| sealed().map(|record| Record { copy: Some(copy), ..record });
    let elements = copy().elements();
    let elements: Vec<(&str, &str)> = elements.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let report = judged(&elements, of_copy(copy()));
    assert_eq!(findings(&report), [] as [&str; 0]);
    let told = report.copy.unwrap();
    assert!(told.recorded && !told.expired && report.summary.zh.contains("加注件，仅供某银行用于：开户"));

    // Another licence's, or another purpose, in the file than in the ledger.
    let other = LicenceIdentifier::parse(IDENTIFIER).unwrap().next_version().unwrap();
    let report = judged(&elements, of_copy(Annotation { identifier: other, ..copy() }));
    assert_eq!(findings(&report), ["verify.metadata-other-licence"]);
    let report = judged(&elements, of_copy(Annotation { purpose: "投标".into(), ..copy() }));
    assert_eq!(findings(&report), ["verify.metadata-other-copy"]);
    assert_eq!(report.copy.unwrap().purpose.as_deref(), Some("投标"), "the ledger counts");
    // What the file leaves out the ledger says all the same.
    let report = judged(&[], of_copy(Annotation { expires_at: NOW, ..copy() }));
    assert!(report.copy.unwrap().expired && report.verdict.is_genuine());

    // Without a line in the ledger the signature vouches for what the file says.
    let report = judged(&elements, sealed());
    let told = report.copy.unwrap();
    assert!(!told.recorded && told.sentence.zh.starts_with("加注件"), "{told:?}");
    // Nobody vouches where nothing is trusted.
    let bytes = saying(&house, &made, false, &set(&elements));
    let report = judge(&Evidence::open("x", &bytes, Arc::new(Trust::default()), NOW));
    let told = report.copy.unwrap();
    assert!(told.sentence.zh.starts_with("文件自称是加注件") && !report.summary.zh.contains("加注件"), "{told:?}");
}

/// A PDF says it in its information dictionary, and only what was signed first counts.
#[test]
fn what_is_put_into_a_pdf_later_is_not_read() {
    let house = House::new();
    let bytes = notice(&house, SEALED);
    let judged = |bytes: &[u8]| judge(&Evidence::open("x", bytes, Arc::new(Trust::default()), NOW));
    assert_eq!(judged(&bytes).copy.map(|copy| copy.purpose), None);
    // An update that claims that it were a copy.
    let text = String::from_utf8_lossy(&bytes);
    let start: usize = text.rsplit("startxref").next().unwrap().split_whitespace().next().unwrap().parse().unwrap();
    let (at, table) = (bytes.len() + 1, bytes.len() + 1 + "900 0 obj\n<< /Keywords (JZJZZSY=x) >>\nendobj\n".len());
    let update = format!(
        "\n900 0 obj\n<< /Keywords (JZJZZSY=x) >>\nendobj\nxref\n900 1\n{at:010} 00000 n \ntrailer\n<< /Size 901 /Root 1 0 R /Info 900 0 R /Prev {start} >>\nstartxref\n{table}\n%%EOF\n"
    );
    let updated = [bytes.as_slice(), update.as_bytes()].concat();
    let file = crate::pdf::file::File::open(updated.as_slice()).unwrap();
    assert!(file.get_dict(file.trailer(), b"Info").unwrap().unwrap().get(b"Keywords").is_some(), "the update is read");
    let report = judged(&updated);
    assert_eq!(report.signatures.len(), 1, "{report:#?}");
    assert_eq!(report.copy.map(|copy| copy.purpose), None);
}
