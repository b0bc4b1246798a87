"""SM2 signatures by gmssl over message.bin with key.hex, and their verification, each for some seconds; prints how often, and
the CPU seconds, of both."""
import sys, time
from gmssl import sm2

private, public = open("key.hex").read().split()
message = open("message.bin", "rb").read()
key = sm2.CryptSM2(private_key=private, public_key=public, asn1=True)
# Its own way of taking the mark of an uncompressed point off takes zeros and fours of the point too.
key.public_key = public


def times(work):
    start, before, count = time.monotonic(), time.process_time(), 0
    while time.monotonic() - start < float(sys.argv[1]):
        work()
        count += 1
    print(count, time.process_time() - before)


value = key.sign_with_sm3(message)
assert key.verify_with_sm3(value, message)
# What the program signed holds here too.
assert key.verify_with_sm3(open("value.hex").read(), message)
times(lambda: key.sign_with_sm3(message))
times(lambda: key.verify_with_sm3(value, message))
