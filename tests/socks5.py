#!/usr/bin/env python3
"""examples/socks5.c through a SOCKS5 proxy to the embedded broker.

    python3 tests/socks5.py path/to/rkafka-broker path/to/socks5

All messages must arrive, every connection of the client must come by the proxy, which is told brokers' names; and a proxy
that refuses must not be gone around.
"""
import os
import socket
import struct
import subprocess
import sys
import threading


class Proxy:
    """A SOCKS5 proxy without authentication; `refuse`: it answers that it may not."""

    def __init__(self, refuse=False):
        self.refuse, self.asked, self.listener = refuse, [], socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        def read(n):
            data = b""
            while len(data) < n:
                part = client.recv(n - len(data))
                if not part:
                    raise ConnectionError
                data += part
            return data

        try:
            version, methods = read(2)
            assert version == 5 and 0 in read(methods)
            client.sendall(b"\5\0")
            assert read(4) == b"\5\1\0\3"
            host = read(read(1)[0]).decode()
            port, = struct.unpack(">H", read(2))
            self.asked.append((host, port))
            if self.refuse:
                client.sendall(b"\5\2\0\1" + bytes(6))
                client.close()
                return
            broker = socket.create_connection((host, port))
            client.sendall(b"\5\0\0\3\4here\0\1")
        except (OSError, AssertionError):
            client.close()
            return
        for a, b in ((client, broker), (broker, client)):
            threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    @staticmethod
    def pump(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def run(example, **env):
    return subprocess.run([example], env={**os.environ, **env}, capture_output=True, text=True, timeout=60)


def main():
    broker_path, example = sys.argv[1:]
    with subprocess.Popen([broker_path, "--listen", "127.0.0.1:0", "--brokers", "2"], stdout=subprocess.PIPE,
                          text=True) as broker:
        try:
            bootstrap = broker.stdout.readline().split()[-1]
            ports = {int(b.rsplit(":", 1)[1]) for b in bootstrap.split(",")}
            # By another name than metadata's, so that brokers are not taken for those in the configuration.
            bootstrap = bootstrap.replace("127.0.0.1", "localhost")
            proxy = Proxy()
            done = run(example, BOOTSTRAP=bootstrap, SOCKS5=proxy.address, COUNT="5000")
            assert done.returncode == 0 and done.stdout.startswith("5000 of 5000 "), (done.stdout, done.stderr)
            # The bootstrap connection, to any of them, and one at least to a broker by the name that metadata gave it.
            assert {port for _, port in proxy.asked} <= ports, (proxy.asked, ports)
            assert {host for host, _ in proxy.asked} == {"localhost", "127.0.0.1"}, proxy.asked
            print(done.stdout.strip())
            # Its messages would wait for minutes; the first error is enough.
            proxy = Proxy(refuse=True)
            process = subprocess.Popen([example], env={**os.environ, "BOOTSTRAP": bootstrap, "SOCKS5": proxy.address},
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for line in process.stderr:
                if "Connection refused" in line:
                    break
            process.kill()
            process.communicate()
            assert proxy.asked, "the proxy was not asked"
            print("ok a proxy that refuses")
        finally:
            broker.terminate()


if __name__ == "__main__":
    main()
