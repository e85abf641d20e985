"""Division by constant powers of two -> multiplication.

    x / c   ->   x * (1 / c)        exact because 1 / c is

Not for other divisors (the result could differ in the last bit), for integers, or where 1 / c overflows.
"""

import numpy as np

from edgeopt.ir import Array, Graph, Node
from edgeopt.ir.match import dtype_of
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    divisor = node.constant(1) if node.is_op("Div") else None
    if divisor is None:
        return False
    if dtype_of(node.output) not in ("float16", "float32", "float64"):
        return context.decline(node, "it does not divide floating-point numbers")
    if not _powers_of_two(divisor):
        return context.decline(node, "its divisor is not a power of two")
    reciprocal = graph.constant(f"{node.name}.reciprocal", (1 / divisor).astype(divisor.dtype))
    made = graph.make("Mul", [node.input(0), reciprocal], [node.output.type], node, name=node.name)
    graph.replace(node.output, made.output)
    graph.erase(node)
    return True


def _powers_of_two(array: Array) -> bool:
    with np.errstate(all="ignore"):
        reciprocal = (1 / array).astype(array.dtype)
        return bool((np.isfinite(reciprocal) & (np.abs(np.frexp(array)[0]) == 0.5) & (1 / reciprocal == array)).all())


PASS = Pass("division_to_product", rewrite, roots=("Div",))
