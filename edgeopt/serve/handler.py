"""One connection of a server: the Open Inference Protocol, health, metadata and metrics.

A request that is no request is answered with one line of JSON and a status of 400 and above, and the server goes on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar, Protocol, cast

from edgeopt import __version__
from edgeopt.errors import EdgeoptError
from edgeopt.serve.metrics import Metrics
from edgeopt.serve.security import Security
from edgeopt.serve.served import Served, require_fits
from edgeopt.serve.tensors import HEADER, WireError, message, parsed, tensors
from edgeopt.serve.watchdog import WATCHDOG


@dataclass(frozen=True)
class Limits:
    """``request`` seconds from one request of a connection to the next; ``batches`` in one request; ``connections`` at once."""

    request: float = 60.0
    batches: int = 64
    connections: int = 256


class Serving(Protocol):
    """What a connection knows of its server; ``largest`` is the most bytes of a body."""

    models: dict[str, Served]
    security: Security
    limits: Limits
    metrics: Metrics
    largest: int


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "edgeopt", ""
    wbufsize = 1 << 16
    error_content_type = "application/json"
    error_message_format = '{"error": "%(code)d %(message)s"}'
    _GET: ClassVar[Mapping[tuple[str, ...], str]] = {
        ("v2",): "_about", ("v2", "health", "live"): "_live", ("v2", "health", "ready"): "_live", ("metrics",): "_metrics",
    }  # fmt: skip

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
        if not self._allowed():
            return
        path = self._path()
        if path in self._GET:
            getattr(self, self._GET[path])()
            return
        model = self._model(path)
        if model is None:
            self._fail(404, "there is nothing at this path")
        elif path[-1] == "ready":
            self._answer(200, b"{}")
        else:
            self._describe(path[2], model)

    def do_POST(self) -> None:
        """Inference."""
        body = self._body() if self._allowed() else None
        if body is None:
            return
        path = self._path()
        model = self._model(path)
        if model is None or path[-1] != "infer":
            self._fail(404, f"there is no model at this path; there are {', '.join(self.serving.models)}")
            return
        started = time.monotonic()
        try:
            self._infer(path[2], model, body, started)
            self.serving.metrics.count(path[2], "ok", time.monotonic() - started)
        except WireError as error:
            self.serving.metrics.count(path[2], "refused")
            self._fail(400, str(error))
        except EdgeoptError as error:
            self.serving.metrics.count(path[2], "failed")
            self._fail(503, str(error))

    def _infer(self, name: str, model: Served, body: bytes, started: float) -> None:
        record, blob = parsed(body, self.headers.get(HEADER))
        inputs = tensors(record, "inputs", blob)
        require_fits(inputs, model.inputs, self.serving.limits.batches)
        wanted, binary = _wanted(record, [port.name for port in model.outputs])
        begun = time.monotonic()
        made = model.run(inputs, _deadline(record, started))
        taken = {"seconds": time.monotonic() - begun}  # so that a client can tell the link from the work
        reply: dict[str, Any] = {"model_name": name, "model_version": "1", "parameters": taken}
        if isinstance(record.get("id"), str):
            reply["id"] = record["id"][:256]
        head, data = message(reply, "outputs", {key: made[key] for key in wanted}, binary)
        self._answer(200, head, data, binary)

    def _allowed(self) -> bool:
        if not self.serving.security.allows(self.headers.get("Authorization", "")):
            self.close_connection = True
            self._fail(401, "a token is needed: Authorization: Bearer TOKEN")
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
        self._fail(status, reason)
        return None

    def _path(self) -> tuple[str, ...]:
        return tuple(part for part in self.path.split("?")[0].split("/") if part)

    def _model(self, path: tuple[str, ...]) -> Served | None:
        """The model of /v2/models/NAME[/versions/1][/ready|/infer]."""
        rest = path[3:][2:] if path[3:5] == ("versions", "1") else path[3:]
        fits = path[:2] == ("v2", "models") and len(path) > 2 and rest in ((), ("ready",), ("infer",))
        return self.serving.models.get(path[2]) if fits else None

    def _about(self) -> None:
        about = {"name": "edgeopt", "version": __version__, "extensions": ["binary_tensor_data"]}
        self._answer(200, json.dumps(about).encode())

    def _live(self) -> None:
        self._answer(200, b"{}")

    def _metrics(self) -> None:
        self._answer(200, self.serving.metrics.text().encode(), kind="text/plain; version=0.0.4")

    def _describe(self, name: str, model: Served) -> None:
        ports = {"inputs": [p.described() for p in model.inputs], "outputs": [p.described() for p in model.outputs]}
        self._answer(200, json.dumps({"name": name, "versions": ["1"], "platform": "edgeopt", **ports}).encode())

    def _fail(self, status: int, reason: str) -> None:
        self._answer(status, json.dumps({"error": reason}).encode())

    def _answer(self, status: int, head: bytes, data: bytes = b"", binary: bool = False, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream" if binary else kind)
        self.send_header("Content-Length", str(len(head) + len(data)))
        if binary:
            self.send_header(HEADER, str(len(head)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(head)
        self.wfile.write(data)
        self.wfile.flush()


def _wanted(record: Mapping[str, Any], outputs: list[str]) -> tuple[list[str], bool]:
    """The names of the outputs to send, and whether as binary data. Raises WireError for one that does not exist."""
    parameters = record.get("parameters")
    binary = isinstance(parameters, dict) and parameters.get("binary_data_output") is True
    rows = record.get("outputs")
    if not rows:
        return outputs, binary
    if not isinstance(rows, list) or not all(isinstance(row, dict) and row.get("name") in outputs for row in rows):
        raise WireError(f"an output is asked for that there is not; there are {', '.join(outputs)}")
    asked = [row.get("parameters") for row in rows]
    return [row["name"] for row in rows], binary or any(isinstance(p, dict) and p.get("binary_data") is True for p in asked)


def _deadline(record: Mapping[str, Any], started: float) -> float | None:
    """The moment until which an answer is of use: the parameter ``deadline_ms`` counts from the arrival of the request."""
    parameters = record.get("parameters")
    wanted = parameters.get("deadline_ms") if isinstance(parameters, dict) else None
    if isinstance(wanted, bool) or not isinstance(wanted, (int, float)) or not 0 < wanted < 1e9:
        return None
    return started + wanted / 1e3
