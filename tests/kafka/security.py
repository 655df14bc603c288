#!/usr/bin/env python3
"""TLS and SASL against a real Apache Kafka: the second part of `make test-kafka`.

One node with a listener for each protocol; certificates are made here, at test time. Every row of the matrix is a producer
of its own (c-tests/e2e_producer.c): with the right credential each of its messages must be in the log, with a wrong one
none, and the text that it logs must say what is wrong. Then short sessions (connections.max.reauth.ms),
through which no message may be lost, doubled or reordered. Prints a table.

Needs Java 17, Maven, openssl, and the Python package confluent-kafka.
"""
import argparse
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field

import cluster as kafka
from clients import NOT_PERSISTED, Failure, Message, Producing, Topics, check_log, check_order, expect, read_confluent

sys.path.append(os.path.join(kafka.ROOT, "tests"))
from certificates import authority, openssl  # noqa: E402: of the folder above
from tokens import AUDIENCE, ENDPOINT_AUDIENCE, TokenEndpoint  # noqa: E402

LISTENERS = {"SSL": "SSL", "MTLS": "SSL", "OTHERNAME": "SSL", "SASL_PLAINTEXT": "SASL_PLAINTEXT", "SASL_SSL": "SASL_SSL",
             "PLAINONLY": "SASL_PLAINTEXT", "REAUTH": "SASL_SSL", "OIDC": "SASL_SSL"}
USER, PASSWORD, KEY_PASSWORD, CLIENT_SECRET = "alice", "alice-secret", "of the key", "client-secret"
MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]
MESSAGES = 100
# Enough for a refusal and its second attempt on a machine that is busy.
REFUSED_AFTER_MS = 10000
# Kafka lets a connection authenticate again once a second at most; a client does so when 85 to 95 % of a session are over.
SESSION_MS, SESSIONS = 1500, 4
TIMED_OUT = -192


# ---- the broker ----

def broker_settings(folder, ca, issue, jwks):
    def store(name, hosts):
        certificate, key = issue(name, hosts)
        path = os.path.join(folder, f"{name}-store.pem")
        with open(path, "w", encoding="utf-8") as out:
            for part in (key, certificate, ca):
                with open(part, encoding="utf-8") as f:
                    out.write(f.read())
        return path

    package = "org.apache.kafka.common.security"
    jaas = {
        "plain": f'{package}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
        "scram-sha-256": f"{package}.scram.ScramLoginModule required;",
        "scram-sha-512": f"{package}.scram.ScramLoginModule required;",
        "oauthbearer": f'{package}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker" '
                       'unsecuredValidatorRequiredScope="produce";',
    }
    settings = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": store("broker", f"IP:{kafka.HOST}"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": ca,
        "listener.name.mtls.ssl.client.auth": "required",
        "listener.name.othername.ssl.keystore.type": "PEM",
        "listener.name.othername.ssl.keystore.location": store("elsewhere", "DNS:elsewhere.example"),
        "sasl.enabled.mechanisms": ",".join(MECHANISMS),
        "listener.name.plainonly.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.plainonly.plain.sasl.jaas.config": jaas["plain"],
    }
    for listener in ("sasl_plaintext", "sasl_ssl", "reauth"):
        for mechanism, line in jaas.items():
            settings[f"listener.name.{listener}.{mechanism}.sasl.jaas.config"] = line
    # Tokens of an endpoint, their signatures checked; everywhere else they are unsecured ones.
    settings["listener.name.oidc.sasl.enabled.mechanisms"] = "OAUTHBEARER"
    settings["listener.name.oidc.oauthbearer.sasl.jaas.config"] = (
        f'{package}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";')
    settings["listener.name.oidc.oauthbearer.sasl.server.callback.handler.class"] = (
        f"{package}.oauthbearer.OAuthBearerValidatorCallbackHandler")
    settings["sasl.oauthbearer.jwks.endpoint.url"] = f"file://{jwks}"
    settings["sasl.oauthbearer.expected.audience"] = AUDIENCE
    for mechanism in jaas:
        settings[f"listener.name.reauth.{mechanism}.connections.max.reauth.ms"] = SESSION_MS
    return settings


def storage_arguments():
    return [x for m in MECHANISMS if m.startswith("SCRAM") for x in
            ("--add-scram", f"{m}=[name={USER},password={PASSWORD}]")]


# ---- the matrix ----

@dataclass
class Row:
    protocol: str
    mechanism: str
    credential: str
    listener: str
    settings: dict
    refused: str | None = None  # what the log must say; None: every message must arrive
    outcome: str = ""
    faults: list = field(default_factory=list)

    @property
    def right(self):
        return self.refused is None

    @property
    def name(self):
        return f"{self.protocol}/{self.listener}/{self.mechanism}/{self.credential}"


def sasl(mechanism, user=USER, password=PASSWORD, scope="produce", life=3600):
    if mechanism == "OAUTHBEARER":
        return {"sasl.mechanisms": mechanism, "enable.sasl.oauthbearer.unsecure.jwt": "true",
                "sasl.oauthbearer.config": f"principal={user} scope={scope} lifeSeconds={life}"}
    return {"sasl.mechanisms": mechanism, "sasl.username": user, "sasl.password": password}


def token_endpoint(folder, issue):
    """The endpoint, and keys to sign assertions with: of RSA and of P-256, which it knows, and a stranger's."""
    certificate, key = issue("endpoint", f"IP:{kafka.HOST}")
    rsa, signing = issue("assertions")[1], issue("tokens")[1]
    ec, stranger = os.path.join(folder, "assertions-ec.key"), issue("stranger")[1]
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", ec)
    for k in (rsa, ec):
        openssl("pkey", "-in", k, "-pubout", "-out", k + ".pub")
    endpoint = TokenEndpoint(folder, certificate, key, signing, USER, CLIENT_SECRET, [rsa + ".pub", ec + ".pub"])
    return endpoint, {"RS256": rsa, "ES256": ec, "stranger": stranger}


def oidc_rows(add, ca, endpoint, keys):
    base = {"ssl.ca.location": ca, "https.ca.location": ca, "sasl.mechanisms": "OAUTHBEARER",
            "sasl.oauthbearer.method": "oidc", "sasl.oauthbearer.token.endpoint.url": endpoint.url}

    def client(secret=CLIENT_SECRET, **more):
        return {**base, "sasl.oauthbearer.client.id": USER, "sasl.oauthbearer.client.secret": secret, **more}

    def assertion(key, algorithm):
        return {**base, "sasl.oauthbearer.grant.type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
                "sasl.oauthbearer.assertion.algorithm": algorithm,
                "sasl.oauthbearer.assertion.private.key.file": keys[key],
                "sasl.oauthbearer.assertion.claim.aud": ENDPOINT_AUDIENCE}

    add("sasl_ssl", "OIDC credentials", "right", "OIDC", client())
    add("sasl_ssl", "OIDC credentials", "wrong secret", "OIDC", client("guess"), "invalid_client.*client.secret")
    add("sasl_ssl", "OIDC credentials", "token for another", "OIDC", client(**{"sasl.oauthbearer.scope": "another"}),
        "authentication error.*audience")
    for algorithm in ("RS256", "ES256"):
        add("sasl_ssl", "OIDC JWT-bearer", f"right, {algorithm}", "OIDC", assertion(algorithm, algorithm))
    add("sasl_ssl", "OIDC JWT-bearer", "stranger's key", "OIDC", assertion("stranger", "RS256"), "signed by nobody known")


def matrix(folder, ca, issue, tokens):
    other_ca, other_issue = authority(folder, "other-ca")

    def identity(certificate, key):
        return {"ssl.certificate.location": certificate, "ssl.key.location": key}

    def text(path):
        with open(path, encoding="utf-8") as f:
            return f.read()

    mine, stranger = issue("client"), other_issue("client")
    encrypted = os.path.join(folder, "client-encrypted.key")
    openssl("pkcs8", "-topk8", "-in", mine[1], "-out", encrypted, "-passout", f"pass:{KEY_PASSWORD}")
    trust = {"ssl.ca.location": ca}
    rows = []

    def add(protocol, mechanism, credential, listener, settings, refused=None):
        rows.append(Row(protocol, mechanism, credential, listener, {"security.protocol": protocol, **settings}, refused))

    for version in ("TLS 1.3", "TLS 1.2"):
        suites = {} if version == "TLS 1.3" else {"ssl.cipher.suites": "ECDHE-RSA-AES256-GCM-SHA384"}
        add("ssl", version, "right CA", "SSL", {**trust, **suites})
    add("ssl", "", "CA as PEM string", "SSL", {"ssl.ca.pem": text(ca)})
    add("ssl", "", "wrong CA", "SSL", {"ssl.ca.location": other_ca}, "no trusted CA.*ssl.ca.location")
    add("ssl", "", "wrong CA, no verification", "SSL",
        {"ssl.ca.location": other_ca, "enable.ssl.certificate.verification": "false"})
    add("ssl", "", "wrong host name", "OTHERNAME", trust, f"for elsewhere.example, not for {kafka.HOST}")
    add("ssl", "", "wrong host name, not asked", "OTHERNAME", {**trust, "ssl.endpoint.identification.algorithm": "none"})
    add("ssl", "mutual TLS", "right certificate", "MTLS", {**trust, **identity(*mine)})
    add("ssl", "mutual TLS", "encrypted key", "MTLS",
        {**trust, **identity(mine[0], encrypted), "ssl.key.password": KEY_PASSWORD})
    add("ssl", "mutual TLS", "PEM strings", "MTLS",
        {**trust, "ssl.certificate.pem": text(mine[0]), "ssl.key.pem": text(mine[1])})
    add("ssl", "mutual TLS", "no certificate", "MTLS", trust, "certificate.*ssl.certificate.location")
    add("ssl", "mutual TLS", "stranger's certificate", "MTLS", {**trust, **identity(*stranger)}, "client.s? certificate")
    for protocol, tls in (("sasl_plaintext", {}), ("sasl_ssl", trust)):
        for mechanism in MECHANISMS:
            add(protocol, mechanism, "right", protocol.upper(), {**tls, **sasl(mechanism)})
            if mechanism == "OAUTHBEARER":
                add(protocol, mechanism, "token without scope", protocol.upper(), {**tls, **sasl(mechanism, scope="read")},
                    "authentication error.*scope")
            else:
                add(protocol, mechanism, "wrong password", protocol.upper(),
                    {**tls, **sasl(mechanism, password="guess")}, "authentication error.*sasl.password")
                add(protocol, mechanism, "unknown user", protocol.upper(), {**tls, **sasl(mechanism, user="mallory")},
                    "authentication error.*sasl.username")
    add("sasl_ssl", "PLAIN", "right, wrong CA", "SASL_SSL", {"ssl.ca.location": other_ca, **sasl("PLAIN")},
        "no trusted CA")
    add("sasl_plaintext", "SCRAM-SHA-256", "mechanism not offered", "PLAINONLY", sasl("SCRAM-SHA-256"),
        "does not have the mechanism SCRAM-SHA-256.*: PLAIN")
    oidc_rows(add, ca, *tokens)
    add("plaintext", "", "at a TLS port", "SSL", {}, "TLS|security.protocol")
    add("ssl", "", "at a plaintext port", None, trust, "security.protocol")
    add("plaintext", "", "at a SASL port", "SASL_PLAINTEXT", {}, "security.protocol|SASL")
    add("sasl_plaintext", "PLAIN", "at a plaintext port", None, sasl("PLAIN"), "SASL|security.protocol")
    return rows


def run_matrix(cluster, topic, rows, a, folder):
    """All rows at once: they wait for their refusals side by side."""
    running = []
    for i, row in enumerate(rows):
        log = open(os.path.join(folder, f"row{i}.log"), "w+b")
        wait = {"message.timeout.ms": 60000 if row.right else REFUSED_AFTER_MS}
        p = Producing(a.program, cluster.bootstrap(row.listener), {**row.settings, **wait}, log=log)
        p.feed(Message(topic, 0, row.name.encode(), b"%d" % n) for n in range(MESSAGES))
        running.append((row, p, log))
    for row, p, log in running:
        try:
            p.finish()
        except Failure as e:
            p.abandon()
            row.faults.append(str(e))
        log.seek(0)
        said = log.read().decode(errors="replace")
        log.close()
        judge(row, p, said)
    records = [r for r in read_confluent(cluster.bootstrap(), topic) if r.key]
    for row, p, _ in running:
        values = [r.value for r in records if r.key == row.name.encode()]
        wanted = sorted(b"%d" % n for n in range(MESSAGES)) if row.right else []
        if sorted(values) != wanted:
            row.faults.append(f"{len(values)} messages in the log instead of {len(wanted)}")
        if PASSWORD.encode() in b"".join(values):
            row.faults.append("the password is in the log")


def judge(row, p, said):
    """What the reports and the producer's log lines say of a row."""
    for secret in (PASSWORD, KEY_PASSWORD, CLIENT_SECRET, "PRIVATE KEY"):
        if secret in said:
            row.faults.append(f"a secret in the producer's log: {said[-300:]}")
    if row.right:
        row.outcome = f"{len(p.delivered())} delivered"
        if len(p.delivered()) != MESSAGES:
            row.faults.append(f"{list(p.failed().values())[:1]} {said[-500:]}")
        return
    refusals = [line for line in said.splitlines() if re.search(row.refused, line)]
    row.outcome = "refused" if refusals else "?"
    if not refusals:
        row.faults.append(f"no line like /{row.refused}/ in: {said[-700:]}")
    wrong = [r for r in p.reports.values() if r["err"] != TIMED_OUT or r["status"] != NOT_PERSISTED]
    if wrong or len(p.reports) != MESSAGES:
        row.faults.append(f"{len(p.reports)} reports, {wrong[:2]}")


# ---- re-authentication ----

def run_sessions(cluster, topics, ca, a, folder):
    """Kafka ends a connection that goes on beyond its session."""
    rows, running = [], []
    for mechanism in MECHANISMS:
        topic = topics.create(f"sessions-{mechanism}", 3)
        row = Row("sasl_ssl", mechanism, "sessions end", "REAUTH", {"security.protocol": "sasl_ssl", "ssl.ca.location": ca,
                                                                     **sasl(mechanism), "debug": "security,broker",
                                                                     "enable.idempotence": "true", "linger.ms": 1})
        log = open(os.path.join(folder, f"sessions-{mechanism}.log"), "w+b")
        p = Producing(a.program, cluster.bootstrap("REAUTH"), row.settings, log=log)
        rows.append(row)
        running.append((row, p, log, topic))
    end, number = time.monotonic() + (SESSIONS + 1.5) * SESSION_MS / 1000, 0
    while time.monotonic() < end:
        for _, p, _, topic in running:
            p.feed(Message(topic, n % 3, b"key-%d" % n, b"%d" % n) for n in range(number, number + 100))
        number += 100
        time.sleep(0.02)
    for row, p, log, topic in running:
        try:
            p.finish().expect_all_delivered()
            check_log(p, read_confluent(cluster.bootstrap(), topic))
            check_order(p)
            log.seek(0)
            said = log.read().decode(errors="replace")
            # Of the node's connection; a bootstrap one is closed when it is not needed any more.
            times = len(re.findall(r"/1: authenticated, session lifetime", said))
            connections = len(re.findall(r"/1: connected to ", said))
            row.outcome = f"{len(p.sent)} in order, {times} authentications, connections: {connections}"
            # Without a renewal each session would cost one. A machine that stands still for a tenth of a second at the wrong
            # moment may cost one, too: the session's end is met in its last 5 to 15 %.
            expect(connections <= 2, f"{connections} connections\n{said[-2000:]}")
            expect("does not let this connection authenticate again" not in said, said[-2000:])
            expect(times >= SESSIONS + 1, f"only {times} authentications")
            expect(PASSWORD not in said, "the password is in the producer's log")
        except Failure as e:
            p.abandon()
            row.faults.append(str(e))
        finally:
            log.close()
    return rows


# ---- running ----

def table(rows):
    lines = [("protocol", "mechanism", "credential", "outcome", "")]
    lines += [(r.protocol, r.mechanism, r.credential, r.outcome, "FAIL" if r.faults else "ok") for r in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(5)]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths)).rstrip() for line in lines)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--program", default=os.path.join(kafka.ROOT, "build", "e2e", "e2e_producer"))
    p.add_argument("--dir", default=os.path.join(kafka.ROOT, "build", "kafka-security"), help="where the cluster keeps its data")
    p.add_argument("--keep", action="store_true", help="leave the cluster running")
    a = p.parse_args()
    begin = time.monotonic()
    folder = os.path.join(a.dir, "files")
    cluster = kafka.Cluster(a.dir)
    cluster.down()
    subprocess.run(["rm", "-rf", folder], check=True)
    os.makedirs(folder)
    ca, issue = authority(folder, "ca")
    try:
        tokens = token_endpoint(folder, issue)
        jwks = tokens[0].jwks
        cluster.jvm = (f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.files={jwks}",
                       f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=file://{jwks}")
        cluster.up(1, broker_settings(folder, ca, issue, jwks), listeners=LISTENERS, format_args=storage_arguments())
        topics = Topics(cluster.bootstrap())
        rows = matrix(folder, ca, issue, tokens)
        run_matrix(cluster, topics.create("matrix", 1), rows, a, folder)
        rows += run_sessions(cluster, topics, ca, a, folder)
    finally:
        if not a.keep:
            cluster.down()
    print(table(rows))
    failed = [r for r in rows if r.faults]
    for row in failed:
        print(f"FAIL {row.name}: " + "\n     ".join(f.replace("\n", "\n     ") for f in row.faults))
    print(f"\n{len(rows) - len(failed)} of {len(rows)} rows as they should be, {time.monotonic() - begin:.0f} s")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
