#!/usr/bin/env python3
"""Prints the librdkafka to compare with: the one inside the confluent-kafka wheel if that is
installed (it is newer), else "-lrdkafka", the system's. Debian's librdkafka-dev has the header for both."""
import glob
import importlib.util
import os


def peer_library():
    spec = importlib.util.find_spec("confluent_kafka")
    if spec and spec.origin:
        libs = os.path.join(os.path.dirname(os.path.dirname(spec.origin)), "confluent_kafka.libs")
        found = sorted(glob.glob(os.path.join(libs, "librdkafka*.so*")))
        if found:
            return found[-1]
    return "-lrdkafka"


if __name__ == "__main__":
    print(peer_library())
