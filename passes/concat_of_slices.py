"""Concat of neighbouring slices that are the whole of a value -> Concat of that value.

    Concat(Slice(x, 0:a), Slice(x, a:), y)   ->   Concat(x, y)

and the same for the outputs of a Split. Exact. Not when the slices leave anything out, change the order, or run along another
axis.
"""

from __future__ import annotations

from edgeopt.ir import Graph, Node, Value
from edgeopt.ir.match import shape_of
from edgeopt.ops.slices import sliced_ranges
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    shape = shape_of(node.output)
    if not node.is_op("Concat") or shape is None:
        return False
    axis = node.integer("axis", 0) % len(shape)
    pieces = [_piece(v, axis) for v in node.inputs]
    for first, piece in enumerate(pieces):
        source, extent = piece[0] if piece is not None else None, shape_of(piece[0]) if piece is not None else None
        if piece is None or source is None or extent is None or piece[1] != 0:
            continue
        count = _covering(pieces[first:], source, extent[axis])
        if count > 1:
            return _replace(graph, node, first, count, source)
    return False


def _piece(value: Value | None, axis: int) -> tuple[Value, int, int] | None:
    """(source, start, end) of a value that is cut from another along ``axis`` alone."""
    node = value.producer if value is not None else None
    source, shape = (node.input(0), shape_of(node.input(0))) if node is not None else (None, None)
    if node is None or source is None or shape is None or value is None:
        return None
    if node.is_op("Split"):
        return _split(node, value, axis, source, shape)
    ranges = sliced_ranges(node) if node.is_op("Slice") else None
    if ranges is None or any(r != range(shape[a]) for a, r in enumerate(ranges) if a != axis) or ranges[axis].step != 1:
        return None
    return source, ranges[axis].start, ranges[axis].stop


def _split(node: Node, value: Value, axis: int, source: Value, shape: tuple[int, ...]) -> tuple[Value, int, int] | None:
    extents = [shape_of(o) for o in node.outputs]
    if node.integer("axis", 0) % len(shape) != axis or any(e is None for e in extents):
        return None
    sizes = [e[axis] for e in extents if e is not None]
    index = node.outputs.index(value)
    return source, sum(sizes[:index]), sum(sizes[: index + 1])


def _covering(pieces: list[tuple[Value, int, int] | None], source: Value, extent: int) -> int:
    """How many of ``pieces`` follow each other through all of ``source``; 0 when they do not come to its end."""
    place = 0
    for count, piece in enumerate(pieces, 1):
        if piece is None or piece[0] is not source or piece[1] != place:
            return 0
        place = piece[2]
        if place == extent:
            return count
    return 0


def _replace(graph: Graph, node: Node, first: int, count: int, source: Value) -> bool:
    inputs = [*node.inputs[:first], source, *node.inputs[first + count :]]
    made = graph.make("Concat", inputs, [node.output.type], node, name=node.name, attributes=node.attributes)
    graph.replace(node.output, made.output)
    graph.erase(node)
    return True


PASS = Pass("concat_of_slices", rewrite, roots=("Concat",))
