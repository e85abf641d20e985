"""A plan that runs: three tiers answer as one machine does, and no request is lost whatever becomes of the servers."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

import edgeopt
from edgeopt.cli.main import main
from edgeopt.errors import EdgeoptError
from edgeopt.frontend import load
from edgeopt.ir import Array
from edgeopt.partition.client import Client
from edgeopt.partition.hop import hops
from edgeopt.partition.link_watch import LinkWatch
from edgeopt.partition.package import save_plan
from edgeopt.partition.plan import plan
from edgeopt.partition.profile import LayerTime, work, write_profile
from edgeopt.partition.shipped import Decision, Shipped, load_plan
from edgeopt.partition.tiers import load_tiers
from edgeopt.pipeline import optimize
from edgeopt.serve.neighbours import Neighbours
from edgeopt.serve.remote import Remote, Reply
from edgeopt.serve.server import Server
from tests.edgeopt.small_models import convolution

TIER = '[[tier]]\nname = "{name}"\ntarget = "host"\nprofile = "{name}.json"\n'
LINK = '[[link]]\nname = "{name}"\nup = 1e6\ndown = 1e6\nround_trip = 0.0001\n'
X = np.random.default_rng(1).standard_normal((1, 3, 8, 8)).astype(np.float32)
LONG = 20.0  # seconds; what is tested is not how fast it is


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan that computes the convolution on the device, the pooling on the edge server and the rest in the cloud."""
    place = tmp_path_factory.mktemp("tiers")
    onnx.save(convolution(), place / "small.onnx")
    graph = load(place / "small.onnx")
    optimize(graph)
    for position, name in enumerate(("device", "edge", "cloud")):
        costs = [10.0] * len(graph.nodes)
        for node in {0: (0,), 1: (1,), 2: (2, 3)}[position]:
            costs[node] = 0.0001
        write_profile(
            place / f"{name}.json", name, [LayerTime(n.name, n.op, *work(n), c) for n, c in zip(graph.nodes, costs, strict=True)]
        )
    text = "".join(TIER.format(name=n) for n in ("device", "edge", "cloud")) + "".join(
        LINK.format(name=n) for n in ("air", "wire")
    )
    (place / "tiers.toml").write_text(text.replace('"device.json"', '"device.json"\nwatts = 1.0'))
    made = plan(place / "small.onnx", load_tiers(place / "tiers.toml"), folder=place)
    save_plan(made, place / "plan", most=2)
    return place


@pytest.fixture(scope="module")
def expected(folder: Path) -> Array:
    return edgeopt.compile(folder / "small.onnx").run({"x": X})["y"]


@contextmanager
def served(shipped: Shipped, tier: str, beyond: list[str], port: int = 0) -> Iterator[str]:
    server = Server(hops(shipped, tier, Neighbours([Remote(a) for a in beyond]) if beyond else None), port=port)
    server.start()
    try:
        yield "{}:{}".format(*server.address)
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server of another kind: ``answer`` gets each connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def silent(connection: socket.socket) -> None:
    threading.Event().wait(LONG)


def hostile(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nInference-Header-Content-Length: 9999\r\n\r\n{} \xff\xff")
    connection.close()


def lying(connection: socket.socket) -> None:
    """A well-formed answer of another shape."""
    connection.recv(65536)
    body = b'{"outputs": [{"name": "y", "datatype": "FP32", "shape": [1, 1], "data": [1.0]}]}'
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    connection.close()


def test_three_tiers_answer_as_one_machine(folder: Path, expected: Array) -> None:
    shipped = load_plan(folder / "plan")
    assert [set(v.parts) for v in shipped.variants][0] == {"device", "edge", "cloud"}
    with served(shipped, "cloud", []) as cloud, served(shipped, "edge", [cloud]) as edge:
        client = Client(folder / "plan", [edge])
        for _ in range(5):
            answer = client.run({"x": X}, LONG)
            np.testing.assert_allclose(answer.outputs["y"], expected, rtol=1e-5, atol=1e-6)
        assert answer.where == edge and not answer.reason


def test_a_server_that_dies_is_replaced_by_its_neighbour_then_by_the_device(folder: Path, expected: Array) -> None:
    shipped = load_plan(folder / "plan")
    with served(shipped, "cloud", []) as cloud, served(shipped, "edge", [cloud]) as second:
        with served(shipped, "edge", [cloud]) as first:
            client = Client(folder / "plan", [first, second])
            assert client.run({"x": X}, LONG).where == first
        answers = [client.run({"x": X}, LONG) for _ in range(5)]
        assert {a.where for a in answers} == {second}
    answers += [client.run({"x": X}, LONG) for _ in range(5)]
    assert {a.where for a in answers[5:]} == {"device"}
    assert any(a.reason for a in answers[5:])
    for answer in answers:
        np.testing.assert_allclose(answer.outputs["y"], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [silent, hostile, lying])
def test_servers_that_misbehave_cost_no_answer(folder: Path, expected: Array, kind: Callable[[socket.socket], None]) -> None:
    with listening(kind) as address:
        answer = Client(folder / "plan", [address]).run({"x": X}, 1.0)
    assert answer.where == "device" and address in answer.reason
    np.testing.assert_allclose(answer.outputs["y"], expected, rtol=1e-5, atol=1e-6)


def test_inputs_that_do_not_fit_are_the_callers_error(folder: Path) -> None:
    client = Client(folder / "plan", ["127.0.0.1:9"])
    with pytest.raises(EdgeoptError, match="input"):
        client.run({"x": X[:, :, :7]}, LONG)


def test_the_placement_follows_the_link_with_hysteresis(folder: Path) -> None:
    shipped = load_plan(folder / "plan")
    watch = LinkWatch(shipped)
    first = watch.variant()
    slow = Reply({}, 1000.0, 0.0, 100, 100)
    for _ in range(30):
        watch.answered(slow, first)
    decisions = [watch.variant() for _ in range(4)]
    assert decisions[:2] == [first] * 2, "one look is no reason"
    assert watch.rate < 0.02 and decisions[-1] == min(shipped.table, key=lambda r: (r.rate, r.load)).variant


def test_a_link_that_failed_for_long_is_used_again_after_one_good_answer(folder: Path) -> None:
    shipped = load_plan(folder / "plan")
    alone = len(shipped.variants) - 1
    watch = LinkWatch(replace(shipped, table=(Decision(1.0, 1.0, 0), Decision(1 / 64, 1.0, alone))))
    assert watch.variant() == 0
    for _ in range(500):
        watch.failed()
    assert [watch.variant() for _ in range(4)][-1] == alone
    watch.answered(Reply({}, 0.0005, 0.0, 100, 100), 0)
    assert [watch.variant() for _ in range(4)][-1] == 0


def test_servers_that_rest_say_nothing_of_the_link(folder: Path) -> None:
    client = Client(folder / "plan", ["127.0.0.1:9"])
    client.run({"x": X}, LONG)
    seen = client.watch.rate
    assert seen < 1
    assert "rest" in client.run({"x": X}, LONG).reason
    assert client.watch.rate == seen


def test_servers_that_are_none_are_one_message(folder: Path) -> None:
    with pytest.raises(EdgeoptError, match="no server is given"):
        Client(folder / "plan", [])
    for address in ("127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:\u0661"):
        with pytest.raises(EdgeoptError, match="is no address"):
            Client(folder / "plan", [address])


def test_the_device_serves_nothing_and_a_relay_needs_the_next_address(folder: Path) -> None:
    shipped = load_plan(folder / "plan")
    with pytest.raises(EdgeoptError, match="serves nothing"):
        hops(shipped, "device", None)
    with pytest.raises(EdgeoptError, match="--next"):
        hops(shipped, "edge", None)
    with pytest.raises(EdgeoptError, match="no tier 'moon'"):
        hops(shipped, "moon", None)


@pytest.mark.parametrize("text", ["{}", "[]", "", "null", '{"format": "edgeopt-plan-1"}'])
def test_a_damaged_plan_is_one_message(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(EdgeoptError, match="is no plan"):
        load_plan(tmp_path)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("table", 0, "rate"), 0),
        (("table", 0, "load"), -1.0),
        (("table", 0, "load"), float("nan")),
        (("table", 0, "variant"), float("inf")),
        (("variants", 0, "beyond"), -1.0),
        (("variants", 0, "parts"), {"device": ".."}),
        (("variants", 0, "parts"), {"moon": "device-0.edgeopt"}),
        (("tensors", "x", "shape"), [float("inf")]),
        (("tensors", "x", "shape"), [-1, 3, 8, 8]),
        (("links", 0, "up"), 0),
        (("links", 0, "round_trip"), float("inf")),
        (("links",), []),
        (("tiers",), []),
    ],
    ids=str,
)
def test_a_plan_with_a_number_that_makes_no_sense_is_one_message(
    folder: Path, tmp_path: Path, place: tuple[Any, ...], value: object
) -> None:
    record = json.loads((folder / "plan" / "plan.json").read_text())
    inner = record
    for key in place[:-1]:
        inner = inner[key]
    assert place[-1] in inner or isinstance(inner, list)
    inner[place[-1]] = value
    (tmp_path / "plan.json").write_text(json.dumps(record))
    with pytest.raises(EdgeoptError, match="is no plan"):
        load_plan(tmp_path)


def test_the_command_refuses_what_it_cannot_serve(folder: Path) -> None:
    for arguments, reason in (
        (["serve", str(folder / "plan")], "--tier"),
        (["serve", str(folder / "plan"), "--tier", "cloud", "--host", "0.0.0.0", "--port", "0"], "--insecure"),
    ):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 1 and reason in result.output
