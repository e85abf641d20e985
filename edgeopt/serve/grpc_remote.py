"""A client of the Open Inference Protocol over gRPC: one server, a deadline on every call (extra ``serve``)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import grpc

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array
from edgeopt.serve.grpc_messages import MESSAGES, PACKAGE, SERVICE, Message
from edgeopt.serve.grpc_tensors import put, taken
from edgeopt.serve.remote import LARGEST, Reply, Unreachable
from edgeopt.serve.served import Signature, require_fits
from edgeopt.serve.tensors import Seal

RECONNECT = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 1000))


class GrpcRemote:
    """Calls one server at ``host:port``. Safe for several threads, which share its connection."""

    def __init__(self, address: str, token: str = "", certificate: Path | None = None) -> None:
        self.address = f"grpc://{address}"
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        options = (("grpc.max_receive_message_length", LARGEST - 1), ("grpc.max_send_message_length", -1), *RECONNECT)
        if certificate is None:
            self._channel = grpc.insecure_channel(address, options)
        else:
            self._channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(certificate.read_bytes()), options)
        self._call = self._channel.unary_unary(
            f"/{PACKAGE}.{SERVICE}/ModelInfer",
            MESSAGES["ModelInferRequest"].SerializeToString,
            MESSAGES["ModelInferResponse"].FromString,
        )
        self._seal = Seal()

    def infer(
        self, model: str, inputs: Mapping[str, Array], outputs: Sequence[Signature], deadline: float, batches: int = 64
    ) -> Reply:
        """The ``outputs`` of ``model``, before ``deadline``, a moment of ``time.monotonic``.

        Raises Unreachable when they do not arrive in time, are damaged, or are not what was asked for.
        """
        request = MESSAGES["ModelInferRequest"](model_name=model)
        put(request, "inputs", inputs)
        started = time.monotonic()
        try:
            reply = self._call(request, timeout=max(deadline - started, 0.0), metadata=self._metadata)
            found, sealed = taken(reply, "outputs")
            self._seal.require(sealed)
            require_fits(found, outputs, batches)
        except grpc.RpcError as error:
            raise Unreachable(f"{self.address}: {_reason(error)}") from error
        except EdgeoptError as error:
            raise Unreachable(f"{self.address}: {error}") from error
        return Reply(found, time.monotonic() - started, _taken(reply), request.ByteSize(), reply.ByteSize())

    def close(self) -> None:
        """Close the connection; no call is possible afterwards."""
        self._channel.close()


def _reason(error: grpc.RpcError) -> str:
    late = error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    return "did not answer in time" if late else f"{error.code().name}: {error.details()}"[:200]


def _taken(reply: Message) -> float:
    found = reply.parameters["seconds"].double_param if "seconds" in reply.parameters else 0.0
    return float(found) if 0 <= found < 1e9 else 0.0
