"""One factor for each channel of a map, computed at run time (squeeze and excitation), in front of a 1x1 convolution -> a
convolution that multiplies its weights.

    FusedConv(x * g, W, b, r)   ->   GatedConv(x, W, b, r, g)      x [1, C, H, W], g [1, C, 1, 1], W [M, C, 1, 1], M < H W

Exact up to rounding: sum over c of W[m, c] (x[c] g[c]) = sum of (W[m, c] g[c]) x[c]. A pass over the weights takes the place of
one over the map. Runs last, when no rewrite looks for the convolution any more. Not where the product has other readers, for
several images (each has gates of its own), where there are more weights than numbers in the map, for computed weights or
biases, groups, or other types than float32.
"""

from __future__ import annotations

from edgeopt.ir import OWN_DOMAIN, Graph, Node, Value
from edgeopt.ir.match import dtype_of, readers, shape_of, sole_user
from edgeopt.ops.layer import is_linear, weight
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    found, conv = _operands(node), sole_user(node.output)
    if not node.is_op("Mul") or found is None:
        return False
    if conv is None or not conv.is_own("FusedConv") or conv.input(0) is not node.output:
        return context.decline(node, f"{readers(node.output)}, or what reads it is no convolution")
    if not is_linear(conv) or conv.integer("group", 1) != 1 or dtype_of(node.output) != "float32":
        return context.decline(node, "the weight or bias of the convolution is computed, it has groups, or is not float32")
    map_, gate = found
    count, extents = weight(conv).shape[0], shape_of(map_) or ()
    if weight(conv).shape[2:] != (1, 1) or extents[0] != 1:
        return context.decline(node, "the convolution is not 1x1, or there are several images")
    if count >= extents[2] * extents[3]:
        return context.decline(node, f"the convolution has more weights for a channel ({count}) than the map has numbers")
    given = [map_, *(conv.input(i) for i in (1, 2, 3)), gate]
    made = graph.make("GatedConv", given, [conv.output.type], conv, OWN_DOMAIN, conv.name, conv.attributes)
    graph.replace(conv.output, made.output)
    graph.erase(conv)
    graph.erase(node)
    return True


def _operands(node: Node) -> tuple[Value, Value] | None:
    """The map [N, C, H, W] and the gate [N, C, 1, 1] that ``node`` multiplies, if it does."""
    sides = (node.input(0), node.input(1))
    for map_, gate in (sides, sides[::-1]):
        extents, other = shape_of(map_), shape_of(gate)
        if map_ is None or gate is None or gate.is_constant or extents is None or len(extents) != 4 or extents[2:] == (1, 1):
            continue
        if other == (*extents[:2], 1, 1):
            return map_, gate
    return None


PASS = Pass("fold_gate_into_conv", rewrite, roots=("Mul",))
