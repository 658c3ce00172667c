# SPDX-License-Identifier: MIT
"""An independent decoder of HdrHistogram's V2 compressed encoding, as an oracle for the C one.

Usage: hdr_decode.py TEXT. Prints "n N" and one line "HIGHEST COUNT" for each value that has one,
where HIGHEST is the highest value that its counter stands for. Written from the format, with nothing but
the standard library."""
import base64
import math
import struct
import sys
import zlib


def counts(payload):
    """The counts in order; a run of k zeros is the one number -k."""
    at = 0
    while at < len(payload):
        value = shift = 0
        for place in range(9):
            byte = payload[at]
            at += 1
            value |= (byte if place == 8 else byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        number = (value >> 1) ^ -(value & 1)
        if number < 0:
            yield from [0] * -number
        else:
            yield number


def highest(index, lowest, digits):
    """The highest value of counter `index`."""
    unit = int(math.log2(lowest))
    half_bits = math.ceil(math.log2(2 * 10**digits)) - 1
    bucket = (index >> half_bits) - 1
    sub = (index & ((1 << half_bits) - 1)) + (1 << half_bits)
    if bucket < 0:
        bucket, sub = 0, sub - (1 << half_bits)
    return ((sub + 1) << (bucket + unit)) - 1


def main():
    packed = base64.b64decode(sys.argv[1], validate=True)
    cookie, length = struct.unpack(">ii", packed[:8])
    if cookie != 0x1C849314 or length != len(packed) - 8:
        sys.exit("not a V2 compressed histogram")
    raw = zlib.decompress(packed[8:])
    head = struct.unpack(">iiiiqqd", raw[:40])
    if head[0] != 0x1C849313 or head[1] != len(raw) - 40 or head[2] != 0 or head[6] != 1.0:
        sys.exit("not a V2 histogram")
    rows = [(i, c) for i, c in enumerate(counts(raw[40:])) if c]
    print("n", sum(c for _, c in rows))
    for index, count in rows:
        print(highest(index, head[4], head[3]), count)


main()
