//! ADMINISTER: what two people do with a seal short of abolition, and the end of an officer's post. Both doors come
//! through here, so the rules on who may are asked once, and everything is in the audit trail with both names.

use time::OffsetDateTime;

use crate::abolition::CustodyEntry;
use crate::authority::AuthorityKind;
use crate::ceiling::Ceiling;
use crate::desk::FlowError;
use crate::message::Message;
use crate::officer::{
    Care, Duty, Grant, Officer, OfficerId, check_two_administrators, check_whose_officer, check_whose_seal,
};
use crate::seal::{Level, Seal, SealEvent, SealEventKind, SealNumber};
use crate::store::{Store, StoreError};

/// Files a seal with the life it has led; by the government's two or the owner's.
pub async fn file(
    store: &Store,
    (by, second): (&Officer, &Officer),
    seal: &Seal,
    impression: &serde_json::Value,
    level: Level,
    now: OffsetDateTime,
) -> Result<(), FlowError> {
    check_two_administrators(by, second, now)?;
    for one in [by, second] {
        check_whose_seal(Care::Make, seal, one, kind_of(store, one).await?)?;
    }
    Ok(store.add_seal(seal, impression, level, (&by.id, &second.id), now).await?)
}

/// Activates, suspends or resumes a seal; by its owner's two. A step that counts from before now says in `acknowledged`
/// how many sealed documents it ends.
///
/// # Errors
/// A rule refused, or the store failed; nothing is recorded then. So with everything in this room.
pub async fn step(
    store: &Store,
    (by, second): (&Officer, &Officer),
    number: &SealNumber,
    event: SealEvent,
    acknowledged: u64,
    now: OffsetDateTime,
) -> Result<(), FlowError> {
    check_two_administrators(by, second, now)?;
    if !matches!(event.kind, SealEventKind::Activated | SealEventKind::Suspended | SealEventKind::Resumed) {
        return Err(FlowError::Request(Message::new(
            "administer.takes-an-order",
            "废止和撤销废止须依政府决定办理",
            "abolition and its reversal take an order of government",
        )));
    }
    filled_in("document", &event.document)?;
    filled_in("reason", &event.reason)?;
    whose_seal(store, Care::Use, number, &[by, second]).await?;
    Ok(store.add_seal_event(number, &event, &by.id, &second.id, acknowledged, now).await?)
}

/// Sets what a seal's documents are promised from now on; by its owner's two. What is written down keeps its promise.
pub async fn promise(
    store: &Store,
    (by, second): (&Officer, &Officer),
    number: &SealNumber,
    level: Level,
    now: OffsetDateTime,
) -> Result<(), FlowError> {
    check_two_administrators(by, second, now)?;
    whose_seal(store, Care::Use, number, &[by, second]).await?;
    Ok(store.set_level(number, level, &by.id, &second.id, now).await?)
}

/// Records what happened to an abolished seal: sealed away, opened, destroyed.
pub async fn keep(
    store: &Store,
    (by, second): (&Officer, &Officer),
    number: &SealNumber,
    entry: &CustodyEntry,
    now: OffsetDateTime,
) -> Result<(), FlowError> {
    check_two_administrators(by, second, now)?;
    whose_seal(store, Care::End, number, &[by, second]).await?;
    Ok(store.add_custody(number, entry, &by.id, &second.id, now).await?)
}

/// Files a written authorisation for an officer there is, of a seal there is.
pub async fn give(
    store: &Store,
    (by, second): (&Officer, &Officer),
    grant: &Grant,
    now: OffsetDateTime,
) -> Result<(), FlowError> {
    check_two_administrators(by, second, now)?;
    if grant.until <= grant.from {
        return Err(FlowError::Request(Message::new(
            "administer.grant-period",
            "授权截止时间应晚于起始时间",
            "a grant ends after it begins",
        )));
    }
    filled_in("given_by", &grant.given_by)?;
    filled_in("document", &grant.document)?;
    officer(store, &grant.officer).await?.check_in_post(now)?;
    whose_seal(store, Care::Use, &grant.seal, &[by, second]).await?;
    Ok(store.add_grant(grant, &by.id, &second.id, now).await?)
}

/// Takes a grant back at once; one administrator is enough for that.
pub async fn take_back(store: &Store, by: &Officer, id: &str, now: OffsetDateTime) -> Result<(), FlowError> {
    by.check_on_duty(Duty::SealAdministration, now)?;
    if let Some(grant) = store.grant(id).await? {
        whose_seal(store, Care::Use, &grant.seal, &[by]).await?;
    }
    // Where there is none, the store says so.
    Ok(store.revoke_grant(id, &by.id, now).await?)
}

/// Lays down how often a seal may be used, by all or by the officer of one grant; none gives it back to the settings.
pub async fn raise(
    store: &Store,
    (by, second): (&Officer, &Officer),
    number: &SealNumber,
    grant: Option<&str>,
    ceiling: Option<Ceiling>,
    document: &str,
    now: OffsetDateTime,
) -> Result<(), FlowError> {
    check_two_administrators(by, second, now)?;
    let ceiling = ceiling.map(Ceiling::check).transpose()?;
    filled_in("document", document)?;
    whose_seal(store, Care::Use, number, &[by, second]).await?;
    Ok(store.set_ceiling(number, grant, ceiling, document, (&by.id, &second.id), now).await?)
}

/// Ends an officer's post from an instant on, past or to come: duties, sessions, tokens, and every grant's leave to seal.
pub async fn retire(
    store: &Store,
    by: &Officer,
    id: &OfficerId,
    at: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<(), FlowError> {
    by.check_on_duty(Duty::SealAdministration, now)?;
    let officer = officer(store, id).await?;
    check_whose_officer(&officer, by, kind_of(store, by).await?)?;
    Ok(store.leave_post(id, at, &by.id, now).await?)
}

/// Gives up an order that waits, such as one whose key will never come back: it is shown as lost, and the same may be asked
/// for again.
///
/// # Errors
/// A rule refused; or there is no such order, it does not wait, or it ended meanwhile.
pub async fn give_up(
    store: &Store,
    (by, second): (&Officer, &Officer),
    order: &str,
    reason: &str,
    now: OffsetDateTime,
) -> Result<(), FlowError> {
    check_two_administrators(by, second, now)?;
    filled_in("理由 / reason", reason)?;
    let not_waiting = || {
        FlowError::Request(Message::new(
            "administer.not-waiting",
            "没有此用印指令，或它并不在等待；等待中的指令见 yinxin orders list",
            "there is no such order, or it does not wait; `yinxin orders list` shows those that do",
        ))
    };
    let waiting = store.waiting(order).await?.ok_or_else(not_waiting)?;
    let seal = waiting.seal.ok_or_else(not_waiting)?;
    whose_seal(store, Care::Use, &seal, &[by, second]).await?;
    match store.give_up(order, reason, (&by.id, &second.id), now).await? {
        true => Ok(()),
        false => Err(not_waiting()),
    }
}

/// Asks for each administrator whether this seal is theirs to care for. A seal that is not there is the store's to refuse.
pub(crate) async fn whose_seal(
    store: &Store,
    care: Care,
    number: &SealNumber,
    administrators: &[&Officer],
) -> Result<(), FlowError> {
    let Some(filed) = store.seal(number).await? else { return Ok(()) };
    for one in administrators {
        check_whose_seal(care, &filed.seal, one, kind_of(store, one).await?)?;
    }
    Ok(())
}

async fn officer(store: &Store, id: &OfficerId) -> Result<Officer, FlowError> {
    store.officer(id).await?.ok_or_else(|| {
        FlowError::Unknown(Message::new(
            "administer.no-officer",
            "没有此人员编号，请核对",
            "there is no such officer; check the identifier",
        ))
    })
}

/// What the officer's own authority is. The database holds its references together; where it does not, nothing is done.
async fn kind_of(store: &Store, officer: &Officer) -> Result<AuthorityKind, FlowError> {
    let authority = store.authority(&officer.authority).await?;
    let dangling = || StoreError::Row { table: "officer", column: "authority", why: "refers to nothing".into() };
    Ok(authority.ok_or_else(dangling)?.kind)
}

/// A text that the trail and the register are to show.
fn filled_in(field: &str, text: &str) -> Result<(), FlowError> {
    if text.trim().is_empty() || text.chars().count() > 200 || text.chars().any(char::is_control) {
        return Err(FlowError::Request(Message::new(
            "administer.text",
            format!("{field} 不能为空，200字以内，不含控制字符"),
            format!("{field} has 1 to 200 characters and no control characters"),
        )));
    }
    Ok(())
}
