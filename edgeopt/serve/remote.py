"""A client of the Open Inference Protocol: one server, connections kept open, a deadline on every call."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array
from edgeopt.serve.channel import Channel
from edgeopt.serve.fields import LONGEST, HeaderError, fields
from edgeopt.serve.served import Signature, require_fits
from edgeopt.serve.tensors import HEADER, Seal, checksum, message, parsed, tensors
from edgeopt.serve.watchdog import WATCHDOG

LARGEST = 1 << 31  # bytes of an answer
LARGEST_HEAD = 1 << 20


class Unreachable(EdgeoptError):
    """A server that gave no usable answer in time: refused, silent, slow, damaged or wrong."""


@dataclass(frozen=True)
class Reply:
    """``outputs`` by name; ``seconds`` from request to answer, ``taken`` of which by the server's work, and bytes each way."""

    outputs: dict[str, Array]
    seconds: float
    taken: float
    sent: int
    received: int


class Remote:
    """Calls one server at ``host:port``. Safe for several threads, each of which has a connection of its own.

    ``binary``: tensors are sent as binary data, an extension of the protocol that some servers lack.
    """

    def __init__(self, address: str, token: str = "", certificate: Path | None = None, binary: bool = True) -> None:
        self.address, self._token, self._binary = address, token, binary
        host, _, port = address.rpartition(":")
        numbered = port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16
        if not host or not numbered or not (address + token).isascii() or not (address + token).isprintable():
            raise EdgeoptError(f"{address!r} is no address of a server, or its token is none; write HOST:PORT and ASCII")
        self._host, self._port, self._authority = host.strip("[]"), int(port), address
        self._context = ssl.create_default_context(cafile=str(certificate)) if certificate is not None else None
        self._local = threading.local()
        self._seal = Seal()

    def infer(
        self, model: str, inputs: Mapping[str, Array], outputs: Sequence[Signature], deadline: float, batches: int = 64
    ) -> Reply:
        """The ``outputs`` of ``model``, before ``deadline``, a moment of ``time.monotonic``.

        Raises Unreachable when they do not arrive in time, are damaged, or are not what was asked for.
        """
        wanted = {"parameters": {"binary_data_output": self._binary, "deadline_ms": 1e3 * self._left(deadline)}}
        head, data = message(wanted, "inputs", inputs, self._binary)
        started = time.monotonic()
        try:
            body, header = self._exchange(f"/v2/models/{model}/infer", head, data, deadline)
            record, blob = parsed(body, header)
            self._seal.require(checksum(record) is not None)
            found = tensors(record, "outputs", blob)
            require_fits(found, outputs, batches)
        except Unreachable:
            self.close()
            raise
        except (EdgeoptError, OSError, ValueError) as error:
            self.close()
            self._left(deadline)  # late is why, whatever the socket says of its end
            raise Unreachable(f"{self.address}: {error or type(error).__name__}") from error
        return Reply(found, time.monotonic() - started, _taken(record), len(head) + len(data), len(body))

    def close(self) -> None:
        """Close this thread's connection; the next call opens another."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
            self._local.connection = self._local.channel = None

    def _exchange(self, path: str, head: bytes, data: bytes | memoryview, deadline: float) -> tuple[memoryview, str | None]:
        """Send one request and read the answer. A kept connection that the server has closed meanwhile is opened once more."""
        kept = getattr(self._local, "connection", None) is not None
        try:
            return self._once(path, head, data, deadline)
        except ConnectionError:
            self.close()
            if not kept or time.monotonic() >= deadline:
                raise
            return self._once(path, head, data, deadline)

    def _once(self, path: str, head: bytes, data: bytes | memoryview, deadline: float) -> tuple[memoryview, str | None]:
        kept, channel = self._kept(deadline)
        with WATCHDOG.until(deadline, kept):
            channel.send(self._request(path, len(head), len(data)), head, data)
            status, found = _header(channel)
            body = self._read(channel, found.get("content-length", ""))
        if found.get("connection", "").lower() == "close":
            self.close()
        if status != 200:
            raise Unreachable(f"{self.address} answers {status}: {_reason(body)}")
        return body, found.get(HEADER.lower())

    def _request(self, path: str, head: int, data: int) -> bytes:
        """The request line and headers of a body of ``head`` bytes of JSON and ``data`` behind it."""
        lines = [f"POST {quote(path)} HTTP/1.1", f"Host: {self._authority}", f"Content-Length: {head + data}"]
        if self._binary:
            lines += [f"{HEADER}: {head}", "Content-Type: application/octet-stream"]
        else:
            lines.append("Content-Type: application/json")
        if self._token:
            lines.append(f"Authorization: Bearer {self._token}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def _kept(self, deadline: float) -> tuple[socket.socket, Channel]:
        """This thread's connection, opened when there is none, with TLS agreed on before ``deadline``."""
        connection: socket.socket | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = socket.create_connection((self._host, self._port), self._left(deadline))
            self._local.connection = connection
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                secure = self._context.wrap_socket(connection, server_hostname=self._host, do_handshake_on_connect=False)
                self._local.connection = connection = secure
                with WATCHDOG.until(deadline, secure):  # its timeout counts from each byte anew
                    secure.do_handshake()
            connection.settimeout(None)  # from here on the watchdog ends what takes too long
            self._local.channel = Channel(connection)
        return connection, self._local.channel

    def _read(self, channel: Channel, length: str) -> memoryview:
        if not length.isascii() or not length.isdigit() or len(length) > 10 or int(length) > LARGEST:
            raise Unreachable(f"{self.address} does not say how long its answer is, or that it is longer than any")
        body = channel.read(int(length))
        if len(body) != int(length):
            raise Unreachable(f"{self.address} ended its answer early")
        return body

    def _left(self, deadline: float) -> float:
        left = deadline - time.monotonic()
        if left <= 0:
            raise Unreachable(f"{self.address} did not answer in time")
        return left


def _header(channel: Channel) -> tuple[int, dict[str, str]]:
    """Status and fields of an answer. Raises ConnectionError where there is none, and HeaderError."""
    while True:
        line = channel.readline(LONGEST)
        if not line:
            raise ConnectionError("the connection was closed without an answer")
        words = line.split(None, 2)
        if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
            raise HeaderError("this is no answer of HTTP/1.1")
        found = fields(channel)
        if int(words[1]) != 100:
            return int(words[1]), found


def _taken(record: Mapping[str, Any]) -> float:
    parameters = record.get("parameters")
    found = parameters.get("seconds") if isinstance(parameters, dict) else None
    return float(found) if isinstance(found, (int, float)) and 0 <= found < 1e9 else 0.0


def _reason(body: memoryview) -> str:
    try:
        found = json.loads(bytes(body[:LARGEST_HEAD]))
        return str(found["error"])[:200]
    except (ValueError, TypeError, KeyError, RecursionError):
        return "no reason given"
