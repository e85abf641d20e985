"""A graph whose front is cut into pieces that make a row each: what is lowered where the rows of an input are streamed.

Every piece reads a band of its own, the rows under its window, in place of a map, and pads no rows: a driver fills bands row by
row. Behind the front the map that its rows make up is an input like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from edgeopt.ir import Graph, Node, TensorType, Value
from edgeopt.ir.clone import clone
from edgeopt.lower.front import Front, Piece, Window


@dataclass(frozen=True, eq=False)
class RowPiece:
    """``nodes`` make the value ``row`` of ``band``, which holds the rows under ``window`` of a map of ``height``.

    ``results`` are the rows that there are in the end.
    """

    nodes: list[Node]
    window: Window
    band: Value
    row: Value
    height: int
    results: int


@dataclass(frozen=True, eq=False)
class Rows:
    """The ``pieces``, in order, the ``rest`` of the nodes of ``graph``, and the map ``result`` between them."""

    graph: Graph
    pieces: list[RowPiece]
    rest: list[Node]
    result: Value


def cut(graph: Graph, found: Front, count: int) -> Rows:
    """A copy of ``graph`` with the first ``count`` pieces of its front, which was ``found`` in it, cut off."""
    made = clone(graph)
    of = dict(zip(graph.nodes, made.nodes, strict=True))
    chosen = [Piece(p.window, [of[node] for node in p.nodes]) for p in found.pieces[:count]]
    maps = [_type(found.source), *(_map(p.nodes[-1]) for p in chosen)]
    result = Value(made.fresh("rows"), maps[-1])
    made.replace(chosen[-1].nodes[-1].output, result)
    pieces = [_piece(made, piece, *ends) for piece, ends in zip(chosen, pairwise(maps), strict=True)]
    gone = {of[node] for node in found.views} | {node for piece in pieces for node in piece.nodes}
    made.inputs = []
    return Rows(made, pieces, [node for node in made.nodes if node not in gone], result)


def _piece(graph: Graph, piece: Piece, source: TensorType, made: TensorType) -> RowPiece:
    first, window = piece.nodes[0], piece.window
    band = Value(graph.fresh("band"), _of_height(source, window.rows))
    if not window.single:
        first.attributes["pads"] = [0, window.beside[0], 0, window.beside[1]]
        first.attributes.pop("auto_pad", None)
    for node in piece.nodes:
        node.output.type = _of_height(_map(node), 1)
    first.set_input(0, band)
    return RowPiece(piece.nodes, window, band, piece.nodes[-1].output, source.dims[2], made.dims[2])


def _type(value: Value) -> TensorType:
    assert value.type is not None
    return value.type


def _map(node: Node) -> TensorType:
    return _type(node.output)


def _of_height(type_: TensorType, rows: int) -> TensorType:
    n, c, _, w = type_.dims
    return TensorType(type_.dtype, (n, c, rows, w))
