"""A convolution or matrix product of a float input and a quantised constant weight becomes one operator that keeps the codes.

    FusedConv(x, DequantizeLinear(W'), b, r)     ->   HybridConv(x, W', scale, b, r)       the same for FusedGemm -> HybridGemm
    FusedConv(x, Cast(W' in float16), b, r)      ->   HybridConv(x, W', , b, r)

The weight stays in its few bits in memory, and kernels widen it in registers. A zero point is subtracted from the codes. The
numbers are those of the float operator with the dequantised weight.
Not when the input of the layer is quantised too, which makes an integer operator; when the scales lie along another axis than
the output channels; when the codes less the zero point do not fit 8 bits; or when the bias of a product is computed.
"""

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Graph, Node, Value
from edgeopt.ir.match import dtype_of, rank_of
from edgeopt.ops.hybrid import CODES
from edgeopt.ops.qdq import dequantized
from edgeopt.rewrite import Context, Pass

Weight = tuple[Value, Value | None]
OPERATORS = {"FusedConv": "HybridConv", "FusedGemm": "HybridGemm"}


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    value = node.input(1)
    source = value.producer if value is not None else None
    if not node.is_own(*OPERATORS) or source is None or dtype_of(node.input(0)) != "float32":
        return False
    if not source.is_op("DequantizeLinear", "Cast") or any(v is not None and not v.is_constant for v in source.inputs):
        return False
    if dequantized(node.input(0)) is not None:
        return context.decline(node, "its input is quantised too")
    if node.op == "FusedGemm" and (rank_of(source.output) != 2 or (rank_of(node.input(0)) or 0) < 2):
        return context.decline(node, "it is no product with one matrix")
    bias = node.input(2)
    if node.op == "FusedGemm" and bias is not None and not bias.is_constant:
        return context.decline(node, "its bias is computed at run time")
    found = _half(source) if source.op == "Cast" else _codes(graph, node, source)
    if isinstance(found, str):
        return context.decline(node, found)
    inputs = [node.input(0), *found, node.input(2), node.input(3)]
    while inputs[-1] is None:
        inputs.pop()
    made = graph.make(OPERATORS[node.op], inputs, [node.output.type], node, OWN_DOMAIN, node.name, node.attributes)
    made.metadata.update(node.metadata)
    graph.replace(node.output, made.output)
    graph.erase(node)
    return True


def _half(source: Node) -> Weight | str:
    codes = source.input(0)
    if codes is None or dtype_of(codes) != "float16":
        return "its weight is cast from another type than float16"
    return codes, None


def _codes(graph: Graph, node: Node, source: Node) -> Weight | str:
    """The centred codes and their scale; a text says why not."""
    if dequantized(source.output) is None or dtype_of(source.input(1)) != "float32":
        return "its weight is quantised in blocks, or its scale is not float32"
    stored, scale = source.input(0), source.input(1)
    assert stored is not None and scale is not None
    axis, rank = 0 if node.op == "FusedConv" else 1, stored.array.ndim
    if scale.array.size > 1 and source.integer("axis", 1) % rank != axis:
        return "the scales of its weight do not lie along the output channels"
    zero = source.constant(2)
    if (zero is None or not zero.astype(np.int64).any()) and dtype_of(stored) in CODES:
        return stored, scale
    offset = np.zeros(1, np.int64) if zero is None else zero.astype(np.int64).reshape(-1)
    shape = [-1 if i == axis else 1 for i in range(rank)]
    centred = stored.array.astype(np.int64) - (offset.reshape(shape) if offset.size > 1 else offset[0])
    if np.abs(centred).max(initial=0) > 127:
        return "its codes less the zero point do not fit 8 bits"
    return graph.constant(f"{node.name}.weight", centred.astype(np.int8)), scale


PASS = Pass("fold_weight_dequantization", rewrite, roots=tuple(OPERATORS))
