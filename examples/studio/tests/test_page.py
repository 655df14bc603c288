"""The page, in a headless Chromium: what a person does, and what is seen."""

import os
import shutil
import time
import unittest

from support import CHARTS, StudioCase

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
SCREENSHOTS = os.environ.get("STUDIO_SCREENSHOTS", "")
WAIT_MS = 60_000


class Page(StudioCase):
    @classmethod
    def setUpClass(cls):
        try:
            from playwright.sync_api import sync_playwright
        except ImportError:
            raise unittest.SkipTest("playwright is not installed (PyPI)")
        if not CHROMIUM:
            raise unittest.SkipTest("chromium is not installed (Debian package chromium)")
        if not os.path.exists(os.path.join(CHARTS, "uPlot.iife.min.js")):
            raise unittest.SkipTest("uPlot is not there (npm package uplot, got by make)")
        super().setUpClass()
        cls.playwright = sync_playwright().start()
        cls.browser = cls.playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.playwright.stop()
        super().tearDownClass()

    def setUp(self):
        self.complaints = []
        self.page = self.browser.new_page(viewport={"width": 1440, "height": 1000})
        self.addCleanup(self.page.close)
        self.page.set_default_timeout(WAIT_MS)
        self.page.on("console", lambda m: m.type in ("error", "warning") and self.complaints.append(m.text))
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.page.goto(self.url)
        self.page.wait_for_selector("#link.up")

    def send(self, **fields):
        for name, value in fields.items():
            if name in ("keys", "payload"):
                self.page.select_option(f"#{name}", str(value))
            else:
                self.page.fill(f"#{name}", str(value))
        self.page.click("#send")

    def finished(self):
        self.page.wait_for_selector("#send:enabled")

    def delivered(self, run, text):
        """Waits for the last event of a run, which may come after its answer."""
        self.page.wait_for_selector(f'#summary tr[data-id="{run}"] td:nth-child(3):text-is("{text}")')

    def cells(self, run):
        return [c.inner_text() for c in self.page.query_selector_all(f'#summary tr[data-id="{run}"] td')]

    def round_trip_above(self, ms):
        cell = self.page.locator('#brokers tr[data-id="A-1"] td:nth-child(5)')
        end = time.monotonic() + WAIT_MS / 1000
        while float(cell.inner_text().split()[0]) <= ms:
            self.assertLess(time.monotonic(), end, "the delay does not show")
            self.page.wait_for_timeout(50)

    def picture(self, name):
        if SCREENSHOTS:
            self.page.screenshot(path=os.path.join(SCREENSHOTS, name))


class Use(Page):
    def test_send_and_see(self):
        self.assertEqual(self.page.locator('.side[data-side="A"] .preset option').count(), 5)
        self.send(count=20000, size=100, rate=20000, keys="random:100")
        self.page.wait_for_selector('#brokers tr[data-id="A-1"] .state-up')
        self.finished()
        self.delivered("A", "20k")
        self.assertEqual(self.cells("A")[3], "0")
        self.assertEqual(self.page.inner_text("#problem"), "")
        samples = self.page.evaluate("state.lines.map((c) => c.samples.A.length)")
        self.assertGreaterEqual(min(samples), 2)
        self.assertEqual(self.page.evaluate("Object.values(state.bars.counts.A).reduce((a, b) => a + b)"), 20000)
        # Every chart has drawn something beside its axes: colours of run A are on its canvas.
        drawn = self.page.evaluate("""[...document.querySelectorAll(".charts canvas")].map((c) => {
            const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
            let n = 0;
            for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 60 && d[i + 2] > d[i] + 60) n++;
            return n;
        })""")
        self.assertEqual(len(drawn), 6)
        self.assertGreater(min(drawn), 20, drawn)
        self.assertEqual(self.complaints, [])

    def test_completion_and_errors(self):
        area = self.page.locator('.side[data-side="A"] textarea')
        area.fill("")
        area.press_sequentially("compression.t")
        item = self.page.locator('.side[data-side="A"] .completion li.on')
        self.assertTrue(item.inner_text().startswith("compression.type"))
        area.press("Tab")
        self.assertEqual(area.input_value(), "compression.type=")
        area.press_sequentially("zs")
        area.press("Enter")
        self.assertEqual(area.input_value(), "compression.type=zstd")
        area.press("Enter")
        area.press_sequentially("acs=1")
        self.page.wait_for_selector('#errors-A li:has-text("did you mean \\"acks\\"")')
        self.page.click("#send")
        self.page.wait_for_selector('#problem:has-text("not valid")')
        self.assertEqual(self.cells("A"), [])
        area.fill("acks=1\nenable.idempotence=true")
        self.page.wait_for_selector('#errors-A li:has-text("enable.idempotence")')
        area.fill("acks=1")
        self.page.wait_for_selector("#errors-A li", state="detached")
        self.send(count=1000)
        self.finished()
        self.delivered("A", "1000")
        self.assertEqual(self.cells("A")[3], "0")
        self.assertEqual(self.complaints, [])

    def test_compare(self):
        self.page.check("#compare")
        self.page.select_option('.side[data-side="A"] .preset', "lowest latency")
        self.send(count=10000, size=500)
        self.page.wait_for_selector('#summary tr[data-id="B"]')
        self.finished()
        self.delivered("A", "10k")
        self.delivered("B", "10k")
        self.assertEqual(self.page.evaluate("[state.lines[0].samples.A.length > 0, state.lines[0].samples.B.length > 0]"),
                         [True, True])
        self.assertEqual(self.complaints, [])

    def test_kill_a_broker_and_delay(self):
        self.send(count=1_000_000, rate=2000, size=100)
        self.page.wait_for_selector('#brokers tr[data-id="A-2"] .state-up')
        row = self.page.locator('#faults tr[data-id="2"]')
        row.locator('button:has-text("Kill")').click()
        self.page.wait_for_selector('#faults tr[data-id="2"] .state-down')
        self.page.wait_for_selector('#brokers tr[data-id="A-2"] .state-down')
        row.locator('button:has-text("Start")').click()
        self.page.wait_for_selector('#faults tr[data-id="2"] span.state-up')
        self.page.locator('#faults tr[data-id="1"] button:has-text("+100 ms")').click()
        self.page.wait_for_selector('#faults tr[data-id="1"] span:has-text("+100 ms")')
        self.round_trip_above(90)
        self.page.locator('#faults tr[data-id="1"] button:has-text("No delay")').click()
        self.page.click("#stop")
        self.finished()
        self.assertNotEqual(self.cells("A")[2], "0")
        self.assertEqual(self.complaints, [])


@unittest.skipUnless(SCREENSHOTS, "STUDIO_SCREENSHOTS is not set (make studio-screenshots does)")
class Screenshots(Page):
    def test_for_the_docs(self):
        self.page.check("#compare")
        self.page.select_option('.side[data-side="A"] .preset', "lowest latency")
        self.send(count=1_500_000, size=300, keys="hot:100")
        self.finished()
        self.picture("studio-compare.png")
        self.page.uncheck("#compare")
        self.page.select_option('.side[data-side="A"] .preset', "safe default")
        self.send(count=240_000, rate=30000, keys="random:100")
        self.page.wait_for_timeout(2500)
        self.page.click('#faults tr[data-id="2"] button:has-text("Kill")')
        self.page.wait_for_timeout(1800)
        self.page.click('#faults tr[data-id="3"] button:has-text("+100 ms")')
        self.page.wait_for_timeout(1500)
        self.picture("studio-faults.png")
        self.page.click('#faults tr[data-id="2"] button:has-text("Start")')
        self.finished()


if __name__ == "__main__":
    unittest.main()
