"""A run: so many messages with one configuration, measured while they go."""

import itertools
import json
import os
import random
import threading
import time

import rkafka
from rkafka.metrics import ProducerMetrics

SAMPLE_S = 0.25
TRANSACTION_S = 0.5
LIMITS = {"count": 20_000_000, "size": 1_000_000}
_numbers = itertools.count(1)


def _percentile(values, share):
    return round(values[min(len(values) - 1, int(len(values) * share))] * 1000, 3) if values else None


def key_source(pattern):
    """A function from the message's number to its key: none, fixed, sequential, random:N, hot:N."""
    name, _, number = pattern.partition(":")
    n = int(number or 100)
    if n < 1:
        raise ValueError("a key pattern wants a number above 0")
    keys = [f"key-{i}" for i in range(min(n, 100_000))]
    sources = {
        "none": lambda i: None,
        "fixed": lambda i: "key",
        "sequential": lambda i: str(i),
        "random": lambda i: random.choice(keys),
        # Four messages of five have one and the same key.
        "hot": lambda i: keys[0] if i % 5 else random.choice(keys),
    }
    if name not in sources:
        raise ValueError(f"no such key pattern: {pattern}")
    return sources[name]


def payloads(kind, size):
    """Some payloads to take in turn."""
    if kind == "random":
        return [os.urandom(size) for _ in range(64)]
    if kind == "zeros":
        return [bytes(size)]
    if kind == "json":
        out = []
        for i in range(64):
            text = json.dumps({"id": i, "user": f"user-{random.randrange(1000)}", "amount": random.random(),
                               "note": " ".join(random.choice("alpha beta gamma delta".split()) for _ in range(size // 6))})
            out.append(text.encode()[:size].ljust(size))
        return out
    raise ValueError(f"no such payload: {kind}")


class Run:
    """One run. `publish(event)` is given what is to be told to pages; run() returns the result."""

    def __init__(self, request, config, bootstrap, publish):
        self.number = next(_numbers)
        self.label = str(request.get("label", ""))[:40]
        self.topic = str(request.get("topic", "studio"))
        self.count = self._limited(request, "count", 10000)
        self.size = self._limited(request, "size", 100)
        self.rate = float(request.get("rate", 0))
        self._key = key_source(str(request.get("keys", "none")))
        self._payloads = payloads(str(request.get("payload", "json")), self.size)
        self._publish = publish
        self._stop = threading.Event()
        self._metrics = ProducerMetrics()
        self._stats = {}
        self.samples, self.messages, self.errors = [], [], {}
        self.delivered = self.failed = self.refused = self.produced = 0
        self.partitions, self._latencies = {}, []
        self._retries = 0
        self._transactional = "transactional.id" in config
        self._producer = rkafka.Producer({
            **config, "bootstrap.servers": bootstrap, "statistics.interval.ms": int(SAMPLE_S * 1000),
            "stats_cb": self._on_stats, "error_cb": self._on_error, "on_delivery": self._on_delivery, "log_level": 0,
        })

    @staticmethod
    def _limited(request, name, default):
        value = int(request.get(name, default))
        if not 1 <= value <= LIMITS[name]:
            raise ValueError(f"{name} must be from 1 to {LIMITS[name]}")
        return value

    # ---- what the producer tells ----

    def _on_stats(self, text):
        self._metrics.update(text)
        self._stats = json.loads(text)

    def _on_error(self, error):
        self.errors[error.name()] = self.errors.get(error.name(), 0) + 1

    def _on_delivery(self, error, message):
        if error is not None:
            self.failed += 1
            self.errors[error.name()] = self.errors.get(error.name(), 0) + 1
            return
        self.delivered += 1
        partition = message.partition()
        self.partitions[partition] = self.partitions.get(partition, 0) + 1
        if not self.delivered & 15 or len(self.messages) < 5:
            latency = message.latency()
            self._latencies.append(latency)
            if len(self.messages) < 5:
                self.messages.append({"partition": partition, "offset": message.offset(),
                                      "latency_ms": round(latency * 1000, 3)})

    # ---- the run ----

    def stop(self):
        self._stop.set()

    def _sample(self, begin, last):
        now = time.monotonic()
        latencies, self._latencies = sorted(self._latencies), []
        values = self._metrics.values
        brokers = [{
            "name": b["name"], "id": b["nodeid"], "state": b["state"], "requests": b["tx"],
            "rtt_ms": round(b["rtt"]["avg"] / 1000, 3), "in_flight": b["waitresp_cnt"], "queued": b["outbuf_cnt"],
            "retries": b["txretries"], "errors": b["txerrs"] + b["req_timeouts"],
        } for b in self._stats.get("brokers", {}).values() if b["nodeid"] >= 0]
        self._retries = sum(b["retries"] for b in brokers)
        config_batch = values["batch-size-avg"]
        sample = {
            "t_ms": round((now - begin) * 1000), "delivered": self.delivered, "failed": self.failed,
            "msgs_per_sec": round((self.delivered - last[1]) / max(now - last[0], 1e-9)),
            "latency_p50_ms": _percentile(latencies, 0.5), "latency_p99_ms": _percentile(latencies, 0.99),
            "queued": len(self._producer), "batch_bytes": round(config_batch),
            "batch_records": round(values["records-per-request-avg"], 1),
            "compression_ratio": round(values["compression-rate-avg"], 4), "retries": self._retries,
            "errors": self.failed + sum(b["errors"] for b in brokers), "brokers": sorted(brokers, key=lambda b: b["id"]),
        }
        self.samples.append(sample)
        self._publish({"type": "sample", "run": self.number, "label": self.label, "sample": sample,
                       "partitions": dict(self.partitions)})
        return now, self.delivered

    def _transaction_turn(self, now, begun):
        """Ends the transaction that has lasted long enough and begins another; when the open one began."""
        if now - begun < TRANSACTION_S:
            return begun
        self._producer.commit_transaction(60)
        self._producer.begin_transaction()
        return time.monotonic()

    def run(self):
        producer, key, payload = self._producer, self._key, itertools.cycle(self._payloads)
        self._publish({"type": "start", "run": self.number, "label": self.label, "count": self.count})
        begin = transaction = time.monotonic()
        try:
            if self._transactional:
                producer.init_transactions(30)
                producer.begin_transaction()
            last = (begin, 0)
            while self.produced < self.count and not self._stop.is_set():
                self._produce_some(producer, key, payload, begin)
                now = time.monotonic()
                if now - last[0] >= SAMPLE_S:
                    last = self._sample(begin, last)
                if self._transactional:
                    transaction = self._transaction_turn(now, transaction)
            if self._stop.is_set():
                producer.purge()
            while producer.flush(SAMPLE_S) and not self._stop.is_set():
                last = self._sample(begin, last)
            if self._stop.is_set():
                producer.purge()
                producer.flush(5)
            if self._transactional:
                (producer.abort_transaction if self._stop.is_set() else producer.commit_transaction)(60)
            elapsed = time.monotonic() - begin
            # The statistics of the last interval.
            producer.poll(SAMPLE_S * 1.2)
            self._sample(begin, last)
        except rkafka.KafkaException as e:
            elapsed = time.monotonic() - begin
            self._on_error(e.args[0])
            self.failed += self.produced - self.delivered - self.failed
            producer.purge()
        finally:
            producer.close()
        return self._result(elapsed)

    def _produce_some(self, producer, key, payload, begin):
        """A few hundred messages, fewer where a rate is asked for."""
        allowed = self.count - self.produced
        if self.rate:
            allowed = min(allowed, int((time.monotonic() - begin) * self.rate) + 1 - self.produced)
        for _ in range(min(allowed, 500)):
            try:
                producer.produce(self.topic, next(payload), key(self.produced))
                self.produced += 1
            except BufferError:
                producer.poll(0.05)
                break
        producer.poll(0 if allowed > 0 else 0.002)

    def _result(self, elapsed):
        result = {
            "run": self.number, "label": self.label, "elapsed_ms": round(elapsed * 1000, 1),
            "msgs_per_sec": round(self.delivered / elapsed, 1) if elapsed else 0, "count": self.produced,
            "delivered": self.delivered, "error_count": self.failed, "errors": self.errors, "retries": self._retries,
            "samples": self.samples, "messages": self.messages,
            "partition_histogram": {str(p): n for p, n in sorted(self.partitions.items())},
            "distinct_partitions": len(self.partitions),
        }
        self._publish({"type": "end", "run": self.number, "label": self.label,
                       "result": {k: v for k, v in result.items() if k != "samples"}})
        return result
