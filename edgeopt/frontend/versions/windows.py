"""Windows whose number ONNX counts otherwise than runtimes do, written out so that every reader counts the same."""

from __future__ import annotations

from collections.abc import Sequence

from edgeopt.frontend.versions.adapter import ANY_VERSION, Adapter
from edgeopt.ir import Attribute, Node
from edgeopt.ir.match import shape_of
from edgeopt.ops.definition import Body

SAME = ("SAME_UPPER", "SAME_LOWER")


def _transposed(node: Node, body: Body) -> None:
    """ConvTranspose that pads by itself -> with the pads that give size * stride outputs, whatever ``output_padding`` adds.

    Where even without pads there are fewer outputs, ``output_padding`` makes up for them.
    """
    shape, kernel, strides, dilations = _geometry(node)
    wanted = [s * d for s, d in zip(strides, shape, strict=True)]
    full = [s * (x - 1) + (k - 1) * d + 1 for s, x, k, d in zip(strides, shape, kernel, dilations, strict=True)]
    extra = node.integers("output_padding", [0] * len(shape))
    totals = [max(0, f + e - w) for f, e, w in zip(full, extra, wanted, strict=True)]
    added = [w - f + t for f, w, t in zip(full, wanted, totals, strict=True)]
    long = [t - t // 2 for t in totals]
    short = [t // 2 for t in totals]
    pads = [*short, *long] if node.text("auto_pad", "NOTSET") == "SAME_UPPER" else [*long, *short]
    kept: dict[str, Attribute] = {k: v for k, v in node.attributes.items() if k != "auto_pad"}
    names = [f"x{i}" for i in range(len(node.inputs))]
    body.op("ConvTranspose", names, "y0", 1, **{**kept, "pads": pads, "output_padding": added})


def _geometry(node: Node) -> tuple[Sequence[int], ...]:
    shape, weight = shape_of(node.input(0)) or (), shape_of(node.input(1)) or ()
    ones = [1] * (len(shape) - 2)
    strides, dilations = node.integers("strides", ones), node.integers("dilations", ones)
    return shape[2:], node.integers("kernel_shape", weight[2:]), strides, dilations


def _pads_itself(node: Node) -> bool:
    known = shape_of(node.input(0)) is not None and shape_of(node.input(1)) is not None
    return known and node.text("auto_pad", "NOTSET") in SAME and not node.integers("output_shape")


def _pool(node: Node, body: Body) -> None:
    kept: dict[str, Attribute] = {k: v for k, v in node.attributes.items() if k != "ceil_mode"}
    body.call(node.op, ["x0"], [f"y{i}" if out.name else "" for i, out in enumerate(node.outputs)], "", **kept)


def _rounds_for_nothing(node: Node) -> bool:
    """Whether rounding the number of outputs up gives none that starts within the map and its first pad.

    Before operator set 22 ONNX counted windows that start behind that, which runtimes leave out.
    """
    shape, kernel = shape_of(node.input(0)), node.integers("kernel_shape")
    if not node.integer("ceil_mode", 0) or shape is None or node.text("auto_pad", "NOTSET") != "NOTSET":
        return False
    rank = len(kernel)
    ones, pads = [1] * rank, node.integers("pads", [0] * 2 * rank)
    axes = zip(
        shape[2:], kernel, node.integers("strides", ones), node.integers("dilations", ones), pads[:rank], pads[rank:], strict=True
    )
    return not any(_one_more(*axis) for axis in axes)


def _one_more(size: int, kernel: int, stride: int, dilation: int, begin: int, end: int) -> bool:
    free = size + begin + end - (kernel - 1) * dilation - 1
    return free % stride > 0 and (free // stride + 1) * stride < size + begin


ADAPTERS = {
    "ConvTranspose": Adapter(ANY_VERSION, _transposed, _pads_itself),
    **{op: Adapter(22, _pool, _rounds_for_nothing) for op in ("AveragePool", "LpPool", "MaxPool")},
}
