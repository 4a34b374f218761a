"""A headless Chromium, driven over pipes by the DevTools protocol: no driver to download, no port to race for."""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections import deque

import pytest

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(PROGRAM is None, reason="needs Chromium: make programs, as root")
_LIMIT = 120  # seconds; for a machine that is busy with other things


@contextlib.contextmanager
def chromium():
    """Yield a browser. Network access of its pages is the test's matter; it makes none of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        to_browser, our_end = os.pipe()
        our_input, from_browser = os.pipe()
        arguments = [
            PROGRAM, "--headless", "--remote-debugging-pipe", f"--user-data-dir={profile}", "--no-first-run",
            "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--hide-scrollbars",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
        ]  # fmt: skip
        # Chromium reads commands from file descriptor 3 and answers on 4.
        script = f'exec 3<&{to_browser} 4>&{from_browser}; exec "$@"'
        process = subprocess.Popen(
            ["bash", "-c", script, "bash", *arguments],
            pass_fds=(to_browser, from_browser),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        try:
            yield Browser(our_end, our_input)
        finally:
            os.close(our_end)
            os.close(our_input)
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Browser:
    """Sends commands and keeps the events that arrive between the answers."""

    def __init__(self, output, source):
        self._output, self._source = output, source
        self._buffer = b""
        self._number = 0
        self.events = deque()

    def send(self, method, session=None, **params):
        """Send one command and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._output, data) :]
        limit = time.monotonic() + _LIMIT
        while True:
            answer = self._receive(limit)
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self.events.append(answer)

    def _receive(self, limit):
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._source], [], [], max(0, limit - time.monotonic()))
            assert ready, "the browser does not answer"
            part = os.read(self._source, 1 << 20)
            assert part, "the browser ended"
            self._buffer += part
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def open(self, url, *, width=1280, height=900, dark=False, wait="true"):
        """Return a page at ``url``, loaded and with the expression ``wait`` true."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.send(f"{domain}.enable")
        page.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
            mobile=width < 600,
        )  # fmt: skip
        page.send("Emulation.setFocusEmulationEnabled", enabled=True)
        page.media(dark=dark)
        page.send("Page.navigate", url=url)
        page.until(f"location.href !== 'about:blank' && document.readyState === 'complete' && ({wait})")
        return page


class Page:
    """One tab."""

    def __init__(self, browser, session):
        self._browser, self._session = browser, session

    def send(self, method, **params):
        return self._browser.send(method, self._session, **params)

    def media(self, *, dark=False, media=""):
        """Choose the colour scheme and the medium (``print``)."""
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.send("Emulation.setEmulatedMedia", media=media, features=scheme)

    def run(self, expression):
        """Return the JSON value of a JavaScript expression."""
        done = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def until(self, expression):
        """Wait until a JavaScript expression is true, and return its value."""
        limit = time.monotonic() + _LIMIT
        while True:
            value = self.run(expression)
            if value:
                return value
            assert time.monotonic() < limit, (
                f"never true: {expression}\n{self.run('document.body.innerText')}"
            )
            time.sleep(0.05)

    @property
    def text(self):
        return self.run("document.body.innerText")

    def hover(self, selector):
        """Move the mouse to the middle of an element."""
        box = (
            f"(e => {{ e.scrollIntoView({{block: 'center'}}); const b = e.getBoundingClientRect();"
            f" return [b.x + b.width / 2, b.y + b.height / 2]; }})(document.querySelector({json.dumps(selector)}))"
        )
        x, y = self.run(box)
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def complaints(self):
        """Return what the console, the log and uncaught exceptions said."""
        self.run("0")
        said = []
        for event in self._browser.events:
            if event.get("sessionId") != self._session:
                continue
            method, params = event["method"], event["params"]
            if method == "Runtime.exceptionThrown":
                said.append(params["exceptionDetails"].get("exception", {}).get("description", "exception"))
            elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
                said.append(" ".join(str(item.get("value")) for item in params["args"]))
            elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                said.append(params["entry"]["text"])
        return said

    def requests(self):
        """Return the addresses that the page asked for."""
        self.run("0")
        return [
            event["params"]["request"]["url"]
            for event in self._browser.events
            if event.get("sessionId") == self._session and event["method"] == "Network.requestWillBeSent"
        ]

    def screenshot(self, path, *, whole=True):
        """Save a picture of the page."""
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def pdf(self, path):
        """Print the page."""
        path.write_bytes(base64.b64decode(self.send("Page.printToPDF", printBackground=False)["data"]))
