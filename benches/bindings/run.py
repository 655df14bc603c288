#!/usr/bin/env python3
"""Compares a binding of rkafka with its peer: messages/s and CPU per message, a delivery report for every message.

    run.py NAME --ours COMMAND --peer COMMAND [--sizes 100,1000] [--seconds 3] [--rounds 3] [--check]

Each command is run as COMMAND BOOTSTRAP SIZE SECONDS and prints one line of JSON with rate (messages/s), cpu_us (CPU time
of the process per message), client and version. Both run in turn against a broker that accepts and discards, started for
each run; the medians are shown. --check fails under twice the peer's rate or above its CPU.
"""
import argparse
import json
import os
import shlex
import signal
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SINK = os.path.join(ROOT, "build", "bench", "sink")


def measure(command, size, seconds):
    sink = subprocess.Popen([SINK, "--partitions", "8"], stdout=subprocess.PIPE, text=True)
    try:
        address = sink.stdout.readline().split()[1]
        done = subprocess.run(shlex.split(command) + [address, str(size), str(seconds)], stdout=subprocess.PIPE,
                              text=True, timeout=seconds * 20 + 60)
    finally:
        sink.send_signal(signal.SIGTERM)
        totals = json.loads(sink.communicate()[0])
    if done.returncode:
        raise SystemExit(f"failed: {command}")
    result = json.loads(done.stdout.splitlines()[-1])
    if totals["bad_crc"] or totals["records"] < result["messages"]:
        raise SystemExit(f"{command}: the broker counted {totals}, the client {result}")
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("--ours", required=True)
    parser.add_argument("--peer", required=True)
    parser.add_argument("--sizes", default="100,1000")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    under = False
    print(f"{args.name}: a delivery report for every message, {args.rounds} runs of {args.seconds:g} s each, medians")
    print(f"{'size':>6}  {'client':<28} {'messages/s':>12} {'CPU us/msg':>11}")
    for size in map(int, args.sizes.split(",")):
        runs = {"ours": [], "peer": []}
        for _ in range(args.rounds):
            for side in runs:
                runs[side].append(measure(getattr(args, side), size, args.seconds))
        medians = {}
        for side, results in runs.items():
            medians[side] = [statistics.median(r[k] for r in results) for k in ("rate", "cpu_us")]
            label = f"{results[0]['client']} ({results[0]['version']})"
            print(f"{size:>6}  {label:<28} {medians[side][0]:>12,.0f} {medians[side][1]:>11.3f}")
        rate = medians["ours"][0] / medians["peer"][0]
        cpu = medians["peer"][1] / medians["ours"][1]
        print(f"{size:>6}  {rate:.2f} times the messages/s, {cpu:.2f} times less CPU")
        under |= rate < 2 or cpu < 1
    return 1 if args.check and under else 0


sys.exit(main())
