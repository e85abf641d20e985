"""A tree of Mul and Div nodes read as one product: a number times tensors, in any order and grouping."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgeopt.ir import Node, Value
from edgeopt.ir.match import only_feeds, same_type, scalar


@dataclass
class Product:
    """``number`` times ``tensors``; ``nodes`` are the inner nodes of the tree, the root first."""

    number: float = 1.0
    tensors: list[Value] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)


def product_of(root: Node) -> Product:
    """The product that ``root`` (a Mul or Div) computes; inner nodes must have no other reader and the root's shape."""
    product = Product()
    _collect(root, root, product)
    return product


def _collect(root: Node, node: Node, product: Product) -> None:
    product.nodes.append(node)
    for index, value in enumerate(node.inputs):
        number = scalar(node, index)
        if value is None:
            continue
        if number is not None and (node.op == "Mul" or number != 0) and not (node.op == "Div" and index == 0):
            product.number *= number if node.op == "Mul" else 1.0 / number
        elif node.op == "Div" and index == 1:
            product.number = float("nan")  # division by a tensor is no product
        elif _continues(value, root, node):
            assert value.producer is not None
            _collect(root, value.producer, product)
        else:
            product.tensors.append(value)


def _continues(value: Value, root: Node, reader: Node) -> bool:
    inner = value.producer
    return inner is not None and inner.is_op("Mul", "Div") and only_feeds(inner, reader) and same_type(value, root.output)


def split_gate(product: Product, gate: str) -> tuple[Value, Node] | None:
    """(x, node) when the product is a number * x * node(...) with ``node`` an operator named ``gate`` read by it alone."""
    if len(product.tensors) != 2:
        return None
    for x, other in (product.tensors, product.tensors[::-1]):
        node = other.producer
        if node is not None and node.is_op(gate) and any(only_feeds(node, reader) for reader in product.nodes):
            return x, node
    return None


def close(a: float, b: float) -> bool:
    """Equal to seven digits: the same real constant, rounded to float32."""
    return abs(a - b) <= 2e-7 * max(abs(a), abs(b))
