#!/usr/bin/env python3
"""Independent Kafka clients against the embedded broker's TLS and SASL.

    python3 tests/mock_security.py path/to/rkafka-broker

Needs openssl, kcat (Debian packages) and confluent-kafka (PyPI). For each protocol and mechanism both clients must come in
with the right credential, and must not with a wrong one. Ends with a non-zero code at the first mismatch.
"""

import shutil
import subprocess
import sys
import tempfile
import time

from confluent_kafka import KafkaError, Producer

from certificates import authority
from mock_clients import Broker, check, fail

MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]
USER, PASSWORD = "alice", "wonder=land,x"


def credential(mechanism, user, password):
    if mechanism == "OAUTHBEARER":
        return {"sasl.mechanisms": mechanism, "enable.sasl.oauthbearer.unsecure.jwt": "true",
                "sasl.oauthbearer.config": f"principal={user}"}
    return {"sasl.mechanisms": mechanism, "sasl.username": user, "sasl.password": password}


def confluent(bootstrap, topic, conf, expected):
    """Produces 100 messages; `expected` is None, or the error that must come instead."""
    seen = []
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "message.timeout.ms": 20000, "log_level": 0,
                         "error_cb": lambda e: seen.append(e.code()), **conf})
    delivered = []
    for i in range(100):
        producer.produce(topic, f"value {i}".encode(), on_delivery=lambda err, _: delivered.append(err))
    if expected is None:
        check(f"{topic}: messages left", producer.flush(30), 0)
        check(f"{topic}: delivery errors", [str(e) for e in delivered if e is not None], [])
        return
    deadline = time.monotonic() + 20
    while expected not in seen:
        if time.monotonic() > deadline:
            fail(f"{topic}: {expected} did not come, but {seen}, {len(delivered)} reports")
        producer.poll(0.1)
    producer.purge()
    producer.flush(5)


def kcat(bootstrap, topic, conf, right):
    """Reads what confluent-kafka wrote, or is refused."""
    settings = [x for k, v in conf.items() for x in ("-X", f"{k}={v}")]
    run = subprocess.run(["kcat", "-C", "-b", bootstrap, "-t", topic, "-e", "-q", "-m", "3", *settings],
                         capture_output=True, timeout=60, check=False)
    if right:
        check(f"{topic}: kcat's end ({run.stderr[-300:]!r})", run.returncode, 0)
        check(f"{topic}: messages to kcat", sorted(run.stdout.decode().split("\n"))[1:],
              sorted(f"value {i}" for i in range(100)))
    elif run.returncode == 0 and run.stdout:
        fail(f"{topic}: kcat came in")


def main():
    if len(sys.argv) != 2 or not shutil.which("kcat") or not shutil.which("openssl"):
        fail(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        ca, issue = authority(folder, "ca")
        other_ca, other_issue = authority(folder, "other")
        certificate, key = issue("broker", "IP:127.0.0.1,DNS:localhost")
        mine, my_key = issue("client")
        theirs, their_key = other_issue("client")
        tls = ["--tls-cert", certificate, "--tls-key", key]
        ssl = {"ssl.ca.location": ca}
        own = {"ssl.certificate.location": mine, "ssl.key.location": my_key}

        with Broker(sys.argv[1], *tls) as b:
            conf = {"security.protocol": "ssl", **ssl}
            confluent(b.bootstrap, "tls", conf, None)
            kcat(b.bootstrap, "tls", conf, True)
            confluent(b.bootstrap, "tls", {**conf, "ssl.ca.location": other_ca}, KafkaError._SSL)
            kcat(b.bootstrap, "tls", {**conf, "ssl.ca.location": other_ca}, False)
            print("ok ssl", flush=True)
        with Broker(sys.argv[1], *tls, "--tls-client-ca", ca) as b:
            conf = {"security.protocol": "ssl", **ssl}
            confluent(b.bootstrap, "mutual", {**conf, **own}, None)
            kcat(b.bootstrap, "mutual", {**conf, **own}, True)
            kcat(b.bootstrap, "mutual", conf, False)
            stranger = {"ssl.certificate.location": theirs, "ssl.key.location": their_key}
            kcat(b.bootstrap, "mutual", {**conf, **stranger}, False)
            print("ok ssl with client certificates", flush=True)
        for protocol, flags in [("sasl_plaintext", []), ("sasl_ssl", tls)]:
            with Broker(sys.argv[1], *flags, "--sasl", ",".join(MECHANISMS), "--user", f"{USER}:{PASSWORD}",
                        "--session", "3000") as b:
                for mechanism in MECHANISMS:
                    base = {"security.protocol": protocol, **(ssl if flags else {})}
                    right = {**base, **credential(mechanism, USER, PASSWORD)}
                    wrong = {**base, **credential(mechanism, "mallory", "guess")}
                    topic = f"{protocol}-{mechanism}"
                    confluent(b.bootstrap, topic, right, None)
                    kcat(b.bootstrap, topic, right, True)
                    confluent(b.bootstrap, topic, wrong, KafkaError._AUTHENTICATION)
                    kcat(b.bootstrap, topic, wrong, False)
                    print(f"ok {protocol} {mechanism}", flush=True)
        with Broker(sys.argv[1], "--sasl", "PLAIN", "--user", f"{USER}:{PASSWORD}") as b:
            conf = {"security.protocol": "sasl_plaintext", **credential("SCRAM-SHA-256", USER, PASSWORD)}
            confluent(b.bootstrap, "mechanism", conf, KafkaError._AUTHENTICATION)
            print("ok unknown mechanism", flush=True)
    print("done")


if __name__ == "__main__":
    main()
