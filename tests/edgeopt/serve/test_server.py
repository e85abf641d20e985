"""A served model answers as the model does; whatever else arrives is answered with a reason, and the server goes on."""

from __future__ import annotations

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array
from edgeopt.serve.handler import Limits
from edgeopt.serve.remote import Remote, Unreachable
from edgeopt.serve.security import Security
from edgeopt.serve.server import Server
from edgeopt.serve.tensors import HEADER, message
from tests.edgeopt.serve.doubling import ONE, Doubling, X, Y


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server({"double": Doubling(), "slow": Doubling(4.0)}, port=0, limits=Limits(request=2.0, batches=3))
    made.start()
    yield made
    made.shutdown()
    made.server_close()


def address(server: Server) -> str:
    return "{}:{}".format(*server.address)


def get(server: Server, path: str) -> bytes:
    with urllib.request.urlopen(f"http://{address(server)}{path}", timeout=5) as reply:
        return bytes(reply.read())


def soon(seconds: float = 5.0) -> float:
    return time.monotonic() + seconds


def raw(server: Server, data: bytes) -> bytes:
    """What the server says to these bytes, until it closes or falls silent."""
    with socket.create_connection(server.address, timeout=5) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        found = b""
        while piece := connection.recv(65536):
            found += piece
        return found


def infer(server: Server, x: Array, model: str = "double", deadline: float | None = None) -> Array:
    return Remote(address(server)).infer(model, {"x": x}, [Y], deadline or soon()).outputs["y"]


def test_answers_are_those_of_the_model(server: Server) -> None:
    np.testing.assert_array_equal(infer(server, ONE), 2 * ONE)
    two = np.concatenate([ONE, ONE])
    np.testing.assert_array_equal(infer(server, two), 2 * two)


def test_numbers_in_json_are_answered_in_json(server: Server) -> None:
    head, _ = message({"id": "a"}, "inputs", {"x": ONE}, binary=False)
    url = f"http://{address(server)}/v2/models/double/versions/1/infer"
    with urllib.request.urlopen(urllib.request.Request(url, head), timeout=5) as reply:
        record = json.loads(reply.read())
    assert record["id"] == "a" and record["model_name"] == "double"
    assert record["outputs"] == [{"name": "y", "shape": [1, 4], "datatype": "FP32", "data": [0.0, 2.0, 4.0, 6.0]}]


def test_health_metadata_and_metrics(server: Server) -> None:
    assert get(server, "/v2/health/live") == get(server, "/v2/health/ready") == get(server, "/v2/models/double/ready") == b"{}"
    assert json.loads(get(server, "/v2"))["extensions"] == ["binary_tensor_data"]
    about = json.loads(get(server, "/v2/models/double"))
    assert about["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [1, 4]}]
    infer(server, ONE)
    assert 'edgeopt_requests_total{model="double",result="ok"}' in get(server, "/metrics").decode()


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"z": ONE}, "wanted are"),
        ({"x": ONE.astype(np.float64)}, "is float64"),
        ({"x": ONE[:, :3]}, "wanted is float32"),
        ({"x": np.zeros((4, 4), np.float32)}, "wanted is float32"),
        ({"x": np.zeros((0, 4), np.float32)}, "wanted is float32"),
        ({"x": np.full((1, 4), np.nan, np.float32)}, "not a number"),
    ],
)
def test_a_request_that_does_not_fit_is_refused_with_the_reason(server: Server, inputs: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unreachable, match=reason):
        Remote(address(server)).infer("double", inputs, [Y], soon())
    np.testing.assert_array_equal(infer(server, ONE), 2 * ONE)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"\x00\xff\x00\n\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /v2/models/double/infer HTTP/1.1\r\n\r\n", b"411"),
        (b"POST /v2/models/double/infer HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (b"POST /v2/models/double/infer HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b"413"),
        (b"POST /v2/models/double/infer HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b"411"),
        (b"POST /v2/models/double/infer HTTP/1.1\r\nContent-Length: 9\r\nContent-Encoding: gzip\r\n\r\n", b"415"),
        (b"POST /v2/models/double/infer HTTP/1.1\r\nContent-Length: 9\r\n\r\n{}", b"400"),
        (b"POST /v2/models/none/infer HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", b"404"),
        (b"POST /v2/models/double/infer HTTP/1.1\r\nContent-Length: 2\r\n\r\n[]", b"400"),
        (b"DELETE /v2 HTTP/1.1\r\n\r\n", b"501"),
        (b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n", b"414"),
    ],
)
def test_malformed_requests_get_a_status(server: Server, request_: bytes, status: bytes) -> None:
    assert status in raw(server, request_).split(b"\r\n")[0].split(b"{")[-1] or status in raw(server, request_)
    np.testing.assert_array_equal(infer(server, ONE), 2 * ONE)


@given(st.binary(max_size=200))
def test_any_body_is_answered(server: Server, body: bytes) -> None:
    head = f"POST /v2/models/double/infer HTTP/1.1\r\nContent-Length: {len(body)}\r\n{HEADER}: {len(body) // 2}\r\n\r\n"
    assert raw(server, head.encode() + body).startswith(b"HTTP/1.1 4")


def test_a_connection_that_says_nothing_or_little_is_closed(server: Server) -> None:
    with socket.create_connection(server.address, timeout=10) as connection:
        started = time.monotonic()
        for byte in b"GET /v2/health/live HTTP/1.1\r\n" * 4:
            try:
                connection.sendall(bytes([byte]))
                time.sleep(0.1)
            except OSError:
                break
        assert time.monotonic() - started < 8


def test_a_slow_answer_is_given_up_at_the_deadline(server: Server) -> None:
    started = time.monotonic()
    with pytest.raises(Unreachable, match="in time"):
        infer(server, ONE, "slow", soon(0.2))
    assert time.monotonic() - started < 3


def test_a_server_that_trickles_is_given_up_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        import threading

        def trickle() -> None:
            connection, _ = listener.accept()
            with connection:
                try:
                    for _ in range(100):
                        connection.sendall(b"H")
                        time.sleep(0.05)
                except OSError:
                    pass

        threading.Thread(target=trickle, daemon=True).start()
        started = time.monotonic()
        with pytest.raises(Unreachable):
            Remote(f"127.0.0.1:{listener.getsockname()[1]}").infer("m", {"x": ONE}, [X], soon(0.4))
        assert time.monotonic() - started < 4


def test_a_token_is_asked_for() -> None:
    server = Server({"double": Doubling()}, port=0, security=Security(token="secret"))
    server.start()
    try:
        with pytest.raises(Unreachable, match="401"):
            infer(server, ONE)
        found = Remote(address(server), "secret").infer("double", {"x": ONE}, [Y], soon())
        np.testing.assert_array_equal(found.outputs["y"], 2 * ONE)
    finally:
        server.shutdown()
        server.server_close()


def test_other_machines_need_a_token_and_tls() -> None:
    with pytest.raises(EdgeoptError, match="can be reached from other machines"):
        Server({}, host="0.0.0.0", port=0)
    with pytest.raises(EdgeoptError, match="can be reached from other machines"):
        Server({}, host="0.0.0.0", port=0, security=Security(token="secret"))


def test_a_port_in_use_is_one_message(server: Server) -> None:
    with pytest.raises(EdgeoptError, match="cannot serve on"):
        Server({}, port=server.address[1])
