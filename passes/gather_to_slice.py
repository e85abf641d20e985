"""Gather of one index, behind any chain of Reshape and Transpose, that takes a regular part of a tensor -> Slice.

    Gather(Reshape(Transpose(Reshape(x))), i)   ->   Slice(x, start, step) [Reshape]

One half of a channel shuffle, for example, is every second channel. Found by carrying the positions of the elements of x
through the chain. Not when the part is irregular or runs backwards, with unknown shapes, or above four million elements.
"""

from collections.abc import Sequence

import numpy as np

from edgeopt.ir import Array, Graph, Node, TensorType, Value
from edgeopt.ir.match import dtype_of, rank_of, shape_of
from edgeopt.ops.slices import slice_inputs
from edgeopt.rewrite import Context, Pass

LARGEST = 1 << 22


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    index, value = node.constant(1), node.input(0)
    if not node.is_op("Gather") or index is None or index.ndim != 0 or value is None or value.is_constant:
        return False
    source, chain = _climb(value)
    shape, result, rank = shape_of(source), shape_of(node.output), rank_of(value)
    if shape is None or result is None or not rank or 0 in shape or np.prod(shape) > LARGEST:
        return context.decline(node, "a shape is unknown, empty or too large to follow")
    axis = node.integer("axis", 0) % rank
    positions = np.take(_carried(shape, chain), index, axis)
    kept = result if len(result) == len(shape) else (*result[:axis], 1, *result[axis:])
    ranges = _ranges(positions.reshape(kept), shape) if len(kept) == len(shape) else None
    bounds = slice_inputs(ranges, shape) if ranges is not None else None
    if bounds is None:
        return context.decline(node, "it takes no regular part")
    inputs = [source, *(graph.constant(f"{node.name}.slice", b) for b in bounds)]
    made = graph.make("Slice", inputs, [TensorType(dtype_of(node.output), kept)], node, name=node.name).output
    if kept != result:
        target = graph.constant(f"{node.name}.shape", np.array(result, np.int64))
        made = graph.make("Reshape", [made, target], [node.output.type], node, name=node.name).output
    graph.replace(node.output, made)
    graph.erase(node)
    return True


def _climb(value: Value) -> tuple[Value, list[Node]]:
    """The value above a chain of Reshape and Transpose of static shape, and the chain from there down."""
    chain: list[Node] = []
    while (node := value.producer) is not None and node.is_op("Reshape", "Transpose") and shape_of(node.output) is not None:
        above = node.input(0)
        if above is None:
            break
        chain.insert(0, node)
        value = above
    return value, chain


def _carried(shape: Sequence[int], chain: Sequence[Node]) -> Array:
    """For each element of the end of the chain its position in the flattened beginning."""
    positions = np.arange(np.prod(shape, dtype=np.int64)).reshape(shape)
    for node in chain:
        if node.op == "Transpose":
            positions = positions.transpose(node.integers("perm", range(positions.ndim - 1, -1, -1)))
        else:
            positions = positions.reshape(shape_of(node.output) or ())
    return positions


def _ranges(positions: Array, shape: Sequence[int]) -> list[range] | None:
    """The range along each axis whose outer product is ``positions``, or None."""
    first = np.unravel_index(positions.flat[0], shape)
    ranges = []
    for axis, size in enumerate(positions.shape):
        step = 1
        if size > 1:
            second = np.unravel_index(positions[tuple(int(a == axis) for a in range(positions.ndim))], shape)
            step = int(second[axis] - first[axis])
        if step <= 0:
            return None
        ranges.append(range(int(first[axis]), int(first[axis]) + step * (size - 1) + 1, step))
    everything = np.arange(np.prod(shape, dtype=np.int64)).reshape(shape)
    taken = everything[tuple(slice(r.start, r.stop, r.step) for r in ranges)]
    return ranges if np.array_equal(taken, positions) else None


PASS = Pass("gather_to_slice", rewrite, roots=("Gather",))
