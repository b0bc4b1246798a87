"""Signed PDFs that are encrypted, most of them with an owner's password only, and updates that others made to them, each
encrypted as its file is: `make.py` in the folder of the vectors, with qpdf and pyHanko. What is to be said of them is in
verdicts.tsv, by hand."""
import datetime, io, os, subprocess, tempfile
from asn1crypto import keys, x509
from cryptography import x509 as made
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko_certvalidator.registry import SimpleCertificateStore

name = generic.NameObject
key = ec.generate_private_key(ec.SECP256R1())
who = made.Name([made.NameAttribute(made.NameOID.COMMON_NAME, "yinxin vectors")])
start = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
certificate = (
    made.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key()).serial_number(1)
    .not_valid_before(start).not_valid_after(start.replace(year=2056))
    .add_extension(made.KeyUsage(True, True, *[False] * 7), critical=True).sign(key, hashes.SHA256())
)
der = serialization.Encoding.DER
signer = signers.SimpleSigner(
    x509.Certificate.load(certificate.public_bytes(der)),
    keys.PrivateKeyInfo.load(key.private_bytes(der, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())),
    SimpleCertificateStore(),
)

DRAFT = [
    "<</Type/Catalog/Pages 2 0 R/AcroForm 6 0 R>>",
    "<</Type/Pages/Kids[3 0 R]/Count 1>>",
    "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Annots[7 0 R]/Metadata 9 0 R/Resources<</Font<</F 5 0 R>>>>>>",
    "<</Length 48>>\nstream\nBT /F 24 Tf 72 700 Td (Pay one hundred) Tj ET \n\nendstream",
    "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    "<</Fields[7 0 R]/DA(/F 12 Tf)/DR<</Font<</F 5 0 R>>>>>>",
    "<</Type/Annot/Subtype/Widget/FT/Tx/T(amount)/Rect[72 600 272 620]/F 4/P 3 0 R/V(one)/DA(/F 12 Tf)/AP<</N 8 0 R>>>>",
    "<</Type/XObject/Subtype/Form/BBox[0 0 200 20]/Resources<</Font<</F 5 0 R>>>>/Length 26>>\nstream\nBT /F 12 Tf (one) Tj ET   \nendstream",
    "<</Type/Metadata/Subtype/XML/Length 11>>\nstream\n<x:xmpmeta>\nendstream",
    "<</Title(Permit)/CreationDate(D:20260101)>>",
]


def draft():
    file, at = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", []
    for number, object in enumerate(DRAFT, 1):
        at.append(len(file))
        file += f"{number} 0 obj\n{object}\nendobj\n".encode()
    table = "".join(f"{offset:010} 00000 n \n" for offset in at)
    end = f"xref\n0 {len(at) + 1}\n0000000000 65535 f \n{table}trailer\n<</Size {len(at) + 1}/Root 1 0 R/Info 10 0 R>>\n"
    return file + f"{end}startxref\n{len(file)}\n%%EOF\n".encode()


def encrypted(*settings, user="", more=()):
    with tempfile.TemporaryDirectory() as folder:
        before, after = os.path.join(folder, "before"), os.path.join(folder, "after")
        open(before, "wb").write(draft())
        words = ["qpdf", "--allow-weak-crypto", *more, "--encrypt", user, "owner", *settings, "--", before, after]
        subprocess.run(words, check=True)
        return open(after, "rb").read()


def opened(file, user=""):
    writer = IncrementalPdfFileWriter(io.BytesIO(file))
    if writer.prev.encrypted:
        writer.encrypt(user)
    return writer


def written(writer):
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def signed(writer, field="Seal1", level=fields.MDPPerm.FILL_FORMS):
    wanted = signers.PdfSignatureMetadata(
        field_name=field, certify=level is not None, docmdp_permissions=level or fields.MDPPerm.FILL_FORMS,
        reason="approved", name="yinxin", md_algorithm="sha256",
    )
    return signers.sign_pdf(writer, wanted, signer=signer, bytes_reserved=3072).getvalue()


def save(file, bytes):
    open(file, "wb").write(bytes)


AES256 = ["256"]
FILES = {
    "rc4-40": encrypted("40"),
    "rc4-128": encrypted("128", "--use-aes=n"),
    "rc4-v4": encrypted("128", "--use-aes=n", "--force-V4"),
    "aes-128": encrypted("128", "--use-aes=y"),
    "aes-128-metadata": encrypted("128", "--use-aes=y", "--cleartext-metadata"),
    "aes-256": encrypted(*AES256),
    "aes-256-packed": encrypted(*AES256, more=["--object-streams=generate"]),
    "aes-256-linear": encrypted(*AES256, more=["--linearize"]),
}
for file, bytes in FILES.items():
    save(f"{file}.pdf", signed(opened(bytes)))
# pyHanko does not know this one: it carries no signature.
save("aes-256-r5.pdf", encrypted("256", "--force-R5"))
save("password.pdf", signed(opened(encrypted(*AES256, user="user"), "user")))
save("plain.pdf", signed(opened(draft())))


# Signed as they are, and not encrypted throughout.
def identity():
    writer = opened(FILES["aes-256"])
    page = writer.root["/Pages"]["/Kids"][0]
    stream = generic.StreamObject(stream_data=b"BT /F 24 Tf 72 650 Td (Pay one million) Tj ET")
    stream.add_crypt_filter(name=name("/Identity"), handler=writer.security_handler)
    page["/Contents"] = generic.ArrayObject([page.raw_get("/Contents"), writer.add_object(stream)])
    writer.update_container(page)
    return signed(writer)


save("identity-stream.pdf", identity())


# What others do to a signed file.
def content(writer):
    stream = writer.root["/Pages"]["/Kids"][0]["/Contents"]
    stream._data = b"BT /F 24 Tf 72 700 Td (Pay one million) Tj ET"
    stream._encoded_data = None
    writer.update_container(stream)


def overlay(writer):
    page = writer.root["/Pages"]["/Kids"][0]
    stream = generic.StreamObject(stream_data=b"1 g 0 0 600 850 re f BT /F 24 Tf (Pay one million) Tj ET")
    page["/Contents"] = generic.ArrayObject([page.raw_get("/Contents"), writer.add_object(stream)])
    writer.update_container(page)


def form_of(writer, text):
    stream = generic.StreamObject(
        {
            name("/Type"): name("/XObject"), name("/Subtype"): name("/Form"),
            name("/BBox"): generic.ArrayObject(map(generic.NumberObject, [0, 0, 200, 20])),
            name("/Resources"): writer.root["/AcroForm"]["/DR"],
        },
        stream_data=text,
    )
    return writer.add_object(stream)


def note(writer):
    page = writer.root["/Pages"]["/Kids"][0]
    free = generic.DictionaryObject({
        name("/Type"): name("/Annot"), name("/Subtype"): name("/FreeText"),
        name("/Rect"): generic.ArrayObject(map(generic.NumberObject, [60, 690, 400, 730])),
        name("/DA"): generic.pdf_string("/F 24 Tf"), name("/Contents"): generic.pdf_string("Pay one million"),
    })
    page["/Annots"].append(writer.add_object(free))
    writer.update_container(page["/Annots"])
    writer.update_container(page)


def font(writer):
    font = writer.root["/Pages"]["/Kids"][0]["/Resources"]["/Font"]["/F"]
    font["/Encoding"] = generic.DictionaryObject({name("/Differences"): generic.ArrayObject(
        [generic.NumberObject(65), name("/B")])})
    writer.update_container(font)


def fill(writer):
    field = writer.root["/AcroForm"]["/Fields"][0]
    field["/V"] = generic.pdf_string("two")
    field["/AP"] = generic.DictionaryObject({name("/N"): form_of(writer, b"BT /F 12 Tf (two) Tj ET")})
    writer.update_container(field)


def title(writer):
    info = writer.trailer["/Info"]
    info["/Title"] = generic.pdf_string("Another")
    writer.update_container(info)


for file in ["rc4-128", "aes-128", "aes-256", "aes-256-packed"]:
    before = open(f"{file}.pdf", "rb").read()
    for change in [content, overlay, note, font, fill, title]:
        writer = opened(before)
        change(writer)
        after = written(writer)
        assert after.startswith(before)
        save(f"{file}.{change.__name__}.update", after[len(before):])
