//! The transcript of a ceremony: written as it goes, signed at the end, checked by anyone who has the root, and printed for
//! the officers to sign by hand.

use std::collections::BTreeMap;

use askama::Template;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::script::Step;
use crate::cms;
use crate::message::{Message, china_time};
use crate::officer::Officer;
use crate::pki::certificate::Certificate;
use crate::pki::evidence::RevocationEvidence;
use crate::pki::known::Known;
use crate::pki::path::{PathVerdict, judge_path};

/// Names this form of transcript.
pub const FORMAT: &str = "yinxin-ceremony-1";
/// Begins the common name of the certificates that sign transcripts and nothing else.
pub const SIGNER: &str = "yinxin ceremony";

/// What was asked, and what was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transcript {
    pub format: String,
    pub title: String,
    /// The document that ordered it.
    pub document: String,
    pub place: String,
    /// The script, word for word, and its SHA-256 (hexadecimal). It holds paths of passwords and no password.
    pub script: String,
    pub script_sha256: String,
    /// This program and its version.
    pub program: String,
    pub machine: String,
    pub machine_user: String,
    /// Where the keys live, as the settings say: kind, module, token.
    pub home: BTreeMap<String, String>,
    pub officers: Vec<Hand>,
    #[serde(with = "time::serde::rfc3339")]
    pub began: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended: Option<OffsetDateTime>,
    pub outcome: Outcome,
    pub steps: Vec<StepRecord>,
}

/// One of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hand {
    pub id: String,
    pub name: String,
    /// Code of the officer's authority.
    pub authority: String,
    /// `password-file` or `password-descriptor`.
    pub proven_by: String,
}

/// How the whole ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    UnderWay,
    Completed,
    /// A step failed, and none was begun after it.
    Stopped,
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    NotBegun,
    Begun,
    Done,
    Failed,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    pub number: usize,
    pub asked: Step,
    pub state: StepState,
    #[serde(with = "time::serde::rfc3339::option")]
    pub began: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended: Option<OffsetDateTime>,
    /// Why it failed, or what is still to come of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub said: Option<Said>,
    /// A certificate request that was made (PKCS#10, PEM).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request: Option<String>,
    pub keys_made: Vec<KeyFacts>,
    pub keys_destroyed: Vec<KeyFacts>,
    pub certificates_made: Vec<CertificateFacts>,
    /// Serial numbers, hexadecimal.
    pub revoked: Vec<String>,
}

/// A sentence in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    pub id: String,
    pub zh: String,
    pub en: String,
}

/// A key in its home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFacts {
    pub label: String,
    /// SHA-256 of the DER SubjectPublicKeyInfo, hexadecimal; none where the key did not answer.
    pub public_key_sha256: Option<String>,
    pub algorithm: Option<String>,
}

/// A certificate on file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateFacts {
    pub key: String,
    pub serial: String,
    /// Of the DER, hexadecimal.
    pub sha256: String,
    pub public_key_sha256: String,
    pub subject: String,
    #[serde(with = "time::serde::rfc3339")]
    pub not_before: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub not_after: OffsetDateTime,
}

impl Hand {
    pub(super) fn of(officer: &Officer, proven_by: &str) -> Self {
        Self {
            id: officer.id.to_string(),
            name: officer.name.clone(),
            authority: officer.authority.to_string(),
            proven_by: proven_by.to_owned(),
        }
    }
}

impl StepRecord {
    pub(super) fn planned(number: usize, step: &Step) -> Self {
        Self {
            number,
            asked: step.clone(),
            state: StepState::NotBegun,
            began: None,
            ended: None,
            said: None,
            request: None,
            keys_made: vec![],
            keys_destroyed: vec![],
            certificates_made: vec![],
            revoked: vec![],
        }
    }

    fn state_words(&self) -> (&'static str, &'static str) {
        match self.state {
            StepState::NotBegun => ("未开始", "not begun"),
            StepState::Begun => ("已开始，未结束", "begun and not ended"),
            StepState::Done => ("完成", "done"),
            StepState::Failed => ("失败", "failed"),
        }
    }
}

impl Said {
    pub(super) fn of(message: Message) -> Self {
        Self { id: message.id.to_owned(), zh: message.zh, en: message.en }
    }
}

impl CertificateFacts {
    pub(super) fn of(certificate: &Certificate, key: &str) -> Self {
        Self {
            key: key.to_owned(),
            serial: hex::encode(&certificate.serial),
            sha256: hex::encode(certificate.fingerprint()),
            public_key_sha256: hex::encode(crate::crypto::sha256(&certificate.public_key)),
            subject: [certificate.subject.organization(), certificate.subject.common_name()]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" / "),
            not_before: certificate.not_before,
            not_after: certificate.not_after,
        }
    }
}

impl Transcript {
    /// The bytes that are kept and signed.
    pub fn bytes(&self) -> Vec<u8> {
        // Plain data of our own: writing it cannot fail.
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// A page to be printed, with room for both signatures by hand.
    ///
    /// # Errors
    /// None in practice; what the template's engine says.
    pub fn page(&self) -> Result<String, askama::Error> {
        let sha256 = hex::encode(crate::crypto::sha256(&self.bytes()));
        Page { transcript: self, sha256 }.render()
    }

    fn outcome_words(&self) -> (&'static str, &'static str) {
        match self.outcome {
            Outcome::UnderWay => ("进行中，或被中断", "under way, or interrupted"),
            Outcome::Completed => ("全部完成", "completed"),
            Outcome::Stopped => ("因一步失败而停止", "stopped at a step that failed"),
        }
    }
}

#[derive(Template)]
#[template(path = "transcript.html")]
struct Page<'a> {
    transcript: &'a Transcript,
    sha256: String,
}

impl Page<'_> {
    fn at(&self, at: &OffsetDateTime) -> String {
        china_time(*at)
    }

    /// Nothing, where it has not come.
    fn time(&self, at: &Option<OffsetDateTime>) -> String {
        at.map(china_time).unwrap_or_default()
    }
}

/// A transcript that holds.
#[derive(Debug)]
pub struct Checked {
    pub transcript: Transcript,
    /// The certificate that signed it, and its issuers up to the root.
    pub chain: Vec<Certificate>,
}

/// Checks a transcript against its detached signature, offline, with the root alone: the bytes are those that were signed,
/// by a certificate that is there to sign transcripts, made by the issuing authority under this root, in force when the
/// ceremony ended.
///
/// That the certificate was not revoked is not asked: it lives for a day, its key was destroyed when it had signed, and
/// nothing is proven by it but what stands in the transcript.
///
/// # Errors
/// The first thing that does not hold, as a sentence.
pub fn check(bytes: &[u8], signature: &[u8], anchors: &[Certificate]) -> Result<Checked, Message> {
    let not = |zh: String, en: String| Message::new("ceremony.not-genuine", zh, en);
    let transcript: Transcript = serde_json::from_slice(bytes)
        .map_err(|e| not(format!("不是密钥仪式记录：{e}"), format!("this is no transcript of a ceremony: {e}")))?;
    if transcript.format != FORMAT {
        return Err(not("记录格式未知".into(), "the transcript is of a form that this program does not know".into()));
    }
    let signed = cms::read(signature).map_err(|e| e.message())?;
    let [signer] = signed.signers.as_slice() else {
        return Err(not("应只有一个签名".into(), "one signature is expected".into()));
    };
    let checks = signed.check(signer, &[bytes]);
    for outcome in
        [&checks.digest, &checks.content_type, &checks.signature, &checks.algorithms, &checks.signing_certificate]
    {
        outcome.as_ref().map_err(|fault| fault.message())?;
    }
    let certificate = checks
        .certificate
        .ok_or_else(|| not("签名未附证书".into(), "the signature has no certificate with it".into()))?;
    let named = certificate.subject.common_name().unwrap_or_default();
    if !named.starts_with(SIGNER) || !certificate.may_sign_documents() {
        return Err(not(
            format!("签名证书不是密钥仪式专用的（{named}）"),
            format!("the certificate is not one that signs transcripts ({named})"),
        ));
    }
    let ended = transcript
        .ended
        .ok_or_else(|| not("记录没有结束时间".into(), "the transcript does not say when the ceremony ended".into()))?;
    let inside: Vec<Certificate> = signed.certificates.iter().filter_map(|der| Certificate::read(der).ok()).collect();
    let candidates: Vec<&Certificate> = inside.iter().collect();
    let (evidence, known) = (RevocationEvidence::default(), Known::default());
    match judge_path(&certificate, &candidates, anchors, &evidence, &known, ended) {
        PathVerdict::Trusted { chain, .. } | PathVerdict::RevocationUnknown { chain, .. } => {
            Ok(Checked { transcript, chain })
        }
        other => Err(other.message()),
    }
}
