"""HybridConv in the blocked layout: dense, from a plain image, and depthwise; the float kernels over widened panels.

A panel holds the weights of one group of output vectors. See ``weight_panels``.
"""

from __future__ import annotations

from typing import Any

from edgeopt.ir import Array
from edgeopt.kernels.call import Kernel, KernelCall, Packed, Site
from edgeopt.kernels.conv import conv_blocked, conv_depthwise, conv_stem
from edgeopt.kernels.emit.intrinsics import inline
from edgeopt.kernels.packed.weight_panels import Panels, float_site, panel_call, scales_of
from edgeopt.kernels.walk.plane_window import conv_halo


def select_blocked(site: Site) -> tuple[KernelCall, ...]:
    """The call for a HybridConv whose operands lie blocked. Raises Declined as the float kernel does."""
    (call,) = conv_blocked.select(float_site(site, "FusedConv"))
    return (_over_panels(site, call),)


def select_stem(site: Site) -> tuple[KernelCall, ...]:
    """The calls for a HybridConv of few channels read from a plain image. Raises Declined as the float kernel does."""
    *padding, call = conv_stem.select(float_site(site, "FusedConv"))
    return (*padding, _over_panels(site, call))


def select_depthwise(site: Site) -> tuple[KernelCall, ...]:
    """The call for a depthwise HybridConv. Raises Declined as the float kernel does."""
    (call,) = conv_depthwise.select(float_site(site, "FusedConv"))
    planes = call.key[3]
    assert isinstance(planes, conv_depthwise.Planes)
    convolve = inline(call.function)

    def compute(x: Any, w: Any, b: Any, r: Any, y: Any, begin: int, end: int) -> None:
        convolve(x, w, b, y, begin, end)

    x, _, b, y = call.operands
    panels = _panels(site, _packed(call, 1), _packed(call, 2), -(-planes.height // planes.run))
    return (panel_call(site, panels, compute, (x, b, y, y), call.chunks, call.key),)


def _over_panels(site: Site, call: KernelCall) -> KernelCall:
    x, _, b, r, y = call.operands
    walk = call.key[3]
    assert isinstance(walk, conv_blocked.Walk)
    panels = _panels(site, _packed(call, 1), _packed(call, 2), walk.blocks if walk.weights_outer else 1)
    return panel_call(site, panels, call.function, (x, b, r, y), call.chunks, call.key)


def _packed(call: KernelCall, index: int) -> Array:
    operand = call.operands[index]
    assert isinstance(operand, Packed)
    return operand.array


def _panels(site: Site, codes: Array, bias: Array, per: int) -> Panels:
    """The packed weight of a float kernel, one panel for each of its leading axis, with a bias for each lane."""
    count = bias.size // codes.shape[0]
    outputs = site.given(1).shape[0]
    return Panels(codes.reshape(codes.shape[0], -1, count), scales_of(site, outputs, bias.size), outputs, per)


KERNELS = (
    Kernel("hybrid_stem", ("HybridConv",), select_stem, layout="stem", hot=True),
    Kernel("hybrid_depthwise", ("HybridConv",), select_depthwise, layout="blocked", hot=True, halo=conv_halo),
    Kernel("hybrid_conv", ("HybridConv",), select_blocked, layout="blocked", hot=True, halo=conv_halo),
)
