"""A headless Chromium, spoken to through two pipes by its own protocol: no port, no library."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
    "--disable-extensions", "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip
_NOISE = {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"}


def chromium() -> str | None:
    """The program, where there is one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """One page of one browser; a context manager.

    Attributes:
        noise: what the page wrote to its console, errors that nobody caught among it.
        requests: addresses that the page asked for.
    """

    def __init__(
        self, *, width: int = 1200, height: int = 900, dark: bool = False, phone: bool = False
    ) -> None:
        self.noise: list[str] = []
        self.requests: list[str] = []
        self._size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
        self._dark = dark
        self._number = 0
        self._left = b""

    def __enter__(self) -> Self:
        program = chromium()
        assert program is not None, "there is no Chromium"
        self._folder = tempfile.TemporaryDirectory(prefix="zonemelt-browser-", ignore_cleanup_errors=True)
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()
        # The browser reads from 3 and writes to 4.
        script = f'exec 3<&{theirs_in} 4>&{theirs_out}; exec "$@"'
        words = [program, *_OPTIONS, f"--user-data-dir={self._folder.name}", "about:blank"]
        self._process = subprocess.Popen(
            ["bash", "-c", script, "bash", *words], pass_fds=(theirs_in, theirs_out),
            stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self._session = None
        target = next(one for one in self.ask("Target.getTargets")["targetInfos"] if one["type"] == "page")
        found = self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = found["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        self.ask("Performance.enable", timeDomain="threadTicks")
        self.ask("Emulation.setDeviceMetricsOverride", **self._size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if self._dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._session = None
            self.ask("Browser.close")
        except (OSError, EOFError):
            pass
        os.close(self._to)
        os.close(self._from)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def open(self, address: str | Path) -> float:
        """Load a page; returns the seconds until its load event."""
        if isinstance(address, Path):
            address = address.absolute().as_uri()
        began = time.perf_counter()
        self.ask("Page.navigate", url=address)
        self.until(lambda: self.run("document.readyState") == "complete")
        return time.perf_counter() - began

    def until(self, true: Callable[[], Any], seconds: float = 60.0) -> Any:
        """Wait until something holds.

        Raises:
            TimeoutError: it does not.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := true():
                return found
            time.sleep(0.05)
        raise TimeoutError(f"nothing happened for {seconds:g} s; the page said {self.noise}")

    def run(self, script: str) -> Any:
        """The value of an expression of JavaScript in the page."""
        found = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def spent(self) -> float:
        """Seconds of the processor that the page's main thread has taken so far."""
        found = self.ask("Performance.getMetrics")["metrics"]
        return float(next(one["value"] for one in found if one["name"] == "TaskDuration"))

    def screenshot(
        self, path: Path, *, whole: bool = False, y: float = 0.0, height: float | None = None
    ) -> None:
        """A picture of what is seen, or of the whole page, or of a part of it."""
        more: dict[str, Any] = {}
        if whole or height:
            tall = height or self.run("document.documentElement.scrollHeight") - y
            clip = {"x": 0, "y": y, "width": self._size["width"], "height": tall, "scale": 1}
            more = {"captureBeyondViewport": True, "clip": clip}
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", **more)["data"]))

    def pdf(self, path: Path) -> None:
        """The page as it would be printed."""
        path.write_bytes(base64.b64decode(self.ask("Page.printToPDF", preferCSSPageSize=True)["data"]))

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; what happens meanwhile is noted."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            found = json.loads(self._read())
            if found.get("method") in _NOISE:
                self.noise.append(json.dumps(found["params"])[:2000])
            elif found.get("method") == "Network.requestWillBeSent":
                self.requests.append(found["params"]["request"]["url"])
            if found.get("id") == self._number:
                assert "error" not in found, found["error"]
                result: dict[str, Any] = found["result"]
                return result

    def _read(self) -> bytes:
        while b"\0" not in self._left:
            more = os.read(self._from, 1 << 20)
            if not more:
                raise EOFError("the browser has ended")
            self._left += more
        message, _, self._left = self._left.partition(b"\0")
        return message
