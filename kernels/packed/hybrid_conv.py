"""HybridConv in the blocked layout: dense, from a plain image, and depthwise; the float kernels over widened panels.

A panel holds the weights of one group of output vectors. See ``weight_panels``.
"""

from __future__ import annotations

from edgeopt.kernels.call import Kernel, KernelCall, Prepared, Site
from edgeopt.kernels.conv import conv_blocked, conv_depthwise, conv_stem
from edgeopt.kernels.packed.weight_panels import WEIGHT, Panels, float_site, panel_call, scales_of
from edgeopt.kernels.walk.plane_window import conv_halo


def select_blocked(site: Site) -> tuple[KernelCall, ...]:
    """The call for a HybridConv whose operands lie blocked. Raises Declined as the float kernel does."""
    return _over_panels(site, conv_blocked.prepare(float_site(site, "FusedConv"), even=True))


def select_stem(site: Site) -> tuple[KernelCall, ...]:
    """The calls for a HybridConv of few channels read from a plain image. Raises Declined as the float kernel does."""
    return _over_panels(site, conv_stem.prepare(float_site(site, "FusedConv")))


def select_depthwise(site: Site) -> tuple[KernelCall, ...]:
    """The call for a depthwise HybridConv. Raises Declined as the float kernel does."""
    return _over_panels(site, conv_depthwise.prepare(float_site(site, "FusedConv")))


def _over_panels(site: Site, made: Prepared) -> tuple[KernelCall, ...]:
    """The float product over its packed weight, one panel for each of its leading axis, with a bias for each lane."""
    codes, bias, outputs = made.packed("weights"), made.packed("bias"), site.given(1).shape[0]
    panels = codes.reshape(codes.shape[0], -1, bias.size // codes.shape[0])
    given = Panels(panels, scales_of(site, outputs, bias.size), outputs, made.per)
    return (*made.before, panel_call(site, given, made, site.constant(WEIGHT)))


KERNELS = (
    Kernel("hybrid_stem", ("HybridConv",), select_stem, layout="stem", hot=True),
    Kernel("hybrid_depthwise", ("HybridConv",), select_depthwise, layout="blocked", hot=True, halo=conv_halo),
    Kernel("hybrid_conv", ("HybridConv",), select_blocked, layout="blocked", hot=True, halo=conv_halo),
)
