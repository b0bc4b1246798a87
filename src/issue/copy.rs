//! An annotated copy of a licence (加注件): the licence's own face with the annotation over it, sealed like any document. It
//! rests on the licence's decision and takes a leave of its own: the licence in force, the seal in force, a grant for its item.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::draft::Drafted;
use super::facts::{self, Facts};
use super::{
    Files, Issued, filed_seal, fingerprint, grants_of, made_before, no_grant, no_template, prepare, prepare_ofd,
    random_serial, room, write_down_and_finish,
};
use crate::decision::{Allowed, DecisionRequest};
use crate::desk::{Desk, FlowError, blocking};
use crate::item::Item;
use crate::licence::annotation::Annotation;
use crate::licence::{Licence, LicenceIdentifier};
use crate::limits;
use crate::message::Message;
use crate::officer::Officer;
use crate::pdf::seal::Certification;
use crate::seal::{SealKind, SealNumber};
use crate::store::{FiledSeal, LicencePending, OrderKind, SealFilter};

/// What is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopyRequest {
    /// The version that counts.
    pub identifier: LicenceIdentifier,
    /// 使用事由, 200 characters at most.
    pub purpose: String,
    /// 使用者, 100 characters at most.
    pub requester: String,
    /// Exclusive; not after the licence's own end.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// Where nothing is said, the first approval seal of the officer's authority under which there is leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<SealNumber>,
    /// In which formats; where nothing is said in both, if the seal seals both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Files>,
}

/// Makes an annotated copy. The same request again gives the same copy.
///
/// # Errors
/// There is no such licence, a rule refused, or a tool failed; see [`FlowError`].
pub async fn annotate(
    desk: &Desk,
    officer: &Officer,
    request: CopyRequest,
    now: OffsetDateTime,
) -> Result<Issued, FlowError> {
    let of = find(desk, &request.identifier).await?;
    let (seal, allowed, annotation) = leave(desk, officer, &of, &request, now).await?;
    let fingerprint = fingerprint(&request)?;
    let once_key = format!("copy/{}/{fingerprint}", request.identifier);
    if let Some(issued) = made_before(desk, &once_key, &fingerprint, None, now).await? {
        return Ok(issued);
    }
    let drafts = drafted(desk, &seal, &of, &annotation, request.files, now).await?;
    let title = format!("{}（加注件）", of.pending.name);
    let once = (once_key.as_str(), fingerprint.as_str());
    write_down_and_finish(desk, allowed, OrderKind::Copy, once, &seal, &title, None, drafts, now).await
}

/// A licence as the register has it: this version, its whole life, what it was decided on.
struct Found {
    pending: LicencePending,
    life: Licence,
    decision: DecisionRequest,
    item: Item,
}

async fn find(desk: &Desk, identifier: &LicenceIdentifier) -> Result<Found, FlowError> {
    let none = || {
        FlowError::Unknown(Message::new(
            "issue.no-licence",
            "没有这份证照，请核对证照标识",
            "there is no such licence; check the identifier",
        ))
    };
    let versions = desk.store.licence_versions(&identifier.licence()).await?;
    let life = Licence::of(versions.iter().map(|filed| filed.licence.version.clone()).collect());
    let version = versions.into_iter().find(|filed| filed.licence.version.identifier == *identifier);
    let pending = version.ok_or_else(none)?.licence;
    let decision = desk.store.decision(&pending.decision).await?.ok_or_else(none)?;
    let item = desk.store.item(&decision.item).await?;
    let item = item.ok_or_else(|| crate::item::not_on_the_list(decision.item.as_str()))?;
    Ok(Found { pending, life, decision, item })
}

/// The first seal and grant that give leave; otherwise what the last one said.
async fn leave(
    desk: &Desk,
    officer: &Officer,
    of: &Found,
    request: &CopyRequest,
    now: OffsetDateTime,
) -> Result<(FiledSeal, Allowed, Annotation), FlowError> {
    let seals = match &request.seal {
        Some(number) => vec![filed_seal(desk, number).await?],
        None => {
            let own = SealFilter {
                owner: Some(officer.authority.clone()),
                limit: limits::HTTP_ROWS,
                ..SealFilter::default()
            };
            let own = desk.store.seals(&own).await?;
            own.into_iter().filter(|filed| filed.seal.kind == SealKind::Approval).collect()
        }
    };
    let number = random_serial()?;
    let mut refusal = None;
    for seal in seals {
        let annotation = Annotation {
            number: number.clone(),
            identifier: request.identifier.clone(),
            purpose: request.purpose.trim().to_owned(),
            requester: request.requester.trim().to_owned(),
            maker: seal.seal.owner_name.clone(),
            made_at: now,
            expires_at: request.expires_at,
        };
        // What speaks against the licence or the item is said whoever asks.
        annotation.check(&of.life)?;
        refusal.get_or_insert_with(|| no_grant(officer, &seal));
        for grant in grants_of(desk, officer, &seal).await? {
            let asked = (annotation.clone(), &of.decision);
            match Allowed::on_copy(asked, &of.life, &of.item, &seal.seal, officer, &grant) {
                Ok(allowed) => return Ok((seal, allowed, annotation)),
                Err(no) => refusal = Some(no),
            }
        }
    }
    Err(refusal.map_or_else(
        || {
            FlowError::Unknown(Message::new(
                "copy.no-seal",
                "本单位没有可用于加注件的行政审批专用章",
                "your authority has no approval seal that could be put on a copy",
            ))
        },
        FlowError::from,
    ))
}

/// The licence's face as its template draws it today, from what was printed then, with the annotation.
async fn drafted(
    desk: &Desk,
    seal: &FiledSeal,
    of: &Found,
    annotation: &Annotation,
    files: Option<Files>,
    now: OffsetDateTime,
) -> Result<Vec<Drafted>, FlowError> {
    let template = desk.renderer.template(&of.pending.template).ok_or_else(|| no_template(&of.pending.template))?;
    let (version, mut data) = (&of.pending.version, of.pending.data.clone());
    let known: Facts = [
        ("holder.code_type", Some(of.decision.holder.code_type.clone().into())),
        ("licence.valid_from", Some(facts::china_date(version.valid_from))),
    ]
    .into();
    facts::fill_gaps(template.schema(), &mut data, &known);
    let sheet = || (desk.renderer.clone(), of.pending.template.clone(), data.clone(), annotation.clone());
    let ofd = match files {
        Some(Files::Pdf) => None,
        wanted => match desk.ofd_parts_in_force(seal, now).await? {
            None if wanted.is_some() => return Err(FlowError::NoSealFile(seal.seal.number.to_string())),
            with => with,
        },
    };
    let mut drafts = vec![];
    if files != Some(Files::Ofd) {
        let parts = desk.parts_in_force(seal, now).await?;
        let room = room(desk, &parts, seal.level, now).await?;
        let (renderer, template, data, annotation) = sheet();
        let (reason, signer_name) = (annotation.purpose.clone(), seal.seal.owner_name.clone());
        let prepared = blocking(move || {
            let draft = renderer.render_copy((&template, &data), &annotation, &annotation.number, now)?;
            let places = [draft.seal_place.on()];
            prepare(&draft.pdf, &parts, &places, &signer_name, &reason, now, Some(Certification::NoChanges), room)
        });
        drafts.push(prepared.await?);
    }
    if let Some(with) = ofd {
        let (renderer, template, data, annotation) = sheet();
        let prepared = blocking(move || {
            let draft = renderer.render_ofd_copy((&template, &data), &annotation, &annotation.number, now)?;
            prepare_ofd(&draft.ofd, &with, &[draft.seal_place.on()], now, true)
        });
        match prepared.await {
            Ok(prepared) => drafts.push(prepared),
            Err(error) if files.is_none() => tracing::warn!(%error, "a copy is not made as OFD"),
            Err(error) => return Err(error),
        }
    }
    Ok(drafts)
}
