"""A device whose part has an exit answers from it where no server does and there is no time for the whole network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgeopt.assembly import assemble
from edgeopt.errors import EdgeoptError
from edgeopt.frontend import load
from edgeopt.ir import TensorType, Value
from edgeopt.ir.match import shape_of
from edgeopt.partition.client import Client
from edgeopt.partition.parts import parts
from edgeopt.pipeline import optimize
from edgeopt.target import host
from tests.edgeopt.partition.test_client import LONG, X, folder, listening, silent

__all__ = ["folder"]  # the plan that is given an exit


@pytest.fixture(scope="module")
def place(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plan, whose device also answers by an average of what it sends."""
    made = tmp_path_factory.mktemp("early") / "plan"
    shutil.copytree(folder / "plan", made)
    graph = load(folder / "small.onnx")
    optimize(graph)
    record = json.loads((made / "plan.json").read_text())
    variant = record["variants"][0]
    names = list(dict.fromkeys(variant["placement"].values()))
    device = parts(graph, [names.index(variant["placement"][n.name]) for n in graph.nodes], names).graphs["device"]
    sent = device.outputs[0]
    count, (_, classes) = int(np.prod(shape_of(sent) or ())), shape_of(graph.outputs[0]) or (1, 1)
    weight = device.constant("head", np.full((count, classes), 1 / count, np.float32))
    flat = device.make("Flatten", [sent], [TensorType("float32", (1, count))], attributes={"axis": 1}, name="flat").output
    answer: Value = device.make("MatMul", [flat, weight], [TensorType("float32", (1, classes))], name="answer").output
    answer.name = "y.early"
    device.outputs = [*device.outputs, answer]
    assemble(device, host(), 1).save(made / "early.edgeopt")
    variant["parts"]["device"], variant["early"] = "early.edgeopt", {"y": "y.early"}
    (made / "plan.json").write_text(json.dumps(record))
    return made


def test_without_time_the_exit_answers(place: Path) -> None:
    with listening(silent) as address:
        client = Client(place, [address])
        client._local_seconds = LONG  # as if the device were slow
        answer = client.run({"x": X}, 0.3)
    assert (answer.how, answer.where, answer.variant) == ("early exit", "device", 0)
    assert address in answer.reason and answer.seconds < LONG / 2
    sent = client._parts[0].run({"x": X}) if client._parts[0] is not None else {}
    mean = np.mean(next(array for name, array in sent.items() if name != "y.early"))
    np.testing.assert_allclose(answer.outputs["y"], np.full_like(answer.outputs["y"], mean), rtol=1e-4, atol=1e-6)


def test_with_time_the_whole_network_answers(place: Path, folder: Path) -> None:
    with listening(silent) as address:
        client = Client(place, [address])
        answer = client.run({"x": X}, 0.3)
        client._local_seconds = LONG
        again = client.run({"x": X}, 3 * LONG)
    assert (answer.how, again.how) == ("local", "local"), "at first half the time is kept for it, then the server rests"
    whole = Client(folder / "plan", ["127.0.0.1:9"]).run({"x": X}, LONG)
    np.testing.assert_array_equal(again.outputs["y"], whole.outputs["y"])
    assert whole.how == "local"


@pytest.mark.parametrize("early", [{"y": "nothing"}, {"z": "y.early"}, {"x": "y.early"}])
def test_an_exit_that_the_part_does_not_have_is_one_message(place: Path, tmp_path: Path, early: dict[str, str]) -> None:
    shutil.copytree(place, tmp_path / "plan")
    record = json.loads((place / "plan.json").read_text())
    record["variants"][0]["early"] = early
    (tmp_path / "plan" / "plan.json").write_text(json.dumps(record))
    with pytest.raises(EdgeoptError, match="write the plan again|is no plan"):
        Client(tmp_path / "plan", ["127.0.0.1:9"])
