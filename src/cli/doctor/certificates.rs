//! The certificates that everything rests on: of our authorities, of their responders, and what can be found out about
//! those of others.

use time::{Duration, OffsetDateTime};

use super::{Findings, Level};
use crate::ca::life::WARNINGS;
use crate::ca::{Issuer, Line, Publication, RESPONDER_SUCCESSOR_DAYS, issuers, lines, successor_due};
use crate::cli::trouble::Trouble;
use crate::fetch::Fetcher;
use crate::keys::Keyring;
use crate::message::china_time;
use crate::pki::certificate::Certificate;
use crate::store::{CaKind, FiledSeal, SealCertificate, Store};

/// A certificate that ends within this wants a successor.
const ENDS_SOON: Duration = Duration::days(WARNINGS[0]);

/// Our authorities: their ends, their lists, who answers in their place.
pub(super) async fn authorities(
    store: &Store,
    keyring: Option<&Keyring>,
    publication: &Publication,
    findings: &mut Findings,
    now: OffsetDateTime,
) -> Result<(), Trouble> {
    let issuers = issuers(store).await?;
    let authorities = store.ca_certificates().await?;
    if authorities.is_empty() {
        findings.add(
            Level::Warn,
            "doctor.no-ca",
            "尚未建立证书机构；不使用外部 CA 时请运行 yinxin ca init",
            "no certificate authorities yet; run `yinxin ca init` unless an outside one is used",
        );
    }
    let lines = lines(store).await?;
    for line in lines.iter().filter(|line| line.newest().is_none()) {
        let label = line.label();
        findings.add(
            Level::Warn,
            "doctor.half-founded",
            format!("根证书 {label} 之下尚无签发机构（建立时中断），请以同样的算法再次运行 yinxin ca init"),
            format!("there is no issuing authority under {label}, whose founding was interrupted; run `yinxin ca init` with the same algorithm again"),
        );
    }
    let newest: Vec<_> = lines.iter().filter_map(Line::newest).collect();
    for ca in &authorities {
        let followed = ca.kind == CaKind::Issuing && newest.iter().all(|newest| newest.label != ca.label);
        if followed && Certificate::read(&ca.certificate)?.not_after <= now {
            ended(&ca.label, keyring, findings);
            continue;
        }
        match followed {
            true => findings.add(
                Level::Ok,
                "doctor.authority-followed",
                format!("证书机构 {} 已有后继，到期前继续更新吊销列表和应答", ca.label),
                format!("{} was followed by another and goes on answering for what it made", ca.label),
            ),
            false => ends(findings, ("证书机构", "the authority", &ca.label), &ca.certificate, now)?,
        }
        match store.crl(&ca.label).await? {
            None => findings.add(
                Level::Fail,
                "doctor.no-list",
                format!("证书机构 {} 没有吊销列表，请运行 yinxin ca refresh", ca.label),
                format!("{} has no revocation list; run `yinxin ca refresh`", ca.label),
            ),
            Some(list) if list.next_update <= now => findings.add(
                Level::Fail,
                "doctor.list-stale",
                format!("吊销列表 {} 已过期（{}），请运行 yinxin ca refresh", ca.label, china_time(list.next_update)),
                format!("the list of {} is past its next update; run `yinxin ca refresh`", ca.label),
            ),
            Some(list) if list.this_update + publication.list_every * 2 <= now => findings.add(
                Level::Warn,
                "doctor.list-old",
                format!("吊销列表 {} 逾期未更新；服务未在运行时请运行 yinxin ca refresh", ca.label),
                format!("the next list of {} is overdue; run `yinxin ca refresh` where nothing is serving", ca.label),
            ),
            Some(list) => findings.add(
                Level::Ok,
                "doctor.list",
                format!("吊销列表 {} 第{}期有效至 {}", ca.label, list.number, china_time(list.next_update)),
                format!("the list of {} is fresh", ca.label),
            ),
        }
    }
    for issuer in issuers.iter().filter(|issuer| issuer.certificate.is_in_force(now)) {
        responder(store, issuer, findings, now).await?;
    }
    for issuer in newest {
        if successor_due(&issuer.certificate) > now + ENDS_SOON {
            continue;
        }
        let due = china_time(successor_due(&issuer.certificate));
        findings.add(
            Level::Warn,
            "doctor.issuing-successor",
            format!(
                "签发机构 {} 须有后继：{due} 起签发的印章证书有效期将缩短，请运行 yinxin ca rekey（正式运行时以密钥仪式的 rekey-issuing 步骤办理）",
                issuer.label
            ),
            format!(
                "the issuing authority {} wants a successor: what it makes from {due} Beijing time on lasts shorter; run `yinxin ca rekey` (in production the step rekey-issuing of a ceremony)",
                issuer.label
            ),
        );
    }
    Ok(())
}

/// An issuing authority that was followed and has ended says no more; its keys should go.
fn ended(label: &str, keyring: Option<&Keyring>, findings: &mut Findings) {
    let there = keyring.and_then(|keyring| keyring.labels().ok()).is_some_and(|all| all.iter().any(|key| key == label));
    if there {
        findings.add(
            Level::Warn,
            "doctor.issuing-key",
            format!("签发机构 {label} 已到期，其密钥尚在，请以密钥仪式的 destroy-issuing 步骤销毁"),
            format!(
                "{label} has ended and its key is still there; destroy it by the step destroy-issuing of a ceremony"
            ),
        );
    } else {
        findings.add(
            Level::Ok,
            "doctor.authority-ended",
            format!("证书机构 {label} 已到期，其密钥已不在"),
            format!("{label} has ended and its key is gone"),
        );
    }
}

/// Whether it can be found out how the certificate of an outside authority stands: what waits for that waits for ever where
/// no address is named, or none on a host that may be asked.
pub(super) async fn evidence(
    store: &Store,
    hosts: &[String],
    used: &[SealCertificate],
    filed: &FiledSeal,
    findings: &mut Findings,
) -> Result<(), Trouble> {
    let fetcher = Fetcher::new(hosts.iter().cloned());
    let ours: Vec<_> = store.ca_certificates().await?.into_iter().map(|ca| ca.certificate).collect();
    for certificate in used {
        // The last of a chain is trusted, not asked about.
        let chain = std::iter::once(&certificate.certificate).chain(&certificate.chain);
        for der in
            chain.take(certificate.chain.len()).take_while(|_| !certificate.chain.iter().any(|der| ours.contains(der)))
        {
            let read = Certificate::read(der)?;
            let addresses: Vec<_> = read.ocsp_urls.iter().chain(&read.crl_urls).collect();
            let (zh, en) = if addresses.is_empty() {
                (
                    "未写明 OCSP 或吊销列表地址，请向签发机构另行申请，或将印章的签名等级降为 B-T",
                    "names no OCSP or CRL address: have its authority make another, or lower the seal's level to B-T",
                )
            } else if !addresses.iter().any(|address| fetcher.may_ask(address)) {
                (
                    "所写 OCSP 和吊销列表地址的主机均未列入 status.hosts，请列入",
                    "names OCSP and CRL addresses on hosts that are not in status.hosts: list one",
                )
            } else {
                continue;
            };
            findings.add(
                Level::Warn,
                "doctor.no-evidence",
                format!(
                    "印章 {} 的签名等级为 {}，用印将一直等待：证书“{}”{zh}",
                    filed.seal.number, filed.level, read.subject
                ),
                format!(
                    "the seal {} promises {} and its orders will wait for ever: the certificate of \"{}\" {en}",
                    filed.seal.number, filed.level, read.subject
                ),
            );
        }
    }
    Ok(())
}

/// Whether somebody can answer for our certificates.
async fn responder(
    store: &Store,
    issuer: &Issuer,
    findings: &mut Findings,
    now: OffsetDateTime,
) -> Result<(), Trouble> {
    let filed = store.responder(&issuer.label).await?;
    let Some(ends) = filed.map(|filed| filed.not_after).filter(|ends| *ends > now) else {
        findings.add(
            Level::Fail,
            "doctor.no-responder",
            "OCSP 应答证书没有或已过期，请运行 yinxin ca refresh",
            "the responder has no certificate in force; run `yinxin ca refresh`",
        );
        return Ok(());
    };
    let until = china_time(ends);
    // The service renews it in time, so one that is late was not kept by any.
    if ends <= now + Duration::days(RESPONDER_SUCCESSOR_DAYS - 1) && ends < issuer.certificate.not_after {
        findings.add(
            Level::Warn,
            "doctor.responder-old",
            format!("OCSP 应答证书逾期未更新（至 {until}）；服务未在运行时请运行 yinxin ca refresh"),
            format!("the responder's certificate should have been renewed (until {until} Beijing time); run `yinxin ca refresh` where nothing is serving"),
        );
    } else {
        findings.add(
            Level::Ok,
            "doctor.responder",
            format!("OCSP 应答证书有效至 {until}"),
            format!("the responder's certificate is in force (until {until} Beijing time)"),
        );
    }
    Ok(())
}

pub(super) fn ends(
    findings: &mut Findings,
    (zh_of, en_of, name): (&str, &str, &str),
    der: &[u8],
    now: OffsetDateTime,
) -> Result<(), Trouble> {
    let end = Certificate::read(der)?.not_after;
    let until = china_time(end);
    let (level, zh, en) = if end <= now {
        (Level::Fail, "已过期，请更换", "has ended; replace it")
    } else if end <= now + ENDS_SOON {
        (Level::Warn, "即将到期，请着手更换", "ends soon; prepare its successor")
    } else {
        (Level::Ok, "在有效期内", "is in force")
    };
    findings.add(
        level,
        "doctor.certificate",
        format!("{zh_of} {name} 的证书{zh}（至 {until}）"),
        format!("the certificate of {en_of} {name} {en} (until {until} Beijing time)"),
    );
    Ok(())
}
