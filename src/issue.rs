//! ISSUE: a decision becomes a sealed document. Each step gives what only it can make, and the next step takes just that.
//!
//! 1 read the decision · 2 authorise · 3 render, or take the document that was uploaded · 4 prepare · 5 write it down ·
//! 6 seal · 8 close and check ourselves · 9 store and deliver. (7, the time stamp, is not there yet.)
//! After step 5 there is one function, [`finish`]; a crash re-enters it with the same bytes.

mod request;

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use time::OffsetDateTime;

use crate::cms;
use crate::decision::{Allowed, Decision, DecisionRequest, Purpose};
use crate::desk::{Desk, FlowError, SealParts, Step, blocking};
use crate::keys;
use crate::licence::{LicenceAct, LicenceIdentifier, LicenceVersion};
use crate::limits;
use crate::message::Message;
use crate::officer::{Grant, Officer, OfficerId};
use crate::pdf::changes::LaterChanges;
use crate::pdf::seal::{self as pdf_seal, Certification, Place, Prepared, SealPlan};
use crate::pdf::signatures::Coverage;
use crate::pdf::text;
use crate::pki::certificate::Certificate;
use crate::refusal::{Refusal, Rule};
use crate::seal::{SealNumber, SealStatus};
use crate::store::{FiledSeal, LicencePending, OrderKind, OrderRecord, OrderState, SealUse, Unfinished};
use crate::verify::judge::evidence::Opened;
use crate::verify::report::Verdict;
use crate::verify::{Evidence, Trust, judge};

pub use request::{EndRequest, IssueRequest, LicenceRequest, UploadPlace, UploadRequest};

/// A sealed, checked and stored document.
#[derive(Debug, Clone, Serialize)]
pub struct Issued {
    pub order: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identifier: Option<LicenceIdentifier>,
    /// SHA-256, hexadecimal.
    pub document: String,
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
    let once_key = format!("{}/{}", request.decision.number, request.template);
    if let Some(issued) = made_before(desk, &once_key, &request.decision, now).await? {
        return Ok(issued);
    }
    let decision = read_decision(desk, request.decision.clone()).await?;
    let seal = filed_seal(desk, &request.seal).await?;
    let pending = pending(desk, &decision, &seal, &request, now).await?;
    let allowed = authorise(desk, decision, &seal, officer, now).await?;
    let parts = desk.parts(&seal, None).await?;

    let (renderer, identifier, data, template) =
        (desk.renderer.clone(), pending.version.identifier.to_string(), pending.data.clone(), request.template.clone());
    let reason = request.decision.number.clone();
    let (drawn, signer_name) = (parts.clone(), seal.seal.owner_name.clone());
    let prepared = blocking(move || {
        let draft = renderer.render(&template, &data, &identifier, now)?;
        let place = Place { page: draft.seal_place.page.saturating_sub(1), centre_mm: draft.seal_place.centre_mm };
        prepare(&draft.pdf, &drawn, place, &signer_name, &reason, now, Some(Certification::NoChanges))
    })
    .await?;
    write_down_and_finish(
        desk,
        allowed,
        OrderKind::Licence,
        &once_key,
        &seal,
        &parts,
        &pending.name.clone(),
        Some(&pending),
        prepared,
        now,
    )
    .await
}

/// Seals a PDF drafted elsewhere. Earlier signatures in it stay valid.
///
/// # Errors
/// As [`issue`]; and [`FlowError::Pdf`] where the file cannot be sealed.
pub async fn seal_upload(
    desk: &Desk,
    officer: &Officer,
    request: UploadRequest,
    pdf: Vec<u8>,
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
    if pdf.len() > limits::PDF_BYTES {
        return Err(FlowError::Request(Message::new(
            "issue.too-large",
            "文件超过大小上限，请压缩后再上传",
            "the file is larger than the limit; make it smaller first",
        )));
    }
    let once_key = format!("{}/upload/{}", request.decision.number, hex::encode(crate::crypto::sha256(&pdf)));
    if let Some(issued) = made_before(desk, &once_key, &request.decision, now).await? {
        return Ok(issued);
    }
    let decision = read_decision(desk, request.decision.clone()).await?;
    let seal = filed_seal(desk, &request.seal).await?;
    let allowed = authorise(desk, decision, &seal, officer, now).await?;
    let parts = desk.parts(&seal, None).await?;
    let (drawn, signer_name, reason, wanted) =
        (parts.clone(), seal.seal.owner_name.clone(), request.decision.number.clone(), request.place.clone());
    let prepared = blocking(move || {
        let place = place_on(&pdf, &wanted)?;
        prepare(&pdf, &drawn, place, &signer_name, &reason, now, None)
    })
    .await?;
    write_down_and_finish(
        desk,
        allowed,
        OrderKind::Upload,
        &once_key,
        &seal,
        &parts,
        &request.title,
        None,
        prepared,
        now,
    )
    .await
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
    officer.check_duty(crate::officer::Duty::Decide)?;
    let key = request.identifier.licence();
    let versions = desk.store.licence_versions(&key).await?;
    let Some(last) = versions.last() else {
        return Err(FlowError::Unknown(Message::new(
            "issue.no-licence",
            "没有这份证照，请核对证照标识",
            "there is no such licence; check the identifier",
        )));
    };
    let item = item_of(desk, &decision).await?;
    if officer.authority.as_str() != last.licence.version.identifier.issuer() {
        item.check_competence(&officer.authority, decision.get().accepted_at)?;
    }
    let identifier = desk.store.licence(&key).await?.next(request.act, now)?;
    let pending = LicencePending {
        version: LicenceVersion {
            identifier: identifier.clone(),
            act: request.act,
            at: now,
            ..last.licence.version.clone()
        },
        decision: decision.get().number.clone(),
        ..last.licence.clone()
    };
    desk.store.end_licence(&pending, &decision, &officer.id, now).await?;
    Ok(identifier)
}

/// What resume did with one order.
#[derive(Debug)]
pub struct Resumed {
    pub order: String,
    /// The document, or why it was given up.
    pub outcome: Result<Issued, Message>,
}

/// Takes up every order that a crash left written: finishes it by the same function, or shows it as lost.
///
/// # Errors
/// The store failed. A key that does not answer leaves its order as it is, for the next time.
pub async fn resume(desk: &Desk, now: OffsetDateTime) -> Result<Vec<Resumed>, FlowError> {
    let mut resumed = vec![];
    for unfinished in desk.store.unfinished().await? {
        let order = unfinished.record.id.clone();
        let outcome = match give_up_because(desk, &unfinished.record, now).await? {
            Some(why) => {
                desk.store.lose(&order, &why.en, now).await?;
                Err(why)
            }
            None => finish(desk, unfinished, now).await.map_err(|e| e.message()),
        };
        resumed.push(Resumed { order, outcome });
    }
    Ok(resumed)
}

/// Why an order that was left behind must not be finished now.
async fn give_up_because(desk: &Desk, record: &OrderRecord, now: OffsetDateTime) -> Result<Option<Message>, FlowError> {
    let Some(number) = &record.seal else {
        return Ok(Some(Message::new(
            "issue.act-interrupted",
            "证书操作中断，请重新执行",
            "the certificate operation was interrupted; run it again",
        )));
    };
    let seal = filed_seal(desk, number).await?;
    // Leave was given while the seal was in force; what is sealed after its end would not be good.
    Ok((seal.seal.life.status_at(now) != SealStatus::InForce).then(|| {
        Message::new(
            "issue.seal-ended",
            "中断期间印章已停用或废止，未再用印",
            "the seal left force while the order was interrupted; it was not used",
        )
    }))
}

async fn made_before(
    desk: &Desk,
    once_key: &str,
    decision: &DecisionRequest,
    now: OffsetDateTime,
) -> Result<Option<Issued>, FlowError> {
    let Some(record) = desk.store.order_once(once_key).await? else { return Ok(None) };
    if desk.store.decision(&decision.number).await?.as_ref() != Some(decision) {
        return Err(FlowError::Request(Message::new(
            "issue.number-in-use",
            "该决定书文号已用于另一决定，请核对文号",
            "this decision number is already used for another decision; check the number",
        )));
    }
    if let (OrderState::Sealed, Some(document)) = (record.state, &record.document) {
        let identifier = record.licence.as_ref().map(|l| l.version.identifier.clone());
        return Ok(Some(Issued {
            order: record.id.clone(),
            identifier,
            document: document.clone(),
            title: record.title.clone(),
            again: true,
        }));
    }
    match desk.store.unfinished_order(&record.id).await? {
        Some(unfinished) if give_up_because(desk, &unfinished.record, now).await?.is_none() => {
            finish(desk, unfinished, now).await.map(Some)
        }
        _ => Err(FlowError::Request(Message::new(
            "issue.in-progress",
            "这份文书正在制作，请稍后查询",
            "this document is being made; look it up in a moment",
        ))),
    }
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

/// The licence's version as it will stand, with identifier and address filled into what is printed.
async fn pending(
    desk: &Desk,
    decision: &Decision,
    seal: &FiledSeal,
    request: &IssueRequest,
    now: OffsetDateTime,
) -> Result<LicencePending, FlowError> {
    let wanted = &request.licence;
    let template = desk.renderer.template(&request.template).ok_or_else(|| {
        FlowError::Unknown(Message::new(
            "issue.template",
            format!("没有名为“{}”的模板", request.template),
            format!("there is no template '{}'", request.template),
        ))
    })?;
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
    if let Some(fields) = data.as_object_mut() {
        fields.insert("identifier".into(), identifier.to_string().into());
        let properties = template.schema().get("properties");
        if properties.is_some_and(|p| p.get("verify_url").is_some()) {
            fields.insert("verify_url".into(), format!("{}/licences/{identifier}", desk.public_url).into());
        }
    }
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

/// Step 4.
pub(crate) fn prepare(
    draft: &[u8],
    parts: &SealParts,
    place: Place,
    signer_name: &str,
    reason: &str,
    now: OffsetDateTime,
    certify: Option<Certification>,
) -> Result<Prepared, FlowError> {
    let plan = SealPlan {
        appearance: &parts.appearance,
        place,
        signer_name,
        reason,
        location: "",
        at: now,
        certify,
        reserve: parts.room,
    };
    Ok(pdf_seal::prepare(draft, &plan)?)
}

fn place_on(pdf: &[u8], wanted: &UploadPlace) -> Result<Place, FlowError> {
    match wanted {
        UploadPlace::At { page, x_mm, y_mm } => Ok(Place { page: page.saturating_sub(1), centre_mm: (*x_mm, *y_mm) }),
        UploadPlace::Keyword { text: keyword, nth, dx_mm, dy_mm } => {
            let found = text::occurrences(pdf, keyword)?;
            let nth = usize::try_from(*nth).unwrap_or(usize::MAX);
            let found = nth.checked_sub(1).and_then(|n| found.get(n)).ok_or_else(|| {
                FlowError::Request(Message::new(
                    "issue.keyword",
                    format!("文书中“{keyword}”只出现{}次，找不到第{nth}处；请核对关键字或改用页码和坐标", found.len()),
                    format!("'{keyword}' stands {} time(s) in the document, there is no number {nth}; check the keyword or give page and millimetres", found.len()),
                ))
            })?;
            let (x, y) = found.centre_mm();
            Ok(Place { page: found.page, centre_mm: (x + dx_mm, y + dy_mm) })
        }
    }
}

/// Steps 5 to 9 for any kind of document.
#[expect(clippy::too_many_arguments, reason = "the one place where everything about a document comes together")]
pub(crate) async fn write_down_and_finish(
    desk: &Desk,
    allowed: Allowed,
    kind: OrderKind,
    once_key: &str,
    seal: &FiledSeal,
    parts: &SealParts,
    title: &str,
    licence: Option<&LicencePending>,
    prepared: Prepared,
    now: OffsetDateTime,
) -> Result<Issued, FlowError> {
    debug_assert!(kind != OrderKind::Notice || matches!(allowed.purpose(), Purpose::Notice { .. }));
    let to_be_signed = cms::signed_attributes(&prepared.digest(), &parts.certificate.certificate);
    let sealing = SealUse {
        kind,
        once_key,
        revision: seal.revision,
        certificate: &parts.certificate,
        title,
        licence,
        prepared: prepared.bytes(),
        hole: prepared.hole(),
        digest: prepared.digest(),
        to_be_signed,
    };
    let unfinished = desk.store.write_down(allowed, sealing).await?;
    (desk.done)(Step::Written);
    finish(desk, unfinished, now).await
}

/// Steps 6 to 9: the same whether the order was written a moment ago or before a crash.
async fn finish(desk: &Desk, unfinished: Unfinished, now: OffsetDateTime) -> Result<Issued, FlowError> {
    let Unfinished { record, prepared, hole, to_be_signed, order } = unfinished;
    let number = record.seal.clone().ok_or_else(|| {
        FlowError::Request(Message::new("issue.no-seal", "该记录不是用印记录", "this order is no use of a seal"))
    })?;
    let seal = filed_seal(desk, &number).await?;
    let parts = desk.parts(&seal, record.certificate.as_deref()).await?;
    let done = desk.done.clone();
    let sealed = blocking(move || {
        let signature = parts.signer.sign(order)?;
        done(Step::Signed);
        let cms = cms::assemble(&to_be_signed, signature.value(), signature.algorithm(), &parts.chain)?;
        let sealed = Prepared::from_parts(prepared, hole)?.close(&cms)?;
        check_ourselves(&sealed, &parts, now)?;
        done(Step::Checked);
        Ok::<_, FlowError>(sealed)
    })
    .await?;
    // Somebody else may have ended the same order meanwhile; then what counts is what they stored.
    desk.store.finish(&record, &sealed, "application/pdf", now).await?;
    (desk.done)(Step::Stored);
    let stored = desk.store.order(&record.id).await?.and_then(|r| r.document).ok_or_else(|| {
        FlowError::SelfCheck(Message::new("issue.not-stored", "文书未能入库", "the document was not stored"))
    })?;
    Ok(Issued {
        order: record.id,
        identifier: record.licence.map(|l| l.version.identifier),
        document: stored,
        title: record.title,
        again: false,
    })
}

/// Step 8: the judge reads the finished file as a stranger would, with nothing but the seal's own root to trust. What is
/// released is intact, covered whole, unchanged, and speaks for the seal's certificate.
fn check_ourselves(sealed: &[u8], parts: &SealParts, now: OffsetDateTime) -> Result<(), FlowError> {
    let fault = |zh: &str, en: &str| Err(FlowError::SelfCheck(Message::new("issue.self-check", zh, en)));
    let anchors = parts.chain.last().map(|root| Certificate::read(root)).transpose()?.into_iter().collect();
    let trust = Trust { anchors, ..Trust::default() };
    let evidence = Evidence::open("self-check", sealed.to_vec(), Arc::new(trust), now);
    let report = judge(&evidence);
    let (Some(newest), Opened::Pdf { envelopes, .. }) = (report.signatures.last(), &evidence.opened) else {
        return fault("读不到签章", "no signature is found in it");
    };
    let ours = envelopes.last().and_then(|e| e.certificate.as_ref());
    if ours.is_none_or(|c| c.der() != parts.certificate.certificate) {
        return fault("签名证书不是该印章的证书", "the signer's certificate is not the seal's");
    }
    if newest.coverage != Coverage::Whole || newest.later_changes != LaterChanges::None {
        return fault("签章未覆盖全文", "the signature does not cover the whole document");
    }
    if !newest.intact || matches!(newest.verdict, Verdict::Failed(_)) {
        return fault("摘要、签名值或证书不符", "digest, signature value or certificate do not fit");
    }
    Ok(())
}
