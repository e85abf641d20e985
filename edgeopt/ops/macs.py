"""Multiply-accumulates of one node: convolutions, matrix products and recurrent cells; every other operator counts as none.

A multiply-accumulate is one multiplication with the addition that takes its product in. Bias, activation and other elementwise
work is not counted, which is how published figures count.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from edgeopt.ir import Graph, Node, Value


def macs(node: Node) -> int | None:
    """Multiply-accumulates of one execution of ``node``; None when they depend on a dimension that is not known.

    If counts its dearer branch, Loop and Scan count one turn of their body.
    """
    if node.subgraphs:
        return _of_subgraphs(node)
    rule = RULES.get(node.op) if node.domain in ("", "ai.edgeopt", "com.microsoft") else None
    return rule(node) if rule is not None else 0


def _of_subgraphs(node: Node) -> int | None:
    counts = [_of_graph(inner) for inner in node.subgraphs]
    known = [count for count in counts if count is not None]
    return max(known) if len(known) == len(counts) else None


def _of_graph(graph: Graph) -> int | None:
    counts = [macs(node) for node in graph.nodes]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _shape(value: Value | None) -> tuple[int, ...] | None:
    return value.type.dims if value is not None and value.type is not None and value.type.static else None


def _convolution(weight: int) -> Callable[[Node], int | None]:
    """Each output element takes C / group * k * k products; W is [M, C / group, k, k]."""

    def count(node: Node) -> int | None:
        y, w = _shape(node.output), _shape(node.input(weight))
        return None if y is None or w is None else prod(y) * prod(w[1:])

    return count


def _transposed_convolution(node: Node) -> int | None:
    """Each input element is spread over M / group * k * k outputs; W is [C, M / group, k, k]."""
    x, w = _shape(node.input(0)), _shape(node.input(1))
    return None if x is None or w is None else prod(x) * prod(w[1:])


def _product(node: Node) -> int | None:
    """Each output element takes K products, K the last axis of A (the first when ``transA``)."""
    y, a = _shape(node.output), _shape(node.input(0))
    if y is None or not a:
        return None
    return prod(y) * a[0 if node.integer("transA", 0) else -1]


def _recurrent(node: Node) -> int | None:
    """Each step multiplies by W [directions, gates * hidden, inputs] and R [directions, gates * hidden, hidden]."""
    x, w, r = (_shape(node.input(i)) for i in range(3))
    return None if x is None or w is None or r is None else x[0] * x[1] * (prod(w) + prod(r))


def _einsum(node: Node) -> int | None:
    """One product for each point of the space that all subscripts span; None with an ellipsis."""
    terms = node.text("equation", "").replace(" ", "").split("->")[0].split(",")
    shapes = [_shape(value) for value in node.inputs]
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=False):
        if shape is None or len(term) != len(shape):
            return None
        sizes.update(zip(term, shape, strict=True))
    return prod(sizes.values()) if len(terms) > 1 else 0


RULES: dict[str, Callable[[Node], int | None]] = {
    "Conv": _convolution(1),
    "ConvInteger": _convolution(1),
    "ConvTranspose": _transposed_convolution,
    "DynamicConv": _convolution(3),
    "DynamicGemm": _product,
    "Einsum": _einsum,
    "FusedConv": _convolution(1),
    "FusedGemm": _product,
    "GRU": _recurrent,
    "Gemm": _product,
    "HybridConv": _convolution(1),
    "HybridGemm": _product,
    "LSTM": _recurrent,
    "MatMul": _product,
    "MatMulInteger": _product,
    "QLinearConv": _convolution(3),
    "QLinearMatMul": _product,
    "QuantConv": _convolution(3),
    "QuantGemm": _product,
    "RNN": _recurrent,
}
