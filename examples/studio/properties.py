"""The table of properties, read from CONFIGURATION.md, and what is wrong with a configuration."""

import re

import rkafka

# What the studio sets itself.
RESERVED = ("bootstrap.servers", "metadata.broker.list", "test.mock.num.brokers", "statistics.interval.ms")

PRESETS = {
    "safe default": {
        "about": "Every message once, in order, on all replicas. Where to begin.",
        "config": {"acks": "all", "enable.idempotence": "true", "linger.ms": "5"},
    },
    "high throughput": {
        "about": "Large compressed batches: fewest bytes and requests, a little later.",
        "config": {"acks": "all", "linger.ms": "50", "batch.size": "1000000", "compression.type": "lz4"},
    },
    "lowest latency": {
        "about": "Nothing waits to be joined by more.",
        "config": {"acks": "1", "linger.ms": "0", "compression.type": "none"},
    },
    "exactly once": {
        "about": "A transaction every half second; what fails is not seen by readers of committed messages.",
        "config": {"enable.idempotence": "true", "transactional.id": "studio", "linger.ms": "5"},
    },
    "fire and forget": {
        "about": "No answer is waited for: what a broker loses is lost.",
        "config": {"acks": "0", "linger.ms": "5"},
    },
}


def read(path):
    """Properties that producers have: name, range, default, importance, text."""
    with open(path, encoding="utf-8") as f:
        lines = f.read().splitlines()
    rows, seen = [], set()
    for line in lines:
        cells = [c.strip().replace("\\*", "*").replace("\\|", "|") for c in re.split(r"(?<!\\) \|", line)]
        if len(cells) != 6 or cells[1] not in ("*", "P") or cells[0] in seen:
            continue
        name, _, values, default, importance, text = cells
        seen.add(name)
        values = "" if values in ("", "-") else values
        rows.append({"name": name, "range": values, "default": default, "importance": importance,
                     "text": text.replace("`", "")})
    return rows


def configuration(config):
    """A dict of strings from JSON of a request; ValueError if it is none."""
    if not isinstance(config, dict) or not all(isinstance(v, (str, int, float, bool)) for v in config.values()):
        raise ValueError("config must be an object of strings, numbers and booleans")
    return {str(k): ("true" if v else "false") if isinstance(v, bool) else str(v) for k, v in config.items()}


def errors(config):
    """What is wrong: property -> text, "" for what several properties are wrong about together."""
    found = {}
    for name, value in config.items():
        problem = "is set by the studio itself" if name in RESERVED else rkafka.conf_check(name, value)
        if problem:
            found[name] = problem
    if not found:
        try:
            rkafka.Producer({**config, "bootstrap.servers": "127.0.0.1:1", "log_level": 0}).close()
        except rkafka.KafkaException as e:
            found[""] = e.args[0].str()
    return found
