"""Two products with constant weights, nothing between them -> one, where that has no more weights.

    FusedGemm(FusedGemm(x, V, c), W, b, r){act}   ->   FusedGemm(x, V W, c W + b, r){act}
    FusedConv(FusedConv(x, V, c), W, b, r){act}   ->   FusedConv(x, W V, W c + b, r){act}      V 1x1, strides 1

So a projection of the input that is undone in front of the first layer costs nothing (Huang et al. 2017), nor does a rotation
of channels that another tier took. Sums are taken in float64 and rounded once; numbers change as those of any sum in another
order. Not where the inner product has an activation, a residual or other readers; not where the outer convolution is padded and
the inner one has a bias, which pads do not have; not in groups; and not where the one weight would be larger than both.
"""

import numpy as np

from edgeopt.ir import Array, Graph, Node
from edgeopt.ir.match import readers, sole_user
from edgeopt.ops.layer import is_linear, is_plain, is_unpadded, set_weights, shifted_input, weight
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    value = node.input(0)
    inner = value.producer if value is not None else None
    if value is None or inner is None or inner.op != node.op or not (_suits(node) and _suits(inner) and is_plain(inner)):
        return False
    if not _pointwise(inner) or weight(inner).dtype != weight(node).dtype:
        return False
    if sole_user(value) is not node or node.input(3) is value:
        return context.decline(node, readers(value))
    bias = inner.constant(2)
    if bias is not None and bias.any() and not is_unpadded(node):
        return context.decline(node, f"its border has no bias of {inner!r}")
    merged = _merged(inner, node)
    if merged.size > weight(inner).size + weight(node).size:
        return context.decline(node, f"one weight of {merged.size} is larger than both of {inner!r} and itself")
    if not np.isfinite(merged).all():
        return context.decline(node, "the product of the weights is not finite")
    set_weights(node, merged, None if bias is None or not bias.any() else shifted_input(node, bias.reshape(-1)))
    node.set_input(0, inner.input(0))
    graph.erase(inner)
    return True


def _suits(node: Node) -> bool:
    """Constant operands, of one group and as many axes as are named here."""
    bias = node.constant(2)
    if not node.is_own("FusedConv", "FusedGemm") or not is_linear(node) or (bias is not None and bias.ndim != 1):
        return False
    return node.integer("group", 1) == 1 and (node.is_own("FusedConv") or weight(node).ndim == 2)


def _pointwise(inner: Node) -> bool:
    steps = (*inner.integers("strides", (1,)), *weight(inner).shape[2:]) if inner.is_own("FusedConv") else ()
    return is_unpadded(inner) and all(step == 1 for step in steps)


def _merged(inner: Node, outer: Node) -> Array:
    first, second = weight(inner).astype(np.float64), weight(outer).astype(np.float64)
    if outer.is_own("FusedGemm"):
        product = first @ second
    else:
        product = np.einsum("om...,mc->oc...", second, first.reshape(first.shape[:2]))
    return product.astype(weight(outer).dtype)


PASS = Pass("merge_products", rewrite, roots=("FusedConv", "FusedGemm"))
