//! `yinxin ceremony`: holds a key ceremony by its script, rehearses one, or checks the transcript of one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use figment::Figment;
use figment::providers::{Format, Toml};
use secrecy::SecretString;
use time::OffsetDateTime;

use super::Clock;
use super::rooms::{Rooms, filed_officer, machine_user, print, read_file, secret, write_file};
use super::trouble::Trouble;
use crate::ca::Authority;
use crate::ceremony::script::{Named, Script, Step};
use crate::ceremony::transcript::{self, Outcome};
use crate::ceremony::{self, Means, Place, Present};
use crate::config::Keys;
use crate::desk::{self, FlowError};
use crate::http::try_password;
use crate::keys::Mode;
use crate::limits;
use crate::message::Message;
use crate::officer::Officer;
use crate::pki::certificate::{Certificate, from_pem_or_der};
use crate::store::Store;

/// 密钥仪式 / a key ceremony.
#[derive(Debug, Args)]
pub(super) struct Ceremony {
    /// 仪式脚本（TOML），或与 --check 同用时为仪式记录（JSON） / the script, or with --check the transcript
    file: PathBuf,
    /// 只列出将要做什么，不做 / say what would be done, and do nothing
    #[arg(long, conflicts_with = "check")]
    dry_run: bool,
    /// 记录的文件名，默认为脚本名加 .transcript.json / where the transcript goes, beside the script by default
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    out: Option<PathBuf>,
    /// 离线核对仪式记录及其签名（同名 .p7s） / check a transcript and its signature beside it, offline
    #[arg(long, requires = "root")]
    check: bool,
    /// 核对时信任的根证书 / the root to trust
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
}

impl Ceremony {
    /// Whether it only reads files: it then needs no settings.
    pub fn only_checks(&self) -> bool {
        self.check
    }
}

pub(super) async fn run(rooms: &Rooms, ceremony: Ceremony, clock: Clock) -> Result<ExitCode, Trouble> {
    let text = String::from_utf8(read_file(&ceremony.file, limits::CEREMONY_SCRIPT_BYTES)?)
        .map_err(|e| Trouble::file(&ceremony.file, &e))?;
    let script = read(&ceremony.file, &text)?;
    // Fonts are read where a picture is to be drawn, and nowhere else.
    let draws = script.steps.iter().any(|step| matches!(step, Step::MakeSes { .. }));
    let desk = if draws { Some(rooms.desk(clock).await?) } else { None };
    let authority = match &desk {
        Some(desk) => Authority::of(desk),
        None => rooms.authority().await?,
    };
    let [first, second] = script.officers.as_slice() else {
        return Err(Trouble::new(
            "ceremony.two-officers",
            "密钥仪式须由两名印章管理人员主持：脚本中写两个 [[officer]]",
            "a key ceremony is held by two seal administrators: name two as [[officer]] in the script",
        ));
    };
    if ceremony.dry_run {
        let officers =
            [filed_officer(&authority.store, &first.id).await?, filed_officer(&authority.store, &second.id).await?];
        return rehearse(rooms, &authority, &script, &officers, clock()).await;
    }
    let out = ceremony.out.unwrap_or_else(|| ceremony.file.with_extension("transcript.json"));
    if out.exists() {
        return Err(Trouble::new(
            "ceremony.transcript-there",
            format!("{} 已存在；仪式记录从不覆盖，请换一个文件名（--out）", out.display()),
            format!("{} is there; a transcript is never replaced, give another name (--out)", out.display()),
        ));
    }
    let beside = ceremony.file.parent().unwrap_or(Path::new("")).to_owned();
    let mut present = vec![];
    for named in [first, second] {
        present.push(prove(&authority.store, named, &beside, clock()).await?);
    }
    let Ok(present) = <[Present; 2]>::try_from(present) else { return Ok(ExitCode::FAILURE) };
    let mut keep = |bytes: &[u8]| keep(&out, bytes).map_err(|Trouble(message)| message);
    let draw = |form: &serde_json::Value| match &desk {
        Some(desk) => desk::impression(&desk.renderer, form),
        None => Err(FlowError::ImpressionForm(String::new())),
    };
    let means = Means { authority: &authority, draw: &draw, clock: &clock };
    let held = ceremony::hold(&means, (&script, &text), present, place(rooms), &mut keep).await?;
    let page = held.transcript.page().map_err(|e| Trouble::new("ceremony.page", e.to_string(), e.to_string()))?;
    write_file(&out.with_extension("html"), page.as_bytes())?;
    if let Ok(signature) = &held.signature {
        write_file(&signature_of(&out), signature)?;
    }
    for step in &held.transcript.steps {
        if let Some(request) = &step.request {
            write_file(&out.with_extension(format!("request-{}.pem", step.number)), request.as_bytes())?;
        }
        let (zh, en) = step.asked.words();
        let said =
            step.said.as_ref().map_or(String::new(), |said| format!("：{} / {} [{}]", said.zh, said.en, said.id));
        eprintln!("{}. {zh} / {en} {:?}{said}", step.number, step.state);
    }
    if let Err(why) = &held.signature {
        eprintln!("仪式记录未能签名 / the transcript could not be signed：{why}");
    }
    let completed = held.transcript.outcome == Outcome::Completed;
    let (zh, en) = if completed { ("全部完成", "completed") } else { ("未完成", "stopped") };
    rooms.say(
        &format!("密钥仪式{zh}；记录：{}", out.display()),
        &format!("the ceremony is {en}; the transcript is written"),
        &serde_json::json!({ "completed": completed, "signed": held.signature.is_ok(), "transcript": out }),
    );
    Ok(if completed && held.signature.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Checks a transcript with nothing but files.
pub(super) fn check(ceremony: &Ceremony, json: bool) -> Result<ExitCode, Trouble> {
    let bytes = read_file(&ceremony.file, limits::CEREMONY_TRANSCRIPT_BYTES)?;
    let signature = read_file(&signature_of(&ceremony.file), limits::CMS_BYTES)?;
    let root = ceremony.root.as_deref().unwrap_or(Path::new("root.pem"));
    let anchors = from_pem_or_der("CERTIFICATE", &read_file(root, limits::REQUEST_FILE_BYTES)?)
        .iter()
        .map(|der| Certificate::read(der))
        .collect::<Result<Vec<_>, _>>()?;
    let checked = transcript::check(&bytes, &signature, &anchors).map_err(Trouble)?;
    let names: Vec<_> = checked.transcript.officers.iter().map(|one| one.name.clone()).collect();
    let completed = checked.transcript.outcome == Outcome::Completed;
    let answer = serde_json::json!({ "genuine": true, "completed": completed, "officers": names, "title": checked.transcript.title });
    print(&match json {
        true => answer.to_string(),
        false => format!(
            "记录真实完整：{}，主持人 {}，{} / the transcript is genuine and whole",
            checked.transcript.title,
            names.join("、"),
            if completed { "各步骤全部完成" } else { "未完成" }
        ),
    });
    Ok(ExitCode::SUCCESS)
}

/// In production keys are made and ended in a ceremony alone; what to do instead.
pub(super) fn only_by_ceremony(rooms: &Rooms, step: &str) -> Result<(), Trouble> {
    match rooms.settings.mode {
        Mode::Trial => Ok(()),
        Mode::Production => Err(Trouble::new(
            "ceremony.needed",
            format!(
                "正式运行时须由两名印章管理人员举行密钥仪式办理：写一份脚本（步骤 do = \"{step}\"，见 docs/ceremony.sample.toml），先运行 yinxin ceremony --dry-run 脚本，再运行 yinxin ceremony 脚本"
            ),
            format!(
                "in production this takes a key ceremony of two officers: write a script with a step do = \"{step}\" (docs/ceremony.sample.toml), run `yinxin ceremony --dry-run SCRIPT`, then `yinxin ceremony SCRIPT`"
            ),
        )),
    }
}

fn read(path: &Path, text: &str) -> Result<Script, Trouble> {
    // The complaint names the key alone: what was written there may be a password in the wrong place.
    Figment::new().merge(Toml::string(text)).extract().map_err(|error: figment::Error| {
        let key = error.path.join(".");
        let kind = match error.kind {
            figment::error::Kind::UnknownField(field, _) => format!("unknown key {field}"),
            figment::error::Kind::MissingField(field) => format!("missing key {field}"),
            _ => "not what is expected here".to_owned(),
        };
        Trouble::new(
            "ceremony.script",
            format!("{} 不是可执行的仪式脚本：{key} {kind}；见 docs/ceremony.sample.toml", path.display()),
            format!("{} is no script of a ceremony: {key} {kind}; see docs/ceremony.sample.toml", path.display()),
        )
    })
}

async fn rehearse(
    rooms: &Rooms,
    authority: &Authority,
    script: &Script,
    officers: &[Officer; 2],
    now: OffsetDateTime,
) -> Result<ExitCode, Trouble> {
    let steps = ceremony::rehearse(authority, script, officers, now).await?;
    let mut lines = vec![];
    for (n, (step, fault)) in steps.iter().enumerate() {
        let (zh, en) = step.words();
        let fault_of = |fault: &Message| format!("\n   ✗ {fault}");
        if !rooms.json() {
            print(&format!("{}. {zh} / {en}{}", n + 1, fault.as_ref().map_or(String::new(), fault_of)));
        }
        lines.push(serde_json::json!({ "number": n + 1, "asked": step, "zh": zh, "en": en, "fault": fault }));
    }
    let good = steps.iter().all(|(_, fault)| fault.is_none());
    rooms.say(
        if good { "可以举行；以上尚未执行" } else { "不能举行；以上均未执行" },
        if good { "it can be held; nothing was done" } else { "it cannot be held; nothing was done" },
        &serde_json::json!({ "possible": good, "steps": lines }),
    );
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The officer, if the password in the file or descriptor is theirs. It counts as a turn to guess like any other.
async fn prove(store: &Store, named: &Named, beside: &Path, now: OffsetDateTime) -> Result<Present, Trouble> {
    let (password, proven_by) = match (&named.password_file, named.password_fd) {
        (Some(file), None) => (secret(&beside.join(file))?, "password-file"),
        (None, Some(descriptor)) => (from_descriptor(descriptor)?, "password-descriptor"),
        _ => {
            return Err(Trouble::new(
                "ceremony.password",
                format!("{}：请写明 password_file 或 password_fd 之一", named.id),
                format!("{}: give one of password_file and password_fd", named.id),
            ));
        }
    };
    // A place of its own: whoever guesses at the web page does not keep a ceremony waiting.
    let here = hex::encode(crate::crypto::sha256(format!("ceremony by {}", machine_user()).as_bytes()));
    match try_password(store, &here, named.id.as_str(), password, now).await? {
        Some(officer) => Ok(Present { officer, proven_by }),
        None => Err(Trouble::new(
            "ceremony.not-proven",
            format!("{}的密码不正确，或因多次输错须等待；仪式未开始", named.id),
            format!("the password of {} is not right, or there were too many attempts; nothing was begun", named.id),
        )),
    }
}

/// One line from a descriptor that whoever started us opened, so that the password lies on no disk.
fn from_descriptor(descriptor: u32) -> Result<SecretString, Trouble> {
    let path = PathBuf::from(format!("/dev/fd/{descriptor}"));
    let trouble = |why: &dyn std::fmt::Display| Trouble::file(&path, why);
    let mut text = zeroize::Zeroizing::new(String::with_capacity(4096));
    let file = File::open(&path).map_err(|e| trouble(&e))?;
    file.take(limits::SECRET_FILE_BYTES).read_to_string(&mut text).map_err(|e| trouble(&e))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(trouble(&"空 / empty")),
        line => Ok(SecretString::from(line)),
    }
}

fn place(rooms: &Rooms) -> Place {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
    let mut home = BTreeMap::new();
    let mut say = |name: String, value: String| home.insert(name, value);
    match &rooms.settings.keys {
        Keys::Soft { dir, .. } => {
            say("home".into(), "soft".into());
            say("directory".into(), dir.display().to_string());
        }
        Keys::Pkcs11(tokens) => {
            say("home".into(), "pkcs11".into());
            for (n, token) in (1..).zip(tokens) {
                say(format!("token-{n}"), token.token.clone());
                say(format!("token-{n}-serial"), token.serial.clone().unwrap_or_else(|| "-".into()));
                say(format!("token-{n}-module"), token.module.display().to_string());
            }
        }
    }
    Place { machine, machine_user: machine_user(), home }
}

/// Whole or not at all, and on the disk when it returns: written beside, synced, put in its place.
fn keep(path: &Path, bytes: &[u8]) -> Result<(), Trouble> {
    let trouble = |e: std::io::Error| Trouble::file(path, &e);
    let unfinished = path.with_extension("unfinished");
    let mut file = File::create(&unfinished).map_err(trouble)?;
    file.write_all(bytes).map_err(trouble)?;
    file.sync_all().map_err(trouble)?;
    std::fs::rename(&unfinished, path).map_err(trouble)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(trouble)
}

fn signature_of(transcript: &Path) -> PathBuf {
    let mut name = transcript.as_os_str().to_owned();
    name.push(".p7s");
    name.into()
}
