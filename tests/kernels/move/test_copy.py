from __future__ import annotations

import pytest

from edgeopt.ir import Array, Value
from edgeopt.kernels.move import copy
from tests.kernels.one_node import agree, compiled, int64, kernels, normal, one_node

CASES: list[tuple[str, list[Array]]] = [
    ("Reshape", [normal(3, 4, 5), int64(12, 5)]),
    ("Flatten", [normal(3, 4, 5)]),
    ("Squeeze", [normal(3, 1, 5), int64(1)]),
    ("Unsqueeze", [normal(3, 4), int64(0)]),
    ("Identity", [normal(3) > 0]),
    ("Identity", [normal()]),
]


@pytest.mark.parametrize("op, inputs", CASES, ids=[c[0] for c in CASES])
def test_agrees_with_reference(op: str, inputs: list[Array]) -> None:
    agree(copy, op, inputs, constant=[1])


def test_dropout_at_inference_and_its_mask() -> None:
    agree(copy, "Dropout", [normal(3, 4)], outputs=2)


def test_dropout_without_mask() -> None:
    graph = one_node("Dropout", [normal(3, 4)])
    node = graph.nodes[0]
    node.outputs.append(Value("", None, node))
    x = normal(3, 4)
    assert (next(iter(compiled(graph, kernels(copy)).run({"x0": x}).values())) == x).all()
