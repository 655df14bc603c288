"""The embedded cluster: the program rkafka-broker, steered by lines of text."""

import subprocess
import threading

# What the page may ask for. Everything else that rkafka-broker understands is for tests.
FAULTS = {"down", "up", "drop", "freeze", "unfreeze", "rtt", "fail-over", "throttle", "push-errors", "clear-errors"}


class Cluster:
    """Starts the program; `bootstrap` is what a client wants. close() ends it."""

    def __init__(self, program, brokers=3, partitions=6):
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [program, "--control", "--listen", "127.0.0.1:0", "--brokers", str(brokers), "--partitions", str(partitions),
             "--discard"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        line = self._process.stdout.readline()
        if not line.startswith("listening on "):
            self.close()
            raise SystemExit(f"{program} did not start")
        self.bootstrap = line.split()[2]
        self.brokers = list(range(1, brokers + 1))
        self.down = set()
        self.delay = {}

    def command(self, line):
        """Has one command carried out; its answer. ValueError with what is wrong with it."""
        with self._lock:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline().strip()
        if not answer.startswith("ok"):
            raise ValueError(answer or "the embedded broker has ended")
        return answer[2:].strip()

    def fault(self, command, arguments):
        """A command of FAULTS, from the page."""
        words = [str(a) for a in arguments]
        if command not in FAULTS or not all(w.lstrip("-").replace("*", "").isalnum() for w in words):
            raise ValueError(f"no such fault: {command} {' '.join(words)}")
        answer = self.command(" ".join([command, *words]))
        chosen = self.brokers if words[:1] == ["-1"] else [int(w) for w in words[:1] if w.isdigit()]
        if command == "down":
            self.down.update(chosen)
            # As a real cluster does when a broker is lost.
            self.command("fail-over")
        elif command == "up":
            self.down.difference_update(chosen)
        elif command == "rtt":
            self.delay.update({b: int(words[1]) for b in chosen})
        return answer

    def state(self):
        return [{"id": b, "down": b in self.down, "delay_ms": self.delay.get(b, 0)} for b in self.brokers]

    def close(self):
        if self._process.poll() is None:
            self._process.stdin.close()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.stdout.close()
