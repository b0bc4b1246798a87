//! The command line: what may be asked, and who answers it. Chinese first, English beside it.
//!
//! A command parses what it was given, calls one flow or asks the store, and prints. Whoever can run it is the
//! machine's administrator: acts are done in the name of an officer who is named, and the audit trail says that they
//! came this way. The clock is handed in; only `main.rs` reads it.
//!
//! Deliberately absent: secrets as arguments (they would stand in the process list), and questions on a terminal.

mod audit;
mod ceremony;
mod certificates;
mod copies;
mod demo;
mod doctor;
mod export;
mod filing;
mod fsck;
mod inquiry;
mod key;
mod log;
mod making;
mod monitor;
mod orders;
mod renewing;
mod rooms;
mod sealing;
mod serve;
mod trouble;
mod witness;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use time::OffsetDateTime;

use self::rooms::Rooms;
use self::trouble::Trouble;
use crate::preview;

/// The clock as a value.
pub type Clock = fn() -> OffsetDateTime;

/// What stands on the command line.
#[derive(Debug, Parser)]
#[command(
    name = "yinxin",
    version,
    about = "印信：行政审批局的电子印章与电子证照 / electronic seals and licences of an approval bureau",
    disable_help_subcommand = true
)]
pub struct Arguments {
    /// 设置文件，默认为当前目录的 yinxin.toml / settings file, yinxin.toml of this directory by default
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// 以 JSON 输出 / print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// 更新数据库结构 / bring the database schema up to date
    Migrate,
    /// 启动服务：公众和工作人员两个入口 / serve the public and the staff listener
    Serve,
    /// 检查设置、密钥、字体、数据库、时钟、证书、磁盘 / check everything the service stands on
    Doctor,
    /// 核对全部数据：日志、用印、文书、证照、审计链；0 相符，1 不符，3 无法运行 / check all that is stored; exits 0, 1 findings, 3 could not run
    Fsck,
    /// 电子监察：审计记录的锚定、导出与核对 / the audit trail: anchor it in the log, export it, check an export
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// 演示：汶川示例审批局 / demonstration with a sample bureau
    Demo(demo::DemoArguments),
    /// 证书机构 / the service's own certificate authorities
    #[command(subcommand)]
    Ca(certificates::CaCommand),
    /// 公开日志的密钥 / keys of public logs
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// 登记册快照 / the register as data
    #[command(subcommand)]
    Register(copies::RegisterCommand),
    /// 密钥仪式：两名人员按脚本办理，记录签名 / a key ceremony: two officers, a script, a signed transcript
    Ceremony(ceremony::Ceremony),
    /// 登记单位 / file an authority
    #[command(subcommand)]
    Authority(filing::AuthorityCommand),
    /// 登记行政许可事项 / put an item on the list
    #[command(subcommand)]
    Item(filing::ItemCommand),
    /// 登记人员、设置密码、离岗 / file an officer, set a password, end a post
    #[command(subcommand)]
    Officer(filing::OfficerCommand),
    /// 程序令牌 / tokens for programs
    #[command(subcommand)]
    Token(filing::TokenCommand),
    /// 授权 / grants under which officers use seals
    #[command(subcommand)]
    Grant(filing::GrantCommand),
    /// 封存记录 / custody of abolished seals
    #[command(subcommand)]
    Custody(filing::CustodyCommand),
    /// 批量登记：单位、人员、事项、印章、授权 / load authorities, people, items, seals and grants from one file
    Import(filing::Import),
    /// 印章：登记、停用、恢复、证书、印模 / seals: filing, suspension, certificates, impressions
    #[command(subcommand)]
    Seal(certificates::SealCommand),
    /// 制作证照或批文 / make a licence or approval document
    Issue(sealing::Issue),
    /// 在外来文书上用印 / seal a document drafted elsewhere
    SealUpload(sealing::SealUpload),
    /// 注销、撤销或吊销证照 / cancel, withdraw or revoke a licence
    EndLicence(sealing::EndLicence),
    /// 按政府决定废止印章 / abolish seals by an order of government
    Abolish(sealing::Abolish),
    /// 见证公开日志：独立的进程和设置文件（默认 witness.toml）/ witness logs: a process with settings of its own (witness.toml)
    Witness {
        #[command(subcommand)]
        command: Option<witness::WitnessCommand>,
    },
    /// 公开日志 / the public log
    #[command(subcommand)]
    Log(log::LogCommand),
    /// 从外部监测公开日志：0 正常，1 警报，2 未能全部核对，3 无法运行 / follow a log from outside; exits 0, 1 alarm, 2 not all seen, 3 could not run
    Monitor(monitor::Monitor),
    /// 继续完成中断的用印 / finish what a crash interrupted
    Resume,
    /// 等待中的用印指令：查看、放弃 / orders that wait: show them, give one up
    #[command(subcommand)]
    Orders(orders::OrdersCommand),
    /// 文书续期：附加新的验证数据和时间戳，使其长期可验证 / renew documents before their time stamps lapse
    Renew(renewing::Renew),
    /// 用印台账 / the ledger of seal uses
    Ledger(inquiry::Ledger),
    /// 印章在某时对某事项是否有效 / whether a seal counts, for an item and at a time
    Status(inquiry::Status),
    /// 验证文件：0 全部通过，1 有不通过，2 有无法确认，3 无法运行 / verify files; exits 0, 1 failed, 2 unconfirmed, 3 could not run
    Verify(inquiry::Verify),
    /// The process that draws pages for a look; started by the service alone.
    #[command(name = preview::COMMAND, hide = true)]
    DrawPages {
        lengths: Vec<usize>,
        #[arg(long)]
        ofd: bool,
    },
}

impl Arguments {
    /// Where the whole process is there to draw one document: draws it. It must have no other thread yet.
    pub fn draw_pages(&self) -> Option<ExitCode> {
        let Command::DrawPages { lengths, ofd } = &self.command else { return None };
        Some(match if *ofd { preview::draw_ofd() } else { preview::draw(lengths) } {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("{why}");
                ExitCode::FAILURE
            }
        })
    }

    /// Whether this runs until it is told to stop.
    pub fn serves(&self) -> bool {
        match &self.command {
            Command::Serve | Command::Witness { command: None } => true,
            Command::Demo(demo) => demo.serves(),
            Command::Monitor(monitor) => monitor.serves(),
            _ => false,
        }
    }
}

/// Runs one command and says how it ended.
pub async fn run(arguments: Arguments, clock: Clock) -> ExitCode {
    let could_not = match arguments.command {
        Command::Verify(_) | Command::Monitor(_) | Command::Fsck | Command::Audit(_) => 3,
        _ => 1,
    };
    match answer(arguments, clock).await {
        Ok(code) => code,
        Err(Trouble(message)) => {
            eprintln!("{message}");
            ExitCode::from(could_not)
        }
    }
}

async fn answer(arguments: Arguments, clock: Clock) -> Result<ExitCode, Trouble> {
    let Arguments { config, json, command } = arguments;
    // These do their own reading of the settings: there may be none, or they may be what is wrong.
    let command = match command {
        Command::Demo(demo) => return demo::run(demo, clock).await,
        Command::Doctor => return doctor::run(config.as_deref(), json, clock).await,
        Command::Ceremony(ceremony) if ceremony.only_checks() => return ceremony::check(&ceremony, json),
        Command::Audit(audit) if audit.only_checks() => return audit::check(&audit, json),
        Command::Witness { command } => return witness::witness(command, config.as_deref(), json, clock).await,
        Command::Verify(verify) => return inquiry::verify(verify, config.as_deref(), json, clock()).await,
        Command::Monitor(monitor) => return monitor::run(monitor, json, clock).await,
        Command::Register(copies::RegisterCommand::Apply(apply)) => {
            copies::apply(apply)?;
            return Ok(ExitCode::SUCCESS);
        }
        other => other,
    };
    let rooms = Rooms::of(config.as_deref(), json)?;
    match command {
        Command::Migrate => {
            rooms.open_store().await?.migrate().await?;
            rooms.say("数据库结构已是最新", "the schema is up to date", &serde_json::json!({ "migrated": true }));
        }
        Command::Serve => serve::run(&rooms, clock).await?,
        Command::Fsck => return fsck::run(&rooms).await,
        Command::Audit(command) => audit::audit(&rooms, command, clock).await?,
        Command::Ceremony(held) => return ceremony::run(&rooms, held, clock).await,
        Command::Ca(command) => certificates::ca(&rooms, command, clock()).await?,
        Command::Key(command) => key::key(&rooms, command, clock()).await?,
        Command::Log(command) => log::log(&rooms, command, clock()).await?,
        Command::Register(copies::RegisterCommand::Snapshot { since, output }) => {
            copies::snapshot(&rooms, clock, since, output).await?;
        }
        Command::Seal(command) => certificates::seal(&rooms, command, clock).await?,
        Command::Authority(command) => filing::authority(&rooms, command, clock()).await?,
        Command::Item(command) => filing::item(&rooms, command, clock()).await?,
        Command::Officer(command) => filing::officer(&rooms, command, clock()).await?,
        Command::Token(command) => filing::token(&rooms, command, clock()).await?,
        Command::Grant(command) => filing::grant(&rooms, command, clock()).await?,
        Command::Custody(command) => filing::custody(&rooms, command, clock()).await?,
        Command::Import(import) => filing::import(&rooms, import, clock()).await?,
        Command::Issue(issue) => sealing::issue(&rooms, issue, clock).await?,
        Command::SealUpload(upload) => sealing::seal_upload(&rooms, upload, clock).await?,
        Command::EndLicence(end) => sealing::end_licence(&rooms, end, clock).await?,
        Command::Abolish(abolish) => sealing::abolish(&rooms, abolish, clock).await?,
        Command::Resume => sealing::resume(&rooms, clock).await?,
        Command::Orders(command) => orders::orders(&rooms, command, clock()).await?,
        Command::Renew(renew) => return renewing::renew(&rooms, renew, clock).await,
        Command::Ledger(ledger) => inquiry::ledger(&rooms, ledger).await?,
        Command::Status(status) => inquiry::status(&rooms, status, clock()).await?,
        Command::Demo(_)
        | Command::Doctor
        | Command::Witness { .. }
        | Command::Monitor(_)
        | Command::Register(_)
        | Command::Verify(_)
        | Command::DrawPages { .. } => {}
    }
    Ok(ExitCode::SUCCESS)
}
