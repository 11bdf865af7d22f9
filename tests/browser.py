"""A headless Chromium that tests drive through its DevTools protocol."""

import json
import os
import shutil
import subprocess
from base64 import b64decode
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)
"""The program; None if it is not installed."""
_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--remote-debugging-pipe",
)
# Chromium reads commands from file descriptor 3 and writes to 4.
_REDIRECT = 'exec "$0" "$@" 3<&{read} 4>&{write}'


class Browser:
    """A browser with one page.

    Attributes:
        requests: The addresses that the page asked for.
    """

    def __init__(self, profile: Path) -> None:
        """Start it.

        Args:
            profile: An empty folder.
        """
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        script = _REDIRECT.format(read=commands, write=answers)
        program = [str(CHROMIUM), *_ARGUMENTS, f"--user-data-dir={profile}"]
        self._process = subprocess.Popen(
            ["bash", "-c", script, *program],
            pass_fds=(commands, answers),
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._unread = b""
        self._num_commands = 0
        self.requests: list[str] = []
        target = self._send("Target.createTarget", url="about:blank")["targetId"]
        self._session: str | None = None
        self._session = self._send(
            "Target.attachToTarget", targetId=target, flatten=True
        )["sessionId"]
        self.send("Network.enable")
        self.send("Page.enable")

    _session: str | None = None

    def __enter__(self) -> Self:
        """Return the browser."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the browser."""
        self._process.kill()
        self._process.wait()
        os.close(self._commands)
        os.close(self._answers)

    def send(self, method: str, **parameters: object) -> Any:
        """Send a command and return its result."""
        return self._send(method, **parameters)

    def open(self, path: Path) -> None:
        """Open a file and wait until it is loaded."""
        self.open_address(path.as_uri())

    def open_address(self, address: str) -> None:
        """Open an address and wait until it is loaded."""
        self.send("Page.navigate", url=address)
        self.evaluate(
            "new Promise((done) => document.readyState === 'complete' ? done() :"
            " addEventListener('load', () => done()))"
        )

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression, or of its promise, as JSON."""
        answer = self.send(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def resize(self, width: int, height: int) -> None:
        """Give the window another size."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def set_color_scheme(self, scheme: str) -> None:
        """Prefer light or dark colours."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.send("Emulation.setEmulatedMedia", features=[feature])

    def type_letter(self, letter: str) -> None:
        """Type a character, and wait until the page has been drawn with it."""
        self.send("Input.dispatchKeyEvent", type="char", text=letter)
        self.evaluate(
            "new Promise((done) =>"
            " requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def press_tab(self) -> None:
        """Press the key that moves the focus."""
        key = {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
        self.send("Input.dispatchKeyEvent", type="rawKeyDown", **key)
        self.send("Input.dispatchKeyEvent", type="keyUp", **key)

    def save_screenshot(self, path: Path) -> None:
        """Save a picture of the complete page."""
        data = self.send("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(b64decode(data))

    def _send(self, method: str, **parameters: object) -> Any:
        self._num_commands += 1
        number = self._num_commands
        message = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("method") == "Network.requestWillBeSent":
                self.requests.append(answer["params"]["request"]["url"])
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def _receive(self) -> Any:
        while b"\0" not in self._unread:
            data = os.read(self._answers, 1 << 16)
            if not data:
                raise RuntimeError("the browser ended")
            self._unread += data
        message, _, self._unread = self._unread.partition(b"\0")
        return json.loads(message)
