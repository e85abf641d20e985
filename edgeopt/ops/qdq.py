"""How passes read and write QuantizeLinear and DequantizeLinear around a value."""

from __future__ import annotations

import numpy as np

from edgeopt.ir import Array, Graph, Node, TensorType, Value, numpy_dtype
from edgeopt.ir.match import sole_user
from edgeopt.ops.grid import Quantizer

Grid = list[Value | None]
INPUT_CODES = ("int8", "uint8", "int16", "uint16")  # that integer kernels read


def dequantized(value: Value | None) -> Node | None:
    """The DequantizeLinear that makes ``value``, when scale and zero point are constant and blocks are not used."""
    node = value.producer if value is not None else None
    if node is None or not node.is_op("DequantizeLinear") or node.integer("block_size", 0) or node.constant(1) is None:
        return None
    return node if node.input(2) is None or node.constant(2) is not None else None


def quantizing_user(value: Value) -> Node | None:
    """The per-tensor QuantizeLinear with constant grid and stated zero point that alone reads ``value``."""
    node = sole_user(value)
    if node is None or not node.is_op("QuantizeLinear") or node.input(0) is not value or node.constant(2) is None:
        return None
    scale = node.constant(1)
    return node if scale is not None and scale.size == 1 and not node.integer("block_size", 0) else None


def grid(node: Node) -> Grid:
    """Scale and zero point of a QuantizeLinear or DequantizeLinear, the zero point as a constant even where it is left out."""
    scale, zero = node.input(1), node.input(2)
    if zero is None and scale is not None and scale.type is not None and node.graph is not None:
        codes = node.input(0) if node.op == "DequantizeLinear" else node.output
        dtype = codes.type.dtype if codes is not None and codes.type is not None else "uint8"
        zero = node.graph.constant(f"{node.name}.zero", np.zeros(scale.type.dims, numpy_dtype(dtype)), dtype)
    return [scale, zero]


def is_per_tensor(node: Node) -> bool:
    """True when the node has one scale."""
    scale = node.constant(1)
    return scale is not None and scale.size == 1


def same_grid(left: Node, right: Node) -> bool:
    """True when both nodes have one scale and zero point, and these are equal."""
    a, b = left.constant(1), right.constant(1)
    if a is None or b is None or a.size != 1 or b.size != 1 or float(a.reshape(())) != float(b.reshape(())):
        return False
    return _zero(left) == _zero(right)


def _zero(node: Node) -> tuple[str, int]:
    value = node.input(2)
    if value is None:
        codes = node.input(0) if node.op == "DequantizeLinear" else node.output
        return (codes.type.dtype if codes is not None and codes.type is not None else "", 0)
    return (value.type.dtype if value.type is not None else "", int(value.array.reshape(())))


def dequantize_constant(graph: Graph, name: str, codes: Array, grid_: Quantizer, before: Node, dtype: str | None = None) -> Value:
    """DequantizeLinear of a constant in front of ``before``; returns its output."""
    stored = graph.constant(f"{name}.codes", codes.astype(numpy_dtype(dtype or grid_.dtype)), dtype or grid_.dtype)
    inputs = [stored, *grid_values(graph, name, grid_, dtype or grid_.dtype)]
    attributes = {} if grid_.axis is None else {"axis": grid_.axis}
    type_ = TensorType("float32", codes.shape)
    return graph.make("DequantizeLinear", inputs, [type_], before, name=name, attributes=attributes).output


def grid_values(graph: Graph, name: str, grid_: Quantizer, dtype: str) -> list[Value]:
    """Scale and zero point as constants."""
    return [
        graph.constant(f"{name}.scale", np.asarray(grid_.scale, np.float32)),
        graph.constant(f"{name}.zero", np.asarray(grid_.zero).astype(numpy_dtype(dtype)), dtype),
    ]


def kept_small(node: Node) -> bool:
    """Whether the weight (input 1) is a constant in few bits, made real by a DequantizeLinear or Cast, and the input is no code.

    Such a product keeps its weight in few bits; with codes on both sides it becomes an integer operator instead.
    """
    value = node.input(1)
    source = value.producer if value is not None else None
    if source is None or not source.is_op("DequantizeLinear", "Cast") or dequantized(node.input(0)) is not None:
        return False
    return all(v is None or v.is_constant for v in source.inputs)
