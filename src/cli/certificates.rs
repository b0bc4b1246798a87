//! The certificate authorities, and each seal's own things: filing, suspension, certificates, picture.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use serde::Deserialize;
use time::OffsetDateTime;

use super::filing::{SealRow, TwoOfficers, file_seal};
use super::rooms::{Rooms, filed_seal, files_in, instant, read_file, read_json, write_file};
use super::trouble::Trouble;
use crate::administer;
use crate::authority::Uscc;
use crate::ca::Authority;
use crate::crypto::KeyAlgorithm;
use crate::desk;
use crate::limits;
use crate::pki::certificate::{Certificate, from_pem_or_der, to_pem};
use crate::seal::{SealEvent, SealEventKind, SealNumber};
use crate::store::Store;
use crate::verify::Trust;

#[derive(Debug, Subcommand)]
pub(super) enum CaCommand {
    /// 建立根证书和签发证书机构 / make the root and the issuing authority
    Init {
        /// 机构名称 / name of the organisation
        #[arg(long)]
        organisation: String,
        #[arg(long, value_enum, default_value = "ecdsa-p256")]
        algorithm: Algorithm,
    },
    /// 导出证书和吊销列表，供他人验证 / write certificates and lists for others to verify with
    Export { dir: PathBuf },
    /// 吊销已废止印章的证书，按需更新吊销列表 / revoke abolished seals' certificates, renew the lists where due
    Refresh,
}

#[derive(Debug, Subcommand)]
pub(super) enum SealCommand {
    /// 登记印章 / file a seal, as JSON
    Add {
        file: PathBuf,
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
}

impl Algorithm {
    fn key(self) -> KeyAlgorithm {
        match self {
            Self::EcdsaP256 => KeyAlgorithm::EcdsaP256,
            Self::Rsa2048 => KeyAlgorithm::Rsa2048,
            Self::Rsa3072 => KeyAlgorithm::Rsa3072,
        }
    }
}

pub(super) async fn ca(rooms: &Rooms, command: CaCommand, now: OffsetDateTime) -> Result<(), Trouble> {
    match command {
        CaCommand::Init { organisation, algorithm } => {
            let made = rooms.authority().await?.init(&organisation, algorithm.key(), "service", now).await?;
            let serials: Vec<_> =
                made.iter().map(|ca| serde_json::json!({ "label": ca.label, "serial": ca.serial })).collect();
            rooms.say("证书机构已建立", "the certificate authorities were made", &serials.into());
        }
        CaCommand::Export { dir } => {
            let files = export(&rooms.store().await?, &dir).await?;
            rooms.say(&format!("已导出 {}", files.join("、")), "exported", &serde_json::json!({ "files": files }));
        }
        CaCommand::Refresh => {
            let revoked = rooms.authority().await?.refresh("service", now).await?;
            rooms.say(
                &format!("吊销证书{revoked}张，吊销列表已是最新"),
                &format!("{revoked} certificate(s) revoked, the lists are fresh"),
                &serde_json::json!({ "revoked": revoked }),
            );
        }
    }
    Ok(())
}

/// Writes `root.pem`, `issuing.pem`, `root.crl`, `issuing.crl` (those that there are) and gives their names.
pub(super) async fn export(store: &Store, dir: &std::path::Path) -> Result<Vec<String>, Trouble> {
    std::fs::create_dir_all(dir).map_err(|e| Trouble::file(dir, &e))?;
    let mut written = vec![];
    for ca in store.ca_certificates().await? {
        let name = format!("{}.pem", ca.label);
        write_file(&dir.join(&name), to_pem("CERTIFICATE", &ca.certificate).as_bytes())?;
        written.push(name);
        if let Some(list) = store.crl(&ca.label).await? {
            let name = format!("{}.crl", ca.label);
            write_file(&dir.join(&name), &list.crl)?;
            written.push(name);
        }
    }
    Ok(written)
}

/// A seal as `seal add` takes it: as in a file for `import`, with its owner.
#[derive(Debug, Deserialize)]
struct NewSeal {
    owner: Uscc,
    #[serde(flatten)]
    seal: SealRow,
}

pub(super) async fn seal(rooms: &Rooms, command: SealCommand, now: OffsetDateTime) -> Result<(), Trouble> {
    match command {
        SealCommand::Add { file, two } => {
            let NewSeal { owner, seal } = read_json(&file)?;
            let (store, renderer) = (rooms.store().await?, rooms.renderer().await?);
            let (by, second) = two.check(&store, "seal add", now).await?;
            let owner = store.authority(&owner).await?.ok_or_else(|| Trouble::unknown("单位", "authority", &owner))?;
            file_seal(&store, &renderer, &owner, &seal, (&by.id, &second.id), now).await?;
            rooms.say(
                &format!("已登记印章 {}", seal.number),
                "the seal is filed",
                &serde_json::json!({ "number": seal.number }),
            );
        }
        SealCommand::Suspend(arguments) => step(rooms, SealEventKind::Suspended, arguments, now).await?,
        SealCommand::Resume(arguments) => step(rooms, SealEventKind::Resumed, arguments, now).await?,
        SealCommand::MakeCert { number, algorithm, token, two } => {
            let authority = making_in(rooms.authority().await?, token.as_deref())?;
            let (by, _) = two.check(&authority.store, "seal make-cert", now).await?;
            let seal = filed_seal(&authority.store, &number).await?.seal;
            let made = authority.certify_seal(&seal, algorithm.key(), &by.id, now).await?;
            rooms.say(
                &format!("已为印章 {number} 生成密钥 {} 并安装证书 {}", made.key_label, made.serial),
                "key made, certificate installed",
                &serde_json::json!({ "number": number, "key": made.key_label, "serial": made.serial }),
            );
        }
        SealCommand::Csr { number, algorithm, out, token, two } => {
            let authority = making_in(rooms.authority().await?, token.as_deref())?;
            let (by, _) = two.check(&authority.store, "seal csr", now).await?;
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
            let (by, _) = two.check(&authority.store, "seal install-cert", now).await?;
            let seal = filed_seal(&authority.store, &number).await?.seal;
            let installed =
                authority.install_outside(&seal, &key, &certificates, &trusted.anchors, &by.id, now).await?;
            rooms.say(
                &format!("印章 {number} 的证书 {} 已安装", installed.serial),
                "the certificate is installed",
                &serde_json::json!({ "number": number, "serial": installed.serial }),
            );
        }
        SealCommand::Show { number } => {
            let store = rooms.store().await?;
            let filed = filed_seal(&store, &number).await?;
            let certificates: Vec<_> = store
                .certificates(&number)
                .await?
                .iter()
                .map(|c| serde_json::json!({ "serial": c.serial, "sha256": c.digest, "key": c.key_label, "installed_at": c.installed_at.to_string() }))
                .collect();
            rooms.show(&serde_json::json!({
                "seal": filed.seal,
                "status": filed.seal.life.status_at(now),
                "impression": filed.impression,
                "custody": store.custody(&number).await?,
                "certificates": certificates,
                "grants": store.grants(&number).await?,
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
            "{} 中有{unread}个文件不是证书或吊销列表，已略过 / {unread} file(s) in {} are neither certificates nor lists and were passed over [cli.trust]",
            folder.display(),
            folder.display()
        );
    }
    Ok(trust)
}
