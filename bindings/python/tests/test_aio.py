"""AIOProducer."""

import asyncio
import unittest

from rkafka import ConsumerGroupMetadata, KafkaError, KafkaException, TopicPartition
from rkafka.aio import AIOProducer
from rkafka.testing import MockCluster


class Aio(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        self.cluster = MockCluster(1)
        self.addCleanup(self.cluster.close)

    def producer(self, **conf):
        return AIOProducer({"bootstrap.servers": self.cluster.bootstrap_servers, **conf})

    async def test_produce_and_wait(self):
        async with self.producer() as p:
            self.assertTrue(p)
            future = await p.produce("topic", "value", key=b"key", partition=2, timestamp=5, headers={"a": "b"})
            m = await asyncio.wait_for(future, 30)
            self.assertEqual((m.value(), m.key(), m.partition(), m.offset(), m.timestamp(), m.headers()),
                             (b"value", b"key", 2, 0, (1, 5), [("a", b"b")]))
            self.assertEqual(len(p), 0)

    async def test_many_with_a_small_queue(self):
        async with self.producer(**{"queue.buffering.max.messages": 50}) as p:
            futures = [await p.produce("topic", str(i), partition=0) for i in range(2000)]
            self.assertEqual(await p.flush(), 0)
            self.assertTrue(all(f.done() for f in futures))
            self.assertEqual([f.result().offset() for f in futures], list(range(2000)))

    async def test_failures(self):
        p = self.producer(**{"message.max.bytes": 1000})
        with self.assertRaises(KafkaException):
            await p.produce("topic", b"x" * 2000)
        with self.assertRaises(TypeError):
            await p.produce("topic", 5)
        await p.list_topics("topic")
        future = await p.produce("topic", "v", partition=0)
        await future
        self.cluster.push_errors(0, [KafkaError.TOPIC_AUTHORIZATION_FAILED])
        with self.assertRaises(KafkaException) as caught:
            await (await p.produce("topic", "v", partition=0))
        self.assertEqual(caught.exception.args[0], KafkaError.TOPIC_AUTHORIZATION_FAILED)
        await p.close()
        await p.close()
        with self.assertRaisesRegex(RuntimeError, "closed"):
            await p.produce("topic", "v")

    async def test_cancelled_future_and_purge(self):
        self.cluster.down()
        p = self.producer(log_level=0, error_cb=lambda e: None)
        cancelled = await p.produce("topic", "v")
        purged = await p.produce("topic", "v")
        cancelled.cancel()
        self.assertEqual(await p.flush(0.05), 2)
        await p.purge()
        with self.assertRaises(KafkaException) as caught:
            await asyncio.wait_for(purged, 30)
        self.assertIn(caught.exception.args[0].code(), (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT))
        await p.close()

    async def test_callbacks_run_on_the_loop(self):
        seen = asyncio.Queue()

        async def stats(document):
            await seen.put((asyncio.get_running_loop(), document))

        async with self.producer(**{"statistics.interval.ms": 20, "stats_cb": stats}):
            loop, document = await asyncio.wait_for(seen.get(), 30)
        self.assertIs(loop, asyncio.get_running_loop())
        self.assertIn('"type"', document)

    async def test_the_loop_is_not_blocked(self):
        self.cluster.delay(300)
        async with self.producer() as p:
            turns = 0

            async def count():
                nonlocal turns
                while True:
                    turns += 1
                    await asyncio.sleep(0.005)

            task = asyncio.ensure_future(count())
            await p.list_topics()
            await (await p.produce("topic", "v"))
            task.cancel()
            self.assertGreater(turns, 5)  # over a hundred on an idle machine
            self.cluster.delay(0)

    async def test_transactions(self):
        self.cluster.create_topic("in", 1)
        async with self.producer(**{"transactional.id": "t"}) as p:
            await p.init_transactions(20)
            await p.begin_transaction()
            future = await p.produce("topic", "v")
            await p.send_offsets_to_transaction([TopicPartition("in", 0, 5)], ConsumerGroupMetadata("g"), 20)
            await p.commit_transaction(20)
            self.assertEqual((await future).offset(), 0)
            await p.begin_transaction()
            await p.abort_transaction(20)
