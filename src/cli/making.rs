//! Seals as data: made here or brought from an outside maker, written out, and what a filing says of them.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::Clock;
use super::ceremony::only_by_ceremony;
use super::certificates::{keepers, read_trust};
use super::filing::TwoOfficers;
use super::rooms::{Rooms, filed_seal, read_file, write_file};
use super::trouble::Trouble;
use crate::ca::Authority;
use crate::ca::making::{Form, as_page, filing_record};
use crate::desk;
use crate::limits;
use crate::message::china_time;
use crate::officer::Care;
use crate::pki::certificate::{Certificate, from_pem_or_der};
use crate::seal::SealNumber;
use crate::ses::Picture;
use crate::store::{SealFile, Store};

#[derive(Debug, Subcommand)]
pub(super) enum MakingCommand {
    /// 制章：为在用的SM2证书制作电子印章数据（GB/T 38540），由无该章用印授权的两名管理员办理 / make the seal as data for its SM2 certificate, by two who do not use it
    MakeSes {
        #[arg(value_parser = SealNumber::parse)]
        number: SealNumber,
        /// 印模图片的形式 / the form of its picture
        #[arg(long, value_enum, default_value = "png")]
        picture: Look,
        #[command(flatten)]
        form: FormArguments,
        #[command(flatten)]
        two: TwoOfficers,
    },
    /// 导入外部制章机构制作的印章数据（.esl） / file a seal that an outside maker made
    ImportSes {
        #[arg(value_parser = SealNumber::parse)]
        number: SealNumber,
        file: PathBuf,
        /// 制章者证书的上级证书 / the issuers of its maker's certificate, PEM or DER
        #[arg(long, value_name = "FILE")]
        issuers: Vec<PathBuf>,
        #[command(flatten)]
        two: TwoOfficers,
    },
    /// 导出印章数据（.esl） / write the newest seal as data
    ExportSes {
        #[arg(value_parser = SealNumber::parse)]
        number: SealNumber,
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// 导出制章备案信息（JSON） / write what a filing of the newest seal as data says
    FilingRecord {
        #[arg(value_parser = SealNumber::parse)]
        number: SealNumber,
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// The forms of a seal's picture.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Look {
    Png,
    Ofd,
}

/// What else a seal as data may be.
#[derive(Debug, clap::Args)]
pub(super) struct FormArguments {
    /// 签章人证书列表存放证书摘要（类型2），而非证书（类型1） / list the SM3 of the certificate that may use it (type 2), not the certificate
    #[arg(long)]
    digests: bool,
    /// GM/T 0031-2025（V5）格式，带时间戳 / V5 (GM/T 0031-2025), with a time stamp
    #[arg(long)]
    v5: bool,
}

pub(super) async fn making(rooms: &Rooms, command: MakingCommand, clock: Clock) -> Result<(), Trouble> {
    let now = clock();
    match command {
        MakingCommand::MakeSes { number, picture, form, two } => {
            only_by_ceremony(rooms, "make-ses")?;
            let desk = rooms.desk(clock).await?;
            let authority = Authority::of(&desk);
            let (by, second) = keepers(&authority.store, &two, "seal make-ses", Care::Make, &number, now).await?;
            let filed = filed_seal(&authority.store, &number).await?;
            let impression = desk::impression(&desk.renderer, &filed.impression)?;
            let picture = match picture {
                Look::Png => Picture::in_dots(&impression),
                Look::Ofd => as_page(&filed.seal, &impression, now),
            };
            let form = Form { picture, digests: form.digests, stamped: form.v5 };
            let made = authority.make_seal(&filed.seal, form, (&by.id, &second.id), now).await?;
            say(rooms, "已制作", "made", &made);
        }
        MakingCommand::ImportSes { number, file, issuers, two } => {
            let bytes = read_file(&file, limits::REQUEST_FILE_BYTES)?;
            let mut chain = vec![];
            for path in &issuers {
                let bytes = read_file(path, limits::REQUEST_FILE_BYTES)?;
                for der in from_pem_or_der("CERTIFICATE", &bytes) {
                    chain.push(Certificate::read(&der)?);
                }
            }
            let trusted = read_trust(&rooms.settings.verify.trust)?;
            let authority = rooms.authority().await?;
            let (by, second) = keepers(&authority.store, &two, "seal import-ses", Care::Make, &number, now).await?;
            let seal = filed_seal(&authority.store, &number).await?.seal;
            let two = (&by.id, &second.id);
            let made = authority.import_seal(&seal, (&bytes, &chain), &trusted.anchors, two, now).await?;
            say(rooms, "已导入", "filed", &made);
        }
        MakingCommand::ExportSes { number, out } => {
            let file = newest(&rooms.store().await?, &number).await?;
            write_file(&out, &file.file)?;
            say(rooms, "已导出", "written", &file);
        }
        MakingCommand::FilingRecord { number, out } => {
            let store = rooms.store().await?;
            let (filed, file) = (filed_seal(&store, &number).await?, newest(&store, &number).await?);
            let certificate = store.certificate(&file.certificate).await?;
            let certificate = certificate.ok_or_else(|| Trouble::unknown("证书", "certificate", &file.certificate))?;
            let record = filing_record(&filed.seal, &certificate, &file)?;
            write_file(&out, serde_json::to_string_pretty(&record).unwrap_or_default().as_bytes())?;
            say(rooms, "备案信息已导出", "filing record written", &file);
        }
    }
    Ok(())
}

async fn newest(store: &Store, number: &SealNumber) -> Result<SealFile, Trouble> {
    let file = store.seal_files(number).await?.pop();
    file.ok_or_else(|| Trouble(desk::FlowError::NoSealFile(number.to_string()).message()))
}

fn say(rooms: &Rooms, zh: &str, en: &str, file: &SealFile) {
    rooms.say(
        &format!("印章 {} 的电子印章数据{zh}（{}制作，SHA-256 {}）", file.seal, china_time(file.made_at), file.digest),
        &format!("the seal as data: {en}"),
        &serde_json::json!({ "number": file.seal, "sha256": file.digest, "certificate": file.certificate }),
    );
}
