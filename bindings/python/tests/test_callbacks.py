"""error_cb, stats_cb, throttle_cb, logger, oauth_cb; callbacks that raise."""

import json
import logging
import sys
import time

from rkafka import KafkaError, KafkaException, Producer, ThrottleEvent

from .support import Case, Reports


class Callbacks(Case):
    def test_error_cb(self):
        seen = []
        p = self.lonely({"error_cb": seen.append})
        self.eventually(lambda: p.poll(0.1) and any(e == KafkaError._ALL_BROKERS_DOWN for e in seen), "all brokers down")
        self.assertIsInstance(seen[0], KafkaError)
        self.assertFalse(seen[0].fatal())

    def test_stats_cb(self):
        seen = []
        p = self.producer({"statistics.interval.ms": 50, "stats_cb": seen.append})
        self.eventually(lambda: p.poll(0.1) and seen, "statistics")
        self.assertEqual(json.loads(seen[0])["name"], p.name)

    def test_throttle_cb(self):
        seen = []
        p = self.producer({"throttle_cb": seen.append})
        self.cluster.throttle(50)
        p.produce("topic", "v")
        self.eventually(lambda: (p.poll(0.1), seen)[1], "throttle event")
        self.assertIsInstance(seen[0], ThrottleEvent)
        self.assertEqual(seen[0].broker_id, 1)
        self.assertAlmostEqual(seen[0].throttle_time, 0.05)
        self.assertEqual(str(ThrottleEvent("broker", 0, 10.0)), "broker/0 throttled for 10000 ms")

    def test_logger_in_each_form(self):
        class Handler(logging.Handler):
            def __init__(self):
                super().__init__()
                self.records = []

            def emit(self, record):
                self.records.append(record)

        logger = logging.getLogger("rkafka.test")
        logger.propagate = False
        logger.setLevel(logging.DEBUG)
        conf = {"debug": "all", "bootstrap.servers": self.cluster.bootstrap_servers}
        for make in (lambda: Producer({**conf, "logger": logger}), lambda: Producer(conf, logger=logger),
                     lambda: Producer(**conf, logger=logger)):
            handler = Handler()
            logger.addHandler(handler)
            p = make()
            self.eventually(lambda: p.poll(0.1) and handler.records, "log lines")
            self.assertIn(f"[{p.name}]", handler.records[0].getMessage())
            p.close()
            logger.removeHandler(handler)

    def test_callables_must_be_callable(self):
        for name in ("error_cb", "stats_cb", "throttle_cb", "on_delivery", "oauth_cb"):
            with self.assertRaises(TypeError):
                Producer({name: 1})

    def test_oauth_cb(self):
        asked = []

        def token(config):
            asked.append(config)
            return "token", time.time() + 300, "principal", {"extone": "one", "exttwo": "two"}

        p = self.lonely({"security.protocol": "sasl_plaintext", "sasl.mechanisms": "OAUTHBEARER",
                         "sasl.oauthbearer.config": "config", "oauth_cb": token})
        self.assertEqual(asked, ["config"])  # asked while the producer is made
        p.close()

    def test_oauth_cb_that_fails(self):
        conf = {"security.protocol": "sasl_plaintext", "sasl.mechanisms": "OAUTHBEARER", "bootstrap.servers": "127.0.0.1:1",
                "log_level": 0, "error_cb": lambda e: None}
        told = []
        hook, sys.unraisablehook = sys.unraisablehook, lambda u: told.append(u.exc_type)
        self.addCleanup(setattr, sys, "unraisablehook", hook)

        def fails(config):
            raise ValueError("no token")

        for callback in (fails, lambda c: "no tuple", lambda c: ("token",), lambda c: ("t", time.time() + 9, "p", {1: 2})):
            with self.assertRaises(KafkaException) as caught:
                Producer({**conf, "oauth_cb": callback})
            self.assertEqual(caught.exception.args[0].code(), KafkaError.SASL_AUTHENTICATION_FAILED)
        self.assertEqual(told, [ValueError, TypeError, TypeError, TypeError])


class Raising(Case):
    def test_delivery_callback_stops_the_call_and_loses_no_report(self):
        reported = []

        def callback(error, message):
            reported.append(message.value())
            if message.value() in (b"3", b"7"):
                raise RuntimeError(f"at {message.value().decode()}")

        p = self.producer({"on_delivery": callback})
        for i in range(10):
            p.produce("topic", str(i), partition=0)
        with self.assertRaisesRegex(RuntimeError, "at 3"):
            p.flush()
        self.assertEqual(reported, [b"0", b"1", b"2", b"3"])
        self.assertEqual(len(p), 6)
        with self.assertRaisesRegex(RuntimeError, "at 7"):
            p.poll(0)
        self.assertEqual(len(p), 2)
        self.assertEqual(p.flush(), 0)
        self.assertEqual(reported, [str(i).encode() for i in range(10)])
        self.assertEqual(len(p), 0)

    def test_each_callback(self):
        def fails(*args):
            raise ValueError("from callback")

        p = self.lonely({"message.timeout.ms": 10, "on_delivery": fails})
        p.produce("topic", "v")
        with self.assertRaisesRegex(ValueError, "from callback"):
            p.flush()
        p = self.lonely({"error_cb": fails})
        with self.assertRaisesRegex(ValueError, "from callback"):
            self.eventually(lambda: p.poll(1), "error event")
        p = self.producer({"stats_cb": fails, "statistics.interval.ms": 10})
        with self.assertRaisesRegex(ValueError, "from callback"):
            self.eventually(lambda: p.poll(1), "statistics")

    def test_exceptions_of_the_close(self):
        seen = []

        def fails(error, message):
            seen.append(message.value())
            raise RuntimeError("first" if len(seen) == 1 else "later")

        told = []
        hook, sys.unraisablehook = sys.unraisablehook, lambda u: told.append(str(u.exc_value))
        self.addCleanup(setattr, sys, "unraisablehook", hook)
        p = self.producer({"on_delivery": fails})
        for i in range(3):
            p.produce("topic", str(i), partition=0)
        with self.assertRaisesRegex(RuntimeError, "first"):
            p.close()
        self.assertEqual(seen, [b"0", b"1", b"2"])
        self.assertEqual(told, ["later", "later"])
        with self.assertRaisesRegex(RuntimeError, "closed"):
            p.poll(0)

    def test_fatal_error_is_raised(self):
        for more in ({}, {"error_cb": lambda e: self.fail("called")}):
            reports = Reports()
            p = self.producer({"enable.idempotence": True, "log_level": 0, **more})
            self.assertIsNone(p.fatal_error())
            self.cluster.push_errors(22, [KafkaError.CLUSTER_AUTHORIZATION_FAILED])
            p.produce("topic", "v", on_delivery=reports)
            with self.assertRaises(KafkaException) as caught:
                p.flush(60)
                self.eventually(lambda: p.poll(1) and False, "the fatal error")
            e = caught.exception.args[0]
            self.assertEqual((e.code(), e.fatal()), (KafkaError.CLUSTER_AUTHORIZATION_FAILED, True))
            self.assertEqual(p.fatal_error(), e)
            with self.assertRaises(KafkaException) as caught:
                p.produce("topic", "v")
            self.assertEqual(caught.exception.args[0], KafkaError._FATAL)
            self.eventually(lambda: p.poll(0.1) or reports.all, "the report")
            self.assertNotEqual(reports.codes, [0])

    def test_errors_that_nobody_asks_for_are_logged(self):
        with self.assertLogs("rkafka", "ERROR") as logs:
            p = Producer({"bootstrap.servers": "127.0.0.1:1", "log_level": 0})
            self.eventually(lambda: p.poll(0.1), "error event")
            p.close()
        self.assertIn("_TRANSPORT", logs.output[0])

    def test_within_a_callback(self):
        results = []

        def callback(error, message):
            if message.value() == b"first":
                p.produce("topic", "second", on_delivery=callback)
                results.append(p.poll(1))
                results.append(p.flush(1) > 0)
                try:
                    p.close()
                except RuntimeError as e:
                    results.append(str(e))
            else:
                results.append("second")

        p = self.producer()
        p.produce("topic", "first", on_delivery=callback)
        self.assertEqual(p.flush(), 0)
        self.assertEqual(results, [0, True, "close() within a callback of the same producer", "second"])

    def test_one_producer_in_the_callback_of_another(self):
        outer, inner = Reports(), Reports()
        a, b = self.producer(), self.producer()

        def forward(error, message):
            outer(error, message)
            b.produce("other", message.value(), on_delivery=inner)
            b.flush()

        for i in range(5):
            a.produce("topic", str(i), partition=0, on_delivery=forward)
        a.flush()
        self.assertEqual([m.value() for m in outer.messages], [m.value() for m in inner.messages])
