#!/usr/bin/env python3
"""Makes verify.json: SM2 values right and wrong, with verdicts, by an SM2 of its own in whole numbers (GM/T 0003.2). It is slow
and leaks everything; it holds no key but the standard's example. `--check [FILE]` judges what is there instead, with that SM2 and
with every other one that is here: gmssl (Python) and openssl; what is not here is said."""
import json, os, subprocess, sys, tempfile

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = (0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
     0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0)
IDENTITY = b"1234567812345678"
# GM/T 0003.5-2012, annex A.
D = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
K = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
MESSAGE = b"message digest"


def rotate(x, n):
    n %= 32
    return (x << n | x >> 32 - n) & 0xFFFFFFFF


def sm3(data):
    """GM/T 0004."""
    v = [0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E]
    data += b"\x80" + bytes(-(len(data) + 9) % 64) + (8 * len(data)).to_bytes(8, "big")
    p1 = lambda x: x ^ rotate(x, 15) ^ rotate(x, 23)
    for at in range(0, len(data), 64):
        w = [int.from_bytes(data[at + i:at + i + 4], "big") for i in range(0, 64, 4)]
        for j in range(16, 68):
            w.append(p1(w[j - 16] ^ w[j - 9] ^ rotate(w[j - 3], 15)) ^ rotate(w[j - 13], 7) ^ w[j - 6])
        a, b, c, d, e, f, g, h = v
        for j in range(64):
            t = 0x79CC4519 if j < 16 else 0x7A879D8A
            ss1 = rotate(rotate(a, 12) + e + rotate(t, j) & 0xFFFFFFFF, 7)
            ss2 = ss1 ^ rotate(a, 12)
            ff, gg = (a ^ b ^ c, e ^ f ^ g) if j < 16 else (a & b | a & c | b & c, e & f | ~e & g)
            tt1 = ff + d + ss2 + (w[j] ^ w[j + 4]) & 0xFFFFFFFF
            tt2 = gg + h + ss1 + w[j] & 0xFFFFFFFF
            a, b, c, d, e, f, g, h = tt1, a, rotate(b, 9), c, tt2 ^ rotate(tt2, 9) ^ rotate(tt2, 17), e, rotate(f, 19), g
        v = [x ^ y for x, y in zip(v, (a, b, c, d, e, f, g, h))]
    return b"".join(x.to_bytes(4, "big") for x in v)


def add(p, q):
    if p is None or q is None:
        return p or q
    if p[0] == q[0]:
        if (p[1] + q[1]) % P == 0:
            return None
        slope = (3 * p[0] * p[0] + A) * pow(2 * p[1], -1, P)
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, P)
    x = (slope * slope - p[0] - q[0]) % P
    return x, (slope * (p[0] - x) - p[1]) % P


def times(k, p):
    sum = None
    for bit in bin(k)[2:]:
        sum = add(sum, sum)
        if bit == "1":
            sum = add(sum, p)
    return sum


def octets(*numbers):
    return b"".join(number.to_bytes(32, "big") for number in numbers)


def z(key, identity=IDENTITY):
    return sm3((8 * len(identity)).to_bytes(2, "big") + identity + octets(A, B, *G, *key))


def sign(e, k, d=D):
    r = (e + times(k, G)[0]) % N
    return r, (k - r * d) * pow(1 + d, -1, N) % N


def integer(number):
    size = number.bit_length() // 8 + 1
    return b"\x02" + bytes([size]) + number.to_bytes(size, "big")


def sequence(*parts):
    body = b"".join(parts)
    return b"\x30" + bytes([len(body)]) + body


def value(r, s):
    return sequence(integer(r), integer(s))


def holds(point, message, signature):
    """The verdict of this SM2: "valid", "wrong", or "no-key"."""
    if len(point) == 65 and point[0] == 4:
        key = int.from_bytes(point[1:33], "big"), int.from_bytes(point[33:], "big")
    elif len(point) == 33 and point[0] in (2, 3):
        x = int.from_bytes(point[1:], "big")
        y = pow(x ** 3 + A * x + B, (P + 1) // 4, P)
        key = x, y if y % 2 == point[0] - 2 else P - y
    else:
        return "no-key"
    if not (key[0] < P and key[1] < P) or (key[1] ** 2 - key[0] ** 3 - A * key[0] - B) % P:
        return "no-key"
    numbers, rest = [], signature[2:]
    for _ in range(2):
        if len(rest) < 2 or len(rest) < 2 + rest[1]:
            return "wrong"
        numbers.append(int.from_bytes(rest[2:2 + rest[1]], "big"))
        rest = rest[2 + rest[1]:]
    r, s = numbers
    if value(r, s) != signature or not (0 < r < N and 0 < s < N):
        return "wrong"
    t = (r + s) % N
    at = add(times(s, G), times(t, key)) if t else None
    e = int.from_bytes(sm3(z(key) + message), "big")
    return "valid" if at and (e + at[0]) % N == r else "wrong"


def make():
    key = times(D, G)
    point = b"\x04" + octets(*key)
    digest = lambda message, identity=IDENTITY: int.from_bytes(sm3(z(key, identity) + message), "big")
    e = digest(MESSAGE)
    r, s = sign(e, K)
    right = value(r, s)
    cases = []

    def case(comment, verdict, value=right, point=point, message=MESSAGE):
        cases.append(dict(comment=comment, point=point.hex(), message=message.hex(), value=value.hex(), verdict=verdict))

    def first(comment, fits):
        k = next(k for k in range(1, 1 << 20) if fits(*sign(e, k)))
        case(comment, "valid", value(*sign(e, k)))

    # — right
    case("GM/T 0003.5-2012, annex A", "valid")
    first("r begins with a set bit", lambda r, s: r >> 255)
    first("r begins with a clear bit", lambda r, s: not r >> 255)
    first("r of 31 octets", lambda r, s: r < 1 << 247)
    first("s of 31 octets, its first bit set", lambda r, s: 1 << 247 <= s < 1 << 248)
    case("an empty message", "valid", value(*sign(digest(b""), K)), message=b"")
    long = bytes(range(256)) * 5
    case("a message over several blocks", "valid", value(*sign(digest(long), K)), message=long)
    case("the key's point compressed", "valid", point=bytes([2 + key[1] % 2]) + octets(key[0]))
    # — numbers that no signer makes
    case("r = 0", "wrong", value(0, s))
    case("s = 0", "wrong", value(r, 0))
    case("r = s = 0", "wrong", value(0, 0))
    case("r = n", "wrong", value(N, s))
    case("s = n", "wrong", value(r, N))
    case("r + n", "wrong", value(r + N, s))
    case("s + n", "wrong", value(r, s + N))
    case("r + 2^256", "wrong", value(r + (1 << 256), s))
    case("t = r + s = 0", "wrong", value(r, N - r))
    case("t = 0: r = n - 1 and s = 1", "wrong", value(N - 1, 1))
    case("n - s", "wrong", value(r, N - s))
    case("n - r", "wrong", value(N - r, s))
    case("r and s exchanged", "wrong", value(s, r))
    case("s + 1", "wrong", value(r, s + 1))
    # — made over something else
    case("another message", "wrong", message=b"message digesu")
    case("another key", "wrong", point=b"\x04" + octets(*times(D + 1, G)))
    case("the key's other point of the same x", "wrong", point=b"\x04" + octets(key[0], P - key[1]))
    case("an empty identity, as OpenSSL has it unless told", "wrong", value(*sign(digest(MESSAGE, b""), K)))
    case("the identity ALICE123@YAHOO.COM", "wrong", value(*sign(digest(MESSAGE, b"ALICE123@YAHOO.COM"), K)))
    case("the identity with a zero behind it", "wrong", value(*sign(digest(MESSAGE, IDENTITY + b"\0"), K)))
    case("no Z: e = SM3(message)", "wrong", value(*sign(int.from_bytes(sm3(MESSAGE), "big"), K)))
    twice = int.from_bytes(sm3(z(key) + sm3(MESSAGE)), "big")
    case("the message's digest in place of the message", "wrong", value(*sign(twice, K)))
    other = int.from_bytes(sm3(z(times(D + 1, G)) + MESSAGE), "big")
    case("Z of another key", "wrong", value(*sign(other, K)))
    x = times(K, G)[0] % N
    case("ECDSA on the same curve over e", "wrong", value(x, pow(K, -1, N) * (e + x * D) % N))
    # — forms
    case("r ‖ s", "wrong", octets(r, s))
    case("a zero in front of r", "wrong", sequence(b"\x02\x22\0\0" + octets(r), integer(s)))
    case("a zero in front of s", "wrong", sequence(integer(r), b"\x02\x22\0\0" + octets(s)))
    case("r negative: its zero left away", "wrong", sequence(b"\x02\x20" + octets(r), integer(s)))
    case("bytes behind", "wrong", right + b"\0")
    case("bytes behind, inside", "wrong", sequence(integer(r), integer(s), b"\0"))
    case("a third number", "wrong", sequence(integer(r), integer(s), integer(1)))
    case("one number", "wrong", sequence(integer(r)))
    case("a long length", "wrong", b"\x30\x81" + right[1:])
    case("an indefinite length", "wrong", b"\x30\x80" + right[2:] + b"\0\0")
    case("cut short", "wrong", right[:-1])
    case("a SET", "wrong", b"\x31" + right[1:])
    case("r an OCTET STRING", "wrong", right[:2] + b"\x04" + right[3:])
    case("numbers of no octets", "wrong", bytes.fromhex("300402000200"))
    case("an empty SEQUENCE", "wrong", b"\x30\0")
    case("nothing", "wrong", b"")
    # — points that are none
    case("a point off the curve", "no-key", point=point[:-1] + bytes([point[-1] ^ 1]))
    case("P-256's base point", "no-key", point=bytes.fromhex(
        "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"))
    case("the point at infinity", "no-key", point=b"\0")
    case("zeros", "no-key", point=b"\x04" + bytes(64))
    case("one octet short", "no-key", point=point[:-1])
    case("one octet long", "no-key", point=point + b"\0")
    case("x ‖ y without 04", "no-key", point=point[1:])
    root = lambda x: next((y for y in [pow(x ** 3 + A * x + B, (P + 1) // 4, P)] if (y * y - x ** 3 - A * x - B) % P == 0), 0)
    small = next(x for x in range(1, 100) if root(x))
    case("x + p", "no-key", point=b"\x04" + octets(small + P, root(small)))
    case("x = p", "no-key", point=b"\x04" + octets(P, root(0) or 1))
    case("no point with this x", "no-key", point=b"\2" + octets(next(x for x in range(1, 100) if not root(x))))
    case("nothing at all", "no-key", point=b"")
    return dict(identity=IDENTITY.decode(), cases=cases)


def gmssl_says():
    try:
        from gmssl import sm2
    except ImportError:
        return print("SKIPPED: gmssl is not installed (pip install gmssl)", file=sys.stderr)

    def says(point, message, signature):
        if len(point) != 65 or len(signature) < 8 or holds(point, message, signature) == "no-key":
            return None
        judge = sm2.CryptSM2(private_key="", public_key=point[1:].hex(), asn1=False)
        at = 4 + signature[3]
        r, s = (int.from_bytes(part, "big") for part in (signature[4:at], signature[at + 2:]))
        # It takes bare numbers alone, and looks at neither their form nor their range.
        if value(r, s) != signature or not (0 < r < N and 0 < s < N):
            return None
        e = sm3(z((int(point[1:33].hex(), 16), int(point[33:].hex(), 16))) + message)
        return "valid" if judge.verify(octets(r, s).hex(), e) else "wrong"
    return says


def openssl_says():
    try:
        version = subprocess.run(["openssl", "version"], capture_output=True, text=True).stdout
    except OSError:
        version = ""
    if not version.startswith("OpenSSL 3"):
        return print("SKIPPED: no openssl of version 3", file=sys.stderr)
    folder = tempfile.mkdtemp()
    at = lambda name: os.path.join(folder, name)

    def says(point, message, signature):
        head = bytes.fromhex("301306072a8648ce3d020106082a811ccf5501822d")
        bits = b"\x03" + bytes([len(point) + 1]) + b"\0" + point
        for name, content in (("key", sequence(head, bits)), ("message", message), ("value", signature)):
            with open(at(name), "wb") as file:
                file.write(content)
        line = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", at("key"), "-rawin", "-digest", "sm3",
                "-in", at("message"), "-sigfile", at("value"), "-pkeyopt", "distid:" + IDENTITY.decode()]
        done = subprocess.run(line, capture_output=True, text=True)
        if "Could not read" in done.stderr or "Could not find" in done.stderr:
            return "no-key"
        return "valid" if done.returncode == 0 else "wrong"
    return says


def check(file):
    judges = dict(ours=holds, gmssl=gmssl_says(), openssl=openssl_says())
    against = 0
    for case in file["cases"]:
        parts = [bytes.fromhex(case[part]) for part in ("point", "message", "value")]
        for name, judge in judges.items():
            said = judge and judge(*parts)
            # What refuses a key refuses the value too; who can tell the two apart is not the question.
            same = said == case["verdict"] or {said, case["verdict"]} == {"wrong", "no-key"}
            if said and not same:
                against += 1
                print(f"{name}: {case['comment']}: {said}, and not {case['verdict']}")
    names = ", ".join(name for name, judge in judges.items() if judge)
    print(f"{len(file['cases'])} values, judged by {names}: {against} against the file")
    return against


if __name__ == "__main__":
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "verify.json")
    if sys.argv[1:2] == ["--check"]:
        with open(sys.argv[2] if sys.argv[2:] else path) as file:
            sys.exit(1 if check(json.load(file)) else 0)
    with open(path, "w") as file:
        json.dump(make(), file, ensure_ascii=False, indent=1)
        file.write("\n")
