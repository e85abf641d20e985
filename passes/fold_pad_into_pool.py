"""Constant Pad before a pooling node -> into its pads.

    MaxPool(Pad(x, p, -inf))   ->   MaxPool(x, pads=p)        also a pad value that no x is below (0 after Relu)
    AveragePool(Pad(x, p, 0))  ->   AveragePool(x, pads=p, count_include_pad=1)

The Pad stays for its other readers. Not with ceil_mode or automatic padding, when pads reach the size of the kernel (a window
without any input), or for an AveragePool that has pads it does not count.
"""

from collections.abc import Sequence

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import dtype_of, scalar
from edgeopt.ops.layer import pads_of, spatial_pad
from edgeopt.rewrite import Context, Pass

NOT_NEGATIVE = ("Relu", "Sigmoid", "HardSigmoid", "Abs", "Exp", "Softmax", "Softplus")
LOWEST = -3.4e38


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    value = node.input(0)
    pad = value.producer if value is not None else None
    if not node.is_op("MaxPool", "AveragePool") or pad is None or not pad.is_op("Pad"):
        return False
    found, kernel = spatial_pad(pad), node.integers("kernel_shape")
    own = pads_of(node, len(kernel))
    if found is None or own is None or node.integer("ceil_mode", 0) or len(node.outputs) > 1:
        return context.decline(node, f"{pad!r} is not a plain spatial pad, or the window positions depend on the size")
    pads = tuple(a + b for a, b in zip(own, found[1], strict=True))
    if any(p >= k for p, k in zip(pads, (*kernel, *kernel), strict=True)):
        return context.decline(node, "some window would see padding only")
    if not _neutral(node, pad, found[0], own):
        return context.decline(node, f"padding with {found[0]:g} would change the result")
    node.attributes["pads"] = pads
    node.attributes.pop("auto_pad", None)
    if node.op == "AveragePool":
        node.attributes["count_include_pad"] = 1
    node.set_input(0, pad.input(0))
    if not pad.output.uses and pad.graph is graph and not graph.is_output(pad.output):
        graph.erase(pad)
    return True


def _neutral(node: Node, pad: Node, filler: float, own: Sequence[int]) -> bool:
    if node.op == "AveragePool":
        return filler == 0.0 and (not any(own) or bool(node.integer("count_include_pad", 0)))
    lowest = dtype_of(pad.input(0)) == "float32" and filler <= LOWEST
    return lowest or (filler == 0.0 and _is_not_negative(pad))


def _is_not_negative(pad: Node) -> bool:
    """True when the padded tensor is the result of an operator that has no negative results."""
    source = pad.inputs[0].producer if pad.inputs[0] is not None else None
    if source is None:
        return False
    kind = source.text("activation", "") or source.op
    low = source.real("alpha", -1.0) if source.text("activation", "") else scalar(source, 1)
    return kind in NOT_NEGATIVE or (kind == "Clip" and low is not None and low >= 0)


PASS = Pass("fold_pad_into_pool", rewrite, roots=("MaxPool", "AveragePool"))
