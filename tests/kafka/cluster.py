#!/usr/bin/env python3
"""Runs a real Apache Kafka cluster on loopback for tests, from Maven Central's jars.

  cluster.py up [N]        a fresh cluster of N nodes (1..9, default 1), each broker and controller
                           (KRaft); prints the bootstrap string once every broker knows all N
  cluster.py kill I        end node I at once (SIGKILL)
  cluster.py stop I        shut node I down in order (SIGTERM)
  cluster.py start I       start node I again on the data it has
  cluster.py freeze I      stop node I where it stands (SIGSTOP): its sockets stay open and silent
  cluster.py thaw I        let node I go on (SIGCONT)
  cluster.py down          end every node; data and logs stay until the next `up`
  cluster.py status        one line per node: number, state, pid, port, memory
  cluster.py bootstrap     the bootstrap string
  cluster.py tool CLASS …  run a command line tool of Kafka, as `tool TopicCommand --list`

Options: --dir DIR (build/kafka), --version V (4.3.1), --set NAME=VALUE (a broker setting for `up`, may be
repeated). Needs Java 17 or newer, and for the first `up` Maven, which fetches some 45 MB into
build/kafka-libs. Everything stays on 127.0.0.1. The class Cluster is the same for Python.
"""
import argparse
import base64
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
VERSION = "4.3.1"
HOST = "127.0.0.1"
START_TIMEOUT_S = 90
END_TIMEOUT_S = 30


class ClusterError(Exception):
    pass


def free_ports(count):
    """Ports below the range the kernel hands out to clients: one taken from there could be lost to
    somebody's outgoing connection while a node is down."""
    found = []
    while len(found) < count:
        port = random.randrange(15000, 32000)
        with socket.socket() as s:
            try:
                s.bind((HOST, port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


def brokers_known(port):
    """How many live brokers the one at `port` knows, None if it does not answer. A Metadata v1
    request for no topics, by hand: quicker than any tool."""
    try:
        with socket.create_connection((HOST, port), timeout=2) as s:
            body = struct.pack(">hhihi", 3, 1, 1, -1, 0)
            s.sendall(struct.pack(">i", len(body)) + body)
            answer = b""
            while len(answer) < 12:
                part = s.recv(12 - len(answer))
                if not part:
                    return None
                answer += part
        return struct.unpack(">i", answer[8:12])[0]
    except OSError:
        return None


class Cluster:
    def __init__(self, directory=None, version=VERSION, log=sys.stderr):
        self.dir = os.path.abspath(directory or os.path.join(ROOT, "build", "kafka"))
        self.version = version
        self.libs = os.path.join(ROOT, "build", "kafka-libs", version)
        self.log = log
        self.jvm = ()  # further options of the nodes' virtual machines
        self.children = {}  # pid -> Popen of the nodes that this process has started

    # ---- files ----

    def path(self, node, *names):
        return os.path.join(self.dir, f"node{node}", *names)

    def read(self, node, name):
        try:
            with open(self.path(node, name)) as f:
                return f.read().strip()
        except FileNotFoundError:
            return None

    def nodes(self):
        return [i for i in range(1, 10) if os.path.exists(self.path(i, "server.properties"))]

    def need(self, node):
        if node not in self.nodes():
            raise ClusterError(f"no node {node} in {self.dir}")

    def port(self, node):
        return int(self.read(node, "port"))

    def proxied_port(self, node):
        """Where the listener that is advertised elsewhere (see `up`) really is."""
        return int(self.read(node, "proxied_port"))

    def bootstrap(self, listener=None):
        if not self.nodes():
            raise ClusterError(f"no cluster in {self.dir}")
        file = f"port.{listener}" if listener else "port"
        return ",".join(f"{HOST}:{self.read(i, file)}" for i in self.nodes())

    # ---- java ----

    def fetch(self):
        if os.path.exists(os.path.join(self.libs, "complete")):
            return
        print(f"fetching Kafka {self.version} from Maven Central", file=self.log, flush=True)
        subprocess.run(["mvn", "-q", "-B", "-ntp", "-f", os.path.join(HERE, "pom.xml"),
                        "dependency:copy-dependencies", f"-DoutputDirectory={self.libs}",
                        f"-Dkafka.version={self.version}"], check=True, stdout=sys.stderr)
        open(os.path.join(self.libs, "complete"), "w").close()

    def java(self, *args):
        return ["java", "-XX:-UsePerfData", "-XX:+UseSerialGC",
                f"-Dlog4j2.configurationFile={os.path.join(HERE, 'log4j2.properties')}",
                "-cp", os.path.join(self.libs, "*"), *args]

    def tool_command(self, name, *args):
        """The command line of a tool. Only the first compiler: tools end before the second pays."""
        self.fetch()
        cls = name if name.startswith(("org.", "kafka.")) else f"org.apache.kafka.tools.{name}"
        java = self.java(cls, *args)
        return java[:1] + ["-Xmx256m", "-XX:TieredStopAtLevel=1"] + java[1:]

    # ---- processes ----

    def pid(self, node):
        """The pid of the node if that process is really it and still runs."""
        pid = self.read(node, "pid")
        if not pid:
            return None
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if self.path(node, "server.properties").encode() in f.read().split(b"\0"):
                    return int(pid)
        except OSError:
            pass
        return None

    def running(self):
        return [i for i in self.nodes() if self.pid(i)]

    def launch(self, node):
        tmp = self.path(node, "tmp")  # the codecs unpack native libraries there
        os.makedirs(tmp, exist_ok=True)
        with open(self.path(node, "stdout.log"), "ab") as out:
            child = subprocess.Popen(
                self.java("-Xmx400m", f"-Djava.io.tmpdir={tmp}", f"-Drkafka.log={self.path(node, 'server.log')}",
                          "-Drkafka.appender=node", "-Drkafka.level=INFO", *self.jvm,
                          "kafka.Kafka", self.path(node, "server.properties")),
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        self.children[child.pid] = child
        with open(self.path(node, "pid"), "w") as f:
            f.write(str(child.pid))
        # For an instant after exec the command line reads as empty.
        while not self.pid(node) and child.poll() is None:
            time.sleep(0.01)

    def wait_ready(self, node, count):
        end = time.monotonic() + START_TIMEOUT_S
        while (brokers_known(self.port(node)) or 0) < count:
            if not self.pid(node):
                raise ClusterError(f"node {node} has ended; see {self.path(node, 'server.log')}")
            if time.monotonic() > end:
                raise ClusterError(f"node {node} is not ready; see {self.path(node, 'server.log')}")
            time.sleep(0.1)

    def end(self, node, sig):
        """Signals a node and waits until its last thread has gone, for only then its ports are free."""
        self.need(node)
        pid = self.pid(node)
        if not pid:
            return
        os.kill(pid, sig)
        end = time.monotonic() + END_TIMEOUT_S
        while self.has_threads(pid):
            if time.monotonic() > end:
                raise ClusterError(f"node {node} (pid {pid}) did not end on {sig.name}")
            time.sleep(0.02)
        child = self.children.pop(pid, None)
        if child:
            child.wait()

    @staticmethod
    def has_threads(pid):
        try:
            tasks = os.listdir(f"/proc/{pid}/task")
        except OSError:
            return False
        for task in tasks:
            try:
                with open(f"/proc/{pid}/task/{task}/stat") as f:
                    if f.read().rsplit(")", 1)[1].split()[0] not in "ZX":
                        return True
            except OSError:
                pass
        return False

    # ---- commands ----

    def properties(self, node, count, ports, proxied, listeners, settings):
        copies, in_sync = min(count, 3), min(count, 2)
        voters = ",".join(f"{i + 1}@{HOST}:{ports[count + i]}" for i in range(count))
        props = {
            "process.roles": "broker,controller",
            "node.id": node,
            "controller.quorum.voters": voters,
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listeners": f"PLAINTEXT://{HOST}:{ports[node - 1]},CONTROLLER://{HOST}:{ports[count + node - 1]}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{ports[node - 1]}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self.path(node, "data"),
            "num.partitions": 1,
            "default.replication.factor": copies,
            "min.insync.replicas": in_sync,
            "auto.create.topics.enable": "true",
            "unclean.leader.election.enable": "false",
            "offsets.topic.replication.factor": copies,
            "offsets.topic.num.partitions": 3,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": in_sync,
            "transaction.state.log.num.partitions": 3,
            "group.initial.rebalance.delay.ms": 0,
            # A dead broker is noticed after 3 s instead of 9, so that failovers are quick.
            "broker.heartbeat.interval.ms": 500,
            "broker.session.timeout.ms": 3000,
            # Its default of 128 MiB would take a third of the heap.
            "log.cleaner.dedupe.buffer.size": 8 << 20,
            # A deleted topic's files go after 1 s, not a minute.
            "log.segment.delete.delay.ms": 1000,
            "num.io.threads": 4,
        }
        if proxied:
            props["listeners"] += f",PROXIED://{HOST}:{ports[2 * count + node - 1]}"
            props["advertised.listeners"] += f",PROXIED://{HOST}:{proxied[node - 1]}"
            props["listener.security.protocol.map"] += ",PROXIED:PLAINTEXT"
        for name, protocol in listeners.items():
            at = f",{name}://{HOST}:{self.read(node, f'port.{name}')}"
            props["listeners"] += at
            props["advertised.listeners"] += at
            props["listener.security.protocol.map"] += f",{name}:{protocol}"
        props.update(settings)
        return "".join(f"{k}={v}\n" for k, v in props.items())

    def up(self, count=1, settings=(), proxied=(), listeners=(), format_args=()):
        """A fresh cluster; returns the bootstrap string. `settings`: broker properties, a dict. `proxied`: a port for
        each node; clients that come by a second listener, at proxied_port(node), are told to connect there.
        `listeners`: further ones, name to security protocol, at bootstrap(name). `format_args`: of the storage tool."""
        listeners = dict(listeners)
        if not 1 <= count <= 9:
            raise ClusterError("1 to 9 nodes")
        if self.running():
            raise ClusterError(f"a cluster is up already in {self.dir}")
        self.fetch()
        for node in self.nodes():
            subprocess.run(["rm", "-rf", self.path(node)], check=True)
        ports = free_ports((3 + len(listeners)) * count)
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "a")
        formats = []
        for node in range(1, count + 1):
            os.makedirs(self.path(node))
            with open(self.path(node, "port"), "w") as f:
                f.write(str(ports[node - 1]))
            with open(self.path(node, "proxied_port"), "w") as f:
                f.write(str(ports[2 * count + node - 1]))
            for i, name in enumerate(listeners, 3):
                with open(self.path(node, f"port.{name}"), "w") as f:
                    f.write(str(ports[i * count + node - 1]))
            with open(self.path(node, "server.properties"), "w") as f:
                f.write(self.properties(node, count, ports, proxied, listeners, dict(settings)))
            with open(self.path(node, "format.log"), "w") as out:
                formats.append(subprocess.Popen(
                    self.tool_command("kafka.tools.StorageTool", "format", "--cluster-id", cluster_id,
                                      "--config", self.path(node, "server.properties"), *format_args),
                    stdout=out, stderr=out))
        for node, process in enumerate(formats, 1):
            if process.wait() != 0:
                raise ClusterError(f"formatting node {node} failed:\n{self.read(node, 'format.log')}")
        for node in range(1, count + 1):
            self.launch(node)
        for node in range(1, count + 1):
            self.wait_ready(node, count)
        return self.bootstrap()

    def start(self, node):
        self.need(node)
        if self.pid(node):
            raise ClusterError(f"node {node} is running")
        self.launch(node)
        self.wait_ready(node, len(self.running()))

    def stop(self, node):
        self.end(node, signal.SIGTERM)

    def kill(self, node):
        self.end(node, signal.SIGKILL)

    def freeze(self, node):
        self.signal(node, signal.SIGSTOP)

    def thaw(self, node):
        self.signal(node, signal.SIGCONT)

    def signal(self, node, sig):
        self.need(node)
        pid = self.pid(node)
        if not pid:
            raise ClusterError(f"node {node} is not running")
        os.kill(pid, sig)

    def down(self):
        # In order would not do: a node waits for a controller majority before it ends.
        for node in self.nodes():
            self.kill(node)

    def status(self):
        lines = []
        for node in self.nodes():
            pid = self.pid(node)
            memory = ""
            if pid:
                with open(f"/proc/{pid}/status") as f:
                    kib = next((int(x.split()[1]) for x in f if x.startswith("VmRSS:")), 0)
                memory = f"{kib // 1024} MiB"
            lines.append(f"{node} {'up' if pid else 'down'} {pid or '-'} {self.port(node)} {memory or '-'}")
        return "\n".join(lines)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--dir")
    p.add_argument("--version", default=os.environ.get("KAFKA_VERSION", VERSION))
    p.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    p.add_argument("command", choices="up kill stop start freeze thaw down status bootstrap tool".split())
    p.add_argument("args", nargs=argparse.REMAINDER)
    a = p.parse_args()
    cluster = Cluster(a.dir, a.version)
    try:
        if a.command == "up":
            print(cluster.up(int(a.args[0]) if a.args else 1, dict(s.split("=", 1) for s in a.set)))
        elif a.command in ("kill", "stop", "start", "freeze", "thaw"):
            if len(a.args) != 1:
                p.error(f"{a.command} needs the number of a node")
            getattr(cluster, a.command)(int(a.args[0]))
        elif a.command == "tool":
            if not a.args:
                p.error("tool needs a class")
            command = cluster.tool_command(*a.args)
            os.execvp(command[0], command)
        else:
            result = getattr(cluster, a.command)()
            if result:
                print(result)
    except (ClusterError, subprocess.CalledProcessError, OSError) as e:
        sys.exit(f"cluster.py: {e}")


if __name__ == "__main__":
    main()
