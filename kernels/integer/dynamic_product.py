"""DynamicConv and DynamicGemm by the integer tiles of QuantConv and QuantGemm: scale and zero point of x come from memory.

The tiles read a block of numbers per output channel, a bias and a multiplier. Here it is written just before they run:

    bias[c] = -x_zero sum of w[c],    multiplier[c] = x_scale w_scale[c]

as sum (x - z) w = sum x w - z sum w. The border of a blocked x holds x_zero, which its reader writes too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edgeopt.ir import Node, Value
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Packed, Prepare, Site, Temporary
from edgeopt.kernels.emit.intrinsics import bits_to_float, float_to_bits
from edgeopt.kernels.integer import quant_conv, quant_depthwise, quant_gemm
from edgeopt.kernels.integer.conv_integer import zero_point
from edgeopt.kernels.integer.dynamic_end import end_call
from edgeopt.kernels.integer.quant_operands import X, require_bytes, seen_zero
from edgeopt.kernels.integer.requantize import HEADER
from edgeopt.kernels.stand_in import constant, first_accepted

SCALE, ZERO, WEIGHT, WEIGHT_SCALE, WEIGHT_ZERO, BIAS = range(1, 7)
PROBE = 1  # the zero point of x that the tiles are made for; that of the data takes its place at run time


def _stand_in(site: Site, op: str) -> Site:
    """The site as one of QuantConv or QuantGemm whose input has scale 1 and zero point ``PROBE``."""
    x = site.given(X)
    require_bytes(x)
    grid = (constant(np.ones((), np.float32)), constant(np.full((), PROBE, x.type.dtype)))
    inputs = (x, *grid, *(site.optional(i) for i in (WEIGHT, WEIGHT_SCALE, WEIGHT_ZERO)))
    kept = ("activation", "alpha", "beta") if site.optional(BIAS) is not None else ()  # these come after the bias
    attributes = {k: v for k, v in site.node.attributes.items() if k not in kept}
    return replace(
        site,
        node=Node(op, [Value("x", x.type)], [Value("y", site.outputs[0].type)], attributes, name=site.node.name),
        inputs=inputs,
    )


def _select(site: Site, op: str, kernels: Sequence[Prepare]) -> tuple[KernelCall, ...]:
    stand_in = _stand_in(site, op)
    product, seen = first_accepted(kernels, stand_in), seen_zero(stand_in)
    numbers = product.packed("numbers")
    words = numbers.reshape(-1, numbers.shape[-1])
    count = (words.shape[1] - HEADER) // 2
    sums = words.copy()
    sums[:, HEADER : HEADER + count] //= -seen  # the bias for the zero point that the tiles were made for, exactly divisible
    memory = Temporary("words", words.size, dtype="int32")
    zero = zero_point(site, ZERO, X)[0]
    prepare = KernelCall(_prepare, (Packed(sums), Input(SCALE), zero, memory), (len(words), count, seen - PROBE))
    return (*_border(site, zero), prepare, *product.before, product.call(numbers=memory), *end_call(site))


def _prepare(template: Any, scale: Any, zero: Any, words: Any, begin: Any, end: Any, groups: Any, count: Any, moved: Any) -> None:
    for group in range(begin * groups, end * groups):
        first = group * (HEADER + 2 * count)
        z, factor = np.int32(np.int32(zero[0]) + np.int32(moved)), scale[0]
        for i in range(HEADER):
            words[first + i] = template[first + i]
        for i in range(first + HEADER, first + HEADER + count):
            words[i] = np.int32(-z * template[i])
            words[i + count] = float_to_bits(np.float32(bits_to_float(template[i + count]) * factor))


def _border(site: Site, zero: Operand) -> tuple[KernelCall, ...]:
    """The call that writes the zero point of x around its maps; none where they have no border."""
    x = site.given(X)
    if not any(x.layout.halo):
        return ()
    constants = (x.layout.block, x.row, x.plane, x.origin, x.shape[2], x.shape[3])
    return (KernelCall(_fill, (zero, Input(X)), constants, x.shape[0] * x.blocks),)


def _fill(
    zero: Any, x: Any, begin: Any, end: Any, block: Any, row: Any, plane: Any, origin: Any, height: Any, width: Any
) -> None:
    for chunk in range(begin, end):
        base, gap = chunk * plane * block, (row - width) * block
        for i in range(origin * block):
            x[base + i] = zero[0]
        for line in range(height - 1):
            after = base + (origin + line * row + width) * block
            for i in range(gap):
                x[after + i] = zero[0]
        for i in range((origin + (height - 1) * row + width) * block, plane * block):
            x[base + i] = zero[0]


def _conv(site: Site) -> tuple[KernelCall, ...]:
    if not site.given(X).layout.block:
        raise Declined("its input lies plain")
    return _select(site, "QuantConv", (quant_depthwise.prepare, quant_conv.prepare))


def _gemm(site: Site) -> tuple[KernelCall, ...]:
    return _select(site, "QuantGemm", (quant_gemm.prepare,))


KERNELS = (
    Kernel("dynamic_conv", ("DynamicConv",), _conv, layout="blocked", hot=True, halo=quant_conv.halo),
    Kernel("dynamic_gemm", ("DynamicGemm",), _gemm),
)
