"""Clip of the codes of an integer operator -> the operator with these limits.

    Clip(QuantConv(x, ...), a, b)     ->   QuantConv(x, ..., low=a, high=b)      all of its kin, too
    Clip(QuantLookup(x, t), a, b)     ->   QuantLookup(x, Clip(t, a, b))
    Clip(c, a, b)                     ->   c                                     where all codes are within a and b already

Exact: results saturate to the limits of their type anyway, now to narrower ones. Not where others read the codes as well.
"""

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Graph, Node
from edgeopt.ir.match import code_limits, only_feeds
from edgeopt.ops.code_limits import LIMITED, Limits, clipped_to, within
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    limits, value = clipped_to(node), node.input(0)
    if limits is None or value is None:
        return False
    if within(value, limits):
        graph.replace(node.output, value)
        graph.erase(node)
        return True
    source = value.producer
    if source is None or source.domain != OWN_DOMAIN or source.op not in (*LIMITED, "QuantLookup"):
        return context.decline(node, "no integer operator makes its codes")
    if not only_feeds(source, node):
        return context.decline(node, "others read the codes without these limits")
    return _limited(graph, source, node, limits)


def _limited(graph: Graph, source: Node, node: Node, limits: Limits) -> bool:
    inputs, attributes = list(source.inputs), dict(source.attributes)
    if source.op == "QuantLookup":
        table = source.constant(1)
        if table is None:
            return False
        inputs[1] = graph.constant(f"{source.name}.table", np.clip(table, *limits).astype(table.dtype))
    else:
        low, high = (min(max(v, limits[0]), limits[1]) for v in code_limits(source) or limits)
        attributes |= {"low": low, "high": high}
    made = graph.make(source.op, inputs, [node.output.type], node, OWN_DOMAIN, source.name, attributes)
    made.metadata.update(source.metadata)
    graph.replace(node.output, made.output)
    graph.erase(node)
    graph.erase(source)
    return True


PASS = Pass("fold_code_limits", rewrite, roots=("Clip",))
