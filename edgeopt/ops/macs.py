"""Multiply-accumulates of one node: convolutions, matrix products and recurrent cells; every other operator counts as none.

A multiply-accumulate is one multiplication with the addition that takes its product in. Bias, activation and other elementwise
work is not counted, which is how published figures count. An own operator counts by its definition.
"""

from __future__ import annotations

from edgeopt.ir import OWN_DOMAIN, Graph, Node
from edgeopt.ops.table import OWN_OPS
from edgeopt.ops.work import Count, convolution, einsum, product, recurrent, transposed_convolution

STANDARD: dict[str, Count] = {
    "Conv": convolution(1),
    "ConvInteger": convolution(1),
    "ConvTranspose": transposed_convolution(1),
    "Einsum": einsum,
    "GRU": recurrent,
    "Gemm": product,
    "LSTM": recurrent,
    "MatMul": product,
    "MatMulInteger": product,
    "QLinearConv": convolution(3),
    "QLinearMatMul": product,
    "RNN": recurrent,
}


def macs(node: Node) -> int | None:
    """Multiply-accumulates of one execution of ``node``; None when they depend on a dimension that is not known.

    If counts its dearer branch, Loop and Scan count one turn of their body.
    """
    if node.subgraphs:
        return _of_subgraphs(node)
    if node.domain == OWN_DOMAIN:
        return OWN_OPS[node.op].macs(node)
    rule = STANDARD.get(node.op) if not node.domain else None
    return rule(node) if rule is not None else 0


def runs_within(graph: Graph, work: int, fewest: int, most: int) -> int:
    """How many runs of ``graph`` take about ``work`` multiply-accumulates: at least the ``fewest``, no more than the ``most``."""
    each = sum(macs(node) or 0 for node in graph.nodes)
    return min(most, max(fewest, work // max(1, each)))


def _of_subgraphs(node: Node) -> int | None:
    counts = [_of_graph(inner) for inner in node.subgraphs]
    known = [count for count in counts if count is not None]
    return max(known) if len(known) == len(counts) else None


def _of_graph(graph: Graph) -> int | None:
    counts = [macs(node) for node in graph.nodes]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
