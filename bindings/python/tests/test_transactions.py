"""Transactions."""

from rkafka import ConsumerGroupMetadata, KafkaError, KafkaException, Producer, TopicPartition

from .support import Case, Reports


class Transactions(Case):
    def error(self, call):
        with self.assertRaises(KafkaException) as caught:
            call()
        return caught.exception.args[0]

    def test_commit_abort_and_offsets(self):
        reports = Reports()
        self.cluster.create_topic("in", 2)
        p = self.producer({"transactional.id": "t", "on_delivery": reports})
        p.init_transactions(20)
        p.begin_transaction()
        p.produce("topic", "1", partition=0)
        p.send_offsets_to_transaction([TopicPartition("in", 0, 123, "metadata", 4), TopicPartition("in", 1)],
                                      ConsumerGroupMetadata("group"), 20)
        p.commit_transaction(20)
        self.assertEqual(reports.codes, [0])
        p.begin_transaction()
        p.send_offsets_to_transaction([TopicPartition("in", 0, 124)], b"CGMDv2:\xff\xff\xff\xffgroup\0\0\x01")
        p.produce("topic", "2", partition=0)
        p.abort_transaction(timeout=20)
        self.assertIn(reports.codes[1], (0, KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT))
        with self.assertRaises(TypeError):
            p.send_offsets_to_transaction([], "no metadata")

    def test_not_transactional(self):
        e = self.error(self.producer().begin_transaction)
        self.assertEqual(e, KafkaError._NOT_CONFIGURED)

    def test_states(self):
        p = self.producer({"transactional.id": "t"})
        self.assertEqual(self.error(lambda: p.produce("topic", "v")), KafkaError._STATE)
        self.assertEqual(self.error(p.begin_transaction), KafkaError._STATE)
        p.init_transactions()
        self.assertEqual(self.error(p.commit_transaction), KafkaError._STATE)
        p.begin_transaction()
        self.assertEqual(self.error(p.begin_transaction), KafkaError._STATE)
        p.abort_transaction()

    def test_time_out_can_be_tried_again(self):
        p = self.producer({"transactional.id": "t"})
        self.cluster.freeze(True)
        e = self.error(lambda: p.init_transactions(0.5))
        self.assertEqual(e, KafkaError._TIMED_OUT)
        self.assertEqual((e.retriable(), e.fatal(), e.txn_requires_abort()), (True, False, False))
        e = self.error(p.begin_transaction)
        self.assertEqual((e.code(), e.retriable()), (KafkaError._CONFLICT, True))
        self.cluster.freeze(False)
        p.init_transactions(30)
        p.begin_transaction()
        p.commit_transaction()

    def test_fenced(self):
        first = self.producer({"transactional.id": "t"})
        first.init_transactions(20)
        second = Producer({"bootstrap.servers": self.cluster.bootstrap_servers, "transactional.id": "t"})
        self.addCleanup(second.close)
        second.init_transactions(20)
        first.begin_transaction()
        first.produce("topic", "v")
        e = self.error(lambda: first.commit_transaction(20))
        self.assertEqual((e.code(), e.fatal()), (KafkaError._FENCED, True))
        self.assertEqual(first.fatal_error(), KafkaError._FENCED)

    def test_failed_message_wants_an_abort(self):
        p = self.producer({"transactional.id": "t"})
        p.init_transactions(20)
        p.begin_transaction()
        self.cluster.create_topic("topic", 1)
        p.produce("topic", "good")
        p.flush()
        self.cluster.push_errors(0, [KafkaError.INVALID_RECORD])
        p.produce("topic", "bad")
        e = self.error(lambda: p.commit_transaction(20))
        self.assertTrue(e.txn_requires_abort())
        p.abort_transaction(20)
        p.begin_transaction()
        p.produce("topic", "good")
        p.commit_transaction(20)
