"""Integer operators of one byte, a table of it and constants -> one table of 256 codes.

    QuantLookup(QuantLookup(x, s), t)             ->   QuantLookup(x, t')        t'[i] = t[s[i]]
    QuantMul(x, QuantLookup(x, s))                ->   QuantLookup(x, t')        x * sigmoid(x) is a function of x
    QuantAdd(QuantLookup(x, s), c)                ->   QuantLookup(x, t')        c one number

Exact: the table is computed by the very operators it replaces. Not for codes wider than 8 bits, or where x is broadcast.
"""

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Array, Graph, Node, Value, numpy_dtype
from edgeopt.ir.match import dtype_of, shape_of
from edgeopt.ops import evaluate
from edgeopt.rewrite import Context, Pass

OPERANDS = {"QuantLookup": (0,), "QuantAdd": (0, 3), "QuantMul": (0, 3)}
CODES = {"uint8": np.arange(256), "int8": np.arange(-128, 128)}


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if not node.is_own(*OPERANDS):
        return False
    operands = {i: node.input(i) for i in OPERANDS[node.op]}
    computed = [v for v in operands.values() if v is not None and not v.is_constant]
    sources = {_source(v) for v in computed}
    if len(sources) != 1 or (node.op == "QuantLookup" and sources == set(computed)):
        return False
    (x,) = sources
    if dtype_of(x) not in CODES or shape_of(x) is None or shape_of(x) != shape_of(node.output):
        return context.decline(node, "its codes are not 8 bits wide, or it is broadcast")
    others = [v for i, v in enumerate(node.inputs) if v not in computed and v is not None]
    if any(not v.is_constant or (node.op != "QuantLookup" and v.array.size != 1) for v in others):
        return context.decline(node, "its other operand is no single number, or a grid is computed")
    table = graph.constant(f"{node.name}.table", _table(node, x, computed))
    made = graph.make("QuantLookup", [x, table], [node.output.type], node, OWN_DOMAIN, node.name)
    graph.replace(node.output, made.output)
    graph.erase(node)
    return True


def _lookup(value: Value) -> Node | None:
    node = value.producer
    return node if node is not None and node.is_own("QuantLookup") and node.constant(1) is not None else None


def _source(value: Value) -> Value:
    """What ``value`` is a table of, or itself."""
    lookup = _lookup(value)
    source = lookup.input(0) if lookup is not None else None
    return value if source is None else source


def _table(node: Node, x: Value, computed: list[Value]) -> Array:
    codes = CODES[dtype_of(x)].astype(numpy_dtype(dtype_of(x)))
    inputs = [None if v is None else _codes(v, codes) if v in computed else _constant(v) for v in node.inputs]
    table: Array = evaluate(node, inputs)[0].reshape(-1)
    return table


def _codes(value: Value, codes: Array) -> Array:
    """What ``value`` is for every code of its source: a table begins with the lowest one."""
    lookup = _lookup(value)
    table = lookup.constant(1) if lookup is not None else None
    return codes if table is None else table.reshape(-1)


def _constant(value: Value) -> Array:
    return value.array.reshape(()) if value.array.size == 1 else value.array


PASS = Pass("merge_lookups", rewrite, roots=tuple(OPERANDS))
