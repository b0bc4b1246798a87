//! ISSUE: a decision becomes a sealed document. Each step gives what only it can make, and the next step takes just that.
//!
//! 1 read the decision · 2 authorise · 3 render, or take the document that was uploaded · 4 prepare · 5 write it down, in the
//! public log too, and get its receipt · 6 seal · 7 time stamp, evidence, and a time stamp over all of it, as the seal's level promises · 8 close and check
//! ourselves · 9 store and deliver.
//! A licence is made in both formats where its seal can seal both: PDF, and OFD (GB/T 33190) where it is made as data. They have one
//! decision, one identifier and one leave, and an order each.
//! After step 5 there is one function, [`finish()`]; a crash re-enters it with the same bytes, and so does an order that waits
//! for a time stamp, for evidence or for its key. Nothing is released with less than it was promised.

mod again;
mod check;
mod copy;
mod draft;
pub(crate) mod facts;
mod finish;
pub(crate) mod lasting;
mod place;
mod report;
mod request;
mod value;
mod waiting;

use std::collections::HashMap;

use serde::Serialize;
use time::OffsetDateTime;

use crate::authority::Uscc;
use crate::decision::{Allowed, Decision, DecisionRequest, Purpose};
use crate::desk::{Desk, FlowError, Step, blocking};
use crate::keys;
use crate::licence::{LicenceAct, LicenceIdentifier, LicenceVersion};
use crate::limits;
use crate::message::Message;
use crate::officer::{Duty, Grant, Officer, OfficerId};
use crate::pdf::seal::Certification;
use crate::refusal::{Refusal, Rule};
use crate::seal::SealNumber;
use crate::store::{FiledSeal, LicencePending, OrderKind, SealUse, Unfinished};

pub use again::{Resumed, resume, retry};
pub(crate) use again::{fingerprint, made_before, newest};
pub use copy::{CopyRequest, annotate};
pub(crate) use draft::{Drafted, prepare, prepare_ofd};
use facts::Facts;
use finish::finish;
use place::places_on;

pub(crate) use lasting::room;
pub use report::{ReportSeal, TEMPLATE as REPORT_TEMPLATE, seal_report};
pub use request::{EndRequest, Files, IssueRequest, LicenceRequest, UploadPlace, UploadRequest};

/// A sealed, checked and stored document.
#[derive(Debug, Clone, Serialize)]
pub struct Issued {
    pub order: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identifier: Option<LicenceIdentifier>,
    /// SHA-256, hexadecimal; of the PDF, where there is one.
    pub document: String,
    /// SHA-256, hexadecimal, of the same document as OFD where it was made beside the PDF; not there while that waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ofd: Option<String>,
    pub title: String,
    /// It had been made before: this request repeated an earlier one.
    pub again: bool,
}

/// Makes a licence or approval document. The same request again gives the same document, never a second one.
///
/// # Errors
/// A rule refused, the data does not fit the template, or a tool failed; see [`FlowError`]. Before step 5 nothing is
/// written; after it the order stays and [`resume`] finishes it.
pub async fn issue(
    desk: &Desk,
    officer: &Officer,
    request: IssueRequest,
    now: OffsetDateTime,
) -> Result<Issued, FlowError> {
    let once_key = format!("licence/{}/{}", request.decision.number, request.template);
    let decision = read_decision(desk, request.decision.clone()).await?;
    let seal = filed_seal(desk, &request.seal).await?;
    // Leave first: who may not seal this learns nothing of it, and sets nothing going again.
    let allowed = authorise(desk, decision.clone(), &seal, officer, now).await?;
    let fingerprint = fingerprint(&request)?;
    if let Some(issued) = made_before(desk, &once_key, &fingerprint, Some(&request.decision), now).await? {
        return Ok(issued);
    }
    let pending = pending(desk, &decision, &seal, &request, now).await?;
    let drafts = drafted(desk, &seal, &request, &pending, now).await?;
    write_down_and_finish(
        desk,
        allowed,
        OrderKind::Licence,
        (&once_key, &fingerprint),
        &seal,
        &pending.name.clone(),
        Some(&pending),
        drafts,
        now,
    )
    .await
}

/// Steps 3 and 4 of a licence, in the formats that were asked for: both where nothing was said and the seal seals both.
async fn drafted(
    desk: &Desk,
    seal: &FiledSeal,
    request: &IssueRequest,
    pending: &LicencePending,
    now: OffsetDateTime,
) -> Result<Vec<Drafted>, FlowError> {
    let ofd = match request.files {
        Some(Files::Pdf) => None,
        wanted => match desk.ofd_parts_in_force(seal, now).await? {
            None if wanted.is_some() => return Err(FlowError::NoSealFile(seal.seal.number.to_string())),
            with => with,
        },
    };
    let mut drafts = vec![];
    if request.files != Some(Files::Ofd) {
        let parts = desk.parts_in_force(seal, now).await?;
        let room = room(desk, &parts, seal.level, now).await?;
        let (renderer, identifier, data, template) = of_pending(desk, pending);
        let (reason, signer_name) = (request.decision.number.clone(), seal.seal.owner_name.clone());
        // What a certification lets others sign are fields that it knows already (ISO 32000-1 table 254), and whose seal
        // comes where is not known here: a document for more seals gets an approval signature, as uploads do.
        let certify = (!request.more_seals).then_some(Certification::NoChanges);
        let prepared = blocking(move || {
            let draft = renderer.render(&template, &data, &identifier, now)?;
            prepare(&draft.pdf, &parts, &[draft.seal_place.on()], &signer_name, &reason, now, certify, room)
        });
        drafts.push(prepared.await?);
    }
    if let Some(with) = ofd {
        let (renderer, identifier, data, template) = of_pending(desk, pending);
        let lock = !request.more_seals;
        let prepared = blocking(move || {
            let draft = renderer.render_ofd(&template, &data, &identifier, now)?;
            prepare_ofd(&draft.ofd, &with, &[draft.seal_place.on()], now, lock)
        });
        match prepared.await {
            Ok(prepared) => drafts.push(prepared),
            // Nobody asked for it by name: a template that OFD cannot show holds no licence up.
            Err(error) if request.files.is_none() => {
                tracing::warn!(template = request.template, %error, "not made as OFD");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(drafts)
}

/// What both formats are rendered from.
fn of_pending(
    desk: &Desk,
    pending: &LicencePending,
) -> (std::sync::Arc<crate::render::Renderer>, String, serde_json::Value, String) {
    let identifier = pending.version.identifier.to_string();
    (desk.renderer.clone(), identifier, pending.data.clone(), pending.template.clone())
}

/// Seals a PDF or an OFD drafted elsewhere. Earlier signatures in it stay valid.
///
/// # Errors
/// As [`issue`]; and [`FlowError::Pdf`] or [`FlowError::Ofd`] where the file cannot be sealed.
pub async fn seal_upload(
    desk: &Desk,
    officer: &Officer,
    request: UploadRequest,
    file: Vec<u8>,
    now: OffsetDateTime,
) -> Result<Issued, FlowError> {
    if request.title.trim().is_empty()
        || request.title.chars().count() > 200
        || request.title.chars().any(char::is_control)
    {
        return Err(FlowError::Request(Message::new(
            "issue.title",
            "请填写文书名称（200字以内）",
            "give the document's title (200 characters at most)",
        )));
    }
    if file.len() > limits::PDF_BYTES {
        return Err(FlowError::Request(Message::new(
            "issue.too-large",
            "文件超过大小上限，请压缩后再上传",
            "the file is larger than the limit; make it smaller first",
        )));
    }
    let once_key = format!("upload/{}/{}", request.decision.number, hex::encode(crate::crypto::sha256(&file)));
    let decision = read_decision(desk, request.decision.clone()).await?;
    let seal = filed_seal(desk, &request.seal).await?;
    let allowed = authorise(desk, decision, &seal, officer, now).await?;
    let fingerprint = fingerprint(&request)?;
    if let Some(issued) = made_before(desk, &once_key, &fingerprint, Some(&request.decision), now).await? {
        return Ok(issued);
    }
    let draft = drafted_elsewhere(desk, &seal, &request, file, now).await?;
    write_down_and_finish(
        desk,
        allowed,
        OrderKind::Upload,
        (&once_key, &fingerprint),
        &seal,
        &request.title,
        None,
        vec![draft],
        now,
    )
    .await
}

/// Step 4 of a document from elsewhere.
async fn drafted_elsewhere(
    desk: &Desk,
    seal: &FiledSeal,
    request: &UploadRequest,
    file: Vec<u8>,
    now: OffsetDateTime,
) -> Result<Drafted, FlowError> {
    let wanted = request.clone();
    if is_package(&file) {
        let with = desk.ofd_parts_in_force(seal, now).await?;
        let with = with.ok_or_else(|| FlowError::NoSealFile(seal.seal.number.to_string()))?;
        return blocking(move || prepare_ofd(&file, &with, &places_on(&file, &wanted)?, now, false)).await;
    }
    let parts = desk.parts_in_force(seal, now).await?;
    let room = room(desk, &parts, seal.level, now).await?;
    let (signer_name, reason) = (seal.seal.owner_name.clone(), request.decision.number.clone());
    blocking(move || prepare(&file, &parts, &places_on(&file, &wanted)?, &signer_name, &reason, now, None, room)).await
}

/// A ZIP archive, as every OFD is (GB/T 33190 §7.1).
fn is_package(file: &[u8]) -> bool {
    file.starts_with(b"PK\x03\x04")
}

/// Ends a licence on a decision: cancelled, withdrawn or revoked. The new version has no document.
///
/// # Errors
/// A rule refused, or the store failed.
pub async fn end_licence(
    desk: &Desk,
    officer: &Officer,
    request: EndRequest,
    now: OffsetDateTime,
) -> Result<LicenceIdentifier, FlowError> {
    if !request.act.ends() {
        return Err(FlowError::Request(Message::new(
            "issue.not-an-end",
            "注销、撤销或吊销之外的办理需要制作证照",
            "only cancel, withdraw and revoke end a licence",
        )));
    }
    let decision = read_decision(desk, request.decision).await?;
    officer.check_on_duty(Duty::Decide, now)?;
    let key = request.identifier.licence();
    let versions = desk.store.licence_versions(&key).await?;
    let Some(last) = versions.last() else {
        return Err(FlowError::Unknown(Message::new(
            "issue.no-licence",
            "没有这份证照，请核对证照标识",
            "there is no such licence; check the identifier",
        )));
    };
    same_matter(desk, &decision, &last.licence, &officer.authority, now).await?;
    Ok(desk.store.end_licence(&key, request.act, &decision, &officer.id, now).await?)
}

/// A licence's next version is decided on the same item, for the same holder, by its issuer or by whoever is competent
/// for that item now; never by a stranger who happens to hold a seal.
async fn same_matter(
    desk: &Desk,
    decision: &Decision,
    last: &LicencePending,
    authority: &Uscc,
    now: OffsetDateTime,
) -> Result<(), FlowError> {
    let request = decision.get();
    let refuse = |zh: &str, en: &str| Err(Refusal::new(Rule::NoItemNoLicence, "licence.other-matter", zh, en).into());
    let first = desk.store.decision(&last.decision).await?;
    if first.as_ref().is_none_or(|first| first.item != request.item || first.holder.code != request.holder.code) {
        return refuse(
            "决定的事项或持证主体与原证照不一致",
            "the decision is on another item or for another holder than the licence",
        );
    }
    if request.decided_at > now {
        return refuse("决定时间晚于当前时间", "the decision is dated in the future");
    }
    item_of(desk, decision).await?.check_competence(authority, request.accepted_at)?;
    Ok(())
}

/// Step 1. Looks the hands up among the people filed.
async fn read_decision(desk: &Desk, request: DecisionRequest) -> Result<Decision, FlowError> {
    let mut people: HashMap<OfficerId, Officer> = HashMap::new();
    let hands = request.hands.clone();
    for id in [hands.intake, hands.review, hands.decide, hands.produce] {
        if let Some(officer) = desk.store.officer(&id).await? {
            people.insert(id, officer);
        }
    }
    Ok(Decision::read(request, |id| people.get(id))?)
}

async fn item_of(desk: &Desk, decision: &Decision) -> Result<crate::item::Item, FlowError> {
    let code = &decision.get().item;
    desk.store.item(code).await?.ok_or_else(|| crate::item::not_on_the_list(code.as_str()).into())
}

pub(crate) async fn filed_seal(desk: &Desk, number: &SealNumber) -> Result<FiledSeal, FlowError> {
    desk.store.seal(number).await?.ok_or_else(|| {
        FlowError::Unknown(Message::new(
            "seal.unknown",
            format!("登记册中没有编号为{number}的印章"),
            format!("there is no seal {number} in this register"),
        ))
    })
}

/// Step 2. The first grant that gives leave; otherwise what the last one said.
async fn authorise(
    desk: &Desk,
    decision: Decision,
    seal: &FiledSeal,
    officer: &Officer,
    now: OffsetDateTime,
) -> Result<Allowed, FlowError> {
    let item = item_of(desk, &decision).await?;
    let mut refusal = no_grant(officer, seal);
    for grant in grants_of(desk, officer, seal).await? {
        match Allowed::on_decision(decision.clone(), &item, &seal.seal, officer, &grant, now) {
            Ok(allowed) => return Ok(allowed),
            Err(no) => refusal = no,
        }
    }
    // Without any grant the rules on item and seal are still the better answer.
    item.check_competence(&seal.seal.owner, decision.get().accepted_at)?;
    seal.seal.check_in_force(now)?;
    Err(refusal.into())
}

pub(crate) async fn grants_of(desk: &Desk, officer: &Officer, seal: &FiledSeal) -> Result<Vec<Grant>, FlowError> {
    Ok(desk.store.grants(&seal.seal.number).await?.into_iter().filter(|g| g.officer == officer.id).collect())
}

pub(crate) fn no_grant(officer: &Officer, seal: &FiledSeal) -> Refusal {
    Refusal::new(
        Rule::Hands,
        "grant.none",
        format!("{}（{}）没有使用印章“{}”的授权", officer.name, officer.id, seal.seal.legend),
        format!("{} has no grant for the seal {}", officer.id, seal.seal.number),
    )
}

pub(crate) fn no_template(name: &str) -> FlowError {
    FlowError::Unknown(Message::new(
        "issue.template",
        format!("没有名为“{name}”的模板"),
        format!("there is no template '{name}'"),
    ))
}

/// The licence's version as it will stand, with identifier and address filled into what is printed.
async fn pending(
    desk: &Desk,
    decision: &Decision,
    seal: &FiledSeal,
    request: &IssueRequest,
    now: OffsetDateTime,
) -> Result<LicencePending, FlowError> {
    let wanted = &request.licence;
    let template = desk.renderer.template(&request.template).ok_or_else(|| no_template(&request.template))?;
    let bad = |e: crate::licence::IdentifierError| FlowError::Request(e.message());
    let identifier = match (wanted.act, &wanted.previous) {
        (LicenceAct::Issue, None) => {
            let serial = match &wanted.serial {
                Some(serial) => serial.clone(),
                None => random_serial()?,
            };
            let first = LicenceIdentifier::first(&wanted.type_code, &seal.seal.owner, &serial).map_err(bad)?;
            if !desk.store.licence(&first.licence()).await?.versions().is_empty() {
                return Err(FlowError::Request(Message::new(
                    "issue.serial-in-use",
                    "该流水号已使用，请更换",
                    "this serial number is already used; take another",
                )));
            }
            first
        }
        (LicenceAct::Renew | LicenceAct::Change, Some(previous)) => {
            let versions = desk.store.licence_versions(&previous.licence()).await?;
            if let Some(last) = versions.last() {
                same_matter(desk, decision, &last.licence, &seal.seal.owner, now).await?;
            }
            desk.store.licence(&previous.licence()).await?.next(wanted.act, now)?
        }
        _ => {
            return Err(FlowError::Request(Message::new(
                "issue.act",
                "核发不带原证照标识；延续、变更须带原证照标识；注销、撤销、吊销请另行办理",
                "issue names no earlier licence, renew and change name one; cancel, withdraw and revoke are done elsewhere",
            )));
        }
    };
    if wanted.valid_until.is_some_and(|until| until <= wanted.valid_from) {
        return Err(FlowError::Request(Message::new(
            "issue.validity",
            "有效期止应晚于有效期起",
            "the validity ends before it begins",
        )));
    }
    let mut data = request.data.clone();
    let decided = decision.get();
    let last_day = wanted.valid_until.map(|until| facts::china_date(until - time::Duration::MICROSECOND));
    let known: Facts = [
        ("identifier", Some(identifier.to_string().into())),
        ("verify_url", Some(format!("{}/licences/{identifier}", desk.public_url).into())),
        ("holder.name", Some(decided.holder.name.clone().into())),
        ("holder.code", Some(decided.holder.code.clone().into())),
        ("holder.code_type", Some(decided.holder.code_type.clone().into())),
        ("decision.number", Some(decided.number.clone().into())),
        ("decision.case", Some(decided.case.clone().into())),
        ("decision.accepted_on", Some(facts::china_date(decided.accepted_at))),
        ("licence.valid_from", Some(facts::china_date(wanted.valid_from))),
        ("licence.valid_until", last_day),
        ("issuer", Some(seal.seal.owner_name.clone().into())),
    ]
    .into();
    facts::fill(template.schema(), &mut data, &known)?;
    Ok(LicencePending {
        version: LicenceVersion {
            identifier,
            act: wanted.act,
            at: now,
            valid_from: wanted.valid_from,
            valid_until: wanted.valid_until,
        },
        name: template.title_zh().to_owned(),
        holder_name: decision.get().holder.name.clone(),
        decision: decision.get().number.clone(),
        template: request.template.clone(),
        template_version: format!("{} sha256:{}", template.version().version, template.version().sha256),
        data,
    })
}

/// Sixteen digits. Random: nobody counts our cases or guesses the next licence, and replicas never meet.
pub(crate) fn random_serial() -> Result<String, FlowError> {
    Ok(keys::draw()?.iter().map(|b| char::from_digit(u32::from(b % 10), 10).unwrap_or('0')).collect())
}

/// Steps 5 to 9 for any kind of document: one draft, or one and the same document in both formats under one leave. Where the
/// second cannot be finished now, the first is none the worse, and the second waits as any order does.
#[expect(clippy::too_many_arguments, reason = "the one place where everything about a document comes together")]
pub(crate) async fn write_down_and_finish(
    desk: &Desk,
    allowed: Allowed,
    kind: OrderKind,
    (once_key, request): (&str, &str),
    seal: &FiledSeal,
    title: &str,
    licence: Option<&LicencePending>,
    drafts: Vec<Drafted>,
    now: OffsetDateTime,
) -> Result<Issued, FlowError> {
    debug_assert!(kind != OrderKind::Notice || matches!(allowed.purpose(), Purpose::Notice { .. }));
    debug_assert!(kind != OrderKind::Report || matches!(allowed.purpose(), Purpose::Report { .. }));
    debug_assert!(kind != OrderKind::Copy || matches!(allowed.purpose(), Purpose::Copy { .. }));
    let second_key = second_of(once_key);
    let keys = [once_key, second_key.as_str()];
    let uses = drafts.iter().zip(keys).map(|(draft, once_key)| SealUse {
        kind,
        once_key,
        request,
        revision: seal.revision,
        certificate: &draft.parts.certificate,
        title,
        licence,
        media_type: draft.media_type,
        level: seal.level,
        prepared: &draft.bytes,
        hole: draft.hole.clone(),
        digest: draft.digest,
        content: &draft.content,
        ceilings: desk.ceilings,
    });
    let mut unfinished = desk.store.write_down(allowed, uses.collect()).await?.into_iter();
    (desk.done)(Step::Written);
    let second = async |unfinished: Option<Unfinished>| match unfinished {
        Some(unfinished) => finish(desk, unfinished, now).await.map(Some),
        None => Ok(None),
    };
    let (first, also) = (unfinished.next(), unfinished.next());
    let (first, also) = tokio::join!(second(first), second(also));
    let issued = first?.ok_or_else(|| {
        FlowError::Request(Message::new("issue.nothing", "没有要制作的文书", "there is nothing to be made"))
    })?;
    let ofd = also.unwrap_or_else(|error| {
        tracing::warn!(order = issued.order, %error, "the same document as OFD is not finished yet");
        None
    });
    Ok(Issued { ofd: ofd.map(|ofd| ofd.document), ..issued })
}

/// What may happen only once for the same document in its other format.
pub(crate) fn second_of(once_key: &str) -> String {
    format!("{once_key}/ofd")
}
