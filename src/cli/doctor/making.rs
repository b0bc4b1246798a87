//! Seals as data: an SM2 certificate without one seals no OFD, and one under a root that is not on SM2 convinces few.

use time::OffsetDateTime;

use super::{Findings, Level};
use crate::ca::Family;
use crate::ca::life::in_use;
use crate::ca::making::is_sm2;
use crate::cli::trouble::Trouble;
use crate::seal::SealStatus;
use crate::ses::read_seal;
use crate::store::{SealCertificate, SealFilter, Store};

pub(super) async fn seals(store: &Store, findings: &mut Findings, now: OffsetDateTime) -> Result<(), Trouble> {
    let (mut good, mut offset) = (0, 0);
    loop {
        let seals = store.seals(&SealFilter { limit: 500, offset, ..SealFilter::default() }).await?;
        for filed in seals.iter().filter(|filed| filed.seal.life.status_at(now) == SealStatus::InForce) {
            let number = &filed.seal.number;
            let mut held = in_use(&store.certificate_lives(number).await?, now);
            held.retain(|certificate| is_sm2(certificate).unwrap_or(false));
            if held.is_empty() {
                continue;
            }
            // An outside authority's root may be on a kind of key that we make none of.
            let mixed =
                |one: &&SealCertificate| Family::of_chain(&one.chain).is_ok_and(|of| of == Some(Family::International));
            if let Some(SealCertificate { serial, .. }) = held.first().filter(mixed) {
                findings.add(
                    Level::Warn,
                    "doctor.sm2-under-another",
                    format!("印章 {number} 的SM2证书不由SM2根证书签发，国家标准的OFD阅读软件不予认可；请先运行 yinxin ca init --algorithm sm2，再运行 yinxin seal rekey {number} --serial {serial} --document 文号（正式运行时以密钥仪式办理）"),
                    format!("the SM2 certificate of the seal {number} is not under a root on SM2, and national readers of OFD refuse it; run `yinxin ca init --algorithm sm2`, then `yinxin seal rekey {number} --serial {serial} --document ORDER` (in production by a ceremony)"),
                );
            }
            let files = store.seal_files(number).await?;
            let counts = |certificate: &SealCertificate| {
                let file = files.iter().rfind(|file| file.certificate == certificate.digest);
                let made = file.and_then(|file| read_seal(&file.file).ok());
                made.is_some_and(|made| made.valid_from <= now && now <= made.valid_until)
            };
            if held.iter().any(counts) {
                good += 1;
                continue;
            }
            findings.add(
                Level::Warn,
                "doctor.seal-file",
                format!("印章 {number} 有SM2证书而无可用的电子印章数据，不能在OFD上用印；请运行 yinxin seal make-ses {number}"),
                format!("the seal {number} has an SM2 certificate and is not made as data, so it seals no OFD; run `yinxin seal make-ses {number}`"),
            );
        }
        if seals.len() < 500 {
            break;
        }
        offset += 500;
    }
    findings.add(
        Level::Ok,
        "doctor.seal-files",
        format!("可在OFD上用印的印章{good}枚"),
        format!("{good} seal(s) can seal OFD"),
    );
    Ok(())
}
