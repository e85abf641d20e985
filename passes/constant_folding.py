"""A node whose inputs are all constant -> its result as a constant.

    y = op(c1, c2, ...)   ->   constant y        computed by the reference implementation, the same that defines the node

Not for random operators, for control flow, for DequantizeLinear (a weight stays in its small form) unless operators read it that
have no form of codes, for an Identity that only carries the name of a graph output, for operands that break the operator's
contract, when the result is more than a megabyte larger than what it is computed from, or when all results together are more than
64 MB larger.
"""

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array, Graph, Node
from edgeopt.ir.match import RANDOM
from edgeopt.ops import evaluate, result_bytes
from edgeopt.ops.contracts import misfit
from edgeopt.ops.recurrent import WEIGHTS, keeps_codes
from edgeopt.rewrite import Context, Pass

GROWTH_LIMIT = 1 << 20
TOTAL_LIMIT = 1 << 26
FLOAT = """BatchNormalization GroupNormalization GRU InstanceNormalization LayerNormalization LSTM PRelu RMSNormalization RNN
Resize""".split()  # they read numbers


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if any(v is not None and not v.is_constant for v in node.inputs) or node.subgraphs or node.op in RANDOM:
        return False
    results = _kept(graph, node) or misfit(node) or _evaluated(node, context)
    if isinstance(results, str):
        return context.decline(node, results)
    for value, array in zip([v for v in node.outputs if v.name], results, strict=True):
        if value.uses or graph.is_output(value):
            graph.replace(value, graph.constant(value.name, array, value.type.dtype if value.type else None))
    graph.erase(node)
    return True


def _kept(graph: Graph, node: Node) -> str:
    """Why ``node`` is wanted as it is; '' when it is not."""
    if node.op == "DequantizeLinear" and not all(_wants_numbers(user, i) for user, i in node.output.uses):
        return "a quantised constant stays in its small form"
    return "it carries the name of a graph output" if node.is_op("Identity") and graph.is_output(node.output) else ""


def _wants_numbers(user: Node, index: int) -> bool:
    """Whether ``user`` has no form that reads its input ``index`` as codes."""
    return user.is_op(*FLOAT) and not (index in WEIGHTS and keeps_codes(user))


def _evaluated(node: Node, context: Context) -> list[Array] | str:
    """The results of ``node``, or why there are none; what would be too large is not even evaluated."""
    inputs = [None if v is None else v.array for v in node.inputs]
    given = sum(v.array.nbytes for v in {id(v): v for v in node.inputs if v is not None}.values())
    if reason := _too_large(node, result_bytes(node, inputs) - given, context):
        return reason
    try:
        results = evaluate(node, inputs)
    except EdgeoptError as error:
        return str(error)
    if not all(isinstance(r, np.ndarray) for r in results):
        return "its result is not a tensor"
    grown = sum(r.nbytes for r in results) - given
    reason = _too_large(node, grown, context)
    context.grown += 0 if reason else max(grown, 0)
    return reason or results


def _too_large(node: Node, grown: int, context: Context) -> str:
    """Why a result that is ``grown`` bytes larger than its inputs stays computed; '' when it is small or has no inputs."""
    if grown > GROWTH_LIMIT and node.inputs:
        return f"its result is {grown} bytes larger than its inputs"
    if context.grown + grown > TOTAL_LIMIT and node.inputs:
        return f"constants have grown by {context.grown} bytes already, and this one would by {grown}"
    return ""


PASS = Pass("constant_folding", rewrite)
