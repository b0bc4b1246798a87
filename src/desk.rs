//! The desk: the tools laid out for the flows, each seal's parts made once, and what can go wrong at it.

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use time::OffsetDateTime;

use crate::ca::Publication;
use crate::ca::life::in_use;
use crate::ca::making::is_sm2;
use crate::ceiling::Ceilings;
use crate::cms::{self, CmsError};
use crate::fetch::Fetcher;
use crate::impression::{Centre, Impression, ImpressionError, Legend};
use crate::keys::{KeyError, Keyring, Signer};
use crate::log::Logging;
use crate::message::{Message, china_time};
use crate::ofd::seal::SealFault;
use crate::pdf::PdfError;
use crate::pdf::appearance::Appearance;
use crate::pki::certificate::{Certificate, CertificateFault};
use crate::pki::issue::IssueFault;
use crate::refusal::Refusal;
use crate::render::{PictureError, RenderError, Renderer, read_png, read_svg};
use crate::ses::{self, NotASeal};
use crate::stamping::Stamping;
use crate::status::Remembered;
use crate::store::{FiledSeal, SealCertificate, Store, StoreError, Waiting};

/// A step of ISSUE that has just been done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// 5. The order is durable, and in the log.
    Written,
    /// 5. Its receipt is durable, with what is to be signed.
    Receipted,
    /// 6. The key has signed.
    Signed,
    /// 7. A time stamp over the signature's value is there.
    Stamped,
    /// 7. What shows that nobody was revoked stands in the document.
    Evidenced,
    /// 7. A document time stamp covers all that.
    Archived,
    /// 8. The document is closed and has passed our own check.
    Checked,
    /// 9. It is stored.
    Stored,
}

/// Everything a flow works with. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    pub store: Store,
    pub keyring: Arc<Keyring>,
    pub renderer: Arc<Renderer>,
    /// How the public reaches the public listener, without a slash at the end.
    pub public_url: String,
    /// Called after each step: the log listens here, and tests stop the process here.
    pub done: Arc<dyn Fn(Step) + Send + Sync>,
    /// The clock. Flows take the moment of the request as `now`; this is asked again after the key has signed.
    pub clock: Arc<dyn Fn() -> OffsetDateTime + Send + Sync>,
    /// How often seals may be used, where nothing was laid down for one.
    pub ceilings: Ceilings,
    /// Where time stamps come from.
    pub stamping: Stamping,
    /// The public log's key and witnesses.
    pub logging: Logging,
    /// How our authorities publish what they know of their certificates.
    pub publication: Publication,
    /// The way to outside authorities' lists and answers; none is listed at first.
    pub(crate) fetcher: Arc<Fetcher>,
    pub(crate) remembered: Arc<Remembered>,
    parts: Arc<Mutex<HashMap<String, Arc<SealParts>>>>,
    /// Bytes of the largest time stamp token seen since the start; 0 before the first.
    pub(crate) largest_stamp: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("public_url", &self.public_url).finish_non_exhaustive()
    }
}

/// What sealing with one certificate needs and no document changes.
#[derive(Debug)]
pub struct SealParts {
    pub certificate: SealCertificate,
    /// The seal's certificate and its issuers, DER, as the CMS carries them.
    pub chain: Vec<Vec<u8>>,
    pub signer: Arc<dyn Signer>,
    pub appearance: Appearance,
    /// Bytes that the CMS will need at most without a time stamp in it.
    pub room: usize,
}

/// What sealing an OFD needs beside that.
#[derive(Debug, Clone)]
pub struct OfdParts {
    pub parts: Arc<SealParts>,
    /// The seal as its maker signed it.
    pub seal: ses::Seal,
}

impl Desk {
    /// Lays the tools out.
    pub fn new(
        store: Store,
        keyring: Arc<Keyring>,
        renderer: Arc<Renderer>,
        public_url: String,
        clock: Arc<dyn Fn() -> OffsetDateTime + Send + Sync>,
        done: Arc<dyn Fn(Step) + Send + Sync>,
    ) -> Self {
        let (stamping, publication) = (Stamping::default(), Publication::of(&public_url));
        Self {
            store,
            keyring,
            renderer,
            public_url,
            done,
            clock,
            stamping,
            logging: Logging::default(),
            publication,
            ceilings: Ceilings::default(),
            fetcher: Arc::new(Fetcher::new([])),
            remembered: Arc::default(),
            parts: Arc::default(),
            largest_stamp: Arc::default(),
        }
    }

    /// With time stamps from where the settings say.
    pub fn stamped_by(self, stamping: Stamping) -> Self {
        Self { stamping, ..self }
    }

    /// With the log as the settings have it.
    pub fn logged_by(self, logging: Logging) -> Self {
        Self { logging, ..self }
    }

    /// With lists, answers and addresses as the settings have them.
    pub fn publishing(self, publication: Publication) -> Self {
        Self { publication, ..self }
    }

    /// With a way to the hosts of outside authorities.
    pub fn fetching(self, fetcher: Fetcher) -> Self {
        Self { fetcher: Arc::new(fetcher), ..self }
    }

    /// The parts for a new use of a seal: of its certificates that may be used now the one that came into use last, and
    /// whose key answers. Where a seal has certificates on keys in two tokens, it goes on with the second while the first is
    /// away; what was written down for the first waits for it. A seal that was reinstated needs a new certificate, since
    /// the revocation of the old one stands.
    ///
    /// # Errors
    /// As [`Desk::parts`], and the certificate's end: what stands against the newest one that could be used.
    pub async fn parts_in_force(&self, seal: &FiledSeal, now: OffsetDateTime) -> Result<Arc<SealParts>, FlowError> {
        let number = &seal.seal.number;
        let lives = self.store.certificate_lives(number).await?;
        let mut against = None;
        let mut silent = None;
        let mut usable = in_use(&lives, now);
        // What a seal as data names is there for OFD; a PDF takes it only where the seal has no other.
        let files = self.store.seal_files(number).await?;
        usable.sort_by_key(|certificate| files.iter().any(|file| file.certificate == certificate.digest));
        for certificate in usable {
            match self.parts_of(seal, certificate).await {
                Ok(parts) if parts.signer.answers() || is_back(&parts).await => return Ok(parts),
                Ok(parts) => silent = silent.or(Some(parts)),
                Err(FlowError::Key(why)) => against = against.or(Some(FlowError::Key(why))),
                Err(other) => return Err(other),
            }
        }
        match (silent, against) {
            // No key answers. The order is written all the same and waits for its key; that is what officers see.
            (Some(parts), _) => Ok(parts),
            (None, Some(why)) => Err(why),
            (None, None) if lives.is_empty() => Err(FlowError::NoCertificate(number.to_string())),
            (None, None) => Err(FlowError::CertificateEnded(number.to_string())),
        }
    }

    /// The parts for a new use of a seal on an OFD, as [`Desk::parts_in_force`] has them for a PDF: under an SM2 certificate for
    /// which the seal is made as data. None where it is made for none that may be used now.
    ///
    /// # Errors
    /// As [`Desk::parts`].
    pub async fn ofd_parts_in_force(
        &self,
        seal: &FiledSeal,
        now: OffsetDateTime,
    ) -> Result<Option<OfdParts>, FlowError> {
        let number = &seal.seal.number;
        let files = self.store.seal_files(number).await?;
        if files.is_empty() {
            return Ok(None);
        }
        let mut silent = None;
        for certificate in in_use(&self.store.certificate_lives(number).await?, now) {
            let file = files.iter().rfind(|file| file.certificate == certificate.digest);
            let Some(file) = file.filter(|_| is_sm2(&certificate).unwrap_or(false)) else { continue };
            let made = ses::read_seal(&file.file).map_err(FlowError::SealData)?;
            if now < made.valid_from || now > made.valid_until {
                continue;
            }
            let parts = match self.parts_of(seal, certificate).await {
                Err(FlowError::Key(_)) => continue,
                other => OfdParts { parts: other?, seal: made },
            };
            if parts.parts.signer.answers() || is_back(&parts.parts).await {
                return Ok(Some(parts));
            }
            // Its key is away. The order is written all the same and waits for it.
            silent = silent.or(Some(parts));
        }
        Ok(silent)
    }

    /// The parts of a seal under its newest certificate, or under the one with this digest.
    ///
    /// # Errors
    /// The seal has no certificate, the key is not there or is not the certificate's, or its picture cannot be drawn.
    pub async fn parts(&self, seal: &FiledSeal, digest: Option<&str>) -> Result<Arc<SealParts>, FlowError> {
        let certificate = match digest {
            Some(digest) => self.store.certificate(digest).await?,
            None => self.store.certificates(&seal.seal.number).await?.pop(),
        };
        let certificate = certificate.ok_or_else(|| FlowError::NoCertificate(seal.seal.number.to_string()))?;
        self.parts_of(seal, certificate).await
    }

    async fn parts_of(&self, seal: &FiledSeal, certificate: SealCertificate) -> Result<Arc<SealParts>, FlowError> {
        if let Some(parts) = self.parts.lock().unwrap_or_else(PoisonError::into_inner).get(&certificate.digest) {
            return Ok(parts.clone());
        }
        let (desk, form) = (self.clone(), seal.impression.clone());
        let parts = blocking(move || {
            let public_key = Certificate::read(&certificate.certificate)?.public_key.clone();
            let signer = desk.keyring.signer_for(&certificate.key_label, &public_key)?;
            let appearance = Appearance::of(&impression(&desk.renderer, &form)?);
            let chain: Vec<Vec<u8>> =
                std::iter::once(certificate.certificate.clone()).chain(certificate.chain.iter().cloned()).collect();
            let room = cms::room(signer.algorithm(), &chain, 0, 0)?;
            Ok::<_, FlowError>(Arc::new(SealParts { certificate, chain, signer, appearance, room }))
        })
        .await?;
        self.parts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(parts.certificate.digest.clone(), parts.clone());
        Ok(parts)
    }
}

/// Whether a key that its home did not know when it was last asked is there again.
async fn is_back(parts: &SealParts) -> bool {
    let signer = parts.signer.clone();
    blocking(move || signer.prove()).await.is_ok()
}

/// Draws or reads a seal's picture from its description in the register.
///
/// # Errors
/// The description is not one we know, or what it describes cannot be a seal.
pub fn impression(renderer: &Renderer, form: &serde_json::Value) -> Result<Impression, FlowError> {
    let form: ImpressionForm =
        serde_json::from_value(form.clone()).map_err(|e| FlowError::ImpressionForm(e.to_string()))?;
    match form {
        ImpressionForm::Drawn { arc, purpose, number, centre, diameter_mm, rim_mm } => {
            let rim_mm = rim_mm.unwrap_or(if purpose.is_some() { 1.0 } else { 1.2 });
            let centre = match centre {
                CentreForm::Star => Centre::Star,
                CentreForm::Blank => Centre::Blank,
                CentreForm::Emblem { svg, width_mm, height_mm } => {
                    let emblem = read_svg(&decode(&svg)?, width_mm, height_mm)?;
                    Centre::picture(&emblem)
                        .ok_or_else(|| FlowError::ImpressionForm("the emblem is not a vector picture".into()))?
                }
            };
            let legend = Legend { purpose, number, centre, diameter_mm, rim_mm, ..Legend::star(arc) };
            Ok(Impression::draw(&legend, renderer.serif_face())?)
        }
        ImpressionForm::Png { png, width_mm, height_mm } => Ok(read_png(&decode(&png)?, width_mm, height_mm)?),
        ImpressionForm::Svg { svg, width_mm, height_mm } => Ok(read_svg(&decode(&svg)?, width_mm, height_mm)?),
    }
}

/// A seal's picture as described in the register. Pictures are base64.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum ImpressionForm {
    Drawn {
        arc: String,
        #[serde(default)]
        purpose: Option<String>,
        #[serde(default)]
        number: Option<String>,
        centre: CentreForm,
        diameter_mm: f64,
        #[serde(default)]
        rim_mm: Option<f64>,
    },
    Png {
        png: String,
        width_mm: f64,
        height_mm: f64,
    },
    Svg {
        svg: String,
        width_mm: f64,
        height_mm: f64,
    },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CentreForm {
    Star,
    Blank,
    Emblem { svg: String, width_mm: f64, height_mm: f64 },
}

fn decode(base64: &str) -> Result<Vec<u8>, FlowError> {
    BASE64_STANDARD.decode(base64).map_err(|e| FlowError::ImpressionForm(e.to_string()))
}

/// Runs what blocks (keys, Typst, hashing of large files) off the threads that serve others.
pub async fn blocking<T: Send + 'static, E: Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

/// Why a flow stopped. Nothing is half done: either nothing was written, or the order is there to be resumed.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Store(StoreError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Render(#[from] RenderError),
    #[error(transparent)]
    Pdf(#[from] PdfError),
    #[error(transparent)]
    Ofd(#[from] SealFault),
    /// A seal as data, or a use of it, that is not as GB/T 38540 has them.
    #[error("{}", self.message())]
    SealData(NotASeal),
    #[error(transparent)]
    Cms(#[from] CmsError),
    #[error(transparent)]
    Certificate(#[from] CertificateFault),
    #[error(transparent)]
    Issue(#[from] IssueFault),
    #[error(transparent)]
    Impression(#[from] ImpressionError),
    #[error(transparent)]
    Picture(#[from] PictureError),
    #[error("{}", self.message())]
    ImpressionForm(String),
    /// The seal with this number has no certificate.
    #[error("{}", self.message())]
    NoCertificate(String),
    /// The certificate of the seal with this number has expired or is revoked.
    #[error("{}", self.message())]
    CertificateEnded(String),
    /// The seal with this number is not made as data for a certificate that may be used now.
    #[error("{}", self.message())]
    NoSealFile(String),
    /// What was named is not there.
    #[error("{0}")]
    Unknown(Message),
    /// The request itself cannot be carried out as written.
    #[error("{0}")]
    Request(Message),
    /// Our own check of our own product failed; it was not released.
    #[error("{}", self.message())]
    SelfCheck(Message),
    /// No authority gave a time stamp that holds. An order that needs one waits.
    #[error("{0}")]
    Unstamped(Message),
    /// What shows that a certificate is not revoked could not be had. An order that needs it waits.
    #[error("{0}")]
    NoEvidence(Message),
    /// The log's head could not be signed or seen by enough witnesses. An order that needs it waits.
    #[error("{0}")]
    Unlogged(Message),
    /// The order is written down and will be finished without anybody's doing.
    #[error("{}", self.message())]
    Waiting(Box<Waiting>),
}

impl From<StoreError> for FlowError {
    fn from(error: StoreError) -> Self {
        match error {
            // A rule is a rule, wherever it was asked.
            StoreError::Refused(refusal) => Self::Refused(refusal),
            other => Self::Store(other),
        }
    }
}

impl FlowError {
    /// For people.
    pub fn message(&self) -> Message {
        match self {
            Self::Refused(e) => e.message.clone(),
            Self::Store(e) => e.message(),
            Self::Key(e) => e.message(),
            Self::Render(e) => e.message(),
            Self::Pdf(e) => e.message(),
            Self::Ofd(e) => e.message(),
            Self::SealData(e) => Message::new(
                "desk.seal-data",
                format!("印章数据不合GB/T 38540（{}）", e.0),
                format!("the seal as data is not as GB/T 38540 has it ({})", e.0),
            ),
            Self::NoSealFile(number) => Message::new(
                "desk.no-seal-file",
                format!("印章{number}没有可用的电子印章数据，不能在OFD上用印；请先运行 yinxin seal make-ses"),
                format!("the seal {number} is not made as data, so it seals no OFD; run `yinxin seal make-ses` first"),
            ),
            Self::Cms(e) => e.message(),
            Self::Certificate(e) => e.message(),
            Self::Issue(e) => e.message(),
            Self::Impression(e) => e.message(),
            Self::Picture(e) => e.message(),
            Self::ImpressionForm(detail) => Message::new(
                "desk.impression",
                format!("印模说明无法识别：{detail}"),
                format!("the seal's picture is not described in a way we know: {detail}"),
            ),
            Self::NoCertificate(number) => Message::new(
                "desk.no-certificate",
                format!("印章{number}还没有证书，请先运行 yinxin seal make-cert 或安装外部证书"),
                format!(
                    "the seal {number} has no certificate yet; run `yinxin seal make-cert` or install one from outside"
                ),
            ),
            Self::CertificateEnded(number) => Message::new(
                "desk.certificate-ended",
                format!("印章{number}的证书已过期或被吊销，请先运行 yinxin seal make-cert 制作新证书"),
                format!(
                    "the certificate of the seal {number} has expired or is revoked; make a new one with `yinxin seal make-cert`"
                ),
            ),
            Self::Unknown(message)
            | Self::Request(message)
            | Self::Unstamped(message)
            | Self::NoEvidence(message)
            | Self::Unlogged(message) => message.clone(),
            Self::Waiting(waiting) => {
                let (zh, en) = (waiting.because.zh.trim_end_matches('。'), waiting.because.en.trim_end_matches('.'));
                let next = china_time(waiting.next_try);
                Message::new(
                    "issue.waiting",
                    format!("用印已登记，等待办结，无需重复提交：{zh}；下次自动重试：{next}"),
                    format!(
                        "the use of the seal is written down and waits; nothing needs doing: {en}; tried again by itself at {next} Beijing time"
                    ),
                )
            }
            Self::SelfCheck(why) => Message::new(
                "desk.self-check",
                format!("制成的文书未通过自检，未予放行：{}", why.zh),
                format!("the document did not pass our own check and was not released: {}", why.en),
            ),
        }
    }
}
