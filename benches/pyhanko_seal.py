"""Seals draft.pdf again and again for some seconds; prints how often, and the CPU seconds it took."""
import io, sys, time
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers

signer = signers.SimpleSigner.load("key.pem", "cert.pem")
draft = open("draft.pdf", "rb").read()
meta = signers.PdfSignatureMetadata(
    field_name="Seal1", md_algorithm="sha256", subfilter=fields.SigSeedSubFilter.PADES,
    certify=True, docmdp_permissions=fields.MDPPerm.NO_CHANGES,
)


def seal():
    writer = IncrementalPdfFileWriter(io.BytesIO(draft))
    out = io.BytesIO()
    signers.sign_pdf(writer, meta, signer=signer, output=out)
    return out


seal()
start, before, times = time.monotonic(), time.process_time(), 0
while time.monotonic() - start < float(sys.argv[1]):
    seal()
    times += 1
print(times, time.process_time() - before)
