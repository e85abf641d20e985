"""Large graphs compile in seconds: thousands of nodes and inputs, and values with thousands of readers.

The bounds are ten times what these take on an idle core, and a hundredth of what they took when a step was quadratic.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper

import edgeopt
from edgeopt.ir import Array

SECONDS = 30
NODES = 2000


def model(nodes: list[tuple[str, list[str], list[str]]], inputs: list[str], outputs: list[str]) -> ModelProto:
    read, written = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in names] for names in (inputs, outputs)
    )
    made = [helper.make_node(*node) for node in nodes]
    graph = helper.make_graph(made, "large", read, written)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def chain(op: str) -> ModelProto:
    """Each node reads the one before it."""
    nodes = [(op, [f"t{i}" if i else "x"], [f"t{i + 1}"]) for i in range(NODES)]
    return model([*nodes, ("Relu", [f"t{NODES}"], ["y"])], ["x"], ["y"])


def wide_sum() -> ModelProto:
    """One node reads all inputs."""
    names = [f"x{i}" for i in range(NODES)]
    return model([("Sum", names, ["y"])], names, ["y"])


def fan_out() -> ModelProto:
    """One value has all the readers, which all compute the same."""
    names = [f"t{i}" for i in range(NODES)]
    return model([*(("Neg", ["x"], [name]) for name in names), ("Sum", names, ["y"])], ["x"], ["y"])


@pytest.mark.parametrize(
    ("make", "meant"),
    [
        pytest.param(lambda: chain("Relu"), lambda x: np.maximum(x, 0), id="chain"),
        pytest.param(lambda: chain("Identity"), lambda x: np.maximum(x, 0), id="chain that disappears"),
        pytest.param(wide_sum, lambda x: NODES * x, id="many inputs"),
        pytest.param(fan_out, lambda x: -NODES * x, id="many readers"),
    ],
)
def test_large_graphs_compile_in_seconds(make: Callable[[], ModelProto], meant: Callable[[Array], Array]) -> None:
    proto = make()
    started = time.process_time()
    compiled = edgeopt.compile(proto)
    assert time.process_time() - started < SECONDS
    x = np.asarray([[-1, 0, 0.5, 2]], np.float32)
    np.testing.assert_allclose(compiled.run({port.name: x for port in compiled.inputs})["y"], meant(x), rtol=1e-5)
