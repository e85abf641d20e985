"""separate_volume_pool: the golden text, padding, dilation and rounding up, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgeopt.interpret import interpret
from edgeopt.passes.separate_volume_pool import PASS
from tests.passes.building import closed
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph
from tests.strategies import Draft, Seeded

NAME = "separate_volume_pool"


def pooled(op: str, **attributes: Any) -> Any:
    """A pooling of a volume [2, 3, 7, 6, 5]."""
    draft = Draft(Seeded(0), 22)
    return closed(draft, draft.op(op, draft.input((2, 3, 7, 6, 5)), **attributes))


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("counted", [0, 1])
@pytest.mark.parametrize(
    "attributes",
    [
        {"kernel_shape": (3, 2, 3)},
        {"kernel_shape": (3, 3, 3), "strides": (2, 1, 2), "pads": (1, 0, 2, 1, 2, 1)},
        {"kernel_shape": (2, 3, 2), "dilations": (2, 1, 3), "pads": (1, 1, 1, 1, 1, 1)},
        {"kernel_shape": (3, 3, 3), "strides": (2, 2, 2), "ceil_mode": 1},
    ],
    ids=["plain", "padded", "dilated", "ceil"],
)
def test_three_windows_pool_as_one(op: str, counted: int, attributes: dict[str, Any]) -> None:
    graph = pooled(op, **attributes, **({"count_include_pad": counted} if op == "AveragePool" else {}))
    x = np.random.default_rng(0).normal(size=(2, 3, 7, 6, 5)).astype(np.float32)
    feeds = {graph.inputs[0].name: x}
    (expected,) = interpret(graph, feeds).values()
    assert PASS(graph) == 1
    assert sum(node.op == op for node in graph.nodes) == 3
    (found,) = interpret(graph, feeds).values()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_leaves_windows_that_do_not_overlap() -> None:
    graph = pooled("MaxPool", kernel_shape=(2, 2, 2), strides=(2, 2, 2))
    assert any("overlap" in reason for reason in reasons(graph, NAME))
