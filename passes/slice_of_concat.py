"""Slice that takes from one piece of a Concat only -> Slice of that piece.

    Slice(Concat(a, b, ...), axis, within b)   ->   Slice(b, shifted)

The Concat stays for its other readers. Not when the slice spans pieces, or bounds and shapes are unknown.
"""

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import shape_of
from edgeopt.ops.slices import slice_inputs, sliced_ranges
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    value = node.input(0)
    concat = value.producer if value is not None else None
    if not node.is_op("Slice") or concat is None or not concat.is_op("Concat"):
        return False
    shapes, ranges = [shape_of(v) for v in concat.inputs], sliced_ranges(node)
    if ranges is None or any(s is None for s in shapes):
        return context.decline(node, "its bounds or the shapes of the pieces are unknown")
    axis = concat.integer("axis", 0) % len(ranges)
    position, offset = _piece([s[axis] for s in shapes if s is not None], ranges[axis])
    shape = shapes[position] if position is not None else None
    if position is None or shape is None:
        return context.decline(node, "it spans several pieces")
    ranges[axis] = range(ranges[axis].start - offset, ranges[axis].stop - offset, ranges[axis].step)
    arrays = slice_inputs(ranges, shape)
    if arrays is None:
        return context.decline(node, "an axis runs backwards")
    inputs = [concat.inputs[position], *(graph.constant(f"{node.name}.slice", a) for a in arrays)]
    made = graph.make("Slice", inputs, [node.output.type], node, name=node.name)
    graph.replace(node.output, made.output)
    graph.erase(node)
    return True


def _piece(sizes: list[int], taken: range) -> tuple[int | None, int]:
    """(position, offset) of the piece that holds all indices ``taken``; position None when there is none."""
    offset = 0
    for position, size in enumerate(sizes):
        if taken and min(taken) >= offset and max(taken) < offset + size:
            return position, offset
        offset += size
    return None, offset


PASS = Pass("slice_of_concat", rewrite, roots=("Slice",))
