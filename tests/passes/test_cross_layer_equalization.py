"""cross_layer_equalization: even ranges, the same numbers, and what it must leave alone."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import Value
from edgeopt.ops.layer import weight
from tests.passes.building import closed, sketch
from tests.passes.checks import keeps_numbers, load_pass, reasons
from tests.strategies import Draft

NAME = "cross_layer_equalization"


def _pair(draft: Draft, x: Value, activation: str, group: int = 1) -> Value:
    uneven = draft.constant(np.array([0.01, 0.1, 1.0, 10.0]).reshape(4, 1, 1, 1) * draft.weight(4, 3, 1, 1, low=0.5).array)
    y = draft.own("FusedConv", x, uneven, draft.weight(4), activation=activation)
    return draft.own("FusedConv", y, draft.weight(4, 4 // group, 3, 3, low=0.1), draft.weight(4), group=group)


@pytest.mark.parametrize("activation", ["", "Relu", "LeakyRelu"])
@pytest.mark.parametrize("group", [1, 4])
def test_ranges_meet_and_numbers_stay(activation: str, group: int) -> None:
    draft, x = sketch()
    graph = closed(draft, _pair(draft, x, activation, group))
    assert keeps_numbers(graph, load_pass(NAME)) >= 1
    first, second = graph.nodes
    reach = np.abs(weight(first)).max(axis=(1, 2, 3))
    other = np.abs(weight(second)).max(axis=(1, 2, 3) if group == 4 else (0, 2, 3))
    np.testing.assert_allclose(reach, other, rtol=0.12)


def test_leaves_a_clip() -> None:
    draft, x = sketch()
    y = draft.own("FusedConv", x, draft.weight(4, 3, 1, 1), activation="Clip", alpha=0.0, beta=6.0)
    y = draft.own("FusedConv", y, draft.weight(4, 4, 3, 3))
    assert any("not positively homogeneous" in reason for reason in reasons(closed(draft, y), NAME))
