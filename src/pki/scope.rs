//! Which certificates a revocation list speaks of, and of which reasons (RFC 5280 §5.2.5, §6.3.3 (b) to (e)).

use const_oid::db::rfc5280;
use der::{Decode, Encode};
use x509_cert::ext::pkix::IssuingDistributionPoint;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};

use super::certificate::Certificate;
use super::name::Name;
use super::revocation::Extension;
use super::tlv::{self, Element};

/// Reasons of revocation, one bit each (RFC 5280 §4.2.1.13 ReasonFlags).
pub(super) type Reasons = u16;
/// All of them; bit 0 is unused.
pub(super) const EVERY_REASON: Reasons = 0x1FE;

/// Where a certificate says its revocation is to be found.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Point {
    place: Place,
    reasons: Reasons,
    /// Who makes the list, where that is not the certificate's issuer.
    makers: Vec<Name>,
}

#[derive(Clone, PartialEq, Eq)]
enum Place {
    Unnamed,
    /// DER GeneralNames.
    Named(Vec<Vec<u8>>),
    /// A DER RelativeDistinguishedName below the maker's name.
    Below(Vec<u8>),
}

impl Place {
    fn read(name: Option<DistributionPointName>) -> Option<Self> {
        Some(match name {
            None => Self::Unnamed,
            Some(DistributionPointName::FullName(names)) => {
                Self::Named(names.iter().map(Encode::to_der).collect::<Result<_, _>>().ok()?)
            }
            Some(DistributionPointName::NameRelativeToCRLIssuer(relative)) => Self::Below(relative.to_der().ok()?),
        })
    }

    /// RFC 5280 §4.2.1.13: a relative name is appended to the name of the list's maker.
    fn under(self, maker: &Name) -> Self {
        match self {
            Self::Below(relative) => {
                let above = Element::read_all(maker.as_der()).map(|name| name.content).unwrap_or_default();
                Self::Named(vec![tlv::wrap(tlv::context(4), &[&tlv::wrap(tlv::SEQUENCE, &[above, &relative])])])
            }
            place => place,
        }
    }
}

impl Point {
    /// None where it cannot be encoded again, which does not happen to what was read.
    pub(super) fn read(point: DistributionPoint) -> Option<Self> {
        let makers = point.crl_issuer.unwrap_or_default();
        let makers = makers.iter().filter_map(|maker| match maker {
            GeneralName::DirectoryName(name) => Some(name.to_der().map(|der| Name::from_der(&der))),
            _ => None,
        });
        Some(Self {
            place: Place::read(point.distribution_point)?,
            reasons: point.reasons.map_or(EVERY_REASON, |flags| flags.bits() & EVERY_REASON),
            makers: makers.collect::<Result<_, _>>().ok()?,
        })
    }

    /// With a relative name made whole, in a certificate of this issuer.
    pub(super) fn below(self, issuer: &Name) -> Self {
        let place = self.place.under(self.makers.first().unwrap_or(issuer));
        Self { place, ..self }
    }

    /// The addresses among its names.
    pub(super) fn urls(&self) -> Vec<String> {
        let Place::Named(names) = &self.place else { return Vec::new() };
        let uri = |der: &Vec<u8>| match GeneralName::from_der(der) {
            Ok(GeneralName::UniformResourceIdentifier(uri)) => Some(uri.to_string()),
            _ => None,
        };
        names.iter().filter_map(uri).collect()
    }
}

/// What a list says it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    users: bool,
    authorities: bool,
    /// DER GeneralNames; None where the list has no point of its own.
    places: Option<Vec<Vec<u8>>>,
    reasons: Reasons,
    /// Its lines may be about certificates of other issuers.
    pub(super) is_indirect: bool,
    /// Where it is a delta list: the number of the complete list that it adds to, big-endian.
    pub(super) base: Option<Vec<u8>>,
    /// Something that we do not follow: the list proves nothing.
    unsupported: Option<&'static str>,
}

impl Scope {
    /// Of a list of this maker; None where an extension cannot be read.
    pub(super) fn read(extensions: &[Extension<'_>], maker: &Name) -> Option<Self> {
        let mut scope = Self {
            users: false,
            authorities: false,
            places: None,
            reasons: EVERY_REASON,
            is_indirect: false,
            base: None,
            unsupported: None,
        };
        for extension in extensions {
            match extension.oid {
                rfc5280::ID_CE_DELTA_CRL_INDICATOR => {
                    let number = Element::read_all(extension.value).ok()?.expect(tlv::INTEGER).ok()?;
                    scope.base = Some(number.content.to_vec());
                }
                rfc5280::ID_CE_ISSUING_DISTRIBUTION_POINT => {
                    let point = IssuingDistributionPoint::from_der(extension.value).ok()?;
                    scope.users = point.only_contains_user_certs;
                    scope.authorities = point.only_contains_ca_certs;
                    scope.is_indirect = point.indirect_crl;
                    scope.reasons = point.only_some_reasons.map_or(EVERY_REASON, |flags| flags.bits() & EVERY_REASON);
                    if point.only_contains_attribute_certs {
                        scope.unsupported = Some("a list of attribute certificates");
                    }
                    scope.places = match Place::read(point.distribution_point)?.under(maker) {
                        Place::Named(names) => Some(names),
                        Place::Unnamed | Place::Below(_) => None,
                    };
                }
                rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER | rfc5280::ID_CE_CRL_NUMBER => {}
                _ if extension.critical => scope.unsupported = Some("a list with an unknown critical extension"),
                _ => {}
            }
        }
        Some(scope)
    }

    /// The reasons for which a list of `maker` speaks of this certificate, or why it does not.
    pub(super) fn reasons_for(&self, maker: &Name, certificate: &Certificate) -> Result<Reasons, &'static str> {
        if let Some(what) = self.unsupported {
            return Err(what);
        }
        match (self.users, self.authorities) {
            (true, _) if certificate.is_ca => return Err("user certificates only"),
            (_, true) if !certificate.is_ca => return Err("authority certificates only"),
            _ => {}
        }
        let by_issuer = maker.means(&certificate.issuer);
        let fits = |point: &&Point| {
            let maker_fits = match point.makers.as_slice() {
                [] => by_issuer,
                // §6.3.3 (b)(1).
                makers => self.is_indirect && makers.iter().any(|named| named.means(maker)),
            };
            // §6.3.3 (b)(2)(i).
            maker_fits
                && match (&self.places, &point.place) {
                    (None, _) => true,
                    (Some(own), Place::Named(asked)) => {
                        own.iter().any(|name| asked.iter().any(|other| same(name, other)))
                    }
                    (Some(own), _) => own
                        .iter()
                        .any(|name| directory_name(name).is_some_and(|own| point.makers.iter().any(|m| m.means(&own)))),
                }
        };
        let pointed = certificate.crl_points.iter().filter(fits).fold(0, |sum, point| sum | point.reasons);
        // §6.3.3, last paragraph: the issuer's own list without a point is about all of its certificates.
        let all = if by_issuer && self.places.is_none() { EVERY_REASON } else { 0 };
        match (pointed | all) & self.reasons {
            0 if !by_issuer => Err("another issuer's certificates"),
            0 => Err("another distribution point"),
            reasons => Ok(reasons),
        }
    }

    /// Whether a delta list of this scope adds to a complete one of that scope (RFC 5280 §5.2.4).
    pub(super) fn adds_to(&self, complete: &Self) -> bool {
        self.base.is_some() && *complete == Self { base: None, ..self.clone() }
    }
}

/// Equal as GeneralNames: as encoded, or as distinguished names.
fn same(one: &[u8], other: &[u8]) -> bool {
    one == other
        || match (directory_name(one), directory_name(other)) {
            (Some(one), Some(other)) => one.means(&other),
            _ => false,
        }
}

fn directory_name(general_name: &[u8]) -> Option<Name> {
    let element = Element::read_all(general_name).ok()?.expect(tlv::context(4)).ok()?;
    Some(Name::from_der(element.content))
}
