"""Produces messages with a report each through one Python client, and prints one line of JSON: how long it took.

    python_worker.py rkafka|confluent_kafka BOOTSTRAP SIZE SECONDS

The clock runs from the first produce() to the last report. CPU is the whole process's, user and system.
"""

import gc
import importlib
import json
import resource
import sys
import time


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main():
    name, bootstrap, size, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    client = importlib.import_module(name)
    producer = client.Producer({
        "bootstrap.servers": bootstrap,
        "linger.ms": 5,
    })
    value = b"x" * size
    reported = failed = 0

    def on_delivery(err, msg):
        nonlocal reported, failed
        reported += 1
        if err is not None:
            failed += 1

    def run(duration):
        """Produces for so long; polls as programs do: now and then, and when the queue is full."""
        count = 0
        produce, poll, clock = producer.produce, producer.poll, time.monotonic
        end = clock() + duration
        while clock() < end:
            for _ in range(1000):
                while True:
                    try:
                        produce("bench", value, on_delivery=on_delivery)
                        break
                    except BufferError:
                        poll(0.01)
                count += 1
            poll(0)
        producer.flush()
        return count

    run(0.3)
    gc.collect()
    reported = failed = 0
    begin, begin_cpu = time.monotonic(), cpu()
    count = run(seconds)
    elapsed, used = time.monotonic() - begin, cpu() - begin_cpu
    if reported != count or failed:
        raise SystemExit(f"{name}: {count} messages, {reported} reports, {failed} failed")
    version = client.libversion()[0]
    print(json.dumps({"client": name, "version": version, "size": size, "messages": count, "seconds": elapsed,
                      "rate": count / elapsed, "cpu_us": used / count * 1e6}))


main()
