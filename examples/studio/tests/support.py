"""Starts the studio for a test."""

import json
import os
import subprocess
import sys
import unittest
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
STUDIO = os.path.join(os.path.dirname(HERE), "studio.py")
BROKER = os.environ.get("STUDIO_BROKER", "")
CHARTS = os.environ.get("STUDIO_CHARTS", "")


class StudioCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists(BROKER):
            raise unittest.SkipTest("STUDIO_BROKER does not name rkafka-broker (make test-studio does)")
        cls.process = subprocess.Popen(
            [sys.executable, STUDIO, "--port", "0", "--broker", BROKER, "--charts", CHARTS], stdout=subprocess.PIPE, text=True)
        cls.url = cls.process.stdout.readline().split()[-1]

    @classmethod
    def tearDownClass(cls):
        cls.process.terminate()
        cls.process.wait(30)
        cls.process.stdout.close()

    def get(self, path, headers=None):
        request = urllib.request.Request(self.url + path, headers=headers or {})
        return urllib.request.urlopen(request, timeout=60)

    def post(self, path, body, headers=None, timeout=120):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json", **(headers or {})})
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return json.load(answer)

    def refused(self, code, call):
        with self.assertRaises(urllib.error.HTTPError) as caught:
            call()
        with caught.exception as e:
            self.assertEqual(e.code, code)
            return json.loads(e.read())["error"]
