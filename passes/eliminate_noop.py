"""A node whose parameters make it return its input -> nothing.

    Cast to the type it has; Transpose in order; Reshape, Flatten, Squeeze, Unsqueeze, Expand, Tile to the shape it has;
    Pad by nothing; Slice of everything; x + 0, x - 0, x * 1, x / 1, x ** 1   ->   x

Not where shapes are unknown, or where broadcasting enlarges x.
"""

from collections.abc import Callable

from edgeopt.ir import Graph, Node, Value
from edgeopt.ir.match import dtype_of, integers, same_type, shape_of
from edgeopt.ops.slices import sliced_ranges
from edgeopt.rewrite import Context, Pass

NEUTRAL = {"Add": 0, "Sub": 0, "Mul": 1, "Div": 1, "Pow": 1}
RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand", "Tile")


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if node.domain or node.op not in ROOTS:
        return False
    value = _neutral(node) if node.op in NEUTRAL else node.input(0)
    if value is None or (node.op not in NEUTRAL and not UNCHANGED.get(node.op, _keeps_shape)(node)):
        return False
    graph.replace(node.output, value)
    graph.erase(node)
    return True


def _neutral(node: Node) -> Value | None:
    """The operand that the other one, constant and neutral, leaves unchanged."""
    for index in (1, 0) if node.op in ("Add", "Mul") else (1,):
        constant, value = node.constant(index), node.input(1 - index)
        if constant is not None and same_type(value, node.output) and bool((constant == NEUTRAL[node.op]).all()):
            return value
    return None


def _keeps_shape(node: Node) -> bool:
    if node.op == "Tile":
        return all(n == 1 for n in integers(node, 1) or (0,))
    return same_type(node.input(0), node.output)


def _keeps_type(node: Node) -> bool:
    return dtype_of(node.input(0)) == dtype_of(node.output) != ""


def _in_order(node: Node) -> bool:
    perm = node.integers("perm")
    return bool(perm) and perm == tuple(range(len(perm)))


def _adds_nothing(node: Node) -> bool:
    pads = integers(node, 1)
    return pads is not None and not any(pads)


def _takes_all(node: Node) -> bool:
    shape, ranges = shape_of(node.input(0)), sliced_ranges(node)
    return shape is not None and ranges is not None and ranges == [range(d) for d in shape]


UNCHANGED: dict[str, Callable[[Node], bool]] = {
    "Cast": _keeps_type,
    "Transpose": _in_order,
    "Pad": _adds_nothing,
    "Slice": _takes_all,
}
ROOTS = (*UNCHANGED, *RESHAPES, *NEUTRAL)
PASS = Pass("eliminate_noop", rewrite, roots=ROOTS)
