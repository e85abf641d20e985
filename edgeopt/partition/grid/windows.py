"""What part of its operands a node needs for a part of its result: boxes of rows and columns of NCHW maps.

A node is local when each pixel of its result depends on a window of pixels of its operands that moves with it: convolutions,
pooling, concatenation of channels, and all that works pixel by pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from edgeopt.ir import Node, Value

POINTWISE = frozenset(
    "Abs Add Clip Div Elu Erf Exp Gelu HardSigmoid HardSwish LeakyRelu LRN Max Min Mish Mul Neg PRelu Relu Selu Sigmoid Softplus "
    "Softsign Sqrt Sub Tanh".split()
)
Span = tuple[int, int]  # first and end


@dataclass(frozen=True)
class Box:
    """Rows and columns of a map; while padding counts as a part of it, they may lie outside."""

    rows: Span
    columns: Span

    @property
    def spans(self) -> tuple[Span, Span]:
        """Rows, then columns."""
        return (self.rows, self.columns)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return (self.rows[1] - self.rows[0], self.columns[1] - self.columns[0])

    def within(self, value: Value) -> Box:
        """The part that is no padding."""
        height, width = plane(value)
        return Box(_clipped(self.rows, height), _clipped(self.columns, width))

    def joined(self, other: Box | None) -> Box:
        """The least box around both."""
        return self if other is None else Box(_around(self.rows, other.rows), _around(self.columns, other.columns))


def plane(value: Value) -> tuple[int, int]:
    """Height and width of a map."""
    assert value.type is not None
    return value.type.dims[2], value.type.dims[3]


def is_map(value: Value | None) -> bool:
    """Whether ``value`` is a computed [N, C, H, W] of known shape."""
    if value is None or value.is_constant or value.type is None:
        return False
    return value.type.static and len(value.type.dims) == 4


def maps_of(node: Node) -> list[tuple[int, Value]]:
    """The operands that are maps, with their places."""
    return [(index, value) for index, value in enumerate(node.inputs) if value is not None and is_map(value)]


def is_local(node: Node) -> bool:
    """Whether tiles of the result can be computed from tiles of the operands."""
    if len(node.outputs) != 1 or not is_map(node.output) or not maps_of(node):
        return False
    if node.is_op("Conv") or node.is_own("FusedConv"):
        return _window(node) is not None and node.inputs[1] is not None and node.inputs[1].is_constant
    if node.is_op("MaxPool", "AveragePool"):
        counts_overshoot = node.integer("count_include_pad", 0) and node.integer("ceil_mode", 0)
        return _window(node) is not None and not counts_overshoot
    if node.is_op("Concat"):
        return node.integer("axis", 0) in (1, -3) and all(is_map(value) for value in node.inputs)
    return node.is_op(*POINTWISE) and all(_works_by_pixel(node, value) for value in node.inputs if value is not None)


def needed(node: Node, place: int, box: Box) -> Box:
    """What the local ``node`` reads of its operand ``place`` for ``box`` of its result, padding included."""
    window = _window(node) if place == 0 else None
    if window is None:
        return box
    rows, columns = (_reach(span, *axis) for span, axis in zip(box.spans, window, strict=True))
    return Box(rows, columns)


def has_window(node: Node) -> bool:
    """Whether ``node`` pads."""
    return _window(node) is not None


def _window(node: Node) -> list[tuple[int, int, int]] | None:
    """(stride, extent, padding in front) of the rows and columns; None for a node without a window that is understood."""
    if not (node.is_op("Conv", "MaxPool", "AveragePool") or node.is_own("FusedConv")):
        return None
    if node.text("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return None
    weight = node.inputs[1] if len(node.inputs) > 1 else None
    shape = weight.type.dims[2:] if weight is not None and weight.type is not None else ()
    kernel = node.integers("kernel_shape", shape)
    strides, dilations = node.integers("strides", (1, 1)), node.integers("dilations", (1, 1))
    pads = node.integers("pads", (0,) * 4)
    if not len(kernel) == len(strides) == len(dilations) == 2 or len(pads) != 4:
        return None
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    return [(strides[i], extents[i], pads[i]) for i in range(2)]


def _reach(span: Span, stride: int, extent: int, padding: int) -> Span:
    return (span[0] * stride - padding, (span[1] - 1) * stride - padding + extent)


def _works_by_pixel(node: Node, value: Value) -> bool:
    """An operand of the size of the result's plane, or a constant that is the same for all pixels."""
    if is_map(value):
        return plane(value) == plane(node.output)
    shape: Sequence[int] = value.type.dims if value.type is not None and value.type.static else (2, 2)
    return value.is_constant and prod(shape[-2:]) == 1 and len(shape) <= 4


def _clipped(span: Span, size: int) -> Span:
    return (min(max(span[0], 0), size), max(min(span[1], size), 0))


def _around(a: Span, b: Span) -> Span:
    return (min(a[0], b[0]), max(a[1], b[1]))
