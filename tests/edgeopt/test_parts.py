"""A network in two parts, each for its own target, gives what the whole gives; wires that do not fit are named."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

import edgeopt
from edgeopt.assembly import assemble_parts
from edgeopt.errors import EdgeoptError
from edgeopt.frontend import load
from edgeopt.ir import Array, Graph
from edgeopt.runtime.emulate import Emulator
from edgeopt.runtime.parted import PartedModel, Wire
from edgeopt.target import host, target
from tests.edgeopt.emulation import needs
from tests.edgeopt.small_models import info, model

WIRES = (Wire("device", "h", "cloud", "g"), Wire("device", "k", "cloud", "k"))


def front() -> Graph:
    """h = relu(x), k = -x."""
    nodes = [helper.make_node("Relu", ["x"], ["h"]), helper.make_node("Neg", ["x"], ["k"])]
    return load(model(nodes, [info("x", [2, 3])], [info("h", [2, 3]), info("k", [2, 3])]))


def back(size: int = 3) -> Graph:
    """y = g k + s."""
    nodes = [helper.make_node("Mul", ["g", "k"], ["p"]), helper.make_node("Add", ["p", "s"], ["y"])]
    return load(model(nodes, [info(n, [2, size]) for n in "gks"], [info("y", [2, size])]))


def inputs() -> dict[str, dict[str, Array]]:
    """Inputs of both parts."""
    x = np.linspace(-2, 2, 6, dtype=np.float32).reshape(2, 3)
    return {"device": {"x": x}, "cloud": {"s": x + 1}}


def test_parts_give_what_the_whole_gives() -> None:
    parts = assemble_parts({"device": (front(), host()), "cloud": (back(), host())}, WIRES)
    given = inputs()
    found = parts.run(given)
    x = given["device"]["x"]
    np.testing.assert_array_equal(found["device"]["h"], np.maximum(x, 0))
    np.testing.assert_array_equal(found["cloud"]["y"], np.maximum(x, 0) * -x + given["cloud"]["s"])


def test_a_part_for_another_processor() -> None:
    parts = assemble_parts({"device": (front(), target("arm")), "cloud": (back(), host())}, WIRES)
    assert set(parts.models["device"].files) > {"libmodel.a", "model.h"}
    with pytest.raises(EdgeoptError, match="compiled for 'arm'"):
        parts.run(inputs())
    needs("arm")
    with Emulator(parts.models["device"]) as emulator:
        sent = emulator.run(inputs()["device"])
    received = {"g": sent["h"], "k": sent["k"], **inputs()["cloud"]}
    whole = assemble_parts({"device": (front(), host()), "cloud": (back(), host())}, WIRES)
    np.testing.assert_array_equal(parts.models["cloud"].run(received)["y"], whole.run(inputs())["cloud"]["y"])


@pytest.mark.parametrize(
    ("wire", "message"),
    [
        (Wire("device", "h", "fog", "g"), "part 'fog'; there are device, cloud"),
        (Wire("device", "z", "cloud", "g"), "'device' has no 'z' among its outputs"),
        (Wire("cloud", "y", "device", "x"), "which runs later"),
        (Wire("device", "h", "cloud", "g"), r"float32\[2, 3\] and float32\[2, 4\]"),
    ],
)
def test_wires_that_do_not_fit(wire: Wire, message: str) -> None:
    size = 4 if "and" in message else 3
    models = {"device": edgeopt.compile(front()), "cloud": edgeopt.compile(back(size))}
    with pytest.raises(EdgeoptError, match=message):
        PartedModel(models, [wire])
