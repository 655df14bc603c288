#!/usr/bin/env python3
"""Compares rkafka with librdkafka as producers, against a broker that accepts and discards.

Each row is one workload. Both libraries run it in turn, against a broker started for that run,
and the median of the runs is shown: messages/s, CPU time of the client process per message
(user and system, every thread), instructions per message and the most memory ever resident.
Afterwards the broker's own count must be the number of messages, with no bad checksum.

Instructions are counted with `perf stat` where that works, else with callgrind, for the main
rows only. Two runs of N and 2N messages are subtracted, so that start-up does not count.
"""
import argparse
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

import limits
import multiples
import rest
from processes import ROOT, Embedded, Sink, check_totals, command, run

BASELINE = os.path.join(ROOT, "benches", "baseline.json")
LIBRARIES = ("ours", "peer")
NAMES = {"ours": "rkafka", "peer": "librdkafka"}
LATENCY_RUNS = 3     # of a second each, for one other run: what disturbs the machine for a moment then spoils few of them
ALLOWED_RISE = 0.05  # of instructions per message, before bench-check fails


@dataclass
class Row:
    name: str
    count: int
    args: list = field(default_factory=list)
    warm_up: int = 0        # messages before those that are measured
    partitions: int = 8
    main: bool = False      # its instructions are counted and kept in the baseline
    quick: bool = False     # part of a --quick run
    latency: bool = False
    tls: bool = False       # against the embedded broker, behind TLS
    codec: bool = False     # the bytes that the broker took are compared
    bar: float = 0          # most that it may cost, as a multiple of the first row
    libraries: tuple = LIBRARIES


def all_rows():
    # A queue fills as far as it may where the broker is slower than the producer, and the kernel clears its memory once, in
    # the first million messages; what is measured is how it goes on. Hence the warm-up, as long as the queue.
    def at_100_bytes(name, *args, count=4_000_000, **more):
        return Row(name, count, list(args), warm_up=2_000_000, **more)

    keys, murmur2 = ["--keys", "10000"], ["-X", "partitioner=murmur2_random"]
    rows = [
        at_100_bytes("100 B", main=True, quick=True),
        at_100_bytes("100 B, keys", *keys, main=True, quick=True),
        at_100_bytes("100 B, by name", "--by-name", main=True, quick=True, bar=1.2),
        at_100_bytes("100 B, reports by batch", "--dr", "batch", libraries=("ours",)),
        at_100_bytes("100 B, reports as events", "--dr", "event", bar=1.0),
        at_100_bytes("100 B, idempotence", "--idempotence", "1", bar=1.05),
        at_100_bytes("100 B, statistics each second", "--stats", "1000", bar=1.05),
        at_100_bytes("100 B, murmur2 keys", *keys, *murmur2),
        at_100_bytes("10 B", "--size", "10"),
        at_100_bytes("10 B, keys", "--size", "10", *keys),
        Row("1000 B", 3_000_000, ["--size", "1000"], warm_up=2_000_000, quick=True),
        Row("1000 B, keys", 3_000_000, ["--size", "1000", *keys], warm_up=2_000_000),
        at_100_bytes("100 B, 2 headers", "--headers", "2", count=2_000_000, main=True, bar=1.5),
        at_100_bytes("100 B, 1000 partitions", partitions=1000, bar=1.3),
        at_100_bytes("100 B, keys, 1000 partitions", *keys, count=2_000_000, partitions=1000, quick=True),
        at_100_bytes("100 B, 2 threads", "--threads", "2", quick=True, bar=1.25),  # 2 / 1.25 is the 1.6 of more cores
        at_100_bytes("100 B, 8 threads", "--threads", "8"),
        at_100_bytes("100 B, keys, 2 threads", "--threads", "2", *keys),
    ]
    for codec, count in (("none", 3_000_000), ("gzip", 60_000), ("snappy", 1_500_000), ("lz4", 1_500_000), ("zstd", 1_500_000)):
        rows.append(Row(f"1000 B JSON, {codec}", count, ["--size", "1000", "--payload", "json", "--codec", codec,
                                                         "--linger", "50"],
                        warm_up=0 if codec == "gzip" else 1_500_000, quick=codec == "lz4", codec=True))
    rows.append(Row("1000 B, TLS", 500_000, ["--size", "1000"], tls=True))
    for linger in (0, 5):
        rows.append(Row(f"latency at 10,000/s, linger {linger}", 10_000,
                        ["--rate", "10000", "--linger", str(linger)], latency=True, quick=linger == 5))
    return rows


# ---- one run ----

def broker_for(row):
    return Embedded(row.partitions, tls=True) if row.tls else Sink(row.partitions)


def run_once(library, row, count, scale):
    warm_up = row.warm_up // scale
    with broker_for(row) as broker:
        figures = run(library, broker, count, row.args + (["--warm-up", str(warm_up)] if warm_up else []))
    check_totals(library, row.name, count + warm_up, broker.totals)
    if row.codec:
        figures["batch_bytes"] = broker.totals["bytes"] / broker.totals["records"]
    return figures


# ---- instructions ----

def instruction_counter():
    """'perf', 'callgrind' or None: what can count user-space instructions here."""
    if shutil.which("perf"):
        probe = subprocess.run(["perf", "stat", "-x,", "-e", "instructions:u", "true"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if probe.returncode == 0 and re.match(r"\d+,", probe.stderr.strip().splitlines()[-1]):
            return "perf"
    return "callgrind" if shutil.which("valgrind") else None


def instructions_of_run(method, library, row, count):
    with tempfile.TemporaryDirectory() as tmp, Sink(row.partitions) as sink:
        log = os.path.join(tmp, "log")
        if method == "perf":
            wrap, extra = ["perf", "stat", "-x,", "-o", log, "-e", "instructions:u"], []
        else:
            wrap = ["valgrind", "--tool=callgrind", "--fair-sched=try", "--callgrind-out-file=/dev/null",
                    f"--log-file={log}"]
            # Everything runs some 50 times slower, except the clock: longer waits keep the batches
            # about as large as they are at full speed.
            extra = ["-X", "linger.ms=250", "-X", "sticky.partitioning.linger.ms=500",
                     "-X", "request.timeout.ms=60000", "-X", "message.timeout.ms=300000"]
        done = subprocess.run(wrap + command(library, sink, count, row.args, extra),
                              stdout=subprocess.PIPE, text=True, timeout=300)
        with open(log) as f:
            text = f.read()
    if done.returncode != 0:
        raise SystemExit(f"bench: {library} under {method}, row '{row.name}' failed: {done.stdout}\n{text}")
    check_totals(library, row.name, count, sink.totals)
    found = re.search(r"^(\d+),,instructions" if method == "perf" else r"Collected : (\d+)", text, re.M)
    return int(found.group(1))


def whose_counted(row, libraries, a):
    """Whose instructions are counted in a row."""
    if re.search(a.instructions, row.name) if a.instructions else row.main:
        return libraries
    # As a multiple of the first row; librdkafka's is not looked at.
    return [lib for lib in libraries if lib == "ours"] if row.bar and not a.quick and not a.instructions else []


def instructions_per_message(method, library, row, quick=False):
    n = 1_000_000 if method == "perf" else 50_000 if quick else 100_000
    return (instructions_of_run(method, library, row, 2 * n) - instructions_of_run(method, library, row, n)) / n


# ---- tables ----

def summary(row, runs, best):
    """The median of the runs, or, on a machine that has other work too, what was best in any of them."""
    least, most = (min, max) if best else (statistics.median, statistics.median)
    out = {"messages_per_s": most(r["rate"] for r in runs),
           "cpu_ns": least(r["cpu_ns"] for r in runs),
           # What disturbs the machine only adds.
           "cpu_ns_least": min(r["cpu_ns"] for r in runs),
           "peak_mib": least(r["peak_rss_kib"] / 1024 for r in runs),
           "runs": len(runs)}
    if row.codec:
        out["batch_bytes"] = least(r["batch_bytes"] for r in runs)
    if row.latency:
        for p in ("p50", "p99", "p999"):
            out[p + "_us"] = least(r["latency_us"][p] for r in runs)
    return out


def number(v):
    if v is None:
        return "-"
    return f"{v:,.1f}" if v < 100 else f"{v:,.0f}"


def ratio(a, b):
    """How many times the second is the first, in two or three digits."""
    if not a or not b:
        return "-"
    r = b / a
    return f"x{r:.2f}" if r < 10 else f"x{r:.1f}"


def print_table(title, columns, rows, results, libraries):
    """`columns`: (heading, key, True if more is better). A ratio above 1 is in favour of rkafka."""
    rows = [r for r in rows if r.name in results]
    if not rows:
        return
    cells, both = [], len(libraries) == 2
    for row in rows:
        line = [row.name]
        for _, key, more in columns:
            values = [results[row.name].get(lib, {}).get(key) for lib in libraries]
            line += [number(v) for v in values]
            if both:
                line.append(ratio(*(reversed(values) if more else values)))
        cells.append(line)
    heads = [NAMES[lib] for lib in libraries] + (["ratio"] if both else [])
    header = [""] + heads * len(columns)
    widths = [max(len(line[i]) for line in [header] + cells) for i in range(len(header))]
    group = len(heads)
    for i, (heading, _, _) in enumerate(columns):  # room for the heading above its columns
        span = sum(widths[1 + i * group:1 + (i + 1) * group]) + group - 1
        widths[1 + i * group] += max(0, len(heading) - span)
    top = " " * widths[0]
    for i, (heading, _, _) in enumerate(columns):
        span = widths[1 + i * group:1 + (i + 1) * group]
        top += "   " + heading.center(sum(span) + group - 1)

    def text(line):
        out = line[0].ljust(widths[0])
        for i in range(1, len(line)):
            out += ("   " if (i - 1) % group == 0 else " ") + line[i].rjust(widths[i])
        return out.rstrip()

    print(f"\n{title}\n{top.rstrip()}\n{text(header)}")
    for line in cells:
        print(text(line))


def print_rest(rows):
    print("\nMemory, rest, start, size")
    for row in rows:
        figures = ", ".join(f"{NAMES.get(lib, lib)} {number(figure)}" for lib, figure in row["figures"].items())
        bar = f" ({row['bar']})" if row["bar"] else ""
        unit = f" {row['unit']}" if row["unit"] else ""
        print(f"{row['name']:<52} {figures}{unit}{bar}")


# ---- commands ----

def measure(rows, libraries, reps, scale, best):
    """All rows once, then all of them again: a machine that is slow for some minutes is so for every row, and rows can still be
    compared with each other. In another order each time, lest a disturbance that comes back meets the same row again."""
    runs = {row.name: {lib: [] for lib in libraries if lib in row.libraries} for row in rows}
    for rep in range(reps):
        for row in random.sample(rows, len(rows)):
            count = row.count if row.latency else max(row.count // scale, 1)
            for turn in range(LATENCY_RUNS if row.latency else 1):
                order = list(runs[row.name])
                for lib in order if (rep + turn) % 2 == 0 else reversed(order):
                    runs[row.name][lib].append(run_once(lib, row, count, scale))
            print(".", end="", flush=True, file=sys.stderr)
        print(f" {rep + 1}/{reps}", file=sys.stderr)
    results = {row.name: {lib: summary(row, done, best) for lib, done in runs[row.name].items()} for row in rows}
    names = {lib: done[0]["library"] for each in runs.values() for lib, done in each.items()}
    return results, names


def check(rows, update):
    method = instruction_counter() or sys.exit("bench-check: neither perf nor valgrind can count instructions here")
    now = {}
    for row in rows:
        if row.main:
            now[row.name] = round(instructions_per_message(method, "ours", row), 1)
    try:
        with open(BASELINE) as f:
            baseline = json.load(f)
    except FileNotFoundError:
        baseline = {}
    if update:
        baseline[method] = {**baseline.get(method, {}), **now}
        with open(BASELINE, "w") as f:
            json.dump(baseline, f, indent=2)
            f.write("\n")
    before = baseline.get(method)
    if not before:
        sys.exit(f"bench-check: {BASELINE} has no figures by {method}; write them with --update-baseline")
    failed = False
    for name, value in now.items():
        old = before.get(name)
        rise = value / old - 1 if old else 0
        bad = old is None or rise > ALLOWED_RISE
        failed |= bad
        print(f"{'FAIL' if bad else 'ok  '} {name:<24} {value:8.1f} instructions per message by {method}, "
              f"baseline {old}, {rise:+.1%}")
    sys.exit(1 if failed else 0)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true", help="fewer rows, one run each, about a minute")
    p.add_argument("--rows", default="", help="only rows whose name matches this regular expression")
    p.add_argument("--reps", type=int, help="runs per row and library (5)")
    p.add_argument("--best", action="store_true", help="show the best of the runs, not their median: for a busy machine")
    p.add_argument("--scale", type=int, help="this many times fewer messages (1)")
    p.add_argument("--only", choices=LIBRARIES, help="measure one library only")
    p.add_argument("--no-instructions", action="store_true", help="leave out the slow counting of instructions")
    p.add_argument("--instructions", metavar="PATTERN", help="count them in rows whose name matches, not in the main ones")
    p.add_argument("--no-rest", action="store_true", help="leave out memory, rest, start and size")
    p.add_argument("--no-build", action="store_true", help="the programs are built already")
    p.add_argument("--check", action="store_true", help="compare the main rows' instructions with the baseline")
    p.add_argument("--update-baseline", action="store_true", help="with --check: write what is measured first")
    p.add_argument("--json", default=os.path.join(ROOT, "build", "bench.json"), help="where the figures go")
    a = p.parse_args()

    libraries = (a.only,) if a.only else LIBRARIES
    if not a.no_build:
        target = "bench-peer" if a.only == "peer" else "bench-programs"
        subprocess.run(["make", "-s", "-C", ROOT, "-f", "benches/bench.mk", target], check=True)
    rows = [r for r in all_rows() if re.search(a.rows, r.name) and (r.quick or not a.quick or a.rows)
            and set(libraries) & set(r.libraries)]
    if not rows:
        sys.exit("bench: no row matches")
    if a.check:
        check(rows, a.update_baseline)

    reps = a.reps or (1 if a.quick else 5)
    scale = a.scale or (2 if a.quick else 1)
    results, names = measure(rows, libraries, reps, scale, a.best)
    method = None if a.no_instructions else instruction_counter()
    if not method and not a.no_instructions:
        print("bench: neither perf nor valgrind can count instructions here", file=sys.stderr)
    for row in rows if method else ():
        for lib in whose_counted(row, results[row.name], a):
            results[row.name][lib]["instructions"] = instructions_per_message(method, lib, row, a.quick)
            print("+", end="", flush=True, file=sys.stderr)
    print(file=sys.stderr)

    print(f"{' and '.join(names[lib] for lib in libraries if lib in names)}; acks=all, linger 5 ms, one producing thread, "
          f"8 partitions unless said otherwise; {'best' if a.best else 'median'} of {reps}")
    counted = f"counted by {method}" if method else "not counted"
    print(f"instructions {counted}; a ratio above 1 favours rkafka")
    columns = [("messages/s", "messages_per_s", True), ("CPU ns/message", "cpu_ns", False),
               ("least of the runs", "cpu_ns_least", False), ("instructions/message", "instructions", False),
               ("peak MiB", "peak_mib", False)]
    print_table("Throughput", columns, [r for r in rows if not r.latency], results, libraries)
    print_table("Codecs: what the broker took", [("bytes/message, batch headers included", "batch_bytes", False)],
                [r for r in rows if r.codec], results, libraries)
    columns = [("p50 us", "p50_us", False), ("p99 us", "p99_us", False), ("p99.9 us", "p999_us", False),
               ("CPU ns/message", "cpu_ns", False)]
    title = f"Latency, produce to delivery report; {'best' if a.best else 'median'} of {reps * LATENCY_RUNS}"
    print_table(title, columns, [r for r in rows if r.latency], results, libraries)

    first = all_rows()[0]
    ratios = {}
    if not a.quick and a.only != "peer":
        ratios = multiples.measure(first, rows, reps, lambda row: run_once("ours", row, max(row.count // scale, 1), scale))
        multiples.show(first, rows, ratios, results)
    bounds = limits.measure(results, reps, a.best)
    limits.show(bounds)
    others = [] if a.quick or a.no_rest or a.rows else rest.measure(libraries)
    if others:
        print_rest(others)

    os.makedirs(os.path.dirname(a.json), exist_ok=True)
    with open(a.json, "w") as f:
        json.dump({"libraries": names, "runs": reps, "instructions_by": method, "rows": results, "limits": bounds,
                   "multiples": ratios, "others": others}, f, indent=1)
    print(f"\nfigures in {os.path.relpath(a.json)}")


if __name__ == "__main__":
    main()
