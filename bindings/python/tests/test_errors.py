"""KafkaError, KafkaException, Message, TopicPartition: the objects themselves."""

import pickle
import unittest

import rkafka
from rkafka import ConsumerGroupMetadata, KafkaError, KafkaException, Message, TopicPartition
from rkafka import _core
from rkafka._codes import Codes
from rkafka.error import KeySerializationError, ProduceError, SerializationError, ValueSerializationError


class Errors(unittest.TestCase):
    def test_codes_are_the_librarys(self):
        ours = {n: c for n, c in vars(Codes).items() if not n.startswith("__")}
        self.assertGreater(len(ours), 180)
        for name, code in ours.items():
            self.assertEqual(_core.err2name(code), name)
        for code in [*range(-199, -100), *range(-1, 200)]:
            name = _core.err2name(code)
            if name.isidentifier() and not name.startswith("ERR_"):
                self.assertEqual(getattr(KafkaError, name), code)

    def test_attributes(self):
        e = KafkaError(KafkaError._ALL_BROKERS_DOWN, "Mayday!")
        self.assertEqual((e.code(), e.name(), e.str()), (-187, "_ALL_BROKERS_DOWN", "Mayday!"))
        self.assertEqual((e.fatal(), e.retriable(), e.txn_requires_abort()), (False, False, False))
        self.assertEqual(str(e), 'KafkaError{code=_ALL_BROKERS_DOWN,val=-187,str="Mayday!"}')
        e = KafkaError(KafkaError._FENCED, fatal=True, retriable=True, txn_requires_abort=True)
        self.assertEqual((e.fatal(), e.retriable(), e.txn_requires_abort()), (True, True, True))
        self.assertIn("FATAL,", repr(e))
        self.assertEqual(e.str(), _core.err2str(KafkaError._FENCED))

    def test_comparisons(self):
        e = KafkaError(-187)
        self.assertTrue(e == -187 and e == KafkaError(-187, "other text") and e != -186 and e != "text")
        self.assertTrue(e < -186 and e <= -187 and e > KafkaError(-188) and e >= -187)
        self.assertEqual(hash(e), hash(KafkaError(-187)))
        self.assertTrue(e)

    def test_raised(self):
        with self.assertRaises(KafkaException) as caught:
            raise KafkaException(KafkaError(KafkaError.MEMBER_ID_REQUIRED, fatal=True))
        self.assertTrue(caught.exception.args[0].fatal())
        with self.assertRaisesRegex(KafkaException, "12345") as caught:
            raise KafkaError(12345)
        self.assertFalse(caught.exception.args[0].fatal())

        class Mine(KafkaException):
            def __init__(self, code):
                super().__init__(KafkaError(code))

        with self.assertRaises(KafkaException):
            raise Mine(5)

    def test_pickle(self):
        e = pickle.loads(pickle.dumps(KafkaError(-187, "text", retriable=True)))
        self.assertEqual((e.code(), e.str(), e.retriable()), (-187, "text", True))
        self.assertEqual(pickle.loads(pickle.dumps(KafkaException(e))).args[0].str(), "text")

    def test_produce_errors(self):
        e = ProduceError(KafkaError(KafkaError.INVALID_CONFIG), exception=ValueError())
        self.assertEqual((e.code, e.name), (KafkaError.INVALID_CONFIG, "INVALID_CONFIG"))
        self.assertIsInstance(e.exception, ValueError)
        e = KeySerializationError(ValueError("why"))
        self.assertEqual((e.code, e.args[0].str()), (KafkaError._KEY_SERIALIZATION, "why"))
        self.assertIsInstance(ValueSerializationError(ValueError()), SerializationError)


class Messages(unittest.TestCase):
    def test_empty(self):
        for m in (Message(), Message(None, -2, -2, None, None, None, None, None, -2.0, -2)):
            self.assertEqual(len(m), 0)
            for part in (m.topic, m.value, m.key, m.headers, m.error, m.partition, m.offset, m.latency, m.leader_epoch,
                         m.delivery_count):
                self.assertIsNone(part())
            self.assertEqual(m.timestamp(), (0, 0))
            self.assertTrue(repr(m) and str(m))

    def test_anything_can_be_given_and_set(self):
        thing = object()
        m = Message(thing, 0, 0, thing, thing, thing, thing, (1, 4), 5.67, 3)
        self.assertTrue(m.topic() is m.key() is m.value() is m.headers() is m.error() is thing)
        self.assertEqual((m.partition(), m.offset(), m.timestamp(), m.latency(), m.leader_epoch()), (0, 0, (1, 4), 5.67, 3))
        m = Message(topic="t", value="v", headers=[])
        self.assertEqual(len(m), 1)
        for part in ("topic", "key", "value", "headers", "error"):
            getattr(m, f"set_{part}")(part)
            self.assertEqual(getattr(m, part)(), part)

    def test_comparison_pickle_subclass(self):
        m = Message("t", 1, 2, b"k", b"v", [("a", b"b")], None, (1, 4), 0.5, 3)
        self.assertEqual(m, pickle.loads(pickle.dumps(m)))
        self.assertNotEqual(m, Message("t", 1, 3, b"k", b"v", [("a", b"b")], None, (1, 4), 0.5, 3))
        self.assertNotEqual(m, 5)
        m = pickle.loads(pickle.dumps(Message(delivery_count=7)))
        self.assertEqual(m.delivery_count(), 7)
        with self.assertRaises(OverflowError):
            Message(delivery_count=40000)

        class Mine(Message):
            def __init__(self, *args):
                super().__init__(*args)
                self.extra = self

        self.assertEqual(Mine("t").extra.topic(), "t")

    def test_wrong_self(self):
        for bad in (None, object()):
            for method in (Message.topic, Message.value, Message.__len__, Message.timestamp):
                with self.assertRaises(TypeError):
                    method(bad)
        for bad in (5, (1,), ("a", "b")):
            with self.assertRaises(TypeError):
                Message(timestamp=bad)


class Partitions(unittest.TestCase):
    def test_order_equality_hash(self):
        a = [TopicPartition("topicA", 5), TopicPartition("topic3", 0), TopicPartition("topic1", 3)]
        self.assertEqual([str(p.topic) for p in sorted(a)], ["topic1", "topic3", "topicA"])
        self.assertEqual(TopicPartition("a", 1, 5), TopicPartition("a", 1, 9))
        self.assertEqual(len({TopicPartition("a", 1), TopicPartition("a", 1), TopicPartition("a", 2)}), 2)
        self.assertTrue(TopicPartition("a", 2) > TopicPartition("a", 1) >= TopicPartition("a", 1))

    def test_attributes(self):
        p = TopicPartition("t", 3, 123, "data", 7)
        self.assertEqual((p.topic, p.partition, p.offset, p.metadata, p.leader_epoch, p.error),
                         ("t", 3, 123, "data", 7, None))
        self.assertEqual(TopicPartition("t").offset, rkafka.OFFSET_INVALID)
        self.assertIn("topic=t,partition=3,offset=123", repr(p))

    def test_group_metadata_of_librdkafka(self):
        m = ConsumerGroupMetadata.from_bytes(b"CGMDv2:\x05\0\0\0group\0member\0\0instance\0")
        self.assertEqual(m._tuple(), ("group", 5, "member", "instance"))
        m = ConsumerGroupMetadata.from_bytes(b"CGMDv2:\xff\xff\xff\xffg\0\0\x01")
        self.assertEqual(m._tuple(), ("g", -1, "", None))
        for bad in (b"", b"CGMDv2:", b"CGMDv2:\0\0\0\0g", b"other"):
            with self.assertRaises(ValueError):
                ConsumerGroupMetadata.from_bytes(bad)
