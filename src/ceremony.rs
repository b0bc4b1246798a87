//! CEREMONY: two officers make, follow, revoke and destroy keys by a script, and a signed transcript says what was done.
//!
//! 1 two different administrators, on duty, each proven · 2 every step asked whether it may be, before the first is begun ·
//! 3 each step is written into the transcript before it is begun and again when it ended, however it ended · 4 after a step
//! that failed none is begun · 5 the transcript is signed by a key made for it alone, as an order written down first.
//!
//! What a step made is not what it says it made: keys, certificates and revocations are looked up before and after it, so
//! that a step that failed half way shows its half.

pub mod script;
pub mod transcript;

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

use crate::administer::whose_seal;
use crate::ca::life::{Rekey, Revoke};
use crate::ca::making::{Form, as_page};
use crate::ca::{self, Authority, Family};
use crate::crypto::sha256;
use crate::desk::{FlowError, blocking};
use crate::impression::Impression;
use crate::keys::KeyError;
use crate::message::Message;
use crate::officer::{Care, Officer, check_two_administrators};
use crate::pki::certificate::{Certificate, to_pem};
use crate::seal::{Seal, SealNumber};
use crate::ses::Picture;
use script::{Look, Script, Step};
use transcript::{CertificateFacts, Hand, KeyFacts, Outcome, Said, StepRecord, StepState, Transcript};

/// Whoever holds the ceremony: the two, and how each was proven to be who they are.
#[derive(Debug, Clone)]
pub struct Present {
    pub officer: Officer,
    /// `password-file` or `password-descriptor`.
    pub proven_by: &'static str,
}

/// Where it is held, as the door knows it.
#[derive(Debug, Clone)]
pub struct Place {
    /// Host name, system user.
    pub machine: String,
    pub machine_user: String,
    /// What the settings say of the keys' home: kind, module, token.
    pub home: BTreeMap<String, String>,
}

/// A ceremony that was held, to the end or not.
#[derive(Debug)]
pub struct Held {
    pub transcript: Transcript,
    /// The transcript's very bytes (JSON), which the signature covers.
    pub bytes: Vec<u8>,
    /// A detached CMS signature, DER; or why there is none.
    pub signature: Result<Vec<u8>, Message>,
}

/// What steps are carried out with.
pub struct Means<'a> {
    pub authority: &'a Authority,
    /// Draws a seal's picture from its description in the register.
    pub draw: &'a (dyn Fn(&serde_json::Value) -> Result<Impression, FlowError> + Sync),
    /// Asked at each step.
    pub clock: &'a (dyn Fn() -> OffsetDateTime + Sync),
}

/// Keeps the transcript as it grows, where a power cut does not reach it.
pub type Keep<'a> = &'a mut (dyn FnMut(&[u8]) -> Result<(), Message> + Send);

/// What would be done, each step with the first thing that stands in its way. Nothing is changed, nobody need be proven.
///
/// # Errors
/// The two may not hold a ceremony at all, or the store failed.
pub async fn rehearse(
    authority: &Authority,
    script: &Script,
    officers: &[Officer; 2],
    now: OffsetDateTime,
) -> Result<Vec<(Step, Option<Message>)>, FlowError> {
    let [by, second] = officers;
    check_two_administrators(by, second, now)?;
    let mut steps = vec![];
    let mut founded = ca::founded(&authority.store).await?;
    for step in &script.steps {
        let fault = match check(authority, step, officers, &founded, now).await {
            Ok(()) => None,
            Err(error) => Some(error.message()),
        };
        if let Step::InitAuthorities { algorithm, .. } = step {
            founded.push(algorithm.key().into());
        }
        steps.push((step.clone(), fault));
    }
    Ok(steps)
}

/// Holds the ceremony. `text` is the script as written.
///
/// # Errors
/// Nothing was begun: the two may not, a step may not be, or the transcript cannot be kept. What goes wrong later is in
/// [`Held::transcript`].
pub async fn hold(
    means: &Means<'_>,
    (script, text): (&Script, &str),
    present: [Present; 2],
    place: Place,
    keep: Keep<'_>,
) -> Result<Held, FlowError> {
    let Means { authority, clock, .. } = *means;
    let began = clock();
    let hands = present.map(|one| (one.officer, one.proven_by));
    let officers = [hands[0].0.clone(), hands[1].0.clone()];
    for (_, fault) in rehearse(authority, script, &officers, began).await? {
        if let Some(fault) = fault {
            return Err(FlowError::Request(fault));
        }
    }
    let mut transcript = Transcript {
        format: transcript::FORMAT.into(),
        title: script.title.clone(),
        document: script.document.clone(),
        place: script.place.clone(),
        script: text.to_owned(),
        script_sha256: hex::encode(sha256(text.as_bytes())),
        program: format!("yinxin {}", env!("CARGO_PKG_VERSION")),
        machine: place.machine,
        machine_user: place.machine_user,
        home: place.home,
        officers: hands.iter().map(|(officer, proven_by)| Hand::of(officer, proven_by)).collect(),
        began,
        ended: None,
        outcome: Outcome::UnderWay,
        steps: script.steps.iter().enumerate().map(|(n, step)| StepRecord::planned(n + 1, step)).collect(),
    };
    keep(&transcript.bytes()).map_err(FlowError::Request)?;
    trail(authority, &officers, "ceremony.begun", &transcript, began).await?;
    for n in 0..transcript.steps.len() {
        if !run(means, &mut transcript, n, &script.steps, &officers, keep).await {
            break;
        }
    }
    let ended = clock();
    let done = transcript.steps.iter().all(|step| step.state == StepState::Done);
    transcript.outcome = if done { Outcome::Completed } else { Outcome::Stopped };
    transcript.ended = Some(ended);
    let bytes = transcript.bytes();
    let kept = keep(&bytes);
    let signature = match kept {
        Ok(()) => authority.sign_record(&script.title, &bytes, officers[0].id.as_str(), ended).await,
        Err(why) => Err(FlowError::Request(why)),
    };
    trail(authority, &officers, "ceremony.ended", &transcript, ended).await?;
    Ok(Held { transcript, bytes, signature: signature.map_err(|error| error.message()) })
}

/// One step, with what came before and after it. `false` where the next one must not be begun.
async fn run(
    means: &Means<'_>,
    transcript: &mut Transcript,
    n: usize,
    steps: &[Step],
    officers: &[Officer; 2],
    keep: Keep<'_>,
) -> bool {
    let Means { authority, clock, .. } = *means;
    let (Some(step), Some(record)) = (steps.get(n), transcript.steps.get_mut(n)) else { return false };
    let began = clock();
    record.began = Some(began);
    record.state = StepState::Begun;
    let kept = keep(&transcript.bytes());
    let seen = async {
        kept.map_err(FlowError::Request)?;
        trail(authority, officers, "ceremony.step-begun", transcript, began).await?;
        let before = Facts::of(authority, step.seal()).await?;
        let outcome = carry_out(means, step, &transcript.document, officers).await;
        let after = Facts::of(authority, step.seal()).await;
        Ok::<_, FlowError>((before, after, outcome))
    }
    .await;
    let Some(record) = transcript.steps.get_mut(n) else { return false };
    let outcome = match seen {
        Ok((before, Ok(after), outcome)) => {
            after.since(&before, record);
            outcome
        }
        // What it made cannot be told now; that is said rather than left out.
        Ok((_, Err(error), outcome)) => outcome.and(Err(error)),
        Err(error) => Err(error),
    };
    record.ended = Some(clock());
    match outcome {
        Ok(Yield { said, request }) => (record.state, record.said, record.request) = (StepState::Done, said, request),
        Err(error) => (record.state, record.said) = (StepState::Failed, Some(Said::of(error.message()))),
    }
    let done = record.state == StepState::Done;
    keep(&transcript.bytes()).is_ok() && done
}

/// Whether a step may be at all, as far as that can be known before the ones ahead of it.
async fn check(
    authority: &Authority,
    step: &Step,
    [by, second]: &[Officer; 2],
    founded: &[Family],
    now: OffsetDateTime,
) -> Result<(), FlowError> {
    match (step.seal(), step) {
        (None, Step::DestroyIssuing { authority: label }) => authority.ended_issuing(label, now).await.map(drop),
        (None, Step::InitAuthorities { algorithm, .. }) => {
            let family = algorithm.key().into();
            if founded.contains(&family) { Err(ca::exists(family)) } else { Ok(()) }
        }
        (None, Step::RekeyIssuing { algorithm }) if !founded.is_empty() => {
            ca::line_to_follow(founded, algorithm.map(script::Algorithm::key)).map(drop)
        }
        (None, _) => Err(no_authorities()),
        (Some(seal), step) => {
            filed(authority, seal).await?;
            let care = match step {
                Step::Revoke { .. } | Step::Destroy { .. } => Care::End,
                _ => Care::Make,
            };
            whose_seal(&authority.store, care, seal, &[by, second]).await?;
            if !founded.is_empty() || matches!(step, Step::Destroy { .. } | Step::Request { .. }) {
                return Ok(());
            }
            Err(no_authorities())
        }
    }
}

fn no_authorities() -> FlowError {
    FlowError::Request(Message::new(
        "ca.missing",
        "证书机构尚未建立，请先建立（init-authorities）",
        "there is no certificate authority yet; begin with init-authorities",
    ))
}

async fn carry_out(
    means: &Means<'_>,
    step: &Step,
    document: &str,
    [by, second]: &[Officer; 2],
) -> Result<Yield, FlowError> {
    let (authority, now) = (means.authority, (means.clock)());
    let two = (&by.id, &second.id);
    match step {
        Step::InitAuthorities { organisation, algorithm } => {
            authority.init(organisation, algorithm.key(), by.id.as_str(), now).await?;
        }
        Step::RekeyIssuing { algorithm } => {
            authority.rekey_issuing(algorithm.map(script::Algorithm::key), by.id.as_str(), now).await?;
        }
        Step::DestroyIssuing { authority: label } => {
            authority.destroy_issuing(label, document, by.id.as_str(), now).await?;
        }
        Step::MakeSealKey { seal, algorithm } => {
            authority.certify_seal(&filed(authority, seal).await?, algorithm.key(), &by.id, now).await?;
        }
        Step::Request { seal, algorithm } => {
            let of = filed(authority, seal).await?;
            let (label, request) = authority.request(&of, algorithm.key(), &by.id, now).await?;
            return Ok(Yield {
                request: Some(to_pem("CERTIFICATE REQUEST", &request)),
                said: Some(Said {
                    id: "ceremony.request".into(),
                    zh: format!("安装证书时请写 --key {label}"),
                    en: format!("install the certificate with --key {label}"),
                }),
            });
        }
        Step::MakeSes { seal, picture, digests, v5 } => {
            let filed = authority.store.seal(seal).await?.ok_or_else(|| crate::seal::unknown(seal))?;
            let impression = (means.draw)(&filed.impression)?;
            let picture = match picture {
                Look::Png => Picture::in_dots(&impression),
                Look::Ofd => as_page(&filed.seal, &impression, now),
            };
            authority.make_seal(&filed.seal, Form { picture, digests: *digests, stamped: *v5 }, two, now).await?;
        }
        Step::Rekey { seal, serial, algorithm, from, keep_old_key } => {
            let order = Rekey {
                serial: serial.clone(),
                algorithm: algorithm.map(script::Algorithm::key),
                used_from: from.unwrap_or(now),
                document: document.to_owned(),
                keeps_old_key: *keep_old_key,
            };
            authority.rekey(&filed(authority, seal).await?, &order, two, now).await?;
        }
        Step::Revoke { seal, serial, reason, since, acknowledged } => {
            let order = Revoke {
                serial: serial.clone(),
                reason: *reason,
                since: *since,
                document: document.to_owned(),
                acknowledged: *acknowledged,
            };
            authority.revoke(seal, &order, two, now).await?;
        }
        Step::Destroy { seal, key } => {
            if !authority.end_key(seal, key, document, two, now).await? {
                let said = Said {
                    id: "ceremony.key-waits".into(),
                    zh: "尚有已登记的用印等待该密钥，办结后自动销毁".into(),
                    en: "orders that were written down wait for this key; it is destroyed once they are finished"
                        .into(),
                };
                return Ok(Yield { said: Some(said), request: None });
            }
        }
    }
    Ok(Yield::default())
}

/// What comes of a step beside keys and certificates.
#[derive(Default)]
struct Yield {
    said: Option<Said>,
    /// PEM.
    request: Option<String>,
}

async fn filed(authority: &Authority, number: &SealNumber) -> Result<Seal, FlowError> {
    let found = authority.store.seal(number).await?;
    Ok(found.ok_or_else(|| crate::seal::unknown(number))?.seal)
}

/// Both are named with every act.
async fn trail(
    authority: &Authority,
    [by, second]: &[Officer; 2],
    what: &str,
    transcript: &Transcript,
    now: OffsetDateTime,
) -> Result<(), FlowError> {
    let steps: Vec<_> = transcript.steps.iter().map(|step| step.state).collect();
    let detail = serde_json::json!({
        "second": second.id, "document": transcript.document, "script_sha256": transcript.script_sha256, "steps": steps,
    });
    Ok(authority.store.audit(now, by.id.as_str(), what, &transcript.title, &detail).await?)
}

/// Everything that a step can make or end.
struct Facts {
    keys: BTreeMap<String, KeyFacts>,
    certificates: BTreeMap<String, CertificateFacts>,
    revoked: BTreeSet<String>,
}

impl Facts {
    async fn of(authority: &Authority, seal: Option<&SealNumber>) -> Result<Self, FlowError> {
        let keyring = authority.keyring.clone();
        let keys = blocking(move || {
            let look = |label: String| {
                // A key that does not answer is named all the same.
                let (public_key_sha256, algorithm) = match keyring.signer(&label) {
                    Ok(key) => (Some(hex::encode(sha256(key.public_key()))), Some(key.algorithm().name().to_owned())),
                    Err(_) => (None, None),
                };
                (label.clone(), KeyFacts { label, public_key_sha256, algorithm })
            };
            Ok::<_, KeyError>(keyring.labels()?.into_iter().map(look).collect())
        })
        .await?;
        let mut certificates = BTreeMap::new();
        let mut revoked = BTreeSet::new();
        for ca in authority.store.ca_certificates().await? {
            revoked.extend(authority.store.revocations(&ca.label).await?.into_iter().map(|one| one.serial));
            let facts = CertificateFacts::of(&Certificate::read(&ca.certificate)?, &ca.label);
            certificates.insert(facts.sha256.clone(), facts);
        }
        if let Some(seal) = seal {
            for filed in authority.store.certificates(seal).await? {
                let facts = CertificateFacts::of(&Certificate::read(&filed.certificate)?, &filed.key_label);
                certificates.insert(facts.sha256.clone(), facts);
            }
        }
        Ok(Self { keys, certificates, revoked })
    }

    /// What is here and was not then, and the reverse.
    fn since(self, before: &Self, record: &mut StepRecord) {
        record.keys_destroyed = before
            .keys
            .iter()
            .filter(|(label, _)| !self.keys.contains_key(*label))
            .map(|(_, key)| key.clone())
            .collect();
        record.keys_made =
            self.keys.into_iter().filter(|(l, _)| !before.keys.contains_key(l)).map(|(_, k)| k).collect();
        record.certificates_made = self
            .certificates
            .into_iter()
            .filter(|(d, _)| !before.certificates.contains_key(d))
            .map(|(_, c)| c)
            .collect();
        record.revoked = self.revoked.difference(&before.revoked).cloned().collect();
    }
}
