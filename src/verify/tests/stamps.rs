//! Time stamps as proof: what they save, what they cannot save, and what forgers try with them.

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc3161, rfc5280, rfc5911, rfc5912};
use der::Encode;

use super::*;
use crate::crypto::{self, KeyAlgorithm};
use crate::pdf::long_term::prepare_stamp;
use crate::pki::tlv;

/// A time-stamp authority below the house's issuing authority.
pub(super) struct Tsa {
    key: Key,
    pub(super) certificate: Certificate,
    issuing: Vec<u8>,
}

/// How a token is made; the honest way is `Token::at(time)`.
pub(super) struct Wish {
    time: OffsetDateTime,
    /// Says it is of something else.
    astray: bool,
}

impl Tsa {
    pub(super) fn of(house: &House, until: OffsetDateTime) -> Self {
        Self::with_usage(house, until, &[rfc5280::ID_KP_TIME_STAMPING], true)
    }

    /// Below another authority.
    pub(super) fn below(issuer: (&Certificate, &Key), until: OffsetDateTime) -> Self {
        Self::under(issuer, until, &[rfc5280::ID_KP_TIME_STAMPING], true)
    }

    fn with_usage(house: &House, until: OffsetDateTime, purposes: &[ObjectIdentifier], critical: bool) -> Self {
        Self::under((&house.pki.issuing, &house.pki.issuing_key), until, purposes, critical)
    }

    fn under(
        (issuer, issuing_key): (&Certificate, &Key),
        until: OffsetDateTime,
        purposes: &[ObjectIdentifier],
        critical: bool,
    ) -> Self {
        let key = Key::p256();
        let algorithm = KeyAlgorithm::EcdsaP256.signature_algorithm().to_der().unwrap();
        let purposes: Vec<Vec<u8>> = purposes.iter().map(|purpose| tlv::object_identifier(*purpose)).collect();
        let purposes = tlv::wrap(tlv::SEQUENCE, &purposes.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let extension = |oid, critical: bool, value: &[u8]| {
            let critical = if critical { tlv::wrap(tlv::BOOLEAN, &[&[0xFF]]) } else { Vec::new() };
            tlv::wrap(
                tlv::SEQUENCE,
                &[&tlv::object_identifier(oid), &critical, &tlv::wrap(tlv::OCTET_STRING, &[value])],
            )
        };
        let extensions = tlv::wrap(
            tlv::SEQUENCE,
            &[
                &extension(rfc5280::ID_CE_KEY_USAGE, true, &[0x03, 0x02, 0x07, 0x80]),
                &extension(rfc5280::ID_CE_EXT_KEY_USAGE, critical, &purposes),
            ],
        );
        let body = tlv::wrap(
            tlv::SEQUENCE,
            &[
                &tlv::wrap(tlv::context(0), &[&tlv::unsigned_integer(&[2])]),
                &tlv::unsigned_integer(&[77]),
                &algorithm,
                issuer.subject.as_der(),
                &tlv::wrap(tlv::SEQUENCE, &[&general_time(trial::MADE), &general_time(until)]),
                trial::name("时间戳").as_der(),
                &key.public_key,
                &tlv::wrap(tlv::context(3), &[&extensions]),
            ],
        );
        let value = tlv::bit_string(&issuing_key.sign(&body));
        let certificate = Certificate::read(&tlv::wrap(tlv::SEQUENCE, &[&body, &algorithm, &value])).unwrap();
        Self { key, certificate, issuing: issuer.der().to_vec() }
    }

    /// RFC 3161 §2.4.2 over a SHA-256 digest.
    pub(super) fn stamp(&self, digest: [u8; 32], wish: &Wish) -> Vec<u8> {
        let sha256 = tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier(rfc5912::ID_SHA_256)]);
        let digest = if wish.astray { [1; 32] } else { digest };
        let info = tlv::wrap(
            tlv::SEQUENCE,
            &[
                &tlv::unsigned_integer(&[1]),
                &tlv::object_identifier(ObjectIdentifier::new_unwrap("2.25.1")),
                &tlv::wrap(tlv::SEQUENCE, &[&sha256, &tlv::wrap(tlv::OCTET_STRING, &[&digest])]),
                &tlv::unsigned_integer(&[9]),
                &general_time(wish.time),
                &tlv::wrap(tlv::SEQUENCE, &[&tlv::unsigned_integer(&[1])]),
            ],
        );
        let attribute = |oid, value: &[u8]| {
            tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier(oid), &tlv::wrap(tlv::SET, &[value])])
        };
        let reference = tlv::wrap(tlv::OCTET_STRING, &[&self.certificate.fingerprint()]);
        let reference = [tlv::SEQUENCE; 3].iter().fold(reference, |inner, tag| tlv::wrap(*tag, &[&inner]));
        let attributes = tlv::set_of(
            tlv::SET,
            vec![
                attribute(rfc5911::ID_CONTENT_TYPE, &tlv::object_identifier(rfc3161::ID_CT_TST_INFO)),
                attribute(rfc5911::ID_MESSAGE_DIGEST, &tlv::wrap(tlv::OCTET_STRING, &[&crypto::sha256(&info)])),
                attribute(rfc5911::ID_AA_SIGNING_CERTIFICATE_V_2, &reference),
            ],
        );
        let inside = tlv::Element::read_all(&attributes).unwrap().content;
        let serial = tlv::wrap(tlv::INTEGER, &[&self.certificate.serial]);
        let algorithm = KeyAlgorithm::EcdsaP256.signature_algorithm().to_der().unwrap();
        let signer = tlv::wrap(
            tlv::SEQUENCE,
            &[
                &tlv::unsigned_integer(&[1]),
                &tlv::wrap(tlv::SEQUENCE, &[self.certificate.issuer.as_der(), &serial]),
                &sha256,
                &tlv::wrap(tlv::context(0), &[inside]),
                &algorithm,
                &tlv::wrap(tlv::OCTET_STRING, &[&self.key.sign(&attributes)]),
            ],
        );
        let content = tlv::wrap(tlv::context(0), &[&tlv::wrap(tlv::OCTET_STRING, &[&info])]);
        let signed = tlv::wrap(
            tlv::SEQUENCE,
            &[
                &tlv::unsigned_integer(&[3]),
                &tlv::wrap(tlv::SET, &[&sha256]),
                &tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier(rfc3161::ID_CT_TST_INFO), &content]),
                &tlv::set_of(tlv::context(0), vec![self.certificate.der().to_vec(), self.issuing.clone()]),
                &tlv::wrap(tlv::SET, &[&signer]),
            ],
        );
        tlv::wrap(
            tlv::SEQUENCE,
            &[&tlv::object_identifier(rfc5911::ID_SIGNED_DATA), &tlv::wrap(tlv::context(0), &[&signed])],
        )
    }

    /// A document time stamp over a file.
    pub(super) fn over(&self, bytes: &[u8], wish: &Wish) -> Vec<u8> {
        let prepared = prepare_stamp(bytes, 4096).unwrap();
        [bytes, &prepared.close(&self.stamp(prepared.digest(), wish)).unwrap()].concat()
    }
}

pub(super) fn at(time: OffsetDateTime) -> Wish {
    Wish { time, astray: false }
}

/// Of something else.
pub(super) fn astray(time: OffsetDateTime) -> Wish {
    Wish { time, astray: true }
}

fn general_time(at: OffsetDateTime) -> Vec<u8> {
    let format = time::macros::format_description!("[year][month][day][hour][minute][second]Z");
    tlv::wrap(0x18, &[at.format(format).unwrap().as_bytes()])
}

/// A sealed document with a time stamp inside its signature (PAdES B-T).
fn stamped(house: &House, tsa: &Tsa, claims: OffsetDateTime, wish: &Wish) -> Vec<u8> {
    stamped_as(&draft("Permit No. 3"), house, tsa, claims, None, wish)
}

pub(super) fn stamped_as(
    draft: &[u8],
    house: &House,
    tsa: &Tsa,
    claims: OffsetDateTime,
    certify: Option<Certification>,
    wish: &Wish,
) -> Vec<u8> {
    seal_with(draft, house, claims, certify, 8192, |value, plain| {
        let token = tsa.stamp(crypto::sha256(value), wish);
        let kind = tlv::object_identifier(rfc3161::ID_AA_TIME_STAMP_TOKEN);
        with_unsigned(&plain, &tlv::wrap(tlv::SEQUENCE, &[&kind, &tlv::wrap(tlv::SET, &[&token])]))
    })
}

/// The same CMS with an unsigned attribute: the last element of the last element, all the way down.
fn with_unsigned(cms: &[u8], attribute: &[u8]) -> Vec<u8> {
    fn rebuild(element: &tlv::Element<'_>, depth: usize, attribute: &[u8]) -> Vec<u8> {
        let children = element.children().unwrap();
        let mut parts: Vec<Vec<u8>> = children.iter().map(|child| child.whole.to_vec()).collect();
        match depth {
            0 => parts.push(tlv::wrap(tlv::context(1), &[attribute])),
            _ => *parts.last_mut().unwrap() = rebuild(children.last().unwrap(), depth - 1, attribute),
        }
        tlv::wrap(element.tag, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }
    // ContentInfo, [0], SignedData, SET OF, SignerInfo.
    rebuild(&tlv::Element::read_all(cms).unwrap(), 4, attribute)
}

/// Judged by somebody else, who trusts the root, has the lists of `lists_at`, and asks at `now`.
fn by_a_stranger(house: &House, bytes: &[u8], now: OffsetDateTime) -> Report {
    judge(&Evidence::open("文书.pdf", bytes, Arc::new(house.trust()), now))
}

/// The seal's own part of the report.
#[track_caller]
pub(super) fn sealed_part(report: &Report) -> &SignatureReport {
    report.signatures.first().unwrap_or_else(|| panic!("{report:#?}"))
}

const LATER: OffsetDateTime = datetime!(2030-01-01 00:00 UTC);
const FAR: OffsetDateTime = datetime!(2035-06-01 00:00 UTC);

#[test]
fn a_time_stamp_outlives_the_seals_certificate() {
    // The seal's certificate ends in 2028, the authority's in 2036; the question is put in 2030.
    let mut house = House::new();
    house.lists_at = LATER;
    let tsa = Tsa::of(&house, datetime!(2035-01-01 00:00 UTC));
    let plain = by_a_stranger(&house, &seal(&draft("Permit No. 3"), &house, SEALED, None), LATER);
    assert_eq!(plain.verdict, Verdict::Indeterminate(Sub::OutOfBoundsNoPoe), "{plain:#?}");

    let report = by_a_stranger(&house, &stamped(&house, &tsa, SEALED, &at(SEALED + Duration::MINUTE)), LATER);
    assert!(report.verdict.is_genuine(), "{report:#?}");
    let part = sealed_part(&report);
    // The authority's clock may be a second late.
    assert_eq!(part.proven_time, Some(SEALED + Duration::MINUTE + Duration::SECOND));
    let [stamp] = part.time_stamps.as_slice() else { panic!("{part:#?}") };
    assert!(stamp.verdict.is_genuine() && stamp.intact && stamp.trusted, "{stamp:#?}");
    assert!(report.summary.zh.contains("时间戳"), "{}", report.summary.zh);
}

#[test]
fn a_stamp_that_does_not_hold_proves_nothing() {
    let mut house = House::new();
    house.lists_at = LATER;
    let honest = Tsa::of(&house, datetime!(2035-01-01 00:00 UTC));
    let astray = Wish { time: SEALED, astray: true };
    let ended = Tsa::of(&house, datetime!(2029-01-01 00:00 UTC));
    let for_all = Tsa::with_usage(
        &house,
        datetime!(2035-01-01 00:00 UTC),
        &[rfc5280::ID_KP_TIME_STAMPING, rfc5280::ID_KP_CODE_SIGNING],
        true,
    );
    let careless = Tsa::with_usage(&house, datetime!(2035-01-01 00:00 UTC), &[rfc5280::ID_KP_TIME_STAMPING], false);
    let tomorrow = at(LATER + Duration::DAY);
    let cases = [
        ("of another value", &honest, &astray, Verdict::Failed(Sub::HashFailure)),
        ("by an authority that has ended", &ended, &at(SEALED), Verdict::Indeterminate(Sub::OutOfBoundsNoPoe)),
        ("by a key for code as well", &for_all, &at(SEALED), Verdict::Indeterminate(Sub::SigConstraintsFailure)),
        ("by a key not critically so", &careless, &at(SEALED), Verdict::Indeterminate(Sub::SigConstraintsFailure)),
        ("of tomorrow", &honest, &tomorrow, Verdict::Indeterminate(Sub::TimestampOrderFailure)),
    ];
    for (what, tsa, wish, verdict) in cases {
        let report = by_a_stranger(&house, &stamped(&house, tsa, SEALED, wish), LATER);
        let part = sealed_part(&report);
        assert_eq!(part.time_stamps.first().map(|stamp| stamp.verdict), Some(verdict), "{what}: {part:#?}");
        assert_eq!(part.proven_time, None, "{what}");
        assert_eq!(report.verdict, Verdict::Indeterminate(Sub::OutOfBoundsNoPoe), "{what}");
    }
    // A stranger's authority is nobody's.
    let stranger = House::new();
    let tsa = Tsa::of(&stranger, datetime!(2035-01-01 00:00 UTC));
    let report = by_a_stranger(&house, &stamped(&house, &tsa, SEALED, &at(SEALED)), LATER);
    assert_eq!(sealed_part(&report).proven_time, None);
}

#[test]
fn a_chain_of_document_stamps_carries_further_than_any_certificate() {
    // By 2035 the seal's certificate and the first authority's have ended: the second's stamp proves the first's.
    let mut house = House::new();
    house.lists_at = datetime!(2027-06-01 00:00 UTC);
    let first = Tsa::of(&house, datetime!(2030-01-01 00:00 UTC));
    let bytes = stamped(&house, &first, SEALED, &at(SEALED));
    let bytes = first.over(&bytes, &at(datetime!(2027-01-01 00:00 UTC)));
    let good = by_a_stranger(&house, &bytes, datetime!(2027-06-01 00:00 UTC));
    assert!(good.verdict.is_genuine(), "{good:#?}");
    assert!(good.signatures.iter().all(|part| part.verdict.is_genuine()), "{good:#?}");
    house.lists_at = FAR;
    let ended = by_a_stranger(&house, &bytes, FAR);
    assert_eq!(ended.verdict, Verdict::Indeterminate(Sub::OutOfBoundsNoPoe), "{ended:#?}");
    let second = Tsa::of(&house, datetime!(2035-12-01 00:00 UTC));
    let renewed = by_a_stranger(&house, &second.over(&bytes, &at(datetime!(2029-06-01 00:00 UTC))), FAR);
    assert!(renewed.verdict.is_genuine(), "{renewed:#?}");
    // Renewed too late: the first authority had ended by then.
    let late = by_a_stranger(&house, &second.over(&bytes, &at(datetime!(2031-01-01 00:00 UTC))), FAR);
    assert_eq!(late.verdict, Verdict::Indeterminate(Sub::OutOfBoundsNoPoe), "{late:#?}");
}

#[test]
fn stamps_out_of_order_prove_nothing() {
    let house = House::new();
    let tsa = Tsa::of(&house, datetime!(2035-01-01 00:00 UTC));
    let bytes = stamped(&house, &tsa, SEALED, &at(SEALED + Duration::DAY));
    // The stamp over it claims to be older than what it covers.
    let bytes = tsa.over(&bytes, &at(SEALED));
    let report = by_a_stranger(&house, &bytes, NOW);
    let inner = sealed_part(&report).time_stamps.first().unwrap();
    assert_eq!(inner.verdict, Verdict::Indeterminate(Sub::TimestampOrderFailure), "{report:#?}");
}

#[test]
fn a_stamp_before_the_abolition_saves_what_the_ledger_does_not_know() {
    // Sealed elsewhere with the department's key, while it counted; the register is an exported copy.
    let house = House::new().abolish();
    let tsa = Tsa::of(&house, datetime!(2035-01-01 00:00 UTC));
    let judged = |bytes: &[u8]| {
        let mut evidence = Evidence::open("文书.pdf", bytes, Arc::new(house.trust()), NOW);
        evidence.ask_export(&house.register());
        judge(&evidence)
    };
    let early = judged(&stamped(&house, &tsa, SEALED, &at(SEALED + Duration::MINUTE)));
    assert!(early.verdict.is_genuine(), "{early:#?}");
    assert!(early.summary.en.contains("before the abolition"), "{}", early.summary.en);
    // Back-dated: it claims a time before, and the stamp tells another.
    let late = judged(&stamped(&house, &tsa, SEALED, &at(ABOLISHED + Duration::HOUR)));
    assert!(matches!(late.verdict, Verdict::Indeterminate(Sub::RevokedNoPoe)), "{late:#?}");
}

#[test]
fn a_list_written_after_its_maker_ended_clears_nobody() {
    // The issuing authority ended in 2036; whoever has its key today writes lists of any date.
    let mut house = House::new();
    house.lists_at = datetime!(2027-01-01 00:00 UTC);
    let tsa_of_root = Tsa::of(&house, FAR);
    let bytes = stamped(&house, &tsa_of_root, SEALED, &at(SEALED));
    assert!(by_a_stranger(&house, &bytes, house.lists_at).verdict.is_genuine());
    let report = by_a_stranger(&house, &bytes, datetime!(2037-01-01 00:00 UTC));
    assert!(matches!(report.verdict, Verdict::Indeterminate(_)), "{report:#?}");
}

#[test]
fn a_list_that_came_too_late_does_not_hide_an_earlier_one() {
    // The signature carries a list of its day, and the authority in force over it says that it existed in 2030. In 2037,
    // after its maker's end, there is a newer list of unknown origin.
    let mut house = House::new();
    house.lists_at = datetime!(2037-01-01 00:00 UTC);
    let root = (&house.pki.root, &house.pki.root_key);
    let tsa = Tsa::under(root, datetime!(2040-01-01 00:00 UTC), &[rfc5280::ID_KP_TIME_STAMPING], true);
    let list = |at: OffsetDateTime| {
        let list = crate::pki::issue::revocation_list(&house.pki.issuing, 5, at, at + Duration::WEEK, &[]).unwrap();
        house.pki.issuing_key.finish(list)
    };
    let with_list = |list: &[u8]| {
        let sealed = seal_with(&draft("Permit No. 4"), &house, SEALED, None, 16384, |value, plain| {
            let attribute = |oid, value: &[u8]| {
                tlv::wrap(tlv::SEQUENCE, &[&tlv::object_identifier(oid), &tlv::wrap(tlv::SET, &[value])])
            };
            let lists = tlv::wrap(tlv::context(0), &[&tlv::wrap(tlv::SEQUENCE, &[list])]);
            let token = tsa.stamp(crypto::sha256(value), &at(SEALED));
            let values = attribute(
                ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.24"),
                &tlv::wrap(tlv::SEQUENCE, &[&lists]),
            );
            with_unsigned(&plain, &[attribute(rfc3161::ID_AA_TIME_STAMP_TOKEN, &token), values].concat())
        });
        let stamped = tsa.over(&sealed, &at(datetime!(2030-01-01 00:00 UTC)));
        by_a_stranger(&house, &stamped, house.lists_at)
    };
    let early = with_list(&list(SEALED + Duration::DAY));
    assert!(early.signatures[0].verdict.is_genuine(), "{early:#?}");
    // One from before the signature does not say how things stood then.
    let stale = with_list(&list(SEALED - Duration::weeks(3)));
    assert_eq!(stale.verdict, Verdict::Indeterminate(Sub::OutOfBoundsNoPoe), "{stale:#?}");
}
