"""SerializingProducer, metrics, interceptors, several threads."""

import json
import math
import sys
import threading
import unittest
import urllib.error
import urllib.request

from rkafka import KafkaError, KafkaException, SerializingProducer
from rkafka import serialization as s
from rkafka.error import KeySerializationError, ValueSerializationError
from rkafka.interceptors import InterceptingProducer, ProducerInterceptor
from rkafka.metrics import DESCRIPTIONS, ProducerMetrics

from .support import Case, Reports


class Serializers(unittest.TestCase):
    def test_there_and_back(self):
        pairs = [
            (s.StringSerializer(), s.StringDeserializer(), "Jämtland", "Jämtland".encode()),
            (s.StringSerializer("utf_16_be"), s.StringDeserializer("utf_16_be"), "ä", b"\0\xe4"),
            (s.IntegerSerializer(), s.IntegerDeserializer(), -2, b"\xff\xff\xff\xfe"),
            (s.DoubleSerializer(), s.DoubleDeserializer(), 1.5, b"\x3f\xf8" + bytes(6)),
            (s.JSONSerializer(), s.JSONDeserializer(), {"a": [1, None, "ö"]}, '{"a":[1,null,"ö"]}'.encode()),
        ]
        for serializer, deserializer, value, data in pairs:
            self.assertEqual(serializer(value), data)
            self.assertEqual(deserializer(data), value)
            self.assertIsNone(serializer(None))
            self.assertIsNone(deserializer(None))
        self.assertEqual(s.JSONSerializer(lambda o: b"own")(1), b"own")

    def test_what_cannot_be(self):
        for call in (
            lambda: s.IntegerSerializer()(1 << 40),
            lambda: s.IntegerSerializer()("text"),
            lambda: s.DoubleSerializer()("text"),
            lambda: s.IntegerDeserializer()(b"\0"),
            lambda: s.StringSerializer("ascii")("ä"),
            lambda: s.StringDeserializer()(b"\xff"),
            lambda: s.JSONSerializer()(object()),
            lambda: s.JSONSerializer()(math.nan),
            lambda: s.JSONDeserializer()(b"{"),
        ):
            with self.assertRaises(s.SerializationError):
                call()
        with self.assertRaises(NotImplementedError):
            s.Serializer()(1)


class Serializing(Case):
    def make(self, conf):
        p = SerializingProducer({"bootstrap.servers": self.cluster.bootstrap_servers, **conf})
        self.addCleanup(p.close)
        return p

    def test_keys_values_and_headers(self):
        seen = []

        def key_serializer(key, ctx):
            seen.append((ctx.topic, str(ctx.field), ctx.headers))
            ctx.headers.append(("by", b"serializer"))
            return str(key).encode()

        reports = Reports()
        p = self.make({"key.serializer": key_serializer, "value.serializer": s.JSONSerializer()})
        p.produce("topic", 5, {"a": 1}, partition=2, on_delivery=reports, headers=[("h", "v")])
        p.flush()
        m = reports.messages[0]
        self.assertEqual((m.key(), m.value(), m.partition()), (b"5", b'{"a":1}', 2))
        self.assertEqual(m.headers(), [("h", b"v"), ("by", b"serializer")])
        self.assertEqual(seen[0][:2], ("topic", "key"))

    def test_failures(self):
        p = self.make({"key.serializer": s.IntegerSerializer(), "value.serializer": s.DoubleSerializer()})
        with self.assertRaises(KeySerializationError) as caught:
            p.produce("topic", key="text")
        self.assertEqual(caught.exception.code, KafkaError._KEY_SERIALIZATION)
        with self.assertRaises(ValueSerializationError) as caught:
            p.produce("topic", value="text")
        self.assertEqual(caught.exception.name, "_VALUE_SERIALIZATION")
        self.assertIsInstance(caught.exception, KafkaException)
        self.assertEqual(len(p), 0)


class Metrics(Case):
    def test_from_a_producer(self):
        metrics, reports = ProducerMetrics(), Reports()
        p = self.producer({"statistics.interval.ms": 100, "stats_cb": metrics.update, "compression.type": "lz4"})
        for _ in range(1000):
            p.produce("topic", b"x" * 1000, on_delivery=reports)
        p.flush()
        self.eventually(lambda: p.poll(0.1) and metrics.values["record-send-total"] == 1000, "statistics")
        v = metrics.values
        self.assertEqual(set(v), set(DESCRIPTIONS))
        self.assertGreater(v["record-send-rate"], 0)
        self.assertGreater(v["request-latency-avg"], 0)
        self.assertGreater(v["batch-size-avg"], 0)
        self.assertGreater(v["compression-rate-avg"], 0)
        self.assertLess(v["compression-rate-avg"], 0.5)  # of one byte repeated
        self.assertEqual(v["buffer-available-bytes"], v["buffer-total-bytes"])
        self.assertEqual(v["record-error-rate"], 0)

    def test_failed_records_are_counted(self):
        metrics = ProducerMetrics()
        p = self.producer({"statistics.interval.ms": 50, "stats_cb": metrics.update})
        metrics.watch(p)
        p.produce("topic", "good")
        for _ in range(3):
            p.produce("topic", "bad", partition=99)
        p.flush()
        self.assertEqual(p.failed, 3)
        self.eventually(lambda: p.poll(0.1) and metrics.values["record-error-rate"] > 0, "the error rate")

    def test_arithmetic(self):
        m = ProducerMetrics()
        broker = {"txretries": 0, "txerrs": 0, "req_timeouts": 0, "state": "UP", "rtt": {"avg": 2000, "cnt": 3, "max": 9000}}
        one = {"name": "p", "ts": 1000000, "age": 1000000, "txmsgs": 10, "txmsg_bytes": 1000, "tx_bytes": 500, "tx": 5,
               "msg_size": 40, "msg_size_max": 100, "msg_cnt": 4, "brokers": {"a": broker, "b": {"rtt": {"avg": 4000, "cnt": 1}}},
               "topics": {"t": {"batchsize": {"avg": 100, "cnt": 1}, "batchcnt": {"avg": 3, "cnt": 1}}, "u": {"batchsize": {"avg": 400, "cnt": 2}}}}
        m.update(json.dumps(one))
        self.assertEqual(m.values["record-send-rate"], 10)
        two = dict(one, ts=3000000, txmsgs=50, txmsg_bytes=5000, tx_bytes=1500)
        two["brokers"] = {"a": dict(broker, txretries=4, waitresp_cnt=2)}
        m.update(json.dumps(two))
        v = m.values
        self.assertEqual(v["record-send-rate"], 20)
        self.assertEqual(v["byte-rate"], 2000)
        self.assertEqual(v["compression-rate-avg"], 0.25)
        self.assertEqual(v["record-retry-rate"], 6)
        self.assertEqual(v["requests-in-flight"], 2)
        self.assertEqual(v["request-latency-avg"], 2)
        self.assertEqual(v["batch-size-avg"], 300)
        self.assertEqual(v["buffer-available-bytes"], 60)
        self.assertEqual(v["connection-count"], 1)

    def test_prometheus(self):
        m = ProducerMetrics()
        m.update(json.dumps({"name": 'na"me', "ts": 2000000, "age": 2000000, "txmsgs": 10}))
        server = m.serve()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        address = f"http://127.0.0.1:{server.server_address[1]}"
        with urllib.request.urlopen(f"{address}/metrics", timeout=20) as answer:
            self.assertTrue(answer.headers["Content-Type"].startswith("text/plain; version=0.0.4"))
            text = answer.read().decode()
        self.assertIn('\nkafka_producer_record_send_rate{client_id="na\\"me"} 5\n', text)
        self.assertIn("# TYPE kafka_producer_record_send_total counter\n", text)
        for line in text.splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) kafka_producer_\w+ .+|kafka_producer_\w+\{client_id="[^{}]*"\} \S+)$')
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{address}/other", timeout=20)
        caught.exception.close()


class Interceptors(Case):
    def test_send_and_acknowledgement(self):
        log = []

        class Mine(ProducerInterceptor):
            def on_send(self, record):
                record.headers.append(("traceparent", "00-abc"))
                record.context[self] = record.value
                log.append(("send", record.topic))

            def on_acknowledgement(self, record, error, message):
                log.append(("ack", error and error.name(), message and message.offset(), record.context.pop(self)))

        class Broken(ProducerInterceptor):
            def on_send(self, record):
                raise ValueError("not to be seen")

        reports = Reports()
        p = InterceptingProducer({"bootstrap.servers": self.cluster.bootstrap_servers, "on_delivery": reports,
                                  "message.max.bytes": 1000, "interceptors": [Broken(), Mine()]})
        self.addCleanup(p.close)
        with self.assertLogs("rkafka.interceptors", "ERROR"):
            p.produce("topic", b"1", partition=0, headers={"own": "h"})
            p.flush()
            with self.assertRaises(KafkaException):
                p.produce("topic", b"x" * 2000)
            self.assertEqual(p.produce_batch("topic", [{"value": b"2"}], partition=0), 1)
            p.flush()
        self.assertEqual(reports.messages[0].headers(), [("own", b"h"), ("traceparent", b"00-abc")])
        self.assertEqual(len(reports.all), 2)
        self.assertEqual(log, [("send", "topic"), ("ack", None, 0, b"1"), ("send", "topic"),
                               ("ack", "MSG_SIZE_TOO_LARGE", None, b"x" * 2000), ("send", "topic"), ("ack", None, 1, b"2")])

    def test_open_telemetry(self):
        try:
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import SimpleSpanProcessor
            from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        except ImportError:
            self.skipTest("opentelemetry-sdk is not installed (PyPI)")
        from rkafka.interceptors import OpenTelemetryInterceptor

        exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        tracer = provider.get_tracer("test")
        reports = Reports()
        p = InterceptingProducer({"bootstrap.servers": self.cluster.bootstrap_servers, "on_delivery": reports,
                                  "message.max.bytes": 1000, "interceptors": [OpenTelemetryInterceptor(tracer)]})
        self.addCleanup(p.close)
        with tracer.start_as_current_span("parent"):
            p.produce("topic", b"v", key="key", partition=1)
            with self.assertRaises(KafkaException):
                p.produce("topic", b"v" * 2000)
        p.flush()
        spans = {x.name + x.status.status_code.name: x for x in exporter.get_finished_spans()}
        sent, failed, parent = spans["send topicUNSET"], spans["send topicERROR"], spans["parentUNSET"]
        self.assertEqual(sent.parent.span_id, parent.context.span_id)
        self.assertRegex(dict(reports.messages[0].headers())["traceparent"].decode(),
                         f"^00-{sent.context.trace_id:032x}-{sent.context.span_id:016x}-0[0-9a-f]$")
        self.assertEqual(sent.attributes["messaging.destination.partition.id"], "1")
        self.assertEqual(failed.attributes["error.type"], "MSG_SIZE_TOO_LARGE")


class Threads(Case):
    def test_produce_from_several_poll_from_several(self):
        seen = [[] for _ in range(6)]
        done = threading.Event()
        p = self.producer()

        def produce(n):
            def on_delivery(error, message):
                assert error is None and message.value() == value
                seen[n].append(None)

            value = str(n).encode()
            for i in range(3000):
                while True:
                    try:
                        p.produce("topic", value, on_delivery=on_delivery)
                        break
                    except BufferError:
                        p.poll(0.01)
                if i % 100 == 0:
                    p.produce_batch("topic", [{"value": value}] * 10, on_delivery=on_delivery)

        def poll():
            while not done.is_set():
                p.poll(0.01)

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        self.addCleanup(sys.setswitchinterval, interval)
        pollers = [threading.Thread(target=poll) for _ in range(2)]
        producers = [threading.Thread(target=produce, args=(n,)) for n in range(6)]
        for t in pollers + producers:
            t.start()
        for t in producers:
            t.join()
        self.assertEqual(p.flush(60), 0)
        done.set()
        for t in pollers:
            t.join()
        self.assertEqual([len(s) for s in seen], [3300] * 6)
        self.assertEqual(sum(self.cluster.end_offset("topic", i) for i in range(4)), 6 * 3300)
