//! Time stamps: from outside authorities where the settings name any, else from our own, which also answers the public.
//!
//! Whoever needs a stamp asks [`Desk::stamp`]; where none can be had that holds, it says so and nothing is released. Our
//! own authority (EN 319 421, EN 319 422) has a key of its own, writes each token down before that key signs, and stops
//! while its clock is in doubt ([`clock`]).

pub mod clock;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

use self::clock::{ACCURACY, Doubt, Steady};
use crate::ca::{Family, newest_units, no_unit};
use crate::crypto::Digest;
use crate::desk::{Desk, FlowError, blocking};
use crate::keys::{self, Signer};
use crate::message::Message;
use crate::pki::certificate::Certificate;
use crate::pki::issue::Serial;
use crate::stamp::Token;
use crate::stamp::accept::{Terms, accept};
use crate::stamp::answer::{Info, Rejection, Unsigned, granted};
use crate::stamp::request::Request;
use crate::store::{Order, Stamp, StampingUnit};
use crate::tsa::Authorities;

/// The policy of our own authority where the settings name none: a UUID as an object identifier (X.667 §6), registered
/// with nobody. It promises what EN 319 421 asks of a best-practice policy as far as a program can: see the README.
pub const POLICY: &str = "2.25.183066901063764545149473811553130303626";

/// What the settings say about time stamps.
pub struct Plan {
    /// Asked first, in their order.
    pub authorities: Authorities,
    /// Whether our own authority stamps our documents, after those.
    pub own: bool,
    /// The policy that our own authority names in its tokens, in dotted form.
    pub policy: String,
    /// Held against the wall clock; none where clocks are moved by hand, in tests.
    pub steady: Option<Steady>,
    /// Whether the database server's clock is held against ours.
    pub database_clock: bool,
}

impl Default for Plan {
    fn default() -> Self {
        let policy = POLICY.to_owned();
        Self { authorities: Authorities::default(), own: true, policy, steady: None, database_clock: false }
    }
}

/// How this house comes by time stamps: the plan, and what this process has seen. Cheap to clone.
#[derive(Clone)]
pub struct Stamping(Arc<Laid>);

struct Laid {
    plan: Plan,
    /// Wall clock and steady clock at one moment.
    start: Option<(OffsetDateTime, Duration)>,
    /// Of the certificates that stamped, of each family the newest.
    parts: Mutex<BTreeMap<Family, Arc<Parts>>>,
}

/// What stamping with one certificate needs and no token changes.
struct Parts {
    label: String,
    certificate: Certificate,
    /// The unit's certificate and the issuing authority's, DER, as the token carries them.
    chain: Vec<Vec<u8>>,
    signer: Arc<dyn Signer>,
    /// What our own token is held to before it is given away.
    terms: Terms,
}

impl Stamping {
    /// Lays the plan out; from `now` on the wall clock is held against the steady one.
    pub fn of(plan: Plan, now: OffsetDateTime) -> Self {
        let start = plan.steady.as_ref().map(|steady| (now, steady()));
        Self(Arc::new(Laid { plan, start, parts: Mutex::default() }))
    }

    fn plan(&self) -> &Plan {
        &self.0.plan
    }

    fn start(&self) -> Option<(OffsetDateTime, Duration, &Steady)> {
        let ((wall, steady), clock) = (self.0.start?, self.0.plan.steady.as_ref()?);
        Some((wall, steady, clock))
    }

    /// The outside authorities.
    pub fn authorities(&self) -> &Authorities {
        &self.0.plan.authorities
    }
}

impl Default for Stamping {
    fn default() -> Self {
        Self::of(Plan::default(), OffsetDateTime::UNIX_EPOCH)
    }
}

impl fmt::Debug for Stamping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stamping").field("policy", &self.plan().policy).finish_non_exhaustive()
    }
}

/// Why our own authority made no token.
enum NoToken {
    /// The request is not one that it answers.
    Rejected(Rejection),
    Doubtful(Doubt),
    /// No certificate that stamps at present.
    Unable(Message),
    Failed(FlowError),
}

impl<E: Into<FlowError>> From<E> for NoToken {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl NoToken {
    fn message(&self) -> Message {
        match self {
            Self::Rejected(rejection) => rejection.message(),
            Self::Doubtful(doubt) => doubt.message(),
            Self::Unable(message) => message.clone(),
            Self::Failed(error) => error.message(),
        }
    }
}

impl Desk {
    /// A token over this digest, DER, checked: from the first outside authority that gives one we take, then from our own where
    /// the plan has it.
    ///
    /// # Errors
    /// [`FlowError::Unstamped`] where none can be had now; what waits for it is tried again later.
    pub async fn stamp(&self, digest: Digest, imprint: &[u8]) -> Result<Vec<u8>, FlowError> {
        let mut reasons = Vec::new();
        if !self.stamping.authorities().is_empty() {
            let (stamping, clock, value) = (self.stamping.clone(), self.clock.clone(), imprint.to_vec());
            let asked = blocking(move || stamping.authorities().stamp(digest, &value, &*clock)).await;
            match asked {
                Ok(token) => return Ok(token),
                Err(faults) => reasons.extend(faults.into_iter().map(|(name, fault)| (name, fault.message()))),
            }
        }
        if self.stamping.plan().own {
            let nonce = keys::draw()?;
            match self.make_token(&Request::of_ours(digest, imprint, nonce, None), "service").await {
                Ok(token) => return Ok(token),
                Err(why) => reasons.push(("yinxin".into(), why.message())),
            }
        }
        Err(FlowError::Unstamped(unstamped(&reasons)))
    }

    /// Whom the time stamps of our documents lead to: the anchors of all authorities that the plan asks.
    ///
    /// # Errors
    /// Trouble of the store.
    pub async fn stamp_anchors(&self) -> Result<Vec<Certificate>, FlowError> {
        let mut anchors: Vec<Certificate> = self.stamping.authorities().anchors().cloned().collect();
        for (_, unit) in newest_units(self.store.stamping_units().await?)? {
            anchors.extend(unit.certificate.chain.last().map(|root| Certificate::read(root)).transpose()?);
        }
        Ok(anchors)
    }

    /// What our own authority answers to a request from outside: a TimeStampResp, DER, with a token or with the reason
    /// why there is none (RFC 3161 §2.4.2).
    pub async fn answer_stamp_request(&self, request: &[u8]) -> Vec<u8> {
        let outcome = match Request::read(request) {
            Ok(request) => self.make_token(&request, "public").await,
            Err(rejection) => Err(NoToken::Rejected(rejection)),
        };
        match outcome {
            Ok(token) => granted(&token),
            Err(NoToken::Rejected(rejection)) => rejection.answer(),
            Err(why) => {
                tracing::error!(reason = %why.message().en, "no time stamp was made");
                match why {
                    NoToken::Doubtful(_) => Rejection::TimeNotAvailable.answer(),
                    _ => Rejection::SystemFailure.answer(),
                }
            }
        }
    }

    /// Whether our own authority could stamp now, and what stands in the way; None where there is none yet.
    ///
    /// # Errors
    /// Trouble of the store.
    pub async fn stamping_trouble(&self) -> Result<Option<Message>, FlowError> {
        for (_, unit) in newest_units(self.store.stamping_units().await?)? {
            let trouble = match self.sure_now(&unit).await? {
                Ok(now) => check_unit(&unit, now).err(),
                Err(doubt) => Some(doubt.message()),
            };
            if trouble.is_some() {
                return Ok(trouble);
            }
        }
        Ok(None)
    }

    /// Whose token this digest gets: its own family's where the house has one, else the other's.
    async fn unit_for(&self, digest: Digest) -> Result<Option<(Family, StampingUnit)>, FlowError> {
        let mut units = newest_units(self.store.stamping_units().await?)?;
        let own = units.iter().position(|(family, _)| *family == digest.into()).unwrap_or(0);
        Ok((own < units.len()).then(|| units.swap_remove(own)))
    }

    async fn make_token(&self, request: &Request, who: &str) -> Result<Vec<u8>, NoToken> {
        let policy = &self.stamping.plan().policy;
        if request.policy.as_ref().is_some_and(|asked| asked != policy) {
            return Err(NoToken::Rejected(Rejection::UnacceptedPolicy));
        }
        let unit = self.unit_for(request.digest).await?;
        let (family, unit) = unit.ok_or_else(|| NoToken::Unable(no_unit()))?;
        let now = self.sure_now(&unit).await?.map_err(NoToken::Doubtful)?;
        check_unit(&unit, now).map_err(NoToken::Unable)?;
        let parts = self.stamping_parts(family, unit).await?;

        let serial = Serial::from_random(keys::draw()?);
        // To the microsecond, as the store keeps it.
        let time = now.replace_nanosecond(now.microsecond() * 1000).unwrap_or(now);
        let info = Info { policy, serial, time, accuracy: ACCURACY };
        let info = info.to_der(request).ok_or(NoToken::Rejected(Rejection::SystemFailure))?;
        let certificates = if request.certificates { parts.chain.as_slice() } else { &[] };
        let unsigned = Unsigned::of(info, &parts.certificate, certificates);
        let serial = hex::encode(serial.as_bytes());
        let stamp = Stamp {
            serial: &serial,
            label: &parts.label,
            at: time,
            info: unsigned.info(),
            to_be_signed: unsigned.to_be_signed(),
        };
        let order = self.store.write_down_stamp(stamp, who).await?;
        let id = order.id().to_owned();
        match parts.carry_out(order, &unsigned, request, time).await {
            Ok(token) if self.store.finish_stamp(&id, (self.clock)()).await? => Ok(token),
            Ok(_) => Err(NoToken::Rejected(Rejection::SystemFailure)),
            Err(error) => {
                // Whoever asked is told, and asks again: nobody will take this one up.
                self.store.lose(&id, &error.message().en, (self.clock)()).await?;
                Err(NoToken::Failed(error))
            }
        }
    }

    /// The parts of the unit's present certificate.
    async fn stamping_parts(&self, family: Family, unit: StampingUnit) -> Result<Arc<Parts>, FlowError> {
        let kept = || self.stamping.0.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let label = unit.certificate.label;
        if let Some(parts) = kept().get(&family).filter(|parts| parts.label == label) {
            return Ok(parts.clone());
        }
        let (keyring, filed) = (self.keyring.clone(), unit.certificate.certificate);
        let certificate = Certificate::read(&filed)?;
        let (named, public_key) = (label.clone(), certificate.public_key.clone());
        let signer = blocking(move || keyring.signer_for(&named, &public_key)).await?;
        let mut issuers = unit.certificate.chain;
        let anchor = issuers.pop();
        let anchors = anchor.iter().map(|der| Certificate::read(der)).collect::<Result<_, _>>()?;
        let intermediates = issuers.iter().map(|der| Certificate::read(der)).collect::<Result<_, _>>()?;
        let chain = std::iter::once(filed).chain(issuers).collect();
        let terms = Terms { anchors, intermediates, ..Terms::default() };
        let parts = Arc::new(Parts { label, certificate, chain, signer, terms });
        kept().insert(family, parts.clone());
        Ok(parts)
    }
}

impl Parts {
    async fn carry_out(
        &self,
        order: Order,
        unsigned: &Unsigned,
        request: &Request,
        time: OffsetDateTime,
    ) -> Result<Vec<u8>, FlowError> {
        let signer = self.signer.clone();
        let signature = blocking(move || signer.sign(order)).await?;
        let token = unsigned.signed(signature.value(), signature.algorithm())?;
        self.check(&token, request, time)?;
        Ok(token)
    }

    /// Our own product, checked as an outside authority's is, before it is given away.
    fn check(&self, token: &[u8], request: &Request, time: OffsetDateTime) -> Result<(), FlowError> {
        let mut token = Token::read(token).map_err(|error| FlowError::SelfCheck(error.message()))?;
        if !request.certificates {
            token.signed.certificates = vec![self.certificate.der().to_vec()];
        }
        accept(&token, request, &self.terms, (time, time)).map_err(|why| FlowError::SelfCheck(why.message()))
    }
}

/// Whether the unit's certificate and key may stamp at this moment.
fn check_unit(unit: &StampingUnit, now: OffsetDateTime) -> Result<(), Message> {
    let in_force = Certificate::read(&unit.certificate.certificate).is_ok_and(|read| read.is_in_force(now));
    if in_force && now <= unit.certificate.key_until && !unit.revoked {
        return Ok(());
    }
    Err(Message::new(
        "stamping.unit-ended",
        "时间戳证书已被吊销、已过期或其密钥已到使用期限，请运行 yinxin ca stamping",
        "the time-stamping certificate is revoked or has ended, or its key is past its use; run `yinxin ca stamping`",
    ))
}

fn unstamped(reasons: &[(String, Message)]) -> Message {
    let join = |each: fn(&Message) -> &str, colon: &str, between: &str| {
        let said =
            reasons.iter().map(|(name, why)| format!("{name}{colon}{}", each(why).trim_end_matches(['。', '.'])));
        said.collect::<Vec<_>>().join(between)
    };
    let (zh, en) = match reasons {
        [] => (
            "未设置时间戳机构，请设置 stamp.authorities 或 stamp.own".to_owned(),
            "the settings name no authority; set stamp.authorities or stamp.own".to_owned(),
        ),
        _ => (join(|why| &why.zh, "：", "；"), join(|why| &why.en, ": ", "; ")),
    };
    Message::new(
        "stamping.unstamped",
        format!("暂时没有取得时间戳，文书未放行，稍后自动再试。{zh}。"),
        format!("No time stamp could be had; the document is not released and is tried again later. {en}."),
    )
}
