"""Over gRPC a served model answers as over HTTP, to our client and to another, and whatever does not fit is refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array
from edgeopt.serve.handler import Limits
from edgeopt.serve.remote import Unreachable
from edgeopt.serve.remotes import remote
from edgeopt.serve.security import Security
from edgeopt.serve.server import Server
from tests.edgeopt.serve.doubling import ONE, Doubling, Y

grpc = pytest.importorskip("grpc", reason="gRPC is the extra 'serve'")


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Server, Any]]:
    """The same models over HTTP and over gRPC."""
    from edgeopt.serve.grpc_server import GrpcServer

    http = Server({"double": Doubling(), "slow": Doubling(3.0)}, port=0, limits=Limits(batches=3))
    beside = GrpcServer(http.models, port=0, limits=http.limits, metrics=http.metrics)
    http.start()
    beside.start()
    yield http, beside
    beside.stop()
    http.shutdown()
    http.server_close()


def infer(servers: tuple[Server, Any], x: Array, model: str = "double", seconds: float = 10.0, token: str = "") -> Array:
    client = remote("grpc://{}:{}".format(*servers[1].address), token)
    return client.infer(model, {"x": x}, [Y], time.monotonic() + seconds).outputs["y"]


def test_answers_are_those_of_the_model_and_are_counted(servers: tuple[Server, Any]) -> None:
    two = np.concatenate([ONE, ONE])
    np.testing.assert_array_equal(infer(servers, ONE), 2 * ONE)
    np.testing.assert_array_equal(infer(servers, two), 2 * two)
    assert 'edgeopt_requests_total{model="double",result="ok"}' in servers[0].metrics.text()


@pytest.mark.parametrize(
    ("x", "model", "reason"),
    [
        (ONE.astype(np.float64), "double", "INVALID_ARGUMENT.*is float64"),
        (ONE[:, :3], "double", "INVALID_ARGUMENT.*wanted is float32"),
        (np.zeros((4, 4), np.float32), "double", "INVALID_ARGUMENT.*wanted is float32"),
        (np.full((1, 4), np.nan, np.float32), "double", "UNAVAILABLE.*not a number"),
        (ONE, "treble", "NOT_FOUND.*there are double, slow"),
        (np.zeros((1 << 20, 4), np.float32), "double", "RESOURCE_EXHAUSTED"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(servers: tuple[Server, Any], x: Array, model: str, reason: str) -> None:
    with pytest.raises(Unreachable, match=reason):
        infer(servers, x, model)
    np.testing.assert_array_equal(infer(servers, ONE), 2 * ONE)


def test_a_slow_answer_is_given_up_at_the_deadline(servers: tuple[Server, Any]) -> None:
    started = time.monotonic()
    with pytest.raises(Unreachable, match="in time"):
        infer(servers, ONE, "slow", seconds=0.2)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("damage", ["checksum", "blocks", "size"])
def test_damaged_messages_are_refused(servers: tuple[Server, Any], damage: str) -> None:
    from edgeopt.serve.grpc_messages import MESSAGES
    from edgeopt.serve.grpc_tensors import put
    from edgeopt.serve.tensors import CHECKSUM

    request = MESSAGES["ModelInferRequest"](model_name="double")
    put(request, "inputs", {"x": ONE})
    if damage == "checksum":
        request.parameters[CHECKSUM].int64_param ^= 1
    elif damage == "blocks":
        request.raw_input_contents.append(b"")
    else:
        request.inputs[0].shape[1] = 1 << 40
    with grpc.insecure_channel("{}:{}".format(*servers[1].address)) as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer", lambda m: m.SerializeToString())
        with pytest.raises(grpc.RpcError) as found:
            call(request, timeout=10)
        assert found.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        with pytest.raises(grpc.RpcError):
            channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")(b"\xff" * 50, timeout=10)
    np.testing.assert_array_equal(infer(servers, ONE), 2 * ONE)


def test_typed_contents_are_understood(servers: tuple[Server, Any]) -> None:
    from edgeopt.serve.grpc_messages import MESSAGES
    from edgeopt.serve.grpc_tensors import taken

    row = {"name": "x", "datatype": "FP32", "shape": [1, 4], "contents": {"fp32_contents": [0, 1, 2, 3]}}
    request = MESSAGES["ModelInferRequest"](inputs=[row])
    np.testing.assert_array_equal(taken(request, "inputs")[0]["x"], ONE)


def test_a_token_and_a_free_port_are_asked_for(servers: tuple[Server, Any]) -> None:
    from edgeopt.serve.grpc_server import GrpcServer

    with pytest.raises(EdgeoptError, match="can be reached from other machines"):
        GrpcServer({}, host="0.0.0.0", port=0)
    with pytest.raises(EdgeoptError, match="cannot serve gRPC on"):
        GrpcServer({}, port=servers[1].address[1])
    closed = GrpcServer({"double": Doubling()}, port=0, security=Security(token="secret"))
    closed.start()
    try:
        with pytest.raises(Unreachable, match="UNAUTHENTICATED"):
            infer((servers[0], closed), ONE)
        np.testing.assert_array_equal(infer((servers[0], closed), ONE, token="secret"), 2 * ONE)
    finally:
        closed.stop()


def test_the_messages_are_those_of_another_implementation() -> None:
    """On the wire: numbers, kinds and labels of all fields, through nested messages."""
    theirs = pytest.importorskip("tritonclient.grpc.service_pb2", reason="tritonclient is not installed").DESCRIPTOR
    from edgeopt.serve.grpc_messages import FIELDS, MESSAGES

    def form(message: Any) -> object:
        return [(f.number, f.name, f.type, f.is_repeated, f.message_type and form(f.message_type)) for f in message.fields]

    for name in FIELDS:
        found = theirs.message_types_by_name.get(name)
        assert found is None or form(found) == form(MESSAGES[name].DESCRIPTOR), name
    assert sum(name in theirs.message_types_by_name for name in FIELDS) >= 14


def test_another_client_gets_the_same_answers_over_grpc(servers: tuple[Server, Any]) -> None:
    triton = pytest.importorskip("tritonclient.grpc", reason="tritonclient is not installed")
    client = triton.InferenceServerClient("{}:{}".format(*servers[1].address))
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("double")
    assert client.get_model_metadata("double").inputs[0].shape == [1, 4]
    given = triton.InferInput("x", [1, 4], "FP32")
    given.set_data_from_numpy(ONE)
    answer = client.infer("double", [given], outputs=[triton.InferRequestedOutput("y")], request_id="7")
    np.testing.assert_array_equal(answer.as_numpy("y"), infer(servers, ONE))
    assert answer.get_response().id == "7"


def test_another_client_gets_the_same_answers_over_http(servers: tuple[Server, Any]) -> None:
    triton = pytest.importorskip("tritonclient.http", reason="tritonclient is not installed")
    client = triton.InferenceServerClient("{}:{}".format(*servers[0].address))
    assert client.is_server_live() and client.is_model_ready("double")
    assert client.get_model_metadata("double")["inputs"][0]["datatype"] == "FP32"
    for binary in (True, False):
        given = triton.InferInput("x", [1, 4], "FP32")
        given.set_data_from_numpy(ONE, binary_data=binary)
        answer = client.infer("double", [given], outputs=[triton.InferRequestedOutput("y", binary_data=binary)])
        np.testing.assert_array_equal(answer.as_numpy("y"), infer(servers, ONE))
