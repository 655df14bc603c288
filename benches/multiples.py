"""What rows of ours cost as multiples of the first, where there is a bar for that.

The machine's speed drifts by more within a benchmark than these rows differ. So each is run beside the first one again, in
random order, and what is shown is the median of the pairs' ratios, with the middle half of them. Instructions do not drift.
"""
import random
import statistics
import sys

PAIRS = 5  # for each run of a row in the tables


def measure(base, rows, reps, run):
    """By row name: ratios of CPU time per message, in ascending order. `run` runs a row once and returns its figures."""
    ratios = {row.name: [] for row in rows if row.bar}
    for rep in range(reps * PAIRS if ratios else 0):
        for row in random.sample([r for r in rows if r.bar], len(ratios)):
            pair = random.sample([base, row], 2)
            cost = {r.name: run(r)["cpu_ns"] for r in pair}
            ratios[row.name].append(cost[row.name] / cost[base.name])
            print(".", end="", flush=True, file=sys.stderr)
        print(f" {rep + 1}/{reps * PAIRS}", file=sys.stderr)
    return {name: sorted(of) for name, of in ratios.items()}


def show(base, rows, ratios, results):
    if not ratios:
        return
    print(f"\nrkafka's cost as a multiple of that of '{base.name}': pairs of runs, the median and the middle half")
    first = results.get(base.name, {}).get("ours", {}).get("instructions")
    for row in rows:
        if row.name not in ratios:
            continue
        low, middle, high = statistics.quantiles(ratios[row.name], n=4)
        parts = [f"CPU {middle:.2f} ({low:.2f} to {high:.2f})"]
        counted = results[row.name]["ours"].get("instructions")
        if first and counted:
            parts.append(f"instructions {counted / first:.2f}")
        print(f"{row.name:<32} {', '.join(parts)}; at most {row.bar}")
