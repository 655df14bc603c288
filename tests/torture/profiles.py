"""The delivery profiles, what each promises, and the producers that stand for it."""
import os
import subprocess
import threading
from dataclasses import dataclass

# Quick to give up on a broker, so that freezes are met by time-outs and retries, not by waiting alone.
HASTY = {"request.timeout.ms": 2000, "socket.timeout.ms": 3000, "retry.backoff.ms": 50}
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
]


class Running:
    """One producer program."""

    def __init__(self, program, profile, number, journal, bootstrap, settings, seconds_to_flush):
        self.profile, self.number, self.journal = profile, number, journal
        self.counts = [0] * 5
        settings = {"bootstrap.servers": bootstrap, "reconnect.backoff.max.ms": 1000, **settings}
        self.log = journal + ".log"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [program, "--profile", profile.base, "--id", str(number), "--topics", ",".join(profile.topics), "--journal",
                 journal, "--rate", str(profile.rate), "--size", str(profile.size), "--flush-ms", str(seconds_to_flush * 1000),
                 *(f"{k}={v}" for k, v in settings.items())],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
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
        if status:
            with open(self.log) as f:
                return f"producer {self.number} ({self.profile.name}) ended with status {status}: {f.read()[-500:]}"
        return None

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def start_all(profiles, program, directory, direct, proxied, seconds_to_flush, extra=()):
    """Every producer of the profiles, numbered from 0."""
    running = []
    for profile in profiles:
        for by_proxy, settings in profile.producers:
            number = len(running)
            running.append(Running(program, profile, number, os.path.join(directory, f"journal-{number}"),
                                   proxied if by_proxy else direct, {**settings, **dict(extra)}, seconds_to_flush))
    return running
