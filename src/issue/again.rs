//! What was asked or begun before: repeated requests, and orders that wait or that a crash left behind.

use serde::Serialize;
use time::OffsetDateTime;

use super::{Issued, filed_seal, finish, second_of};
use crate::decision::DecisionRequest;
use crate::desk::{Desk, FlowError};
use crate::message::Message;
use crate::officer::OfficerId;
use crate::seal::SealStatus;
use crate::store::{OrderRecord, OrderState, Stage, Store, StoreError, Unfinished};

/// SHA-256, hexadecimal, of a whole request. Two requests are the same when they say the same, in whatever order.
pub(crate) fn fingerprint(request: &impl Serialize) -> Result<String, FlowError> {
    let unwritten =
        |e: serde_json::Error| FlowError::Request(Message::new("issue.request", e.to_string(), e.to_string()));
    let mut value = serde_json::to_value(request).map_err(unwritten)?;
    value.sort_all_objects();
    Ok(hex::encode(crate::crypto::sha256(value.to_string().as_bytes())))
}

/// The document that this very request made before, or that a crash kept from being finished. Another request under the
/// same key is refused: nobody gets a document for something else than was asked.
pub(crate) async fn made_before(
    desk: &Desk,
    once_key: &str,
    request: &str,
    decision: Option<&DecisionRequest>,
    now: OffsetDateTime,
) -> Result<Option<Issued>, FlowError> {
    let also = desk.store.order_once(&second_of(once_key)).await?;
    // Where the first was lost, the second alone is what came of the request.
    let (record, also) = match (desk.store.order_once(once_key).await?, also) {
        (Some(record), also) => (record, also),
        (None, Some(also)) => (also, None),
        (None, None) => return Ok(None),
    };
    if let Some(decision) = decision
        && desk.store.decision(&decision.number).await?.as_ref() != Some(decision)
    {
        return Err(FlowError::Request(Message::new(
            "issue.number-in-use",
            "该决定书文号已用于另一决定，请核对文号",
            "this decision number is already used for another decision; check the number",
        )));
    }
    if record.request.as_deref() != Some(request) {
        return Err(FlowError::Request(Message::new(
            "issue.another-request",
            "该文号的这份文书已按另一内容申请过；如需更正，请以新的决定办理",
            "a document of this number and template was already asked for with other contents; a correction takes a decision of its own",
        )));
    }
    if let (OrderState::Sealed, Some(document)) = (record.state, &record.document) {
        let identifier = record.identifier().cloned();
        return Ok(Some(Issued {
            order: record.id.clone(),
            identifier,
            document: newest(&desk.store, document.clone()).await?,
            ofd: second(desk, also, now).await?,
            title: record.title.clone(),
            again: true,
        }));
    }
    // Asking again makes no key work more often than the spells between the tries allow.
    if let Some(waiting) = desk.store.waiting(&record.id).await?.filter(|waiting| now < waiting.next_try) {
        return Err(FlowError::Waiting(Box::new(waiting)));
    }
    match desk.store.unfinished_order(&record.id).await? {
        Some(unfinished) if give_up_because(desk, &unfinished, now).await?.is_none() => {
            let issued = finish(desk, unfinished, now).await?;
            Ok(Some(Issued { ofd: second(desk, also, now).await?, ..issued }))
        }
        _ => Err(FlowError::Request(Message::new(
            "issue.in-progress",
            "这份文书正在制作，请稍后查询",
            "this document is being made; look it up in a moment",
        ))),
    }
}

/// The same document in its other format: made, or finished now where nothing stands in the way.
async fn second(desk: &Desk, also: Option<OrderRecord>, now: OffsetDateTime) -> Result<Option<String>, FlowError> {
    let Some(also) = also else { return Ok(None) };
    if also.state == OrderState::Sealed {
        return Ok(also.document);
    }
    let waits = desk.store.waiting(&also.id).await?.is_some_and(|waiting| now < waiting.next_try);
    match desk.store.unfinished_order(&also.id).await?.filter(|_| !waits) {
        Some(unfinished) if give_up_because(desk, &unfinished, now).await?.is_none() => {
            let made = finish(desk, unfinished, now).await;
            Ok(made.inspect_err(|error| tracing::warn!(%error, "not finished as OFD")).ok().map(|made| made.document))
        }
        _ => Ok(None),
    }
}

/// The document's newest form, where it was renewed since it was issued.
pub(crate) async fn newest(store: &Store, document: String) -> Result<String, StoreError> {
    Ok(store.newest_form(&document).await?.map_or(document, |form| form.document))
}

/// What resume did with one order.
#[derive(Debug)]
pub struct Resumed {
    pub order: String,
    /// The document, or why it was given up.
    pub outcome: Result<Issued, Message>,
}

/// Takes up every order that is written down and not finished, by a crash or because it waits: finishes it by the same
/// function, or shows it as lost.
///
/// # Errors
/// The store failed. What cannot be had yet leaves its order waiting, for the next time.
pub async fn resume(desk: &Desk, now: OffsetDateTime) -> Result<Vec<Resumed>, FlowError> {
    let mut resumed = vec![];
    for unfinished in desk.store.unfinished().await? {
        // An act of the certificate authorities may be under way in another process at this moment.
        if unfinished.record.seal.is_none() && now - unfinished.record.written_at < ACT_UNDER_WAY {
            continue;
        }
        resumed.push(take_up(desk, unfinished, now).await?);
    }
    Ok(resumed)
}

/// Takes up the oldest order that is due to be tried again; none where nothing is due. One at a time: where it fails for
/// want of a time stamp, so would the others.
///
/// # Errors
/// As [`resume`].
pub async fn retry(desk: &Desk, now: OffsetDateTime) -> Result<Option<Resumed>, FlowError> {
    match desk.store.due(now).await? {
        Some(unfinished) => Ok(Some(take_up(desk, unfinished, now).await?)),
        None => Ok(None),
    }
}

async fn take_up(desk: &Desk, unfinished: Unfinished, now: OffsetDateTime) -> Result<Resumed, FlowError> {
    let order = unfinished.record.id.clone();
    let outcome = match give_up_because(desk, &unfinished, now).await? {
        Some(why) => {
            desk.store.lose(&order, &why.en, now).await?;
            Err(why)
        }
        None => finish(desk, unfinished, now).await.map_err(|e| e.message()),
    };
    Ok(Resumed { order, outcome })
}

/// After this time an act of the certificate authorities is no longer under way: it is one signature.
const ACT_UNDER_WAY: time::Duration = time::Duration::minutes(10);

/// Why an order that was left behind must not be finished now.
async fn give_up_because(
    desk: &Desk,
    Unfinished { record, stage, .. }: &Unfinished,
    now: OffsetDateTime,
) -> Result<Option<Message>, FlowError> {
    let Some(number) = &record.seal else {
        return Ok(Some(Message::new(
            "issue.act-interrupted",
            "证书操作中断，请重新执行",
            "the certificate operation was interrupted; run it again",
        )));
    };
    if matches!(stage, Stage::Unlogged) {
        return Ok(Some(Message::new(
            "issue.before-log",
            "该记录早于公开日志的启用，未用印，请重新申请",
            "the order is older than the public log; the seal was not used; ask again",
        )));
    }
    if record.annotation.as_ref().is_some_and(|copy| now >= copy.expires_at) {
        return Ok(Some(Message::new(
            "issue.copy-expired",
            "等待期间加注件的有效期已届满，未再用印；如仍需要请重新申请",
            "the copy's own end passed while its order waited; the seal was not used, ask again if it is still needed",
        )));
    }
    let seal = filed_seal(desk, number).await?;
    let officer = OfficerId::parse(&record.officer).ok();
    let officer = match &officer {
        Some(id) => desk.store.officer(id).await?,
        None => None,
    };
    if officer.is_none_or(|officer| officer.check_in_post(now).is_err()) {
        return Ok(Some(Message::new(
            "issue.officer-left",
            "中断期间用印人已离岗，未再用印",
            "the officer left the post while the order was interrupted; the seal was not used",
        )));
    }
    // The head of the unit may take a grant back at once (rule 5), a crash or not.
    let grants = desk.store.grants(number).await?;
    let grant = grants.iter().find(|g| Some(&g.id) == record.grant.as_ref());
    if grant.is_none_or(|g| g.revoked_at.is_some_and(|at| at <= now)) {
        return Ok(Some(Message::new(
            "issue.grant-ended",
            "中断期间授权已被收回，未再用印",
            "the grant was taken back while the order was interrupted; the seal was not used",
        )));
    }
    // A seal is used under a grant that names a period (rule 5). Leave was given within it, but the key has not been used yet,
    // and the ledger would show a use on a day for which nobody answers.
    if grant.is_some_and(|g| g.until <= now) {
        return Ok(Some(Message::new(
            "issue.grant-expired",
            "等待期间授权期限已届满，未再用印；请在新的授权下重新办理",
            "the grant's period ended while the order waited; the seal was not used, ask again under a new grant",
        )));
    }
    // Leave was given while the seal was in force; what is sealed after its end would not be good.
    if seal.seal.life.status_at(now) != SealStatus::InForce {
        return Ok(Some(Message::new(
            "issue.seal-ended",
            "中断期间印章已停用或废止，未再用印",
            "the seal left force while the order was interrupted; it was not used",
        )));
    }
    if let Some(digest) = &record.certificate
        && let Some(certificate) = desk.store.certificate(digest).await?
        && desk.store.is_revoked(&certificate.serial).await?
    {
        return Ok(Some(Message::new(
            "issue.certificate-revoked",
            "中断期间印章证书已被吊销，未再用印",
            "the certificate was revoked while the order was interrupted; the seal was not used",
        )));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::fingerprint;
    use serde_json::json;

    #[test]
    fn the_same_request_is_the_same_in_any_order() {
        let of = |value: serde_json::Value| fingerprint(&value).unwrap();
        let one: serde_json::Value = serde_json::from_str(r#"{"a":1,"b":{"c":2,"d":[3,4]}}"#).unwrap();
        let two: serde_json::Value = serde_json::from_str(r#"{"b":{"d":[3,4],"c":2},"a":1}"#).unwrap();
        assert_eq!(of(one.clone()), of(two));
        for other in [json!({}), json!({"a":1,"b":{"c":2,"d":[4,3]}}), json!({"a":"1","b":{"c":2,"d":[3,4]}})] {
            assert_ne!(of(one.clone()), of(other));
        }
    }
}
