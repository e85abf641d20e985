"""Codes of 2 or 4 bits between operators -> codes of 8 bits that are limited to the same grid.

    QuantizeLinear(x, s, z: uint4)      ->   Cast(Clip(QuantizeLinear(x, s, z: uint8), 0, 15), uint4)
    DequantizeLinear(c: uint4, s, z)    ->   DequantizeLinear(Cast(c, uint8), s, z: uint8)
    Reshape(Cast(c, uint4))             ->   Cast(Reshape(c), uint4)          and Transpose, Flatten, Squeeze, Unsqueeze, Identity
    DequantizeLinear(Cast(c, uint4))    ->   DequantizeLinear(c)              where c is within uint4
    Cast(Cast(c, uint4), uint8)         ->   c                                the same

Exact: what saturates to 8 bits and then to 4 saturates to 4. Codes take a byte in memory in any case, and integer operators
compute on bytes. Not for weights, which stay in their bits.
"""

import numpy as np

from edgeopt.ir import Attribute, Graph, Node, TensorType, Value, numpy_dtype, onnx_code
from edgeopt.ir.match import dtype_of
from edgeopt.ops.code_limits import WIDER, whole_range, within
from edgeopt.rewrite import Context, Pass

MOVERS = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Transpose")


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if node.is_op("QuantizeLinear"):
        return dtype_of(node.output) in WIDER and _quantize(graph, node)
    narrow, value = dtype_of(node.input(0)), node.input(0)
    if narrow not in WIDER or value is None or value.is_constant:
        return False
    if node.is_op("Cast"):
        return dtype_of(node.output) == WIDER[narrow] and _cancel(graph, node, value)
    return _dequantize(graph, node, value) if node.is_op("DequantizeLinear") else _move(graph, node, value)


def _quantize(graph: Graph, node: Node) -> bool:
    narrow = dtype_of(node.output)
    wide = WIDER[narrow]
    inputs = [node.input(0), node.input(1), _zero(graph, node, wide)]
    kept = {k: v for k, v in node.attributes.items() if k != "output_dtype"}
    codes = _made(graph, node, "QuantizeLinear", inputs, wide, kept)
    bounds = [graph.constant(f"{node.name}.limit", np.array(v, wide)) for v in whole_range(narrow)]
    limited = _made(graph, node, "Clip", [codes, *bounds], wide)
    graph.replace(node.output, _made(graph, node, "Cast", [limited], narrow, {"to": onnx_code(narrow)}))
    graph.erase(node)
    return True


def _dequantize(graph: Graph, node: Node, value: Value) -> bool:
    wide, source = WIDER[dtype_of(value)], _exact(value)
    if source is None:
        source = _made(graph, node, "Cast", [value], wide, {"to": onnx_code(wide)})
    inputs = [source, node.input(1), _zero(graph, node, wide)]
    made = graph.make("DequantizeLinear", inputs, [node.output.type], node, name=node.name, attributes=dict(node.attributes))
    graph.replace(node.output, made.output)
    graph.erase(node)
    return True


def _cancel(graph: Graph, node: Node, value: Value) -> bool:
    source = _exact(value)
    if source is None:
        return False
    graph.replace(node.output, source)
    graph.erase(node)
    return True


def _move(graph: Graph, node: Node, value: Value) -> bool:
    source = _wide(value)
    if source is None or not node.is_op(*MOVERS):
        return False
    moved = _made(graph, node, node.op, [source, *node.inputs[1:]], dtype_of(source), dict(node.attributes))
    narrow = dtype_of(value)
    graph.replace(node.output, _made(graph, node, "Cast", [moved], narrow, {"to": onnx_code(narrow)}))
    graph.erase(node)
    return True


def _wide(value: Value) -> Value | None:
    """The bytes that a Cast narrows to ``value``."""
    cast = value.producer
    source = cast.input(0) if cast is not None and cast.is_op("Cast") else None
    return source if dtype_of(source) == WIDER[dtype_of(value)] else None


def _exact(value: Value) -> Value | None:
    """The bytes that a Cast narrows to ``value`` without a loss."""
    source = _wide(value)
    return source if within(source, whole_range(dtype_of(value))) else None


def _zero(graph: Graph, node: Node, wide: str) -> Value:
    """The zero point in 8 bits, stated even where it is left out."""
    zero, scale = node.input(2), node.input(1)
    if zero is None:
        assert scale is not None and scale.type is not None
        return graph.constant(f"{node.name}.zero", np.zeros(scale.type.dims, wide))
    if zero.is_constant:
        return graph.constant(zero.name, zero.array.astype(numpy_dtype(wide)))
    cast = graph.make("Cast", [zero], [_typed(zero, wide)], node, attributes={"to": onnx_code(wide)})
    return cast.output


def _made(
    graph: Graph, node: Node, op: str, inputs: list[Value | None], dtype: str, attributes: dict[str, Attribute] | None = None
) -> Value:
    """A new node before ``node`` whose result has its shape."""
    name = node.name if op == node.op else f"{node.name}.{op.lower()}"
    made = graph.make(op, inputs, [_typed(node.output, dtype)], node, name=name, attributes=attributes)
    return made.output


def _typed(value: Value, dtype: str) -> TensorType:
    return TensorType(dtype, value.type.shape if value.type is not None else None)


PASS = Pass("widen_codes", rewrite, roots=("QuantizeLinear", "DequantizeLinear", "Cast", *MOVERS))
