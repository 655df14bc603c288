"""What is measured besides throughput and latency: memory, rest, start and size. Each measure gives one number."""
import os
import random
import shutil
import socket
import statistics
import subprocess
import tempfile

from processes import BUILD, Embedded, Sink, run

IDLE_S = 5
STARTS = 50             # processes of each library, of which the median start counts
HELD = 500_000          # messages queued at once
HELD_SIZE = 100         # bytes of each
HELD_RECORD = 110       # such a record, encoded in the middle of its batch


class Nowhere:
    """An address at which nobody listens."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.settings = []


def held(library):
    with Sink(8) as sink:
        line = run(library, sink, HELD, ["--hold", str(sink.process.pid), "--size", str(HELD_SIZE)])
    return line["held_bytes"] - HELD_RECORD


def idle(library):
    """1,000 partitions at 10 brokers, one message sent to each partition beforehand."""
    with Embedded(1000, brokers=10) as broker:
        return run(library, broker, 20_000, ["--keys", "20000", "--idle", str(IDLE_S)])["idle"]


def after_burst(library):
    with Sink(8) as sink:
        line = run(library, sink, 1_000_000, ["--idle", "12"])
    return line["peak_rss_kib"] / 1024, line["idle"]["rss_kib"] / 1024


def unreachable(library):
    # Both say on stderr that there is no broker.
    return run(library, Nowhere(), 0, ["--idle", str(IDLE_S)], stderr=subprocess.DEVNULL)["idle"]


def starts(libraries):
    """Microseconds from where the client is made to its first report, the same with the configuration before that, and those
    of the bare round trips: the requests that this takes, one after the other on blocking sockets (benches/limit.c). Medians
    of processes that start one after the other, in an order that differs each time."""
    args = {lib: ["--start", "--linger", "0"] for lib in libraries} | {"limit": ["--start", "1"]}
    took = {lib: [] for lib in args}
    configured = {lib: [] for lib in libraries}
    with Sink(8) as sink:
        for _ in range(STARTS):
            for lib in random.sample(list(args), len(args)):  # what ran before leaves caches and cores as it does
                line = run(lib, sink, 1, args[lib])
                took[lib].append(line["start_us"])
                if lib in configured:
                    configured[lib].append(line["configured_start_us"])
    return [{lib: statistics.median(us) for lib, us in each.items()} for each in (took, configured)]


def library_size(path):
    with tempfile.TemporaryDirectory() as directory:
        stripped = os.path.join(directory, "library")
        shutil.copy(path, stripped)
        subprocess.run(["strip", stripped], check=True)
        return os.path.getsize(stripped) / 1e6


def measure(libraries):
    """Rows of (name, unit, {library: figure}, bar or None)."""
    rows = []

    def row(name, unit, figures, bar=None):
        rows.append({"name": name, "unit": unit, "figures": dict(zip(libraries, figures)), "bar": bar})

    row("memory per queued message of 100 B, above its record", "bytes", [held(lib) for lib in libraries], "at most 24")
    still = [idle(lib) for lib in libraries]
    row("resident, idle, 1,000 partitions at 10 brokers", "MiB", [s["rss_kib"] / 1024 for s in still], "at most 20")
    row("the same: wake-ups per second", "", [s["wakeups_per_s"] for s in still], "at most 10")
    row("the same: CPU per second", "ms", [s["cpu_ms_per_s"] for s in still])
    burst = [after_burst(lib) for lib in libraries]
    row("resident at the peak of a burst of 1,000,000", "MiB", [b[0] for b in burst])
    row("resident 15 s after it", "MiB", [b[1] for b in burst])
    alone = [unreachable(lib) for lib in libraries]
    row("no broker reachable: wake-ups per second", "", [s["wakeups_per_s"] for s in alone])
    row("no broker reachable: CPU per second", "ms", [s["cpu_ms_per_s"] for s in alone])
    start, configured = starts(libraries)
    bare = start.pop("limit")
    rows.append({"name": "from rk_producer_new to the first report", "unit": "us", "figures": start, "bar": None})
    rows.append({"name": "the same and the configuration before it", "unit": "us", "figures": configured, "bar": None})
    rows.append({"name": "the bare round trips of that", "unit": "us", "figures": {"limit": bare}, "bar": None})
    row("start as a multiple of its bare round trips", "", [us / bare for us in start.values()], "at most 1.2")
    if "ours" in libraries:
        size = library_size(os.path.join(BUILD, "librkafka.so"))
        rows.append({"name": "librkafka.so, stripped", "unit": "MB", "figures": {"ours": size}, "bar": "at most 6"})
    return rows
