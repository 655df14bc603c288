#!/usr/bin/env python3
"""Do the promises of the delivery profiles hold while brokers die? `make torture MINUTES=3`.

Producers of every profile (producer.c, over the C API) run on a 3-node Apache Kafka with replication 3 and
min.insync.replicas 2. By a seeded schedule, nodes are killed, frozen for less and for longer than their session, and
restarted, leaders are moved, and a proxy cuts connections in the middle of frames. At most one node is away at a time, so
that the cluster can always recover. Then all is healed, the producers flush and end, every partition is read back by
librdkafka, and what the producers were told is held against it. Exit status 1 if a promise did not hold.

A schedule repeats with its seed as far as real processes allow: the same blows in the same order.
"""
import argparse
import os
import random
import shutil
import sys
import threading
import time
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "kafka"))
sys.dont_write_bytecode = True

try:
    import confluent_kafka  # noqa: F401: said here, in words, rather than in a trace
except ImportError:
    sys.exit("torture: the Python package confluent-kafka is missing: python3 -m pip install confluent-kafka")

import check
import cluster as kafka
import leaders
import profiles as p
from clients import Topics
from proxy import Proxy

NODES, PARTITIONS, SESSION_MS = 3, 6, 3000
FLUSH_S = 120
SETTINGS = {"broker.session.timeout.ms": SESSION_MS, "auto.create.topics.enable": "false"}


class Faults:
    """Blows at the nodes one after the other, and beside them, blows at the network and moves of leaders."""

    def __init__(self, cluster, proxy, topics, names, seed):
        self.cluster, self.proxy, self.topics, self.names = cluster, proxy, topics, names
        self.nodes, self.net, self.seed = random.Random(seed), random.Random(seed + 1), seed
        self.done, self.over = Counter(), threading.Event()
        self.broken = []
        self.threads = [threading.Thread(target=self.guard, args=(f,), daemon=True) for f in (self.at_nodes, self.at_network)]

    def start(self):
        for t in self.threads:
            t.start()

    def stop(self):
        """Ends when the nodes are all back."""
        self.over.set()
        for t in self.threads:
            t.join(120)
            if t.is_alive():
                self.broken.append("the faults do not come to an end")

    def guard(self, f):
        try:
            f()
        except Exception as e:  # noqa: BLE001: reported at the end
            self.broken.append(f"{f.__name__}: {type(e).__name__}: {e}")

    def pause(self, low, high, rng):
        self.over.wait(rng.uniform(low, high))

    # ---- nodes: at most one is away ----

    def at_nodes(self):
        self.pause(2, 4, self.nodes)
        while not self.over.is_set():
            blow = self.nodes.choices([self.kill, self.freeze_short, self.freeze_long, self.restart, self.rolling, self.kill_twice],
                                      [4, 2, 3, 2, 1, 1])[0]
            blow(1 + self.nodes.randrange(NODES))
            # Mostly the next one comes when replicas are in sync again; sometimes before.
            if self.nodes.random() < 0.7:
                self.wait_in_sync(20)
            self.pause(1, 4, self.nodes)

    def kill(self, node):
        self.done["killed"] += 1
        self.cluster.kill(node)
        self.pause(0, 6, self.nodes)
        self.cluster.start(node)

    def kill_twice(self, node):
        self.kill(node)
        self.kill(node)

    def freeze_short(self, node):
        self.done["frozen"] += 1
        self.frozen(node, self.nodes.uniform(0.3, 0.8 * SESSION_MS / 1000))

    def freeze_long(self, node):
        self.done["expired"] += 1
        self.frozen(node, self.nodes.uniform(1.3, 3) * SESSION_MS / 1000)

    def frozen(self, node, seconds):
        self.cluster.freeze(node)
        time.sleep(seconds)
        self.cluster.thaw(node)
        self.wait_known()

    def restart(self, node):
        self.done["restarted"] += 1
        try:
            self.cluster.stop(node)
        except kafka.ClusterError:  # it waits for a controller that does not answer
            self.cluster.kill(node)
        self.cluster.start(node)

    def rolling(self, _):
        for node in range(1, NODES + 1):
            if self.over.is_set():
                return
            self.restart(node)
            self.wait_in_sync(15)

    def wait_known(self):
        end = time.monotonic() + kafka.START_TIMEOUT_S
        while any((kafka.brokers_known(self.cluster.port(n)) or 0) < NODES for n in range(1, NODES + 1)):
            if time.monotonic() > end:
                raise kafka.ClusterError("a node has not come back")
            time.sleep(0.1)

    def in_sync(self):
        try:
            return all(len(x.isrs) == NODES and x.leader >= 0
                       for name in self.names for x in self.topics.describe(name).values())
        except confluent_kafka.KafkaException:
            return False

    def wait_in_sync(self, seconds):
        end = time.monotonic() + seconds
        while not self.in_sync():
            if time.monotonic() > end:
                return False
            time.sleep(0.3)
        return True

    # ---- network and leaders ----

    def at_network(self):
        while not self.over.is_set():
            self.pause(0.1, 1.5, self.net)
            kind = self.net.choices(["cut request", "cut response", "silence", "cut all", "leaders"], [6, 6, 2, 1, 3])[0]
            if kind == "leaders":
                self.move_leaders(self.net.choice(self.names))
            else:
                self.proxy.strike(kind, self.net.uniform(0.2, 5))

    def move_leaders(self, topic):
        orders = {}
        for partition in range(PARTITIONS):
            if self.net.random() < 0.5:
                orders[partition] = self.net.sample(range(1, NODES + 1), NODES)
        node = 1 + self.net.randrange(NODES)
        if not orders:
            return
        try:
            leaders.move((kafka.HOST, self.cluster.port(node)), topic, orders)
            self.done["leaders moved"] += 1
        except leaders.Refused:
            self.done["moves refused"] += 1

    def summary(self):
        done = self.done + Counter(self.proxy.done)
        return ", ".join(f"{n} {kind}" for kind, n in sorted(done.items()) if n)


def run(a):
    """True if every promise held."""
    shutil.rmtree(a.dir, ignore_errors=True)
    os.makedirs(a.dir)
    chosen = [x for x in p.PROFILES if not a.only or x.name in a.only.split(",")]
    names = [t for x in chosen for t in x.topics]
    proxy = Proxy(NODES, a.seed)
    cluster = kafka.Cluster(os.path.join(a.dir, "kafka"))
    running = []
    begun = time.monotonic()
    print(f"torture: {a.minutes:g} minutes, seed {a.seed}, profiles {', '.join(x.name for x in chosen)}", flush=True)
    try:
        direct = cluster.up(NODES, SETTINGS, proxy.ports)
        proxy.start([cluster.proxied_port(n) for n in range(1, NODES + 1)])
        topics = Topics(direct)
        for name in names:
            topics.create(name, PARTITIONS, NODES, min_insync_replicas=2)
        faults = Faults(cluster, proxy, topics, names, a.seed)
        running = p.start_all(chosen, a.program, a.dir, direct, proxy.bootstrap(), FLUSH_S, a.set)
        print(f"{time.monotonic() - begun:5.0f} s: the cluster is up", flush=True)
        faults.start()
        watch(running, faults, begun, time.monotonic() + a.minutes * 60)
        faults.stop()
        wrong = list(faults.broken)
        if not faults.wait_in_sync(90):
            wrong.append("the cluster has not recovered")
        print(f"{time.monotonic() - begun:5.0f} s: all is healed; flushing", flush=True)
        for r in running:
            r.stop()
        end = time.monotonic() + FLUSH_S + 30
        wrong += filter(None, [r.wait(end - time.monotonic()) for r in running])
        print(f"{time.monotonic() - begun:5.0f} s: reading back", flush=True)
        verdicts = judge(chosen, running, direct)
        print(f"{time.monotonic() - begun:5.0f} s\n\nfaults: {faults.summary()}\n")
        return report(verdicts, wrong, a)
    finally:
        for r in running:
            r.kill()
        if not a.keep:
            cluster.down()


def watch(running, faults, begun, until):
    while (left := until - time.monotonic()) > 0 and not faults.broken:
        time.sleep(min(10, left))
        total = [sum(r.counts[i] for r in running) for i in range(5)]
        ended = [r.number for r in running if r.process.poll() is not None]
        print(f"{time.monotonic() - begun:5.0f} s: {total[0]} messages, {total[1]} delivered, {total[2]} failed"
              + (f", {total[3]} transactions committed, {total[4]} aborted" if total[3] else "")
              + f"; {faults.summary()}" + (f"; ENDED: producers {ended}" if ended else ""), flush=True)


def judge(chosen, running, bootstrap):
    verdicts = []
    for profile in chosen:
        journals = {r.number: check.Journal(r.journal, profile.latest_ms) for r in running if r.profile is profile}
        verdicts.append(check.check(profile, journals, lambda topic: check.read(bootstrap, topic)))
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
