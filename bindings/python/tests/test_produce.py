"""produce(): arguments, reports, refusals."""

import struct

from rkafka import KafkaError, KafkaException, Message, Producer

from .support import Case, Reports


class Produce(Case):
    def report(self, **arguments):
        reports = Reports()
        p = self.producer()
        p.produce("topic", on_delivery=reports, **arguments)
        self.assertEqual(p.flush(), 0)
        self.assertEqual(reports.codes, [0])
        return reports.messages[0]

    def test_report_has_what_was_produced(self):
        m = self.report(value="välue", key=b"\x00key", partition=2, timestamp=1234567, headers={"a": "b"})
        self.assertIsInstance(m, Message)
        self.assertEqual((m.topic(), m.partition(), m.offset()), ("topic", 2, 0))
        self.assertEqual((m.value(), m.key()), ("välue".encode(), b"\x00key"))
        self.assertEqual(m.timestamp(), (1, 1234567))
        self.assertEqual(m.headers(), [("a", b"b")])
        self.assertIsNone(m.error())
        self.assertEqual(len(m), 6)
        self.assertGreater(m.latency(), 0)
        self.assertLess(m.latency(), 30)
        self.assertEqual(self.cluster.end_offset("topic", 2), 1)

    def test_none_and_empty_are_different(self):
        m = self.report(value=None, key=None)
        self.assertEqual((m.value(), m.key()), (None, None))
        m = self.report(value="", key=b"")
        self.assertEqual((m.value(), m.key()), (b"", b""))

    def test_anything_with_a_buffer(self):
        m = self.report(value=bytearray(b"abc"), key=memoryview(b"xyz")[1:])
        self.assertEqual((m.value(), m.key()), (b"abc", b"yz"))
        for bad in (5, 1.5, object(), ["a"]):
            with self.assertRaises(TypeError):
                self.report(value=bad)
            with self.assertRaises(TypeError):
                self.report(key=bad)

    def test_headers(self):
        binary = struct.pack("hhl", 1, 2, 3)
        cases = [
            ([("name", "value")], [("name", b"value")]),
            ([("dup", "a"), ("empty", ""), ("dup", "b")], [("dup", b"a"), ("empty", b""), ("dup", b"b")]),
            ([("null", None)], [("null", None)]),
            ([("binary", binary)], [("binary", binary)]),
            ([("utf8", "Småland".encode())], [("utf8", "Småland".encode())]),
            ({"unicode": "Jämtland"}, [("unicode", "Jämtland".encode())]),
            ({"null": None}, [("null", None)]),
            ([], None),
            (None, None),
        ]
        for given, expected in cases:
            self.assertEqual(self.report(value="v", headers=given).headers(), expected, given)
        for bad in (("a", "b"), ["malformed"], {"int": 1234}, [("a",)], [(b"bytes", "v")], 7):
            with self.assertRaises(TypeError):
                self.report(value="v", headers=bad)

    def test_positional_order(self):
        reports = Reports()
        p = self.producer()
        p.produce("topic", b"v", b"k", 1, reports, None, 99, [("h", b"1")])
        p.flush()
        m = reports.messages[0]
        self.assertEqual((m.value(), m.key(), m.partition(), m.timestamp(), m.headers()),
                         (b"v", b"k", 1, (1, 99), [("h", b"1")]))

    def test_bad_calls(self):
        p = self.producer()
        for call in (
            lambda: p.produce(),
            lambda: p.produce(topic=None),
            lambda: p.produce(b"bytes"),
            lambda: p.produce("t", unknown=1),
            lambda: p.produce("t", "v", value="v"),
            lambda: p.produce("t", partition="x"),
            lambda: p.produce("t", *range(9)),
        ):
            with self.assertRaises(TypeError):
                call()
        with self.assertRaises(OverflowError):
            p.produce("t", partition=1 << 40)
        for name in ("", "with space", "a" * 300, "nul\0byte"):
            with self.assertRaises(KafkaException) as caught:
                p.produce(name, "v")
            self.assertEqual(caught.exception.args[0].code(), KafkaError._INVALID_ARG)
        self.assertEqual(len(p), 0)

    def test_callbacks_per_message_and_default(self):
        own, default = Reports(), Reports()
        p = self.producer({"on_delivery": default})
        p.produce("topic", b"1", callback=own)
        p.produce("topic", b"2")
        p.produce("topic", b"3", on_delivery=None)
        p.produce("topic", b"4", on_delivery=own)
        p.flush()
        self.assertEqual(sorted(m.value() for m in own.messages), [b"1", b"4"])
        self.assertEqual(sorted(m.value() for m in default.messages), [b"2", b"3"])

    def test_messages_outlive_their_callback(self):
        reports = Reports()
        p = self.producer()
        for i in range(1000):
            p.produce("topic", f"value {i}", key=str(i), headers={"i": str(i)}, partition=0, on_delivery=reports)
        p.flush()
        p.close()
        self.assertEqual([m.value() for m in reports.messages], [f"value {i}".encode() for i in range(1000)])
        self.assertEqual([m.key() for m in reports.messages], [str(i).encode() for i in range(1000)])
        self.assertEqual([m.headers() for m in reports.messages], [[("i", str(i).encode())] for i in range(1000)])
        self.assertEqual([m.offset() for m in reports.messages], list(range(1000)))

    def test_queue_full_is_buffer_error(self):
        p = self.lonely({"queue.buffering.max.messages": 10})
        for _ in range(10):
            p.produce("topic", "v")
        with self.assertRaises(BufferError):
            p.produce("topic", "v")

        # Errors of the broker that is not there are counted too until they are served.
        def ten_wait():
            p.poll(0)
            return len(p) == 10
        self.eventually(ten_wait, "ten messages are in the queue, and nothing else")

    def test_too_large(self):
        p = self.producer({"message.max.bytes": 1000})
        with self.assertRaises(KafkaException) as caught:
            p.produce("topic", b"x" * 2000)
        self.assertEqual(caught.exception.args[0].code(), KafkaError.MSG_SIZE_TOO_LARGE)

    def test_unknown_partition_is_told(self):
        reports = Reports()
        p = self.producer()
        p.produce("topic", "v", partition=99, on_delivery=reports)
        p.flush()
        self.assertEqual(reports.codes, [KafkaError._UNKNOWN_PARTITION])
        error, message = reports.all[0]
        self.assertEqual(error, message.error())
        self.assertEqual(error.name(), "_UNKNOWN_PARTITION")
        self.assertEqual(message.value(), b"v")
        self.assertIsNone(message.offset())

    def test_timed_out_is_told(self):
        reports = Reports()
        p = self.lonely({"message.timeout.ms": 10})
        p.produce("topic", "This is the payload", on_delivery=reports)
        p.produce("topic", b"\xc2\xc2", on_delivery=reports)
        p.flush()
        self.assertEqual(reports.codes, [KafkaError._MSG_TIMED_OUT] * 2)
        self.assertIn("Message timed out", reports.all[0][0].str())

    def test_only_errors(self):
        reports = Reports()
        p = self.producer({"delivery.report.only.error": True, "on_delivery": reports})
        p.produce("topic", "good")
        p.produce("topic", "bad", partition=99)
        p.flush()
        self.assertEqual(reports.codes, [KafkaError._UNKNOWN_PARTITION])

    def test_partitioners_by_name(self):
        for name in ("murmur2", "murmur2_random", "consistent", "fnv1a_random", "random"):
            Producer({"partitioner": name, "log_level": 0}).close()
        with self.assertRaises(KafkaException) as caught:
            Producer({"partitioner": "murmur"})
        self.assertIn("partitioner", str(caught.exception))

    def test_partitioner_in_python(self):
        calls = []

        def choose(topic, key, count):
            calls.append((topic, key, count))
            return 0 if key is None else int(key) % count

        reports = Reports()
        p = self.producer({"partitioner": choose, "on_delivery": reports})
        # Before the topic is known it is called on a thread of the library, afterwards within produce().
        for i in range(20):
            p.produce("topic", str(i), key=str(i))
        p.flush()
        for i in range(20, 40):
            p.produce("topic", str(i), key=str(i))
        p.produce("topic", "no key")
        p.flush()
        self.assertEqual(reports.codes, [0] * 41)
        for m in reports.messages:
            self.assertEqual(m.partition(), 0 if m.key() is None else int(m.key()) % 4)
        self.assertEqual(len(calls), 41)
        self.assertIn(("topic", None, 4), calls)


class Batch(Case):
    def test_everything_arrives(self):
        default, own = Reports(), Reports()
        messages = [
            {"value": b"bytes", "key": b"k"},
            {"value": "text: 你好", "key": "🔑"},
            {"value": None, "key": None},
            {"value": b"", "key": ""},
            {},
            {"value": b"own", "callback": own, "extra": 1, "_private": 2},
        ]
        p = self.producer()
        self.assertEqual(p.produce_batch("topic", messages, partition=3, on_delivery=default), 6)
        self.assertFalse(any("_error" in m for m in messages))
        p.flush()
        self.assertEqual([(m.value(), m.key()) for m in default.messages],
                         [(b"bytes", b"k"), ("text: 你好".encode(), "🔑".encode()), (None, None), (b"", b""),
                          (None, None)])
        self.assertEqual([m.value() for m in own.messages], [b"own"])
        self.assertEqual(self.cluster.end_offset("topic", 3), 6)
        self.assertEqual(p.produce_batch("topic", []), 0)

    def test_partition_timestamp_and_headers_of_a_message(self):
        reports = Reports()
        p = self.producer()
        for headers in (None, {"h": b"1"}):  # with headers messages go one by one
            sent = p.produce_batch("topic", [
                {"value": b"a"}, {"value": b"b", "partition": 2, "timestamp": 77, "headers": headers},
            ], partition=1, callback=reports)
            self.assertEqual(sent, 2)
            p.flush()
            by_value = {m.value(): m for m in reports.messages}
            self.assertEqual(by_value[b"a"].partition(), 1)
            b = by_value[b"b"]
            self.assertEqual((b.partition(), b.timestamp()), (2, (1, 77)))
            self.assertEqual(b.headers(), [("h", b"1")] if headers else None)

    def test_refused_messages_are_marked(self):
        p = self.lonely({"queue.buffering.max.messages": 5, "message.max.bytes": 1000})
        messages = [{"value": b"x" * 2000}] + [{"value": f"{i}"} for i in range(10)]
        self.assertEqual(p.produce_batch("topic", messages), 5)
        self.assertEqual(messages[0]["_error"], KafkaError.MSG_SIZE_TOO_LARGE)
        self.assertEqual([m["_error"].code() for m in messages[6:]], [KafkaError._QUEUE_FULL] * 5)
        self.assertFalse(any("_error" in m for m in messages[1:6]))

    def test_bad_input(self):
        p = self.producer()
        cases = [
            ("text", "messages must be a list"),
            ({"a": 1}, "messages must be a list"),
            ([{"value": b"good"}, "no dict"], "Message at index 1 must be a dict"),
            ([{"value": 123}], "Message value at index 0 must be bytes or str"),
            ([{"value": b"good", "key": ["bad"]}], "Message key at index 0 must be bytes or str"),
            ([{"value": b"good", "partition": "bad"}], "Message partition at index 0 must be int"),
            ([{"value": b"good", "headers": 5}], "Headers are expected"),
        ]
        for messages, text in cases:
            with self.assertRaisesRegex(TypeError, text):
                p.produce_batch("topic", messages)
        for call in (lambda: p.produce_batch(), lambda: p.produce_batch(123, [{}]), lambda: p.produce_batch(None, [{}]),
                     lambda: p.produce_batch("t", [{}], partition="x")):
            with self.assertRaises(TypeError):
                call()
        self.assertEqual(len(p), 0)
