"""Metrics under the names of Kafka's Java producer, computed from the statistics; a Prometheus exporter.

    metrics = ProducerMetrics()
    producer = Producer({..., "statistics.interval.ms": 5000, "stats_cb": metrics.update})
    metrics.watch(producer)             # for record-error-rate
    metrics.values["record-send-rate"]
    exporter = metrics.serve(9400)      # http://127.0.0.1:9400/metrics
"""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Dict, Iterable, List, Optional

from ._core import Producer

# Name, what it is. Rates are per second, over the time between two statistics documents.
DESCRIPTIONS: Dict[str, str] = {
    "record-send-rate": "Records sent per second",
    "record-send-total": "Records sent",
    "byte-rate": "Bytes of records sent per second, before compression",
    "outgoing-byte-rate": "Bytes written to brokers per second",
    "request-rate": "Requests sent per second",
    "request-latency-avg": "Mean time from request to answer, in milliseconds",
    "request-latency-max": "Longest time from request to answer, in milliseconds",
    "record-queue-time-avg": "Mean time from produce to the request, in milliseconds",
    "record-retry-rate": "Records sent again per second",
    "record-error-rate": "Records per second that were given up with an error",
    "compression-rate-avg": "Bytes written to brokers per byte of records, over the last interval",
    "batch-size-avg": "Mean size of a batch as sent, in bytes",
    "records-per-request-avg": "Mean number of records in a batch",
    "buffer-total-bytes": "Bytes that the queue may hold",
    "buffer-available-bytes": "Bytes of the queue that are free",
    "requests-in-flight": "Requests that wait for their answers",
    "waiting-records": "Records in the queue or on their way",
    "produce-throttle-time-avg": "Mean time of throttling by brokers, in milliseconds",
    "connection-count": "Brokers that are connected",
}


def _mean(windows: Iterable[Dict[str, Any]]) -> float:
    """Of windows with avg and cnt."""
    total = count = 0.0
    for w in windows:
        total += w.get("avg", 0) * w.get("cnt", 0)
        count += w.get("cnt", 0)
    return total / count if count else 0.0


class ProducerMetrics:
    """The metrics of one producer. Thread-safe; ``update`` can be its ``stats_cb``."""

    def __init__(self) -> None:
        self.values: Dict[str, float] = {name: 0.0 for name in DESCRIPTIONS}
        self.client_id = ""
        self._last: Optional[Dict[str, float]] = None
        self._producer: Optional[Producer] = None
        self._lock = threading.Lock()

    def watch(self, producer: Producer) -> None:
        """Counts the messages that this producer reports as failed; without it record-error-rate stays 0."""
        self._producer = producer

    def update(self, stats: str) -> None:
        """Takes a statistics document."""
        document = json.loads(stats)
        brokers: List[Dict[str, Any]] = list(document.get("brokers", {}).values())
        topics: List[Dict[str, Any]] = list(document.get("topics", {}).values())
        now = {
            "time": float(document["ts"]) / 1e6,
            "records": float(document.get("txmsgs", 0)),
            "bytes": float(document.get("txmsg_bytes", 0)),
            "wire": float(document.get("tx_bytes", 0)),
            "requests": float(document.get("tx", 0)),
            "retries": float(sum(b.get("txretries", 0) for b in brokers)),
            "errors": float(self._producer.failed if self._producer is not None else 0),
        }
        last = self._last or {**{k: 0.0 for k in now}, "time": now["time"] - float(document.get("age", 0)) / 1e6}
        seconds = now["time"] - last["time"]

        def rate(name: str) -> float:
            return max(now[name] - last[name], 0.0) / seconds if seconds > 0 else 0.0

        records = max(now["bytes"] - last["bytes"], 0.0)
        rtt = [b.get("rtt", {}) for b in brokers]
        records_per_batch = _mean(t.get("batchcnt", {}) for t in topics)
        values = {
            "record-send-rate": rate("records"),
            "record-send-total": now["records"],
            "byte-rate": rate("bytes"),
            "outgoing-byte-rate": rate("wire"),
            "request-rate": rate("requests"),
            "request-latency-avg": _mean(rtt) / 1000,
            "request-latency-max": max((w.get("max", 0) for w in rtt), default=0) / 1000,
            "record-queue-time-avg": _mean(b.get("int_latency", {}) for b in brokers) / 1000,
            # What is sent again are batches.
            "record-retry-rate": rate("retries") * (records_per_batch or 1),
            "record-error-rate": rate("errors"),
            "compression-rate-avg": (now["wire"] - last["wire"]) / records if records else 0.0,
            "batch-size-avg": _mean(t.get("batchsize", {}) for t in topics),
            "records-per-request-avg": records_per_batch,
            "buffer-total-bytes": float(document.get("msg_size_max", 0)),
            "buffer-available-bytes": float(document.get("msg_size_max", 0) - document.get("msg_size", 0)),
            "requests-in-flight": float(sum(b.get("waitresp_cnt", 0) for b in brokers)),
            "waiting-records": float(document.get("msg_cnt", 0)),
            "produce-throttle-time-avg": _mean(b.get("throttle", {}) for b in brokers),
            "connection-count": float(sum(b.get("state") == "UP" for b in brokers)),
        }
        with self._lock:
            self._last = now
            self.values = values
            self.client_id = document.get("name", "")

    def prometheus(self) -> str:
        """The metrics in Prometheus' text format, named kafka_producer_record_send_rate and so on."""
        with self._lock:
            values, client = dict(self.values), self.client_id
        label = client.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        lines = []
        for name, text in DESCRIPTIONS.items():
            metric = "kafka_producer_" + re.sub(r"\W", "_", name)
            kind = "counter" if name.endswith("-total") else "gauge"
            lines.append(f"# HELP {metric} {text}")
            lines.append(f"# TYPE {metric} {kind}")
            lines.append(f'{metric}{{client_id="{label}"}} {values[name]:.10g}')
        return "\n".join(lines) + "\n"

    def serve(self, port: int = 0, host: str = "127.0.0.1") -> ThreadingHTTPServer:
        """Serves /metrics on a thread; end it with shutdown() and server_close(). Its port is server_address[1]."""
        metrics = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.split("?")[0] != "/metrics":
                    self.send_error(404)
                    return
                body = metrics.prometheus().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        server = ThreadingHTTPServer((host, port), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, name="rkafka-metrics", daemon=True).start()
        return server

