#!/usr/bin/env python3
"""Writes partitioner.tsv: keys with their hashes and partitions, computed without the library under test.

CRC-32 is zlib's. murmur2 and FNV-1a are written out here after their public descriptions, on Python's integers.
`--check` sends the keys through another client (PyPI: confluent-kafka) and compares the partitions it chooses.

    python3 tests/vectors/partitioner.py > tests/vectors/partitioner.tsv
"""

import sys
import zlib

WORD = 0xFFFFFFFF
COUNTS = (1, 2, 3, 4, 7, 12, 100, 1000, 2147483647)


def murmur2(key):
    m = 0x5BD1E995
    h = 0x9747B28C ^ len(key)
    whole = len(key) // 4 * 4
    for at in range(0, whole, 4):
        k = int.from_bytes(key[at : at + 4], "little") * m & WORD
        k = (k ^ k >> 24) * m & WORD
        h = (h * m & WORD) ^ k
    if key[whole:]:
        h = (h ^ int.from_bytes(key[whole:], "little")) * m & WORD
    h = (h ^ h >> 13) * m & WORD
    return h ^ h >> 15


def fnv1a(key):
    h = 2166136261
    for byte in key:
        h = (h ^ byte) * 16777619 & WORD
    return h


def signed(number):
    return number - (1 << 32) if number >> 31 else number


def partitions(key, count):
    """By consistent, murmur2 and fnv1a."""
    return (
        zlib.crc32(key) % count,
        (murmur2(key) & 0x7FFFFFFF) % count,
        abs(signed(fnv1a(key))) % count,
    )


def keys():
    yield b""
    yield from (b"kafka", b"giberish123456789", b"21", b"foobar", b"abc", b"\0", b"\0\0\0\0", b"\xff" * 7)
    yield from ("Zoë".encode(), "鍵".encode(), "ключ".encode())
    yield FNV_LEAST
    state = 1
    for length in range(1, 70):
        key = bytearray()
        for _ in range(length):
            state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
            key.append(state >> 56)
        yield bytes(key)
    for number in range(120):
        yield b"key-%d" % number
    yield bytes(range(256)) * 5


# Its FNV-1a is 0x80000000, of which the absolute value is no signed 32-bit number.
FNV_LEAST = b"nevaoPb"


def check():
    from confluent_kafka import Producer

    for column, kind in enumerate(("consistent", "murmur2", "fnv1a")):
        for name in (kind, kind + "_random"):
            producer = Producer({"test.mock.num.brokers": 1, "partitioner": name, "linger.ms": 0})
            found = {}

            def report(error, message):
                assert error is None, error
                found[message.key() or b""] = message.partition()

            for key in keys():
                if key or name == kind or kind != "consistent":
                    producer.produce("t", key=key, value=b"v", on_delivery=report)
            producer.flush(30)
            for key, partition in found.items():
                # A topic of the embedded cluster has four partitions.
                assert partition == partitions(key, 4)[column], (name, key, partition)
            print(f"{name}: {len(found)} keys agree")


def main():
    if "--check" in sys.argv:
        check()
        return
    print("# key (hex)\tcrc32\tmurmur2\tfnv1a\tcount:consistent,murmur2,fnv1a …")
    for key in keys():
        chosen = " ".join(f"{n}:" + ",".join(map(str, partitions(key, n))) for n in COUNTS)
        print(f"{key.hex()}\t{zlib.crc32(key):08x}\t{murmur2(key):08x}\t{fnv1a(key):08x}\t{chosen}")


if __name__ == "__main__":
    main()
