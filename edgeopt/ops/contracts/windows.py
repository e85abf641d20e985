"""The geometry of sliding windows: kernels, strides, dilations and pads in range, and the extents that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgeopt.ops.contracts.operands import Operands, Shape

_MODES = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")


@dataclass(frozen=True)
class Geometry:
    """Kernel, strides, dilations and the two pads of every spatial dimension."""

    kernel: Shape
    strides: Shape
    dilations: Shape
    begin: Shape
    end: Shape

    @property
    def spans(self) -> list[int]:
        """How far a window reaches in every dimension."""
        return [(k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True)]


def geometry(operands: Operands, kernel: Sequence[int]) -> Geometry:
    """The Geometry that the attributes give a window of ``kernel``; raises Misfit where one is out of range."""
    rank, ones, zeros = len(kernel), (1,) * len(kernel), (0,) * 2 * len(kernel)
    strides, dilations, pads = (
        _attribute(operands, *a) for a in (("strides", ones, 1), ("dilations", ones, 1), ("pads", zeros, 0))
    )
    operands.need(min(kernel, default=1) >= 1, f"the kernel {list(kernel)} has an extent below 1")
    mode = operands.node.text("auto_pad", "NOTSET")
    operands.need(mode in _MODES, f"auto_pad '{mode}' is not known")
    kept = pads if mode == "NOTSET" else zeros
    return Geometry(tuple(kernel), strides, dilations, kept[:rank], kept[rank:])


def _attribute(operands: Operands, name: str, default: Shape, least: int) -> Shape:
    values = operands.node.integers(name) or default
    good = len(values) == len(default) and min(values, default=least) >= least
    operands.need(good, f"{name} is {list(values)}, {len(default)} numbers of at least {least} are needed")
    return values


def results(operands: Operands, found: Geometry, source: Sequence[int], ceiling: bool = False) -> Shape:
    """The spatial extents of the result of a convolution or pool over ``source``.

    Where a window is one larger than its padded input the result is empty; ONNX has no result for still larger ones.
    ``ceiling`` counts a last window that is cut off.
    """
    strides = found.strides
    if operands.node.text("auto_pad", "NOTSET").startswith("SAME"):
        return tuple(-(-x // s) for x, s in zip(source, strides, strict=True))
    sizes = zip(source, found.begin, found.end, found.spans, strides, strict=True)
    more = [s - 1 if ceiling else 0 for s in strides]
    extents = tuple((x + b + e - span + m) // s + 1 for (x, b, e, span, s), m in zip(sizes, more, strict=True))
    text = f"a window that reaches over {found.spans} does not fit {list(source)} with the pads {[*found.begin, *found.end]}"
    operands.need(min(extents, default=0) >= 0, text)
    return extents
