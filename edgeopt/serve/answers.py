"""What a server says to a request of the Open Inference Protocol over HTTP, whoever carries requests and answers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgeopt import __version__
from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array
from edgeopt.serve.metrics import Metrics
from edgeopt.serve.served import Served, require_fits
from edgeopt.serve.tensors import HEADER, WireError, message, parsed, tensors


class NoModel(EdgeoptError):
    """A path that names no model of the server."""


@dataclass(frozen=True)
class Response:
    """A status, JSON and the binary data behind it."""

    status: int
    head: bytes
    data: bytes | memoryview = b""
    binary: bool = False
    kind: str = "application/json"

    @property
    def headers(self) -> dict[str, str]:
        """What the client has to know of the body."""
        size = {"Content-Length": str(len(self.head) + len(self.data))}
        kind = {"Content-Type": "application/octet-stream" if self.binary else self.kind}
        return {**kind, **size, **({HEADER: str(len(self.head))} if self.binary else {})}


@dataclass(frozen=True)
class Asked:
    """A request that fits: ``outputs`` of ``model`` wanted for ``inputs`` until ``deadline``, a moment of time.monotonic."""

    name: str
    model: Served
    inputs: dict[str, Array]
    outputs: Sequence[str]
    binary: bool
    identity: str | None
    deadline: float | None
    started: float

    def answered(self, made: Mapping[str, Array], seconds: float) -> Response:
        """The answer; ``seconds`` of work let the client tell the link from it."""
        reply: dict[str, Any] = {"model_name": self.name, "model_version": "1", "parameters": {"seconds": seconds}}
        if self.identity is not None:
            reply["id"] = self.identity[:256]
        head, data = message(reply, "outputs", {key: made[key] for key in self.outputs}, self.binary)
        return Response(200, head, data, self.binary)


class Answers:
    """Answers of a server with ``models`` by name; at most ``batches`` in one request."""

    def __init__(self, models: Mapping[str, Served], batches: int, metrics: Metrics) -> None:
        self.models, self._batches, self.metrics = models, batches, metrics

    def get(self, path: str) -> Response:
        """Health, metadata and metrics."""
        parts = _parts(path)
        if parts == ("v2",):
            about = {"name": "edgeopt", "version": __version__, "extensions": ["binary_tensor_data"]}
            return Response(200, json.dumps(about).encode())
        if parts in (("v2", "health", "live"), ("v2", "health", "ready")):
            return Response(200, b"{}")
        if parts == ("metrics",):
            return Response(200, self.metrics.text().encode(), kind="text/plain; version=0.0.4")
        model = self._model(parts)
        if model is None:
            return failure(404, "there is nothing at this path")
        return Response(200, b"{}") if parts[-1] == "ready" else _described(parts[2], model)

    def post(self, path: str, body: bytes | memoryview, header: str | None) -> Response:
        """The outputs of a model, or why there are none."""
        return self.counted(path, lambda: self._run(self.asked(path, body, header)))

    def asked(self, path: str, body: bytes | memoryview, header: str | None) -> Asked:
        """The request in ``body``. Raises WireError for one that does not fit, and NoModel."""
        parts, started = _parts(path), time.monotonic()
        model = self._model(parts)
        if model is None or parts[-1] != "infer":
            raise NoModel(f"there is no model at this path; there are {', '.join(self.models)}")
        record, blob = parsed(body, header)
        inputs = tensors(record, "inputs", blob)
        require_fits(inputs, model.inputs, self._batches)
        outputs, binary = _wanted(record, [port.name for port in model.outputs])
        identity = record.get("id")
        return Asked(
            parts[2], model, inputs, outputs, binary, identity if isinstance(identity, str) else None,
            _deadline(record, started), started,
        )  # fmt: skip

    def counted(self, path: str, answer: Callable[[], Response]) -> Response:
        """What ``answer`` gives, or the error it raises as a response; counted."""
        started, name = time.monotonic(), (*_parts(path), "", "", "")[2]
        try:
            found = answer()
        except NoModel as error:
            return failure(404, str(error))
        except WireError as error:
            self.metrics.count(name, "refused")
            return failure(400, str(error))
        except EdgeoptError as error:
            self.metrics.count(name, "failed")
            return failure(503, str(error))
        self.metrics.count(name, "ok", time.monotonic() - started)
        return found

    def _run(self, asked: Asked) -> Response:
        begun = time.monotonic()
        made = asked.model.run(asked.inputs, asked.deadline)
        return asked.answered(made, time.monotonic() - begun)

    def _model(self, parts: tuple[str, ...]) -> Served | None:
        """The model of /v2/models/NAME[/versions/1][/ready|/infer]."""
        rest = parts[3:][2:] if parts[3:5] == ("versions", "1") else parts[3:]
        fits = parts[:2] == ("v2", "models") and len(parts) > 2 and rest in ((), ("ready",), ("infer",))
        return self.models.get(parts[2]) if fits else None


def failure(status: int, reason: str) -> Response:
    """A refusal with its reason."""
    return Response(status, json.dumps({"error": reason}).encode())


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("?")[0].split("/") if part)


def _described(name: str, model: Served) -> Response:
    ports = {"inputs": [p.described() for p in model.inputs], "outputs": [p.described() for p in model.outputs]}
    return Response(200, json.dumps({"name": name, "versions": ["1"], "platform": "edgeopt", **ports}).encode())


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
