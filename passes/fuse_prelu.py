"""PRelu with a slope for each channel, behind a convolution -> one operator that reads its slopes beside its bias.

    PRelu(FusedConv(x, W, b, r), s)   ->   PReluConv(x, W, b, r, s)      s [M, 1, 1]

Exact. Runs last of all, when no rewrite looks for the convolution any more. Not for a computed weight, bias or slope, slopes
along another axis, other maps than two-dimensional ones of float32, an activation in between, or when the convolution has other
readers.
"""

from __future__ import annotations

from edgeopt.ir import OWN_DOMAIN, Graph, Node
from edgeopt.ir.match import channel_vector, dtype_of, rank_of, readers, sole_user
from edgeopt.ops.layer import is_linear, output_channels
from edgeopt.rewrite import Context, Pass

PLANE = 4  # axes of a map whose kernels take slopes


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    value, slopes = node.input(0), node.constant(1)
    conv = value.producer if value is not None else None
    if not node.is_op("PRelu") or value is None or conv is None or not conv.is_own("FusedConv"):
        return False
    if sole_user(value) is not node or conv.text("activation", ""):
        return context.decline(node, f"{readers(value)}, or its producer already has an activation")
    if rank_of(value) != PLANE or dtype_of(value) != "float32":
        return context.decline(node, "its map is not two-dimensional, or not float32")
    if slopes is None or not is_linear(conv):
        return context.decline(node, "its slopes, or the weight or bias of the convolution, are computed")
    vector = channel_vector(slopes, PLANE, 1, output_channels(conv))
    if vector is None:
        return context.decline(node, "its slopes are not one for each channel")
    given = [conv.input(i) for i in range(4)]
    slope = graph.constant(f"{conv.name}.slope", vector.reshape(-1, *[1] * (PLANE - 2)))
    made = graph.make("PReluConv", [*given, slope], [node.output.type], node, OWN_DOMAIN, conv.name, conv.attributes)
    graph.replace(node.output, made.output)
    graph.erase(node)
    graph.erase(conv)
    return True


PASS = Pass("fuse_prelu", rewrite, roots=("PRelu",))
