"""Ends connections that take too long, however they do it: silent, slow, or a byte at a time."""

from __future__ import annotations

import heapq
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

SPARE = 256  # deadlines of blocks that have ended, which are kept until there are more


class Watchdog:
    """One thread that shuts sockets down at their deadlines; the timeout of a socket counts from its last byte anew."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._serial = itertools.count()
        self._watched: list[tuple[float, int]] = []
        self._sockets: dict[int, socket.socket] = {}
        self._thread: threading.Thread | None = None

    @contextmanager
    def until(self, deadline: float, watched: socket.socket) -> Iterator[None]:
        """Shut ``watched`` down if the block lasts longer than ``deadline``, a moment of ``time.monotonic``."""
        serial = next(self._serial)
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="edgeopt-watchdog", daemon=True)
                self._thread.start()
            self._sockets[serial] = watched
            heapq.heappush(self._watched, (deadline, serial))
            if self._watched[0][1] == serial:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._sockets.pop(serial, None)
                if len(self._watched) > 2 * len(self._sockets) + SPARE:  # those that ended in time, long before their deadlines
                    self._watched = sorted(entry for entry in self._watched if entry[1] in self._sockets)

    def _watch(self) -> None:
        while True:
            with self._changed:
                while self._watched and self._watched[0][1] not in self._sockets:
                    heapq.heappop(self._watched)
                wait = self._watched[0][0] - time.monotonic() if self._watched else None
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                    continue
                found = self._sockets.pop(heapq.heappop(self._watched)[1], None)
            if found is not None:
                with suppress(OSError):
                    found.shutdown(socket.SHUT_RDWR)


WATCHDOG = Watchdog()
