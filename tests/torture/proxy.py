"""A TCP proxy that knows Kafka's frames, to cut connections in the middle of them.

Every frame is a length of four bytes and so much more. A blow at a connection waits for its next frame in the chosen
direction, lets a part of it through, and ends both sides at once, or goes silent for a while.
"""
import asyncio
import random
import socket
import struct
import threading

HOST = "127.0.0.1"
TO_BROKER, TO_CLIENT = 0, 1


class Side(asyncio.Protocol):
    """One end of a connection. What it receives goes to its peer; `direction` is where to."""

    def __init__(self, proxy, link, direction):
        self.proxy, self.link, self.direction = proxy, link, direction
        self.transport = self.peer = None
        self.held = []  # received before the peer was there, or during a silence
        self.head, self.left = b"", 0  # the frame under way: its length field so far, bytes that are to come

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        if self.peer is None or self.link.silent:
            self.held.append(data)
            self.transport.pause_reading()
            return
        self.forward(data)

    def release(self):
        held, self.held = self.held, []
        for data in held:
            if not self.link.closed:
                self.forward(data)
        if not self.link.closed:
            self.transport.resume_reading()

    def forward(self, data):
        at, blow = self.frame_begin(data), self.link.blow
        if not blow or blow[0] != self.direction or at is None:
            self.peer.transport.write(data)
            return
        self.link.blow = None
        self.proxy.done[blow[1]] += 1
        if blow[1] == "silence":
            self.peer.transport.write(data)
            self.link.silence(blow[2])
            return
        # The cut falls within the frame: its end is not let through.
        size = 4 + struct.unpack(">I", data[at:at + 4])[0] if len(data) - at >= 4 else 4
        self.peer.transport.write(data[:at + min(self.proxy.rng.randrange(size), len(data) - at)])
        self.link.cut(self.proxy.rng.random() < 0.5)

    def frame_begin(self, data):
        """Where in `data` a frame begins, None if nowhere; keeps count of frames."""
        at, first = 0, None
        while at < len(data):
            if self.left:
                step = min(self.left, len(data) - at)
                self.left -= step
                at += step
                continue
            if first is None and not self.head:
                first = at
            step = min(4 - len(self.head), len(data) - at)
            self.head += data[at:at + step]
            at += step
            if len(self.head) == 4:
                self.left, self.head = struct.unpack(">I", self.head)[0], b""
        return first

    def connection_lost(self, exc):
        self.link.cut(False)

    def eof_received(self):
        return False

    # Flow control: a slow peer slows the reading here.
    def pause_writing(self):
        if self.peer and self.peer.transport:
            self.peer.transport.pause_reading()

    def resume_writing(self):
        if self.peer and self.peer.transport and not self.link.silent and not self.link.closed:
            self.peer.transport.resume_reading()


class Link:
    """A client's connection and the one to the broker that goes with it."""

    def __init__(self, proxy, node):
        self.proxy, self.node = proxy, node
        self.client, self.broker = Side(proxy, self, TO_BROKER), Side(proxy, self, TO_CLIENT)
        self.blow, self.silent, self.closed = None, False, False
        proxy.links.add(self)

    async def connect(self):
        try:
            await self.proxy.loop.create_connection(lambda: self.broker, HOST, self.proxy.targets[self.node])
        except OSError:
            self.cut(False)
            return
        if self.closed:
            self.broker.transport.abort()
            return
        self.client.peer, self.broker.peer = self.broker, self.client
        self.client.release()

    def silence(self, seconds):
        self.silent = True
        self.proxy.loop.call_later(seconds, self.speak)

    def speak(self):
        self.silent = False
        for side in (self.client, self.broker):
            if not self.closed:
                side.release()

    def cut(self, reset):
        if self.closed:
            return
        self.closed = True
        self.proxy.links.discard(self)
        for side in (self.client, self.broker):
            if side.transport:
                if reset:
                    s = side.transport.get_extra_info("socket")
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    side.transport.abort()
                else:
                    side.transport.close()


class Proxy:
    """Listens on a port for each broker. Runs in a thread of its own; all methods may be called from any thread."""

    def __init__(self, count, seed):
        self.sockets = []
        for _ in range(count):
            s = socket.create_server((HOST, 0))
            self.sockets.append(s)
        self.ports = [s.getsockname()[1] for s in self.sockets]
        self.targets = [None] * count
        self.links, self.rng = set(), random.Random(seed)
        self.done = {"cut request": 0, "cut response": 0, "silence": 0, "cut all": 0}
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self, targets):
        """`targets`: the port of each broker."""
        self.targets = list(targets)
        self.thread.start()

    def _run(self):
        asyncio.set_event_loop(self.loop)
        for node, s in enumerate(self.sockets):
            self.loop.run_until_complete(self.loop.create_server(lambda n=node: self._accept(n), sock=s))
        self.loop.run_forever()

    def _accept(self, node):
        link = Link(self, node)
        self.loop.create_task(link.connect())
        return link.client

    def bootstrap(self):
        return ",".join(f"{HOST}:{p}" for p in self.ports)

    def strike(self, kind, seconds=0.0):
        """One of the kinds of `done`, at a connection taken at random (or at all of them)."""
        self.loop.call_soon_threadsafe(self._strike, kind, seconds)

    def _strike(self, kind, seconds):
        links = sorted(self.links, key=id)
        if not links:
            return
        if kind == "cut all":
            self.done[kind] += 1
            for link in links:
                link.cut(self.rng.random() < 0.5)
            return
        link = self.rng.choice(links)
        link.blow = (TO_BROKER if kind == "cut request" else TO_CLIENT, kind, seconds)

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
