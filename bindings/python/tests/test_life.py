"""From __init__ to close: configurations, context managers, fork, the interpreter's exit, references."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref

import rkafka
from rkafka import KafkaError, KafkaException, Producer, TopicPartition
from rkafka import ConsumerGroupMetadata

from .support import Case, Reports


class Configuration(Case):
    def test_versions(self):
        text, number = rkafka.libversion()
        self.assertEqual(text, rkafka.version())
        self.assertGreater(number, 0)

    def test_forms(self):
        with self.assertRaisesRegex(TypeError, "expected configuration dict"):
            Producer()
        with self.assertRaisesRegex(TypeError, "expected configuration dict"):
            Producer("text")
        with self.assertRaises(TypeError):
            Producer({}, {})
        conf = {"bootstrap.servers": self.cluster.bootstrap_servers, "log_level": 0}
        for p in (Producer(conf), Producer(**conf), Producer({"bootstrap.servers": "x"}, **conf)):
            p.produce("topic", "v")
            self.assertEqual(p.flush(10), 0)
            p.close()
        self.assertEqual(conf, {"bootstrap.servers": self.cluster.bootstrap_servers, "log_level": 0})

    def test_bad_properties(self):
        for conf in ({"should.fail": False}, {"linger.ms": "x"}, {"acks": "many"}):
            with self.assertRaises(KafkaException) as caught:
                Producer(conf)
            self.assertEqual(caught.exception.args[0].code(), KafkaError._INVALID_ARG)
            self.assertIn(next(iter(conf)), caught.exception.args[0].str())

    def test_values_of_any_type(self):
        self.producer({"linger.ms": 5, "log.thread.name": True, "enable.idempotence": False, "client.id": b"id",
                       "sasl.username": None, "default.topic.config": {"acks": 1}}).close()

    def test_none_is_not_set(self):
        seen = []
        p = Producer({"bootstrap.servers": None, "statistics.interval.ms": 10, "stats_cb": seen.append, "log_level": 0})
        self.eventually(lambda: p.poll(0.1) and seen, "statistics")
        self.assertIn('"brokers": {', seen[0].replace('":{', '": {'))
        p.close()

    def test_true_even_when_empty(self):
        p = self.producer()
        self.assertEqual(len(p), 0)
        self.assertTrue(p)

    def test_metadata(self):
        self.cluster.create_topic("known", 3)
        p = self.producer()
        everything = p.list_topics(timeout=10)
        self.assertEqual(list(everything.brokers), [1])
        self.assertIn(everything.orig_broker_id, (1, -1))  # -1: known by its address alone
        self.assertEqual(len(everything.topics["known"].partitions), 3)
        self.assertEqual(everything.topics["known"].partitions[2].leader, 1)
        self.assertEqual(list(p.list_topics("known").topics), ["known"])
        host, port = self.cluster.bootstrap_servers.split(":")
        self.assertEqual(str(everything.brokers[1]), f"{host}:{port}/1")
        with self.assertRaises(KafkaException) as caught:
            self.lonely().list_topics(timeout=0.2)
        self.assertIn(caught.exception.args[0].code(), (KafkaError._TIMED_OUT, KafkaError._TRANSPORT))

    def test_sasl_credentials_can_be_replaced(self):
        refused, reports = [], Reports()
        self.cluster.require_sasl("PLAIN", {"user": "right"})
        p = self.producer({"security.protocol": "sasl_plaintext", "sasl.mechanism": "PLAIN", "sasl.username": "user",
                           "sasl.password": "wrong", "error_cb": refused.append, "log_level": 0})
        p.produce("topic", "v", on_delivery=reports)
        self.eventually(lambda: (p.poll(0.1), KafkaError._AUTHENTICATION in refused)[1], "a refusal")
        for bad in ((None, "password"), ("user", None), ("user",)):
            with self.assertRaises(TypeError):
                p.set_sasl_credentials(*bad)
        p.set_sasl_credentials("user", password="right")
        self.assertEqual(p.flush(60), 0)
        self.assertEqual(reports.codes, [0])

    def test_purge(self):
        reports = Reports()
        p = self.lonely()
        p.produce("topic", "v", partition=9, on_delivery=reports)
        self.assertEqual(p.flush(0.01), 1)
        p.purge(in_queue=False)
        p.flush(0.01)
        self.assertEqual(reports.codes, [])
        p.purge(blocking=False)
        self.eventually(lambda: p.poll(0.1) and reports.all, "purge")
        self.assertEqual(reports.codes, [KafkaError._PURGE_QUEUE])


class Ends(Case):
    def refused(self, p):
        for call in (
            lambda: p.produce("topic", value=b"v"),
            lambda: p.poll(),
            lambda: p.flush(),
            lambda: p.purge(),
            lambda: p.produce_batch("topic", [{"value": b"v"}]),
            lambda: p.list_topics(),
            lambda: p.init_transactions(),
            lambda: p.begin_transaction(),
            lambda: p.send_offsets_to_transaction([TopicPartition("topic", 0, 1)], ConsumerGroupMetadata("g")),
            lambda: p.commit_transaction(),
            lambda: p.abort_transaction(),
            lambda: p.event_fd(),
            lambda: p.set_sasl_credentials("user", "password"),
        ):
            with self.assertRaisesRegex(RuntimeError, "Producer has been closed"):
                call()
        self.assertEqual(len(p), 0)

    def test_close(self):
        reports = Reports()
        p = self.producer()
        p.produce("topic", "v", on_delivery=reports)
        self.assertIs(p.close(), True)
        self.assertEqual(reports.codes, [0])
        self.refused(p)
        self.assertIs(p.close(), True)

    def test_not_initialised(self):
        class Lazy(Producer):
            def __init__(self):
                pass

        self.refused(Lazy())

    def test_context_manager(self):
        reports = Reports()
        with self.producer() as p:
            p.produce("topic", b"v", callback=reports)
        self.assertEqual(reports.codes, [0])
        self.refused(p)
        self.assertIs(p.__enter__(), p)
        self.assertIsNone(p.__exit__(None, None, None))
        with self.assertRaisesRegex(ValueError, "mine"):
            with self.producer() as p:
                p.produce("topic", b"v")
                raise ValueError("mine")
        self.refused(p)
        with self.producer() as a, self.producer() as b:
            self.assertIsNot(a, b)

    def test_subclass(self):
        class Mine(Producer):
            def __init__(self, conf, topic):
                super().__init__(conf)
                self.topic = topic

            def hello(self):
                self.produce(self.topic, "hello")

        p = Mine({"bootstrap.servers": self.cluster.bootstrap_servers}, "topic")
        p.hello()
        self.assertEqual(p.flush(), 0)
        p.close()

    def test_close_while_others_poll_and_produce(self):
        p = self.producer()
        problems = []

        def work():
            try:
                for _ in range(2000):
                    try:
                        p.produce("topic", "v", on_delivery=lambda e, m: None)
                    except BufferError:
                        pass
                    p.poll(0)
                while True:
                    p.poll(0.01)
            except RuntimeError as e:
                if "closed" not in str(e):
                    problems.append(e)
            except KafkaException as e:
                problems.append(e)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for t in threads:
            t.start()
        time.sleep(0.1)
        p.close()
        for t in threads:
            t.join(30)
            self.assertFalse(t.is_alive())
        self.assertEqual(problems, [])

    def test_dropped_with_messages_queued(self):
        reports = Reports()
        references = sys.getrefcount(reports)
        p = self.lonely()
        for _ in range(100):
            p.produce("topic", b"x" * 100, on_delivery=reports)
        self.assertEqual(sys.getrefcount(reports), references + 100)
        self._cleanups.pop()  # support's hold on it
        del p
        gc.collect()
        self.assertEqual(reports.all, [])
        self.assertEqual(sys.getrefcount(reports), references)

    def test_cycle_with_its_callback_is_collected(self):
        class Owner:
            def __init__(self, bootstrap):
                self.producer = Producer({"bootstrap.servers": bootstrap, "on_delivery": self.done,
                                          "error_cb": self.done})

            def done(self, *args):
                pass

        owner = Owner(self.cluster.bootstrap_servers)
        owner.producer.produce("topic", "v")
        gone = weakref.ref(owner)
        del owner
        gc.collect()
        self.assertIsNone(gone())

    def test_references_are_given_back(self):
        key, value, headers = "k" * 50, b"v" * 50, [("name", b"value")]
        reports = Reports()
        p = self.producer()
        p.produce("topic", value, key=key, headers=headers, on_delivery=reports)
        p.flush()
        before = [sys.getrefcount(o) for o in (key, value, headers, reports, None)]
        for round in range(200):
            p.produce("topic", value, key=key, headers=headers, on_delivery=reports)
            p.produce_batch("topic", [{"value": value, "key": key, "callback": reports}] * 3)
            for bad in ({"value": 5}, {"key": 5}, {"headers": 5}, {"partition": "x"}):
                with self.assertRaises(TypeError):
                    p.produce("topic", **{"value": value, "key": key, "on_delivery": reports, **bad})
                with self.assertRaises(TypeError):
                    p.produce_batch("topic", [{"value": value, "key": key, "callback": reports}, dict(bad)])
            p.flush()
        reports.all.clear()
        after = [sys.getrefcount(o) for o in (key, value, headers, reports, None)]
        for a, b in zip(after[:4], before[:4]):
            self.assertEqual(a, b)
        if sys.version_info < (3, 12):  # where None is counted; the test itself makes and drops some
            self.assertLess(abs(after[4] - before[4]), 100)

    def test_memory_does_not_grow(self):
        import tracemalloc

        p = self.producer()

        def work():
            for i in range(2000):
                p.produce("topic", b"v", key=b"k", headers={"a": "b"}, on_delivery=lambda e, m: (m.value(), m.headers()))
            for reason in (0, 99):
                try:
                    p.produce("topic", b"v", partition=reason, on_delivery=lambda e, m: e and e.str())
                except KafkaException:
                    pass
            p.flush()

        work()
        tracemalloc.start()
        work()
        first = tracemalloc.get_traced_memory()[0]
        for _ in range(5):
            work()
        last = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        self.assertLess(last - first, 50000)


class Processes(Case):
    def script(self, code, **more):
        return subprocess.run([sys.executable, "-c", code, self.cluster.bootstrap_servers], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60, **more)

    def test_exit_with_messages_queued(self):
        for ending in ("", "sys.exit(3)", "raise ValueError", "p = [p]; p.append(p)", "os._exit(0)"):
            done = self.script(
                "import os, sys, rkafka\n"
                "p = rkafka.Producer({'bootstrap.servers': '127.0.0.1:1', 'log_level': 0, 'error_cb': lambda e: None,\n"
                "                     'on_delivery': lambda e, m: print('called')})\n"
                "for i in range(1000): p.produce('topic', b'x' * 100, on_delivery=lambda e, m: print('called'))\n" + ending)
            expected = {"sys.exit(3)": 3, "raise ValueError": 1}.get(ending, 0)
            self.assertEqual((ending, done.returncode, done.stdout), (ending, expected, ""), done.stderr)

    def test_exit_with_a_partitioner_and_a_polling_thread(self):
        done = self.script(
            "import sys, threading, rkafka\n"
            "p = rkafka.Producer({'bootstrap.servers': sys.argv[1], 'partitioner': lambda t, k, n: 0})\n"
            "def work():\n"
            "    while True: p.poll(0.05)\n"
            "threading.Thread(target=work, daemon=True).start()\n"
            "for i in range(1000): p.produce('topic', 'v')\n")
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def test_fork(self):
        # Unlike the C library's, AddressSanitizer's allocator stays locked in the child if a thread of the parent is in it.
        quiet = 0.5 if "libasan" in os.environ.get("LD_PRELOAD", "") else 0
        code = (
            "import os, sys, time, rkafka\n"
            "conf = {'bootstrap.servers': sys.argv[1]}\n"
            "p = rkafka.Producer(conf)\n"
            "p.produce('topic', 'before', on_delivery=lambda e, m: None)\n"
            f"time.sleep({quiet})\n"
            "pid = os.fork()\n"
            "if pid == 0:\n"
            "    try:\n"
            "        p.produce('topic', 'child')\n"
            "        os._exit(1)\n"
            "    except rkafka.KafkaException as e:\n"
            "        assert e.args[0].code() == rkafka.KafkaError._STATE, e\n"
            "    own = rkafka.Producer(conf)\n"
            "    own.produce('topic', 'child')\n"
            "    left = own.flush(20)\n"
            "    del p\n"
            "    os._exit(0 if left == 0 else 2)\n"
            "p.produce('topic', 'parent')\n"
            "assert p.flush(20) == 0\n"
            "assert os.waitpid(pid, 0)[1] == 0\n")
        done = self.script(code)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sum(self.cluster.end_offset("topic", i) for i in range(4)), 3)

    def test_fork_while_another_thread_polls(self):
        done = self.script(
            "import os, sys, threading, time, rkafka\n"
            "p = rkafka.Producer({'bootstrap.servers': sys.argv[1]})\n"
            "threading.Thread(target=lambda: p.poll(30), daemon=True).start()\n"
            "time.sleep(0.3)\n"
            "pid = os.fork()\n"
            "if pid == 0:\n"
            "    del p\n"
            "    sys.exit(0)\n"
            "assert os.waitpid(pid, 0)[1] == 0\n"
            "p.produce('topic', 'v')\n"
            "assert p.flush(30) == 0\n")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_close_during_a_batch_with_a_partitioner(self):
        p = self.producer({"partitioner": lambda topic, key, count: 0})
        p.produce("topic", "v")
        p.flush()
        accepted = []

        def work():
            try:
                for _ in range(300):  # close() flushes, which might not end while messages come
                    accepted.append(p.produce_batch("topic", [{"value": b"v"}] * 500))
                while True:
                    p.poll(0.01)
            except RuntimeError:
                pass

        thread = threading.Thread(target=work)
        thread.start()
        self.eventually(lambda: len(accepted) > 2, "batches")
        closing = threading.Thread(target=p.close)
        closing.start()
        closing.join(60)
        thread.join(60)
        self.assertFalse(closing.is_alive() or thread.is_alive())

    def test_ctrl_c_interrupts_every_wait(self):
        for wait in ("while True: p.poll(60)", "p.flush(60)", "p.flush()", "p.init_transactions(60)"):
            child = subprocess.Popen(
                [sys.executable, "-c",
                 "import rkafka, signal\n"
                 # A job in a shell's background inherits that it is ignored.
                 "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
                 "p = rkafka.Producer({'bootstrap.servers': '127.0.0.1:1', 'log_level': 0, 'error_cb': lambda e: None, 'transactional.id': 't'}\n"
                 f"    if 'trans' in {wait!r} else {{'bootstrap.servers': '127.0.0.1:1', 'log_level': 0, 'error_cb': lambda e: None}})\n"
                 "'trans' in " + repr(wait) + " or p.produce('topic', 'v')\n"
                 "print('waiting', flush=True)\n"
                 "try:\n"
                 f"    {wait}\n"
                 "except KeyboardInterrupt:\n"
                 "    print('interrupted')\n"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.assertEqual(child.stdout.readline(), "waiting\n")
            time.sleep(0.1)
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=50)
            self.assertEqual((wait, out), (wait, "interrupted\n"), err)

    def test_other_threads_run_while_one_waits(self):
        p = self.lonely()
        p.produce("topic", "v")
        idle = self.producer()
        for wait in (lambda: idle.poll(1), lambda: p.flush(1), lambda: self.refuse(lambda: p.list_topics(timeout=1))):
            count = 0
            thread = threading.Thread(target=wait)
            thread.start()
            while thread.is_alive():
                count += 1
                time.sleep(0.001)
            self.assertGreater(count, 5)  # hundreds on an idle machine; one or two if the GIL were kept

    def refuse(self, call):
        with self.assertRaises(KafkaException):
            call()
