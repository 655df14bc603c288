#!/usr/bin/env python3
"""Do the promises of the delivery profiles hold while brokers die? `make torture MINUTES=3`.

Producers of every profile (producer.c, over the C API) run on a 3-node Apache Kafka with replication 3 and
min.insync.replicas 2. By a seeded schedule, nodes are killed, frozen for less and for longer than their session, and
restarted, leaders are moved, and a proxy cuts connections in the middle of frames. At most one node is away at a time, so
that the cluster can always recover. Then all is healed, the producers flush and end, every partition is read back by
librdkafka, and what the producers were told is held against it. Exit status 1 if a promise did not hold.

With --kfake PROGRAM the broker is kfake (see kfake/main.go) instead, which neither dies nor freezes, but errs.

A schedule repeats with its seed as far as real processes allow: the same blows in the same order.
"""
import argparse
import os
import random
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "kafka"))
sys.dont_write_bytecode = True

try:
    import confluent_kafka  # noqa: F401: said here, in words, rather than in a trace
except ImportError:
    sys.exit("torture: the Python package confluent-kafka is missing: python3 -m pip install confluent-kafka")

import check
import cluster as kafka
import profiles as p
from clients import Topics
from faults import SESSION_MS, KafkaFaults, KfakeFaults
from proxy import Proxy

NODES, PARTITIONS = 3, 6
FLUSH_S = 120
SETTINGS = {"broker.session.timeout.ms": SESSION_MS, "auto.create.topics.enable": "false"}


class Kafka:
    """The real thing. `direct` and `proxied` are where clients begin."""

    def __init__(self, a, proxy):
        self.keep, self.cluster = a.keep, kafka.Cluster(os.path.join(a.dir, "kafka"))
        self.direct, self.proxied = self.cluster.up(NODES, SETTINGS, proxy.ports), proxy.bootstrap()
        proxy.start([self.cluster.proxied_port(n) for n in range(1, NODES + 1)])

    def prepare(self, proxy, names, seed):
        topics = Topics(self.direct)
        for name in names:
            topics.create(name, PARTITIONS, NODES, min_insync_replicas=2)
        return KafkaFaults(self.cluster, proxy, topics, names, seed)

    def down(self):
        if not self.keep:
            self.cluster.down()


class Kfake:
    def __init__(self, a, proxy):
        self.process = subprocess.Popen([a.kfake, "-advertise", ",".join(map(str, proxy.ports))], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.direct = self.proxied = proxy.bootstrap()
        proxy.start(map(int, self.process.stdout.readline().split()))

    def command(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if answer != "ok":
            raise RuntimeError(f"kfake: {text}: {answer}")

    def prepare(self, proxy, names, seed):
        for name in names:
            self.command(f"topic {name} {PARTITIONS}")
        return KfakeFaults(self, proxy, seed)

    def down(self):
        self.process.stdin.close()
        self.process.wait(10)


def run(a):
    """True if every promise held."""
    shutil.rmtree(a.dir, ignore_errors=True)
    os.makedirs(a.dir)
    chosen = [x for x in p.PROFILES if not a.only or x.name in a.only.split(",")]
    proxy = Proxy(NODES, a.seed)
    team, broker = None, None
    begun = time.monotonic()
    print(f"torture: {a.minutes:g} minutes, seed {a.seed}, profiles {', '.join(x.name for x in chosen)}", flush=True)
    try:
        broker = (Kfake if a.kfake else Kafka)(a, proxy)
        faults = broker.prepare(proxy, [t for x in chosen for t in x.topics], a.seed)
        team = p.Team(a.program, a.dir, broker.direct, broker.proxied, FLUSH_S, a.set)
        for profile in chosen:
            for slot in range(len(profile.producers)):
                team.start(profile, slot)
        print(f"{time.monotonic() - begun:5.0f} s: the cluster is up", flush=True)
        faults.start(team)
        watch(team, faults, begun, time.monotonic() + a.minutes * 60)
        faults.stop()
        wrong = list(faults.broken)
        if not faults.wait_in_sync(90):
            wrong.append("the cluster has not recovered")
        print(f"{time.monotonic() - begun:5.0f} s: all is healed; flushing", flush=True)
        for r in team.all:
            r.stop()
        end = time.monotonic() + FLUSH_S + 30
        wrong += filter(None, [r.wait(end - time.monotonic()) for r in team.all])
        print(f"{time.monotonic() - begun:5.0f} s: reading back", flush=True)
        verdicts = judge(chosen, team, broker.direct)
        print(f"{time.monotonic() - begun:5.0f} s\n\nfaults: {faults.summary()}\n")
        return report(verdicts, wrong, a)
    finally:
        for r in team.all if team else ():
            r.kill()
        if broker:
            broker.down()


def watch(team, faults, begun, until):
    while (left := until - time.monotonic()) > 0 and not faults.broken:
        time.sleep(min(10, left))
        total = [sum(r.counts[i] for r in team.all) for i in range(5)]
        ended = [r.number for r in team.all if r.process.poll() is not None and not r.killed and not r.fenced]
        print(f"{time.monotonic() - begun:5.0f} s: {total[0]} messages, {total[1]} delivered, {total[2]} failed"
              + (f", {total[3]} transactions committed, {total[4]} aborted" if total[3] else "")
              + f"; {faults.summary()}" + (f"; ENDED: producers {ended}" if ended else ""), flush=True)


def judge(chosen, team, bootstrap):
    verdicts = []
    for profile in chosen:
        journals = {r.number: check.Journal(r.journal, profile.latest_ms, r.killed) for r in team.of(profile)}
        v = check.check(profile, journals, lambda topic: check.read(bootstrap, topic))
        for slot in range(len(profile.producers) if profile.transactional else 0):
            group = team.group(profile, slot)
            found = check.committed_offset(bootstrap, group, profile.topics[0])
            check.check_offset(v, group, found, [journals[r.number] for r in team.of(profile) if r.slot == slot])
        verdicts.append(v)
    return verdicts


def report(verdicts, wrong, a):
    print(check.table(verdicts))
    print("In parentheses: what the profile allows.\n")
    for v in verdicts:
        for text in v.examples:
            print(f"{v.profile.name}: {text}")
    for text in wrong:
        print(f"WRONG: {text}")
    count = sum(v.violations() for v in verdicts) + len(wrong)
    print(f"{'every promise held' if not count else f'FAILED: {count} violations'} (seed {a.seed})", flush=True)
    return not count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one each time")
    parser.add_argument("--program", default=os.path.join(kafka.ROOT, "build", "torture", "producer"))
    parser.add_argument("--dir", default=os.path.join(kafka.ROOT, "build", "torture", "run"))
    parser.add_argument("--kfake", metavar="PROGRAM", help="run on kfake instead of Kafka")
    parser.add_argument("--only", default="", help="only these profiles, by commas")
    parser.add_argument("--set", action="append", default=[], type=lambda s: s.split("=", 1), metavar="NAME=VALUE",
                        help="a property for every producer")
    parser.add_argument("--keep", action="store_true", help="leave the cluster running")
    a = parser.parse_args()
    if a.seed is None:
        a.seed = random.randrange(10**6)
    if not os.path.exists(a.program):
        sys.exit(f"torture: {a.program} is missing; `make torture` builds it")
    sys.exit(0 if run(a) else 1)


if __name__ == "__main__":
    main()
