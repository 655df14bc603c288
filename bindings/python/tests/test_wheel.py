"""The wheel: it installs offline into an environment of its own, and works there without a compiler."""

import glob
import importlib.util
import os
import subprocess
import sys
import tempfile
import unittest


class Wheel(unittest.TestCase):
    def test_pip_install_offline(self):
        wheels = glob.glob(os.path.join(os.environ.get("RKAFKA_WHEELS", ""), "rkafka-*.whl"))
        if not wheels:
            self.skipTest("RKAFKA_WHEELS does not name a directory with the wheel (make test-python does)")
        self.assertEqual(len(wheels), 1)
        self.assertIn("-cp39-abi3-", wheels[0])
        if importlib.util.find_spec("pip") is None:
            self.skipTest("no pip (Debian package python3-pip)")
        with tempfile.TemporaryDirectory() as directory:
            # A PATH without a compiler.
            environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "LD_LIBRARY_PATH", "PATH")}
            install = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--disable-pip-version-check", "--target",
                       directory, wheels[0]]
            subprocess.run(install, check=True, env=environment)
            code = ("import rkafka; p = rkafka.Producer({'test.mock.num.brokers': 1}); p.produce('t', 'v'); "
                    "print(rkafka.__file__, p.flush(30))")
            done = subprocess.run([sys.executable, "-c", code], check=True, env={**environment, "PYTHONPATH": directory},
                                  cwd=directory, stdout=subprocess.PIPE, text=True)
            path, left = done.stdout.split()
            self.assertTrue(os.path.realpath(path).startswith(os.path.realpath(directory)), path)
            self.assertEqual(left, "0")
