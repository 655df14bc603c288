"""Runs a scenario through one client, and says what came of it."""

import time

from client import Client, ConfRefused


def value_of(size):
    return b"x" * size if isinstance(size, int) else size


class Run:
    def __init__(self, lib, broker, conf, deadline_s=90):
        self.lib, self.broker, self.conf = lib, broker, conf
        self.clients, self.calls = [], []
        self.deadline = time.monotonic() + deadline_s

    def client(self, index):
        while len(self.clients) <= index:
            settings = {"bootstrap.servers": self.broker.bootstrap, "log_level": 0, **self.conf}
            self.clients.append(Client(self.lib, settings))
        return self.clients[index]

    def until(self, what, condition, client):
        while not condition():
            if time.monotonic() > self.deadline:
                raise TimeoutError(f"{self.lib.name}: {what} did not come; reports: {client.reports}")
            client.poll(0.02)

    def step(self, step, index=0):
        kind, *args = step
        if kind == "broker":
            self.broker.do(args[0])
            return
        if kind == "other":
            self.step(args[0], 1)
            return
        c, who = self.client(index), "other: " if index else ""
        if kind == "produce":
            topic, partition, count, size = args
            said = [c.produce(topic, partition, value_of(size)) for _ in range(count)]
            self.calls.append(f"{who}produce: " + runs(said))
        elif kind == "flush":
            self.calls.append(f"{who}flush: {c.flush(args[0])}")
        elif kind == "purge":
            self.calls.append(f"{who}purge: {c.purge(args[0])}")
        elif kind == "poll":
            end = time.monotonic() + args[0]
            while time.monotonic() < end:
                c.poll(0.02)
        elif kind == "reports":
            self.until(f"{args[0]} reports", lambda: len(c.reports) >= args[0], c)
        elif kind == "requests":
            self.until(f"{args[1]} {args[0]}", lambda: int(self.broker.do(f"requests {args[0]}")) >= args[1], c)
        elif kind == "begin":
            self.calls.append(f"{who}begin: {c.transaction('begin_transaction')}")
        else:
            call = {"init": "init_transactions", "commit": "commit_transaction", "abort": "abort_transaction"}[kind]
            self.calls.append(f"{who}{kind}: {c.transaction(call, args[0])}")

    def close(self):
        for c in self.clients:
            c.close()

    def outcome(self, with_events):
        """What is compared: lines, in an order that does not hang on chance."""
        lines = list(self.calls)
        for i, c in enumerate(self.clients):
            who = "other: " if i else ""
            # Order is promised within a partition.
            for partition in sorted({r.partition for r in c.reports}):
                of = [r for r in c.reports if r.partition == partition]
                lines += [f"{who}report of {r.tag}: {describe(r)}" for r in of]
            # An offset, or the lack of one, belongs to a message delivered. The number of events hangs on connections.
            fatal = sorted({e for e in c.errors if e.startswith("fatal")})
            events = sorted(set(c.errors)) if with_events else fatal
            lines += [f"{who}event: {e}" for e in events]
            lines.append(f"{who}fatal error: {c.fatal() or 'none'}")
        return lines


def describe(r):
    at = "" if r.code != "NO_ERROR" else f", offset {'unknown' if r.offset is None else r.offset}"
    return f"{r.code}, {r.status}, partition {r.partition}{at}"


def runs(words):
    """a a b: "2 a, b" """
    out = []
    for w in words:
        if out and out[-1][1] == w:
            out[-1][0] += 1
        else:
            out.append([1, w])
    return ", ".join(w if n == 1 else f"{n} {w}" for n, w in out)


def play(scenario, lib, broker):
    run = Run(lib, broker, scenario.conf)
    try:
        run.client(0)
        for step in scenario.steps:
            run.step(step)
        return run.outcome(scenario.events)
    except ConfRefused:
        return ["configuration refused"]
    finally:
        run.close()
