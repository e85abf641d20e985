"""Pooling of a volume by windows that overlap -> one along the depth, one along the rows, one along the columns.

    Pool(x [N, C, D, H, W], window (d, h, w))
        ->   Pool(Pool(Pool(x as [N, C, D, H W], (d, 1)) as [N, C D', H, W], (h, 1)), (1, w)) as [N, C, D', H', W']

A maximum of maxima, or a mean of means: along each axis a window has as many elements, padding counted or not, wherever it lies
along the others. That takes d + h + w operations an element instead of d h w, most of them on whole rows. Reshapes move nothing.
Not when windows do not overlap, when the places of the maxima are wanted, or when a shape is unknown or empty.
"""

from dataclasses import dataclass

import numpy as np

from edgeopt.ir import Graph, Node, TensorType, Value
from edgeopt.ir.match import dtype_of, shape_of
from edgeopt.ops.layer import pads_of
from edgeopt.rewrite import Context, Pass

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Along:
    """A window along one axis: size, stride, dilation, pads before and behind."""

    size: int
    stride: int
    dilation: int
    before: int
    behind: int

    def attributes(self, upright: bool) -> dict[str, Shape]:
        """Of a pooling of maps, whose other axis has a window of one."""
        first, second = (self.before, self.behind) if upright else (0, 0), (0, 0) if upright else (self.before, self.behind)
        pads = (first[0], second[0], first[1], second[1])
        pairs = {"kernel_shape": self.size, "strides": self.stride, "dilations": self.dilation}
        return {"pads": pads, **{k: (v, 1) if upright else (1, v) for k, v in pairs.items()}}


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    source, result = shape_of(node.input(0)), shape_of(node.output)
    if not node.is_op("MaxPool", "AveragePool") or source is None or result is None or len(source) != 5:
        return False
    windows = _windows(node)
    if windows is None or 0 in (*source, *result) or (node.op == "AveragePool" and dtype_of(node.output) != "float32"):
        return context.decline(node, "its pads are a mode, an extent is zero, or it is a mean of no float32")
    if any(w.size <= w.stride for w in windows):
        return context.decline(node, "its windows do not overlap along every axis")
    if any(o.uses or graph.is_output(o) for o in node.outputs[1:]):
        return context.decline(node, "the places of its maxima are wanted")
    _separate(graph, node, source, result, windows)
    return True


def _windows(node: Node) -> list[Along] | None:
    pads = pads_of(node, 3)
    if pads is None:
        return None
    strides, dilations = node.integers("strides") or (1, 1, 1), node.integers("dilations") or (1, 1, 1)
    return [Along(*w) for w in zip(node.integers("kernel_shape"), strides, dilations, pads[:3], pads[3:], strict=True)]


def _separate(graph: Graph, node: Node, source: Shape, result: Shape, windows: list[Along]) -> None:
    n, c, depth, height, width = source
    made, planes = result[2:], c * result[2]
    value = node.input(0)
    assert value is not None
    value = _seen(graph, node, value, (n, c, depth, height * width))
    value = _pooled(graph, node, value, (n, c, made[0], height * width), windows[0])
    value = _seen(graph, node, value, (n, planes, height, width))
    value = _pooled(graph, node, value, (n, planes, made[1], width), windows[1])
    value = _pooled(graph, node, value, (n, planes, *made[1:]), windows[2], upright=False)
    graph.replace(node.output, _seen(graph, node, value, result))
    graph.erase(node)


def _seen(graph: Graph, node: Node, value: Value, shape: Shape) -> Value:
    target = graph.constant(f"{node.name}.shape", np.array(shape, np.int64))
    return graph.make("Reshape", [value, target], [_typed(node, shape)], node, name="reshape").output


def _pooled(graph: Graph, node: Node, value: Value, shape: Shape, window: Along, upright: bool = True) -> Value:
    kept = {k: v for k, v in node.attributes.items() if k in ("ceil_mode", "count_include_pad")}
    attributes = {**kept, **window.attributes(upright)}
    if window.dilation == 1:
        del attributes["dilations"]  # which old opsets do not know
    return graph.make(node.op, [value], [_typed(node, shape)], node, name=node.name, attributes=attributes).output


def _typed(node: Node, shape: Shape) -> TensorType:
    assert node.output.type is not None
    return TensorType(node.output.type.dtype, shape)


PASS = Pass("separate_volume_pool", rewrite, roots=("MaxPool", "AveragePool"))
