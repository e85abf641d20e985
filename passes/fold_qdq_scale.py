"""DequantizeLinear -> a factor and an offset for each channel -> QuantizeLinear becomes one integer operator.

    Q(act(FusedConv(DQ(x), w, b)))   ->   QuantScaleShift(x, w, b)        depthwise, with a window of one: what is left of a
                                                                         batch norm behind a rounded convolution

The body of the operator is what it replaces. Not with a stride, pads or a residual, or when its result is read as float.
"""

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Graph, Node
from edgeopt.ir.match import dtype_of, shape_of
from edgeopt.ops.qdq import dequantized, grid, is_per_tensor, quantizing_user
from edgeopt.rewrite import Context, Pass

CODES = ("uint8", "int8")
KEPT = ("activation", "alpha", "beta")


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    source, weight = dequantized(node.input(0)), node.constant(1)
    if not node.is_own("FusedConv") or source is None or weight is None or weight.size != weight.shape[0]:
        return False
    if shape_of(node.input(0)) is None or shape_of(node.input(0)) != shape_of(node.output) or weight.dtype != np.float32:
        return False
    if node.integer("group", 1) != weight.shape[0] or any(s != 1 for s in node.integers("strides")):
        return False
    end = quantizing_user(node.output)
    if end is None or node.input(3) is not None or (node.input(2) is not None and node.constant(2) is None):
        return context.decline(node, "its result is read as float, or something is added to it")
    if not is_per_tensor(source) or dtype_of(source.input(0)) not in CODES or dtype_of(end.output) not in CODES:
        return context.decline(node, "its codes are not 8 bits wide with one scale")
    bias, along = node.constant(2), (weight.shape[0], *[1] * (weight.ndim - 2))
    offset = np.zeros(along, np.float32) if bias is None else bias.reshape(along)
    numbers = [graph.constant(f"{node.name}.{n}", a) for n, a in (("factor", weight.reshape(along)), ("offset", offset))]
    inputs = [source.input(0), *grid(source), *numbers, *grid(end)]
    attributes = {k: v for k, v in node.attributes.items() if k in KEPT}
    made = graph.make("QuantScaleShift", inputs, [end.output.type], end, OWN_DOMAIN, node.name, attributes)
    graph.replace(end.output, made.output)
    graph.erase(end)
    graph.erase(node)
    return True


PASS = Pass("fold_qdq_scale", rewrite, roots=("FusedConv",))
