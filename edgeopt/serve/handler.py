"""One connection of a server: requests over HTTP/1.1 in, answers out, in bounded time and memory.

A request that is no request is answered with one line of JSON and a status of 400 and above, and the server goes on.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol, cast

from edgeopt.serve.answers import Answers, Response, failure
from edgeopt.serve.security import Security
from edgeopt.serve.tensors import HEADER
from edgeopt.serve.watchdog import WATCHDOG


@dataclass(frozen=True)
class Limits:
    """``request`` seconds from one request of a connection to the next; ``batches`` in one request; ``connections`` at once."""

    request: float = 60.0
    batches: int = 64
    connections: int = 256


class Serving(Protocol):
    """What a connection knows of its server; ``largest`` is the most bytes of a body."""

    answers: Answers
    security: Security
    limits: Limits
    largest: int


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "edgeopt", ""
    wbufsize = 1 << 18  # an answer of that size leaves at once
    error_content_type = "application/json"
    error_message_format = '{"error": "%(code)d %(message)s"}'

    @property
    def serving(self) -> Serving:
        """The server, whose type the standard library does not know."""
        return cast(Serving, self.server)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: counters are at /metrics."""

    def handle_one_request(self) -> None:
        """One request from its first byte to the last of its answer, in bounded time."""
        with WATCHDOG.until(time.monotonic() + self.serving.limits.request, self.connection):
            super().handle_one_request()

    def do_GET(self) -> None:
        """Health, metadata and metrics."""
        if self._allowed():
            self._answer(self.serving.answers.get(self.path))

    def do_POST(self) -> None:
        """Inference."""
        body = self._body() if self._allowed() else None
        if body is not None:
            self._answer(self.serving.answers.post(self.path, body, self.headers.get(HEADER)))

    def _allowed(self) -> bool:
        if not self.serving.security.allows(self.headers.get("Authorization", "")):
            self._refuse(401, "a token is needed: Authorization: Bearer TOKEN")
            return False
        return True

    def _body(self) -> bytes | None:
        """The body of the request, or None when it was refused."""
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or "Transfer-Encoding" in self.headers:
            return self._refuse(411, "Content-Length is needed")
        if len(length) > 18 or int(length) > self.serving.largest:
            return self._refuse(413, f"more than {self.serving.largest} bytes")
        if self.headers.get("Content-Encoding", "identity") != "identity":
            return self._refuse(415, "compressed requests are not understood")
        body = self.rfile.read(int(length))
        return body if len(body) == int(length) else self._refuse(400, "the request ended early")

    def _refuse(self, status: int, reason: str) -> bytes | None:
        """Answer and close: what the client sends next cannot be told from the body."""
        self.close_connection = True
        self._answer(failure(status, reason))
        return None

    def _answer(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(response.head)
        self.wfile.write(response.data)
        self.wfile.flush()
