#!/usr/bin/env python3
"""The same scenarios through rkafka and through librdkafka, against the embedded broker.

    python3 tests/compat/compare.py path/to/rkafka-broker path/to/librkafka.so [name]

Needs confluent-kafka (PyPI) 2.16, whose librdkafka is the other client. Prints a table, and fails if the two differ in a way that
known.py does not explain, if they no longer differ where it says so, or if docs/COMPATIBILITY.md is not what this run would
make of it; UPDATE=1 writes that page's tables. With a name, runs the scenarios whose names contain it, prints all that was
said, and leaves the page alone.
"""

import difflib
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import page
from broker import Broker
from client import RdLibrary, RkLibrary
from known import KNOWN
from run import play
from scenarios import CODE_KINDS, SCENARIOS, code_scenario

# Most of a scenario's time is waiting.
WORKERS = 24
# What the page tells of. Others may do otherwise, which says nothing about rkafka.
REFERENCE = "2.16."
# What a busy machine can spoil (a message that expires just while it is in flight) does not happen thrice.
ATTEMPTS = 3


def differences(ours, theirs):
    """Lines of each that the other lacks, order regarded."""
    only = ([], [])
    for kind, a, b, c, d in difflib.SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if kind != "equal":
            only[0].extend(ours[a:b])
            only[1].extend(theirs[c:d])
    return only


class Result:
    """How a scenario went with both."""

    def __init__(self, scenario, ours, theirs):
        self.scenario, self.ours, self.theirs = scenario, ours, theirs
        self.only = differences(ours, theirs)
        self.same = ours == theirs
        rules = [k for k in KNOWN if k.applies(scenario.name)]
        self.rule = rules[0] if rules else None
        if self.same:
            self.fault = "does not differ any more" if self.rule and self.rule.certain else None
        elif self.rule is None:
            self.fault = "differs"
        else:
            self.fault = None if self.rule.explains(*self.only) else "differs in another way than is known"

    def show(self):
        for name, lines, only in (("rkafka", self.ours, self.only[0]), ("librdkafka", self.theirs, self.only[1])):
            for line in lines:
                print(f"    {name:10} {'>' if line in only else ' '} {line}")


class Comparison:
    def __init__(self, broker_path, library_path):
        self.broker_path = broker_path
        self.libraries = (RkLibrary(library_path), RdLibrary())

    def once(self, scenario, brokers):
        """Both clients side by side, each with its own cluster."""
        with ThreadPoolExecutor(2) as pair:
            said = list(pair.map(lambda lib, i: self.play(scenario, lib, brokers and brokers[i]), self.libraries, (0, 1)))
        return Result(scenario, *said)

    def play(self, scenario, lib, broker):
        try:
            if broker:
                return play(scenario, lib, broker)
            with Broker(self.broker_path, scenario.brokers, scenario.release) as own:
                return play(scenario, lib, own)
        except Exception as e:  # pylint: disable=broad-except
            # Unlike anything that a client says, so it is a difference, with a second attempt.
            return [f"{lib.name}: {type(e).__name__}: {e}"]

    def run(self, scenarios):
        """`scenarios`: pairs of a scenario and whether it may share a cluster with others."""
        with Broker(self.broker_path) as a, Broker(self.broker_path) as b, ThreadPoolExecutor(WORKERS) as pool:
            results = list(pool.map(lambda s: self.once(s[0], (a, b) if s[1] else None), scenarios))
        # Once more what is not as it should be, one by one.
        for i, result in enumerate(results):
            for _ in range(1, ATTEMPTS):
                if not results[i].fault:
                    break
                results[i] = self.once(result.scenario, None)
            if result.fault and not results[i].fault:
                print(f"{result.scenario.name}: {result.fault}, at the first attempt only:")
                result.show()
        return results


def main():
    if len(sys.argv) not in (3, 4):
        print(__doc__)
        return 2
    pick = sys.argv[3] if len(sys.argv) == 4 else None
    comparison = Comparison(*sys.argv[1:3])
    ours, theirs = comparison.libraries
    if not theirs.version.startswith(REFERENCE) and pick is None:
        print(f"SKIPPED: comparison with librdkafka: it is {theirs.version} here, the one to compare with {REFERENCE}x")
        return 0
    started = time.monotonic()
    codes = [c for c in range(-1, 134) if c and not ours.name_of_code(c).startswith(b"ERR_")]
    by_code = [(code_scenario(kind, code), True) for code in codes for kind in CODE_KINDS]
    every = [(s, False) for s in SCENARIOS] + by_code
    results = comparison.run([s for s in every if pick is None or pick in s[0].name])

    print(f"rkafka {ours.version} and librdkafka {theirs.version}:")
    for r in results:
        if r.fault or pick is not None or r.scenario.name in {s.name for s in SCENARIOS}:
            verdict = f"FAILED: {r.fault}" if r.fault else "same" if r.same else "different, known"
            print(f"  {verdict:18} {r.scenario.name}")
        if r.fault or pick is not None:
            r.show()
    faults = [r for r in results if r.fault]
    same, known = sum(r.same for r in results), sum(not r.same and not r.fault for r in results)
    print(f"{len(results)} scenarios in {time.monotonic() - started:.0f} s: {same} same, {known} different for a known reason, "
          f"{len(faults)} failed")
    if faults or pick is not None:
        return 1 if faults else 0
    unused = [k.title for k in KNOWN if not any(r.rule is k for r in results)]
    if unused:
        print(f"FAILED: known differences without a scenario: {unused}")
        return 1
    return page.check([r for r in results if r.scenario in SCENARIOS], results, codes, ours, os.environ.get("UPDATE"))


if __name__ == "__main__":
    sys.exit(main())
