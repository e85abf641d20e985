"""Networks of other kinds than pictures in and one decision out are planned, coded and served, too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from onnx import parser

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import DataSet, fitted
from edgeopt.frontend import load
from edgeopt.interpret import interpret
from edgeopt.partition.client import Client
from edgeopt.partition.codes.coder import Coder
from edgeopt.partition.hop import hops
from edgeopt.partition.layer_costs import LayerCosts
from edgeopt.partition.package import save_plan
from edgeopt.partition.plan import Plan, plan
from edgeopt.partition.shipped import load_plan
from edgeopt.partition.subject import Subject, subject
from edgeopt.partition.tiers import Link, Tier, Tiers
from edgeopt.serve.server import Server

HEAD = '<ir_version: 9, opset_import: ["" : 17]> g'
WEIGHTS = """<float[4,6] w = {1,-2,3,1,2,-1, 2,1,-1,3,-2,1, -1,2,2,1,1,3, 3,1,1,-2,2,1}, float[6,1] v = {1,-1,2,1,-2,1},
  float[6,3] u = {1,-1,2,1,-2,1, 2,1,1,-1,1,3, -1,2,1,2,1,-2}, float[3] k = {1,2,3}, float limit = {0.5}>"""
CONSTANT = f"{HEAD} (float[1,4] x) => (float[1,6] y, float[3] z) {WEIGHTS} {{ y = MatMul(x, w) z = Identity(k) }}"
NUMBER = f"{HEAD} (float[1,4] x) => (float[1,1] y) {WEIGHTS} {{ h = MatMul(x, w) r = Relu(h) y = MatMul(r, v) }}"
IDS = f"""{HEAD} (int64[1,5] x) => (float[1,3] y) {WEIGHTS} {{ e = Gather(u, x) m = ReduceMean<axes = [1], keepdims = 0>(e)
  r = Relu(m) y = Softmax(r) }}"""
BRANCH = f"""{HEAD} (float[1,4] x) => (float[1,3] y) {WEIGHTS} {{ h = MatMul(x, w) s = ReduceSum<keepdims = 0>(x)
  c = Greater(s, limit)
  r = If(c) <then_branch = a () => (float[1,6] p) {{ p = Relu(h) }}, else_branch = b () => (float[1,6] q) {{ q = Neg(h) }}>
  y = MatMul(r, u) }}"""


def samples(text: str, count: int, seed: int) -> DataSet:
    rng = np.random.default_rng(seed)
    return DataSet({"x": rng.integers(0, 6, (count, 5)) if text is IDS else rng.standard_normal((count, 4)).astype(np.float32)})


def known(text: str, device: int, coded: bool = False, names: tuple[str, str] = ("device", "server")) -> tuple[Subject, Tiers]:
    """A network whose first ``device`` layers are fast on the device alone, the others on the server."""
    data = (samples(text, 80, 1), samples(text, 40, 2)) if coded else (None, None)
    made = subject(load(parser.parse_model(text)), None, Path(), *data)
    for tier, near in (("d", True), ("s", False), ("", True)):
        quick = {n.name: 1e-3 if (i < device) is near else 1.0 for i, n in enumerate(made.graph.nodes)}
        made._costs["host", tier] = LayerCosts(quick)
    tiers = (Tier(names[0], "host", profile="d"), Tier(names[1], "host", profile="s"))
    return made, Tiers(tiers, (Link("wire", 1e6, 1e6, 1e-6),))


@contextmanager
def client(made: Plan, folder: Path) -> Iterator[Client]:
    save_plan(made, folder, most=1)
    server = Server(hops(load_plan(folder), made.tiers.tiers[1].name, None), port=0)
    server.start()
    try:
        yield Client(folder, ["{}:{}".format(*server.address)])
    finally:
        server.shutdown()
        server.server_close()


def test_what_is_made_of_constants_comes_from_a_server_that_is_sent_nothing(tmp_path: Path) -> None:
    made, tiers = known(CONSTANT, device=1)
    graph, x = load(parser.parse_model(CONSTANT)), samples(CONSTANT, 1, 3).arrays
    planned = plan(made, tiers)
    assert planned.cut.placement == (0, 1)
    with client(planned, tmp_path / "plan") as device:
        answer = device.run(x, 20.0)
    assert answer.how == "plan" and answer.where != "device", answer.reason
    for name, array in interpret(graph, x).items():
        np.testing.assert_allclose(answer.outputs[name], array, rtol=1e-5)


def test_names_that_a_library_writes_alike_keep_their_parts_apart(tmp_path: Path) -> None:
    made, tiers = known(NUMBER, device=1, names=("a b", "a.b"))
    graph, x = load(parser.parse_model(NUMBER)), samples(NUMBER, 1, 3).arrays
    with client(plan(made, tiers), tmp_path / "plan") as device:
        answer = device.run(x, 20.0)
    assert answer.how == "plan", answer.reason
    np.testing.assert_allclose(answer.outputs["y"], interpret(graph, x)["y"], rtol=1e-5)


def test_one_machine_needs_no_servers(tmp_path: Path) -> None:
    made, tiers = known(NUMBER, device=3)
    alone = Tiers(tiers.tiers[:1], ())
    planned = plan(made, alone, "throughput", deadline=1.0)
    assert planned.cut.placement == (0, 0, 0)[: len(planned.network.stages)]
    with pytest.raises(EdgeoptError, match="no placement keeps the deadline"):
        plan(made, alone, deadline=1e-6)
    save_plan(planned, tmp_path / "plan", most=1)
    assert Client(tmp_path / "plan", []).run(samples(NUMBER, 1, 3).arrays, 5.0).how == "plan"


def test_a_network_that_gives_one_number_is_coded_by_what_that_misses() -> None:
    made, tiers = known(NUMBER, device=1, coded=True)
    plan(made, tiers, max_drop=10.0)
    coder, name = made.coder(10.0), made.graph.nodes[0].output.name
    found = None if coder is None else coder.chosen[name]
    assert found is not None and 0.0 < found.loss.points <= found.loss.careful <= 10.0
    assert found.loss.agreement == 100.0 - found.loss.points


@pytest.mark.parametrize(("text", "device"), [(IDS, 2), (BRANCH, 3)], ids=["token ids", "a number between parts"])
def test_inputs_and_tensors_that_have_no_code_cross_as_they_are(text: str, device: int) -> None:
    made, tiers = known(text, device, coded=True)
    planned = plan(made, tiers, max_drop=10.0)
    coder = made.coder(10.0)
    assert planned.coding is not None and planned.coding.loss.agreement > 80.0
    assert coder is not None and coder.tried
    assert all(found.loss.careful <= 10.0 for some in coder.tried.values() for found in some)
    assert "x" not in coder.tried or text is not IDS


def test_calls_of_several_samples_are_not_judged() -> None:
    graph = load(parser.parse_model(NUMBER.replace("[1,4] x", "[2,4] x").replace("[1,1] y", "[2,1] y")))
    data = fitted(samples(NUMBER, 80, 1), graph)
    with pytest.raises(EdgeoptError, match="one decision for each call"):
        Coder(graph, data, data, 1.0)


def test_a_server_of_another_plan_is_not_believed(tmp_path: Path) -> None:
    """The same network with other weights: names and shapes are the same, numbers are not."""
    x = samples(NUMBER, 1, 3).arrays
    for name, text in (("old", NUMBER.replace("{1,-1,2,1,-2,1},", "{3,3,3,3,3,3},", 1)), ("new", NUMBER)):
        made, tiers = known(text, device=1)
        save_plan(plan(made, tiers), tmp_path / name, most=1)
    server = Server(hops(load_plan(tmp_path / "old"), "server", None), port=0)
    server.start()
    try:
        answer = Client(tmp_path / "new", ["{}:{}".format(*server.address)]).run(x, 5.0)
    finally:
        server.shutdown()
        server.server_close()
    assert answer.how == "local" and "there is no model at this path" in answer.reason
    np.testing.assert_allclose(answer.outputs["y"], interpret(load(parser.parse_model(NUMBER)), x)["y"], rtol=1e-5)
