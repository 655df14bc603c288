"""The processes of a measurement: the brokers and the bench programs."""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build", "bench")


class Sink:
    """The accepting broker as a process; `totals` is its own account once it has ended."""

    def __init__(self, partitions):
        self.totals = None
        self.process = subprocess.Popen([os.path.join(BUILD, "sink"), "--partitions", str(partitions)],
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline().split()
        if line[:1] != ["listening"]:
            self.process.kill()
            raise SystemExit("bench: the sink did not start")
        self.address = line[1]
        self.settings = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=10)
        self.totals = json.loads(out)


class Embedded:
    """The embedded broker as a process that keeps nothing; with TLS, behind a certificate made for the occasion."""

    def __init__(self, partitions, brokers=1, tls=False):
        self.totals = None
        self.directory = tempfile.mkdtemp()
        args = [os.path.join(BUILD, "rkafka-broker"), "--listen", "127.0.0.1:0", "--discard", "--control", "--brokers",
                str(brokers), "--topic", f"bench:{partitions}"]
        self.settings = []
        if tls:
            key, certificate = (os.path.join(self.directory, name) for name in ("key.pem", "cert.pem"))
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                            "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost", "-addext",
                            "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, stderr=subprocess.DEVNULL)
            args += ["--tls-cert", certificate, "--tls-key", key]
            self.settings = ["-X", "security.protocol=ssl", "-X", f"ssl.ca.location={certificate}"]
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.address = None
        for line in self.process.stdout:
            words = line.split()
            found = [w for w in words if w.startswith("127.0.0.1:")]
            if found:
                self.address = found[0].strip(",.;")
                break
        if not self.address:
            raise SystemExit("bench: the embedded broker did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        out, err = self.process.communicate(timeout=20)  # it ends at the end of its input
        found = re.search(r"produced in all: (\d+) records", out + err)
        if found:  # it refuses batches whose checksum or sequence is wrong
            self.totals = {"records": int(found.group(1)), "bad_crc": 0, "bad_seq": 0}
        shutil.rmtree(self.directory, ignore_errors=True)


def command(library, broker, count, args, extra=()):
    return [os.path.join(BUILD, library), "--bootstrap", broker.address, "--count", str(count), *args,
            *broker.settings, *extra]


def run(library, broker, count, args, stderr=None):
    """One run of a bench program; its line of figures, or what went wrong."""
    done = subprocess.run(command(library, broker, count, args), stdout=subprocess.PIPE, stderr=stderr, text=True,
                          timeout=300)
    if done.returncode != 0:
        raise SystemExit(f"bench: {library} {' '.join(args)} failed: {done.stdout}")
    return json.loads(done.stdout)


def check_totals(library, what, count, totals):
    """Ends the benchmark unless the broker took exactly `count` messages, all of them sound."""
    if not totals or totals["records"] != count or totals["bad_crc"] or totals["bad_seq"]:
        raise SystemExit(f"bench: {library}, '{what}': the broker took {totals} of {count} messages")
