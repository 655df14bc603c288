"""How far the libraries are from what this machine allows: benches/limit.c against the same broker."""
import statistics

from processes import Sink, check_totals, run

# The row of the throughput table that sends such messages, their size, and how many are sent here.
ROWS = (("100 B", 100, 5_000_000), ("1000 B", 1000, 5_000_000))
LIMITS = (("encode, checksum, write", []), ("the same on two threads", ["--two"]), ("write only", ["--ready"]))
NAMES = {"ours": "rkafka", "peer": "librdkafka"}


def limit(args, size, count, reps, best):
    runs = []
    for _ in range(reps):
        with Sink(8) as sink:
            runs.append(run("limit", sink, count, ["--size", str(size), *args]))
        check_totals("limit", f"{size} B {' '.join(args)}", count, sink.totals)
    least, most = (min, max) if best else (statistics.median, statistics.median)
    return {"messages_per_s": most(r["rate"] for r in runs), "cpu_ns": least(r["cpu_ns"] for r in runs)}


def measure(results, reps, best):
    """By row name, for the rows that are among `results`: what takes how long, in the order in which it is shown."""
    bounds = {}
    for name, size, count in ROWS:
        if name not in results:
            continue
        found = {what: limit(args, size, count, reps, best) for what, args in LIMITS}
        found.update((NAMES[lib], results[name][lib]) for lib in NAMES if lib in results[name])
        bounds[name] = {what: {"messages_per_s": f["messages_per_s"], "cpu_ns": f["cpu_ns"],
                               "gb_per_s": f["messages_per_s"] * size / 1e9} for what, f in found.items()}
    return bounds


def show(bounds):
    if not bounds:
        return
    print("\nThe limit: only what cannot be left out, on one thread; multiples are of its first line")
    print(f"{'':<32}   {'messages/s':>18}   {'CPU ns/message':>18}   {'GB/s':>6}")
    for name, lines in bounds.items():
        base = next(iter(lines.values()))
        for what, f in lines.items():
            rate = f"{f['messages_per_s']:,.0f} x{f['messages_per_s'] / base['messages_per_s']:.2f}"
            cpu = f"{f['cpu_ns']:,.1f} x{f['cpu_ns'] / base['cpu_ns']:.2f}"
            print(f"{name + ', ' + what:<32}   {rate:>18}   {cpu:>18}   {f['gb_per_s']:>6.2f}")
