#!/usr/bin/env python3
"""A page that shows what a producer does: presets, live charts, faults.

    studio.py [--port 8090] [--bootstrap HOST:PORT] [--broker PROGRAM] [--charts DIRECTORY]

Serves on the loopback interface alone. Without --bootstrap it runs the embedded broker, on which faults can be injected.
"""

import argparse
import json
import os
import queue
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import properties
import rkafka
from cluster import Cluster
from runs import Run

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
MAX_BODY = 1 << 20
MAX_RUNS = 4


class Studio:
    """What the requests share: the cluster, runs under way, the pages that listen."""

    def __init__(self, cluster, bootstrap):
        self.cluster = cluster
        self.bootstrap = bootstrap
        self.properties = properties.read(os.path.join(ROOT, "CONFIGURATION.md"))
        self._lock = threading.Lock()
        self._listeners = set()
        self._runs = {}

    def publish(self, event):
        with self._lock:
            listeners = list(self._listeners)
        for q in listeners:
            try:
                q.put_nowait(event)
            except queue.Full:
                pass  # a page that does not read; samples are in the answer, too

    def listen(self):
        q = queue.Queue(1000)
        with self._lock:
            self._listeners.add(q)
        return q

    def forget(self, q):
        with self._lock:
            self._listeners.discard(q)

    def send(self, request):
        config = properties.configuration(request.get("config") or {})
        preset = request.get("preset")
        if preset is not None:
            if preset not in properties.PRESETS:
                raise ValueError(f"no such preset: {preset}")
            config = {**properties.PRESETS[preset]["config"], **config}
        wrong = properties.errors(config)
        if wrong:
            raise ValueError("; ".join(wrong.values()))
        if config.get("transactional.id") and request.get("label"):
            config["transactional.id"] += f"-{request['label']}"
        with self._lock:
            if len(self._runs) >= MAX_RUNS:
                raise ValueError(f"{MAX_RUNS} runs are under way")
            run = Run(request, config, self.bootstrap, self.publish)
            self._runs[run.number] = run
        try:
            return run.run()
        finally:
            with self._lock:
                del self._runs[run.number]

    def stop(self, request):
        with self._lock:
            runs = [r for n, r in self._runs.items() if request.get("run") in (None, n)]
        for r in runs:
            r.stop()
        return {"stopped": len(runs)}

    def fault(self, request):
        if self.cluster is None:
            raise ValueError("faults can be injected on the embedded broker alone")
        answer = self.cluster.fault(str(request.get("command")), list(request.get("arguments") or []))
        self.publish({"type": "brokers", "brokers": self.cluster.state()})
        return {"answer": answer, "brokers": self.cluster.state()}

    def check(self, request):
        return {"errors": properties.errors(properties.configuration(request.get("config")))}

    def info(self):
        return {"version": rkafka.version(), "bootstrap": self.bootstrap, "presets": properties.PRESETS,
                "brokers": self.cluster.state() if self.cluster else None}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    studio = None
    charts = None

    def _answer(self, code, body, kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:")
        self.end_headers()
        self.wfile.write(data)

    def _local(self):
        """Only pages of this server may ask: names of other hosts could be made to lead here."""
        host = self.headers.get("Host", "").rsplit(":", 1)[0]
        if host in ("127.0.0.1", "localhost", "[::1]"):
            return True
        self._answer(403, {"error": "not a name of this machine"})
        return False

    def do_GET(self):
        if not self._local():
            return
        path = self.path.split("?")[0]
        if path == "/api/events":
            self._events()
        elif path == "/api/info":
            self._answer(200, self.studio.info())
        elif path == "/api/properties":
            self._answer(200, self.studio.properties)
        else:
            self._file(path)

    def _file(self, path):
        name = "index.html" if path == "/" else os.path.basename(path)
        for directory in (os.path.join(HERE, "static"), self.charts):
            full = os.path.join(directory, name)
            kind = TYPES.get(os.path.splitext(name)[1])
            if kind and os.path.isfile(full):
                with open(full, "rb") as f:
                    self._answer(200, f.read(), kind)
                return
        self._answer(404, {"error": "not found"})

    def _events(self):
        """Server-sent events, until the page goes."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        q = self.studio.listen()
        try:
            self.wfile.write(b": hello\n\n")
            while True:
                try:
                    line = f"data: {json.dumps(q.get(timeout=10))}\n\n"
                except queue.Empty:
                    line = ": still here\n\n"
                self.wfile.write(line.encode())
                self.wfile.flush()
        except OSError:
            pass
        finally:
            self.studio.forget(q)

    def do_POST(self):
        if not self._local():
            return
        actions = {"/api/send": self.studio.send, "/api/stop": self.studio.stop, "/api/fault": self.studio.fault,
                   "/api/check": self.studio.check}
        length = self.headers.get("Content-Length", "")
        # What a form of another site could send is not JSON.
        kind = self.headers.get("Content-Type", "").split(";")[0]
        if self.path not in actions or kind != "application/json" or not length.isdigit() or int(length) > MAX_BODY:
            self.close_connection = True
            self._answer(404 if self.path not in actions else 400, {"error": "a JSON document of up to 1 MB is wanted"})
            return
        try:
            request = json.loads(self.rfile.read(int(length)) or b"{}")
            if not isinstance(request, dict):
                raise ValueError("an object is wanted")
            self._answer(200, actions[self.path](request))
        except rkafka.KafkaException as e:
            self._answer(400, {"error": e.args[0].str()})
        except (ValueError, TypeError) as e:
            self._answer(400, {"error": str(e)})

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8090, help="0: any")
    parser.add_argument("--bootstrap", help="a real cluster instead of the embedded broker")
    parser.add_argument("--broker", default=os.path.join(ROOT, "target", "release", "rkafka-broker"))
    parser.add_argument("--brokers", type=int, default=3)
    parser.add_argument("--charts", default=os.path.join(ROOT, "build", "studio", "uplot"), help="where uPlot is")
    args = parser.parse_args()
    # Ends as Ctrl-C does, so that the brokers are not left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cluster = None if args.bootstrap else Cluster(args.broker, args.brokers)
    Handler.studio = Studio(cluster, args.bootstrap or cluster.bootstrap)
    Handler.charts = args.charts
    server = Server(("127.0.0.1", args.port), Handler)
    print(f"studio on http://127.0.0.1:{server.server_address[1]}/", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
        if cluster:
            cluster.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
