"""The two ends of the end-to-end suite: the C program that produces, and two independent readers."""
import json
import random
import struct
import subprocess
import threading
import time
from dataclasses import dataclass, field

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

NOT_PERSISTED, POSSIBLY_PERSISTED, PERSISTED = 0, 1, 2


class Failure(Exception):
    """A check of the suite that did not hold."""


class Skipped(Exception):
    """A case that needs what the library refuses to be configured for."""


def expect(condition, *what):
    if not condition:
        raise Failure(" ".join(str(w) for w in what))


@dataclass(frozen=True)
class Message:
    topic: str
    partition: int = -1
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple = ()  # of (name, bytes or None)
    timestamp: int = 0

    def encode(self):
        """As c-tests/e2e_producer.c reads it."""
        def nullable(b):
            return struct.pack(">i", -1) if b is None else struct.pack(">i", len(b)) + b

        def name(s):
            return struct.pack(">H", len(s.encode())) + s.encode()

        return b"".join([name(self.topic), struct.pack(">iq", self.partition, self.timestamp), nullable(self.key),
                         nullable(self.value), struct.pack(">i", len(self.headers)),
                         *(name(n) + nullable(v) for n, v in self.headers)])


@dataclass(frozen=True)
class Record:
    """What a reader found in the log."""
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple


# ---- producing ----

class Producing:
    """A running e2e_producer. Reports are collected while it runs. `log`: an open file for its stderr."""

    def __init__(self, program, bootstrap, settings=(), flush_ms=90000, log=None):
        settings = {"bootstrap.servers": bootstrap, **dict(settings)}
        self.sent, self.reports, self.refused, self.faults, self.end = [], {}, {}, [], None
        self.started_ms = time.time() * 1000
        self.process = subprocess.Popen([program, "--flush-ms", str(flush_ms), *(f"{k}={v}" for k, v in settings.items())],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            r = json.loads(line)
            if "done" in r:
                self.end = r
            elif "refused" in r:
                self.refused[r["i"]] = r
            elif r["i"] in self.reports:
                self.faults.append(f"a second report for one message: {r}")
            else:
                self.reports[r["i"]] = r

    def feed(self, messages):
        messages = list(messages)
        self.sent += messages
        try:
            self.process.stdin.write(b"".join(m.encode() for m in messages))
            self.process.stdin.flush()
        except BrokenPipeError:
            status = self.process.wait()
            if status == 3:
                raise Skipped("the library refuses a setting of this case, see stderr") from None
            raise Failure(f"the producer ended early with status {status}") from None

    def wait_reports(self, count, timeout=60):
        end = time.monotonic() + timeout
        while len(self.reports) + len(self.refused) < count:
            expect(time.monotonic() < end, f"{len(self.reports)} of {count} reports after {timeout} s")
            time.sleep(0.02)

    def finish(self, timeout=150):
        """Ends the input and waits. Checks that every message has one report or was refused."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.abandon()
            raise Failure(f"the producer did not end within {timeout} s; "
                          f"{len(self.reports)} reports of {len(self.sent)}") from None
        self.reader.join()
        expect(status == 0, f"the producer ended with status {status}")
        expect(self.end and self.end["flush"] == 0 and self.end["left"] == 0, f"flush: {self.end}")
        expect(not self.faults, self.faults[:3])
        missing = [i for i in range(len(self.sent)) if i not in self.reports and i not in self.refused]
        expect(not missing, f"{len(missing)} messages without a report, first {missing[:5]}")
        both = [i for i in self.reports if i in self.refused]
        expect(not both, f"refused and reported: {both[:5]}")
        return self

    def abandon(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def delivered(self):
        return {i: r for i, r in self.reports.items() if r["err"] == 0}

    def failed(self):
        return {i: r for i, r in self.reports.items() if r["err"] != 0}

    def expect_all_delivered(self):
        bad = list(self.failed().values()) + list(self.refused.values())
        expect(not bad, f"{len(bad)} messages not delivered, as {bad[:2]}")


# ---- topics ----

class Topics:
    def __init__(self, bootstrap):
        self.admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})

    def create(self, name, partitions, copies=1, **config):
        # Old timestamps are part of the suite; time must not delete them.
        config = {"retention.ms": "-1", **{k.replace("_", "."): str(v) for k, v in config.items()}}
        self.admin.create_topics([NewTopic(name, partitions, copies, config=config)])[name].result(30)
        self.wait(name, partitions)
        return name

    def grow(self, name, partitions):
        self.admin.create_partitions([NewPartitions(name, partitions)])[name].result(30)
        self.wait(name, partitions)

    def delete(self, name):
        self.admin.delete_topics([name])[name].result(30)

    def describe(self, name):
        t = self.admin.list_topics(timeout=30).topics.get(name)
        return t.partitions if t else {}

    def wait(self, name, partitions):
        end = time.monotonic() + 30
        while True:
            p = self.describe(name)
            if len(p) == partitions and all(x.leader >= 0 for x in p.values()):
                return
            expect(time.monotonic() < end, f"topic {name} has not come to {partitions} partitions")
            time.sleep(0.1)

    def leader(self, name, partition):
        return self.describe(name)[partition].leader


# ---- reading ----

def read_confluent(bootstrap, topic, settle_s=0.0):
    """Every record of the topic, by librdkafka. `settle_s`: how long nothing new may come at the end."""
    c = Consumer({"bootstrap.servers": bootstrap, "group.id": f"reader-{time.time_ns()}", "enable.auto.commit": False,
                  "enable.partition.eof": True, "check.crcs": True, "log_level": 0, "fetch.wait.max.ms": 100})
    try:
        parts = sorted(c.list_topics(topic, 30).topics[topic].partitions)
        c.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in parts])
        records, at_end, last = [], set(), time.monotonic()
        while len(at_end) < len(parts) or time.monotonic() < last + settle_s:
            m = c.poll(0.2)
            if m is None:
                expect(time.monotonic() < last + 60, "the reader hears nothing for 60 s")
            elif m.error() and m.error().name() == "_PARTITION_EOF":
                at_end.add(m.partition())
            elif m.error():
                raise KafkaException(m.error())
            else:
                last = time.monotonic()
                at_end.discard(m.partition())
                records.append(Record(m.partition(), m.offset(), m.timestamp()[1], m.key(), m.value(),
                                      tuple(m.headers() or ())))
        return records
    finally:
        c.close()


def read_java(cluster, topic, count):
    """`count` records of the topic, by Kafka's own console consumer.

    It prints bytes as they are; separators that no message contains keep them apart.
    """
    tag = f"{random.getrandbits(64):016x}"
    mark = {name: f"<{name}{tag}>" for name in ("field", "record", "header", "null")}
    options = {"print.timestamp": "true", "print.partition": "true", "print.offset": "true", "print.headers": "true",
               "print.key": "true", "print.value": "true", "key.separator": mark["field"],
               "line.separator": mark["record"], "headers.separator": mark["header"], "null.literal": mark["null"]}
    command = cluster.tool_command("consumer.ConsoleConsumer", "--bootstrap-server",
                                   cluster.bootstrap(), "--topic", topic, "--from-beginning",
                                   "--max-messages", str(count), "--timeout-ms", "30000")
    command[1:1] = ["-Dstdout.encoding=UTF-8", "-Dfile.encoding=UTF-8"]
    for name, value in options.items():
        command += ["--formatter-property", f"{name}={value}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=180)
    expect(done.returncode == 0, f"ConsoleConsumer: {done.stderr.decode(errors='replace')[-500:]}")
    null = mark["null"].encode()

    def nullable(b):
        return None if b == null else b

    records = []
    for line in done.stdout.split(mark["record"].encode())[:-1]:
        when, partition, offset, headers, key, value = line.split(mark["field"].encode())
        pairs = [] if headers == b"NO_HEADERS" else [h.split(b":", 1) for h in headers.split(mark["header"].encode())]
        kind, _, at = when.decode().partition(":")
        expect(kind == "CreateTime", f"timestamp type {kind}")
        records.append(Record(int(partition[len("Partition:"):]), int(offset[len("Offset:"):]), int(at), nullable(key),
                              nullable(value), tuple((n.decode(), nullable(v)) for n, v in pairs)))
    expect(len(records) == count, f"ConsoleConsumer gave {len(records)} of {count} records")
    return records


# ---- comparing ----

def same(a, b):
    return sorted(a, key=lambda r: (r.partition, r.offset)) == sorted(b, key=lambda r: (r.partition, r.offset))


def check_log(producing, log, exactly=True, with_offsets=True):
    """Every delivered message is in the log where its report says, byte for byte.

    `exactly`: and there is nothing else. `with_offsets`: false for acks=0, whose reports know none.
    """
    at = {(r.partition, r.offset): r for r in log}
    delivered = producing.delivered()
    seen = set()
    for i, report in delivered.items():
        m = producing.sent[i]
        expect(m.partition in (-1, report["partition"]), f"message {i} for {m.partition} went to {report}")
        expect(report["key_len"] == len(m.key or b"") and report["len"] == len(m.value or b""), f"lengths: {report}")
        if not with_offsets:
            continue
        place = (report["partition"], report["offset"])
        expect(place not in seen, f"two reports name partition and offset {place}")
        seen.add(place)
        r = at.get(place)
        expect(r is not None, f"message {i} is not where its report says: {report}")
        expect((r.key, r.value, r.headers) == (m.key, m.value, tuple(m.headers)),
               f"message {i} differs:\n  sent {str(m)[:300]}\n  read {str(r)[:300]}")
        expect(report["status"] == PERSISTED, f"status of a delivered message: {report}")
        expect(report["timestamp"] == r.timestamp, f"timestamp {r.timestamp} in the log, in the report {report}")
        if m.timestamp:
            expect(r.timestamp == m.timestamp, f"timestamp {r.timestamp} instead of {m.timestamp}")
        else:
            expect(producing.started_ms - 2000 <= r.timestamp <= time.time() * 1000 + 2000, f"time of now: {r.timestamp}")
    if exactly:
        expect(len(log) == len(delivered), f"{len(log)} records in the log for {len(delivered)} delivered")


def check_order(producing):
    """In each partition the offsets rise in the order of produce."""
    last = {}
    for i, r in sorted(producing.delivered().items()):
        expect(r["offset"] > last.get(r["partition"], -1), f"message {i} overtook: {r}")
        last[r["partition"]] = r["offset"]
