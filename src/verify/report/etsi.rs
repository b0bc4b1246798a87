//! The report as ETSI TS 119 102-2 V1.4.1 has it, so that other programs can read our verdict without knowing us.
//!
//! One `SignatureValidationReport` for each seal; document time stamps are validation objects with a report of their own
//! (§4.2.11). Elements stand in the order of the schema of annex B.1. What we say beyond it (coverage, later changes) is
//! additional report data under our own names. The report is not signed here: its sealed form is the PDF.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use const_oid::db::rfc3161;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::markup::Xml;
use super::{Check, Original, Outcome, Report, SignatureKind, SignatureReport, StampReport, SubIndication, Verdict};
use crate::cms::{SignedData, Signer};
use crate::crypto::sha256;
use crate::pdf::signatures::Signature;
use crate::pki::certificate::Certificate;
use crate::verify::judge::evidence::{Evidence, Opened};
use crate::verify::judge::existence::By;

const NAMESPACES: [(&str, &str); 3] = [
    ("xmlns", "http://uri.etsi.org/19102/v1.4.1#"),
    ("xmlns:ds", "http://www.w3.org/2000/09/xmldsig#"),
    ("xmlns:xades", "http://uri.etsi.org/01903/v1.3.2#"),
];
const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";

/// Writes the report of what `evidence` was judged to be; `original` is the file that it was gathered from.
pub fn xml(report: &Report, evidence: &Evidence, original: &Original) -> String {
    let carried = carried(evidence);
    let whole = original.sha256;
    let mut objects = Objects::default();
    objects.data(&whole);
    let writer = Writer { report, evidence, whole };
    let mut xml = Xml::new();
    xml.element("ValidationReport", &NAMESPACES, |xml| {
        let nothing = Carried::default();
        let both = report.signatures.iter().enumerate().map(|(i, s)| (i, s, carried.get(i).unwrap_or(&nothing)));
        let (seals, stamps): (Vec<_>, Vec<_>) = both.partition(|(_, s, _)| s.kind == SignatureKind::Seal);
        for (index, signature, carried) in &seals {
            xml.parent("SignatureValidationReport", |xml| {
                writer.signature(xml, *index, signature, carried, &mut objects)
            });
        }
        if seals.is_empty() {
            // The schema wants one; a file without a seal has a status and nothing else to say.
            xml.parent("SignatureValidationReport", |xml| {
                writer.times(xml, None, None);
                xml.parent("SignatureValidationStatus", |xml| status(xml, "total-", &report.verdict));
            });
        }
        for (_, _, carried) in &stamps {
            carried.cms.into_iter().for_each(|cms| objects.take(cms));
        }
        xml.parent("SignatureValidationObjects", |xml| {
            for (index, signature, carried) in &stamps {
                let token = carried.lying.map(|lying| lying.cms.as_slice());
                let proven = (signature.proven_time, signature.proven_by.as_ref());
                writer.stamp(xml, &stamp_id(*index, None), token, &signature.checks, proven, &signature.verdict);
            }
            for (index, signature, carried) in &seals {
                for (place, (stamp, token)) in inside(signature, carried).enumerate() {
                    let id = stamp_id(*index, Some(place));
                    writer.stamp(xml, &id, Some(token), &stamp.checks, (stamp.time, None), &stamp.verdict);
                }
            }
            objects.write(xml);
        });
    });
    xml.finish()
}

/// What the file carries about one signature of the report.
#[derive(Default)]
struct Carried<'e> {
    lying: Option<&'e Signature>,
    cms: Option<&'e SignedData>,
    signer: Option<&'e Signer>,
    certificate: Option<Certificate>,
    /// SHA-256 of what was signed.
    digest: Option<[u8; 32]>,
}

/// In the order of the report's signatures.
fn carried(evidence: &Evidence) -> Vec<Carried<'_>> {
    match &evidence.opened {
        Opened::Pdf { reading, envelopes } => {
            let carried = reading.signatures.iter().zip(envelopes).map(|(lying, envelope)| {
                let cms = envelope.cms.as_ref().ok();
                Carried {
                    lying: Some(lying),
                    cms,
                    signer: cms.and_then(|cms| cms.signers.first()),
                    certificate: envelope.certificate.clone(),
                    digest: Some(envelope.digest).filter(|digest| *digest != [0; 32]),
                }
            });
            carried.collect()
        }
        Opened::Cms(signed) => {
            let content = signed.content.as_ref().or(evidence.content.as_ref());
            let carried = signed.signers.iter().map(|signer| Carried {
                lying: None,
                cms: Some(signed),
                signer: Some(signer),
                certificate: signed.certificate_of(signer),
                digest: content.map(|content| sha256(content)),
            });
            carried.collect()
        }
        Opened::UnreadablePdf(_) | Opened::Ofd(_) | Opened::UnreadableOfd(_) | Opened::Unknown => Vec::new(),
    }
}

/// The time stamps inside a signature, each with its token, in the order in which they lie there.
fn inside<'r>(
    signature: &'r SignatureReport,
    carried: &'r Carried<'_>,
) -> impl Iterator<Item = (&'r StampReport, &'r [u8])> {
    let attributes = carried.signer.into_iter().flat_map(|signer| &signer.unsigned_attributes);
    let tokens = attributes.filter(|attribute| attribute.oid == rfc3161::ID_AA_TIME_STAMP_TOKEN);
    signature.time_stamps.iter().zip(tokens.flat_map(|attribute| attribute.values.iter().map(Vec::as_slice)))
}

fn stamp_id(signature: usize, place: Option<usize>) -> String {
    match place {
        None => format!("T-{}", signature + 1),
        Some(place) => format!("T-{}-{}", signature + 1, place + 1),
    }
}

struct Writer<'e> {
    report: &'e Report,
    evidence: &'e Evidence,
    whole: [u8; 32],
}

impl Writer<'_> {
    /// The children of a `SignatureValidationReport` (§4.2.4).
    fn signature(
        &self,
        xml: &mut Xml,
        index: usize,
        signature: &SignatureReport,
        carried: &Carried<'_>,
        objects: &mut Objects,
    ) {
        carried.cms.into_iter().for_each(|cms| objects.take(cms));
        let id = self.identifier(xml, index, carried);
        constraints(xml, &signature.checks);
        self.times(xml, signature.proven_time, signature.proven_by.as_ref());
        if let Some(digest) = &carried.digest {
            xml.parent("SignersDocument", |xml| {
                digest_of(xml, digest);
                refer(xml, "SignersDocumentRef", &data_id(&self.whole));
            });
        }
        attributes(xml, index, signature, carried);
        if let Some(certificate) = &carried.certificate {
            objects.certificate(certificate.der());
            xml.parent("SignerInformation", |xml| {
                refer(xml, "SignerCertificate", &certificate_id(certificate));
                signature.signer.iter().for_each(|signer| xml.leaf("Signer", signer));
            });
        }
        xml.parent("SignatureValidationProcess", |xml| {
            // §4.2.9: with proof of an earlier existence the long-term process was run.
            let process = if signature.proven_time.is_some() { "LTVM" } else { "Basic" };
            xml.leaf("SignatureValidationProcessID", &format!("urn:etsi:019102:validationprocess:{process}"));
        });
        xml.parent("SignatureValidationStatus", |xml| {
            status(xml, "total-", &signature.verdict);
            xml.parent("AssociatedValidationReportData", |xml| {
                self.chain(xml, signature, carried, objects);
                if let Some(signer) = carried.signer {
                    let weak = signature.verdict.sub_indication() == Some(SubIndication::CryptoConstraintsFailureNoPoe);
                    xml.parent("CryptoInformation", |xml| {
                        refer(xml, "ValidationObjectId", &id);
                        xml.leaf("Algorithm", &format!("urn:oid:{}", signer.signature_algorithm.oid));
                        xml.leaf("SecureAlgorithm", if weak { "false" } else { "true" });
                    });
                }
                xml.parent("AdditionalValidationReportData", |xml| {
                    let words = |value: serde_json::Result<serde_json::Value>| {
                        value.ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
                    };
                    let said = [
                        ("field", signature.name.clone()),
                        ("intact", signature.intact.to_string()),
                        ("coverage", words(serde_json::to_value(signature.coverage))),
                        ("later-changes", words(serde_json::to_value(signature.later_changes))),
                        ("log", signature.log.as_ref().map_or_else(|| "none".to_owned(), |log| log.words().1)),
                    ];
                    let level = signature.level.map(|level| ("pades-level", level.as_str().to_owned()));
                    for (name, value) in said.into_iter().chain(level) {
                        xml.parent("ReportData", |xml| {
                            xml.leaf("Type", &format!("urn:yinxin:report:{name}"));
                            xml.leaf("Value", &value);
                        });
                    }
                });
            });
        });
    }

    fn identifier(&self, xml: &mut Xml, index: usize, carried: &Carried<'_>) -> String {
        let value = carried.signer.map(|signer| signer.signature.as_slice());
        // The same value may lie in a file twice, an identifier may not.
        let id = format!("S-{}-{}", index + 1, hex::encode_upper(sha256(value.unwrap_or_default())));
        xml.element("SignatureIdentifier", &[("id", &id)], |xml| {
            carried.digest.iter().for_each(|digest| digest_of(xml, digest));
            value.into_iter().for_each(|value| xml.leaf("ds:SignatureValue", &BASE64_STANDARD.encode(value)));
            xml.leaf("HashOnly", "false");
            xml.leaf("DocHashOnly", "false");
        });
        id
    }

    /// §4.2.6. Without a proof the signature existed when it was judged, and no earlier moment is known.
    fn times(&self, xml: &mut Xml, proven: Option<OffsetDateTime>, by: Option<&By>) {
        xml.parent("ValidationTimeInfo", |xml| {
            xml.leaf("ValidationTime", &moment(self.report.judged_at));
            xml.parent("BestSignatureTime", |xml| {
                xml.leaf("POETime", &moment(proven.unwrap_or(self.report.judged_at)));
                // Our own ledger is told to the validation; a time stamp is found by it.
                let kind = if by == Some(&By::Ledger) { "provided" } else { "validation" };
                xml.leaf("TypeOfProof", &format!("urn:etsi:019102:poetype:{kind}"));
            });
        });
    }

    /// Trust anchor and chain, where a path was found: from the signer up, each signed by the next.
    fn chain(&self, xml: &mut Xml, signature: &SignatureReport, carried: &Carried<'_>, objects: &mut Objects) {
        let (true, Some(signer)) = (signature.trusted, &carried.certificate) else { return };
        let chain = climb(self.evidence, carried, signer);
        let Some((anchor, below)) = chain.split_last() else { return };
        chain.iter().for_each(|certificate| objects.certificate(certificate.der()));
        let anchor = certificate_id(anchor);
        refer(xml, "TrustAnchor", &anchor);
        xml.parent("CertificateChain", |xml| {
            refer(xml, "SigningCertificate", &certificate_id(signer));
            for certificate in below.iter().skip(1) {
                refer(xml, "IntermediateCertificate", &certificate_id(certificate));
            }
            refer(xml, "TrustAnchor", &anchor);
        });
    }

    /// A time stamp as a validation object (§4.4) with its own report inside; its token, where it lies within another file.
    fn stamp(
        &self,
        xml: &mut Xml,
        id: &str,
        token: Option<&[u8]>,
        checks: &[Check],
        (proven, by): (Option<OffsetDateTime>, Option<&By>),
        verdict: &Verdict,
    ) {
        xml.element("ValidationObject", &[("id", id)], |xml| {
            xml.leaf("ObjectType", "urn:etsi:019102:validationObject:timestamp");
            xml.parent("ValidationObjectRepresentation", |xml| match token {
                Some(token) => xml.leaf("base64", &BASE64_STANDARD.encode(token)),
                // A time stamp by itself is the file.
                None => digest_of(xml, &self.whole),
            });
            xml.parent("ValidationReport", |xml| {
                constraints(xml, checks);
                self.times(xml, proven, by);
                xml.parent("SignatureValidationStatus", |xml| status(xml, "", verdict));
            });
        });
    }
}

/// §4.2.5.
fn constraints(xml: &mut Xml, checks: &[Check]) {
    xml.parent("ValidationConstraintsEvaluationReport", |xml| {
        xml.parent("SignatureValidationPolicy", |xml| {
            xml.parent("SignaturePolicyIdentifier", |xml| xml.leaf("xades:SignaturePolicyImplied", ""));
            xml.leaf("PolicyName", "yinxin");
        });
        for check in checks {
            xml.parent("ValidationConstraint", |xml| {
                xml.leaf("ValidationConstraintIdentifier", &format!("urn:yinxin:check:{}", check.id));
                let main = match check.outcome {
                    Outcome::Passed => Some("passed"),
                    Outcome::Failed => Some("failed"),
                    Outcome::Indeterminate => Some("indeterminate"),
                    Outcome::Info => None,
                };
                let applied = if main.is_some() { "applied" } else { "disabled" };
                xml.parent("ConstraintStatus", |xml| {
                    xml.leaf("Status", &format!("urn:etsi:019102:constraintStatus:{applied}"));
                });
                if let Some(main) = main {
                    xml.parent("ValidationStatus", |xml| {
                        xml.leaf("MainIndication", &format!("urn:etsi:019102:mainindication:{main}"));
                        check.sub_indication.iter().for_each(|sub| sub_indication(xml, *sub));
                    });
                }
                let said = &check.message;
                xml.leaf("Indications", &format!("{} | {} | {}", said.zh, said.en, check.clause));
            });
        }
    });
}

/// Annex A.
fn attributes(xml: &mut Xml, index: usize, signature: &SignatureReport, carried: &Carried<'_>) {
    let digest = carried.signer.and_then(|signer| signer.message_digest());
    let lying = carried.lying;
    if signature.signed_at.is_none() && digest.is_none() && lying.is_none() && carried.certificate.is_none() {
        return;
    }
    let signed = [("Signed", "true")];
    xml.parent("SignatureAttributes", |xml| {
        if let Some(at) = signature.signed_at {
            xml.element("SigningTime", &signed, |xml| xml.leaf("Time", &moment(at)));
        }
        if let Some(certificate) = &carried.certificate {
            xml.element("SigningCertificate", &signed, |xml| {
                refer(xml, "AttributeObject", &certificate_id(certificate));
            });
        }
        if let Some(digest) = digest {
            xml.element("MessageDigest", &signed, |xml| xml.leaf("Digest", &BASE64_STANDARD.encode(digest)));
        }
        for (place, (stamp, _)) in inside(signature, carried).enumerate() {
            let Some(time) = stamp.time else { continue };
            xml.element("SignatureTimeStamp", &[("Signed", "false")], |xml| {
                refer(xml, "AttributeObject", &stamp_id(index, Some(place)));
                xml.leaf("TimeStampValue", &moment(time));
            });
        }
        let Some(lying) = lying else { return };
        for (element, inner, text) in [
            ("Reason", "ReasonElement", lying.reason.as_deref()),
            ("Name", "NameElement", lying.name.as_deref()),
            ("SubFilter", "SubFilterElement", Some(lying.sub_filter.as_str())),
        ] {
            if let Some(text) = text {
                xml.element(element, &signed, |xml| xml.leaf(inner, text));
            }
        }
        let range: Vec<String> = lying.byte_range.iter().map(|(at, length)| format!("{at} {length}")).collect();
        xml.leaf("ByteRange", &range.join(" "));
    });
}

/// MainIndication and SubIndication (§4.2.10); those of a signature as a whole begin with `total-`, save the third.
fn status(xml: &mut Xml, total: &str, verdict: &Verdict) {
    let main = match verdict {
        Verdict::Genuine(_) => format!("{total}passed"),
        Verdict::Indeterminate(_) => "indeterminate".into(),
        Verdict::Failed(_) => format!("{total}failed"),
    };
    xml.leaf("MainIndication", &format!("urn:etsi:019102:mainindication:{main}"));
    verdict.sub_indication().into_iter().for_each(|sub| sub_indication(xml, sub));
}

fn sub_indication(xml: &mut Xml, sub: SubIndication) {
    let name = serde_json::to_value(sub).ok();
    if let Some(name) = name.as_ref().and_then(|name| name.as_str()) {
        xml.leaf("SubIndication", &format!("urn:etsi:019102:subindication:{name}"));
    }
}

/// From the signer to a certificate of the caller's trust.
fn climb(evidence: &Evidence, carried: &Carried<'_>, signer: &Certificate) -> Vec<Certificate> {
    let anchors = &evidence.trust.anchors;
    let mut known: Vec<Certificate> = anchors.iter().chain(&evidence.trust.intermediates).cloned().collect();
    if let Some(cms) = carried.cms {
        known.extend(cms.certificates.iter().filter_map(|der| Certificate::read(der).ok()));
    }
    let mut chain = vec![signer.clone()];
    while let Some(last) = chain.last()
        && !anchors.iter().any(|anchor| anchor.der() == last.der())
        && chain.len() < crate::limits::PATH_CERTIFICATES
    {
        let issued = |issuer: &&Certificate| {
            issuer.subject == last.issuer && last.is_signed_by(&issuer.public_key).is_ok() && issuer.der() != last.der()
        };
        match known.iter().find(issued) {
            Some(issuer) => chain.push(issuer.clone()),
            None => return Vec::new(),
        }
    }
    chain
}

/// Certificates and lists that the report speaks of, each once.
#[derive(Default)]
struct Objects {
    found: Vec<ValidationObject>,
}

struct ValidationObject {
    id: String,
    kind: &'static str,
    content: Content,
}

enum Content {
    Whole(Vec<u8>),
    /// SHA-256.
    Digest([u8; 32]),
}

impl Objects {
    fn take(&mut self, cms: &SignedData) {
        cms.certificates.iter().for_each(|der| self.certificate(der));
        for list in &cms.crls {
            // Lists run to megabytes: their digest tells which was used.
            let digest = sha256(list);
            self.add(format!("R-{}", hex::encode_upper(digest)), "CRL", Content::Digest(digest));
        }
    }

    fn certificate(&mut self, der: &[u8]) {
        self.add(format!("C-{}", hex::encode_upper(sha256(der))), "certificate", Content::Whole(der.to_vec()));
    }

    fn data(&mut self, digest: &[u8; 32]) {
        self.add(data_id(digest), "signedData", Content::Digest(*digest));
    }

    fn add(&mut self, id: String, kind: &'static str, content: Content) {
        if !self.found.iter().any(|known| known.id == id) {
            self.found.push(ValidationObject { id, kind, content });
        }
    }

    fn write(&self, xml: &mut Xml) {
        for ValidationObject { id, kind, content } in &self.found {
            xml.element("ValidationObject", &[("id", id)], |xml| {
                xml.leaf("ObjectType", &format!("urn:etsi:019102:validationObject:{kind}"));
                xml.parent("ValidationObjectRepresentation", |xml| match content {
                    Content::Whole(bytes) => xml.leaf("base64", &BASE64_STANDARD.encode(bytes)),
                    Content::Digest(digest) => digest_of(xml, digest),
                });
            });
        }
    }
}

fn certificate_id(certificate: &Certificate) -> String {
    format!("C-{}", hex::encode_upper(certificate.fingerprint()))
}

fn data_id(digest: &[u8; 32]) -> String {
    format!("D-{}", hex::encode_upper(digest))
}

fn refer(xml: &mut Xml, element: &str, id: &str) {
    xml.element(element, &[("VOReference", id)], |_| {});
}

fn digest_of(xml: &mut Xml, digest: &[u8; 32]) {
    xml.parent("DigestAlgAndValue", |xml| {
        xml.element("ds:DigestMethod", &[("Algorithm", SHA256)], |_| {});
        xml.leaf("ds:DigestValue", &BASE64_STANDARD.encode(digest));
    });
}

/// `xs:dateTime`, UTC.
fn moment(at: OffsetDateTime) -> String {
    at.to_offset(time::UtcOffset::UTC).format(&Rfc3339).unwrap_or_default()
}
