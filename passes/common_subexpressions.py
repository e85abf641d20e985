"""Two nodes that compute the same -> one.

    a = op(x, y){k}; b = op(x, y){k}   ->   a, with b's readers reading a

Equal constants count as the same input. Not for random operators, control flow, or when both results are graph outputs (each
must keep its name).
"""

import numpy as np

from edgeopt.ir import Graph, Node, Value
from edgeopt.ir.match import RANDOM
from edgeopt.rewrite import Context, Pass

SAMPLE = 16  # elements of a constant that tell it from most others


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    first = next((v for v in node.inputs if v is not None and not v.is_constant), None)
    if first is None or node.op in RANDOM or node.subgraphs:
        return False
    alike = context.seen.setdefault(_key(node), [])
    for twin in alike:
        if twin.graph is not graph or not _equal(twin, node):
            continue
        if any(graph.is_output(o) and graph.is_output(t) for o, t in zip(node.outputs, twin.outputs, strict=True)):
            return context.decline(node, f"it and its twin {twin!r} are both graph outputs")
        for old, new in zip(node.outputs, twin.outputs, strict=True):
            graph.replace(old, new)
        graph.erase(node)
        return True
    alike.append(node)
    return False


def _key(node: Node) -> tuple[object, ...]:
    """What equal nodes have in common, and few others: nodes are visited in order, and looked up instead of held against all."""
    inputs = [(v.type, v.array.reshape(-1)[:SAMPLE].tobytes()) if v is not None and v.is_constant else id(v) for v in node.inputs]
    return (node.op, node.domain, *inputs)


def _equal(a: Node, b: Node) -> bool:
    if (a.op, a.domain, len(a.inputs), len(a.outputs)) != (b.op, b.domain, len(b.inputs), len(b.outputs)):
        return False
    if a.attributes.keys() != b.attributes.keys() or [bool(o.name) for o in a.outputs] != [bool(o.name) for o in b.outputs]:
        return False
    return all(_same_attribute(a.attributes[k], b.attributes[k]) for k in a.attributes) and all(
        _same_input(x, y) for x, y in zip(a.inputs, b.inputs, strict=True)
    )


def _same_attribute(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return list(a) == list(b)
    return type(a) is type(b) and a == b


def _same_input(a: Value | None, b: Value | None) -> bool:
    if a is b or a is None or b is None:
        return a is b
    return a.is_constant and b.is_constant and a.type == b.type and np.array_equal(a.array, b.array)


PASS = Pass("common_subexpressions", rewrite)
