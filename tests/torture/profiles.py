"""The delivery profiles, what each promises, and the producers that stand for it."""
import os
import signal
import subprocess
import threading
from dataclasses import dataclass

# Quick to give up on a broker, so that freezes are met by time-outs and retries, not by waiting alone.
HASTY = {"request.timeout.ms": 2000, "socket.timeout.ms": 3000, "retry.backoff.ms": 50}
FENCED = 5  # exit status of a producer after a fatal error
LATE_FACTOR, LATE_SLACK_MS = 1.05, 1000  # a loaded machine polls late


@dataclass(frozen=True)
class Profile:
    name: str
    base: str  # the set of properties in producer.c
    producers: tuple  # for each: (by the proxy?, properties)
    allowed: tuple = ()  # columns of the table that may differ from 0
    topic_count: int = 1
    rate: int = 150
    size: int = 200
    timeout_ms: int = 0  # reports must be in by then
    transactional: bool = False

    @property
    def latest_ms(self):
        return self.timeout_ms and self.timeout_ms * LATE_FACTOR + LATE_SLACK_MS

    @property
    def topics(self):
        return [f"torture-{self.name}" + (f"-{i}" if self.topic_count > 1 else "") for i in range(self.topic_count)]


PROFILES = [
    # What was reported as delivered was only sent, which is what the name says; a broken connection may lose it.
    Profile("at-most-once", "at-most-once", ((True, {}),), allowed=("lost", "failed", "out of order")),
    Profile("at-least-once-1", "at-least-once",
            ((True, {"max.in.flight": 1, **HASTY}), (False, {"max.in.flight": 1})), allowed=("duplicated",)),
    Profile("at-least-once-5", "at-least-once",
            ((True, {"max.in.flight": 5, **HASTY}), (False, {"max.in.flight": 5, "linger.ms": 0})),
            allowed=("duplicated", "out of order")),
    Profile("short-timeout", "at-least-once",
            ((True, {"message.timeout.ms": 5000, **HASTY}), (False, {"message.timeout.ms": 5000, "retries": 2})),
            allowed=("duplicated", "out of order", "failed"), timeout_ms=5000),
    Profile("idempotent", "idempotent",
            ((True, HASTY), (True, {"linger.ms": 0, "compression.codec": "lz4"}),
             (False, {"linger.ms": 20, "batch.num.messages": 50, **HASTY}))),
    # Messages of aborted transactions fail; those of committed ones may not.
    Profile("transactional", "transactional",
            ((True, {"transactional.id": "torture-0", **HASTY}), (False, {"transactional.id": "torture-1"}),
             (True, {"transactional.id": "torture-2", "max.in.flight": 1})),
            allowed=("failed",), topic_count=2, transactional=True),
]


class Running:
    """One producer program."""

    def __init__(self, command, profile, number, slot, journal):
        self.profile, self.number, self.slot, self.journal = profile, number, slot, journal
        self.counts = [0] * 5
        self.killed = self.fenced = False
        self.log = journal + ".log"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.counts = list(map(int, line.split()))

    def stop(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass

    def wait(self, seconds):
        """None if all is well, else what is not."""
        try:
            status = self.process.wait(max(0, seconds))
        except subprocess.TimeoutExpired:
            self.kill()
            return f"producer {self.number} ({self.profile.name}) does not end"
        self.reader.join()
        # One that was to be fenced may have been told to end before the other one was ready.
        if status in ((-signal.SIGKILL,) if self.killed else (FENCED, 0) if self.fenced else (0,)):
            return None
        with open(self.log) as f:
            return f"producer {self.number} ({self.profile.name}) ended with status {status}: {f.read()[-500:]}"

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Team:
    """All producers that ever ran, by number. A slot is a producer of a profile, or those that followed it."""

    def __init__(self, program, directory, direct, proxied, seconds_to_flush, extra=()):
        self.program, self.directory, self.bootstrap = program, directory, (direct, proxied)
        self.flush_ms, self.extra = seconds_to_flush * 1000, dict(extra)
        self.all = []

    def start(self, profile, slot):
        by_proxy, settings = profile.producers[slot]
        number = len(self.all)
        journal = os.path.join(self.directory, f"journal-{number}")
        settings = {"bootstrap.servers": self.bootstrap[by_proxy], "reconnect.backoff.max.ms": 1000, **settings, **self.extra}
        command = [self.program, "--profile", profile.base, "--id", str(number), "--topics", ",".join(profile.topics),
                   "--journal", journal, "--rate", str(profile.rate), "--size", str(profile.size),
                   "--flush-ms", str(self.flush_ms), *(f"{k}={v}" for k, v in settings.items())]
        if profile.transactional:
            command[1:1] = ["--group", self.group(profile, slot)]
        self.all.append(Running(command, profile, number, slot, journal))
        return self.all[-1]

    @staticmethod
    def group(profile, slot):
        return f"torture-{profile.name}-{slot}"

    def of(self, profile):
        return [r for r in self.all if r.profile is profile]

    def acting(self):
        """The producers that transactions come from now."""
        last = {(r.profile.name, r.slot): r for r in self.all if r.profile.transactional}
        return list(last.values())

    def transacting(self):
        """Those of them whose init is over: one that is stopped in the midst of it wakes up as the newer instance."""
        return [r for r in self.acting() if r.counts[0] > 0]

    def killed(self, r):
        """kill -9 in the midst of whatever it does; another one takes over its transactional.id."""
        r.killed = True
        r.kill()
        return self.start(r.profile, r.slot)

    def fenced(self, r, wait):
        """Another one takes over while it is frozen; when it wakes up it has to notice."""
        r.process.send_signal(signal.SIGSTOP)
        r.fenced = True
        self.start(r.profile, r.slot)
        wait()
        r.process.send_signal(signal.SIGCONT)

    def replace_ended(self):
        """Successors for those that ended by themselves, which is told at the end."""
        for r in self.acting():
            if r.process.poll() is not None:
                self.start(r.profile, r.slot)
