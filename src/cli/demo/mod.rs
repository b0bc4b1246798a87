//! The demonstration: a sample bureau from nothing, by the same flows as in earnest, with what must come out of it.

mod export;
mod sample;
mod state;
mod table;
mod witness;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::Value;
use time::macros::datetime;

use self::sample::{RefusedCase, Sample, china_date, other_refusals};
use self::state::State;
use self::table::Table;
use super::export::export as export_certificates;
use super::filing::{TwoOfficers, password_hash};
use super::inquiry::gathered;
use super::rooms::{Rooms, filed_seal, print, write_file};
use super::sealing::{write_document, write_of_digest};
use super::trouble::Trouble;
use super::{Clock, serve};
use crate::abolish::{self, AbolishRequest};
use crate::abolition::AbolitionRequest;
use crate::ca::Authority;
use crate::crypto::KeyAlgorithm;
use crate::decision::DecisionRequest;
use crate::desk::{self, Desk, FlowError};
use crate::issue::{self, IssueRequest, Issued, LicenceRequest};
use crate::item::ItemCode;
use crate::licence::LicenceAct;
use crate::ofd::reading::{Inside, Reading};
use crate::officer::{Duty, Officer, OfficerId};
use crate::pki::certificate::{Certificate, to_pem};
use crate::register::snapshot::Published;
use crate::register::{self, Question};
use crate::seal::SealNumber;
use crate::ses::{self, Picture};
use crate::stamp::Token;
use crate::store::{CaKind, FiledSnapshot};
use crate::verify::gather::house_trust;
use crate::verify::{Trust, judge};

/// The government's, the bureau's, and the department's seal that gets a key to be taken away again.
const GOVERNMENT: &str = "51322100000001";
const BUREAU: &str = "51322100000002";
const DEPARTMENT: &str = "51322100000110";

#[derive(Debug, Args)]
pub(super) struct DemoArguments {
    /// 把文书和报告写到此目录后结束 / write everything to this folder and end
    #[arg(long, value_name = "DIR")]
    once: Option<PathBuf>,
    /// 密码机的 PKCS#11 库 / PKCS#11 library of a token
    #[arg(long, value_name = "FILE", requires_all = ["hsm_token", "hsm_pin_file"])]
    hsm_module: Option<PathBuf>,
    /// 令牌标签 / the token's label
    #[arg(long, value_name = "LABEL", requires = "hsm_module")]
    hsm_token: Option<String>,
    /// PIN 文件 / file with the PIN
    #[arg(long, value_name = "FILE", requires = "hsm_module")]
    hsm_pin_file: Option<PathBuf>,
}

impl DemoArguments {
    pub fn serves(&self) -> bool {
        self.once.is_none()
    }
}

pub(super) async fn run(arguments: DemoArguments, clock: Clock) -> Result<ExitCode, Trouble> {
    let sample = Sample::read().map_err(Trouble)?;
    for line in &sample.note {
        print(&format!("※ {line}"));
    }
    let state = State::prepare(&arguments)?;
    let _witness = witness::beside(&state, clock).await?;
    let rooms = Rooms::of(Some(&state.settings()), false)?;
    let dir = arguments.once.clone().unwrap_or_else(|| state.out());
    std::fs::create_dir_all(dir.join("reports")).map_err(|e| Trouble::file(&dir, &e))?;
    let loaded = std::fs::exists(dir.join("register.json")).unwrap_or(false);
    if arguments.once.is_some() || !loaded {
        let password = match arguments.once {
            Some(_) => String::new(),
            None => password_hash(state.password()?).await?,
        };
        // SoftHSM knows no SM2, and what is sealed as OFD takes it.
        let has_sm2 = arguments.hsm_module.is_none();
        let (sample, dir, table) = (sample.clone(), dir.clone(), Table::default());
        let story = Story { sample, dir, table, made: vec![], has_sm2, clock };
        if !story.tell(&rooms, &password).await? {
            return Ok(ExitCode::FAILURE);
        }
    }
    if arguments.once.is_none() {
        print(&format!("\n文书、报告和登记册在 / documents are in {}", dir.display()));
        print(&format!("登录密码在 / the password to sign in is in {}", state.password()?.display()));
        for officer in &sample.bureau.officers {
            let duties: Vec<_> = officer.duties.iter().copied().map(Duty::zh).collect();
            print(&format!("  {}  {}（{}）", officer.id, officer.name, duties.join("、")));
        }
        serve::listen(&rooms, rooms.desk(clock).await?, clock).await?;
    }
    Ok(ExitCode::SUCCESS)
}

struct Story {
    sample: Sample,
    dir: PathBuf,
    table: Table,
    made: Vec<Issued>,
    has_sm2: bool,
    clock: Clock,
}

impl Story {
    /// From an empty database to documents that others can check; whether everything was as expected.
    async fn tell(mut self, rooms: &Rooms, password: &str) -> Result<bool, Trouble> {
        let desk = self.set_up(rooms, password).await?;
        self.abolish(&desk).await?;
        self.issue(&desk).await?;
        self.refuse(&desk).await?;
        self.ask(&desk).await?;
        self.verify(&desk).await?;
        self.export(&desk).await?;
        desk.store.close().await;
        Ok(self.table.close())
    }

    /// Database, authorities of certificates, people, items, seals, keys.
    async fn set_up(&mut self, rooms: &Rooms, password: &str) -> Result<Desk, Trouble> {
        let now = (self.clock)();
        step("建立数据库、证书机构 / database, certificate authorities");
        rooms.open_store().await?.migrate().await?;
        let desk = rooms.desk(self.clock).await?;
        let authority = authority(&desk);
        let sm2 = self.has_sm2.then_some(KeyAlgorithm::Sm2);
        for algorithm in [KeyAlgorithm::EcdsaP256].into_iter().chain(sm2) {
            for made in authority.init("汶川县示例证书机构", algorithm, "service", now).await? {
                print(&format!("  {}：{algorithm}，证书 {}", made.label, made.serial));
            }
        }

        step("登记单位、人员、事项及划转、印章、授权 / authorities, people, items with transfers, seals, grants");
        let two = TwoOfficers { by: officer_id("zf-seal-1")?, second: officer_id("zf-seal-2")? };
        self.sample.bureau.load(&desk.store, &desk.renderer, &two, password, now).await?;
        let items = desk.store.items().await?;
        self.table.expect("登记的事项", self.sample.bureau.items.len().to_string(), items.len().to_string());

        step("为政府、审批局和县水务局的印章生成密钥和证书 / keys and certificates");
        for number in [GOVERNMENT, BUREAU, DEPARTMENT] {
            let seal = filed_seal(&desk.store, &SealNumber::parse(number)?).await?.seal;
            let made = authority.certify_seal(&seal, KeyAlgorithm::EcdsaP256, &two.by, now).await?;
            print(&format!("  {}（{number}）：密钥 {}，证书 {}", seal.legend, made.key_label, made.serial));
        }
        if !self.has_sm2 {
            print("  令牌没有SM2，不制作OFD / the token has no SM2, so no OFD is made");
            return Ok(desk);
        }
        step(
            "审批局印章另有SM2证书，并制作电子印章数据（GB/T 38540） / an SM2 certificate too, and the seal made as data",
        );
        let filed = filed_seal(&desk.store, &SealNumber::parse(BUREAU)?).await?;
        authority.certify_seal(&filed.seal, KeyAlgorithm::Sm2, &two.by, now).await?;
        let picture = Picture::in_dots(&desk::impression(&desk.renderer, &filed.impression)?);
        let made = authority.make_seal(&filed.seal, picture, (&two.by, &two.second), now).await?;
        let read = ses::read_seal(&made.file).map_err(FlowError::SealData)?;
        self.table.expect("电子印章数据", format!("{BUREAU} V4"), format!("{} {:?}", read.id, read.version));
        write_file(&self.dir.join(format!("{BUREAU}.esl")), &made.file)?;
        Ok(desk)
    }

    /// Fifteen seals, their custody, the certificate on the list, the notice.
    async fn abolish(&mut self, desk: &Desk) -> Result<(), Trouble> {
        let now = (self.clock)();
        step("按汶府办函〔2020〕63号废止15枚部门行政审批专用章，封存并公告 / fifteen seals abolished");
        let (by, second) = (officer(desk, "zf-seal-1").await?, officer(desk, "zf-seal-2").await?);
        let request = AbolishRequest {
            order: self.sample.abolition.clone(),
            custody: self.sample.custody.clone(),
            notice: Some(self.sample.notice.request(china_date(now))),
            acknowledged: 0,
        };
        let done = abolish::abolish(desk, &by, &second, request.clone(), now).await?;
        self.table.expect("废止的印章", "15", done.seals.to_string());
        self.table.expect("吊销的证书（县水务局）", "1", done.revoked.to_string());
        if let Some(notice) = done.notice {
            write_document(desk, &notice, &self.dir.join("notice.pdf")).await?;
            self.made.push(notice);
        }
        // The same seal again is a step from an impossible state.
        let order = AbolitionRequest { number: "示例〔0〕1号".into(), ..request.order.clone() };
        let again = AbolishRequest { order, custody: vec![], notice: None, acknowledged: 0 };
        let again = abolish::abolish(desk, &by, &second, again, now).await;
        self.table.expect("再次废止同一批印章", "规则2 seal.impossible-step", said(again.map(|a| a.order)));
        Ok(())
    }

    /// One document for each way.
    async fn issue(&mut self, desk: &Desk) -> Result<(), Trouble> {
        step("制作证照和批文 / documents");
        let chief = officer(desk, "spj-chief").await?;
        let seal = SealNumber::parse(BUREAU)?;
        for case in self.sample.cases.clone() {
            let now = (self.clock)();
            let issued = match case.upload {
                Some(_) => {
                    let pdf = sample::DRAFT.to_vec();
                    issue::seal_upload(desk, &chief, case.upload(&seal), pdf, now).await?
                }
                None => {
                    let issued = issue::issue(desk, &chief, case.issue(&seal, now), now).await?;
                    let again = issue::issue(desk, &chief, case.issue(&seal, now), (self.clock)()).await?;
                    let same = again.again && again.document == issued.document;
                    self.table.expect(
                        format!("{} 重复申请", case.file),
                        "同一份文书",
                        if same { "同一份文书" } else { "另一份" },
                    );
                    issued
                }
            };
            write_document(desk, &issued, &self.dir.join(&case.file)).await?;
            if let Some(ofd) = &issued.ofd {
                write_of_digest(desk, ofd, &self.dir.join(&case.file).with_extension("ofd")).await?;
            }
            let name = issued.identifier.as_ref().map_or_else(String::new, ToString::to_string);
            print(&format!("  {}：{} {name}", case.file, issued.title));
            self.made.push(issued);
        }
        Ok(())
    }

    /// Each rule says no where it must.
    async fn refuse(&mut self, desk: &Desk) -> Result<(), Trouble> {
        step("应当拒绝的办件 / cases that must be refused");
        for case in self.sample.refused.clone() {
            let seen = said(self.attempt(desk, &case).await?);
            let expected = format!("规则{}", case.rule);
            let seen = if seen.starts_with(&expected) { expected.clone() } else { seen };
            self.table.expect(case.why_zh, expected, seen);
        }
        let now = (self.clock)();
        for (rule, what, case) in other_refusals(&self.sample, now) {
            let expected = format!("规则{}", rule.number());
            let seen = said(self.attempt(desk, &case).await?);
            let seen = if seen.starts_with(&expected) { expected.clone() } else { seen };
            self.table.expect(what, expected, seen);
        }
        // In run-off the department may still decide; but its seal is gone, and the key with it.
        let Some(run_off) = self.sample.refused.iter().find(|case| case.seal.as_str() == DEPARTMENT).cloned() else {
            return Ok(());
        };
        let request = DecisionRequest {
            number: format!("{}-e", run_off.request.number),
            accepted_at: datetime!(2020-07-20 02:00 UTC),
            decided_at: datetime!(2020-12-20 02:00 UTC),
            ..run_off.request.clone()
        };
        let late = RefusedCase { at: now, request, ..run_off };
        self.table.expect(
            "县水务局的密钥在印章废止后不能再用印",
            "规则2 seal.abolished",
            said(self.attempt(desk, &late).await?),
        );
        Ok(())
    }

    async fn attempt(&self, desk: &Desk, case: &RefusedCase) -> Result<Result<String, FlowError>, Trouble> {
        let sealer = self.sample.bureau.grants.iter().find(|grant| grant.id == case.grant);
        let sealer = sealer.ok_or_else(|| Trouble::unknown("授权", "grant", &case.grant))?;
        let sealer = officer(desk, sealer.officer.as_str()).await?;
        let request = IssueRequest {
            decision: case.request.clone(),
            seal: case.seal.clone(),
            template: "food-operation-licence".into(),
            data: Value::Null,
            licence: LicenceRequest {
                act: LicenceAct::Issue,
                previous: None,
                type_code: format!("{}001", sealer.authority),
                serial: None,
                valid_from: case.at,
                valid_until: None,
            },
            files: None,
            more_seals: false,
        };
        Ok(issue::issue(desk, &sealer, request, case.at).await.map(|issued| issued.title))
    }

    /// The corners of rules 1 and 2, as anyone may ask the register.
    async fn ask(&mut self, desk: &Desk) -> Result<(), Trouble> {
        step("向登记册提问：取水许可（2020年8月1日划转）/ the register's answers");
        let item = desk.store.item(&ItemCode::parse("000119901")?).await?;
        let (old, new) = (SealNumber::parse(DEPARTMENT)?, SealNumber::parse(BUREAU)?);
        let (before, after) = (datetime!(2020-07-31 23:59:59 +8), datetime!(2020-08-01 00:00 +8));
        let trial = datetime!(2020-09-10 10:00 +8);
        let end = datetime!(2021-01-01 00:00 +8);
        for (what, seal, accepted, at, expected) in [
            ("划转前受理、试运行期内用旧印章办结", &old, Some(before), trial, "register.good-before-abolition"),
            ("划转后受理、用旧印章", &old, Some(after), trial, "item.accepted-after-transfer"),
            ("划转后受理、用审批局印章", &new, Some(after), trial, "register.good"),
            ("划转前受理、用审批局印章", &new, Some(before), trial, "item.accepted-before-transfer"),
            (
                "废止前最后一秒的旧印章",
                &old,
                Some(before),
                end - time::Duration::SECOND,
                "register.good-before-abolition",
            ),
            ("废止之时的旧印章", &old, Some(before), end, "seal.abolished"),
            ("只问事项、不问受理时间", &old, None, trial, "register.not-enough"),
        ] {
            let filed = filed_seal(&desk.store, seal).await?;
            let answer = register::answer(Question { seal: &filed.seal, at, item: item.as_ref(), accepted });
            self.table.expect(what, expected, answer.sentence.id);
        }
        Ok(())
    }

    /// Every document passes, and one changed byte is noticed.
    async fn verify(&mut self, desk: &Desk) -> Result<(), Trouble> {
        step("验证 / verification");
        let mut trust = house_trust(&desk.store).await?;
        trust.witnesses.extend(desk.logging.witnesses().keys());
        let trust = Arc::new(trust);
        let files = ["licence.pdf", "approval.pdf", "notice.pdf", "uploaded.pdf", "licence.ofd", "approval.ofd"];
        for file in files.into_iter().filter(|file| self.has_sm2 || file.ends_with(".pdf")) {
            let (path, name) = (self.dir.join(file), file.strip_suffix(".pdf").unwrap_or(file));
            let bytes = super::rooms::read_file(&path, crate::limits::PDF_BYTES)?;
            let now = (self.clock)();
            let evidence = gathered(Some(&desk.store), &trust, None, file, bytes.clone(), None, now).await?;
            let found = judge(&evidence);
            self.table.expect(file, "TOTAL-PASSED", found.verdict.indication());
            write_report(&self.dir, name, &found)?;
            if file == "licence.ofd" {
                self.table.expect(
                    format!("{file} 印章、制章者、时间戳直至根证书的算法"),
                    "sm2",
                    algorithms(&bytes, &trust)?,
                );
            }
            if name == "licence" {
                let evidence =
                    gathered(Some(&desk.store), &trust, None, "changed.pdf", changed(bytes), None, now).await?;
                let found = judge(&evidence);
                self.table.expect("licence.pdf 改动一个字节", "TOTAL-FAILED", found.verdict.indication());
                write_report(&self.dir, "changed", &found)?;
            }
        }
        Ok(())
    }

    /// What others need to check all this.
    async fn export(&mut self, desk: &Desk) -> Result<(), Trouble> {
        export_certificates(&desk.store, &desk.logging.witnesses().keys(), &self.dir.join("trust")).await?;
        for ca in desk.store.ca_certificates().await?.iter().filter(|ca| ca.kind == CaKind::Root) {
            let pem = to_pem("CERTIFICATE", &ca.certificate);
            write_file(&self.dir.join(format!("{}.pem", ca.label)), pem.as_bytes())?;
        }
        // With the root, what a verifier trusts: the log's key and its witnesses'.
        let log = desk.log((self.clock)()).await?.vkey;
        write_file(&self.dir.join("log.vkey"), format!("{log}\n").as_bytes())?;
        for witness in desk.logging.witnesses().keys() {
            write_file(&self.dir.join("witness.vkey"), format!("{witness}\n").as_bytes())?;
        }
        let register = export::register(&desk.store, &self.sample, &self.made, (self.clock)()).await?;
        let text = serde_json::to_string_pretty(&register).unwrap_or_default();
        write_file(&self.dir.join("register.json"), text.as_bytes())?;
        let read =
            crate::verify::Register::read(text.as_bytes(), &Trust::default()).map(|register| register.seals.len());
        self.table.expect("register.json 可供离线验证", "Ok(20)", format!("{read:?}"));
        // What needs nobody: the register that the log proves, and the key to see that by.
        desk.publish_register((self.clock)()).await?;
        if let Some(FiledSnapshot { snapshot, receipt: Some(receipt), .. }) = desk.store.snapshot(None).await? {
            let text = Published::Whole(snapshot).write(&receipt);
            write_file(&self.dir.join("snapshot.json"), text.as_bytes())?;
        }
        Ok(())
    }
}

fn step(what: &str) {
    print(&format!("\n— {what}"));
}

fn write_report(dir: &Path, name: &str, report: &crate::verify::Report) -> Result<(), Trouble> {
    let json = serde_json::to_string_pretty(report).unwrap_or_default();
    write_file(&dir.join("reports").join(format!("{name}.json")), json.as_bytes())
}

/// One bit of the first stream's bytes turned over.
fn changed(mut pdf: Vec<u8>) -> Vec<u8> {
    let stream = pdf.windows(7).position(|window| window == b"stream\n").map_or(0, |at| at + 20);
    if let Some(byte) = pdf.get_mut(stream) {
        *byte ^= 1;
    }
    pdf
}

/// On which keys an OFD's seals rest: of who used each, of its maker and of the time stamps, and of all above them up to a root.
fn algorithms(ofd: &[u8], trust: &Trust) -> Result<String, Trouble> {
    let mut waiting = vec![];
    // One that cannot be read rests on nothing, which is not what is expected.
    for read in Reading::of(ofd).map(|read| read.signatures).unwrap_or_default() {
        let Inside::Seal(seal) = read.value else { continue };
        waiting.extend([Certificate::read(&seal.signer)?, Certificate::read(&seal.seal.maker)?]);
        let tokens = seal.stamp.iter().chain(&seal.seal.stamp).filter_map(|token| Token::read(token).ok());
        waiting.extend(tokens.filter_map(|token| token.check().certificate));
    }
    let mut found = BTreeSet::new();
    while let Some(certificate) = waiting.pop() {
        let algorithm = crate::pki::issue::certified(&certificate.public_key).map_err(FlowError::from)?;
        found.insert(algorithm.name());
        if !certificate.is_self_issued() {
            let above = trust.anchors.iter().chain(&trust.intermediates);
            let made = |issuer: &&Certificate| certificate.is_signed_by(&issuer.public_key).is_ok();
            match above.into_iter().find(made) {
                Some(issuer) => waiting.push(issuer.clone()),
                None => drop(found.insert("?")),
            }
        }
    }
    Ok(found.into_iter().collect::<Vec<_>>().join(" "))
}

/// What a flow said, as the table shows it.
fn said(outcome: Result<String, FlowError>) -> String {
    match outcome {
        Ok(done) => format!("办理了 {done}"),
        Err(FlowError::Refused(refusal)) => format!("规则{} {}", refusal.rule.number(), refusal.message.id),
        Err(other) => other.message().to_string(),
    }
}

fn authority(desk: &Desk) -> Authority {
    Authority::of(desk)
}

fn officer_id(id: &str) -> Result<OfficerId, Trouble> {
    Ok(OfficerId::parse(id)?)
}

async fn officer(desk: &Desk, id: &str) -> Result<Officer, Trouble> {
    let id = officer_id(id)?;
    desk.store.officer(&id).await?.ok_or_else(|| Trouble::unknown("人员", "officer", &id))
}
