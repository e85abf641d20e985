"""Requests that are none: noise, lies about sizes, damaged JSON, damaged copies of a good request, connections that end early."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.serving.server import X
from edgeopt.serve.tensors import HEADER, message

PATIENCE = 10.0  # seconds for an answer


def _post(body: bytes, length: object = None, header: object = None) -> bytes:
    head = f"POST /v2/models/echo/infer HTTP/1.1\r\nContent-Length: {len(body) if length is None else length}\r\n"
    return (head + (f"{HEADER}: {header}\r\n" if header is not None else "") + "\r\n").encode() + body


def _good() -> tuple[bytes, bytes]:
    head, blob = message({}, "inputs", {"x": np.zeros(X.shape, np.float32)})
    return head, bytes(blob)


def noise(rng: random.Random) -> bytes:
    return rng.randbytes(rng.randrange(1, 400))


def damaged(rng: random.Random) -> bytes:
    """A good request with some bytes changed, the JSON or what is before it among them."""
    head, blob = _good()
    data = bytearray(_post(head + blob, header=len(head)))
    for _ in range(rng.randrange(1, 6)):
        data[rng.randrange(min(len(data), 500))] = rng.randrange(256)
    return bytes(data)


def short(rng: random.Random) -> bytes:
    """A good request that ends early."""
    head, blob = _good()
    data = _post(head + blob, header=len(head))
    return data[: rng.randrange(1, len(data))]


def sizes(rng: random.Random) -> bytes:
    """Lengths that are not those of the body."""
    length = rng.choice([-1, "", "1e9", 10**30, 1 << 40, 99_999_999, "0x10", "5, 5"])
    return _post(rng.randbytes(rng.randrange(50)), length, rng.choice([None, -1, 10**9, "a", 3]))


def nested(rng: random.Random) -> bytes:
    """JSON that is deep, or whose numbers are large."""
    deep = rng.randrange(1, 40_000)
    return _post(rng.choice([b"[" * deep, b'{"inputs":' * deep, b"9" * deep, b'{"inputs":[' + b"1e999," * deep]))


def fields(rng: random.Random) -> bytes:
    """Well-formed JSON whose fields have values that they cannot have."""
    strange: list[Any] = [None, -1, 2**70, 1e300, "x" * 1000, [], [[]], {}, True, [2**31] * 20, ["a"]]
    row: dict[str, Any] = {
        "name": "x",
        "shape": [1, 4],
        "datatype": "FP32",
        "data": [1.0] * 4,
        "parameters": {"binary_data_size": 16},
    }
    row[rng.choice(list(row))] = rng.choice(strange)
    record = {"inputs": rng.choice([[row], [row, row], row, rng.choice(strange)]), "outputs": rng.choice(strange)}
    record["parameters"] = rng.choice(strange)
    return _post(json.dumps(record).encode())


def paths(rng: random.Random) -> bytes:
    path = "/".join(rng.choice(["v2", "models", "echo", "..", "%00", "infer", "x" * rng.randrange(5000)]) for _ in range(6))
    return f"{rng.choice(['GET', 'PUT', 'BREW', 'POST'])} /{path} HTTP/{rng.choice(['1.1', '0.9', '9.9'])}\r\n\r\n".encode()


def headers(rng: random.Random) -> bytes:
    """More of them, or longer ones, than anybody sends."""
    many = "".join(f"X-{i}: {'y' * rng.randrange(200)}\r\n" for i in range(rng.randrange(1, 300)))
    return f"GET /v2 HTTP/1.1\r\n{many}\r\n".encode()


KINDS: tuple[Callable[[random.Random], bytes], ...] = (noise, damaged, short, sizes, nested, fields, paths, headers)


def send(port: int, data: bytes) -> bytes:
    """The first bytes of the answer to ``data``, empty where the server closes without one. Raises OSError when it is silent."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            return connection.recv(65536)
        except TimeoutError:
            raise
        except OSError:  # closed by the server, which reads no more than it must
            return b""


def storm(port: int, count: int, seed: int = 0) -> dict[str, int]:
    """Send ``count`` of them, and count the statuses of the answers; '' is none."""
    rng, found = random.Random(seed), dict[str, int]()
    for index in range(count):
        answer = send(port, KINDS[index % len(KINDS)](rng))
        status = answer.split(b" ")[1][:3].decode("ascii", "replace") if answer.startswith(b"HTTP/") else ""
        found[status] = found.get(status, 0) + 1
    return dict(sorted(found.items()))
