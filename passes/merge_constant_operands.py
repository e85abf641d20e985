"""Two constant factors, or two constant addends, in a row -> one.

    (x * a) * b   ->   x * (a * b)        (x + a) + b   ->   x + (a + b)

a * b and a + b are taken in float64 and rounded once. Not for integers and half precision, when the first result has other
readers, when a constant enlarges the tensor, or when the new one is not finite.
"""

import numpy as np

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import constant_operand, dtype_of, readers, same_type, sole_user
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    outer = constant_operand(node) if node.is_op("Mul", "Add") else None
    value = node.inputs[outer[0]] if outer is not None else None
    first = value.producer if value is not None else None
    inner = constant_operand(first) if first is not None and first.is_op(node.op) else None
    if outer is None or value is None or first is None or inner is None:
        return False
    if sole_user(value) is not node or dtype_of(value) not in ("float32", "float64"):
        return context.decline(node, f"{readers(value)}, or is not float32 or float64")
    x, a, b = first.inputs[inner[0]], first.constant(inner[1]), node.constant(outer[1])
    if a is None or b is None or not same_type(x, node.output):
        return context.decline(node, "a constant enlarges the tensor")
    with np.errstate(all="ignore"):
        wide = a.astype(np.float64) * b if node.op == "Mul" else a.astype(np.float64) + b
        merged = wide.astype(a.dtype)
    if not np.isfinite(merged).all() or merged.size > max(a.size, b.size):
        return context.decline(node, "the merged constant is not finite, or larger than both")
    made = graph.make(node.op, [x, graph.constant(f"{node.name}.merged", merged)], [node.output.type], node, name=node.name)
    graph.replace(node.output, made.output)
    graph.erase(node)
    graph.erase(first)
    return True


PASS = Pass("merge_constant_operands", rewrite, roots=("Mul", "Add"))
