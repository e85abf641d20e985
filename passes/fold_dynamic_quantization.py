"""Integer product of codes made at run time, scaled to float32 -> one operator.

    Cast(MatMulInteger(x, W, x_zero, W_zero)) * (x_scale * W_scale) [+ b]   ->   DynamicGemm(x, W, b)
    Cast(ConvInteger(x, W, x_zero, W_zero)) * (x_scale * W_scale) [+ b]     ->   DynamicConv(x, W, b)

The form that onnxruntime's ``quantize_dynamic`` writes behind ``DynamicQuantizeLinear``. Exact: the body of the operator is what
it replaces. Not when the weight or its scale is computed at run time, when an inner value has other readers, or when the scales
do not lie along the output channels. An offset that is no constant per channel stays an addition.
"""

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Array, Graph, Node, Value
from edgeopt.ir.match import channel_vector, dtype_of, rank_of, readers, same_type, shape_of, sole_user
from edgeopt.ops.fused import CONV_ATTRIBUTES
from edgeopt.rewrite import Context, Pass

OPS = {"MatMulInteger": "DynamicGemm", "ConvInteger": "DynamicConv"}


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if not node.is_op(*OPS):
        return False
    cast = sole_user(node.output)
    scaled = sole_user(cast.output) if cast is not None else None
    if cast is None or scaled is None or not cast.is_op("Cast") or not scaled.is_op("Mul"):
        return context.decline(node, f"{readers(node.output)}, or its sums are not scaled to float32")
    factor = next((v for v in scaled.inputs if v is not cast.output), None)
    found = _scales(node, factor)
    reason = _obstacle(node, cast, found)
    if reason or found is None:
        return context.decline(node, reason)
    weight_scale = graph.constant(f"{node.name}.weight_scale", found[1])
    end, bias = _offset(node, scaled)
    inputs = [node.input(0), found[0], node.input(2), node.input(1), weight_scale, node.input(3)]
    inputs += [graph.constant(f"{node.name}.bias", bias)] if bias is not None else []
    while inputs[-1] is None:
        inputs.pop()
    attributes = {k: v for k, v in node.attributes.items() if k in CONV_ATTRIBUTES}
    made = graph.make(OPS[node.op], inputs, [end.output.type], end, OWN_DOMAIN, node.name, attributes)
    graph.replace(end.output, made.output)
    for old in dict.fromkeys((end, scaled, cast, node)):
        graph.erase(old)
    return True


def _obstacle(node: Node, cast: Node, scales: tuple[Value, Array] | None) -> str:
    if node.constant(1) is None or (node.input(3) is not None and node.constant(3) is None):
        return "its weight is computed at run time"
    if dtype_of(cast.output) != "float32" or scales is None:
        return "it is not scaled by x_scale w_scale with constant w_scale along the output channels"
    if node.is_op("MatMulInteger") and (rank_of(node.input(1)) != 2 or (rank_of(node.input(0)) or 0) < 2):
        return "its operands are no matrices"
    zero = node.input(2)
    if zero is not None and (zero.type is None or zero.type.shape not in ((), (1,))):
        return "its input has several zero points"
    return ""


def _channels(node: Node) -> tuple[int, int, int]:
    """Rank, channel axis and channels of the result."""
    rank, shape = rank_of(node.output) or 0, shape_of(node.input(1)) or (0,)
    return (rank, rank - 1, shape[-1]) if node.is_op("MatMulInteger") else (rank, 1, shape[0])


def _scales(node: Node, factor: Value | None) -> tuple[Value, Array] | None:
    """The scale of x, one number computed at run time or known, and that of the weight: one number or a vector."""
    product = factor.producer if factor is not None else None
    if factor is not None and (shape_of(factor) or ()) in ((), (1,)) and (product is None or not product.is_op("Mul")):
        return factor, np.ones((), np.float32)
    vector = channel_vector(factor.array, *_channels(node)) if factor is not None and factor.is_constant else None
    if vector is not None and node.graph is not None:
        return node.graph.constant(f"{node.name}.scale", np.ones((), np.float32)), np.asarray(vector, np.float32)
    if product is None or not product.is_op("Mul"):
        return None
    for x, w in (product.inputs, product.inputs[::-1]):
        if x is None or w is None or not w.is_constant or shape_of(x) not in ((), (1,)):
            continue
        scale = w.array.reshape(()) if w.array.size == 1 else channel_vector(w.array, *_channels(node))
        return (x, np.asarray(scale, np.float32)) if scale is not None else None
    return None


def _offset(node: Node, scaled: Node) -> tuple[Node, Array | None]:
    """The last node of the chain, and the bias [channels] that it adds to the product."""
    after = sole_user(scaled.output)
    other = next((v for v in after.inputs if v is not scaled.output), None) if after is not None else None
    if (
        after is None
        or other is None
        or not after.is_op("Add")
        or not other.is_constant
        or not same_type(after.output, scaled.output)
    ):
        return scaled, None
    bias = channel_vector(other.array, *_channels(node))
    return (after, np.ascontiguousarray(bias, np.float32)) if bias is not None else (scaled, None)


PASS = Pass("fold_dynamic_quantization", rewrite, roots=tuple(OPS))
