"""Operators of the older integer form (QLinearConv and its family, also those of com.microsoft) -> the integer operators.

    QLinearConv(x, w, b)   ->   QuantConv(x, w, b)           QLinearMatMul, QGemm               ->   QuantGemm
    QLinearAdd, QLinearMul ->   QuantAdd, QuantMul           QLinear[Global]AveragePool, QLinearConcat, QLinearSoftmax likewise
    QLinearSigmoid, QLinearLeakyRelu   ->   QuantLookup      table[i] = Q(f(DQ(i-th code)))
    MatMulIntegerToFloat(x, w)         ->   DynamicGemm(x, w)
    DynamicQuantizeMatMul(x, w)        ->   DynamicGemm(DynamicQuantizeLinear(x), w)

The inputs are the same in another order. Not when a weight or a table's grid is computed, for channels on the last axis, or for a
product with factors. ConvInteger and MatMulInteger stay: their result is a sum that has no grid yet.
"""

from collections.abc import Callable

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Array, Attribute, Graph, Node, TensorType, Value, numpy_dtype
from edgeopt.ir.match import dtype_of, rank_of
from edgeopt.ops import infer
from edgeopt.ops.fused import CONV_ATTRIBUTES
from edgeopt.ops.grid import LIMITS, quantizer
from edgeopt.ops.quantized import POOL_ATTRIBUTES
from edgeopt.rewrite import Context, Pass

Inputs = list[Value | None]
Rule = Callable[[Graph, Node], Inputs | str]
VENDOR = "com.microsoft"


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    known = RULES.get(node.op)
    if known is None or node.domain not in ("", VENDOR):
        return False
    op, rule, kept = known
    inputs = rule(graph, node)
    if isinstance(inputs, str):
        return context.decline(node, inputs)
    attributes: dict[str, Attribute] = {k: v for k, v in node.attributes.items() if k in kept}
    if node.op == "QLinearAdd":
        attributes["ratios"] = 1  # it rounds as integer kernels do, not as the float operators of its meaning
    made = graph.make(op, inputs, [node.output.type], node, OWN_DOMAIN, node.name, attributes)
    (found,) = infer(made)
    made.output.type = found or made.output.type or TensorType(dtype_of(node.inputs[-1]))
    graph.replace(node.output, made.output)
    graph.erase(node)
    return True


def _same(graph: Graph, node: Node) -> Inputs | str:
    return list(node.inputs)


def _conv(graph: Graph, node: Node) -> Inputs | str:
    if node.constant(3) is None:
        return "its weight is computed at run time"
    return [*node.inputs[:6], node.input(8), node.input(6), node.input(7)]


def _matmul(graph: Graph, node: Node) -> Inputs | str:
    weight = node.constant(3)
    if weight is None or weight.ndim != 2:
        return "its right side is not a constant matrix"
    return [*node.inputs[:6], None, *node.inputs[6:8]]


def _gemm(graph: Graph, node: Node) -> Inputs | str:
    """A, a_scale, a_zero, B, b_scale, b_zero, C, y_scale, y_zero; C is int32 of scale a_scale b_scale."""
    weight, bias = node.constant(3), node.constant(6)
    if weight is None or node.integer("transA", 0) or node.real("alpha", 1.0) != 1.0:
        return "its weight is computed, its first matrix is transposed or it has a factor"
    inputs: Inputs = [node.input(i) for i in range(9)]
    if node.integer("transB", 0):
        inputs[3] = graph.constant(f"{node.name}.weight", np.ascontiguousarray(weight.T), dtype_of(node.input(3)))
    if bias is not None and bias.ndim != 1:
        inputs[6] = graph.constant(f"{node.name}.bias", bias.reshape(-1))
    while inputs and inputs[-1] is None:
        inputs.pop()
    return inputs


def _pool(graph: Graph, node: Node) -> Inputs | str:
    return "its channels lie on the last axis" if node.integer("channels_last", 0) else list(node.inputs)


def _lookup(graph: Graph, node: Node) -> Inputs | str:
    """x, x_scale, x_zero, y_scale, y_zero."""
    source, zero, numbers = node.input(0), node.input(4), [node.constant(i) for i in range(1, 5)]
    if zero is None or dtype_of(source) not in ("uint8", "int8") or any(n is None for n in numbers):
        return "its grids are not constant or its codes are not 8 bits wide"
    x_scale, x_zero, y_scale, y_zero = (n.reshape(()) for n in numbers if n is not None)
    low, high = LIMITS[dtype_of(source)]
    values = (np.arange(low, high + 1) - x_zero.astype(np.int64)).astype(np.float32) * x_scale
    result = dtype_of(zero)
    codes = quantizer(result, y_scale, y_zero).quantize(_function(node, values)).astype(numpy_dtype(result))
    return [source, graph.constant(f"{node.name}.table", codes)]


def _to_float(graph: Graph, node: Node) -> Inputs | str:
    """A (codes), B, a_scale, b_scale, a_zero, b_zero, bias (float32)."""
    a, b, a_scale, b_scale, a_zero, b_zero, bias = (node.input(i) for i in range(7))
    return _dynamic([a, a_scale, a_zero, b, b_scale, b_zero, bias])


def _quantized_on_the_way(graph: Graph, node: Node) -> Inputs | str:
    """A (float32), B, b_scale, b_zero, bias (float32)."""
    a, b, b_scale, b_zero, bias = (node.input(i) for i in range(5))
    inputs = _dynamic([a, None, None, b, b_scale, b_zero, bias])
    if isinstance(inputs, str) or a is None or a.type is None:
        return inputs
    types = [TensorType("uint8", a.type.shape), TensorType("float32", ()), TensorType("uint8", ())]
    codes = graph.make("DynamicQuantizeLinear", [a], types, node, name=f"{node.name}.quantize")
    return [*codes.outputs, *inputs[3:]]


def _dynamic(inputs: Inputs) -> Inputs | str:
    """The inputs of DynamicGemm, scales and zero points as vectors or numbers."""
    weight, rank = inputs[3], rank_of(inputs[0]) or 0
    if weight is None or not weight.is_constant or weight.array.ndim != 2 or rank < 2:
        return "its right side is not a constant matrix, or its left side no matrix"
    if any(v is not None and (not v.is_constant or v.array.size not in (1, weight.array.shape[1])) for v in inputs[4:]):
        return "the grid of its weight or its bias is computed, or does not lie along the columns"
    while inputs[-1] is None:
        inputs.pop()
    return inputs


def _function(node: Node, x: Array) -> Array:
    if node.op == "QLinearLeakyRelu":
        return np.where(x < 0, x * np.float32(node.real("alpha", 0.01)), x)
    return np.asarray(1 / (1 + np.exp(-x.astype(np.float64))), np.float32)


RULES: dict[str, tuple[str, Rule, tuple[str, ...]]] = {
    "QLinearConv": ("QuantConv", _conv, CONV_ATTRIBUTES),
    "QLinearMatMul": ("QuantGemm", _matmul, ()),
    "QGemm": ("QuantGemm", _gemm, ()),
    "QLinearAdd": ("QuantAdd", _same, ()),
    "QLinearMul": ("QuantMul", _same, ()),
    "QLinearAveragePool": ("QuantAveragePool", _pool, POOL_ATTRIBUTES),
    "QLinearGlobalAveragePool": ("QuantGlobalAveragePool", _pool, ()),
    "QLinearConcat": ("QuantConcat", _same, ("axis",)),
    "QLinearLeakyRelu": ("QuantLookup", _lookup, ()),
    "QLinearSigmoid": ("QuantLookup", _lookup, ()),
    "MatMulIntegerToFloat": ("DynamicGemm", _to_float, ()),
    "DynamicQuantizeMatMul": ("DynamicGemm", _quantized_on_the_way, ()),
    "QLinearSoftmax": ("QuantSoftmax", _same, ("axis",)),
}
PASS = Pass("import_qlinear", rewrite, roots=tuple(RULES))
