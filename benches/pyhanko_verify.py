"""Verifies page.pdf again and again for some seconds; prints how often, and the CPU seconds it took."""
import datetime, glob, io, logging, sys, time
from asn1crypto import crl, x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

logging.disable(logging.CRITICAL)
data = open("page.pdf", "rb").read()
root = x509.Certificate.load(open("root.der", "rb").read())
lists, others = [], []
for name in glob.glob("trust/*.der"):
    der = open(name, "rb").read()
    try:
        certificate = x509.Certificate.load(der)
        certificate.subject.native
        others.append(certificate)
    except Exception:
        lists.append(crl.CertificateList.load(der))
now = datetime.datetime(2026, 11, 21, 8, tzinfo=datetime.timezone.utc)


def verify():
    context = ValidationContext(
        trust_roots=[root], other_certs=others, crls=lists, moment=now, allow_fetching=False, revocation_mode="hard-fail"
    )
    signature = PdfFileReader(io.BytesIO(data)).embedded_signatures[0]
    status = validate_pdf_signature(signature, context)
    assert status.intact and status.valid and status.trusted, status.pretty_print_details()


verify()
start, before, times = time.monotonic(), time.process_time(), 0
while time.monotonic() - start < float(sys.argv[1]):
    verify()
    times += 1
print(times, time.process_time() - before)
