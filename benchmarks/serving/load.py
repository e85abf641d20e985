"""Clients that ask one after the other, and how long their answers take."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.serving.server import X, Y
from edgeopt.ir import Array
from edgeopt.serve.remote import Reply
from edgeopt.serve.remotes import AnyRemote
from edgeopt.serve.served import Signature


@dataclass(frozen=True)
class Figures:
    """Milliseconds at the median and the 99th percentile, and requests per second of all clients."""

    median: float
    high: float
    rate: float


class Bare:
    """Bytes there and back over a socket, without a protocol."""

    def __init__(self, port: int) -> None:
        self.address = f"127.0.0.1:{port}"
        self._connection = socket.create_connection(("127.0.0.1", port))
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self._connection.makefile("rb")

    def infer(
        self, model: str, inputs: Mapping[str, Array], outputs: Sequence[Signature], deadline: float, batches: int = 64
    ) -> Reply:
        self._connection.sendall(inputs["x"].tobytes())
        body = self._stream.read(X.nbytes)
        return Reply({"y": np.frombuffer(body, X.dtype).reshape(X.shape)}, 0.0, 0.0, X.nbytes, X.nbytes)


def load(client: Callable[[], AnyRemote], clients: int, seconds: float) -> Figures:
    """``clients`` threads of this process ask for ``seconds``, each over a connection of its own."""
    x = np.random.default_rng(0).standard_normal(X.shape).astype(np.float32)
    times: list[list[float]] = [[] for _ in range(clients)]
    barrier = threading.Barrier(clients)
    ends = [0.0] * clients

    def ask(number: int) -> None:
        remote = client()
        remote.infer("echo", {"x": x}, [Y], time.monotonic() + 30)
        barrier.wait()
        begun = time.monotonic()
        while (started := time.monotonic()) < begun + seconds:
            reply = remote.infer("echo", {"x": x}, [Y], started + 30)
            times[number].append(time.monotonic() - started)
        assert np.array_equal(reply.outputs["y"], x)
        ends[number] = time.monotonic() - begun

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = [1e3 * t for one in times for t in one]
    median, high = np.quantile(every, (0.5, 0.99))
    return Figures(float(median), float(high), len(every) / max(ends))
