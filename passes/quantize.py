"""Float network -> QuantizeLinear and DequantizeLinear around the values and weights that a plan names.

    v                      ->   v, DequantizeLinear(QuantizeLinear(v, s, z), s, z)      for its readers among the nodes
    Fused(x, W, b)         ->   Fused(x, DequantizeLinear(W'), DequantizeLinear(b'))     W' and b' integer constants,
                                                                                         b' int32 with scale s_x s_W
    ConvTranspose(x, W, b) ->   the same; its groups share the scales of W
    LSTM(x, W, R, ...)     ->   LSTM(x, DequantizeLinear(W'), DequantizeLinear(R'), ...)   the same for GRU and RNN

The graph stays float in meaning; folding makes integer operators of it. Each quantised layer records the error measured for it.
Not when the input of a layer is not rounded: then its bias stays float.
"""

import numpy as np

from edgeopt.ir import Array, Graph, Node, TensorType, Value
from edgeopt.ops.grid import Quantizer, quantizer
from edgeopt.ops.grids import QuantizationPlan
from edgeopt.ops.qdq import dequantize_constant, grid_values
from edgeopt.ops.recurrent import WEIGHTS, recurrent_weights
from edgeopt.rewrite import Context, Pass

ERROR = "edgeopt.error"


def make(plan: QuantizationPlan) -> Pass:
    """The pass that carries out ``plan``."""

    def rewrite(graph: Graph, node: Node, context: Context) -> bool:
        if node.is_op("QuantizeLinear", "DequantizeLinear"):
            return False
        weight = node.input(1)
        if node.name in plan.weights and _is_layer(node) and weight is not None and weight.is_constant:
            return _quantize_weight(graph, node, plan)
        if node.name in plan.recurrent and node.name not in plan.recurrent_grids and recurrent_weights(node) is not None:
            return _quantize_recurrent(graph, node, plan)
        for value in node.inputs:
            if value is not None and value.name in plan.activations and not _is_rounded(value):
                return _round(graph, value, plan.activations[value.name])
        for value in node.outputs:
            if value.name in plan.activations and not value.uses and graph.is_output(value):
                return _round_output(graph, value, plan.activations[value.name])
        return False

    return Pass("quantize", rewrite, contract="approximate")


def _is_layer(node: Node) -> bool:
    return node.is_own("FusedConv", "FusedGemm") or node.is_op("ConvTranspose")


def _is_rounded(value: Value) -> bool:
    return value.producer is not None and value.producer.is_op("DequantizeLinear")


def _round(graph: Graph, value: Value, grid: Quantizer) -> bool:
    readers = [(n, i) for n, i in value.uses if not n.is_op("QuantizeLinear")]
    real = _rounding(graph, value, grid, min((n for n, _ in readers), key=graph.nodes.index))
    for reader, index in readers:
        reader.set_input(index, real)
    return True


def _round_output(graph: Graph, value: Value, grid: Quantizer) -> bool:
    """A graph output that nothing else reads; its name goes to the rounded value."""
    real = _rounding(graph, value, grid, None)
    rounding = value.uses[0][0]
    graph.replace(value, real)
    rounding.set_input(0, value)
    return True


def _rounding(graph: Graph, value: Value, grid: Quantizer, before: Node | None) -> Value:
    parameters = grid_values(graph, value.name, grid, grid.dtype)
    codes_type = TensorType(grid.dtype, value.type.shape if value.type is not None else None)
    codes = graph.make("QuantizeLinear", [value, *parameters], [codes_type], before, name=f"{value.name}.quantize")
    name = f"{value.name}.dequantize"
    return graph.make("DequantizeLinear", [codes.output, *parameters], [value.type], before, name=name).output


def _quantize_weight(graph: Graph, node: Node, plan: QuantizationPlan) -> bool:
    made, source = plan.weights[node.name], node.input(0)
    grid = _activation_grid(source, plan)
    bias = made.bias if made.bias is not None else node.constant(2)
    if made.grid.dtype == "float16":
        _store_half(graph, node)
    else:
        node.set_input(1, dequantize_constant(graph, f"{node.name}.weight", made.codes, made.grid, node))
    if bias is not None and grid is not None:
        node.set_input(2, _integer_bias(graph, node, bias, grid, made.grid))
    elif made.bias is not None:
        node.set_input(2, graph.constant(f"{node.name}.bias", made.bias))
    if node.name in plan.errors:
        node.metadata[ERROR] = f"{plan.errors[node.name]:.4g}"
    return True


def _quantize_recurrent(graph: Graph, node: Node, plan: QuantizationPlan) -> bool:
    for index, made in zip(WEIGHTS, plan.recurrent[node.name], strict=True):
        if made.grid.dtype == "float16":
            _store_half(graph, node, index)
        else:
            node.set_input(index, dequantize_constant(graph, f"{node.name}.weight{index}", made.codes, made.grid, node))
    if node.name in plan.errors:
        node.metadata[ERROR] = f"{plan.errors[node.name]:.4g}"
    return True


def _activation_grid(value: Value | None, plan: QuantizationPlan) -> Quantizer | None:
    while value is not None and value.name not in plan.activations and _is_rounded(value):
        rounding = value.producer
        codes = rounding.input(0) if rounding is not None else None
        value = codes.producer.input(0) if codes is not None and codes.producer is not None else None
    return plan.activations.get(value.name) if value is not None else None


def _integer_bias(graph: Graph, node: Node, bias: Array, x: Quantizer, w: Quantizer) -> Value:
    scale = (np.asarray(x.scale, np.float32) * np.asarray(w.scale, np.float32)).astype(np.float32)
    if scale.ndim and node.op == "ConvTranspose":
        scale = np.tile(scale, node.integer("group", 1))
    grid = quantizer("int32", scale, np.zeros(scale.shape, np.int32), 0 if scale.ndim else None)
    return dequantize_constant(graph, f"{node.name}.bias", grid.quantize(bias), grid, node)


def _store_half(graph: Graph, node: Node, index: int = 1) -> None:
    weight = node.constant(index)
    assert weight is not None
    stored, name = graph.constant(f"{node.name}.weight", weight.astype(np.float16)), f"{node.name}.widen"
    cast = graph.make("Cast", [stored], [TensorType("float32", weight.shape)], node, name=name, attributes={"to": 1})
    node.set_input(index, cast.output)
