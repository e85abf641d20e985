"""decompose_batch_norm: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, reasons
from tests.passes.graphs import pattern_graph

NAME = "decompose_batch_norm"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_training_mode() -> None:
    draft, x = sketch()
    y = draft.op("BatchNormalization", x, *[draft.weight(3, low=0.1) for _ in range(4)], training_mode=1, outputs=3)
    assert any("training mode" in reason for reason in reasons(closed(draft, y), NAME))


def test_leaves_a_variance_that_is_not_positive() -> None:
    draft, x = sketch()
    zero = draft.constant(np.array([0.0, 1.0, 1.0]))
    y = draft.op("BatchNormalization", x, draft.weight(3), draft.weight(3), draft.weight(3), zero, epsilon=0.0)
    assert any("not finite" in reason for reason in reasons(closed(draft, y), NAME))
