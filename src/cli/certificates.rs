//! The certificate authorities, and each seal's own things: filing, suspension, certificates, picture.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use serde::Deserialize;
use time::OffsetDateTime;

use super::export::export;
use super::filing::{SealRow, TwoOfficers, file_seal};
use super::making::{MakingCommand, making};
use super::rooms::{Rooms, filed_seal, files_in, instant, read_file, read_json, write_file};
use super::trouble::Trouble;
use super::{Clock, ceremony::only_by_ceremony};
use crate::administer::{self, whose_seal};
use crate::authority::Uscc;
use crate::ca::life::{Rekey, Revoke};
use crate::ca::{Authority, founding};
use crate::ceiling::Ceiling;
use crate::crypto::KeyAlgorithm;
use crate::desk;
use crate::limits;
use crate::message::china_time;
use crate::officer::{Care, Officer, OfficerId};
use crate::pki::certificate::{Certificate, from_pem_or_der, to_pem};
use crate::pki::issue::Reason;
use crate::seal::{Level, SealEvent, SealEventKind, SealNumber};
use crate::store::Store;
use crate::verify::Trust;

#[derive(Debug, Subcommand)]
pub(super) enum CaCommand {
    /// 建立根证书、签发证书机构和时间戳证书；SM2 与其他算法可各建一套 / make the root, the issuing authority and the time-stamping
    /// certificate: one line on SM2 and one on another algorithm, beside each other
    Init {
        /// 机构名称 / name of the organisation
        #[arg(long)]
        organisation: String,
        /// 默认 ecdsa-p256；已有 SM2 的一套时须写明 / ecdsa-p256 by default; beside a line on SM2, say which
        #[arg(long, value_enum)]
        algorithm: Option<Algorithm>,
    },
    /// 在原根证书下建立下一个签发证书机构，此后由其签发 / the next issuing authority under the same root; it makes whatever is new
    Rekey {
        /// 默认与现有的相同；有两套证书机构时须写明 / as the present one's by default; where there are two lines, say which
        #[arg(long, value_enum)]
        algorithm: Option<Algorithm>,
    },
    /// 建立时间戳密钥和证书；已有且可用的不重建 / make the time-stamping key and certificate where there is none that stamps
    Stamping,
    /// 导出证书和吊销列表，供他人验证 / write certificates and lists for others to verify with
    Export { dir: PathBuf },
    /// 吊销已废止印章的证书，按需更新吊销列表和 OCSP 应答 / revoke abolished seals' certificates, renew lists and answers where due
    Refresh,
}

#[derive(Debug, Subcommand)]
pub(super) enum SealCommand {
    /// 登记印章 / file a seal, as JSON
    Add {
        file: PathBuf,
        /// 签名等级，优先于文件 / signature level, over what the file says: B-B, B-T, B-LT, B-LTA
        #[arg(long, value_parser = Level::parse)]
        level: Option<Level>,
        #[command(flatten)]
        two: TwoOfficers,
    },
    /// 设置签名等级 / set what the seal's documents are promised from now on: B-B, B-T, B-LT, B-LTA
    Level {
        #[arg(value_parser = SealNumber::parse)]
        number: SealNumber,
        #[arg(value_parser = Level::parse)]
        level: Level,
        #[command(flatten)]
        two: TwoOfficers,
    },
    /// 停用印章，立即生效或自指定时间起 / suspend a seal, at once or from an instant on
    Suspend(StepArguments),
    /// 恢复使用已停用的印章 / let a suspended seal be used again
    Resume(StepArguments),
    /// 生成密钥和本系统证书 / make a key, and a certificate of our own authority
    MakeCert {
        #[arg(value_parser = SealNumber::parse)]
        number: SealNumber,
        #[arg(long, value_enum, default_value = "ecdsa-p256")]
        algorithm: Algorithm,
        /// 密钥所在的密码设备，默认为设置中的第一个 / the token to make the key in, the first of the settings by default
        #[arg(long, value_name = "LABEL")]
        token: Option<String>,
        #[command(flatten)]
        two: TwoOfficers,
    },
    /// 生成密钥和证书申请，向外部 CA 申请证书 / make a key, and a request for an outside authority
    Csr {
        #[arg(value_parser = SealNumber::parse)]
        number: SealNumber,
        #[arg(long, value_enum, default_value = "ecdsa-p256")]
        algorithm: Algorithm,
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// 密钥所在的密码设备，默认为设置中的第一个 / the token to make the key in, the first of the settings by default
        #[arg(long, value_name = "LABEL")]
        token: Option<String>,
        #[command(flatten)]
        two: TwoOfficers,
    },
    /// 安装外部 CA 签发的证书 / install what an outside authority sent
    InstallCert {
        #[arg(value_parser = SealNumber::parse)]
        number: SealNumber,
        /// seal csr 显示的密钥名 / the key's label, as `seal csr` said
        #[arg(long)]
        key: String,
        /// 证书链 / the chain, PEM or DER
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        two: TwoOfficers,
    },
    /// 换钥：生成新密钥和证书，旧密钥办结后销毁 / the next key and certificate; the old key ends once its orders are finished
    Rekey {
        #[arg(value_parser = SealNumber::parse)]
        number: SealNumber,
        /// 依据文号 / the document that orders it
        #[arg(long)]
        document: String,
        /// 被替换证书的序列号，默认为在用证书 / serial number of the certificate to be followed, the one in use by default
        #[arg(long)]
        serial: Option<String>,
        #[arg(long, value_enum)]
        algorithm: Option<Algorithm>,
        /// 新证书启用时间，默认为现在 / from when on the new one is used, now by default
        #[arg(long, value_parser = instant)]
        from: Option<OffsetDateTime>,
        /// 不销毁旧密钥 / do not destroy the old key
        #[arg(long)]
        keep_old_key: bool,
        #[command(flatten)]
        two: TwoOfficers,
    },
    /// 吊销证书 / revoke a certificate
    Revoke {
        #[arg(value_parser = SealNumber::parse)]
        number: SealNumber,
        /// 证书序列号 / its serial number
        #[arg(long)]
        serial: String,
        /// key-compromise, superseded, cessation-of-operation, affiliation-changed, privilege-withdrawn, unspecified
        #[arg(long, value_parser = super::filing::word::<Reason>)]
        reason: Reason,
        /// 密钥可能失控的起始时间 / from when on the key may have been in other hands
        #[arg(long, value_parser = instant)]
        since: Option<OffsetDateTime>,
        /// 依据文号 / the document that orders it
        #[arg(long)]
        document: String,
        /// 确认因此失效的文书份数 / how many documents it ends
        #[arg(long, value_name = "COUNT", default_value_t = 0)]
        acknowledge: u64,
        #[command(flatten)]
        two: TwoOfficers,
    },
    /// 销毁密钥，其证书随之吊销 / destroy a key; its certificate is revoked with it
    DestroyKey {
        #[arg(value_parser = SealNumber::parse)]
        number: SealNumber,
        /// 密钥名 / the key's label
        #[arg(long)]
        key: String,
        /// 依据文号 / the document that orders it
        #[arg(long)]
        document: String,
        #[command(flatten)]
        two: TwoOfficers,
    },
    /// 用印限额：每小时、每日最多用印次数 / how often a seal may be used within an hour and a day
    Ceiling {
        #[arg(value_parser = SealNumber::parse)]
        number: SealNumber,
        /// 每小时上限；与 --day 都不写则恢复默认 / an hour's; without it and --day the settings count again
        #[arg(long, requires = "day")]
        hour: Option<u32>,
        /// 每日上限 / a day's
        #[arg(long, requires = "hour")]
        day: Option<u32>,
        /// 只限某一授权的用印人 / for the officer of one grant alone
        #[arg(long)]
        grant: Option<String>,
        /// 依据文号 / the document that lays it down
        #[arg(long)]
        document: String,
        #[command(flatten)]
        two: TwoOfficers,
    },
    #[command(flatten)]
    Making(MakingCommand),
    /// 查看印章 / show a seal with its life, custody and certificates
    Show {
        #[arg(value_parser = SealNumber::parse)]
        number: SealNumber,
    },
    /// 输出印模 / write the impression
    Impression {
        #[arg(value_parser = SealNumber::parse)]
        number: SealNumber,
        #[arg(long, value_name = "OUT")]
        svg: PathBuf,
    },
}

/// A step in a seal's life, on a document of its owner's.
#[derive(Debug, Args)]
pub(super) struct StepArguments {
    #[arg(value_parser = SealNumber::parse)]
    number: SealNumber,
    /// 依据文号 / the document that orders it
    #[arg(long)]
    document: String,
    /// 理由 / why
    #[arg(long)]
    reason: String,
    /// 生效时间，默认为现在 / from when, now by default
    #[arg(long, value_parser = instant)]
    at: Option<OffsetDateTime>,
    /// 追溯停用时，确认因此失效的文书份数 / for a suspension from before now: how many documents it ends
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    acknowledge: u64,
    #[command(flatten)]
    two: TwoOfficers,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Algorithm {
    #[value(name = "ecdsa-p256")]
    EcdsaP256,
    #[value(name = "rsa-2048")]
    Rsa2048,
    #[value(name = "rsa-3072")]
    Rsa3072,
    #[value(name = "sm2")]
    Sm2,
}

impl Algorithm {
    fn key(self) -> KeyAlgorithm {
        match self {
            Self::EcdsaP256 => KeyAlgorithm::EcdsaP256,
            Self::Rsa2048 => KeyAlgorithm::Rsa2048,
            Self::Rsa3072 => KeyAlgorithm::Rsa3072,
            Self::Sm2 => KeyAlgorithm::Sm2,
        }
    }
}

pub(super) async fn ca(rooms: &Rooms, command: CaCommand, now: OffsetDateTime) -> Result<(), Trouble> {
    match command {
        CaCommand::Init { organisation, algorithm } => {
            only_by_ceremony(rooms, "init-authorities")?;
            let authority = rooms.authority().await?;
            let algorithm = founding(&rooms.store().await?, algorithm.map(Algorithm::key)).await?;
            let made = authority.init(&organisation, algorithm, "service", now).await?;
            let serials = made.iter().map(|ca| serde_json::json!({ "label": ca.label, "serial": ca.serial })).collect();
            rooms.say("证书机构已建立", "the certificate authorities were made", &serials);
        }
        CaCommand::Rekey { algorithm } => {
            only_by_ceremony(rooms, "rekey-issuing")?;
            let authority = rooms.authority().await?;
            let made = authority.rekey_issuing(algorithm.map(Algorithm::key), "service", now).await?;
            rooms.say(
                &format!("已建立签发机构 {}，此后由其签发；原签发机构继续更新吊销列表和应答，直至到期", made.label),
                "the next issuing authority makes whatever is new; the one before goes on answering until it ends",
                &serde_json::json!({ "label": made.label, "serial": made.serial }),
            );
        }
        CaCommand::Stamping => {
            let (mut zh, mut json) = (vec![], vec![]);
            for (unit, made) in rooms.authority().await?.stamping("service", now).await? {
                let said = if made { "新建" } else { "已有" };
                zh.push(format!("{}（{said}，用至 {}）", unit.label, china_time(unit.key_until)));
                json.push(serde_json::json!({ "label": unit.label, "serial": unit.serial, "made": made }));
            }
            let en = "the time-stamping certificates are there; their keys are renewed by themselves";
            rooms.say(&format!("时间戳证书：{}，到期前自动更换", zh.join("、")), en, &json.into());
        }
        CaCommand::Export { dir } => {
            let witnesses: Vec<_> = rooms.settings.log.witnesses.each.iter().map(|one| one.key.clone()).collect();
            let files = export(&rooms.store().await?, &witnesses, &dir).await?;
            rooms.say(&format!("已导出 {}", files.join("、")), "exported", &serde_json::json!({ "files": files }));
        }
        CaCommand::Refresh => {
            let authority = rooms.authority().await?;
            // What is in the way of one stops no other.
            let (refreshed, answered) =
                (authority.refresh("service", now).await, authority.answer_ahead("service", now).await);
            let upkeep = authority.keep_up(rooms.settings.certificates.rekeys, &service()?, now).await?;
            let (revoked, ()) = (refreshed?, answered?);
            for why in &upkeep.trouble {
                eprintln!("{why}");
            }
            rooms.say(
                &format!(
                    "吊销证书{revoked}张，吊销列表和 OCSP 应答已是最新；到期提醒{}次，换钥{}枚，销毁密钥{}把",
                    upkeep.warned,
                    upkeep.rekeyed.len(),
                    upkeep.destroyed.len()
                ),
                &format!("{revoked} certificate(s) revoked, lists and answers are fresh"),
                &serde_json::json!({
                    "revoked": revoked, "warned": upkeep.warned, "rekeyed": upkeep.rekeyed, "issuing": upkeep.issuing,
                    "destroyed": upkeep.destroyed, "trouble": upkeep.trouble,
                }),
            );
        }
    }
    Ok(())
}

/// A seal as `seal add` takes it: as in a file for `import`, with its owner.
#[derive(Debug, Deserialize)]
struct NewSeal {
    owner: Uscc,
    #[serde(flatten)]
    seal: SealRow,
}

pub(super) async fn seal(rooms: &Rooms, command: SealCommand, clock: Clock) -> Result<(), Trouble> {
    let now = clock();
    match command {
        SealCommand::Add { file, level, two } => {
            let NewSeal { owner, mut seal } = read_json(&file)?;
            seal.level = level.unwrap_or(seal.level);
            let (store, renderer) = (rooms.store().await?, rooms.renderer().await?);
            let (by, second) = two.check(&store, "seal add", now).await?;
            let owner = store.authority(&owner).await?.ok_or_else(|| Trouble::unknown("单位", "authority", &owner))?;
            file_seal(&store, &renderer, &owner, &seal, (&by, &second), now).await?;
            rooms.say(
                &format!("已登记印章 {}", seal.number),
                "the seal is filed",
                &serde_json::json!({ "number": seal.number }),
            );
        }
        SealCommand::Level { number, level, two } => {
            let store = rooms.store().await?;
            let (by, second) = two.check(&store, "seal level", now).await?;
            administer::promise(&store, (&by, &second), &number, level, now).await?;
            rooms.say(
                &format!("印章 {number} 的签名等级已设为 {level}（{}）", level.zh()),
                &format!("the seal signs at {level} from now on"),
                &serde_json::json!({ "number": number, "level": level }),
            );
        }
        SealCommand::Suspend(arguments) => step(rooms, SealEventKind::Suspended, arguments, now).await?,
        SealCommand::Resume(arguments) => step(rooms, SealEventKind::Resumed, arguments, now).await?,
        SealCommand::MakeCert { number, algorithm, token, two } => {
            only_by_ceremony(rooms, "make-seal-key")?;
            let authority = making_in(rooms.authority().await?, token.as_deref())?;
            let (by, _) = keepers(&authority.store, &two, "seal make-cert", Care::Make, &number, now).await?;
            let seal = filed_seal(&authority.store, &number).await?.seal;
            let made = authority.certify_seal(&seal, algorithm.key(), &by.id, now).await?;
            rooms.say(
                &format!("已为印章 {number} 生成密钥 {} 并安装证书 {}", made.key_label, made.serial),
                "key made, certificate installed",
                &serde_json::json!({ "number": number, "key": made.key_label, "serial": made.serial }),
            );
        }
        SealCommand::Csr { number, algorithm, out, token, two } => {
            only_by_ceremony(rooms, "request")?;
            let authority = making_in(rooms.authority().await?, token.as_deref())?;
            let (by, _) = keepers(&authority.store, &two, "seal csr", Care::Make, &number, now).await?;
            let seal = filed_seal(&authority.store, &number).await?.seal;
            let (label, request) = authority.request(&seal, algorithm.key(), &by.id, now).await?;
            write_file(&out, to_pem("CERTIFICATE REQUEST", &request).as_bytes())?;
            rooms.say(
                &format!("证书申请已写入 {}；安装证书时请写 --key {label}", out.display()),
                &format!("the request is written; install the certificate with --key {label}"),
                &serde_json::json!({ "number": number, "key": label, "file": out }),
            );
        }
        SealCommand::InstallCert { number, key, files, two } => {
            let mut certificates = vec![];
            for file in &files {
                let bytes = read_file(file, limits::REQUEST_FILE_BYTES)?;
                for der in from_pem_or_der("CERTIFICATE", &bytes) {
                    certificates.push(Certificate::read(&der)?);
                }
            }
            let trusted = read_trust(&rooms.settings.verify.trust)?;
            let authority = rooms.authority().await?;
            let (by, _) = keepers(&authority.store, &two, "seal install-cert", Care::Make, &number, now).await?;
            let seal = filed_seal(&authority.store, &number).await?.seal;
            let installed =
                authority.install_outside(&seal, &key, &certificates, &trusted.anchors, &by.id, now).await?;
            rooms.say(
                &format!("印章 {number} 的证书 {} 已安装", installed.serial),
                "the certificate is installed",
                &serde_json::json!({ "number": number, "serial": installed.serial }),
            );
        }
        SealCommand::Rekey { number, document, serial, algorithm, from, keep_old_key, two } => {
            only_by_ceremony(rooms, "rekey")?;
            let authority = rooms.authority().await?;
            let (by, second) = keepers(&authority.store, &two, "seal rekey", Care::Make, &number, now).await?;
            let seal = filed_seal(&authority.store, &number).await?.seal;
            let algorithm = algorithm.map(Algorithm::key);
            let used_from = from.unwrap_or(now);
            let order = Rekey { serial, algorithm, used_from, document, keeps_old_key: keep_old_key };
            let made = authority.rekey(&seal, &order, (&by.id, &second.id), now).await?;
            rooms.say(
                &format!("印章 {number} 已换钥：密钥 {}，证书 {}，自 {} 起使用", made.key_label, made.serial, china_time(made.used_from)),
                "the seal has its next key and certificate",
                &serde_json::json!({ "number": number, "key": made.key_label, "serial": made.serial, "used_from": made.used_from.unix_timestamp() }),
            );
        }
        SealCommand::Revoke { number, serial, reason, since, document, acknowledge, two } => {
            let authority = rooms.authority().await?;
            let (by, second) = keepers(&authority.store, &two, "seal revoke", Care::End, &number, now).await?;
            let order = Revoke { serial, reason, since, document, acknowledged: acknowledge };
            let revoked = authority.revoke(&number, &order, (&by.id, &second.id), now).await?;
            rooms.say(
                &format!("证书 {} 已吊销，新的吊销列表已发布", revoked.serial),
                "the certificate is revoked and the next list published",
                &serde_json::json!({ "number": number, "serial": revoked.serial }),
            );
        }
        SealCommand::DestroyKey { number, key, document, two } => {
            only_by_ceremony(rooms, "destroy")?;
            let authority = rooms.authority().await?;
            let (by, second) = keepers(&authority.store, &two, "seal destroy-key", Care::End, &number, now).await?;
            let gone = authority.end_key(&number, &key, &document, (&by.id, &second.id), now).await?;
            let (zh, en) = match gone {
                true => ("已销毁", "the key is destroyed"),
                false => ("已登记销毁，待已登记的用印办结后执行", "the key is destroyed once its orders are finished"),
            };
            rooms.say(
                &format!("密钥 {key} {zh}"),
                en,
                &serde_json::json!({ "number": number, "key": key, "destroyed": gone }),
            );
        }
        SealCommand::Ceiling { number, hour, day, grant, document, two } => {
            let store = rooms.store().await?;
            let (by, second) = two.check(&store, "seal ceiling", now).await?;
            let ceiling = hour.zip(day).map(|(an_hour, a_day)| Ceiling { an_hour, a_day });
            administer::raise(&store, (&by, &second), &number, grant.as_deref(), ceiling, &document, now).await?;
            rooms.say(
                "用印限额已登记",
                "the ceiling is laid down",
                &serde_json::json!({ "number": number, "ceiling": ceiling }),
            );
        }
        SealCommand::Making(command) => making(rooms, command, clock).await?,
        SealCommand::Show { number } => {
            let store = rooms.store().await?;
            let filed = filed_seal(&store, &number).await?;
            let certificates: Vec<_> = store
                .certificate_lives(&number)
                .await?
                .iter()
                .map(|life| {
                    let c = &life.certificate;
                    serde_json::json!({
                        "serial": c.serial, "sha256": c.digest, "key": c.key_label, "installed_at": c.installed_at.to_string(),
                        "used_from": c.used_from.to_string(), "in_use": life.may_be_used(now),
                        "revoked": life.revocation.as_ref().map(|r| r.reason),
                        "key_ends": life.key_end.as_ref().map(|end| &end.document),
                        "key_destroyed_at": life.key_destroyed_at.map(|at| at.to_string()),
                    })
                })
                .collect();
            let files: Vec<_> = store
                .seal_files(&number)
                .await?
                .iter()
                .map(|file| serde_json::json!({ "sha256": file.digest, "certificate": file.certificate, "made_at": file.made_at.to_string() }))
                .collect();
            let usage = store.usage(&number, rooms.settings.ceilings, now).await?;
            rooms.show(&serde_json::json!({
                "seal": filed.seal,
                "status": filed.seal.life.status_at(now),
                "level": filed.level,
                "impression": filed.impression,
                "custody": store.custody(&number).await?,
                "certificates": certificates,
                "seal_files": files,
                "grants": store.grants(&number).await?,
                "usage": usage,
            }))?;
        }
        SealCommand::Impression { number, svg } => {
            let (store, renderer) = (rooms.store().await?, rooms.renderer().await?);
            let filed = filed_seal(&store, &number).await?;
            write_file(&svg, desk::impression(&renderer, &filed.impression)?.to_svg().as_bytes())?;
            rooms.say(
                &format!("印模已写入 {}", svg.display()),
                "impression written",
                &serde_json::json!({ "file": svg }),
            );
        }
    }
    Ok(())
}

/// Both officers, and this seal is theirs to care for.
pub(super) async fn keepers(
    store: &Store,
    two: &TwoOfficers,
    command: &str,
    care: Care,
    number: &SealNumber,
    now: OffsetDateTime,
) -> Result<(Officer, Officer), Trouble> {
    let (by, second) = two.check(store, command, now).await?;
    whose_seal(store, care, number, &[&by, &second]).await?;
    Ok((by, second))
}

/// In whose name the hourly look acts.
pub(super) fn service() -> Result<OfficerId, Trouble> {
    Ok(OfficerId::parse("service")?)
}

/// With new keys made in the token that was named.
fn making_in(authority: Authority, token: Option<&str>) -> Result<Authority, Trouble> {
    Ok(match token {
        Some(token) => Authority { keyring: Arc::new(authority.keyring.making_in(token)?), ..authority },
        None => authority,
    })
}

async fn step(
    rooms: &Rooms,
    kind: SealEventKind,
    arguments: StepArguments,
    now: OffsetDateTime,
) -> Result<(), Trouble> {
    let StepArguments { number, document, reason, at, acknowledge, two } = arguments;
    let store = rooms.store().await?;
    let (by, second) = two.check(&store, &format!("seal {}", kind.as_str()), now).await?;
    let event = SealEvent { kind, at: at.unwrap_or(now), document, reason, successor: None, items: vec![] };
    administer::step(&store, (&by, &second), &number, event, acknowledge, now).await?;
    let status = filed_seal(&store, &number).await?.seal.life.status_at(now);
    rooms.say(
        &format!("已登记{}；印章 {number} 现在{}", kind.zh(), status.zh()),
        &format!("recorded; the seal is {} now", status.en()),
        &serde_json::json!({ "number": number, "status": status }),
    );
    Ok(())
}

/// Anchors, helpers and lists from a folder; a folder that is not there trusts nobody.
pub(super) fn read_trust(folder: &std::path::Path) -> Result<Trust, Trouble> {
    if !folder.exists() {
        return Ok(Trust::default());
    }
    let paths = files_in(folder)?;
    let files = paths.iter().map(|path| read_file(path, limits::CRL_BYTES)).collect::<Result<Vec<_>, _>>()?;
    let (trust, unread) = Trust::read(files.iter().map(Vec::as_slice));
    if unread > 0 {
        eprintln!(
            "{} 中有{unread}个文件不是证书、吊销列表或日志公钥，已略过 / {unread} file(s) in {} are no certificates, lists or keys of logs and were passed over [cli.trust]",
            folder.display(),
            folder.display()
        );
    }
    Ok(trust)
}
