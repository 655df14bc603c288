"""What the tests share."""

import time
import unittest

from rkafka import Producer
from rkafka.testing import MockCluster


class Case(unittest.TestCase):
    """A test with an embedded cluster, made when it is first asked for."""

    BROKERS = 1

    @property
    def cluster(self):
        if not hasattr(self, "_cluster"):
            self._cluster = MockCluster(self.BROKERS)
            self.addCleanup(self._cluster.close)
        return self._cluster

    def producer(self, conf=None, **more):
        """A producer for the cluster; it is closed (what is left is purged) when the test ends."""
        p = Producer({"bootstrap.servers": self.cluster.bootstrap_servers, **(conf or {})}, **more)
        self.addCleanup(end, p)
        return p

    def lonely(self, conf=None, **more):
        """A producer whose broker is not there, so that messages stay in the queue."""
        p = Producer({"bootstrap.servers": "127.0.0.1:1", "log_level": 0, "error_cb": lambda e: None,
                      **(conf or {})}, **more)
        self.addCleanup(end, p)
        return p

    def eventually(self, condition, what, seconds=30):
        """Waits for something that must come to be; generous, since machines are busy."""
        end_time = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end_time:
                self.fail(f"not within {seconds} s: {what}")
            time.sleep(0.01)


def end(producer):
    try:
        producer.purge()
        producer.poll(0)
    except Exception:
        pass
    try:
        producer.close()
    except Exception:
        pass


class Reports:
    """A delivery callback that keeps what it is told."""

    def __init__(self):
        self.all = []

    def __call__(self, error, message):
        self.all.append((error, message))

    @property
    def messages(self):
        return [m for e, m in self.all if e is None]

    @property
    def codes(self):
        return [e.code() if e is not None else 0 for e, _ in self.all]
