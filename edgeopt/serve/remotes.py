"""A server by its address: HOST:PORT over HTTP, grpc://HOST:PORT over gRPC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array
from edgeopt.serve.remote import Remote, Reply
from edgeopt.serve.served import Signature

GRPC = "grpc://"


class AnyRemote(Protocol):
    """A client of one server."""

    address: str

    def infer(
        self, model: str, inputs: Mapping[str, Array], outputs: Sequence[Signature], deadline: float, batches: int = 64
    ) -> Reply:
        """The outputs of ``model``; raises Unreachable."""


def remote(address: str, token: str = "", certificate: Path | None = None) -> AnyRemote:
    """The client for ``address``. Raises EdgeoptError for one that is none, and for gRPC without its packages."""
    if not address.startswith(GRPC):
        return Remote(address.removeprefix("http://"), token, certificate)
    require_grpc()
    from edgeopt.serve.grpc_remote import GrpcRemote

    return GrpcRemote(address.removeprefix(GRPC), token, certificate)


def require_grpc() -> None:
    """Raise EdgeoptError with the way out when grpcio is not installed."""
    try:
        import grpc  # noqa: F401
    except ImportError as error:
        raise EdgeoptError(f"gRPC needs a package that is not installed ({error}): pip install 'edgeopt[serve]'") from error
