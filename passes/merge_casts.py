"""Cast of a Cast -> one Cast.

    Cast(Cast(x, a), b)   ->   Cast(x, b)        when a holds every value of the type of x

Not when the first Cast rounds, saturates or truncates.
"""

import numpy as np

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import dtype_of
from edgeopt.rewrite import Context, Pass

EXACT_INTEGER_BITS = {"float16": 11, "float32": 24, "float64": 53}


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    first = node.inputs[0].producer if node.inputs and node.inputs[0] is not None else None
    if not node.is_op("Cast") or first is None or not first.is_op("Cast"):
        return False
    if not _holds(dtype_of(first.input(0)), dtype_of(first.output)):
        return context.decline(node, f"the Cast before it, to {dtype_of(first.output)}, loses values")
    node.set_input(0, first.input(0))
    if not first.output.uses and not graph.is_output(first.output):
        graph.erase(first)
    return True


def _holds(narrow: str, wide: str) -> bool:
    try:
        source, target = np.dtype(narrow or "V"), np.dtype(wide or "V")
    except TypeError:
        return False
    if source.kind not in "biuf" or not np.can_cast(source, target, "safe"):
        return False
    bits = 1 if source.kind == "b" else source.itemsize * 8
    return source.kind == "f" or target.kind != "f" or bits <= EXACT_INTEGER_BITS[target.name]


PASS = Pass("merge_casts", rewrite, roots=("Cast",))
