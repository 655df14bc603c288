"""What both clients are put through: plain data, so that both get the same.

A step is a tuple. The broker's: ("broker", command). The client's:
  ("produce", topic, partition, count, size)  size in bytes, or the value
  ("flush", s)   ("purge", flags)   ("reports", n): poll until there are n   ("poll", s)
  ("requests", api, n): wait until the broker has seen n
  ("init", s) ("begin",) ("commit", s) ("abort", s): transactions
  ("other", step): the step by a second producer of the same configuration
"""

from dataclasses import dataclass, field

QUEUE, INFLIGHT = 1, 2
LONG = 30
# Short waits between attempts, for the test's sake; the rest is as the libraries have it.
QUICK = {"retry.backoff.ms": 20, "retry.backoff.max.ms": 100, "reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 200}
TRANSACTIONAL = {**QUICK, "transactional.id": "t1", "transaction.timeout.ms": 30000}


@dataclass(frozen=True)
class Scenario:
    name: str
    steps: list
    conf: dict = field(default_factory=dict)
    brokers: int = 1
    # Error events depend on what each client happens to connect to; where they are the point, they are compared.
    events: bool = False
    # Which Kafka the broker imitates: before 4.0 a client adds partitions to a transaction itself (KIP-890).
    release: str = "newest"


def produce(count=1, partition=0, size=10, topic="t"):
    return ("produce", topic, partition, count, size)


FLUSH, INIT, BEGIN, COMMIT, ABORT = ("flush", LONG), ("init", LONG), ("begin",), ("commit", LONG), ("abort", LONG)
AUTO_CREATE_OFF = ("broker", "auto-create off")

SCENARIOS = [
    Scenario("delivered, acks=all", [produce(5), FLUSH], {"acks": "all"}),
    Scenario("delivered, acks=1", [produce(5), FLUSH], {"acks": "1"}),
    Scenario("delivered, acks=0", [produce(5), FLUSH], {"acks": "0"}),
    Scenario("acks=0, the broker would refuse", [("broker", "push-errors Produce 29*5"), produce(5), FLUSH], {"acks": "0"}),
    Scenario("acks=0, no broker", [("broker", "down 1"), produce(2), FLUSH], {"acks": "0", "message.timeout.ms": 1000}),
    Scenario("null value, partition chosen by the client", [produce(1, -1, None), produce(1, -1, b""), FLUSH],
             {"partitioner": "consistent"}),
    Scenario("order in one partition, one in flight, with retries",
             [produce(), FLUSH, ("broker", "push-errors Produce 19 0 7 0 6 0 5"), produce(20), FLUSH],
             {"max.in.flight": 1, "batch.num.messages": 4, "linger.ms": 0}),
    Scenario("order in one partition, idempotent, with retries",
             [produce(), FLUSH, ("broker", "push-errors Produce 19 0 7 0 6 0 5"), produce(20), FLUSH],
             {"enable.idempotence": "true", "batch.num.messages": 4, "linger.ms": 0}),

    Scenario("unknown topic, never created", [AUTO_CREATE_OFF, produce(3), FLUSH],
             {"topic.metadata.propagation.max.ms": 500, "message.timeout.ms": 20000}),
    Scenario("unknown topic, never created, partition chosen by the client", [AUTO_CREATE_OFF, produce(3, -1), FLUSH],
             {"topic.metadata.propagation.max.ms": 500, "message.timeout.ms": 20000}),
    Scenario("unknown topic, known to be",
             [AUTO_CREATE_OFF, produce(), FLUSH, produce(2), FLUSH],
             {"topic.metadata.propagation.max.ms": 500, "message.timeout.ms": 20000}),
    Scenario("unknown topic, time-out first", [AUTO_CREATE_OFF, produce(3), FLUSH],
             {"topic.metadata.propagation.max.ms": 60000, "message.timeout.ms": 1000}),
    Scenario("unknown topic, created in time",
             [AUTO_CREATE_OFF, produce(3), ("poll", 0.3), ("broker", "topic t 1"), FLUSH]),
    Scenario("topic deleted after use", [AUTO_CREATE_OFF, ("broker", "topic t 1"), produce(), FLUSH,
                                         ("broker", "delete-topic t"), produce(2), FLUSH],
             {"topic.metadata.propagation.max.ms": 500, "message.timeout.ms": 3000}),
    Scenario("topic made anew, with another id", [("broker", "topic t 1"), produce(), FLUSH,
                                                  ("broker", "recreate-topic t"), produce(2), FLUSH]),
    Scenario("topic forbidden", [("broker", "topic t 1"), ("broker", "topic-error t 29"), produce(2), FLUSH],
             {"message.timeout.ms": 3000}),
    Scenario("topic name not legal", [produce(1, topic="no/topic"), FLUSH], {"message.timeout.ms": 3000}),
    Scenario("topic name empty", [produce(1, topic=""), FLUSH], {"message.timeout.ms": 3000}),
    Scenario("topic name of 250 characters", [produce(1, topic="x" * 250), FLUSH], {"message.timeout.ms": 3000}),

    Scenario("bad partition, topic not known yet", [produce(1, 9), produce(1, 0), FLUSH]),
    Scenario("bad partition, topic known", [produce(1, 0), FLUSH, produce(1, 9), produce(1, 0), FLUSH]),
    Scenario("bad partition, negative", [produce(1, 0), FLUSH, produce(1, -7), FLUSH]),
    Scenario("partition added in time", [produce(1, 0), FLUSH, ("broker", "partitions t 9"), ("poll", 3), produce(1, 8), FLUSH],
             {"topic.metadata.refresh.interval.ms": 300}),

    Scenario("too large for message.max.bytes", [produce(1, 0, 5000), produce(1, 0, 10), FLUSH],
             {"message.max.bytes": 2000}),
    Scenario("a batch too large for the broker, one message", [("broker", "message-max 500"), produce(1, 0, 900), FLUSH]),
    Scenario("a batch too large for the broker, its messages not",
             [("broker", "message-max 500"), produce(4, 0, 200), FLUSH], {"linger.ms": 300}),
    Scenario("queue full by messages", [("broker", "down 1"), produce(12), ("purge", QUEUE), FLUSH],
             {"queue.buffering.max.messages": 10}),
    Scenario("queue full by bytes", [("broker", "down 1"), produce(4, 0, 400_000), ("purge", QUEUE), FLUSH],
             {"queue.buffering.max.kbytes": 1000}),
    Scenario("queue full, then room again",
             [("broker", "hold 1"), produce(11), ("broker", "release 1"), FLUSH, produce(), FLUSH],
             {"queue.buffering.max.messages": 10}),

    Scenario("time-out, no broker from the start", [("broker", "down 1"), produce(3), FLUSH],
             {"message.timeout.ms": 1000}, events=True),
    Scenario("time-out, the broker went away", [produce(), FLUSH, ("broker", "down 1"), produce(3), FLUSH],
             {"message.timeout.ms": 3000}, events=True),
    Scenario("time-out, the broker does not answer Produce",
             [produce(), FLUSH, ("broker", "push-errors Produce -185*50"), produce(3), FLUSH],
             {"message.timeout.ms": 4000, "request.timeout.ms": 1000, "socket.timeout.ms": 1000}),
    Scenario("time-out, no leader", [produce(), FLUSH, ("broker", "leader t 0 -1"), produce(2), FLUSH],
             {"message.timeout.ms": 3000}),
    Scenario("flush ends before the messages", [("broker", "down 1"), produce(2), ("flush", 0.2), ("purge", QUEUE), FLUSH]),
    Scenario("a broker comes back in time", [("broker", "down 1"), produce(3), ("poll", 0.4), ("broker", "up 1"), FLUSH]),

    Scenario("connection cut before the append, then success",
             [produce(), FLUSH, ("broker", "push-errors Produce -195"), produce(2), FLUSH], QUICK),
    Scenario("connection cut after the append, then success",
             [produce(), FLUSH, ("broker", "push-after-errors Produce -195"), produce(2), FLUSH, produce(), FLUSH], QUICK),
    Scenario("connection cut after the append, retries=0",
             [produce(), FLUSH, ("broker", "push-after-errors Produce -195"), produce(2), FLUSH], {"retries": 0}),
    Scenario("connection cut after the append, idempotent",
             [produce(), FLUSH, ("broker", "push-after-errors Produce -195"), produce(2), FLUSH, produce(), FLUSH],
             {**QUICK, "enable.idempotence": "true"}),
    Scenario("connection cut within the answer, idempotent",
             [produce(), FLUSH, ("broker", "cut-answer Produce 9"), produce(2), FLUSH, produce(), FLUSH],
             {**QUICK, "enable.idempotence": "true"}),
    Scenario("answer lost by NOT_ENOUGH_REPLICAS_AFTER_APPEND, idempotent",
             [produce(), FLUSH, ("broker", "push-after-errors Produce 20"), produce(2), FLUSH, produce(), FLUSH],
             {**QUICK, "enable.idempotence": "true"}),
    Scenario("office lost after the append, then refused until the time-out",
             [produce(), FLUSH, ("broker", "push-after-errors Produce 6"), ("broker", "push-errors Produce 6*500"), produce(2), FLUSH],
             {**QUICK, "message.timeout.ms": 1500}),
    Scenario("leader moves", [produce(), FLUSH, ("broker", "leader t 0 2"), produce(2), FLUSH,
                              ("broker", "leader t 0 1"), produce(2), FLUSH], QUICK, brokers=2),
    Scenario("sequences forgotten by the broker, idempotent",
             [produce(2), FLUSH, ("broker", "forget-producers t 0"), produce(2), FLUSH, produce(), FLUSH],
             {**QUICK, "enable.idempotence": "true"}),

    Scenario("purge of the queue", [("broker", "down 1"), produce(3), ("purge", QUEUE), FLUSH]),
    Scenario("purge of the queue, partition not chosen yet", [("broker", "down 1"), produce(3, -1), ("purge", QUEUE), FLUSH]),
    Scenario("purge in flight", [produce(), FLUSH, ("broker", "hold 1"), produce(3), ("requests", "Produce", 2),
                                 ("purge", INFLIGHT), FLUSH], {"linger.ms": 300}),
    Scenario("purge of queue and in flight, messages in flight",
             [produce(), FLUSH, ("broker", "hold 1"), produce(3), ("requests", "Produce", 2),
              ("purge", QUEUE | INFLIGHT), FLUSH], {"linger.ms": 300}),
    Scenario("purge of the queue, messages in flight and in the queue",
             [produce(), FLUSH, ("broker", "hold 1"), produce(3), ("requests", "Produce", 2), produce(2),
              ("purge", QUEUE), ("reports", 3), ("broker", "release 1"), FLUSH], {"linger.ms": 300, "max.in.flight": 1}),
    Scenario("purge with no flag that is known", [("purge", 64), ("purge", 0)]),
    Scenario("purge in flight, idempotent, then more",
             [produce(), FLUSH, ("broker", "hold 1"), produce(3), ("requests", "Produce", 2), ("purge", INFLIGHT),
              ("reports", 4), ("broker", "release 1"), ("poll", 0.3), produce(), FLUSH],
             {**QUICK, "linger.ms": 300, "enable.idempotence": "true"}),

    Scenario("idempotent with acks=1", [], {"enable.idempotence": "true", "acks": "1"}),
    Scenario("idempotent with max.in.flight=6", [], {"enable.idempotence": "true", "max.in.flight": 6}),
    Scenario("idempotent with retries=0", [], {"enable.idempotence": "true", "retries": 0}),
    Scenario("gapless guarantee without idempotence", [], {"enable.gapless.guarantee": "true"}),
    Scenario("queued messages expire, gapless guarantee",
             [produce(), FLUSH, ("broker", "down 1"), produce(2), FLUSH, ("broker", "up 1"), produce(), FLUSH],
             {**QUICK, "enable.idempotence": "true", "enable.gapless.guarantee": "true", "message.timeout.ms": 4000}),
    Scenario("queued messages expire, idempotent",
             [produce(), FLUSH, ("broker", "down 1"), produce(2), FLUSH, ("broker", "up 1"), ("poll", 0.5), produce(), FLUSH],
             {**QUICK, "enable.idempotence": "true", "message.timeout.ms": 4000}),
    Scenario("no right to a producer id", [("broker", "push-errors InitProducerId 31"), produce(2), FLUSH, produce(), FLUSH],
             {**QUICK, "enable.idempotence": "true", "message.timeout.ms": 3000}),
    Scenario("producer id refused for a while", [("broker", "push-errors InitProducerId 14 15"), produce(2), FLUSH],
             {**QUICK, "enable.idempotence": "true", "message.timeout.ms": 20000}),

    Scenario("transaction committed", [INIT, BEGIN, produce(3), COMMIT, BEGIN, produce(2), COMMIT], TRANSACTIONAL),
    Scenario("transaction aborted", [INIT, BEGIN, produce(3), FLUSH, ABORT, BEGIN, produce(2), COMMIT], TRANSACTIONAL),
    Scenario("abort with messages in the queue", [INIT, BEGIN, ("broker", "topic t 1"), produce(3), ABORT],
             {**TRANSACTIONAL, "linger.ms": 5000}),
    Scenario("empty transactions", [INIT, BEGIN, COMMIT, BEGIN, ABORT], TRANSACTIONAL),
    Scenario("commit flushes", [INIT, BEGIN, produce(5, 0, 100), COMMIT], {**TRANSACTIONAL, "linger.ms": 2000}),

    Scenario("fenced by a second instance, within a transaction",
             [INIT, BEGIN, produce(2), FLUSH, ("other", INIT), produce(2), FLUSH, COMMIT, ABORT, BEGIN, produce()],
             TRANSACTIONAL),
    Scenario("fenced by a second instance, before commit",
             [INIT, BEGIN, produce(2), FLUSH, ("other", INIT), COMMIT, ABORT, BEGIN], TRANSACTIONAL),
    Scenario("fenced by a second instance, before abort",
             [INIT, BEGIN, produce(2), FLUSH, ("other", INIT), ABORT, BEGIN], TRANSACTIONAL),
    Scenario("fenced by a second instance, between transactions",
             [INIT, BEGIN, produce(2), COMMIT, ("other", INIT), BEGIN, produce(), FLUSH, COMMIT, ABORT], TRANSACTIONAL),
    Scenario("fenced by a second instance, which then works",
             [INIT, BEGIN, produce(2), FLUSH, ("other", INIT), ("other", BEGIN), ("other", produce(2)), ("other", COMMIT)],
             TRANSACTIONAL),

    Scenario("commit after abort", [INIT, BEGIN, produce(2), FLUSH, ABORT, COMMIT, BEGIN, produce(), COMMIT], TRANSACTIONAL),
    Scenario("abort after commit", [INIT, BEGIN, produce(2), COMMIT, ABORT, BEGIN, produce(), COMMIT], TRANSACTIONAL),
    Scenario("commit twice", [INIT, BEGIN, produce(2), COMMIT, COMMIT], TRANSACTIONAL),
    Scenario("abort twice", [INIT, BEGIN, produce(2), FLUSH, ABORT, ABORT], TRANSACTIONAL),
    Scenario("begin twice", [INIT, BEGIN, BEGIN, produce(), COMMIT], TRANSACTIONAL),
    Scenario("init twice", [INIT, INIT, BEGIN, COMMIT], TRANSACTIONAL),
    Scenario("init within a transaction", [INIT, BEGIN, INIT, COMMIT], TRANSACTIONAL),
    Scenario("begin before init", [BEGIN, produce(), COMMIT, ABORT], TRANSACTIONAL),
    Scenario("produce before init", [produce(2), ("flush", 1)], TRANSACTIONAL),
    Scenario("produce outside of a transaction", [INIT, produce(), BEGIN, produce(), COMMIT, produce()], TRANSACTIONAL),
    Scenario("transaction calls without transactional.id", [INIT, BEGIN, COMMIT, ABORT], {}),

    Scenario("init, no broker", [("broker", "down 1"), ("init", 1)], TRANSACTIONAL),
    Scenario("init, no broker, then again", [("broker", "down 1"), ("init", 1), ("broker", "up 1"), INIT, BEGIN, produce(),
                                             COMMIT], TRANSACTIONAL),
    Scenario("commit, no broker, then again",
             [INIT, BEGIN, produce(), FLUSH, ("broker", "down 1"), ("commit", 1), ("broker", "up 1"), COMMIT, BEGIN], TRANSACTIONAL),
    Scenario("commit, no broker, then abort",
             [INIT, BEGIN, produce(), FLUSH, ("broker", "down 1"), ("commit", 1), ("broker", "up 1"), ABORT], TRANSACTIONAL),
    Scenario("abort, no broker, then again",
             [INIT, BEGIN, produce(), FLUSH, ("broker", "down 1"), ("abort", 1), ("broker", "up 1"), ABORT, BEGIN], TRANSACTIONAL),
    Scenario("commit with a message that times out",
             [INIT, BEGIN, produce(), FLUSH, ("broker", "push-errors Produce 19*500"), produce(2), COMMIT, ABORT,
              ("broker", "clear-errors Produce"), BEGIN, produce(), COMMIT], {**TRANSACTIONAL, "message.timeout.ms": 3000}),
    Scenario("commit with a message that times out unsent",
             [INIT, BEGIN, produce(), FLUSH, ("broker", "leader t 0 -1"), produce(2), COMMIT, ABORT, ("broker", "leader t 0 1"),
              BEGIN, produce(), COMMIT], {**TRANSACTIONAL, "message.timeout.ms": 3000}),
    Scenario("commit with a message that the broker refuses",
             [INIT, BEGIN, produce(), FLUSH, ("broker", "push-errors Produce 87"), produce(), COMMIT, ABORT, BEGIN,
              produce(), COMMIT], TRANSACTIONAL),
    Scenario("transaction.timeout.ms above the coordinator's limit", [("broker", "push-errors InitProducerId 50"), INIT, BEGIN],
             TRANSACTIONAL),
    Scenario("transactional.id forbidden, at init", [("broker", "push-errors InitProducerId 53"), INIT, BEGIN], TRANSACTIONAL),
    Scenario("transactional.id forbidden, at the coordinator", [("broker", "push-errors FindCoordinator 53"), INIT, BEGIN],
             TRANSACTIONAL),
    Scenario("coordinator not available for a while", [("broker", "push-errors FindCoordinator 15 15"), INIT, BEGIN, produce(),
                                                       COMMIT], TRANSACTIONAL),
    Scenario("coordinator loading, at init", [("broker", "push-errors InitProducerId 14 51 16"), INIT, BEGIN, produce(), COMMIT],
             TRANSACTIONAL),
    *[Scenario(f"EndTxn answers {code} to commit", [INIT, BEGIN, produce(), FLUSH, ("broker", f"push-errors EndTxn {code}"),
                                                    COMMIT, ABORT, BEGIN, produce(), COMMIT], TRANSACTIONAL)
      for code in (13, 14, 15, 16, 47, 48, 49, 51, 53, 90, 120)],
    *[Scenario(f"EndTxn answers {code} to abort", [INIT, BEGIN, produce(), FLUSH, ("broker", f"push-errors EndTxn {code}"),
                                                   ABORT, BEGIN, produce(), COMMIT], TRANSACTIONAL)
      for code in (14, 16, 47, 48, 49, 51, 53, 90, 120)],
    *[Scenario(f"Produce answers {code} within a transaction",
               [INIT, BEGIN, produce(), FLUSH, ("broker", f"push-partition-errors t 0 Produce {code}"), produce(), FLUSH, COMMIT,
                ABORT, BEGIN, produce(), COMMIT], TRANSACTIONAL)
      for code in (6, 19, 29, 45, 47, 48, 49, 51, 53, 59, 87, 90, 120)],
    *[Scenario(f"AddPartitionsToTxn answers {code}",
               [INIT, BEGIN, ("broker", f"push-errors AddPartitionsToTxn {code}"), produce(), FLUSH, COMMIT, ABORT, BEGIN,
                produce(), COMMIT], TRANSACTIONAL, release="3.9")
      for code in (3, 14, 16, 29, 47, 48, 49, 51, 53, 90)],
]

# ---- every error code that a broker can answer Produce with ----

MANY = 500
# Attempts are rare, so that a message whose time is up is hardly ever in flight, which its status would tell.
SPARSE = {"retry.backoff.ms": 2000, "retry.backoff.max.ms": 2000, "message.timeout.ms": 5000}
IDEMPOTENT = {**QUICK, "enable.idempotence": "true", "message.timeout.ms": 20000}


def code_scenario(kind, code):
    """What becomes of a message when its partition answers with `code`; and of the message after it.

    A message is delivered before, so that the topic is known and an idempotent producer has its sequence. Topics are not
    shared, so one broker serves all of these.
    """
    topic = "".join(c if c.isalnum() else "-" for c in f"{kind} {code}")
    conf, times, after = {
        "once": ({**QUICK, "message.timeout.ms": 20000}, 1, True),
        "always": (SPARSE, MANY, False),
        "retries=0": ({**SPARSE, "retries": 0}, MANY, False),
        "retries=2": ({**SPARSE, "retry.backoff.ms": 1000, "retry.backoff.max.ms": 1000, "retries": 2}, MANY, False),
        "idempotent, once": (IDEMPOTENT, 1, True),
        "idempotent, always": ({**SPARSE, "enable.idempotence": "true"}, MANY, False),
    }[kind]
    steps = [produce(topic=topic), FLUSH, ("broker", f"push-partition-errors {topic} 0 Produce {code}*{times}"),
             produce(topic=topic), FLUSH]
    if after:
        steps += [produce(topic=topic), FLUSH]
    return Scenario(f"code {code}, {kind}", steps, conf)


CODE_KINDS = ["once", "always", "retries=0", "retries=2", "idempotent, once", "idempotent, always"]
