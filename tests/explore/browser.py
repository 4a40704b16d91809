"""A real headless Chromium, driven over its DevTools protocol (https://chromedevtools.github.io/devtools-protocol/).

No more than the tests need: load a page, run JavaScript in it, press keys, click, resize, take a picture; and all that
the page complained about, or asked of the network.
"""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
START_SECONDS = 120
ANSWER_SECONDS = 120
SETTLE_SECONDS = 60

_VIRTUAL_KEYS = {
    "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40,
    "Home": 36, "End": 35, "Enter": 13, "Escape": 27, "Tab": 9,
}  # fmt: skip


def chromium() -> str | None:
    """The path of a Chromium, if there is one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class PageError(AssertionError):
    """JavaScript run in the page has thrown, or what was waited for has not come."""


class Page:
    """One tab. `complaints` are uncaught errors, messages of the console and violations of the page's own policy."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command and its answer; what the page reports meanwhile is kept."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=ANSWER_SECONDS))
            if message.get("id") == number:
                if "error" in message:
                    raise PageError(f"{method}: {message['error']['message']}")
                answer: dict[str, Any] = message["result"]
                return answer
            self._note(message.get("method", ""), message.get("params", {}))

    def _note(self, event: str, told: dict[str, Any]) -> None:
        match event:
            case "Runtime.exceptionThrown":
                details = told["exceptionDetails"]
                self.complaints.append(details.get("exception", {}).get("description", details["text"]))
            case "Runtime.consoleAPICalled":
                self.complaints.append(f"console.{told['type']}: {[item.get('value') for item in told['args']]}")
            case "Log.entryAdded":
                self.complaints.append(f"{told['entry']['level']}: {told['entry']['text']}")
            case "Network.requestWillBeSent":
                self.requests.append(told["request"]["url"])

    # ---------------------------------------------------------------------------------------------------- the page

    def open(self, address: str, *, ready: str = "document.documentElement?.hasAttribute('data-ready')") -> None:
        """Load a page and wait until it says that it is ready."""
        self.send("Page.navigate", url="about:blank")
        self.requests.clear()
        self.send("Page.navigate", url=address)
        self.wait(ready)

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page, as JSON gives it; promises are waited for."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise PageError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until a JavaScript condition is true."""
        self.until(lambda: self.run(f"Boolean({condition})"), condition)

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition; raises `PageError`, which says what was waited for and what the page complained of."""
        end = time.monotonic() + SETTLE_SECONDS
        while not condition():
            if time.monotonic() > end:
                raise PageError(f"not within {SETTLE_SECONDS} s: {what}; the page said {self.complaints}")
            time.sleep(0.02)

    def text(self, selector: str) -> str:
        """The text that a user sees of the first element that a selector finds."""
        return str(self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    def texts(self, selector: str) -> list[str]:
        """The texts of every element that a selector finds."""
        found: list[str] = self.run(
            f"[...document.querySelectorAll({json.dumps(selector)})].map((each) => each.innerText)"
        )
        return found

    # --------------------------------------------------------------------------------------------------- the user

    def press(self, *keys: str) -> None:
        """Press and release keys, one after the other, as the user's keyboard would."""
        for key in keys:
            text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
            code = _VIRTUAL_KEYS.get(key, ord(key.upper()) if len(key) == 1 else 0)
            self.send("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
            self.send("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)
        self.settle()

    def click(self, selector: str) -> None:
        """Click the middle of an element with the mouse, after scrolling it into view."""
        where = self.run(
            f"(() => {{ const each = document.querySelector({json.dumps(selector)}); "
            "each.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'}); "
            "const box = each.getBoundingClientRect(); "
            "return {x: box.left + box.width / 2, y: box.top + box.height / 2}; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **where)
        self.settle()

    def choose(self, selector: str, value: str) -> None:
        """Choose an option of a select."""
        self.run(
            f"(() => {{ const each = document.querySelector({json.dumps(selector)}); each.value = {json.dumps(value)}; "
            "each.dispatchEvent(new Event('change', {bubbles: true})); })()"
        )
        self.settle()

    def settle(self) -> None:
        """Wait until the page has done what it was asked to."""
        self.run("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)))")
        self.wait("document.body.getAttribute('aria-busy') === null")

    def resize(self, width: int, height: int) -> None:
        """Give the page the size of another screen."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        self.settle()

    def prefer(self, **features: str) -> None:
        """What the user's system prefers: `prefer(color_scheme="dark")`."""
        named = [{"name": f"prefers-{name.replace('_', '-')}", "value": value} for name, value in features.items()]
        self.send("Emulation.setEmulatedMedia", features=named)
        self.settle()

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Write what is seen as PNG; `whole` of it, however long it is."""
        shown = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shown["data"]))


@contextmanager
def browsing(program: str) -> Iterator[Page]:
    """A tab of a fresh browser that knows nothing of its user and leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix="protocheck-browser-", ignore_cleanup_errors=True) as profile:
        command = [
            program, "--headless=new", f"--user-data-dir={profile}", "--remote-debugging-port=0", "--no-first-run",
            "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--hide-scrollbars",
            "--disable-background-networking", "--disable-component-update", "--no-default-browser-check",
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            port, path = _address(Path(profile) / "DevToolsActivePort", process)
            with connect(f"ws://127.0.0.1:{port}{path}", max_size=None, open_timeout=START_SECONDS) as browser:
                target = _tab(browser)
                with connect(
                    f"ws://127.0.0.1:{port}/devtools/page/{target}", max_size=None, open_timeout=START_SECONDS
                ) as socket:
                    yield Page(socket)
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(file: Path, process: subprocess.Popen[bytes]) -> tuple[str, str]:
    """The port and the path that the browser has written down once it listens."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        lines = file.read_text().splitlines() if file.exists() else []
        if len(lines) == 2:
            return lines[0], lines[1]
        if process.poll() is not None:
            raise PageError(f"the browser ended with {process.returncode}")
        time.sleep(0.05)
    raise PageError(f"the browser did not start within {START_SECONDS} s")


def _tab(browser: ClientConnection) -> str:
    browser.send(json.dumps({"id": 1, "method": "Target.createTarget", "params": {"url": "about:blank"}}))
    while True:
        message = json.loads(browser.recv(timeout=START_SECONDS))
        if message.get("id") == 1:
            return str(message["result"]["targetId"])
