"""The server: compiled models over HTTP/1.1, on the standard library alone.

Nothing a client sends can take more than the largest batch of a model in memory, hold a thread longer than a request may take, or
open more than so many connections.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from http.server import ThreadingHTTPServer
from typing import Any

from edgeopt.errors import EdgeoptError
from edgeopt.serve.answers import Answers
from edgeopt.serve.handler import Handler, Limits
from edgeopt.serve.metrics import Metrics
from edgeopt.serve.security import Security
from edgeopt.serve.served import Served, largest_request
from edgeopt.serve.watchdog import WATCHDOG


class Server(ThreadingHTTPServer):
    """Serves ``models`` by name until ``shutdown``. Raises EdgeoptError for an address that cannot be used."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        models: Mapping[str, Served],
        host: str = "127.0.0.1",
        port: int = 8000,
        security: Security | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.models, self.security, self.limits = dict(models), security or Security(), limits or Limits()
        self.metrics = Metrics()
        self.answers = Answers(self.models, self.limits.batches, self.metrics)
        self.security.require_enough(host)
        self._context = self.security.wrapped()
        self._open: set[socket.socket] = set()
        self._slots = threading.BoundedSemaphore(self.limits.connections)
        self.largest = largest_request(self.models.values(), self.limits.batches)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), Handler)
        except OSError as error:
            reason = error.strerror or error
            raise EdgeoptError(f"cannot serve on {host}:{port}: {reason}; choose another --host or --port") from error

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, which the system chose when it was 0."""
        return str(self.server_address[0]), int(self.server_address[1])

    def start(self) -> None:
        """Serve from a thread of its own."""
        threading.Thread(target=self.serve_forever, name="edgeopt-serve", daemon=True).start()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the connection a thread, or close it when there are too many."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection; TLS is agreed on here, so that a slow client holds up nobody else."""
        try:
            request.settimeout(None)  # the watchdog ends what takes too long
            request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                request = self._context.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
                with WATCHDOG.until(time.monotonic() + self.limits.request, request):
                    request.do_handshake()
            self._open.add(request)
            super().process_request_thread(request, client_address)
        except OSError:
            self.shutdown_request(request)
        finally:
            self._open.discard(request)
            self._slots.release()

    def server_close(self) -> None:
        """Close the address and every connection."""
        super().server_close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is no news."""
