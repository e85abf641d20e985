"""Pictures of pages by Chromium without a window, through its debugging protocol over two pipes: nothing else is needed."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
SETTINGS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe", "--no-first-run")


class Browser:
    """A browser while a ``with`` block lasts."""

    def __init__(self, program: str) -> None:
        commands, self._write = os.pipe()
        self._read, answers = os.pipe()
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        profile = f"--user-data-dir={self._folder.name}"
        # it reads commands from descriptor 3 and answers on 4
        line = ["sh", "-c", f'exec "$0" "$@" 3<&{commands} 4>&{answers} 2>/dev/null', program, *SETTINGS, profile]
        self._process = subprocess.Popen(line, pass_fds=(commands, answers))
        os.close(commands), os.close(answers)
        self._count, self._buffer = 0, b""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait(20)
        os.close(self._write), os.close(self._read)
        self._folder.cleanup()

    def open(self, page: Path, width: int, scheme: str) -> int:
        """Show a file ``width`` pixels wide in a colour scheme, light or dark; returns its height in pixels."""
        self._window(width, 900)
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self._call("Page.enable")
        self._call("Page.navigate", url=page.resolve().as_uri())
        ready = "new Promise(done => document.readyState == 'complete' ? done() : addEventListener('load', () => done()))"
        self._call("Runtime.evaluate", expression=ready, awaitPromise=True)
        return int(self.value("document.documentElement.scrollHeight"))

    def value(self, expression: str) -> Any:
        """What a line of script gives in the page."""
        return self._call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def picture(self, width: int, top: int, height: int, grey: bool = False) -> bytes:
        """A part of the page as PNG; ``grey`` as it is seen without colours."""
        self._window(width, top + height)  # what lies outside of it may not be painted yet
        self._call("Emulation.setEmulatedVisionDeficiency", type="achromatopsia" if grey else "none")
        painted = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        self._call("Runtime.evaluate", expression=painted, awaitPromise=True)
        clip = {"x": 0, "y": top, "width": width, "height": height, "scale": 1}
        made = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(made["data"])

    def _window(self, width: int, height: int) -> None:
        """Make the window as large as that, and a telephone's where it is narrow."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        if not method.startswith("Target."):
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return dict(answer["result"])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            piece = os.read(self._read, 1 << 16)
            if not piece:
                raise RuntimeError("the browser ended")
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(line))
