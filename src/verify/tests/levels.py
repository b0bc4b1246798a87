"""What pyHanko says of a file's first signature at a time, with the root and the file alone: `levels.py FILE UNIX_TIME [CRL or OCSP response…]`."""
import asyncio, datetime, logging, sys
from asn1crypto import crl, ocsp, x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import ades
from pyhanko.sign.validation.policy_decl import (
    LocalKnowledge, PdfSignatureValidationSpec, RevinfoOnlineFetchingRule, RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.ltv import ades_past, poe
from pyhanko_certvalidator.ltv.types import ValidationTimingInfo
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager
from pyhanko_certvalidator.revinfo.archival import CRLContainer, OCSPContainer

logging.disable(logging.CRITICAL)
file, moment = sys.argv[1], int(sys.argv[2])
now = datetime.datetime.fromtimestamp(moment, tz=datetime.timezone.utc)


class Clock(datetime.datetime):
    """Two places ask the system and not `timing_info`; their clock is moved as well."""

    @classmethod
    def now(cls, tz=None):
        return now


ades_past.datetime = poe.datetime = Clock
read = lambda path: open(path, "rb").read()
root = x509.Certificate.load(open("root.der", "rb").read())
spec = SignatureValidationSpec(
    cert_validation_policy=CertValidationPolicySpec(
        trust_manager=SimpleTrustManager.build(trust_roots=[root]),
        revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO),
    ),
    revinfo_gathering_policy=RevocationInfoGatheringSpec(
        online_fetching_rule=RevinfoOnlineFetchingRule.LOCAL_ONLY,
    ),
    local_knowledge=LocalKnowledge(
        known_crls=[CRLContainer(crl.CertificateList.load(read(path))) for path in sys.argv[3:] if path.endswith("crl")],
        known_ocsps=[
            one for path in sys.argv[3:] if path.endswith("ocsp")
            for one in OCSPContainer.load_multi(ocsp.OCSPResponse.load(read(path)))
        ],
    ),
)
signature = PdfFileReader(open(file, "rb")).embedded_signatures[0]
timing = ValidationTimingInfo(validation_time=now, best_signature_time=now, point_in_time_validation=True)
result = asyncio.run(ades.ades_lta_validation(signature, PdfSignatureValidationSpec(spec), timing_info=timing))
indication = result.ades_subindic
changes = signature.diff_result
print(indication.status.name if indication.status.name == "PASSED" else indication, changes and changes.modification_level.name)
