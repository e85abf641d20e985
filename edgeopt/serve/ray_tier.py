"""Served models on Ray Serve, for a tier that one process is not enough for (extra ``ray``).

Each replica is a process with models of its own; requests that arrive together run as one batch. Ray opens a dozen ports. On the
loopback interface all of them are kept there: by the environment variable that tells Ray not to form clusters (so it must not be
imported before), by the address of its HTTP proxy, and in each replica, whose own port Ray opens everywhere whatever it is told.
What listens is looked at in the end.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from edgeopt.errors import EdgeoptError
from edgeopt.serve.answers import Answers, Asked, Response, failure
from edgeopt.serve.batches import run_together
from edgeopt.serve.listening import beyond_loopback
from edgeopt.serve.metrics import Metrics
from edgeopt.serve.security import Security, is_loopback
from edgeopt.serve.served import Served, largest_request
from edgeopt.serve.tensors import HEADER

BATCHES = 64  # samples in one request, or together
WAIT = 0.001  # seconds that a request waits for others
OBJECTS = 128 << 20  # bytes of Ray's store of objects, which nothing here uses
LOCAL = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}

Load = Callable[[], Mapping[str, Served]]


def start(load: Load, host: str, port: int, security: Security, replicas: int) -> None:
    """Serve what ``load`` gives in each of ``replicas`` processes until ``stop``.

    Raises EdgeoptError without Ray, for TLS, and when something listens beyond the loopback interface that ``host`` is on.
    """
    security.require_enough(host)
    if security.certificate is not None:
        raise EdgeoptError("Ray Serve is served without TLS; put a proxy in front of it that ends TLS")
    local = is_loopback(host)
    os.environ.update(LOCAL if local else {"RAY_USAGE_STATS_ENABLED": "0"})  # read when Ray is imported
    ray, serve = _ray()
    ray.init(
        address="local", num_cpus=replicas + 1, include_dashboard=False, object_store_memory=OBJECTS, log_to_driver=False,
        **({"_node_ip_address": "127.0.0.1"} if local else {}),
    )  # fmt: skip
    serve.start("HeadOnly", http_options={"host": host, "port": port})
    deployment = serve.deployment(Replica, num_replicas=replicas, max_ongoing_requests=4 * BATCHES)
    serve.run(deployment.bind(load, security.token, local), name="edgeopt", route_prefix="/")
    found = beyond_loopback(os.getpid()) if local else []
    if found:
        stop()
        raise EdgeoptError(f"Ray listens beyond the loopback interface, on ports {found}: imported too early, or too new")


def stop() -> None:
    """End all replicas."""
    ray, serve = _ray()
    serve.shutdown()
    ray.shutdown()


class Replica:
    """One process. Ray calls it with each request."""

    def __init__(self, load: Load, token: str, local: bool) -> None:
        _, serve = _ray()
        if local:
            _keep_local()
        self._answers, self._security = Answers(load(), BATCHES, Metrics()), Security(token)
        self._largest = largest_request(self._answers.models.values(), BATCHES)
        self._together = serve.batch(_run, max_batch_size=BATCHES, batch_wait_timeout_s=WAIT)

    async def __call__(self, request: Any) -> Any:
        from starlette.responses import Response as Reply

        found = await self._respond(request)
        return Reply(found.head + bytes(found.data), found.status, found.headers)

    async def _respond(self, request: Any) -> Response:
        path, headers = request.url.path, request.headers
        if not self._security.allows(headers.get("authorization", "")):
            return failure(401, "a token is needed: Authorization: Bearer TOKEN")
        if request.method == "GET":  # each replica counts for itself, so that counters are Ray's
            return failure(404, "there is nothing at this path") if path == "/metrics" else self._answers.get(path)
        length = headers.get("content-length", "")
        if not length.isdigit() or int(length) > self._largest:
            return failure(413, f"more than {self._largest} bytes")
        body = await request.body()
        try:
            asked = self._answers.asked(path, body, headers.get(HEADER))
            found: Response = await self._together(asked)
        except EdgeoptError as error:
            return self._answers.counted(path, _raising(error))
        return found


def _raising(error: EdgeoptError) -> Callable[[], Response]:
    def answer() -> Response:
        raise error

    return answer


async def _run(asked: list[Asked]) -> list[Response]:
    """The answers to requests that arrived together, in a thread, so that others can be read meanwhile."""
    begun = time.monotonic()
    made = await asyncio.to_thread(run_together, asked, BATCHES)
    seconds = time.monotonic() - begun
    return [
        failure(503, str(found)) if isinstance(found, EdgeoptError) else one.answered(found, seconds)
        for one, found in zip(asked, made, strict=True)
    ]


def _keep_local() -> None:
    """Bind the port of this replica to the loopback interface; Ray writes down every interface for it."""
    from ray.serve._private import replica

    bind = replica.add_port_to_grpc_server
    replica.add_port_to_grpc_server = lambda server, address: bind(server, address.replace("[::]", "127.0.0.1"))


def _ray() -> tuple[Any, Any]:
    try:
        import ray
        from ray import serve
    except ImportError as error:
        raise EdgeoptError(f"Ray Serve is not installed ({error}): pip install 'edgeopt[ray]'") from error
    return ray, serve
