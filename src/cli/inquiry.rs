//! Questions: files to be verified, the register's answer, the ledger.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use time::OffsetDateTime;

use super::certificates::read_trust;
use super::rooms::{Rooms, filed_seal, instant, open_file, print, read_file, write_file};
use super::trouble::Trouble;
use crate::config;
use crate::item::ItemCode;
use crate::limits;
use crate::register::{self, Question};
use crate::seal::SealNumber;
use crate::store::{LedgerFilter, Store};
use crate::verify::gather::{GatherError, Given, gather, house_trust};
use crate::verify::report::{Original, etsi, html};
use crate::verify::{Evidence, Register, Report, Trust, exit_code, judge};

/// Lines of the ledger asked for at a time.
const LEDGER_LINES: u32 = 1000;

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// 要验证的文件 / files to verify
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// 按此时刻判断 / judge as of this moment, RFC 3339
    #[arg(long, value_parser = instant)]
    at: Option<OffsetDateTime>,
    /// 信任的根证书目录；单独使用时不需要设置、数据库和密钥 / folder of trusted roots; alone it needs no settings, store or key
    #[arg(long, value_name = "DIR")]
    trust: Option<PathBuf>,
    /// 登记册快照（由公开日志证明）或导出的登记册 / a snapshot of the register, which the public log proves, or an export
    #[arg(long, value_name = "FILE")]
    register: Option<PathBuf>,
    /// 公开日志须有几个见证；默认为登记册所定，且不少于信任目录中见证公钥的半数以上 / how many witnesses must have seen the public log; by default what the register asks for, and never less than most of those that are trusted
    #[arg(long, value_name = "K")]
    witnesses: Option<usize>,
    /// 登记册快照可用几天；更旧的不能说明印章现在的情况 / for how many days a snapshot of the register speaks for today
    #[arg(long, value_name = "DAYS", default_value_t = limits::REGISTER_DAYS)]
    register_age: u16,
    /// 分离签名（.p7s）或时间戳所针对的内容 / what a detached signature (.p7s) or time stamp is about
    #[arg(long, value_name = "FILE")]
    content: Option<PathBuf>,
    /// 把每份报告写成文件：json、xml（ETSI TS 119 102-2）或 html / write each report to a file in this form
    #[arg(long, value_name = "FORM")]
    report: Option<Form>,
    /// 报告文件；验证多份文件时为目录 / where the report goes: a file, or a folder for several; FILE.FORM beside each by default
    #[arg(short, long, value_name = "PATH", requires = "report")]
    output: Option<PathBuf>,
}

/// A form of the report.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Form {
    Json,
    Xml,
    Html,
}

impl Form {
    fn of(self, report: &Report, evidence: &Evidence, original: &Original) -> String {
        match self {
            Self::Json => serde_json::to_string_pretty(report).unwrap_or_default(),
            Self::Xml => etsi::xml(report, evidence, original),
            Self::Html => html(report),
        }
    }

    fn ending(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Xml => "xml",
            Self::Html => "html",
        }
    }
}

/// Where the report of `file` goes.
fn report_path(verify: &Verify, form: Form, file: &Path) -> PathBuf {
    let name = format!("{}.{}", file.file_name().unwrap_or_default().to_string_lossy(), form.ending());
    match &verify.output {
        Some(path) if verify.files.len() == 1 && !path.is_dir() => path.clone(),
        Some(folder) => folder.join(name),
        None => file.with_file_name(name),
    }
}

#[derive(Debug, Args)]
pub(super) struct Status {
    #[arg(value_parser = SealNumber::parse)]
    number: SealNumber,
    /// 用印时间，默认为现在 / when it was sealed, now by default
    #[arg(long, value_parser = instant)]
    at: Option<OffsetDateTime>,
    /// 事项编码 / item
    #[arg(long, value_parser = ItemCode::parse)]
    item: Option<ItemCode>,
    /// 受理时间 / when the application was accepted
    #[arg(long, value_parser = instant)]
    accepted: Option<OffsetDateTime>,
}

#[derive(Debug, Args)]
pub(super) struct Ledger {
    /// 印章编号 / seal
    #[arg(long, default_value = "")]
    seal: String,
    /// 用印人 / officer
    #[arg(long, default_value = "")]
    officer: String,
    #[arg(long, value_parser = instant)]
    from: Option<OffsetDateTime>,
    #[arg(long, value_parser = instant)]
    until: Option<OffsetDateTime>,
    /// 以 CSV 输出 / print CSV
    #[arg(long)]
    csv: bool,
}

/// Verifies files. With a trust folder and no settings named, the world is not touched.
pub(super) async fn verify(
    verify: Verify,
    config: Option<&Path>,
    json: bool,
    now: OffsetDateTime,
) -> Result<ExitCode, Trouble> {
    let mut trust = match &verify.trust {
        Some(folder) if !folder.is_dir() => return Err(Trouble::file(folder, &"没有此目录 / no such directory")),
        Some(folder) => read_trust(folder)?,
        None => Trust::default(),
    };
    let mut store = None;
    // Anyone may verify anywhere: without settings there is no register to ask, and none is made.
    if config.is_some() || (verify.trust.is_none() && Path::new(config::DEFAULT_FILE).is_file()) {
        let rooms = Rooms::of(config, json)?;
        let opened = rooms.store().await?;
        trust = trust.and(rooms.trust()?).and(house_trust(&opened).await?);
        store = Some(opened);
    }
    trust.witnesses_asked = verify.witnesses.or(trust.witnesses_asked);
    trust.register_days = Some(verify.register_age);
    let register = match &verify.register {
        Some(file) => {
            let bytes = read_file(file, limits::REGISTER_BYTES)?;
            Some(Register::read(&bytes, &trust).map_err(|fault| Trouble(fault.message()))?)
        }
        None => None,
    };
    if let Some(register) = &register {
        trust.witnesses_asked = Some(trust.witnesses_needed(register.witnesses));
    }
    let content = verify.content.as_ref().map(|file| read_file(file, limits::PDF_BYTES)).transpose()?;
    let trust = Arc::new(trust);
    let bar = indicatif::ProgressBar::new(verify.files.len() as u64);
    let mut reports = Vec::with_capacity(verify.files.len());
    for file in &verify.files {
        let opened = given(file)?;
        let name = file.display().to_string();
        let evidence = gathered(store.as_ref(), &trust, register.as_ref(), &name, opened, verify.at, now).await;
        let mut evidence = evidence.map_err(|error| match error {
            GatherError::Unread(error) => Trouble::file(file, &error),
            GatherError::Store(error) => error.into(),
        })?;
        evidence.content.clone_from(&content);
        let report = judge(&evidence);
        if let Some(form) = verify.report {
            let original = Original::of(&read_file(file, limits::PDF_BYTES)?);
            write_file(&report_path(&verify, form, file), form.of(&report, &evidence, &original).as_bytes())?;
        }
        bar.suspend(|| match json {
            true => print(&serde_json::to_string(&report).unwrap_or_default()),
            false => tell(&report),
        });
        bar.inc(1);
        reports.push(report);
    }
    bar.finish_and_clear();
    Ok(ExitCode::from(exit_code(&reports)))
}

/// A file on disk is read piece by piece; what comes through a pipe is held in memory.
fn given(path: &Path) -> Result<Given, Trouble> {
    let file = open_file(path)?;
    let pipe = file.metadata().is_ok_and(|about| !about.is_file());
    Ok(if pipe { read_file(path, limits::PDF_BYTES)?.into() } else { file.into() })
}

/// One file with all that may be asked about it, to be judged now or as of the moment asked about.
pub(super) async fn gathered(
    store: Option<&Store>,
    trust: &Arc<Trust>,
    register: Option<&Register>,
    name: &str,
    given: impl Into<Given>,
    at: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> Result<Evidence, GatherError> {
    let mut evidence = gather(store, trust.clone(), name, given, at.unwrap_or(now)).await?;
    evidence.now = Some(now);
    if let (None, Some(register)) = (store, register) {
        evidence.ask_export(register);
    }
    Ok(evidence)
}

fn tell(report: &Report) {
    print(&format!("{}  {}", report.verdict.indication(), report.file));
    print(&format!("  {}", report.summary.zh));
    print(&format!("  {}", report.summary.en));
    for signature in &report.signatures {
        let sub = signature.verdict.sub_indication().and_then(|sub| serde_json::to_value(sub).ok());
        let sub = sub.as_ref().and_then(|sub| sub.as_str()).unwrap_or_default();
        let level = signature.level.map_or("", |level| level.as_str());
        print(format!("  — {} {} {sub} {level}", signature.name, signature.verdict.indication()).trim_end());
        for check in &signature.checks {
            let mark = match check.outcome {
                crate::verify::report::Outcome::Passed => "✓",
                crate::verify::report::Outcome::Failed => "✗",
                crate::verify::report::Outcome::Indeterminate => "?",
                crate::verify::report::Outcome::Info => "·",
            };
            print(&format!("    {mark} {} / {}  [{}; {}]", check.message.zh, check.message.en, check.id, check.clause));
            if let Some(advice) = advice(check.message.id) {
                print(&format!("      → {advice}"));
            }
        }
    }
    for finding in &report.findings {
        print(&format!("  ! {finding}"));
    }
}

/// For whoever runs this program: a check's own words are for citizens, who have neither folder nor options.
fn advice(id: &str) -> Option<&'static str> {
    Some(match id {
        "pki.path-no-anchor" => {
            "如信任该签发机构，请把其根证书放入 --trust 目录 / if you trust this authority, put its root certificate into the folder of --trust"
        }
        "pki.path-revocation-unknown" => {
            "请取得签发者的最新 CRL 或 OCSP 响应，放入 --trust 目录 / obtain the issuer's current CRL or an OCSP response and put it into the folder of --trust"
        }
        "verify.register-outdated" => {
            "请取得新的快照（--register），或用 --register-age 另定天数 / get a new snapshot for --register, or allow more days with --register-age"
        }
        "verify.content-missing" => "请用 --content 给出内容 / name the content with --content",
        _ => return None,
    })
}

pub(super) async fn status(rooms: &Rooms, status: Status, now: OffsetDateTime) -> Result<(), Trouble> {
    let store = rooms.store().await?;
    let filed = filed_seal(&store, &status.number).await?;
    let item = match &status.item {
        Some(code) => {
            Some(store.item(code).await?.ok_or_else(|| Trouble::from(crate::item::not_on_the_list(code.as_str())))?)
        }
        None => None,
    };
    let at = status.at.unwrap_or(now);
    let answer = register::answer(Question { seal: &filed.seal, at, item: item.as_ref(), accepted: status.accepted });
    if rooms.json() {
        return rooms.show(&answer);
    }
    let verdict = match answer.verdict {
        register::Verdict::Good => "✓ 有效 / good",
        register::Verdict::NotGood => "✗ 无效 / not good",
        register::Verdict::NotEnough => "? 尚不能判断 / not enough to say",
    };
    print(&format!("{verdict}：{}（{}）", filed.seal.legend, filed.seal.number));
    print(&answer.sentence.to_string());
    for refusal in &answer.refusals {
        print(&format!("规则{} / rule {}：{}", refusal.rule.number(), refusal.rule.number(), refusal.message));
    }
    Ok(())
}

pub(super) async fn ledger(rooms: &Rooms, ledger: Ledger) -> Result<(), Trouble> {
    let store = rooms.store().await?;
    let mut csv = csv::Writer::from_writer(std::io::stdout());
    let unwritten = |e: csv::Error| Trouble::file(Path::new("-"), &e);
    if ledger.csv {
        let heading =
            ["时间", "印章编号", "印文", "用印人编号", "用印人", "类别", "状态", "文书", "依据", "摘要", "记录号"];
        csv.write_record(heading).map_err(unwritten)?;
    }
    let mut offset = 0;
    loop {
        let filter = LedgerFilter {
            seal: ledger.seal.clone(),
            officer: ledger.officer.clone(),
            from: ledger.from,
            until: ledger.until,
            limit: LEDGER_LINES,
            offset,
        };
        let lines = store.ledger(&filter).await?;
        for line in &lines {
            let at = line.at.to_offset(time::macros::offset!(+8));
            let at = at.format(&time::format_description::well_known::Rfc3339).unwrap_or_default();
            let state = serde_json::to_value(line.state).ok();
            let state = state.as_ref().and_then(|s| s.as_str()).unwrap_or_default();
            if ledger.csv {
                let cells = [
                    &at,
                    line.seal.as_str(),
                    &line.legend,
                    &line.officer,
                    &line.officer_name,
                    line.kind.as_str(),
                    state,
                    &line.title,
                    &line.reason,
                    &line.digest,
                    &line.order,
                ];
                csv.write_record(cells.map(plain)).map_err(unwritten)?;
            } else if rooms.json() {
                rooms.show(line)?;
            } else {
                print(&format!(
                    "{at}  {} {}  {}  {}  {}（{}）  {state}",
                    line.seal,
                    line.legend,
                    line.officer,
                    line.kind.as_str(),
                    line.title,
                    line.reason
                ));
            }
        }
        if lines.len() < LEDGER_LINES as usize {
            break;
        }
        offset += LEDGER_LINES;
    }
    csv.flush().map_err(|e| Trouble::file(Path::new("-"), &e))
}

/// A cell that a spreadsheet does not take for a formula.
fn plain(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn cells_are_no_formulas() {
        assert_eq!(super::plain("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!(super::plain("汶审批"), "汶审批");
    }
}
