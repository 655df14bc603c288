"""What goes wrong, by a seeded schedule: at a real cluster, or at kfake."""
import random
import threading
import time
from collections import Counter

import cluster as kafka
import confluent_kafka
import leaders

SESSION_MS = 3000


class Schedule:
    """Threads that strike until told to stop. `done` counts the blows."""

    def __init__(self, proxy, seed, *jobs):
        self.proxy, self.net, self.clients = proxy, random.Random(seed + 1), random.Random(seed + 2)
        self.team = None
        self.done, self.over = Counter(), threading.Event()
        self.broken = []
        self.threads = [threading.Thread(target=self.guard, args=(f,), daemon=True) for f in (self.at_producers, *jobs)]

    def start(self, team):
        self.team = team
        for t in self.threads:
            t.start()

    def stop(self):
        """Returns when what was struck down is up again."""
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

    def at_producers(self):
        """Transactional ones: killed, or fenced by another one."""
        while not self.over.is_set():
            self.pause(4, 15, self.clients)
            self.team.replace_ended()
            acting = self.team.transacting()
            if not acting or self.over.is_set():
                continue
            victim = self.clients.choice(acting)
            if self.clients.random() < 0.5:
                self.done["producers killed"] += 1
                self.team.killed(victim)
            else:
                self.done["producers fenced"] += 1
                self.team.fenced(victim, lambda: self.pause(1, 3, self.clients))

    def summary(self):
        done = self.done + Counter(self.proxy.done)
        return ", ".join(f"{n} {kind}" for kind, n in sorted(done.items()) if n)


class KafkaFaults(Schedule):
    """Blows at the nodes one after the other, and beside them, blows at the network and moves of leaders."""

    def __init__(self, cluster, proxy, topics, names, seed):
        super().__init__(proxy, seed, self.at_nodes, self.at_network)
        self.cluster, self.topics, self.names = cluster, topics, names
        self.partitions = {name: sorted(topics.describe(name)) for name in names}
        self.count, self.nodes = len(cluster.nodes()), random.Random(seed)

    # ---- nodes: at most one is away ----

    def at_nodes(self):
        self.pause(2, 4, self.nodes)
        while not self.over.is_set():
            blow = self.nodes.choices([self.kill, self.freeze_short, self.freeze_long, self.restart, self.rolling, self.kill_twice],
                                      [4, 2, 3, 2, 1, 1])[0]
            blow(1 + self.nodes.randrange(self.count))
            # Mostly the next one comes when replicas are in sync again; sometimes before.
            if self.nodes.random() < 0.7:
                self.wait_in_sync(10)
            self.pause(0.5, 2, self.nodes)

    def bring_up(self, node):
        try:
            self.cluster.start(node)
        except kafka.ClusterError:
            # A busy machine may take its time; one that has ended is another matter.
            for _ in range(3):
                if not self.cluster.pid(node):
                    raise
                try:
                    return self.cluster.wait_ready(node, len(self.cluster.running()))
                except kafka.ClusterError:
                    continue
            raise

    def kill(self, node):
        self.done["killed"] += 1
        self.cluster.kill(node)
        self.pause(0, 6, self.nodes)
        self.bring_up(node)

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
        self.bring_up(node)

    def rolling(self, _):
        for node in range(1, self.count + 1):
            if self.over.is_set():
                return
            self.restart(node)
            self.wait_in_sync(15)

    def wait_known(self):
        end = time.monotonic() + kafka.START_TIMEOUT_S
        while any((kafka.brokers_known(self.cluster.port(n)) or 0) < self.count for n in range(1, self.count + 1)):
            if time.monotonic() > end:
                raise kafka.ClusterError("a node has not come back")
            time.sleep(0.1)

    def in_sync(self):
        try:
            return all(len(x.isrs) == self.count and x.leader >= 0
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
        for partition in self.partitions[topic]:
            if self.net.random() < 0.5:
                orders[partition] = self.net.sample(range(1, self.count + 1), self.count)
        node = 1 + self.net.randrange(self.count)
        if not orders:
            return
        try:
            leaders.move((kafka.HOST, self.cluster.port(node)), topic, orders)
            self.done["leaders moved"] += 1
        except leaders.Refused:
            self.done["moves refused"] += 1


class KfakeFaults(Schedule):
    """Cut connections, leaders that change, and errors instead of answers."""
    # Keys and codes: Produce, InitProducerId and others that producers send; what a broker in trouble answers.
    ERRORS = {0: (6, 7, 19, 20, 5, 56), 3: (5, 13), 22: (14, 15, 16)}

    def __init__(self, broker, proxy, seed):
        super().__init__(proxy, seed, self.strike)
        self.broker = broker

    def strike(self):
        while not self.over.is_set():
            self.pause(0.02, 0.5, self.net)
            kind = self.net.choices(["cut request", "cut response", "silence", "cut all", "leaders", "error"],
                                    [6, 6, 2, 1, 3, 6])[0]
            if kind == "leaders":
                self.broker.command("shuffle")
                self.done["leaders moved"] += 1
            elif kind == "error":
                key = self.net.choice(list(self.ERRORS))
                self.broker.command(f"fault {key} {self.net.choice(self.ERRORS[key])} {self.net.randrange(1, 4)}")
                self.done["errors"] += 1
            else:
                self.proxy.strike(kind, self.net.uniform(0.2, 3))

    def wait_in_sync(self, _):
        return True
