from __future__ import annotations

import pytest

from edgeopt.ir import Attribute
from edgeopt.kernels.move import transpose
from tests.kernels.one_node import agree, declined, int64, integers, normal, one_node


@pytest.mark.parametrize("order", [(0, 2, 3, 1), (3, 1, 0, 2), (0, 3, 1, 2), None], ids=str)
def test_transpose(order: tuple[int, ...] | None) -> None:
    attributes: dict[str, Attribute] = {} if order is None else {"perm": list(order)}
    agree(transpose, "Transpose", [normal(2, 3, 4, 5)], attributes)


def test_transpose_of_six_dimensions() -> None:
    agree(transpose, "Transpose", [normal(2, 3, 4, 5, 2, 3)], {"perm": [5, 4, 3, 2, 1, 0]})


def test_transpose_of_long_runs() -> None:
    agree(transpose, "Transpose", [normal(2, 20, 8, 16)], {"perm": [0, 2, 3, 1]}, threads=2)
    agree(transpose, "Transpose", [normal(48, 33)], {"perm": [1, 0]})


def test_declines_seven_independent_dimensions() -> None:
    graph = one_node("Transpose", [normal(2, 3, 2, 3, 2, 3, 2)], {"perm": [6, 5, 4, 3, 2, 1, 0]})
    assert "7 independent dimensions" in declined(transpose, graph)


@pytest.mark.parametrize("dtype", ["int8", "int64", "float16", "bool", "float64"])
def test_other_types(dtype: str) -> None:
    agree(transpose, "Transpose", [integers(3, 4, 5, dtype=dtype)], {"perm": [2, 0, 1]})


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_to_space(mode: str) -> None:
    agree(transpose, "DepthToSpace", [normal(2, 8, 3, 4)], {"blocksize": 2, "mode": mode})


def test_space_to_depth() -> None:
    agree(transpose, "SpaceToDepth", [normal(2, 3, 4, 6)], {"blocksize": 2})


def test_expand() -> None:
    agree(transpose, "Expand", [normal(3, 1), int64(2, 3, 4)], constant=[1])


@pytest.mark.parametrize("repeats", [(2, 1, 3), (2, 3, 2)], ids=str)
def test_tile(repeats: tuple[int, ...]) -> None:
    agree(transpose, "Tile", [normal(2, 3, 4), int64(*repeats)], constant=[1])


def test_tile_of_four_axes() -> None:
    agree(transpose, "Tile", [normal(2, 3, 4, 5), int64(2, 3, 2, 3)], constant=[1])
