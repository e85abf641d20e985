"""DequantizeLinear -> convolution or matrix product -> QuantizeLinear becomes one integer operator.

    Q(act(Conv(DQ(x), DQ(w), DQ(b)) + DQ(r)))   ->   QuantConv(x, w, b, r)

the same for Gemm and MatMul -> QuantGemm, and without a residual for ConvTranspose -> QuantConvTranspose.

Without a QuantizeLinear after it the result is float. Activations are codes of 8 or 16 bits, in any mixture. Exact up to one
code: the sum is taken in integers and rounded once.
Not when a weight has several scales along another axis than its output channels, or a bias is not int32 of scale s_x s_w.
"""

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Attribute, Graph, Node, Value
from edgeopt.ir.match import dtype_of, rank_of, scalar, sole_user
from edgeopt.ops.qdq import INPUT_CODES, Grid, dequantized, grid, is_per_tensor, quantizing_user
from edgeopt.ops.quantized import TRANSPOSED_ATTRIBUTES
from edgeopt.rewrite import Context, Pass

ROOTS = ("Conv", "FusedConv", "ConvTranspose", "Gemm", "MatMul", "FusedGemm")
KEPT = (*TRANSPOSED_ATTRIBUTES, "activation", "alpha", "beta")
OPERATORS = {"Conv": "QuantConv", "FusedConv": "QuantConv", "ConvTranspose": "QuantConvTranspose"}
CODES = ("int8", "uint8", "int4", "uint4", "int2")


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    x, w = dequantized(node.input(0)), dequantized(node.input(1))
    if not (node.is_op(*ROOTS) or node.is_own(*ROOTS)) or w is None:
        return False
    if x is None:
        return context.decline(node, "its input is not quantised, so it stays in float")
    reason = _obstacle(node, x, w)
    if reason:
        return context.decline(node, reason)
    bias, residual = _bias(graph, node, x, w), dequantized(node.input(3))
    if isinstance(bias, str):
        return context.decline(node, bias)
    last, found = _activation(node)
    quantize = quantizing_user(last.output)
    result = grid(quantize) if quantize is not None else [None, None]
    inputs = [x.input(0), *grid(x), _weight(graph, node, w), *grid(w), bias, *result]
    inputs += [residual.input(0), *grid(residual)] if residual is not None else []
    _replace(graph, node, quantize or last, inputs, {k: v for k, v in node.attributes.items() if k in KEPT} | found)
    return True


def _replace(graph: Graph, node: Node, end: Node, inputs: Grid, attributes: dict[str, Attribute]) -> None:
    while inputs and inputs[-1] is None:
        inputs.pop()
    made = graph.make(OPERATORS.get(node.op, "QuantGemm"), inputs, [end.output.type], end, OWN_DOMAIN, node.name, attributes)
    made.metadata.update(node.metadata)
    graph.replace(end.output, made.output)
    while end is not node:
        before = end.inputs[0].producer if end.inputs[0] is not None else None
        graph.erase(end)
        assert before is not None
        end = before
    graph.erase(node)


def _obstacle(node: Node, x: Node, w: Node) -> str:
    if not is_per_tensor(x) or dtype_of(x.input(0)) not in INPUT_CODES:
        return "its input is not 8 or 16 bits wide with one scale"
    if dtype_of(w.input(0)) not in CODES or w.constant(0) is None:
        return f"its weight is {dtype_of(w.input(0))}, or not constant"
    axis, rank = w.integer("axis", 1), rank_of(w.input(0)) or 0
    if not is_per_tensor(w) and axis % rank != _channel_axis(node):
        return "the scales of its weight do not lie along the output channels"
    if node.op in ("MatMul", "FusedGemm", "Gemm") and rank != 2:
        return "its weight is not a matrix"
    if node.is_op("Gemm") and (node.integer("transA", 0) or node.real("alpha", 1.0) != 1.0 or node.real("beta", 1.0) != 1.0):
        return "its first matrix is transposed or it has factors"
    residual = dequantized(node.input(3))
    if node.input(3) is not None and (residual is None or not is_per_tensor(residual)):
        return "its residual is not quantised with one scale"
    return ""


def _channel_axis(node: Node) -> int:
    return 0 if OPERATORS.get(node.op) == "QuantConv" or node.integer("transB", 0) else 1


def _weight(graph: Graph, node: Node, w: Node) -> Value | None:
    codes = w.constant(0)
    if not node.integer("transB", 0) or codes is None:
        return w.input(0)
    return graph.constant(f"{node.name}.weight", np.ascontiguousarray(codes.T), dtype_of(w.input(0)))


def _bias(graph: Graph, node: Node, x: Node, w: Node) -> Value | None | str:
    """The int32 bias; a float constant is rounded to its grid, as the sum is taken there anyway. A text says why not."""
    value = node.input(2)
    if value is None:
        return None
    scale = (np.asarray(x.constant(1), np.float32) * np.asarray(w.constant(1), np.float32)).astype(np.float32)
    if node.op == "ConvTranspose" and not is_per_tensor(w):
        scale = np.tile(scale.reshape(-1), node.integer("group", 1))  # groups share the scales
    made = dequantized(value)
    if made is not None and dtype_of(made.input(0)) == "int32":
        given = made.constant(1)
        if given is not None and np.allclose(given.reshape(-1), scale.reshape(-1), rtol=1e-5, atol=0):
            return made.input(0) if made.input(0) is None or rank_of(made.input(0)) == 1 else "its bias is no vector"
    if not value.is_constant or value.array.ndim != 1:
        return "its bias is neither int32 of scale x_scale w_scale nor a constant vector"
    codes = np.rint(value.array / scale.reshape(-1))
    if np.abs(codes).max(initial=0) >= 2**31:
        return "its bias does not fit 32 bits on the grid of the sums"
    return graph.constant(f"{node.name}.bias", codes.astype(np.int32))


def _activation(node: Node) -> tuple[Node, dict[str, Attribute]]:
    """The last node of the chain, with the activation that it adds: a Relu or Clip that alone reads the product."""
    after = sole_user(node.output)
    if after is None or node.text("activation", ""):
        return node, {}
    if after.is_op("Relu"):
        return after, {"activation": "Relu"}
    low, high = scalar(after, 1), scalar(after, 2)
    if after.is_op("Clip") and low is not None and high is not None:
        return after, {"activation": "Clip", "alpha": low, "beta": high}
    return node, {}


PASS = Pass("fold_qdq", rewrite, roots=ROOTS)
