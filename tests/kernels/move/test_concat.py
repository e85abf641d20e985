from __future__ import annotations

import pytest

from edgeopt.kernels.move import concat
from tests.kernels.one_node import agree, declined, int64, integers, normal, one_node

SLICES: dict[str, tuple[list[int], list[int], list[int], list[int]]] = {
    "two axes": ([0, 0], [3, 10], [0, 1], [1, 1]),
    "backwards": ([20, 10], [0, 0], [0, 1], [-1, -3]),
    "from the end": ([-3], [1000], [1], [2]),
    "last axis": ([-1000], [3], [2], [1]),
    "backwards past the start": ([5], [-1000], [2], [-1]),
    "nothing": ([5], [2], [0], [1]),
}


@pytest.mark.parametrize("case", SLICES)
def test_slice(case: str) -> None:
    agree(concat, "Slice", [normal(20, 10, 5), *(int64(*v) for v in SLICES[case])], constant=[1, 2, 3, 4])


def test_slice_without_axes() -> None:
    agree(concat, "Slice", [normal(20, 10, 5, 2), int64(2, 3), int64(9, -1)], constant=[1, 2])


def test_slice_declines_starts_that_are_computed() -> None:
    graph = one_node("Slice", [normal(4, 5), int64(0), int64(2)])
    graph.outputs[0].type = graph.inputs[0].type
    assert "input 1 is not a constant" in declined(concat, graph)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_concat(axis: int) -> None:
    shape = [2, 3, 4]
    parts = []
    for extent in (2, 5, 1):
        shape[axis] = extent
        parts.append(normal(*shape))
    agree(concat, "Concat", parts, {"axis": axis})


def test_concat_of_bytes() -> None:
    agree(concat, "Concat", [integers(2, 3, dtype="int8"), integers(2, 4, dtype="int8")], {"axis": 1})


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_split(axis: int) -> None:
    agree(concat, "Split", [normal(9, 9, 9), int64(2, 3, 4)], {"axis": axis}, constant=[1], outputs=3)
