"""A copy of a graph: the same text, its own nodes, shared constants."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from onnx import ModelProto

from edgeopt.frontend import export, load
from edgeopt.ir import Graph, verify
from edgeopt.ir.clone import clone
from edgeopt.pipeline import optimize
from tests.edgeopt import small_models
from tests.strategies import graphs

DIGITS = Path(__file__).resolve().parents[2] / "examples" / "digits.onnx"


@settings(max_examples=30, deadline=None)
@given(graph=graphs())
def test_a_copy_reads_the_same_and_lives_alone(graph: Graph) -> None:
    made, before = clone(graph), str(graph)
    verify(made)
    assert str(made) == before
    optimize(made)
    assert str(graph) == before


@pytest.mark.parametrize("make", [small_models.branches, small_models.loop, small_models.scan])
def test_subgraphs_are_copied_too(make: Callable[[], ModelProto]) -> None:
    graph = load(make())
    made = clone(graph)
    verify(made)
    assert export(made).SerializeToString() == export(graph).SerializeToString()
    ours, theirs = ({id(node) for inner in g.walk() for node in inner.nodes} for g in (made, graph))
    assert not ours & theirs


def test_constants_are_shared_and_names_stay_unique() -> None:
    graph = load(DIGITS)
    made = clone(graph)
    assert all(a._array is b._array for a, b in zip(graph.constants, made.constants, strict=True))
    assert made.constant("weight", np.zeros(1)).name not in {v.name for v in graph.constants}
