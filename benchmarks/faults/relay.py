"""A link on the loopback interface that can be throttled, silenced, cut and made to damage answers: a small TCP relay."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

CHUNK = 4096


class Relay:
    """Passes connections to its own port on to ``port``. ``state`` may change at any time.

    ``open``; ``throttled`` to ``rate`` bytes per second; ``silent``: bytes stay where they are until another state;
    ``cut``: connections are reset and new ones refused; ``damaging``: one bit of each chunk of an answer is flipped.
    """

    def __init__(self, port: int, rate: float) -> None:
        self._target, self._rate, self._state = port, rate, "open"
        self._changed = threading.Condition()
        self._ends: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.port = 0
        self._listen()

    def set(self, state: str) -> None:
        """Go over to ``state``."""
        with self._changed:
            self._state = state
            self._changed.notify_all()
        if state == "cut":
            self.close()
        elif self._listener is None:
            self._listen()

    def close(self) -> None:
        """Refuse new connections and reset the ones there are."""
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for end in list(self._ends):
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                end.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self._target), timeout=5)
                except OSError:
                    near.close()
                    continue
                far.settimeout(None)
                for end in (near, far):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._ends |= {near, far}
                for source, sink, back in ((near, far, False), (far, near, True)):
                    threading.Thread(target=self._pump, args=(source, sink, back), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, back: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(CHUNK):
                sink.sendall(self._through(piece, back))
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
            self._ends.discard(end)

    def _through(self, piece: bytes, back: bool) -> bytes:
        """``piece`` when the link has let it through, as it comes out."""
        with self._changed:
            self._changed.wait_for(lambda: self._state != "silent")
            state = self._state
        if state == "throttled":
            time.sleep(len(piece) / self._rate)
        if state == "damaging" and back:
            place = len(piece) // 2
            return piece[:place] + bytes([piece[place] ^ 4]) + piece[place + 1 :]
        return piece
