"""One connection of a server: requests over HTTP/1.1 in, answers out, in bounded time and memory.

A request that is no request is answered with one line of JSON and a status of 400 and above, and the server goes on.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus
from socketserver import BaseRequestHandler
from typing import Protocol, cast

from edgeopt.serve.answers import Answers, Response, failure
from edgeopt.serve.channel import Channel
from edgeopt.serve.fields import LONGEST, HeaderError, fields
from edgeopt.serve.security import Security
from edgeopt.serve.tensors import HEADER
from edgeopt.serve.watchdog import WATCHDOG

LINGER = 1.0  # seconds for a client to notice that its request was refused


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


class Handler(BaseRequestHandler):
    """One connection."""

    @property
    def serving(self) -> Serving:
        """The server, whose type the standard library does not know."""
        return cast(Serving, self.server)

    def handle(self) -> None:
        """Requests, until one end of the connection wants no more."""
        self._keeps, self._channel = True, Channel(self.request)
        while self._keeps:
            self._one()

    def _one(self) -> None:
        """One request from its first byte to the last of its answer, in bounded time."""
        with WATCHDOG.until(time.monotonic() + self.serving.limits.request, self.request):
            line = self._channel.readline(LONGEST + 1)
            self._keeps = bool(line)
            try:
                if line:
                    self._respond(*self._read(line))
            except HeaderError as error:
                self._refuse(error.status, str(error))

    def _read(self, line: bytes) -> tuple[str, str]:
        """Method and path, from the first line; the fields behind it are read, too. Raises HeaderError."""
        if len(line) > LONGEST:
            raise HeaderError("the path is too long", 414)
        words = line.decode("latin-1").split()
        if len(words) != 3 or not words[2].startswith("HTTP/"):
            raise HeaderError("this is no request of HTTP/1.1")
        if words[2] not in ("HTTP/1.0", "HTTP/1.1"):
            raise HeaderError("this version of HTTP is not understood", 505)
        self._fields = fields(self._channel)
        connection = self._fields.get("connection", "").lower()
        self._keeps = connection == "keep-alive" or (words[2] == "HTTP/1.1" and connection != "close")
        return words[0], words[1]

    def _respond(self, method: str, path: str) -> None:
        if method not in ("GET", "POST"):
            self._refuse(501, f"the method {method[:20]} is not understood")
        elif not self.serving.security.allows(self._fields.get("authorization", "")):
            self._refuse(401, "a token is needed: Authorization: Bearer TOKEN")
        elif method == "GET":
            self._keeps &= self._fields.get("content-length", "0") == "0"  # a body here would be taken for the next request
            self._answer(self.serving.answers.get(path))
        else:
            body = self._body()
            if body is not None:
                self._answer(self.serving.answers.post(path, body, self._fields.get(HEADER.lower())))

    def _body(self) -> memoryview | None:
        """The body of the request, or None when it was refused."""
        length = self._fields.get("content-length", "")
        if not length.isascii() or not length.isdigit() or "transfer-encoding" in self._fields:
            return self._refuse(411, "Content-Length is needed")
        if len(length) > 18 or int(length) > self.serving.largest:
            return self._refuse(413, f"more than {self.serving.largest} bytes")
        if self._fields.get("content-encoding", "identity") != "identity":
            return self._refuse(415, "compressed requests are not understood")
        if self._fields.get("expect", "").lower() == "100-continue":
            self._channel.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self._channel.read(int(length))
        return body if len(body) == int(length) else self._refuse(400, "the request ended early")

    def _refuse(self, status: int, reason: str) -> memoryview | None:
        """Answer and close: what the client sends next cannot be told from the body."""
        self._keeps = False
        self._answer(failure(status, reason))
        with WATCHDOG.until(time.monotonic() + LINGER, self.request):
            self._channel.end()
        return None

    def _answer(self, response: Response) -> None:
        lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}", "Server: edgeopt"]
        lines += [f"{name}: {value}" for name, value in response.headers.items()]
        if not self._keeps:
            lines.append("Connection: close")
        self._channel.send(("\r\n".join(lines) + "\r\n\r\n").encode(), response.head, response.data)
