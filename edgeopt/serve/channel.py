"""One end of a connection: lines in front of a message, its body in memory of its own, and answers that leave in one piece.

It blocks, without the timeouts of sockets, which would ask the system twice for every piece: whoever uses it has the connection
shut down at a deadline (``edgeopt.serve.watchdog``).
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress

import numpy as np

AHEAD = 4096  # bytes that are asked for where a message begins; little more than its lines, since the body is read into its place
UNREAD = 1 << 20  # bytes of a request that are thrown away after its refusal


class Channel:
    """``connection`` with what was read ahead of it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._ahead, self._at = connection, bytearray(), 0
        self._secure = isinstance(connection, ssl.SSLSocket)
        self._all = 0 if self._secure else socket.MSG_WAITALL

    def readline(self, size: int, /) -> bytes:
        """Up to the end of the line, at most ``size`` bytes; fewer where the stream ends."""
        searched = self._at
        while (end := self._ahead.find(b"\n", searched)) < 0 and len(self._ahead) - self._at < size:
            del self._ahead[: self._at]
            self._at, searched = 0, len(self._ahead)
            self._ahead += (more := self._connection.recv(AHEAD))
            if not more:
                break
        end = min(len(self._ahead) if end < 0 else end + 1, self._at + size)
        line, self._at = bytes(self._ahead[self._at : end]), end
        return line

    def read(self, size: int) -> memoryview:
        """``size`` bytes, which nobody else holds; fewer where the stream ends."""
        body = np.empty(size, np.uint8).data  # of memory that is not touched before something arrives
        here = min(size, len(self._ahead) - self._at)
        body[:here] = self._ahead[self._at : self._at + here]
        self._at += here
        while here < size and (more := self._connection.recv_into(body[here:], 0, self._all)):
            here += more
        return body[:here]

    def send(self, *parts: bytes | memoryview) -> None:
        """All ``parts`` at once, so that the other end wakes up once."""
        if self._secure:
            self._connection.sendall(b"".join(parts))
            return
        sent = self._connection.sendmsg(parts)
        if sent < sum(map(len, parts)):
            self._connection.sendall(memoryview(b"".join(parts))[sent:])

    def end(self) -> None:
        """Say that nothing follows, and let the other end finish, within reason: bytes that are not read would take what was sent

        away from it.
        """
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)
            left = UNREAD
            while left > 0 and (more := self._connection.recv(UNREAD >> 4)):
                left -= len(more)
