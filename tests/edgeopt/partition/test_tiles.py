"""The tiles of a front, put together, are the map it computes, for any strides, kernels, paddings and pools."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from edgeopt.errors import EdgeoptError
from edgeopt.frontend import load
from edgeopt.interpret import interpret
from edgeopt.ir import Graph, verify
from edgeopt.ir.clone import clone
from edgeopt.partition.grid.tiles import boxes, fronts, grid, merged, tile_graph
from edgeopt.partition.parts import parts
from edgeopt.pipeline import optimize
from tests.edgeopt.small_models import info, model

LAYERS = st.lists(
    st.tuples(
        st.sampled_from(["Conv", "MaxPool", "AveragePool", "Relu", "fire", "sum"]),
        st.tuples(st.integers(1, 4), st.integers(1, 4)),  # kernel
        st.tuples(st.integers(1, 3), st.integers(1, 2)),  # strides
        st.tuples(*[st.integers(0, 2)] * 4),  # pads
        st.integers(1, 2),  # dilation
        st.booleans(),  # ceil_mode, or count_include_pad
    ),
    min_size=1,
    max_size=4,
)


Layer = tuple[str, tuple[int, int], tuple[int, int], tuple[int, ...], int, bool]


def network(layers: Sequence[Layer], size: tuple[int, int]) -> Graph:
    """Layers one after the other on a map of three channels, then the mean of each channel."""
    rng, nodes, constants, last = np.random.default_rng(3), [], [], "x"

    def conv(source: str, result: str, kernel: tuple[int, int], **attributes: Any) -> None:
        weight = rng.integers(-3, 4, (3, 3, *kernel)).astype(np.float32)
        constants.append(numpy_helper.from_array(weight, f"{result}.w"))
        nodes.append(helper.make_node("Conv", [source, f"{result}.w"], [result], **attributes))

    for i, (kind, kernel, strides, pads, dilation, flag) in enumerate(layers):
        pads = tuple(min(p, k - 1) for p, k in zip(pads, kernel * 2, strict=True))
        window: dict[str, Any] = {"kernel_shape": kernel, "strides": strides, "pads": pads}
        if kind == "Conv":
            conv(last, f"y{i}", kernel, strides=strides, pads=pads, dilations=[dilation] * 2)
        elif kind == "MaxPool":
            nodes.append(helper.make_node(kind, [last], [f"y{i}"], ceil_mode=int(flag), **window))
        elif kind == "AveragePool":
            nodes.append(helper.make_node(kind, [last], [f"y{i}"], count_include_pad=int(flag), **window))
        elif kind == "Relu":
            nodes.append(helper.make_node(kind, [last], [f"y{i}"]))
        else:  # branches with windows of different sizes, put side by side or added
            conv(last, f"a{i}", (1, 1))
            conv(last, f"b{i}", (3, 3), pads=[1, 1, 1, 1])
            join = helper.make_node("Concat", [f"a{i}", f"b{i}"], [f"c{i}"], axis=1)
            add = helper.make_node("Add", [f"a{i}", f"b{i}"], [f"y{i}"])
            nodes.extend([add] if kind == "sum" else [join])
            if kind == "fire":
                weight = rng.integers(-3, 4, (3, 6, 1, 1)).astype(np.float32)
                constants.append(numpy_helper.from_array(weight, f"y{i}.w"))
                nodes.append(helper.make_node("Conv", [f"c{i}", f"y{i}.w"], [f"y{i}"]))
        last = f"y{i}"
    nodes.append(helper.make_node("GlobalAveragePool", [last], ["end"]))
    return load(model(nodes, [info("x", (1, 3, *size))], [info("end", (1, 3, 1, 1))], constants))


def check(graph: Graph, rows: int, columns: int) -> None:
    """Split ``graph`` at each of its fronts; integers are exact in float32, so results are compared bit by bit."""
    x = np.random.default_rng(1).integers(-2, 3, graph.inputs[0].type.dims).astype(np.float32)  # type: ignore[union-attr]
    expected = interpret(graph, {"x": x})["end"]
    for front in fronts(graph):
        try:
            tiles = {f"tile-{i}": boxes(front, tile) for i, tile in enumerate(grid(front, rows, columns))}
        except EdgeoptError as error:
            assert "cannot be cut" in str(error) or "lies in the padding" in str(error)
            continue
        known = {"x": x}
        for name, part in tiles.items():
            tile = tile_graph(graph, front, part, name)
            verify(tile)
            (top, bottom), (left, right) = part[front.inputs[0]].spans
            known |= interpret(tile, {"x": x[:, :, top:bottom, left:right]})
        inside = {id(node) for node in front.nodes}
        cut = parts(graph, [int(id(node) not in inside) for node in graph.nodes], ("front", "rest"))
        rest = merged(clone(cut.graphs["rest"]), front.end.name, {n: p[front.end] for n, p in tiles.items()}, columns)
        verify(rest)
        found = interpret(rest, {value.name: known[value.name] for value in rest.inputs})
        np.testing.assert_array_equal(found["end"], expected)


@given(LAYERS, st.tuples(st.integers(9, 16), st.integers(9, 16)), st.integers(1, 3), st.integers(1, 3))
def test_tiles_are_the_whole(layers: list[Layer], size: tuple[int, int], rows: int, columns: int) -> None:
    try:
        graph = network(layers, size)
    except EdgeoptError:
        return  # no such network: a window is larger than its map
    check(graph, rows, columns)
    optimize(graph)
    check(graph, rows, columns)


def test_a_front_ends_where_others_read_in_between() -> None:
    kinds: list[Layer] = [("Conv", (3, 3), (1, 1), (1, 1, 1, 1), 1, False), ("fire", (1, 1), (1, 1), (0, 0, 0, 0), 1, False)]
    graph = network(kinds, (9, 9))
    assert [front.end.name for front in fronts(graph)] == ["y0", "c1", "y1"], "not inside the branches"


def test_a_map_smaller_than_the_grid_is_refused() -> None:
    graph = network([("MaxPool", (4, 4), (3, 2), (0,) * 4, 1, False)], (9, 9))
    with pytest.raises(EdgeoptError, match="cannot be cut into 4x2"):
        grid(fronts(graph)[0], 4, 2)
