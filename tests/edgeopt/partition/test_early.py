"""A plan with exits that runs: what leaves on a tier is not sent on, and every sample gets the answer of one machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgeopt.frontend import load
from edgeopt.ir import Array
from edgeopt.partition.client import Client
from edgeopt.partition.early import Early, asked
from edgeopt.partition.layer_costs import LayerCosts
from edgeopt.partition.leaving import Leaving, cut_short
from edgeopt.partition.package import save_plan
from edgeopt.partition.plan import Plan, plan
from edgeopt.partition.profile import LayerTime, work, write_profile
from edgeopt.partition.shipped import load_plan
from edgeopt.partition.tiers import load_tiers
from edgeopt.pipeline import optimize
from edgeopt.runtime.model import CompiledModel
from edgeopt.serve.remote import Unreachable
from edgeopt.serve.served import Signature
from tests.edgeopt import bright_quarters
from tests.edgeopt.bright_quarters import blobs
from tests.edgeopt.partition.test_client import LINK, LONG, TIER, listening, served, silent

TIERS = ("device", "edge", "cloud")
FRESH = blobs(40, 3)


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A plan over three tiers of the same speed, with an exit behind the first layer."""
    place = tmp_path_factory.mktemp("planned")
    onnx.save(bright_quarters.network(), place / "blobs.onnx")
    graph = load(place / "blobs.onnx")
    optimize(graph)
    for name in TIERS:
        write_profile(place / f"{name}.json", name, [LayerTime(n.name, n.op, *work(n), 1.0) for n in graph.nodes])
    text = "".join(TIER.format(name=n) for n in TIERS) + "".join(LINK.format(name=n) for n in ("air", "wire"))
    (place / "tiers.toml").write_text(text)
    tiers, data, known = load_tiers(place / "tiers.toml"), blobs(600, 1), blobs(200, 2)
    made = plan(place / "blobs.onnx", tiers, folder=place, data=data, calibration=known, max_drop=8.0, exits=True)
    assert made.leaving is not None
    exits = made.leaving.exits
    strict = tuple(replace(one, threshold=0.9) for one in exits.exits)  # so that not all of them leave
    return replace(made, leaving=replace(made.leaving, exits=replace(exits, exits=strict)))


@pytest.fixture(scope="module", params=[(0, 1, 1, 1, 2), (0, 0, 0, 0, 2), (1, 2, 2, 2, 2)], ids=str)
def folder(planned: Plan, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plan with its layers on some tiers: the exit is the last of the device's part, inside of it, or on the edge server."""
    place = tmp_path_factory.mktemp("early")
    save_plan(replace(planned, cut=replace(planned.cut, placement=request.param), table=()), place / "plan", most=1)
    return place


@pytest.fixture(scope="module")
def whole(folder: Path) -> CompiledModel:
    """The device alone, with its exit."""
    model = load_plan(folder / "plan").part(1, "device")
    assert model is not None
    return model


def test_samples_leave_where_one_machine_lets_them(folder: Path, whole: CompiledModel) -> None:
    shipped = load_plan(folder / "plan")
    assert shipped.early is not None and [port.name for port in whole.outputs] == ["y", "y.exit"]
    numbers = []
    with served(shipped, "cloud", []) as cloud, served(shipped, "edge", [cloud]) as edge:
        client = Client(folder / "plan", [edge])
        for x in FRESH.arrays["x"]:
            answer, wanted = client.run({"x": x[None]}, LONG), whole.run({"x": x[None]})
            numbers += list(wanted["y.exit"])
            assert list(answer.outputs["y.exit"]) == numbers[-1:] and not answer.reason
            assert answer.left == ((*shipped.early.values, "")[numbers[-1]],)
            np.testing.assert_allclose(answer.outputs["y"], wanted["y"], atol=0.3)
            assert (answer.where == "device") == (bool(shipped.part(0, "device")) and numbers[-1] == 0), "it was not sent"
        together = client.run({"x": FRESH.arrays["x"]}, LONG)
    assert 0 < numbers.count(0) < len(numbers), "some leave, and some do not"
    assert list(together.outputs["y.exit"]) == numbers


def test_without_time_the_last_exit_on_the_device_answers(folder: Path) -> None:
    shipped = load_plan(folder / "plan")
    if (part := shipped.part(0, "device")) is None:
        assert not shipped.variants[0].early
        return
    with listening(silent) as address:
        client = Client(folder / "plan", [address])
        client._local_seconds = LONG  # as if the device were slow
        x = next(x[None] for x in FRESH.arrays["x"] if part.run({"x": x[None]})["y.exit"] == [-1])
        answer = client.run({"x": x}, 0.3)
    assert (answer.how, answer.where, answer.left) == ("early exit", "device", (shipped.early or Early("", ())).values)
    np.testing.assert_array_equal(answer.outputs["y"], part.run({"x": x})["y"])


def test_samples_of_one_request_are_put_together_again() -> None:
    early, sends = Early("y", ("u", "v")), [Signature("m", np.dtype(np.float32), (2, 3))]
    known = {"y": np.zeros((4, 2)), "y.exit": np.array([0, -1, 1, -1]), "m": np.arange(24.0).reshape(8, 3)}

    def ask(tensors: Mapping[str, Array]) -> dict[str, Array]:
        np.testing.assert_array_equal(tensors["m"], known["m"][[2, 3, 6, 7]])
        return {"y": np.array([[1.0, 1.0], [3.0, 3.0]])}

    found = asked(early, known, sends, ask)
    np.testing.assert_array_equal(found["y"][:, 0], [0, 1, 0, 3])
    assert list(found["y.exit"]) == [0, 2, 1, 2] and early.places(found) == ("u", "", "v", "")
    assert asked(early, {**known, "y.exit": np.zeros(4, np.int64)}, sends, ask)["y"] is known["y"], "nobody is asked"
    with pytest.raises(Unreachable, match="or 3"):
        asked(early, {"m": known["m"]}, sends, lambda _: {"y": known["y"], "y.exit": np.array([0, 1, 2, 3])})


def test_a_network_that_was_cut_short_is_compiled_so(planned: Plan, tmp_path: Path) -> None:
    assert planned.leaving is not None
    left = Leaving(planned.leaving.exits, planned.leaving.exits.exits[0].value)
    costs = [LayerCosts({node.name: 1.0 for node in planned.graph.nodes})] * 3
    short, stages = cut_short(planned.graph, costs, left)
    assert stages.stages[0].seconds[0] > 1.0 and sum(stage.seconds[0] for stage in stages.stages[1:]) == 0, "the head costs"
    changed = replace(planned, graph=short, network=stages, leaving=left, table=(), coding=None)
    save_plan(replace(changed, cut=replace(planned.cut, placement=(0,) * len(short.nodes))), tmp_path / "plan")
    answer = Client(tmp_path / "plan", ["127.0.0.1:9"]).run({"x": FRESH.arrays["x"][:1]}, LONG)
    assert list(answer.outputs) == ["y"] and answer.outputs["y"].shape == (1, bright_quarters.CLASSES) and answer.left == ()
