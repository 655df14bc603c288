"""Holds what producers were told against what is in the log."""
import time
from array import array

from confluent_kafka import OFFSET_BEGINNING, OFFSET_INVALID, Consumer, KafkaException, TopicPartition

NOT_PERSISTED, POSSIBLY_PERSISTED, PERSISTED = 0, 1, 2
PENDING, DELIVERED, NOT, POSSIBLY = 0, 1, 2, 3
QUIET_S = 60  # a reader that hears nothing for so long gives up


class Journal:
    """What one producer wrote down; a column for each thing, by the message's number."""

    def __init__(self, path, latest_ms=0, killed=False):
        """`latest_ms`: reports that take longer come too late; 0: there is no limit. `killed`: it may end anywhere."""
        self.latest_ms, self.killed = latest_ms, killed
        self.topic, self.key, self.txn = array("b"), array("h"), array("q")
        self.state, self.partition, self.offset = bytearray(), array("h"), array("q")
        self.copies, self.first = bytearray(), array("q")  # filled by reading the log
        self.broken, self.errors, self.codes, self.worst_ms, self.reports = [], [], {}, 0, 0
        self.complete = False
        self.txns, self.with_offsets = {}, set()  # the last word on each transaction; those that commit offsets
        with open(path) as f:
            for line in f:
                if line.endswith("\n"):  # the last one is cut if the producer was killed
                    self.take(line.split())

    def take(self, words):
        kind = words[0]
        if kind == "P":
            self.topic.append(int(words[2]))
            self.key.append(int(words[3]))
            self.txn.append(int(words[4]))
            self.state.append(PENDING)
            self.partition.append(-1)
            self.offset.append(-1)
            self.copies.append(0)
            self.first.append(-1)
        elif kind == "D":
            seq, topic, partition, offset, err, status, ms = map(int, words[1:])
            self.reports += 1
            self.state[seq] = DELIVERED if err == 0 else POSSIBLY if status != NOT_PERSISTED else NOT
            if (err == 0) != (status == PERSISTED) and not (err == 0 and offset < 0):
                self.broken.append(f"message {seq}: error {err} with status {status}")
            if topic != self.topic[seq]:
                self.broken.append(f"message {seq}: produced to topic {self.topic[seq]}, reported for {topic}")
            self.partition[seq], self.offset[seq] = partition, offset
            self.worst_ms = max(self.worst_ms, ms)
            if self.latest_ms and ms > self.latest_ms:
                self.broken.append(f"message {seq}: its report came after {ms} ms")
            if err:
                self.codes[err] = self.codes.get(err, 0) + 1
        elif kind == "T":
            self.txns[int(words[1])] = words[2]
        elif kind == "O":
            self.with_offsets.add(int(words[1]))
        elif kind == "E":
            self.errors.append(" ".join(words[1:]))
        elif kind == "X":
            self.broken.append(" ".join(words[1:]))
        elif kind == "Z":
            self.complete = True


    def may_be_there(self, seq):
        """Not, if its transaction was not committed."""
        return not self.txn[seq] or self.txns.get(self.txn[seq]) in ("committed", "commit?")

    def must_be_there(self, seq):
        return self.state[seq] == DELIVERED and (not self.txn[seq] or self.txns.get(self.txn[seq]) == "committed")


def partitions_of(consumer, topic):
    end = time.monotonic() + QUIET_S
    while time.monotonic() < end:
        found = consumer.list_topics(topic, 30).topics[topic]
        if found.partitions and not found.error:
            return sorted(found.partitions)
        time.sleep(0.2)
    raise TimeoutError(f"topic {topic}: {found.error}")


def read(bootstrap, topic, isolation="read_committed"):
    """Every record of a topic: (partition, offset, key, value)."""
    c = Consumer({"bootstrap.servers": bootstrap, "group.id": f"torture-{time.time_ns()}", "enable.auto.commit": False,
                  "enable.partition.eof": True, "check.crcs": True, "isolation.level": isolation, "log_level": 0,
                  "fetch.wait.max.ms": 100})
    try:
        parts = partitions_of(c, topic)
        c.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in parts])
        at_end, heard = set(), time.monotonic()
        while len(at_end) < len(parts):
            for m in c.consume(10000, 0.2):
                heard = time.monotonic()
                if m.error() and m.error().name() == "_PARTITION_EOF":
                    at_end.add(m.partition())
                elif m.error():
                    raise KafkaException(m.error())
                else:
                    at_end.discard(m.partition())
                    yield m.partition(), m.offset(), m.key(), m.value()
            if time.monotonic() > heard + QUIET_S:
                raise TimeoutError(f"reading {topic}: nothing for {QUIET_S} s")
    finally:
        c.close()


class Verdict:
    """Counts of one profile, and examples of what is wrong."""
    COLUMNS = ("messages", "delivered", "failed", "in log", "lost", "duplicated", "out of order", "false reports",
               "committed", "torn", "worst stall")

    def __init__(self, profile):
        self.profile = profile
        self.count = dict.fromkeys(self.COLUMNS, 0)
        self.allowed = dict.fromkeys(self.COLUMNS, False)
        self.examples = []

    def wrong(self, column, text):
        self.count[column] += 1
        if not self.allowed[column] and len(self.examples) < 10:
            self.examples.append(f"{column}: {text}")

    def violations(self):
        return sum(n for c, n in self.count.items()
                   if c in ("failed", "lost", "duplicated", "out of order", "false reports", "torn") and not self.allowed[c])

    def row(self):
        def cell(column):
            n = self.count[column]
            if column == "worst stall":
                return f"{n / 1000:.1f} s"
            return f"({n})" if self.allowed[column] and n else str(n)
        return [self.profile.name, *map(cell, self.COLUMNS)]


def value_of(producer, seq, txn, size):
    pad = seq * 7919 % size if size else 0
    return b"%d:%d:%d:" % (producer, seq, txn) + bytes([97 + seq % 26]) * pad


def check(profile, journals, records_of):
    """`journals`: by producer id. `records_of(topic)`: the topic's records in the order of each partition."""
    v = Verdict(profile)
    v.allowed.update(dict.fromkeys(profile.allowed, True))
    for producer, j in journals.items():
        v.count["messages"] += len(j.state)
        v.count["delivered"] += j.state.count(DELIVERED)
        v.count["failed"] += j.state.count(NOT) + j.state.count(POSSIBLY)
        v.count["worst stall"] = max(v.count["worst stall"], j.worst_ms)
        for text in j.broken:
            v.wrong("false reports", f"producer {producer}: {text}")
        if not j.killed and (j.reports != len(j.state) or not j.complete):
            v.wrong("false reports", f"producer {producer}: {j.reports} reports for {len(j.state)} messages")
        if j.codes and not v.allowed["failed"]:
            v.examples.append(f"failed: producer {producer}: {j.codes}")
    for number, topic in enumerate(profile.topics):
        last = {}  # (producer, partition) -> number of the last message that was there for the first time
        for partition, offset, key, value in records_of(topic):
            v.count["in log"] += 1
            look_at(v, profile, journals, number, partition, offset, key, value, last)
    if v.count["delivered"] and not v.count["in log"] and not profile.transactional:
        v.wrong("false reports", "the log is empty")
    for producer, j in journals.items():
        settle(v, producer, j)
        settle_transactions(v, producer, j)
    return v


def look_at(v, profile, journals, number, partition, offset, key, value, last):
    """One record of the log."""
    try:
        producer, seq, txn = map(int, value.split(b":", 3)[:3])
        j = journals[producer]
        known = j.topic[seq] == number and j.txn[seq] == txn and key == b"k%d" % j.key[seq]
    except (ValueError, KeyError, IndexError):
        known = False
    where = f"{partition}@{offset}"
    if not known or value != value_of(producer, seq, txn, profile.size):
        v.wrong("false reports", f"{where} is nothing that was produced: {value[:60]}")
        return
    if not j.may_be_there(seq):
        v.wrong("torn", f"producer {producer} message {seq} at {where}: transaction {txn}, {j.txns.get(txn)}")
    if j.copies[seq] < 255:
        j.copies[seq] += 1
    if j.copies[seq] > 1:
        v.wrong("duplicated", f"producer {producer} message {seq} at {where}, before at {j.first[seq]}")
    else:
        j.first[seq] = offset
        if j.state[seq] == DELIVERED:  # order is promised to what was delivered
            if seq < last.get((producer, partition), -1):
                v.wrong("out of order", f"producer {producer} message {seq} at {where} after {last[producer, partition]}")
            last[producer, partition] = max(seq, last.get((producer, partition), -1))
    if j.state[seq] == NOT:
        v.wrong("false reports", f"producer {producer} message {seq} at {where} was reported as not persisted")
    if j.state[seq] == DELIVERED and j.offset[seq] == offset and j.partition[seq] == partition:
        j.offset[seq] = -2  # found where its report says


def settle(v, producer, j):
    """What the log did not bear out."""
    for seq in range(len(j.state)):
        if not j.must_be_there(seq):
            continue
        if not j.copies[seq]:
            v.wrong("lost", f"producer {producer} message {seq}, {j.partition[seq]}@{j.offset[seq]}")
        elif j.offset[seq] >= 0:
            v.wrong("false reports", f"producer {producer} message {seq} is not at {j.partition[seq]}@{j.offset[seq]}"
                                     f" but at {j.first[seq]}")


def settle_transactions(v, producer, j):
    """All of a committed transaction, and all or nothing of one whose commit was never answered."""
    v.count["committed"] += sum(word == "committed" for word in j.txns.values())
    there = {}
    for seq, txn in enumerate(j.txn):
        if not txn:
            continue
        if j.txns.get(txn) == "committed" and j.state[seq] != DELIVERED:
            v.wrong("false reports", f"producer {producer} message {seq}: not delivered, transaction {txn} committed")
        there.setdefault(txn, set()).add(j.copies[seq] > 0)
    for txn, found in there.items():
        if len(found) > 1 and j.txns.get(txn) == "commit?":
            v.wrong("torn", f"producer {producer}: transaction {txn} is there in part")


def committed_offset(bootstrap, group, topic):
    c = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "log_level": 0})
    try:
        return c.committed([TopicPartition(topic, 0)], 30)[0].offset
    finally:
        c.close()


def check_offset(v, group, found, journals):
    """The offset of the group is that of the last transaction with offsets that was committed."""
    expected = {OFFSET_INVALID}
    for j in journals:
        for txn, word in j.txns.items():
            if txn in j.with_offsets and word == "committed":
                expected = {txn}
            elif txn in j.with_offsets and word == "commit?":
                expected.add(txn)
    if found not in expected:
        v.wrong("torn", f"group {group} is at offset {found}, expected {sorted(expected)}")


def table(verdicts):
    rows = [["profile", *Verdict.COLUMNS]] + [v.row() for v in verdicts]
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(r, widths)))
                     for r in rows)
