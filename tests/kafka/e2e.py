#!/usr/bin/env python3
"""The end-to-end suite on a real Apache Kafka: `make test-kafka`.

c-tests/e2e_producer.c produces over the C API; what it is told must be in the log, byte for byte,
as read by two independent consumers (librdkafka through confluent-kafka, and Kafka's own Java
console consumer), and every message must have exactly one delivery report. Runs the cases on a
cluster of one node, then those that need failures on three.

Needs Java 17, Maven, and the Python package confluent-kafka.
"""
import argparse
import os
import random
import re
import sys
import time
import traceback

try:
    import confluent_kafka
except ImportError:
    sys.exit("e2e: the Python package confluent-kafka is missing: python3 -m pip install confluent-kafka")

import cluster as kafka
from clients import (NOT_PERSISTED, Failure, Message, Producing, Skipped, Topics, check_log, check_order,
                     expect, read_confluent, read_java, same)

CASES = []  # (name, nodes, function)
ERR = {"UNKNOWN_TOPIC_OR_PART": 3, "MSG_SIZE_TOO_LARGE": 10, "_MSG_TIMED_OUT": -192, "_UNKNOWN_PARTITION": -190,
       "_UNKNOWN_TOPIC": -188}


def case(nodes, *params):
    """Registers a case for clusters of so many nodes, once for each parameter."""
    def add(f):
        for param in params or (None,):
            name = f.__name__ + (f"[{param}]" if param is not None else "")
            CASES.append((name, nodes, (lambda env, p=param: f(env, p)) if param is not None else f))
        return f
    return add


class Env:
    """What a case gets: the cluster, its topics, and producers that end with the case."""

    def __init__(self, cluster, program, peer, settings):
        self.cluster, self.program, self.peer, self.settings = cluster, program, peer, settings
        self.bootstrap = cluster.bootstrap()
        self.topics = Topics(self.bootstrap)
        self.copies = min(3, len(cluster.nodes()))
        self.open = []
        self.number = 0

    def topic(self, partitions, **config):
        return self.topics.create(self.name(), partitions, self.copies, **config)

    def name(self):
        self.number += 1
        return f"e2e-{time.time_ns()}-{self.number}"

    def produce(self, flush_ms=90000, **settings):
        settings = {k.replace("_", "."): v for k, v in settings.items()}
        p = Producing(self.program, self.bootstrap, {**settings, **self.settings}, flush_ms)
        self.open.append(p)
        return p

    def read(self, topic, **how):
        return read_confluent(self.bootstrap, topic, **how)


# ---- content ----

def rich_messages(topic, partitions, count, seed):
    """All that a message can be: null, empty and binary keys and values, headers of every kind."""
    r = random.Random(seed)

    def any_bytes(limit):
        kind = r.randrange(6)
        if kind == 0:
            return None
        if kind == 1:
            return b""
        if kind == 2:
            return bytes(range(256))
        if kind == 3:
            return r.randbytes(r.randrange(1, limit))
        return (b"%d some text that compresses, " % r.randrange(10**6)) * r.randrange(1, max(2, limit // 32))

    header_sets = [(), (("a", b"1"),), (("a", b"1"), ("a", b"2"), ("a", b"1")), (("null", None), ("empty", b"")),
                   (("binary", bytes(range(256))), ("ünï-ço∂é", "naïve".encode())),
                   tuple((f"h{i}", str(i).encode()) for i in range(40)), (("long", b"v" * 3000),), (("n" * 300, None),)]
    for i in range(count):
        stamp = r.choice([0, 0, 1, 1_000_000_000_000, int(time.time() * 1000) - 5000 + i])
        yield Message(topic, i % partitions, any_bytes(200), any_bytes(4000), r.choice(header_sets), stamp)


def plain_messages(topic, numbers, partitions=None, size=100):
    for i in numbers:
        yield Message(topic, -1 if partitions is None else i % partitions, b"key-%d" % i, (b"%d " % i).ljust(size, b"."))


def check_both_readers(env, topic, p, **how):
    log = env.read(topic)
    check_log(p, log, **how)
    expect(same(log, read_java(env.cluster, topic, len(log))), "the two readers differ")
    return log


# ---- cases of one node (most of them hold on three as well) ----

@case((1, 3), "none", "gzip", "snappy", "lz4", "zstd")
def codec(env, name):
    topic = env.topic(4)
    # Order is promised with one request in flight: a fresh topic's leaders may refuse a first batch and take the second.
    p = env.produce(compression_codec=name, linger_ms=20, max_in_flight=1)
    p.feed(rich_messages(topic, 4, 2000, name))
    p.feed(plain_messages(topic, range(2000, 12000), 4))
    p.finish().expect_all_delivered()
    check_both_readers(env, topic, p)
    check_order(p)


@case((1, 3), "0", "1", "all")
def acks(env, level):
    topic, first = env.topic(3), b"first"
    if level == "0":
        # A fresh topic's leaders may refuse at first, and with acks=0 nobody would hear of it.
        early = env.produce(acks="all")
        early.feed(Message(topic, value=first, partition=i) for i in range(3))
        early.finish().expect_all_delivered()
    p = env.produce(acks=level, linger_ms=1, max_in_flight=1)
    p.feed(plain_messages(topic, range(5000), 3))
    p.finish().expect_all_delivered()
    log = env.read(topic, settle_s=0 if level == "all" else 1)  # a follower may lag behind the report
    log = [r for r in log if r.value != first]
    check_log(p, log, with_offsets=level != "0")
    if level == "0":
        expect(sorted(r.value for r in log) == sorted(m.value for m in p.sent), "other values in the log than sent")
    else:
        check_order(p)


@case((1,))
def without_keys_every_message_arrives(env):
    topic = env.topic(6)
    p = env.produce(linger_ms=5)
    p.feed(Message(topic, value=b"%d" % i) for i in range(30000))
    p.finish().expect_all_delivered()
    check_log(p, env.read(topic))


@case((1,), "consistent", "consistent_random", "murmur2", "murmur2_random", "fnv1a", "fnv1a_random")
def partitioner(env, name):
    """The same key goes to the same partition as with librdkafka."""
    keys = [b"%d" % i for i in range(300)] + [bytes([i]) * (i % 19 + 1) for i in range(256)]
    topic, where = env.topic(7), {}
    peer = confluent_kafka.Producer({"bootstrap.servers": env.bootstrap, "partitioner": name})
    for key in keys:
        peer.produce(topic, key=key, value=b"", on_delivery=lambda e, m: where.update({m.key(): m.partition()}))
    peer.flush(30)
    p = env.produce(partitioner=name)
    p.feed(Message(topic, key=k, value=b"v") for k in keys)
    p.finish().expect_all_delivered()
    for i, r in p.delivered().items():
        expect(r["partition"] == where[keys[i]], f"key {keys[i]} in {r['partition']}, by librdkafka {where[keys[i]]}")


@case((1,), "none", "lz4")
def large_messages(env, codec_name):
    """Near the broker's limit of 1,048,588 bytes a batch, and near the client's message.max.bytes."""
    topic, r = env.topic(2), random.Random(5)
    p = env.produce(compression_codec=codec_name)
    sizes = [100_000, 500_000, 900_000, 999_000, 999_800, 1, 999_000, 0]
    p.feed(Message(topic, i % 2, b"k", r.randbytes(n)) for i, n in enumerate(sizes))
    p.feed([Message(topic, 0, b"k", r.randbytes(1_000_001))])
    p.finish()
    expect(not p.failed(), list(p.failed().values())[:2])
    expect(list(p.refused) == [len(sizes)], f"refused: {p.refused}")
    expect(p.refused[len(sizes)]["refused"] == ERR["MSG_SIZE_TOO_LARGE"], p.refused)
    check_both_readers(env, topic, p)


@case((1,))
def too_large_for_the_broker(env):
    """The client lets pass what the broker refuses: that message alone fails."""
    topic = env.topic(1, max_message_bytes=200_000)
    p = env.produce(linger_ms=0, compression_codec="none")
    p.feed([Message(topic, 0, value=b"small")])
    p.wait_reports(1)
    p.feed([Message(topic, 0, value=b"x" * 300_000)])
    p.wait_reports(2)
    p.feed([Message(topic, 0, value=b"small again")])
    p.finish()
    expect({i: r["err"] for i, r in p.reports.items()} == {0: 0, 1: ERR["MSG_SIZE_TOO_LARGE"], 2: 0}, p.reports)
    expect(p.reports[1]["status"] == NOT_PERSISTED, p.reports[1])
    check_log(p, env.read(topic))


@case((1, 3))
def topic_is_created_on_first_use(env):
    topic = env.name()
    p = env.produce(allow_auto_create_topics="true", message_timeout_ms=30000)
    p.feed(plain_messages(topic, range(1000)))
    p.finish().expect_all_delivered()
    check_log(p, env.read(topic))


@case((1,))
def unknown_topic_is_reported(env):
    wait_ms = 3000
    p = env.produce(allow_auto_create_topics="false", topic_metadata_propagation_max_ms=wait_ms,
                    topic_metadata_refresh_interval_ms=1000, message_timeout_ms=60000)
    p.feed(plain_messages("no-such-topic", range(100)))
    known = env.topic(1)
    p.feed(plain_messages(known, range(100), 1))
    p.finish(60)
    for i, r in p.reports.items():
        if i >= 100:
            expect(r["err"] == 0, f"a message of another topic failed: {r}")
            continue
        expect(r["err"] in (ERR["_UNKNOWN_TOPIC"], ERR["UNKNOWN_TOPIC_OR_PART"]), r)
        expect(r["status"] == NOT_PERSISTED, r)
        expect(0.8 * wait_ms <= r["ms"] <= wait_ms + 7000, f"the report came after {r['ms']} ms")
    expect(len(p.reports) == 200, f"{len(p.reports)} reports, refused {len(p.refused)}")
    expect("no-such-topic" not in env.topics.admin.list_topics(timeout=30).topics, "the topic was created")


@case((1,))
def unknown_partition_is_reported(env):
    topic = env.topic(2)
    p = env.produce(message_timeout_ms=15000, topic_metadata_refresh_interval_ms=1000)
    p.feed(plain_messages(topic, range(10), 2))
    p.wait_reports(10)
    p.feed([Message(topic, 7, value=b"nowhere"), Message(topic, 1, value=b"somewhere")])
    p.finish(60)
    outcome = p.refused.get(10, {}).get("refused", p.reports.get(10, {}).get("err"))
    expect(outcome == ERR["_UNKNOWN_PARTITION"], outcome)
    expect(p.reports[11]["err"] == 0, p.reports[11])


@case((1, 3))
def partitions_grow_in_mid_run(env):
    topic = env.topic(2)
    p = env.produce(topic_metadata_refresh_interval_ms=1000, metadata_max_age_ms=1000)
    p.feed(plain_messages(topic, range(2000)))
    p.wait_reports(2000)
    env.topics.grow(topic, 6)
    for first in range(2000, 8000, 500):
        p.feed(plain_messages(topic, range(first, first + 500)))
        time.sleep(0.3)
    p.feed(plain_messages(topic, range(8000, 10000), 6))
    p.finish().expect_all_delivered()
    used = {r["partition"] for i, r in p.reports.items() if 7000 <= i < 8000}
    expect(used == set(range(6)), f"partitions used after the growth: {used}")
    check_log(p, env.read(topic))


@case((1, 3))
def topic_deleted_in_mid_run(env):
    topic, other = env.topic(3), env.topic(1)
    p = env.produce(allow_auto_create_topics="false", topic_metadata_refresh_interval_ms=1000,
                    topic_metadata_propagation_max_ms=3000, message_timeout_ms=15000)
    p.feed(plain_messages(topic, range(3000), 3))
    p.wait_reports(3000)
    env.topics.delete(topic)
    for first in range(3000, 6000, 300):
        p.feed(plain_messages(topic, range(first, first + 300), 3))
        time.sleep(0.1)
    p.feed(plain_messages(other, range(6000, 7000), 1))
    p.finish(120)
    expect(all(p.reports[i]["err"] == 0 for i in range(3000)), "messages from before the deletion failed")
    expect(len(p.reports) + len(p.refused) == 7000, "a message has no outcome")
    late = [p.reports[i]["err"] if i in p.reports else p.refused[i]["refused"] for i in range(5000, 6000)]
    expect(all(late), "a message to the deleted topic was delivered")
    if not env.peer:  # librdkafka says _DESTROY to some of them
        expect(set(late) <= set(ERR.values()), f"errors of the deleted topic: {set(late)}")
    expect(all(p.reports[i]["err"] == 0 for i in range(6000, 7000)), "messages of another topic failed")


# ---- cases of three nodes ----

def feed_slowly(p, topic, numbers, partitions, seconds):
    """Messages at an even pace over so many seconds."""
    numbers, steps = list(numbers), max(1, int(seconds / 0.05))
    size = -(-len(numbers) // steps)
    for at in range(0, len(numbers), size):
        p.feed(plain_messages(topic, numbers[at:at + size], partitions))
        time.sleep(0.05)


def check_failover(env, topic, p):
    """What must hold when a broker has died: the reports are true and the order is kept."""
    log = env.read(topic)
    check_log(p, log, exactly=False)
    check_order(p)
    delivered = {p.sent[i].value for i in p.delivered()}
    never = {p.sent[i].value for i, r in p.failed().items() if r["status"] == NOT_PERSISTED}
    first_seen = {}
    for r in sorted(log, key=lambda r: (r.partition, r.offset)):
        expect(r.value not in never, f"in the log, though reported as not persisted: {r.value[:20]}")
        first_seen.setdefault(r.value, r)
    expect(delivered <= first_seen.keys(), "a delivered message is not in the log")
    last = {}
    for r in first_seen.values():  # a retry may repeat a message, but may not move it
        n = int(r.value.split()[0])
        expect(n > last.get(r.partition, -1), f"partition {r.partition}: {n} after {last.get(r.partition)}")
        last[r.partition] = n
    return log


@case((3,), "true", "false")
def leader_killed(env, idempotence):
    """kill -9 of a leader in mid-run and its return, acks=all, one request in flight."""
    topic = env.topic(3)
    p = env.produce(acks="all", max_in_flight=1, linger_ms=5, message_timeout_ms=60000, retries=1000,
                    enable_idempotence=idempotence)
    feed_slowly(p, topic, range(10000), 3, 2)
    node = env.topics.leader(topic, 0)
    env.cluster.kill(node)
    feed_slowly(p, topic, range(10000, 25000), 3, 6)
    p.wait_reports(25000, 30)  # the new leader is found without the old one's help
    env.cluster.start(node)
    feed_slowly(p, topic, range(25000, 35000), 3, 2)
    p.finish().expect_all_delivered()
    log = check_failover(env, topic, p)
    if idempotence == "true":
        expect(len(log) == 35000, f"{len(log)} records of 35000: an idempotent producer repeats nothing")


@case((3,))
def brokers_restarted_in_turn(env):
    topic = env.topic(6)
    p = env.produce(acks="all", max_in_flight=1, linger_ms=5, message_timeout_ms=60000)
    number = 0
    for node in (1, 2, 3):
        feed_slowly(p, topic, range(number, number + 3000), 6, 0.5)
        env.cluster.stop(node)
        feed_slowly(p, topic, range(number + 3000, number + 6000), 6, 1)
        env.cluster.start(node)
        number += 6000
        time.sleep(2)  # the node is back in every ISR before the next one leaves
    p.finish().expect_all_delivered()
    check_failover(env, topic, p)


@case((3,))
def too_few_replicas(env):
    """min.insync.replicas not met: nothing is lost, messages wait and go out when a node is back."""
    topic = env.topic(1, min_insync_replicas=3)
    p = env.produce(acks="all", max_in_flight=1, message_timeout_ms=60000, retry_backoff_ms=200)
    p.feed(plain_messages(topic, range(1000), 1))
    p.wait_reports(1000)
    node = next(n for n in (1, 2, 3) if n != env.topics.leader(topic, 0))
    env.cluster.kill(node)
    time.sleep(4)  # until the controller has fenced it
    p.feed(plain_messages(topic, range(1000, 2000), 1))
    time.sleep(3)
    expect(not p.failed(), list(p.failed().values())[:2])
    env.cluster.start(node)
    p.finish().expect_all_delivered()
    check_failover(env, topic, p)


# ---- running ----

def run_cases(cases, nodes, a):
    cluster = kafka.Cluster(a.dir)
    failed, skipped = [], []
    cluster.down()
    cluster.up(nodes)
    try:
        env = Env(cluster, a.program, a.peer, dict(x.split("=", 1) for x in a.set))
        for name, _, f in cases:
            start, why, outcome = time.monotonic(), None, "ok  "
            try:
                f(env)
            except Skipped as e:
                why, outcome = str(e), "skip"
            except Failure as e:
                why, outcome = str(e), "FAIL"
            except Exception:  # noqa: BLE001: the next case must run all the same
                why, outcome = traceback.format_exc(), "FAIL"
            finally:
                for p in env.open:
                    p.abandon()
                env.open.clear()
                for node in cluster.nodes():
                    if node not in cluster.running():
                        cluster.start(node)
            label = f"{nodes} node{'s' if nodes > 1 else ''}  {name}"
            print(f"{outcome} {label:<58} {time.monotonic() - start:5.1f} s", flush=True)
            if why:
                (failed if outcome == "FAIL" else skipped).append(label)
            if why:
                print("     " + why.rstrip().replace("\n", "\n     "), flush=True)
    finally:
        if not a.keep:
            cluster.down()
    return failed, skipped


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--program", default=os.path.join(kafka.ROOT, "build", "e2e", "e2e_producer"))
    p.add_argument("--nodes", default="1,3", help="cluster sizes, one after the other (1,3)")
    p.add_argument("--only", default="", help="only cases whose name matches this regular expression")
    p.add_argument("--dir", default=os.path.join(kafka.ROOT, "build", "kafka-e2e"), help="where the cluster keeps its data")
    p.add_argument("--peer", action="store_true", help="the program is built with librdkafka: allow for its ways")
    p.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting for every producer")
    p.add_argument("--keep", action="store_true", help="leave the last cluster running")
    p.add_argument("--list", action="store_true", help="list the cases")
    a = p.parse_args()
    if a.list:
        for name, nodes, _ in CASES:
            print(name, nodes)
        return
    if not os.path.exists(a.program):
        sys.exit(f"e2e: {a.program} is missing; `make test-kafka` builds it")
    failed, skipped, ran = [], [], 0
    for nodes in map(int, a.nodes.split(",")):
        cases = [c for c in CASES if nodes in c[1] and re.search(a.only, c[0])]
        ran += len(cases)
        if cases:
            f, s = run_cases(cases, nodes, a)
            failed += f
            skipped += s
    print(f"\n{ran - len(failed) - len(skipped)} of {ran} cases passed, {len(skipped)} skipped"
          + "".join(f"\nFAIL {f}" for f in failed))
    sys.exit(1 if failed or not ran else 0)


if __name__ == "__main__":
    main()
