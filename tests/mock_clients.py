#!/usr/bin/env python3
"""Independent Kafka clients against the embedded broker.

    python3 tests/mock_clients.py path/to/rkafka-broker

Needs kcat (Debian package) and confluent-kafka (PyPI). Both produce to the broker and consume from it: every codec, with
and without idempotence, with keys, headers, timestamps, null and large values, as brokers of several releases. Every
message must come back byte for byte, to both. Ends with a non-zero code at the first mismatch.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

from confluent_kafka import (TIMESTAMP_CREATE_TIME, Consumer, KafkaException, Producer, TopicPartition)
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
PARTITIONS = 3
TIMEOUT = 30


def fail(what):
    print(f"FAILED: {what}", flush=True)
    sys.exit(1)


def check(what, got, expected):
    if got != expected:
        text_got, text_expected = repr(got), repr(expected)
        fail(f"{what}:\n  got      {text_got[:2000]}\n  expected {text_expected[:2000]}")


class Broker:
    """The program, on ports that the system chooses."""

    def __init__(self, path, *args):
        self.process = subprocess.Popen([path, "--listen", "127.0.0.1:0", *args], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            fail(f"the broker said {line!r}")
        self.bootstrap = line.split()[-1]

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = "none: it did not end on SIGINT"
        if kind is None:
            check("exit code of the broker", code, 0)


def messages(n, text_only):
    """Partition, key, value, headers, timestamp of n messages."""
    base = 1_700_000_000_000
    out = []
    for i in range(n):
        key = None if i % 5 == 0 else f"key-{i}".encode()
        value = f"value-{i}-".encode() + b"x" * (i % 50)
        headers = [("h1", f"a{i}".encode()), ("h2", b"b")] if i % 3 == 0 else []
        if not text_only:
            if i % 17 == 0:
                value = None
            elif i % 19 == 0:
                value = b""
            elif i % 23 == 0:
                value = bytes(range(256)) * 800
            if i % 7 == 0:
                headers = headers + [("null", None), ("bin", bytes([0, 255, 10])), ("h1", b"again")]
        out.append((i % PARTITIONS, key, value, headers, base + i))
    return out


def produce_confluent(bootstrap, topic, codec, idempotence, msgs):
    producer = Producer({
        "bootstrap.servers": bootstrap,
        "compression.type": codec,
        "enable.idempotence": idempotence,
        "linger.ms": 20,
        "message.timeout.ms": TIMEOUT * 1000,
    })
    offsets = {}
    errors = []

    def report(err, msg):
        if err is not None:
            errors.append(str(err))
        else:
            offsets.setdefault(msg.partition(), []).append(msg.offset())

    for partition, key, value, headers, timestamp in msgs:
        producer.produce(topic, value, key, partition, on_delivery=report, timestamp=timestamp, headers=headers)
        producer.poll(0)
    left = producer.flush(TIMEOUT)
    check(f"{topic}: messages without a report", left, 0)
    check(f"{topic}: delivery errors", errors, [])
    for partition, got in offsets.items():
        check(f"{topic}-{partition}: offsets of the reports", sorted(got), list(range(got[0], got[0] + len(got))))


def consume_confluent(bootstrap, topic, count):
    """All messages by partition, through assign, for consumer groups are not offered."""
    consumer = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": "none",
        "enable.auto.commit": False,
        "check.crcs": True,
        "fetch.wait.max.ms": 50,
    })
    consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
    got = {p: [] for p in range(PARTITIONS)}
    deadline = time.monotonic() + TIMEOUT
    while sum(len(v) for v in got.values()) < count:
        if time.monotonic() > deadline:
            fail(f"{topic}: {sum(len(v) for v in got.values())} of {count} messages came in {TIMEOUT} s")
        msg = consumer.poll(0.5)
        if msg is None:
            continue
        if msg.error():
            fail(f"{topic}: consumer: {msg.error()}")
        check(f"{topic}: offset", msg.offset(), len(got[msg.partition()]))
        kind, timestamp = msg.timestamp()
        check(f"{topic}: timestamp type", kind, TIMESTAMP_CREATE_TIME)
        got[msg.partition()].append((msg.key(), msg.value(), msg.headers() or [], timestamp))
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=TIMEOUT)
    check(f"{topic}: watermarks", (low, high), (0, len(got[0])))
    consumer.close()
    return got


def kcat(*args, stdin=None):
    r = subprocess.run(["kcat", *args], input=stdin, capture_output=True, timeout=2 * TIMEOUT)
    if r.returncode != 0:
        fail(f"kcat {' '.join(args)}: code {r.returncode}: {r.stderr.decode()}")
    return r.stdout


def consume_kcat(bootstrap, topic):
    """All messages by partition, as text."""
    out = kcat("-C", "-b", bootstrap, "-t", topic, "-o", "beginning", "-e", "-q", "-J", "-X", "check.crcs=true",
               "-X", "fetch.wait.max.ms=50")
    got = {p: [] for p in range(PARTITIONS)}
    for line in out.decode().splitlines():
        m = json.loads(line)
        check(f"{topic}: kcat: offset", m["offset"], len(got[m["partition"]]))
        flat = m.get("headers") or []
        headers = list(zip(flat[::2], flat[1::2]))
        got[m["partition"]].append((m["key"], m["payload"], headers, m["ts"]))
    return got


def produce_kcat(bootstrap, topic, codec, idempotence, n):
    """Keys and values of n messages with two headers each, to partition 1."""
    pairs = [(f"k{i}", f"kcat value {i} " + "y" * (i % 40)) for i in range(n)]
    args = ["-P", "-b", bootstrap, "-t", topic, "-p", "1", "-z", codec, "-K", ":", "-H", "from=kcat", "-H", "n=1",
            "-X", f"enable.idempotence={'true' if idempotence else 'false'}"]
    kcat(*args, stdin="".join(f"{k}:{v}\n" for k, v in pairs).encode())
    return pairs


def as_text(by_partition):
    text = lambda b: None if b is None else b.decode()
    return {p: [(text(k), text(v), [(h, text(x)) for h, x in hs], t) for k, v, hs, t in ms]
            for p, ms in by_partition.items()}


def split(msgs):
    out = {p: [] for p in range(PARTITIONS)}
    for partition, key, value, headers, timestamp in msgs:
        out[partition].append((key, value, headers, timestamp))
    return out


def both_ways(broker, name, codec, idempotence, n):
    """Each client's messages, read by both."""
    b = broker.bootstrap
    tag = f"{name}-{codec}-{'idempotent' if idempotence else 'plain'}"
    binary = messages(n, text_only=False)
    produce_confluent(b, f"{tag}-binary", codec, idempotence, binary)
    check(f"{tag}: confluent to confluent", consume_confluent(b, f"{tag}-binary", n), split(binary))
    text = messages(n, text_only=True)
    produce_confluent(b, f"{tag}-text", codec, idempotence, text)
    check(f"{tag}: confluent to kcat", consume_kcat(b, f"{tag}-text"), as_text(split(text)))

    pairs = produce_kcat(b, f"{tag}-kcat", codec, idempotence, n)
    headers = [("from", "kcat"), ("n", "1")]
    expected = [(k, v, headers) for k, v in pairs]
    by_confluent = as_text(consume_confluent(b, f"{tag}-kcat", n))
    check(f"{tag}: kcat to confluent", [m[:3] for m in by_confluent[1]], expected)
    by_kcat = consume_kcat(b, f"{tag}-kcat")
    check(f"{tag}: kcat to kcat", [m[:3] for m in by_kcat[1]], expected)
    check(f"{tag}: timestamps to both", [m[3] for m in by_kcat[1]], [m[3] for m in by_confluent[1]])
    print(f"ok {tag}", flush=True)


def admin(broker):
    """Creating, growing, listing and deleting topics; offsets by timestamp."""
    b = broker.bootstrap
    client = AdminClient({"bootstrap.servers": b})
    for f in client.create_topics([NewTopic("made", 2, 1)], operation_timeout=5).values():
        f.result(TIMEOUT)
    try:
        client.create_topics([NewTopic("made", 2, 1)])["made"].result(TIMEOUT)
        fail("a topic was created twice")
    except KafkaException as e:
        check("second creation", e.args[0].name(), "TOPIC_ALREADY_EXISTS")
    client.create_partitions([NewPartitions("made", 5)])["made"].result(TIMEOUT)
    listed = json.loads(kcat("-L", "-b", b, "-J"))
    check("brokers", [x["id"] for x in listed["brokers"]], [1, 2])
    partitions = {t["topic"]: t["partitions"] for t in listed["topics"]}["made"]
    check("leaders", [p["leader"] for p in partitions], [1, 2, 1, 2, 1])
    producer = Producer({"bootstrap.servers": b, "linger.ms": 0})
    for i in range(10):
        producer.produce("made", b"x", partition=0, timestamp=1000 + i * 100)
        producer.flush(TIMEOUT)
    out = kcat("-Q", "-b", b, "-t", "made:0:1350")
    check("offset by timestamp", out.decode().split(), ["made", "[0]", "offset", "4"])
    client.delete_topics(["made"])["made"].result(TIMEOUT)
    listed = json.loads(kcat("-L", "-b", b, "-J"))
    check("topics after deletion", [t for t in listed["topics"] if t["topic"] == "made"], [])
    print("ok admin", flush=True)


def main():
    if len(sys.argv) != 2 or not os.path.exists(sys.argv[1]):
        print(__doc__)
        sys.exit(2)
    if shutil.which("kcat") is None:
        fail("kcat is not installed")
    path = sys.argv[1]
    with Broker(path, "--brokers", "2", "--partitions", str(PARTITIONS)) as broker:
        for codec in CODECS:
            for idempotence in (False, True):
                both_ways(broker, "newest", codec, idempotence, 400)
        admin(broker)
    for release in ["0.11", "1.0", "2.0", "2.8", "3.0", "3.9", "4.0"]:
        with Broker(path, "--brokers", "2", "--partitions", str(PARTITIONS), "--release", release) as broker:
            # zstd came with 2.1.
            both_ways(broker, release, "zstd" if release >= "2.8" else "lz4", True, 100)
    # Faults that an idempotent producer must get over without a lost, doubled or reordered message.
    for seed in (1, 2):
        with Broker(path, "--brokers", "2", "--partitions", str(PARTITIONS), "--faults", str(seed)) as broker:
            msgs = messages(300, text_only=False)
            produce_confluent(broker.bootstrap, "faulty", "lz4", True, msgs)
            check(f"faults of seed {seed}", consume_confluent(broker.bootstrap, "faulty", 300), split(msgs))
            print(f"ok faults of seed {seed}", flush=True)
    print("all clients agree")


if __name__ == "__main__":
    main()
