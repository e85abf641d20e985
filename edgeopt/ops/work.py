"""Rules that count the multiply-accumulates of one node from its shapes; each gives None where a dimension is not known."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from edgeopt.ir import Node, Value

Count = Callable[[Node], int | None]


def no_work(node: Node) -> int | None:
    """Elementwise work and copies count as none."""
    return 0


def _shape(value: Value | None) -> tuple[int, ...] | None:
    return value.type.dims if value is not None and value.type is not None and value.type.static else None


def convolution(weight: int) -> Count:
    """Each output element takes C / group * k * k products; W is [M, C / group, k, k]."""

    def count(node: Node) -> int | None:
        y, w = _shape(node.output), _shape(node.input(weight))
        return None if y is None or w is None else prod(y) * prod(w[1:])

    return count


def transposed_convolution(weight: int) -> Count:
    """Each input element is spread over M / group * k * k outputs; W is [C, M / group, k, k]."""

    def count(node: Node) -> int | None:
        x, w = _shape(node.input(0)), _shape(node.input(weight))
        return None if x is None or w is None else prod(x) * prod(w[1:])

    return count


def product(node: Node) -> int | None:
    """Each output element takes K products, K the last axis of A (the first when ``transA``)."""
    y, a = _shape(node.output), _shape(node.input(0))
    if y is None or not a:
        return None
    return prod(y) * a[0 if node.integer("transA", 0) else -1]


def recurrent(node: Node) -> int | None:
    """Each step multiplies by W [directions, gates * hidden, inputs] and R [directions, gates * hidden, hidden]."""
    x, w, r = (_shape(node.input(i)) for i in range(3))
    return None if x is None or w is None or r is None else x[0] * x[1] * (prod(w) + prod(r))


def einsum(node: Node) -> int | None:
    """One product for each point of the space that all subscripts span; None with an ellipsis."""
    terms = node.text("equation", "").replace(" ", "").split("->")[0].split(",")
    shapes = [_shape(value) for value in node.inputs]
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=False):
        if shape is None or len(term) != len(shape):
            return None
        sizes.update(zip(term, shape, strict=True))
    return prod(sizes.values()) if len(terms) > 1 else 0
