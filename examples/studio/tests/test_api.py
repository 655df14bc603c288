"""The studio's API."""

import json
import threading

from support import StudioCase


class Api(StudioCase):
    def test_send(self):
        answer = self.post("api/send", {"preset": "safe default", "count": 5000, "size": 100, "keys": "random:50"})
        self.assertEqual((answer["count"], answer["delivered"], answer["error_count"]), (5000, 5000, 0))
        self.assertGreater(answer["elapsed_ms"], 0)
        self.assertAlmostEqual(answer["msgs_per_sec"], 5000 / answer["elapsed_ms"] * 1000, delta=answer["msgs_per_sec"] * 0.02)
        self.assertEqual(sum(answer["partition_histogram"].values()), 5000)
        self.assertEqual(answer["distinct_partitions"], len(answer["partition_histogram"]))
        self.assertGreater(answer["distinct_partitions"], 1)
        last = answer["samples"][-1]
        self.assertEqual((last["delivered"], last["failed"], last["queued"]), (5000, 0, 0))
        self.assertGreater(last["batch_bytes"], 0)
        self.assertGreater(last["compression_ratio"], 0)
        self.assertTrue(any(b["state"] == "UP" for b in last["brokers"]))
        self.assertEqual(len(answer["messages"]), 5)

    def test_every_preset_and_pattern(self):
        presets = json.load(self.get("api/info"))["presets"]
        self.assertEqual(len(presets), 5)
        patterns = ["none", "fixed", "sequential", "random:10", "hot:10"]
        for (name, preset), keys in zip(presets.items(), patterns):
            self.assertEqual(self.post("api/check", {"config": preset["config"]})["errors"], {})
            answer = self.post("api/send", {"preset": name, "count": 2000, "keys": keys, "payload": "zeros"})
            self.assertEqual((name, answer["delivered"], answer["errors"]), (name, 2000, {}))
            if keys == "fixed":
                self.assertEqual(answer["distinct_partitions"], 1)

    def test_compression_shows(self):
        ratios = [self.post("api/send", {"config": {"compression.type": codec}, "count": 20000, "size": 500})["samples"]
                  for codec in ("none", "zstd")]
        plain, packed = (max(s["compression_ratio"] for s in samples) for samples in ratios)
        self.assertGreater(plain, 0.9)
        self.assertLess(packed, 0.6)

    def test_configuration_errors(self):
        errors = self.post("api/check", {"config": {"acs": "1", "linger.ms": "x", "bootstrap.servers": "a"}})["errors"]
        self.assertIn('did you mean "acks"', errors["acs"])
        self.assertIn("linger.ms", errors["linger.ms"])
        self.assertIn("studio", errors["bootstrap.servers"])
        errors = self.post("api/check", {"config": {"acks": "1", "enable.idempotence": True}})["errors"]
        self.assertIn("enable.idempotence", errors[""])
        self.assertIn("acs", self.refused(400, lambda: self.post("api/send", {"config": {"acs": "1"}})))

    def test_refusals(self):
        for body in ({"count": 0}, {"count": "many"}, {"size": 10**9}, {"keys": "odd"}, {"payload": "odd"}, {"preset": "odd"},
                     {"config": [1]}, {"config": {"acks": {}}}, {"keys": "random:x"}, [1], b"{"):
            self.refused(400, lambda: self.post("api/send", body))
        self.refused(400, lambda: self.post("api/send", b"a=1", {"Content-Type": "application/x-www-form-urlencoded"}))
        self.refused(404, lambda: self.post("api/other", {}))
        self.refused(404, lambda: self.get("../runs.py"))
        self.refused(404, lambda: self.get("static/%2e%2e/runs.py"))
        self.refused(403, lambda: self.get("", {"Host": "evil.example"}))
        self.refused(403, lambda: self.post("api/send", {}, {"Host": "evil.example:80"}))
        for words in (["topic", ["x"]], ["down", ["1\nup 1"]], ["down", ["99"]], ["rtt", ["1"]]):
            self.refused(400, lambda: self.post("api/fault", {"command": words[0], "arguments": words[1]}))

    def test_properties_for_completion(self):
        rows = {p["name"]: p for p in json.load(self.get("api/properties"))}
        self.assertGreater(len(rows), 100)
        self.assertIn("zstd", rows["compression.codec"]["range"])
        self.assertNotIn("group.id", rows)
        self.assertTrue(rows["linger.ms"]["text"])

    def test_events_stop_and_faults(self):
        events = self.get("api/events")
        self.addCleanup(events.close)
        self.assertEqual(events.headers["Content-Type"], "text/event-stream")
        self.assertTrue(events.readline().startswith(b":"))
        result = {}

        def send():
            result.update(self.post("api/send", {"count": 1_000_000, "rate": 2000, "label": "A"}))

        thread = threading.Thread(target=send)
        thread.start()
        seen = []
        while not seen or seen[-1]["type"] != "end":
            line = events.readline().decode()
            if not line.startswith("data: "):
                continue
            seen.append(json.loads(line[6:]))
            samples = [e["sample"] for e in seen if e["type"] == "sample"]
            if len(samples) == 2 and seen[-1]["type"] == "sample":
                brokers = self.post("api/fault", {"command": "down", "arguments": [2]})["brokers"]
                self.assertEqual([b["down"] for b in brokers], [False, True, False])
            if len(samples) == 4 and seen[-1]["type"] == "sample":
                # NOT_LEADER_FOR_PARTITION: what it strikes is sent again.
                self.post("api/fault", {"command": "push-errors", "arguments": ["Produce", "6*5"]})
            if len(samples) == 10 and seen[-1]["type"] == "sample":
                self.post("api/fault", {"command": "up", "arguments": [2]})
                self.assertEqual(self.post("api/stop", {}), {"stopped": 1})
        thread.join()
        types = {e["type"] for e in seen}
        self.assertEqual(types, {"start", "sample", "end", "brokers"})
        # The broker that was lost cost no message: others took over.
        self.assertEqual({k: v for k, v in result["errors"].items() if not k.startswith(("_PURGE", "_TRANSPORT"))}, {})
        self.assertLess(result["count"], 1_000_000)
        self.assertGreater(result["delivered"], 0)
        self.assertGreater(result["retries"], 0)
