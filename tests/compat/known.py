"""Where rkafka is meant to differ from librdkafka, and why. Anything else that differs fails the comparison."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """A difference: in which scenarios, what only rkafka and only librdkafka say (each such line matches), and why."""
    title: str
    scenarios: str
    ours: str
    theirs: str
    why: str
    # Whether it must show each time; what hangs on chance in librdkafka does not.
    certain: bool = True

    def applies(self, scenario):
        return re.fullmatch(self.scenarios, scenario) is not None

    def explains(self, ours, theirs):
        return all(re.fullmatch(self.ours, line) for line in ours) and all(re.fullmatch(self.theirs, line) for line in theirs)


def codes(*numbers, kinds=".*"):
    return f"code ({'|'.join(str(n) for n in numbers)}), ({kinds})"


ANY = ".*"

KNOWN = [
    Known("`acks=0`: no offsets", "(delivered, acks=0|acks=0, the broker would refuse)",
          r"report of \d+: .*, offset unknown", r"report of \d+: .*, offset -\d+",
          "Without an answer there is no offset. librdkafka says -1001 for the first message of a batch and counts up from "
          "there; rkafka says RK_OFFSET_INVALID (-1001) for each."),
    Known("Order with one request in flight", "order in one partition, one in flight, with retries",
          r"report of \d+: NO_ERROR, persisted, partition 0, offset \d+",
          r"report of \d+: NO_ERROR, persisted, partition 0, offset \d+",
          "While a batch waits for its next attempt, librdkafka sends the ones behind it. With `max.in.flight=1` rkafka keeps "
          "them back, so the order of produce is the order in the log.", certain=False),
    Known("Topic known not to exist: at produce or by report", "unknown topic, known to be",
          r"produce: 2 NO_ERROR|report of [12]: UNKNOWN_TOPIC_OR_PART, not persisted, partition 0",
          r"produce: 2 _UNKNOWN_TOPIC",
          "librdkafka refuses messages until its next periodic refresh of metadata, in five minutes perhaps. rkafka accepts "
          "them, asks the brokers anew and reports: a topic that has come into being meanwhile is found at once."),
    Known("Topic deleted after use", "topic deleted after use",
          r"report of [12]: UNKNOWN_TOPIC_OR_PART, .*", r"report of [12]: _UNKNOWN_PARTITION, .*",
          "rkafka says that the topic is gone, as for a topic that never was; librdkafka, that its partition is."),
    Known("Illegal topic names", "topic name .*", "produce: _INVALID_ARG", "produce: NO_ERROR|report of 0: TOPIC_EXCEPTION, .*",
          "A name that no broker can accept is refused by the call, which is sooner than by a report."),
    Known("A batch too large for the broker is split", "a batch too large for the broker, its messages not",
          r"report of \d+: NO_ERROR, persisted, .*", r"report of \d+: MSG_SIZE_TOO_LARGE, not persisted, .*",
          "The broker's limit holds for batches. rkafka sends such a batch again in parts, as Java's producer does; only a "
          "single message that is too large fails."),
    Known("Order of the reports of purged messages", "purge of the queue, messages in flight and in the queue",
          r"report of \d: _PURGE_QUEUE, .*", r"report of \d: _PURGE_QUEUE, .*",
          "rkafka reports in the order of produce, librdkafka here in the reverse order, mostly.", certain=False),
    Known("Messages in the queue when a fatal error strikes",
          "no right to a producer id|AddPartitionsToTxn answers (47|48|53|90)",
          r"report of \d: _FATAL, not persisted, .*", r"report of \d: _PURGE_QUEUE, not persisted, .*",
          "Both fail them unsent. The application has purged nothing, so rkafka says _FATAL."),

    Known("Produce answers UNKNOWN (-1)", codes(-1), "report of 1: UNKNOWN, possibly persisted, .*",
          "report of 1: UNKNOWN, not persisted, .*",
          "An unexpected exception in the broker; whether before or after the append is not known."),
    Known("A leader that appended and then refuses", "office lost after the append, .*",
          r"report of [12]: _MSG_TIMED_OUT, possibly persisted, .*", r"report of [12]: _MSG_TIMED_OUT, not persisted, .*",
          "With acks=all a leader that loses its office, its disk or the topic while it waits for replicas answers by the code "
          "of one that appended nothing. The offset in its answer tells rkafka that the batch was appended."),
    Known("Produce answers NETWORK_EXCEPTION", codes(13), ANY, ANY,
          "Retriable by Kafka's definition, and what became of the request is not known. librdkafka fails the message as not "
          "persisted."),
    Known("Produce answers a retriable code that librdkafka has no rule for", codes(51, 74, 75, 89, 100, 103), ANY, ANY,
          "Kafka defines CONCURRENT_TRANSACTIONS, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, THROTTLING_QUOTA_EXCEEDED, "
          "UNKNOWN_TOPIC_ID and INCONSISTENT_TOPIC_ID as retriable: rkafka tries again, after asking for metadata where that "
          "helps."),
    Known("Produce answers TOPIC_AUTHORIZATION_FAILED: the messages after it",
          codes(29, kinds="(idempotent, )?once") + "|Produce answers 29 within a transaction",
          r"produce: NO_ERROR|report of 2: NO_ERROR, persisted, .*", "produce: TOPIC_AUTHORIZATION_FAILED",
          "librdkafka refuses messages to that topic until metadata tells otherwise. rkafka asks the broker each time, so a "
          "right that is granted counts at once."),
    Known("Produce answers DUPLICATE_SEQUENCE_NUMBER", codes(46), ANY, ANY,
          "The message is in the log already: a success whose offset is not known (RK_OFFSET_INVALID; librdkafka says -1). "
          "librdkafka takes it for a success of idempotent producers alone. The broker of this test had not appended in fact, "
          "which ends librdkafka's producer at the next message; rkafka goes on under the next epoch."),
    Known("Produce answers OUT_OF_ORDER_SEQUENCE_NUMBER, or INVALID_PRODUCER_EPOCH, to an idempotent producer",
          codes(45, 47, kinds="idempotent, .*"), ANY, ANY,
          "Nothing of the batch is in the log, so rkafka sends it again in a new series under the next epoch (KIP-360), as "
          "Java's producer does. librdkafka gives up: the producer at OUT_OF_ORDER_SEQUENCE_NUMBER, the message at "
          "INVALID_PRODUCER_EPOCH."),
    Known("Codes that are fatal to an idempotent producer", codes(31, 53, 90, kinds="idempotent, .*"), ANY, ANY,
          "CLUSTER_AUTHORIZATION_FAILED, TRANSACTIONAL_ID_AUTHORIZATION_FAILED and PRODUCER_FENCED concern the producer, not a "
          "message: no later one can succeed. They are fatal, as in Java's producer; librdkafka fails the message and goes on."),

    Known("Codes that are fatal to a transactional producer", "Produce answers (53|90) within a transaction", ANY, ANY,
          "TRANSACTIONAL_ID_AUTHORIZATION_FAILED and PRODUCER_FENCED in answer to Produce are fatal, as in Java's producer. In "
          "librdkafka the transaction must be aborted, and the next one fails."),
    Known("The transaction after one with a refused message",
          "commit with a message that the broker refuses|Produce answers (48|49|87|120) within a transaction",
          r"commit: ok|report of 2: NO_ERROR, persisted, .*",
          r"commit: OUT_OF_ORDER_SEQUENCE_NUMBER txn_requires_abort|report of 2: _PURGE_QUEUE, .*",
          "A refused batch leaves a hole in the sequences. rkafka begins anew under the next epoch after the abort; in "
          "librdkafka the next transaction fails by the hole."),
    Known("Commit with messages that timed out for want of a leader", "commit with a message that times out unsent",
          r"commit: (_TIMED_OUT txn_requires_abort|ok)|report of 3: NO_ERROR, persisted, .*",
          r"commit: (_INCONSISTENT|OUT_OF_ORDER_SEQUENCE_NUMBER) txn_requires_abort|report of 3: _PURGE_QUEUE, .*",
          "rkafka says that time was over, as both do for messages that time out elsewhere; librdkafka, that messages failed. "
          "The next transaction fails in librdkafka, as above."),
    Known("Produce answers CONCURRENT_TRANSACTIONS within a transaction", "Produce answers 51 within a transaction", ANY, ANY,
          "Retriable: the end of the transaction before is still being written (KIP-890). librdkafka has the transaction "
          "aborted."),
    Known("Produce answers OUT_OF_ORDER_SEQUENCE_NUMBER within a transaction", "Produce answers 45 within a transaction", ANY, ANY,
          "Abort is enough, for the next transaction has a new epoch. To librdkafka it is fatal."),
    Known("Fenced between transactions: how the message of the next one fails",
          "fenced by a second instance, between transactions",
          r"report of 2: INVALID_PRODUCER_EPOCH, not persisted, .*", r"report of 2: _PURGE_QUEUE, not persisted, .*",
          "With brokers from 4.0 on rkafka need not add a partition to the transaction beforehand (KIP-890), so it is Produce "
          "that tells of the fencing; librdkafka adds it and finds out before it sends. The transaction's errors are the same."),
    Known("EndTxn answers NETWORK_EXCEPTION to commit", "EndTxn answers 13 to commit", ANY, ANY,
          "Retriable: commit is asked for again until it is answered. librdkafka wants an abort, although the transaction may "
          "have been committed."),
    Known("EndTxn answers INVALID_PRODUCER_ID_MAPPING to abort", "EndTxn answers 49 to abort", ANY, ANY,
          "The coordinator has forgotten the transaction and nothing is left to abort: rkafka takes a new producer id and goes "
          "on. To librdkafka it is fatal."),
    Known("EndTxn answers TRANSACTION_ABORTABLE to abort", "EndTxn answers 120 to abort", ANY, ANY,
          "An abort that must be aborted has no way out: fatal. librdkafka's producer stays in a state in which no call "
          "succeeds."),
    Known("Abort of a transaction that no partition was added to", "AddPartitionsToTxn answers (29|49)",
          ANY, ANY,
          "The coordinator has not heard of the transaction, so rkafka need not end it there. librdkafka asks for its end, and "
          "the coordinator's refusal is fatal."),
]
