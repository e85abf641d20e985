"""How large the integers of a value may be, by what reads them."""

from __future__ import annotations

from edgeopt.ir import Node, Value
from edgeopt.ir.match import shape_of

PASSING = ("Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Concat", "Expand", "Flatten")


def index_limit(value: Value, default: int) -> int:
    """The least size of the axes that elements of ``value`` select from, at most ``default``; at least 1."""
    found, pending, seen = default, [value], set[Value]()
    while pending:
        here = pending.pop()
        seen.add(here)
        for node, index in here.uses:
            found = min(found, _selected(node, index, default))
            if node.is_op(*PASSING) and index == 0 and node.output not in seen:
                pending.append(node.output)
    return max(1, found)


def _selected(node: Node, index: int, default: int) -> int:
    shape = shape_of(node.input(0))
    if not node.is_op("Gather", "GatherElements") or index != 1 or not shape:
        return default
    return shape[node.integer("axis", 0) % len(shape)]
