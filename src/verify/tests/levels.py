"""What pyHanko says of the first signature of a file at a level and a time: `levels.py FILE lt|lta UNIX_TIME`."""
import asyncio, datetime, glob, logging, sys
from asn1crypto import crl, x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import ades
from pyhanko.sign.validation.policy_decl import (
    LocalKnowledge, PdfSignatureValidationSpec, RevinfoOnlineFetchingRule, RevocationInfoGatheringSpec,
    SignatureValidationSpec, CertificateFetchingRule,
)
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.ltv.types import ValidationTimingInfo
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager
from pyhanko_certvalidator.revinfo.archival import CRLContainer

logging.disable(logging.CRITICAL)
file, level, moment = sys.argv[1], sys.argv[2], int(sys.argv[3])
now = datetime.datetime.fromtimestamp(moment, tz=datetime.timezone.utc)
root = x509.Certificate.load(open("root.der", "rb").read())
lists = [crl.CertificateList.load(open(name, "rb").read()) for name in sorted(glob.glob("*.crl"))]
lists = [one for one in lists if one["tbs_cert_list"]["this_update"].native <= now]
spec = SignatureValidationSpec(
    cert_validation_policy=CertValidationPolicySpec(
        trust_manager=SimpleTrustManager.build(trust_roots=[root]),
        revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO),
    ),
    revinfo_gathering_policy=RevocationInfoGatheringSpec(
        online_fetching_rule=RevinfoOnlineFetchingRule.LOCAL_ONLY,
        cert_fetching_policy=CertificateFetchingRule.LOCAL_ONLY if hasattr(CertificateFetchingRule, "LOCAL_ONLY") else None,
    ),
    local_knowledge=LocalKnowledge(known_crls=[CRLContainer(one) for one in lists]),
)
signature = PdfFileReader(open(file, "rb")).embedded_signatures[0]
timing = ValidationTimingInfo(validation_time=now, best_signature_time=now, point_in_time_validation=True)
result = asyncio.run(ades.ades_lta_validation(signature, PdfSignatureValidationSpec(spec), timing_info=timing))
indication = result.ades_subindic
changes = signature.diff_result
print(indication.status.name if indication.status.name == "PASSED" else indication, changes and changes.modification_level.name)
