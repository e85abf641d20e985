"""DequantizeLinear -> functions of one variable -> QuantizeLinear becomes a table of 256 codes.

    Q(f(DQ(x)))      ->   QuantLookup(x, table)        table[i] = Q(f(DQ(i-th code)))
    Q(g(f(DQ(x))))   ->   the same with more functions

Exact: the table is computed by the very operators it replaces. Also makes one table of DQ -> Q alone, a change of grid.
The result may be 16 bits wide. Not for an input of codes wider than 8 bits, several scales, or a result that others read.
"""

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Array, Graph, Node, numpy_dtype
from edgeopt.ir.match import dtype_of, sole_user
from edgeopt.ops import evaluate
from edgeopt.ops.qdq import dequantized, is_per_tensor, quantizing_user, same_grid
from edgeopt.rewrite import Context, Pass

FUNCTIONS = (
    "Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "LeakyRelu", "Elu", "Selu", "Celu", "Gelu", "Silu", "Swish", "Mish",
    "Softplus", "Softsign", "Exp", "Log", "Sqrt", "Abs", "Neg", "Reciprocal", "Erf", "Clip", "Relu",
)  # fmt: skip
ROOTS = (*FUNCTIONS, "QuantizeLinear")
CODES = {"uint8": np.arange(256), "int8": np.arange(-128, 128)}
RESULTS = (*CODES, "uint16", "int16")


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if node.op not in ROOTS:
        return False
    source = dequantized(node.input(0))
    if source is None:
        return False
    chain = _chain(node)
    end = node if node.is_op("QuantizeLinear") else quantizing_user(chain[-1].output)
    if end is None:
        return context.decline(node, "its result is read as float")
    if end is node and (same_grid(source, end) or end.constant(1) is None or not is_per_tensor(end) or end.constant(2) is None):
        return False
    narrow = dtype_of(source.input(0)) in CODES and dtype_of(end.output) in RESULTS
    if not is_per_tensor(source) or not narrow or any(v is not None and not v.is_constant for f in chain for v in f.inputs[1:]):
        return context.decline(node, "its codes are not 8 bits wide with one scale, or its bounds are computed")
    table = graph.constant(f"{node.name}.table", _table(source, chain, end))
    made = graph.make("QuantLookup", [source.input(0), table], [end.output.type], end, OWN_DOMAIN, node.name)
    graph.replace(end.output, made.output)
    for old in [*([end] if end is not node else []), *reversed(chain)]:
        graph.erase(old)
    return True


def _chain(node: Node) -> list[Node]:
    """``node`` and the functions that alone read each other, one after the other; none of codes."""
    found = [node]
    if node.is_op("QuantizeLinear"):
        return found
    while (after := sole_user(found[-1].output)) is not None and after.op in FUNCTIONS and after.input(0) is found[-1].output:
        found.append(after)
    return found


def _table(source: Node, chain: list[Node], end: Node) -> Array:
    dtype = dtype_of(source.input(0))
    values = _run(source, CODES[dtype].astype(numpy_dtype(dtype)))
    for function in [*chain, *([end] if end is not chain[0] else [])]:
        values = _run(function, values)
    return values


def _run(node: Node, first: Array) -> Array:
    return evaluate(node, [first, *(None if v is None else v.array for v in node.inputs[1:])])[0]


PASS = Pass("fold_qdq_lookup", rewrite, roots=ROOTS)
