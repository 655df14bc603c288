"""Moves partition leaders, by the two requests that Kafka's own tools send: AlterPartitionReassignments (KIP-455) makes
another replica the preferred one, ElectLeaders (KIP-460) elects it. By hand, because the tools take seconds of processor time."""
import socket
import struct

ALTER_PARTITION_REASSIGNMENTS, ELECT_LEADERS = 45, 43
PREFERRED = 0


class Refused(Exception):
    """The cluster cannot do this now; it is in trouble, which is the purpose of all this."""


def varint(n):
    out = b""
    while n > 0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def compact_string(s):
    return varint(len(s.encode()) + 1) + s.encode()


def compact_array(items):
    return varint(len(items) + 1) + b"".join(items)


TAGS = b"\0"


def call(address, key, version, body, timeout):
    """Sends one flexible request; returns the response's body."""
    head = struct.pack(">hhi", key, version, 7) + struct.pack(">h", 7) + b"torture" + TAGS
    frame = head + body
    with socket.create_connection(address, timeout=timeout) as s:
        s.sendall(struct.pack(">i", len(frame)) + frame)
        answer = b""
        while len(answer) < 4 or len(answer) < 4 + struct.unpack(">i", answer[:4])[0]:
            part = s.recv(65536)
            if not part:
                raise Refused("connection closed")
            answer += part
    return answer[9:]  # length, correlation id, tags


def move(address, topic, replicas, timeout=5):
    """Makes the first of `replicas` (partition -> nodes, the present ones in another order) the leader of each partition."""
    items = [struct.pack(">i", p) + compact_array([struct.pack(">i", n) for n in nodes]) + TAGS
             for p, nodes in sorted(replicas.items())]
    try:
        answer = call(address, ALTER_PARTITION_REASSIGNMENTS, 0, struct.pack(">i", timeout * 1000)
                      + compact_array([compact_string(topic) + compact_array(items) + TAGS]) + TAGS, timeout)
        code = struct.unpack(">h", answer[4:6])[0]
        if code:
            raise Refused(f"AlterPartitionReassignments: error {code}")
        parts = compact_array([struct.pack(">i", p) for p in sorted(replicas)])
        answer = call(address, ELECT_LEADERS, 2, struct.pack(">b", PREFERRED)
                      + compact_array([compact_string(topic) + parts + TAGS]) + struct.pack(">i", timeout * 1000) + TAGS, timeout)
        code = struct.unpack(">h", answer[4:6])[0]
        if code:
            raise Refused(f"ElectLeaders: error {code}")
    except (OSError, struct.error) as e:
        raise Refused(str(e)) from None
