"""Automatic padding -> the pads it stands for.

    Conv, FusedConv, MaxPool, AveragePool {auto_pad=SAME_UPPER | SAME_LOWER | VALID}   ->   {pads=...}

    total = (ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1 - size    (ONNX, operator Conv)

half of it on each side, the odd one at the end for SAME_UPPER. Not with an unknown size or a negative total.
"""

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import shape_of
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    mode = node.text("auto_pad", "NOTSET")
    if node.op not in PASS.roots or mode == "NOTSET":
        return False
    shape, kernel = shape_of(node.input(0)), _kernel(node)
    if shape is None or kernel is None:
        return context.decline(node, "the size of its input or kernel is not static")
    if mode != "VALID" and node.integer("ceil_mode", 0):
        return context.decline(node, "it rounds its output size up")
    ones = (1,) * len(kernel)
    steps = zip(shape[2:], kernel, node.integers("strides", ones), node.integers("dilations", ones), strict=True)
    totals = [0 if mode == "VALID" else _total(*axis) for axis in steps]
    if min(totals) < 0:
        return context.decline(node, "its stride skips pixels at the border, for which runtimes disagree")
    short, long = [t // 2 for t in totals], [t - t // 2 for t in totals]
    del node.attributes["auto_pad"]
    node.attributes["pads"] = (*long, *short) if mode == "SAME_LOWER" else (*short, *long)
    graph.touch()
    return True


def _total(size: int, kernel: int, stride: int, dilation: int) -> int:
    return (-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size


def _kernel(node: Node) -> tuple[int, ...] | None:
    if "kernel_shape" in node.attributes:
        return node.integers("kernel_shape")
    weight = shape_of(node.input(1))
    return None if weight is None else weight[2:]


PASS = Pass("explicit_padding", rewrite, roots=("Conv", "FusedConv", "MaxPool", "AveragePool"))
