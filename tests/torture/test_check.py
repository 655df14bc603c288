#!/usr/bin/env python3
"""The judge is judged: each kind of broken promise is found, and a good log is found good."""
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import check
import profiles as p


def profile(name):
    return next(x for x in p.PROFILES if x.name == name)


def judge(name, journal, log, killed=False):
    """The verdict on one producer's journal and what is in the log: (topic, partition, offset, seq, txn)."""
    chosen = profile(name)
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "journal")
        with open(path, "w") as f:
            f.write("".join(line + "\n" for line in journal))
        j = check.Journal(path, chosen.latest_ms, killed)
    records = {t: [] for t in chosen.topics}
    for topic, partition, offset, seq, txn in log:
        records[chosen.topics[topic]].append((partition, offset, b"k3", check.value_of(0, seq, txn, chosen.size)))
    return check.check(chosen, {0: j}, records.get)


def plain(count, lines=()):
    """`count` messages, delivered to partition 0 at the offsets of their numbers, but for other `lines`."""
    reports = {i: f"D {i} 0 0 {i} 0 2 5" for i in range(count)}
    reports.update({int(x.split()[1]): x for x in lines})
    return [f"P {i} 0 3 0" for i in range(count)] + [x for x in reports.values() if x.split()[2:]] + [f"Z {count} {count} 0"]


LOG = [(0, 0, i, i, 0) for i in range(4)]
TXN = ["T 7 begin", "P 0 0 3 7", "P 1 1 3 7", "O 7", "T 7 commit?", "D 0 0 0 0 0 2 5", "D 1 1 0 0 0 2 5"]
TXN_LOG = [(0, 0, 0, 0, 7), (1, 0, 0, 1, 7)]


class Judge(unittest.TestCase):
    def finds(self, column, verdict, count=1):
        self.assertEqual(verdict.count[column], count, verdict.examples)
        self.assertEqual(verdict.violations() > 0, not verdict.allowed[column], verdict.examples)

    def good(self, verdict):
        self.assertEqual((verdict.violations(), verdict.examples), (0, []))

    def test_good(self):
        self.good(judge("idempotent", plain(4), LOG))

    def test_lost(self):
        self.finds("lost", judge("at-least-once-1", plain(4), LOG[:3]))
        self.finds("lost", judge("at-most-once", plain(4), LOG[:3]))  # counted, and allowed

    def test_everything_lost(self):
        v = judge("at-most-once", plain(4), [])
        self.assertEqual((v.count["lost"], v.violations()), (4, 1))

    def test_duplicated(self):
        self.finds("duplicated", judge("idempotent", plain(4), LOG + [(0, 0, 4, 3, 0)]))
        self.finds("duplicated", judge("at-least-once-1", plain(4), LOG + [(0, 0, 4, 3, 0)]))

    def test_out_of_order(self):
        swapped = plain(4, ["D 1 0 0 2 0 2 5", "D 2 0 0 1 0 2 5"])
        log = [LOG[0], (0, 0, 1, 2, 0), (0, 0, 2, 1, 0), LOG[3]]
        self.finds("out of order", judge("at-least-once-1", swapped, log))
        self.finds("out of order", judge("at-least-once-5", swapped, log))

    def test_reported_elsewhere(self):
        self.finds("false reports", judge("idempotent", plain(4, ["D 3 0 0 9 0 2 5"]), LOG))
        self.finds("false reports", judge("idempotent", plain(4, ["D 3 0 1 3 0 2 5"]), LOG))

    def test_not_persisted_but_there(self):
        failed = plain(4, ["D 3 0 0 -1001 -192 0 5"])
        self.finds("false reports", judge("short-timeout", failed, LOG))
        self.good(judge("short-timeout", failed, LOG[:3]))

    def test_possibly_persisted(self):
        failed = plain(4, ["D 3 0 0 -1001 -192 1 5"])
        self.good(judge("short-timeout", failed, LOG))
        self.good(judge("short-timeout", failed, LOG[:3]))

    def test_failed_with_all_the_time_of_the_world(self):
        self.finds("failed", judge("idempotent", plain(4, ["D 3 0 0 -1001 -192 1 5"]), LOG))

    def test_late_report(self):
        self.finds("false reports", judge("short-timeout", plain(4, ["D 3 0 0 3 0 2 9999"]), LOG))

    def test_no_report_and_no_end(self):
        self.finds("false reports", judge("idempotent", plain(4, ["D 3"]), LOG))
        self.finds("false reports", judge("idempotent", plain(4)[:-1], LOG))

    def test_foreign_record(self):
        self.finds("false reports", judge("idempotent", plain(4), LOG + [(0, 0, 4, 17, 0)]))

    def test_broken_promise_seen_by_the_producer(self):
        self.finds("false reports", judge("idempotent", plain(4) + ["X a second report"], LOG))

    def test_committed(self):
        self.good(judge("transactional", TXN + ["T 7 committed", "Z 2 2 0"], TXN_LOG))
        self.finds("lost", judge("transactional", TXN + ["T 7 committed", "Z 2 2 0"], TXN_LOG[:1]))

    def test_committed_without_a_message(self):
        journal = TXN[:-1] + ["D 1 1 0 -1001 -192 1 5", "T 7 committed", "Z 2 2 0"]
        self.finds("false reports", judge("transactional", journal, TXN_LOG[:1]))

    def test_aborted(self):
        self.good(judge("transactional", TXN + ["T 7 abort?", "T 7 aborted", "Z 2 2 0"], []))
        self.finds("torn", judge("transactional", TXN + ["T 7 abort?", "T 7 aborted", "Z 2 2 0"], TXN_LOG[:1]))

    def test_killed(self):
        self.good(judge("transactional", TXN, TXN_LOG, killed=True))
        self.good(judge("transactional", TXN, [], killed=True))
        self.finds("torn", judge("transactional", TXN, TXN_LOG[1:], killed=True))
        self.finds("torn", judge("transactional", TXN[:4], TXN_LOG, killed=True), 2)

    def test_offsets(self):
        v = judge("transactional", TXN + ["T 7 committed", "Z 2 2 0"], TXN_LOG)
        j = check.Journal(os.devnull)
        j.txns, j.with_offsets = {7: "committed", 8: "aborted", 9: "committed"}, {7, 8}
        check.check_offset(v, "g", 7, [j])
        self.good(v)
        check.check_offset(v, "g", 8, [j])
        self.finds("torn", v)


if __name__ == "__main__":
    unittest.main()
