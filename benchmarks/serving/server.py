"""A server in a process of its own: ``python -m benchmarks.serving.server``. It says its ports in a line of JSON and serves until
its standard input ends.

What it serves takes a float32 tensor of 100 KB and gives it back: the cost of serving, and of no model.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeopt.ir import Array
from edgeopt.serve.served import Signature
from edgeopt.serve.server import Server

SIZE = 25_600  # numbers: 102,400 bytes
X = Signature("x", np.dtype(np.float32), (1, SIZE))
Y = Signature("y", X.dtype, X.shape)


def echo(listener: socket.socket) -> None:
    """Give every connection its bytes back, 100 KB at a time: what the machine takes without any protocol."""
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_echo, args=(connection,), daemon=True).start()


def _echo(connection: socket.socket) -> None:
    with connection, connection.makefile("rb") as stream:
        while len(body := stream.read(X.nbytes)) == X.nbytes:
            connection.sendall(body)


class Echo:
    """Gives back what it gets."""

    inputs: Sequence[Signature] = (X,)
    outputs: Sequence[Signature] = (Y,)

    def run(self, inputs: Mapping[str, Array], deadline: float | None) -> dict[str, Array]:
        return {"y": inputs["x"]}


@dataclass(frozen=True)
class Running:
    """A server that runs: its process, and its ports for HTTP, gRPC (0: there is none), and bytes that come back as they are."""

    pid: int
    http: int
    grpc: int
    bare: int

    def resident(self) -> int:
        """Bytes of memory that it holds."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS:"))


@contextmanager
def running(grpc: bool = False) -> Iterator[Running]:
    """The server in a process of its own, as long as the block lasts."""
    command = [sys.executable, "-m", "benchmarks.serving.server", *(["--grpc"] if grpc else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield Running(process.pid, **json.loads(process.stdout.readline()))
        finally:
            process.stdin.close()


def main() -> None:
    """Serve."""
    server, port = Server({"echo": Echo()}, port=0), 0
    server.start()
    if "--grpc" in sys.argv:
        from edgeopt.serve.grpc_server import GrpcServer

        beside = GrpcServer(server.models, port=0)
        beside.start()
        port = beside.address[1]
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=echo, args=(listener,), daemon=True).start()
    print(json.dumps({"http": server.address[1], "grpc": port, "bare": listener.getsockname()[1]}), flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
