"""Pad with zeros before a convolution -> into its pads.

    Conv(Pad(x, p, 0), W, pads=q)   ->   Conv(x, W, pads=q + p)

The Pad stays for its other readers. Not when it pads batch or channels, crops, pads with another value or mode, or when the
convolution pads automatically from its input's size.
"""

from edgeopt.ir import Graph, Node
from edgeopt.ops.layer import pads_of, spatial_pad
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    value = node.input(0)
    pad = value.producer if value is not None else None
    if not (node.is_own("FusedConv") or node.is_op("Conv")) or pad is None or not pad.is_op("Pad"):
        return False
    found = spatial_pad(pad)
    if found is None or found[0] != 0.0:
        return context.decline(node, f"{pad!r} does not pad the spatial axes with zeros")
    own = pads_of(node, len(found[1]) // 2)
    if own is None:
        return context.decline(node, "it pads automatically")
    node.attributes.pop("auto_pad", None)
    node.attributes["pads"] = tuple(a + b for a, b in zip(own, found[1], strict=True))
    node.set_input(0, pad.input(0))
    if not pad.output.uses and pad.graph is graph and not graph.is_output(pad.output):
        graph.erase(pad)
    return True


PASS = Pass("fold_pad_into_conv", rewrite, roots=("Conv", "FusedConv"))
