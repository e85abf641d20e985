"""QuantizeLinear of an image of at most four channels, from plain floats to bytes in blocks of four channels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Site
from edgeopt.kernels.emit.emit_bytes import round_to_int
from edgeopt.kernels.emit.emitter import Emitter, Value
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.integer.quant_operands import LIMITS, per_tensor
from edgeopt.kernels.integer.quant_stem import suits as stem_suits
from edgeopt.target import Target

BLOCK = 4


@dataclass(frozen=True)
class Image:
    """Extents, the pixel the result begins at, pixels of its plane and rows; scale, zero point and the limits of the codes."""

    channels: int
    height: int
    width: int
    origin: int
    plane: int
    row: int
    scale: float
    zero: int
    limits: tuple[int, int]


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a QuantizeLinear. Raises Declined for more channels, other layouts and types."""
    x, y = site.given(0), site.outputs[0]
    if x.layout.block or x.type.dtype != "float32" or y.type.dtype not in LIMITS or y.layout.block != BLOCK:
        raise Declined("it does not turn a plain image of floats into blocks of four bytes")
    if any(stem_suits(user) for user in site.node.output.users):
        raise Declined("a convolution reads its result along rows")
    if not any(user.op in ("QuantConv", "QuantConvTranspose", "MaxPool") for user in site.node.output.users):
        raise Declined("nothing reads its result in blocks")
    scale, zero = per_tensor(site, 1)
    images, channels, height, width = x.shape
    image = Image(channels, height, width, y.origin, y.plane, y.row, scale, zero, LIMITS[y.type.dtype])
    function = _function(site.target, image)
    return (KernelCall(function, (Input(0), Output()), (), images * height),)


def _function(target: Target, image: Image) -> Callable[..., None]:
    run = vector_function(target, 2, lambda e, x, y: _emit(e, image, x, y))
    height, width, channels, pixels = image.height, image.width, image.channels, min(target.lanes, image.width)
    origin, plane, row = image.origin, image.plane, image.row

    def quantize(x: Any, y: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            n, i = chunk // height, chunk % height
            source = offset(x, (n * channels * height + i) * width)
            made = offset(y, (n * plane + origin + i * row) * BLOCK)
            for t in range(0, width, pixels):
                j = t if t < width - pixels else width - pixels
                run(offset(source, j), offset(made, j * BLOCK))

    return quantize


def _emit(e: Emitter, image: Image, x: Value, y: Value) -> None:
    count, area = min(e.lanes, image.width), image.height * image.width
    low, high = (float(v - image.zero) for v in image.limits)
    words = []
    for c in range(image.channels):
        value = e.div(e.load_first(e.at(x, c * area), count), e.constant(image.scale))
        value = e.minimum(e.maximum(value, e.constant(low)), e.constant(high))
        code = e.builder.add(round_to_int(e, value), e.integers(image.zero))
        words.append(e.builder.shl(e.builder.and_(code, e.integers(255)), e.integers(8 * c)))
    pixels = e.builder.bitcast(reduce(e.builder.or_, words), e.vector)
    e.store_first(pixels, y, count)


KERNEL = Kernel("quantize_stem", ("QuantizeLinear",), select, layout="stem")
