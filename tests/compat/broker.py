"""The embedded broker as a program, steered through its standard input (`rkafka-broker --control`)."""

import subprocess
import threading


class Broker:
    """One cluster. Thread-safe: each command is answered before the next is sent."""

    def __init__(self, path, brokers=1, release="newest"):
        self.process = subprocess.Popen([path, "--listen", "127.0.0.1:0", "--brokers", str(brokers),
                                         "--release", release, "--control"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.lock = threading.Lock()
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            raise RuntimeError(f"the broker said {line!r}")
        self.bootstrap = line.split()[-1]

    def do(self, command):
        """Carries out a command; what it answers, as text."""
        with self.lock:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline().strip()
        verdict, _, rest = answer.partition(" ")
        if verdict != "ok":
            raise RuntimeError(f"broker: {command}: {answer}")
        return rest

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # The end of its input is the end of the program.
        self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
