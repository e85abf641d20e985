"""Binding of symbolic dimensions."""

from __future__ import annotations

import pytest
from onnx import helper

from edgeopt.errors import EdgeoptError
from edgeopt.frontend import load, notes
from edgeopt.ir import Graph
from tests.edgeopt.small_models import convolution, info, model

Dims = list[int | str | None]


def add(left: Dims | None, right: Dims | None) -> object:
    """A model that adds two inputs of the given shapes."""
    return model([helper.make_node("Add", ["a", "b"], ["y"], "add")], [info("a", left), info("b", right)], [info("y", [None])])


def shapes_of(graph: Graph) -> list[str]:
    """The types of inputs and outputs."""
    return [str(v.type) for v in [*graph.inputs, *graph.outputs]]


def test_an_explicit_shape_reaches_the_output() -> None:
    graph = load(convolution("N"), {"x": (4, 3, 8, 8)})
    assert shapes_of(graph) == ["float32[4,3,8,8]", "float32[4,5]"]
    assert notes(graph) == []


@pytest.mark.parametrize("batch", ["N", None, -1])
def test_an_open_leading_dimension_becomes_one(batch: int | str | None) -> None:
    graph = load(convolution(batch))
    assert shapes_of(graph) == ["float32[1,3,8,8]", "float32[1,5]"]
    assert len(notes(graph)) == 1


def test_a_symbol_is_bound_everywhere() -> None:
    graph = load(add(["N", "T"], ["N", "T"]), {"b": (2, 7)})  # type: ignore[arg-type]
    assert shapes_of(graph) == ["float32[2,7]"] * 3


@pytest.mark.parametrize(
    ("left", "right", "shapes", "message"),
    [
        ([1, "T"], [1, 1], {}, r"input 'a', dimension 1 \('T'\) is open; bind it with --shape a=1,N"),
        ([1, None], [1, 1], {}, "input 'a', dimension 1 is open"),
        (None, [1, 1], {}, "input 'a' has no shape"),
        ([1, 3], [1, 3], {"a": (2, 3)}, "input 'a', dimension 0 is 1 in the model, the shape says 2"),
        (
            ["N", 3],
            ["N", 3],
            {"a": (2, 3), "b": (4, 3)},
            r"input 'a', dimension 0 and input 'b', dimension 0 are both 'N' in the model; the shapes say 2 and 4",
        ),
        ([1, 3], [1, 3], {"c": (1, 3)}, "there is no input 'c' to give a shape"),
        ([1, 3], [1, 3], {"a": (1, 3, 1)}, "input 'a' has 2 dimensions, the shape 1,3,1 has 3"),
        (["N", 3], [1, 3], {"a": (0, 3)}, "0 is not a positive whole number"),
        ([1, 3], [1, 4], {}, "the inputs of Add 'add' do not fit together"),
    ],
)
def test_what_cannot_be_bound_is_named(left: Dims | None, right: Dims, shapes: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(EdgeoptError, match=message):
        load(add(left, right), shapes)  # type: ignore[arg-type]
