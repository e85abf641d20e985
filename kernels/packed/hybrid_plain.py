"""HybridConv of every form (any group, dilation, 1-D to 3-D): the definition, one output channel's weights widened at a time.

Codes of less than eight bits lie one after the other in the order of the weight, the first in the lowest bits of a byte.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Kernel, KernelCall, Packed, Site, Temporary
from edgeopt.kernels.conv import conv_direct
from edgeopt.kernels.emit.elements import half_to_float
from edgeopt.kernels.emit.intrinsics import inline, offset
from edgeopt.kernels.packed.weight_codes import BITS, storage_of
from edgeopt.kernels.packed.weight_panels import INPUTS, WEIGHT, float_site, scales_of


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for any HybridConv in float32. Raises Declined as the float kernel does."""
    (call,) = conv_direct.KERNEL.select(float_site(site, "FusedConv"))
    codes, scales = site.constant(WEIGHT), scales_of(site, site.given(WEIGHT).shape[0], site.given(WEIGHT).shape[0])
    kind, outputs = storage_of(codes), codes.shape[0]
    x, _, *others = (INPUTS.get(o, o) for o in call.operands)
    factors = np.ones(outputs, np.float32) if scales is None else scales
    panel = Temporary("panel", codes[0].size, per_thread=True)
    operands = (x, Packed(_pack(codes, kind)), Packed(factors), *others, panel)
    per = call.chunks // (outputs * site.outputs[0].shape[0])
    function = _function(call, kind, per, outputs, codes[0].size)
    return (KernelCall(function, operands, (), call.chunks),)


def _pack(codes: Array, kind: str) -> Array:
    flat, bits = codes.reshape(-1), BITS[kind]
    if bits >= 8:
        return flat.view(np.uint16) if kind == "float16" else flat.astype(np.int8)
    values, each = flat.astype(np.int8), 8 // bits
    fields = values < 0 if kind == "binary" else values & ((1 << bits) - 1)
    padded = np.concatenate([fields, np.zeros(-fields.size % each)]).astype(np.uint8).reshape(-1, each)
    packed: Array = (padded << (bits * np.arange(each, dtype=np.uint8))).sum(axis=1, dtype=np.uint8)
    return packed


@cache
def _loader(kind: str) -> Callable[..., Any]:
    """The inline function (pointer, index) -> float32."""
    if kind == "float16":
        return inline(lambda p, i: half_to_float(p[i]))
    if kind == "int8":
        return inline(lambda p, i: np.float32(p[i]))
    bits, each = BITS[kind], 8 // BITS[kind]
    low, high = (1 << bits) - 1, 1 << (bits - 1)

    @inline
    def narrow(p: Any, i: Any) -> Any:
        field = (np.int32(p[i // each]) >> np.int32(i % each * bits)) & np.int32(low)
        return np.float32(1 - 2 * field) if bits == 1 else np.float32((field ^ np.int32(high)) - np.int32(high))

    return narrow


def _function(call: KernelCall, kind: str, per: int, outputs: int, taps: int) -> Callable[..., None]:
    """The float kernel over the weights of one output channel after the other; chunk c is of channel c // per % outputs."""
    load, constants = _loader(kind), call.constants
    convolve = numba.njit(call.function)  # what is inlined takes no star

    def kernel(x: Any, w: Any, s: Any, b: Any, r: Any, y: Any, row: Any, panel: Any, begin: int, end: int) -> None:
        known = -1
        for chunk in range(begin, end):
            channel = chunk // per % outputs
            if channel != known:
                for i in range(taps):
                    panel[i] = load(w, channel * taps + i) * s[channel]
                known = channel
            convolve(x, offset(panel, -channel * taps), b, r, y, row, chunk, chunk + 1, *constants)

    return kernel


KERNEL = Kernel("hybrid_plain", ("HybridConv",), select, by_definition=True)
