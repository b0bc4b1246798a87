//! `yinxin doctor`: everything the service stands on, one line each, with what to do about it.

mod certificates;
mod log;
mod making;
mod trail;
mod upkeep;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use self::certificates::ends;
use super::Clock;
use super::certificates::read_trust;
use super::rooms::{Rooms, filed_seal, print};
use super::trouble::Trouble;
use crate::ca::life::in_use;
use crate::ca::{founded, newest_units};
use crate::config;
use crate::decision::Allowed;
use crate::desk::{Desk, blocking};
use crate::issue::ReportSeal;
use crate::keys::{Keyring, Mode, TokenState};
use crate::message::{Message, china_time};
use crate::pki::certificate::Certificate;
use crate::preview::{Landlock, Previewer};
use crate::seal::{self, SealStatus};
use crate::stamping::Stamping;
use crate::store::{SealFilter, StampingCertificate, Store};

/// A year before this program was written, or long after it will be forgotten, is a clock that lost its battery.
const SANE_YEARS: std::ops::Range<i32> = 2026..2076;
/// Free space that a year of a county's documents takes (110,000 of 120 kB), and below which writing soon fails, MiB.
const ROOM_MIB: (u64, u64) = (13 * 1024, 512);

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Warn,
    Fail,
}

#[derive(Debug, serde::Serialize)]
struct Finding {
    level: Level,
    #[serde(flatten)]
    message: Message,
}

/// The findings, in the order in which they were made.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, level: Level, id: &'static str, zh: impl Into<String>, en: impl Into<String>) {
        self.0.push(Finding { level, message: Message::new(id, zh, en) });
    }

    fn fail(&mut self, message: Message) {
        self.0.push(Finding { level: Level::Fail, message });
    }
}

/// Looks at everything it can reach; exits 1 where anything failed.
pub(super) async fn run(config: Option<&Path>, json: bool, clock: Clock) -> Result<ExitCode, Trouble> {
    let mut findings = Findings::default();
    match Rooms::of(config, json) {
        Err(Trouble(message)) => findings.fail(message),
        Ok(rooms) => examine(&rooms, &mut findings, clock).await,
    }
    for finding in &findings.0 {
        let mark = match finding.level {
            Level::Ok => "✓ ok  ",
            Level::Warn => "! warn",
            Level::Fail => "✗ fail",
        };
        print(&match json {
            true => serde_json::to_string(finding).unwrap_or_default(),
            false => format!("{mark} {}", finding.message),
        });
    }
    let failed = findings.0.iter().any(|finding| finding.level == Level::Fail);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn examine(rooms: &Rooms, findings: &mut Findings, clock: Clock) {
    let now = clock();
    match rooms.settings.mode {
        Mode::Trial => findings.add(
            Level::Warn,
            "doctor.trial",
            "设置可读；当前为试运行（mode = \"trial\"）",
            "settings read; this is a trial (mode = \"trial\")",
        ),
        Mode::Production => {
            findings.add(Level::Ok, "doctor.production", "设置可读；正式运行", "settings read; production")
        }
    }
    wall_clock(rooms, findings, now);
    disk(rooms, findings);
    let renderer = rooms.renderer().await;
    match &renderer {
        Err(Trouble(message)) => findings.fail(message.clone()),
        Ok(renderer) => {
            let names: Vec<_> = renderer.templates().iter().map(|t| t.title_zh()).collect();
            let count = names.len();
            findings.add(
                Level::Ok,
                "doctor.templates",
                format!("字体齐全；模板{count}个：{}", names.join("、")),
                format!("fonts are there; {count} template(s) read"),
            );
        }
    }
    match read_trust(&rooms.settings.verify.trust) {
        Err(Trouble(message)) => findings.fail(message),
        Ok(trust) => {
            let count = trust.anchors.len();
            findings.add(
                Level::Ok,
                "doctor.trust",
                format!("另外信任的根证书{count}张"),
                format!("{count} further trusted root(s)"),
            );
        }
    }
    preview(findings);
    let keyring = match rooms.keyring().await {
        Err(Trouble(message)) => {
            findings.fail(message);
            None
        }
        Ok(keyring) => {
            keys(&keyring, findings);
            Some(keyring)
        }
    };
    let stamping = match rooms.stamping(clock) {
        Err(Trouble(message)) => {
            findings.fail(message);
            None
        }
        Ok(stamping) => Some(stamping),
    };
    if let Some(stamping) = stamping.clone() {
        authorities(stamping, clock, findings).await;
    }
    match rooms.store().await {
        Err(Trouble(message)) => findings.fail(message),
        Ok(store) => {
            findings.add(
                Level::Ok,
                "doctor.store",
                "数据库可用，结构与程序相符",
                "the database answers and its schema is this program's",
            );
            let with = rooms.settings.verify.report_seal.as_ref();
            let status = &rooms.settings.status;
            if let Err(Trouble(message)) = filed(&store, keyring.as_deref(), (with, status), findings, now).await {
                findings.fail(message);
            }
            let witnesses = rooms.settings.log.witnesses.clone();
            let own = rooms.log_keyring().await;
            let at_home = own.map(|own| own.or_else(|| keyring.clone())).unwrap_or_else(|Trouble(message)| {
                findings.fail(message);
                None
            });
            if let Err(Trouble(message)) = log::log(&store, at_home.as_deref(), witnesses, findings, now).await {
                findings.fail(message);
            }
            let renderer = renderer.ok();
            if let (Some(stamping), Some(keyring), Some(renderer)) = (stamping, keyring, renderer) {
                let url = rooms.settings.http.public_url.clone();
                let desk = Desk::new(store, keyring, renderer, url, Arc::new(clock), Arc::new(|_| {}));
                if let Err(Trouble(message)) = unit(&desk.stamped_by(stamping), findings, now).await {
                    findings.fail(message);
                }
            }
        }
    }
}

/// Sane by itself, and not behind what was last written here.
fn wall_clock(rooms: &Rooms, findings: &mut Findings, now: OffsetDateTime) {
    if !SANE_YEARS.contains(&now.year()) {
        return findings.add(
            Level::Fail,
            "doctor.clock",
            format!("系统时间为{}年，请校准时钟", now.year()),
            format!("the clock says {}; set it", now.year()),
        );
    }
    let written =
        data_file(rooms).and_then(|file| std::fs::metadata(file).ok()?.modified().ok()).map(OffsetDateTime::from);
    if written.is_some_and(|written| written > now + Duration::MINUTE) {
        return findings.add(
            Level::Fail,
            "doctor.clock-behind",
            "系统时间早于数据库文件的最后修改时间，请校准时钟后再用印",
            "the clock is behind the database file's last change; set it before anything is sealed",
        );
    }
    findings.add(
        Level::Ok,
        "doctor.clock",
        format!("系统时间 {}", china_time(now)),
        "the clock is plausible; whether it is right only a time service can say",
    );
}

fn data_file(rooms: &Rooms) -> Option<PathBuf> {
    match &rooms.settings.store {
        config::Store::Sqlite { file } => Some(file.clone()),
        config::Store::Postgres { .. } => None,
    }
}

/// Room where the database lies, or here where it is elsewhere. `df` is in every Debian's coreutils.
fn disk(rooms: &Rooms, findings: &mut Findings) {
    let place = data_file(rooms).and_then(|file| file.ancestors().skip(1).find(|p| p.is_dir()).map(Path::to_path_buf));
    let place = place.unwrap_or_else(|| PathBuf::from("."));
    let df = std::process::Command::new("df").args(["--output=avail", "-BM", "--"]).arg(&place).output();
    let free = df.ok().and_then(|df| {
        let text = String::from_utf8(df.stdout).ok()?;
        text.lines().nth(1)?.trim().trim_end_matches('M').parse::<u64>().ok()
    });
    let (wanted, least) = ROOM_MIB;
    let Some(free) = free else {
        return findings.add(
            Level::Warn,
            "doctor.disk-unknown",
            "无法得知磁盘余量",
            "free disk space could not be read",
        );
    };
    let level = if free < least {
        Level::Fail
    } else if free < wanted {
        Level::Warn
    } else {
        Level::Ok
    };
    let todo = if level == Level::Ok { ("", "") } else { ("，请清理或扩容", "; make room") };
    findings.add(level, "doctor.disk", format!("磁盘余量 {free} MiB{}", todo.0), format!("{free} MiB free{}", todo.1));
}

/// A blank page, drawn as an uploaded document's would be.
fn preview(findings: &mut Findings) {
    const BLANK: &[u8] =
        b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n\
        3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n";
    let (level, zh, en) = match Previewer::of_this_program().draw(BLANK, &[]) {
        Err(why) => {
            tracing::warn!(%why, "a blank page was not drawn");
            let (zh, en) =
                ("无法绘制，核验页不显示页面图片；结论不受影响", "do not work; verdicts stand without pictures");
            (Level::Warn, zh, en)
        }
        Ok(drawn) if drawn.landlock == Some(Landlock::Full) => {
            (Level::Ok, "在隔离进程中绘制（含Landlock）", "are drawn in a process of their own, with Landlock")
        }
        Ok(_) => (
            Level::Warn,
            "在隔离进程中绘制，但内核未提供完整的Landlock；请使用较新的内核",
            "are drawn in a process of their own, but this kernel has not all of Landlock; use a newer one",
        ),
    };
    findings.add(level, "doctor.preview", format!("页面预览{zh}"), format!("previews of pages {en}"));
}

/// Each key signs a test message, and each token says how it stands.
fn keys(keyring: &Keyring, findings: &mut Findings) {
    for warning in keyring.warnings() {
        findings.0.push(Finding { level: Level::Warn, message: warning });
    }
    sign_with_all(keyring, findings);
    for token in keyring.tokens() {
        let TokenState { token: name, sessions, hanging, generation, busy, late, .. } = &token;
        let level = match &token {
            token if token.hung => Level::Fail,
            token if token.away.is_some() || *hanging + sessions == 0 => Level::Warn,
            _ => Level::Ok,
        };
        let away =
            token.away.clone().map_or_else(Default::default, |why| (format!("；{}", why.zh), format!("; {}", why.en)));
        findings.add(
            level,
            "doctor.token",
            format!("密码设备 {name}：会话{sessions}个，未返回的调用{hanging}个，库初始化{generation}次，繁忙拒绝{busy}次，超时{late}次{}", away.0),
            format!("token {name}: {sessions} session(s), {hanging} call(s) not returned, library initialised {generation} time(s), {busy} turned away, {late} late{}", away.1),
        );
    }
}

fn sign_with_all(keyring: &Keyring, findings: &mut Findings) {
    match keyring.check() {
        Err(error) => findings.fail(error.message()),
        Ok(checks) => {
            for check in checks {
                match check.outcome {
                    Err(error) => findings.fail(error.message()),
                    Ok(facts) => {
                        let (name, label) = (facts.algorithm.name(), &check.label);
                        let copyable = if facts.copyable {
                            ("可复制", "can be copied")
                        } else {
                            ("不可导出", "cannot be exported")
                        };
                        findings.add(
                            Level::Ok,
                            "doctor.key",
                            format!("密钥 {label}（{name}，{}）试签通过", copyable.0),
                            format!("key {label} ({name}, {}) signed a test message", copyable.1),
                        );
                    }
                }
            }
        }
    }
}

/// What is filed: certificates and their ends, keys to them, lists, interrupted orders.
async fn filed(
    store: &Store,
    keyring: Option<&Keyring>,
    (with, status): (Option<&ReportSeal>, &config::Status),
    findings: &mut Findings,
    now: OffsetDateTime,
) -> Result<(), Trouble> {
    let newest = store.audit_events(1).await?;
    if newest.first().is_some_and(|event| event.at > now + Duration::MINUTE) {
        findings.add(
            Level::Fail,
            "doctor.clock-behind",
            "系统时间早于最近的审计记录，请校准时钟后再用印",
            "the clock is behind the newest audit event; set it before anything is sealed",
        );
    }
    certificates::authorities(store, keyring, &status.publication, findings, now).await?;
    let mut offset = 0;
    loop {
        let seals = store.seals(&SealFilter { limit: 500, offset, ..SealFilter::default() }).await?;
        for filed in seals.iter().filter(|filed| filed.seal.life.status_at(now) == SealStatus::InForce) {
            let lives = store.certificate_lives(&filed.seal.number).await?;
            let mut used = in_use(&lives, now);
            if used.is_empty() {
                // What ended last says why nothing can be sealed.
                used.extend(lives.last().map(|life| life.certificate.clone()));
            }
            if filed.level >= seal::Level::Lt {
                certificates::evidence(store, &status.hosts, &used, filed, findings).await?;
            }
            for certificate in &used {
                ends(findings, ("印章", "the seal", filed.seal.number.as_str()), &certificate.certificate, now)?;
            }
            for certificate in used.iter().filter(|one| {
                lives.iter().any(|life| life.certificate.digest == one.digest && life.key_destroyed_at.is_none())
            }) {
                let public_key = Certificate::read(&certificate.certificate)?.public_key.clone();
                if let Some(Err(error)) = keyring.map(|keyring| keyring.signer_for(&certificate.key_label, &public_key))
                {
                    findings.fail(error.message());
                }
            }
        }
        if seals.len() < 500 {
            break;
        }
        offset += 500;
    }
    making::seals(store, findings, now).await?;
    upkeep::overdue(store, findings, now).await?;
    report_seal(store, with, findings, now).await?;
    trail::anchored(store, findings, now).await?;
    let unfinished = store.unfinished().await?.len();
    if unfinished > 0 {
        findings.add(
            Level::Warn,
            "doctor.unfinished",
            format!("有{unfinished}件用印中断，启动服务或运行 yinxin resume 即可处理"),
            format!("{unfinished} order(s) were interrupted; serving or `yinxin resume` takes them up"),
        );
    }
    Ok(())
}

/// Whether reports of verification can be sealed as the settings say.
async fn report_seal(
    store: &Store,
    with: Option<&ReportSeal>,
    findings: &mut Findings,
    now: OffsetDateTime,
) -> Result<(), Trouble> {
    let Some(with) = with else {
        findings.add(
            Level::Ok,
            "doctor.no-report-seal",
            "核验报告不盖章（未设置 verify.report_seal）",
            "reports of verification are not sealed (no verify.report_seal)",
        );
        return Ok(());
    };
    let seal = filed_seal(store, &with.seal).await?.seal;
    let officer =
        store.officer(&with.officer).await?.ok_or_else(|| Trouble::unknown("人员", "officer", &with.officer))?;
    let mut leave = Err(Message::new(
        "doctor.report-grant",
        format!("{}没有使用印章{}的授权，核验报告无法盖章", with.officer, with.seal),
        format!("{} has no grant for the seal {}, so reports cannot be sealed", with.officer, with.seal),
    ));
    for grant in store.grants(&with.seal).await?.iter().filter(|grant| grant.officer == with.officer) {
        leave = Allowed::on_report(String::new(), &seal, &officer, grant, now).map(|_| ()).map_err(|no| no.message);
        if leave.is_ok() {
            break;
        }
    }
    match leave {
        Ok(()) => findings.add(
            Level::Ok,
            "doctor.report-seal",
            format!("核验报告可加盖“{}”", seal.legend),
            format!("reports of verification can be sealed with {}", seal.number),
        ),
        Err(message) => findings.fail(message),
    }
    Ok(())
}

/// Each outside authority stamps a digest of zeros.
async fn authorities(stamping: Stamping, clock: Clock, findings: &mut Findings) {
    let asked = blocking(move || Ok::<_, ()>(stamping.authorities().try_each(&clock))).await;
    for (name, outcome) in asked.unwrap_or_default() {
        match outcome {
            Ok(time) => findings.add(
                Level::Ok,
                "doctor.stamp-authority",
                format!("时间戳机构 {name} 可用，其时间为 {}", china_time(time)),
                format!("the time-stamp authority {name} gave a stamp that holds"),
            ),
            Err(fault) => {
                let why = fault.message();
                findings.add(
                    Level::Fail,
                    "doctor.stamp-authority",
                    format!("时间戳机构 {name} 不可用：{}；请核对 stamp.authorities", why.zh),
                    format!("the time-stamp authority {name} gave no stamp: {}; check stamp.authorities", why.en),
                );
            }
        }
    }
}

/// Our own time-stamping unit: its certificate, and whether its clock can be promised.
async fn unit(desk: &Desk, findings: &mut Findings, now: OffsetDateTime) -> Result<(), Trouble> {
    let units = newest_units(desk.store.stamping_units().await?)?;
    if units.is_empty() {
        findings.add(
            Level::Warn,
            "doctor.no-stamping",
            "尚无时间戳密钥和证书，请运行 yinxin ca stamping",
            "no time-stamping key and certificate yet; run `yinxin ca stamping`",
        );
        return Ok(());
    }
    for family in founded(&desk.store).await? {
        if units.iter().all(|(known, _)| *known != family) {
            findings.add(
                Level::Warn,
                "doctor.no-stamping",
                "有一套证书机构尚无时间戳密钥和证书，请运行 yinxin ca stamping",
                "one line of authorities has no time-stamping key and certificate yet; run `yinxin ca stamping`",
            );
        }
    }
    for (_, unit) in &units {
        let StampingCertificate { label, certificate, .. } = &unit.certificate;
        ends(findings, ("时间戳", "the time-stamping unit", label), certificate, now)?;
    }
    match desk.stamping_trouble().await? {
        Some(message) => findings.fail(message),
        None => findings.add(
            Level::Ok,
            "doctor.stamping",
            "可以签发时间戳，各时钟一致",
            "our own unit can stamp; the clocks agree",
        ),
    }
    Ok(())
}
