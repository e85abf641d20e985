"""Compiled models over gRPC: the same models, limits and counters as over HTTP (extra ``serve``)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from edgeopt import __version__
from edgeopt.errors import EdgeoptError
from edgeopt.serve.grpc_messages import MESSAGES, METHODS, PACKAGE, SERVICE, Message
from edgeopt.serve.grpc_tensors import put, taken
from edgeopt.serve.handler import Limits
from edgeopt.serve.metrics import Metrics
from edgeopt.serve.security import Security
from edgeopt.serve.served import Served, Signature, largest_request, require_fits
from edgeopt.serve.tensors import WireError

WORKERS = 32  # requests that are computed at once; more wait


class GrpcServer:
    """Serves ``models`` by name from ``start`` to ``stop``. Raises EdgeoptError for an address that cannot be used."""

    def __init__(
        self,
        models: Mapping[str, Served],
        host: str = "127.0.0.1",
        port: int = 8001,
        security: Security | None = None,
        limits: Limits | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._models, self._security = dict(models), security or Security()
        self._limits, self._metrics = limits or Limits(), metrics or Metrics()
        self._security.require_enough(host)
        self._server = grpc.server(
            ThreadPoolExecutor(WORKERS, "edgeopt-grpc"),
            interceptors=(_Token(self._security),),
            options=(
                ("grpc.max_receive_message_length", largest_request(self._models.values(), self._limits.batches)),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),  # two servers on one port would share its requests
            ),
            maximum_concurrent_rpcs=self._limits.connections,
        )
        calls: dict[str, Callable[[Message, grpc.ServicerContext], Message]] = {
            "ServerLive": lambda r, c: MESSAGES["ServerLiveResponse"](live=True),
            "ServerReady": lambda r, c: MESSAGES["ServerReadyResponse"](ready=True),
            "ModelReady": lambda r, c: MESSAGES["ModelReadyResponse"](ready=r.name in self._models),
            "ServerMetadata": lambda r, c: MESSAGES["ServerMetadataResponse"](name="edgeopt", version=__version__),
            "ModelMetadata": self._describe,
            "ModelInfer": self._infer,
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                calls[name], MESSAGES[f"{name}Request"].FromString, MESSAGES[f"{name}Response"].SerializeToString
            )
            for name in METHODS
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(f"{PACKAGE}.{SERVICE}", handlers),))
        self.address = (host, self._listen(host, port))

    def start(self) -> None:
        """Serve from threads of its own."""
        self._server.start()

    def stop(self) -> None:
        """Refuse new requests and end the ones there are."""
        self._server.stop(0).wait()

    def _listen(self, host: str, port: int) -> int:
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._security.wrapped()  # says what is wrong with the files
        try:
            if self._security.certificate is None:
                return int(self._server.add_insecure_port(where))
            key = (self._security.key or self._security.certificate).read_bytes()
            credentials = grpc.ssl_server_credentials(((key, self._security.certificate.read_bytes()),))
            return int(self._server.add_secure_port(where, credentials))
        except RuntimeError as error:
            raise EdgeoptError(f"cannot serve gRPC on {where}: {error}; choose another --host or --grpc-port") from error

    def _describe(self, request: Message, context: grpc.ServicerContext) -> Message:
        model = self._model(request.name, context)
        ports = {"inputs": [_metadata(p) for p in model.inputs], "outputs": [_metadata(p) for p in model.outputs]}
        return MESSAGES["ModelMetadataResponse"](name=request.name, versions=["1"], platform="edgeopt", **ports)

    def _infer(self, request: Message, context: grpc.ServicerContext) -> Message:
        model, name, started = self._model(request.model_name, context), request.model_name, time.monotonic()
        left = context.time_remaining()
        try:
            reply = self._answer(model, request, None if left is None else started + left)
            self._metrics.count(name, "ok", time.monotonic() - started)
            return reply
        except WireError as error:
            self._metrics.count(name, "refused")
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except EdgeoptError as error:
            self._metrics.count(name, "failed")
            context.abort(grpc.StatusCode.UNAVAILABLE, str(error))

    def _answer(self, model: Served, request: Message, deadline: float | None) -> Message:
        inputs, _ = taken(request, "inputs")
        require_fits(inputs, model.inputs, self._limits.batches)
        names = [port.name for port in model.outputs]
        wanted = [row.name for row in request.outputs] or names
        if not set(wanted) <= set(names):
            raise WireError(f"an output is asked for that there is not; there are {', '.join(names)}")
        begun = time.monotonic()
        made = model.run(inputs, deadline)
        seconds = {"seconds": MESSAGES["InferParameter"](double_param=time.monotonic() - begun)}
        reply = MESSAGES["ModelInferResponse"](
            model_name=request.model_name, model_version="1", id=request.id, parameters=seconds
        )
        put(reply, "outputs", {key: made[key] for key in wanted})
        return reply

    def _model(self, name: str, context: grpc.ServicerContext) -> Served:
        if name not in self._models:
            context.abort(grpc.StatusCode.NOT_FOUND, f"there is no such model; there are {', '.join(self._models)}")
        return self._models[name]


class _Token(grpc.ServerInterceptor):  # type: ignore[misc]
    """Refuses calls that do not bear the token."""

    def __init__(self, security: Security) -> None:
        self._security = security
        self._refusal = grpc.unary_unary_rpc_method_handler(
            lambda _, context: context.abort(grpc.StatusCode.UNAUTHENTICATED, "a token is needed: authorization: Bearer TOKEN")
        )

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        found = dict(details.invocation_metadata).get("authorization", "")
        return continuation(details) if self._security.allows(found) else self._refusal


def _metadata(port: Signature) -> Message:
    return MESSAGES["TensorMetadata"](**port.described())
