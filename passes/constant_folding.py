"""A node whose inputs are all constant -> its result as a constant.

    y = op(c1, c2, ...)   ->   constant y        computed by the reference implementation, the same that defines the node

Not for random operators, for control flow, for DequantizeLinear (a weight stays in its small form), for an Identity that only
carries the name of a graph output, for operands that break the operator's contract, or when the result is more than a megabyte
larger than what it is computed from.
"""

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Graph, Node
from edgeopt.ops import evaluate
from edgeopt.ops.contracts import misfit
from edgeopt.rewrite import Context, Pass

GROWTH_LIMIT = 1 << 20
RANDOM = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli", "Dropout")


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if any(v is not None and not v.is_constant for v in node.inputs) or node.subgraphs or node.op in RANDOM:
        return False
    if node.op == "DequantizeLinear":
        return context.decline(node, "a quantised constant stays in its small form")
    if node.is_op("Identity") and graph.is_output(node.output):
        return context.decline(node, "it carries the name of a graph output")
    reason = misfit(node)
    if reason:
        return context.decline(node, reason)
    inputs = [None if v is None else v.array for v in node.inputs]
    try:
        results = evaluate(node, inputs)
    except EdgeoptError as error:
        return context.decline(node, str(error))
    if not all(isinstance(r, np.ndarray) for r in results):
        return context.decline(node, "its result is not a tensor")
    grown = sum(r.nbytes for r in results) - sum(a.nbytes for a in inputs if a is not None)
    if node.inputs and grown > GROWTH_LIMIT:
        return context.decline(node, f"its result is {grown} bytes larger than its inputs")
    for value, array in zip(node.outputs, results, strict=True):
        if value.uses or graph.is_output(value):
            graph.replace(value, graph.constant(value.name, array, value.type.dtype if value.type else None))
    graph.erase(node)
    return True


PASS = Pass("constant_folding", rewrite)
