#!/usr/bin/env python3
"""Independent Kafka clients against the embedded broker.

    python3 tests/mock_clients.py path/to/rkafka-broker

Needs kcat (Debian package) and confluent-kafka (PyPI). Both produce to the broker and consume from it: every codec, with
and without idempotence, with keys, headers, timestamps, null and large values, as brokers of several releases. Every
message must come back byte for byte, to both. confluent-kafka also runs transactions: what a read_committed consumer gets
and which offsets a group has must be those of the committed ones. Ends with a non-zero code at the first mismatch.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

from confluent_kafka import (OFFSET_INVALID, TIMESTAMP_CREATE_TIME, Consumer, KafkaError, KafkaException, Producer,
                             TopicPartition)
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
PARTITIONS = 3
TIMEOUT = 30
RELEASES = ["0.11", "1.0", "2.0", "2.8", "3.0", "3.9", "4.0"]


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
        self.process = subprocess.Popen([path, "--listen", "127.0.0.1:0", *args], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            fail(f"the broker said {line!r}")
        self.bootstrap = line.split()[-1]

    def control(self, command):
        """What the broker answers to a command (needs --control)."""
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        word, _, answer = self.process.stdout.readline().strip().partition(" ")
        check(command, word, "ok")
        return answer

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
    """All messages by partition, through assign, for groups cannot be joined."""
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


# ---- transactions ----

def transactional(bootstrap, name, **settings):
    producer = Producer({
        "bootstrap.servers": bootstrap,
        "transactional.id": name,
        "linger.ms": 5,
        "transaction.timeout.ms": 60000,
        "log_level": 0,
        **{k.replace("_", "."): v for k, v in settings.items()},
    })
    producer.init_transactions(TIMEOUT)
    return producer


def transaction(producer, topics, values, commit):
    """Writes the values to each partition of each topic, in one transaction."""
    producer.begin_transaction()
    for value in values:
        for topic in topics:
            for partition in range(PARTITIONS):
                producer.produce(topic, value, partition=partition)
    if commit:
        producer.commit_transaction(TIMEOUT)
    else:
        # Without it the messages are purged before they are sent.
        producer.flush(TIMEOUT)
        producer.abort_transaction(TIMEOUT)


def read(bootstrap, topic, level):
    """Values by partition, up to the end that this isolation level has."""
    consumer = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": "none",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "check.crcs": True,
        "isolation.level": level,
        "fetch.wait.max.ms": 50,
        # Small fetches, so that aborted transactions span several.
        "max.partition.fetch.bytes": 2000,
    })
    consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
    got = {p: [] for p in range(PARTITIONS)}
    at_end = set()
    deadline = time.monotonic() + TIMEOUT
    while len(at_end) < PARTITIONS:
        if time.monotonic() > deadline:
            fail(f"{topic}: {level}: only partitions {at_end} ended in {TIMEOUT} s")
        msg = consumer.poll(0.5)
        if msg is None:
            continue
        if msg.error() and msg.error().code() == KafkaError._PARTITION_EOF:
            at_end.add(msg.partition())
        elif msg.error():
            fail(f"{topic}: {level}: {msg.error()}")
        else:
            got[msg.partition()].append(msg.value())
    consumer.close()
    return got


def everywhere(values):
    return {p: values for p in range(PARTITIONS)}


def committed(bootstrap, group, topic):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False})
    offsets = consumer.committed([TopicPartition(topic, p) for p in range(PARTITIONS)], TIMEOUT)
    consumer.close()
    return [o.offset for o in offsets]


def group_of(bootstrap, group):
    """A consumer that names the group, and its metadata."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False})
    return consumer, consumer.consumer_group_metadata()


def commits_and_aborts(b, what, topics, rounds):
    """Transactions of two producers in turn, every third aborted; what comes back is what was committed."""
    producers = [transactional(b, f"{what}-{i}") for i in range(2)]
    kept, all_values = [], []
    for i in range(rounds):
        values = [f"{what} {i} {n} ".encode() + b"z" * 150 for n in range(1 + i % 4)]
        transaction(producers[i % 2], topics, values, commit=i % 3 != 2)
        all_values += values
        kept += values if i % 3 != 2 else []
    for topic in topics:
        check(f"{topic}: read_committed", read(b, topic, "read_committed"), everywhere(kept))
        check(f"{topic}: read_uncommitted", read(b, topic, "read_uncommitted"), everywhere(all_values))
    print(f"ok transactions {what}", flush=True)


def open_transaction(b):
    """Nothing after an open transaction's first message is seen, whoever wrote it."""
    producer, other = transactional(b, "open"), transactional(b, "other")
    transaction(other, ["open"], [b"before"], commit=True)
    producer.begin_transaction()
    for p in range(PARTITIONS):
        producer.produce("open", b"in it", partition=p)
    producer.flush(TIMEOUT)
    transaction(other, ["open"], [b"after"], commit=True)
    check("beside an open transaction", read(b, "open", "read_committed"), everywhere([b"before"]))
    everything = [b"before", b"in it", b"after"]
    check("an open transaction, uncommitted", read(b, "open", "read_uncommitted"), everywhere(everything))
    producer.commit_transaction(TIMEOUT)
    check("when it is committed", read(b, "open", "read_committed"), everywhere(everything))
    print("ok open transaction", flush=True)


def offsets_in_transactions(b):
    """A group's offsets count with their transaction."""
    producer = transactional(b, "offsets")
    consumer, member = group_of(b, "group-1")
    check("offsets of a new group", committed(b, "group-1", "offsets"), [OFFSET_INVALID] * PARTITIONS)
    for commit, expected in [(False, [OFFSET_INVALID] * PARTITIONS), (True, [10, 11, 12]), (False, [10, 11, 12])]:
        producer.begin_transaction()
        for p in range(PARTITIONS):
            producer.produce("offsets", b"x", partition=p)
        start = 10 if commit else 70
        producer.send_offsets_to_transaction([TopicPartition("offsets", p, start + p) for p in range(PARTITIONS)],
                                             member, TIMEOUT)
        if commit:
            producer.commit_transaction(TIMEOUT)
        else:
            producer.abort_transaction(TIMEOUT)
        check(f"offsets after {'commit' if commit else 'abort'}", committed(b, "group-1", "offsets"), expected)
    # Offsets alone are a transaction too.
    producer.begin_transaction()
    producer.send_offsets_to_transaction([TopicPartition("offsets", 1, 99)], member, TIMEOUT)
    producer.commit_transaction(TIMEOUT)
    check("offsets alone", committed(b, "group-1", "offsets"), [10, 99, 12])
    consumer.commit(offsets=[TopicPartition("offsets", 0, 5)], asynchronous=False)
    check("offsets without a transaction", committed(b, "group-1", "offsets"), [5, 99, 12])
    consumer.close()
    print("ok offsets in transactions", flush=True)


def expect_fatal(what, names, call):
    try:
        call()
    except KafkaException as e:
        error = e.args[0]
        if error.name() not in names or not error.fatal():
            fail(f"{what}: {error.name()}, fatal {error.fatal()}: {error}")
        return
    fail(f"{what}: went well")


def fenced(b):
    """A newer instance aborts the transaction of the older and shuts it out."""
    old = transactional(b, "fenced")
    old.begin_transaction()
    for p in range(PARTITIONS):
        old.produce("fenced", b"old", partition=p)
    old.flush(TIMEOUT)
    new = transactional(b, "fenced")
    expect_fatal("commit of the old instance", ["_FENCED"], lambda: old.commit_transaction(TIMEOUT))
    transaction(new, ["fenced"], [b"new"], commit=True)
    check("fenced", read(b, "fenced", "read_committed"), everywhere([b"new"]))
    print("ok fenced", flush=True)


def timed_out(b):
    """A transaction that takes too long is aborted, and its producer shut out."""
    producer = transactional(b, "slow", transaction_timeout_ms=1000, message_timeout_ms=1000)
    producer.begin_transaction()
    for p in range(PARTITIONS):
        producer.produce("slow", b"slow", partition=p)
    producer.flush(TIMEOUT)
    other = transactional(b, "not-slow")
    transaction(other, ["slow"], [b"other"], commit=True)
    deadline = time.monotonic() + TIMEOUT
    while read(b, "slow", "read_committed") != everywhere([b"other"]):
        if time.monotonic() > deadline:
            fail(f"the transaction is not aborted after {TIMEOUT} s")
    expect_fatal("commit after the time", ["_FENCED"], lambda: producer.commit_transaction(TIMEOUT))
    print("ok timed out", flush=True)


def coordinator_moves(path):
    """Transactions go on while their coordinator moves, is slow to write markers, and errors come in between."""
    with Broker(path, "--brokers", "3", "--partitions", str(PARTITIONS), "--control") as broker:
        b = broker.bootstrap
        producer = transactional(b, "moving")
        consumer, member = group_of(b, "group-2")
        kept = []
        broker.control("transaction-delay 100")
        for i in range(12):
            broker.control(f"transaction-coordinator moving {1 + i % 3}")
            if i % 4 == 1:
                broker.control("push-errors EndTxn 14 15 16 51")
            if i % 4 == 2:
                broker.control("push-errors AddPartitionsToTxn 16 14 51")
                broker.control("push-errors AddOffsetsToTxn 14 16")
            if i % 4 == 3:
                broker.control(f"group-coordinator group-2 {1 + i // 4}")
                broker.control("push-errors TxnOffsetCommit 14 16")
            values = [f"{i}".encode()]
            producer.begin_transaction()
            for p in range(PARTITIONS):
                producer.produce("moving", values[0], partition=p)
            producer.send_offsets_to_transaction([TopicPartition("moving", 0, i)], member, TIMEOUT)
            producer.commit_transaction(TIMEOUT)
            kept += values
        deadline = time.monotonic() + TIMEOUT
        while read(b, "moving", "read_committed") != everywhere(kept):
            if time.monotonic() > deadline:
                check("coordinator moves", read(b, "moving", "read_committed"), everywhere(kept))
        check("offsets", committed(b, "group-2", "moving"), [11, OFFSET_INVALID, OFFSET_INVALID])
        check("offset by the broker", broker.control("committed group-2 moving 0"), "11")
        consumer.close()
    print("ok coordinator moves", flush=True)


def transactions(path):
    with Broker(path, "--brokers", "2", "--partitions", str(PARTITIONS)) as broker:
        b = broker.bootstrap
        commits_and_aborts(b, "newest", ["first", "second"], 30)
        open_transaction(b)
        offsets_in_transactions(b)
        fenced(b)
        timed_out(b)
    for release in RELEASES:
        with Broker(path, "--brokers", "2", "--partitions", str(PARTITIONS), "--release", release) as broker:
            commits_and_aborts(broker.bootstrap, release, ["first"], 6)
            # librdkafka wants TxnOffsetCommit v3 for groups (KIP-447).
            if release >= "2.8":
                offsets_in_transactions(broker.bootstrap)
    coordinator_moves(path)
    for seed in (3, 4):
        with Broker(path, "--brokers", "2", "--partitions", str(PARTITIONS), "--faults", str(seed)) as broker:
            commits_and_aborts(broker.bootstrap, f"faults of seed {seed}", ["faulty"], 6)


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
    transactions(path)
    for release in RELEASES:
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
